/* SPDX-License-Identifier: Apache-2.0 */
/*
 * class_loss.h (internal) - the loss of class indices, which the functions of class_loss.c check
 * and cross_entropy.c computes.
 */
#ifndef GENESIS_OPS_CLASS_LOSS_H
#define GENESIS_OPS_CLASS_LOSS_H

#include "loss.h"

typedef struct gn__class_loss {
    const char *op;
    int class_dim;
    bool logits; /* else log-probabilities */
    gn_reduction reduction;
    int64_t ignore;
} gn__class_loss;

/* Shapes and dtypes fit; weight (one number for each class) may be NULL. */
gn_tensor *gn__class_loss_of(const gn__class_loss *data, gn_tensor *input, gn_tensor *target,
                             gn_tensor *weight);

#endif
