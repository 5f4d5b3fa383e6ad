/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallback.c - counts the operations that are composed of smaller ones, because a backend lacks a
 * kernel for them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

typedef struct counter {
    const char *op; /* static */
    uint64_t count;
} counter;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gn__table *counters; /* by the operation's name */
static gn__table *reported; /* texts that were logged */

/* Logs a text once. Under the lock. */
static void log_once(const char *text) {
    static char seen;
    if (reported == NULL)
        reported = gn__table_new();
    if (reported == NULL || gn__table_get(reported, text, strlen(text)))
        return;
    if (gn__table_set(reported, text, strlen(text), &seen) == GN_OK)
        gn__log(GN__LOG_FALLBACK, "%s", text);
}

void gn__fallback(const gn__device *device, const char *op, const char *why) {
    char text[512];
    if (device->hidden) /* a plugin's business, not the program's */
        return;
    pthread_mutex_lock(&lock);
    if (counters == NULL)
        counters = gn__table_new();
    counter *c = counters ? gn__table_get(counters, op, strlen(op)) : NULL;
    if (c == NULL && counters && (c = gn__alloc(sizeof *c)) != NULL) {
        c->op = op;
        if (gn__table_set(counters, op, strlen(op), c) != GN_OK) {
            free(c);
            c = NULL;
        }
    }
    if (c)
        c->count++;
    if (gn__log_enabled(GN__LOG_FALLBACK)) {
        snprintf(text, sizeof text, "%s is composed on %s: %s", op, device->name, why);
        log_once(text);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- The report */

typedef struct report {
    char *buffer;
    size_t bytes, length;
} report;

static void add_line(void *value, void *context) {
    const counter *c = value;
    report *r = context;
    size_t left = r->length < r->bytes ? r->bytes - r->length : 0;
    int n = snprintf(left ? r->buffer + r->length : NULL, left, "%s %llu\n", c->op,
                     (unsigned long long)c->count);
    r->length += n > 0 ? (size_t)n : 0;
}

size_t gn_fallback_report(char *buffer, size_t bytes) {
    report r = {buffer, buffer ? bytes : 0, 0};
    if (r.bytes > 0)
        buffer[0] = '\0';
    pthread_mutex_lock(&lock);
    if (counters)
        gn__table_each(counters, add_line, &r);
    pthread_mutex_unlock(&lock);
    return r.length;
}

void gn__fallback_shutdown(void) {
    pthread_mutex_lock(&lock);
    gn__table_free(counters, free);
    gn__table_free(reported, NULL);
    counters = reported = NULL;
    pthread_mutex_unlock(&lock);
}
