/* SPDX-License-Identifier: Apache-2.0 */
/*
 * space.c - simplifies iteration spaces, so that backends need no logic of shapes.
 */
#include <stdlib.h>

#include "space.h"

/* log2 of the bytes of each dtype. */
static const uint8_t dtype_shift[GN_N_DTYPES] = {
    [GN_BOOL] = 0, [GN_U8] = 0,  [GN_I8] = 0,   [GN_I16] = 1, [GN_I32] = 2, [GN_I64] = 3,
    [GN_U32] = 2,  [GN_F16] = 1, [GN_BF16] = 1, [GN_F32] = 2, [GN_F64] = 3,
};

/* Everything of the operands but their strides. Offsets then count from the backend's block. */
static void place_operands(const gn__raw_space *raw, gn__space *out) {
    for (uint32_t k = 0; k < raw->n_operands; k++) {
        const gn__operand *from = &raw->operands[k];
        gn_operand *to = &out->operands[k];
        to->mem = NULL;
        to->offset = from->offset;
        if (from->storage) {
            to->mem = from->storage->mem;
            to->offset += (int64_t)(from->storage->offset >> dtype_shift[raw->infos[k].dtype]);
        }
        to->axis_stride = from->axis_stride;
        to->axis_extent = from->axis_extent;
    }
}

/* The common case, where every operand walks the whole space in row-major order with one stride
 * (contiguous tensors of one shape, scalars): the space has one dim. False where it is another
 * case. *total is the number of coordinates. */
static bool is_flat(const gn__raw_space *raw, int64_t *total, int *innermost) {
    int64_t n = 1;
    int inner = -1;
    for (int d = raw->n_dims - 1; d >= 0; d--) {
        const int64_t size = raw->size[d];
        if (size == 1)
            continue;
        if (inner < 0)
            inner = d;
        else
            for (uint32_t k = 0; k < raw->n_operands; k++) {
                const int64_t *stride = raw->operands[k].stride;
                if (stride[d] != stride[inner] * n)
                    return false;
            }
        n *= size;
    }
    *total = n;
    *innermost = inner;
    return true;
}

/* Which of two dims comes first: > 0 if `a`, < 0 if `b`, 0 if no operand tells. A stride of 0 says
 * nothing: the operand is the same along that dim, wherever it stands. */
static int compare(const gn__raw_space *raw, int a, int b) {
    for (uint32_t k = 0; k < raw->n_operands; k++) {
        const int64_t *stride = raw->operands[k].stride;
        const int64_t x = llabs(stride[a]), y = llabs(stride[b]);
        if (x != 0 && y != 0 && x != y)
            return x > y ? 1 : -1;
    }
    return 0;
}

/* Sorts dims by insertion. `compare` is no total order, so a dim that it does not tell from its
 * neighbour is still compared with those before. */
static void sort_dims(const gn__raw_space *raw, int *dims, int n) {
    for (int i = 1; i < n; i++) {
        int moving = i;
        for (int j = i - 1; j >= 0; j--) {
            int order = compare(raw, dims[moving], dims[j]);
            if (order < 0)
                break;
            if (order > 0) {
                const int dim = dims[moving];
                for (int m = moving; m > j; m--)
                    dims[m] = dims[m - 1];
                dims[j] = dim;
                moving = j;
            }
        }
    }
}

/* Whether all operands walk the last dim of `out` and dim d as one. */
static bool can_merge(const gn__raw_space *raw, const gn__space *out, int d) {
    const uint32_t last = out->n_dims - 1;
    for (uint32_t k = 0; k < raw->n_operands; k++)
        if (out->operands[k].stride[last] != raw->operands[k].stride[d] * raw->size[d])
            return false;
    return true;
}

/* Appends dims to `out`, none of which merges with those that it has. Returns how many it made. */
static uint32_t append_dims(const gn__raw_space *raw, const int *dims, int n, gn__space *out) {
    const uint32_t first = out->n_dims;
    for (int i = 0; i < n; i++) {
        const int d = dims[i];
        if (out->n_dims > first && can_merge(raw, out, d))
            out->size[out->n_dims - 1] *= raw->size[d];
        else
            out->size[out->n_dims++] = raw->size[d];
        for (uint32_t k = 0; k < raw->n_operands; k++)
            out->operands[k].stride[out->n_dims - 1] = raw->operands[k].stride[d];
    }
    return out->n_dims - first;
}

/* The dims first..end-1 of other sizes than 1, sorted. Returns their number, -1 if one is empty. */
static int collect_dims(const gn__raw_space *raw, int first, int end, int *dims) {
    int n = 0;
    for (int d = first; d < end; d++) {
        if (raw->size[d] == 0)
            return -1;
        if (raw->size[d] != 1)
            dims[n++] = d;
    }
    if (!raw->in_order)
        sort_dims(raw, dims, n);
    return n;
}

gn__extent gn__simplify_space(const gn__raw_space *raw, gn__space *out) {
    const bool all_tail = raw->n_tail == raw->n_dims && raw->n_tail > 0;
    int64_t total;
    int inner;
    if ((raw->n_tail == 0 || all_tail) && is_flat(raw, &total, &inner)) {
        if (total == 0)
            return all_tail ? GN__SPACE_TAIL_EMPTY : GN__SPACE_EMPTY;
        place_operands(raw, out);
        out->n_dims = inner >= 0;
        out->n_tail = all_tail ? out->n_dims : 0;
        out->size[0] = total;
        for (uint32_t k = 0; inner >= 0 && k < raw->n_operands; k++)
            out->operands[k].stride[0] = raw->operands[k].stride[inner];
        return GN__SPACE_FULL;
    }
    int head_dims[GN_MAX_DIMS], tail_dims[GN_MAX_DIMS];
    const int n_head = collect_dims(raw, 0, raw->n_dims - raw->n_tail, head_dims);
    if (n_head < 0)
        return GN__SPACE_EMPTY;
    const int n_tail = collect_dims(raw, raw->n_dims - raw->n_tail, raw->n_dims, tail_dims);
    if (n_tail < 0)
        return GN__SPACE_TAIL_EMPTY;
    place_operands(raw, out);
    out->n_dims = 0;
    append_dims(raw, head_dims, n_head, out);
    out->n_tail = append_dims(raw, tail_dims, n_tail, out);
    return GN__SPACE_FULL;
}
