/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/program/fold.c and simplify.c: what is saved, and that no value changes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program/opcodes.h"
#include "tests/program/evaluate.h"
#include "tests/suite.h"

static const int types[] = {GN_BOOL, GN_U8, GN_I8, GN_I16, GN_I32, GN_I64, GN_U32, GN_F32, GN_F64};

/* Numbers with something special about them; those that a type has not are wrapped or rounded. */
static const double specials[] = {
    0,   -0.0, 1,   -1,   2,   -2,   3,    0.5,    -0.5,     4,         7,   -7,     100,
    127, -128, 255, 1e-3, 2.5, 1e10, 1e30, 1e-310, INFINITY, -INFINITY, NAN, 0x1p62, -0x1p31};

static gn_scalar special(int type, size_t i) {
    gn_scalar value = {0};
    if (gn__is_float(type))
        value.f = type == GN_F32 ? (double)(float)specials[i] : specials[i];
    else if (type == GN_BOOL)
        value.i = specials[i] != 0;
    else if (fabs(specials[i]) < 0x1p63) {
        int64_t whole = (int64_t)specials[i];
        value.i = type == GN_U8    ? (uint8_t)whole
                  : type == GN_I8  ? (int8_t)whole
                  : type == GN_I16 ? (int16_t)whole
                  : type == GN_I32 ? (int32_t)whole
                  : type == GN_U32 ? (uint32_t)whole
                                   : whole;
    }
    return value;
}

static int constant(gn__builder *b, int type, gn_scalar value) {
    return gn__is_float(type) ? gn__const_f(b, type, value.f) : gn__const_i(b, type, value.i);
}

static int storable(int type) { return type == GN_U32 ? GN_I64 : type; }

/* A program that computes op of three parameters, each a constant where `values` says so. */
static const gn_program *program_of(int op, const int operand_type[3], int arity,
                                    const gn_scalar *const values[3]) {
    int operands[3] = {0, 0, 0};
    gn__builder *b = gn__builder_new("test", 0);
    for (int i = 0; i < arity; i++) {
        int param = gn__build_param(b);
        operands[i] = values[i] ? constant(b, operand_type[i], *values[i])
                                : gn__param(b, operand_type[i], param);
    }
    int value = gn__emit(b, op, operands[0], operands[1], operands[2]);
    int out = gn__build_operand(b, GN_WRITE, storable(gn__type_of(b, value)));
    gn__store(b, out, value);
    const gn_program *program = gn__builder_finish(b);
    ck_assert_msg(program != NULL, "%s", gn_error());
    return program;
}

static int result_type(const gn_program *program) { return program->operands[0].dtype; }

/* Every operation on every pair of special numbers has the same value whether both operands,
 * one or none of them are constants: so folding is right, and simplification is exact. */
static void check_operation(int op, int type) {
    const gn__op *info = gn__op_info(op);
    const int operand_type[3] = {type, type, type};
    const gn_scalar *const none[3] = {0};
    const gn_program *plain = program_of(op, operand_type, info->arity, none);
    const size_t n = GN_LENGTH(specials);
    for (size_t i = 0; i < n * (info->arity == 2 ? n : 1); i++) {
        gn_scalar v[3] = {special(type, i % n), special(type, i / n), {0}};
        const gn_scalar *const both[3] = {&v[0], &v[1]};
        const gn_scalar *const first[3] = {&v[0]}, *const second[3] = {0, &v[1]};
        const gn_scalar *const *const cases[] = {both, first, second};
        gn_scalar expected = evaluate_program(plain, NULL, v);
        for (size_t k = 0; k < GN_LENGTH(cases); k++) {
            if (op == GN_OP_POW && gn__is_float(type) && k == 2)
                continue; /* not exact: see test_powers */
            const gn_program *program = program_of(op, operand_type, info->arity, cases[k]);
            gn_scalar got = evaluate_program(program, NULL, v);
            if (gn__is_float(type) &&
                (op == GN_OP_MIN || op == GN_OP_MAX)) /* of -0 and 0 either may come */
                got.f = got.f == 0 && expected.f == 0 ? expected.f : got.f;
            if (!same_value(result_type(program), got, expected))
                ck_abort_msg("%s of type %d, case %zu: %.17g (%lld), %.17g (%lld)", info->name,
                             type, k, v[0].f, (long long)v[0].i, v[1].f, (long long)v[1].i);
        }
    }
}

