/* SPDX-License-Identifier: Apache-2.0 */
/* scatter.c - scatter: combinations, collisions and their order, indices out of range. */
#include "kernel.h"

static const int dtypes[] = {GN_BOOL, GN_U8,  GN_I8,   GN_I16, GN_I32,
                             GN_I64,  GN_F16, GN_BF16, GN_F32, GN_F64};

static gn_scalar combined(int combine, int dtype, gn_scalar old, gn_scalar value) {
    bool is_float = gn_dtype_is_float(dtype);
    switch (combine) {
    case GN_SCATTER_SET: return value;
    case GN_SCATTER_ADD:
        if (is_float)
            return (gn_scalar){.f = round_value(value_type(dtype), old.f + value.f)};
        return (gn_scalar){.i = wrap(dtype, (__int128)old.i + value.i)};
    }
    if (is_float && (isnan(old.f) || isnan(value.f)))
        return (gn_scalar){.f = NAN};
    bool larger = is_float ? value.f > old.f : value.i > old.i;
    return larger == (combine == GN_SCATTER_MAX) ? value : old;
}

/* Tokens (T) of rows (D) go to words (V) of rows: many tokens to one word, so T is serial. */
enum { T = 90, D = 5, V = 7 };

static void expect(struct buffer *x, struct buffer *index, struct buffer *y, int combine) {
    for (int t = 0; t < T; t++)
        for (int d = 0; d < D; d++) {
            int64_t word = I64(index)[t], to = word >= 0 && word < V ? word * D + d : -1;
            if (to >= 0)
                put(y, to, combined(combine, x->dtype, get(y, to), get(x, t * D + d)));
        }
}

static gn_status scatter_rows(struct buffer *x, struct buffer *index, struct buffer *y, int combine,
                              bool unordered) {
    gn_status status = try_scatter(x->dtype, combine, unordered, 1, SIZES(D, T), AT(x, 0, 1, D),
                                   AT(index, 0, 0, 1), with_axis(AT(y, 0, 1, 0), D, V));
    return status == GN_OK ? settle() : status;
}

/* Whole numbers, so that the order of additions shows only where it must. */
static void collisions(int which) {
    int dtype = dtypes[which];
    if (!subject("scatter", dtype))
        return;
    for (int combine = GN_SCATTER_SET; combine <= GN_SCATTER_MIN; combine++)
        for (int unordered = 0; unordered < 2; unordered++) {
            struct buffer *x = buffer_whole(dtype, T * D), *index = buffer_new(GN_I64, T);
            struct buffer *y = buffer_whole(dtype, V * D);
            context("combine %d%s", combine, unordered ? ", unordered" : "");
            for (int t = 0; t < T; t++)
                I64(index)[t] = t * t % (V - 1); /* the last word gets none */
            expect_status(scatter_rows(x, index, y, combine, unordered), GN_OK);
            expect(x, index, y, combine);
            check_exact(y);
        }
}

/* Real numbers: bit for bit in order, or within the tolerance of a sum. */
static void order_of_sums(int unordered) {
    subject("scatter", GN_F32);
    struct buffer *x = buffer_random(GN_F32, T * D), *index = buffer_new(GN_I64, T);
    struct buffer *y = buffer_random(GN_F32, V * D);
    for (int t = 0; t < T; t++)
        I64(index)[t] = t % V;
    expect_status(scatter_rows(x, index, y, GN_SCATTER_ADD, unordered), GN_OK);
    expect(x, index, y, GN_SCATTER_ADD);
    if (unordered) /* at most 14 numbers below 2 are summed, in two ways */
        check_near(y, 0, 2 * machine_eps(GN_F32) * (64 + 4) * 14 * 2);
    else
        check_exact(y);
}

static void nan_wins(int which) {
    const int combine = GN_SCATTER_ADD + which;
    subject("scatter", GN_F32);
    struct buffer *x = buffer_random(GN_F32, T * D), *index = buffer_new(GN_I64, T);
    struct buffer *y = buffer_random(GN_F32, V * D);
    for (int t = 0; t < T; t++)
        I64(index)[t] = t % V;
    F32(x)[2 * D] = F32(x)[T * D - 1] = F32(y)[1] = NAN;
    F32(x)[3 * D + 1] = INFINITY, F32(x)[4 * D + 1] = -INFINITY;
    expect_status(scatter_rows(x, index, y, combine, false), GN_OK);
    expect(x, index, y, combine);
    check_exact(y);
}

