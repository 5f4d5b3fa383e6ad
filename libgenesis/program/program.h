/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - map programs as data: expressions, their derivatives, typed programs, the builder.
 * Knows neither tensors nor devices.
 *
 * An *expression* is untyped: "x * sigmoid(beta * x)". It is parsed once, differentiated
 * symbolically, and *instantiated* for given operand dtypes into a gn_program, which a backend runs.
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

/* ---- The builder (builder.c): appends typed instructions, folding constants, merging common
 * subexpressions within a part, and dropping what is not stored. Values are instruction numbers. */

typedef struct gn__builder gn__builder;

/* `name` is copied. NULL with an error. */
gn__builder *gn__builder_new(const char *name, uint32_t flags);

/* Adds an operand, returns its number. role: GN_READ, GN_WRITE or GN_INDEX (dtype GN_I64). */
int gn__build_operand(gn__builder *b, int role, int dtype);
/* Adds a parameter, returns its number. */
int gn__build_param(gn__builder *b);

/* Values. Once something has failed (too many instructions, types that do not fit) all return 0
 * and gn__builder_finish gives NULL with the error. */
int gn__load(gn__builder *b, int operand);                  /* type: compute type of its dtype */
int gn__loadx(gn__builder *b, int operand, int index);
int gn__const_f(gn__builder *b, int type, double value);
int gn__const_i(gn__builder *b, int type, int64_t value);
int gn__const(gn__builder *b, int type, double value);      /* of either kind */
int gn__param(gn__builder *b, int type, int param);
int gn__cast(gn__builder *b, int type, int value);          /* value itself if it has the type */
int gn__emit(gn__builder *b, int op, int a, int b_, int c); /* type follows from the operands */
int gn__reduce_value(gn__builder *b, int kind, int value, int payload);
void gn__elements(gn__builder *b);                          /* begins another element part */
void gn__store(gn__builder *b, int operand, int value);     /* casts to the operand's dtype */
int gn__type_of(const gn__builder *b, int value);

/* Frees the builder and returns the program, interned: equal programs are one pointer, which lives
 * as long as the process. NULL with an error. */
const gn_program *gn__builder_finish(gn__builder *b);

/* ---- Expressions (parse.c, derive.c, instantiate.c)
 *
 * Grammar, C's precedence: ?: || && | ^ & == != < <= > >= << >> + - * / // % (remainder with the
 * sign of the divisor) unary - ! ~, ** (power, binds tightest, right-associative), parentheses,
 * numbers (1, 0.5, 1e-3), inf, nan, pi, names, calls: every opcode of backend.h in lower case
 * (exp, sqrt, min, max, pow, erf, isnan, floordiv, fmod, remainder, atan2, sign, rint, ...), and
 * sigmoid(x), softplus(x), select(c, a, b), float(x), bool(x), int(x).
 *
 * A name is a variable (a tensor) if it is in `variables`, a parameter (a scalar of the call) if it
 * is in `params`; anything else is an error that shows the place.
 */
typedef struct gn__expr gn__expr;

enum { GN__MAX_VARIABLES = 10 };

/* `variables` and `params` are lists separated by commas: "x, y". Lives for ever: intern what is
 * made at run time. NULL with an error that shows the text and the position. */
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

/* The expression of the gradient for variable k, made once and cached in e:
 * its variables are those of e, then "y" (the result of e), then "g" (the result's gradient).
 * NULL without an error: the gradient is zero everywhere (comparisons, floor, sign) or the variable
 * is no float. Own gradients given by gn__expr_set_gradient replace the derived ones.
 *
 * Conventions where the derivative is not unique, as PyTorch: max and min of two variables split
 * ties in half; abs and sign have 0 at 0; c ? a : b passes to the branch taken; min/max against a
 * constant (relu, clamp) have the gradient 1 where x equals the bound for clamp, 0 for relu's 0:
 * such rows give their own. */
gn__expr *gn__expr_gradient(gn__expr *e, int variable);
/* `text` over the variables of e, y and g, and e's params. */
gn_status gn__expr_set_gradient(gn__expr *e, int variable, const char *text);

/* How an expression becomes a program for given dtypes. Variables that are used only as conditions
 * (of ?:, select, &&, ||, !) keep their type and are tested; all others are cast to their common
 * promoted type first, where 0-dim tensors (zero_dim) do not raise the width within a category and
 * parameters and constants do not raise it either, except that a fractional constant or a
 * parameter flagged as float turns integers into f32. Functions that have no integer form
 * (exp, /, sqrt, ...) take integers as f32; comparisons give bool. */
typedef struct gn__signature {
    int n_variables;
    int8_t dtype[GN__MAX_VARIABLES];
    bool zero_dim[GN__MAX_VARIABLES];
    bool float_params;       /* the call's parameters are not all integers */
    int8_t result;           /* dtype of the output; 0: as the expression's type says (f16 and
                                bf16 stay what they were promoted to) */
} gn__signature;

/* The dtype of the result. -1 with an error (an op on types that it does not take). */
int gn__expr_result_dtype(gn__expr *e, const gn__signature *signature);

/* The program: operands are the variables that the expression uses, in order, then the output.
 * Cached in e. Thread-safe. NULL with an error. */
const gn_program *gn__expr_program(gn__expr *e, const gn__signature *signature);

/* The same expression as the element part of a reduction: the sum of its values over the reduced
 * dims, in the operand `result` (for gradients of broadcast inputs). Cached in e. */
const gn_program *gn__expr_sum_program(gn__expr *e, const gn__signature *signature);

/* Which parameters (bit 1 << number) a program takes as floats, in .f; the others in .i. Programs of
 * expressions take them as integers where the call's parameters are all integers and one is used
 * with integer tensors. Parameters that are not used count as floats. */
uint32_t gn__program_float_params(const gn_program *program);

/* Text of a program, one instruction a line, for logs and tests; owned by the caller: free(). */
char *gn__program_text(const gn_program *program);

/* The part of gn_shutdown: nothing is freed. Programs and expressions stay for the process, held by
 * static lists (so they are no leaks), and static tables of them stay good for a later use. */
static inline void gn__programs_shutdown(void) {}

#endif
