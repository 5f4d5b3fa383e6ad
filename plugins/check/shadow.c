/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shadow.c - makes the programs that compute bounds: walks over a program's instructions, copies
 * them and appends what the rules say. Reductions are here, the rules for other opcodes in rules.c.
 *
 * A shadow has the parts of its program, so that it runs in the same call with the same operands.
 * One that would become too large is made once for each output.
 */
#include "shadow.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Appending ------------------------------------------------------------------------------- */

int emit(maker *m, int op, int type, int a, int b, int c) {
    if (m->n_insns == GN_MAX_INSNS) {
        m->overflow = true;
        return 0;
    }
    m->piece->insns[m->n_insns] = (gn_insn){.op = (uint16_t)op,
                                            .type = (uint16_t)type,
                                            .a = (uint16_t)a,
                                            .b = (uint16_t)b,
                                            .c = (uint16_t)c};
    return (int)m->n_insns++;
}

static int add_constant(maker *m, int type, gn_scalar value) {
    uint32_t k = 0;
    while (k < m->n_constants && memcmp(&m->piece->constants[k], &value, sizeof value) != 0)
        k++;
    if (k == GN_MAX_INSNS) {
        m->overflow = true;
        return 0;
    }
    m->piece->constants[k] = value;
    m->n_constants += k == m->n_constants;
    for (uint32_t i = 0; i < m->n_insns; i++) {
        const gn_insn *insn = &m->piece->insns[i];
        if (insn->op == GN_OP_CONST && insn->a == k && insn->type == type)
            return (int)i; /* constants are visible in all that follows */
    }
    return emit(m, GN_OP_CONST, type, (int)k, 0, 0);
}

int number_f64(maker *m, double value) { return add_constant(m, GN_F64, (gn_scalar){.f = value}); }

int if_at_most(maker *m, int a, int b, int then, int otherwise) {
    return emit(m, GN_OP_SELECT, GN_F64, emit(m, GN_OP_LE, GN_BOOL, a, b, 0), then, otherwise);
}

static int add_operand(maker *m, int role, int dtype, int source) {
    if (m->n_operands == GN_MAX_OPERANDS) {
        m->overflow = true;
        return 0;
    }
    m->piece->operands[m->n_operands] =
        (gn_operand_info){.role = (uint16_t)role, .dtype = (uint16_t)dtype};
    m->piece->source[m->n_operands] = (uint8_t)source;
    return (int)m->n_operands++;
}

static int operand_of(maker *m, int k) {
    if (m->operand[k] < 0)
        m->operand[k] =
            add_operand(m, m->source->operands[k].role, m->source->operands[k].dtype, k);
    return m->operand[k];
}

/* ---- Values as numbers ----------------------------------------------------------------------- */

/* Whether a value made earlier is visible here; otherwise it is about to be made. */
static bool is_cached(const maker *m, cached *c) {
    if (c->scope == 0 || (c->scope > 0 && c->scope == m->scope))
        return true;
    c->scope = m->scope;
    return false;
}

int wide(maker *m, int v) {
    const int type = insn_at(m->source, (uint32_t)v)->type;
    cached *c = &m->wide[v];
    if (type == GN_F64)
        return m->value[v];
    if (!is_cached(m, c))
        c->number = emit1(m, GN_OP_CAST, m->value[v]);
    return c->number;
}

int magnitude(maker *m, int v) {
    const int type = insn_at(m->source, (uint32_t)v)->type;
    cached *c = &m->magnitude[v];
    if (is_cached(m, c))
        return c->number;
    c->number = emit1(m, GN_OP_ABS, wide(m, v));
    if (gn_dtype_is_float(type))
        c->number = if_at_most(m, c->number, number_f64(m, DBL_MAX), c->number, number_f64(m, 0));
    return c->number;
}

int bound_add(maker *m, int a, int b) {
    return a == NONE ? b : b == NONE ? a : emit2(m, GN_OP_ADD, a, b);
}

int bound_scale(maker *m, int factor, int bound) {
    return bound == NONE ? NONE : emit2(m, GN_OP_MUL, factor, bound);
}

int bound_max(maker *m, int a, int b) {
    return a == NONE ? b : b == NONE ? a : emit2(m, GN_OP_MAX, a, b);
}

