/* SPDX-License-Identifier: Apache-2.0 */
/*
 * derive.c - symbolic differentiation of expressions, by the rules in the table of opcodes, which
 * are parsed into the gradient's graph.
 *
 * A program has one result, so the gradient for a variable is what the result's change is when the
 * variable changes by g: every rule is linear in g, which makes the two equal. Going forward, from
 * the variable to the result, a branch that is not taken stays without effect: the derivative of
 * x > 0 ? sqrt(x) : 0 is c ? .. : 0, and no 0 * inf. Zero is structural, too: what does not change
 * has no change, so nothing is ever multiplied by 0.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"

/* Stands in e->gradient for a gradient that is zero everywhere. */
static gn__expr zero_gradient;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of filling e->gradient */

/* ---- What a gradient is over: the variables of e, the result y, its gradient g */

typedef struct scope {
    char *variable[GN__MAX_VARIABLES];
    char result[16], gradient[16];
    int n;
} scope;

/* `base`, or, where e has a variable or parameter of that name, the first of base2, base3, ... */
static void free_name(const gn__expr *e, const char *base, char out[16]) {
    snprintf(out, 16, "%s", base);
    for (int i = 2; gn__expr_variable(e, out) >= 0 || gn__expr_param(e, out) >= 0; i++)
        snprintf(out, 16, "%s%d", base, i);
}

static bool make_scope(const gn__expr *e, scope *s) {
    if (e->n_variables + 2 > GN__MAX_VARIABLES) {
        gn_fail(GN_E_UNSUPPORTED, e->name, "a gradient with more than %d variables",
                GN__MAX_VARIABLES);
        return false;
    }
    s->n = e->n_variables + 2;
    memcpy(s->variable, e->variable, (size_t)e->n_variables * sizeof *s->variable);
    free_name(e, "y", s->result);
    free_name(e, "g", s->gradient);
    s->variable[s->n - 2] = s->result;
    s->variable[s->n - 1] = s->gradient;
    return true;
}

static bool is_zero(const gn__node *node) {
    return node->op == GN_OP_CONST && !node->fraction && node->value.i == 0;
}

/* The expression with this graph over the scope; zero_gradient where it is 0. NULL with an error.
 * Takes the graph over. */
static gn__expr *make_gradient(const gn__expr *e, const scope *s, int k, gn__graph *graph,
                               int root) {
    char name[128];
    if (root < 0) {
        free(graph->nodes);
        return NULL;
    }
    if (is_zero(&graph->nodes[root])) {
        free(graph->nodes);
        return &zero_gradient;
    }
    snprintf(name, sizeof name, "d%s/d%s", e->name, e->variable[k]);
    return gn__expr_new(name, s->variable, s->n, e->param, e->n_params, graph, root);
}

/* ---- The derivation */

typedef struct derivation {
    const gn__expr *e;
    gn__graph graph; /* the nodes of e under their own numbers, then those of the gradient */
    int y, g;        /* variables of the gradient */
    int *change;     /* by node of e: the node that tells its change; -1: it does not change */
    bool *needed;    /* by node of e: the root's change depends on the node's */
} derivation;

/* The change that operand `slot` causes in node n: its rule, with the operand's change as g. A
 * number of the graph; -1: none; -2: an error. */
static int apply_rule(derivation *d, int n, int slot) {
    const gn__node node = d->e->graph.nodes[n];
    const gn__op *info = gn__op_info(node.op);
    const char *rule = info->derivative[slot];
    const int change = d->change[node.arg[slot]];
    if (rule == NULL || change < 0)
        return -1;
    if (strcmp(rule, GN__NOT_DERIVABLE) == 0) {
        gn_fail(GN_E_UNSUPPORTED, d->e->name, "%s has no derivative", info->name);
        return -2;
    }
    const gn__binding bindings[] = {{"a", node.arg[0]},
                                    {"b", node.arg[1]},
                                    {"c", node.arg[2]},
                                    {"y", n == d->e->root ? d->y : n},
                                    {"g", change}};
    int made = gn__parse(&d->graph, d->e->name, rule, bindings, GN_LENGTH(bindings));
    if (made < 0)
        return -2;
    return is_zero(&d->graph.nodes[made]) ? -1 : made;
}

/* The sum of two changes of a node. Those of a select, c ? p : 0 and c ? 0 : q, give c ? p : q. */
static int add_changes(derivation *d, int p, int q) {
    const gn__node *nodes = d->graph.nodes, *a = &nodes[p], *b = &nodes[q];
    if (a->op == GN_OP_SELECT && b->op == GN_OP_SELECT && a->arg[0] == b->arg[0] &&
        is_zero(&nodes[a->arg[2]]) && is_zero(&nodes[b->arg[1]]))
        return gn__graph_op(&d->graph, GN_OP_SELECT, a->arg[0], a->arg[1], b->arg[2]);
    return gn__graph_op(&d->graph, GN_OP_ADD, p, q, 0);
}

