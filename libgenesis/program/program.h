/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - map programs as data: expressions, their derivatives, typed programs, the builder.
 * Knows neither tensors nor devices.
 *
 * An *expression* is untyped: "x * sigmoid(beta * x)". It is parsed once, differentiated
 * symbolically, and *instantiated* for given operand dtypes into a gn_program, which a backend
 * runs. Other programs are made by the builder.
 *
 * Programs and expressions live as long as the process, in tables that static pointers reach. They
 * are plain data that depends on no device, so static variables may hold them, also beyond
 * gn_shutdown and into a later use of the library. All functions are thread-safe, but that a
 * builder belongs to one thread.
 */
#ifndef GENESIS_PROGRAM_H
#define GENESIS_PROGRAM_H

#include "../base/internal.h"

/* ---- Dtypes (types.c) */

/* PyTorch's promotion of two dtypes: bool < integers < floats; within integers and floats the wider
 * (u8 with a signed one gives the next wider signed one, f16 with bf16 gives f32). */
int gn__promote(int a, int b);

/* The type in which programs compute a storage dtype: itself, but f32 for f16 and bf16. */
static inline int gn__compute_type(int dtype) {
    return dtype == GN_F16 || dtype == GN_BF16 ? GN_F32 : dtype;
}

/* ---- The builder (builder.c)
 *
 * Appends typed instructions, folds constants, merges common subexpressions within a part, applies
 * identities that hold for all values (x * 1, but not x + 0), and drops what is not stored. Values
 * are instruction numbers.
 *
 * Parts come by themselves: after the first gn__reduce_value of a part, what uses elements still
 * belongs to the element part (so two sums may be made one after the other), and the rest, loads
 * included, to the row part behind it. gn__elements begins the next part; elements of earlier ones
 * must be loaded again there.
 */

typedef struct gn__builder gn__builder;

/* `name` is copied. NULL with an error. */
gn__builder *gn__builder_new(const char *name, uint32_t flags);

/* Adds an operand, returns its number. role: GN_READ, GN_WRITE or GN_INDEX (dtype GN_I64). */
int gn__build_operand(gn__builder *b, int role, int dtype);
/* Adds a parameter, returns its number. */
int gn__build_param(gn__builder *b);

/* Values. Once something has failed (too many instructions, types that do not fit) all return 0
 * and gn__builder_finish gives NULL with the error. */
int gn__load(gn__builder *b, int operand); /* type: compute type of its dtype */
int gn__loadx(gn__builder *b, int operand, int index);
int gn__const_f(gn__builder *b, int type, double value);
int gn__const_i(gn__builder *b, int type, int64_t value);
int gn__const(gn__builder *b, int type, double value); /* of either kind */
int gn__param(gn__builder *b, int type, int param);
int gn__cast(gn__builder *b, int type, int value);          /* value itself if it has the type */
int gn__emit(gn__builder *b, int op, int a, int b_, int c); /* type follows from the operands */
int gn__reduce_value(gn__builder *b, int kind, int value, int payload);
void gn__elements(gn__builder *b);                      /* begins another element part */
void gn__store(gn__builder *b, int operand, int value); /* casts to the operand's dtype */
int gn__type_of(const gn__builder *b, int value);

/* Frees the builder and returns the program, interned: equal programs are one pointer, which lives
 * as long as the process. NULL with an error. */
const gn_program *gn__builder_finish(gn__builder *b);

/* The interned program that equals one of somebody else's. NULL with an error. */
const gn_program *gn__program_intern(const gn_program *program);

/* ---- Expressions (parse.c, derive.c, instantiate.c)
 *
 * Grammar, with C's precedence:
 *
 *   ?:   ||   &&   |   ^   &   == !=   < <= > >=   << >>   + -   * / // %   unary - ! ~   **
 *
 * `/` divides in floating point, `//` rounds down, `%` has the sign of the divisor, and ** is
 * right-associative and binds tighter than the sign before it. Operands are parentheses, names,
 * inf, nan, pi, and numbers: an integer (1), or a float (1.0, 0.5, 1e-3), which turns integer
 * tensors into floats. Calls are: every opcode of backend.h in lower case (exp, sqrt, min, max, pow,
 * erf, isnan, floordiv, fmod, atan2, sign, rint, select, ...; div(x, y) truncates integers), and
 * sigmoid(x), log_sigmoid(x), softplus(x), float(x), bool(x), int(x).
 *
 * A name is a variable (a tensor) if it is in `variables`, a parameter (a scalar of the call) if it
 * is in `params`; anything else is an error that shows the place. The text may come from anywhere.
 */
typedef struct gn__expr gn__expr;

enum { GN__MAX_VARIABLES = 10 }; /* two are needed for each order of derivative */

/* `variables` and `params` are lists separated by commas: "x, y". Expressions are not interned:
 * the caller keeps what is made at run time. NULL with an error that shows text and position. */
gn__expr *gn__expr_parse(const char *name, const char *text, const char *variables,
                         const char *params);

int gn__expr_n_variables(const gn__expr *e);
int gn__expr_n_params(const gn__expr *e);
const char *gn__expr_name(const gn__expr *e);
/* The variable's number, or -1. */
int gn__expr_variable(const gn__expr *e, const char *name);
/* Whether the variable occurs. */
bool gn__expr_uses(const gn__expr *e, int variable);
/* Writes the variables that occur, in order: the inputs of e's programs. Returns their number. */
int gn__expr_operands(const gn__expr *e, int out_variables[GN__MAX_VARIABLES]);

