/* SPDX-License-Identifier: Apache-2.0 */
/* integers.c - every opcode over bool and the integer types, against 128-bit arithmetic. */
#include <genesis/tensor.h>

#include "kernel.h"

static const int types[] = {GN_BOOL, GN_U8, GN_I8, GN_I16, GN_I32, GN_I64, GN_U32};

static const struct op {
    const char *name;
    int op, arity;
    bool of_bool;
} ops[] = {
    {"add", GN_OP_ADD, 2, true},
    {"sub", GN_OP_SUB, 2, false},
    {"mul", GN_OP_MUL, 2, true},
    {"div", GN_OP_DIV, 2, false},
    {"floordiv", GN_OP_FLOORDIV, 2, false},
    {"fmod", GN_OP_FMOD, 2, false},
    {"remainder", GN_OP_REMAINDER, 2, false},
    {"pow", GN_OP_POW, 2, false},
    {"min", GN_OP_MIN, 2, true},
    {"max", GN_OP_MAX, 2, true},
    {"neg", GN_OP_NEG, 1, false},
    {"abs", GN_OP_ABS, 1, false},
    {"sign", GN_OP_SIGN, 1, false},
    {"eq", GN_OP_EQ, 2, true},
    {"ne", GN_OP_NE, 2, true},
    {"lt", GN_OP_LT, 2, true},
    {"le", GN_OP_LE, 2, true},
    {"and", GN_OP_AND, 2, true},
    {"or", GN_OP_OR, 2, true},
    {"xor", GN_OP_XOR, 2, true},
    {"not", GN_OP_NOT, 1, true},
    {"shl", GN_OP_SHL, 2, false},
    {"shr", GN_OP_SHR, 2, false},
};

/* Integer powers by repeated multiplication; only bases of period 2 get large exponents. */
static __int128 power(int type, int64_t a, int64_t b) {
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    int64_t result = 1;
    for (int64_t i = 0; i < (b > 300 ? 300 + b % 2 : b); i++)
        result = wrap(type, (__int128)result * a);
    return result;
}

static __int128 floor_quotient(__int128 a, __int128 b) {
    __int128 q = a / b;
    return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

static __int128 expected(int op, int type, int64_t left, int64_t right) {
    __int128 a = left, b = right;
    int bits = 8 * (int)gn_dtype_bytes(type);
    switch (op) {
    case GN_OP_ADD: return a + b;
    case GN_OP_SUB: return a - b;
    case GN_OP_MUL: return a * b;
    case GN_OP_DIV: return b ? a / b : 0;
    case GN_OP_FLOORDIV: return b ? floor_quotient(a, b) : 0;
    case GN_OP_FMOD: return b ? a % b : 0;
    case GN_OP_REMAINDER: return b ? a - b * floor_quotient(a, b) : 0;
    case GN_OP_POW: return power(type, left, right);
    case GN_OP_MIN: return a < b ? a : b;
    case GN_OP_MAX: return a < b ? b : a;
    case GN_OP_NEG: return -a;
    case GN_OP_ABS: return a < 0 ? -a : a;
    case GN_OP_SIGN: return (a > 0) - (a < 0);
    case GN_OP_EQ: return a == b;
    case GN_OP_NE: return a != b;
    case GN_OP_LT: return a < b;
    case GN_OP_LE: return a <= b;
    case GN_OP_AND: return left & right;
    case GN_OP_OR: return left | right;
    case GN_OP_XOR: return left ^ right;
    case GN_OP_NOT: return type == GN_BOOL ? !left : -1 - a;
    case GN_OP_SHL: return right < 0 || right >= bits ? 0 : a * ((__int128)1 << right);
    case GN_OP_SHR:
        return floor_quotient(a, (__int128)1 << (right < 0 || right >= bits ? bits - 1 : right));
    default: fail_case("no expectation for opcode %d", op);
    }
}

/* Edges of the type, what shifts and powers find special, and random numbers. */
static int64_t argument(int type, int i) {
    int bits = 8 * (int)gn_dtype_bytes(type);
    const __int128 high = (__int128)1 << (bits - 1);
    const __int128 edges[] = {-high, high,     high - 1,     1 - high,    -1,  0,
                              1,     2,        -2,           3,           -3,  7,
                              -7,    10,       100,          -100,        127, bits - 1,
                              bits,  bits + 1, 2 * high - 1, 2 * high - 2};
    return wrap(type, i < (int)GN_LENGTH(edges) ? edges[i] : (__int128)(int64_t)random_bits());
}

enum { SIDE = 40, PAIRS = SIDE * SIDE };

/* A power of a random number and a random exponent has nothing to say. */
static bool is_left_out(int op, int64_t a, int64_t b) {
    return op == GN_OP_POW && b > 300 && (a < -1 || a > 1);
}

/* u32 is no type of tensors: values travel as i64. */
static void check_op(const struct op *op, int type) {
    int stored = type == GN_U32 ? GN_I64 : type;
    bool is_comparison = op->op >= GN_OP_EQ && op->op <= GN_OP_LE;
    int result = is_comparison ? GN_BOOL : stored;
    struct buffer *a = buffer_new(stored, PAIRS), *b = buffer_new(stored, PAIRS);
    struct buffer *y = buffer_new(result, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        put(a, i, (gn_scalar){.i = argument(type, i % SIDE)});
        put(b, i, (gn_scalar){.i = argument(type, i / SIDE)});
        while (is_left_out(op->op, get(a, i).i, get(b, i).i))
            put(b, i, (gn_scalar){.i = get(b, i).i / 2});
    }
    program_begin(op->name);
    int x = load(0, stored), z = load(1, stored);
    if (type == GN_U32)
        x = cast_to(type, x), z = cast_to(type, z);
    int value = op->arity == 1 ? op1(op->op, x) : op2(op->op, x, z);
    store(2, result, type == GN_U32 && !is_comparison ? cast_to(GN_I64, value) : value);
    map(program_end(), SIZES(PAIRS), OPERANDS(AT(a, 0, 1), AT(b, 0, 1), AT(y, 0, 1)), NULL);
    for (int i = 0; i < PAIRS; i++) {
        __int128 value_i = expected(op->op, type, get(a, i).i, get(b, i).i);
        put(y, i, (gn_scalar){.i = is_comparison ? (int64_t)value_i : wrap(type, value_i)});
    }
    check_exact(y);
}

static void integers(int index) {
    for (size_t t = 0; t < GN_LENGTH(types); t++) {
        if (types[t] == GN_BOOL && !ops[index].of_bool)
            continue;
        subject("map", types[t]);
        context("%s of %s", ops[index].name, gn_dtype_name((gn_dtype)types[t]));
        check_op(&ops[index], types[t]);
    }
}

static const test_case cases[] = {
    {.name = "integers", .each = integers, .n = GN_LENGTH(ops)},
};

const test_group integers_group = {.name = "integers", CASES(cases), .after = kernel_after};
