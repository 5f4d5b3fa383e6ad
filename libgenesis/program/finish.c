/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish.c - makes a program of what a builder holds: drops what is not stored, brings the
 * instructions into the order of their sections, numbers them, and interns the result.
 *
 * Programs live as long as the process, in a table that a static pointer reaches: expressions and
 * the functions that build their programs once can keep them without asking whether they still
 * exist. There are as many as there are different programs.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "builder.h"

/* ---- The table of all programs, by their content */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gn__table *programs;

/* The program with this content: one that exists, or `candidate`, which is taken over. NULL with
 * an error. */
static const gn_program *intern(gn_program *candidate, const void *key, size_t length) {
    const gn_program *found = NULL;
    pthread_mutex_lock(&lock);
    if (programs == NULL)
        programs = gn__table_new();
    if (programs) {
        found = gn__table_get(programs, key, length);
        if (found == NULL && gn__table_set(programs, key, length, candidate) == GN_OK)
            found = candidate;
    }
    pthread_mutex_unlock(&lock);
    if (found != candidate)
        free(candidate);
    return found;
}

/* ---- Dead code and order */

/* Marks what stores and reductions need. Values are numbered upwards, so one pass down suffices. */
static void mark_live(const gn__builder *b, bool *live) {
    for (size_t i = b->n_entries; i-- > 0;) {
        const gn_insn *insn = &b->entries[i].insn;
        if (insn->op == GN_OP_STORE || insn->op == GN_OP_REDUCE)
            live[i] = true;
        if (!live[i])
            continue;
        const uint16_t operands[3] = {insn->a, insn->b, insn->c};
        for (int k = 0, slots = gn__value_slots(insn); k < 3; k++)
            if (slots >> k & 1)
                live[operands[k]] = true;
    }
}

/* The living instructions by sections; -1 stands for ELEMENTS. Returns their number. */
static uint32_t order_live(const gn__builder *b, const bool *live, int32_t *order) {
    uint32_t n = 0;
    for (int section = GN__GLOBAL; section < (b->stage + 1) * GN__SECTIONS; section++) {
        if (section > 0 && section % GN__SECTIONS == 0)
            order[n++] = -1;
        for (size_t i = 0; i < b->n_entries; i++)
            if (live[i] && b->entries[i].section == section)
                order[n++] = (int32_t)i;
    }
    return n;
}

/* ---- Making the program: one block of memory, in which everything after the struct is the key */

typedef struct header {
    uint32_t flags, n_insns, n_constants, n_operands, n_params, n_parts;
} header;

static void write_insns(const gn__builder *b, const int32_t *order, uint32_t n, gn_insn *insns,
                        gn_scalar *constants, uint16_t *number) {
    uint32_t n_constants = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (order[i] < 0) {
            insns[i] = (gn_insn){.op = GN_OP_ELEMENTS};
            continue;
        }
        gn_insn insn = b->entries[order[i]].insn;
        int slots = gn__value_slots(&insn);
        if (slots & 1)
            insn.a = number[insn.a];
        if (slots & 2)
            insn.b = number[insn.b];
        if (slots & 4)
            insn.c = number[insn.c];
        if (insn.op == GN_OP_CONST) {
            constants[n_constants] = b->entries[order[i]].constant;
            insn.a = (uint16_t)n_constants++;
        }
        number[order[i]] = (uint16_t)i;
        insns[i] = insn;
    }
}

/* A program whose parts are still to be written. */
typedef struct blank {
    gn_program *program; /* NULL: no memory, with an error */
    size_t key_bytes;
    gn_scalar *constants;
    gn_insn *insns;
    gn_operand_info *operands;
} blank;

