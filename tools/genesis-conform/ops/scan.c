/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums and products. */
#include "ops.h"

static gn_tensor *run_cumsum(const op_case *c) { return gn_cumsum(c->in[0], op_int(c, 0)); }
static gn_tensor *run_cumprod(const op_case *c) { return gn_cumprod(c->in[0], op_int(c, 0)); }

static const op_row rows[] = {
    {.name = "cumsum", .run = run_cumsum},
    {.name = "cumprod", .run = run_cumprod},
};

const op_group op_scan = {.file = "ops_scan.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
