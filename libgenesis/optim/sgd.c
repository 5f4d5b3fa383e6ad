/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sgd.c - stochastic gradient descent with momentum, PyTorch's form.
 *
 *     g = +-gradient + weight_decay p
 *     u = g in the first step, then momentum u + (1 - dampening) g
 *     p = p - lr (nesterov ? g + momentum u : u);   without momentum: p = p - lr g
 */
#include <math.h>

#include "optimizer.h"

enum { NEGATIVE_LR, WEIGHT_DECAY, KEPT, ADDED, MOMENTUM, N_SCALARS };

static void build_sgd(const gn_optimizer *o, gn__update *u) {
    gn__builder *b = u->builder;
    int g = gn__effective_gradient(o, u, u->scalar[WEIGHT_DECAY]);
    if (o->n_states > 0) {
        int next = gn__emit(b, GN_OP_ADD, gn__emit(b, GN_OP_MUL, u->state[0], u->scalar[KEPT], 0),
                            gn__emit(b, GN_OP_MUL, g, u->scalar[ADDED], 0), 0);
        u->state[0] = next;
        g = o->nesterov
                ? gn__emit(b, GN_OP_ADD, g, gn__emit(b, GN_OP_MUL, next, u->scalar[MOMENTUM], 0), 0)
                : next;
    }
    u->parameter = gn__emit(b, GN_OP_ADD, u->parameter,
                            gn__emit(b, GN_OP_MUL, g, u->scalar[NEGATIVE_LR], 0), 0);
}

/* The momentum starts as zeros, of which the first step keeps nothing. */
static void sgd_scalars(const gn_optimizer *o, int64_t step, gn_scalar *out) {
    out[NEGATIVE_LR].f = -o->lr;
    out[WEIGHT_DECAY].f = o->weight_decay;
    out[KEPT].f = step == 1 ? 0 : o->momentum;
    out[ADDED].f = step == 1 ? 1 : 1 - o->dampening;
    out[MOMENTUM].f = o->momentum;
}

static const gn__rule sgd = {
    .name = "sgd",
    .state_names = {"momentum_buffer"},
    .n_scalars = N_SCALARS,
    .build = build_sgd,
    .scalars = sgd_scalars,
};

gn_optimizer *gn_optim_sgd_with(gn_dict *parameters, const gn_sgd_options *options) {
    static const gn_sgd_options standard = {0};
    if (options == NULL)
        options = &standard;
    if (gn__failed())
        return NULL;
    double lr = options->lr != 0 ? options->lr : 1e-3;
    if (!gn__in_range("sgd", "lr", lr, 0, INFINITY) ||
        !gn__in_range("sgd", "momentum", options->momentum, 0, INFINITY) ||
        !gn__in_range("sgd", "weight_decay", options->weight_decay, 0, INFINITY))
        return NULL;
    if (options->nesterov && (options->momentum <= 0 || options->dampening != 0))
        return gn__fail_null(GN_E_ARGUMENT, "sgd", "nesterov needs a momentum and no dampening");
    gn_optimizer *o = gn__optimizer_new(&sgd, parameters);
    if (o == NULL)
        return NULL;
    o->lr = lr;
    o->momentum = options->momentum;
    o->dampening = options->dampening;
    o->weight_decay = options->weight_decay;
    o->nesterov = options->nesterov;
    o->maximize = options->maximize;
    o->n_states = options->momentum != 0;
    return o;
}
