/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.c - batches of a data set: one after the other by gn_next, or ahead of it by threads
 * (workers.c), by the same functions.
 */
#include <stdio.h>
#include <stdlib.h>

#include <genesis/autograd.h>

#include "loader.h"

enum { MAX_WORKERS = 256, MAX_SLOTS = 65536 };

static void clear_slots(gn_loader *self) {
    for (int64_t i = 0; self->slots && i < self->n_slots; i++) {
        gn__sample_release(&self->slots[i].batch);
        self->slots[i].ready = false;
    }
}

static void destroy_loader(void *object) {
    gn_loader *self = object;
    gn__workers_stop(self);
    clear_slots(self);
    gn__sample_release(&self->given);
    gn_release(self->dataset);
    gn_release(self->sampler);
    gn_release(self->generator);
    pthread_mutex_destroy(&self->lock);
    pthread_cond_destroy(&self->work);
    pthread_cond_destroy(&self->news);
    free(self->slots);
    free(self->order);
    free(self->device);
    free(self);
}

/* ---- Making a loader */

static bool check(const char *op, gn_dataset *dataset, const gn_loader_options *o) {
    gn_sampler *sampler = o->sampler;
    int64_t ahead = o->prefetch ? o->prefetch : 2;
    if (dataset == NULL)
        gn_fail(GN_E_ARGUMENT, op, "the data set is NULL");
    else if (o->batch < 0)
        gn_fail(GN_E_ARGUMENT, op, "a batch of %lld samples", (long long)o->batch);
    else if (o->workers < 0 || o->workers > MAX_WORKERS || ahead < 1 ||
             ahead > MAX_SLOTS / (o->workers ? o->workers : 1))
        gn_fail(GN_E_ARGUMENT, op,
                "%lld workers, each %lld batches ahead: up to %d workers, and %d batches of all",
                (long long)o->workers, (long long)ahead, MAX_WORKERS, MAX_SLOTS);
    else if (dataset->size < 0 && (o->shuffle || sampler))
        gn_fail(GN_E_ARGUMENT, op, "the data set is iterable: it has no order to choose");
    else if (sampler && o->shuffle)
        gn_fail(GN_E_ARGUMENT, op, "a sampler and shuffle exclude each other");
    else if (sampler && sampler->batch_end && (o->batch || o->drop_last))
        gn_fail(GN_E_ARGUMENT, op, "a batch sampler and batch or drop_last exclude each other");
    else if (o->device)
        gn__device_get(o->device);
    return !gn__failed();
}

static gn_status prepare(gn_loader *self, const gn_loader_options *o) {
    int64_t size = self->dataset->size;
    if (size >= 0)
        self->sampler = gn_retain(o->sampler   ? o->sampler
                                  : o->shuffle ? gn_random_sampler(size)
                                               : gn_sequential_sampler(size));
    self->generator = gn_retain(o->generator);
    self->collate = o->collate ? o->collate : gn__collate;
    self->collate_context = o->collate_context;
    self->batch = o->batch ? o->batch : 1;
    self->drop_last = o->drop_last;
    self->device = o->device ? gn__strdup(o->device) : NULL;
    self->n_threads = (int)(size < 0 && o->workers > 1 ? 1 : o->workers);
    self->n_slots = self->n_threads > 0 ? self->n_threads * (o->prefetch ? o->prefetch : 2) : 1;
    self->slots = gn__alloc_array((size_t)self->n_slots, sizeof *self->slots);
    self->order = gn__alloc_array((size_t)gn_sampler_count(self->sampler) + 1, sizeof *self->order);
    self->ended = true;
    return gn_error_status();
}

