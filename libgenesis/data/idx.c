/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idx.c - the IDX format of MNIST: bytes 0, 0, type, number of dims, then the sizes and the
 * elements, all big-endian. zlib reads plain and gzip'd files alike. Files are not trusted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data.h"

/* A byte of a gzip'd file stands for at most 1032; a whole gzip header is longer than the slack. */
enum { MAX_EXPANSION = 1032, CHUNK = 1 << 20, BUFFER = 1 << 17 };

static const char op[] = "read_idx";

typedef struct reader {
    const char *path, *hint; /* what to do about a file that is no good, or NULL */
    gzFile file;
    int64_t file_bytes;
} reader;

GN_PRINTF(3, 4)
static gn_status refuse(const reader *r, gn_status status, const char *format, ...) {
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return gn_fail(status, op, "%s: %s%s%s", r->path, why, r->hint ? "; " : "",
                   r->hint ? r->hint : "");
}

/* What zlib says of its last failure, without the name that it gives the file. */
static const char *zlib_error(const reader *r, int *code) {
    const char *text = gzerror(r->file, code), *end = strstr(text, ">: ");
    return end ? end + 3 : text;
}

/* ---- Bytes */

static gn_status open_reader(reader *r) {
    struct stat info;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int cause = errno;
        return refuse(r, cause == ENOENT ? GN_E_NOT_FOUND : GN_E_IO, "%s", strerror(cause));
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return refuse(r, GN_E_IO, "is not a regular file");
    }
    r->file_bytes = info.st_size;
    r->file = gzdopen(fd, "rb");
    if (r->file == NULL) {
        close(fd);
        return gn_fail(GN_E_MEMORY, op, "%s: no memory to read it", r->path);
    }
    gzbuffer(r->file, BUFFER);
    return GN_OK;
}

/* Reads exactly so many bytes. */
static gn_status read_bytes(const reader *r, void *target, int64_t bytes) {
    char *at = target;
    while (bytes > 0) {
        int n = gzread(r->file, at, bytes < CHUNK ? (unsigned)bytes : CHUNK);
        if (n < 0) {
            int code;
            const char *why = zlib_error(r, &code);
            return refuse(r, code == Z_ERRNO ? GN_E_IO : GN_E_FORMAT, "%s",
                          code == Z_ERRNO ? strerror(errno) : why);
        }
        if (n == 0)
            return refuse(r, GN_E_FORMAT, "ends too early: bytes missing: %lld", (long long)bytes);
        at += n;
        bytes -= n;
    }
    return GN_OK;
}

/* Nothing may follow; this also makes zlib check its sum. It calls a file that was cut off an error
 * of the buffer, but returns no error. */
static gn_status expect_end(const reader *r) {
    char byte;
    int n = gzread(r->file, &byte, 1), code;
    if (n > 0)
        return refuse(r, GN_E_FORMAT, "goes on after the last element");
    const char *why = zlib_error(r, &code);
    return n < 0 || code == Z_BUF_ERROR ? refuse(r, GN_E_FORMAT, "%s", why) : GN_OK;
}

/* ---- The header */

static int dtype_of_code(int code) {
    switch (code) {
    case 0x08: return GN_U8;
    case 0x09: return GN_I8;
    case 0x0b: return GN_I16;
    case 0x0c: return GN_I32;
    case 0x0d: return GN_F32;
    case 0x0e: return GN_F64;
    }
    return 0;
}

static gn_status read_header(const reader *r, gn__idx *out, int64_t *bytes) {
    unsigned char magic[4], size[4];
    if (read_bytes(r, magic, sizeof magic) != GN_OK)
        return gn_error_status();
    out->dtype = dtype_of_code(magic[2]);
    if (magic[0] != 0 || magic[1] != 0 || out->dtype == 0)
        return refuse(r, GN_E_FORMAT, "is no IDX file: it does not start with 0, 0 and a type");
    if (magic[3] > GN_TENSOR_MAX_DIMS)
        return refuse(r, GN_E_FORMAT, "has %d dims, more than the %d of a tensor", magic[3],
                      GN_TENSOR_MAX_DIMS);
    out->shape.n = magic[3];
    out->count = 1;
    bool fits = true, empty = false;
    for (int d = 0; d < magic[3]; d++) {
        if (read_bytes(r, size, sizeof size) != GN_OK)
            return gn_error_status();
        int64_t n = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
        out->shape.size[d] = n;
        empty = empty || n == 0;
        fits = fits && gn__mul(out->count, n, &out->count);
    }
    if (empty)
        out->count = 0;
    fits = empty || (fits && gn__mul(out->count, gn_dtype_bytes(out->dtype), bytes));
    if (empty)
        *bytes = 0;
    int64_t most;
    if (!fits || (gn__mul(r->file_bytes, MAX_EXPANSION, &most) && *bytes > most))
        return refuse(r, GN_E_FORMAT, "its %lld bytes can't hold a tensor %s",
                      (long long)r->file_bytes, gn__shape_text((int)out->shape.n, out->shape.size));
    return GN_OK;
}

/* Turns big-endian elements into the host's. */
static void swap_bytes(unsigned char *data, int64_t count, size_t width) {
    for (int64_t i = 0; i < count; i++, data += width) {
        uint64_t value = 0;
        for (size_t k = 0; k < width; k++)
            value = value << 8 | data[k];
        if (width == 2)
            memcpy(data, &(uint16_t){(uint16_t)value}, 2);
        else if (width == 4)
            memcpy(data, &(uint32_t){(uint32_t)value}, 4);
        else
            memcpy(data, &value, 8);
    }
}

/* ---- Whole files */

gn_status gn__idx_read(const char *path, const char *hint, gn__idx *out) {
    reader r = {.path = path, .hint = hint};
    int64_t bytes = 0;
    *out = (gn__idx){.data = NULL};
    if (open_reader(&r) != GN_OK)
        return gn_error_status();
    if (read_header(&r, out, &bytes) == GN_OK) {
        out->data = malloc(bytes ? (size_t)bytes : 1);
        if (out->data == NULL)
            gn_fail(GN_E_MEMORY, op, "%s: no memory for its %lld bytes", path, (long long)bytes);
    }
    if (out->data && read_bytes(&r, out->data, bytes) == GN_OK && expect_end(&r) == GN_OK &&
        gn_dtype_bytes(out->dtype) > 1)
        swap_bytes(out->data, out->count, gn_dtype_bytes(out->dtype));
    gzclose(r.file);
    if (gn_error_status() != GN_OK) {
        free(out->data);
        out->data = NULL;
    }
    return gn_error_status();
}

gn_tensor *gn_read_idx(const char *path) {
    if (gn__failed())
        return NULL;
    if (path == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op, "the path is NULL");
    gn__idx idx;
    if (gn__idx_read(path, NULL, &idx) != GN_OK)
        return NULL;
    gn_tensor *t = gn_tensor_from(idx.data, idx.dtype, idx.shape, NULL);
    free(idx.data);
    return t;
}
