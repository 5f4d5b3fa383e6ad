/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.c - the backward walk.
 *
 * A node's sequence number is larger than those of all nodes that it depends on. So the walk needs
 * neither recursion nor a sort of the graph: it keeps the places that have received gradients in a
 * heap, and always goes on with the largest number. When a place comes up, nothing that could still
 * add to it is left. Leaves have number 0 and come last.
 */
#include <stdlib.h>

#include "../ops/ops.h"
#include "../ops/support.h"
#include "hooks.h"

/* A node or a leaf that has received gradients. */
typedef struct place {
    gn__node *node; /* one of the two; retained */
    gn_tensor *leaf;
    gn_tensor **grads; /* one per output; NULL: none so far */
    gn_tensor *one;    /* where grads points if there is one output */
    bool passed;       /* the walk was here: nothing may come any more */
} place;

typedef struct walk {
    place **heap; /* largest sequence first */
    size_t n, capacity;
    place **slots; /* open addressing by the address of node or leaf */
    size_t n_slots, used;
    bool create_graph, retain_graph;
    int n_wanted; /* only these get their gradients; 0: all leaves */
    gn_tensor *const *wanted;
    gn_tensor **found; /* NULL: they are accumulated */
    gn__reach *reach;  /* NULL: the walk goes everywhere */
} walk;

/* ---- The set of places */

static uint64_t sequence_of(const place *p) { return p->node ? p->node->sequence : 0; }

