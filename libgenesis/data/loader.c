/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.c - batches of a data set. Samples are gathered where they are: on the host if their
 * device's memory is visible there, else on the device, and only the batch moves to another one.
 */
#include <stdlib.h>

#include "data.h"

struct gn_loader {
    gn__object object;
    gn_tensor *source[2]; /* x and y of the data set, row-major; y may be NULL */
    int64_t size;         /* samples */
    int64_t batch;
    bool shuffle, drop_last;
    gn_generator *generator; /* NULL: the default one */
    char *device;            /* where batches go; NULL: the default device */
    bool on_host;            /* samples are gathered by memcpy */
    int64_t next;            /* the first sample of the next batch; -1: an epoch begins */
    int64_t *order;          /* on_host and shuffled: the samples in their order */
    gn_tensor *order_tensor; /* shuffled, but not on_host: the same on the device */
    gn_tensor *given[2];     /* the batch that the user has */
};

static void destroy_loader(void *object) {
    gn_loader *self = object;
    for (int k = 0; k < 2; k++) {
        gn_release(self->source[k]);
        gn_release(self->given[k]);
    }
    gn_release(self->generator);
    gn_release(self->order_tensor);
    free(self->order);
    free(self->device);
    free(self);
}

/* ---- Making a loader */

/* Row-major, on the host or at least on one device. */
static gn_status set_sources(gn_loader *self, gn_dataset *dataset) {
    gn_tensor *const source[2] = {dataset->x, dataset->y};
    gn_scope scope = gn_scope_begin();
    self->on_host = true;
    for (int k = 0; k < 2; k++) {
        if (source[k] == NULL)
            continue;
        gn_tensor *t = gn_contiguous(gn_detach(source[k]));
        if (t == NULL || gn__settle(t) != GN_OK)
            break;
        self->source[k] = gn_retain(t);
        self->on_host = self->on_host && t->storage->host != NULL;
    }
    return gn_scope_end(scope);
}

gn_loader *gn_loader_new_with(gn_dataset *dataset, const gn_loader_options *options) {
    static const gn__kind kind = {.name = "loader", .destroy = destroy_loader};
    static const gn_loader_options standard = {0};
    const char *op = "loader_new";
    if (gn__failed())
        return NULL;
    if (options == NULL)
        options = &standard;
    if (dataset == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op, "the data set is NULL");
    if (options->batch < 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "a batch of %lld samples",
                             (long long)options->batch);
    if (options->device && gn__device_get(options->device) == NULL)
        return NULL;
    gn_loader *self = gn__object_new(&kind, sizeof *self);
    if (self == NULL)
        return NULL;
    self->size = dataset->size;
    self->batch = options->batch ? options->batch : 1;
    self->shuffle = options->shuffle;
    self->drop_last = options->drop_last;
    self->generator = gn_retain(options->generator);
    self->next = -1;
    if (options->device)
        self->device = gn__strdup(options->device);
    if (gn__failed() || set_sources(self, dataset) != GN_OK) {
        gn_release(self);
        return NULL;
    }
    return gn__own(self);
}

int64_t gn_loader_batches(const gn_loader *self) {
    if (self == NULL)
        return 0;
    int64_t whole = self->size / self->batch;
    return whole + (!self->drop_last && self->size % self->batch != 0);
}

/* ---- Epochs and batches */

static gn_status begin_epoch(gn_loader *self) {
    self->next = 0;
    if (!self->shuffle)
        return GN_OK;
    const gn_tensor_options options = {.struct_size = sizeof options,
                                       .device = self->source[0]->storage->device->name,
                                       .generator = self->generator};
    gn_tensor *order = gn_randperm(self->size, &options);
    if (order == NULL)
        return gn_error_status();
    if (!self->on_host) {
        gn_release(self->order_tensor);
        self->order_tensor = gn_retain(order);
        return GN_OK;
    }
    if (self->order == NULL)
        self->order = gn__alloc_array((size_t)self->size, sizeof *self->order);
    return self->order ? gn_copy_out(order, self->order, GN_I64, self->size) : gn_error_status();
}

/* Samples next .. next + n of a source, in the epoch's order, copied on the host. */
static gn_tensor *gather_on_host(const gn_loader *self, const gn_tensor *source, int64_t n) {
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, source->size, sizeof size);
    size[0] = n;
    gn_tensor *batch = gn__tensor_new(source->storage->device, source->dtype, source->n_dims, size);
    if (batch == NULL || batch->count == 0)
        return batch;
    size_t bytes = (size_t)(batch->count / n) * gn_dtype_bytes(source->dtype);
    const char *from = (const char *)source->storage->host +
                       (size_t)source->offset * gn_dtype_bytes(source->dtype);
    char *to = (char *)batch->storage->host + (size_t)batch->offset * gn_dtype_bytes(batch->dtype);
    if (self->shuffle)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + (size_t)i * bytes, from + (size_t)self->order[self->next + i] * bytes,
                   bytes);
    else
        memcpy(to, from + (size_t)self->next * bytes, (size_t)n * bytes);
    return batch;
}

static gn_tensor *gather(const gn_loader *self, gn_tensor *source, int64_t n) {
    gn_tensor *batch;
    if (self->on_host)
        batch = gather_on_host(self, source, n);
    else if (self->shuffle)
        batch = gn_index_select(source, 0, gn_narrow(self->order_tensor, 0, self->next, n));
    else
        batch = gn_clone(gn_narrow(source, 0, self->next, n));
    return batch ? gn_to_device(batch, self->device ? self->device : gn_default_device()) : NULL;
}

static void take_back(gn_loader *self) {
    for (int k = 0; k < 2; k++) {
        gn_release(self->given[k]);
        self->given[k] = NULL;
    }
}

bool gn_next(gn_loader *self, gn_batch *batch) {
    *batch = (gn_batch){.x = NULL};
    if (gn__failed())
        return false;
    if (self == NULL) {
        gn_fail(GN_E_ARGUMENT, "next", "the loader is NULL");
        return false;
    }
    take_back(self);
    gn_scope scope = gn_scope_begin();
    if (self->next < 0)
        begin_epoch(self);
    int64_t n = self->size - self->next;
    if (n > self->batch)
        n = self->batch;
    bool over = n == 0 || (self->drop_last && n < self->batch);
    for (int k = 0; !over && !gn__failed() && k < 2; k++)
        if (self->source[k])
            self->given[k] = gn_retain(gather(self, self->source[k], n));
    if (gn_scope_end(scope) != GN_OK || over) {
        take_back(self);
        self->next = -1;
        return false;
    }
    *batch = (gn_batch){
        .x = self->given[0], .y = self->given[1], .index = self->next / self->batch, .size = n};
    self->next += n;
    return true;
}
