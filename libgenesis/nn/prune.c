/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prune.c - pruning: the parameter NAME becomes NAME_orig times the buffer NAME_mask, as in PyTorch.
 */
#include <math.h>
#include <stdio.h>

#include "parametrize.h"

enum { LONG_NAME_BYTES = GN__NAME_BYTES / 8 + 8 };

typedef struct names {
    char orig[LONG_NAME_BYTES], mask[LONG_NAME_BYTES];
} names;

static names names_of(const char *name) {
    names n;
    snprintf(n.orig, sizeof n.orig, "%s_orig", name);
    snprintf(n.mask, sizeof n.mask, "%s_mask", name);
    return n;
}

static gn_tensor *compute(gn_module *module, const char *name) {
    const names n = names_of(name);
    gn_tensor *orig = gn_get_parameter(module, n.orig);
    return orig ? gn_mul(orig, gn_get_buffer(module, n.mask)) : NULL;
}

/* Whether the name is that of a pruned parameter. */
static bool is_pruned(const gn_module *module, const char *name) {
    const gn__derived *d = gn__derived_find(module, name);
    return d && d->compute == compute;
}

/* ---- Masks */

/* How many of n elements to prune; negative with an error. */
static int64_t how_many(const char *op, const gn_prune_options *o, int64_t n) {
    if (!(o->amount >= 0 && o->amount <= 1) || o->count < 0 || o->count > n)
        return gn_fail(GN_E_ARGUMENT, op,
                       "an amount of %g, or %lld of %lld elements, can't be pruned", o->amount,
                       (long long)o->count, (long long)n);
    return o->count ? o->count : (int64_t)nearbyint(o->amount * (double)n);
}

/* The mask with the k elements of the lowest scores set to 0, of those that are 1. */
static gn_tensor *mask_lowest(gn_tensor *scores, gn_tensor *mask, int64_t k) {
    if (k == 0)
        return mask;
    gn_tensor *left = gn_where_scalar_b(mask, scores, INFINITY), *places;
    gn_topk(gn_reshape(left, -1), k, 0, false, &places);
    gn_tensor *flat = gn_reshape(mask, -1);
    if (gn__failed())
        return NULL;
    flat = gn_scatter(
        flat, 0, places,
        gn_zeros_with(GN_SHAPE(k), GN_AS(.device = gn_device_of(mask), .dtype = mask->dtype)));
    return flat ? gn_reshape_with(flat, gn_shape_of(mask)) : NULL;
}

/* The mask after another round of pruning. */
static gn_tensor *next_mask(const char *op, gn_tensor *t, gn_tensor *mask,
                            const gn_prune_options *o) {
    if (o->mask) {
        if (gn__same_shape(o->mask, t))
            return gn_where_scalar_b(o->mask, mask, 0);
        return gn__fail_null(GN_E_ARGUMENT, op, "the mask %s is not of the parameter's shape %s",
                             gn__shape_of(o->mask), gn__shape_of(t));
    }
    const int64_t left = gn_item_int(gn_sum(gn_ne_scalar(mask, 0)));
    const int64_t k = gn__failed() ? -1 : how_many(op, o, left);
    return k < 0 ? NULL : mask_lowest(o->random ? gn_rand_like(t) : gn_abs(t), mask, k);
}

/* ---- Pruning */

/* The parameter becomes NAME_orig, with a mask. */
static gn_status split(const char *op, gn_module *module, const char *name, gn_tensor *mask) {
    const names n = names_of(name);
    gn_tensor *t = gn__own_parameter(op, module, name);
    if (t == NULL)
        return gn_error_status();
    const bool wanted = t->requires_grad;
    if (gn_buffer(module, n.mask, mask, true) == NULL)
        return gn_error_status();
    if (gn_parameter(module, n.orig, t) && gn__derived_add(module, name, t, compute) == GN_OK) {
        gn__entry_remove(&module->state->parameters, name);
        gn_requires_grad_(t, wanted);
    } else {
        gn__entry_remove(&module->state->parameters, n.orig);
        gn__entry_remove(&module->state->buffers, n.mask);
    }
    return gn_error_status();
}

gn_status gn_prune_with(gn_module *module, const char *name, const gn_prune_options *options) {
    static const char op[] = "prune";
    gn_prune_options o;
    gn__options(&o, sizeof o, options);
    if (!gn__is_module(op, module))
        return gn_error_status();
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    if (is_pruned(module, name)) {
        const names n = names_of(name);
        gn_tensor *t = gn_get_parameter(module, n.orig), *mask = gn_get_buffer(module, n.mask);
        gn_tensor *next = t && mask ? next_mask(op, t, mask, &o) : NULL;
        if (next)
            gn_copy_(mask, next);
    } else {
        gn_tensor *t = gn__own_parameter(op, module, name);
        gn_tensor *mask = t ? next_mask(op, t, gn_ones_like(t), &o) : NULL;
        if (mask)
            split(op, module, name, mask);
    }
    gn_set_grad_enabled(was);
    return gn_scope_end(scope);
}

gn_status gn_prune_remove(gn_module *module, const char *name) {
    static const char op[] = "prune_remove";
    if (!gn__is_module(op, module))
        return gn_error_status();
    if (!is_pruned(module, name))
        return gn_fail(GN_E_NOT_FOUND, op, "%s has no pruned \"%s\"", module->type->name,
                       name ? name : "NULL");
    const names n = names_of(name);
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    gn_tensor *t = gn_get_parameter(module, n.orig), *value = compute(module, name);
    if (value && gn_copy_(t, value) &&
        gn__entry_set(&module->state->parameters, name, t, false) == GN_OK) {
        gn__derived_remove(module, name, t);
        gn__entry_remove(&module->state->parameters, n.orig);
        gn__entry_remove(&module->state->buffers, n.mask);
    }
    gn_set_grad_enabled(was);
    return gn_scope_end(scope);
}
