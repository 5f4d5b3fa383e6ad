/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.c - what looks at gradients on their way: hooks, and retained gradients.
 *
 * Those of a leaf hang on the tensor. Those of a result hang on its place in the graph, since the
 * tensor itself may be gone when the gradient comes, or may have changed in place.
 */
#include <stdlib.h>

#include "hooks.h"

/* Hooks and retained gradients of a node's outputs. The tensor is not counted: it clears its place
 * when it is freed. */
struct gn__watch {
    gn_tensor *tensor;
    struct gn__hooks *hooks;
};

/* ---- Places in the graph */

void gn__watches_free(gn__node *node) {
    if (!node->watches)
        return;
    for (int i = 0; i < node->n_outputs; i++)
        gn_release(node->watches[i].hooks);
    free(node->watches);
}

/* The place of t in its node's watches, made if need be. */
static struct gn__watch *watch(gn_tensor *t) {
    gn__node *node = gn__history(t);
    if (node && !node->watches)
        node->watches = gn__alloc_array((size_t)node->n_outputs, sizeof *node->watches);
    return node && node->watches ? &node->watches[t->output] : NULL;
}

void gn__watch_end(gn_tensor *t) {
    if (t->node && t->node->watches && t->node->watches[t->output].tensor == t)
        t->node->watches[t->output].tensor = NULL;
}

static void retain_here(gn_tensor *t) {
    struct gn__watch *w = watch(t);
    if (w) {
        w->tensor = t;
        t->retains_grad = true;
    }
}

static const gn__kind hooks_kind;

void gn__watch_move(gn_tensor *t, gn__node *node, uint32_t output) {
    gn__history_drop(t);
    t->node = gn_retain(node);
    t->output = output;
    if (t->hooks && t->hooks->n) {
        struct gn__hooks *hooks = gn__object_new(&hooks_kind, sizeof *hooks);
        if (!hooks)
            return;
        hooks->last = t->hooks->last;
        hooks->earlier = t->hooks;
        t->hooks = hooks;
    }
    if (t->retains_grad && node)
        retain_here(t);
}

gn_tensor *gn__node_output_gradient(gn__node *node, int output, gn_tensor *gradient) {
    if (!node->watches || !gradient)
        return gradient;
    struct gn__watch *w = &node->watches[output];
    if (w->hooks)
        gradient = gn__hooks_run(w->hooks, gradient);
    if (w->tensor && w->tensor->retains_grad && gradient)
        gn__accumulate(w->tensor, gradient, gn_is_grad_enabled());
    return gradient;
}

gn_status gn_retain_grad(gn_tensor *t) {
    if (gn__failed() || !gn__given("retain_grad", t))
        return gn_error_status();
    if (!gn__records(t))
        return gn_fail(GN_E_STATE, "retain_grad", "the tensor does not require a gradient");
    retain_here(t);
    return gn_error_status();
}

/* ---- Hooks */

static void hooks_destroy(void *object) {
    struct gn__hooks *hooks = object;
    gn_release(hooks->earlier);
    free(hooks->list);
    free(hooks);
}

static const gn__kind hooks_kind = {.name = "hooks", .destroy = hooks_destroy};

static int64_t add_hook(gn_tensor *t, gn__hook hook) {
    if (!t->hooks && !(t->hooks = gn__object_new(&hooks_kind, sizeof *t->hooks)))
        return gn_error_status();
    struct gn__hooks *hooks = t->hooks;
    struct gn__watch *w = watch(t);
    if (w && w->hooks != hooks) {
        gn_release(w->hooks);
        w->hooks = gn_retain(hooks);
    }
    if (gn__failed() ||
        gn__grow((void **)&hooks->list, &hooks->capacity, hooks->n, sizeof *hooks->list))
        return gn_error_status();
    hook.handle = ++hooks->last;
    hooks->list[hooks->n++] = hook;
    return hook.handle;
}

