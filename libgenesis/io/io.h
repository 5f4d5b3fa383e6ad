/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h (internal) - file formats, and what they use: open files, files that appear whole or not at
 * all, tensors as bytes. Zip archives are in zip.h, pickles in pickle.h.
 */
#ifndef GENESIS_IO_INTERNAL_H
#define GENESIS_IO_INTERNAL_H

#include <stdio.h>
#include <sys/types.h>

#include <genesis/io.h>

#include "../nn/dict.h"
#include "../tensor/tensor.h"

/* ---- Formats (io.c has the table) */

typedef struct gn__format {
    gn_status (*save)(gn_dict *dict, const char *path);
    /* Owned by the scope. */
    gn_dict *(*load)(const char *path, gn__device *device);
} gn__format;

extern const gn__format gn__safetensors, gn__pth, gn__npy, gn__npz;

/* Whether all entries are tensors, as most formats want it; else an error that names one. */
gn_status gn__tensors_only(const gn_dict *dict, const char *path);
/* Whether a name or text is UTF-8; else an error, GN_E_FORMAT for "load", else GN_E_ARGUMENT. */
gn_status gn__utf8(const char *op, const char *text);
/* Formats are little-endian here; an error where the machine is not. */
gn_status gn__little_endian(const char *op, const char *path);

/* ---- Reading (source.c) */

typedef struct gn__source {
    const char *op, *path; /* for messages */
    int fd;
    int64_t bytes; /* of the file when it was opened */
} gn__source;

/* Opens a regular file; after an error there is nothing to close. */
gn_status gn__source_open(gn__source *source, const char *op, const char *path);
void gn__source_close(gn__source *source);
/* Reads exactly n bytes. */
gn_status gn__source_read(const gn__source *source, int64_t offset, void *target, size_t n);

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
    int64_t at;  /* bytes written so far */
    mode_t mode; /* of the file that is replaced; 0: there is none */
} gn__atomic;

gn_status gn__atomic_begin(gn__atomic *file, const char *op, const char *path);
gn_status gn__atomic_write(gn__atomic *file, const void *bytes, size_t n);
/* Overwrites what was written before. */
gn_status gn__atomic_patch(gn__atomic *file, int64_t offset, const void *bytes, size_t n);
/* Works while an error sticks; the thread's status. */
gn_status gn__atomic_end(gn__atomic *file);

/* ---- Tensors as bytes (tensor_bytes.c): row-major, the host's byte order */

/* Takes, or gives, the next n bytes. */
typedef gn_status gn__take(void *context, const void *bytes, size_t n);
typedef gn_status gn__give(void *context, void *bytes, size_t n);

/* Hands the elements to `take` piece by piece. */
gn_status gn__write_tensor(gn_tensor *t, gn__take *take, void *context);
/* A tensor of the bytes that `give` gives, of which the caller knows that there are enough. */
gn_tensor *gn__read_tensor(gn__device *device, int dtype, int n_dims, const int64_t *size,
                           gn__give *give, void *context);
/* The bytes of a tensor of such sizes; false: more than there can be. */
bool gn__tensor_bytes(int dtype, int n_dims, const int64_t *size, int64_t *bytes);

/* ---- npy (npy.c), alone or in an archive */

gn_status gn__npy_write(const char *name, gn_tensor *t, gn__take *take, void *context);
/* The bytes that gn__npy_write will hand over; -1 with an error. */
int64_t gn__npy_bytes(const char *name, const gn_tensor *t);
/* Of a file of so many bytes. `where` names it in messages. */
gn_tensor *gn__npy_read(const char *where, int64_t bytes, gn__device *device, gn__give *give,
                        void *context);

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
