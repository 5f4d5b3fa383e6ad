/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.c - from the text of an expression to its graph, by recursive descent with a table of the
 * binary operators. The text may come from a user of the library: whatever it holds, the result is
 * a graph or an error that shows the place.
 */
#define _GNU_SOURCE /* strtod_l: a number's point is a point in every locale */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"

enum { MAX_DEPTH = 200 }; /* of nesting: bounds the recursion */

typedef struct parser {
    const char *op, *text, *at;
    gn__graph *graph;
    const gn__binding *bindings;
    int n_bindings, depth;
} parser;

/* ---- Errors */

/* Records the error with the line around `place` and a caret below it. Returns -1. */
static int fail(const parser *p, const char *place, const char *format, ...) GN_PRINTF(3, 4);
static int fail(const parser *p, const char *place, const char *format, ...) {
    enum { BEFORE = 48, AFTER = 24 };
    char what[160], line[BEFORE + AFTER + 16];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);

    size_t column = (size_t)(place - p->text), behind = strnlen(place, AFTER + 1);
    const char *begin = column > BEFORE ? place - BEFORE : p->text;
    const char *left = column > BEFORE ? "..." : "", *right = behind > AFTER ? "..." : "";
    int before = (int)(place - begin), after = behind > AFTER ? AFTER : (int)behind;
    snprintf(line, sizeof line, "%s%.*s%s", left, before + after, begin, right);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    gn_fail(GN_E_ARGUMENT, p->op, "%s, at column %zu:\n    %s\n    %*s", what, column + 1, line,
            (int)strlen(left) + before + 1, "^");
    return -1;
}

/* ---- Characters */

static void skip_space(parser *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
        p->at++;
}

/* Skips the text if it comes next. */
static bool accept(parser *p, const char *text) {
    skip_space(p);
    size_t length = strlen(text);
    if (strncmp(p->at, text, length) != 0)
        return false;
    p->at += length;
    return true;
}

static int unexpected(parser *p, const char *wanted) {
    skip_space(p);
    if (*p->at == 0)
        return fail(p, p->at, "the expression ends where %s is expected", wanted);
    if (*p->at < ' ' || *p->at > '~')
        return fail(p, p->at, "there is a byte 0x%02x where %s is expected", (unsigned char)*p->at,
                    wanted);
    return fail(p, p->at, "there is '%c' where %s is expected", *p->at, wanted);
}

/* ---- Numbers */

static const char *skip_digits(const char *at) {
    while (gn__is_digit(*at))
        at++;
    return at;
}

/* The end of the number at `at`, or NULL if it has none: 12, 0.5, .5, 2., 1e-3. */
static const char *scan_number(const char *at, bool *fraction) {
    const char *end = skip_digits(at);
    bool digits = end > at;
    *fraction = false;
    if (*end == '.') {
        const char *point = end;
        end = skip_digits(point + 1);
        digits |= end > point + 1;
        *fraction = true;
    }
    if (digits && (*end == 'e' || *end == 'E')) {
        const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');
        end = skip_digits(exponent);
        if (end == exponent)
            return NULL;
        *fraction = true;
    }
    return digits && !gn__is_letter(*end) && *end != '.' ? end : NULL;
}

static int parse_number(parser *p) {
    char digits[64];
    bool fraction;
    const char *begin = p->at, *end = scan_number(begin, &fraction);
    if (end == NULL)
        return fail(p, begin, "malformed number");
    if ((size_t)(end - begin) >= sizeof digits)
        return fail(p, begin, "a number of more than %zu characters", sizeof digits - 1);
    memcpy(digits, begin, (size_t)(end - begin));
    digits[end - begin] = 0;
    p->at = end;
    errno = 0;
    if (!fraction) {
        long long integer = strtoll(digits, NULL, 10);
        if (errno == ERANGE)
            return fail(p, begin, "an integer beyond int64: write it with a point");
        return gn__graph_leaf(p->graph, GN_OP_CONST, integer);
    }
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale == (locale_t)0)
        return fail(p, begin, "no memory for the C locale");
    double number = strtod_l(digits, NULL, locale);
    freelocale(locale);
    if (isinf(number))
        return fail(p, begin, "a number beyond float64: write inf if it is meant");
    return gn__graph_fraction(p->graph, number);
}

/* ---- Names and calls */

static int parse_choice(parser *p);

static bool is_name(const char *name, const char *begin, size_t length) {
    return strlen(name) == length && memcmp(name, begin, length) == 0;
}

static int parse_call(parser *p, const char *name, size_t length) {
    int op = gn__op_find(name, length), args[3] = {0, 0, 0}, n = 0;
    bool log_sigmoid = is_name("log_sigmoid", name, length);
    if (op < 0 && !log_sigmoid)
        return fail(p, name, "there is no function '%.*s'", length > 40 ? 40 : (int)length, name);
    int arity = log_sigmoid ? 1 : gn__op_info(op)->arity;
    if (!accept(p, ")")) {
        do {
            int arg = parse_choice(p);
            if (arg < 0)
                return -1;
            if (n < arity)
                args[n] = arg;
            n++;
        } while (accept(p, ","));
        if (!accept(p, ")"))
            return unexpected(p, "',' or ')'");
    }
    if (n != arity)
        return fail(p, name, "%.*s takes %d argument%s, not %d", (int)length, name, arity,
                    arity == 1 ? "" : "s", n);
    if (!log_sigmoid)
        return gn__graph_op(p->graph, op, args[0], args[1], args[2]);
    int minus = gn__graph_op(p->graph, GN_OP_NEG, args[0], 0, 0);
    return gn__graph_op(p->graph, GN_OP_NEG, gn__graph_op(p->graph, GN__OP_SOFTPLUS, minus, 0, 0),
                        0, 0);
}

