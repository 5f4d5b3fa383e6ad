/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.h (internal) - what all schedules share. Most are one function, the factor of the rate
 * in a step: it gives the rate itself, and by its ratios the rate from that of the step before, so
 * that schedules may be chained.
 */
#ifndef GENESIS_OPTIM_SCHEDULER_H
#define GENESIS_OPTIM_SCHEDULER_H

#include <genesis/scheduler.h>

#include "../ops/support.h"
#include "optimizer.h"

enum { GN__SCHEDULE_VALUES = 8 };

typedef struct gn__schedule {
    const char *name;
    /* The rate is floor + (initial - floor) factor(t). */
    double (*factor)(const gn_scheduler *self, int64_t t);
    bool direct; /* always so; else by ratios from the present rate, but for jumps */
    /* Others: the rate of a group after `lr`, in step last_epoch. */
    double (*rate)(gn_scheduler *self, int group, double lr);
    bool goes_on; /* `rate` begins with the present rate, not with the initial one */
    /* And the momentum; NULL: stays. */
    double (*momentum)(const gn_scheduler *self, int group);
    /* Schedules made of others: to the beginning, `made`: just now; and a step. */
    gn_status (*start)(gn_scheduler *self, bool made);
    gn_status (*step)(gn_scheduler *self);
    /* What else is in the state dict. Loading first with `change` false, which only checks. */
    gn_status (*save)(const gn_scheduler *self, gn_dict *state);
    gn_status (*load)(gn_scheduler *self, const gn_dict *state, bool change);
    bool by_metrics;
} gn__schedule;

struct gn_scheduler {
    gn__object object;
    const gn__schedule *schedule;
    gn_optimizer *optimizer;
    int64_t last_epoch; /* t; -1: to be started */
    int64_t step_count;
    bool initial; /* it is in the step that its making implies */
    int n_groups;
    double *base_lrs, *last_lrs;
    double floor;
    double value[GN__SCHEDULE_VALUES]; /* by the schedule's own numbers */
    gn_lr_factor **functions; /* of the user's, for each group, with their contexts; or NULL */
    void **contexts;
    int64_t *milestones; /* in order */
    gn_scheduler **children;
    int64_t n_milestones, n_children;
    double best; /* by metrics: the best so far, steps without a better one, steps to ignore */
    int64_t bad_steps, waits;
};

/* A schedule of the optimizer, owned by the scope; the caller sets its values and starts it. Notes
 * "initial_lr" in groups that have none. */
gn_scheduler *gn__scheduler_new(const gn__schedule *schedule, gn_optimizer *optimizer);
/* Step 0: sets the rates. Returns self, or NULL with an error. */
gn_scheduler *gn__scheduler_start(gn_scheduler *self);

/* Step 0 again, from the present rates or, `jump`, from the initial ones; one step. */
gn_status gn__scheduler_restart(gn_scheduler *self, bool jump);
gn_status gn__scheduler_advance(gn_scheduler *self);
/* Gives the optimizer the initial rates. */
void gn__scheduler_reset(gn_scheduler *self);
/* Notes the rates that the optimizer has now. */
void gn__scheduler_note(gn_scheduler *self);

/* A number that a group notes for its schedule. */
static inline double gn__noted(const gn_scheduler *self, int group, const char *name) {
    return gn_dict_get_float(self->optimizer->groups[group].extra, name, (double)NAN);
}
static inline gn_status gn__note(const gn_scheduler *self, int group, const char *name,
                                 double value) {
    return gn_dict_set(self->optimizer->groups[group].extra, name, value);
}

#endif
