/* SPDX-License-Identifier: Apache-2.0 */
/*
 * math.cl - functions that programs are made of, where the language has none, or not within the
 * error that the table of opcodes allows. USES_.. is defined for those that a text has.
 */

/* ---- Indices */

/* n / d for n < 2^31; magic is of d (backends/codegen/space.c). */
FN u32 quotient(u32 n, u64 magic) { return (MUL_HI(n, (u32)magic) + n) >> (u32)(magic >> 32); }

/* ---- Reductions */

/* total += x; what rounding takes away is kept in `lost` (Knuth's two-sum). */
#define ADD_TO_TOTAL(T, total, lost, x)                                                            \
    do {                                                                                           \
        const T sum_ = (total) + (x), added_ = sum_ - (total);                                     \
        (lost) += ((total) - (sum_ - added_)) + ((x)-added_);                                      \
        (total) = sum_;                                                                            \
    } while (0)
/* An infinite total has lost no number, but inf - inf. */
#define TOTAL(total, lost) ((lost) - (lost) == 0 ? (total) + (lost) : (total))

/* Takes a key and its payload into the best so far, which comes before others by `order`: NaN before
 * all, and of equals the one with the smallest payload. */
#define TAKE_IF(is_first, is_after, best, winner, key, payload)                                    \
    do {                                                                                           \
        const bool first_ = is_first, after_ = is_after;                                           \
        if (first_ || (!after_ && (payload) < (winner))) {                                         \
            (best) = (key);                                                                        \
            (winner) = (payload);                                                                  \
        }                                                                                          \
    } while (0)
#define TAKE(order, best, winner, key, payload)                                                    \
    TAKE_IF((key)order(best), (best)order(key), best, winner, key, payload)
#define TAKE_FLOAT(order, best, winner, key, payload)                                              \
    TAKE_IF((key)order(best) || (isnan(key) && !isnan(best)),                                      \
            (best)order(key) || (isnan(best) && !isnan(key)), best, winner, key, payload)

/* ---- Random numbers: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011 */

#ifdef USES_philox
/* The four words of the block that `index` is in. They are computed in the lower halves of 64 bits,
 * as the vectors of CPUs multiply; what is in the upper halves no word depends on. */
FN void philox(i64 index, i64 offset, i64 key, u32 *out) {
    u64 c0 = (u64)(index >> 2), c1 = c0 >> 32, c2 = (u64)offset, c3 = c2 >> 32;
    u32 k0 = (u32)key, k1 = (u32)((u64)key >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const u64 product0 = (u64)(u32)c0 * 0xD2511F53u, product1 = (u64)(u32)c2 * 0xCD9E8D57u;
        c0 = (product1 >> 32) ^ c1 ^ k0;
        c1 = product1;
        c2 = (product0 >> 32) ^ c3 ^ k1;
        c3 = product0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = (u32)c0;
    out[1] = (u32)c1;
    out[2] = (u32)c2;
    out[3] = (u32)c3;
}

FN u32 philox_word(i64 index, i64 offset, i64 key) {
    u32 block[4];
    philox(index, offset, key, block);
    return block[index & 3];
}
#endif

/* ---- Integers: nothing traps */

#define INTEGERS(T, U)                                                                             \
    FN T div_##T(T a, T b) { return b == 0 ? 0 : b == (T)-1 && b < 1 ? (T)(0 - (U)a) : a / b; }    \
    FN T fmod_##T(T a, T b) { return b == 0 || (b == (T)-1 && b < 1) ? 0 : a % b; }                \
    FN T remainder_##T(T a, T b) {                                                                 \
        const T r = fmod_##T(a, b);                                                                \
        return r != 0 && (r < 0) != (b < 0) ? r + b : r;                                           \
    }                                                                                              \
    FN T floordiv_##T(T a, T b) {                                                                  \
        return div_##T(a, b) - (fmod_##T(a, b) != 0 && (a < 0) != (b < 0));                        \
    }                                                                                              \
    FN T pow_##T(T a, T b) {                                                                       \
        if (b < 0)                                                                                 \
            return a == 1 ? 1 : a == (T)-1 ? (b & 1 ? a : 1) : 0;                                  \
        U result = 1, square = (U)a;                                                               \
        for (; b != 0; b >>= 1, square *= square)                                                  \
            if (b & 1)                                                                             \
                result *= square;                                                                  \
        return (T)result;                                                                          \
    }
