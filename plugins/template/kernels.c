/* SPDX-License-Identifier: MIT-0 */
/*
 * kernels.c - the three kernels: each walks over the coordinates of a space, in row-major order,
 * and runs the program, or moves one element, at every one of them.
 */
#include "plugin.h"

#include <math.h>

/* What a REDUCE instruction has gathered so far. */
struct accumulator {
    gn_scalar value; /* sum, product, extremum, or the winner's payload */
    gn_scalar key;   /* ARGMAX and ARGMIN: the winner */
    double lost;     /* SUM: what rounding took away, see gather_sum */
};

/* A walk over the coordinates of a space. */
struct walk {
    uint32_t n_operands;
    const int64_t *size;
    const gn_operand *operand[GN_MAX_OPERANDS];
    int64_t at[GN_MAX_OPERANDS]; /* each operand's element at these coordinates */
    int64_t coordinate[GN_MAX_DIMS];
};

/* A program at work. */
struct run {
    const gn_call *call;
    const gn_program *program;
    struct walk walk;
    gn_scalar value[GN_MAX_INSNS];
    int64_t bad_index, bad_extent; /* of a LOADX that missed */
    gn_status status;
};

static const gn_insn *insn_at(const gn_program *program, uint32_t n) {
    return (const gn_insn *)((const char *)program->insns + (size_t)n * program->insn_size);
}

static void add_operand(struct walk *walk, const gn_operand *operand) {
    walk->operand[walk->n_operands] = operand;
    walk->at[walk->n_operands++] = operand->offset;
}

/* Goes to the next coordinates of dims first..end-1; from the last ones to zeros, returning 0. */
static int advance(struct walk *walk, uint32_t first, uint32_t end) {
    for (uint32_t d = end; d-- > first;) {
        int more = ++walk->coordinate[d] < walk->size[d];
        int64_t steps = more ? 1 : 1 - walk->size[d];
        for (uint32_t k = 0; k < walk->n_operands; k++)
            walk->at[k] += steps * walk->operand[k]->stride[d];
        if (more)
            return 1;
        walk->coordinate[d] = 0;
    }
    return 0;
}

/* ---- Programs -------------------------------------------------------------------------------- */

static gn_status start(struct run *run, const gn_call *call) {
    run->call = call;
    run->program = call->program;
    run->walk.size = call->size;
    for (uint32_t k = 0; k < call->n_operands; k++)
        add_operand(&run->walk, (const gn_operand *)((const char *)call->operands +
                                                     (size_t)k * call->operand_size));
    for (uint32_t n = 0; n < run->program->n_insns; n++) {
        int op = insn_at(run->program, n)->op;
        if (scalar_arity(op) < 0)
            return plugin_fail(GN_E_UNSUPPORTED, call->tag, "%s: unknown opcode %d",
                               run->program->name, op);
    }
    return plugin_ready();
}

static gn_status finish(const struct run *run) {
    if (run->status == GN_OK)
        return GN_OK;
    return plugin_fail(run->status, run->call->tag, "%s: index %lld is not in 0..%lld",
                       run->program->name, (long long)run->bad_index,
                       (long long)run->bad_extent - 1);
}

static gn_scalar load_indexed(struct run *run, uint32_t k, int64_t index) {
    const gn_operand *operand = run->walk.operand[k];
    if (index < 0 || index >= operand->axis_extent) {
        run->status = GN_E_INDEX;
        run->bad_index = index;
        run->bad_extent = operand->axis_extent;
        return (gn_scalar){.i = 0}; /* all bits 0: a floating-point zero as well */
    }
    return scalar_load(operand->mem, run->program->operands[k].dtype,
                       run->walk.at[k] + index * operand->axis_stride);
}

