/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the layers in libgenesis/nn that have no file of tests of their own. */
#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

#define CASES(CASE)                                                                                \
    CASE(linear, gn_nn_linear(4, 3))                                                               \
    CASE(linear_no_bias, gn_nn_linear(4, 3, .no_bias = true))                                      \
    CASE(linear_vector, gn_nn_linear(4, 3))                                                        \
    CASE(embedding, gn_nn_embedding(5, 3))                                                         \
    CASE(batch_norm2d, gn_nn_batch_norm2d(3))                                                      \
    CASE(batch_norm2d_eval, gn_nn_batch_norm2d(3))
MODULE_CASES(linear_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("linear", linear_cases, sizeof linear_cases / sizeof *linear_cases);
}
END_TEST

static gn_tensor *parameter(gn_module *m, const char *name) {
    return gn_dict_get(gn_parameters(m), name);
}

START_TEST(test_linear_and_conv) {
    gn_module *linear = gn_nn_linear(4, 3), *plain = gn_nn_linear(4, 3, .no_bias = true);
    gn_tensor *x = gn_randn(2, 4), *image = gn_randn(2, 4, 6, 5);
    expect_close("Linear", gn_forward(linear, x),
                 gn_linear(x, parameter(linear, "weight"), parameter(linear, "bias")));
    ck_assert_ptr_null(parameter(plain, "bias"));
    ck_assert_ptr_nonnull(gn_forward(plain, gn_randn(4)));
    gn_module *conv =
        gn_nn_conv2d(4, 6, 3, .stride = 2, .paddings = {1, 0}, .groups = 2, .kernel_sizes = {3, 2});
    ck_assert_int_eq(gn_size(parameter(conv, "weight"), 1), 2);
    ck_assert_int_eq(gn_size(parameter(conv, "weight"), 3), 2);
    expect_close("Conv2d", gn_forward(conv, image),
                 gn_conv2d(image, parameter(conv, "weight"), parameter(conv, "bias"), .stride = 2,
                           .paddings = {1, 0}, .groups = 2));
    ck_assert_ptr_null(gn_nn_conv2d(3, 6, 3, .groups = 2));
    expect_error_with(GN_E_ARGUMENT, "Conv2d");
}
END_TEST

START_TEST(test_pools) {
    gn_tensor *x = gn_randn(1, 2, 6, 6);
    expect_close("MaxPool2d", gn_forward(gn_nn_max_pool2d(3, .stride = 2, .padding = 1), x),
                 gn_max_pool2d(x, 3, .stride = 2, .padding = 1));
    expect_close("AvgPool2d", gn_forward(gn_nn_avg_pool2d(2), x), gn_avg_pool2d(x, 2));
    expect_close("AdaptiveAvgPool2d", gn_forward(gn_nn_adaptive_avg_pool2d(1, 1), x),
                 gn_mean(x, .dims = GN_DIMS(2, 3), .keepdim = true));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_linear_and_conv, test_pools, NULL};
    return suite_run("layers", tests);
}
