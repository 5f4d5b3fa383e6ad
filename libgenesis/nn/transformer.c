/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transformer.c - layers, stacks of layers, and the transformer of both. A layer is a row of
 * sublayers f, each with a residual connection: norm(x + f(x)), or x + f(norm(x)) with norm_first.
 */
#include <math.h>

#include <genesis/transformer.h>

#include "typed.h"

/* ---- Layers */

enum { MAX_SUBLAYERS = 3 };

typedef struct layer {
    gn_module base;
    bool norm_first;
    gn_tensor *(*activation)(gn_tensor *);
    gn_module *self_attn, *multihead_attn; /* the latter of decoder layers only */
    gn_module *linear1, *dropout, *linear2;
    gn_module *norm[MAX_SUBLAYERS], *drop[MAX_SUBLAYERS]; /* of each sublayer */
} layer;

/* What a layer sees besides its input. */
typedef struct surroundings {
    gn_tensor *memory; /* NULL: an encoder */
    gn_tensor *mask, *padding, *memory_mask, *memory_padding;
    bool causal, memory_causal;
} surroundings;

static gn_tensor *attend_itself(layer *self, gn_tensor *x, const surroundings *s) {
    return gn_multihead_attention_forward(self->self_attn, x, x, x, NULL, .attn_mask = s->mask,
                                          .key_padding_mask = s->padding, .causal = s->causal);
}

static gn_tensor *attend_memory(layer *self, gn_tensor *x, const surroundings *s) {
    return gn_multihead_attention_forward(
        self->multihead_attn, x, s->memory, s->memory, NULL, .attn_mask = s->memory_mask,
        .key_padding_mask = s->memory_padding, .causal = s->memory_causal);
}

static gn_tensor *feed_forward(layer *self, gn_tensor *x, const surroundings *s) {
    (void)s;
    x = self->activation(gn_forward(self->linear1, x));
    return gn_forward(self->linear2, gn_forward(self->dropout, x));
}

typedef gn_tensor *sublayer(layer *self, gn_tensor *x, const surroundings *s);

/* Sublayer i with its residual connection, in a scope of its own. */
static gn_tensor *residual(layer *self, int i, sublayer *f, gn_tensor *x, const surroundings *s) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *in = self->norm_first ? gn_forward(self->norm[i], x) : x;
    gn_tensor *sum = gn_add(x, gn_forward(self->drop[i], f(self, in, s)));
    return gn_scope_end_with(scope, self->norm_first ? sum : gn_forward(self->norm[i], sum));
}

static gn_tensor *run_layer(gn_module *module, gn_tensor *x, void *context) {
    layer *self = (layer *)module;
    const surroundings *s = context;
    int i = 0;
    x = residual(self, i++, attend_itself, x, s);
    if (self->multihead_attn)
        x = residual(self, i++, attend_memory, x, s);
    return residual(self, i, feed_forward, x, s);
}

/* ---- Stacks */

typedef struct stack {
    gn_module base;
    gn_module *layers, *norm; /* norm: or NULL */
} stack;

static gn_tensor *run_stack(gn_module *module, gn_tensor *x, void *context) {
    stack *self = (stack *)module;
    const gn__entries *layers = &self->layers->state->children;
    gn_tensor *y = gn_retain(x);
    for (size_t i = 0; i < layers->n && y; i++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *next = gn_retain(gn__module_run(layers->entry[i].object, y, run_layer, context));
        gn_scope_end(scope);
        gn_release(y);
        y = next;
    }
    y = gn__own(y);
    return y && self->norm ? gn_forward(self->norm, y) : y;
}

/* ---- Classes */

static gn_tensor *forward_layer(gn_module *module, gn_tensor *x) {
    return run_layer(module, x, &(surroundings){0});
}

static gn_tensor *forward_stack(gn_module *module, gn_tensor *x) {
    return run_stack(module, x, &(surroundings){0});
}

static const gn_module_class encoder_layer_class = {
    .name = "TransformerEncoderLayer", .size = sizeof(layer), .forward = forward_layer};
static const gn_module_class decoder_layer_class = {.name = "TransformerDecoderLayer",
                                                    .size = sizeof(layer)};
static const gn_module_class encoder_class = {
    .name = "TransformerEncoder", .size = sizeof(stack), .forward = forward_stack};
static const gn_module_class decoder_class = {.name = "TransformerDecoder", .size = sizeof(stack)};