static gn_scalar execute(struct run *run, const gn_insn *insn) {
    const gn_program *program = run->program;
    switch (insn->op) {
    case GN_OP_LOAD:
        return scalar_load(run->walk.operand[insn->a]->mem, program->operands[insn->a].dtype,
                           run->walk.at[insn->a]);
    case GN_OP_LOADX: return load_indexed(run, insn->a, run->value[insn->b].i);
    case GN_OP_CONST: return scalar_fit(insn->type, program->constants[insn->a]);
    case GN_OP_PARAM: return scalar_fit(insn->type, run->call->params[insn->a]);
    }
    const uint16_t number[3] = {insn->a, insn->b, insn->c};
    gn_scalar v[3] = {{0}, {0}, {0}};
    for (int k = 0; k < scalar_arity(insn->op); k++)
        v[k] = run->value[number[k]];
    return scalar_compute(insn, insn_at(program, insn->a)->type, v);
}

/* Runs the instructions first..end-1 at the run's coordinates. */
static void run_part(struct run *run, uint32_t first, uint32_t end) {
    for (uint32_t n = first; n < end; n++) {
        const gn_insn *insn = insn_at(run->program, n);
        if (insn->op != GN_OP_STORE)
            run->value[n] = execute(run, insn);
    }
    /* All loads come first, because an operand that is written may be one that is read. */
    for (uint32_t n = first; n < end; n++) {
        const gn_insn *insn = insn_at(run->program, n);
        if (insn->op == GN_OP_STORE)
            scalar_store(run->walk.operand[insn->a]->mem, run->program->operands[insn->a].dtype,
                         run->walk.at[insn->a], run->value[insn->b]);
    }
}

gn_status kernel_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    (void)device, (void)stream;
    struct run run = {0};
    gn_status status = start(&run, call);
    if (status != GN_OK)
        return status;
    do
        run_part(&run, 0, run.program->n_insns);
    while (advance(&run.walk, 0, call->n_dims));
    return finish(&run);
}

/* ---- Reductions ------------------------------------------------------------------------------ */

/* Kahan and Babuska's sum: what an addition rounds off is kept aside, so the error does not grow
 * with the number of elements, and an f64 sum keeps to the tolerance of GN_SUM as well. */
static void gather_sum(struct accumulator *sum, double x) {
    double s = sum->value.f, total = s + x;
    sum->lost += fabs(s) >= fabs(x) ? (s - total) + x : (x - total) + s;
    sum->value.f = total;
}

/* Whether a is in front of b: strictly larger (or smaller), with NaN in front of all numbers. */
static int precedes(gn_scalar a, gn_scalar b, int type, int largest) {
    if (!gn_dtype_is_float(type))
        return largest ? a.i > b.i : a.i < b.i;
    if (isnan(a.f) || isnan(b.f))
        return isnan(a.f) && !isnan(b.f);
    return largest ? a.f > b.f : a.f < b.f;
}

static void gather_winner(struct accumulator *best, gn_scalar key, gn_scalar payload, int type,
                          int largest) {
    int tie = !precedes(best->key, key, type, largest) && payload.i < best->value.i;
    if (precedes(key, best->key, type, largest) || tie)
        *best = (struct accumulator){.key = key, .value = payload};
}

/* Takes the value of the current coordinates into the result of REDUCE instruction n. */
static void gather(struct run *run, uint32_t n, struct accumulator *result, int is_first) {
    const gn_insn *insn = insn_at(run->program, n);
    int kind = insn->c, type = insn_at(run->program, insn->a)->type;
    int is_float = gn_dtype_is_float(type), picks = kind == GN_ARGMAX || kind == GN_ARGMIN;
    gn_scalar v = run->value[insn->a];
    if (is_first)
        *result = (struct accumulator){.key = v, .value = picks ? run->value[insn->b] : v};
    else if (picks)
        gather_winner(result, v, run->value[insn->b], type, kind == GN_ARGMAX);
    else if (kind == GN_MAX || kind == GN_MIN)
        result->value = precedes(v, result->value, type, kind == GN_MAX) ? v : result->value;
    else if (is_float && kind == GN_SUM)
        gather_sum(result, v.f);
    else if (is_float)
        result->value.f *= v.f;
    else if (kind == GN_SUM)
        result->value.i = (int64_t)((uint64_t)result->value.i + (uint64_t)v.i);
    else
        result->value.i = (int64_t)((uint64_t)result->value.i * (uint64_t)v.i);
}

