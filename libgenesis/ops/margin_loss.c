/* SPDX-License-Identifier: Apache-2.0 */
/*
 * margin_loss.c - by how much scores of classes that are no targets come close to, or exceed, those
 * of classes that are.
 */
#include <math.h>

#include "loss.h"

/* Rows of losses for rows of C scores: (N, C) or (C). */
static bool check_rows(const char *op, const gn_tensor *x, const gn_tensor *target) {
    if (!gn__given(op, x) || !gn__given(op, target) || !gn__check_float(op, "input", x))
        return false;
    if (x->n_dims != 1 && x->n_dims != 2)
        gn_fail(GN_E_ARGUMENT, op, "input %s must be (N, C) or (C)", gn__shape_of(x));
    else if (gn_dtype_is_float(target->dtype) || target->dtype == GN_BOOL)
        gn_fail(GN_E_ARGUMENT, op, "targets are class indices of an integer dtype, not %s",
                gn_dtype_name(target->dtype));
    return !gn__failed();
}

/* The sum of the op, a multiple of its first parameter, over the last dims of (N, ..), divided by
 * C; over all, divided also by N for a mean. */
static gn_tensor *sum_of_rows(gn__op *op, int n, gn_tensor *const *inputs, double *params,
                              const gn_tensor *x, int row_dims, gn_reduction reduction) {
    const int64_t classes = x->size[x->n_dims - 1], rows = x->n_dims > 1 ? x->size[0] : 1;
    const bool mean = reduction == GN_REDUCE_MEAN;
    const unsigned last = ((1u << row_dims) - 1) << (x->n_dims - 1);
    params[0] = 1 / ((double)classes * (double)(mean ? rows : 1));
    if (!isfinite(params[0])) { /* of nothing */
        params[0] = 1;
        return gn_mul_scalar(gn__apply_sum(op, n, inputs, params, ~0u), mean ? NAN : 0);
    }
    return gn__apply_sum(op, n, inputs, params, reduction == GN_REDUCE_NONE ? last : ~0u);
}

/* sum over c != y of max(0, margin - x_y + x_c)^p w_y / C   target (N) or () */
gn_tensor *gn_multi_margin_loss_with(gn_tensor *input, gn_tensor *target,
                                     const gn_loss_options *options) {
    static gn__op op = {.name = "multi_margin_loss",
                        .text = "c != label && margin - k + x > 0 ? "
                                "s * (p == 1 ? 1.0 : margin - k + x) * (margin - k + x) : 0",
                        .variables = "x, k, label, c",
                        .params = "s, margin, p"};
    gn_loss_options o;
    if (!gn__loss_options(op.name, GN__LOSS_MARGIN | GN__LOSS_P | GN__LOSS_WEIGHT, options, &o) ||
        !check_rows(op.name, input, target))
        return NULL;
    const int64_t classes = input->size[input->n_dims - 1];
    double params[] = {1, gn_or(o.margin, 1), gn_or(o.p, 1)};
    if (params[2] != 1 && params[2] != 2)
        return gn__fail_null(GN_E_ARGUMENT, op.name, "p must be 1 or 2, not %g", params[2]);
    if (target->n_dims != input->n_dims - 1 ||
        (target->n_dims == 1 && target->size[0] != input->size[0]))
        return gn__fail_null(GN_E_ARGUMENT, op.name, "target %s does not fit input %s",
                             gn__shape_of(target), gn__shape_of(input));
    if (o.weight && (o.weight->n_dims != 1 || o.weight->size[0] != classes))
        return gn__fail_null(GN_E_ARGUMENT, op.name,
                             "weight %s must have a number for each of the %lld classes",
                             gn__shape_of(o.weight), (long long)classes);
    gn_tensor *label = gn_unsqueeze(gn__index_tensor(op.name, target), -1);
    gn_tensor *inputs[] = {
        input, gn_gather(input, -1, label), label,
        gn_arange(0, (double)classes, 1, GN_AS(.dtype = GN_I64, .device = gn_device_of(input)))};
    if (gn__failed())
        return NULL;
    if (o.weight == NULL)
        return sum_of_rows(&op, 4, inputs, params, input, 1, o.reduction);
    gn_tensor *rows = sum_of_rows(&op, 4, inputs, params, input, 1, GN_REDUCE_NONE);
    gn_tensor *weight = gn_index_select(o.weight, 0, gn_reshape(label, -1));
    return gn__loss_of_elements(gn_mul(rows, gn_reshape_with(weight, gn_shape_of(target))),
                                o.reduction);
}

/* sum over targets j and all i that are none of max(0, 1 - x_j + x_i) / C; a row's targets end
 * before its first negative number */
gn_tensor *gn_multilabel_margin_loss_with(gn_tensor *input, gn_tensor *target,
                                          const gn_loss_options *options) {
    static gn__op op = {.name = "multilabel_margin_loss",
                        .text = "counts && hits == 0 && 1 - k + x > 0 ? s * (1 - k + x) : 0",
                        .variables = "x, k, hits, counts",
                        .params = "s"};
    gn_loss_options o;
    double params[1];
    if (!gn__loss_options(op.name, 0, options, &o) || !check_rows(op.name, input, target))
        return NULL;
    if (!gn__same_shape(input, target))
        return gn__fail_null(GN_E_ARGUMENT, op.name, "target %s must have the shape of input %s",
                             gn__shape_of(target), gn__shape_of(input));
    target = gn__index_tensor(op.name, target);
    gn_tensor *ended = gn_cumsum(gn_cast(gn_lt_scalar(target, 0), GN_I64), -1);
    gn_tensor *counts = gn_eq_scalar(ended, 0), *index = gn_where_scalar_b(counts, target, 0);
    gn_tensor *hits = gn_scatter_add(gn_zeros_like(index), -1, index, gn_cast(counts, GN_I64));
    gn_tensor *inputs[] = {gn_unsqueeze(input, -2), gn_unsqueeze(gn_gather(input, -1, index), -1),
                           gn_unsqueeze(hits, -2), gn_unsqueeze(counts, -1)};
    return gn__failed() ? NULL : sum_of_rows(&op, 4, inputs, params, input, 2, o.reduction);
}
