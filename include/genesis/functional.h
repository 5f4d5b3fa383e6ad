/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functional.h - the functions behind the modules of nn.h: linear, convolution, pooling, fold,
 * normalisation, dropout, softmax, embedding, attention. All differentiable. Losses are in
 * losses.h.
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

/* ---- Convolution and pooling over 1, 2 or 3 spatial dims
 *
 * What is a number per spatial dim has two members: .stride = 2 is for all of them, and
 * .strides = {2, 1} for each, outermost first, where a 0 stands for the former. The batch dim N may
 * be missing, and is then missing from the result. */

/* What lies around the input: zeros, its mirror image, its edge, its other end. */
typedef enum gn_padding_mode {
    GN_PAD_ZEROS,
    GN_PAD_REFLECT,
    GN_PAD_REPLICATE,
    GN_PAD_CIRCULAR
} gn_padding_mode;

typedef struct gn_conv_options {
    size_t struct_size;
    int64_t stride, padding, dilation, groups; /* 1, 0, 1, 1 */
    int64_t strides[GN_MAX_SPATIAL], paddings[GN_MAX_SPATIAL], dilations[GN_MAX_SPATIAL];
    bool same_padding; /* padding='same': as much as keeps the size, an odd one at the end */
    gn_padding_mode padding_mode;
    int64_t output_padding, output_paddings[GN_MAX_SPATIAL]; /* 0; conv_transpose only */
    int64_t kernel_sizes[GN_MAX_SPATIAL];                    /* modules only: instead of kernel */
    bool no_bias;                                            /* modules only */
} gn_conv_options;

/* Cross-correlation: x (N, C, in..), weight (O, C / groups, kernel..), bias (O) or NULL
 * -> (N, O, out..), out = floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.
 * same_padding needs stride 1. */
#define gn_conv1d(...) GN_CALL3(gn_conv1d_with, gn_conv_options, __VA_ARGS__, )
#define gn_conv2d(...) GN_CALL3(gn_conv2d_with, gn_conv_options, __VA_ARGS__, )
#define gn_conv3d(...) GN_CALL3(gn_conv3d_with, gn_conv_options, __VA_ARGS__, )
GN_API gn_tensor *gn_conv1d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                 const gn_conv_options *options);
GN_API gn_tensor *gn_conv2d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                 const gn_conv_options *options);
GN_API gn_tensor *gn_conv3d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                 const gn_conv_options *options);

/* The gradient of a convolution to its input, as a function: x (N, C, in..),
 * weight (C, O / groups, kernel..), bias (O) or NULL -> (N, O, out..),
 * out = (in - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, where
 * output_padding is below stride or dilation. Pads with zeros only. */
#define gn_conv_transpose1d(...) GN_CALL3(gn_conv_transpose1d_with, gn_conv_options, __VA_ARGS__, )
#define gn_conv_transpose2d(...) GN_CALL3(gn_conv_transpose2d_with, gn_conv_options, __VA_ARGS__, )
#define gn_conv_transpose3d(...) GN_CALL3(gn_conv_transpose3d_with, gn_conv_options, __VA_ARGS__, )
GN_API gn_tensor *gn_conv_transpose1d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                           const gn_conv_options *options);
GN_API gn_tensor *gn_conv_transpose2d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                           const gn_conv_options *options);
GN_API gn_tensor *gn_conv_transpose3d_with(gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                                           const gn_conv_options *options);

typedef struct gn_pool_options {
    size_t struct_size;
    int64_t stride, padding;              /* kernel, 0; padding is at most half of the kernel */
    int64_t kernel_sizes[GN_MAX_SPATIAL]; /* instead of kernel */
    int64_t strides[GN_MAX_SPATIAL], paddings[GN_MAX_SPATIAL];
    bool ceil_mode; /* a last window may be cut off, if it starts inside the input or before */
    int64_t dilation, dilations[GN_MAX_SPATIAL]; /* max: 1 */
    gn_tensor **indices;      /* max, functions only: the maxima's places, or NULL on an error */
    bool exclude_pad;         /* avg: count_include_pad=False */
    int64_t divisor_override; /* avg: instead of the number of elements */
} gn_pool_options;

/* (N, C, in..) -> (N, C, out..). Padding is -inf; the first maximum gets the gradient, NaN counts
 * as the largest. Indices are int64 into the input's spatial dims as one: h W + w. A window that
 * dilation spreads around the whole input is an error. */
