/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - map, reduce, row_map, map_many and scatter: their operands as views, their bounds by
 * the shadow of the program, and the three runs: bounds and results on the reference, then the
 * device's.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef gn_status kernel_fn(gn_device *device, gn_stream *stream, const gn_call *call);

/* ---- Known programs -------------------------------------------------------------------------- */

/* NULL without memory. Programs live at least as long as the device. */
static known *known_get(gn_device *check, const gn_program *program) {
    known **slot = &check->known[program->hash[0] % (sizeof check->known / sizeof *check->known)];
    for (known *k = *slot; k; k = k->next)
        if (k->program == program)
            return k;
    known *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    k->program = program;
    k->next = *slot;
    return *slot = k;
}

void known_free(gn_device *check) {
    for (size_t i = 0; i < sizeof check->known / sizeof *check->known; i++)
        while (check->known[i]) {
            known *k = check->known[i];
            check->known[i] = k->next;
            shadow_free(k->shadow);
            free(k);
        }
}

/* ---- Operands as views ----------------------------------------------------------------------- */

/* Whether LOADX reads the operand. */
static bool has_axis(const gn_program *program, uint32_t k) {
    for (uint32_t n = 0; n < program->n_insns; n++)
        if (insn_at(program, n)->op == GN_OP_LOADX && insn_at(program, n)->a == k)
            return true;
    return false;
}

static void add_view(struct job *job, const gn_operand *operand, int dtype, bool written, bool axis,
                     uint32_t n_dims, const int64_t *size) {
    view *v = &job->views[job->n_views++];
    *v = (view){.mem = operand->mem, .dtype = dtype, .written = written, .n_dims = n_dims};
    for (uint32_t d = 0; d < n_dims; d++) {
        v->stride[d] = operand->stride[d];
        v->size[d] = v->stride[d] ? size[d] : 1;
    }
    if (v->mem == NULL)
        return;
    v->first = (uint64_t)operand->offset * gn_dtype_bytes(dtype);
    if (axis) {
        v->stride[n_dims] = operand->axis_stride;
        v->size[n_dims] = operand->axis_extent;
        v->n_dims++;
    }
}

static struct job *job_of_call(gn_device *check, const char *kernel, const gn_call *call,
                               known *k) {
    const gn_program *program = call->program;
    struct job *job = job_new(check, call->tag, kernel, program->name, &k->reported);
    if (job == NULL)
        return NULL;
    job->n_dims = call->n_dims;
    memcpy(job->size, call->size, call->n_dims * sizeof *call->size);
    for (uint32_t i = 0; i < call->n_operands; i++)
        add_view(job, operand_at(call, i), program->operands[i].dtype,
                 program->operands[i].role == GN_WRITE, has_axis(program, i), call->n_dims,
                 call->size);
    return job;
}

/* ---- On the reference ------------------------------------------------------------------------ */

/* An operand over the reference's copy of view k. */
static gn_operand reference_operand(const struct job *job, const gn_operand *original, uint32_t k) {
    const view *v = &job->views[k];
    const gn_pointer place = reference_place(job, v);
    gn_operand operand = *original;
    operand.mem = place.mem;
    if (place.mem)
        operand.offset = (int64_t)(place.offset / gn_dtype_bytes(v->dtype));
    return operand;
}

/* A dense operand for a result's bounds. NULL memory: there is none. */
static gn_operand bound_operand(const struct job *job, const view *v, uint32_t block) {
    const uint64_t bytes = (uint64_t)view_count(v) * sizeof(double);
    gn_operand operand = {.mem = reference_block(job->check, BOUND_BLOCKS + block, bytes)};
    int64_t next = 1;
    for (uint32_t d = v->n_dims; d-- > 0;) {
        operand.stride[d] = v->size[d] > 1 ? next : 0;
        next *= v->size[d];
    }
    return operand;
}

/* The call with another program and other operands, for the reference's table. */
static gn_status run_on_reference(const struct job *job, kernel_fn *kernel, const gn_call *call,
                                  const gn_program *program, const gn_operand *operands,
                                  const gn_scalar *params) {
    gn_call copy = *call;
    copy.struct_size = sizeof copy;
    copy.program = program;
    copy.handle = NULL;
    copy.n_operands = program->n_operands;
    copy.operand_size = sizeof *operands;
    copy.operands = operands;
    copy.params = params;
    return kernel(job->check->reference_device, NULL, &copy);
}

static void fetch_bounds(struct job *job, const shadow_piece *p) {
    const gn_device *check = job->check;
    for (uint32_t k = 0; k < p->program.n_operands && !job->unchecked; k++) {
        view *v = &job->views[p->source[k]];
        if (p->operands[k].role != GN_WRITE)
            continue;
        const uint64_t bytes = (uint64_t)view_count(v) * sizeof *v->bounds;
        v->bounds = malloc((size_t)bytes);
        if (v->bounds == NULL)
            job_give_up(job, "no memory on the host for bounds");
        else if (check->reference->download(check->reference_device, NULL, v->bounds,
                                            check->blocks[BOUND_BLOCKS + k].mem, 0, bytes) != GN_OK)
            job_give_up(job, "a download from the reference failed");
    }
}

