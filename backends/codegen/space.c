/* SPDX-License-Identifier: Apache-2.0 */
/*
 * space.c - the arguments of a call: the struct that kernels read them from, and its words; and how
 * a kernel gets from the number of an element to that element of each operand.
 */
#include "element.h"

#include <string.h>

/* ---- The struct: its members in their order */

typedef struct member {
    const char *name;
    uint32_t n, m; /* name[n], or name[n][m] */
} member;

enum { MAX_MEMBERS = 20 };

static uint32_t list_members(const cg_program *p, const cg_variant *v, bool rows,
                             member out[MAX_MEMBERS]) {
    const uint32_t n_operands = p->source->n_operands ? p->source->n_operands : 1;
    const uint32_t n_dims = v->n_dims ? v->n_dims : 1;
    uint32_t n = 0;
    out[n++] = (member){"n", 0, 0};
    out[n++] = (member){"n_dims", 0, 0};
    if (v->table && !rows)
        out[n++] = (member){"first_group", 0, 0};
    if (rows) {
        out[n++] = (member){"n_kept", 0, 0};
        out[n++] = (member){"n_reduced", 0, 0};
        out[n++] = (member){"lanes", 0, 0};
        out[n++] = (member){"lane_step", 0, 0};
        out[n++] = (member){"team_step", 0, 0};
        out[n++] = (member){"chunk", 0, 0};
        out[n++] = (member){"n_chunks", 0, 0};
        out[n++] = (member){"pieces", 0, 0};
    }
    out[n++] = (member){"size", n_dims, 0};
    if (!v->wide)
        out[n++] = (member){"magic", n_dims, 0};
    out[n++] = (member){"offset", n_operands, 0};
    out[n++] = (member){"stride", n_operands, n_dims};
    if (p->picks) {
        out[n++] = (member){"axis_stride", n_operands, 0};
        out[n++] = (member){"axis_extent", n_operands, 0};
    }
    if (p->source->n_params)
        out[n++] = (member){"param", p->source->n_params, 0};
    if (p->singles)
        out[n++] = (member){"single", p->source->n_params, 0};
    return n;
}

void cg_write_call(const cg_writer *w) {
    member members[MAX_MEMBERS];
    const uint32_t n = list_members(w->program, w->variant, w->rows, members);
    cg_print(w->out, "typedef struct call {\n");
    for (uint32_t i = 0; i < n; i++) {
        cg_print(w->out, "    i64 %s", members[i].name);
        if (members[i].n)
            cg_print(w->out, "[%u]", members[i].n);
        if (members[i].m)
            cg_print(w->out, "[%u]", members[i].m);
        cg_print(w->out, ";\n");
    }
    cg_print(w->out, "} call;\n#define ARG(member) %smember\n", w->variant->table ? "a->" : "a.");
    cg_print(w->out, "#define QUOTIENT(n, d) %s\n",
             w->variant->wide ? "((n) / ARG(size[d]))"
                              : "(index_t)quotient((u32)(n), (u64)ARG(magic[d]))");
}

/* ---- Its words */

/*
 * For dividing numbers below 2^31 by d: n / d = (high half of n * m + n) >> s, with s = ceil(log2 d)
 * and m = ceil(2^(32 + s) / d) - 2^32 (Granlund and Montgomery, "Division by invariant integers
 * using multiplication", 1994). s is in the upper half of the word.
 */
static int64_t magic_of(int64_t d) {
    uint64_t s = 0;
    while (((uint64_t)1 << s) < (uint64_t)d)
        s++;
    const uint64_t excess = ((uint64_t)1 << s) - (uint64_t)d;
    const uint64_t m = excess ? ((excess << 32) + (uint64_t)d - 1) / (uint64_t)d : 0;
    return (int64_t)(s << 32 | m);
}

