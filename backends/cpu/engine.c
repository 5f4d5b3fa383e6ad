/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - loads, steps and stores of a program over one box. */
#include "engine.h"
#include <string.h>

/* ---- Views: how one operand lies in memory over the current box ---- */

/* Dims of the box, innermost first, merged where the operand is dense across them. */
typedef struct view {
    int n;
    int64_t extent[GN_MAX_DIMS], stride[GN_MAX_DIMS];
    int64_t offset; /* of the box's first element */
} view;

static void view_of(const cpu_frame *f, const gn_operand *operand, view *v) {
    const cpu_job *job = f->job;
    int64_t offset = operand->offset;
    int n = 0;
    for (uint32_t i = job->n; i-- > 0;) {
        const int64_t stride = operand->stride[job->dim[i]];
        offset += f->at[i] * stride;
        if (f->extent[i] == 1)
            continue;
        if (n > 0 && stride == v->stride[n - 1] * v->extent[n - 1]) {
            v->extent[n - 1] *= f->extent[i];
        } else {
            v->extent[n] = f->extent[i];
            v->stride[n++] = stride;
        }
    }
    if (n == 0) {
        v->extent[0] = v->stride[0] = 1;
        n = 1;
    }
    v->n = n;
    v->offset = offset;
}

static bool is_dense(const view *v) { return v->n == 1 && v->stride[0] == 1; }

/* A view is a number of planes of (rows, cols). */
static int64_t rows_of(const view *v) { return v->n > 1 ? v->extent[1] : 1; }
static int64_t row_stride_of(const view *v) { return v->n > 1 ? v->stride[1] : 0; }

static int64_t planes_of(const view *v) {
    int64_t planes = 1;
    for (int d = 2; d < v->n; d++)
        planes *= v->extent[d];
    return planes;
}

static int64_t plane_offset(const view *v, int64_t plane) {
    int64_t offset = 0;
    for (int d = 2; d < v->n; d++) {
        offset += plane % v->extent[d] * v->stride[d];
        plane /= v->extent[d];
    }
    return offset;
}

/* ---- Frames ---- */

size_t cpu_frame_bytes(const cpu_job *job) {
    const cpu_program *p = job->program;
    return 64 + (size_t)p->n_registers * sizeof(void *) + (size_t)(p->scratch * job->tile) +
           3 * sizeof(gn_scalar) * (size_t)(p->n_reductions * job->row_tile);
}

static void *slot_of(const cpu_frame *f, uint32_t reg) {
    return f->scratch + f->job->program->registers[reg].slot * f->job->tile;
}

static void *spare_of(const cpu_frame *f, int which) {
    return f->scratch + (f->job->program->spare + 8 * which) * f->job->tile;
}

