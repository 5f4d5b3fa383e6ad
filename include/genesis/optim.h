/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim.h - optimizers and learning-rate schedules. Names, defaults and update rules are PyTorch
 * 2's.
 */
#ifndef GENESIS_OPTIM_H
#define GENESIS_OPTIM_H

#include <genesis/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gn_optimizer gn_optimizer;

typedef struct gn_sgd_options {
    size_t struct_size;
    double lr; /* 1e-3 */
    double momentum, dampening, weight_decay;
    bool nesterov, maximize;
} gn_sgd_options;

typedef struct gn_adam_options {
    size_t struct_size;
    double lr;                     /* 1e-3 */
    gn_optional beta1, beta2, eps; /* 0.9, 0.999, 1e-8 */
    gn_optional weight_decay;      /* Adam: 0, added to the gradient; AdamW: 0.01, decoupled */
    bool amsgrad, maximize;
} gn_adam_options;

/* The optimizer keeps the parameters, leaves of floating-point dtype; one without a gradient is
 * skipped in a step. Its state has the dtype of the parameter. */
#define gn_optim_sgd(...) GN_CALL1(gn_optim_sgd_with, gn_sgd_options, __VA_ARGS__, )
#define gn_optim_adam(...) GN_CALL1(gn_optim_adam_with, gn_adam_options, __VA_ARGS__, )
#define gn_optim_adamw(...) GN_CALL1(gn_optim_adamw_with, gn_adam_options, __VA_ARGS__, )
GN_API gn_optimizer *gn_optim_sgd_with(gn_dict *parameters, const gn_sgd_options *options);
GN_API gn_optimizer *gn_optim_adam_with(gn_dict *parameters, const gn_adam_options *options);
GN_API gn_optimizer *gn_optim_adamw_with(gn_dict *parameters, const gn_adam_options *options);

/* Updates all parameters from their gradients. After an error, only some may be updated. */
GN_API gn_status gn_step(gn_optimizer *optimizer);
GN_API gn_status gn_optimizer_zero_grad(gn_optimizer *optimizer);
GN_API double gn_get_lr(const gn_optimizer *optimizer);
GN_API gn_status gn_set_lr(gn_optimizer *optimizer, double lr);

/* State by parameter index ("state.0.exp_avg", "state.0.step", ..), copied. Hyperparameters (lr,
 * ..) are not part of it. Loading checks all first: after an error nothing is changed. */
GN_API gn_dict *gn_optimizer_state_dict(gn_optimizer *optimizer);
GN_API gn_status gn_optimizer_load_state_dict(gn_optimizer *optimizer, gn_dict *state);

/* ---- Schedules: set the optimizer's learning rate, that of step 0 when they are made */

typedef struct gn_scheduler gn_scheduler;

/* One cycle (Smith 2018; PyTorch's OneCycleLR): cosine from max_lr / div_factor up to max_lr in the
 * first pct_start of the steps, then down to (max_lr / div_factor) / final_div_factor. The momentum
 * stays (cycle_momentum=False). More than total_steps steps: GN_E_STATE. */
typedef struct gn_one_cycle_options {
    size_t struct_size;
    gn_optional pct_start, div_factor, final_div_factor; /* 0.3, 25, 1e4 */
} gn_one_cycle_options;
#define gn_lr_one_cycle(...) GN_CALL3(gn_lr_one_cycle_with, gn_one_cycle_options, __VA_ARGS__, )
GN_API gn_scheduler *gn_lr_one_cycle_with(gn_optimizer *optimizer, double max_lr,
                                          int64_t total_steps, const gn_one_cycle_options *options);
/* lr = factor(step, context) times the rate that the optimizer has now. */
GN_API gn_scheduler *gn_lr_lambda(gn_optimizer *optimizer,
                                  double (*factor)(int64_t step, void *context), void *context);
/* To be called after each gn_step (or epoch). */
GN_API gn_status gn_scheduler_step(gn_scheduler *scheduler);

/* Where the schedule is: last_epoch, _step_count, _last_lr, as in PyTorch. What it was made with is
 * not part of it. Loading goes there, and sets the learning rate; only last_epoch is needed. */
GN_API gn_dict *gn_scheduler_state_dict(gn_scheduler *scheduler);
GN_API gn_status gn_scheduler_load_state_dict(gn_scheduler *scheduler, gn_dict *state);

#ifdef __cplusplus
} /* extern "C" */
static inline gn_status gn_zero_grad(gn_optimizer *o) { return gn_optimizer_zero_grad(o); }
static inline gn_status gn_zero_grad(gn_module *m) { return gn_module_zero_grad(m); }
#else
/* Forgets the gradients of a module's or an optimizer's parameters. */
#define gn_zero_grad(object)                                                                       \
    _Generic((object), gn_optimizer *                                                              \
             : gn_optimizer_zero_grad, gn_module *                                                 \
             : gn_module_zero_grad)(object)
#endif
#endif
