/* SPDX-License-Identifier: Apache-2.0 */
/* reduce.c - reduce: kinds and types, over any dims of memory, and what row parts add. */
#include "kernel.h"

static const char *const kind_name[] = {"sum", "prod", "max", "min", "argmax", "argmin"};

static bool is_arg(int kind) { return kind == GN_ARGMAX || kind == GN_ARGMIN; }

/* ---- The expected value ---------------------------------------------------------------------- */

struct best {
    bool any;
    gn_scalar value; /* sum, product, extremum, or winning key */
    int64_t payload;
};

static bool wins(gn_scalar a, gn_scalar b, bool is_float, bool largest) {
    if (!is_float)
        return largest ? a.i > b.i : a.i < b.i;
    return isnan(a.f) ? !isnan(b.f) : largest ? a.f > b.f : a.f < b.f;
}

static void take(struct best *best, int kind, int type, gn_scalar v, int64_t payload) {
    bool is_float = gn_dtype_is_float(type), largest = kind == GN_MAX || kind == GN_ARGMAX;
    if (!best->any) {
        *best = (struct best){true, v, payload};
    } else if (kind == GN_SUM || kind == GN_PROD) {
        bool sum = kind == GN_SUM;
        if (is_float)
            best->value.f = sum ? best->value.f + v.f : best->value.f * v.f;
        else
            best->value.i =
                wrap(type, sum ? (__int128)best->value.i + v.i : (__int128)best->value.i * v.i);
    } else if (wins(v, best->value, is_float, largest)) {
        *best = (struct best){true, v, payload};
    } else if (!wins(best->value, v, is_float, largest) && payload < best->payload) {
        best->payload = payload;
    }
}

/* A reduction by plain loops: `size` and strides have the reduced dims last. */
static void expect(struct buffer *x, struct buffer *y, int kind, size_t n_dims, size_t n_reduced,
                   const int64_t *size, const int64_t *sx, const int64_t *sy, const int64_t *sp) {
    int64_t c[GN_MAX_DIMS] = {0};
    size_t n_kept = n_dims - n_reduced;
    do {
        struct best best = {0};
        do
            take(&best, kind, value_type(x->dtype), get(x, element_of(c, n_dims, sx)),
                 element_of(c, n_dims, sp));
        while (next_coordinate(c + n_kept, n_reduced, size + n_kept));
        gn_scalar result = is_arg(kind) ? (gn_scalar){.i = best.payload} : best.value;
        put(y, element_of(c, n_kept, sy), result);
    } while (next_coordinate(c, n_kept, size));
}

static const gn_program *reducer(int kind, int dtype) {
    program_begin(kind_name[kind]);
    int v = load(0, dtype), payload = load_index(1);
    bool arg = is_arg(kind);
    store(2, arg ? GN_I64 : dtype, arg ? reduced_arg(kind, v, payload) : reduced(kind, v));
    return program_end();
}

/* ---- Any dims, any order of memory ----------------------------------------------------------- */

/* Splits the dims of memory (4, 3, 5) into kept and reduced ones, each part in every order. */
static size_t split_dims(int mask, const int *order, int *dims) {
    size_t n = 0, n_reduced = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < 3; k++)
            if ((mask >> order[k] & 1) == pass) {
                dims[n++] = order[k];
                n_reduced += (size_t)pass;
            }
    return n_reduced;
}

static void check_dims(const gn_program *program, int kind, int dtype, int mask, const int *order) {
    static const int64_t memory_size[] = {4, 3, 5}, memory_stride[] = {15, 5, 1};
    int dims[3];
    size_t n_reduced = split_dims(mask, order, dims), n_kept = 3 - n_reduced;
    int64_t size[3], sx[3], sy[3] = {0}, sp[3] = {0}, rows = 1, payload = 1;
    for (size_t d = 0; d < 3; d++) {
        size[d] = memory_size[dims[d]];
        sx[d] = memory_stride[dims[d]];
    }
    for (size_t d = n_kept; d-- > 0; rows *= size[d])
        sy[d] = rows;
    for (size_t d = 3; d-- > n_kept; payload *= size[d])
        sp[d] = payload;
    struct buffer *x = buffer_whole(dtype, 60),
                  *y = buffer_new(is_arg(kind) ? GN_I64 : dtype, rows);
    for (int i = 0; i < 60 && kind == GN_PROD && dtype != GN_BOOL; i++)
        put_f(x, i, 1 + i % 7 % 2); /* 1 or 2 */
    gn_operand operands[] = {AT(x, 0, sx[0], sx[1], sx[2]), INDEX(0, sp[0], sp[1], sp[2]),
                             AT(y, 0, sy[0], sy[1], sy[2])};
    reduce(program, (uint32_t)n_reduced, 3, size, 3, operands, NULL);
    expect(x, y, kind, 3, n_reduced, size, sx, sy, sp);
    check_exact(y);
}

