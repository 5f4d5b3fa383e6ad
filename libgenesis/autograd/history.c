/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - how a tensor hangs on the graph: properties, its gradient, in-place changes. Hooks
 * and retained gradients are in hooks.c.
 */
#include <stdlib.h>

#include "../ops/ops.h"
#include "hooks.h"

/* ---- Dropping history */

void gn__history_drop(gn_tensor *t) {
    gn__watch_end(t);
    gn_release(t->node);
    t->node = NULL;
    t->output = 0;
}

void gn__history_free(gn_tensor *t) {
    gn__history_drop(t);
    gn_release(t->grad);
    gn_release(t->hooks);
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
    if (requires_grad && t->inference && !gn_is_inference_mode_enabled())
        return gn__fail_null(GN_E_STATE, "requires_grad_",
                             "the tensor was made in inference mode: gn_clone it outside of it");
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
        view->base_epoch = t->base->base_epoch;
        gn__watch_move(view, anew->node, anew->output);
        view->requires_grad = view->node != NULL;
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
    const unsigned off = gn__self()->no_grad;
    const char *why = NULL;
    if (t->inference && !(off & GN__OFF_INFERENCE))
        why = "in place on a tensor made in inference mode, outside of that mode: gn_clone it";
    else if (!(off & ~(unsigned)GN__OFF_CHECKPOINT))
        why = refusal(t);
    return why ? gn_fail(GN_E_STATE, op, "%s", why) : gn_error_status();
}

static void adopt_history(gn_tensor *t, const gn_tensor *from) {
    gn__watch_move(t, from->node, from->output);
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
