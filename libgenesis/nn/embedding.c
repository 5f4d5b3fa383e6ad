/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding.c - Embedding.
 */
#include <stdio.h>

#include "module.h"

typedef struct embedding {
    gn_module base;
    gn_tensor *weight;
} embedding;

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    return gn_embedding(x, ((embedding *)module)->weight);
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    const gn_tensor *weight = ((const embedding *)module)->weight;
    snprintf(text, bytes, "%lld, %lld", (long long)weight->size[0], (long long)weight->size[1]);
}

static const gn_module_class embedding_class = {
    .name = "Embedding", .size = sizeof(embedding), .forward = forward, .describe = describe};

/* weight ~ N(0, 1) */
gn_module *gn_nn_embedding(int64_t count, int64_t dim) {
    embedding *self = gn_module_new(&embedding_class);
    if (self == NULL)
        return NULL;
    self->weight = gn_parameter(self, "weight", gn_randn(count, dim));
    return gn__failed() ? NULL : &self->base;
}
