/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/program/infer.c and instantiate.c. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/opcodes.h"
#include "tests/program/evaluate.h"
#include "tests/suite.h"

enum { N = 10 };
static const int dtypes[N] = {GN_BOOL, GN_U8,  GN_I8,   GN_I16, GN_I32,
                              GN_I64,  GN_F16, GN_BF16, GN_F32, GN_F64};

static int result_of(gn__expr *e, int x, int y, bool y_zero_dim, bool float_params) {
    gn__signature s = {.n_variables = gn__expr_n_variables(e),
                       .dtype = {(int8_t)x, (int8_t)y},
                       .zero_dim = {false, y_zero_dim},
                       .float_params = float_params};
    return gn__expr_result_dtype(e, &s);
}

/* ---- Promotion between tensors and numbers: torch.result_type of PyTorch 2.15 */

START_TEST(test_two_tensors) {
    gn__expr *e = parsed("max(x, y)", "x, y", "");
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            ck_assert_int_eq(result_of(e, dtypes[i], dtypes[k], false, false),
                             gn__promote(dtypes[i], dtypes[k]));
            gn__signature s = {.n_variables = 2,
                               .dtype = {(int8_t)dtypes[i], (int8_t)dtypes[k]},
                               .zero_dim = {true, true}};
            ck_assert_int_eq(gn__expr_result_dtype(e, &s), gn__promote(dtypes[i], dtypes[k]));
        }
}
END_TEST

/* A tensor with dims (rows) and one without (columns). */
static const int with_zero_dim[N][N] = {
    {GN_BOOL, GN_U8, GN_I8, GN_I16, GN_I32, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_U8, GN_U8, GN_U8, GN_U8, GN_U8, GN_U8, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_I8, GN_I8, GN_I8, GN_I8, GN_I8, GN_I8, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_I16, GN_I16, GN_I16, GN_I16, GN_I16, GN_I16, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_I32, GN_I32, GN_I32, GN_I32, GN_I32, GN_I32, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_I64, GN_I64, GN_I64, GN_I64, GN_I64, GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64},
    {GN_F16, GN_F16, GN_F16, GN_F16, GN_F16, GN_F16, GN_F16, GN_F16, GN_F16, GN_F16},
    {GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_BF16, GN_BF16},
    {GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32, GN_F32},
    {GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64, GN_F64},
};

START_TEST(test_zero_dim_tensor) {
    gn__expr *e = parsed("max(x, y)", "x, y", "");
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            ck_assert_msg(result_of(e, dtypes[i], dtypes[k], true, false) == with_zero_dim[i][k],
                          "%d and 0-dim %d", dtypes[i], dtypes[k]);
}
END_TEST

START_TEST(test_numbers) {
    static const int with_integer[N] = {GN_I64, GN_U8,  GN_I8,   GN_I16, GN_I32,
                                        GN_I64, GN_F16, GN_BF16, GN_F32, GN_F64};
    static const int with_float[N] = {GN_F32, GN_F32, GN_F32,  GN_F32, GN_F32,
                                      GN_F32, GN_F16, GN_BF16, GN_F32, GN_F64};
    gn__expr *integer = parsed("max(x, 2)", "x", ""), *fraction = parsed("max(x, 2.5)", "x", "");
    gn__expr *whole = parsed("max(x, 2.0)", "x", ""), *param = parsed("max(x, p)", "x", "p");
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(result_of(integer, dtypes[i], 0, false, false), with_integer[i]);
        ck_assert_int_eq(result_of(fraction, dtypes[i], 0, false, false), with_float[i]);
        ck_assert_int_eq(result_of(whole, dtypes[i], 0, false, false), with_float[i]);
        ck_assert_int_eq(result_of(param, dtypes[i], 0, false, false), with_integer[i]);
        ck_assert_int_eq(result_of(param, dtypes[i], 0, false, true), with_float[i]);
    }
}
END_TEST

/* ---- What operations give and refuse, as PyTorch does */

