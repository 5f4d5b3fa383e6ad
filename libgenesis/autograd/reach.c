/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach.c - which part of a graph leads to the tensors whose gradients are wanted, so that a walk
 * leaves the rest alone: it runs no hooks there, and frees nothing.
 *
 * Nodes are collected from the root without recursion, then looked at in the order in which they
 * were recorded: what a node depends on is known before it.
 */
#include <stdlib.h>

#include "hooks.h"

typedef struct found {
    gn__node *node;
    bool leads;  /* to a wanted tensor, through its inputs */
    bool wanted; /* an output is */
} found;

struct gn__reach {
    gn__table *by_node; /* of found */
    found **list;
    size_t n, capacity;
    int n_wanted;
    gn_tensor *const *wanted;
};

static found *find(const gn__reach *r, const gn__node *node) {
    return gn__table_get(r->by_node, &node, sizeof node);
}

static void add(gn__reach *r, gn__node *node) {
    if (gn__failed() || find(r, node))
        return;
    found *f = gn__alloc(sizeof *f);
    if (!f || gn__grow((void **)&r->list, &r->capacity, r->n, sizeof *r->list)) {
        free(f);
        return;
    }
    f->node = node;
    r->list[r->n++] = f;
    gn__table_set(r->by_node, &node, sizeof node, f);
}

static int by_sequence(const void *a, const void *b) {
    const uint64_t x = (*(found *const *)a)->node->sequence;
    const uint64_t y = (*(found *const *)b)->node->sequence;
    return x < y ? -1 : x > y;
}

static bool is_wanted_leaf(const gn__reach *r, const gn_tensor *leaf) {
    for (int i = 0; i < r->n_wanted; i++)
        if (r->wanted[i] == leaf)
            return true;
    return false;
}

static bool leads(const gn__reach *r, const found *f) {
    bool any = f->node->type->recompute; /* what that uses is not known yet */
    for (int i = 0; i < f->node->n_inputs && !any; i++)
        any = gn__needs(f->node, i) && gn__reach_edge(r, &f->node->edges[i]);
    return any;
}

gn__reach *gn__reach_new(gn__node *root, int n, gn_tensor *const *wanted) {
    gn__reach *r = gn__alloc(sizeof *r);
    if (!r)
        return NULL;
    *r = (gn__reach){.by_node = gn__table_new(), .n_wanted = n, .wanted = wanted};
    if (root && r->by_node)
        add(r, root);
    for (size_t i = 0; i < r->n && !gn__failed(); i++)
        for (int k = 0; k < r->list[i]->node->n_inputs; k++)
            if (r->list[i]->node->edges[k].node)
                add(r, r->list[i]->node->edges[k].node);
    if (gn__failed()) {
        gn__reach_free(r);
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        gn__node *made_by = gn__history(wanted[i]);
        found *f = made_by ? find(r, made_by) : NULL;
        if (f)
            f->wanted = true;
    }
    if (r->n)
        qsort(r->list, r->n, sizeof *r->list, by_sequence);
    for (size_t i = 0; i < r->n; i++)
        r->list[i]->leads = leads(r, r->list[i]);
    return r;
}

void gn__reach_free(gn__reach *reach) {
    if (!reach)
        return;
    for (size_t i = 0; i < reach->n; i++)
        free(reach->list[i]);
    free(reach->list);
    gn__table_free(reach->by_node, NULL);
    free(reach);
}

bool gn__reach_edge(const gn__reach *reach, const gn__edge *edge) {
    if (edge->leaf)
        return is_wanted_leaf(reach, edge->leaf);
    const found *f = find(reach, edge->node);
    return !f || f->leads || f->wanted;
}

bool gn__reach_leads(const gn__reach *reach, const gn__node *node) {
    const found *f = find(reach, node);
    return !f || f->leads;
}

bool gn__reach_wanted(const gn__reach *reach, const gn__node *node) {
    const found *f = find(reach, node);
    return f && f->wanted;
}
