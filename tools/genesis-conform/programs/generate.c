/* SPDX-License-Identifier: Apache-2.0 */
/* generate.c - random programs of the three kinds. Their space and operands are made by place.c. */
#include <string.h>

#include "sample.h"

enum { ENOUGH_INSNS = 24, SPARE_OPERANDS = 8 };

/* ---- Chance */

int64_t between(int64_t low, int64_t high) {
    return low + (int64_t)(random_bits() % (uint64_t)(high - low + 1));
}

bool chance(int percent) { return between(1, 100) <= percent; }

/* ---- The part that is being made */

/* first_visible: the first value of the latest row part, or of the only part. Of what is before it
 * later parts see constants, parameters and reductions. */
typedef struct maker {
    sample *s;
    bool in_row;
    int first_visible;
} maker;

static int emit(maker *m, int op, int type, int a, int b, int c) {
    return sample_emit(m->s, op, type, a, b, c);
}

/* A value that another one relies on. */
static int guard(maker *m, int op, int type, int a, int b, int c) {
    const int value = sample_emit(m->s, op, type, a, b, c);
    m->s->is_guard[value] = true;
    return value;
}

static int add_operand(maker *m, int role, int dtype) {
    sample_operand *o = &m->s->operands[m->s->n_operands];
    *o = (sample_operand){.info = {.role = (uint16_t)role, .dtype = (uint16_t)dtype},
                          .is_row = m->in_row,
                          .alias = -1,
                          .seed = random_bits()};
    return (int)m->s->n_operands++;
}

static int integer(maker *m, int type, int64_t value) {
    return sample_constant(m->s, type,
                           gn_dtype_is_float(type) ? (gn_scalar){.f = (double)value}
                                                   : (gn_scalar){.i = value});
}

static gn_scalar any_scalar(int type) {
    if (gn_dtype_is_float(type))
        return (gn_scalar){.f = (double)between(-64, 64) / 8};
    return (gn_scalar){.i = type == GN_BOOL                   ? between(0, 1)
                            : type == GN_U8 || type == GN_U32 ? between(0, 120)
                                                              : between(-9, 120)};
}

static int any_type(void) {
    static const int types[] = {GN_F32, GN_F32, GN_F32, GN_F64, GN_I64, GN_I32,
                                GN_I16, GN_I8,  GN_U8,  GN_U32, GN_BOOL};
    int type;
    do
        type = types[between(0, GN_LENGTH(types) - 1)];
    while (type == GN_F64 && !gn__device_has_dtype(tested, GN_F64));
    return type;
}

static int storage_of(int type) {
    if (type != GN_F32 || chance(60))
        return type;
    return chance(50) ? GN_F16 : GN_BF16;
}

/* ---- Values */

static int value_of(maker *m, int type, int depth);

/* -1: no place for another operand. */
static int load_any(maker *m, int type) {
    if (m->s->n_operands > GN_MAX_OPERANDS - SPARE_OPERANDS)
        return -1;
    if (type == GN_I64 && chance(30))
        return emit(m, GN_OP_LOAD, GN_I64, add_operand(m, GN_INDEX, GN_I64), 0, 0);
    if (type != GN_U32 && chance(12)) {
        const int extent = (int)between(1, 9), wide = value_of(m, GN_I64, 1);
        const int index = guard(m, GN_OP_REMAINDER, GN_I64, wide, integer(m, GN_I64, extent), 0);
        const int k = add_operand(m, GN_READ, storage_of(type));
        m->s->operands[k].axis_extent = extent;
        return emit(m, GN_OP_LOADX, type, k, index, 0);
    }
    const int stored = type == GN_U32 ? GN_I32 : type;
    const int value =
        emit(m, GN_OP_LOAD, stored, add_operand(m, GN_READ, storage_of(stored)), 0, 0);
    return type == GN_U32 ? emit(m, GN_OP_CAST, GN_U32, value, 0, 0) : value;
}

/* To an integer only from within its range, because what a cast makes of others is free. */
static int cast_any(maker *m, int type, int depth) {
    const int from = any_type();
    int value = value_of(m, from, depth);
    if (gn_dtype_is_float(from) && !gn_dtype_is_float(type) && type != GN_BOOL) {
        const int nan = emit(m, GN_OP_ISNAN, GN_BOOL, value, 0, 0);
        value = guard(m, GN_OP_SELECT, from, nan, integer(m, from, 0), value);
        value = guard(m, GN_OP_MIN, from, value, integer(m, from, 100), 0);
        const int low = type == GN_U8 || type == GN_U32 ? 0 : -100;
        value = guard(m, GN_OP_MAX, from, value, integer(m, from, low), 0);
    }
    return emit(m, GN_OP_CAST, type, value, 0, 0);
}

