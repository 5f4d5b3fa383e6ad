/* SPDX-License-Identifier: Apache-2.0 */
/* insn.c - instructions of random programs: what they name, how they are added and taken out. */
#include <string.h>

#include "sample.h"

static const struct opcode {
    uint8_t arity, ulp;
} opcodes[GN_OP_SELECT + 1] = {
#define X(name, value, arity, ulp, meaning) [value] = {arity, ulp},
    GN_OPCODES(X)
#undef X
};

int opcode_ulp(int op) { return opcodes[op].ulp; }

int insn_values(gn_insn *insn, uint16_t *values[3]) {
    uint16_t *const all[3] = {&insn->a, &insn->b, &insn->c};
    int first = 0, n = opcodes[insn->op].arity;
    if (insn->op == GN_OP_STORE || insn->op == GN_OP_LOADX)
        first = 1;
    if (insn->op == GN_OP_REDUCE && insn->c < GN_ARGMAX)
        n = 1; /* no payload */
    for (int i = 0; i < n; i++)
        values[i] = all[first + i];
    return n;
}

uint16_t *insn_operand(gn_insn *insn) {
    return insn->op == GN_OP_LOAD || insn->op == GN_OP_LOADX || insn->op == GN_OP_STORE ? &insn->a
                                                                                        : NULL;
}

int sample_emit(sample *s, int op, int type, int a, int b, int c) {
    EXPECT(s->n_insns < SAMPLE_INSNS, "a random program grows too long");
    s->insns[s->n_insns] = (gn_insn){.op = (uint16_t)op,
                                     .type = (uint16_t)type,
                                     .a = (uint16_t)a,
                                     .b = (uint16_t)b,
                                     .c = (uint16_t)c};
    s->is_guard[s->n_insns] = false;
    return (int)s->n_insns++;
}

int sample_constant(sample *s, int type, gn_scalar value) {
    s->constants[s->n_constants] = value;
    return sample_emit(s, GN_OP_CONST, type, (int)s->n_constants++, 0, 0);
}

/* The opcode that makes what is stored there. */
static int stored_op(const sample *s, uint32_t operand) {
    for (uint32_t i = 0; i < s->n_insns; i++)
        if (s->insns[i].op == GN_OP_STORE && s->insns[i].a == operand)
            return s->insns[s->insns[i].b].op;
    return GN_OP_LOAD;
}

int sample_ulp(const sample *s, uint32_t operand) { return opcode_ulp(stored_op(s, operand)); }

double sample_least(const sample *s, uint32_t operand) {
    const int op = stored_op(s, operand);
    return op == GN_OP_LGAMMA || op == GN_OP_DIGAMMA ? 1 : 0;
}

/* ---- Taking out what is not needed ----------------------------------------------------------- */

static void mark_needed(sample *s, bool *needed) {
    for (uint32_t i = s->n_insns; i-- > 0;) {
        uint16_t *values[3];
        const int op = s->insns[i].op;
        if (op == GN_OP_STORE || op == GN_OP_REDUCE || op == GN_OP_ELEMENTS)
            needed[i] = true;
        for (int k = needed[i] ? insn_values(&s->insns[i], values) : 0; k-- > 0;)
            needed[*values[k]] = true;
    }
}

/* Moves instructions together, and the constants and parameters that they name. */
static void keep_needed(sample *s, const bool *needed) {
    const sample old = *s;
    uint16_t number[SAMPLE_INSNS], param[GN_MAX_PARAMS];
    bool has_param[GN_MAX_PARAMS] = {false};
    s->n_insns = s->n_constants = s->n_params = 0;
    for (uint32_t i = 0; i < old.n_insns; i++) {
        uint16_t *values[3];
        gn_insn insn = old.insns[i];
        if (!needed[i])
            continue;
        for (int k = insn_values(&insn, values); k-- > 0;)
            *values[k] = number[*values[k]];
        if (insn.op == GN_OP_CONST) {
            s->constants[s->n_constants] = old.constants[insn.a];
            insn.a = (uint16_t)s->n_constants++;
        } else if (insn.op == GN_OP_PARAM) {
            if (!has_param[insn.a]) {
                has_param[insn.a] = true;
                s->params[s->n_params] = old.params[insn.a];
                param[insn.a] = (uint16_t)s->n_params++;
            }
            insn.a = param[insn.a];
        }
        number[i] = (uint16_t)s->n_insns;
        s->is_guard[s->n_insns] = old.is_guard[i];
        s->insns[s->n_insns++] = insn;
    }
}

/* Operands that no instruction names go; one whose memory another had becomes that one's. */
static void keep_operands(sample *s) {
    int number[GN_MAX_OPERANDS];
    bool named[GN_MAX_OPERANDS] = {false};
    for (uint32_t i = 0; i < s->n_insns; i++)
        if (insn_operand(&s->insns[i]))
            named[s->insns[i].a] = true;
    const uint32_t n = s->n_operands;
    s->n_operands = 0;
    for (uint32_t k = 0; k < n; k++) {
        number[k] = named[k] ? (int)s->n_operands : -1;
        if (!named[k])
            continue;
        sample_operand *kept = &s->operands[s->n_operands++];
        *kept = s->operands[k];
        kept->alias = kept->alias < 0 ? -1 : number[kept->alias];
    }
    for (uint32_t i = 0; i < s->n_insns; i++) {
        uint16_t *operand = insn_operand(&s->insns[i]);
        if (operand)
            *operand = (uint16_t)number[*operand];
    }
}

void sample_compact(sample *s) {
    bool needed[SAMPLE_INSNS] = {false};
    mark_needed(s, needed);
    keep_needed(s, needed);
    keep_operands(s);
}
