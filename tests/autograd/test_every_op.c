/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every differentiable operation: gradients of first and second order against finite differences,
 * and that each gradient goes to its own input, whichever of the inputs need one. What PyTorch
 * gives is the business of tools/genesis-conform.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/vision.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* ---- The operations: name, inputs, low and high of their values, their shapes, the result.
 * Values keep off kinks and off what has no derivative; sorted ones need no equal values. */

#define S GN_SHAPE
static gn_tensor *indices(void) { return gn_tensor_of(((int64_t[]){1, 0, 1}), 3); }
static gn_tensor *grid(void) { return gn_tensor_of(((int64_t[]){1, 0, 1, 0, 0, 1}), 2, 3); }
static gn_tensor *mask(void) {
    return gn_tensor_of(((bool[]){true, false, true, true, false, false}), 2, 3);
}
static gn_tensor *joined(gn_tensor *a, gn_tensor *b, bool stacked) {
    gn_tensor *both[] = {a, b};
    return stacked ? gn_stack(both, 2, 1) : gn_cat(both, 2, 0);
}
/* The second of the views that split, unbind make of x. */
static gn_tensor *part_of(gn_tensor *x, bool unbound) {
    gn_tensor *out[3];
    if (unbound)
        gn_unbind(x, 0, out, 3);
    else
        gn_split(x, 2, 1, out, 3);
    return out[1];
}
static gn_tensor *values_of(gn_tensor *x, bool top) {
    gn_tensor *places;
    return top ? gn_topk(x, 2, 1, true, &places) : gn_sort(x, 1, false, &places);
}
static gn_tensor *contracted(gn_tensor *a, gn_tensor *b) {
    return gn_einsum("ij,jk->ki", 2, (gn_tensor *[]){a, b});
}
static gn_tensor *stacked(gn_tensor *a, gn_tensor *b, bool side_by_side) {
    gn_tensor *both[] = {a, b};
    return side_by_side ? gn_hstack(both, 2) : gn_vstack(both, 2);
}
static gn_tensor *meshed(gn_tensor *a, gn_tensor *b) {
    gn_tensor *both[] = {a, b}, *out[2];
    gn_meshgrid(both, 2, true, out);
    return gn_mul(out[0], out[1]);
}
static gn_tensor *dropped(gn_tensor *(*function)(gn_tensor *, double, bool), gn_tensor *x) {
    gn_manual_seed(3);
    return function(x, 0.4, true);
}
static gn_tensor *rectified(gn_tensor *x) {
    gn_manual_seed(3);
    return gn_rrelu(x, 0.1, 0.9, true);
}
static gn_tensor *sampled(gn_tensor *x) {
    gn_manual_seed(3);
    return gn_gumbel_softmax(x, .tau = gn_some(0.5));
}

