/* SPDX-License-Identifier: MIT-0 */
/*
 * backend.h - the contract between libgenesis ("the host") and a backend plugin, version 0.2.
 *
 * A plugin is one shared object, genesis_<name>.so, that exports one symbol, gn_backend_entry, and
 * needs nothing but this header. Eleven functions make a backend, three of them kernels: `map`,
 * `reduce` and `scatter`. The host composes every other operation from them; whatever else a
 * backend offers is speed.
 *
 * Conventions
 * - Offsets and strides of operands count elements; everything named `bytes` counts bytes.
 * - A struct that is passed alone starts with `struct_size`, filled by whoever makes it; read no
 *   member beyond it. Structs that lie in arrays are stepped by a size given in the call.
 *   Reserved members are 0.
 * - Pointers in a call live until the function returns.
 * - Every function returns at once a status: GN_OK or a negative code. Before a failing status is
 *   returned, host->set_error may be called to say why. A plugin never prints, aborts or exits.
 * - Work on one stream runs in the order in which it was enqueued. The host may call from several
 *   threads, but never at the same time on one stream.
 * - An error that was reported is over: the next call works. `free` and `close` accept NULL.
 * - After fork(), in the child, every call except `count` and `info` answers GN_E_FORKED.
 */
#ifndef GENESIS_BACKEND_H
#define GENESIS_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GN_ABI_MAJOR 0     /* changes with layout; below 1.0 a minor may break, too */
#define GN_ABI_MINOR 2     /* grows with appended members */
#define GN_ABI_MINOR_MIN 1 /* the oldest whose plugins a host of this minor takes */

enum {
    GN_MAX_DIMS = 12,      /* dims of an iteration space; users' tensors have up to 8 */
    GN_MAX_OPERANDS = 32,  /* operands of a program */
    GN_MAX_PARAMS = 16,    /* scalar parameters of a program */
    GN_MAX_INSNS = 1024,   /* instructions of a program */
    GN_MAX_SPATIAL = 3,    /* spatial dims of convolution and pooling */
    GN_MEM_ALIGNMENT = 256 /* every block of `alloc` starts at a multiple of it */
};

/* ---- Status codes: name, value, meaning ------------------------------------------------------ */

#define GN_STATUSES(X)                                                                             \
    X(GN_OK, 0, "success")                                                                         \
    X(GN_E_ARGUMENT, -1, "invalid argument")                                                       \
    X(GN_E_MEMORY, -2, "out of memory")                                                            \
    X(GN_E_INDEX, -3, "index out of range")                                                        \
    X(GN_E_UNSUPPORTED, -4, "not supported")                                                       \
    X(GN_E_DEVICE, -5, "device error")                                                             \
    X(GN_E_LOST, -6, "device lost")                                                                \
    X(GN_E_FORKED, -7, "device used in a forked child process")                                    \
    X(GN_E_VERSION, -8, "incompatible version")                                                    \
    X(GN_E_NOT_FOUND, -9, "not found")                                                             \
    X(GN_E_IO, -10, "input/output error")                                                          \
    X(GN_E_FORMAT, -11, "malformed data")                                                          \
    X(GN_E_STATE, -12, "not allowed in this state")                                                \
    X(GN_E_INTERNAL, -13, "internal error")

typedef int32_t gn_status;
enum {
#define X(name, value, text) name = value,
    GN_STATUSES(X)
#undef X
};

/* ---- Element types: name, value, C name, bytes ----------------------------------------------- */

/*
 * Programs compute in bool, u8, i8, i16, i32, i64, u32, f32 and f64. f16 and bf16 are for storage:
 * they load as f32 and are rounded, to nearest even, when stored. u32 is for values inside a
 * program only. A bool is a byte, stored as 0 or 1; any other byte loads as true. 0 is no dtype.
 */
#define GN_DTYPES(X)                                                                               \
    X(GN_BOOL, 1, "bool", 1)                                                                       \
    X(GN_U8, 2, "uint8", 1)                                                                        \
    X(GN_I8, 3, "int8", 1)                                                                         \
    X(GN_I16, 4, "int16", 2)                                                                       \
    X(GN_I32, 5, "int32", 4)                                                                       \
    X(GN_I64, 6, "int64", 8)                                                                       \
    X(GN_U32, 7, "uint32", 4)                                                                      \
    X(GN_F16, 8, "float16", 2)                                                                     \
    X(GN_BF16, 9, "bfloat16", 2)                                                                   \
    X(GN_F32, 10, "float32", 4)                                                                    \
    X(GN_F64, 11, "float64", 8)

