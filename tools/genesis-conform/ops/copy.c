/* SPDX-License-Identifier: Apache-2.0 */
/* Copies, casts, filling. */
#include "ops.h"

static gn_tensor *run_cast(const op_case *c) { return gn_cast(c->in[0], (gn_dtype)c->args[0]); }
static gn_tensor *run_clone(const op_case *c) { return gn_clone(c->in[0]); }
static gn_tensor *run_contiguous(const op_case *c) { return gn_contiguous(c->in[0]); }
static gn_tensor *run_copy_(const op_case *c) { return gn_copy_(gn_clone(c->in[0]), c->in[1]); }
static gn_tensor *run_detach(const op_case *c) { return gn_mul(gn_detach(c->in[0]), c->in[0]); }
static gn_tensor *run_fill_(const op_case *c) { return gn_fill_(gn_clone(c->in[0]), c->args[0]); }

static gn_tensor *run_fill_view(const op_case *c) {
    gn_tensor *y = gn_mul_scalar(c->in[0], 1);
    gn_fill_(gn_select(y, 1, 1), 3);
    return gn_mul(y, c->in[0]);
}

static gn_tensor *run_copy_view(const op_case *c) {
    gn_tensor *z = gn_mul_scalar(gn_clone(gn_transpose(c->in[0], 0, 1)), 1);
    gn_copy_(gn_slice(z, 0, 1, 3, 1), c->in[1]);
    return gn_mul(z, z);
}

static const op_row rows[] = {
    {.name = "cast", .run = run_cast},
    {.name = "clone", .run = run_clone},
    {.name = "contiguous", .run = run_contiguous},
    {.name = "copy_", .run = run_copy_},
    {.name = "detach", .run = run_detach},
    {.name = "fill_", .run = run_fill_},
    {.name = "fill_view", .run = run_fill_view},
    {.name = "copy_view", .run = run_copy_view},
};

const op_group op_copy = {.file = "ops_copy.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
