/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss.c - losses that compare input and target by elements. Each is a row of a table: the
 * expression of an element and its gradients, the options that it takes, how shapes may differ.
 * Reduced, the expression is the element part of one reduction. Losses of class indices are in
 * class_loss.c and cross_entropy.c, those of vectors in distance_loss.c.
 */
#include <math.h>

#include "loss.h"

/* What happens where input and target have different shapes. */
typedef enum { REFUSES, WARNS, BROADCASTS } shapes;

typedef struct loss_kind {
    gn__op op; /* of x, t and perhaps another one; s is 1 / n for a mean */
    unsigned takes;
    shapes shapes;
} loss_kind;

/* d(x, t) = 0 for equals: the loss and its derivative for x - t. */
#define DIFFERENCE(title, value, derivative, ...)                                                  \
    {                                                                                              \
        .name = title, .text = "s * " value, .variables = "x, t",                                  \
        .gradient = {"s * g * " derivative, "-s * g * " derivative}, __VA_ARGS__                   \
    }

enum {
    MSE,
    L1,
    SMOOTH_L1,
    HUBER,
    BCE,
    BCE_LOGITS,
    BCE_LOGITS_POS,
    KL_DIV,
    KL_DIV_LOG,
    POISSON,
    POISSON_LOG,
    GAUSSIAN,
    SOFT_MARGIN,
    HINGE_EMBEDDING,
    MULTILABEL
};

/* BCE clamps its logarithms, and the denominator of its gradient, as PyTorch does; so it is with
 * the variance v. */
