/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complete.c - the host's service device_open: a device as a table of functions in which no kernel
 * is missing, for plugins that need another backend's results, such as the layer check.
 *
 * It is the library turned inside out: what a plugin calls here goes through the launches that
 * operations use, so that row programs are split where the backend has no row_map, and planned
 * kernels are composed (gn__compose), whatever the backend could plan. Behind gn_device is a
 * gn__device, behind gn_mem a gn__storage. Nothing sticks to the thread: errors are answered.
 */
#include <stdlib.h>
#include <string.h>

#include "../program/program.h"
#include "internal.h"

static gn__device *of(gn_device *device) { return (gn__device *)device; }
static gn__storage *storage_of(const gn_mem *mem) { return (gn__storage *)mem; }

/* Ends a call: turns the error that sticks, if any, into the plugin's. */
static gn_status answer(uint64_t tag) {
    const gn_status status = gn_error_status();
    if (status == GN_OK)
        return GN_OK;
    gn__host.set_error(status, tag, gn_error());
    gn_error_clear();
    return status;
}

/* The operation that a call is made for. */
static const char *op_of(uint64_t tag, const char *otherwise) {
    const char *text = gn__host.tag_text(tag);
    return *text ? text : otherwise;
}

/* ---- Memory */

static void close_device(gn_device *device) { gn__device_close(of(device)); }

static gn_status alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    *out = (gn_mem *)gn__storage_new(of(device), bytes);
    return answer(0);
}

static void free_mem(gn_device *device, gn_mem *mem) {
    (void)device;
    gn__storage_release(storage_of(mem));
}

static gn_status upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                        const void *source, uint64_t bytes) {
    (void)device, (void)stream;
    gn__upload(storage_of(target), offset, source, bytes);
    return answer(0);
}

static gn_status download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                          uint64_t offset, uint64_t bytes) {
    (void)device, (void)stream;
    gn__download(target, storage_of(source), offset, bytes);
    return answer(0);
}

/* ---- The three kernels, and row programs */

static gn__operand operand_of(const gn_operand *from, uint32_t n_dims) {
    gn__operand to = {.storage = storage_of(from->mem),
                      .offset = from->offset,
                      .axis_stride = from->axis_stride,
                      .axis_extent = from->axis_extent};
    memcpy(to.stride, from->stride, n_dims * sizeof to.stride[0]);
    return to;
}

static gn_status run_program(gn_device *device, gn_stream *stream, const gn_call *call) {
    (void)stream;
    gn__operand operands[GN_MAX_OPERANDS];
    const gn_program *program = gn__program_intern(call->program);
    if (program == NULL)
        return answer(call->tag);
    for (uint32_t k = 0; k < call->n_operands; k++)
        operands[k] = operand_of(
            (const gn_operand *)((const char *)call->operands + (size_t)k * call->operand_size),
            call->n_dims);
    const gn__launch launch = {
        .op = op_of(call->tag, program->name),
        .program = program,
        .n_dims = (int)call->n_dims,
        .n_reduced = (int)call->n_reduced,
        .size = call->size,
        .operands = operands,
        .params = call->params,
    };
    if (gn__launch_run(of(device), &launch) == GN_OK)
        gn__device_wait(of(device), launch.op);
    return answer(call->tag);
}

static gn_status map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n) {
    gn_status status = GN_OK;
    const char *call = (const char *)calls;
    for (uint32_t i = 0; i < n && status == GN_OK; i++)
        status =
            run_program(device, stream, (const gn_call *)(call + (size_t)i * calls->struct_size));
    return status;
}

static gn_status scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    (void)stream;
    const gn__operand operands[3] = {operand_of(call->source, call->n_dims),
                                     operand_of(call->index, call->n_dims),
                                     operand_of(call->target, call->n_dims)};
    const char *op = op_of(call->tag, "scatter");
    if (gn__launch_scatter(of(device), op, (int)call->n_dims, (int)call->n_serial, call->size,
                           call->dtype, call->combine, call->unordered, operands) == GN_OK)
        gn__device_wait(of(device), op);
    return answer(call->tag);
}

