/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/data/loader.c. */
#include <string.h>

#include <genesis/data.h>
#include <genesis/shape_ops.h>

#include "tests/suite.h"

enum { SAMPLES = 10 };

/* x[i] = (2 i, 2 i + 1), y[i] = i */
static gn_dataset *numbers(int64_t n) {
    return gn_tensor_dataset(gn_view(gn_arange(0, 2 * (double)n, 1, GN_AS(.dtype = GN_F32)), n, 2),
                             gn_arange(0, (double)n, 1, NULL));
}

/* One epoch: the samples in the order in which they come. Returns the number of batches. */
static int epoch(gn_loader *loader, int64_t order[SAMPLES], int64_t *n) {
    int batches = 0;
    *n = 0;
    for (gn_batch b; gn_next(loader, &b); batches++) {
        float x[2 * SAMPLES];
        int64_t y[SAMPLES];
        ck_assert_int_eq(b.index, batches);
        ck_assert_int_eq(gn_size(b.x, 0), b.size);
        ck_assert_int_eq(gn_copy_out(b.x, x, GN_F32, 2 * b.size), GN_OK);
        ck_assert_int_eq(gn_copy_out(b.y, y, GN_I64, b.size), GN_OK);
        for (int64_t i = 0; i < b.size; i++) {
            ck_assert_float_eq(x[2 * i], (float)(2 * y[i]));
            ck_assert_float_eq(x[2 * i + 1], (float)(2 * y[i] + 1));
            order[(*n)++] = y[i];
        }
    }
    ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
    return batches;
}

START_TEST(test_in_order) {
    int64_t order[SAMPLES], n;
    gn_loader *loader = gn_loader_new(numbers(SAMPLES), .batch = 4);
    ck_assert_int_eq(gn_loader_batches(loader), 3);
    for (int e = 0; e < 2; e++) {
        ck_assert_int_eq(epoch(loader, order, &n), 3);
        ck_assert_int_eq(n, SAMPLES); /* the short batch, too */
        for (int i = 0; i < SAMPLES; i++)
            ck_assert_int_eq(order[i], i);
    }
}
END_TEST

START_TEST(test_drop_last) {
    int64_t order[SAMPLES], n;
    gn_loader *loader = gn_loader_new(numbers(SAMPLES), .batch = 4, .drop_last = true);
    ck_assert_int_eq(gn_loader_batches(loader), 2);
    ck_assert_int_eq(epoch(loader, order, &n), 2);
    ck_assert_int_eq(n, 8);
    loader = gn_loader_new(numbers(SAMPLES), .batch = 11, .drop_last = true);
    ck_assert_int_eq(epoch(loader, order, &n), 0);
    loader = gn_loader_new(numbers(SAMPLES), .batch = 5, .drop_last = true);
    ck_assert_int_eq(epoch(loader, order, &n), 2);
}
END_TEST

START_TEST(test_shuffle) {
    int64_t first[SAMPLES], second[SAMPLES], again[SAMPLES], n;
    gn_manual_seed(7);
    gn_loader *loader = gn_loader_new(numbers(SAMPLES), .batch = 3, .shuffle = true);
    ck_assert_int_eq(epoch(loader, first, &n), 4);
    epoch(loader, second, &n);
    ck_assert_mem_ne(first, second, sizeof first);
    int seen[SAMPLES] = {0};
    for (int i = 0; i < SAMPLES; i++)
        seen[first[i]]++;
    for (int i = 0; i < SAMPLES; i++)
        ck_assert_int_eq(seen[i], 1);

    gn_manual_seed(7);
    loader = gn_loader_new(numbers(SAMPLES), .batch = 5, .shuffle = true);
    epoch(loader, again, &n);
    ck_assert_mem_eq(first, again, sizeof first); /* whatever the batch */
    epoch(loader, again, &n);
    ck_assert_mem_eq(second, again, sizeof second);

    /* A generator of one's own leaves the default one alone. */
    gn_rng_state before = gn_rng_state_get(NULL);
    loader = gn_loader_new(numbers(SAMPLES), .shuffle = true, .generator = gn_generator_new(7));
    ck_assert_int_eq(epoch(loader, again, &n), SAMPLES);
    ck_assert_mem_eq(first, again, sizeof first);
    gn_rng_state after = gn_rng_state_get(NULL);
    ck_assert_uint_eq(before.offset, after.offset);
}
END_TEST

/* Batches live until the next call, whatever scopes end; no longer, unless retained. */
START_TEST(test_ownership) {
    gn_batch b;
    gn_scope scope = gn_scope_begin();
    gn_loader *loader = gn_retain(gn_loader_new(numbers(SAMPLES), .batch = 4));
    ck_assert(gn_next(loader, &b));
    gn_scope_end(scope);
    ck_assert_double_eq(gn_item(gn_select(b.y, 0, 3)), 3);
    gn_tensor *kept = gn_retain(b.y);
    ck_assert(gn_next(loader, &b));
    ck_assert_double_eq(gn_item(gn_select(kept, 0, 3)), 3);
    ck_assert_double_eq(gn_item(gn_select(b.y, 0, 3)), 7);
    gn_release(kept);
    gn_release(loader);
}
END_TEST

START_TEST(test_special_sets) {
    int64_t order[SAMPLES], n;
    gn_batch b;
    gn_loader *loader = gn_loader_new(numbers(0), .batch = 4, .shuffle = true);
    ck_assert_int_eq(gn_loader_batches(loader), 0);
    ck_assert_int_eq(epoch(loader, order, &n), 0);
    ck_assert_int_eq(epoch(loader, order, &n), 0);
    loader = gn_loader_new(gn_tensor_dataset(gn_t(gn_view(gn_arange(0, 6, 1, NULL), 2, 3)), NULL),
                           .batch = 2); /* not row-major, without labels */
    ck_assert(gn_next(loader, &b));
    int64_t x[4];
    ck_assert_ptr_null(b.y);
    ck_assert_int_eq(gn_copy_out(b.x, x, GN_I64, 4), GN_OK);
    ck_assert_mem_eq(x, ((int64_t[]){0, 3, 1, 4}), sizeof x);
    loader = gn_loader_new(gn_tensor_dataset(gn_zeros(3, 0), NULL), .batch = 2, .shuffle = true);
    ck_assert(gn_next(loader, &b));
    ck_assert_int_eq(gn_numel(b.x), 0);
    ck_assert_int_eq(gn_error_status(), GN_OK);
}
END_TEST

START_TEST(test_refuses) {
    gn_batch b;
    ck_assert_ptr_null(gn_loader_new(NULL));
    gn_error_clear();
    ck_assert_ptr_null(gn_loader_new(numbers(SAMPLES), .batch = -1));
    ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert(!gn_next(NULL, &b));
    gn_error_clear();
    ck_assert_ptr_null(gn_loader_new(numbers(SAMPLES), .device = "nonesuch"));
    ck_assert_int_ne(gn_error_status(), GN_OK);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_in_order,     test_drop_last, test_shuffle, test_ownership,
                            test_special_sets, test_refuses,   NULL};
    return suite_run("loader", tests);
}
