/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - Conv1d, 2d, 3d and ConvTranspose1d, 2d, 3d.
 */
#include <math.h>

#include "module.h"

typedef struct conv {
    gn_module base;
    bool transposed;
    int n; /* spatial dims */
    int64_t in, out;
    int64_t kernel[GN_MAX_SPATIAL];
    gn_conv_options options;
    gn_tensor *weight, *bias;
} conv;

/* ---- Running */

typedef gn_tensor *conv_function(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                 const gn_conv_options *options);

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    static conv_function *const functions[][GN_MAX_SPATIAL] = {
        {gn_conv1d_with, gn_conv2d_with, gn_conv3d_with},
        {gn_conv_transpose1d_with, gn_conv_transpose2d_with, gn_conv_transpose3d_with},
    };
    const conv *self = (const conv *)module;
    return functions[self->transposed][self->n - 1](x, self->weight, self->bias, &self->options);
}

/* ---- As text, like PyTorch: what has its default value is left out */

static void describe_unless(const conv *self, char *text, size_t bytes, const char *name,
                            const int64_t *each, int64_t all, int64_t standard) {
    int64_t values[GN_MAX_SPATIAL];
    bool differs = false;
    gn__per_dim(self->n, each, all, standard, values);
    for (int d = 0; d < self->n; d++)
        differs = differs || values[d] != standard;
    if (differs)
        gn__describe_tuple(text, bytes, name, self->n, values);
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    static const char *const modes[] = {[GN_PAD_REFLECT] = "reflect",
                                        [GN_PAD_REPLICATE] = "replicate",
                                        [GN_PAD_CIRCULAR] = "circular"};
    const conv *self = (const conv *)module;
    const gn_conv_options *o = &self->options;
    int64_t stride[GN_MAX_SPATIAL];
    gn__per_dim(self->n, o->strides, o->stride, 1, stride);
    gn__describe_add(text, bytes, "%lld, %lld", (long long)self->in, (long long)self->out);
    gn__describe_tuple(text, bytes, "kernel_size", self->n, self->kernel);
    gn__describe_tuple(text, bytes, "stride", self->n, stride);
    if (o->same_padding)
        gn__describe_add(text, bytes, ", padding=same");
    describe_unless(self, text, bytes, "padding", o->paddings, o->padding, 0);
    describe_unless(self, text, bytes, "dilation", o->dilations, o->dilation, 1);
    describe_unless(self, text, bytes, "output_padding", o->output_paddings, o->output_padding, 0);
    if (o->groups != 1)
        gn__describe_add(text, bytes, ", groups=%lld", (long long)o->groups);
    if (self->bias == NULL)
        gn__describe_add(text, bytes, ", bias=False");
    if (o->padding_mode != GN_PAD_ZEROS)
        gn__describe_add(text, bytes, ", padding_mode=%s", modes[o->padding_mode]);
}

/* ---- Making */

#define CLASS(class_name)                                                                          \
    { .name = class_name, .size = sizeof(conv), .forward = forward, .describe = describe }
static const gn_module_class classes[][GN_MAX_SPATIAL] = {
    {CLASS("Conv1d"), CLASS("Conv2d"), CLASS("Conv3d")},
    {CLASS("ConvTranspose1d"), CLASS("ConvTranspose2d"), CLASS("ConvTranspose3d")},
};
#undef CLASS

static bool check(const conv *c) {
    const char *op = c->base.type->name;
    const gn_conv_options *o = &c->options;
    bool good = c->in >= 1 && c->out >= 1 && o->groups >= 1;
    for (int d = 0; d < c->n; d++)
        good = good && c->kernel[d] >= 1;
    if (!good)
        gn_fail(GN_E_ARGUMENT, op,
                "%lld and %lld channels, a kernel of %s and %lld groups: all must be positive",
                (long long)c->in, (long long)c->out, gn__shape_text(c->n, c->kernel),
                (long long)o->groups);
    else if (c->in % o->groups || c->out % o->groups)
        gn_fail(GN_E_ARGUMENT, op, "%lld groups must divide %lld and %lld channels",
                (long long)o->groups, (long long)c->in, (long long)c->out);
    return !gn__failed() && gn__conv_check(op, c->n, c->transposed, o);
}

/* Both parameters ~ U(-b, b), b = 1 / sqrt(dim 1 of the weight * kernel elements). */
static gn_module *make(bool transposed, int n, int64_t in, int64_t out, int64_t kernel,
                       const gn_conv_options *options) {
    conv *self = gn_module_new(&classes[transposed][n - 1]);
    if (self == NULL)
        return NULL;
    gn_conv_options *o = &self->options;
    gn__options(o, sizeof *o, options);
    o->struct_size = sizeof *o;
    o->groups = o->groups ? o->groups : 1;
    self->transposed = transposed;
    self->n = n;
    self->in = in;
    self->out = out;
    gn__per_dim(n, o->kernel_sizes, kernel, 0, self->kernel);
    if (!check(self))
        return NULL;
    gn_shape size = {.n = n + 2,
                     .size = {transposed ? in : out, (transposed ? out : in) / o->groups}};
    double fan_in = (double)size.size[1];
    for (int d = 0; d < n; d++) {
        size.size[2 + d] = self->kernel[d];
        fan_in *= (double)self->kernel[d];
    }
    const double bound = 1 / sqrt(fan_in);
    self->weight = gn__parameter_uniform(self, "weight", size, bound);
    if (o->no_bias)
        gn__parameter_none(self, "bias", &self->bias);
    else
        self->bias = gn__parameter_uniform(self, "bias", GN_SHAPE(out), bound);
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_nn_conv1d_with(int64_t in, int64_t out, int64_t kernel,
                             const gn_conv_options *options) {
    return make(false, 1, in, out, kernel, options);
}

gn_module *gn_nn_conv2d_with(int64_t in, int64_t out, int64_t kernel,
                             const gn_conv_options *options) {
    return make(false, 2, in, out, kernel, options);
}

gn_module *gn_nn_conv3d_with(int64_t in, int64_t out, int64_t kernel,
                             const gn_conv_options *options) {
    return make(false, 3, in, out, kernel, options);
}

gn_module *gn_nn_conv_transpose1d_with(int64_t in, int64_t out, int64_t kernel,
                                       const gn_conv_options *options) {
    return make(true, 1, in, out, kernel, options);
}

gn_module *gn_nn_conv_transpose2d_with(int64_t in, int64_t out, int64_t kernel,
                                       const gn_conv_options *options) {
    return make(true, 2, in, out, kernel, options);
}

gn_module *gn_nn_conv_transpose3d_with(int64_t in, int64_t out, int64_t kernel,
                                       const gn_conv_options *options) {
    return make(true, 3, in, out, kernel, options);
}
