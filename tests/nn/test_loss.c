/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/loss.c, and through it of the functions, against PyTorch. Their errors
 * are in tests/ops/test_loss.c. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

#define NONE .reduction = GN_REDUCE_NONE
#define SUM .reduction = GN_REDUCE_SUM
/* Their values are loaded from the file. */
#define WEIGHT .weight = gn_zeros(4)

/* PyTorch has no modules for these. */
static void mse_with_weight(gn_module *module, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_mse_loss(in[0], in[1], .weight = gn_dict_tensor(gn_buffers(module), 0));
}

static void l1_with_weight(gn_module *module, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_l1_loss(in[0], in[1], .weight = gn_dict_tensor(gn_buffers(module), 0), SUM);
}

static void huber_with_weight(gn_module *module, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_huber_loss(in[0], in[1], .weight = gn_dict_tensor(gn_buffers(module), 0));
}

#define CASES(CASE)                                                                                \
    CASE(mse, gn_nn_mse_loss())                                                                    \
    CASE(mse_sum, gn_nn_mse_loss(SUM))                                                             \
    CASE(mse_none, gn_nn_mse_loss(NONE))                                                           \
    CASE(mse_wide, gn_nn_mse_loss())                                                               \
    CASE(l1, gn_nn_l1_loss())                                                                      \
    CASE(l1_none, gn_nn_l1_loss(NONE))                                                             \
    CASE(smooth_l1, gn_nn_smooth_l1_loss())                                                        \
    CASE(smooth_l1_sum, gn_nn_smooth_l1_loss(SUM, .beta = gn_some(0.5)))                           \
    CASE(smooth_l1_zero, gn_nn_smooth_l1_loss(.beta = gn_some(0)))                                 \
    CASE(huber, gn_nn_huber_loss())                                                                \
    CASE(huber_none, gn_nn_huber_loss(NONE, .delta = gn_some(0.5)))                                \
    CASE(mse_weight, gn_nn_mse_loss(.weight = gn_zeros(3, 4)), .run = mse_with_weight)             \
    CASE(l1_weight_sum, gn_nn_l1_loss(.weight = gn_zeros(3, 4)), .run = l1_with_weight)            \
    CASE(huber_weight, gn_nn_huber_loss(.weight = gn_zeros(3, 4)), .run = huber_with_weight)       \
    CASE(bce, gn_nn_bce_loss())                                                                    \
    CASE(bce_sum, gn_nn_bce_loss(SUM))                                                             \
    CASE(bce_weight, gn_nn_bce_loss(WEIGHT))                                                       \
    CASE(bce_logits, gn_nn_bce_with_logits_loss())                                                 \
    CASE(bce_logits_both,                                                                          \
         gn_nn_bce_with_logits_loss(NONE, .weight = gn_zeros(3, 1), .pos_weight = gn_zeros(4)))    \
    CASE(kl_div, gn_nn_kl_div_loss())                                                              \
    CASE(kl_div_batch, gn_nn_kl_div_loss(.reduction = GN_REDUCE_BATCH_MEAN))                       \
    CASE(kl_div_log, gn_nn_kl_div_loss(NONE, .log_target = true))                                  \
    CASE(poisson_nll, gn_nn_poisson_nll_loss())                                                    \
    CASE(poisson_nll_full, gn_nn_poisson_nll_loss(.full = true))                                   \
    CASE(poisson_nll_rate,                                                                         \
         gn_nn_poisson_nll_loss(SUM, .eps = gn_some(1e-4), .no_log_input = true))                  \
    CASE(gaussian_nll, gn_nn_gaussian_nll_loss())                                                  \
    CASE(gaussian_nll_full, gn_nn_gaussian_nll_loss(NONE, .eps = gn_some(0.5), .full = true))      \
    CASE(gaussian_nll_row, gn_nn_gaussian_nll_loss(SUM))                                           \
    CASE(cross_entropy, gn_nn_cross_entropy_loss())                                                \
    CASE(cross_entropy_weight, gn_nn_cross_entropy_loss(WEIGHT))                                   \
    CASE(cross_entropy_none, gn_nn_cross_entropy_loss(NONE, .ignore_index = gn_some(3)))           \
    CASE(cross_entropy_ignored, gn_nn_cross_entropy_loss(.ignore_index = gn_some(2)))              \
    CASE(cross_entropy_row, gn_nn_cross_entropy_loss())                                            \
    CASE(smoothing, gn_nn_cross_entropy_loss(.label_smoothing = 0.1))                              \
    CASE(smoothing_weight, gn_nn_cross_entropy_loss(WEIGHT, .label_smoothing = 0.1))               \
    CASE(smoothing_sum, gn_nn_cross_entropy_loss(SUM, .label_smoothing = 0.3))                     \
    CASE(smoothing_none, gn_nn_cross_entropy_loss(NONE, WEIGHT, .label_smoothing = 0.1))           \
    CASE(smoothing_row, gn_nn_cross_entropy_loss(.label_smoothing = 0.1))                          \
    CASE(probabilities, gn_nn_cross_entropy_loss())                                                \
    CASE(probabilities_weight, gn_nn_cross_entropy_loss(WEIGHT, .label_smoothing = 0.1))           \
    CASE(probabilities_none, gn_nn_cross_entropy_loss(NONE))                                       \
    CASE(probabilities_row, gn_nn_cross_entropy_loss(SUM))                                         \
    CASE(nll, gn_nn_nll_loss())                                                                    \
    CASE(nll_weight, gn_nn_nll_loss(WEIGHT))                                                       \
    CASE(nll_none, gn_nn_nll_loss(NONE, WEIGHT, .ignore_index = gn_some(3)))                       \
    CASE(nll_sum, gn_nn_nll_loss(SUM))                                                             \
    CASE(nll_row, gn_nn_nll_loss())                                                                \
    CASE(multi_margin, gn_nn_multi_margin_loss())                                                  \
    CASE(multi_margin_weight,                                                                      \
         gn_nn_multi_margin_loss(WEIGHT, .margin = gn_some(0.5), .p = gn_some(2)))                 \
    CASE(multi_margin_none, gn_nn_multi_margin_loss(NONE))                                         \
    CASE(multi_margin_row, gn_nn_multi_margin_loss())                                              \
    CASE(multilabel_margin, gn_nn_multilabel_margin_loss())                                        \
    CASE(multilabel_margin_none, gn_nn_multilabel_margin_loss(NONE))                               \
    CASE(multilabel_margin_row, gn_nn_multilabel_margin_loss(SUM))                                 \
    CASE(multilabel_soft_margin, gn_nn_multilabel_soft_margin_loss())                              \
    CASE(multilabel_soft_margin_weight, gn_nn_multilabel_soft_margin_loss(NONE, WEIGHT))           \
    CASE(multilabel_soft_margin_sum, gn_nn_multilabel_soft_margin_loss(SUM))                       \
    CASE(soft_margin, gn_nn_soft_margin_loss())                                                    \
    CASE(hinge_embedding, gn_nn_hinge_embedding_loss())                                            \
    CASE(hinge_embedding_sum, gn_nn_hinge_embedding_loss(SUM, .margin = gn_some(0.25)))            \
    CASE(margin_ranking, gn_nn_margin_ranking_loss())                                              \
    CASE(margin_ranking_tie, gn_nn_margin_ranking_loss(.margin = gn_some(1)))                      \
    CASE(margin_ranking_none, gn_nn_margin_ranking_loss(NONE, .margin = gn_some(0.5)))             \
    CASE(cosine_embedding, gn_nn_cosine_embedding_loss())                                          \
    CASE(cosine_embedding_margin, gn_nn_cosine_embedding_loss(NONE, .margin = gn_some(-0.9)))      \
    CASE(cosine_embedding_row, gn_nn_cosine_embedding_loss(SUM))                                   \
    CASE(triplet_margin, gn_nn_triplet_margin_loss())                                              \
    CASE(triplet_margin_tie, gn_nn_triplet_margin_loss(.p = gn_some(1), .eps = gn_some(0)))        \
    CASE(triplet_margin_swap,                                                                      \
         gn_nn_triplet_margin_loss(NONE, .margin = gn_some(5), .p = gn_some(1), .swap = true))     \
    CASE(triplet_margin_row, gn_nn_triplet_margin_loss(SUM))
