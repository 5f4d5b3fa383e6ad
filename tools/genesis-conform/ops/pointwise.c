/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of pointwise.def: its row makes the function that runs it, and the row here. */
#include "ops.h"

#define GN_UNARY(function, expression, gradient, meaning)                                          \
    static gn_tensor *run_##function(const op_case *c) { return function(c->in[0]); }
#define GN_UNARY_SCALAR(function, expression, gradient, meaning)                                   \
    static gn_tensor *run_##function(const op_case *c) { return function(c->in[0], c->args[0]); }
#define GN_BINARY(function, expression, gradient_a, gradient_b, meaning)                           \
    static gn_tensor *run_##function(const op_case *c) { return function(c->in[0], c->in[1]); }
#include <genesis/pointwise.def>
#undef GN_UNARY
#undef GN_UNARY_SCALAR
#undef GN_BINARY

#define ROW(function)                                                                              \
    {.name = #function, .op = &#function[sizeof "gn_" - 1], .run = run_##function},
#define GN_UNARY(function, expression, gradient, meaning) ROW(function)
#define GN_UNARY_SCALAR(function, expression, gradient, meaning) ROW(function)
#define GN_BINARY(function, expression, gradient_a, gradient_b, meaning) ROW(function)
static const op_row rows[] = {
#include <genesis/pointwise.def>
};
#undef ROW
#undef GN_UNARY
#undef GN_UNARY_SCALAR
#undef GN_BINARY

const op_group op_pointwise = {
    .file = "ops_pointwise.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
