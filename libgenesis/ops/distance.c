/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distance.c - lengths of vectors and how far apart two are.
 */
#include "ops.h"
#include "support.h"

/* x / max(|x|_p, eps) along dim */
gn_tensor *gn_normalize_with(gn_tensor *x, const gn_normalize_options *options) {
    gn_normalize_options o;
    gn__options(&o, sizeof o, options);
    gn_dims dim = GN_DIMS((int64_t)gn_or(o.dim, 1));
    gn_tensor *length = gn_norm(x, gn_or(o.p, 2), dim, true);
    return gn_div(x, gn_clamp(length, gn_some(gn_or(o.eps, 1e-12)), (gn_optional){0}));
}

/* sum a b / (max(|a|, eps) max(|b|, eps)) over one dim. The gradient takes the lengths, bounded as
 * they are, for those of a and b. */
gn_tensor *gn_cosine_similarity_with(gn_tensor *a, gn_tensor *b,
                                     const gn_cosine_similarity_options *options) {
    static gn__op product = {.name = "cosine_similarity", .text = "a * b", .variables = "a, b"};
    static gn__op quotient = {
        .name = "cosine_similarity",
        .text = "p / (max(sqrt(u), eps) * max(sqrt(v), eps))",
        .variables = "p, u, v",
        .params = "eps",
        .gradient = {NULL, "-0.5 * g * y / max(u, eps * eps)", "-0.5 * g * y / max(v, eps * eps)"}};
    gn_cosine_similarity_options o;
    gn__options(&o, sizeof o, options);
    gn_tensor *both[] = {a, b};
    gn_shape shape = {0};
    const double eps = gn_or(o.eps, 1e-8);
    int n_dims, d;
    if (gn__failed() || !gn__given(product.name, a) || !gn__given(product.name, b) ||
        !gn__check_float(product.name, "the first input", a) ||
        !gn__check_float(product.name, "the second input", b) ||
        !gn__broadcast(product.name, 2, both, &n_dims, shape.size) ||
        !gn__dim(product.name, (int64_t)gn_or(o.dim, 1), n_dims, &d))
        return NULL;
    shape.n = n_dims;
    for (int i = 0; i < 2; i++)
        both[i] = gn_expand_with(both[i], shape);
    gn_tensor *sums[3], *const factors[3][2] = {
                            {both[0], both[1]}, {both[0], both[0]}, {both[1], both[1]}};
    for (int i = 0; i < 3; i++)
        sums[i] = gn__apply_sum(&product, 2, factors[i], NULL, 1u << d);
    return gn__failed() ? NULL : gn__apply(&quotient, 3, sums, &eps);
}

/* |a - b + eps|_p over the last dim */
gn_tensor *gn_pairwise_distance_with(gn_tensor *a, gn_tensor *b,
                                     const gn_pairwise_distance_options *options) {
    static gn__op difference = {
        .name = "pairwise_distance", .text = "a - b + eps", .variables = "a, b", .params = "eps"};
    gn_pairwise_distance_options o;
    gn__options(&o, sizeof o, options);
    const double eps = gn_or(o.eps, 1e-6);
    gn_tensor *d = gn__apply(&difference, 2, (gn_tensor *[]){a, b}, &eps);
    return gn_norm(d, gn_or(o.p, 2), GN_DIMS(-1), o.keepdim);
}
