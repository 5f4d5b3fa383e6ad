/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functional.h - the functions behind the modules of nn.h: linear, convolution, pooling,
 * normalisation, dropout, softmax, embedding, attention. All differentiable. Losses are in losses.h.
 *
 * Shapes: N batch, C channels, L sequence, E embedding, H W spatial; * any leading dims.
 */
#ifndef GENESIS_FUNCTIONAL_H
#define GENESIS_FUNCTIONAL_H

#include <genesis/autograd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = x weight^T + bias   x (*, in), weight (out, in), bias (out) or NULL -> (*, out) */
GN_API gn_tensor *gn_linear(gn_tensor *x, gn_tensor *weight, gn_tensor *bias);
/* y_o = sum_ij a_i weight_oij b_j + bias_o
 * a (*, A), b (*, B), weight (O, A, B), bias (O) or NULL -> (*, O) */
GN_API gn_tensor *gn_bilinear(gn_tensor *a, gn_tensor *b, gn_tensor *weight, gn_tensor *bias);

/* One number for both spatial dims, or one each. 0 stands for the default given at the member. */
typedef struct gn_pair {
    int64_t h, w;
} gn_pair;

typedef struct gn_conv2d_options {
    size_t struct_size;
    int64_t stride, padding, dilation, groups;  /* 1, 0, 1, 1 */
    gn_pair stride_hw, padding_hw, dilation_hw; /* instead, where they differ */
    bool no_bias;                               /* gn_nn_conv2d only */
    gn_pair kernel_hw;                          /* gn_nn_conv2d only: instead of kernel */
} gn_conv2d_options;

/* Cross-correlation, zero padding: x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O) or NULL
 * -> (N, O, Ho, Wo), Ho = floor((H + 2 padding - dilation (kh - 1) - 1) / stride + 1). */
#define gn_conv2d(...) GN_CALL3(gn_conv2d_with, gn_conv2d_options, __VA_ARGS__, )
GN_API gn_tensor *gn_conv2d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                 const gn_conv2d_options *options);

typedef struct gn_pool2d_options {
    size_t struct_size;
    int64_t stride, padding, dilation;        /* kernel, 0, 1 */
    gn_pair kernel_hw, stride_hw, padding_hw; /* instead, where they differ */
    bool ceil_mode, exclude_pad;              /* exclude_pad: count_include_pad=False */
    int64_t divisor;                          /* avg: instead of the window's size */
} gn_pool2d_options;

/* (N, C, H, W) or (C, H, W). max: padding is -inf, the first maximum gets the gradient. */
#define gn_max_pool2d(...) GN_CALL2(gn_max_pool2d_with, gn_pool2d_options, __VA_ARGS__, )
GN_API gn_tensor *gn_max_pool2d_with(gn_tensor *x, int64_t kernel,
                                     const gn_pool2d_options *options);
#define gn_avg_pool2d(...) GN_CALL2(gn_avg_pool2d_with, gn_pool2d_options, __VA_ARGS__, )
GN_API gn_tensor *gn_avg_pool2d_with(gn_tensor *x, int64_t kernel,
                                     const gn_pool2d_options *options);
/* Means over H x W windows such that the result has the given size; -1 keeps a size. */
GN_API gn_tensor *gn_adaptive_avg_pool2d(gn_tensor *x, int64_t height, int64_t width);

typedef struct gn_norm_options {
    size_t struct_size;
    gn_optional eps;      /* 1e-5 */
    gn_optional momentum; /* batch norm: 0.1 */
    bool training;        /* batch norm: use and update the batch's statistics */
} gn_norm_options;

/* y = (x - mean) / sqrt(var + eps) weight + bias, per channel: x (N, C, *). Training: statistics of
 * the batch, and running = (1 - momentum) running + momentum stat, with the unbiased variance.
 * running_*, weight, bias (C) may be NULL. */
#define gn_batch_norm(...) gn_batch_norm_(__VA_ARGS__, )
#define gn_batch_norm_(x, running_mean, running_var, weight, bias, ...)                            \
    gn_batch_norm_with(x, running_mean, running_var, weight, bias,                                 \
                       GN_OPTIONS(gn_norm_options, __VA_ARGS__))
GN_API gn_tensor *gn_batch_norm_with(gn_tensor *x, gn_tensor *running_mean, gn_tensor *running_var,
                                     gn_tensor *weight, gn_tensor *bias,
                                     const gn_norm_options *options);
/* Over the last shape.n dims, whose sizes must be `shape`; weight and bias have it, or are NULL. */
#define gn_layer_norm(...) GN_CALL4(gn_layer_norm_with, gn_norm_options, __VA_ARGS__, )
GN_API gn_tensor *gn_layer_norm_with(gn_tensor *x, gn_shape shape, gn_tensor *weight,
                                     gn_tensor *bias, const gn_norm_options *options);
/* x / sqrt(mean(x^2) + eps) weight over the last dim. */
GN_API gn_tensor *gn_rms_norm(gn_tensor *x, gn_tensor *weight, double eps);

/* Zeroes elements with probability p and scales the others by 1 / (1 - p); x if not training. */
GN_API gn_tensor *gn_dropout(gn_tensor *x, double p, bool training);

/* softmax: exp(x_i) / sum_j exp(x_j) along dim; log_softmax: its logarithm; softmin: softmax of -x.
 * Stable. */
