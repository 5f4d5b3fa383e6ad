/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scatter.cl - target[.. + index axis_stride] = combine(target[..], source[..]), in an order that
 * is always the same: no atomics.
 *
 * A work-item has one coordinate of the free dims, along which targets don't collide, and one
 * share of the targets: it goes through all coordinates of the serial dims in their order, and
 * combines what falls into its share. Where the index depends on the serial dims alone, as in the
 * gradient of an embedding, the group reads indices for all of its work-items at once.
 *
 * Defined before: DTYPE, ELEMENT, VALUE; COMBINE, a GN_SCATTER_*; IS_SHARED; ITEMS; and, for such
 * dtypes, IS_BOOL or IS_FLOAT.
 */

#define LOAD(p, i) JOIN(LOAD_, DTYPE)(p, i)
#define STORE(p, i, value) JOIN(STORE_, DTYPE)(p, i, value)

enum { SOURCE, INDICES, TARGET, OPERANDS, DIMS = 12 };

/* As scatter_args in scatter.c. */
typedef struct {
    i64 first[OPERANDS];
    i64 axis_stride, axis_extent;
    i64 n_free, n_serial; /* coordinates */
    i32 n_free_dims, n_serial_dims, has_indices;
    i32 shares; /* a power of 2 */
    i64 free_size[DIMS], serial_size[DIMS];
    i64 free_stride[OPERANDS][DIMS], serial_stride[OPERANDS][DIMS];
} scatter_args;

typedef struct {
    i64 offset[OPERANDS];
} place;

FN place place_of(const i64 *size, const i64 stride[OPERANDS][DIMS], int n_dims, i64 i) {
    place at = {{0, 0, 0}};
    for (int d = n_dims - 1; d >= 0; d--) {
        const i64 rest = d > 0 ? i / size[d] : 0, digit = i - rest * size[d];
        for (int o = 0; o < OPERANDS; o++)
            at.offset[o] += digit * stride[o][d];
        i = rest;
    }
    return at;
}

/* Which share a target belongs to: spread evenly, whatever the strides. */
FN i32 share_of(i64 offset, i32 shares) {
    const u32 mixed = ((u32)offset ^ (u32)(offset >> 32)) * 2654435769u;
    return (i32)((mixed >> 8 ^ mixed >> 20) & (u32)(shares - 1));
}

#if COMBINE == 0
#define COMBINED(old, value) (value)
#elif COMBINE == 1 && defined IS_BOOL
#define COMBINED(old, value) ((old) | (value))
#elif COMBINE == 1
#define COMBINED(old, value) ((old) + (value))
#else
#define IS_BETTER(old, value) (COMBINE == 2 ? (value) > (old) : (value) < (old))
#ifdef IS_FLOAT
#define COMBINED(old, value) (IS_BETTER(old, value) || isnan(value) ? (value) : (old))
#else
#define COMBINED(old, value) (IS_BETTER(old, value) ? (value) : (old))
#endif
#endif

FN void combine(GLOBAL ELEMENT *target, GLOBAL const ELEMENT *source) {
    const VALUE value = LOAD(source, 0), old = LOAD(target, 0);
    STORE(target, 0, COMBINED(old, value));
}

/* The place of the serial coordinate t: `at` gets the offsets of source and target. False if the
 * index is out of range, as is reported if there is a report. */
FN bool serial_place(const scatter_args *p, i64 t, i64 first_index, GLOBAL const i64 *indices,
                     GLOBAL i64 *report, i64 tag, place *at) {
    *at = place_of(p->serial_size, p->serial_stride, p->n_serial_dims, t);
    const i64 number = first_index + at->offset[INDICES];
    const i64 index = p->has_indices ? indices[number] : number;
    if (index < 0 || index >= p->axis_extent) {
        if (report)
            REPORT(report, tag, index, p->axis_extent);
        return false;
    }
    at->offset[TARGET] += index * p->axis_stride;
    return true;
}

KERNEL(ITEMS, 1, 1)
scatter(const scatter_args p, GLOBAL const ELEMENT *source, GLOBAL const i64 *indices,
        GLOBAL ELEMENT *target, GLOBAL i64 *report, i64 tag) {
    const i64 i = GLOBAL_ID(0), own_share = i / p.n_free;
    const bool is_used = own_share < p.shares;
    const place own = place_of(p.free_size, p.free_stride, p.n_free_dims,
                               is_used ? i - own_share * p.n_free : 0);
    source += p.first[SOURCE] + own.offset[SOURCE];
    target += p.first[TARGET] + own.offset[TARGET];
#if IS_SHARED
    LOCAL i64 from[ITEMS], to[ITEMS];
    LOCAL i32 share[ITEMS];
    const int item = LOCAL_ID(0);
    if (GROUP_ID(0) > 0)
        report = 0;
    for (i64 first = 0; first < p.n_serial; first += ITEMS) {
        const int count = (int)(p.n_serial - first < ITEMS ? p.n_serial - first : ITEMS);
        if (item < count) {
            place at;
            share[item] = -1;
            if (serial_place(&p, first + item, p.first[INDICES], indices, report, tag, &at))
                share[item] = share_of(at.offset[TARGET], p.shares);
            from[item] = at.offset[SOURCE];
            to[item] = at.offset[TARGET];
        }
        BARRIER;
        for (int k = 0; k < count && is_used; k++)
            if (share[k] == own_share)
                combine(target + to[k], source + from[k]);
        BARRIER;
    }
#else
    const i64 first_index = p.first[INDICES] + own.offset[INDICES];
    if (own_share > 0)
        report = 0;
    for (i64 t = 0; t < p.n_serial && is_used; t++) {
        place at;
        if (serial_place(&p, t, first_index, indices, report, tag, &at) &&
            share_of(at.offset[TARGET], p.shares) == own_share)
            combine(target + at.offset[TARGET], source + at.offset[SOURCE]);
    }
#endif
}