static int parse_name(parser *p) {
    const char *begin = p->at;
    while (gn__is_letter(*p->at) || gn__is_digit(*p->at))
        p->at++;
    size_t length = (size_t)(p->at - begin);
    if (accept(p, "("))
        return parse_call(p, begin, length);
    for (int i = 0; i < p->n_bindings; i++)
        if (is_name(p->bindings[i].name, begin, length))
            return p->bindings[i].node;
    if (is_name("pi", begin, length))
        return gn__graph_fraction(p->graph, 3.14159265358979323846);
    if (is_name("inf", begin, length))
        return gn__graph_fraction(p->graph, INFINITY);
    if (is_name("nan", begin, length))
        return gn__graph_fraction(p->graph, (double)NAN);
    return fail(p, begin, "unknown name '%.*s'", length > 40 ? 40 : (int)length, begin);
}

/* ---- Operators */

static int parse_primary(parser *p) {
    skip_space(p);
    if (gn__is_digit(*p->at) || *p->at == '.')
        return parse_number(p);
    if (gn__is_letter(*p->at))
        return parse_name(p);
    if (!accept(p, "("))
        return unexpected(p, "an operand");
    int inner = parse_choice(p);
    if (inner >= 0 && !accept(p, ")"))
        return unexpected(p, "an operator or ')'");
    return inner;
}

/* Every recursion passes here. */
static int parse_unary(parser *p) {
    static const struct {
        char text[2];
        uint8_t op;
    } operators[] = {{"-", GN_OP_NEG}, {"!", GN__OP_NEITHER}, {"~", GN_OP_NOT}};
    int result = -1;
    if (p->depth == MAX_DEPTH)
        return fail(p, p->at, "nested deeper than %d levels", MAX_DEPTH);
    p->depth++;
    for (size_t i = 0; i < GN_LENGTH(operators); i++) {
        if (!accept(p, operators[i].text))
            continue;
        result = gn__graph_op(p->graph, operators[i].op, parse_unary(p), 0, 0);
        goto out;
    }
    result = parse_primary(p);
    if (result >= 0 && accept(p, "**")) /* the exponent may have a sign: x ** -1 */
        result = gn__graph_op(p->graph, GN_OP_POW, result, parse_unary(p), 0);
out:
    p->depth--;
    return result;
}

/* Of operators that begin alike the longer one comes first. */
static const struct {
    char text[3];
    uint8_t level, op;
    bool swap; /* a > b is b < a */
} binary_operators[] = {
    {"||", 1, GN__OP_EITHER, false},   {"&&", 2, GN__OP_BOTH, false},
    {"|", 3, GN_OP_OR, false},         {"^", 4, GN_OP_XOR, false},
    {"&", 5, GN_OP_AND, false},        {"==", 6, GN_OP_EQ, false},
    {"!=", 6, GN_OP_NE, false},        {"<<", 8, GN_OP_SHL, false},
    {">>", 8, GN_OP_SHR, false},       {"<=", 7, GN_OP_LE, false},
    {">=", 7, GN_OP_LE, true},         {"<", 7, GN_OP_LT, false},
    {">", 7, GN_OP_LT, true},          {"+", 9, GN_OP_ADD, false},
    {"-", 9, GN_OP_SUB, false},        {"*", 10, GN_OP_MUL, false},
    {"//", 10, GN_OP_FLOORDIV, false}, {"/", 10, GN__OP_TRUEDIV, false},
    {"%", 10, GN_OP_REMAINDER, false},
};

/* The row of the operator that comes next, if its level is `level` or more; it is skipped. */
static int accept_operator(parser *p, int level) {
    skip_space(p);
    for (size_t i = 0; i < GN_LENGTH(binary_operators); i++) {
        const char *text = binary_operators[i].text;
        if (strncmp(p->at, text, strlen(text)) != 0)
            continue;
        if (binary_operators[i].level < level)
            return -1;
        p->at += strlen(text);
        return (int)i;
    }
    return -1;
}

static int parse_binary(parser *p, int level) {
    int left = parse_unary(p);
    for (int i; left >= 0 && (i = accept_operator(p, level)) >= 0;) {
        int right = parse_binary(p, binary_operators[i].level + 1);
        left = binary_operators[i].swap
                   ? gn__graph_op(p->graph, binary_operators[i].op, right, left, 0)
                   : gn__graph_op(p->graph, binary_operators[i].op, left, right, 0);
    }
    return left;
}

static int parse_choice(parser *p) {
    int condition = parse_binary(p, 1);
    if (condition < 0 || !accept(p, "?"))
        return condition;
    p->depth++; /* a ? b : c ? d : e ... recurses here; parse_unary sets the limit */
    int yes = parse_choice(p);
    int no = -1;
    if (yes >= 0)
        no = accept(p, ":") ? parse_choice(p) : unexpected(p, "an operator or ':'");
    p->depth--;
    return gn__graph_op(p->graph, GN_OP_SELECT, condition, yes, no);
}

int gn__parse(gn__graph *graph, const char *op, const char *text, const gn__binding *bindings,
              int n_bindings) {
    parser p = {.op = op,
                .text = text,
                .at = text,
                .graph = graph,
                .bindings = bindings,
                .n_bindings = n_bindings};
    int root = parse_choice(&p);
    skip_space(&p);
    if (root >= 0 && *p.at != 0)
        return unexpected(&p, "an operator or the end");
    return root;
}
