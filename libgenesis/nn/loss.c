/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss.c - losses as modules, for gn_loss. A weight is a buffer, so that it moves with the module.
 */
#include "module.h"

typedef struct criterion {
    gn_module base;
    gn_loss_options options; /* without the tensors */
    gn_tensor *weight, *pos_weight;
} criterion;

/* The options of a call, with the tensors that the module holds. */
static gn_loss_options options_of(const gn_module *module) {
    const criterion *self = (const criterion *)module;
    gn_loss_options o = self->options;
    o.weight = self->weight;
    o.pos_weight = self->pos_weight;
    return o;
}

#define LOSS(name, function)                                                                       \
    static gn_tensor *name(gn_module *self, gn_tensor *input, gn_tensor *target) {                 \
        const gn_loss_options options = options_of(self);                                          \
        return function(input, target, &options);                                                  \
    }
LOSS(mse, gn_mse_loss_with)
LOSS(l1, gn_l1_loss_with)
LOSS(cross_entropy, gn_cross_entropy_with)
LOSS(bce, gn_bce_loss_with)
LOSS(bce_with_logits, gn_bce_with_logits_with)
#undef LOSS

enum { MSE, L1, CROSS_ENTROPY, BCE, BCE_WITH_LOGITS };

static const gn_module_class classes[] = {
    [MSE] = {.name = "MSELoss", .size = sizeof(criterion), .loss = mse},
    [L1] = {.name = "L1Loss", .size = sizeof(criterion), .loss = l1},
    [CROSS_ENTROPY] = {.name = "CrossEntropyLoss",
                       .size = sizeof(criterion),
                       .loss = cross_entropy},
    [BCE] = {.name = "BCELoss", .size = sizeof(criterion), .loss = bce},
    [BCE_WITH_LOGITS] = {.name = "BCEWithLogitsLoss",
                         .size = sizeof(criterion),
                         .loss = bce_with_logits},
};

static gn_module *make(int which, const gn_loss_options *options) {
    criterion *self = gn_module_new(&classes[which]);
    if (self == NULL)
        return NULL;
    gn__options(&self->options, sizeof self->options, options);
    self->options.struct_size = sizeof self->options;
    if (!gn__check_reduction(classes[which].name, self->options.reduction))
        return NULL;
    if (self->options.weight)
        self->weight = gn_buffer(self, "weight", self->options.weight, true);
    if (self->options.pos_weight)
        self->pos_weight = gn_buffer(self, "pos_weight", self->options.pos_weight, true);
    self->options.weight = self->options.pos_weight = NULL;
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_nn_mse_loss_with(const gn_loss_options *options) { return make(MSE, options); }
gn_module *gn_nn_l1_loss_with(const gn_loss_options *options) { return make(L1, options); }
gn_module *gn_nn_bce_loss_with(const gn_loss_options *options) { return make(BCE, options); }

gn_module *gn_nn_cross_entropy_loss_with(const gn_loss_options *options) {
    return make(CROSS_ENTROPY, options);
}

gn_module *gn_nn_bce_with_logits_loss_with(const gn_loss_options *options) {
    return make(BCE_WITH_LOGITS, options);
}
