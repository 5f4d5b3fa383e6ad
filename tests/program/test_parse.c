/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/program/parse.c, expr.c and graph.c. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/opcodes.h"
#include "tests/program/evaluate.h"
#include "tests/suite.h"

/* ---- Precedence: the text is C, up to spelling, so C says what it must give */

#define ARITHMETIC(X)                                                                              \
    X("x + y * z", x + y * z)                                                                      \
    X("x * y + z", x *y + z)                                                                       \
    X("x - y - z", x - y - z)                                                                      \
    X("x - (y - z)", x - (y - z))                                                                  \
    X("x / y / z", x / y / z)                                                                      \
    X("x / y * z", x / y * z)                                                                      \
    X("x // y * z", floor(x / y) * z)                                                              \
    X("x % y + z", x - y * floor(x / y) + z)                                                       \
    X("-x * y", -x *y)                                                                             \
    X("- - x - -y", x + y)                                                                         \
    X("-x ** 2", -(x * x))                                                                         \
    X("(-x) ** 2", x *x)                                                                           \
    X("2 ** 3 ** 2", 512)                                                                          \
    X("(2 ** 3) ** 2", 64)                                                                         \
    X("x ** -1", 1 / x)                                                                            \
    X("2 * x ** 2 * 3", 2 * (x * x) * 3)                                                           \
    X("x < y", x < y)                                                                              \
    X("x > y", x > y)                                                                              \
    X("x >= y", x >= y)                                                                            \
    X("x <= y", x <= y)                                                                            \
    X("x + 1 < y * 2", x + 1 < y * 2)                                                              \
    X("x < y == y < z", (x < y) == (y < z))                                                        \
    X("x != y == z", (x != y) == z)                                                                \
    X("x < y && y < z || z < x", (x < y && y < z) || z < x)                                        \
    X("x < y || y < z && z < x", x < y || (y < z && z < x))                                        \
    X("!x + y", !x + y)                                                                            \
    X("!(x + y)", !(x + y))                                                                        \
    X("!x == y", (!x) == y)                                                                        \
    X("x && y", x &&y)                                                                             \
    X("x ? y : z", x != 0 ? y : z)                                                                 \
    X("x < y ? x : y < z ? y : z", x < y ? x : y < z ? y : z)                                      \
    X("x < y ? y < z ? 1 : 2 : 3", x < y ? (y < z ? 1 : 2) : 3)                                    \
    X("x ? y : z + 1", x != 0 ? y : z + 1)                                                         \
    X("x || y ? 1 : 2", x != 0 || y != 0 ? 1 : 2)                                                  \
    X("max(x, y + 1) * min(y, z)", fmax(x, y + 1) * fmin(y, z))                                    \
    X("select(x < y, y, z) + 1", (x < y ? y : z) + 1)                                              \
    X("  x\t+\n y ", x + y)                                                                        \
    X("((((x))))", x)                                                                              \
    X("pow(x, 2)", x *x)                                                                           \
    X("div(x, y)", x / y)                                                                          \
    X("floordiv(x, y)", floor(x / y))                                                              \
    X("sqrt(abs(x))", sqrt(fabs(x)))                                                               \
    X("log_sigmoid(x)", -log1p(exp(-x)))                                                           \
    X("softplus(x)", log1p(exp(x)))                                                                \
    X("sigmoid(x)", 1 / (1 + exp(-x)))                                                             \
    X("isnan(x) + isinf(y / 0)", isnan(x) + isinf(y / 0.0))                                        \
    X("eq(x, y) + ne(x, y) * 2 + lt(x, y) * 4 + le(x, y) * 8",                                     \
      (x == y) + (x != y) * 2 + (x < y) * 4 + (x <= y) * 8)                                        \
    X("nan + x", (double)NAN)                                                                      \
    X("pi + inf * 0.0 * (x < x)", (double)NAN)                                                     \
    X("1.5e1 + .5 + 2. + 1e+1 + 1E-1", 15 + .5 + 2. + 10 + .1)

