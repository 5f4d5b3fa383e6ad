/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anomaly.c - looking for the operation that made the first NaN.
 *
 * Every recorded operation and every step of a walk is looked at, so the first NaN that is found is
 * where it came into being, unless an input had one before it was recorded: the message says so.
 */
#include <stdio.h>

#include "hooks.h"

enum { LIST_BYTES = 512 };

static bool has_nan(gn_tensor *t) {
    if (!t || !gn_dtype_is_float(t->dtype) || t->count == 0)
        return false;
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    bool any = gn_item_bool(gn_any(gn_isnan(t)));
    gn_set_grad_enabled(was);
    gn_scope_end(scope);
    return any;
}

/* "(2, 3), (3) with NaN": the tensors, but for the absent ones and those over the data of `but`. */
static void list(char *text, gn_tensor *const *t, int n, const gn_tensor *but) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < n && used < LIST_BYTES; i++)
        if (t[i] && (!but || t[i]->storage != but->storage))
            used += (size_t)snprintf(text + used, LIST_BYTES - used, "%s%s%s", used ? ", " : "",
                                     gn__shape_of(t[i]), has_nan(t[i]) ? " with NaN" : "");
}

static gn_status report(const gn__node *node, const char *what) {
    return gn_fail(GN_E_STATE, node->name, "%s%s%s", what, node->module ? "; in " : "",
                   node->module ? node->module : "");
}

gn_status gn__anomaly_forward(gn__node *node, gn_tensor *const *outputs, gn_tensor *const *inputs) {
    char what[2 * LIST_BYTES], from[LIST_BYTES];
    const gn__running *running = gn__self()->running;
    if (running) {
        running->describe(running, what, sizeof what);
        node->module = gn__strdup(what);
    }
    for (int i = 0; i < node->n_outputs && !gn__failed(); i++) {
        if (!has_nan(outputs[i]))
            continue;
        list(from, inputs, node->n_inputs, outputs[i]);
        snprintf(what, sizeof what, "its result %s has a NaN, computed from %s",
                 gn__shape_of(outputs[i]), from);
        return report(node, what);
    }
    return gn_error_status();
}

gn_status gn__anomaly_backward(gn__node *node, gn_tensor *const *grads, gn_tensor *const *out) {
    char what[2 * LIST_BYTES], from[LIST_BYTES];
    for (int i = 0; i < node->n_inputs && !gn__failed(); i++) {
        if (!has_nan(out[i]))
            continue;
        list(from, grads, node->n_outputs, NULL);
        snprintf(what, sizeof what,
                 "its backward made a NaN in the gradient %s of input %d, from gradients %s",
                 gn__shape_of(out[i]), i, from);
        return report(node, what);
    }
    return gn_error_status();
}
