/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codegen.h - the text of kernels for programs, in the dialect of backends/kernels, and the
 * arguments that such a kernel takes. Backends whose driver compiles at run time share it; there is
 * nothing of a driver in it.
 *
 *   text.c     a string that grows             program.c  what is known of a program beforehand
 *   element.c  an instruction as a statement   space.c    coordinates, and a call's arguments
 *   map.c      kernels of map programs         rows.c     kernels of reduce and row programs
 *   choose.c   which kernel a call wants                tile.c     transposed copies and the like
 *
 * A program has many kernels, one per variant. A variant fixes what makes a kernel fast; everything
 * else is read from the call's arguments at run time. Small calls of a program share a variant that
 * fits every space: what they would gain by their own is less than a compilation takes.
 */
#ifndef GENESIS_CODEGEN_H
#define GENESIS_CODEGEN_H

#include <stdbool.h>
#include <stddef.h>

#include <genesis/backend.h>

/* ---- Text */

typedef struct cg_text {
    char *data; /* ends in a 0, or NULL */
    size_t bytes, capacity;
    bool failed; /* there was no memory */
} cg_text;

void cg_print(cg_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cg_text_free(cg_text *text);

/* ---- Programs */

typedef struct cg_part {
    uint32_t first, end; /* its instructions, REDUCE and ELEMENTS not among them */
    uint32_t reduce_end; /* end..reduce_end-1: the REDUCE instructions behind an element part */
    bool row;
} cg_part;

typedef struct cg_value {
    uint16_t part;
    bool live;    /* a store or a reduction depends on it */
    bool uniform; /* made of constants and parameters alone: computed once, at the start */
    bool row;     /* one per row: made by REDUCE or in a row part */
} cg_value;

typedef struct cg_program {
    const gn_program *source;
    uint32_t n_parts;
    cg_part *parts;
    cg_value *values;                  /* by instruction */
    bool in_elements[GN_MAX_OPERANDS]; /* used in an element part */
    bool picks;                        /* has a LOADX */
    bool singles;                      /* has a PARAM of f32 */
} cg_program;

/* Neither copies *source. GN_E_UNSUPPORTED, GN_E_ARGUMENT or GN_E_MEMORY, and why. */
gn_status cg_program_init(cg_program *p, const gn_program *source, char *why, size_t bytes);
void cg_program_free(cg_program *p);

static inline const gn_insn *cg_insn(const gn_program *source, uint32_t number) {
    return (const gn_insn *)((const char *)source->insns + (size_t)number * source->insn_size);
}
static inline const gn_operand *cg_operand(const gn_call *call, uint32_t number) {
    return (const gn_operand *)((const char *)call->operands + (size_t)number * call->operand_size);
}

/* ---- Variants */

/* How an operand moves along the dim of the elements that a work-item has side by side. */
enum { CG_STRIDED, CG_UNIT, CG_SAME };

/* A reduction of few long rows takes two kernels: parts of rows, then the rest. */
enum { CG_WHOLE, CG_PIECES, CG_FINISH };

typedef struct cg_variant {
    uint16_t group;         /* work-items of a group */
    uint8_t n_kept, n_dims; /* of the space; of a map both are all dims */
    uint8_t any_dims;       /* n_dims is the most there may be, the call has its own numbers */
    uint16_t width;         /* elements side by side of a work-item */
    uint8_t columns;        /* they belong to neighbouring rows, else to one */
    uint8_t shared;         /* several work-items have a row */
    uint8_t wide;           /* indices take 64 bits */
    uint8_t table;          /* arguments are in memory; a map's may be those of many calls */
    uint8_t stage;          /* CG_WHOLE, .. */
    uint8_t class[GN_MAX_OPERANDS];
} cg_variant;

/* What a device is like. */
typedef struct cg_device {
    uint32_t work_group; /* most work-items of a group */
    uint64_t local_bytes;
    uint32_t units;
    bool is_cpu; /* a work-item is a loop's iteration: a few wide ones are best */
} cg_device;

/* How a kernel is started. */
typedef struct cg_launch {
    cg_variant variant;
    int64_t n_groups;   /* work-groups along the first dim; along the second: n_chunks */
    int64_t n_elements; /* of a map: coordinates; else rows */
    int64_t n_reduced;  /* coordinates of a row; in the second step its pieces */
    int64_t n_chunks;   /* pieces that a row is cut into, 1: none */
    uint32_t lanes;     /* work-items of a row */
    bool columns;       /* neighbouring work-items have neighbouring rows, not one row's elements */
} cg_launch;

/* A map call as it is best run: itself, or *out, the same with dims that are cut into tiles. */
typedef struct cg_tiled {
    gn_call call;
    int64_t size[GN_MAX_DIMS];
    gn_operand operands[GN_MAX_OPERANDS];
} cg_tiled;
const gn_call *cg_tile(const cg_program *p, const cg_device *device, const gn_call *call,
                       cg_tiled *out);

/* `offset` below is that of an operand's block in its buffer, in bytes, by operand. */

/* One kernel for all the calls, with the offsets of the first call's operands, then of the second's.
 * n_groups is the sum of the calls'. */
void cg_choose_map(const cg_program *p, const cg_device *device, const gn_call *const *calls,
                   uint32_t n, const uint64_t *offsets, cg_launch *out);
int64_t cg_map_groups(const cg_launch *launch, const gn_call *call);
void cg_choose_rows(const cg_program *p, const cg_device *device, const gn_call *call,
                    const uint64_t *offset, cg_launch *out);
/* The second step of a reduction whose first has n_chunks > 1. */
void cg_choose_finish(const cg_program *p, const cg_device *device, const cg_launch *pieces,
                      cg_launch *out);

/* ---- Kernels: the name of each is "run", and the library is the text of kernels/math.cl */

/*
 * Arguments in their order:
 *   the call's words by value; of a table the buffer with the words, their offset in bytes (i64),
 *   and the number of calls (i32)
 *   of rows whose stage is not CG_WHOLE the buffer of the pieces
 *   a buffer for each operand that is no index
 *   the report and the tag (i64), if the program picks
 */
void cg_map_text(const cg_program *p, const cg_variant *variant, const char *library, cg_text *out);
void cg_rows_text(const cg_program *p, const cg_variant *variant, const char *library,
                  cg_text *out);

enum { CG_MAX_WORDS = 640 };

/* The words of a call, of 64 bits each; returns how many. first_group: of the call in a table. */
uint32_t cg_map_words(const cg_program *p, const cg_launch *launch, const gn_call *call,
                      const uint64_t *offset, int64_t first_group, int64_t *out);
uint32_t cg_rows_words(const cg_program *p, const cg_launch *launch, const gn_call *call,
                       const uint64_t *offset, uint64_t pieces_offset, int64_t *out);

/* Bytes of the pieces between the two kernels of a reduction. */
uint64_t cg_pieces_bytes(const cg_program *p, const cg_launch *launch);

#endif