static void compute_bounds(struct job *job, kernel_fn *kernel, const gn_call *call,
                           const shadow_piece *p) {
    gn_operand operands[GN_MAX_OPERANDS];
    gn_scalar params[GN_MAX_PARAMS];
    double n = 1;
    for (uint32_t d = call->n_dims - call->n_reduced; d < call->n_dims; d++)
        n *= (double)call->size[d];
    if (call->program->n_params > 0)
        memcpy(params, call->params, call->program->n_params * sizeof *params);
    params[call->program->n_params].f = n;
    for (uint32_t k = 0; k < p->program.n_operands; k++) {
        const uint8_t source = p->source[k];
        const bool is_bound = p->operands[k].role == GN_WRITE;
        operands[k] = is_bound ? bound_operand(job, &job->views[source], k)
                               : reference_operand(job, operand_at(call, source), source);
        if (is_bound && operands[k].mem == NULL) {
            job_give_up(job, "the reference has no memory for bounds");
            return;
        }
    }
    const gn_status status = run_on_reference(job, kernel, call, &p->program, operands, params);
    if (status != GN_OK && status != GN_E_INDEX)
        job_give_up(job, "the reference can't compute its bounds");
    else
        fetch_bounds(job, p);
}

/* Bounds first: the program itself may overwrite what they are computed from. */
static void run_reference(struct job *job, kernel_fn *kernel, const gn_call *call, known *k) {
    gn_operand operands[GN_MAX_OPERANDS];
    if (k->shadow == NULL)
        k->shadow = shadow_new(k->program);
    if (k->shadow == NULL)
        job_give_up(job, "no memory on the host for its bounds");
    else if (k->shadow->unchecked)
        job_give_up(job, k->shadow->unchecked);
    for (uint32_t i = 0; !job->unchecked && i < k->shadow->n_pieces; i++)
        compute_bounds(job, kernel, call, k->shadow->pieces[i]);
    if (job->unchecked)
        return;
    for (uint32_t i = 0; i < call->n_operands; i++)
        operands[i] = reference_operand(job, operand_at(call, i), i);
    job_expect(job, run_on_reference(job, kernel, call, call->program, operands, call->params));
}

/* ---- Calls of programs ----------------------------------------------------------------------- */

/* The job of a call up to the reference's results. NULL with GN_OK: there is no memory for one. */
static gn_status begin_call(gn_device *check, gn_stream *stream, const char *name,
                            kernel_fn *kernel, const gn_call *call, known *k, struct job **out) {
    *out = job_of_call(check, name, call, k);
    if (*out == NULL)
        return GN_OK;
    const gn_status status = job_begin(*out, stream);
    if (status != GN_OK) {
        job_free(*out);
        *out = NULL;
    } else if (!(*out)->unchecked) {
        run_reference(*out, kernel, call, k);
    }
    return status;
}

/* `on_device` passes the call on; `kernel` is the reference's function. */
static gn_status checked_call(gn_device *check, gn_stream *stream, const char *name,
                              kernel_fn *on_device, kernel_fn *kernel, const gn_call *call) {
    pthread_mutex_lock(&check->lock);
    known *k = known_get(check, call->program);
    struct job *job = NULL;
    gn_status status = GN_OK;
    const bool due = k && check_is_due(check, k->calls++);
    if (due)
        status = begin_call(check, stream, name, kernel, call, k, &job);
    if (status == GN_OK)
        status = on_device(check, stream, call);
    if (due)
        status = jobs_end(check, &job, 1, stream, status);
    pthread_mutex_unlock(&check->lock);
    return status;
}

gn_status check_map(gn_device *check, gn_stream *stream, const gn_call *call) {
    return checked_call(check, stream, "map", gn_layer_map, check->reference->map, call);
}

gn_status check_reduce(gn_device *check, gn_stream *stream, const gn_call *call) {
    return checked_call(check, stream, "reduce", gn_layer_reduce, check->reference->reduce, call);
}

gn_status check_row_map(gn_device *check, gn_stream *stream, const gn_call *call) {
    return checked_call(check, stream, "row_map", gn_layer_row_map, check->reference->row_map,
                        call);
}

/* Every call is a job of its own, but the device gets them together. */
gn_status check_map_many(gn_device *check, gn_stream *stream, const gn_call *calls, uint32_t n) {
    pthread_mutex_lock(&check->lock);
    known *k = known_get(check, calls->program);
    struct job **jobs = k && check_is_due(check, k->calls++) ? calloc(n, sizeof *jobs) : NULL;
    gn_status status = GN_OK;
    const char *call = (const char *)calls;
    for (uint32_t i = 0; jobs && i < n && status == GN_OK; i++)
        status = begin_call(check, stream, "map_many", check->reference->map,
                            (const gn_call *)(call + (size_t)i * calls->struct_size), k, &jobs[i]);
    if (status == GN_OK)
        status = gn_layer_map_many(check, stream, calls, n);
    if (jobs)
        status = jobs_end(check, jobs, n, stream, status);
    free(jobs);
    pthread_mutex_unlock(&check->lock);
    return status;
}