typedef enum gn_dtype {
#define X(name, value, text, bytes) name = value,
    GN_DTYPES(X)
#undef X
    GN_N_DTYPES
} gn_dtype;

/* A scalar: .f for f32 and f64 (an f32 is rounded to f32 first), .i for the others. */
typedef union gn_scalar {
    int64_t i;
    double f;
} gn_scalar;

/* ---- Opaque objects of the plugin ------------------------------------------------------------ */

typedef struct gn_device gn_device; /* an opened device */
typedef struct gn_stream gn_stream; /* a queue of the device; NULL is its default queue */
typedef struct gn_event gn_event;   /* a point in a queue */
typedef struct gn_mem gn_mem;       /* a block of device memory */
typedef struct gn_plan gn_plan;     /* a heavy kernel made ready for given shapes */

/* ---- Programs -------------------------------------------------------------------------------- */

/*
 * A program is a list of scalar instructions in SSA form: an instruction's number names its value,
 * and it reads values of smaller numbers only. It runs once per coordinate of an iteration space.
 *
 *   map program     one part: element instructions; every STORE writes one element a coordinate.
 *   reduce program  element part, then a run of REDUCE instructions, then a row part.
 *                   The element part runs at every coordinate, the row part once per coordinate of
 *                   the kept dims (the reduced ones are 0 there), when the reductions are complete.
 *   row program     after a row part, ELEMENTS opens another element part, and so on:
 *                   element, REDUCE.., row, ELEMENTS, element, REDUCE.., row, ELEMENTS, element.
 *                   Only `row_map` gets these.
 *
 * The values of an element part are visible in that part only; those of CONST, PARAM, REDUCE and of
 * row parts are visible in everything that follows. A STORE may stand in an element part (operand
 * of full size) or in a row part (an operand with stride 0 along the reduced dims). A row part may
 * be empty, and the last element part may have no REDUCE.
 *
 * `type` is the type of the value that an instruction makes (of STORE: that it stores). The
 * operands of an instruction have its type unless the table says otherwise. Operands of
 * comparisons have one type, and the result is bool.
 *
 * Integers wrap modulo 2^bits. Integer division by zero gives 0, and MIN / -1 gives MIN: neither
 * traps. Floating-point arithmetic is IEEE 754's to nearest, except that multiplication and
 * addition may be contracted, subnormals flushed and the sign of a zero from MIN and MAX chosen
 * freely, unless the program has GN_PROGRAM_NO_CONTRACT (then -0 < +0). NaN and infinity behave as
 * the C functions of the same name do; a signalling NaN counts as a quiet one. A cast of what the
 * integer type can't hold gives any value, but does not trap. Arithmetic and rounding opcodes take
 * all numeric types, POW too; SQRT, RSQRT and ATAN2 floats only; of bools there are ADD, MUL, MIN,
 * MAX, comparisons and logic.
 *
 * Columns: name, value, number of value operands (a, b, c), bound on the error in ulp of f32 / f64
 * (0: exact or correctly rounded), meaning.
 */
