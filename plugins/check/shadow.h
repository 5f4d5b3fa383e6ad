/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shadow.h - what shadow.c and rules.c share: a program in the making that recomputes the values of
 * another one and, next to each value v, a bound on how far a device's v may be from the
 * reference's.
 *
 * Bounds are f64 values of the program. NONE is the bound of what is exact, and costs nothing. Of
 * integers and bools a bound is a distance as well, that of a bool 0 or 1. NaN and infinity say
 * that the value may be anything; NaN gets through all arithmetic, also through 0 times it.
 */
#ifndef GENESIS_CHECK_SHADOW_H
#define GENESIS_CHECK_SHADOW_H

#include "check.h"

enum { NONE = -1 };

typedef struct cached {
    int number; /* in the made program */
    int scope;  /* see maker.scope; -1: not made */
} cached;

typedef struct maker {
    const gn_program *source;
    uint64_t outputs; /* bit k: operand k is to have its bound stored */
    bool live[GN_MAX_INSNS];

    /* Of each of the source's values: itself, its bound, itself as an f64, its magnitude. */
    int value[GN_MAX_INSNS], bound[GN_MAX_INSNS];
    cached wide[GN_MAX_INSNS], magnitude[GN_MAX_INSNS];
    int operand[GN_MAX_OPERANDS]; /* -1: not used yet */

    /* The number of the element part, from 1; 0 in a row part, whose values stay visible. */
    int scope, n_element_parts;

    shadow_piece *piece;
    uint32_t n_insns, n_constants, n_operands;
    bool overflow; /* the program has become too large */
} maker;

/* One instruction of the source, its value already made. */
typedef struct site {
    const gn_insn *insn;
    int type, from; /* of the value; of its first operand */
    int number;     /* of the instruction in the source */
    int operand[3]; /* numbers in the source */
    int bound[3];   /* of the operands */
    bool exact;     /* all of them */
    double ulp;     /* the opcode's, of its type */
} site;

/* shadow.c: appending. All return numbers of values of the made program. */

int emit(maker *m, int op, int type, int a, int b, int c);
int number_f64(maker *m, double value);
/* a <= b ? then : otherwise; a NaN, too, gives `otherwise`. */
int if_at_most(maker *m, int a, int b, int then, int otherwise);
static inline int emit2(maker *m, int op, int a, int b) { return emit(m, op, GN_F64, a, b, 0); }
static inline int emit1(maker *m, int op, int a) { return emit(m, op, GN_F64, a, 0, 0); }
/* The source's value v as an f64; |v|, or 0 if that is not finite. */
int wide(maker *m, int v);
int magnitude(maker *m, int v);
/* Sums, products and the larger of bounds, any of which may be NONE. */
int bound_add(maker *m, int a, int b);
int bound_scale(maker *m, int factor, int bound);
int bound_max(maker *m, int a, int b);
/* The bound as a value, 0 for NONE. */
int bound_value(maker *m, int bound);
/* The bound of the source's value v, rounded to a 16-bit float: both sides' roundings may move them
 * apart by one of its steps. */
int bound_rounded(maker *m, int dtype, int v, int bound);
/* NaN unless the bound is 0. */
int bound_if_any(maker *m, int bound);

/* rules.c */

/* The bound of an element or row instruction's value. */
int rule_bound(maker *m, const site *s);
/* Which of a, b, c are values: bits 1, 2, 4. */
unsigned value_operands(const gn_insn *insn);
/* The opcode's bound in ulp. */
double opcode_ulp(int op);

#endif
