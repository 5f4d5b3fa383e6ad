/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention_options.c - the public function of attention: masks in their many forms, queries that
 * begin later than the keys, heads that share keys. What is left is computed by attention.c.
 */
#include <math.h>

#include "attention.h"

static const char op[] = "scaled_dot_product_attention";

/* ---- Masks */

/* (L, S) bools: query i sees keys 0 .. position + i. NULL without an error: all of them. */
static gn_tensor *seen_from(int64_t position, const gn_tensor *q, const gn_tensor *k) {
    const int64_t n = q->size[q->n_dims - 2], keys = k->size[k->n_dims - 2];
    if (position + 1 >= keys)
        return NULL;
    const gn_tensor_options *as = GN_AS(.dtype = GN_I64, .device = q->storage->device->name);
    gn_tensor *rows = gn_arange((double)position, (double)(position + n), 1, as);
    gn_tensor *columns = gn_arange(0, (double)keys, 1, as);
    return gn_le(columns, gn_unsqueeze(rows, 1));
}

/* What is seen of both; either may be NULL. */
static gn_tensor *joined_masks(gn_tensor *mask, gn_tensor *seen) {
    if (mask == NULL || seen == NULL)
        return mask ? mask : seen;
    return mask->dtype == GN_BOOL ? gn_logical_and(mask, seen)
                                  : gn_where_scalar_b(seen, mask, -INFINITY);
}

/* The mask of q's dtype, with last dims (L, S). One that does not broadcast is left to be refused. */
static gn_tensor *whole_mask(gn_tensor *mask, const gn_tensor *q, const gn_tensor *k) {
    if (mask->dtype != GN_BOOL)
        mask = gn_cast(mask, (gn_dtype)q->dtype);
    while (mask && mask->n_dims < 2)
        mask = gn_unsqueeze(mask, 0);
    if (mask == NULL)
        return NULL;
    const int64_t last[] = {q->size[q->n_dims - 2], k->size[k->n_dims - 2]};
    gn_shape shape = gn__shape(mask->n_dims, mask->size);
    bool spread = false;
    for (int i = 0; i < 2; i++) {
        int64_t *size = &shape.size[shape.n - 2 + i];
        if (*size == 1 && last[i] != 1) {
            *size = last[i];
            spread = true;
        }
    }
    return spread ? gn_expand_with(mask, shape) : mask;
}

static gn_status set_mask(gn__attention *a, const gn_attention_options *o) {
    a->causal = o->causal;
    a->mask = o->attn_mask;
    if (a->mask && a->mask->dtype != GN_BOOL && !gn__check_float(op, "attn_mask", a->mask))
        return gn_error_status();
    if (o->position < 0)
        return gn_fail(GN_E_ARGUMENT, op, "the position %lld is negative", (long long)o->position);
    if (o->causal && o->position > 0) {
        a->causal = false;
        a->mask = joined_masks(a->mask, seen_from(o->position, a->q, a->k));
    }
    if (a->mask && !gn__failed())
        a->mask = whole_mask(a->mask, a->q, a->k);
    return gn_error_status();
}

/* ---- Heads that share keys: a dim of the heads in a group is split off, where k and v have 1 */

static int64_t heads_of(const gn_tensor *t) { return t->n_dims < 3 ? 1 : t->size[t->n_dims - 3]; }

static bool heads_fit(const gn__attention *a) {
    const int64_t heads = heads_of(a->q), shared = heads_of(a->k);
    if (a->q->n_dims >= 3 && a->k->n_dims >= 3 && a->v->n_dims >= 3 && shared > 0 &&
        heads % shared == 0 && heads_of(a->v) == shared)
        return true;
    gn_fail(GN_E_ARGUMENT, op,
            "the heads of q %s are no multiple of those of k %s and v %s, which must be equal",
            gn__shape_of(a->q), gn__shape_of(a->k), gn__shape_of(a->v));
    return false;
}

/* (.., H, *, *) -> (.., H / n, n, *, *) */
static gn_tensor *grouped(gn_tensor *t, int64_t n) {
    if (t->n_dims < 3)
        return t;
    if (heads_of(t) == 1)
        return gn_unsqueeze(t, -3);
    if (t->n_dims == GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_UNSUPPORTED, op, "enable_gqa takes at most %d dims, here is %s",
                             GN_TENSOR_MAX_DIMS - 1, gn__shape_of(t));
    gn_shape shape = gn__shape(t->n_dims, t->size);
    const int64_t last = shape.n - 1, heads = shape.size[last - 2];
    if (heads % n != 0)
        return t; /* a mask that will be refused */
    shape.size[last + 1] = shape.size[last];
    shape.size[last] = shape.size[last - 1];
    shape.size[last - 1] = n;
    shape.size[last - 2] = heads / n;
    shape.n++;
    return gn_reshape_with(t, shape);
}

static gn_tensor *attend_grouped(gn__attention a) {
    const int64_t n = heads_of(a.q) / heads_of(a.k);
    a.q = grouped(a.q, n);
    a.k = gn_unsqueeze(a.k, -3);
    a.v = gn_unsqueeze(a.v, -3);
    if (a.mask)
        a.mask = grouped(a.mask, n);
    return gn__failed() ? NULL : gn_flatten_range(gn__attend(&a), -4, -3);
}

/* ---- softmax(q k^T scale + mask) v */

gn_tensor *gn_scaled_dot_product_attention_with(gn_tensor *q, gn_tensor *k, gn_tensor *v,
                                                const gn_attention_options *options) {
    if (gn__failed() || !gn__given(op, q) || !gn__given(op, k) || !gn__given(op, v))
        return NULL;
    gn_attention_options o;
    gn__options(&o, sizeof o, options);
    if (q->n_dims < 2 || k->n_dims < 2)
        return gn__fail_null(GN_E_ARGUMENT, op, "q %s and k %s must be (.., L, D) and (.., S, D)",
                             gn__shape_of(q), gn__shape_of(k));
    if (!(o.dropout_p >= 0 && o.dropout_p <= 1))
        return gn__fail_null(GN_E_ARGUMENT, op, "the probability %g is not between 0 and 1",
                             o.dropout_p);
    gn__attention a = {.q = q,
                       .k = k,
                       .v = v,
                       .dropout = o.dropout_p,
                       .scale = gn_or(o.scale, 1 / sqrt((double)q->size[q->n_dims - 1]))};
    if (set_mask(&a, &o) != GN_OK)
        return NULL;
    if (!o.enable_gqa)
        return gn__attend(&a);
    return !heads_fit(&a) ? NULL : heads_of(q) == heads_of(k) ? gn__attend(&a) : attend_grouped(a);
}