#define GN_OPCODES(X)                                                                              \
    /* structure */                                                                                \
    X(LOAD, 0, 0, 0, "operand a at this coordinate; an index operand gives its i64 offset")        \
    X(LOADX, 1, 1, 0, "operand a, displaced by value b (i64) times its axis_stride; see operand")  \
    X(CONST, 2, 0, 0, "constant number a of the program")                                          \
    X(PARAM, 3, 0, 0, "parameter number a of the call")                                            \
    X(STORE, 4, 1, 0, "operand a := value b; makes no value")                                      \
    X(REDUCE, 5, 2, 0, "reduction of kind c of value a (with payload b) over the reduced dims")    \
    X(ELEMENTS, 6, 0, 0, "begins another element part; makes no value")                            \
    X(CAST, 7, 1, 0, "value a as `type`; float to integer truncates, to bool tests != 0")          \
    X(ROUND, 8, 1, 0, "value a (f32) rounded to dtype b (f16 or bf16), still an f32")              \
    X(RANDOM, 9, 3, 0, "u32: word (a & 3) of Philox4x32-10, see below")                            \
    /* arithmetic */                                                                               \
    X(ADD, 16, 2, 0, "a + b; of bools: or")                                                        \
    X(SUB, 17, 2, 0, "a - b")                                                                      \
    X(MUL, 18, 2, 0, "a * b; of bools: and")                                                       \
    X(DIV, 19, 2, 0, "a / b; integers: truncated")                                                 \
    X(FLOORDIV, 20, 2, 0, "floor(a / b); floats may round a / b first")                            \
    X(FMOD, 21, 2, 0, "C's fmod; integers: %, the sign of a; x % 0 is 0")                          \
    X(REMAINDER, 22, 2, 0, "a - b * floor(a / b), the sign of b (Python's %); x % 0 is 0")         \
    X(POW, 23, 2, 4, "a to the power b; integers: negative b gives 0 unless |a| is 1")             \
    X(MIN, 24, 2, 0, "the smaller; NaN if either is NaN")                                          \
    X(MAX, 25, 2, 0, "the larger; NaN if either is NaN")                                           \
    X(ATAN2, 26, 2, 4, "angle of the point (b, a)")                                                \
    X(NEG, 27, 1, 0, "-a")                                                                         \
    X(ABS, 28, 1, 0, "|a|")                                                                        \
    X(SIGN, 29, 1, 0, "-1, 0 or 1; NaN of NaN")                                                    \
    X(SQRT, 30, 1, 1, "square root")                                                               \
    X(RSQRT, 31, 1, 2, "1 / sqrt(a)")                                                              \
    X(FLOOR, 32, 1, 0, "largest integer <= a")                                                     \
    X(CEIL, 33, 1, 0, "smallest integer >= a")                                                     \
    X(TRUNC, 34, 1, 0, "integer part")                                                             \
    X(RINT, 35, 1, 0, "nearest integer, ties to even")                                             \
    /* transcendental: f32 and f64 only */                                                         \
    X(EXP, 40, 1, 4, "e^a")                                                                        \
    X(EXP2, 41, 1, 4, "2^a")                                                                       \
    X(EXPM1, 42, 1, 4, "e^a - 1")                                                                  \
    X(LOG, 43, 1, 4, "natural logarithm")                                                          \
    X(LOG2, 44, 1, 4, "logarithm to base 2")                                                       \
    X(LOG10, 45, 1, 4, "logarithm to base 10")                                                     \
    X(LOG1P, 46, 1, 4, "log(1 + a)")                                                               \
    X(SIN, 47, 1, 4, "sine")                                                                       \
    X(COS, 48, 1, 4, "cosine")                                                                     \
    X(TAN, 49, 1, 4, "tangent")                                                                    \
    X(ASIN, 50, 1, 4, "arc sine")                                                                  \
    X(ACOS, 51, 1, 4, "arc cosine")                                                                \
    X(ATAN, 52, 1, 4, "arc tangent")                                                               \
    X(SINH, 53, 1, 4, "hyperbolic sine")                                                           \
    X(COSH, 54, 1, 4, "hyperbolic cosine")                                                         \
    X(TANH, 55, 1, 4, "hyperbolic tangent")                                                        \
    X(ASINH, 56, 1, 4, "inverse hyperbolic sine")                                                  \
    X(ACOSH, 57, 1, 4, "inverse hyperbolic cosine")                                                \
    X(ATANH, 58, 1, 4, "inverse hyperbolic tangent")                                               \
    X(ERF, 59, 1, 4, "error function")                                                             \
    X(ERFC, 60, 1, 4, "1 - erf(a)")                                                                \
    X(LGAMMA, 61, 1, 16, "log |gamma(a)|; ulp of max(1, |result|)")                                \
    X(DIGAMMA, 62, 1, 16, "derivative of LGAMMA; ulp likewise; NaN at the poles below 0")          \
    /* comparison and logic; the comparisons' operands have the type of a, the result is bool */   \
    X(EQ, 70, 2, 0, "a == b")                                                                      \
    X(NE, 71, 2, 0, "a != b; true if either is NaN")                                               \
    X(LT, 72, 2, 0, "a < b")                                                                       \
    X(LE, 73, 2, 0, "a <= b")                                                                      \
    X(ISNAN, 74, 1, 0, "a is NaN")                                                                 \
    X(ISINF, 75, 1, 0, "a is +inf or -inf")                                                        \
    X(AND, 76, 2, 0, "bitwise and; bool and integers")                                             \
    X(OR, 77, 2, 0, "bitwise or")                                                                  \
    X(XOR, 78, 2, 0, "bitwise exclusive or")                                                       \
    X(NOT, 79, 1, 0, "bitwise complement; of bool: not")                                           \
    X(SHL, 80, 2, 0, "a << b; 0 unless 0 <= b < bits")                                             \
    X(SHR, 81, 2, 0, "a >> b, arithmetic if signed; b is taken as bits - 1 unless 0 <= b < bits")  \
    X(SELECT, 82, 3, 0, "a (bool) ? b : c; the one not chosen has no effect, even if NaN")

