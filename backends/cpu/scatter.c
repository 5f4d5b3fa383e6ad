/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scatter.c - scatter, deterministic on any number of threads.
 *
 * Three kinds of dims: `outer` ones and the `row` are free of collisions, the walked ones are the
 * serial dims, in their order. A row has one index for all of its elements, as in the gradient of
 * an embedding, and is combined at once. Threads share the outer dims, or the row, or the
 * targets: then each one walks all indices and does those of its part.
 */
#include "engine.h"
#include "parallel.h"

typedef struct scatter {
    const gn_scatter_call *call;
    cpu_combine *combine;
    int log2_size;
    uint32_t n_outer, n_walked;
    uint8_t outer[GN_MAX_DIMS], walked[GN_MAX_DIMS];
    int64_t outer_size;                       /* product of the outer dims */
    int64_t row_size, row_source, row_target; /* size 1 if no dim is the row */
    enum { SHARE_OUTER, SHARE_ROW, SHARE_TARGETS } shared;
    cpu_fault fault;
} scatter;

/* Offsets of the source, index and target elements, and what a thread does of row and targets. */
typedef struct place {
    int64_t source, index, target;
    int64_t row_first, row_last, target_first, target_last;
} place;

static void move(const gn_scatter_call *call, place *p, uint32_t dim, int64_t steps) {
    p->source += steps * call->source->stride[dim];
    p->index += steps * call->index->stride[dim];
    p->target += steps * call->target->stride[dim];
}

static void scatter_row(scatter *s, const place *p) {
    const gn_scatter_call *call = s->call;
    const gn_operand *target = call->target;
    const int64_t index =
        call->index->mem ? ((const int64_t *)call->index->mem->base)[p->index] : p->index;
    if (index < 0 || index >= target->axis_extent) {
        cpu_fault_set(&s->fault, call->tag, index, target->axis_extent);
        return;
    }
    if (index < p->target_first || index >= p->target_last)
        return;
    const int64_t size = 1 << s->log2_size;
    const int64_t to = p->target + index * target->axis_stride + p->row_first * s->row_target;
    const int64_t from = p->source + p->row_first * s->row_source;
    s->combine(p->row_last - p->row_first, (char *)target->mem->base + to * size, s->row_target,
               (const char *)call->source->mem->base + from * size, s->row_source);
}

static void walk(scatter *s, uint32_t depth, place p) {
    if (depth == s->n_walked) {
        scatter_row(s, &p);
        return;
    }
    const uint32_t dim = s->walked[depth];
    for (int64_t c = 0; c < s->call->size[dim]; c++, move(s->call, &p, dim, 1))
        if (depth + 1 == s->n_walked)
            scatter_row(s, &p);
        else
            walk(s, depth + 1, p);
}

static void run_scatter(void *context, int thread, int n_threads) {
    scatter *s = context;
    const gn_scatter_call *call = s->call;
    int64_t first = 0, last = s->outer_size;
    place start = {.row_last = s->row_size, .target_last = call->target->axis_extent};
    switch (s->shared) {
    case SHARE_OUTER:
        first = cpu_share(s->outer_size, thread, n_threads);
        last = cpu_share(s->outer_size, thread + 1, n_threads);
        break;
    case SHARE_ROW:
        start.row_first = cpu_share(s->row_size, thread, n_threads);
        start.row_last = cpu_share(s->row_size, thread + 1, n_threads);
        break;
    case SHARE_TARGETS:
        start.target_first = cpu_share(call->target->axis_extent, thread, n_threads);
        start.target_last = cpu_share(call->target->axis_extent, thread + 1, n_threads);
        break;
    }
    for (int64_t i = first; i < last; i++) {
        place p = start;
        p.source = call->source->offset;
        p.index = call->index->offset;
        p.target = call->target->offset;
        int64_t rest = i;
        for (uint32_t k = s->n_outer; k-- > 0; rest /= call->size[s->outer[k]])
            move(call, &p, s->outer[k], rest % call->size[s->outer[k]]);
        walk(s, 0, p);
    }
}

/* The dim without collisions along which all elements have one index, contiguous if there is one
 * such; n_dims if there is none. */
static uint32_t row_dim(const gn_scatter_call *call) {
    uint32_t found = call->n_dims;
    for (uint32_t d = 0; d < call->n_dims - call->n_serial; d++)
        if (call->index->stride[d] == 0 &&
            (found == call->n_dims || call->target->stride[found] != 1))
            found = d;
    return found;
}

static void lay_out(scatter *s) {
    const gn_scatter_call *call = s->call;
    const uint32_t row = row_dim(call), n_free = call->n_dims - call->n_serial;
    s->row_size = row < call->n_dims ? call->size[row] : 1;
    s->row_source = row < call->n_dims ? call->source->stride[row] : 1;
    s->row_target = row < call->n_dims ? call->target->stride[row] : 1;
    s->n_outer = s->n_walked = 0;
    s->outer_size = 1;
    for (uint32_t d = 0; d < n_free; d++)
        if (d != row) {
            s->outer[s->n_outer++] = (uint8_t)d;
            s->outer_size *= call->size[d];
        }
    for (uint32_t d = n_free; d < call->n_dims; d++)
        s->walked[s->n_walked++] = (uint8_t)d;
}

gn_status cpu_scatter(gn_device *device, gn_stream *stream, const gn_scatter_call *call) {
    enum { ROW_PART = 64, ROW_TIME = 6 };
    (void)stream;
    if (cpu_is_forked())
        return cpu_fail_forked();
    if (call->combine > GN_SCATTER_MIN || !gn_dtype_bytes(call->dtype))
        return cpu_fail(GN_E_UNSUPPORTED, call->tag, "scatter: combine %u of dtype %d",
                        call->combine, call->dtype);
    scatter s = {.call = call,
                 .combine = device->kernels->combine[call->combine][call->dtype],
                 .log2_size = cpu_log2_size(call->dtype)};
    lay_out(&s);
    double rows = (double)s.outer_size;
    bool free_targets = true;
    for (uint32_t k = 0; k < s.n_walked; k++) {
        rows *= (double)call->size[s.walked[k]];
        free_targets = free_targets && call->target->stride[s.walked[k]] == 0;
    }
    const double time = rows * (ROW_TIME + 0.2 * (double)s.row_size);
    int threads = cpu_threads_for(time, INT64_MAX);
    if (s.outer_size >= 4 * threads)
        s.shared = SHARE_OUTER;
    else if (s.row_size >= ROW_PART * threads)
        s.shared = SHARE_ROW;
    else if (free_targets && call->target->axis_extent >= threads)
        s.shared = SHARE_TARGETS;
    else
        threads = 1;
    cpu_parallel(threads, run_scatter, &s);
    return cpu_fault_status(&s.fault, "scatter");
}
