/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distance_loss.c - losses of three arguments: how two scores, or vectors, stand to each other.
 */
#include "loss.h"

static bool check_three(const char *op, gn_tensor *const *t) {
    return gn__given(op, t[0]) && gn__given(op, t[1]) && gn__given(op, t[2]) &&
           gn__check_float(op, "the first input", t[0]) &&
           gn__check_float(op, "the second input", t[1]);
}

/* max(0, -t (a - b) + margin) */
gn_tensor *gn_margin_ranking_loss_with(gn_tensor *a, gn_tensor *b, gn_tensor *target,
                                       const gn_loss_options *options) {
    static gn__op op = {.name = "margin_ranking_loss",
                        .text = "s * max(t * (b - a) + margin, 0)",
                        .variables = "a, b, t",
                        .params = "s, margin",
                        .gradient = {"t * (b - a) + margin > 0 ? -s * g * t : 0",
                                     "t * (b - a) + margin > 0 ? s * g * t : 0",
                                     "t * (b - a) + margin > 0 ? s * g * (b - a) : 0"}};
    gn_tensor *inputs[] = {a, b, target};
    gn_loss_options o;
    if (!gn__loss_options(op.name, GN__LOSS_MARGIN, options, &o) || !check_three(op.name, inputs))
        return NULL;
    if (a->n_dims != b->n_dims || a->n_dims != target->n_dims)
        return gn__fail_null(GN_E_ARGUMENT, op.name,
                             "inputs %s, %s and target %s must have the same number of dims",
                             gn__shape_of(a), gn__shape_of(b), gn__shape_of(target));
    double params[] = {0, gn_or(o.margin, 0)};
    return gn__loss_reduced(&op, 3, inputs, params, o.reduction);
}

/* 1 - cos(a, b) where t = 1, max(0, cos(a, b) - margin) where t = -1 */
gn_tensor *gn_cosine_embedding_loss_with(gn_tensor *a, gn_tensor *b, gn_tensor *target,
                                         const gn_loss_options *options) {
    static gn__op product = {.name = "cosine_embedding_loss", .text = "a * b", .variables = "a, b"};
    static gn__op op = {.name = "cosine_embedding_loss",
                        .text = "s * (t == 1 ? 1 - p / sqrt((u + 1e-12) * (v + 1e-12)) : "
                                "t == -1 && !(p / sqrt((u + 1e-12) * (v + 1e-12)) <= margin) ? "
                                "p / sqrt((u + 1e-12) * (v + 1e-12)) - margin : 0)",
                        .variables = "p, u, v, t",
                        .params = "s, margin"};
    gn_tensor *inputs[] = {a, b, target};
    gn_loss_options o;
    if (!gn__loss_options(op.name, GN__LOSS_MARGIN, options, &o) || !check_three(op.name, inputs))
        return NULL;
    const bool row = target->n_dims == 0;
    if (target->n_dims > 1 || a->n_dims != 2 - row || b->n_dims != 2 - row ||
        !gn__same_shape(a, b) || (!row && target->size[0] != a->size[0]))
        return gn__fail_null(GN_E_ARGUMENT, op.name,
                             "inputs %s, %s and target %s do not fit: (N, D), (N, D), (N), or (D), "
                             "(D), ()",
                             gn__shape_of(a), gn__shape_of(b), gn__shape_of(target));
    gn_tensor *const pairs[3][2] = {{a, b}, {a, a}, {b, b}};
    gn_tensor *sums[4] = {[3] = target};
    for (int i = 0; i < 3; i++)
        sums[i] = gn__apply_sum(&product, 2, pairs[i], NULL, 1u << (a->n_dims - 1));
    double params[] = {0, gn_or(o.margin, 0)};
    return gn__failed() ? NULL : gn__loss_reduced(&op, 4, sums, params, o.reduction);
}

/* max(0, d(anchor, positive) - d(anchor, negative) + margin); swap: with d(positive, negative)
 * where that is smaller */
gn_tensor *gn_triplet_margin_loss_with(gn_tensor *anchor, gn_tensor *positive, gn_tensor *negative,
                                       const gn_loss_options *options) {
    static gn__op op = {.name = "triplet_margin_loss",
                        .text = "s * max(near - far + margin, 0)",
                        .variables = "near, far",
                        .params = "s, margin",
                        .gradient = {"near - far + margin > 0 ? s * g : 0",
                                     "near - far + margin > 0 ? -s * g : 0"}};
    const unsigned takes = GN__LOSS_MARGIN | GN__LOSS_P | GN__LOSS_EPS | GN__LOSS_SWAP;
    gn_tensor *inputs[] = {anchor, positive, negative};
    gn_loss_options o;
    if (!gn__loss_options(op.name, takes, options, &o) || !check_three(op.name, inputs))
        return NULL;
    double params[] = {0, gn_or(o.margin, 1)};
    if (!(params[1] > 0))
        return gn__fail_null(GN_E_ARGUMENT, op.name, "margin must be more than 0, not %g",
                             params[1]);
    if (anchor->n_dims != positive->n_dims || anchor->n_dims != negative->n_dims)
        return gn__fail_null(GN_E_ARGUMENT, op.name,
                             "anchor %s, positive %s and negative %s must have the same number of "
                             "dims",
                             gn__shape_of(anchor), gn__shape_of(positive), gn__shape_of(negative));
    const gn_pairwise_distance_options norm = {.struct_size = sizeof norm, .p = o.p, .eps = o.eps};
    gn_tensor *near = gn_pairwise_distance_with(anchor, positive, &norm);
    gn_tensor *far = gn_pairwise_distance_with(anchor, negative, &norm);
    if (o.swap)
        far = gn_minimum(far, gn_pairwise_distance_with(positive, negative, &norm));
    return gn__failed() ? NULL
                        : gn__loss_reduced(&op, 2, (gn_tensor *[]){near, far}, params, o.reduction);
}
