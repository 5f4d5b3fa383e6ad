/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/program/derive.c and of the derivatives in the table of opcodes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/opcodes.h"
#include "tests/program/evaluate.h"
#include "tests/suite.h"

/* ---- Derived against differences */

static double at(gn__expr *e, const double *values, int k, double x) {
    double moved[GN__MAX_VARIABLES];
    memcpy(moved, values, sizeof moved);
    moved[k] = x;
    return evaluate_f64(e, moved, NULL);
}

/* df/dx_k by differences of fourth order. False where they do not settle: at a jump or a kink. */
static bool difference(gn__expr *e, const double *values, int k, double *out) {
    double by_step[2], x = values[k];
    for (int i = 0; i < 2; i++) {
        double h = (i ? 0.7e-3 : 1e-3) * fmax(1, fabs(x));
        by_step[i] = (8 * (at(e, values, k, x + h) - at(e, values, k, x - h)) -
                      (at(e, values, k, x + 2 * h) - at(e, values, k, x - 2 * h))) /
                     (12 * h);
    }
    *out = by_step[1];
    return fabs(by_step[0] - by_step[1]) <= 1e-8 * fmax(1, fabs(by_step[0]));
}

/* Checks e's gradients at a point, and theirs in turn, `depth` times. Returns their number. */
static int check_gradients(gn__expr *e, const double *values, int depth) {
    const int n = gn__expr_n_variables(e);
    int compared = 0;
    for (int k = 0; k < n; k++) {
        double all[GN__MAX_VARIABLES] = {0}, expected;
        gn__expr *gradient = gn__expr_gradient(e, k);
        ck_assert_int_eq(gn_error_status(), GN_OK);
        if (!difference(e, values, k, &expected))
            continue;
        memcpy(all, values, (size_t)n * sizeof *all);
        all[n] = evaluate_f64(e, values, NULL); /* y */
        all[n + 1] = 0.7;                       /* g */
        double got = gradient ? evaluate_f64(gradient, all, NULL) : 0;
        ck_assert_msg(fabs(got - 0.7 * expected) <= 1e-7 * fmax(1, fabs(expected)),
                      "%s, variable %d at %g, %g: %.12g, not %.12g", gn__expr_name(e), k, values[0],
                      n > 1 ? values[1] : 0, got, 0.7 * expected);
        compared++;
        if (depth > 1 && gradient)
            compared += check_gradients(gradient, all, depth - 1);
    }
    return compared;
}

/* Where an operation is checked: x from..to, y and z likewise. */
static const struct {
    int op;
    double x[2], y[2];
} domains[] = {
    {GN_OP_ADD, {-2, 2}, {-2, 2}},    {GN_OP_SUB, {-2, 2}, {-2, 2}},
    {GN_OP_MUL, {-2, 2}, {-2, 2}},    {GN_OP_DIV, {-2, 2}, {0.5, 2}},
    {GN_OP_FMOD, {-5, 5}, {1, 2}},    {GN_OP_REMAINDER, {-5, 5}, {-2, -1}},
    {GN_OP_POW, {0.2, 3}, {-2, 3}},   {GN_OP_MIN, {-2, 2}, {-2, 2}},
    {GN_OP_MAX, {-2, 2}, {-2, 2}},    {GN_OP_ATAN2, {-2, 2}, {-2, 2}},
    {GN_OP_NEG, {-2, 2}, {0}},        {GN_OP_ABS, {-2, 2}, {0}},
    {GN_OP_SQRT, {0.1, 3}, {0}},      {GN_OP_RSQRT, {0.2, 3}, {0}},
    {GN_OP_EXP, {-2, 2}, {0}},        {GN_OP_EXP2, {-2, 2}, {0}},
    {GN_OP_EXPM1, {-2, 2}, {0}},      {GN_OP_LOG, {0.2, 3}, {0}},
    {GN_OP_LOG2, {0.2, 3}, {0}},      {GN_OP_LOG10, {0.2, 3}, {0}},
    {GN_OP_LOG1P, {-0.8, 3}, {0}},    {GN_OP_SIN, {-4, 4}, {0}},
    {GN_OP_COS, {-4, 4}, {0}},        {GN_OP_TAN, {-1, 1}, {0}},
    {GN_OP_ASIN, {-0.8, 0.8}, {0}},   {GN_OP_ACOS, {-0.8, 0.8}, {0}},
    {GN_OP_ATAN, {-3, 3}, {0}},       {GN_OP_SINH, {-2, 2}, {0}},
    {GN_OP_COSH, {-2, 2}, {0}},       {GN_OP_TANH, {-2, 2}, {0}},
    {GN_OP_ASINH, {-2, 2}, {0}},      {GN_OP_ACOSH, {1.2, 3}, {0}},
    {GN_OP_ATANH, {-0.8, 0.8}, {0}},  {GN_OP_ERF, {-2, 2}, {0}},
    {GN_OP_ERFC, {-2, 2}, {0}},       {GN_OP_LGAMMA, {0.3, 4}, {0}},
    {GN_OP_SELECT, {-2, 2}, {-2, 2}}, {GN__OP_TRUEDIV, {-2, 2}, {0.5, 2}},
    {GN__OP_SIGMOID, {-3, 3}, {0}},   {GN__OP_SOFTPLUS, {-3, 3}, {0}},
    {GN__OP_FLOAT, {-2, 2}, {0}},
};

