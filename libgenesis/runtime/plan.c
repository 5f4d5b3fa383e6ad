/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - plans of heavy kernels: made once for each descriptor, kept until the device is closed.
 *
 * The key of a plan holds what the descriptor says and nothing that it does not use: of each tensor
 * as many sizes and strides as it has dims, and the whole struct of attributes.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    MAX_ATTRIBUTES = 512,
    KEY_WORDS = 1 + GN__MAX_PLAN_TENSORS * (2 + 2 * GN_MAX_DIMS) + MAX_ATTRIBUTES / 8
};

typedef struct plan {
    gn__plan plan; /* first: what callers see */
    char *why;     /* of a plan that was declined */
} plan;

/* Writes the key of a descriptor. Returns its bytes, 0 if it is too large. */
static size_t make_key(int64_t key[KEY_WORDS], const gn_plan_desc *desc, size_t attributes_bytes) {
    if (desc->n_tensors > GN__MAX_PLAN_TENSORS || attributes_bytes > MAX_ATTRIBUTES)
        return 0;
    int64_t *at = key;
    *at++ = (int64_t)desc->kernel << 32 | desc->n_tensors;
    for (uint32_t i = 0; i < desc->n_tensors; i++) {
        const gn_tensor_desc *t = &desc->tensors[i];
        if (t->n_dims > GN_MAX_DIMS)
            return 0;
        *at++ = t->n_dims;
        if (t->n_dims < 0)
            continue;
        *at++ = (int64_t)t->dtype << 32 | t->alignment;
        for (int d = 0; d < t->n_dims; d++)
            *at++ = t->size[d];
        for (int d = 0; d < t->n_dims; d++)
            *at++ = t->stride[d];
    }
    if (attributes_bytes > 0)
        memcpy(at, desc->attributes, attributes_bytes);
    return (size_t)(at - key) * sizeof *key + attributes_bytes;
}

static void free_plan(void *value) {
    plan *p = value;
    free(p->why);
    free(p);
}

/* Asks the backend, and keeps its answer, be it no. Under the device's lock. */
static plan *make_plan(gn__device *device, const char *op, const gn_plan_desc *desc,
                       const int64_t *key, size_t key_bytes) {
    plan *p = gn__alloc(sizeof *p);
    if (p == NULL)
        return NULL;
    gn_plan_info info = {.struct_size = sizeof info};
    gn__late_clear(gn__self());
    gn_status status = device->table->plan(device->handle, desc, &info, &p->plan.handle);
    if (status == GN_E_UNSUPPORTED) {
        p->plan.handle = NULL;
        p->why = gn__strdup(gn__late_text(status));
    } else if (status != GN_OK || p->plan.handle == NULL) {
        gn__call_failed(device, op, status != GN_OK ? status : GN_E_INTERNAL);
        free(p);
        return NULL;
    } else {
        p->plan.workspace_bytes = info.workspace_bytes;
        p->plan.saved_bytes = info.saved_bytes;
    }
    if (gn__table_set(device->plans, key, key_bytes, p) != GN_OK) {
        if (p->plan.handle)
            device->table->plan_release(device->handle, p->plan.handle);
        free_plan(p);
        return NULL;
    }
    return p;
}

const gn__plan *gn__plan_get(gn__device *device, const char *op, const gn_plan_desc *desc,
                             size_t attributes_bytes) {
    static const gn__plan declined;
    int64_t key[KEY_WORDS];
    if (gn__failed())
        return NULL;
    if (device->forked)
        return (gn__forked(device, op), NULL);
    if (device->table->plan == NULL) {
        gn__fallback(device, op, "the backend plans no kernels");
        return &declined;
    }
    const size_t key_bytes = make_key(key, desc, attributes_bytes);
    if (key_bytes == 0)
        return gn__fail_null(GN_E_INTERNAL, op, "a descriptor of %u tensors is too large",
                             desc->n_tensors);
    pthread_mutex_lock(&device->lock);
    plan *p = gn__table_get(device->plans, key, key_bytes);
    if (p == NULL)
        p = make_plan(device, op, desc, key, key_bytes);
    pthread_mutex_unlock(&device->lock);
    if (p && p->plan.handle == NULL)
        gn__fallback(device, op, p->why ? p->why : "declined");
    return p ? &p->plan : NULL;
}

static gn_pointer pointer_to(const gn__storage *storage, int64_t offset) {
    gn_pointer pointer = {NULL, 0};
    if (storage) {
        pointer.mem = storage->mem;
        pointer.offset = storage->offset + (uint64_t)offset;
    }
    return pointer;
}

gn_status gn__plan_run(gn__device *device, const char *op, const gn__plan *p,
                       const gn__pointer *tensors, int n_tensors, gn__storage *saved) {
    if (gn__failed())
        return gn_error_status();
    if (device->forked)
        return gn__forked(device, op);
    if (p->handle == NULL || n_tensors > GN__MAX_PLAN_TENSORS)
        return gn_fail(GN_E_INTERNAL, op, "this plan can not be run");
    gn__storage *workspace = NULL;
    if (p->workspace_bytes > 0) {
        workspace = gn__storage_new(device, p->workspace_bytes);
        if (workspace == NULL)
            return gn_error_status();
    }
    gn_pointer pointers[GN__MAX_PLAN_TENSORS];
    for (int i = 0; i < n_tensors; i++)
        pointers[i] = pointer_to(tensors[i].storage, tensors[i].offset);
    const gn_run run = {
        .struct_size = sizeof run,
        .tag = gn__tag(op),
        .plan = p->handle,
        .n_tensors = (uint32_t)n_tensors,
        .tensors = pointers,
        .saved = pointer_to(saved, 0),
        .workspace = pointer_to(workspace, 0),
    };
    gn__queue_enter(device);
    gn_status status = device->table->run(device->handle, NULL, &run);
    gn__queue_leave(device);
    gn__storage_release(workspace); /* what follows on the stream may have it */
    return status == GN_OK ? GN_OK : gn__call_failed(device, op, status);
}

static void release_plan(void *value, void *context) {
    const plan *p = value;
    const gn__device *device = context;
    if (p->plan.handle)
        device->table->plan_release(device->handle, p->plan.handle);
}

void gn__plans_free(gn__device *device) {
    if (device->plans == NULL)
        return;
    if (!device->forked)
        gn__table_each(device->plans, release_plan, device);
    gn__table_free(device->plans, free_plan);
    device->plans = NULL;
}
