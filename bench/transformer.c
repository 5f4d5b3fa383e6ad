/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transformer.c - a block of a transformer's encoder:
 *
 *   x = x + out(attention(qkv(norm1(x))))
 *   x = x + down(gelu(up(norm2(x))))
 */
#include "bench.h"

typedef struct block {
    gn_module base;
    int64_t heads;
    gn_module *norm1, *qkv, *out, *norm2, *up, *down;
} block;

/* (N, L, width) -> (N, L, width) */
static gn_tensor *attend(block *self, gn_tensor *x) {
    int64_t n = gn_size(x, 0), length = gn_size(x, 1), width = gn_size(x, 2);
    gn_tensor *qkv = gn_forward(self->qkv, x), *part[3];
    qkv = gn_reshape(qkv, n, length, 3, self->heads, width / self->heads);
    if (gn_unbind(gn_permute(qkv, 2, 0, 3, 1, 4), 0, part, 3) < 0)
        return NULL;
    gn_tensor *y = gn_scaled_dot_product_attention(part[0], part[1], part[2]);
    return gn_forward(self->out, gn_reshape(gn_transpose(y, 1, 2), n, length, width));
}

static gn_tensor *block_forward(gn_module *module, gn_tensor *x) {
    block *self = (block *)module;
    x = gn_add(x, attend(self, gn_forward(self->norm1, x)));
    gn_tensor *hidden = gn_gelu(gn_forward(self->up, gn_forward(self->norm2, x)));
    return gn_add(x, gn_forward(self->down, hidden));
}

static const gn_module_class block_class = {
    .name = "TransformerBlock", .size = sizeof(block), .forward = block_forward};

gn_module *bench_transformer_block(int64_t width, int64_t heads) {
    block *self = gn_module_new(&block_class);
    if (self == NULL)
        return NULL;
    self->heads = heads;
    self->norm1 = gn_child(self, "norm1", gn_nn_layer_norm(GN_SHAPE(width)));
    self->qkv = gn_child(self, "qkv", gn_nn_linear(width, 3 * width));
    self->out = gn_child(self, "out", gn_nn_linear(width, width));
    self->norm2 = gn_child(self, "norm2", gn_nn_layer_norm(GN_SHAPE(width)));
    self->up = gn_child(self, "up", gn_nn_linear(width, 4 * width));
    self->down = gn_child(self, "down", gn_nn_linear(4 * width, width));
    return &self->base;
}