static gn__expr *call_of(int op) {
    char text[64];
    const gn__op *info = gn__op_info(op);
    if (op == GN__OP_TRUEDIV)
        return parsed("x / y", "x, y", "");
    if (op == GN_OP_SELECT)
        return parsed("select(x < y, x * y, x - y)", "x, y", "");
    snprintf(text, sizeof text, "%s(x%s)", info->name, info->arity > 1 ? ", y" : "");
    return parsed(text, info->arity > 1 ? "x, y" : "x", "");
}

START_TEST(test_every_operation) {
    enum { POINTS = 23 };
    for (size_t i = 0; i < GN_LENGTH(domains); i++) {
        gn__expr *e = call_of(domains[i].op);
        int compared = 0, depth = domains[i].op == GN_OP_LGAMMA ? 1 : 2;
        for (int k = 0; k < POINTS; k++) {
            double s = (k + 0.31) / POINTS, t = fmod(s * 7, 1);
            double values[GN__MAX_VARIABLES] = {
                domains[i].x[0] + s * (domains[i].x[1] - domains[i].x[0]),
                domains[i].y[0] + t * (domains[i].y[1] - domains[i].y[0])};
            compared += check_gradients(e, values, depth);
        }
        ck_assert_msg(compared >= POINTS * 2 / 3, "%s: %d compared",
                      gn__op_info(domains[i].op)->name, compared);
    }
}
END_TEST

/* The list above has every operation that has a derivative; the others have none. */
START_TEST(test_no_operation_is_forgotten) {
    for (int op = 0; op < GN__N_OPS; op++) {
        const gn__op *info = gn__op_info(op);
        bool derivable = false, checked = false;
        for (int slot = 0; info && slot < 3; slot++)
            derivable |= info->derivative[slot] != NULL;
        for (size_t i = 0; i < GN_LENGTH(domains); i++)
            checked |= domains[i].op == op;
        if (op != GN_OP_DIGAMMA)
            ck_assert_msg(checked == derivable, "%s", info ? info->name : "no row");
    }
    static const char *const flat[] = {"floor(x)",      "ceil(x)",      "trunc(x)", "rint(x)",
                                       "sign(x)",       "x // 2",       "x < 1",    "x == y",
                                       "isnan(x)",      "!x",           "x && y",   "int(x)",
                                       "bool(x)",       "2 * floor(x)", "y",        "x < y ? 1 : 2",
                                       "float(int(x))", "x ** 0",       "1"};
    for (size_t i = 0; i < GN_LENGTH(flat); i++) {
        ck_assert_ptr_null(gn__expr_gradient(parsed(flat[i], "x, y", ""), 0));
        ck_assert_int_eq(gn_error_status(), GN_OK);
    }
}
END_TEST