/* Whole numbers, so that the order of additions does not matter. */
static void dims(int index) {
    const int dtype = GN_BOOL + index;
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int kind = GN_SUM; kind <= GN_ARGMIN; kind++) {
        bool is_number = kind <= GN_PROD;
        if (dtype == GN_U32 || (dtype == GN_BOOL && is_number) || !subject("reduce", dtype))
            continue;
        const gn_program *program = reducer(kind, dtype);
        for (int mask = 1; mask < 8; mask++)
            for (int k = 0; k < 6; k++) {
                context("%s, mask %d, order %d", kind_name[kind], mask, k);
                if (kind == GN_PROD && mask == 7)
                    continue; /* up to 2^26: not exact in f16 */
                check_dims(program, kind, dtype, mask, orders[k]);
            }
        buffers_free();
    }
}

/* Sizes that fill tiles and leave tails: rows, columns, and the middle of three dims. */
static void tiles(int index) {
    subject("reduce", GN_F32);
    static const int64_t shapes[][3] = {
        {3, 33, 70}, {70, 3, 33}, {2, 300, 17}, {129, 5, 64}, {1, 1, 4099}};
    const int64_t *s = shapes[index];
    program_begin("sum");
    store(1, GN_F32, reduced(GN_SUM, load(0, GN_F32)));
    const gn_program *program = program_end();
    struct buffer *x = buffer_whole(GN_F32, s[0] * s[1] * s[2]), *y;
    const int64_t stride[] = {s[1] * s[2], s[2], 1};
    for (int r = 0; r < 3; r++) { /* the dim that is reduced */
        int a = r == 0 ? 1 : 0, b = r == 2 ? 1 : 2;
        context("shape %d, dim %d", index, r);
        y = buffer_new(GN_F32, s[a] * s[b]);
        reduce(program, 1, SIZES(s[a], s[b], s[r]),
               OPERANDS(AT(x, 0, stride[a], stride[b], stride[r]), AT(y, 0, s[b], 1, 0)), NULL);
        for (int64_t i = 0; i < s[a] * s[b]; i++) {
            F32(y)[i] = 0;
            for (int64_t k = 0; k < s[r]; k++)
                F32(y)[i] += F32(x)[i / s[b] * stride[a] + i % s[b] * stride[b] + k * stride[r]];
        }
        check_exact(y);
    }
}

/* Reduced sizes 1 to 70, negative strides, a broadcast operand. */
static void tails(void) {
    subject("reduce", GN_F32);
    program_begin("dot");
    store(2, GN_F32, reduced(GN_SUM, mul(load(0, GN_F32), load(1, GN_F32))));
    const gn_program *program = program_end();
    struct buffer *a = buffer_whole(GN_F32, 300), *b = buffer_whole(GN_F32, 80);
    for (int n = 1; n <= 70; n++) {
        struct buffer *y = buffer_new(GN_F32, 4);
        context("%d elements", n);
        reduce(program, 1, SIZES(3, n),
               OPERANDS(AT(a, 299, -77, -1), AT(b, 1, 0, 1), AT(y, 1, 1, 0)), NULL);
        for (int i = 0; i < 3; i++) {
            F32(y)[1 + i] = 0;
            for (int k = 0; k < n; k++)
                F32(y)[1 + i] += F32(a)[299 - 77 * i - k] * F32(b)[1 + k];
        }
        check_exact(y);
    }
}

/* ---- Accuracy -------------------------------------------------------------------------------- */

