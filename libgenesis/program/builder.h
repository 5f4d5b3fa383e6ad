/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder.h - a program under construction: shared by builder.c, fold.c, simplify.c and finish.c.
 *
 * Instructions are kept in the order in which they were made; `section` says where each belongs.
 * Stage s is an element part with the reductions and the row part behind it. Its sections are
 *
 *   5 s + ELEMENT, + ELEMENT_STORE, + REDUCTION, + ROW, + ROW_STORE
 *
 * and finish.c sorts by them. So reductions may be made in between the computation of their
 * arguments, and the stores of a part come last. Constants and parameters have the section -1: they
 * come first and are visible everywhere.
 */
#ifndef GENESIS_BUILDER_H
#define GENESIS_BUILDER_H

#include "opcodes.h"
#include "program.h"

enum {
    GN__GLOBAL = -1,
    GN__ELEMENT = 0,
    GN__ELEMENT_STORE,
    GN__REDUCTION,
    GN__ROW,
    GN__ROW_STORE,
    GN__SECTIONS /* of a stage */
};

typedef struct gn__entry {
    gn_insn insn; /* of CONST, a is 0 */
    int32_t section;
    gn_scalar constant; /* of CONST, normal: see gn__normal_* */
} gn__entry;

struct gn__builder {
    char *name;
    uint32_t flags;
    bool failed;
    int stage;
    bool reduced; /* the stage has a reduction: what is uniform over it belongs to its row part */
    gn__entry *entries;
    size_t n_entries, capacity;
    uint32_t n_operands, n_params;
    uint32_t stored; /* bits of the operands that are written */
    gn_operand_info operands[GN_MAX_OPERANDS];
};

/* Records an error of the program and makes the builder fail. Returns 0, the value of a failure. */
int gn__build_fail(gn__builder *b, gn_status status, const char *format, ...) GN_PRINTF(3, 4);

/* The value of an instruction as it stands: an equal visible one, or a new one. */
int gn__append(gn__builder *b, gn_insn insn, gn_scalar constant);

static inline const gn__entry *gn__entry_of(const gn__builder *b, int value) {
    return &b->entries[value];
}
static inline bool gn__is_const(const gn__builder *b, int value) {
    return b->entries[value].insn.op == GN_OP_CONST;
}

/* A number as a constant of the type has it: integers wrapped, f32 rounded, one NaN (fold.c). */
int64_t gn__normal_i(int type, int64_t value);
double gn__normal_f(int type, double value);

/* The result of an opcode on constants of one type (a SELECT's are not folded here). False: it is
 * left to the device. */
bool gn__fold(int op, int type, const gn_scalar *a, const gn_scalar *b, gn_scalar *out);

/* A constant cast to another type. False: the value does not fit, so it is left to the device. */
bool gn__fold_cast(int to, int from, gn_scalar value, gn_scalar *out);

/* A value equal to op(a, b, c) that costs less, or -1. All arguments have passed the type check. */
int gn__simplify(gn__builder *b, int op, int a, int b_, int c);
/* The same for a cast to another type. */
int gn__simplify_cast(gn__builder *b, int type, int value);

#endif
