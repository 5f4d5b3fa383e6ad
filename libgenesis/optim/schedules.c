/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedules.c - schedules that are a factor of the rate, as a function of the step t.
 */
#include <stdlib.h>

#include "scheduler.h"

static const double PI = 3.14159265358979323846;

/* ---- Steps: gamma^(number of steps so far) */

enum { GAMMA, STEP_SIZE };

static double step_factor(const gn_scheduler *self, int64_t t) {
    return pow(self->value[GAMMA], (double)(t / (int64_t)self->value[STEP_SIZE]));
}

static double multi_step_factor(const gn_scheduler *self, int64_t t) {
    int64_t passed = 0;
    while (passed < self->n_milestones && self->milestones[passed] <= t)
        passed++;
    return pow(self->value[GAMMA], (double)passed);
}

static double exponential_factor(const gn_scheduler *self, int64_t t) {
    return pow(self->value[GAMMA], (double)t);
}

static gn_scheduler *new_gamma(const gn__schedule *schedule, gn_optimizer *optimizer,
                               double gamma) {
    if (gn__failed() || !gn__in_range(schedule->name, "gamma", gamma, 0, INFINITY))
        return NULL;
    gn_scheduler *self = gn__scheduler_new(schedule, optimizer);
    if (self)
        self->value[GAMMA] = gamma;
    return self;
}

/* `n`, a number of steps, must be at least 1. */
static bool some_steps(const char *op, const char *name, int64_t n) {
    return !gn__failed() && gn__in_range(op, name, (double)n, 1, INFINITY);
}

gn_scheduler *gn_lr_step_with(gn_optimizer *optimizer, int64_t step_size,
                              const gn_lr_gamma_options *options) {
    static const gn__schedule schedule = {.name = "lr_step", .factor = step_factor};
    gn_lr_gamma_options o;
    gn__options(&o, sizeof o, options);
    if (!some_steps(schedule.name, "step_size", step_size))
        return NULL;
    gn_scheduler *self = new_gamma(&schedule, optimizer, gn_or(o.gamma, 0.1));
    if (self == NULL)
        return NULL;
    self->value[STEP_SIZE] = (double)step_size;
    return gn__scheduler_start(self);
}

