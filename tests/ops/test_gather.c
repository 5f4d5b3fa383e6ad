/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/gather.c. */
#include "tests/expect.h"
#include "tests/suite.h"

/* Of equal indices the last one stays, and gets the gradient; a source may be larger than the
 * index. */
START_TEST(test_scatter) {
    gn_tensor *x = gn_zeros_with(GN_SHAPE(2, 3), GN_AS(.requires_grad = true));
    gn_tensor *index = gn_tensor_of(((int64_t[]){1, 0, 1, 0}), 4, 1);
    gn_tensor *source =
        gn_requires_grad_(gn_view(gn_arange(1, 11, 1, GN_AS(.dtype = GN_F32)), 5, 2), true);
    gn_tensor *y = gn_scatter(x, 0, index, source);
    EXPECT_VALUES(y, 0, 7, 0, 0, 5, 0, 0);
    gn_backward(gn_sum(y));
    EXPECT_VALUES(gn_grad(x), 0, 0, 1, 1, 0, 1, 1);
    EXPECT_VALUES(gn_grad(source), 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0);
    EXPECT_VALUES(x, 0, 0, 0, 0, 0, 0, 0);
}
END_TEST

/* A source larger than the index; what is not drawn on has no gradient. */
START_TEST(test_scatter_reduce) {
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(((float[]){5, 0, 1}), 3), true);
    gn_tensor *source = gn_requires_grad_(gn_tensor_of(((float[]){5, 2, 9}), 3), true);
    gn_tensor *index = gn_tensor_of(((int64_t[]){0, 1}), 2);
    gn_tensor *y = gn_scatter_reduce(x, 0, index, source, .reduce = GN_COMBINE_AMAX);
    EXPECT_VALUES(y, 0, 5, 2, 1);
    gn_backward(gn_sum(y));
    EXPECT_VALUES(gn_grad(x), 0, 0.5, 0, 1);
    EXPECT_VALUES(gn_grad(source), 0, 0.5, 1, 0);
    EXPECT_VALUES(gn_scatter_reduce(x, 0, index, source), 0, 10, 2, 1);
    gn_tensor *ints = gn_tensor_of(((int64_t[]){INT64_MAX, 7}), 2);
    y = gn_scatter_reduce(ints, 0, gn_tensor_of(((int64_t[]){0, 0}), 2),
                          gn_tensor_of(((int64_t[]){-3, 4}), 2), .reduce = GN_COMBINE_AMAX,
                          .exclude_self = true);
    EXPECT_VALUES(y, 0, 4, 7);
    ck_assert_ptr_null(gn_scatter_reduce(x, 0, index, source, .reduce = (gn_combine)4));
    expect_error(GN_E_ARGUMENT, "scatter_reduce: there is no reduction 4");
    gn_scatter_reduce(x, 0, gn_tensor_of(((int64_t[]){3}), 1), source, .reduce = GN_COMBINE_MEAN);
    expect_index_error("scatter_add");
}
END_TEST

