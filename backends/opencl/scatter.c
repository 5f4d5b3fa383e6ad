/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scatter.c - scatter by the kernel of scatter.cl: sorts dims into free and serial ones, and cuts
 * the targets into as many shares as the device needs work-items.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum { SOURCE, INDICES, TARGET, OPERANDS };

/* As in scatter.cl. */
typedef struct scatter_args {
    int64_t first[OPERANDS];
    int64_t axis_stride, axis_extent;
    int64_t n_free, n_serial;
    int32_t n_free_dims, n_serial_dims, has_indices;
    int32_t shares;
    int64_t free_size[GN_MAX_DIMS], serial_size[GN_MAX_DIMS];
    int64_t free_stride[OPERANDS][GN_MAX_DIMS], serial_stride[OPERANDS][GN_MAX_DIMS];
} scatter_args;

/* ---- Dims ---------------------------------------------------------------------------------- */

static void add_dim(const gn_scatter_call *call, uint32_t d, ocl_space *space) {
    const int64_t stride[OCL_SPACE_OPERANDS] = {[SOURCE] = call->source->stride[d],
                                                [INDICES] = call->index->stride[d],
                                                [TARGET] = call->target->stride[d]};
    ocl_space_add(space, call->size[d], stride);
}

/* The free dims, the one of neighbours in the target last. */
static ocl_space free_space(const gn_scatter_call *call) {
    const uint32_t n = call->n_dims - call->n_serial;
    uint32_t last = n;
    ocl_space space = {0};
    for (uint32_t d = 0; d < n; d++)
        if (last == n || llabs(call->target->stride[d]) <= llabs(call->target->stride[last]))
            last = d;
    for (uint32_t d = 0; d < n; d++)
        if (d != last)
            add_dim(call, d, &space);
    if (last < n)
        add_dim(call, last, &space);
    return space;
}

static ocl_space serial_space(const gn_scatter_call *call) {
    ocl_space space = {0};
    for (uint32_t d = call->n_dims - call->n_serial; d < call->n_dims; d++)
        add_dim(call, d, &space);
    return space;
}

/* Whether the index depends on serial dims alone. */
static bool is_shared(const ocl_space *space) {
    for (int d = 0; d < space->n_dims; d++)
        if (space->stride[INDICES][d])
            return false;
    return true;
}

static void set_args(const gn_scatter_call *call, const ocl_space *own, const ocl_space *serial,
                     scatter_args *a) {
    a->axis_stride = call->target->axis_stride;
    a->axis_extent = call->target->axis_extent;
    a->n_free = ocl_space_size(own);
    a->n_serial = ocl_space_size(serial);
    a->n_free_dims = own->n_dims;
    a->n_serial_dims = serial->n_dims;
    a->has_indices = call->index->mem != NULL;
    memcpy(a->free_size, own->size, sizeof a->free_size);
    memcpy(a->serial_size, serial->size, sizeof a->serial_size);
    memcpy(a->free_stride, own->stride, sizeof a->free_stride);
    memcpy(a->serial_stride, serial->stride, sizeof a->serial_stride);
}

static int64_t first_of(const gn_operand *operand, int dtype) {
    return operand->offset +
           (operand->mem ? (int64_t)(operand->mem->offset / gn_dtype_bytes(dtype)) : 0);
}

/* ---- The kernel ---------------------------------------------------------------------------- */

static size_t items_of(const gn_device *device) {
    return ocl_items(device, device->limits->is_cpu ? 16 : 64);
}

/* A power of 2. Each share is one more walk over all indices. */
static int32_t shares_for(const gn_device *device, const scatter_args *a) {
    const int64_t per_unit = device->limits->is_cpu ? 32 : 1024;
    const int64_t wanted = device->limits->units * per_unit;
    int32_t shares = 1;
    while (shares < a->n_serial && 2 * shares * a->n_free <= wanted)
        shares *= 2;
    return shares;
}

/* To set elements is to copy their bits. */
static int dtype_of(const gn_scatter_call *call) {
    static const int by_size[] = {[1] = GN_U8, [2] = GN_I16, [4] = GN_I32, [8] = GN_I64};
    return call->combine == GN_SCATTER_SET ? by_size[gn_dtype_bytes(call->dtype)] : call->dtype;
}

static gn_status find_kernel(gn_device *device, const gn_scatter_call *call, bool shared,
                             cl_kernel *out) {
    const int dtype = dtype_of(call);
    _Atomic(cl_kernel) *kept = &device->scatter[call->combine][dtype][shared];
    char defines[512];
    *out = atomic_load(kept);
    if (*out)
        return GN_OK;
    snprintf(defines, sizeof defines,
             "%s%s#define COMBINE %d\n#define IS_SHARED %d\n"
             "#define ITEMS %zu\n",
             ocl_dtype_defines(dtype),
             dtype == GN_BOOL           ? "#define IS_BOOL\n"
             : gn_dtype_is_float(dtype) ? "#define IS_FLOAT\n"
                                        : "",
             call->combine, shared, items_of(device));
    const gn_status status =
        ocl_kernel(device, "scatter", defines, ocl_source_scatter, "scatter", out);
    if (!status)
        atomic_store(kept, *out);
    return status;
}

gn_status ocl_scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    gn_status status = ocl_ready(device);
    if (status)
        return status;
    if (call->combine > GN_SCATTER_MIN || !gn_dtype_bytes(call->dtype))
        return ocl_fail(GN_E_UNSUPPORTED, call->tag, "scatter: combine %u of dtype %d",
                        call->combine, call->dtype);
    const ocl_space own = free_space(call), serial = serial_space(call);
    scatter_args args = {.first = {[SOURCE] = first_of(call->source, call->dtype),
                                   [INDICES] = first_of(call->index, GN_I64),
                                   [TARGET] = first_of(call->target, call->dtype)}};
    cl_kernel kernel;
    set_args(call, &own, &serial, &args);
    args.shares = shares_for(device, &args);
    status = find_kernel(device, call, is_shared(&own), &kernel);
    if (status)
        return status;
    const size_t items = items_of(device), global = (size_t)(args.n_free * args.shares);
    ocl_launch l = ocl_begin(ocl_stream(device, stream), kernel, call->tag);
    ocl_bytes(&l, &args, sizeof args);
    ocl_tensor(&l, &(gn_pointer){.mem = call->source->mem});
    ocl_tensor(&l, &(gn_pointer){.mem = call->index->mem});
    ocl_tensor(&l, &(gn_pointer){.mem = call->target->mem});
    ocl_report(&l);
    return ocl_end(&l, 1, &global, &items);
}
