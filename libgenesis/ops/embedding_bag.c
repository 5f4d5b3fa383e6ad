/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding_bag.c - sums, means and maxima over bags of embedded indices. Each of the n indices
 * knows the number of its bag, so that bags of any length, empty ones too, are one case: rows of
 * equal bag are combined at their places, without waiting for the device.
 */
#include <math.h>

#include "embedding.h"
#include "ops.h"

static const char op[] = "embedding_bag";

typedef struct bags {
    int64_t n;       /* bags */
    gn_tensor *of;   /* (n indices): the bag of each */
    gn_tensor *keep; /* (n indices, 1) bool: not padding; NULL: all */
} bags;

static gn_tensor_options on(const gn_tensor *like, int dtype) {
    return (gn_tensor_options){.struct_size = sizeof(gn_tensor_options),
                               .device = like->storage->device->name,
                               .dtype = dtype};
}

/* ---- Which bag an index is in */

/* (B, L): index i is in bag i / L. */
static gn_tensor *bags_of_rows(gn_tensor *indices) {
    const gn_tensor_options o = on(indices, GN_I64);
    gn_tensor *rows = gn_arange(0, (double)indices->size[0], 1, &o);
    gn_tensor *all = rows ? gn_expand_with(gn_unsqueeze(rows, 1), gn_shape_of(indices)) : NULL;
    return all ? gn_reshape(all, indices->count) : NULL;
}

/* Bag k has the indices from offsets[k] on: that of index i is the number of offsets up to i, less
 * 1, which is no index where the first offset is not 0. */
static gn_tensor *bags_from(gn_tensor *indices, gn_tensor *offsets) {
    const gn_tensor_options o = on(indices, GN_I64);
    gn_tensor *one = gn_scalar_tensor(1, &o);
    gn_tensor *starts = one ? gn__spread(op, GN_SHAPE(indices->count + 1), 0, offsets,
                                         gn_expand_with(one, gn_shape_of(offsets)))
                            : NULL;
    gn_tensor *up_to = starts ? gn_cumsum(starts, 0) : NULL;
    return up_to ? gn_add_scalar(gn_narrow(up_to, 0, 0, indices->count), -1) : NULL;
}

/* ---- Combining */

static gn_tensor *sums(const bags *b, gn_tensor *rows) {
    if (b->keep)
        rows = gn_where_scalar_b(b->keep, rows, 0);
    return rows ? gn__rows_added(b->of, rows, b->n) : NULL;
}

static gn_tensor *means(const bags *b, gn_tensor *rows) {
    const gn_tensor_options o = on(rows, gn__compute_type(rows->dtype));
    gn_tensor *one = gn_scalar_tensor(1, &o);
    gn_tensor *ones = one ? gn_expand(one, b->of->count, 1) : NULL;
    gn_tensor *counts = ones ? gn_clamp(sums(b, ones), gn_some(1), (gn_optional){0}) : NULL;
    return counts ? gn_cast(gn_div(sums(b, rows), counts), (gn_dtype)rows->dtype) : NULL;
}

/* (B, D): in each bag and column the first index that has the largest element; n for none. */
static gn_tensor *places_of_maxima(const bags *b, gn_tensor *rows) {
    static gn__op place = {
        .name = op, .text = "v == m || v != v ? i : n", .variables = "v, m, i", .params = "n"};
    const int64_t n = b->of->count, size[] = {b->n, rows->size[1]};
    gn__device *device = rows->storage->device;
    const gn_tensor_options o = on(rows, GN_I64);
    gn_tensor *largest = gn__tensor_new(device, rows->dtype, 2, size),
              *first = gn__tensor_new(device, GN_I64, 2, size), *numbers = gn_arange(0, n, 1, &o);
    if (gn__failed() || gn__fill_data(largest, -INFINITY) != GN_OK ||
        gn__fill_data(first, (double)n) != GN_OK ||
        gn__rows_combine(b->of, rows, largest, GN_SCATTER_MAX) != GN_OK)
        return NULL;
    gn_tensor *const variables[] = {rows, gn__rows_at(b->of, largest), gn_unsqueeze(numbers, 1)};
    const double params[] = {(double)n};
    gn_tensor *places = gn__failed() ? NULL : gn__apply_as(&place, 3, variables, params, GN_I64);
    if (places && b->keep)
        places = gn_where_scalar_b(b->keep, places, (double)n);
    return places && gn__rows_combine(b->of, places, first, GN_SCATTER_MIN) == GN_OK ? first : NULL;
}

