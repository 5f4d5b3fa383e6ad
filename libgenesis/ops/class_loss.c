/* SPDX-License-Identifier: Apache-2.0 */
/*
 * class_loss.c - losses whose targets are classes, or probabilities of classes. What class indices
 * cost by logits and log-probabilities is computed in cross_entropy.c.
 */
#include <math.h>

#include "class_loss.h"

/* ---- Checks */

/* target has the dims of x without the class dim. */
static bool check_indices(const char *op, const gn_tensor *x, const gn_tensor *target,
                          int class_dim) {
    bool fits = x->n_dims >= 1 && target->n_dims == x->n_dims - 1;
    for (int d = 0; fits && d < target->n_dims; d++)
        fits = target->size[d] == x->size[d < class_dim ? d : d + 1];
    if (gn_dtype_is_float(target->dtype) || target->dtype == GN_BOOL)
        gn_fail(GN_E_ARGUMENT, op, "targets are class indices of an integer dtype, not %s",
                gn_dtype_name(target->dtype));
    else if (!fits)
        gn_fail(
            GN_E_ARGUMENT, op,
            "target %s does not fit input %s: (N) for (N, C), (N, d..) for (N, C, d..), () for (C)",
            gn__shape_of(target), gn__shape_of(x));
    return !gn__failed();
}

static bool check_weight(const char *op, const gn_tensor *x, const gn_tensor *weight,
                         int class_dim) {
    if (weight == NULL)
        return true;
    if (x->n_dims == 0 || weight->n_dims != 1 || weight->size[0] != x->size[class_dim])
        gn_fail(GN_E_ARGUMENT, op, "weight %s must have a number for each of the %lld classes",
                gn__shape_of(weight), (long long)(x->n_dims ? x->size[class_dim] : 1));
    return !gn__failed() && gn__check_float(op, "weight", weight);
}

static bool check_input(const char *op, const gn_tensor *x, const gn_tensor *target) {
    return gn__given(op, x) && gn__given(op, target) && gn__check_float(op, "input", x);
}

/* ---- Class indices */

/* The weights of the targets that count, added up. */
static gn_tensor *weight_total(gn_tensor *target, gn_tensor *weight, int64_t ignore) {
    gn_tensor *counts = gn_ne_scalar(target, (double)ignore);
    if (weight == NULL)
        return gn_sum(counts);
    gn_tensor *index = gn_reshape(gn_where_scalar_b(counts, target, 0), -1);
    return gn_sum(gn_mul(gn_index_select(weight, 0, index), gn_reshape(counts, -1)));
}

/* weight (C) along the class dim of x */
static gn_tensor *along_classes(gn_tensor *weight, const gn_tensor *x, int class_dim) {
    gn_shape shape = {.n = x->n_dims - class_dim, .size = {x->size[class_dim]}};
    for (int d = 1; d < shape.n; d++)
        shape.size[d] = 1;
    return gn_reshape_with(weight, shape);
}

/* sum_c -w_c x_c of log-probabilities x, as the loss is reduced */
static gn_tensor *smooth_loss(const gn__class_loss *data, gn_tensor *x, gn_tensor *target,
                              gn_tensor *weight) {
    static gn__op plain = {.name = "cross_entropy",
                           .text = "label == ignore ? 0 : -x",
                           .variables = "x, label",
                           .params = "ignore"};
    static gn__op weighted = {.name = "cross_entropy",
                              .text = "label == ignore ? 0 : -w * x",
                              .variables = "x, label, w",
                              .params = "ignore"};
    const unsigned dims = data->reduction == GN_REDUCE_NONE ? 1u << data->class_dim : ~0u;
    const double ignore = (double)data->ignore;
    gn_tensor *inputs[] = {x, gn_unsqueeze(target, data->class_dim),
                           weight ? along_classes(weight, x, data->class_dim) : NULL};
    if (gn__failed())
        return NULL;
    gn_tensor *y = weight ? gn__apply_sum(&weighted, 3, inputs, &ignore, dims)
                          : gn__apply_sum(&plain, 2, inputs, &ignore, dims);
    return data->reduction == GN_REDUCE_MEAN ? gn_div(y, weight_total(target, weight, data->ignore))
                                             : y;
}

/* (1 - e) (the loss) + e / C (that of all classes alike) */
static gn_tensor *smoothed_loss(gn__class_loss data, double smoothing, gn_tensor *x,
                                gn_tensor *target, gn_tensor *weight) {
    static gn__op mix = {.name = "cross_entropy",
                         .text = "(1 - e) * a + e / classes * b",
                         .variables = "a, b",
                         .params = "e, classes"};
    const double params[] = {smoothing, (double)x->size[data.class_dim]};
    gn_tensor *log = gn_log_softmax(x, data.class_dim);
    data.logits = false;
    if (log == NULL)
        return NULL;
    gn_tensor *losses[] = {gn__class_loss_of(&data, log, target, weight),
                           smooth_loss(&data, log, target, weight)};
    return gn__failed() ? NULL : gn__apply(&mix, 2, losses, params);
}

