/* SPDX-License-Identifier: Apache-2.0 */
/* Attention. */
#include "ops.h"

static gn_tensor *attention(const op_case *c) {
    return gn_scaled_dot_product_attention_with(c->in[0], c->in[1], c->in[2], c->options);
}

#define ROW(...) .op = "attention", .run = attention, .options = __VA_ARGS__
static const op_row rows[] = {
    {.name = "plain", ROW(NULL)},
    {.name = "causal", ROW(GN_OPTIONS(gn_attention_options, .causal = true))},
    {.name = "scaled", ROW(GN_OPTIONS(gn_attention_options, .scale = {0.3, true}))},
};
#undef ROW

const op_group op_attention = {.file = "attention.safetensors",
                               .inputs = {"q", "k", "v"},
                               .rows = rows,
                               .n_rows = GN_LENGTH(rows)};
