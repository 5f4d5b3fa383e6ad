/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - max and average pooling and their gradients, between tensors that lie in memory in any
 * way. The kernels are in pool.cl.
 */
#include "plan.h"

#include <stdio.h>
#include <string.h>

enum { POOL_X, POOL_Y, POOL_TENSORS, POOL_DIMS = 2 + GN_MAX_SPATIAL };
enum { WINNERS = 64 }; /* as in pool.cl */

/* As in pool.cl. */
typedef struct pool_args {
    int64_t first[POOL_TENSORS], size[POOL_TENSORS][POOL_DIMS], stride[POOL_TENSORS][POOL_DIMS];
    int64_t count, winners_first;
    int32_t window[GN_MAX_SPATIAL], step[GN_MAX_SPATIAL], padding[GN_MAX_SPATIAL],
        padding_after[GN_MAX_SPATIAL];
    int32_t dilation[GN_MAX_SPATIAL];
    int32_t channels_last[POOL_TENSORS];
    int32_t counts_padding, divisor;
    int32_t unused;
} pool_args;

typedef struct pool_plan {
    gn_plan base;
    cl_kernel kernel;
    size_t items;
    pool_args args;
    int dtype;
    bool backward, maximum;
} pool_plan;

static gn_status pool_run(const gn_plan *base, gn_stream *stream, const gn_run *run) {
    const pool_plan *p = (const pool_plan *)base;
    const gn_pointer *x = &run->tensors[p->backward ? 0 : 1],
                     *y = &run->tensors[p->backward ? 1 : 0];
    const size_t global = (size_t)p->args.count;
    pool_args args = p->args;
    args.first[POOL_X] = ocl_first(x, p->dtype);
    args.first[POOL_Y] = ocl_first(y, p->dtype);
    args.winners_first = ocl_first(&run->saved, GN_U8);
    ocl_launch l = ocl_begin(stream, p->kernel, run->tag);
    ocl_bytes(&l, &args, sizeof args);
    ocl_tensor(&l, x);
    ocl_tensor(&l, y);
    if (p->maximum)
        ocl_tensor(&l, &run->saved);
    return ocl_end(&l, 1, &global, &p->items);
}

/* ---- The plan ------------------------------------------------------------------------------ */

static gn_status check(const gn_device *device, const ocl_request *request) {
    const gn_pool_attr *a = &request->attr.pool;
    const gn_tensor_desc *first = &request->tensors[0], *second = &request->tensors[1];
    if (a->n_spatial < 1 || a->n_spatial > GN_MAX_SPATIAL || first->n_dims != a->n_spatial + 2 ||
        second->n_dims != first->n_dims || first->size[0] != second->size[0] ||
        first->size[1] != second->size[1])
        return ocl_fail(GN_E_ARGUMENT, 0, "the sizes of this pooling do not agree");
    double volume = 1;
    for (int d = 0; d < a->n_spatial; d++) {
        if (a->kernel[d] < 1 || a->stride[d] < 1 || a->dilation[d] < 1 || a->padding[d] < 0)
            return ocl_fail(GN_E_ARGUMENT, 0, "a pooling has a kernel, stride or dilation below 1");
        const double reach =
            (double)a->kernel[d] * (double)a->dilation[d] + (double)a->padding[d] +
            (double)(first->size[2 + d] + second->size[2 + d]) * (double)a->stride[d];
        volume *= (double)a->kernel[d];
        if (reach > INT32_MAX || volume > INT32_MAX)
            return ocl_fail(GN_E_UNSUPPORTED, 0, "a pooling window of more than 2^31 elements");
    }
    return ocl_check_floats(device, request->tensors, 2, "pooling");
}

static void describe_tensor(pool_args *args, int which, const gn_tensor_desc *t) {
    for (int d = 0; d < POOL_DIMS; d++) {
        const int from = d < 2 ? d : d - (POOL_DIMS - t->n_dims);
        const bool is_there = d < 2 || from >= 2;
        args->size[which][d] = is_there ? t->size[from] : 1;
        args->stride[which][d] = is_there ? t->stride[from] : 0;
    }
    args->channels_last[which] = t->stride[1] == 1;
}

