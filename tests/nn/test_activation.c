/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/activation.c, reshape.c and pair.c, and of ops/activation.c and
 * distance.c behind them. */
#include <math.h>
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

#define CASES(CASE)                                                                                \
    CASE(relu, gn_nn_relu())                                                                       \
    CASE(relu6, gn_nn_relu6())                                                                     \
    CASE(sigmoid, gn_nn_sigmoid())                                                                 \
    CASE(log_sigmoid, gn_nn_log_sigmoid())                                                         \
    CASE(tanh, gn_nn_tanh())                                                                       \
    CASE(tanhshrink, gn_nn_tanhshrink())                                                           \
    CASE(silu, gn_nn_silu())                                                                       \
    CASE(mish, gn_nn_mish())                                                                       \
    CASE(gelu, gn_nn_gelu())                                                                       \
    CASE(gelu_tanh, gn_nn_gelu(.approximate_tanh = true))                                          \
    CASE(selu, gn_nn_selu())                                                                       \
    CASE(elu, gn_nn_elu())                                                                         \
    CASE(elu_half, gn_nn_elu(.alpha = gn_some(0.5)))                                               \
    CASE(celu, gn_nn_celu())                                                                       \
    CASE(celu_two, gn_nn_celu(.alpha = gn_some(2)))                                                \
    CASE(leaky_relu, gn_nn_leaky_relu())                                                           \
    CASE(hardtanh, gn_nn_hardtanh())                                                               \
    CASE(hardtanh_wide, gn_nn_hardtanh(.min_val = gn_some(-3), .max_val = gn_some(6)))             \
    CASE(hardsigmoid, gn_nn_hardsigmoid())                                                         \
    CASE(hardswish, gn_nn_hardswish())                                                             \
    CASE(hardshrink, gn_nn_hardshrink())                                                           \
    CASE(softshrink, gn_nn_softshrink())                                                           \
    CASE(softplus, gn_nn_softplus())                                                               \
    CASE(softplus_two, gn_nn_softplus(.beta = gn_some(2), .threshold = gn_some(12)))               \
    CASE(softsign, gn_nn_softsign())                                                               \
    CASE(threshold, gn_nn_threshold(0.25, 20))                                                     \
    CASE(prelu, gn_nn_prelu())                                                                     \
    CASE(prelu_channels, gn_nn_prelu(.num_parameters = 3, .init = gn_some(0.1)))                   \
    CASE(identity, gn_nn_identity())                                                               \
    CASE(rrelu_eval, gn_nn_rrelu())                                                                \
    CASE(glu, gn_nn_glu())                                                                         \
    CASE(glu_channels, gn_nn_glu(.dim = gn_some(1)))                                               \
    CASE(softmax, gn_nn_softmax(-1))                                                               \
    CASE(softmax_first, gn_nn_softmax(0))                                                          \
    CASE(log_softmax, gn_nn_log_softmax(1))                                                        \
    CASE(softmin, gn_nn_softmin(1))                                                                \
    CASE(softmax2d, gn_nn_softmax2d())                                                             \
    CASE(softmax2d_image, gn_nn_softmax2d())                                                       \
    CASE(flatten, gn_nn_flatten())                                                                 \
    CASE(flatten_range, gn_nn_flatten(.start_dim = gn_some(-3), .end_dim = gn_some(2)))            \
    CASE(unflatten, gn_nn_unflatten(1, GN_SHAPE(2, -1)))                                           \
    CASE(bilinear, gn_nn_bilinear(3, 4, 2))                                                        \
    CASE(bilinear_no_bias, gn_nn_bilinear(3, 4, 2, .no_bias = true))                               \
    CASE(cosine_similarity, gn_nn_cosine_similarity())                                             \
    CASE(cosine_similarity_wide, gn_nn_cosine_similarity(.dim = gn_some(-1)))                      \
    CASE(pairwise_distance, gn_nn_pairwise_distance())                                             \
    CASE(pairwise_distance_one, gn_nn_pairwise_distance(.p = gn_some(1), .keepdim = true))
MODULE_CASES(activation_cases, CASES)

START_TEST(test_like_pytorch) {
    module_cases("activation", activation_cases,
                 sizeof activation_cases / sizeof *activation_cases);
}
END_TEST

