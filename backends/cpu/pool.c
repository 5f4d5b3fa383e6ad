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
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loops.h"
#include "parallel.h"
#include "plan.h"

/* One spatial dim. in: of x and dx, out: of y and dy. */
typedef struct pool_dim {
    int64_t in, out, kernel, stride, padding, dilation;
    float *counted; /* average, for each output: its factor of the divisor */
} pool_dim;

typedef struct pool_plan {
    gn_plan base;
    const plan_loops *loops;
    bool backward, maximum, wide; /* wide: winners are i32, not u8 */
    unsigned layout;
    int64_t images, channels;
    pool_dim dim[3]; /* leading ones are of size 1 */
    float counted[]; /* of the dims in turn */
} pool_plan;

/* `saved` begins with the layout of the winners that follow: that of y and dy. */
enum { SAVED_HEADER = 64 };

/* ---- Windows ----------------------------------------------------------------------------------------- */

/* Sets dim d of the window that output `o` sees in x, and returns the offset of its first pixel. */
static int64_t window_forward(const pool_dim *dim, int d, int64_t o, int64_t pixel,
                              pool_window *w) {
    const int64_t start = o * dim->stride - dim->padding;
    int64_t first = start < 0 ? (-start + dim->dilation - 1) / dim->dilation : 0;
    int64_t end = start < dim->in ? (dim->in - start + dim->dilation - 1) / dim->dilation : 0;
    if (end > dim->kernel)
        end = dim->kernel;
    w->count[d] = end > first ? end - first : 0;
    w->step[d] = dim->dilation * pixel;
    w->index_step[d] = 1;
    w->index += (int32_t)first;
    return (start + first * dim->dilation) * pixel;
}

/* The same for the outputs that see input `i`. Along a dilated window not every output does. */
static int64_t window_backward(const pool_dim *dim, int d, int64_t i, int64_t pixel,
                               pool_window *w) {
    const int64_t reach = (dim->kernel - 1) * dim->dilation, at = i + dim->padding;
    int64_t first = at > reach ? (at - reach + dim->stride - 1) / dim->stride : 0;
    int64_t last = at / dim->stride, period = 1;
    if (last >= dim->out)
        last = dim->out - 1;
    while (period * dim->stride % dim->dilation)
        period++;
    while (first <= last && (at - first * dim->stride) % dim->dilation)
        first++;
    w->count[d] = first <= last ? (last - first) / period + 1 : 0;
    w->step[d] = period * pixel;
    w->index_step[d] = -(int32_t)(period * dim->stride / dim->dilation);
    w->index += (int32_t)((at - first * dim->stride) / dim->dilation);
    w->divisor[d] = dim->counted + first;
    return first * pixel;
}

/* ---- The walk ---------------------------------------------------------------------------------------- */

typedef struct pool_job {
    const pool_plan *plan;
    const float *source;
    float *target;
    char *winners;
} pool_job;

/* Walks one row of pixels of the target: pixels (n, d, h, *). */
static void pool_row(const pool_job *job, int64_t n, int64_t d, int64_t h) {
    const pool_plan *p = job->plan;
    const pool_dim *dim = p->dim;
    const int64_t c = p->channels, winner_bytes = p->wide ? 4 : 1;
    int64_t size[3], source_size[3];
    for (int i = 0; i < 3; i++) {
        size[i] = p->backward ? dim[i].in : dim[i].out;
        source_size[i] = p->backward ? dim[i].out : dim[i].in;
    }
    const int64_t pixels[3] = {source_size[1] * source_size[2] * c, source_size[2] * c, c};
    const int64_t image = n * source_size[0] * pixels[0];
    int64_t (*const set)(const pool_dim *, int, int64_t, int64_t, pool_window *) =
        p->backward ? window_backward : window_forward;

    pool_window w;
    int32_t index[3] = {0};
    int64_t at = image;
    for (int i = 0; i < 2; i++) {
        w.index = 0;
        at += set(&dim[i], i, i == 0 ? d : h, pixels[i], &w);
        index[i] = w.index;
    }
    const int32_t plane = (int32_t)(dim[1].kernel * dim[2].kernel), line = (int32_t)dim[2].kernel;
    w.index_step[0] *= plane;
    w.index_step[1] *= line;
    const int64_t target = (((n * size[0] + d) * size[1] + h) * size[2]) * c;
    for (int64_t i = 0; i < size[2]; i++) {
        w.index = 0;
        const int64_t from = at + set(&dim[2], 2, i, c, &w);
        const int64_t to = target + i * c;
        w.index += index[0] * plane + index[1] * line;
        if (p->maximum && p->backward)
            p->loops->max_backward(&w, c, job->source + from, job->winners + from * winner_bytes,
                                   p->wide, job->target + to);
        else if (p->maximum)
            p->loops->max_forward(&w, c, job->source + from, job->target + to,
                                  job->winners + to * winner_bytes, p->wide);
        else if (p->backward)
            p->loops->average_backward(&w, c, job->source + from, job->target + to);
        else
            p->loops->average_forward(&w, c, job->source + from,
                                      dim[0].counted[d] * dim[1].counted[h] * dim[2].counted[i],
                                      job->target + to);
    }
}

