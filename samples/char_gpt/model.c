/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - blocks of causal attention and a perceptron, each normalised before and added to what
 * goes past it (GPT-2, Radford et al. 2019). */
#include "model.h"

/* ---- A block */

typedef struct block {
    gn_module base;
    gn_module *norm1, *qkv, *mix; /* attention */
    gn_module *norm2, *up, *down; /* perceptron */
    gn_module *drop;
    int64_t heads;
} block;

static const gn_module_class block_class = {.name = "Block", .size = sizeof(block)};

static gn_module *block_new(const gpt_sizes *sizes, double dropout) {
    const int64_t width = sizes->width;
    block *self = gn_module_new(&block_class);
    if (self == NULL)
        return NULL;
    self->norm1 = gn_child(self, "norm1", gn_nn_layer_norm(GN_SHAPE(width)));
    self->qkv = gn_child(self, "qkv", gn_nn_linear(width, 3 * width));
    self->mix = gn_child(self, "mix", gn_nn_linear(width, width));
    self->norm2 = gn_child(self, "norm2", gn_nn_layer_norm(GN_SHAPE(width)));
    self->up = gn_child(self, "up", gn_nn_linear(width, 4 * width));
    self->down = gn_child(self, "down", gn_nn_linear(4 * width, width));
    self->drop = gn_child(self, "drop", gn_nn_dropout(dropout));
    self->heads = sizes->heads;
    return &self->base;
}

/* (N, T, width) -> (N, heads, T, width / heads) */
static gn_tensor *split_heads(const block *self, gn_tensor *x) {
    const int64_t width = gn_size(x, 2);
    x = gn_reshape(x, gn_size(x, 0), gn_size(x, 1), self->heads, width / self->heads);
    return gn_transpose(x, 1, 2);
}

/* Each character looks at those before it and itself. x (N, T, width), cache or NULL */
static gn_tensor *attend(block *self, gn_tensor *x, gn_kv_cache *cache) {
    gn_tensor *part[3] = {NULL};
    gn_chunk(gn_forward(self->qkv, x), 3, -1, part, 3);
    gn_tensor *q = split_heads(self, part[0]), *k = split_heads(self, part[1]),
              *v = split_heads(self, part[2]);
    const int64_t position = cache ? gn_kv_cache_length(cache) : 0;
    if (cache)
        gn_kv_cache_append(cache, k, v, &k, &v);
    x = gn_scaled_dot_product_attention(q, k, v, .causal = true, .position = position);
    return gn_forward(self->mix, gn_flatten(gn_transpose(x, 1, 2), 2));
}

static gn_tensor *block_run(block *self, gn_tensor *x, gn_kv_cache *cache) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = attend(self, gn_forward(self->norm1, x), cache);
    x = gn_add(x, gn_forward(self->drop, y));
    y = gn_gelu(gn_forward(self->up, gn_forward(self->norm2, x)));
    x = gn_add(x, gn_forward(self->drop, gn_forward(self->down, y)));
    return gn_scope_end_with(scope, x);
}

/* ---- The model */

typedef struct gpt {
    gn_module base;
    gn_module *characters, *places, *drop, *blocks, *norm, *head;
} gpt;

static const gn_module_class gpt_class = {.name = "GPT", .size = sizeof(gpt)};

gn_module *gpt_new(const gpt_sizes *sizes, double dropout) {
    gpt *self = gn_module_new(&gpt_class);
    if (self == NULL)
        return NULL;
    const int64_t characters = sizes->characters, width = sizes->width;
    self->characters = gn_child(self, "characters", gn_nn_embedding(characters, width));
    self->places = gn_child(self, "places", gn_nn_embedding(sizes->context, width));
    self->drop = gn_child(self, "drop", gn_nn_dropout(dropout));
    self->blocks = gn_child(self, "blocks", gn_nn_module_list(block_new(sizes, dropout)));
    for (int64_t i = 1; i < sizes->layers && gn_error_status() == GN_OK; i++)
        gn_append(self->blocks, block_new(sizes, dropout));
    self->norm = gn_child(self, "norm", gn_nn_layer_norm(GN_SHAPE(width)));
    self->head = gn_child(self, "head", gn_nn_linear(width, characters, .no_bias = true));
    /* What a character is as an input, it is as an output, too. */
    gn_set_parameter(&self->base, "head.weight",
                     gn_get_parameter(&self->base, "characters.weight"));
    gn_init_weights(&self->base, "normal");
    return gn_error_status() == GN_OK ? &self->base : NULL;
}

gn_tensor *gpt_forward(gn_module *model, gn_tensor *ids, gn_kv_cache **caches) {
    gpt *self = (gpt *)model;
    gn_scope scope = gn_scope_begin();
    const int64_t first = caches ? gn_kv_cache_length(caches[0]) : 0;
    gn_tensor *places = gn_arange((double)first, (double)(first + gn_size(ids, 1)), 1, NULL);
    gn_tensor *x = gn_add(gn_forward(self->characters, ids), gn_forward(self->places, places));
    x = gn_forward(self->drop, x);
    for (int64_t i = 0; i < gn_length(self->blocks) && x; i++)
        x = block_run((block *)gn_at(self->blocks, i), x, caches ? caches[i] : NULL);
    return gn_scope_end_with(scope, gn_forward(self->head, gn_forward(self->norm, x)));
}
