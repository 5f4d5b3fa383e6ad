/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - planned kernels of the CPU: checks the descriptor, finds the maker in a table, and runs
 * plans with the number of threads that they were made for.
 */
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "plan.h"

/* ---- Layouts ------------------------------------------------------------------------------- */

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

/* ---- The kernels --------------------------------------------------------------------------- */

typedef struct kernel_row {
    plan_maker *make;
    uint32_t n_tensors;
    bool last_optional; /* the last tensor may be absent */
    size_t attr_bytes;
} kernel_row;

static const kernel_row kernels[] = {
    [GN_KERNEL_MATMUL] = {.make = plan_matmul,
                          .n_tensors = 4,
                          .last_optional = true,
                          .attr_bytes = sizeof(gn_matmul_attr)},
    [GN_KERNEL_CONV_FORWARD] = {.make = plan_convolution,
                                .n_tensors = 4,
                                .last_optional = true,
                                .attr_bytes = sizeof(gn_conv_attr)},
    [GN_KERNEL_CONV_BACKWARD_DATA] = {.make = plan_convolution,
                                      .n_tensors = 3,
                                      .attr_bytes = sizeof(gn_conv_attr)},
    [GN_KERNEL_CONV_BACKWARD_WEIGHT] = {.make = plan_convolution,
                                        .n_tensors = 4,
                                        .last_optional = true,
                                        .attr_bytes = sizeof(gn_conv_attr)},
    [GN_KERNEL_MAX_POOL_FORWARD] = {.make = plan_pool,
                                    .n_tensors = 2,
                                    .attr_bytes = sizeof(gn_pool_attr)},
    [GN_KERNEL_MAX_POOL_BACKWARD] = {.make = plan_pool,
                                     .n_tensors = 2,
                                     .attr_bytes = sizeof(gn_pool_attr)},
    [GN_KERNEL_AVG_POOL_FORWARD] = {.make = plan_pool,
                                    .n_tensors = 2,
                                    .attr_bytes = sizeof(gn_pool_attr)},
    [GN_KERNEL_AVG_POOL_BACKWARD] = {.make = plan_pool,
                                     .n_tensors = 2,
                                     .attr_bytes = sizeof(gn_pool_attr)},
    [GN_KERNEL_BATCH_NORM_FORWARD] = {.make = plan_batch_norm,
                                      .n_tensors = 6,
                                      .attr_bytes = sizeof(gn_norm_attr)},
    [GN_KERNEL_BATCH_NORM_BACKWARD] = {.make = plan_batch_norm,
                                       .n_tensors = 8,
                                       .attr_bytes = sizeof(gn_norm_attr)},
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
    if (kernel == GN_KERNEL_ATTENTION_FORWARD || kernel == GN_KERNEL_ATTENTION_BACKWARD)
        return cpu_fail(GN_E_UNSUPPORTED, 0,
                        "attention is composed of products and softmax on this backend");
    if (kernel >= sizeof kernels / sizeof kernels[0] || !kernels[kernel].make)
        return cpu_fail(GN_E_UNSUPPORTED, 0, "no kernel number %u", (unsigned)kernel);
    const kernel_row *row = &kernels[kernel];
    if (desc->n_tensors != row->n_tensors || desc->tensor_size < sizeof(gn_tensor_desc))
        return cpu_fail(GN_E_ARGUMENT, 0, "kernel %u takes %u tensors, not %u", (unsigned)kernel,
                        (unsigned)row->n_tensors, (unsigned)desc->n_tensors);
    out->kernel = kernel;
    for (uint32_t i = 0; i < desc->n_tensors; i++) {
        const char *tensor = (const char *)desc->tensors + (size_t)i * desc->tensor_size;
        memcpy(&out->tensors[i], tensor, sizeof out->tensors[i]);
        const bool optional = row->last_optional && i + 1 == row->n_tensors;
        const gn_status status = check_tensor(&out->tensors[i], optional);
        if (status)
            return status;
    }
    const size_t *attr_bytes = desc->attributes;
    if (*attr_bytes < row->attr_bytes)
        return cpu_fail(GN_E_ARGUMENT, 0, "the attributes of kernel %u are too short",
                        (unsigned)kernel);
    memcpy(&out->attr, desc->attributes, row->attr_bytes);
    return GN_OK;
}

/* ---- Plans and threads --------------------------------------------------------------------- */

