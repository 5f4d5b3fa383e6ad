/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.c - a device that is traced: opened over the one below, and closed; its memory in use.
 */
#include <stdlib.h>

#include "trace.h"

/* ---- Memory: the size of each block, since `free` does not tell it */

struct trace_block {
    trace_block *next;
    const gn_mem *mem;
    uint64_t bytes;
};

static trace_block **list_of(gn_device *device, const gn_mem *mem) {
    const uint64_t hash = (uint64_t)(uintptr_t)mem * UINT64_C(0x9e3779b97f4a7c15);
    return &device->blocks[hash >> 32 & (TRACE_BLOCK_LISTS - 1)];
}

void trace_block_add(gn_device *device, const gn_mem *mem, uint64_t bytes) {
    trace_block *block = malloc(sizeof *block);
    if (block == NULL)
        return; /* the counter is too low by this block until it is freed */
    pthread_mutex_lock(&device->lock);
    trace_block **list = list_of(device, mem);
    *block = (trace_block){.next = *list, .mem = mem, .bytes = bytes};
    *list = block;
    device->bytes += bytes;
    if (device->bytes > device->most_bytes)
        device->most_bytes = device->bytes;
    trace_output_memory(device->number, device->bytes); /* under the lock, so in order */
    pthread_mutex_unlock(&device->lock);
}

uint64_t trace_block_remove(gn_device *device, const gn_mem *mem) {
    uint64_t bytes = 0;
    pthread_mutex_lock(&device->lock);
    trace_block **link = list_of(device, mem);
    while (*link && (*link)->mem != mem)
        link = &(*link)->next;
    trace_block *block = *link;
    if (block) {
        *link = block->next;
        bytes = block->bytes;
        device->bytes -= bytes;
        trace_output_memory(device->number, device->bytes);
    }
    pthread_mutex_unlock(&device->lock);
    free(block);
    return bytes;
}

static void forget_blocks(gn_device *device) {
    for (int l = 0; l < TRACE_BLOCK_LISTS; l++)
        while (device->blocks[l]) {
            trace_block *block = device->blocks[l];
            device->blocks[l] = block->next;
            free(block);
        }
}

/* ---- Opening and closing */

static trace_clock clock_of(const gn_backend *below) {
    if (below->stream_create == NULL && below->synchronise == NULL)
        return TRACE_CLOCK_CALL;
    const bool events = below->event_create && below->event_synchronise && below->event_elapsed;
    return events ? TRACE_CLOCK_EVENTS : TRACE_CLOCK_NONE;
}

gn_status trace_device_open(const gn_backend *below, gn_device *inner, const char *name,
                            gn_device **out) {
    gn_device *device = calloc(1, sizeof *device);
    if (device == NULL)
        return trace_host->set_error(GN_E_MEMORY, 0, "trace: no memory for a device");
    device->layer = (struct gn_layer){.below = below, .device = inner};
    trace_text text = trace_text_in(device->name, sizeof device->name);
    trace_add(&text, name);
    device->clock = clock_of(below);
    pthread_mutex_init(&device->lock, NULL);
    trace_summary_open(&device->summary);
    device->number = trace_output_join(name);
    gn_status status = trace_stream_open(device, NULL);
    if (status != GN_OK) {
        trace_device_close(device);
        return status;
    }
    *out = device;
    return GN_OK;
}

void trace_device_close(gn_device *device) {
    if (device == NULL)
        return;
    trace_streams_close(device);
    trace_summary_close(&device->summary, device);
    trace_output_leave();
    forget_blocks(device);
    pthread_mutex_destroy(&device->lock);
    free(device);
}
