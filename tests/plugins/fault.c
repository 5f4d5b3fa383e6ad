/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that passes calls on, and makes chosen ones fail or misbehave: see fault.h. Calls are
 * counted without a lock: tests that choose the n-th one make them on one thread.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <genesis/layer.h>

#include "fault.h"

struct gn_device {
    struct gn_layer layer;
    gn_status late; /* sticks to `late_stream` */
    gn_stream *late_stream;
    uint64_t late_tag;
};

/* A plan of the layer's own knows where its result lies. */
struct gn_plan {
    gn_plan *below;
    gn_tensor_desc result;
};

static const gn_host *host;
GN_PLUGIN_EXPORT fault fault_state;

static const struct {
    const char *name;
    int enqueues;
} functions[N_FAULT_FUNCTIONS + 1] = {
#define X(name, enqueues) [FAULT_##name] = {#name, enqueues},
    FAULT_FUNCTIONS(X)
#undef X
        [FAULT_any] = {"any", 0},
};

/* ---- Striking */

/* Counts a call. Whether it is one to be struck. */
static int strikes(int function) {
    const uint64_t calls = ++fault_state.calls[function], all = ++fault_state.calls[FAULT_any];
    if (fault_state.n == 0 ||
        (fault_state.function != FAULT_any && fault_state.function != function))
        return 0;
    const uint64_t n = fault_state.function == FAULT_any ? all : calls;
    if (fault_state.mode == FAULT_MODE_fail ? n != fault_state.n : n < fault_state.n)
        return 0;
    fault_state.struck++;
    fault_state.last_struck = function;
    return 1;
}

static gn_status fail(int function, uint64_t tag) {
    char text[100];
    snprintf(text, sizeof text, "%s was told to fail", functions[function].name);
    return host->set_error(fault_state.status, tag, text);
}

static void *volatile lost;

static void lose(const gn_device *device) {
    gn_mem *mem = NULL;
    lost = malloc(1000);
    if (device->layer.below->alloc(device->layer.device, 4096, &mem) == GN_OK)
        fault_state.blocks++;
    lost = mem;
}

/* What a struck call does before its work: that is all for a function that is no kernel. */
static gn_status strike(gn_device *device, gn_stream *stream, int function, uint64_t tag) {
    switch (fault_state.mode) {
    case FAULT_MODE_crash: raise(SIGSEGV); break;
    case FAULT_MODE_hang:
        while (pause() != 0)
            continue;
        break;
    case FAULT_MODE_leak: lose(device); break;
    case FAULT_MODE_fail:
        if (!fault_state.late || !functions[function].enqueues)
            return fail(function, tag);
        device->late = fault_state.status;
        device->late_stream = stream;
        device->late_tag = tag;
        break;
    }
    return GN_OK;
}

static gn_status enter(gn_device *device, gn_stream *stream, int function, uint64_t tag) {
    return strikes(function) ? strike(device, stream, function, tag) : GN_OK;
}

/* The error that sticks to the stream, which is over then. */
static gn_status late_error(gn_device *device, gn_stream *stream) {
    const gn_status late = device->late;
    if (late == GN_OK || device->late_stream != stream)
        return GN_OK;
    device->late = GN_OK;
    return host->set_error(late, device->late_tag, "work was told to fail");
}

/* ---- Spoiling what a kernel has written */

typedef struct result {
    gn_mem *mem;
    uint64_t first, behind; /* bytes: the first element that is written, the place after the last */
    int dtype;
} result;

static result result_of(gn_mem *mem, int64_t offset, int dtype, uint32_t n_dims,
                        const int64_t *size, const int64_t *stride) {
    const int64_t bytes = gn_dtype_bytes(dtype);
    int64_t last = offset;
    for (uint32_t d = 0; d < n_dims; d++)
        last += stride[d] > 0 ? (size[d] - 1) * stride[d] : 0;
    return (result){mem, (uint64_t)(offset * bytes), (uint64_t)((last + 1) * bytes), dtype};
}

static result result_of_call(const gn_call *call) {
    for (uint32_t k = call->n_operands; k-- > 0;) {
        const gn_operand_info *info = &call->program->operands[k];
        const gn_operand *o = &call->operands[k];
        if (info->role == GN_WRITE)
            return result_of(o->mem, o->offset, info->dtype, call->n_dims, call->size, o->stride);
    }
    return (result){NULL, 0, 0, GN_BOOL};
}

