/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotary.c - vectors turned by tables of cosines and sines, for positions in attention.
 *
 *   y1 = x1 c1 - x2 s1,  y2 = x2 c2 + x1 s2     of the halves of x, cos, sin
 *   d1 = g1 c1 + g2 s2,  d2 = g2 c2 - g1 s1     the gradient: the transposed matrix
 */
#include <genesis/transformer.h>

#include "support.h"

static const char op[] = "apply_rotary";

/* Operands x1, x2, c1, c2, s1, s2, y1, y2. Variant: dtypes of x, cos, sin; transposed. */
static void build(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    int x[2], c[2], s[2], product[2], crossed[2];
    for (int i = 0; i < 2; i++)
        x[i] = gn__load(b, gn__build_operand(b, GN_READ, v[0]));
    for (int i = 0; i < 2; i++)
        c[i] = gn__cast(b, type, gn__load(b, gn__build_operand(b, GN_READ, v[1])));
    for (int i = 0; i < 2; i++)
        s[i] = gn__cast(b, type, gn__load(b, gn__build_operand(b, GN_READ, v[2])));
    for (int i = 0; i < 2; i++) {
        product[i] = gn__emit(b, GN_OP_MUL, x[i], c[i], 0);
        crossed[i] = gn__emit(b, GN_OP_MUL, x[!i], s[v[3] ? !i : i], 0);
    }
    for (int i = 0; i < 2; i++) {
        const int sign = (i == 0) == (v[3] == 0) ? GN_OP_SUB : GN_OP_ADD;
        gn__store(b, gn__build_operand(b, GN_WRITE, v[0]),
                  gn__emit(b, sign, product[i], crossed[i], 0));
    }
}
static gn__kernel kernel = {.name = op, .build = build};

/* A half of the last dim, on the caller's stack. */
static gn_tensor half_of(const gn_tensor *t, int which) {
    gn_tensor half = *t;
    const int last = t->n_dims - 1;
    half.size[last] /= 2;
    half.count /= 2;
    half.offset += which * half.size[last] * t->stride[last];
    return half;
}

static gn_status run(gn_tensor *x, gn_tensor *cos, gn_tensor *sin, bool transposed, gn_tensor *y) {
    gn_tensor *const whole[] = {x, cos, sin, y};
    const gn_tensor first = half_of(x, 0);
    const gn__rows space = gn__rows_of(&first, 0);
    gn__operand operands[2 * GN_LENGTH(whole)];
    for (size_t i = 0; i < GN_LENGTH(operands); i++) {
        const gn_tensor half = half_of(whole[i / 2], (int)(i % 2));
        operands[i] = gn__rows_full(&space, &half);
    }
    return gn__kernel_run(op, x->storage->device, &kernel,
                          GN__VARIANT(x->dtype, cos->dtype, sin->dtype, transposed), &space,
                          operands, NULL);
}

enum { X, COS, SIN };

static gn_tensor *turned(gn_tensor *x, gn_tensor *cos, gn_tensor *sin, bool transposed);

static gn_status rotary_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *cos = gn__saved_tensor(node, COS), *sin = gn__saved_tensor(node, SIN);
    const bool transposed = *(const bool *)node->data;
    if (!gn__failed())
        out[X] = turned(grads[0], cos, sin, !transposed);
    return gn_error_status();
}

static const gn__node_class rotary_node = {.name = op, .backward = rotary_backward};

static gn_tensor *turned(gn_tensor *x, gn_tensor *cos, gn_tensor *sin, bool transposed) {
    gn_tensor *y = gn__tensor_new(x->storage->device, x->dtype, x->n_dims, x->size);
    if (y == NULL || run(x, cos, sin, transposed, y) != GN_OK || !gn__recording(1, &x))
        return gn__failed() ? NULL : y;
    gn__node *node = gn__record(&rotary_node, y, 1, &x, sizeof transposed);
    if (node == NULL)
        return NULL;
    *(bool *)node->data = transposed;
    gn__save(node, COS, cos);
    gn__save(node, SIN, sin);
    return y;
}

static bool table_fits(const char *what, const gn_tensor *x, gn_tensor *table) {
    bool fits = table->n_dims >= 1 && table->n_dims <= x->n_dims;
    for (int i = 1; i <= table->n_dims && fits; i++) {
        const int64_t own = table->size[table->n_dims - i];
        fits = own == x->size[x->n_dims - i] || (own == 1 && i > 1);
    }
    if (!fits)
        gn_fail(GN_E_ARGUMENT, op, "%s %s does not fit input %s: it must broadcast to it", what,
                gn__shape_of(table), gn__shape_of(x));
    else if (gn__recording(1, &table))
        gn_fail(GN_E_UNSUPPORTED, op, "%s requires a gradient: it is taken as constant", what);
    return !gn__failed() && gn__check_float(op, what, table);
}

gn_tensor *gn_apply_rotary(gn_tensor *x, gn_tensor *cos, gn_tensor *sin) {
    if (gn__failed() || !gn__given(op, x) || !gn__given(op, cos) || !gn__given(op, sin) ||
        !gn__check_float(op, "input", x))
        return NULL;
    if (x->n_dims == 0 || x->size[x->n_dims - 1] % 2)
        return gn__fail_null(GN_E_ARGUMENT, op, "the last dim of input %s must be even",
                             gn__shape_of(x));
    if (!table_fits("cos", x, cos) || !table_fits("sin", x, sin))
        return NULL;
    gn_tensor *const all[] = {x, cos, sin};
    return gn__common_device(op, 3, all) ? turned(x, cos, sin, false) : NULL;
}
