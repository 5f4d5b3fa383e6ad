/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss.c - losses as modules, for gn_loss and gn_invoke. A weight is a buffer, so that it moves with
 * the module.
 */
#include "module.h"

typedef struct criterion {
    gn_module base;
    gn_loss_options options; /* without the tensors */
    gn_tensor *weight, *pos_weight;
} criterion;

typedef struct kind {
    gn_module_class base;
    gn_tensor *(*of_two)(gn_tensor *input, gn_tensor *target, const gn_loss_options *options);
    gn_tensor *(*of_three)(gn_tensor *a, gn_tensor *b, gn_tensor *c,
                           const gn_loss_options *options);
} kind;

/* The options of a call, with the tensors that the module holds. */
static gn_loss_options options_of(const gn_module *module) {
    const criterion *self = (const criterion *)module;
    gn_loss_options o = self->options;
    o.weight = self->weight;
    o.pos_weight = self->pos_weight;
    return o;
}

static gn_tensor *loss(gn_module *module, gn_tensor *input, gn_tensor *target) {
    const gn_loss_options options = options_of(module);
    return ((const kind *)module->type)->of_two(input, target, &options);
}

static gn_tensor *invoke(gn_module *module, gn_tensor *const *inputs) {
    const gn_loss_options options = options_of(module);
    return ((const kind *)module->type)->of_three(inputs[0], inputs[1], inputs[2], &options);
}

static gn_module *make(const kind *type, const gn_loss_options *options) {
    criterion *self = gn_module_new(&type->base);
    if (self == NULL)
        return NULL;
    gn__options(&self->options, sizeof self->options, options);
    self->options.struct_size = sizeof self->options;
    if (!gn__check_reduction(type->base.name, self->options.reduction))
        return NULL;
    if (self->options.weight)
        self->weight = gn_buffer(self, "weight", self->options.weight, true);
    if (self->options.pos_weight)
        self->pos_weight = gn_buffer(self, "pos_weight", self->options.pos_weight, true);
    self->options.weight = self->options.pos_weight = NULL;
    return gn__failed() ? NULL : &self->base;
}

/* LOSS(name, function that makes it, function that it is) */
#define LOSSES_OF_TWO(LOSS)                                                                        \
    LOSS("CrossEntropyLoss", gn_nn_cross_entropy_loss_with, gn_cross_entropy_with)                 \
    LOSS("NLLLoss", gn_nn_nll_loss_with, gn_nll_loss_with)                                         \
    LOSS("MSELoss", gn_nn_mse_loss_with, gn_mse_loss_with)                                         \
    LOSS("L1Loss", gn_nn_l1_loss_with, gn_l1_loss_with)                                            \
    LOSS("SmoothL1Loss", gn_nn_smooth_l1_loss_with, gn_smooth_l1_loss_with)                        \
    LOSS("HuberLoss", gn_nn_huber_loss_with, gn_huber_loss_with)                                   \
    LOSS("BCELoss", gn_nn_bce_loss_with, gn_bce_loss_with)                                         \
    LOSS("BCEWithLogitsLoss", gn_nn_bce_with_logits_loss_with, gn_bce_with_logits_with)            \
    LOSS("KLDivLoss", gn_nn_kl_div_loss_with, gn_kl_div_with)                                      \
    LOSS("PoissonNLLLoss", gn_nn_poisson_nll_loss_with, gn_poisson_nll_loss_with)                  \
    LOSS("SoftMarginLoss", gn_nn_soft_margin_loss_with, gn_soft_margin_loss_with)                  \
    LOSS("HingeEmbeddingLoss", gn_nn_hinge_embedding_loss_with, gn_hinge_embedding_loss_with)      \
    LOSS("MultiLabelSoftMarginLoss", gn_nn_multilabel_soft_margin_loss_with,                       \
         gn_multilabel_soft_margin_loss_with)                                                      \
    LOSS("MultiMarginLoss", gn_nn_multi_margin_loss_with, gn_multi_margin_loss_with)               \
    LOSS("MultiLabelMarginLoss", gn_nn_multilabel_margin_loss_with, gn_multilabel_margin_loss_with)
#define LOSSES_OF_THREE(LOSS)                                                                      \
    LOSS("GaussianNLLLoss", gn_nn_gaussian_nll_loss_with, gn_gaussian_nll_loss_with)               \
    LOSS("MarginRankingLoss", gn_nn_margin_ranking_loss_with, gn_margin_ranking_loss_with)         \
    LOSS("CosineEmbeddingLoss", gn_nn_cosine_embedding_loss_with, gn_cosine_embedding_loss_with)   \
    LOSS("TripletMarginLoss", gn_nn_triplet_margin_loss_with, gn_triplet_margin_loss_with)

#define LOSS_OF_TWO(title, constructor, function)                                                  \
    gn_module *constructor(const gn_loss_options *options) {                                       \
        static const kind type = {                                                                 \
            .base = {.name = title, .size = sizeof(criterion), .loss = loss}, .of_two = function}; \
        return make(&type, options);                                                               \
    }
#define LOSS_OF_THREE(title, constructor, function)                                                \
    gn_module *constructor(const gn_loss_options *options) {                                       \
        static const kind type = {                                                                 \
            .base = {.name = title, .size = sizeof(criterion), .inputs = 3, .invoke = invoke},     \
            .of_three = function};                                                                 \
        return make(&type, options);                                                               \
    }
LOSSES_OF_TWO(LOSS_OF_TWO)
LOSSES_OF_THREE(LOSS_OF_THREE)

/* ---- SoftmaxLoss, which has no options */

static gn_tensor *softmax_loss(gn_module *self, gn_tensor *input, gn_tensor *target) {
    return (void)self, gn_softmax_loss(input, target);
}

static const gn_module_class softmax_loss_class = {
    .name = "SoftmaxLoss", .size = sizeof(gn_module), .loss = softmax_loss};

gn_module *gn_nn_softmax_loss(void) { return gn_module_new(&softmax_loss_class); }
