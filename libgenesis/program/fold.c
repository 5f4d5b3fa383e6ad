/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - the value of operations on constants, as backend.h defines it. f32 is computed in double
 * and rounded at the end, which gives the correctly rounded result wherever one is due.
 * What is left to the device: integer division by zero and functions that C has not.
 */
#define _GNU_SOURCE /* lgamma_r */
#include <math.h>

#include "builder.h"

/* ---- Constants in their normal form */

static int bits_of(int type) { return (int)gn_dtype_bytes(type) * 8; }

static bool is_signed(int type) { return type >= GN_I8 && type <= GN_I64; }

int64_t gn__normal_i(int type, int64_t value) {
    if (type == GN_BOOL)
        return value != 0;
    int unused = 64 - bits_of(type);
    uint64_t shifted = (uint64_t)value << unused;
    return is_signed(type) ? (int64_t)shifted >> unused : (int64_t)(shifted >> unused);
}

double gn__normal_f(int type, double value) {
    if (isnan(value))
        return (double)NAN;
    return type == GN_F32 ? (double)(float)value : value;
}

/* ---- Integers: computed modulo 2^64, then wrapped to their type */

static int64_t power_of_integer(int64_t base, int64_t exponent) {
    if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    uint64_t result = 1, square = (uint64_t)base;
    for (; exponent > 0; exponent >>= 1, square *= square)
        if (exponent & 1)
            result *= square;
    return (int64_t)result;
}

/* The division family. */
static bool fold_division(int op, int64_t a, int64_t b, int64_t *out) {
    if (b == 0)
        return false;
    int64_t quotient = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    int64_t rest = b == -1 ? 0 : a % b;
    bool below = rest != 0 && (rest < 0) != (b < 0); /* the quotient was rounded up */
    *out = op == GN_OP_DIV        ? quotient
           : op == GN_OP_FLOORDIV ? quotient - below
           : op == GN_OP_FMOD     ? rest
                                  : rest + (below ? b : 0);
    return true;
}

static int64_t fold_shift(int op, int type, int64_t a, int64_t b) {
    bool inside = b >= 0 && b < bits_of(type);
    if (op == GN_OP_SHL)
        return inside ? (int64_t)((uint64_t)a << b) : 0;
    return a >> (inside ? b : bits_of(type) - 1);
}

static bool fold_integer(int op, int type, int64_t a, int64_t b, int64_t *out) {
    const uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    int64_t r = 0;
    switch (op) {
    case GN_OP_ADD: r = type == GN_BOOL ? a | b : (int64_t)(ua + ub); break;
    case GN_OP_SUB: r = (int64_t)(ua - ub); break;
    case GN_OP_MUL: r = (int64_t)(ua * ub); break;
    case GN_OP_DIV:
    case GN_OP_FLOORDIV:
    case GN_OP_FMOD:
    case GN_OP_REMAINDER:
        if (!fold_division(op, a, b, &r))
            return false;
        break;
    case GN_OP_POW: r = power_of_integer(a, b); break;
    case GN_OP_MIN: r = a < b ? a : b; break;
    case GN_OP_MAX: r = a > b ? a : b; break;
    case GN_OP_NEG: r = (int64_t)(0 - ua); break;
    case GN_OP_ABS: r = a < 0 ? (int64_t)(0 - ua) : a; break;
    case GN_OP_SIGN: r = (a > 0) - (a < 0); break;
    case GN_OP_FLOOR:
    case GN_OP_CEIL:
    case GN_OP_TRUNC:
    case GN_OP_RINT: r = a; break;
    case GN_OP_EQ: r = a == b; break;
    case GN_OP_NE: r = a != b; break;
    case GN_OP_LT: r = a < b; break;
    case GN_OP_LE: r = a <= b; break;
    case GN_OP_ISNAN:
    case GN_OP_ISINF: r = 0; break;
    case GN_OP_AND: r = a & b; break;
    case GN_OP_OR: r = a | b; break;
    case GN_OP_XOR: r = a ^ b; break;
    case GN_OP_NOT: r = type == GN_BOOL ? !a : ~a; break;
    case GN_OP_SHL:
    case GN_OP_SHR: r = fold_shift(op, type, a, b); break;
    default: return false;
    }
    *out = r;
    return true;
}

/* ---- Floating point */

static bool fold_comparison(int op, double a, double b, int64_t *out) {
    switch (op) {
    case GN_OP_EQ: *out = a == b; return true;
    case GN_OP_NE: *out = a != b; return true;
    case GN_OP_LT: *out = a < b; return true;
    case GN_OP_LE: *out = a <= b; return true;
    case GN_OP_ISNAN: *out = isnan(a) != 0; return true;
    case GN_OP_ISINF: *out = isinf(a) != 0; return true;
    default: return false;
    }
}

