/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer whose device computes one thing wrong. GENESIS_TEST_LIAR says what, "exp 5 3": after each
 * kernel of the operation exp, 3 is added to the bits of element 5 of its last result, counted in
 * memory from the result's start. A third number of 0 instead makes of a bad index a good one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/layer.h>

struct gn_device {
    struct gn_layer layer;
};

static const gn_host *host;

/* ---- Lies */

/* Adds to an element of a block, given in bytes. */
static gn_status spoil(gn_device *device, gn_stream *stream, gn_mem *mem, uint64_t offset,
                       uint64_t bytes, int add) {
    uint64_t bits = 0;
    gn_status status = gn_layer_download(device, stream, &bits, mem, offset, bytes);
    bits += (uint64_t)add;
    return status == GN_OK ? gn_layer_upload(device, stream, mem, offset, &bits, bytes) : status;
}

/* What becomes of a call's answer; its last result starts at this element of a block. */
static gn_status lie(gn_device *device, gn_stream *stream, uint64_t tag, gn_status answer,
                     gn_mem *mem, int64_t start, uint64_t bytes) {
    char op[64];
    int element, add;
    const char *text = getenv("GENESIS_TEST_LIAR");
    if (text == NULL || sscanf(text, "%63s %d %d", op, &element, &add) != 3 ||
        strcmp(op, host->tag_text(tag)) != 0)
        return answer;
    if (add == 0)
        return answer == GN_E_INDEX ? GN_OK : answer;
    return answer == GN_OK
               ? spoil(device, stream, mem, (uint64_t)(start + element) * bytes, bytes, add)
               : answer;
}

static gn_status lie_of_call(gn_device *device, gn_stream *stream, const gn_call *call,
                             gn_status answer) {
    const gn_program *program = call->program;
    uint32_t k = program->n_operands - 1;
    while (program->operands[k].role != GN_WRITE)
        k--;
    const gn_operand *operand = &call->operands[k];
    return lie(device, stream, call->tag, answer, operand->mem, operand->offset,
               gn_dtype_bytes(program->operands[k].dtype));
}

/* ---- Kernels */

static gn_status map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return lie_of_call(device, stream, call, gn_layer_map(device, stream, call));
}

static gn_status reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    return lie_of_call(device, stream, call, gn_layer_reduce(device, stream, call));
}

static gn_status row_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return lie_of_call(device, stream, call, gn_layer_row_map(device, stream, call));
}

static gn_status map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n) {
    return lie_of_call(device, stream, &calls[n - 1], gn_layer_map_many(device, stream, calls, n));
}

static gn_status scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    return lie(device, stream, call->tag, gn_layer_scatter(device, stream, call), call->target->mem,
               call->target->offset, gn_dtype_bytes(call->dtype));
}

/* Of plans for f32. */
static gn_status run(gn_device *device, gn_stream *stream, const gn_run *run) {
    const uint64_t bytes = sizeof(float);
    return lie(device, stream, run->tag, gn_layer_run(device, stream, run), run->tensors[0].mem,
               (int64_t)(run->tensors[0].offset / bytes), bytes);
}

/* ---- The table */

static gn_status layer_open(const gn_backend *below, gn_device *device, const char *name,
                            gn_device **out) {
    (void)name;
    *out = malloc(sizeof **out);
    if (*out == NULL)
        return GN_E_MEMORY;
    **out = (gn_device){{below, device}};
    return GN_OK;
}

static void layer_close(gn_device *device) { free(device); }

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "liar",
    .version = "0.0.1",
    .close = layer_close,
    .alloc = gn_layer_alloc,
    .free = gn_layer_free,
    .upload = gn_layer_upload,
    .download = gn_layer_download,
    .map = map,
    .reduce = reduce,
    .scatter = scatter,
    .program_create = gn_layer_program_create,
    .program_release = gn_layer_program_release,
    .host_pointer = gn_layer_host_pointer,
    .row_map = row_map,
    .map_many = map_many,
    .plan = gn_layer_plan,
    .plan_release = gn_layer_plan_release,
    .run = run,
    .stream_create = gn_layer_stream_create,
    .stream_destroy = gn_layer_stream_destroy,
    .synchronise = gn_layer_synchronise,
    .layer_open = layer_open,
};

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    (void)request;
    host = services;
    *out = &table;
    return GN_OK;
}
