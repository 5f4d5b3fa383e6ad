/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cycles.c - schedules that lead the rate up and down, and the momentum against it. As in PyTorch,
 * groups note their bounds: "max_lr", "min_lr", "base_momentum", "max_momentum".
 */
#include <stdlib.h>

#include "scheduler.h"

/* Whether the optimizer has a momentum; notes its bounds, and begins at the upper one. */
static gn_status note_momentum(gn_scheduler *self, double base, double max) {
    const char *op = self->schedule->name;
    gn_optimizer *o = self->optimizer;
    const int k = gn__hyper_find(o->rule, "beta1"), m = gn__hyper_find(o->rule, "momentum");
    if (k < 0 && m < 0)
        return gn_fail(GN_E_ARGUMENT, op,
                       "%s has no momentum to cycle: set .no_cycle_momentum = true", o->rule->name);
    if (!gn__in_range(op, "base_momentum", base, 0, GN__BELOW_ONE) ||
        !gn__in_range(op, "max_momentum", max, 0, GN__BELOW_ONE))
        return gn_error_status();
    for (int i = 0; i < self->n_groups; i++) {
        gn__note(self, i, "base_momentum", base);
        gn__note(self, i, "max_momentum", max);
    }
    return gn_error_status();
}

/* ---- One cycle */

enum { PCT_START, TOTAL_STEPS, LINEAR, THREE_PHASE, CYCLES_MOMENTUM };

/* From `from`, at 0, to `to`, at 1: half a cosine, or a line. */
static double anneal(const gn_scheduler *self, double from, double to, double at) {
    if (self->value[LINEAR] != 0)
        return from + (to - from) * at;
    return to + (from - to) / 2 * (1 + cos(acos(-1.0) * at));
}

/* The value in step last_epoch of what goes from low to high to last, in three phases to low in
 * between. */
static double one_cycle(const gn_scheduler *self, double low, double high, double last) {
    const double at = (double)self->last_epoch, pct = self->value[PCT_START];
    const bool three = self->value[THREE_PHASE] != 0;
    const double total = self->value[TOTAL_STEPS], up = pct * total - 1;
    const double down = 2 * pct * total - 2, end = total - 1;
    if (at <= up)
        return anneal(self, low, high, up > 0 ? at / up : 1);
    if (three && at <= down)
        return anneal(self, high, low, (at - up) / (down - up));
    const double start = three ? down : up;
    return anneal(self, three ? low : high, last, end > start ? (at - start) / (end - start) : 1);
}

static double one_cycle_rate(gn_scheduler *self, int group, double lr) {
    (void)lr;
    if ((double)self->last_epoch > self->value[TOTAL_STEPS]) {
        gn_fail(GN_E_STATE, "scheduler_step",
                "the schedule was made for %.0f steps, and they are over",
                self->value[TOTAL_STEPS]);
        return 0;
    }
    return one_cycle(self, gn__noted(self, group, "initial_lr"), gn__noted(self, group, "max_lr"),
                     gn__noted(self, group, "min_lr"));
}

static double one_cycle_momentum(const gn_scheduler *self, int group) {
    const double base = gn__noted(self, group, "base_momentum");
    const double max = gn__noted(self, group, "max_momentum");
    return self->value[CYCLES_MOMENTUM] != 0 ? one_cycle(self, max, base, max) : (double)NAN;
}

static gn_status load_one_cycle(gn_scheduler *self, const gn_dict *state, bool change) {
    const double t = gn_dict_get_float(state, "last_epoch", 0);
    if (!change && t > self->value[TOTAL_STEPS])
        return gn_fail(GN_E_ARGUMENT, "scheduler_load_state_dict",
                       "last_epoch %.0f is beyond the %.0f steps of the schedule", t,
                       self->value[TOTAL_STEPS]);
    return GN_OK;
}

static bool one_cycle_options_fit(double max_lr, int64_t total_steps, double pct, double div,
                                  double final_div) {
    const char *op = "lr_one_cycle";
    if (gn__failed())
        return false;
    if (total_steps < 1)
        gn_fail(GN_E_ARGUMENT, op, "%lld steps: at least one is needed", (long long)total_steps);
    else if (!(div > 0) || !(final_div > 0))
        gn_fail(GN_E_ARGUMENT, op, "div_factor %g and final_div_factor %g must be above 0", div,
                final_div);
    return !gn__failed() && gn__in_range(op, "max_lr", max_lr, 0, INFINITY) &&
           gn__in_range(op, "pct_start", pct, 0, 1);
}

