/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases.h - runs the cases of a fixture file against a table of operations.
 *
 * The file, made by tests/fixtures/make_ops.py from PyTorch, is text, one item a line:
 *
 *     case NAME ARGUMENT ..            begins a case of operation NAME; arguments are numbers
 *     in DTYPE LAYOUT KIND LOW HIGH SEED GRAD SHAPE ..
 *     out DTYPE N_DIMS SHAPE .. VALUE ..
 *     grad INPUT VALUE ..              for those inputs that have one
 *
 * Inputs are not stored but computed, see value_of in cases.c, so files stay small. The gradient
 * that goes into the backward walk is computed, too.
 */
#ifndef GENESIS_TESTS_CASES_H
#define GENESIS_TESTS_CASES_H

#include <check.h>
#include <genesis/functional.h>

enum { CASE_INPUTS = 6, CASE_ARGUMENTS = 64 };

typedef struct test_case {
    const char *name;
    int line;
    int n_inputs, n_args;
    gn_tensor *in[CASE_INPUTS];
    double args[CASE_ARGUMENTS];
    bool failed;
    double tolerance; /* of the least exact dtype in it */
} test_case;

typedef struct case_op {
    const char *name;
    gn_tensor *(*run)(test_case *c);
} case_op;

/* Runs all cases of the file; every case must have a row in `ops`, and every row a case. */
void cases_run(const char *file, const case_op *ops, size_t n);

/* A tensor with the elements 0, 1, .. in a layout of its own: see `in`. */
gn_tensor *case_layout(gn_tensor *row_major, char layout);

/* Arguments as a shape: args[at] is their number, followed by them. */
gn_shape case_shape(const test_case *c, int at);
gn_dims case_dims(const test_case *c, int at);

/* The error that sticks has the status and text; clears it. */
void expect_error(gn_status status, const char *text);

/* An index error of the op sticks, now or when the device is waited for; clears it. */
void expect_index_error(const char *op);

/* Elements as doubles against n expected ones; `tolerance` is absolute and relative. */
void expect_values(gn_tensor *t, const double *expected, int64_t n, double tolerance);
#define EXPECT_VALUES(t, tolerance, ...)                                                           \
    expect_values(t, (double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double),    \
                  tolerance)

/* gn_gradcheck of fn, a function of one (2, 3) tensor, and of its gradient; where there is float64. */
void expect_second_order(gn_differentiable *fn);

/* Whether the default device has the dtype. */
bool has_dtype(int dtype);

#endif
