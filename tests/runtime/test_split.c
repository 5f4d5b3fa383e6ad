/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of libgenesis/runtime/split.c: row programs on the device of the run. `ref` has no row_map,
 * so there they run in pieces; other backends' row_map must give the same.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program/program.h"
#include "support.h"
#include "tests/suite.h"

static const char op[] = "rows";

enum { ROWS = 7, COLUMNS = 13, N = ROWS * COLUMNS };

static float x[N], y[N];

static void fill(void) {
    for (int i = 0; i < N; i++)
        x[i] = (float)((i * 37) % 41) / 8 - 2;
}

static gn__device *device_of_run(void) {
    gn__device *device = gn__device_get(NULL);
    ck_assert_msg(device != NULL, "%s", gn_error());
    return device;
}

/* Runs a program in pieces, whatever the device can. */
static void split(gn__device *device, const gn_program *program, int n_dims, int n_reduced,
                  const int64_t *size, const gn__operand *operands, const gn_scalar *params) {
    ck_assert_msg(program != NULL, "%s", gn_error());
    const gn__launch l = {op, program, n_dims, n_reduced, size, operands, params};
    ck_assert_msg(gn__split_run(device, &l) == GN_OK, "%s", gn_error());
}

/* softmax: y[i, j] = exp(x[i, j] - m[i]) / sum_j exp(x[i, j] - m[i]), m[i] = max_j x[i, j] */
static const gn_program *softmax_program(int dtype) {
    gn__builder *b = gn__builder_new("softmax", 0);
    int in = gn__build_operand(b, GN_READ, dtype), out = gn__build_operand(b, GN_WRITE, dtype);
    int max = gn__reduce_value(b, GN_MAX, gn__load(b, in), 0);
    gn__elements(b);
    int e = gn__emit(b, GN_OP_EXP, gn__emit(b, GN_OP_SUB, gn__load(b, in), max, 0), 0, 0);
    int sum = gn__reduce_value(b, GN_SUM, e, 0);
    gn__elements(b);
    e = gn__emit(b, GN_OP_EXP, gn__emit(b, GN_OP_SUB, gn__load(b, in), max, 0), 0, 0);
    gn__store(b, out, gn__emit(b, GN_OP_DIV, e, sum, 0));
    return gn__builder_finish(b);
}

static void expect_softmax(int rows, int columns, const float *in, int row_stride,
                           int column_stride) {
    for (int i = 0; i < rows; i++) {
        double max = -INFINITY, sum = 0;
        for (int j = 0; j < columns; j++)
            max = fmax(max, in[i * row_stride + j * column_stride]);
        for (int j = 0; j < columns; j++)
            sum += exp(in[i * row_stride + j * column_stride] - max);
        for (int j = 0; j < columns; j++) {
            const int at = i * row_stride + j * column_stride;
            ck_assert_double_eq_tol(y[at], exp(in[at] - max) / sum, 1e-6);
        }
    }
}

START_TEST(test_softmax) {
    gn__device *device = device_of_run();
    fill();
    gn__storage *in = floats_new(device, N, x), *out = floats_new(device, N, NULL);
    const int64_t size[] = {ROWS, COLUMNS};
    gn__operand operands[2] = {dense(in, 2, size), dense(out, 2, size)};
    split(device, softmax_program(GN_F32), 2, 1, size, operands, NULL);
    floats_get(out, N, y);
    expect_softmax(ROWS, COLUMNS, x, COLUMNS, 1);

    /* along the first dim: the same memory, the dims exchanged; in place */
    const int64_t turned[] = {COLUMNS, ROWS}, stride[] = {1, COLUMNS};
    operands[0] = operands[1] = strided(in, 0, 2, stride);
    split(device, softmax_program(GN_F32), 2, 1, turned, operands, NULL);
    floats_get(in, N, y);
    expect_softmax(COLUMNS, ROWS, x, 1, COLUMNS);

    /* whatever the device has for it */
    gn__upload(in, 0, x, sizeof x);
    operands[0] = dense(in, 2, size);
    operands[1] = dense(out, 2, size);
    const gn__launch l = {op, softmax_program(GN_F32), 2, 1, size, operands, NULL};
    ck_assert_msg(gn__launch_run(device, &l) == GN_OK, "%s", gn_error());
    floats_get(out, N, y);
    expect_softmax(ROWS, COLUMNS, x, COLUMNS, 1);
    gn__storage_release(in);
    gn__storage_release(out);
}
END_TEST

