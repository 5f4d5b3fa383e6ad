/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arrange.c - the same elements in other places or more often, composed of views, copies and cat:
 * repeat, tile, roll, movedim, diag, meshgrid, hstack, vstack.
 */
#include <stdlib.h>

#include "ops.h"

/* ---- repeat, tile: the whole so often along each dim */

/* One dim so often: a dim in front of it is expanded and merged with it. */
static gn_tensor *repeat_dim(gn_tensor *x, int dim, int64_t times) {
    if (!x || times == 1)
        return x;
    gn_shape shape = gn_shape_of(x);
    int64_t outer = gn__count(dim, shape.size), size = shape.size[dim],
            inner = gn__count((int)shape.n - dim - 1, shape.size + dim + 1);
    if (!gn__mul(size, times, &shape.size[dim]))
        return gn__fail_null(GN_E_MEMORY, "repeat", "shape %s %lld times", gn__shape_of(x),
                             (long long)times);
    gn_tensor *apart = gn_reshape(x, outer, 1, size, inner);
    return gn_reshape_with(gn_expand(apart, outer, times, size, inner), shape);
}

static gn_tensor *repeated(const char *op, gn_tensor *x, gn_shape times) {
    bool fits = times.n >= x->n_dims && times.n <= GN_TENSOR_MAX_DIMS;
    for (int d = 0; fits && d < times.n; d++)
        fits = times.size[d] >= 0;
    if (!fits)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "%s times shape %s: needs a number of 0 or more for each dim",
                             gn__shape_text((int)times.n, times.size), gn__shape_of(x));
    gn_shape shape = times;
    int lead = (int)times.n - x->n_dims;
    for (int d = 0; d < times.n; d++)
        shape.size[d] = d < lead ? 1 : x->size[d - lead];
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = gn_reshape_with(x, shape);
    for (int d = (int)times.n - 1; d >= 0; d--)
        y = repeat_dim(y, d, times.size[d]);
    if (y && y->storage == x->storage) /* nothing was repeated: a copy all the same */
        y = gn_clone(y);
    return gn_scope_end_with(scope, y);
}

gn_tensor *gn_repeat_with(gn_tensor *x, gn_shape times) {
    return gn__failed() || !gn__given("repeat", x) ? NULL : repeated("repeat", x, times);
}

gn_tensor *gn_tile_with(gn_tensor *x, gn_shape times) {
    if (gn__failed() || !gn__given("tile", x))
        return NULL;
    gn_shape all = times;
    int lead = times.n >= 0 && times.n < x->n_dims ? x->n_dims - (int)times.n : 0;
    all.n += lead;
    for (int d = 0; lead && d < all.n; d++)
        all.size[d] = d < lead ? 1 : times.size[d - lead];
    return repeated("tile", x, all);
}

/* ---- roll: what leaves at the end of a dim comes in at its start */

static gn_tensor *roll_dim(gn_tensor *x, int dim, int64_t shift) {
    int64_t size = x && x->n_dims ? x->size[dim] : 0;
    int64_t first = size ? (size - shift % size) % size : 0; /* what becomes element 0 */
    if (first == 0)
        return x;
    gn_tensor *parts[] = {gn_narrow(x, dim, first, size - first), gn_narrow(x, dim, 0, first)};
    return gn_cat(parts, 2, dim);
}

gn_tensor *gn_roll(gn_tensor *x, gn_dims shifts, gn_dims dims) {
    if (gn__failed() || !gn__given("roll", x))
        return NULL;
    bool whole = dims.n == 0 && shifts.n == 1;
    if (shifts.n < 1 || shifts.n > GN_TENSOR_MAX_DIMS || (!whole && shifts.n != dims.n))
        return gn__fail_null(GN_E_ARGUMENT, "roll",
                             "%lld shifts for %lld dims: give one for each dim, or one shift and "
                             "no dim",
                             (long long)shifts.n, (long long)dims.n);
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = whole ? gn_reshape(x, -1) : x;
    for (int i = 0; y && i < shifts.n; i++) {
        int d = 0;
        if (!whole && !gn__dim("roll", dims.dim[i], x->n_dims, &d))
            break;
        y = roll_dim(y, d, shifts.dim[i]);
    }
    y = whole ? gn_reshape_with(y, gn_shape_of(x)) : y;
    if (y && y->storage == x->storage)
        y = gn_clone(y);
    return gn_scope_end_with(scope, gn__failed() ? NULL : y);
}

/* ---- movedim: the dims that are not moved keep their order */

