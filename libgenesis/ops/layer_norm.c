/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_norm.c - layer norm and RMS norm: see norm.c for the mathematics.
 */
#include <float.h>

#include "norm.h"

typedef gn__norm norm_data; /* a node's own */

static gn_tensor *new_like(const gn_tensor *t) {
    return gn__tensor_new(t->storage->device, t->dtype, t->n_dims, t->size);
}

static gn_status norm_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const norm_data *norm = node->data;
    gn_tensor *x = gn__saved_tensor(node, NORM_X), *weight = gn__saved_tensor(node, NORM_WEIGHT),
              *bias = gn__saved_tensor(node, NORM_BIAS);
    gn__statistics statistics = {gn__saved_tensor(node, NORM_MEAN),
                                 gn__saved_tensor(node, NORM_RSTD), NULL};
    if (gn__failed())
        return gn_error_status();
    if (gn_is_grad_enabled())
        return gn__norm_backward_recorded(norm, node, x, grads[0], weight, bias, NULL, out);
    if (gn__needs(node, NORM_X))
        out[NORM_X] = gn__norm_dx(norm, x, grads[0], weight, &statistics, out[NORM_X]);
    gn_tensor *dw = gn__needs(node, NORM_WEIGHT) ? new_like(weight) : NULL,
              *db = gn__needs(node, NORM_BIAS) ? new_like(bias) : NULL;
    if (gn__norm_dweight(norm, x, grads[0], &statistics, dw, db) != GN_OK)
        return gn_error_status();
    if (dw)
        out[NORM_WEIGHT] = dw;
    if (db)
        out[NORM_BIAS] = db;
    return gn_error_status();
}

static const gn__node_class norm_node = {.name = "norm", .backward = norm_backward, .adds = true};

gn_tensor *gn__norm_apply(gn__norm norm, gn_tensor *x, gn_tensor *weight, gn_tensor *bias) {
    gn_tensor *inputs[] = {[NORM_X] = x, [NORM_WEIGHT] = weight, [NORM_BIAS] = bias};
    if (gn__common_device(norm.op, 3, inputs) == NULL)
        return NULL;
    const bool recording = gn__recording(3, inputs);
    gn__statistics statistics = {0};
    gn_tensor *y = gn__tensor_like(x, x->dtype);
    norm.flags |= recording ? NORM_STATISTICS : 0;
    if (y == NULL || gn__norm_forward(&norm, x, weight, bias, y, &statistics) != GN_OK)
        return NULL;
    if (recording) {
        gn__node *node = gn__record(&norm_node, y, 3, inputs, sizeof(norm_data));
        if (node == NULL)
            return NULL;
        node->name = norm.op;
        *(norm_data *)node->data = norm;
        gn_tensor *const saved[] = {x, weight, bias, statistics.mean, statistics.rstd};
        for (int i = 0; i < (int)GN_LENGTH(saved); i++)
            if (saved[i])
                gn__save(node, i, saved[i]);
    }
    return y;
}

/* Whether t is NULL or has the dims of x from `first` on. */
static bool has_last_dims(const char *op, const char *what, const gn_tensor *t, const gn_tensor *x,
                          int first) {
    if (t == NULL)
        return true;
    int n = x->n_dims - first;
    if (t->n_dims != n || memcmp(t->size, x->size + first, (size_t)n * sizeof t->size[0]) != 0) {
        gn_fail(GN_E_ARGUMENT, op, "%s %s does not fit input %s: it must be %s", what,
                gn__shape_of(t), gn__shape_of(x), gn__shape_text(n, x->size + first));
        return false;
    }
    return gn__check_float(op, what, t);
}

/* Whether x is given and ends with `shape`, which the weight and the bias have, too; *norm gets the
 * dims. */
static bool check(gn_tensor *x, gn_shape shape, gn_tensor *weight, gn_tensor *bias,
                  gn__norm *norm) {
    const char *op = norm->op;
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return false;
    const int64_t first = x->n_dims - shape.n;
    if (shape.n < 1 || first < 0 ||
        memcmp(shape.size, x->size + first, (size_t)shape.n * sizeof shape.size[0]) != 0) {
        gn_fail(GN_E_ARGUMENT, op, "input %s must end with the dims %s", gn__shape_of(x),
                gn__shape_text(shape.n < 0 ? 0 : (int)shape.n, shape.size));
        return false;
    }
    norm->reduced = norm->weighted = (1u << x->n_dims) - (1u << first);
    return has_last_dims(op, "weight", weight, x, (int)first) &&
           has_last_dims(op, "bias", bias, x, (int)first);
}

/* x (*, shape) -> (*, shape) */
gn_tensor *gn_layer_norm_with(gn_tensor *x, gn_shape shape, gn_tensor *weight, gn_tensor *bias,
                              const gn_norm_options *options) {
    gn_norm_options o;
    gn__options(&o, sizeof o, options);
    gn__norm norm = {.op = "layer_norm", .eps = gn_or(o.eps, 1e-5)};
    return check(x, shape, weight, bias, &norm) ? gn__norm_apply(norm, x, weight, bias) : NULL;
}

/* The distance from 1 to the next number of the dtype. */
static double epsilon_of(int dtype) {
    static const double epsilon[] = {
        [GN_F32] = FLT_EPSILON, [GN_F64] = DBL_EPSILON, [GN_F16] = 0x1p-10, [GN_BF16] = 0x1p-7};
    return epsilon[dtype];
}

/* x (*, shape) -> (*, shape) */
gn_tensor *gn_rms_norm_with(gn_tensor *x, gn_shape shape, gn_tensor *weight,
                            const gn_norm_options *options) {
    gn_norm_options o;
    gn__options(&o, sizeof o, options);
    gn__norm norm = {.op = "rms_norm", .flags = NORM_RMS};
    if (!check(x, shape, weight, NULL, &norm))
        return NULL;
    norm.eps = gn_or(o.eps, epsilon_of(x->dtype));
    return gn__norm_apply(norm, x, weight, NULL);
}
