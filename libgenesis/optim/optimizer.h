/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.h (internal) - what all optimizers share. An optimizer is a rule: a map program that
 * updates a parameter and its state in place, and the scalars of the call, which change by step.
 */
#ifndef GENESIS_OPTIM_OPTIMIZER_H
#define GENESIS_OPTIM_OPTIMIZER_H

#include <genesis/optim.h>

#include "../program/program.h"
#include "../tensor/tensor.h"

enum {
    GN__MAX_STATES = 3,
    GN__MAX_SCALARS = 8,
    /* read: parameter, gradient, states; written: parameter, states */
    GN__MAX_STEP_OPERANDS = 3 + 2 * GN__MAX_STATES
};

/* Values of a program under construction: what the rule starts from, and what it leaves to be
 * stored. */
typedef struct gn__update {
    gn__builder *builder;
    int type; /* in which the program computes */
    int parameter, gradient;
    int state[GN__MAX_STATES];
    int scalar[GN__MAX_SCALARS];
} gn__update;

typedef struct gn__rule {
    const char *name;                        /* "adam": of the operation, in messages and traces */
    const char *state_names[GN__MAX_STATES]; /* PyTorch's */
    int n_scalars;
    bool counts_steps; /* the state dict has "step" */
    /* Changes update's parameter and state to their next values. */
    void (*build)(const gn_optimizer *optimizer, gn__update *update);
    /* The scalars of a parameter's update number `step`, from 1. */
    void (*scalars)(const gn_optimizer *optimizer, int64_t step, gn_scalar *out);
} gn__rule;

/* A parameter and what the optimizer keeps for it. */
typedef struct gn__slot {
    gn_tensor *parameter;
    gn_tensor *state[GN__MAX_STATES]; /* NULL before the first step */
    int64_t step;                     /* updates so far */
} gn__slot;

struct gn_optimizer {
    gn__object object;
    const gn__rule *rule;
    double lr;
    double momentum, dampening; /* sgd */
    double beta1, beta2, eps;   /* adam */
    double weight_decay;
    bool nesterov, maximize, amsgrad;
    bool decoupled; /* weight decay apart from the gradient: AdamW */
    int n_states;   /* of the rule's, those that the options need */
    int n_slots;
    gn__slot *slots;
    const gn_program *programs[GN_N_DTYPES];
    /* Of one step: n_slots each; made at the first step. */
    struct gn__launch *launches;
    struct gn__operand *operands; /* GN__MAX_STEP_OPERANDS per slot */
    gn_scalar *scalars;           /* GN__MAX_SCALARS per slot */
};

/* An optimizer over the tensors of a dict, owned by the scope. The caller sets its options. */
gn_optimizer *gn__optimizer_new(const gn__rule *rule, gn_dict *parameters);

/* An error GN_E_ARGUMENT unless low <= value <= high. */
bool gn__in_range(const char *op, const char *name, double value, double low, double high);

/* The gradient as the rule uses it: its sign, and weight decay that is not decoupled. */
int gn__effective_gradient(const gn_optimizer *optimizer, const gn__update *update,
                           int weight_decay);

#endif
