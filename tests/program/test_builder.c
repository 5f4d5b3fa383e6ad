/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/program/builder.c, finish.c and text.c. */
#include <stdlib.h>
#include <string.h>

#include "program/opcodes.h"
#include "tests/program/evaluate.h"
#include "tests/suite.h"

static int storable(int type) { return type == GN_U32 ? GN_I64 : type; }

static const gn_program *finish_with(gn__builder *b, int value) {
    gn__store(b, gn__build_operand(b, GN_WRITE, storable(gn__type_of(b, value))), value);
    const gn_program *program = gn__builder_finish(b);
    ck_assert_msg(program != NULL, "%s", gn_error());
    return program;
}

/* ---- Structure */

/* sum and sum of squares, made one after the other, then a normalised row. */
static gn__builder *build_rows(void) {
    gn__builder *b = gn__builder_new("rows", 0);
    int x = gn__build_operand(b, GN_READ, GN_F32), y = gn__build_operand(b, GN_WRITE, GN_F32);
    int mean_out = gn__build_operand(b, GN_WRITE, GN_F32), count = gn__build_param(b);
    int v = gn__load(b, x);
    int sum = gn__reduce_value(b, GN_SUM, v, 0);
    int squares = gn__reduce_value(b, GN_SUM, gn__emit(b, GN_OP_MUL, v, v, 0), 0);
    int n = gn__param(b, GN_F32, count);
    int mean = gn__emit(b, GN_OP_DIV, sum, n, 0);
    gn__store(b, mean_out, mean);
    int square = gn__emit(b, GN_OP_DIV, squares, n, 0);
    int variance = gn__emit(b, GN_OP_SUB, square, gn__emit(b, GN_OP_MUL, mean, mean, 0), 0);
    gn__elements(b);
    int centred = gn__emit(b, GN_OP_SUB, gn__load(b, x), mean, 0);
    gn__store(b, y, gn__emit(b, GN_OP_MUL, centred, gn__emit(b, GN_OP_RSQRT, variance, 0, 0), 0));
    return b;
}

START_TEST(test_row_program) {
    const gn_program *program = gn__builder_finish(build_rows());
    ck_assert_msg(program != NULL, "%s", gn_error());
    ck_assert_uint_eq(program->n_parts, 3);
    ck_assert_uint_eq(program->n_params, 1);
    char *text = gn__program_text(program);
    ck_assert_str_eq(text, "program rows: rows\n"
                           "  operand 0: read float32\n"
                           "  operand 1: write float32\n"
                           "  operand 2: write float32\n"
                           "  %0 = float32 param 0\n"
                           "  %1 = float32 load 0\n"
                           "  %2 = float32 mul %1, %1\n"
                           "  %3 = float32 reduce.sum %1\n"
                           "  %4 = float32 reduce.sum %2\n"
                           "  %5 = float32 div %3, %0\n"
                           "  %6 = float32 div %4, %0\n"
                           "  %7 = float32 mul %5, %5\n"
                           "  %8 = float32 sub %6, %7\n"
                           "  store 2, %5\n"
                           "  elements\n"
                           "  %11 = float32 load 0\n"
                           "  %12 = float32 sub %11, %5\n"
                           "  %13 = float32 rsqrt %8\n"
                           "  %14 = float32 mul %12, %13\n"
                           "  store 1, %14\n");
    free(text);
}
END_TEST

START_TEST(test_all_instructions_as_text) {
    gn__builder *b = gn__builder_new("all", GN_PROGRAM_NO_CONTRACT);
    int x = gn__build_operand(b, GN_READ, GN_BF16), i = gn__build_operand(b, GN_INDEX, GN_I64);
    int at = gn__build_operand(b, GN_WRITE, GN_I64), y = gn__build_operand(b, GN_WRITE, GN_F16);
    int index = gn__load(b, i), seed = gn__param(b, GN_I64, gn__build_param(b));
    int word = gn__emit(b, GN_OP_RANDOM, index, gn__const_i(b, GN_I64, -3), seed);
    int v = gn__loadx(b, x, gn__cast(b, GN_I64, word));
    int rounded = gn__emit(b, GN_OP_ROUND, v, GN_F16, 0);
    ck_assert_int_eq(gn__emit(b, GN_OP_ROUND, rounded, GN_F16, 0), rounded);
    gn__store(b, at, gn__reduce_value(b, GN_ARGMAX, rounded, index));
    gn__store(b, y, gn__reduce_value(b, GN_MAX, gn__const_f(b, GN_F32, 0.1), 0));
    const gn_program *program = gn__builder_finish(b);
    ck_assert_msg(program != NULL, "%s", gn_error());
    char *text = gn__program_text(program);
    ck_assert_str_eq(text, "program all: reduce, no contraction\n"
                           "  operand 0: read bfloat16\n"
                           "  operand 1: index int64\n"
                           "  operand 2: write int64\n"
                           "  operand 3: write float16\n"
                           "  %0 = int64 param 0\n"
                           "  %1 = int64 const -3\n"
                           "  %2 = float32 const 0.10000000149011612\n"
                           "  %3 = int64 load 1\n"
                           "  %4 = uint32 random %3, %1, %0\n"
                           "  %5 = int64 cast %4\n"
                           "  %6 = float32 loadx 0, %5\n"
                           "  %7 = float32 round %6, float16\n"
                           "  %8 = int64 reduce.argmax %7, %3\n"
                           "  %9 = float32 reduce.max %2\n"
                           "  store 2, %8\n"
                           "  store 3, %9\n");
    free(text);
}
END_TEST

