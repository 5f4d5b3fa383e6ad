/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip_write.c - writes zip archives of stored entries. zip_read.c shows the records.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "zip.h"

enum {
    ALIGNMENT = 64,
    MAX_NAME = 4096,
    LOCAL_BYTES = 30,
    RECORD_ROOM = 128,      /* more than the largest, the three records at the end */
    EXTRA64_BYTES = 4 + 16, /* of a local header: both sizes */
    CRC_OFFSET = 14,
    ZIP_VERSION = 45, /* needed to read it: 4.5 knows 64-bit sizes */
    FLAG_UTF8 = 2048, /* names are UTF-8 */
    SUM_PIECE = 1 << 30
};

static const uint32_t MAX32 = 0xffffffff;

/* ---- Records are built here, little-endian */

typedef struct record {
    size_t n;
    unsigned char bytes[RECORD_ROOM];
} record;

static void put(record *r, uint64_t value, int width) {
    for (int i = 0; i < width; i++)
        r->bytes[r->n++] = (unsigned char)(value >> (8 * i));
}

/* As many of the bits as fit; all ones tell that the number is elsewhere. */
static void put_small(record *r, int64_t value, int width) {
    uint64_t most = width == 2 ? 0xffff : MAX32;
    put(r, (uint64_t)value < most ? (uint64_t)value : most, width);
}

/* What local headers and records of the directory have in common. */
static void put_common(record *r, const gn__zip_entry *e, size_t extra) {
    put(r, ZIP_VERSION, 2);
    put(r, FLAG_UTF8, 2);
    put(r, GN__ZIP_STORED, 2);
    put(r, 0, 2);          /* the time: midnight, */
    put(r, 1 << 5 | 1, 2); /* 1980-01-01, so that equal contents give equal files */
    put(r, e->crc, 4);
    put_small(r, e->bytes, 4);
    put_small(r, e->bytes, 4);
    put(r, strlen(e->name), 2);
    put(r, extra, 2);
}

static gn_status write_record(gn__zip_writer *w, const record *r) {
    return gn__atomic_write(&w->file, r->bytes, r->n);
}

/* ---- Entries */

gn_status gn__zip_writer_begin(gn__zip_writer *w, const char *op, const char *path) {
    *w = (gn__zip_writer){.n = 0};
    return gn__atomic_begin(&w->file, op, path);
}

/* The sum of the entry that was written last is known now. */
static gn_status finish_entry(gn__zip_writer *w) {
    const gn__zip_entry *e = &w->entries[w->n - 1];
    if (!gn__failed() && w->file.at != e->data + e->bytes)
        return gn_fail(GN_E_INTERNAL, w->file.op, "%s: %lld bytes instead of %lld for %s",
                       w->file.path, (long long)(w->file.at - e->data), (long long)e->bytes,
                       e->name);
    record crc = {.n = 0};
    put(&crc, e->crc, 4);
    return gn__atomic_patch(&w->file, e->header + CRC_OFFSET, crc.bytes, crc.n);
}

gn_status gn__zip_writer_entry(gn__zip_writer *w, const char *name, int64_t bytes) {
    if (gn__failed() || (w->n > 0 && finish_entry(w) != GN_OK) ||
        gn__grow((void **)&w->entries, &w->capacity, w->n, sizeof *w->entries) != GN_OK)
        return gn_error_status();
    size_t length = strlen(name);
    if (length > MAX_NAME)
        return gn_fail(GN_E_UNSUPPORTED, w->file.op, "%s: a name of %zu bytes: %.60s...",
                       w->file.path, length, name);
    gn__zip_entry *e = &w->entries[w->n];
    *e = (gn__zip_entry){.name = gn__strdup(name), .header = w->file.at, .bytes = bytes};
    if (e->name == NULL)
        return gn_error_status();
    w->n++;
    size_t wide = bytes >= MAX32 ? EXTRA64_BYTES : 0;
    e->data = e->header + LOCAL_BYTES + (int64_t)(length + wide) + 4; /* 4: a field's header */
    size_t padding = (size_t)(-e->data & (ALIGNMENT - 1));
    e->data += (int64_t)padding;
    record r = {.n = 0}, extra = {.n = 0};
    put(&r, 0x04034b50, 4);
    put_common(&r, e, wide + 4 + padding);
    if (wide) {
        put(&extra, 1, 2);
        put(&extra, 16, 2);
        put(&extra, (uint64_t)bytes, 8);
        put(&extra, (uint64_t)bytes, 8);
    }
    put(&extra, 'F' | 'B' << 8, 2); /* the field that PyTorch fills up with, too */
    put(&extra, padding, 2);
    extra.n += padding;
    write_record(w, &r);
    gn__atomic_write(&w->file, name, length);
    return write_record(w, &extra);
}

