/* SPDX-License-Identifier: MIT-0 */
/*
 * layer.h - the functions of a layer that pass a call on to the device below, for layers to fill
 * their table with where they have nothing to add. Beside backend.h it is all that a layer needs.
 *
 *     struct gn_device {
 *         struct gn_layer layer; // first
 *         ...
 *     };
 *
 * A layer writes layer_open and close by itself: the device below is not the layer's to close.
 */
#ifndef GENESIS_LAYER_H
#define GENESIS_LAYER_H

#include <genesis/backend.h>

struct gn_layer {
    const gn_backend *below;
    gn_device *device; /* of `below` */
};

/* A device of the layer is a struct that begins with its struct gn_layer. */
static inline const struct gn_layer *gn_layer_of(const gn_device *device) {
    return (const struct gn_layer *)(const void *)device;
}

/* ---- Memory */

static inline gn_status gn_layer_alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->alloc(l->device, bytes, out);
}

static inline void gn_layer_free(gn_device *device, gn_mem *mem) {
    const struct gn_layer *l = gn_layer_of(device);
    l->below->free(l->device, mem);
}

static inline gn_status gn_layer_upload(gn_device *device, gn_stream *stream, gn_mem *target,
                                        uint64_t offset, const void *source, uint64_t bytes) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->upload(l->device, stream, target, offset, source, bytes);
}

static inline gn_status gn_layer_download(gn_device *device, gn_stream *stream, void *target,
                                          const gn_mem *source, uint64_t offset, uint64_t bytes) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->download(l->device, stream, target, source, offset, bytes);
}

static inline void *gn_layer_host_pointer(gn_device *device, gn_mem *mem) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->host_pointer(l->device, mem);
}

static inline gn_status gn_layer_wrap(gn_device *device, void *memory, uint64_t bytes,
                                      gn_mem **out) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->wrap(l->device, memory, bytes, out);
}

static inline gn_status gn_layer_memory_info(gn_device *device, uint64_t *free_bytes,
                                             uint64_t *total_bytes) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->memory_info(l->device, free_bytes, total_bytes);
}

/* ---- Programs and kernels */

static inline gn_status gn_layer_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->map(l->device, stream, call);
}

static inline gn_status gn_layer_reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->reduce(l->device, stream, call);
}

static inline gn_status gn_layer_scatter(gn_device *device, gn_stream *stream,
                                         const gn_scatter_call *call) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->scatter(l->device, stream, call);
}

static inline gn_status gn_layer_program_create(gn_device *device, const gn_program *program,
                                                void **handle) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->program_create(l->device, program, handle);
}

static inline void gn_layer_program_release(gn_device *device, void *handle) {
    const struct gn_layer *l = gn_layer_of(device);
    l->below->program_release(l->device, handle);
}

static inline gn_status gn_layer_row_map(gn_device *device, gn_stream *stream,
                                         const gn_call *call) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->row_map(l->device, stream, call);
}

static inline gn_status gn_layer_map_many(gn_device *device, gn_stream *stream,
                                          const gn_call *calls, uint32_t n) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->map_many(l->device, stream, calls, n);
}

static inline gn_status gn_layer_plan(gn_device *device, const gn_plan_desc *desc,
                                      gn_plan_info *info, gn_plan **out) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->plan(l->device, desc, info, out);
}

static inline void gn_layer_plan_release(gn_device *device, gn_plan *plan) {
    const struct gn_layer *l = gn_layer_of(device);
    l->below->plan_release(l->device, plan);
}

static inline gn_status gn_layer_run(gn_device *device, gn_stream *stream, const gn_run *run) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->run(l->device, stream, run);
}

/* ---- Streams and events */

static inline gn_status gn_layer_stream_create(gn_device *device, gn_stream **out) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->stream_create(l->device, out);
}

static inline void gn_layer_stream_destroy(gn_device *device, gn_stream *stream) {
    const struct gn_layer *l = gn_layer_of(device);
    l->below->stream_destroy(l->device, stream);
}

static inline gn_status gn_layer_synchronise(gn_device *device, gn_stream *stream) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->synchronise(l->device, stream);
}

static inline gn_status gn_layer_event_create(gn_device *device, gn_event **out) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->event_create(l->device, out);
}

static inline void gn_layer_event_destroy(gn_device *device, gn_event *event) {
    const struct gn_layer *l = gn_layer_of(device);
    l->below->event_destroy(l->device, event);
}

static inline gn_status gn_layer_event_record(gn_device *device, gn_stream *stream,
                                              gn_event *event) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->event_record(l->device, stream, event);
}

static inline gn_status gn_layer_event_wait(gn_device *device, gn_stream *stream, gn_event *event) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->event_wait(l->device, stream, event);
}

static inline gn_status gn_layer_event_synchronise(gn_device *device, gn_event *event) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->event_synchronise(l->device, event);
}

static inline gn_status gn_layer_event_elapsed(gn_device *device, gn_event *from, gn_event *to,
                                               uint64_t *out) {
    const struct gn_layer *l = gn_layer_of(device);
    return l->below->event_elapsed(l->device, from, to, out);
}

#endif
