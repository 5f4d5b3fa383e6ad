/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c - kernels of reduce and row programs. A row is what is reduced to one coordinate. Its
 * work-items, the lanes, take turns with its elements; what each has gathered is joined in local
 * memory, in a tree. Elements side by side are of one row, or of neighbouring rows, which a work-item
 * then has all for itself: v numbers them, and ROWS is how many rows a work-item has.
 *
 * Sums of floats gather a few terms, and then add them to a total that keeps its rounding errors
 * apart. So the error of a sum does not grow with its length.
 *
 * A reduction of few long rows is done in two steps: the first leaves a result for each of the pieces
 * that a row is cut into, and the second joins those.
 *
 * Names, besides those of element.h: s3 is what REDUCE number 3 has gathered, and w3 its payload;
 * l3 and m3 are they in local memory.
 */
#include "element.h"

#include <stdio.h>
#include <string.h>

enum { SUM_TERMS = 32, SEVERAL = 4 };

/* ---- Kinds of reductions */

/* What nothing gathered is: of numbers by kind, of extrema by type. */
static const char *const lowest[GN_N_DTYPES] = {
    [GN_BOOL] = "0",
    [GN_U8] = "0",
    [GN_I8] = "-128",
    [GN_I16] = "-32768",
    [GN_I32] = "-2147483647 - 1",
    [GN_I64] = "-0x7fffffffffffffffl - 1",
    [GN_U32] = "0",
    [GN_F32] = "-INFINITY",
    [GN_F64] = "-INFINITY",
};
static const char *const highest[GN_N_DTYPES] = {
    [GN_BOOL] = "1",          [GN_U8] = "255",         [GN_I8] = "127",
    [GN_I16] = "32767",       [GN_I32] = "2147483647", [GN_I64] = "0x7fffffffffffffffl",
    [GN_U32] = "4294967295u", [GN_F32] = "INFINITY",   [GN_F64] = "INFINITY",
};

static const struct kind {
    const char *const *neutral; /* by type; NULL: */
    const char *number;
    /* Takes $x into $i, with their payloads $q and $p. */
    const char *floats, *integers;
} kinds[] = {
    [GN_SUM] = {NULL, "0", "$i = $i + $x", "$i = ($t)(($u)$i + ($u)$x)"},
    [GN_PROD] = {NULL, "1", "$i = $i * $x", "$i = ($t)(($u)$i * ($u)$x)"},
    [GN_MAX] = {lowest, NULL, "$i = $x > $i || $x != $x ? $x : $i", "$i = $x > $i ? $x : $i"},
    [GN_MIN] = {highest, NULL, "$i = $x < $i || $x != $x ? $x : $i", "$i = $x < $i ? $x : $i"},
    [GN_ARGMAX] = {lowest, NULL, "TAKE_FLOAT(>, $i, $p, $x, $q)", "TAKE(>, $i, $p, $x, $q)"},
    [GN_ARGMIN] = {highest, NULL, "TAKE_FLOAT(<, $i, $p, $x, $q)", "TAKE(<, $i, $p, $x, $q)"},
};

/* A REDUCE instruction. */
typedef struct reduction {
    uint32_t number;
    const gn_insn *insn;
    unsigned type; /* of what it compares or adds */
    bool picks;    /* has a payload */
    bool sums;     /* floats */
} reduction;

static reduction reduction_at(const cg_writer *w, uint32_t number) {
    const gn_insn *insn = cg_insn(w->program->source, number);
    const unsigned type = cg_insn(w->program->source, insn->a)->type;
    return (reduction){.number = number,
                       .insn = insn,
                       .type = type,
                       .picks = insn->c >= GN_ARGMAX,
                       .sums = insn->c == GN_SUM && gn_dtype_is_float((int)type)};
}

static const char *storage(const reduction *r) {
    return r->type == GN_BOOL ? "u8" : cg_types[r->type];
}