/* GN_SUM: error <= eps * (64 + log2 n) * sum |x|; a sum that is stored is rounded once more. */
static void accuracy(int index) {
    static const int of[] = {GN_F32, GN_F64, GN_F16, GN_BF16};
    int dtype = of[index % 4], n = index < 4 ? 1000003 : 77777;
    if (!subject("reduce", dtype))
        return;
    struct buffer *x = buffer_new(dtype, n), *y = buffer_new(dtype, 1);
    long double sum = 0, magnitude = 0;
    for (int i = 0; i < n; i++) { /* all 0.1, which rounds the same way each time; or mixed */
        put_f(x, i, index < 4 ? (dtype == GN_F16 ? 0.01 : 0.1) : random_between(-3, 3));
        sum += get_f(x, i);
        magnitude += fabs(get_f(x, i));
    }
    context("sum of %d elements", n);
    program_begin("sum");
    store(1, dtype, reduced(GN_SUM, load(0, dtype)));
    reduce(program_end(), 1, SIZES(n), OPERANDS(AT(x, 0, 1), AT(y, 0, 0)), NULL);
    put_f(y, 0, (double)sum);
    double eps = machine_eps(value_type(dtype)), stored = dtype == GN_F16    ? 0x1p-11
                                                          : dtype == GN_BF16 ? 0x1p-8
                                                                             : eps;
    check_near(y, stored, eps * (64 + log2(n)) * (double)magnitude);
}

/* ---- NaN, infinities, ties ------------------------------------------------------------------- */

static void special_values(void) {
    subject("reduce", GN_F32);
    enum { N = 67, ROWS = 9 };
    struct buffer *x = buffer_whole(GN_F32, ROWS * N);
    float *row = F32(x);
    row[0 * N + 40] = NAN;                            /* one NaN */
    row[1 * N + 66] = NAN, row[1 * N + 3] = NAN;      /* two: the first one wins */
    row[2 * N + 5] = INFINITY, row[2 * N + 60] = NAN; /* NaN beats infinity */
    row[3 * N + 1] = -INFINITY, row[3 * N + 65] = INFINITY;
    row[4 * N + 66] = 100, row[4 * N + 20] = 100; /* ties */
    row[5 * N + 66] = -100, row[5 * N + 64] = -100;
    for (int i = 0; i < N; i++) {
        row[6 * N + i] = -INFINITY;
        row[7 * N + i] = NAN;
        row[8 * N + i] = INFINITY;
    }
    for (int kind = GN_SUM; kind <= GN_ARGMIN; kind++)
        for (int reversed = 0; reversed < 2; reversed++) { /* payloads that fall along the dim */
            if (kind == GN_PROD)
                continue; /* 0 * inf depends on the order, which is free */
            struct buffer *y = buffer_new(is_arg(kind) ? GN_I64 : GN_F32, ROWS);
            const int64_t size[] = {ROWS, N}, sx[] = {N, 1}, sy[] = {1, 0},
                          sp[] = {0, reversed ? -1 : 1};
            context("%s, %s", kind_name[kind], reversed ? "falling" : "rising");
            reduce(reducer(kind, GN_F32), 1, 2, size,
                   OPERANDS(AT(x, 0, N, 1), INDEX(0, 0, sp[1]), AT(y, 0, 1, 0)), NULL);
            expect(x, y, kind, 2, 1, size, sx, sy, sp);
            check_exact(y);
        }
}

/* Payloads that are no indices: the largest key's, and of equal keys the smallest. */
static void payloads(void) {
    subject("reduce", GN_I32);
    enum { N = 500 };
    struct buffer *key = buffer_whole(GN_I32, N), *payload = buffer_whole(GN_I64, N);
    struct buffer *high = buffer_new(GN_I64, 1), *low = buffer_new(GN_I64, 1),
                  *top = buffer_new(GN_I32, 1);
    program_begin("payloads");
    int k = load(0, GN_I32), p = load(1, GN_I64);
    int a = reduced_arg(GN_ARGMAX, k, p), b = reduced_arg(GN_ARGMIN, k, p), m = reduced(GN_MAX, k);
    store(2, GN_I64, a);
    store(3, GN_I64, b);
    store(4, GN_I32, m);
    reduce(program_end(), 1, SIZES(N),
           OPERANDS(AT(key, 0, 1), AT(payload, 0, 1), AT(high, 0, 0), AT(low, 0, 0), AT(top, 0, 0)),
           NULL);
    struct best largest = {0}, smallest = {0};
    for (int i = 0; i < N; i++) {
        take(&largest, GN_ARGMAX, GN_I32, get(key, i), I64(payload)[i]);
        take(&smallest, GN_ARGMIN, GN_I32, get(key, i), I64(payload)[i]);
    }
    I64(high)[0] = largest.payload;
    I64(low)[0] = smallest.payload;
    put(top, 0, largest.value);
    check_exact(high);
    check_exact(low);
    check_exact(top);
}

/* ---- Row parts and stores of elements -------------------------------------------------------- */

