/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel.h - what the cases of kernels share: buffers on the device, programs, calls, numbers.
 *
 * The cases see the device through its table only: they fill buffers on the host, call a kernel,
 * run a plain C loop over the host's copies, download the device's memory and compare.
 */
#ifndef GENESIS_CONFORM_KERNEL_H
#define GENESIS_CONFORM_KERNEL_H

#include <float.h>
#include <math.h>

#include "../target.h"

/* Waits for the default queue, and returns the error that stuck to it. */
gn_status settle(void);

/* ---- buffer.c: memory of the device with the host's copy ------------------------------ */

/*
 * `data` is what the device's memory is expected to hold: what the test puts there before the
 * buffer's first use is uploaded with it, and what it puts there later is compared by check_*.
 * Guard zones on both sides, and all elements that a kernel should not write, are compared as well.
 */
struct buffer {
    gn_mem *mem;
    int dtype;
    int64_t n;
    char *data;       /* element 0 */
    char *downloaded; /* by download_all */
    bool uploaded;
    struct buffer *next;
};

struct buffer *buffer_new(int dtype, int64_t n);    /* freed when the case ends */
struct buffer *buffer_random(int dtype, int64_t n); /* floats in -2..2, integers in -9..9 or 0..9 */
struct buffer *buffer_whole(int dtype, int64_t n);  /* small whole numbers, whose sums are exact */
double buffer_largest(const struct buffer *b);      /* magnitude of a number in `data` */
void buffer_upload(struct buffer *b);               /* AT does so at the first use */
void buffers_free(void);
void kernel_after(void); /* of a group: frees buffers and handles of programs */

#define F32(b) ((float *)(void *)(b)->data)
#define I64(b) ((int64_t *)(void *)(b)->data)
#define U8(b) ((uint8_t *)(void *)(b)->data)

gn_scalar get(const struct buffer *b, int64_t i); /* as LOAD gives it */
void put(struct buffer *b, int64_t i, gn_scalar value);
double get_f(const struct buffer *b, int64_t i); /* any dtype, as a double */
void put_f(struct buffer *b, int64_t i, double value);

/*
 * Compare the device's memory with `data`. NaN equals NaN, and -0 equals 0. Errors within the
 * tolerance are noted in ulp of the largest element, as sums cancel.
 */
void check_exact(struct buffer *b);
/* |got - expected| <= relative * |expected| + absolute */
void check_near(struct buffer *b, double relative, double absolute);
/* The device's elements, after a check of the guard zones; until the buffer's next download. */
void *download_all(struct buffer *b);

/* ---- program.c: programs and calls ---------------------------------------------------- */

/* Between program_begin and program_end each function appends an instruction and returns its
 * number. Operands get their role and dtype from the instructions that use them. */
void program_begin(const char *name);
void program_flags(uint32_t flags);
const gn_program *program_end(void); /* lives as long as the process */
/* The same of a program that was made elsewhere. */
const gn_program *program_copy(const gn_program *original);

int load(int operand, int dtype);
int load_index(int operand);
int loadx(int operand, int dtype, int index);
int const_f(int type, double value);
int const_i(int type, int64_t value);
int param(int type, int number);
void store(int operand, int dtype, int value);
int op1(int op, int a);
int op2(int op, int a, int b);
int op3(int op, int type, int a, int b, int c);
int choose(int condition, int a, int b);
int cast_to(int type, int a);
int round_to(int dtype, int a);
int reduced(int kind, int value);
int reduced_arg(int kind, int value, int payload);
void elements(void);

static inline int add(int a, int b) { return op2(GN_OP_ADD, a, b); }
static inline int sub(int a, int b) { return op2(GN_OP_SUB, a, b); }
static inline int mul(int a, int b) { return op2(GN_OP_MUL, a, b); }
static inline int over(int a, int b) { return op2(GN_OP_DIV, a, b); }

#define SIZES(...)                                                                                 \
    GN_LENGTH(((int64_t[]){__VA_ARGS__})), (int64_t[]) { __VA_ARGS__ }
