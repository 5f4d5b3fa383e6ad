/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallback.c - accounts of operations that are composed of smaller ones, because a backend lacks a
 * kernel for them: how often, and at what cost.
 *
 * Whoever finds the kernel missing calls gn__fallback, which notes the account in the thread's
 * state; whoever composes then brackets its work by gn__composition_begin and _end. Accounts are
 * never freed, so that every thread can point to them without the lock; those that count nothing do
 * not exist for users.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

typedef struct gn__account {
    gn_fallback sums; /* its texts point into `text` */
    struct gn__account *next;
    char text[]; /* op, device and reason, each with its zero */
} gn__account;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gn__table *by_text;    /* the texts -> account */
static gn__account *accounts; /* the last one made first */

/* ---- Counting */

/* Under the lock, as the rest here. NULL without memory. */
static gn__account *new_account(const char *text, size_t bytes) {
    gn__account *account = malloc(sizeof *account + bytes);
    if (account == NULL)
        return NULL;
    memcpy(account->text, text, bytes);
    const char *op = account->text, *device = op + strlen(op) + 1;
    account->sums =
        (gn_fallback){.op = op, .device = device, .reason = device + strlen(device) + 1};
    if (gn__table_set(by_text, text, bytes, account) != GN_OK) {
        free(account);
        return NULL;
    }
    account->next = accounts;
    accounts = account;
    return account;
}

static gn__account *find_account(const gn__device *device, const char *op, const char *why) {
    char text[768];
    int n = snprintf(text, sizeof text, "%.127s%c%s%c%s", op, 0, device->name, 0, why);
    size_t bytes = n < (int)sizeof text ? (size_t)n + 1 : sizeof text;
    if (by_text == NULL && (by_text = gn__table_new()) == NULL)
        return NULL;
    gn__account *account = gn__table_get(by_text, text, bytes);
    return account ? account : new_account(text, bytes);
}

void gn__fallback(const gn__device *device, const char *op, const char *why) {
    pthread_mutex_lock(&lock);
    /* A hidden device is a plugin's business, not the program's. */
    gn__account *account = device->hidden ? NULL : find_account(device, op, why);
    const bool first = account && account->sums.count++ == 0;
    pthread_mutex_unlock(&lock);
    gn__self()->declined = account;
    if (first)
        gn__log(GN__LOG_FALLBACK, "%s is composed on %s: %s", op, device->name, why);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

gn__composition gn__composition_begin(void) {
    gn__thread *self = gn__self();
    gn__composition composition = {.account = self->declined};
    if (composition.account) {
        self->declined = NULL;
        composition.launches = self->launches;
        composition.start = now();
    }
    return composition;
}

void gn__composition_end(const gn__composition *composition) {
    if (composition->account == NULL)
        return;
    const double seconds = now() - composition->start;
    const uint64_t launches = gn__self()->launches - composition->launches;
    gn_fallback *sums = &composition->account->sums;
    pthread_mutex_lock(&lock);
    sums->seconds += seconds;
    sums->launches += launches;
    pthread_mutex_unlock(&lock);
}

/* ---- Reports */

/* Puts the sums behind those that cost more; of n places the last one may be lost. */
static void insert(gn_fallback *out, size_t used, size_t n, const gn_fallback *sums) {
    size_t at = used;
    while (at > 0 && out[at - 1].seconds < sums->seconds)
        at--;
    if (at >= n)
        return;
    size_t behind = (used < n ? used : n - 1) - at;
    memmove(&out[at + 1], &out[at], behind * sizeof *out);
    out[at] = *sums;
}

size_t gn_fallback_list(gn_fallback *out, size_t n) {
    size_t found = 0;
    pthread_mutex_lock(&lock);
    for (const gn__account *a = accounts; a; a = a->next) {
        if (a->sums.count == 0)
            continue;
        if (out)
            insert(out, found < n ? found : n, n, &a->sums);
        found++;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* All that there are, malloc'ed; NULL: none, or no memory. */
static gn_fallback *list_all(size_t *n) {
    size_t room = gn_fallback_list(NULL, 0);
    gn_fallback *all = room ? malloc(room * sizeof *all) : NULL;
    *n = all ? gn_fallback_list(all, room) : 0;
    if (*n > room) /* another thread composed meanwhile */
        *n = room;
    return all;
}

/* As snprintf. */
static int format_line(char *buffer, size_t bytes, const gn_fallback *f) {
    return snprintf(buffer, bytes, "%s on %s: %llu times, %llu launches, %.3f ms: %s", f->op,
                    f->device, (unsigned long long)f->count, (unsigned long long)f->launches,
                    f->seconds * 1e3, f->reason);
}

size_t gn_fallback_report(char *buffer, size_t bytes) {
    size_t n, length = 0;
    gn_fallback *all = list_all(&n);
    if (buffer && bytes > 0)
        buffer[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        char line[1024];
        int used = format_line(line, sizeof line - 1, &all[i]);
        memcpy(line + used, "\n", 2);
        if (buffer && length < bytes)
            snprintf(buffer + length, bytes - length, "%s", line);
        length += (size_t)used + 1;
    }
    free(all);
    return length;
}

void gn_fallback_reset(void) {
    pthread_mutex_lock(&lock);
    for (gn__account *a = accounts; a; a = a->next) {
        a->sums.count = a->sums.launches = 0;
        a->sums.seconds = 0;
    }
    pthread_mutex_unlock(&lock);
}

void gn__fallback_shutdown(void) {
    size_t n;
    gn_fallback *all = gn__log_enabled(GN__LOG_FALLBACK) ? list_all(&n) : NULL;
    for (size_t i = 0; all && i < n; i++) {
        char line[1024];
        format_line(line, sizeof line, &all[i]);
        gn__log(GN__LOG_FALLBACK, "%s", line);
    }
    free(all);
    gn_fallback_reset();
}
