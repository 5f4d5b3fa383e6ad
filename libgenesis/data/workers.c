/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers.c - the threads of loaders. They start with a loader's first batch, and end when it is
 * freed, or in gn_shutdown if it is still there.
 */
#include <stdlib.h>

#include "loader.h"

/* The loaders whose threads run. */
static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static gn_loader *running;
static bool hooked;

/* ---- A thread */

/* Takes the number of a batch as soon as its slot is free; false: to end. Under the lock. */
static bool take(gn_loader *self, int64_t *t) {
    while (!self->stop && (self->ended || self->taken >= self->handed + self->n_slots))
        pthread_cond_wait(&self->work, &self->lock);
    *t = self->taken;
    if (!self->stop) {
        self->taken++;
        self->busy++;
    }
    return !self->stop;
}

static void *work(void *context) {
    gn_loader *self = context;
    int64_t t;
    pthread_mutex_lock(&self->lock);
    while (take(self, &t)) {
        gn__slot *slot = &self->slots[t % self->n_slots];
        pthread_mutex_unlock(&self->lock);
        gn__loader_make(self, t, slot);
        pthread_mutex_lock(&self->lock);
        slot->ready = true;
        self->ended = self->ended || slot->size == 0;
        self->busy--;
        pthread_cond_signal(&self->news);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* ---- Starting and ending */

static void stop_all(void) {
    pthread_mutex_lock(&running_lock);
    hooked = false;
    while (running) {
        gn_loader *first = running;
        pthread_mutex_unlock(&running_lock);
        gn__workers_stop(first);
        pthread_mutex_lock(&running_lock);
    }
    pthread_mutex_unlock(&running_lock);
}

static gn_status list(gn_loader *self) {
    pthread_mutex_lock(&running_lock);
    gn_status status = hooked ? GN_OK : gn__at_shutdown(stop_all);
    if (status == GN_OK) {
        hooked = true;
        self->next_running = running;
        running = self;
    }
    pthread_mutex_unlock(&running_lock);
    return status;
}

static void unlist(const gn_loader *self) {
    pthread_mutex_lock(&running_lock);
    gn_loader **at = &running;
    while (*at && *at != self)
        at = &(*at)->next_running;
    if (*at)
        *at = self->next_running;
    pthread_mutex_unlock(&running_lock);
}

gn_status gn__workers_start(gn_loader *self) {
    int wanted = self->n_threads;
    if (list(self) != GN_OK)
        return gn_error_status();
    self->threads = gn__alloc_array((size_t)wanted, sizeof *self->threads);
    for (self->n_threads = 0; self->threads && self->n_threads < wanted; self->n_threads++)
        if (pthread_create(&self->threads[self->n_threads], NULL, work, self) != 0) {
            gn_fail(GN_E_MEMORY, "next",
                    "thread %d of %d can't be started: the system has too "
                    "many, or no memory",
                    self->n_threads + 1, wanted);
            break;
        }
    if (gn__failed()) {
        gn__workers_stop(self);
        self->n_threads = wanted;
    }
    return gn_error_status();
}

void gn__workers_stop(gn_loader *self) {
    unlist(self);
    pthread_mutex_lock(&self->lock);
    self->stop = true;
    pthread_cond_broadcast(&self->work);
    pthread_mutex_unlock(&self->lock);
    for (int i = 0; self->threads && i < self->n_threads; i++)
        pthread_join(self->threads[i], NULL);
    free(self->threads);
    self->threads = NULL;
    self->stop = false;
}

/* ---- Between the threads and gn_next */

void gn__workers_pause(gn_loader *self) {
    pthread_mutex_lock(&self->lock);
    self->ended = true;
    while (self->busy > 0)
        pthread_cond_wait(&self->news, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

void gn__workers_resume(gn_loader *self) {
    pthread_mutex_lock(&self->lock);
    self->taken = self->handed = 0;
    self->ended = false;
    pthread_cond_broadcast(&self->work);
    pthread_mutex_unlock(&self->lock);
}

gn__slot *gn__workers_wait(gn_loader *self) {
    gn__slot *slot = &self->slots[self->handed % self->n_slots];
    pthread_mutex_lock(&self->lock);
    while (!slot->ready)
        pthread_cond_wait(&self->news, &self->lock);
    pthread_mutex_unlock(&self->lock);
    return slot;
}

void gn__workers_next(gn_loader *self) {
    pthread_mutex_lock(&self->lock);
    self->slots[self->handed % self->n_slots].ready = false;
    self->handed++;
    pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
}
