/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/reduce.c and statistics.c. */
#include <math.h>

#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_empty) {
    gn_tensor *x = gn_zeros(0, 2);
    EXPECT_VALUES(gn_sum(x), 0, 0);
    EXPECT_VALUES(gn_prod(x), 0, 1);
    ck_assert(gn_item_bool(gn_all(x)) && !gn_item_bool(gn_any(x)));
    ck_assert_ptr_null(gn_amax(x));
    expect_error(GN_E_ARGUMENT,
                 "amax: shape (0, 2) has no elements to reduce, and no result for that");
    ck_assert_ptr_null(gn_argmin(x, 0, false));
    expect_error(GN_E_ARGUMENT,
                 "argmin: shape (0, 2) has no elements to reduce, and no result for that");
    ck_assert_int_eq(gn_numel(gn_amax(gn_zeros(0, 2), .dims = GN_DIMS(1))), 0);
}
END_TEST

/* The unbiased variance of one element does not exist. */
START_TEST(test_single) {
    ck_assert(isnan(gn_item(gn_var(gn_ones(1)))));
    EXPECT_VALUES(gn_var(gn_ones(1), .correction = gn_some(0)), 0, 0);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *ints = gn_zeros_with(GN_SHAPE(2), GN_AS(.dtype = GN_I64));
    ck_assert_ptr_null(gn_sum(x, .dims = GN_DIMS(2)));
    expect_error(GN_E_ARGUMENT, "sum: dim 2 does not exist: 2 dims allow -2 to 1");
    ck_assert_ptr_null(gn_sum(x, .dims = GN_DIMS(1, -1)));
    expect_error(GN_E_ARGUMENT, "sum: dim 1 is given twice");
    ck_assert_ptr_null(gn_mean(ints));
    expect_error(GN_E_ARGUMENT, "mean: needs a floating-point dtype, not int64: cast first");
    ck_assert_ptr_null(gn_var(ints));
    expect_error(GN_E_ARGUMENT, "var: needs a floating-point dtype, not int64");
    ck_assert_ptr_null(gn_sum_to_shape(x, GN_SHAPE(2)));
    expect_error(GN_E_ARGUMENT, "sum_to_shape: shape (2, 3) does not come from (2)");
    ck_assert_ptr_null(gn_logsumexp(NULL));
    expect_error(GN_E_ARGUMENT, "logsumexp: a tensor is NULL");
}
END_TEST

static gn_tensor *statistics(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *y =
        gn_add(gn_std(in[0], .dims = GN_DIMS(1)), gn_logsumexp(in[0], .dims = GN_DIMS(1)));
    return gn_mul(gn_prod(in[0]), gn_add(y, gn_max(in[0], 1, false, NULL)));
}

START_TEST(test_second_order) { expect_second_order(statistics); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_empty, test_single, test_errors, test_second_order, NULL};
    return suite_run("reduce", tests);
}
