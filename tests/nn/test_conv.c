/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/conv.c. */
#include <math.h>
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

#define CASES(CASE)                                                                                \
    CASE(conv1d, gn_nn_conv1d(2, 4, 3, .stride = 2, .padding = 1))                                 \
    CASE(conv1d_same, gn_nn_conv1d(2, 3, 4, .dilation = 3, .same_padding = true))                  \
    CASE(conv2d_each, gn_nn_conv2d(4, 6, 0, .groups = 2, .strides = {2, 1}, .paddings = {1, 0},    \
                                   .dilations = {1, 2}, .kernel_sizes = {3, 2}, .no_bias = true))  \
    CASE(conv2d_unbatched, gn_nn_conv2d(2, 3, 3))                                                  \
    CASE(conv2d_reflect,                                                                           \
         gn_nn_conv2d(2, 3, 3, .paddings = {2, 1}, .padding_mode = GN_PAD_REFLECT))                \
    CASE(conv2d_replicate,                                                                         \
         gn_nn_conv2d(2, 3, 3, .paddings = {2, 1}, .padding_mode = GN_PAD_REPLICATE))              \
    CASE(conv2d_circular,                                                                          \
         gn_nn_conv2d(2, 3, 3, .same_padding = true, .padding_mode = GN_PAD_CIRCULAR))             \
    CASE(conv3d, gn_nn_conv3d(2, 3, 0, .strides = {1, 2, 1}, .paddings = {0, 1, 1},                \
                              .kernel_sizes = {2, 3, 2}))                                          \
    CASE(transpose1d, gn_nn_conv_transpose1d(4, 2, 3, .stride = 2, .padding = 1))                  \
    CASE(transpose2d, gn_nn_conv_transpose2d(6, 4, 0, .groups = 2, .strides = {2, 1},              \
                                             .paddings = {1, 0}, .dilations = {1, 2},              \
                                             .output_paddings = {1, 0}, .kernel_sizes = {3, 2}))   \
    CASE(transpose2d_gaps, gn_nn_conv_transpose2d(2, 3, 2, .stride = 3, .output_padding = 2))      \
    CASE(transpose2d_unbatched, gn_nn_conv_transpose2d(3, 2, 3, .no_bias = true))                  \
    CASE(transpose3d, gn_nn_conv_transpose3d(3, 2, 0, .strides = {1, 2, 1}, .paddings = {0, 1, 1}, \
                                             .kernel_sizes = {2, 3, 2}))
MODULE_CASES(conv_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("conv", conv_cases, sizeof conv_cases / sizeof *conv_cases);
}
END_TEST

/* U(-b, b) with b = 1 / sqrt(fan_in): no value beyond, and some near it. */
static void expect_bound(gn_module *module, double bound) {
    gn_dict *parameters = gn_parameters(module);
    gn_tensor *weight = gn_dict_get(parameters, "weight"), *bias = gn_dict_get(parameters, "bias");
    const double largest = gn_item(gn_amax(gn_abs(weight)));
    ck_assert_double_le(largest, bound);
    ck_assert_double_ge(largest, 0.9 * bound); /* all of >= 192 below it: a chance of 2e-9 */
    ck_assert_double_le(gn_item(gn_amax(gn_abs(bias))), bound);
}

START_TEST(test_initial_values) {
    gn_manual_seed(1);
    expect_bound(gn_nn_conv2d(4, 16, 3, .groups = 2), 1 / sqrt(2 * 9));
    expect_bound(gn_nn_conv1d(3, 16, 4), 1 / sqrt(3 * 4));
    expect_bound(gn_nn_conv_transpose2d(8, 6, 3, .groups = 2), 1 / sqrt(3 * 9));
}
END_TEST

START_TEST(test_text) {
    const module_text cases[] = {
        {gn_nn_conv1d(2, 4, 3), "Conv1d(2, 4, kernel_size=(3,), stride=(1,))"},
        {gn_nn_conv2d(4, 6, 3, .stride = 2, .groups = 2, .paddings = {1, 0}, .dilations = {1, 2},
                      .no_bias = true, .padding_mode = GN_PAD_REFLECT),
         "Conv2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 0), dilation=(1, 2), "
         "groups=2, bias=False, padding_mode=reflect)"},
        {gn_nn_conv2d(1, 2, 3, .same_padding = true),
         "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=same)"},
        {gn_nn_conv_transpose3d(1, 2, 3, .stride = 2, .output_paddings = {1, 0, 1}),
         "ConvTranspose3d(1, 2, kernel_size=(3, 3, 3), stride=(2, 2, 2), "
         "output_padding=(1, 0, 1))"},
    };
    module_texts(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_nn_conv2d(3, 6, 3, .groups = 2));
    expect_error_with(GN_E_ARGUMENT, "Conv2d: 2 groups must divide 3 and 6 channels");
    ck_assert_ptr_null(gn_nn_conv1d(3, 6, 0));
    expect_error_with(GN_E_ARGUMENT, "Conv1d: 3 and 6 channels, a kernel of (0)");
    ck_assert_ptr_null(gn_nn_conv1d(3, 6, 3, .padding_mode = (gn_padding_mode)7));
    expect_error_with(GN_E_ARGUMENT, "Conv1d: there is no padding mode 7");
    ck_assert_ptr_null(gn_nn_conv_transpose1d(2, 2, 2, .padding_mode = GN_PAD_REFLECT));
    expect_error_with(GN_E_ARGUMENT, "ConvTranspose1d: a transposed convolution has a padding of "
                                     "zeros only");
    ck_assert_ptr_null(gn_nn_conv2d(2, 2, 3, .stride = 2, .same_padding = true));
    expect_error_with(GN_E_ARGUMENT, "Conv2d: same_padding needs stride 1");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_initial_values, test_text, test_errors, NULL};
    return suite_run("modules of convolution", tests);
}
