/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.c - builds and runs chains of primitives. A run costs no allocation and no lock: oneDNN's
 * memory objects come from the chain's spare frames.
 */
#include <stdlib.h>

#include "chain.h"

struct dnn_frame {
    int n_args;
    dnnl_exec_arg_t args[]; /* those of all steps in turn */
};

dnn_step *dnn_chain_add(dnn_chain *chain, dnnl_primitive_t primitive) {
    dnn_step *step = &chain->steps[chain->n_steps++];
    dnn_const_md scratchpad = dnn_primitive_md(primitive, DNNL_ARG_SCRATCHPAD);
    step->primitive = primitive;
    step->n_args = 0;
    if (scratchpad && dnnl_memory_desc_get_size(scratchpad))
        dnn_step_bind_workspace(step, DNNL_ARG_SCRATCHPAD, dnn_chain_reserve(chain, scratchpad));
    return step;
}

void dnn_step_bind(dnn_step *step, int arg, int place) {
    step->args[step->n_args++] =
        (dnn_arg){.arg = arg, .place = place, .md = dnn_primitive_md(step->primitive, arg)};
}

void dnn_step_bind_workspace(dnn_step *step, int arg, uint64_t bytes) {
    dnn_step_bind(step, arg, DNN_WORKSPACE);
    step->args[step->n_args - 1].bytes = bytes;
}

uint64_t dnn_chain_reserve(dnn_chain *chain, dnn_const_md md) {
    const uint64_t start = chain->workspace_bytes;
    const uint64_t bytes = dnnl_memory_desc_get_size(md);
    chain->workspace_bytes =
        start + (bytes + GN_MEM_ALIGNMENT - 1) / GN_MEM_ALIGNMENT * GN_MEM_ALIGNMENT;
    return start;
}

static void frame_destroy(dnn_frame *frame) {
    if (!frame)
        return;
    for (int i = 0; i < frame->n_args; i++)
        dnnl_memory_destroy(frame->args[i].memory);
    free(frame);
}

static dnn_frame *frame_create(const dnn_chain *chain) {
    int n_args = 0;
    for (int s = 0; s < chain->n_steps; s++)
        n_args += chain->steps[s].n_args;
    dnn_frame *frame = calloc(1, sizeof *frame + (size_t)n_args * sizeof frame->args[0]);
    if (!frame)
        return NULL;
    for (int s = 0; s < chain->n_steps; s++) {
        for (int i = 0; i < chain->steps[s].n_args; i++) {
            const dnn_arg *from = &chain->steps[s].args[i];
            dnnl_exec_arg_t *to = &frame->args[frame->n_args];
            to->arg = from->arg;
            if (dnn_memory_create(&to->memory, from->md)) {
                frame_destroy(frame);
                return NULL;
            }
            frame->n_args++;
        }
    }
    return frame;
}

/* A frame for this thread alone: a spare one if there is any. */
static dnn_frame *frame_take(dnn_chain *chain) {
    for (int i = 0; i < DNN_SPARE_FRAMES; i++) {
        dnn_frame *frame = __atomic_exchange_n(&chain->spare[i], NULL, __ATOMIC_ACQUIRE);
        if (frame)
            return frame;
    }
    return frame_create(chain);
}

static void frame_give(dnn_chain *chain, dnn_frame *frame) {
    for (int i = 0; i < DNN_SPARE_FRAMES; i++) {
        dnn_frame *none = NULL;
        if (__atomic_compare_exchange_n(&chain->spare[i], &none, frame, 0, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
            return;
    }
    frame_destroy(frame);
}

static void *place_of(const gn_run *run, const dnn_arg *arg) {
    const gn_pointer *p = arg->place == DNN_WORKSPACE ? &run->workspace : &run->tensors[arg->place];
    return (char *)p->mem->base + p->offset + arg->bytes;
}

gn_status dnn_chain_run(dnn_chain *chain, const gn_run *run) {
    dnn_frame *frame = frame_take(chain);
    if (!frame)
        return cpu_fail(GN_E_MEMORY, run->tag, "no memory for the arguments of oneDNN");
    dnnl_exec_arg_t *args = frame->args;
    dnnl_status_t status = dnnl_success;
    for (int s = 0; s < chain->n_steps && !status; s++) {
        const dnn_step *step = &chain->steps[s];
        for (int i = 0; i < step->n_args && !status; i++)
            status = dnnl_memory_set_data_handle(args[i].memory, place_of(run, &step->args[i]));
        if (!status)
            status = dnn_execute(step->primitive, step->n_args, args);
        args += step->n_args;
    }
    frame_give(chain, frame);
    return status ? cpu_fail(GN_E_DEVICE, run->tag, "oneDNN failed with status %d", (int)status)
                  : GN_OK;
}

void dnn_chain_destroy(dnn_chain *chain) {
    for (int s = 0; s < chain->n_steps; s++)
        dnnl_primitive_destroy(chain->steps[s].primitive);
    for (int i = 0; i < DNN_SPARE_FRAMES; i++)
        frame_destroy(chain->spare[i]);
}
