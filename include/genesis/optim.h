/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optim.h - optimizers. Names, defaults and update rules are PyTorch 2's. Schedules of the learning
 * rate are in scheduler.h, averages of weights in swa.h.
 *
 *     gn_optimizer *adam = gn_optim_adamw(gn_parameters(model), .lr = 3e-4);
 *     for (..) {
 *         gn_zero_grad(adam);
 *         gn_backward(loss);
 *         gn_step(adam);
 *     }
 */
#ifndef GENESIS_OPTIM_H
#define GENESIS_OPTIM_H

#include <genesis/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gn_optimizer gn_optimizer;

/* ---- Making them
 *
 * An optimizer keeps the parameters: leaves of floating-point dtype, each once. One without a
 * gradient is skipped in a step, its count of steps, too. State has the dtype of its parameter.
 * Members with a comment have that default, all others 0. Common to all are
 *
 *     lr              the learning rate
 *     weight_decay    times the parameter, added to the gradient; decoupled_weight_decay takes
 *                     lr weight_decay times the parameter off the parameter instead
 *     maximize        steps up the gradient
 */

typedef struct gn_sgd_options {
    size_t struct_size;
    double lr; /* 1e-3 */
    double momentum, dampening, weight_decay;
    bool nesterov, maximize; /* nesterov wants a momentum and no dampening */
} gn_sgd_options;

typedef struct gn_adam_options {
    size_t struct_size;
    double lr;                     /* 1e-3 */
    gn_optional beta1, beta2, eps; /* 0.9, 0.999, 1e-8 */
    gn_optional weight_decay;      /* Adam: 0; AdamW: 0.01 */
    bool amsgrad, maximize;
    bool decoupled_weight_decay; /* AdamW: always */
} gn_adam_options;

typedef struct gn_adamax_options {
    size_t struct_size;
    double lr;                     /* 2e-3 */
    gn_optional beta1, beta2, eps; /* 0.9, 0.999, 1e-8 */
    double weight_decay;
    bool maximize;
} gn_adamax_options;

typedef struct gn_nadam_options {
    size_t struct_size;
    double lr;                     /* 2e-3 */
    gn_optional beta1, beta2, eps; /* 0.9, 0.999, 1e-8 */
    double weight_decay;
    gn_optional momentum_decay; /* 4e-3 */
    bool decoupled_weight_decay, maximize;
} gn_nadam_options;

typedef struct gn_radam_options {
    size_t struct_size;
    double lr;                     /* 1e-3 */
    gn_optional beta1, beta2, eps; /* 0.9, 0.999, 1e-8 */
    double weight_decay;
    bool decoupled_weight_decay, maximize;
} gn_radam_options;

typedef struct gn_rmsprop_options {
    size_t struct_size;
    double lr;              /* 1e-2 */
    gn_optional alpha, eps; /* 0.99, 1e-8 */
    double weight_decay, momentum;
    bool centered, maximize;
} gn_rmsprop_options;

typedef struct gn_adagrad_options {
    size_t struct_size;
    double lr; /* 1e-2 */
    double lr_decay, weight_decay, initial_accumulator_value;
    gn_optional eps; /* 1e-10 */
    bool maximize;
} gn_adagrad_options;

typedef struct gn_adadelta_options {
    size_t struct_size;
    double lr;            /* 1 */
    gn_optional rho, eps; /* 0.9, 1e-6 */
    double weight_decay;
    bool maximize;
} gn_adadelta_options;

typedef struct gn_rprop_options {
    size_t struct_size;
    double lr;                                /* 1e-2: the first step size */
    gn_optional etaminus, etaplus;            /* 0.5, 1.2 */
    gn_optional min_step_size, max_step_size; /* 1e-6, 50 */
    bool maximize;
} gn_rprop_options;

typedef struct gn_asgd_options {
    size_t struct_size;
    double lr;                    /* 1e-2 */
    gn_optional lambd, alpha, t0; /* 1e-4, 0.75, 1e6 */
    double weight_decay;
    bool maximize;
} gn_asgd_options;

