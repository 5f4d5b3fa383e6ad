/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout.c - Dropout, Dropout1d, 2d, 3d, AlphaDropout, FeatureAlphaDropout.
 */
#include <stdio.h>

#include "module.h"

typedef struct dropout {
    gn_module base;
    gn__dropout_kind kind;
    double p;
    bool inplace;
} dropout;

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    dropout *self = (dropout *)module;
    if (self->inplace && module->training)
        return gn__dropout_(self->kind, x, self->p);
    return gn__dropout_of(self->kind, x, self->p, module->training);
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    const dropout *self = (const dropout *)module;
    snprintf(text, bytes, "p=%g, inplace=%s", self->p, self->inplace ? "True" : "False");
}

#define CLASS(title)                                                                               \
    { .name = title, .size = sizeof(dropout), .forward = forward, .describe = describe }
static const gn_module_class classes[] = {
    [GN__DROPOUT] = CLASS("Dropout"),
    [GN__DROPOUT_1D] = CLASS("Dropout1d"),
    [GN__DROPOUT_2D] = CLASS("Dropout2d"),
    [GN__DROPOUT_3D] = CLASS("Dropout3d"),
    [GN__ALPHA_DROPOUT] = CLASS("AlphaDropout"),
    [GN__FEATURE_ALPHA_DROPOUT] = CLASS("FeatureAlphaDropout"),
};

static gn_module *make(gn__dropout_kind kind, double p, const gn_dropout_options *options) {
    gn_dropout_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (!(p >= 0 && p <= 1))
        return gn__fail_null(GN_E_ARGUMENT, classes[kind].name,
                             "the probability %g is not between 0 and 1", p);
    dropout *self = gn_module_new(&classes[kind]);
    if (self == NULL)
        return NULL;
    self->kind = kind;
    self->p = p;
    self->inplace = o.inplace;
    return &self->base;
}

gn_module *gn_nn_dropout_with(double p, const gn_dropout_options *options) {
    return make(GN__DROPOUT, p, options);
}

gn_module *gn_nn_dropout1d_with(double p, const gn_dropout_options *options) {
    return make(GN__DROPOUT_1D, p, options);
}

gn_module *gn_nn_dropout2d_with(double p, const gn_dropout_options *options) {
    return make(GN__DROPOUT_2D, p, options);
}

gn_module *gn_nn_dropout3d_with(double p, const gn_dropout_options *options) {
    return make(GN__DROPOUT_3D, p, options);
}

gn_module *gn_nn_alpha_dropout_with(double p, const gn_dropout_options *options) {
    return make(GN__ALPHA_DROPOUT, p, options);
}

gn_module *gn_nn_feature_alpha_dropout_with(double p, const gn_dropout_options *options) {
    return make(GN__FEATURE_ALPHA_DROPOUT, p, options);
}