int bound_value(maker *m, int bound) { return bound == NONE ? number_f64(m, 0) : bound; }

int bound_if_any(maker *m, int bound) {
    if (bound == NONE)
        return NONE;
    const int zero = number_f64(m, 0);
    return if_at_most(m, bound, zero, zero, number_f64(m, (double)NAN));
}

int bound_rounded(maker *m, int dtype, int v, int bound) {
    const int least = emit2(m, GN_OP_ADD, magnitude(m, v), number_f64(m, value_tiny(dtype)));
    const int size = bound_add(m, least, bound);
    return bound_add(m, bound, emit2(m, GN_OP_MUL, size, number_f64(m, value_eps(dtype))));
}

/* ---- Instructions ---------------------------------------------------------------------------- */

/* Copies an instruction that makes a value, and gives the value its bound. */
static void copy_value(maker *m, uint32_t n) {
    const gn_insn *insn = insn_at(m->source, n);
    const unsigned used = value_operands(insn);
    site s = {.insn = insn,
              .type = insn->type,
              .number = (int)n,
              .exact = true,
              .ulp = opcode_ulp(insn->op)};
    const int raw[3] = {insn->a, insn->b, insn->c};
    int made[3] = {insn->a, insn->b, insn->c};
    for (int k = 0; k < 3; k++) {
        s.bound[k] = NONE;
        s.operand[k] = raw[k];
        if (!(used >> k & 1))
            continue;
        made[k] = m->value[raw[k]];
        s.bound[k] = m->bound[raw[k]];
        s.exact = s.exact && s.bound[k] == NONE;
    }
    if (used & 1)
        s.from = insn_at(m->source, insn->a)->type;
    if (insn->op == GN_OP_LOAD || insn->op == GN_OP_LOADX)
        made[0] = operand_of(m, insn->a);
    m->value[n] = insn->op == GN_OP_CONST
                      ? add_constant(m, insn->type, m->source->constants[insn->a])
                      : emit(m, insn->op, insn->type, made[0], made[1], made[2]);
    m->bound[n] = rule_bound(m, &s);
}

/* Stores the bound of what the source stores: a little more, because that is rounded, too. */
static void store_bound(maker *m, const gn_insn *insn) {
    const int dtype = m->source->operands[insn->a].dtype;
    int bound = m->bound[insn->b];
    if (!(m->outputs >> insn->a & 1) || bound == NONE)
        return;
    if (dtype == GN_F16 || dtype == GN_BF16)
        bound = bound_rounded(m, dtype, insn->b, bound);
    bound = emit2(m, GN_OP_MUL, bound, number_f64(m, 1 + 0x1p-10));
    emit(m, GN_OP_STORE, GN_F64, add_operand(m, GN_WRITE, GN_F64, insn->a), bound, 0);
}

/* ---- Reductions ------------------------------------------------------------------------------ */

/* What a REDUCE's bound is made of: further reductions of f64, over the same elements. */
typedef struct gathering {
    int errors, error_kind; /* of the elements' own bounds; NONE: they are exact */
    int sizes;              /* the sum of |x| */
} gathering;

/* Before the run of reductions: values of the element part. */
static gathering gather(maker *m, const gn_insn *insn) {
    const int kind = insn->c, bound = m->bound[insn->a];
    const bool is_float = gn_dtype_is_float(insn->type), is_bool = insn->type == GN_BOOL;
    gathering g = {.errors = bound, .error_kind = GN_MAX, .sizes = NONE};
    if (kind == GN_SUM && !is_bool)
        g.error_kind = GN_SUM;
    if (kind == GN_SUM && is_float)
        g.sizes = magnitude(m, insn->a);
    if (kind == GN_PROD && bound != NONE && is_float) { /* relative errors add up */
        g.errors = emit2(m, GN_OP_DIV, bound, magnitude(m, insn->a));
        g.error_kind = GN_SUM;
    }
    if (kind == GN_ARGMAX || kind == GN_ARGMIN)
        g.errors = bound_add(m, bound, m->bound[insn->b]);
    return g;
}

static int emit_reduce(maker *m, int value, int kind) {
    return value == NONE ? NONE : emit(m, GN_OP_REDUCE, GN_F64, value, 0, kind);
}

