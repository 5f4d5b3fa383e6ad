/* SPDX-License-Identifier: Apache-2.0 */
/*
 * max_pool.c - max pooling. Its gradient adds g to the place of each maximum; without a planned
 * kernel those places are int64 indices into H W, found by the same reduction as the maxima.
 */
#include <math.h>

#include "compose.h"
#include "pool.h"

static const char *const names[] = {"max_pool1d", "max_pool2d", "max_pool3d"};

static const char *name_of(const gn__pool *pool) { return names[pool->attr.n_spatial - 1]; }

/* ---- Composed: maxima and their places. NaN wins, then the first of equal ones. */

/* Operands windows, place per dim, [maxima], [indices]; params: the input's sizes. v: dtype,
 * number of spatial dims, whether maxima and indices are wanted. */
static void build_max(gn__builder *b, const int8_t *v) {
    int x = gn__build_operand(b, GN_READ, v[0]), place[GN_MAX_SPATIAL];
    for (int d = 0; d < v[1]; d++)
        place[d] = gn__build_operand(b, GN_INDEX, GN_I64);
    int y = v[2] ? gn__build_operand(b, GN_WRITE, v[0]) : -1;
    int indices = v[3] ? gn__build_operand(b, GN_WRITE, GN_I64) : -1;
    int value = gn__load(b, x), max = -1, at = -1;
    if (v[3]) {
        int inside = gn__const_i(b, GN_BOOL, 1), flat = gn__const_i(b, GN_I64, 0);
        for (int d = 0; d < v[1]; d++) {
            int i = gn__load(b, place[d]), size = gn__param(b, GN_I64, gn__build_param(b));
            int low = gn__emit(b, GN_OP_LE, gn__const_i(b, GN_I64, 0), i, 0);
            int high = gn__emit(b, GN_OP_LT, i, size, 0);
            inside = gn__emit(b, GN_OP_AND, inside, gn__emit(b, GN_OP_AND, low, high, 0), 0);
            flat = gn__emit(b, GN_OP_ADD, gn__emit(b, GN_OP_MUL, flat, size, 0), i, 0);
        }
        int payload = gn__emit(b, GN_OP_SELECT, inside, flat, gn__const_i(b, GN_I64, INT64_MAX));
        at = gn__reduce_value(b, GN_ARGMAX, value, payload);
    }
    if (v[2])
        max = gn__reduce_value(b, GN_MAX, value, 0);
    if (v[2])
        gn__store(b, y, max);
    if (v[3])
        gn__store(b, indices, at);
}
static gn__kernel max_kernel = {.name = "max_pool", .build = build_max};

/* y and indices may be NULL. */
gn_status gn__composed_max_pool(const gn__pool *pool, gn_tensor *x, gn_tensor *y,
                                gn_tensor *indices) {
    static const int64_t zero[GN_MAX_SPATIAL];
    const int n = (int)pool->attr.n_spatial;
    gn_tensor *frame = gn__pool_framed(pool, x, -INFINITY);
    if (frame == NULL)
        return gn_error_status();
    gn__rows space = gn__pool_space(pool);
    gn__operand operands[GN__POOL_PROGRAM_OPERANDS];
    gn_scalar params[GN_MAX_SPATIAL];
    int k = 0;
    operands[k++] = gn__pool_windows(pool, frame, zero, pool->attr.stride, pool->attr.dilation);
    for (int d = 0; d < n; d++) {
        operands[k++] = gn__pool_place(pool, d);
        params[d].i = pool->in[2 + d];
    }
    if (y)
        operands[k++] = gn__pool_results(pool, y);
    if (indices)
        operands[k++] = gn__pool_results(pool, indices);
    return gn__kernel_run(name_of(pool), x->storage->device, &max_kernel,
                          GN__VARIANT(x->dtype, (int8_t)n, y != NULL, indices != NULL), &space,
                          operands, params);
}

static gn_tensor *indices_new(const gn__pool *pool, gn__device *device) {
    return gn__tensor_new(device, GN_I64, 2 + (int)pool->attr.n_spatial, pool->out);
}

/* ---- Spreading g to the places, and gathering from them: each other's gradient */

/* y = x at the indices   Operands x by LOADX, indices, y. */
static void build_gather(gn__builder *b, const int8_t *v) {
    int x = gn__build_operand(b, GN_READ, v[0]), at = gn__build_operand(b, GN_READ, GN_I64),
        y = gn__build_operand(b, GN_WRITE, v[0]);
    gn__store(b, y, gn__loadx(b, x, gn__load(b, at)));
}
static gn__kernel gather_kernel = {.name = "max_pool_gather", .build = build_gather};

