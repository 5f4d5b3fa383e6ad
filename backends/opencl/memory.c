/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - blocks of device memory. Most are cut from arenas, large buffers that hold many
 * blocks; a block of more than half an arena has a buffer of its own. How bytes get there and back
 * is in copy.c.
 *
 * An arena keeps its free ranges in a list, ordered by offset; neighbours are joined, and the first
 * range that is large enough is taken. An arena without a block is given back to the driver.
 */
#include <stdlib.h>

#include "opencl.h"

enum { ARENA_BYTES = 64 << 20 };

typedef struct ocl_range {
    struct ocl_range *next;
    uint64_t offset, bytes;
} range;

typedef struct ocl_arena {
    struct ocl_arena *next;
    cl_mem buffer;
    uint64_t bytes, used;
    range *free;
} ocl_arena;

struct ocl_arenas {
    pthread_mutex_t lock;
    ocl_arena *first;
    uint64_t bytes, used; /* of all arenas */
};

struct ocl_arenas *ocl_arenas_new(void) {
    struct ocl_arenas *arenas = calloc(1, sizeof *arenas);
    if (arenas)
        pthread_mutex_init(&arenas->lock, NULL);
    return arenas;
}

static void free_arena(ocl_arena *arena) {
    while (arena->free) {
        range *next = arena->free->next;
        free(arena->free);
        arena->free = next;
    }
    if (arena->buffer)
        clReleaseMemObject(arena->buffer);
    free(arena);
}

/* The host has freed all blocks before. */
void ocl_arenas_free(struct ocl_arenas *arenas) {
    if (arenas == NULL)
        return;
    while (arenas->first) {
        ocl_arena *next = arenas->first->next;
        free_arena(arenas->first);
        arenas->first = next;
    }
    pthread_mutex_destroy(&arenas->lock);
    free(arenas);
}

/* ---- Arenas */

/* Drivers make a buffer real at its first use; this makes them do it, or fail, now. */
static cl_int make_real(gn_device *device, cl_mem buffer) {
    cl_event done;
    cl_int error =
        clEnqueueMigrateMemObjects(device->standard->queue, 1, &buffer,
                                   CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, NULL, &done);
    if (error != CL_SUCCESS)
        return error;
    error = clWaitForEvents(1, &done);
    clReleaseEvent(done);
    return error;
}

static gn_status out_of_memory(const gn_device *device, uint64_t bytes) {
    return ocl_fail(GN_E_MEMORY, 0, "no %llu bytes left of the device's %llu",
                    (unsigned long long)bytes, (unsigned long long)device->limits->memory_bytes);
}

/* An arena with one free range. Under the lock. */
static gn_status add_arena(gn_device *device, uint64_t bytes, ocl_arena **out) {
    struct ocl_arenas *all = device->arenas;
    cl_int error;
    if (all->bytes > device->limits->memory_bytes ||
        bytes > device->limits->memory_bytes - all->bytes)
        return out_of_memory(device, bytes);
    ocl_arena *arena = calloc(1, sizeof *arena);
    range *whole = calloc(1, sizeof *whole);
    if (arena == NULL || whole == NULL) {
        free(arena);
        free(whole);
        return ocl_fail(GN_E_MEMORY, 0, "no host memory for a block's record");
    }
    whole->bytes = arena->bytes = bytes;
    arena->free = whole;
    arena->buffer = clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
    if (error == CL_SUCCESS)
        error = make_real(device, arena->buffer);
    if (error != CL_SUCCESS) {
        free_arena(arena);
        if (error == CL_OUT_OF_RESOURCES || error == CL_MEM_OBJECT_ALLOCATION_FAILURE)
            return out_of_memory(device, bytes);
        return ocl_fail_cl(device, error, 0, "clCreateBuffer");
    }
    arena->next = all->first;
    all->first = arena;
    all->bytes += bytes;
    *out = arena;
    return GN_OK;
}

/* Cuts a block off the first range that is large enough. */
static bool cut(ocl_arena *arena, uint64_t bytes, uint64_t *offset) {
    range **link = &arena->free;
    while (*link && (*link)->bytes < bytes)
        link = &(*link)->next;
    range *here = *link;
    if (here == NULL)
        return false;
    *offset = here->offset;
    here->offset += bytes;
    here->bytes -= bytes;
    arena->used += bytes;
    if (here->bytes == 0) {
        *link = here->next;
        free(here);
    }
    return true;
}