static result result_of_scatter(const gn_scatter_call *call) {
    const gn_operand *target = call->target;
    result r = result_of(target->mem, target->offset, call->dtype, call->n_dims, call->size,
                         target->stride);
    if (target->axis_stride > 0)
        r.behind += (uint64_t)((target->axis_extent - 1) * target->axis_stride) *
                    gn_dtype_bytes(call->dtype);
    return r;
}

static result result_of_run(const gn_run *run) {
    const gn_tensor_desc *desc = &run->plan->result;
    result r = result_of(run->tensors[0].mem, 0, desc->dtype, (uint32_t)desc->n_dims, desc->size,
                         desc->stride);
    r.first += run->tensors[0].offset;
    r.behind += run->tensors[0].offset;
    return r;
}

/* Inverts bits of one byte of the memory. */
static gn_status flip(gn_device *device, gn_stream *stream, gn_mem *mem, uint64_t at, int bits) {
    const struct gn_layer *l = &device->layer;
    unsigned char byte;
    gn_status status = l->below->download(l->device, stream, &byte, mem, at, 1);
    byte ^= (unsigned char)bits;
    return status == GN_OK ? l->below->upload(l->device, stream, mem, at, &byte, 1) : status;
}

/* Of a float, a bit of the mantissa's upper part; of a bool, the one it has. */
static gn_status spoil(gn_device *device, gn_stream *stream, const result *r) {
    const uint32_t bytes = gn_dtype_bytes(r->dtype);
    if (r->mem == NULL)
        return GN_OK;
    if (fault_state.mode == FAULT_MODE_overrun)
        return flip(device, stream, r->mem, r->behind, 0xff);
    if (fault_state.mode == FAULT_MODE_wrong)
        return flip(device, stream, r->mem, r->first + (bytes > 2 ? bytes - 2 : 0),
                    r->dtype == GN_BOOL ? 1 : 8);
    return GN_OK;
}

/* ---- Kernels */

/* Before a kernel. Tells whether it is to be spoiled after its work. */
static gn_status enter_kernel(gn_device *device, gn_stream *stream, int function, uint64_t tag,
                              int is_double, int *struck) {
    *struck = strikes(function);
    if (*struck && fault_state.mode == FAULT_MODE_lie && is_double)
        return host->set_error(GN_E_UNSUPPORTED, tag, "no float64 after all");
    return *struck ? strike(device, stream, function, tag) : GN_OK;
}

static int has_double(const gn_program *program) {
    for (uint32_t k = 0; k < program->n_operands; k++)
        if (program->operands[k].dtype == GN_F64)
            return 1;
    return 0;
}

typedef gn_status kernel(gn_device *device, gn_stream *stream, const gn_call *call);

static gn_status run_call(gn_device *device, gn_stream *stream, const gn_call *call, int function,
                          kernel *pass_on) {
    int struck;
    gn_status status =
        enter_kernel(device, stream, function, call->tag, has_double(call->program), &struck);
    if (status == GN_OK)
        status = pass_on(device, stream, call);
    const result written = result_of_call(call);
    return status == GN_OK && struck ? spoil(device, stream, &written) : status;
}

static gn_status map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_call(device, stream, call, FAULT_map, gn_layer_map);
}

static gn_status reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_call(device, stream, call, FAULT_reduce, gn_layer_reduce);
}

static gn_status row_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_call(device, stream, call, FAULT_row_map, gn_layer_row_map);
}

static gn_status map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n) {
    int struck;
    gn_status status = enter_kernel(device, stream, FAULT_map_many, calls->tag,
                                    has_double(calls->program), &struck);
    if (status == GN_OK)
        status = gn_layer_map_many(device, stream, calls, n);
    const result written = result_of_call(calls);
    return status == GN_OK && struck ? spoil(device, stream, &written) : status;
}

static gn_status scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    int struck;
    gn_status status =
        enter_kernel(device, stream, FAULT_scatter, call->tag, call->dtype == GN_F64, &struck);
    if (status == GN_OK)
        status = gn_layer_scatter(device, stream, call);
    const result written = result_of_scatter(call);
    return status == GN_OK && struck ? spoil(device, stream, &written) : status;
}

static gn_status program_create(gn_device *device, const gn_program *program, void **handle) {
    gn_status status = enter(device, NULL, FAULT_program_create, 0);
    if (status == GN_OK)
        status = gn_layer_program_create(device, program, handle);
    fault_state.programs += status == GN_OK;
    return status;
}

