/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/loss.c, class_loss.c, cross_entropy.c, margin_loss.c, distance_loss.c. Values
 * against PyTorch are in tests/nn/test_loss.c and genesis-conform, derivatives of second order in
 * tests/autograd/test_every_op.c. */
#include <math.h>
#include <stdlib.h>

#include "base/internal.h"
#include "tests/capture.h"
#include "tests/expect.h"
#include "tests/suite.h"

/* Shapes of the difference broadcast, as PyTorch's do, and the gradient has its input's shape. */
START_TEST(test_broadcast) {
    gn_tensor *x = gn_requires_grad_(gn_randn(3, 1), true), *t = gn_randn(3);
    gn_tensor *loss = gn_mse_loss(x, t);
    expect_close("mse_loss", gn_detach(loss), gn_detach(gn_mean(gn_square(gn_sub(x, t)))));
    ck_assert_int_eq(gn_backward(loss), GN_OK);
    ck_assert(gn_same_shape(gn_grad(x), x));
    /* a weight that needs a gradient gets one */
    gn_tensor *w = gn_requires_grad_(gn_ones(3), true), *y = gn_rand(3);
    gn_backward(gn_bce_with_logits(y, y, .weight = w, .reduction = GN_REDUCE_SUM));
    expect_close("weight", gn_grad(w), gn_bce_with_logits(y, y, .reduction = GN_REDUCE_NONE));
}
END_TEST

static void broadcast_loss(void) { gn_mse_loss(gn_zeros(3, 1), gn_zeros(3)); }
static void equal_loss(void) { gn_mse_loss(gn_zeros(3), gn_zeros(3)); }

/* Broadcasting is seldom meant, and the log says so. */
START_TEST(test_warning) {
    setenv("GENESIS_LOG", "warning", 1);
    gn__log_reset();
    ck_assert_ptr_nonnull(
        strstr(stderr_of(broadcast_loss), "input (3, 1) and target (3) have different shapes"));
    ck_assert_str_eq(stderr_of(equal_loss), "");
    unsetenv("GENESIS_LOG");
    gn__log_reset();
}
END_TEST

/* Gradients go to their own inputs, whichever need one. */
START_TEST(test_gradient_of_target_alone) {
    gn_tensor *x = gn_rand(2, 3), *t = gn_requires_grad_(gn_rand(2, 3), true);
    gn_backward(gn_mse_loss(x, t));
    expect_close("target", gn_grad(t), gn_mul_scalar(gn_sub(gn_detach(t), x), 2. / 6));
    ck_assert_ptr_null(gn_grad(x));
}
END_TEST

START_TEST(test_target_dtypes) {
    gn_tensor *x = gn_randn(2, 3),
              *wanted = gn_cross_entropy(x, gn_tensor_of(((int64_t[]){2, 0}), 2));
    expect_close("int32", gn_cross_entropy(x, gn_tensor_of(((int32_t[]){2, 0}), 2)), wanted);
    expect_close("uint8", gn_cross_entropy(x, gn_tensor_of(((uint8_t[]){2, 0}), 2)), wanted);
    ck_assert(isnan(gn_item(gn_mse_loss(gn_zeros(0, 2), gn_zeros(0, 2)))));
    ck_assert(isnan(gn_item(gn_cross_entropy(gn_zeros(0, 2), gn_zeros(0, 2)))));
    ck_assert_double_eq(
        gn_item(gn_mse_loss(gn_zeros(0, 2), gn_zeros(0, 2), .reduction = GN_REDUCE_SUM)), 0);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3);
    gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 3}), 2));
    expect_index_error("cross_entropy");
    gn_cross_entropy(x, gn_tensor_of(((int64_t[]){-1, 0}), 2));
    expect_index_error("cross_entropy");
    ck_assert_ptr_null(gn_cross_entropy(x, gn_zeros(2)));
    expect_error_with(GN_E_ARGUMENT, "targets are class indices of an integer dtype, not float32");
    ck_assert_ptr_null(gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 1, 2}), 3)));
    expect_error_with(GN_E_ARGUMENT, "cross_entropy: target (3) does not fit input (2, 3)");
    ck_assert_ptr_null(
        gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 1}), 2), .weight = gn_ones(2)));
    expect_error_with(GN_E_ARGUMENT, "weight (2) must have a number for each of the 3 classes");
    gn_nll_loss(x, gn_tensor_of(((int64_t[]){0, 3}), 2));
    expect_index_error("nll_loss");
    gn_cross_entropy(x, gn_tensor_of(((int64_t[]){0, 3}), 2), .label_smoothing = 0.1);
    expect_index_error("cross_entropy");
    ck_assert_ptr_null(gn_mse_loss(x, gn_zeros(2)));
    expect_error_with(GN_E_ARGUMENT, "mse_loss: shapes (2, 3) and (2) do not broadcast");
    ck_assert_ptr_null(gn_bce_loss(x, gn_zeros(3)));
    expect_error_with(GN_E_ARGUMENT,
                      "bce_loss: input (2, 3) and target (3) must have the same shape");
    ck_assert_ptr_null(gn_bce_loss(gn_full_like(x, 1.5), x));
    expect_error_with(GN_E_ARGUMENT, "bce_loss: input must be between 0 and 1");
    ck_assert_ptr_null(gn_bce_loss(gn_full_like(x, NAN), x));
    expect_error_with(GN_E_ARGUMENT, "bce_loss: input must be between 0 and 1");
    ck_assert_ptr_null(gn_l1_loss(x, x, .reduction = (gn_reduction)9));
    expect_error_with(GN_E_ARGUMENT, "l1_loss: there is no reduction 9");
}
END_TEST

