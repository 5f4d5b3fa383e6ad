/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.c - the normalisations as one row program: layer norm reduces the last dims, RMS norm does so
 * without a mean, batch norm reduces all but the channels, group norm each group of them. Its
 * gradients, too. What batch norm has beyond this (planned kernels, running statistics) is in
 * batch_norm.c.
 *
 *   h = (x - mean) rstd   mean = sum x / n, var = sum (x - mean)^2 / n, rstd = 1 / sqrt(var + eps)
 *   y = h weight + bias
 */
#include "norm.h"

/* ---- Programs */

static int normalised(gn__builder *b, int x, int mean, int rstd) {
    int value = gn__load(b, x);
    if (mean >= 0)
        value = gn__emit(b, GN_OP_SUB, value, mean, 0);
    return gn__emit(b, GN_OP_MUL, value, rstd, 0);
}

static int operand_if(gn__builder *b, int role, int dtype) {
    return dtype ? gn__build_operand(b, role, dtype) : -1;
}

/* Operands x, [weight], [bias], y, [mean], [rstd], [var]; params 1 / n, eps. */
static void build_forward(gn__builder *b, const int8_t *v) {
    const bool centred = !(v[3] & NORM_RMS), store = v[3] & NORM_STATISTICS;
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), weight = operand_if(b, GN_READ, v[1]),
        bias = operand_if(b, GN_READ, v[2]), y = gn__build_operand(b, GN_WRITE, v[0]);
    int mean_out = operand_if(b, GN_WRITE, centred && store ? type : 0),
        rstd_out = operand_if(b, GN_WRITE, store ? type : 0),
        var_out = operand_if(b, GN_WRITE, v[3] & NORM_VARIANCE ? type : 0);
    int scale = gn__param(b, type, gn__build_param(b)),
        eps = gn__param(b, type, gn__build_param(b));
    int mean = -1, deviation;
    if (centred) {
        mean = gn__emit(b, GN_OP_MUL, gn__reduce_value(b, GN_SUM, gn__load(b, x), 0), scale, 0);
        if (mean_out >= 0)
            gn__store(b, mean_out, mean);
        gn__elements(b);
        deviation = gn__emit(b, GN_OP_SUB, gn__load(b, x), mean, 0);
    } else {
        deviation = gn__load(b, x);
    }
    int squares = gn__reduce_value(b, GN_SUM, gn__emit(b, GN_OP_MUL, deviation, deviation, 0), 0);
    int var = gn__emit(b, GN_OP_MUL, squares, scale, 0);
    int rstd = gn__emit(b, GN_OP_RSQRT, gn__emit(b, GN_OP_ADD, var, eps, 0), 0, 0);
    if (rstd_out >= 0)
        gn__store(b, rstd_out, rstd);
    if (var_out >= 0)
        gn__store(b, var_out, var);
    gn__elements(b);
    int result = normalised(b, x, mean, rstd);
    if (weight >= 0)
        result = gn__emit(b, GN_OP_MUL, result, gn__cast(b, type, gn__load(b, weight)), 0);
    if (bias >= 0)
        result = gn__emit(b, GN_OP_ADD, result, gn__cast(b, type, gn__load(b, bias)), 0);
    gn__store(b, y, result);
}

/* dx = rstd (g weight - sum(g weight) / n - h sum(g weight h) / n) + [so far]; RMS: without the
 * first sum. Operands x, g, [weight], [mean], rstd, [so far], dx; param 1 / n. v: dtypes of x,
 * weight and what there is so far, flags. */
static void build_backward(gn__builder *b, const int8_t *v) {
    const bool centred = !(v[3] & NORM_RMS);
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), g = gn__build_operand(b, GN_READ, v[0]),
        weight = operand_if(b, GN_READ, v[1]), mean = operand_if(b, GN_READ, centred ? type : 0),
        rstd = gn__build_operand(b, GN_READ, type), so_far = operand_if(b, GN_READ, v[2]),
        dx = gn__build_operand(b, GN_WRITE, v[0]);
    int scale = gn__param(b, type, gn__build_param(b));
    int sum = -1, product = -1;
    for (int pass = 0; pass < 2; pass++) {
        int r = gn__load(b, rstd);
        int h = normalised(b, x, mean >= 0 ? gn__load(b, mean) : -1, r);
        int gw = gn__load(b, g);
        if (weight >= 0)
            gw = gn__emit(b, GN_OP_MUL, gw, gn__cast(b, type, gn__load(b, weight)), 0);
        if (pass == 1) {
            int d = centred ? gn__emit(b, GN_OP_SUB, gw, sum, 0) : gw;
            d = gn__emit(b, GN_OP_SUB, d, gn__emit(b, GN_OP_MUL, h, product, 0), 0);
            d = gn__emit(b, GN_OP_MUL, r, d, 0);
            if (so_far >= 0)
                d = gn__emit(b, GN_OP_ADD, gn__load(b, so_far), d, 0);
            gn__store(b, dx, d);
            return;
        }
        int gwh = gn__emit(b, GN_OP_MUL, gw, h, 0);
        sum = centred ? gn__reduce_value(b, GN_SUM, gw, 0) : -1;
        product = gn__reduce_value(b, GN_SUM, gwh, 0);
        sum = centred ? gn__emit(b, GN_OP_MUL, sum, scale, 0) : -1;
        product = gn__emit(b, GN_OP_MUL, product, scale, 0);
        gn__elements(b);
    }
}