static bool near(double a, double b) {
    return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= 1e-14 * fmax(fabs(a), fabs(b));
}

START_TEST(test_precedence) {
    static const char *const texts[] = {
#define X(text, value) text,
        ARITHMETIC(X)
#undef X
    };
    static const double points[][3] = {
        {1, 2, 3}, {3, 2, 1}, {2, 2, 2}, {-1.5, 0, 0.25}, {0, 1, -1}};
    for (size_t t = 0; t < GN_LENGTH(texts); t++) {
        gn__expr *e = parsed(texts[t], "x, y, z", NULL);
        for (size_t i = 0; i < GN_LENGTH(points); i++) {
            const double x = points[i][0], y = points[i][1], z = points[i][2];
            const double expected[] = {
#define X(text, value) value,
                ARITHMETIC(X)
#undef X
            };
            double got = evaluate_f64(e, points[i], NULL);
            ck_assert_msg(near(got, expected[t]), "%s at %g, %g, %g: %.17g, not %.17g", texts[t], x,
                          y, z, got, expected[t]);
        }
    }
}
END_TEST

#define INTEGERS(X)                                                                                \
    X("x | y ^ z & x", x | (y ^ (z & x)))                                                          \
    X("x & y | z", (x & y) | z)                                                                    \
    X("x & y == z", x &(y == z))                                                                   \
    X("x ^ y | z ^ x", (x ^ y) | (z ^ x))                                                          \
    X("x << 2 + 1", x << 3)                                                                        \
    X("x << 2 >> 1", (x << 2) >> 1)                                                                \
    X("x >> 1 < y", (x >> 1) < y)                                                                  \
    X("x & y && z", (x & y) && z)                                                                  \
    X("~x & y", ~x &y)                                                                             \
    X("~-x", ~-x)                                                                                  \
    X("-~x", -~x)                                                                                  \
    X("9223372036854775807 - x", INT64_MAX - x)                                                    \
    X("div(-x, 2) + x // 2 * 100", -x / 2 + x / 2 * 100)                                           \
    X("fmod(-x, 3) + -x % 3 * 100", -x % 3 + (3 - x % 3) % 3 * 100)                                \
    X("and(x, y) + or(x, y) * 2 + xor(x, y) * 3 + not(x)",                                         \
      (x & y) + (x | y) * 2 + (x ^ y) * 3 + ~x)                                                    \
    X("shl(x, 1) + shr(x, 1)", (x << 1) + (x >> 1))

START_TEST(test_integer_precedence) {
    static const char *const texts[] = {
#define X(text, value) text,
        INTEGERS(X)
#undef X
    };
    for (size_t t = 0; t < GN_LENGTH(texts); t++) {
        const int64_t x = 11, y = 6, z = 13;
        const int64_t expected[] = {
#define X(text, value) value,
            INTEGERS(X)
#undef X
        };
        gn__expr *e = parsed(texts[t], "x, y, z", "");
        gn__signature s = signature_of(e, GN_I64);
        int used[GN__MAX_VARIABLES], n = gn__expr_operands(e, used);
        gn_scalar inputs[GN__MAX_VARIABLES];
        for (int i = 0; i < n; i++)
            inputs[i].i = (const int64_t[]){x, y, z}[used[i]];
        const gn_program *program = gn__expr_program(e, &s);
        ck_assert_msg(program != NULL, "%s: %s", texts[t], gn_error());
        ck_assert_msg(evaluate_program(program, inputs, NULL).i == expected[t],
                      "%s: %lld, not %lld", texts[t],
                      (long long)evaluate_program(program, inputs, NULL).i, (long long)expected[t]);
    }
}
END_TEST

