/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_test.h - what the tests of a plugin's kernels share.
 *
 * The tests open one plugin by themselves, without libgenesis, and see it through its table only:
 * they fill buffers on the host, call a kernel, run a plain C loop over the host's copies, download
 * the device's memory and compare.
 */
#ifndef GENESIS_KERNEL_TEST_H
#define GENESIS_KERNEL_TEST_H

#include <check.h>
#include <float.h>
#include <genesis/backend.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- kernel_host.c: the plugin, and the host that it talks to -------------------------------- */

extern const gn_backend *backend; /* the table under test; members beyond its size are NULL */
extern gn_device *device;

/* What the plugin said last through set_error. */
extern struct last_error {
    gn_status status;
    uint64_t tag;
    char message[512];
} last_error;

void plugin_load(
    void); /* GENESIS_TEST_PLUGIN names the file; stops the program if it is no plugin */
void plugin_unload(void);
gn_status plugin_entry(gn_abi_request *request, const gn_backend **out);
bool plugin_has(int dtype);

/* ck_assert_msg for what is asked a million times: Check writes a record of every assertion. */
#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

/* A line for the message of a failing comparison: which case of a table is being run. */
void context(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *context_text(void);

/* Waits for the default queue, and returns the error that stuck to it. */
gn_status settle(void);

/* ---- kernel_buffer.c: memory of the device with the host's copy ------------------------------ */

/*
 * `data` is what the device's memory is expected to hold: what the test puts there before the
 * buffer's first use is uploaded with it, and what it puts there later is compared by check_*.
 * Guard zones on both sides, and all elements that a kernel should not write, are compared as well.
 */
struct buffer {
    gn_mem *mem;
    int dtype;
    int64_t n;
    char *data; /* element 0 */
    bool uploaded;
    struct buffer *next;
};

struct buffer *buffer_new(int dtype, int64_t n);    /* freed when the test ends */
struct buffer *buffer_random(int dtype, int64_t n); /* floats in -2..2, integers in -9..9 or 0..9 */
struct buffer *buffer_whole(int dtype, int64_t n);  /* small whole numbers, whose sums are exact */
void buffer_upload(struct buffer *b);               /* AT does so at the first use */
void buffers_free(void);

#define F32(b) ((float *)(void *)(b)->data)
#define I64(b) ((int64_t *)(void *)(b)->data)
#define U8(b) ((uint8_t *)(void *)(b)->data)

gn_scalar get(const struct buffer *b, int64_t i); /* as LOAD gives it */
void put(struct buffer *b, int64_t i, gn_scalar value);
double get_f(const struct buffer *b, int64_t i); /* any dtype, as a double */
void put_f(struct buffer *b, int64_t i, double value);

/* Compares the device's memory with `data`. NaN equals NaN, and -0 equals 0. */
void check_exact(struct buffer *b);
/* |got - expected| <= relative * |expected| + absolute */
void check_near(struct buffer *b, double relative, double absolute);
/* Downloads into a new copy of the elements, after a check of the guard zones; free() it. */
void *download_all(struct buffer *b);

/* ---- kernel_program.c: programs and calls ---------------------------------------------------- */

/* Between program_begin and program_end each function appends an instruction and returns its
 * number. Operands get their role and dtype from the instructions that use them. */
void program_begin(const char *name);
void program_flags(uint32_t flags);
const gn_program *program_end(void); /* kept until the plugin is unloaded */

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
bool op_was_used(int op);
void programs_free(void); /* before the plugin is unloaded */

static inline int add(int a, int b) { return op2(GN_OP_ADD, a, b); }
static inline int sub(int a, int b) { return op2(GN_OP_SUB, a, b); }
static inline int mul(int a, int b) { return op2(GN_OP_MUL, a, b); }
static inline int over(int a, int b) { return op2(GN_OP_DIV, a, b); }

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SIZES(...)                                                                                 \
    COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) { __VA_ARGS__ }
#define OPERANDS(...)                                                                              \
    COUNT(((gn_operand[]){__VA_ARGS__})), (gn_operand[]) { __VA_ARGS__ }
#define PARAMS(...)                                                                                \
    (gn_scalar[]) { __VA_ARGS__ }
#define STRIDES(...)                                                                               \
    (const int64_t[GN_MAX_DIMS]) { __VA_ARGS__ }

/* An operand of the buffer, from element `offset` on, with the strides that follow. */
#define AT(b, offset, ...) operand_of(b, offset, STRIDES(__VA_ARGS__))
#define INDEX(offset, ...) operand_of(NULL, offset, STRIDES(__VA_ARGS__))
gn_operand operand_of(struct buffer *b, int64_t offset, const int64_t *stride);
gn_operand with_axis(gn_operand operand, int64_t stride, int64_t extent);

typedef gn_status kernel_fn(gn_device *, gn_stream *, const gn_call *);
enum { TEST_TAG = 4711 };

/* Simplifies the space as gn_call promises it, and calls the kernel. */
gn_status try_call(kernel_fn *kernel, const gn_program *program, uint32_t n_reduced, size_t n_dims,
                   const int64_t *size, size_t n_operands, const gn_operand *operands,
                   const gn_scalar *params);
/* As above, and the test fails if the call does. */
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

/* ---- kernel_value.c: numbers ----------------------------------------------------------------- */

int value_type(int dtype); /* f32 for f16 and bf16 */
int64_t wrap(int type, __int128 value);
double float16_value(uint16_t bits);
double bfloat16_value(uint16_t bits);
uint16_t to_float16(double value); /* to nearest even */
uint16_t to_bfloat16(double value);
double round_value(int dtype, double value); /* as LOAD after STORE */
double machine_eps(int type);                /* 2^-23 or 2^-52 */
double smallest_normal(int type);
/* |got - exact| in units of the spacing of floats at `exact`, but at least at `floor_at`. */
double ulp_error(int type, double got, long double exact, long double floor_at);
uint64_t random_bits(void);
double random_between(double low, double high);
void philox4x32(uint32_t counter[4], uint32_t key0, uint32_t key1);
uint32_t random_word(int64_t index, int64_t offset, int64_t key); /* what RANDOM gives */

/* ---- kernels_*.c: the cases ------------------------------------------------------------------ */

TCase *op_cases(void);
void add_integer_cases(TCase *cases); /* to those of op_cases */
TCase *cast_cases(void);
TCase *map_cases(void);
TCase *random_cases(void);
TCase *reduce_cases(void);
TCase *scatter_cases(void);
TCase *network_cases(void);
TCase *window_cases(void);
TCase *sequence_cases(void);
TCase *contract_cases(void);
TCase *coverage_cases(void);

#endif