/* t (N, C, in..), row-major, whose spatial dims are one axis. */
static gn__operand along_places(const gn__pool *pool, const gn_tensor *t) {
    return (gn__operand){.storage = t->storage,
                         .offset = t->offset,
                         .stride = {t->stride[0], t->stride[1]},
                         .axis_stride = 1,
                         .axis_extent = gn__count((int)pool->attr.n_spatial, pool->in + 2)};
}

static gn_status gather_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *indices = gn__saved_tensor(node, 0);
    out[0] = indices ? gn__max_pool_spread(node->data, grads[0], indices) : NULL;
    return gn_error_status();
}

static gn_status spread_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);

static const gn__node_class gather_node = {.name = "max_pool_gather", .backward = gather_backward};
static const gn__node_class spread_node = {.name = "max_pool_spread", .backward = spread_backward};

static gn_tensor *recorded(const gn__node_class *type, const gn__pool *pool, gn_tensor *result,
                           gn_tensor *input, gn_tensor *indices) {
    if (!gn__recording(1, &input))
        return result;
    gn__node *node = gn__record(type, result, 1, &input, sizeof *pool);
    if (node == NULL)
        return NULL;
    *(gn__pool *)node->data = *pool;
    gn__save(node, 0, indices);
    return result;
}

static gn_tensor *gather(const gn__pool *pool, gn_tensor *x, gn_tensor *indices) {
    const int n = 2 + (int)pool->attr.n_spatial;
    gn__device *device = x->storage->device;
    gn_tensor *rows = gn__row_major_copy(x), *y = gn__tensor_new(device, x->dtype, n, pool->out);
    if (gn__failed())
        return NULL;
    gn__rows space = gn__rows_of(y, 0);
    gn__operand operands[] = {along_places(pool, rows), gn__rows_full(&space, indices),
                              gn__rows_full(&space, y)};
    if (gn__kernel_run(name_of(pool), device, &gather_kernel, GN__VARIANT(x->dtype), &space,
                       operands, NULL) != GN_OK)
        return NULL;
    return recorded(&gather_node, pool, y, x, indices);
}

static gn_status spread_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *indices = gn__saved_tensor(node, 0);
    out[0] = indices ? gather(node->data, grads[0], indices) : NULL;
    return gn_error_status();
}

gn_tensor *gn__max_pool_spread(const gn__pool *pool, gn_tensor *g, gn_tensor *indices) {
    const int n_spatial = (int)pool->attr.n_spatial, n = 2 + n_spatial;
    gn__device *device = g->storage->device;
    gn_tensor *dx = gn__tensor_new(device, g->dtype, n, pool->in);
    if (dx == NULL || gn__fill_data(dx, 0) != GN_OK)
        return NULL;
    gn__rows space = gn__rows_of(g, 0);
    const gn__operand operands[3] = {gn__rows_full(&space, g), gn__rows_full(&space, indices),
                                     along_places(pool, dx)};
    if (gn__launch_scatter(device, name_of(pool), n, n_spatial, space.size, g->dtype,
                           GN_SCATTER_ADD, true, operands) != GN_OK)
        return NULL;
    return recorded(&spread_node, pool, dx, g, indices);
}

/* ---- Max pooling */

typedef struct max_pool_data {
    gn__pool pool;
    gn__storage *saved; /* what the planned forward run keeps for its backward; NULL: composed */
} max_pool_data;

enum { X, INDICES }; /* saved tensors */

/* dx by the planned kernel; NULL without an error: it declines. */
static gn_tensor *backward_planned(const max_pool_data *data, gn_tensor *g) {
    gn__device *device = g->storage->device;
    g = gn__image(device, g);
    gn_tensor *dx = g ? gn__image_new(device, g->dtype, g->n_dims, data->pool.in) : NULL;
    if (dx == NULL)
        return NULL;
    gn__storage *saved = data->saved;
    int done =
        gn__run_planned(device, name_of(&data->pool), GN_KERNEL_MAX_POOL_BACKWARD, 2,
                        (gn_tensor *[]){dx, g}, &data->pool.attr, sizeof data->pool.attr, &saved);
    return done == 1 ? dx : NULL;
}

static gn_tensor *backward_composed(const max_pool_data *data, gn__node *node, gn_tensor *g) {
    gn_tensor *indices = gn__saved_tensor(node, INDICES);
    if (indices == NULL) {
        gn_tensor *x = gn__saved_tensor(node, X);
        indices = x ? indices_new(&data->pool, x->storage->device) : NULL;
        if (indices == NULL || gn__composed_max_pool(&data->pool, x, NULL, indices) != GN_OK)
            return NULL;
    }
    return gn__max_pool_spread(&data->pool, g, indices);
}

