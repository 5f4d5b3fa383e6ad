/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.h - a random program with its space, operands and contents, all of which follow from a
 * seed; and what becomes of one that fails: it is made smaller for as long as it fails.
 *
 * Programs forbid contraction, so all opcodes without an error bound agree exactly on all devices;
 * the value of one with a bound is stored at once and compared within the bounds of both devices.
 * Sums and products are of small whole numbers, hence exact.
 */
#ifndef GENESIS_CONFORM_SAMPLE_H
#define GENESIS_CONFORM_SAMPLE_H

#include "../kernels/kernel.h"

enum { SAMPLE_INSNS = 160, SAMPLE_DIMS = 5 };

/* An operand of the call. Its memory begins with the contents that its own seed gives. */
typedef struct sample_operand {
    gn_operand_info info;
    bool is_row;                      /* one element per row: stride 0 along the reduced dims */
    int alias;                        /* number of the operand whose memory it is, or -1 */
    int64_t axis_stride, axis_extent; /* of LOADX; 0: none */
    int64_t offset, stride[GN_MAX_DIMS];
    uint64_t seed;
} sample_operand;

typedef struct sample {
    uint32_t n_insns, n_constants, n_params, n_operands, n_parts;
    gn_insn insns[SAMPLE_INSNS];
    bool is_guard[SAMPLE_INSNS]; /* keeps the next value defined or exact: not to be left out */
    gn_scalar constants[SAMPLE_INSNS], params[GN_MAX_PARAMS];
    sample_operand operands[GN_MAX_OPERANDS];
    uint32_t n_dims, n_reduced;
    int64_t size[GN_MAX_DIMS];
} sample;

/* ---- Instructions (insn.c) ------------------------------------------------------------------- */

/* The members of an instruction that name values; returns how many there are. */
int insn_values(gn_insn *insn, uint16_t *values[3]);
/* The member that names an operand of the call, or NULL. */
uint16_t *insn_operand(gn_insn *insn);
/* The table's bound on the error of an opcode, in ulp. */
int opcode_ulp(int op);
/* Appends one; returns its number. */
int sample_emit(sample *s, int op, int type, int a, int b, int c);
int sample_constant(sample *s, int type, gn_scalar value);
/* Takes out what no STORE and no REDUCE needs, and numbers the rest anew. */
void sample_compact(sample *s);
/* The bound on the error of what is stored to an operand, in ulp of the computed type. */
int sample_ulp(const sample *s, uint32_t operand);
/* The magnitude below which those are absolute. */
double sample_least(const sample *s, uint32_t operand);

/* ---- Making (generate.c, place.c) ------------------------------------------------------------ */

enum sample_kind { SAMPLE_MAP, SAMPLE_REDUCE, SAMPLE_ROW };

void sample_generate(sample *s, enum sample_kind kind, uint64_t seed);
bool chance(int percent);
int64_t between(int64_t low, int64_t high);

/* Sizes of the space, strides of the operands, and which of them share memory. */
void sample_place(sample *s);
/* How many elements the memory of an operand has. */
int64_t sample_elements(const sample *s, uint32_t operand);
/* Writes what the memory of an operand begins with. */
void sample_fill(const sample *s, uint32_t operand, struct buffer *b);

/* ---- Running, shrinking, showing (check.c, shrink.c, text.c) --------------------------------- */

/*
 * Runs it on both devices and compares all memory. 0: they agree, or the device declines; else how
 * it fails, with a message. Runs nothing that is known to have crashed: see trial_known.
 */
int sample_check(const sample *s, char *message, size_t bytes);
/* The smallest one that is found to fail in the same way. */
void sample_shrink(sample *s, int failure);
/* The program as text, with the space and the operands. */
void sample_text(const sample *s, char *text, size_t bytes);

#endif