static gn_status find_change(derivation *d, int n) {
    const int arity = gn__node_arity(&d->e->graph.nodes[n]);
    for (int slot = 0; slot < arity; slot++) {
        int part = apply_rule(d, n, slot);
        if (part == -1)
            continue;
        if (part >= 0 && d->change[n] >= 0)
            part = add_changes(d, d->change[n], part);
        if (part < 0)
            return gn_error_status();
        d->change[n] = part;
    }
    return GN_OK;
}

static void find_needed(derivation *d) {
    d->needed[d->e->root] = true;
    for (int n = d->e->root; n >= 0; n--) {
        const gn__node *node = &d->e->graph.nodes[n];
        for (int slot = 0; d->needed[n] && slot < gn__node_arity(node); slot++)
            if (gn__op_info(node->op)->derivative[slot])
                d->needed[node->arg[slot]] = true;
    }
}

/* The number of the gradient in the graph: the change of the root when variable k changes by g.
 * -1 with an error. */
static int find_gradient(derivation *d, int k) {
    find_needed(d);
    for (int n = 0; n <= d->e->root; n++) {
        const gn__node *node = &d->e->graph.nodes[n];
        d->change[n] = node->op == GN__OP_VARIABLE && node->value.i == k ? d->g : -1;
        if (d->needed[n] && find_change(d, n) != GN_OK)
            return -1;
    }
    int change = d->change[d->e->root];
    return change >= 0 ? change : gn__graph_leaf(&d->graph, GN_OP_CONST, 0);
}

static gn__expr *derive(const gn__expr *e, int k) {
    scope s;
    if (!make_scope(e, &s))
        return NULL;
    derivation d = {.e = e};
    gn__expr *made = NULL;
    d.change = gn__alloc_array(e->graph.n, sizeof *d.change);
    d.needed = gn__alloc_array(e->graph.n, sizeof *d.needed);
    if (d.change && d.needed && gn__graph_copy(&d.graph, &e->graph) == GN_OK) {
        d.y = gn__graph_leaf(&d.graph, GN__OP_VARIABLE, s.n - 2);
        d.g = gn__graph_leaf(&d.graph, GN__OP_VARIABLE, s.n - 1);
        int root = d.y < 0 || d.g < 0 ? -1 : find_gradient(&d, k);
        made = make_gradient(e, &s, k, &d.graph, root);
    }
    free(d.change);
    free(d.needed);
    return made;
}

/* ---- The functions of program.h */

static bool has_variable(const gn__expr *e, int variable) {
    if (variable >= 0 && variable < e->n_variables)
        return true;
    gn_fail(GN_E_ARGUMENT, e->name, "there is no variable %d", variable);
    return false;
}

gn__expr *gn__expr_gradient(gn__expr *e, int variable) {
    if (!has_variable(e, variable))
        return NULL;
    gn__expr *gradient = atomic_load_explicit(&e->gradient[variable], memory_order_acquire);
    if (gradient == NULL && !gn__failed()) {
        pthread_mutex_lock(&lock);
        gradient = atomic_load_explicit(&e->gradient[variable], memory_order_acquire);
        if (gradient == NULL) {
            gradient = derive(e, variable);
            atomic_store_explicit(&e->gradient[variable], gradient, memory_order_release);
        }
        pthread_mutex_unlock(&lock);
    }
    return gradient == &zero_gradient ? NULL : gradient;
}

gn_status gn__expr_set_gradient(gn__expr *e, int variable, const char *text) {
    scope s;
    gn__graph graph = {0};
    gn__binding bindings[GN__MAX_VARIABLES + GN_MAX_PARAMS];
    if (gn__failed() || !has_variable(e, variable) || !make_scope(e, &s))
        return gn_error_status();
    for (int i = 0; i < s.n; i++)
        bindings[i] = (gn__binding){s.variable[i], gn__graph_leaf(&graph, GN__OP_VARIABLE, i)};
    for (int i = 0; i < e->n_params; i++)
        bindings[s.n + i] = (gn__binding){e->param[i], gn__graph_leaf(&graph, GN_OP_PARAM, i)};
    int root = gn__failed() ? -1 : gn__parse(&graph, e->name, text, bindings, s.n + e->n_params);
    gn__expr *made = make_gradient(e, &s, variable, &graph, root);
    if (made == NULL)
        return gn_error_status();
    atomic_store_explicit(&e->gradient[variable], made, memory_order_release);
    return GN_OK;
}
