/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm.c - batch norm over (N, C, spatial..) in training, and its gradient; f32. Not by
 * oneDNN: its channels-last statistics read x twice.
 *
 * x is cut into blocks of whole channels, whatever the number of threads: images' planes of
 * (N, C, spatial..), some rows of channels-last pixels. One pass over memory takes two sums of each
 * block, in f32; they are put together in double precision; a second pass computes the result.
 */
#include <math.h>
#include <stdlib.h>

#include "loops.h"
#include "parallel.h"
#include "plan.h"

typedef struct norm_plan {
    plan_kernel base;
    const plan_loops *loops;
    bool backward, by_row; /* by_row: a block is one plane, else block_rows pixels */
    int64_t channels, rows, columns, block_rows, n_blocks;
    double eps;
} norm_plan;

/* Where the sums of a block begin, and the number of elements that each of them is of. */
static int64_t block_sums(const norm_plan *p, int64_t block) {
    return p->by_row ? block : block * p->channels;
}

static int64_t block_height(const norm_plan *p, int64_t block) {
    const int64_t left = p->rows - block * p->block_rows;
    return left < p->block_rows ? left : p->block_rows;
}

typedef struct norm_job {
    const norm_plan *plan;
    const float *x, *dy;
    float *target;         /* y or dx */
    float *first, *second; /* sums by block, then by channel */
    float *mean;
    float *coefficient[3]; /* by channel; for norm_forward or norm_backward */
} norm_job;

static void sums_body(void *context, int thread, int n_threads) {
    const norm_job *job = context;
    const norm_plan *p = job->plan;
    const int64_t end = cpu_share(p->n_blocks, thread + 1, n_threads);
    for (int64_t b = cpu_share(p->n_blocks, thread, n_threads); b < end; b++) {
        const int64_t at = b * p->block_rows * p->columns, sums = block_sums(p, b);
        const int64_t rows = block_height(p, b);
        if (p->backward)
            p->loops->norm_products(rows, p->columns, p->by_row, job->dy + at, job->x + at,
                                    job->mean + (p->by_row ? b % p->channels : 0),
                                    job->first + sums, job->second + sums);
        else
            p->loops->norm_moments(rows, p->columns, p->by_row, job->x + at, job->first + sums,
                                   job->second + sums);
    }
}

static void result_body(void *context, int thread, int n_threads) {
    const norm_job *job = context;
    const norm_plan *p = job->plan;
    const int64_t end = cpu_share(p->n_blocks, thread + 1, n_threads);
    for (int64_t b = cpu_share(p->n_blocks, thread, n_threads); b < end; b++) {
        const int64_t at = b * p->block_rows * p->columns;
        const int64_t rows = block_height(p, b), c = p->by_row ? b % p->channels : 0;
        if (p->backward)
            p->loops->norm_backward(rows, p->columns, p->by_row, job->dy + at, job->x + at,
                                    job->mean + c, job->coefficient[0] + c, job->coefficient[1] + c,
                                    job->coefficient[2] + c, job->target + at);
        else
            p->loops->norm_forward(rows, p->columns, p->by_row, job->x + at, job->mean + c,
                                   job->coefficient[0] + c, job->coefficient[1] + c,
                                   job->target + at);
    }
}

/* ---- From the sums of blocks to those of channels ------------------------------------------ */

static int64_t blocks_of_channel(const norm_plan *p) {
    return p->by_row ? p->rows / p->channels : p->n_blocks;
}

static double block_count(const norm_plan *p, int64_t block) {
    return p->by_row ? (double)p->columns : (double)block_height(p, block);
}

static double count_of_channel(const norm_plan *p) {
    return (double)p->rows * (double)p->columns / (double)p->channels;
}

/* Chan's formula: the moments of two samples together. */
static void join_moments(const norm_job *job, int64_t channel, double *mean, double *squares) {
    const norm_plan *p = job->plan;
    double count = 0;
    *mean = *squares = 0;
    for (int64_t b = 0; b < blocks_of_channel(p); b++) {
        const int64_t i = b * p->channels + channel;
        const double n = block_count(p, b), difference = (double)job->first[i] - *mean;
        *squares += (double)job->second[i] + difference * difference * count * n / (count + n);
        *mean += difference * n / (count + n);
        count += n;
    }
}

static void join_sums(const norm_job *job, int64_t channel, double *sum, double *product) {
    *sum = *product = 0;
    for (int64_t b = 0; b < blocks_of_channel(job->plan); b++) {
        *sum += (double)job->first[b * job->plan->channels + channel];
        *product += (double)job->second[b * job->plan->channels + channel];
    }
}

/* ---- The two kernels ----------------------------------------------------------------------- */

enum { Y, X, W, B, MEAN, VAR };                          /* tensors of the forward pass */
enum { DX, DW, DB, DY, X_, W_, MEAN_, VAR_, N_TENSORS }; /* and of the backward */

static void run_body(const norm_job *job, cpu_body *body, double nanoseconds) {
    const norm_plan *p = job->plan;
    const double elements = (double)p->rows * (double)p->columns;
    cpu_parallel(cpu_threads_for(elements * nanoseconds, p->n_blocks), body, (void *)job);
}