static int word_of(maker *m, int depth) {
    const int index = value_of(m, GN_I64, depth);
    const int offset = integer(m, GN_I64, between(0, 99)), key = integer(m, GN_I64, between(0, 99));
    return emit(m, GN_OP_RANDOM, GN_U32, index, offset, key);
}

static int compare_any(maker *m, int depth) {
    static const int ops[] = {GN_OP_EQ, GN_OP_NE, GN_OP_LT, GN_OP_LE};
    const int of = any_type(), a = value_of(m, of, depth);
    if (gn_dtype_is_float(of) && chance(30))
        return emit(m, chance(50) ? GN_OP_ISNAN : GN_OP_ISINF, GN_BOOL, a, 0, 0);
    return emit(m, ops[between(0, 3)], GN_BOOL, a, value_of(m, of, depth), 0);
}

/* An exact opcode of one or two operands of the type. */
static int exact_any(maker *m, int type, int depth) {
    static const int float_ops[] = {
        GN_OP_ADD,  GN_OP_SUB,   GN_OP_MUL,  GN_OP_DIV, GN_OP_FLOORDIV, GN_OP_FMOD,
        GN_OP_MIN,  GN_OP_MAX,   GN_OP_NEG,  GN_OP_ABS, GN_OP_SIGN,     GN_OP_FLOOR,
        GN_OP_CEIL, GN_OP_TRUNC, GN_OP_RINT, GN_OP_ADD, GN_OP_MUL};
    static const int int_ops[] = {
        GN_OP_ADD, GN_OP_SUB, GN_OP_MUL, GN_OP_DIV, GN_OP_FLOORDIV, GN_OP_FMOD, GN_OP_REMAINDER,
        GN_OP_POW, GN_OP_MIN, GN_OP_MAX, GN_OP_NEG, GN_OP_ABS,      GN_OP_SIGN, GN_OP_AND,
        GN_OP_OR,  GN_OP_XOR, GN_OP_NOT, GN_OP_SHL, GN_OP_SHR};
    static const int bool_ops[] = {GN_OP_ADD, GN_OP_MUL, GN_OP_AND, GN_OP_OR, GN_OP_XOR, GN_OP_NOT};
    const int op = gn_dtype_is_float(type) ? float_ops[between(0, GN_LENGTH(float_ops) - 1)]
                   : type == GN_BOOL       ? bool_ops[between(0, GN_LENGTH(bool_ops) - 1)]
                                           : int_ops[between(0, GN_LENGTH(int_ops) - 1)];
    gn_insn insn = {.op = (uint16_t)op};
    uint16_t *values[3];
    const int a = value_of(m, type, depth);
    return emit(m, op, type, a, insn_values(&insn, values) == 2 ? value_of(m, type, depth) : 0, 0);
}

static int compute(maker *m, int type, int depth) {
    if (chance(15)) {
        const int condition = value_of(m, GN_BOOL, depth), a = value_of(m, type, depth);
        return emit(m, GN_OP_SELECT, type, condition, a, value_of(m, type, depth));
    }
    if (chance(20))
        return cast_any(m, type, depth);
    if (type == GN_U32 && chance(30))
        return word_of(m, depth);
    if (type == GN_F32 && chance(10))
        return emit(m, GN_OP_ROUND, GN_F32, value_of(m, GN_F32, depth),
                    chance(50) ? GN_F16 : GN_BF16, 0);
    if (type == GN_BOOL && chance(60))
        return compare_any(m, depth);
    return exact_any(m, type, depth);
}

/* Whether a value of an earlier part is visible in later ones, and is exact. */
static bool can_reuse(const maker *m, int i, int type) {
    const gn_insn *insn = &m->s->insns[i];
    return insn->type == type && insn->op != GN_OP_STORE && insn->op != GN_OP_ELEMENTS &&
           !opcode_ulp(insn->op) &&
           (i >= m->first_visible || insn->op == GN_OP_CONST || insn->op == GN_OP_PARAM ||
            insn->op == GN_OP_REDUCE);
}

/* A value that exists already, or -1. */
static int reuse(const maker *m, int type) {
    int found = -1, seen = 0;
    for (int i = 0; i < (int)m->s->n_insns; i++)
        if (can_reuse(m, i, type) && between(0, seen++) == 0)
            found = i;
    return found;
}

