/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_options.c - the public functions of convolution: options, checks, sizes of results, and what
 * a kernel does not know: padding modes, images without a batch dim, the bias of a transposed
 * convolution. The convolutions themselves are in conv.c.
 */
#include "conv.h"

/* A call: attr has the padding before the input. */
typedef struct conv_call {
    const char *op;
    int n; /* spatial dims */
    bool transposed;
    gn_conv_options options;
    gn_conv_attr attr;
    int64_t after[GN_MAX_SPATIAL], output_padding[GN_MAX_SPATIAL];
} conv_call;

/* ---- Options */

static bool check_numbers(const conv_call *c) {
    const gn_conv_attr *a = &c->attr;
    const gn_padding_mode mode = c->options.padding_mode;
    bool steps = a->groups >= 1 && a->groups <= GN__MAX_STEP, padding = true;
    for (int d = 0; d < c->n; d++) {
        steps = steps && a->stride[d] >= 1 && a->stride[d] <= GN__MAX_STEP && a->dilation[d] >= 1 &&
                a->dilation[d] <= GN__MAX_STEP;
        padding = padding && a->padding[d] >= 0 && a->padding[d] <= GN__MAX_STEP;
    }
    if (!steps)
        gn_fail(GN_E_ARGUMENT, c->op, "stride, dilation and groups must be from 1 to %d",
                GN__MAX_STEP);
    else if (!padding)
        gn_fail(GN_E_ARGUMENT, c->op,
                "padding must be from 0 to %d; to crop, use gn_narrow on the result", GN__MAX_STEP);
    else if (mode < GN_PAD_ZEROS || mode > GN_PAD_CIRCULAR)
        gn_fail(GN_E_ARGUMENT, c->op, "there is no padding mode %d", (int)mode);
    return !gn__failed();
}

static bool check_forward(const conv_call *c) {
    const gn_conv_attr *a = &c->attr;
    for (int d = 0; d < c->n; d++)
        if (c->output_padding[d])
            gn_fail(GN_E_ARGUMENT, c->op, "output_padding is for transposed convolutions only");
        else if (c->options.same_padding && (a->stride[d] != 1 || a->padding[d]))
            gn_fail(GN_E_ARGUMENT, c->op,
                    "same_padding needs stride 1 and no padding of its own, not %lld and %lld: "
                    "give a padding instead",
                    (long long)a->stride[d], (long long)a->padding[d]);
    return !gn__failed();
}

static bool check_transposed(const conv_call *c) {
    const gn_conv_attr *a = &c->attr;
    if (c->options.padding_mode != GN_PAD_ZEROS || c->options.same_padding)
        gn_fail(GN_E_ARGUMENT, c->op,
                "a transposed convolution has a padding of zeros only, and no same_padding");
    for (int d = 0; d < c->n; d++) {
        const int64_t n = c->output_padding[d];
        if (n < 0 || (n >= a->stride[d] && n >= a->dilation[d]))
            gn_fail(GN_E_ARGUMENT, c->op,
                    "output_padding %lld must be at least 0, and smaller than stride %lld or "
                    "dilation %lld",
                    (long long)n, (long long)a->stride[d], (long long)a->dilation[d]);
    }
    return !gn__failed();
}

static bool call_make(const char *op, int n, bool transposed, const gn_conv_options *options,
                      conv_call *c) {
    if (gn__failed())
        return false;
    *c = (conv_call){.op = op, .n = n, .transposed = transposed};
    gn_conv_options *o = &c->options;
    gn__options(o, sizeof *o, options);
    gn_conv_attr *a = &c->attr;
    *a = (gn_conv_attr){
        .struct_size = sizeof *a, .n_spatial = n, .groups = o->groups ? o->groups : 1};
    gn__per_dim(n, o->strides, o->stride, 1, a->stride);
    gn__per_dim(n, o->paddings, o->padding, 0, a->padding);
    gn__per_dim(n, o->dilations, o->dilation, 1, a->dilation);
    gn__per_dim(n, o->output_paddings, o->output_padding, 0, c->output_padding);
    memcpy(c->after, a->padding, sizeof c->after);
    return check_numbers(c) && (transposed ? check_transposed(c) : check_forward(c));
}

