/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - Conv1d, 2d, 3d and ConvTranspose1d, 2d, 3d.
 */
#include <math.h>

#include "module.h"

typedef struct conv {
    gn_module base;
    int n; /* spatial dims */
    int64_t in, out;
    int64_t kernel[GN_MAX_SPATIAL];
    gn_conv_options options;
    gn_tensor *weight, *bias;
} conv;

/* ---- Running */

#define FORWARD(name, function)                                                                    \
    static gn_tensor *name(gn_module *module, gn_tensor *x) {                                      \
        conv *self = (conv *)module;                                                               \
        return function(x, self->weight, self->bias, &self->options);                              \
    }
FORWARD(forward1d, gn_conv1d_with)
FORWARD(forward2d, gn_conv2d_with)
FORWARD(forward3d, gn_conv3d_with)
FORWARD(transpose1d, gn_conv_transpose1d_with)
FORWARD(transpose2d, gn_conv_transpose2d_with)
FORWARD(transpose3d, gn_conv_transpose3d_with)
#undef FORWARD

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

static const gn_module_class classes[] = {
    {.name = "Conv1d", .size = sizeof(conv), .forward = forward1d, .describe = describe},
    {.name = "Conv2d", .size = sizeof(conv), .forward = forward2d, .describe = describe},
    {.name = "Conv3d", .size = sizeof(conv), .forward = forward3d, .describe = describe},
};
static const gn_module_class transposed_classes[] = {
    {.name = "ConvTranspose1d", .size = sizeof(conv), .forward = transpose1d, .describe = describe},
    {.name = "ConvTranspose2d", .size = sizeof(conv), .forward = transpose2d, .describe = describe},
    {.name = "ConvTranspose3d", .size = sizeof(conv), .forward = transpose3d, .describe = describe},
};

static bool check(const char *op, bool transposed, const conv *c) {
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
    return !gn__failed() && gn__conv_check(op, c->n, transposed, o);
}

/* Both parameters ~ U(-b, b), b = 1 / sqrt(dim 1 of the weight * kernel elements). */
static gn_module *make(const gn_module_class *type, int n, bool transposed, int64_t in, int64_t out,
                       int64_t kernel, const gn_conv_options *options) {
    conv *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    gn_conv_options *o = &self->options;
    gn__options(o, sizeof *o, options);
    o->struct_size = sizeof *o;
    o->groups = o->groups ? o->groups : 1;
    self->n = n;
    self->in = in;
    self->out = out;
    gn__per_dim(n, o->kernel_sizes, kernel, 0, self->kernel);
    if (!check(type->name, transposed, self))
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
    return make(&classes[0], 1, false, in, out, kernel, options);
}

gn_module *gn_nn_conv2d_with(int64_t in, int64_t out, int64_t kernel,
                             const gn_conv_options *options) {
    return make(&classes[1], 2, false, in, out, kernel, options);
}

gn_module *gn_nn_conv3d_with(int64_t in, int64_t out, int64_t kernel,
                             const gn_conv_options *options) {
    return make(&classes[2], 3, false, in, out, kernel, options);
}

gn_module *gn_nn_conv_transpose1d_with(int64_t in, int64_t out, int64_t kernel,
                                       const gn_conv_options *options) {
    return make(&transposed_classes[0], 1, true, in, out, kernel, options);
}

gn_module *gn_nn_conv_transpose2d_with(int64_t in, int64_t out, int64_t kernel,
                                       const gn_conv_options *options) {
    return make(&transposed_classes[1], 2, true, in, out, kernel, options);
}

gn_module *gn_nn_conv_transpose3d_with(int64_t in, int64_t out, int64_t kernel,
                                       const gn_conv_options *options) {
    return make(&transposed_classes[2], 3, true, in, out, kernel, options);
}
