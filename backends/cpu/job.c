/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - what is decided once per call: uniform registers, direct stores, the expected time. */
#include "engine.h"
#include <string.h>

size_t cpu_job_bytes(const cpu_program *p) {
    return p->n_cells * sizeof(gn_scalar) + p->n_registers + p->n_steps + p->n_loads + p->n_stores;
}

/* Whether an operand is the same over every box, of the kept dims alone or of all. */
static bool is_uniform(const cpu_job *job, const gn_operand *operand, bool row) {
    for (uint32_t i = 0; i < job->n; i++)
        if (job->block[i] > 1 && operand->stride[job->dim[i]] != 0 &&
            !(row && job->dim[i] >= job->call->n_dims - job->call->n_reduced))
            return false;
    return true;
}

/* Whether every box of the grid is one element. */
static bool is_single(const cpu_job *job, const cpu_grid *grid) {
    for (uint32_t k = 0; k < grid->n; k++)
        if (job->block[grid->position[k]] > 1)
            return false;
    return true;
}

static bool alias(const cpu_job *job, uint32_t a, uint32_t b) {
    const gn_operand *x = cpu_operand(job->call, a), *y = cpu_operand(job->call, b);
    return x->mem && x->mem == y->mem && x->offset == y->offset;
}

static void bind_part(cpu_job *job, const cpu_part *part) {
    const cpu_program *p = job->program;
    for (uint32_t i = part->first_spread; i < part->first_spread + part->n_spreads; i++) {
        const cpu_spread *s = &p->spreads[i];
        job->uniform[s->to] = job->uniform[s->from];
    }
    for (uint32_t i = part->first_load; i < part->first_load + part->n_loads; i++) {
        const cpu_load *l = &p->loads[i];
        job->uniform[l->reg] = is_uniform(job, cpu_operand(job->call, l->operand), part->row);
        job->copied[i] = 0;
        for (uint32_t k = 0; l->stored && k < part->n_stores; k++)
            job->copied[i] |= alias(job, l->operand, p->stores[part->first_store + k].operand);
    }
    for (uint32_t i = part->first_step; i < part->first_step + part->n_steps; i++) {
        const cpu_step *s = &p->steps[i];
        const uint8_t *u = job->uniform;
        job->form[i] = (uint8_t)(u[s->a] | u[s->b] << 1 | u[s->c] << 2);
        job->uniform[s->out] = job->form[i] == 7;
        if (!s->kernel)
            job->uniform[s->out] =
                u[s->a] && is_uniform(job, cpu_operand(job->call, s->operand), part->row);
    }
    for (uint32_t i = part->first_store; i < part->first_store + part->n_stores; i++) {
        const cpu_store *s = &p->stores[i];
        bool direct = s->direct && !job->uniform[s->reg];
        for (uint32_t k = part->first_load; direct && k < part->first_load + part->n_loads; k++)
            direct =
                p->loads[k].last_use <= s->made_by || !alias(job, p->loads[k].operand, s->operand);
        job->direct[i] = direct;
    }
    for (uint32_t i = part->first_reduction; i < part->first_reduction + part->n_reductions; i++)
        job->uniform[p->reductions[i].out] = is_single(job, &job->kept);
}

void cpu_job_bind(cpu_job *job, void *arrays) {
    const cpu_program *p = job->program;
    job->params = arrays;
    job->uniform = (uint8_t *)(job->params + p->n_cells);
    job->form = job->uniform + p->n_registers;
    job->copied = job->form + p->n_steps;
    job->direct = job->copied + p->n_loads;
    for (uint32_t r = 0; r < p->n_registers; r++) {
        const cpu_register *reg = &p->registers[r];
        job->uniform[r] = reg->constant || reg->param;
        if (reg->param)
            cpu_scalar_store(reg->dtype, job->call->params[reg->source], &job->params[reg->cell]);
    }
    for (uint32_t q = 0; q < p->n_parts; q++)
        bind_part(job, &p->parts[q]);
}

double cpu_job_time(const cpu_job *job) {
    double time = job->program->cost;
    for (uint32_t i = 0; i < job->n; i++)
        time *= (double)job->size[i];
    return time;
}

void cpu_fault_set(cpu_fault *fault, uint64_t tag, int64_t index, int64_t extent) {
    if (atomic_exchange(&fault->found, 1))
        return;
    fault->tag = tag;
    fault->index = index;
    fault->extent = extent;
}

gn_status cpu_fault_status(const cpu_fault *fault, const char *name) {
    if (!fault->found)
        return GN_OK;
    return cpu_fail(GN_E_INDEX, fault->tag, "%s: index %lld is out of range for an extent of %lld",
                    name, (long long)fault->index, (long long)fault->extent);
}
