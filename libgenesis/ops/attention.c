/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.c - scaled dot-product attention, composed of products, a masked scaling and a softmax.
 */
#include <math.h>

#include "support.h"

static const char op[] = "scaled_dot_product_attention";

/* ---- y (.., L, S) = x scale, but `hidden` where j > i. The gradient is the same with 0 there. */

/* Operands x, rows i, columns j, y; params scale, hidden. */
static void build(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), rows = gn__build_operand(b, GN_INDEX, GN_I64),
        columns = gn__build_operand(b, GN_INDEX, GN_I64), y = gn__build_operand(b, GN_WRITE, v[0]);
    int scale = gn__param(b, type, gn__build_param(b)),
        hidden = gn__param(b, type, gn__build_param(b));
    int seen = gn__emit(b, GN_OP_LE, gn__load(b, columns), gn__load(b, rows), 0);
    int scaled = gn__emit(b, GN_OP_MUL, gn__load(b, x), scale, 0);
    gn__store(b, y, gn__emit(b, GN_OP_SELECT, seen, scaled, hidden));
}
static gn__kernel kernel = {.name = "attention_mask", .build = build};

static gn_tensor *masked(gn_tensor *x, double scale, double hidden);

static gn_status masked_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = masked(grads[0], *(const double *)node->data, 0);
    return gn_error_status();
}

static const gn__node_class masked_node = {.name = "attention_mask", .backward = masked_backward};

static gn_tensor *masked(gn_tensor *x, double scale, double hidden) {
    gn_tensor *y = gn__tensor_like(x, x->dtype);
    if (y == NULL)
        return NULL;
    gn__rows space = gn__rows_of(x, 0);
    gn__operand rows = gn__operand_index(0), columns = gn__operand_index(0);
    rows.stride[x->n_dims - 2] = 1;
    columns.stride[x->n_dims - 1] = 1;
    gn__operand operands[] = {gn__rows_full(&space, x), rows, columns, gn__rows_full(&space, y)};
    const gn_scalar params[] = {{.f = scale}, {.f = hidden}};
    if (gn__kernel_run(op, x->storage->device, &kernel, GN__VARIANT(x->dtype), &space, operands,
                       params) != GN_OK)
        return NULL;
    if (gn__recording(1, &x)) {
        gn__node *node = gn__record(&masked_node, y, 1, &x, sizeof scale);
        if (node == NULL)
            return NULL;
        *(double *)node->data = scale;
    }
    return y;
}

/* ---- softmax(q k^T scale) v */

static bool shapes_fit(const gn_tensor *q, const gn_tensor *k, const gn_tensor *v) {
    const int nq = q->n_dims, nk = k->n_dims, nv = v->n_dims;
    if (nq < 2 || nk < 2 || nv < 2 || q->size[nq - 1] != k->size[nk - 1] ||
        k->size[nk - 2] != v->size[nv - 2]) {
        gn_fail(GN_E_ARGUMENT, op,
                "q %s, k %s and v %s do not fit: they must be (.., L, D), (.., S, D), (.., S, E)",
                gn__shape_of(q), gn__shape_of(k), gn__shape_of(v));
        return false;
    }
    return gn__check_float(op, "q", q) && gn__check_dtype(op, q, "k", k) &&
           gn__check_dtype(op, q, "v", v);
}

gn_tensor *gn_scaled_dot_product_attention_with(gn_tensor *q, gn_tensor *k, gn_tensor *v,
                                                const gn_attention_options *options) {
    if (gn__failed() || !gn__given(op, q) || !gn__given(op, k) || !gn__given(op, v) ||
        !shapes_fit(q, k, v))
        return NULL;
    gn_attention_options o;
    gn__options(&o, sizeof o, options);
    const double scale = gn_or(o.scale, 1 / sqrt((double)q->size[q->n_dims - 1]));
    gn_tensor *scores = gn_matmul(q, gn_transpose(k, -2, -1));
    if (o.causal)
        scores = scores ? masked(scores, scale, -INFINITY) : NULL;
    else
        scores = gn_mul_scalar(scores, scale);
    return gn_matmul(gn_softmax(scores, -1), v);
}