/* ---- Random expressions */

static uint64_t state;
static int choose(int n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int)((state >> 33) % (uint64_t)n);
}

/* Smooth nearly everywhere, and not large. */
static void random_text(char *out, size_t size, int depth) {
    static const char *const leaves[] = {"x", "y", "0.3", "x", "y", "1"};
    static const char *const forms[] = {
        "(%s + %s)",
        "(%s - %s)",
        "(%s * %s)",
        "(%s / (1.5 + tanh(%s)))",
        "max(%s, %s)",
        "min(%s, %s)",
        "(%s < %s ? x : y * y)",
        "atan2(%s, 2 + sigmoid(%s))",
        "tanh(%s * %s)",
        "sin(%s + %s)",
        "exp(-abs(%s - %s))",
        "log(1.5 + sin(%s * %s))",
        "sqrt(1.2 + cos(%s) * %s * 0.1)",
        "softplus(%s - %s)",
        "erf(%s) * cosh(0.1 * sin(%s))",
        "(1.5 + sin(%s)) ** cos(%s)",
        "asinh(%s) - atan(%s)",
        "-(%s) ** 2 * rsqrt(2 + cos(%s))",
    };
    if (depth == 0) {
        snprintf(out, size, "%s", leaves[choose(GN_LENGTH(leaves))]);
        return;
    }
    char a[1024], b[1024];
    random_text(a, sizeof a, depth - 1 - choose(2) * (depth > 1));
    random_text(b, sizeof b, depth - 1 - choose(2) * (depth > 1));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, size, forms[choose(GN_LENGTH(forms))], a, b);
#pragma GCC diagnostic pop
}

START_TEST(test_random_expressions) {
    int compared = 0;
    state = 20;
    for (int n = 0; n < 100; n++) {
        char text[4096];
        random_text(text, sizeof text, 1 + n % 4);
        gn__expr *e = gn__expr_parse(text, text, "x, y", "");
        ck_assert_msg(e != NULL, "%s: %s", text, gn_error());
        for (int k = 0; k < 4; k++) {
            double values[GN__MAX_VARIABLES] = {choose(1000) * 4e-3 - 2, choose(1000) * 4e-3 - 2};
            compared += check_gradients(e, values, n % 4 < 2 ? 3 : 2);
        }
    }
    ck_assert_int_gt(compared, 3000);
}
END_TEST

/* ---- Conventions where the derivative is not unique, and special values, as PyTorch has them */

