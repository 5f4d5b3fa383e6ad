/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activation.c - activations with arguments to check, several inputs, or random numbers. The others
 * are rows of pointwise.def. Softmax is in softmax.c.
 */
#include "ops.h"
#include "support.h"

/* ---- Of x and numbers */

/* log(1 + exp(beta x)) / beta, or x where beta x > threshold */
gn_tensor *gn_softplus_with(gn_tensor *x, const gn_softplus_options *options) {
    static gn__op op = {.name = "softplus",
                        .text = "x * beta > threshold ? x : softplus(x * beta) / beta",
                        .variables = "x",
                        .params = "beta, threshold",
                        .gradient = {"x * beta > threshold ? g : g * sigmoid(x * beta)"}};
    gn_softplus_options o;
    gn__options(&o, sizeof o, options);
    return gn__apply(&op, 1, &x, (double[]){gn_or(o.beta, 1), gn_or(o.threshold, 20)});
}

gn_tensor *gn_celu(gn_tensor *x, double alpha) {
    static gn__op op = {.name = "celu",
                        .text = "x > 0 ? x : s * expm1(x / s)",
                        .variables = "x",
                        .params = "s",
                        .gradient = {"x <= 0 ? g * exp(x / s) : g"}};
    if (!gn__failed() && alpha == 0)
        return gn__fail_null(GN_E_ARGUMENT, op.name, "alpha must not be 0");
    return gn__apply(&op, 1, &x, &alpha);
}

/* The product passes NaN on. */
gn_tensor *gn_softshrink(gn_tensor *x, double lambda) {
    static gn__op op = {.name = "softshrink",
                        .text = "x > s ? x - s : x < -s ? x + s : x * 0",
                        .variables = "x",
                        .params = "s",
                        .gradient = {"x >= -s && x <= s ? 0 : g"}};
    if (!gn__failed() && !(lambda >= 0))
        return gn__fail_null(GN_E_ARGUMENT, op.name, "lambda must be 0 or more, not %g", lambda);
    return gn__apply(&op, 1, &x, &lambda);
}

gn_tensor *gn_hardtanh(gn_tensor *x, double low, double high) {
    static gn__op op = {.name = "hardtanh",
                        .text = "min(max(x, low), high)",
                        .variables = "x",
                        .params = "low, high",
                        .gradient = {"x <= low || x >= high ? 0 : g"}};
    if (!gn__failed() && !(low <= high))
        return gn__fail_null(GN_E_ARGUMENT, op.name, "the bounds %g and %g are in the wrong order",
                             low, high);
    return gn__apply(&op, 1, &x, (double[]){low, high});
}

gn_tensor *gn_threshold(gn_tensor *x, double threshold, double value) {
    static gn__op op = {.name = "threshold",
                        .text = "x <= threshold ? value : x",
                        .variables = "x",
                        .params = "threshold, value"};
    return gn__apply(&op, 1, &x, (double[]){threshold, value});
}

/* ---- With a slope for each element */

/* x > 0 ? x : w x, a slope for each channel or one for all */
gn_tensor *gn_prelu(gn_tensor *x, gn_tensor *weight) {
    static gn__op op = {.name = "prelu", .text = "x > 0 ? x : w * x", .variables = "x, w"};
    if (gn__failed() || !gn__given(op.name, x) || !gn__given(op.name, weight))
        return NULL;
    const int64_t channels = x->n_dims > 1 ? x->size[1] : 1;
    if (weight->n_dims > 1 || (weight->count != 1 && weight->count != channels))
        return gn__fail_null(GN_E_ARGUMENT, op.name,
                             "weight %s does not fit input %s: it must have 1 element or %lld",
                             gn__shape_of(weight), gn__shape_of(x), (long long)channels);
    gn_shape shape = {.n = weight->count == 1 ? 0 : x->n_dims - 1, .size = {channels}};
    for (int d = 1; d < shape.n; d++)
        shape.size[d] = 1;
    return gn__apply(&op, 2, (gn_tensor *[]){x, gn_reshape_with(weight, shape)}, NULL);
}