/* What is outside is skipped and reported; all else is done. */
static void out_of_range(int which) {
    subject("scatter", GN_F32);
    static const int64_t bad[] = {-1, V, INT64_MAX, INT64_MIN};
    struct buffer *x = buffer_whole(GN_F32, T * D), *index = buffer_new(GN_I64, T);
    struct buffer *y = buffer_whole(GN_F32, V * D), *z = buffer_whole(GN_F32, V * D);
    for (int t = 0; t < T; t++)
        I64(index)[t] = t == 33 ? bad[which] : t % V;
    expect_index_error(scatter_rows(x, index, y, GN_SCATTER_ADD, false));
    expect(x, index, y, GN_SCATTER_ADD);
    check_exact(y);
    struct buffer *good = buffer_new(GN_I64, T);
    for (int t = 0; t < T; t++)
        I64(good)[t] = t % V;
    expect_status(scatter_rows(x, good, z, GN_SCATTER_ADD, false), GN_OK);
    expect(x, good, z, GN_SCATTER_ADD);
    check_exact(z);
}

/* No dim is serial: each coordinate has a target of its own, here by an index operand (reversal)
 * into a transposed target; sizes from 1 on. */
static void without_collisions(void) {
    subject("scatter", GN_F32);
    for (int n = 1; n <= 40; n++) {
        struct buffer *x = buffer_random(GN_F32, 3 * n), *y = buffer_random(GN_F32, 3 * n);
        context("%d columns", n);
        scatter(GN_F32, GN_SCATTER_SET, 0, SIZES(3, n), AT(x, 0, n, 1), INDEX(n - 1, 0, -1),
                with_axis(AT(y, 0, 1, 0), 3, n));
        for (int i = 0; i < 3 * n; i++)
            F32(y)[(n - 1 - i % n) * 3 + i / n] = F32(x)[i];
        check_exact(y);
    }
}

/* Two serial dims: the last of them in row-major order wins, whatever the memory's order. */
static void last_one_wins(void) {
    subject("scatter", GN_F32);
    struct buffer *x = buffer_random(GN_F32, 12 * 10), *index = buffer_new(GN_I64, 12 * 10);
    struct buffer *y = buffer_random(GN_F32, 4);
    for (int i = 0; i < 120; i++)
        I64(index)[i] = (int64_t)(random_bits() % 4);
    scatter(GN_F32, GN_SCATTER_SET, 2, SIZES(12, 10), AT(x, 0, 1, 12), AT(index, 0, 1, 12),
            with_axis(AT(y, 0, 0, 0), 1, 4));
    for (int i = 0; i < 12; i++)
        for (int j = 0; j < 10; j++)
            F32(y)[I64(index)[i + 12 * j]] = F32(x)[i + 12 * j];
    check_exact(y);
}

/* A gradient of an embedding: a hundred thousand tokens on few rows. */
static void large(void) {
    subject("scatter", GN_F32);
    enum { TOKENS = 100003, WORDS = 50, WIDTH = 3 };
    struct buffer *x = buffer_whole(GN_F32, TOKENS * WIDTH), *index = buffer_new(GN_I64, TOKENS);
    struct buffer *y = buffer_whole(GN_F32, WORDS * WIDTH);
    for (int t = 0; t < TOKENS; t++)
        I64(index)[t] = (int64_t)(random_bits() % WORDS);
    scatter(GN_F32, GN_SCATTER_ADD, 1, SIZES(WIDTH, TOKENS), AT(x, 0, 1, WIDTH), AT(index, 0, 0, 1),
            with_axis(AT(y, 0, 1, 0), WIDTH, WORDS));
    for (int i = 0; i < TOKENS * WIDTH; i++)
        F32(y)[I64(index)[i / WIDTH] * WIDTH + i % WIDTH] += F32(x)[i];
    check_exact(y);
}

static const test_case cases[] = {
    {.name = "collisions", .each = collisions, .n = GN_LENGTH(dtypes)},
    {.name = "order_of_sums", .each = order_of_sums, .n = 2},
    {.name = "nan_wins", .each = nan_wins, .n = GN_SCATTER_MIN - GN_SCATTER_ADD + 1},
    {.name = "out_of_range", .each = out_of_range, .n = 4},
    {.name = "without_collisions", .run = without_collisions},
    {.name = "last_one_wins", .run = last_one_wins},
    {.name = "large", .run = large},
};

const test_group scatter_group = {.name = "scatter", CASES(cases), .after = kernel_after};
