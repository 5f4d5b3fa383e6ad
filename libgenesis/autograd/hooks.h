/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.h - what the files of autograd share among themselves.
 */
#ifndef GENESIS_AUTOGRAD_HOOKS_H
#define GENESIS_AUTOGRAD_HOOKS_H

#include "autograd.h"

typedef struct gn__hook {
    int64_t handle;
    gn_hook *fn; /* one of the two */
    gn_accumulated_hook *after;
    void *context;
} gn__hook;

/* Of one tensor; a recorded tensor shares it with its place in the graph. The list is in the order
 * of the handles, which is that of registration. */
struct gn__hooks {
    gn__object object;
    gn__hook *list;
    size_t n, capacity;
    int64_t last;
    struct gn__hooks *earlier; /* those of the tensor before it was changed in place */
};

/* Runs a tensor's hooks over a gradient; the gradient that results, borrowed or owned by the
 * scope. */
gn_tensor *gn__hooks_run(struct gn__hooks *hooks, gn_tensor *gradient);
/* Runs those that wait for the gradient of a leaf to be accumulated. */
void gn__hooks_run_accumulated(struct gn__hooks *hooks, gn_tensor *leaf);

/* t gets another history, and begins anew with its hooks; a retained gradient moves on. */
void gn__watch_move(gn_tensor *t, gn__node *node, uint32_t output);
/* t is freed. */
void gn__watch_end(gn_tensor *t);

/* What becomes of the gradient of a node's output: its hooks run, tensors that retain it get it. */
gn_tensor *gn__node_output_gradient(gn__node *node, int output, gn_tensor *gradient);
void gn__watches_free(gn__node *node);

/* t.grad += g. */
gn_status gn__accumulate(gn_tensor *t, gn_tensor *g, bool create_graph);

/* ---- What a walk is for: which of the graph leads to wanted tensors (reach.c) */

typedef struct gn__reach gn__reach;

/* NULL with an error. The graph below `root` (NULL: a leaf) must live as long. */
gn__reach *gn__reach_new(gn__node *root, int n, gn_tensor *const *wanted);
void gn__reach_free(gn__reach *reach);
/* Whether gradients along the edge are of use. Nodes made since are. */
bool gn__reach_edge(const gn__reach *reach, const gn__edge *edge);
/* Whether the node itself leads to a wanted tensor, not only is where one was made. */
bool gn__reach_leads(const gn__reach *reach, const gn__node *node);
/* Whether some wanted tensor is an output of the node. */
bool gn__reach_wanted(const gn__reach *reach, const gn__node *node);

/* ---- Looking for NaN (anomaly.c): an error if one was made */

gn_status gn__anomaly_forward(gn__node *node, gn_tensor *const *outputs, gn_tensor *const *inputs);
gn_status gn__anomaly_backward(gn__node *node, gn_tensor *const *grads, gn_tensor *const *out);

/* Frees the saved tensors of a node that was walked. */
void gn__node_free_saved(gn__node *node);

/* Forgets how t was made. */
void gn__history_drop(gn_tensor *t);

#endif
