/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.h - what the files of autograd share among themselves.
 */
#ifndef GENESIS_AUTOGRAD_HOOKS_H
#define GENESIS_AUTOGRAD_HOOKS_H

#include "autograd.h"

typedef struct gn__hook {
    int64_t handle;
    gn_hook *fn;
    void *context;
} gn__hook;

/* Of one tensor; a recorded tensor shares it with its place in the graph. */
struct gn__hooks {
    gn__object object;
    gn__hook *list;
    size_t n, capacity;
    int64_t last;
};

/* Runs a tensor's hooks over a gradient; the gradient that results, borrowed or owned by the
 * scope. */
gn_tensor *gn__hooks_run(const struct gn__hooks *hooks, gn_tensor *gradient);

/* What becomes of the gradient of a node's output: its hooks run, tensors that retain it get it. */
gn_tensor *gn__node_output_gradient(gn__node *node, int output, gn_tensor *gradient);
void gn__watches_free(gn__node *node);

/* t.grad += g. */
gn_status gn__accumulate(gn_tensor *t, gn_tensor *g, bool create_graph);

/* Frees the saved tensors of a node that was walked. */
void gn__node_free_saved(gn__node *node);

/* Forgets how t was made. */
void gn__history_drop(gn_tensor *t);

#endif
