/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - a gn_program made ready to run.
 *
 * Every live value has a register. A register that an instruction fills has a slot: tile elements
 * of scratch memory, shared with values that are dead by then. Loads and stores may bind a register
 * to the operand's own memory instead (engine.c). Dead instructions are dropped.
 */
#ifndef GENESIS_CPU_PROGRAM_H
#define GENESIS_CPU_PROGRAM_H

#include "cpu.h"
#include "kernels.h"

enum {
    CPU_NO_SLOT = -1,
    CPU_NO_TWIN = -1,
    CPU_FRAME_BYTES = 128 * 1024, /* of a thread's stack: a tile's slots and states */
};

typedef struct cpu_register {
    uint8_t dtype;
    bool kept;             /* a later element part reads it, if a box is a whole row */
    bool constant, param;  /* uniform by nature: number `source` of the program or of the call */
    uint16_t source, cell; /* cell: where a call keeps this parameter */
    int32_t slot;          /* offset in scratch, in bytes per element of the tile; or CPU_NO_SLOT */
} cpu_register;

/* One instruction that computes, or two. LOADX has no kernel: `operand` is what it reads, at index
 * a. Operands beyond the arity repeat a. */
typedef struct cpu_step {
    cpu_kernel *kernel;
    uint16_t out, a, b, c, operand;
    uint8_t op, arity;
    int32_t twin; /* the register of an earlier part that has this value, or CPU_NO_TWIN */
} cpu_step;

typedef struct cpu_load {
    uint16_t reg, operand;
    uint16_t last_use; /* the last step of the part that reads it */
    bool stored;       /* a STORE of the part stores it as it is */
} cpu_load;

typedef struct cpu_store {
    uint16_t reg, operand;
    uint16_t made_by; /* the step of the part that makes the value */
    bool direct;      /* that step may write to the operand itself */
} cpu_store;

typedef struct cpu_reduction {
    uint16_t out, a, payload;
    uint8_t kind, dtype; /* dtype: of a */
} cpu_reduction;

/* A value of a row part (from), spread over the tile of a later element part (to). */
typedef struct cpu_spread {
    uint16_t from, to;
} cpu_spread;

/* A row part or an element part; reductions close an element part. */
typedef struct cpu_part {
    bool row;
    uint32_t first_step, n_steps;
    uint32_t first_load, n_loads;
    uint32_t first_store, n_stores;
    uint32_t first_reduction, n_reductions;
    uint32_t first_spread, n_spreads;
} cpu_part;

typedef struct cpu_program {
    const gn_program *source;
    const cpu_kernels *kernels;
    bool picks;      /* has LOADX */
    bool keeps;      /* has kept registers */
    double cost;     /* nanoseconds per element in the caches, roughly */
    int64_t scratch; /* bytes per element of the tile, of all slots */
    int64_t tile;    /* elements of a tile, at most; a power of two */
    int32_t spare;   /* slot of two times 8 bytes per element, for conversions */
    uint32_t n_registers, n_parts, n_steps, n_loads, n_stores, n_reductions, n_spreads, n_cells;
    cpu_part *parts;
    cpu_register *registers;
    cpu_step *steps;
    cpu_load *loads;
    cpu_store *stores;
    cpu_reduction *reductions;
    cpu_spread *spreads;
    gn_scalar *constants; /* as registers hold them: cpu_scalar_store */
} cpu_program;

/* optimise.c: between the making of steps and the assignment of slots */
void cpu_program_fuse(cpu_program *p, uint32_t *uses, uint32_t *maker);
void cpu_program_find_twins(cpu_program *p, uint32_t *same, uint32_t *read);

/* Writes a scalar as `dtype` stores it; every register's uniform value has this form. */
void cpu_scalar_store(int dtype, gn_scalar value, gn_scalar *out);

/* The program of a call: its handle, or a temporary one, which `temporary` then owns. */
gn_status cpu_program_of(gn_device *device, const gn_call *call, const cpu_program **out,
                         void **temporary);

/* Scratch bytes per element of a tile, with three values per state of a reduction. */
static inline int64_t cpu_bytes_per_element(const cpu_program *p) {
    return p->scratch + 3 * (int64_t)sizeof(gn_scalar) * p->n_reductions;
}

static inline const gn_insn *cpu_insn(const gn_program *program, uint32_t i) {
    return (const gn_insn *)(const void *)((const char *)program->insns +
                                           (size_t)i * program->insn_size);
}

static inline const gn_operand *cpu_operand(const gn_call *call, uint32_t k) {
    return (const gn_operand *)(const void *)((const char *)call->operands +
                                              (size_t)k * call->operand_size);
}

#endif
