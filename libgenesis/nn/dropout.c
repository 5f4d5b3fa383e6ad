/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout.c - modules that drop values in training.
 */
#include <stdio.h>

#include "module.h"

typedef struct dropout {
    gn_module base;
    double p;
    bool inplace;
} dropout;

static gn_tensor *dropout_forward(gn_module *module, gn_tensor *x) {
    dropout *self = (dropout *)module;
    if (self->inplace && module->training)
        return gn__dropout_(x, self->p);
    return gn_dropout(x, self->p, module->training);
}

static void describe_dropout(const gn_module *module, char *text, size_t bytes) {
    const dropout *self = (const dropout *)module;
    snprintf(text, bytes, "p=%g, inplace=%s", self->p, self->inplace ? "True" : "False");
}

static const gn_module_class dropout_class = {.name = "Dropout",
                                              .size = sizeof(dropout),
                                              .forward = dropout_forward,
                                              .describe = describe_dropout};

gn_module *gn_nn_dropout_with(double p, const gn_dropout_options *options) {
    gn_dropout_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (!(p >= 0 && p <= 1))
        return gn__fail_null(GN_E_ARGUMENT, "Dropout", "the probability %g is not between 0 and 1",
                             p);
    dropout *self = gn_module_new(&dropout_class);
    if (self == NULL)
        return NULL;
    self->p = p;
    self->inplace = o.inplace;
    return &self->base;
}
