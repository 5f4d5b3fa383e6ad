/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss.h (internal) - what losses share: their options, and the reduction of an expression.
 */
#ifndef GENESIS_OPS_LOSS_H
#define GENESIS_OPS_LOSS_H

#include "ops.h"
#include "support.h"

/* Options besides the reduction: each loss takes some of them. */
enum {
    GN__LOSS_WEIGHT = 1 << 0,
    GN__LOSS_POS_WEIGHT = 1 << 1,
    GN__LOSS_IGNORE_INDEX = 1 << 2,
    GN__LOSS_LABEL_SMOOTHING = 1 << 3,
    GN__LOSS_MARGIN = 1 << 4,
    GN__LOSS_BETA = 1 << 5,
    GN__LOSS_DELTA = 1 << 6,
    GN__LOSS_P = 1 << 7,
    GN__LOSS_EPS = 1 << 8,
    GN__LOSS_SWAP = 1 << 9,
    GN__LOSS_LOG_TARGET = 1 << 10,
    GN__LOSS_NO_LOG_INPUT = 1 << 11,
    GN__LOSS_FULL = 1 << 12,
    GN__LOSS_BATCH_MEAN = 1 << 13 /* as a reduction */
};

/* Copies the options; false with an error if the reduction is none, or if one is given that the
 * loss does not take, or if an error sticks. */
bool gn__loss_options(const char *op, unsigned takes, const gn_loss_options *options,
                      gn_loss_options *out);

/* The op reduced over all elements of the shape to which its inputs broadcast; all of them by
 * GN_REDUCE_NONE. The op is a multiple of its first parameter, a factor which is set here;
 * parameters[1..] are given. */
gn_tensor *gn__loss_reduced(gn__op *op, int n, gn_tensor *const *inputs, double *params,
                            gn_reduction reduction);
/* A tensor of losses, reduced. */
gn_tensor *gn__loss_of_elements(gn_tensor *losses, gn_reduction reduction);

#endif
