/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm.c - BatchNorm1d, 2d, 3d and InstanceNorm1d, 2d, 3d: the norms that may keep running
 * statistics.
 */
#include <stdio.h>

#include "module.h"

typedef struct running_norm {
    gn_module base;
    int64_t features;
    double eps, momentum;
    bool cumulative;
    gn_tensor *weight, *bias, *mean, *var, *batches; /* NULL where switched off */
} running_norm;

typedef struct input_form {
    int least, most; /* dims */
    const char *text;
} input_form;

static bool has_form(const gn_module *module, const gn_tensor *x, const input_form *form) {
    if (x->n_dims >= form->least && x->n_dims <= form->most)
        return true;
    gn_fail(GN_E_ARGUMENT, module->type->name, "input %s must be %s", gn__shape_of(x), form->text);
    return false;
}

/* ---- Batch norm */

static double factor_of(const running_norm *self) {
    return self->cumulative ? 1 / (gn_item(self->batches) + 1) : self->momentum;
}

static gn_status count_batch(running_norm *self) {
    bool was = gn_set_grad_enabled(false);
    gn_add_scalar_(self->batches, 1);
    gn_set_grad_enabled(was);
    return gn_error_status();
}

static gn_tensor *batch(gn_module *module, gn_tensor *x, input_form form) {
    running_norm *self = (running_norm *)module;
    if (!has_form(module, x, &form))
        return NULL;
    const bool training = module->training || self->mean == NULL;
    const bool update = module->training && self->mean;
    const double factor = update ? factor_of(self) : 0;
    gn_tensor *y =
        gn_batch_norm(x, self->mean, self->var, self->weight, self->bias, .eps = gn_some(self->eps),
                      .momentum = gn_some(factor), .training = training);
    return y && update && count_batch(self) != GN_OK ? NULL : y;
}

static gn_tensor *batch1d(gn_module *module, gn_tensor *x) {
    return batch(module, x, (input_form){2, 3, "(N, C) or (N, C, L)"});
}

static gn_tensor *batch2d(gn_module *module, gn_tensor *x) {
    return batch(module, x, (input_form){4, 4, "(N, C, H, W)"});
}

static gn_tensor *batch3d(gn_module *module, gn_tensor *x) {
    return batch(module, x, (input_form){5, 5, "(N, C, D, H, W)"});
}

/* ---- Instance norm: without N, the result has none, too */

static gn_tensor *instance(gn_module *module, gn_tensor *x, input_form form) {
    running_norm *self = (running_norm *)module;
    if (!has_form(module, x, &form))
        return NULL;
    const bool batched = x->n_dims == form.most;
    gn_tensor *each = batched ? x : gn_unsqueeze(x, 0);
    if (each && self->weight && each->size[1] != self->features)
        return gn__fail_null(GN_E_ARGUMENT, module->type->name, "input %s must have %lld channels",
                             gn__shape_of(x), (long long)self->features);
    gn_tensor *y =
        each ? gn_instance_norm(each, self->mean, self->var, self->weight, self->bias,
                                .eps = gn_some(self->eps), .momentum = gn_some(self->momentum),
                                .training = module->training)
             : NULL;
    return y == NULL || batched ? y : gn_squeeze_dim(y, 0);
}

static gn_tensor *instance1d(gn_module *module, gn_tensor *x) {
    return instance(module, x, (input_form){2, 3, "(N, C, L) or (C, L)"});
}

static gn_tensor *instance2d(gn_module *module, gn_tensor *x) {
    return instance(module, x, (input_form){3, 4, "(N, C, H, W) or (C, H, W)"});
}

static gn_tensor *instance3d(gn_module *module, gn_tensor *x) {
    return instance(module, x, (input_form){4, 5, "(N, C, D, H, W) or (C, D, H, W)"});
}

/* ---- Classes */

static void describe(const gn_module *module, char *text, size_t bytes) {
    const running_norm *self = (const running_norm *)module;
    char momentum[32] = "None";
    if (!self->cumulative)
        snprintf(momentum, sizeof momentum, "%g", self->momentum);
    snprintf(text, bytes, "%lld, eps=%g, momentum=%s, affine=%s, bias=%s, track_running_stats=%s",
             (long long)self->features, self->eps, momentum, self->weight ? "True" : "False",
             self->bias ? "True" : "False", self->mean ? "True" : "False");
}