/* layer norm with weights, bias, and the saved mean and 1/sqrt(var): rows stores and row loads.
 * y[i, j] = (x[i, j] - mean[i]) * rstd[i] * w[j] + b[j] + shift[i] */
static const gn_program *layer_norm_program(void) {
    gn__builder *b = gn__builder_new("layer_norm", 0);
    int in = gn__build_operand(b, GN_READ, GN_F32), w = gn__build_operand(b, GN_READ, GN_F32);
    int bias = gn__build_operand(b, GN_READ, GN_F32), shift = gn__build_operand(b, GN_READ, GN_F32);
    int out = gn__build_operand(b, GN_WRITE, GN_F32),
        mean_out = gn__build_operand(b, GN_WRITE, GN_F32);
    int rstd_out = gn__build_operand(b, GN_WRITE, GN_F32);
    int n = gn__param(b, GN_F32, gn__build_param(b)),
        eps = gn__param(b, GN_F32, gn__build_param(b));
    int sum = gn__reduce_value(b, GN_SUM, gn__load(b, in), 0);
    int mean = gn__emit(b, GN_OP_DIV, sum, n, 0);
    gn__store(b, mean_out, mean);
    gn__elements(b);
    int centred = gn__emit(b, GN_OP_SUB, gn__load(b, in), mean, 0);
    int square = gn__reduce_value(b, GN_SUM, gn__emit(b, GN_OP_MUL, centred, centred, 0), 0);
    int var = gn__emit(b, GN_OP_ADD, gn__emit(b, GN_OP_DIV, square, n, 0), eps, 0);
    int rstd = gn__emit(b, GN_OP_RSQRT, var, 0, 0);
    gn__store(b, rstd_out, rstd);
    int moved =
        gn__emit(b, GN_OP_ADD, gn__load(b, shift), mean, 0); /* uses an earlier row's value */
    moved = gn__emit(b, GN_OP_SUB, moved, mean, 0);
    gn__elements(b);
    int value = gn__emit(b, GN_OP_MUL, gn__emit(b, GN_OP_SUB, gn__load(b, in), mean, 0), rstd, 0);
    value = gn__emit(b, GN_OP_ADD, gn__emit(b, GN_OP_MUL, value, gn__load(b, w), 0),
                     gn__load(b, bias), 0);
    gn__store(b, out, gn__emit(b, GN_OP_ADD, value, moved, 0));
    return gn__builder_finish(b);
}

START_TEST(test_layer_norm) {
    gn__device *device = device_of_run();
    fill();
    float w[COLUMNS], bias[COLUMNS], shift[ROWS], mean[ROWS], rstd[ROWS];
    for (int j = 0; j < COLUMNS; j++) {
        w[j] = (float)j / 4;
        bias[j] = 3 - (float)j;
    }
    for (int i = 0; i < ROWS; i++)
        shift[i] = (float)i;
    gn__storage *storage[7] = {floats_new(device, N, x),          floats_new(device, COLUMNS, w),
                               floats_new(device, COLUMNS, bias), floats_new(device, ROWS, shift),
                               floats_new(device, N, NULL),       floats_new(device, ROWS, NULL),
                               floats_new(device, ROWS, NULL)};
    const int64_t size[] = {ROWS, 1, COLUMNS}, by_row[] = {1, 0, 0}, by_column[] = {0, 0, 1};
    gn__operand operands[7];
    operands[0] = dense(storage[0], 3, size);
    operands[1] = strided(storage[1], 0, 3, by_column);
    operands[2] = strided(storage[2], 0, 3, by_column);
    operands[3] = strided(storage[3], 0, 3, by_row);
    operands[4] = dense(storage[4], 3, size);
    operands[5] = strided(storage[5], 0, 3, by_row);
    operands[6] = strided(storage[6], 0, 3, by_row);
    const gn_scalar params[] = {{.f = COLUMNS}, {.f = 1e-5}};
    split(device, layer_norm_program(), 3, 2, size, operands, params);
    floats_get(storage[4], N, y);
    floats_get(storage[5], ROWS, mean);
    floats_get(storage[6], ROWS, rstd);
    for (int i = 0; i < ROWS; i++) {
        double m = 0, v = 0;
        for (int j = 0; j < COLUMNS; j++)
            m += x[i * COLUMNS + j] / (double)COLUMNS;
        for (int j = 0; j < COLUMNS; j++)
            v += (x[i * COLUMNS + j] - m) * (x[i * COLUMNS + j] - m) / COLUMNS;
        double r = 1 / sqrt(v + 1e-5);
        ck_assert_double_eq_tol(mean[i], m, 1e-5);
        ck_assert_double_eq_tol(rstd[i], r, 1e-4);
        for (int j = 0; j < COLUMNS; j++)
            ck_assert_double_eq_tol(y[i * COLUMNS + j],
                                    (x[i * COLUMNS + j] - m) * r * w[j] + bias[j] + i, 1e-4);
    }
    for (int k = 0; k < 7; k++)
        gn__storage_release(storage[k]);
}
END_TEST