#ifdef USES_integers_u8
INTEGERS(u8, u32)
#endif
#ifdef USES_integers_i8
INTEGERS(i8, u32)
#endif
#ifdef USES_integers_i16
INTEGERS(i16, u32)
#endif
#ifdef USES_integers_i32
INTEGERS(i32, u32)
#endif
#ifdef USES_integers_u32
INTEGERS(u32, u32)
#endif
#ifdef USES_integers_i64
INTEGERS(i64, u64)
#endif

/* ---- Floats: arithmetic */

/* The sum of c[k] x^k, for polynomials below, each fitted for the smallest relative error. */
#define POLY2(x, a, b) ((a) + (x) * (b))
#define POLY3(x, a, b, c) ((a) + (x)*POLY2(x, b, c))
#define POLY4(x, a, b, c, d) ((a) + (x)*POLY3(x, b, c, d))
#define POLY5(x, a, b, c, d, e) ((a) + (x)*POLY4(x, b, c, d, e))
#define POLY6(x, a, b, c, d, e, f) ((a) + (x)*POLY5(x, b, c, d, e, f))
#define POLY7(x, a, b, c, d, e, f, g) ((a) + (x)*POLY6(x, b, c, d, e, f, g))
#define POLY8(x, a, b, c, d, e, f, g, h) ((a) + (x)*POLY7(x, b, c, d, e, f, g, h))
#define POLY9(x, a, b, c, d, e, f, g, h, i) ((a) + (x)*POLY8(x, b, c, d, e, f, g, h, i))

#ifdef USES_div_f32
#if defined(EXACT_DIVIDE)
FN f32 div_f32(f32 a, f32 b) { return a / b; }
#elif defined(FP64)
FN f32 div_f32(f32 a, f32 b) { return (f32)((f64)a / (f64)b); }
#else
/* Corrects a reciprocal, and with it the quotient of the mantissas (Markstein, "Computation of
 * elementary functions on the IBM RISC System/6000 processor", 1990). A subnormal quotient is
 * rounded once more: where that is a tie, the remainder knows better. */
FN f32 div_f32(f32 a, f32 b) {
    int exponent_a, exponent_b;
    const f32 m = frexp(a, &exponent_a), d = frexp(b, &exponent_b);
    if (a == 0 || b == 0 || a - a != 0 || b - b != 0)
        return a / b;
    f32 y = 1 / d;
    y = fma(fma(-d, y, 1.0f), y, y);
    f32 q = m * y;
    q = fma(fma(-d, q, m), y, q);
    q = fma(fma(-d, q, m), y, q);
    const int e = exponent_a - exponent_b;
    const f32 result = ldexp(q, e), lost = q - ldexp(result, -e), least = AS_F32(1);
    const bool too_small = lost * fma(-d, q, m) * d > 0;
    return too_small && 2 * fabs(lost) == ldexp(least, -e) ? result + copysign(least, lost)
                                                           : result;
}
#endif
#endif
#define div_f64(a, b) ((a) / (b))

#ifdef USES_sqrt_f32
/* The language's is within 3 ulp; a step of Newton's method makes it 1. */
FN f32 sqrt_f32(f32 x) {
    const f32 root = sqrt(x);
#ifdef EXACT_DIVIDE
    return root;
#else
    return root > 0 && root < INFINITY ? root + fma(-root, root, x) / (2 * root) : root;
#endif
}
#endif
#define sqrt_f64(x) sqrt(x)

/* The sum with a number that leaves no fraction rounds to a whole one; on some devices faster than
 * rint. */
#define RINT(T, most)                                                                              \
    FN T rint_##T(T x) {                                                                           \
        const T large = copysign((T)most, x);                                                      \
        return fabs(x) < most ? copysign((x + large) - large, x) : x;                              \
    }
#define REMAINDER(T)                                                                               \
    FN T remainder_##T(T a, T b) {                                                                 \
        const T r = fmod(a, b);                                                                    \
        return r != 0 && (r < 0) != (b < 0) ? r + b : r;                                           \
    }
