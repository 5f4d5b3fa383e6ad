/* SPDX-License-Identifier: Apache-2.0 */
/*
 * element.h - what map.c and rows.c write their kernels with.
 *
 * Names in a kernel, by the number of an instruction or an operand:
 *   v3    the value of instruction 3; of a row's values that later parts see, an array of ROWS
 *   x3    the elements that LOAD number 3 has side by side, y3 those that STORE number 3 will write
 *   b2    the buffer of operand 2, p2 its element at coordinates 0, at2 the element of the present
 *         coordinates, base2 that of the row; an index operand has its value there
 *   v     which of the elements side by side it is
 */
#ifndef GENESIS_CODEGEN_ELEMENT_H
#define GENESIS_CODEGEN_ELEMENT_H

#include "codegen.h"

/* "f32" and "F32" by dtype, and the unsigned type in which an integer type wraps. */
extern const char *const cg_types[GN_N_DTYPES], *const cg_dtypes[GN_N_DTYPES],
                                                    *const cg_wrapping[GN_N_DTYPES];

typedef struct cg_writer {
    const cg_program *program;
    const cg_variant *variant;
    cg_text *out;
    uint32_t part;  /* that is being written */
    int vector_dim; /* the dim of the elements side by side */
    bool rows;      /* a kernel of rows.c, not of map.c */
    const char *indent;
} cg_writer;

bool cg_op_is_known(unsigned op);

/* Whether there is an expression for what an instruction computes, of its type. */
bool cg_has_expression(const gn_program *source, const gn_insn *insn);

/* The values that an instruction reads; returns how many. */
unsigned cg_values_of(const gn_insn *insn, uint16_t value[3]);

/* ---- element.c */

/* Defines for the parts of the library that the program uses, the size of a group, and so on; then
 * the library itself. */
void cg_write_head(const cg_writer *w, const char *library);
/* The kernel's name and arguments. */
void cg_write_arguments(const cg_writer *w);
/* Pointers to the operands' elements at coordinates 0. */
void cg_write_pointers(const cg_writer *w);
/* Values that are the same everywhere. */
void cg_write_uniforms(const cg_writer *w);
/* The loads and the computations of an element part, with a loop over v in which every value of it
 * is visible; cg_write_body_end closes that loop, and writes the stores. */
void cg_write_body(const cg_writer *w);
void cg_write_body_end(const cg_writer *w);
/* The loads and the computations of a part alone, inside of a loop over v. */
void cg_write_values(const cg_writer *w);
/* Whether such a loop needs more: elements side by side that are moved before or behind it. */
bool cg_moves_side_by_side(const cg_writer *w);
/* The stores of a row part, inside of a loop over v. */
void cg_write_row_stores(const cg_writer *w);
/* The name that a value has in this part. */
typedef struct cg_name {
    char text[24];
} cg_name;
cg_name cg_name_of(const cg_writer *w, uint32_t value);
/* Whether a row's value outlives its part. */
bool cg_is_kept(const cg_writer *w, uint32_t value);

/* ---- space.c */

/* The struct of a call's arguments; ARG names a member. */
void cg_write_call(const cg_writer *w);
/* Declares to%u as from%u (NULL: the element at coordinates 0) moved to the coordinates that index
 * stands for, a number in row-major order: of the reduced dims, or of the others. For operands in
 * element parts only, or for all. */
void cg_write_walk(const cg_writer *w, const char *index, bool reduced, const char *from,
                   const char *to, bool elements_only);

#endif