static void describe_window(pool_args *args, const gn_pool_attr *a) {
    for (int s = 0; s < GN_MAX_SPATIAL; s++) {
        const int d = s - (GN_MAX_SPATIAL - (int)a->n_spatial);
        args->window[s] = d < 0 ? 1 : (int32_t)a->kernel[d];
        args->step[s] = d < 0 ? 1 : (int32_t)a->stride[d];
        args->dilation[s] = d < 0 ? 1 : (int32_t)a->dilation[d];
        args->padding[s] = d < 0 ? 0 : (int32_t)a->padding[d];
        args->padding_after[s] = d < 0 ? 0 : (int32_t)a->padding_after[d];
    }
    args->counts_padding = a->count_include_pad != 0;
    args->divisor = (int32_t)a->divisor;
}

/* How many neighbouring channels a work-item makes: on a CPU as many as a vector register holds. */
static int width_of(const gn_device *device, const pool_plan *p) {
    const int width = device->limits->is_cpu ? 16 : 4;
    const bool are_neighbours = p->args.channels_last[POOL_X] && p->args.channels_last[POOL_Y];
    return are_neighbours && p->args.size[POOL_X][1] % width == 0 ? width : 1;
}

static gn_status prepare(gn_device *device, const ocl_request *request, pool_plan *p,
                         uint64_t *saved) {
    static const char *const names[2][2] = {{"average_forward", "average_backward"},
                                            {"max_forward", "max_backward"}};
    char defines[512];
    const gn_tensor_desc *x = &request->tensors[p->backward ? 0 : 1],
                         *y = &request->tensors[p->backward ? 1 : 0];
    const int32_t *window = p->args.window;
    describe_tensor(&p->args, POOL_X, x);
    describe_tensor(&p->args, POOL_Y, y);
    describe_window(&p->args, &request->attr.pool);
    int64_t outputs = 1, inputs = 1;
    for (int d = 0; d < POOL_DIMS; d++) {
        outputs *= p->args.size[POOL_Y][d];
        inputs *= p->args.size[POOL_X][d];
    }
    const int width = width_of(device, p);
    const bool is_wide = (int64_t)window[0] * window[1] * window[2] > UINT8_MAX;
    p->args.count = (p->backward ? inputs : outputs) / width;
    if (p->maximum)
        *saved = WINNERS + (uint64_t)outputs * (is_wide ? sizeof(int32_t) : sizeof(uint8_t));
    p->items = ocl_items(device, 64);
    snprintf(defines, sizeof defines,
             "%s#define INDEX %s\n#define WINNER %s\n#define ITEMS %zu\n"
             "#define WIDTH %d\n",
             ocl_dtype_defines(p->dtype), ocl_is_small(request->tensors, 2) ? "i32" : "i64",
             is_wide ? "i32" : "u8", p->items, width);
    return ocl_kernel(device, "pooling", defines, ocl_source_pool, names[p->maximum][p->backward],
                      &p->kernel);
}

gn_status ocl_plan_pool(gn_device *device, const ocl_request *request, gn_plan_info *info,
                        gn_plan **out) {
    gn_status status = check(device, request);
    if (status)
        return status;
    pool_plan *p = ocl_plan_new(device, sizeof *p, pool_run);
    if (!p)
        return GN_E_MEMORY;
    p->dtype = request->tensors[0].dtype;
    p->backward = request->kernel == GN_KERNEL_MAX_POOL_BACKWARD ||
                  request->kernel == GN_KERNEL_AVG_POOL_BACKWARD;
    p->maximum = request->kernel == GN_KERNEL_MAX_POOL_FORWARD ||
                 request->kernel == GN_KERNEL_MAX_POOL_BACKWARD;
    status = prepare(device, request, p, &info->saved_bytes);
    if (status) {
        ocl_plan_release(device, &p->base);
        return status;
    }
    *out = &p->base;
    return GN_OK;
}
