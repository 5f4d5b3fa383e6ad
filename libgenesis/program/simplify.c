/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplify.c - algebraic identities that hold for every value of the type, NaN, infinities and the
 * signs of zeros included. So x + 0 stays (it turns -0 into 0), and so does 0 * x of floats.
 *
 * Powers with the exponents 2, 3, 1/2 and their negatives are computed by products and roots, as
 * PyTorch does: within pow's bound on the error; pow(-inf, 0.5) becomes NaN.
 */
#include <math.h>
#include <stdlib.h>

#include "builder.h"

static int op_of(const gn__builder *b, int value) { return b->entries[value].insn.op; }
static int operand_of(const gn__builder *b, int value) { return b->entries[value].insn.a; }
static bool is_neg(const gn__builder *b, int value) { return op_of(b, value) == GN_OP_NEG; }

/* Whether the value is this constant; 0 means +0. */
static bool is_number(const gn__builder *b, int value, double number) {
    const gn__entry *e = gn__entry_of(b, value);
    if (e->insn.op != GN_OP_CONST)
        return false;
    if (!gn__is_float(e->insn.type))
        return (double)e->constant.i == number;
    return e->constant.f == number && signbit(e->constant.f) == signbit(number);
}

static bool is_integer(const gn__builder *b, int value) {
    return !gn__is_float(gn__type_of(b, value));
}

/* All bits set: -1, or the largest unsigned value, or true. */
static bool is_all_ones(const gn__builder *b, int value) {
    const gn__entry *e = gn__entry_of(b, value);
    return e->insn.op == GN_OP_CONST && !gn__is_float(e->insn.type) &&
           e->constant.i == gn__normal_i(e->insn.type, -1);
}

static int number(gn__builder *b, int like, double value) {
    return gn__const(b, gn__type_of(b, like), value);
}

static int emit(gn__builder *b, int op, int x, int y) { return gn__emit(b, op, x, y, 0); }

/* ---- Sums and products. The constant of a commutative operation is its second operand. */

static int simplify_add(gn__builder *b, int x, int y) {
    if (gn__type_of(b, x) == GN_BOOL)
        return emit(b, GN_OP_OR, x, y);
    if (is_number(b, y, is_integer(b, y) ? 0.0 : -0.0))
        return x;
    if (is_neg(b, y))
        return emit(b, GN_OP_SUB, x, operand_of(b, y));
    if (is_neg(b, x))
        return emit(b, GN_OP_SUB, y, operand_of(b, x));
    return -1;
}

static int simplify_sub(gn__builder *b, int x, int y) {
    if (is_number(b, y, 0.0))
        return x;
    if (is_number(b, x, is_integer(b, x) ? 0.0 : -0.0))
        return emit(b, GN_OP_NEG, y, 0);
    if (x == y && is_integer(b, x))
        return number(b, x, 0);
    if (is_neg(b, y))
        return emit(b, GN_OP_ADD, x, operand_of(b, y));
    return -1;
}

static int simplify_mul(gn__builder *b, int x, int y) {
    if (gn__type_of(b, x) == GN_BOOL)
        return emit(b, GN_OP_AND, x, y);
    if (is_number(b, y, 1.0))
        return x;
    if (is_number(b, y, -1.0))
        return emit(b, GN_OP_NEG, x, 0);
    if (is_integer(b, y) && is_number(b, y, 0.0))
        return y;
    if (is_neg(b, x) && is_neg(b, y))
        return emit(b, GN_OP_MUL, operand_of(b, x), operand_of(b, y));
    if (is_neg(b, x) && gn__is_const(b, y))
        return emit(b, GN_OP_MUL, operand_of(b, x), emit(b, GN_OP_NEG, y, 0));
    return -1;
}

/* The reciprocal of a power of two is exact, unless it over- or underflows. */
static bool has_exact_reciprocal(const gn__builder *b, int value) {
    const gn__entry *e = gn__entry_of(b, value);
    if (e->insn.op != GN_OP_CONST || is_integer(b, value))
        return false;
    int exponent, limit = e->insn.type == GN_F32 ? 120 : 1000;
    return fabs(frexp(e->constant.f, &exponent)) == 0.5 && abs(exponent) < limit;
}

static int simplify_div(gn__builder *b, int x, int y) {
    if (is_number(b, y, 1.0))
        return x;
    if (has_exact_reciprocal(b, y))
        return emit(b, GN_OP_MUL, x, number(b, x, 1 / gn__entry_of(b, y)->constant.f));
    if (is_neg(b, x) && is_neg(b, y) && !is_integer(b, x))
        return emit(b, GN_OP_DIV, operand_of(b, x), operand_of(b, y));
    return -1;
}

static int simplify_pow(gn__builder *b, int x, int y) {
    if (is_number(b, y, 0.0))
        return number(b, x, 1);
    if (is_number(b, y, 1.0))
        return x;
    if (is_number(b, y, 2.0))
        return emit(b, GN_OP_MUL, x, x);
    if (is_number(b, y, 3.0))
        return emit(b, GN_OP_MUL, emit(b, GN_OP_MUL, x, x), x);
    if (is_integer(b, x))
        return -1;
    if (is_number(b, y, 0.5))
        return emit(b, GN_OP_SQRT, x, 0);
    if (is_number(b, y, -0.5))
        return emit(b, GN_OP_RSQRT, x, 0);
    if (is_number(b, y, -1.0) || is_number(b, y, -2.0))
        return emit(b, GN_OP_DIV, number(b, x, 1),
                    is_number(b, y, -1.0) ? x : emit(b, GN_OP_MUL, x, x));
    return -1;
}