static void pool_body(void *context, int thread, int n_threads) {
    const pool_job *job = context;
    const pool_plan *p = job->plan;
    const int64_t depth = p->backward ? p->dim[0].in : p->dim[0].out;
    const int64_t height = p->backward ? p->dim[1].in : p->dim[1].out;
    const int64_t rows = p->images * depth * height;
    const int64_t end = cpu_share(rows, thread + 1, n_threads);
    for (int64_t row = cpu_share(rows, thread, n_threads); row < end; row++)
        pool_row(job, row / height / depth, row / height % depth, row % height);
}

static gn_status pool_run(gn_plan *plan, const gn_run *run) {
    const pool_plan *p = (pool_plan *)plan;
    pool_job job = {.plan = p,
                    .source = plan_memory(&run->tensors[1]),
                    .target = plan_memory(&run->tensors[0])};
    if (p->maximum) {
        char *saved = plan_memory(&run->saved);
        if (!p->backward)
            *saved = (char)p->layout;
        else if (*saved != (char)p->layout)
            return cpu_fail(GN_E_ARGUMENT, run->tag,
                            "the gradient of max pooling lies otherwise in memory than the output");
        job.winners = saved + SAVED_HEADER;
    }
    int64_t elements = p->images * p->channels, window = 1;
    for (int d = 0; d < 3; d++) {
        elements *= p->dim[d].in > p->dim[d].out ? p->dim[d].in : p->dim[d].out;
        window *= p->backward ? 1 : p->dim[d].kernel;
    }
    const int64_t tasks = p->images * p->dim[0].out * p->dim[1].out;
    cpu_parallel(cpu_threads_for((double)elements * .2, tasks), pool_body, &job);
    (void)window;
    return GN_OK;
}

static void pool_release(gn_plan *plan) {
    free(plan);
}

/* ---- The plan ---------------------------------------------------------------------------------------- */

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
        *dim = (pool_dim){1, 1, 1, 1, 0, 1, counted};
        if (d >= 0)
            *dim = (pool_dim){x->size[2 + d], y->size[2 + d], a->kernel[d], a->stride[d],
                              a->padding[d],  a->dilation[d], counted};
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

gn_status plan_pool(const plan_request *request, gn_plan_info *info, gn_plan **out) {
    const gn_status status = check_shapes(request);
    if (status)
        return status;
    const gn_tensor_desc *first = &request->tensors[0];
    const bool backward = request->kernel == GN_KERNEL_MAX_POOL_BACKWARD ||
                          request->kernel == GN_KERNEL_AVG_POOL_BACKWARD;
    const gn_tensor_desc *y = &request->tensors[backward ? 1 : 0];
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
    const unsigned layouts = tensor_layouts(first) & tensor_layouts(&request->tensors[1]);
    p->layout = layouts & LAYOUT_NHWC ? LAYOUT_NHWC : LAYOUT_NCHW;
    p->images = p->layout == LAYOUT_NHWC ? first->size[0] : first->size[0] * first->size[1];
    p->channels = p->layout == LAYOUT_NHWC ? first->size[1] : 1;
    set_dims(p, request);
    p->wide = p->dim[0].kernel * p->dim[1].kernel * p->dim[2].kernel > UINT8_MAX;
    if (p->maximum)
        info->saved_bytes = SAVED_HEADER + (uint64_t)elements * (p->wide ? 4 : 1);
    *out = &p->base;
    return GN_OK;
}
