/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - what the planned kernels share: the request that they are made from, what they make of
 * it, and how tensors lie in memory. plan.c has the table of the kernels.
 */
#ifndef GENESIS_CPU_PLAN_H
#define GENESIS_CPU_PLAN_H

#include "cpu.h"

enum { CPU_PLAN_TENSORS = 8 };

/* A gn_plan_desc, checked: as many tensors as the kernel has, none empty, the attributes there. */
typedef struct plan_request {
    uint32_t kernel;
    gn_tensor_desc tensors[CPU_PLAN_TENSORS];
    union {
        size_t struct_size;
        gn_matmul_attr matmul;
        gn_conv_attr conv;
        gn_pool_attr pool;
        gn_norm_attr norm;
    } attr;
} plan_request;

/* A kernel made ready for a request; first member of what each maker allocates. It is immutable,
 * and several threads may run it at once. */
typedef struct plan_kernel plan_kernel;
struct plan_kernel {
    gn_status (*run)(plan_kernel *kernel, const gn_run *run);
    void (*release)(plan_kernel *kernel); /* frees all of it */
};

typedef gn_status plan_maker(const plan_request *request, gn_plan_info *info, plan_kernel **out);
plan_maker plan_matmul, plan_convolution, plan_pool, plan_batch_norm;

static inline bool tensor_is_absent(const gn_tensor_desc *t) { return t->n_dims < 0; }

/* The address of a tensor of a run. */
static inline void *plan_memory(const gn_pointer *p) { return (char *)p->mem->base + p->offset; }

/* How (N, C, spatial..) lies densely in memory. A tensor of one channel or one pixel is both. */
enum { LAYOUT_NCHW = 1, LAYOUT_NHWC = 2 };

unsigned tensor_layouts(const gn_tensor_desc *t);
/* stride := the strides of that layout, whatever the strides of dims of size 1 were. */
void layout_strides(unsigned layout, int n_dims, const int64_t *size, int64_t *stride);

#endif