gn_loader *gn_loader_new_with(gn_dataset *dataset, const gn_loader_options *options) {
    static const gn__kind kind = {.name = "loader", .destroy = destroy_loader};
    static const gn_loader_options standard = {0};
    if (options == NULL)
        options = &standard;
    if (gn__failed() || !check("loader_new", dataset, options))
        return NULL;
    gn_loader *self = gn__object_new(&kind, sizeof *self);
    if (self == NULL)
        return NULL;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->work, NULL);
    pthread_cond_init(&self->news, NULL);
    self->dataset = gn_retain(dataset);
    gn_scope scope = gn_scope_begin();
    prepare(self, options);
    if (gn_scope_end(scope) != GN_OK) {
        gn_release(self);
        return NULL;
    }
    return gn__own(self);
}

int64_t gn_loader_batches(const gn_loader *self) {
    if (self == NULL)
        return 0;
    if (self->sampler == NULL)
        return -1;
    if (self->sampler->batch_end)
        return self->sampler->n_batches;
    int64_t count = self->sampler->count;
    return count / self->batch + (!self->drop_last && count % self->batch != 0);
}

/* ---- Making a batch: on any thread, in a scope */

/* The place of batch t's first sample in the epoch, and how many there are: 0 behind the end. */
static int64_t place(const gn_loader *self, int64_t t, int64_t *start) {
    const gn_sampler *sampler = self->sampler;
    if (t >= gn_loader_batches(self))
        return 0;
    if (sampler->batch_end) {
        *start = t > 0 ? sampler->batch_end[t - 1] : 0;
        return sampler->batch_end[t] - *start;
    }
    *start = t * self->batch;
    int64_t left = sampler->count - *start;
    return left < self->batch ? left : self->batch;
}

/* The generator of the sample at a place of the epoch. */
static gn_generator *generator_at(const gn_loader *self, int64_t at) {
    uint32_t words[4];
    gn__philox((uint64_t)at, (uint64_t)self->offset, (uint64_t)self->key, words);
    return gn_generator_new((uint64_t)words[2] << 32 | words[3]);
}

/* One sample, handed to the scope around; what it was made from is gone. */
static bool get(gn_loader *self, int64_t at, int64_t index, gn_sample *out) {
    gn_dataset *dataset = self->dataset;
    gn_scope scope = gn_scope_begin();
    gn_generator *generator = generator_at(self, at);
    if (generator)
        dataset->type->get(dataset, index, generator, out);
    bool fine = !gn__failed();
    if (fine)
        gn__sample_retain(out);
    gn_scope_end(scope);
    for (int k = 0; fine && k < GN__SAMPLE_FIELDS; k++)
        gn__own(*gn__field(out, k));
    return fine && !gn__failed();
}

/* Up to n samples beginning at a place of the epoch. Returns how many; *bad: the index at fault. */
static int64_t get_all(gn_loader *self, int64_t start, int64_t n, gn_sample *samples,
                       int64_t *bad) {
    for (int64_t i = 0; i < n; i++) {
        int64_t index = self->sampler ? self->order[start + i] : start + i;
        if (!get(self, start + i, index, &samples[i])) {
            *bad = index;
            return 0;
        }
        if (samples[i].x == NULL)
            return i;
    }
    return n;
}

/* Batch t as its samples give it. Returns their number; 0: the end, or an error. */
static int64_t make(gn_loader *self, int64_t t, gn_sample *batch, int64_t *bad) {
    int64_t start = 0, n = self->batch, most;
    if (self->sampler)
        n = place(self, t, &start);
    else if (!gn__mul(t, self->batch, &start))
        return 0;
    if (n == 0 || self->drained)
        return 0;
    if (self->dataset->batched && self->collate == gn__collate)
        return self->dataset->type->get_batch(self->dataset, self->order + start, n, batch) ? 0 : n;
    gn_sample *samples = gn__alloc_array((size_t)n, sizeof *samples);
    most = samples ? get_all(self, start, n, samples, bad) : 0;
    if (self->sampler == NULL && most < n)
        self->drained = true;
    bool whole = most > 0 && (most == n || !self->drop_last);
    gn_status status = whole ? self->collate(self->collate_context, samples, most, batch) : GN_OK;
    if (status != GN_OK)
        gn_fail(status, "collate", "the function has failed");
    free(samples);
    return whole && !gn__failed() ? most : 0;
}

