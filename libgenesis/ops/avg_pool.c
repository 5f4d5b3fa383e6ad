/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avg_pool.c - average pooling. It is linear, so that its gradient and it are each other's: the
 * sums of windows over the input, and of windows that walk backwards over g spread in a frame of
 * zeros.
 */
#include "compose.h"
#include "pool.h"

static const char *const names[] = {"avg_pool1d", "avg_pool2d", "avg_pool3d"};

static const char *name_of(const gn__pool *pool) { return names[pool->attr.n_spatial - 1]; }

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
    return gn__kernel_run(name_of(pool), x->storage->device, &windows_kernel,
                          GN__VARIANT(x->dtype, counted), &space, operands, params);
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
    gn_status status = gn__kernel_run(name_of(pool), g->storage->device, &divide_kernel,
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
    return gn__kernel_run(name_of(pool), dx->storage->device, &windows_kernel,
                          GN__VARIANT(dx->dtype, 0), &space, operands, params);
}

/* ---- Both directions, planned or composed, recorded */

static gn_status avg_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static gn_status avg_backward_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);

/* By direction, then by the number of spatial dims. */
static const gn__node_class nodes[][GN_MAX_SPATIAL] = {
    {{.name = "avg_pool1d", .backward = avg_backward},
     {.name = "avg_pool2d", .backward = avg_backward},
     {.name = "avg_pool3d", .backward = avg_backward}},
    {{.name = "avg_pool1d_backward", .backward = avg_backward_backward},
     {.name = "avg_pool2d_backward", .backward = avg_backward_backward},
     {.name = "avg_pool3d_backward", .backward = avg_backward_backward}},
};

static gn_tensor *run(const gn__pool *pool, gn_tensor *t, bool backwards) {
    gn__device *device = t->storage->device;
    gn_tensor *image = gn__image(device, t);
    gn_tensor *result =
        image ? gn__image_new(device, t->dtype, t->n_dims, backwards ? pool->in : pool->out) : NULL;
    if (result == NULL)
        return NULL;
    int done = t->count == 0
                   ? 0
                   : gn__run_planned(
                         device, name_of(pool),
                         backwards ? GN_KERNEL_AVG_POOL_BACKWARD : GN_KERNEL_AVG_POOL_FORWARD, 2,
                         (gn_tensor *[]){result, image}, &pool->attr, sizeof pool->attr, NULL);
    if (done == 0) {
        const gn__composition composition = gn__composition_begin();
        done = backwards ? gn__composed_avg_pool_backward(pool, image, result)
                         : gn__composed_avg_pool(pool, image, result);
        gn__composition_end(&composition);
    }
    if (done < 0 || !gn__recording(1, &t))
        return done < 0 ? NULL : result;
    gn__node *node =
        gn__record(&nodes[backwards][pool->attr.n_spatial - 1], result, 1, &t, sizeof *pool);
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

static gn_tensor *avg_pool(int n, gn_tensor *x, int64_t kernel, const gn_pool_options *options) {
    const char *op = names[n - 1];
    gn_pool_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    bool dilated = o.dilation > 1 || o.dilation < 0;
    for (int d = 0; d < n; d++)
        dilated = dilated || o.dilations[d] > 1 || o.dilations[d] < 0;
    if (dilated || o.divisor_override < 0 || o.indices)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "averages have no dilation, no indices, and a positive divisor");
    gn_tensor *batch = gn__pool_batched(op, n, x);
    gn__pool pool;
    if (batch == NULL || !gn__pool_make(op, n, batch, kernel, &o, &pool))
        return NULL;
    gn_tensor *y = run(&pool, batch, false);
    return y == NULL || x == batch ? y : gn_squeeze_dim(y, 0);
}

gn_tensor *gn_avg_pool1d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options) {
    return avg_pool(1, x, kernel, options);
}

gn_tensor *gn_avg_pool2d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options) {
    return avg_pool(2, x, kernel, options);
}

gn_tensor *gn_avg_pool3d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options) {
    return avg_pool(3, x, kernel, options);
}
