/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - what the planned kernels share: the request that they are made from, the plan that they
 * become, spaces with few dims, and the text that tells a kernel its dtype. plan.c has the table of
 * the kernels.
 */
#ifndef GENESIS_OPENCL_PLAN_H
#define GENESIS_OPENCL_PLAN_H

#include "opencl.h"

enum { OCL_PLAN_TENSORS = 9 };

/* A gn_plan_desc, checked: as many tensors as the kernel has, none empty, the attributes there. */
typedef struct ocl_request {
    uint32_t kernel;
    gn_tensor_desc tensors[OCL_PLAN_TENSORS];
    union {
        size_t struct_size;
        gn_matmul_attr matmul;
        gn_conv_attr conv;
        gn_pool_attr pool;
        gn_norm_attr norm;
        gn_attention_attr attention;
    } attr;
} ocl_request;

/* First member of what each maker allocates, in one piece. It is immutable: its kernels are made,
 * and several threads may run it at once. */
struct gn_plan {
    gn_device *device;
    gn_status (*run)(const gn_plan *plan, gn_stream *stream, const gn_run *run);
};

typedef gn_status ocl_maker(gn_device *device, const ocl_request *request, gn_plan_info *info,
                            gn_plan **out);
ocl_maker ocl_plan_matmul, ocl_plan_conv, ocl_plan_pool, ocl_plan_norm, ocl_plan_attention;

/* A plan of so many bytes, zeros behind what plan.h knows; NULL after an error. */
void *ocl_plan_new(gn_device *device, size_t bytes,
                   gn_status (*run)(const gn_plan *plan, gn_stream *stream, const gn_run *run));

static inline bool ocl_is_absent(const gn_tensor_desc *t) { return t->n_dims < 0; }

/* ---- Spaces: sizes, and the strides of several operands along them */

enum { OCL_SPACE_OPERANDS = 4 };

typedef struct ocl_space {
    int n_dims;
    int64_t size[GN_MAX_DIMS];
    int64_t stride[OCL_SPACE_OPERANDS][GN_MAX_DIMS];
} ocl_space;

/* Adds a dim behind the others, as a part of the last one where all operands allow it. Strides of
 * operands that there are not are 0. */
void ocl_space_add(ocl_space *space, int64_t size, const int64_t stride[OCL_SPACE_OPERANDS]);
int64_t ocl_space_size(const ocl_space *space);

/* ---- Text and arguments of kernels */

/* GN_E_UNSUPPORTED unless the tensors that there are have one dtype, a float that the device
 * computes, or holds to be computed in f32. */
gn_status ocl_check_floats(const gn_device *device, const gn_tensor_desc *tensors, int n,
                           const char *what);

/* Defines ELEMENT, as stored, VALUE, as computed, LOAD and STORE. */
const char *ocl_dtype_defines(int dtype);

/* Whether offsets into these tensors, and numbers of their elements, fit into 31 bits. */
bool ocl_is_small(const gn_tensor_desc *tensors, int n);

/* Work-items of a group: so many, or, on devices that can't, a lower power of 2. */
size_t ocl_items(const gn_device *device, size_t wanted);

/* The buffer of a tensor, or none. */
void ocl_tensor(ocl_launch *launch, const gn_pointer *pointer);

/* Where a tensor begins in its buffer, in elements. */
static inline int64_t ocl_first(const gn_pointer *pointer, int dtype) {
    if (!pointer->mem)
        return 0;
    return (int64_t)((pointer->mem->offset + pointer->offset) / gn_dtype_bytes(dtype));
}

#endif