/*
 * RANDOM a, b, c: a (i64, >= 0) is the element's index, b (i64) the offset of the call in the random
 * stream, c (i64) the key (the seed). The value is word (a & 3) of the Philox4x32-10 block with the
 * counter {lo32(a >> 2), hi32(a >> 2), lo32(b), hi32(b)} and the key {lo32(c), hi32(c)}. It depends
 * on nothing else, so results are equal on all devices. Four neighbouring elements share a block.
 */

enum {
#define X(name, value, arity, ulp, meaning) GN_OP_##name = value,
    GN_OPCODES(X)
#undef X
};

/* Kinds of REDUCE. The payload of ARGMAX and ARGMIN is i64, and so is their value. */
enum {
    GN_SUM = 0,    /* error <= eps * (64 + log2 n) * sum |x|, eps = 2^-23 (f32), 2^-52 (f64) */
    GN_PROD = 1,   /* relative error <= eps * n; in any order. Neither is there for bools */
    GN_MAX = 2,    /* NaN wins; of bools: any; either zero where both are there */
    GN_MIN = 3,    /* likewise; of bools: all */
    GN_ARGMAX = 4, /* payload of the largest value; NaN beats all; equal: the smallest payload */
    GN_ARGMIN = 5
};

typedef struct gn_insn {
    uint16_t op, type, a, b, c, reserved;
} gn_insn;

/* What a program does with an operand. */
enum {
    GN_READ = 1,   /* memory: LOAD and LOADX */
    GN_WRITE = 2,  /* memory: STORE */
    GN_INDEX = 4,  /* no memory: LOAD gives the i64 offset + sum coordinate * stride */
};

typedef struct gn_operand_info {
    uint16_t role;  /* GN_READ, GN_WRITE or GN_INDEX */
    uint16_t dtype; /* as stored; LOAD and STORE have this type, or f32 for f16 and bf16 */
} gn_operand_info;

enum { GN_PROGRAM_NO_CONTRACT = 1 }; /* see above; given to initialisers and random programs */

/* Immutable; the host keeps it for as long as any device is open. */
typedef struct gn_program {
    size_t struct_size;
    const char *name;   /* for messages and traces: "relu", "adamw"; never NULL */
    uint64_t hash[2];   /* of everything below: equal programs have equal hashes */
    uint32_t flags;     /* GN_PROGRAM_* */
    uint32_t n_insns, insn_size;
    uint32_t n_constants, n_operands, n_params;
    uint32_t n_parts; /* 1: map; 2: reduce (element and row part); more: row program */
    uint32_t reserved;
    const gn_insn *insns;
    const gn_scalar *constants;
    const gn_operand_info *operands;
} gn_program;

/* ---- Calls ----------------------------------------------------------------------------------- */

/*
 * At coordinates c the element of an operand is number offset + sum_d c[d] * stride[d] of its
 * memory. Stride 0 broadcasts; strides may be negative; reads may overlap each other (windows); two
 * coordinates never write one element. Every element named so is inside the memory.
 *
 * LOADX k, i reads element ... + i * axis_stride. If not 0 <= i < axis_extent it yields 0 instead,
 * and the call or, later, the stream fails with GN_E_INDEX and the call's tag.
 *
 * Aliasing: an operand written may be exactly one that is read (same memory, offset, strides and
 * dtype): all loads of a coordinate come before its stores. In a reduce or row program this holds
 * for what the part that stores it loads alone. Writes overlap no other reads or writes.
 */
