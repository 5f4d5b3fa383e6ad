/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prelude_opencl.h - the dialect that kernels are written in, for OpenCL C 1.2. It stands before
 * every kernel's text: before the files of this folder and before what backends/codegen writes.
 *
 * What the dialect has besides the names below is what OpenCL C and CUDA C++ share: C99 and the
 * functions exp, log, sqrt, fma, fabs, floor, rint, isnan, isinf, .. , each for f32 and f64.
 * Pointers into a block's memory are GLOBAL, those into a group's LOCAL; private ones are bare.
 */

#ifdef FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
typedef double f64;
#endif

/* From here on a product and a sum stay two roundings. */
#define NO_CONTRACT _Pragma("OPENCL FP_CONTRACT OFF")

/* ---- Types; f16 and bf16 are for storage only */

typedef char i8;
typedef uchar u8;
typedef short i16;
typedef ushort u16;
typedef int i32;
typedef uint u32;
typedef long i64;
typedef ulong u64;
typedef float f32;
typedef half f16;
typedef ushort bf16;

/* ---- Kernels and their work-items */

#define KERNEL(x, y, z) __kernel __attribute__((reqd_work_group_size(x, y, z))) void
/* Always inlined: PoCL gives a function that it does not inline a local array of its own. */
#define FN static inline __attribute__((always_inline))
#define GLOBAL __global
#define LOCAL __local
#define RESTRICT restrict

#define GLOBAL_ID(dim) get_global_id(dim)
#define LOCAL_ID(dim) get_local_id(dim)
#define GROUP_ID(dim) get_group_id(dim)
#define LOCAL_SIZE(dim) get_local_size(dim)
#define N_GROUPS(dim) get_num_groups(dim)

/* All work-items of the group: what they wrote to local memory, or to both, is seen after it. */
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define BARRIER_GLOBAL barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)

/* On 32 bits of global or local memory; each gives the value before. */
#define ATOMIC_ADD(p, value) atomic_add(p, value)
#define ATOMIC_MIN(p, value) atomic_min(p, value)
#define ATOMIC_MAX(p, value) atomic_max(p, value)
#define ATOMIC_EXCHANGE(p, value) atomic_xchg(p, value)
#define ATOMIC_COMPARE_EXCHANGE(p, expected, value) atomic_cmpxchg(p, expected, value)

/* ---- Numbers */

#define MUL_HI(a, b) mul_hi(a, b) /* the upper half of the product */

/* a * b of f32, rounded, whatever is added to it. */
FN f32 rounded_product(f32 a, f32 b) {
    NO_CONTRACT
    return a * b;
}
#define ROUNDED_PRODUCT(a, b) rounded_product(a, b)

#define AS_F32(bits) as_float(bits)
#define AS_F64(bits) as_double(bits)
#define AS_I32(x) as_int(x)
#define AS_U32(x) as_uint(x)
#define AS_I64(x) as_long(x)

/* A float as an integer: truncated, and some value where the type can't hold it. */
#define TO_U8(x) convert_uchar_sat(x)
#define TO_I8(x) convert_char_sat(x)
#define TO_I16(x) convert_short_sat(x)
#define TO_I32(x) convert_int_sat(x)
#define TO_I64(x) convert_long_sat(x)
#define TO_U32(x) convert_uint_sat(x)