gn_tensor *gn_movedim(gn_tensor *x, gn_dims source, gn_dims destination) {
    gn_shape order = {.n = x ? x->n_dims : 0};
    bool moves[GN_TENSOR_MAX_DIMS] = {false}, taken[GN_TENSOR_MAX_DIMS] = {false};
    if (gn__failed() || !gn__given("movedim", x))
        return NULL;
    if (source.n != destination.n || source.n < 0 || source.n > x->n_dims)
        return gn__fail_null(GN_E_ARGUMENT, "movedim", "%lld dims to %lld places in shape %s",
                             (long long)source.n, (long long)destination.n, gn__shape_of(x));
    for (int i = 0; i < source.n; i++) {
        int from, to;
        if (!gn__dim("movedim", source.dim[i], x->n_dims, &from) ||
            !gn__dim("movedim", destination.dim[i], x->n_dims, &to))
            return NULL;
        if (moves[from] || taken[to])
            return gn__fail_null(GN_E_ARGUMENT, "movedim", "dim %d is given twice",
                                 moves[from] ? from : to);
        moves[from] = taken[to] = true;
        order.size[to] = from;
    }
    for (int to = 0, from = 0; to < x->n_dims; to++) {
        if (taken[to])
            continue;
        while (moves[from])
            from++;
        order.size[to] = from++;
    }
    return gn_permute_with(x, order);
}

/* ---- diag: a vector becomes a diagonal, a matrix gives its own */

gn_tensor *gn_diag(gn_tensor *x, int64_t k) {
    if (gn__failed() || !gn__given("diag", x))
        return NULL;
    if (x->n_dims == 2)
        return gn_diagonal(x, k, 0, 1);
    if (x->n_dims != 1)
        return gn__fail_null(GN_E_ARGUMENT, "diag", "shape %s: needs a vector or a matrix",
                             gn__shape_of(x));
    int64_t size;
    if (k == INT64_MIN || !gn__add(x->count, k < 0 ? -k : k, &size))
        return gn__fail_null(GN_E_ARGUMENT, "diag", "there is no diagonal %lld", (long long)k);
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = gn__tensor_new(x->storage->device, x->dtype, 2, (int64_t[]){size, size});
    if (y && gn__fill_data(y, 0) == GN_OK)
        gn_copy_(gn_diagonal(y, k, 0, 1), x);
    return gn_scope_end_with(scope, gn__failed() ? NULL : y);
}

/* ---- meshgrid: vector k varies along dim k and is the same along all others */

gn_status gn_meshgrid(gn_tensor *const *vectors, int64_t n, bool xy, gn_tensor **out) {
    gn_shape all = {.n = n};
    if (gn__failed())
        return gn_error_status();
    if (n < 1 || n > GN_TENSOR_MAX_DIMS)
        return gn_fail(GN_E_ARGUMENT, "meshgrid", "%lld vectors: 1 to %d are possible",
                       (long long)n, GN_TENSOR_MAX_DIMS);
    for (int k = 0; k < n; k++) {
        if (!gn__given("meshgrid", vectors[k]))
            return gn_error_status();
        if (vectors[k]->n_dims > 1)
            return gn_fail(GN_E_ARGUMENT, "meshgrid", "shape %s (number %d) is no vector",
                           gn__shape_of(vectors[k]), k);
        all.size[k] = vectors[k]->count;
    }
    for (int k = 0; k < n; k++) {
        gn_shape line = {.n = n};
        for (int d = 0; d < n; d++)
            line.size[d] = d == k ? all.size[k] : 1;
        out[k] = gn_expand_with(gn_reshape_with(vectors[k], line), all);
        if (xy && n > 1)
            out[k] = gn_transpose(out[k], 0, 1);
    }
    return gn_error_status();
}

/* ---- hstack, vstack: cat of what has at least 1 and 2 dims */

static gn_tensor *stacked(const char *op, gn_tensor *const *tensors, int64_t n, int least) {
    if (gn__failed())
        return NULL;
    if (n < 1)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld tensors: there must be at least one",
                             (long long)n);
    gn_tensor **grown = gn__alloc_array((size_t)n, sizeof *grown), *y = NULL;
    for (int64_t k = 0; grown && k < n && gn__given(op, tensors[k]); k++) {
        grown[k] = tensors[k];
        while (grown[k] && grown[k]->n_dims < least)
            grown[k] = gn_unsqueeze(grown[k], 0);
    }
    if (grown && !gn__failed())
        y = gn_cat(grown, n, least == 1 && grown[0]->n_dims > 1 ? 1 : 0);
    free(grown);
    return y;
}

gn_tensor *gn_hstack(gn_tensor *const *tensors, int64_t n) {
    return stacked("hstack", tensors, n, 1);
}
gn_tensor *gn_vstack(gn_tensor *const *tensors, int64_t n) {
    return stacked("vstack", tensors, n, 2);
}
