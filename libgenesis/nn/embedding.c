/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding.c - Embedding and EmbeddingBag.
 */
#include <stdio.h>

#include "../ops/embedding.h"
#include "typed.h"

typedef struct embedding {
    gn_module base;
    gn_embedding_bag_options options; /* Embedding: without what only bags have */
    gn_tensor *weight;
} embedding;

/* ---- Running */

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    const embedding *self = (const embedding *)module;
    const gn_embedding_bag_options *o = &self->options;
    return gn_embedding(x, self->weight, .padding_idx = o->padding_idx, .max_norm = o->max_norm,
                        .norm_type = o->norm_type, .scale_grad_by_freq = o->scale_grad_by_freq);
}

static gn_tensor *forward_bag(gn_module *module, gn_tensor *x) {
    const embedding *self = (const embedding *)module;
    return gn_embedding_bag_with(x, self->weight, &self->options);
}

typedef struct bag_call {
    gn_tensor *offsets, *per_sample_weights;
} bag_call;

static gn_tensor *run_bag(gn_module *module, gn_tensor *x, void *context) {
    const embedding *self = (const embedding *)module;
    const bag_call *call = context;
    gn_embedding_bag_options o = self->options;
    o.offsets = call->offsets;
    o.per_sample_weights = call->per_sample_weights;
    return gn_embedding_bag_with(x, self->weight, &o);
}

/* ---- As text, like PyTorch */

static void describe(const gn_module *module, char *text, size_t bytes) {
    static const char *const modes[] = {
        [GN_BAG_MEAN] = "mean", [GN_BAG_SUM] = "sum", [GN_BAG_MAX] = "max"};
    const embedding *self = (const embedding *)module;
    const gn_embedding_bag_options *o = &self->options;
    const bool bag = module->type->forward == forward_bag;
    char padding[48] = "";
    if (o->padding_idx.given)
        snprintf(padding, sizeof padding, ", padding_idx=%.0f", o->padding_idx.value);
    snprintf(text, bytes, "%lld, %lld%s", (long long)self->weight->size[0],
             (long long)self->weight->size[1], bag ? "" : padding);
    if (o->max_norm.given)
        gn__describe_add(text, bytes, ", max_norm=%g", o->max_norm.value);
    if (gn_or(o->norm_type, 2) != 2)
        gn__describe_add(text, bytes, ", norm_type=%g", o->norm_type.value);
    if (o->scale_grad_by_freq)
        gn__describe_add(text, bytes, ", scale_grad_by_freq=True");
    if (bag)
        gn__describe_add(text, bytes, ", mode='%s'%s", modes[o->mode], padding);
}

static const gn_module_class embedding_class = {
    .name = "Embedding", .size = sizeof(embedding), .forward = forward, .describe = describe};
static const gn_module_class bag_class = {.name = "EmbeddingBag",
                                          .size = sizeof(embedding),
                                          .forward = forward_bag,
                                          .describe = describe};

gn_tensor *gn_embedding_bag_forward(gn_module *module, gn_tensor *indices, gn_tensor *offsets,
                                    gn_tensor *per_sample_weights) {
    bag_call call = {offsets, per_sample_weights};
    return gn__is_a("embedding_bag_forward", module, &bag_class)
               ? gn__module_run(module, indices, run_bag, &call)
               : NULL;
}

/* ---- Making */

/* What Embedding has of the options of bags. */
static gn_embedding_bag_options bag_options(const gn_embedding_options *options) {
    gn_embedding_options o;
    gn__options(&o, sizeof o, options);
    return (gn_embedding_bag_options){.struct_size = sizeof(gn_embedding_bag_options),
                                      .padding_idx = o.padding_idx,
                                      .max_norm = o.max_norm,
                                      .norm_type = o.norm_type,
                                      .scale_grad_by_freq = o.scale_grad_by_freq,
                                      .no_freeze = o.no_freeze};
}

static bool check(const gn_module_class *type, int64_t count, const gn_embedding_bag_options *o,
                  int64_t *padding) {
    if (gn__failed() || !gn__embedding_padding(type->name, o->padding_idx, count, padding))
        return false;
    if (o->offsets || o->per_sample_weights)
        gn_fail(GN_E_ARGUMENT, type->name,
                "a module has no offsets and weights of its own: gn_embedding_bag_forward");
    else if (o->mode < GN_BAG_MEAN || o->mode > GN_BAG_MAX)
        gn_fail(GN_E_ARGUMENT, type->name, "there is no mode %d", (int)o->mode);
    return !gn__failed();
}

static gn_module *make(const gn_module_class *type, gn_tensor *weight, bool freeze,
                       const gn_embedding_bag_options *o, int64_t padding) {
    embedding *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->options = *o;
    self->options.struct_size = sizeof self->options;
    if (padding >= 0)
        self->options.padding_idx = gn_some((double)padding);
    self->weight = gn_parameter(self, "weight", weight);
    if (self->weight && freeze)
        gn_requires_grad_(self->weight, false);
    return gn__failed() ? NULL : &self->base;
}

/* weight ~ N(0, 1), 0 in the row of padding */
static gn_module *initialised(const gn_module_class *type, int64_t count, int64_t dim,
                              const gn_embedding_bag_options *o) {
    int64_t padding;
    if (!check(type, count, o, &padding))
        return NULL;
    gn_tensor *weight = gn_randn(count, dim);
    if (weight && padding >= 0)
        gn_zero_(gn_select(weight, 0, padding));
    return gn__failed() ? NULL : make(type, weight, false, o, padding);
}

static gn_module *pretrained(const gn_module_class *type, gn_tensor *weight,
                             const gn_embedding_bag_options *o) {
    int64_t padding;
    if (gn__failed() || !gn__given(type->name, weight))
        return NULL;
    if (weight->n_dims != 2)
        return gn__fail_null(GN_E_ARGUMENT, type->name, "weight %s must be (V, D)",
                             gn__shape_of(weight));
    if (!check(type, weight->size[0], o, &padding))
        return NULL;
    weight = gn_detach(weight);
    return weight ? make(type, weight, !o->no_freeze, o, padding) : NULL;
}

gn_module *gn_nn_embedding_with(int64_t count, int64_t dim, const gn_embedding_options *options) {
    const gn_embedding_bag_options o = bag_options(options);
    return initialised(&embedding_class, count, dim, &o);
}

gn_module *gn_nn_embedding_from_pretrained_with(gn_tensor *weight,
                                                const gn_embedding_options *options) {
    const gn_embedding_bag_options o = bag_options(options);
    return pretrained(&embedding_class, weight, &o);
}

gn_module *gn_nn_embedding_bag_with(int64_t count, int64_t dim,
                                    const gn_embedding_bag_options *options) {
    gn_embedding_bag_options o;
    gn__options(&o, sizeof o, options);
    return initialised(&bag_class, count, dim, &o);
}

gn_module *gn_nn_embedding_bag_from_pretrained_with(gn_tensor *weight,
                                                    const gn_embedding_bag_options *options) {
    gn_embedding_bag_options o;
    gn__options(&o, sizeof o, options);
    return pretrained(&bag_class, weight, &o);
}