static loss_kind kinds[] = {
    [MSE] = {.op = DIFFERENCE("mse_loss", "(x - t) * (x - t)", "(2 * (x - t))", .params = "s"),
             .takes = GN__LOSS_WEIGHT,
             .shapes = WARNS},
    [L1] = {.op = DIFFERENCE("l1_loss", "abs(x - t)", "sign(x - t)", .params = "s"),
            .takes = GN__LOSS_WEIGHT,
            .shapes = WARNS},
    [SMOOTH_L1] = {.op = DIFFERENCE("smooth_l1_loss",
                                    "(abs(x - t) < beta ? 0.5 / beta * (x - t) * (x - t)"
                                    " : abs(x - t) - 0.5 * beta)",
                                    "(abs(x - t) < beta ? (x - t) / beta : sign(x - t))",
                                    .params = "s, beta"),
                   .takes = GN__LOSS_BETA,
                   .shapes = WARNS},
    [HUBER] = {.op = DIFFERENCE("huber_loss",
                                "(abs(x - t) < delta ? 0.5 * (x - t) * (x - t)"
                                " : delta * (abs(x - t) - 0.5 * delta))",
                                "min(max(x - t, -delta), delta)", .params = "s, delta"),
               .takes = GN__LOSS_WEIGHT | GN__LOSS_DELTA,
               .shapes = WARNS},
    [BCE] = {.op = {.name = "bce_loss",
                    .text = "-s * (t * max(log(x), -100) + (1 - t) * max(log1p(-x), -100))",
                    .variables = "x, t",
                    .params = "s",
                    .gradient = {"s * g * (x - t) / max(x * (1 - x), 1e-12)",
                                 "s * g * (max(log1p(-x), -100) - max(log(x), -100))"}},
             .takes = GN__LOSS_WEIGHT},
    [BCE_LOGITS] = {.op = {.name = "bce_with_logits",
                           .text = "s * ((1 - t) * x + softplus(-x))",
                           .variables = "x, t",
                           .params = "s",
                           .gradient = {"s * g * (sigmoid(x) - t)", "-s * g * x"}},
                    .takes = GN__LOSS_WEIGHT | GN__LOSS_POS_WEIGHT},
    [BCE_LOGITS_POS] = {.op = {.name = "bce_with_logits",
                               .text = "s * ((1 - t) * x + (1 + (p - 1) * t) * softplus(-x))",
                               .variables = "x, t, p",
                               .params = "s",
                               .gradient = {"s * g * (1 - t - (1 + (p - 1) * t) * sigmoid(-x))",
                                            "s * g * ((p - 1) * softplus(-x) - x)"}}},
    [KL_DIV] = {.op = {.name = "kl_div",
                       .text = "s * ((t == 0 ? 0 : t * log(t)) - t * x)",
                       .variables = "x, t",
                       .params = "s",
                       .gradient = {"-s * g * t", "s * g * ((t == 0 ? 0 : log(t) + 1) - x)"}},
                .takes = GN__LOSS_LOG_TARGET | GN__LOSS_BATCH_MEAN,
                .shapes = BROADCASTS},
    [KL_DIV_LOG] = {.op = {.name = "kl_div",
                           .text = "s * exp(t) * (t - x)",
                           .variables = "x, t",
                           .params = "s",
                           .gradient = {"-s * g * exp(t)", "s * g * exp(t) * (t - x + 1)"}}},
    [POISSON] = {.op = {.name = "poisson_nll_loss",
                        .text =
                            "s * (x - t * log(x + eps) + "
                            "(full != 0 && t > 1 ? t * log(t) - t + 0.5 * log(2 * pi * t) : 0))",
                        .variables = "x, t",
                        .params = "s, eps, full"},
                 .takes = GN__LOSS_NO_LOG_INPUT | GN__LOSS_FULL | GN__LOSS_EPS,
                 .shapes = BROADCASTS},
    [POISSON_LOG] = {.op = {.name = "poisson_nll_loss",
                            .text = "s * (exp(x) - t * x + "
                                    "(full != 0 && t > 1 ? t * log(t) - t + 0.5 * log(2 * pi * t) "
                                    ": 0))",
                            .variables = "x, t",
                            .params = "s, eps, full"}},
    [GAUSSIAN] = {.op = {.name = "gaussian_nll_loss",
                         .text =
                             "s * (0.5 * (log(max(v, eps)) + (x - t) * (x - t) / max(v, eps)) + "
                             "constant)",
                         .variables = "x, t, v",
                         .params = "s, eps, constant",
                         .gradient = {"s * g * (x - t) / max(v, eps)",
                                      "s * g * (t - x) / max(v, eps)",
                                      "0.5 * s * g * (1 - (x - t) * (x - t) / max(v, eps)) / "
                                      "max(v, eps)"}},
                  .takes = GN__LOSS_FULL | GN__LOSS_EPS,
                  .shapes = BROADCASTS},
    [SOFT_MARGIN] = {.op = {.name = "soft_margin_loss",
                            .text = "s * softplus(-t * x)",
                            .variables = "x, t",
                            .params = "s",
                            .gradient = {"-s * g * t * sigmoid(-t * x)",
                                         "-s * g * x * sigmoid(-t * x)"}},
                     .shapes = BROADCASTS},
    [HINGE_EMBEDDING] = {.op = {.name = "hinge_embedding_loss",
                                .text = "s * ((t == 1 ? 0 : max(margin - x, 0)) + "
                                        "(t == -1 ? 0 : x))",
                                .variables = "x, t",
                                .params = "s, margin",
                                .gradient = {"s * g * ((t != 1 && x < margin ? -1 : 0) + "
                                             "(t == -1 ? 0 : 1))",
                                             "0"}},
                         .takes = GN__LOSS_MARGIN,
                         .shapes = BROADCASTS},
    [MULTILABEL] = {.op = {.name = "multilabel_soft_margin_loss"},
                    .takes = GN__LOSS_WEIGHT,
                    .shapes = BROADCASTS},
};

/* ---- Checks and weights */

