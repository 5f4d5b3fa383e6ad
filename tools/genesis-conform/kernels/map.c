/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - map: how operands walk through memory, at which sizes, and what may alias. */
#include <genesis/tensor.h>

#include "kernel.h"

static const int dtypes[] = {GN_F32, GN_F64, GN_F16, GN_BF16, GN_I64, GN_I32, GN_I16, GN_I8, GN_U8};

static const gn_program *adder(int dtype) {
    program_begin("add");
    store(2, dtype, add(load(0, dtype), load(1, dtype)));
    return program_end();
}

static gn_scalar sum_of(int dtype, gn_scalar a, gn_scalar b) {
    if (gn_dtype_is_float(dtype))
        return (gn_scalar){.f = round_value(value_type(dtype), a.f + b.f)};
    return (gn_scalar){.i = wrap(dtype, (__int128)a.i + b.i)};
}

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* 1 to 70 elements, at offsets that no vector is aligned to. */
static void tails(int index) {
    int dtype = dtypes[index];
    if (!subject("map", dtype))
        return;
    const gn_program *program = adder(dtype);
    struct buffer *a = buffer_random(dtype, 80), *b = buffer_random(dtype, 80);
    for (int n = 1; n <= 70; n++) {
        int at = n % 5;
        context("%d elements at %d", n, at);
        struct buffer *y = buffer_new(dtype, 80);
        map(program, SIZES(n), OPERANDS(AT(a, at, 1), AT(b, 3, 1), AT(y, n % 7, 1)), NULL);
        for (int i = 0; i < n; i++)
            put(y, n % 7 + i, sum_of(dtype, get(a, at + i), get(b, 3 + i)));
        check_exact(y);
    }
}

/* A million elements: dense, a transposed copy, and a row that is broadcast. */
static void large(void) {
    subject("map", GN_F32);
    enum { ROWS = 1000, COLUMNS = 1037, N = ROWS * COLUMNS };
    struct buffer *x = buffer_random(GN_F32, N), *row = buffer_random(GN_F32, COLUMNS);
    struct buffer *y = buffer_new(GN_F32, N), *t = buffer_new(GN_F32, N),
                  *z = buffer_new(GN_F32, N);
    const gn_program *program = adder(GN_F32);
    program_begin("copy");
    store(1, GN_F32, load(0, GN_F32));
    const gn_program *copy = program_end();
    map(program, SIZES(N), OPERANDS(AT(x, 0, 1), AT(x, 0, 1), AT(y, 0, 1)), NULL);
    map(copy, SIZES(ROWS, COLUMNS), OPERANDS(AT(x, 0, COLUMNS, 1), AT(t, 0, 1, ROWS)), NULL);
    map(program, SIZES(ROWS, COLUMNS),
        OPERANDS(AT(x, 0, COLUMNS, 1), AT(row, 0, 0, 1), AT(z, 0, COLUMNS, 1)), NULL);
    for (int i = 0; i < N; i++) {
        F32(y)[i] = F32(x)[i] + F32(x)[i];
        F32(t)[i % COLUMNS * ROWS + i / COLUMNS] = F32(x)[i];
        F32(z)[i] = F32(x)[i] + F32(row)[i % COLUMNS];
    }
    check_exact(y);
    check_exact(t);
    check_exact(z);
}

/* ---- Strides --------------------------------------------------------------------------------- */

/* Where a tensor (3, 5, 7) may lie in a buffer of CELLS elements; broadcasts come last. */
enum { CELLS = 450, LAYOUTS = 14, WRITABLE = 10 };
static const struct layout {
    int64_t offset, stride[3];
} layouts[LAYOUTS] = {
    {0, {35, 7, 1}},      {1, {1, 3, 15}},  {2, {7, 21, 1}},   {0, {5, 1, 15}},   {3, {1, 21, 3}},
    {104, {-35, -7, -1}}, {6, {35, 7, -1}}, {0, {140, 28, 4}}, {28, {35, -7, 1}}, {0, {64, 9, 1}},
    {5, {0, 0, 0}},       {0, {0, 7, 1}},   {0, {7, 0, 1}},    {40, {-5, 1, 0}},
};

