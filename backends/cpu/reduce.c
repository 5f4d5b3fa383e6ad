/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reduce.c - reduce and row_map: element parts fold their tiles into states, row parts use them.
 *
 * The boxes of the kept dims are shared out among threads. Where they are few, the reduced dims are
 * cut into chunks, too, whose states are combined in their order. Chunks depend on the shape alone,
 * so the result does not depend on the number of threads.
 */
#include "engine.h"
#include "parallel.h"
#include <math.h>
#include <string.h>

enum {
    RUN = 32,           /* rows that are summed in their own type */
    CHUNKS = 32,        /* chunks of one call, at most */
    CHUNK_BOXES = 4,    /* boxes of one chunk, at least */
    CHUNK_TIME = 20000, /* nanoseconds of a call that is worth being cut */
    STACK_PARTIALS = 32 * 1024,
};

typedef struct rows {
    cpu_job *job;
    int64_t chunks;
    gn_scalar *partials; /* (boxes of kept, chunks, 2, reductions, row_tile), if chunks > 1 */
} rows;

/* ---- States ---- */

static int64_t states_of(const cpu_job *job) { return job->program->n_reductions * job->row_tile; }

static gn_scalar initial(int kind, bool is_float) {
    const double infinite = kind == GN_MAX || kind == GN_ARGMAX ? -INFINITY : INFINITY;
    const int64_t extreme = kind == GN_MAX || kind == GN_ARGMAX ? INT64_MIN : INT64_MAX;
    switch (kind) {
    case GN_SUM: return is_float ? (gn_scalar){.f = 0} : (gn_scalar){.i = 0};
    case GN_PROD: return is_float ? (gn_scalar){.f = 1} : (gn_scalar){.i = 1};
    default: return is_float ? (gn_scalar){.f = infinite} : (gn_scalar){.i = extreme};
    }
}

static void clear_states(cpu_frame *f, const cpu_part *part, int64_t n) {
    for (uint32_t i = part->first_reduction; i < part->first_reduction + part->n_reductions; i++) {
        const cpu_reduction *r = &f->job->program->reductions[i];
        const gn_scalar value = initial(r->kind, gn_dtype_is_float(r->dtype));
        const gn_scalar extra = {.i = r->kind >= GN_ARGMAX ? INT64_MAX : 0};
        for (int64_t k = 0; k < n; k++) {
            f->value[i * f->job->row_tile + k] = value;
            f->extra[i * f->job->row_tile + k] = extra;
        }
    }
}

static void fold(cpu_frame *f, uint32_t i, int64_t kept, int64_t reduced, const void *x,
                 const int64_t *payload) {
    const cpu_job *job = f->job;
    const cpu_kernels *k = job->program->kernels;
    const cpu_reduction *r = &job->program->reductions[i];
    gn_scalar *value = f->value + i * job->row_tile, *extra = f->extra + i * job->row_tile;
    if (job->columns)
        k->fold_columns[r->kind][r->dtype](reduced, kept, x, payload, value, extra);
    else
        k->fold_rows[r->kind][r->dtype](kept, reduced, x, payload, value, extra);
}

/* The opcode that joins the rows of columns in a run before they reach the states; 0: none. */
static int run_opcode(const cpu_job *job, const cpu_reduction *r) {
    if (!job->runs)
        return 0;
    return r->kind == GN_SUM && gn_dtype_is_float(r->dtype) ? GN_OP_ADD
           : r->kind == GN_MAX                              ? GN_OP_MAX
           : r->kind == GN_MIN                              ? GN_OP_MIN
                                                            : 0;
}

/* Folds a box into the states, or into the run, which has `length` boxes. */
static void fold_box(cpu_frame *f, const cpu_part *part, int64_t kept, int64_t reduced,
                     int length) {
    const cpu_job *job = f->job;
    const cpu_program *p = job->program;
    for (uint32_t i = part->first_reduction; i < part->first_reduction + part->n_reductions; i++) {
        const cpu_reduction *r = &p->reductions[i];
        const int op = run_opcode(job, r);
        void *run = f->run + i * job->row_tile;
        if (op && length > 0) {
            p->kernels->op[op][r->dtype](kept, job->uniform[r->a] ? CPU_B_UNIFORM : 0, run, run,
                                         f->reg[r->a], NULL);
            continue;
        }
        const void *x = cpu_frame_array(f, r->a, kept * reduced, 0);
        if (op)
            memcpy(run, x, (size_t)kept << cpu_log2_size(r->dtype));
        else
            fold(f, i, kept, reduced, x,
                 r->kind >= GN_ARGMAX ? cpu_frame_array(f, r->payload, kept * reduced, 1) : NULL);
    }
}

