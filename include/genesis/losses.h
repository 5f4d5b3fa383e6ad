/* SPDX-License-Identifier: Apache-2.0 */
/*
 * losses.h - losses, as functions and as modules. All differentiable, to targets, too, where they
 * are floating-point and PyTorch does so. Classes are int64 or another integer dtype.
 */
#ifndef GENESIS_LOSSES_H
#define GENESIS_LOSSES_H

#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gn_reduction {
    GN_REDUCE_MEAN,
    GN_REDUCE_SUM,
    GN_REDUCE_NONE,
    GN_REDUCE_BATCH_MEAN /* gn_kl_div: the sum divided by the size of dim 0 */
} gn_reduction;

/* An option that a loss does not have is an error. */
typedef struct gn_loss_options {
    size_t struct_size;
    gn_reduction reduction;
    gn_tensor *weight;        /* of classes (C); of elements, where the loss has no classes */
    gn_tensor *pos_weight;    /* bce_with_logits */
    gn_optional ignore_index; /* cross_entropy, nll: -100; targets of this index cost nothing */
    double label_smoothing;   /* cross_entropy */
    gn_optional margin;       /* hinge_embedding, multi_margin, triplet: 1; other margins: 0 */
    gn_optional beta;         /* smooth_l1: 1 */
    gn_optional delta;        /* huber: 1 */
    gn_optional p;            /* triplet: 2; multi_margin: 1 */
    gn_optional eps;          /* poisson_nll: 1e-8; gaussian_nll, triplet: 1e-6 */
    bool swap;                /* triplet */
    bool log_target;          /* kl_div */
    bool no_log_input;        /* poisson_nll: log_input=False */
    bool full;                /* poisson_nll, gaussian_nll */
} gn_loss_options;

/* input (N, C), (N, C, d..) or (C); target (N), (N, d..) or () class indices:
 * -weight[y] log_softmax(input)[y]; mean divides by the sum of the weights used (NaN if all targets
 * are ignored); label_smoothing e: (1 - e) of that, and e / C of it for every class. Or the target
 * has probabilities, in the shape of the input: sum_c -weight[c] t[c] log_softmax(input)[c]; mean
 * divides by the number of rows. */
#define gn_cross_entropy(...) GN_CALL2(gn_cross_entropy_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_cross_entropy_with(gn_tensor *input, gn_tensor *target,
                                        const gn_loss_options *options);
/* The same of log-probabilities and class indices: -weight[y] input[y]. */
#define gn_nll_loss(...) GN_CALL2(gn_nll_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_nll_loss_with(gn_tensor *input, gn_tensor *target,
                                   const gn_loss_options *options);
/* (x - t)^2, |x - t|; shapes broadcast, with a warning in the log. With a weight of the input's
 * shape, the mean divides by the sum of weights. */
#define gn_mse_loss(...) GN_CALL2(gn_mse_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_mse_loss_with(gn_tensor *input, gn_tensor *target,
                                   const gn_loss_options *options);
#define gn_l1_loss(...) GN_CALL2(gn_l1_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_l1_loss_with(gn_tensor *input, gn_tensor *target,
                                  const gn_loss_options *options);
/* |x - t| < beta ? (x - t)^2 / (2 beta) : |x - t| - beta / 2; shapes broadcast, with a warning. */
#define gn_smooth_l1_loss(...) GN_CALL2(gn_smooth_l1_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_smooth_l1_loss_with(gn_tensor *input, gn_tensor *target,
                                         const gn_loss_options *options);
/* |x - t| <= delta ? (x - t)^2 / 2 : delta (|x - t| - delta / 2); the same. Weight: of its shape. */
#define gn_huber_loss(...) GN_CALL2(gn_huber_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_huber_loss_with(gn_tensor *input, gn_tensor *target,
                                     const gn_loss_options *options);
/* -(y log x + (1 - y) log(1 - x)), logarithms at least -100; x outside [0, 1] is an error. */
#define gn_bce_loss(...) GN_CALL2(gn_bce_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_bce_loss_with(gn_tensor *input, gn_tensor *target,
                                   const gn_loss_options *options);
