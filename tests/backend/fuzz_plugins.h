/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_plugins.h - the two plugins that test_fuzz.c compares, and a host for them. */
#ifndef GENESIS_FUZZ_PLUGINS_H
#define GENESIS_FUZZ_PLUGINS_H

#include <check.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/backend.h>

typedef struct plugin {
    gn_backend table;
    gn_device *device;
} plugin;

static plugin tested, reference;

static void host_log(int level, const char *message) { (void)level, (void)message; }

static gn_status host_set_error(gn_status status, uint64_t tag, const char *message) {
    (void)tag;
    if (getenv("GENESIS_FUZZ_VERBOSE"))
        fprintf(stderr, "%d: %s\n", status, message);
    return status;
}

static void *host_alloc(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

static gn_status host_scratch(gn_device *device, gn_stream *stream, uint64_t bytes,
                              gn_pointer *out) {
    (void)device, (void)stream, (void)bytes, (void)out;
    return GN_E_MEMORY;
}

static int host_threads(void) { return 2; }

static const gn_host host = {
    .struct_size = sizeof host,
    .log = host_log,
    .set_error = host_set_error,
    .host_alloc = host_alloc,
    .host_free = free,
    .scratch = host_scratch,
    .threads = host_threads,
};

static void open_plugin(const char *variable, plugin *p) {
    const char *path = getenv(variable);
    ck_assert_msg(path && *path, "%s is not set", variable);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    ck_assert_msg(library != NULL, "%s", library ? "" : dlerror());
    gn_backend_entry_fn *entry = (gn_backend_entry_fn *)dlsym(library, "gn_backend_entry");
    ck_assert_ptr_nonnull(entry);
    gn_abi_request request = {.struct_size = sizeof request,
                              .major = GN_ABI_MAJOR,
                              .minor_min = GN_ABI_MINOR,
                              .minor_max = GN_ABI_MINOR};
    const gn_backend *table;
    ck_assert_int_eq(entry(&host, &request, &table), GN_OK);
    memcpy(&p->table, table,
           table->struct_size < sizeof p->table ? table->struct_size : sizeof p->table);
    ck_assert_int_eq(p->table.open(0, &p->device), GN_OK);
}

static void close_plugin(plugin *p) {
    p->table.close(p->device);
    if (p->table.shutdown)
        p->table.shutdown();
}

static void setup(void) {
    open_plugin("GENESIS_TEST_PLUGIN", &tested);
    open_plugin("GENESIS_TEST_REFERENCE", &reference);
}

static void teardown(void) {
    close_plugin(&tested);
    close_plugin(&reference);
}

#endif
