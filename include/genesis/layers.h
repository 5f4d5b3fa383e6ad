/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers.h - the layers as modules, with PyTorch's names, parameters and initial values. Each is a
 * function of functional.h; where the options are the same, the struct is.
 */
#ifndef GENESIS_LAYERS_H
#define GENESIS_LAYERS_H

#include <genesis/functional.h>
#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gn_linear_options {
    size_t struct_size;
    bool no_bias;
} gn_linear_options;
/* (*, in) -> (*, out); parameters weight (out, in), bias (out). */
#define gn_nn_linear(...) GN_CALL2(gn_nn_linear_with, gn_linear_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_linear_with(int64_t in, int64_t out, const gn_linear_options *options);

/* (*, in1), (*, in2) -> (*, out), by gn_invoke; weight (out, in1, in2), bias (out). */
#define gn_nn_bilinear(...) GN_CALL3(gn_nn_bilinear_with, gn_linear_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_bilinear_with(int64_t in1, int64_t in2, int64_t out,
                                      const gn_linear_options *options);
/* gn_cosine_similarity and gn_pairwise_distance, by gn_invoke. */
#define gn_nn_cosine_similarity(...)                                                               \
    gn_nn_cosine_similarity_with(GN_OPTIONS(gn_cosine_similarity_options, __VA_ARGS__))
GN_API gn_module *gn_nn_cosine_similarity_with(const gn_cosine_similarity_options *options);
#define gn_nn_pairwise_distance(...)                                                               \
    gn_nn_pairwise_distance_with(GN_OPTIONS(gn_pairwise_distance_options, __VA_ARGS__))
GN_API gn_module *gn_nn_pairwise_distance_with(const gn_pairwise_distance_options *options);

/* (N, in, L), (N, in, H, W), (N, in, D, H, W), or without N; weight (out, in / groups, kernel..),
 * bias (out). Transposed: weight (in, out / groups, kernel..). */
#define gn_nn_conv1d(...) GN_CALL3(gn_nn_conv1d_with, gn_conv_options, __VA_ARGS__, )
#define gn_nn_conv2d(...) GN_CALL3(gn_nn_conv2d_with, gn_conv_options, __VA_ARGS__, )
#define gn_nn_conv3d(...) GN_CALL3(gn_nn_conv3d_with, gn_conv_options, __VA_ARGS__, )
#define gn_nn_conv_transpose1d(...)                                                                \
    GN_CALL3(gn_nn_conv_transpose1d_with, gn_conv_options, __VA_ARGS__, )
#define gn_nn_conv_transpose2d(...)                                                                \
    GN_CALL3(gn_nn_conv_transpose2d_with, gn_conv_options, __VA_ARGS__, )
