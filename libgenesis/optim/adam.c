/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adam.c - Adam (Kingma and Ba 2014) and its family, PyTorch's forms: AMSGrad (Reddi et al. 2018),
 * AdamW (Loshchilov and Hutter 2017), Adamax (Kingma and Ba 2014), NAdam (Dozat 2016), RAdam (Liu
 * et al. 2019).
 */
#include "optimizer.h"

/* All begin with these. */
enum { LR, BETA1, BETA2, EPS, DECAY, MAXIMIZE, DECOUPLED, N_COMMON }; /* Adamax: not the last */

#define COMMON(options, standard_lr)                                                               \
    [LR] = {GN__NUMBER(options, lr), .standard = (standard_lr), .high = INFINITY},                 \
    [BETA1] = {GN__OPTIONAL(options, beta1), BETA(0), .standard = 0.9},                            \
    [BETA2] = {GN__OPTIONAL(options, beta2), BETA(1), .standard = 0.999},                          \
    [EPS] = {GN__OPTIONAL(options, eps), .standard = 1e-8, .high = INFINITY},                      \
    [MAXIMIZE] = {GN__FLAG(options, maximize)}
#define BETA(number) .tuple = "betas", .place = (number), .high = GN__BELOW_ONE
#define WEIGHT_DECAY(how, ...) [DECAY] = {how, .high = INFINITY, .flag = "decays", __VA_ARGS__}
#define DECOUPLED_FLAG(options) [DECOUPLED] = {GN__FLAG(options, decoupled_weight_decay)}

/* The gradient that they use, and the averages of it and of its square. */
/* clang-format off */
#define EFFECTIVE_GRADIENT                                                                         \
    {"g", "maximize ? -g : g"},                                                                    \
    {"g", "decays ? decoupled_weight_decay ? g : g + weight_decay * p : g"},                       \
    {"p", "decays ? decoupled_weight_decay ? p * kept : p : p"}
#define MOMENTS                                                                                    \
    {"m", "m * beta1 + g * rest1"},                                                                \
    {"v", "v * beta2 + g * g * rest2"}
/* clang-format on */

static void common_scalars(const gn__group *group, gn__scalars *out) {
    const double *value = group->value;
    gn__scalar(out, "beta1", value[BETA1]);
    gn__scalar(out, "rest1", 1 - value[BETA1]);
    gn__scalar(out, "beta2", value[BETA2]);
    gn__scalar(out, "rest2", 1 - value[BETA2]);
    gn__scalar(out, "eps", value[EPS]);
    gn__scalar(out, "weight_decay", value[DECAY]);
    gn__scalar(out, "kept", 1 - value[LR] * value[DECAY]);
}

/* 1 - beta^step: what an average that began at 0 has got so far. */
static double bias(double beta, int64_t step) { return 1 - pow(beta, (double)step); }

/* ---- Adam, AdamW */

enum { AMSGRAD = N_COMMON, N_ADAM };

static const gn__hyper adam_hypers[N_ADAM] = {
    COMMON(gn_adam_options, 1e-3),
    WEIGHT_DECAY(GN__OPTIONAL(gn_adam_options, weight_decay), .standard = 0),
    DECOUPLED_FLAG(gn_adam_options),
    [AMSGRAD] = {GN__FLAG(gn_adam_options, amsgrad)},
};

static const gn__hyper adamw_hypers[N_ADAM] = {
    COMMON(gn_adam_options, 1e-3),
    WEIGHT_DECAY(GN__OPTIONAL(gn_adam_options, weight_decay), .standard = 0.01),
    [DECOUPLED] = {.name = "decoupled_weight_decay",
                   .type = GN__HYPER_FIXED,
                   .standard = 1,
                   .high = 1},
    [AMSGRAD] = {GN__FLAG(gn_adam_options, amsgrad)},
};

static void adam_scalars(const gn__group *group, int64_t step, double *numbers, gn__scalars *out) {
    const double *value = group->value;
    (void)numbers;
    common_scalars(group, out);
    gn__scalar(out, "step_size", -value[LR] / bias(value[BETA1], step));
    gn__scalar(out, "correction", 1 / sqrt(bias(value[BETA2], step)));
}

#define ADAM_RULE(rule_name, table)                                                                \
    {                                                                                              \
        .name = rule_name, .hypers = table, .n_hypers = N_ADAM,                                    \
        .states = {{.name = "exp_avg", .alias = "m"},                                              \
                   {.name = "exp_avg_sq", .alias = "v"},                                           \
                   {.name = "max_exp_avg_sq", .alias = "w", .needs = AMSGRAD}},                    \
        .lines = {EFFECTIVE_GRADIENT,                                                              \
                  MOMENTS,                                                                         \
                  {"w", "amsgrad ? max(w, v) : v"},                                                \
                  {"p", "p + m / (sqrt(w) * correction + eps) * step_size"}},                      \
        .scalars = adam_scalars,                                                                   \
    }
static const gn__rule adam = ADAM_RULE("adam", adam_hypers),
                      adamw = ADAM_RULE("adamw", adamw_hypers);
#undef ADAM_RULE

gn_optimizer *gn_optim_adam_with(gn_dict *parameters, const gn_adam_options *options) {
    return gn__optimizer_new(&adam, parameters, options);
}

