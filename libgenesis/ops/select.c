/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select.c - results whose size depends on the values: nonzero, masked_select, bincount.
 *
 * They wait for the device. nonzero reads the flags and counts on the host, since what follows
 * can't begin before its size is known there anyway.
 */
#include <stdlib.h>

#include "ops.h"

/* ---- nonzero: the coordinates of the elements that are not 0, in row-major order */

/* Steps a coordinate on to the next element. */
static void advance(const gn_tensor *t, int64_t *coordinate) {
    for (int d = t->n_dims; d-- > 0;) {
        if (++coordinate[d] < t->size[d])
            return;
        coordinate[d] = 0;
    }
}

static gn_tensor *coordinates(const gn_tensor *x, const bool *flags) {
    int64_t k = 0, n = 0;
    for (int64_t i = 0; i < x->count; i++)
        k += flags[i];
    int64_t *rows = gn__alloc_array((size_t)k * (size_t)x->n_dims + 1, sizeof *rows);
    if (!rows)
        return NULL;
    int64_t coordinate[GN_TENSOR_MAX_DIMS] = {0};
    for (int64_t i = 0; i < x->count; i++, advance(x, coordinate))
        if (flags[i]) {
            memcpy(rows + n * x->n_dims, coordinate, (size_t)x->n_dims * sizeof *rows);
            n++;
        }
    gn_tensor *y = gn__tensor_new(x->storage->device, GN_I64, 2, (int64_t[]){k, x->n_dims});
    if (y)
        gn__copy_in_data(y, rows, GN_I64, y->count);
    free(rows);
    return gn__failed() ? NULL : y;
}

gn_tensor *gn_nonzero(gn_tensor *x) {
    if (gn__failed() || !gn__given("nonzero", x))
        return NULL;
    gn_tensor *flags = x->dtype == GN_BOOL ? x : gn_ne_scalar(x, 0), *y = NULL;
    bool *host = flags ? gn__alloc((size_t)x->count + 1) : NULL;
    if (host && !gn_copy_out(flags, host, GN_BOOL, x->count))
        y = coordinates(x, host);
    free(host);
    return y;
}

/* ---- masked_select: x[mask], both broadcast first */

gn_tensor *gn_masked_select(gn_tensor *x, gn_tensor *mask) {
    gn_tensor *both[] = {x, mask};
    gn_shape shape = {0};
    int n_dims;
    if (gn__failed() || !gn__given("masked_select", x) || !gn__given("masked_select", mask))
        return NULL;
    if (mask->dtype != GN_BOOL)
        return gn__fail_null(GN_E_ARGUMENT, "masked_select", "the mask must be bool, not %s",
                             gn_dtype_name((gn_dtype)mask->dtype));
    if (!gn__broadcast("masked_select", 2, both, &n_dims, shape.size))
        return NULL;
    shape.n = n_dims;
    gn_tensor *y = gn_index(gn_expand_with(x, shape), GN_BY(gn_expand_with(mask, shape)));
    return y && n_dims == 0 ? gn_reshape(y, -1) : y;
}

/* ---- bincount: y[v] = sum over i with x[i] == v of 1, or of weights[i] */

gn_tensor *gn_bincount(gn_tensor *x, gn_tensor *weights, int64_t minlength) {
    gn_tensor *index = gn__index_tensor("bincount", x);
    if (!index)
        return NULL;
    if (x->n_dims != 1 || (weights && !gn__same_shape(x, weights)))
        return gn__fail_null(GN_E_ARGUMENT, "bincount", "shapes %s%s%s: needs a vector%s",
                             gn__shape_of(x), weights ? " and " : "",
                             weights ? gn__shape_of(weights) : "",
                             weights ? ", and weights of the same shape" : "");
    if (minlength < 0)
        return gn__fail_null(GN_E_ARGUMENT, "bincount", "minlength %lld is negative",
                             (long long)minlength);
    if (x->count && gn_item_int(gn_amin(index)) < 0)
        return gn__fail_null(GN_E_INDEX, "bincount", "a value is negative");
    int64_t length = x->count ? gn_item_int(gn_amax(index)) + 1 : 0;
    gn_shape shape = {.n = 1, .size = {length > minlength ? length : minlength}};
    if (!weights) {
        weights = gn__tensor_new(index->storage->device, GN_I64, 0, NULL);
        if (!weights || gn__fill_data(weights, 1))
            return NULL;
        weights = gn_expand_with(weights, gn_shape_of(x));
    } else if (weights->dtype != GN_F32) {
        weights = gn_cast(weights, GN_F64);
    }
    gn_tensor *t[] = {index, weights};
    return gn__together("bincount", 2, t) ? gn__spread("bincount", shape, 0, t[0], t[1]) : NULL;
}
