/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake.h - the functions of a backend that computes nothing, for plugins that are wrong in one way.
 * A plugin closes with FAKE_ENTRY(table).
 */
#ifndef GENESIS_TESTS_FAKE_H
#define GENESIS_TESTS_FAKE_H

#include <stdlib.h>
#include <string.h>

#include <genesis/backend.h>

static const gn_host *host;

static inline gn_status fake_count(int32_t *out) {
    *out = 1;
    return GN_OK;
}

static inline gn_status fake_info(int32_t ordinal, gn_device_info *out) {
    strcpy(out->name, ordinal ? "Fake device, another one" : "Fake device");
    strcpy(out->vendor, "Fakes & Sons");
    out->dtypes = (1u << GN_N_DTYPES) - 1;
    out->flags = GN_DEVICE_HOST_VISIBLE;
    return GN_OK;
}

static inline gn_status fake_open(int32_t ordinal, gn_device **out) {
    int32_t *device = malloc(sizeof *device);
    if (device == NULL)
        return GN_E_MEMORY;
    *device = ordinal;
    *out = (gn_device *)device;
    return GN_OK;
}

static inline void fake_close(gn_device *device) { free(device); }

static inline gn_status fake_alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    (void)device;
    *out = malloc(bytes);
    return *out ? GN_OK : GN_E_MEMORY;
}

static inline void fake_free(gn_device *device, gn_mem *mem) {
    (void)device;
    free(mem);
}

static inline gn_status fake_upload(gn_device *device, gn_stream *stream, gn_mem *target,
                                    uint64_t offset, const void *source, uint64_t bytes) {
    (void)device, (void)stream;
    memcpy((char *)target + offset, source, bytes);
    return GN_OK;
}

static inline gn_status fake_download(gn_device *device, gn_stream *stream, void *target,
                                      const gn_mem *source, uint64_t offset, uint64_t bytes) {
    (void)device, (void)stream;
    memcpy(target, (const char *)source + offset, bytes);
    return GN_OK;
}

static inline gn_status fake_kernel(gn_device *device, gn_stream *stream, const gn_call *call) {
    (void)device, (void)stream, (void)call;
    return GN_OK;
}

static inline gn_status fake_scatter(gn_device *device, gn_stream *stream,
                                     const gn_scatter_call *call) {
    (void)device, (void)stream, (void)call;
    return GN_OK;
}

/* The head of a table and its required functions; a plugin may name a member again after it. */
#define FAKE_REQUIRED(backend)                                                                     \
    .struct_size = sizeof(gn_backend), .abi_major = GN_ABI_MAJOR, .abi_minor = GN_ABI_MINOR,       \
    .name = backend, .version = "0.0.1", .count = fake_count, .info = fake_info,                   \
    .open = fake_open, .close = fake_close, .alloc = fake_alloc, .free = fake_free,                \
    .upload = fake_upload, .download = fake_download, .map = fake_kernel, .reduce = fake_kernel,   \
    .scatter = fake_scatter

#define FAKE_ENTRY(table)                                                                          \
    gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,                   \
                               const gn_backend **out) {                                           \
        (void)request;                                                                             \
        host = services;                                                                           \
        *out = &table;                                                                             \
        return GN_OK;                                                                              \
    }

#endif