START_TEST(test_option_errors) {
    gn_tensor *x = gn_rand(2, 3), *y = gn_tensor_of(((int64_t[]){0, 1}), 2);
    ck_assert_ptr_null(gn_mse_loss(x, x, .beta = gn_some(1)));
    expect_error_with(GN_E_ARGUMENT, "mse_loss: this loss has no option beta");
    ck_assert_ptr_null(gn_mse_loss(x, x, .reduction = GN_REDUCE_BATCH_MEAN));
    expect_error_with(GN_E_ARGUMENT, "mse_loss: this loss has no option batch mean");
    ck_assert_ptr_null(gn_mse_loss(x, x, .weight = gn_ones(3)));
    expect_error_with(GN_E_ARGUMENT, "weight (3) does not have the shape of input (2, 3)");
    ck_assert_ptr_null(gn_smooth_l1_loss(x, x, .beta = gn_some(-1)));
    expect_error_with(GN_E_ARGUMENT, "smooth_l1_loss: beta must be 0 or more, not -1");
    ck_assert_ptr_null(gn_huber_loss(x, x, .delta = gn_some(0)));
    expect_error_with(GN_E_ARGUMENT, "huber_loss: delta must be more than 0, not 0");
    ck_assert_ptr_null(gn_cross_entropy(x, y, .label_smoothing = 1.5));
    expect_error_with(GN_E_ARGUMENT, "label_smoothing 1.5 is not between 0 and 1");
    ck_assert_ptr_null(gn_cross_entropy(x, x, .ignore_index = gn_some(1)));
    expect_error_with(GN_E_ARGUMENT, "ignore_index is for class indices");
    ck_assert_ptr_null(gn_multi_margin_loss(x, y, .p = gn_some(3)));
    expect_error_with(GN_E_ARGUMENT, "multi_margin_loss: p must be 1 or 2, not 3");
    ck_assert_ptr_null(gn_multi_margin_loss(x, x));
    expect_error_with(GN_E_ARGUMENT, "multi_margin_loss: targets are class indices");
    ck_assert_ptr_null(gn_multilabel_margin_loss(x, y));
    expect_error_with(GN_E_ARGUMENT, "target (2) must have the shape of input (2, 3)");
    ck_assert_ptr_null(gn_gaussian_nll_loss(x, x, gn_ones(3)));
    expect_error_with(GN_E_ARGUMENT, "gaussian_nll_loss: var (3) does not fit input (2, 3)");
    ck_assert_ptr_null(gn_gaussian_nll_loss(x, x, gn_neg(gn_ones(2, 3))));
    expect_error_with(GN_E_ARGUMENT, "gaussian_nll_loss: an element of var is negative");
    ck_assert_ptr_null(gn_triplet_margin_loss(x, x, x, .margin = gn_some(0)));
    expect_error_with(GN_E_ARGUMENT, "triplet_margin_loss: margin must be more than 0, not 0");
    ck_assert_ptr_null(gn_margin_ranking_loss(x, x, y));
    expect_error_with(GN_E_ARGUMENT, "must have the same number of dims");
    ck_assert_ptr_null(gn_cosine_embedding_loss(x, x, x));
    expect_error_with(GN_E_ARGUMENT, "cosine_embedding_loss: inputs (2, 3), (2, 3) and target");
    ck_assert_ptr_null(gn_triplet_margin_loss(x, NULL, x));
    expect_error_with(GN_E_ARGUMENT, "triplet_margin_loss: a tensor is NULL");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_broadcast,
                            test_warning,
                            test_gradient_of_target_alone,
                            test_target_dtypes,
                            test_errors,
                            test_option_errors,
                            NULL};
    return suite_run("loss", tests);
}
