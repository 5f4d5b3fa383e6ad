/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line_search.h (internal) - along a direction, a step that satisfies the strong Wolfe conditions.
 */
#ifndef GENESIS_OPTIM_LINE_SEARCH_H
#define GENESIS_OPTIM_LINE_SEARCH_H

#include "../tensor/tensor.h"

/* A point of the line: loss, slope along the line, and gradient, at x + t d. */
typedef struct gn__point {
    double t, loss, slope;
    gn_tensor *gradient; /* retained */
} gn__point;

typedef struct gn__line {
    /* The point at t; false with an error. */
    bool (*at)(void *context, double t, gn__point *out);
    void *context;
    double length;           /* the largest element of d */
    double tolerance_change; /* changes of the parameters that count as none */
    int64_t max_evaluations;
} gn__line;

/* *to = *from; retains the gradient and releases the one that was there. */
void gn__point_copy(gn__point *to, const gn__point *from);

/* From t = 0, the point `start`, and a first guess of t, to *out. Returns the number of
 * evaluations, or -1 with an error. */
int64_t gn__strong_wolfe(const gn__line *line, const gn__point *start, double t, gn__point *out);

#endif
