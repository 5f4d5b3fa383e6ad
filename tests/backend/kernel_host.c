/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_host.c - opens the plugin under test, and serves it as a host. */
#include "kernel_test.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const gn_backend *backend;
gn_device *device;
struct last_error last_error;

static gn_backend table; /* a copy, so that what an older plugin's table lacks reads as NULL */
static gn_backend_entry_fn *entry;
static uint32_t dtypes;
static char context_line[256];

/* ---- Services -------------------------------------------------------------------------------- */

static void host_log(int level, const char *message) { (void)level, (void)message; }

static gn_status host_set_error(gn_status status, uint64_t tag, const char *message) {
    last_error.status = status;
    last_error.tag = tag;
    snprintf(last_error.message, sizeof last_error.message, "%s", message);
    return status;
}

static void *host_alloc(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

/* One block a stream would do; one that only grows is enough for a program that uses few. */
static struct {
    gn_mem *mem;
    uint64_t bytes;
} scratch_block;

static gn_status host_scratch(gn_device *of, gn_stream *stream, uint64_t bytes, gn_pointer *out) {
    if (bytes > scratch_block.bytes) {
        if (backend->synchronise && backend->synchronise(of, stream) != GN_OK)
            return GN_E_DEVICE;
        backend->free(of, scratch_block.mem);
        scratch_block.mem = NULL;
        gn_status status = backend->alloc(of, bytes, &scratch_block.mem);
        scratch_block.bytes = status == GN_OK ? bytes : 0;
        if (status != GN_OK)
            return status;
    }
    *out = (gn_pointer){.mem = scratch_block.mem};
    return GN_OK;
}

static int host_threads(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 4 ? 4 : (int)n;
}

static const gn_host host = {
    .struct_size = sizeof host,
    .log = host_log,
    .set_error = host_set_error,
    .host_alloc = host_alloc,
    .host_free = free,
    .scratch = host_scratch,
    .threads = host_threads,
};

/* ---- Plugin ---------------------------------------------------------------------------------- */

static _Noreturn void give_up(const char *what, const char *why) {
    fprintf(stderr, "test_kernels: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

gn_status plugin_entry(gn_abi_request *request, const gn_backend **out) {
    return entry(&host, request, out);
}

void plugin_load(void) {
    const char *path = getenv("GENESIS_TEST_PLUGIN");
    if (!path || !*path)
        give_up("GENESIS_TEST_PLUGIN", "is not set; it names the plugin to test, a .so file");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        give_up(path, dlerror());
    entry = (gn_backend_entry_fn *)dlsym(library, "gn_backend_entry");
    if (!entry)
        give_up(path, "exports no gn_backend_entry");
    gn_abi_request request = {.struct_size = sizeof request,
                              .major = GN_ABI_MAJOR,
                              .minor_min = GN_ABI_MINOR,
                              .minor_max = GN_ABI_MINOR};
    const gn_backend *offered = NULL;
    if (plugin_entry(&request, &offered) != GN_OK)
        give_up(path, "gn_backend_entry refuses this version of the ABI");
    memcpy(&table, offered,
           offered->struct_size < sizeof table ? offered->struct_size : sizeof table);
    backend = &table;
    int32_t count = 0;
    if (backend->count(&count) != GN_OK || count < 1)
        give_up(path, last_error.message[0] ? last_error.message : "no device");
    gn_device_info info = {.struct_size = sizeof info};
    if (backend->info(0, &info) != GN_OK || backend->open(0, &device) != GN_OK)
        give_up(path, last_error.message);
    dtypes = info.dtypes;
}

void plugin_unload(void) {
    backend->free(device, scratch_block.mem);
    backend->close(device);
    if (backend->shutdown)
        backend->shutdown();
}

bool plugin_has(int dtype) { return dtypes >> dtype & 1; }

void context(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context_line, sizeof context_line, format, arguments);
    va_end(arguments);
}

const char *context_text(void) { return context_line; }

gn_status settle(void) { return backend->synchronise ? backend->synchronise(device, NULL) : GN_OK; }
