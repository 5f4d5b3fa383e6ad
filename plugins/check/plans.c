/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plans.c - planned kernels. The reference composes them of map, reduce and scatter.
 *
 * Matmuls, convolutions, average pools and the gradient of max pools are sums of products. Such a
 * sum of n terms may be off by n units of the sum of the terms' magnitudes, in any order; these are
 * what the reference makes of the magnitudes of the inputs. Batch norm has its own file.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 16, LINEAR = 1, NORM_FORWARD, NORM_BACKWARD };

struct gn_plan {
    gn_plan *below, *reference; /* reference: NULL if it has none */
    gn_plan_info info;          /* of the reference's plan */
    uint32_t kernel, n_tensors;
    gn_tensor_desc tensors[MAX_TENSORS];
    double eps;     /* of a batch norm */
    int64_t window; /* of a pool: the elements */
    uint64_t calls;
    bool reported;
};

static const struct {
    const char *name;
    uint32_t written; /* bit k: tensor k */
    int bounds;       /* 0: results are exact */
} kernels[] = {
    [GN_KERNEL_MATMUL] = {"matmul", 1, LINEAR},
    [GN_KERNEL_CONV_FORWARD] = {"conv_forward", 1, LINEAR},
    [GN_KERNEL_CONV_BACKWARD_DATA] = {"conv_backward_data", 1, LINEAR},
    [GN_KERNEL_CONV_BACKWARD_WEIGHT] = {"conv_backward_weight", 1 | 8, LINEAR},
    [GN_KERNEL_MAX_POOL_FORWARD] = {"max_pool_forward", 1, 0},
    [GN_KERNEL_MAX_POOL_BACKWARD] = {"max_pool_backward", 1, LINEAR},
    [GN_KERNEL_AVG_POOL_FORWARD] = {"avg_pool_forward", 1, LINEAR},
    [GN_KERNEL_AVG_POOL_BACKWARD] = {"avg_pool_backward", 1, LINEAR},
    [GN_KERNEL_BATCH_NORM_FORWARD] = {"batch_norm_forward", 1 | 16 | 32, NORM_FORWARD},
    [GN_KERNEL_BATCH_NORM_BACKWARD] = {"batch_norm_backward", 1 | 2 | 4, NORM_BACKWARD},
};
enum { N_KERNELS = sizeof kernels / sizeof *kernels };

/* ---- Plans ----------------------------------------------------------------------------------- */

static void read_attributes(gn_plan *plan, const gn_plan_desc *desc) {
    const gn_pool_attr *pool = desc->attributes;
    const gn_norm_attr *norm = desc->attributes;
    plan->window = 1;
    switch (desc->kernel) {
    case GN_KERNEL_MAX_POOL_BACKWARD:
    case GN_KERNEL_AVG_POOL_FORWARD:
    case GN_KERNEL_AVG_POOL_BACKWARD:
        for (int d = 0; d < pool->n_spatial; d++)
            plan->window *= pool->kernel[d];
        break;
    case GN_KERNEL_BATCH_NORM_FORWARD:
    case GN_KERNEL_BATCH_NORM_BACKWARD: plan->eps = norm->eps; break;
    }
}

gn_status check_plan(gn_device *check, const gn_plan_desc *desc, gn_plan_info *info,
                     gn_plan **out) {
    gn_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return check_fail(GN_E_MEMORY, 0, "no memory on the host for a plan of the layer check");
    const gn_status status = gn_layer_plan(check, desc, info, &plan->below);
    if (status != GN_OK) {
        free(plan);
        return status;
    }
    *out = plan;
    plan->kernel = desc->kernel;
    if (desc->kernel >= N_KERNELS || kernels[desc->kernel].name == NULL ||
        desc->n_tensors > MAX_TENSORS)
        return GN_OK; /* of a later version: its runs are counted as unchecked */
    plan->n_tensors = desc->n_tensors;
    for (uint32_t i = 0; i < desc->n_tensors; i++)
        plan->tensors[i] =
            *(const gn_tensor_desc *)((const char *)desc->tensors + (size_t)i * desc->tensor_size);
    read_attributes(plan, desc);
    plan->info.struct_size = sizeof plan->info;
    if (check->reference->plan(check->reference_device, desc, &plan->info, &plan->reference))
        plan->reference = NULL;
    return GN_OK;
}

void check_plan_release(gn_device *check, gn_plan *plan) {
    if (plan == NULL)
        return;
    gn_layer_plan_release(check, plan->below);
    if (plan->reference)
        check->reference->plan_release(check->reference_device, plan->reference);
    free(plan);
}

/* ---- What forward passes save ---------------------------------------------------------------- */

static saved *saved_find(gn_device *check, gn_pointer device) {
    for (uint32_t i = 0; i < MAX_SAVED; i++) {
        saved *s = &check->saved[i];
        if (s->reference && s->device.mem == device.mem && s->device.offset == device.offset)
            return s;
    }
    return NULL;
}