/* Values of other types between the parts: u32, bool, i64, and an f16 tensor.
 * y[i, j] = x[i, j] where it is the first maximum of its row, else 1000 * (row has a negative) +
 * the position's low bits */
static const gn_program *types_program(void) {
    gn__builder *b = gn__builder_new("types", 0);
    int in = gn__build_operand(b, GN_READ, GN_F16), index = gn__build_operand(b, GN_INDEX, GN_I64);
    int out = gn__build_operand(b, GN_WRITE, GN_F32);
    int value = gn__load(b, in), at = gn__load(b, index);
    int first = gn__reduce_value(b, GN_ARGMAX, value, at);
    int negative = gn__emit(b, GN_OP_LT, value, gn__const_f(b, GN_F32, 0), 0);
    int any = gn__reduce_value(b, GN_MAX, negative, 0);
    int low = gn__emit(b, GN_OP_ADD, gn__cast(b, GN_U32, first), gn__const_i(b, GN_U32, -1), 0);
    gn__elements(b);
    int here = gn__emit(b, GN_OP_EQ, gn__load(b, index), first, 0);
    int bits = gn__cast(b, GN_F32, gn__emit(b, GN_OP_SHR, low, gn__const_i(b, GN_U32, 28), 0));
    int other = gn__emit(
        b, GN_OP_ADD,
        gn__emit(b, GN_OP_SELECT, any, gn__const_f(b, GN_F32, 1000), gn__const_f(b, GN_F32, 0)),
        bits, 0);
    gn__store(b, out, gn__emit(b, GN_OP_SELECT, here, gn__load(b, in), other));
    return gn__builder_finish(b);
}

START_TEST(test_types) {
    gn__device *device = device_of_run();
    /* rows 2 -1 3 3 and 5 1 4 2; f16 of small integers */
    const uint16_t half[8] = {0x4000, 0xbc00, 0x4200, 0x4200, 0x4500, 0x3c00, 0x4400, 0x4000};
    const float expected[8] = {1000, 1000, 3, 1000, 5, 15, 15, 15};
    const int64_t size[] = {2, 4}, by_column[] = {0, 1};
    gn__storage *in = gn__storage_new(device, sizeof half), *out = floats_new(device, 8, NULL);
    ck_assert_int_eq(gn__upload(in, 0, half, sizeof half), GN_OK);
    gn__operand operands[3] = {dense(in, 2, size), strided(NULL, 0, 2, by_column),
                               dense(out, 2, size)};
    split(device, types_program(), 2, 1, size, operands, NULL);
    floats_get(out, 8, y);
    for (int i = 0; i < 8; i++)
        ck_assert_float_eq(y[i], expected[i]);
    gn__storage_release(in);
    gn__storage_release(out);
}
END_TEST

/* A program that ends with a row part; a stage whose reductions nobody needs; reading by index. */
START_TEST(test_ends_with_a_row_part) {
    gn__device *device = device_of_run();
    fill();
    gn__builder *b = gn__builder_new("deviation", 0);
    int in = gn__build_operand(b, GN_READ, GN_F32), out = gn__build_operand(b, GN_WRITE, GN_F32);
    int max = gn__reduce_value(b, GN_MAX, gn__load(b, in), 0);
    gn__elements(b);
    gn__reduce_value(b, GN_MIN, gn__load(b, in), 0);
    gn__elements(b);
    int sum = gn__reduce_value(b, GN_SUM, gn__emit(b, GN_OP_SUB, max, gn__load(b, in), 0), 0);
    gn__store(b, out, gn__emit(b, GN_OP_ADD, sum, max, 0));
    const gn_program *program = gn__builder_finish(b);
    gn__storage *source = floats_new(device, N, x), *target = floats_new(device, ROWS, NULL);
    const int64_t size[] = {ROWS, COLUMNS}, by_row[] = {1, 0};
    gn__operand operands[2] = {dense(source, 2, size), strided(target, 0, 2, by_row)};
    split(device, program, 2, 1, size, operands, NULL);
    floats_get(target, ROWS, y);
    for (int i = 0; i < ROWS; i++) {
        float m = -INFINITY, s = 0;
        for (int j = 0; j < COLUMNS; j++)
            m = fmaxf(m, x[i * COLUMNS + j]);
        for (int j = 0; j < COLUMNS; j++)
            s += m - x[i * COLUMNS + j];
        ck_assert_float_eq_tol(y[i], s + m, 1e-4f);
    }
    gn__storage_release(source);
    gn__storage_release(target);
}
END_TEST

