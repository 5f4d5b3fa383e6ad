/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip_read.c - the directory of a zip archive. Nothing in it is trusted: memory is taken for what
 * the file has, not for what it claims.
 *
 *     entry:     local header (30 bytes), name, extra, data
 *     directory: one record (46 bytes), name, extra, comment per entry
 *     end:       a record (22 bytes), comment; before it, where numbers need 64 bits, a record of
 *                56 bytes and a locator of 20 that tells where that is
 */
#include <stdlib.h>
#include <string.h>

#include "zip.h"

enum {
    LOCAL_BYTES = 30,
    RECORD_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    MAX_COMMENT = 65535,
    EXTRA_64 = 1,         /* id of the extra field with 64-bit sizes */
    MAX_EXPANSION = 1032, /* a deflated byte stands for at most that many */
    FLAG_ENCRYPTED = 1
};

static const uint32_t LOCAL_MARK = 0x04034b50, RECORD_MARK = 0x02014b50, END_MARK = 0x06054b50,
                      END64_MARK = 0x06064b50, LOCATOR_MARK = 0x07064b50, ALL_ONES = 0xffffffff;

static gn_status wrong(const gn__zip *zip, const char *name, const char *why) {
    return gn_fail(GN_E_FORMAT, zip->source.op, "%s: %s%.200s%s%s", zip->source.path,
                   name ? "entry \"" : "", name ? name : "", name ? "\": " : "", why);
}

/* ---- Little-endian numbers */

static uint32_t u16(const unsigned char *at) { return at[0] | (uint32_t)at[1] << 8; }
static uint32_t u32(const unsigned char *at) { return u16(at) | u16(at + 2) << 16; }
static uint64_t u64(const unsigned char *at) { return u32(at) | (uint64_t)u32(at + 4) << 32; }

/* ---- Where the directory is */

typedef struct directory {
    uint64_t n, bytes, offset;
    int64_t end; /* what follows it begins here, or earlier */
} directory;

/* Looks for the end record, which only its comment follows. Its offset, or -1 with an error. */
static int64_t find_end(const gn__zip *zip, unsigned char record[END_BYTES]) {
    int64_t size = zip->source.bytes, room = END_BYTES + MAX_COMMENT;
    if (room > size)
        room = size;
    unsigned char *tail = gn__alloc((size_t)room);
    int64_t found = -1;
    if (tail == NULL)
        return -1;
    if (gn__source_read(&zip->source, size - room, tail, (size_t)room) == GN_OK)
        for (int64_t at = room - END_BYTES; at >= 0 && found < 0; at--)
            if (u32(tail + at) == END_MARK && at + END_BYTES + u16(tail + at + 20) == room)
                found = at;
    if (found >= 0)
        memcpy(record, tail + found, END_BYTES);
    else if (!gn__failed())
        wrong(zip, NULL, "is no zip archive, or has been cut off");
    free(tail);
    return found >= 0 ? size - room + found : -1;
}

/* Replaces the numbers by those of the 64-bit record, if there is one before the end record. */
static gn_status find_end64(const gn__zip *zip, directory *d) {
    unsigned char locator[LOCATOR_BYTES], record[END64_BYTES];
    if (d->end < LOCATOR_BYTES)
        return GN_OK;
    if (gn__source_read(&zip->source, d->end - LOCATOR_BYTES, locator, sizeof locator) != GN_OK)
        return gn_error_status();
    if (u32(locator) != LOCATOR_MARK)
        return GN_OK;
    uint64_t at = u64(locator + 8), limit = (uint64_t)(d->end - LOCATOR_BYTES);
    if (limit < END64_BYTES || at > limit - END64_BYTES)
        return wrong(zip, NULL, "its 64-bit end record lies outside");
    if (gn__source_read(&zip->source, (int64_t)at, record, sizeof record) != GN_OK)
        return gn_error_status();
    if (u32(record) != END64_MARK || u32(record + 16) != 0 || u32(record + 20) != 0)
        return wrong(zip, NULL, "its 64-bit end record is damaged");
    *d = (directory){.n = u64(record + 32),
                     .bytes = u64(record + 40),
                     .offset = u64(record + 48),
                     .end = (int64_t)at};
    return GN_OK;
}

