/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device with streams and events: ref, behind a thread for each stream that works after the call
 * has returned. GENESIS_ASYNC=blind makes streams not wait for events, GENESIS_ASYNC=mute forgets
 * the tags of errors, so that tests of streams can be seen to fail.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <genesis/backend.h>

enum { DELAY_NS = 100000 /* of each task, so that whoever does not wait is too early */ };

typedef struct task {
    struct task *next;
    gn_status (*run)(gn_stream *stream, struct task *task);
    gn_status (*kernel)(gn_device *device, gn_stream *stream, const gn_call *call);
    gn_call call;
    gn_scatter_call scatter;
    gn_operand operands[GN_MAX_OPERANDS];
    int64_t size[GN_MAX_DIMS];
    gn_scalar params[GN_MAX_PARAMS];
    gn_mem *mem;
    gn_event *event;
    uint64_t offset, bytes, generation;
    char *data;
} task;

struct gn_stream {
    gn_device *device;
    pthread_t thread;
    task *first, **last;
    uint64_t enqueued, done;
    int stops;
    gn_status error;
    uint64_t error_tag;
    struct gn_stream *next;
};

struct gn_event {
    uint64_t recorded, done; /* generations */
    struct timespec time;
};

struct gn_device {
    const gn_backend *table; /* of ref, with all kernels, synchronous */
    gn_device *ref;
    gn_stream *streams; /* the last one is the default queue */
};

static const gn_host *host;
static pid_t owner;
static int is_blind, is_mute;

/* Of everything: a test's device need not be fast. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static int is_forked(void) { return getpid() != owner; }

/* ---- The thread of a stream */

static void finish(gn_stream *s, task *t, gn_status status) {
    pthread_mutex_lock(&lock);
    if (status != GN_OK && s->error == GN_OK) {
        s->error = status;
        s->error_tag = is_mute ? 0 : t->scatter.tag | t->call.tag;
    }
    s->done++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    free(t->data);
    free(t);
}

static task *next_task(gn_stream *s) {
    pthread_mutex_lock(&lock);
    while (!s->first && !s->stops)
        pthread_cond_wait(&changed, &lock);
    task *t = s->first;
    if (t) {
        s->first = t->next;
        if (!s->first)
            s->last = &s->first;
    }
    pthread_mutex_unlock(&lock);
    return t;
}

static void *work(void *argument) {
    gn_stream *s = argument;
    for (task *t; (t = next_task(s));) {
        nanosleep(&(struct timespec){.tv_nsec = DELAY_NS}, NULL);
        finish(s, t, t->run(s, t));
    }
    return NULL;
}

static gn_stream *queue_of(gn_device *device, gn_stream *stream) {
    gn_stream *s = stream ? stream : device->streams;
    while (!stream && s->next)
        s = s->next;
    return s;
}

static gn_status enqueue(gn_stream *s, const task *like) {
    if (is_forked())
        return GN_E_FORKED;
    task *t = malloc(sizeof *t);
    if (!t) {
        free(like->data);
        return GN_E_MEMORY;
    }
    *t = *like;
    t->next = NULL;
    t->call.size = t->scatter.size = t->size;
    t->call.operands = t->operands;
    t->call.params = t->params;
    pthread_mutex_lock(&lock);
    *s->last = t;
    s->last = &t->next;
    s->enqueued++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return GN_OK;
}

/* Waits for what was enqueued so far, and takes the error that stuck. */
static gn_status wait_for(gn_stream *s) {
    if (is_forked())
        return GN_E_FORKED;
    pthread_mutex_lock(&lock);
    for (const uint64_t wanted = s->enqueued; s->done < wanted;)
        pthread_cond_wait(&changed, &lock);
    const gn_status status = s->error;
    s->error = GN_OK;
    pthread_mutex_unlock(&lock);
    return status ? host->set_error(status, s->error_tag, "late: an index is out of range") : GN_OK;
}

/* ---- Streams and events */

