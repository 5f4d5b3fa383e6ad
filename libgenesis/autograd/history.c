/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - how a tensor hangs on the graph: properties, gradients, hooks, in-place changes.
 */
#include <stdlib.h>

#include "../ops/ops.h"
#include "hooks.h"

/* Hooks and retained gradients of a node's outputs. The tensor is not counted: it clears its place
 * when it is freed. */
struct gn__watch {
    gn_tensor *tensor;
    struct gn__hooks *hooks;
};

/* ---- Dropping history */

static void unwatch(gn_tensor *t) {
    if (t->node && t->node->watches && t->node->watches[t->output].tensor == t)
        t->node->watches[t->output].tensor = NULL;
}

void gn__history_drop(gn_tensor *t) {
    unwatch(t);
    gn_release(t->node);
    t->node = NULL;
    t->output = 0;
}

void gn__history_free(gn_tensor *t) {
    gn__history_drop(t);
    gn_release(t->grad);
    gn_release(t->hooks);
}

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

gn_tensor *gn__node_output_gradient(gn__node *node, int output, gn_tensor *gradient) {
    if (!node->watches || !gradient)
        return gradient;
    struct gn__watch *w = &node->watches[output];
    if (w->hooks)
        gradient = gn__hooks_run(w->hooks, gradient);
    if (w->tensor && w->tensor->retains_grad && gradient)
        gn__accumulate(w->tensor, gradient, false);
    return gradient;
}

/* ---- Properties */

bool gn_requires_grad(const gn_tensor *t) {
    return gn__given("requires_grad", t) && gn__records(t);
}
bool gn_is_leaf(const gn_tensor *t) { return gn__given("is_leaf", t) && !gn__history(t); }

const char *gn_grad_fn(const gn_tensor *t) {
    gn__node *node = gn__given("grad_fn", t) ? gn__history(t) : NULL;
    return node ? node->name : NULL;
}

gn_tensor *gn_grad(const gn_tensor *t) { return gn__given("grad", t) ? t->grad : NULL; }

gn_tensor *gn_requires_grad_(gn_tensor *t, bool requires_grad) {
    if (gn__failed() || !gn__given("requires_grad_", t))
        return NULL;
    if (requires_grad && !gn_dtype_is_float(t->dtype))
        return gn__fail_null(GN_E_ARGUMENT, "requires_grad_",
                             "a %s tensor can't require a gradient",
                             gn_dtype_name((gn_dtype)t->dtype));
    if (!requires_grad && gn__history(t))
        return gn__fail_null(GN_E_STATE, "requires_grad_",
                             "the tensor is the result of %s: use gn_detach", gn_grad_fn(t));
    t->requires_grad = requires_grad;
    return t;
}

gn_status gn_set_grad(gn_tensor *t, gn_tensor *grad) {
    if (gn__failed() || !gn__given("set_grad", t))
        return gn_error_status();
    if (grad && (!gn__same_shape(t, grad) || t->dtype != grad->dtype ||
                 t->storage->device != grad->storage->device))
        return gn_fail(
            GN_E_ARGUMENT, "set_grad", "a %s tensor %s on %s can't have a %s gradient %s on %s",
            gn_dtype_name((gn_dtype)t->dtype), gn__shape_of(t), t->storage->device->name,
            gn_dtype_name((gn_dtype)grad->dtype), gn__shape_of(grad), grad->storage->device->name);
    gn_retain(grad);
    gn_release(t->grad);
    t->grad = grad;
    return GN_OK;
}

gn_status gn_retain_grad(gn_tensor *t) {
    if (gn__failed() || !gn__given("retain_grad", t))
        return gn_error_status();
    if (!gn__records(t))
        return gn_fail(GN_E_STATE, "retain_grad", "the tensor does not require a gradient");
    struct gn__watch *w = watch(t);
    if (w) {
        w->tensor = t;
        t->retains_grad = true;
    }
    return gn_error_status();
}

bool gn_is_grad_enabled(void) { return !gn__self()->no_grad; }

