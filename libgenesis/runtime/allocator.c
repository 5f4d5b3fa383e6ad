/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allocator.c - the caching allocator of a device: blocks of device memory that wait for their next
 * use instead of going back to the backend.
 *
 * Sizes are rounded up to a size class: four per octave, multiples of 256 bytes. Each class has a
 * list of free blocks, the one freed last in front, as it is most likely in a cache. What a class
 * lacks is taken from
 *   - up to 256 KiB: a slab of 2 MiB, cut into blocks of whatever classes are asked for in turn;
 *   - above: a slab of its own.
 * A slab is one block of the backend. When all that was cut from it is free, a trim gives it back.
 *
 * A block may be taken again while work on its last content is enqueued: the stream is in order.
 * The record of a block is its storage (storage.c), so that a hit allocates nothing on the host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    UNIT = GN_MEM_ALIGNMENT,
    SLAB_BYTES = 2 << 20,
    SMALL_BYTES = 256 << 10,
    N_CLASSES = 232,
    WIDER = 2 /* a block may serve a request of a class that is smaller by so many */
};

typedef struct slab slab;

typedef struct block {
    gn__storage storage; /* first: see gn__storage_next and gn__allocator_give */
    slab *slab;
    struct block *next;    /* in the free list of its class, or in a list of the runtime's */
    struct block *sibling; /* cut from the same slab */
    uint32_t class;
} block;

struct slab {
    slab *next;
    gn_mem *mem;
    void *host; /* address on the host, or NULL */
    uint64_t bytes, cut;
    size_t n_in_use; /* blocks */
    block *blocks;
};

struct gn__allocator {
    pthread_mutex_t lock;
    gn__device *device;
    block *free[N_CLASSES];
    slab *slabs;
    slab *current;  /* the one that small blocks are cut from, or NULL */
    uint64_t limit; /* 0: none */
    gn_memory_stats stats;
};

/* ---- Size classes */

static uint32_t class_of(uint64_t bytes) {
    uint64_t n = (bytes + UNIT - 1) / UNIT;
    if (n <= 4)
        return n ? (uint32_t)n - 1 : 0;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(n - 1); /* of units: at least 2 */
    return (octave - 1) * 4 + (uint32_t)((n - 1) >> (octave - 2)) - 4;
}

static uint64_t class_bytes(uint32_t class) {
    if (class < 4)
        return (uint64_t)(class + 1) * UNIT;
    uint32_t octave = class / 4 + 1;
    return ((uint64_t)(class % 4 + 5) << (octave - 2)) * UNIT;
}

/* ---- Slabs */

