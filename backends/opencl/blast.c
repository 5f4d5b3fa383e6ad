/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blast.c - large matrix products by CLBlast, whose kernels are tuned for many GPUs. Not on CPUs:
 * on PoCL it reaches half of what product.cl does, and takes 12 s to compile at its first use.
 *
 * CLBlast has no cache on disk of its own; the drivers have.
 */
#include "product.h"

#include <clblast_c.h>
#include <stdio.h>
#include <time.h>

/* ---- What CLBlast can do ------------------------------------------------------------------- */

/* A matrix as BLAS has it: dense rows, or, transposed, dense columns. */
typedef struct blast_matrix {
    CLBlastTranspose transpose;
    size_t step; /* from row to row, or from column to column */
} blast_matrix;

/* False if neither rows nor columns are dense, or elements overlap. */
static bool describe(int64_t rows, int64_t columns, int64_t row, int64_t column,
                     blast_matrix *out) {
    if (columns == 1 && row != 1)
        column = 1;
    if (rows == 1)
        row = column == 1 ? columns : 1;
    const bool by_rows = column == 1 && row >= columns;
    *out = (blast_matrix){.transpose = by_rows ? CLBlastTransposeNo : CLBlastTransposeYes,
                          .step = (size_t)(by_rows ? row : column)};
    return by_rows || (row == 1 && column >= rows);
}

static bool describe_all(const ocl_product *p, blast_matrix *a, blast_matrix *b, blast_matrix *c) {
    const ocl_product_args *g = &p->args;
    const bool is_dense = p->workspace_bytes > 0; /* c is the workspace */
    return describe(g->m, g->k, g->row[PRODUCT_A], g->column[PRODUCT_A], a) &&
           describe(g->k, g->n, g->row[PRODUCT_B], g->column[PRODUCT_B], b) &&
           describe(g->m, g->n, is_dense ? g->n : g->row[PRODUCT_C],
                    is_dense ? 1 : g->column[PRODUCT_C], c) &&
           c->transpose == CLBlastTransposeNo;
}

bool ocl_blast_fits(const gn_device *device, const ocl_product *p) {
    enum { SMALLEST = 1 << 21 }; /* products of numbers; below, launches and copies weigh more */
    const ocl_product_args *a = &p->args;
    blast_matrix matrices[3];
    if (device->limits->is_cpu || p->kind != IMAGE_NONE || a->n_batch_dims > 1)
        return false;
    if (p->dtype != GN_F32 && p->dtype != GN_F64)
        return false;
    return a->n > PRODUCT_NARROW && a->m > PRODUCT_NARROW && a->m * a->n * a->k >= SMALLEST &&
           describe_all(p, &matrices[0], &matrices[1], &matrices[2]);
}

/* ---- Running it ---------------------------------------------------------------------------- */

/* Where each operand begins, in elements, and how far its matrices are apart. */
typedef struct blast_places {
    cl_mem buffer[PRODUCT_OPERANDS];
    size_t first[PRODUCT_OPERANDS], step[PRODUCT_OPERANDS];
} blast_places;

static CLBlastStatusCode multiply(const ocl_product *p, cl_command_queue *queue,
                                  const blast_places *at) {
    const size_t m = (size_t)p->args.m, n = (size_t)p->args.n, k = (size_t)p->args.k,
                 batches = (size_t)p->args.batches;
    blast_matrix a, b, c;
    describe_all(p, &a, &b, &c);
    if (p->dtype == GN_F64)
        return CLBlastDgemmStridedBatched(
            CLBlastLayoutRowMajor, a.transpose, b.transpose, m, n, k, 1, at->buffer[PRODUCT_A],
            at->first[PRODUCT_A], a.step, at->step[PRODUCT_A], at->buffer[PRODUCT_B],
            at->first[PRODUCT_B], b.step, at->step[PRODUCT_B], 0, at->buffer[PRODUCT_C],
            at->first[PRODUCT_C], c.step, at->step[PRODUCT_C], batches, queue, NULL);
    return CLBlastSgemmStridedBatched(
        CLBlastLayoutRowMajor, a.transpose, b.transpose, m, n, k, 1, at->buffer[PRODUCT_A],
        at->first[PRODUCT_A], a.step, at->step[PRODUCT_A], at->buffer[PRODUCT_B],
        at->first[PRODUCT_B], b.step, at->step[PRODUCT_B], 0, at->buffer[PRODUCT_C],
        at->first[PRODUCT_C], c.step, at->step[PRODUCT_C], batches, queue, NULL);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void tell_time(const gn_device *device, double seconds) {
    enum { LONG = 2 };
    char line[256];
    if (seconds < LONG)
        return;
    snprintf(line, sizeof line,
             "opencl: CLBlast took %.0f s to compile kernels for %s; it does so once in a process, "
             "and faster where the driver keeps them",
             seconds, device->found->name);
    ocl_host->log(GN_LOG_WARNING, line);
}

gn_status ocl_blast_run(const ocl_product *p, gn_stream *stream, uint64_t tag,
                        const gn_pointer operands[PRODUCT_OPERANDS]) {
    blast_places at = {.step = {0}};
    for (int o = PRODUCT_A; o <= PRODUCT_C; o++) {
        at.buffer[o] = operands[o].mem->buffer;
        at.first[o] = (size_t)(ocl_first(&operands[o], p->dtype) + p->args.first[o]);
        at.step[o] = (size_t)p->args.batch[o][0];
    }
    if (p->workspace_bytes > 0)
        at.step[PRODUCT_C] = (size_t)(p->args.m * p->args.n);
    else if (p->args.batches == 1) /* it refuses matrices that overlap, even of one */
        at.step[PRODUCT_C] = (size_t)(p->args.m * p->args.row[PRODUCT_C]);
    const double start = now();
    const CLBlastStatusCode status = multiply(p, &stream->queue, &at);
    tell_time(stream->device, now() - start);
    stream->last_tag = tag;
    if (status != CLBlastSuccess)
        return ocl_fail_cl(stream->device, (cl_int)status, tag, "CLBlast's product");
    return GN_OK;
}