#define gn_nn_conv_transpose3d(...)                                                                \
    GN_CALL3(gn_nn_conv_transpose3d_with, gn_conv_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_conv1d_with(int64_t in, int64_t out, int64_t kernel,
                                    const gn_conv_options *options);
GN_API gn_module *gn_nn_conv2d_with(int64_t in, int64_t out, int64_t kernel,
                                    const gn_conv_options *options);
GN_API gn_module *gn_nn_conv3d_with(int64_t in, int64_t out, int64_t kernel,
                                    const gn_conv_options *options);
GN_API gn_module *gn_nn_conv_transpose1d_with(int64_t in, int64_t out, int64_t kernel,
                                              const gn_conv_options *options);
GN_API gn_module *gn_nn_conv_transpose2d_with(int64_t in, int64_t out, int64_t kernel,
                                              const gn_conv_options *options);
GN_API gn_module *gn_nn_conv_transpose3d_with(int64_t in, int64_t out, int64_t kernel,
                                              const gn_conv_options *options);

/* ---- Activations. In place, a leaf that requires a gradient is refused. */

typedef struct gn_activation_options {
    size_t struct_size;
    bool inplace;
} gn_activation_options;
#define gn_nn_relu(...) gn_nn_relu_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
GN_API gn_module *gn_nn_relu_with(const gn_activation_options *options);
#define gn_nn_relu6(...) gn_nn_relu6_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
GN_API gn_module *gn_nn_relu6_with(const gn_activation_options *options);
#define gn_nn_silu(...) gn_nn_silu_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
GN_API gn_module *gn_nn_silu_with(const gn_activation_options *options);
#define gn_nn_mish(...) gn_nn_mish_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
GN_API gn_module *gn_nn_mish_with(const gn_activation_options *options);
#define gn_nn_selu(...) gn_nn_selu_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
GN_API gn_module *gn_nn_selu_with(const gn_activation_options *options);
#define gn_nn_hardsigmoid(...)                                                                     \
    gn_nn_hardsigmoid_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
GN_API gn_module *gn_nn_hardsigmoid_with(const gn_activation_options *options);
#define gn_nn_hardswish(...) gn_nn_hardswish_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
GN_API gn_module *gn_nn_hardswish_with(const gn_activation_options *options);
GN_API gn_module *gn_nn_sigmoid(void);
GN_API gn_module *gn_nn_log_sigmoid(void);
GN_API gn_module *gn_nn_tanh(void);
GN_API gn_module *gn_nn_tanhshrink(void);
GN_API gn_module *gn_nn_softsign(void);
typedef struct gn_gelu_options {
    size_t struct_size;
    bool approximate_tanh;
} gn_gelu_options;
#define gn_nn_gelu(...) gn_nn_gelu_with(GN_OPTIONS(gn_gelu_options, __VA_ARGS__))
GN_API gn_module *gn_nn_gelu_with(const gn_gelu_options *options);
typedef struct gn_elu_options {
    size_t struct_size;
    gn_optional alpha; /* 1 */
    bool inplace;
} gn_elu_options;
#define gn_nn_elu(...) gn_nn_elu_with(GN_OPTIONS(gn_elu_options, __VA_ARGS__))
GN_API gn_module *gn_nn_elu_with(const gn_elu_options *options);
#define gn_nn_celu(...) gn_nn_celu_with(GN_OPTIONS(gn_elu_options, __VA_ARGS__))
GN_API gn_module *gn_nn_celu_with(const gn_elu_options *options);
typedef struct gn_leaky_relu_options {
    size_t struct_size;
    gn_optional negative_slope; /* 0.01 */
    bool inplace;
} gn_leaky_relu_options;
#define gn_nn_leaky_relu(...) gn_nn_leaky_relu_with(GN_OPTIONS(gn_leaky_relu_options, __VA_ARGS__))
GN_API gn_module *gn_nn_leaky_relu_with(const gn_leaky_relu_options *options);
typedef struct gn_prelu_options {
    size_t struct_size;
    int64_t num_parameters; /* 1, or one for each channel */
    gn_optional init;       /* 0.25 */
} gn_prelu_options;
/* weight (num_parameters) */
#define gn_nn_prelu(...) gn_nn_prelu_with(GN_OPTIONS(gn_prelu_options, __VA_ARGS__))
GN_API gn_module *gn_nn_prelu_with(const gn_prelu_options *options);
typedef struct gn_rrelu_options {
    size_t struct_size;
    gn_optional lower, upper; /* 1/8, 1/3 */
    bool inplace;
} gn_rrelu_options;
/* Random slopes in training, their mean in evaluation. */
#define gn_nn_rrelu(...) gn_nn_rrelu_with(GN_OPTIONS(gn_rrelu_options, __VA_ARGS__))
GN_API gn_module *gn_nn_rrelu_with(const gn_rrelu_options *options);
typedef struct gn_hardtanh_options {
    size_t struct_size;
    gn_optional min_val, max_val; /* -1, 1 */
    bool inplace;
} gn_hardtanh_options;
#define gn_nn_hardtanh(...) gn_nn_hardtanh_with(GN_OPTIONS(gn_hardtanh_options, __VA_ARGS__))
GN_API gn_module *gn_nn_hardtanh_with(const gn_hardtanh_options *options);
typedef struct gn_shrink_options {
    size_t struct_size;
    gn_optional lambd; /* 0.5 */
} gn_shrink_options;
#define gn_nn_hardshrink(...) gn_nn_hardshrink_with(GN_OPTIONS(gn_shrink_options, __VA_ARGS__))
GN_API gn_module *gn_nn_hardshrink_with(const gn_shrink_options *options);
#define gn_nn_softshrink(...) gn_nn_softshrink_with(GN_OPTIONS(gn_shrink_options, __VA_ARGS__))
GN_API gn_module *gn_nn_softshrink_with(const gn_shrink_options *options);
#define gn_nn_softplus(...) gn_nn_softplus_with(GN_OPTIONS(gn_softplus_options, __VA_ARGS__))
GN_API gn_module *gn_nn_softplus_with(const gn_softplus_options *options);
#define gn_nn_threshold(...) GN_CALL2(gn_nn_threshold_with, gn_activation_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_threshold_with(double threshold, double value,
                                       const gn_activation_options *options);
