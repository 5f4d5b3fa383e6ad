/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.c - single elements of every dtype in host memory: for item, printing, and conversion on the
 * way in and out. Bulk work is the backends'.
 */
#include <math.h>

#include "tensor.h"

/* ---- float16: 1 sign, 5 exponent, 10 mantissa bits; bfloat16: the upper half of a float32 */

static double f16_load(uint16_t h) {
    int exponent = h >> 10 & 31;
    double mantissa = h & 1023, value;
    if (exponent == 31)
        value = mantissa != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(mantissa, -24);
    else
        value = ldexp(1024 + mantissa, exponent - 25);
    return h >> 15 ? -value : value;
}

/* To nearest, ties to even: rint() in units of the last place. */
static uint16_t f16_store(double value) {
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double size = fabs(value);
    if (isnan(size))
        return 0x7e00;
    if (size == 0)
        return sign;
    if (size >= 65520) /* half a unit above the largest */
        return sign | 0x7c00;
    int exponent;
    frexp(size, &exponent); /* size < 2^exponent */
    if (size < 0x1p-14)
        exponent = -13;                              /* subnormal: units of 2^-24 */
    double units = rint(ldexp(size, 11 - exponent)); /* 0 .. 2048 */
    if (size < 0x1p-14)
        return sign | (uint16_t)units; /* 1024 carries into the exponent, as it should */
    return sign | (uint16_t)(((exponent + 14) << 10) + (int)units - 1024);
}

static float bf16_load(uint16_t h) {
    uint32_t bits = (uint32_t)h << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint16_t bf16_store(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* ---- Elements */

/* X(dtype, C type, member of gn_scalar) for the dtypes that C has. */
#define C_TYPES(X)                                                                                 \
    X(GN_U8, uint8_t, i)                                                                           \
    X(GN_I8, int8_t, i)                                                                            \
    X(GN_I16, int16_t, i)                                                                          \
    X(GN_I32, int32_t, i)                                                                          \
    X(GN_I64, int64_t, i)                                                                          \
    X(GN_U32, uint32_t, i)                                                                         \
    X(GN_F32, float, f)                                                                            \
    X(GN_F64, double, f)

gn_scalar gn__host_load(const void *element, int dtype) {
    gn_scalar value = {0};
    uint16_t half;
    switch (dtype) {
    case GN_BOOL: value.i = *(const unsigned char *)element != 0; break;
    case GN_F16:
        memcpy(&half, element, sizeof half);
        value.f = f16_load(half);
        break;
    case GN_BF16:
        memcpy(&half, element, sizeof half);
        value.f = (double)bf16_load(half);
        break;
#define X(name, type, member)                                                                      \
    case name: {                                                                                   \
        type x;                                                                                    \
        memcpy(&x, element, sizeof x);                                                             \
        value.member = x;                                                                          \
        break;                                                                                     \
    }
        C_TYPES(X)
#undef X
    }
    return value;
}

void gn__host_store(void *element, int dtype, gn_scalar value) {
    uint16_t half;
    switch (dtype) {
    case GN_BOOL: *(unsigned char *)element = value.i != 0; break;
    case GN_F16:
        half = f16_store((double)(float)value.f);
        memcpy(element, &half, sizeof half);
        break;
    case GN_BF16:
        half = bf16_store((float)value.f);
        memcpy(element, &half, sizeof half);
        break;
#define X(name, type, member)                                                                      \
    case name: {                                                                                   \
        type x = (type)value.member;                                                               \
        memcpy(element, &x, sizeof x);                                                             \
        break;                                                                                     \
    }
        C_TYPES(X)
#undef X
    }
}
#undef C_TYPES

int64_t gn__to_int(double value) {
    if (isnan(value))
        return 0;
    if (value >= 0x1p63)
        return INT64_MAX;
    return value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

void gn__convert(void *to, int to_dtype, const void *from, int from_dtype, int64_t count) {
    size_t to_bytes = gn_dtype_bytes(to_dtype), from_bytes = gn_dtype_bytes(from_dtype);
    if (to_dtype == from_dtype) {
        memcpy(to, from, (size_t)count * to_bytes);
        return;
    }
    bool from_float = gn_dtype_is_float(from_dtype), to_float = gn_dtype_is_float(to_dtype);
    for (int64_t i = 0; i < count; i++) {
        gn_scalar value = gn__host_load((const char *)from + (size_t)i * from_bytes, from_dtype);
        if (from_float && !to_float)
            value.i = to_dtype == GN_BOOL ? value.f != 0 : gn__to_int(value.f);
        else if (!from_float && to_float)
            value.f = (double)value.i;
        gn__host_store((char *)to + (size_t)i * to_bytes, to_dtype, value);
    }
}