/* ---- Scatter --------------------------------------------------------------------------------- */

enum { SOURCE, INDEX, TARGET };

/* Where the walk's coordinates, without the axis, lie among a target's bounds. */
static int64_t bound_number(const view *target, const int64_t *coordinate, int64_t index) {
    int64_t n = 0;
    for (uint32_t d = 0; d + 1 < target->n_dims; d++)
        n = n * target->size[d] + (target->size[d] > 1 ? coordinate[d] : 0);
    return n * target->size[target->n_dims - 1] + index;
}

/* Goes through the source: adds |x| to the sizes of the elements that it is added to. */
static void add_sources(const struct job *job, const gn_scatter_call *call, double *sizes,
                        double *terms) {
    const view *source = &job->views[SOURCE], *index = &job->views[INDEX],
               *target = &job->views[TARGET];
    view space = {.n_dims = call->n_dims}; /* all coordinates */
    memcpy(space.size, call->size, call->n_dims * sizeof *call->size);
    walk w = walk_from_start(&space);
    do {
        const walk from = walk_to(source, w.coordinate), where = walk_to(index, w.coordinate);
        const char *x = walk_element(&from, job, job->segments[source->segment].before);
        int64_t at = call->index->offset + where.at;
        if (index->mem)
            at = value_integer(GN_I64,
                               walk_element(&where, job, job->segments[index->segment].before));
        if (at < 0 || at >= call->target->axis_extent)
            continue;
        const int64_t i = bound_number(target, w.coordinate, at);
        sizes[i] += fabs(value_float(call->dtype, x));
        terms[i]++;
    } while (walk_next(&w));
}

/* Of an unordered sum: 2 eps (64 + log2 n) sum |x|. */
static void scatter_bounds(struct job *job, const gn_scatter_call *call) {
    view *target = &job->views[TARGET];
    if (call->combine != GN_SCATTER_ADD || !call->unordered || !gn_dtype_is_float(call->dtype))
        return;
    const size_t n = (size_t)view_count(target);
    double *terms = calloc(n, sizeof *terms);
    target->bounds = calloc(n, sizeof *target->bounds);
    if (terms == NULL || target->bounds == NULL) {
        job_give_up(job, "no memory on the host for bounds");
    } else {
        add_sources(job, call, target->bounds, terms);
        walk w = walk_from_start(target);
        size_t i = 0;
        do {
            const char *element = walk_element(&w, job, job->segments[target->segment].before);
            const double size = target->bounds[i] + fabs(value_float(call->dtype, element));
            const double unit = 2 * value_eps(call->dtype) * (64 + log2(terms[i] + 1));
            target->bounds[i] =
                terms[i] > 0 && isfinite(size) ? unit * size + value_tiny(call->dtype) : 0;
            i++;
        } while (walk_next(&w));
    }
    free(terms);
}

static gn_status begin_scatter(gn_device *check, gn_stream *stream, const gn_scatter_call *call,
                               struct job **out) {
    struct job *job = *out = job_new(check, call->tag, "scatter", NULL, &check->scatter_reported);
    if (job == NULL)
        return GN_OK;
    job->n_dims = call->n_dims;
    memcpy(job->size, call->size, call->n_dims * sizeof *call->size);
    add_view(job, call->source, call->dtype, false, false, call->n_dims, call->size);
    add_view(job, call->index, GN_I64, false, false, call->n_dims, call->size);
    add_view(job, call->target, call->dtype, true, true, call->n_dims, call->size);
    const gn_status status = job_begin(job, stream);
    if (status != GN_OK) {
        job_free(job);
        *out = NULL;
    }
    if (status != GN_OK || job->unchecked)
        return status;
    const gn_operand operands[3] = {reference_operand(job, call->source, SOURCE),
                                    reference_operand(job, call->index, INDEX),
                                    reference_operand(job, call->target, TARGET)};
    gn_scatter_call copy = *call;
    copy.struct_size = sizeof copy;
    copy.source = &operands[SOURCE];
    copy.index = &operands[INDEX];
    copy.target = &operands[TARGET];
    scatter_bounds(job, call);
    job_expect(job, check->reference->scatter(check->reference_device, NULL, &copy));
    return GN_OK;
}

gn_status check_scatter(gn_device *check, gn_stream *stream, const gn_scatter_call *call) {
    pthread_mutex_lock(&check->lock);
    uint64_t *calls = &check->scatter_calls[call->combine & 3][call->dtype % GN_N_DTYPES];
    const bool due = check_is_due(check, (*calls)++);
    struct job *job = NULL;
    gn_status status = GN_OK;
    if (due)
        status = begin_scatter(check, stream, call, &job);
    if (status == GN_OK)
        status = gn_layer_scatter(check, stream, call);
    if (due)
        status = jobs_end(check, &job, 1, stream, status);
    pthread_mutex_unlock(&check->lock);
    return status;
}
