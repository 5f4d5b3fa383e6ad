/* SPDX-License-Identifier: Apache-2.0 */
/* Operations whose result's shape depends on values. */
#include "ops.h"

static gn_tensor *run_nonzero(const op_case *c) { return gn_nonzero(c->in[0]); }
static gn_tensor *run_masked_select(const op_case *c) {
    return gn_masked_select(c->in[0], c->in[1]);
}
static gn_tensor *run_bincount(const op_case *c) {
    return gn_bincount(c->in[0], NULL, (int64_t)c->args[0]);
}
static gn_tensor *run_bincount_weights(const op_case *c) {
    return gn_bincount(c->in[0], c->in[1], (int64_t)c->args[0]);
}

static gn_tensor *run_repeat_interleave_by(const op_case *c) {
    return gn_repeat_interleave_by(c->in[0], c->in[1], (int64_t)c->args[0]);
}

static const op_row rows[] = {
    {.name = "nonzero", .run = run_nonzero},
    {.name = "masked_select", .run = run_masked_select},
    {.name = "bincount", .run = run_bincount},
    {.name = "bincount_weights", .run = run_bincount_weights},
    {.name = "repeat_interleave_by", .run = run_repeat_interleave_by},
};

const op_group op_select = {.file = "ops_select.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
