/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - what max and average pooling share: options, output sizes, windows by strides.
 */
#ifndef GENESIS_OPS_POOL_H
#define GENESIS_OPS_POOL_H

#include "support.h"

enum { GN__POOL_PROGRAM_OPERANDS = 3 + GN_MAX_SPATIAL };

/* A pooling of images (N, C, in..) -> (N, C, out..). */
typedef struct gn__pool {
    gn_pool_attr attr;
    int64_t in[2 + GN_MAX_SPATIAL], out[2 + GN_MAX_SPATIAL];
} gn__pool;

/* From the public options, for x (N, C, in..) with n spatial dims. false with an error. */
bool gn__pool_make(const char *op, int n, const gn_tensor *x, int64_t kernel,
                   const gn_pool_options *o, gn__pool *out);

/* x (N, C, in..) as it is, (C, in..) with a batch dim of 1 in front; NULL with an error. */
gn_tensor *gn__pool_batched(const char *op, int n, gn_tensor *x);

/* The space (N, C, out.., kernel..), the last n_spatial dims reduced. */
gn__rows gn__pool_space(const gn__pool *pool);
/* Windows over t, in which element `offset` of each spatial dim is the first of the first window;
 * `step` between windows and `dilation` inside them. */
gn__operand gn__pool_windows(const gn__pool *pool, const gn_tensor *t, const int64_t *offset,
                             const int64_t *step, const int64_t *dilation);
/* A tensor over (N, C, out..). */
gn__operand gn__pool_results(const gn__pool *pool, const gn_tensor *t);
/* The place in the input, along spatial dim d, of a window's element. */
gn__operand gn__pool_place(const gn__pool *pool, int d);
/* x in a frame of `value` as large as the windows need; x itself if they stay inside. */
gn_tensor *gn__pool_framed(const gn__pool *pool, gn_tensor *x, double value);

#endif