#define gn_max_pool1d(...) GN_CALL2(gn_max_pool1d_with, gn_pool_options, __VA_ARGS__, )
#define gn_max_pool2d(...) GN_CALL2(gn_max_pool2d_with, gn_pool_options, __VA_ARGS__, )
#define gn_max_pool3d(...) GN_CALL2(gn_max_pool3d_with, gn_pool_options, __VA_ARGS__, )
GN_API gn_tensor *gn_max_pool1d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options);
GN_API gn_tensor *gn_max_pool2d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options);
GN_API gn_tensor *gn_max_pool3d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options);
/* The mean of each window; its padding counts as zeros, but what ceil_mode adds does not. */
#define gn_avg_pool1d(...) GN_CALL2(gn_avg_pool1d_with, gn_pool_options, __VA_ARGS__, )
#define gn_avg_pool2d(...) GN_CALL2(gn_avg_pool2d_with, gn_pool_options, __VA_ARGS__, )
#define gn_avg_pool3d(...) GN_CALL2(gn_avg_pool3d_with, gn_pool_options, __VA_ARGS__, )
GN_API gn_tensor *gn_avg_pool1d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options);
GN_API gn_tensor *gn_avg_pool2d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options);
GN_API gn_tensor *gn_avg_pool3d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options);

/* Windows such that the result has the given sizes, -1 to keep one: window i of `out` is
 * floor(i in / out) .. ceil((i + 1) in / out) - 1. `indices` may be NULL. */
GN_API gn_tensor *gn_adaptive_avg_pool1d(gn_tensor *x, int64_t length);
GN_API gn_tensor *gn_adaptive_avg_pool2d(gn_tensor *x, int64_t height, int64_t width);
GN_API gn_tensor *gn_adaptive_avg_pool3d(gn_tensor *x, int64_t depth, int64_t height,
                                         int64_t width);
GN_API gn_tensor *gn_adaptive_max_pool1d(gn_tensor *x, int64_t length, gn_tensor **indices);
GN_API gn_tensor *gn_adaptive_max_pool2d(gn_tensor *x, int64_t height, int64_t width,
                                         gn_tensor **indices);
GN_API gn_tensor *gn_adaptive_max_pool3d(gn_tensor *x, int64_t depth, int64_t height, int64_t width,
                                         gn_tensor **indices);

typedef struct gn_fold_options {
    size_t struct_size;
    int64_t stride, padding, dilation; /* 1, 0, 1 */
    int64_t kernel_sizes[2], strides[2], paddings[2], dilations[2];
} gn_fold_options;

/* unfold: the windows of an image as columns, (N, C, H, W) -> (N, C kh kw, windows). fold: the sum
 * of such columns at their places in an image, (N, C kh kw, windows) -> (N, C, size..). */
#define gn_unfold(...) GN_CALL2(gn_unfold_with, gn_fold_options, __VA_ARGS__, )
#define gn_fold(...) GN_CALL3(gn_fold_with, gn_fold_options, __VA_ARGS__, )
GN_API gn_tensor *gn_unfold_with(gn_tensor *x, int64_t kernel, const gn_fold_options *options);
GN_API gn_tensor *gn_fold_with(gn_tensor *x, gn_shape size, int64_t kernel,
                               const gn_fold_options *options);

/* ---- Normalisation and the rest */

