/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.c - BatchNorm1d, BatchNorm2d, LayerNorm, RMSNorm.
 */
#include <stdio.h>

#include "module.h"

/* ---- Batch norm */

typedef struct batch_norm {
    gn_module base;
    int64_t features;
    double eps, momentum;
    bool cumulative;
    gn_tensor *weight, *bias, *mean, *var, *batches; /* NULL where switched off */
} batch_norm;

static double factor_of(batch_norm *self) {
    bool was = gn_set_grad_enabled(false);
    gn_add_scalar_(self->batches, 1);
    gn_set_grad_enabled(was);
    return self->cumulative ? 1 / gn_item(self->batches) : self->momentum;
}

static gn_tensor *normalise(batch_norm *self, gn_tensor *x) {
    const bool training = self->base.training || self->mean == NULL;
    const bool update = self->base.training && self->mean;
    const double factor = update ? factor_of(self) : 0;
    return gn_batch_norm(x, self->mean, self->var, self->weight, self->bias,
                         .eps = gn_some(self->eps), .momentum = gn_some(factor),
                         .training = training);
}

static gn_tensor *forward1d(gn_module *module, gn_tensor *x) {
    if (x->n_dims != 2 && x->n_dims != 3)
        return gn__fail_null(GN_E_ARGUMENT, "BatchNorm1d", "input %s must be (N, C) or (N, C, L)",
                             gn__shape_of(x));
    return normalise((batch_norm *)module, x);
}

static gn_tensor *forward2d(gn_module *module, gn_tensor *x) {
    if (x->n_dims != 4)
        return gn__fail_null(GN_E_ARGUMENT, "BatchNorm2d", "input %s must be (N, C, H, W)",
                             gn__shape_of(x));
    return normalise((batch_norm *)module, x);
}

static void describe_batch_norm(const gn_module *module, char *text, size_t bytes) {
    const batch_norm *self = (const batch_norm *)module;
    char momentum[32] = "None";
    if (!self->cumulative)
        snprintf(momentum, sizeof momentum, "%g", self->momentum);
    snprintf(text, bytes, "%lld, eps=%g, momentum=%s, affine=%s, track_running_stats=%s",
             (long long)self->features, self->eps, momentum, self->weight ? "True" : "False",
             self->mean ? "True" : "False");
}

double gn__batch_norm_eps(const gn_module *module) {
    const bool is_one = module->type->describe == describe_batch_norm;
    return is_one ? ((const batch_norm *)module)->eps : -1;
}

static const gn_module_class batch_norm1d_class = {.name = "BatchNorm1d",
                                                   .size = sizeof(batch_norm),
                                                   .forward = forward1d,
                                                   .describe = describe_batch_norm};
static const gn_module_class batch_norm2d_class = {.name = "BatchNorm2d",
                                                   .size = sizeof(batch_norm),
                                                   .forward = forward2d,
                                                   .describe = describe_batch_norm};

static gn_module *batch_norm_new(const gn_module_class *type, int64_t features,
                                 const gn_batch_norm_options *options) {
    gn_batch_norm_options o;
    gn__options(&o, sizeof o, options);
    batch_norm *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->features = features;
    self->eps = gn_or(o.eps, 1e-5);
    self->momentum = gn_or(o.momentum, 0.1);
    self->cumulative = o.cumulative;
    const gn_shape shape = GN_SHAPE(features);
    if (!o.no_affine) {
        self->weight = gn__parameter_full(self, "weight", shape, 1);
        self->bias = gn__parameter_full(self, "bias", shape, 0);
    }
    if (!o.no_running_stats) {
        self->mean = gn_buffer(self, "running_mean", gn_zeros_with(shape, NULL), true);
        self->var = gn_buffer(self, "running_var", gn_ones_with(shape, NULL), true);
        self->batches = gn_buffer(self, "num_batches_tracked",
                                  gn_scalar_tensor(0, GN_AS(.dtype = GN_I64)), true);
    }
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_nn_batch_norm1d_with(int64_t features, const gn_batch_norm_options *options) {
    return batch_norm_new(&batch_norm1d_class, features, options);
}

gn_module *gn_nn_batch_norm2d_with(int64_t features, const gn_batch_norm_options *options) {
    return batch_norm_new(&batch_norm2d_class, features, options);
}

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
