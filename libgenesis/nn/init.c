/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.c - distributions that parameters begin with, and whole modules filled. Matrices with a
 * structure (identity, orthogonal, sparse) are in init_matrix.c.
 */
#include <math.h>
#include <string.h>

#include "init.h"

gn_tensor *gn__init(const char *op, gn_tensor *t, int min_dims, int max_dims,
                    const gn_init_options *options, gn__fill *fill) {
    gn_init_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !gn__given(op, t) || !gn__check_float(op, "the tensor", t))
        return NULL;
    if (t->n_dims < min_dims || t->n_dims > max_dims)
        return gn__fail_null(GN_E_ARGUMENT, op, "the tensor %s must have %d to %d dims",
                             gn__shape_of(t), min_dims, max_dims);
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    if (t->count)
        fill(op, t, &o);
    gn_set_grad_enabled(was);
    return gn_scope_end(scope) == GN_OK ? t : NULL;
}

/* ---- Uniform, normal, constant */

static void fill_uniform(const char *op, gn_tensor *t, const gn_init_options *o) {
    const double low = gn_or(o->low, 0), high = gn_or(o->high, 1);
    if (!(low <= high))
        gn_fail(GN_E_ARGUMENT, op, "there is no range from %g to %g", low, high);
    gn_uniform_(t, low, high, o->generator);
}

static void fill_normal(const char *op, gn_tensor *t, const gn_init_options *o) {
    const double std = gn_or(o->std, 1);
    if (!(std >= 0))
        gn_fail(GN_E_ARGUMENT, op, "%g is no standard deviation", std);
    gn_normal_(t, o->mean, std, o->generator);
}

gn_tensor *gn_init_uniform_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_uniform_", t, 0, GN_TENSOR_MAX_DIMS, options, fill_uniform);
}

gn_tensor *gn_init_normal_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_normal_", t, 0, GN_TENSOR_MAX_DIMS, options, fill_normal);
}

gn_tensor *gn_init_constant_(gn_tensor *t, double value) {
    bool was = gn_set_grad_enabled(false);
    t = gn_fill_(t, value);
    gn_set_grad_enabled(was);
    return t;
}

/* ---- The truncated normal distribution, by rejection: elements that are pending get the next
 * candidate. Candidates are normal where the range has most of the mass; else, so that few are
 * needed, uniform in the range, and accepted in proportion to the density. */

typedef struct range {
    double mean, std, low, high;
    double peak; /* where the density is largest, in standard deviations from the mean */
} range;

static bool has_most_mass(const range *r) {
    const double unit = 1 / (r->std * sqrt(2));
    return erf((r->high - r->mean) * unit) - erf((r->low - r->mean) * unit) > 0.6;
}

/* A range for uniform candidates: where the density is below exp(-20) of its peak, which is less
 * than a random number's step, none would be accepted. */
static void narrow(range *r) {
    const double mode = fmin(fmax(r->mean, r->low), r->high);
    r->peak = (mode - r->mean) / r->std;
    const double reach = r->std * sqrt(r->peak * r->peak + 2 * 20);
    r->low = fmax(r->low, r->mean - reach);
    r->high = fmin(r->high, r->mean + reach);
}

/* 1 where the candidate is refused, 0 elsewhere. */
static gn_tensor *refused(gn_tensor *candidate, const range *r, bool normal, gn_generator *g) {
    if (normal)
        return gn_map("x < low || x > high ? 1.0 : 0.0", candidate,
                      .params = {{"low", r->low}, {"high", r->high}});
    gn_tensor *inputs[] = {candidate, gn_uniform_(gn_empty_like(candidate), 0, 1, g)};
    const gn_map_options o = {.params = {{"peak", r->peak}, {"mean", r->mean}, {"std", r->std}}};
    return gn_map_n("(x, u) -> u > exp((peak ** 2 - ((x - mean) / std) ** 2) / 2) ? 1.0 : 0.0", 2,
                    inputs, &o);
}

static void fill_trunc_normal(const char *op, gn_tensor *t, const gn_init_options *o) {
    range r = {o->mean, gn_or(o->std, 1), gn_or(o->low, -2), gn_or(o->high, 2), 0};
    if (!(r.std > 0) || !(r.low < r.high))
        gn_fail(GN_E_ARGUMENT, op, "a standard deviation of %g in the range from %g to %g", r.std,
                r.low, r.high);
    const bool normal = has_most_mass(&r);
    if (!normal)
        narrow(&r);
    gn_tensor *pending = gn_ones_like(t);
    for (bool any = true; any && !gn__failed();) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *candidate = gn_empty_like(t);
        if (normal)
            gn_normal_(candidate, r.mean, r.std, o->generator);
        else
            gn_uniform_(candidate, r.low, r.high, o->generator);
        gn_copy_(t, gn_where(pending, candidate, t));
        gn_mul_(pending, refused(candidate, &r, normal, o->generator));
        any = gn_item_bool(gn_any(pending));
        gn_scope_end(scope);
    }
}

gn_tensor *gn_init_trunc_normal_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_trunc_normal_", t, 0, GN_TENSOR_MAX_DIMS, options, fill_trunc_normal);
}

/* ---- By the fans of a weight (out, in, kernel..) */

typedef struct fans {
    double in, out;
} fans;

