/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.c - how errors pass through each opcode, and what rounding adds.
 *
 * Let v be the reference's value and e its bound, a, b and ea, eb those of the operands. Then
 *
 *     e = what the rule says of ea, eb + what rounding adds,  max(2 ulp, 1) eps |v| + tiny
 *
 * where eps |v| is the distance of neighbours at v: both sides may be off by the opcode's bound in
 * ulp, or by half a unit where it is rounded correctly; that covers contraction as well, and tiny,
 * the smallest normal number, covers flushed subnormals. Nothing is added where nothing is rounded.
 *
 * A rule is asked only if an operand is inexact. Where the outcome jumps (floor, comparisons, casts
 * to integers) the bound is the size of the jump if it lies within the operands' errors, and 0
 * otherwise. So select(x > 0, g, 0) near 0 may be off by |g|, but select(x > 0, x, 0) by |x| only.
 */
#include "shadow.h"

#include <float.h>
#include <math.h>

/* Errors of this size relative to a type's smallest normal number come from flushing alone: they
 * never change the outcome of a comparison with 0. */
#define SLACK 0x1p20

static int op2(maker *m, const site *s, int op) { /* of both operands in f64 */
    return emit2(m, op, wide(m, s->operand[0]), wide(m, s->operand[1]));
}

static int as_bool(maker *m, int op, int a, int b) { return emit(m, op, GN_BOOL, a, b, 0); }

static int choose(maker *m, int condition, int a, int b) {
    return emit(m, GN_OP_SELECT, GN_F64, condition, a, b);
}

static int uncertain(maker *m) { return number_f64(m, (double)NAN); }

/* 0, of something that depends on what has the error e: NaN if e says that nothing is certain. */
static int certain(maker *m, int e) { return emit2(m, GN_OP_MUL, e, number_f64(m, 0)); }

static int ea(maker *m, const site *s) { return bound_value(m, s->bound[0]); }
static int magnitude_a(maker *m, const site *s) { return magnitude(m, s->operand[0]); }
static int magnitude_b(maker *m, const site *s) { return magnitude(m, s->operand[1]); }
static int magnitude_v(maker *m, const site *s) { return magnitude(m, s->number); }

/* |x| of an f64; a NaN is as far from 0 as infinity: no error changes it. */
static int from_zero(maker *m, int x) {
    const int size = emit1(m, GN_OP_ABS, x), most = number_f64(m, (double)INFINITY);
    return if_at_most(m, size, most, size, most);
}

/* e / max(x - e, 0) for x >= 0: how far 1 / x or log x may be off; infinite if x may be 0. */
static int relative(maker *m, int e, int x) {
    const int least = emit2(m, GN_OP_MAX, emit2(m, GN_OP_SUB, x, e), number_f64(m, 0));
    return emit2(m, GN_OP_DIV, e, least);
}

