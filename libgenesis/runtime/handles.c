/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handles.c - a device's handles of programs: a hash table that is read without a lock.
 *
 * Programs are interned, so their address is the key. Writers hold device->lock; they publish a
 * program after its handle, and a larger array after it was filled. Arrays that were replaced stay
 * until the device is closed, because readers may be in them.
 */
#include <stdlib.h>

#include "internal.h"

typedef struct entry {
    _Atomic(const gn_program *) program; /* NULL: free */
    void *handle;
} entry;

typedef struct array {
    struct array *older;
    size_t n_entries, used; /* a power of two; at most half are used */
    entry entries[];
} array;

struct gn__handles {
    _Atomic(array *) newest;
};

gn__handles *gn__handles_new(void) { return calloc(1, sizeof(gn__handles)); }

/* The entry of a program, or the free one where it belongs. */
static entry *find(array *a, const gn_program *program) {
    uint64_t hash = (uint64_t)(uintptr_t)program * UINT64_C(0x9e3779b97f4a7c15);
    size_t mask = a->n_entries - 1, i = (size_t)(hash >> 32) & mask;
    for (;; i = (i + 1) & mask) {
        const gn_program *here = atomic_load_explicit(&a->entries[i].program, memory_order_acquire);
        if (here == program || here == NULL)
            return &a->entries[i];
    }
}

static array *larger(array *old) {
    size_t n = old ? old->n_entries * 2 : 64;
    array *a = gn__alloc(sizeof *a + n * sizeof(entry));
    if (a == NULL)
        return NULL;
    a->n_entries = n;
    a->older = old;
    for (size_t i = 0; old && i < old->n_entries; i++) {
        const gn_program *program = atomic_load(&old->entries[i].program);
        if (program == NULL)
            continue;
        entry *e = find(a, program);
        e->handle = old->entries[i].handle;
        atomic_init(&e->program, program);
        a->used++;
    }
    return a;
}

/* Under the lock. */
static gn_status create(gn__device *device, const gn_program *program, void **out) {
    array *a = atomic_load(&device->handles->newest);
    if (a) {
        const entry *e = find(a, program);
        if (atomic_load(&e->program)) { /* another thread was faster */
            *out = e->handle;
            return GN_OK;
        }
    }
    if (a == NULL || (a->used + 1) * 2 > a->n_entries) {
        a = larger(a);
        if (a == NULL)
            return GN_E_MEMORY;
        atomic_store_explicit(&device->handles->newest, a, memory_order_release);
    }
    gn__late_clear(gn__self());
    gn_status status = device->table->program_create(device->handle, program, out);
    if (status != GN_OK)
        return status;
    entry *e = find(a, program);
    e->handle = *out;
    a->used++;
    atomic_store_explicit(&e->program, program, memory_order_release);
    return GN_OK;
}

gn_status gn__handle_get(gn__device *device, const gn_program *program, void **out) {
    *out = NULL;
    if (device->table->program_create == NULL)
        return GN_OK;
    array *a = atomic_load_explicit(&device->handles->newest, memory_order_acquire);
    if (a) {
        const entry *e = find(a, program);
        if (atomic_load_explicit(&e->program, memory_order_acquire)) {
            *out = e->handle;
            return GN_OK;
        }
    }
    pthread_mutex_lock(&device->lock);
    gn_status status = create(device, program, out);
    pthread_mutex_unlock(&device->lock);
    return status;
}

void gn__handles_free(gn__device *device) {
    if (device->handles == NULL)
        return;
    array *a = atomic_load(&device->handles->newest);
    for (size_t i = 0; a && i < a->n_entries; i++)
        if (atomic_load(&a->entries[i].program) && a->entries[i].handle && !device->forked)
            device->table->program_release(device->handle, a->entries[i].handle);
    while (a) {
        array *older = a->older;
        free(a);
        a = older;
    }
    free(device->handles);
    device->handles = NULL;
}
