/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - BERT's encoder. The names of its parts are those of the published weights. */
#include "model.h"

enum { SIZE = MINILM_SIZE, LAYERS = 6, HEADS = 12, INNER = 1536, WORDS = 30522, POSITIONS = 512 };

static gn_module *norm_new(void) { return gn_nn_layer_norm(GN_SHAPE(SIZE), .eps = gn_some(1e-12)); }

/* ---- A layer: attention and a perceptron, each added to its input and normalised */

typedef struct layer {
    gn_module base;
    gn_module *query, *key, *value, *mix, *mix_norm; /* attention */
    gn_module *up, *down, *norm;                     /* perceptron */
} layer;

/* (N, T, SIZE) -> (N, HEADS, T, SIZE / HEADS) */
static gn_tensor *heads(gn_tensor *x) {
    return gn_transpose(gn_view(x, gn_size(x, 0), -1, HEADS, SIZE / HEADS), 1, 2);
}

/* x (N, T, SIZE), seen (N, 1, 1, T) */
static gn_tensor *layer_run(layer *self, gn_tensor *x, gn_tensor *seen) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *q = heads(gn_forward(self->query, x)), *k = heads(gn_forward(self->key, x)),
              *v = heads(gn_forward(self->value, x));
    gn_tensor *y = gn_scaled_dot_product_attention(q, k, v, .attn_mask = seen);
    y = gn_forward(self->mix, gn_flatten(gn_transpose(y, 1, 2), 2));
    x = gn_forward(self->mix_norm, gn_add(y, x));
    y = gn_forward(self->down, gn_gelu(gn_forward(self->up, x)));
    return gn_scope_end_with(scope, gn_forward(self->norm, gn_add(y, x)));
}

static const gn_module_class layer_class = {.name = "BertLayer", .size = sizeof(layer)};

static gn_module *layer_new(void) {
    layer *self = gn_module_new(&layer_class);
    if (self == NULL)
        return NULL;
    self->query = gn_nn_linear(SIZE, SIZE);
    self->key = gn_nn_linear(SIZE, SIZE);
    self->value = gn_nn_linear(SIZE, SIZE);
    self->mix = gn_nn_linear(SIZE, SIZE);
    self->mix_norm = norm_new();
    self->up = gn_nn_linear(SIZE, INNER);
    self->down = gn_nn_linear(INNER, SIZE);
    self->norm = norm_new();
    gn_module *attention =
        gn_nn_module_dict({"query", self->query}, {"key", self->key}, {"value", self->value});
    gn_module *mix = gn_nn_module_dict({"dense", self->mix}, {"LayerNorm", self->mix_norm});
    gn_child(self, "attention", gn_nn_module_dict({"self", attention}, {"output", mix}));
    gn_child(self, "intermediate", gn_nn_module_dict({"dense", self->up}));
    gn_child(self, "output", gn_nn_module_dict({"dense", self->down}, {"LayerNorm", self->norm}));
    return &self->base;
}

/* ---- The encoder */

typedef struct bert {
    gn_module base;
    gn_module *words, *positions, *kinds, *norm; /* embeddings; there is one kind of token here */
    gn_module *layers;
} bert;

static const gn_module_class bert_class = {.name = "Bert", .size = sizeof(bert)};

static gn_module *bert_new(void) {
    bert *self = gn_module_new(&bert_class);
    if (self == NULL)
        return NULL;
    self->words = gn_nn_embedding(WORDS, SIZE);
    self->positions = gn_nn_embedding(POSITIONS, SIZE);
    self->kinds = gn_nn_embedding(2, SIZE);
    self->norm = norm_new();
    gn_child(self, "embeddings",
             gn_nn_module_dict({"word_embeddings", self->words},
                               {"position_embeddings", self->positions},
                               {"token_type_embeddings", self->kinds}, {"LayerNorm", self->norm}));
    self->layers = gn_nn_module_list(layer_new());
    for (int i = 1; i < LAYERS; i++)
        gn_append(self->layers, layer_new());
    gn_child(self, "encoder", gn_nn_module_dict({"layer", self->layers}));
    return &self->base;
}

/* (N, T) -> (N, T, SIZE) */
static gn_tensor *embed_tokens(bert *self, gn_tensor *ids) {
    gn_tensor *places = gn_arange(0, (double)gn_size(ids, 1), 1, NULL);
    gn_tensor *x = gn_add(gn_forward(self->words, ids), gn_forward(self->positions, places));
    return gn_forward(self->norm, gn_add(x, gn_forward(self->kinds, gn_zeros_like(ids))));
}

gn_tensor *minilm_embed(gn_module *model, gn_tensor *ids, gn_tensor *seen) {
    bert *self = (bert *)model;
    gn_scope scope = gn_scope_begin();
    gn_tensor *x = embed_tokens(self, ids);
    gn_tensor *mask = gn_view(seen, gn_size(seen, 0), 1, 1, -1);
    for (int i = 0; i < LAYERS && x; i++)
        x = layer_run((layer *)gn_at(self->layers, i), x, mask);
    gn_tensor *counts = gn_unsqueeze(gn_cast(seen, GN_F32), -1); /* (N, T, 1): the mean of words */
    gn_tensor *mean =
        gn_div(gn_sum(gn_mul(x, counts), .dims = GN_DIMS(1)), gn_sum(counts, .dims = GN_DIMS(1)));
    return gn_scope_end_with(scope, gn_div(mean, gn_norm(mean, 2, GN_DIMS(1), true)));
}

gn_module *minilm_load(const char *path) {
    gn_module *model = bert_new();
    gn_dict *missing = NULL; /* the file has a pooler, too, that embeddings make no use of */
    gn_load_state_dict(model, gn_load(path, NULL), .not_strict = true, .missing = &missing);
    if (gn_error_status() == GN_OK && gn_dict_size(missing) > 0)
        gn_fail(GN_E_FORMAT, path, "lacks %s", gn_dict_name(missing, 0));
    return gn_error_status() == GN_OK ? gn_eval(model) : NULL;
}
