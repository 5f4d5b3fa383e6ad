/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pad_edges.c - padding with what the input itself has at its edges: composed of views that are
 * joined. Padding with a constant is gn_pad.
 */
#include "support.h"

/* What lies before the start of dim, or after its end, n elements long. */
static gn_tensor *edge(gn_tensor *x, int dim, bool end, int64_t n, gn_padding_mode mode) {
    const int64_t size = x->size[dim];
    gn_shape shape = gn__shape(x->n_dims, x->size);
    switch (mode) {
    case GN_PAD_REFLECT: /* the outermost element is not repeated */
        return gn_flip(gn_narrow(x, dim, end ? size - 1 - n : 1, n), GN_DIMS(dim));
    case GN_PAD_REPLICATE:
        shape.size[dim] = n;
        return gn_expand_with(gn_narrow(x, dim, end ? size - 1 : 0, 1), shape);
    default: /* circular */ return gn_narrow(x, dim, end ? 0 : size - n, n);
    }
}

static bool check_amount(const char *op, const gn_tensor *x, int dim, int64_t n,
                         gn_padding_mode mode) {
    const int64_t size = x->size[dim], most = mode == GN_PAD_REFLECT    ? size - 1
                                              : mode == GN_PAD_CIRCULAR ? size
                                              : size > 0                ? GN__MAX_STEP
                                                                        : 0;
    if (n == 0 || n <= most)
        return true;
    gn_fail(GN_E_ARGUMENT, op,
            "padding %lld of dim %d of input %s is too large: this padding mode takes at most %lld",
            (long long)n, dim, gn__shape_of(x), (long long)most);
    return false;
}

gn_tensor *gn__pad_edges(const char *op, gn_tensor *x, int n_spatial, const int64_t *before,
                         const int64_t *after, gn_padding_mode mode) {
    for (int d = 0; x && d < n_spatial; d++) {
        const int dim = x->n_dims - n_spatial + d;
        if (!check_amount(op, x, dim, before[d], mode) || !check_amount(op, x, dim, after[d], mode))
            return NULL;
        gn_tensor *parts[3];
        int n = 0;
        if (before[d])
            parts[n++] = edge(x, dim, false, before[d], mode);
        parts[n++] = x;
        if (after[d])
            parts[n++] = edge(x, dim, true, after[d], mode);
        x = n == 1 ? x : gn_cat(parts, n, dim);
    }
    return x;
}