typedef struct gn_norm_options {
    size_t struct_size;
    gn_optional eps;      /* 1e-5; rms norm: that of x's dtype, 2^-23 for float32 */
    gn_optional momentum; /* batch and instance norm: 0.1 */
    bool training;        /* batch and instance norm: use the input's statistics, and update the
                             running ones */
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
/* Per channel and instance: x (N, C, *), statistics over *, more than 1 element. Without training,
 * running statistics (C), unless they are NULL, come instead; in training they follow the mean over
 * N. */
#define gn_instance_norm(...) gn_instance_norm_(__VA_ARGS__, )
#define gn_instance_norm_(x, running_mean, running_var, weight, bias, ...)                         \
    gn_instance_norm_with(x, running_mean, running_var, weight, bias,                              \
                          GN_OPTIONS(gn_norm_options, __VA_ARGS__))
GN_API gn_tensor *gn_instance_norm_with(gn_tensor *x, gn_tensor *running_mean,
                                        gn_tensor *running_var, gn_tensor *weight, gn_tensor *bias,
                                        const gn_norm_options *options);
/* Over groups of C / groups channels of x (N, C, *); weight and bias are (C) or NULL. */
#define gn_group_norm(...) GN_CALL4(gn_group_norm_with, gn_norm_options, __VA_ARGS__, )
GN_API gn_tensor *gn_group_norm_with(gn_tensor *x, int64_t groups, gn_tensor *weight,
                                     gn_tensor *bias, const gn_norm_options *options);
/* Over the last shape.n dims, whose sizes must be `shape`; weight and bias have it, or are NULL. */
#define gn_layer_norm(...) GN_CALL4(gn_layer_norm_with, gn_norm_options, __VA_ARGS__, )
GN_API gn_tensor *gn_layer_norm_with(gn_tensor *x, gn_shape shape, gn_tensor *weight,
                                     gn_tensor *bias, const gn_norm_options *options);
/* x / sqrt(mean(x^2) + eps) weight, likewise. Both are one kernel where the backend has it, with
 * statistics in float32 or wider, in any number of dims. */
#define gn_rms_norm(...) GN_CALL3(gn_rms_norm_with, gn_norm_options, __VA_ARGS__, )
GN_API gn_tensor *gn_rms_norm_with(gn_tensor *x, gn_shape shape, gn_tensor *weight,
                                   const gn_norm_options *options);

typedef struct gn_local_response_options {
    size_t struct_size;
    gn_optional alpha, beta, k; /* 1e-4, 0.75, 1 */
} gn_local_response_options;

/* x / (k + alpha m)^beta, m the mean of x^2 over `size` channels around each, zeros beyond the ends:
 * x (N, C, L, ..). */
#define gn_local_response_norm(...)                                                                \
    GN_CALL2(gn_local_response_norm_with, gn_local_response_options, __VA_ARGS__, )
GN_API gn_tensor *gn_local_response_norm_with(gn_tensor *x, int64_t size,
                                              const gn_local_response_options *options);

/* Zeroes elements with probability p and scales the others by 1 / (1 - p); x if not training. */
GN_API gn_tensor *gn_dropout(gn_tensor *x, double p, bool training);
/* The same of whole channels: x (N, C, L) or (C, L); (N, C, H, W) or (N, C, L); (N, C, D, H, W) or
 * (C, D, H, W). */
GN_API gn_tensor *gn_dropout1d(gn_tensor *x, double p, bool training);
GN_API gn_tensor *gn_dropout2d(gn_tensor *x, double p, bool training);
GN_API gn_tensor *gn_dropout3d(gn_tensor *x, double p, bool training);
/* Elements, or channels of (N, C, ..), become SELU's negative limit with probability p; then all are
 * scaled and shifted such that mean 0 and variance 1 stay so. */
GN_API gn_tensor *gn_alpha_dropout(gn_tensor *x, double p, bool training);
GN_API gn_tensor *gn_feature_alpha_dropout(gn_tensor *x, double p, bool training);

/* softmax: exp(x_i) / sum_j exp(x_j) along dim; log_softmax: its logarithm; softmin: softmax of -x.
 * Stable. */
GN_API gn_tensor *gn_softmax(gn_tensor *x, int64_t dim);
GN_API gn_tensor *gn_log_softmax(gn_tensor *x, int64_t dim);
GN_API gn_tensor *gn_softmin(gn_tensor *x, int64_t dim);
/* softmax, but 0 where everything along dim is -inf, as it is where all is masked. */
GN_API gn_tensor *gn_safe_softmax(gn_tensor *x, int64_t dim);

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

typedef struct gn_embedding_options {
    size_t struct_size;
    gn_optional padding_idx; /* this row gets no gradient; from the end if negative */
    gn_optional max_norm;    /* rows that are used, and longer, are first scaled to it, in place */
    gn_optional norm_type;   /* 2 */
    bool scale_grad_by_freq; /* divides a row's gradient by how often it is used */
    bool no_freeze;          /* gn_nn_embedding_from_pretrained only */
} gn_embedding_options;

/* indices (*) integers, weight (V, D) -> (*, D). The gradient adds up over equal indices. An index
 * that is no row is GN_E_INDEX. */
#define gn_embedding(...) GN_CALL2(gn_embedding_with, gn_embedding_options, __VA_ARGS__, )
GN_API gn_tensor *gn_embedding_with(gn_tensor *indices, gn_tensor *weight,
                                    const gn_embedding_options *options);

typedef enum gn_bag_mode { GN_BAG_MEAN, GN_BAG_SUM, GN_BAG_MAX } gn_bag_mode;

typedef struct gn_embedding_bag_options {
    size_t struct_size;
    gn_bag_mode mode;
    gn_tensor *offsets;            /* function only: (B) integers, where each bag begins, from 0 */
    gn_tensor *per_sample_weights; /* function only: of the indices, for sums */
    bool include_last_offset;      /* offsets has the end of the last bag, too */
    gn_optional padding_idx;       /* indices of this row count as not there */
    gn_optional max_norm, norm_type; /* as above */
    bool scale_grad_by_freq, no_freeze;
} gn_embedding_bag_options;

/* The mean, sum or maximum of the rows of each bag: indices (B, L), or (n) with offsets, weight
 * (V, D) -> (B, D). An empty bag gives 0; the first maximum gets the gradient. */
#define gn_embedding_bag(...)                                                                      \
    GN_CALL2(gn_embedding_bag_with, gn_embedding_bag_options, __VA_ARGS__, )
GN_API gn_tensor *gn_embedding_bag_with(gn_tensor *indices, gn_tensor *weight,
                                        const gn_embedding_bag_options *options);

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
