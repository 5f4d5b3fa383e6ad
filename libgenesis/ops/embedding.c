/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedding.c - rows of a weight by index; the gradient adds rows to places, and is the transpose
 * of the look-up, so that each is the gradient of the other.
 */
#include "support.h"
#include "ops.h"

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

static gn_status look_up_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);
static gn_status add_up_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out);

static const gn__node_class look_up_node = {.name = op, .backward = look_up_backward};
static const gn__node_class add_up_node = {.name = "embedding_backward",
                                           .backward = add_up_backward};

static gn_tensor *recorded(const gn__node_class *type, gn_tensor *result, gn_tensor *input,
                           gn_tensor *indices) {
    if (!gn__recording(1, &input))
        return result;
    gn__node *node = gn__record(type, result, 1, &input, 0);
    if (node == NULL)
        return NULL;
    gn__save(node, 0, indices);
    return result;
}

static gn_tensor *look_up(gn_tensor *indices, gn_tensor *weight) {
    gn__device *device = weight->storage->device;
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, indices->size, sizeof size);
    size[indices->n_dims] = weight->size[1];
    gn_tensor *y = gn__tensor_new(device, weight->dtype, indices->n_dims + 1, size);
    if (y == NULL)
        return NULL;
    gn__operand operands[3];
    gn__rows space = make_space(weight, indices, y, operands);
    if (gn__kernel_run(op, device, &kernel, GN__VARIANT(weight->dtype), &space, operands, NULL) !=
        GN_OK)
        return NULL;
    return recorded(&look_up_node, y, weight, indices);
}

/* (V, D) zeros to which the rows of g are added. */
static gn_tensor *add_up(gn_tensor *indices, gn_tensor *g, const int64_t *size) {
    gn__device *device = g->storage->device;
    gn_tensor *dw = gn__tensor_new(device, g->dtype, 2, size);
    if (dw == NULL || gn__fill_data(dw, 0) != GN_OK)
        return NULL;
    gn__operand operands[3];
    gn__rows space = make_space(dw, indices, g, operands);
    const gn__operand scattered[3] = {operands[2], operands[1], operands[0]};
    if (gn__launch_scatter(device, op, space.n_dims, indices->n_dims, space.size, g->dtype,
                           GN_SCATTER_ADD, true, scattered) != GN_OK)
        return NULL;
    return recorded(&add_up_node, dw, g, indices);
}

static gn_status look_up_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *indices = gn__saved_tensor(node, 0);
    out[0] = indices ? add_up(indices, grads[0], node->inputs[0].size) : NULL;
    return gn_error_status();
}

static gn_status add_up_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *indices = gn__saved_tensor(node, 0);
    out[0] = indices ? look_up(indices, grads[0]) : NULL;
    return gn_error_status();
}

/* indices (*), weight (V, D) -> (*, D) */
gn_tensor *gn_embedding(gn_tensor *indices, gn_tensor *weight) {
    gn_tensor *tensors[] = {indices, weight};
    if (gn__failed() || !gn__given(op, indices) || !gn__given(op, weight) ||
        !gn__check_float(op, "weight", weight))
        return NULL;
    if (weight->n_dims != 2 || indices->n_dims >= GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "weight %s must be (V, D), and indices %s have at most %d dims",
                             gn__shape_of(weight), gn__shape_of(indices), GN_TENSOR_MAX_DIMS - 1);
    gn__device *device = gn__common_device(op, 2, tensors);
    indices = device ? gn__index_tensor(op, gn__joined(indices, device)) : NULL;
    return indices ? look_up(indices, weight) : NULL;
}