int64_t gn_register_hook(gn_tensor *t, gn_hook *fn, void *context) {
    if (gn__failed() || !gn__given("register_hook", t))
        return gn_error_status();
    if (!fn || !gn__records(t))
        return gn_fail(GN_E_ARGUMENT, "register_hook",
                       fn ? "the tensor does not require a gradient" : "the function is NULL");
    return add_hook(t, (gn__hook){.fn = fn, .context = context});
}

int64_t gn_register_post_accumulate_grad_hook(gn_tensor *leaf, gn_accumulated_hook *fn,
                                              void *context) {
    static const char op[] = "register_post_accumulate_grad_hook";
    if (gn__failed() || !gn__given(op, leaf))
        return gn_error_status();
    if (!fn || !gn__records(leaf))
        return gn_fail(GN_E_ARGUMENT, op,
                       fn ? "the tensor does not require a gradient" : "the function is NULL");
    if (gn__history(leaf))
        return gn_fail(GN_E_ARGUMENT, op,
                       "the tensor is the result of %s: gradients accumulate in leaves only",
                       gn__history(leaf)->name);
    return add_hook(leaf, (gn__hook){.after = fn, .context = context});
}

gn_status gn_remove_hook(gn_tensor *t, int64_t handle) {
    if (!gn__given("remove_hook", t))
        return gn_error_status();
    for (struct gn__hooks *hooks = t->hooks; hooks; hooks = hooks->earlier)
        for (size_t i = 0; i < hooks->n; i++)
            if (hooks->list[i].handle == handle) {
                memmove(&hooks->list[i], &hooks->list[i + 1],
                        (--hooks->n - i) * sizeof *hooks->list);
                return gn_error_status();
            }
    return gn_fail(GN_E_ARGUMENT, "remove_hook", "the tensor has no hook %lld", (long long)handle);
}

/* ---- Running them: a hook may register others, and remove itself */

/* The first hook with a handle in (after, last]; NULL if there is none. */
static const gn__hook *next_hook(const struct gn__hooks *hooks, int64_t after, int64_t last) {
    for (size_t i = 0; i < hooks->n; i++)
        if (hooks->list[i].handle > after)
            return hooks->list[i].handle <= last ? &hooks->list[i] : NULL;
    return NULL;
}

gn_tensor *gn__hooks_run(struct gn__hooks *hooks, gn_tensor *gradient) {
    const int64_t last = hooks->last;
    gn_retain(hooks);
    for (const gn__hook *h = next_hook(hooks, 0, last); h && !gn__failed();) {
        const int64_t handle = h->handle;
        gn_tensor *changed = h->fn ? h->fn(gradient, h->context) : NULL;
        if (changed && (!gn__same_shape(changed, gradient) || changed->dtype != gradient->dtype ||
                        changed->storage->device != gradient->storage->device))
            gn_fail(GN_E_ARGUMENT, "hook",
                    "it turned a %s gradient %s on %s into a %s one %s on %s",
                    gn_dtype_name((gn_dtype)gradient->dtype), gn__shape_of(gradient),
                    gradient->storage->device->name, gn_dtype_name((gn_dtype)changed->dtype),
                    gn__shape_of(changed), changed->storage->device->name);
        gradient = changed ? changed : gradient;
        h = next_hook(hooks, handle, last);
    }
    gn_release(hooks);
    return gn__failed() ? NULL : gradient;
}

void gn__hooks_run_accumulated(struct gn__hooks *hooks, gn_tensor *leaf) {
    const int64_t last = hooks->last;
    gn_scope scope = gn_scope_begin();
    gn_retain(hooks);
    for (const gn__hook *h = next_hook(hooks, 0, last); h && !gn__failed();) {
        const int64_t handle = h->handle;
        if (h->after)
            h->after(leaf, h->context);
        h = next_hook(hooks, handle, last);
    }
    gn_release(hooks);
    gn_scope_end(scope);
}