bool gn__conv_check(const char *op, int n_spatial, bool transposed,
                    const gn_conv_options *options) {
    conv_call c;
    return call_make(op, n_spatial, transposed, options, &c);
}

/* ---- Shapes */

/* x (N, C, in..) or (C, in..), weight (O, C / groups, kernel..); transposed: (C, O / groups, ..) */
static bool check_dims(const conv_call *c, const gn_tensor *x, const gn_tensor *w) {
    static const char *const spatial[] = {"L", "H, W", "D, H, W"};
    static const char *const kernel[] = {"k", "kh, kw", "kd, kh, kw"};
    const char *in = spatial[c->n - 1];
    if (w->n_dims == c->n + 2 && (x->n_dims == c->n + 2 || x->n_dims == c->n + 1))
        return true;
    gn_fail(GN_E_ARGUMENT, c->op,
            "input %s and weight %s must be (N, C, %s) or (C, %s), and (%s, %s)", gn__shape_of(x),
            gn__shape_of(w), in, in, c->transposed ? "C, O / groups" : "O, C / groups",
            kernel[c->n - 1]);
    return false;
}

static bool check_channels(const conv_call *c, const gn_tensor *x, const gn_tensor *w,
                           const gn_tensor *bias) {
    const int64_t groups = c->attr.groups, channels = x->size[x->n_dims - c->n - 1],
                  in = c->transposed ? w->size[0] : w->size[1] * groups,
                  out = c->transposed ? w->size[1] * groups : w->size[0];
    if (channels != in)
        gn_fail(GN_E_ARGUMENT, c->op,
                "input %s does not fit weight %s with groups %lld: it must have %lld channels",
                gn__shape_of(x), gn__shape_of(w), (long long)groups, (long long)in);
    else if (w->size[0] % groups)
        gn_fail(GN_E_ARGUMENT, c->op, "weight %s %s %lld channels, which %lld groups do not divide",
                gn__shape_of(w), c->transposed ? "takes" : "makes", (long long)w->size[0],
                (long long)groups);
    else if (bias && (bias->n_dims != 1 || bias->size[0] != out))
        gn_fail(GN_E_ARGUMENT, c->op, "bias %s does not fit weight %s: it must be (%lld)",
                gn__shape_of(bias), gn__shape_of(w), (long long)out);
    return !gn__failed();
}

static bool check_tensors(const conv_call *c, gn_tensor *x, gn_tensor *w, gn_tensor *bias) {
    gn_tensor *tensors[] = {x, w, bias};
    return gn__given(c->op, x) && gn__given(c->op, w) && check_dims(c, x, w) &&
           check_channels(c, x, w, bias) && gn__check_float(c->op, "input", x) &&
           gn__check_dtype(c->op, x, "weight", w) && gn__check_dtype(c->op, x, "bias", bias) &&
           gn__common_device(c->op, 3, tensors) != NULL;
}

/* dilation (kernel - 1) in all, the odd one at the end. */
static bool same_padding(conv_call *c, const gn_tensor *w) {
    for (int d = 0; d < c->n; d++) {
        int64_t all;
        if (__builtin_mul_overflow(c->attr.dilation[d], w->size[2 + d] - 1, &all) ||
            all > GN__MAX_STEP) {
            gn_fail(GN_E_ARGUMENT, c->op,
                    "same_padding for weight %s with dilation %lld is above %d", gn__shape_of(w),
                    (long long)c->attr.dilation[d], GN__MAX_STEP);
            return false;
        }
        c->attr.padding[d] = all > 0 ? all / 2 : 0;
        c->after[d] = all > 0 ? all - all / 2 : 0;
    }
    return true;
}

static bool output_size(const conv_call *c, const gn_tensor *x, const gn_tensor *w, int64_t *size) {
    const gn_conv_attr *a = &c->attr;
    size[0] = x->size[0];
    size[1] = w->size[0];
    for (int d = 0; d < c->n; d++) {
        size[2 + d] = gn__window_count(x->size[2 + d], a->padding[d] + c->after[d], w->size[2 + d],
                                       a->dilation[d], a->stride[d]);
        if (size[2 + d] > 0)
            continue;
        gn_fail(GN_E_ARGUMENT, c->op,
                "the kernel of weight %s with dilation %lld does not fit input %s with padding "
                "%lld: pad more, or use a smaller one",
                gn__shape_of(w), (long long)a->dilation[d], gn__shape_of(x),
                (long long)a->padding[d]);
        return false;
    }
    return true;
}

