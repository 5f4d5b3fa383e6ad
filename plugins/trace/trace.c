/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - the layer's table: every function passes its call on to the device below and times it,
 * but for those that only look something up. Then the entry.
 *
 * Memory, streams, events and handles are those of the device below. Plans are the layer's own,
 * because a run does not say what it computes.
 */
#include <stdlib.h>
#include <string.h>

#include "trace.h"

const gn_host *trace_host;

/* ---- Calls that are no work on a stream: they take time of the thread only */

static gn_status mem_alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    trace_span span;
    span.begin = trace_now();
    gn_status status = device->below.alloc(device->inner, bytes, out);
    span.end = trace_now();
    trace_describe_bytes(&span, "alloc", bytes);
    trace_output_host(&span, status);
    if (status == GN_OK)
        trace_block_add(device, *out, bytes);
    return status;
}

static void mem_free(gn_device *device, gn_mem *mem) {
    trace_span span;
    if (mem == NULL)
        return;
    /* Before it is free, because another thread may be given its address then. */
    const uint64_t bytes = trace_block_remove(device, mem);
    span.begin = trace_now();
    device->below.free(device->inner, mem);
    span.end = trace_now();
    trace_describe_bytes(&span, "free", bytes);
    trace_output_host(&span, GN_OK);
}

static gn_status program_create(gn_device *device, const gn_program *program, void **handle) {
    trace_span span;
    span.begin = trace_now();
    gn_status status = device->below.program_create(device->inner, program, handle);
    span.end = trace_now();
    trace_describe_program(&span, "program_create", program);
    trace_output_host(&span, status);
    return status;
}

static gn_status plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info,
                      gn_plan **out) {
    trace_span span;
    gn_plan *made = malloc(sizeof *made);
    if (made == NULL)
        return trace_host->set_error(GN_E_MEMORY, 0, "trace: no memory for a plan");
    made->below = NULL;
    span.begin = trace_now();
    gn_status status = device->below.plan(device->inner, desc, info, &made->below);
    span.end = trace_now();
    trace_describe_plan(made, desc);
    trace_describe_planning(&span, made);
    trace_output_host(&span, status);
    if (status != GN_OK) {
        free(made);
        return status;
    }
    *out = made;
    return GN_OK;
}

static gn_status synchronise(gn_device *device, gn_stream *stream) {
    trace_span span;
    span.begin = trace_now();
    gn_status status = device->below.synchronise(device->inner, stream);
    span.end = trace_now();
    trace_describe(&span, "synchronise");
    trace_output_host(&span, status);
    if (status == GN_OK)
        trace_stream_drained(device, stream);
    return status;
}

static gn_status event_synchronise(gn_device *device, gn_event *event) {
    trace_span span;
    span.begin = trace_now();
    gn_status status = device->below.event_synchronise(device->inner, event);
    span.end = trace_now();
    trace_describe(&span, "event_synchronise");
    trace_output_host(&span, status);
    return status;
}

/* ---- Work on a stream */

static gn_status upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                        const void *source, uint64_t bytes) {
    trace_work work;
    trace_span span;
    gn_status status = trace_work_begin(&work, device, stream);
    if (status == GN_OK)
        status = device->below.upload(device->inner, stream, target, offset, source, bytes);
    trace_work_end(&work, device, status, &span);
    trace_describe_bytes(&span, "upload", bytes);
    trace_work_record(&work, device, status, &span);
    return status;
}

static gn_status download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                          uint64_t offset, uint64_t bytes) {
    trace_work work;
    trace_span span;
    gn_status status = trace_work_begin(&work, device, stream);
    if (status == GN_OK)
        status = device->below.download(device->inner, stream, target, source, offset, bytes);
    trace_work_end(&work, device, status, &span);
    trace_describe_bytes(&span, "download", bytes);
    trace_work_record(&work, device, status, &span);
    if (status == GN_OK)
        trace_stream_drained(device, stream);
    return status;
}

typedef gn_status program_kernel(gn_device *device, gn_stream *stream, const gn_call *call);

static gn_status run_program(gn_device *device, gn_stream *stream, const gn_call *call,
                             const char *name, program_kernel *kernel) {
    trace_work work;
    trace_span span;
    gn_status status = trace_work_begin(&work, device, stream);
    if (status == GN_OK)
        status = kernel(device->inner, stream, call);
    trace_work_end(&work, device, status, &span);
    trace_describe_calls(&span, name, call, 1);
    trace_work_record(&work, device, status, &span);
    return status;
}

static gn_status map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_program(device, stream, call, "map", device->below.map);
}

static gn_status reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_program(device, stream, call, "reduce", device->below.reduce);
}

static gn_status row_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_program(device, stream, call, "row_map", device->below.row_map);
}

