/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.h - oneDNN primitives that run one after another on the tensors and the workspace of a
 * gn_run: most planned kernels are one, such as reorder the weight, convolve.
 */
#ifndef GENESIS_CPU_CHAIN_H
#define GENESIS_CPU_CHAIN_H

#include "onednn.h"

enum {
    DNN_WORKSPACE = -1, /* places of an argument other than a tensor of the run */
    DNN_MAX_STEPS = 5,
    DNN_MAX_ARGS = 12
};

/* An argument of a step: `bytes` from the start of tensor `place` of the run. */
typedef struct dnn_arg {
    int arg; /* DNNL_ARG_* */
    int place;
    uint64_t bytes;
    dnn_const_md md;
} dnn_arg;

typedef struct dnn_step {
    dnnl_primitive_t primitive;
    int n_args;
    dnn_arg args[DNN_MAX_ARGS];
} dnn_step;

typedef struct dnn_frame dnn_frame; /* oneDNN's memory objects for one run at a time */

enum { DNN_SPARE_FRAMES = 4 };

/* Starts as zeros. Immutable once built, but for its spare frames: several threads may run it. */
typedef struct dnn_chain {
    int n_steps;
    dnn_step steps[DNN_MAX_STEPS];
    uint64_t workspace_bytes;
    dnn_frame *spare[DNN_SPARE_FRAMES]; /* accessed atomically */
} dnn_chain;

/* Appends a primitive, which the chain owns from now on. Its scratchpad goes to the workspace. */
dnn_step *dnn_chain_add(dnn_chain *chain, dnnl_primitive_t primitive);
/* The step's argument `arg` is tensor `place` of the run. */
void dnn_step_bind(dnn_step *step, int arg, int place);
/* The same for a place in the workspace. */
void dnn_step_bind_workspace(dnn_step *step, int arg, uint64_t bytes);
/* Takes room for md from the workspace and returns where it begins. */
uint64_t dnn_chain_reserve(dnn_chain *chain, dnn_const_md md);
gn_status dnn_chain_run(dnn_chain *chain, const gn_run *run);
void dnn_chain_destroy(dnn_chain *chain);

#endif
