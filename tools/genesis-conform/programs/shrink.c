/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shrink.c - makes a program that fails smaller. Each step tries every change of one kind, in one
 * order, and keeps those after which the program still fails in the same way; until none is left.
 */
#include <string.h>

#include "sample.h"

/* Makes change number i of its kind. False if there is no such change here. */
typedef bool change(sample *s, uint32_t i);

static bool drop_store(sample *s, uint32_t i) {
    int stores = 0;
    for (uint32_t k = 0; k < s->n_insns; k++)
        stores += s->insns[k].op == GN_OP_STORE;
    if (s->insns[i].op != GN_OP_STORE || stores < 2)
        return false;
    memmove(&s->insns[i], &s->insns[i + 1], (s->n_insns - i - 1) * sizeof *s->insns);
    memmove(&s->is_guard[i], &s->is_guard[i + 1], (s->n_insns - i - 1) * sizeof *s->is_guard);
    s->n_insns--;
    for (uint32_t k = i; k < s->n_insns; k++) {
        uint16_t *values[3];
        for (int v = insn_values(&s->insns[k], values); v-- > 0;)
            *values[v] = (uint16_t)(*values[v] > i ? *values[v] - 1 : *values[v]);
    }
    return true;
}

/* All that names value i names another one instead. */
static void replace(sample *s, uint32_t i, uint16_t by) {
    for (uint32_t k = i + 1; k < s->n_insns; k++) {
        uint16_t *values[3];
        for (int v = insn_values(&s->insns[k], values); v-- > 0;)
            if (*values[v] == i)
                *values[v] = by;
    }
}

static bool is_structure(int op) {
    return op == GN_OP_STORE || op == GN_OP_REDUCE || op == GN_OP_ELEMENTS;
}

/* Value i / 3 becomes its operand i % 3. A value with an error bound is stored only, so that what
 * is exact stays so. */
static bool use_operand(sample *s, uint32_t i) {
    uint16_t *values[3];
    gn_insn *insn = &s->insns[i / 3];
    const int n = insn_values(insn, values);
    if (is_structure(insn->op) || s->is_guard[i / 3] || (int)(i % 3) >= n ||
        s->insns[*values[i % 3]].type != insn->type)
        return false;
    replace(s, i / 3, *values[i % 3]);
    return true;
}

static bool use_constant(sample *s, uint32_t i) {
    gn_insn *insn = &s->insns[i];
    if (is_structure(insn->op) || insn->op == GN_OP_CONST)
        return false;
    s->constants[s->n_constants] =
        gn_dtype_is_float(insn->type) ? (gn_scalar){.f = 1} : (gn_scalar){.i = 1};
    *insn = (gn_insn){.op = GN_OP_CONST, .type = insn->type, .a = (uint16_t)s->n_constants++};
    s->is_guard[i] = false;
    return true;
}

static bool drop_dim(sample *s, uint32_t i) {
    const bool is_reduced = i >= s->n_dims - s->n_reduced;
    if (i >= s->n_dims || (is_reduced && s->n_reduced == 1))
        return false;
    for (uint32_t d = i; d + 1 < s->n_dims; d++) {
        s->size[d] = s->size[d + 1];
        for (uint32_t k = 0; k < s->n_operands; k++)
            s->operands[k].stride[d] = s->operands[k].stride[d + 1];
    }
    s->n_dims--;
    s->n_reduced -= is_reduced;
    return true;
}

/* Size i / 3 becomes 2, a half, or less by one. */
static bool shrink_size(sample *s, uint32_t i) {
    if (i / 3 >= s->n_dims || s->size[i / 3] <= 2)
        return false;
    const int64_t size = s->size[i / 3];
    s->size[i / 3] = i % 3 == 0 ? 2 : i % 3 == 1 ? size / 2 : size - 1;
    return true;
}

static bool drop_alias(sample *s, uint32_t i) {
    if (i >= s->n_operands || s->operands[i].alias < 0)
        return false;
    s->operands[i].alias = -1;
    return true;
}

/* An operand with memory of its own becomes dense, in row-major order. */
static bool make_dense(sample *s, uint32_t i) {
    if (i >= s->n_operands || s->operands[i].alias >= 0 || s->operands[i].info.role == GN_INDEX)
        return false;
    for (uint32_t k = 0; k < s->n_operands; k++)
        if (s->operands[k].alias == (int)i)
            return false;
    sample_operand *o = &s->operands[i];
    const sample_operand old = *o;
    int64_t stride = 1;
    for (uint32_t d = s->n_dims; d-- > 0;) {
        const bool absent = o->is_row && d >= s->n_dims - s->n_reduced;
        o->stride[d] = absent ? 0 : stride;
        stride *= absent ? 1 : s->size[d];
    }
    o->offset = 0;
    return memcmp(&old, o, sizeof old) != 0;
}

/* Every kind, with how many changes there are for each instruction, dim or operand. */
static const struct {
    change *make;
    uint32_t per_insn, per_dim, per_operand;
} kinds[] = {
    {.make = drop_store, .per_insn = 1},    {.make = drop_dim, .per_dim = 1},
    {.make = shrink_size, .per_dim = 3},    {.make = use_operand, .per_insn = 3},
    {.make = use_constant, .per_insn = 1},  {.make = drop_alias, .per_operand = 1},
    {.make = make_dense, .per_operand = 1},
};

enum { MOST_TRIALS = 2000 };

/* Tries all changes of a kind; whether one was kept. */
static bool shrink_by(sample *s, size_t kind, int failure, int *trials_left) {
    char message[512];
    bool kept = false;
    for (uint32_t i = 0; i < kinds[kind].per_insn * s->n_insns + kinds[kind].per_dim * s->n_dims +
                                 kinds[kind].per_operand * s->n_operands;
         i++) {
        sample smaller = *s;
        if (*trials_left == 0 || !kinds[kind].make(&smaller, i))
            continue;
        sample_compact(&smaller);
        --*trials_left;
        if (sample_check(&smaller, message, sizeof message) != failure)
            continue;
        *s = smaller;
        kept = true;
        i--; /* what is there now may be changed, too */
    }
    return kept;
}

void sample_shrink(sample *s, int failure) {
    int trials_left = MOST_TRIALS;
    for (bool kept = true; kept && trials_left > 0;) {
        kept = false;
        for (size_t kind = 0; kind < GN_LENGTH(kinds); kind++)
            kept = shrink_by(s, kind, failure, &trials_left) || kept;
    }
}
