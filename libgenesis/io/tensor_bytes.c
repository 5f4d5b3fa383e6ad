/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_bytes.c - the elements of tensors to and from files, in pieces, as the device's memory may
 * not be visible to the host.
 */
#include <stdlib.h>

#include "io.h"

enum { PIECE = 4 << 20 };

bool gn__tensor_bytes(int dtype, int n_dims, const int64_t *size, int64_t *bytes) {
    int64_t count = gn__count(n_dims, size);
    return count >= 0 && gn__mul(count, gn_dtype_bytes(dtype), bytes);
}

gn_status gn__write_tensor(gn_tensor *t, gn__take *take, void *context) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *rows = gn__row_major_copy(t);
    int64_t width = gn_dtype_bytes(t->dtype), bytes = t->count * width;
    char *buffer = rows ? gn__alloc((size_t)(bytes < PIECE ? bytes : PIECE)) : NULL;
    for (int64_t at = 0; buffer && at < bytes; at += PIECE) {
        int64_t n = bytes - at < PIECE ? bytes - at : PIECE;
        if (gn__download(buffer, rows->storage, (uint64_t)(rows->offset * width + at),
                         (uint64_t)n) != GN_OK ||
            take(context, buffer, (size_t)n) != GN_OK)
            break;
    }
    free(buffer);
    return gn_scope_end(scope);
}

gn_tensor *gn__read_tensor(gn__device *device, int dtype, int n_dims, const int64_t *size,
                           gn__give *give, void *context) {
    gn_tensor *t = gn__tensor_new(device, dtype, n_dims, size);
    if (t == NULL)
        return NULL;
    int64_t bytes = t->count * gn_dtype_bytes(dtype);
    char *buffer = gn__alloc((size_t)(bytes < PIECE ? bytes : PIECE));
    for (int64_t at = 0; buffer && at < bytes; at += PIECE) {
        int64_t n = bytes - at < PIECE ? bytes - at : PIECE;
        if (give(context, buffer, (size_t)n) != GN_OK ||
            gn__upload(t->storage, (uint64_t)at, buffer, (uint64_t)n) != GN_OK)
            break;
    }
    free(buffer);
    return gn__failed() ? NULL : t;
}