/* In place gives the same value and gradient as out of place, and refuses leaves. */
START_TEST(test_inplace) {
    const struct {
        gn_module *in_place, *plain;
    } pairs[] = {
        {gn_nn_relu(.inplace = true), gn_nn_relu()},
        {gn_nn_silu(.inplace = true), gn_nn_silu()},
        {gn_nn_hardtanh(.inplace = true), gn_nn_hardtanh()},
        {gn_nn_leaky_relu(.inplace = true), gn_nn_leaky_relu()},
    };
    gn_tensor *x = gn_requires_grad_(gn_randn(3, 4), true);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        gn_tensor *y = gn_mul_scalar(x, 1), *expected = gn_forward(pairs[i].plain, x);
        ck_assert_ptr_eq(gn_forward(pairs[i].in_place, y), y);
        expect_close("in place", gn_detach(y), gn_detach(expected));
        gn_set_grad(x, NULL);
        ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
        gn_tensor *gradient = gn_clone(gn_grad(x));
        gn_set_grad(x, NULL);
        ck_assert_int_eq(gn_backward(gn_sum(expected)), GN_OK);
        expect_close("gradient", gradient, gn_grad(x));
        ck_assert_ptr_null(gn_forward(pairs[i].in_place, x));
        ck_assert_int_ne(gn_error_status(), GN_OK);
        gn_error_clear();
    }
    gn_tensor *z = gn_randn(3);
    ck_assert_ptr_eq(gn_forward(gn_nn_elu(.inplace = true), z), z);
}
END_TEST

/* In training each element has a slope of its own, by which its gradient goes, too. */
START_TEST(test_rrelu) {
    gn_manual_seed(3);
    gn_tensor *x = gn_requires_grad_(gn_full(GN_SHAPE(1000), -2, NULL), true);
    gn_tensor *y = gn_rrelu(x, 0.25, 0.75, true), *slope = gn_div_scalar(gn_detach(y), -2);
    gn_backward(gn_sum(y));
    expect_close("gradient", gn_grad(x), slope);
    ck_assert_double_ge(gn_item(gn_amin(slope)), 0.25);
    ck_assert_double_le(gn_item(gn_amax(slope)), 0.75);
    /* the mean of 1000 slopes deviates by 0.5 / sqrt(12 * 1000) = 0.0046 */
    ck_assert_double_eq_tol(gn_item(gn_mean(slope)), 0.5, 5 * 0.0046);
    gn_tensor *positive = gn_rand(5);
    expect_close("positive", gn_forward(gn_nn_rrelu(), positive), positive);
}
END_TEST

START_TEST(test_gumbel_softmax) {
    gn_manual_seed(5);
    gn_tensor *logits = gn_log(gn_tensor_of(((float[]){0.1f, 0.2f, 0.7f}), 3));
    gn_tensor *x = gn_requires_grad_(gn_contiguous(gn_expand(logits, 2000, 3)), true);
    gn_tensor *soft = gn_gumbel_softmax(x, .tau = gn_some(0.5));
    expect_close("sum", gn_detach(gn_sum(soft, .dims = GN_DIMS(1))), gn_ones(2000));
    gn_tensor *hard = gn_gumbel_softmax(x, .hard = true);
    expect_close("one-hot", gn_detach(gn_amax(hard, .dims = GN_DIMS(1))), gn_ones(2000));
    expect_close("one-hot", gn_detach(gn_sum(hard, .dims = GN_DIMS(1))), gn_ones(2000));
    /* shares of 2000 samples deviate by sqrt(0.7 * 0.3 / 2000) = 0.0102 at most */
    gn_tensor *share = gn_mean(gn_detach(hard), .dims = GN_DIMS(0));
    ck_assert_double_lt(gn_item(gn_amax(gn_abs(gn_sub(share, gn_exp(logits))))), 5 * 0.0102);
    ck_assert_int_eq(gn_backward(gn_sum(gn_square(hard))), GN_OK);
    ck_assert_double_gt(gn_item(gn_amax(gn_abs(gn_grad(x)))), 0);
}
END_TEST

START_TEST(test_normalize) {
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(((float[]){3, 4, 0, 0}), 2, 2), true);
    gn_tensor *y = gn_normalize(x);
    EXPECT_VALUES(gn_detach(y), 1e-6, 0.6, 0.8, 0, 0);
    gn_backward(gn_sum(y));
    /* (g - y (y . g)) / |x|, and for the zero vector g / eps */
    EXPECT_VALUES(gn_grad(x), 1e-5, (1 - 0.6 * 1.4) / 5, (1 - 0.8 * 1.4) / 5, 1e12, 1e12);
    EXPECT_VALUES(gn_normalize(gn_detach(x), .p = gn_some(1), .dim = gn_some(0)), 1e-6, 1, 1, 0, 0);
}
END_TEST

