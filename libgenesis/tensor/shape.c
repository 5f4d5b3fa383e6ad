/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape.c - sizes, strides, dims and broadcasting. No memory, no devices but their comparison.
 */
#include <stdio.h>

#include "tensor.h"

int64_t gn__count(int n_dims, const int64_t *size) {
    int64_t count = 1;
    for (int d = 0; d < n_dims; d++)
        if (!gn__mul(count, size[d], &count))
            return -1;
    return count;
}

void gn__row_major(int n_dims, const int64_t *size, int64_t *stride) {
    int64_t step = 1;
    for (int d = n_dims; d-- > 0;) {
        stride[d] = step;
        gn__mul(step, size[d] > 1 ? size[d] : 1, &step); /* wraps only where another size is 0 */
    }
}

bool gn__is_row_major(const gn_tensor *t) {
    int64_t step = 1;
    for (int d = t->n_dims; d-- > 0;) {
        if (t->size[d] != 1 && t->stride[d] != step)
            return t->count == 0;
        step *= t->size[d];
    }
    return true;
}

bool gn__is_dense(const gn_tensor *t) {
    if (gn__is_row_major(t))
        return true;
    /* Dims of size > 1, by stride: each must step over all that lie inside it. */
    bool taken[GN_TENSOR_MAX_DIMS] = {false};
    int64_t step = 1;
    for (int round = 0; round < t->n_dims; round++) {
        int next = -1;
        for (int d = 0; d < t->n_dims; d++)
            if (!taken[d] && (t->size[d] == 1 || t->stride[d] == step))
                next = d;
        if (next < 0)
            return false;
        taken[next] = true;
        step *= t->size[next];
    }
    return true;
}

bool gn__overlaps(int n_dims, const int64_t *size, const int64_t *stride) {
    bool taken[GN_TENSOR_MAX_DIMS] = {false};
    int64_t reach = 0; /* the largest offset of the dims taken so far */
    for (int d = 0; d < n_dims; d++)
        if (size[d] == 0)
            return false;
    for (int round = 0; round < n_dims; round++) {
        int next = -1;
        for (int d = 0; d < n_dims; d++)
            if (!taken[d] && size[d] > 1 && (next < 0 || stride[d] < stride[next]))
                next = d;
        if (next < 0)
            return false;
        if (stride[next] <= reach)
            return true;
        taken[next] = true;
        reach += (size[next] - 1) * stride[next];
    }
    return false;
}

/* (N, C, spatial..): C is innermost, then the spatial dims, last one first, then N. */
static void channels_last_strides(int n_dims, const int64_t *size, int64_t *stride) {
    int64_t step = 1;
    stride[1] = step;
    step *= size[1];
    for (int d = n_dims; d-- > 2;) {
        stride[d] = step;
        step *= size[d];
    }
    stride[0] = step;
}

bool gn__is_channels_last(const gn_tensor *t) {
    if (t->n_dims < 3)
        return gn__is_row_major(t);
    int64_t stride[GN_TENSOR_MAX_DIMS];
    channels_last_strides(t->n_dims, t->size, stride);
    for (int d = 0; d < t->n_dims; d++)
        if (t->size[d] != 1 && t->stride[d] != stride[d])
            return false;
    return true;
}

gn_tensor *gn__tensor_channels_last(gn__device *device, int dtype, int n_dims,
                                    const int64_t *size) {
    gn_tensor *t = gn__tensor_new(device, dtype, n_dims, size);
    if (t && n_dims >= 3 && t->count) {
        channels_last_strides(n_dims, size, t->stride);
        t->hidden_layout = !gn__is_row_major(t);
    }
    return t;
}

gn_shape gn__memory_order(const gn_tensor *t) {
    gn_shape order = {.n = t->n_dims};
    for (int i = 0; i < t->n_dims; i++) {
        int at = i;
        for (; at > 0 && t->stride[order.size[at - 1]] < t->stride[i]; at--)
            order.size[at] = order.size[at - 1];
        order.size[at] = i;
    }
    return order;
}

bool gn__same_shape(const gn_tensor *a, const gn_tensor *b) {
    return a->n_dims == b->n_dims &&
           !memcmp(a->size, b->size, (size_t)a->n_dims * sizeof a->size[0]);
}

bool gn__dim(const char *op, int64_t dim, int n_dims, int *out) {
    int64_t n = n_dims ? n_dims : 1;
    if (dim < -n || dim >= n) {
        gn_fail(GN_E_ARGUMENT, op, "dim %lld does not exist: %d dims allow %lld to %lld",
                (long long)dim, n_dims, (long long)-n, (long long)(n - 1));
        return false;
    }
    *out = (int)(dim < 0 ? dim + n : dim);
    return true;
}

bool gn__given(const char *op, const gn_tensor *t) {
    if (t)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "a tensor is NULL");
    return false;
}

static bool broadcast_failed(const char *op, int n, gn_tensor *const *t) {
    char text[512] = "";
    size_t used = 0;
    for (int i = 0; i < n && used < sizeof text; i++)
        if (t[i])
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? " and " : "",
                                     gn__shape_of(t[i]));
    gn_fail(GN_E_ARGUMENT, op,
            "shapes %s do not broadcast: aligned at the right, sizes must be equal or 1", text);
    return false;
}

bool gn__broadcast(const char *op, int n, gn_tensor *const *t, int *n_dims, int64_t *size) {
    int dims = 0;
    for (int i = 0; i < n; i++)
        if (t[i] && t[i]->n_dims > dims)
            dims = t[i]->n_dims;
    for (int d = 0; d < dims; d++)
        size[d] = 1;
    for (int i = 0; i < n; i++) {
        if (!t[i])
            continue;
        int64_t *end = size + dims - t[i]->n_dims;
        for (int d = 0; d < t[i]->n_dims; d++) {
            if (t[i]->size[d] == end[d] || t[i]->size[d] == 1)
                continue;
            if (end[d] != 1)
                return broadcast_failed(op, n, t);
            end[d] = t[i]->size[d];
        }
    }
    *n_dims = dims;
    return true;
}

gn__device *gn__common_device(const char *op, int n, gn_tensor *const *t) {
    gn__device *device = NULL;
    bool joins = true; /* the device so far comes from a 0-dim cpu tensor */
    for (int i = 0; i < n; i++) {
        if (!t[i] || t[i]->storage->device == device)
            continue;
        gn__device *other = t[i]->storage->device;
        bool other_joins = t[i]->n_dims == 0 && !strcmp(other->name, "cpu");
        if (!device || (joins && !other_joins)) {
            device = other;
            joins = other_joins;
        } else if (!other_joins) {
            return gn__fail_null(GN_E_ARGUMENT, op,
                                 "tensors are on %s and on %s: move one with gn_to_device",
                                 device->name, other->name);
        }
    }
    return device;
}

gn__operand gn__operand_of(const gn_tensor *t, int n_dims, const int64_t *size) {
    gn__operand o;
    o.storage = t->storage;
    o.offset = t->offset;
    o.axis_stride = o.axis_extent = 0;
    int lead = n_dims - t->n_dims;
    for (int d = 0; d < lead; d++)
        o.stride[d] = 0;
    for (int d = 0; d < t->n_dims; d++)
        o.stride[lead + d] = t->size[d] == 1 && size[lead + d] != 1 ? 0 : t->stride[d];
    return o;
}

gn__operand gn__operand_index(int64_t start) { return (gn__operand){.offset = start}; }
