/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate.h - runs programs on scalars, one coordinate, without any device: for the tests of
 * libgenesis/program. Transcendental functions are computed in double, also those of f32.
 */
#ifndef GENESIS_TESTS_EVALUATE_H
#define GENESIS_TESTS_EVALUATE_H

#include "program/program.h"

/* The value that a program stores in its last operand. `inputs` are those of its other operands,
 * in order; f16 and bf16 are not rounded. Reductions are over one element. A program that takes or
 * makes what is not defined here stops the test. */
gn_scalar evaluate_program(const gn_program *program, const gn_scalar *inputs,
                           const gn_scalar *params);

/* Instantiates e for variables and a result of f64 and evaluates it; `values` are those of all its
 * variables. Parameters are floats. */
double evaluate_f64(gn__expr *e, const double *values, const double *params);

/* The opcodes of a program, in order, with spaces between: "load load add store". Valid until the
 * next call. */
const char *opcodes_of(const gn_program *program);

/* A signature with all variables of e of one dtype, the result as the expression's type says. */
gn__signature signature_of(const gn__expr *e, int dtype);

/* An expression whose parsing must succeed. */
gn__expr *parsed(const char *text, const char *variables, const char *params);

/* Whether two values of a type are the same: all NaNs are, 0 and -0 are not. */
bool same_value(int type, gn_scalar a, gn_scalar b);

#endif
