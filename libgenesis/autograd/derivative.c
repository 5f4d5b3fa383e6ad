/* SPDX-License-Identifier: Apache-2.0 */
/*
 * derivative.c - products of the Jacobian of a function with vectors, from either side; and what
 * stands in the way of differentiating twice.
 */
#include <stdlib.h>

#include "../ops/ops.h"

/* ---- vjp, jvp */

typedef struct call {
    const char *op;
    int n;
    gn_tensor *inputs[GN__MAX_VARIABLES];
    gn_tensor *result;
} call;

/* Calls fn on inputs of its own, recording; false with an error. */
static bool run(call *c, gn_differentiable *fn, void *context, int n, gn_tensor *const *inputs) {
    if (gn__failed())
        return false;
    if (!fn || !inputs || n < 1 || n > GN__MAX_VARIABLES) {
        gn_fail(GN_E_ARGUMENT, c->op, "takes a function and 1 to %d inputs, not %d",
                GN__MAX_VARIABLES, n);
        return false;
    }
    if (!gn_is_grad_enabled()) {
        gn_fail(GN_E_STATE, c->op, "nothing is recorded in inference mode");
        return false;
    }
    for (c->n = 0; c->n < n; c->n++)
        if (!gn__given(c->op, inputs[c->n]) ||
            !(c->inputs[c->n] = gn_requires_grad_(gn_detach(inputs[c->n]), true)))
            return false;
    c->result = fn(c->inputs, context);
    return gn__given(c->op, c->result);
}

static bool fits(const char *op, const gn_tensor *v, const gn_tensor *t, const char *what) {
    if (!gn__given(op, v))
        return false;
    if (!gn__same_shape(v, t))
        gn_fail(GN_E_ARGUMENT, op, "v %s must have the shape of %s, %s", gn__shape_of(v), what,
                gn__shape_of(t));
    return !gn__failed();
}

static void vjp_of(call *c, gn_tensor *v, gn_tensor **vjp) {
    for (int i = 0; i < c->n; i++)
        vjp[i] = NULL;
    if (gn__records(c->result))
        gn_gradients(c->result, c->n, c->inputs, vjp,
                     GN_OPTIONS(gn_backward_options, .gradient = v));
    for (int i = 0; i < c->n && !gn__failed(); i++)
        if (!vjp[i])
            vjp[i] = gn_zeros_like(c->inputs[i]);
}

gn_tensor *gn_vjp(gn_differentiable *fn, void *context, int n, gn_tensor *const *inputs,
                  gn_tensor *v, gn_tensor **vjp) {
    call c = {.op = "vjp"};
    if (!vjp)
        return gn__fail_null(GN_E_ARGUMENT, c.op, "there is no place for the result: vjp is NULL");
    bool was = gn_set_grad_enabled(true);
    if (run(&c, fn, context, n, inputs) && (!v || fits(c.op, v, c.result, "the result")))
        vjp_of(&c, v, vjp);
    gn_set_grad_enabled(was);
    return gn__failed() ? NULL : gn_detach(c.result);
}

/* The gradients g[i] = u^T (d result / d input i) are linear in u, so the derivative of
 * sum of <g[i], v[i]> by u is the product wanted. */
static gn_tensor *jvp_of(call *c, gn_tensor *const *v) {
    gn_tensor *u = gn_requires_grad_(gn_zeros_like(c->result), true), *g[GN__MAX_VARIABLES];
    if (!gn__records(c->result) ||
        gn_gradients(c->result, c->n, c->inputs, g,
                     GN_OPTIONS(gn_backward_options, .gradient = u, .create_graph = true)))
        return gn_detach(u);
    gn_tensor *sum = NULL, *jvp = NULL;
    for (int i = 0; i < c->n; i++)
        if (g[i] && gn__records(g[i])) {
            gn_tensor *part = gn_sum(gn_mul(g[i], v[i]));
            sum = sum ? gn_add(sum, part) : part;
        }
    if (sum)
        gn_gradients(sum, 1, &u, &jvp, NULL);
    return jvp ? jvp : gn_detach(u);
}

gn_tensor *gn_jvp(gn_differentiable *fn, void *context, int n, gn_tensor *const *inputs,
                  gn_tensor *const *v, gn_tensor **jvp) {
    call c = {.op = "jvp"};
    if (!v || !jvp)
        return gn__fail_null(GN_E_ARGUMENT, c.op, "%s is NULL", v ? "jvp" : "v");
    bool was = gn_set_grad_enabled(true), ready = run(&c, fn, context, n, inputs);
    for (int i = 0; i < n && ready; i++)
        ready = fits(c.op, v[i], inputs[i], "its input");
    *jvp = ready ? jvp_of(&c, v) : NULL;
    gn_set_grad_enabled(was);
    return gn__failed() ? NULL : gn_detach(c.result);
}

/* ---- Once differentiable */

static gn_status refuse(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    (void)grads, (void)out;
    return gn_fail(GN_E_UNSUPPORTED, node->name, "its gradient can't be differentiated again");
}

static const gn__node_class refuse_node = {.name = "once", .backward = refuse};

gn_status gn__once_differentiable(gn__node *node, gn_tensor *const *grads, int n, gn_tensor **out) {
    const int n_from = node->n_saved + node->n_outputs;
    gn_tensor **from = gn__alloc_array((size_t)n_from + 1, sizeof *from);
    for (int i = 0; from && i < n_from; i++)
        from[i] = i < node->n_saved ? gn__saved_tensor(node, i) : grads[i - node->n_saved];
    if (from && gn__recording(n_from, from))
        for (int k = 0; k < n && !gn__failed(); k++)
            if (out[k] && (out[k] = gn__tensor_twin(out[k])))
                gn__record_outputs(&refuse_node, node->name, 1, &out[k], n_from, from, 0);
    free(from);
    return gn_error_status();
}
