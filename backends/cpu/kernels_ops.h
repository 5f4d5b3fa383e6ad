/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels_ops.h - what each opcode computes: one row per opcode and class of types.
 *
 * In an expression x, y, z are the operands, T is their type, FN(f) is the C library's f for T,
 * U the unsigned type that T's arithmetic wraps in, BITS its width, NEGATIVE(v) is v < 0 (false
 * for unsigned T), and OWN(f) is a function of ours for T: see kernels_float.inc,
 * kernels_int.inc and special.c.
 */

#define CPU_FLOAT_UNARY(X)                                                                         \
    X(NEG, -x)                                                                                     \
    X(ABS, FN(fabs)(x))                                                                            \
    X(SIGN, x != x ? x : (T)((x > 0) - (x < 0)))                                                   \
    X(SQRT, FN(sqrt)(x))                                                                           \
    X(RSQRT, 1 / FN(sqrt)(x))                                                                      \
    X(FLOOR, FN(floor)(x))                                                                         \
    X(CEIL, FN(ceil)(x))                                                                           \
    X(TRUNC, FN(trunc)(x))                                                                         \
    X(RINT, FN(rint)(x))                                                                           \
    X(ERF, OWN(erf)(x))                                                                            \
    X(LGAMMA, OWN(cpu_lgamma)(x))                                                                  \
    X(DIGAMMA, OWN(cpu_digamma)(x))

/* Functions of the C library, whose vector forms round otherwise than the scalar ones. */
#define CPU_FLOAT_LIBRARY(X)                                                                       \
    X(EXP, FN(exp)(x))                                                                             \
    X(EXP2, FN(exp2)(x))                                                                           \
    X(EXPM1, FN(expm1)(x))                                                                         \
    X(LOG, FN(log)(x))                                                                             \
    X(LOG2, FN(log2)(x))                                                                           \
    X(LOG10, FN(log10)(x))                                                                         \
    X(LOG1P, FN(log1p)(x))                                                                         \
    X(SIN, FN(sin)(x))                                                                             \
    X(COS, FN(cos)(x))                                                                             \
    X(TAN, FN(tan)(x))                                                                             \
    X(ASIN, FN(asin)(x))                                                                           \
    X(ACOS, FN(acos)(x))                                                                           \
    X(ATAN, FN(atan)(x))                                                                           \
    X(SINH, FN(sinh)(x))                                                                           \
    X(COSH, FN(cosh)(x))                                                                           \
    X(TANH, FN(tanh)(x))                                                                           \
    X(ASINH, FN(asinh)(x))                                                                         \
    X(ACOSH, FN(acosh)(x))                                                                         \
    X(ATANH, FN(atanh)(x))                                                                         \
    X(ERFC, FN(erfc)(x))

#define CPU_FLOAT_LIBRARY_2(X)                                                                     \
    X(POW, FN(pow)(x, y))                                                                          \
    X(ATAN2, FN(atan2)(x, y))

#define CPU_FLOAT_BINARY(X)                                                                        \
    X(ADD, x + y)                                                                                  \
    X(SUB, x - y)                                                                                  \
    X(MUL, x *y)                                                                                   \
    X(DIV, x / y)                                                                                  \
    X(FLOORDIV, FN(floor)(x / y))                                                                  \
    X(FMOD, FN(fmod)(x, y))                                                                        \
    X(REMAINDER, OWN(remainder)(x, y))                                                             \
    X(MIN, x < y || x != x ? x : y)                                                                \
    X(MAX, x > y || x != x ? x : y)

/* MIN and MAX of GN_PROGRAM_NO_CONTRACT, where -0 < +0. */
#define CPU_FLOAT_STRICT(X)                                                                        \
    X(MIN_STRICT, x < y || x != x || (x == y && signbit(x)) ? x : y)                               \
    X(MAX_STRICT, x > y || x != x || (x == y && !signbit(x)) ? x : y)

#define CPU_FLOAT_PAIRS(X)                                                                         \
    X(MUL_ADD, (x)*y + z)                                                                          \
    X(MUL_SUB, (x)*y - z)                                                                          \
    X(MUL_RSUB, z - x * y)                                                                         \
    X(ADD_MUL, (x + y) * z)                                                                        \
    X(SUB_MUL, (x - y) * z)                                                                        \
    X(MUL_MUL, x *y *z)

#define CPU_FLOAT_TEST(X)                                                                          \
    X(ISNAN, x != x)                                                                               \
    X(ISINF, FN(fabs)(x) == (T)INFINITY)

#define CPU_COMPARE(X)                                                                             \
    X(EQ, x == y)                                                                                  \
    X(NE, x != y)                                                                                  \
    X(LT, x < y)                                                                                   \
    X(LE, x <= y)

#define CPU_INT_UNARY(X)                                                                           \
    X(FLOOR, x)                                                                                    \
    X(CEIL, x)                                                                                     \
    X(TRUNC, x)                                                                                    \
    X(RINT, x)                                                                                     \
    X(NEG, (U)0 - (U)x)                                                                            \
    X(ABS, NEGATIVE(x) ? (U)0 - (U)x : (U)x)                                                       \
    X(SIGN, (x > 0) - NEGATIVE(x))                                                                 \
    X(NOT, ~x)

#define CPU_INT_BINARY(X)                                                                          \
    X(ADD, (U)x + (U)y)                                                                            \
    X(SUB, (U)x - (U)y)                                                                            \
    X(MUL, (U)(x) * (U)(y))                                                                        \
    X(DIV, OWN(divide)(x, y))                                                                      \
    X(FLOORDIV, OWN(floor_divide)(x, y))                                                           \
    X(FMOD, OWN(modulo)(x, y))                                                                     \
    X(REMAINDER, OWN(remainder)(x, y))                                                             \
    X(POW, OWN(power)(x, y))                                                                       \
    X(MIN, x < y ? x : y)                                                                          \
    X(MAX, x > y ? x : y)                                                                          \
    X(AND, (x) & (y))                                                                              \
    X(OR, x | y)                                                                                   \
    X(XOR, x ^ y)                                                                                  \
    X(SHL, NEGATIVE(y) || y >= BITS ? 0 : (U)x << (y & (BITS - 1)))                                \
    X(SHR, x >> (NEGATIVE(y) || y >= BITS ? BITS - 1 : y))

/* A bool is 0 or 1. */
#define CPU_BOOL_UNARY(X)                                                                          \
    X(ABS, x)                                                                                      \
    X(SIGN, x)                                                                                     \
    X(NOT, x ^ 1)

#define CPU_BOOL_BINARY(X)                                                                         \
    X(ADD, x | y)                                                                                  \
    X(SUB, x ^ y)                                                                                  \
    X(MUL, (x) & (y))                                                                              \
    X(MIN, (x) & (y))                                                                              \
    X(MAX, x | y)                                                                                  \
    X(AND, (x) & (y))                                                                              \
    X(OR, x | y)                                                                                   \
    X(XOR, x ^ y)

/* Functions that glibc's libmvec has for vectors; the other ones run element by element. */
#define CPU_VECTOR_FUNCTIONS_1(X)                                                                  \
    X(exp)                                                                                         \
    X(exp2)                                                                                        \
    X(expm1)                                                                                       \
    X(log)                                                                                         \
    X(log2)                                                                                        \
    X(log10) X(log1p) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh)         \
        X(asinh) X(acosh) X(atanh) X(erf) X(erfc)
#define CPU_VECTOR_FUNCTIONS_2(X) X(pow) X(atan2)
