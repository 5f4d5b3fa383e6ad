/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sort_host.c - sorting on a device whose memory the host sees: row by row, on the host.
 *
 * Each element gets a key, an unsigned number with the same order (NaN the largest, -0 equal to 0).
 * Keys and places are sorted by digits of 8 bits from the lowest up, which is stable and takes a
 * time in proportion to the length; few of them by insertion.
 */
#include <stdlib.h>

#include "sort.h"

enum { DIGITS = 256, FEW = 48 };

typedef struct pair {
    uint64_t key;
    int64_t place;
} pair;

/* ---- Keys */

/* What is added to infinity's bits is NaN. */
static uint64_t infinity_of(int dtype) {
    switch (dtype) {
    case GN_F16: return 0x7c00;
    case GN_BF16: return 0x7f80;
    case GN_F32: return 0x7f800000;
    default: return 0x7ff0000000000000;
    }
}

static uint64_t key_of(uint64_t bits, int dtype, int width) {
    uint64_t sign = (uint64_t)1 << (width - 1), mask = sign | (sign - 1);
    if (dtype == GN_BOOL || dtype == GN_U8)
        return bits;
    if (!gn_dtype_is_float(dtype))
        return bits ^ sign;
    if ((bits & ~sign) > infinity_of(dtype))
        return mask;
    if ((bits & ~sign) == 0)
        return sign;
    return bits & sign ? ~bits & mask : bits | sign;
}

static uint64_t load_bits(const char *element, int bytes) {
    uint8_t b1;
    uint16_t b2;
    uint32_t b4;
    uint64_t b8;
    switch (bytes) {
    case 1: return memcpy(&b1, element, 1), b1;
    case 2: return memcpy(&b2, element, 2), b2;
    case 4: return memcpy(&b4, element, 4), b4;
    default: return memcpy(&b8, element, 8), b8;
    }
}

/* ---- Sorting pairs: the result is in a */

static void insertion(pair *a, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        pair p = a[i];
        int64_t j = i;
        for (; j > 0 && a[j - 1].key > p.key; j--)
            a[j] = a[j - 1];
        a[j] = p;
    }
}

/* By one digit, from a to b; false if it is the same everywhere, and nothing was done. */
static bool distribute(const pair *a, pair *b, int64_t n, int shift) {
    int64_t start[DIGITS] = {0}, sum = 0;
    for (int64_t i = 0; i < n; i++)
        start[a[i].key >> shift & (DIGITS - 1)]++;
    if (start[a[0].key >> shift & (DIGITS - 1)] == n)
        return false;
    for (int d = 0; d < DIGITS; d++) {
        int64_t count = start[d];
        start[d] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < n; i++)
        b[start[a[i].key >> shift & (DIGITS - 1)]++] = a[i];
    return true;
}

static pair *sort_pairs(pair *a, pair *b, int64_t n, int width) {
    if (n <= FEW) {
        insertion(a, n);
        return a;
    }
    for (int shift = 0; shift < width; shift += 8)
        if (distribute(a, b, n, shift)) {
            pair *done = b;
            b = a;
            a = done;
        }
    return a;
}

/* ---- Rows: n elements, `step` apart, become sorted, and `place` tells where they were */

typedef struct rows {
    int dtype, bytes;
    bool descending;
    int64_t n, step;
    pair *a, *b;
    char *raw; /* a copy of the row */
} rows;

static void sort_row(const rows *r, char *value, int64_t *place) {
    int width = 8 * r->bytes;
    uint64_t flip = r->descending ? ~(uint64_t)0 >> (64 - width) : 0;
    for (int64_t i = 0; i < r->n; i++) {
        const char *element = value + i * r->step * r->bytes;
        memcpy(r->raw + i * r->bytes, element, (size_t)r->bytes);
        uint64_t key = key_of(load_bits(element, r->bytes), r->dtype, width);
        r->a[i] = (pair){key ^ flip, i};
    }
    const pair *sorted = sort_pairs(r->a, r->b, r->n, width);
    for (int64_t i = 0; i < r->n; i++) {
        int64_t from = sorted[i].place;
        place[i * r->step] = from;
        memcpy(value + i * r->step * r->bytes, r->raw + from * r->bytes, (size_t)r->bytes);
    }
}

gn_status gn__sort_on_host(gn_tensor *value, gn_tensor *place, int dim, bool descending) {
    char *values = gn_data(value);
    int64_t *places = gn_data(place);
    if (!values || !places)
        return gn_error_status();
    int64_t n = value->size[dim], inner = value->stride[dim];
    rows r = {.dtype = value->dtype,
              .bytes = (int)gn_dtype_bytes(value->dtype),
              .descending = descending,
              .n = n,
              .step = inner};
    r.a = gn__alloc_array((size_t)n, sizeof *r.a);
    r.b = gn__alloc_array((size_t)n, sizeof *r.b);
    r.raw = gn__alloc_array((size_t)n, (size_t)r.bytes);
    for (int64_t i = 0; i < value->count / n && r.a && r.b && r.raw; i++) {
        int64_t first = i / inner * inner * n + i % inner; /* both are row-major */
        sort_row(&r, values + first * r.bytes, places + first);
    }
    free(r.a);
    free(r.b);
    free(r.raw);
    return gn_error_status();
}