#define OPERANDS(...)                                                                              \
    GN_LENGTH(((gn_operand[]){__VA_ARGS__})), (gn_operand[]) { __VA_ARGS__ }
#define PARAMS(...)                                                                                \
    (gn_scalar[]) { __VA_ARGS__ }
#define STRIDES(...)                                                                               \
    (const int64_t[GN_MAX_DIMS]) { __VA_ARGS__ }

/* An operand of the buffer, from element `offset` on, with the strides that follow. */
#define AT(b, offset, ...) operand_of(b, offset, STRIDES(__VA_ARGS__))
#define INDEX(offset, ...) operand_of(NULL, offset, STRIDES(__VA_ARGS__))
gn_operand operand_of(struct buffer *b, int64_t offset, const int64_t *stride);
gn_operand with_axis(gn_operand operand, int64_t stride, int64_t extent);

/* The case fails unless the call did so; an index error comes with the tag of the call. */
void expect_status(gn_status status, gn_status wanted);
void expect_index_error(gn_status status);

typedef gn_status kernel_fn(gn_device *, gn_stream *, const gn_call *);
/* The tag of every call. */
uint64_t test_tag(void);

/* The space of a call, and its operands. */
struct space {
    size_t n_dims, n_operands;
    int64_t size[GN_MAX_DIMS];
    gn_operand operands[GN_MAX_OPERANDS];
};

/* A call on a space that is simplified as gn_call promises it, and has to outlive the call. */
gn_call prepare_call(struct space *s, const gn_program *program, uint32_t n_reduced, size_t n_dims,
                     const int64_t *size, size_t n_operands, const gn_operand *operands,
                     const gn_scalar *params);
/* Prepares a call, and calls the kernel with it. */
gn_status try_call(kernel_fn *kernel, const gn_program *program, uint32_t n_reduced, size_t n_dims,
                   const int64_t *size, size_t n_operands, const gn_operand *operands,
                   const gn_scalar *params);
/* As above, and the case fails if the call does. */
void map(const gn_program *program, size_t n_dims, const int64_t *size, size_t n_operands,
         const gn_operand *operands, const gn_scalar *params);
void reduce(const gn_program *program, uint32_t n_reduced, size_t n_dims, const int64_t *size,
            size_t n_operands, const gn_operand *operands, const gn_scalar *params);
gn_status try_scatter(int dtype, int combine, bool unordered, uint32_t n_serial, size_t n_dims,
                      const int64_t *size, gn_operand source, gn_operand index, gn_operand target);
void scatter(int dtype, int combine, uint32_t n_serial, size_t n_dims, const int64_t *size,
             gn_operand source, gn_operand index, gn_operand target);
/* Calls of one program, each of one dim, for map_many. */
gn_status try_map_many(const gn_program *program, uint32_t n_calls, const int64_t *size,
                       uint32_t n_operands, const gn_operand *operands);

/* Goes to the next coordinates in row-major order; from the last to zeros, and returns false. */
bool next_coordinate(int64_t *coordinate, size_t n_dims, const int64_t *size);
int64_t element_of(const int64_t *coordinate, size_t n_dims, const int64_t *stride);

/* ---- value.c: numbers ----------------------------------------------------------------- */

int value_type(int dtype); /* f32 for f16 and bf16 */
int64_t wrap(int type, __int128 value);
double float16_value(uint16_t bits);
double bfloat16_value(uint16_t bits);
uint16_t to_float16(double value); /* to nearest even */
uint16_t to_bfloat16(double value);
double round_value(int dtype, double value); /* as LOAD after STORE */
double machine_eps(int type);                /* 2^-23 or 2^-52 */
double smallest_normal(int type);
/* |got - exact| in units of the spacing of a float dtype at `exact`, but at least at `floor_at`. */
double ulp_error(int dtype, double got, long double exact, long double floor_at);
void philox4x32(uint32_t counter[4], uint32_t key0, uint32_t key1);
uint32_t random_word(int64_t index, int64_t offset, int64_t key); /* what RANDOM gives */

#endif
