/* SPDX-License-Identifier: MIT-0 */
/*
 * plugin.c - the device, its memory, the table of functions, and the entry.
 *
 * The table has the eleven required functions and none of the optional ones. The device is
 * synchronous: when a call returns, its work is done, and so it needs no streams. Its memory is the
 * host's, but it does not say so: nothing but upload and download may reach it, as on a device of
 * its own.
 */
#include "plugin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PLUGIN_VERSION "0.1" /* of this plugin */

/* An open device: the place for a driver's context and its default queue. */
struct gn_device {
    int32_t ordinal;
};

static const gn_host *host;
static pid_t owner; /* the process that loaded the plugin */

gn_status plugin_fail(gn_status status, uint64_t tag, const char *format, ...) {
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return host->set_error(status, tag, message);
}

gn_status plugin_ready(void) {
    if (getpid() == owner)
        return GN_OK;
    return plugin_fail(GN_E_FORKED, 0, NAME ": the device belongs to the parent process");
}

/* ---- Device ---------------------------------------------------------------------------------- */

/* Where a driver is missing: 0 devices, GN_OK, and plugin_fail says why. */
static gn_status count(int32_t *out) {
    *out = 1;
    return GN_OK;
}

static gn_status info(int32_t ordinal, gn_device_info *out) {
    const gn_device_info all = {
        .struct_size = out->struct_size,
        .name = "reference",
        .vendor = "Genesis",
        .driver = NAME " " PLUGIN_VERSION,
        .units = 1,
        .dtypes = (1u << GN_N_DTYPES) - (1u << GN_BOOL), /* all of them; 0 is none */
    };
    if (ordinal != 0)
        return plugin_fail(GN_E_ARGUMENT, 0, NAME ": there is no device %d", (int)ordinal);
    /* A host of an older minor has a shorter struct, one of a newer minor a longer one. */
    memcpy(out, &all, out->struct_size < sizeof all ? out->struct_size : sizeof all);
    return GN_OK;
}

static gn_status device_open(int32_t ordinal, gn_device **out) {
    gn_status status = plugin_ready();
    if (status != GN_OK)
        return status;
    if (ordinal != 0)
        return plugin_fail(GN_E_ARGUMENT, 0, NAME ": there is no device %d", (int)ordinal);
    gn_device *device = malloc(sizeof *device);
    if (!device)
        return plugin_fail(GN_E_MEMORY, 0, NAME ": no memory for a device");
    device->ordinal = ordinal;
    *out = device;
    return GN_OK;
}

static void device_close(gn_device *device) { free(device); }

/* ---- Memory ---------------------------------------------------------------------------------- */

static gn_status mem_alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    (void)device;
    gn_status status = plugin_ready();
    if (status != GN_OK)
        return status;
    if (bytes > SIZE_MAX - GN_MEM_ALIGNMENT)
        return plugin_fail(GN_E_MEMORY, 0, NAME ": no memory for a block");
    size_t rounded = ((size_t)bytes + GN_MEM_ALIGNMENT - 1) / GN_MEM_ALIGNMENT * GN_MEM_ALIGNMENT;
    gn_mem *mem = malloc(sizeof *mem);
    char *data = aligned_alloc(GN_MEM_ALIGNMENT, rounded);
    if (!mem || !data) {
        free(mem);
        free(data);
        return plugin_fail(GN_E_MEMORY, 0, NAME ": no memory for a block of %llu bytes",
                           (unsigned long long)bytes);
    }
    *mem = (gn_mem){.data = data, .bytes = bytes};
    *out = mem;
    return GN_OK;
}

static void mem_free(gn_device *device, gn_mem *mem) {
    (void)device;
    if (!mem)
        return;
    free(mem->data);
    free(mem);
}

/* Whether bytes may be copied from or to this place of the block. */
static gn_status check_range(const gn_mem *mem, uint64_t offset, uint64_t bytes) {
    gn_status status = plugin_ready();
    if (status != GN_OK)
        return status;
    if (offset > mem->bytes || bytes > mem->bytes - offset)
        return plugin_fail(
            GN_E_ARGUMENT, 0, NAME ": %llu bytes at %llu are outside a block of %llu",
            (unsigned long long)bytes, (unsigned long long)offset, (unsigned long long)mem->bytes);
    return GN_OK;
}

static gn_status upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                        const void *source, uint64_t bytes) {
    (void)device, (void)stream;
    gn_status status = check_range(target, offset, bytes);
    if (status == GN_OK)
        memcpy(target->data + offset, source, (size_t)bytes);
    return status;
}

static gn_status download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                          uint64_t offset, uint64_t bytes) {
    (void)device, (void)stream;
    gn_status status = check_range(source, offset, bytes);
    if (status == GN_OK)
        memcpy(target, source->data + offset, (size_t)bytes);
    return status;
}

/* ---- Table and entry ------------------------------------------------------------------------- */

static const gn_backend backend = {
    .struct_size = sizeof backend,
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = NAME,
    .version = PLUGIN_VERSION,
    .count = count,
    .info = info,
    .open = device_open,
    .close = device_close,
    .alloc = mem_alloc,
    .free = mem_free,
    .upload = upload,
    .download = download,
    .map = kernel_map,
    .reduce = kernel_reduce,
    .scatter = kernel_scatter,
    /* Optional functions go here. What is left out is NULL, and the host does without it. */
};

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    /* The host speaks a range of minors, the plugin that of the header it is compiled with. */
    if (request->major != GN_ABI_MAJOR || request->minor_min > GN_ABI_MINOR ||
        request->minor_max < GN_ABI_MINOR) {
        request->needed_major = GN_ABI_MAJOR;
        request->needed_minor = GN_ABI_MINOR;
        return GN_E_VERSION;
    }
    host = services;
    owner = getpid();
    *out = &backend;
    return GN_OK;
}
