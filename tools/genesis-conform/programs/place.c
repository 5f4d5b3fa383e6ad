/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - the space of a random program: sizes, strides, shared memory, contents. */
#include <string.h>

#include "sample.h"

/* ---- The space */

static void any_sizes(sample *s, bool reduces) {
    static const int64_t sizes[] = {2, 3, 4, 5, 7, 8, 16, 17, 33, 64, 100, 300, 1025, 3000};
    int64_t room = chance(6) ? 200000 : 6000;
    s->n_dims = (uint32_t)between(reduces ? 1 : 0, SAMPLE_DIMS);
    s->n_reduced = reduces ? (uint32_t)between(1, s->n_dims) : 0;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        do
            s->size[d] = sizes[between(0, GN_LENGTH(sizes) - 1)];
        while (s->size[d] > room && room >= 2);
        if (room < 2)
            s->size[d] = 2;
        room /= s->size[d];
    }
}

/* ---- Operands */

/* Strides of a dense or gappy array, its dims in any order, or with broadcast dims or windows. */
static void any_strides(const sample *s, sample_operand *o) {
    const bool written = o->info.role == GN_WRITE;
    uint32_t order[GN_MAX_DIMS];
    for (uint32_t d = 0; d < s->n_dims; d++)
        order[d] = d;
    if (chance(40))
        for (uint32_t d = s->n_dims; d > 1; d--) {
            const uint32_t other = (uint32_t)between(0, d - 1), kept = order[d - 1];
            order[d - 1] = order[other];
            order[other] = kept;
        }
    int64_t stride = chance(15) ? between(2, 3) : 1;
    const bool broadcasts = !written && chance(35), window = !written && chance(10);
    for (uint32_t i = s->n_dims; i-- > 0;) {
        const uint32_t d = order[i];
        const bool absent =
            (o->is_row && d >= s->n_dims - s->n_reduced) || (broadcasts && chance(50));
        o->stride[d] = absent ? 0 : window ? between(1, 3) : chance(8) ? -stride : stride;
        if (!absent)
            stride *= s->size[d] + (chance(8) ? between(1, 5) : 0);
    }
}

/* How far the operand reaches below and above its element at coordinates 0. */
static int64_t reach(const sample *s, const sample_operand *o, bool above) {
    int64_t sum = 0;
    for (uint32_t d = 0; d < s->n_dims; d++)
        if ((o->stride[d] > 0) == above)
            sum += (s->size[d] - 1) * o->stride[d];
    return sum + (above && o->axis_extent ? (o->axis_extent - 1) * o->axis_stride : 0);
}

int64_t sample_elements(const sample *s, uint32_t operand) {
    const sample_operand *o = &s->operands[operand];
    return o->offset + reach(s, o, true) + 1;
}

/* Whether operand k may be written where `read` is read, in a map: same elements, each once. */
static bool may_alias(const sample *s, uint32_t read, uint32_t k) {
    const sample_operand *o = &s->operands[read];
    if (o->info.role != GN_READ || o->info.dtype != s->operands[k].info.dtype || o->axis_extent)
        return false;
    for (uint32_t j = 0; j < k; j++)
        if (s->operands[j].alias == (int)read)
            return false;
    int64_t product = 1; /* injective, as far as is easily seen */
    for (uint32_t d = s->n_dims; d-- > 0; product *= s->size[d])
        if (o->stride[d] < product)
            return false;
    return true;
}

static void place_operand(sample *s, uint32_t k) {
    sample_operand *o = &s->operands[k];
    const uint32_t read = (uint32_t)between(0, s->n_operands - 1);
    if (o->info.role == GN_WRITE && s->n_parts == 1 && chance(30) && read < k &&
        may_alias(s, read, k)) {
        o->alias = (int)read;
        o->offset = s->operands[read].offset;
        memcpy(o->stride, s->operands[read].stride, sizeof o->stride);
        return;
    }
    any_strides(s, o);
    if (o->info.role == GN_INDEX) {
        o->offset = between(-50, 1000);
        return;
    }
    o->axis_stride = o->axis_extent ? between(1, 40) : 0;
    o->offset = (chance(30) ? between(1, 9) : 0) - reach(s, o, false);
}

void sample_place(sample *s) {
    any_sizes(s, s->n_reduced > 0);
    for (uint32_t k = 0; k < s->n_operands; k++)
        place_operand(s, k);
}

/* ---- Contents */

static double any_number(void) {
    if (chance(3))
        return chance(40) ? NAN : chance(50) ? INFINITY : -INFINITY;
    return chance(3) ? -0.0 : (double)between(-64, 64) / 8;
}

static gn_scalar any_element(int dtype) {
    if (gn_dtype_is_float(dtype))
        return (gn_scalar){.f = any_number()};
    if (dtype == GN_BOOL)
        return (gn_scalar){.i = between(0, 1)};
    return (gn_scalar){.i = chance(5) ? (int64_t)random_bits() : between(-9, 9)};
}

/* Any 16 bits, but no signalling NaN. */
static uint16_t any_pattern(int dtype) {
    const uint16_t infinity = dtype == GN_F16 ? 0x7c00 : 0x7f80;
    const uint16_t quiet = dtype == GN_F16 ? 0x0200 : 0x0040;
    const uint16_t pattern = (uint16_t)random_bits();
    return (pattern & 0x7fff) > infinity ? pattern | quiet : pattern;
}

void sample_fill(const sample *s, uint32_t operand, struct buffer *b) {
    random_seed(s->operands[operand].seed);
    for (int64_t i = 0; i < b->n; i++) {
        if ((b->dtype == GN_F16 || b->dtype == GN_BF16) && chance(5)) {
            const uint16_t pattern = any_pattern(b->dtype);
            memcpy(b->data + i * (int64_t)sizeof pattern, &pattern, sizeof pattern);
            continue;
        }
        put(b, i, any_element(b->dtype));
    }
}