/* A statement that takes the value x and the payload q into i and p. */
static void write_take(const cg_writer *w, const reduction *r, const char *i, const char *p,
                       const char *x, const char *q) {
    const struct kind *kind = &kinds[r->insn->c];
    cg_print(w->out, "%s", w->indent);
    for (const char *c = gn_dtype_is_float((int)r->type) ? kind->floats : kind->integers; *c; c++) {
        if (*c != '$') {
            const size_t plain = strcspn(c, "$");
            cg_print(w->out, "%.*s", (int)plain, c);
            c += plain - 1;
            continue;
        }
        c++;
        cg_print(w->out, "%s",
                 *c == 'i'   ? i
                 : *c == 'p' ? p
                 : *c == 'x' ? x
                 : *c == 'q' ? q
                 : *c == 't' ? cg_types[r->type]
                             : cg_wrapping[r->type]);
    }
    cg_print(w->out, ";\n");
}

/* Calls `write` for each REDUCE of the present part. */
typedef void write_fn(const cg_writer *w, const reduction *r);
static void each_reduction(const cg_writer *w, const char *indent, write_fn *write) {
    cg_writer inner = *w;
    inner.indent = indent;
    const cg_part *part = &w->program->parts[w->part];
    for (uint32_t i = part->end; i < part->reduce_end; i++) {
        const reduction r = reduction_at(w, i);
        if (w->program->values[i].live)
            write(&inner, &r);
    }
}

static bool has_sums(const cg_writer *w) {
    const cg_part *part = &w->program->parts[w->part];
    for (uint32_t i = part->end; i < part->reduce_end; i++)
        if (w->program->values[i].live && reduction_at(w, i).sums)
            return true;
    return false;
}

/* ---- Gathering */

static void write_gathered(const cg_writer *w, const reduction *r) {
    const struct kind *kind = &kinds[r->insn->c];
    const uint32_t i = r->number;
    cg_print(w->out, "    %s s%u[WIDTH];\n", storage(r), i);
    if (r->picks)
        cg_print(w->out, "    i64 w%u[WIDTH];\n", i);
    if (r->sums)
        cg_print(w->out, "    %s total%u[WIDTH], lost%u[WIDTH];\n", storage(r), i, i);
    cg_print(w->out, "    for (int v = 0; v < WIDTH; v++) {\n        s%u[v] = %s;\n", i,
             kind->neutral ? kind->neutral[r->type] : kind->number);
    if (r->picks)
        cg_print(w->out, "        w%u[v] = %s;\n", i, highest[GN_I64]);
    if (r->sums)
        cg_print(w->out, "        total%u[v] = lost%u[v] = 0;\n", i, i);
    cg_print(w->out, "    }\n");
}

static void write_gather(const cg_writer *w, const reduction *r) {
    char into[24], payload[24];
    const cg_name value = cg_name_of(w, r->insn->a),
                  other = cg_name_of(w, r->picks ? r->insn->b : r->insn->a);
    snprintf(into, sizeof into, "s%u[v]", r->number);
    snprintf(payload, sizeof payload, "w%u[v]", r->number);
    write_take(w, r, into, payload, value.text, other.text);
}

/* The second step: a piece's result instead of an element's value. */
static void write_gather_piece(const cg_writer *w, const reduction *r) {
    char into[24], payload[24], x[24], q[24];
    const uint32_t i = r->number, slot = 2 * (i - w->program->parts[w->part].end);
    snprintf(into, sizeof into, "s%u[v]", i);
    snprintf(payload, sizeof payload, "w%u[v]", i);
    snprintf(x, sizeof x, "x%u", i);
    snprintf(q, sizeof q, "q%u", i);
    cg_print(w->out, "%sconst %s x%u = PIECES(%s, %u)[r * ARG(n) + here + v];\n", w->indent,
             storage(r), i, storage(r), slot);
    if (r->picks)
        cg_print(w->out, "%sconst i64 q%u = PIECES(i64, %u)[r * ARG(n) + here + v];\n", w->indent,
                 i, slot + 1);
    write_take(w, r, into, payload, x, q);
}

static void write_total(const cg_writer *w, const reduction *r) {
    const uint32_t i = r->number;
    if (r->sums)
        cg_print(w->out,
                 "        for (int v = 0; v < WIDTH; v++) {\n"
                 "            ADD_TO_TOTAL(%s, total%u[v], lost%u[v], s%u[v]);\n"
                 "            s%u[v] = 0;\n        }\n",
                 storage(r), i, i, i, i);
}