/* Floating-point input, shapes that fit; the options, as far as they are given. */
static bool check(const loss_kind *kind, gn_tensor *x, gn_tensor *t, const gn_loss_options *options,
                  gn_loss_options *out) {
    const char *op = kind->op.name;
    if (!gn__loss_options(op, kind->takes, options, out) || !gn__given(op, x) ||
        !gn__given(op, t) || !gn__check_float(op, "input", x))
        return false;
    if (gn__same_shape(x, t))
        return true;
    if (kind->shapes == REFUSES)
        gn_fail(GN_E_ARGUMENT, op, "input %s and target %s must have the same shape",
                gn__shape_of(x), gn__shape_of(t));
    else if (kind->shapes == WARNS)
        gn__log(GN_LOG_WARNING, "%s: input %s and target %s have different shapes, and broadcast",
                op, gn__shape_of(x), gn__shape_of(t));
    return !gn__failed();
}

/* A weight broadcasts to the input's shape, or must have it. */
static bool check_weight(const char *op, const char *what, gn_tensor *weight, gn_tensor *x,
                         bool same) {
    int n;
    int64_t size[GN_TENSOR_MAX_DIMS];
    if (weight == NULL)
        return true;
    if (!gn__broadcast(op, 2, (gn_tensor *[]){x, weight}, &n, size))
        return false;
    if (same ? gn__same_shape(x, weight)
             : n == x->n_dims && memcmp(size, x->size, (size_t)n * sizeof *size) == 0)
        return gn__check_float(op, what, weight);
    gn_fail(GN_E_ARGUMENT, op, "%s %s does not %s input %s", what, gn__shape_of(weight),
            same ? "have the shape of" : "broadcast to", gn__shape_of(x));
    return false;
}

/* The loss of a row; a third tensor and a weight by elements may be NULL. */
static gn_tensor *loss(int id, gn_tensor *x, gn_tensor *t, gn_tensor *third, gn_tensor *weight,
                       double *params, gn_reduction reduction) {
    gn_tensor *const inputs[] = {x, t, third};
    const int n = third ? 3 : 2;
    gn__op *op = &kinds[id].op;
    if (weight == NULL)
        return gn__loss_reduced(op, n, inputs, params, reduction);
    gn_tensor *losses = gn_mul(gn__loss_reduced(op, n, inputs, params, GN_REDUCE_NONE), weight);
    return gn__loss_of_elements(losses, reduction);
}

/* ---- Of the difference */

/* Means of these two divide by the sum of the weights. */
static gn_tensor *weighted_mean_loss(int id, gn_tensor *x, gn_tensor *t,
                                     const gn_loss_options *options) {
    gn_loss_options o;
    double params[1];
    if (!check(&kinds[id], x, t, options, &o) ||
        !check_weight(kinds[id].op.name, "weight", o.weight, x, true))
        return NULL;
    if (o.weight == NULL || o.reduction != GN_REDUCE_MEAN)
        return loss(id, x, t, NULL, o.weight, params, o.reduction);
    return gn_div(loss(id, x, t, NULL, o.weight, params, GN_REDUCE_SUM), gn_sum(o.weight));
}

gn_tensor *gn_mse_loss_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    return weighted_mean_loss(MSE, input, target, options);
}

gn_tensor *gn_l1_loss_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    return weighted_mean_loss(L1, input, target, options);
}

gn_tensor *gn_smooth_l1_loss_with(gn_tensor *input, gn_tensor *target,
                                  const gn_loss_options *options) {
    gn_loss_options o;
    if (!check(&kinds[SMOOTH_L1], input, target, options, &o))
        return NULL;
    double params[] = {0, gn_or(o.beta, 1)};
    if (!(params[1] >= 0))
        return gn__fail_null(GN_E_ARGUMENT, kinds[SMOOTH_L1].op.name,
                             "beta must be 0 or more, not %g", params[1]);
    return loss(SMOOTH_L1, input, target, NULL, NULL, params, o.reduction);
}

