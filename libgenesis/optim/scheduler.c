/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.c - what all schedules share: their making, steps, state dicts. The schedules are in
 * schedules.c, cycles.c, plateau.c, combine.c.
 */
#include <stdlib.h>

#include "scheduler.h"

/* ---- Objects */

static void destroy_scheduler(void *object) {
    gn_scheduler *self = object;
    for (int64_t i = 0; i < self->n_children; i++)
        gn_release(self->children[i]);
    gn_release(self->optimizer);
    free(self->children);
    free(self->milestones);
    free(self->functions);
    free(self->contexts);
    free(self->base_lrs);
    free(self->last_lrs);
    free(self);
}

gn_scheduler *gn__scheduler_new(const gn__schedule *schedule, gn_optimizer *optimizer) {
    static const gn__kind kind = {.name = "scheduler", .destroy = destroy_scheduler};
    if (gn__failed())
        return NULL;
    if (optimizer == NULL)
        return gn__fail_null(GN_E_ARGUMENT, schedule->name, "the optimizer is NULL");
    gn_scheduler *self = gn__object_new(&kind, sizeof *self);
    if (self == NULL)
        return NULL;
    self->schedule = schedule;
    self->optimizer = gn_retain(optimizer);
    self->n_groups = optimizer->n_groups;
    self->base_lrs = gn__alloc_array((size_t)self->n_groups, sizeof(double));
    self->last_lrs = gn__alloc_array((size_t)self->n_groups, sizeof(double));
    if (self->base_lrs == NULL || self->last_lrs == NULL) {
        gn_release(self);
        return NULL;
    }
    return gn__own(self);
}

/* ---- Rates */

static gn_status check_groups(const gn_scheduler *self) {
    if (self->optimizer->n_groups == self->n_groups)
        return GN_OK;
    return gn_fail(GN_E_STATE, self->schedule->name,
                   "the optimizer has %d groups of parameters, and had %d when it was made",
                   self->optimizer->n_groups, self->n_groups);
}

void gn__scheduler_note(gn_scheduler *self) {
    for (int i = 0; i < self->n_groups; i++)
        self->last_lrs[i] = self->optimizer->groups[i].value[0];
}

/* Sets rates and momentums, all or none. */
static gn_status set_rates(gn_scheduler *self, const double *rates) {
    gn_optimizer *o = self->optimizer;
    for (int i = 0; i < self->n_groups; i++)
        if (!gn__in_range(self->schedule->name, "lr", rates[i], 0, INFINITY))
            return gn_error_status();
    const int beta1 = gn__hyper_find(o->rule, "beta1");
    const int k = beta1 >= 0 ? beta1 : gn__hyper_find(o->rule, "momentum");
    for (int i = 0; i < self->n_groups; i++) {
        o->groups[i].value[0] = rates[i];
        if (self->schedule->momentum && k >= 0) {
            double momentum = self->schedule->momentum(self, i);
            o->groups[i].value[k] = isnan(momentum) ? o->groups[i].value[k] : momentum;
        }
        gn__group_changed(&o->groups[i]);
    }
    gn__scheduler_note(self);
    return GN_OK;
}

/* The rate of step t from that of the step before. Where the factor was 0, what it grows by. */
static double chain(const gn_scheduler *self, int64_t t, double base, double lr) {
    const double now = self->schedule->factor(self, t);
    if (t == 0)
        return lr * now;
    const double before = self->schedule->factor(self, t - 1), floor = self->floor;
    if (now == before)
        return lr;
    if (fabs(before) <= DBL_EPSILON)
        return lr + (base - floor) * (now - before);
    return floor + (lr - floor) * (now / before);
}

/* Goes to step t; `jump`: whatever the present rates are. */
static gn_status go_to(gn_scheduler *self, int64_t t, bool jump) {
    const gn__schedule *schedule = self->schedule;
    double *rates = gn__alloc_array((size_t)self->n_groups, sizeof *rates);
    if (rates == NULL)
        return gn_error_status();
    const int64_t before = self->last_epoch;
    self->last_epoch = t;
    const bool direct = schedule->factor && (schedule->direct || jump);
    const double factor = direct ? schedule->factor(self, t) : 0;
    for (int i = 0; i < self->n_groups; i++) {
        const double base = self->base_lrs[i], lr = self->optimizer->groups[i].value[0];
        if (direct)
            rates[i] = self->floor + (base - self->floor) * factor;
        else if (schedule->factor)
            rates[i] = chain(self, t, base, lr);
        else
            rates[i] = schedule->rate(self, i, jump && !schedule->goes_on ? base : lr);
    }
    if (gn__failed() || set_rates(self, rates) != GN_OK)
        self->last_epoch = before;
    free(rates);
    return gn_error_status();
}

gn_scheduler *gn__scheduler_start(gn_scheduler *self) {
    for (int i = 0; i < self->n_groups; i++) {
        if (isnan(gn__noted(self, i, "initial_lr")))
            gn__note(self, i, "initial_lr", self->optimizer->groups[i].value[0]);
        self->base_lrs[i] = gn__noted(self, i, "initial_lr");
    }
    if (gn__failed())
        return NULL;
    self->step_count = 1;
    self->initial = true;
    gn_status status =
        self->schedule->start ? self->schedule->start(self, true) : go_to(self, 0, false);
    self->initial = false;
    return status == GN_OK ? self : NULL;
}

gn_status gn__scheduler_restart(gn_scheduler *self, bool jump) {
    if (check_groups(self) != GN_OK)
        return gn_error_status();
    return self->schedule->start ? self->schedule->start(self, false) : go_to(self, 0, jump);
}