static gn_status find_directory(const gn__zip *zip, directory *d) {
    unsigned char record[END_BYTES];
    int64_t end = find_end(zip, record);
    if (end < 0)
        return gn_error_status();
    if (u16(record + 4) != 0 || u16(record + 6) != 0)
        return wrong(zip, NULL, "is a part of an archive of several files");
    *d = (directory){
        .n = u16(record + 10), .bytes = u32(record + 12), .offset = u32(record + 16), .end = end};
    if (find_end64(zip, d) != GN_OK)
        return gn_error_status();
    if (d->offset > (uint64_t)d->end || d->bytes > (uint64_t)d->end - d->offset)
        return wrong(zip, NULL, "its directory lies outside of the file");
    if (d->n > d->bytes / RECORD_BYTES)
        return wrong(zip, NULL, "its directory is shorter than its number of entries");
    return GN_OK;
}

/* ---- One entry */

/* Numbers that did not fit their 32 bits are in an extra field, in this order. */
static gn_status read_extra64(const gn__zip *zip, gn__zip_entry *e, const unsigned char *extra,
                              size_t n) {
    int64_t *wanted[] = {&e->bytes, &e->compressed, &e->header};
    while (n >= 4) {
        size_t length = u16(extra + 2);
        if (length > n - 4)
            break;
        const unsigned char *at = extra + 4, *end = at + length;
        for (size_t i = 0; u16(extra) == EXTRA_64 && i < GN_LENGTH(wanted); i++)
            if (*wanted[i] == ALL_ONES && end - at >= 8) {
                *wanted[i] = u64(at) <= INT64_MAX ? (int64_t)u64(at) : -1;
                at += 8;
            }
        extra = end;
        n -= length + 4;
    }
    return n == 0 ? GN_OK : wrong(zip, e->name, "its extra fields are damaged");
}

static gn_status check_entry(const gn__zip *zip, const gn__zip_entry *e, uint32_t flags,
                             int64_t end) {
    if (flags & FLAG_ENCRYPTED)
        return wrong(zip, e->name, "is encrypted");
    if (e->method != GN__ZIP_STORED && e->method != GN__ZIP_DEFLATED)
        return wrong(zip, e->name, "is compressed by another method than deflate");
    if (e->header < 0 || e->header > end - LOCAL_BYTES || e->compressed < 0 ||
        e->compressed > end - LOCAL_BYTES - e->header)
        return wrong(zip, e->name, "lies outside of the file");
    if (e->method == GN__ZIP_STORED ? e->bytes != e->compressed
                                    : e->bytes < 0 || e->bytes / MAX_EXPANSION > e->compressed)
        return wrong(zip, e->name, "its bytes can't stand for as many as it claims");
    return GN_OK;
}

/* Reads one record of the directory at *at, which it moves on. */
static gn_status read_record(gn__zip *zip, const unsigned char **at, const unsigned char *end,
                             int64_t data_end) {
    const unsigned char *r = *at;
    size_t left = (size_t)(end - r);
    if (left < RECORD_BYTES || u32(r) != RECORD_MARK)
        return wrong(zip, NULL, "its directory is damaged");
    size_t name = u16(r + 28), extra = u16(r + 30), comment = u16(r + 32);
    if (name + extra + comment > left - RECORD_BYTES)
        return wrong(zip, NULL, "its directory is damaged");
    *at = r + RECORD_BYTES + name + extra + comment;
    if (memchr(r + RECORD_BYTES, '\0', name))
        return wrong(zip, NULL, "the name of an entry has a byte 0");
    gn__zip_entry *e = &zip->entries[zip->n];
    *e = (gn__zip_entry){.name = gn__alloc(name + 1),
                         .method = (int)u16(r + 10),
                         .crc = u32(r + 16),
                         .compressed = u32(r + 20),
                         .bytes = u32(r + 24),
                         .header = u32(r + 42)};
    if (e->name == NULL)
        return gn_error_status();
    memcpy(e->name, r + RECORD_BYTES, name);
    zip->n++;
    if (gn__zip_find(zip, e->name))
        return wrong(zip, e->name, "there are two of that name");
    if (read_extra64(zip, e, r + RECORD_BYTES + name, extra) != GN_OK ||
        check_entry(zip, e, u16(r + 8), data_end) != GN_OK)
        return gn_error_status();
    return gn__table_set(zip->by_name, e->name, name, e);
}

