/* SPDX-License-Identifier: Apache-2.0 */
/* cast.c - conversion between all types, and the storage formats f16 and bf16. */
#include <string.h>

#include <genesis/tensor.h>

#include "kernel.h"

/* Values that say something about the type; floats that go to an integer stay inside its range. */
static gn_scalar sample(int from, int to, int i) {
    if (gn_dtype_is_float(from)) {
        static const double all[] = {0., -0., 0.5, -0.5, 0.999, -0.999,
                                     1., -1., 1.5, -1.5, 2.5,   100.7};
        static const double floats[] = {INFINITY,     -INFINITY, NAN,    1e-40,        1e-6,
                                        65504,        65519,     65520,  1e30,         3.39e38,
                                        3.4028236e38, -1e300,    1e-310, 1.00048828125};
        double value = i < 12 ? all[i] : i < 26 ? floats[i - 12] : random_between(-1000, 1000);
        double low = to == GN_U8 || to == GN_U32 ? 0 : -127, high = 127;
        if (gn_dtype_is_float(to) || to == GN_BOOL || (value > low && value < high))
            return (gn_scalar){.f = value};
        return (gn_scalar){.f = random_between(low, high)};
    }
    static const int64_t whole[] = {0,
                                    1,
                                    -1,
                                    127,
                                    128,
                                    255,
                                    256,
                                    -128,
                                    -129,
                                    32768,
                                    -32769,
                                    16777217,
                                    INT32_MAX,
                                    INT32_MIN,
                                    INT64_MAX,
                                    INT64_MIN,
                                    9007199791611905};
    int64_t value = i < 17 ? whole[i] : (int64_t)(random_bits() >> (i % 60));
    return (gn_scalar){.i = wrap(from, value)};
}

/* What LOAD, CAST and STORE make of a value. */
static gn_scalar converted(int to, int from, gn_scalar v) {
    bool from_float = gn_dtype_is_float(from);
    switch (to) {
    case GN_BOOL: return (gn_scalar){.i = from_float ? v.f != 0 : v.i != 0};
    case GN_F16:
    case GN_BF16:
    case GN_F32: return (gn_scalar){.f = round_value(to, from_float ? (float)v.f : (float)v.i)};
    case GN_F64: return (gn_scalar){.f = from_float ? v.f : (double)v.i};
    default: return (gn_scalar){.i = wrap(to, from_float ? (int64_t)v.f : v.i)};
    }
}

enum { N = 131 };

static void check_cast(int to, int from) {
    struct buffer *x = buffer_new(from, N), *y = buffer_new(to, N);
    for (int i = 0; i < N; i++)
        put(x, i, sample(from, to, i));
    program_begin("cast");
    program_flags(GN_PROGRAM_NO_CONTRACT);
    store(1, to, cast_to(value_type(to), load(0, from)));
    map(program_end(), SIZES(N), OPERANDS(AT(x, 0, 1), AT(y, 0, 1)), NULL);
    for (int i = 0; i < N; i++)
        put(y, i, converted(to, from, get(x, i)));
    check_exact(y);
}

static void all_pairs(int index) {
    const int from = GN_BOOL + index;
    for (int to = GN_BOOL; to < GN_N_DTYPES; to++) {
        if (from == GN_U32 || to == GN_U32 || !subject("map", from) || !subject("map", to))
            continue;
        context("%s to %s", gn_dtype_name((gn_dtype)from), gn_dtype_name((gn_dtype)to));
        check_cast(to, from);
    }
}

/* u32 lives inside programs only: i64 -> u32 -> f32, f64 and i64; f32 -> u32 -> i64. */
static void by_way_of_u32(void) {
    subject("map", GN_I64);
    struct buffer *x = buffer_new(GN_I64, N), *f = buffer_new(GN_F32, N),
                  *back = buffer_new(GN_I64, N);
    struct buffer *wrapped = buffer_new(GN_I64, N), *single = buffer_new(GN_F32, N);
    for (int i = 0; i < N; i++) {
        I64(x)[i] = sample(GN_I64, GN_U32, i).i;
        F32(f)[i] = (float)random_between(0, 4e9);
    }
    program_begin("u32");
    int u = cast_to(GN_U32, load(0, GN_I64));
    store(2, GN_I64, cast_to(GN_I64, u));
    store(3, GN_F32, cast_to(GN_F32, u));
    store(4, GN_I64, cast_to(GN_I64, cast_to(GN_U32, load(1, GN_F32))));
    map(program_end(), SIZES(N),
        OPERANDS(AT(x, 0, 1), AT(f, 0, 1), AT(wrapped, 0, 1), AT(single, 0, 1), AT(back, 0, 1)),
        NULL);
    for (int i = 0; i < N; i++) {
        I64(wrapped)[i] = (uint32_t)I64(x)[i];
        F32(single)[i] = (float)(uint32_t)I64(x)[i];
        I64(back)[i] = (int64_t)F32(f)[i];
    }
    check_exact(wrapped);
    check_exact(single);
    check_exact(back);
}