/* The run joins the states. */
static void fold_run(cpu_frame *f, const cpu_part *part, int64_t kept) {
    for (uint32_t i = part->first_reduction; i < part->first_reduction + part->n_reductions; i++)
        if (run_opcode(f->job, &f->job->program->reductions[i]))
            fold(f, i, kept, 1, f->run + i * f->job->row_tile, NULL);
}

/* Joins n states (value, extra) of each reduction, as fold_box left them. */
static void combine_states(cpu_frame *f, const cpu_part *part, const gn_scalar *value,
                           const gn_scalar *extra, int64_t n) {
    const cpu_job *job = f->job;
    for (uint32_t i = part->first_reduction; i < part->first_reduction + part->n_reductions; i++) {
        const cpu_reduction *r = &job->program->reductions[i];
        const int dtype = gn_dtype_is_float(r->dtype) ? GN_F64 : GN_I64;
        cpu_fold *join = job->program->kernels->fold_columns[r->kind][dtype];
        const int64_t at = i * job->row_tile;
        join(1, n, value + at, (const int64_t *)(const void *)(extra + at), f->value + at,
             f->extra + at);
        if (r->kind == GN_SUM && dtype == GN_F64)
            join(1, n, extra + at, NULL, f->value + at, f->extra + at);
    }
}

/* The states become the registers of their REDUCE instructions. */
static void finish_states(cpu_frame *f, const cpu_part *part, int64_t n) {
    const cpu_job *job = f->job;
    const cpu_program *p = job->program;
    for (uint32_t i = part->first_reduction; i < part->first_reduction + part->n_reductions; i++) {
        const cpu_reduction *r = &p->reductions[i];
        gn_scalar *value = f->value + i * job->row_tile, *extra = f->extra + i * job->row_tile;
        const int to = p->registers[r->out].dtype;
        if (r->kind == GN_SUM && gn_dtype_is_float(r->dtype))
            for (int64_t k = 0; k < n; k++)
                if (isfinite(value[k].f))
                    value[k].f += extra[k].f;
        const int from = r->kind < GN_ARGMAX && gn_dtype_is_float(r->dtype) ? GN_F64 : GN_I64;
        p->kernels->cast[from][to](n, 0, f->reg[r->out], r->kind >= GN_ARGMAX ? extra : value, NULL,
                                   NULL);
    }
}

/* ---- Boxes ---- */

/* An element part over some boxes of the reduced dims. */
static void run_elements(cpu_frame *f, const cpu_part *part, int64_t first, int64_t last) {
    cpu_job *job = f->job;
    const int64_t kept = cpu_frame_count(f, &job->kept);
    int length = 0;
    clear_states(f, part, kept);
    for (int64_t box = first; box < last; box++) {
        cpu_frame_move(f, &job->reduced, box);
        const int64_t reduced = cpu_frame_count(f, &job->reduced);
        cpu_frame_run(f, part, kept * reduced);
        fold_box(f, part, kept, reduced, length);
        if (++length < RUN && box + 1 < last)
            continue;
        fold_run(f, part, kept);
        length = 0;
    }
}

static void run_row(cpu_frame *f, const cpu_part *part) {
    cpu_frame_collapse(f);
    cpu_frame_run(f, part, cpu_frame_count(f, &f->job->kept));
}

static void run_rows(void *context, int thread, int n_threads) {
    cpu_job *job = ((rows *)context)->job;
    const cpu_program *p = job->program;
    const int64_t last = cpu_share(job->kept.boxes, thread + 1, n_threads);
    char memory[cpu_frame_bytes(job)];
    cpu_frame f;
    cpu_frame_open(&f, job, memory);
    for (int64_t box = cpu_share(job->kept.boxes, thread, n_threads); box < last; box++) {
        cpu_frame_move(&f, &job->kept, box);
        for (uint32_t q = 0; q < p->n_parts; q++) {
            if (p->parts[q].row) {
                run_row(&f, &p->parts[q]);
                continue;
            }
            run_elements(&f, &p->parts[q], 0, job->reduced.boxes);
            finish_states(&f, &p->parts[q], cpu_frame_count(&f, &job->kept));
        }
    }
}

/* ---- Chunks ---- */

static gn_scalar *partial_at(const rows *r, int64_t task) {
    return r->partials + task * 2 * states_of(r->job);
}

