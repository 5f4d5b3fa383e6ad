/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimise.c - makes a program's parts shorter: fuses pairs of steps, and finds values that an
 * earlier element part has computed already.
 */
#include "program.h"
#include <string.h>

enum { FUSED_AWAY = 0xff }; /* the arity of a step that is part of a later one now */

/* How often each register is read. */
static void count_uses(const cpu_program *p, uint32_t *uses) {
    memset(uses, 0, p->n_registers * sizeof *uses);
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const uint16_t operand[3] = {p->steps[i].a, p->steps[i].b, p->steps[i].c};
        for (int k = 0; k < p->steps[i].arity; k++)
            uses[operand[k]]++;
    }
    for (uint32_t i = 0; i < p->n_stores; i++)
        uses[p->stores[i].reg]++;
    for (uint32_t i = 0; i < p->n_reductions; i++) {
        uses[p->reductions[i].a]++;
        uses[p->reductions[i].payload]++;
    }
    for (uint32_t i = 0; i < p->n_spreads; i++)
        uses[p->spreads[i].from]++;
}

/* The pair of opcodes in one kernel, or -1. `left`: the first's value is the second's operand a. */
static int pair_of(const cpu_program *p, int first, int second, bool left) {
    if (second == GN_OP_MUL)
        return first == GN_OP_MUL   ? CPU_MUL_MUL
               : first == GN_OP_ADD ? CPU_ADD_MUL
               : first == GN_OP_SUB ? CPU_SUB_MUL
                                    : -1;
    if (first != GN_OP_MUL || p->source->flags & GN_PROGRAM_NO_CONTRACT)
        return -1;
    return second == GN_OP_ADD   ? CPU_MUL_ADD
           : second != GN_OP_SUB ? -1
           : left                ? CPU_MUL_SUB
                                 : CPU_MUL_RSUB;
}

/* Fuses the step with the one that makes its operand a, or b. */
static bool fuse(cpu_program *p, cpu_step *second, cpu_step *first, bool left) {
    const int dtype = p->registers[second->out].dtype;
    const int pair = pair_of(p, first->op, second->op, left);
    if (pair < 0 || !p->kernels->fused[pair][dtype])
        return false;
    second->c = left ? second->b : second->a;
    second->a = first->a;
    second->b = first->b;
    second->kernel = p->kernels->fused[pair][dtype];
    second->arity = 3;
    second->op = 0;
    first->arity = FUSED_AWAY;
    return true;
}

/* `uses` and `maker` have room for n_registers. */
void cpu_program_fuse(cpu_program *p, uint32_t *uses, uint32_t *maker) {
    count_uses(p, uses);
    for (uint32_t q = 0; q < p->n_parts; q++) {
        cpu_part *part = &p->parts[q];
        cpu_step *steps = p->steps + part->first_step;
        memset(maker, 0xff, p->n_registers * sizeof *maker);
        for (uint32_t i = 0; i < part->n_steps; i++) {
            cpu_step *step = &steps[i];
            maker[step->out] = i;
            if (step->arity != 2 || !step->kernel)
                continue;
            for (int k = 0; k < 2; k++) {
                const uint16_t operand = k == 0 ? step->a : step->b;
                if (uses[operand] == 1 && maker[operand] != UINT32_MAX &&
                    steps[maker[operand]].arity == 2 &&
                    fuse(p, step, &steps[maker[operand]], k == 0))
                    break;
            }
        }
        uint32_t n = 0;
        for (uint32_t i = 0; i < part->n_steps; i++)
            if (steps[i].arity != FUSED_AWAY)
                steps[n++] = steps[i];
        part->n_steps = n;
    }
}

/* ---- Twins ---- */

/* same[r] is the first register that has the value of r wherever both exist. */
static void match_part(cpu_program *p, uint32_t q, uint32_t *same) {
    const cpu_part *part = &p->parts[q];
    for (uint32_t e = 0; e < q; e++) {
        const cpu_part *earlier = &p->parts[e];
        if (earlier->row)
            continue;
        for (uint32_t i = 0; i < part->n_loads; i++)
            for (uint32_t k = 0; k < earlier->n_loads; k++) {
                const cpu_load *a = &p->loads[part->first_load + i];
                const cpu_load *b = &p->loads[earlier->first_load + k];
                if (a->operand == b->operand)
                    same[a->reg] = same[b->reg];
            }
        for (uint32_t i = 0; i < part->n_spreads; i++)
            for (uint32_t k = 0; k < earlier->n_spreads; k++) {
                const cpu_spread *a = &p->spreads[part->first_spread + i];
                const cpu_spread *b = &p->spreads[earlier->first_spread + k];
                if (a->from == b->from)
                    same[a->to] = same[b->to];
            }
        for (uint32_t i = 0; i < part->n_steps; i++)
            for (uint32_t k = 0; k < earlier->n_steps; k++) {
                cpu_step *a = &p->steps[part->first_step + i];
                const cpu_step *b = &p->steps[earlier->first_step + k];
                if (a->kernel && a->kernel == b->kernel && a->twin == CPU_NO_TWIN &&
                    same[a->a] == same[b->a] && same[a->b] == same[b->b] &&
                    same[a->c] == same[b->c])
                    a->twin = (int32_t)(same[a->out] = same[b->out]);
            }
    }
}

/*
 * A step of an element part whose value an earlier one has made, as the second exp(x - max) of
 * softmax, gets it as its twin. It is used where a box is a whole row; the slots of twins that are
 * read then are kept. `same` and `read` have room for n_registers.
 */
void cpu_program_find_twins(cpu_program *p, uint32_t *same, uint32_t *read) {
    for (uint32_t r = 0; r < p->n_registers; r++)
        same[r] = r;
    for (uint32_t q = 1; q < p->n_parts; q++) {
        const cpu_part *part = &p->parts[q];
        if (part->row)
            continue;
        match_part(p, q, same);
        memset(read, 0, p->n_registers * sizeof *read);
        for (uint32_t i = 0; i < part->n_stores; i++)
            read[p->stores[part->first_store + i].reg] = 1;
        for (uint32_t i = 0; i < part->n_reductions; i++) {
            read[p->reductions[part->first_reduction + i].a] = 1;
            read[p->reductions[part->first_reduction + i].payload] = 1;
        }
        for (uint32_t i = part->n_steps; i-- > 0;) {
            const cpu_step *step = &p->steps[part->first_step + i];
            if (step->twin == CPU_NO_TWIN)
                read[step->a] = read[step->b] = read[step->c] = 1;
            else if (read[step->out])
                p->keeps = p->registers[step->twin].kept = true;
        }
    }
}