#define OPERATIONS(X)                                                                              \
    X(where, 2, -1, 1, S(2, 3), S(3), S(1), gn_where(mask(), a, b))                                \
    X(where_scalar_a, 1, -1, 1, S(2, 3), S(1), S(1), gn_where_scalar_a(mask(), 0.5, a))            \
    X(where_scalar_b, 1, -1, 1, S(2, 3), S(1), S(1), gn_where_scalar_b(mask(), a, 0.5))            \
    X(clamp, 1, -1, 1, S(2, 3), S(1), S(1), gn_clamp(a, gn_some(-0.5), gn_some(0.5)))              \
    X(map, 1, -1, 1, S(2, 3), S(1), S(1), gn_map("x * sin(k * x)", a, .params = {{"k", 2}}))       \
    X(add_, 2, -1, 1, S(2, 3), S(3), S(1), gn_add_(gn_square(a), gn_square(b)))                    \
    X(mul_, 2, -1, 1, S(2, 3), S(3), S(1), gn_mul_(gn_square(a), b))                               \
    X(div_, 2, 0.5, 1, S(2, 3), S(3), S(1), gn_div_(gn_square(a), b))                              \
    X(relu_, 1, -1, 1, S(2, 3), S(1), S(1), gn_relu_(gn_sin(a)))                                   \
    X(copy_, 2, -1, 1, S(2, 3), S(3), S(1), gn_copy_(gn_square(a), gn_sin(b)))                     \
    X(sum, 1, -1, 1, S(2, 3), S(1), S(1), gn_sum(a, .dims = GN_DIMS(0)))                           \
    X(mean, 1, -1, 1, S(2, 3), S(1), S(1), gn_mean(a, .dims = GN_DIMS(1), .keepdim = true))        \
    X(prod, 1, 0.5, 1, S(2, 3), S(1), S(1), gn_prod(a, .dims = GN_DIMS(1)))                        \
    X(var, 1, -1, 1, S(2, 3), S(1), S(1), gn_var(a, .dims = GN_DIMS(1)))                           \
    X(std, 1, -1, 1, S(2, 3), S(1), S(1), gn_std(a))                                               \
    X(amax, 1, -1, 1, S(2, 3), S(1), S(1), gn_amax(a, .dims = GN_DIMS(1)))                         \
    X(amin, 1, -1, 1, S(2, 3), S(1), S(1), gn_amin(a))                                             \
    X(logsumexp, 1, -1, 1, S(2, 3), S(1), S(1), gn_logsumexp(a, .dims = GN_DIMS(1)))               \
    X(max, 1, -1, 1, S(2, 3), S(1), S(1), gn_max(a, 1, false, NULL))                               \
    X(min, 1, -1, 1, S(2, 3), S(1), S(1), gn_min(a, 0, true, NULL))                                \
    X(norm1, 1, 0.2, 1, S(2, 3), S(1), S(1), gn_norm(a, 1, GN_DIMS(1), false))                     \
    X(norm2, 1, 0.2, 1, S(2, 3), S(1), S(1), gn_norm(a, 2, GN_DIMS(0, 1), false))                  \
    X(norm3, 1, 0.2, 1, S(2, 3), S(1), S(1), gn_norm(a, 3, GN_DIMS(1), true))                      \
    X(sum_to_shape, 1, -1, 1, S(2, 3), S(1), S(1), gn_sum_to_shape(a, S(1, 3)))                    \
    X(cumsum, 1, -1, 1, S(2, 3), S(1), S(1), gn_cumsum(a, 1))                                      \
    X(matmul, 2, -1, 1, S(2, 2, 3), S(3, 2), S(1), gn_matmul(a, b))                                \
    X(mm, 2, -1, 1, S(2, 3), S(3, 2), S(1), gn_mm(a, b))                                           \
    X(bmm, 2, -1, 1, S(2, 2, 3), S(2, 3, 1), S(1), gn_bmm(a, b))                                   \
    X(dot, 2, -1, 1, S(3), S(3), S(1), gn_dot(a, b))                                               \
    X(outer, 2, -1, 1, S(3), S(2), S(1), gn_outer(a, b))                                           \
    X(linear, 3, -1, 1, S(2, 3), S(2, 3), S(2), gn_linear(a, b, c))                                \
    X(conv2d, 3, -1, 1, S(1, 2, 3, 3), S(2, 1, 2, 2), S(2),                                        \
      gn_conv2d(a, b, c, .groups = 2, .padding = 1, .stride = 2))                                  \
    X(conv1d, 3, -1, 1, S(2, 4), S(1, 2, 3), S(1),                                                 \
      gn_conv1d(a, b, c, .same_padding = true, .padding_mode = GN_PAD_CIRCULAR))                   \
    X(conv3d, 2, -1, 1, S(1, 1, 2, 3, 2), S(1, 1, 2, 2, 1), S(1), gn_conv3d(a, b, NULL))           \
    X(conv_transpose1d, 3, -1, 1, S(1, 2, 3), S(2, 1, 2), S(2),                                    \
      gn_conv_transpose1d(a, b, c, .stride = 2, .output_padding = 1, .groups = 2))                 \
    X(max_pool1d, 1, -9, 9, S(1, 1, 4), S(1), S(1), gn_max_pool1d(a, 2))                           \
    X(max_pool2d, 1, -9, 9, S(1, 1, 4, 4), S(1), S(1), gn_max_pool2d(a, 2))                        \
    X(avg_pool2d, 1, -1, 1, S(1, 1, 4, 4), S(1), S(1), gn_avg_pool2d(a, 3, .padding = 1))          \
    X(adaptive_avg_pool2d, 1, -1, 1, S(1, 1, 3, 4), S(1), S(1), gn_adaptive_avg_pool2d(a, 2, 3))   \
    X(adaptive_max_pool2d, 1, -9, 9, S(1, 1, 3, 4), S(1), S(1),                                    \
      gn_adaptive_max_pool2d(a, 2, 3, NULL))                                                       \
    X(unfold, 1, -1, 1, S(1, 1, 3, 3), S(1), S(1), gn_unfold(a, 2, .padding = 1, .stride = 2))     \
    X(fold, 1, -1, 1, S(1, 4, 2), S(1), S(1), gn_fold(a, GN_SHAPE(3, 2), 2))                       \
    X(batch_norm, 3, 0.2, 2, S(3, 2, 2), S(2), S(2),                                               \
      gn_batch_norm(a, NULL, NULL, b, c, .training = true))                                        \
    X(layer_norm, 3, 0.2, 2, S(2, 3), S(3), S(3), gn_layer_norm(a, S(3), b, c))                    \
    X(rms_norm, 2, 0.2, 2, S(2, 3), S(3), S(1), gn_rms_norm(a, S(3), b))                           \
    X(group_norm, 3, 0.2, 2, S(2, 4, 2), S(4), S(4), gn_group_norm(a, 2, b, c))                    \
    X(instance_norm, 3, 0.2, 2, S(1, 2, 3), S(2), S(2), gn_instance_norm(a, NULL, NULL, b, c))     \
    X(local_response_norm, 1, 0.2, 2, S(1, 3, 2), S(1), S(1),                                      \
      gn_local_response_norm(a, 2, .alpha = gn_some(0.5)))                                         \
    X(softmax, 1, -1, 1, S(2, 3), S(1), S(1), gn_softmax(a, 1))                                    \
    X(log_softmax, 1, -1, 1, S(2, 3), S(1), S(1), gn_log_softmax(a, 0))                            \
    X(softplus, 1, -1, 1, S(2, 3), S(1), S(1), gn_softplus(a, .beta = gn_some(1.5)))               \
    X(celu, 1, 0.2, 1, S(2, 3), S(1), S(1), gn_celu(gn_neg(a), 1.3))                               \
    X(softshrink, 1, 0.6, 1, S(2, 3), S(1), S(1), gn_softshrink(gn_square(a), 0.2))                \
    X(hardtanh, 1, 0.2, 0.8, S(2, 3), S(1), S(1), gn_hardtanh(gn_square(a), -1, 1))                \
    X(threshold, 1, 0.2, 1, S(2, 3), S(1), S(1), gn_threshold(gn_square(a), 0, 3))                 \
    X(prelu, 2, 0.2, 1, S(2, 3), S(3), S(1), gn_prelu(gn_neg(a), b))                               \
    X(rrelu, 1, 0.2, 1, S(2, 3), S(1), S(1), rectified(gn_neg(a)))                                 \
    X(glu, 1, -1, 1, S(2, 4), S(1), S(1), gn_glu(a, 1))                                            \
    X(softmin, 1, -1, 1, S(2, 3), S(1), S(1), gn_softmin(a, 1))                                    \
    X(gumbel_softmax, 1, -1, 1, S(2, 3), S(1), S(1), sampled(a))                                   \
    X(normalize, 1, 0.2, 1, S(2, 3), S(1), S(1), gn_normalize(a))                                  \
    X(cosine_similarity, 2, 0.2, 1, S(2, 3), S(3), S(1), gn_cosine_similarity(a, b))               \
    X(pairwise_distance, 2, -1, 1, S(2, 3), S(3), S(1), gn_pairwise_distance(a, b))                \
    X(bilinear, 3, -1, 1, S(2, 3), S(2, 2), S(2, 3, 2), gn_bilinear(a, b, c, NULL))                \
    X(dropout, 1, 0.2, 1, S(2, 3), S(1), S(1), dropped(gn_dropout, a))                             \
    X(dropout1d, 1, 0.2, 1, S(3, 2), S(1), S(1), dropped(gn_dropout1d, a))                         \
    X(alpha_dropout, 1, 0.2, 1, S(2, 3), S(1), S(1), dropped(gn_alpha_dropout, a))                 \
    X(embedding, 1, -1, 1, S(2, 3), S(1), S(1), gn_embedding(indices(), a))                        \
    X(embedding_bag, 2, -1, 1, S(2, 3), S(2, 3), S(1),                                             \
      gn_embedding_bag(grid(), a, .mode = GN_BAG_SUM, .per_sample_weights = b))                    \
    X(embedding_bag_max, 1, -1, 1, S(2, 3), S(1), S(1),                                            \
      gn_embedding_bag(grid(), a, .mode = GN_BAG_MAX))                                             \
    X(attention, 3, -1, 1, S(1, 2, 3), S(1, 3, 3), S(1, 3, 2),                                     \
      gn_scaled_dot_product_attention(a, b, c, .causal = true))                                    \
    X(cross_entropy, 1, -1, 1, S(3, 2), S(1), S(1), gn_cross_entropy(a, indices()))                \
    X(mse_loss, 2, -1, 1, S(2, 3), S(2, 3), S(1), gn_mse_loss(a, b))                               \
    X(l1_loss, 2, -1, 1, S(2, 3), S(2, 3), S(1), gn_l1_loss(gn_exp(a), gn_neg(gn_exp(b))))         \
    X(bce_loss, 2, 0.2, 0.8, S(2, 3), S(2, 3), S(1), gn_bce_loss(a, b))                            \
    X(bce_with_logits, 2, 0.2, 0.8, S(2, 3), S(2, 3), S(1), gn_bce_with_logits(a, b))              \
    X(cross_entropy_weight, 1, -1, 1, S(3, 2), S(1), S(1),                                         \
      gn_cross_entropy(a, indices(), .weight = gn_cast(gn_arange(1, 3, 1, NULL), gn_dtype_of(a)))) \
    X(cross_entropy_sum, 1, -1, 1, S(3, 2), S(1), S(1),                                            \
      gn_cross_entropy(a, indices(), .reduction = GN_REDUCE_SUM))                                  \
    X(cross_entropy_none, 1, -1, 1, S(3, 2), S(1), S(1),                                           \
      gn_cross_entropy(a, indices(), .reduction = GN_REDUCE_NONE, .ignore_index = gn_some(0)))     \
    X(cross_entropy_smoothed, 1, -1, 1, S(3, 2), S(1), S(1),                                       \
      gn_cross_entropy(a, indices(), .label_smoothing = 0.1))                                      \
    X(cross_entropy_shares, 2, -1, 1, S(3, 2), S(3, 2), S(1),                                      \
      gn_cross_entropy(a, b, .label_smoothing = 0.1))                                              \
    X(nll_loss, 1, -1, 1, S(3, 2), S(1), S(1), gn_nll_loss(gn_square(a), indices()))               \
    X(mse_loss_sum, 2, -1, 1, S(2, 3), S(3), S(1), gn_mse_loss(a, b, .reduction = GN_REDUCE_SUM))  \
    X(mse_loss_none, 2, -1, 1, S(2, 3), S(3), S(1),                                                \
      gn_mse_loss(a, b, .reduction = GN_REDUCE_NONE))                                              \
    X(smooth_l1_loss, 2, 0.1, 0.9, S(2, 3), S(2, 3), S(1),                                         \
      gn_smooth_l1_loss(a, b, .beta = gn_some(2)))                                                 \
    X(huber_loss, 2, 0.1, 0.9, S(2, 3), S(2, 3), S(1), gn_huber_loss(a, b, .delta = gn_some(2)))   \
    X(bce_with_logits_weights, 3, 0.2, 0.8, S(2, 3), S(2, 3), S(2, 1),                             \
      gn_bce_with_logits(a, b, .weight = c,                                                        \
                         .pos_weight = gn_full(S(3), 1.5, GN_AS(.dtype = gn_dtype_of(a)))))        \
    X(kl_div, 2, 0.1, 0.9, S(2, 3), S(2, 3), S(1), gn_kl_div(gn_square(a), b))                     \
    X(kl_div_log, 2, -1, -0.1, S(2, 3), S(2, 3), S(1),                                             \
      gn_kl_div(gn_square(a), b, .log_target = true))                                              \
    X(poisson_nll_loss, 2, 1.5, 2.5, S(2, 3), S(2, 3), S(1),                                       \
      gn_poisson_nll_loss(a, b, .full = true))                                                     \
    X(poisson_nll_loss_rate, 2, 0.2, 0.9, S(2, 3), S(2, 3), S(1),                                  \
      gn_poisson_nll_loss(a, b, .no_log_input = true))                                             \
    X(gaussian_nll_loss, 3, 0.5, 2, S(2, 3), S(2, 3), S(2), gn_gaussian_nll_loss(a, b, c))         \
    X(soft_margin_loss, 2, -1, 1, S(2, 3), S(2, 3), S(1), gn_soft_margin_loss(a, b))               \
    X(multilabel_soft_margin, 2, -1, 1, S(2, 3), S(2, 3), S(1),                                    \
      gn_multilabel_soft_margin_loss(a, b))                                                        \
    X(multi_margin_loss, 1, -0.4, 0.4, S(3, 2), S(1), S(1),                                        \
      gn_multi_margin_loss(a, indices(), .p = gn_some(2)))                                         \
    X(multilabel_margin_loss, 1, 0.1, 0.4, S(2, 3), S(1), S(1),                                    \
      gn_multilabel_margin_loss(gn_square(a), gn_sub_scalar(grid(), 1)))                           \
    X(hinge_embedding_loss, 1, 0.1, 0.4, S(2, 3), S(1), S(1),                                      \
      gn_hinge_embedding_loss(gn_square(a), mask()))                                               \
    X(margin_ranking_loss, 3, -1, 1, S(2, 3), S(2, 3), S(1, 3),                                    \
      gn_margin_ranking_loss(a, b, c, .margin = gn_some(9)))                                       \
    X(cosine_embedding_loss, 2, 0.2, 1, S(3, 2), S(3, 2), S(1),                                    \
      gn_cosine_embedding_loss(a, b, gn_sub_scalar(gn_mul_scalar(indices(), 2), 1),                \
                               .margin = gn_some(-1)))                                             \
    X(triplet_margin_loss, 3, -1, 1, S(2, 3), S(2, 3), S(2, 3),                                    \
      gn_triplet_margin_loss(a, b, c, .margin = gn_some(9)))                                       \
    X(cast, 1, -1, 1, S(2, 3), S(1), S(1), gn_cast(a, gn_dtype_of(a)))                             \
    X(clone, 1, -1, 1, S(2, 3), S(1), S(1), gn_clone(a))                                           \
    X(contiguous, 1, -1, 1, S(2, 3), S(1), S(1), gn_contiguous(gn_transpose(a, 0, 1)))             \
    X(view, 1, -1, 1, S(2, 3), S(1), S(1), gn_view(a, 3, 2))                                       \
    X(reshape, 1, -1, 1, S(2, 3), S(1), S(1), gn_reshape(gn_t(a), 2, 3))                           \
    X(expand, 1, -1, 1, S(3), S(1), S(1), gn_expand(a, 2, 3))                                      \
    X(permute, 1, -1, 1, S(2, 3), S(1), S(1), gn_permute(a, 1, 0))                                 \
    X(flatten, 1, -1, 1, S(2, 3), S(1), S(1), gn_flatten(a, 0))                                    \
    X(squeeze, 1, -1, 1, S(2, 1, 3), S(1), S(1), gn_squeeze(a))                                    \
    X(unsqueeze, 1, -1, 1, S(2, 3), S(1), S(1), gn_unsqueeze(a, 1))                                \
    X(select, 1, -1, 1, S(2, 3), S(1), S(1), gn_select(a, 1, -1))                                  \
    X(narrow, 1, -1, 1, S(2, 3), S(1), S(1), gn_narrow(a, 1, 1, 2))                                \
    X(slice, 1, -1, 1, S(2, 3), S(1), S(1), gn_slice(a, 1, 0, 3, 2))                               \
    X(as_strided, 1, -1, 1, S(2, 3), S(1), S(1), gn_as_strided(a, S(2, 2), S(1, 1), 1))            \
    X(diagonal, 1, -1, 1, S(2, 3), S(1), S(1), gn_diagonal(a, 1, 0, 1))                            \
    X(cat, 2, -1, 1, S(2, 3), S(1, 3), S(1), joined(a, b, false))                                  \
    X(stack, 2, -1, 1, S(2, 3), S(2, 3), S(1), joined(a, b, true))                                 \
    X(split, 1, -1, 1, S(2, 3), S(1), S(1), part_of(a, false))                                     \
    X(unbind, 1, -1, 1, S(2, 3), S(1), S(1), part_of(a, true))                                     \
    X(repeat_interleave, 1, -1, 1, S(2, 3), S(1), S(1), gn_repeat_interleave(a, 2, 1))             \
    X(repeat_interleave_by, 1, -1, 1, S(3, 2), S(1), S(1),                                         \
      gn_repeat_interleave_by(a, indices(), 0))                                                    \
    X(flip, 1, -1, 1, S(2, 3), S(1), S(1), gn_flip(a, GN_DIMS(1)))                                 \
    X(pad, 1, -1, 1, S(2, 3), S(1), S(1), gn_pad(a, S(1, -1), S(0, 2), 0.5))                       \
    X(pad_mode, 1, -1, 1, S(2, 3), S(1), S(1), gn_pad_mode(a, S(0, 2), S(0, -1), GN_PAD_REFLECT))  \
    X(interpolate, 1, -1, 1, S(1, 1, 2, 3), S(1), S(1),                                            \
      gn_interpolate(a, .size = S(3, 2), .mode = GN_INTERPOLATE_BICUBIC))                          \
    X(grid_sample, 2, -0.7, 0.7, S(1, 1, 2, 3), S(1, 1, 2, 2), S(1),                               \
      gn_grid_sample(a, b, .padding_mode = GN_GRID_BORDER))                                        \
    X(affine_grid, 1, -1, 1, S(1, 2, 3), S(1), S(1), gn_affine_grid(a, S(1, 1, 2, 2), false))      \
    X(pixel_shuffle, 1, -1, 1, S(4, 1, 2), S(1), S(1), gn_pixel_shuffle(a, 2))                     \
    X(pixel_unshuffle, 1, -1, 1, S(1, 2, 2), S(1), S(1), gn_pixel_unshuffle(a, 2))                 \
    X(channel_shuffle, 1, -1, 1, S(1, 4, 1), S(1), S(1), gn_channel_shuffle(a, 2))                 \
    X(triu, 1, -1, 1, S(2, 3), S(1), S(1), gn_triu(a, 0))                                          \
    X(tril, 1, -1, 1, S(2, 3), S(1), S(1), gn_tril(a, 0))                                          \
    X(index, 1, -1, 1, S(2, 3), S(1), S(1), gn_index(a, GN_BY(indices()), GN_FROM(1)))             \
    X(index_put, 2, -1, 1, S(2, 3), S(3), S(1),                                                    \
      gn_index_put(gn_square(a), b, GN_BY(gn_slice(indices(), 0, 0, 2, 1))))                       \
    X(index_accumulate, 2, -1, 1, S(2, 3), S(3), S(1),                                             \
      gn_index_accumulate(gn_square(a), gn_square(b), GN_BY(indices())))                           \
    X(gather, 1, -1, 1, S(2, 3), S(1), S(1), gn_gather(a, 1, grid()))                              \
    X(scatter, 2, -1, 1, S(2, 3), S(2, 3), S(1), gn_scatter(a, 1, grid(), b))                      \
    X(scatter_add, 2, -1, 1, S(2, 3), S(2, 3), S(1), gn_scatter_add(a, 1, grid(), b))              \
    X(index_select, 1, -1, 1, S(2, 3), S(1), S(1), gn_index_select(a, 0, indices()))               \
    X(masked_fill, 1, -1, 1, S(2, 3), S(1), S(1), gn_masked_fill(a, mask(), 2))                    \
    X(masked_select, 1, -1, 1, S(2, 3), S(1), S(1), gn_masked_select(a, mask()))                   \
    X(bincount, 1, -1, 1, S(3), S(1), S(1), gn_bincount(indices(), a, 3))                          \
    X(sort, 1, -1, 1, S(2, 3), S(1), S(1), values_of(a, false))                                    \
    X(topk, 1, -1, 1, S(2, 3), S(1), S(1), values_of(a, true))                                     \
    X(lerp, 3, 0.1, 0.4, S(2, 3), S(3), S(2, 1), gn_lerp(a, b, c))                                 \
    X(lerp_scalar, 2, -1, 1, S(2, 3), S(3), S(1), gn_lerp_scalar(a, b, 0.7))                       \
    X(addcmul, 3, -1, 1, S(2, 3), S(3), S(2, 1), gn_addcmul(a, b, c, 2))                           \
    X(addcdiv, 3, 0.5, 1, S(2, 3), S(3), S(2, 1), gn_addcdiv(a, b, c, 2))                          \
    X(nan_to_num, 1, -1, 1, S(2, 3), S(1), S(1), gn_nan_to_num(a))                                 \
    X(cumprod, 1, -1, 1, S(2, 3), S(1), S(1), gn_cumprod(a, 1))                                    \
    X(median, 1, -1, 1, S(2, 3), S(1), S(1), gn_median(a, 1, false, NULL))                         \
    X(median_all, 1, -1, 1, S(2, 3), S(1), S(1), gn_median_all(a))                                 \
    X(mode, 1, -1, 1, S(2, 3), S(1), S(1), gn_mode(a, 1, true, NULL))                              \
    X(mv, 2, -1, 1, S(2, 3), S(3), S(1), gn_mv(a, b))                                              \
    X(addmm, 3, -1, 1, S(2), S(2, 3), S(3, 2), gn_addmm(a, b, c, .beta = gn_some(2)))              \
    X(baddbmm, 3, -1, 1, S(2), S(2, 2, 3), S(2, 3, 2), gn_baddbmm(a, b, c, .alpha = gn_some(2)))   \
    X(tensordot, 2, -1, 1, S(2, 3), S(2, 2), S(1), gn_tensordot(a, b, GN_DIMS(0), GN_DIMS(1)))     \
    X(kron, 2, -1, 1, S(2, 2), S(2), S(1), gn_kron(a, b))                                          \
    X(trace, 1, -1, 1, S(2, 3), S(1), S(1), gn_trace(a))                                           \
    X(einsum, 2, -1, 1, S(2, 3), S(3, 2), S(1), contracted(a, b))                                  \
    X(safe_softmax, 1, -1, 1, S(2, 3), S(1), S(1), gn_safe_softmax(a, 1))                          \
    X(unfold_dim, 1, -1, 1, S(2, 3), S(1), S(1), gn_unfold_dim(a, 1, 2, 1))                        \
    X(movedim, 1, -1, 1, S(2, 1, 3), S(1), S(1), gn_movedim(a, GN_DIMS(0), GN_DIMS(2)))            \
    X(repeat, 1, -1, 1, S(2, 3), S(1), S(1), gn_repeat(a, 2, 1, 2))                                \
    X(tile, 1, -1, 1, S(2, 3), S(1), S(1), gn_tile(a, 2))                                          \
    X(roll, 1, -1, 1, S(2, 3), S(1), S(1), gn_roll(a, GN_DIMS(1), GN_DIMS(1)))                     \
    X(diag, 1, -1, 1, S(3), S(1), S(1), gn_diag(a, 1))                                             \
    X(hstack, 2, -1, 1, S(2, 3), S(2, 1), S(1), stacked(a, b, true))                               \
    X(vstack, 2, -1, 1, S(2, 3), S(3), S(1), stacked(a, b, false))                                 \
    X(meshgrid, 2, -1, 1, S(2), S(3), S(1), meshed(a, b))                                          \
    X(index_add, 2, -1, 1, S(2, 3), S(3, 3), S(1), gn_index_add(a, 0, indices(), b))               \
    X(index_copy, 2, -1, 1, S(3, 3), S(1, 3), S(1),                                                \
      gn_index_copy(a, 0, gn_slice(indices(), 0, 1, 2, 1), b))                                     \
    X(take_along_dim, 1, -1, 1, S(1, 3), S(1), S(1), gn_take_along_dim(a, grid(), 1))              \
    X(scatter_amax, 2, -1, 1, S(2, 3), S(2, 3), S(1),                                              \
      gn_scatter_reduce(a, 1, grid(), b, .reduce = GN_COMBINE_AMAX))                               \
    X(scatter_mean, 2, -1, 1, S(2, 3), S(2, 3), S(1),                                              \
      gn_scatter_reduce(a, 1, grid(), b, .reduce = GN_COMBINE_MEAN, .exclude_self = true))

