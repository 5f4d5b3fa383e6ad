/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend with every function that the runtime calls. It computes nothing, writes down what it is
 * asked for, and fails when it is told to: see recorder.h.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "recorder.h"
#include "fake.h"

static recorder state;

static gn_status two(int32_t *out) {
    *out = 2;
    return GN_OK;
}

static gn_status open_device(int32_t ordinal, gn_device **out) {
    state.opened++;
    if (state.fork_in_open) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child)
            return GN_E_DEVICE;
    }
    return fake_open(ordinal, out);
}

static void close_device(gn_device *device) {
    state.closed++;
    fake_close(device);
}

/* ---- Memory: blocks know their size */

static gn_status alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    (void)device;
    if (state.memory && (bytes > state.memory || state.used > state.memory - bytes))
        return host->set_error(GN_E_MEMORY, 0, "the recorder's memory is used up");
    uint64_t *block = host->host_alloc(bytes + 64);
    if (block == NULL)
        return GN_E_MEMORY;
    *block = bytes;
    state.used += bytes;
    state.allocs++;
    *out = (gn_mem *)block;
    return GN_OK;
}

/* Blocks begin 64 bytes before their memory. */
static gn_status wrap(gn_device *device, void *memory, uint64_t bytes, gn_mem **out) {
    (void)device;
    if (state.answer != GN_OK)
        return host->set_error(state.answer, 0, "this memory is read-only");
    state.wraps++;
    state.wrapped = *out = (gn_mem *)((char *)memory - 64);
    state.wrapped_bytes = bytes;
    return GN_OK;
}

static void free_block(gn_device *device, gn_mem *mem) {
    (void)device;
    if (mem == state.wrapped) {
        state.unwraps++;
        state.wrapped = NULL;
        return;
    }
    state.used -= *(uint64_t *)mem;
    state.frees++;
    host->host_free(mem);
}

static void *host_pointer(gn_device *device, gn_mem *mem) {
    (void)device;
    return mem ? (void *)((char *)mem + 64) : &state;
}

static gn_status memory_info(gn_device *device, uint64_t *free_bytes, uint64_t *total) {
    (void)device;
    *total = state.memory;
    *free_bytes = state.memory - state.used;
    return GN_OK;
}

static gn_status upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                        const void *source, uint64_t bytes) {
    (void)device, (void)stream;
    memcpy((char *)target + 64 + offset, source, bytes);
    return GN_OK;
}

static gn_status fail_as_told(uint64_t tag) {
    if (state.answer == GN_OK)
        return GN_OK;
    if (state.answer_text == NULL)
        return state.answer;
    return host->set_error(state.answer, state.answer_tag ? state.answer_tag : tag,
                           state.answer_text);
}

static gn_status download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                          uint64_t offset, uint64_t bytes) {
    (void)device, (void)stream;
    memcpy(target, (const char *)source + 64 + offset, bytes);
    return fail_as_told(0);
}

/* ---- Kernels */

static gn_status record(gn_device *device, gn_stream *stream, const gn_call *call) {
    int inside = __atomic_add_fetch(&state.inside, 1, __ATOMIC_SEQ_CST);
    if (inside > state.most_inside)
        state.most_inside = inside;
    state.call = *call;
    memcpy(state.size, call->size, call->n_dims * sizeof *call->size);
    for (uint32_t k = 0; k < call->n_operands; k++) {
        const gn_operand *from = &call->operands[k];
        gn_operand *to = &state.operands[k];
        to->mem = from->mem;
        to->offset = from->offset;
        memcpy(to->stride, from->stride, call->n_dims * sizeof *from->stride);
        to->axis_stride = from->axis_stride;
        to->axis_extent = from->axis_extent;
    }
    state.call.size = state.size;
    state.call.operands = state.operands;
    gn_status status = fail_as_told(call->tag);
    if (state.scratch_bytes && status == GN_OK)
        status = host->scratch(device, stream, state.scratch_bytes, &state.scratch);
    __atomic_sub_fetch(&state.inside, 1, __ATOMIC_SEQ_CST);
    return status;
}

static gn_status map(gn_device *device, gn_stream *stream, const gn_call *call) {
    state.maps++;
    return record(device, stream, call);
}

static gn_status reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    state.reduces++;
    return record(device, stream, call);
}

static gn_status row_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    if (state.row_answer != GN_OK)
        return host->set_error(state.row_answer, call->tag, "rows are too long");
    state.row_maps++;
    return record(device, stream, call);
}

static gn_status map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n) {
    state.many++;
    state.many_calls += (int)n;
    return record(device, stream, &calls[n - 1]);
}

static gn_status scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    (void)device, (void)stream;
    const gn_operand *from[3] = {call->source, call->index, call->target};
    state.scatters++;
    state.scatter = *call;
    memcpy(state.size, call->size, call->n_dims * sizeof *call->size);
    for (int k = 0; k < 3; k++) {
        state.operands[k].mem = from[k]->mem;
        state.operands[k].offset = from[k]->offset;
        memcpy(state.operands[k].stride, from[k]->stride, call->n_dims * sizeof(int64_t));
    }
    return fail_as_told(call->tag);
}

static gn_status program_create(gn_device *device, const gn_program *program, void **handle) {
    (void)device;
    if (state.create_answer != GN_OK)
        return host->set_error(state.create_answer, 0, "an opcode is unknown");
    state.creates++;
    *handle = (void *)program;
    return GN_OK;
}

static void program_release(gn_device *device, void *handle) {
    (void)device, (void)handle;
    state.releases++;
}

static gn_status synchronise(gn_device *device, gn_stream *stream) {
    (void)device, (void)stream;
    state.synchronises++;
    return fail_as_told(0);
}

/* ---- Plans */

static gn_status plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info,
                      gn_plan **out) {
    (void)device, (void)desc;
    state.plans++;
    if (state.plan_answer != GN_OK)
        return host->set_error(state.plan_answer, 0, "these strides are too wild");
    info->workspace_bytes = state.workspace_bytes;
    info->saved_bytes = 24;
    *out = (gn_plan *)&state;
    return GN_OK;
}

static void plan_release(gn_device *device, gn_plan *p) {
    (void)device, (void)p;
    state.plan_releases++;
}

static gn_status run(gn_device *device, gn_stream *stream, const gn_run *call) {
    (void)device, (void)stream;
    state.runs++;
    state.run = *call;
    memcpy(state.run_tensors, call->tensors, call->n_tensors * sizeof *call->tensors);
    return fail_as_told(call->tag);
}

static void shut_down(void) { state.shut_down++; }

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "recorder",
    .version = "1.2.3",
    .count = two,
    .info = fake_info,
    .open = open_device,
    .close = close_device,
    .alloc = alloc,
    .free = free_block,
    .host_pointer = host_pointer,
    .wrap = wrap,
    .memory_info = memory_info,
    .upload = upload,
    .download = download,
    .map = map,
    .reduce = reduce,
    .scatter = scatter,
    .program_create = program_create,
    .program_release = program_release,
    .synchronise = synchronise,
    .row_map = row_map,
    .map_many = map_many,
    .plan = plan,
    .plan_release = plan_release,
    .run = run,
    .shutdown = shut_down,
};

FAKE_ENTRY(table)
