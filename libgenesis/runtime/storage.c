/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storage.c - reference-counted device memory, and bytes to and from the host.
 */
#include "internal.h"

gn__storage *gn__storage_new(gn__device *device, uint64_t bytes) {
    if (gn__failed())
        return NULL;
    if (device->forked)
        return (gn__forked(device, "memory"), NULL);
    gn__reason why;
    gn__storage *storage = gn__allocator_take(device, bytes, false, &why);
    if (storage == NULL)
        gn_fail(why.status, gn__late_op("memory"), "%s", why.text);
    return storage;
}

gn__storage *gn__storage_retain(gn__storage *storage) {
    if (storage)
        atomic_fetch_add_explicit(&storage->references, 1, memory_order_relaxed);
    return storage;
}

void gn__storage_release(gn__storage *storage) {
    if (storage == NULL)
        return;
    /* Whoever sees 1 holds the only reference: as in gn_release. */
    if (atomic_load_explicit(&storage->references, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&storage->references, 1, memory_order_acq_rel) != 1)
        return;
    atomic_store_explicit(&storage->references, 0, memory_order_relaxed);
    void (*free_host)(void *context) = storage->wrapped ? storage->free_host : NULL;
    void *context = storage->context;
    gn__allocator_give(storage);
    if (free_host)
        free_host(context);
}

gn__storage *gn__storage_wrap(gn__device *device, void *data, uint64_t bytes,
                              void (*free_host)(void *context), void *context) {
    static const char op[] = "wrap";
    if (gn__failed())
        return NULL;
    if (device->forked)
        return (gn__forked(device, op), NULL);
    if (device->table->wrap == NULL)
        return gn__fail_null(GN_E_UNSUPPORTED, op, "%s can't use memory of the host: copy it",
                             device->name);
    gn__reason why;
    gn__storage *storage = gn__allocator_wrap(device, data, bytes, &why);
    if (storage == NULL)
        return gn__fail_null(why.status, op, "%s (on %s)", why.text, device->name);
    storage->free_host = free_host;
    storage->context = context;
    return storage;
}

/* ---- Transfers */

/* Whether `bytes` at `offset` lie in the storage. */
static bool fits(const gn__storage *storage, uint64_t offset, uint64_t bytes) {
    return offset <= storage->bytes && bytes <= storage->bytes - offset;
}

static gn_status check(const gn__storage *storage, uint64_t offset, uint64_t bytes,
                       const char *op) {
    if (gn__failed())
        return gn_error_status();
    if (storage->device->forked)
        return gn__forked(storage->device, op);
    if (!fits(storage, offset, bytes))
        return gn_fail(GN_E_INTERNAL, op, "%llu bytes at %llu do not lie in %llu bytes",
                       (unsigned long long)bytes, (unsigned long long)offset,
                       (unsigned long long)storage->bytes);
    return GN_OK;
}

gn_status gn__upload(gn__storage *target, uint64_t offset, const void *source, uint64_t bytes) {
    static const char op[] = "upload";
    gn_status status = check(target, offset, bytes, op);
    if (status != GN_OK || bytes == 0)
        return status;
    gn__device *device = target->device;
    gn__queue_enter(device);
    status = device->table->upload(device->handle, NULL, target->mem, target->offset + offset,
                                   source, bytes);
    gn__queue_leave(device);
    return status == GN_OK ? GN_OK : gn__call_failed(device, op, status);
}

gn_status gn__download(void *target, gn__storage *source, uint64_t offset, uint64_t bytes) {
    static const char op[] = "download";
    gn_status status = check(source, offset, bytes, op);
    if (status != GN_OK || bytes == 0)
        return status;
    gn__device *device = source->device;
    gn__queue_enter(device);
    status = device->table->download(device->handle, NULL, target, source->mem,
                                     source->offset + offset, bytes);
    gn__queue_leave(device);
    return status == GN_OK ? GN_OK : gn__call_failed(device, op, status);
}
