/* SPDX-License-Identifier: Apache-2.0 */
/*
 * function.c - functions of the user's, with a forward and a backward of their own.
 */
#include <stdlib.h>

#include "autograd.h"

enum { MAX_FUNCTION_SAVED = GN__MAX_SAVED };

struct gn_function_context {
    const gn_function *fn;
    gn__node *node; /* while backward runs */
    void *state;
    int n_saved;
    gn_tensor *saved[MAX_FUNCTION_SAVED]; /* while forward runs */
};

static gn_status function_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_function_context *context = node->data;
    context->node = node;
    const bool once = context->fn->once_differentiable && gn_is_grad_enabled();
    if (once)
        gn_set_grad_enabled(false);
    gn_status status = context->fn->backward(context, grads, node->n_outputs, out, node->n_inputs);
    if (once)
        gn_set_grad_enabled(true);
    if (status && !gn__failed())
        return gn_fail(status, context->fn->name, "its backward failed");
    return once ? gn__once_differentiable(node, grads, node->n_inputs, out) : gn_error_status();
}

static void context_destroy(void *data) {
    gn_function_context *context = data;
    free(context->state);
}

static const gn__node_class function_node = {
    .name = "function", .backward = function_backward, .destroy = context_destroy};

/* The outputs of forward that are inputs become twins: an input's history must stay its own. */
static void part_from_inputs(gn_tensor *const *inputs, int n_inputs, gn_tensor **outputs,
                             int n_outputs) {
    for (int i = 0; i < n_outputs; i++)
        for (int k = 0; k < n_inputs; k++)
            if (outputs[i] == inputs[k])
                outputs[i] = gn__tensor_twin(outputs[i]);
}

static void save_all(gn_function_context *context, gn__node *node, gn_tensor *const *outputs,
                     int n_outputs) {
    for (int s = 0; s < context->n_saved; s++) {
        int own = -1;
        for (int i = 0; i < n_outputs; i++)
            if (context->saved[s] == outputs[i])
                own = i;
        if (own >= 0)
            gn__save_output(node, s, context->saved[s], own);
        else
            gn__save(node, s, context->saved[s]);
    }
}

gn_status gn_function_apply(const gn_function *fn, const void *state, gn_tensor *const *inputs,
                            int n_inputs, gn_tensor **outputs, int n_outputs) {
    if (gn__failed())
        return gn_error_status();
    for (int k = 0; k < n_inputs; k++)
        if (!gn__given(fn->name, inputs[k]))
            return gn_error_status();
    gn_function_context context = {.fn = fn};
    if (fn->state_bytes && !(context.state = gn__alloc(fn->state_bytes)))
        return gn_error_status();
    if (fn->state_bytes && state)
        memcpy(context.state, state, fn->state_bytes);
    bool was = gn_set_grad_enabled(false);
    gn_status status = fn->forward(&context, inputs, n_inputs, outputs, n_outputs);
    gn_set_grad_enabled(was);
    if (status && !gn__failed())
        gn_fail(status, fn->name, "its forward failed");
    for (int i = 0; i < n_outputs && !gn__failed(); i++)
        gn__given(fn->name, outputs[i]);
    if (!gn__failed() && gn__recording(n_inputs, inputs)) {
        part_from_inputs(inputs, n_inputs, outputs, n_outputs);
        gn__node *node = gn__record_outputs(&function_node, fn->name, n_outputs, outputs, n_inputs,
                                            inputs, sizeof context);
        if (node) {
            *(gn_function_context *)node->data = context;
            context.state = NULL;
            save_all(&context, node, outputs, n_outputs);
        }
    }
    free(context.state);
    return gn_error_status();
}

gn_status gn_function_save(gn_function_context *context, gn_tensor *t) {
    if (gn__failed())
        return gn_error_status();
    if (context->n_saved == MAX_FUNCTION_SAVED)
        return gn_fail(GN_E_ARGUMENT, context->fn->name, "saves more than %d tensors",
                       MAX_FUNCTION_SAVED);
    context->saved[context->n_saved++] = t;
    return GN_OK;
}

gn_tensor *gn_function_saved(gn_function_context *context, int i) {
    if (gn__failed())
        return NULL;
    if (i < 0 || i >= context->n_saved)
        return gn__fail_null(GN_E_ARGUMENT, context->fn->name, "saved %d tensors, there is no %d",
                             context->n_saved, i);
    return gn__saved_tensor(context->node, i);
}

void *gn_function_state(gn_function_context *context) { return context->state; }

bool gn_function_needs_grad(const gn_function_context *context, int input) {
    return context->node && input >= 0 && input < context->node->n_inputs &&
           gn__needs(context->node, input);
}
