/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.c - views and their elements: walks in the order of the coordinates, values as numbers, and
 * what the dtypes can tell apart.
 */
#include "check.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Walks ----------------------------------------------------------------------------------- */

bool view_is_empty(const view *v) { return v->mem == NULL || view_count(v) == 0; }

int64_t view_count(const view *v) {
    int64_t n = 1;
    for (uint32_t d = 0; d < v->n_dims; d++)
        n *= v->size[d];
    return n;
}

walk walk_from_start(const view *v) { return (walk){.view = v}; }

walk walk_to(const view *v, const int64_t *coordinate) {
    walk w = {.view = v};
    for (uint32_t d = 0; d < v->n_dims; d++)
        w.at += coordinate[d] * v->stride[d];
    return w;
}

bool walk_next(walk *w) {
    const view *v = w->view;
    for (uint32_t d = v->n_dims; d-- > 0;) {
        if (++w->coordinate[d] < v->size[d]) {
            w->at += v->stride[d];
            return true;
        }
        w->coordinate[d] = 0;
        w->at -= (v->size[d] - 1) * v->stride[d];
    }
    return false;
}

char *walk_element(const walk *w, const struct job *job, char *image) {
    const view *v = w->view;
    const int64_t start = (int64_t)(v->first - job->segments[v->segment].first);
    return image + start + w->at * (int64_t)gn_dtype_bytes(v->dtype);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static double half(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double magnitude = exponent == 0    ? ldexp(fraction, -24)
                             : exponent != 31 ? ldexp(fraction + 1024, exponent - 25)
                             : fraction       ? (double)NAN
                                              : (double)INFINITY;
    return bits >> 15 ? -magnitude : magnitude;
}

static double brain(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

double value_float(int dtype, const void *element) {
    uint16_t bits;
    float single;
    double number;
    switch (dtype) {
    case GN_F16: memcpy(&bits, element, sizeof bits); return half(bits);
    case GN_BF16: memcpy(&bits, element, sizeof bits); return brain(bits);
    case GN_F32: memcpy(&single, element, sizeof single); return single;
    default: memcpy(&number, element, sizeof number); return number;
    }
}

int64_t value_integer(int dtype, const void *element) {
    int16_t i16;
    int32_t i32;
    int64_t i64;
    switch (dtype) {
    case GN_BOOL: return *(const uint8_t *)element != 0;
    case GN_U8: return *(const uint8_t *)element;
    case GN_I8: return *(const int8_t *)element;
    case GN_I16: memcpy(&i16, element, sizeof i16); return i16;
    case GN_I32: memcpy(&i32, element, sizeof i32); return i32;
    default: memcpy(&i64, element, sizeof i64); return i64;
    }
}

double value_number(int dtype, const void *element) {
    return gn_dtype_is_float(dtype) ? value_float(dtype, element)
                                    : (double)value_integer(dtype, element);
}

void value_make_magnitude(int dtype, void *element) {
    const double value = value_float(dtype, element), magnitude = isfinite(value) ? fabs(value) : 0;
    const float single = (float)magnitude;
    uint16_t bits;
    switch (dtype) {
    case GN_F16:
    case GN_BF16:
        memcpy(&bits, element, sizeof bits);
        bits = isfinite(value) ? bits & 0x7fff : 0;
        memcpy(element, &bits, sizeof bits);
        break;
    case GN_F32: memcpy(element, &single, sizeof single); break;
    default: memcpy(element, &magnitude, sizeof magnitude);
    }
}

/* ---- Dtypes ---------------------------------------------------------------------------------- */

static const struct {
    double eps, tiny, largest;
} traits[GN_N_DTYPES] = {
    [GN_F16] = {0x1p-10, 0x1p-14, 65504},
    [GN_BF16] = {0x1p-7, 0x1p-126, 0x1.fep127},
    [GN_F32] = {FLT_EPSILON, FLT_MIN, FLT_MAX},
    [GN_F64] = {DBL_EPSILON, DBL_MIN, DBL_MAX},
};

double value_eps(int dtype) { return traits[dtype].eps; }
double value_tiny(int dtype) { return traits[dtype].tiny; }
double value_largest(int dtype) { return traits[dtype].largest; }

double value_storage_error(int dtype, double value) {
    if (dtype != GN_F16 && dtype != GN_BF16)
        return 0;
    return isfinite(value) ? traits[dtype].eps * (fabs(value) + traits[dtype].tiny) : 0;
}
