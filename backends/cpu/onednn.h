/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onednn.h - oneDNN as the planned kernels see it: the same for versions 2.6 and 3.x.
 */
#ifndef GENESIS_CPU_ONEDNN_H
#define GENESIS_CPU_ONEDNN_H

#include <stdbool.h>

#include <oneapi/dnnl/dnnl.h>

#include "cpu.h"

/* ---- Memory descriptors: shape, type and layout of a tensor -------------------------------- */

#if DNNL_VERSION_MAJOR < 3
typedef dnnl_memory_desc_t *dnn_md;
typedef const dnnl_memory_desc_t *dnn_const_md;
#else
typedef dnnl_memory_desc_t dnn_md;
typedef const_dnnl_memory_desc_t dnn_const_md;
#endif

/* stride NULL: whatever layout the primitive prefers. Destroy accepts NULL. */
dnnl_status_t dnn_md_create(dnn_md *out, int n_dims, const int64_t *size, int dtype,
                            const int64_t *stride);
void dnn_md_destroy(dnn_md md);

/* ---- Primitives: owned by the caller; all take their scratchpad as an argument ------------- */

/* c = a b + bias, of one row, + addend, of any shape that broadcasts. Either may be NULL. */
typedef struct dnn_matmul {
    dnn_md a, b, bias, addend, c;
} dnn_matmul;

typedef struct dnn_convolution {
    dnnl_prop_kind_t prop; /* dnnl_forward_training, dnnl_backward_data, dnnl_backward_weights */
    dnn_md image, weight, bias, result;          /* bias: NULL if absent */
    dnnl_dims_t stride, dilation, before, after; /* dilation 0: dense */
} dnn_convolution;

dnnl_status_t dnn_matmul_create(dnnl_primitive_t *out, const dnn_matmul *m);
dnnl_status_t dnn_convolution_create(dnnl_primitive_t *out, const dnn_convolution *c);
dnnl_status_t dnn_reorder_create(dnnl_primitive_t *out, dnn_const_md from, dnn_const_md to);

/* The descriptor of the memory that the argument must have; lives as long as the primitive. */
dnn_const_md dnn_primitive_md(const_dnnl_primitive_t primitive, int arg);
/* The name of the implementation: "brg:avx512_core", "jit:avx2", "ref:any". */
const char *dnn_primitive_name(const_dnnl_primitive_t primitive);
bool dnn_is_reference(const_dnnl_primitive_t primitive);

/* A memory object without memory: dnnl_memory_set_data_handle gives it some. The caller owns it. */
dnnl_status_t dnn_memory_create(dnnl_memory_t *out, dnn_const_md md);
dnnl_status_t dnn_execute(const_dnnl_primitive_t primitive, int n_args,
                          const dnnl_exec_arg_t *args);

/* Records what oneDNN's status means for a plan; GN_E_UNSUPPORTED where it has no such kernel. */
gn_status dnn_fail(dnnl_status_t status, const char *what);

#endif
