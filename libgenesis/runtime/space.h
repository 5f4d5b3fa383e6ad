/* SPDX-License-Identifier: Apache-2.0 */
/*
 * space.h - an iteration space as a caller gives it, and as a backend gets it.
 */
#ifndef GENESIS_RUNTIME_SPACE_H
#define GENESIS_RUNTIME_SPACE_H

#include "runtime.h"

/* What the caller gives. The last n_tail dims are the reduced or serial ones. */
typedef struct gn__raw_space {
    int n_dims, n_tail;
    const int64_t *size;
    uint32_t n_operands;
    const gn__operand *operands;
    const gn_operand_info *infos;
    bool in_order; /* the dims keep their order */
} gn__raw_space;

/* What the backend gets: only what is used is filled. */
typedef struct gn__space {
    uint32_t n_dims, n_tail;
    int64_t size[GN_MAX_DIMS];
    gn_operand operands[GN_MAX_OPERANDS];
} gn__space;

typedef enum gn__extent {
    GN__SPACE_FULL,
    GN__SPACE_EMPTY,     /* a size outside the tail is 0: nothing to do. `out` is not filled */
    GN__SPACE_TAIL_EMPTY /* only a size in the tail is 0. `out` is not filled */
} gn__extent;

/* Drops dims of size 1; unless in_order, sorts the others, within and outside the tail, by falling
 * stride of the first operand that tells them apart; merges neighbours that all operands walk as
 * one. */
gn__extent gn__simplify_space(const gn__raw_space *raw, gn__space *out);

#endif