/* Shazeer and Stern 2018: for matrices it keeps sums of rows and columns alone. */
typedef struct gn_adafactor_options {
    size_t struct_size;
    double lr;               /* 1e-2 */
    gn_optional beta2_decay; /* -0.8 */
    gn_optional eps1, eps2;  /* the parameter's dtype's epsilon, 1e-3 */
    gn_optional d;           /* 1: the update is clipped there */
    double weight_decay;     /* decoupled */
    bool maximize;
} gn_adafactor_options;

/* Steps through gn_step_with alone; has one group of parameters, all of one dtype and device. */
typedef struct gn_lbfgs_options {
    size_t struct_size;
    double lr;                                    /* 1 */
    int64_t max_iter, max_eval;                   /* 20, 5/4 max_iter: in each step */
    gn_optional tolerance_grad, tolerance_change; /* 1e-7, 1e-9 */
    int64_t history_size;                         /* 100 */
    bool strong_wolfe;                            /* line_search_fn="strong_wolfe" */
    bool maximize;
} gn_lbfgs_options;

#define gn_optim_sgd(...) GN_CALL1(gn_optim_sgd_with, gn_sgd_options, __VA_ARGS__, )
#define gn_optim_adam(...) GN_CALL1(gn_optim_adam_with, gn_adam_options, __VA_ARGS__, )
#define gn_optim_adamw(...) GN_CALL1(gn_optim_adamw_with, gn_adam_options, __VA_ARGS__, )
#define gn_optim_adamax(...) GN_CALL1(gn_optim_adamax_with, gn_adamax_options, __VA_ARGS__, )
#define gn_optim_nadam(...) GN_CALL1(gn_optim_nadam_with, gn_nadam_options, __VA_ARGS__, )
#define gn_optim_radam(...) GN_CALL1(gn_optim_radam_with, gn_radam_options, __VA_ARGS__, )
#define gn_optim_rmsprop(...) GN_CALL1(gn_optim_rmsprop_with, gn_rmsprop_options, __VA_ARGS__, )
#define gn_optim_adagrad(...) GN_CALL1(gn_optim_adagrad_with, gn_adagrad_options, __VA_ARGS__, )
#define gn_optim_adadelta(...) GN_CALL1(gn_optim_adadelta_with, gn_adadelta_options, __VA_ARGS__, )
#define gn_optim_rprop(...) GN_CALL1(gn_optim_rprop_with, gn_rprop_options, __VA_ARGS__, )
#define gn_optim_asgd(...) GN_CALL1(gn_optim_asgd_with, gn_asgd_options, __VA_ARGS__, )
#define gn_optim_adafactor(...)                                                                    \
    GN_CALL1(gn_optim_adafactor_with, gn_adafactor_options, __VA_ARGS__, )
#define gn_optim_lbfgs(...) GN_CALL1(gn_optim_lbfgs_with, gn_lbfgs_options, __VA_ARGS__, )
GN_API gn_optimizer *gn_optim_sgd_with(gn_dict *parameters, const gn_sgd_options *options);
GN_API gn_optimizer *gn_optim_adam_with(gn_dict *parameters, const gn_adam_options *options);
GN_API gn_optimizer *gn_optim_adamw_with(gn_dict *parameters, const gn_adam_options *options);
GN_API gn_optimizer *gn_optim_adamax_with(gn_dict *parameters, const gn_adamax_options *options);
GN_API gn_optimizer *gn_optim_nadam_with(gn_dict *parameters, const gn_nadam_options *options);
GN_API gn_optimizer *gn_optim_radam_with(gn_dict *parameters, const gn_radam_options *options);
GN_API gn_optimizer *gn_optim_rmsprop_with(gn_dict *parameters, const gn_rmsprop_options *options);
GN_API gn_optimizer *gn_optim_adagrad_with(gn_dict *parameters, const gn_adagrad_options *options);
GN_API gn_optimizer *gn_optim_adadelta_with(gn_dict *parameters,
                                            const gn_adadelta_options *options);