/* One load a part: in a row part the reduced coordinates are 0, so it is another value there. */
START_TEST(test_loads_are_merged_within_a_part) {
    gn__builder *b = gn__builder_new("test", 0);
    int x = gn__build_operand(b, GN_READ, GN_F32);
    int first = gn__load(b, x);
    ck_assert_int_eq(gn__load(b, x), first);
    int sum = gn__reduce_value(b, GN_SUM, first, 0);
    ck_assert_int_eq(gn__reduce_value(b, GN_SUM, first, 0), sum);
    int row = gn__load(b, x);
    ck_assert_int_ne(row, first);
    ck_assert_int_eq(gn__load(b, x), row);
    int root = gn__emit(b, GN_OP_SQRT, sum, 0, 0);
    gn__elements(b);
    ck_assert_int_ne(gn__load(b, x), row);
    ck_assert_int_ne(gn__load(b, x), first);
    ck_assert_int_eq(gn__emit(b, GN_OP_SQRT, sum, 0, 0), root); /* visible behind its part */
    finish_with(b, gn__emit(b, GN_OP_MUL, gn__load(b, x), root, 0));
}
END_TEST

START_TEST(test_dead_code_is_dropped) {
    gn__builder *b = gn__builder_new("test", 0);
    int x = gn__build_operand(b, GN_READ, GN_F32), unused = gn__build_operand(b, GN_READ, GN_F64);
    gn__build_param(b);
    gn__emit(b, GN_OP_EXP, gn__load(b, unused), 0, 0);
    gn__param(b, GN_F32, 0);
    gn__const_f(b, GN_F32, 5);
    const gn_program *program = finish_with(b, gn__load(b, x));
    ck_assert_str_eq(opcodes_of(program), "load store");
    ck_assert_uint_eq(program->n_operands, 3); /* operands and parameters keep their numbers */
    ck_assert_uint_eq(program->n_params, 1);
    ck_assert_uint_eq(program->n_constants, 0);
}
END_TEST

/* Reductions are the border between parts, so they stay. */
START_TEST(test_reductions_stay) {
    gn__builder *b = gn__builder_new("test", 0);
    int x = gn__build_operand(b, GN_READ, GN_F32);
    gn__reduce_value(b, GN_SUM, gn__load(b, x), 0);
    const gn_program *program = finish_with(b, gn__const_f(b, GN_F32, 1));
    ck_assert_str_eq(opcodes_of(program), "const load reduce store");
    ck_assert_uint_eq(program->n_parts, 2);
}
END_TEST

static const gn_program *simple(const char *name, uint32_t flags, double factor, int dtype) {
    gn__builder *b = gn__builder_new(name, flags);
    int x = gn__build_operand(b, GN_READ, dtype);
    return finish_with(b, gn__emit(b, GN_OP_MUL, gn__load(b, x), gn__const_f(b, dtype, factor), 0));
}

START_TEST(test_equal_programs_are_one) {
    const gn_program *first = simple("first", 0, 3, GN_F32);
    ck_assert_ptr_eq(simple("second", 0, 3, GN_F32), first);
    const gn_program *others[] = {simple("first", 0, 4, GN_F32), simple("first", 0, 3, GN_F64),
                                  simple("first", GN_PROGRAM_NO_CONTRACT, 3, GN_F32)};
    for (size_t i = 0; i < GN_LENGTH(others); i++) {
        ck_assert_ptr_ne(others[i], first);
        ck_assert(others[i]->hash[0] != first->hash[0] && others[i]->hash[1] != first->hash[1]);
    }
    ck_assert(first->hash[0] != first->hash[1]);
    ck_assert_uint_eq(first->struct_size, sizeof *first);
    ck_assert_uint_eq(first->insn_size, sizeof(gn_insn));
    ck_assert_ptr_eq(gn__builder_finish(build_rows()), gn__builder_finish(build_rows()));
}
END_TEST

