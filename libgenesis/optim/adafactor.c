/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adafactor.c - Adafactor (Shazeer and Stern 2018), PyTorch's form. Of a matrix (.., n, m) it keeps
 * the mean squares of the gradient's rows (.., n, 1) and columns (.., 1, m), whose outer product
 * stands for the mean squares of the elements. In step t, from 1:
 *
 *     rest  = t^beta2_decay                               what the new mean squares weigh
 *     alpha = max(eps2, rms(p)) min(lr, 1 / sqrt(t))      steps are relative to the parameter
 *     u     = g / max(sqrt(v), eps1)
 *     p     = p - alpha u / max(1, rms(u) / d)
 */
#include "optimizer.h"

enum { LR, BETA2_DECAY, EPS1, EPS2, CLIP, DECAY, MAXIMIZE, N_HYPERS };
enum { ROWS, COLUMNS, VARIANCE };

static const gn__hyper hypers[N_HYPERS] = {
    [LR] = {GN__NUMBER(gn_adafactor_options, lr), .standard = 1e-2, .high = INFINITY},
    [BETA2_DECAY] = {GN__OPTIONAL(gn_adafactor_options, beta2_decay), .standard = -0.8,
                     .low = -INFINITY, .high = 0},
    [EPS1] = {GN__OPTIONAL(gn_adafactor_options, eps1), .tuple = "eps", .place = 0, .standard = NAN,
              .high = INFINITY},
    [EPS2] = {GN__OPTIONAL(gn_adafactor_options, eps2), .tuple = "eps", .place = 1,
              .standard = 1e-3, .high = INFINITY},
    [CLIP] = {GN__OPTIONAL(gn_adafactor_options, d), .standard = 1, .low = 1, .high = INFINITY},
    [DECAY] = {GN__NUMBER(gn_adafactor_options, weight_decay), .high = INFINITY},
    [MAXIMIZE] = {GN__FLAG(gn_adafactor_options, maximize)},
};

static bool state_shape(const gn_tensor *p, int k, gn_shape *shape) {
    *shape = gn__shape(p->n_dims, p->size);
    if (p->n_dims > 1 && k != VARIANCE)
        shape->size[p->n_dims - (k == ROWS ? 1 : 2)] = 1;
    return (p->n_dims > 1) == (k != VARIANCE);
}

static double epsilon_of(int dtype) {
    switch (dtype) {
    case GN_F64: return DBL_EPSILON;
    case GN_F16: return 0x1p-10;
    case GN_BF16: return 0x1p-7;
    default: return FLT_EPSILON;
    }
}

static double root_mean_square(gn_tensor *x) {
    return x && x->count ? gn_item(gn_norm(x, 2, (gn_dims){0}, false)) / sqrt((double)x->count) : 0;
}

/* average := average + rest (value - average), in place */
static gn_tensor *approach(gn_tensor *average, gn_tensor *value, double rest) {
    return gn_add_(average, gn_mul_scalar(gn_sub(value, average), rest));
}

/* The mean squares of the elements, from the states, which take in the gradient's. */
static gn_tensor *mean_squares(gn__slot *slot, gn_tensor *g, double rest, double eps) {
    gn_tensor *square = gn_square(g), *rows = slot->state[ROWS], *columns = slot->state[COLUMNS];
    if (slot->parameter->n_dims < 2)
        return approach(slot->state[VARIANCE], square, rest);
    approach(rows, gn_mean(square, .dims = GN_DIMS(-1), .keepdim = true), rest);
    approach(columns, gn_mean(square, .dims = GN_DIMS(-2), .keepdim = true), rest);
    gn_tensor *mean = gn_mean(rows, .dims = GN_DIMS(-2), .keepdim = true);
    return gn_div(gn_mul(rows, columns), gn_clamp(mean, gn_some(eps), (gn_optional){0}));
}

static gn_status update(const gn__group *group, gn__slot *slot, gn_tensor *g) {
    const double *value = group->value, t = (double)(slot->step + 1), lr = value[LR];
    const double eps = isnan(value[EPS1]) ? epsilon_of(g->dtype) : value[EPS1];
    gn_tensor *p = gn_detach(slot->parameter);
    const double alpha = fmax(value[EPS2], root_mean_square(p)) * fmin(lr, 1 / sqrt(t));
    if (value[MAXIMIZE] != 0)
        g = gn_neg(g);
    gn_tensor *v = mean_squares(slot, g, pow(t, value[BETA2_DECAY]), eps);
    gn_tensor *u = gn_mul(gn_rsqrt(gn_clamp(v, gn_some(eps * eps), (gn_optional){0})), g);
    const double change = -alpha / fmax(1, root_mean_square(u) / value[CLIP]);
    if (gn__failed())
        return gn_error_status();
    if (value[DECAY] != 0)
        gn_mul_scalar_(p, 1 - lr * value[DECAY]);
    gn_add_(p, gn_mul_scalar(u, change));
    return gn_error_status();
}

static const gn__rule adafactor = {
    .name = "adafactor",
    .hypers = hypers,
    .n_hypers = N_HYPERS,
    .states = {[ROWS] = {.name = "row_var"},
               [COLUMNS] = {.name = "col_var"},
               [VARIANCE] = {.name = "variance"}},
    .update = update,
    .state_shape = state_shape,
};

gn_optimizer *gn_optim_adafactor_with(gn_dict *parameters, const gn_adafactor_options *options) {
    return gn__optimizer_new(&adafactor, parameters, options);
}
