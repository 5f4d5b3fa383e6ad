/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npz.c - NumPy's files of several arrays: a zip archive with an entry NAME.npy for each.
 */
#include <stdlib.h>

#include "zip.h"

static const char SUFFIX[] = ".npy";
enum { SUFFIX_BYTES = sizeof SUFFIX - 1 };

static gn_status put_tensor(gn__zip_writer *zip, const char *name, gn_tensor *t) {
    size_t length = strlen(name);
    char *entry = gn__alloc(length + sizeof SUFFIX);
    if (entry == NULL)
        return gn_error_status();
    memcpy(entry, name, length);
    memcpy(entry + length, SUFFIX, sizeof SUFFIX);
    int64_t bytes = gn__utf8("save", name) == GN_OK ? gn__npy_bytes(name, t) : -1;
    if (bytes >= 0 && gn__zip_writer_entry(zip, entry, bytes) == GN_OK)
        gn__npy_write(name, t, gn__zip_writer_put, zip);
    free(entry);
    return gn_error_status();
}

static gn_status save(gn_dict *dict, const char *path) {
    if (gn__little_endian("save", path) != GN_OK || gn__tensors_only(dict, path) != GN_OK)
        return gn_error_status();
    gn__zip_writer zip;
    gn__zip_writer_begin(&zip, "save", path);
    for (int64_t i = 0; i < gn_dict_size(dict) && !gn__failed(); i++)
        put_tensor(&zip, gn_dict_name(dict, i), gn_dict_tensor(dict, i));
    return gn__zip_writer_end(&zip);
}

static gn_status load_entry(gn_dict *dict, const gn__zip *zip, const gn__zip_entry *entry,
                            gn__device *device) {
    char *name = gn__strdup(entry->name);
    size_t length = strlen(entry->name);
    if (name == NULL)
        return gn_error_status();
    if (length >= SUFFIX_BYTES && strcmp(name + length - SUFFIX_BYTES, SUFFIX) == 0) {
        name[length - SUFFIX_BYTES] = '\0';
        gn__zip_stream stream;
        gn_tensor *t = NULL;
        if (gn__zip_stream_open(&stream, zip, entry) == GN_OK)
            t = gn__npy_read(entry->name, entry->bytes, device, gn__zip_stream_read, &stream);
        if (gn__zip_stream_close(&stream) == GN_OK)
            gn_dict_set(dict, name, t);
    } else {
        gn_fail(GN_E_FORMAT, zip->source.op, "%s: entry \"%.200s\" is no .npy file",
                zip->source.path, name);
    }
    free(name);
    return gn_error_status();
}

static gn_dict *load(const char *path, gn__device *device) {
    gn__zip zip;
    if (gn__little_endian("load", path) != GN_OK || gn__zip_open(&zip, "load", path) != GN_OK)
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn_dict *dict = gn_dict_new();
    for (size_t i = 0; dict && i < zip.n && !gn__failed(); i++)
        load_entry(dict, &zip, &zip.entries[i], device);
    gn__zip_close(&zip);
    return gn_scope_end_with(scope, gn__failed() ? NULL : dict);
}

const gn__format gn__npz = {.save = save, .load = load};
