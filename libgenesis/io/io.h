/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h (internal) - file formats, and what they use: files that appear whole or not at all.
 */
#ifndef GENESIS_IO_INTERNAL_H
#define GENESIS_IO_INTERNAL_H

#include <stdio.h>
#include <sys/types.h>

#include <genesis/io.h>

#include "../tensor/tensor.h"

/* ---- Formats (io.c has the table) */

typedef struct gn__format {
    const char *suffix; /* ".safetensors" */
    gn_status (*save)(gn_dict *dict, const char *path);
    /* Owned by the scope. */
    gn_dict *(*load)(const char *path, const char *device);
} gn__format;

extern const gn__format gn__safetensors;

/* ---- Atomic writing (atomic.c)
 *
 *     gn__atomic file;
 *     gn__atomic_begin(&file, op, path);
 *     gn__atomic_write(&file, bytes, n);  as often as needed; does nothing after an error
 *     return gn__atomic_end(&file);       puts the file in place, or removes it after an error
 */
typedef struct gn__atomic {
    const char *op;
    char *path;      /* where the file is to be, links followed */
    char *temporary; /* in the same folder */
    int fd;
    mode_t mode; /* of the file that is replaced; 0: there is none */
} gn__atomic;

gn_status gn__atomic_begin(gn__atomic *file, const char *op, const char *path);
gn_status gn__atomic_write(gn__atomic *file, const void *bytes, size_t n);
/* Works while an error sticks; the thread's status. */
gn_status gn__atomic_end(gn__atomic *file);

/* ---- Tensors as bytes (tensor_bytes.c): row-major, the host's byte order */

/* Hands the elements to `take` piece by piece. */
gn_status gn__write_tensor(gn_tensor *t,
                           gn_status (*take)(void *context, const void *bytes, size_t n),
                           void *context);
/* A tensor read from an open file at an offset, which the caller has checked to have the bytes. */
gn_tensor *gn__read_tensor(const char *op, const char *path, int fd, int64_t offset,
                           gn__device *device, int dtype, int n_dims, const int64_t *size);
/* Reads exactly n bytes. */
gn_status gn__read_at(const char *op, const char *path, int fd, int64_t offset, void *target,
                      size_t n);

/* ---- The header of a safetensors file (safetensors_header.c) */

typedef struct gn__entry {
    const char *name; /* borrowed from the JSON that it was parsed from */
    int dtype, n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS];
    int64_t begin, end; /* bytes of the file's data */
} gn__entry;

typedef struct gn__header {
    void *json;         /* json_t */
    gn__entry *entries; /* as listed */
    size_t n;
} gn__header;

/* Parses and checks it all: `data_bytes` is what the file has after the header. */
gn_status gn__header_parse(gn__header *out, const char *path, const char *text, size_t length,
                           int64_t data_bytes);
void gn__header_free(gn__header *header);
const char *gn__safetensors_dtype(int dtype); /* "F32"; NULL: the format has none */

#endif
