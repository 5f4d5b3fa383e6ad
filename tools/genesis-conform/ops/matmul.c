/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices. */
#include "ops.h"

#define PRODUCT(name)                                                                              \
    static gn_tensor *run_##name(const op_case *c) { return gn_##name(c->in[0], c->in[1]); }
PRODUCT(matmul)
PRODUCT(mm)
PRODUCT(bmm)
PRODUCT(dot)
PRODUCT(outer)
PRODUCT(mv)
#undef PRODUCT

static gn_tensor *run_addmm(const op_case *c) {
    return gn_addmm(c->in[0], c->in[1], c->in[2], .beta = gn_some(c->args[0]),
                    .alpha = gn_some(c->args[1]));
}
static gn_tensor *run_baddbmm(const op_case *c) {
    return gn_baddbmm(c->in[0], c->in[1], c->in[2], .beta = gn_some(c->args[0]),
                      .alpha = gn_some(c->args[1]));
}

static const op_row rows[] = {
    {.name = "matmul", .run = run_matmul}, {.name = "mm", .run = run_mm},
    {.name = "bmm", .run = run_bmm},       {.name = "dot", .run = run_dot},
    {.name = "outer", .run = run_outer},   {.name = "mv", .run = run_mv},
    {.name = "addmm", .run = run_addmm},   {.name = "baddbmm", .run = run_baddbmm},
};

const op_group op_matmul = {.file = "ops_matmul.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
