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

/* (N, in, H, W) -> (N, out, Ho, Wo); weight (out, in / groups, kernel, kernel), bias (out). */
#define gn_nn_conv2d(...) GN_CALL3(gn_nn_conv2d_with, gn_conv2d_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_conv2d_with(int64_t in, int64_t out, int64_t kernel,
                                    const gn_conv2d_options *options);

typedef struct gn_activation_options {
    size_t struct_size;
    bool inplace;
} gn_activation_options;
#define gn_nn_relu(...) gn_nn_relu_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
#define gn_nn_silu(...) gn_nn_silu_with(GN_OPTIONS(gn_activation_options, __VA_ARGS__))
GN_API gn_module *gn_nn_relu_with(const gn_activation_options *options);
GN_API gn_module *gn_nn_silu_with(const gn_activation_options *options);
GN_API gn_module *gn_nn_sigmoid(void);
GN_API gn_module *gn_nn_tanh(void);
GN_API gn_module *gn_nn_softmax(int64_t dim);
typedef struct gn_gelu_options {
    size_t struct_size;
    bool approximate_tanh;
} gn_gelu_options;
#define gn_nn_gelu(...) gn_nn_gelu_with(GN_OPTIONS(gn_gelu_options, __VA_ARGS__))
GN_API gn_module *gn_nn_gelu_with(const gn_gelu_options *options);

typedef struct gn_batch_norm_options {
    size_t struct_size;
    gn_optional eps, momentum; /* 1e-5, 0.1 */
    bool cumulative;           /* momentum=None: running statistics are plain averages */
    bool no_affine, no_running_stats;
} gn_batch_norm_options;
/* (N, C), (N, C, L) and (N, C, H, W); weight, bias, running_mean, running_var, num_batches_tracked */
#define gn_nn_batch_norm1d(...)                                                                    \
    GN_CALL1(gn_nn_batch_norm1d_with, gn_batch_norm_options, __VA_ARGS__, )
#define gn_nn_batch_norm2d(...)                                                                    \
    GN_CALL1(gn_nn_batch_norm2d_with, gn_batch_norm_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_batch_norm1d_with(int64_t features, const gn_batch_norm_options *options);
GN_API gn_module *gn_nn_batch_norm2d_with(int64_t features, const gn_batch_norm_options *options);

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
#define gn_nn_dropout(...) GN_CALL1(gn_nn_dropout_with, gn_dropout_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_dropout_with(double p, const gn_dropout_options *options);

#define gn_nn_max_pool2d(...) GN_CALL1(gn_nn_max_pool2d_with, gn_pool2d_options, __VA_ARGS__, )
#define gn_nn_avg_pool2d(...) GN_CALL1(gn_nn_avg_pool2d_with, gn_pool2d_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_max_pool2d_with(int64_t kernel, const gn_pool2d_options *options);
GN_API gn_module *gn_nn_avg_pool2d_with(int64_t kernel, const gn_pool2d_options *options);
GN_API gn_module *gn_nn_adaptive_avg_pool2d(int64_t height, int64_t width);

/* (*) integers -> (*, dim); weight (count, dim). */
GN_API gn_module *gn_nn_embedding(int64_t count, int64_t dim);
GN_API gn_module *gn_nn_flatten(void); /* (N, *) -> (N, product) */
GN_API gn_module *gn_nn_identity(void);

#ifdef __cplusplus
}
#endif
#endif