void gn__loader_make(gn_loader *self, int64_t t, gn__slot *slot) {
    gn_sample batch = {.x = NULL};
    int64_t bad = -1;
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    slot->size = make(self, t, &batch, &bad);
    for (int k = 0; slot->size > 0 && k < GN__SAMPLE_FIELDS; k++) {
        gn_tensor **field = gn__field(&batch, k);
        if (*field)
            *field = gn_to_device(*field, self->device ? self->device : gn_default_device());
    }
    gn_set_grad_enabled(was);
    slot->status = gn_error_status();
    if (slot->status == GN_OK) {
        gn__sample_retain(&batch);
        slot->batch = batch;
    } else {
        int n = bad >= 0
                    ? snprintf(slot->message, sizeof slot->message, "sample %lld: ", (long long)bad)
                    : 0;
        snprintf(slot->message + n, sizeof slot->message - (size_t)n, "%s", gn_error());
        slot->size = 0;
        gn_error_clear();
    }
    gn_scope_end(scope);
}

/* ---- Epochs */

static bool is_random(const gn_loader *self) {
    return !self->dataset->batched || self->sampler->random;
}

static gn_status check_order(const gn_loader *self) {
    int64_t count = gn_sampler_count(self->sampler), size = self->dataset->size;
    for (int64_t i = 0; i < count; i++)
        if (self->order[i] < 0 || self->order[i] >= size)
            return gn_fail(GN_E_INDEX, "next",
                           "the sampler gives index %lld of a data set of %lld samples",
                           (long long)self->order[i], (long long)size);
    return GN_OK;
}

static gn_status begin_epoch(gn_loader *self) {
    gn_scope scope = gn_scope_begin();
    if (is_random(self))
        gn__random_step(self->generator, &self->key, &self->offset);
    gn_generator *generator = gn_generator_new((uint64_t)self->key);
    if (generator)
        gn_rng_state_set(generator, (gn_rng_state){(uint64_t)self->key, (uint64_t)self->offset});
    if (self->sampler && gn_sampler_indices(self->sampler, generator, self->order) == GN_OK)
        check_order(self);
    else if (!gn__failed() && self->dataset->type->begin)
        self->dataset->type->begin(self->dataset);
    if (gn_scope_end(scope) != GN_OK)
        return gn_error_status();
    if (self->n_threads > 0 && self->threads == NULL && gn__workers_start(self) != GN_OK)
        return gn_error_status();
    self->begun = true;
    self->drained = false;
    gn__workers_resume(self);
    return GN_OK;
}

static void end_epoch(gn_loader *self) {
    gn__workers_pause(self);
    clear_slots(self);
    self->begun = false;
}

/* The next slot, full. */
static gn__slot *next_slot(gn_loader *self) {
    if (self->threads)
        return gn__workers_wait(self);
    gn__loader_make(self, self->handed, self->slots);
    return self->slots;
}

bool gn_next(gn_loader *self, gn_batch *batch) {
    *batch = (gn_batch){.x = NULL};
    if (gn__failed())
        return false;
    if (self == NULL) {
        gn_fail(GN_E_ARGUMENT, "next", "the loader is NULL");
        return false;
    }
    gn__sample_release(&self->given);
    if (!self->begun && begin_epoch(self) != GN_OK)
        return false;
    gn__slot *slot = next_slot(self);
    if (slot->size == 0) {
        if (slot->status != GN_OK)
            gn_fail(slot->status, "next", "%s", slot->message);
        end_epoch(self);
        return false;
    }
    self->given = slot->batch;
    slot->batch = (gn_sample){.x = NULL};
    *batch = (gn_batch){
        .x = self->given.x, .y = self->given.y, .index = self->handed, .size = slot->size};
    memcpy(batch->extra, self->given.extra, sizeof batch->extra);
    gn__workers_next(self);
    return true;
}
