/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - planned kernels of the CPU: checks the descriptor, finds the maker in a table, and runs
 * plans with the number of threads that they were made for.
 */
#include <stdlib.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "plan.h"

/* ---- Layouts ----------------------------------------------------------------------------------------- */

void layout_strides(unsigned layout, int n_dims, const int64_t *size, int64_t *stride) {
    int64_t next = 1;
    if (layout == LAYOUT_NHWC) {
        stride[1] = 1;
        next = size[1];
    }
    for (int d = n_dims - 1; d >= 0; d--) {
        if (d == 1 && layout == LAYOUT_NHWC)
            continue;
        stride[d] = next;
        next *= size[d];
    }
}

unsigned tensor_layouts(const gn_tensor_desc *t) {
    unsigned layouts = LAYOUT_NCHW | LAYOUT_NHWC;
    for (unsigned layout = LAYOUT_NCHW; layout <= LAYOUT_NHWC; layout *= 2) {
        int64_t stride[GN_MAX_DIMS];
        layout_strides(layout, t->n_dims, t->size, stride);
        for (int d = 0; d < t->n_dims; d++)
            if (t->size[d] != 1 && t->stride[d] != stride[d])
                layouts &= ~layout;
    }
    return layouts;
}

/* ---- Threads ----------------------------------------------------------------------------------------- */

#ifdef _OPENMP

/*
 * oneDNN splits the work of a primitive for omp_get_max_threads() threads when it is made, and some
 * primitives are wrong if another number shows up at a run. So both happen with `threads`, also
 * inside a parallel region of the caller's.
 */
typedef struct thread_setting {
    int threads, levels;
} thread_setting;

static thread_setting threads_set(int threads) {
    thread_setting before = {omp_get_max_threads(), omp_get_max_active_levels()};
    if (before.threads != threads)
        omp_set_num_threads(threads);
    if (threads > 1 && before.levels <= omp_get_active_level())
        omp_set_max_active_levels(omp_get_active_level() + 1);
    return before;
}

static void threads_restore(thread_setting before) {
    if (omp_get_max_threads() != before.threads)
        omp_set_num_threads(before.threads);
    if (omp_get_max_active_levels() != before.levels)
        omp_set_max_active_levels(before.levels);
}

#else

typedef int thread_setting;
static thread_setting threads_set(int threads) { return threads; }
static void threads_restore(thread_setting before) { (void)before; }

#endif

/* ---- The kernels ------------------------------------------------------------------------------------- */

/* optional: bit i is set if tensor i may be absent. */
static const struct {
    plan_maker *make;
    uint32_t n_tensors, optional;
    size_t attr_bytes;
} kernels[] = {
    [GN_KERNEL_MATMUL] = {plan_matmul, 4, 1 << 3, sizeof(gn_matmul_attr)},
    [GN_KERNEL_CONV_FORWARD] = {plan_convolution, 4, 1 << 3, sizeof(gn_conv_attr)},
    [GN_KERNEL_CONV_BACKWARD_DATA] = {plan_convolution, 3, 0, sizeof(gn_conv_attr)},
    [GN_KERNEL_CONV_BACKWARD_WEIGHT] = {plan_convolution, 4, 1 << 3, sizeof(gn_conv_attr)},
    [GN_KERNEL_MAX_POOL_FORWARD] = {plan_pool, 2, 0, sizeof(gn_pool_attr)},
    [GN_KERNEL_MAX_POOL_BACKWARD] = {plan_pool, 2, 0, sizeof(gn_pool_attr)},
    [GN_KERNEL_AVG_POOL_FORWARD] = {plan_pool, 2, 0, sizeof(gn_pool_attr)},
    [GN_KERNEL_AVG_POOL_BACKWARD] = {plan_pool, 2, 0, sizeof(gn_pool_attr)},
    [GN_KERNEL_BATCH_NORM_FORWARD] = {plan_batch_norm, 6, 0, sizeof(gn_norm_attr)},
    [GN_KERNEL_BATCH_NORM_BACKWARD] = {plan_batch_norm, 8, 0, sizeof(gn_norm_attr)},
};

static gn_status check_tensor(const gn_tensor_desc *t, bool optional) {
    if (optional && tensor_is_absent(t))
        return GN_OK;
    if (t->n_dims < 0 || t->n_dims > GN_MAX_DIMS)
        return cpu_fail(GN_E_ARGUMENT, 0, "a tensor of a plan has %d dims", (int)t->n_dims);
    for (int d = 0; d < t->n_dims; d++)
        if (t->size[d] < 1)
            return cpu_fail(GN_E_UNSUPPORTED, 0, "no plans for empty tensors");
    return GN_OK;
}

/* Copies what `desc` holds, stepping by the caller's sizes of structs. */
static gn_status read_request(const gn_plan_desc *desc, plan_request *out) {
    const uint32_t kernel = desc->kernel;
    if (kernel >= sizeof kernels / sizeof kernels[0] || !kernels[kernel].make)
        return cpu_fail(GN_E_UNSUPPORTED, 0, "no kernel number %u", (unsigned)kernel);
    if (desc->n_tensors != kernels[kernel].n_tensors || desc->tensor_size < sizeof(gn_tensor_desc))
        return cpu_fail(GN_E_ARGUMENT, 0, "kernel %u takes %u tensors, not %u", (unsigned)kernel,
                        (unsigned)kernels[kernel].n_tensors, (unsigned)desc->n_tensors);
    memset(out, 0, sizeof *out);
    out->kernel = kernel;
    for (uint32_t i = 0; i < desc->n_tensors; i++) {
        const char *tensor = (const char *)desc->tensors + (size_t)i * desc->tensor_size;
        memcpy(&out->tensors[i], tensor, sizeof out->tensors[i]);
        const gn_status status = check_tensor(&out->tensors[i], kernels[kernel].optional >> i & 1);
        if (status)
            return status;
    }
    const size_t *attr_bytes = desc->attributes;
    if (*attr_bytes < kernels[kernel].attr_bytes)
        return cpu_fail(GN_E_ARGUMENT, 0, "the attributes of kernel %u are too short",
                        (unsigned)kernel);
    memcpy(&out->attr, desc->attributes, kernels[kernel].attr_bytes);
    return GN_OK;
}

gn_status cpu_plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info, gn_plan **out) {
    (void)device;
    plan_request request;
    gn_status status = read_request(desc, &request);
    if (status)
        return status;
    const int threads = cpu_threads();
    const thread_setting before = threads_set(threads);
    status = kernels[request.kernel].make(&request, info, out);
    threads_restore(before);
    if (!status)
        (*out)->threads = threads;
    return status;
}

void cpu_plan_release(gn_device *device, gn_plan *plan) {
    (void)device;
    if (plan)
        plan->release(plan);
}

gn_status cpu_run(gn_device *device, gn_stream *stream, const gn_run *run) {
    (void)device, (void)stream;
    const thread_setting before = threads_set(run->plan->threads);
    const gn_status status = run->plan->run(run->plan, run);
    threads_restore(before);
    return status;
}
