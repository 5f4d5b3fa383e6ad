/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_composed.c - the convolutions of conv.c without a planned kernel: a product of two tensors,
 * reduced over windows that are seen by strides alone.
 */
#include "compose.h"
#include "conv.h"

/* ---- Reduced products over up to 4 + 2 n_spatial dims */

/* The dims of a composed convolution: each axis has a size, and a stride in every operand. */
enum { MAX_OPERANDS = 4 };
typedef struct axes {
    gn__rows space;
    gn__operand operands[MAX_OPERANDS];
} axes;

static void axis(axes *a, int64_t size, const int64_t strides[MAX_OPERANDS]) {
    for (int i = 0; i < MAX_OPERANDS; i++)
        a->operands[i].stride[a->space.n_dims] = strides[i];
    a->space.size[a->space.n_dims++] = size;
}
#define AXIS(a, length, ...) axis(a, length, (const int64_t[MAX_OPERANDS]){__VA_ARGS__})

/* Runs the product of tensors left and right into result, `reduced` axes last. */
static gn_status run_product(const gn_conv_attr *attr, axes *a, int reduced, gn_tensor *left,
                             int64_t left_offset, gn_tensor *right, gn_tensor *bias,
                             gn_tensor *result) {
    gn_tensor *const tensors[] = {left, right, result, bias};
    for (int i = 0; i < MAX_OPERANDS; i++)
        if (tensors[i]) {
            a->operands[i].storage = tensors[i]->storage;
            a->operands[i].offset = tensors[i]->offset + (i == 0 ? left_offset : 0);
        }
    a->space.n_reduced = reduced;
    if (bias) { /* the program has it before the result */
        gn__operand last = a->operands[2];
        a->operands[2] = a->operands[3];
        a->operands[3] = last;
    }
    return gn__kernel_run(gn__conv_name(attr), result->storage->device, &gn__product_kernel,
                          GN__VARIANT(result->dtype, bias != NULL), &a->space, a->operands, NULL);
}

/* x with zeros around it, as many as the windows need that go from x to y; x itself if they stay
 * inside. */
static gn_tensor *padded(gn_tensor *x, const gn_tensor *w, const gn_tensor *y,
                         const gn_conv_attr *a) {
    static const int64_t step[GN_MAX_SPATIAL] = {1, 1, 1};
    int n = (int)a->n_spatial;
    int64_t size[GN_MAX_SPATIAL];
    bool inside = true;
    for (int d = 0; d < n; d++) {
        int64_t window = a->dilation[d] * (w->size[2 + d] - 1) + 1,
                needed = (y->size[2 + d] - 1) * a->stride[d] + window;
        size[d] = a->padding[d] + x->size[2 + d];
        inside = inside && a->padding[d] == 0 && needed <= size[d];
        if (size[d] < needed)
            size[d] = needed;
    }
    return inside ? x : gn__framed(x, n, size, a->padding, step, 0);
}

gn_status gn__composed_conv_forward(const gn_conv_attr *a, gn_tensor *x, gn_tensor *w,
                                    gn_tensor *bias, gn_tensor *y) {
    const int64_t groups = a->groups, o = w->size[0] / groups, c = w->size[1];
    const int64_t *sy = y->stride, *sw = w->stride, *sx;
    gn_tensor *xp = padded(x, w, y, a);
    if (xp == NULL)
        return gn_error_status();
    sx = xp->stride;
    const int64_t sb = bias ? bias->stride[0] : 0;
    axes s = {0};
    AXIS(&s, x->size[0], sx[0], 0, sy[0], 0);
    AXIS(&s, groups, c * sx[1], o * sw[0], o * sy[1], o * sb);
    AXIS(&s, o, 0, sw[0], sy[1], sb);
    for (int d = 0; d < a->n_spatial; d++)
        AXIS(&s, y->size[2 + d], a->stride[d] * sx[2 + d], 0, sy[2 + d], 0);
    AXIS(&s, c, sx[1], sw[1], 0, 0);
    for (int d = 0; d < a->n_spatial; d++)
        AXIS(&s, w->size[2 + d], a->dilation[d] * sx[2 + d], sw[2 + d], 0, 0);
    return run_product(a, &s, 1 + (int)a->n_spatial, xp, 0, w, bias, y);
}

gn_status gn__composed_conv_weight(const gn_conv_attr *a, gn_tensor *x, gn_tensor *dy,
                                   gn_tensor *dw) {
    const int64_t groups = a->groups, o = dw->size[0] / groups, c = dw->size[1];
    const int64_t *sy = dy->stride, *sw = dw->stride, *sx;
    gn_tensor *xp = padded(x, dw, dy, a);
    if (xp == NULL)
        return gn_error_status();
    sx = xp->stride;
    axes s = {0};
    AXIS(&s, groups, c * sx[1], o * sy[1], o * sw[0], 0);
    AXIS(&s, o, 0, sy[1], sw[0], 0);
    AXIS(&s, c, sx[1], 0, sw[1], 0);
    for (int d = 0; d < a->n_spatial; d++)
        AXIS(&s, dw->size[2 + d], a->dilation[d] * sx[2 + d], 0, sw[2 + d], 0);
    AXIS(&s, x->size[0], sx[0], sy[0], 0, 0);
    for (int d = 0; d < a->n_spatial; d++)
        AXIS(&s, dy->size[2 + d], a->stride[d] * sx[2 + d], sy[2 + d], 0, 0);
    return run_product(a, &s, 1 + (int)a->n_spatial, xp, 0, dy, NULL, dw);
}

/* dy is spread by the stride in a frame of zeros, over which the window walks backwards. */
gn_status gn__composed_conv_data(const gn_conv_attr *a, gn_tensor *dy, gn_tensor *w,
                                 gn_tensor *dx) {
    const int64_t groups = a->groups, o = w->size[0] / groups, c = w->size[1];
    const int n = (int)a->n_spatial;
    int64_t size[GN_MAX_SPATIAL], before[GN_MAX_SPATIAL], offset = 0;
    for (int d = 0; d < n; d++) {
        before[d] = a->dilation[d] * (w->size[2 + d] - 1);
        size[d] = dx->size[2 + d] + a->padding[d] + before[d];
        int64_t needed = before[d] + (dy->size[2 + d] - 1) * a->stride[d] + 1;
        if (size[d] < needed)
            size[d] = needed;
    }
    gn_tensor *z = gn__framed(dy, n, size, before, a->stride, 0);
    if (z == NULL)
        return gn_error_status();
    const int64_t *sz = z->stride, *sw = w->stride, *sx = dx->stride;
    axes s = {0};
    AXIS(&s, dx->size[0], sz[0], 0, sx[0], 0);
    AXIS(&s, groups, o * sz[1], o * sw[0], c * sx[1], 0);
    AXIS(&s, c, 0, sw[1], sx[1], 0);
    for (int d = 0; d < n; d++) {
        AXIS(&s, dx->size[2 + d], sz[2 + d], 0, sx[2 + d], 0);
        offset += (a->padding[d] + before[d]) * sz[2 + d];
    }
    AXIS(&s, o, sz[1], sw[0], 0, 0);
    for (int d = 0; d < n; d++)
        AXIS(&s, w->size[2 + d], -a->dilation[d] * sz[2 + d], sw[2 + d], 0, 0);
    return run_product(a, &s, 1 + n, z, offset, w, NULL, dx);
}