/* The elements of the rows, each once: walk, program, reductions. */
static void write_elements(const cg_writer *w) {
    char indent[32];
    snprintf(indent, sizeof indent, "%s    ", w->indent);
    if (w->variant->stage == CG_FINISH) {
        cg_print(w->out, "%sfor (int v = 0; v < ROWS; v++) {\n", w->indent);
        each_reduction(w, indent, write_gather_piece);
        cg_print(w->out, "%s}\n", w->indent);
        return;
    }
    cg_write_walk(w, "r", true, "base", "at", true);
    cg_write_body(w);
    each_reduction(w, indent, write_gather);
    cg_write_body_end(w);
}

/* Whether the loop over v may be around that over some elements of each row: nothing is moved
 * before or behind it. Where WIDTH is that of a CPU, what a row has gathered then stays in a
 * register for these elements. */
static bool gathers_several(const cg_writer *w) {
    return w->variant->columns && w->variant->width > 4 && !cg_moves_side_by_side(w);
}

/* SEVERAL elements of each row. */
static void write_several_elements(const cg_writer *w) {
    cg_writer inner = *w;
    char indent[32];
    snprintf(indent, sizeof indent, "%s        ", w->indent);
    inner.indent = indent;
    cg_print(w->out,
             "%sfor (int v = 0; v < WIDTH; v++) {\n"
             "#pragma unroll\n"
             "%s    for (int step = 0; step < %d; step++) {\n"
             "%sconst index_t r = several + step * hop;\n",
             w->indent, w->indent, SEVERAL, indent);
    if (w->variant->stage == CG_FINISH) {
        each_reduction(&inner, indent, write_gather_piece);
    } else {
        cg_write_walk(&inner, "r", true, "base", "at", true);
        cg_write_values(&inner);
        each_reduction(&inner, indent, write_gather);
    }
    cg_print(w->out, "%s    }\n%s}\n", w->indent, w->indent);
}

/* The elements from `from` to the one before `to`. */
static void write_steps(const cg_writer *w, const char *from, const char *to) {
    char indent[32];
    cg_writer inner = *w;
    snprintf(indent, sizeof indent, "%s    ", w->indent);
    inner.indent = indent;
    if (!gathers_several(w)) {
        cg_print(w->out, "%sfor (index_t r = %s; r < %s; r += hop) {\n", w->indent, from, to);
    } else {
        cg_print(w->out,
                 "%sindex_t several = %s;\n"
                 "%sfor (; %s - several > %d * hop; several += %d * hop) {\n",
                 w->indent, from, w->indent, to, SEVERAL - 1, SEVERAL);
        write_several_elements(&inner);
        cg_print(w->out, "%s}\n%sfor (index_t r = several; r < %s; r += hop) {\n", w->indent,
                 w->indent, to);
    }
    write_elements(&inner);
    cg_print(w->out, "%s}\n", w->indent);
}

/* The loop over a row's elements. */
static void write_loop(const cg_writer *w) {
    cg_writer inner = *w;
    if (!has_sums(w)) {
        write_steps(w, "first", "end");
        return;
    }
    inner.indent = "        ";
    cg_print(w->out,
             "    for (index_t block = first; block < end; block += %d * hop) {\n"
             "        const index_t stop = end - block < %d * hop ? end : block + %d * hop;\n",
             SUM_TERMS, SUM_TERMS, SUM_TERMS);
    write_steps(&inner, "block", "stop");
    each_reduction(w, "        ", write_total);
    cg_print(w->out, "    }\n");
}

/* ---- Joining: what the work-items of a row have gathered, in s3[0..ROWS-1] */

/* Sums have their totals, and one row the elements side by side. */
static void write_fold(const cg_writer *w, const reduction *r) {
    char into[24], payload[24], x[24], q[24];
    const uint32_t i = r->number;
    if (r->sums)
        cg_print(w->out,
                 "    for (int v = 0; v < WIDTH; v++)\n"
                 "        s%u[v] = TOTAL(total%u[v], lost%u[v]);\n",
                 i, i, i);
    if (w->variant->columns || w->variant->width == 1)
        return;
    snprintf(into, sizeof into, "s%u[0]", i);
    snprintf(payload, sizeof payload, "w%u[0]", i);
    snprintf(x, sizeof x, "s%u[v]", i);
    snprintf(q, sizeof q, "w%u[v]", i);
    cg_print(w->out, "    for (int v = 1; v < WIDTH; v++)\n    ");
    write_take(w, r, into, payload, x, q);
}