static const struct {
    const char *text;
    const char
        *result; /* in the order of `dtypes`: b bool, i the integer, x the float itself, f float32,
                           - an error */
} results[] = {
    {"x + x", "biiiiixxxx"},          {"x * x", "biiiiixxxx"},
    {"x - x", "-iiiiixxxx"},          {"-x", "-iiiiixxxx"},
    {"x / x", "ffffffxxxx"},          {"x // x", "-iiiiixxxx"},
    {"x ** x", "-iiiiixxxx"},         {"x % x", "-iiiiixxxx"},
    {"fmod(x, x)", "-iiiiixxxx"},     {"div(x, x)", "-iiiiixxxx"},
    {"x & x", "biiiii----"},          {"x | x", "biiiii----"},
    {"x ^ x", "biiiii----"},          {"~x", "biiiii----"},
    {"x << x", "-iiiii----"},         {"x >> x", "-iiiii----"},
    {"abs(x)", "-iiiiixxxx"},         {"sign(x)", "biiiiixxxx"},
    {"min(x, x)", "biiiiixxxx"},      {"floor(x)", "-iiiiixxxx"},
    {"rint(x)", "-iiiiixxxx"},        {"isnan(x)", "bbbbbbbbbb"},
    {"atan2(x, x)", "ffffffxxxx"},    {"exp(x)", "ffffffxxxx"},
    {"sqrt(x)", "ffffffxxxx"},        {"sigmoid(x)", "ffffffxxxx"},
    {"softplus(x)", "ffffffxxxx"},    {"x < x", "bbbbbbbbbb"},
    {"x == x", "bbbbbbbbbb"},         {"!x", "bbbbbbbbbb"},
    {"x && x", "bbbbbbbbbb"},         {"x || x", "bbbbbbbbbb"},
    {"x ? x : x", "biiiiixxxx"},      {"float(x)", "ffffffxxxx"},
    {"bool(x)", "bbbbbbbbbb"},        {"x", "biiiiixxxx"},
    {"x * sigmoid(x)", "ffffffxxxx"}, {"x + (x < x)", "biiiiixxxx"},
    {"x + 1.5", "ffffffxxxx"},
};

START_TEST(test_results) {
    for (size_t t = 0; t < GN_LENGTH(results); t++) {
        gn__expr *e = parsed(results[t].text, "x", "");
        for (int i = 0; i < N; i++) {
            char kind = results[t].result[i];
            int expected = kind == 'b'   ? (int)GN_BOOL
                           : kind == 'f' ? (int)GN_F32
                           : kind == '-' ? -1
                                         : dtypes[i];
            int got = result_of(e, dtypes[i], 0, false, false);
            ck_assert_msg(got == expected, "%s of %d: %d", results[t].text, dtypes[i], got);
            ck_assert_int_eq(gn_error_status(), kind == '-' ? GN_E_ARGUMENT : GN_OK);
            gn_error_clear();
        }
    }
}
END_TEST

START_TEST(test_messages) {
    static const struct {
        const char *text;
        int dtype;
        const char *message;
    } cases[] = {
        {"x - x", GN_BOOL, "test: subtract of bools; use logical_xor"},
        {"-x", GN_BOOL, "test: negative of a bool; use logical_not"},
        {"x & 1", GN_F32, "test: 'and' does not take float32"},
        {"x ** x", GN_BOOL, "test: 'pow' does not take bool"},
        {"x << 1", GN_BF16, "test: 'shl' does not take bfloat16"},
        {"x + 1", 0, "test: x has no dtype"},
        {"x + 1", GN_U32, "test: x has no dtype"},
    };
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        ck_assert_int_eq(result_of(parsed(cases[i].text, "x", ""), cases[i].dtype, 0, false, false),
                         -1);
        ck_assert_str_eq(gn_error(), cases[i].message);
        gn_error_clear();
    }
    gn__signature s = {.n_variables = 2, .dtype = {GN_F32, GN_F32}};
    ck_assert_ptr_null(gn__expr_program(parsed("x", "x", ""), &s));
    ck_assert_str_eq(gn_error(), "test: 1 variables, not 2");
}
END_TEST

/* ---- Programs: what is cast, and to what */

static gn__expr *expression;
static const gn_program *program_for(const char *text, int x, int y, bool float_params) {
    expression = parsed(text, "x, y", "p");
    gn__signature s = {
        .n_variables = 2, .dtype = {(int8_t)x, (int8_t)y}, .float_params = float_params};
    const gn_program *program = gn__expr_program(expression, &s);
    ck_assert_msg(program != NULL, "%s: %s", text, gn_error());
    return program;
}

/* The types of the instructions of one opcode, in order: "float32 int64". */
static const char *types_of(const gn_program *program, int op) {
    static const char *const names[GN_N_DTYPES] = {
#define X(name, value, text, bytes) [value] = text,
        GN_DTYPES(X)
#undef X
    };
    static char text[256];
    text[0] = 0;
    for (uint32_t i = 0; i < program->n_insns; i++)
        if (program->insns[i].op == op)
            sprintf(text + strlen(text), "%s%s", text[0] ? " " : "", names[program->insns[i].type]);
    return text;
}

