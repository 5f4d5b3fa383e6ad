/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select.c - results whose size depends on the values: nonzero, masked_select, bincount,
 * repeat_interleave_by.
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

/* ---- repeat_interleave_by: the slices of x at 0 repeats[0] times, at 1 repeats[1] times, .. */

/* The number of slices in the result; -1 with an error. */
static int64_t repeated_size(const char *op, const int64_t *repeats, int64_t n, int64_t step) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        if (repeats[i * step] < 0) {
            gn_fail(GN_E_ARGUMENT, op, "%lld repeats: at least 0", (long long)repeats[i * step]);
            return -1;
        } else if (!gn__add(sum, repeats[i * step], &sum)) {
            gn_fail(GN_E_MEMORY, op, "there are more repeats than can be addressed");
            return -1;
        }
    return sum;
}

gn_tensor *gn_repeat_interleave_by(gn_tensor *x, gn_tensor *repeats, int64_t dim) {
    static const char op[] = "repeat_interleave";
    int d;
    gn_tensor *counts = gn__index_tensor(op, repeats), *both[] = {x, counts}, *index = NULL;
    if (!counts || !gn__given(op, x) || !gn__dim(op, dim, x->n_dims, &d))
        return NULL;
    gn__device *device = gn__common_device(op, 2, both);
    x = x->n_dims ? x : gn_reshape(x, 1);
    if (!device || !x)
        return NULL;
    int64_t n = x->size[d], step = counts->count == 1 ? 0 : 1;
    if (counts->n_dims > 1 || (step && counts->count != n))
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "repeats %s do not fit dim %d of shape %s: it needs 1 or %lld",
                             gn__shape_of(counts), d, gn__shape_of(x), (long long)n);
    int64_t *count = gn__alloc_array((size_t)counts->count + 1, sizeof *count), *rows = NULL;
    if (count && !gn_copy_out(counts, count, GN_I64, counts->count)) {
        int64_t size = repeated_size(op, count, n, step), k = 0;
        index = size < 0 ? NULL : gn__tensor_new(device, GN_I64, 1, &size);
        rows = index ? gn__alloc_array((size_t)size + 1, sizeof *rows) : NULL;
        for (int64_t i = 0; rows && i < n; i++)
            for (int64_t j = 0; j < count[i * step]; j++)
                rows[k++] = i;
        if (rows)
            gn__copy_in_data(index, rows, GN_I64, size);
    }
    free(count);
    free(rows);
    return gn__failed() ? NULL : gn_index_select(x, d, index);
}