/* d = x - mean (given, by row) is stored at full size, in place; the row part makes
 * std = sqrt(sum d^2 / n + eps) of it, scaled by a value of the row, also in place. */
static void epilogue(void) {
    subject("reduce", GN_F32);
    enum { ROWS = 31, N = 45 };
    struct buffer *x = buffer_whole(GN_F32, ROWS * N), *mean = buffer_whole(GN_F32, ROWS);
    struct buffer *scale = buffer_whole(GN_F32, ROWS);
    program_begin("epilogue");
    int d = sub(load(0, GN_F32), load(1, GN_F32)), n = param(GN_F32, 0);
    store(3, GN_F32, d);
    int variance = over(reduced(GN_SUM, mul(d, d)), n);
    int deviation = op1(GN_OP_SQRT, add(variance, const_f(GN_F32, 0.5)));
    store(4, GN_F32, mul(deviation, load(2, GN_F32)));
    reduce(program_end(), 1, SIZES(ROWS, N),
           OPERANDS(AT(x, 0, N, 1), AT(mean, 0, 1, 0), AT(scale, 0, 1, 0), AT(x, 0, N, 1),
                    AT(scale, 0, 1, 0)),
           PARAMS({.f = N}));
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++) {
            F32(x)[i * N + j] -= F32(mean)[i];
            sum += F32(x)[i * N + j] * F32(x)[i * N + j];
        }
        F32(scale)[i] *= (float)sqrt(sum / N + 0.5);
    }
    check_exact(x);
    check_near(scale, 4 * machine_eps(GN_F32), 0); /* four roundings, one of them of 1 ulp */
}

/* A constant of the element part and the reduced value are visible in the row part; one row. */
static void whole_reduction(void) {
    subject("reduce", GN_I64);
    struct buffer *x = buffer_whole(GN_I16, 1000), *y = buffer_new(GN_I64, 1),
                  *any = buffer_new(GN_BOOL, 1);
    program_begin("whole");
    int big = const_i(GN_I64, INT64_C(1) << 40), v = cast_to(GN_I64, load(0, GN_I16));
    int large = op2(GN_OP_LT, const_i(GN_I64, 100), v);
    int sum = reduced(GN_SUM, v), found = reduced(GN_MAX, large);
    store(1, GN_I64, add(sum, big));
    store(2, GN_BOOL, found);
    reduce(program_end(), 2, SIZES(10, 100), OPERANDS(AT(x, 0, 1, 10), AT(y, 0, 0), AT(any, 0, 0)),
           NULL);
    I64(y)[0] = INT64_C(1) << 40;
    for (int i = 0; i < 1000; i++)
        I64(y)[0] += get(x, i).i;
    U8(any)[0] = 0;
    check_exact(y);
    check_exact(any);
}

static void indexed_loads(int beyond) {
    subject("reduce", GN_F32);
    enum { N = 50 };
    struct buffer *x = buffer_whole(GN_F32, 20), *index = buffer_new(GN_I64, N),
                  *y = buffer_new(GN_F32, 1);
    for (int i = 0; i < N; i++)
        I64(index)[i] = beyond && i == 17 ? 20 : i % 20;
    program_begin("gathered sum");
    store(2, GN_F32, reduced(GN_SUM, loadx(0, GN_F32, load(1, GN_I64))));
    gn_status status =
        try_call(backend->reduce, program_end(), 1, SIZES(N),
                 OPERANDS(with_axis(AT(x, 0, 0), 1, 20), AT(index, 0, 1), AT(y, 0, 0)), NULL);
    status = status == GN_OK ? settle() : status;
    expect_status(status, beyond ? GN_E_INDEX : GN_OK);
    F32(y)[0] = 0;
    for (int i = 0; i < N; i++)
        F32(y)[0] += I64(index)[i] < 20 ? F32(x)[I64(index)[i]] : 0;
    check_exact(y);
}

static const test_case cases[] = {
    {.name = "dims", .each = dims, .n = GN_N_DTYPES - GN_BOOL},
    {.name = "tiles", .each = tiles, .n = 5},
    {.name = "tails", .run = tails},
    {.name = "accuracy", .each = accuracy, .n = 8},
    {.name = "special_values", .run = special_values},
    {.name = "payloads", .run = payloads},
    {.name = "epilogue", .run = epilogue},
    {.name = "whole_reduction", .run = whole_reduction},
    {.name = "indexed_loads", .each = indexed_loads, .n = 2},
};

const test_group reduce_group = {.name = "reduce", CASES(cases), .after = kernel_after};