void cpu_frame_open(cpu_frame *frame, cpu_job *job, void *memory) {
    const cpu_program *p = job->program;
    char *at = (char *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    frame->job = job;
    frame->value = (gn_scalar *)(void *)at;
    frame->extra = frame->value + p->n_reductions * job->row_tile;
    frame->run = frame->extra + p->n_reductions * job->row_tile;
    at += 3 * sizeof(gn_scalar) * (size_t)(p->n_reductions * job->row_tile);
    frame->scratch = at;
    at += p->scratch * job->tile;
    frame->reg = (void **)(void *)at;
    for (uint32_t r = 0; r < p->n_registers; r++) {
        const cpu_register *reg = &p->registers[r];
        frame->reg[r] = reg->constant ? (void *)&p->constants[r]
                        : reg->param  ? (void *)&job->params[reg->cell]
                                      : slot_of(frame, r);
    }
    for (uint32_t i = 0; i < job->n; i++) {
        frame->at[i] = 0;
        frame->extent[i] = 1;
    }
}

void cpu_frame_move(cpu_frame *frame, const cpu_grid *grid, int64_t box) {
    const cpu_job *job = frame->job;
    for (uint32_t k = grid->n; k-- > 0;) {
        const uint32_t i = grid->position[k];
        int64_t at = 0;
        if (grid->count[k] > 1) {
            at = box % grid->count[k] * job->block[i];
            box /= grid->count[k];
        }
        const int64_t left = job->size[i] - at;
        frame->at[i] = at;
        frame->extent[i] = left < job->block[i] ? left : job->block[i];
    }
}

void cpu_frame_collapse(cpu_frame *frame) {
    const cpu_grid *grid = &frame->job->reduced;
    for (uint32_t k = 0; k < grid->n; k++) {
        frame->at[grid->position[k]] = 0;
        frame->extent[grid->position[k]] = 1;
    }
}

int64_t cpu_frame_count(const cpu_frame *frame, const cpu_grid *grid) {
    int64_t n = 1;
    for (uint32_t k = 0; k < grid->n; k++)
        n *= frame->extent[grid->position[k]];
    return n;
}

const void *cpu_frame_array(cpu_frame *frame, uint32_t reg, int64_t n, int which) {
    const cpu_program *p = frame->job->program;
    if (!frame->job->uniform[reg])
        return frame->reg[reg];
    void *spare = spare_of(frame, which);
    p->kernels->splat[cpu_log2_size(p->registers[reg].dtype)](n, 0, spare, frame->reg[reg], NULL,
                                                              NULL);
    return spare;
}

/* ---- Loads ---- */

static void gather(const cpu_kernels *k, const view *v, int log2_size, void *out, const char *in) {
    const int64_t rows = rows_of(v), planes = planes_of(v);
    char *to = out;
    for (int64_t plane = 0; plane < planes; plane++) {
        k->gather[log2_size](rows, v->extent[0], to, in + plane_offset(v, plane) * (1 << log2_size),
                             row_stride_of(v), v->stride[0]);
        to += rows * v->extent[0] << log2_size;
    }
}

static void load_index(cpu_frame *f, uint32_t reg, const view *v) {
    const cpu_kernels *k = f->job->program->kernels;
    const int64_t rows = rows_of(v), planes = planes_of(v);
    int64_t *to = slot_of(f, reg);
    f->reg[reg] = to;
    if (f->job->uniform[reg]) {
        *to = v->offset;
        return;
    }
    for (int64_t plane = 0; plane < planes; plane++, to += rows * v->extent[0])
        k->iota(rows, v->extent[0], to, v->offset + plane_offset(v, plane), row_stride_of(v),
                v->stride[0]);
}

/* Binds a register to the memory at `base`, or fills its slot from there. */
static void load_memory(cpu_frame *f, uint32_t reg, int dtype, bool copied, const view *v,
                        const char *base, int64_t n) {
    const cpu_kernels *k = f->job->program->kernels;
    const int log2_size = cpu_log2_size(dtype);
    cpu_kernel *widen = k->widen[dtype];
    const char *from = base + v->offset * (1 << log2_size);
    void *slot = slot_of(f, reg);
    if (f->job->uniform[reg])
        n = 1;
    if (f->job->uniform[reg] || is_dense(v)) {
        if (!widen && !copied) {
            f->reg[reg] = (void *)(uintptr_t)from;
            return;
        }
        if (widen)
            widen(n, 0, slot, from, NULL, NULL);
        else
            memcpy(slot, from, (size_t)n << log2_size);
    } else if (widen) {
        void *spare = spare_of(f, 0);
        gather(k, v, log2_size, spare, from);
        widen(n, 0, slot, spare, NULL, NULL);
    } else {
        gather(k, v, log2_size, slot, from);
    }
    f->reg[reg] = slot;
}

static void load(cpu_frame *f, const cpu_load *l, bool copied, int64_t n) {
    const cpu_job *job = f->job;
    const gn_operand *operand = cpu_operand(job->call, l->operand);
    view v;
    view_of(f, operand, &v);
    if (operand->mem)
        load_memory(f, l->reg, job->program->source->operands[l->operand].dtype, copied, &v,
                    operand->mem->base, n);
    else
        load_index(f, l->reg, &v);
}

/* ---- LOADX ---- */

/* One index for the whole box: a load displaced by it. */
static void pick_one(cpu_frame *f, const cpu_step *step, view *v, int dtype, int64_t index,
                     int64_t n) {
    const gn_operand *operand = cpu_operand(f->job->call, step->operand);
    if (index >= 0 && index < operand->axis_extent) {
        v->offset += index * operand->axis_stride;
        load_memory(f, step->out, dtype, false, v, operand->mem->base, n);
        return;
    }
    cpu_fault_set(f->job->fault, f->job->call->tag, index, operand->axis_extent);
    f->reg[step->out] = slot_of(f, step->out);
    const int size = cpu_log2_size(f->job->program->registers[step->out].dtype);
    memset(f->reg[step->out], 0, (size_t)(f->job->uniform[step->out] ? 1 : n) << size);
}

static void pick(cpu_frame *f, const cpu_step *step, int64_t n) {
    const cpu_job *job = f->job;
    const cpu_kernels *k = job->program->kernels;
    const gn_operand *operand = cpu_operand(job->call, step->operand);
    const int dtype = job->program->source->operands[step->operand].dtype;
    const int log2_size = cpu_log2_size(dtype);
    const int64_t *index = f->reg[step->a];
    view v;
    view_of(f, operand, &v);
    if (job->uniform[step->a]) {
        pick_one(f, step, &v, dtype, *index, n);
        return;
    }
    const char *base = (const char *)operand->mem->base + v.offset * (1 << log2_size);
    cpu_kernel *widen = k->widen[dtype];
    char *to = f->reg[step->out] = slot_of(f, step->out);
    char *out = widen ? spare_of(f, 0) : to;
    const int64_t rows = rows_of(&v) * planes_of(&v), cols = v.extent[0];
    for (int64_t r = 0; r < rows; r++) {
        const int64_t offset =
            plane_offset(&v, r / rows_of(&v)) + r % rows_of(&v) * row_stride_of(&v);
        const int64_t bad = k->pick[log2_size](
            cols, out + (r * cols << log2_size), base + offset * (1 << log2_size), v.stride[0],
            index + r * cols, operand->axis_stride, operand->axis_extent);
        if (bad >= 0)
            cpu_fault_set(job->fault, job->call->tag, index[r * cols + bad], operand->axis_extent);
    }
    if (widen)
        widen(n, 0, to, out, NULL, NULL);
}

/* ---- Stores ---- */

static void store(cpu_frame *f, const cpu_store *s, const view *v, int64_t n) {
    const cpu_job *job = f->job;
    const cpu_program *p = job->program;
    const cpu_kernels *k = p->kernels;
    const gn_operand *operand = cpu_operand(job->call, s->operand);
    const int dtype = p->source->operands[s->operand].dtype, log2_size = cpu_log2_size(dtype);
    cpu_kernel *narrow = k->narrow[dtype];
    char *to = (char *)operand->mem->base + v->offset * (1 << log2_size);
    const void *from = f->reg[s->reg];
    gn_scalar one;
    if (narrow) {
        void *narrowed = job->uniform[s->reg] ? (void *)&one : spare_of(f, 0);
        narrow(job->uniform[s->reg] ? 1 : n, 0, narrowed, from, NULL, NULL);
        from = narrowed;
    }
    if (job->uniform[s->reg]) {
        void *dense = is_dense(v) ? (void *)to : spare_of(f, 1);
        k->splat[log2_size](n, 0, dense, from, NULL, NULL);
        from = dense;
    }
    if (is_dense(v)) {
        if (from != to)
            memcpy(to, from, (size_t)n << log2_size);
        return;
    }
    const int64_t rows = rows_of(v), planes = planes_of(v);
    const char *in = from;
    for (int64_t plane = 0; plane < planes; plane++) {
        k->scatter[log2_size](rows, v->extent[0], to + plane_offset(v, plane) * (1 << log2_size),
                              in, row_stride_of(v), v->stride[0]);
        in += rows * v->extent[0] << log2_size;
    }
}

/* Values of a row part over the box of a later element part. */
static void spread(cpu_frame *f, const cpu_spread *s) {
    const cpu_job *job = f->job;
    if (job->uniform[s->to]) {
        f->reg[s->to] = f->reg[s->from];
        return;
    }
    const cpu_kernels *k = job->program->kernels;
    const int size = cpu_log2_size(job->program->registers[s->to].dtype);
    const int64_t kept = cpu_frame_count(f, &job->kept),
                  reduced = cpu_frame_count(f, &job->reduced);
    const void *from = f->reg[s->from];
    f->reg[s->to] = slot_of(f, s->to);
    if (job->uniform[s->from])
        k->splat[size](kept * reduced, 0, f->reg[s->to], from, NULL, NULL);
    else if (job->columns)
        k->gather[size](reduced, kept, f->reg[s->to], from, 0, 1);
    else
        k->gather[size](kept, reduced, f->reg[s->to], from, 1, 0);
}

/* ---- A part over a box ---- */

void cpu_frame_run(cpu_frame *f, const cpu_part *part, int64_t n) {
    const cpu_job *job = f->job;
    const cpu_program *p = job->program;
    for (uint32_t i = part->first_spread; i < part->first_spread + part->n_spreads; i++)
        spread(f, &p->spreads[i]);
    for (uint32_t i = part->first_load; i < part->first_load + part->n_loads; i++)
        load(f, &p->loads[i], job->copied[i], n);
    view views[GN_MAX_OPERANDS];
    for (uint32_t i = 0; i < part->n_stores; i++) {
        const cpu_store *s = &p->stores[part->first_store + i];
        const gn_operand *operand = cpu_operand(job->call, s->operand);
        view_of(f, operand, &views[i]);
        if (!s->direct)
            continue;
        f->reg[s->reg] = slot_of(f, s->reg);
        if (job->direct[part->first_store + i] && is_dense(&views[i]))
            f->reg[s->reg] = (char *)operand->mem->base +
                             views[i].offset * (1 << cpu_log2_size(p->registers[s->reg].dtype));
    }
    const cpu_step *step = p->steps + part->first_step, *end = step + part->n_steps;
    const uint8_t *form = job->form + part->first_step;
    for (; step < end; step++, form++) {
        if (step->twin != CPU_NO_TWIN && job->whole_rows)
            f->reg[step->out] = f->reg[step->twin];
        else if (step->kernel)
            step->kernel(job->uniform[step->out] ? 1 : n, *form, f->reg[step->out], f->reg[step->a],
                         f->reg[step->b], f->reg[step->c]);
        else
            pick(f, step, n);
    }
    for (uint32_t i = 0; i < part->n_stores; i++)
        store(f, &p->stores[part->first_store + i], &views[i], n);
}
