/* SPDX-License-Identifier: Apache-2.0 */
/*
 * softmax.c - softmax and log_softmax along any dim, each one row program; so are their gradients.
 */
#include <math.h>

#include "support.h"

/* ---- y_i = exp(x_i - m) / s, or x_i - m - log s;   m = max_j x_j, s = sum_j exp(x_j - m) */

static void build_forward(gn__builder *b, const int8_t *v) {
    bool logarithm = v[1];
    int x = gn__build_operand(b, GN_READ, v[0]), y = gn__build_operand(b, GN_WRITE, v[0]);
    int type = gn__compute_type(v[0]);
    int m = gn__reduce_value(b, GN_MAX, gn__load(b, x), 0);
    gn__elements(b);
    int e = gn__emit(b, GN_OP_EXP, gn__emit(b, GN_OP_SUB, gn__load(b, x), m, 0), 0, 0);
    int s = gn__reduce_value(b, GN_SUM, e, 0);
    int scale = logarithm ? gn__emit(b, GN_OP_LOG, s, 0, 0)
                          : gn__emit(b, GN_OP_DIV, gn__const_f(b, type, 1), s, 0);
    gn__elements(b);
    int shifted = gn__emit(b, GN_OP_SUB, gn__load(b, x), m, 0);
    gn__store(b, y,
              logarithm ? gn__emit(b, GN_OP_SUB, shifted, scale, 0)
                        : gn__emit(b, GN_OP_MUL, gn__emit(b, GN_OP_EXP, shifted, 0, 0), scale, 0));
}

/* dx = y (g - sum_j g_j y_j), or g - exp(y) sum_j g_j */
static void build_backward(gn__builder *b, const int8_t *v) {
    bool logarithm = v[1];
    int y = gn__build_operand(b, GN_READ, v[0]), g = gn__build_operand(b, GN_READ, v[0]);
    int dx = gn__build_operand(b, GN_WRITE, v[0]);
    int gy = logarithm ? gn__load(b, g) : gn__emit(b, GN_OP_MUL, gn__load(b, g), gn__load(b, y), 0);
    int s = gn__reduce_value(b, GN_SUM, gy, 0);
    gn__elements(b);
    if (logarithm) {
        int e = gn__emit(b, GN_OP_EXP, gn__load(b, y), 0, 0);
        gn__store(b, dx,
                  gn__emit(b, GN_OP_SUB, gn__load(b, g), gn__emit(b, GN_OP_MUL, e, s, 0), 0));
    } else {
        int centred = gn__emit(b, GN_OP_SUB, gn__load(b, g), s, 0);
        gn__store(b, dx, gn__emit(b, GN_OP_MUL, gn__load(b, y), centred, 0));
    }
}

static gn__kernel forward_kernel = {.name = "softmax", .build = build_forward};
static gn__kernel backward_kernel = {.name = "softmax_backward", .build = build_backward};

/* ---- Both functions; `logarithm` tells them apart */

/* A 0-dim tensor is a row of one element. */
static gn__rows row_space(const gn_tensor *t, int dim) {
    if (t->n_dims == 0)
        return (gn__rows){.n_dims = 1, .n_reduced = 1, .size = {1}};
    return gn__rows_of(t, 1u << dim);
}

static const char *const names[] = {"softmax", "log_softmax"};

typedef struct softmax_data {
    int dim;
    bool logarithm;
} softmax_data;

static gn_tensor *backward_recorded(gn_tensor *y, gn_tensor *g, const softmax_data *data) {
    gn_dims dims = GN_DIMS(data->dim);
    if (data->logarithm)
        return gn_sub(g, gn_mul(gn_exp(y), gn_sum(g, .dims = dims, .keepdim = true)));
    return gn_mul(y, gn_sub(g, gn_sum(gn_mul(g, y), .dims = dims, .keepdim = true)));
}

static gn_status softmax_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const softmax_data *data = node->data;
    gn_tensor *g = grads[0], *y = gn__saved_tensor(node, 0);
    if (y == NULL)
        return gn_error_status();
    if (gn_is_grad_enabled()) {
        out[0] = backward_recorded(y, g, data);
        return gn_error_status();
    }
    gn_tensor *dx = gn__tensor_like(y, y->dtype);
    if (dx == NULL)
        return gn_error_status();
    gn__rows space = row_space(y, data->dim);
    gn__operand operands[] = {gn__rows_full(&space, y), gn__rows_full(&space, g),
                              gn__rows_full(&space, dx)};
    out[0] = dx;
    return gn__kernel_run(names[data->logarithm], y->storage->device, &backward_kernel,
                          GN__VARIANT(y->dtype, data->logarithm), &space, operands, NULL);
}

static const gn__node_class nodes[] = {
    {.name = "softmax", .backward = softmax_backward},
    {.name = "log_softmax", .backward = softmax_backward},
};

static gn_tensor *softmax(gn_tensor *x, int64_t dim, bool logarithm) {
    const char *op = names[logarithm];
    int d;
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x) ||
        !gn__dim(op, dim, x->n_dims, &d))
        return NULL;
    gn_tensor *y = gn__tensor_like(x, x->dtype);
    if (y == NULL)
        return NULL;
    gn__rows space = row_space(x, d);
    gn__operand operands[] = {gn__rows_full(&space, x), gn__rows_full(&space, y)};
    if (gn__kernel_run(op, x->storage->device, &forward_kernel, GN__VARIANT(x->dtype, logarithm),
                       &space, operands, NULL) != GN_OK)
        return NULL;
    if (gn__recording(1, &x)) {
        gn__node *node = gn__record(&nodes[logarithm], y, 1, &x, sizeof(softmax_data));
        if (node == NULL)
            return NULL;
        *(softmax_data *)node->data = (softmax_data){.dim = d, .logarithm = logarithm};
        gn__save_output(node, 0, y, 0);
    }
    return y;
}

gn_tensor *gn_softmax(gn_tensor *x, int64_t dim) { return softmax(x, dim, false); }
gn_tensor *gn_log_softmax(gn_tensor *x, int64_t dim) { return softmax(x, dim, true); }

gn_tensor *gn_safe_softmax(gn_tensor *x, int64_t dim) {
    if (gn__failed() || !gn__given("safe_softmax", x))
        return NULL;
    if (x->count == 0)
        return gn_softmax(x, dim);
    gn_scope scope = gn_scope_begin();
    gn_tensor *largest = gn_amax(gn_detach(x), .dims = GN_DIMS(dim), .keepdim = true);
    gn_tensor *none = gn_eq_scalar(largest, -INFINITY);
    gn_tensor *y = gn_softmax(gn_masked_fill(x, none, 0), dim);
    return gn_scope_end_with(scope, gn_masked_fill(y, none, 0));
}
