/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/batch_norm.c and norm.c. */
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

#define CASES(CASE)                                                                                \
    CASE(batch1d, gn_nn_batch_norm1d(3))                                                           \
    CASE(batch1d_length, gn_nn_batch_norm1d(3, .eps = gn_some(0.1), .momentum = gn_some(0.3)))     \
    CASE(batch1d_momentum_0, gn_nn_batch_norm1d(3, .momentum = gn_some(0)))                        \
    CASE(batch2d_cumulative, gn_nn_batch_norm2d(3, .cumulative = true))                            \
    CASE(batch2d_first, gn_nn_batch_norm2d(3, .cumulative = true))                                 \
    CASE(batch2d_not_affine, gn_nn_batch_norm2d(3, .no_affine = true))                             \
    CASE(batch2d_no_bias, gn_nn_batch_norm2d(3, .no_bias = true))                                  \
    CASE(batch2d_untracked, gn_nn_batch_norm2d(3, .no_running_stats = true))                       \
    CASE(batch3d, gn_nn_batch_norm3d(3))                                                           \
    CASE(batch3d_eval, gn_nn_batch_norm3d(3))                                                      \
    CASE(layer, gn_nn_layer_norm(GN_SHAPE(4)))                                                     \
    CASE(layer_dims, gn_nn_layer_norm(GN_SHAPE(2, 4), .eps = gn_some(0.1)))                        \
    CASE(layer_no_bias, gn_nn_layer_norm(GN_SHAPE(2, 4), .no_bias = true))                         \
    CASE(layer_plain, gn_nn_layer_norm(GN_SHAPE(4), .no_affine = true))                            \
    CASE(group, gn_nn_group_norm(2, 6))                                                            \
    CASE(group_flat, gn_nn_group_norm(3, 6, .eps = gn_some(0.1)))                                  \
    CASE(group_plain, gn_nn_group_norm(1, 4, .no_affine = true))                                   \
    CASE(group_no_bias, gn_nn_group_norm(2, 6, .no_bias = true))                                   \
    CASE(instance1d, gn_nn_instance_norm1d(3))                                                     \
    CASE(instance1d_unbatched, gn_nn_instance_norm1d(3, .affine = true))                           \
    CASE(instance2d, gn_nn_instance_norm2d(3, .affine = true, .track_running_stats = true,         \
                                           .momentum = gn_some(0.3)))                              \
    CASE(instance2d_eval, gn_nn_instance_norm2d(3, .affine = true, .track_running_stats = true))   \
    CASE(instance2d_untracked_eval, gn_nn_instance_norm2d(3, .eps = gn_some(0.1)))                 \
    CASE(instance3d, gn_nn_instance_norm3d(2, .track_running_stats = true))                        \
    CASE(local_response, gn_nn_local_response_norm(3, .alpha = gn_some(0.5), .beta = gn_some(0.6), \
                                                   .k = gn_some(2)))                               \
    CASE(local_response_even, gn_nn_local_response_norm(4))
MODULE_CASES(norm_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("norm", norm_cases, sizeof norm_cases / sizeof *norm_cases);
}
END_TEST

START_TEST(test_text) {
    const module_text cases[] = {
        {gn_nn_batch_norm3d(3, .cumulative = true), "BatchNorm3d(3, eps=1e-05, momentum=None, "
                                                    "affine=True, bias=True, "
                                                    "track_running_stats=True)"},
        {gn_nn_instance_norm2d(3), "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, "
                                   "bias=False, track_running_stats=False)"},
        {gn_nn_group_norm(2, 4), "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"},
        {gn_nn_layer_norm(GN_SHAPE(4, 2), .no_bias = true),
         "LayerNorm((4, 2), eps=1e-05, elementwise_affine=True, bias=False)"},
        {gn_nn_local_response_norm(3), "LocalResponseNorm(3, alpha=0.0001, beta=0.75, k=1)"},
    };
    module_texts(cases, sizeof cases / sizeof *cases);
}
END_TEST

/* Nothing is counted where nothing is done. */
START_TEST(test_errors) {
    gn_module *bn = gn_nn_batch_norm1d(3);
    ck_assert_ptr_null(gn_forward(bn, gn_zeros(1, 3)));
    expect_error_with(GN_E_ARGUMENT, "training needs more than 1 value per channel");
    ck_assert_int_eq(gn_item_int(gn_get_buffer(bn, "num_batches_tracked")), 0);
    ck_assert_ptr_nonnull(gn_forward(gn_eval(bn), gn_zeros(1, 3)));
    ck_assert_ptr_null(gn_forward(bn, gn_zeros(2, 4)));
    expect_error_with(GN_E_ARGUMENT, "(2, 4): it must be (4)");
    ck_assert_ptr_null(gn_forward(gn_nn_batch_norm3d(3), gn_zeros(2, 3, 4, 5)));
    expect_error_with(GN_E_ARGUMENT, "BatchNorm3d: input (2, 3, 4, 5) must be (N, C, D, H, W)");
    ck_assert_ptr_null(gn_nn_group_norm(3, 4));
    expect_error_with(GN_E_ARGUMENT, "GroupNorm: 3 groups do not divide 4 channels");
    ck_assert_ptr_null(gn_nn_group_norm(0, 4));
    expect_error_with(GN_E_ARGUMENT, "GroupNorm: 0 groups");
    ck_assert_ptr_null(gn_forward(gn_nn_group_norm(2, 4), gn_zeros(2, 6, 3)));
    expect_error_with(GN_E_ARGUMENT, "GroupNorm: input (2, 6, 3) must be (N, 4, ..)");
    ck_assert_ptr_null(gn_group_norm(gn_zeros(1, 4), 4, NULL, NULL));
    expect_error_with(GN_E_ARGUMENT, "needs more than 1 value per group");
    ck_assert_ptr_null(gn_forward(gn_nn_instance_norm2d(3), gn_zeros(2, 3, 1, 1)));
    expect_error_with(GN_E_ARGUMENT, "needs more than 1 value per channel, input is (2, 3, 1, 1)");
    ck_assert_ptr_null(gn_forward(gn_nn_instance_norm2d(3, .affine = true), gn_zeros(2, 4, 2, 2)));
    expect_error_with(GN_E_ARGUMENT, "InstanceNorm2d: input (2, 4, 2, 2) must have 3 channels");
    ck_assert_ptr_null(gn_forward(gn_nn_instance_norm2d(3), gn_zeros(2, 4)));
    expect_error_with(GN_E_ARGUMENT, "InstanceNorm2d: input (2, 4) must be");
    ck_assert_ptr_null(gn_instance_norm(gn_zeros(2, 3, 4), gn_zeros(3), NULL, NULL, NULL));
    expect_error_with(GN_E_ARGUMENT, "both or none");
    ck_assert_ptr_null(gn_local_response_norm(gn_zeros(2, 3, 4), 0));
    expect_error_with(GN_E_ARGUMENT, "the size 0 must be from 1");
}
END_TEST

START_TEST(test_no_elements) {
    gn_tensor *none = gn_zeros(0, 4, 3);
    gn_tensor *const y[] = {gn_group_norm(none, 2, NULL, NULL),
                            gn_instance_norm(none, NULL, NULL, NULL, NULL),
                            gn_local_response_norm(none, 2)};
    for (int i = 0; i < 3; i++)
        ck_assert_msg(y[i] && gn_same_shape(y[i], none), "%s", gn_error());
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_text, test_errors, test_no_elements, NULL};
    return suite_run("modules of normalisation", tests);
}
