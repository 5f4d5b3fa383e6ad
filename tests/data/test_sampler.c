/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/data/sampler.c. */
#include <string.h>

#include <genesis/data.h>

#include "tests/expect.h"
#include "tests/suite.h"

enum { MOST = 4000 };

static int64_t order[MOST];

static const int64_t *draw(gn_sampler *sampler, uint64_t seed) {
    ck_assert_int_le(gn_sampler_count(sampler), MOST);
    ck_assert_msg(gn_sampler_indices(sampler, gn_generator_new(seed), order) == GN_OK, "%s",
                  gn_error());
    return order;
}

/* How often each of n indices comes. */
static void count(int64_t from, int64_t to, int64_t n, int64_t *counts) {
    memset(counts, 0, (size_t)n * sizeof *counts);
    for (int64_t i = from; i < to; i++) {
        ck_assert(order[i] >= 0 && order[i] < n);
        counts[order[i]]++;
    }
}

START_TEST(test_in_order) {
    ck_assert_mem_eq(draw(gn_sequential_sampler(3), 1), ((int64_t[]){0, 1, 2}), 24);
    ck_assert_mem_eq(draw(gn_index_sampler((int64_t[]){5, 5, 1}, 3), 1), ((int64_t[]){5, 5, 1}),
                     24);
    ck_assert_int_eq(gn_sampler_count(gn_sequential_sampler(0)), 0);
}
END_TEST

START_TEST(test_random) {
    int64_t counts[10], first[10];
    memcpy(first, draw(gn_random_sampler(10), 1), sizeof first);
    count(0, 10, 10, counts);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(counts[i], 1);
    ck_assert_mem_eq(draw(gn_random_sampler(10), 1), first, sizeof first);
    ck_assert_mem_ne(draw(gn_random_sampler(10), 2), first, sizeof first);

    draw(gn_random_sampler(10, .num_samples = 25), 3); /* two orders and a half */
    for (int part = 0; part < 2; part++) {
        count(10 * part, 10 * part + 10, 10, counts);
        for (int i = 0; i < 10; i++)
            ck_assert_int_eq(counts[i], 1);
    }
    count(20, 25, 10, counts);
    for (int i = 0; i < 10; i++)
        ck_assert_int_le(counts[i], 1);

    draw(gn_random_sampler(10, .replacement = true, .num_samples = MOST), 4);
    count(0, MOST, 10, counts);
    for (int i = 0; i < 10; i++) /* 400, standard deviation 19 */
        ck_assert(counts[i] > 300 && counts[i] < 500);

    draw(gn_subset_random_sampler((int64_t[]){7, 2, 9}, 3), 1);
    ck_assert_int_eq(order[0] + order[1] + order[2], 18);
}
END_TEST

START_TEST(test_weighted) {
    const double weights[] = {1, 0, 3, 4};
    int64_t counts[4];
    draw(gn_weighted_random_sampler(weights, 4, MOST, true), 5);
    count(0, MOST, 4, counts);
    ck_assert_int_eq(counts[1], 0);
    ck_assert(counts[0] > 400 && counts[0] < 600); /* 500, standard deviation 21 */
    ck_assert(counts[2] > 1350 && counts[2] < 1650);

    int64_t second = 0; /* which comes second if two are drawn: rarely the light one comes first */
    for (uint64_t seed = 0; seed < 200; seed++) {
        draw(gn_weighted_random_sampler(weights, 4, 3, false), seed);
        count(0, 3, 4, counts);
        ck_assert(counts[0] == 1 && counts[1] == 0 && counts[2] == 1 && counts[3] == 1);
        second += order[0] == 0;
    }
    ck_assert(second > 8 && second < 45); /* 25, standard deviation 4.7 */
}
END_TEST

static gn_status backwards(void *context, gn_generator *generator, int64_t *out, int64_t n) {
    (void)generator;
    for (int64_t i = 0; i < n; i++)
        out[i] = *(int64_t *)context - i;
    return GN_OK;
}

START_TEST(test_own_and_batches) {
    int64_t last = 5, sizes[] = {1, 3, 2};
    gn_sampler *own = gn_sampler_new(6, backwards, .context = &last);
    gn_dataset *set = gn_tensor_dataset(gn_arange(0, 6, 1, NULL), NULL);
    gn_loader *loader = gn_loader_new(set, .sampler = gn_batch_sampler(own, sizes, 3));
    ck_assert_int_eq(gn_loader_batches(loader), 3);
    int64_t expected = 5;
    for (gn_batch b; gn_next(loader, &b);) {
        ck_assert_int_eq(b.size, sizes[b.index]);
        int64_t x[3];
        ck_assert_int_eq(gn_copy_out(b.x, x, GN_I64, b.size), GN_OK);
        for (int64_t i = 0; i < b.size; i++)
            ck_assert_int_eq(x[i], expected--);
    }
    ck_assert_int_eq(expected, -1);
    last = 6; /* beyond the set */
    gn_batch b;
    ck_assert(!gn_next(loader, &b));
    expect_error(GN_E_INDEX, "next: the sampler gives index 6 of a data set of 6 samples");
    ck_assert_ptr_null(gn_batch_sampler(own, sizes, 2));
    expect_error(GN_E_ARGUMENT, "batch_sampler: the sizes must be at least 1 and add up to the "
                                "sampler's 6 indices");
}
END_TEST

START_TEST(test_refuses) {
    ck_assert_ptr_null(gn_sequential_sampler(-1));
    expect_error_with(GN_E_ARGUMENT, "-1 samples");
    ck_assert_ptr_null(gn_random_sampler(0, .num_samples = 1));
    expect_error_with(GN_E_ARGUMENT, "1 draws from 0 samples");
    ck_assert_ptr_null(gn_weighted_random_sampler((double[]){1, -1}, 2, 1, true));
    expect_error_with(GN_E_ARGUMENT, "not negative");
    ck_assert_ptr_null(gn_weighted_random_sampler((double[]){1, 0}, 2, 2, false));
    expect_error_with(GN_E_ARGUMENT, "only 1 weights are not 0");
    ck_assert_ptr_null(gn_index_sampler(NULL, 1));
    expect_error_with(GN_E_ARGUMENT, "NULL");
    ck_assert_ptr_null(gn_sampler_new(1, NULL));
    expect_error_with(GN_E_ARGUMENT, "no function");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_in_order,        test_random,  test_weighted,
                            test_own_and_batches, test_refuses, NULL};
    return suite_run("sampler", tests);
}
