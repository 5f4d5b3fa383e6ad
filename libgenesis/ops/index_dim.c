/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index_dim.c - slices at a vector of indices along a dim, composed of gather and scatter:
 * index_add, index_copy; and take_along_dim.
 */
#include "ops.h"

/* A vector of indices along the dim, spread over the shape of source; NULL with an error if it is
 * none, or source is not x with index->count slices in the dim. */
static gn_tensor *spread_index(const char *op, gn_tensor *x, int64_t dim, gn_tensor *index,
                               gn_tensor *source) {
    int d;
    index = gn__index_tensor(op, index);
    if (!index || !gn__given(op, x) || !gn__given(op, source) || !gn__dim(op, dim, x->n_dims, &d))
        return NULL;
    bool fits = index->n_dims <= 1 && source->n_dims == x->n_dims &&
                (x->n_dims ? source->size[d] : 1) == index->count;
    for (int i = 0; fits && i < x->n_dims; i++)
        fits = i == d || source->size[i] == x->size[i];
    if (!fits)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "index %s must be a vector, and source %s differ from %s only in dim "
                             "%d, where it has one slice for each index",
                             gn__shape_of(index), gn__shape_of(source), gn__shape_of(x), d);
    gn_shape line = gn_shape_of(x);
    for (int i = 0; i < x->n_dims; i++)
        line.size[i] = i == d ? index->count : 1;
    return gn_expand_with(gn_reshape_with(index, line), gn_shape_of(source));
}

gn_tensor *gn_index_add(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source) {
    return gn_scatter_add(x, dim, spread_index("index_add", x, dim, index, source), source);
}

gn_tensor *gn_index_copy(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source) {
    return gn_scatter(x, dim, spread_index("index_copy", x, dim, index, source), source);
}

gn_tensor *gn_take_along_dim(gn_tensor *x, gn_tensor *index, int64_t dim) {
    static const char op[] = "take_along_dim";
    int d;
    if (gn__failed() || !gn__given(op, x) || !gn__given(op, index) ||
        !gn__dim(op, dim, x->n_dims, &d))
        return NULL;
    if (x->n_dims != index->n_dims)
        return gn__fail_null(GN_E_ARGUMENT, op, "index %s must have as many dims as %s",
                             gn__shape_of(index), gn__shape_of(x));
    if (x->n_dims == 0)
        return gn_gather(x, 0, index);
    /* all dims but one broadcast: sizes are compared with that one made equal */
    gn_tensor a = *x, b = *index, *both[] = {&a, &b}; /* only sizes are looked at */
    gn_shape shape = {0};
    int n_dims;
    a.size[d] = b.size[d] = 1;
    if (!gn__broadcast(op, 2, both, &n_dims, shape.size))
        return NULL;
    shape.n = n_dims;
    gn_shape from = shape, at = shape;
    from.size[d] = x->size[d];
    at.size[d] = index->size[d];
    return gn_gather(gn_expand_with(x, from), d, gn_expand_with(index, at));
}