static void write_to_local(const cg_writer *w, const reduction *r) {
    cg_print(w->out, "        l%u[id] = s%u[v];\n", r->number, r->number);
    if (r->picks)
        cg_print(w->out, "        m%u[id] = w%u[v];\n", r->number, r->number);
}

static void write_from_local(const cg_writer *w, const reduction *r) {
    cg_print(w->out, "        s%u[v] = l%u[id - lane * step];\n", r->number, r->number);
    if (r->picks)
        cg_print(w->out, "        w%u[v] = m%u[id - lane * step];\n", r->number, r->number);
}

static void write_join(const cg_writer *w, const reduction *r) {
    char into[24], payload[24], x[40], q[40];
    snprintf(into, sizeof into, "l%u[id]", r->number);
    snprintf(payload, sizeof payload, "m%u[id]", r->number);
    snprintf(x, sizeof x, "l%u[id + far * step]", r->number);
    snprintf(q, sizeof q, "m%u[id + far * step]", r->number);
    write_take(w, r, into, payload, x, q);
}

static void write_tree(const cg_writer *w) {
    cg_print(w->out, "    for (int v = 0; v < ROWS; v++) {\n");
    each_reduction(w, "        ", write_to_local);
    cg_print(w->out, "        BARRIER;\n"
                     "        for (int far = lanes / 2; far > 0; far /= 2) {\n"
                     "            if (lane < far) {\n");
    each_reduction(w, "                ", write_join);
    cg_print(w->out, "            }\n            BARRIER;\n        }\n");
    each_reduction(w, "        ", write_from_local);
    cg_print(w->out, "        BARRIER;\n    }\n");
}

static void write_result(const cg_writer *w, const reduction *r) {
    cg_print(w->out,
             "    %s v%u[ROWS];\n    for (int v = 0; v < ROWS; v++)\n        v%u[v] = %c%u[v];\n",
             cg_types[r->insn->type], r->number, r->number, r->picks ? 'w' : 's', r->number);
}

static void write_piece(const cg_writer *w, const reduction *r) {
    const uint32_t i = r->number, slot = 2 * (i - w->program->parts[w->part].end);
    cg_print(w->out, "%sPIECES(%s, %u)[GROUP_ID(1) * ARG(n) + row + v] = s%u[v];\n", w->indent,
             storage(r), slot, i);
    if (r->picks)
        cg_print(w->out, "%sPIECES(i64, %u)[GROUP_ID(1) * ARG(n) + row + v] = w%u[v];\n", w->indent,
                 slot + 1, i);
}

/* ---- Parts */

static void write_element_part(const cg_writer *w) {
    each_reduction(w, "    ", write_gathered);
    write_loop(w);
    each_reduction(w, "    ", write_fold);
    if (w->variant->shared && w->program->parts[w->part].reduce_end)
        write_tree(w);
    if (w->variant->stage != CG_PIECES) {
        each_reduction(w, "    ", write_result);
        return;
    }
    cg_print(w->out, "    for (int v = 0; in && lane == 0 && v < ROWS; v++) {\n");
    each_reduction(w, "        ", write_piece);
    cg_print(w->out, "    }\n");
}

static bool stores(const cg_writer *w) {
    const cg_part *part = &w->program->parts[w->part];
    for (uint32_t i = part->first; i < part->end; i++)
        if (cg_insn(w->program->source, i)->op == GN_OP_STORE)
            return true;
    return false;
}

/* What later parts read, all lanes compute; what is stored, and may have been loaded by all of
 * them, the first lane stores. */
static void write_row_part(const cg_writer *w) {
    static const char open[] = "    for (int v = 0; in && lane == 0 && v < ROWS; v++) {\n";
    const cg_part *part = &w->program->parts[w->part];
    cg_writer inner = *w;
    inner.indent = "        ";
    if (w->part + 1 == w->program->n_parts) {
        cg_print(w->out, "%s", open);
        cg_write_values(&inner);
        cg_write_row_stores(&inner);
        cg_print(w->out, "    }\n");
        return;
    }
    for (uint32_t i = part->first; i < part->end; i++)
        if (w->program->values[i].live && cg_is_kept(w, i) &&
            cg_insn(w->program->source, i)->op != GN_OP_STORE)
            cg_print(w->out, "    %s v%u[ROWS];\n", cg_types[cg_insn(w->program->source, i)->type],
                     i);
    cg_print(w->out, "    for (int v = 0; v < ROWS; v++) {\n");
    cg_write_values(&inner);
    cg_print(w->out, "    }\n");
    if (!stores(w))
        return;
    if (w->variant->shared)
        cg_print(w->out, "    BARRIER_GLOBAL;\n");
    cg_print(w->out, "%s", open);
    cg_write_row_stores(&inner);
    cg_print(w->out, "    }\n");
}

