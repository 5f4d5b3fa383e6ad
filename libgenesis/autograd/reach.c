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
    found *list;
    size_t n, capacity;
    size_t *slots; /* open addressing by the node's address: 1 + a place in the list, or 0 */
    size_t n_slots;
    int n_wanted;
    gn_tensor *const *wanted;
};

/* ---- The set of nodes */

static size_t slot_of(const gn__reach *r, const gn__node *node) {
    size_t i = (size_t)((uintptr_t)node / 16 * 0x9E3779B97F4A7C15ull >> 20) & (r->n_slots - 1);
    while (r->slots[i] && r->list[r->slots[i] - 1].node != node)
        i = (i + 1) & (r->n_slots - 1);
    return i;
}

static found *find(const gn__reach *r, const gn__node *node) {
    const size_t at = r->n_slots ? r->slots[slot_of(r, node)] : 0;
    return at ? &r->list[at - 1] : NULL;
}

/* Enters the whole list into empty slots. */
static void fill_slots(gn__reach *r) {
    memset(r->slots, 0, r->n_slots * sizeof *r->slots);
    for (size_t i = 0; i < r->n; i++)
        r->slots[slot_of(r, r->list[i].node)] = i + 1;
}

static bool grow_slots(gn__reach *r) {
    const size_t n = r->n_slots ? 2 * r->n_slots : 64;
    size_t *slots = gn__alloc_array(n, sizeof *slots);
    if (!slots)
        return false;
    free(r->slots);
    r->slots = slots;
    r->n_slots = n;
    fill_slots(r);
    return true;
}

static void add(gn__reach *r, gn__node *node) {
    if (gn__failed() || (2 * (r->n + 1) > r->n_slots && !grow_slots(r)))
        return;
    const size_t slot = slot_of(r, node);
    if (r->slots[slot] || gn__grow((void **)&r->list, &r->capacity, r->n, sizeof *r->list) != GN_OK)
        return;
    r->list[r->n++] = (found){.node = node};
    r->slots[slot] = r->n;
}

static int by_sequence(const void *a, const void *b) {
    const uint64_t x = ((const found *)a)->node->sequence;
    const uint64_t y = ((const found *)b)->node->sequence;
    return x < y ? -1 : x > y;
}

/* All that the root depends on, the oldest first; false with an error. */
static bool collect(gn__reach *r, gn__node *root) {
    add(r, root);
    for (size_t i = 0; i < r->n && !gn__failed(); i++) {
        const gn__node *node = r->list[i].node;
        for (int k = 0; k < node->n_inputs; k++)
            if (node->edges[k].node)
                add(r, node->edges[k].node);
    }
    if (gn__failed())
        return false;
    qsort(r->list, r->n, sizeof *r->list, by_sequence);
    fill_slots(r);
    return true;
}

/* ---- What leads where */

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
    *r = (gn__reach){.n_wanted = n, .wanted = wanted};
    if (root && !collect(r, root)) {
        gn__reach_free(r);
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        gn__node *made_by = gn__history(wanted[i]);
        found *f = made_by ? find(r, made_by) : NULL;
        if (f)
            f->wanted = true;
    }
    for (size_t i = 0; i < r->n; i++)
        r->list[i].leads = leads(r, &r->list[i]);
    return r;
}

void gn__reach_free(gn__reach *reach) {
    if (!reach)
        return;
    free(reach->list);
    free(reach->slots);
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
