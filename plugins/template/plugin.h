/* SPDX-License-Identifier: MIT-0 */
/*
 * plugin.h - what the three files of this backend share.
 *
 *   plugin.c   the device, its memory, the table and the entry
 *   kernels.c  map, reduce and scatter: walks over coordinates, runs the program at each
 *   scalar.c   one value: load, store, conversion, and every opcode
 *
 * It is a whole backend for Genesis on the host's processor: one thread, one value at a time,
 * nothing but <genesis/backend.h> and the C library. As "ref" it is the yardstick for the others,
 * so it is exact before it is fast. For a device of your own, copy the folder, put its name into
 * the Makefile, and replace part by part; `make check` tells after each one whether all is right:
 *
 *   1. count, info, open, close in plugin.c: your devices.
 *   2. alloc, free, upload, download: their memory. The page named below has a mirror of it for
 *      the kernels, as long as they run here.
 *   3. kernel_map, then kernel_reduce, then kernel_scatter. scalar.c says what each opcode means.
 *   4. Optional functions, at the end of the table in plugin.c: each is speed, none is needed.
 *
 * The page backend-howto.md of Genesis goes through these steps one by one.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <genesis/backend.h>

#ifndef NAME
#error "NAME is the device string of this backend; the Makefile passes -DNAME='\"acme\"'"
#endif

/* A block of device memory. */
struct gn_mem {
    char *data;
    uint64_t bytes;
};

/* plugin.c */

/* GN_OK, or GN_E_FORKED in a child process: the first thing that every call asks. */
gn_status plugin_ready(void);
/* Records why a call fails; returns status. tag: of the call at fault, or 0. */
gn_status plugin_fail(gn_status status, uint64_t tag, const char *format, ...);

/* kernels.c: the functions of the same names in gn_backend */

gn_status kernel_map(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status kernel_reduce(gn_device *device, gn_stream *stream, const gn_call *call);
gn_status kernel_scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call);

/* scalar.c */

/* The type in which a program computes with elements of this dtype. */
int scalar_type(int dtype);
/* Element number `at` of an operand, which is the number itself if it has no memory. */
gn_scalar scalar_load(const gn_mem *mem, int dtype, int64_t at);
void scalar_store(gn_mem *mem, int dtype, int64_t at, gn_scalar value);
/* Brings a value into the range of its type: integers modulo 2^bits, f32 rounded. */
gn_scalar scalar_fit(int type, gn_scalar value);
/* How many values the opcode reads; -1 if it is unknown. */
int scalar_arity(int op);
/* An opcode that touches no operand. `from` is the type of the value a; v is {a, b, c}. */
gn_scalar scalar_compute(const gn_insn *insn, int from, const gn_scalar v[3]);

#endif