bool gn_set_grad_enabled(bool enabled) {
    bool was = !gn__self()->no_grad;
    gn__self()->no_grad = !enabled;
    return was;
}

/* ---- Hooks */

static void hooks_destroy(void *object) {
    struct gn__hooks *hooks = object;
    free(hooks->list);
    free(hooks);
}

static const gn__kind hooks_kind = {.name = "hooks", .destroy = hooks_destroy};

int64_t gn_register_hook(gn_tensor *t, gn_hook *fn, void *context) {
    if (gn__failed() || !gn__given("register_hook", t))
        return gn_error_status();
    if (!fn || !gn__records(t))
        return gn_fail(GN_E_ARGUMENT, "register_hook",
                       fn ? "the tensor does not require a gradient" : "the function is NULL");
    if (!t->hooks && !(t->hooks = gn__object_new(&hooks_kind, sizeof *t->hooks)))
        return gn_error_status();
    struct gn__hooks *hooks = t->hooks;
    struct gn__watch *w = watch(t);
    if (w && !w->hooks)
        w->hooks = gn_retain(hooks);
    if (gn__grow((void **)&hooks->list, &hooks->capacity, hooks->n, sizeof *hooks->list))
        return gn_error_status();
    hooks->list[hooks->n++] = (gn__hook){.handle = ++hooks->last, .fn = fn, .context = context};
    return hooks->last;
}

gn_status gn_remove_hook(gn_tensor *t, int64_t handle) {
    if (!gn__given("remove_hook", t))
        return gn_error_status();
    struct gn__hooks *hooks = t->hooks;
    for (size_t i = 0; hooks && i < hooks->n; i++)
        if (hooks->list[i].handle == handle) {
            memmove(&hooks->list[i], &hooks->list[i + 1], (--hooks->n - i) * sizeof *hooks->list);
            return gn_error_status();
        }
    return gn_fail(GN_E_ARGUMENT, "remove_hook", "the tensor has no hook %lld", (long long)handle);
}

gn_tensor *gn__hooks_run(const struct gn__hooks *hooks, gn_tensor *gradient) {
    for (size_t i = 0; i < hooks->n && gradient && !gn__failed(); i++) {
        gn_tensor *changed = hooks->list[i].fn(gradient, hooks->list[i].context);
        if (!changed)
            continue;
        if (!gn__same_shape(changed, gradient) || changed->dtype != gradient->dtype)
            return gn__fail_null(GN_E_ARGUMENT, "hook",
                                 "it turned a %s gradient %s into a %s one %s",
                                 gn_dtype_name((gn_dtype)gradient->dtype), gn__shape_of(gradient),
                                 gn_dtype_name((gn_dtype)changed->dtype), gn__shape_of(changed));
        gradient = changed;
    }
    return gn__failed() ? NULL : gradient;
}

/* ---- In-place changes
 *
 * A view shares its base's storage, so a recorded change of one changes the other's history:
 *     base := base with the view's elements replaced by `result`,
 * and every view's own history is then that of the base seen through the view. base_epoch counts
 * these changes in the base; a view whose count is behind has its history made anew when asked.
 */

/* base (old), result -> base (new). The gradient of old is zero where the view is. A base is dense:
 * with its dims in the order of memory it is row-major, and the view is a part of that. */
typedef struct replaced {
    gn_shape order; /* of the base's dims in memory */
    gn_shape size, stride;
    int64_t offset;
} replaced;

static gn_shape inverse(gn_shape order) {
    gn_shape back = {.n = order.n};
    for (int64_t i = 0; i < order.n; i++)
        back.size[order.size[i]] = i;
    return back;
}

/* The view's place in its base. */
static replaced geometry(const gn_tensor *view) {
    return (replaced){.order = gn__memory_order(view->base),
                      .size = gn__shape(view->n_dims, view->size),
                      .stride = gn__shape(view->n_dims, view->stride),
                      .offset = view->offset - view->base->offset};
}

