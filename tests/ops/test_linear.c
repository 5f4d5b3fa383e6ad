/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/linear.c. */
#include "tests/expect.h"
#include "tests/suite.h"

/* Strides: a transposed input and weight, a permuted input of 3 dims. */
START_TEST(test_strided) {
    gn_tensor *x = gn_randn(4, 3), *w = gn_randn(5, 3), *b = gn_randn(5);
    gn_tensor *y = gn_linear(x, w, b);
    gn_tensor *xt = gn_t(gn_contiguous(gn_t(x))), *wt = gn_t(gn_contiguous(gn_t(w)));
    expect_close("transposed", gn_linear(xt, wt, b), y);
    gn_tensor *z = gn_randn(3, 2, 4);
    expect_close("permuted", gn_linear(gn_permute(z, 1, 2, 0), w, b),
                 gn_linear(gn_contiguous(gn_permute(z, 1, 2, 0)), w, b));
}
END_TEST

START_TEST(test_empty) {
    gn_tensor *w = gn_requires_grad_(gn_randn(5, 3), true),
              *b = gn_requires_grad_(gn_randn(5), true);
    gn_tensor *y = gn_linear(gn_zeros(0, 3), w, b);
    ck_assert_int_eq(gn_size(y, 0), 0);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    expect_close("weight", gn_grad(w), gn_zeros(5, 3));
    expect_close("bias", gn_grad(b), gn_zeros(5));
    expect_close("no features", gn_linear(gn_zeros(2, 0), gn_zeros(5, 0), gn_ones(5)),
                 gn_ones(2, 5));
}
END_TEST

static gn_tensor *checked(gn_tensor *const *in, void *context) {
    return gn_linear(in[0], in[1], context ? NULL : in[2]);
}

START_TEST(test_gradcheck) {
    const gn_shape shapes[] = {GN_SHAPE(2, 3, 4), GN_SHAPE(2, 4), GN_SHAPE(2)};
    expect_gradcheck("linear", checked, NULL, 3, shapes, -1, 1);
    expect_gradcheck("linear without bias", checked, (void *)shapes, 2, shapes, -1, 1);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_linear(gn_zeros(32, 100), gn_zeros(256, 784), NULL));
    expect_error_with(
        GN_E_ARGUMENT,
        "linear: input (32, 100) does not fit weight (256, 784): the last dim must be 784");
    ck_assert_ptr_null(gn_linear(gn_zeros(2, 3), gn_zeros(4, 3), gn_zeros(3)));
    expect_error_with(GN_E_ARGUMENT, "linear: bias (3) does not fit weight (4, 3): it must be (4)");
    ck_assert_ptr_null(gn_linear(NULL, gn_zeros(4, 3), NULL));
    expect_error_with(GN_E_ARGUMENT, "linear");
    ck_assert_ptr_null(
        gn_linear(gn_zeros_with(GN_SHAPE(2, 3), GN_AS(.dtype = GN_I64)), gn_zeros(4, 3), NULL));
    expect_error_with(GN_E_ARGUMENT, "linear: input must be of a floating-point dtype, not int64");
    ck_assert_ptr_null(
        gn_linear(gn_zeros_with(GN_SHAPE(2, 3), GN_AS(.dtype = GN_BF16)), gn_zeros(4, 3), NULL));
    expect_error_with(GN_E_ARGUMENT, "linear: input is bfloat16 but weight is float32");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_strided, test_empty, test_gradcheck, test_errors, NULL};
    return suite_run("linear", tests);
}
