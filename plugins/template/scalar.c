/* SPDX-License-Identifier: MIT-0 */
/*
 * scalar.c - one value of a program: how it is loaded, stored, converted and computed.
 *
 * A value is a gn_scalar: bool and integers are in .i, f32 and f64 in .f. Every operation computes
 * in 64 bits, and scalar_fit brings the result into its type. For + - * / and sqrt this rounds an
 * f32 correctly, since a double has more than twice its bits; for the functions of <math.h> it
 * leaves an error of hardly more than half an ulp.
 */
#define _DEFAULT_SOURCE /* lgamma_r and M_PI, with -std=c11 */
#include "plugin.h"

#include <math.h>
#include <string.h>

/* ---- Storage --------------------------------------------------------------------------------- */

static double half_to_float(uint16_t h) {
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    double magnitude;
    if (exponent == 31)
        magnitude = mantissa ? NAN : INFINITY;
    else if (exponent == 0) /* subnormal */
        magnitude = ldexp(mantissa, -24);
    else
        magnitude = ldexp(1024 + mantissa, exponent - 25);
    return copysign(magnitude, h & 0x8000 ? -1 : 1);
}

/* Rounds to nearest even; f is an f32. */
static uint16_t half_from_float(double f) {
    uint16_t sign = signbit(f) ? 0x8000 : 0;
    f = fabs(f);
    if (isnan(f))
        return sign | 0x7e00;
    if (f >= 65520) /* half way from the largest number to 2^16 */
        return sign | 0x7c00;
    /* The spacing of halves is 2^(exponent - 10). A mantissa that rint carries to 2048 goes on into
     * the exponent's bits, where it belongs. */
    int exponent = f < 0x1p-14 ? -14 : ilogb(f);
    int mantissa = (int)rint(ldexp(f, 10 - exponent));
    return (uint16_t)(sign | (((exponent + 14) << 10) + mantissa));
}

