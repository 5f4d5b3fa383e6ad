/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear.c - y = x W^T + b and its gradients, each one planned product of matrices. A transposed
 * matrix is a matrix with other strides; nothing is copied.
 */
#include "product.h"

static const char op[] = "linear";

/* t itself if gn__matrix may take it. */
static gn_tensor *as_rows(gn_tensor *t) { return t->n_dims <= 2 ? t : gn__row_major_copy(t); }

static gn_tensor turned_matrix(const gn_tensor *t) {
    gn_tensor matrix = gn__matrix(t);
    return gn__turned(&matrix);
}

/* c = a b + bias, all of them matrices. */
static gn_status product(gn_tensor c, gn_tensor a, gn_tensor b, gn_tensor *bias) {
    return gn__product(op, &c, &a, &b, bias);
}

/* ---- Gradients: dx = g W, dW = g^T x, db = sum of g over the rows */

enum { X, WEIGHT, BIAS };

/* When the walk itself is recorded: in public operations. */
static void backward_recorded(gn__node *node, gn_tensor *x, gn_tensor *weight, gn_tensor *g,
                              gn_tensor **out) {
    int64_t outputs = node->inputs[WEIGHT].size[0], inputs = node->inputs[WEIGHT].size[1];
    if (gn__needs(node, X))
        out[X] = gn_matmul(g, weight);
    int64_t n = gn__count(g->n_dims - 1, g->size);
    gn_tensor *rows = gn_reshape(g, n, outputs);
    if (gn__needs(node, WEIGHT))
        out[WEIGHT] = gn_matmul(gn_t(rows), gn_reshape(x, n, inputs));
    if (gn__needs(node, BIAS))
        out[BIAS] = gn_sum(rows, .dims = GN_DIMS(0));
}

static gn_status linear_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *g = grads[0], *x = gn__saved_tensor(node, X),
              *weight = gn__saved_tensor(node, WEIGHT);
    if (gn__failed())
        return gn_error_status();
    gn__device *device = g->storage->device;
    if (gn_is_grad_enabled()) {
        backward_recorded(node, x, weight, g, out);
        return gn_error_status();
    }
    g = as_rows(g);
    if (g == NULL)
        return gn_error_status();
    if (gn__needs(node, X)) {
        gn_tensor *dx =
            gn__tensor_new(device, g->dtype, node->inputs[X].n_dims, node->inputs[X].size);
        if (dx && product(gn__matrix(dx), gn__matrix(g), *weight, NULL) == GN_OK)
            out[X] = dx;
    }
    if (gn__needs(node, WEIGHT)) {
        gn_tensor *dw = gn__tensor_new(device, g->dtype, 2, node->inputs[WEIGHT].size);
        x = as_rows(x);
        if (dw && x && product(*dw, turned_matrix(g), gn__matrix(x), NULL) == GN_OK)
            out[WEIGHT] = dw;
    }
    if (gn__needs(node, BIAS))
        out[BIAS] = gn__sum_but(op, g, g->n_dims - 1);
    return gn_error_status();
}

static const gn__node_class linear_node = {.name = op, .backward = linear_backward};

/* ---- gn_linear */

static bool shapes_fit(const gn_tensor *x, const gn_tensor *weight, const gn_tensor *bias) {
    if (weight->n_dims != 2) {
        gn_fail(GN_E_ARGUMENT, op, "weight %s must be (out, in)", gn__shape_of(weight));
        return false;
    }
    if (x->n_dims == 0 || x->size[x->n_dims - 1] != weight->size[1]) {
        gn_fail(GN_E_ARGUMENT, op, "input %s does not fit weight %s: the last dim must be %lld",
                gn__shape_of(x), gn__shape_of(weight), (long long)weight->size[1]);
        return false;
    }
    if (bias && (bias->n_dims != 1 || bias->size[0] != weight->size[0])) {
        gn_fail(GN_E_ARGUMENT, op, "bias %s does not fit weight %s: it must be (%lld)",
                gn__shape_of(bias), gn__shape_of(weight), (long long)weight->size[0]);
        return false;
    }
    return gn__check_float(op, "input", x) && gn__check_dtype(op, x, "weight", weight) &&
           gn__check_dtype(op, x, "bias", bias);
}

/* y (.., O) = x (.., I) weight (O, I)^T + bias (O) */
gn_tensor *gn_linear(gn_tensor *x, gn_tensor *weight, gn_tensor *bias) {
    if (gn__failed() || !gn__given(op, x) || !gn__given(op, weight) || !shapes_fit(x, weight, bias))
        return NULL;
    gn_tensor *inputs[] = {[X] = x, [WEIGHT] = weight, [BIAS] = bias};
    gn__device *device = gn__common_device(op, 3, inputs);
    gn_tensor *rows = device ? as_rows(x) : NULL;
    if (rows == NULL)
        return NULL;
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, x->size, sizeof size);
    size[x->n_dims - 1] = weight->size[0];
    gn_tensor *y = gn__tensor_new(device, x->dtype, x->n_dims, size);
    if (y == NULL || product(gn__matrix(y), gn__matrix(rows), gn__turned(weight), bias) != GN_OK)
        return NULL;
    if (gn__recording(3, inputs)) {
        gn__node *node = gn__record(&linear_node, y, 3, inputs, 0);
        if (node == NULL)
            return NULL;
        if (gn__needs(node, WEIGHT))
            gn__save(node, X, x);
        if (gn__needs(node, X))
            gn__save(node, WEIGHT, weight);
    }
    return y;
}