/* Appends what computes an exact value of a type; returns its number. */
static int value_of(maker *m, int type, int depth) {
    const bool leaf = depth <= 0 || m->s->n_insns > ENOUGH_INSNS * m->s->n_parts;
    int value = chance(leaf ? 60 : 25) ? reuse(m, type) : -1;
    if (value < 0 && !leaf && chance(70))
        return compute(m, type, depth - 1);
    if (value < 0 && chance(75))
        value = load_any(m, type);
    if (value < 0 && m->s->n_params < GN_MAX_PARAMS && chance(40)) {
        m->s->params[m->s->n_params] = any_scalar(type);
        value = emit(m, GN_OP_PARAM, type, (int)m->s->n_params++, 0, 0);
    }
    return value >= 0 ? value : sample_constant(m->s, type, any_scalar(type));
}

/* ---- Stores and parts */

/* Stores a value, first through an opcode with an error bound now and then. */
static void store_any(maker *m, int type, int value) {
    if ((type == GN_F32 || type == GN_F64) && chance(35)) {
        gn_insn insn;
        uint16_t *values[3];
        do
            insn.op = (uint16_t)between(GN_OP_POW, GN_OP_DIGAMMA);
        while (!opcode_ulp(insn.op));
        const int other = insn_values(&insn, values) == 2 ? value_of(m, type, 0) : 0;
        value = emit(m, insn.op, type, value, other, 0);
    }
    if (type == GN_U32) {
        type = GN_I64;
        value = emit(m, GN_OP_CAST, type, value, 0, 0);
    }
    emit(m, GN_OP_STORE, type, add_operand(m, GN_WRITE, storage_of(type)), value, 0);
}

static void element_stores(maker *m) {
    for (int64_t n = between(1, 3); n-- > 0;) {
        const int type = any_type();
        store_any(m, type, value_of(m, type, (int)between(1, 5)));
    }
}

/* What is reduced: sums of small whole numbers, products of signs, and extrema without a zero whose
 * sign is free. */
static int reducible(maker *m, int type, int kind) {
    int value = value_of(m, type, (int)between(0, 3));
    if (gn_dtype_is_float(type) && kind == GN_SUM) {
        value = guard(m, GN_OP_RINT, type, value, 0, 0);
        value = guard(m, GN_OP_MIN, type, value, integer(m, type, 64), 0);
        value = guard(m, GN_OP_MAX, type, value, integer(m, type, -64), 0);
    }
    if (gn_dtype_is_float(type) && kind == GN_PROD)
        value = guard(m, GN_OP_SIGN, type, value, 0, 0);
    if (gn_dtype_is_float(type) && (kind == GN_MAX || kind == GN_MIN))
        value = guard(m, GN_OP_ADD, type, value, integer(m, type, 0), 0);
    return value;
}

/* The end of an element part, and the row part after it. */
static void reductions(maker *m) {
    static const int kinds[] = {GN_SUM, GN_SUM, GN_PROD, GN_MAX, GN_MIN, GN_ARGMAX, GN_ARGMIN};
    int kind[3], a[3], payload[3], type[3];
    const int n = (int)between(1, 3);
    if (chance(25))
        element_stores(m);
    for (int r = 0; r < n; r++) {
        do {
            kind[r] = kinds[between(0, GN_LENGTH(kinds) - 1)];
            type[r] = any_type();
        } while (type[r] == GN_BOOL && kind[r] <= GN_PROD); /* numbers only */
        a[r] = reducible(m, type[r], kind[r]);
        payload[r] = kind[r] >= GN_ARGMAX ? value_of(m, GN_I64, 0) : 0;
    }
    m->first_visible = (int)m->s->n_insns;
    for (int r = 0; r < n; r++)
        a[r] = emit(m, GN_OP_REDUCE, kind[r] >= GN_ARGMAX ? GN_I64 : type[r], a[r], payload[r],
                    kind[r]);
    m->in_row = true;
    m->s->n_parts++;
    for (int r = 0; r < n; r++) {
        const int of = m->s->insns[a[r]].type;
        if (r == 0 || chance(70))
            store_any(m, of, chance(50) ? a[r] : value_of(m, of, 2));
    }
}

static void next_elements(maker *m) {
    emit(m, GN_OP_ELEMENTS, GN_BOOL, 0, 0, 0);
    m->s->n_parts++;
    m->in_row = false;
}

void sample_generate(sample *s, enum sample_kind kind, uint64_t seed) {
    memset(s, 0, sizeof *s);
    s->n_parts = 1;
    random_seed(seed);
    maker m = {.s = s};
    if (kind == SAMPLE_MAP)
        element_stores(&m);
    else
        reductions(&m);
    if (kind == SAMPLE_ROW) {
        const bool again = chance(30);
        next_elements(&m);
        if (again) {
            reductions(&m);
            next_elements(&m);
        }
        element_stores(&m);
    }
    s->n_reduced = kind != SAMPLE_MAP;
    sample_place(s);
}