static double bfloat_to_float(uint16_t h) {
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Rounds to nearest even; f is an f32. */
static uint16_t bfloat_from_float(double f) {
    float single = (float)f;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    if (isnan(f))
        return (uint16_t)(bits >> 16 | 0x40); /* stays a NaN when the low bits go */
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

int scalar_type(int dtype) { return dtype == GN_F16 || dtype == GN_BF16 ? GN_F32 : dtype; }

gn_scalar scalar_load(const gn_mem *mem, int dtype, int64_t at) {
    if (!mem)
        return (gn_scalar){.i = at};
    const void *element = mem->data + at * gn_dtype_bytes(dtype);
    switch (dtype) {
    case GN_BOOL: return (gn_scalar){.i = *(const uint8_t *)element != 0};
    case GN_U8: return (gn_scalar){.i = *(const uint8_t *)element};
    case GN_I8: return (gn_scalar){.i = *(const int8_t *)element};
    case GN_I16: return (gn_scalar){.i = *(const int16_t *)element};
    case GN_I32: return (gn_scalar){.i = *(const int32_t *)element};
    case GN_I64: return (gn_scalar){.i = *(const int64_t *)element};
    case GN_U32: return (gn_scalar){.i = *(const uint32_t *)element};
    case GN_F16: return (gn_scalar){.f = half_to_float(*(const uint16_t *)element)};
    case GN_BF16: return (gn_scalar){.f = bfloat_to_float(*(const uint16_t *)element)};
    case GN_F32: return (gn_scalar){.f = *(const float *)element};
    default: return (gn_scalar){.f = *(const double *)element};
    }
}

/* The value has been brought into the range of its type before. */
void scalar_store(gn_mem *mem, int dtype, int64_t at, gn_scalar value) {
    void *element = mem->data + at * gn_dtype_bytes(dtype);
    switch (dtype) {
    case GN_BOOL:
    case GN_U8:
    case GN_I8: *(uint8_t *)element = (uint8_t)value.i; break;
    case GN_I16: *(int16_t *)element = (int16_t)value.i; break;
    case GN_I32:
    case GN_U32: *(uint32_t *)element = (uint32_t)value.i; break;
    case GN_I64: *(int64_t *)element = value.i; break;
    case GN_F16: *(uint16_t *)element = half_from_float(value.f); break;
    case GN_BF16: *(uint16_t *)element = bfloat_from_float(value.f); break;
    case GN_F32: *(float *)element = (float)value.f; break;
    default: *(double *)element = value.f;
    }
}

/* ---- Conversion ------------------------------------------------------------------------------ */

gn_scalar scalar_fit(int type, gn_scalar value) {
    switch (type) {
    case GN_BOOL: return (gn_scalar){.i = value.i != 0};
    case GN_U8: return (gn_scalar){.i = (uint8_t)value.i};
    case GN_I8: return (gn_scalar){.i = (int8_t)value.i};
    case GN_I16: return (gn_scalar){.i = (int16_t)value.i};
    case GN_I32: return (gn_scalar){.i = (int32_t)value.i};
    case GN_U32: return (gn_scalar){.i = (uint32_t)value.i};
    case GN_F32: return (gn_scalar){.f = (float)value.f};
    default: return value;
    }
}

/* What C leaves undefined is 0 for NaN, and the nearest i64 (then wrapped) if it is too large. */
static int64_t truncate(double f) {
    if (isnan(f))
        return 0;
    if (f >= 0x1p63)
        return INT64_MAX;
    return f < -0x1p63 ? INT64_MIN : (int64_t)f;
}

static gn_scalar cast(int to, int from, gn_scalar v) {
    if (gn_dtype_is_float(from) && gn_dtype_is_float(to))
        return v;
    if (gn_dtype_is_float(from))
        return (gn_scalar){.i = to == GN_BOOL ? v.f != 0 : truncate(v.f)};
    if (to == GN_F32) /* not by way of double: that would round a large i64 twice */
        return (gn_scalar){.f = (float)v.i};
    if (to == GN_F64)
        return (gn_scalar){.f = (double)v.i};
    return v;
}

/* ---- Random numbers -------------------------------------------------------------------------- */

/* Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011): Philox4x32-10. */
static uint32_t philox(uint64_t index, uint64_t offset, uint64_t key) {
    uint32_t c[4] = {(uint32_t)(index >> 2), (uint32_t)((uint64_t)((int64_t)index >> 2) >> 32),
                     (uint32_t)offset, (uint32_t)(offset >> 32)};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53 * c[0], p1 = (uint64_t)0xCD9E8D57 * c[2];
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p0;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return c[index & 3];
}

/* ---- Floating point -------------------------------------------------------------------------- */

/* NaN if either is NaN, and -0 is smaller than 0. */
static double larger(double a, double b) {
    if (isnan(a) || isnan(b))
        return a + b;
    if (a == b)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

/* The sign of b. fmod is exact, so the one rounding is that of the sum. */
static double remainder_of_floor(double a, double b) {
    double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static double log_gamma(double a) {
    int sign; /* lgamma would leave it in a global variable */
    return lgamma_r(a, &sign);
}

/* By reflection for negative a, then by recurrence up to 10, then by the asymptotic series
 * log x - 1/2x - sum over k of B(2k) / (2k x^2k), with the Bernoulli numbers B. */
static double digamma(double a) {
    if (a == 0)
        return copysign(INFINITY, -a);
    if (a < 0) {
        double fraction = a - rint(a); /* exact, and small near a pole */
        return fraction == 0 ? NAN : digamma(1 - a) - M_PI / tan(M_PI * fraction);
    }
    double sum = 0;
    for (; a < 10; a++)
        sum -= 1 / a;
    static const double term[] = {1. / 12,  -1. / 120,     1. / 252, -1. / 240,
                                  1. / 132, -691. / 32760, 1. / 12};
    double z = 1 / (a * a), series = 0;
    for (int k = 6; k >= 0; k--)
        series = z * (term[k] + series);
    return sum + (log(a) - 0.5 / a - series);
}

static double arithmetic(int op, int type, double a, double b) {
    switch (op) {
    case GN_OP_ADD: return a + b;
    case GN_OP_SUB: return a - b;
    case GN_OP_MUL: return a * b;
    case GN_OP_DIV: return a / b;
    case GN_OP_FLOORDIV: return floor(scalar_fit(type, (gn_scalar){.f = a / b}).f);
    case GN_OP_FMOD: return fmod(a, b);
    case GN_OP_REMAINDER: return remainder_of_floor(a, b);
    case GN_OP_POW: return pow(a, b);
    case GN_OP_MIN: return -larger(-a, -b);
    case GN_OP_MAX: return larger(a, b);
    case GN_OP_ATAN2: return atan2(a, b);
    case GN_OP_NEG: return -a;
    case GN_OP_ABS: return fabs(a);
    case GN_OP_SIGN: return isnan(a) ? a : (a > 0) - (a < 0);
    case GN_OP_SQRT: return sqrt(a);
    case GN_OP_RSQRT: return 1 / sqrt(a);
    case GN_OP_FLOOR: return floor(a);
    case GN_OP_CEIL: return ceil(a);
    case GN_OP_TRUNC: return trunc(a);
    default: return rint(a); /* RINT */
    }
}

static double transcendental(int op, double a) {
    switch (op) {
    case GN_OP_EXP: return exp(a);
    case GN_OP_EXP2: return exp2(a);
    case GN_OP_EXPM1: return expm1(a);
    case GN_OP_LOG: return log(a);
    case GN_OP_LOG2: return log2(a);
    case GN_OP_LOG10: return log10(a);
    case GN_OP_LOG1P: return log1p(a);
    case GN_OP_SIN: return sin(a);
    case GN_OP_COS: return cos(a);
    case GN_OP_TAN: return tan(a);
    case GN_OP_ASIN: return asin(a);
    case GN_OP_ACOS: return acos(a);
    case GN_OP_ATAN: return atan(a);
    case GN_OP_SINH: return sinh(a);
    case GN_OP_COSH: return cosh(a);
    case GN_OP_TANH: return tanh(a);
    case GN_OP_ASINH: return asinh(a);
    case GN_OP_ACOSH: return acosh(a);
    case GN_OP_ATANH: return atanh(a);
    case GN_OP_ERF: return erf(a);
    case GN_OP_ERFC: return erfc(a);
    case GN_OP_LGAMMA: return log_gamma(a);
    default: return digamma(a); /* DIGAMMA */
    }
}

/* ---- Integers and bool ----------------------------------------------------------------------- */

/* a / b rounded down if `down`, else towards 0. */
static int64_t quotient(int64_t a, int64_t b, int down) {
    if (b == 0)
        return 0;
    if (b == -1) /* MIN / -1 would trap */
        return (int64_t)(0 - (uint64_t)a);
    return a / b - (down && a % b != 0 && (a < 0) != (b < 0));
}

/* The sign of b if `down`, else that of a. */
static int64_t modulus(int64_t a, int64_t b, int down) {
    if (b == 0 || b == -1)
        return 0;
    int64_t r = a % b;
    return down && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static int64_t power(int64_t a, int64_t b) {
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    uint64_t result = 1, square = (uint64_t)a;
    for (; b; b >>= 1, square *= square)
        if (b & 1)
            result *= square;
    return (int64_t)result;
}

/* Of bools, + is or and * is and: scalar_fit makes every sum but 0 a 1. */
static int64_t integer(int op, int64_t a, int64_t b) {
    /* unsigned, because signed overflow is undefined */
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case GN_OP_ADD: return (int64_t)(ua + ub);
    case GN_OP_SUB: return (int64_t)(ua - ub);
    case GN_OP_MUL: return (int64_t)(ua * ub);
    case GN_OP_DIV: return quotient(a, b, 0);
    case GN_OP_FLOORDIV: return quotient(a, b, 1);
    case GN_OP_FMOD: return modulus(a, b, 0);
    case GN_OP_REMAINDER: return modulus(a, b, 1);
    case GN_OP_POW: return power(a, b);
    case GN_OP_MIN: return a < b ? a : b;
    case GN_OP_MAX: return a > b ? a : b;
    case GN_OP_NEG: return (int64_t)(0 - ua);
    case GN_OP_ABS: return a < 0 ? (int64_t)(0 - ua) : a;
    case GN_OP_SIGN: return (a > 0) - (a < 0);
    default: return a; /* an integer is its own floor, ceil, trunc and rint */
    }
}

static int64_t bitwise(int op, int type, int64_t a, int64_t b) {
    int64_t bits = 8 * (int64_t)gn_dtype_bytes(type);
    int inside = 0 <= b && b < bits;
    switch (op) {
    case GN_OP_AND: return a & b;
    case GN_OP_OR: return a | b;
    case GN_OP_XOR: return a ^ b;
    case GN_OP_NOT: return type == GN_BOOL ? !a : ~a;
    case GN_OP_SHL: return inside ? (int64_t)((uint64_t)a << b) : 0;
    default: return a >> (inside ? b : bits - 1); /* SHR; unsigned types have no sign to extend */
    }
}

/* ---- Every opcode ---------------------------------------------------------------------------- */

static int compare(int op, int is_float, gn_scalar a, gn_scalar b) {
    switch (op) {
    case GN_OP_EQ: return is_float ? a.f == b.f : a.i == b.i;
    case GN_OP_NE: return is_float ? a.f != b.f : a.i != b.i;
    case GN_OP_LT: return is_float ? a.f < b.f : a.i < b.i;
    case GN_OP_LE: return is_float ? a.f <= b.f : a.i <= b.i;
    case GN_OP_ISNAN: return is_float && isnan(a.f);
    default: return is_float && isinf(a.f); /* ISINF */
    }
}

int scalar_arity(int op) {
    switch (op) {
#define X(name, value, arity, ulp, meaning)                                                        \
    case value: return arity;
        GN_OPCODES(X)
#undef X
    }
    return -1;
}

static gn_scalar compute(const gn_insn *insn, int from, gn_scalar a, gn_scalar b, gn_scalar c) {
    int op = insn->op, type = insn->type;
    if (op == GN_OP_CAST)
        return cast(type, from, a);
    if (op == GN_OP_ROUND)
        return (gn_scalar){.f = insn->b == GN_F16 ? half_to_float(half_from_float(a.f))
                                                  : bfloat_to_float(bfloat_from_float(a.f))};
    if (op == GN_OP_RANDOM)
        return (gn_scalar){.i = philox((uint64_t)a.i, (uint64_t)b.i, (uint64_t)c.i)};
    if (op == GN_OP_SELECT)
        return a.i ? b : c;
    if (op >= GN_OP_EQ && op <= GN_OP_ISINF)
        return (gn_scalar){.i = compare(op, gn_dtype_is_float(from), a, b)};
    if (op >= GN_OP_AND && op <= GN_OP_SHR)
        return (gn_scalar){.i = bitwise(op, type, a.i, b.i)};
    if (op >= GN_OP_EXP)
        return (gn_scalar){.f = transcendental(op, a.f)};
    if (gn_dtype_is_float(type))
        return (gn_scalar){.f = arithmetic(op, type, a.f, b.f)};
    return (gn_scalar){.i = integer(op, a.i, b.i)};
}

gn_scalar scalar_compute(const gn_insn *insn, int from, const gn_scalar v[3]) {
    return scalar_fit(insn->type, compute(insn, from, v[0], v[1], v[2]));
}
