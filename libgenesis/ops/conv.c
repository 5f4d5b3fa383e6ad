/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - convolution over 1 to 3 spatial dims. Three functions, linear in each of two tensors,
 * are the gradients of each other, and so give gradients of any order:
 *
 *   y  = forward(x, w)      x (N, C, in..), w (O, C / groups, kernel..), y (N, O, out..)
 *   dx = data(dy, w)        which is what a transposed convolution computes
 *   dw = weight(x, dy)
 *
 * Each asks for a planned kernel; without one conv_composed.c has it. What the public functions are
 * given is checked in conv_options.c.
 */
#include "conv.h"

#include "compose.h"

const char *gn__conv_name(const gn_conv_attr *attr) {
    static const char *const names[] = {"conv1d", "conv2d", "conv3d"};
    return names[attr->n_spatial - 1];
}

/* ---- The three functions, not recorded: planned, or composed */

static gn_status planned(const gn_conv_attr *a, uint32_t kernel, int n, gn_tensor *const *tensors) {
    for (int i = 0; i < n; i++)
        if (tensors[i] && tensors[i]->count == 0)
            return 0;
    return gn__run_planned(tensors[0]->storage->device, gn__conv_name(a), kernel, n, tensors, a,
                           sizeof *a, NULL);
}

static gn_tensor *run_forward(const gn_conv_attr *a, gn_tensor *x, gn_tensor *w, gn_tensor *bias,
                              const int64_t *size) {
    gn__device *device = x->storage->device;
    x = gn__image(device, x);
    gn_tensor *y = x ? gn__image_new(device, x->dtype, x->n_dims, size) : NULL;
    if (y == NULL)
        return NULL;
    gn_status status = planned(a, GN_KERNEL_CONV_FORWARD, 4, (gn_tensor *[]){y, x, w, bias});
    if (status == 0) {
        const gn__composition composition = gn__composition_begin();
        status = gn__composed_conv_forward(a, x, w, bias, y);
        gn__composition_end(&composition);
    }
    return status < 0 ? NULL : y;
}

static gn_tensor *run_data(const gn_conv_attr *a, gn_tensor *dy, gn_tensor *w,
                           const int64_t *size) {
    gn__device *device = dy->storage->device;
    dy = gn__image(device, dy);
    gn_tensor *dx = dy ? gn__image_new(device, dy->dtype, dy->n_dims, size) : NULL;
    if (dx == NULL)
        return NULL;
    gn_status status = planned(a, GN_KERNEL_CONV_BACKWARD_DATA, 3, (gn_tensor *[]){dx, dy, w});
    if (status == 0) {
        const gn__composition composition = gn__composition_begin();
        status = gn__composed_conv_data(a, dy, w, dx);
        gn__composition_end(&composition);
    }
    return status < 0 ? NULL : dx;
}

/* dbias, too, unless it is NULL. */
static gn_tensor *run_weight(const gn_conv_attr *a, gn_tensor *x, gn_tensor *dy,
                             const int64_t *size, gn_tensor **dbias) {
    gn__device *device = x->storage->device;
    x = gn__image(device, x);
    dy = gn__image(device, dy);
    if (x == NULL || dy == NULL)
        return NULL;
    gn_tensor *dw = gn__tensor_new(device, x->dtype, x->n_dims, size),
              *db = dbias ? gn__tensor_new(device, x->dtype, 1, size) : NULL;
    if (gn__failed())
        return NULL;
    gn_status status =
        planned(a, GN_KERNEL_CONV_BACKWARD_WEIGHT, 4, (gn_tensor *[]){dw, x, dy, db});
    if (status == 0) {
        const gn__composition composition = gn__composition_begin();
        status = gn__composed_conv_weight(a, x, dy, dw);
        if (dbias)
            db = gn__sum_but(gn__conv_name(a), dy, 1);
        gn__composition_end(&composition);
    }
    if (dbias)
        *dbias = db;
    return status < 0 ? NULL : dw;
}

/* ---- Recorded */

static gn_status forward_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static gn_status data_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static gn_status weight_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);

