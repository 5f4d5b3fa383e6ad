/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - runs a prepared program over the boxes of an iteration space.
 *
 * The space's dims are put into an order, `position`s, the innermost last, and cut into boxes of at
 * most one tile: rows of memory, several short rows, or squares where operands are transposed to
 * each other (layout.c). Kept and reduced dims are cut apart; a map has kept ones only.
 *
 * A tile of an element part has the positions' order: rows (kept) outside and the reduced dims
 * inside or, if `columns`, the kept dims inside. A tile of a row part has kept dims only.
 */
#ifndef GENESIS_CPU_ENGINE_H
#define GENESIS_CPU_ENGINE_H

#include "program.h"
#include <stdatomic.h>

/* Some of the positions, and in how many boxes each is cut. */
typedef struct cpu_grid {
    uint32_t n;
    uint8_t position[GN_MAX_DIMS];
    int64_t count[GN_MAX_DIMS];
    int64_t boxes; /* product of count */
} cpu_grid;

/* The first index that LOADX or scatter found out of range. */
typedef struct cpu_fault {
    atomic_int found;
    uint64_t tag;
    int64_t index, extent;
} cpu_fault;

/* A call made ready: shared by its threads, which change only *fault. */
typedef struct cpu_job {
    const cpu_program *program;
    const gn_call *call;
    uint32_t n; /* positions */
    bool columns;
    bool runs;                /* columns, and a box is one row of them */
    bool whole_rows;          /* a box has all of the reduced dims */
    uint8_t dim[GN_MAX_DIMS]; /* of the call, by position */
    int64_t size[GN_MAX_DIMS], block[GN_MAX_DIMS];
    cpu_grid kept, reduced;
    int64_t tile, row_tile; /* elements of a whole box, and of its kept dims; padded */
    /* Arrays of the caller: by cell of a parameter, register, step, load, store. */
    gn_scalar *params;
    uint8_t *uniform, *form, *copied, *direct;
    cpu_fault *fault;
} cpu_job;

/* What one thread runs boxes with. */
typedef struct cpu_frame {
    cpu_job *job;
    void **reg;               /* where each register is now */
    char *scratch;            /* the slots */
    gn_scalar *value, *extra; /* states: row_tile for each reduction */
    gn_scalar *run;           /* room for as many: sums of columns that no state has yet */
    int64_t at[GN_MAX_DIMS], extent[GN_MAX_DIMS]; /* of the box, by position */
} cpu_frame;

/* layout.c: fills all from n to row_tile. */
void cpu_layout_map(cpu_job *job);
/* The same for a map of one box, or false if it is larger. */
bool cpu_layout_small(cpu_job *job);
void cpu_layout_reduce(cpu_job *job);

/* Bytes of the arrays that cpu_job_bind needs. */
size_t cpu_job_bytes(const cpu_program *program);
/* After the layout: decides for every register whether it is uniform, and so on. */
void cpu_job_bind(cpu_job *job, void *arrays);
/* Nanoseconds that a call takes on one thread, roughly. */
double cpu_job_time(const cpu_job *job);

/* Bytes of a frame's memory, and a frame in it. */
size_t cpu_frame_bytes(const cpu_job *job);
void cpu_frame_open(cpu_frame *frame, cpu_job *job, void *memory);

/* Moves the frame to a box of one grid. */
void cpu_frame_move(cpu_frame *frame, const cpu_grid *grid, int64_t box);
/* For a row part: one element along the reduced dims. */
void cpu_frame_collapse(cpu_frame *frame);
/* Elements of the current box of a grid. */
int64_t cpu_frame_count(const cpu_frame *frame, const cpu_grid *grid);
/* Runs a part over the current box; its reductions are left to reduce.c. */
void cpu_frame_run(cpu_frame *frame, const cpu_part *part, int64_t n);
/* A register as an array of n: uniform ones are splatted into spare memory `which` (0 or 1). */
const void *cpu_frame_array(cpu_frame *frame, uint32_t reg, int64_t n, int which);

/* Several threads may set one; the first stays. */
void cpu_fault_set(cpu_fault *fault, uint64_t tag, int64_t index, int64_t extent);
/* After the parallel region: GN_OK, or GN_E_INDEX with its message. */
gn_status cpu_fault_status(const cpu_fault *fault, const char *name);

#endif
