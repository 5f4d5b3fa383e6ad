/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.c - the graph of an expression: adding nodes, merging equal ones, dropping unused ones.
 */
#include <stdlib.h>
#include <string.h>

#include "expr.h"

static int add(gn__graph *graph, const gn__node *node) {
    for (size_t i = graph->n; i-- > 0;)
        if (memcmp(&graph->nodes[i], node, sizeof *node) == 0)
            return (int)i;
    if (graph->n == GN__MAX_NODES) {
        gn_fail(GN_E_UNSUPPORTED, "expression", "more than %d operations", GN__MAX_NODES);
        return -1;
    }
    if (gn__grow((void **)&graph->nodes, &graph->capacity, graph->n, sizeof *node) != GN_OK)
        return -1;
    memcpy(&graph->nodes[graph->n], node, sizeof *node);
    return (int)graph->n++;
}

/* A node with its padding zeroed, so that nodes can be compared as bytes. */
static gn__node *blank(gn__node *node, int op) {
    memset(node, 0, sizeof *node);
    node->op = (uint8_t)op;
    return node;
}

int gn__graph_leaf(gn__graph *graph, int op, int64_t number) {
    gn__node node;
    blank(&node, op)->value.i = number;
    return add(graph, &node);
}

int gn__graph_fraction(gn__graph *graph, double value) {
    gn__node node;
    blank(&node, GN_OP_CONST)->fraction = true;
    node.value.f = value;
    return add(graph, &node);
}

/* ---- Folding */

static double number_of(const gn__node *node) {
    return node->fraction ? node->value.f : (double)node->value.i;
}

static int fold(gn__graph *graph, int op, int a, int b, int c) {
    const gn__node *x = &graph->nodes[a], *y = &graph->nodes[b];
    bool constant = x->op == GN_OP_CONST;
    if (op == GN_OP_NEG && x->op == GN_OP_NEG)
        return x->arg[0];
    if (op == GN_OP_NEG && constant && x->fraction)
        return gn__graph_fraction(graph, -x->value.f);
    if (op == GN_OP_NEG && constant &&
        x->value.i != 0) /* never the smallest: it can't be written */
        return gn__graph_leaf(graph, GN_OP_CONST, -x->value.i);
    if (op == GN_OP_EQ && constant && y->op == GN_OP_CONST)
        return gn__graph_leaf(graph, GN_OP_CONST, number_of(x) == number_of(y));
    if (op == GN_OP_SELECT && constant)
        return number_of(x) != 0 ? b : c;
    return -1;
}

int gn__graph_op(gn__graph *graph, int op, int a, int b, int c) {
    if (a < 0 || b < 0 || c < 0) /* an operand failed */
        return -1;
    int folded = fold(graph, op, a, b, c);
    if (folded >= 0 || gn__failed())
        return folded;
    gn__node node;
    const int arity = gn__op_info(op)->arity, args[3] = {a, b, c};
    blank(&node, op);
    for (int i = 0; i < arity; i++)
        node.arg[i] = (uint16_t)args[i];
    return add(graph, &node);
}

/* ---- The whole graph */

int gn__graph_prune(gn__graph *graph, int root) {
    uint16_t number[GN__MAX_NODES];
    bool live[GN__MAX_NODES] = {false};
    live[root] = true;
    for (size_t i = (size_t)root + 1; i-- > 0;)
        for (int k = 0; live[i] && k < gn__node_arity(&graph->nodes[i]); k++)
            live[graph->nodes[i].arg[k]] = true;
    size_t n = 0;
    for (size_t i = 0; i <= (size_t)root; i++) {
        if (!live[i])
            continue;
        gn__node *node = &graph->nodes[i];
        for (int k = 0; k < gn__node_arity(node); k++)
            node->arg[k] = number[node->arg[k]];
        number[i] = (uint16_t)n;
        graph->nodes[n++] = *node;
    }
    graph->n = n;
    return (int)n - 1;
}

gn_status gn__graph_copy(gn__graph *to, const gn__graph *from) {
    memset(to, 0, sizeof *to);
    to->nodes = gn__alloc_array(from->n + 1, sizeof *to->nodes);
    if (to->nodes == NULL)
        return GN_E_MEMORY;
    memcpy(to->nodes, from->nodes, from->n * sizeof *to->nodes);
    to->n = from->n;
    to->capacity = from->n + 1;
    return GN_OK;
}