START_TEST(test_conventions) {
    const double nan_ = (double)NAN, inf = (double)INFINITY;
    const struct {
        const char *text;
        int variable;
        double x, y, expected;
    } cases[] = {
        {"max(x, y)", 0, 1, 1, 0.5},
        {"max(x, y)", 1, 1, 1, 0.5},
        {"min(x, y)", 0, 1, 1, 0.5},
        {"max(x, y)", 0, 2, 1, 1},
        {"max(x, y)", 1, 2, 1, 0},
        {"min(x, y)", 0, 2, 1, 0},
        {"min(x, y)", 1, 2, 1, 1},
        {"max(x, y)", 0, nan_, 1, 1},
        {"max(x, y)", 1, nan_, 1, 1},
        {"abs(x)", 0, 0, 0, 0},
        {"abs(x)", 0, -3, 0, -1},
        {"x ** y", 0, 0, 0, 0},
        {"x ** y", 0, 2, 0, 0},
        {"x ** y", 0, 0, 2, 0},
        {"x ** y", 0, -2, 3, 12},
        {"x ** y", 0, 3, -1, -1 / 9.},
        {"x ** y", 1, 0, 0, 0},
        {"x ** y", 1, 0, 2, 0},
        {"x ** y", 1, 2, 0, 0.69314718055994530942},
        {"x ** y", 1, -2, 3, nan_},
        {"x > 0 ? x : 0.1 * x", 0, 0, 0, 0.1},
        {"x > 0 ? sqrt(x) : 0", 0, 0, 0, 0}, /* the branch not taken has no effect */
        {"x > 0 ? log(x) : y", 0, -1, 0, 0},
        {"x > 0 ? log(x) : y", 1, -1, 0, 1},
        {"digamma(x) > 0 ? x : y", 0, 5, 0, 1}, /* nor has what a condition computes */
        {"sigmoid(x)", 0, 800, 0, 0},
        {"sigmoid(x)", 0, -800, 0, 0},
        {"1 + sigmoid(x)", 0, -800, 0, 0},
        {"softplus(x)", 0, 800, 0, 1},
        {"softplus(x)", 0, -800, 0, 0},
        {"log_sigmoid(x)", 0, -800, 0, 1},
        {"log_sigmoid(x)", 0, 800, 0, 0},
        {"tanh(x)", 0, 800, 0, 0},
        {"2 * tanh(x)", 0, -inf, 0, 0},
        {"sqrt(x)", 0, 0, 0, inf},
    };
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        gn__expr *e = parsed(cases[i].text, "x, y", "");
        gn__expr *gradient = gn__expr_gradient(e, cases[i].variable);
        ck_assert_msg(gradient != NULL, "%s: %s", cases[i].text, gn_error());
        double values[GN__MAX_VARIABLES] = {cases[i].x, cases[i].y};
        values[2] = evaluate_f64(e, values, NULL);
        values[3] = 1;
        gn_scalar got = {.f = evaluate_f64(gradient, values, NULL)};
        ck_assert_msg((isnan(got.f) && isnan(cases[i].expected)) ||
                          fabs(got.f - cases[i].expected) < 1e-15 || got.f == cases[i].expected,
                      "%s at %g, %g: %g, not %g", cases[i].text, cases[i].x, cases[i].y, got.f,
                      cases[i].expected);
    }
}
END_TEST

/* ---- What the derived programs look like: they use y where that saves work, and no zeros */

START_TEST(test_shape_of_gradients) {
    static const struct {
        const char *text;
        int variable;
        const char *operands; /* of x, y, the result r and its gradient g */
        const char *opcodes;
    } cases[] = {
        {"x + y", 0, "g", "load store"},
        {"x - y", 1, "g", "load neg store"},
        {"x * y", 0, "yg", "load load mul store"},
        {"x / y", 0, "yg", "load load div store"},
        {"x / y", 1, "yrg", "load neg load load div mul store"},
        {"exp(x)", 0, "rg", "load load mul store"},
        {"sqrt(x)", 0, "rg", "const load mul load div store"},
        {"tanh(x)", 0, "rg", "const load mul sub load mul store"},
        {"sigmoid(x)", 0, "rg", "const load load mul sub mul store"},
        {"softplus(x)", 0, "xg", "const load neg exp add div load mul store"},
        {"x ** 2", 0, "xg", "const load mul load mul store"},
        {"x ** 3", 0, "xg", "const load mul mul load mul store"},
        {"x > 0 ? x : 0.1 * x", 0, "xg", "const const load lt load mul select store"},
        {"x < y ? x : y", 1, "xyg", "const load load lt load select store"},
        {"3 * x + 1", 0, "g", "const load mul store"},
        {"log(x)", 0, "xg", "load load div store"},
    };
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        gn__expr *e = parsed(cases[i].text, "x, y", "");
        gn__expr *gradient = gn__expr_gradient(e, cases[i].variable);
        gn__signature s = signature_of(gradient, GN_F32);
        const gn_program *program = gn__expr_program(gradient, &s);
        ck_assert_msg(program != NULL, "%s: %s", cases[i].text, gn_error());
        int used[GN__MAX_VARIABLES], n = gn__expr_operands(gradient, used);
        char operands[8] = "";
        for (int k = 0; k < n; k++)
            operands[k] = "xyrg"[used[k]];
        ck_assert_msg(strcmp(operands, cases[i].operands) == 0, "%s: %s", cases[i].text, operands);
        ck_assert_msg(strcmp(opcodes_of(program), cases[i].opcodes) == 0, "%s: %s", cases[i].text,
                      opcodes_of(program));
    }
}
END_TEST