typedef struct gn_operand {
    gn_mem *mem; /* NULL: an index operand */
    int64_t offset;
    int64_t stride[GN_MAX_DIMS];
    int64_t axis_stride, axis_extent; /* LOADX and scatter's target only */
} gn_operand;

/*
 * A call of `map`, `reduce` or `row_map`. The host has simplified the space: no size is 0 or 1
 * (but a call of one coordinate has no dims), dims that can be merged are merged, and within the kept
 * and within the reduced dims the one with the largest |stride| comes first, by the first operand
 * that tells them apart.
 * The last n_reduced dims are the reduced ones. A backend may permute, merge and tile further.
 */
typedef struct gn_call {
    size_t struct_size;
    uint64_t tag;              /* comes back with every error */
    const gn_program *program;
    void *handle;              /* of program_create, or NULL */
    uint32_t n_dims, n_reduced;
    uint32_t n_operands, operand_size;
    const int64_t *size;       /* n_dims */
    const gn_operand *operands;
    const gn_scalar *params;   /* program->n_params */
} gn_call;

/* How scatter combines a source element with the target's. */
enum { GN_SCATTER_SET = 0, GN_SCATTER_ADD = 1, GN_SCATTER_MAX = 2, GN_SCATTER_MIN = 3 };

/*
 * At every coordinate: target[... + index * axis_stride] = combine(target[...], source[...]), where
 * index is an i64 operand (or an index operand). Targets may collide only among coordinates that
 * differ in the last n_serial dims. SET: the highest coordinate, in row-major order, wins. ADD, MAX,
 * MIN: as if done in that order; with `unordered`, ADD within the tolerance of GN_SUM. An index
 * outside 0 <= index < target.axis_extent is skipped and reported as for LOADX. Nothing aliases.
 * The space has no dims of size 0 or 1; the serial dims keep their order.
 */
typedef struct gn_scatter_call {
    size_t struct_size;
    uint64_t tag;
    uint32_t n_dims, n_serial;
    int32_t dtype;   /* of source and target */
    uint16_t combine; /* GN_SCATTER_* */
    uint16_t unordered;
    const int64_t *size;
    const gn_operand *source, *index, *target;
} gn_scatter_call;

/* ---- Planned kernels: optional, planned once and run many times ------------------------------ */

/*
 * Columns: name, value, tensors in their order ([..] may be absent: n_dims is -1 there), attributes.
 * Spatial tensors are (N, C, spatial..) by size; their strides tell the memory order.
 * N images, C and O channels, K = O of a convolution's weight (O, C / groups, kernel..).
 */
#define GN_KERNELS(X)                                                                              \
    X(MATMUL, 1, "c (B.., M, N) = a (B.., M, K) b (B.., K, N) + [bias (B.., M, N)]", gn_matmul_attr) \
    X(CONV_FORWARD, 2, "y, x, w, [bias (O)]", gn_conv_attr)                                        \
    X(CONV_BACKWARD_DATA, 3, "dx, dy, w", gn_conv_attr)                                            \
    X(CONV_BACKWARD_WEIGHT, 4, "dw, x, dy, [dbias (O)]", gn_conv_attr)                             \
    X(MAX_POOL_FORWARD, 5, "y, x; fills saved", gn_pool_attr)                                      \
    X(MAX_POOL_BACKWARD, 6, "dx, dy; reads saved", gn_pool_attr)                                   \
    X(AVG_POOL_FORWARD, 7, "y, x", gn_pool_attr)                                                   \
    X(AVG_POOL_BACKWARD, 8, "dx, dy", gn_pool_attr)                                                \
    X(BATCH_NORM_FORWARD, 9, "y, x, w (C), b (C), mean (C), var (C); writes y, mean and biased var", \
      gn_norm_attr)                                                                                \
    X(BATCH_NORM_BACKWARD, 10, "dx, dw (C), db (C), dy, x, w (C), mean (C), var (C)", gn_norm_attr)