#ifdef USES_rint_f32
RINT(f32, 8388608.0f)
#endif
#ifdef USES_rint_f64
RINT(f64, 4503599627370496.0)
#endif
#ifdef USES_remainder_f32
REMAINDER(f32)
#endif
#ifdef USES_remainder_f64
REMAINDER(f64)
#endif

/* -0 is less than 0: equal numbers have equal bits, but for the sign of zeros. */
#ifdef USES_max_f32
FN f32 max_f32(f32 a, f32 b) {
    return a == b ? AS_F32(AS_I32(a) & AS_I32(b)) : a > b || a != a ? a : b;
}
#endif
#ifdef USES_min_f32
FN f32 min_f32(f32 a, f32 b) {
    return a == b ? AS_F32(AS_I32(a) | AS_I32(b)) : a < b || a != a ? a : b;
}
#endif
#ifdef USES_max_f64
FN f64 max_f64(f64 a, f64 b) {
    return a == b ? AS_F64(AS_I64(a) & AS_I64(b)) : a > b || a != a ? a : b;
}
#endif
#ifdef USES_min_f64
FN f64 min_f64(f64 a, f64 b) {
    return a == b ? AS_F64(AS_I64(a) | AS_I64(b)) : a < b || a != a ? a : b;
}
#endif

/* ---- f32 */

/* The sum with 1.5 2^23 has the nearest whole number in its low bits, for |x| < 2^22. */
#define WHOLE_BITS(x) ((x) + 12582912.0f)

/* x 2^n for the whole number in bits = WHOLE_BITS(n), n from -190 to 128, and x from 0.7 to 1.5; for
 * small results with a detour, so that they are rounded once. */
FN f32 scale(f32 x, f32 bits) {
    const bool small = bits < 12582912.0f - 125;
    const u32 sum = AS_U32(x) + (AS_U32(bits) << 23) + (small ? 64u << 23 : 0);
    return AS_F32(sum) * (small ? 5.42101086e-20f : 1.0f); /* 2^-64 */
}

/* e^f for |f| <= log(2) / 2 */
FN f32 exp_near_0(f32 f) {
    const f32 p = POLY6(f, 0.5f, 0.166666657f, 0.0416662954f, 0.00833349675f, 0.00139446487f,
                        0.000197903253f);
    return p * f * f + f + 1;
}

/* On CPUs, which make vectors of it, it is several times faster than the language's. */
FN f32 exp_f32(f32 x) {
    const f32 inside = x < -104 ? -104.0f : x; /* it is 0 there already */
    const f32 bits = WHOLE_BITS(inside * 1.44269504f), n = bits - 12582912.0f;
    const f32 f = inside - n * 0.693145752f - n * 1.42860677e-6f;
    return x <= 88.7228394f ? scale(exp_near_0(f), bits) : x * INFINITY;
}

#ifdef USES_tanh_f32
/*
 * Up to 0.8 it is x + x^3 p(x^2), beyond it 1 - u g(u) with u = e^-2x, where g is 2 / (1 + u)
 * without the division. The polynomials are minimax fits (Lawson's algorithm): p and g leave errors
 * of 4e-9 and 2e-9 of the result, that of e^f for |f| <= log(2) / 2 one of 1e-7, but u <= 0.21 times
 * as much. Over all f32 the result is within 1.5 ulp, and without fma within 1.8.
 */
FN f32 tanh_f32(f32 x) {
    const f32 a = fabs(x), s = x * x, t = a > 9.1f ? 9.1f : a; /* tanh 9.1 rounds to 1 */
    const f32 p = POLY6(s, -0.333333f, 0.13332221f, -0.053852327f, 0.021302974f, -0.0074095316f,
                        0.0015847413f);
    const f32 bits = WHOLE_BITS(t * -2.88539004f);
    const f32 f = -2 * t - (bits - 12582912.0f) * 0.693147182f;
    const f32 e = POLY6(f, 1, 1, 0.49999232f, 0.16667115f, 0.04189015f, 0.00831249f);
    const f32 u = AS_F32(AS_U32(e) + (AS_U32(bits) << 23));
    const f32 g = POLY6(u, 1.9999994f, -1.9999398f, 1.9980628f, -1.970767f, 1.7695986f,
                        -1.0389777f);
    return copysign(a >= 0.8f ? 1 - u * g : a * s * p + a, x);
}
#endif

