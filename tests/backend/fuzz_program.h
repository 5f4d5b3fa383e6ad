/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_program.h - programs by chance, for test_fuzz.c alone. */
#ifndef GENESIS_FUZZ_PROGRAM_H
#define GENESIS_FUZZ_PROGRAM_H

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <genesis/backend.h>

enum { MAX_INSNS = 160, TARGET_INSNS = 24 };

/* ---- Chance ---------------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t bits(void) { /* splitmix64 */
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int64_t between(int64_t low, int64_t high) {
    return low + (int64_t)(bits() % (uint64_t)(high - low + 1));
}

static bool chance(int percent) { return between(1, 100) <= percent; }

/* ---- Programs -------------------------------------------------------------------------------- */

static const uint8_t opcode_ulp[GN_OP_SELECT + 1] = {
#define X(name, value, arity, ulp, meaning) [value] = ulp,
    GN_OPCODES(X)
#undef X
};
static const uint8_t opcode_arity[GN_OP_SELECT + 1] = {
#define X(name, value, arity, ulp, meaning) [value] = arity,
    GN_OPCODES(X)
#undef X
};

/* A program in the making. `full`: an operand of full size, not of one element per row. */
typedef struct maker {
    gn_program program;
    gn_insn insns[MAX_INSNS];
    gn_scalar constants[MAX_INSNS], params[GN_MAX_PARAMS];
    gn_operand_info operands[GN_MAX_OPERANDS];
    bool full[GN_MAX_OPERANDS];
    int axis[GN_MAX_OPERANDS]; /* extent for LOADX, or 0 */
    int ulp[GN_MAX_OPERANDS];  /* of what is stored there */
    int first_visible;         /* the first value that this part may use */
    bool row;
} maker;

static int emit(maker *m, int op, int type, int a, int b, int c) {
    ck_assert_uint_lt(m->program.n_insns, MAX_INSNS);
    m->insns[m->program.n_insns] = (gn_insn){.op = (uint16_t)op,
                                             .type = (uint16_t)type,
                                             .a = (uint16_t)a,
                                             .b = (uint16_t)b,
                                             .c = (uint16_t)c};
    return (int)m->program.n_insns++;
}

static int add_operand(maker *m, int role, int dtype) {
    const uint32_t k = m->program.n_operands++;
    m->operands[k] = (gn_operand_info){.role = (uint16_t)role, .dtype = (uint16_t)dtype};
    m->full[k] = !m->row;
    m->axis[k] = m->ulp[k] = 0;
    return (int)k;
}

static int add_constant(maker *m, int type, gn_scalar value) {
    m->constants[m->program.n_constants] = value;
    return emit(m, GN_OP_CONST, type, (int)m->program.n_constants++, 0, 0);
}

static int integer(maker *m, int type, int64_t value) {
    return add_constant(m, type,
                        gn_dtype_is_float(type) ? (gn_scalar){.f = (double)value}
                                                : (gn_scalar){.i = value});
}

static gn_scalar any_scalar(int type) {
    if (gn_dtype_is_float(type))
        return (gn_scalar){.f = (double)between(-64, 64) / 8};
    return (gn_scalar){.i = type == GN_BOOL ? between(0, 1) : between(-9, 120)};
}

static int value_of(maker *m, int type, int depth);

static const int register_types[] = {GN_F32, GN_F32, GN_F32, GN_F64, GN_I64, GN_I32,
                                     GN_I16, GN_I8,  GN_U8,  GN_U32, GN_BOOL};
static int any_type(void) { return register_types[between(0, 10)]; }

static int storage_of(int type) {
    if (type != GN_F32 || chance(60))
        return type;
    return chance(50) ? GN_F16 : GN_BF16;
}

/* -1: no place for another operand. */
static int load(maker *m, int type) {
    if (m->program.n_operands > GN_MAX_OPERANDS - 8)
        return -1;
    if (type == GN_I64 && chance(30))
        return emit(m, GN_OP_LOAD, GN_I64, add_operand(m, GN_INDEX, GN_I64), 0, 0);
    if (type != GN_U32 && chance(12)) {
        const int extent = (int)between(1, 9);
        int index = value_of(m, GN_I64, 1);
        index = emit(m, GN_OP_REMAINDER, GN_I64, index, integer(m, GN_I64, extent), 0);
        const int k = add_operand(m, GN_READ, storage_of(type));
        m->axis[k] = extent;
        return emit(m, GN_OP_LOADX, type, k, index, 0);
    }
    const int stored = type == GN_U32 ? GN_I32 : type;
    const int value =
        emit(m, GN_OP_LOAD, stored, add_operand(m, GN_READ, storage_of(stored)), 0, 0);
    return type == GN_U32 ? emit(m, GN_OP_CAST, GN_U32, value, 0, 0) : value;
}

