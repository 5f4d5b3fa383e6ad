/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transformer.h - MultiheadAttention, the layers of transformers, and what today's language models
 * put in them: rotary positions, SwiGLU, caches of keys and values.
 *
 * Modules that take more than one tensor have a function of their own beside gn_forward. Sequences
 * are (L, N, E): length, batch, embedding; (N, L, E) with batch_first; (L, E) without a batch.
 */
#ifndef GENESIS_TRANSFORMER_H
#define GENESIS_TRANSFORMER_H

#include <genesis/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- MultiheadAttention */

typedef struct gn_multihead_attention_options {
    size_t struct_size;
    double dropout; /* of the weights, in training; 0 */
    bool no_bias, add_bias_kv, add_zero_attn, batch_first;
    int64_t kdim, vdim; /* embed_dim */
} gn_multihead_attention_options;

/* Parameters in_proj_weight (3 E, E), or q_, k_, v_proj_weight (E, E), (E, kdim), (E, vdim) where
 * kdim or vdim differ from embed_dim; in_proj_bias (3 E), out_proj.weight (E, E), out_proj.bias (E),
 * bias_k and bias_v (1, 1, E). gn_forward(m, x) is self-attention. There is one kind only: it runs
 * the fused kernel of the backend wherever nobody asks for the weights. */