#if defined(USES_erf_f32) || defined(USES_erfc_f32)
/* Up to 0.92 it is x + x p(x^2), beyond it 1 - e^q(x). */
FN f32 erf_f32(f32 x) {
    const f32 a = fabs(x), s = x * x, t = a > 4 ? 4.0f : a; /* erf 4 rounds to 1 */
    const f32 small = POLY6(s, 1.283791512e-1f, -3.761247993e-1f, 1.128168255e-1f,
                            -2.676171996e-2f, 4.985940643e-3f, -5.953741493e-4f);
    const f32 q = POLY8(t, 1.746832859e-4f, -1.129514933f, -6.333469152e-1f, -1.082800776e-1f,
                        2.511941828e-2f, -4.171059001e-3f, 4.344617482e-4f, -2.109496927e-5f);
    const f32 bits = WHOLE_BITS(q * 1.44269504f), f = q - (bits - 12582912.0f) * 0.693147182f;
    /* below 0.2, so an error of 1e-7 will do */
    const f32 e = POLY6(f, 1, 1, 4.999911189e-1f, 1.666644812e-1f, 4.190293327e-2f, 8.375471458e-3f);
    const f32 tail = AS_F32(AS_U32(e) + (AS_U32(bits) << 23));
    return a >= 0.921875f ? copysign(1 - tail, x) : small * x + x;
}
#endif

#ifdef USES_erfc_f32
/* From 0.5 on e^-x^2 / (1 + 2x) times a polynomial of (x - 2) / (x + 2); x^2 is in two parts. */
FN f32 erfc_f32(f32 x) {
    const f32 a = fabs(x) > 11 ? 11.0f : fabs(x), u = (a - 2) / (a + 2);
    const f32 head = AS_F32(AS_U32(a) & 0xfffff000), rest = (a - head) * (a + head);
    const f32 square = head * head, bits = WHOLE_BITS(square * -1.44269504f);
    const f32 n = bits - 12582912.0f;
    const f32 f = (-square - n * 0.693145752f) - (n * 1.42860677e-6f + rest);
    const f32 p = POLY9(u, 1.27697837f, -0.0927635729f, -0.166030327f, 0.164042294f, -0.0542185791f,
                        -0.00794722605f, 0.00869567133f, 0.000948598085f, -0.00132048584f);
    const f32 tail = scale(exp_near_0(f), bits) * p / (1 + 2 * a);
    return a < 0.5f ? 1 - erf_f32(x) : x < 0 ? 2 - tail : tail;
}
#endif

#ifdef USES_pow_f32
/* log2 a as the sum of two numbers: of a = 2^k m the logarithm of m is 2 atanh (m - 1) / (m + 1).
 * What is rounded off is kept, so that times b it still is good enough for an exponent. */
FN f32 log2_in_two(f32 a, f32 *rest) {
    const f32 normal = a < 1.17549435e-38f ? a * 16777216.0f : a;
    const i32 bits = AS_I32(normal), k = (bits - 0x3f3504f3) >> 23; /* m from sqrt(1/2) on */
    const f32 m = AS_F32(bits - (k << 23)), exponent = (f32)(a < 1.17549435e-38f ? k - 24 : k);
    const f32 n = m - 1, d = m + 1, s = n / d, z = s * s;
    const f32 lost = (fma(-s, d, n) - s * (m - (d - 1))) / d;
    const f32 series = s * z * POLY4(z, 0.333333313f, 0.200001672f, 0.142686397f, 0.117913716f);
    const f32 high = ROUNDED_PRODUCT(2.88539004f, s), sum = exponent + high;
    const f32 low = fma(2.88539004f, s, -high) + 2.88539004f * (lost + series) + 3.85183e-8f * s;
    const f32 less = (high - (sum - exponent)) + low, all = sum + less;
    *rest = (sum - all) + less;
    return all;
}

/* For what is neither 0 nor infinite, and a > 0. */
FN f32 pow_of_finite(f32 a, f32 b) {
    f32 low;
    const f32 high = log2_in_two(a, &low), p = ROUNDED_PRODUCT(b, high);
    if (p > 128 || p < -150)
        return p > 0 ? INFINITY : 0;
    const f32 bits = WHOLE_BITS(p), n = bits - 12582912.0f;
    const f32 f = (p - n) + (fma(b, high, -p) + b * low);
    const f32 q = POLY7(f, 0.693147182f, 0.240226507f, 0.0555041023f, 0.00961803831f,
                        0.00133339351f, 0.000154667563f, 1.51961494e-05f);
    return scale(1 + f * q, bits);
}

