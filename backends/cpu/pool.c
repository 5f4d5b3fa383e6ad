/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - max and average pooling and their gradients; not by oneDNN, whose maximum passes over
 * NaN and whose averages know no divisor and no window cut off at the end.
 *
 * All four are one walk. A pixel of the output is computed at once for all channels from a window
 * of pixels: forward from those of x in its pooling window, backward from those of dy whose pooling
 * windows hold it. So every element is written once and no two threads write the same one. An
 * (N, C, H, W) tensor is taken as N * C images of one channel.
 */
#include <stdlib.h>

#include "loops.h"
#include "parallel.h"
#include "plan.h"

/* One spatial dim. in: of x and dx, out: of y and dy. */
typedef struct pool_dim {
    int64_t in, out, kernel, stride, padding, dilation;
    float *counted; /* average, for each output: its factor of the divisor */
} pool_dim;

typedef struct pool_size {
    int64_t of[3];
} pool_size;

typedef struct pool_plan {
    plan_kernel base;
    const plan_loops *loops;
    bool backward, maximum, wide; /* wide: winners are i32, not u8 */
    char layout;                  /* of y and dy */
    int64_t images, channels;
    pool_dim dim[3]; /* leading ones are of size 1 */
    pool_size x, y;
    float counted[]; /* of the dims in turn */
} pool_plan;

/* `saved` begins with the layouts of y, whose elements the winners follow. */
enum { SAVED_HEADER = 64 };

/* ---- Windows ------------------------------------------------------------------------------- */

/* Along one dim: `count` pixels of the source from `first` on, `step` apart; the first is number
 * `index` of the pooling window, and each next one index_step more. */
typedef struct pool_span {
    int64_t first, count, step;
    int32_t index, index_step;
    const float *divisor; /* of the first, backward */
} pool_span;

/* The inputs that output `o` sees. */
static pool_span forward_span(const pool_dim *dim, int64_t o) {
    const int64_t start = o * dim->stride - dim->padding;
    const int64_t first = start < 0 ? (-start + dim->dilation - 1) / dim->dilation : 0;
    int64_t end = start < dim->in ? (dim->in - start + dim->dilation - 1) / dim->dilation : 0;
    if (end > dim->kernel)
        end = dim->kernel;
    return (pool_span){.first = start + first * dim->dilation,
                       .count = end > first ? end - first : 0,
                       .step = dim->dilation,
                       .index = (int32_t)first,
                       .index_step = 1};
}

/* The outputs that see input `i`. With dilation not every one from the first to the last does. */
static pool_span backward_span(const pool_dim *dim, int64_t i) {
    const int64_t reach = (dim->kernel - 1) * dim->dilation, at = i + dim->padding;
    int64_t first = at > reach ? (at - reach + dim->stride - 1) / dim->stride : 0;
    int64_t last = at / dim->stride, period = 1;
    if (last >= dim->out)
        last = dim->out - 1;
    while (period * dim->stride % dim->dilation)
        period++;
    while (first <= last && (at - first * dim->stride) % dim->dilation)
        first++;
    return (pool_span){.first = first,
                       .count = first <= last ? (last - first) / period + 1 : 0,
                       .step = period,
                       .index = (int32_t)((at - first * dim->stride) / dim->dilation),
                       .index_step = -(int32_t)(period * dim->stride / dim->dilation),
                       .divisor = dim->counted + first};
}

static pool_span span_of(const pool_plan *p, int d, int64_t pixel) {
    return p->backward ? backward_span(&p->dim[d], pixel) : forward_span(&p->dim[d], pixel);
}

/* elements, numbers: how far apart neighbours along dim d are. */
static void set_span(pool_window *w, int d, const pool_span *s, int64_t elements, int32_t numbers) {
    w->count[d] = s->count;
    w->step[d] = s->step * elements;
    w->index_step[d] = s->index_step * numbers;
    w->divisor[d] = s->divisor;
    w->divisor_step[d] = s->step;
}

/* ---- The walk ------------------------------------------------------------------------------ */

typedef struct pool_job {
    const pool_plan *plan;
    const float *source;
    float *target;
    char *winners;
} pool_job;

