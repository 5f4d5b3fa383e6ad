/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - numbers as the cases expect them: small floats, ulps, wrapping, Philox. */
#include "kernel.h"

#include <string.h>

int value_type(int dtype) { return dtype == GN_F16 || dtype == GN_BF16 ? GN_F32 : dtype; }

int64_t wrap(int type, __int128 value) {
    if (type == GN_BOOL)
        return value != 0;
    int bits = 8 * (int)gn_dtype_bytes(type);
    __int128 modulus = (__int128)1 << bits, r = value % modulus;
    if (r < 0)
        r += modulus;
    bool is_signed = type != GN_U8 && type != GN_U32;
    return (int64_t)(is_signed && r >= modulus / 2 ? r - modulus : r);
}

/* ---- 16-bit floats --------------------------------------------------------------------------- */

double float16_value(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude = exponent == 0    ? fraction * 0x1p-24
                       : exponent != 31 ? ldexp(1 + fraction * 0x1p-10, exponent - 15)
                       : fraction       ? NAN
                                        : INFINITY;
    return bits & 0x8000 ? -magnitude : magnitude;
}

double bfloat16_value(uint16_t bits) {
    int exponent = bits >> 7 & 255, fraction = bits & 127;
    double magnitude = exponent == 0     ? fraction * 0x1p-133
                       : exponent != 255 ? ldexp(1 + fraction * 0x1p-7, exponent - 127)
                       : fraction        ? NAN
                                         : INFINITY;
    return bits & 0x8000 ? -magnitude : magnitude;
}

/* The pattern of the nearest number, found by bisection, as patterns of positive numbers are in
 * their order. Infinity counts as the number that would come after the largest one. */
static uint16_t nearest(double value, double (*decode)(uint16_t), uint16_t infinity,
                        double beyond) {
    uint16_t sign = signbit(value) ? 0x8000 : 0, low = 0, high = infinity;
    double magnitude = fabs(value);
    if (isnan(value))
        return sign | infinity | 0x240; /* the quiet bit of either format */
    if (magnitude >= beyond)
        return sign | infinity;
    while (high - low > 1) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        if (decode(middle) <= magnitude)
            low = middle;
        else
            high = middle;
    }
    double below = magnitude - decode(low),
           above = (high == infinity ? beyond : decode(high)) - magnitude;
    bool up = above < below || (above == below && (low & 1));
    return sign | (up ? high : low);
}

uint16_t to_float16(double value) { return nearest(value, float16_value, 0x7c00, 0x1p16); }

uint16_t to_bfloat16(double value) { return nearest(value, bfloat16_value, 0x7f80, 0x1p128); }

double round_value(int dtype, double value) {
    switch (dtype) {
    case GN_F16: return float16_value(to_float16((float)value));
    case GN_BF16: return bfloat16_value(to_bfloat16((float)value));
    case GN_F32: return (float)value;
    default: return value;
    }
}

/* ---- Units in the last place ----------------------------------------------------------------- */

double machine_eps(int type) { return type == GN_F64 ? DBL_EPSILON : FLT_EPSILON; }

double smallest_normal(int type) { return type == GN_F64 ? DBL_MIN : FLT_MIN; }

/* Binary digits and exponents, as <float.h> has them for float and double. */
static const struct format {
    int digits, least, most;
} formats[GN_N_DTYPES] = {
    [GN_F16] = {11, -13, 16},
    [GN_BF16] = {8, FLT_MIN_EXP, FLT_MAX_EXP},
    [GN_F32] = {FLT_MANT_DIG, FLT_MIN_EXP, FLT_MAX_EXP},
    [GN_F64] = {DBL_MANT_DIG, DBL_MIN_EXP, DBL_MAX_EXP},
};

double ulp_error(int dtype, double got, long double exact, long double floor_at) {
    const int digits = formats[dtype].digits, least = formats[dtype].least,
              most = formats[dtype].most;
    long double value = got, magnitude = fabsl(exact) < floor_at ? floor_at : fabsl(exact);
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (value == exact || isinf(exact))
        return value == exact ? 0 : INFINITY;
    if (isinf(got)) { /* counts as the number after the largest */
        value = copysignl(ldexpl(1, most), value);
        if (fabsl(exact) >= ldexpl(1, most))
            return !signbit(value) == !signbit(exact) ? 0 : INFINITY;
    }
    int exponent = magnitude == 0 ? least : ilogbl(magnitude) + 1;
    exponent = exponent < least ? least : exponent > most ? most : exponent;
    return (double)(fabsl(value - exact) / ldexpl(1, exponent - digits));
}

/* ---- Philox --------------------------------------------------------------------------------- */

static void multiply(uint32_t a, uint32_t b, uint32_t *high, uint32_t *low) {
    uint64_t product = (uint64_t)a * b;
    *high = (uint32_t)(product >> 32);
    *low = (uint32_t)product;
}

void philox4x32(uint32_t counter[4], uint32_t key0, uint32_t key1) {
    for (uint32_t round = 0; round < 10; round++) {
        uint32_t high0, low0, high1, low1;
        multiply(0xD2511F53, counter[0], &high0, &low0);
        multiply(0xCD9E8D57, counter[2], &high1, &low1);
        uint32_t next[4] = {high1 ^ counter[1] ^ (key0 + round * 0x9E3779B9), low1,
                            high0 ^ counter[3] ^ (key1 + round * 0xBB67AE85), low0};
        memcpy(counter, next, sizeof next);
    }
}

uint32_t random_word(int64_t index, int64_t offset, int64_t key) {
    uint64_t block = (uint64_t)(index >> 2);
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)offset,
                           (uint32_t)((uint64_t)offset >> 32)};
    philox4x32(counter, (uint32_t)key, (uint32_t)((uint64_t)key >> 32));
    return counter[index & 3];
}