FN f32 pow_f32(f32 x, f32 y) {
    const f32 a = fabs(x);
    const bool whole = trunc(y) == y, odd = fabs(y) < 16777216 && whole && ((i32)y & 1) != 0;
    if (y == 0 || x == 1)
        return 1;
    if (x != x || y != y)
        return x + y;
    f32 power = 1;
    if (a == 0 || a == INFINITY || fabs(y) == INFINITY)
        power = a == 1 ? 1 : (a > 1) == (y > 0) ? INFINITY : 0;
    else if (x < 0 && !whole)
        return NAN;
    else
        power = pow_of_finite(a, y);
    return odd ? copysign(power, x) : power;
}
#endif

#if defined(USES_atan_f32) || defined(USES_atan2_f32)
/* For 0 <= x <= 1. */
FN f32 atan_to_1(f32 x) {
    const f32 s = x * x;
    return x + x * s *
                   POLY9(s, -0.333332986f, 0.199985489f, -0.142642438f, 0.109521925f,
                         -0.0840346739f, 0.0579578541f, -0.0311780814f, 0.0109147206f,
                         -0.00179364544f);
}
#endif
#ifdef USES_atan_f32
FN f32 atan_f32(f32 x) {
    const f32 a = fabs(x), y = atan_to_1(a > 1 ? 1 / a : a);
    return copysign(a > 1 ? 1.57079633f - y : y, x);
}
#endif
#ifdef USES_atan2_f32
FN f32 atan2_f32(f32 y, f32 x) {
    const f32 a = fabs(y), b = fabs(x), less = a > b ? b : a, more = a > b ? a : b;
    const f32 angle = atan_to_1(less == more ? (f32)(more > 0) : less / more);
    const f32 acute = a > b ? 1.57079633f - angle : angle;
    return copysign(AS_I32(x) < 0 ? 3.14159265f - acute : acute, y);
}
#endif

#ifdef USES_atanh_f32
FN f32 atanh_f32(f32 x) {
    const f32 a = fabs(x);
    return copysign(0.5f * log1p(2 * a / (1 - a)), x);
}
#endif

#ifdef USES_tan_f32
/* x = (q + r) pi/2, |r| <= 1/2: q modulo 4, and r in units of 2^-62. Of the bits of 2/pi those are
 * taken that matter modulo 4, 96 behind them, and multiplied by x's mantissa (Payne and Hanek,
 * "Radian reduction for trigonometric functions", 1983). For |x| >= 1/2. */
FN i64 turn(f32 x, u32 *q) {
    const u32 words[8] = {0,          0xa2f9836e, 0x4e441529, 0xfc2757d1,
                          0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};
    const u32 bits = AS_U32(x) & 0x7fffffff, at = (bits >> 23) - 120;
    const u32 mantissa = (bits & 0x7fffff) | 0x800000, i = at >> 5, shift = at & 31;
    u32 part[3];
    for (u32 k = 0; k < 3; k++)
        part[k] = (u32)((((u64)words[i + k] << 32 | words[i + k + 1]) << shift) >> 32);
    const u64 product = ((u64)(mantissa * part[0]) << 32) + (u64)mantissa * part[1] +
                        ((u64)mantissa * part[2] >> 32);
    *q = (u32)((product + ((u64)1 << 61)) >> 62);
    return (i64)(product - ((u64)*q << 62));
}

FN f32 tan_f32(f32 x) {
    u32 q = 0;
    f32 r = fabs(x), rest = 0;
    if (x - x != 0)
        return x - x; /* NaN */
    if (r >= 0.785398163f) {
        const f32 unit = 3.40612158e-19f; /* pi/2 2^-62 */
        const i64 turned = turn(r, &q);
        const f32 high = (f32)turned, low = (f32)(turned - (i64)high);
        r = ROUNDED_PRODUCT(high, unit);
        rest = fma(high, unit, -r) + low * unit + high * -9.4783968e-27f; /* what `unit` leaves out */
    }
    const f32 s = r * r;
    const f32 p = POLY7(s, 0.333333492f, 0.13332656f, 0.0540608466f, 0.0212772246f, 0.0108490735f,
                        7.22434488e-05f, 0.00438503455f);
    f32 y = r + (r * s * p + rest * (1 + s));
    if (q & 1) {
        const f32 inverse = -1 / y;
        y = fma(fma(inverse, y, 1.0f), inverse, inverse);
    }
    return x < 0 ? -y : x == 0 ? x : y;
}
#endif

