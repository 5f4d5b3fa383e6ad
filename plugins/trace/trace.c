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
    gn_status status = gn_layer_alloc(device, bytes, out);
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
    gn_layer_free(device, mem);
    span.end = trace_now();
    trace_describe_bytes(&span, "free", bytes);
    trace_output_host(&span, GN_OK);
}

static gn_status program_create(gn_device *device, const gn_program *program, void **handle) {
    trace_span span;
    span.begin = trace_now();
    gn_status status = gn_layer_program_create(device, program, handle);
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
    gn_status status = gn_layer_plan(device, desc, info, &made->below);
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
    gn_status status = gn_layer_synchronise(device, stream);
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
    gn_status status = gn_layer_event_synchronise(device, event);
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
        status = gn_layer_upload(device, stream, target, offset, source, bytes);
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
        status = gn_layer_download(device, stream, target, source, offset, bytes);
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
        status = kernel(device, stream, call);
    trace_work_end(&work, device, status, &span);
    trace_describe_calls(&span, name, call, 1);
    trace_work_record(&work, device, status, &span);
    return status;
}

static gn_status map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_program(device, stream, call, "map", gn_layer_map);
}

static gn_status reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_program(device, stream, call, "reduce", gn_layer_reduce);
}

static gn_status row_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_program(device, stream, call, "row_map", gn_layer_row_map);
}

static gn_status map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n) {
    trace_work work;
    trace_span span;
    if (n == 0)
        return GN_OK;
    gn_status status = trace_work_begin(&work, device, stream);
    if (status == GN_OK)
        status = gn_layer_map_many(device, stream, calls, n);
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
        status = gn_layer_scatter(device, stream, call);
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
        status = gn_layer_run(device, stream, &inner);
    trace_work_end(&work, device, status, &span);
    trace_describe_run(&span, given);
    trace_work_record(&work, device, status, &span);
    return status;
}

/* ---- Plans and streams are known to the layer */

static void plan_release(gn_device *device, gn_plan *made) {
    if (made)
        gn_layer_plan_release(device, made->below);
    free(made);
}

static gn_status stream_create(gn_device *device, gn_stream **out) {
    gn_status status = gn_layer_stream_create(device, out);
    if (status != GN_OK)
        return status;
    status = trace_stream_open(device, *out);
    if (status != GN_OK)
        gn_layer_stream_destroy(device, *out);
    return status;
}

static void stream_destroy(gn_device *device, gn_stream *stream) {
    if (stream)
        trace_stream_close(device, stream);
    gn_layer_stream_destroy(device, stream);
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
    .program_release = gn_layer_program_release,
    .host_pointer = gn_layer_host_pointer,
    .wrap = gn_layer_wrap,
    .memory_info = gn_layer_memory_info,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .synchronise = synchronise,
    .event_create = gn_layer_event_create,
    .event_destroy = gn_layer_event_destroy,
    .event_record = gn_layer_event_record,
    .event_wait = gn_layer_event_wait,
    .event_synchronise = event_synchronise,
    .event_elapsed = gn_layer_event_elapsed,
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