static void heap_push(walk *w, place *p) {
    size_t i = w->n++;
    for (; i && sequence_of(w->heap[(i - 1) / 2]) < sequence_of(p); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = p;
}

static place *heap_pop(walk *w) {
    place *top = w->heap[0], *last = w->heap[--w->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->n; i = child) {
        if (child + 1 < w->n && sequence_of(w->heap[child + 1]) > sequence_of(w->heap[child]))
            child++;
        if (sequence_of(last) >= sequence_of(w->heap[child]))
            break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

static const void *key_of(const place *p) { return p->node ? (const void *)p->node : p->leaf; }

static size_t slot_of(const walk *w, const void *key) {
    size_t i = (size_t)((uintptr_t)key / 16 * 0x9E3779B97F4A7C15ull >> 20) & (w->n_slots - 1);
    while (w->slots[i] && key_of(w->slots[i]) != key)
        i = (i + 1) & (w->n_slots - 1);
    return i;
}

static bool slots_grow(walk *w) {
    size_t old = w->n_slots;
    place **was = w->slots, **bigger = gn__alloc_array(old ? 2 * old : 64, sizeof *bigger);
    if (!bigger)
        return false;
    w->slots = bigger;
    w->n_slots = old ? 2 * old : 64;
    for (size_t i = 0; i < old; i++)
        if (was[i])
            w->slots[slot_of(w, key_of(was[i]))] = was[i];
    free(was);
    return true;
}

static void place_free(place *p) {
    int n = p->node ? p->node->n_outputs : 1;
    for (int i = 0; i < n; i++)
        gn_release(p->grads[i]);
    if (p->grads != &p->one)
        free(p->grads);
    gn_release(p->node);
    gn_release(p->leaf);
    free(p);
}

static place *place_new(walk *w, gn__node *node, gn_tensor *leaf) {
    place *p = gn__alloc(sizeof *p);
    if (!p || gn__grow((void **)&w->heap, &w->capacity, w->n, sizeof *w->heap)) {
        free(p);
        return NULL;
    }
    p->grads = &p->one;
    if (node && node->n_outputs > 1 &&
        !(p->grads = gn__alloc_array((size_t)node->n_outputs, sizeof *p->grads))) {
        free(p);
        return NULL;
    }
    p->node = gn_retain(node);
    p->leaf = gn_retain(leaf);
    heap_push(w, p);
    return p;
}

static place *find_place(walk *w, gn__node *node, gn_tensor *leaf) {
    if (2 * (w->used + 1) > w->n_slots && !slots_grow(w))
        return NULL;
    size_t i = slot_of(w, node ? (void *)node : leaf);
    if (!w->slots[i] && (w->slots[i] = place_new(w, node, leaf)))
        w->used++;
    return w->slots[i];
}

/* ---- Gradients */

/* Whether nobody else can see the tensor's data, so that it may be changed or kept. */
static bool is_ours(const gn_tensor *t) {
    return atomic_load(&t->object.references) == 1 && atomic_load(&t->storage->references) == 1 &&
           !t->requires_grad && !t->base && gn__is_dense(t);
}

/* *sum += g, where *sum is retained or NULL. */
static void add_gradient(gn_tensor **sum, gn_tensor *g, bool create_graph) {
    if (!*sum) {
        *sum = gn_retain(g);
        return;
    }
    gn_scope scope = gn_scope_begin();
    if (!create_graph && is_ours(*sum)) {
        gn__add_into(*sum, g);
    } else {
        gn_tensor *total = gn_retain(gn_add(*sum, g));
        if (total) {
            gn_release(*sum);
            *sum = total;
        }
    }
    gn_scope_end(scope);
}

gn_status gn__accumulate(gn_tensor *t, gn_tensor *g, bool create_graph) {
    gn_scope scope = gn_scope_begin();
    if (t->grad && !create_graph &&
        !gn__overlaps(t->grad->n_dims, t->grad->size, t->grad->stride)) {
        gn__add_into(t->grad, g);
    } else {
        gn_tensor *total = t->grad        ? gn_add(t->grad, g)
                           : is_ours(g)   ? g
                           : create_graph ? g
                                          : gn_clone(g);
        if (total) {
            gn_retain(total);
            gn_release(t->grad);
            t->grad = total;
        }
    }
    return gn_scope_end(scope);
}

static bool fits_input(const gn__node *node, int i, const gn_tensor *g) {
    if (g->dtype == node->inputs[i].dtype && g->n_dims == node->inputs[i].n_dims &&
        !memcmp(g->size, node->inputs[i].size, (size_t)g->n_dims * sizeof g->size[0]))
        return true;
    gn_fail(GN_E_INTERNAL, node->name,
            "its backward gave a %s gradient %s for input %d, which is %s %s",
            gn_dtype_name((gn_dtype)g->dtype), gn__shape_of(g), i,
            gn_dtype_name((gn_dtype)node->inputs[i].dtype),
            gn__shape_text(node->inputs[i].n_dims, node->inputs[i].size));
    return false;
}

/* A leaf's gradient is complete. */
static void accumulate_leaf(walk *w, gn_tensor *leaf, gn_tensor *g) {
    if (gn__accumulate(leaf, g, w->create_graph) == GN_OK && leaf->hooks)
        gn__hooks_run_accumulated(leaf->hooks, leaf);
}

/* The gradients that were asked for. */
static void note_wanted(walk *w, const gn__node *node, uint32_t output, const gn_tensor *leaf,
                        gn_tensor *g) {
    for (int i = 0; i < w->n_wanted; i++) {
        gn_tensor *t = w->wanted[i];
        if (node ? gn__history(t) != node || t->output != output : t != leaf)
            continue;
        if (w->found)
            w->found[i] = gn_retain(g);
        else if (leaf)
            accumulate_leaf(w, t, g);
        else if (!t->retains_grad) /* its place did that */
            gn__accumulate(t, g, w->create_graph);
    }
}

static void visit_leaf(walk *w, place *p) {
    gn_scope scope = gn_scope_begin();
    if (p->leaf->hooks) {
        gn_tensor *g = gn_retain(gn__hooks_run(p->leaf->hooks, p->one));
        gn_release(p->one);
        p->one = g;
    }
    gn_scope_end(scope);
    if (gn__failed())
        return;
    if (w->n_wanted)
        note_wanted(w, NULL, 0, p->leaf, p->one);
    else
        accumulate_leaf(w, p->leaf, p->one);
}

/* A gradient arrives at an output of a node, or at a leaf. */
static void deliver(walk *w, const gn__edge *edge, gn_tensor *g) {
    if (w->reach && !gn__reach_edge(w->reach, edge))
        return;
    place *to = find_place(w, edge->node, edge->leaf);
    if (to && to->passed)
        gn_fail(GN_E_STATE, edge->node ? edge->node->name : "backward",
                "a gradient came when the walk had passed: a checkpointed function uses a tensor "
                "that was changed in place since");
    else if (to)
        add_gradient(&to->grads[edge->node ? edge->output : 0], g, w->create_graph);
}

/* The walk goes on through what computing the node's outputs once more records: those nodes are
 * younger than all that wait. */
static void recompute(walk *w, place *p) {
    gn_tensor **outputs = gn__alloc_array((size_t)p->node->n_outputs, sizeof *outputs);
    if (outputs && p->node->type->recompute(p->node, outputs) == GN_OK)
        for (int i = 0; i < p->node->n_outputs && !gn__failed(); i++) {
            if (!p->grads[i] || !gn__records(outputs[i]))
                continue;
            gn__edge edge = {.node = gn__history(outputs[i]), .output = outputs[i]->output};
            if (!edge.node)
                edge.leaf = outputs[i];
            deliver(w, &edge, p->grads[i]);
        }
    free(outputs);
}

/* What the node's first input has received so far, if its backward can add to that in place. */
static gn_tensor *sum_to_add_to(const walk *w, const gn__node *node) {
    if (!node->type->adds || w->create_graph || !gn__needs(node, 0))
        return NULL;
    const gn__edge *edge = &node->edges[0];
    const place *to = w->slots[slot_of(w, edge->node ? (void *)edge->node : edge->leaf)];
    gn_tensor *sum = to ? to->grads[edge->node ? edge->output : 0] : NULL;
    return sum && is_ours(sum) && gn__is_row_major(sum) ? sum : NULL;
}

static void backward_through(walk *w, place *p, gn_tensor **out) {
    gn__node *node = p->node;
    const gn_tensor *sum = out[0] = sum_to_add_to(w, node);
    node->type->backward(node, p->grads, out);
    if (gn__self()->seek_nan && !gn__failed())
        gn__anomaly_backward(node, p->grads, out);
    for (int i = 0; i < node->n_inputs && !gn__failed(); i++)
        if (out[i] && out[i] != sum && gn__needs(node, i) && fits_input(node, i, out[i]))
            deliver(w, &node->edges[i], out[i]);
}

static void visit_node(walk *w, place *p) {
    gn__node *node = p->node;
    gn_tensor *few[8] = {NULL}, **out = few;
    if (node->n_inputs > 8 && !(out = gn__alloc_array((size_t)node->n_inputs, sizeof *out)))
        return;
    gn_scope scope = gn_scope_begin();
    for (int i = 0; i < node->n_outputs; i++) {
        gn_tensor *g = gn__node_output_gradient(node, i, p->grads[i]);
        if (g != p->grads[i]) {
            gn_retain(g);
            gn_release(p->grads[i]);
            p->grads[i] = g;
        }
        if (g && w->reach && gn__reach_wanted(w->reach, node))
            note_wanted(w, node, (uint32_t)i, NULL, g);
    }
    const bool goes_on = !w->reach || gn__reach_leads(w->reach, node);
    if (goes_on && !gn__failed()) {
        if (node->type->recompute)
            recompute(w, p);
        else
            backward_through(w, p, out);
    }
    gn_scope_end(scope);
    if (goes_on && !w->retain_graph && !gn__failed())
        gn__node_free_saved(node);
    if (out != few)
        free(out);
}

static gn_status walk_run(walk *w, gn_tensor *root, gn_tensor *gradient) {
    bool was = gn_set_grad_enabled(w->create_graph);
    gn__edge start = {.node = gn__history(root), .output = root->output};
    if (!start.node)
        start.leaf = root;
    if (w->n_wanted)
        w->reach = gn__reach_new(start.node, w->n_wanted, w->wanted);
    if (!gn__failed())
        deliver(w, &start, gradient);
    while (w->n && !gn__failed()) {
        place *p = heap_pop(w);
        p->passed = true;
        if (p->node)
            visit_node(w, p);
        else
            visit_leaf(w, p);
        /* Its gradients are used up; the empty place stays, since its key must stay findable. */
        for (int i = 0, n = p->node ? p->node->n_outputs : 1; i < n; i++) {
            gn_release(p->grads[i]);
            p->grads[i] = NULL;
        }
    }
    gn_set_grad_enabled(was);
    gn__reach_free(w->reach);
    for (size_t i = 0; i < w->n_slots; i++)
        if (w->slots[i])
            place_free(w->slots[i]);
    free(w->slots);
    free(w->heap);
    return gn_error_status();
}

/* ---- Public */

/* The gradient to begin with: the given one, checked, or 1 for a single element. */
static gn_tensor *first_gradient(const char *op, gn_tensor *t, gn_tensor *given) {
    if (!gn__records(t))
        return gn__fail_null(GN_E_STATE, op,
                             "the tensor does not require a gradient: nothing that "
                             "it was computed from does");
    if (!given) {
        if (t->count != 1)
            return gn__fail_null(GN_E_ARGUMENT, op,
                                 "a tensor of shape %s needs .gradient, only one element does not",
                                 gn__shape_of(t));
        return gn_ones_like(t);
    }
    if (!gn__same_shape(t, given))
        return gn__fail_null(GN_E_ARGUMENT, op, "gradient %s does not fit the tensor %s",
                             gn__shape_of(given), gn__shape_of(t));
    return gn_cast(given, (gn_dtype)t->dtype);
}

static gn_status backward(const char *op, gn_tensor *t, walk *w,
                          const gn_backward_options *options) {
    gn_scope scope = gn_scope_begin();
    w->create_graph = options && options->create_graph;
    w->retain_graph = w->create_graph || (options && options->retain_graph);
    gn_tensor *gradient = first_gradient(op, t, options ? options->gradient : NULL);
    if (gradient)
        walk_run(w, t, gradient);
    return gn_scope_end(scope);
}

/* Whether n wanted tensors require gradients. */
static bool check_wanted(const char *op, int n, gn_tensor *const *inputs) {
    if (n < 0 || (n && !inputs))
        gn_fail(GN_E_ARGUMENT, op, "%d inputs%s", n, n < 0 ? "" : ", but the array is NULL");
    for (int i = 0; i < n && !gn__failed(); i++)
        if (gn__given(op, inputs[i]) && !gn__records(inputs[i]))
            gn_fail(GN_E_ARGUMENT, op, "input %d does not require a gradient", i);
    return !gn__failed();
}

gn_status gn_backward_with(gn_tensor *t, const gn_backward_options *options) {
    if (gn__failed() || !gn__given("backward", t))
        return gn_error_status();
    gn_backward_options o;
    gn__options(&o, sizeof o, options);
    walk w = {.n_wanted = o.n_inputs, .wanted = o.inputs};
    return check_wanted("backward", w.n_wanted, w.wanted) ? backward("backward", t, &w, &o)
                                                          : gn_error_status();
}

gn_status gn_gradients(gn_tensor *t, int n, gn_tensor *const *inputs, gn_tensor **out,
                       const gn_backward_options *options) {
    if (gn__failed() || !gn__given("gradients", t))
        return gn_error_status();
    for (int i = 0; out && i < n; i++)
        out[i] = NULL;
    if (!check_wanted("gradients", n, inputs))
        return gn_error_status();
    if (n == 0 || !out)
        return gn_fail(GN_E_ARGUMENT, "gradients", n ? "out is NULL" : "no input is given");
    walk w = {.n_wanted = n, .wanted = inputs, .found = out};
    gn_status status = backward("gradients", t, &w, options);
    for (int i = 0; i < n; i++) {
        if (status) {
            gn_release(out[i]);
            out[i] = NULL;
        } else {
            gn__own(out[i]);
        }
    }
    return status;
}