START_TEST(test_common_type) {
    const gn_program *program = program_for("x * 0.5 + y", GN_F32, GN_F64, false);
    ck_assert_str_eq(types_of(program, GN_OP_MUL), "float64"); /* not rounded to f32 between */
    program = program_for("x + y * y", GN_I64, GN_U8, false);
    ck_assert_str_eq(types_of(program, GN_OP_MUL), "int64"); /* does not wrap at 256 */
    program = program_for("exp(x) + y", GN_F32, GN_F64, false);
    ck_assert_str_eq(types_of(program, GN_OP_EXP), "float64");
    program = program_for("x + y", GN_F16, GN_BF16, false);
    ck_assert_int_eq(program->operands[2].dtype, GN_F32);
    program = program_for("x * y + x", GN_F16, GN_F16, false); /* rounded once, by the store */
    ck_assert_int_eq(program->operands[2].dtype, GN_F16);
    ck_assert_str_eq(opcodes_of(program), "load load mul add store");
    ck_assert_str_eq(types_of(program, GN_OP_MUL), "float32");
    program = program_for("x + y", GN_F16, GN_I64, false);
    ck_assert_int_eq(program->operands[2].dtype, GN_F16);
    ck_assert_str_eq(types_of(program, GN_OP_CAST), "float32");
}
END_TEST

/* Conditions and the operands of comparisons keep their types; so do integers among themselves. */
START_TEST(test_separate_types) {
    const gn_program *program = program_for("x ? y : 0", GN_I64, GN_F32, false);
    ck_assert_str_eq(types_of(program, GN_OP_CAST), "bool");
    program = program_for("x == 16777217 ? y : 0", GN_I64, GN_F32, false);
    ck_assert_str_eq(types_of(program, GN_OP_CAST), "");
    ck_assert_int_eq(program->operands[2].dtype, GN_F32);
    program = program_for("x == y", GN_I64, GN_F32, false); /* compared as PyTorch does */
    ck_assert_str_eq(types_of(program, GN_OP_CAST), "float32");
    program = program_for("y * (x & 1)", GN_I64, GN_F32, false);
    ck_assert_str_eq(types_of(program, GN_OP_AND), "int64");
    ck_assert_str_eq(types_of(program, GN_OP_MUL), "float32");
    program = program_for("y * exp(x * x)", GN_I64, GN_F16, false);
    ck_assert_str_eq(types_of(program, GN_OP_MUL), "int64 float32");
    ck_assert_int_eq(program->operands[2].dtype, GN_F32); /* exp of integers is an f32 */
    program = program_for("x && y", GN_F16, GN_I64, false);
    ck_assert_str_eq(types_of(program, GN_OP_CAST), "bool bool");
    program = program_for("int(x) + y", GN_F32, GN_U8, false);
    ck_assert_str_eq(types_of(program, GN_OP_ADD), "int64");
    program = program_for("float(x) + y", GN_I64, GN_F64, false);
    ck_assert_str_eq(types_of(program, GN_OP_ADD), "float64");
    program = program_for("x + (y & (x + 1 & (x & 1)))", GN_I32, GN_U8, false); /* cyclic groups */
    ck_assert_str_eq(types_of(program, GN_OP_ADD), "int32 int32");
}
END_TEST

START_TEST(test_parameters) {
    const gn_program *program = program_for("x * p", GN_F32, GN_F32, false);
    ck_assert_str_eq(types_of(program, GN_OP_PARAM), "float32");
    program = program_for("x * p", GN_I32, GN_F32, false);
    ck_assert_str_eq(types_of(program, GN_OP_PARAM), "int64");
    program = program_for("x * p", GN_I32, GN_F32, true);
    ck_assert_str_eq(types_of(program, GN_OP_PARAM), "float32");
    program = program_for("x * p", GN_F64, GN_F32, false);
    ck_assert_str_eq(types_of(program, GN_OP_PARAM), "float64");
    /* Used as both: passed once, as an integer. */
    program = program_for("y * p + ((x == p) ? 1 : 0)", GN_I32, GN_F32, false);
    ck_assert_str_eq(types_of(program, GN_OP_PARAM), "int64");
    program = program_for("p", GN_F32, GN_F32, false);
    ck_assert_str_eq(types_of(program, GN_OP_PARAM), "int64");
    ck_assert_int_eq(program->operands[0].dtype, GN_I64);
    program = program_for("x", GN_F32, GN_F32, false);
    ck_assert_uint_eq(program->n_params, 1);
}
END_TEST