static void program_release(gn_device *device, void *handle) {
    fault_state.programs--;
    gn_layer_program_release(device, handle);
}

/* ---- Plans */

static gn_status plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info,
                      gn_plan **out) {
    gn_status status = enter(device, NULL, FAULT_plan, 0);
    gn_plan *p = status == GN_OK ? malloc(sizeof *p) : NULL;
    if (p == NULL)
        return status == GN_OK ? GN_E_MEMORY : status;
    p->result = desc->tensors[0];
    status = gn_layer_plan(device, desc, info, &p->below);
    if (status != GN_OK) {
        free(p);
        return status;
    }
    fault_state.plans++;
    *out = p;
    return GN_OK;
}

static void plan_release(gn_device *device, gn_plan *p) {
    fault_state.plans--;
    gn_layer_plan_release(device, p->below);
    free(p);
}

static gn_status run(gn_device *device, gn_stream *stream, const gn_run *run) {
    int struck;
    gn_status status = enter_kernel(device, stream, FAULT_run, run->tag,
                                    run->plan->result.dtype == GN_F64, &struck);
    gn_run below = *run;
    below.plan = run->plan->below;
    if (status == GN_OK)
        status = gn_layer_run(device, stream, &below);
    const result written = result_of_run(run);
    return status == GN_OK && struck ? spoil(device, stream, &written) : status;
}

/* ---- Memory */

static gn_status alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    gn_status status = enter(device, NULL, FAULT_alloc, 0);
    if (status == GN_OK)
        status = gn_layer_alloc(device, bytes, out);
    fault_state.blocks += status == GN_OK;
    return status;
}

static gn_status wrap(gn_device *device, void *memory, uint64_t bytes, gn_mem **out) {
    gn_status status = enter(device, NULL, FAULT_wrap, 0);
    if (status == GN_OK)
        status = gn_layer_wrap(device, memory, bytes, out);
    fault_state.blocks += status == GN_OK;
    return status;
}

static void free_block(gn_device *device, gn_mem *mem) {
    fault_state.blocks -= mem != NULL;
    gn_layer_free(device, mem);
}

static gn_status memory_info(gn_device *device, uint64_t *free_bytes, uint64_t *total_bytes) {
    const gn_status status = enter(device, NULL, FAULT_memory_info, 0);
    return status == GN_OK ? gn_layer_memory_info(device, free_bytes, total_bytes) : status;
}

static gn_status upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                        const void *source, uint64_t bytes) {
    const gn_status status = enter(device, stream, FAULT_upload, 0);
    return status == GN_OK ? gn_layer_upload(device, stream, target, offset, source, bytes)
                           : status;
}

static gn_status download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                          uint64_t offset, uint64_t bytes) {
    gn_status status = enter(device, stream, FAULT_download, 0);
    if (status == GN_OK)
        status = gn_layer_download(device, stream, target, source, offset, bytes);
    return status == GN_OK ? late_error(device, stream) : status;
}

/* ---- Streams and events */

static gn_status stream_create(gn_device *device, gn_stream **out) {
    gn_status status = enter(device, NULL, FAULT_stream_create, 0);
    if (status == GN_OK)
        status = gn_layer_stream_create(device, out);
    fault_state.streams += status == GN_OK;
    return status;
}

static void stream_destroy(gn_device *device, gn_stream *stream) {
    fault_state.streams--;
    gn_layer_stream_destroy(device, stream);
}

static gn_status synchronise(gn_device *device, gn_stream *stream) {
    gn_status status = enter(device, stream, FAULT_synchronise, 0);
    if (status == GN_OK)
        status = gn_layer_synchronise(device, stream);
    return status == GN_OK ? late_error(device, stream) : status;
}

static gn_status event_create(gn_device *device, gn_event **out) {
    gn_status status = enter(device, NULL, FAULT_event_create, 0);
    if (status == GN_OK)
        status = gn_layer_event_create(device, out);
    fault_state.events += status == GN_OK;
    return status;
}

static void event_destroy(gn_device *device, gn_event *event) {
    fault_state.events--;
    gn_layer_event_destroy(device, event);
}

static gn_status event_record(gn_device *device, gn_stream *stream, gn_event *event) {
    const gn_status status = enter(device, stream, FAULT_event_record, 0);
    return status == GN_OK ? gn_layer_event_record(device, stream, event) : status;
}