static void run_chunks(void *context, int thread, int n_threads) {
    const rows *r = context;
    cpu_job *job = r->job;
    const int64_t tasks = job->kept.boxes * r->chunks, states = states_of(job);
    const int64_t last = cpu_share(tasks, thread + 1, n_threads);
    char memory[cpu_frame_bytes(job)];
    cpu_frame f;
    cpu_frame_open(&f, job, memory);
    for (int64_t task = cpu_share(tasks, thread, n_threads); task < last; task++) {
        const int chunk = (int)(task % r->chunks), chunks = (int)r->chunks;
        cpu_frame_move(&f, &job->kept, task / r->chunks);
        run_elements(&f, &job->program->parts[0], cpu_share(job->reduced.boxes, chunk, chunks),
                     cpu_share(job->reduced.boxes, chunk + 1, chunks));
        memcpy(partial_at(r, task), f.value, (size_t)states * sizeof *f.value);
        memcpy(partial_at(r, task) + states, f.extra, (size_t)states * sizeof *f.extra);
    }
}

static void combine_chunks(const rows *r) {
    cpu_job *job = r->job;
    const cpu_program *p = job->program;
    char memory[cpu_frame_bytes(job)];
    cpu_frame f;
    cpu_frame_open(&f, job, memory);
    for (int64_t box = 0; box < job->kept.boxes; box++) {
        cpu_frame_move(&f, &job->kept, box);
        const int64_t n = cpu_frame_count(&f, &job->kept);
        clear_states(&f, &p->parts[0], n);
        for (int64_t chunk = 0; chunk < r->chunks; chunk++) {
            const gn_scalar *value = partial_at(r, box * r->chunks + chunk);
            combine_states(&f, &p->parts[0], value, value + states_of(job), n);
        }
        finish_states(&f, &p->parts[0], n);
        for (uint32_t q = 1; q < p->n_parts; q++)
            run_row(&f, &p->parts[q]);
    }
}

/* How many chunks the reduced dims are cut into, by the shape alone. */
static int64_t chunks_of(const cpu_job *job) {
    if (job->program->n_parts > 2 || job->kept.boxes > CHUNKS / 2 || cpu_job_time(job) < CHUNK_TIME)
        return 1;
    const int64_t wanted = CHUNKS / job->kept.boxes, most = job->reduced.boxes / CHUNK_BOXES;
    return most < 2 ? 1 : wanted < most ? wanted : most;
}

static gn_status reduce_chunks(rows *r) {
    cpu_job *job = r->job;
    const int64_t tasks = job->kept.boxes * r->chunks;
    const size_t bytes = (size_t)(tasks * 2 * states_of(job)) * sizeof(gn_scalar);
    gn_scalar few[bytes <= STACK_PARTIALS ? bytes / sizeof(gn_scalar) + 1 : 1];
    r->partials = bytes <= STACK_PARTIALS ? few : cpu_host->host_alloc(bytes);
    if (!r->partials)
        return cpu_fail(GN_E_MEMORY, job->call->tag, "%s: no memory for %zu bytes of partial sums",
                        job->program->source->name, bytes);
    cpu_parallel(cpu_threads_for(cpu_job_time(job), tasks), run_chunks, r);
    combine_chunks(r);
    if (r->partials != few)
        cpu_host->host_free(r->partials);
    return GN_OK;
}

/* ---- Entries ---- */

/* `declines`: hand back what would run on fewer threads than there are. */
static gn_status reduce_prepared(const cpu_program *program, const gn_call *call, bool declines) {
    gn_scalar arrays[cpu_job_bytes(program) / sizeof(gn_scalar) + 1];
    cpu_fault fault = {0};
    cpu_job job;
    job.program = program;
    job.call = call;
    job.fault = &fault;
    cpu_layout_reduce(&job);
    cpu_job_bind(&job, arrays);
    rows r = {.job = &job, .chunks = chunks_of(&job)};
    gn_status status = GN_OK;
    if (declines && job.kept.boxes < cpu_threads() && cpu_job_time(&job) > 10 * CHUNK_TIME)
        return GN_E_UNSUPPORTED;
    if (r.chunks > 1)
        status = reduce_chunks(&r);
    else
        cpu_parallel(cpu_threads_for(cpu_job_time(&job), job.kept.boxes), run_rows, &r);
    return status ? status : cpu_fault_status(&fault, program->source->name);
}

static gn_status reduce_call(gn_device *device, const gn_call *call, bool declines) {
    if (cpu_is_forked())
        return cpu_fail_forked();
    const cpu_program *program;
    void *temporary;
    gn_status status = cpu_program_of(device, call, &program, &temporary);
    if (!status)
        status = reduce_prepared(program, call, declines);
    cpu_program_release(device, temporary);
    return status;
}

gn_status cpu_reduce(gn_device *device, gn_stream *stream, const gn_call *call) {
    (void)stream;
    return reduce_call(device, call, false);
}

gn_status cpu_row_map(gn_device *device, gn_stream *stream, const gn_call *call) {
    (void)stream;
    return reduce_call(device, call, true);
}