/* One pixel of the target, from its window, which begins at pixel `from` of the source. */
static void pool_pixel(const pool_job *job, const pool_window *w, int64_t from, int64_t to,
                       float divisor) {
    const pool_plan *p = job->plan;
    const int64_t c = p->channels, winner_bytes = p->wide ? 4 : 1;
    const float *source = job->source + from * c;
    float *target = job->target + to * c;
    if (p->maximum && p->backward)
        p->loops->max_backward(w, c, source, job->winners + from * c * winner_bytes, p->wide,
                               target);
    else if (p->maximum)
        p->loops->max_forward(w, c, source, target, job->winners + to * c * winner_bytes, p->wide);
    else if (p->backward)
        p->loops->average_backward(w, c, source, target);
    else
        p->loops->average_forward(w, c, source, divisor, target);
}

/* Pixels (n, d, h, *) of the target. Offsets and steps along a dim are set, then scaled by what
 * one step along it is in pixels of the source, and in numbers of the pooling window. */
static void pool_row(const pool_job *job, int64_t n, int64_t d, int64_t h) {
    const pool_plan *p = job->plan;
    const pool_dim *dim = p->dim;
    const pool_size *from = p->backward ? &p->y : &p->x, *to = p->backward ? &p->x : &p->y;
    const int64_t c = p->channels, at[2] = {d, h};
    const int64_t pixels[2] = {from->of[1] * from->of[2], from->of[2]};
    const int32_t numbers[2] = {(int32_t)(dim[1].kernel * dim[2].kernel), (int32_t)dim[2].kernel};
    int64_t source = n * from->of[0] * pixels[0];
    int32_t index = 0;
    pool_window w;
    for (int i = 0; i < 2; i++) {
        const pool_span s = span_of(p, i, at[i]);
        source += s.first * pixels[i];
        index += s.index * numbers[i];
        set_span(&w, i, &s, pixels[i] * c, numbers[i]);
    }
    const float divisor = p->backward ? 1 : dim[0].counted[d] * dim[1].counted[h];
    const int64_t target = ((n * to->of[0] + d) * to->of[1] + h) * to->of[2];
    for (int64_t i = 0; i < to->of[2]; i++) {
        const pool_span s = span_of(p, 2, i);
        set_span(&w, 2, &s, c, 1);
        w.index = index + s.index;
        pool_pixel(job, &w, source + s.first, target + i,
                   p->backward ? 1 : divisor * dim[2].counted[i]);
    }
}

static void pool_body(void *context, int thread, int n_threads) {
    const pool_job *job = context;
    const pool_plan *p = job->plan;
    const pool_size *to = p->backward ? &p->x : &p->y;
    const int64_t rows = p->images * to->of[0] * to->of[1];
    const int64_t end = cpu_share(rows, thread + 1, n_threads);
    for (int64_t row = cpu_share(rows, thread, n_threads); row < end; row++)
        pool_row(job, row / to->of[1] / to->of[0], row / to->of[1] % to->of[0], row % to->of[1]);
}

static gn_status pool_run(plan_kernel *plan, const gn_run *run) {
    const pool_plan *p = (pool_plan *)plan;
    const pool_size *to = p->backward ? &p->x : &p->y;
    pool_job job = {.plan = p,
                    .source = plan_memory(&run->tensors[1]),
                    .target = plan_memory(&run->tensors[0])};
    if (p->maximum) {
        char *saved = plan_memory(&run->saved);
        if (!p->backward)
            *saved = p->layout;
        else if (*saved != p->layout)
            return cpu_fail(GN_E_ARGUMENT, run->tag,
                            "the gradient of max pooling lies otherwise in memory than the output");
        job.winners = saved + SAVED_HEADER;
    }
    const int64_t rows = p->images * to->of[0] * to->of[1];
    const double elements = (double)rows * (double)to->of[2] * (double)p->channels;
    cpu_parallel(cpu_threads_for(elements * .5, rows), pool_body, &job);
    return GN_OK;
}

static void pool_release(plan_kernel *plan) { free(plan); }

/* ---- The plan ------------------------------------------------------------------------------ */

/* How many elements an average's window counts along one dim, for each output. */
static void count_elements(pool_dim *dim, int64_t padding_after, bool with_padding) {
    const int64_t low = with_padding ? -dim->padding : 0;
    const int64_t high = dim->in + (with_padding ? padding_after : 0);
    for (int64_t o = 0; o < dim->out; o++) {
        int64_t n = 0;
        for (int64_t k = 0; k < dim->kernel; k++) {
            const int64_t i = o * dim->stride - dim->padding + k * dim->dilation;
            n += i >= low && i < high;
        }
        dim->counted[o] = (float)n;
    }
}

