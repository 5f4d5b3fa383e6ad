/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adam.c - Adam (Kingma and Ba 2014), AMSGrad (Reddi et al. 2018), AdamW (Loshchilov and Hutter
 * 2017), PyTorch's form. In step t, from 1:
 *
 *     g = +-gradient + weight_decay p                   AdamW: p = (1 - lr weight_decay) p instead
 *     m = beta1 m + (1 - beta1) g
 *     v = beta2 v + (1 - beta2) g^2
 *     w = v;   amsgrad: w = max(w of the step before, v)
 *     p = p - lr / (1 - beta1^t) m / (sqrt(w) / sqrt(1 - beta2^t) + eps)
 */
#include <math.h>

#include "optimizer.h"

enum { BETA1, REST1, BETA2, REST2, STEP_SIZE, CORRECTION, EPS, DECAY, N_SCALARS };

/* a x + b y */
static int blend(gn__builder *b, int weight_x, int x, int weight_y, int y) {
    return gn__emit(b, GN_OP_ADD, gn__emit(b, GN_OP_MUL, x, weight_x, 0),
                    gn__emit(b, GN_OP_MUL, y, weight_y, 0), 0);
}

static void build_adam(const gn_optimizer *o, gn__update *u) {
    gn__builder *b = u->builder;
    int g = gn__effective_gradient(o, u, u->scalar[DECAY]);
    int p = u->parameter;
    if (o->decoupled && o->weight_decay != 0)
        p = gn__emit(b, GN_OP_MUL, p, u->scalar[DECAY], 0);
    int m = blend(b, u->scalar[BETA1], u->state[0], u->scalar[REST1], g);
    int v =
        blend(b, u->scalar[BETA2], u->state[1], u->scalar[REST2], gn__emit(b, GN_OP_MUL, g, g, 0));
    int w = v;
    if (o->amsgrad)
        w = u->state[2] = gn__emit(b, GN_OP_MAX, u->state[2], v, 0);
    int root = gn__emit(b, GN_OP_MUL, gn__emit(b, GN_OP_SQRT, w, 0, 0), u->scalar[CORRECTION], 0);
    int change = gn__emit(b, GN_OP_DIV, m, gn__emit(b, GN_OP_ADD, root, u->scalar[EPS], 0), 0);
    u->parameter =
        gn__emit(b, GN_OP_ADD, p, gn__emit(b, GN_OP_MUL, change, u->scalar[STEP_SIZE], 0), 0);
    u->state[0] = m;
    u->state[1] = v;
}

static void adam_scalars(const gn_optimizer *o, int64_t step, gn_scalar *out) {
    out[BETA1].f = o->beta1;
    out[REST1].f = 1 - o->beta1;
    out[BETA2].f = o->beta2;
    out[REST2].f = 1 - o->beta2;
    out[STEP_SIZE].f = -o->lr / (1 - pow(o->beta1, (double)step));
    out[CORRECTION].f = 1 / sqrt(1 - pow(o->beta2, (double)step));
    out[EPS].f = o->eps;
    out[DECAY].f = o->decoupled ? 1 - o->lr * o->weight_decay : o->weight_decay;
}

#define ADAM_RULE(rule_name)                                                                       \
    {                                                                                              \
        .name = rule_name, .state_names = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},             \
        .n_scalars = N_SCALARS, .counts_steps = true, .build = build_adam,                         \
        .scalars = adam_scalars,                                                                   \
    }
static const gn__rule adam = ADAM_RULE("adam"), adamw = ADAM_RULE("adamw");
#undef ADAM_RULE

static gn_optimizer *make(const gn__rule *rule, gn_dict *parameters, const gn_adam_options *options,
                          double standard_decay) {
    static const gn_adam_options standard = {0};
    if (gn__failed())
        return NULL;
    if (options == NULL)
        options = &standard;
    double below_one = nextafter(1, 0);
    double lr = options->lr != 0 ? options->lr : 1e-3;
    double beta1 = gn_or(options->beta1, 0.9), beta2 = gn_or(options->beta2, 0.999);
    double eps = gn_or(options->eps, 1e-8), decay = gn_or(options->weight_decay, standard_decay);
    if (!gn__in_range(rule->name, "lr", lr, 0, INFINITY) ||
        !gn__in_range(rule->name, "beta1", beta1, 0, below_one) ||
        !gn__in_range(rule->name, "beta2", beta2, 0, below_one) ||
        !gn__in_range(rule->name, "eps", eps, 0, INFINITY) ||
        !gn__in_range(rule->name, "weight_decay", decay, 0, INFINITY))
        return NULL;
    gn_optimizer *o = gn__optimizer_new(rule, parameters);
    if (o == NULL)
        return NULL;
    o->lr = lr;
    o->beta1 = beta1;
    o->beta2 = beta2;
    o->eps = eps;
    o->weight_decay = decay;
    o->amsgrad = options->amsgrad;
    o->maximize = options->maximize;
    o->decoupled = rule == &adamw;
    o->n_states = options->amsgrad ? 3 : 2;
    return o;
}

gn_optimizer *gn_optim_adam_with(gn_dict *parameters, const gn_adam_options *options) {
    return make(&adam, parameters, options, 0);
}

gn_optimizer *gn_optim_adamw_with(gn_dict *parameters, const gn_adam_options *options) {
    return make(&adamw, parameters, options, 0.01);
}