/* The number of reduced elements is the parameter behind those of the source. */
static int count(maker *m) { return emit(m, GN_OP_PARAM, GN_F64, (int)m->source->n_params, 0, 0); }

/* 2 eps (64 + log2 n) sum |x|: each side may be off by half of it. */
static int sum_bound(maker *m, int type, const gathering *g) {
    const int steps = emit2(m, GN_OP_ADD, emit1(m, GN_OP_LOG2, count(m)), number_f64(m, 64));
    const int unit = emit2(m, GN_OP_MUL, steps, number_f64(m, 2 * value_eps(type)));
    const int own = emit2(m, GN_OP_MUL, unit, g->sizes);
    return bound_add(m, emit2(m, GN_OP_ADD, own, number_f64(m, value_tiny(type))), g->errors);
}

/* |v| (2 eps n + sum e / |x|) */
static int product_bound(maker *m, int v, int type, const gathering *g) {
    const int own = emit2(m, GN_OP_MUL, count(m), number_f64(m, 2 * value_eps(type)));
    const int relative = bound_add(m, own, g->errors);
    return emit2(m, GN_OP_ADD, emit2(m, GN_OP_MUL, relative, magnitude(m, v)),
                 number_f64(m, value_tiny(type)));
}

static int reduced_bound(maker *m, uint32_t n, const gathering *g) {
    const gn_insn *insn = insn_at(m->source, n);
    const bool is_float = gn_dtype_is_float(insn->type);
    switch (insn->c) {
    case GN_SUM: return is_float ? sum_bound(m, insn->type, g) : g->errors;
    case GN_PROD:
        if (is_float)
            return product_bound(m, (int)n, insn->type, g);
        break;
    case GN_MAX:
    case GN_MIN: return g->errors;
    }
    /* A product of integers, or the place of a winner: any error leaves nothing certain. */
    return bound_if_any(m, g->errors);
}

/* The run of REDUCE instructions that starts at n. Returns the number behind it. */
static uint32_t copy_reductions(maker *m, uint32_t n) {
    gathering g[GN_MAX_OPERANDS];
    uint32_t end = n;
    while (end < m->source->n_insns && insn_at(m->source, end)->op == GN_OP_REDUCE)
        end++;
    if (end - n > GN_MAX_OPERANDS) {
        m->overflow = true;
        return end;
    }
    for (uint32_t i = n; i < end; i++)
        g[i - n] = gather(m, insn_at(m->source, i));
    for (uint32_t i = n; i < end; i++) {
        const gn_insn *insn = insn_at(m->source, i);
        const bool picks = insn->c == GN_ARGMAX || insn->c == GN_ARGMIN;
        m->value[i] = emit(m, GN_OP_REDUCE, insn->type, m->value[insn->a],
                           picks ? m->value[insn->b] : 0, insn->c);
        g[i - n].errors = emit_reduce(m, g[i - n].errors, g[i - n].error_kind);
        g[i - n].sizes = emit_reduce(m, g[i - n].sizes, GN_SUM);
    }
    m->scope = 0;
    for (uint32_t i = n; i < end; i++)
        m->bound[i] = reduced_bound(m, i, &g[i - n]);
    return end;
}

/* ---- Programs -------------------------------------------------------------------------------- */

/* Marks what the bounds of the outputs need. All reductions stay: they make the parts. */
static void mark_live(maker *m) {
    for (uint32_t n = m->source->n_insns; n-- > 0;) {
        const gn_insn *insn = insn_at(m->source, n);
        const uint16_t operand[3] = {insn->a, insn->b, insn->c};
        m->live[n] = m->live[n] || insn->op == GN_OP_REDUCE || insn->op == GN_OP_ELEMENTS ||
                     (insn->op == GN_OP_STORE && m->outputs >> insn->a & 1);
        for (int k = 0; k < 3; k++)
            if (m->live[n] && value_operands(insn) >> k & 1)
                m->live[operand[k]] = true;
    }
}

static void copy_insns(maker *m) {
    m->scope = m->n_element_parts = 1;
    for (uint32_t n = 0; n < m->source->n_insns && !m->overflow; n++) {
        const gn_insn *insn = insn_at(m->source, n);
        if (!m->live[n])
            continue;
        if (insn->op == GN_OP_REDUCE) {
            n = copy_reductions(m, n) - 1;
        } else if (insn->op == GN_OP_ELEMENTS) {
            emit(m, GN_OP_ELEMENTS, 0, 0, 0, 0);
            m->scope = ++m->n_element_parts;
        } else if (insn->op == GN_OP_STORE) {
            store_bound(m, insn);
        } else {
            copy_value(m, n);
        }
    }
}

