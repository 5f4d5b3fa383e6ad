/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip.h (internal) - zip archives as PyTorch and NumPy write them: entries that are stored or
 * deflated, with the 64-bit extensions; no encryption, no parts on several disks.
 *
 * A small reader and writer over zlib, and not a library for archives, because such libraries hide
 * what is needed here: where an entry's bytes lie (they are read at an offset, onto a device),
 * where they are put (PyTorch wants them at multiples of 64), checks of all claims before memory is
 * taken for them, and files that are written and synced as ours are.
 *
 * Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
#ifndef GENESIS_IO_ZIP_H
#define GENESIS_IO_ZIP_H

#include "io.h"

enum { GN__ZIP_STORED = 0, GN__ZIP_DEFLATED = 8 };

/* ---- Reading (zip_read.c, zip_stream.c) */

typedef struct gn__zip_entry {
    char *name;
    int method;
    int64_t header;     /* offset of its local header in the file */
    int64_t data;       /* offset of its bytes */
    int64_t compressed; /* how many these are */
    int64_t bytes;      /* how many they stand for */
    uint32_t crc;
} gn__zip_entry;

typedef struct gn__zip {
    gn__source source;
    gn__zip_entry *entries; /* as listed by the archive */
    size_t n;
    gn__table *by_name;
} gn__zip;

/* Opens an archive, and checks that its entries have different names, lie in the file and do not
 * overlap. After an error there is nothing to close. */
gn_status gn__zip_open(gn__zip *zip, const char *op, const char *path);
void gn__zip_close(gn__zip *zip);
/* NULL, without an error, if there is no such entry. */
const gn__zip_entry *gn__zip_find(const gn__zip *zip, const char *name);

/* The bytes of an entry, in order. */
typedef struct gn__zip_stream {
    const gn__zip *zip;
    const gn__zip_entry *entry;
    int64_t taken;    /* bytes of the file */
    int64_t given;    /* bytes that they stand for */
    uint32_t crc;     /* of those */
    void *inflater;   /* z_stream; NULL: stored */
    void *compressed; /* its input */
} gn__zip_stream;

gn_status gn__zip_stream_open(gn__zip_stream *stream, const gn__zip *zip,
                              const gn__zip_entry *entry);
gn__give gn__zip_stream_read; /* exactly n bytes */
/* Checks that all has been read and that it has the sum that the archive tells. Works while an
 * error sticks, as it frees the stream. */
gn_status gn__zip_stream_close(gn__zip_stream *stream);

/* ---- Writing (zip_write.c): stored entries, whose bytes begin at multiples of 64
 *
 *     gn__zip_writer writer;
 *     gn__zip_writer_begin(&writer, op, path);
 *     gn__zip_writer_entry(&writer, name, bytes);  for each entry,
 *     gn__zip_writer_put(&writer, bytes, n);       and what it holds
 *     return gn__zip_writer_end(&writer);
 */
typedef struct gn__zip_writer {
    gn__atomic file;
    gn__zip_entry *entries;
    size_t n, capacity;
} gn__zip_writer;

gn_status gn__zip_writer_begin(gn__zip_writer *writer, const char *op, const char *path);
gn_status gn__zip_writer_entry(gn__zip_writer *writer, const char *name, int64_t bytes);
gn__take gn__zip_writer_put;
/* Works while an error sticks; the thread's status. */
gn_status gn__zip_writer_end(gn__zip_writer *writer);

#endif
