/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/runtime/launch.c, handles.c and host.c. */
#include <stdlib.h>
#include <string.h>

#include "program/program.h"
#include "support.h"
#include "tests/suite.h"

static const char op[] = "test_op";

/* z = x + y */
static const gn_program *add_program(void) {
    gn__builder *b = gn__builder_new("add", 0);
    int x = gn__build_operand(b, GN_READ, GN_F32), y = gn__build_operand(b, GN_READ, GN_F32);
    int z = gn__build_operand(b, GN_WRITE, GN_F32);
    gn__store(b, z, gn__emit(b, GN_OP_ADD, gn__load(b, x), gn__load(b, y), 0));
    return gn__builder_finish(b);
}

/* y = reduction of x */
static const gn_program *reduce_program(int kind, int dtype) {
    gn__builder *b = gn__builder_new("reduce", 0);
    int x = gn__build_operand(b, GN_READ, dtype), y = gn__build_operand(b, GN_WRITE, dtype);
    gn__store(b, y, gn__reduce_value(b, kind, gn__load(b, x), 0));
    return gn__builder_finish(b);
}

/* y = x / sum x, a row program */
static const gn_program *normalise_program(void) {
    gn__builder *b = gn__builder_new("normalise", 0);
    int x = gn__build_operand(b, GN_READ, GN_F32), y = gn__build_operand(b, GN_WRITE, GN_F32);
    int sum = gn__reduce_value(b, GN_SUM, gn__load(b, x), 0);
    gn__elements(b);
    gn__store(b, y, gn__emit(b, GN_OP_DIV, gn__load(b, x), sum, 0));
    return gn__builder_finish(b);
}

static void launch(gn__device *device, const gn_program *program, int n_dims, int n_reduced,
                   const int64_t *size, const gn__operand *operands) {
    const gn__launch l = {op, program, n_dims, n_reduced, size, operands, NULL};
    ck_assert_msg(gn__launch_run(device, &l) == GN_OK, "%s", gn_error());
}

/* Checks what the recorder got: a space, and the strides of each operand in it. */
static void expect_call(const recorder *state, int n_dims, int n_reduced, const int64_t *size,
                        const int64_t *strides) {
    ck_assert_int_eq(state->call.n_dims, n_dims);
    ck_assert_int_eq(state->call.n_reduced, n_reduced);
    for (int d = 0; d < n_dims; d++)
        ck_assert_int_eq(state->size[d], size[d]);
    for (uint32_t k = 0; k < state->call.n_operands; k++)
        for (int d = 0; d < n_dims; d++)
            ck_assert_int_eq(state->operands[k].stride[d], strides[k * (uint32_t)n_dims + d]);
}

#define LIST(...) ((const int64_t[]){__VA_ARGS__})

