/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.c - recording: nodes, their edges, and the tensors that they save.
 */
#include <stdlib.h>

#include "hooks.h"

static void saved_drop(gn__node *node) {
    for (int i = 0; i < node->n_saved; i++) {
        gn_release(node->saved[i].tensor);
        node->saved[i].tensor = NULL;
    }
}

void gn__node_free_saved(gn__node *node) {
    saved_drop(node);
    node->freed = true;
}

static void node_destroy(void *object) {
    gn__node *node = object;
    saved_drop(node);
    if (node->type->destroy && node->data) /* a node that is not complete may have none */
        node->type->destroy(node->data);
    for (int i = 0; i < node->n_inputs; i++) {
        gn_release(node->edges[i].node);
        gn_release(node->edges[i].leaf);
    }
    gn__watches_free(node);
    free(node->module);
    free(node->data);
    free(node->edges);
    free(node->inputs);
    free(node);
}

static const gn__kind node_kind = {.name = "node", .destroy = node_destroy};

bool gn__recording(int n, gn_tensor *const *inputs) {
    gn__thread *self = gn__self();
    if (self->no_grad & ~GN__OFF_CHECKPOINT)
        return false;
    for (int i = 0; i < n; i++)
        if (inputs[i] && gn__records(inputs[i])) {
            self->would_record = true;
            return !self->no_grad;
        }
    return false;
}

static void set_edge(gn__node *node, int i, gn_tensor *input) {
    if (!input)
        return;
    node->inputs[i].device = input->storage->device;
    node->inputs[i].dtype = input->dtype;
    node->inputs[i].n_dims = input->n_dims;
    memcpy(node->inputs[i].size, input->size, sizeof input->size);
    if (!gn__records(input))
        return;
    gn__node *from = gn__history(input);
    node->edges[i].output = input->output;
    if (from)
        node->edges[i].node = gn_retain(from);
    else
        node->edges[i].leaf = gn_retain(input);
}

gn__node *gn__record_outputs(const gn__node_class *type, const char *name, int n_outputs,
                             gn_tensor *const *outputs, int n, gn_tensor *const *inputs,
                             size_t data_bytes) {
    static atomic_uint_fast64_t clock;
    if (gn__failed())
        return NULL;
    gn__node *node = gn__object_new(&node_kind, sizeof *node);
    if (!node)
        return NULL;
    node->type = type;
    node->name = name ? name : type->name;
    node->n_outputs = n_outputs;
    node->edges = gn__alloc_array((size_t)n + 1, sizeof *node->edges);
    node->inputs = gn__alloc_array((size_t)n + 1, sizeof *node->inputs);
    node->data = data_bytes ? gn__alloc(data_bytes) : NULL;
    if (!node->edges || !node->inputs || (data_bytes && !node->data)) {
        gn_release(node);
        return NULL;
    }
    node->n_inputs = n;
    for (int i = 0; i < n; i++)
        set_edge(node, i, inputs[i]);
    node->sequence = atomic_fetch_add_explicit(&clock, 1, memory_order_relaxed) + 1;
    for (int i = 0; i < n_outputs; i++) {
        if (!outputs[i] || !gn_dtype_is_float(outputs[i]->dtype))
            continue;
        gn__history_drop(outputs[i]);
        outputs[i]->node = gn_retain(node);
        outputs[i]->output = (uint32_t)i;
        outputs[i]->requires_grad = true;
    }
    gn_release(node); /* the outputs hold it now */
    if (gn__self()->seek_nan && gn__anomaly_forward(node, outputs, inputs))
        return NULL;
    return node;
}

gn__node *gn__record(const gn__node_class *type, gn_tensor *output, int n, gn_tensor *const *inputs,
                     size_t data_bytes) {
    return gn__record_outputs(type, NULL, 1, &output, n, inputs, data_bytes);
}

/* ---- Saved tensors */

static void save(gn__node *node, int slot, gn_tensor *retained, int own_output) {
    if (!retained)
        return;
    if (retained->inference)
        gn_fail(GN_E_STATE, node->name,
                "a tensor of shape %s that its gradient needs was made in inference mode: gn_clone "
                "it outside of that mode",
                gn__shape_of(retained));
    gn__saved *saved = &node->saved[slot];
    saved->tensor = retained;
    saved->version = atomic_load(&retained->storage->version);
    saved->own_output = own_output;
    if (slot >= node->n_saved)
        node->n_saved = slot + 1;
}

void gn__save(gn__node *node, int slot, gn_tensor *t) { save(node, slot, gn_retain(t), -1); }

void gn__save_output(gn__node *node, int slot, gn_tensor *t, int output) {
    /* A twin: the tensor itself holds the node, and would keep it alive for ever. */
    save(node, slot, gn_retain(gn__tensor_twin(t)), output);
}

gn_tensor *gn__saved_tensor(gn__node *node, int slot) {
    if (node->freed)
        return gn__fail_null(GN_E_STATE, node->name,
                             "backward through the graph a second time, but its saved tensors are "
                             "freed: set .retain_graph = true in the first");
    const gn__saved *saved = &node->saved[slot];
    if (slot >= node->n_saved || !saved->tensor)
        return NULL;
    uint32_t version = atomic_load(&saved->tensor->storage->version);
    if (version != saved->version)
        return gn__fail_null(GN_E_STATE, node->name,
                             "a tensor of shape %s that its gradient needs was changed in place "
                             "%u time(s) since",
                             gn__shape_of(saved->tensor), version - saved->version);
    if (saved->own_output < 0 || gn__self()->no_grad)
        return saved->tensor;
    gn_tensor *output = gn__tensor_twin(saved->tensor);
    if (output) {
        output->node = gn_retain(node);
        output->output = (uint32_t)saved->own_output;
        output->requires_grad = true;
    }
    return output;
}
