/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/softmax.c. */
#include <math.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *checked(gn_tensor *const *in, void *context) {
    return context ? gn_log_softmax(in[0], 1) : gn_softmax(in[0], 1);
}

START_TEST(test_gradcheck) {
    const gn_shape shape = GN_SHAPE(2, 3, 2);
    expect_gradcheck("softmax", checked, NULL, 1, &shape, -1, 1);
    expect_gradcheck("log_softmax", checked, (void *)&shape, 1, &shape, -1, 1);
}
END_TEST

START_TEST(test_shapes) {
    expect_close("0 dims", gn_softmax(gn_scalar_tensor(3.5, NULL), 0),
                 gn_scalar_tensor(1., GN_AS(.dtype = GN_F32)));
    gn_tensor *x = gn_requires_grad_(gn_scalar_tensor(3.5, NULL), true);
    ck_assert_int_eq(gn_backward(gn_log_softmax(x, -1)), GN_OK);
    ck_assert_double_eq(gn_item(gn_grad(x)), 0);
    ck_assert_int_eq(gn_numel(gn_softmax(gn_zeros(3, 0), 1)), 0);
    ck_assert_int_eq(gn_numel(gn_softmax(gn_zeros(0, 3), 1)), 0);
    gn_tensor *wide = gn_randn(4, 6), *part = gn_slice(wide, 1, 0, 6, 2);
    expect_close("strided", gn_softmax(part, 0), gn_softmax(gn_contiguous(part), 0));
}
END_TEST

/* A row of nothing but -inf is 0, and so is its gradient; other rows are softmax. */
START_TEST(test_safe) {
    float values[] = {-INFINITY, -INFINITY, 0, -INFINITY};
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(values, 2, 2), true);
    gn_tensor *y = gn_safe_softmax(x, -1);
    EXPECT_VALUES(y, 0, 0, 0, 1, 0);
    gn_backward(gn_sum(gn_square(y)));
    EXPECT_VALUES(gn_grad(x), 0, 0, 0, 0, 0);
    gn_tensor *z = gn_randn(2, 3);
    expect_close("softmax", gn_safe_softmax(z, 0), gn_softmax(z, 0));
    ck_assert_int_eq(gn_numel(gn_safe_softmax(gn_zeros(3, 0), 1)), 0);
    ck_assert_ptr_null(gn_safe_softmax(NULL, 0));
    expect_error(GN_E_ARGUMENT, "safe_softmax: a tensor is NULL");
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_softmax(gn_zeros(2, 3), 2));
    expect_error_with(GN_E_ARGUMENT, "softmax");
    ck_assert_ptr_null(gn_log_softmax(gn_arange(0, 3, 1, NULL), 0));
    expect_error_with(GN_E_ARGUMENT,
                      "log_softmax: input must be of a floating-point dtype, not int64");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_shapes, test_safe, test_errors, NULL};
    return suite_run("softmax", tests);
}