/* Runs a stack, or a layer alone. */
static gn_tensor *run_either(const char *op, gn_module *module, const gn_module_class *stack_class,
                             const gn_module_class *layer_class, gn_tensor *x, surroundings *s) {
    if (!gn__is_module(op, module))
        return NULL;
    const bool is_layer = module->type == layer_class;
    if (!is_layer && !gn__is_a(op, module, stack_class))
        return NULL;
    return gn__module_run(module, x, is_layer ? run_layer : run_stack, s);
}

gn_tensor *gn_transformer_encoder_forward_with(gn_module *module, gn_tensor *src,
                                               const gn_transformer_masks *masks) {
    static const char op[] = "transformer_encoder_forward";
    gn_transformer_masks m;
    gn__options(&m, sizeof m, masks);
    if (gn__failed() || !gn__given(op, src))
        return NULL;
    surroundings s = {
        .mask = m.src_mask, .padding = m.src_key_padding_mask, .causal = m.src_causal};
    return run_either(op, module, &encoder_class, &encoder_layer_class, src, &s);
}

gn_tensor *gn_transformer_decoder_forward_with(gn_module *module, gn_tensor *tgt, gn_tensor *memory,
                                               const gn_transformer_masks *masks) {
    static const char op[] = "transformer_decoder_forward";
    gn_transformer_masks m;
    gn__options(&m, sizeof m, masks);
    if (gn__failed() || !gn__given(op, tgt) || !gn__given(op, memory))
        return NULL;
    surroundings s = {.memory = memory,
                      .mask = m.tgt_mask,
                      .padding = m.tgt_key_padding_mask,
                      .memory_mask = m.memory_mask,
                      .memory_padding = m.memory_key_padding_mask,
                      .causal = m.tgt_causal,
                      .memory_causal = m.memory_causal};
    return run_either(op, module, &decoder_class, &decoder_layer_class, tgt, &s);
}

/* ---- Making layers and stacks */

static gn_module *layer_norm_new(int64_t d_model, const gn_transformer_layer_options *o) {
    return gn_nn_layer_norm(GN_SHAPE(d_model), .eps = o->layer_norm_eps, .no_bias = o->no_bias);
}

static gn_module *attention_new(int64_t d_model, int64_t nhead,
                                const gn_transformer_layer_options *o) {
    return gn_nn_multihead_attention(d_model, nhead, .dropout = gn_or(o->dropout, 0.1),
                                     .no_bias = o->no_bias, .batch_first = o->batch_first);
}

