/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the layers in libgenesis/nn: each is its function, with its parameters. */
#include <math.h>

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

START_TEST(test_batch_norm) {
    gn_module *bn = gn_nn_batch_norm1d(3);
    gn_tensor *x = gn_add_scalar(gn_mul_scalar(gn_randn(50, 3), 2), 5);
    gn_tensor *y = gn_forward(bn, x);
    expect_close("mean", gn_mean(y, .dims = GN_DIMS(0)), gn_zeros(3));
    gn_tensor *mean = gn_dict_get(gn_buffers(bn), "running_mean");
    expect_close("running_mean", mean, gn_mul_scalar(gn_mean(x, .dims = GN_DIMS(0)), 0.1));
    ck_assert_int_eq(gn_item_int(gn_dict_get(gn_buffers(bn), "num_batches_tracked")), 1);
    gn_eval(bn);
    gn_tensor *before = gn_clone(mean);
    gn_forward(bn, x);
    expect_close("evaluation", mean, before);

    gn_module *average = gn_nn_batch_norm1d(3, .cumulative = true);
    gn_forward(average, x);
    gn_forward(average, gn_zeros(2, 3, 4));
    expect_close("cumulative", gn_dict_get(gn_buffers(average), "running_mean"),
                 gn_mul_scalar(gn_mean(x, .dims = GN_DIMS(0)), 0.5));

    gn_module *plain = gn_eval(gn_nn_batch_norm2d(3, .no_affine = true, .no_running_stats = true));
    ck_assert_int_eq(gn_dict_size(gn_state_dict(plain)), 0);
    gn_tensor *z = gn_forward(plain, gn_randn(4, 3, 5, 5));
    expect_close("no statistics", gn_mean(z, .dims = GN_DIMS(0, 2, 3)), gn_zeros(3));
    ck_assert_ptr_null(gn_forward(plain, gn_zeros(2, 3)));
    expect_error_with(GN_E_ARGUMENT, "BatchNorm2d: input (2, 3) must be (N, C, H, W)");
    ck_assert_ptr_null(gn_forward(gn_nn_batch_norm1d(3), gn_zeros(1, 3)));
    expect_error_with(GN_E_ARGUMENT, "training needs more than 1 value per channel");
}
END_TEST

START_TEST(test_norms) {
    gn_tensor *x = gn_randn(2, 5, 4);
    expect_close("LayerNorm", gn_forward(gn_nn_layer_norm(GN_SHAPE(5, 4)), x),
                 gn_layer_norm(x, GN_SHAPE(5, 4), NULL, NULL));
    gn_module *no_bias = gn_nn_layer_norm(GN_SHAPE(4), .no_bias = true);
    ck_assert_int_eq(gn_dict_size(gn_parameters(no_bias)), 1);
    expect_close("RMSNorm", gn_forward(gn_nn_rms_norm(GN_SHAPE(4)), x),
                 gn_rms_norm(x, GN_SHAPE(4), NULL));
}
END_TEST

START_TEST(test_dropout) {
    gn_module *drop = gn_nn_dropout(0.2), *in_place = gn_nn_dropout(0.2, .inplace = true);
    gn_tensor *x = gn_ones(50, 50);
    gn_tensor *y = gn_forward(drop, x);
    ck_assert_double_eq_tol(gn_item(gn_mean(y)), 1, 0.1);
    ck_assert(!gn_equal(y, x));
    ck_assert_ptr_eq(gn_forward(in_place, y), y);
    ck_assert_ptr_eq(gn_forward(gn_eval(drop), x), x);
    ck_assert_ptr_eq(gn_forward(gn_eval(in_place), x), x);
    expect_close("evaluation", x, gn_ones(50, 50));
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

START_TEST(test_embedding) {
    gn_module *m = gn_nn_embedding(10, 3);
    gn_tensor *indices = gn_tensor_of(((int64_t[]){1, 2, 3, 1}), 4);
    expect_close("Embedding", gn_forward(m, indices),
                 gn_embedding(indices, parameter(m, "weight")));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_linear_and_conv, test_batch_norm, test_norms,
                            test_dropout,      test_pools,           test_embedding,  NULL};
    return suite_run("layers", tests);
}
