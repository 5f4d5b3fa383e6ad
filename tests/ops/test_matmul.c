/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/matmul.c. */
#include <math.h>

#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_errors) {
    gn_tensor *a = gn_zeros(32, 100), *b = gn_zeros(784, 256);
    ck_assert_ptr_null(gn_matmul(a, b));
    expect_error(
        GN_E_ARGUMENT,
        "matmul: shapes (32, 100) and (784, 256) do not fit: the last dim of the first (100) "
        "must equal the last but one of the second (784)");
    ck_assert_ptr_null(gn_matmul(gn_zeros(), b));
    expect_error(GN_E_ARGUMENT, "matmul: shapes () and (784, 256): both need at least 1 dim");
    ck_assert_ptr_null(gn_mm(gn_zeros(2, 2, 2), b));
    expect_error(GN_E_ARGUMENT, "mm: shapes (2, 2, 2) and (784, 256): both need 2 dim(s)");
    ck_assert_ptr_null(gn_bmm(gn_zeros(2, 2, 2), gn_zeros(3, 2, 2)));
    expect_error(GN_E_ARGUMENT,
                 "bmm: shapes (2, 2, 2) and (3, 2, 2): the first dims must be equal");
    ck_assert_ptr_null(gn_matmul(gn_zeros(2, 2, 2), gn_zeros(3, 2, 2)));
    expect_error(GN_E_ARGUMENT,
                 "matmul: shapes (2) and (3) do not broadcast: aligned at the right, "
                 "sizes must be equal or 1");
    ck_assert_ptr_null(gn_matmul(a, gn_zeros_with(GN_SHAPE(100, 2), GN_AS(.dtype = GN_I64))));
    expect_error(GN_E_ARGUMENT,
                 "matmul: float32 (32, 100) and int64 (100, 2): convert one of them with gn_cast");
}
END_TEST

/* With beta 0, what is added may be anything. */
START_TEST(test_addmm) {
    gn_tensor *a = gn_ones(2, 3), *nan = gn_full(GN_SHAPE(2, 2), NAN, NULL);
    gn_tensor *y = gn_addmm(nan, a, gn_ones(3, 2), .beta = gn_some(0), .alpha = gn_some(2));
    EXPECT_VALUES(y, 0, 6, 6, 6, 6);
    ck_assert_ptr_null(gn_addmm(gn_ones(3), a, gn_ones(3, 2)));
    expect_error(GN_E_ARGUMENT, "expand: shape (3) can't expand to (2, 2)");
    ck_assert_ptr_null(gn_addmm(nan, a, gn_ones(3)));
    expect_error(GN_E_ARGUMENT, "addmm: shapes (2, 3) and (3): both need 2 dim(s)");
    ck_assert_ptr_null(gn_baddbmm(NULL, a, a));
    expect_error(GN_E_ARGUMENT, "baddbmm: a tensor is NULL");
    ck_assert_ptr_null(gn_mv(a, a));
    expect_error(GN_E_ARGUMENT, "mv: shapes (2, 3) and (2, 3): needs a matrix and a vector");
}
END_TEST

static gn_tensor *product(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_matmul(gn_matmul(in[0], in[1]), in[1]);
}

START_TEST(test_second_order) {
    if (!has_dtype(GN_F64))
        return;
    double values[] = {0.3, -0.7, 1.1, 0.2, 0.9, 1.3, 0.4, 0.8};
    gn_tensor *in[] = {
        gn_tensor_from(values, GN_F64, GN_SHAPE(2, 2, 2), GN_AS(.requires_grad = true)),
        gn_tensor_from(values + 2, GN_F64, GN_SHAPE(2, 2), GN_AS(.requires_grad = true))};
    gn_gradcheck_options o = {.struct_size = sizeof o, .second_order = true};
    gn_gradcheck(product, NULL, 2, in, &o);
    ck_assert_str_eq(gn_error(), "");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_errors, test_addmm, test_second_order, NULL};
    return suite_run("matmul", tests);
}