static gn_status max_pool_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const max_pool_data *data = node->data;
    gn_tensor *g = grads[0];
    if (data->saved && !gn_is_grad_enabled()) {
        out[0] = backward_planned(data, g);
        if (out[0] || gn__failed())
            return gn_error_status();
    } else if (g->count > 0 && !gn_is_grad_enabled()) {
        gn__fallback(g->storage->device, name_of(&data->pool), "its forward run was composed");
    }
    const gn__composition composition = gn__composition_begin();
    out[0] = backward_composed(data, node, g);
    gn__composition_end(&composition);
    return gn_error_status();
}

static void max_pool_destroy(void *data) {
    gn__storage *saved = ((max_pool_data *)data)->saved;
    if (saved)
        gn__storage_release(saved);
}

static const gn__node_class nodes[] = {
    {.name = "max_pool1d", .backward = max_pool_backward, .destroy = max_pool_destroy},
    {.name = "max_pool2d", .backward = max_pool_backward, .destroy = max_pool_destroy},
    {.name = "max_pool3d", .backward = max_pool_backward, .destroy = max_pool_destroy},
};

/* The maxima, planned or composed; *saved and *indices are what backward needs: one of them. A
 * caller who wants the indices gets them, and no planned kernel, which can't tell them. */
static gn_tensor *forward(const gn__pool *pool, gn_tensor *x, bool wanted, gn__storage **saved,
                          gn_tensor **indices) {
    gn__device *device = x->storage->device;
    const bool recording = gn__recording(1, &x);
    gn_tensor *image = gn__image(device, x);
    gn_tensor *y = image ? gn__image_new(device, x->dtype, x->n_dims, pool->out) : NULL;
    if (y == NULL)
        return NULL;
    int done = 0;
    if (wanted)
        gn__fallback(device, name_of(pool), "its indices are wanted");
    else if (x->count)
        done = gn__run_planned(device, name_of(pool), GN_KERNEL_MAX_POOL_FORWARD, 2,
                               (gn_tensor *[]){y, image}, &pool->attr, sizeof pool->attr, saved);
    if (done == 0) {
        const gn__composition composition = gn__composition_begin();
        *indices = recording || wanted ? indices_new(pool, device) : NULL;
        done = gn__failed() ? gn_error_status() : gn__composed_max_pool(pool, image, y, *indices);
        gn__composition_end(&composition);
    }
    return done < 0 ? NULL : y;
}

static gn_tensor *recorded_max_pool(const gn__pool *pool, gn_tensor *x, bool wanted,
                                    gn_tensor **indices) {
    gn__storage *saved = NULL;
    gn_tensor *y = forward(pool, x, wanted, &saved, indices);
    gn__node *node = y && gn__recording(1, &x) ? gn__record(&nodes[pool->attr.n_spatial - 1], y, 1,
                                                            &x, sizeof(max_pool_data))
                                               : NULL;
    if (node) {
        *(max_pool_data *)node->data = (max_pool_data){.pool = *pool, .saved = saved};
        if (*indices)
            gn__save(node, INDICES, *indices);
        else
            gn__save(node, X, x);
    } else if (saved) {
        gn__storage_release(saved);
    }
    return gn__failed() ? NULL : y;
}

static gn_tensor *max_pool(int n, gn_tensor *x, int64_t kernel, const gn_pool_options *options) {
    const char *op = names[n - 1];
    gn_pool_options o;
    gn__options(&o, sizeof o, options);
    if (o.indices)
        *o.indices = NULL;
    if (gn__failed())
        return NULL;
    if (o.exclude_pad || o.divisor_override)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "exclude_pad and divisor_override are for averages");
    gn_tensor *batch = gn__pool_batched(op, n, x), *indices = NULL;
    gn__pool pool;
    if (batch == NULL || !gn__pool_make(op, n, batch, kernel, &o, &pool))
        return NULL;
    gn_tensor *y = recorded_max_pool(&pool, batch, o.indices != NULL, &indices);
    if (y && x != batch) {
        y = gn_squeeze_dim(y, 0);
        indices = o.indices ? gn_squeeze_dim(indices, 0) : NULL;
    }
    if (y && o.indices)
        *o.indices = indices;
    return y;
}

gn_tensor *gn_max_pool1d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options) {
    return max_pool(1, x, kernel, options);
}

gn_tensor *gn_max_pool2d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options) {
    return max_pool(2, x, kernel, options);
}

gn_tensor *gn_max_pool3d_with(gn_tensor *x, int64_t kernel, const gn_pool_options *options) {
    return max_pool(3, x, kernel, options);
}