/* A parameter as an f32, in the lower half: a program may use it as an f64, too. */
static int64_t single_word(gn_scalar param) {
    const float value = (float)param.f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Everything about the call's space and operands, from "size" on. */
static int64_t *space_words(const cg_program *p, const cg_variant *v, const gn_call *call,
                            const uint64_t *offset, int64_t *out) {
    const uint32_t n_dims = v->n_dims ? v->n_dims : 1;
    const uint32_t n_operands = p->source->n_operands;
    /* A space of fewer dims than the variant's has dims of size 1 in front. */
    const uint32_t missing = v->any_dims ? 0 : v->n_dims - call->n_dims;
    for (uint32_t d = 0; d < n_dims; d++)
        *out++ = d >= missing && d - missing < call->n_dims ? call->size[d - missing] : 1;
    for (uint32_t d = 0; d < n_dims && !v->wide; d++)
        *out++ = magic_of(d >= missing && d - missing < call->n_dims ? call->size[d - missing] : 1);
    for (uint32_t k = 0; k < n_operands; k++) {
        const bool indexes = p->source->operands[k].role == GN_INDEX;
        const uint32_t bytes = gn_dtype_bytes(p->source->operands[k].dtype);
        *out++ = cg_operand(call, k)->offset + (indexes ? 0 : (int64_t)(offset[k] / bytes));
    }
    for (uint32_t k = 0; k < n_operands; k++)
        for (uint32_t d = 0; d < n_dims; d++)
            *out++ = d >= missing && d - missing < call->n_dims
                         ? cg_operand(call, k)->stride[d - missing]
                         : 0;
    for (uint32_t k = 0; k < n_operands && p->picks; k++)
        *out++ = cg_operand(call, k)->axis_stride;
    for (uint32_t k = 0; k < n_operands && p->picks; k++)
        *out++ = cg_operand(call, k)->axis_extent;
    for (uint32_t i = 0; i < p->source->n_params; i++)
        *out++ = call->params[i].i;
    for (uint32_t i = 0; i < p->source->n_params && p->singles; i++)
        *out++ = single_word(call->params[i]);
    return out;
}

uint32_t cg_map_words(const cg_program *p, const cg_launch *launch, const gn_call *call,
                      const uint64_t *offset, int64_t first_group, int64_t *out) {
    int64_t *word = out, n = 1;
    for (uint32_t d = 0; d < call->n_dims; d++)
        n *= call->size[d];
    *word++ = n;
    *word++ = call->n_dims;
    if (launch->variant.table)
        *word++ = first_group;
    return (uint32_t)(space_words(p, &launch->variant, call, offset, word) - out);
}

uint32_t cg_rows_words(const cg_program *p, const cg_launch *launch, const gn_call *call,
                       const uint64_t *offset, uint64_t pieces_offset, int64_t *out) {
    const cg_variant *v = &launch->variant;
    const int64_t teams = v->group / launch->lanes;
    const int64_t chunk = (launch->n_reduced + launch->n_chunks - 1) / launch->n_chunks;
    int64_t *word = out;
    *word++ = launch->n_elements;
    *word++ = call->n_dims;
    *word++ = call->n_dims - call->n_reduced;
    *word++ = launch->n_reduced;
    *word++ = launch->lanes;
    *word++ = launch->columns ? teams : 1;         /* lane_step */
    *word++ = launch->columns ? 1 : launch->lanes; /* team_step */
    *word++ = (chunk + v->width - 1) / v->width * v->width;
    *word++ = v->stage == CG_FINISH ? launch->n_reduced : launch->n_chunks;
    *word++ = (int64_t)pieces_offset;
    return (uint32_t)(space_words(p, v, call, offset, word) - out);
}

/* ---- From the number of an element to its place */

/* Moves to%u of an operand by the coordinate `name` of dim `d`. */
static void write_move(const cg_writer *w, uint32_t operand, const char *to, const char *coordinate,
                       int d) {
    const int class = d == w->vector_dim ? w->variant->class[operand] : CG_STRIDED;
    const char *type = w->program->source->operands[operand].role == GN_INDEX ? "" : "(index_t)";
    if (class == CG_UNIT)
        cg_print(w->out, " %s%u += %s;", to, operand, coordinate);
    else if (class == CG_STRIDED)
        cg_print(w->out, " %s%u += %s * %sARG(stride[%u][%d]);", to, operand, coordinate, type,
                 operand, d);
}

static void write_moves(const cg_writer *w, const bool *used, const char *to,
                        const char *coordinate, int d) {
    for (uint32_t k = 0; k < w->program->source->n_operands; k++)
        if (used[k])
            write_move(w, k, to, coordinate, d);
    cg_print(w->out, "\n");
}

/* The dims first..end-1, known now. */
static void write_known_dims(const cg_writer *w, const bool *used, const char *index, int first,
                             int end, const char *to) {
    const char *indent = w->indent;
    if (first == end)
        return;
    if (first + 1 == end) {
        cg_print(w->out, "%s", indent);
        write_moves(w, used, to, index, first);
        return;
    }
    cg_print(w->out, "%s{\n%s    index_t rest = %s, next, c;\n", indent, indent, index);
    for (int d = end - 1; d > first; d--) {
        cg_print(w->out,
                 "%s    next = QUOTIENT(rest, %d); c = rest - next * (index_t)ARG(size[%d]);"
                 " rest = next;\n%s   ",
                 indent, d, d, indent);
        write_moves(w, used, to, "c", d);
    }
    cg_print(w->out, "%s   ", indent);
    write_moves(w, used, to, "rest", first);
    cg_print(w->out, "%s}\n", indent);
}

/* The dims first..end-1, expressions that the kernel evaluates; of no dims the index is 0. */
static void write_any_dims(const cg_writer *w, const bool *used, const char *index,
                           const char *first, const char *end, const char *to) {
    const char *indent = w->indent;
    cg_print(w->out, "%s{\n%s    index_t rest = %s;\n", indent, indent, index);
    cg_print(w->out, "%s    for (int d = (int)%s - 1; d > %s; d--) {\n", indent, end, first);
    cg_print(w->out,
             "%s        const index_t next = QUOTIENT(rest, d), c = rest - next * "
             "(index_t)ARG(size[d]);\n",
             indent);
    for (uint32_t k = 0; k < w->program->source->n_operands; k++)
        if (used[k])
            cg_print(w->out, "%s        %s%u += c * %sARG(stride[%u][d]);\n", indent, to, k,
                     w->program->source->operands[k].role == GN_INDEX ? "" : "(index_t)", k);
    cg_print(w->out, "%s        rest = next;\n%s    }\n", indent, indent);
    for (uint32_t k = 0; k < w->program->source->n_operands; k++)
        if (used[k])
            cg_print(w->out, "%s    %s%u += rest * %sARG(stride[%u][%s]);\n", indent, to, k,
                     w->program->source->operands[k].role == GN_INDEX ? "" : "(index_t)", k, first);
    cg_print(w->out, "%s}\n", indent);
}

void cg_write_walk(const cg_writer *w, const char *index, bool reduced, const char *from,
                   const char *to, bool elements_only) {
    const gn_program *source = w->program->source;
    const cg_variant *v = w->variant;
    bool used[GN_MAX_OPERANDS];
    for (uint32_t k = 0; k < source->n_operands; k++) {
        const bool indexes = source->operands[k].role == GN_INDEX;
        used[k] = !elements_only || w->program->in_elements[k];
        if (!used[k])
            continue;
        cg_print(w->out, "%s%s %s%u = ", w->indent, indexes ? "i64" : "index_t", to, k);
        if (from)
            cg_print(w->out, "%s%u;\n", from, k);
        else if (indexes)
            cg_print(w->out, "ARG(offset[%u]);\n", k);
        else
            cg_print(w->out, "0;\n");
    }
    if (v->any_dims)
        write_any_dims(w, used, index, reduced ? "ARG(n_kept)" : "0",
                       reduced   ? "ARG(n_dims)"
                       : w->rows ? "ARG(n_kept)"
                                 : "ARG(n_dims)",
                       to);
    else
        write_known_dims(w, used, index, reduced ? v->n_kept : 0, reduced ? v->n_dims : v->n_kept,
                         to);
}
