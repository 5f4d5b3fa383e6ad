/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.c - memory of the device, the host's copy of it, and the comparison of the two. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

/* Bytes before and after the elements: a multiple of GN_MEM_ALIGNMENT and of every element. */
enum { GUARD = 1024, PATTERN = 0xA5 };

static struct buffer *all;

static size_t bytes_of(const struct buffer *b) { return (size_t)b->n * gn_dtype_bytes(b->dtype); }

static char *memory_of(const struct buffer *b) { return b->data - GUARD; }

/* Blocks of all buffers of the case. */
static double total_bytes;

gn_status settle(void) { return backend->synchronise ? CALL(synchronise, device, NULL) : GN_OK; }

struct buffer *buffer_new(int dtype, int64_t n) {
    struct buffer *b = calloc(1, sizeof *b);
    size_t bytes = (size_t)n * gn_dtype_bytes(dtype) + 2 * GUARD;
    char *memory = malloc(bytes);
    if (!b || !memory) {
        free(b);
        free(memory);
        fail_case("no host memory for %zu bytes", bytes);
    }
    b->dtype = dtype;
    b->n = n;
    memset(memory, PATTERN, bytes);
    b->data = memory + GUARD;
    b->next = all;
    all = b;
    total_bytes += (double)bytes;
    note_size(total_bytes);
    gn_status status = CALL(alloc, device, bytes, &b->mem);
    EXPECT(status == GN_OK, "alloc of %zu bytes: status %d: %s", bytes, status, said(status));
    return b;
}

struct buffer *buffer_random(int dtype, int64_t n) {
    if (!gn_dtype_is_float(dtype))
        return buffer_whole(dtype, n);
    struct buffer *b = buffer_new(dtype, n);
    for (int64_t i = 0; i < n; i++)
        put_f(b, i, random_between(-2, 2));
    return b;
}

struct buffer *buffer_whole(int dtype, int64_t n) {
    struct buffer *b = buffer_new(dtype, n);
    bool is_signed = dtype != GN_BOOL && dtype != GN_U8;
    for (int64_t i = 0; i < n; i++) {
        int value = (int)(random_bits() % 10) * (is_signed && random_bits() % 2 ? -1 : 1);
        put_f(b, i, dtype == GN_BOOL ? value % 2 : value);
    }
    return b;
}

void buffers_free(void) {
    settle();
    while (all) {
        struct buffer *b = all;
        all = b->next;
        backend->free(device, b->mem);
        free(memory_of(b));
        free(b->downloaded);
        free(b);
    }
    total_bytes = 0;
}

/* ---- Elements -------------------------------------------------------------------------------- */

gn_scalar get(const struct buffer *b, int64_t i) {
    const void *at = b->data + i * gn_dtype_bytes(b->dtype);
    switch (b->dtype) {
    case GN_BOOL: return (gn_scalar){.i = *(const uint8_t *)at != 0};
    case GN_U8: return (gn_scalar){.i = *(const uint8_t *)at};
    case GN_I8: return (gn_scalar){.i = *(const int8_t *)at};
    case GN_I16: return (gn_scalar){.i = *(const int16_t *)at};
    case GN_I32: return (gn_scalar){.i = *(const int32_t *)at};
    case GN_I64: return (gn_scalar){.i = *(const int64_t *)at};
    case GN_F16: return (gn_scalar){.f = float16_value(*(const uint16_t *)at)};
    case GN_BF16: return (gn_scalar){.f = bfloat16_value(*(const uint16_t *)at)};
    case GN_F32: return (gn_scalar){.f = *(const float *)at};
    default: return (gn_scalar){.f = *(const double *)at};
    }
}

void put(struct buffer *b, int64_t i, gn_scalar value) {
    void *at = b->data + i * gn_dtype_bytes(b->dtype);
    switch (b->dtype) {
    case GN_BOOL: *(uint8_t *)at = value.i != 0; break;
    case GN_U8:
    case GN_I8: *(uint8_t *)at = (uint8_t)value.i; break;
    case GN_I16: *(int16_t *)at = (int16_t)value.i; break;
    case GN_I32: *(int32_t *)at = (int32_t)value.i; break;
    case GN_I64: *(int64_t *)at = value.i; break;
    case GN_F16: *(uint16_t *)at = to_float16((float)value.f); break;
    case GN_BF16: *(uint16_t *)at = to_bfloat16((float)value.f); break;
    case GN_F32: *(float *)at = (float)value.f; break;
    default: *(double *)at = value.f;
    }
}

