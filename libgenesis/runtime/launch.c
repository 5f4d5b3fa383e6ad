/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - calls of the three kernels and of their optional relatives.
 * The structs of a call are built on the stack and filled only as far as they are used.
 */
#include <stdlib.h>

#include "internal.h"
#include "space.h"

typedef gn_status kernel(gn_device *device, gn_stream *stream, const gn_call *call);

/* GN_OK, or the reason why nothing may run now. */
static gn_status ready(const gn__device *device, const char *op) {
    gn_status status = gn__self()->status;
    if (__builtin_expect(status != GN_OK, 0))
        return status;
    return __builtin_expect(device->forked, 0) ? gn__forked(device, op) : GN_OK;
}

static gn__extent simplify(const gn__launch *launch, gn__space *out) {
    const gn__raw_space raw = {
        .n_dims = launch->n_dims,
        .n_tail = launch->n_reduced,
        .size = launch->size,
        .n_operands = launch->program->n_operands,
        .operands = launch->operands,
        .infos = launch->program->operands,
    };
    return gn__simplify_space(&raw, out);
}

static gn_call make_call(const gn__launch *launch, void *handle, const gn__space *space) {
    return (gn_call){
        .struct_size = sizeof(gn_call),
        .tag = gn__tag(launch->op),
        .program = launch->program,
        .handle = handle,
        .n_dims = space->n_dims,
        .n_reduced = space->n_tail,
        .n_operands = launch->program->n_operands,
        .operand_size = sizeof(gn_operand),
        .size = space->size,
        .operands = space->operands,
        .params = launch->params,
    };
}

/* Runs a kernel on a simplified space. Records no error. */
static gn_status call_kernel(gn__device *device, kernel *run, const gn__launch *launch,
                             const gn__space *space) {
    void *handle;
    gn_status status = gn__handle_get(device, launch->program, &handle);
    if (status != GN_OK)
        return status;
    const gn_call call = make_call(launch, handle, space);
    gn__queue_enter(device);
    status = run(device->handle, NULL, &call);
    gn__queue_leave(device);
    return status;
}

gn_status gn__launch_run(gn__device *device, const gn__launch *launch) {
    gn_status status = ready(device, launch->op);
    if (status != GN_OK)
        return status;
    gn__space space;
    const gn__extent extent = simplify(launch, &space);
    if (extent == GN__SPACE_EMPTY)
        return GN_OK;
    const uint32_t n_parts = launch->program->n_parts;
    if (extent == GN__SPACE_TAIL_EMPTY)
        return n_parts > 1 ? gn__split_run_empty(device, launch) : GN_OK;
    const gn_backend *table = device->table;
    if (n_parts <= 2) {
        status = call_kernel(device, n_parts == 1 ? table->map : table->reduce, launch, &space);
    } else {
        if (table->row_map)
            status = call_kernel(device, table->row_map, launch, &space);
        if (table->row_map == NULL || status == GN_E_UNSUPPORTED) {
            gn__fallback(device, launch->op,
                         table->row_map ? gn__late_text(status) : "the backend has no row_map");
            const gn__composition composition = gn__composition_begin();
            status = gn__split_run(device, launch);
            gn__composition_end(&composition);
            return status;
        }
    }
    return __builtin_expect(status == GN_OK, 1) ? GN_OK
                                                : gn__call_failed(device, launch->op, status);
}

/* ---- Many map calls of one program */

/* The memory of n calls: one block, freed by free(). */
typedef struct many {
    gn_call *calls;
    gn__space *spaces;
} many;

static gn_status run_many(gn__device *device, const gn__launch *launches, size_t n, many *m) {
    void *handle;
    gn_status status = gn__handle_get(device, launches->program, &handle);
    if (status != GN_OK)
        return gn__call_failed(device, launches->op, status);
    uint32_t n_calls = 0;
    for (size_t i = 0; i < n; i++) {
        if (simplify(&launches[i], &m->spaces[n_calls]) != GN__SPACE_FULL)
            continue;
        m->calls[n_calls] = make_call(&launches[i], handle, &m->spaces[n_calls]);
        n_calls++;
    }
    if (n_calls == 0)
        return GN_OK;
    gn__queue_enter(device);
    status = device->table->map_many(device->handle, NULL, m->calls, n_calls);
    gn__queue_leave(device);
    return status == GN_OK ? GN_OK : gn__call_failed(device, launches->op, status);
}

/* One call after the other. */
static gn_status run_each(gn__device *device, const gn__launch *launches, size_t n) {
    gn_status status = GN_OK;
    for (size_t i = 0; i < n && status == GN_OK; i++)
        status = gn__launch_run(device, &launches[i]);
    return status;
}

gn_status gn__launch_many(gn__device *device, const gn__launch *launches, size_t n) {
    enum { AT_ONCE = 64 }; /* bounds the memory: a space takes 4 KiB */
    gn_status status = n ? ready(device, launches->op) : gn_error_status();
    if (n == 0 || status != GN_OK)
        return status;
    if (n == 1)
        return gn__launch_run(device, launches);
    if (device->table->map_many == NULL) {
        gn__fallback(device, launches->op, "the backend has no map_many");
        const gn__composition composition = gn__composition_begin();
        status = run_each(device, launches, n);
        gn__composition_end(&composition);
        return status;
    }
    const size_t at_once = n < AT_ONCE ? n : AT_ONCE;
    many m = {malloc(at_once * sizeof *m.calls), malloc(at_once * sizeof *m.spaces)};
    if (m.calls == NULL || m.spaces == NULL)
        status = gn_fail(GN_E_MEMORY, launches->op, "no host memory for %zu calls", at_once);
    for (size_t i = 0; i < n && status == GN_OK; i += at_once)
        status = run_many(device, launches + i, n - i < at_once ? n - i : at_once, &m);
    free(m.calls);
    free(m.spaces);
    return status;
}

/* ---- Scatter */

gn_status gn__launch_scatter(gn__device *device, const char *op, int n_dims, int n_serial,
                             const int64_t *size, int dtype, int combine, bool unordered,
                             const gn__operand operands[3]) {
    gn_status status = ready(device, op);
    if (status != GN_OK)
        return status;
    const gn_operand_info infos[3] = {
        {GN_READ, (uint16_t)dtype}, {GN_READ, GN_I64}, {GN_WRITE, (uint16_t)dtype}};
    const gn__raw_space raw = {
        .n_dims = n_dims,
        .n_tail = n_serial,
        .size = size,
        .n_operands = 3,
        .operands = operands,
        .infos = infos,
        .in_order = true, /* of coordinates that collide, the order decides */
    };
    gn__space space;
    if (gn__simplify_space(&raw, &space) != GN__SPACE_FULL)
        return GN_OK;
    const gn_scatter_call call = {
        .struct_size = sizeof call,
        .tag = gn__tag(op),
        .n_dims = space.n_dims,
        .n_serial = space.n_tail,
        .dtype = dtype,
        .combine = (uint16_t)combine,
        .unordered = unordered,
        .size = space.size,
        .source = &space.operands[0],
        .index = &space.operands[1],
        .target = &space.operands[2],
    };
    gn__queue_enter(device);
    status = device->table->scatter(device->handle, NULL, &call);
    gn__queue_leave(device);
    return status == GN_OK ? GN_OK : gn__call_failed(device, op, status);
}
