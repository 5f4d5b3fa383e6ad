/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expect.h - what tests of operations and modules expect: values, gradients, errors. What PyTorch
 * gives is the business of tools/genesis-conform/ops.
 */
#ifndef GENESIS_TESTS_EXPECT_H
#define GENESIS_TESTS_EXPECT_H

#include <check.h>
#include <genesis/functional.h>
#include <genesis/losses.h>

/* Whether the default device has the dtype. */
bool has_dtype(int dtype);

/* The error that sticks has the status and text, or contains the text; clears it. */
void expect_error(gn_status status, const char *text);
void expect_error_with(gn_status status, const char *text);

/* An index error of the op sticks, now or when the device is waited for; clears it. */
void expect_index_error(const char *op);

/* Elements as doubles against n expected ones; `tolerance` is absolute and relative. */
void expect_values(gn_tensor *t, const double *expected, int64_t n, double tolerance);
#define EXPECT_VALUES(t, tolerance, ...)                                                           \
    expect_values(t, (double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double),    \
                  tolerance)

/* Shape and dtype of a are those of b, and every element is close by the tolerance of the dtype;
 * NaN equals NaN. */
void expect_close(const char *what, gn_tensor *a, gn_tensor *b);

/* gn_gradcheck, also of second order, on random float64 inputs of these shapes; where there is
 * float64. low and high bound the values. */
void expect_gradcheck(const char *name, gn_differentiable *fn, void *context, int n,
                      const gn_shape *shapes, double low, double high);

/* gn_gradcheck of fn, a function of one (2, 3) tensor, and of its gradient; where there is
 * float64. */
void expect_second_order(gn_differentiable *fn);

#endif
