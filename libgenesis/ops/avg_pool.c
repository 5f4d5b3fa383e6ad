/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avg_pool.c - average pooling. It is linear, so that its gradient and it are each other's: the
 * sums of windows over the input, and of windows that walk backwards over g spread in a frame of
 * zeros.
 */
#include <stdlib.h>

#include "compose.h"
#include "pool.h"

static const char op[] = "avg_pool2d";

/* Every window counts the same number of elements; 0: it differs. */
static int64_t constant_divisor(const gn__pool *pool) {
    const gn_pool_attr *a = &pool->attr;
    int64_t elements = 1;
    for (int d = 0; d < a->n_spatial; d++) {
        int64_t reach = (a->kernel[d] - 1) * a->dilation[d] + 1;
        int64_t end = (pool->out[2 + d] - 1) * a->stride[d] + reach;
        int64_t after = a->count_include_pad ? a->padding_after[d] : 0;
        if (end > pool->in[2 + d] + a->padding[d] + after ||
            (a->padding[d] && !a->count_include_pad))
            return a->divisor;
        elements *= a->kernel[d];
    }
    return a->divisor ? a->divisor : elements;
}

/* ---- Composed */

enum { N_COUNT_PARAMS = 4 }; /* per dim, of window_count */

/* The number of steps of the dilation from `start` that are needed to reach `edge`. */
static int steps_to(gn__builder *b, int start, int edge, int dilation) {
    int distance = gn__emit(b, GN_OP_SUB, edge, start, 0);
    int rest = gn__emit(b, GN_OP_SUB, dilation, gn__const_i(b, GN_I64, 1), 0);
    return gn__emit(b, GN_OP_FLOORDIV, gn__emit(b, GN_OP_ADD, distance, rest, 0), dilation, 0);
}

/* The product, over the spatial dims, of how many of start, start + dilation, .. (kernel of them)
 * are in low .. high - 1: those count. Params per dim: kernel, dilation, low, high. */
static int window_count(gn__builder *b, int n_spatial, const int *start, int type) {
    int count = gn__const_i(b, GN_I64, 1), zero = gn__const_i(b, GN_I64, 0);
    for (int d = 0; d < n_spatial; d++) {
        int kernel = gn__param(b, GN_I64, gn__build_param(b)),
            dilation = gn__param(b, GN_I64, gn__build_param(b)),
            low = gn__param(b, GN_I64, gn__build_param(b)),
            high = gn__param(b, GN_I64, gn__build_param(b));
        int first = gn__load(b, start[d]);
        int end = gn__emit(b, GN_OP_MIN, steps_to(b, first, high, dilation), kernel, 0);
        int begin = gn__emit(b, GN_OP_MAX, steps_to(b, first, low, dilation), zero, 0);
        count = gn__emit(b, GN_OP_MUL, count, gn__emit(b, GN_OP_SUB, end, begin, 0), 0);
    }
    return gn__cast(b, type, count);
}

/* Operands windows, starts, y; v: dtype, number of spatial dims or 0 for a constant factor,
 * which is then the one param. */
static void build_windows(gn__builder *b, const int8_t *v) {
    int type = gn__compute_type(v[0]), x = gn__build_operand(b, GN_READ, v[0]);
    int start[GN_MAX_SPATIAL];
    for (int d = 0; d < v[1]; d++)
        start[d] = gn__build_operand(b, GN_INDEX, GN_I64);
    int y = gn__build_operand(b, GN_WRITE, v[0]);
    int sum = gn__reduce_value(b, GN_SUM, gn__load(b, x), 0);
    if (v[1])
        sum = gn__emit(b, GN_OP_DIV, sum, window_count(b, v[1], start, type), 0);
    else
        sum = gn__emit(b, GN_OP_MUL, sum, gn__param(b, type, gn__build_param(b)), 0);
    gn__store(b, y, sum);
}
static gn__kernel windows_kernel = {.name = "avg_pool", .build = build_windows};

/* Operands g, starts, y = g / count. */
static void build_divide(gn__builder *b, const int8_t *v) {
    int type = gn__compute_type(v[0]), g = gn__build_operand(b, GN_READ, v[0]);
    int start[GN_MAX_SPATIAL];
    for (int d = 0; d < v[1]; d++)
        start[d] = gn__build_operand(b, GN_INDEX, GN_I64);
    int y = gn__build_operand(b, GN_WRITE, v[0]);
    gn__store(b, y, gn__emit(b, GN_OP_DIV, gn__load(b, g), window_count(b, v[1], start, type), 0));
}
static gn__kernel divide_kernel = {.name = "avg_pool_divide", .build = build_divide};

