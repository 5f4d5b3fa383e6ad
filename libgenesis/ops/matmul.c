/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul.c - products of tensors with 1 and more dims, and their gradients.
 */
#include "ops.h"
#include "product.h"
#include "support.h"

static const char op[] = "matmul";

/* ---- Without history */

static bool shapes_fit(const gn_tensor *a, const gn_tensor *b) {
    int64_t k = a->size[a->n_dims - 1];
    if (k == b->size[b->n_dims - 2])
        return true;
    gn_fail(GN_E_ARGUMENT, op,
            "shapes %s and %s do not fit: the last dim of the first (%lld) must equal the last but "
            "one of the second (%lld)",
            gn__shape_of(a), gn__shape_of(b), (long long)k, (long long)b->size[b->n_dims - 2]);
    return false;
}

/* The shape of the product of two tensors of 2 or more dims; false with an error. */
static bool product_shape(const gn_tensor *a, const gn_tensor *b, int *n_dims, int64_t *size) {
    gn_tensor batch_a = *a, batch_b = *b; /* only sizes are looked at */
    batch_a.n_dims -= 2;
    batch_b.n_dims -= 2;
    gn_tensor *batches[] = {&batch_a, &batch_b};
    if (!shapes_fit(a, b) || !gn__broadcast(op, 2, batches, n_dims, size))
        return false;
    size[(*n_dims)++] = a->size[a->n_dims - 2];
    size[(*n_dims)++] = b->size[b->n_dims - 1];
    return true;
}

/* c = a b, without history: a and b have 2 and more dims, and one dtype. */
static gn_tensor *product(gn_tensor *a, gn_tensor *b) {
    int n_dims;
    int64_t size[GN_MAX_DIMS];
    if (!product_shape(a, b, &n_dims, size))
        return NULL;
    gn_tensor *c = gn__tensor_new(a->storage->device, a->dtype, n_dims, size);
    return c && gn__product(op, c, a, b, NULL) == GN_OK ? c : NULL;
}

/* ---- History */

/* c = a b:   da = g b^T, db = a^T g, summed over dims that were broadcast */
static gn_status matmul_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    for (int i = 0; i < 2; i++) {
        gn_tensor *other = gn__needs(node, i) ? gn__saved_tensor(node, 1 - i) : NULL;
        if (other == NULL)
            continue;
        gn_tensor look = gn__turned(other), *g = grads[0], *d;
        if (gn_is_grad_enabled())
            d = i == 0 ? gn_matmul(g, gn_transpose(other, -1, -2))
                       : gn_matmul(gn_transpose(other, -1, -2), g);
        else
            d = i == 0 ? product(g, &look) : product(&look, g);
        gn_shape shape = gn__input_shape(node, i);
        out[i] = d ? gn_sum_to_shape(d, shape) : NULL;
    }
    return gn_error_status();
}
static const gn__node_class matmul_node = {.name = op, .backward = matmul_backward};

static gn_tensor *matmul_nd(gn_tensor *a, gn_tensor *b) {
    gn_tensor *inputs[] = {a, b};
    if (gn__failed() || !gn__common_device(op, 2, inputs))
        return NULL;
    gn_tensor *c = product(a, b);
    if (c == NULL || !gn_dtype_is_float(c->dtype) || !gn__recording(2, inputs))
        return c;
    gn__node *node = gn__record(&matmul_node, c, 2, inputs, 0);
    for (int i = 0; node && i < 2; i++)
        if (gn__needs(node, i))
            gn__save(node, 1 - i, inputs[1 - i]);
    return node ? c : NULL;
}

