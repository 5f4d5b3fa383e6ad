/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/sample.c. */
#include <math.h>

#include "tests/expect.h"
#include "tests/suite.h"

enum { DRAWS = 20000 };

/* Frequencies are within 4 standard deviations, sqrt(p (1 - p) / DRAWS) each; 0 is never drawn. */
START_TEST(test_multinomial) {
    gn_manual_seed(3);
    static const double weight[] = {0, 1, 5, 0, 2, 0};
    gn_tensor *w = gn_cast(gn_tensor_of(weight, 6), GN_F32);
    gn_tensor *counts = gn_bincount(gn_multinomial(w, DRAWS, true, NULL), NULL, 6);
    int64_t found[6];
    ck_assert_int_eq(gn_copy_out(counts, found, GN_I64, 6), GN_OK);
    for (int i = 0; i < 6; i++) {
        double p = weight[i] / 8, deviation = sqrt(p * (1 - p) / DRAWS);
        ck_assert_double_le(fabs((double)found[i] / DRAWS - p), 4 * deviation);
    }
    /* without replacement: each once; the first draw as before */
    gn_tensor *rows = gn_multinomial(gn_expand(w, DRAWS, 6), 3, false, NULL);
    ck_assert_int_eq(gn_size(rows, 0), DRAWS);
    gn_tensor *drawn = gn_sum(gn_one_hot(rows, 6), .dims = GN_DIMS(1));
    ck_assert(
        gn_equal(drawn, gn_expand_with(gn_cast(gn_gt_scalar(w, 0), GN_I64), gn_shape_of(drawn))));
    gn_tensor *first = gn_eq_scalar(gn_select(rows, 1, 0), 2);
    ck_assert_double_eq_tol(gn_item(gn_mean(gn_cast(first, GN_F32))), 5. / 8, 0.014);
}
END_TEST

/* One weight among many zeros, whose running sums are rounded. */
START_TEST(test_rare) {
    gn_tensor *at = gn_tensor_of(((int64_t[]){1, 20, 39}), 3);
    gn_tensor *w = gn_index_put(gn_zeros(40), gn_full(GN_SHAPE(1), 0.1, NULL), GN_BY(at));
    gn_tensor *counts = gn_bincount(gn_multinomial(w, DRAWS, true, NULL), NULL, 40);
    ck_assert_int_eq(gn_item_int(gn_sum(gn_index(counts, GN_BY(at)))), DRAWS);
    double deviation = sqrt(DRAWS * (1 / 3.) * (2 / 3.)), least = DRAWS / 3. - 5 * deviation;
    ck_assert_double_ge(gn_item(gn_amin(gn_index(counts, GN_BY(at)))), least);
}
END_TEST

START_TEST(test_moments) {
    gn_manual_seed(5);
    gn_tensor *p = gn_expand(gn_tensor_of(((float[]){0, 0.25, 1}), 3), DRAWS, 3);
    gn_tensor *b = gn_bernoulli_of(p, NULL), *mean = gn_mean(b, .dims = GN_DIMS(0));
    ck_assert_int_eq(gn_dtype_of(b), GN_F32);
    EXPECT_VALUES(mean, 0.01, 0, 0.25, 1); /* 4 sqrt(0.25 0.75 / DRAWS) = 0.012 */
    gn_tensor *centre = gn_requires_grad_(gn_tensor_of(((float[]){-1, 3}), 2), true);
    gn_tensor *spread = gn_tensor_of(((float[]){0, 2}), 2);
    gn_tensor *z = gn_normal(gn_expand(centre, DRAWS, 2), spread, NULL);
    EXPECT_VALUES(gn_mean(z, .dims = GN_DIMS(0)), 0.015, -1, 3); /* 4 2 / sqrt(DRAWS) = 0.057 */
    EXPECT_VALUES(gn_std(z, .dims = GN_DIMS(0)), 0.02, 0, 2);    /* 4 2 / sqrt(2 DRAWS) = 0.04 */
    gn_backward(gn_sum(z));
    EXPECT_VALUES(gn_grad(centre), 0, DRAWS, DRAWS);
    /* the generator decides */
    gn_generator *one = gn_generator_new(1), *same = gn_generator_new(1);
    ck_assert(gn_equal(gn_bernoulli_of(p, one), gn_bernoulli_of(p, same)));
    ck_assert(!gn_equal(gn_bernoulli_of(p, one), b));
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *w = gn_ones(2, 3);
    ck_assert_ptr_null(gn_multinomial(w, 4, false, NULL));
    expect_error(GN_E_ARGUMENT, "multinomial: 4 draws without replacement need as many weights "
                                "that are not 0 in each row");
    ck_assert_ptr_null(gn_multinomial(gn_neg(w), 1, true, NULL));
    expect_error(GN_E_ARGUMENT, "multinomial: weights must not be negative, and each row must "
                                "have a positive, finite sum");
    ck_assert_ptr_null(gn_multinomial(gn_zeros(2, 3), 1, true, NULL));
    gn_error_clear();
    ck_assert_ptr_null(gn_multinomial(gn_full(GN_SHAPE(2, 3), NAN, NULL), 1, true, NULL));
    gn_error_clear();
    ck_assert_ptr_null(gn_multinomial(w, 0, true, NULL));
    expect_error(GN_E_ARGUMENT, "multinomial: 0 draws from weights (2, 3): needs at least 1, and "
                                "(C) or (N, C)");
    ck_assert_ptr_null(gn_multinomial(gn_arange(0, 3, 1, NULL), 1, true, NULL));
    expect_error(GN_E_ARGUMENT, "multinomial: input must be of a floating-point dtype, not int64");
    ck_assert_ptr_null(gn_bernoulli_of(NULL, NULL));
    expect_error(GN_E_ARGUMENT, "bernoulli: a tensor is NULL");
    ck_assert_ptr_null(gn_normal(w, gn_ones(2), NULL));
    expect_error(GN_E_ARGUMENT, "normal: shapes (2, 3) and (2) do not broadcast: aligned at the "
                                "right, sizes must be equal or 1");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_multinomial, test_rare, test_moments, test_errors, NULL};
    return suite_run("sample", tests);
}