void gn__scheduler_reset(gn_scheduler *self) {
    for (int i = 0; i < self->n_groups; i++) {
        self->optimizer->groups[i].value[0] = self->base_lrs[i];
        gn__group_changed(&self->optimizer->groups[i]);
    }
}

gn_status gn__scheduler_advance(gn_scheduler *self) {
    if (check_groups(self) != GN_OK)
        return gn_error_status();
    gn_status status = self->schedule->step ? self->schedule->step(self)
                                            : go_to(self, self->last_epoch + 1, false);
    if (status == GN_OK)
        self->step_count++;
    return status;
}

/* ---- Public */

static bool is_scheduler(const char *op, const gn_scheduler *self) {
    if (!gn__failed() && self == NULL)
        gn_fail(GN_E_ARGUMENT, op, "the scheduler is NULL");
    return !gn__failed();
}

gn_status gn_scheduler_step(gn_scheduler *self) {
    if (!is_scheduler("scheduler_step", self))
        return gn_error_status();
    if (self->schedule->by_metrics)
        return gn_fail(GN_E_ARGUMENT, self->schedule->name,
                       "it looks at a metric: use gn_scheduler_step_metrics");
    return gn__scheduler_advance(self);
}

gn_status gn_scheduler_step_to(gn_scheduler *self, int64_t t) {
    if (!is_scheduler("scheduler_step_to", self) || check_groups(self) != GN_OK)
        return gn_error_status();
    if (self->schedule->step || self->schedule->by_metrics)
        return gn_fail(GN_E_UNSUPPORTED, self->schedule->name, "it can't go to a given step");
    if (t < 0)
        return gn_fail(GN_E_ARGUMENT, self->schedule->name, "step %lld: they count from 0",
                       (long long)t);
    if (go_to(self, t, true) == GN_OK)
        self->step_count++;
    return gn_error_status();
}

const double *gn_get_last_lr(const gn_scheduler *self) {
    return is_scheduler("get_last_lr", self) ? self->last_lrs : NULL;
}

/* ---- State */

static gn_dict *list_of(const double *values, int n) {
    gn_dict *list = gn_list_new();
    for (int i = 0; i < n; i++)
        gn_dict_set(list, NULL, values[i]);
    return list;
}

gn_dict *gn_scheduler_state_dict(gn_scheduler *self) {
    if (!is_scheduler("scheduler_state_dict", self))
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn_dict *state = gn_dict_new();
    gn_dict_set(state, "last_epoch", self->last_epoch);
    gn_dict_set(state, "_step_count", self->step_count);
    gn_dict_set(state, "_last_lr", list_of(self->last_lrs, self->n_groups));
    gn_dict_set(state, "base_lrs", list_of(self->base_lrs, self->n_groups));
    if (!gn__failed() && self->schedule->save)
        self->schedule->save(self, state);
    return gn_scope_end_with(scope, gn__failed() ? NULL : state);
}

/* Whether a list of rates, if there is one, fits; reads it if `to` is given. */
static gn_status read_list(const gn_scheduler *self, const gn_dict *state, const char *name,
                           double *to) {
    const gn_dict *list = gn_dict_get_dict(state, name);
    if (list && gn_dict_size(list) != self->n_groups)
        return gn_fail(GN_E_ARGUMENT, "scheduler_load_state_dict",
                       "%s is for %lld groups of parameters, not %d", name,
                       (long long)gn_dict_size(list), self->n_groups);
    for (int i = 0; to && list && i < self->n_groups; i++)
        to[i] = gn_dict_get_float(list, gn_dict_name(list, i), to[i]);
    return GN_OK;
}

static gn_status load(gn_scheduler *self, const gn_dict *state, bool change) {
    int64_t t = gn_dict_get_int(state, "last_epoch", -2);
    if (t < -1)
        return gn_fail(GN_E_ARGUMENT, "scheduler_load_state_dict",
                       "the state has no last_epoch, a number >= 0");
    if (read_list(self, state, "_last_lr", change ? self->last_lrs : NULL) != GN_OK ||
        read_list(self, state, "base_lrs", change ? self->base_lrs : NULL) != GN_OK)
        return gn_error_status();
    if (self->schedule->load && self->schedule->load(self, state, change) != GN_OK)
        return gn_error_status();
    for (int64_t i = 0; i < self->n_children; i++) {
        const gn_dict *children = gn_dict_get_dict(state, "_schedulers");
        if (gn_dict_size(children) != self->n_children)
            return gn_fail(GN_E_ARGUMENT, "scheduler_load_state_dict",
                           "the state is of %lld schedules, not %lld",
                           (long long)gn_dict_size(children), (long long)self->n_children);
        const gn_dict *child = gn_dict_get_dict(children, gn_dict_name(children, i));
        if (load(self->children[i], child, change) != GN_OK)
            return gn_error_status();
    }
    if (change) {
        self->last_epoch = t;
        self->step_count = gn_dict_get_int(state, "_step_count", t + 1);
    }
    return GN_OK;
}

gn_status gn_scheduler_load_state_dict(gn_scheduler *self, gn_dict *state) {
    if (!is_scheduler("scheduler_load_state_dict", self))
        return gn_error_status();
    if (state == NULL)
        return gn_fail(GN_E_ARGUMENT, "scheduler_load_state_dict", "the state is NULL");
    if (load(self, state, false) == GN_OK)
        load(self, state, true);
    return gn_error_status();
}