static fans fans_of(const gn_tensor *weight) {
    double receptive = 1;
    for (int d = 2; d < weight->n_dims; d++)
        receptive *= (double)weight->size[d];
    return (fans){(double)weight->size[1] * receptive, (double)weight->size[0] * receptive};
}

static double xavier_std(const gn_tensor *t, const gn_init_options *o) {
    const fans f = fans_of(t);
    return gn_or(o->gain, 1) * sqrt(2 / (f.in + f.out));
}

static double kaiming_std(const gn_tensor *t, const gn_init_options *o) {
    const fans f = fans_of(t);
    const char *name = o->nonlinearity ? o->nonlinearity : "leaky_relu";
    return gn_init_calculate_gain(name, gn_some(o->a)) / sqrt(o->fan_out ? f.out : f.in);
}

/* U(-b, b) has the variance b^2 / 3. */
static void fill_uniform_std(gn_tensor *t, double std, gn_generator *generator) {
    gn_uniform_(t, -sqrt(3) * std, sqrt(3) * std, generator);
}

static void fill_xavier_uniform(const char *op, gn_tensor *t, const gn_init_options *o) {
    (void)op;
    fill_uniform_std(t, xavier_std(t, o), o->generator);
}

static void fill_xavier_normal(const char *op, gn_tensor *t, const gn_init_options *o) {
    (void)op;
    gn_normal_(t, 0, xavier_std(t, o), o->generator);
}

static void fill_kaiming_uniform(const char *op, gn_tensor *t, const gn_init_options *o) {
    (void)op;
    fill_uniform_std(t, kaiming_std(t, o), o->generator);
}

static void fill_kaiming_normal(const char *op, gn_tensor *t, const gn_init_options *o) {
    (void)op;
    gn_normal_(t, 0, kaiming_std(t, o), o->generator);
}

gn_tensor *gn_init_xavier_uniform_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_xavier_uniform_", t, 2, GN_TENSOR_MAX_DIMS, options, fill_xavier_uniform);
}

gn_tensor *gn_init_xavier_normal_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_xavier_normal_", t, 2, GN_TENSOR_MAX_DIMS, options, fill_xavier_normal);
}

gn_tensor *gn_init_kaiming_uniform_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_kaiming_uniform_", t, 2, GN_TENSOR_MAX_DIMS, options,
                    fill_kaiming_uniform);
}

gn_tensor *gn_init_kaiming_normal_with(gn_tensor *t, const gn_init_options *options) {
    return gn__init("init_kaiming_normal_", t, 2, GN_TENSOR_MAX_DIMS, options, fill_kaiming_normal);
}

double gn_init_calculate_gain(const char *nonlinearity, gn_optional param) {
    static const struct {
        const char *name;
        double gain;
    } gains[] = {
        {"linear", 1},           {"conv1d", 1},
        {"conv2d", 1},           {"conv3d", 1},
        {"conv_transpose1d", 1}, {"conv_transpose2d", 1},
        {"conv_transpose3d", 1}, {"sigmoid", 1},
        {"tanh", 5. / 3},        {"relu", 1.4142135623730951},
        {"selu", 0.75},
    };
    const char *name = nonlinearity ? nonlinearity : "NULL";
    const double slope = gn_or(param, 0.01);
    if (strcmp(name, "leaky_relu") == 0)
        return sqrt(2 / (1 + slope * slope));
    for (size_t i = 0; i < GN_LENGTH(gains); i++)
        if (strcmp(gains[i].name, name) == 0)
            return gains[i].gain;
    gn_fail(GN_E_ARGUMENT, "init_calculate_gain", "\"%s\" is no nonlinearity that it knows", name);
    return 0;
}

/* ---- Whole modules */

/* Each fills weights of at least 2 dims. */
static const struct {
    const char *name;
    gn_tensor *(*fill)(gn_tensor *t, const gn_init_options *options);
    gn_init_options options;
} types[] = {
    {.name = "xavier", .fill = gn_init_xavier_uniform_with},
    {.name = "kaiming", .fill = gn_init_kaiming_uniform_with, .options.nonlinearity = "relu"},
    {.name = "normal", .fill = gn_init_normal_with, .options.std = {0.02, true}},
    {.name = "uniform",
     .fill = gn_init_uniform_with,
     .options = {.low = {-0.1, true}, .high = {0.1, true}}},
};

static void initialise(const gn__state_place *place, void *context) {
    const size_t type = *(const size_t *)context;
    gn_tensor *t = place->tensor;
    const char *last = strrchr(place->name, '.');
    if (place->buffer)
        return;
    if (t->n_dims >= 2)
        types[type].fill(t, &types[type].options);
    else if (strcmp(last ? last + 1 : place->name, "bias") == 0)
        gn_init_constant_(t, 0);
}

gn_status gn_init_weights(gn_module *module, const char *type) {
    static const char op[] = "init_weights";
    if (!gn__is_module(op, module))
        return gn_error_status();
    size_t chosen = 0;
    while (chosen < GN_LENGTH(types) && (type == NULL || strcmp(types[chosen].name, type) != 0))
        chosen++;
    if (chosen == GN_LENGTH(types))
        return gn_fail(GN_E_ARGUMENT, op,
                       "there is no type \"%s\": it is xavier, kaiming, normal or uniform",
                       type ? type : "NULL");
    return gn__state_walk(module, &gn__all_once, initialise, &chosen);
}