/* ---- The kernel */

static void write_local(const cg_writer *w, const reduction *r) {
    cg_print(w->out, "    LOCAL %s l%u[GROUP];\n", storage(r), r->number);
    if (r->picks)
        cg_print(w->out, "    LOCAL i64 m%u[GROUP];\n", r->number);
}

/* Which row and which lane of it a work-item is. */
static void write_place(const cg_writer *w) {
    if (w->variant->shared)
        cg_print(w->out,
                 "    const int id = (int)LOCAL_ID(0), lanes = (int)ARG(lanes);\n"
                 "    const int step = (int)ARG(lane_step), lane = id / step %% lanes;\n"
                 "    const int teams = GROUP / lanes, team = id / (int)ARG(team_step) %% teams;\n"
                 "    const index_t row = ((index_t)GROUP_ID(0) * teams + team) * ROWS;\n"
                 "    const bool in = row < (index_t)ARG(n);\n"
                 "    const index_t here = in ? row : 0; /* all lanes come to the barriers */\n");
    else
        cg_print(w->out, "    const int lanes = 1, lane = 0;\n"
                         "    const index_t row = (index_t)GLOBAL_ID(0) * ROWS, here = row;\n"
                         "    const bool in = true;\n"
                         "    if (row >= (index_t)ARG(n))\n        return;\n");
    cg_print(w->out, "    const index_t hop = lanes * %s;\n", w->variant->columns ? "1" : "WIDTH");
    static const char *const ranges[][2] = {
        [CG_WHOLE] = {"0", "(index_t)ARG(n_reduced)"},
        [CG_PIECES] = {"(index_t)GROUP_ID(1) * (index_t)ARG(chunk)",
                       "min(begin + (index_t)ARG(chunk), (index_t)ARG(n_reduced))"},
        [CG_FINISH] = {"0", "(index_t)ARG(n_chunks)"},
    };
    const char *const *range = ranges[w->variant->stage];
    cg_print(w->out, "    const index_t begin = %s;\n    const index_t last = %s;\n", range[0],
             range[1]);
    cg_print(w->out, "    const index_t first = begin + lane * %s, end = in ? last : 0;\n",
             w->variant->columns ? "1" : "WIDTH");
}

void cg_rows_text(const cg_program *p, const cg_variant *variant, const char *library,
                  cg_text *out) {
    cg_writer w = {.program = p,
                   .variant = variant,
                   .out = out,
                   .vector_dim = (variant->columns ? variant->n_kept : variant->n_dims) - 1,
                   .rows = true,
                   .indent = "    "};
    cg_write_head(&w, library);
    cg_write_call(&w);
    cg_print(out, "#define ROWS %s\n", variant->columns ? "WIDTH" : "1");
    cg_write_arguments(&w);
    if (variant->stage != CG_WHOLE)
        cg_print(out, "#define PIECES(type, slot) ((GLOBAL type *)(pieces + ARG(pieces) + "
                      "(slot) * 8 * ARG(n) * ARG(n_chunks)))\n");
    for (w.part = 0; variant->shared && w.part < p->n_parts; w.part++)
        each_reduction(&w, "    ", write_local);
    write_place(&w);
    cg_write_pointers(&w);
    cg_write_uniforms(&w);
    cg_write_walk(&w, "here", false, NULL, "base", false);
    for (w.part = 0; w.part < p->n_parts; w.part++) {
        if (p->parts[w.part].row && variant->stage != CG_PIECES)
            write_row_part(&w);
        else if (!p->parts[w.part].row)
            write_element_part(&w);
    }
    cg_print(out, "}\n");
}

uint64_t cg_pieces_bytes(const cg_program *p, const cg_launch *launch) {
    const cg_part *part = &p->parts[0];
    return (uint64_t)(part->reduce_end - part->end) * 16 * (uint64_t)launch->n_elements *
           (uint64_t)launch->n_chunks;
}