GN_API gn_optimizer *gn_optim_rprop_with(gn_dict *parameters, const gn_rprop_options *options);
GN_API gn_optimizer *gn_optim_asgd_with(gn_dict *parameters, const gn_asgd_options *options);
GN_API gn_optimizer *gn_optim_adafactor_with(gn_dict *parameters,
                                             const gn_adafactor_options *options);
GN_API gn_optimizer *gn_optim_lbfgs_with(gn_dict *parameters, const gn_lbfgs_options *options);

/* ---- Stepping */

/* Updates all parameters from their gradients. After an error, only some may be updated. */
GN_API gn_status gn_step(gn_optimizer *optimizer);
/* The same with a closure, which computes the loss anew, gradients included (gn_zero_grad,
 * gn_backward), and returns it. L-BFGS calls it as often as it needs; the others once, before they
 * step. Returns the first loss. */
typedef gn_tensor *gn_closure(void *context);
GN_API gn_tensor *gn_step_with(gn_optimizer *optimizer, gn_closure *closure, void *context);

/* Forgets the gradients: they are NULL afterwards, not zeros. */
GN_API gn_status gn_optimizer_zero_grad(gn_optimizer *optimizer);

/* ---- Groups of parameters, each with hyperparameters of its own
 *
 *     gn_optimizer *sgd = gn_optim_sgd(gn_parameters(body), .lr = 1e-3, .momentum = 0.9);
 *     gn_add_param_group(sgd, gn_parameters(head), .options = {{"lr", 1e-2}, {"momentum", 0}});
 *
 * What is not named is as it was when the optimizer was made. A parameter belongs to one group. */
typedef struct gn_hyperparameter {
    const char *name; /* that of a member of the optimizer's options */
    double value;     /* of a bool: 0 or 1 */
} gn_hyperparameter;
typedef struct gn_param_group_options {
    size_t struct_size;
    gn_hyperparameter options[12]; /* the first one without a name ends the list */
} gn_param_group_options;
#define gn_add_param_group(...)                                                                    \
    GN_CALL2(gn_add_param_group_with, gn_param_group_options, __VA_ARGS__, )
GN_API gn_status gn_add_param_group_with(gn_optimizer *optimizer, gn_dict *parameters,
                                         const gn_param_group_options *options);

GN_API int64_t gn_num_param_groups(const gn_optimizer *optimizer);
/* Hyperparameters of a group, from 0. There is "initial_lr", too, once a schedule was made. */
GN_API double gn_param_group_get(const gn_optimizer *optimizer, int64_t group, const char *name);
GN_API gn_status gn_param_group_set(gn_optimizer *optimizer, int64_t group, const char *name,
                                    double value);
/* The learning rate of the first group; that of all groups. */
GN_API double gn_get_lr(const gn_optimizer *optimizer);
GN_API gn_status gn_set_lr(gn_optimizer *optimizer, double lr);

/* ---- State
 *
 * PyTorch's structure, so that checkpoints move both ways:
 *
 *     {"state": {0: {"step": .., "exp_avg": ..}, ..},
 *      "param_groups": [{"lr": 0.001, "betas": [0.9, 0.999], .., "params": [0, 1, ..]}, ..]}
 *
 * Parameters are counted over all groups; one that was not updated yet has no state. Tensors are
 * copies. Loading replaces state and hyperparameters; it takes what gn_optimizer_state_dict gives
 * and what PyTorch writes, and checks all first: after an error nothing is changed. */
GN_API gn_dict *gn_optimizer_state_dict(gn_optimizer *optimizer);
GN_API gn_status gn_optimizer_load_state_dict(gn_optimizer *optimizer, gn_dict *state);

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
/* The same by another name. */
#define gn_reset_grad(object) gn_zero_grad(object)
#endif