/* The same of sigmoid(x), stable; pos_weight: a factor of y log x. */
#define gn_bce_with_logits(...) GN_CALL2(gn_bce_with_logits_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_bce_with_logits_with(gn_tensor *input, gn_tensor *target,
                                          const gn_loss_options *options);
/* t (log t - x) of log-probabilities x, 0 where t is; log_target: t is log t. The divergence is the
 * batch mean: GN_REDUCE_BATCH_MEAN. Shapes broadcast here and below. */
#define gn_kl_div(...) GN_CALL2(gn_kl_div_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_kl_div_with(gn_tensor *input, gn_tensor *target,
                                 const gn_loss_options *options);
/* exp(x) - t x; no_log_input: x - t log(x + eps). full adds Stirling's approximation of log t! where
 * t > 1. */
#define gn_poisson_nll_loss(...) GN_CALL2(gn_poisson_nll_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_poisson_nll_loss_with(gn_tensor *input, gn_tensor *target,
                                           const gn_loss_options *options);
/* log(1 + exp(-t x)), t = 1 or -1. */
#define gn_soft_margin_loss(...) GN_CALL2(gn_soft_margin_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_soft_margin_loss_with(gn_tensor *input, gn_tensor *target,
                                           const gn_loss_options *options);
/* x where t = 1, max(0, margin - x) where t = -1. */
#define gn_hinge_embedding_loss(...)                                                               \
    GN_CALL2(gn_hinge_embedding_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_hinge_embedding_loss_with(gn_tensor *input, gn_tensor *target,
                                               const gn_loss_options *options);
/* Of (N, C) or (C): bce_with_logits, its mean over C being the loss of a row; weight (C). */
#define gn_multilabel_soft_margin_loss(...)                                                        \
    GN_CALL2(gn_multilabel_soft_margin_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_multilabel_soft_margin_loss_with(gn_tensor *input, gn_tensor *target,
                                                      const gn_loss_options *options);
/* x (N, C) or (C), y (N) or () class indices: sum over c != y of max(0, margin - x_y + x_c)^p / C,
 * p = 1 or 2, times weight[y]. */
#define gn_multi_margin_loss(...)                                                                  \
    GN_CALL2(gn_multi_margin_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_multi_margin_loss_with(gn_tensor *input, gn_tensor *target,
                                            const gn_loss_options *options);
/* x and y (N, C) or (C), the classes of a row being those before its first -1: the sum over these,
 * j, and over all others, i, of max(0, 1 - x_j + x_i) / C. */
#define gn_multilabel_margin_loss(...)                                                             \
    GN_CALL2(gn_multilabel_margin_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_multilabel_margin_loss_with(gn_tensor *input, gn_tensor *target,
                                                 const gn_loss_options *options);
/* cross_entropy with ignore_index -1, mean over what is not ignored; 0 where all is. */
GN_API gn_tensor *gn_softmax_loss(gn_tensor *input, gn_tensor *target);

/* ---- Of three arguments */

/* (log v + (x - t)^2 / v) / 2, v = max(var, eps); full adds log(2 pi) / 2. var has the shape of the
 * input, or 1 in one dim, or lacks the last; negative elements are an error. */
#define gn_gaussian_nll_loss(...)                                                                  \
    GN_CALL3(gn_gaussian_nll_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_gaussian_nll_loss_with(gn_tensor *input, gn_tensor *target, gn_tensor *var,
                                            const gn_loss_options *options);
/* max(0, -t (a - b) + margin), t = 1: a should be larger, -1: b should. */
#define gn_margin_ranking_loss(...)                                                                \
    GN_CALL3(gn_margin_ranking_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_margin_ranking_loss_with(gn_tensor *a, gn_tensor *b, gn_tensor *target,
                                              const gn_loss_options *options);
/* 1 - cos(a, b) where t = 1, max(0, cos(a, b) - margin) where t = -1   a, b (N, D), t (N), or (D)
 * and (). */
#define gn_cosine_embedding_loss(...)                                                              \
    GN_CALL3(gn_cosine_embedding_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_cosine_embedding_loss_with(gn_tensor *a, gn_tensor *b, gn_tensor *target,
                                                const gn_loss_options *options);
/* max(0, d(anchor, positive) - d(anchor, negative) + margin), d the gn_pairwise_distance by p, eps;
 * swap: with d(positive, negative), if that is smaller. (N, D) or (D). */
#define gn_triplet_margin_loss(...)                                                                \
    GN_CALL3(gn_triplet_margin_loss_with, gn_loss_options, __VA_ARGS__, )
GN_API gn_tensor *gn_triplet_margin_loss_with(gn_tensor *anchor, gn_tensor *positive,
                                              gn_tensor *negative, const gn_loss_options *options);

/* ---- Losses as modules: gn_loss(criterion, input, target). Weights are buffers. */

#define gn_nn_cross_entropy_loss(...)                                                              \
    gn_nn_cross_entropy_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_cross_entropy_loss_with(const gn_loss_options *options);
#define gn_nn_nll_loss(...) gn_nn_nll_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_nll_loss_with(const gn_loss_options *options);
#define gn_nn_mse_loss(...) gn_nn_mse_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_mse_loss_with(const gn_loss_options *options);
#define gn_nn_l1_loss(...) gn_nn_l1_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_l1_loss_with(const gn_loss_options *options);
#define gn_nn_smooth_l1_loss(...)                                                                  \
    gn_nn_smooth_l1_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_smooth_l1_loss_with(const gn_loss_options *options);
#define gn_nn_huber_loss(...) gn_nn_huber_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_huber_loss_with(const gn_loss_options *options);
#define gn_nn_bce_loss(...) gn_nn_bce_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_bce_loss_with(const gn_loss_options *options);
#define gn_nn_bce_with_logits_loss(...)                                                            \
    gn_nn_bce_with_logits_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_bce_with_logits_loss_with(const gn_loss_options *options);
#define gn_nn_kl_div_loss(...) gn_nn_kl_div_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_kl_div_loss_with(const gn_loss_options *options);
#define gn_nn_poisson_nll_loss(...)                                                                \
    gn_nn_poisson_nll_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_poisson_nll_loss_with(const gn_loss_options *options);
#define gn_nn_soft_margin_loss(...)                                                                \
    gn_nn_soft_margin_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_soft_margin_loss_with(const gn_loss_options *options);
#define gn_nn_hinge_embedding_loss(...)                                                            \
    gn_nn_hinge_embedding_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_hinge_embedding_loss_with(const gn_loss_options *options);
#define gn_nn_multilabel_soft_margin_loss(...)                                                     \
    gn_nn_multilabel_soft_margin_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_multilabel_soft_margin_loss_with(const gn_loss_options *options);
#define gn_nn_multi_margin_loss(...)                                                               \
    gn_nn_multi_margin_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_multi_margin_loss_with(const gn_loss_options *options);
#define gn_nn_multilabel_margin_loss(...)                                                          \
    gn_nn_multilabel_margin_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_multilabel_margin_loss_with(const gn_loss_options *options);
#define gn_nn_gaussian_nll_loss(...)                                                               \
    gn_nn_gaussian_nll_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_gaussian_nll_loss_with(const gn_loss_options *options);
#define gn_nn_margin_ranking_loss(...)                                                             \
    gn_nn_margin_ranking_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_margin_ranking_loss_with(const gn_loss_options *options);
#define gn_nn_cosine_embedding_loss(...)                                                           \
    gn_nn_cosine_embedding_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_cosine_embedding_loss_with(const gn_loss_options *options);
#define gn_nn_triplet_margin_loss(...)                                                             \
    gn_nn_triplet_margin_loss_with(GN_OPTIONS(gn_loss_options, __VA_ARGS__))
GN_API gn_module *gn_nn_triplet_margin_loss_with(const gn_loss_options *options);
GN_API gn_module *gn_nn_softmax_loss(void);
/* The loss of one's own module, too, if its class has a `loss` function. Those of three arguments
 * are called by gn_invoke(criterion, anchor, positive, negative). */
GN_API gn_tensor *gn_loss(gn_module *criterion, gn_tensor *input, gn_tensor *target);

#ifdef __cplusplus
}
#endif
#endif
