/* SPDX-License-Identifier: Apache-2.0 */
/* sequence.c - sorting and cumulative sums as networks of maps, in place. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 3 };

/* ---- Sort ------------------------------------------------------------------------------------ */

/* Compares and exchanges two keys with their places: stable, and NaN after all numbers. */
static const gn_program *exchange_program(void) {
    program_begin("exchange");
    int a = load(0, GN_F32), ia = load(1, GN_I64), b = load(2, GN_F32), ib = load(3, GN_I64);
    int a_nan = op1(GN_OP_ISNAN, a), b_nan = op1(GN_OP_ISNAN, b);
    int less = op2(GN_OP_OR, op2(GN_OP_LT, a, b), op2(GN_OP_AND, b_nan, op1(GN_OP_NOT, a_nan)));
    int same = op2(GN_OP_OR, op2(GN_OP_EQ, a, b), op2(GN_OP_AND, a_nan, b_nan));
    int keep = op2(GN_OP_OR, less, op2(GN_OP_AND, same, op2(GN_OP_LT, ia, ib)));
    store(4, GN_F32, choose(keep, a, b));
    store(5, GN_I64, choose(keep, ia, ib));
    store(6, GN_F32, choose(keep, b, a));
    store(7, GN_I64, choose(keep, ib, ia));
    return program_end();
}

struct sort {
    const gn_program *exchange;
    struct buffer *key, *place;
    int64_t n;
};

/* In n_blocks blocks, `block` elements apart, exchanges element low + i with high + step * i. */
static void exchange(const struct sort *s, int64_t n_blocks, int64_t block, int64_t count,
                     int64_t low, int64_t high, int64_t step) {
    if (n_blocks < 1 || count < 1)
        return;
    gn_operand pair[4] = {AT(s->key, low, s->n, block, 1), AT(s->place, low, s->n, block, 1),
                          AT(s->key, high, s->n, block, step),
                          AT(s->place, high, s->n, block, step)};
    gn_operand operands[8];
    memcpy(operands, pair, sizeof pair);
    memcpy(operands + 4, pair, sizeof pair);
    map(s->exchange, SIZES(ROWS, n_blocks, count), 8, operands, NULL);
}

/* An all-ascending bitonic network for any n: what would lie beyond the end is left out. */
static void sort_rows(const struct sort *s) {
    int64_t n = s->n;
    for (int64_t k = 2; k / 2 < n; k *= 2) {
        int64_t rest = n % k;
        exchange(s, n / k, k, k / 2, 0, k - 1, -1);
        exchange(s, 1, 0, rest - k / 2, n - rest + k - rest, n - 1, -1);
        for (int64_t j = k / 4; j; j /= 2) {
            rest = n % (2 * j);
            exchange(s, n / (2 * j), 2 * j, j, 0, j, 1);
            exchange(s, 1, 0, rest - j, n - rest, n - rest + j, 1);
        }
    }
}

static const float *sort_keys;

static int compare_places(const void *left, const void *right) {
    int64_t i = *(const int64_t *)left, j = *(const int64_t *)right;
    float a = sort_keys[i], b = sort_keys[j];
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b) ? (i > j) - (i < j) : isnan(a) - isnan(b);
    return a != b ? (a > b) - (a < b) : (i > j) - (i < j);
}

static void sort(int index) {
    subject("map", GN_F32);
    static const int sizes[] = {1, 2, 3, 5, 8, 21, 37, 257, 1000};
    int n = sizes[index];
    struct sort s = {exchange_program(), buffer_whole(GN_F32, ROWS * n),
                     buffer_new(GN_I64, ROWS * n), n};
    float *keys = case_alloc((size_t)(ROWS * n), sizeof *keys);
    for (int i = 0; i < ROWS * n; i++) {
        F32(s.key)[i] = i % 11 == 3 ? NAN : i % 13 == 5 ? INFINITY : F32(s.key)[i];
        I64(s.place)[i] = i % n;
    }
    memcpy(keys, s.key->data, (size_t)(ROWS * n) * sizeof *keys);
    buffer_upload(s.key); /* for n = 1 there is no call */
    buffer_upload(s.place);
    sort_rows(&s);
    for (int row = 0; row < ROWS; row++) {
        sort_keys = keys + row * n;
        qsort(I64(s.place) + row * n, (size_t)n, sizeof(int64_t), compare_places);
        for (int i = 0; i < n; i++)
            F32(s.key)[row * n + i] = sort_keys[I64(s.place)[row * n + i]];
    }
    context("sort of %d", n);
    check_exact(s.place);
    check_exact(s.key);
}

/* ---- Cumulative sums ------------------------------------------------------------------------- */

/* Hillis and Steele, Data parallel algorithms (1986): y[i] = x[i] + x[i - d] for d = 1, 2, 4, .. */
static void cumulative_sum(int index) {
    subject("map", GN_F32);
    static const int sizes[] = {1, 2, 7, 64, 1000};
    int n = sizes[index];
    struct buffer *x = buffer_whole(GN_F32, ROWS * n), *y = buffer_new(GN_F32, ROWS * n);
    float *sum = case_alloc((size_t)(ROWS * n), sizeof *sum);
    for (int i = 0; i < ROWS * n; i++)
        sum[i] = (i % n ? sum[i - 1] : 0) + F32(x)[i];
    buffer_upload(x); /* for n = 1 there is no call */
    program_begin("copy");
    store(1, GN_F32, load(0, GN_F32));
    const gn_program *copy = program_end();
    program_begin("add");
    store(2, GN_F32, add(load(0, GN_F32), load(1, GN_F32)));
    const gn_program *adder = program_end();
    for (int d = 1; d < n; d *= 2) {
        map(copy, SIZES(ROWS, d), OPERANDS(AT(x, 0, n, 1), AT(y, 0, n, 1)), NULL);
        map(adder, SIZES(ROWS, n - d), OPERANDS(AT(x, d, n, 1), AT(x, 0, n, 1), AT(y, d, n, 1)),
            NULL);
        struct buffer *swapped = x;
        x = y;
        y = swapped;
    }
    memcpy(x->data, sum, (size_t)(ROWS * n) * sizeof *sum);
    check_exact(x);
}

static const test_case cases[] = {
    {.name = "sort", .each = sort, .n = 9},
    {.name = "cumulative_sum", .each = cumulative_sum, .n = 5},
};

const test_group sequences_group = {.name = "sequences", CASES(cases), .after = kernel_after};
