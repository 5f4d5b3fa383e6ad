/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - Conv2d.
 */
#include <math.h>
#include <stdio.h>

#include "module.h"

typedef struct conv2d {
    gn_module base;
    int64_t in, out;
    gn_pair kernel;
    gn_conv2d_options options; /* with the defaults filled in, as pairs */
    gn_tensor *weight, *bias;
} conv2d;

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    conv2d *self = (conv2d *)module;
    return gn_conv2d_with(x, self->weight, self->bias, &self->options);
}

static size_t add_pair(char *text, size_t bytes, const char *name, gn_pair pair) {
    int n = snprintf(text, bytes, "%s(%lld, %lld)", name, (long long)pair.h, (long long)pair.w);
    return n < 0 || (size_t)n >= bytes ? 0 : (size_t)n;
}

/* As PyTorch: what has its default value is left out. */
static void describe(const gn_module *module, char *text, size_t bytes) {
    const conv2d *self = (const conv2d *)module;
    const gn_conv2d_options *o = &self->options;
    size_t n =
        (size_t)snprintf(text, bytes, "%lld, %lld", (long long)self->in, (long long)self->out);
    n += add_pair(text + n, bytes - n, ", kernel_size=", self->kernel);
    n += add_pair(text + n, bytes - n, ", stride=", o->stride_hw);
    if (o->padding_hw.h || o->padding_hw.w)
        n += add_pair(text + n, bytes - n, ", padding=", o->padding_hw);
    if (o->dilation_hw.h != 1 || o->dilation_hw.w != 1)
        n += add_pair(text + n, bytes - n, ", dilation=", o->dilation_hw);
    if (o->groups != 1)
        n += (size_t)snprintf(text + n, bytes - n, ", groups=%lld", (long long)o->groups);
    if (self->bias == NULL)
        snprintf(text + n, bytes - n, ", bias=False");
}

static const gn_module_class conv2d_class = {
    .name = "Conv2d", .size = sizeof(conv2d), .forward = forward, .describe = describe};

static gn_pair pair_of(gn_pair each, int64_t both, int64_t standard) {
    return (gn_pair){each.h ? each.h
                     : both ? both
                            : standard,
                     each.w ? each.w
                     : both ? both
                            : standard};
}

/* Both parameters ~ U(-b, b), b = 1 / sqrt(in / groups * kernel height * kernel width). */
gn_module *gn_nn_conv2d_with(int64_t in, int64_t out, int64_t kernel,
                             const gn_conv2d_options *options) {
    gn_conv2d_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    gn_pair size = pair_of(o.kernel_hw, kernel, 0);
    o.groups = o.groups ? o.groups : 1;
    if (in < 1 || out < 1 || size.h < 1 || size.w < 1 || o.groups < 1 || in % o.groups ||
        out % o.groups)
        return gn__fail_null(
            GN_E_ARGUMENT, "Conv2d",
            "%lld and %lld channels, a kernel of %lld x %lld and %lld groups: all must "
            "be positive, and the groups divide the channels",
            (long long)in, (long long)out, (long long)size.h, (long long)size.w,
            (long long)o.groups);
    conv2d *self = gn_module_new(&conv2d_class);
    if (self == NULL)
        return NULL;
    self->in = in;
    self->out = out;
    self->kernel = size;
    o.stride_hw = pair_of(o.stride_hw, o.stride, 1);
    o.padding_hw = pair_of(o.padding_hw, o.padding, 0);
    o.dilation_hw = pair_of(o.dilation_hw, o.dilation, 1);
    o.stride = o.padding = o.dilation = 0;
    o.struct_size = sizeof o;
    self->options = o;
    const double bound = 1 / sqrt((double)(in / o.groups) * (double)(size.h * size.w));
    self->weight =
        gn__parameter_uniform(self, "weight", GN_SHAPE(out, in / o.groups, size.h, size.w), bound);
    if (o.no_bias)
        gn__parameter_none(self, "bias", &self->bias);
    else
        self->bias = gn__parameter_uniform(self, "bias", GN_SHAPE(out), bound);
    return gn__failed() ? NULL : &self->base;
}
