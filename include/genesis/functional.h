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
    gn_optional eps;      /* 1e-5; rms norm: that of x's dtype, 2^-23 for float32 */
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
/* x / sqrt(mean(x^2) + eps) weight, likewise. Both are one kernel where the backend has it, with
 * statistics in float32 or wider, in any number of dims. */
#define gn_rms_norm(...) GN_CALL3(gn_rms_norm_with, gn_norm_options, __VA_ARGS__, )
GN_API gn_tensor *gn_rms_norm_with(gn_tensor *x, gn_shape shape, gn_tensor *weight,
                                   const gn_norm_options *options);

/* Zeroes elements with probability p and scales the others by 1 / (1 - p); x if not training. */
GN_API gn_tensor *gn_dropout(gn_tensor *x, double p, bool training);

/* softmax: exp(x_i) / sum_j exp(x_j) along dim; log_softmax: its logarithm. Stable. */
GN_API gn_tensor *gn_softmax(gn_tensor *x, int64_t dim);
GN_API gn_tensor *gn_log_softmax(gn_tensor *x, int64_t dim);

/* indices (*) integers, weight (V, D) -> (*, D). The gradient adds up over equal indices. */
GN_API gn_tensor *gn_embedding(gn_tensor *indices, gn_tensor *weight);

typedef struct gn_attention_options {
    size_t struct_size;
    gn_tensor *attn_mask; /* broadcasts to (.., L, S): bool, true where q sees k, or added scores */
    bool causal;          /* query i sees keys 0 .. i, also where L and S differ */
    int64_t position;     /* causal: query i sees keys 0 .. position + i; 0 */
    double dropout_p;     /* of the weights; 0. Applied whenever it is not 0 */
    gn_optional scale;    /* 1 / sqrt(D) */
    bool enable_gqa;      /* q (.., H, L, D) and k, v (.., H / n, S, *): each serves n heads of q */
} gn_attention_options;

/* softmax(q k^T scale + mask) v   q (.., L, D), k (.., S, D), v (.., S, E) -> (.., L, E). Leading
 * dims broadcast. A query that sees no key gives 0. A floating-point mask may require a gradient.
 * One kernel, without the matrix of scores, where the backend has it and nothing is dropped. */
#define gn_scaled_dot_product_attention(...)                                                       \
    GN_CALL3(gn_scaled_dot_product_attention_with, gn_attention_options, __VA_ARGS__, )
GN_API gn_tensor *gn_scaled_dot_product_attention_with(gn_tensor *q, gn_tensor *k, gn_tensor *v,
                                                       const gn_attention_options *options);

#ifdef __cplusplus
}
#endif
#endif
