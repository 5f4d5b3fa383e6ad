/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plateau.c - a schedule that lowers the rate when a metric stops getting better.
 */
#include "scheduler.h"

enum { FACTOR, PATIENCE, THRESHOLD, COOLDOWN, MIN_LR, EPS, MAX, ABSOLUTE };
_Static_assert((int)ABSOLUTE < (int)GN__SCHEDULE_VALUES, "all values have a place");

static gn_status start(gn_scheduler *self, bool made) {
    (void)made;
    self->best = self->value[MAX] != 0 ? -INFINITY : INFINITY;
    self->waits = 0;
    self->bad_steps = 0;
    self->last_epoch = 0;
    gn__scheduler_note(self);
    return GN_OK;
}

static bool is_better(const gn_scheduler *self, double metrics) {
    const double threshold = self->value[THRESHOLD], best = self->best;
    if (self->value[MAX] != 0)
        return metrics > (self->value[ABSOLUTE] != 0 ? best + threshold : best * (1 + threshold));
    return metrics < (self->value[ABSOLUTE] != 0 ? best - threshold : best * (1 - threshold));
}

static void reduce(gn_scheduler *self) {
    for (int i = 0; i < self->optimizer->n_groups; i++) {
        gn__group *group = &self->optimizer->groups[i];
        const double lr = group->value[0];
        const double next = fmax(lr * self->value[FACTOR], self->value[MIN_LR]);
        if (lr - next > self->value[EPS])
            group->value[0] = next;
        gn__group_changed(group);
    }
}

gn_status gn_scheduler_step_metrics(gn_scheduler *self, double metrics) {
    if (gn__failed())
        return gn_error_status();
    if (self == NULL || !self->schedule->by_metrics)
        return gn_fail(GN_E_ARGUMENT, "scheduler_step_metrics", "%s",
                       self ? "this schedule looks at no metric: use gn_scheduler_step"
                            : "the scheduler is NULL");
    if (self->optimizer->n_groups != self->n_groups)
        return gn_fail(GN_E_STATE, self->schedule->name,
                       "the optimizer has got a group of parameters since it was made");
    const bool better = is_better(self, metrics);
    self->last_epoch++;
    self->step_count++;
    if (better)
        self->best = metrics;
    self->bad_steps = better ? 0 : self->bad_steps + 1;
    if (self->waits > 0) {
        self->waits--;
        self->bad_steps = 0;
    }
    if ((double)self->bad_steps > self->value[PATIENCE]) {
        reduce(self);
        self->waits = (int64_t)self->value[COOLDOWN];
        self->bad_steps = 0;
    }
    gn__scheduler_note(self);
    return GN_OK;
}

static gn_status save(const gn_scheduler *self, gn_dict *state) {
    gn_dict_set(state, "best", self->best);
    gn_dict_set(state, "cooldown_counter", self->waits);
    gn_dict_set(state, "num_bad_epochs", self->bad_steps);
    /* PyTorch looks these up when it loads. */
    gn_dict_set(state, "mode", self->value[MAX] != 0 ? "max" : "min");
    return gn_dict_set(state, "threshold_mode", self->value[ABSOLUTE] != 0 ? "abs" : "rel");
}

static gn_status load(gn_scheduler *self, const gn_dict *state, bool change) {
    const double best = gn_dict_get_float(state, "best", (double)NAN);
    const int64_t waits = gn_dict_get_int(state, "cooldown_counter", -1);
    const int64_t bad_steps = gn_dict_get_int(state, "num_bad_epochs", -1);
    if (isnan(best) || waits < 0 || bad_steps < 0)
        return gn_fail(GN_E_ARGUMENT, "scheduler_load_state_dict",
                       "the state lacks best, cooldown_counter or num_bad_epochs");
    if (change) {
        self->best = best;
        self->waits = waits;
        self->bad_steps = bad_steps;
    }
    return GN_OK;
}

gn_scheduler *gn_lr_reduce_on_plateau_with(gn_optimizer *optimizer,
                                           const gn_plateau_options *options) {
    static const gn__schedule schedule = {.name = "lr_reduce_on_plateau",
                                          .start = start,
                                          .save = save,
                                          .load = load,
                                          .by_metrics = true};
    gn_plateau_options o;
    gn__options(&o, sizeof o, options);
    const double values[] = {[FACTOR] = gn_or(o.factor, 0.1),
                             [PATIENCE] = gn_or(o.patience, 10),
                             [THRESHOLD] = gn_or(o.threshold, 1e-4),
                             [COOLDOWN] = (double)o.cooldown,
                             [MIN_LR] = o.min_lr,
                             [EPS] = gn_or(o.eps, 1e-8),
                             [MAX] = o.max,
                             [ABSOLUTE] = o.absolute};
    if (gn__failed() || !gn__in_range(schedule.name, "factor", values[FACTOR], 0, GN__BELOW_ONE) ||
        !gn__in_range(schedule.name, "patience", values[PATIENCE], 0, INFINITY) ||
        !gn__in_range(schedule.name, "threshold", values[THRESHOLD], 0, INFINITY) ||
        !gn__in_range(schedule.name, "cooldown", values[COOLDOWN], 0, 0x1p53) ||
        !gn__in_range(schedule.name, "min_lr", o.min_lr, 0, INFINITY) ||
        !gn__in_range(schedule.name, "eps", values[EPS], 0, INFINITY))
        return NULL;
    gn_scheduler *self = gn__scheduler_new(&schedule, optimizer);
    if (self == NULL)
        return NULL;
    memcpy(self->value, values, sizeof values);
    return gn__scheduler_start(self);
}