/* The operands and params of window_count. Returns the number of operands. */
static int count_operands(const gn__pool *pool, gn__operand *operands, gn_scalar *params) {
    const gn_pool_attr *a = &pool->attr;
    for (int d = 0; d < a->n_spatial; d++) {
        operands[d] = gn__operand_index(-a->padding[d]);
        operands[d].stride[2 + d] = a->stride[d];
        gn_scalar *own = params + N_COUNT_PARAMS * d;
        own[0].i = a->kernel[d];
        own[1].i = a->dilation[d];
        own[2].i = a->count_include_pad ? -a->padding[d] : 0;
        own[3].i = pool->in[2 + d] + (a->count_include_pad ? a->padding_after[d] : 0);
    }
    return (int)a->n_spatial;
}

gn_status gn__composed_avg_pool(const gn__pool *pool, gn_tensor *x, gn_tensor *y) {
    static const int64_t zero[GN_MAX_SPATIAL];
    const int64_t divisor = constant_divisor(pool);
    gn_tensor *frame = gn__pool_framed(pool, x, 0);
    if (frame == NULL)
        return gn_error_status();
    gn__rows space = gn__pool_space(pool);
    gn__operand operands[GN__POOL_PROGRAM_OPERANDS];
    gn_scalar params[N_COUNT_PARAMS * GN_MAX_SPATIAL] = {{.f = 1.0 / (double)divisor}};
    int n = 0;
    operands[n++] = gn__pool_windows(pool, frame, zero, pool->attr.stride, pool->attr.dilation);
    if (divisor == 0)
        n += count_operands(pool, operands + n, params);
    operands[n++] = gn__pool_results(pool, y);
    int8_t counted = divisor ? 0 : (int8_t)pool->attr.n_spatial;
    return gn__kernel_run(op, x->storage->device, &windows_kernel, GN__VARIANT(x->dtype, counted),
                          &space, operands, params);
}

static gn_tensor *divided(const gn__pool *pool, gn_tensor *g) {
    gn_tensor *y = gn__tensor_like(g, g->dtype);
    if (y == NULL)
        return NULL;
    gn__rows space = gn__rows_of(g, 0);
    gn__operand operands[GN__POOL_PROGRAM_OPERANDS];
    gn_scalar params[N_COUNT_PARAMS * GN_MAX_SPATIAL];
    int n = 0;
    operands[n++] = gn__rows_full(&space, g);
    n += count_operands(pool, operands + n, params);
    operands[n++] = gn__rows_full(&space, y);
    gn_status status = gn__kernel_run(op, g->storage->device, &divide_kernel,
                                      GN__VARIANT(g->dtype, (int8_t)pool->attr.n_spatial), &space,
                                      operands, params);
    return status == GN_OK ? y : NULL;
}

gn_status gn__composed_avg_pool_backward(const gn__pool *pool, gn_tensor *g, gn_tensor *dx) {
    static const int64_t one[GN_MAX_SPATIAL] = {1, 1, 1};
    const gn_pool_attr *a = &pool->attr;
    const int64_t divisor = constant_divisor(pool);
    int64_t size[GN_MAX_SPATIAL], before[GN_MAX_SPATIAL], first[GN_MAX_SPATIAL],
        back[GN_MAX_SPATIAL];
    for (int d = 0; d < a->n_spatial; d++) {
        back[d] = -a->dilation[d];
        before[d] = (a->kernel[d] - 1) * a->dilation[d];
        first[d] = before[d] + a->padding[d];
        size[d] = pool->in[2 + d] + first[d];
        int64_t needed = before[d] + (pool->out[2 + d] - 1) * a->stride[d] + 1;
        if (size[d] < needed)
            size[d] = needed;
    }
    if (divisor == 0)
        g = divided(pool, g);
    gn_tensor *z = g ? gn__framed(g, (int)a->n_spatial, size, before, a->stride, 0) : NULL;
    if (z == NULL)
        return gn_error_status();
    gn__pool windows = *pool; /* one window per element of the input */
    memcpy(windows.out, pool->in, sizeof windows.out);
    gn__rows space = gn__pool_space(&windows);
    gn__operand operands[] = {gn__pool_windows(&windows, z, first, one, back),
                              gn__pool_results(&windows, dx)};
    const gn_scalar params[] = {{.f = divisor ? 1.0 / (double)divisor : 1}};
    return gn__kernel_run(op, dx->storage->device, &windows_kernel, GN__VARIANT(dx->dtype, 0),
                          &space, operands, params);
}

/* ---- Both directions, planned or composed, recorded */

static gn_status avg_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static gn_status avg_backward_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);

static const gn__node_class nodes[] = {
    {.name = op, .backward = avg_backward},
    {.name = "avg_pool2d_backward", .backward = avg_backward_backward},
};