static gn_status stream_create(gn_device *device, gn_stream **out) {
    gn_stream *s = calloc(1, sizeof *s);
    if (!s)
        return GN_E_MEMORY;
    s->device = device;
    s->last = &s->first;
    if (pthread_create(&s->thread, NULL, work, s) != 0) {
        free(s);
        return GN_E_DEVICE;
    }
    pthread_mutex_lock(&lock);
    s->next = device->streams;
    device->streams = s;
    pthread_mutex_unlock(&lock);
    *out = s;
    return GN_OK;
}

static void stream_destroy(gn_device *device, gn_stream *stream) {
    pthread_mutex_lock(&lock);
    gn_stream **at = &device->streams;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    stream->stops = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(stream->thread, NULL);
    free(stream);
}

static gn_status synchronise(gn_device *device, gn_stream *stream) {
    return wait_for(queue_of(device, stream));
}

static gn_status event_create(gn_device *device, gn_event **out) {
    (void)device;
    *out = calloc(1, sizeof **out);
    return *out ? GN_OK : GN_E_MEMORY;
}

static void event_destroy(gn_device *device, gn_event *event) {
    (void)device;
    free(event);
}

static gn_status reach_event(gn_stream *stream, task *t) {
    (void)stream;
    pthread_mutex_lock(&lock);
    t->event->done = t->generation;
    clock_gettime(CLOCK_MONOTONIC, &t->event->time);
    pthread_mutex_unlock(&lock);
    return GN_OK;
}

static gn_status event_record(gn_device *device, gn_stream *stream, gn_event *event) {
    pthread_mutex_lock(&lock);
    const task t = {.run = reach_event, .event = event, .generation = ++event->recorded};
    pthread_mutex_unlock(&lock);
    return enqueue(queue_of(device, stream), &t);
}

static void await(const gn_event *event, uint64_t generation) {
    pthread_mutex_lock(&lock);
    while (event->done < generation)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static gn_status wait_event(gn_stream *stream, task *t) {
    (void)stream;
    if (!is_blind)
        await(t->event, t->generation);
    return GN_OK;
}

static gn_status event_wait(gn_device *device, gn_stream *stream, gn_event *event) {
    const task t = {.run = wait_event, .event = event, .generation = event->recorded};
    return enqueue(queue_of(device, stream), &t);
}

static gn_status event_synchronise(gn_device *device, gn_event *event) {
    (void)device;
    await(event, event->recorded);
    return GN_OK;
}

static gn_status event_elapsed(gn_device *device, gn_event *from, gn_event *to, uint64_t *out) {
    (void)device;
    const int64_t seconds = to->time.tv_sec - from->time.tv_sec;
    *out = (uint64_t)(seconds * 1000000000 + to->time.tv_nsec - from->time.tv_nsec);
    return GN_OK;
}

/* ---- Memory */

static gn_status alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    return is_forked() ? GN_E_FORKED : device->table->alloc(device->ref, bytes, out);
}

/* Waits for all streams. */
static void free_block(gn_device *device, gn_mem *mem) {
    pthread_mutex_lock(&lock);
    for (gn_stream *s = is_forked() ? NULL : device->streams; s; s = s->next)
        while (s->done < s->enqueued)
            pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    device->table->free(device->ref, mem);
}

static gn_status copy_in(gn_stream *s, task *t) {
    return s->device->table->upload(s->device->ref, NULL, t->mem, t->offset, t->data, t->bytes);
}

static gn_status upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                        const void *source, uint64_t bytes) {
    task t = {.run = copy_in, .mem = target, .offset = offset, .bytes = bytes};
    t.data = malloc(bytes ? bytes : 1);
    if (!t.data)
        return GN_E_MEMORY;
    memcpy(t.data, source, bytes);
    const gn_status status = enqueue(queue_of(device, stream), &t);
    if (status == GN_E_FORKED)
        free(t.data);
    return status;
}

static gn_status download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                          uint64_t offset, uint64_t bytes) {
    const gn_status status = wait_for(queue_of(device, stream));
    return status ? status
                  : device->table->download(device->ref, NULL, target, source, offset, bytes);
}

/* ---- Kernels */

static gn_status run_call(gn_stream *s, task *t) {
    return t->kernel(s->device->ref, NULL, &t->call);
}

