/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_space.h - shapes, strides and contents of operands by chance, for test_fuzz.c alone. */
#ifndef GENESIS_FUZZ_SPACE_H
#define GENESIS_FUZZ_SPACE_H

#include "fuzz_plugins.h"
#include "fuzz_program.h"

enum { MAX_DIMS = 5 };

/* ---- Spaces and operands --------------------------------------------------------------------- */

typedef struct space {
    uint32_t n_dims, n_reduced;
    int64_t size[GN_MAX_DIMS];
} space;

/* Memory of an operand: what both plugins begin with. */
typedef struct block {
    int64_t n;
    char *initial;
    gn_mem *mem[2];
    bool shared; /* it is another operand's */
} block;

static void any_space(space *s, bool reduces) {
    static const int64_t sizes[] = {2, 3, 4, 5, 7, 8, 16, 17, 33, 64, 100, 300, 1025, 3000};
    int64_t room = chance(6) ? 200000 : 6000;
    s->n_dims = (uint32_t)between(reduces ? 1 : 0, MAX_DIMS);
    s->n_reduced = reduces ? (uint32_t)between(1, s->n_dims) : 0;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        do
            s->size[d] = sizes[between(0, 13)];
        while (s->size[d] > room && room >= 2);
        if (room < 2)
            s->size[d] = 2;
        room /= s->size[d];
    }
}

/* Strides of a dense or gappy array, its dims in any order, or with broadcast dims or windows. */
static void any_strides(const space *s, gn_operand *o, bool written, bool full) {
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
        const bool absent = (!full && d >= s->n_dims - s->n_reduced) || (broadcasts && chance(50));
        o->stride[d] = absent ? 0 : window ? between(1, 3) : chance(8) ? -stride : stride;
        if (!absent)
            stride *= s->size[d] + (chance(8) ? between(1, 5) : 0);
    }
}

/* Elements that the operand spans; its offset becomes that of its first element. */
static int64_t place(const space *s, gn_operand *o) {
    int64_t low = 0, high = 0;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        const int64_t reach = (s->size[d] - 1) * o->stride[d];
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    const int64_t before = chance(30) ? between(1, 9) : 0;
    o->offset = before - low;
    return before + high - low + 1 +
           (o->axis_extent > 0 ? (o->axis_extent - 1) * o->axis_stride : 0);
}

static void put_any(char *at, int dtype) {
    const double f = chance(3)   ? (chance(40)   ? NAN
                                    : chance(50) ? INFINITY
                                                 : -INFINITY)
                     : chance(3) ? -0.0
                                 : (double)between(-64, 64) / 8;
    const float single = (float)f;
    const int64_t i = dtype == GN_BOOL ? between(0, 1)
                      : chance(5)      ? (int64_t)bits()
                                       : between(-9, 9);
    const uint64_t words[2] = {bits(), bits()};
    /* Halves: any of small exponent, now and then any at all. */
    const uint16_t half = dtype == GN_F16 ? (uint16_t)((words[0] & 0x83ff) | 0x3c00)
                                          : (uint16_t)((words[0] & 0x80ff) | 0x3f00);
    switch (dtype) {
    case GN_F32: memcpy(at, &single, sizeof single); break;
    case GN_F64: memcpy(at, &f, sizeof f); break;
    case GN_F16:
    case GN_BF16:
        memcpy(at, chance(5) ? (const void *)&words[1] : (const void *)&half, sizeof half);
        break;
    default: /* little-endian, as all of the machines that it runs on */
        memcpy(at, &i, gn_dtype_bytes(dtype));
    }
}

