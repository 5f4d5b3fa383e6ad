/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - programs as text, for logs and tests:
 *
 *   program silu: map
 *     operand 0: read float32
 *     operand 1: write float32
 *     %0 = float32 load 0
 *     ...
 *     store 1, %6
 */
#include <stdio.h>
#include <stdlib.h>

#include "opcodes.h"
#include "program.h"

static const char *const dtype_names[GN_N_DTYPES] = {
#define X(name, value, text, bytes) [value] = text,
    GN_DTYPES(X)
#undef X
};

static const char *const reductions[] = {
    [GN_SUM] = "sum", [GN_PROD] = "prod",     [GN_MAX] = "max",
    [GN_MIN] = "min", [GN_ARGMAX] = "argmax", [GN_ARGMIN] = "argmin",
};

static void write_operands(FILE *out, const gn_program *program) {
    for (uint32_t i = 0; i < program->n_operands; i++) {
        const gn_operand_info *operand = &program->operands[i];
        fprintf(out, "  operand %u: %s %s\n", i,
                operand->role == GN_READ    ? "read"
                : operand->role == GN_WRITE ? "write"
                                            : "index",
                dtype_names[operand->dtype]);
    }
}

/* What stands behind an opcode's name. */
static void write_arguments(FILE *out, const gn_program *program, const gn_insn *insn) {
    const gn_scalar *constant = &program->constants[insn->a];
    const uint16_t values[3] = {insn->a, insn->b, insn->c};
    switch (insn->op) {
    case GN_OP_LOAD:
    case GN_OP_PARAM: fprintf(out, " %u", insn->a); break;
    case GN_OP_CONST:
        if (gn__is_float(insn->type))
            fprintf(out, " %.17g", constant->f);
        else
            fprintf(out, " %lld", (long long)constant->i);
        break;
    case GN_OP_LOADX: fprintf(out, " %u, %%%u", insn->a, insn->b); break;
    case GN_OP_ROUND: fprintf(out, " %%%u, %s", insn->a, dtype_names[insn->b]); break;
    default:
        for (int i = 0, slots = gn__value_slots(insn); i < 3; i++)
            if (slots >> i & 1)
                fprintf(out, "%s%%%u", i ? ", " : " ", values[i]);
    }
}

static void write_insn(FILE *out, const gn_program *program, uint32_t number) {
    const gn_insn *insn = &program->insns[number];
    const gn__op *info = gn__op_info(insn->op);
    if (insn->op == GN_OP_ELEMENTS) {
        fprintf(out, "  elements\n");
        return;
    }
    if (insn->op == GN_OP_STORE) {
        fprintf(out, "  store %u, %%%u\n", insn->a, insn->b);
        return;
    }
    fprintf(out, "  %%%u = %s ", number, dtype_names[insn->type]);
    if (insn->op == GN_OP_REDUCE)
        fprintf(out, "reduce.%s", reductions[insn->c]);
    else
        fputs(info->name, out);
    write_arguments(out, program, insn);
    fputc('\n', out);
}

char *gn__program_text(const gn_program *program) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return gn__fail_null(GN_E_MEMORY, "program text", "no memory");
    fprintf(out, "program %s: %s%s\n", program->name,
            program->n_parts == 1   ? "map"
            : program->n_parts == 2 ? "reduce"
                                    : "rows",
            program->flags & GN_PROGRAM_NO_CONTRACT ? ", no contraction" : "");
    write_operands(out, program);
    for (uint32_t i = 0; i < program->n_insns; i++)
        write_insn(out, program, i);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return gn__fail_null(GN_E_MEMORY, "program text", "no memory");
    }
    return text;
}
