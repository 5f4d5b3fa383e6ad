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
#undef PRODUCT

static const op_row rows[] = {
    {.name = "matmul", .run = run_matmul}, {.name = "mm", .run = run_mm},
    {.name = "bmm", .run = run_bmm},       {.name = "dot", .run = run_dot},
    {.name = "outer", .run = run_outer},
};

const op_group op_matmul = {.file = "ops_matmul.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