typedef struct operation {
    const char *name;
    gn_differentiable *fn;
    int n;
    double low, high;
    gn_shape shape[3];
} operation;

#define X(name, n, low, high, s0, s1, s2, result)                                                  \
    static gn_tensor *name##_(gn_tensor *const *in, void *context) {                               \
        gn_tensor *a = in[0], *b = in[1], *c = in[2];                                              \
        (void)a, (void)b, (void)c, (void)context;                                                  \
        return result;                                                                             \
    }
OPERATIONS(X)
#undef X

/* Rows of pointwise.def: their functions as gn_differentiable. The scalar is 1.5. */
#define GN_UNARY(function, expression, gradient, meaning)                                          \
    static gn_tensor *function##_row(gn_tensor *const *in, void *context) {                        \
        (void)context;                                                                             \
        return function(in[0]);                                                                    \
    }
#define GN_UNARY_SCALAR(function, expression, gradient, meaning)                                   \
    static gn_tensor *function##_row(gn_tensor *const *in, void *context) {                        \
        (void)context;                                                                             \
        return function(in[0], 1.5);                                                               \
    }
#define GN_BINARY(function, expression, gradient_a, gradient_b, meaning)                           \
    static gn_tensor *function##_row(gn_tensor *const *in, void *context) {                        \
        (void)context;                                                                             \
        return function(in[0], in[1]);                                                             \
    }
