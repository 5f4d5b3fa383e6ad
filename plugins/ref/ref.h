/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref.h - what the three files of the reference backend share.
 *
 *   ref.c      the device, its memory, the table and the entry
 *   kernels.c  map, reduce and scatter: walks over coordinates, runs the program at each
 *   scalar.c   one value: load, store, conversion, and every opcode
 *
 * The backend is meant to be read: one thread, one value at a time, nothing but <genesis/backend.h>
 * and the C library. It is the yardstick for the other backends, so it is exact before it is fast.
 */
#ifndef GENESIS_REF_H
#define GENESIS_REF_H

#include <genesis/backend.h>

struct gn_mem {
    char *data;
    uint64_t bytes;
};

/* ref.c */

/* GN_OK, or GN_E_FORKED in a child process: the first line of every call. */
gn_status ref_ready(void);
/* Records why a call fails; returns status. */
gn_status ref_fail(gn_status status, uint64_t tag, const char *format, ...);

/* kernels.c: the functions of the same names in gn_backend */

gn_status ref_map(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status ref_reduce(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status ref_scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call);

/* scalar.c */

/* The type in which a program computes with elements of this dtype. */
int ref_value_type(int dtype);
/* Element number `at` of an operand, which is the number itself if it has no memory. */
gn_scalar ref_load(const gn_mem *mem, int dtype, int64_t at);
void ref_store(gn_mem *mem, int dtype, int64_t at, gn_scalar value);
/* Brings a value into the range of its type: integers modulo 2^bits, f32 rounded. */
gn_scalar ref_fit(int type, gn_scalar value);
/* How many values the opcode reads; -1 if it is unknown. */
int ref_arity(int op);
/* An opcode that touches no operand. `from` is the type of the value a; v is {a, b, c}. */
gn_scalar ref_compute(const gn_insn *insn, int from, const gn_scalar v[3]);

#endif
