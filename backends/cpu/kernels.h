/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels.h - the loops that programs are made of, one set per instruction set of the processor.
 *
 * A register is an array of up to one tile of values, or, where it is `uniform`, a single value.
 * kernels_base.c, kernels_v3.c and kernels_v4.c compile the same text, kernels.inc, for different
 * instruction sets; cpu_kernels_best() picks one at run time. Compiled so, and not by
 * target_clones, they need no ifunc, which sanitizers and other C libraries don't like.
 */
#ifndef GENESIS_CPU_KERNELS_H
#define GENESIS_CPU_KERNELS_H

#include <genesis/backend.h>

/* Operands of a kernel that are uniform: bits of `form`. */
enum { CPU_A_UNIFORM = 1, CPU_B_UNIFORM = 2, CPU_C_UNIFORM = 4 };

/* Two operations of floats in one: CPU_MUL_ADD is a * b + c, CPU_MUL_RSUB c - a * b. */
enum { CPU_MUL_ADD, CPU_MUL_SUB, CPU_MUL_RSUB, CPU_ADD_MUL, CPU_SUB_MUL, CPU_MUL_MUL, CPU_PAIRS };

/* out[i] = op(a[i], b[i], c[i]), 0 <= i < n. `out` may be exactly one of the operands. */
typedef void cpu_kernel(int64_t n, int form, void *out, const void *a, const void *b,
                        const void *c);

/*
 * Folds a tile (rows, cols) into one state per row, or one per column. A state is `value` (.f of
 * floats, .i of others) and `extra`: the payload of argmax and argmin, the rounding error of sums.
 */
typedef void cpu_fold(int64_t rows, int64_t cols, const void *x, const int64_t *payload,
                      gn_scalar *value, gn_scalar *extra);

/* Copies (rows, cols) elements from or to strided memory; the other side is dense. */
typedef void cpu_move(int64_t rows, int64_t cols, void *out, const void *in, int64_t row_stride,
                      int64_t col_stride);

/* out[i] = in[i * stride + index[i] * axis_stride]; 0 where not 0 <= index[i] < extent.
 * Returns the first such i, or -1. */
typedef int64_t cpu_pick(int64_t n, void *out, const void *in, int64_t stride, const int64_t *index,
                         int64_t axis_stride, int64_t extent);

/* target[i * target_stride] = combine(target[i * target_stride], source[i * source_stride]) */
typedef void cpu_combine(int64_t n, void *target, int64_t target_stride, const void *source,
                         int64_t source_stride);

/* Sizes of elements are given by their logarithm: 0, 1, 2, 3. */
typedef struct cpu_kernels {
    const char *name;
    cpu_kernel *op[GN_OP_SELECT + 1][GN_N_DTYPES];  /* by the type of a; SELECT: of b */
    cpu_kernel *strict[GN_OP_MAX + 1][GN_N_DTYPES]; /* instead, with GN_PROGRAM_NO_CONTRACT */
    cpu_kernel *fused[CPU_PAIRS][GN_N_DTYPES];
    cpu_kernel *cast[GN_N_DTYPES][GN_N_DTYPES]; /* from, to */
    cpu_kernel *round[GN_N_DTYPES];             /* ROUND to f16, bf16 */
    cpu_kernel *widen[GN_N_DTYPES];  /* from memory to a register; NULL: they are equal */
    cpu_kernel *narrow[GN_N_DTYPES]; /* from a register to memory; NULL: they are equal */
    cpu_kernel *splat[4];            /* out[i] = a[0] */
    cpu_move *gather[4], *scatter[4];
    cpu_pick *pick[4];
    cpu_fold *fold_rows[GN_ARGMIN + 1][GN_N_DTYPES], *fold_columns[GN_ARGMIN + 1][GN_N_DTYPES];
    cpu_combine *combine[GN_SCATTER_MIN + 1][GN_N_DTYPES]; /* by storage type */
    /* out[r, c] = first + r * row_step + c * col_step */
    void (*iota)(int64_t rows, int64_t cols, int64_t *out, int64_t first, int64_t row_step,
                 int64_t col_step);
} cpu_kernels;

extern const cpu_kernels cpu_kernels_base;
#if defined(__x86_64__)
extern const cpu_kernels cpu_kernels_v3, cpu_kernels_v4;
#endif

/* The set for this processor. */
const cpu_kernels *cpu_kernels_best(void);

/* special.c: gamma functions, which the C library lacks or makes racy */
float cpu_lgamma_f32(float x), cpu_digamma_f32(float x);
double cpu_lgamma_f64(double x), cpu_digamma_f64(double x);

static inline int cpu_log2_size(int dtype) {
    static const uint8_t log2_size[GN_N_DTYPES] = {
        [GN_BOOL] = 0, [GN_U8] = 0,  [GN_I8] = 0,   [GN_I16] = 1, [GN_I32] = 2, [GN_I64] = 3,
        [GN_U32] = 2,  [GN_F16] = 1, [GN_BF16] = 1, [GN_F32] = 2, [GN_F64] = 3,
    };
    return log2_size[dtype];
}

#endif