/* What rounding adds on both sides, to a value that counts as `least` if it is smaller. */
static int rounding_bound(maker *m, const site *s, double least) {
    const double units = 2 * s->ulp > 1 ? 2 * s->ulp : 1;
    const bool strict = m->source->flags & GN_PROGRAM_NO_CONTRACT;
    if (!gn_dtype_is_float(s->type) || (strict && s->exact && s->ulp == 0))
        return NONE;
    int size = magnitude_v(m, s);
    if (least > 0)
        size = emit2(m, GN_OP_MAX, size, number_f64(m, least));
    const int off = emit2(m, GN_OP_MUL, size, number_f64(m, units * value_eps(s->type)));
    return emit2(m, GN_OP_ADD, off, number_f64(m, value_tiny(s->type)));
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

static int rule_none(maker *m, const site *s) {
    (void)m, (void)s;
    return NONE;
}

static int rule_sum(maker *m, const site *s) { return bound_add(m, s->bound[0], s->bound[1]); }
static int rule_larger(maker *m, const site *s) { return bound_max(m, s->bound[0], s->bound[1]); }
static int rule_same(maker *m, const site *s) {
    (void)m;
    return s->bound[0];
}

/* Of integers and bit patterns: any error leaves nothing certain. */
static int rule_discrete(maker *m, const site *s) {
    const int e = bound_add(m, bound_add(m, s->bound[0], s->bound[1]), s->bound[2]);
    return bound_if_any(m, e);
}

static int rule_bits(maker *m, const site *s) {
    return s->type == GN_BOOL ? rule_larger(m, s) : rule_discrete(m, s);
}

/* |a| eb + |b| ea + ea eb */
static int rule_product(maker *m, const site *s) {
    const int a = s->bound[0], b = s->bound[1];
    if (s->type == GN_BOOL)
        return rule_larger(m, s);
    int e = NONE;
    if (b != NONE)
        e = bound_add(m, e, bound_scale(m, magnitude_a(m, s), b));
    if (a != NONE)
        e = bound_add(m, e, bound_scale(m, magnitude_b(m, s), a));
    return a == NONE || b == NONE ? e : bound_add(m, e, bound_scale(m, a, b));
}

/* How far a / b is off: ea / |b|, or (ea + |a / b| eb) / (|b| - eb). */
static int quotient_error(maker *m, const site *s, int quotient) {
    const int b = from_zero(m, wide(m, s->operand[1]));
    if (s->bound[1] == NONE)
        return emit2(m, GN_OP_DIV, ea(m, s), b);
    const int e = bound_add(m, s->bound[0], bound_scale(m, quotient, s->bound[1]));
    const int least = emit2(m, GN_OP_SUB, b, s->bound[1]);
    return emit2(m, GN_OP_DIV, e, emit2(m, GN_OP_MAX, least, number_f64(m, 0)));
}

static int rule_quotient(maker *m, const site *s) {
    if (!gn_dtype_is_float(s->type))
        return rule_discrete(m, s);
    return quotient_error(m, s, magnitude_v(m, s));
}

/* op(x + e) - op(x - e) for a function that only grows, by jumps; NaN and infinity do not move. */
static int jump(maker *m, int op, int x, int e) {
    const int above = emit1(m, op, emit2(m, GN_OP_ADD, x, e));
    const int off = emit2(m, GN_OP_SUB, above, emit1(m, op, emit2(m, GN_OP_SUB, x, e)));
    return if_at_most(m, emit1(m, GN_OP_ABS, x), number_f64(m, DBL_MAX), off, certain(m, e));
}

static int rule_jump(maker *m, const site *s) {
    return jump(m, s->insn->op, wide(m, s->operand[0]), ea(m, s));
}

/* floor(a / b), where a / b may have been rounded first */
static int rule_floordiv(maker *m, const site *s) {
    if (!gn_dtype_is_float(s->type))
        return s->exact ? NONE : rule_discrete(m, s);
    const int quotient = op2(m, s, GN_OP_DIV), size = emit1(m, GN_OP_ABS, quotient);
    const int rounding = emit2(m, GN_OP_MUL, size, number_f64(m, value_eps(s->type)));
    const int e = s->exact ? NONE : quotient_error(m, s, size);
    const int off = jump(m, GN_OP_FLOOR, quotient, bound_add(m, rounding, e));
    if (!s->exact)
        return off;
    const int whole = as_bool(m, GN_OP_EQ, quotient, emit1(m, GN_OP_RINT, quotient));
    return choose(m, whole, number_f64(m, 0), off); /* rounding leaves a whole number alone */
}

/* a - b n with an integer n near a / b: ea + |n| eb, and |b| + eb for each jump of n */
static int rule_modulus(maker *m, const site *s) {
    if (!gn_dtype_is_float(s->type))
        return rule_discrete(m, s);
    const int op = s->insn->op == GN_OP_FMOD ? GN_OP_TRUNC : GN_OP_FLOOR;
    const int quotient = op2(m, s, GN_OP_DIV), size = emit1(m, GN_OP_ABS, quotient);
    const int jumps = jump(m, op, quotient, quotient_error(m, s, size));
    const int n = emit1(m, GN_OP_ABS, emit1(m, op, quotient));
    const int b = bound_add(m, magnitude_b(m, s), s->bound[1]);
    const int own = bound_add(m, s->bound[0], bound_scale(m, n, s->bound[1]));
    const int off = bound_add(m, emit2(m, GN_OP_MUL, jumps, b), own);
    return if_at_most(m, size, number_f64(m, DBL_MAX), off, certain(m, jumps));
}

/* |b| w^(b-1) ea with the w within |a| +- ea that gives the most; no sign of a power of a number
 * near 0 is certain, unless b is an integer */
static int power_of_inexact(maker *m, const site *s) {
    const int e = s->bound[0], a = magnitude_a(m, s), b = wide(m, s->operand[1]);
    const int one = number_f64(m, 1), zero = number_f64(m, 0);
    const int low = emit2(m, GN_OP_SUB, from_zero(m, wide(m, s->operand[0])), e);
    const int least = emit2(m, GN_OP_MAX, low, zero);
    const int w = if_at_most(m, one, b, emit2(m, GN_OP_ADD, a, e), least);
    const int power = emit2(m, GN_OP_POW, w, emit2(m, GN_OP_SUB, b, one));
    const int off = emit2(m, GN_OP_MUL, emit2(m, GN_OP_MUL, magnitude_b(m, s), power), e);
    const int whole = as_bool(m, GN_OP_EQ, b, emit1(m, GN_OP_RINT, b));
    const int near = if_at_most(m, e, a, off, uncertain(m));
    return choose(m, whole, off, near);
}

/* |v| (e^(|log a| eb) - 1); of a negative number only powers to integers are numbers, which an
 * inexact exponent may be or not */
static int power_to_inexact(maker *m, const site *s) {
    const int log = emit1(m, GN_OP_ABS, emit1(m, GN_OP_LOG, magnitude_a(m, s)));
    const int growth = emit1(m, GN_OP_EXPM1, emit2(m, GN_OP_MUL, log, s->bound[1]));
    const int off = emit2(m, GN_OP_MUL, magnitude_v(m, s), growth);
    return if_at_most(m, ea(m, s), wide(m, s->operand[0]), off, uncertain(m));
}

static int rule_power(maker *m, const site *s) {
    int e = NONE;
    if (!gn_dtype_is_float(s->type))
        return rule_discrete(m, s);
    if (s->bound[0] != NONE)
        e = power_of_inexact(m, s);
    return s->bound[1] == NONE ? e : bound_add(m, e, power_to_inexact(m, s));
}

/* The angle moves by less than 1.6 e / (r - e) if the point (b, a), r away from 0, moves by e. Near
 * the cut, where a is 0 and b < 0, nothing is certain. */
static int rule_atan2(maker *m, const site *s) {
    const int a = wide(m, s->operand[0]), b = wide(m, s->operand[1]), zero = number_f64(m, 0);
    const int e = bound_add(m, s->bound[0], s->bound[1]);
    const int square = emit2(m, GN_OP_ADD, emit2(m, GN_OP_MUL, a, a), emit2(m, GN_OP_MUL, b, b));
    const int r = from_zero(m, emit1(m, GN_OP_SQRT, square));
    const int off = emit2(m, GN_OP_MUL, relative(m, e, r), number_f64(m, 1.6));
    if (s->bound[0] == NONE)
        return off;
    const int right = emit2(m, GN_OP_SUB, b, bound_value(m, s->bound[1]));
    const int near = if_at_most(m, s->bound[0], from_zero(m, a), off, uncertain(m));
    return if_at_most(m, zero, right, off, near);
}

/* ---- Roots and transcendental functions ------------------------------------------------------ */

/* `bound`, if the operand x, with its error e, is certain not to be negative. */
static int if_positive(maker *m, const site *s, int x, int e, int bound) {
    const int slack = number_f64(m, SLACK * value_tiny(s->type));
    return if_at_most(m, e, emit2(m, GN_OP_ADD, x, slack), bound, uncertain(m));
}

/* |sqrt(a') - sqrt(a)| <= 2 ea / (sqrt(a) + sqrt(ea)), also at 0 */
static int rule_sqrt(maker *m, const site *s) {
    const int e = emit2(m, GN_OP_ADD, ea(m, s), number_f64(m, value_tiny(s->type)));
    const int least = emit2(m, GN_OP_ADD, magnitude_v(m, s), emit1(m, GN_OP_SQRT, e));
    const int off = emit2(m, GN_OP_DIV, emit2(m, GN_OP_ADD, e, e), least);
    return if_positive(m, s, from_zero(m, wide(m, s->operand[0])), ea(m, s), off);
}

static int rule_rsqrt(maker *m, const site *s) {
    const int a = from_zero(m, wide(m, s->operand[0]));
    return emit2(m, GN_OP_MUL, magnitude_v(m, s), relative(m, ea(m, s), a));
}

static int scaled(maker *m, const site *s, double slope) {
    return bound_scale(m, number_f64(m, slope), s->bound[0]);
}

/* |v| (e^ea - 1), also if ea is large */
static int exp_error(maker *m, const site *s, double factor) {
    const int e = scaled(m, s, factor);
    return emit2(m, GN_OP_MUL, magnitude_v(m, s), emit1(m, GN_OP_EXPM1, e));
}

static int rule_exp(maker *m, const site *s) { return exp_error(m, s, 1); }
static int rule_exp2(maker *m, const site *s) { return exp_error(m, s, M_LN2); }

/* |v| + 1 bounds the slopes of expm1 and sinh. */
static int rule_expm1(maker *m, const site *s) {
    return bound_add(m, rule_exp(m, s), emit1(m, GN_OP_EXPM1, s->bound[0]));
}

static int rule_log(maker *m, const site *s) {
    const double factor = s->insn->op == GN_OP_LOG2    ? M_LOG2E
                          : s->insn->op == GN_OP_LOG10 ? M_LOG10E
                                                       : 1;
    const int a = from_zero(m, wide(m, s->operand[0]));
    return bound_scale(m, number_f64(m, factor), relative(m, ea(m, s), a));
}

static int rule_log1p(maker *m, const site *s) {
    const int x = emit2(m, GN_OP_ADD, wide(m, s->operand[0]), number_f64(m, 1));
    return relative(m, ea(m, s), from_zero(m, x));
}

/* (1 + v^2) t / (1 - |v| t) with t = tan ea, which is less than 1.1 ea / (1 - ea) */
static int rule_tan(maker *m, const site *s) {
    const int v = magnitude_v(m, s), one = number_f64(m, 1), e = s->bound[0];
    const int slope = emit2(m, GN_OP_ADD, one, emit2(m, GN_OP_MUL, v, v));
    const int size = emit2(m, GN_OP_ADD, one, emit2(m, GN_OP_MUL, v, number_f64(m, 1.1)));
    const int least = emit2(m, GN_OP_SUB, one, emit2(m, GN_OP_MUL, size, e));
    const int t = emit2(m, GN_OP_DIV, emit2(m, GN_OP_MUL, e, number_f64(m, 1.1)),
                        emit2(m, GN_OP_MAX, least, number_f64(m, 0)));
    return emit2(m, GN_OP_MUL, slope, t);
}

/* ea / least, or ea / sqrt(least), where `least` is the distance from the domain's edge, less ea.
 * Well outside of the domain, and of NaN, the value is certain: NaN. */
static int inside(maker *m, const site *s, int distance, bool root) {
    const int e = ea(m, s), zero = number_f64(m, 0);
    const int least = emit2(m, GN_OP_MAX, emit2(m, GN_OP_SUB, distance, e), zero);
    const int off = emit2(m, GN_OP_DIV, e, root ? emit1(m, GN_OP_SQRT, least) : least);
    const int farthest = emit2(m, GN_OP_ADD, distance, e);
    return if_at_most(m, zero, farthest, off, certain(m, e));
}

/* 1 - |a|, less than the 1 - a^2 of the slopes. */
static int inside_one(maker *m, const site *s, bool root) {
    const int size = emit1(m, GN_OP_ABS, wide(m, s->operand[0]));
    return inside(m, s, emit2(m, GN_OP_SUB, number_f64(m, 1), size), root);
}

static int rule_asin(maker *m, const site *s) { return inside_one(m, s, true); }
static int rule_atanh(maker *m, const site *s) { return inside_one(m, s, false); }

static int rule_acosh(maker *m, const site *s) {
    const int distance = emit2(m, GN_OP_SUB, wide(m, s->operand[0]), number_f64(m, 1));
    return inside(m, s, distance, true);
}

static int rule_erf(maker *m, const site *s) { return scaled(m, s, M_2_SQRTPI); }

/* Both have poles at 0 and below: there is no simple bound there. */
static int if_above_poles(maker *m, const site *s, int slope) {
    const int x = emit2(m, GN_OP_SUB, wide(m, s->operand[0]), ea(m, s));
    const int off = emit2(m, GN_OP_MUL, slope, ea(m, s));
    return if_at_most(m, number_f64(m, value_tiny(s->type)), x, off, uncertain(m));
}

/* The slope is digamma, which grows. */
static int rule_lgamma(maker *m, const site *s) {
    const int a = wide(m, s->operand[0]);
    const int low = emit1(m, GN_OP_DIGAMMA, emit2(m, GN_OP_SUB, a, ea(m, s)));
    const int high = emit1(m, GN_OP_DIGAMMA, emit2(m, GN_OP_ADD, a, ea(m, s)));
    const int slope = emit2(m, GN_OP_MAX, emit1(m, GN_OP_ABS, low), emit1(m, GN_OP_ABS, high));
    return if_above_poles(m, s, slope);
}

/* The slope is less than 1 / x + 1 / x^2. */
static int rule_digamma(maker *m, const site *s) {
    const int x = emit2(m, GN_OP_SUB, wide(m, s->operand[0]), ea(m, s));
    const int inverse = emit2(m, GN_OP_DIV, number_f64(m, 1), x);
    const int square = emit2(m, GN_OP_MUL, inverse, inverse);
    return if_above_poles(m, s, emit2(m, GN_OP_ADD, inverse, square));
}

/* ---- Decisions ------------------------------------------------------------------------------- */

/* 1 if a - b is smaller than its error, and so may have the other sign; else 0. The difference is
 * NaN if an operand is, or both are one infinity: no error changes that. */
static int rule_comparison(maker *m, const site *s) {
    const int e = bound_add(m, s->bound[0], s->bound[1]);
    const int distance = emit1(m, GN_OP_ABS, op2(m, s, GN_OP_SUB));
    const double slack = gn_dtype_is_float(s->from) ? SLACK * value_tiny(s->from) : 0;
    const int least =
        if_at_most(m, distance, number_f64(m, (double)INFINITY),
                   emit2(m, GN_OP_ADD, distance, number_f64(m, slack)), number_f64(m, DBL_MAX));
    return if_at_most(m, e, least, number_f64(m, 0), number_f64(m, 1));
}

/* What is uncertain may be NaN or infinite. */
static int rule_test(maker *m, const site *s) {
    const int most = number_f64(m, value_largest(s->from));
    return if_at_most(m, ea(m, s), most, number_f64(m, 0), number_f64(m, 1));
}

/* The chosen one's error; of a choice that may be wrong the distance of the two, too. */
static int rule_select(maker *m, const site *s) {
    const int eb = s->bound[1], ec = s->bound[2];
    int e = NONE;
    if (eb != NONE || ec != NONE)
        e = choose(m, m->value[s->operand[0]], bound_value(m, eb), bound_value(m, ec));
    if (s->bound[0] == NONE)
        return e;
    const int b = wide(m, s->operand[1]), c = wide(m, s->operand[2]);
    const int distance = emit1(m, GN_OP_ABS, emit2(m, GN_OP_SUB, b, c));
    const int either = bound_add(m, bound_add(m, distance, eb), ec);
    /* Both may be the same infinity or NaN: then their difference says nothing. */
    const int same = as_bool(m, GN_OP_EQ, b, c);
    const int off = choose(m, same, bound_value(m, bound_add(m, eb, ec)), either);
    return if_at_most(m, s->bound[0], number_f64(m, 0), bound_value(m, e), off);
}

/* Whether trunc(a) fits into an integer type: what does not may become anything. */
static int cast_to_integer(maker *m, const site *s) {
    const int bits = 8 * (int)gn_dtype_bytes(s->type);
    const bool is_signed = s->type != GN_U8 && s->type != GN_U32;
    const double end = ldexp(1, is_signed ? bits - 1 : bits), begin = is_signed ? -end : 0;
    const int x = wide(m, s->operand[0]), whole = emit1(m, GN_OP_TRUNC, x);
    const int fits = emit(m, GN_OP_AND, GN_BOOL, as_bool(m, GN_OP_LE, number_f64(m, begin), whole),
                          as_bool(m, GN_OP_LT, whole, number_f64(m, end)), 0);
    const int off = s->exact ? number_f64(m, 0) : jump(m, GN_OP_TRUNC, x, ea(m, s));
    return choose(m, fits, off, uncertain(m));
}

static int rule_cast(maker *m, const site *s) {
    const bool from_float = gn_dtype_is_float(s->from);
    if (s->type == s->from || s->type == GN_F64 || (s->type == GN_F32 && !from_float && s->exact))
        return s->bound[0];
    if (s->type == GN_F32)
        return bound_add(m, s->bound[0], rounding_bound(m, s, 0));
    if (s->type != GN_BOOL)
        return from_float ? cast_to_integer(m, s) : s->exact ? NONE : rule_discrete(m, s);
    if (s->exact)
        return NONE;
    const double slack = from_float ? SLACK * value_tiny(s->from) : 0;
    const int least = emit2(m, GN_OP_ADD, magnitude_a(m, s), number_f64(m, slack));
    return if_at_most(m, ea(m, s), least, number_f64(m, 0), number_f64(m, 1));
}

static int rule_round(maker *m, const site *s) {
    return bound_rounded(m, s->insn->b, s->number, s->bound[0]);
}

/* ---- The table ------------------------------------------------------------------------------- */

/*
 * Columns: opcode, rule, how the result is rounded. ALWAYS: the rule is asked of exact operands,
 * too, and rounds nothing else. SCALE1: ulp of max(1, |v|).
 */
enum { EXACT, ALWAYS, ROUNDED, SCALE1 };

#define RULES(X)                                                                                   \
    X(LOAD, none, EXACT)                                                                           \
    X(LOADX, discrete, EXACT)                                                                      \
    X(CONST, none, EXACT)                                                                          \
    X(PARAM, none, EXACT)                                                                          \
    X(STORE, none, EXACT)    /* shadow.c's */                                                      \
    X(REDUCE, none, EXACT)   /* shadow.c's */                                                      \
    X(ELEMENTS, none, EXACT) /* makes no value */                                                  \
    X(CAST, cast, ALWAYS)                                                                          \
    X(ROUND, round, EXACT)                                                                         \
    X(RANDOM, discrete, EXACT)                                                                     \
    X(ADD, sum, ROUNDED)                                                                           \
    X(SUB, sum, ROUNDED)                                                                           \
    X(MUL, product, ROUNDED)                                                                       \
    X(DIV, quotient, ROUNDED)                                                                      \
    X(FLOORDIV, floordiv, ALWAYS)                                                                  \
    X(FMOD, modulus, EXACT)                                                                        \
    X(REMAINDER, modulus, ROUNDED)                                                                 \
    X(POW, power, ROUNDED)                                                                         \
    X(MIN, larger, EXACT)                                                                          \
    X(MAX, larger, EXACT)                                                                          \
    X(ATAN2, atan2, ROUNDED)                                                                       \
    X(NEG, same, EXACT)                                                                            \
    X(ABS, same, EXACT)                                                                            \
    X(SIGN, jump, EXACT)                                                                           \
    X(SQRT, sqrt, ROUNDED)                                                                         \
    X(RSQRT, rsqrt, ROUNDED)                                                                       \
    X(FLOOR, jump, EXACT)                                                                          \
    X(CEIL, jump, EXACT)                                                                           \
    X(TRUNC, jump, EXACT)                                                                          \
    X(RINT, jump, EXACT)                                                                           \
    X(EXP, exp, ROUNDED)                                                                           \
    X(EXP2, exp2, ROUNDED)                                                                         \
    X(EXPM1, expm1, ROUNDED)                                                                       \
    X(LOG, log, ROUNDED)                                                                           \
    X(LOG2, log, ROUNDED)                                                                          \
    X(LOG10, log, ROUNDED)                                                                         \
    X(LOG1P, log1p, ROUNDED)                                                                       \
    X(SIN, same, ROUNDED)                                                                          \
    X(COS, same, ROUNDED)                                                                          \
    X(TAN, tan, ROUNDED)                                                                           \
    X(ASIN, asin, ROUNDED)                                                                         \
    X(ACOS, asin, ROUNDED)                                                                         \
    X(ATAN, same, ROUNDED)                                                                         \
    X(SINH, expm1, ROUNDED)                                                                        \
    X(COSH, exp, ROUNDED)                                                                          \
    X(TANH, same, ROUNDED)                                                                         \
    X(ASINH, same, ROUNDED)                                                                        \
    X(ACOSH, acosh, ROUNDED)                                                                       \
    X(ATANH, atanh, ROUNDED)                                                                       \
    X(ERF, erf, ROUNDED)                                                                           \
    X(ERFC, erf, ROUNDED)                                                                          \
    X(LGAMMA, lgamma, SCALE1)                                                                      \
    X(DIGAMMA, digamma, SCALE1)                                                                    \
    X(EQ, comparison, EXACT)                                                                       \
    X(NE, comparison, EXACT)                                                                       \
    X(LT, comparison, EXACT)                                                                       \
    X(LE, comparison, EXACT)                                                                       \
    X(ISNAN, test, EXACT)                                                                          \
    X(ISINF, test, EXACT)                                                                          \
    X(AND, bits, EXACT)                                                                            \
    X(OR, bits, EXACT)                                                                             \
    X(XOR, bits, EXACT)                                                                            \
    X(NOT, bits, EXACT)                                                                            \
    X(SHL, discrete, EXACT)                                                                        \
    X(SHR, discrete, EXACT)                                                                        \
    X(SELECT, select, EXACT)

/* An opcode without a row here does not compile. */
enum {
#define X(name, rule, rounding) HAS_RULE_##name,
    RULES(X)
#undef X
};
#define X(name, value, arity, ulp, meaning)                                                        \
    _Static_assert(HAS_RULE_##name >= 0, "every opcode has a rule");
GN_OPCODES(X)
#undef X

static const struct {
    int (*propagate)(maker *m, const site *s);
    uint8_t kind, n_values, units;
} rules[GN_OP_SELECT + 1] = {
#define X(name, rule, rounding)                                                                    \
    [GN_OP_##name].propagate = rule_##rule, [GN_OP_##name].kind = rounding,
    RULES(X)
#undef X
#define X(name, value, arity, ulp, meaning) [value].n_values = arity, [value].units = ulp,
        GN_OPCODES(X)
#undef X
};

double opcode_ulp(int op) { return op <= GN_OP_SELECT ? rules[op].units : 0; }

unsigned value_operands(const gn_insn *insn) {
    switch (insn->op) {
    case GN_OP_LOADX:
    case GN_OP_STORE: return 2;
    case GN_OP_REDUCE: return insn->c == GN_ARGMAX || insn->c == GN_ARGMIN ? 3 : 1;
    default: return insn->op <= GN_OP_SELECT ? (1u << rules[insn->op].n_values) - 1 : 0;
    }
}

/* Which operands' zeros (bits 1, 2) have a sign that decides: that of a zero from MIN and MAX is
 * free. */
static const uint8_t minds_zero[GN_OP_SELECT + 1] = {
    [GN_OP_DIV] = 2,   [GN_OP_FLOORDIV] = 2, [GN_OP_POW] = 1,
    [GN_OP_ATAN2] = 3, [GN_OP_RSQRT] = 1,    [GN_OP_DIGAMMA] = 1,
};

/* What the contract leaves free beyond the opcode: the sign of such a zero, and that a product
 * which overflows need not do so where it is contracted with the sum that takes it. */
static int freedom_bound(maker *m, const site *s) {
    const int op = s->insn->op;
    const bool sums = (op == GN_OP_ADD || op == GN_OP_SUB) && gn_dtype_is_float(s->type);
    int e = NONE;
    if (m->source->flags & GN_PROGRAM_NO_CONTRACT || !(sums || minds_zero[op]))
        return NONE;
    for (int k = 0; k < 2 && k < rules[op].n_values; k++) {
        const int from = insn_at(m->source, (uint32_t)s->operand[k])->op;
        const bool zero = minds_zero[op] >> k & 1 && (from == GN_OP_MIN || from == GN_OP_MAX);
        if (!zero && !(sums && from == GN_OP_MUL))
            continue;
        const int size = emit1(m, GN_OP_ABS, wide(m, s->operand[k]));
        const int free = as_bool(m, GN_OP_EQ, size, number_f64(m, zero ? 0 : (double)INFINITY));
        e = bound_add(m, e, choose(m, free, uncertain(m), number_f64(m, 0)));
    }
    return e;
}

int rule_bound(maker *m, const site *s) {
    const int op = s->insn->op;
    if (op > GN_OP_SELECT || rules[op].propagate == NULL)
        return uncertain(m); /* an opcode of a later version */
    const int rounding = rules[op].kind;
    const int own = !s->exact || rounding == ALWAYS ? rules[op].propagate(m, s) : NONE;
    const int e = bound_add(m, own, freedom_bound(m, s));
    if (rounding != ROUNDED && rounding != SCALE1)
        return e;
    return bound_add(m, e, rounding_bound(m, s, rounding == SCALE1));
}
