/* SPDX-License-Identifier: Apache-2.0 */
/* Attention. */
#include "ops.h"

static gn_tensor *attention(const op_case *c) {
    gn_attention_options o = {.struct_size = sizeof o};
    if (c->options)
        o = *(const gn_attention_options *)c->options;
    o.attn_mask = c->in[3];
    return gn_scaled_dot_product_attention_with(c->in[0], c->in[1], c->in[2], &o);
}

#define ROW(...) .op = "attention", .run = attention, .options = __VA_ARGS__
static const op_row rows[] = {
    {.name = "plain", ROW(NULL)},
    {.name = "causal", ROW(GN_OPTIONS(gn_attention_options, .causal = true))},
    {.name = "scaled", ROW(GN_OPTIONS(gn_attention_options, .scale = {0.3, true}))},
    {.name = "mask_bool", ROW(NULL)},
    {.name = "mask_keys", ROW(NULL)},
    {.name = "mask_float", ROW(NULL)},
    {.name = "mask_infinite", ROW(GN_OPTIONS(gn_attention_options, .scale = {0.5, true}))},
    {.name = "grouped", ROW(GN_OPTIONS(gn_attention_options, .enable_gqa = true))},
    {.name = "grouped_mask", ROW(GN_OPTIONS(gn_attention_options, .enable_gqa = true))},
};
#undef ROW

const op_group op_attention = {.file = "attention.safetensors",
                               .inputs = {"q", "k", "v", "attn_mask"},
                               .rows = rows,
                               .n_rows = GN_LENGTH(rows)};