gn_optimizer *gn_optim_adamw_with(gn_dict *parameters, const gn_adam_options *options) {
    return gn__optimizer_new(&adamw, parameters, options);
}

/* ---- Adamax: the largest gradient, forgotten slowly, instead of the average of squares */

static const gn__hyper adamax_hypers[] = {
    COMMON(gn_adamax_options, 2e-3),
    WEIGHT_DECAY(GN__NUMBER(gn_adamax_options, weight_decay), .standard = 0),
};

static void adamax_scalars(const gn__group *group, int64_t step, double *numbers,
                           gn__scalars *out) {
    (void)numbers;
    common_scalars(group, out);
    gn__scalar(out, "step_size", -group->value[LR] / bias(group->value[BETA1], step));
}

static const gn__rule adamax = {
    .name = "adamax",
    .hypers = adamax_hypers,
    .n_hypers = GN_LENGTH(adamax_hypers),
    .states = {{.name = "exp_avg", .alias = "m"}, {.name = "exp_inf", .alias = "u"}},
    .lines = {{"g", "maximize ? -g : g"},
              {"g", "decays ? g + weight_decay * p : g"},
              {"m", "m * beta1 + g * rest1"},
              {"u", "max(u * beta2, abs(g) + eps)"},
              {"p", "p + m / u * step_size"}},
    .scalars = adamax_scalars,
};

gn_optimizer *gn_optim_adamax_with(gn_dict *parameters, const gn_adamax_options *options) {
    return gn__optimizer_new(&adamax, parameters, options);
}

/* ---- NAdam: Nesterov's momentum, with a schedule of its own, whose product so far is kept */

enum { MOMENTUM_DECAY = N_COMMON, N_NADAM };

static const gn__hyper nadam_hypers[N_NADAM] = {
    COMMON(gn_nadam_options, 2e-3),
    WEIGHT_DECAY(GN__NUMBER(gn_nadam_options, weight_decay), .standard = 0),
    DECOUPLED_FLAG(gn_nadam_options),
    [MOMENTUM_DECAY] = {GN__OPTIONAL(gn_nadam_options, momentum_decay), .standard = 4e-3,
                        .high = INFINITY},
};

static double nadam_momentum(const double *value, int64_t step) {
    return value[BETA1] * (1 - 0.5 * pow(0.96, (double)step * value[MOMENTUM_DECAY]));
}

static void nadam_scalars(const gn__group *group, int64_t step, double *numbers, gn__scalars *out) {
    const double *value = group->value;
    const double mu = nadam_momentum(value, step), next = nadam_momentum(value, step + 1);
    const double product = (step == 1 ? 1 : numbers[0]) * mu;
    common_scalars(group, out);
    gn__scalar(out, "correction", 1 / sqrt(bias(value[BETA2], step)));
    gn__scalar(out, "g_size", -value[LR] * (1 - mu) / (1 - product));
    gn__scalar(out, "m_size", -value[LR] * next / (1 - product * next));
    numbers[0] = product;
}

static const gn__rule nadam = {
    .name = "nadam",
    .hypers = nadam_hypers,
    .n_hypers = N_NADAM,
    .states = {{.name = "exp_avg", .alias = "m"}, {.name = "exp_avg_sq", .alias = "v"}},
    .numbers = {"mu_product"},
    .lines = {EFFECTIVE_GRADIENT,
              MOMENTS,
              {"p", "p + (g * g_size + m * m_size) / (sqrt(v) * correction + eps)"}},
    .scalars = nadam_scalars,
};

gn_optimizer *gn_optim_nadam_with(gn_dict *parameters, const gn_nadam_options *options) {
    return gn__optimizer_new(&nadam, parameters, options);
}

/* ---- RAdam: steps like momentum alone while the average of squares has seen too little */

static const gn__hyper radam_hypers[N_COMMON] = {
    COMMON(gn_radam_options, 1e-3),
    WEIGHT_DECAY(GN__NUMBER(gn_radam_options, weight_decay), .standard = 0),
    DECOUPLED_FLAG(gn_radam_options),
};

/* sqrt(1 - beta2^t) times the variance's rectification; 0 while that does not exist. */
static double rectification(double beta2, int64_t step) {
    const double limit = 2 / (1 - beta2) - 1, seen = bias(beta2, step);
    const double length = limit - 2 * (double)step * (1 - seen) / seen;
    if (!(length > 5))
        return 0;
    return sqrt(seen * (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length));
}

static void radam_scalars(const gn__group *group, int64_t step, double *numbers, gn__scalars *out) {
    (void)numbers;
    common_scalars(group, out);
    gn__scalar(out, "step_size", -group->value[LR] / bias(group->value[BETA1], step));
    gn__scalar(out, "rectified", rectification(group->value[BETA2], step));
}

static const gn__rule radam = {
    .name = "radam",
    .hypers = radam_hypers,
    .n_hypers = N_COMMON,
    .states = {{.name = "exp_avg", .alias = "m"}, {.name = "exp_avg_sq", .alias = "v"}},
    .lines = {EFFECTIVE_GRADIENT,
              MOMENTS,
              {"p", "p + m * (rectified > 0 ? rectified / (sqrt(v) + eps) : 1) * step_size"}},
    .scalars = radam_scalars,
};

gn_optimizer *gn_optim_radam_with(gn_dict *parameters, const gn_radam_options *options) {
    return gn__optimizer_new(&radam, parameters, options);
}
