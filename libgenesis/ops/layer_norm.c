/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_norm.c - layer norm and RMS norm: see norm.c for the mathematics.
 */
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

static const gn__node_class layer_norm_node = {
    .name = "layer_norm", .backward = norm_backward, .adds = true};
static const gn__node_class rms_norm_node = {
    .name = "rms_norm", .backward = norm_backward, .adds = true};

static gn_tensor *normalise(const gn__node_class *type, gn__norm norm, gn_tensor *x,
                            gn_tensor *weight, gn_tensor *bias) {
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
        gn__node *node = gn__record(type, y, 3, inputs, sizeof(norm_data));
        if (node == NULL)
            return NULL;
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

static unsigned last_dims(const gn_tensor *x, int first) {
    return (1u << x->n_dims) - (1u << first);
}

/* x (*, shape) -> (*, shape) */
gn_tensor *gn_layer_norm_with(gn_tensor *x, gn_shape shape, gn_tensor *weight, gn_tensor *bias,
                              const gn_norm_options *options) {
    static const char op[] = "layer_norm";
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return NULL;
    gn_norm_options o;
    gn__options(&o, sizeof o, options);
    int first = x->n_dims - (int)shape.n;
    if (shape.n < 1 || first < 0 ||
        memcmp(shape.size, x->size + first, (size_t)shape.n * sizeof shape.size[0]) != 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "input %s must end with the dims %s",
                             gn__shape_of(x), gn__shape_text((int)shape.n, shape.size));
    if (!has_last_dims(op, "weight", weight, x, first) ||
        !has_last_dims(op, "bias", bias, x, first))
        return NULL;
    unsigned dims = last_dims(x, first);
    return normalise(
        &layer_norm_node,
        (gn__norm){.op = op, .reduced = dims, .weighted = dims, .eps = gn_or(o.eps, 1e-5)}, x,
        weight, bias);
}

/* x (*, D), weight (D) or NULL -> (*, D) */
gn_tensor *gn_rms_norm(gn_tensor *x, gn_tensor *weight, double eps) {
    static const char op[] = "rms_norm";
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return NULL;
    if (x->n_dims == 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "input () has no last dim");
    if (!has_last_dims(op, "weight", weight, x, x->n_dims - 1))
        return NULL;
    unsigned dims = last_dims(x, x->n_dims - 1);
    return normalise(
        &rms_norm_node,
        (gn__norm){.op = op, .reduced = dims, .weighted = dims, .flags = NORM_RMS, .eps = eps}, x,
        weight, NULL);
}
