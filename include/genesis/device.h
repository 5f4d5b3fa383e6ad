/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - devices by name, what plugins were found, memory statistics.
 *
 * A device string is "cpu", "cuda" (the first one) or "cuda:1". Its plugin, genesis_cuda.so, is
 * loaded when the string is first used: from the folders in GENESIS_PLUGIN_PATH (separated by
 * colons), then from the installed plugin folder. Layers may stand in front of it: in "trace:cuda:1"
 * the plugin genesis_trace.so watches what is done on "cuda:1".
 */
#ifndef GENESIS_DEVICE_H
#define GENESIS_DEVICE_H

#include <genesis/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The device on which tensors are made if none is named: the last one set, else GENESIS_DEVICE,
 * else "cpu". Borrowed. */
GN_API const char *gn_default_device(void);

/* Sets the process's default device, and opens it. Errors: as for any use of an unknown device. */
GN_API gn_status gn_set_default_device(const char *device);

/* Whether the device can be used. Opens it; records no error. */
GN_API bool gn_device_available(const char *device);

/* The number of devices of a backend ("cuda"); 0 if it can't be used. Records no error. */
GN_API int gn_device_count(const char *backend);

/* What is known of a device: see gn_device_info in backend.h. */
GN_API gn_status gn_device_describe(const char *device, gn_device_info *out);

/* Waits until all work on the device is done. Errors of earlier, asynchronous work come out here.
 */
GN_API gn_status gn_synchronize(const char *device);

/* One plugin file that was found, whether it can be used or not. */
typedef struct gn_plugin_report {
    char path[4096];
    char name[64];    /* "cpu" */
    char version[64]; /* the plugin's own; "" if it was not loaded */
    uint32_t abi_major, abi_minor;
    int32_t n_devices;
    bool layer;       /* it stands in front of devices, and has none */
    char reason[512]; /* why it can't be used; "" if it can */
} gn_plugin_report;

/* Calls `visit` once for each file of the search path that is named genesis_NAME.so, in order, with
 * its path and name, and the reason why it is not used if another one of that name comes first; and
 * for each folder that can't be read or that holds other files (name is "" there). Loads
 * nothing. */
GN_API gn_status gn_plugins_visit(void (*visit)(const gn_plugin_report *report, void *context),
                                  void *context);

/* Loads the plugin of a file genesis_NAME.so and counts its devices. Records no error for one that
 * can't be used, but a plugin may crash or hang: whoever does not trust it does this in a child
 * process, as `genesis devices` does. */
GN_API gn_status gn_plugin_probe(const char *path, gn_plugin_report *out);

/* ---- Memory of a device. Bytes. */

typedef struct gn_memory_stats {
    uint64_t allocated, allocated_peak; /* in use by tensors */
    uint64_t reserved, reserved_peak;   /* held from the backend, in use or cached */
    uint64_t allocations;               /* requests so far */
    uint64_t backend_allocations;       /* of them, how many had to ask the backend */
} gn_memory_stats;

GN_API gn_status gn_memory_stats_get(const char *device, gn_memory_stats *out);
/* The same as a line of text. Malloc'ed: free() it. */
GN_API char *gn_memory_text(const char *device);
GN_API gn_status gn_memory_peak_reset(const char *device);

/* Gives cached, unused memory back to the backend. */
GN_API gn_status gn_empty_cache(const char *device);

/* Limits what may be reserved, 0: no limit but the device's. Beyond it: GN_E_MEMORY. */
GN_API gn_status gn_set_memory_limit(const char *device, uint64_t bytes);

/* ---- What was composed of smaller operations, because a backend lacks a kernel for it */

typedef struct gn_fallback {
    const char *op, *device, *reason; /* static */
    uint64_t count;                   /* how often */
    uint64_t launches;                /* kernels and copies that were enqueued in its place */
    /* Time of the host in the compositions. A synchronous backend has done the work by then; of one
     * that has streams, this is what it takes to enqueue it. */
    double seconds;
} gn_fallback;

/* The n that took the longest, that one first. Returns how many there are; n may be 0. One that
 * is composed inside another one counts in both. */
GN_API size_t gn_fallback_list(gn_fallback *out, size_t n);

/* The same as lines of text into `buffer`, always terminated. Returns the length of the whole text.
 * With "fallback" in GENESIS_LOG, gn_shutdown logs them. */
GN_API size_t gn_fallback_report(char *buffer, size_t bytes);

/* Begins to count anew. */
GN_API void gn_fallback_reset(void);

#ifdef __cplusplus
}
#endif
#endif