START_TEST(test_names_of_gradients) {
    gn__expr *plain = gn__expr_gradient(parsed("x * a", "x", "a"), 0);
    ck_assert_int_eq(gn__expr_n_variables(plain), 3);
    ck_assert_int_eq(gn__expr_n_params(plain), 1);
    ck_assert_int_eq(gn__expr_variable(plain, "x"), 0);
    ck_assert_int_eq(gn__expr_variable(plain, "y"), 1);
    ck_assert_int_eq(gn__expr_variable(plain, "g"), 2);
    ck_assert_str_eq(gn__expr_name(plain), "dtest/dx");
    /* The names of e stay what they were. */
    gn__expr *taken = gn__expr_gradient(parsed("exp(x) + y * g", "x, y", "g"), 1);
    ck_assert_int_eq(gn__expr_variable(taken, "y"), 1);
    ck_assert_int_eq(gn__expr_variable(taken, "y2"), 2);
    ck_assert_int_eq(gn__expr_variable(taken, "g2"), 3);
    gn__expr *twice = gn__expr_gradient(plain, 2);
    ck_assert_int_eq(gn__expr_variable(twice, "y2"), 3);
    ck_assert_int_eq(gn__expr_variable(twice, "g2"), 4);
    ck_assert_ptr_eq(gn__expr_gradient(plain, 2), twice); /* made once */
}
END_TEST

/* ---- Own gradients */

START_TEST(test_own_gradient) {
    gn__expr *relu = parsed("max(x, 0)", "x", "");
    ck_assert_int_eq(gn__expr_set_gradient(relu, 0, "x > 0 ? g : 0"), GN_OK);
    double values[GN__MAX_VARIABLES] = {0, 0, 1};
    ck_assert_double_eq(evaluate_f64(gn__expr_gradient(relu, 0), values, NULL), 0);
    values[0] = 2;
    ck_assert_double_eq(evaluate_f64(gn__expr_gradient(relu, 0), values, NULL), 1);

    gn__expr *scaled = parsed("exp(a * x)", "x", "a");
    ck_assert_int_eq(gn__expr_set_gradient(scaled, 0, "g * a * y"), GN_OK);
    double all[GN__MAX_VARIABLES] = {1, exp(2), 3};
    double got = evaluate_f64(gn__expr_gradient(scaled, 0), all, (const double[]){2});
    ck_assert_double_eq_tol(got, 3 * 2 * exp(2), 1e-12);

    gn__expr *step = parsed("x * 1", "x", "");
    ck_assert_int_eq(gn__expr_set_gradient(step, 0, "0"), GN_OK);
    ck_assert_ptr_null(gn__expr_gradient(step, 0));
    ck_assert_int_eq(gn_error_status(), GN_OK);

    ck_assert_int_eq(gn__expr_set_gradient(step, 0, "g * q"), GN_E_ARGUMENT);
    ck_assert_str_eq(gn_error(), "test: unknown name 'q', at column 5:\n    g * q\n        ^");
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn__expr_gradient(parsed("x + digamma(x)", "x", ""), 0));
    ck_assert_int_eq(gn_error_status(), GN_E_UNSUPPORTED);
    ck_assert_str_eq(gn_error(), "test: digamma has no derivative");
    gn_error_clear();
    gn__expr *e = parsed("x", "x", "");
    ck_assert_ptr_null(gn__expr_gradient(e, 1));
    ck_assert_str_eq(gn_error(), "test: there is no variable 1");
    gn_error_clear();
    gn__expr *wide = parsed("a + b", "a, b, c, d, e, f, g, h, i", "");
    ck_assert_ptr_null(gn__expr_gradient(wide, 0));
    ck_assert_str_eq(gn_error(), "test: a gradient with more than 10 variables");
    gn_error_clear();
    ck_assert_ptr_nonnull(gn__expr_gradient(e, 0));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_every_operation,
                            test_no_operation_is_forgotten,
                            test_random_expressions,
                            test_conventions,
                            test_shape_of_gradients,
                            test_names_of_gradients,
                            test_own_gradient,
                            test_errors,
                            NULL};
    return suite_run("derive", tests);
}
