/* SPDX-License-Identifier: Apache-2.0 */
/* blocks.c - small combinations of modules: Residual, the feed-forward part of gated transformers. */
#include <genesis/transformer.h>

#include "module.h"

/* ---- Residual */

typedef struct residual {
    gn_module base;
    gn_module *fn;
} residual;

static gn_tensor *forward_residual(gn_module *module, gn_tensor *x) {
    return gn_add(gn_forward(((residual *)module)->fn, x), x);
}

static const gn_module_class residual_class = {
    .name = "Residual", .size = sizeof(residual), .forward = forward_residual};

gn_module *gn_nn_residual(gn_module *fn) {
    if (!gn__is_module("Residual", fn))
        return NULL;
    residual *self = gn_module_new(&residual_class);
    if (self == NULL)
        return NULL;
    self->fn = gn_child(self, "fn", fn);
    return gn__failed() ? NULL : &self->base;
}

/* ---- SwiGLU */

typedef struct swiglu {
    gn_module base;
    gn_module *gate, *down, *up, *dropout;
} swiglu;

static gn_tensor *forward_swiglu(gn_module *module, gn_tensor *x) {
    swiglu *self = (swiglu *)module;
    gn_tensor *in[] = {gn_forward(self->gate, x), gn_forward(self->up, x)};
    gn_tensor *inner = gn_map_n("(gate, up) -> gate * sigmoid(gate) * up", 2, in, NULL);
    return gn_forward(self->dropout, gn_forward(self->down, inner));
}

static const gn_module_class swiglu_class = {
    .name = "FeedForwardSwiGLU", .size = sizeof(swiglu), .forward = forward_swiglu};

gn_module *gn_nn_feed_forward_swiglu_with(int64_t dim, int64_t hidden_dim,
                                          const gn_swiglu_options *options) {
    gn_swiglu_options o;
    gn__options(&o, sizeof o, options);
    swiglu *self = gn_module_new(&swiglu_class);
    if (self == NULL)
        return NULL;
    self->gate = gn_child(self, "gate", gn_nn_linear(dim, hidden_dim, .no_bias = true));
    self->down = gn_child(self, "down", gn_nn_linear(hidden_dim, dim, .no_bias = true));
    self->up = gn_child(self, "up", gn_nn_linear(dim, hidden_dim, .no_bias = true));
    self->dropout = gn_child(self, "dropout", gn_nn_dropout(gn_or(o.dropout, 0.1)));
    return gn__failed() ? NULL : &self->base;
}