START_TEST(test_constants_do_not_change_values) {
    for (int op = GN_OP_ADD; op < GN_OP_SELECT; op++) {
        const gn__op *info = gn__op_info(op);
        for (size_t i = 0; info && i < GN_LENGTH(types); i++)
            if ((info->types >> types[i] & 1) && op != GN_OP_DIGAMMA)
                check_operation(op, types[i]);
    }
}
END_TEST

/* Identities over two operations: the expression, and its value in C. */
#define IDENTITIES(X)                                                                              \
    X("-(-x)", x)                                                                                  \
    X("x + -y", x - y)                                                                             \
    X("-x + y", y - x)                                                                             \
    X("x - -y", x + y)                                                                             \
    X("-x * -y", x *y)                                                                             \
    X("-x / -y", x / y)                                                                            \
    X("-x * 3", -x * 3)                                                                            \
    X("abs(-x)", fabs(x))                                                                          \
    X("abs(abs(x))", fabs(x))                                                                      \
    X("sign(sign(x))", isnan(x) ? x : (x > 0) - (x < 0))                                           \
    X("floor(rint(x))", rint(x))                                                                   \
    X("x == x", !isnan(x))                                                                         \
    X("x != x", isnan(x))                                                                          \
    X("x < x", 0)                                                                                  \
    X("x <= x", !isnan(x))                                                                         \
    X("min(x, x)", x)                                                                              \
    X("min(x, inf)", x)                                                                            \
    X("max(x, -inf)", x)                                                                           \
    X("max(x, inf)", isnan(x) ? x : (double)INFINITY)                                              \
    X("x < y ? x : x", x)                                                                          \
    X("!(x == y)", x != y)                                                                         \
    X("!(x != y)", x == y)                                                                         \
    X("!(x < y)", !(x < y))                                                                        \
    X("!x ? x : y", x == 0 ? x : y)                                                                \
    X("!!x", x != 0)                                                                               \
    X("float(int(bool(x)))", x != 0)                                                               \
    X("x - x", x - x)                                                                              \
    X("x + 0", x + 0)                                                                              \
    X("0 - x", 0 - x)                                                                              \
    X("-0.0 - x", -0.0 - x)                                                                        \
    X("0 * x", 0 * x)                                                                              \
    X("x / 4", x / 4)                                                                              \
    X("x / 3", x / 3)                                                                              \
    X("x // 1", floor(x))                                                                          \
    X("x ** 1", x)                                                                                 \
    X("x ** 0", 1)

START_TEST(test_identities_hold_for_all_values) {
    static const char *const texts[] = {
#define X(text, value) text,
        IDENTITIES(X)
#undef X
    };
    for (size_t t = 0; t < GN_LENGTH(texts); t++) {
        gn__expr *e = parsed(texts[t], "x, y", "");
        for (size_t i = 0; i < GN_LENGTH(specials) * GN_LENGTH(specials); i++) {
            const double x = specials[i % GN_LENGTH(specials)],
                         y = specials[i / GN_LENGTH(specials)];
            const double expected[] = {
#define X(text, value) value,
                IDENTITIES(X)
#undef X
            };
            gn_scalar got = {.f = evaluate_f64(e, (const double[]){x, y}, NULL)};
            if (!same_value(GN_F64, got, (gn_scalar){.f = expected[t]}))
                ck_abort_msg("%s: x %g, y %g: %g, not %g", texts[t], x, y, got.f, expected[t]);
        }
    }
}
END_TEST