static gn_status enqueue_call(gn_device *device, gn_stream *stream, const gn_call *call,
                              gn_status (*kernel)(gn_device *, gn_stream *, const gn_call *)) {
    task t = {.run = run_call, .kernel = kernel, .call = *call};
    memcpy(t.size, call->size, call->n_dims * sizeof *t.size);
    memcpy(t.operands, call->operands, call->n_operands * sizeof *t.operands);
    if (call->program->n_params)
        memcpy(t.params, call->params, call->program->n_params * sizeof *t.params);
    return enqueue(queue_of(device, stream), &t);
}

/* What a device can see at once, it says at once. */
static gn_status check_opcodes(const gn_program *program) {
    for (uint32_t i = 0; i < program->n_insns; i++)
        if (program->insns[i].op > GN_OP_SELECT)
            return host->set_error(GN_E_UNSUPPORTED, 0, "an opcode of a later version");
    return GN_OK;
}

static gn_status map(gn_device *device, gn_stream *stream, const gn_call *call) {
    const gn_status status = check_opcodes(call->program);
    return status ? status : enqueue_call(device, stream, call, device->table->map);
}

static gn_status reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    return enqueue_call(device, stream, call, device->table->reduce);
}

static gn_status run_scatter(gn_stream *s, task *t) {
    t->scatter.source = &t->operands[0];
    t->scatter.index = &t->operands[1];
    t->scatter.target = &t->operands[2];
    return s->device->table->scatter(s->device->ref, NULL, &t->scatter);
}

static gn_status scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    task t = {.run = run_scatter,
              .scatter = *call,
              .operands = {*call->source, *call->index, *call->target}};
    memcpy(t.size, call->size, call->n_dims * sizeof *t.size);
    return enqueue(queue_of(device, stream), &t);
}

/* ---- Devices */

static gn_status count(int32_t *out) {
    *out = 2;
    return GN_OK;
}

static gn_status info(int32_t ordinal, gn_device_info *out) {
    const gn_device_info all = {.name = "ref, later", .dtypes = (2u << (GN_N_DTYPES - 1)) - 2};
    const size_t size = out->struct_size;
    if (ordinal < 0 || ordinal > 1)
        return GN_E_NOT_FOUND;
    memcpy(out, &all, size < sizeof all ? size : sizeof all);
    out->struct_size = size;
    return GN_OK;
}

static void close_device(gn_device *device) {
    if (!device)
        return;
    while (device->streams)
        stream_destroy(device, device->streams);
    if (device->table)
        device->table->close(device->ref);
    free(device);
}

static gn_status open_device(int32_t ordinal, gn_device **out) {
    gn_stream *standard;
    if (ordinal < 0 || ordinal > 1)
        return GN_E_NOT_FOUND;
    gn_device *device = calloc(1, sizeof *device);
    if (!device)
        return GN_E_MEMORY;
    gn_status status = host->device_open("ref", &device->table, &device->ref);
    if (status == GN_OK)
        status = stream_create(device, &standard);
    if (status != GN_OK)
        close_device(device);
    else
        *out = device;
    return status;
}

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "async",
    .version = "1",
    .count = count,
    .info = info,
    .open = open_device,
    .close = close_device,
    .alloc = alloc,
    .free = free_block,
    .upload = upload,
    .download = download,
    .map = map,
    .reduce = reduce,
    .scatter = scatter,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .synchronise = synchronise,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_record = event_record,
    .event_wait = event_wait,
    .event_synchronise = event_synchronise,
    .event_elapsed = event_elapsed,
};

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    const char *fault = getenv("GENESIS_ASYNC");
    if (request->major != GN_ABI_MAJOR || request->minor_min > GN_ABI_MINOR ||
        request->minor_max < GN_ABI_MINOR) {
        request->needed_major = GN_ABI_MAJOR;
        request->needed_minor = GN_ABI_MINOR;
        return GN_E_VERSION;
    }
    host = services;
    owner = getpid();
    is_blind = fault && strcmp(fault, "blind") == 0;
    is_mute = fault && strcmp(fault, "mute") == 0;
    *out = &table;
    return GN_OK;
}