/* ---- All of them */

static gn_status read_directory(gn__zip *zip) {
    directory d = {.n = 0};
    if (find_directory(zip, &d) != GN_OK)
        return gn_error_status();
    unsigned char *bytes = gn__alloc((size_t)d.bytes);
    zip->entries = gn__alloc_array((size_t)d.n, sizeof *zip->entries);
    zip->by_name = gn__table_new();
    if (bytes && zip->entries && zip->by_name &&
        gn__source_read(&zip->source, (int64_t)d.offset, bytes, (size_t)d.bytes) == GN_OK) {
        const unsigned char *at = bytes, *end = bytes + d.bytes;
        while (zip->n < d.n && read_record(zip, &at, end, (int64_t)d.offset) == GN_OK)
            ;
        if (!gn__failed() && at != end)
            wrong(zip, NULL, "its directory has more than its entries");
    }
    free(bytes);
    return gn_error_status();
}

/* Finds where the entry's bytes begin, behind its local header. */
static gn_status locate(const gn__zip *zip, gn__zip_entry *e, int64_t limit) {
    unsigned char header[LOCAL_BYTES];
    if (gn__source_read(&zip->source, e->header, header, sizeof header) != GN_OK)
        return gn_error_status();
    if (u32(header) != LOCAL_MARK || u16(header + 8) != (uint32_t)e->method)
        return wrong(zip, e->name, "its header is not what the directory says");
    e->data = e->header + LOCAL_BYTES + u16(header + 26) + u16(header + 28);
    if (e->data > limit || e->compressed > limit - e->data)
        return wrong(zip, e->name, "overlaps what comes behind it");
    return GN_OK;
}

static int by_header(const void *a, const void *b) {
    const gn__zip_entry *x = *(gn__zip_entry *const *)a, *y = *(gn__zip_entry *const *)b;
    return (x->header > y->header) - (x->header < y->header);
}

static gn_status locate_all(gn__zip *zip) {
    gn__zip_entry **order = gn__alloc_array(zip->n, sizeof *order);
    if (order == NULL)
        return gn_error_status();
    for (size_t i = 0; i < zip->n; i++)
        order[i] = &zip->entries[i];
    qsort(order, zip->n, sizeof *order, by_header);
    for (size_t i = 0; i < zip->n && !gn__failed(); i++)
        locate(zip, order[i], i + 1 < zip->n ? order[i + 1]->header : zip->source.bytes);
    free(order);
    return gn_error_status();
}

gn_status gn__zip_open(gn__zip *zip, const char *op, const char *path) {
    *zip = (gn__zip){.n = 0};
    if (gn__source_open(&zip->source, op, path) != GN_OK)
        return gn_error_status();
    if (read_directory(zip) != GN_OK || locate_all(zip) != GN_OK)
        gn__zip_close(zip);
    return gn_error_status();
}

void gn__zip_close(gn__zip *zip) {
    gn__source_close(&zip->source);
    for (size_t i = 0; i < zip->n; i++)
        free(zip->entries[i].name);
    free(zip->entries);
    gn__table_free(zip->by_name, NULL);
    zip->entries = NULL;
}

const gn__zip_entry *gn__zip_find(const gn__zip *zip, const char *name) {
    return gn__table_get(zip->by_name, name, strlen(name));
}