/* ---- Errors */

enum error {
    NO_STORE,
    TWICE,
    TYPES,
    BOOLS,
    FLOAT_BITS,
    INTEGER_EXP,
    CONDITION,
    BAD_OPERAND,
    BAD_VALUE,
    BAD_TYPE,
    BAD_PARAM,
    BAD_INDEX,
    BAD_OP,
    STRUCTURE_OP,
    BAD_ROUND,
    EARLIER,
    MIXED,
    REDUCED_ROW,
    NO_REDUCTION,
    BAD_KIND,
    BAD_PAYLOAD,
    TOO_LONG,
    TOO_MANY_OPERANDS,
    READ_STORED,
    CONST_KIND,
    CONST_KIND_I,
    CONST_RANGE,
    BAD_ROLE,
    BAD_INDEX_TYPE,
    TOO_MANY_PARAMS,
    FAR_TOO_LONG,
    N_ERRORS
};

static const char *const messages[N_ERRORS] = {
    [NO_STORE] = "bad: the program stores nothing",
    [TWICE] = "bad: operand 1 is stored twice",
    [TYPES] = "bad: add of float32 and int64: cast one of them",
    [BOOLS] = "bad: sub does not take bool",
    [FLOAT_BITS] = "bad: xor does not take float32",
    [INTEGER_EXP] = "bad: exp does not take int64",
    [CONDITION] = "bad: the condition of a select must be bool, not float32",
    [BAD_OPERAND] = "bad: operand 7 is none that can be used so",
    [BAD_VALUE] = "bad: 99 is no value",
    [BAD_TYPE] = "bad: programs do not compute in dtype 8", /* f16 */
    [BAD_PARAM] = "bad: there is no parameter 0",
    [BAD_INDEX] = "bad: an index must be int64, not float32",
    [BAD_OP] = "bad: opcode 99 is none for gn__emit",
    [STRUCTURE_OP] = "bad: opcode 0 is none for gn__emit",
    [BAD_ROUND] = "bad: round takes float32 to float16 or bfloat16",
    [EARLIER] = "bad: value 0, an element of an earlier part, is used",
    [MIXED] = "bad: sub of an element and a value behind the reduction: begin another element part",
    [REDUCED_ROW] = "bad: reduce of a value behind the reduction: begin another element part",
    [NO_REDUCTION] = "bad: an element part follows a reduction, and there is none",
    [BAD_KIND] = "bad: there is no reduction 6",
    [BAD_PAYLOAD] = "bad: the payload of a reduction must be int64",
    [TOO_LONG] = "bad: a program has at most 1024 instructions, not 1102",
    [TOO_MANY_OPERANDS] = "bad: a program has at most 32 operands",
    [READ_STORED] = "bad: operand 0 is none that can be used so",
    [CONST_KIND] = "bad: int64 is no floating-point type",
    [CONST_KIND_I] = "bad: float32 is no integer type",
    [CONST_RANGE] = "bad: 1e+30 is no constant of type int32",
    [BAD_ROLE] = "bad: no operand can have role 3 and dtype 10",
    [BAD_INDEX_TYPE] = "bad: no operand can have role 4 and dtype 10",
    [TOO_MANY_PARAMS] = "bad: a program has at most 16 parameters",
    [FAR_TOO_LONG] = "bad: the program has too many instructions",
};