static void check_layouts(const gn_program *program, int dtype, const struct layout *la,
                          const struct layout *lb, const struct layout *ly) {
    static const int64_t size[] = {3, 5, 7};
    struct buffer *a = buffer_random(dtype, CELLS), *b = buffer_random(dtype, CELLS);
    struct buffer *y = buffer_random(dtype, CELLS);
    const struct layout *l[] = {la, lb, ly};
    struct buffer *of[] = {a, b, y};
    gn_operand operands[3];
    for (int k = 0; k < 3; k++)
        operands[k] = AT(of[k], l[k]->offset, l[k]->stride[0], l[k]->stride[1], l[k]->stride[2]);
    map(program, 3, size, 3, operands, NULL);
    int64_t c[3] = {0};
    do {
        gn_scalar left = get(a, la->offset + element_of(c, 3, la->stride));
        gn_scalar right = get(b, lb->offset + element_of(c, 3, lb->stride));
        put(y, ly->offset + element_of(c, 3, ly->stride), sum_of(dtype, left, right));
    } while (next_coordinate(c, 3, size));
    check_exact(y);
}

static void strides(int index) {
    static const int of[] = {GN_F32, GN_F16, GN_I8, GN_I64};
    for (size_t t = 0; t < GN_LENGTH(of); t++) {
        if (!subject("map", of[t]))
            continue;
        const gn_program *program = adder(of[t]);
        for (int b = 0; b < LAYOUTS; b++)
            for (int y = 0; y < WRITABLE; y++) {
                context("%s, layouts %d, %d and %d", gn_dtype_name((gn_dtype)of[t]), index, b, y);
                check_layouts(program, of[t], &layouts[index], &layouts[b], &layouts[y]);
            }
        buffers_free();
    }
}

/* Twelve dims, none of which can be merged with another. */
static void twelve_dims(void) {
    subject("map", GN_F32);
    int64_t size[GN_MAX_DIMS], from[GN_MAX_DIMS], to[GN_MAX_DIMS], c[GN_MAX_DIMS] = {0};
    for (int d = 0; d < GN_MAX_DIMS; d++) {
        size[d] = 2;
        from[d] = 1 << (11 - d);
        to[d] = 1 << (d * 5 % 12);
    }
    struct buffer *x = buffer_random(GN_F32, 4096), *y = buffer_new(GN_F32, 4096);
    program_begin("copy");
    store(1, GN_F32, load(0, GN_F32));
    map(program_end(), GN_MAX_DIMS, size, 2,
        (gn_operand[]){operand_of(x, 0, from), operand_of(y, 0, to)}, NULL);
    do
        F32(y)[element_of(c, GN_MAX_DIMS, to)] = F32(x)[element_of(c, GN_MAX_DIMS, from)];
    while (next_coordinate(c, GN_MAX_DIMS, size));
    check_exact(y);
}

/* As many operands and instructions as there may be. */
static void limits(void) {
    subject("map", GN_F32);
    enum { N = 37 };
    gn_operand operands[GN_MAX_OPERANDS];
    struct buffer *y = buffer_new(GN_F32, N), *x[GN_MAX_OPERANDS - 1];
    program_begin("limits");
    int sum = const_f(GN_F32, 0);
    for (int k = 0; k < GN_MAX_OPERANDS - 1; k++) {
        x[k] = buffer_whole(GN_F32, N);
        operands[k] = AT(x[k], 0, 1);
        sum = add(sum, load(k, GN_F32));
    }
    int first = sum;
    while (sum < GN_MAX_INSNS - 2)
        sum = add(sum, first);
    store(GN_MAX_OPERANDS - 1, GN_F32, sum);
    operands[GN_MAX_OPERANDS - 1] = AT(y, 0, 1);
    map(program_end(), SIZES(N), GN_MAX_OPERANDS, operands, NULL);
    for (int i = 0; i < N; i++) {
        float total = 0;
        for (int k = 0; k < GN_MAX_OPERANDS - 1; k++)
            total += F32(x[k])[i];
        F32(y)[i] = total * (float)(1 + sum - first);
    }
    check_exact(y);
}

