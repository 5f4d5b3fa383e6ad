/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose.c - the composed form of any planned kernel, from its descriptor: what a backend's own
 * kernel is compared with. Operations themselves call the functions of compose.h.
 */
#include "compose.h"

/* A run: the tensors stand on the stack, over storage of the caller's. */
typedef struct job {
    const char *op;
    const void *attributes;
    gn_tensor tensors[GN__MAX_PLAN_TENSORS];
    bool present[GN__MAX_PLAN_TENSORS];
    gn__pointer saved;
} job;

static gn_tensor *tensor(job *j, int i) { return j->present[i] ? &j->tensors[i] : NULL; }

/* False, with an error, if a tensor can't have these dims, or begins between two elements. */
static bool look(gn_tensor *t, const gn_tensor_desc *desc, const gn__pointer *at) {
    const int64_t bytes = gn_dtype_bytes(desc->dtype);
    if (desc->n_dims > GN_TENSOR_MAX_DIMS || bytes == 0 || at->offset % bytes) {
        gn_fail(GN_E_UNSUPPORTED, "compose", "a tensor of %d dims and dtype %d at byte %lld",
                desc->n_dims, desc->dtype, (long long)at->offset);
        return false;
    }
    *t = (gn_tensor){.storage = at->storage,
                     .offset = at->offset / bytes,
                     .count = gn__count(desc->n_dims, desc->size),
                     .dtype = (int8_t)desc->dtype,
                     .n_dims = (int8_t)desc->n_dims};
    memcpy(t->size, desc->size, (size_t)desc->n_dims * sizeof t->size[0]);
    memcpy(t->stride, desc->stride, (size_t)desc->n_dims * sizeof t->stride[0]);
    return true;
}

/* ---- Products */

/* Operands c, c. */
static void build_relu(gn__builder *b, const int8_t *v) {
    int in = gn__build_operand(b, GN_READ, v[0]), out = gn__build_operand(b, GN_WRITE, v[0]);
    int zero = gn__const_f(b, gn__compute_type(v[0]), 0);
    gn__store(b, out, gn__emit(b, GN_OP_MAX, gn__load(b, in), zero, 0));
}
static gn__kernel relu_kernel = {.name = "relu", .build = build_relu};

static gn_status matmul(job *j) {
    const gn_matmul_attr *attr = j->attributes;
    gn_tensor *c = tensor(j, 0);
    gn_status status = gn__composed_product(j->op, c, tensor(j, 1), tensor(j, 2), tensor(j, 3));
    if (status != GN_OK || attr->activation == GN_ACTIVATION_NONE)
        return status;
    gn__rows space = gn__rows_of(c, 0);
    gn__operand operands[] = {gn__rows_full(&space, c), gn__rows_full(&space, c)};
    return gn__kernel_run(j->op, c->storage->device, &relu_kernel, GN__VARIANT(c->dtype), &space,
                          operands, NULL);
}

/* ---- Convolutions: y, x, w, [bias]; dx, dy, w; dw, x, dy, [dbias] */

static gn_status conv_forward(job *j) {
    return gn__composed_conv_forward(j->attributes, tensor(j, 1), tensor(j, 2), tensor(j, 3),
                                     tensor(j, 0));
}

static gn_status conv_data(job *j) {
    return gn__composed_conv_data(j->attributes, tensor(j, 1), tensor(j, 2), tensor(j, 0));
}

static gn_status conv_weight(job *j) {
    gn_tensor *dy = tensor(j, 2), *dbias = tensor(j, 3), *sum;
    gn_status status = gn__composed_conv_weight(j->attributes, tensor(j, 1), dy, tensor(j, 0));
    if (status != GN_OK || dbias == NULL)
        return status;
    sum = gn__sum_but(j->op, dy, 1);
    return sum ? gn__copy_data(dbias, sum) : gn_error_status();
}

/* ---- Pools: y, x; dx, dy */

static gn__pool pool_of(job *j, const gn_tensor *in, const gn_tensor *out) {
    gn__pool pool = {.attr = *(const gn_pool_attr *)j->attributes};
    memcpy(pool.in, in->size, (size_t)in->n_dims * sizeof pool.in[0]);
    memcpy(pool.out, out->size, (size_t)out->n_dims * sizeof pool.out[0]);
    return pool;
}

/* The places of the maxima, which `saved` holds. */
static gn_tensor indices_in(const job *j, const gn__pool *pool) {
    const int n = 2 + (int)pool->attr.n_spatial;
    gn_tensor indices = {.storage = j->saved.storage,
                         .offset = j->saved.offset / (int64_t)sizeof(int64_t),
                         .count = gn__count(n, pool->out),
                         .dtype = GN_I64,
                         .n_dims = (int8_t)n};
    memcpy(indices.size, pool->out, (size_t)n * sizeof indices.size[0]);
    gn__row_major(n, indices.size, indices.stride);
    return indices;
}

static gn_status max_pool(job *j) {
    gn_tensor *y = tensor(j, 0), *x = tensor(j, 1);
    const gn__pool pool = pool_of(j, x, y);
    gn_tensor indices = indices_in(j, &pool);
    return gn__composed_max_pool(&pool, x, y, &indices);
}

