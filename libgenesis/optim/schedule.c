/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.c - learning rates as functions of the step. A scheduler sets the rate of step 0 when it
 * is made, as in PyTorch, and that of the next step in each gn_scheduler_step.
 */
#include <math.h>
#include <stdlib.h>

#include "optimizer.h"

struct gn_scheduler {
    gn__object object;
    gn_optimizer *optimizer;
    double (*rate)(const gn_scheduler *self, int64_t step);
    int64_t step;
    int64_t total_steps;             /* 0: no end */
    double initial, top, last, peak; /* one cycle: three rates, the step of the top one */
    double base;                     /* lambda: the rate that the factor scales */
    double (*factor)(int64_t step, void *context);
    void *context;
};

static void destroy_scheduler(void *object) {
    gn_scheduler *self = object;
    gn_release(self->optimizer);
    free(self);
}

static gn_scheduler *new_scheduler(const char *op, gn_optimizer *optimizer) {
    static const gn__kind kind = {.name = "scheduler", .destroy = destroy_scheduler};
    if (gn__failed())
        return NULL;
    if (optimizer == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op, "the optimizer is NULL");
    gn_scheduler *self = gn__object_new(&kind, sizeof *self);
    if (self)
        self->optimizer = gn_retain(optimizer);
    return gn__own(self);
}

/* Sets the rate of the step that it is at. */
static gn_scheduler *start(gn_scheduler *self) {
    return gn_set_lr(self->optimizer, self->rate(self, 0)) == GN_OK ? self : NULL;
}

gn_status gn_scheduler_step(gn_scheduler *self) {
    if (gn__failed())
        return gn_error_status();
    if (self == NULL)
        return gn_fail(GN_E_ARGUMENT, "scheduler_step", "the scheduler is NULL");
    if (self->total_steps > 0 && self->step >= self->total_steps)
        return gn_fail(GN_E_STATE, "scheduler_step",
                       "the schedule was made for %lld steps, and they "
                       "are over",
                       (long long)self->total_steps);
    if (gn_set_lr(self->optimizer, self->rate(self, self->step + 1)) == GN_OK)
        self->step++;
    return gn_error_status();
}

/* ---- State */

gn_dict *gn_scheduler_state_dict(gn_scheduler *self) {
    if (gn__failed())
        return NULL;
    if (self == NULL)
        return gn__fail_null(GN_E_ARGUMENT, "scheduler_state_dict", "the scheduler is NULL");
    gn_scope scope = gn_scope_begin();
    gn_dict *state = gn_dict_new(), *rates = gn_list_new();
    gn_dict_set(rates, NULL, gn_get_lr(self->optimizer));
    gn_dict_set(state, "last_epoch", self->step);
    gn_dict_set(state, "_step_count", self->step + 1);
    gn_dict_set(state, "_last_lr", rates);
    return gn_scope_end_with(scope, gn__failed() ? NULL : state);
}

gn_status gn_scheduler_load_state_dict(gn_scheduler *self, gn_dict *state) {
    static const char op[] = "scheduler_load_state_dict";
    if (gn__failed())
        return gn_error_status();
    if (self == NULL || state == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "an argument is NULL");
    int64_t step = gn_dict_get_int(state, "last_epoch", -1);
    if (step < 0)
        return gn_fail(GN_E_ARGUMENT, op, "the state has no last_epoch, a number >= 0");
    if (self->total_steps > 0 && step > self->total_steps)
        return gn_fail(GN_E_ARGUMENT, op,
                       "last_epoch %lld is beyond the %lld steps of the schedule", (long long)step,
                       (long long)self->total_steps);
    if (gn_set_lr(self->optimizer, self->rate(self, step)) == GN_OK)
        self->step = step;
    return gn_error_status();
}

/* ---- One cycle */

/* Half a cosine from `from`, at 0, to `to`, at 1. */
static double anneal(double from, double to, double at) {
    return to + (from - to) / 2 * (1 + cos(acos(-1.0) * at));
}

static double one_cycle_rate(const gn_scheduler *self, int64_t step) {
    double at = (double)step, end = (double)self->total_steps - 1;
    if (at <= self->peak)
        return anneal(self->initial, self->top, self->peak > 0 ? at / self->peak : 1);
    return anneal(self->top, self->last,
                  end > self->peak ? (at - self->peak) / (end - self->peak) : 1);
}

gn_scheduler *gn_lr_one_cycle_with(gn_optimizer *optimizer, double max_lr, int64_t total_steps,
                                   const gn_one_cycle_options *options) {
    static const gn_one_cycle_options standard = {0};
    const char *op = "lr_one_cycle";
    if (gn__failed())
        return NULL;
    if (options == NULL)
        options = &standard;
    double pct = gn_or(options->pct_start, 0.3), div = gn_or(options->div_factor, 25);
    double final_div = gn_or(options->final_div_factor, 1e4);
    if (total_steps < 1)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld steps: at least one is needed",
                             (long long)total_steps);
    if (!gn__in_range(op, "max_lr", max_lr, 0, INFINITY) ||
        !gn__in_range(op, "pct_start", pct, 0, 1))
        return NULL;
    if (!(div > 0) || !(final_div > 0))
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "div_factor %g and final_div_factor %g must be above 0", div,
                             final_div);
    gn_scheduler *self = new_scheduler(op, optimizer);
    if (self == NULL)
        return NULL;
    self->rate = one_cycle_rate;
    self->total_steps = total_steps;
    self->initial = max_lr / div;
    self->top = max_lr;
    self->last = self->initial / final_div;
    self->peak = pct * (double)total_steps - 1;
    return start(self);
}

/* ---- Lambda */

static double lambda_rate(const gn_scheduler *self, int64_t step) {
    return self->base * self->factor(step, self->context);
}

gn_scheduler *gn_lr_lambda(gn_optimizer *optimizer, double (*factor)(int64_t step, void *context),
                           void *context) {
    if (gn__failed())
        return NULL;
    if (factor == NULL)
        return gn__fail_null(GN_E_ARGUMENT, "lr_lambda", "the function is NULL");
    gn_scheduler *self = new_scheduler("lr_lambda", optimizer);
    if (self == NULL)
        return NULL;
    self->rate = lambda_rate;
    self->base = gn_get_lr(optimizer);
    self->factor = factor;
    self->context = context;
    return start(self);
}