/* FNV-1a, twice, from different starts. */
static void hash_bytes(uint64_t hash[2], const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        for (int k = 0; k < 2; k++)
            hash[k] = (hash[k] ^ ((const uint8_t *)data)[i]) * 0x100000001b3;
}

static void finish(maker *m) {
    shadow_piece *p = m->piece;
    p->program = (gn_program){.struct_size = sizeof p->program,
                              .name = m->source->name,
                              .hash = {0xcbf29ce484222325, 0x84222325cbf29ce4},
                              .flags = m->source->flags,
                              .n_insns = m->n_insns,
                              .insn_size = sizeof *p->insns,
                              .n_constants = m->n_constants,
                              .n_operands = m->n_operands,
                              .n_params = m->source->n_params + 1,
                              .n_parts = m->source->n_parts,
                              .insns = p->insns,
                              .constants = p->constants,
                              .operands = p->operands};
    const uint32_t numbers[] = {p->program.flags, m->n_insns,          m->n_constants,
                                m->n_operands,    p->program.n_params, p->program.n_parts};
    hash_bytes(p->program.hash, numbers, sizeof numbers);
    hash_bytes(p->program.hash, p->insns, m->n_insns * sizeof *p->insns);
    hash_bytes(p->program.hash, p->constants, m->n_constants * sizeof *p->constants);
    hash_bytes(p->program.hash, p->operands, m->n_operands * sizeof *p->operands);
}

static void piece_free(shadow_piece *p) {
    if (p == NULL)
        return;
    free(p->insns);
    free(p->constants);
    free(p);
}

static shadow_piece *piece_new(void) {
    shadow_piece *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->insns = calloc(GN_MAX_INSNS, sizeof *p->insns);
    p->constants = calloc(GN_MAX_INSNS, sizeof *p->constants);
    if (p->insns && p->constants)
        return p;
    piece_free(p);
    return NULL;
}

/* Adds the piece for these outputs, if they need one. False: it is too large, or no memory. */
static bool add_piece(shadow *s, maker *m, const gn_program *program, uint64_t outputs) {
    shadow_piece *p = piece_new();
    memset(m, 0, sizeof *m);
    if (p == NULL)
        return false;
    m->source = program;
    m->outputs = outputs;
    m->piece = p;
    for (int k = 0; k < GN_MAX_OPERANDS; k++)
        m->operand[k] = -1;
    for (int n = 0; n < GN_MAX_INSNS; n++)
        m->wide[n].scope = m->magnitude[n].scope = -1;
    mark_live(m);
    copy_insns(m);
    if (m->overflow) {
        piece_free(p);
        return false;
    }
    finish(m);
    for (uint32_t k = 0; k < m->n_operands; k++)
        if (p->operands[k].role == GN_WRITE) {
            s->pieces[s->n_pieces++] = p;
            return true;
        }
    piece_free(p); /* all its outputs are exact */
    return true;
}

shadow *shadow_new(const gn_program *program) {
    shadow *s = calloc(1, sizeof *s);
    maker *m = malloc(sizeof *m);
    uint64_t outputs = 0;
    if (s == NULL || m == NULL) {
        free(m);
        free(s);
        return NULL;
    }
    for (uint32_t k = 0; k < program->n_operands; k++)
        if (program->operands[k].role == GN_WRITE)
            outputs |= (uint64_t)1 << k;
    if (program->n_params == GN_MAX_PARAMS)
        s->unchecked = "the program has too many parameters";
    else if (!add_piece(s, m, program, outputs))
        for (uint32_t k = 0; k < program->n_operands && !s->unchecked; k++)
            if (outputs >> k & 1 && !add_piece(s, m, program, (uint64_t)1 << k))
                s->unchecked = m->overflow ? "the program for its bounds is too large"
                                           : "no memory on the host for its bounds";
    free(m);
    return s;
}

void shadow_free(shadow *s) {
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->n_pieces; i++)
        piece_free(s->pieces[i]);
    free(s);
}
