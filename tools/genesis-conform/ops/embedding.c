/* SPDX-License-Identifier: Apache-2.0 */
/* Embedding. */
#include "ops.h"

static gn_tensor *embedding(const op_case *c) { return gn_embedding(c->in[0], c->in[1]); }

static const op_row rows[] = {
    {.name = "plain", .op = "embedding", .run = embedding},
    {.name = "scalar", .op = "embedding", .run = embedding},
    {.name = "int32", .op = "embedding", .run = embedding},
};

const op_group op_embedding = {.file = "embedding.safetensors",
                               .inputs = {"x", "weight"},
                               .rows = rows,
                               .n_rows = GN_LENGTH(rows)};
