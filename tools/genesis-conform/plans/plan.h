/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - what the cases of planned kernels share: tensors whose elements know how
 * far the device's may be off, and a run of a plan from its description to the comparison.
 */
#ifndef GENESIS_CONFORM_PLAN_H
#define GENESIS_CONFORM_PLAN_H

#include "../kernels/kernel.h"

/* Half the distance from 1 to the next float32: the error of one operation. */
#define UNIT (ldexp(1, -24))

enum { NCHW, NHWC, SCATTERED /* neither: gaps between all elements */, N_LAYOUTS };
extern const char *const layout_names[N_LAYOUTS];

struct tensor {
    gn_tensor_desc desc;
    struct buffer *buffer; /* NULL: absent */
    int64_t first;         /* number of the buffer's element at coordinates 0 */
    double *tolerance;     /* by element of the buffer; NULL: an input */
};

/* Freed, like buffers, when the case ends. Inputs are random in -2 .. 2, outputs NaN. */
struct tensor input(int dtype, int n_dims, const int64_t *size, const int64_t *stride);
struct tensor output(int dtype, int n_dims, const int64_t *size, const int64_t *stride);
struct tensor absent(void);
/* In row-major order, or of images (N, C, spatial..) in the order of `layout`. */
struct tensor input_of(int dtype, int n_dims, const int64_t *size, int layout);
struct tensor output_of(int dtype, int n_dims, const int64_t *size, int layout);

double tensor_get(const struct tensor *t, const int64_t *at);
void tensor_set(struct tensor *t, const int64_t *at, double value);
/* The output's element will be compared with `value`. */
void tensor_expect(struct tensor *t, const int64_t *at, double value, double tolerance);

/* "conv_forward": the row of the table. */
const char *kernel_name(uint32_t kernel);
/*
 * Plans and runs the kernel, twice: the subject is the kernel in the dtype of its first tensor.
 * False if the plan declines, or the device lacks the dtype. `saved`: a buffer that the forward
 * pass makes.
 */
bool run_plan(uint32_t kernel, int n_tensors, struct tensor *tensors, const void *attributes,
              struct buffer **saved);
/* Compares an output with what was expected of it, and everything around it with what was there. */
void check_tensor(struct tensor *t);

#endif