START_TEST(test_every_function) {
    for (int op = 0; op < GN__N_OPS; op++) {
        const gn__op *info = gn__op_info(op);
        char text[64];
        if (info == NULL || info->internal)
            continue;
        snprintf(text, sizeof text, "%s(x%s%s)", info->name, info->arity > 1 ? ", y" : "",
                 info->arity > 2 ? ", z" : "");
        parsed(text, "x, y, z", "");
    }
}
END_TEST

/* ---- Numbers */

START_TEST(test_numbers_are_exact) {
    static const char *const texts[] = {"0.1",
                                        "0.044715",
                                        "1e22",
                                        "1.7976931348623157e308",
                                        "4.9406564584124654e-324",
                                        "3.14159265358979323846264338",
                                        "0.30000000000000004"};
    const char *const locales[] = {"C", "de_DE.UTF-8"}; /* where strtod wants a comma */
    for (size_t k = 0; k < GN_LENGTH(locales); k++) {
        setlocale(LC_ALL, "C");
        double expected[GN_LENGTH(texts)];
        for (size_t i = 0; i < GN_LENGTH(texts); i++)
            expected[i] = strtod(texts[i], NULL);
        if (setlocale(LC_ALL, locales[k]) == NULL)
            continue;
        for (size_t i = 0; i < GN_LENGTH(texts); i++)
            ck_assert_double_eq(evaluate_f64(parsed(texts[i], "", ""), NULL, NULL), expected[i]);
    }
    setlocale(LC_ALL, "C");
}
END_TEST

/* ---- Errors: the message, and the place of its caret */

static const struct {
    const char *text, *message;
} errors[] = {
    {"", "the expression ends where an operand is expected, at column 1:\n    \n    ^"},
    {"x +", "the expression ends where an operand is expected, at column 4:\n    x +\n       ^"},
    {"x + * y", "there is '*' where an operand is expected, at column 5:\n    x + * y\n        ^"},
    {"x y",
     "there is 'y' where an operator or the end is expected, at column 3:\n    x y\n      ^"},
    {"(x",
     "the expression ends where an operator or ')' is expected, at column 3:\n    (x\n      ^"},
    {"x)", "there is ')' where an operator or the end is expected, at column 2:\n    x)\n     ^"},
    {"()", "there is ')' where an operand is expected, at column 2:\n    ()\n     ^"},
    {"x = y", "there is '=' where an operator or the end is expected, at column 3:\n"
              "    x = y\n      ^"},
    {"2 * foo", "unknown name 'foo', at column 5:\n    2 * foo\n        ^"},
    {"foo(x)", "there is no function 'foo', at column 1:\n    foo(x)\n    ^"},
    {"load(x)", "there is no function 'load', at column 1:\n    load(x)\n    ^"},
    {"x(y)", "there is no function 'x', at column 1:\n    x(y)\n    ^"},
    {"exp", "unknown name 'exp', at column 1:\n    exp\n    ^"},
    {"exp()", "exp takes 1 argument, not 0, at column 1:\n    exp()\n    ^"},
    {"x + pow(x)", "pow takes 2 arguments, not 1, at column 5:\n    x + pow(x)\n        ^"},
    {"exp(x, y)", "exp takes 1 argument, not 2, at column 1:\n    exp(x, y)\n    ^"},
    {"max(x, y, x, y, x)", "max takes 2 arguments, not 5, at column 1:\n"
                           "    max(x, y, x, y, x)\n    ^"},
    {"exp(x",
     "the expression ends where ',' or ')' is expected, at column 6:\n    exp(x\n         ^"},
    {"max(x,)",
     "there is ')' where an operand is expected, at column 7:\n    max(x,)\n          ^"},
    {"x ? y", "the expression ends where an operator or ':' is expected, at column 6:\n"
              "    x ? y\n         ^"},
    {"x ? y x", "there is 'x' where an operator or ':' is expected, at column 7:\n"
                "    x ? y x\n          ^"},
    {"x : y", "there is ':' where an operator or the end is expected, at column 3:\n"
              "    x : y\n      ^"},
    {"1.2.3", "malformed number, at column 1:\n    1.2.3\n    ^"},
    {"1e", "malformed number, at column 1:\n    1e\n    ^"},
    {"1e+", "malformed number, at column 1:\n    1e+\n    ^"},
    {"0x10", "malformed number, at column 1:\n    0x10\n    ^"},
    {"x + 1.5f", "malformed number, at column 5:\n    x + 1.5f\n        ^"},
    {".", "malformed number, at column 1:\n    .\n    ^"},
    {"x.y", "there is '.' where an operator or the end is expected, at column 2:\n"
            "    x.y\n     ^"},
    {"9223372036854775808", "an integer beyond int64: write it with a point, at column 1:\n"
                            "    9223372036854775808\n    ^"},
    {"1e999", "a number beyond float64: write inf if it is meant, at column 1:\n    1e999\n    ^"},
    {"x $ y", "there is '$' where an operator or the end is expected, at column 3:\n"
              "    x $ y\n      ^"},
    {"x + \x01", "there is a byte 0x01 where an operand is expected, at column 5:\n"
                 "    x +  \n        ^"},
    {"\xc3\xa4",
     "there is a byte 0xc3 where an operand is expected, at column 1:\n    \xc3\xa4\n    ^"},
    {"x +\n\ty z", "there is 'z' where an operator or the end is expected, at column 8:\n"
                   "    x +  y z\n           ^"},
    {"x && & y",
     "there is '&' where an operand is expected, at column 6:\n    x && & y\n         ^"},
    {"x ** ** y", "there is '*' where an operand is expected, at column 6:\n"
                  "    x ** ** y\n         ^"},
};