/* dweight = sum g h, dbias = sum g   Operands x, g, [mean], rstd, [dweight], [dbias]. */
static void build_weight(gn__builder *b, const int8_t *v) {
    const bool centred = !(v[3] & NORM_RMS);
    const int type = gn__compute_type(v[0]);
    int x = gn__build_operand(b, GN_READ, v[0]), g = gn__build_operand(b, GN_READ, v[0]),
        mean = operand_if(b, GN_READ, centred ? type : 0),
        rstd = gn__build_operand(b, GN_READ, type), dw = operand_if(b, GN_WRITE, v[1]),
        db = operand_if(b, GN_WRITE, v[2]);
    int gradient = gn__load(b, g);
    int h = normalised(b, x, mean >= 0 ? gn__load(b, mean) : -1, gn__load(b, rstd));
    int gh = gn__emit(b, GN_OP_MUL, gradient, h, 0);
    int weight_sum = dw >= 0 ? gn__reduce_value(b, GN_SUM, gh, 0) : -1;
    int bias_sum = db >= 0 ? gn__reduce_value(b, GN_SUM, gradient, 0) : -1;
    if (dw >= 0)
        gn__store(b, dw, weight_sum);
    if (db >= 0)
        gn__store(b, db, bias_sum);
}

static gn__kernel forward_kernel = {.name = "norm", .build = build_forward};
static gn__kernel backward_kernel = {.name = "norm_backward", .build = build_backward};
static gn__kernel weight_kernel = {.name = "norm_weight", .build = build_weight};

/* ---- Forward */

static int8_t dtype_of(const gn_tensor *t) { return t ? t->dtype : 0; }

/* How a tensor that has only the dims of the mask, in order, lies in a space. */
static gn__operand over(const gn__rows *space, unsigned mask, const gn_tensor *t) {
    gn__operand operand = {.storage = t->storage, .offset = t->offset};
    for (int i = 0; i < space->n_dims; i++) {
        const unsigned d = (unsigned)space->order[i];
        if (mask >> d & 1)
            operand.stride[i] = t->stride[__builtin_popcount(mask & ((1u << d) - 1))];
    }
    return operand;
}

static double reciprocal_count(const gn__rows *space) {
    int kept = space->n_dims - space->n_reduced;
    return 1.0 / (double)gn__count(space->n_reduced, space->size + kept);
}

gn_status gn__norm_forward(const gn__norm *norm, gn_tensor *x, gn_tensor *weight, gn_tensor *bias,
                           gn_tensor *y, gn__statistics *out) {
    gn__device *device = x->storage->device;
    const int type = gn__compute_type(x->dtype);
    gn__rows space = gn__rows_of(x, norm->reduced);
    gn__operand operands[7];
    int n = 0;
    operands[n++] = gn__rows_full(&space, x);
    if (weight)
        operands[n++] = over(&space, norm->weighted, weight);
    if (bias)
        operands[n++] = over(&space, norm->weighted, bias);
    operands[n++] = gn__rows_full(&space, y);
    gn_tensor **const statistics[] = {&out->mean, &out->rstd, &out->var};
    const bool wanted[] = {(norm->flags & NORM_STATISTICS) && !(norm->flags & NORM_RMS),
                           norm->flags & NORM_STATISTICS, norm->flags & NORM_VARIANCE};
    for (int i = 0; i < 3; i++) {
        if (!wanted[i])
            continue;
        *statistics[i] = gn__rows_new_kept(&space, device, type);
        if (*statistics[i] == NULL)
            return gn_error_status();
        operands[n++] = gn__rows_kept(&space, *statistics[i]);
    }
    const gn_scalar params[] = {{.f = reciprocal_count(&space)}, {.f = norm->eps}};
    return gn__kernel_run(norm->op, device, &forward_kernel,
                          GN__VARIANT(x->dtype, dtype_of(weight), dtype_of(bias), norm->flags),
                          &space, operands, params);
}

/* ---- Backward */

gn_tensor *gn__norm_dx(const gn__norm *norm, gn_tensor *x, gn_tensor *g, gn_tensor *weight,
                       const gn__statistics *statistics, gn_tensor *so_far) {
    gn_tensor *dx = so_far ? so_far : gn__tensor_like(x, x->dtype);
    if (dx == NULL)
        return NULL;
    gn__rows space = gn__rows_of(x, norm->reduced);
    gn__operand operands[7];
    int n = 0;
    operands[n++] = gn__rows_full(&space, x);
    operands[n++] = gn__rows_full(&space, g);
    if (weight)
        operands[n++] = over(&space, norm->weighted, weight);
    if (!(norm->flags & NORM_RMS))
        operands[n++] = gn__rows_kept(&space, statistics->mean);
    operands[n++] = gn__rows_kept(&space, statistics->rstd);
    if (so_far)
        operands[n++] = gn__rows_full(&space, so_far);
    operands[n++] = gn__rows_full(&space, dx);
    const gn_scalar params[] = {{.f = reciprocal_count(&space)}};
    gn_status status = gn__kernel_run(
        norm->op, x->storage->device, &backward_kernel,
        GN__VARIANT(x->dtype, dtype_of(weight), dtype_of(so_far), norm->flags & NORM_RMS), &space,
        operands, params);
    return status == GN_OK ? dx : NULL;
}