START_TEST(test_text) {
    const struct {
        gn_module *module;
        const char *text;
    } rows[] = {
        {gn_nn_relu(.inplace = true), "ReLU(inplace=True)"},
        {gn_nn_leaky_relu(), "LeakyReLU(negative_slope=0.01)"},
        {gn_nn_elu(.inplace = true), "ELU(alpha=1, inplace=True)"},
        {gn_nn_hardtanh(), "Hardtanh(min_val=-1, max_val=1)"},
        {gn_nn_hardshrink(), "Hardshrink(0.5)"},
        {gn_nn_softplus(), "Softplus(beta=1, threshold=20)"},
        {gn_nn_threshold(0.1, 20), "Threshold(threshold=0.1, value=20)"},
        {gn_nn_prelu(.num_parameters = 3), "PReLU(num_parameters=3)"},
        {gn_nn_glu(), "GLU(dim=-1)"},
        {gn_nn_gelu(), "GELU(approximate='none')"},
        {gn_nn_softmax2d(), "Softmax2d()"},
        {gn_nn_flatten(), "Flatten(start_dim=1, end_dim=-1)"},
        {gn_nn_unflatten(1, GN_SHAPE(2, 5)), "Unflatten(dim=1, unflattened_size=(2, 5))"},
        {gn_nn_bilinear(3, 4, 2, .no_bias = true),
         "Bilinear(in1_features=3, in2_features=4, out_features=2, bias=False)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = gn_module_text(rows[i].module);
        ck_assert_str_eq(text, rows[i].text);
        free(text);
    }
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3);
    ck_assert_ptr_null(gn_celu(x, 0));
    expect_error_with(GN_E_ARGUMENT, "celu: alpha must not be 0");
    ck_assert_ptr_null(gn_softshrink(x, -1));
    expect_error_with(GN_E_ARGUMENT, "softshrink: lambda must be 0 or more, not -1");
    ck_assert_ptr_null(gn_hardtanh(x, 1, -1));
    expect_error_with(GN_E_ARGUMENT, "hardtanh: the bounds 1 and -1 are in the wrong order");
    ck_assert_ptr_null(gn_nn_hardtanh(.min_val = gn_some(1)));
    expect_error_with(GN_E_ARGUMENT, "Hardtanh: min_val 1 is not below max_val 1");
    ck_assert_ptr_null(gn_rrelu(x, 1, 0, false));
    expect_error_with(GN_E_ARGUMENT, "rrelu: the bounds 1 and 0 are in the wrong order");
    ck_assert_ptr_null(gn_glu(x, 1));
    expect_error_with(GN_E_ARGUMENT, "glu: dim 1 of input (2, 3) has an odd size");
    ck_assert_ptr_null(gn_glu(gn_scalar_tensor(1, NULL), 0));
    expect_error_with(GN_E_ARGUMENT, "glu: input () has no dim to halve");
    ck_assert_ptr_null(gn_prelu(x, gn_zeros(2)));
    expect_error_with(GN_E_ARGUMENT, "prelu: weight (2) does not fit input (2, 3)");
    ck_assert_ptr_null(gn_forward(gn_nn_softmax2d(), x));
    expect_error_with(GN_E_ARGUMENT, "Softmax2d: input (2, 3) must be (N, C, H, W)");
    ck_assert_ptr_null(gn_unflatten(x, 1, GN_SHAPE(2, 2)));
    expect_error_with(GN_E_ARGUMENT, "unflatten: shape (3) with 3 elements can't become (2, 2)");
    ck_assert_ptr_null(gn_bilinear(x, x, gn_zeros(4, 3, 2), NULL));
    expect_error_with(GN_E_ARGUMENT, "the second input (2, 3) does not fit weight (4, 3, 2)");
    ck_assert_ptr_null(gn_cosine_similarity(x, gn_zeros(4)));
    expect_error_with(GN_E_ARGUMENT, "cosine_similarity: shapes (2, 3) and (4) do not broadcast");
    ck_assert_ptr_null(gn_invoke(gn_nn_bilinear(3, 3, 2), x));
    expect_error_with(GN_E_UNSUPPORTED, "Bilinear: this module has no forward");
    ck_assert_ptr_null(gn_invoke(gn_nn_bilinear(3, 3, 2), x, x, x));
    expect_error_with(GN_E_ARGUMENT, "Bilinear: 3 inputs are given, but it has 2");
    ck_assert_ptr_null(gn_invoke(gn_nn_relu(), x, x));
    expect_error_with(GN_E_ARGUMENT, "ReLU: 2 inputs are given, but it has 1");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_inplace, test_rrelu,  test_gumbel_softmax,
                            test_normalize,    test_text,    test_errors, NULL};
    return suite_run("activation", tests);
}
