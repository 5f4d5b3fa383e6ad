/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sgd.c - stochastic gradient descent with momentum, PyTorch's form; ASGD, which averages the
 * parameters (Polyak and Juditsky 1992); Rprop, which looks at signs alone (Riedmiller and Braun
 * 1993).
 */
#include "optimizer.h"

/* ---- SGD. The momentum begins as zeros, of which the first step keeps nothing. */

enum { SGD_LR, SGD_MOMENTUM, SGD_DAMPENING, SGD_DECAY, SGD_NESTEROV, SGD_MAXIMIZE, N_SGD };

static const gn__hyper sgd_hypers[N_SGD] = {
    [SGD_LR] = {GN__NUMBER(gn_sgd_options, lr), .standard = 1e-3, .high = INFINITY},
    [SGD_MOMENTUM] = {GN__NUMBER(gn_sgd_options, momentum), .high = INFINITY,
                      .flag = "has_momentum"},
    [SGD_DAMPENING] = {GN__NUMBER(gn_sgd_options, dampening), .low = -INFINITY, .high = INFINITY},
    [SGD_DECAY] = {GN__NUMBER(gn_sgd_options, weight_decay), .high = INFINITY, .flag = "decays"},
    [SGD_NESTEROV] = {GN__FLAG(gn_sgd_options, nesterov)},
    [SGD_MAXIMIZE] = {GN__FLAG(gn_sgd_options, maximize)},
};

static gn_status check_sgd(const char *op, const double *value) {
    if (value[SGD_NESTEROV] != 0 && (value[SGD_MOMENTUM] <= 0 || value[SGD_DAMPENING] != 0))
        return gn_fail(GN_E_ARGUMENT, op, "nesterov needs a momentum and no dampening");
    return GN_OK;
}

static void sgd_scalars(const gn__group *group, int64_t step, double *numbers, gn__scalars *out) {
    const double *value = group->value;
    (void)numbers;
    gn__scalar(out, "step_size", -value[SGD_LR]);
    gn__scalar(out, "weight_decay", value[SGD_DECAY]);
    gn__scalar(out, "kept", step == 1 ? 0 : value[SGD_MOMENTUM]);
    gn__scalar(out, "added", step == 1 ? 1 : 1 - value[SGD_DAMPENING]);
    gn__scalar(out, "momentum", value[SGD_MOMENTUM]);
}

static const gn__rule sgd = {
    .name = "sgd",
    .hypers = sgd_hypers,
    .n_hypers = N_SGD,
    .check = check_sgd,
    .states = {{.name = "momentum_buffer", .alias = "u", .needs = SGD_MOMENTUM}},
    .silent_steps = true,
    .lines = {{"g", "maximize ? -g : g"},
              {"g", "decays ? g + weight_decay * p : g"},
              {"u", "has_momentum ? u * kept + g * added : g"},
              {"p", "p + (nesterov ? g + u * momentum : u) * step_size"}},
    .scalars = sgd_scalars,
};

gn_optimizer *gn_optim_sgd_with(gn_dict *parameters, const gn_sgd_options *options) {
    return gn__optimizer_new(&sgd, parameters, options);
}

/* ---- ASGD. eta and mu are those of the step that comes. */

enum { ASGD_LR, ASGD_LAMBD, ASGD_ALPHA, ASGD_T0, ASGD_DECAY, ASGD_MAXIMIZE, N_ASGD };
enum { ETA, MU };

static const gn__hyper asgd_hypers[N_ASGD] = {
    [ASGD_LR] = {GN__NUMBER(gn_asgd_options, lr), .standard = 1e-2, .high = INFINITY},
    [ASGD_LAMBD] = {GN__OPTIONAL(gn_asgd_options, lambd), .standard = 1e-4, .high = INFINITY},
    [ASGD_ALPHA] = {GN__OPTIONAL(gn_asgd_options, alpha), .standard = 0.75, .high = INFINITY},
    [ASGD_T0] = {GN__OPTIONAL(gn_asgd_options, t0), .standard = 1e6, .low = -INFINITY,
                 .high = INFINITY},
    [ASGD_DECAY] = {GN__NUMBER(gn_asgd_options, weight_decay), .high = INFINITY, .flag = "decays"},
    [ASGD_MAXIMIZE] = {GN__FLAG(gn_asgd_options, maximize)},
};

