/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.h - what batch, layer, RMS and group norm share.
 */
#ifndef GENESIS_OPS_NORM_H
#define GENESIS_OPS_NORM_H

#include "support.h"

enum {
    NORM_RMS = 1,        /* no mean */
    NORM_STATISTICS = 2, /* store mean and rstd for backward */
    NORM_VARIANCE = 4    /* store the biased variance for running statistics */
};

/* Inputs of the nodes, and slots of what they save. */
enum { NORM_X, NORM_WEIGHT, NORM_BIAS, NORM_MEAN, NORM_RSTD };

typedef struct gn__norm {
    const char *op;
    unsigned reduced;  /* the dims that statistics are taken over, as bits; */
    unsigned weighted; /* those that weight and bias have */
    int flags;
    double eps;
} gn__norm;

/* Over the kept dims, in the type that x computes in; NULL: not there. */
typedef struct gn__statistics {
    gn_tensor *mean, *rstd, *var;
} gn__statistics;

/* weight and bias may be NULL. Fills y, and the statistics that the flags ask for. */
gn_status gn__norm_forward(const gn__norm *norm, gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                           gn_tensor *y, gn__statistics *out);
/* A new tensor; or so_far, unless that is NULL, with the gradient added. */
gn_tensor *gn__norm_dx(const gn__norm *norm, gn_tensor *x, gn_tensor *g, gn_tensor *weight,
                       const gn__statistics *statistics, gn_tensor *so_far);
/* dw and db may be NULL. */
gn_status gn__norm_dweight(const gn__norm *norm, gn_tensor *x, gn_tensor *g,
                           const gn__statistics *statistics, gn_tensor *dw, gn_tensor *db);
/* All gradients that the node needs, in public operations. fixed: statistics that do not depend on
 * x (evaluation mode of batch norm), or NULL. */
gn_status gn__norm_backward_recorded(const gn__norm *norm, gn__node *node, gn_tensor *x,
                                     gn_tensor *g, gn_tensor *weight, gn_tensor *bias,
                                     const gn__statistics *fixed, gn_tensor **out);

/* y of a norm over the input's own statistics, recorded. The arguments fit; weight and bias may be
 * NULL (layer_norm.c). */
gn_tensor *gn__norm_apply(gn__norm norm, gn_tensor *x, gn_tensor *weight, gn_tensor *bias);

/* Whether t is NULL or (C) for x (N, C, *); false with an error. */
bool gn__check_per_channel(const char *op, const char *what, const gn_tensor *t,
                           const gn_tensor *x);

#endif