START_TEST(test_messages) {
    for (size_t i = 0; i < GN_LENGTH(errors); i++) {
        ck_assert_ptr_null(gn__expr_parse("f", errors[i].text, "x, y", ""));
        ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
        char expected[512];
        snprintf(expected, sizeof expected, "f: %s", errors[i].message);
        ck_assert_str_eq(gn_error(), expected);
        gn_error_clear();
    }
}
END_TEST

/* Of a long text the error shows the part around the place. */
START_TEST(test_long_line_is_cut) {
    char text[400];
    memset(text, ' ', sizeof text);
    memcpy(text + 200, "x + ? + y", 9);
    text[399] = 0;
    ck_assert_ptr_null(gn__expr_parse("f", text, "x, y", ""));
    const char *expected = "f: there is '?' where an operand is expected, at column 205:\n"
                           "    ...%44sx + ? + y%19s...\n    %52s";
    char message[512];
    snprintf(message, sizeof message, expected, "", "", "^");
    ck_assert_str_eq(gn_error(), message);
}
END_TEST

START_TEST(test_name_lists) {
    static const struct {
        const char *variables, *params, *message;
    } cases[] = {
        {"x,,y", "", "f: ',y' is no list of names"},
        {"x,", "", "f: 'x,' is no list of names"},
        {"x y", "", "f: 'x y' is no list of names"},
        {"1x", "", "f: '1x' is no list of names"},
        {"x, x", "", "f: the name 'x' occurs twice"},
        {"x", "a, x", "f: the name 'x' occurs twice"},
        {"a,b,c,d,e,f,g,h,i,j,k", "", "f: more than 10 names"},
        {"", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "f: more than 16 names"},
    };
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        ck_assert_ptr_null(gn__expr_parse("f", "1", cases[i].variables, cases[i].params));
        ck_assert_str_eq(gn_error(), cases[i].message);
        gn_error_clear();
    }
    gn__expr *e = parsed("b * x2 + a_1 + B", " x2,_y , b", "a_1,B ");
    ck_assert_int_eq(gn__expr_n_variables(e), 3);
    ck_assert_int_eq(gn__expr_n_params(e), 2);
    ck_assert_int_eq(gn__expr_variable(e, "_y"), 1);
    ck_assert_int_eq(gn__expr_variable(e, "a_1"), -1);
    ck_assert(gn__expr_uses(e, 0) && !gn__expr_uses(e, 1) && gn__expr_uses(e, 2));
    int used[GN__MAX_VARIABLES];
    ck_assert_int_eq(gn__expr_operands(e, used), 2);
    ck_assert(used[0] == 0 && used[1] == 2);
    ck_assert_str_eq(gn__expr_name(e), "test");
}
END_TEST

