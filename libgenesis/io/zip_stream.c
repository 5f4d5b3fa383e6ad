/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip_stream.c - the bytes of an entry of a zip archive.
 */
#include <stdlib.h>
#include <zlib.h>

#include "zip.h"

enum { INPUT_BYTES = 1 << 16, SUM_PIECE = 1 << 30 };

static gn_status wrong(const gn__zip_stream *s, const char *why) {
    return gn_fail(GN_E_FORMAT, s->zip->source.op, "%s: entry \"%.200s\": %s", s->zip->source.path,
                   s->entry->name, why);
}

gn_status gn__zip_stream_open(gn__zip_stream *s, const gn__zip *zip, const gn__zip_entry *entry) {
    *s = (gn__zip_stream){.zip = zip, .entry = entry};
    if (entry->method == GN__ZIP_STORED)
        return gn_error_status();
    z_stream *inflater = gn__alloc(sizeof *inflater);
    s->compressed = gn__alloc(INPUT_BYTES);
    if (inflater && s->compressed && inflateInit2(inflater, -MAX_WBITS) == Z_OK)
        s->inflater = inflater;
    else
        free(inflater);
    if (s->inflater == NULL)
        gn_fail(GN_E_MEMORY, zip->source.op, "%s: no memory to inflate it", zip->source.path);
    return gn_error_status();
}

/* Gets more of the compressed bytes. */
static gn_status refill(gn__zip_stream *s, z_stream *inflater) {
    int64_t left = s->entry->compressed - s->taken;
    if (left == 0)
        return wrong(s, "its compressed bytes end too early");
    size_t n = left < INPUT_BYTES ? (size_t)left : INPUT_BYTES;
    inflater->next_in = s->compressed;
    inflater->avail_in = (uInt)n;
    int64_t at = s->entry->data + s->taken;
    s->taken += (int64_t)n;
    return gn__source_read(&s->zip->source, at, s->compressed, n);
}

static gn_status inflate_bytes(gn__zip_stream *s, void *bytes, uInt n) {
    z_stream *inflater = s->inflater;
    inflater->next_out = bytes;
    inflater->avail_out = n;
    while (inflater->avail_out > 0) {
        if (inflater->avail_in == 0 && refill(s, inflater) != GN_OK)
            return gn_error_status();
        int result = inflate(inflater, Z_NO_FLUSH);
        if (result != Z_OK && (result != Z_STREAM_END || inflater->avail_out > 0))
            return wrong(s, "its compressed bytes are damaged, or end too early");
    }
    return GN_OK;
}

gn_status gn__zip_stream_read(void *context, void *bytes, size_t n) {
    gn__zip_stream *s = context;
    unsigned char *at = bytes;
    if ((int64_t)n > s->entry->bytes - s->given)
        return wrong(s, "ends too early");
    while (n > 0 && !gn__failed()) {
        size_t piece = n < SUM_PIECE ? n : SUM_PIECE;
        if (s->inflater)
            inflate_bytes(s, at, (uInt)piece);
        else
            gn__source_read(&s->zip->source, s->entry->data + s->given, at, piece);
        if (!gn__failed())
            s->crc = (uint32_t)crc32(s->crc, at, (uInt)piece);
        s->given += (int64_t)piece;
        at += piece;
        n -= piece;
    }
    return gn_error_status();
}

gn_status gn__zip_stream_close(gn__zip_stream *s) {
    if (!gn__failed() && s->given != s->entry->bytes)
        wrong(s, "has more bytes than what they are for");
    else if (!gn__failed() && s->crc != s->entry->crc)
        wrong(s, "is damaged: its bytes do not have the sum that the archive tells");
    if (s->inflater)
        inflateEnd(s->inflater);
    free(s->inflater);
    free(s->compressed);
    return gn_error_status();
}
