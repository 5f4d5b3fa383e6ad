/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c - map and map_many: one launch for a call, and one for all calls of a program whose operands
 * lie in the same buffers, as most do, since a buffer holds many blocks.
 */
#include <stdlib.h>

#include "program.h"

/* Calls that one launch runs. */
typedef struct batch {
    const gn_call **calls;
    uint64_t *offsets; /* n_operands of each */
    int64_t *words;
    uint32_t n;
} batch;

/* The words of all calls; returns how many. */
static size_t fill_words(const cg_program *p, const cg_launch *how, const batch *b) {
    size_t n = 0;
    int64_t first_group = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        n += cg_map_words(p, how, b->calls[i], b->offsets + (size_t)i * p->source->n_operands,
                          first_group, b->words + n);
        first_group += cg_map_groups(how, b->calls[i]);
    }
    return n;
}

static gn_status launch_batch(gn_device *device, gn_stream *stream, const batch *b) {
    const gn_call *call = b->calls[0];
    ocl_program *program = call->handle;
    const cg_program *p = ocl_program_analysis(program);
    const cg_device about = ocl_codegen_device(device);
    cg_launch how;
    gn_pointer table = {0};
    cl_kernel kernel;
    for (uint32_t i = 0; i < b->n; i++)
        ocl_operand_offsets(p, b->calls[i], b->offsets + (size_t)i * p->source->n_operands);
    cg_choose_map(p, &about, b->calls, b->n, b->offsets, &how);
    size_t n_words = fill_words(p, &how, b);
    if (!how.variant.table && !ocl_words_fit(device, p, (uint32_t)n_words)) {
        how.variant.table = 1;
        n_words = fill_words(p, &how, b);
    }
    gn_status status = ocl_program_kernel(device, program, &how.variant, cg_map_text, &kernel);
    if (status == GN_OK && how.variant.table)
        status = ocl_upload_words(device, stream, b->words, n_words, &table);
    if (status != GN_OK)
        return status;
    ocl_launch launch = ocl_begin(ocl_stream(device, stream), kernel, call->tag);
    ocl_set_arguments(&launch, p, call, b->words, (uint32_t)n_words, table.mem ? &table : NULL,
                      b->n, NULL);
    const size_t local = how.variant.group, global = (size_t)how.n_groups * local;
    return ocl_end(&launch, 1, &global, &local);
}

gn_status ocl_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    uint64_t offsets[GN_MAX_OPERANDS];
    int64_t words[CG_MAX_WORDS];
    cg_tiled tiled;
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    const cg_device about = ocl_codegen_device(device);
    const gn_call *best = cg_tile(ocl_program_analysis(call->handle), &about, call, &tiled);
    const batch b = {.calls = &best, .offsets = offsets, .words = words, .n = 1};
    return launch_batch(device, stream, &b);
}

/* ---- Many calls */

static const gn_call *call_at(const gn_call *calls, uint32_t i) {
    return (const gn_call *)((const char *)calls + (size_t)i * calls->struct_size);
}

static bool same_buffers(const cg_program *p, const gn_call *a, const gn_call *b) {
    bool same = a->tag == b->tag;
    for (uint32_t k = 0; k < p->source->n_operands && same; k++)
        if (p->source->operands[k].role != GN_INDEX)
            same = cg_operand(a, k)->mem->buffer == cg_operand(b, k)->mem->buffer;
    return same;
}

/* Moves the calls that share buffers with the first of `left` into the batch. Returns how many are
 * left. */
static uint32_t take_batch(const cg_program *p, const gn_call **left, uint32_t n, batch *b) {
    uint32_t kept = 0;
    b->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (b->n == 0 || same_buffers(p, b->calls[0], left[i]))
            b->calls[b->n++] = left[i];
        else
            left[kept++] = left[i];
    }
    return kept;
}

gn_status ocl_map_many(gn_device *device, gn_stream *stream, const gn_call *calls, uint32_t n) {
    gn_status status = ocl_ready(device);
    if (status != GN_OK || n == 0)
        return status;
    const cg_program *p = ocl_program_analysis(calls->handle);
    const gn_call **left = malloc(n * sizeof *left);
    batch b = {.calls = malloc(n * sizeof *b.calls),
               .offsets = malloc((size_t)n * GN_MAX_OPERANDS * sizeof *b.offsets),
               .words = malloc((size_t)n * CG_MAX_WORDS * sizeof *b.words)};
    if (left == NULL || b.calls == NULL || b.offsets == NULL || b.words == NULL)
        status = ocl_fail(GN_E_MEMORY, calls->tag, "no host memory for %u calls", n);
    for (uint32_t i = 0; i < n && status == GN_OK; i++)
        left[i] = call_at(calls, i);
    while (n > 0 && status == GN_OK) {
        n = take_batch(p, left, n, &b);
        status = launch_batch(device, stream, &b);
    }
    free(left);
    free(b.calls);
    free(b.offsets);
    free(b.words);
    return status;
}