/* Large enough for every thread and tile; against plain loops. */
START_TEST(test_large) {
    enum { BINS = 1000, LENGTH = 40000 };
    static int64_t at[LENGTH];
    static float x[BINS], source[LENGTH], found[LENGTH], set[BINS];
    static double sum[BINS];
    gn_tensor *index = gn_randint(0, BINS, GN_SHAPE(LENGTH), NULL), *values = gn_randn(LENGTH);
    gn_tensor *bins = gn_rand(BINS);
    gn_copy_out(index, at, GN_I64, LENGTH);
    gn_copy_out(values, source, GN_F32, LENGTH);
    gn_copy_out(bins, x, GN_F32, BINS);
    for (int i = 0; i < BINS; i++) {
        set[i] = x[i];
        sum[i] = (double)x[i];
    }
    for (int i = 0; i < LENGTH; i++) {
        set[at[i]] = source[i];
        sum[at[i]] += (double)source[i];
    }
    ck_assert_int_eq(gn_copy_out(gn_gather(bins, 0, index), found, GN_F32, LENGTH), GN_OK);
    for (int i = 0; i < LENGTH; i++)
        ck_assert(found[i] == x[at[i]]);
    ck_assert_int_eq(gn_copy_out(gn_scatter(bins, 0, index, values), found, GN_F32, BINS), GN_OK);
    for (int i = 0; i < BINS; i++)
        ck_assert(found[i] == set[i]);
    expect_values(gn_scatter_add(bins, 0, index, values), sum, BINS, 1e-4);
    gn_tensor *rows = gn_index_select(gn_reshape(bins, 1, BINS), 1, index);
    ck_assert(gn_equal(gn_reshape(rows, -1), gn_index(bins, GN_BY(index))));
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *bad = gn_tensor_of(((int64_t[]){0, 2}), 2, 1);
    gn_gather(x, 0, bad);
    expect_index_error("gather");
    gn_gather(x, 1, gn_neg(bad));
    expect_index_error("gather");
    gn_scatter_add(x, 0, bad, gn_ones(2, 1));
    expect_index_error("scatter_add");
    gn_index_select(x, 1, gn_tensor_of(((int64_t[]){3}), 1));
    expect_index_error("index_select");
    ck_assert_ptr_null(gn_gather(x, 0, gn_ones(2, 1)));
    expect_error(GN_E_ARGUMENT, "gather: indices must be integers, not float32");
    ck_assert_ptr_null(gn_gather(gn_zeros(1, 1), 0, gn_tensor_of(((int64_t[]){0, 0}), 1, 2)));
    expect_error(
        GN_E_ARGUMENT,
        "gather: index (1, 2) must have as many dims as (1, 1), and be no larger but in dim 0");
    ck_assert_ptr_null(gn_scatter(x, 0, bad, gn_ones(1, 1)));
    expect_error(GN_E_ARGUMENT,
                 "scatter: index (2, 1) must have as many dims as (2, 3) and source (1, 1), and "
                 "be no larger than the first but in dim 0, and than the second");
    ck_assert_ptr_null(gn_scatter(x, 0, bad, gn_ones_with(GN_SHAPE(2, 1), GN_AS(.dtype = GN_I64))));
    expect_error(GN_E_ARGUMENT, "scatter: int64 source for a float32 tensor: gn_cast it first");
    ck_assert_ptr_null(gn_masked_fill(x, x, 0));
    expect_error(GN_E_ARGUMENT, "masked_fill: the mask must be bool, not float32");
    ck_assert_ptr_null(gn_masked_fill(bad, gn_eq(bad, bad), 0.5));
    expect_error(GN_E_ARGUMENT, "masked_fill: 0.5 is no value of int64");
}
END_TEST

static gn_tensor *moved(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *index = gn_tensor_of(((int64_t[]){0, 1, 1, 0, 0, 1}), 2, 3);
    gn_tensor *y = gn_gather(gn_square(in[0]), 0, index);
    gn_tensor *z = gn_scatter(gn_square(in[0]), 1, index, gn_mul(y, in[1]));
    return gn_scatter_add(gn_mul(z, z), 1, index, gn_mul(in[1], in[1]));
}

START_TEST(test_second_order) {
    if (!has_dtype(GN_F64))
        return;
    double values[] = {0.3, -0.7, 1.1, 0.2, 0.9, 1.3, 0.4};
    gn_tensor *in[] = {
        gn_tensor_from(values, GN_F64, GN_SHAPE(2, 3), GN_AS(.requires_grad = true)),
        gn_tensor_from(values + 1, GN_F64, GN_SHAPE(2, 3), GN_AS(.requires_grad = true))};
    gn_gradcheck_options o = {.struct_size = sizeof o, .second_order = true};
    gn_gradcheck(moved, NULL, 2, in, &o);
    ck_assert_str_eq(gn_error(), "");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_scatter, test_scatter_reduce, test_large,
                            test_errors,  test_second_order,   NULL};
    return suite_run("gather", tests);
}
