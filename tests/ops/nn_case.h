/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nn_case.h - checks functions against PyTorch's results, which tests/fixtures/make_nn.py stores,
 * and their gradients by finite differences.
 */
#ifndef GENESIS_TESTS_OPS_NN_CASE_H
#define GENESIS_TESTS_OPS_NN_CASE_H

#include <genesis/io.h>

#include "tests/suite.h"

/* The function of a case on its inputs, NULL where the case has none; options are the table's. */
typedef gn_tensor *nn_function(gn_tensor *const *inputs, const void *options);

typedef struct nn_case {
    const char *name;
    nn_function *function;
    const void *options;
} nn_case;

enum { NN_MAX_INPUTS = 5 };

/* The fixture NAME.safetensors on the default device; the test fails if there is none. */
gn_dict *nn_fixture(const char *name);

/* Runs a case: the result must be NAME.y, the gradients of the inputs NAME.d<input> after a walk
 * from NAME.g, and inputs changed by the function NAME.<input>_after. Inputs of the case are
 * NAME.<input> for the names given, NULL ends them. Dtypes that the device lacks are skipped. */
void nn_check(gn_dict *fixture, const nn_case *one, const char *const *inputs);
/* All cases of a table that ends with an empty one. */
void nn_check_all(gn_dict *fixture, const nn_case *cases, const char *const *inputs);

/* Every element of a is close to that of b, by the tolerance of their dtype; NaN equals NaN. */
void nn_expect_close(const char *what, gn_tensor *a, gn_tensor *b);

/* gn_gradcheck, also of second order, on random float64 inputs of these shapes; skipped where the
 * device has no float64. low and high bound the values. */
void nn_gradcheck(const char *name, gn_differentiable *fn, void *context, int n,
                  const gn_shape *shapes, double low, double high);

/* Whether the default device has the dtype. */
bool nn_has_dtype(int dtype);

/* The error that sticks has this status and contains the text. Clears it. */
void nn_expect_error(gn_status status, const char *text);

#endif