START_TEST(test_result_dtype) {
    gn__expr *e = parsed("x * y", "x, y", "");
    gn__signature s = {.n_variables = 2, .dtype = {GN_F32, GN_F64}, .result = GN_F16};
    const gn_program *program = gn__expr_program(e, &s);
    ck_assert_int_eq(program->operands[2].dtype, GN_F16);
    ck_assert_str_eq(types_of(program, GN_OP_MUL), "float64");
    gn__expr *gradient = gn__expr_gradient(e, 0); /* in x's dtype, computed in the common one */
    gn__signature of_gradient = {
        .n_variables = 4, .dtype = {GN_F32, GN_F64, GN_F64, GN_F64}, .result = GN_F32};
    program = gn__expr_program(gradient, &of_gradient);
    ck_assert_str_eq(opcodes_of(program), "load load mul cast store");
    ck_assert_str_eq(types_of(program, GN_OP_STORE), "float32");
    s.result = GN_BOOL;
    ck_assert_str_eq(types_of(gn__expr_program(e, &s), GN_OP_CAST), "float64 bool");
    /* Numbers alone are as wide as the result. */
    s.result = GN_F64;
    ck_assert_double_eq(
        evaluate_program(gn__expr_program(parsed("0.1", "x, y", ""), &s), NULL, NULL).f, 0.1);
    s.result = 0;
    ck_assert_int_eq(gn__expr_result_dtype(parsed("0.1", "x, y", ""), &s), GN_F32);
    ck_assert_int_eq(gn__expr_result_dtype(parsed("1", "x, y", ""), &s), GN_I64);
    ck_assert_int_eq(gn__expr_result_dtype(parsed("1 < 2", "x, y", ""), &s), GN_BOOL);
}
END_TEST

START_TEST(test_operands) {
    gn__expr *e = parsed("c - a", "a, b, c, d", "");
    gn__signature s = {.n_variables = 4,
                       .dtype = {GN_F16, 0, GN_F32, 99}}; /* b and d do not occur */
    const gn_program *program = gn__expr_program(e, &s);
    ck_assert_msg(program != NULL, "%s", gn_error());
    ck_assert_uint_eq(program->n_operands, 3);
    ck_assert(program->operands[0].dtype == GN_F16 && program->operands[0].role == GN_READ);
    ck_assert(program->operands[1].dtype == GN_F32 && program->operands[1].role == GN_READ);
    ck_assert(program->operands[2].dtype == GN_F32 && program->operands[2].role == GN_WRITE);
    s.dtype[1] = GN_I8; /* and make no difference */
    ck_assert_ptr_eq(gn__expr_program(e, &s), program);
}
END_TEST

START_TEST(test_sum_program) {
    gn__expr *e = parsed("x * y", "x, y", "");
    gn__signature s = {.n_variables = 2, .dtype = {GN_F16, GN_F16}};
    const gn_program *sum = gn__expr_sum_program(e, &s), *map = gn__expr_program(e, &s);
    ck_assert_ptr_ne(sum, map);
    ck_assert_uint_eq(sum->n_parts, 2);
    ck_assert_str_eq(opcodes_of(sum), "load load mul reduce store");
    ck_assert_str_eq(types_of(sum, GN_OP_REDUCE), "float32");
    ck_assert_int_eq(sum->operands[2].dtype, GN_F16);
    ck_assert_ptr_eq(gn__expr_sum_program(e, &s), sum);
    ck_assert_ptr_eq(gn__expr_program(e, &s), map);
    sum = gn__expr_sum_program(parsed("x < y", "x, y", ""), &s); /* counted */
    ck_assert_str_eq(types_of(sum, GN_OP_REDUCE), "int64");
    ck_assert_int_eq(sum->operands[2].dtype, GN_I64);
}
END_TEST

/* ---- Values of sigmoid and softplus where the plain formulas would overflow */