/* ---- Index operands, constants, parameters --------------------------------------------------- */

static void index_operands(void) {
    subject("map", GN_I64);
    struct buffer *y = buffer_new(GN_I64, 60), *mask = buffer_new(GN_BOOL, 60);
    struct buffer *one = buffer_new(GN_I64, 1);
    program_begin("index");
    store(3, GN_I64, load_index(0));
    store(4, GN_BOOL, op2(GN_OP_LE, load_index(1), load_index(2)));
    const gn_program *program = program_end();
    map(program, SIZES(5, 12),
        OPERANDS(INDEX(1000, -100, 3), INDEX(0, 0, 1), INDEX(2, 1, 0), AT(y, 0, 12, 1),
                 AT(mask, 0, 12, 1)),
        NULL);
    for (int i = 0; i < 60; i++) {
        I64(y)[i] = 1000 - 100 * (i / 12) + 3 * (i % 12);
        U8(mask)[i] = i % 12 <= i / 12 + 2; /* a causal mask, shifted by two */
    }
    check_exact(y);
    check_exact(mask);
    program_begin("offset");
    store(1, GN_I64, load_index(0));
    map(program_end(), SIZES(1), OPERANDS(INDEX(-(INT64_C(1) << 40), 7), AT(one, 0, 1)), NULL);
    I64(one)[0] = -(INT64_C(1) << 40);
    check_exact(one);
}

/* Every type's constant and parameter; an f32 one is rounded to f32. */
static void constants_and_parameters(void) {
    for (int dtype = GN_BOOL; dtype < GN_N_DTYPES; dtype++) {
        int type = value_type(dtype);
        if (dtype == GN_U32 || !subject("map", dtype))
            continue;
        bool is_float = gn_dtype_is_float(dtype), is_bool = dtype == GN_BOOL;
        struct buffer *y = buffer_new(dtype, 9), *z = buffer_new(dtype, 9);
        program_begin("constants");
        store(0, dtype, is_float ? const_f(type, 0.1) : const_i(type, is_bool ? 1 : 101));
        store(1, dtype, param(type, 0));
        gn_scalar parameter =
            is_float ? (gn_scalar){.f = -0.3} : (gn_scalar){.i = is_bool ? 0 : 77};
        map(program_end(), SIZES(9), OPERANDS(AT(y, 0, 1), AT(z, 0, 1)), &parameter);
        for (int i = 0; i < 9; i++) {
            put_f(y, i, is_float ? 0.1 : is_bool ? 1 : 101);
            put(z, i, parameter);
        }
        check_exact(y);
        check_exact(z);
    }
}

/* One parameter, read as an f32 and as an f64. */
static void parameter_of_two_types(void) {
    if (!subject("map", GN_F64))
        return;
    struct buffer *y = buffer_new(GN_F32, 9), *z = buffer_new(GN_F64, 9);
    const gn_scalar parameter = {.f = 1.0 / 3};
    program_begin("two types");
    store(0, GN_F32, param(GN_F32, 0));
    store(1, GN_F64, param(GN_F64, 0));
    map(program_end(), SIZES(9), OPERANDS(AT(y, 0, 1), AT(z, 0, 1)), &parameter);
    for (int i = 0; i < 9; i++) {
        put_f(y, i, 1.0 / 3);
        put_f(z, i, 1.0 / 3);
    }
    check_exact(y);
    check_exact(z);
}

/* ---- LOADX ----------------------------------------------------------------------------------- */

enum { WORDS = 13, WIDTH = 6, TOKENS = 50 };

static gn_status embed(struct buffer *w, struct buffer *index, struct buffer *y) {
    program_begin("embedding");
    store(2, GN_F32, loadx(0, GN_F32, load(1, GN_I64)));
    gn_status status = try_call(
        backend->map, program_end(), 0, SIZES(TOKENS, WIDTH),
        OPERANDS(with_axis(AT(w, 0, 0, 1), WIDTH, WORDS), AT(index, 0, 1, 0), AT(y, 0, WIDTH, 1)),
        NULL);
    return status == GN_OK ? settle() : status;
}