gn_tensor *gn_huber_loss_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    gn_loss_options o;
    const char *op = kinds[HUBER].op.name;
    if (!check(&kinds[HUBER], input, target, options, &o) ||
        !check_weight(op, "weight", o.weight, input, true))
        return NULL;
    double params[] = {0, gn_or(o.delta, 1)};
    if (!(params[1] > 0))
        return gn__fail_null(GN_E_ARGUMENT, op, "delta must be more than 0, not %g", params[1]);
    return loss(HUBER, input, target, NULL, o.weight, params, o.reduction);
}

/* ---- Of probabilities */

/* Whether an element is outside [0, 1], or NaN. */
static void build_outside(gn__builder *b, const int8_t *v) {
    int x = gn__build_operand(b, GN_READ, v[0]), y = gn__build_operand(b, GN_WRITE, GN_BOOL);
    int type = gn__compute_type(v[0]), value = gn__load(b, x);
    int low = gn__emit(b, GN_OP_LE, gn__const_f(b, type, 0), value, 0);
    int high = gn__emit(b, GN_OP_LE, value, gn__const_f(b, type, 1), 0);
    int outside = gn__emit(b, GN_OP_NOT, gn__emit(b, GN_OP_AND, low, high, 0), 0, 0);
    gn__store(b, y, gn__reduce_value(b, GN_MAX, outside, 0));
}
static gn__kernel outside_kernel = {.name = "outside", .build = build_outside};

static bool is_probability(const char *op, gn_tensor *x) {
    gn__device *device = x->storage->device;
    gn_tensor *outside = gn__tensor_new(device, GN_BOOL, 0, NULL);
    if (outside == NULL)
        return false;
    gn__rows space = gn__rows_of(x, ~0u);
    gn__operand operands[] = {gn__rows_full(&space, x), gn__rows_kept(&space, outside)};
    if (x->count == 0)
        return true;
    if (gn__kernel_run(op, device, &outside_kernel, GN__VARIANT(x->dtype), &space, operands,
                       NULL) != GN_OK)
        return false;
    if (gn_item_bool(outside))
        gn_fail(GN_E_ARGUMENT, op,
                "input must be between 0 and 1: apply gn_sigmoid to it, or use "
                "gn_bce_with_logits");
    return !gn__failed();
}

gn_tensor *gn_bce_loss_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    const char *op = kinds[BCE].op.name;
    gn_loss_options o;
    double params[1];
    if (!check(&kinds[BCE], input, target, options, &o) ||
        !check_weight(op, "weight", o.weight, input, false))
        return NULL;
    gn_scope scope = gn_scope_begin();
    bool good = is_probability(op, input);
    gn_scope_end(scope);
    return good ? loss(BCE, input, target, NULL, o.weight, params, o.reduction) : NULL;
}

gn_tensor *gn_bce_with_logits_with(gn_tensor *input, gn_tensor *target,
                                   const gn_loss_options *options) {
    const char *op = kinds[BCE_LOGITS].op.name;
    gn_loss_options o;
    double params[1];
    if (!check(&kinds[BCE_LOGITS], input, target, options, &o) ||
        !check_weight(op, "weight", o.weight, input, false) ||
        !check_weight(op, "pos_weight", o.pos_weight, input, false))
        return NULL;
    return loss(o.pos_weight ? BCE_LOGITS_POS : BCE_LOGITS, input, target, o.pos_weight, o.weight,
                params, o.reduction);
}

/* BCE of logits, of which each row's mean is one loss. */
gn_tensor *gn_multilabel_soft_margin_loss_with(gn_tensor *input, gn_tensor *target,
                                               const gn_loss_options *options) {
    const char *op = kinds[MULTILABEL].op.name;
    gn_loss_options o;
    double params[1];
    if (!check(&kinds[MULTILABEL], input, target, options, &o) ||
        !check_weight(op, "weight", o.weight, input, false))
        return NULL;
    if (input->n_dims == 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "input () has no dim of classes");
    if (o.reduction == GN_REDUCE_MEAN)
        return loss(BCE_LOGITS, input, target, NULL, o.weight, params, GN_REDUCE_MEAN);
    gn_tensor *rows = loss(BCE_LOGITS, input, target, NULL, o.weight, params, GN_REDUCE_NONE);
    return gn__loss_of_elements(gn_mean(rows, .dims = GN_DIMS(-1)), o.reduction);
}