enum {
#define X(name, value, tensors, attributes) GN_KERNEL_##name = value,
    GN_KERNELS(X)
#undef X
};

typedef struct gn_tensor_desc {
    int32_t dtype;
    int32_t n_dims; /* -1: this tensor is absent */
    int64_t size[GN_MAX_DIMS];
    int64_t stride[GN_MAX_DIMS]; /* elements; 0 broadcasts (bias of a matmul) */
    uint32_t alignment;          /* the pointer of every run is a multiple of it, in bytes */
    uint32_t reserved;
} gn_tensor_desc;

enum { GN_ACTIVATION_NONE = 0, GN_ACTIVATION_RELU = 1 };

typedef struct gn_matmul_attr {
    size_t struct_size;
    uint32_t activation; /* applied last */
    uint32_t reserved;
} gn_matmul_attr;

/* padding: zeros before the first element of each spatial dim; after the last one as many as the
 * given output size needs. Cross-correlation: the kernel is not flipped. */
typedef struct gn_conv_attr {
    size_t struct_size;
    int64_t n_spatial, groups;
    int64_t stride[GN_MAX_SPATIAL], padding[GN_MAX_SPATIAL], dilation[GN_MAX_SPATIAL];
} gn_conv_attr;

/* Max: padding counts as -inf, the first maximum in row-major order wins, NaN wins over all.
 * Average: divisor 0 divides by the elements counted: of the window clipped to the input and its
 * padding if count_include_pad, else to the input alone. */
typedef struct gn_pool_attr {
    size_t struct_size;
    int64_t n_spatial;
    int64_t kernel[GN_MAX_SPATIAL], stride[GN_MAX_SPATIAL], padding[GN_MAX_SPATIAL],
        padding_after[GN_MAX_SPATIAL], dilation[GN_MAX_SPATIAL];
    int64_t count_include_pad, divisor;
} gn_pool_attr;

typedef struct gn_norm_attr {
    size_t struct_size;
    double eps;
} gn_norm_attr;

typedef struct gn_plan_desc {
    size_t struct_size;
    uint32_t kernel; /* GN_KERNEL_* */
    uint32_t n_tensors, tensor_size;
    uint32_t reserved;
    const gn_tensor_desc *tensors;
    const void *attributes; /* the struct named in GN_KERNELS */
} gn_plan_desc;

/* Filled by `plan`. The host sets struct_size and zeros before. */
typedef struct gn_plan_info {
    size_t struct_size;
    uint64_t workspace_bytes; /* scratch for one run, contents undefined */
    uint64_t saved_bytes;     /* opaque, written by a forward run, read by the backward's */
} gn_plan_info;

typedef struct gn_pointer {
    gn_mem *mem;
    uint64_t offset; /* bytes */
} gn_pointer;

/* One run of a plan; it may be in flight several times, on several streams. */
typedef struct gn_run {
    size_t struct_size;
    uint64_t tag;
    gn_plan *plan;
    uint32_t n_tensors, reserved;
    const gn_pointer *tensors; /* in the descriptor's order; mem is NULL where absent */
    gn_pointer saved, workspace;
} gn_run;

/* ---- Devices --------------------------------------------------------------------------------- */

enum {
    GN_DEVICE_HOST_VISIBLE = 1, /* host_pointer works: no copies between host and device */
    GN_DEVICE_CHANNELS_LAST = 2 /* images are fastest as (N, spatial.., C) in memory */
};

typedef struct gn_device_info {
    size_t struct_size;
    char name[128];   /* "AMD EPYC 9554", "NVIDIA H100" */
    char vendor[64];
    char driver[128]; /* driver or library with its version */
    uint64_t memory_bytes; /* 0: unknown */
    uint32_t units;        /* cores, multiprocessors */
    uint32_t dtypes;       /* bit (1 << dtype) for each one that it computes or stores */
    uint32_t flags;        /* GN_DEVICE_* */
    uint32_t reserved;
} gn_device_info;

/* ---- The host's services --------------------------------------------------------------------- */

typedef struct gn_backend gn_backend;

