/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding.c - rows of a weight by index; the gradient adds rows to places, and is the transpose
 * of the look-up, so that each is the gradient of the other. Bags of rows are in embedding_bag.c.
 */
#include "embedding.h"
#include "ops.h"
#include "support.h"

static const char op[] = "embedding";

/* y = weight at the row of the index   Operands weight by LOADX, indices, y. */
static void build(gn__builder *b, const int8_t *v) {
    int weight = gn__build_operand(b, GN_READ, v[0]), at = gn__build_operand(b, GN_READ, GN_I64),
        y = gn__build_operand(b, GN_WRITE, v[0]);
    gn__store(b, y, gn__loadx(b, weight, gn__load(b, at)));
}
static gn__kernel kernel = {.name = "embedding", .build = build};

/* The space (D, indices..) with operands for a row of `table` (V, D), the indices, and `rows`
 * (indices.., D). */
static gn__rows make_space(gn_tensor *table, gn_tensor *indices, gn_tensor *rows,
                           gn__operand operands[3]) {
    gn__rows space = {.n_dims = rows->n_dims, .size = {table->size[1]}};
    operands[0] = (gn__operand){.storage = table->storage,
                                .offset = table->offset,
                                .stride = {table->stride[1]},
                                .axis_stride = table->stride[0],
                                .axis_extent = table->size[0]};
    operands[1] = (gn__operand){.storage = indices->storage, .offset = indices->offset};
    operands[2] = (gn__operand){.storage = rows->storage,
                                .offset = rows->offset,
                                .stride = {rows->stride[rows->n_dims - 1]}};
    for (int d = 0; d < indices->n_dims; d++) {
        space.size[d + 1] = indices->size[d];
        operands[1].stride[d + 1] = indices->stride[d];
        operands[2].stride[d + 1] = rows->stride[d];
    }
    return space;
}

/* ---- Looking up, and its gradient: adding up */

/* What the gradient of a table leaves out. */
typedef struct rule {
    int64_t padding;   /* this row gets none; -1: all do */
    bool by_frequency; /* what a row gets is divided by how often it is used */
} rule;
static const rule plain = {.padding = -1};

static gn_status look_up_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static gn_status add_up_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);

static const gn__node_class look_up_node = {.name = op, .backward = look_up_backward};
static const gn__node_class add_up_node = {.name = "embedding_backward",
                                           .backward = add_up_backward};

static gn_tensor *recorded(const gn__node_class *type, gn_tensor *result, gn_tensor *input,
                           gn_tensor *indices, const rule *r) {
    if (!gn__recording(1, &input))
        return result;
    gn__node *node = gn__record(type, result, 1, &input, sizeof *r);
    if (node == NULL)
        return NULL;
    *(rule *)node->data = *r;
    gn__save(node, 0, indices);
    return result;
}

static gn_tensor *look_up(gn_tensor *indices, gn_tensor *table, const rule *r) {
    gn__device *device = table->storage->device;
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, indices->size, sizeof size);
    size[indices->n_dims] = table->size[1];
    gn_tensor *y = gn__tensor_new(device, table->dtype, indices->n_dims + 1, size);
    if (y == NULL)
        return NULL;
    gn__operand operands[3];
    gn__rows space = make_space(table, indices, y, operands);
    if (gn__kernel_run(op, device, &kernel, GN__VARIANT(table->dtype), &space, operands, NULL) !=
        GN_OK)
        return NULL;
    return recorded(&look_up_node, y, table, indices, r);
}

gn_tensor *gn__rows_at(gn_tensor *indices, gn_tensor *table) {
    return look_up(indices, table, &plain);
}

gn_status gn__rows_combine(gn_tensor *indices, gn_tensor *rows, gn_tensor *table, int combine) {
    gn__operand operands[3];
    gn__rows space = make_space(table, indices, rows, operands);
    const gn__operand scattered[3] = {operands[2], operands[1], operands[0]};
    return gn__launch_scatter(table->storage->device, op, space.n_dims, indices->n_dims, space.size,
                              table->dtype, combine, true, scattered);
}

/* (V, D) zeros to which the rows are added, but for those of the padding. */
static gn_tensor *add_up(gn_tensor *indices, gn_tensor *rows, int64_t count, const rule *r) {
    const int64_t size[] = {count, rows->size[rows->n_dims - 1]};
    gn_tensor *table = gn__tensor_new(rows->storage->device, rows->dtype, 2, size);
    if (table == NULL || gn__fill_data(table, 0) != GN_OK ||
        gn__rows_combine(indices, rows, table, GN_SCATTER_ADD) != GN_OK)
        return NULL;
    if (r->padding >= 0) {
        gn_tensor *row = gn__tensor_alias(table, 1, &size[1], &table->stride[1],
                                          table->offset + r->padding * table->stride[0]);
        if (row == NULL || gn__fill_data(row, 0) != GN_OK)
            return NULL;
    }
    return recorded(&add_up_node, table, rows, indices, r);
}

