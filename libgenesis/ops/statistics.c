/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statistics.c - reductions composed of others: variance, norms, logsumexp, sums back to a shape.
 */
#include <math.h>

#include "ops.h"

static const gn_reduce_options none = {.struct_size = sizeof none};

/* The number of elements that one result of the reduction comes from. */
static double group_size(const gn_tensor *x, gn_dims dims) {
    double n = 1;
    for (int i = 0; i < dims.n; i++) {
        int d;
        if (!gn__dim("var", dims.dim[i], x->n_dims, &d))
            return 0;
        n *= x->n_dims ? (double)x->size[d] : 1;
    }
    return dims.n ? n : (double)x->count;
}

/* sum (x - mean)^2 / (n - correction), in two passes: exact where sum x^2 - n mean^2 cancels */
gn_tensor *gn_var_with(gn_tensor *x, const gn_reduce_options *o) {
    static gn__op square = {.name = "var", .text = "(x - m) * (x - m)", .variables = "x, m"};
    if (gn__failed() || !gn__given("var", x))
        return NULL;
    o = o ? o : &none;
    if (!gn_dtype_is_float(x->dtype))
        return gn__fail_null(GN_E_ARGUMENT, "var", "needs a floating-point dtype, not %s",
                             gn_dtype_name((gn_dtype)x->dtype));
    double n = group_size(x, o->dims) - gn_or(o->correction, 1);
    gn_tensor *mean = gn_mean(x, .dims = o->dims, .keepdim = true);
    gn_tensor *squares = gn__apply(&square, 2, (gn_tensor *[]){x, mean}, NULL);
    return gn_div_scalar(gn_sum(squares, .dims = o->dims, .keepdim = o->keepdim), n > 0 ? n : 0);
}

/* sqrt(x) with the gradient 0, not infinity, at 0. */
static gn_tensor *root(gn_tensor *x) {
    static gn__op op = {.name = "root",
                        .text = "sqrt(x)",
                        .variables = "x",
                        .gradient = {"y == 0 ? 0 : g / (2 * y)"}};
    return gn__apply(&op, 1, &x, NULL);
}

gn_tensor *gn_std_with(gn_tensor *x, const gn_reduce_options *o) { return root(gn_var_with(x, o)); }

/* m + log(sum(exp(x - m))), m the largest; an infinite m is left out, so that inf - inf can't
 * occur */
gn_tensor *gn_logsumexp_with(gn_tensor *x, const gn_reduce_options *o) {
    static gn__op finite = {.name = "logsumexp", .text = "isinf(x) ? 0 : x", .variables = "x"};
    static gn__op power = {.name = "logsumexp", .text = "exp(x - m)", .variables = "x, m"};
    if (gn__failed() || !gn__given("logsumexp", x))
        return NULL;
    o = o ? o : &none;
    if (!gn_dtype_is_float(x->dtype))
        x = gn_cast(x, gn_default_dtype());
    if (x && x->count == 0)
        return gn_log(gn_sum_with(x, o));
    gn_tensor *whole = x ? gn__tensor_twin(x) : NULL;
    gn_tensor *largest = gn_amax(whole, .dims = o->dims, .keepdim = true);
    gn_tensor *m = largest ? gn__apply(&finite, 1, &largest, NULL) : NULL;
    gn_tensor *sum = gn_sum(gn__apply(&power, 2, (gn_tensor *[]){x, m}, NULL), .dims = o->dims,
                            .keepdim = o->keepdim);
    gn_tensor *y = gn_log(sum);
    return y ? gn_add(y, gn_reshape_with(m, gn_shape_of(y))) : NULL;
}

/* (sum |x|^p)^(1/p); the gradient of the 2-norm at 0 is 0 */
gn_tensor *gn_norm(gn_tensor *x, double p, gn_dims dims, bool keepdim) {
    if (gn__failed() || !gn__given("norm", x))
        return NULL;
    if (!gn_dtype_is_float(x->dtype))
        return gn__fail_null(GN_E_ARGUMENT, "norm", "needs a floating-point dtype, not %s",
                             gn_dtype_name((gn_dtype)x->dtype));
    if (p == 2)
        return root(gn_sum(gn_square(x), .dims = dims, .keepdim = keepdim));
    gn_tensor *size = gn_abs(x);
    if (isinf(p))
        return p > 0 ? gn_amax(size, .dims = dims, .keepdim = keepdim)
                     : gn_amin(size, .dims = dims, .keepdim = keepdim);
    if (p == 1)
        return gn_sum(size, .dims = dims, .keepdim = keepdim);
    if (p == 0)
        return gn_sum(gn_cast(gn_ne_scalar(x, 0), (gn_dtype)x->dtype), .dims = dims,
                      .keepdim = keepdim);
    return gn_pow_scalar(gn_sum(gn_pow_scalar(size, p), .dims = dims, .keepdim = keepdim), 1 / p);
}

gn_tensor *gn_sum_to_shape(gn_tensor *x, gn_shape shape) {
    if (gn__failed() || !gn__given("sum_to_shape", x))
        return NULL;
    gn_dims dims = {0};
    int lead = x->n_dims - (int)shape.n;
    bool fits = lead >= 0 && shape.n >= 0;
    for (int d = 0; fits && d < x->n_dims; d++) {
        int64_t size = d < lead ? 1 : shape.size[d - lead];
        fits = size == x->size[d] || size == 1;
        if (d < lead || (size == 1 && x->size[d] != 1))
            dims.dim[dims.n++] = d;
    }
    if (!fits)
        return gn__fail_null(GN_E_ARGUMENT, "sum_to_shape", "shape %s does not come from %s",
                             gn__shape_of(x), gn__shape_text((int)shape.n, shape.size));
    if (dims.n == 0)
        return x;
    return gn_reshape_with(gn_sum(x, .dims = dims, .keepdim = true), shape);
}
