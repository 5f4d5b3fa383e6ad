/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.c - names of statuses, the error that sticks to a thread, and the thread's state itself.
 * Every error passes through gn_fail: one place for a breakpoint.
 * Not here: what the scopes of a thread own (scope.c).
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- Names of statuses */

const char *gn_status_name(gn_status status) {
    switch (status) {
#define X(name, value, text)                                                                       \
    case name: return #name;
        GN_STATUSES(X)
#undef X
    }
    return "unknown status";
}

const char *gn_status_text(gn_status status) {
    switch (status) {
#define X(name, value, text)                                                                       \
    case name: return text;
        GN_STATUSES(X)
#undef X
    }
    return "unknown status";
}

/* ---- The thread's state */

_Thread_local gn__thread *gn__thread_state __attribute__((tls_model("initial-exec")));

/* Serves threads for whose state there is no memory, until they clear its error. It is shared by
 * them, so nothing writes to it, and it owns nothing. */
static _Thread_local bool has_no_memory;
static gn__thread no_memory = {
    .status = GN_E_MEMORY,
    .message = "thread: out of memory for the state of a thread",
};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;

static void free_at_exit(void *state) {
    (void)state;
    gn__thread_free();
}

static void make_key(void) { have_key = pthread_key_create(&key, free_at_exit) == 0; }

gn__thread *gn__thread_make(void) {
    pthread_once(&key_once, make_key);
    gn__thread *self = has_no_memory ? NULL : calloc(1, sizeof *self);
    /* Without its key the state could not be freed when the thread ends. */
    if (self == NULL || !have_key || pthread_setspecific(key, self) != 0) {
        free(self);
        has_no_memory = true;
        return &no_memory;
    }
    gn__thread_state = self;
    return self;
}

void gn__thread_free(void) {
    gn__thread *self = gn__thread_state;
    if (self == NULL)
        return;
    gn__scope_unwind(self, 0, 0);
    gn__thread_state = NULL;
    pthread_setspecific(key, NULL);
    free(self->owned);
    free(self->marks);
    free(self->dead);
    free(self);
}

/* ---- The error that sticks. Readers do not make a state. */

static const gn__thread *known_state(void) {
    return has_no_memory ? &no_memory : gn__thread_state;
}

gn_status gn_error_status(void) {
    const gn__thread *self = known_state();
    return self ? self->status : GN_OK;
}

const char *gn_error(void) {
    const gn__thread *self = known_state();
    return self && self->status != GN_OK ? self->message : "";
}

void gn_perror(const char *prefix) {
    if (gn_error_status() == GN_OK)
        return;
    if (prefix && *prefix)
        fprintf(stderr, "%s: %s\n", prefix, gn_error());
    else
        fprintf(stderr, "%s\n", gn_error());
}

void gn_error_clear(void) {
    gn__thread *self = gn__thread_state;
    has_no_memory = false;
    if (self == NULL)
        return;
    self->status = GN_OK;
    self->message[0] = '\0';
}

gn_status gn_fail(gn_status status, const char *op, const char *format, ...) {
    gn__thread *self = gn__self();
    if (self->status != GN_OK)
        return self->status;
    if (status >= GN_OK)
        status = GN_E_INTERNAL;
    int used = 0;
    if (op && *op)
        used = snprintf(self->message, sizeof self->message, "%s: ", op);
    if (used >= 0 && (size_t)used < sizeof self->message) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(self->message + used, sizeof self->message - (size_t)used, format, arguments);
        va_end(arguments);
    }
    self->status = status;
    return status;
}

/* ---- Text of a shape */

const char *gn__shape_text(int n_dims, const int64_t *size) {
    gn__thread *self = gn__self();
    if (self == &no_memory)
        return "(...)";
    char *text = self->text[self->n_texts++ % GN__SHAPE_TEXTS];
    const size_t room = GN__SHAPE_TEXT_BYTES;
    size_t used = 1;
    if (n_dims < 0 || n_dims > GN_TENSOR_MAX_DIMS) { /* `size` has no more */
        snprintf(text, room, "(%d dims)", n_dims);
        return text;
    }
    text[0] = '(';
    for (int d = 0; d < n_dims && used < room; d++)
        used +=
            (size_t)snprintf(text + used, room - used, d ? ", %lld" : "%lld", (long long)size[d]);
    if (used < room)
        snprintf(text + used, room - used, ")");
    return text;
}
