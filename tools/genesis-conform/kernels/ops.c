/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.c - every arithmetic opcode over f32 and f64, at edge values and random ones, against
 * long double functions of the C library, with the error that the table of opcodes allows.
 * Integers are in kernels_integers.c.
 */
#include "kernel.h"

typedef long double exact_fn(long double a, long double b);

/* ---- Exact values ---------------------------------------------------------------------------- */

static long double exact_remainder(long double a, long double b) {
    long double r = fmodl(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static long double exact_sign(long double a) { return isnan(a) ? a : (a > 0) - (a < 0); }
static long double exact_min(long double a, long double b) {
    return isnan(a) || isnan(b) ? NAN : a < b ? a : b;
}
static long double exact_max(long double a, long double b) {
    return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
}

/* psi(x) = psi(x + n) - sum 1/(x + i), and psi(1 - x) - psi(x) = pi cot(pi x). */
static long double exact_digamma(long double x) {
    const long double pi = acosl(-1);
    if (x < 0) {
        long double r = x - rintl(x);
        return exact_digamma(1 - x) - pi * cosl(pi * r) / sinl(pi * r);
    }
    long double sum = 0, y = x;
    for (; y < 40; y++)
        sum += 1 / y;
    long double z = 1 / (y * y);
    long double tail = z * (1.L / 12 - z * (1.L / 120 - z * (1.L / 252 - z * (1.L / 240))));
    return logl(y) - 1 / (2 * y) - tail - sum;
}

#define UNARY(name, expression)                                                                    \
    static long double name(long double a, long double b) {                                        \
        (void)b;                                                                                   \
        return expression;                                                                         \
    }
#define BINARY(name, expression)                                                                   \
    static long double name(long double a, long double b) { return expression; }
BINARY(f_add, a + b)
BINARY(f_sub, a - b)
BINARY(f_mul, a *b)
BINARY(f_div, a / b)
BINARY(f_floordiv, floorl(a / b))
UNARY(f_neg, -a)
UNARY(f_abs, fabsl(a))
UNARY(f_sign, exact_sign(a))
UNARY(f_sqrt, sqrtl(a))
UNARY(f_rsqrt, 1 / sqrtl(a))
UNARY(f_floor, floorl(a))
UNARY(f_ceil, ceill(a))
UNARY(f_trunc, truncl(a))
UNARY(f_rint, rintl(a))
UNARY(f_exp, expl(a))
UNARY(f_exp2, exp2l(a))
UNARY(f_expm1, expm1l(a))
UNARY(f_log, logl(a))
UNARY(f_log2, log2l(a))
UNARY(f_log10, log10l(a))
UNARY(f_log1p, log1pl(a))
UNARY(f_sin, sinl(a))
UNARY(f_cos, cosl(a))
UNARY(f_tan, tanl(a))
UNARY(f_asin, asinl(a))
UNARY(f_acos, acosl(a))
UNARY(f_atan, atanl(a))
UNARY(f_sinh, sinhl(a))
UNARY(f_cosh, coshl(a))
UNARY(f_tanh, tanhl(a))
UNARY(f_asinh, asinhl(a))
UNARY(f_acosh, acoshl(a))
UNARY(f_atanh, atanhl(a))
UNARY(f_erf, erfl(a))
UNARY(f_erfc, erfcl(a))
UNARY(f_lgamma, lgammal(a))
UNARY(f_digamma, exact_digamma(a))
BINARY(f_eq, a == b)
BINARY(f_ne, a != b)
BINARY(f_lt, a < b)
BINARY(f_le, a <= b)
UNARY(f_isnan, isnan(a))
UNARY(f_isinf, isinf(a) != 0)
#undef UNARY
#undef BINARY

static exact_fn *const exact[UINT8_MAX] = {
    [GN_OP_ADD] = f_add,
    [GN_OP_SUB] = f_sub,
    [GN_OP_MUL] = f_mul,
    [GN_OP_DIV] = f_div,
    [GN_OP_FLOORDIV] = f_floordiv,
    [GN_OP_FMOD] = fmodl,
    [GN_OP_REMAINDER] = exact_remainder,
    [GN_OP_POW] = powl,
    [GN_OP_MIN] = exact_min,
    [GN_OP_MAX] = exact_max,
    [GN_OP_ATAN2] = atan2l,
    [GN_OP_NEG] = f_neg,
    [GN_OP_ABS] = f_abs,
    [GN_OP_SIGN] = f_sign,
    [GN_OP_SQRT] = f_sqrt,
    [GN_OP_RSQRT] = f_rsqrt,
    [GN_OP_FLOOR] = f_floor,
    [GN_OP_CEIL] = f_ceil,
    [GN_OP_TRUNC] = f_trunc,
    [GN_OP_RINT] = f_rint,
    [GN_OP_EXP] = f_exp,
    [GN_OP_EXP2] = f_exp2,
    [GN_OP_EXPM1] = f_expm1,
    [GN_OP_LOG] = f_log,
    [GN_OP_LOG2] = f_log2,
    [GN_OP_LOG10] = f_log10,
    [GN_OP_LOG1P] = f_log1p,
    [GN_OP_SIN] = f_sin,
    [GN_OP_COS] = f_cos,
    [GN_OP_TAN] = f_tan,
    [GN_OP_ASIN] = f_asin,
    [GN_OP_ACOS] = f_acos,
    [GN_OP_ATAN] = f_atan,
    [GN_OP_SINH] = f_sinh,
    [GN_OP_COSH] = f_cosh,
    [GN_OP_TANH] = f_tanh,
    [GN_OP_ASINH] = f_asinh,
    [GN_OP_ACOSH] = f_acosh,
    [GN_OP_ATANH] = f_atanh,
    [GN_OP_ERF] = f_erf,
    [GN_OP_ERFC] = f_erfc,
    [GN_OP_LGAMMA] = f_lgamma,
    [GN_OP_DIGAMMA] = f_digamma,
    [GN_OP_EQ] = f_eq,
    [GN_OP_NE] = f_ne,
    [GN_OP_LT] = f_lt,
    [GN_OP_LE] = f_le,
    [GN_OP_ISNAN] = f_isnan,
    [GN_OP_ISINF] = f_isinf,
};

/* The rows of the table, in an array. */
static const struct row {
    const char *name;
    int op, arity, ulp;
} rows[] = {
#define X(name, value, arity, ulp, meaning) {#name, value, arity, ulp},
    GN_OPCODES(X)
#undef X
};

/* ---- Arguments ------------------------------------------------------------------------------- */

static const double edges[] = {
    0.,       -0.,   1.,    -1.,    0.5,      -0.5,      1.5,    -1.5,       2.,
    -2.,      2.5,   -2.5,  3.,     -3.,      7.,        -7.,    10.,        0.1,
    -0.1,     1e-3,  -1e-3, 1e-7,   -1e-7,    1e-20,     -1e-20, 1e4,        -1e4,
    12345.67, 87.5,  88.9,  -87.,   -104.,    709.5,     711.,   -746.,      1e10,
    1e22,     -1e22, 1e30,  -1e30,  0.9999,   -0.9999,   1.0001, 3.14159265, 1.57079632679,
    170.5,    35.,   -33.3, 1.4616, INFINITY, -INFINITY, NAN,
};
enum { EDGES = GN_LENGTH(edges), TYPE_EDGES = 6, SINGLES = EDGES + TYPE_EDGES };

static double edge(int type, size_t i) {
    double tiny = smallest_normal(type), largest = type == GN_F64 ? DBL_MAX : FLT_MAX;
    const double of_type[TYPE_EDGES] = {tiny, -tiny, tiny / 4, -tiny / 4 * 3, largest, -largest};
    return i < EDGES ? edges[i] : of_type[i - EDGES];
}

/* Numbers of all magnitudes, or of those at which functions bend. */
static double random_argument(int type, int64_t i) {
    double sign = random_bits() & 1 ? -1 : 1;
    switch (i % 4) {
    case 0: return random_between(-1.1, 1.1);
    case 1: return random_between(-12, 12);
    case 2: return random_between(-100, 100);
    default: return sign * exp2(random_between(-1, 1) * (type == GN_F64 ? 900 : 110));
    }
}

/* All pairs of edges, or all edges, and then random numbers. */
static void fill_arguments(struct buffer *a, struct buffer *b, int arity) {
    int64_t n_edges = arity == 1 ? SINGLES : SINGLES * SINGLES;
    for (int64_t i = 0; i < a->n; i++) {
        bool is_edge = i < n_edges;
        put_f(a, i, is_edge ? edge(a->dtype, (size_t)i % SINGLES) : random_argument(a->dtype, i));
        put_f(b, i,
              is_edge ? edge(b->dtype, (size_t)i / SINGLES) : random_argument(a->dtype, i / 4));
    }
}

/* ---- What is a right result ------------------------------------------------------------------ */

/* Poles of digamma, a divisor without bound, and what DIV and FMOD leave of it. */
static bool is_unspecified(int op, long double a, long double b) {
    if (op == GN_OP_DIGAMMA)
        return (a <= 0 && a == floorl(a)) || a == -INFINITY;
    return op == GN_OP_REMAINDER && isinf(b);
}

static bool is_subnormal(int type, long double a) {
    return a != 0 && fabsl(a) < (long double)smallest_normal(type);
}

static bool keeps_zero_sign(int op) {
    return (op >= GN_OP_ADD && op <= GN_OP_DIV) || op == GN_OP_NEG || op == GN_OP_ABS ||
           (op >= GN_OP_FLOOR && op <= GN_OP_RINT);
}

/* The quotient may be rounded to the type before its floor is taken. */
static bool is_rounded_floor(int type, double a, double b, double got) {
    return got == (type == GN_F64 ? floor(a / b) : (double)floorf((float)a / (float)b));
}

/* Correctly rounded is half an ulp, and a little more for the long double's own rounding. */
static double bound_of(const struct row *row) { return row->ulp ? row->ulp : 0.501; }

static double error_of(const struct row *row, int type, double a, double b, double got) {
    /* log |gamma| and its derivative cross 0 where their arguments can not be told apart well
     * enough: there the bound is one on the absolute error. */
    long double floor_at = row->op == GN_OP_LGAMMA || row->op == GN_OP_DIGAMMA ? 1 : 0;
    return ulp_error(type, got, exact[row->op](a, b), floor_at);
}

static bool agrees(const struct row *row, int type, bool strict, double a, double b, double got) {
    long double want = exact[row->op](a, b);
    bool is_bool = row->op >= GN_OP_EQ && row->op <= GN_OP_ISINF;
    if (is_bool)
        return got == (double)want;
    if (row->op == GN_OP_FLOORDIV && is_rounded_floor(type, a, b, got))
        return true;
    if (strict && want == 0 && keeps_zero_sign(row->op))
        return got == 0 && !signbit(got) == !signbit(want);
    if (!strict && got == 0 && fabsl(want) < smallest_normal(type) * (1 + 4 * machine_eps(type)))
        return true;
    return error_of(row, type, a, b, got) <= bound_of(row);
}

/* Without GN_PROGRAM_NO_CONTRACT subnormal arguments may count as zeros, each by itself. */
static bool is_right(const struct row *row, int type, bool strict, double a, double b, double got) {
    if (is_unspecified(row->op, a, b) || agrees(row, type, strict, a, b, got))
        return true;
    double flushed_a = is_subnormal(type, a) ? copysign(0, a) : a;
    double flushed_b = is_subnormal(type, b) ? copysign(0, b) : b;
    return !strict && (agrees(row, type, strict, flushed_a, b, got) ||
                       agrees(row, type, strict, a, flushed_b, got) ||
                       agrees(row, type, strict, flushed_a, flushed_b, got));
}

static void check_op(const struct row *row, int type, bool strict) {
    bool is_bool = row->op >= GN_OP_EQ && row->op <= GN_OP_ISINF;
    int64_t n = (row->arity == 1 ? SINGLES : SINGLES * SINGLES) + 1001;
    struct buffer *a = buffer_new(type, n), *b = buffer_new(type, n);
    struct buffer *y = buffer_new(is_bool ? GN_BOOL : type, n);
    fill_arguments(a, b, row->arity);
    program_begin(row->name);
    program_flags(strict ? GN_PROGRAM_NO_CONTRACT : 0);
    int x = load(0, type), z = load(1, type);
    store(2, y->dtype, row->arity == 1 ? op1(row->op, x) : op2(row->op, x, z));
    map(program_end(), SIZES(n), OPERANDS(AT(a, 0, 1), AT(b, 0, 1), AT(y, 0, 1)), NULL);
    struct buffer got = *y;
    got.data = download_all(y);
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        EXPECT(is_right(row, type, strict, get_f(a, i), get_f(b, i), get_f(&got, i)),
               "%s of %s%s: (%.17g, %.17g) gives %.17g, not %.17Lg", row->name,
               type == GN_F64 ? "f64" : "f32", strict ? ", not contracted" : "", get_f(a, i),
               get_f(b, i), get_f(&got, i), exact[row->op](get_f(a, i), get_f(b, i)));
        double error = error_of(row, type, get_f(a, i), get_f(b, i), get_f(&got, i));
        if (!is_bool && error <= bound_of(row)) /* not where a value was flushed or is free */
            worst = fmax(worst, error);
    }
    note_error(worst);
}

/* Structure is what all programs are made of; there are cases of its own for each, too. */
static bool has_other_cases(int op) {
    return op < GN_OP_ADD || op == GN_OP_SELECT || (op >= GN_OP_AND && op <= GN_OP_SHR);
}

static void floating_point(int index) {
    const struct row *row = &rows[index];
    EXPECT(exact[row->op] || has_other_cases(row->op), "no case for the opcode %s", row->name);
    for (int type = GN_F32; type <= GN_F64 && exact[row->op]; type++)
        for (int strict = 0; strict < 2 && subject("map", type); strict++)
            check_op(row, type, strict);
}

/* ---- SELECT ---------------------------------------------------------------------------------- */

static void select_ignores_the_other(void) {
    subject("map", GN_F32);
    struct buffer *c = buffer_new(GN_BOOL, 67), *y = buffer_new(GN_F32, 67);
    struct buffer *a = buffer_random(GN_F32, 67), *b = buffer_random(GN_F32, 67);
    for (int i = 0; i < 67; i++) {
        U8(c)[i] = (uint8_t)(i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 255); /* any byte but 0 is true */
        F32(i % 3 ? b : a)[i] = i % 2 ? NAN : INFINITY;
    }
    program_begin("select");
    store(3, GN_F32, choose(load(0, GN_BOOL), load(1, GN_F32), load(2, GN_F32)));
    map(program_end(), SIZES(67), OPERANDS(AT(c, 0, 1), AT(a, 0, 1), AT(b, 0, 1), AT(y, 0, 1)),
        NULL);
    for (int i = 0; i < 67; i++)
        F32(y)[i] = i % 3 ? F32(a)[i] : F32(b)[i];
    check_exact(y);
}

static const test_case cases[] = {
    {.name = "floating_point", .each = floating_point, .n = GN_LENGTH(rows)},
    {.name = "select_ignores_the_other", .run = select_ignores_the_other},
};

const test_group opcodes_group = {.name = "opcodes", CASES(cases), .after = kernel_after};