static gn_status event_wait(gn_device *device, gn_stream *stream, gn_event *event) {
    const gn_status status = enter(device, stream, FAULT_event_wait, 0);
    return status == GN_OK ? gn_layer_event_wait(device, stream, event) : status;
}

static gn_status event_synchronise(gn_device *device, gn_event *event) {
    const gn_status status = enter(device, NULL, FAULT_event_synchronise, 0);
    return status == GN_OK ? gn_layer_event_synchronise(device, event) : status;
}

static gn_status event_elapsed(gn_device *device, gn_event *from, gn_event *to, uint64_t *out) {
    const gn_status status = enter(device, NULL, FAULT_event_elapsed, 0);
    return status == GN_OK ? gn_layer_event_elapsed(device, from, to, out) : status;
}

/* ---- Opening */

static gn_status layer_open(const gn_backend *below, gn_device *device, const char *name,
                            gn_device **out) {
    (void)name;
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return GN_E_MEMORY;
    (*out)->layer = (struct gn_layer){below, device};
    fault_state.devices++;
    return GN_OK;
}

static void close_device(gn_device *device) {
    fault_state.devices -= device != NULL;
    free(device);
}

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "fault",
    .version = "0.0.1",
    .close = close_device,
    .alloc = alloc,
    .free = free_block,
    .upload = upload,
    .download = download,
    .map = map,
    .reduce = reduce,
    .scatter = scatter,
    .program_create = program_create,
    .program_release = program_release,
    .host_pointer = gn_layer_host_pointer,
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
    .layer_open = layer_open,
};

/* ---- GENESIS_FAULT */

static int function_of(const char *name) {
    int i = N_FAULT_FUNCTIONS;
    while (i >= 0 && strcmp(functions[i].name, name) != 0)
        i--;
    return i;
}

static int mode_of(const char *name) {
    static const char *const names[] = {
#define X(name, does) #name,
        FAULT_MODES(X)
#undef X
    };
    int i = N_FAULT_MODES - 1;
    while (i >= 0 && strcmp(names[i], name) != 0)
        i--;
    return i;
}

/* "memory" of GN_E_MEMORY; 0: none of that name. */
static gn_status status_of(const char *name) {
    static const struct {
        const char *name;
        gn_status status;
    } names[] = {
#define X(name, value, text) {#name, value},
        GN_STATUSES(X)
#undef X
    };
    char upper[32] = "GN_E_";
    for (size_t i = 0; name[i] && i + 6 < sizeof upper; i++)
        upper[i + 5] = (char)toupper((unsigned char)name[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, upper) == 0)
            return names[i].status;
    return GN_OK;
}

static int set(const char *key, const char *value) {
    if (strcmp(key, "function") == 0)
        return (fault_state.function = function_of(value)) >= 0;
    if (strcmp(key, "mode") == 0)
        return (fault_state.mode = mode_of(value)) >= 0;
    if (strcmp(key, "status") == 0)
        return (fault_state.status = status_of(value)) != GN_OK;
    if (strcmp(key, "n") == 0)
        return (fault_state.n = strtoull(value, NULL, 10)) > 0;
    if (strcmp(key, "late") == 0)
        return (fault_state.late = atoi(value)) >= 0;
    return 0;
}

static gn_status read_variable(void) {
    char key[32], value[32], text[100];
    const char *at = getenv("GENESIS_FAULT");
    fault_state = (fault){.function = FAULT_any, .n = at && *at, .status = GN_E_DEVICE};
    while (at && *at) {
        int length = 0;
        if (sscanf(at, "%31[a-z]=%31[a-z_0-9]%n", key, value, &length) != 2 ||
            (at[length] != ',' && at[length] != '\0') || !set(key, value)) {
            snprintf(text, sizeof text, "GENESIS_FAULT: what does '%.40s' mean?", at);
            return host->set_error(GN_E_ARGUMENT, 0, text);
        }
        at += length + (at[length] == ',');
    }
    return GN_OK;
}

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    if (request->major != GN_ABI_MAJOR || request->minor_max < GN_ABI_MINOR ||
        request->minor_min > GN_ABI_MINOR) {
        request->needed_major = GN_ABI_MAJOR;
        request->needed_minor = GN_ABI_MINOR;
        return GN_E_VERSION;
    }
    host = services;
    *out = &table;
    return read_variable();
}
