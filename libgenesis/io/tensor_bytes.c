/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_bytes.c - the elements of tensors to and from files, in pieces where the device's memory
 * is not visible to the host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

enum { PIECE = 4 << 20 };

gn_status gn__write_tensor(gn_tensor *t,
                           gn_status (*take)(void *context, const void *bytes, size_t n),
                           void *context) {
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

gn_status gn__read_at(const char *op, const char *path, int fd, int64_t offset, void *target,
                      size_t n) {
    char *at = target;
    while (n > 0) {
        ssize_t got = pread(fd, at, n < PIECE ? n : PIECE, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return gn_fail(GN_E_IO, op, "%s: can't be read: %s", path, strerror(errno));
        if (got == 0)
            return gn_fail(GN_E_FORMAT, op, "%s: became shorter while it was read", path);
        at += got;
        offset += got;
        n -= (size_t)got;
    }
    return GN_OK;
}

/* Into memory that the host can't see. */
static void read_pieces(const char *op, const char *path, int fd, int64_t offset, gn_tensor *t,
                        int64_t bytes) {
    char *buffer = gn__alloc((size_t)(bytes < PIECE ? bytes : PIECE));
    for (int64_t at = 0; buffer && at < bytes; at += PIECE) {
        int64_t n = bytes - at < PIECE ? bytes - at : PIECE;
        if (gn__read_at(op, path, fd, offset + at, buffer, (size_t)n) != GN_OK ||
            gn__upload(t->storage, (uint64_t)at, buffer, (uint64_t)n) != GN_OK)
            break;
    }
    free(buffer);
}

gn_tensor *gn__read_tensor(const char *op, const char *path, int fd, int64_t offset,
                           gn__device *device, int dtype, int n_dims, const int64_t *size) {
    gn_tensor *t = gn__tensor_new(device, dtype, n_dims, size);
    if (t == NULL)
        return NULL;
    read_pieces(op, path, fd, offset, t, t->count * gn_dtype_bytes(dtype));
    return gn__failed() ? NULL : t;
}