static gn_status max_pool_backward(job *j) {
    gn_tensor *dx = tensor(j, 0), *dy = tensor(j, 1);
    const gn__pool pool = pool_of(j, dx, dy);
    gn_tensor indices = indices_in(j, &pool);
    gn_tensor *d = gn__max_pool_spread(&pool, dy, &indices);
    return d ? gn__copy_data(dx, d) : gn_error_status();
}

static gn_status avg_pool(job *j) {
    gn_tensor *y = tensor(j, 0), *x = tensor(j, 1);
    const gn__pool pool = pool_of(j, x, y);
    return gn__composed_avg_pool(&pool, x, y);
}

static gn_status avg_pool_backward(job *j) {
    gn_tensor *dx = tensor(j, 0), *dy = tensor(j, 1);
    const gn__pool pool = pool_of(j, dx, dy);
    return gn__composed_avg_pool_backward(&pool, dy, dx);
}

/* ---- Batch norm: y, x, w, b, mean, var; dx, dw, db, dy, x, w, mean, var */

static gn_status batch_norm(job *j) {
    const gn_norm_attr *attr = j->attributes;
    return gn__composed_batch_norm(attr->eps, tensor(j, 1), tensor(j, 2), tensor(j, 3),
                                   tensor(j, 0), tensor(j, 4), tensor(j, 5));
}

static gn_status batch_norm_backward(job *j) {
    const gn_norm_attr *attr = j->attributes;
    return gn__composed_batch_norm_backward(attr->eps, tensor(j, 4), tensor(j, 3), tensor(j, 5),
                                            tensor(j, 6), tensor(j, 7), tensor(j, 0), tensor(j, 1),
                                            tensor(j, 2));
}

/* ---- Attention: y, q, k, v, [mask]; dq, dk, dv, dy, y, q, k, v, [mask]. Nothing is saved */

static gn_status attention(job *j) {
    return gn__composed_attention(j->attributes, tensor(j, 1), tensor(j, 2), tensor(j, 3),
                                  tensor(j, 4), tensor(j, 0));
}

static gn_status attention_backward(job *j) {
    gn_tensor *const d[] = {tensor(j, 0), tensor(j, 1), tensor(j, 2)}, *const inputs[] = {
                                                                           tensor(j, 5),
                                                                           tensor(j, 6),
                                                                           tensor(j, 7)};
    return gn__composed_attention_backward(j->attributes, inputs, tensor(j, 8), tensor(j, 3), d);
}

/* ---- By kernel */

static gn_status (*const composed[])(job *j) = {
    [GN_KERNEL_MATMUL] = matmul,
    [GN_KERNEL_CONV_FORWARD] = conv_forward,
    [GN_KERNEL_CONV_BACKWARD_DATA] = conv_data,
    [GN_KERNEL_CONV_BACKWARD_WEIGHT] = conv_weight,
    [GN_KERNEL_MAX_POOL_FORWARD] = max_pool,
    [GN_KERNEL_MAX_POOL_BACKWARD] = max_pool_backward,
    [GN_KERNEL_AVG_POOL_FORWARD] = avg_pool,
    [GN_KERNEL_AVG_POOL_BACKWARD] = avg_pool_backward,
    [GN_KERNEL_BATCH_NORM_FORWARD] = batch_norm,
    [GN_KERNEL_BATCH_NORM_BACKWARD] = batch_norm_backward,
    [GN_KERNEL_ATTENTION_FORWARD] = attention,
    [GN_KERNEL_ATTENTION_BACKWARD] = attention_backward,
};

uint64_t gn__composed_saved_bytes(const gn_plan_desc *desc) {
    const bool pools = desc->kernel == GN_KERNEL_MAX_POOL_FORWARD,
               back = desc->kernel == GN_KERNEL_MAX_POOL_BACKWARD;
    const gn_tensor_desc *out = &desc->tensors[back];
    return pools || back ? (uint64_t)gn__count(out->n_dims, out->size) * sizeof(int64_t) : 0;
}

gn_status gn__compose(gn__device *device, const char *op, const gn_plan_desc *desc,
                      const gn__pointer *tensors, gn__pointer saved) {
    job j = {.op = op, .attributes = desc->attributes, .saved = saved};
    if (gn__failed())
        return gn_error_status();
    if (desc->kernel >= GN_LENGTH(composed) || composed[desc->kernel] == NULL)
        return gn_fail(GN_E_UNSUPPORTED, op, "there is no composed form of kernel %u on %s",
                       desc->kernel, device->name);
    for (uint32_t i = 0; i < desc->n_tensors; i++) {
        j.present[i] = desc->tensors[i].n_dims >= 0;
        if (j.present[i] && !look(&j.tensors[i], &desc->tensors[i], &tensors[i]))
            return gn_error_status();
    }
    gn_scope scope = gn_scope_begin();
    gn_status status = composed[desc->kernel](&j);
    gn_scope_end(scope);
    return status;
}