START_TEST(test_spaces_of_maps) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    const gn_program *add = add_program();
    gn__storage *s = gn__storage_new(device, 100000);
    ck_assert_ptr_nonnull(s);

    const int64_t size[] = {2, 3, 4};
    gn__operand all_dense[3] = {dense(s, 3, size), dense(s, 3, size), dense(s, 3, size)};
    launch(device, add, 3, 0, size, all_dense);
    expect_call(state, 1, 0, LIST(24), LIST(1, 1, 1));

    /* a scalar, and a bias along the last dim */
    all_dense[0] = strided(s, 5, 3, LIST(0, 0, 0));
    launch(device, add, 3, 0, size, all_dense);
    expect_call(state, 1, 0, LIST(24), LIST(0, 1, 1));
    ck_assert_int_eq(state->operands[0].offset, 5 + (int64_t)s->offset / 4);
    all_dense[0] = strided(s, 0, 3, LIST(0, 0, 1));
    launch(device, add, 3, 0, size, all_dense);
    expect_call(state, 2, 0, LIST(6, 4), LIST(0, 1, 4, 1, 4, 1));

    /* the same transposed, all three alike: one dim again */
    gn__operand turned[3];
    for (int k = 0; k < 3; k++)
        turned[k] = strided(s, 0, 3, LIST(1, 2, 6));
    launch(device, add, 3, 0, size, turned);
    expect_call(state, 1, 0, LIST(24), LIST(1, 1, 1));

    /* x transposed: its order decides */
    turned[1] = turned[2] = dense(s, 3, size);
    launch(device, add, 3, 0, size, turned);
    expect_call(state, 3, 0, LIST(4, 3, 2), LIST(6, 2, 1, 1, 4, 12, 1, 4, 12));

    /* dims of size 1 go, whatever their strides */
    gn__operand ones[3];
    for (int k = 0; k < 3; k++)
        ones[k] = strided(s, 0, 4, LIST(77, 5 * k, 1, -9));
    launch(device, add, 4, 0, LIST(1, 1, 7, 1), ones);
    expect_call(state, 1, 0, LIST(7), LIST(1, 1, 1));
    launch(device, add, 4, 0, LIST(1, 1, 1, 1), ones);
    expect_call(state, 0, 0, NULL, NULL);
    launch(device, add, 0, 0, NULL, ones);
    expect_call(state, 0, 0, NULL, NULL);

    /* negative strides */
    ones[0] = strided(s, 11, 2, LIST(-4, -1));
    ones[1] = ones[2] = dense(s, 2, LIST(3, 4));
    launch(device, add, 2, 0, LIST(3, 4), ones);
    expect_call(state, 1, 0, LIST(12), LIST(-1, 1, 1));

    const int maps = state->maps;
    launch(device, add, 3, 0, LIST(2, 0, 4), all_dense);
    launch(device, add, 3, 0, LIST(0, 3, 4), turned);
    ck_assert_int_eq(state->maps, maps);
    gn__storage_release(s);
}
END_TEST

START_TEST(test_index_operand) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn__builder *b = gn__builder_new("arange", 0);
    int index = gn__build_operand(b, GN_INDEX, GN_I64),
        out = gn__build_operand(b, GN_WRITE, GN_I64);
    gn__store(b, out, gn__load(b, index));
    const gn_program *arange = gn__builder_finish(b);
    gn__storage *s = gn__storage_new(device, 1000);
    gn__operand operands[2] = {strided(NULL, 7, 2, LIST(8, 2)), dense(s, 2, LIST(3, 4))};
    launch(device, arange, 2, 0, LIST(3, 4), operands);
    expect_call(state, 1, 0, LIST(12), LIST(2, 1));
    ck_assert_ptr_null(state->operands[0].mem);
    ck_assert_int_eq(state->operands[0].offset, 7);
    ck_assert_ptr_eq(state->operands[1].mem, s->mem);
    gn__storage_release(s);
}
END_TEST

START_TEST(test_spaces_of_reductions) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    const gn_program *sum = reduce_program(GN_SUM, GN_F32);
    gn__storage *s = gn__storage_new(device, 100000);
    const int64_t size[] = {2, 3, 4, 5};
    gn__operand operands[2] = {dense(s, 4, size), strided(s, 0, 4, LIST(3, 1, 0, 0))};
    launch(device, sum, 4, 2, size, operands);
    expect_call(state, 2, 1, LIST(6, 20), LIST(20, 1, 1, 0));

    /* everything; one element; kept dims of size 1 */
    operands[1] = strided(s, 0, 4, LIST(0, 0, 0, 0));
    launch(device, sum, 4, 4, size, operands);
    expect_call(state, 1, 1, LIST(120), LIST(1, 0));
    launch(device, sum, 4, 4, LIST(1, 1, 1, 1), operands);
    expect_call(state, 0, 0, NULL, NULL);
    launch(device, sum, 4, 1, LIST(1, 1, 1, 9), operands);
    expect_call(state, 1, 1, LIST(9), LIST(1, 0));
    launch(device, sum, 4, 1, LIST(1, 1, 9, 1), operands);
    expect_call(state, 1, 0, LIST(9), LIST(5, 0));

    /* the first dim is reduced: it is given last, and no kept dim merges with it */
    operands[0] = strided(s, 0, 3, LIST(5, 1, 20));
    operands[1] = strided(s, 0, 3, LIST(5, 1, 0));
    launch(device, sum, 3, 1, LIST(4, 5, 6), operands);
    expect_call(state, 2, 1, LIST(20, 6), LIST(1, 20, 1, 0));
    ck_assert_int_eq(state->maps, 0);

    const int reduces = state->reduces;
    launch(device, sum, 3, 1, LIST(4, 0, 6), operands);
    launch(device, sum, 3, 1, LIST(4, 0, 0), operands);
    ck_assert_int_eq(state->reduces, reduces);
    gn__storage_release(s);
}
END_TEST