MODULE_CASES(loss_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("loss", loss_cases, sizeof loss_cases / sizeof *loss_cases);
}
END_TEST

/* A weight is part of the state; a module that is no loss, or has other inputs, refuses. */
START_TEST(test_modules) {
    gn_tensor *x = gn_rand(4, 3), *y = gn_tensor_of(((int64_t[]){0, 1, 2, 1}), 4);
    gn_module *cross = gn_nn_cross_entropy_loss(.weight = gn_ones(3));
    ck_assert_str_eq(gn_dict_name(gn_state_dict(cross), 0), "weight");
    expect_close("gn_invoke", gn_invoke(cross, x, y), gn_loss(cross, x, y));
    ck_assert_ptr_null(gn_loss(gn_nn_relu(), x, y));
    expect_error_with(GN_E_UNSUPPORTED, "ReLU: this module is no loss of two arguments");
    ck_assert_ptr_null(gn_loss(gn_nn_triplet_margin_loss(), x, x));
    expect_error_with(GN_E_UNSUPPORTED, "TripletMarginLoss: this module is no loss of two");
    ck_assert_ptr_null(gn_invoke(gn_nn_triplet_margin_loss(), x, x));
    expect_error_with(GN_E_ARGUMENT, "TripletMarginLoss: 2 inputs are given, but it has 3");
    ck_assert_ptr_null(gn_invoke(gn_nn_triplet_margin_loss(), x, NULL, x));
    expect_error_with(GN_E_ARGUMENT, "TripletMarginLoss: a tensor is NULL");
    ck_assert_ptr_null(gn_nn_mse_loss(.reduction = (gn_reduction)9));
    expect_error_with(GN_E_ARGUMENT, "MSELoss: there is no reduction 9");
}
END_TEST

/* -1 is ignored; where all is, the loss is 0, and so is its gradient. */
START_TEST(test_softmax_loss) {
    gn_tensor *x = gn_requires_grad_(gn_randn(3, 4), true);
    gn_tensor *y = gn_tensor_of(((int64_t[]){2, -1, 0}), 3);
    gn_module *criterion = gn_nn_softmax_loss();
    expect_close("SoftmaxLoss", gn_detach(gn_loss(criterion, x, y)),
                 gn_detach(gn_cross_entropy(x, y, .ignore_index = gn_some(-1))));
    gn_tensor *nothing = gn_loss(criterion, x, gn_full_like(y, -1));
    ck_assert_double_eq(gn_item(nothing), 0);
    ck_assert_int_eq(gn_backward(nothing), GN_OK);
    expect_close("gradient", gn_grad(x), gn_zeros(3, 4));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_modules, test_softmax_loss, NULL};
    return suite_run("loss", tests);
}