START_TEST(test_rows_of_nothing) {
    gn__device *device = device_of_run();
    gn__storage *s = floats_new(device, 8, (const float[8]){9, 9, 9, 9});
    const int64_t none[] = {3, 0}, by_row[] = {1, 0};
    gn__operand operands[7];
    for (int k = 0; k < 7; k++)
        operands[k] = strided(s, 0, 2, by_row);
    const gn_scalar params[] = {{.f = 0}, {.f = 1e-5}};
    const gn__launch softmax = {op, softmax_program(GN_F32), 2, 1, none, operands, NULL};
    ck_assert_msg(gn__launch_run(device, &softmax) == GN_OK, "%s", gn_error());
    operands[5] = strided(s, 0, 2, by_row); /* mean and rstd do exist without elements */
    operands[6] = strided(s, 4, 2, by_row);
    const gn__launch norm = {op, layer_norm_program(), 2, 1, none, operands, params};
    ck_assert_msg(gn__launch_run(device, &norm) == GN_OK, "%s", gn_error());
    floats_get(s, 8, y);
    ck_assert_float_nan(y[0]);
    ck_assert_float_nan(y[4]);
    ck_assert_float_eq(y[3], 9);
    gn__storage_release(s);
}
END_TEST

START_TEST(test_position_among_none) {
    gn__device *device = device_of_run();
    gn__builder *b = gn__builder_new("argmax", 0);
    int in = gn__build_operand(b, GN_READ, GN_F32), index = gn__build_operand(b, GN_INDEX, GN_I64);
    int out = gn__build_operand(b, GN_WRITE, GN_I64);
    gn__store(b, out, gn__reduce_value(b, GN_ARGMAX, gn__load(b, in), gn__load(b, index)));
    const gn_program *argmax = gn__builder_finish(b);
    gn__storage *s = floats_new(device, 8, NULL);
    const int64_t none[] = {3, 0}, by_row[] = {1, 0};
    gn__operand operands[3] = {strided(s, 0, 2, by_row), strided(NULL, 0, 2, by_row),
                               strided(s, 0, 2, by_row)};
    const gn__launch l = {op, argmax, 2, 1, none, operands, NULL};
    ck_assert_int_eq(gn__launch_run(device, &l), GN_E_ARGUMENT);
    gn_error_clear();
    gn__storage_release(s);
}
END_TEST

/* Out of memory for the slots: an error, and nothing is kept. */
START_TEST(test_no_memory_for_slots) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *s = gn__storage_new(device, 4096);
    state->memory = (uint64_t)6 << 20;
    state->row_answer = GN_E_UNSUPPORTED;
    const int64_t size[] = {1 << 20, 2};
    gn__operand operands[2] = {strided(s, 0, 2, size), strided(s, 0, 2, size)};
    const gn__launch l = {op, softmax_program(GN_F32), 2, 1, size, operands, NULL};
    ck_assert_int_eq(gn__launch_run(device, &l), GN_E_MEMORY);
    gn_error_clear();
    gn_memory_stats stats;
    ck_assert_int_eq(gn_memory_stats_get("recorder", &stats), GN_OK);
    ck_assert_uint_eq(stats.allocated, 4096);
    ck_assert_int_eq(state->reduces + state->maps, 0);
    gn__storage_release(s);
}
END_TEST

int main(void) {
    add_test_plugins();
    const TTest *tests[] = {test_softmax,
                            test_layer_norm,
                            test_types,
                            test_ends_with_a_row_part,
                            test_rows_of_nothing,
                            test_position_among_none,
                            test_no_memory_for_slots,
                            NULL};
    return suite_run("split", tests);
}