static gn_module *layer_new(const gn_module_class *type, int64_t d_model, int64_t nhead,
                            const gn_transformer_layer_options *options) {
    gn_transformer_layer_options o;
    gn__options(&o, sizeof o, options);
    static const char *const norms[] = {"norm1", "norm2", "norm3"}, *const drops[] = {"dropout1",
                                                                                      "dropout2",
                                                                                      "dropout3"};
    const int sublayers = type == &decoder_layer_class ? 3 : 2;
    const int64_t inner = o.dim_feedforward ? o.dim_feedforward : 2048;
    const double p = gn_or(o.dropout, 0.1);
    layer *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->norm_first = o.norm_first;
    self->activation = o.activation ? o.activation : gn_relu;
    self->self_attn = gn_child(self, "self_attn", attention_new(d_model, nhead, &o));
    if (type == &decoder_layer_class)
        self->multihead_attn = gn_child(self, "multihead_attn", attention_new(d_model, nhead, &o));
    self->linear1 = gn_child(self, "linear1", gn_nn_linear(d_model, inner, .no_bias = o.no_bias));
    self->dropout = gn_child(self, "dropout", gn_nn_dropout(p));
    self->linear2 = gn_child(self, "linear2", gn_nn_linear(inner, d_model, .no_bias = o.no_bias));
    for (int i = 0; i < sublayers; i++)
        self->norm[i] = gn_child(self, norms[i], layer_norm_new(d_model, &o));
    for (int i = 0; i < sublayers; i++)
        self->drop[i] = gn_child(self, drops[i], gn_nn_dropout(p));
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_nn_transformer_encoder_layer_with(int64_t d_model, int64_t nhead,
                                                const gn_transformer_layer_options *options) {
    return layer_new(&encoder_layer_class, d_model, nhead, options);
}

gn_module *gn_nn_transformer_decoder_layer_with(int64_t d_model, int64_t nhead,
                                                const gn_transformer_layer_options *options) {
    return layer_new(&decoder_layer_class, d_model, nhead, options);
}

static gn_module *stack_new(const gn_module_class *type, const gn_module_class *layer_class,
                            const gn_module *one, int64_t n, gn_module *norm) {
    if (!gn__is_a(type->name, one, layer_class))
        return NULL;
    if (n < 0)
        return gn__fail_null(GN_E_ARGUMENT, type->name, "%lld is no number of layers",
                             (long long)n);
    stack *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->layers = gn_child(self, "layers", gn_nn_module_list_n((gn_module_array){0}));
    for (int64_t i = 0; i < n && !gn__failed(); i++)
        gn_append(self->layers, gn_module_clone(one));
    if (norm)
        self->norm = gn_child(self, "norm", norm);
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_nn_transformer_encoder(const gn_module *one, int64_t n, gn_module *norm) {
    return stack_new(&encoder_class, &encoder_layer_class, one, n, norm);
}

gn_module *gn_nn_transformer_decoder(const gn_module *one, int64_t n, gn_module *norm) {
    return stack_new(&decoder_class, &decoder_layer_class, one, n, norm);
}

/* ---- Transformer */

typedef struct transformer {
    gn_module base;
    gn_module *encoder, *decoder;
} transformer;

static const gn_module_class transformer_class = {.name = "Transformer",
                                                  .size = sizeof(transformer)};

typedef struct target {
    gn_tensor *tgt;
    const gn_transformer_masks *masks;
} target;

static gn_tensor *run_transformer(gn_module *module, gn_tensor *src, void *context) {
    transformer *self = (transformer *)module;
    const target *t = context;
    gn_tensor *memory = gn_transformer_encoder_forward_with(self->encoder, src, t->masks);
    return gn_transformer_decoder_forward_with(self->decoder, t->tgt, memory, t->masks);
}

gn_tensor *gn_transformer_forward_with(gn_module *module, gn_tensor *src, gn_tensor *tgt,
                                       const gn_transformer_masks *masks) {
    static const char op[] = "transformer_forward";
    if (!gn__is_a(op, module, &transformer_class) || !gn__given(op, src) || !gn__given(op, tgt))
        return NULL;
    return gn__module_run(module, src, run_transformer, &(target){tgt, masks});
}

static void fill_matrix(const gn__state_place *place, void *context) {
    (void)context;
    if (!place->buffer && place->tensor->n_dims > 1)
        gn_init_xavier_uniform_(place->tensor);
}

static gn_module *encoder_new(int64_t d_model, int64_t nhead, const gn_transformer_options *o) {
    if (o->custom_encoder)
        return gn__is_a("Transformer", o->custom_encoder, &encoder_class) ? o->custom_encoder
                                                                          : NULL;
    return gn_nn_transformer_encoder(layer_new(&encoder_layer_class, d_model, nhead, &o->layer),
                                     gn__to_int(gn_or(o->num_encoder_layers, 6)),
                                     layer_norm_new(d_model, &o->layer));
}

static gn_module *decoder_new(int64_t d_model, int64_t nhead, const gn_transformer_options *o) {
    if (o->custom_decoder)
        return gn__is_a("Transformer", o->custom_decoder, &decoder_class) ? o->custom_decoder
                                                                          : NULL;
    return gn_nn_transformer_decoder(layer_new(&decoder_layer_class, d_model, nhead, &o->layer),
                                     gn__to_int(gn_or(o->num_decoder_layers, 6)),
                                     layer_norm_new(d_model, &o->layer));
}

gn_module *gn_nn_transformer_with(int64_t d_model, int64_t nhead,
                                  const gn_transformer_options *options) {
    gn_transformer_options o;
    gn__options(&o, sizeof o, options);
    o.layer.struct_size = sizeof o.layer;
    transformer *self = gn_module_new(&transformer_class);
    if (self == NULL)
        return NULL;
    self->encoder = gn_child(self, "encoder", encoder_new(d_model, nhead, &o));
    self->decoder = gn_child(self, "decoder", decoder_new(d_model, nhead, &o));
    gn__state_walk(&self->base, &gn__all_once, fill_matrix, NULL);
    return gn__failed() ? NULL : &self->base;
}

gn_tensor *gn_generate_square_subsequent_mask(int64_t n, const gn_tensor_options *options) {
    gn_tensor *hidden = gn_full(GN_SHAPE(n, n), -INFINITY, options);
    return gn_triu(hidden, 1);
}
