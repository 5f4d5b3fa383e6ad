/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime.h - the only part of libgenesis that talks to backends: devices, storage, launches,
 * plans. It knows programs and operands, but no tensors. Calls point down: ops use this, never the
 * reverse.
 */
#ifndef GENESIS_RUNTIME_H
#define GENESIS_RUNTIME_H

#include <pthread.h>

#include <genesis/device.h>

#include "../base/internal.h"

typedef struct gn__storage gn__storage;

/* ---- Devices (registry.c, loader.c) */

typedef struct gn__device {
    const gn_backend *table; /* core's copy: optional members beyond the plugin's size are NULL */
    gn_device *handle;
    int ordinal;            /* of the bottom device */
    uint32_t flags, dtypes; /* of gn_device_info */
    char name[64];          /* "cpu", "trace:cuda:1": ordinal 0 has no number */

    /* ---- of the runtime alone: see runtime/internal.h */
    bool forked; /* this process is a fork's child: the device is dead here */
    struct gn__allocator *allocator;
    struct gn__handles *handles;
    gn__table *plans;               /* descriptor -> plan */
    _Atomic(gn__storage *) scratch; /* handed out to calls that run now */
    pthread_mutex_t queue;          /* held during calls on the default stream */
    pthread_mutex_t lock;           /* of handles and plans; never taken while `queue` is held */
    struct gn__plugin *plugin;
    struct gn__device *below;  /* of a layer: the device that it stands in front of */
    struct gn__device *bottom; /* the one below all layers, whose `queue` and `scratch` are used */
    gn_backend through;        /* of a layer: its table */
    bool hidden;               /* opened by a plugin (complete.c): no string finds it */
    struct gn__device *next;
} gn__device;

/* The device of a string, opened at first use and kept until gn_shutdown; NULL names the default
 * device. NULL with an error: unknown, plugin missing or unfit, no hardware. */
gn__device *gn__device_get(const char *name);

static inline bool gn__device_has_dtype(const gn__device *device, int dtype) {
    return device->dtypes >> dtype & 1;
}

/* ---- Storage (storage.c): reference-counted device memory from the caching allocator */

struct gn__storage {
    atomic_uint references;
    atomic_uint version; /* counts in-place changes; see autograd */
    gn__device *device;
    gn_mem *mem;     /* the backend's block that holds it */
    uint64_t offset; /* bytes into the block; a multiple of GN_MEM_ALIGNMENT unless wrapped */
    uint64_t bytes;
    void *host;   /* its address on the host, or NULL */
    bool wrapped; /* over memory of the user's, which is given back by free_host */
    void (*free_host)(void *context);
    void *context;
};

/* Uninitialised memory; bytes may be 0. When the device is out of memory the cache is trimmed and
 * the allocation tried again. NULL with an error that names what is in use. */
gn__storage *gn__storage_new(gn__device *device, uint64_t bytes);
/* Storage over the caller's memory; free_host(context) (NULL: nothing) is called at the end. Only
 * for a backend that can wrap the host's memory. */
gn__storage *gn__storage_wrap(gn__device *device, void *data, uint64_t bytes,
                              void (*free_host)(void *context), void *context);
gn__storage *gn__storage_retain(gn__storage *storage);
void gn__storage_release(gn__storage *storage);

/* Bytes to and from the host; `offset` counts from the storage's start. download waits. */
gn_status gn__upload(gn__storage *target, uint64_t offset, const void *source, uint64_t bytes);
gn_status gn__download(void *target, gn__storage *source, uint64_t offset, uint64_t bytes);

/* ---- Launches (launch.c)
 *
 * An operand here counts elements from the start of its storage and has a stride per dim of the
 * space that the caller chose (any sizes, up to GN_MAX_DIMS). Launches simplify the space as
 * gn_call promises: a size of 0 does nothing (a reduction over nothing runs the row parts with the
 * identities), dims of size 1 go, the others are sorted and merged. `op` names the operation in
 * errors and traces: a static string.
 */
typedef struct gn__operand {
    gn__storage *storage; /* NULL: an index operand */
    int64_t offset;
    int64_t stride[GN_MAX_DIMS];
    int64_t axis_stride, axis_extent;
} gn__operand;

typedef struct gn__launch {
    const char *op;
    const gn_program *program;
    int n_dims;    /* of the space */
    int n_reduced; /* the last ones; 0 for map programs */
    const int64_t *size;
    const gn__operand *operands; /* program->n_operands */
    const gn_scalar *params;     /* program->n_params */
} gn__launch;

/* Runs a program of any kind: map, reduce, or row program. A row program that the backend declines
 * is split into reduce and map calls (split.c), values of row parts kept in scratch memory. */
gn_status gn__launch_run(gn__device *device, const gn__launch *launch);

/* Runs launches of one map program that do not depend on each other (optimizers). */
gn_status gn__launch_many(gn__device *device, const gn__launch *launches, size_t n);

/* gn_scatter_call, in the terms above: operands source, index, target. */
gn_status gn__launch_scatter(gn__device *device, const char *op, int n_dims, int n_serial,
                             const int64_t *size, int dtype, int combine, bool unordered,
                             const gn__operand operands[3]);

/* ---- Planned kernels (plan.c) */

typedef struct gn__plan {
    gn_plan *handle; /* NULL: the backend declined; compose */
    uint64_t workspace_bytes, saved_bytes;
} gn__plan;

/* The plan of a descriptor: cached, so equal descriptors cost one lookup. `attributes_bytes` is
 * sizeof the attribute struct. A declined plan has no handle, and is counted by gn__fallback
 * for `op` each time it is asked for. NULL only with an error. */
const gn__plan *gn__plan_get(gn__device *device, const char *op, const gn_plan_desc *desc,
                             size_t attributes_bytes);

/* Runs it; workspace comes from the cache. `saved` may be NULL if saved_bytes is 0. Pointers with
 * storage NULL are absent. */
typedef struct gn__pointer {
    gn__storage *storage;
    int64_t offset; /* bytes */
} gn__pointer;
gn_status gn__plan_run(gn__device *device, const char *op, const gn__plan *plan,
                       const gn__pointer *tensors, int n_tensors, gn__storage *saved);

/* Runs the composed form of a planned kernel: `map`, `reduce` and `scatter` over the tensors that
 * the descriptor describes. `saved` holds gn__composed_saved_bytes. The one function of the layer
 * above that the runtime calls (ops/compose.c), for plugins that ask the host for it. */
enum { GN__MAX_PLAN_TENSORS = 16 };
gn_status gn__compose(gn__device *device, const char *op, const gn_plan_desc *desc,
                      const gn__pointer *tensors, gn__pointer saved);
uint64_t gn__composed_saved_bytes(const gn_plan_desc *desc);

/* ---- What is composed for lack of a kernel (fallback.c): for gn_fallback_list and GENESIS_LOG */

/* Counts one composition of `op`, which the caller's next bracket on this thread measures. */
void gn__fallback(const gn__device *device, const char *op, const char *why);

/* Around what composes. Without a gn__fallback since the last bracket it measures nothing, so a
 * caller need not know whether its kernel was declined or never asked for. */
typedef struct gn__composition {
    struct gn__account *account; /* NULL: nothing is measured */
    uint64_t launches;           /* of the thread, and the time, at its begin */
    double start;
} gn__composition;

gn__composition gn__composition_begin(void);
void gn__composition_end(const gn__composition *composition);

/* Called by gn_shutdown. */
void gn__runtime_shutdown(void);

#endif
