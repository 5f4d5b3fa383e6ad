/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/linalg.c. */
#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *y = gn_zeros(4, 3);
    ck_assert_ptr_null(gn_tensordot(x, y, GN_DIMS(0), GN_DIMS(0, 1)));
    expect_error(GN_E_ARGUMENT, "tensordot: 1 dims of the first, 2 of the second");
    ck_assert_ptr_null(gn_tensordot(x, y, GN_DIMS(0), GN_DIMS(0)));
    expect_error(GN_E_ARGUMENT,
                 "tensordot: shapes (2, 3) and (4, 3) do not fit: paired dims must have equal "
                 "sizes, and the others be no more than 8");
    ck_assert_ptr_null(gn_tensordot(x, y, GN_DIMS(1, -1), GN_DIMS(1, 0)));
    expect_error(GN_E_ARGUMENT, "tensordot: dim 1 of shape (2, 3) is given twice or not there");
    ck_assert_ptr_null(gn_kron(gn_zeros(1, 1, 1, 1, 1), x));
    expect_error(GN_E_UNSUPPORTED, "kron: shapes (1, 1, 1, 1, 1) and (2, 3): at most 4 dims");
    ck_assert_ptr_null(gn_trace(gn_zeros(2)));
    expect_error(GN_E_ARGUMENT, "trace: shape (2): needs a matrix");
    ck_assert_ptr_null(gn_kron(NULL, x));
    expect_error(GN_E_ARGUMENT, "kron: a tensor is NULL");
}
END_TEST

static gn_tensor *products(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *square = gn_tensordot(in[0], in[0], GN_DIMS(1), GN_DIMS(1));
    return gn_mul(gn_kron(square, in[0]), gn_trace(square));
}

START_TEST(test_second_order) { expect_second_order(products); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_errors, test_second_order, NULL};
    return suite_run("linalg", tests);
}
