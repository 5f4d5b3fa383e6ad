/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opencl.h - what the files of the OpenCL backend share: devices, memory, streams, compiled
 * kernels and their launches.
 *
 *   discover.c  platforms and devices, found once        limits.c   what a device can do
 *   device.c    open, close                              errors.c   messages, fork, a lost device
 *   memory.c    blocks in arenas                         copy.c     between host and device
 *   stream.c    queues, what kernels report              event.c    points in queues
 *   compile.c   source text to kernels, kept in memory   cache.c    and on disk
 *   launch.c    arguments of a kernel, and its start     plugin.c   the table and the entry
 *   program.c map.c rows.c   the kernels that programs become     scatter.c
 *   plan.c matmul.c conv.c pool.c norm.c attention.c     planned kernels
 *   product.c   products for matmul and conv             blast.c    large ones by CLBlast
 *
 * Every call enqueues and returns: nothing waits but free, download, synchronise, the waits for
 * events, and an upload when the staging memory is full.
 */
#ifndef GENESIS_OPENCL_H
#define GENESIS_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <genesis/backend.h>

#define OCL_VERSION "0.1" /* of the plugin: a part of the key of every cached kernel */

extern const gn_host *ocl_host;

/* ---- Errors (errors.c) */

/* Both return their status. `what` is the OpenCL function that failed; the device may be NULL. */
gn_status ocl_fail(gn_status status, uint64_t tag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
gn_status ocl_fail_cl(gn_device *device, cl_int error, uint64_t tag, const char *what);

/* "CL_INVALID_VALUE" */
const char *ocl_error_name(cl_int error);

/* GN_OK, or why nothing may be called now: a forked child, a device that was lost. */
gn_status ocl_ready(const gn_device *device);

/* Whether this process was forked from one that had asked a driver for its devices. */
bool ocl_is_forked(void);
void ocl_watch_forks(void);

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
    bool fp64, fp16;   /* arithmetic; storage of f16 and bf16 needs neither */
    bool exact_divide; /* / and sqrt of f32 are correctly rounded, not only within 3 ulp */
    bool is_cpu;       /* work-items of a group run in turn: no coalescing to care for */
} ocl_limits;

typedef struct ocl_found { /* a device that was found: discover.c */
    cl_platform_id platform;
    cl_device_id id;
    char name[128], vendor[64], driver[128];
    ocl_limits limits;
} ocl_found;

gn_status ocl_count(int32_t *out);
gn_status ocl_info(int32_t ordinal, gn_device_info *out);
/* The device of that number; borrowed, for ever. */
gn_status ocl_find(int32_t ordinal, const ocl_found **out);

/* Asks the device (limits.c). GN_E_ARGUMENT for a bad GENESIS_OPENCL_LIMITS, and why it is bad. */
gn_status ocl_limits_get(cl_device_id id, ocl_limits *out, char why[256]);

struct gn_device {
    const ocl_found *found;
    const ocl_limits *limits; /* of it */
    cl_context context;
    gn_stream *standard; /* the stream NULL */
    gn_stream *streams;  /* all of them */
    pthread_mutex_t streams_lock;
    struct ocl_kernels *kernels; /* compiled ones, by their source: compile.c */
    struct ocl_arenas *arenas;   /* memory.c */
    /* of scatter, by combine, dtype, and whether work-items share indices; NULL: not made yet */
    _Atomic(cl_kernel) scatter[GN_SCATTER_MIN + 1][GN_N_DTYPES][2];
    pthread_mutex_t lock;        /* of launches: arguments belong to a kernel, not to a thread */
    atomic_bool lost;
};

gn_status ocl_open(int32_t ordinal, gn_device **out);
void ocl_close(gn_device *device);

/* ---- Memory: a block is a part of an arena, one buffer for many blocks, so that one launch can
 * reach many of them */

struct gn_mem {
    cl_mem buffer;
    uint64_t offset, bytes; /* offset: into the buffer, a multiple of GN_MEM_ALIGNMENT */
    struct ocl_arena *arena;
    struct ocl_range *range; /* for the arena's list of free ranges, when it is freed */
};

struct ocl_arenas *ocl_arenas_new(void);
void ocl_arenas_free(struct ocl_arenas *arenas);

gn_status ocl_alloc(gn_device *device, uint64_t bytes, gn_mem **out);
void ocl_free(gn_device *device, gn_mem *mem);
gn_status ocl_memory_info(gn_device *device, uint64_t *free_bytes, uint64_t *total_bytes);

/* ---- Streams */

/* Pinned host memory that uploads pass through, in pieces that are filled in turn (copy.c). */
enum { OCL_STAGING_PIECES = 4, OCL_STAGING_BYTES = 1 << 20 };
typedef struct ocl_staging {
    cl_mem buffer; /* NULL: not made yet */
    char *host;    /* it, mapped */
    uint32_t piece;
    size_t used;                       /* bytes of that piece */
    cl_event read[OCL_STAGING_PIECES]; /* the copies from a piece are done; NULL: there are none */
} ocl_staging;