static void expect_embedding(struct buffer *w, struct buffer *index, struct buffer *y) {
    for (int i = 0; i < TOKENS * WIDTH; i++) {
        int64_t word = I64(index)[i / WIDTH];
        bool inside = word >= 0 && word < WORDS;
        F32(y)[i] = inside ? F32(w)[word * WIDTH + i % WIDTH] : 0;
    }
    check_exact(y);
}

static void indexed_loads(void) {
    subject("map", GN_F32);
    struct buffer *w = buffer_random(GN_F32, WORDS * WIDTH), *index = buffer_new(GN_I64, TOKENS);
    struct buffer *y = buffer_new(GN_F32, TOKENS * WIDTH);
    for (int i = 0; i < TOKENS; i++)
        I64(index)[i] = i * 7 % WORDS;
    expect_status(embed(w, index, y), GN_OK);
    expect_embedding(w, index, y);
}

/* The error names the call, the other elements are there, and the queue works on. */
static void indexed_loads_out_of_range(int which) {
    subject("map", GN_F32);
    static const int64_t bad[] = {-1, WORDS, INT64_MAX, INT64_MIN};
    struct buffer *w = buffer_random(GN_F32, WORDS * WIDTH), *index = buffer_new(GN_I64, TOKENS);
    struct buffer *y = buffer_new(GN_F32, TOKENS * WIDTH), *z = buffer_new(GN_F32, TOKENS * WIDTH);
    for (int i = 0; i < TOKENS; i++)
        I64(index)[i] = i == 11 ? bad[which] : i % WORDS;
    expect_index_error(embed(w, index, y));
    expect_embedding(w, index, y);
    struct buffer *good = buffer_new(GN_I64, TOKENS);
    for (int i = 0; i < TOKENS; i++)
        I64(good)[i] = i % WORDS;
    expect_status(embed(w, good, z), GN_OK);
    expect_embedding(w, good, z);
}

/* ---- Aliasing -------------------------------------------------------------------------------- */

/* An operand written is one that is read: in place, and a swap of two, in every order of memory. */
static void in_place(void) {
    subject("map", GN_F32);
    enum { N = 5 * 67 };
    struct buffer *a = buffer_random(GN_F32, N), *b = buffer_random(GN_F32, N);
    struct buffer *x = buffer_random(GN_F16, N);
    program_begin("swap");
    store(2, GN_F32, load(1, GN_F32)); /* a store that stands before the load of what it writes */
    store(3, GN_F32, load(0, GN_F32));
    map(program_end(), SIZES(5, 67),
        OPERANDS(AT(a, N - 1, -67, -1), AT(b, 0, 1, 5), AT(a, N - 1, -67, -1), AT(b, 0, 1, 5)),
        NULL);
    program_begin("double");
    int v = load(0, GN_F16);
    store(1, GN_F16, add(v, v));
    map(program_end(), SIZES(N), OPERANDS(AT(x, 0, 1), AT(x, 0, 1)), NULL);
    for (int i = 0; i < N; i++) {
        float *p = &F32(a)[N - 1 - i], *q = &F32(b)[i % 67 * 5 + i / 67], kept = *p;
        *p = *q;
        *q = kept;
        put_f(x, i, 2 * get_f(x, i));
    }
    check_exact(a);
    check_exact(b);
    check_exact(x);
}

static const test_case cases[] = {
    {.name = "tails", .each = tails, .n = GN_LENGTH(dtypes)},
    {.name = "large", .run = large},
    {.name = "strides", .each = strides, .n = LAYOUTS},
    {.name = "twelve_dims", .run = twelve_dims},
    {.name = "limits", .run = limits},
    {.name = "index_operands", .run = index_operands},
    {.name = "parameter_of_two_types", .run = parameter_of_two_types},
    {.name = "constants_and_parameters", .run = constants_and_parameters},
    {.name = "indexed_loads", .run = indexed_loads},
    {.name = "indexed_loads_out_of_range", .each = indexed_loads_out_of_range, .n = 4},
    {.name = "in_place", .run = in_place},
};

const test_group map_group = {.name = "map", CASES(cases), .after = kernel_after};