typedef struct gn_glu_options {
    size_t struct_size;
    gn_optional dim; /* -1 */
} gn_glu_options;
#define gn_nn_glu(...) gn_nn_glu_with(GN_OPTIONS(gn_glu_options, __VA_ARGS__))
GN_API gn_module *gn_nn_glu_with(const gn_glu_options *options);
GN_API gn_module *gn_nn_softmax(int64_t dim);
GN_API gn_module *gn_nn_log_softmax(int64_t dim);
GN_API gn_module *gn_nn_softmin(int64_t dim);
GN_API gn_module *gn_nn_softmax2d(void); /* over C of (N, C, H, W) or (C, H, W) */

typedef struct gn_batch_norm_options {
    size_t struct_size;
    gn_optional eps, momentum; /* 1e-5, 0.1 */
    bool cumulative;           /* momentum=None: running statistics are plain averages */
    bool no_affine, no_bias, no_running_stats;
} gn_batch_norm_options;
/* (N, C) or (N, C, L); (N, C, H, W); (N, C, D, H, W). Parameters weight, bias (C); buffers
 * running_mean, running_var (C), num_batches_tracked (). */
#define gn_nn_batch_norm1d(...)                                                                    \
    GN_CALL1(gn_nn_batch_norm1d_with, gn_batch_norm_options, __VA_ARGS__, )
#define gn_nn_batch_norm2d(...)                                                                    \
    GN_CALL1(gn_nn_batch_norm2d_with, gn_batch_norm_options, __VA_ARGS__, )