enum { GN_LOG_ERROR = 0, GN_LOG_WARNING = 1, GN_LOG_INFO = 2, GN_LOG_DEBUG = 3 };

typedef struct gn_host {
    size_t struct_size;
    void (*log)(int level, const char *message);
    /* Records, for this thread, why a call fails; returns status. tag: of the call at fault, or 0.
     * Up to 1023 bytes of the message are kept, until the next call of the host's. */
    gn_status (*set_error)(gn_status status, uint64_t tag, const char *message);
    /* Host memory at multiples of 64 bytes; NULL when there is none. */
    void *(*host_alloc)(size_t bytes);
    void (*host_free)(void *memory);
    /* Device memory from the host's cache, valid until the current call's work has run. */
    gn_status (*scratch)(gn_device *device, gn_stream *stream, uint64_t bytes, gn_pointer *out);
    /* How many threads a backend on the CPU should use. */
    int (*threads)(void);

    /* ---- since 0.2 */

    /* The name of the operation that a call's tag stands for, "conv2d"; "" for none. It stays. */
    const char *(*tag_text)(uint64_t tag);
    /*
     * Opens a device by its string, for the caller alone, as a backend with all kernels: row
     * programs run whole or in pieces, and planned kernels are always composed of `map`, `reduce`
     * and `scatter`, so that they share nothing with those of any backend. It is synchronous:
     * what a call enqueues is done when it returns, and its errors are the call's. The table has
     * the required functions, without count, info and open, and row_map, map_many, plan,
     * plan_release and run; the handle of a call is ignored, and so is a program's hash. What
     * set_error recorded before is gone after a call of it. End it with (*table)->close.
     */
    gn_status (*device_open)(const char *name, const gn_backend **table, gn_device **out);
} gn_host;

/* ---- The backend's table --------------------------------------------------------------------- */

/*
 * Layers. A plugin may stand in front of a device of any backend, to watch it or to check it: for
 * the device string "trace:check:cuda:1" the host opens cuda:1, gives it to `layer_open` of
 * genesis_check.so, and what that makes to `layer_open` of genesis_trace.so. A layer's table has
 * layer_open in place of count, info and open, and all other required functions. Its gn_device is
 * its own; memory, streams, events, plans and handles are those of the device below, unless the
 * layer makes its own, so most functions pass a call on with another device. The host calls an
 * optional function of a layer only if the device below has it, too: a layer defines all that it
 * knows. Scratch for the device below is asked for with that device's handle.
 */
struct gn_backend {
    size_t struct_size;
    uint32_t abi_major, abi_minor; /* of the header that the plugin was compiled with */
    const char *name;              /* the device string: "cpu" */
    const char *version;           /* the plugin's own */

    /* ---- required */

    /* Devices present. Touches no driver before this. No driver: 0 devices, and set_error says why. */
    gn_status (*count)(int32_t *out);
    gn_status (*info)(int32_t ordinal, gn_device_info *out);
    gn_status (*open)(int32_t ordinal, gn_device **out);
    void (*close)(gn_device *device);

    /* A block of at least 1 byte. Raw and slow is fine: the host caches. */
    gn_status (*alloc)(gn_device *device, uint64_t bytes, gn_mem **out);
    /* Work enqueued earlier may still use the block: wait for it, or free later. */
    void (*free)(gn_device *device, gn_mem *mem);
    /* Returns when the source may be reused. */
    gn_status (*upload)(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                        const void *source, uint64_t bytes);
    /* Waits for all earlier work on the stream, and returns its errors. */
    gn_status (*download)(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                          uint64_t offset, uint64_t bytes);

    gn_status (*map)(gn_device *device, gn_stream *stream, const gn_call *call);
    gn_status (*reduce)(gn_device *device, gn_stream *stream, const gn_call *call);
    gn_status (*scatter)(gn_device *device, gn_stream *stream, const gn_scatter_call *call);

    /* ---- optional: NULL, or as said. What a member's absence means stands in [brackets]. */

    /* Once per program and device, before its first call. [the handle is NULL]
     * GN_E_UNSUPPORTED for an unknown opcode. */
    gn_status (*program_create)(gn_device *device, const gn_program *program, void **handle);
    void (*program_release)(gn_device *device, void *handle);

