/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.c - random numbers whose distribution comes from tensors: bernoulli_of, normal,
 * multinomial.
 */
#include <math.h>

#include "ops.h"
#include "support.h"

static bool are_floats(const char *op, const gn_tensor *t) {
    return !gn__failed() && gn__given(op, t) && gn__check_float(op, "input", t);
}

/* Where x is, of its dtype. */
static const gn_tensor_options *beside(const gn_tensor *x, gn_generator *generator,
                                       gn_tensor_options *options) {
    *options = (gn_tensor_options){.struct_size = sizeof *options,
                                   .device = gn_device_of(x),
                                   .dtype = x->dtype,
                                   .generator = generator};
    return options;
}

gn_tensor *gn_bernoulli_of(gn_tensor *p, gn_generator *generator) {
    gn_tensor_options options;
    if (!are_floats("bernoulli", p))
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn_tensor *u = gn_rand_with(gn_shape_of(p), beside(p, generator, &options));
    return gn_scope_end_with(scope, gn_cast(gn_lt(u, p), (gn_dtype)p->dtype));
}

gn_tensor *gn_normal(gn_tensor *mean, gn_tensor *std, gn_generator *generator) {
    gn_tensor *both[] = {mean, std};
    gn_tensor_options options;
    gn_shape shape = {0};
    int n_dims;
    if (!are_floats("normal", mean) || !are_floats("normal", std) ||
        !gn__broadcast("normal", 2, both, &n_dims, shape.size))
        return NULL;
    gn__device *device = gn__common_device("normal", 2, both);
    if (!device)
        return NULL;
    shape.n = n_dims;
    beside(mean, generator, &options);
    options.device = device->name;
    gn_scope scope = gn_scope_begin();
    gn_tensor *z = gn_randn_with(shape, &options);
    return gn_scope_end_with(scope, gn_addcmul(mean, std, z, 1));
}

/* ---- multinomial */

/* Weights are not negative, and have sums that are positive and finite; without replacement, n of
 * them are not 0. */
static bool check_weights(gn_tensor *weights, int64_t n, bool replacement) {
    static const char op[] = "multinomial";
    static gn__op usable = {.name = "multinomial",
                            .text = "least >= 0 && sum > 0 && !isinf(sum)",
                            .variables = "least, sum"};
    if (!weights->count)
        return true;
    gn_dims row = GN_DIMS(-1);
    gn_tensor *in[] = {gn_amin(weights, .dims = row), gn_sum(weights, .dims = row)};
    gn_tensor *fits = gn_all(gn__failed() ? NULL : gn__apply(&usable, 2, in, NULL));
    if (!gn_item_bool(fits))
        gn_fail(GN_E_ARGUMENT, op,
                "weights must not be negative, and each row must have a positive, finite sum");
    else if (!replacement &&
             gn_item_int(gn_amin(gn_sum(gn_gt_scalar(weights, 0), .dims = row))) < n)
        gn_fail(GN_E_ARGUMENT, op,
                "%lld draws without replacement need as many weights that are not 0 in each row",
                (long long)n);
    return !gn__failed();
}

/* The index of the first of the ascending bounds (N, C) that is larger than each t (N, n): so many
 * are not larger. Found from its highest binary digit down. */
static gn_tensor *search(gn_tensor *bounds, gn_tensor *t) {
    static gn__op step = {.name = "multinomial",
                          .text = "place + d <= size && bound <= t ? place + d : place",
                          .variables = "place, bound, t",
                          .params = "d, size"};
    int64_t size = bounds->size[1], d = 1;
    gn_tensor *place = gn__tensor_new(t->storage->device, GN_I64, t->n_dims, t->size);
    if (!place || gn__fill_data(place, 0))
        return NULL;
    while (d <= size / 2)
        d *= 2;
    for (; d > 0 && place; d /= 2) {
        gn_tensor *at = gn_minimum_scalar(gn_add_scalar(place, (double)d - 1), (double)size - 1);
        gn_tensor *inputs[] = {place, gn_gather(bounds, 1, at), t};
        place = gn__apply_as(&step, 3, inputs, (double[]){(double)d, (double)size}, GN_I64);
    }
    return place;
}

/* The running sum of the weights divides 0 .. sum into intervals; a uniform number names one.
 * Rounding must make none where a weight is 0: the bound there is that of the weight before. */
static gn_tensor *with_replacement(gn_tensor *weights, int64_t n, gn_generator *generator) {
    gn_tensor_options options;
    gn_tensor *sums = gn_cumsum(weights, 1);
    gn_tensor *bounds = gn_where_scalar_b(gn_gt_scalar(weights, 0), sums, 0);
    if (!bounds || !(bounds = gn__scan("multinomial", GN_OP_MAX, bounds, 1, bounds->dtype)))
        return NULL;
    gn_shape shape = {.n = 2, .size = {weights->size[0], n}};
    gn_tensor *u = gn_rand_with(shape, beside(weights, generator, &options));
    return search(bounds, gn_mul(u, gn_narrow(bounds, 1, weights->size[1] - 1, 1)));
}

/* The n largest of weight / e, e exponential: the first one that a race would be won by, the second
 * one of those left, .. */
static gn_tensor *without_replacement(gn_tensor *weights, int64_t n, gn_generator *generator) {
    gn_tensor *index = NULL, *e = gn_exponential_(gn_empty_like(weights), 1, generator);
    gn_topk(gn_div(weights, e), n, 1, true, &index);
    return index;
}

gn_tensor *gn_multinomial(gn_tensor *weights, int64_t n, bool replacement,
                          gn_generator *generator) {
    if (!are_floats("multinomial", weights))
        return NULL;
    if (weights->n_dims < 1 || weights->n_dims > 2 || n < 1 ||
        weights->size[weights->n_dims - 1] < 1)
        return gn__fail_null(GN_E_ARGUMENT, "multinomial",
                             "%lld draws from weights %s: needs at least 1, and (C) or (N, C)",
                             (long long)n, gn__shape_of(weights));
    gn_scope scope = gn_scope_begin();
    gn_tensor *index = NULL, *rows = gn_detach(weights);
    if (check_weights(rows, n, replacement)) {
        if (rows->dtype != GN_F64)
            rows = gn_cast(rows, GN_F32);
        if (rows && rows->n_dims == 1)
            rows = gn_unsqueeze(rows, 0);
        index = !rows         ? NULL
                : replacement ? with_replacement(rows, n, generator)
                              : without_replacement(rows, n, generator);
        if (index && weights->n_dims == 1)
            index = gn_squeeze_dim(index, 0);
    }
    return gn_scope_end_with(scope, gn__failed() ? NULL : index);
}
