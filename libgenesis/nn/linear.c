/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear.c - Linear, and the parameters of layers in PyTorch's default distributions.
 */
#include <math.h>
#include <stdio.h>

#include "module.h"

gn_tensor *gn__parameter_uniform(void *module, const char *name, gn_shape shape, double bound) {
    gn_tensor *t = gn_empty_with(shape, NULL);
    if (t && t->count)
        t = gn_uniform_(t, -bound, bound, NULL);
    return gn_parameter(module, name, t);
}

gn_tensor *gn__parameter_full(void *module, const char *name, gn_shape shape, double value) {
    return gn_parameter(module, name, gn_full(shape, value, NULL));
}

/* ---- Linear */

typedef struct linear {
    gn_module base;
    int64_t in, out;
    gn_tensor *weight, *bias;
} linear;

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    linear *self = (linear *)module;
    return gn_linear(x, self->weight, self->bias);
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    const linear *self = (const linear *)module;
    snprintf(text, bytes, "in_features=%lld, out_features=%lld, bias=%s", (long long)self->in,
             (long long)self->out, self->bias ? "True" : "False");
}

static const gn_module_class linear_class = {
    .name = "Linear", .size = sizeof(linear), .forward = forward, .describe = describe};

/* Both parameters ~ U(-1 / sqrt(in), 1 / sqrt(in)). */
gn_module *gn_nn_linear_with(int64_t in, int64_t out, const gn_linear_options *options) {
    gn_linear_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (in < 0 || out < 0)
        return gn__fail_null(GN_E_ARGUMENT, "Linear", "%lld and %lld are no numbers of features",
                             (long long)in, (long long)out);
    linear *self = gn_module_new(&linear_class);
    if (self == NULL)
        return NULL;
    const double bound = in ? 1 / sqrt((double)in) : 0;
    self->in = in;
    self->out = out;
    self->weight = gn__parameter_uniform(self, "weight", GN_SHAPE(out, in), bound);
    if (o.no_bias)
        gn__parameter_none(self, "bias", &self->bias);
    else
        self->bias = gn__parameter_uniform(self, "bias", GN_SHAPE(out), bound);
    return gn__failed() ? NULL : &self->base;
}