#include <genesis/pointwise.def>
#undef GN_UNARY
#undef GN_UNARY_SCALAR
#undef GN_BINARY

static const operation operations[] = {
#define X(name, n, low, high, s0, s1, s2, result) {#name, name##_, n, low, high, {s0, s1, s2}},
    OPERATIONS(X)
#undef X
};

/* Shapes that broadcast, and values for which all of them are defined; acosh takes 1 more. */
static const operation pointwise[] = {
#define GN_UNARY(function, expression, gradient, meaning)                                          \
    {#function, function##_row, 1, 0.1, 0.9, {{2, {2, 3}}}},
#define GN_UNARY_SCALAR(function, expression, gradient, meaning)                                   \
    {#function, function##_row, 1, 0.1, 0.9, {{2, {2, 3}}}},
#define GN_BINARY(function, expression, gradient_a, gradient_b, meaning)                           \
    {#function, function##_row, 2, 0.1, 0.9, {{2, {2, 3}}, {1, {3}}}},
#include <genesis/pointwise.def>
#undef GN_UNARY
#undef GN_UNARY_SCALAR
#undef GN_BINARY
};

/* ---- First and second order */

static void make_inputs(const operation *o, int dtype, unsigned needed, gn_tensor **in) {
    const bool acosh_ = strcmp(o->name, "gn_acosh") == 0;
    gn_manual_seed(11);
    for (int i = 0; i < 3; i++) {
        if (i >= o->n) {
            in[i] = NULL;
            continue;
        }
        gn_tensor *values = gn_empty_with(o->shape[i], GN_AS(.dtype = dtype));
        in[i] = gn_uniform_(values, o->low + acosh_, o->high + acosh_, NULL);
        gn_requires_grad_(in[i], needed >> i & 1);
    }
}

/* The square, so that linear operations have second derivatives, too. */
static gn_tensor *squared(gn_tensor *const *in, void *context) {
    const operation *o = context;
    gn_tensor *all[3] = {NULL};
    for (int i = 0; i < o->n; i++)
        all[i] = in[i];
    return gn_square(o->fn(all, NULL));
}

/* Steps, whose gradient is 0, have no second derivative to look at. */
static bool is_step(const char *name) {
    static const char *const steps[] = {"gn_sign",
                                        "gn_floor",
                                        "gn_ceil",
                                        "gn_trunc",
                                        "gn_round",
                                        "gn_floor_divide",
                                        "gn_floor_divide_scalar"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (strcmp(name, steps[i]) == 0)
            return true;
    return false;
}

static void check_orders(const operation *o) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *in[3];
    make_inputs(o, GN_F64, 7, in);
    const gn_gradcheck_options options = {.struct_size = sizeof options,
                                          .second_order = !is_step(o->name)};
    gn_gradcheck(squared, (void *)o, o->n, in, &options);
    ck_assert_msg(gn_error_status() == GN_OK, "%s: %s", o->name, gn_error());
    gn_scope_end(scope);
}

/* Bool results are without gradient, and the operations on bits take no floats. */
static bool is_differentiable(const operation *o) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *in[3];
    make_inputs(o, GN_F32, 7, in);
    bool differentiable = !strstr(o->name, "bitwise") && gn_is_floating_point(o->fn(in, NULL));
    gn_scope_end(scope);
    return differentiable;
}

START_TEST(test_orders) {
    if (!has_dtype(GN_F64))
        return;
    int checked = 0;
    for (size_t i = 0; i < sizeof pointwise / sizeof *pointwise; i++)
        if (is_differentiable(&pointwise[i])) {
            check_orders(&pointwise[i]);
            checked++;
        }
    ck_assert_int_ge(checked, 60); /* none of the arithmetic was left out */
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        check_orders(&operations[i]);
}
END_TEST

/* ---- Routing: any inputs may need gradients, and each gets its own */

/* gradients[i]: of sum(f^2), NULL where no gradient came. */
static void gradients_of(const operation *o, unsigned needed, gn_tensor **gradients) {
    gn_tensor *in[3];
    make_inputs(o, GN_F32, needed, in);
    gn_backward(gn_sum(squared(in, (void *)o)));
    for (int i = 0; i < o->n; i++)
        gradients[i] = gn_grad(in[i]);
    ck_assert_msg(gn_error_status() == GN_OK, "%s: %s", o->name, gn_error());
}

static void check_routing(const operation *o) {
    gn_scope scope = gn_scope_begin();
    const unsigned all = (1u << o->n) - 1;
    gn_tensor *expected[3], *found[3];
    gradients_of(o, all, expected);
    for (unsigned needed = 1; needed < all; needed++) {
        gradients_of(o, needed, found);
        for (int i = 0; i < o->n; i++)
            if (needed >> i & 1 && expected[i])
                expect_close(o->name, found[i], expected[i]);
            else
                ck_assert_msg(!found[i], "%s: input %d got a gradient", o->name, i);
    }
    gn_scope_end(scope);
}

START_TEST(test_routing) {
    for (size_t i = 0; i < sizeof pointwise / sizeof *pointwise; i++)
        if (pointwise[i].n > 1 && is_differentiable(&pointwise[i]))
            check_routing(&pointwise[i]);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (operations[i].n > 1)
            check_routing(&operations[i]);
}
END_TEST

int main(void) {
    const char *device = getenv("GENESIS_DEVICE");
    if (device && strstr(device, "opencl")) {
        puts("SKIP: gradients are programs and operations whatever the device, and compiling "
             "hundreds of kernels takes minutes; tests/ops checks each kind of them on opencl");
        return 77;
    }
    const TTest *tests[] = {test_orders, test_routing, NULL};
    return suite_run("every_op", tests);
}
