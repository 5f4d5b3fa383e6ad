/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tile.c - map calls in which one operand lies dense along the last dim and another along a dim
 * before it, as in a transposed copy. Both dims are cut, so that the space's last two are a tile of
 * them. A work-group then has a tile, and what it reads of a line of memory serves all of it.
 */
#include "codegen.h"

#include <string.h>

enum {
    LARGE = 1 << 16, /* coordinates */
    LENGTH = 32,     /* of a tile along the dense dim, at most */
    WIDTH = 32,      /* and along the last one */
    LENGTH_CPU = 16,
    WIDTH_CPU = 8, /* lines of memory a power of two apart: so many have room in the first cache */
    LEAST = 8,
};

/* The largest power of two up to `most` that divides n. */
static int64_t dividing_power(int64_t n, int64_t most) {
    int64_t power = most;
    while (n % power != 0)
        power /= 2;
    return power;
}

/* The dim before the last along which most bytes of an element lie dense; -1: none. */
static int dense_dim(const cg_program *p, const gn_call *call) {
    const int last = (int)call->n_dims - 1;
    uint32_t most = 0;
    int found = -1;
    for (int d = 0; d < last; d++) {
        uint32_t bytes = 0;
        for (uint32_t k = 0; k < p->source->n_operands; k++) {
            const gn_operand *operand = cg_operand(call, k);
            if (p->source->operands[k].role != GN_INDEX && operand->stride[d] == 1 &&
                operand->stride[last] != 0 && operand->stride[last] != 1)
                bytes += gn_dtype_bytes(p->source->operands[k].dtype);
        }
        if (bytes > most) {
            most = bytes;
            found = d;
        }
    }
    return found;
}

/* Cuts dim `from` of the strides into (size / part, part); the part goes to dim `to`, which is free. */
static void cut_stride(int64_t *stride, int from, int to, int64_t part) {
    stride[to] = stride[from];
    stride[from] *= part;
}

const gn_call *cg_tile(const cg_program *p, const cg_device *device, const gn_call *call,
                       cg_tiled *out) {
    const int n = (int)call->n_dims;
    int64_t count = 1;
    for (int d = 0; d < n; d++)
        count *= call->size[d];
    const int dense = n < 2 || n + 2 > GN_MAX_DIMS || count < LARGE ? -1 : dense_dim(p, call);
    if (dense < 0)
        return call;
    const int64_t length = dividing_power(call->size[dense], device->is_cpu ? LENGTH_CPU : LENGTH);
    const int64_t width = dividing_power(call->size[n - 1], device->is_cpu ? WIDTH_CPU : WIDTH);
    if (length < LEAST || width < LEAST)
        return call;
    memcpy(out->size, call->size, (size_t)n * sizeof *out->size);
    out->size[dense] /= length;
    out->size[n - 1] /= width;
    out->size[n] = length;
    out->size[n + 1] = width;
    for (uint32_t k = 0; k < p->source->n_operands; k++) {
        out->operands[k] = *cg_operand(call, k);
        cut_stride(out->operands[k].stride, dense, n, length);
        cut_stride(out->operands[k].stride, n - 1, n + 1, width);
    }
    out->call = *call;
    out->call.n_dims += 2;
    out->call.size = out->size;
    out->call.operands = out->operands;
    out->call.operand_size = sizeof *out->operands;
    return &out->call;
}
