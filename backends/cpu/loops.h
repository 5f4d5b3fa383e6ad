/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loops.h - the vectorised inner loops of the planned kernels that oneDNN does not serve: pooling,
 * batch norm, and products with vectors or of tiny matrices. All of f32.
 *
 * loops_base.c, loops_v3.c and loops_v4.c compile the same text, loops.inc, for different
 * instruction sets, as kernels.h does for programs. No loop is parallel in itself.
 */
#ifndef GENESIS_CPU_LOOPS_H
#define GENESIS_CPU_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The elements that one pixel of a pooling reads: (i, j, k) of `count` lies i * step[0] + .. after
 * the first, and is number index + i * index_step[0] + .. of its pooling window.
 */
typedef struct pool_window {
    int64_t count[3], step[3];
    int32_t index, index_step[3];
    /* gradient of the average: divided by divisor[0][i * divisor_step[0]] * .. */
    const float *divisor[3];
    int64_t divisor_step[3];
} pool_window;

/* One of the products of a batch, by strides of elements; b's rows or columns are dense. */
typedef struct small_matmul {
    int64_t m, n, k;
    int64_t a_row, a_column, b_row, b_column, c_row, bias_row, bias_column;
    bool relu;
} small_matmul;

typedef struct plan_loops {
    /* y (channels) = max over the window of x, and the winner's number in the window; -1 of none.
     * `wide`: numbers are i32, not u8. */
    void (*max_forward)(const pool_window *window, int64_t channels, const float *x, float *y,
                        void *winner, bool wide);
    /* dx (channels) = sum of the dy of the window whose winner has that number */
    void (*max_backward)(const pool_window *window, int64_t channels, const float *dy,
                         const void *winner, bool wide, float *dx);
    /* y = sum over the window of x / divisor */
    void (*average_forward)(const pool_window *window, int64_t channels, const float *x,
                            float divisor, float *y);
    /* dx = sum over the window of dy / its divisor */
    void (*average_backward)(const pool_window *window, int64_t channels, const float *dy,
                             float *dx);
    /* c = relu(a b + bias), columns first .. last - 1 of it; bias may be NULL */
    void (*matmul)(const small_matmul *p, const float *a, const float *b, const float *bias,
                   float *c, int64_t first, int64_t last);
    /* c[i] = max(c[i], 0); NaN stays */
    void (*relu)(int64_t n, float *c);

    /*
     * Batch norm of a dense block (rows, columns). A channel is a row if `by_row`, else a column,
     * and the arrays of coefficients have one element for each channel.
     */
    /* mean, and squares = sum (x - mean)^2 */
    void (*norm_moments)(int64_t rows, int64_t columns, bool by_row, const float *x, float *mean,
                         float *squares);
    /* sum = sum dy, product = sum dy (x - mean) */
    void (*norm_products)(int64_t rows, int64_t columns, bool by_row, const float *dy,
                          const float *x, const float *mean, float *sum, float *product);
    /* y = (x - mean) scale + shift */
    void (*norm_forward)(int64_t rows, int64_t columns, bool by_row, const float *x,
                         const float *mean, const float *scale, const float *shift, float *y);
    /* dx = dy of_dy + (x - mean) of_x + shift */
    void (*norm_backward)(int64_t rows, int64_t columns, bool by_row, const float *dy,
                          const float *x, const float *mean, const float *of_dy, const float *of_x,
                          const float *shift, float *dx);
} plan_loops;

extern const plan_loops plan_loops_base;
#if defined(__x86_64__)
extern const plan_loops plan_loops_v3, plan_loops_v4;
#endif

/* The set for this processor. */
const plan_loops *plan_loops_best(void);

#endif