/* ---- Planned kernels: a plan is a copy of its description */

typedef struct composed_plan {
    gn_plan_desc desc;
    gn_tensor_desc tensors[GN__MAX_PLAN_TENSORS];
    union {
        gn_matmul_attr matmul;
        gn_conv_attr conv;
        gn_pool_attr pool;
        gn_norm_attr norm;
        gn_attention_attr attention;
    } attributes;
} composed_plan;

static size_t attributes_bytes(uint32_t kernel) {
    switch (kernel) {
#define X(name, value, tensors, attributes)                                                        \
    case GN_KERNEL_##name: return sizeof(attributes);
        GN_KERNELS(X)
#undef X
    }
    return 0;
}

static gn_status plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info,
                      gn_plan **out) {
    (void)device;
    const size_t bytes = attributes_bytes(desc->kernel);
    if (bytes == 0 || desc->n_tensors > GN__MAX_PLAN_TENSORS)
        return gn__host.set_error(GN_E_UNSUPPORTED, 0, "the host does not know this kernel");
    composed_plan *p = calloc(1, sizeof *p);
    if (p == NULL)
        return gn__host.set_error(GN_E_MEMORY, 0, "no host memory for a plan");
    p->desc = *desc;
    p->desc.tensors = p->tensors;
    p->desc.tensor_size = sizeof p->tensors[0];
    p->desc.attributes = &p->attributes;
    for (uint32_t i = 0; i < desc->n_tensors; i++)
        memcpy(&p->tensors[i], (const char *)desc->tensors + (size_t)i * desc->tensor_size,
               sizeof p->tensors[i]);
    size_t given; /* every struct of attributes begins with its size */
    memcpy(&given, desc->attributes, sizeof given);
    memcpy(&p->attributes, desc->attributes, given < bytes ? given : bytes);
    info->workspace_bytes = 0;
    info->saved_bytes = gn__composed_saved_bytes(&p->desc);
    *out = (gn_plan *)p;
    return GN_OK;
}

static void plan_release(gn_device *device, gn_plan *p) {
    (void)device;
    free(p);
}

static gn_status run(gn_device *device, gn_stream *stream, const gn_run *call) {
    (void)stream;
    gn__pointer tensors[GN__MAX_PLAN_TENSORS];
    const gn_plan_desc *desc = &((composed_plan *)call->plan)->desc;
    for (uint32_t i = 0; i < desc->n_tensors; i++)
        tensors[i] =
            (gn__pointer){storage_of(call->tensors[i].mem), (int64_t)call->tensors[i].offset};
    const gn__pointer saved = {storage_of(call->saved.mem), (int64_t)call->saved.offset};
    const char *op = op_of(call->tag, "composed");
    if (gn__compose(of(device), op, desc, tensors, saved) == GN_OK)
        gn__device_wait(of(device), op);
    return answer(call->tag);
}

/* ---- The service */

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "complete",
    .version = "",
    .close = close_device,
    .alloc = alloc,
    .free = free_mem,
    .upload = upload,
    .download = download,
    .map = run_program,
    .reduce = run_program,
    .scatter = scatter,
    .row_map = run_program,
    .map_many = map_many,
    .plan = plan,
    .plan_release = plan_release,
    .run = run,
};

gn_status gn__complete_open(const char *name, const gn_backend **out_table, gn_device **out) {
    gn__reason why;
    if (name == NULL)
        return gn__host.set_error(GN_E_ARGUMENT, 0, "no device is named");
    gn__device *device = gn__device_open_hidden(name, &why);
    if (device == NULL)
        return gn__host.set_error(why.status, 0, why.text);
    *out_table = &table;
    *out = (gn_device *)device;
    return GN_OK;
}