/* (in - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1 */
static bool transposed_size(const conv_call *c, const gn_tensor *x, const gn_tensor *w,
                            int64_t *size) {
    const gn_conv_attr *a = &c->attr;
    size[0] = x->size[0];
    size[1] = w->size[1] * a->groups;
    for (int d = 0; d < c->n; d++) {
        int64_t steps, reach, sum;
        bool good = x->size[2 + d] > 0 && w->size[2 + d] > 0 &&
                    !__builtin_mul_overflow(x->size[2 + d] - 1, a->stride[d], &steps) &&
                    !__builtin_mul_overflow(w->size[2 + d] - 1, a->dilation[d], &reach) &&
                    !__builtin_add_overflow(steps, reach, &sum) &&
                    !__builtin_add_overflow(sum, c->output_padding[d] + 1, &sum);
        size[2 + d] = good ? sum - 2 * a->padding[d] : 0;
        if (size[2 + d] < 1) {
            gn_fail(GN_E_ARGUMENT, c->op,
                    "input %s and weight %s with padding %lld leave nothing: pad less",
                    gn__shape_of(x), gn__shape_of(w), (long long)a->padding[d]);
            return false;
        }
    }
    return true;
}

/* ---- Calls */

static gn_tensor *forward(conv_call *c, gn_tensor *x, gn_tensor *w, gn_tensor *bias) {
    int64_t size[GN_TENSOR_MAX_DIMS];
    if ((c->options.same_padding && !same_padding(c, w)) || !output_size(c, x, w, size))
        return NULL;
    if (c->options.padding_mode != GN_PAD_ZEROS) {
        x = gn__pad_edges(c->op, x, c->n, c->attr.padding, c->after, c->options.padding_mode);
        memset(c->attr.padding, 0, sizeof c->attr.padding);
    }
    return x ? gn__convolve(GN__CONV_FORWARD, &c->attr, x, w, bias, size) : NULL;
}

static gn_tensor *transposed(conv_call *c, gn_tensor *x, gn_tensor *w, gn_tensor *bias) {
    int64_t size[GN_TENSOR_MAX_DIMS];
    if (!transposed_size(c, x, w, size))
        return NULL;
    gn_tensor *y = gn__convolve(GN__CONV_DATA, &c->attr, x, w, NULL, size);
    if (y == NULL || bias == NULL)
        return y;
    gn_shape shape = {.n = c->n + 1, .size = {bias->size[0], 1, 1, 1}};
    return gn_add_(y, gn_view_with(bias, shape));
}

static gn_tensor *convolution(const char *op, int n, bool is_transposed, gn_tensor *x, gn_tensor *w,
                              gn_tensor *bias, const gn_conv_options *options) {
    conv_call c;
    if (!call_make(op, n, is_transposed, options, &c) || !check_tensors(&c, x, w, bias))
        return NULL;
    gn_tensor *batch = x->n_dims == n + 2 ? x : gn_unsqueeze(x, 0), *y;
    if (batch == NULL)
        return NULL;
    y = is_transposed ? transposed(&c, batch, w, bias) : forward(&c, batch, w, bias);
    return y == NULL || batch == x ? y : gn_squeeze_dim(y, 0);
}

gn_tensor *gn_conv1d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                          const gn_conv_options *options) {
    return convolution("conv1d", 1, false, x, weight, bias, options);
}

gn_tensor *gn_conv2d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                          const gn_conv_options *options) {
    return convolution("conv2d", 2, false, x, weight, bias, options);
}

gn_tensor *gn_conv3d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                          const gn_conv_options *options) {
    return convolution("conv3d", 3, false, x, weight, bias, options);
}

gn_tensor *gn_conv_transpose1d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                    const gn_conv_options *options) {
    return convolution("conv_transpose1d", 1, true, x, weight, bias, options);
}

gn_tensor *gn_conv_transpose2d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                    const gn_conv_options *options) {
    return convolution("conv_transpose2d", 2, true, x, weight, bias, options);
}

gn_tensor *gn_conv_transpose3d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                    const gn_conv_options *options) {
    return convolution("conv_transpose3d", 3, true, x, weight, bias, options);
}