static void asgd_scalars(const gn__group *group, int64_t step, double *numbers, gn__scalars *out) {
    const double *value = group->value, lr = value[ASGD_LR], lambd = value[ASGD_LAMBD];
    const double eta = step == 1 ? lr : numbers[ETA], mu = step == 1 ? 1 : numbers[MU];
    gn__scalar(out, "weight_decay", value[ASGD_DECAY]);
    gn__scalar(out, "kept", 1 - lambd * eta);
    gn__scalar(out, "step_size", -eta);
    gn__scalar(out, "mu", mu);
    numbers[ETA] = lr / pow(1 + lambd * lr * (double)step, value[ASGD_ALPHA]);
    numbers[MU] = 1 / fmax(1, (double)step - value[ASGD_T0]);
}

static const gn__rule asgd = {
    .name = "asgd",
    .hypers = asgd_hypers,
    .n_hypers = N_ASGD,
    .states = {{.name = "ax", .alias = "ax"}},
    .numbers = {[ETA] = "eta", [MU] = "mu"},
    .lines = {{"g", "maximize ? -g : g"},
              {"g", "decays ? g + weight_decay * p : g"},
              {"p", "p * kept + g * step_size"},
              {"ax", "mu == 1 ? p : ax + (p - ax) * mu"}},
    .scalars = asgd_scalars,
};

gn_optimizer *gn_optim_asgd_with(gn_dict *parameters, const gn_asgd_options *options) {
    return gn__optimizer_new(&asgd, parameters, options);
}

/* ---- Rprop: a step size for each element, which grows while the sign of its gradient stays */

enum { RPROP_LR, ETA_MINUS, ETA_PLUS, MIN_STEP, MAX_STEP, RPROP_MAXIMIZE, N_RPROP };

static const gn__hyper rprop_hypers[N_RPROP] = {
    [RPROP_LR] = {GN__NUMBER(gn_rprop_options, lr), .standard = 1e-2, .high = INFINITY},
    [ETA_MINUS] = {GN__OPTIONAL(gn_rprop_options, etaminus), .tuple = "etas", .place = 0,
                   .standard = 0.5, .low = DBL_MIN, .high = GN__BELOW_ONE},
    [ETA_PLUS] = {GN__OPTIONAL(gn_rprop_options, etaplus), .tuple = "etas", .place = 1,
                  .standard = 1.2, .low = GN__ABOVE_ONE, .high = INFINITY},
    [MIN_STEP] = {GN__OPTIONAL(gn_rprop_options, min_step_size), .tuple = "step_sizes", .place = 0,
                  .standard = 1e-6, .high = INFINITY},
    [MAX_STEP] = {GN__OPTIONAL(gn_rprop_options, max_step_size), .tuple = "step_sizes", .place = 1,
                  .standard = 50, .high = INFINITY},
    [RPROP_MAXIMIZE] = {GN__FLAG(gn_rprop_options, maximize)},
};

static void rprop_scalars(const gn__group *group, int64_t step, double *numbers, gn__scalars *out) {
    (void)step, (void)numbers;
    gn__scalar(out, "etaminus", group->value[ETA_MINUS]);
    gn__scalar(out, "etaplus", group->value[ETA_PLUS]);
    gn__scalar(out, "low", group->value[MIN_STEP]);
    gn__scalar(out, "high", group->value[MAX_STEP]);
}

static const gn__rule rprop = {
    .name = "rprop",
    .hypers = rprop_hypers,
    .n_hypers = N_RPROP,
    .states = {{.name = "prev", .alias = "prev"},
               {.name = "step_size", .alias = "size", .starts_at = 1 + RPROP_LR}},
    .lines = {{"g", "maximize ? -g : g"},
              {"turn", "g * prev"},
              {"size", "size * (turn > 0 ? etaplus : turn < 0 ? etaminus : 1)"},
              {"size", "min(max(size, low), high)"},
              {"prev", "turn < 0 ? 0 : g"},
              {"p", "p - sign(prev) * size"}},
    .scalars = rprop_scalars,
};

gn_optimizer *gn_optim_rprop_with(gn_dict *parameters, const gn_rprop_options *options) {
    return gn__optimizer_new(&rprop, parameters, options);
}