/* ---- Hostile input */

/* `n` times the unit, then the end. */
static char *repeat(const char *unit, size_t n, const char *end) {
    size_t length = strlen(unit);
    char *text = malloc(n * length + strlen(end) + 1);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * length, unit, length);
    strcpy(text + n * length, end);
    return text;
}

START_TEST(test_hostile_texts) {
    static const struct {
        const char *unit;
        size_t n;
        const char *end, *message;
    } cases[] = {
        {"(", 100000, "x", "nested deeper than 200 levels"},
        {"-", 100000, "x", "nested deeper than 200 levels"},
        {"exp(", 100000, "x", "nested deeper than 200 levels"},
        {"x ? x : ", 100000, "x", "nested deeper than 200 levels"},
        {"x ** ", 100000, "x", "nested deeper than 200 levels"},
        {"x + 2 * (", 100000, "x", "nested deeper than 200 levels"},
        {"x, ", 100000, "x", "an operator or the end"},
        {"9", 100000, "", "a number of more than 63 characters"},
        {"x", 100000, "", "unknown name"},
        {"x", 100000, "(x)", "there is no function"},
        {"x * x + ", 100000, "y", "operations"},
    };
    for (size_t i = 0; i < GN_LENGTH(cases); i++) {
        char *text = repeat(cases[i].unit, cases[i].n, cases[i].end);
        gn__expr *e = gn__expr_parse("f", text, "x, y", "");
        ck_assert_ptr_null(e);
        ck_assert_msg(strstr(gn_error(), cases[i].message) != NULL, "%s", gn_error());
        gn_error_clear();
        free(text);
    }
    /* Long, but within bounds. */
    char *spaces = repeat(" ", 1000000, "x");
    ck_assert_ptr_nonnull(gn__expr_parse("f", spaces, "x", ""));
    free(spaces);
    char *open = repeat("(", 150, "x"), *closed = repeat(")", 150, ""), text[512];
    snprintf(text, sizeof text, "%s%s", open, closed);
    ck_assert_ptr_nonnull(gn__expr_parse("f", text, "x", ""));
    free(open);
    free(closed);
}
END_TEST

/* Random text of what expressions are made of gives an expression or an error. */
START_TEST(test_random_texts) {
    static const char *const pieces[] = {"x", "y",  "(", ")", "+",    "-", "*",  "/",   "//", "**",
                                         "?", ":",  "<", ">", "==",   "1", ".5", "1e3", ",",  "exp",
                                         "&", "&&", "|", "!", "max(", "~", " ",  "<<",  "%",  "e"};
    uint64_t state = 1;
    for (int n = 0; n < 20000; n++) {
        char text[256] = "";
        for (int k = 0; k < 12; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            strcat(text, pieces[(state >> 33) % GN_LENGTH(pieces)]);
        }
        if (gn__expr_parse("f", text, "x, y", "") == NULL)
            ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
        gn_error_clear();
    }
}
END_TEST

/* While an error sticks nothing is made. */
START_TEST(test_sticky_error) {
    gn_fail(GN_E_INDEX, "other", "an error before");
    ck_assert_ptr_null(gn__expr_parse("f", "x", "x", ""));
    ck_assert_str_eq(gn_error(), "other: an error before");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_precedence,
                            test_integer_precedence,
                            test_every_function,
                            test_numbers_are_exact,
                            test_messages,
                            test_long_line_is_cut,
                            test_name_lists,
                            test_hostile_texts,
                            test_random_texts,
                            test_sticky_error,
                            NULL};
    return suite_run("parse", tests);
}