/* By kind, then by the number of spatial dims. */
static const gn__node_class nodes[][GN_MAX_SPATIAL] = {
    [GN__CONV_FORWARD] = {{.name = "conv1d", .backward = forward_backward},
                          {.name = "conv2d", .backward = forward_backward},
                          {.name = "conv3d", .backward = forward_backward}},
    [GN__CONV_DATA] = {{.name = "conv_transpose1d", .backward = data_backward},
                       {.name = "conv_transpose2d", .backward = data_backward},
                       {.name = "conv_transpose3d", .backward = data_backward}},
    [GN__CONV_WEIGHT] = {{.name = "conv1d_weight", .backward = weight_backward},
                         {.name = "conv2d_weight", .backward = weight_backward},
                         {.name = "conv3d_weight", .backward = weight_backward}},
};

gn_tensor *gn__convolve(gn__conv_kind kind, const gn_conv_attr *attr, gn_tensor *a, gn_tensor *b,
                        gn_tensor *bias, const int64_t *size) {
    gn_tensor *result = kind == GN__CONV_FORWARD ? run_forward(attr, a, b, bias, size)
                        : kind == GN__CONV_DATA  ? run_data(attr, a, b, size)
                                                 : run_weight(attr, a, b, size, NULL);
    gn_tensor *inputs[] = {a, b, bias};
    if (result == NULL || !gn__recording(3, inputs))
        return result;
    gn__node *node = gn__record(&nodes[kind][attr->n_spatial - 1], result, 3, inputs, sizeof *attr);
    if (node == NULL)
        return NULL;
    *(gn_conv_attr *)node->data = *attr;
    if (gn__needs(node, 0))
        gn__save(node, 1, b);
    if (gn__needs(node, 1))
        gn__save(node, 0, a);
    return result;
}

static gn_status forward_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const gn_conv_attr *attr = node->data;
    gn_tensor *g = grads[0], *x = gn__saved_tensor(node, 0), *w = gn__saved_tensor(node, 1);
    if (gn__failed())
        return gn_error_status();
    if (gn__needs(node, 0))
        out[0] = gn__convolve(GN__CONV_DATA, attr, g, w, NULL, node->inputs[0].size);
    bool bias = gn__needs(node, 2), fused = bias && gn__needs(node, 1) && !gn_is_grad_enabled();
    if (fused)
        out[1] = run_weight(attr, x, g, node->inputs[1].size, &out[2]);
    else if (gn__needs(node, 1))
        out[1] = gn__convolve(GN__CONV_WEIGHT, attr, x, g, NULL, node->inputs[1].size);
    if (bias && !fused) {
        gn_dims dims = {.n = g->n_dims - 1};
        for (int d = 1; d < g->n_dims - 1; d++)
            dims.dim[d] = d + 1;
        out[2] = gn_sum(g, .dims = dims);
    }
    return gn_error_status();
}

/* dx = data(dy, w): linear in dy and in w. */
static gn_status data_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const gn_conv_attr *attr = node->data;
    gn_tensor *g = grads[0], *dy = gn__saved_tensor(node, 0), *w = gn__saved_tensor(node, 1);
    if (gn__failed())
        return gn_error_status();
    if (gn__needs(node, 0))
        out[0] = gn__convolve(GN__CONV_FORWARD, attr, g, w, NULL, node->inputs[0].size);
    if (gn__needs(node, 1))
        out[1] = gn__convolve(GN__CONV_WEIGHT, attr, g, dy, NULL, node->inputs[1].size);
    return gn_error_status();
}

/* dw = weight(x, dy): linear in x and in dy. */
static gn_status weight_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const gn_conv_attr *attr = node->data;
    gn_tensor *g = grads[0], *x = gn__saved_tensor(node, 0), *dy = gn__saved_tensor(node, 1);
    if (gn__failed())
        return gn_error_status();
    if (gn__needs(node, 0))
        out[0] = gn__convolve(GN__CONV_DATA, attr, dy, g, NULL, node->inputs[0].size);
    if (gn__needs(node, 1))
        out[1] = gn__convolve(GN__CONV_FORWARD, attr, x, g, NULL, node->inputs[1].size);
    return gn_error_status();
}
