/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.h - schedules of learning rates. Names, defaults and values are PyTorch 2's.
 *
 *     gn_scheduler *schedule = gn_lr_cosine_annealing(adam, epochs);
 *     for (..epochs..) {
 *         train(model, adam);
 *         gn_scheduler_step(schedule);
 *     }
 *
 * A schedule sets the rates of step 0 when it is made, and those of the next step in each
 * gn_scheduler_step, for every group of parameters from the group's own rate, which is noted as
 * "initial_lr". It keeps its optimizer. Below, t is the number of the step, from 0, and lr the rate
 * that the group began with.
 */
#ifndef GENESIS_SCHEDULER_H
#define GENESIS_SCHEDULER_H

#include <genesis/optim.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gn_scheduler gn_scheduler;

/* ---- What all can do */

/* To be called after each gn_step, or each epoch. */
GN_API gn_status gn_scheduler_step(gn_scheduler *scheduler);
/* Goes to step t >= 0. Not for those that are made of others or look at metrics. */
GN_API gn_status gn_scheduler_step_to(gn_scheduler *scheduler, int64_t t);
/* For gn_lr_reduce_on_plateau: with the loss, or what else is watched. */
GN_API gn_status gn_scheduler_step_metrics(gn_scheduler *scheduler, double metrics);
/* The rates that it set last, one for each group of parameters. Borrowed, valid until it is freed.
 * NULL with an error. */
GN_API const double *gn_get_last_lr(const gn_scheduler *scheduler);

/* Where the schedule is, as in PyTorch: last_epoch, _step_count, _last_lr, base_lrs, .. What it was
 * made with is not part of it. Loading does not touch the optimizer, whose state has the rate. */
GN_API gn_dict *gn_scheduler_state_dict(gn_scheduler *scheduler);
GN_API gn_status gn_scheduler_load_state_dict(gn_scheduler *scheduler, gn_dict *state);

/* ---- Factors of the rate */

/* lr gamma^(t / step_size), rounded down; gamma: 0.1. */
typedef struct gn_lr_gamma_options {
    size_t struct_size;
    gn_optional gamma;
} gn_lr_gamma_options;
#define gn_lr_step(...) GN_CALL2(gn_lr_step_with, gn_lr_gamma_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_step_with(gn_optimizer *optimizer, int64_t step_size,
                                     const gn_lr_gamma_options *options);
/* Times gamma (0.1) at each of n milestones, in any order. */
#define gn_lr_multi_step(...) GN_CALL3(gn_lr_multi_step_with, gn_lr_gamma_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_multi_step_with(gn_optimizer *optimizer, int64_t n,
                                           const int64_t *milestones,
                                           const gn_lr_gamma_options *options);
/* lr gamma^t */
GN_API gn_scheduler *gn_lr_exponential(gn_optimizer *optimizer, double gamma);

/* lr factor in the first total_iters steps, lr afterwards. */
typedef struct gn_lr_constant_options {
    size_t struct_size;
    gn_optional factor, total_iters; /* 1/3, 5 */
} gn_lr_constant_options;
#define gn_lr_constant(...) GN_CALL1(gn_lr_constant_with, gn_lr_constant_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_constant_with(gn_optimizer *optimizer,
                                         const gn_lr_constant_options *options);
/* From lr start_factor to lr end_factor in total_iters steps of one size. */
typedef struct gn_lr_linear_options {
    size_t struct_size;
    gn_optional start_factor, end_factor, total_iters; /* 1/3, 1, 5 */
} gn_lr_linear_options;
#define gn_lr_linear(...) GN_CALL1(gn_lr_linear_with, gn_lr_linear_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_linear_with(gn_optimizer *optimizer,
                                       const gn_lr_linear_options *options);