/* To an integer only from within its range, because what C does beyond is anyone's guess. */
static int cast(maker *m, int type, int depth) {
    int from = any_type();
    int value = value_of(m, from, depth);
    if (gn_dtype_is_float(from) && !gn_dtype_is_float(type) && type != GN_BOOL) {
        const int nan = emit(m, GN_OP_ISNAN, GN_BOOL, value, 0, 0);
        value = emit(m, GN_OP_SELECT, from, nan, integer(m, from, 0), value);
        value = emit(m, GN_OP_MIN, from, value, integer(m, from, 100), 0);
        const int low = type == GN_U8 || type == GN_U32 ? 0 : -100;
        value = emit(m, GN_OP_MAX, from, value, integer(m, from, low), 0);
    }
    return emit(m, GN_OP_CAST, type, value, 0, 0);
}

static int random_word(maker *m, int depth) {
    const int index = value_of(m, GN_I64, depth);
    const int offset = integer(m, GN_I64, between(0, 99)), key = integer(m, GN_I64, between(0, 99));
    return emit(m, GN_OP_RANDOM, GN_U32, index, offset, key);
}

static int compute(maker *m, int type, int depth) {
    static const int float_ops[] = {
        GN_OP_ADD,  GN_OP_SUB,   GN_OP_MUL,  GN_OP_DIV, GN_OP_FLOORDIV, GN_OP_FMOD,
        GN_OP_MIN,  GN_OP_MAX,   GN_OP_NEG,  GN_OP_ABS, GN_OP_SIGN,     GN_OP_FLOOR,
        GN_OP_CEIL, GN_OP_TRUNC, GN_OP_RINT, GN_OP_ADD, GN_OP_MUL};
    static const int int_ops[] = {
        GN_OP_ADD, GN_OP_SUB, GN_OP_MUL, GN_OP_DIV, GN_OP_FLOORDIV, GN_OP_FMOD, GN_OP_REMAINDER,
        GN_OP_POW, GN_OP_MIN, GN_OP_MAX, GN_OP_NEG, GN_OP_ABS,      GN_OP_SIGN, GN_OP_AND,
        GN_OP_OR,  GN_OP_XOR, GN_OP_NOT, GN_OP_SHL, GN_OP_SHR};
    static const int bool_ops[] = {GN_OP_ADD, GN_OP_MUL, GN_OP_AND, GN_OP_OR, GN_OP_XOR, GN_OP_NOT};
    static const int compare_ops[] = {GN_OP_EQ, GN_OP_NE, GN_OP_LT, GN_OP_LE};
    if (chance(15)) {
        const int condition = value_of(m, GN_BOOL, depth), a = value_of(m, type, depth);
        return emit(m, GN_OP_SELECT, type, condition, a, value_of(m, type, depth));
    }
    if (chance(20))
        return cast(m, type, depth);
    if (type == GN_U32 && chance(30))
        return random_word(m, depth);
    if (type == GN_F32 && chance(10))
        return emit(m, GN_OP_ROUND, GN_F32, value_of(m, GN_F32, depth),
                    chance(50) ? GN_F16 : GN_BF16, 0);
    if (type == GN_BOOL && chance(60)) {
        const int of = any_type(), a = value_of(m, of, depth);
        if (gn_dtype_is_float(of) && chance(30))
            return emit(m, chance(50) ? GN_OP_ISNAN : GN_OP_ISINF, GN_BOOL, a, 0, 0);
        return emit(m, compare_ops[between(0, 3)], GN_BOOL, a, value_of(m, of, depth), 0);
    }
    const int op = gn_dtype_is_float(type) ? float_ops[between(0, 16)]
                   : type == GN_BOOL       ? bool_ops[between(0, 5)]
                                           : int_ops[between(0, 18)];
    const int a = value_of(m, type, depth);
    return emit(m, op, type, a, opcode_arity[op] == 2 ? value_of(m, type, depth) : 0, 0);
}