gn_tensor *gn__rows_added(gn_tensor *indices, gn_tensor *rows, int64_t count) {
    return add_up(indices, rows, count, &plain);
}

/* How often each index occurs in all, at its places: (*, 1). */
static gn_tensor *frequencies(gn_tensor *indices, int64_t count) {
    const gn_tensor_options o = {.struct_size = sizeof o, .device = indices->storage->device->name};
    gn_shape shape = gn_shape_of(indices);
    shape.size[shape.n++] = 1;
    gn_tensor *one = gn_scalar_tensor(1, &o);
    gn_tensor *ones = one ? gn_expand_with(one, shape) : NULL,
              *counts = ones ? add_up(indices, ones, count, &plain) : NULL;
    return counts ? look_up(indices, counts, &plain) : NULL;
}

static gn_status look_up_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const rule *r = node->data;
    const int64_t count = node->inputs[0].size[0];
    gn_tensor *indices = gn__saved_tensor(node, 0), *g = grads[0];
    if (indices && r->by_frequency)
        g = gn_cast(gn_div(g, frequencies(indices, count)), (gn_dtype)g->dtype);
    out[0] = indices && g ? add_up(indices, g, count, r) : NULL;
    return gn_error_status();
}

static gn_status add_up_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const rule *r = node->data;
    gn_tensor *indices = gn__saved_tensor(node, 0);
    gn_tensor *rows = indices ? look_up(indices, grads[0], &plain) : NULL;
    if (rows && r->padding >= 0) {
        gn_tensor *used = gn_unsqueeze(gn_ne_scalar(indices, (double)r->padding), -1);
        rows = gn_where_scalar_b(used, rows, 0);
    }
    out[0] = rows;
    return gn_error_status();
}

/* ---- max_norm: w = w m / (|w| + 1e-7) where |w| > m, in place and without history */

static gn_status renormalise(gn_tensor *indices, gn_tensor *weight, double most, double p) {
    static gn__op factor = {.name = "embedding",
                            .text = "n > m ? m / (n + 1e-7) : 1.0",
                            .variables = "n",
                            .params = "m"};
    if (indices->count == 0)
        return GN_OK;
    const gn_scope scope = gn_scope_begin();
    const bool was = gn_set_grad_enabled(false);
    gn_tensor *used = gn_reshape(indices, indices->count),
              *rows = used ? gn__rows_at(used, weight) : NULL,
              *norm = rows ? gn_norm(rows, p, GN_DIMS(1), true) : NULL;
    if (norm)
        gn_index_put(weight, gn_mul(rows, gn__apply(&factor, 1, &norm, &most)), GN_BY(used));
    gn_set_grad_enabled(was);
    return gn_scope_end(scope);
}

/* ---- gn_embedding */

bool gn__embedding_padding(const char *where, gn_optional padding, int64_t count, int64_t *row) {
    *row = -1;
    if (!padding.given)
        return true;
    if (!(padding.value >= -(double)count && padding.value < (double)count)) {
        gn_fail(GN_E_INDEX, where, "padding_idx %g is not among the %lld rows", padding.value,
                (long long)count);
        return false;
    }
    *row = (int64_t)padding.value + (padding.value < 0 ? count : 0);
    return true;
}

/* indices (*), weight (V, D) -> (*, D) */
gn_tensor *gn_embedding_with(gn_tensor *indices, gn_tensor *weight,
                             const gn_embedding_options *options) {
    gn_embedding_options o;
    gn__options(&o, sizeof o, options);
    gn_tensor *tensors[] = {indices, weight};
    if (gn__failed() || !gn__given(op, indices) || !gn__given(op, weight) ||
        !gn__check_float(op, "weight", weight))
        return NULL;
    if (weight->n_dims != 2 || indices->n_dims >= GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "weight %s must be (V, D), and indices %s have at most %d dims",
                             gn__shape_of(weight), gn__shape_of(indices), GN_TENSOR_MAX_DIMS - 1);
    rule r = {.by_frequency = o.scale_grad_by_freq};
    if (!gn__embedding_padding(op, o.padding_idx, weight->size[0], &r.padding))
        return NULL;
    gn__device *device = gn__common_device(op, 2, tensors);
    indices = device ? gn__index_tensor(op, gn__joined(indices, device)) : NULL;
    if (indices && o.max_norm.given &&
        renormalise(indices, weight, o.max_norm.value, gn_or(o.norm_type, 2)) != GN_OK)
        return NULL;
    return indices ? look_up(indices, weight, &r) : NULL;
}