double get_f(const struct buffer *b, int64_t i) {
    gn_scalar value = get(b, i);
    return gn_dtype_is_float(b->dtype) ? value.f : (double)value.i;
}

void put_f(struct buffer *b, int64_t i, double value) {
    if (gn_dtype_is_float(b->dtype))
        put(b, i, (gn_scalar){.f = value});
    else
        put(b, i, (gn_scalar){.i = (int64_t)value});
}

/* ---- Comparison ------------------------------------------------------------------------------ */

static void check_guards(const struct buffer *b, const char *memory) {
    size_t bytes = bytes_of(b);
    for (size_t i = 0; i < GUARD; i++) {
        EXPECT((uint8_t)memory[i] == PATTERN, "a write %zu bytes before the buffer", GUARD - i);
        EXPECT((uint8_t)memory[GUARD + bytes + i] == PATTERN,
               "a write %zu bytes after the buffer's end", i);
    }
}

void *download_all(struct buffer *b) {
    size_t bytes = bytes_of(b);
    char *memory = b->downloaded ? b->downloaded : malloc(bytes + 2 * GUARD);
    b->downloaded = memory;
    EXPECT(memory, "no host memory for %zu bytes", bytes);
    gn_status status = CALL(download, device, NULL, memory, b->mem, 0, bytes + 2 * GUARD);
    EXPECT(status == GN_OK, "download: status %d: %s", status, said(status));
    check_guards(b, memory);
    return memory + GUARD;
}

static bool is_near(double got, double expected, double relative, double absolute) {
    if (isnan(expected) || isnan(got))
        return isnan(expected) && isnan(got);
    return got == expected || fabs(got - expected) <= relative * fabs(expected) + absolute;
}

/* The largest magnitude among the numbers of a buffer. */
double buffer_largest(const struct buffer *b) {
    double largest = 0;
    for (int64_t i = 0; i < b->n; i++) {
        double magnitude = fabs(get_f(b, i));
        largest = isfinite(magnitude) && magnitude > largest ? magnitude : largest;
    }
    return largest;
}

/* Any i64 that two doubles can not tell apart is compared by its bytes first. */
static void compare(struct buffer *b, double relative, double absolute) {
    struct buffer got = *b;
    got.data = download_all(b);
    size_t bytes = gn_dtype_bytes(b->dtype);
    bool is_float = gn_dtype_is_float(b->dtype);
    double worst = 0, floor_at = is_float ? buffer_largest(b) : 0;
    for (int64_t i = 0; i < b->n; i++) {
        if (memcmp(got.data + i * (int64_t)bytes, b->data + i * (int64_t)bytes, bytes) == 0)
            continue;
        double value = get_f(&got, i), expected = get_f(b, i);
        EXPECT(is_float && is_near(value, expected, relative, absolute),
               "element %lld is %.9g, not %.9g", (long long)i, value, expected);
        worst = fmax(worst, ulp_error(b->dtype, value, expected, floor_at));
    }
    if (is_float)
        note_error(worst);
}

void check_exact(struct buffer *b) { compare(b, 0, 0); }

void check_near(struct buffer *b, double relative, double absolute) {
    compare(b, relative, absolute);
}

/* ---- Operands -------------------------------------------------------------------------------- */

void buffer_upload(struct buffer *b) {
    size_t bytes = bytes_of(b) + 2 * GUARD;
    gn_status status = CALL(upload, device, NULL, b->mem, 0, memory_of(b), bytes);
    EXPECT(status == GN_OK, "upload: status %d: %s", status, said(status));
    b->uploaded = true;
}

gn_operand operand_of(struct buffer *b, int64_t offset, const int64_t *stride) {
    gn_operand operand = {.offset = offset};
    memcpy(operand.stride, stride, sizeof operand.stride);
    if (!b)
        return operand;
    operand.mem = b->mem;
    operand.offset += GUARD / gn_dtype_bytes(b->dtype);
    if (!b->uploaded)
        buffer_upload(b);
    return operand;
}

gn_operand with_axis(gn_operand operand, int64_t stride, int64_t extent) {
    operand.axis_stride = stride;
    operand.axis_extent = extent;
    return operand;
}