#define gn_nn_batch_norm3d(...)                                                                    \
    GN_CALL1(gn_nn_batch_norm3d_with, gn_batch_norm_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_batch_norm1d_with(int64_t features, const gn_batch_norm_options *options);
GN_API gn_module *gn_nn_batch_norm2d_with(int64_t features, const gn_batch_norm_options *options);
GN_API gn_module *gn_nn_batch_norm3d_with(int64_t features, const gn_batch_norm_options *options);

typedef struct gn_instance_norm_options {
    size_t struct_size;
    gn_optional eps, momentum; /* 1e-5, 0.1 */
    bool affine, no_bias, track_running_stats;
} gn_instance_norm_options;
/* (N, C, L), (N, C, H, W), (N, C, D, H, W), or without N. affine: weight, bias (C). */
#define gn_nn_instance_norm1d(...)                                                                 \
    GN_CALL1(gn_nn_instance_norm1d_with, gn_instance_norm_options, __VA_ARGS__, )
#define gn_nn_instance_norm2d(...)                                                                 \
    GN_CALL1(gn_nn_instance_norm2d_with, gn_instance_norm_options, __VA_ARGS__, )
#define gn_nn_instance_norm3d(...)                                                                 \
    GN_CALL1(gn_nn_instance_norm3d_with, gn_instance_norm_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_instance_norm1d_with(int64_t features,
                                             const gn_instance_norm_options *options);
GN_API gn_module *gn_nn_instance_norm2d_with(int64_t features,
                                             const gn_instance_norm_options *options);
GN_API gn_module *gn_nn_instance_norm3d_with(int64_t features,
                                             const gn_instance_norm_options *options);

typedef struct gn_group_norm_options {
    size_t struct_size;
    gn_optional eps; /* 1e-5 */
    bool no_affine, no_bias;
} gn_group_norm_options;
/* (N, channels, *), groups a divisor of channels; weight, bias (channels). */
#define gn_nn_group_norm(...) GN_CALL2(gn_nn_group_norm_with, gn_group_norm_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_group_norm_with(int64_t groups, int64_t channels,
                                        const gn_group_norm_options *options);
#define gn_nn_local_response_norm(...)                                                             \
    GN_CALL1(gn_nn_local_response_norm_with, gn_local_response_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_local_response_norm_with(int64_t size,
                                                 const gn_local_response_options *options);

typedef struct gn_layer_norm_options {
    size_t struct_size;
    gn_optional eps; /* 1e-5 */
    bool no_affine, no_bias;
} gn_layer_norm_options;
/* Over the last dims: gn_nn_layer_norm(GN_SHAPE(768)). */
#define gn_nn_layer_norm(...) GN_CALL1(gn_nn_layer_norm_with, gn_layer_norm_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_layer_norm_with(gn_shape shape, const gn_layer_norm_options *options);

typedef struct gn_rms_norm_options {
    size_t struct_size;
    gn_optional eps; /* that of the input's dtype, 2^-23 for float32 */
    bool no_affine;
} gn_rms_norm_options;
#define gn_nn_rms_norm(...) GN_CALL1(gn_nn_rms_norm_with, gn_rms_norm_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_rms_norm_with(gn_shape shape, const gn_rms_norm_options *options);

typedef struct gn_dropout_options {
    size_t struct_size;
    bool inplace;
} gn_dropout_options;
/* What they do in training is at their functions; evaluation gives x itself. */
#define gn_nn_dropout(...) GN_CALL1(gn_nn_dropout_with, gn_dropout_options, __VA_ARGS__, )
#define gn_nn_dropout1d(...) GN_CALL1(gn_nn_dropout1d_with, gn_dropout_options, __VA_ARGS__, )
#define gn_nn_dropout2d(...) GN_CALL1(gn_nn_dropout2d_with, gn_dropout_options, __VA_ARGS__, )
#define gn_nn_dropout3d(...) GN_CALL1(gn_nn_dropout3d_with, gn_dropout_options, __VA_ARGS__, )
#define gn_nn_alpha_dropout(...)                                                                   \
    GN_CALL1(gn_nn_alpha_dropout_with, gn_dropout_options, __VA_ARGS__, )
#define gn_nn_feature_alpha_dropout(...)                                                           \
    GN_CALL1(gn_nn_feature_alpha_dropout_with, gn_dropout_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_dropout_with(double p, const gn_dropout_options *options);
GN_API gn_module *gn_nn_dropout1d_with(double p, const gn_dropout_options *options);
GN_API gn_module *gn_nn_dropout2d_with(double p, const gn_dropout_options *options);
GN_API gn_module *gn_nn_dropout3d_with(double p, const gn_dropout_options *options);
GN_API gn_module *gn_nn_alpha_dropout_with(double p, const gn_dropout_options *options);
GN_API gn_module *gn_nn_feature_alpha_dropout_with(double p, const gn_dropout_options *options);

/* Pooling of (N, C, L), (N, C, H, W), (N, C, D, H, W), or without N. */
#define gn_nn_max_pool1d(...) GN_CALL1(gn_nn_max_pool1d_with, gn_pool_options, __VA_ARGS__, )
#define gn_nn_max_pool2d(...) GN_CALL1(gn_nn_max_pool2d_with, gn_pool_options, __VA_ARGS__, )
#define gn_nn_max_pool3d(...) GN_CALL1(gn_nn_max_pool3d_with, gn_pool_options, __VA_ARGS__, )
#define gn_nn_avg_pool1d(...) GN_CALL1(gn_nn_avg_pool1d_with, gn_pool_options, __VA_ARGS__, )
#define gn_nn_avg_pool2d(...) GN_CALL1(gn_nn_avg_pool2d_with, gn_pool_options, __VA_ARGS__, )
#define gn_nn_avg_pool3d(...) GN_CALL1(gn_nn_avg_pool3d_with, gn_pool_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_max_pool1d_with(int64_t kernel, const gn_pool_options *options);
GN_API gn_module *gn_nn_max_pool2d_with(int64_t kernel, const gn_pool_options *options);
GN_API gn_module *gn_nn_max_pool3d_with(int64_t kernel, const gn_pool_options *options);
GN_API gn_module *gn_nn_avg_pool1d_with(int64_t kernel, const gn_pool_options *options);
GN_API gn_module *gn_nn_avg_pool2d_with(int64_t kernel, const gn_pool_options *options);
GN_API gn_module *gn_nn_avg_pool3d_with(int64_t kernel, const gn_pool_options *options);
/* To the given size, -1 to keep that of the input. */
GN_API gn_module *gn_nn_adaptive_avg_pool1d(int64_t length);
GN_API gn_module *gn_nn_adaptive_avg_pool2d(int64_t height, int64_t width);
GN_API gn_module *gn_nn_adaptive_avg_pool3d(int64_t depth, int64_t height, int64_t width);
GN_API gn_module *gn_nn_adaptive_max_pool1d(int64_t length);
GN_API gn_module *gn_nn_adaptive_max_pool2d(int64_t height, int64_t width);
GN_API gn_module *gn_nn_adaptive_max_pool3d(int64_t depth, int64_t height, int64_t width);
/* gn_forward of a MaxPool or AdaptiveMaxPool (return_indices=True) with the places of the maxima,
 * int64 into the input's spatial dims as one; NULL on an error. `indices` may be NULL. */
GN_API gn_tensor *gn_max_pool_forward(gn_module *module, gn_tensor *x, gn_tensor **indices);

/* Unfold: (N, C, H, W) -> (N, C kh kw, windows); Fold: back to (N, C, size..), adding up:
 * gn_nn_fold(GN_SHAPE(4, 5), 2, .stride = 2). */
#define gn_nn_unfold(...) GN_CALL1(gn_nn_unfold_with, gn_fold_options, __VA_ARGS__, )
#define gn_nn_fold(...) GN_CALL2(gn_nn_fold_with, gn_fold_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_unfold_with(int64_t kernel, const gn_fold_options *options);
GN_API gn_module *gn_nn_fold_with(gn_shape size, int64_t kernel, const gn_fold_options *options);

/* (*) integers -> (*, dim); weight (count, dim) ~ N(0, 1), 0 in the row of padding. */
#define gn_nn_embedding(...) GN_CALL2(gn_nn_embedding_with, gn_embedding_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_embedding_with(int64_t count, int64_t dim,
                                       const gn_embedding_options *options);
/* Bags of rows: (B, L) integers -> (B, dim), or as gn_embedding_bag_forward says. */
#define gn_nn_embedding_bag(...)                                                                   \
    GN_CALL2(gn_nn_embedding_bag_with, gn_embedding_bag_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_embedding_bag_with(int64_t count, int64_t dim,
                                           const gn_embedding_bag_options *options);
/* The same with a weight (count, dim) that is there already, whose data is shared, and frozen unless
 * no_freeze. */
#define gn_nn_embedding_from_pretrained(...)                                                       \
    GN_CALL1(gn_nn_embedding_from_pretrained_with, gn_embedding_options, __VA_ARGS__, )
#define gn_nn_embedding_bag_from_pretrained(...)                                                   \
    GN_CALL1(gn_nn_embedding_bag_from_pretrained_with, gn_embedding_bag_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_embedding_from_pretrained_with(gn_tensor *weight,
                                                       const gn_embedding_options *options);
GN_API gn_module *gn_nn_embedding_bag_from_pretrained_with(gn_tensor *weight,
                                                           const gn_embedding_bag_options *options);
/* gn_forward of an EmbeddingBag on indices (n) with offsets, or (B, L) with offsets NULL;
 * per_sample_weights may be NULL. */
GN_API gn_tensor *gn_embedding_bag_forward(gn_module *module, gn_tensor *indices,
                                           gn_tensor *offsets, gn_tensor *per_sample_weights);

typedef struct gn_flatten_options {
    size_t struct_size;
    gn_optional start_dim, end_dim; /* 1, -1 */
} gn_flatten_options;
/* (N, *) -> (N, product) */
#define gn_nn_flatten(...) gn_nn_flatten_with(GN_OPTIONS(gn_flatten_options, __VA_ARGS__))
GN_API gn_module *gn_nn_flatten_with(const gn_flatten_options *options);
/* gn_unflatten: gn_nn_unflatten(1, GN_SHAPE(2, -1)) */
GN_API gn_module *gn_nn_unflatten(int64_t dim, gn_shape sizes);
GN_API gn_module *gn_nn_identity(void);

#ifdef __cplusplus
}
#endif
#endif
