/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_norm.c - group norm, instance norm and local response norm, for inputs (N, C, *). See norm.c
 * for the mathematics of the first two: the input is seen as (N, groups, C / groups, S), and the
 * last two dims are reduced. Instance norm is the case of a channel per group.
 */
#include "norm.h"
#include "ops.h"

static bool check_input(const char *op, gn_tensor *x, int least_dims) {
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return false;
    if (x->n_dims >= least_dims)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "input %s must be (N, C, %s)", gn__shape_of(x),
            least_dims > 2 ? "L, .." : "..");
    return false;
}

/* What fits is known. */
static gn_tensor *normalise(const char *op, gn_tensor *x, int64_t groups, gn_tensor *weight,
                            gn_tensor *bias, double eps) {
    enum { N = 1, GROUP = 2, CHANNEL = 4, SPACE = 8 }; /* bits of the dims */
    const gn__norm norm = {
        .op = op, .reduced = CHANNEL | SPACE, .weighted = GROUP | CHANNEL, .eps = eps};
    const int64_t channels = x->size[1] / groups, area = gn__count(x->n_dims - 2, x->size + 2);
    const gn_shape each = GN_SHAPE(groups, channels);
    gn_tensor *seen = gn_reshape(x, x->size[0], groups, channels, area);
    gn_tensor *w = weight ? gn_reshape_with(weight, each) : NULL,
              *b = bias ? gn_reshape_with(bias, each) : NULL;
    if (gn__failed())
        return NULL;
    return gn_reshape_with(gn__norm_apply(norm, seen, w, b), gn_shape_of(x));
}

/* ---- Group norm */

gn_tensor *gn_group_norm_with(gn_tensor *x, int64_t groups, gn_tensor *weight, gn_tensor *bias,
                              const gn_norm_options *options) {
    static const char op[] = "group_norm";
    gn_norm_options o;
    gn__options(&o, sizeof o, options);
    if (!check_input(op, x, 2) || !gn__check_per_channel(op, "weight", weight, x) ||
        !gn__check_per_channel(op, "bias", bias, x))
        return NULL;
    if (groups < 1 || x->size[1] % groups)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld groups do not divide the %lld channels of %s",
                             (long long)groups, (long long)x->size[1], gn__shape_of(x));
    if (x->count == groups)
        return gn__fail_null(GN_E_ARGUMENT, op, "needs more than 1 value per group, input is %s",
                             gn__shape_of(x));
    return normalise(op, x, groups, weight, bias, gn_or(o.eps, 1e-5));
}

/* ---- Instance norm */

/* r = (1 - m) r + m s, s the mean over the batch of each instance's statistic. */
static void follow(gn_tensor *running, gn_tensor *statistic, double momentum) {
    gn_tensor *s = gn_mean(statistic, .dims = GN_DIMS(0));
    gn_copy_(running, gn_add(gn_mul_scalar(running, 1 - momentum), gn_mul_scalar(s, momentum)));
}

static gn_status update_running(gn_tensor *x, gn_tensor *mean, gn_tensor *var, double momentum) {
    const bool was = gn_set_grad_enabled(false);
    const gn_scope scope = gn_scope_begin();
    gn_dims space = {.n = x->n_dims - 2};
    for (int d = 0; d < space.n; d++)
        space.dim[d] = 2 + d;
    x = gn_cast(x, gn__compute_type(x->dtype));
    follow(mean, gn_mean(x, .dims = space), momentum);
    follow(var, gn_var(x, .dims = space), momentum);
    gn_set_grad_enabled(was);
    return gn_scope_end(scope);
}

gn_tensor *gn_instance_norm_with(gn_tensor *x, gn_tensor *running_mean, gn_tensor *running_var,
                                 gn_tensor *weight, gn_tensor *bias,
                                 const gn_norm_options *options) {
    static const char op[] = "instance_norm";
    gn_norm_options o;
    gn__options(&o, sizeof o, options);
    if (!check_input(op, x, 3) || !gn__check_per_channel(op, "running_mean", running_mean, x) ||
        !gn__check_per_channel(op, "running_var", running_var, x) ||
        !gn__check_per_channel(op, "weight", weight, x) ||
        !gn__check_per_channel(op, "bias", bias, x))
        return NULL;
    if ((running_mean == NULL) != (running_var == NULL))
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "running_mean and running_var are given both or "
                             "none");
    if (running_mean && !o.training)
        return gn_batch_norm(x, running_mean, running_var, weight, bias, .eps = o.eps);
    if (gn__count(x->n_dims - 2, x->size + 2) == 1)
        return gn__fail_null(GN_E_ARGUMENT, op, "needs more than 1 value per channel, input is %s",
                             gn__shape_of(x));
    if (x->count == 0)
        return gn_clone(x);
    gn_tensor *y = normalise(op, x, x->size[1], weight, bias, gn_or(o.eps, 1e-5));
    if (y && running_mean &&
        update_running(x, running_mean, running_var, gn_or(o.momentum, 0.1)) != GN_OK)
        return NULL;
    return y;
}

/* ---- Local response norm */

/* The mean of x^2 over `size` channels around each, those beyond the ends being 0. */
static gn_tensor *mean_square_around(gn_tensor *x, int64_t size) {
    const int64_t area = gn__count(x->n_dims - 2, x->size + 2);
    gn_tensor *squares = gn_reshape(gn_square(x), x->size[0], 1, x->size[1], area);
    squares = gn_pad(squares, GN_SHAPE(0, 0, size / 2, 0), GN_SHAPE(0, 0, (size - 1) / 2, 0), 0);
    gn_tensor *mean = gn_avg_pool2d(squares, 1, .kernel_sizes = {size, 1}, .strides = {1, 1});
    return mean ? gn_reshape_with(mean, gn_shape_of(x)) : NULL;
}

gn_tensor *gn_local_response_norm_with(gn_tensor *x, int64_t size,
                                       const gn_local_response_options *options) {
    static gn__op divide = {.name = "local_response_norm",
                            .text = "x / (k + alpha * a) ** beta",
                            .variables = "x, a",
                            .params = "alpha, beta, k"};
    gn_local_response_options o;
    gn__options(&o, sizeof o, options);
    if (!check_input(divide.name, x, 3))
        return NULL;
    if (size < 1 || size > GN__MAX_STEP)
        return gn__fail_null(GN_E_ARGUMENT, divide.name, "the size %lld must be from 1 to %d",
                             (long long)size, GN__MAX_STEP);
    if (x->count == 0)
        return gn_clone(x);
    gn_tensor *inputs[] = {x, mean_square_around(x, size)};
    const double params[] = {gn_or(o.alpha, 1e-4), gn_or(o.beta, 0.75), gn_or(o.k, 1)};
    return gn__failed() ? NULL : gn__apply(&divide, 2, inputs, params);
}
