/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normal.c - the program of normal numbers, by Box and Muller:
 *
 *   z = sqrt(-2 log u) cos(2 pi v)      u = k 2^-24 in (0, 1], v = j 2^-24 in [0, 1)
 *
 * Logarithm and cosine are written out in operations that every device rounds alike, so that the
 * same seed gives the same numbers everywhere, but for the last bit of the square root. LOG and COS
 * may be off by some ulp, on each device in its own way.
 */
#include "../program/program.h"
#include "tensor.h"

static int add(gn__builder *b, int x, int y) { return gn__emit(b, GN_OP_ADD, x, y, 0); }
static int sub(gn__builder *b, int x, int y) { return gn__emit(b, GN_OP_SUB, x, y, 0); }
static int mul(gn__builder *b, int x, int y) { return gn__emit(b, GN_OP_MUL, x, y, 0); }
static int int32(gn__builder *b, int64_t value) { return gn__const_i(b, GN_I32, value); }

/* sum_i c[i] x^i for i < n, by Horner's rule. */
static int polynomial(gn__builder *b, int type, int x, int n, const double *c) {
    int sum = gn__const_f(b, type, c[n - 1]);
    for (int i = n - 2; i >= 0; i--)
        sum = add(b, mul(b, sum, x), gn__const_f(b, type, c[i]));
    return sum;
}

/* floor(log2 k), of an int32 from 1 to 2^24: its highest bit, looked for by halves. */
static int highest_bit(gn__builder *b, int k) {
    int exponent = int32(b, 0);
    for (int step = 16; step > 0; step /= 2) {
        int is_higher = gn__emit(b, GN_OP_LE, int32(b, INT64_C(1) << step), k, 0);
        int shift = gn__emit(b, GN_OP_SELECT, is_higher, int32(b, step), int32(b, 0));
        k = gn__emit(b, GN_OP_SHR, k, shift, 0);
        exponent = add(b, exponent, shift);
    }
    return exponent;
}

/*
 * log(k 2^-24) = e log 2 + log m, with m in (sqrt(1/2), sqrt(2)], and
 * log m = 2 artanh s = 2 s (1 + s^2 / 3 + s^4 / 5 + ..), s = (m - 1) / (m + 1), |s| < 0.172
 * Of log 2 the first part has few bits, so that its product with e is exact.
 */
static int log_of(gn__builder *b, int type, int k) {
    static const double series[] = {1,       1. / 3,  1. / 5,  1. / 7,  1. / 9, 1. / 11,
                                    1. / 13, 1. / 15, 1. / 17, 1. / 19, 1. / 21};
    const int n_terms = type == GN_F64 ? 11 : 5;
    const double log2_high = 355. / 512, log2_low = -2.121944400546905827679e-4;
    int one = gn__const_f(b, type, 1), exponent = highest_bit(b, k);
    int scale = gn__emit(b, GN_OP_SHL, int32(b, 1), sub(b, int32(b, 24), exponent), 0);
    int m = mul(b, gn__cast(b, type, k),
                mul(b, gn__cast(b, type, scale), gn__const_f(b, type, 0x1p-24)));
    int is_large = gn__emit(b, GN_OP_LT, gn__const_f(b, type, 1.4142135623730951), m, 0);
    m = gn__emit(b, GN_OP_SELECT, is_large, mul(b, m, gn__const_f(b, type, 0.5)), m);
    exponent = add(b, sub(b, exponent, int32(b, 24)), gn__cast(b, GN_I32, is_large));
    int s = gn__emit(b, GN_OP_DIV, sub(b, m, one), add(b, m, one), 0);
    int log_m = mul(b, add(b, s, s), polynomial(b, type, mul(b, s, s), n_terms, series));
    int e = gn__cast(b, type, exponent);
    int low = add(b, mul(b, e, gn__const_f(b, type, log2_low)), log_m);
    return add(b, mul(b, e, gn__const_f(b, type, log2_high)), low);
}

/* cos(2 pi j 2^-24), of an int32 from 0 to 2^24 - 1: a cosine or a sine of what lies beyond the
 * nearest quarter of a turn, at most pi / 4. */
static int cos_of(gn__builder *b, int type, int j) {
    static const double cosine[] = {1,
                                    -1. / 2,
                                    1. / 24,
                                    -1. / 720,
                                    1. / 40320,
                                    -1. / 3628800,
                                    1. / 479001600,
                                    -1. / 87178291200,
                                    1. / 20922789888000};
    static const double sine[] = {1,
                                  -1. / 6,
                                  1. / 120,
                                  -1. / 5040,
                                  1. / 362880,
                                  -1. / 39916800,
                                  1. / 6227020800,
                                  -1. / 1307674368000,
                                  1. / 355687428096000};
    const int n_terms = type == GN_F64 ? 9 : 6;
    int one = int32(b, 1), quarter = int32(b, 22);
    int turn = gn__emit(b, GN_OP_SHR, add(b, j, int32(b, 1 << 21)), quarter, 0);
    int rest = sub(b, j, gn__emit(b, GN_OP_SHL, turn, quarter, 0));
    int x = mul(b, gn__cast(b, type, rest), gn__const_f(b, type, 6.283185307179586 * 0x1p-24));
    int x2 = mul(b, x, x);
    int is_sine = gn__cast(b, GN_BOOL, gn__emit(b, GN_OP_AND, turn, one, 0));
    int value =
        gn__emit(b, GN_OP_SELECT, is_sine, mul(b, x, polynomial(b, type, x2, n_terms, sine)),
                 polynomial(b, type, x2, n_terms, cosine));
    /* cos, -sin, -cos, sin, cos of the rest: negative after one or two quarters */
    int is_negative =
        gn__cast(b, GN_BOOL, gn__emit(b, GN_OP_AND, add(b, turn, one), int32(b, 2), 0));
    return gn__emit(b, GN_OP_SELECT, is_negative, gn__emit(b, GN_OP_NEG, value, 0, 0), value);
}

int gn__build_normal(gn__builder *b, int type, int first, int second) {
    int eight = gn__const_i(b, GN_U32, 8);
    int k = sub(b, int32(b, 1 << 24), gn__cast(b, GN_I32, gn__emit(b, GN_OP_SHR, first, eight, 0)));
    int j = gn__cast(b, GN_I32, gn__emit(b, GN_OP_SHR, second, eight, 0));
    int squared = mul(b, gn__const_f(b, type, -2), log_of(b, type, k));
    return mul(b, gn__emit(b, GN_OP_SQRT, squared, 0, 0), cos_of(b, type, j));
}