/*
 * oneDNN cuts the work of a primitive for omp_get_max_threads() threads when it is made, and some
 * results are wrong if another number shows up when it runs, which inside of a parallel region of
 * the caller's is 1. So a plan has two variants, one for each place, made where it is first needed,
 * and OpenMP is held to the number of threads meanwhile.
 */
enum { TOGETHER, ALONE /* in somebody's parallel region */, N_VARIANTS };

typedef struct plan_variant {
    plan_kernel *kernel; /* read and written atomically; NULL: not made yet */
    uint64_t workspace_bytes;
    int threads;
} plan_variant;

struct gn_plan {
    plan_request request;
    plan_variant variant[N_VARIANTS];
    uint64_t workspace_bytes; /* what the host gives each run */
    pthread_mutex_t making;
};

#ifdef _OPENMP

typedef struct thread_setting {
    int threads, dynamic;
} thread_setting;

static int variant_here(void) { return omp_in_parallel() ? ALONE : TOGETHER; }

static int threads_of(int variant) {
    const int threads = cpu_threads(), limit = omp_get_thread_limit();
    return variant == ALONE ? 1 : threads < limit ? threads : limit;
}

static thread_setting threads_set(int threads) {
    const thread_setting before = {omp_get_max_threads(), omp_get_dynamic()};
    if (before.threads != threads)
        omp_set_num_threads(threads);
    if (before.dynamic)
        omp_set_dynamic(0);
    return before;
}

static void threads_restore(int threads, thread_setting before) {
    if (before.threads != threads)
        omp_set_num_threads(before.threads);
    if (before.dynamic)
        omp_set_dynamic(1);
}

#else

typedef int thread_setting;
static int variant_here(void) { return TOGETHER; }
static int threads_of(int variant) { return variant == ALONE ? 1 : cpu_threads(); }
static thread_setting threads_set(int threads) { return threads; }
static void threads_restore(int threads, thread_setting before) { (void)threads, (void)before; }

#endif

/* Makes the variant, unless another thread did. */
static gn_status make_variant(gn_plan *plan, int number, gn_plan_info *info) {
    plan_variant *variant = &plan->variant[number];
    plan_kernel *kernel = NULL;
    gn_status status = GN_OK;
    pthread_mutex_lock(&plan->making);
    if (!variant->kernel) {
        variant->threads = threads_of(number);
        const thread_setting before = threads_set(variant->threads);
        status = kernels[plan->request.kernel].make(&plan->request, info, &kernel);
        threads_restore(variant->threads, before);
        variant->workspace_bytes = info->workspace_bytes;
        if (!status)
            __atomic_store_n(&variant->kernel, kernel, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&plan->making);
    return status;
}

gn_status cpu_plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info, gn_plan **out) {
    if (cpu_is_forked())
        return cpu_fail_forked();
    gn_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return cpu_fail(GN_E_MEMORY, 0, "no memory for a plan");
    pthread_mutex_init(&plan->making, NULL);
    gn_status status = read_request(desc, &plan->request);
    if (!status)
        status = make_variant(plan, variant_here(), info);
    if (status) {
        cpu_plan_release(device, plan);
        return status;
    }
    plan->workspace_bytes = info->workspace_bytes;
    *out = plan;
    return GN_OK;
}

void cpu_plan_release(gn_device *device, gn_plan *plan) {
    (void)device;
    if (!plan)
        return;
    for (int i = 0; i < N_VARIANTS; i++)
        if (plan->variant[i].kernel)
            plan->variant[i].kernel->release(plan->variant[i].kernel);
    pthread_mutex_destroy(&plan->making);
    free(plan);
}

gn_status cpu_run(gn_device *device, gn_stream *stream, const gn_run *run) {
    if (cpu_is_forked())
        return cpu_fail_forked();
    gn_plan *plan = run->plan;
    const int number = variant_here();
    plan_variant *variant = &plan->variant[number];
    plan_kernel *kernel = __atomic_load_n(&variant->kernel, __ATOMIC_ACQUIRE);
    gn_run changed = *run;
    gn_status status = GN_OK;
    if (!kernel) {
        gn_plan_info info = {.struct_size = sizeof info};
        status = make_variant(plan, number, &info);
        kernel = variant->kernel;
    }
    if (!status && variant->workspace_bytes > plan->workspace_bytes)
        status = cpu_host->scratch(device, stream, variant->workspace_bytes, &changed.workspace);
    if (status)
        return status;
    const thread_setting before = threads_set(variant->threads);
    status = kernel->run(kernel, &changed);
    threads_restore(variant->threads, before);
    return status;
}