/* What remains of an expression over x and y of one dtype. */
START_TEST(test_simplified_programs) {
    static const struct {
        const char *text;
        int dtype;
        const char *opcodes;
    } cases[] = {
        {"x * 1", GN_F32, "load store"},
        {"1 * x", GN_F32, "load store"},
        {"x / 1", GN_F32, "load store"},
        {"x - 0", GN_F32, "load store"},
        {"x + 0", GN_F32, "const load add store"}, /* -0 + 0 is 0 */
        {"x + 0", GN_I32, "load store"},
        {"x * 0", GN_F32, "const load mul store"}, /* inf * 0 is NaN */
        {"x * 0", GN_I32, "const store"},
        {"0 - x", GN_F32, "const load sub store"}, /* 0 - 0 is 0, and -0 is not */
        {"0 - x", GN_I32, "load neg store"},
        {"x - x", GN_F32, "load sub store"},
        {"x - x", GN_I64, "const store"},
        {"-1 * x", GN_F32, "load neg store"},
        {"x / 8", GN_F32, "const load mul store"},
        {"x / 4.9406564584124654e-324", GN_F64, "const load div store"}, /* 1 / 2^-1074 is inf */
        {"x / 10", GN_F32, "const load div store"},
        {"-(-x)", GN_F32, "load store"},
        {"x ** 2", GN_F32, "load mul store"},
        {"x ** 2", GN_I64, "load mul store"},
        {"x ** 3", GN_F32, "load mul mul store"},
        {"x ** 0.5", GN_F32, "load sqrt store"},
        {"x ** -0.5", GN_F64, "load rsqrt store"},
        {"x ** -1", GN_F32, "const load div store"},
        {"x ** -2", GN_F32, "const load mul div store"},
        {"x ** 1", GN_F32, "load store"},
        {"x ** 0", GN_F32, "const store"},
        {"x ** 1.5", GN_F32, "const load pow store"},
        {"2 ** 3 + x * 0.5 * 2", GN_F32, "const const const load mul mul add store"},
        {"select(2 < 3, x, y)", GN_F32, "load store"},
        {"x == 1 ? y : y", GN_F32, "load store"},
        {"!(x == y)", GN_F32, "load load ne store"},
        {"!(x < y)", GN_F32, "load load lt not store"},
        {"isnan(x)", GN_I32, "const store"},
        {"floor(x)", GN_I32, "load store"},
        {"abs(x)", GN_U8, "load store"},
        {"abs(-x)", GN_I64, "load abs store"},
        {"x + x * y + x * y", GN_F32, "load load mul add add store"},
        {"y * x + x * y", GN_F32, "load load mul add store"},
        {"x + x", GN_BOOL, "load store"},
        {"y ? 1 < 2 : 2 < 1", GN_BOOL, "load store"},
        {"y ? 2 < 1 : 1 < 2", GN_BOOL, "load not store"},
        {"y ? x : 1 < 2", GN_BOOL, "const load load select store"},
        {"x * y", GN_BOOL, "load load and store"},
        {"max(x, y)", GN_BOOL, "load load or store"},
        {"x & 0", GN_I32, "const store"},
        {"x | 0", GN_I32, "load store"},
        {"x ^ x", GN_I32, "const store"},
        {"x & -1", GN_U8, "load store"},
        {"x << 0", GN_U8, "load store"},
        {"float(int(x))", GN_I32, "load cast store"},
        {"float(bool(x))", GN_F32, "load cast cast store"},
        {"x", GN_F16, "load store"},
    };
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        gn__expr *e = parsed(cases[i].text, "x, y", "");
        gn__signature s = signature_of(e, cases[i].dtype);
        const gn_program *program = gn__expr_program(e, &s);
        ck_assert_msg(program != NULL, "%s: %s", cases[i].text, gn_error());
        ck_assert_msg(strcmp(opcodes_of(program), cases[i].opcodes) == 0, "%s: %s, not %s",
                      cases[i].text, opcodes_of(program), cases[i].opcodes);
    }
}
END_TEST

/* Powers by products and roots: within pow's bound, and pow's own value where that is special. */
START_TEST(test_powers) {
    static const double exponents[] = {2, 3, 0.5, -0.5, -1, -2};
    static const double bases[] = {1e-3, 0.7, 1, 1.3, 2, 40, 1e10};
    for (size_t i = 0; i < GN_LENGTH(exponents); i++)
        for (size_t k = 0; k < GN_LENGTH(bases); k++) {
            gn_scalar v[3] = {{.f = bases[k]}, {.f = exponents[i]}, {0}};
            const gn_scalar *const given[3] = {0, &v[1]};
            const gn_program *program =
                program_of(GN_OP_POW, (const int[]){GN_F64, GN_F64, GN_F64}, 2, given);
            double got = evaluate_program(program, NULL, v).f, exact = pow(bases[k], exponents[i]);
            ck_assert_double_le(fabs(got - exact), 4 * 0x1p-52 * fabs(exact));
            ck_assert_ptr_null(strstr(opcodes_of(program), "pow"));
        }
}
END_TEST

/* ---- Constants and casts */