/* The value of REDUCE instruction n. An infinite sum has lost no number, but inf - inf. */
static gn_scalar result_of(const gn_insn *insn, const struct accumulator *result) {
    gn_scalar value = result->value;
    if (insn->c == GN_SUM && gn_dtype_is_float(insn->type) && isfinite(result->lost))
        value.f += result->lost;
    return scalar_fit(insn->type, value);
}

/* The first instruction from n on that is, or is not, a REDUCE. */
static uint32_t find_reduce(const gn_program *program, uint32_t n, int is_reduce) {
    while (n < program->n_insns && (insn_at(program, n)->op == GN_OP_REDUCE) != is_reduce)
        n++;
    return n;
}

gn_status kernel_reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    (void)device, (void)stream;
    struct run run = {0};
    struct accumulator result[GN_MAX_INSNS]; /* by the number of the REDUCE instruction */
    gn_status status = start(&run, call);
    if (status != GN_OK)
        return status;
    uint32_t n_kept = call->n_dims - call->n_reduced;
    uint32_t reduces = find_reduce(run.program, 0, 1), row = find_reduce(run.program, reduces, 0);
    do {
        int is_first = 1;
        do {
            run_part(&run, 0, reduces);
            for (uint32_t n = reduces; n < row; n++)
                gather(&run, n, &result[n], is_first);
            is_first = 0;
        } while (advance(&run.walk, n_kept, call->n_dims));
        for (uint32_t n = reduces; n < row; n++)
            run.value[n] = result_of(insn_at(run.program, n), &result[n]);
        run_part(&run, row, run.program->n_insns);
    } while (advance(&run.walk, 0, n_kept));
    return finish(&run);
}

/* ---- Scatter --------------------------------------------------------------------------------- */

static void combine(const gn_scatter_call *call, int64_t source, int64_t target) {
    static const uint16_t op[] = {
        [GN_SCATTER_ADD] = GN_OP_ADD, [GN_SCATTER_MAX] = GN_OP_MAX, [GN_SCATTER_MIN] = GN_OP_MIN};
    int type = scalar_type(call->dtype);
    gn_scalar v[3] = {scalar_load(call->target->mem, call->dtype, target),
                      scalar_load(call->source->mem, call->dtype, source),
                      {0}};
    gn_scalar result = v[1];
    if (call->combine != GN_SCATTER_SET)
        result =
            scalar_compute(&(gn_insn){.op = op[call->combine], .type = (uint16_t)type}, type, v);
    scalar_store(call->target->mem, call->dtype, target, result);
}

gn_status kernel_scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    (void)device, (void)stream;
    enum { SOURCE, INDEX, TARGET };
    struct walk walk = {.size = call->size};
    int64_t bad_index = 0, extent = call->target->axis_extent;
    gn_status status = plugin_ready();
    if (status != GN_OK)
        return status;
    add_operand(&walk, call->source);
    add_operand(&walk, call->index);
    add_operand(&walk, call->target);
    do {
        int64_t index = scalar_load(call->index->mem, GN_I64, walk.at[INDEX]).i;
        if (index >= 0 && index < extent) {
            combine(call, walk.at[SOURCE], walk.at[TARGET] + index * call->target->axis_stride);
        } else {
            status = GN_E_INDEX;
            bad_index = index;
        }
    } while (advance(&walk, 0, call->n_dims));
    if (status == GN_OK)
        return GN_OK;
    return plugin_fail(status, call->tag, "scatter: index %lld is not in 0..%lld",
                       (long long)bad_index, (long long)extent - 1);
}