/* On a real backend. */
START_TEST(test_reduction_over_nothing) {
    gn__device *device = gn__device_get(NULL);
    ck_assert_msg(device != NULL, "%s", gn_error());
    const struct {
        int kind;
        float value;
    } cases[] = {{GN_SUM, 0}, {GN_PROD, 1}, {GN_MAX, -1 / 0.0f}, {GN_MIN, 1 / 0.0f}};
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        float result[3] = {5, 5, 5};
        gn__storage *y = floats_new(device, 3, result);
        gn__operand operands[2] = {strided(y, 0, 2, LIST(1, 1)), strided(y, 0, 2, LIST(1, 0))};
        launch(device, reduce_program(cases[i].kind, GN_F32), 2, 1, LIST(3, 0), operands);
        floats_get(y, 3, result);
        for (int k = 0; k < 3; k++)
            ck_assert(result[k] == cases[i].value);
        launch(device, reduce_program(cases[i].kind, GN_F32), 2, 2, LIST(3, 0), operands);
        gn__storage_release(y);
    }
    int8_t bytes[2] = {5, 5};
    gn__storage *y = gn__storage_new(device, sizeof bytes);
    gn__operand operands[2] = {strided(y, 0, 2, LIST(1, 1)), strided(y, 0, 2, LIST(1, 0))};
    launch(device, reduce_program(GN_MAX, GN_I8), 2, 1, LIST(2, 0), operands);
    ck_assert_int_eq(gn__download(bytes, y, 0, sizeof bytes), GN_OK);
    ck_assert_int_eq(bytes[0], INT8_MIN);
    launch(device, reduce_program(GN_MIN, GN_BOOL), 2, 1, LIST(2, 0), operands);
    ck_assert_int_eq(gn__download(bytes, y, 0, sizeof bytes), GN_OK);
    ck_assert_int_eq(bytes[1], 1);
    gn__storage_release(y);
}
END_TEST

START_TEST(test_errors_name_the_operation) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *s = gn__storage_new(device, 4096);
    const int64_t size[] = {8};
    gn__operand operands[3] = {dense(s, 1, size), dense(s, 1, size), dense(s, 1, size)};
    const gn__launch l = {op, add_program(), 1, 0, size, operands, NULL};
    const struct {
        gn_status status;
        const char *text, *expected;
        gn_status recorded;
    } cases[] = {
        {GN_E_INDEX, "index 9 of 5", "test_op: index out of range: index 9 of 5 (on recorder)",
         GN_E_INDEX},
        {GN_E_DEVICE, NULL, "test_op: device error (on recorder)", GN_E_DEVICE},
        {GN_E_MEMORY, "out of memory: no queue", "test_op: out of memory: no queue (on recorder)",
         GN_E_MEMORY},
        {33, NULL, "test_op: the backend of recorder answered 33, which is no status",
         GN_E_INTERNAL},
    };
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        state->answer = cases[i].status;
        state->answer_text = cases[i].text;
        ck_assert_int_eq(gn__launch_run(device, &l), cases[i].recorded);
        const int maps = state->maps;
        ck_assert_int_eq(gn__launch_run(device, &l), cases[i].recorded); /* it sticks */
        ck_assert_int_eq(state->maps, maps);
        ck_assert_str_eq(take_error(), cases[i].expected);
    }
    state->answer = GN_E_INDEX;
    state->answer_tag = gn__tag("gather");
    state->answer_text = "late";
    ck_assert_int_eq(gn_synchronize("recorder"), GN_E_INDEX);
    ck_assert_str_eq(take_error(), "gather: index out of range: late (on recorder)");
    state->answer = GN_OK;
    ck_assert_int_eq(gn__launch_run(device, &l), GN_OK);
    gn__storage_release(s);
}
END_TEST