/* ---- The others */

static int simplify_min_max(gn__builder *b, int op, int x, int y) {
    if (gn__type_of(b, x) == GN_BOOL)
        return emit(b, op == GN_OP_MIN ? GN_OP_AND : GN_OP_OR, x, y);
    if (x == y || is_number(b, y, op == GN_OP_MIN ? INFINITY : -INFINITY))
        return x;
    return -1;
}

static int simplify_bits(gn__builder *b, int op, int x, int y) {
    bool zero = is_number(b, y, 0.0), ones = is_all_ones(b, y);
    switch (op) {
    case GN_OP_AND: return zero ? y : ones || x == y ? x : -1;
    case GN_OP_OR: return ones ? y : zero || x == y ? x : -1;
    case GN_OP_XOR:
        return zero ? x : ones ? emit(b, GN_OP_NOT, x, 0) : x == y ? number(b, x, 0) : -1;
    default: /* shifts */ return zero ? x : -1;
    }
}

static int simplify_unary(gn__builder *b, int op, int x) {
    int inner = op_of(b, x), type = gn__type_of(b, x);
    bool integer = is_integer(b, x), is_unsigned = integer && (type < GN_I8 || type == GN_U32);
    switch (op) {
    case GN_OP_NEG:
        if (inner == GN_OP_NEG)
            return operand_of(b, x);
        return -1;
    case GN_OP_ABS:
        if (is_unsigned || inner == GN_OP_ABS)
            return x;
        return is_neg(b, x) ? emit(b, GN_OP_ABS, operand_of(b, x), 0) : -1;
    case GN_OP_SIGN: return type == GN_BOOL || inner == GN_OP_SIGN ? x : -1;
    case GN_OP_FLOOR:
    case GN_OP_CEIL:
    case GN_OP_TRUNC:
    case GN_OP_RINT: return integer || (inner >= GN_OP_FLOOR && inner <= GN_OP_RINT) ? x : -1;
    case GN_OP_ISNAN:
    case GN_OP_ISINF: return integer ? gn__const_i(b, GN_BOOL, 0) : -1;
    default: return -1;
    }
}

static int simplify_not(gn__builder *b, int x) {
    const gn_insn inner = gn__entry_of(b, x)->insn;
    if (inner.op == GN_OP_NOT)
        return inner.a;
    if (inner.op == GN_OP_EQ || inner.op == GN_OP_NE)
        return emit(b, inner.op == GN_OP_EQ ? GN_OP_NE : GN_OP_EQ, inner.a, inner.b);
    return -1;
}

/* Of a value with itself; a float may be NaN. */
static int simplify_comparison(gn__builder *b, int op, int x, int y) {
    if (x != y || (op != GN_OP_LT && !is_integer(b, x)))
        return -1;
    return gn__const_i(b, GN_BOOL, op == GN_OP_EQ || op == GN_OP_LE);
}

static int simplify_select(gn__builder *b, int condition, int x, int y) {
    if (gn__is_const(b, condition))
        return gn__entry_of(b, condition)->constant.i ? x : y;
    if (x == y)
        return x;
    if (op_of(b, condition) == GN_OP_NOT)
        return gn__emit(b, GN_OP_SELECT, operand_of(b, condition), y, x);
    if (gn__type_of(b, x) != GN_BOOL)
        return -1;
    if (is_number(b, x, 1.0) && is_number(b, y, 0.0))
        return condition;
    if (is_number(b, x, 0.0) && is_number(b, y, 1.0))
        return emit(b, GN_OP_NOT, condition, 0);
    return -1;
}

int gn__simplify(gn__builder *b, int op, int x, int y, int z) {
    switch (op) {
    case GN_OP_ADD: return simplify_add(b, x, y);
    case GN_OP_SUB: return simplify_sub(b, x, y);
    case GN_OP_MUL: return simplify_mul(b, x, y);
    case GN_OP_DIV: return simplify_div(b, x, y);
    case GN_OP_FLOORDIV: return is_number(b, y, 1.0) ? emit(b, GN_OP_FLOOR, x, 0) : -1;
    case GN_OP_POW: return simplify_pow(b, x, y);
    case GN_OP_MIN:
    case GN_OP_MAX: return simplify_min_max(b, op, x, y);
    case GN_OP_AND:
    case GN_OP_OR:
    case GN_OP_XOR:
    case GN_OP_SHL:
    case GN_OP_SHR: return simplify_bits(b, op, x, y);
    case GN_OP_EQ:
    case GN_OP_NE:
    case GN_OP_LT:
    case GN_OP_LE: return simplify_comparison(b, op, x, y);
    case GN_OP_NOT: return simplify_not(b, x);
    case GN_OP_SELECT: return simplify_select(b, x, y, z);
    default: return simplify_unary(b, op, x);
    }
}

int gn__simplify_cast(gn__builder *b, int type, int value) {
    const gn_insn inner = gn__entry_of(b, value)->insn;
    if (inner.op != GN_OP_CAST)
        return -1;
    int from = gn__type_of(b, inner.a);
    return gn__type_contains(inner.type, from) ? gn__cast(b, type, inner.a) : -1;
}
