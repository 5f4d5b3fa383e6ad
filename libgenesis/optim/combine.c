/* SPDX-License-Identifier: Apache-2.0 */
/*
 * combine.c - schedules that are made of others: one after the other, or all at once.
 */
#include "scheduler.h"

static gn_scheduler *new_combined(const gn__schedule *schedule, gn_optimizer *optimizer, int64_t n,
                                  gn_scheduler *const *schedulers) {
    if (gn__failed())
        return NULL;
    if (n < 1 || schedulers == NULL)
        return gn__fail_null(GN_E_ARGUMENT, schedule->name, "there are no schedules to combine");
    for (int64_t i = 0; i < n; i++) {
        if (schedulers[i] == NULL || schedulers[i]->optimizer != optimizer)
            return gn__fail_null(GN_E_ARGUMENT, schedule->name, "schedule %lld is %s", (long long)i,
                                 schedulers[i] ? "of another optimizer" : "NULL");
        if (schedulers[i]->schedule->by_metrics)
            return gn__fail_null(GN_E_ARGUMENT, schedule->name,
                                 "schedule %lld looks at a metric: step it apart", (long long)i);
    }
    gn_scheduler *self = gn__scheduler_new(schedule, optimizer);
    if (self == NULL)
        return NULL;
    self->children = gn__alloc_array((size_t)n, sizeof *self->children);
    if (self->children == NULL)
        return NULL;
    for (; self->n_children < n; self->n_children++)
        self->children[self->n_children] = gn_retain(schedulers[self->n_children]);
    return self;
}

static gn_status save(const gn_scheduler *self, gn_dict *state) {
    gn_dict *list = gn_list_new();
    for (int64_t i = 0; i < self->n_children && !gn__failed(); i++)
        gn_dict_set(list, NULL, gn_scheduler_state_dict(self->children[i]));
    return gn_dict_set(state, "_schedulers", list);
}

/* ---- One after the other */

/* The schedule of step t. */
static int64_t number_at(const gn_scheduler *self, int64_t t) {
    int64_t i = 0;
    while (i < self->n_milestones && self->milestones[i] <= t)
        i++;
    return i;
}

/* As if only the first one had been made, and now. */
static gn_status start_sequential(gn_scheduler *self, bool made) {
    gn_scheduler *first = self->children[number_at(self, 0)];
    (void)made;
    gn__scheduler_reset(self);
    first->initial = true;
    gn_status status = gn__scheduler_restart(first, false);
    first->initial = false;
    for (int64_t i = 0; i < self->n_children; i++)
        if (self->children[i] != first)
            self->children[i]->last_epoch = -1;
    self->last_epoch = 0;
    gn__scheduler_note(self);
    return status;
}

static gn_status step_sequential(gn_scheduler *self) {
    const int64_t t = self->last_epoch + 1, i = number_at(self, t);
    gn_scheduler *now = self->children[i];
    const bool begins = i > 0 && self->milestones[i - 1] == t;
    if ((begins ? gn__scheduler_restart(now, true) : gn__scheduler_advance(now)) != GN_OK)
        return gn_error_status();
    self->last_epoch = t;
    gn__scheduler_note(self);
    return GN_OK;
}

gn_scheduler *gn_lr_sequential(gn_optimizer *optimizer, int64_t n, gn_scheduler *const *schedulers,
                               const int64_t *milestones) {
    static const gn__schedule schedule = {
        .name = "lr_sequential", .start = start_sequential, .step = step_sequential, .save = save};
    gn_scheduler *self = new_combined(&schedule, optimizer, n, schedulers);
    if (self == NULL)
        return NULL;
    self->milestones = gn__alloc_array((size_t)n, sizeof *milestones);
    if (self->milestones == NULL)
        return NULL;
    for (int64_t i = 0; i + 1 < n; i++) {
        if (milestones == NULL || (i > 0 && milestones[i] <= milestones[i - 1]))
            return gn__fail_null(GN_E_ARGUMENT, schedule.name, "milestones must increase");
        self->milestones[self->n_milestones++] = milestones[i];
    }
    return gn__scheduler_start(self);
}

/* ---- All at once. They have set their rates when they were made. */

static gn_status start_chained(gn_scheduler *self, bool made) {
    if (!made)
        gn__scheduler_reset(self);
    for (int64_t i = 0; !made && i < self->n_children; i++)
        if (gn__scheduler_restart(self->children[i], false) != GN_OK)
            return gn_error_status();
    self->last_epoch = 0;
    gn__scheduler_note(self);
    return GN_OK;
}

static gn_status step_chained(gn_scheduler *self) {
    for (int64_t i = 0; i < self->n_children; i++)
        if (gn__scheduler_advance(self->children[i]) != GN_OK)
            return gn_error_status();
    self->last_epoch++;
    gn__scheduler_note(self);
    return GN_OK;
}

gn_scheduler *gn_lr_chained(int64_t n, gn_scheduler *const *schedulers) {
    static const gn__schedule schedule = {
        .name = "lr_chained", .start = start_chained, .step = step_chained, .save = save};
    gn_optimizer *optimizer =
        n > 0 && schedulers && schedulers[0] ? schedulers[0]->optimizer : NULL;
    gn_scheduler *self = new_combined(&schedule, optimizer, n, schedulers);
    return self ? gn__scheduler_start(self) : NULL;
}