/* lr (1 - t / total_iters)^power, then 0. */
typedef struct gn_lr_polynomial_options {
    size_t struct_size;
    gn_optional total_iters, power; /* 5, 1 */
} gn_lr_polynomial_options;
#define gn_lr_polynomial(...)                                                                      \
    GN_CALL1(gn_lr_polynomial_with, gn_lr_polynomial_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_polynomial_with(gn_optimizer *optimizer,
                                           const gn_lr_polynomial_options *options);

/* eta_min + (lr - eta_min) (1 + cos(pi t / t_max)) / 2 (Loshchilov and Hutter 2016). */
typedef struct gn_lr_cosine_options {
    size_t struct_size;
    double eta_min;
    int64_t t_mult; /* warm restarts: 1 */
} gn_lr_cosine_options;
#define gn_lr_cosine_annealing(...)                                                                \
    GN_CALL2(gn_lr_cosine_annealing_with, gn_lr_cosine_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_cosine_annealing_with(gn_optimizer *optimizer, int64_t t_max,
                                                 const gn_lr_cosine_options *options);
/* The same down to eta_min in t_0 steps, then again from lr in t_0 t_mult steps, and so on. */
#define gn_lr_cosine_annealing_warm_restarts(...)                                                  \
    GN_CALL2(gn_lr_cosine_annealing_warm_restarts_with, gn_lr_cosine_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_cosine_annealing_warm_restarts_with(gn_optimizer *optimizer, int64_t t_0,
                                                               const gn_lr_cosine_options *options);

/* lr factor(t, context); and the rate of the step before times factor(t, context). */
typedef double gn_lr_factor(int64_t t, void *context);
GN_API gn_scheduler *gn_lr_lambda(gn_optimizer *optimizer, gn_lr_factor *factor, void *context);
GN_API gn_scheduler *gn_lr_multiplicative(gn_optimizer *optimizer, gn_lr_factor *factor,
                                          void *context);
/* A function and a context for each of the optimizer's n groups. */
GN_API gn_scheduler *gn_lr_lambda_n(gn_optimizer *optimizer, int64_t n,
                                    gn_lr_factor *const *factors, void *const *contexts);

/* From 0 to lr in num_warmup_steps, then down to 0 at num_training_steps: by num_cycles cosines, or
 * in steps of one size. */
typedef struct gn_warmup_options {
    size_t struct_size;
    gn_optional num_cycles; /* 0.5: half a cosine */
} gn_warmup_options;
#define gn_get_cosine_schedule_with_warmup(...)                                                    \
    GN_CALL3(gn_get_cosine_schedule_with_warmup_with, gn_warmup_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_get_cosine_schedule_with_warmup_with(gn_optimizer *optimizer,
                                                             int64_t num_warmup_steps,
                                                             int64_t num_training_steps,
                                                             const gn_warmup_options *options);
GN_API gn_scheduler *gn_get_linear_schedule_with_warmup(gn_optimizer *optimizer,
                                                        int64_t num_warmup_steps,
                                                        int64_t num_training_steps);

/* ---- Cycles of the rate and, against it, of the momentum (beta1 of the Adam family) */

/* One cycle (Smith 2018): from max_lr / div_factor up to max_lr in the first pct_start of the
 * steps, then down to (max_lr / div_factor) / final_div_factor; three_phase goes down to max_lr /
 * div_factor first, as fast as up. More than total_steps steps: GN_E_STATE. */
typedef struct gn_one_cycle_options {
    size_t struct_size;
    gn_optional pct_start, div_factor, final_div_factor; /* 0.3, 25, 1e4 */
    gn_optional base_momentum, max_momentum;             /* 0.85, 0.95 */
    bool no_cycle_momentum;                              /* cycle_momentum=False */
    bool linear;                                         /* anneal_strategy="linear"; cosine */
    bool three_phase;
} gn_one_cycle_options;
#define gn_lr_one_cycle(...) GN_CALL3(gn_lr_one_cycle_with, gn_one_cycle_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_one_cycle_with(gn_optimizer *optimizer, double max_lr,
                                          int64_t total_steps, const gn_one_cycle_options *options);

/* Up from base_lr to max_lr and down again (Smith 2015). The height above base_lr is scaled: by 1/2
 * more in each cycle, by gamma^t, or by a function of the number of the cycle, from 1, or of t. */
typedef enum gn_cyclic_mode {
    GN_CYCLIC_TRIANGULAR,
    GN_CYCLIC_TRIANGULAR2,
    GN_CYCLIC_EXP_RANGE
} gn_cyclic_mode;
typedef struct gn_cyclic_options {
    size_t struct_size;
    int64_t step_size_up, step_size_down; /* 2000, step_size_up */
    gn_cyclic_mode mode;
    gn_optional gamma;      /* 1 */
    gn_lr_factor *scale_fn; /* instead of mode; or NULL */
    void *context;          /* for scale_fn */
    bool scale_by_step;     /* scale_mode="iterations": scale_fn gets t, not the cycle */
    bool no_cycle_momentum; /* cycle_momentum=False */
    gn_optional base_momentum, max_momentum; /* 0.8, 0.9 */
} gn_cyclic_options;
#define gn_lr_cyclic(...) GN_CALL3(gn_lr_cyclic_with, gn_cyclic_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_cyclic_with(gn_optimizer *optimizer, double base_lr, double max_lr,
                                       const gn_cyclic_options *options);

/* ---- By a metric: times factor after more than `patience` steps without an improvement by more
 * than the threshold, relative to the best or absolute; then `cooldown` steps that do not count. */
typedef struct gn_plateau_options {
    size_t struct_size;
    bool max;                                /* mode="max": more is better */
    bool absolute;                           /* threshold_mode="abs" */
    gn_optional factor, patience, threshold; /* 0.1, 10, 1e-4 */
    int64_t cooldown;
    double min_lr;
    gn_optional eps; /* 1e-8: smaller changes are not made */
} gn_plateau_options;
#define gn_lr_reduce_on_plateau(...)                                                               \
    GN_CALL1(gn_lr_reduce_on_plateau_with, gn_plateau_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_reduce_on_plateau_with(gn_optimizer *optimizer,
                                                  const gn_plateau_options *options);

/* ---- Of others, which are kept: n schedules of one optimizer, not by metrics */

/* One after the other, from its beginning at each of the n - 1 milestones, which increase. */
GN_API gn_scheduler *gn_lr_sequential(gn_optimizer *optimizer, int64_t n,
                                      gn_scheduler *const *schedulers, const int64_t *milestones);
/* All at once: each changes what the one before has left. */
GN_API gn_scheduler *gn_lr_chained(int64_t n, gn_scheduler *const *schedulers);

#ifdef __cplusplus
}
#endif
#endif
