/* SPDX-License-Identifier: Apache-2.0 */
/* programs.c - the speed of map, reduce, scatter, row_map and map_many, in bytes per second. */
#include <stdlib.h>

#include "speed.h"

static const int dtypes[] = {GN_U8, GN_I8, GN_I16, GN_I32, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64};

enum { ELEMENTS = 1 << 23, REFERENCE_SHARE = 64, ROW = 1024 };

static int64_t elements_on(const side *s) {
    return s->is_reference ? ELEMENTS / REFERENCE_SHARE : ELEMENTS;
}

/* A prepared call of a kernel. The reference makes its own handle of the program. */
struct job {
    kernel_fn *kernel;
    struct space space;
    gn_call call;
};

static gn_status run_job(side *s, void *argument) {
    const struct job *job = argument;
    return job->kernel(s->device, NULL, &job->call);
}

static double time_job(side *s, kernel_fn *kernel, const gn_program *program, uint32_t n_reduced,
                       size_t n_dims, const int64_t *size, size_t n_operands,
                       const gn_operand *operands) {
    struct job job = {.kernel = kernel};
    job.call =
        prepare_call(&job.space, program, n_reduced, n_dims, size, n_operands, operands, NULL);
    if (s->is_reference)
        job.call.handle = NULL;
    return seconds_per_call(s, run_job, &job);
}

static gn_operand operand(gn_mem *mem, int64_t outer, int64_t inner) {
    return (gn_operand){.mem = mem, .stride = {outer, inner}};
}

/* ---- map and reduce */

static double measure_map(side *s, const void *argument) {
    const int dtype = *(const int *)argument;
    const int64_t n = elements_on(s);
    const uint64_t bytes = (uint64_t)n * gn_dtype_bytes(dtype);
    program_begin("add");
    store(2, dtype, add(load(0, dtype), load(1, dtype)));
    const gn_program *program = program_end();
    const double seconds = time_job(s, s->table->map, program, 0, SIZES(n), 3,
                                    (gn_operand[]){operand(speed_block(s, bytes), 1, 0),
                                                   operand(speed_block(s, bytes), 1, 0),
                                                   operand(speed_block(s, bytes), 1, 0)});
    return 3 * (double)bytes / seconds;
}

static void map_speed(int index) {
    if (subject("map", dtypes[index]))
        measure_both(SPEED_BYTES, measure_map, &dtypes[index]);
}

/* Sums of rows. */
static double measure_reduce(side *s, const void *argument) {
    const int dtype = *(const int *)argument;
    const int64_t rows = elements_on(s) / ROW;
    const uint64_t bytes = (uint64_t)elements_on(s) * gn_dtype_bytes(dtype);
    program_begin("sum");
    store(1, dtype, reduced(GN_SUM, load(0, dtype)));
    const gn_program *program = program_end();
    const double seconds = time_job(s, s->table->reduce, program, 1, SIZES(rows, ROW), 2,
                                    (gn_operand[]){operand(speed_block(s, bytes), ROW, 1),
                                                   operand(speed_block(s, bytes / ROW), 1, 0)});
    return (double)bytes / seconds;
}

static void reduce_speed(int index) {
    if (subject("reduce", dtypes[index]))
        measure_both(SPEED_BYTES, measure_reduce, &dtypes[index]);
}

/* ---- row_map: softmax */

static double measure_rows(side *s, const void *argument) {
    (void)argument;
    const int64_t rows = elements_on(s) / ROW;
    const uint64_t bytes = (uint64_t)elements_on(s) * sizeof(float);
    program_begin("softmax");
    int top = reduced(GN_MAX, load(0, GN_F32));
    elements();
    int sum = reduced(GN_SUM, op1(GN_OP_EXP, sub(load(0, GN_F32), top)));
    elements();
    store(1, GN_F32, over(op1(GN_OP_EXP, sub(load(0, GN_F32), top)), sum));
    const gn_program *program = program_end();
    const gn_operand operands[] = {operand(speed_block(s, bytes), ROW, 1),
                                   operand(speed_block(s, bytes), ROW, 1)};
    if (!s->is_reference &&
        (!backend->row_map || try_call(backend->row_map, program, 1, SIZES(rows, ROW), 2, operands,
                                       NULL) == GN_E_UNSUPPORTED))
        return 0;
    const double seconds =
        time_job(s, s->table->row_map, program, 1, SIZES(rows, ROW), 2, operands);
    return 2 * (double)bytes / seconds;
}

