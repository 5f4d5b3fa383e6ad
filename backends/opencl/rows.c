/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c - reduce and row_map: one launch, or two for a reduction of few long rows, whose pieces are
 * reduced first.
 */
#include "program.h"

static gn_status launch_rows(gn_device *device, gn_stream *stream, const gn_call *call,
                             cg_launch *how, const gn_pointer *pieces) {
    ocl_program *program = call->handle;
    const cg_program *p = ocl_program_analysis(program);
    uint64_t offset[GN_MAX_OPERANDS];
    int64_t words[CG_MAX_WORDS];
    gn_pointer table = {0};
    cl_kernel kernel;
    ocl_operand_offsets(p, call, offset);
    const uint32_t n_words = cg_rows_words(
        p, how, call, offset, pieces ? pieces->mem->offset + pieces->offset : 0, words);
    how->variant.table = !ocl_words_fit(device, p, n_words);
    gn_status status = ocl_program_kernel(device, program, &how->variant, cg_rows_text, &kernel);
    if (status == GN_OK && how->variant.table)
        status = ocl_upload_words(device, stream, words, n_words, &table);
    if (status != GN_OK)
        return status;
    ocl_launch launch = ocl_begin(ocl_stream(device, stream), kernel, call->tag);
    ocl_set_arguments(&launch, p, call, words, n_words, table.mem ? &table : NULL, 1,
                      pieces ? pieces->mem : NULL);
    const size_t local[2] = {how->variant.group, 1},
                 global[2] = {(size_t)how->n_groups * local[0], (size_t)how->n_chunks};
    return ocl_end(&launch, 2, global, local);
}

static gn_status run_rows(gn_device *device, gn_stream *stream, const gn_call *call) {
    gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    const cg_program *p = ocl_program_analysis(call->handle);
    const cg_device about = ocl_codegen_device(device);
    uint64_t offset[GN_MAX_OPERANDS];
    cg_launch how, finish;
    gn_pointer pieces;
    ocl_operand_offsets(p, call, offset);
    cg_choose_rows(p, &about, call, offset, &how);
    if (how.n_chunks == 1)
        return launch_rows(device, stream, call, &how, NULL);
    cg_choose_finish(p, &about, &how, &finish);
    status = ocl_host->scratch(device, stream, cg_pieces_bytes(p, &how), &pieces);
    if (status == GN_OK)
        status = launch_rows(device, stream, call, &how, &pieces);
    return status == GN_OK ? launch_rows(device, stream, call, &finish, &pieces) : status;
}

gn_status ocl_reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_rows(device, stream, call);
}

gn_status ocl_row_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    return run_rows(device, stream, call);
}
