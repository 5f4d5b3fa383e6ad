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
 * Defined before: DTYPE, ELEMENT, VALUE; COMBINE, a GN_SCATTER_*; IS_FLOAT; IS_SHARED; and ITEMS.
 */

#define LOAD(p, i) JOIN(LOAD_, DTYPE)(p, i)
#define STORE(p, i, value) JOIN(STORE_, DTYPE)(p, i, value)

enum { SOURCE, INDICES, TARGET, OPERANDS, DIMS = 12, SET = 0, ADD, MAX, MIN };

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

FN void combine(GLOBAL ELEMENT *target, GLOBAL const ELEMENT *source) {
    const VALUE value = LOAD(source, 0);
#if COMBINE == 0
    STORE(target, 0, value);
#else
    const VALUE old = LOAD(target, 0);
#if COMBINE == 1 && defined IS_BOOL
    STORE(target, 0, old | value);
#elif COMBINE == 1
    STORE(target, 0, old + value);
#elif COMBINE == 2
    if (value > old || IS_NAN(value))
        STORE(target, 0, value);
#else
    if (value < old || IS_NAN(value))
        STORE(target, 0, value);
#endif
#endif
}