static gn_status check_shapes(const plan_request *request) {
    const gn_pool_attr *a = &request->attr.pool;
    const gn_tensor_desc *first = &request->tensors[0], *second = &request->tensors[1];
    if (first->dtype != GN_F32 || second->dtype != GN_F32)
        return cpu_fail(GN_E_UNSUPPORTED, 0, "pooling is planned for float32 only");
    if (a->n_spatial < 1 || a->n_spatial > GN_MAX_SPATIAL || first->n_dims != a->n_spatial + 2 ||
        second->n_dims != first->n_dims || first->size[0] != second->size[0] ||
        first->size[1] != second->size[1])
        return cpu_fail(GN_E_ARGUMENT, 0, "the sizes of this pooling do not agree");
    double volume = 1;
    for (int d = 0; d < a->n_spatial; d++) {
        if (a->kernel[d] < 1 || a->stride[d] < 1 || a->dilation[d] < 1 || a->padding[d] < 0)
            return cpu_fail(GN_E_ARGUMENT, 0, "a pooling has a kernel, stride or dilation below 1");
        volume *= (double)a->kernel[d];
    }
    if (volume > INT32_MAX)
        return cpu_fail(GN_E_UNSUPPORTED, 0, "a pooling window of more than 2^31 elements");
    if (!(tensor_layouts(first) & tensor_layouts(second)))
        return cpu_fail(GN_E_UNSUPPORTED, 0,
                        "pooling between tensors that lie differently in memory");
    return GN_OK;
}

static void set_dims(pool_plan *p, const plan_request *request) {
    const gn_pool_attr *a = &request->attr.pool;
    const gn_tensor_desc *x = &request->tensors[p->backward ? 0 : 1],
                         *y = &request->tensors[p->backward ? 1 : 0];
    float *counted = p->counted;
    for (int i = 0; i < 3; i++) {
        const int d = i - (3 - (int)a->n_spatial);
        pool_dim *dim = &p->dim[i];
        *dim = (pool_dim){.in = 1, .out = 1, .kernel = 1, .stride = 1, .dilation = 1};
        if (d >= 0)
            *dim = (pool_dim){.in = x->size[2 + d],
                              .out = y->size[2 + d],
                              .kernel = a->kernel[d],
                              .stride = a->stride[d],
                              .padding = a->padding[d],
                              .dilation = a->dilation[d]};
        dim->counted = counted;
        p->x.of[i] = dim->in;
        p->y.of[i] = dim->out;
        count_elements(dim, d >= 0 ? a->padding_after[d] : 0, a->count_include_pad);
        counted += dim->out;
    }
    if (!a->divisor || p->maximum)
        return;
    for (int64_t o = 0; o < counted - p->counted; o++)
        p->counted[o] = 1;
    for (int64_t o = 0; o < p->dim[0].out; o++)
        p->counted[o] = (float)a->divisor;
}

gn_status plan_pool(const plan_request *request, gn_plan_info *info, plan_kernel **out) {
    const gn_status status = check_shapes(request);
    if (status)
        return status;
    const gn_tensor_desc *first = &request->tensors[0], *second = &request->tensors[1];
    const bool backward = request->kernel == GN_KERNEL_MAX_POOL_BACKWARD ||
                          request->kernel == GN_KERNEL_AVG_POOL_BACKWARD;
    const gn_tensor_desc *y = backward ? second : first;
    int64_t outputs = 2, elements = y->size[0] * y->size[1]; /* two leading dims at most */
    for (int d = 2; d < y->n_dims; d++) {
        outputs += y->size[d];
        elements *= y->size[d];
    }
    pool_plan *p = calloc(1, sizeof *p + (size_t)outputs * sizeof p->counted[0]);
    if (!p)
        return cpu_fail(GN_E_MEMORY, 0, "no memory for the plan of a pooling");
    p->base.run = pool_run;
    p->base.release = pool_release;
    p->loops = plan_loops_best();
    p->backward = backward;
    p->maximum = request->kernel == GN_KERNEL_MAX_POOL_FORWARD ||
                 request->kernel == GN_KERNEL_MAX_POOL_BACKWARD;
    const bool by_channel = !(tensor_layouts(first) & tensor_layouts(second) & LAYOUT_NHWC);
    p->layout = (char)tensor_layouts(y);
    p->images = first->size[0] * (by_channel ? first->size[1] : 1);
    p->channels = by_channel ? 1 : first->size[1];
    set_dims(p, request);
    p->wide = p->dim[0].kernel * p->dim[1].kernel * p->dim[2].kernel > UINT8_MAX;
    if (p->maximum)
        info->saved_bytes = SAVED_HEADER + (uint64_t)elements * (p->wide ? 4 : 1);
    *out = &p->base;
    return GN_OK;
}