static void saved_drop(gn_device *check, saved *s) {
    if (s == NULL)
        return;
    check->reference->free(check->reference_device, s->reference);
    *s = (saved){.reference = NULL};
}

void saved_free(gn_device *check) {
    for (uint32_t i = 0; i < MAX_SAVED; i++)
        saved_drop(check, &check->saved[i]);
}

/* A new block for what a forward pass saves, in place of the oldest one. NULL without memory. */
static saved *saved_new(gn_device *check, gn_pointer device, uint64_t bytes) {
    saved *s = &check->saved[check->next_saved++ % MAX_SAVED];
    saved_drop(check, s);
    if (check->reference->alloc(check->reference_device, bytes, &s->reference) != GN_OK)
        return NULL;
    s->device = device;
    s->bytes = bytes;
    return s;
}

/* The reference's `saved` for a run. */
static gn_pointer saved_of(struct job *job, const gn_plan *plan, const gn_run *run) {
    const uint64_t bytes = plan->info.saved_bytes;
    saved *s = NULL;
    if (bytes == 0)
        return (gn_pointer){NULL, 0};
    if (plan->kernel == GN_KERNEL_MAX_POOL_FORWARD) {
        s = saved_new(job->check, run->saved, bytes);
        if (s == NULL)
            job_give_up(job, "the reference has no memory for what the forward pass saves");
    } else {
        s = saved_find(job->check, run->saved);
        if (s == NULL || s->bytes != bytes)
            job_give_up(job, "its forward pass was not checked, or too long ago");
    }
    return (gn_pointer){s ? s->reference : NULL, 0};
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

/* How many numbers a result is the sum of. */
static double terms(const gn_plan *plan) {
    const gn_tensor_desc *t = plan->tensors;
    double n = 1;
    switch (plan->kernel) {
    case GN_KERNEL_MATMUL: return (double)t[1].size[t[1].n_dims - 1] + 1; /* and the bias */
    case GN_KERNEL_CONV_FORWARD: /* y, x, w (O, C / groups, kernel..) */
        for (int d = 1; d < t[2].n_dims; d++)
            n *= (double)t[2].size[d];
        return n + 1;
    case GN_KERNEL_CONV_BACKWARD_DATA: /* dx (N, C, ..), dy, w (O, C / groups, kernel..) */
        for (int d = 0; d < t[2].n_dims; d++)
            n *= (double)t[2].size[d];
        return n / (double)t[0].size[1];
    case GN_KERNEL_CONV_BACKWARD_WEIGHT: /* dw, x, dy (N, O, ..) */
        for (int d = 0; d < t[2].n_dims; d++)
            n *= d == 1 ? 1 : (double)t[2].size[d];
        return n;
    }
    return (double)plan->window + 1;
}

/* Leaves the magnitudes of the inputs in the images `after`, which are not filled yet. */
static void make_magnitudes(struct job *job, char **images) {
    for (uint32_t i = 0; i < job->n_segments; i++) {
        images[i] = job->segments[i].after;
        memcpy(images[i], job->segments[i].before, (size_t)job->segments[i].bytes);
    }
    for (uint32_t i = 0; i < job->n_views; i++) {
        const view *v = &job->views[i];
        if (v->written || view_is_empty(v))
            continue;
        walk w = walk_from_start(v);
        do
            value_make_magnitude(v->dtype, walk_element(&w, job, images[v->segment]));
        while (walk_next(&w));
    }
}

/* A result's bounds, from the sums of magnitudes in `after`. */
static void linear_bounds(struct job *job, view *v, double unit) {
    walk w = walk_from_start(v);
    int64_t i = 0;
    do {
        const segment *s = &job->segments[v->segment];
        const double size = fabs(value_float(v->dtype, walk_element(&w, job, s->after)));
        const double value = value_float(v->dtype, walk_element(&w, job, s->expected));
        v->bounds[i++] = unit * size + value_storage_error(v->dtype, value) + value_tiny(v->dtype);
    } while (walk_next(&w));
}

static bool fetch_sums(const struct job *job) {
    const gn_device *check = job->check;
    for (uint32_t i = 0; i < job->n_segments; i++) {
        const segment *s = &job->segments[i];
        if (s->bytes && check->reference->download(check->reference_device, NULL, s->after,
                                                   check->blocks[i].mem, 0, s->bytes) != GN_OK)
            return false;
    }
    return true;
}

static void find_linear_bounds(struct job *job, const gn_plan *plan, const gn_run *run) {
    char *images[GN_MAX_OPERANDS];
    const gn_device *check = job->check;
    make_magnitudes(job, images);
    if (reference_upload(job, images) != GN_OK ||
        check->reference->run(check->reference_device, NULL, run) != GN_OK || !fetch_sums(job)) {
        job_give_up(job, "the reference can't compute its bounds");
        return;
    }
    /* A gradient of pooling adds in the tensor's dtype, all others in f32 at least. */
    const int dtype = plan->tensors[0].dtype;
    const bool wide = dtype == GN_F64 || plan->kernel == GN_KERNEL_MAX_POOL_BACKWARD;
    const double unit = value_eps(wide ? dtype : GN_F32) * (terms(plan) + 2);
    for (uint32_t i = 0; i < job->n_views; i++)
        if (job->views[i].written && !view_is_empty(&job->views[i]))
            linear_bounds(job, &job->views[i], unit);
}

static bool make_bounds(struct job *job) {
    for (uint32_t i = 0; i < job->n_views; i++) {
        view *v = &job->views[i];
        if (!v->written || view_is_empty(v))
            continue;
        v->bounds = calloc((size_t)view_count(v), sizeof *v->bounds);
        if (v->bounds == NULL)
            return false;
    }
    return true;
}

static void find_bounds(struct job *job, const gn_plan *plan, const gn_run *run) {
    const int kind = kernels[plan->kernel].bounds;
    bool found = kind == 0 || make_bounds(job);
    if (found && kind == LINEAR)
        find_linear_bounds(job, plan, run);
    if (found && kind == NORM_FORWARD)
        found = norm_bounds_forward(job, plan->eps);
    if (found && kind == NORM_BACKWARD)
        found = norm_bounds_backward(job, plan->eps);
    if (!found)
        job_give_up(job, "no memory on the host for bounds");
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static struct job *job_of_run(gn_device *check, gn_plan *plan, const gn_run *run) {
    const bool is_known = plan->reference != NULL;
    struct job *job = job_new(check, run->tag, is_known ? kernels[plan->kernel].name : "run", NULL,
                              &plan->reported);
    if (job == NULL)
        return NULL;
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const gn_tensor_desc *desc = &plan->tensors[i];
        view *v = &job->views[job->n_views++];
        *v = (view){.mem = desc->n_dims < 0 ? NULL : run->tensors[i].mem,
                    .first = run->tensors[i].offset,
                    .dtype = desc->dtype,
                    .written = is_known && kernels[plan->kernel].written >> i & 1};
        for (int d = 0; d < desc->n_dims; d++) {
            v->stride[d] = desc->stride[d];
            v->size[d] = v->stride[d] ? desc->size[d] : 1;
        }
        v->n_dims = desc->n_dims < 0 ? 0 : (uint32_t)desc->n_dims;
    }
    if (!is_known)
        job_give_up(job, "the reference has no such kernel");
    return job;
}

static void run_reference(struct job *job, const gn_plan *plan, const gn_run *run) {
    gn_device *check = job->check;
    gn_pointer tensors[MAX_TENSORS];
    gn_run copy = *run;
    copy.struct_size = sizeof copy;
    copy.plan = plan->reference;
    copy.tensors = tensors;
    copy.saved = saved_of(job, plan, run);
    copy.workspace =
        (gn_pointer){reference_block(check, WORKSPACE_BLOCK, plan->info.workspace_bytes), 0};
    if (copy.workspace.mem == NULL)
        job_give_up(job, "the reference has no memory for a workspace");
    if (job->unchecked)
        return;
    for (uint32_t i = 0; i < plan->n_tensors; i++)
        tensors[i] = reference_place(job, &job->views[i]);
    job_expect(job, check->reference->run(check->reference_device, NULL, &copy));
    if (!job->unchecked)
        find_bounds(job, plan, &copy);
}

static gn_status begin_run(gn_device *check, gn_stream *stream, gn_plan *plan, const gn_run *run,
                           struct job **out) {
    *out = job_of_run(check, plan, run);
    if (*out == NULL || (*out)->unchecked)
        return GN_OK;
    const gn_status status = job_begin(*out, stream);
    if (status != GN_OK) {
        job_free(*out);
        *out = NULL;
    } else if (!(*out)->unchecked) {
        run_reference(*out, plan, run);
    }
    return status;
}

gn_status check_run(gn_device *check, gn_stream *stream, const gn_run *run) {
    gn_plan *plan = run->plan;
    struct job *job = NULL;
    gn_status status = GN_OK;
    pthread_mutex_lock(&check->lock);
    const bool due = check_is_due(check, plan->calls++);
    if (plan->kernel == GN_KERNEL_MAX_POOL_FORWARD)
        saved_drop(check, saved_find(check, run->saved)); /* it is overwritten now */
    if (due)
        status = begin_run(check, stream, plan, run, &job);
    gn_run passed = *run;
    passed.plan = plan->below;
    if (status == GN_OK)
        status = gn_layer_run(check, stream, &passed);
    if (due)
        status = jobs_end(check, &job, 1, stream, status);
    pthread_mutex_unlock(&check->lock);
    return status;
}
