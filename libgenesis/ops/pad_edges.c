/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pad_edges.c - padding with what the input itself has at its edges: composed of views that are
 * joined. Padding with a constant is gn_pad.
 */
#include <genesis/vision.h>

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
    if (n <= 0 || n <= most)
        return true;
    gn_fail(GN_E_ARGUMENT, op,
            "padding %lld of dim %d of input %s is too large: this padding mode takes at most %lld",
            (long long)n, dim, gn__shape_of(x), (long long)most);
    return false;
}

/* x without what negative amounts cut off along dim. */
static gn_tensor *cropped(const char *op, gn_tensor *x, int dim, int64_t before, int64_t after) {
    const int64_t start = before < 0 ? -before : 0, end = after < 0 ? -after : 0;
    if (before >= 0 && after >= 0)
        return x;
    if (start > x->size[dim] || end > x->size[dim] - start)
        return gn__fail_null(GN_E_ARGUMENT, op, "dim %d of input %s has less than %lld elements",
                             dim, gn__shape_of(x), (long long)(start + end));
    return gn_narrow(x, dim, start, x->size[dim] - start - end);
}

/* x with what lies before and after it along dim; negative amounts add nothing. */
static gn_tensor *extended(const char *op, gn_tensor *x, int dim, int64_t before, int64_t after,
                           gn_padding_mode mode) {
    gn_tensor *parts[3];
    int n = 0;
    if (!check_amount(op, x, dim, before, mode) || !check_amount(op, x, dim, after, mode))
        return NULL;
    if (before > 0)
        parts[n++] = edge(x, dim, false, before, mode);
    parts[n++] = x;
    if (after > 0)
        parts[n++] = edge(x, dim, true, after, mode);
    return n == 1 ? x : gn_cat(parts, n, dim);
}

/* As in PyTorch the other end is that of what is left of x, but a mirror image is that of all. */
gn_tensor *gn__pad_edges(const char *op, gn_tensor *x, int n_spatial, const int64_t *before,
                         const int64_t *after, gn_padding_mode mode) {
    for (int d = 0; x && d < n_spatial; d++) {
        const int dim = x->n_dims - n_spatial + d;
        if (mode == GN_PAD_CIRCULAR)
            x = cropped(op, x, dim, before[d], after[d]);
        if (x)
            x = extended(op, x, dim, before[d], after[d], mode);
        if (x && mode != GN_PAD_CIRCULAR)
            x = cropped(op, x, dim, before[d], after[d]);
    }
    return x;
}

gn_tensor *gn_pad_mode(gn_tensor *x, gn_shape before, gn_shape after, gn_padding_mode mode) {
    static const char op[] = "pad_mode";
    if (gn__failed() || !gn__given(op, x))
        return NULL;
    if (mode == GN_PAD_ZEROS)
        return gn_pad(x, before, after, 0);
    if (mode < GN_PAD_ZEROS || mode > GN_PAD_CIRCULAR)
        return gn__fail_null(GN_E_ARGUMENT, op, "there is no padding mode %d", (int)mode);
    if (before.n != x->n_dims || after.n != x->n_dims)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld and %lld numbers for input %s: one per dim",
                             (long long)before.n, (long long)after.n, gn__shape_of(x));
    for (int d = 0; d < x->n_dims; d++)
        if (before.size[d] < -GN__MAX_STEP || after.size[d] < -GN__MAX_STEP)
            return gn__fail_null(GN_E_ARGUMENT, op, "a padding of dim %d is below -%d", d,
                                 GN__MAX_STEP);
    gn_tensor *y = gn__pad_edges(op, x, x->n_dims, before.size, after.size, mode);
    return y == x ? gn_clone(x) : y;
}
