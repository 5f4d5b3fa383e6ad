/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - handles of programs, which keep the kernels of their variants, and the arguments of
 * those kernels. Which variant a call wants, and its text, is backends/codegen's.
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

typedef struct variant {
    struct variant *next;
    cg_variant key;
    cl_kernel kernel; /* borrowed */
} variant;

struct ocl_program {
    cg_program analysis;
    pthread_mutex_t lock; /* of the list */
    variant *variants;
};

const cg_program *ocl_program_analysis(const ocl_program *program) { return &program->analysis; }

/* ---- Handles */

static bool uses_f64(const gn_program *program) {
    bool uses = false;
    for (uint32_t i = 0; i < program->n_insns; i++)
        uses |= cg_insn(program, i)->type == GN_F64;
    return uses;
}

gn_status ocl_program_create(gn_device *device, const gn_program *program, void **handle) {
    char why[256];
    gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    if (uses_f64(program) && !device->limits->fp64)
        return ocl_fail(GN_E_UNSUPPORTED, 0, "%s: the device has no float64", program->name);
    ocl_program *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ocl_fail(GN_E_MEMORY, 0, "%s: no host memory for a program", program->name);
    status = cg_program_init(&p->analysis, program, why, sizeof why);
    if (status != GN_OK) {
        free(p);
        return ocl_fail(status, 0, "%s", why);
    }
    pthread_mutex_init(&p->lock, NULL);
    *handle = p;
    return GN_OK;
}

void ocl_program_release(gn_device *device, void *handle) {
    ocl_program *p = handle;
    (void)device;
    if (p == NULL)
        return;
    while (p->variants) {
        variant *next = p->variants->next;
        free(p->variants);
        p->variants = next;
    }
    pthread_mutex_destroy(&p->lock);
    cg_program_free(&p->analysis);
    free(p);
}

/* ---- Kernels */

static gn_status make_kernel(gn_device *device, const ocl_program *program, const cg_variant *key,
                             ocl_write_text *write, cl_kernel *out) {
    cg_text text = {0};
    write(&program->analysis, key, ocl_source_math, &text);
    const gn_status status =
        text.failed ? ocl_fail(GN_E_MEMORY, 0, "%s: no host memory for a kernel's text",
                               program->analysis.source->name)
                    : ocl_kernel(device, program->analysis.source->name, "", text.data, "run", out);
    cg_text_free(&text);
    return status;
}

static gn_status add_variant(gn_device *device, ocl_program *program, const cg_variant *key,
                             ocl_write_text *write, variant **out) {
    variant *v = calloc(1, sizeof *v);
    if (v == NULL)
        return ocl_fail(GN_E_MEMORY, 0, "no host memory for a kernel");
    v->key = *key;
    const gn_status status = make_kernel(device, program, key, write, &v->kernel);
    if (status != GN_OK) {
        free(v);
        return status;
    }
    v->next = program->variants;
    program->variants = v;
    *out = v;
    return GN_OK;
}

gn_status ocl_program_kernel(gn_device *device, ocl_program *program, const cg_variant *key,
                             ocl_write_text *write, cl_kernel *out) {
    gn_status status = GN_OK;
    pthread_mutex_lock(&program->lock);
    variant *v = program->variants;
    while (v && memcmp(&v->key, key, sizeof *key) != 0)
        v = v->next;
    if (v == NULL)
        status = add_variant(device, program, key, write, &v);
    if (status == GN_OK)
        *out = v->kernel;
    pthread_mutex_unlock(&program->lock);
    return status;
}

/* ---- Arguments */

cg_device ocl_codegen_device(const gn_device *device) {
    return (cg_device){.work_group = (uint32_t)device->limits->work_group,
                       .local_bytes = device->limits->local_bytes,
                       .units = device->limits->units,
                       .is_cpu = device->limits->is_cpu};
}

void ocl_operand_offsets(const cg_program *p, const gn_call *call, uint64_t *out) {
    for (uint32_t k = 0; k < p->source->n_operands; k++)
        out[k] = cg_operand(call, k)->mem ? cg_operand(call, k)->mem->offset : 0;
}

bool ocl_words_fit(const gn_device *device, const cg_program *p, uint32_t n_words) {
    /* a buffer for each operand and the pieces, the report and its tag */
    return (n_words + p->source->n_operands + 3) * sizeof(int64_t) <=
           device->limits->parameter_bytes;
}

gn_status ocl_upload_words(gn_device *device, gn_stream *stream, const int64_t *words, size_t n,
                           gn_pointer *out) {
    const gn_status status = ocl_host->scratch(device, stream, n * sizeof *words, out);
    return status == GN_OK
               ? ocl_upload(device, stream, out->mem, out->offset, words, n * sizeof *words)
               : status;
}

void ocl_set_arguments(ocl_launch *launch, const cg_program *p, const gn_call *call,
                       const int64_t *words, uint32_t n_words, const gn_pointer *table,
                       uint32_t n_calls, const gn_mem *pieces) {
    if (table) {
        ocl_buffer(launch, table->mem);
        ocl_long(launch, (int64_t)(table->mem->offset + table->offset));
        ocl_int(launch, (int32_t)n_calls);
    } else {
        ocl_bytes(launch, words, n_words * sizeof *words);
    }
    if (pieces)
        ocl_buffer(launch, pieces);
    for (uint32_t k = 0; k < p->source->n_operands; k++)
        if (p->source->operands[k].role != GN_INDEX)
            ocl_buffer(launch, cg_operand(call, k)->mem);
    if (p->picks)
        ocl_report(launch);
}
