/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.c - LayerNorm, RMSNorm, GroupNorm, LocalResponseNorm.
 */
#include <stdio.h>

#include "module.h"

/* ---- Layer norm, RMS norm */

typedef struct layer_norm {
    gn_module base;
    gn_shape shape;
    gn_optional eps; /* RMSNorm: not given is that of the input's dtype */
    gn_tensor *weight, *bias;
} layer_norm;

static gn_tensor *forward_layer_norm(gn_module *module, gn_tensor *x) {
    layer_norm *self = (layer_norm *)module;
    return gn_layer_norm(x, self->shape, self->weight, self->bias, .eps = self->eps);
}

static gn_tensor *forward_rms_norm(gn_module *module, gn_tensor *x) {
    layer_norm *self = (layer_norm *)module;
    return gn_rms_norm(x, self->shape, self->weight, .eps = self->eps);
}

static void describe_layer_norm(const gn_module *module, char *text, size_t bytes) {
    const layer_norm *self = (const layer_norm *)module;
    const char *shape = gn__shape_text((int)self->shape.n, self->shape.size);
    char eps[32] = "None";
    if (self->eps.given)
        snprintf(eps, sizeof eps, "%g", self->eps.value);
    snprintf(text, bytes,
             self->shape.n == 1 ? "(%.*s,), eps=%s, elementwise_affine=%s"
                                : "(%.*s), eps=%s, elementwise_affine=%s",
             (int)strlen(shape) - 2, shape + 1, eps, self->weight ? "True" : "False");
    if (module->type->forward == forward_layer_norm)
        gn__describe_add(text, bytes, ", bias=%s", self->bias ? "True" : "False");
}

static const gn_module_class layer_norm_class = {.name = "LayerNorm",
                                                 .size = sizeof(layer_norm),
                                                 .forward = forward_layer_norm,
                                                 .describe = describe_layer_norm};
static const gn_module_class rms_norm_class = {.name = "RMSNorm",
                                               .size = sizeof(layer_norm),
                                               .forward = forward_rms_norm,
                                               .describe = describe_layer_norm};

gn_module *gn_nn_layer_norm_with(gn_shape shape, const gn_layer_norm_options *options) {
    gn_layer_norm_options o;
    gn__options(&o, sizeof o, options);
    layer_norm *self = gn_module_new(&layer_norm_class);
    if (self == NULL)
        return NULL;
    self->shape = shape;
    self->eps = gn_some(gn_or(o.eps, 1e-5));
    if (!o.no_affine)
        self->weight = gn__parameter_full(self, "weight", shape, 1);
    if (!o.no_affine && !o.no_bias)
        self->bias = gn__parameter_full(self, "bias", shape, 0);
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_nn_rms_norm_with(gn_shape shape, const gn_rms_norm_options *options) {
    gn_rms_norm_options o;
    gn__options(&o, sizeof o, options);
    layer_norm *self = gn_module_new(&rms_norm_class);
    if (self == NULL)
        return NULL;
    self->shape = shape;
    self->eps = o.eps;
    if (!o.no_affine)
        self->weight = gn__parameter_full(self, "weight", shape, 1);
    return gn__failed() ? NULL : &self->base;
}

/* ---- Group norm */

typedef struct group_norm {
    gn_module base;
    int64_t groups, channels;
    double eps;
    gn_tensor *weight, *bias;
} group_norm;

static gn_tensor *forward_group_norm(gn_module *module, gn_tensor *x) {
    group_norm *self = (group_norm *)module;
    if (x->n_dims < 2 || x->size[1] != self->channels)
        return gn__fail_null(GN_E_ARGUMENT, "GroupNorm", "input %s must be (N, %lld, ..)",
                             gn__shape_of(x), (long long)self->channels);
    return gn_group_norm(x, self->groups, self->weight, self->bias, .eps = gn_some(self->eps));
}

static void describe_group_norm(const gn_module *module, char *text, size_t bytes) {
    const group_norm *self = (const group_norm *)module;
    snprintf(text, bytes, "%lld, %lld, eps=%g, affine=%s, bias=%s", (long long)self->groups,
             (long long)self->channels, self->eps, self->weight ? "True" : "False",
             self->bias ? "True" : "False");
}

static const gn_module_class group_norm_class = {.name = "GroupNorm",
                                                 .size = sizeof(group_norm),
                                                 .forward = forward_group_norm,
                                                 .describe = describe_group_norm};

gn_module *gn_nn_group_norm_with(int64_t groups, int64_t channels,
                                 const gn_group_norm_options *options) {
    gn_group_norm_options o;
    gn__options(&o, sizeof o, options);
    if (!gn__failed() && (groups < 1 || channels < 1 || channels % groups))
        return gn__fail_null(GN_E_ARGUMENT, "GroupNorm", "%lld groups do not divide %lld channels",
                             (long long)groups, (long long)channels);
    group_norm *self = gn_module_new(&group_norm_class);
    if (self == NULL)
        return NULL;
    self->groups = groups;
    self->channels = channels;
    self->eps = gn_or(o.eps, 1e-5);
    if (!o.no_affine)
        self->weight = gn__parameter_full(self, "weight", GN_SHAPE(channels), 1);
    if (!o.no_affine && !o.no_bias)
        self->bias = gn__parameter_full(self, "bias", GN_SHAPE(channels), 0);
    return gn__failed() ? NULL : &self->base;
}

/* ---- Local response norm */

typedef struct local_response {
    gn_module base;
    int64_t size;
    gn_local_response_options options; /* all given */
} local_response;

static gn_tensor *forward_local_response(gn_module *module, gn_tensor *x) {
    local_response *self = (local_response *)module;
    return gn_local_response_norm_with(x, self->size, &self->options);
}

static void describe_local_response(const gn_module *module, char *text, size_t bytes) {
    const local_response *self = (const local_response *)module;
    snprintf(text, bytes, "%lld, alpha=%g, beta=%g, k=%g", (long long)self->size,
             self->options.alpha.value, self->options.beta.value, self->options.k.value);
}

static const gn_module_class local_response_class = {.name = "LocalResponseNorm",
                                                     .size = sizeof(local_response),
                                                     .forward = forward_local_response,
                                                     .describe = describe_local_response};

gn_module *gn_nn_local_response_norm_with(int64_t size, const gn_local_response_options *options) {
    gn_local_response_options o;
    gn__options(&o, sizeof o, options);
    local_response *self = gn_module_new(&local_response_class);
    if (self == NULL)
        return NULL;
    self->size = size;
    self->options = (gn_local_response_options){.struct_size = sizeof self->options,
                                                .alpha = gn_some(gn_or(o.alpha, 1e-4)),
                                                .beta = gn_some(gn_or(o.beta, 0.75)),
                                                .k = gn_some(gn_or(o.k, 1))};
    return &self->base;
}
