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
/* The four words of the block that `index` is in. */
FN void philox(i64 index, i64 offset, i64 key, u32 *out) {
    u32 c0 = (u32)(index >> 2), c1 = (u32)(index >> 34);
    u32 c2 = (u32)offset, c3 = (u32)((u64)offset >> 32);
    u32 k0 = (u32)key, k1 = (u32)((u64)key >> 32);
    for (int round = 0; round < 10; round++) {
        const u32 high0 = MUL_HI(0xD2511F53u, c0), high1 = MUL_HI(0xCD9E8D57u, c2);
        const u32 low0 = 0xD2511F53u * c0, low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
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
/*TEMP*/
#define div_f32(a,b) ((a)/(b))
#define div_f64(a,b) ((a)/(b))
FN f32 remainder_f32(f32 a, f32 b) { f32 r = fmod(a, b); return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
#ifdef FP64
FN f64 remainder_f64(f64 a, f64 b) { f64 r = fmod(a, b); return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
#endif
FN f32 max_f32(f32 a, f32 b) { return a == b ? AS_F32(AS_I32(a) & AS_I32(b)) : a > b || a != a ? a : b; }
FN f32 min_f32(f32 a, f32 b) { return a == b ? AS_F32(AS_I32(a) | AS_I32(b)) : a < b || a != a ? a : b; }
#ifdef FP64
FN f64 max_f64(f64 a, f64 b) { return a == b ? AS_F64(AS_I64(a) & AS_I64(b)) : a > b || a != a ? a : b; }
FN f64 min_f64(f64 a, f64 b) { return a == b ? AS_F64(AS_I64(a) | AS_I64(b)) : a < b || a != a ? a : b; }
#endif
#define pow_f32 pow
#define pow_f64 pow
#define atan2_f32 atan2
#define atan2_f64 atan2
#define sqrt_f32 sqrt
#define sqrt_f64 sqrt
#define rsqrt_f32 rsqrt
#define rsqrt_f64 rsqrt
#define rint_f32 rint
#define rint_f64 rint
#define exp_f32 exp
#define exp_f64 exp
#define exp2_f32 exp2
#define exp2_f64 exp2
#define expm1_f32 expm1
#define expm1_f64 expm1
#define log_f32 log
#define log_f64 log
#define tan_f32 tan
#define tan_f64 tan
#define atan_f32 atan
#define atan_f64 atan
#define tanh_f32 tanh
#define tanh_f64 tanh
#define atanh_f32 atanh
#define atanh_f64 atanh
#define erf_f32 erf
#define erf_f64 erf
#define erfc_f32 erfc
#define erfc_f64 erfc
#define lgamma_f32 lgamma
#define lgamma_f64 lgamma
#define digamma_f32 lgamma
#define digamma_f64 lgamma