gn_tensor *gn_rrelu(gn_tensor *x, double lower, double upper, bool training) {
    static gn__op op = {.name = "rrelu",
                        .text = "x > 0 ? x : x * (low + (high - low) * u)",
                        .variables = "x, u",
                        .params = "low, high"};
    if (gn__failed() || !gn__given(op.name, x) || !gn__check_float(op.name, "input", x))
        return NULL;
    if (!(lower <= upper))
        return gn__fail_null(GN_E_ARGUMENT, op.name, "the bounds %g and %g are in the wrong order",
                             lower, upper);
    if (!training)
        return gn_leaky_relu(x, (lower + upper) / 2);
    gn_tensor *u = gn_rand_like(x);
    return u ? gn__apply(&op, 2, (gn_tensor *[]){x, u}, (double[]){lower, upper}) : NULL;
}

/* ---- Along a dim */

/* a sigmoid(b), a and b the halves of x */
gn_tensor *gn_glu(gn_tensor *x, int64_t dim) {
    static gn__op op = {.name = "glu", .text = "a * sigmoid(b)", .variables = "a, b"};
    int d;
    if (gn__failed() || !gn__given(op.name, x))
        return NULL;
    if (x->n_dims == 0)
        return gn__fail_null(GN_E_ARGUMENT, op.name, "input () has no dim to halve");
    if (!gn__dim(op.name, dim, x->n_dims, &d))
        return NULL;
    const int64_t half = x->size[d] / 2;
    if (x->size[d] % 2)
        return gn__fail_null(GN_E_ARGUMENT, op.name,
                             "dim %d of input %s has an odd size: it must be even to be halved", d,
                             gn__shape_of(x));
    gn_tensor *halves[] = {gn_narrow(x, d, 0, half), gn_narrow(x, d, half, half)};
    return gn__failed() ? NULL : gn__apply(&op, 2, halves, NULL);
}

gn_tensor *gn_softmin(gn_tensor *x, int64_t dim) { return gn_softmax(gn_neg(x), dim); }

/* The one-hot of the largest along dim, with the gradient of y. */
static gn_tensor *straight_through(gn_tensor *y, int64_t dim) {
    static gn__op op = {.name = "gumbel_softmax",
                        .text = "(h - y) + y",
                        .variables = "h, y",
                        .gradient = {"0", "g"}};
    gn_tensor *index = gn_argmax(y, dim, true), *ones = gn_ones_like(gn_narrow(y, dim, 0, 1));
    gn_tensor *hot = gn_scatter(gn_zeros_like(y), dim, index, ones);
    return hot ? gn__apply(&op, 2, (gn_tensor *[]){hot, y}, NULL) : NULL;
}

/* softmax((x + G) / tau), G = -log(E), E = -log(1 - u) with u in [0, 1), kept from 0 */
gn_tensor *gn_gumbel_softmax_with(gn_tensor *x, const gn_gumbel_options *options) {
    static gn__op noisy = {.name = "gumbel_softmax",
                           .text = "(x - log(-log1p(-max(u, 2.9802322387695312e-8)))) / tau",
                           .variables = "x, u",
                           .params = "tau",
                           .gradient = {"g / tau", "0"}};
    gn_gumbel_options o;
    gn__options(&o, sizeof o, options);
    const double tau = gn_or(o.tau, 1);
    const int64_t dim = (int64_t)gn_or(o.dim, -1);
    if (gn__failed() || !gn__given(noisy.name, x) || !gn__check_float(noisy.name, "input", x))
        return NULL;
    gn_tensor *u = gn__tensor_like(x, GN_F32);
    u = u ? gn_uniform_(u, 0, 1, NULL) : NULL;
    gn_tensor *logits = u ? gn__apply_as(&noisy, 2, (gn_tensor *[]){x, u}, &tau, x->dtype) : NULL;
    gn_tensor *y = gn_softmax(logits, dim);
    return y && o.hard ? straight_through(y, dim) : y;
}
