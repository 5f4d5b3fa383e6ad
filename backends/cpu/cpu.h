/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.h - what the files of the CPU backend share: the device, its memory, errors, threads.
 *
 * The programs (map, reduce, row_map) are in program.h and engine.h; the planned kernels (matmul,
 * convolution, pooling, normalisation) begin at plan.c.
 */
#ifndef GENESIS_CPU_H
#define GENESIS_CPU_H

#include <genesis/backend.h>
#include <stdbool.h>

struct cpu_kernels; /* the vectorised loops for one instruction set: kernels.h */

/* There is one CPU, so there is one device; it is opened and closed any number of times. */
struct gn_device {
    const struct cpu_kernels *kernels;
};

struct gn_mem {
    void *base; /* at a multiple of GN_MEM_ALIGNMENT, unless it is wrapped */
    uint64_t bytes;
    bool wrapped; /* the host's own memory */
};

/* The host's services; set before any other call. */
extern const gn_host *cpu_host;

/* Set in a child of fork(): its OpenMP threads are gone, and a parallel region would hang. */
extern volatile bool cpu_forked;

/* Records why a call fails and returns `status`. tag: the call's, or 0. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
gn_status
cpu_fail(gn_status status, uint64_t tag, const char *format, ...);

/* Every entry of the table but count and info asks this first. */
static inline bool cpu_is_forked(void) { return cpu_forked; }
/* GN_E_FORKED, with a message. */
gn_status cpu_fail_forked(void);

/* Threads that a parallel region may use, at least 1; 1 without OpenMP. */
int cpu_threads(void);

/* memory.c */
gn_status cpu_alloc(gn_device *device, uint64_t bytes, gn_mem **out);
void cpu_free(gn_device *device, gn_mem *mem);
gn_status cpu_upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                     const void *source, uint64_t bytes);
gn_status cpu_download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                       uint64_t offset, uint64_t bytes);
gn_status cpu_wrap(gn_device *device, void *memory, uint64_t bytes, gn_mem **out);
void *cpu_host_pointer(gn_device *device, gn_mem *mem);
gn_status cpu_memory_info(gn_device *device, uint64_t *free_bytes, uint64_t *total_bytes);

/* program.c */
gn_status cpu_program_create(gn_device *device, const gn_program *program, void **handle);
void cpu_program_release(gn_device *device, void *handle);

/* map.c, reduce.c, scatter.c */
gn_status cpu_map(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status cpu_map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n);
gn_status cpu_reduce(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status cpu_row_map(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status cpu_scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call);

/* plan.c: the planned kernels, by oneDNN */
gn_status cpu_plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info, gn_plan **out);
void cpu_plan_release(gn_device *device, gn_plan *plan);
gn_status cpu_run(gn_device *device, gn_stream *stream, const gn_run *run);
/* The library and its version: "oneDNN 2.6.3". */
const char *cpu_onednn_version(void);

#endif
