/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair.c - modules of two inputs, for gn_invoke: Bilinear, CosineSimilarity, PairwiseDistance.
 */
#include <math.h>
#include <stdio.h>

#include "module.h"

/* ---- Bilinear */

typedef struct bilinear {
    gn_module base;
    int64_t in1, in2, out;
    gn_tensor *weight, *bias;
} bilinear;

static gn_tensor *bilinear_invoke(gn_module *module, gn_tensor *const *inputs) {
    const bilinear *self = (bilinear *)module;
    return gn_bilinear(inputs[0], inputs[1], self->weight, self->bias);
}

static void describe_bilinear(const gn_module *module, char *text, size_t bytes) {
    const bilinear *self = (const bilinear *)module;
    snprintf(text, bytes, "in1_features=%lld, in2_features=%lld, out_features=%lld, bias=%s",
             (long long)self->in1, (long long)self->in2, (long long)self->out,
             self->bias ? "True" : "False");
}

static const gn_module_class bilinear_class = {.name = "Bilinear",
                                               .size = sizeof(bilinear),
                                               .describe = describe_bilinear,
                                               .inputs = 2,
                                               .invoke = bilinear_invoke};

gn_module *gn_nn_bilinear_with(int64_t in1, int64_t in2, int64_t out,
                               const gn_linear_options *options) {
    gn_linear_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (in1 <= 0 || in2 <= 0 || out <= 0)
        return gn__fail_null(GN_E_ARGUMENT, bilinear_class.name,
                             "%lld, %lld -> %lld: all must be positive", (long long)in1,
                             (long long)in2, (long long)out);
    bilinear *self = gn_module_new(&bilinear_class);
    if (self == NULL)
        return NULL;
    const double bound = 1 / sqrt((double)in1);
    self->in1 = in1;
    self->in2 = in2;
    self->out = out;
    self->weight = gn__parameter_uniform(self, "weight", GN_SHAPE(out, in1, in2), bound);
    if (o.no_bias)
        gn__parameter_none(self, "bias", &self->bias);
    else
        self->bias = gn__parameter_uniform(self, "bias", GN_SHAPE(out), bound);
    return gn__failed() ? NULL : &self->base;
}

/* ---- CosineSimilarity */

typedef struct cosine_similarity {
    gn_module base;
    gn_cosine_similarity_options options;
} cosine_similarity;

static gn_tensor *cosine_invoke(gn_module *module, gn_tensor *const *inputs) {
    return gn_cosine_similarity_with(inputs[0], inputs[1], &((cosine_similarity *)module)->options);
}

static const gn_module_class cosine_class = {.name = "CosineSimilarity",
                                             .size = sizeof(cosine_similarity),
                                             .inputs = 2,
                                             .invoke = cosine_invoke};

gn_module *gn_nn_cosine_similarity_with(const gn_cosine_similarity_options *options) {
    cosine_similarity *self = gn_module_new(&cosine_class);
    if (self == NULL)
        return NULL;
    gn__options(&self->options, sizeof self->options, options);
    self->options.struct_size = sizeof self->options;
    return &self->base;
}

/* ---- PairwiseDistance */

typedef struct pairwise_distance {
    gn_module base;
    gn_pairwise_distance_options options;
} pairwise_distance;

static gn_tensor *distance_invoke(gn_module *module, gn_tensor *const *inputs) {
    return gn_pairwise_distance_with(inputs[0], inputs[1], &((pairwise_distance *)module)->options);
}

static const gn_module_class distance_class = {.name = "PairwiseDistance",
                                               .size = sizeof(pairwise_distance),
                                               .inputs = 2,
                                               .invoke = distance_invoke};

gn_module *gn_nn_pairwise_distance_with(const gn_pairwise_distance_options *options) {
    pairwise_distance *self = gn_module_new(&distance_class);
    if (self == NULL)
        return NULL;
    gn__options(&self->options, sizeof self->options, options);
    self->options.struct_size = sizeof self->options;
    return &self->base;
}