#define CLASS(title, function)                                                                     \
    { .name = title, .size = sizeof(running_norm), .forward = function, .describe = describe }
static const gn_module_class batch_classes[] = {
    CLASS("BatchNorm1d", batch1d), CLASS("BatchNorm2d", batch2d), CLASS("BatchNorm3d", batch3d)};
static const gn_module_class instance_classes[] = {CLASS("InstanceNorm1d", instance1d),
                                                   CLASS("InstanceNorm2d", instance2d),
                                                   CLASS("InstanceNorm3d", instance3d)};

static bool is_batch_norm(const gn_module *module) {
    return module->type >= batch_classes && module->type < batch_classes + 3;
}

double gn__batch_norm_eps(const gn_module *module) {
    return is_batch_norm(module) ? ((const running_norm *)module)->eps : -1;
}

bool gn__batch_norm_cumulative(gn_module *module, bool *cumulative) {
    running_norm *self = (running_norm *)module;
    if (!is_batch_norm(module) || self->mean == NULL)
        return false;
    const bool was = self->cumulative;
    self->cumulative = *cumulative;
    *cumulative = was;
    return true;
}

/* ---- Making */

static running_norm *make(const gn_module_class *type, int64_t features, bool affine, bool bias,
                          bool running) {
    running_norm *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->features = features;
    const gn_shape shape = GN_SHAPE(features);
    if (affine)
        self->weight = gn__parameter_full(self, "weight", shape, 1);
    if (affine && bias)
        self->bias = gn__parameter_full(self, "bias", shape, 0);
    if (running) {
        self->mean = gn_buffer(self, "running_mean", gn_zeros_with(shape, NULL), true);
        self->var = gn_buffer(self, "running_var", gn_ones_with(shape, NULL), true);
        self->batches = gn_buffer(self, "num_batches_tracked",
                                  gn_scalar_tensor(0, GN_AS(.dtype = GN_I64)), true);
    }
    return gn__failed() ? NULL : self;
}

static gn_module *batch_norm(const gn_module_class *type, int64_t features,
                             const gn_batch_norm_options *options) {
    gn_batch_norm_options o;
    gn__options(&o, sizeof o, options);
    running_norm *self = make(type, features, !o.no_affine, !o.no_bias, !o.no_running_stats);
    if (self == NULL)
        return NULL;
    self->eps = gn_or(o.eps, 1e-5);
    self->momentum = gn_or(o.momentum, 0.1);
    self->cumulative = o.cumulative;
    return &self->base;
}

gn_module *gn_nn_batch_norm1d_with(int64_t features, const gn_batch_norm_options *options) {
    return batch_norm(&batch_classes[0], features, options);
}

gn_module *gn_nn_batch_norm2d_with(int64_t features, const gn_batch_norm_options *options) {
    return batch_norm(&batch_classes[1], features, options);
}

gn_module *gn_nn_batch_norm3d_with(int64_t features, const gn_batch_norm_options *options) {
    return batch_norm(&batch_classes[2], features, options);
}

static gn_module *instance_norm(const gn_module_class *type, int64_t features,
                                const gn_instance_norm_options *options) {
    gn_instance_norm_options o;
    gn__options(&o, sizeof o, options);
    running_norm *self = make(type, features, o.affine, !o.no_bias, o.track_running_stats);
    if (self == NULL)
        return NULL;
    self->eps = gn_or(o.eps, 1e-5);
    self->momentum = gn_or(o.momentum, 0.1);
    return &self->base;
}

gn_module *gn_nn_instance_norm1d_with(int64_t features, const gn_instance_norm_options *options) {
    return instance_norm(&instance_classes[0], features, options);
}

gn_module *gn_nn_instance_norm2d_with(int64_t features, const gn_instance_norm_options *options) {
    return instance_norm(&instance_classes[1], features, options);
}

gn_module *gn_nn_instance_norm3d_with(int64_t features, const gn_instance_norm_options *options) {
    return instance_norm(&instance_classes[2], features, options);
}
