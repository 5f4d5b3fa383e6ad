/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/sort.c. */
#include <math.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* Every length up to 70, few different values: in order, stable, a permutation. */
START_TEST(test_lengths) {
    for (int64_t n = 1; n <= 70; n++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *x = gn_randint(0, 6, GN_SHAPE(n, 3), GN_AS(.dtype = GN_I32)), *index;
        gn_tensor *y = gn_sort(x, 0, n % 2, &index);
        ck_assert(gn_equal(gn_gather(x, 0, index), y));
        if (n > 1) {
            gn_tensor *a = gn_narrow(y, 0, 0, n - 1), *b = gn_narrow(y, 0, 1, n - 1);
            gn_tensor *first = gn_narrow(index, 0, 0, n - 1),
                      *second = gn_narrow(index, 0, 1, n - 1);
            gn_tensor *before = n % 2 ? gn_gt(a, b) : gn_lt(a, b);
            gn_tensor *tie = gn_logical_and(gn_eq(a, b), gn_lt(first, second));
            ck_assert(gn_item_bool(gn_all(gn_logical_or(before, tie))));
        }
        ck_assert_int_eq(gn_scope_end(scope), GN_OK);
    }
}
END_TEST

/* Many rows, and one long one. */
START_TEST(test_large) {
    gn_tensor *x = gn_randn(30, 501), *long_one = gn_randn(20000);
    gn_tensor *y = gn_sort(x, 1, false, NULL), *z = gn_sort(long_one, 0, true, NULL);
    ck_assert(gn_item_bool(gn_all(gn_le(gn_narrow(y, 1, 0, 500), gn_narrow(y, 1, 1, 500)))));
    ck_assert(gn_item_bool(gn_all(gn_ge(gn_narrow(z, 0, 0, 19999), gn_narrow(z, 0, 1, 19999)))));
    ck_assert(gn_allclose(gn_sum(y, .dims = GN_DIMS(1)), gn_sum(x, .dims = GN_DIMS(1)),
                          .atol = gn_some(1e-3)));
}
END_TEST

/* In every dtype, against float64: few values and many, both signs, -0 beside 0, NaN. */
START_TEST(test_dtypes) {
    for (int dtype = GN_BOOL; dtype < GN_N_DTYPES; dtype++) {
        if (dtype == GN_U32 || !has_dtype(dtype) || !has_dtype(GN_F64))
            continue;
        bool is_unsigned = dtype == GN_BOOL || dtype == GN_U8;
        gn_tensor *x = gn_cast(gn_randint(is_unsigned ? 0 : -100, 101, GN_SHAPE(2, 60, 2), NULL),
                               (gn_dtype)dtype);
        if (gn_dtype_is_float(dtype)) {
            gn_index_put_scalar(x, NAN, GN_AT(0), GN_RANGE(0, 60, 7));
            x = gn_mul_scalar(x, -1.0);
        }
        for (int descending = 0; descending < 2; descending++) {
            gn_tensor *place = gn_argsort(x, 1, descending);
            ck_assert(gn_equal(place, gn_argsort(gn_cast(x, GN_F64), 1, descending)));
        }
    }
    gn_tensor *zeros = gn_tensor_of(((float[]){0, -0.0f, 0, -1}), 4), *index;
    gn_sort(zeros, 0, false, &index);
    EXPECT_VALUES(index, 0, 3, 0, 1, 2);
}
END_TEST

/* Ties: the first index of the median, the last of a mode; one of the places, at least. */
START_TEST(test_median) {
    gn_tensor *x = gn_view(gn_tensor_of(((float[]){3, 1, 3, 2, 2, 4, 4, 1}), 8), 2, 4), *index;
    EXPECT_VALUES(gn_median(x, 1, false, &index), 0, 2, 2);
    EXPECT_VALUES(index, 0, 3, 0);
    EXPECT_VALUES(gn_mode(x, 1, true, &index), 0, 3, 4);
    ck_assert(gn_equal(gn_gather(x, 1, index), gn_mode(x, 1, true, NULL)));
    EXPECT_VALUES(gn_median_all(x), 0, 2);
    ck_assert_ptr_null(gn_median(gn_zeros(0, 2), 0, false, NULL));
    expect_error(GN_E_ARGUMENT, "median: dim 0 of shape (0, 2) has no elements");
    ck_assert_ptr_null(gn_mode(NULL, 0, false, NULL));
    expect_error(GN_E_ARGUMENT, "mode: a tensor is NULL");
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3);
    ck_assert_ptr_null(gn_topk(x, 4, 1, true, NULL));
    expect_error(GN_E_ARGUMENT, "topk: k = 4 is not in 0 .. 3, the size of dim 1 of (2, 3)");
    ck_assert_ptr_null(gn_sort(x, 2, false, NULL));
    expect_error(GN_E_ARGUMENT, "sort: dim 2 does not exist: 2 dims allow -2 to 1");
    ck_assert_ptr_null(gn_sort(NULL, 0, false, NULL));
    expect_error(GN_E_ARGUMENT, "sort: a tensor is NULL");
}
END_TEST

static gn_tensor *ordered(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *y =
        gn_mul(gn_sort(gn_square(in[0]), 1, true, NULL), gn_median(in[0], 1, true, NULL));
    return gn_mul(gn_mul(y, gn_median_all(in[0])), gn_topk(gn_sin(in[0]), 1, 1, true, NULL));
}

START_TEST(test_second_order) { expect_second_order(ordered); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_lengths, test_large,        test_dtypes, test_median,
                            test_errors,  test_second_order, NULL};
    return suite_run("sort", tests);
}
