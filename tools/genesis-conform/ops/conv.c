/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution. */
#include "ops.h"

static gn_tensor *conv(const op_case *c) {
    return gn_conv2d_with(c->in[0], c->in[1], c->in[2], c->options);
}

#define ROW(...) .op = "conv2d", .run = conv, .options = GN_OPTIONS(gn_conv_options, __VA_ARGS__)
static const op_row rows[] = {
    {.name = "plain", .op = "conv2d", .run = conv},
    {.name = "padded", ROW(.padding = 1)},
    {.name = "strided", ROW(.stride = 2, .padding = 1)},
    {.name = "rest", ROW(.stride = 3)},
    {.name = "point", .op = "conv2d", .run = conv},
    {.name = "point_strided", ROW(.stride = 2, .padding = 1)},
    {.name = "groups", ROW(.groups = 2, .padding = 1)},
    {.name = "depthwise", ROW(.groups = 3, .padding = 1)},
    {.name = "dilated", ROW(.dilation = 2, .padding = 2)},
    {.name = "pairs", ROW(.strides = {2, 1}, .paddings = {0, 1}, .dilations = {1, 2})},
    {.name = "no_bias", ROW(.padding = 1)},
    {.name = "double", ROW(.padding = 1)},
    {.name = "bfloat16", ROW(.padding = 1)},
};
#undef ROW

const op_group op_conv = {.file = "conv.safetensors",
                          .inputs = {"x", "weight", "bias"},
                          .rows = rows,
                          .n_rows = GN_LENGTH(rows)};
