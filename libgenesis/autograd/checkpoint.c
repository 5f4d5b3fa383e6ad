/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - functions whose operations save nothing: the walk computes them once more.
 *
 * The first run records nothing but one node, which keeps the inputs. When the walk comes to it,
 * the function runs again on the same inputs, recorded, and the walk goes on through what that
 * recorded (engine.c, recompute). So gradients go to inputs and to parameters as they would have
 * without the checkpoint, hooks run once, and gradients of gradients work.
 */
#include <stdlib.h>

#include "../ops/support.h"

typedef struct output_shape {
    int dtype;
    gn_shape shape;
} output_shape;

typedef struct checkpoint {
    gn_checkpointed *fn;
    void *context;
    void (*free_context)(void *context);
    bool keeps_random;
    gn_rng_state random;
    output_shape outputs[]; /* of the first run */
} checkpoint;

/* ---- Running the function */

/* Calls fn; an error if it fails, forgets an output, or changes an input in place. */
static gn_status call(const checkpoint *c, gn_tensor *const *inputs, int n_inputs,
                      gn_tensor **outputs, int n_outputs) {
    static const char op[] = "checkpoint";
    uint32_t version[GN__MAX_SAVED];
    for (int i = 0; i < n_inputs; i++)
        version[i] = atomic_load(&inputs[i]->storage->version);
    for (int i = 0; i < n_outputs; i++)
        outputs[i] = NULL;
    gn_status status = c->fn(inputs, n_inputs, outputs, n_outputs, c->context);
    if (status)
        return gn_fail(status, op, "its function failed");
    for (int i = 0; i < n_outputs; i++)
        if (!gn__given(op, outputs[i]))
            return gn_error_status();
    for (int i = 0; i < n_inputs; i++)
        if (atomic_load(&inputs[i]->storage->version) != version[i])
            return gn_fail(GN_E_STATE, op,
                           "its function changes input %d %s in place: gn_clone it first", i,
                           gn__shape_of(inputs[i]));
    return gn_error_status();
}

static gn_status recompute(gn__node *node, gn_tensor **outputs) {
    const checkpoint *c = node->data;
    gn_tensor *inputs[GN__MAX_SAVED];
    for (int i = 0; i < node->n_inputs; i++)
        if (!(inputs[i] = gn__saved_tensor(node, i)))
            return gn_error_status();
    gn__thread *self = gn__self();
    const uint8_t was = self->no_grad;
    const gn_rng_state random = gn_rng_state_get(NULL);
    self->no_grad = 0;
    if (c->keeps_random)
        gn_rng_state_set(NULL, c->random);
    call(c, inputs, node->n_inputs, outputs, node->n_outputs);
    if (c->keeps_random)
        gn_rng_state_set(NULL, random);
    self->no_grad = was;
    for (int i = 0; i < node->n_outputs && !gn__failed(); i++) {
        const output_shape *o = &c->outputs[i];
        if (outputs[i]->dtype != o->dtype || outputs[i]->n_dims != o->shape.n ||
            memcmp(outputs[i]->size, o->shape.size, (size_t)o->shape.n * sizeof(int64_t)))
            gn_fail(
                GN_E_STATE, node->name,
                "its function made a %s output %d %s at first, and a %s one %s when it ran again",
                gn_dtype_name((gn_dtype)o->dtype), i,
                gn__shape_text((int)o->shape.n, o->shape.size),
                gn_dtype_name((gn_dtype)outputs[i]->dtype), gn__shape_of(outputs[i]));
    }
    return gn_error_status();
}

static void checkpoint_destroy(void *data) {
    const checkpoint *c = data;
    if (c->free_context)
        c->free_context(c->context);
}

static const gn__node_class checkpoint_node = {
    .name = "checkpoint", .recompute = recompute, .destroy = checkpoint_destroy};

/* ---- The first run */

/* Outputs of their own, which may get a history: fn may return an input, or a view of one. */
static void part_from_inputs(gn_tensor *const *inputs, int n_inputs, gn_tensor **outputs,
                             int n_outputs) {
    for (int i = 0; i < n_outputs && !gn__failed(); i++) {
        bool shared = false;
        for (int k = 0; k < n_inputs; k++)
            shared |= outputs[i]->storage == inputs[k]->storage;
        outputs[i] = shared ? gn_clone(outputs[i]) : gn__tensor_twin(outputs[i]);
    }
}

/* Hands the context to the node. */
static void record(checkpoint *c, gn_tensor *const *inputs, int n_inputs, gn_tensor **outputs,
                   int n_outputs) {
    gn__node *node =
        gn__record_outputs(&checkpoint_node, NULL, n_outputs, outputs, n_inputs, inputs,
                           sizeof *c + (size_t)n_outputs * sizeof c->outputs[0]);
    if (!node)
        return;
    checkpoint *kept = node->data;
    *kept = *c;
    c->free_context = NULL;
    for (int i = 0; i < n_outputs; i++)
        kept->outputs[i] = (output_shape){outputs[i]->dtype, gn_shape_of(outputs[i])};
    for (int i = 0; i < n_inputs; i++)
        gn__save(node, i, inputs[i]);
}

static void run(checkpoint *c, gn_tensor *const *inputs, int n_inputs, gn_tensor **outputs,
                int n_outputs) {
    gn__thread *self = gn__self();
    c->random = gn_rng_state_get(NULL);
    self->no_grad |= GN__OFF_CHECKPOINT;
    self->would_record = false;
    call(c, inputs, n_inputs, outputs, n_outputs);
    const bool used = self->would_record; /* a parameter, perhaps, that is no input */
    self->no_grad &= (uint8_t)~GN__OFF_CHECKPOINT;
    if (gn__failed())
        return;
    part_from_inputs(inputs, n_inputs, outputs, n_outputs);
    if (used || gn__recording(n_inputs, inputs))
        record(c, inputs, n_inputs, outputs, n_outputs);
}

gn_status gn_checkpoint(gn_checkpointed *fn, void *context, gn_tensor *const *inputs, int n_inputs,
                        gn_tensor **outputs, int n_outputs, const gn_checkpoint_options *options) {
    gn_checkpoint_options o;
    gn__options(&o, sizeof o, options);
    checkpoint c = {.fn = fn,
                    .context = context,
                    .free_context = o.free_context,
                    .keeps_random = !o.no_preserve_rng_state};
    if (!gn__failed() &&
        (!fn || !inputs || !outputs || n_inputs < 1 || n_outputs < 1 || n_inputs > GN__MAX_SAVED))
        gn_fail(GN_E_ARGUMENT, "checkpoint",
                "takes a function, 1 to %d inputs and at least one output, not %d and %d",
                GN__MAX_SAVED, n_inputs, n_outputs);
    for (int i = 0; i < n_inputs && !gn__failed(); i++)
        gn__given("checkpoint", inputs[i]);
    if (!gn__failed()) {
        if (gn_is_grad_enabled() && !gn_is_detect_anomaly_enabled())
            run(&c, inputs, n_inputs, outputs, n_outputs);
        else
            call(&c, inputs, n_inputs, outputs, n_outputs);
    }
    if (c.free_context)
        c.free_context(context);
    return gn_error_status();
}
