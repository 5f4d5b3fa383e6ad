/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adaptive.c - optimizers that scale each element by its gradients so far, without a bias to
 * correct: RMSprop (Hinton 2012), Adagrad (Duchi et al. 2011), Adadelta (Zeiler 2012). PyTorch's
 * forms.
 */
#include "optimizer.h"

/* ---- RMSprop. Centered: by the variance, not the mean of squares. */

enum { RMS_LR, RMS_MOMENTUM, RMS_ALPHA, RMS_EPS, RMS_CENTERED, RMS_DECAY, RMS_MAXIMIZE, N_RMS };

static const gn__hyper rmsprop_hypers[N_RMS] = {
    [RMS_LR] = {GN__NUMBER(gn_rmsprop_options, lr), .standard = 1e-2, .high = INFINITY},
    [RMS_MOMENTUM] = {GN__NUMBER(gn_rmsprop_options, momentum), .high = INFINITY,
                      .flag = "has_momentum"},
    [RMS_ALPHA] = {GN__OPTIONAL(gn_rmsprop_options, alpha), .standard = 0.99, .high = INFINITY},
    [RMS_EPS] = {GN__OPTIONAL(gn_rmsprop_options, eps), .standard = 1e-8, .high = INFINITY},
    [RMS_CENTERED] = {GN__FLAG(gn_rmsprop_options, centered)},
    [RMS_DECAY] = {GN__NUMBER(gn_rmsprop_options, weight_decay), .high = INFINITY,
                   .flag = "decays"},
    [RMS_MAXIMIZE] = {GN__FLAG(gn_rmsprop_options, maximize)},
};

static void rmsprop_scalars(const gn__group *group, int64_t step, double *numbers,
                            gn__scalars *out) {
    const double *value = group->value;
    (void)step, (void)numbers;
    gn__scalar(out, "step_size", -value[RMS_LR]);
    gn__scalar(out, "weight_decay", value[RMS_DECAY]);
    gn__scalar(out, "alpha", value[RMS_ALPHA]);
    gn__scalar(out, "rest", 1 - value[RMS_ALPHA]);
    gn__scalar(out, "eps", value[RMS_EPS]);
    gn__scalar(out, "momentum", value[RMS_MOMENTUM]);
}

static const gn__rule rmsprop = {
    .name = "rmsprop",
    .hypers = rmsprop_hypers,
    .n_hypers = N_RMS,
    .states = {{.name = "square_avg", .alias = "v"},
               {.name = "momentum_buffer", .alias = "u", .needs = RMS_MOMENTUM},
               {.name = "grad_avg", .alias = "m", .needs = RMS_CENTERED}},
    .lines = {{"g", "maximize ? -g : g"},
              {"g", "decays ? g + weight_decay * p : g"},
              {"v", "v * alpha + g * g * rest"},
              {"m", "centered ? m * alpha + g * rest : 0"},
              {"scaled", "g / (sqrt(centered ? v - m * m : v) + eps)"},
              {"u", "has_momentum ? u * momentum + scaled : scaled"},
              {"p", "p + u * step_size"}},
    .scalars = rmsprop_scalars,
};

gn_optimizer *gn_optim_rmsprop_with(gn_dict *parameters, const gn_rmsprop_options *options) {
    return gn__optimizer_new(&rmsprop, parameters, options);
}

/* ---- Adagrad */

enum { AG_LR, AG_LR_DECAY, AG_EPS, AG_DECAY, AG_INITIAL, AG_MAXIMIZE, N_AG };

static const gn__hyper adagrad_hypers[N_AG] = {
    [AG_LR] = {GN__NUMBER(gn_adagrad_options, lr), .standard = 1e-2, .high = INFINITY},
    [AG_LR_DECAY] = {GN__NUMBER(gn_adagrad_options, lr_decay), .high = INFINITY},
    [AG_EPS] = {GN__OPTIONAL(gn_adagrad_options, eps), .standard = 1e-10, .high = INFINITY},
    [AG_DECAY] = {GN__NUMBER(gn_adagrad_options, weight_decay), .high = INFINITY, .flag = "decays"},
    [AG_INITIAL] = {GN__NUMBER(gn_adagrad_options, initial_accumulator_value), .high = INFINITY},
    [AG_MAXIMIZE] = {GN__FLAG(gn_adagrad_options, maximize)},
};

static void adagrad_scalars(const gn__group *group, int64_t step, double *numbers,
                            gn__scalars *out) {
    const double *value = group->value;
    (void)numbers;
    gn__scalar(out, "step_size", -value[AG_LR] / (1 + (double)(step - 1) * value[AG_LR_DECAY]));
    gn__scalar(out, "weight_decay", value[AG_DECAY]);
    gn__scalar(out, "eps", value[AG_EPS]);
}

static const gn__rule adagrad = {
    .name = "adagrad",
    .hypers = adagrad_hypers,
    .n_hypers = N_AG,
    .states = {{.name = "sum", .alias = "sum", .starts_at = 1 + AG_INITIAL}},
    .lines = {{"g", "maximize ? -g : g"},
              {"g", "decays ? g + weight_decay * p : g"},
              {"sum", "sum + g * g"},
              {"p", "p + g / (sqrt(sum) + eps) * step_size"}},
    .scalars = adagrad_scalars,
};

gn_optimizer *gn_optim_adagrad_with(gn_dict *parameters, const gn_adagrad_options *options) {
    return gn__optimizer_new(&adagrad, parameters, options);
}

/* ---- Adadelta: steps have the size of the steps before */

enum { AD_LR, AD_RHO, AD_EPS, AD_DECAY, AD_MAXIMIZE, N_AD };

static const gn__hyper adadelta_hypers[N_AD] = {
    [AD_LR] = {GN__NUMBER(gn_adadelta_options, lr), .standard = 1, .high = INFINITY},
    [AD_RHO] = {GN__OPTIONAL(gn_adadelta_options, rho), .standard = 0.9, .high = 1},
    [AD_EPS] = {GN__OPTIONAL(gn_adadelta_options, eps), .standard = 1e-6, .high = INFINITY},
    [AD_DECAY] = {GN__NUMBER(gn_adadelta_options, weight_decay), .high = INFINITY,
                  .flag = "decays"},
    [AD_MAXIMIZE] = {GN__FLAG(gn_adadelta_options, maximize)},
};

static void adadelta_scalars(const gn__group *group, int64_t step, double *numbers,
                             gn__scalars *out) {
    const double *value = group->value;
    (void)step, (void)numbers;
    gn__scalar(out, "step_size", -value[AD_LR]);
    gn__scalar(out, "weight_decay", value[AD_DECAY]);
    gn__scalar(out, "rho", value[AD_RHO]);
    gn__scalar(out, "rest", 1 - value[AD_RHO]);
    gn__scalar(out, "eps", value[AD_EPS]);
}

static const gn__rule adadelta = {
    .name = "adadelta",
    .hypers = adadelta_hypers,
    .n_hypers = N_AD,
    .states = {{.name = "square_avg", .alias = "v"}, {.name = "acc_delta", .alias = "d"}},
    .lines = {{"g", "maximize ? -g : g"},
              {"g", "decays ? g + weight_decay * p : g"},
              {"v", "v * rho + g * g * rest"},
              {"delta", "sqrt(d + eps) / sqrt(v + eps) * g"},
              {"d", "d * rho + delta * delta * rest"},
              {"p", "p + delta * step_size"}},
    .scalars = adadelta_scalars,
};

gn_optimizer *gn_optim_adadelta_with(gn_dict *parameters, const gn_adadelta_options *options) {
    return gn__optimizer_new(&adadelta, parameters, options);
}