gn_status gn__norm_dweight(const gn__norm *norm, gn_tensor *x, gn_tensor *g,
                           const gn__statistics *statistics, gn_tensor *dw, gn_tensor *db) {
    if (dw == NULL && db == NULL)
        return GN_OK;
    gn__rows space = gn__rows_of(x, ~norm->weighted);
    gn__operand operands[6];
    int n = 0;
    operands[n++] = gn__rows_full(&space, x);
    operands[n++] = gn__rows_full(&space, g);
    if (!(norm->flags & NORM_RMS))
        operands[n++] = over(&space, ~norm->reduced, statistics->mean);
    operands[n++] = over(&space, ~norm->reduced, statistics->rstd);
    if (dw)
        operands[n++] = gn__rows_kept(&space, dw);
    if (db)
        operands[n++] = gn__rows_kept(&space, db);
    return gn__kernel_run(norm->op, x->storage->device, &weight_kernel,
                          GN__VARIANT(x->dtype, dtype_of(dw), dtype_of(db), norm->flags & NORM_RMS),
                          &space, operands, NULL);
}

/* ---- The same in public operations, for gradients of gradients */

/* x's shape with 1 for each dim that is not weighted. */
static gn_shape weight_shape(const gn__norm *norm, const gn_tensor *x) {
    gn_shape shape = {.n = x->n_dims};
    for (int d = 0; d < x->n_dims; d++)
        shape.size[d] = norm->weighted >> d & 1 ? x->size[d] : 1;
    return shape;
}

static gn_dims dims_of(unsigned mask, int n_dims) {
    gn_dims dims = {.n = 0};
    for (int d = 0; d < n_dims; d++)
        if (mask >> d & 1)
            dims.dim[dims.n++] = d;
    return dims;
}

static gn_tensor *mean_of(const gn__norm *norm, gn_tensor *t) {
    return gn_mean(t, .dims = dims_of(norm->reduced, t->n_dims), .keepdim = true);
}

static gn_tensor *folded(gn_tensor *t, gn_shape shape, const gn_tensor *weight) {
    t = gn_reshape_with(gn_sum_to_shape(t, shape), gn_shape_of(weight));
    return gn_cast(t, weight->dtype);
}

gn_status gn__norm_backward_recorded(const gn__norm *norm, gn__node *node, gn_tensor *x,
                                     gn_tensor *g, gn_tensor *weight, gn_tensor *bias,
                                     const gn__statistics *fixed, gn_tensor **out) {
    const gn_dtype dtype = x->dtype, type = gn__compute_type(dtype);
    const gn_shape shape = weight_shape(norm, x);
    x = gn_cast(x, type);
    g = gn_cast(g, type);
    gn_tensor *mean = fixed ? gn_reshape_with(fixed->mean, shape) : NULL, *rstd, *h = x;
    if (fixed) {
        rstd = gn_reshape_with(fixed->rstd, shape);
        h = gn_sub(x, mean);
    } else {
        if (!(norm->flags & NORM_RMS))
            h = gn_sub(x, mean_of(norm, x));
        rstd = gn_rsqrt(gn_add_scalar(mean_of(norm, gn_square(h)), norm->eps));
    }
    h = gn_mul(h, rstd);
    if (gn__needs(node, NORM_WEIGHT))
        out[NORM_WEIGHT] = folded(gn_mul(g, h), shape, weight);
    if (gn__needs(node, NORM_BIAS))
        out[NORM_BIAS] = folded(g, shape, bias);
    if (!gn__needs(node, NORM_X))
        return gn_error_status();
    gn_tensor *d = weight ? gn_mul(g, gn_reshape_with(gn_cast(weight, type), shape)) : g;
    if (!fixed) {
        gn_tensor *along = gn_mul(h, mean_of(norm, gn_mul(d, h)));
        if (!(norm->flags & NORM_RMS))
            d = gn_sub(d, mean_of(norm, d));
        d = gn_sub(d, along);
    }
    out[NORM_X] = gn_cast(gn_mul(d, rstd), dtype);
    return gn_error_status();
}

/* ---- Checks */

bool gn__check_per_channel(const char *op, const char *what, const gn_tensor *t,
                           const gn_tensor *x) {
    if (t == NULL)
        return true;
    if (t->n_dims != 1 || t->size[0] != x->size[1]) {
        gn_fail(GN_E_ARGUMENT, op, "%s %s does not fit input %s: it must be (%lld)", what,
                gn__shape_of(t), gn__shape_of(x), (long long)x->size[1]);
        return false;
    }
    return gn__check_float(op, what, t);
}
