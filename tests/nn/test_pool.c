/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/pool.c and fold.c. */
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

static void with_indices(gn_module *module, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_max_pool_forward(module, in[0], &out[1]);
}

#define CASES(CASE)                                                                                \
    CASE(max1d, gn_nn_max_pool1d(3, .stride = 2, .padding = 1))                                    \
    CASE(max2d, gn_nn_max_pool2d(3, .stride = 1, .dilations = {1, 2}))                             \
    CASE(max2d_ceil,                                                                               \
         gn_nn_max_pool2d(0, .kernel_sizes = {2, 3}, .strides = {3, 2}, .paddings = {0, 1},        \
                          .ceil_mode = true),                                                      \
         .run = with_indices)                                                                      \
    CASE(max2d_unbatched, gn_nn_max_pool2d(2), .run = with_indices)                                \
    CASE(max3d, gn_nn_max_pool3d(0, .kernel_sizes = {1, 2, 2}, .paddings = {0, 1, 0}),             \
         .run = with_indices)                                                                      \
    CASE(avg1d, gn_nn_avg_pool1d(3, .stride = 2, .padding = 1))                                    \
    CASE(avg2d_ceil, gn_nn_avg_pool2d(3, .stride = 2, .padding = 1, .ceil_mode = true))            \
    CASE(avg2d_exclude,                                                                            \
         gn_nn_avg_pool2d(0, .kernel_sizes = {3, 2}, .paddings = {1, 0}, .exclude_pad = true))     \
    CASE(avg2d_divisor, gn_nn_avg_pool2d(2, .divisor_override = 3))                                \
    CASE(avg3d, gn_nn_avg_pool3d(2, .strides = {1, 2, 1}))                                         \
    CASE(adaptive_avg1d, gn_nn_adaptive_avg_pool1d(3))                                             \
    CASE(adaptive_avg2d, gn_nn_adaptive_avg_pool2d(3, -1))                                         \
    CASE(adaptive_avg2d_one, gn_nn_adaptive_avg_pool2d(1, 1))                                      \
    CASE(adaptive_avg3d, gn_nn_adaptive_avg_pool3d(2, 3, 5))                                       \
    CASE(adaptive_max1d, gn_nn_adaptive_max_pool1d(5), .run = with_indices)                        \
    CASE(adaptive_max2d, gn_nn_adaptive_max_pool2d(3, 2), .run = with_indices)                     \
    CASE(adaptive_max2d_even, gn_nn_adaptive_max_pool2d(-1, 2))                                    \
    CASE(adaptive_max3d, gn_nn_adaptive_max_pool3d(2, 3, 5), .run = with_indices)                  \
    CASE(unfold, gn_nn_unfold(0, .kernel_sizes = {2, 3}, .strides = {2, 1}, .paddings = {0, 1},    \
                              .dilations = {1, 2}))                                                \
    CASE(unfold_unbatched, gn_nn_unfold(2))                                                        \
    CASE(fold, gn_nn_fold(GN_SHAPE(5, 6), 0, .kernel_sizes = {2, 3}, .strides = {2, 1},            \
                          .paddings = {0, 1}, .dilations = {1, 2}))                                \
    CASE(fold_unbatched, gn_nn_fold(GN_SHAPE(4, 3), 2))
MODULE_CASES(pool_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("pool", pool_cases, sizeof pool_cases / sizeof *pool_cases);
}
END_TEST

START_TEST(test_text) {
    const module_text cases[] = {
        {gn_nn_max_pool1d(3, .padding = 1),
         "MaxPool1d(kernel_size=3, stride=3, padding=1, dilation=1, ceil_mode=False)"},
        {gn_nn_max_pool2d(3, .strides = {2, 1}, .ceil_mode = true),
         "MaxPool2d(kernel_size=3, stride=(2, 1), padding=0, dilation=1, ceil_mode=True)"},
        {gn_nn_avg_pool1d(2), "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"},
        {gn_nn_avg_pool3d(2), "AvgPool3d(kernel_size=2, stride=2, padding=0)"},
        {gn_nn_adaptive_avg_pool1d(5), "AdaptiveAvgPool1d(output_size=5)"},
        {gn_nn_adaptive_max_pool2d(-1, 7), "AdaptiveMaxPool2d(output_size=(None, 7))"},
        {gn_nn_unfold(3, .padding = 1), "Unfold(kernel_size=3, dilation=1, padding=1, stride=1)"},
        {gn_nn_fold(GN_SHAPE(4, 5), 0, .kernel_sizes = {2, 3}),
         "Fold(output_size=(4, 5), kernel_size=(2, 3), dilation=1, padding=0, stride=1)"},
    };
    module_texts(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *indices = gn_zeros(1);
    ck_assert_ptr_null(gn_max_pool_forward(gn_nn_avg_pool2d(2), gn_zeros(1, 4, 4), &indices));
    expect_error_with(GN_E_ARGUMENT, "AvgPool2d is no MaxPool or AdaptiveMaxPool");
    ck_assert_ptr_null(indices);
    ck_assert_ptr_null(gn_nn_max_pool2d(2, .indices = &indices));
    expect_error_with(GN_E_ARGUMENT, "MaxPool2d: a module has no place for indices");
    ck_assert_ptr_null(gn_nn_fold(GN_SHAPE(4), 2));
    expect_error_with(GN_E_ARGUMENT, "Fold: the output's size must be (H, W)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_text, test_errors, NULL};
    return suite_run("modules of pooling", tests);
}