static const gn_program *finish_with(gn__builder *b, int value) {
    gn__store(b, gn__build_operand(b, GN_WRITE, storable(gn__type_of(b, value))), value);
    const gn_program *program = gn__builder_finish(b);
    ck_assert_msg(program != NULL, "%s", gn_error());
    return program;
}

START_TEST(test_constants_are_normal) {
    gn__builder *b = gn__builder_new("test", 0);
    ck_assert_int_eq(gn__const_i(b, GN_U8, 300), gn__const_i(b, GN_U8, 44));
    ck_assert_int_eq(gn__const_i(b, GN_I8, 200), gn__const(b, GN_I8, -56));
    ck_assert_int_eq(gn__const_i(b, GN_BOOL, 5), gn__const_i(b, GN_BOOL, 1));
    ck_assert_int_eq(gn__const_f(b, GN_F32, 0.1), gn__const_f(b, GN_F32, (double)0.1f));
    ck_assert_int_ne(gn__const_f(b, GN_F64, 0.1), gn__const_f(b, GN_F64, (double)0.1f));
    ck_assert_int_ne(gn__const_f(b, GN_F64, 0.0), gn__const_f(b, GN_F64, -0.0));
    ck_assert_int_eq(gn__const_f(b, GN_F32, (double)NAN), gn__const_f(b, GN_F32, -(double)NAN));
    ck_assert_int_ne(gn__const_i(b, GN_I32, 1), gn__const_i(b, GN_I64, 1));
    int value = gn__cast(b, GN_U8, gn__const_f(b, GN_F32, 7.9));
    ck_assert_int_eq(value, gn__const_i(b, GN_U8, 7));
    ck_assert_str_eq(opcodes_of(finish_with(b, value)), "const store");
}
END_TEST

/* Casts of constants agree with casts of parameters; chains are cut where nothing is lost. */
START_TEST(test_casts) {
    for (size_t from = 0; from < GN_LENGTH(types); from++)
        for (size_t to = 0; to < GN_LENGTH(types); to++)
            for (size_t i = 0; i < GN_LENGTH(specials); i++) {
                gn_scalar v = special(types[from], i);
                if (gn__is_float(types[from]) && !gn__is_float(types[to]) && !(fabs(v.f) < 127))
                    continue; /* out of range is the device's */
                if (gn__is_float(types[from]) && v.f < 0 && types[to] != GN_BOOL)
                    continue;
                gn__builder *b = gn__builder_new("test", 0);
                gn__build_param(b);
                const gn_program *plain =
                    finish_with(b, gn__cast(b, types[to], gn__param(b, types[from], 0)));
                b = gn__builder_new("test", 0);
                gn__build_param(b);
                const gn_program *folded =
                    finish_with(b, gn__cast(b, types[to], constant(b, types[from], v)));
                ck_assert(same_value(result_type(plain), evaluate_program(plain, NULL, &v),
                                     evaluate_program(folded, NULL, &v)));
            }
}
END_TEST

START_TEST(test_cast_chains) {
    static const struct {
        int from, over, to, casts;
    } cases[] = {
        {GN_F32, GN_F64, GN_F32, 0},  {GN_I32, GN_F64, GN_I32, 0}, {GN_BOOL, GN_I32, GN_F32, 1},
        {GN_I8, GN_I32, GN_I64, 1},   {GN_I64, GN_F64, GN_I64, 2}, {GN_I32, GN_F32, GN_F64, 2},
        {GN_F32, GN_BOOL, GN_F32, 2}, {GN_U8, GN_I8, GN_I32, 2},   {GN_U8, GN_I16, GN_U8, 0},
        {GN_F32, GN_F32, GN_F32, 0},
    };
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        gn__builder *b = gn__builder_new("test", 0);
        int in = gn__build_operand(b, GN_READ, cases[i].from);
        int value = gn__cast(b, cases[i].to, gn__cast(b, cases[i].over, gn__load(b, in)));
        int casts = 0;
        for (const char *c = opcodes_of(finish_with(b, value)); (c = strstr(c, "cast")); c++)
            casts++;
        ck_assert_msg(casts == cases[i].casts, "case %zu: %d casts", i, casts);
    }
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_constants_do_not_change_values,
                            test_identities_hold_for_all_values,
                            test_simplified_programs,
                            test_powers,
                            test_constants_are_normal,
                            test_casts,
                            test_cast_chains,
                            NULL};
    return suite_run("simplify", tests);
}
