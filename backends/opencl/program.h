/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - programs on a device: their analysis and their kernels, one per variant; and what
 * map.c and rows.c share to start them.
 */
#ifndef GENESIS_OPENCL_PROGRAM_H
#define GENESIS_OPENCL_PROGRAM_H

#include "../codegen/codegen.h"
#include "opencl.h"

typedef struct ocl_program ocl_program;

const cg_program *ocl_program_analysis(const ocl_program *program);

/* The kernel of a variant, compiled at its first use. write: cg_map_text or cg_rows_text. */
typedef void ocl_write_text(const cg_program *p, const cg_variant *variant, const char *library,
                            cg_text *out);
gn_status ocl_program_kernel(gn_device *device, ocl_program *program, const cg_variant *variant,
                             ocl_write_text *write, cl_kernel *out);

/* What the generator has to know of the device. */
cg_device ocl_codegen_device(const gn_device *device);

/* Where the blocks of a call's operands begin in their buffers; 0 for index operands. */
void ocl_operand_offsets(const cg_program *p, const gn_call *call, uint64_t *out);

/* Whether arguments of so many words leave room for the others. */
bool ocl_words_fit(const gn_device *device, const cg_program *p, uint32_t n_words);

/* The words of n calls in device memory. */
gn_status ocl_upload_words(gn_device *device, gn_stream *stream, const int64_t *words, size_t n,
                           gn_pointer *out);

/* The arguments of a kernel: words by value, or `table` with those of n_calls calls; the buffer of
 * `pieces`, if there are any; the operands' buffers, and the report. */
void ocl_set_arguments(ocl_launch *launch, const cg_program *p, const gn_call *call,
                       const int64_t *words, uint32_t n_words, const gn_pointer *table,
                       uint32_t n_calls, const gn_mem *pieces);

#endif