static gn_status take(gn_device *device, gn_mem *mem) {
    struct ocl_arenas *all = device->arenas;
    uint64_t arena_bytes = ARENA_BYTES;
    if (arena_bytes > device->limits->block_bytes)
        arena_bytes = device->limits->block_bytes;
    ocl_arena *arena = all->first;
    while (arena && !cut(arena, mem->bytes, &mem->offset))
        arena = arena->next;
    if (arena == NULL) {
        gn_status status = GN_E_MEMORY;
        if (mem->bytes <= arena_bytes / 2)
            status = add_arena(device, arena_bytes, &arena);
        if (status == GN_E_MEMORY)
            status = add_arena(device, mem->bytes, &arena);
        if (status != GN_OK)
            return status;
        cut(arena, mem->bytes, &mem->offset);
    }
    all->used += mem->bytes;
    mem->arena = arena;
    mem->buffer = arena->buffer;
    return GN_OK;
}

/* ---- Blocks */

gn_status ocl_alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    if (bytes > device->limits->block_bytes)
        return ocl_fail(GN_E_MEMORY, 0, "%llu bytes, but the device's largest buffer has %llu",
                        (unsigned long long)bytes, (unsigned long long)device->limits->block_bytes);
    gn_mem *mem = calloc(1, sizeof *mem);
    /* Its own free range, made now so that `free` needs no memory. */
    range *own = calloc(1, sizeof *own);
    if (mem == NULL || own == NULL) {
        free(mem);
        free(own);
        return ocl_fail(GN_E_MEMORY, 0, "no host memory for a block's record");
    }
    mem->bytes = (bytes + GN_MEM_ALIGNMENT - 1) / GN_MEM_ALIGNMENT * GN_MEM_ALIGNMENT;
    mem->range = own;
    pthread_mutex_lock(&device->arenas->lock);
    status = take(device, mem);
    pthread_mutex_unlock(&device->arenas->lock);
    if (status != GN_OK) {
        free(own);
        free(mem);
        return status;
    }
    *out = mem;
    return GN_OK;
}

/* Joins a range with the one behind it, if they touch. */
static void join(range *r) {
    range *next = r->next;
    if (next && r->offset + r->bytes == next->offset) {
        r->bytes += next->bytes;
        r->next = next->next;
        free(next);
    }
}

static void put_back(ocl_arena *arena, range *own) {
    range *before = NULL, **link = &arena->free;
    while (*link && (*link)->offset < own->offset) {
        before = *link;
        link = &before->next;
    }
    own->next = *link;
    *link = own;
    arena->used -= own->bytes;
    join(own);
    if (before)
        join(before);
}

static void remove_arena(struct ocl_arenas *all, ocl_arena *arena) {
    ocl_arena **link = &all->first;
    while (*link != arena)
        link = &(*link)->next;
    *link = arena->next;
    all->bytes -= arena->bytes;
    free_arena(arena);
}

/* Waits, as another stream may be the next to have these bytes. The host caches blocks, so this is
 * rare. */
void ocl_free(gn_device *device, gn_mem *mem) {
    if (mem == NULL || ocl_is_forked())
        return;
    struct ocl_arenas *all = device->arenas;
    range *own = mem->range;
    own->offset = mem->offset;
    own->bytes = mem->bytes;
    ocl_finish_all(device);
    pthread_mutex_lock(&all->lock);
    all->used -= mem->bytes;
    put_back(mem->arena, own);
    if (mem->arena->used == 0)
        remove_arena(all, mem->arena);
    pthread_mutex_unlock(&all->lock);
    free(mem);
}

gn_status ocl_memory_info(gn_device *device, uint64_t *free_bytes, uint64_t *total_bytes) {
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    pthread_mutex_lock(&device->arenas->lock);
    *total_bytes = device->limits->memory_bytes;
    *free_bytes = *total_bytes > device->arenas->used ? *total_bytes - device->arenas->used : 0;
    pthread_mutex_unlock(&device->arenas->lock);
    return GN_OK;
}