struct gn_stream {
    gn_device *device;
    gn_stream *next;       /* in the list of the device */
    atomic_int references; /* of its user and of events */
    cl_command_queue queue;
    cl_mem report;          /* what kernels say of indices out of range: see ocl_report */
    atomic_bool may_report; /* a kernel that may was enqueued since the report was looked at */
    uint64_t last_tag;      /* of the last launch */
    uint32_t unflushed;     /* launches that the driver may not have begun */
    ocl_staging staging;
};

static inline gn_stream *ocl_stream(gn_device *device, gn_stream *stream) {
    return stream ? stream : device->standard;
}

gn_status ocl_stream_create(gn_device *device, gn_stream **out);
void ocl_stream_destroy(gn_device *device, gn_stream *stream);
gn_status ocl_synchronise(gn_device *device, gn_stream *stream);

/* One reference less. NULL is no stream. */
void ocl_stream_release(gn_stream *stream);
/* Waits for all streams of the device. */
void ocl_finish_all(gn_device *device);

/* GN_OK, or what a kernel has reported, which is over then. Waits only if one may have. */
gn_status ocl_report_check(gn_stream *stream);

gn_status ocl_event_create(gn_device *device, gn_event **out);
void ocl_event_destroy(gn_device *device, gn_event *event);
gn_status ocl_event_record(gn_device *device, gn_stream *stream, gn_event *event);
gn_status ocl_event_wait(gn_device *device, gn_stream *stream, gn_event *event);
gn_status ocl_event_synchronise(gn_device *device, gn_event *event);
gn_status ocl_event_elapsed(gn_device *device, gn_event *from, gn_event *to, uint64_t *out);

gn_status ocl_upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                     const void *source, uint64_t bytes);
gn_status ocl_download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                       uint64_t offset, uint64_t bytes);
void ocl_staging_free(gn_stream *stream);

/* ---- Kernels from source text (compile.c) */

/* A kernel by the text that it is made of: prelude, then `defines`, then `source`. Compiled at its
 * first use, kept as long as the device, and found on disk by the next process. `what` names it in
 * messages. Borrowed: keep it, because to find it again takes a hash of the text. A failure tells
 * the log and leaves the text in a file. FP64, FP16, EXACT_DIVIDE and IS_CPU are defined, as 1,
 * where the limits say so. */
gn_status ocl_kernel(gn_device *device, const char *what, const char *defines, const char *source,
                     const char *name, cl_kernel *out);

struct ocl_kernels *ocl_kernels_new(void);
void ocl_kernels_free(struct ocl_kernels *kernels);

/* Texts of backends/kernels: prelude_opencl.h, and NAME.cl; embedded in the plugin. */
extern const char ocl_prelude[], ocl_source_math[], ocl_source_scatter[], ocl_source_product[],
    ocl_source_pool[], ocl_source_norm[], ocl_source_attention[];

/* ---- The cache on disk (cache.c) */

typedef struct ocl_key {
    uint64_t half[2];
} ocl_key;

/* Takes more bytes into a hash that begins as {0}. */
void ocl_hash(ocl_key *key, const void *bytes, size_t n);
void ocl_hash_text(ocl_key *key, const char *text);

/* The bytes of a key; to be freed with free(). NULL: there are none. */
void *ocl_cache_load(const ocl_key *key, size_t *n);
/* Keeps bytes, if that is possible. */
void ocl_cache_store(const ocl_key *key, const void *bytes, size_t n);
/* The folder, or NULL; static. */
const char *ocl_cache_folder(void);

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
/*
 * The stream's report, two arguments: GLOBAL long *report, long tag. It is four longs, all 0 at
 * first: whether there is a report (its low 32 bits are the int that the first one to report turns
 * from 0 to 1), and of that one the tag, the index that was out of range, and the extent.
 */
void ocl_report(ocl_launch *launch);
/* local NULL: any. Sizes of global are rounded up to multiples of local. */
gn_status ocl_end(ocl_launch *launch, uint32_t n_dims, const size_t *global, const size_t *local);

/* ---- The kernels of the table */

gn_status ocl_program_create(gn_device *device, const gn_program *program, void **handle);
void ocl_program_release(gn_device *device, void *handle);
gn_status ocl_map(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status ocl_map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n);
gn_status ocl_reduce(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status ocl_row_map(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status ocl_scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call);
gn_status ocl_plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info, gn_plan **out);
void ocl_plan_release(gn_device *device, gn_plan *plan);
gn_status ocl_run(gn_device *device, gn_stream *stream, const gn_run *run);

#endif
