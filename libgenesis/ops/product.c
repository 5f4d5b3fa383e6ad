/* SPDX-License-Identifier: Apache-2.0 */
/*
 * product.c - the product of matrices on the data: a planned kernel of the backend, or else a
 * product reduced over k. A transposed matrix is a matrix with other strides; nothing is copied.
 */
#include "compose.h"
#include "product.h"

gn_tensor gn__turned(const gn_tensor *t) {
    gn_tensor turned = *t;
    int m = t->n_dims - 2, n = t->n_dims - 1;
    turned.size[m] = t->size[n];
    turned.size[n] = t->size[m];
    turned.stride[m] = t->stride[n];
    turned.stride[n] = t->stride[m];
    return turned;
}

gn_tensor gn__matrix(const gn_tensor *t) {
    gn_tensor matrix = *t;
    int last = t->n_dims - 1;
    int64_t columns = t->size[last], stride = t->stride[last];
    if (t->n_dims != 2) {
        matrix.size[0] = columns ? t->count / columns : gn__count(last, t->size);
        matrix.stride[0] = columns;
        matrix.size[1] = columns;
        matrix.stride[1] = stride;
        matrix.n_dims = 2;
    }
    return matrix;
}

gn_tensor_desc gn__describe_matrices(const gn_tensor *t, const gn_tensor *c) {
    gn_tensor_desc d = gn__describe(t);
    int batch = c->n_dims - 2;
    if (t == NULL || batch == 0)
        return d;
    int lead = c->n_dims - t->n_dims;
    d.n_dims = c->n_dims;
    for (int i = c->n_dims - 1; i >= 0; i--) {
        bool spread = i < lead || (i < batch && t->size[i - lead] == 1 && c->size[i] != 1);
        d.size[i] = i < batch ? c->size[i] : t->size[i - lead];
        d.stride[i] = spread ? 0 : t->stride[i - lead];
    }
    return d;
}

/* The bias (n), seen as c. */
static gn_tensor_desc describe_bias(const gn_tensor *bias, const gn_tensor *c) {
    gn_tensor_desc d = gn__describe(bias);
    if (bias == NULL)
        return d;
    d.n_dims = c->n_dims;
    for (int i = 0; i < c->n_dims; i++) {
        d.size[i] = c->size[i];
        d.stride[i] = i == c->n_dims - 1 ? bias->stride[0] : 0;
    }
    return d;
}

/* Over the space (B.., m, n, k), reduced along k. */
gn_status gn__composed_product(const char *op, gn_tensor *c, gn_tensor *a, gn_tensor *b,
                               gn_tensor *bias) {
    int n = c->n_dims;
    gn__rows space = {.n_dims = n + 1, .n_reduced = 1};
    memcpy(space.size, c->size, sizeof c->size);
    space.size[n] = a->size[a->n_dims - 1];
    gn_tensor *const tensors[] = {a, b, bias, c};
    gn__operand operands[4];
    int k = 0;
    for (int i = 0; i < 4; i++)
        if (tensors[i]) {
            operands[k] = gn__operand_of(tensors[i], n, c->size);
            operands[k++].stride[n] = 0;
        }
    /* operand_of took (m, k) and (k, n) for (m, n) */
    operands[0].stride[n - 2] = a->stride[a->n_dims - 2];
    operands[0].stride[n - 1] = 0;
    operands[0].stride[n] = a->stride[a->n_dims - 1];
    operands[1].stride[n - 2] = 0;
    operands[1].stride[n - 1] = b->stride[b->n_dims - 1];
    operands[1].stride[n] = b->stride[b->n_dims - 2];
    return gn__kernel_run(op, c->storage->device, &gn__product_kernel,
                          GN__VARIANT(c->dtype, bias != NULL), &space, operands, NULL);
}

/* No backend multiplies matrices well that have gaps both ways, as expanded ones do. */
static gn_tensor *dense_one_way(gn_tensor *t) {
    int m = t->n_dims - 2, n = t->n_dims - 1;
    bool rows = t->stride[n] == 1 || t->size[n] == 1,
         columns = t->stride[m] == 1 || t->size[m] == 1;
    bool spread = (t->stride[n] == 0 && t->size[n] > 1) || (t->stride[m] == 0 && t->size[m] > 1);
    return (rows || columns) && !spread ? t : gn__row_major_copy(t);
}

gn_status gn__product(const char *op, gn_tensor *c, gn_tensor *a, gn_tensor *b, gn_tensor *bias) {
    if (gn__failed() || c->count == 0)
        return gn_error_status();
    if (!(a = dense_one_way(a)) || !(b = dense_one_way(b)))
        return gn_error_status();
    if (a->size[a->n_dims - 1] == 0)
        return gn__composed_product(op, c, a, b, bias);
    gn_tensor_desc desc[] = {gn__describe(c), gn__describe_matrices(a, c),
                             gn__describe_matrices(b, c), describe_bias(bias, c)};
    gn_tensor *const tensors[] = {c, a, b, bias};
    const gn_matmul_attr attributes = {.struct_size = sizeof attributes};
    int done = gn__run_described(c->storage->device, op, GN_KERNEL_MATMUL, 4, desc, tensors,
                                 &attributes, sizeof attributes, NULL);
    if (done != 0)
        return done < 0 ? done : GN_OK;
    const gn__composition composition = gn__composition_begin();
    gn_status status = gn__composed_product(op, c, a, b, bias);
    gn__composition_end(&composition);
    return status;
}