gn_tensor *gn_matmul(gn_tensor *a, gn_tensor *b) {
    if (gn__failed() || !gn__given("matmul", a) || !gn__given("matmul", b))
        return NULL;
    if (a->n_dims == 0 || b->n_dims == 0)
        return gn__fail_null(GN_E_ARGUMENT, "matmul", "shapes %s and %s: both need at least 1 dim",
                             gn__shape_of(a), gn__shape_of(b));
    if (a->dtype != b->dtype)
        return gn__fail_null(GN_E_ARGUMENT, "matmul",
                             "%s %s and %s %s: convert one of them with gn_cast",
                             gn_dtype_name((gn_dtype)a->dtype), gn__shape_of(a),
                             gn_dtype_name((gn_dtype)b->dtype), gn__shape_of(b));
    bool row = a->n_dims == 1, column = b->n_dims == 1;
    gn_tensor *c = matmul_nd(row ? gn_unsqueeze(a, 0) : a, column ? gn_unsqueeze(b, 1) : b);
    if (row && c)
        c = gn_squeeze_dim(c, -2);
    return column && c ? gn_squeeze_dim(c, -1) : c;
}

/* ---- The same for given numbers of dims */

static bool dims_are(const char *name, gn_tensor *a, gn_tensor *b, int n) {
    if (gn__failed() || !gn__given(name, a) || !gn__given(name, b))
        return false;
    if (a->n_dims == n && b->n_dims == n)
        return true;
    gn_fail(GN_E_ARGUMENT, name, "shapes %s and %s: both need %d dim(s)", gn__shape_of(a),
            gn__shape_of(b), n);
    return false;
}

gn_tensor *gn_mm(gn_tensor *a, gn_tensor *b) {
    return dims_are("mm", a, b, 2) ? gn_matmul(a, b) : NULL;
}
gn_tensor *gn_dot(gn_tensor *a, gn_tensor *b) {
    return dims_are("dot", a, b, 1) ? gn_matmul(a, b) : NULL;
}

gn_tensor *gn_bmm(gn_tensor *a, gn_tensor *b) {
    if (!dims_are("bmm", a, b, 3))
        return NULL;
    if (a->size[0] != b->size[0])
        return gn__fail_null(GN_E_ARGUMENT, "bmm", "shapes %s and %s: the first dims must be equal",
                             gn__shape_of(a), gn__shape_of(b));
    return gn_matmul(a, b);
}

gn_tensor *gn_outer(gn_tensor *a, gn_tensor *b) {
    return dims_are("outer", a, b, 1) ? gn_mul(gn_unsqueeze(a, 1), b) : NULL;
}

gn_tensor *gn_mv(gn_tensor *a, gn_tensor *v) {
    if (gn__failed() || !gn__given("mv", a) || !gn__given("mv", v))
        return NULL;
    if (a->n_dims != 2 || v->n_dims != 1)
        return gn__fail_null(GN_E_ARGUMENT, "mv", "shapes %s and %s: needs a matrix and a vector",
                             gn__shape_of(a), gn__shape_of(v));
    return gn_matmul(a, v);
}

/* ---- beta x + alpha a b */

static gn_tensor *add_product(gn_tensor *x, gn_tensor *product, const gn_addmm_options *options) {
    static gn__op sum = {
        .name = "addmm", .text = "b * x + a * p", .variables = "x, p", .params = "b, a"};
    gn_addmm_options o;
    gn__options(&o, sizeof o, options);
    double beta = gn_or(o.beta, 1), alpha = gn_or(o.alpha, 1);
    if (!product || beta == 0) /* x is not looked at: it may be NaN */
        return alpha == 1 ? product : gn_mul_scalar(product, alpha);
    gn_tensor *inputs[] = {gn_expand_with(x, gn_shape_of(product)), product};
    return gn__apply(&sum, 2, inputs, (double[]){beta, alpha});
}

gn_tensor *gn_addmm_with(gn_tensor *x, gn_tensor *a, gn_tensor *b,
                         const gn_addmm_options *options) {
    return gn__failed() || !gn__given("addmm", x) || !dims_are("addmm", a, b, 2)
               ? NULL
               : add_product(x, gn_mm(a, b), options);
}

gn_tensor *gn_baddbmm_with(gn_tensor *x, gn_tensor *a, gn_tensor *b,
                           const gn_addmm_options *options) {
    return gn__failed() || !gn__given("baddbmm", x) || !dims_are("baddbmm", a, b, 3)
               ? NULL
               : add_product(x, gn_bmm(a, b), options);
}