GN_API gn_tensor *gn_softmax(gn_tensor *x, int64_t dim);
GN_API gn_tensor *gn_log_softmax(gn_tensor *x, int64_t dim);
GN_API gn_tensor *gn_softmin(gn_tensor *x, int64_t dim);

/* ---- Activations with arguments; gn_relu(x), gn_leaky_relu(x, 0.01) and others without more to say
 * are in pointwise.def. */

typedef struct gn_softplus_options {
    size_t struct_size;
    gn_optional beta, threshold; /* 1, 20 */
} gn_softplus_options;
/* log(1 + exp(beta x)) / beta, or x where beta x > threshold. */
#define gn_softplus(...) GN_CALL1(gn_softplus_with, gn_softplus_options, __VA_ARGS__, )
GN_API gn_tensor *gn_softplus_with(gn_tensor *x, const gn_softplus_options *options);
/* x > 0 ? x : alpha (exp(x / alpha) - 1); alpha is not 0. */
GN_API gn_tensor *gn_celu(gn_tensor *x, double alpha);
/* x - lambda above lambda, x + lambda below -lambda, 0 between; lambda >= 0. */
GN_API gn_tensor *gn_softshrink(gn_tensor *x, double lambda);
/* min(max(x, low), high), low <= high; gradient 0 on the bounds (gn_clamp: 1). */
GN_API gn_tensor *gn_hardtanh(gn_tensor *x, double low, double high);
/* x where it is larger than the threshold, else the value. */
GN_API gn_tensor *gn_threshold(gn_tensor *x, double threshold, double value);
/* x > 0 ? x : weight x   x (N, C, *) or any shape, weight (C) or one element; gradient weight at 0 */
GN_API gn_tensor *gn_prelu(gn_tensor *x, gn_tensor *weight);
/* x > 0 ? x : slope x; the slope of each element is random in [lower, upper), or else, if not
 * training, (lower + upper) / 2 for all. */
GN_API gn_tensor *gn_rrelu(gn_tensor *x, double lower, double upper, bool training);
/* a sigmoid(b) of the halves a, b of x along dim, whose size must be even. */
GN_API gn_tensor *gn_glu(gn_tensor *x, int64_t dim);

typedef struct gn_gumbel_options {
    size_t struct_size;
    gn_optional tau, dim; /* 1, -1 */
    bool hard;            /* the value is one-hot, the gradient that of the soft one */
} gn_gumbel_options;
/* softmax((x + G) / tau) along dim, G random of the Gumbel distribution: samples of the categories
 * that have the logits x. */
#define gn_gumbel_softmax(...) GN_CALL1(gn_gumbel_softmax_with, gn_gumbel_options, __VA_ARGS__, )
GN_API gn_tensor *gn_gumbel_softmax_with(gn_tensor *x, const gn_gumbel_options *options);

/* ---- Lengths and distances */

typedef struct gn_normalize_options {
    size_t struct_size;
    gn_optional p, dim, eps; /* 2, 1, 1e-12 */
} gn_normalize_options;
/* x / max(|x|_p, eps), the norm along dim. */
#define gn_normalize(...) GN_CALL1(gn_normalize_with, gn_normalize_options, __VA_ARGS__, )
GN_API gn_tensor *gn_normalize_with(gn_tensor *x, const gn_normalize_options *options);

typedef struct gn_cosine_similarity_options {
    size_t struct_size;
    gn_optional dim, eps; /* 1, 1e-8 */
} gn_cosine_similarity_options;
/* a . b / (max(|a|, eps) max(|b|, eps)) along dim of the shape to which both broadcast; it goes. */
#define gn_cosine_similarity(...)                                                                  \
    GN_CALL2(gn_cosine_similarity_with, gn_cosine_similarity_options, __VA_ARGS__, )
GN_API gn_tensor *gn_cosine_similarity_with(gn_tensor *a, gn_tensor *b,
                                            const gn_cosine_similarity_options *options);

typedef struct gn_pairwise_distance_options {
    size_t struct_size;
    gn_optional p, eps; /* 2, 1e-6 */
    bool keepdim;
} gn_pairwise_distance_options;
/* |a - b + eps|_p along the last dim   a, b (N, D) or (D), broadcast -> (N) or () */
#define gn_pairwise_distance(...)                                                                  \
    GN_CALL2(gn_pairwise_distance_with, gn_pairwise_distance_options, __VA_ARGS__, )
GN_API gn_tensor *gn_pairwise_distance_with(gn_tensor *a, gn_tensor *b,
                                            const gn_pairwise_distance_options *options);

/* indices (*) integers, weight (V, D) -> (*, D). The gradient adds up over equal indices. */
GN_API gn_tensor *gn_embedding(gn_tensor *indices, gn_tensor *weight);

typedef struct gn_attention_options {
    size_t struct_size;
    bool causal;       /* position i of q sees positions 0 .. i of k */
    gn_optional scale; /* 1 / sqrt(D) */
} gn_attention_options;

/* softmax(q k^T scale) v   q (.., L, D), k (.., S, D), v (.., S, E) -> (.., L, E) */
#define gn_scaled_dot_product_attention(...)                                                       \
    GN_CALL3(gn_scaled_dot_product_attention_with, gn_attention_options, __VA_ARGS__, )
GN_API gn_tensor *gn_scaled_dot_product_attention_with(gn_tensor *q, gn_tensor *k, gn_tensor *v,
                                                       const gn_attention_options *options);

#ifdef __cplusplus
}
#endif
#endif
