/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - convolution over 1 to 3 spatial dims. Three functions, linear in each of two tensors,
 * are the gradients of each other, and so give gradients of any order:
 *
 *   y  = forward(x, w)      x (N, C, in..), w (O, C / groups, kernel..), y (N, O, out..)
 *   dx = data(dy, w)
 *   dw = weight(x, dy)
 *
 * Each asks for a planned kernel; without one it is a product, reduced over windows that are seen
 * by strides alone (gn__composed_*).
 */
#include "compose.h"
#include "support.h"

typedef enum conv_kind { FORWARD, DATA, WEIGHT } conv_kind;

static const char *const names[] = {"conv1d", "conv2d", "conv3d"};

static const char *name_of(const gn_conv_attr *a) { return names[a->n_spatial - 1]; }

/* ---- Composed: reduced products over up to 4 + 2 n_spatial dims */

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
    return gn__kernel_run(name_of(attr), result->storage->device, &gn__product_kernel,
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

/* ---- The three functions, not recorded: planned, or composed */

static gn_status planned(const gn_conv_attr *a, uint32_t kernel, int n, gn_tensor *const *tensors) {
    for (int i = 0; i < n; i++)
        if (tensors[i] && tensors[i]->count == 0)
            return 0;
    return gn__run_planned(tensors[0]->storage->device, name_of(a), kernel, n, tensors, a,
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
            db = gn__sum_but(name_of(a), dy, 1);
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
    [FORWARD] = {{.name = "conv1d", .backward = forward_backward},
                 {.name = "conv2d", .backward = forward_backward},
                 {.name = "conv3d", .backward = forward_backward}},
    [DATA] = {{.name = "conv1d_data", .backward = data_backward},
              {.name = "conv2d_data", .backward = data_backward},
              {.name = "conv3d_data", .backward = data_backward}},
    [WEIGHT] = {{.name = "conv1d_weight", .backward = weight_backward},
                {.name = "conv2d_weight", .backward = weight_backward},
                {.name = "conv3d_weight", .backward = weight_backward}},
};

/* result = kind(a, b), and bias for FORWARD; `size` is that of the result. */
static gn_tensor *convolve(conv_kind kind, const gn_conv_attr *attr, gn_tensor *a, gn_tensor *b,
                           gn_tensor *bias, const int64_t *size) {
    gn_tensor *result = kind == FORWARD ? run_forward(attr, a, b, bias, size)
                        : kind == DATA  ? run_data(attr, a, b, size)
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
        out[0] = convolve(DATA, attr, g, w, NULL, node->inputs[0].size);
    bool bias = gn__needs(node, 2), fused = bias && gn__needs(node, 1) && !gn_is_grad_enabled();
    if (fused)
        out[1] = run_weight(attr, x, g, node->inputs[1].size, &out[2]);
    else if (gn__needs(node, 1))
        out[1] = convolve(WEIGHT, attr, x, g, NULL, node->inputs[1].size);
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
        out[0] = convolve(FORWARD, attr, g, w, NULL, node->inputs[0].size);
    if (gn__needs(node, 1))
        out[1] = convolve(WEIGHT, attr, g, dy, NULL, node->inputs[1].size);
    return gn_error_status();
}

/* dw = weight(x, dy): linear in x and in dy. */
static gn_status weight_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const gn_conv_attr *attr = node->data;
    gn_tensor *g = grads[0], *x = gn__saved_tensor(node, 0), *dy = gn__saved_tensor(node, 1);
    if (gn__failed())
        return gn_error_status();
    if (gn__needs(node, 0))
        out[0] = convolve(DATA, attr, dy, g, NULL, node->inputs[0].size);
    if (gn__needs(node, 1))
        out[1] = convolve(FORWARD, attr, x, g, NULL, node->inputs[1].size);
    return gn_error_status();
}

/* ---- Checks */

static bool check_geometry(const char *op, const gn_conv_attr *a) {
    bool good = a->groups >= 1;
    for (int d = 0; d < a->n_spatial; d++)
        good = good && a->stride[d] >= 1 && a->stride[d] <= GN__MAX_STEP && a->dilation[d] >= 1 &&
               a->dilation[d] <= GN__MAX_STEP && a->padding[d] >= 0 &&
               a->padding[d] <= GN__MAX_STEP;
    if (!good)
        gn_fail(GN_E_ARGUMENT, op,
                "stride, dilation and groups must be from 1, and padding from 0, to %d",
                GN__MAX_STEP);
    return good;
}

static bool check_shapes(const char *op, const gn_conv_attr *a, const gn_tensor *x,
                         const gn_tensor *w, const gn_tensor *bias) {
    static const char *const spatial[] = {"L", "H, W", "D, H, W"};
    const int n = (int)a->n_spatial + 2;
    if (x->n_dims != n || w->n_dims != n)
        gn_fail(GN_E_ARGUMENT, op, "input %s and weight %s must both have %d dims: (N, C, %s)",
                gn__shape_of(x), gn__shape_of(w), n, spatial[n - 3]);
    else if (x->size[1] != w->size[1] * a->groups)
        gn_fail(GN_E_ARGUMENT, op,
                "input %s does not fit weight %s with groups %lld: it must have %lld channels",
                gn__shape_of(x), gn__shape_of(w), (long long)a->groups,
                (long long)(w->size[1] * a->groups));
    else if (w->size[0] % a->groups)
        gn_fail(GN_E_ARGUMENT, op, "weight %s makes %lld channels, which %lld groups do not divide",
                gn__shape_of(w), (long long)w->size[0], (long long)a->groups);
    else if (bias && (bias->n_dims != 1 || bias->size[0] != w->size[0]))
        gn_fail(GN_E_ARGUMENT, op, "bias %s does not fit weight %s: it must be (%lld)",
                gn__shape_of(bias), gn__shape_of(w), (long long)w->size[0]);
    return !gn__failed() && gn__check_float(op, "input", x) &&
           gn__check_dtype(op, x, "weight", w) && gn__check_dtype(op, x, "bias", bias);
}

/* out = floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1 */
static bool output_size(const char *op, const gn_conv_attr *a, const gn_tensor *x,
                        const gn_tensor *w, int64_t *size) {
    size[0] = x->size[0];
    size[1] = w->size[0];
    for (int d = 0; d < a->n_spatial; d++) {
        int64_t window = a->dilation[d] * (w->size[2 + d] - 1) + 1;
        int64_t room = x->size[2 + d] + 2 * a->padding[d] - window;
        if (room < 0 || w->size[2 + d] < 1) {
            gn_fail(
                GN_E_ARGUMENT, op,
                "kernel of weight %s, dilated %lld wide, does not fit input %s with padding %lld",
                gn__shape_of(w), (long long)window, gn__shape_of(x), (long long)a->padding[d]);
            return false;
        }
        size[2 + d] = room / a->stride[d] + 1;
    }
    return true;
}

static gn_tensor *convolution(const gn_conv_attr *attr, gn_tensor *x, gn_tensor *w,
                              gn_tensor *bias) {
    const char *op = name_of(attr);
    int64_t size[GN_TENSOR_MAX_DIMS];
    gn_tensor *tensors[] = {x, w, bias};
    if (!gn__given(op, x) || !gn__given(op, w) || !check_geometry(op, attr) ||
        !check_shapes(op, attr, x, w, bias) || !output_size(op, attr, x, w, size) ||
        gn__common_device(op, 3, tensors) == NULL)
        return NULL;
    return convolve(FORWARD, attr, x, w, bias, size);
}

/* One number for both dims, or the pair, or what stands for 0. */
static void pair(int64_t out[2], int64_t both, gn_pair each, int64_t standard) {
    out[0] = each.h ? each.h : both ? both : standard;
    out[1] = each.w ? each.w : both ? both : standard;
}

gn_tensor *gn_conv2d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                          const gn_conv2d_options *options) {
    if (gn__failed())
        return NULL;
    gn_conv2d_options o;
    gn__options(&o, sizeof o, options);
    gn_conv_attr attr = {
        .struct_size = sizeof attr, .n_spatial = 2, .groups = o.groups ? o.groups : 1};
    pair(attr.stride, o.stride, o.stride_hw, 1);
    pair(attr.padding, o.padding, o.padding_hw, 0);
    pair(attr.dilation, o.dilation, o.dilation_hw, 1);
    return convolution(&attr, x, weight, bias);
}