gn_scheduler *gn_lr_one_cycle_with(gn_optimizer *optimizer, double max_lr, int64_t total_steps,
                                   const gn_one_cycle_options *options) {
    static const gn__schedule schedule = {.name = "lr_one_cycle",
                                          .rate = one_cycle_rate,
                                          .momentum = one_cycle_momentum,
                                          .load = load_one_cycle};
    gn_one_cycle_options o;
    gn__options(&o, sizeof o, options);
    const double pct = gn_or(o.pct_start, 0.3), div = gn_or(o.div_factor, 25);
    const double final_div = gn_or(o.final_div_factor, 1e4);
    if (!one_cycle_options_fit(max_lr, total_steps, pct, div, final_div))
        return NULL;
    gn_scheduler *self = gn__scheduler_new(&schedule, optimizer);
    if (self == NULL)
        return NULL;
    if (!o.no_cycle_momentum &&
        note_momentum(self, gn_or(o.base_momentum, 0.85), gn_or(o.max_momentum, 0.95)) != GN_OK)
        return NULL;
    self->value[PCT_START] = pct;
    self->value[TOTAL_STEPS] = (double)total_steps;
    self->value[LINEAR] = o.linear;
    self->value[THREE_PHASE] = o.three_phase;
    self->value[CYCLES_MOMENTUM] = !o.no_cycle_momentum;
    for (int i = 0; i < self->n_groups; i++) {
        gn__note(self, i, "initial_lr", max_lr / div);
        gn__note(self, i, "max_lr", max_lr);
        gn__note(self, i, "min_lr", max_lr / div / final_div);
    }
    return gn__scheduler_start(self);
}

/* ---- Cyclic */

enum { BASE_LR, MAX_LR, UP, DOWN, MODE, GAMMA, BY_STEP, CYCLES };

/* How high above its base the rate is in this step, from 0 to 1 before it is scaled. */
static double height(const gn_scheduler *self) {
    const double t = (double)self->last_epoch, total = self->value[UP] + self->value[DOWN];
    const double cycle = floor(1 + t / total), at = 1 + t / total - cycle;
    const double peak = self->value[UP] / total;
    const double x = at <= peak ? at / peak : (at - 1) / (peak - 1);
    if (self->functions)
        return x * self->functions[0](self->value[BY_STEP] != 0 ? self->last_epoch : (int64_t)cycle,
                                      self->contexts[0]);
    switch ((int)self->value[MODE]) {
    case GN_CYCLIC_TRIANGULAR2: return x * exp2(1 - cycle);
    case GN_CYCLIC_EXP_RANGE: return x * pow(self->value[GAMMA], t);
    default: return x;
    }
}

static double cyclic_rate(gn_scheduler *self, int group, double lr) {
    (void)group, (void)lr;
    return self->value[BASE_LR] + (self->value[MAX_LR] - self->value[BASE_LR]) * height(self);
}

static double cyclic_momentum(const gn_scheduler *self, int group) {
    const double base = gn__noted(self, group, "base_momentum");
    const double max = gn__noted(self, group, "max_momentum");
    return self->value[CYCLES] != 0 ? max - (max - base) * height(self) : (double)NAN;
}

static gn_status save_cyclic(const gn_scheduler *self, gn_dict *state) {
    (void)self;
    return gn_dict_set_none(state, "_scale_fn_custom");
}

static gn_status keep_function(gn_scheduler *self, gn_lr_factor *function, void *context) {
    self->functions = gn__alloc_array(1, sizeof *self->functions);
    self->contexts = gn__alloc_array(1, sizeof *self->contexts);
    if (self->functions == NULL || self->contexts == NULL)
        return gn_error_status();
    self->functions[0] = function;
    self->contexts[0] = context;
    return GN_OK;
}

gn_scheduler *gn_lr_cyclic_with(gn_optimizer *optimizer, double base_lr, double max_lr,
                                const gn_cyclic_options *options) {
    static const gn__schedule schedule = {
        .name = "lr_cyclic", .rate = cyclic_rate, .momentum = cyclic_momentum, .save = save_cyclic};
    gn_cyclic_options o;
    gn__options(&o, sizeof o, options);
    const double up = o.step_size_up ? (double)o.step_size_up : 2000;
    const double down = o.step_size_down ? (double)o.step_size_down : up;
    if (gn__failed() || !gn__in_range(schedule.name, "base_lr", base_lr, 0, INFINITY) ||
        !gn__in_range(schedule.name, "max_lr", max_lr, 0, INFINITY) ||
        !gn__in_range(schedule.name, "step_size_up", up, 1, INFINITY) ||
        !gn__in_range(schedule.name, "step_size_down", down, 1, INFINITY) ||
        !gn__in_range(schedule.name, "mode", o.mode, 0, GN_CYCLIC_EXP_RANGE))
        return NULL;
    gn_scheduler *self = gn__scheduler_new(&schedule, optimizer);
    if (self == NULL)
        return NULL;
    if (o.scale_fn && keep_function(self, o.scale_fn, o.context) != GN_OK)
        return NULL;
    if (!o.no_cycle_momentum &&
        note_momentum(self, gn_or(o.base_momentum, 0.8), gn_or(o.max_momentum, 0.9)) != GN_OK)
        return NULL;
    const double values[] = {[BASE_LR] = base_lr,
                             [MAX_LR] = max_lr,
                             [UP] = up,
                             [DOWN] = down,
                             [MODE] = o.mode,
                             [GAMMA] = gn_or(o.gamma, 1),
                             [BY_STEP] = o.scale_by_step,
                             [CYCLES] = !o.no_cycle_momentum};
    memcpy(self->value, values, sizeof values);
    for (int i = 0; i < self->n_groups; i++)
        if (isnan(gn__noted(self, i, "initial_lr")))
            gn__note(self, i, "initial_lr", base_lr);
    return gn__scheduler_start(self);
}
