/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opcodes.h - the table of opcodes: what each is called in expressions, the types that it takes and
 * gives, and its derivatives. Everything in this folder that depends on an opcode reads this table.
 */
#ifndef GENESIS_OPCODES_H
#define GENESIS_OPCODES_H

#include "../base/internal.h"

/* Operations of expressions that are no opcodes: instantiation turns them into opcodes. */
enum {
    GN__OP_VARIABLE = 128, /* leaf: variable number value.i */
    GN__OP_TRUEDIV,        /* a / b in floating point, whatever the operands */
    GN__OP_SIGMOID,        /* 1 / (1 + exp(-a)) */
    GN__OP_SOFTPLUS,       /* max(a, 0) + log1p(exp(-|a|)) */
    GN__OP_BOTH,           /* a && b */
    GN__OP_EITHER,         /* a || b */
    GN__OP_NEITHER,        /* !a */
    GN__OP_BOOL,           /* bool(a) */
    GN__OP_INT,            /* int(a): as i64 */
    GN__OP_FLOAT,          /* float(a): a itself if it is one, else as f32 */
    GN__N_OPS
};

/* How the types of an operation's operands and result hang together. */
typedef enum gn__rule {
    GN__RULE_SAME,    /* operands and result have one type */
    GN__RULE_FLOAT,   /* the same, and it is a float: integers are taken as f32 */
    GN__RULE_COMPARE, /* operands have one type, the result is bool */
    GN__RULE_BITS,    /* operands and result have one type, which is no float */
    GN__RULE_SELECT, /* the first operand is a condition, the others and the result have one type */
    GN__RULE_LOGIC,  /* the operands are conditions, the result is bool */
    GN__RULE_INT     /* the result is i64, the operand of any type */
} gn__rule;

typedef struct gn__op {
    const char *name; /* in expressions and program texts */
    uint8_t arity;    /* operands in expressions */
    uint8_t rule;     /* gn__rule */
    bool internal;    /* no function of expressions: structure, operators without a name */
    bool commutative;
    uint16_t types; /* bits (1 << dtype): what it takes in programs */
    /* By operand: an expression of the operands a, b, c, the result y and its gradient g, in which
     * it is linear. NULL: zero everywhere. GN__NOT_DERIVABLE: not known. */
    const char *derivative[3];
} gn__op;

#define GN__NOT_DERIVABLE "!"

/* The row of an opcode or operation; NULL if there is none. */
const gn__op *gn__op_info(int op);

/* The function of this name in expressions (`length` characters): its opcode, or -1. */
int gn__op_find(const char *name, size_t length);

/* Which of a, b and c of an instruction name values: bits 1, 2 and 4. */
int gn__value_slots(const gn_insn *insn);

static inline bool gn__is_float(int type) { return type == GN_F32 || type == GN_F64; }

/* Whether every value of type a is one of type b (types.c). */
bool gn__type_contains(int b, int a);

#endif