static gn_status map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n) {
    trace_work work;
    trace_span span;
    if (n == 0)
        return GN_OK;
    gn_status status = trace_work_begin(&work, device, stream);
    if (status == GN_OK)
        status = device->below.map_many(device->inner, stream, calls, n);
    trace_work_end(&work, device, status, &span);
    trace_describe_calls(&span, "map_many", calls, n);
    trace_work_record(&work, device, status, &span);
    return status;
}

static gn_status scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    trace_work work;
    trace_span span;
    gn_status status = trace_work_begin(&work, device, stream);
    if (status == GN_OK)
        status = device->below.scatter(device->inner, stream, call);
    trace_work_end(&work, device, status, &span);
    trace_describe_scatter(&span, call);
    trace_work_record(&work, device, status, &span);
    return status;
}

static gn_status run(gn_device *device, gn_stream *stream, const gn_run *given) {
    trace_work work;
    trace_span span;
    gn_run inner = {.struct_size = 0};
    memcpy(&inner, given, given->struct_size < sizeof inner ? given->struct_size : sizeof inner);
    inner.plan = given->plan->below;
    gn_status status = trace_work_begin(&work, device, stream);
    if (status == GN_OK)
        status = device->below.run(device->inner, stream, &inner);
    trace_work_end(&work, device, status, &span);
    trace_describe_run(&span, given);
    trace_work_record(&work, device, status, &span);
    return status;
}

/* ---- Passed on */

static void program_release(gn_device *device, void *handle) {
    device->below.program_release(device->inner, handle);
}

static void plan_release(gn_device *device, gn_plan *made) {
    if (made)
        device->below.plan_release(device->inner, made->below);
    free(made);
}

static void *host_pointer(gn_device *device, gn_mem *mem) {
    return device->below.host_pointer(device->inner, mem);
}

static gn_status wrap(gn_device *device, void *memory, uint64_t bytes, gn_mem **out) {
    return device->below.wrap(device->inner, memory, bytes, out);
}

static gn_status memory_info(gn_device *device, uint64_t *free_bytes, uint64_t *total_bytes) {
    return device->below.memory_info(device->inner, free_bytes, total_bytes);
}

static gn_status stream_create(gn_device *device, gn_stream **out) {
    gn_status status = device->below.stream_create(device->inner, out);
    if (status != GN_OK)
        return status;
    status = trace_stream_open(device, *out);
    if (status != GN_OK)
        device->below.stream_destroy(device->inner, *out);
    return status;
}

static void stream_destroy(gn_device *device, gn_stream *stream) {
    if (stream)
        trace_stream_close(device, stream);
    device->below.stream_destroy(device->inner, stream);
}

static gn_status event_create(gn_device *device, gn_event **out) {
    return device->below.event_create(device->inner, out);
}

static void event_destroy(gn_device *device, gn_event *event) {
    device->below.event_destroy(device->inner, event);
}

static gn_status event_record(gn_device *device, gn_stream *stream, gn_event *event) {
    return device->below.event_record(device->inner, stream, event);
}

static gn_status event_wait(gn_device *device, gn_stream *stream, gn_event *event) {
    return device->below.event_wait(device->inner, stream, event);
}

static gn_status event_elapsed(gn_device *device, gn_event *from, gn_event *to, uint64_t *out) {
    return device->below.event_elapsed(device->inner, from, to, out);
}

/* ---- Table and entry */

static const gn_backend layer = {
    .struct_size = sizeof layer,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "trace",
    .version = "0.1",
    .layer_open = trace_device_open,
    .close = trace_device_close,
    .alloc = mem_alloc,
    .free = mem_free,
    .upload = upload,
    .download = download,
    .map = map,
    .reduce = reduce,
    .scatter = scatter,
    .program_create = program_create,
    .program_release = program_release,
    .host_pointer = host_pointer,
    .wrap = wrap,
    .memory_info = memory_info,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .synchronise = synchronise,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_record = event_record,
    .event_wait = event_wait,
    .event_synchronise = event_synchronise,
    .event_elapsed = event_elapsed,
    .row_map = row_map,
    .map_many = map_many,
    .plan = plan,
    .plan_release = plan_release,
    .run = run,
};

gn_status gn_backend_entry(const gn_host *host, gn_abi_request *request, const gn_backend **out) {
    if (request->major != GN_ABI_MAJOR || request->minor_min > GN_ABI_MINOR ||
        request->minor_max < GN_ABI_MINOR) {
        request->needed_major = GN_ABI_MAJOR;
        request->needed_minor = GN_ABI_MINOR;
        return GN_E_VERSION;
    }
    trace_host = host;
    *out = &layer;
    return GN_OK;
}