static gn_status replace_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const replaced *view = node->data;
    gn_tensor *g = gn_contiguous(gn_permute_with(grads[0], view->order));
    gn_tensor *rest = g ? gn_clone(g) : NULL;
    if (!rest)
        return gn_error_status();
    if (gn__needs(node, 1))
        out[1] = gn_clone(gn_as_strided(g, view->size, view->stride, g->offset + view->offset));
    if (gn__needs(node, 0)) {
        gn_zero_(gn_as_strided(rest, view->size, view->stride, rest->offset + view->offset));
        out[0] = gn_permute_with(rest, inverse(view->order));
    }
    return gn_error_status();
}

static const gn__node_class replace_node = {.name = "replace", .backward = replace_backward};

gn__node *gn__history(const gn_tensor *t) {
    if (!t->base || t->base_epoch == t->base->base_epoch)
        return t->node;
    gn_tensor *view = (gn_tensor *)t; /* its value stays; only the cached history is made anew */
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(true);
    replaced place = geometry(t);
    gn_tensor *base = gn_permute_with(t->base, place.order);
    gn_tensor *anew = base ? gn_as_strided(base, place.size, place.stride, t->offset) : NULL;
    gn_set_grad_enabled(was);
    if (anew) {
        gn__history_drop(view);
        view->node = gn_retain(anew->node);
        view->output = anew->output;
        view->requires_grad = view->node != NULL;
        view->base_epoch = t->base->base_epoch;
    }
    gn_scope_end(scope);
    return t->node;
}

bool gn__records(const gn_tensor *t) {
    if (t && t->base && t->base_epoch != t->base->base_epoch)
        gn__history(t);
    return t && t->requires_grad;
}

/* What is wrong with changing t in place while recording; NULL if nothing is. */
static const char *refusal(gn_tensor *t) {
    gn_tensor *base = t->base;
    if (base && base->requires_grad && !t->requires_grad)
        t->base_epoch = base->base_epoch - 1; /* seen without recording; changes are recorded */
    if (base && base->requires_grad && !gn__history(base))
        return "in place on a view of a leaf that requires a gradient";
    if (base && base->requires_grad && !gn__is_dense(base))
        return "in place on a view of a tensor with gaps in its memory: gn_contiguous first";
    if (gn__records(t) && !gn__history(t))
        return "in place on a leaf that requires a gradient: change it with "
               "gn_set_grad_enabled(false), or use the form without _";
    return NULL;
}

gn_status gn__inplace_begin(const char *op, gn_tensor *t) {
    if (gn__failed() || !gn__given(op, t) || gn__settle(t))
        return gn_error_status();
    if (gn__overlaps(t->n_dims, t->size, t->stride))
        return gn_fail(GN_E_ARGUMENT, op,
                       "elements of an expanded tensor share memory: gn_clone it "
                       "before changing it in place");
    const char *why = gn__self()->no_grad ? NULL : refusal(t);
    return why ? gn_fail(GN_E_STATE, op, "%s", why) : gn_error_status();
}

static void adopt_history(gn_tensor *t, const gn_tensor *from) {
    gn__history_drop(t);
    t->node = gn_retain(from->node);
    t->output = from->output;
    t->requires_grad = true;
    t->base_epoch++;
}

gn_tensor *gn__inplace_end(gn_tensor *t, gn_tensor *result) {
    if (gn__failed())
        return NULL;
    atomic_fetch_add(&t->storage->version, 1);
    if (!result || !result->node)
        return t;
    if (!t->base) {
        adopt_history(t, result);
        return t;
    }
    gn_scope scope = gn_scope_begin();
    gn_tensor *changed = gn__tensor_twin(t->base);
    gn_tensor *inputs[] = {t->base, result};
    gn__node *node =
        changed ? gn__record(&replace_node, changed, 2, inputs, sizeof(replaced)) : NULL;
    if (node) {
        *(replaced *)node->data = geometry(t);
        adopt_history(t->base, changed);
        gn__history(t);
    }
    gn_scope_end(scope);
    return gn__failed() ? NULL : t;
}