static gn_tensor *run(const gn__pool *pool, gn_tensor *t, bool backwards) {
    gn__device *device = t->storage->device;
    gn_tensor *image = gn__image(device, t);
    gn_tensor *result =
        image ? gn__image_new(device, t->dtype, t->n_dims, backwards ? pool->in : pool->out) : NULL;
    if (result == NULL)
        return NULL;
    int done =
        t->count == 0
            ? 0
            : gn__run_planned(
                  device, op, backwards ? GN_KERNEL_AVG_POOL_BACKWARD : GN_KERNEL_AVG_POOL_FORWARD,
                  2, (gn_tensor *[]){result, image}, &pool->attr, sizeof pool->attr, NULL);
    if (done == 0) {
        const gn__composition composition = gn__composition_begin();
        done = backwards ? gn__composed_avg_pool_backward(pool, image, result)
                         : gn__composed_avg_pool(pool, image, result);
        gn__composition_end(&composition);
    }
    if (done < 0 || !gn__recording(1, &t))
        return done < 0 ? NULL : result;
    gn__node *node = gn__record(&nodes[backwards], result, 1, &t, sizeof *pool);
    if (node == NULL)
        return NULL;
    *(gn__pool *)node->data = *pool;
    return result;
}

static gn_status avg_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = run(node->data, grads[0], true);
    return gn_error_status();
}

static gn_status avg_backward_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = run(node->data, grads[0], false);
    return gn_error_status();
}

gn_tensor *gn_avg_pool2d_with(gn_tensor *x, int64_t kernel, const gn_pool2d_options *options) {
    gn_pool2d_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (o.dilation > 1 || o.dilation < 0 || o.divisor < 0)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "averages have no dilation, and a positive divisor");
    gn_tensor *batch = gn__pool_batched(op, x);
    gn__pool pool;
    if (batch == NULL || !gn__pool_make(op, batch, kernel, &o, &pool))
        return NULL;
    gn_tensor *y = run(&pool, batch, false);
    return y == NULL || x->n_dims == 4 ? y : gn_squeeze_dim(y, 0);
}

/* ---- Adaptive: window i of `out` is [floor(i in / out), ceil((i + 1) in / out)) */

/* (out, in): element (i, j) is 1 / n where window i has n elements, j among them; else 0. */
static gn_tensor *window_means(const gn_tensor *like, int64_t out, int64_t in) {
    int64_t count = gn__count(2, (int64_t[]){out, in});
    double *values = count < 0 ? NULL : gn__alloc_array((size_t)count, sizeof *values);
    if (values == NULL)
        return NULL;
    for (int64_t i = 0; i < out; i++) {
        int64_t first = i * in / out, end = ((i + 1) * in + out - 1) / out;
        for (int64_t j = first; j < end; j++)
            values[i * in + j] = 1.0 / (double)(end - first);
    }
    gn_tensor *matrix = gn__tensor_new(like->storage->device, like->dtype, 2, (int64_t[]){out, in});
    if (matrix && gn__copy_in_data(matrix, values, GN_F64, count) != GN_OK)
        matrix = NULL;
    free(values);
    return matrix;
}

gn_tensor *gn_adaptive_avg_pool2d(gn_tensor *x, int64_t height, int64_t width) {
    static const char adaptive[] = "adaptive_avg_pool2d";
    if (gn__failed() || !gn__given(adaptive, x) || !gn__check_float(adaptive, "input", x))
        return NULL;
    const int n = x->n_dims;
    if ((n != 3 && n != 4) || x->size[n - 2] < 1 || x->size[n - 1] < 1)
        return gn__fail_null(GN_E_ARGUMENT, adaptive, "input %s must be (N, C, H, W) or (C, H, W)",
                             gn__shape_of(x));
    const int64_t in[] = {x->size[n - 2], x->size[n - 1]};
    const int64_t out[] = {height == -1 ? in[0] : height, width == -1 ? in[1] : width};
    for (int d = 0; d < 2; d++)
        if (out[d] < 1 || out[d] > GN__MAX_STEP)
            return gn__fail_null(GN_E_ARGUMENT, adaptive,
                                 "a size must be positive, or -1 to keep that of the input");
    if (out[0] == 1 && out[1] == 1)
        return gn_mean(x, .dims = GN_DIMS(n - 2, n - 1), .keepdim = true);
    if (in[0] % out[0] == 0 && in[1] % out[1] == 0)
        return gn_avg_pool2d(x, 1, .kernel_hw = {in[0] / out[0], in[1] / out[1]});
    gn_tensor *rows = window_means(x, out[0], in[0]), *columns = window_means(x, out[1], in[1]);
    return rows && columns ? gn_matmul(rows, gn_matmul(x, gn_t(columns))) : NULL;
}
