/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gradcheck.c - comparing gradients with finite differences.
 *
 * The function's result y is reduced to one number, sum(w y) with fixed weights w, so that one walk
 * gives all gradients; each is compared with (f(x + eps) - f(x - eps)) / (2 eps).
 */
#include <math.h>
#include <stdlib.h>

#include "../ops/ops.h"

typedef struct check {
    gn_differentiable *fn;
    void *context;
    int n;
    gn_tensor *const *inputs;
    double eps, atol, rtol;
} check;

/* sum(w y), w[i] = 0.5 + frac(i * golden ratio): no two weights are equal. */
static gn_tensor *weighted(const check *c) {
    gn_tensor *y = c->fn(c->inputs, c->context);
    if (!y)
        return NULL;
    double *w = gn__alloc_array((size_t)y->count + 1, sizeof *w);
    if (!w)
        return NULL;
    for (int64_t i = 0; i < y->count; i++)
        w[i] = 0.5 + fmod((double)(i + 1) * 0.618033988749895, 1);
    gn_tensor *weights =
        gn_tensor_from(w, GN_F64, gn_shape_of(y), GN_AS(.device = y->storage->device->name));
    free(w);
    return gn_sum(gn_mul(y, weights));
}

static double value_of(const check *c) {
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    gn_tensor *f = weighted(c);
    double value = f ? gn_item(f) : NAN;
    gn_set_grad_enabled(was);
    gn_scope_end(scope);
    return value;
}

/* d f / d element i of the input, whose values are in `values`. */
static double difference(const check *c, gn_tensor *input, double *values, int64_t i) {
    double x = values[i], f[2];
    for (int side = 0; side < 2; side++) {
        values[i] = side ? x - c->eps : x + c->eps;
        gn__copy_in_data(input, values, GN_F64, input->count);
        f[side] = value_of(c);
    }
    values[i] = x;
    gn__copy_in_data(input, values, GN_F64, input->count);
    return (f[0] - f[1]) / (2 * c->eps);
}

static gn_status compare_input(const check *c, int k, gn_tensor *gradient) {
    gn_tensor *input = c->inputs[k];
    double *values = gn__alloc_array((size_t)input->count + 1, sizeof *values);
    double *found = gn__alloc_array((size_t)input->count + 1, sizeof *found);
    if (!gn__failed() && !gn_copy_out(input, values, GN_F64, input->count) && gradient)
        gn_copy_out(gradient, found, GN_F64, input->count);
    for (int64_t i = 0; i < input->count && !gn__failed(); i++) {
        double expected = difference(c, input, values, i);
        if (!(fabs(found[i] - expected) <= c->atol + c->rtol * fabs(expected)))
            gn_fail(GN_E_ARGUMENT, "gradcheck",
                    "input %d %s, element %lld: the gradient is %.10g, but differences give %.10g",
                    k, gn__shape_of(input), (long long)i, found[i], expected);
    }
    free(values);
    free(found);
    return gn_error_status();
}

static gn_status run(const check *c) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *gradients[GN__MAX_VARIABLES] = {NULL};
    gn_tensor *f = weighted(c);
    if (f && !f->requires_grad)
        gn_fail(GN_E_ARGUMENT, "gradcheck", "the result does not depend on any input");
    if (f && !gn__failed())
        gn_gradients(f, c->n, c->inputs, gradients, NULL);
    for (int k = 0; k < c->n && !gn__failed(); k++)
        compare_input(c, k, gradients[k]);
    return gn_scope_end(scope);
}

/* The sum of the products of all gradients with fixed weights, itself a function of the inputs. */
static gn_tensor *gradient_of(gn_tensor *const *inputs, void *context) {
    const check *first = context;
    check c = *first;
    c.inputs = inputs;
    gn_tensor *gradients[GN__MAX_VARIABLES], *sum = NULL, *f;
    bool was = gn_set_grad_enabled(true); /* also when differences are taken */
    if ((f = weighted(&c)))
        gn_gradients(f, c.n, inputs, gradients,
                     GN_OPTIONS(gn_backward_options, .create_graph = true));
    gn_set_grad_enabled(was);
    for (int k = 0; k < c.n && !gn__failed(); k++) {
        if (!gradients[k])
            continue;
        gn_tensor *part = gn_sum(gn_sin(gn_add_scalar(gradients[k], 0.5 + k)));
        sum = sum ? gn_add(sum, part) : part;
    }
    return sum;
}

gn_status gn_gradcheck(gn_differentiable *fn, void *context, int n, gn_tensor *const *inputs,
                       const gn_gradcheck_options *options) {
    if (gn__failed())
        return gn_error_status();
    if (n < 1 || n > GN__MAX_VARIABLES)
        return gn_fail(GN_E_ARGUMENT, "gradcheck", "takes 1 to %d inputs, not %d",
                       GN__MAX_VARIABLES, n);
    for (int k = 0; k < n; k++) {
        if (!gn__given("gradcheck", inputs[k]))
            return gn_error_status();
        if (inputs[k]->dtype != GN_F64 || !inputs[k]->requires_grad)
            return gn_fail(GN_E_ARGUMENT, "gradcheck",
                           "input %d must be float64 and require a gradient", k);
    }
    check c = {fn,
               context,
               n,
               inputs,
               options ? gn_or(options->eps, 1e-6) : 1e-6,
               options ? gn_or(options->atol, 1e-5) : 1e-5,
               options ? gn_or(options->rtol, 1e-3) : 1e-3};
    gn_status status = run(&c);
    if (!status && options && options->second_order) {
        check second = c;
        second.fn = gradient_of;
        second.context = &c;
        status = run(&second);
    }
    return status;
}