gn_tensor *gn_nll_loss_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    static const char op[] = "nll_loss";
    gn_loss_options o;
    if (!gn__loss_options(op, GN__LOSS_WEIGHT | GN__LOSS_IGNORE_INDEX, options, &o) ||
        !check_input(op, input, target))
        return NULL;
    const gn__class_loss data = {.op = op,
                                 .class_dim = input->n_dims > 1,
                                 .reduction = o.reduction,
                                 .ignore = (int64_t)gn_or(o.ignore_index, -100)};
    if (!check_indices(op, input, target, data.class_dim) ||
        !check_weight(op, input, o.weight, data.class_dim))
        return NULL;
    return gn__class_loss_of(&data, input, target, o.weight);
}

/* ---- Cross entropy */

/* sum_c -w_c t'_c log_softmax(x)_c, t' = t (1 - e) + e / C; mean: divided by the number of rows */
static gn_tensor *probability_loss(const gn__class_loss *data, double smoothing, gn_tensor *x,
                                   gn_tensor *target, gn_tensor *weight) {
    static gn__op plain = {.name = "cross_entropy",
                           .text = "-s * (t * (1 - e) + e / classes) * x",
                           .variables = "x, t",
                           .params = "s, e, classes"};
    static gn__op weighted = {.name = "cross_entropy",
                              .text = "-s * w * (t * (1 - e) + e / classes) * x",
                              .variables = "x, t, w",
                              .params = "s, e, classes"};
    const int64_t classes = x->size[data->class_dim], rows = classes ? x->count / classes : 0;
    const bool mean = data->reduction == GN_REDUCE_MEAN;
    const double params[] = {mean && rows ? 1 / (double)rows : 1, smoothing, (double)classes};
    const unsigned dims = data->reduction == GN_REDUCE_NONE ? 1u << data->class_dim : ~0u;
    gn_tensor *inputs[] = {gn_log_softmax(x, data->class_dim), target,
                           weight ? along_classes(weight, x, data->class_dim) : NULL};
    if (gn__failed())
        return NULL;
    gn_tensor *y = weight ? gn__apply_sum(&weighted, 3, inputs, params, dims)
                          : gn__apply_sum(&plain, 2, inputs, params, dims);
    return mean && rows == 0 ? gn_mul_scalar(y, NAN) : y;
}

static bool check_probabilities(const char *op, const gn_tensor *x, const gn_tensor *target,
                                const gn_loss_options *o) {
    if (x->n_dims == 0 || !gn__same_shape(x, target))
        gn_fail(GN_E_ARGUMENT, op,
                "targets are class indices of an integer dtype, not %s, or probabilities of the "
                "shape of the input %s, not %s",
                gn_dtype_name(target->dtype), gn__shape_of(x), gn__shape_of(target));
    else if (o->ignore_index.given && o->ignore_index.value >= 0)
        gn_fail(GN_E_ARGUMENT, op, "ignore_index is for class indices, not for probabilities");
    return !gn__failed();
}

gn_tensor *gn_cross_entropy_with(gn_tensor *input, gn_tensor *target,
                                 const gn_loss_options *options) {
    static const char op[] = "cross_entropy";
    gn_loss_options o;
    const unsigned takes = GN__LOSS_WEIGHT | GN__LOSS_IGNORE_INDEX | GN__LOSS_LABEL_SMOOTHING;
    if (!gn__loss_options(op, takes, options, &o) || !check_input(op, input, target))
        return NULL;
    const gn__class_loss data = {.op = op,
                                 .class_dim = input->n_dims > 1,
                                 .logits = true,
                                 .reduction = o.reduction,
                                 .ignore = (int64_t)gn_or(o.ignore_index, -100)};
    const bool probabilities = gn_dtype_is_float(target->dtype);
    if (!(o.label_smoothing >= 0 && o.label_smoothing <= 1))
        return gn__fail_null(GN_E_ARGUMENT, op, "label_smoothing %g is not between 0 and 1",
                             o.label_smoothing);
    if (!(probabilities ? check_probabilities(op, input, target, &o)
                        : check_indices(op, input, target, data.class_dim)) ||
        !check_weight(op, input, o.weight, data.class_dim))
        return NULL;
    if (probabilities)
        return probability_loss(&data, o.label_smoothing, input, target, o.weight);
    if (o.label_smoothing > 0)
        return smoothed_loss(data, o.label_smoothing, input, target, o.weight);
    return gn__class_loss_of(&data, input, target, o.weight);
}

/* Targets of -1 are ignored; where all are, the loss is 0. */
gn_tensor *gn_softmax_loss(gn_tensor *input, gn_tensor *target) {
    static gn__op mean = {.name = "softmax_loss", .text = "sum / max(n, 1)", .variables = "sum, n"};
    gn_tensor *sum =
        gn_cross_entropy(input, target, .reduction = GN_REDUCE_SUM, .ignore_index = gn_some(-1));
    gn_tensor *inputs[] = {sum, gn_sum(gn_ne_scalar(target, -1))};
    return gn__failed() ? NULL : gn__apply(&mean, 2, inputs, NULL);
}
