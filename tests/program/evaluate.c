/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.c - see evaluate.h. Written against backend.h, not against libgenesis/program/fold.c. */
#define _GNU_SOURCE
#include "evaluate.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_float(int type) { return type == GN_F32 || type == GN_F64; }

/* ---- Integers, computed in 128 bits */

static int64_t wrap(int type, __int128 value) {
    switch (type) {
    case GN_BOOL: return value != 0;
    case GN_U8: return (uint8_t)value;
    case GN_I8: return (int8_t)value;
    case GN_I16: return (int16_t)value;
    case GN_I32: return (int32_t)value;
    case GN_U32: return (uint32_t)value;
    default: return (int64_t)value;
    }
}

static __int128 floor_divide(__int128 a, __int128 b) {
    __int128 quotient = a / b;
    return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

static __int128 integer_power(int type, __int128 a, __int128 b) {
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    if (b == 0)
        return 1;
    __int128 root = integer_power(type, a, b / 2), square = wrap(type, root * root);
    return b % 2 ? wrap(type, square * a) : square;
}

static __int128 shift(int op, int type, __int128 a, __int128 b) {
    int bits = 8 * (int)gn_dtype_bytes(type);
    bool inside = b >= 0 && b < bits;
    if (op == GN_OP_SHL)
        return inside ? wrap(type, (__int128)((unsigned __int128)a << (int)b)) : 0;
    return a >> (inside ? (int)b : bits - 1);
}

static __int128 integer_arithmetic(int op, int type, __int128 a, __int128 b) {
    switch (op) {
    case GN_OP_ADD: return a + b;
    case GN_OP_SUB: return a - b;
    case GN_OP_MUL: return a * b;
    case GN_OP_DIV: return b == 0 ? 0 : a / b;
    case GN_OP_FLOORDIV: return b == 0 ? 0 : floor_divide(a, b);
    case GN_OP_FMOD: return b == 0 ? 0 : a % b;
    case GN_OP_REMAINDER: return b == 0 ? 0 : a - b * floor_divide(a, b);
    case GN_OP_POW: return integer_power(type, a, b);
    case GN_OP_MIN: return a < b ? a : b;
    case GN_OP_MAX: return a > b ? a : b;
    case GN_OP_NEG: return -a;
    case GN_OP_ABS: return a < 0 ? -a : a;
    case GN_OP_SIGN: return a > 0 ? 1 : a < 0 ? -1 : 0;
    case GN_OP_AND: return a & b;
    case GN_OP_OR: return a | b;
    case GN_OP_XOR: return a ^ b;
    case GN_OP_NOT: return type == GN_BOOL ? !a : ~a;
    case GN_OP_SHL:
    case GN_OP_SHR: return shift(op, type, a, b);
    default: /* floor, ceil, trunc, rint */
        ck_assert_int_ge(op, GN_OP_FLOOR);
        ck_assert_int_le(op, GN_OP_RINT);
        return a;
    }
}

/* ---- Floating point */

/* Recurrence up to 12, then the asymptotic series; reflection for negative arguments. */
static double digamma(double x) {
    double sum = 0;
    if (x < 0)
        return digamma(1 - x) - M_PI / tan(M_PI * x);
    for (; x < 12; x++)
        sum -= 1 / x;
    double r = 1 / (x * x);
    return sum + log(x) - 0.5 / x -
           r * (1. / 12 - r * (1. / 120 - r * (1. / 252 - r * (1. / 240 - r * (1. / 132)))));
}

static double function(int op, double a) {
    static double (*const functions[])(double) = {
        [GN_OP_ABS] = fabs,      [GN_OP_SQRT] = sqrt,       [GN_OP_FLOOR] = floor,
        [GN_OP_CEIL] = ceil,     [GN_OP_TRUNC] = trunc,     [GN_OP_RINT] = rint,
        [GN_OP_EXP] = exp,       [GN_OP_EXP2] = exp2,       [GN_OP_EXPM1] = expm1,
        [GN_OP_LOG] = log,       [GN_OP_LOG2] = log2,       [GN_OP_LOG10] = log10,
        [GN_OP_LOG1P] = log1p,   [GN_OP_SIN] = sin,         [GN_OP_COS] = cos,
        [GN_OP_TAN] = tan,       [GN_OP_ASIN] = asin,       [GN_OP_ACOS] = acos,
        [GN_OP_ATAN] = atan,     [GN_OP_SINH] = sinh,       [GN_OP_COSH] = cosh,
        [GN_OP_TANH] = tanh,     [GN_OP_ASINH] = asinh,     [GN_OP_ACOSH] = acosh,
        [GN_OP_ATANH] = atanh,   [GN_OP_ERF] = erf,         [GN_OP_ERFC] = erfc,
        [GN_OP_LGAMMA] = lgamma, [GN_OP_DIGAMMA] = digamma,
    };
    ck_assert_msg(op < (int)GN_LENGTH(functions) && functions[op], "opcode %d", op);
    return functions[op](a);
}

static double float_remainder(double a, double b) {
    double r = fmod(a, b);
    return r != 0 && signbit(r) != signbit(b) ? r + b : r;
}

static double float_arithmetic(int op, int type, double a, double b) {
    switch (op) {
    case GN_OP_ADD: return a + b;
    case GN_OP_SUB: return a - b;
    case GN_OP_MUL: return a * b;
    case GN_OP_DIV: return a / b;
    case GN_OP_FLOORDIV: return floor(type == GN_F32 ? (double)(float)(a / b) : a / b);
    case GN_OP_FMOD: return fmod(a, b);
    case GN_OP_REMAINDER: return float_remainder(a, b);
    case GN_OP_POW: return pow(a, b);
    case GN_OP_MIN: return isnan(a) || isnan(b) ? (double)NAN : a < b ? a : b;
    case GN_OP_MAX: return isnan(a) || isnan(b) ? (double)NAN : a > b ? a : b;
    case GN_OP_ATAN2: return atan2(a, b);
    case GN_OP_NEG: return -a;
    case GN_OP_SIGN: return isnan(a) ? a : a > 0 ? 1 : a < 0 ? -1 : 0;
    case GN_OP_RSQRT: return 1 / sqrt(a);
    default: return function(op, a);
    }
}

/* ---- One instruction */

static bool compare(int op, int type, gn_scalar a, gn_scalar b) {
    bool f = is_float(type);
    switch (op) {
    case GN_OP_EQ: return f ? a.f == b.f : a.i == b.i;
    case GN_OP_NE: return f ? a.f != b.f : a.i != b.i;
    case GN_OP_LT: return f ? a.f < b.f : a.i < b.i;
    case GN_OP_LE: return f ? a.f <= b.f : a.i <= b.i;
    case GN_OP_ISNAN: return f && isnan(a.f);
    default: return f && isinf(a.f);
    }
}

static gn_scalar convert(int to, int from, gn_scalar v) {
    gn_scalar result = {0};
    if (is_float(to)) {
        result.f = is_float(from) ? v.f : (double)v.i;
        if (to == GN_F32)
            result.f = (float)result.f;
    } else if (is_float(from)) {
        ck_assert(to == GN_BOOL || fabs(v.f) < 0x1p63);
        result.i = to == GN_BOOL ? v.f != 0 : wrap(to, (int64_t)v.f);
    } else {
        result.i = wrap(to, v.i);
    }
    return result;
}

static gn_scalar compute(const gn_program *program, const gn_insn *insn, const gn_scalar *values) {
    const int type = insn->type, from = program->insns[insn->a].type;
    const gn_scalar a = values[insn->a], b = values[insn->b];
    gn_scalar result = {0};
    if (insn->op == GN_OP_CAST)
        return convert(type, from, a);
    if (insn->op == GN_OP_SELECT)
        return a.i ? b : values[insn->c];
    if (insn->op >= GN_OP_EQ && insn->op <= GN_OP_ISINF)
        result.i = compare(insn->op, from, a, b);
    else if (is_float(type))
        result.f = float_arithmetic(insn->op, type, a.f, b.f);
    else
        result.i = wrap(type, integer_arithmetic(insn->op, type, a.i, b.i));
    if (type == GN_F32)
        result.f = (float)result.f;
    return result;
}

gn_scalar evaluate_program(const gn_program *program, const gn_scalar *inputs,
                           const gn_scalar *params) {
    gn_scalar values[GN_MAX_INSNS], stored = {0};
    ck_assert_uint_le(program->n_parts, 2);
    for (uint32_t i = 0; i < program->n_insns; i++) {
        const gn_insn *insn = &program->insns[i];
        switch (insn->op) {
        case GN_OP_LOAD: values[i] = inputs[insn->a]; break;
        case GN_OP_CONST: values[i] = program->constants[insn->a]; break;
        case GN_OP_PARAM:
            values[i] = params[insn->a];
            if (insn->type == GN_F32)
                values[i].f = (float)values[i].f;
            break;
        case GN_OP_REDUCE: values[i] = values[insn->a]; break;
        case GN_OP_STORE: stored = values[insn->b]; break;
        default: values[i] = compute(program, insn, values);
        }
    }
    return stored;
}

/* ---- Helpers */

bool same_value(int type, gn_scalar a, gn_scalar b) {
    if (!is_float(type))
        return a.i == b.i;
    return (isnan(a.f) && isnan(b.f)) || (a.f == b.f && signbit(a.f) == signbit(b.f));
}

gn__expr *parsed(const char *text, const char *variables, const char *params) {
    gn__expr *e = gn__expr_parse("test", text, variables, params);
    ck_assert_msg(e != NULL, "%s: %s", text, gn_error());
    return e;
}

gn__signature signature_of(const gn__expr *e, int dtype) {
    gn__signature s = {.n_variables = gn__expr_n_variables(e)};
    memset(s.dtype, dtype, sizeof s.dtype);
    return s;
}

double evaluate_f64(gn__expr *e, const double *values, const double *params) {
    int used[GN__MAX_VARIABLES], n = gn__expr_operands(e, used);
    gn_scalar inputs[GN__MAX_VARIABLES], given[GN_MAX_PARAMS];
    gn__signature s = signature_of(e, GN_F64);
    s.result = GN_F64;
    s.float_params = true;
    for (int i = 0; i < n; i++)
        inputs[i].f = values[used[i]];
    for (int i = 0; i < gn__expr_n_params(e); i++)
        given[i].f = params[i];
    const gn_program *program = gn__expr_program(e, &s);
    ck_assert_msg(program != NULL, "%s", gn_error());
    return evaluate_program(program, inputs, given).f;
}

const char *opcodes_of(const gn_program *program) {
    static const char *const names[256] = {
#define X(name, value, arity, ulp, meaning) [value] = #name,
        GN_OPCODES(X)
#undef X
    };
    static char text[4096];
    size_t length = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < program->n_insns && length < sizeof text; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", i ? " " : "",
                                   names[program->insns[i].op]);
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return text;
}
