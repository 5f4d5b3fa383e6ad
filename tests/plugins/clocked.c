/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An asynchronous backend that computes nothing: its streams have clocks that only work moves, and
 * its events say what the clock showed. See clocked.h.
 */
#include "clocked.h"
#include "fake.h"

struct gn_stream {
    uint64_t now;
};

struct gn_event {
    uint64_t at;
};

static clocked state;
static gn_stream standard;

static void work(gn_stream *stream, uint64_t ns) { (stream ? stream : &standard)->now += ns; }

static gn_status kernel(gn_device *device, gn_stream *stream, const gn_call *call) {
    (void)device, (void)call;
    work(stream, CLOCKED_KERNEL_NS);
    return GN_OK;
}

static gn_status upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                        const void *source, uint64_t bytes) {
    work(stream, CLOCKED_COPY_NS);
    return fake_upload(device, stream, target, offset, source, bytes);
}

static gn_status download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                          uint64_t offset, uint64_t bytes) {
    work(stream, CLOCKED_COPY_NS);
    return fake_download(device, stream, target, source, offset, bytes);
}

static void *host_pointer(gn_device *device, gn_mem *mem) {
    (void)device;
    return mem ? (void *)mem : &state;
}

/* ---- Streams and events */

static gn_status stream_create(gn_device *device, gn_stream **out) {
    (void)device;
    *out = calloc(1, sizeof **out);
    return *out ? GN_OK : GN_E_MEMORY;
}

static void stream_destroy(gn_device *device, gn_stream *stream) {
    (void)device;
    free(stream);
}

static gn_status synchronise(gn_device *device, gn_stream *stream) {
    (void)device, (void)stream;
    return GN_OK;
}

static gn_status event_create(gn_device *device, gn_event **out) {
    (void)device;
    *out = calloc(1, sizeof **out);
    state.events += *out != NULL;
    return *out ? GN_OK : GN_E_MEMORY;
}

static void event_destroy(gn_device *device, gn_event *event) {
    (void)device;
    state.events--;
    free(event);
}

static gn_status event_record(gn_device *device, gn_stream *stream, gn_event *event) {
    (void)device;
    work(stream, state.pause);
    event->at = (stream ? stream : &standard)->now;
    return GN_OK;
}

static gn_status event_synchronise(gn_device *device, gn_event *event) {
    (void)device, (void)event;
    state.waits++;
    return state.answer ? host->set_error(state.answer, 0, "earlier work failed") : GN_OK;
}

static gn_status event_elapsed(gn_device *device, gn_event *from, gn_event *to, uint64_t *out) {
    (void)device;
    if (to->at < from->at)
        return host->set_error(GN_E_ARGUMENT, 0, "the second event is the earlier one");
    *out = to->at - from->at;
    return GN_OK;
}

static const gn_backend backend = {
    .struct_size = sizeof backend,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "clocked",
    .version = "0.0.1",
    .count = fake_count,
    .info = fake_info,
    .open = fake_open,
    .close = fake_close,
    .alloc = fake_alloc,
    .free = fake_free,
    .upload = upload,
    .download = download,
    .map = kernel,
    .reduce = kernel,
    .scatter = fake_scatter,
    .host_pointer = host_pointer,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .synchronise = synchronise,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_record = event_record,
    .event_synchronise = event_synchronise,
    .event_elapsed = event_elapsed,
};

FAKE_ENTRY(backend)
