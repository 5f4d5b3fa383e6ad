/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - modules whose forward is computed once more in backward. How that works stands in
 * autograd/checkpoint.c.
 */
#include <stdlib.h>

#include "module.h"

/* ---- One module */

static gn_status forward_module(gn_tensor *const *inputs, int n_inputs, gn_tensor **outputs,
                                int n_outputs, void *context) {
    (void)n_inputs, (void)n_outputs;
    outputs[0] = gn_forward(context, inputs[0]);
    return gn_error_status();
}

gn_tensor *gn_checkpoint_module(gn_module *module, gn_tensor *x) {
    if (!gn__is_module("checkpoint", module))
        return NULL;
    const gn_checkpoint_options o = {.struct_size = sizeof o, .free_context = gn_release};
    gn_tensor *y = NULL;
    gn_checkpoint(forward_module, gn_retain(module), &x, 1, &y, 1, &o);
    return gn__failed() ? NULL : y;
}

/* ---- Children of a Sequential */

typedef struct segment {
    gn_module *sequential; /* retained */
    int64_t from, to;
} segment;

static gn_tensor *forward_segment(const segment *s, gn_tensor *x) {
    gn_scope scope = gn_scope_begin();
    for (int64_t i = s->from; i < s->to && x; i++)
        x = gn_forward(gn_at(s->sequential, i), x);
    return gn_scope_end_with(scope, x);
}

static gn_status checkpointed_segment(gn_tensor *const *inputs, int n_inputs, gn_tensor **outputs,
                                      int n_outputs, void *context) {
    (void)n_inputs, (void)n_outputs;
    outputs[0] = forward_segment(context, inputs[0]);
    return gn_error_status();
}

static void segment_free(void *context) {
    segment *s = context;
    gn_release(s->sequential);
    free(s);
}

static gn_tensor *checkpoint_segment(const segment *s, gn_tensor *x) {
    segment *kept = gn__alloc(sizeof *kept);
    if (!kept)
        return NULL;
    *kept = *s;
    gn_retain(kept->sequential);
    const gn_checkpoint_options o = {.struct_size = sizeof o, .free_context = segment_free};
    gn_tensor *y = NULL;
    gn_checkpoint(checkpointed_segment, kept, &x, 1, &y, 1, &o);
    return gn__failed() ? NULL : y;
}

gn_tensor *gn_checkpoint_sequential(gn_module *sequential, int64_t segments, gn_tensor *x) {
    static const char op[] = "checkpoint_sequential";
    if (!gn__is_module(op, sequential) || !gn__given(op, x))
        return NULL;
    const int64_t n = gn_length(sequential), each = segments > 0 ? n / segments : 0;
    if (each < 1)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld modules in %lld segments", (long long)n,
                             (long long)segments);
    for (int64_t i = 0; i < segments && x; i++) {
        segment s = {sequential, i * each, i + 1 < segments ? (i + 1) * each : n};
        x = i + 1 < segments ? checkpoint_segment(&s, x) : forward_segment(&s, x);
    }
    return x;
}