START_TEST(test_handles) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *s = gn__storage_new(device, 4096);
    const int64_t size[] = {8};
    gn__operand operands[3] = {dense(s, 1, size), dense(s, 1, size), dense(s, 1, size)};
    state->create_answer = GN_E_UNSUPPORTED;
    const gn__launch l = {op, add_program(), 1, 0, size, operands, NULL};
    ck_assert_int_eq(gn__launch_run(device, &l), GN_E_UNSUPPORTED);
    ck_assert_str_eq(take_error(), "test_op: not supported: an opcode is unknown (on recorder)");
    state->create_answer = GN_OK;
    for (int i = 0; i < 3; i++)
        launch(device, add_program(), 1, 0, size, operands);
    ck_assert_int_eq(state->creates, 1);
    ck_assert_ptr_eq(state->call.handle, add_program());
    /* many programs: y = x + a constant */
    for (int i = 0; i < 500; i++) {
        gn__builder *b = gn__builder_new("plus", 0);
        int x = gn__build_operand(b, GN_READ, GN_F32), y = gn__build_operand(b, GN_WRITE, GN_F32);
        gn__store(b, y, gn__emit(b, GN_OP_ADD, gn__load(b, x), gn__const_f(b, GN_F32, i + 1), 0));
        const gn_program *plus = gn__builder_finish(b);
        launch(device, plus, 1, 0, size, operands);
        ck_assert_ptr_eq(state->call.handle, plus);
    }
    launch(device, add_program(), 1, 0, size, operands);
    ck_assert_int_eq(state->creates, 501);
    gn__storage_release(s);
    gn_shutdown();
    ck_assert_int_eq(state->releases, 501);
}
END_TEST

START_TEST(test_scratch) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *s = gn__storage_new(device, 4096);
    const int64_t size[] = {8};
    gn__operand operands[3] = {dense(s, 1, size), dense(s, 1, size), dense(s, 1, size)};
    gn_memory_stats before, after;
    ck_assert_int_eq(gn_memory_stats_get("recorder", &before), GN_OK);
    state->scratch_bytes = 5000;
    launch(device, add_program(), 1, 0, size, operands);
    gn_pointer first = state->scratch;
    ck_assert_ptr_nonnull(first.mem);
    launch(device, add_program(), 1, 0, size, operands);
    ck_assert_ptr_eq(state->scratch.mem, first.mem);
    ck_assert_uint_eq(state->scratch.offset, first.offset);
    ck_assert_int_eq(gn_memory_stats_get("recorder", &after), GN_OK);
    ck_assert_uint_eq(before.allocated, after.allocated);
    state->scratch_bytes = UINT64_C(1) << 60;
    state->memory = 1 << 20;
    const gn__launch l = {op, add_program(), 1, 0, size, operands, NULL};
    ck_assert_int_eq(gn__launch_run(device, &l), GN_E_MEMORY);
    ck_assert(contains(take_error(), "test_op: "));
    gn__storage_release(s);
}
END_TEST

START_TEST(test_row_programs) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *s = gn__storage_new(device, 4096);
    const int64_t size[] = {4, 8};
    gn__operand operands[2] = {dense(s, 2, size), dense(s, 2, size)};
    launch(device, normalise_program(), 2, 1, size, operands);
    ck_assert_int_eq(state->row_maps, 1);
    expect_call(state, 2, 1, LIST(4, 8), LIST(8, 1, 8, 1));
    /* declined by the call, then at program_create: in two pieces */
    state->row_answer = GN_E_UNSUPPORTED;
    launch(device, normalise_program(), 2, 1, size, operands);
    ck_assert_int_eq(state->row_maps, 1);
    ck_assert_int_eq(state->reduces, 1);
    ck_assert_int_eq(state->maps, 1);
    state->row_answer = GN_E_DEVICE;
    const gn__launch l = {op, normalise_program(), 2, 1, size, operands, NULL};
    ck_assert_int_eq(gn__launch_run(device, &l), GN_E_DEVICE);
    ck_assert(contains(take_error(), "test_op: device error: rows are too long"));
    gn__storage_release(s);
}
END_TEST

