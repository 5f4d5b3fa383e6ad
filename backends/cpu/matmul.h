/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul.h - a matrix product in its simplest form: dims of size 1 dropped, batch dims merged and,
 * where b is the same for all of them, joined to the rows of a; c's rows dense or far apart.
 */
#ifndef GENESIS_CPU_MATMUL_H
#define GENESIS_CPU_MATMUL_H

#include "plan.h"

enum { MATMUL_A, MATMUL_B, MATMUL_C, MATMUL_BIAS, MATMUL_OPERANDS };

/* c (batch.., m, n) = relu(a (batch.., m, k) b (batch.., k, n) + bias (batch.., m, n)) */
typedef struct matmul_problem {
    int64_t m, n, k;
    int n_batch;
    int64_t batch[GN_MAX_DIMS];
    struct {
        int place; /* in the run; -1: absent */
        int dtype;
        int64_t batch[GN_MAX_DIMS], row, column; /* strides */
    } operand[MATMUL_OPERANDS];
    bool relu;
} matmul_problem;

/* Products with vectors and tiny ones, where oneDNN is slow: GN_E_UNSUPPORTED if this is none. */
gn_status plan_small_matmul(const matmul_problem *problem, plan_kernel **out);

#endif
