/* SPDX-License-Identifier: Apache-2.0 */
/* Linear layers. */
#include "ops.h"

static gn_tensor *linear(const op_case *c) { return gn_linear(c->in[0], c->in[1], c->in[2]); }

static const op_row rows[] = {
    {.name = "plain", .op = "linear", .run = linear},
    {.name = "row", .op = "linear", .run = linear},
    {.name = "batches", .op = "linear", .run = linear},
    {.name = "no_bias", .op = "linear", .run = linear},
    {.name = "double", .op = "linear", .run = linear},
    {.name = "bfloat16", .op = "linear", .run = linear},
};

const op_group op_linear = {.file = "linear.safetensors",
                            .inputs = {"x", "weight", "bias"},
                            .rows = rows,
                            .n_rows = GN_LENGTH(rows)};
