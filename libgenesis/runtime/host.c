/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.c - both directions of a call: the services that plugins get, and what becomes of the
 * status that a plugin answers.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- Texts of plugins */

/* Bytes of the character of UTF-8 that begins here; 0: there is none, or it controls a terminal. */
static size_t character(const unsigned char *p, size_t left) {
    if (*p < 0x80)
        return (*p >= ' ' && *p != 0x7f) || *p == '\n' || *p == '\t';
    const size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc2 || *p > 0xf4 || left < n)
        return 0;
    const unsigned lead = *p, second = p[1];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
        return 0; /* too long for what it says, a surrogate, beyond U+10FFFF */
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool gn__is_text(const char *text, size_t room) {
    size_t at = 0;
    while (at < room && text[at] != '\0') {
        size_t n = character((const unsigned char *)text + at, room - at);
        if (n == 0)
            return false;
        at += n;
    }
    return at < room;
}

void gn__text_clean(char *text) {
    const size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        size_t n = character((const unsigned char *)text + at, length - at);
        if (n == 0)
            text[at] = '?';
        at += n ? n : 1;
    }
}

/* ---- Services */

static void host_log(int level, const char *message) {
    if (message && level >= GN_LOG_ERROR && level <= GN_LOG_DEBUG)
        gn__log(level, "%s", message);
}

static gn_status host_set_error(gn_status status, uint64_t tag, const char *message) {
    gn__thread *self = gn__self();
    if (gn__thread_state == NULL) /* shared by the threads without memory */
        return status;
    self->late_tag = tag;
    snprintf(self->late, sizeof self->late, "%.*s", (int)sizeof self->late - 1,
             message ? message : "");
    gn__text_clean(self->late);
    return status;
}

static void *host_alloc(size_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes ? bytes : 1) != 0)
        return NULL;
    return memory;
}

static void host_free(void *memory) { free(memory); }

/* The block waits in device->scratch until the call returns; work that follows on the stream may
 * have it then. Calls on several streams may ask at the same time. */
static gn_status host_scratch(gn_device *handle, gn_stream *stream, uint64_t bytes,
                              gn_pointer *out) {
    (void)stream;
    gn__device *device = handle ? gn__device_of_handle(handle) : NULL;
    if (device == NULL)
        return host_set_error(GN_E_ARGUMENT, 0, "scratch for a device that is not open");
    gn__reason why;
    gn__storage *storage = gn__allocator_take(device, bytes, true, &why);
    if (storage == NULL)
        return host_set_error(why.status, 0, why.text);
    gn__device *bottom = device->bottom;
    gn__storage *first = atomic_load(&bottom->scratch);
    do
        *gn__storage_next(storage) = first;
    while (!atomic_compare_exchange_weak(&bottom->scratch, &first, storage));
    out->mem = storage->mem;
    out->offset = storage->offset;
    return GN_OK;
}

void gn__scratch_release(gn__device *device) {
    gn__storage *storage = atomic_exchange(&device->scratch, NULL);
    while (storage) {
        gn__storage *next = *gn__storage_next(storage);
        gn__storage_release(storage);
        storage = next;
    }
}

/* ---- Tags */

/* NULL: it is no tag. */
static const char *op_of(uint64_t tag) {
    const char *op = (const char *)(uintptr_t)(tag & ((UINT64_C(1) << GN__ADDRESS_BITS) - 1));
    return gn__tag(op) == tag ? op : NULL;
}

static const char *host_tag_text(uint64_t tag) {
    const char *op = op_of(tag);
    return op ? op : "";
}

const gn_host gn__host = {
    .struct_size = sizeof(gn_host),
    .log = host_log,
    .set_error = host_set_error,
    .host_alloc = host_alloc,
    .host_free = host_free,
    .scratch = host_scratch,
    .threads = gn_num_threads,
    .tag_text = host_tag_text,
    .device_open = gn__complete_open,
};

/* ---- Answers */

const char *gn__late_text(gn_status status) {
    const gn__thread *self = gn__self();
    return self->late[0] ? self->late : gn_status_text(status);
}

const char *gn__late_op(const char *op) {
    const char *late_op = op_of(gn__self()->late_tag);
    return late_op ? late_op : op;
}

gn_status gn__reason_call(gn__reason *why, const gn__device *device, gn_status status) {
    const char *text = gn__late_text(status), *meaning = gn_status_text(status);
    if (status > GN_OK)
        return gn__reason_set(why, GN_E_INTERNAL,
                              "the backend of %s answered %d, which is no status", device->name,
                              (int)status);
    if (strstr(text, meaning) != NULL)
        return gn__reason_set(why, status, "%s (on %s)", text, device->name);
    return gn__reason_set(why, status, "%s: %s (on %s)", meaning, text, device->name);
}

gn_status gn__call_failed(const gn__device *device, const char *op, gn_status status) {
    gn__reason why;
    gn__reason_call(&why, device, status);
    gn_fail(why.status, gn__late_op(op), "%s", why.text);
    gn__late_clear(gn__self());
    return gn_error_status();
}

gn_status gn__forked(const gn__device *device, const char *op) {
    return gn_fail(GN_E_FORKED, op,
                   "%s was opened before fork(): this child process cannot use it; fork first, or "
                   "start the child with exec",
                   device->name);
}

gn_status gn__device_wait(gn__device *device, const char *op) {
    if (device->table->synchronise == NULL)
        return GN_OK;
    gn__queue_enter(device);
    gn_status status = device->table->synchronise(device->handle, NULL);
    gn__queue_leave(device);
    return status == GN_OK ? GN_OK : gn__call_failed(device, op, status);
}

gn_status gn__reason_answer(gn__reason *why, gn_status status, const char *what) {
    if (status > GN_OK)
        return gn__reason_set(why, GN_E_INTERNAL, "%s: it answered %d, which is no status", what,
                              (int)status);
    return gn__reason_set(why, status, "%s: %s", what, gn__late_text(status));
}

gn_status gn__reason_set(gn__reason *why, gn_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    why->status = status;
    return status;
}
