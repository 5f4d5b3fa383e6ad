/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.c - files that are read at offsets.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

enum { PIECE = 64 << 20 }; /* systems limit what one call reads */

gn_status gn__source_open(gn__source *source, const char *op, const char *path) {
    *source = (gn__source){.op = op, .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (source->fd < 0)
        return gn_fail(errno == ENOENT ? GN_E_NOT_FOUND : GN_E_IO, op, "%s: %s", path,
                       strerror(errno));
    struct stat info;
    if (fstat(source->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        gn__source_close(source);
        return gn_fail(GN_E_IO, op, "%s: is not a regular file", path);
    }
    source->bytes = info.st_size;
    return GN_OK;
}

void gn__source_close(gn__source *source) {
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
}

gn_status gn__source_read(const gn__source *source, int64_t offset, void *target, size_t n) {
    char *at = target;
    while (n > 0) {
        ssize_t got = pread(source->fd, at, n < PIECE ? n : PIECE, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return gn_fail(GN_E_IO, source->op, "%s: can't be read: %s", source->path,
                           strerror(errno));
        if (got == 0)
            return gn_fail(GN_E_FORMAT, source->op, "%s: became shorter while it was read",
                           source->path);
        at += got;
        offset += got;
        n -= (size_t)got;
    }
    return GN_OK;
}