/* The value with which an error of the kind is made. x is an f32, i an i64. */
static int make_value_error(gn__builder *b, enum error error, int x, int i) {
    const int t = gn__const_i(b, GN_BOOL, 1);
    switch (error) {
    case TYPES: return gn__emit(b, GN_OP_ADD, x, i, 0);
    case BOOLS: return gn__emit(b, GN_OP_SUB, t, t, 0);
    case FLOAT_BITS: return gn__emit(b, GN_OP_XOR, x, x, 0);
    case INTEGER_EXP: return gn__emit(b, GN_OP_EXP, i, 0, 0);
    case CONDITION: return gn__emit(b, GN_OP_SELECT, x, i, i);
    case BAD_OPERAND: return gn__load(b, 7);
    case BAD_VALUE: return gn__emit(b, GN_OP_ADD, x, 99, 0);
    case BAD_TYPE: return gn__cast(b, GN_F16, x);
    case BAD_PARAM: return gn__param(b, GN_F32, 0);
    case BAD_INDEX: return gn__loadx(b, 0, x);
    case BAD_OP: return gn__emit(b, 99, x, x, 0);
    case STRUCTURE_OP: return gn__emit(b, GN_OP_LOAD, 0, 0, 0);
    case BAD_ROUND: return gn__emit(b, GN_OP_ROUND, x, GN_F64, 0);
    case CONST_KIND: return gn__const_f(b, GN_I64, 1);
    case CONST_KIND_I: return gn__const_i(b, GN_F32, 1);
    case CONST_RANGE: return gn__const(b, GN_I32, 1e30);
    default: return x;
    }
}

static int make_structure_error(gn__builder *b, enum error error, int x) {
    switch (error) {
    case TWICE:
        gn__store(b, 1, x);
        gn__store(b, 1, x);
        return x;
    case EARLIER:
        gn__reduce_value(b, GN_SUM, x, 0);
        gn__elements(b);
        return gn__emit(b, GN_OP_EXP, x, 0, 0);
    case MIXED: return gn__emit(b, GN_OP_SUB, x, gn__reduce_value(b, GN_MAX, x, 0), 0);
    case REDUCED_ROW: return gn__reduce_value(b, GN_SUM, gn__reduce_value(b, GN_MAX, x, 0), 0);
    case NO_REDUCTION: gn__elements(b); return x;
    case BAD_KIND: return gn__reduce_value(b, 6, x, 0);
    case BAD_PAYLOAD: return gn__reduce_value(b, GN_ARGMIN, x, x);
    case BAD_ROLE:
    case BAD_INDEX_TYPE: gn__build_operand(b, error == BAD_ROLE ? 3 : GN_INDEX, GN_F32); return x;
    case TOO_MANY_PARAMS:
        for (int n = 0; n <= GN_MAX_PARAMS; n++)
            gn__build_param(b);
        return x;
    case TOO_LONG:
    case FAR_TOO_LONG:
        for (int n = 0; n < (error == TOO_LONG ? 1100 : 17000); n++)
            x = gn__emit(b, GN_OP_SIN, x, 0, 0);
        return x;
    case TOO_MANY_OPERANDS:
        for (int n = 0; n < 32; n++)
            gn__build_operand(b, GN_READ, GN_F32);
        return x;
    case READ_STORED: gn__store(b, 0, x); return x;
    default: return x;
    }
}

START_TEST(test_errors) {
    for (enum error error = 0; error < N_ERRORS; error++) {
        gn__builder *b = gn__builder_new("bad", 0);
        int in = gn__build_operand(b, GN_READ, GN_F32),
            out = gn__build_operand(b, GN_WRITE, GN_F32);
        int index = gn__build_operand(b, GN_INDEX, GN_I64);
        int x = gn__load(b, in), i = gn__load(b, index), value;
        value = make_structure_error(b, error, make_value_error(b, error, x, i));
        if (error != NO_STORE && error != TWICE)
            gn__store(b, out, value);
        ck_assert_ptr_null(gn__builder_finish(b));
        ck_assert_str_eq(gn_error(), messages[error]);
        gn_error_clear();
    }
    ck_assert_ptr_null(gn__builder_finish(NULL));
}
END_TEST

/* Values of failed calls are 0 and may be used on; the first error stays. */
START_TEST(test_first_error_stays) {
    gn__builder *b = gn__builder_new("bad", 0);
    int x = gn__emit(b, GN_OP_EXP, gn__load(b, 3), 0, 0);
    ck_assert_int_eq(x, 0);
    ck_assert_int_eq(gn__cast(b, GN_F32, gn__param(b, GN_F32, 2)), 0);
    ck_assert_int_eq(gn__reduce_value(b, GN_SUM, x, 0), 0);
    gn__elements(b);
    gn__store(b, 0, x);
    ck_assert_ptr_null(gn__builder_finish(b));
    ck_assert_str_eq(gn_error(), "bad: operand 3 is none that can be used so");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_row_program,
                            test_all_instructions_as_text,
                            test_loads_are_merged_within_a_part,
                            test_dead_code_is_dropped,
                            test_reductions_stay,
                            test_equal_programs_are_one,
                            test_errors,
                            test_first_error_stays,
                            NULL};
    return suite_run("builder", tests);
}
