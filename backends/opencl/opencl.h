/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl.h - what the files of the OpenCL backend share: devices, memory, streams, compiled
 * kernels and their launches.
 *
 *   discover.c  platforms and devices, found once        device.c   open, close, limits
 *   memory.c    blocks in arenas, copies                 stream.c   queues, events, sticky errors
 *   compile.c   source text to kernels, kept in memory   cache.c    and on disk
 *   launch.c    arguments of a kernel, and its start     plugin.c   the table and the entry
 *   map.c reduce.c rows.c scatter.c                      the kernels that programs become
 *   plan.c matmul.c conv.c pool.c norm.c attention.c     planned kernels
 *
 * Every call enqueues and returns: nothing waits but upload of memory that can't be staged,
 * download, synchronise and the waits for events.
 */
#ifndef GENESIS_OPENCL_H
#define GENESIS_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <pthread.h>
#include <stdbool.h>

#include <genesis/backend.h>

extern const gn_host *ocl_host;

/* ---- Errors (stream.c) */

/* Both return their status. `what` is the OpenCL function that failed. */
gn_status ocl_fail(gn_status status, uint64_t tag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
gn_status ocl_fail_cl(cl_int error, uint64_t tag, const char *what);

/* GN_OK, or why nothing may be called now: a forked child, a device that was lost. */
gn_status ocl_ready(const gn_device *device);

/* ---- Devices */

/* What a device can do, after the lowering that tests ask for (GENESIS_OPENCL_LIMITS). */
typedef struct ocl_limits {
    size_t work_group;    /* most work-items of a group */
    uint64_t local_bytes; /* local memory of a group */
    uint64_t block_bytes; /* largest buffer */
    uint64_t memory_bytes;
    size_t parameter_bytes; /* all arguments of a kernel together */
    uint32_t units;
    uint32_t address_bits;
    bool fp64, fp16; /* arithmetic; storage of f16 and bf16 needs neither */
    bool is_cpu;     /* work-items of a group run in turn: no coalescing to care for */
} ocl_limits;

typedef struct ocl_found { /* a device that was found: discover.c */
    cl_platform_id platform;
    cl_device_id id;
    char name[128], vendor[64], driver[128];
    ocl_limits limits;
} ocl_found;

struct gn_device {
    const ocl_found *found;
    const ocl_limits *limits; /* of it */
    cl_context context;
    gn_stream *standard;         /* the stream NULL */
    struct ocl_kernels *kernels; /* compiled ones, by their source: compile.c */
    struct ocl_arenas *arenas;   /* memory.c */
    pthread_mutex_t lock;        /* of launches: arguments belong to a kernel, not to a thread */
    volatile bool lost;
};

/* ---- Memory: a block is a part of an arena, one buffer for many blocks, so that one launch can
 * reach many of them */

struct gn_mem {
    cl_mem buffer;
    uint64_t offset, bytes; /* offset: into the buffer, a multiple of GN_MEM_ALIGNMENT */
    struct ocl_arena *arena;
};

/* ---- Streams */

struct gn_stream {
    gn_device *device;
    cl_command_queue queue;
    cl_mem report;    /* what kernels say of indices out of range: see REPORT in the prelude */
    bool may_report;  /* a kernel that may was enqueued since the report was looked at */
    gn_status status; /* the error that sticks, until it is told */
    uint64_t tag;
    char message[256];
};

static inline gn_stream *ocl_stream(gn_device *device, gn_stream *stream) {
    return stream ? stream : device->standard;
}

/* ---- Kernels from source text (compile.c) */

/* A kernel by the text that it is made of: prelude, then `defines`, then `source`. Compiled at its
 * first use, kept as long as the device, and found on disk by the next process. `what` names it in
 * messages. Borrowed. A failure tells the log and leaves the text in a file. */
gn_status ocl_kernel(gn_device *device, const char *what, const char *defines, const char *source,
                     const char *name, cl_kernel *out);

/* Texts of backends/kernels/NAME.cl, embedded in the plugin. */
extern const char ocl_prelude[], ocl_source_scatter[], ocl_source_conv[], ocl_source_pool[],
    ocl_source_norm[], ocl_source_attention[];

/* ---- Launches (launch.c): begin, arguments in the kernel's order, end. One at a time per device;
 * end unlocks, also after an error, which it returns. */

typedef struct ocl_launch {
    gn_stream *stream;
    cl_kernel kernel;
    uint64_t tag;
    uint32_t n_arguments;
    cl_int error;
} ocl_launch;

ocl_launch ocl_begin(gn_stream *stream, cl_kernel kernel, uint64_t tag);
void ocl_bytes(ocl_launch *launch, const void *value, size_t bytes);
void ocl_int(ocl_launch *launch, int32_t value);
void ocl_long(ocl_launch *launch, int64_t value);
/* The buffer of a block; the kernel adds the block's offset, which travels beside it. */
void ocl_buffer(ocl_launch *launch, const gn_mem *mem);
/* So many bytes of local memory. */
void ocl_local(ocl_launch *launch, size_t bytes);
/* The stream's report. */
void ocl_report(ocl_launch *launch);
/* local NULL: any. Sizes of global are rounded up to multiples of local. */
gn_status ocl_end(ocl_launch *launch, uint32_t n_dims, const size_t *global, const size_t *local);

#endif