START_TEST(test_many) {
    enum { N = 150 };
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *s = gn__storage_new(device, 4096);
    static gn__launch launches[N];
    static gn__operand operands[N][3];
    static int64_t sizes[N][2];
    for (int i = 0; i < N; i++) {
        sizes[i][0] = i % 10; /* every tenth is empty */
        sizes[i][1] = 3;
        for (int k = 0; k < 3; k++)
            operands[i][k] = dense(s, 2, sizes[i]);
        launches[i] = (gn__launch){op, add_program(), 2, 0, sizes[i], operands[i], NULL};
    }
    ck_assert_int_eq(gn__launch_many(device, launches, N), GN_OK);
    ck_assert_int_eq(state->many_calls, N - N / 10);
    ck_assert_int_eq(state->many, 3);
    expect_call(state, 1, 0, LIST(27), LIST(1, 1, 1));
    ck_assert_int_eq(gn__launch_many(device, launches, 0), GN_OK);
    ck_assert_int_eq(gn__launch_many(device, launches, 1), GN_OK);
    state->answer = GN_E_DEVICE;
    ck_assert_int_eq(gn__launch_many(device, launches, N), GN_E_DEVICE);
    gn_error_clear();
    gn__storage_release(s);

    /* a backend without map_many */
    gn__device *other = gn__device_get("small_table");
    s = gn__storage_new(other, 4096);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 3; k++)
            operands[i][k].storage = s;
    ck_assert_int_eq(gn__launch_many(other, launches, N), GN_OK);
    gn__storage_release(s);
}
END_TEST

START_TEST(test_scatter) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *s = gn__storage_new(device, 65536);
    const int64_t size[] = {2, 3, 1, 4, 5};
    gn__operand operands[3] = {dense(s, 5, size), dense(s, 5, size),
                               strided(s, 3, 5, LIST(60, 20, 9, 5, 1))};
    operands[2].axis_stride = 6;
    operands[2].axis_extent = 7;
    ck_assert_int_eq(
        gn__launch_scatter(device, op, 5, 2, size, GN_F16, GN_SCATTER_ADD, true, operands), GN_OK);
    ck_assert_int_eq(state->scatters, 1);
    ck_assert_uint_eq(state->scatter.n_dims, 2);
    ck_assert_uint_eq(state->scatter.n_serial, 1);
    ck_assert_int_eq(state->size[0], 6);
    ck_assert_int_eq(state->size[1], 20);
    ck_assert_int_eq(state->scatter.dtype, GN_F16);
    ck_assert_int_eq(state->scatter.combine, GN_SCATTER_ADD);
    ck_assert_int_eq(state->scatter.unordered, 1);
    ck_assert_int_eq(state->operands[2].offset, 3 + (int64_t)s->offset / 2);
    ck_assert_int_eq(state->operands[2].stride[0], 20);
    /* serial dims keep their order, though strides would sort them otherwise */
    operands[0] = operands[1] = operands[2] = strided(s, 0, 2, LIST(1, 10));
    ck_assert_int_eq(
        gn__launch_scatter(device, op, 2, 2, LIST(4, 5), GN_F32, GN_SCATTER_SET, false, operands),
        GN_OK);
    ck_assert_int_eq(state->size[0], 4);
    ck_assert_int_eq(state->size[1], 5);
    ck_assert_int_eq(
        gn__launch_scatter(device, op, 2, 2, LIST(4, 0), GN_F32, GN_SCATTER_SET, false, operands),
        GN_OK);
    ck_assert_int_eq(state->scatters, 2);
    gn__storage_release(s);
}
END_TEST

int main(void) {
    add_test_plugins();
    const TTest *tests[] = {test_spaces_of_maps,
                            test_index_operand,
                            test_spaces_of_reductions,
                            test_reduction_over_nothing,
                            test_errors_name_the_operation,
                            test_handles,
                            test_scratch,
                            test_row_programs,
                            test_many,
                            test_scatter,
                            NULL};
    return suite_run("launch", tests);
}