static void row_speed(void) {
    subject("row_map", GN_F32);
    measure_both(SPEED_BYTES, measure_rows, NULL);
}

/* ---- map_many: a step of SGD on as many parameters as a network has */

enum { TENSORS = 24 };

struct many {
    struct space spaces[TENSORS];
    gn_call calls[TENSORS];
};

static gn_status run_many(side *s, void *argument) {
    const struct many *many = argument;
    return s->table->map_many(s->device, NULL, many->calls, TENSORS);
}

static double measure_many(side *s, const void *argument) {
    (void)argument;
    if (!s->table->map_many)
        return 0;
    struct many *many = case_alloc(1, sizeof *many);
    const int64_t n = elements_on(s) / TENSORS;
    const uint64_t bytes = (uint64_t)n * sizeof(float);
    program_begin("sgd");
    store(2, GN_F32, sub(load(0, GN_F32), load(1, GN_F32)));
    const gn_program *program = program_end();
    for (int i = 0; i < TENSORS; i++) {
        const gn_operand w = operand(speed_block(s, bytes), 1, 0),
                         g = operand(speed_block(s, bytes), 1, 0);
        many->calls[i] =
            prepare_call(&many->spaces[i], program, 0, SIZES(n), 3, (gn_operand[]){w, g, w}, NULL);
        if (s->is_reference)
            many->calls[i].handle = NULL;
    }
    return 3 * TENSORS * (double)bytes / seconds_per_call(s, run_many, many);
}

static void many_speed(void) {
    subject("map_many", GN_F32);
    measure_both(SPEED_BYTES, measure_many, NULL);
}

/* ---- scatter: the gradient of an embedding */

enum { WIDTH = 64, WORDS = 1000 };

static gn_status run_scatter(side *s, void *argument) {
    return s->table->scatter(s->device, NULL, argument);
}

static double measure_scatter(side *s, const void *argument) {
    (void)argument;
    const int64_t tokens = elements_on(s) / WIDTH / 4;
    const int64_t size[] = {WIDTH, tokens};
    const uint64_t bytes = (uint64_t)(tokens * WIDTH) * sizeof(float);
    int64_t *words = case_alloc((size_t)tokens, sizeof *words);
    for (int64_t i = 0; i < tokens; i++)
        words[i] = (int64_t)(random_bits() % WORDS);
    const gn_operand source = operand(speed_block(s, bytes), 1, WIDTH),
                     index = operand(speed_block(s, (uint64_t)tokens * sizeof *words), 0, 1),
                     target =
                         with_axis(operand(speed_block(s, WORDS * WIDTH * sizeof(float)), 1, 0),
                                   WIDTH, WORDS);
    expect_status(
        s->table->upload(s->device, NULL, index.mem, 0, words, (uint64_t)tokens * sizeof *words),
        GN_OK);
    gn_scatter_call call = {.struct_size = sizeof call,
                            .tag = test_tag(),
                            .n_dims = 2,
                            .n_serial = 1,
                            .dtype = GN_F32,
                            .combine = GN_SCATTER_ADD,
                            .unordered = 1,
                            .size = size,
                            .source = &source,
                            .index = &index,
                            .target = &target};
    return 3 * (double)bytes / seconds_per_call(s, run_scatter, &call);
}

static void scatter_speed(void) {
    subject("scatter", GN_F32);
    measure_both(SPEED_BYTES, measure_scatter, NULL);
}

static int count_dtypes(void) { return no_speed_or(GN_LENGTH(dtypes)); }
static int count_one(void) { return no_speed_or(1); }

static const test_case cases[] = {
    {.name = "map", .each = map_speed, .count = count_dtypes},
    {.name = "reduce", .each = reduce_speed, .count = count_dtypes},
    {.name = "scatter", .run = scatter_speed, .count = count_one},
    {.name = "row_map", .run = row_speed, .count = count_one},
    {.name = "map_many", .run = many_speed, .count = count_one},
};

const test_group speed_group = {.name = "speed", CASES(cases), .after = kernel_after};
