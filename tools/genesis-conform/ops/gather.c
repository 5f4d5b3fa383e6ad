/* SPDX-License-Identifier: Apache-2.0 */
/* gather, scatter and their kin. */
#include "ops.h"

static gn_tensor *run_gather(const op_case *c) {
    return gn_gather(c->in[0], op_int(c, 0), c->in[1]);
}
static gn_tensor *run_scatter(const op_case *c) {
    return gn_scatter(c->in[0], op_int(c, 0), c->in[1], c->in[2]);
}
static gn_tensor *run_scatter_add(const op_case *c) {
    return gn_scatter_add(c->in[0], op_int(c, 0), c->in[1], c->in[2]);
}
static gn_tensor *run_index_select(const op_case *c) {
    return gn_index_select(c->in[0], op_int(c, 0), c->in[1]);
}
static gn_tensor *run_masked_fill(const op_case *c) {
    return gn_masked_fill(c->in[0], c->in[1], c->args[0]);
}

static gn_tensor *run_index_add(const op_case *c) {
    return gn_index_add(c->in[0], op_int(c, 0), c->in[1], c->in[2]);
}
static gn_tensor *run_index_copy(const op_case *c) {
    return gn_index_copy(c->in[0], op_int(c, 0), c->in[1], c->in[2]);
}
static gn_tensor *run_take_along_dim(const op_case *c) {
    return gn_take_along_dim(c->in[0], c->in[1], op_int(c, 0));
}
static gn_tensor *run_scatter_reduce(const op_case *c) {
    return gn_scatter_reduce(c->in[0], op_int(c, 0), c->in[1], c->in[2],
                             .reduce = (gn_combine)op_int(c, 1), .exclude_self = c->args[2] != 0);
}

static const op_row rows[] = {
    {.name = "gather", .run = run_gather},
    {.name = "scatter", .run = run_scatter},
    {.name = "scatter_add", .run = run_scatter_add},
    {.name = "index_select", .run = run_index_select},
    {.name = "masked_fill", .run = run_masked_fill},
    {.name = "index_add", .run = run_index_add},
    {.name = "index_copy", .run = run_index_copy},
    {.name = "take_along_dim", .run = run_take_along_dim},
    {.name = "scatter_reduce", .run = run_scatter_reduce},
};

const op_group op_gather = {.file = "ops_gather.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
