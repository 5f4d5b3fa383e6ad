/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linalg.c - products composed of matmul, mul and views: tensordot, kron; and trace. The products
 * themselves are in matmul.c, einsum in einsum.c.
 */
#include "ops.h"

/* ---- tensordot: the dims that are contracted come last in a and first in b, as one */

/* All dims, the given ones at the front or at the end; `kept` gets the sizes of the others.
 * False with an error. */
static bool order_dims(gn_tensor *t, gn_dims dims, bool front, gn_shape *order, gn_shape *kept) {
    bool given[GN_TENSOR_MAX_DIMS] = {false};
    gn_shape chosen = {.n = dims.n}, others = {0};
    *kept = (gn_shape){0};
    for (int i = 0; i < dims.n; i++) {
        int d;
        if (!gn__dim("tensordot", dims.dim[i], t->n_dims, &d))
            return false;
        if (given[d] || t->n_dims == 0) {
            gn_fail(GN_E_ARGUMENT, "tensordot", "dim %d of shape %s is given twice or not there", d,
                    gn__shape_of(t));
            return false;
        }
        given[d] = true;
        chosen.size[i] = d;
    }
    for (int d = 0; d < t->n_dims; d++)
        if (!given[d]) {
            others.size[others.n++] = d;
            kept->size[kept->n++] = t->size[d];
        }
    const gn_shape *first = front ? &chosen : &others, *second = front ? &others : &chosen;
    *order = *first;
    for (int i = 0; i < second->n; i++)
        order->size[order->n++] = second->size[i];
    return true;
}

gn_tensor *gn_tensordot(gn_tensor *a, gn_tensor *b, gn_dims dims_a, gn_dims dims_b) {
    gn_shape order_a, order_b, shape, kept_b;
    if (gn__failed() || !gn__given("tensordot", a) || !gn__given("tensordot", b))
        return NULL;
    if (dims_a.n != dims_b.n || dims_a.n < 0 || dims_a.n > GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_ARGUMENT, "tensordot",
                             "%lld dims of the first, %lld of the second", (long long)dims_a.n,
                             (long long)dims_b.n);
    if (!order_dims(a, dims_a, false, &order_a, &shape) ||
        !order_dims(b, dims_b, true, &order_b, &kept_b))
        return NULL;
    int64_t k = 1;
    bool fits = shape.n + kept_b.n <= GN_TENSOR_MAX_DIMS;
    for (int i = 0; fits && i < dims_a.n; i++) {
        int64_t size = a->size[order_a.size[shape.n + i]];
        fits = size == b->size[order_b.size[i]];
        k *= size;
    }
    if (!fits)
        return gn__fail_null(GN_E_ARGUMENT, "tensordot",
                             "shapes %s and %s do not fit: paired dims must have equal sizes, and "
                             "the others be no more than %d",
                             gn__shape_of(a), gn__shape_of(b), GN_TENSOR_MAX_DIMS);
    gn_scope scope = gn_scope_begin();
    int64_t rows = gn__count((int)shape.n, shape.size),
            columns = gn__count((int)kept_b.n, kept_b.size);
    gn_tensor *left = gn_reshape(gn_permute_with(a, order_a), rows, k);
    gn_tensor *right = gn_reshape(gn_permute_with(b, order_b), k, columns);
    for (int d = 0; d < kept_b.n; d++)
        shape.size[shape.n++] = kept_b.size[d];
    return gn_scope_end_with(scope, gn_reshape_with(gn_mm(left, right), shape));
}

/* ---- kron: y[i p + k, j q + l] = a[i, j] b[k, l], for any number of dims */

gn_tensor *gn_kron(gn_tensor *a, gn_tensor *b) {
    gn_shape left = {0}, right = {0}, shape = {0};
    if (gn__failed() || !gn__given("kron", a) || !gn__given("kron", b))
        return NULL;
    int n = a->n_dims > b->n_dims ? a->n_dims : b->n_dims;
    if (2 * n > GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_UNSUPPORTED, "kron", "shapes %s and %s: at most %d dims",
                             gn__shape_of(a), gn__shape_of(b), GN_TENSOR_MAX_DIMS / 2);
    left.n = right.n = 2 * n;
    shape.n = n;
    for (int d = 0; d < n; d++) {
        int in_a = d - (n - a->n_dims), in_b = d - (n - b->n_dims);
        left.size[2 * d] = in_a < 0 ? 1 : a->size[in_a];
        right.size[2 * d + 1] = in_b < 0 ? 1 : b->size[in_b];
        left.size[2 * d + 1] = right.size[2 * d] = 1;
        if (!gn__mul(left.size[2 * d], right.size[2 * d + 1], &shape.size[d]))
            return gn__fail_null(GN_E_MEMORY, "kron", "shapes %s and %s", gn__shape_of(a),
                                 gn__shape_of(b));
    }
    gn_scope scope = gn_scope_begin();
    gn_tensor *product = gn_mul(gn_reshape_with(a, left), gn_reshape_with(b, right));
    return gn_scope_end_with(scope, gn_reshape_with(product, shape));
}

gn_tensor *gn_trace(gn_tensor *x) {
    if (gn__failed() || !gn__given("trace", x))
        return NULL;
    if (x->n_dims != 2)
        return gn__fail_null(GN_E_ARGUMENT, "trace", "shape %s: needs a matrix", gn__shape_of(x));
    return gn_sum(gn_diagonal(x, 0, 0, 1));
}