/* A value that exists already, or -1. */
static int reuse(const maker *m, int type) {
    int found = -1, seen = 0;
    for (int i = m->first_visible; i < (int)m->program.n_insns; i++)
        if (m->insns[i].type == type && m->insns[i].op != GN_OP_STORE &&
            m->insns[i].op != GN_OP_ELEMENTS && !opcode_ulp[m->insns[i].op] &&
            between(0, seen++) == 0)
            found = i;
    return found;
}

/* Appends what computes an exact value of a type; returns its number. */
static int value_of(maker *m, int type, int depth) {
    const bool leaf = depth <= 0 || m->program.n_insns > TARGET_INSNS;
    int value = chance(leaf ? 60 : 25) ? reuse(m, type) : -1;
    if (value < 0 && !leaf && chance(70))
        return compute(m, type, depth - 1);
    if (value < 0 && chance(75))
        value = load(m, type);
    if (value < 0 && m->program.n_params < GN_MAX_PARAMS && chance(40)) {
        m->params[m->program.n_params] = any_scalar(type);
        value = emit(m, GN_OP_PARAM, type, (int)m->program.n_params++, 0, 0);
    }
    return value >= 0 ? value : add_constant(m, type, any_scalar(type));
}

/* Stores a value, first through an opcode with an error bound now and then. */
static int store(maker *m, int type, int value) {
    int ulp = 0;
    if ((type == GN_F32 || type == GN_F64) && chance(35)) {
        int op;
        do
            op = (int)between(GN_OP_POW, GN_OP_DIGAMMA);
        while (!opcode_ulp[op]);
        ulp = opcode_ulp[op];
        const int other = opcode_arity[op] == 2 ? value_of(m, type, 0) : 0;
        value = emit(m, op, type, value, other, 0);
    }
    if (type == GN_U32) {
        type = GN_I64;
        value = emit(m, GN_OP_CAST, type, value, 0, 0);
    }
    const int k = add_operand(m, GN_WRITE, storage_of(type));
    m->ulp[k] = ulp;
    emit(m, GN_OP_STORE, type, k, value, 0);
    return k;
}

static void begin(maker *m) {
    memset(m, 0, sizeof *m);
    m->program.struct_size = sizeof m->program;
    m->program.flags = GN_PROGRAM_NO_CONTRACT;
    m->program.name = "fuzz";
    m->program.insn_size = sizeof(gn_insn);
    m->program.n_parts = 1;
}

static void end(maker *m) {
    m->program.hash[0] = bits();
    m->program.insns = m->insns;
    m->program.constants = m->constants;
    m->program.operands = m->operands;
}

static void element_stores(maker *m) {
    for (int64_t n = between(1, 3); n-- > 0;) {
        const int type = any_type();
        store(m, type, value_of(m, type, (int)between(1, 5)));
    }
}

/* The element part of a reduce program and its reductions, which are exact. */
static void reductions(maker *m, int *value, int *n) {
    static const int kinds[] = {GN_SUM, GN_SUM, GN_PROD, GN_MAX, GN_MIN, GN_ARGMAX, GN_ARGMIN};
    int kind[3], a[3], payload[3], type[3];
    *n = (int)between(1, 3);
    if (chance(25))
        element_stores(m);
    for (int r = 0; r < *n; r++) {
        kind[r] = kinds[between(0, 6)];
        type[r] = any_type();
        a[r] = value_of(m, type[r], (int)between(0, 3));
        payload[r] = 0;
        if (kind[r] >= GN_ARGMAX)
            payload[r] = value_of(m, GN_I64, 0);
        if (gn_dtype_is_float(type[r]) && kind[r] == GN_SUM) {
            a[r] = emit(m, GN_OP_RINT, type[r], a[r], 0, 0);
            a[r] = emit(m, GN_OP_MIN, type[r], a[r], integer(m, type[r], 64), 0);
            a[r] = emit(m, GN_OP_MAX, type[r], a[r], integer(m, type[r], -64), 0);
        }
        if (gn_dtype_is_float(type[r]) && kind[r] == GN_PROD)
            a[r] = emit(m, GN_OP_SIGN, type[r], a[r], 0, 0);
    }
    m->first_visible = (int)m->program.n_insns;
    for (int r = 0; r < *n; r++)
        value[r] = emit(m, GN_OP_REDUCE, kind[r] >= GN_ARGMAX ? GN_I64 : type[r], a[r], payload[r],
                        kind[r]);
    m->row = true;
    m->program.n_parts = 2;
}

#endif