    /* The block's address in the host's memory. [not host visible] */
    void *(*host_pointer)(gn_device *device, gn_mem *mem);
    /* A block over the host's own memory, which `free` leaves alone. [the host copies] */
    gn_status (*wrap)(gn_device *device, void *memory, uint64_t bytes, gn_mem **out);
    /* [unknown] */
    gn_status (*memory_info)(gn_device *device, uint64_t *free_bytes, uint64_t *total_bytes);

    /* [a synchronous device: when a call returns, its work is done] */
    gn_status (*stream_create)(gn_device *device, gn_stream **out);
    void (*stream_destroy)(gn_device *device, gn_stream *stream);
    /* Waits for the stream, and returns the error that stuck to it. */
    gn_status (*synchronise)(gn_device *device, gn_stream *stream);
    gn_status (*event_create)(gn_device *device, gn_event **out);
    void (*event_destroy)(gn_device *device, gn_event *event);
    gn_status (*event_record)(gn_device *device, gn_stream *stream, gn_event *event);
    gn_status (*event_wait)(gn_device *device, gn_stream *stream, gn_event *event);
    /* Waits for the event, and returns the error that stuck to its stream, as synchronise does. */
    gn_status (*event_synchronise)(gn_device *device, gn_event *event);
    /* Nanoseconds from one event to a later one, both complete. */
    gn_status (*event_elapsed)(gn_device *device, gn_event *from, gn_event *to, uint64_t *out);

    /* Row programs. GN_E_UNSUPPORTED, before any work, hands the call back. [reduce and map] */
    gn_status (*row_map)(gn_device *device, gn_stream *stream, const gn_call *call);
    /* Independent map calls of one program, calls->struct_size apart. [a loop over map] */
    gn_status (*map_many)(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n);

    /* GN_E_UNSUPPORTED declines, and set_error tells users the reason. [composed] */
    gn_status (*plan)(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info,
                      gn_plan **out);
    void (*plan_release)(gn_device *device, gn_plan *plan);
    gn_status (*run)(gn_device *device, gn_stream *stream, const gn_run *run);

    /* After the last device was closed, before the process ends. [nothing to do] */
    void (*shutdown)(void);

    /* ---- since 0.2 */

    /* Opens a layer over a device; `name` is the string of that device. `below` and `device`
     * outlive what is made, which `close` ends. [not a layer] */
    gn_status (*layer_open)(const gn_backend *below, gn_device *device, const char *name,
                            gn_device **out);
};

/* ---- The entry ------------------------------------------------------------------------------- */

typedef struct gn_abi_request {
    size_t struct_size;
    uint32_t major;                /* in: the host's major version */
    uint32_t minor_min, minor_max; /* in: the minors that it speaks */
    uint32_t needed_major, needed_minor; /* out, with GN_E_VERSION: what the plugin needs */
} gn_abi_request;

#if defined(__GNUC__)
#define GN_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define GN_PLUGIN_EXPORT
#endif

/* The one symbol of a plugin. Negotiates the version and hands over the table; nothing else. Both
 * tables live until the process ends. */
typedef gn_status gn_backend_entry_fn(const gn_host *host, gn_abi_request *request,
                                      const gn_backend **out);
GN_PLUGIN_EXPORT gn_backend_entry_fn gn_backend_entry;

/* ---- Helpers --------------------------------------------------------------------------------- */

static inline uint32_t gn_dtype_bytes(int dtype) {
    switch (dtype) {
#define X(name, value, text, bytes)                                                                \
    case name:                                                                                     \
        return bytes;
        GN_DTYPES(X)
#undef X
    }
    return 0;
}

/* Whether programs compute in floating point where the operand has this dtype. */
static inline int gn_dtype_is_float(int dtype) { return dtype >= GN_F16 && dtype <= GN_F64; }

/* Whether the operand walks its memory densely in row-major order of the call's coordinates. */
static inline int gn_operand_is_dense(const gn_operand *operand, const int64_t *size,
                                      uint32_t n_dims) {
    int64_t expected = 1;
    for (uint32_t d = n_dims; d-- > 0;) {
        if (operand->stride[d] != expected)
            return 0;
        expected *= size[d];
    }
    return 1;
}

#ifdef __cplusplus
}
#endif
#endif