/* y = (x - mean) w / sqrt(var + eps) + b */
static void forward(norm_job *job, float *const t[]) {
    const norm_plan *p = job->plan;
    job->x = t[X];
    job->target = t[Y];
    job->mean = t[MEAN];
    run_body(job, sums_body, .1);
    for (int64_t c = 0; c < p->channels; c++) {
        double mean, squares;
        join_moments(job, c, &mean, &squares);
        const double var = squares / count_of_channel(p);
        t[MEAN][c] = (float)mean;
        t[VAR][c] = (float)var;
        job->coefficient[0][c] = (float)((double)t[W][c] / sqrt(var + p->eps));
        job->coefficient[1][c] = t[B][c];
    }
    run_body(job, result_body, .1);
}

/* With n elements a channel, r = 1 / sqrt(var + eps) and h = (x - mean) r:
 * db = sum dy, dw = sum dy h, dx = w r (dy - db / n - h dw / n) */
static void backward(norm_job *job, float *const t[]) {
    const norm_plan *p = job->plan;
    const double n = count_of_channel(p);
    job->x = t[X_];
    job->dy = t[DY];
    job->target = t[DX];
    job->mean = t[MEAN_];
    run_body(job, sums_body, .15);
    for (int64_t c = 0; c < p->channels; c++) {
        double sum, product;
        join_sums(job, c, &sum, &product);
        const double r = 1 / sqrt((double)t[VAR_][c] + p->eps), wr = (double)t[W_][c] * r;
        t[DB][c] = (float)sum;
        t[DW][c] = (float)(product * r);
        job->coefficient[0][c] = (float)wr;
        job->coefficient[1][c] = (float)(-wr * r * product * r / n);
        job->coefficient[2][c] = (float)(-wr * sum / n);
    }
    run_body(job, result_body, .15);
}

static gn_status norm_run(plan_kernel *plan, const gn_run *run) {
    const norm_plan *p = (norm_plan *)plan;
    norm_job job = {.plan = p};
    float *t[N_TENSORS] = {NULL}, *workspace = plan_memory(&run->workspace);
    for (int i = 0; i < (p->backward ? N_TENSORS : VAR + 1); i++)
        t[i] = plan_memory(&run->tensors[i]);
    job.first = workspace;
    job.second = job.first + blocks_of_channel(p) * p->channels;
    for (int i = 0; i < 3; i++)
        job.coefficient[i] = job.second + (blocks_of_channel(p) + i) * p->channels;
    (p->backward ? backward : forward)(&job, t);
    return GN_OK;
}

static void norm_release(plan_kernel *plan) { free(plan); }

/* ---- The plan ------------------------------------------------------------------------------ */

/* The layouts that all images have in common; 0 if shapes or dtypes do not fit. */
static unsigned check_tensors(const plan_request *request, bool is_backward) {
    const gn_tensor_desc *t = request->tensors, *x = &t[is_backward ? X_ : X];
    unsigned layouts = LAYOUT_NCHW | LAYOUT_NHWC;
    for (int i = 0; i < (is_backward ? N_TENSORS : VAR + 1); i++) {
        const bool is_image = is_backward ? i == DX || i == DY || i == X_ : i <= X;
        if (t[i].dtype != GN_F32 || t[i].n_dims != (is_image ? x->n_dims : 1))
            return 0;
        for (int d = 0; d < t[i].n_dims; d++)
            if (t[i].size[d] != x->size[is_image ? d : 1])
                return 0;
        if (is_image)
            layouts &= tensor_layouts(&t[i]);
        else if (t[i].size[0] > 1 && t[i].stride[0] != 1)
            return 0;
    }
    return layouts;
}

gn_status plan_batch_norm(const plan_request *request, gn_plan_info *info, plan_kernel **out) {
    const bool is_backward = request->kernel == GN_KERNEL_BATCH_NORM_BACKWARD;
    const gn_tensor_desc *x = &request->tensors[is_backward ? X_ : X];
    if (x->n_dims < 2)
        return cpu_fail(GN_E_ARGUMENT, 0, "batch norm of a tensor with %d dims", (int)x->n_dims);
    const unsigned layouts = check_tensors(request, is_backward);
    if (!layouts)
        return cpu_fail(GN_E_UNSUPPORTED, 0,
                        "batch norm is planned for dense float32 tensors of one layout");
    norm_plan *p = calloc(1, sizeof *p);
    if (!p)
        return cpu_fail(GN_E_MEMORY, 0, "no memory for the plan of a batch norm");
    int64_t pixels = 1;
    for (int d = 2; d < x->n_dims; d++)
        pixels *= x->size[d];
    p->base.run = norm_run;
    p->base.release = norm_release;
    p->loops = plan_loops_best();
    p->eps = request->attr.norm.eps;
    p->backward = is_backward;
    p->by_row = !(layouts & LAYOUT_NHWC);
    p->channels = x->size[1];
    p->rows = x->size[0] * (p->by_row ? p->channels : pixels);
    p->columns = p->by_row ? pixels : p->channels;
    /* A block of channels-last pixels fits into the second cache. */
    p->block_rows = p->by_row ? 1 : 32768 / p->channels;
    if (p->block_rows < 16 && !p->by_row)
        p->block_rows = 16;
    p->n_blocks = (p->rows + p->block_rows - 1) / p->block_rows;
    info->workspace_bytes =
        (uint64_t)((2 * blocks_of_channel(p) + 3) * p->channels) * sizeof(float);
    *out = &p->base;
    return GN_OK;
}