static int compare_int64(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

gn_scheduler *gn_lr_multi_step_with(gn_optimizer *optimizer, int64_t n, const int64_t *milestones,
                                    const gn_lr_gamma_options *options) {
    static const gn__schedule schedule = {.name = "lr_multi_step", .factor = multi_step_factor};
    gn_lr_gamma_options o;
    gn__options(&o, sizeof o, options);
    if (!gn__failed() && (n < 0 || (n > 0 && milestones == NULL)))
        return gn__fail_null(GN_E_ARGUMENT, schedule.name, "there are no %lld milestones",
                             (long long)n);
    gn_scheduler *self = new_gamma(&schedule, optimizer, gn_or(o.gamma, 0.1));
    if (self == NULL)
        return NULL;
    self->milestones = gn__alloc_array((size_t)n + 1, sizeof *milestones);
    if (self->milestones == NULL)
        return NULL;
    self->n_milestones = n;
    if (n)
        memcpy(self->milestones, milestones, (size_t)n * sizeof *milestones);
    qsort(self->milestones, (size_t)n, sizeof *milestones, compare_int64);
    return gn__scheduler_start(self);
}

gn_scheduler *gn_lr_exponential(gn_optimizer *optimizer, double gamma) {
    static const gn__schedule schedule = {.name = "lr_exponential", .factor = exponential_factor};
    gn_scheduler *self = new_gamma(&schedule, optimizer, gamma);
    return self ? gn__scheduler_start(self) : NULL;
}

/* ---- Ramps of total_iters steps */

enum { TOTAL, FROM, TO, POWER = FROM };

static double constant_factor(const gn_scheduler *self, int64_t t) {
    return (double)t < self->value[TOTAL] ? self->value[FROM] : 1;
}

/* How much of the ramp is over, from 0 to 1. */
static double progress(const gn_scheduler *self, int64_t t) {
    return (double)t < self->value[TOTAL] ? (double)t / self->value[TOTAL] : 1;
}

static double linear_factor(const gn_scheduler *self, int64_t t) {
    return self->value[FROM] + (self->value[TO] - self->value[FROM]) * progress(self, t);
}

static double polynomial_factor(const gn_scheduler *self, int64_t t) {
    return pow(1 - progress(self, t), self->value[POWER]);
}

static gn_scheduler *new_ramp(const gn__schedule *schedule, gn_optimizer *optimizer,
                              gn_optional total_iters, double from, double to) {
    double total = gn_or(total_iters, 5);
    if (gn__failed() || !gn__in_range(schedule->name, "total_iters", total, 0, 0x1p53))
        return NULL;
    gn_scheduler *self = gn__scheduler_new(schedule, optimizer);
    if (self == NULL)
        return NULL;
    self->value[TOTAL] = floor(total);
    self->value[FROM] = from;
    self->value[TO] = to;
    return gn__scheduler_start(self);
}

gn_scheduler *gn_lr_constant_with(gn_optimizer *optimizer, const gn_lr_constant_options *options) {
    static const gn__schedule schedule = {.name = "lr_constant", .factor = constant_factor};
    gn_lr_constant_options o;
    gn__options(&o, sizeof o, options);
    double factor = gn_or(o.factor, 1.0 / 3);
    if (gn__failed() || !gn__in_range(schedule.name, "factor", factor, 0, 1))
        return NULL;
    return new_ramp(&schedule, optimizer, o.total_iters, factor, 1);
}

gn_scheduler *gn_lr_linear_with(gn_optimizer *optimizer, const gn_lr_linear_options *options) {
    static const gn__schedule schedule = {.name = "lr_linear", .factor = linear_factor};
    gn_lr_linear_options o;
    gn__options(&o, sizeof o, options);
    double from = gn_or(o.start_factor, 1.0 / 3), to = gn_or(o.end_factor, 1);
    if (gn__failed() || !gn__in_range(schedule.name, "start_factor", from, DBL_MIN, 1) ||
        !gn__in_range(schedule.name, "end_factor", to, 0, 1))
        return NULL;
    return new_ramp(&schedule, optimizer, o.total_iters, from, to);
}

gn_scheduler *gn_lr_polynomial_with(gn_optimizer *optimizer,
                                    const gn_lr_polynomial_options *options) {
    static const gn__schedule schedule = {.name = "lr_polynomial", .factor = polynomial_factor};
    gn_lr_polynomial_options o;
    gn__options(&o, sizeof o, options);
    double power = gn_or(o.power, 1);
    if (gn__failed() || !gn__in_range(schedule.name, "power", power, 0, INFINITY))
        return NULL;
    return new_ramp(&schedule, optimizer, o.total_iters, power, 0);
}

/* ---- Cosines */

enum { PERIOD, GROWTH };

static double cosine_factor(const gn_scheduler *self, int64_t t) {
    return (1 + cos(PI * (double)t / self->value[PERIOD])) / 2;
}

/* Where step t is in its period. */
static double in_period(const gn_scheduler *self, int64_t t, double *period) {
    double at = (double)t;
    *period = self->value[PERIOD];
    if (self->value[GROWTH] == 1)
        return fmod(at, *period);
    for (; at >= *period; *period *= self->value[GROWTH])
        at -= *period;
    return at;
}

static double restarts_factor(const gn_scheduler *self, int64_t t) {
    double period, at = in_period(self, t, &period);
    return (1 + cos(PI * at / period)) / 2;
}

static gn_status save_restarts(const gn_scheduler *self, gn_dict *state) {
    double period, at = in_period(self, self->last_epoch, &period);
    gn_dict_set(state, "T_cur", (int64_t)at);
    return gn_dict_set(state, "T_i", (int64_t)period);
}

static gn_scheduler *new_cosine(const gn__schedule *schedule, const char *name,
                                gn_optimizer *optimizer, int64_t period,
                                const gn_lr_cosine_options *options) {
    gn_lr_cosine_options o;
    gn__options(&o, sizeof o, options);
    if (!some_steps(schedule->name, name, period) ||
        !gn__in_range(schedule->name, "eta_min", o.eta_min, 0, INFINITY) ||
        !gn__in_range(schedule->name, "t_mult", (double)o.t_mult, 0, INFINITY))
        return NULL;
    gn_scheduler *self = gn__scheduler_new(schedule, optimizer);
    if (self == NULL)
        return NULL;
    self->value[PERIOD] = (double)period;
    self->value[GROWTH] = o.t_mult ? (double)o.t_mult : 1;
    self->floor = o.eta_min;
    return gn__scheduler_start(self);
}

gn_scheduler *gn_lr_cosine_annealing_with(gn_optimizer *optimizer, int64_t t_max,
                                          const gn_lr_cosine_options *options) {
    static const gn__schedule schedule = {.name = "lr_cosine_annealing", .factor = cosine_factor};
    return new_cosine(&schedule, "t_max", optimizer, t_max, options);
}

gn_scheduler *gn_lr_cosine_annealing_warm_restarts_with(gn_optimizer *optimizer, int64_t t_0,
                                                        const gn_lr_cosine_options *options) {
    static const gn__schedule schedule = {.name = "lr_cosine_annealing_warm_restarts",
                                          .factor = restarts_factor,
                                          .direct = true,
                                          .save = save_restarts};
    return new_cosine(&schedule, "t_0", optimizer, t_0, options);
}

/* ---- With warmup */

enum { WARMUP, STEPS, CYCLES };

/* What of the steps after the warmup is over; below 0: in the warmup, of which so much is over. */
static double after_warmup(const gn_scheduler *self, int64_t t, double *warm) {
    const double at = (double)t, rest = self->value[STEPS] - self->value[WARMUP];
    *warm = at < self->value[WARMUP] ? at / fmax(1, self->value[WARMUP]) : 1;
    return (at - self->value[WARMUP]) / fmax(1, rest);
}

static double warmup_cosine_factor(const gn_scheduler *self, int64_t t) {
    double warm, at = after_warmup(self, t, &warm);
    return warm < 1 ? warm : fmax(0, (1 + cos(PI * self->value[CYCLES] * 2 * at)) / 2);
}

static double warmup_linear_factor(const gn_scheduler *self, int64_t t) {
    double warm;
    after_warmup(self, t, &warm);
    const double rest = self->value[STEPS] - self->value[WARMUP];
    return warm < 1 ? warm : fmax(0, (self->value[STEPS] - (double)t) / fmax(1, rest));
}

static gn_scheduler *new_warmup(const gn__schedule *schedule, gn_optimizer *optimizer,
                                int64_t warmup, int64_t steps, double cycles) {
    if (gn__failed() ||
        !gn__in_range(schedule->name, "num_warmup_steps", (double)warmup, 0, INFINITY) ||
        !gn__in_range(schedule->name, "num_training_steps", (double)steps, 1, INFINITY) ||
        !gn__in_range(schedule->name, "num_cycles", cycles, 0, INFINITY))
        return NULL;
    gn_scheduler *self = gn__scheduler_new(schedule, optimizer);
    if (self == NULL)
        return NULL;
    self->value[WARMUP] = (double)warmup;
    self->value[STEPS] = (double)steps;
    self->value[CYCLES] = cycles;
    return gn__scheduler_start(self);
}

/* PyTorch's LambdaLR, which such schedules are there, wants a place for each function. */
static gn_status save_lambdas(const gn_scheduler *self, gn_dict *state) {
    gn_dict *none = gn_list_new();
    for (int i = 0; i < self->n_groups; i++)
        gn_dict_set_none(none, NULL);
    return gn_dict_set(state, "lr_lambdas", none);
}

gn_scheduler *gn_get_cosine_schedule_with_warmup_with(gn_optimizer *optimizer,
                                                      int64_t num_warmup_steps,
                                                      int64_t num_training_steps,
                                                      const gn_warmup_options *options) {
    static const gn__schedule schedule = {.name = "cosine_schedule_with_warmup",
                                          .factor = warmup_cosine_factor,
                                          .direct = true,
                                          .save = save_lambdas};
    gn_warmup_options o;
    gn__options(&o, sizeof o, options);
    return new_warmup(&schedule, optimizer, num_warmup_steps, num_training_steps,
                      gn_or(o.num_cycles, 0.5));
}

gn_scheduler *gn_get_linear_schedule_with_warmup(gn_optimizer *optimizer, int64_t num_warmup_steps,
                                                 int64_t num_training_steps) {
    static const gn__schedule schedule = {.name = "linear_schedule_with_warmup",
                                          .factor = warmup_linear_factor,
                                          .direct = true,
                                          .save = save_lambdas};
    return new_warmup(&schedule, optimizer, num_warmup_steps, num_training_steps, 0);
}

/* ---- Functions of the user's */

static double lambda_rate(gn_scheduler *self, int group, double lr) {
    (void)lr;
    return self->base_lrs[group] * self->functions[group](self->last_epoch, self->contexts[group]);
}

/* The first step keeps the rate, unless a schedule of schedules comes to it later. */
static double multiplicative_rate(gn_scheduler *self, int group, double lr) {
    if (self->initial)
        return lr;
    return lr * self->functions[group](self->last_epoch, self->contexts[group]);
}

static const gn__schedule lambda = {.name = "lr_lambda", .rate = lambda_rate, .save = save_lambdas};
static const gn__schedule multiplicative = {.name = "lr_multiplicative",
                                            .rate = multiplicative_rate,
                                            .goes_on = true,
                                            .save = save_lambdas};

/* With one function for all groups, or one for each. */
static gn_scheduler *new_lambda(const gn__schedule *schedule, gn_optimizer *optimizer,
                                gn_lr_factor *const *factors, void *const *contexts, bool each) {
    gn_scheduler *self = gn__scheduler_new(schedule, optimizer);
    if (self == NULL)
        return NULL;
    self->functions = gn__alloc_array((size_t)self->n_groups, sizeof *self->functions);
    self->contexts = gn__alloc_array((size_t)self->n_groups, sizeof *self->contexts);
    if (self->functions == NULL || self->contexts == NULL)
        return NULL;
    for (int i = 0; i < self->n_groups; i++) {
        self->functions[i] = factors[each ? i : 0];
        self->contexts[i] = contexts ? contexts[each ? i : 0] : NULL;
        if (self->functions[i] == NULL)
            return gn__fail_null(GN_E_ARGUMENT, schedule->name, "the function is NULL");
    }
    return gn__scheduler_start(self);
}

gn_scheduler *gn_lr_lambda(gn_optimizer *optimizer, gn_lr_factor *factor, void *context) {
    return new_lambda(&lambda, optimizer, &factor, &context, false);
}

gn_scheduler *gn_lr_multiplicative(gn_optimizer *optimizer, gn_lr_factor *factor, void *context) {
    return new_lambda(&multiplicative, optimizer, &factor, &context, false);
}

gn_scheduler *gn_lr_lambda_n(gn_optimizer *optimizer, int64_t n, gn_lr_factor *const *factors,
                             void *const *contexts) {
    if (gn__failed())
        return NULL;
    if (factors == NULL || n != gn_num_param_groups(optimizer))
        return gn__fail_null(GN_E_ARGUMENT, lambda.name,
                             "%lld functions for %lld groups of parameters", (long long)n,
                             (long long)gn_num_param_groups(optimizer));
    return new_lambda(&lambda, optimizer, factors, contexts, true);
}
