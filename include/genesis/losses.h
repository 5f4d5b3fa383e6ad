/* SPDX-License-Identifier: Apache-2.0 */
/*
 * losses.h - losses, as functions and as modules. All differentiable.
 */
#ifndef GENESIS_LOSSES_H
#define GENESIS_LOSSES_H

#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gn_reduction { GN_REDUCE_MEAN, GN_REDUCE_SUM, GN_REDUCE_NONE } gn_reduction;

typedef struct gn_loss_options {
    size_t struct_size;
    gn_reduction reduction;
    gn_tensor *weight;        /* cross entropy: (C) per class; BCE: per element, broadcast */
    gn_tensor *pos_weight;    /* BCE with logits */
    gn_optional ignore_index; /* cross entropy: -100 */
} gn_loss_options;

/* input (N, C), (N, C, d..) or (C); target (N), (N, d..) or () class indices:
 * -weight[y] log_softmax(input)[y]; mean divides by the sum of the weights used. */
#define gn_cross_entropy(...) GN_CALL2(gn_cross_entropy_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_cross_entropy_with(gn_tensor *input, gn_tensor *target,
                                        const gn_loss_options *options);
/* (x - y)^2 and |x - y|; shapes must be equal. */
#define gn_mse_loss(...) GN_CALL2(gn_mse_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_mse_loss_with(gn_tensor *input, gn_tensor *target,
                                   const gn_loss_options *options);
#define gn_l1_loss(...) GN_CALL2(gn_l1_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_l1_loss_with(gn_tensor *input, gn_tensor *target,
                                  const gn_loss_options *options);
/* -(y log x + (1 - y) log(1 - x)), logarithms at least -100; x outside [0, 1] is an error. */
#define gn_bce_loss(...) GN_CALL2(gn_bce_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_bce_loss_with(gn_tensor *input, gn_tensor *target,
                                   const gn_loss_options *options);
/* The same of sigmoid(x), stable. */
#define gn_bce_with_logits(...) GN_CALL2(gn_bce_with_logits_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_bce_with_logits_with(gn_tensor *input, gn_tensor *target,
                                          const gn_loss_options *options);

/* ---- Losses as modules: gn_loss(criterion, input, target) */

#define gn_nn_mse_loss(...) gn_nn_mse_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
#define gn_nn_cross_entropy_loss(...)                                                              \
    gn_nn_cross_entropy_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
#define gn_nn_bce_loss(...) gn_nn_bce_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_mse_loss_with(const gn_loss_options *options);
GN_API gn_module *
gn_nn_cross_entropy_loss_with(const gn_loss_options *options); /* weight: a buffer */
GN_API gn_module *gn_nn_bce_loss_with(const gn_loss_options *options);
#define gn_nn_l1_loss(...) gn_nn_l1_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
#define gn_nn_bce_with_logits_loss(...)                                                            \
    gn_nn_bce_with_logits_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_l1_loss_with(const gn_loss_options *options);
GN_API gn_module *gn_nn_bce_with_logits_loss_with(const gn_loss_options *options);
/* The loss of one's own module, too, if its class has a `loss` function. */
GN_API gn_tensor *gn_loss(gn_module *criterion, gn_tensor *input, gn_tensor *target);

#ifdef __cplusplus
}
#endif
#endif
