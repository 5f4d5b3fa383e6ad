/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - what is known of a program before its first call: parts, and kinds of values. */
#include "codegen.h"
#include "element.h"

#include <stdio.h>
#include <stdlib.h>

static bool makes_value(const gn_insn *insn) {
    return insn->op != GN_OP_STORE && insn->op != GN_OP_ELEMENTS;
}

static bool is_register_type(unsigned dtype) {
    return gn_dtype_bytes((int)dtype) > 0 && dtype != GN_F16 && dtype != GN_BF16;
}

/* ---- Checks: of what the texts rely on */

static bool memory_is_valid(const gn_program *source, const gn_insn *insn) {
    if (insn->a >= source->n_operands)
        return false;
    const gn_operand_info *info = &source->operands[insn->a];
    const unsigned stored = info->dtype == GN_F16 || info->dtype == GN_BF16 ? GN_F32 : info->dtype;
    if (insn->op == GN_OP_STORE)
        return info->role == GN_WRITE && stored == cg_insn(source, insn->b)->type;
    if (info->role == GN_INDEX)
        return insn->op == GN_OP_LOAD && insn->type == GN_I64;
    return info->role == GN_READ && stored == insn->type;
}

static bool insn_is_valid(const gn_program *source, uint32_t number) {
    const gn_insn *insn = cg_insn(source, number);
    uint16_t value[3];
    const unsigned n = cg_values_of(insn, value);
    for (unsigned k = 0; k < n; k++)
        if (value[k] >= number || !makes_value(cg_insn(source, value[k])))
            return false;
    switch (insn->op) {
    case GN_OP_ELEMENTS: return true;
    case GN_OP_LOAD:
    case GN_OP_LOADX:
    case GN_OP_STORE: return memory_is_valid(source, insn);
    case GN_OP_CONST: return insn->a < source->n_constants && is_register_type(insn->type);
    case GN_OP_PARAM: return insn->a < source->n_params && is_register_type(insn->type);
    case GN_OP_REDUCE: return insn->c <= GN_ARGMIN && is_register_type(insn->type);
    default: return is_register_type(insn->type) && cg_has_expression(source, insn);
    }
}

static gn_status check(const gn_program *source, char *why, size_t bytes) {
    if (source->n_operands > GN_MAX_OPERANDS || source->n_params > GN_MAX_PARAMS ||
        source->n_insns > GN_MAX_INSNS) {
        snprintf(why, bytes, "%s: %u operands, %u parameters or %u instructions are too many",
                 source->name, source->n_operands, source->n_params, source->n_insns);
        return GN_E_UNSUPPORTED;
    }
    for (uint32_t i = 0; i < source->n_insns; i++) {
        const gn_insn *insn = cg_insn(source, i);
        if (!cg_op_is_known(insn->op)) {
            snprintf(why, bytes, "%s: instruction %u has the unknown opcode %u", source->name, i,
                     insn->op);
            return GN_E_UNSUPPORTED;
        }
        if (!insn_is_valid(source, i)) {
            snprintf(why, bytes, "%s: instruction %u (opcode %u) is not valid", source->name, i,
                     insn->op);
            return GN_E_ARGUMENT;
        }
    }
    return GN_OK;
}

/* ---- Analysis */

/* A program without REDUCE is one part; else element and row parts take turns. */
static void find_parts(cg_program *p) {
    const gn_program *source = p->source;
    cg_part *part = p->parts;
    *part = (cg_part){.end = source->n_insns};
    for (uint32_t i = 0; i < source->n_insns; i++) {
        const gn_insn *insn = cg_insn(source, i);
        if (insn->op == GN_OP_REDUCE) {
            part->end = part->reduce_end ? part->end : i;
            part->reduce_end = i + 1;
        } else if (insn->op == GN_OP_ELEMENTS) {
            part->end = part->row ? i : part->end;
            *++part = (cg_part){.first = i + 1, .end = source->n_insns};
        } else if (part->reduce_end) {
            *++part = (cg_part){.first = i, .end = source->n_insns, .row = true};
        }
        p->values[i].part = (uint16_t)(part - p->parts);
        p->values[i].row = part->row || insn->op == GN_OP_REDUCE;
    }
    p->n_parts = (uint32_t)(part - p->parts) + 1;
}

static void find_live(cg_program *p) {
    uint16_t value[3];
    for (uint32_t i = p->source->n_insns; i-- > 0;) {
        const gn_insn *insn = cg_insn(p->source, i);
        p->values[i].live |= insn->op == GN_OP_STORE || insn->op == GN_OP_LOADX;
        if (p->values[i].live)
            for (unsigned k = cg_values_of(insn, value); k-- > 0;)
                p->values[value[k]].live = true;
    }
}

static void find_uniform(cg_program *p) {
    uint16_t value[3];
    for (uint32_t i = 0; i < p->source->n_insns; i++) {
        const gn_insn *insn = cg_insn(p->source, i);
        bool uniform = insn->op == GN_OP_CONST || insn->op == GN_OP_PARAM ||
                       (insn->op >= GN_OP_CAST && makes_value(insn));
        for (unsigned k = cg_values_of(insn, value); k-- > 0;)
            uniform &= p->values[value[k]].uniform;
        p->values[i].uniform = uniform;
    }
}

static void find_uses(cg_program *p) {
    for (uint32_t i = 0; i < p->source->n_insns; i++) {
        const gn_insn *insn = cg_insn(p->source, i);
        const bool memory =
            insn->op == GN_OP_LOAD || insn->op == GN_OP_LOADX || insn->op == GN_OP_STORE;
        if (memory && p->values[i].live && !p->parts[p->values[i].part].row)
            p->in_elements[insn->a] = true;
        p->picks |= insn->op == GN_OP_LOADX && p->values[i].live;
        p->singles |= insn->op == GN_OP_PARAM && insn->type == GN_F32;
    }
}

gn_status cg_program_init(cg_program *p, const gn_program *source, char *why, size_t bytes) {
    *p = (cg_program){.source = source};
    gn_status status = check(source, why, bytes);
    if (status != GN_OK)
        return status;
    p->values = calloc((size_t)source->n_insns + 1, sizeof *p->values);
    p->parts = calloc((size_t)source->n_insns + 1, sizeof *p->parts);
    if (!p->values || !p->parts) {
        cg_program_free(p);
        snprintf(why, bytes, "%s: no host memory for %u instructions", source->name,
                 source->n_insns);
        return GN_E_MEMORY;
    }
    find_parts(p);
    find_live(p);
    find_uniform(p);
    find_uses(p);
    return GN_OK;
}

void cg_program_free(cg_program *p) {
    free(p->values);
    free(p->parts);
    *p = (cg_program){0};
}
