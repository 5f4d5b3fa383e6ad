/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss_options.c - the options of losses, and reductions.
 */
#include <math.h>

#include "loss.h"

/* The options that are given, as bits, with their names. */
static unsigned given(const gn_loss_options *o) {
    return (o->weight ? GN__LOSS_WEIGHT : 0u) | (o->pos_weight ? GN__LOSS_POS_WEIGHT : 0u) |
           (o->ignore_index.given ? GN__LOSS_IGNORE_INDEX : 0u) |
           (o->label_smoothing != 0 ? GN__LOSS_LABEL_SMOOTHING : 0u) |
           (o->margin.given ? GN__LOSS_MARGIN : 0u) | (o->beta.given ? GN__LOSS_BETA : 0u) |
           (o->delta.given ? GN__LOSS_DELTA : 0u) | (o->p.given ? GN__LOSS_P : 0u) |
           (o->eps.given ? GN__LOSS_EPS : 0u) | (o->swap ? GN__LOSS_SWAP : 0u) |
           (o->log_target ? GN__LOSS_LOG_TARGET : 0u) |
           (o->no_log_input ? GN__LOSS_NO_LOG_INPUT : 0u) | (o->full ? GN__LOSS_FULL : 0u) |
           (o->reduction == GN_REDUCE_BATCH_MEAN ? GN__LOSS_BATCH_MEAN : 0u);
}

static const char *const names[] = {
    "weight", "pos_weight", "ignore_index", "label_smoothing", "margin",       "beta", "delta",
    "p",      "eps",        "swap",         "log_target",      "no_log_input", "full", "batch mean",
};

bool gn__loss_options(const char *op, unsigned takes, const gn_loss_options *options,
                      gn_loss_options *out) {
    gn__options(out, sizeof *out, options);
    if (gn__failed() || !gn__check_reduction(op, out->reduction))
        return false;
    const unsigned excess = given(out) & ~takes;
    for (size_t i = 0; i < GN_LENGTH(names); i++)
        if (excess >> i & 1) {
            gn_fail(GN_E_ARGUMENT, op, "this loss has no option %s", names[i]);
            return false;
        }
    return true;
}

gn_tensor *gn__loss_reduced(gn__op *op, int n, gn_tensor *const *inputs, double *params,
                            gn_reduction reduction) {
    int n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS];
    params[0] = 1;
    if (gn__failed())
        return NULL;
    if (reduction == GN_REDUCE_NONE)
        return gn__apply(op, n, inputs, params);
    if (!gn__broadcast(op->name, n, inputs, &n_dims, size))
        return NULL;
    const int64_t count = reduction == GN_REDUCE_MEAN ? gn__count(n_dims, size)
                          : reduction == GN_REDUCE_BATCH_MEAN && n_dims > 0 ? size[0]
                                                                            : 1;
    if (count == 0) /* a sum of nothing by 0 */
        return gn_mul_scalar(gn__apply_sum(op, n, inputs, params, ~0u), NAN);
    params[0] = 1 / (double)count;
    return gn__apply_sum(op, n, inputs, params, ~0u);
}

gn_tensor *gn__loss_of_elements(gn_tensor *losses, gn_reduction reduction) {
    return reduction == GN_REDUCE_MEAN  ? gn_mean(losses)
           : reduction == GN_REDUCE_SUM ? gn_sum(losses)
                                        : losses;
}