/* From f32 to the nearest bf16, ties to even. A NaN stays one when its low bits go. */
FN bf16 to_bf16(f32 x) {
    u32 bits = as_uint(x);
    return isnan(x) ? (bf16)(bits >> 16 | 0x40) : (bf16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
#define FROM_BF16(bits) as_float((u32)(bits) << 16)

FN f32 round_f16(f32 x) {
    u16 stored; /* a variable can't be an f16 */
    vstore_half_rte(x, 0, (f16 *)&stored);
    return vload_half(0, (const f16 *)&stored);
}
FN f32 round_bf16(f32 x) { return FROM_BF16(to_bf16(x)); }

/* ---- Elements of memory: LOAD_dtype gives the value of p[i], STORE_dtype writes it. A bool is a
 * byte; f16 and bf16 are values of f32. */

#define LOAD_BOOL(p, i) ((p)[i] != 0)
#define LOAD_U8(p, i) (p)[i]
#define LOAD_I8(p, i) (p)[i]
#define LOAD_I16(p, i) (p)[i]
#define LOAD_I32(p, i) (p)[i]
#define LOAD_I64(p, i) (p)[i]
#define LOAD_U32(p, i) (p)[i]
#define LOAD_F16(p, i) vload_half(0, (p) + (i))
#define LOAD_BF16(p, i) FROM_BF16((p)[i])
#define LOAD_F32(p, i) (p)[i]
#define LOAD_F64(p, i) (p)[i]

#define STORE_BOOL(p, i, value) ((p)[i] = (value) ? 1 : 0)
#define STORE_U8(p, i, value) ((p)[i] = (value))
#define STORE_I8(p, i, value) ((p)[i] = (value))
#define STORE_I16(p, i, value) ((p)[i] = (value))
#define STORE_I32(p, i, value) ((p)[i] = (value))
#define STORE_I64(p, i, value) ((p)[i] = (value))
#define STORE_U32(p, i, value) ((p)[i] = (value))
#define STORE_F16(p, i, value) vstore_half_rte(value, 0, (p) + (i))
#define STORE_BF16(p, i, value) ((p)[i] = to_bf16(value))
#define STORE_F32(p, i, value) ((p)[i] = (value))
#define STORE_F64(p, i, value) ((p)[i] = (value))

/*
 * WIDTH neighbouring elements, 2 or 4, in one access to memory: LOADV_dtype fills the private array x
 * from p[i], .., and STOREV_dtype writes them. i is a multiple of WIDTH, and so is the number of
 * elements from the start of the block to p.
 */

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define LOADV(type, x, p, i)                                                                       \
    JOIN(vstore, WIDTH)(*(const GLOBAL JOIN(type, WIDTH) *)((p) + (i)), 0, x)
#define STOREV(type, p, i, x) (*(GLOBAL JOIN(type, WIDTH) *)((p) + (i)) = JOIN(vload, WIDTH)(0, x))
/* Through an array of what is stored. */
#define LOADV_EACH(type, dtype, x, p, i)                                                           \
    do {                                                                                           \
        type stored_[WIDTH];                                                                       \
        LOADV(type, stored_, p, i);                                                                \
        for (int j_ = 0; j_ < WIDTH; j_++)                                                         \
            (x)[j_] = LOAD_##dtype(stored_, j_);                                                   \
    } while (0)
#define STOREV_EACH(type, dtype, p, i, x)                                                          \
    do {                                                                                           \
        type stored_[WIDTH];                                                                       \
        for (int j_ = 0; j_ < WIDTH; j_++)                                                         \
            STORE_##dtype(stored_, j_, (x)[j_]);                                                   \
        STOREV(type, p, i, stored_);                                                               \
    } while (0)

#define LOADV_BOOL(x, p, i) LOADV_EACH(uchar, BOOL, x, p, i)
#define LOADV_U8(x, p, i) LOADV(uchar, x, p, i)
#define LOADV_I8(x, p, i) LOADV(char, x, p, i)
#define LOADV_I16(x, p, i) LOADV(short, x, p, i)
#define LOADV_I32(x, p, i) LOADV(int, x, p, i)
#define LOADV_I64(x, p, i) LOADV(long, x, p, i)
#define LOADV_U32(x, p, i) LOADV(uint, x, p, i)
#define LOADV_F16(x, p, i) JOIN(vstore, WIDTH)(JOIN(vloada_half, WIDTH)(0, (p) + (i)), 0, x)
#define LOADV_BF16(x, p, i) LOADV_EACH(ushort, BF16, x, p, i)
#define LOADV_F32(x, p, i) LOADV(float, x, p, i)
#define LOADV_F64(x, p, i) LOADV(double, x, p, i)

#define STOREV_BOOL(p, i, x) STOREV_EACH(uchar, BOOL, p, i, x)
#define STOREV_U8(p, i, x) STOREV(uchar, p, i, x)
#define STOREV_I8(p, i, x) STOREV(char, p, i, x)
#define STOREV_I16(p, i, x) STOREV(short, p, i, x)
#define STOREV_I32(p, i, x) STOREV(int, p, i, x)
#define STOREV_I64(p, i, x) STOREV(long, p, i, x)
#define STOREV_U32(p, i, x) STOREV(uint, p, i, x)
#define STOREV_F16(p, i, x)                                                                        \
    JOIN(JOIN(vstorea_half, WIDTH), _rte)(JOIN(vload, WIDTH)(0, x), 0, (p) + (i))
#define STOREV_BF16(p, i, x) STOREV_EACH(ushort, BF16, p, i, x)
#define STOREV_F32(p, i, x) STOREV(float, p, i, x)
#define STOREV_F64(p, i, x) STOREV(double, p, i, x)

/* ---- Indices out of range: the stream's report, four words of which the host zeroes the first. The
 * first work-item that reports turns its low half to 1, and writes tag, index and extent. */

FN void report_index(GLOBAL i64 *report, i64 tag, i64 index, i64 extent) {
    if (ATOMIC_COMPARE_EXCHANGE((GLOBAL i32 *)report, 0, 1) == 0) {
        report[1] = tag;
        report[2] = index;
        report[3] = extent;
    }
}
#define REPORT(report, tag, index, extent) report_index(report, tag, index, extent)
