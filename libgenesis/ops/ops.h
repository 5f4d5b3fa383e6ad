/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h (internal) - pointwise operations as expressions: what the files of ops/ build on.
 */
#ifndef GENESIS_OPS_INTERNAL_H
#define GENESIS_OPS_INTERNAL_H

#include <genesis/functional.h>

#include "../autograd/autograd.h"
#include "../program/program.h"

/* ---- Pointwise operations
 *
 * A static gn__op describes one; its expression is parsed at first use. Applying it checks shapes
 * and devices, makes the result, runs one map program, and records itself:
 *
 *     static gn__op silu = {.name = "silu", .text = "x * sigmoid(x)", .variables = "x"};
 *     return gn__apply(&silu, 1, &x, NULL);
 */
typedef struct gn__op {
    const char *name;                      /* in errors and gn_grad_fn */
    const char *text, *variables, *params; /* see gn__expr_parse; params NULL: none */
    /* own gradients over variables, y and g; NULL: derived */
    const char *gradient[GN__MAX_VARIABLES];
    _Atomic(gn__expr *) expr;
} gn__op;

/* The op on its variables, broadcast; params has one number for each of the op's. */
gn_tensor *gn__apply(gn__op *op, int n, gn_tensor *const *inputs, const double *params);
/* The same with a result of the given dtype. */
gn_tensor *gn__apply_as(gn__op *op, int n, gn_tensor *const *inputs, const double *params,
                        int dtype);
/* The sum of the op over dims (bits of `reduced`) of the shape to which the inputs broadcast; they
 * go. One reduce; its gradients, which must not use y, are one map or reduce each. */
gn_tensor *gn__apply_sum(gn__op *op, int n, gn_tensor *const *inputs, const double *params,
                         unsigned reduced);
/* In place: inputs[0] takes the result. Returns it. */
gn_tensor *gn__apply_in_place(gn__op *op, int n, gn_tensor *const *inputs, const double *params);
/* The expression of an op; NULL with an error. */
gn__expr *gn__op_expr(gn__op *op);

/* Parameters as the program wants them: .f or .i. */
void gn__set_params(const gn_program *program, const double *values, gn_scalar *out);

/* a += b on the data, without history; same shapes, dtypes and devices. */
gn_status gn__add_into(gn_tensor *a, gn_tensor *b);

/* ---- Indices (gather.c)
 *
 * An index outside its extent is an error GN_E_INDEX of the launch, or later of its stream. */

/* t, of an integer dtype, as int64; NULL with an error. */
gn_tensor *gn__index_tensor(const char *op, gn_tensor *t);
/* Brings n tensors to their common device, 0-dim cpu tensors by a copy; false with an error. */
bool gn__together(const char *op, int n, gn_tensor **t);
/* Operands x, index (int64), y: y = x displaced by index times its axis_stride. */
gn_status gn__launch_gather(gn__device *device, const char *op, int dtype, int n_dims,
                            const int64_t *size, const gn__operand operands[3]);
/* Zeros of the shape with source[c] added at c, but index[c] along dim: the gradient of what took
 * elements from there. Differentiable in source. NULL passes through. */
gn_tensor *gn__spread(const char *op, gn_shape shape, int dim, gn_tensor *index, gn_tensor *source);

/* ---- Running results (scan.c) */

/* The opcode (ADD, MUL, MAX) applied to all elements up to each one along the dim; without history.
 */
gn_tensor *gn__scan(const char *name, int op, gn_tensor *x, int dim, int dtype);

#endif