static double remainder_of(double a, double b) {
    double rest = fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static bool fold_arithmetic(int op, int type, double a, double b, double *out) {
    switch (op) {
    case GN_OP_ADD: *out = a + b; return true;
    case GN_OP_SUB: *out = a - b; return true;
    case GN_OP_MUL: *out = a * b; return true;
    case GN_OP_DIV: *out = a / b; return true;
    case GN_OP_FLOORDIV: *out = floor(gn__normal_f(type, a / b)); return true;
    case GN_OP_FMOD: *out = fmod(a, b); return true;
    case GN_OP_REMAINDER: *out = remainder_of(a, b); return true;
    case GN_OP_POW: *out = pow(a, b); return true;
    case GN_OP_MIN: *out = a != a ? a : a < b || b == INFINITY ? a : b; return true;
    case GN_OP_MAX: *out = a != a ? a : a > b || b == -INFINITY ? a : b; return true;
    case GN_OP_ATAN2: *out = atan2(a, b); return true;
    case GN_OP_NEG: *out = -a; return true;
    case GN_OP_ABS: *out = fabs(a); return true;
    case GN_OP_SIGN: *out = a != a ? a : (a > 0) - (a < 0); return true;
    case GN_OP_SQRT: *out = sqrt(a); return true;
    case GN_OP_RSQRT: *out = 1 / sqrt(a); return true;
    case GN_OP_FLOOR: *out = floor(a); return true;
    case GN_OP_CEIL: *out = ceil(a); return true;
    case GN_OP_TRUNC: *out = trunc(a); return true;
    case GN_OP_RINT: *out = rint(a); return true;
    default: return false;
    }
}

static bool fold_function(int op, double a, double *out) {
    int sign;
    switch (op) {
    case GN_OP_EXP: *out = exp(a); return true;
    case GN_OP_EXP2: *out = exp2(a); return true;
    case GN_OP_EXPM1: *out = expm1(a); return true;
    case GN_OP_LOG: *out = log(a); return true;
    case GN_OP_LOG2: *out = log2(a); return true;
    case GN_OP_LOG10: *out = log10(a); return true;
    case GN_OP_LOG1P: *out = log1p(a); return true;
    case GN_OP_SIN: *out = sin(a); return true;
    case GN_OP_COS: *out = cos(a); return true;
    case GN_OP_TAN: *out = tan(a); return true;
    case GN_OP_ASIN: *out = asin(a); return true;
    case GN_OP_ACOS: *out = acos(a); return true;
    case GN_OP_ATAN: *out = atan(a); return true;
    case GN_OP_SINH: *out = sinh(a); return true;
    case GN_OP_COSH: *out = cosh(a); return true;
    case GN_OP_TANH: *out = tanh(a); return true;
    case GN_OP_ASINH: *out = asinh(a); return true;
    case GN_OP_ACOSH: *out = acosh(a); return true;
    case GN_OP_ATANH: *out = atanh(a); return true;
    case GN_OP_ERF: *out = erf(a); return true;
    case GN_OP_ERFC: *out = erfc(a); return true;
    case GN_OP_LGAMMA: *out = lgamma_r(a, &sign); return true;
    default: return false;
    }
}

/* ---- The whole */

bool gn__fold(int op, int type, const gn_scalar *a, const gn_scalar *b, gn_scalar *out) {
    if (!gn__is_float(type)) {
        int64_t value;
        if (!fold_integer(op, type, a->i, b->i, &value))
            return false;
        out->i = gn__op_info(op)->rule == GN__RULE_COMPARE ? value : gn__normal_i(type, value);
        return true;
    }
    if (fold_comparison(op, a->f, b->f, &out->i))
        return true;
    double value;
    if (!fold_arithmetic(op, type, a->f, b->f, &value) && !fold_function(op, a->f, &value))
        return false;
    out->f = gn__normal_f(type, value);
    return true;
}

bool gn__fold_cast(int to, int from, gn_scalar value, gn_scalar *out) {
    if (gn__is_float(to)) {
        out->f = gn__normal_f(to, gn__is_float(from) ? value.f : (double)value.i);
        return true;
    }
    if (!gn__is_float(from)) {
        out->i = gn__normal_i(to, value.i);
        return true;
    }
    if (to == GN_BOOL) {
        out->i = value.f != 0;
        return true;
    }
    if (!(value.f > -0x1p63 && value.f < 0x1p63)) /* NaN, too */
        return false;
    int64_t whole = (int64_t)value.f;
    out->i = gn__normal_i(to, whole);
    return out->i == whole;
}
