/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/select.c. */
#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *labels = gn_tensor_of(((int64_t[]){0, -1}), 2);
    ck_assert_ptr_null(gn_masked_select(x, x));
    expect_error(GN_E_ARGUMENT, "masked_select: the mask must be bool, not float32");
    ck_assert_ptr_null(gn_bincount(labels, NULL, 0));
    expect_error(GN_E_INDEX, "bincount: a value is negative");
    ck_assert_ptr_null(gn_bincount(gn_abs(labels), gn_ones(3), 0));
    expect_error(GN_E_ARGUMENT,
                 "bincount: shapes (2) and (3): needs a vector, and weights of the same shape");
    ck_assert_ptr_null(gn_bincount(labels, NULL, -1));
    expect_error(GN_E_ARGUMENT, "bincount: minlength -1 is negative");
    ck_assert_ptr_null(gn_repeat_interleave_by(x, labels, 1));
    expect_error(GN_E_ARGUMENT, "repeat_interleave: repeats (2) do not fit dim 1 of shape (2, 3): "
                                "it needs 1 or 3");
    ck_assert_ptr_null(gn_repeat_interleave_by(x, labels, 0));
    expect_error(GN_E_ARGUMENT, "repeat_interleave: -1 repeats: at least 0");
    ck_assert_ptr_null(gn_repeat_interleave_by(x, x, 0));
    expect_error(GN_E_ARGUMENT, "repeat_interleave: indices must be integers, not float32");
    ck_assert_ptr_null(gn_nonzero(NULL));
    expect_error(GN_E_ARGUMENT, "nonzero: a tensor is NULL");
}
END_TEST

/* A least length, not the length. */
START_TEST(test_minlength) {
    gn_tensor *x = gn_tensor_of(((int64_t[]){4, 1, 4}), 3);
    EXPECT_VALUES(gn_bincount(x, NULL, 2), 0, 0, 1, 0, 0, 2);
    EXPECT_VALUES(gn_bincount(x, NULL, 6), 0, 0, 1, 0, 0, 2, 0);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_errors, test_minlength, NULL};
    return suite_run("select", tests);
}