gn_tensor *gn_kl_div_with(gn_tensor *input, gn_tensor *target, const gn_loss_options *options) {
    gn_loss_options o;
    double params[1];
    if (!check(&kinds[KL_DIV], input, target, options, &o))
        return NULL;
    return loss(o.log_target ? KL_DIV_LOG : KL_DIV, input, target, NULL, NULL, params, o.reduction);
}

gn_tensor *gn_poisson_nll_loss_with(gn_tensor *input, gn_tensor *target,
                                    const gn_loss_options *options) {
    gn_loss_options o;
    if (!check(&kinds[POISSON], input, target, options, &o))
        return NULL;
    double params[] = {0, gn_or(o.eps, 1e-8), o.full};
    return loss(o.no_log_input ? POISSON : POISSON_LOG, input, target, NULL, NULL, params,
                o.reduction);
}

/* var as it broadcasts to the input: it may lack the last dim, or have one dim of size 1. */
static gn_tensor *fitting_variance(const char *op, gn_tensor *var, const gn_tensor *x) {
    int differ = 0, n = x->n_dims;
    if (!gn__given(op, var) || !gn__check_float(op, "var", var))
        return NULL;
    if (n > 0 && var->n_dims == n - 1 &&
        memcmp(var->size, x->size, (size_t)(n - 1) * sizeof x->size[0]) == 0)
        return gn_unsqueeze(var, -1);
    bool fits = var->n_dims == n;
    for (int d = 0; fits && d < n; d++)
        if (var->size[d] != x->size[d]) {
            fits = var->size[d] == 1;
            differ++;
        }
    if (fits && differ <= 1)
        return var;
    return gn__fail_null(GN_E_ARGUMENT, op, "var %s does not fit input %s", gn__shape_of(var),
                         gn__shape_of(x));
}

gn_tensor *gn_gaussian_nll_loss_with(gn_tensor *input, gn_tensor *target, gn_tensor *var,
                                     const gn_loss_options *options) {
    const char *op = kinds[GAUSSIAN].op.name;
    gn_loss_options o;
    if (!check(&kinds[GAUSSIAN], input, target, options, &o) ||
        !(var = fitting_variance(op, var, input)))
        return NULL;
    gn_scope scope = gn_scope_begin();
    bool negative = gn_item_bool(gn_any(gn_lt_scalar(var, 0)));
    if (gn_scope_end(scope) == GN_OK && negative)
        return gn__fail_null(GN_E_ARGUMENT, op, "an element of var is negative");
    double params[] = {0, gn_or(o.eps, 1e-6),
                       o.full ? 0.91893853320467274178 : 0}; /* log(2 pi) / 2 */
    return loss(GAUSSIAN, input, target, var, NULL, params, o.reduction);
}

/* ---- Of labels 1 and -1 */

gn_tensor *gn_soft_margin_loss_with(gn_tensor *input, gn_tensor *target,
                                    const gn_loss_options *options) {
    gn_loss_options o;
    double params[1];
    if (!check(&kinds[SOFT_MARGIN], input, target, options, &o))
        return NULL;
    return loss(SOFT_MARGIN, input, target, NULL, NULL, params, o.reduction);
}

gn_tensor *gn_hinge_embedding_loss_with(gn_tensor *input, gn_tensor *target,
                                        const gn_loss_options *options) {
    gn_loss_options o;
    if (!check(&kinds[HINGE_EMBEDDING], input, target, options, &o))
        return NULL;
    double params[] = {0, gn_or(o.margin, 1)};
    return loss(HINGE_EMBEDDING, input, target, NULL, NULL, params, o.reduction);
}