#define gn_nn_multihead_attention(...)                                                             \
    GN_CALL2(gn_nn_multihead_attention_with, gn_multihead_attention_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_multihead_attention_with(int64_t embed_dim, int64_t num_heads,
                                                 const gn_multihead_attention_options *options);

/* Masks hide where a bool is true (the opposite of gn_scaled_dot_product_attention), or are added. */
typedef struct gn_multihead_attention_call {
    size_t struct_size;
    gn_tensor *attn_mask;        /* (L, S) or (N heads, L, S) */
    gn_tensor *key_padding_mask; /* (N, S); (S) without a batch */
    bool causal;                 /* position i sees positions 0 .. i; needs no mask */
    bool per_head_weights;       /* average_attn_weights=False */
} gn_multihead_attention_call;

/* query (L, N, E), key (S, N, kdim), value (S, N, vdim) -> (L, N, E). `weights` (NULL: not wanted)
 * gets the weights after dropout, (N, L, S) averaged over the heads or (N, heads, L, S). Rows that
 * see nothing are 0; where weights are asked for NaN, as in PyTorch. */
#define gn_multihead_attention_forward(...) gn_multihead_attention_forward_(__VA_ARGS__, )
#define gn_multihead_attention_forward_(module, query, key, value, weights, ...)                   \
    gn_multihead_attention_forward_with(module, query, key, value, weights,                        \
                                        GN_OPTIONS(gn_multihead_attention_call, __VA_ARGS__))
GN_API gn_tensor *gn_multihead_attention_forward_with(gn_module *module, gn_tensor *query,
                                                      gn_tensor *key, gn_tensor *value,
                                                      gn_tensor **weights,
                                                      const gn_multihead_attention_call *options);

/* ---- Transformers: "Attention Is All You Need", and its pre-norm variant */

typedef struct gn_transformer_layer_options {
    size_t struct_size;
    int64_t dim_feedforward;               /* 2048 */
    gn_optional dropout;                   /* 0.1 */
    gn_tensor *(*activation)(gn_tensor *); /* gn_relu; gn_gelu, .. */
    gn_optional layer_norm_eps;            /* 1e-5 */
    bool batch_first, norm_first, no_bias;
} gn_transformer_layer_options;

/* Children self_attn, (multihead_attn,) linear1, linear2, norm1, norm2(, norm3). */
#define gn_nn_transformer_encoder_layer(...)                                                       \
    GN_CALL2(gn_nn_transformer_encoder_layer_with, gn_transformer_layer_options, __VA_ARGS__, )
#define gn_nn_transformer_decoder_layer(...)                                                       \
    GN_CALL2(gn_nn_transformer_decoder_layer_with, gn_transformer_layer_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_transformer_encoder_layer_with(int64_t d_model, int64_t nhead,
                                                       const gn_transformer_layer_options *options);
GN_API gn_module *gn_nn_transformer_decoder_layer_with(int64_t d_model, int64_t nhead,
                                                       const gn_transformer_layer_options *options);

/* `n` copies of the layer, with its values, and `norm` (NULL: none) behind them: children
 * layers.0, .., norm. */
GN_API gn_module *gn_nn_transformer_encoder(const gn_module *layer, int64_t n, gn_module *norm);
GN_API gn_module *gn_nn_transformer_decoder(const gn_module *layer, int64_t n, gn_module *norm);

typedef struct gn_transformer_options {
    size_t struct_size;
    gn_optional num_encoder_layers, num_decoder_layers; /* 6 */
    gn_module *custom_encoder, *custom_decoder; /* a TransformerEncoder, a Decoder instead */
    gn_transformer_layer_options layer;         /* .layer = {.dim_feedforward = 512} */
} gn_transformer_options;

/* Children encoder, decoder, each with a norm at its end; matrices are Xavier uniform. */
#define gn_nn_transformer(...)                                                                     \
    GN_CALL2(gn_nn_transformer_with, gn_transformer_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_transformer_with(int64_t d_model, int64_t nhead,
                                         const gn_transformer_options *options);

/* Masks of a call, as those of MultiheadAttention: of the source on itself, of the target on itself,
 * of the target on the memory. */
typedef struct gn_transformer_masks {
    size_t struct_size;
    gn_tensor *src_mask, *tgt_mask, *memory_mask;
    gn_tensor *src_key_padding_mask, *tgt_key_padding_mask, *memory_key_padding_mask;
    bool src_causal, tgt_causal, memory_causal; /* src_is_causal, .. */
} gn_transformer_masks;

/* src (S, N, E) -> (S, N, E), of a TransformerEncoder or an encoder layer; uses src_*. */
#define gn_transformer_encoder_forward(...)                                                        \
    GN_CALL2(gn_transformer_encoder_forward_with, gn_transformer_masks, __VA_ARGS__, )
GN_API gn_tensor *gn_transformer_encoder_forward_with(gn_module *module, gn_tensor *src,
                                                      const gn_transformer_masks *masks);
/* tgt (T, N, E), memory (S, N, E) -> (T, N, E), of a TransformerDecoder or a decoder layer. */
#define gn_transformer_decoder_forward(...)                                                        \
    GN_CALL3(gn_transformer_decoder_forward_with, gn_transformer_masks, __VA_ARGS__, )
GN_API gn_tensor *gn_transformer_decoder_forward_with(gn_module *module, gn_tensor *tgt,
                                                      gn_tensor *memory,
                                                      const gn_transformer_masks *masks);
/* src (S, N, E), tgt (T, N, E) -> (T, N, E) */
#define gn_transformer_forward(...)                                                                \
    GN_CALL3(gn_transformer_forward_with, gn_transformer_masks, __VA_ARGS__, )
GN_API gn_tensor *gn_transformer_forward_with(gn_module *module, gn_tensor *src, gn_tensor *tgt,
                                              const gn_transformer_masks *masks);

/* (n, n): 0 on and below the diagonal, -inf above it. float32 by default. */
GN_API gn_tensor *gn_generate_square_subsequent_mask(int64_t n, const gn_tensor_options *options);

/* ---- Blocks */

/* fn(x) + x; child fn. */
GN_API gn_module *gn_nn_residual(gn_module *fn);

typedef struct gn_swiglu_options {
    size_t struct_size;
    gn_optional dropout; /* 0.1 */
} gn_swiglu_options;
/* dropout(down(silu(gate x) up x))   (*, dim) -> (*, dim); gate.weight and up.weight (hidden, dim),
 * down.weight (dim, hidden), without biases. */
#define gn_nn_feed_forward_swiglu(...)                                                             \
    GN_CALL2(gn_nn_feed_forward_swiglu_with, gn_swiglu_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_feed_forward_swiglu_with(int64_t dim, int64_t hidden_dim,
                                                 const gn_swiglu_options *options);

/* ---- Rotary positions: element i of the first half of a vector and that of the second half are
 * turned by the angle position base^(-2 i / dim) */

typedef struct gn_rotary_options {
    size_t struct_size;
    int64_t max_position_embeddings; /* 2048 */
    gn_optional base;                /* 10000 */
} gn_rotary_options;
/* Buffers inv_freq (dim / 2), cos_cached and sin_cached (1, 1, max_position_embeddings, dim); dim is
 * even. gn_forward(m, x) turns x (.., T, dim) at positions 0 .. T - 1. */
#define gn_nn_rotary_embedding(...)                                                                \
    GN_CALL1(gn_nn_rotary_embedding_with, gn_rotary_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_rotary_embedding_with(int64_t dim, const gn_rotary_options *options);

/* The same at positions position .. position + T - 1, for decoding. An error beyond the tables. */
GN_API gn_tensor *gn_rotary_embedding_forward(gn_module *module, gn_tensor *x, int64_t position);
/* The tables of `length` positions, (1, 1, length, dim): views, borrowing nothing. */
GN_API gn_status gn_rotary_embedding_tables(gn_module *module, int64_t position, int64_t length,
                                            gn_tensor **cos, gn_tensor **sin);
/* x cos + (-x2, x1) sin, x1 and x2 the halves of x (.., T, dim); cos and sin broadcast to x and are
 * constants. */
GN_API gn_tensor *gn_apply_rotary(gn_tensor *x, gn_tensor *cos, gn_tensor *sin);

/* ---- Keys and values of the positions so far, for decoding step by step:
 *
 *     int64_t position = gn_kv_cache_length(cache);
 *     q = gn_rotary_embedding_forward(rotary, q, position), and k likewise;
 *     gn_kv_cache_append(cache, k, v, &k, &v);
 *     y = gn_scaled_dot_product_attention(q, k, v, .causal = true, .position = position);
 */

typedef struct gn_kv_cache gn_kv_cache;

/* Room for so many positions; memory is taken at the first append. Owned by the scope. */
GN_API gn_kv_cache *gn_kv_cache_new(int64_t max_length);
GN_API int64_t gn_kv_cache_length(const gn_kv_cache *cache);
/* Copies k (.., T, D) and v (.., T, E) behind what is there. all_k, all_v get views of everything so
 * far. Nothing is recorded: keys that require gradients are an error. */
GN_API gn_status gn_kv_cache_append(gn_kv_cache *cache, gn_tensor *k, gn_tensor *v,
                                    gn_tensor **all_k, gn_tensor **all_v);
/* Forgets all but the first `length` positions, whose memory is used again. */
GN_API gn_status gn_kv_cache_truncate(gn_kv_cache *cache, int64_t length);

#ifdef __cplusplus
}
#endif
#endif