static void make_block(block *b, int dtype, int64_t n) {
    const uint32_t bytes = gn_dtype_bytes(dtype);
    b->n = n;
    b->initial = malloc((size_t)n * bytes);
    ck_assert_ptr_nonnull(b->initial);
    for (int64_t i = 0; i < n; i++)
        put_any(b->initial + i * bytes, dtype);
    plugin *both[2] = {&tested, &reference};
    for (int p = 0; p < 2; p++) {
        ck_assert_int_eq(both[p]->table.alloc(both[p]->device, (uint64_t)n * bytes, &b->mem[p]),
                         GN_OK);
        ck_assert_int_eq(both[p]->table.upload(both[p]->device, NULL, b->mem[p], 0, b->initial,
                                               (uint64_t)n * bytes),
                         GN_OK);
    }
}

/* Whether operand k may be written where `read` is read, in a map: same elements, each once. */
static bool may_alias(const maker *m, const gn_operand *o, const space *s, int read, int k) {
    if (m->operands[read].role != GN_READ || m->operands[read].dtype != m->operands[k].dtype ||
        m->axis[read])
        return false;
    int64_t product = 1; /* injective, as far as is easily seen */
    for (uint32_t d = s->n_dims; d-- > 0; product *= s->size[d])
        if (o[read].stride[d] < product)
            return false;
    return true;
}

static void make_operands(const maker *m, const space *s, gn_operand *o, block *b) {
    memset(o, 0, GN_MAX_OPERANDS * sizeof *o);
    memset(b, 0, GN_MAX_OPERANDS * sizeof *b);
    for (uint32_t k = 0; k < m->program.n_operands; k++) {
        const bool written = m->operands[k].role == GN_WRITE;
        if (written && m->program.n_parts == 1 && chance(30)) {
            const int read = (int)between(0, m->program.n_operands - 1);
            bool taken = read >= (int)k || !may_alias(m, o, s, read, (int)k);
            for (uint32_t j = 0; j < k && !taken; j++)
                taken = b[j].mem[0] == b[read].mem[0] && (int)j != read;
            if (!taken) {
                o[k] = o[read];
                b[k] = b[read];
                b[k].shared = true;
                continue;
            }
        }
        any_strides(s, &o[k], written, m->full[k]);
        if (m->operands[k].role == GN_INDEX) {
            o[k].offset = between(-50, 1000);
            continue;
        }
        o[k].axis_extent = m->axis[k];
        o[k].axis_stride = m->axis[k] ? between(1, 40) : 0;
        make_block(&b[k], m->operands[k].dtype, place(s, &o[k]));
    }
}

/* As the host does: within kept and reduced dims the largest stride of operand 0 comes first, and
 * dims that can be merged are. */
static void simplify(space *s, gn_operand *o, uint32_t n_operands) {
    const uint32_t n_kept = s->n_dims - s->n_reduced;
    for (uint32_t pass = 0; pass < s->n_dims; pass++)
        for (uint32_t d = 0; d + 1 < s->n_dims; d++) {
            if (d + 1 == n_kept || llabs(o[0].stride[d]) >= llabs(o[0].stride[d + 1]))
                continue;
            const int64_t size = s->size[d];
            s->size[d] = s->size[d + 1];
            s->size[d + 1] = size;
            for (uint32_t k = 0; k < n_operands; k++) {
                const int64_t stride = o[k].stride[d];
                o[k].stride[d] = o[k].stride[d + 1];
                o[k].stride[d + 1] = stride;
            }
        }
    for (uint32_t d = 0; d + 1 < s->n_dims;) {
        bool merges = d + 1 != s->n_dims - s->n_reduced;
        for (uint32_t k = 0; k < n_operands; k++)
            merges = merges && o[k].stride[d] == o[k].stride[d + 1] * s->size[d + 1];
        if (!merges) {
            d++;
            continue;
        }
        if (d >= s->n_dims - s->n_reduced)
            s->n_reduced--;
        s->size[d] *= s->size[d + 1];
        s->n_dims--;
        for (uint32_t e = d; e < s->n_dims; e++) {
            s->size[e] = s->size[e + 1];
            for (uint32_t k = 0; k < n_operands; k++)
                o[k].stride[e] = o[k].stride[e + 1];
        }
    }
}

#endif
