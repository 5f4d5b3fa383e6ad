/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.h - initial values of parameters: PyTorch's torch.nn.init, and whole modules at once.
 *
 * All work in place, without recording, on tensors of a floating-point dtype, and return the tensor
 * (borrowed), or NULL. A weight is (out, in, kernel..): fan_in = in * kernel.., fan_out = out *
 * kernel.., so at least 2 dims.
 */
#ifndef GENESIS_INIT_H
#define GENESIS_INIT_H

#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gn_init_options {
    size_t struct_size;
    gn_generator *generator;  /* NULL: the default generator */
    gn_optional low, high;    /* uniform: 0, 1; trunc_normal: -2, 2 */
    double mean;              /* normal, trunc_normal: 0 */
    gn_optional std;          /* normal, trunc_normal: 1; sparse: 0.01 */
    gn_optional gain;         /* xavier, orthogonal: 1 */
    double a;                 /* kaiming: slope of the leaky ReLU below 0; 0 */
    bool fan_out;             /* kaiming: mode='fan_out', keeps the variance of gradients */
    const char *nonlinearity; /* kaiming: "leaky_relu"; see gn_init_calculate_gain */
    double sparsity;          /* sparse: 0 */
    int64_t groups;           /* dirac: 1 */
} gn_init_options;

#define gn_init_uniform_(...) GN_CALL1(gn_init_uniform_with, gn_init_options, __VA_ARGS__, )
#define gn_init_normal_(...) GN_CALL1(gn_init_normal_with, gn_init_options, __VA_ARGS__, )
#define gn_init_trunc_normal_(...)                                                                 \
    GN_CALL1(gn_init_trunc_normal_with, gn_init_options, __VA_ARGS__, )
#define gn_init_xavier_uniform_(...)                                                               \
    GN_CALL1(gn_init_xavier_uniform_with, gn_init_options, __VA_ARGS__, )
#define gn_init_xavier_normal_(...)                                                                \
    GN_CALL1(gn_init_xavier_normal_with, gn_init_options, __VA_ARGS__, )
#define gn_init_kaiming_uniform_(...)                                                              \
    GN_CALL1(gn_init_kaiming_uniform_with, gn_init_options, __VA_ARGS__, )
#define gn_init_kaiming_normal_(...)                                                               \
    GN_CALL1(gn_init_kaiming_normal_with, gn_init_options, __VA_ARGS__, )
#define gn_init_dirac_(...) GN_CALL1(gn_init_dirac_with, gn_init_options, __VA_ARGS__, )
#define gn_init_orthogonal_(...) GN_CALL1(gn_init_orthogonal_with, gn_init_options, __VA_ARGS__, )
#define gn_init_sparse_(...) GN_CALL1(gn_init_sparse_with, gn_init_options, __VA_ARGS__, )

/* U(low, high); N(mean, std^2); the same, redrawn while outside of [low, high]; the value. */
GN_API gn_tensor *gn_init_uniform_with(gn_tensor *t, const gn_init_options *options);
GN_API gn_tensor *gn_init_normal_with(gn_tensor *t, const gn_init_options *options);
GN_API gn_tensor *gn_init_trunc_normal_with(gn_tensor *t, const gn_init_options *options);
GN_API gn_tensor *gn_init_constant_(gn_tensor *t, double value);

/* Glorot & Bengio 2010: U(+-gain sqrt(6 / (fan_in + fan_out))), or std gain sqrt(2 / (fan_in +
 * fan_out)). For values of given fans, not of a weight: of gn_empty(fan_in, fan_out). */
GN_API gn_tensor *gn_init_xavier_uniform_with(gn_tensor *t, const gn_init_options *options);
GN_API gn_tensor *gn_init_xavier_normal_with(gn_tensor *t, const gn_init_options *options);
/* He et al. 2015: U(+-gain sqrt(3 / fan)), or std gain / sqrt(fan), where gain is that of the
 * nonlinearity; .nonlinearity = "relu" is sqrt(2). */
GN_API gn_tensor *gn_init_kaiming_uniform_with(gn_tensor *t, const gn_init_options *options);
GN_API gn_tensor *gn_init_kaiming_normal_with(gn_tensor *t, const gn_init_options *options);

/* 1 on the diagonal of a matrix, 0 elsewhere. */
GN_API gn_tensor *gn_init_eye_(gn_tensor *t);
/* A convolution (1, 2 or 3 spatial dims) that hands on its channels: 1 in the kernel's middle where
 * the output channel, within its group, is the input channel. */
GN_API gn_tensor *gn_init_dirac_with(gn_tensor *t, const gn_init_options *options);
/* Saxe et al. 2013: as a matrix (out, in * kernel..), a random one with orthonormal rows or
 * columns, whichever are fewer, times gain. Computed on the host. */
GN_API gn_tensor *gn_init_orthogonal_with(gn_tensor *t, const gn_init_options *options);
/* A matrix of N(0, std^2) in which each column has a share `sparsity`, rounded up, of zeros. */
GN_API gn_tensor *gn_init_sparse_with(gn_tensor *t, const gn_init_options *options);

/* What a nonlinearity's input is to be scaled by: "linear", "conv1d" .. "conv_transpose3d",
 * "sigmoid": 1; "tanh": 5/3; "relu": sqrt(2); "leaky_relu": sqrt(2 / (1 + param^2)), param 0.01 if
 * not given; "selu": 3/4. Others are an error: 0. */
GN_API double gn_init_calculate_gain(const char *nonlinearity, gn_optional param);

/* Fills parameters of 2 and more dims (out, in, kernel..), and sets those named "bias" to 0.
 * "xavier": U(+-sqrt(6 / (fan_in + fan_out))), "kaiming": U(+-sqrt(6 / fan_in)), "normal":
 * N(0, 0.02^2), "uniform": U(+-0.1). */
GN_API gn_status gn_init_weights(gn_module *module, const char *type);

#ifdef __cplusplus
}
#endif
#endif