/* The expression of the gradient for variable k, made once and cached in e: its variables are
 * those of e, then "y" (the result of e), then "g" (the result's gradient); where e has such a name
 * itself they are called y2, g2 (or y3, ...), and in a text the name means e's. It can be
 * differentiated again, with y as a variable of its own.
 * NULL without an error: the gradient is zero everywhere (comparisons, floor, sign, int). Whether
 * the variable is a float is the caller's question. NULL with an error: digamma has no derivative,
 * or there are too many variables. Gradients given by gn__expr_set_gradient replace derived ones.
 *
 * Conventions where the derivative is not unique, as PyTorch: max and min split ties in half, also
 * against a constant (relu and clamp give their own); abs and sign have 0 at 0; c ? a : b passes to
 * the branch taken, and what the other one computes has no effect, be it NaN. */
gn__expr *gn__expr_gradient(gn__expr *e, int variable);
/* `text` over the variables of e, y and g, and e's params; "0": none. Before e is used. */
gn_status gn__expr_set_gradient(gn__expr *e, int variable, const char *text);

/* How an expression becomes a program for given dtypes. What an operation links is cast to a
 * common promoted type first, as PyTorch's fused kernels do: x * 0.5 + y with an f64 y is
 * computed in f64. 0-dim tensors do not raise the width within a category, nor do parameters and
 * numbers, but a float among them turns integers into floats of the signature's default dtype.
 * Functions that have no integer form (exp, /, sqrt, ...) take integers as such floats; comparisons give bool. What is only tested (by ?:,
 * &&, ||, !) keeps its type, and so do the operands of comparisons and bit operations: in
 * k == 2 ? x : y an integer k is compared as an integer. Entries of variables that do not occur are
 * not looked at. */
typedef struct gn__signature {
    int n_variables;
    int8_t dtype[GN__MAX_VARIABLES];
    bool zero_dim[GN__MAX_VARIABLES];
    bool float_params; /* the call's parameters are not all integers */
    int8_t floats;     /* the default dtype: of floats that come from integers; 0: f32 */
    int8_t result;     /* dtype of the output; 0 or less: as the expression's type says
                                (f16 and bf16 stay what they were promoted to) */
} gn__signature;

/* The dtype of the result: that of the program's last operand, so where the program is needed
 * anyway, look there. -1 with an error (an op on types that it does not take). */
int gn__expr_result_dtype(gn__expr *e, const gn__signature *signature);

/* The program: operands are the variables that the expression uses, in order, then the output.
 * Cached in e: a few nanoseconds from the second time on. NULL with an error.
 * A parameter is an integer (.i) where its PARAM instructions, which come first, have an integer
 * type: where the call's parameters are all integers and this one is used with integer tensors. */
const gn_program *gn__expr_program(gn__expr *e, const gn__signature *signature);

/* The same expression as the element part of a reduction: the sum of its values, in their type,
 * over the reduced dims (for gradients of broadcast inputs); bools are counted. Cached in e. */
const gn_program *gn__expr_sum_program(gn__expr *e, const gn__signature *signature);

/* Text of a program, one instruction a line, for logs and tests; owned by the caller: free(). */
char *gn__program_text(const gn_program *program);

/* ---- Assignments (assign.c): several results, in place
 *
 *     {"g", "decays ? g + weight_decay * p : g"}, {"p", "p + step_size * g"}
 *
 * Names on the right are tensors, all of one floating-point dtype, scalars of the call, flags, which
 * are fixed when the program is made (the branch not taken leaves no trace), and what earlier lines
 * assigned. Operators are those of expressions; functions those that are opcodes.
 */
typedef struct gn__assignment {
    const char *name, *text;
} gn__assignment;

typedef struct gn__flag {
    const char *name;
    bool value;
} gn__flag;

enum { GN__MAX_ASSIGNED_NAMES = 40 };

typedef struct gn__assignments {
    const char *name;
    int dtype;
    const gn__assignment *lines; /* the last one has no name */
    int n_variables, n_scalars, n_flags;
    const char *const *variables, *const *scalars;
    const gn__flag *flags;
    int constant; /* the number of the variable that is only read, or -1 */
} gn__assignments;

/* The program: operands are the variables, then those that are written, in the same order; it
 * computes in gn__compute_type(dtype) and stores what was assigned last. NULL with an error. */
const gn_program *gn__assignments_program(const gn__assignments *assignments);

/* ---- Programs by variant (kernel.c): built at first use, then found without a lock */

enum { GN__KERNEL_VARIANTS = 128 };

/* What tells the variants of a kernel apart: dtypes and flags; 0 says "absent". */
typedef union gn__variant {
    int8_t v[8];
    uint64_t key;
} gn__variant;
#define GN__VARIANT(...) ((gn__variant){.v = {__VA_ARGS__}})

typedef struct gn__kernel {
    const char *name;
    uint32_t flags; /* GN_PROGRAM_* */
    void (*build)(gn__builder *b, const int8_t *v);
    atomic_int n;
    struct {
        uint64_t key;
        const gn_program *program;
    } cache[GN__KERNEL_VARIANTS];
} gn__kernel;

const gn_program *gn__kernel_program(gn__kernel *kernel, gn__variant variant);

#endif