gn_status gn__zip_writer_put(void *writer, const void *bytes, size_t n) {
    gn__zip_writer *w = writer;
    gn__zip_entry *e = &w->entries[w->n - 1];
    const unsigned char *at = bytes;
    for (size_t left = n; left > 0 && !gn__failed();) {
        size_t piece = left < SUM_PIECE ? left : SUM_PIECE;
        e->crc = (uint32_t)crc32(e->crc, at, (uInt)piece);
        gn__atomic_write(&w->file, at, piece);
        at += piece;
        left -= piece;
    }
    return gn_error_status();
}

/* ---- The directory */

static gn_status write_listed(gn__zip_writer *w, const gn__zip_entry *e) {
    const bool wide_size = e->bytes >= MAX32, wide_offset = e->header >= MAX32;
    size_t wide = wide_size * 16 + wide_offset * 8;
    record r = {.n = 0}, extra = {.n = 0};
    put(&r, 0x02014b50, 4);
    put(&r, ZIP_VERSION, 2);
    put_common(&r, e, wide ? wide + 4 : 0);
    put(&r, 0, 2 + 2 + 2); /* comment, disk, kind of contents */
    put(&r, 0, 4);         /* attributes */
    put_small(&r, e->header, 4);
    if (wide) {
        put(&extra, 1, 2);
        put(&extra, wide, 2);
    }
    if (wide_size) {
        put(&extra, (uint64_t)e->bytes, 8);
        put(&extra, (uint64_t)e->bytes, 8);
    }
    if (wide_offset)
        put(&extra, (uint64_t)e->header, 8);
    write_record(w, &r);
    gn__atomic_write(&w->file, e->name, strlen(e->name));
    return write_record(w, &extra);
}

static gn_status write_directory(gn__zip_writer *w) {
    const int64_t begin = w->file.at, n = (int64_t)w->n;
    for (size_t i = 0; i < w->n && !gn__failed(); i++)
        write_listed(w, &w->entries[i]);
    const int64_t end = w->file.at, bytes = end - begin;
    record r = {.n = 0};
    if (n >= 0xffff || end >= MAX32) {
        put(&r, 0x06064b50, 4);
        put(&r, 56 - 12, 8); /* bytes of this record behind here */
        put(&r, ZIP_VERSION, 2);
        put(&r, ZIP_VERSION, 2);
        put(&r, 0, 4 + 4); /* disks */
        put(&r, (uint64_t)n, 8);
        put(&r, (uint64_t)n, 8);
        put(&r, (uint64_t)bytes, 8);
        put(&r, (uint64_t)begin, 8);
        put(&r, 0x07064b50, 4);
        put(&r, 0, 4);
        put(&r, (uint64_t)end, 8);
        put(&r, 1, 4); /* disks */
    }
    put(&r, 0x06054b50, 4);
    put(&r, 0, 2 + 2); /* disks */
    put_small(&r, n, 2);
    put_small(&r, n, 2);
    put_small(&r, bytes, 4);
    put_small(&r, begin, 4);
    put(&r, 0, 2); /* comment */
    return write_record(w, &r);
}

gn_status gn__zip_writer_end(gn__zip_writer *w) {
    if (!gn__failed() && (w->n == 0 || finish_entry(w) == GN_OK))
        write_directory(w);
    for (size_t i = 0; i < w->n; i++)
        free(w->entries[i].name);
    free(w->entries);
    return gn__atomic_end(&w->file);
}
