/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of pointwise.def, against PyTorch: results, dtypes, gradients, layouts. */
#include "tests/expect.h"
#include "tests/suite.h"

/* The rows of pointwise.def that say nothing else are right at the edges, too: second
 * derivatives. */
static gn_tensor *silu_of(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_silu(gn_mul(in[0], in[1]));
}

static gn_tensor *mixed(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_add(gn_tanh(gn_div(in[0], in[1])), gn_pow(in[1], in[0]));
}

START_TEST(test_second_order) {
    if (!has_dtype(GN_F64))
        return;
    gn_tensor *in[] = {gn_tensor_from((double[]){0.3, 0.7, 1.1, 0.2, 0.9, 1.3}, GN_F64,
                                      GN_SHAPE(2, 3), GN_AS(.requires_grad = true)),
                       gn_tensor_from((double[]){1.2, 0.8, 1.7}, GN_F64, GN_SHAPE(3),
                                      GN_AS(.requires_grad = true))};
    gn_gradcheck_options options = {.struct_size = sizeof options, .second_order = true};
    gn_gradcheck(silu_of, NULL, 2, in, &options);
    ck_assert_str_eq(gn_error(), "");
    gn_gradcheck(mixed, NULL, 2, in, &options);
    ck_assert_str_eq(gn_error(), "");
}
END_TEST

/* A 0-dim cpu tensor joins any device, in both directions. */
START_TEST(test_zero_dim_cpu) {
    if (!gn_device_available("cpu"))
        return;
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(((float[]){1, 2, 3}), 3), true);
    gn_tensor *s = gn_scalar_tensor(2, GN_AS(.device = "cpu", .requires_grad = true));
    gn_tensor *y = gn_mul(gn_mul(s, x), x);
    ck_assert_str_eq(gn_device_of(y), gn_default_device());
    EXPECT_VALUES(y, 1e-6, 2, 8, 18);
    gn_backward(y, .gradient = gn_ones_like(y));
    EXPECT_VALUES(gn_grad(x), 1e-6, 4, 8, 12);
    EXPECT_VALUES(gn_grad(s), 1e-6, 14);
    ck_assert_str_eq(gn_device_of(gn_grad(s)), "cpu");
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *a = gn_zeros(2, 3), *b = gn_zeros(4),
              *t = gn_zeros_with(GN_SHAPE(2), GN_AS(.dtype = GN_BOOL));
    ck_assert_ptr_null(gn_add(a, b));
    expect_error(GN_E_ARGUMENT,
                 "add: shapes (2, 3) and (4) do not broadcast: aligned at the right, "
                 "sizes must be equal or 1");
    ck_assert_ptr_null(gn_relu(NULL));
    expect_error(GN_E_ARGUMENT, "relu: a tensor is NULL");
    ck_assert_ptr_null(gn_sub(t, t));
    expect_error(GN_E_ARGUMENT, "sub: subtract of bools; use logical_xor");
    ck_assert_ptr_null(gn_neg(t));
    expect_error(GN_E_ARGUMENT, "neg: negative of a bool; use logical_not");
    ck_assert_ptr_null(gn_bitwise_and(a, a));
    expect_error(GN_E_ARGUMENT, "bitwise_and: 'and' does not take float32");
    /* an error sticks, and what follows does nothing */
    gn_add(a, b);
    ck_assert_ptr_null(gn_relu(a));
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_ptr_nonnull(gn_relu(a));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_second_order, test_zero_dim_cpu, test_errors, NULL};
    return suite_run("pointwise", tests);
}