gn__allocator *gn__allocator_new(gn__device *device) {
    gn__allocator *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->device = device;
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

/* A block of the backend's. GN_E_MEMORY within the limit, too. */
static gn_status new_slab(gn__allocator *a, uint64_t bytes, slab **out, gn__reason *why) {
    const gn__device *device = a->device;
    if (a->limit && (bytes > a->limit || a->stats.reserved > a->limit - bytes))
        return gn__reason_set(why, GN_E_MEMORY, "the limit that was set is reached");
    slab *s = calloc(1, sizeof *s);
    if (s == NULL)
        return gn__reason_set(why, GN_E_MEMORY, "no host memory");
    gn__late_clear(gn__self());
    gn_status status = device->table->alloc(device->handle, bytes, &s->mem);
    if (status != GN_OK || s->mem == NULL) {
        free(s);
        if (status == GN_E_MEMORY) /* which `explain` adds to */
            return gn__reason_set(why, status, "%s", gn__late_text(status));
        return gn__reason_call(why, device, status != GN_OK ? status : GN_E_INTERNAL);
    }
    if (device->table->host_pointer && (device->flags & GN_DEVICE_HOST_VISIBLE))
        s->host = device->table->host_pointer(device->handle, s->mem);
    s->bytes = bytes;
    s->next = a->slabs;
    a->slabs = s;
    a->stats.backend_allocations++;
    a->stats.reserved += bytes;
    if (a->stats.reserved > a->stats.reserved_peak)
        a->stats.reserved_peak = a->stats.reserved;
    *out = s;
    return GN_OK;
}

static void free_slab(gn__allocator *a, slab *s) {
    while (s->blocks) {
        block *b = s->blocks;
        s->blocks = b->sibling;
        free(b);
    }
    a->stats.reserved -= s->bytes;
    a->device->table->free(a->device->handle, s->mem);
    free(s);
}

/* Cuts a block of a class off a slab that has the room. NULL: no host memory. */
static block *cut(gn__allocator *a, slab *s, uint32_t class) {
    block *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->storage.device = a->device;
    b->storage.mem = s->mem;
    b->storage.offset = s->cut;
    b->storage.host = s->host ? (char *)s->host + s->cut : NULL;
    b->slab = s;
    b->class = class;
    b->sibling = s->blocks;
    s->blocks = b;
    s->cut += class_bytes(class);
    return b;
}

static void push_free(gn__allocator *a, block *b) {
    b->next = a->free[b->class];
    a->free[b->class] = b;
}

/* Cuts what is left of the current slab into the largest blocks that fit. */
static void finish_current(gn__allocator *a) {
    slab *s = a->current;
    a->current = NULL;
    while (s && s->bytes - s->cut >= UNIT) {
        uint64_t left = s->bytes - s->cut;
        uint32_t class = class_of(left);
        if (class_bytes(class) > left)
            class --;
        block *b = cut(a, s, class);
        if (b == NULL)
            return;
        push_free(a, b);
    }
}

/* ---- Taking */

/* The first free block of the class or of a slightly larger one. */
static block *pop_free(gn__allocator *a, uint32_t class, uint32_t wider) {
    for (uint32_t c = class; c <= class + wider && c < N_CLASSES; c++) {
        block *b = a->free[c];
        if (b) {
            a->free[c] = b->next;
            return b;
        }
    }
    return NULL;
}

static gn_status take_fresh(gn__allocator *a, uint32_t class, block **out, gn__reason *why) {
    const uint64_t bytes = class_bytes(class);
    gn_status status = GN_E_MEMORY;
    slab *s = a->current;
    if (bytes > SMALL_BYTES || s == NULL || s->bytes - s->cut < bytes) {
        if ((*out = pop_free(a, class, WIDER)) != NULL)
            return GN_OK;
        if (bytes <= SMALL_BYTES && (status = new_slab(a, SLAB_BYTES, &s, why)) == GN_OK) {
            finish_current(a);
            a->current = s;
        } else if (status != GN_E_MEMORY || (status = new_slab(a, bytes, &s, why)) != GN_OK) {
            return status;
        }
    }
    *out = cut(a, s, class);
    return *out ? GN_OK : gn__reason_set(why, GN_E_MEMORY, "no host memory");
}

/* Gives back the slabs that are all free. Under the lock. */
static void trim(gn__allocator *a) {
    finish_current(a);
    for (uint32_t c = 0; c < N_CLASSES; c++) {
        block **link = &a->free[c];
        while (*link) {
            if ((*link)->slab->n_in_use == 0)
                *link = (*link)->next;
            else
                link = &(*link)->next;
        }
    }
    slab **link = &a->slabs;
    while (*link) {
        slab *s = *link;
        if (s->n_in_use == 0) {
            *link = s->next;
            free_slab(a, s);
        } else {
            link = &s->next;
        }
    }
}

static const char *bytes_text(char text[32], uint64_t bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < GN_LENGTH(units); unit++)
        value /= 1024;
    snprintf(text, 32, unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
    return text;
}

/* "4.00 GiB do not fit on cuda: ..., 30.10 GiB of 32.00 GiB reserved are in use" */
static void explain(gn__allocator *a, uint64_t bytes, gn__reason *why) {
    char wanted[32], used[32], reserved[32], limit[32] = "", plugin[160];
    const gn_memory_stats *stats = &a->stats;
    memcpy(plugin, why->text, sizeof plugin - 1);
    plugin[sizeof plugin - 1] = '\0';
    bytes_text(wanted, bytes);
    bytes_text(used, stats->allocated);
    bytes_text(reserved, stats->reserved);
    if (a->limit)
        bytes_text(limit, a->limit);
    int length = snprintf(
        why->text, sizeof why->text, "no room on %s for %s: %s (tensors use %s of %s reserved%s%s",
        a->device->name, wanted, plugin, used, reserved, a->limit ? "; the limit is " : "", limit);
    uint64_t free_bytes = 0, total = 0;
    const gn__device *device = a->device;
    if (device->table->memory_info &&
        device->table->memory_info(device->handle, &free_bytes, &total) == GN_OK)
        length += snprintf(why->text + length, sizeof why->text - (size_t)length,
                           "; %s of the device's %s are free", bytes_text(used, free_bytes),
                           bytes_text(reserved, total));
    snprintf(why->text + length, sizeof why->text - (size_t)length, ")");
}

/* What to do when the class has no free block. Under the lock, which is released for the wait. */
static block *take_slowly(gn__allocator *a, uint32_t class, uint64_t bytes, bool in_call,
                          gn__reason *why) {
    block *b = NULL;
    gn__late_clear(gn__self());
    gn_status status = take_fresh(a, class, &b, why);
    if (status == GN_E_MEMORY) {
        if (!in_call && a->device->table->synchronise) {
            pthread_mutex_unlock(&a->lock);
            gn__queue_enter(a->device);
            status = a->device->table->synchronise(a->device->handle, NULL);
            gn__queue_leave(a->device);
            pthread_mutex_lock(&a->lock);
            if (status != GN_OK) {
                gn__reason_call(why, a->device, status);
                return NULL;
            }
        }
        trim(a);
        b = pop_free(a, class, WIDER);
        status = b ? GN_OK : take_fresh(a, class, &b, why);
        if (status == GN_E_MEMORY)
            explain(a, bytes, why);
    }
    return b;
}

gn__storage *gn__allocator_take(gn__device *device, uint64_t bytes, bool in_call, gn__reason *why) {
    gn__allocator *a = device->allocator;
    if (bytes > (uint64_t)INT64_MAX / 4) {
        gn__reason_set(why, GN_E_MEMORY, "%llu bytes are more than there can be",
                       (unsigned long long)bytes);
        return NULL;
    }
    const uint32_t class = class_of(bytes);
    pthread_mutex_lock(&a->lock);
    block *b = a->free[class];
    if (b)
        a->free[class] = b->next;
    else
        b = take_slowly(a, class, bytes, in_call, why);
    if (b) {
        b->slab->n_in_use++;
        a->stats.allocations++;
        a->stats.allocated += bytes;
        if (a->stats.allocated > a->stats.allocated_peak)
            a->stats.allocated_peak = a->stats.allocated;
    }
    pthread_mutex_unlock(&a->lock);
    if (b == NULL)
        return NULL;
    atomic_init(&b->storage.references, 1);
    atomic_init(&b->storage.version, 0);
    b->storage.bytes = bytes;
    return &b->storage;
}

/* A wrapped block has a slab of its own, which counts as nothing reserved. */
gn__storage *gn__allocator_wrap(gn__device *device, void *data, uint64_t bytes, gn__reason *why) {
    gn__allocator *a = device->allocator;
    slab *s = calloc(1, sizeof *s);
    block *b = calloc(1, sizeof *b);
    if (s == NULL || b == NULL) {
        free(s);
        free(b);
        gn__reason_set(why, GN_E_MEMORY, "no host memory");
        return NULL;
    }
    /* From the aligned address before it, so that the offset tells the alignment as always. */
    const uint64_t offset = (uint64_t)(uintptr_t)data % UNIT;
    gn__late_clear(gn__self());
    gn_status status = device->table->wrap(device->handle, (char *)data - offset,
                                           offset + (bytes ? bytes : 1), &s->mem);
    if (status != GN_OK || s->mem == NULL) {
        free(s);
        free(b);
        status = status < GN_OK ? status : GN_E_INTERNAL;
        gn__reason_set(why, status, "%s", gn__late_text(status));
        return NULL;
    }
    b->storage = (gn__storage){.device = device,
                               .mem = s->mem,
                               .offset = offset,
                               .bytes = bytes,
                               .host = data,
                               .wrapped = true};
    atomic_init(&b->storage.references, 1);
    b->slab = s;
    s->blocks = b;
    s->n_in_use = 1;
    pthread_mutex_lock(&a->lock);
    s->next = a->slabs;
    a->slabs = s;
    pthread_mutex_unlock(&a->lock);
    return &b->storage;
}

/* ---- Giving back */

static void free_wrapped(gn__allocator *a, slab *s) {
    slab **link = &a->slabs;
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    free_slab(a, s);
}

gn__storage **gn__storage_next(gn__storage *storage) {
    return (gn__storage **)&((block *)storage)->next;
}

void gn__allocator_give(gn__storage *storage) {
    block *b = (block *)storage;
    if (storage->device == NULL) { /* the device was closed before */
        free(b);
        return;
    }
    gn__allocator *a = storage->device->allocator;
    if (storage->device->forked) /* its lock may be held by a thread that this process lacks */
        return;
    pthread_mutex_lock(&a->lock);
    if (storage->wrapped) {
        free_wrapped(a, b->slab);
    } else {
        b->slab->n_in_use--;
        a->stats.allocated -= storage->bytes;
        push_free(a, b);
    }
    pthread_mutex_unlock(&a->lock);
}

/* Free blocks are told from those in use by their references. */
void gn__allocator_free(gn__allocator *a) {
    if (a == NULL)
        return;
    while (a->slabs) {
        slab *s = a->slabs;
        a->slabs = s->next;
        for (block **link = &s->blocks; *link;) {
            block *b = *link;
            if (atomic_load(&b->storage.references) == 0) {
                link = &b->sibling;
                continue;
            }
            b->storage.device = NULL;
            b->storage.mem = NULL;
            b->storage.host = NULL;
            *link = b->sibling;
        }
        if (!a->device->forked) {
            free_slab(a, s);
            continue;
        }
        while (s->blocks) {
            block *b = s->blocks;
            s->blocks = b->sibling;
            free(b);
        }
        free(s);
    }
    if (!a->device->forked)
        pthread_mutex_destroy(&a->lock);
    free(a);
}

/* ---- What users ask and set (device.h) */

gn_status gn_memory_stats_get(const char *text, gn_memory_stats *out) {
    if (gn__failed())
        return gn_error_status();
    if (out == NULL)
        return gn_fail(GN_E_ARGUMENT, "memory_stats_get", "no struct to fill");
    gn__device *device = gn__device_get(text);
    if (device == NULL)
        return gn_error_status();
    pthread_mutex_lock(&device->allocator->lock);
    *out = device->allocator->stats;
    pthread_mutex_unlock(&device->allocator->lock);
    return GN_OK;
}

char *gn_memory_text(const char *text) {
    gn_memory_stats stats;
    char bytes[4][32], line[256];
    if (gn_memory_stats_get(text, &stats) != GN_OK)
        return NULL;
    snprintf(line, sizeof line,
             "tensors use %s (at most %s) of %s reserved (at most %s); %llu allocations, %llu of "
             "them by the backend",
             bytes_text(bytes[0], stats.allocated), bytes_text(bytes[1], stats.allocated_peak),
             bytes_text(bytes[2], stats.reserved), bytes_text(bytes[3], stats.reserved_peak),
             (unsigned long long)stats.allocations, (unsigned long long)stats.backend_allocations);
    char *copy = strdup(line);
    if (copy == NULL)
        gn_fail(GN_E_MEMORY, "memory_text", "no memory for a line of text");
    return copy;
}

gn_status gn_memory_peak_reset(const char *text) {
    if (gn__failed())
        return gn_error_status();
    gn__device *device = gn__device_get(text);
    if (device == NULL)
        return gn_error_status();
    gn_memory_stats *stats = &device->allocator->stats;
    pthread_mutex_lock(&device->allocator->lock);
    stats->allocated_peak = stats->allocated;
    stats->reserved_peak = stats->reserved;
    pthread_mutex_unlock(&device->allocator->lock);
    return GN_OK;
}

gn_status gn_empty_cache(const char *text) {
    if (gn__failed())
        return gn_error_status();
    gn__device *device = gn__device_get(text);
    if (device == NULL)
        return gn_error_status();
    gn_status status = gn__device_wait(device, "empty_cache");
    pthread_mutex_lock(&device->allocator->lock);
    trim(device->allocator);
    pthread_mutex_unlock(&device->allocator->lock);
    return status;
}

gn_status gn_set_memory_limit(const char *text, uint64_t bytes) {
    if (gn__failed())
        return gn_error_status();
    gn__device *device = gn__device_get(text);
    if (device == NULL)
        return gn_error_status();
    pthread_mutex_lock(&device->allocator->lock);
    device->allocator->limit = bytes;
    pthread_mutex_unlock(&device->allocator->lock);
    return GN_OK;
}