#ifdef USES_lgamma_f32
/* x > 0: from 8 on by Stirling's series, else by way of the numbers from 2 to 3. */
FN f32 lgamma_positive(f32 x) {
    if (x >= 8) {
        const f32 r = 1 / x;
        return (x - 0.5f) * (log(x) - 1) + 0.418938533f +
               r * POLY3(r * r, 0.0833333333f, -0.00277777778f, 0.000793650794f);
    }
    f32 above = 1, below = 1, z = x;
    for (; z >= 3; above *= z)
        z -= 1;
    for (; z < 2; z += 1)
        below *= z;
    const f32 y = z - 2;
    const f32 near = y * POLY9(y, 0.422784328f, 0.32246691f, -0.0673503131f, 0.0205666274f,
                               -0.00732741272f, 0.00274297385f, -0.000951524009f, 0.000249855831f,
                               -3.4257333e-05f);
    return near + (x >= 3 ? log(above) : -log(below));
}

/* Of x < 0 by reflection: |gamma(x) gamma(-x)| = pi / |x sin(pi x)|. */
FN f32 lgamma_f32(f32 x) {
    if (x > 0)
        return x == INFINITY ? x : lgamma_positive(x);
    if (x == 0 || trunc(x) == x)
        return INFINITY; /* -inf is one of them */
    if (x > -1e-10f || x != x)
        return -log(-x);
    const f32 angle = (x - rint(x)) * 3.14159265f;
    return log(3.14159265f / fabs(x * sin(angle))) - lgamma_positive(-x);
}
#endif

/* By recurrence up to `enough`, then log x - 1/2x - sum of B(2k) / (2k x^2k), the Bernoulli numbers
 * B. For x < 0 by reflection; cot(t) is pi cot(pi t). */
#define DIGAMMA(T, enough, series, cot)                                                            \
    FN T digamma_positive_##T(T x) {                                                               \
        T below = 0;                                                                               \
        for (; x < enough; x += 1)                                                                 \
            below += 1 / x;                                                                        \
        const T z = 1 / (x * x);                                                                   \
        return log(x) - (T)0.5 / x - z * (series)-below;                                           \
    }                                                                                              \
    FN T digamma_##T(T x) {                                                                        \
        const T t = x - rint(x);                                                                   \
        if (x > 0)                                                                                 \
            return x == (T)INFINITY ? x : digamma_positive_##T(x);                                 \
        if (x == 0)                                                                                \
            return copysign((T)INFINITY, -x);                                                      \
        return t == 0 || t != t ? (T)NAN : digamma_positive_##T(1 - x) - (cot);                    \
    }
#ifdef USES_digamma_f32
DIGAMMA(f32, 6,
        POLY4(z, 0.0833333333f, -0.00833333333f, 0.00396825397f, -0.00416666667f),
        1 / t - t * POLY7(t * t, 3.28986859f, 2.16459465f, 2.03683996f, 1.96907449f, 2.35989141f, 0.306489378f,
                          5.71767473f))
#endif
#ifdef USES_digamma_f64
DIGAMMA(f64, 12,
        POLY8(z, 1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12,
              -3617.0 / 8160),
        3.14159265358979323846 / tan(t * 3.14159265358979323846))
#endif

/*
 * ---- f64: the language's. It promises 5 ulp of tan, tanh, atan and atanh, 6 of atan2, 16 of pow,
 * erf and erfc, and nothing of lgamma, and drivers keep better than that.
 */

#define exp_f64 exp
#define tan_f64 tan
#define atan_f64 atan
#define atan2_f64 atan2
#define tanh_f64 tanh
#define atanh_f64 atanh
#define pow_f64 pow
#define erf_f64 erf
#define erfc_f64 erfc
#define lgamma_f64 lgamma