START_TEST(test_stable_functions) {
    gn__expr *sigmoid = parsed("sigmoid(x)", "x", ""), *softplus = parsed("softplus(x)", "x", "");
    for (double x = -800; x <= 800; x += 12.5) {
        double s = x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
        double p = x >= 0 ? x + log1p(exp(-x)) : log1p(exp(x));
        ck_assert_double_eq_tol(evaluate_f64(sigmoid, &x, NULL), s, 1e-15 * s + 1e-308);
        ck_assert_double_eq_tol(evaluate_f64(softplus, &x, NULL), p, 1e-15 * p + 1e-308);
    }
    double nan_ = (double)NAN;
    ck_assert_double_nan(evaluate_f64(sigmoid, &nan_, NULL));
    ck_assert_double_nan(evaluate_f64(softplus, &nan_, NULL));
}
END_TEST

/* ---- The cache */

START_TEST(test_cache) {
    gn__expr *e = parsed("x * y + 1", "x, y", "");
    const gn_program *programs[N][N][2];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++)
                for (int zero = 0; zero < 2; zero++) {
                    gn__signature s = {.n_variables = 2,
                                       .dtype = {(int8_t)dtypes[i], (int8_t)dtypes[k]},
                                       .zero_dim = {zero, false}};
                    const gn_program *program = gn__expr_program(e, &s);
                    ck_assert_ptr_nonnull(program);
                    ck_assert_int_eq(program->operands[0].dtype, dtypes[i]);
                    ck_assert_int_eq(program->operands[1].dtype, dtypes[k]);
                    if (round)
                        ck_assert_ptr_eq(program, programs[i][k][zero]);
                    programs[i][k][zero] = program;
                }
}
END_TEST

/* Each variable counts. */
START_TEST(test_cache_of_many_variables) {
    gn__expr *e =
        parsed("a + b + c + d + e + f + g + h + i + j", "a, b, c, d, e, f, g, h, i, j", "");
    gn__signature s = signature_of(e, GN_I8);
    gn__expr_program(e, &s);
    for (int k = 0; k < GN__MAX_VARIABLES; k++) {
        s.dtype[k] = GN_I16;
        ck_assert_int_eq(gn__expr_result_dtype(e, &s), GN_I16);
        s.zero_dim[k] = true;
        ck_assert_int_eq(gn__expr_result_dtype(e, &s), GN_I8);
        s = signature_of(e, GN_I8);
    }
}
END_TEST

/* A hit costs no lock and works while an error sticks; a miss fails then. */
START_TEST(test_sticky_error) {
    gn__expr *e = parsed("x + 1", "x", "");
    gn__signature s = signature_of(e, GN_F32);
    const gn_program *program = gn__expr_program(e, &s);
    gn_fail(GN_E_INDEX, "other", "an error before");
    ck_assert_ptr_eq(gn__expr_program(e, &s), program);
}
END_TEST

enum { THREADS = 8, EXPRESSIONS = 40 };
static gn__expr *shared[EXPRESSIONS];
static pthread_barrier_t barrier;

static void *use_all(void *out) {
    const gn_program **programs = out;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < EXPRESSIONS; i++) {
        gn__expr *gradient = gn__expr_gradient(shared[i], 0);
        for (int k = 0; k < N; k++) {
            gn__signature s = signature_of(shared[i], dtypes[k]);
            *programs++ = gn__expr_program(shared[i], &s);
            gn__signature of_gradient = signature_of(gradient, dtypes[k]);
            *programs++ = gn__expr_sum_program(gradient, &of_gradient);
        }
    }
    return NULL;
}

START_TEST(test_threads) {
    enum { PROGRAMS = EXPRESSIONS * N * 2 };
    static const gn_program *programs[THREADS][PROGRAMS];
    pthread_t threads[THREADS];
    for (int i = 0; i < EXPRESSIONS; i++) {
        char text[64];
        snprintf(text, sizeof text, "x * sigmoid(%d * x) + y", i);
        shared[i] = parsed(text, "x, y", "");
    }
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use_all, programs[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < PROGRAMS; k++)
            ck_assert(programs[i][k] != NULL && programs[i][k] == programs[0][k]);
    pthread_barrier_destroy(&barrier);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_two_tensors,
                            test_zero_dim_tensor,
                            test_numbers,
                            test_results,
                            test_messages,
                            test_common_type,
                            test_separate_types,
                            test_parameters,
                            test_result_dtype,
                            test_operands,
                            test_sum_program,
                            test_stable_functions,
                            test_cache,
                            test_cache_of_many_variables,
                            test_sticky_error,
                            test_threads,
                            NULL};
    return suite_run("instantiate", tests);
}
