/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bilinear.c - y_o = sum_ij a_i W_oij b_j + bias_o: a product with all of W as one matrix, then
 * one for each row.
 */
#include "support.h"

static const char op[] = "bilinear";

static bool ends_with(const char *what, const gn_tensor *t, const gn_tensor *weight, int dim) {
    if (t->n_dims > 0 && t->size[t->n_dims - 1] == weight->size[dim])
        return true;
    gn_fail(GN_E_ARGUMENT, op, "the %s input %s does not fit weight %s: the last dim must be %lld",
            what, gn__shape_of(t), gn__shape_of(weight), (long long)weight->size[dim]);
    return false;
}

static bool check(const gn_tensor *a, const gn_tensor *b, const gn_tensor *weight,
                  const gn_tensor *bias) {
    if (!gn__given(op, a) || !gn__given(op, b) || !gn__given(op, weight))
        return false;
    if (weight->n_dims != 3)
        gn_fail(GN_E_ARGUMENT, op, "weight %s must be (out, in1, in2)", gn__shape_of(weight));
    else if (!ends_with("first", a, weight, 1) || !ends_with("second", b, weight, 2))
        return false;
    else if (a->n_dims != b->n_dims ||
             memcmp(a->size, b->size, (size_t)(a->n_dims - 1) * sizeof a->size[0]) != 0)
        gn_fail(GN_E_ARGUMENT, op, "inputs %s and %s must have the same dims but the last",
                gn__shape_of(a), gn__shape_of(b));
    else if (bias && (bias->n_dims != 1 || bias->size[0] != weight->size[0]))
        gn_fail(GN_E_ARGUMENT, op, "bias %s does not fit weight %s: it must be (%lld)",
                gn__shape_of(bias), gn__shape_of(weight), (long long)weight->size[0]);
    return !gn__failed();
}

gn_tensor *gn_bilinear(gn_tensor *a, gn_tensor *b, gn_tensor *weight, gn_tensor *bias) {
    if (gn__failed() || !check(a, b, weight, bias))
        return NULL;
    const int64_t outputs = weight->size[0], in1 = weight->size[1], in2 = weight->size[2];
    gn_shape shape = gn_shape_of(a);
    const int64_t n = gn__count(a->n_dims - 1, a->size);
    shape.size[shape.n - 1] = outputs;
    /* (in1, out in2); (n, out, in2); (n, out) */
    gn_tensor *matrix = gn_reshape(gn_transpose(weight, 0, 1), in1, outputs * in2);
    gn_tensor *rows = gn_reshape(gn_matmul(gn_reshape(a, n, in1), matrix), n, outputs, in2);
    gn_tensor *y = gn_squeeze_dim(gn_bmm(rows, gn_reshape(b, n, in2, 1)), 2);
    y = gn_reshape_with(y, shape);
    return bias ? gn_add(y, bias) : y;
}