static blank blank_new(const char *name, const header *head) {
    const size_t constants_bytes = head->n_constants * sizeof(gn_scalar),
                 insns_bytes = head->n_insns * sizeof(gn_insn),
                 operands_bytes = head->n_operands * sizeof(gn_operand_info);
    blank b = {.key_bytes = sizeof *head + constants_bytes + insns_bytes + operands_bytes};
    b.program = gn__alloc(sizeof *b.program + b.key_bytes + strlen(name) + 1);
    if (b.program == NULL)
        return b;
    char *at = (char *)(b.program + 1);
    memcpy(at, head, sizeof *head); /* a multiple of 8 bytes */
    b.constants = (gn_scalar *)(at += sizeof *head);
    b.insns = (gn_insn *)(at += constants_bytes);
    b.operands = (gn_operand_info *)(at += insns_bytes);
    *b.program = (gn_program){
        .struct_size = sizeof *b.program,
        .name = strcpy(at + operands_bytes, name),
        .flags = head->flags,
        .n_insns = head->n_insns,
        .insn_size = sizeof(gn_insn),
        .n_constants = head->n_constants,
        .n_operands = head->n_operands,
        .n_params = head->n_params,
        .n_parts = head->n_parts,
        .insns = b.insns,
        .constants = b.constants,
        .operands = b.operands,
    };
    return b;
}

static const gn_program *blank_finish(const blank *b) {
    const void *key = b->program + 1;
    b->program->hash[0] = gn__hash(key, b->key_bytes, 1);
    b->program->hash[1] = gn__hash(key, b->key_bytes, 2);
    return intern(b->program, key, b->key_bytes);
}

static const gn_program *make_program(const gn__builder *b, const int32_t *order, uint32_t n,
                                      uint16_t *number) {
    uint32_t n_constants = 0;
    for (uint32_t i = 0; i < n; i++)
        n_constants += order[i] >= 0 && b->entries[order[i]].insn.op == GN_OP_CONST;
    const header head = {b->flags,      n,           n_constants,
                         b->n_operands, b->n_params, (uint32_t)(2 * b->stage + 1 + b->reduced)};
    blank made = blank_new(b->name, &head);
    if (made.program == NULL)
        return NULL;
    write_insns(b, order, n, made.insns, made.constants, number);
    memcpy(made.operands, b->operands, b->n_operands * sizeof *b->operands);
    return blank_finish(&made);
}

const gn_program *gn__program_intern(const gn_program *program) {
    const header head = {program->flags,      program->n_insns,  program->n_constants,
                         program->n_operands, program->n_params, program->n_parts};
    blank made = blank_new(program->name, &head);
    if (made.program == NULL)
        return NULL;
    for (uint32_t i = 0; i < head.n_insns; i++)
        memcpy(&made.insns[i], (const char *)program->insns + (size_t)i * program->insn_size,
               sizeof *made.insns);
    if (head.n_constants > 0)
        memcpy(made.constants, program->constants, head.n_constants * sizeof *made.constants);
    memcpy(made.operands, program->operands, head.n_operands * sizeof *made.operands);
    return blank_finish(&made);
}

static const gn_program *finish(gn__builder *b) {
    const gn_program *program = NULL;
    bool *live = gn__alloc_array(b->n_entries, sizeof *live);
    int32_t *order = gn__alloc_array(b->n_entries + (size_t)b->stage, sizeof *order);
    uint16_t *number = gn__alloc_array(b->n_entries, sizeof *number);
    if (live && order && number) {
        mark_live(b, live);
        uint32_t n = order_live(b, live, order);
        if (n > GN_MAX_INSNS)
            gn__build_fail(b, GN_E_UNSUPPORTED, "a program has at most %d instructions, not %u",
                           GN_MAX_INSNS, n);
        else
            program = make_program(b, order, n, number);
    }
    free(live);
    free(order);
    free(number);
    return program;
}

const gn_program *gn__builder_finish(gn__builder *b) {
    const gn_program *program = NULL;
    if (b == NULL)
        return NULL;
    if (b->stored == 0)
        gn__build_fail(b, GN_E_ARGUMENT, "the program stores nothing");
    if (!b->failed)
        program = finish(b);
    free(b->entries);
    free(b->name);
    free(b);
    return program;
}