/* Rows of padding are below all others; a bag of none is 0. */
static gn_tensor *maxima(const bags *b, gn_tensor *rows) {
    const int64_t n = b->of->count;
    const bool was = gn_set_grad_enabled(false);
    gn_tensor *seen = b->keep ? gn_where_scalar_b(b->keep, rows, -INFINITY) : rows,
              *first = seen ? places_of_maxima(b, seen) : NULL;
    gn_set_grad_enabled(was);
    if (first == NULL)
        return NULL;
    gn_tensor *found = gn_lt_scalar(first, (double)n),
              *at = gn_clamp(first, (gn_optional){0}, gn_some((double)n - 1));
    return gn_where_scalar_b(found, gn_gather(rows, 0, at), 0);
}

/* ---- gn_embedding_bag */

static bool check(gn_tensor *indices, gn_tensor *weight, const gn_embedding_bag_options *o) {
    if (gn__failed() || !gn__given(op, indices) || !gn__given(op, weight))
        return false;
    const bool flat = indices->n_dims == 1 && o->offsets && o->offsets->n_dims == 1;
    if (weight->n_dims != 2)
        gn_fail(GN_E_ARGUMENT, op, "weight %s must be (V, D)", gn__shape_of(weight));
    else if (o->mode < GN_BAG_MEAN || o->mode > GN_BAG_MAX)
        gn_fail(GN_E_ARGUMENT, op, "there is no mode %d", (int)o->mode);
    else if (!flat && (indices->n_dims != 2 || o->offsets))
        gn_fail(GN_E_ARGUMENT, op,
                "indices %s must be (B, L), or (n) with a vector of offsets, which are %s",
                gn__shape_of(indices), o->offsets ? gn__shape_of(o->offsets) : "not given");
    else if (flat && o->offsets->count < 1)
        gn_fail(GN_E_ARGUMENT, op, "needs at least 1 offset");
    else if (o->per_sample_weights && o->mode != GN_BAG_SUM)
        gn_fail(GN_E_ARGUMENT, op, "per_sample_weights are for sums only");
    else if (o->per_sample_weights && !gn__same_shape(o->per_sample_weights, indices))
        gn_fail(GN_E_ARGUMENT, op, "per_sample_weights %s must have the shape of the indices, %s",
                gn__shape_of(o->per_sample_weights), gn__shape_of(indices));
    else if (o->scale_grad_by_freq && o->mode == GN_BAG_MAX)
        gn_fail(GN_E_ARGUMENT, op, "scale_grad_by_freq is not for maxima");
    return !gn__failed();
}

static bool find_bags(gn_tensor *indices, gn_tensor *offsets, int64_t padding, bags *b) {
    b->n = offsets ? offsets->count : indices->size[0];
    b->of = offsets ? bags_from(indices, offsets) : bags_of_rows(indices);
    if (b->of && padding >= 0)
        b->keep = gn_ne_scalar(gn_reshape(indices, indices->count, 1), (double)padding);
    return !gn__failed();
}

gn_tensor *gn_embedding_bag_with(gn_tensor *indices, gn_tensor *weight,
                                 const gn_embedding_bag_options *options) {
    gn_embedding_bag_options o;
    gn__options(&o, sizeof o, options);
    if (!check(indices, weight, &o))
        return NULL;
    gn_tensor *tensors[] = {weight, indices, o.offsets, o.per_sample_weights};
    int64_t padding;
    bags b = {0};
    gn__device *device = gn__common_device(op, 4, tensors);
    indices = device ? gn__index_tensor(op, indices) : NULL;
    o.offsets = indices && o.offsets ? gn__index_tensor(op, o.offsets) : NULL;
    if (gn__failed() || !gn__embedding_padding(op, o.padding_idx, weight->size[0], &padding) ||
        !find_bags(indices, o.offsets, padding, &b))
        return NULL;
    gn_tensor *rows =
        gn_embedding(gn_reshape(indices, indices->count), weight, .padding_idx = o.padding_idx,
                     .max_norm = o.max_norm, .norm_type = o.norm_type,
                     .scale_grad_by_freq = o.scale_grad_by_freq);
    if (rows && o.per_sample_weights)
        rows = gn_mul(rows, gn_reshape(o.per_sample_weights, indices->count, 1));
    gn_tensor *y = NULL;
    if (rows)
        y = o.mode == GN_BAG_SUM || rows->count == 0 ? sums(&b, rows)
            : o.mode == GN_BAG_MEAN                  ? means(&b, rows)
                                                     : maxima(&b, rows);
    return y && o.include_last_offset && o.offsets ? gn_narrow(y, 0, 0, b.n - 1) : y;
}
