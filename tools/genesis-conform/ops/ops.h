/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h - operations of the library against stored results of PyTorch, on the default device.
 *
 * A group has a table of operations and a file of cases, which ../fixtures/ keeps with the scripts
 * that made it. A text file (text.c) computes its inputs; a .safetensors file (tensors.c) stores
 * them. check.c compares results and gradients.
 */
#ifndef GENESIS_CONFORM_OPS_H
#define GENESIS_CONFORM_OPS_H

#include <genesis/functional.h>
#include <genesis/losses.h>

#include "tools/genesis-conform/conform.h"

enum { OP_INPUTS = 6, OP_ARGUMENTS = 64 };

/* What an operation is run on. */
typedef struct op_case {
    int n_inputs, n_args;
    gn_tensor *in[OP_INPUTS]; /* NULL: the case has none there */
    double args[OP_ARGUMENTS];
    const void *options; /* the row's */
} op_case;

typedef struct op_row {
    const char *name; /* of its cases in the file */
    const char *op;   /* in reports; NULL: the name */
    gn_tensor *(*run)(const op_case *c);
    const void *options;
} op_row;

typedef struct op_group {
    const char *file;              /* "ops_reduce.txt" */
    const char *inputs[OP_INPUTS]; /* in a .safetensors file: names of what is in[0], in[1], .. */
    const op_row *rows;
    int n_rows;
} op_group;

extern const op_group op_arrange, op_attention, op_conv, op_copy, op_embedding, op_gather, op_index,
    op_join, op_linalg, op_linear, op_loss, op_math, op_matmul, op_norm, op_pointwise, op_pool,
    op_reduce, op_scan, op_select, op_softmax, op_sort, op_view, op_vision;

/* Numbers of a case as a shape: args[at] is how many, followed by them. */
gn_shape op_shape(const op_case *c, int at);
gn_dims op_dims(const op_case *c, int at);
/* A number of a case that is a dim, a size or the like. */
static inline int64_t op_int(const op_case *c, int i) { return (int64_t)c->args[i]; }

/* ---- A case while it runs. What is wrong ends it: see EXPECT in conform.h. */

typedef struct op_run {
    const op_row *row;
    op_case c;
    gn_tensor *y;
    int dtype;      /* to report it under: the first float's, else the first */
    int missing;    /* a dtype in it that the device lacks; 0: none */
    int least;      /* the least exact dtype in it, which sets the tolerance; 0: all are exact */
    char where[96]; /* its file, and where in the file */
    bool decimal;   /* expected values are decimal numbers of a few digits */
} op_run;

/* Every dtype of the case, in its order; then op_begin. */
void op_note_dtype(op_run *run, int dtype);
/* The case is about its row from here on; it is skipped if the device lacks a dtype of it. */
void op_begin(const op_run *run);
/* Runs the operation; run->y must be of this dtype and shape. */
void op_forward(op_run *run, int dtype, gn_shape shape);
/* Compares all elements with expected ones, within the tolerance. */
void op_compare(const op_run *run, const char *what, gn_tensor *t, const double *expected,
                int64_t n);
/* Walks back from the result. */
void op_backward(const op_run *run, gn_tensor *gradient);
/* The gradient of input k; none is as good as zeros. */
void op_compare_gradient(const op_run *run, int k, const double *expected, int64_t n);

/* ---- Files of cases. An index is a case's number in its file. */

/* The path of a file of cases; valid until the next call. */
const char *op_path(const char *file);

/* At least 1: a file that can't be read is a case that fails. */
int op_text_count(const op_group *group);
bool op_text_has(const op_group *group, const op_row *row);
void op_text_run(const op_group *group, int index);
/* One case for each row of the group. */
void op_tensors_run(const op_group *group, int index);

#endif