/* ---- f16 and bf16 ---------------------------------------------------------------------------- */

enum { PATTERNS = 1 << 16 };

/* Each of the 65536 patterns loads as its number, and comes back as it was (NaN as some NaN). */
static void all_patterns(int index) {
    int dtype = index ? GN_BF16 : GN_F16;
    if (!subject("map", dtype))
        return;
    struct buffer *x = buffer_new(dtype, PATTERNS), *y = buffer_new(GN_F32, PATTERNS);
    struct buffer *z = buffer_new(dtype, PATTERNS);
    for (int i = 0; i < PATTERNS; i++)
        ((uint16_t *)(void *)x->data)[i] = (uint16_t)i;
    program_begin("patterns");
    program_flags(GN_PROGRAM_NO_CONTRACT);
    int v = load(0, dtype);
    store(1, GN_F32, v);
    store(2, dtype, v);
    map(program_end(), SIZES(PATTERNS), OPERANDS(AT(x, 0, 1), AT(y, 0, 1), AT(z, 0, 1)), NULL);
    for (int i = 0; i < PATTERNS; i++)
        F32(y)[i] = (float)(index ? bfloat16_value((uint16_t)i) : float16_value((uint16_t)i));
    memcpy(z->data, x->data, PATTERNS * sizeof(uint16_t));
    check_exact(y);
    check_exact(z);
}

static float next_float(float f, int steps) {
    for (; steps > 0; steps--)
        f = nextafterf(f, INFINITY);
    for (; steps < 0; steps++)
        f = nextafterf(f, -INFINITY);
    return f;
}

/* STORE and ROUND around the middle between each two neighbours: ties go to even. */
static void rounding(int index) {
    int dtype = index ? GN_BF16 : GN_F16, infinity = index ? 0x7f80 : 0x7c00, n = 3 * infinity;
    double (*value)(uint16_t) = index ? bfloat16_value : float16_value;
    double beyond = index ? 0x1p128 : 0x1p16;
    if (!subject("map", dtype))
        return;
    struct buffer *x = buffer_new(GN_F32, n), *y = buffer_new(dtype, n), *r = buffer_new(GN_F32, n);
    for (int i = 0; i < n; i++) {
        uint16_t low = (uint16_t)(i / 3), high = (uint16_t)(low + 1);
        float middle = (float)((value(low) + (high == infinity ? beyond : value(high))) / 2);
        F32(x)[i] = next_float(middle, i % 3 - 1) * (i & 1 ? -1 : 1);
    }
    program_begin("round");
    program_flags(GN_PROGRAM_NO_CONTRACT);
    int v = load(0, GN_F32);
    store(1, dtype, v);
    store(2, GN_F32, round_to(dtype, v));
    map(program_end(), SIZES(n), OPERANDS(AT(x, 0, 1), AT(y, 0, 1), AT(r, 0, 1)), NULL);
    for (int i = 0; i < n; i++) {
        put_f(y, i, F32(x)[i]);
        F32(r)[i] = (float)round_value(dtype, F32(x)[i]);
    }
    check_exact(y);
    check_exact(r);
}

static const test_case cases[] = {
    {.name = "all_pairs", .each = all_pairs, .n = GN_N_DTYPES - GN_BOOL},
    {.name = "by_way_of_u32", .run = by_way_of_u32},
    {.name = "all_patterns", .each = all_patterns, .n = 2},
    {.name = "rounding", .each = rounding, .n = 2},
};

const test_group casts_group = {.name = "casts", CASES(cases), .after = kernel_after};
