/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurrent.h - one layer of a recurrent network, in one direction, over all steps of a sequence.
 *
 * T steps, N sequences, state of size H, G gates. A state h is (N, H); an LSTM has c (N, H), too.
 * With a = x[t] and b = h weight^T + bias, whose columns are the gates' blocks of H:
 *
 *   RNN    h' = tanh(a + b) or relu(a + b)
 *   LSTM   i, f, o = sigmoid, g = tanh of the blocks i, f, g, o of a + b;
 *          c' = f c + i g;  h' = o tanh(c')
 *   GRU    r, z = sigmoid of the first blocks of a + b;  n = tanh(a_n + r b_n);
 *          h' = (1 - z) n + z h
 */
#ifndef GENESIS_OPS_RECURRENT_H
#define GENESIS_OPS_RECURRENT_H

#include "support.h"

typedef enum gn__cell_kind {
    GN__RNN_TANH,
    GN__RNN_RELU,
    GN__LSTM,
    GN__GRU,
    GN__CELL_KINDS
} gn__cell_kind;

int gn__cell_gates(gn__cell_kind kind);

typedef struct gn__recurrence {
    gn__cell_kind kind;
    bool reverse;       /* from the last step to the first */
    gn_tensor *x;       /* (T, N, G H) */
    gn_tensor *h, *c;   /* the states before; c of an LSTM only */
    gn_tensor *weight;  /* (G H, H) */
    gn_tensor *bias;    /* (G H), or NULL */
    gn_tensor *lengths; /* (N) int64: from that step on a sequence keeps its state; NULL: T */
} gn__recurrence;

enum { GN__STATES, GN__LAST_H, GN__LAST_C, GN__RECURRENCE_OUTPUTS };

/* out: the states h' of all steps (T, N, H), and the states at the end. One node of the graph. x has
 * three dims and at least one step; an LSTM has a c, and lengths fit. */
gn_status gn__recur(const gn__recurrence *r, gn_tensor **out);

/* The same in public operations, step by step. projection (P, H), or NULL: h' is mapped by it, and
 * states h are (N, P), the weight (G H, P). */
gn_status gn__recur_by_steps(const gn__recurrence *r, gn_tensor *projection, gn_tensor **out);

/* One step in public operations: a and b as above; h and c become the new states. */
void gn__cell_step(gn__cell_kind kind, gn_tensor *a, gn_tensor *b, gn_tensor **h, gn_tensor **c);

/* ---- The steps' kernels (recurrent_cells.c) */

/* Where the tensors of a step begin, with strides for (N, H). Blocks follow each other by H. */
typedef struct gn__step {
    gn__device *device;
    int dtype;
    int64_t t, n, hidden;
    bool ends, has_dy; /* there are lengths, there is a dy */
    gn__operand lengths;
    gn__operand x, hw;                      /* the blocks a and b */
    gn__operand kept;                       /* blocks for backward: see gn__cell */
    gn__operand h_old, h_new, c_old, c_new; /* states */
    gn__operand dy, carry, direct, dc;      /* gradients: of h_new in y, of h_new from the next
                                               * step, the same by a way beside the weight, of c */
    gn__operand dx, dhw;                    /* of the blocks a and b */
} gn__step;

typedef struct gn__cell {
    const char *name;
    int gates;
    int kept;      /* blocks */
    bool has_c;    /* an LSTM */
    bool separate; /* dhw is not dx, and there is a `direct` without lengths, too */
    gn_status (*forward)(const gn__step *s);
    gn_status (*backward)(const gn__step *s); /* in place: dc, direct */
} gn__cell;

extern const gn__cell gn__cells[GN__CELL_KINDS];

#endif
