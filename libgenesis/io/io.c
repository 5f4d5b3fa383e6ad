/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.c - the format of a file follows from its suffix.
 */
#include <string.h>
#include <strings.h>

#include "io.h"

static const gn__format *const formats[] = {&gn__safetensors};

/* The format of a path, or NULL with an error. */
static const gn__format *format_of(const char *op, const char *path) {
    if (path == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op, "the path is NULL");
    const char *name = strrchr(path, '/'), *suffix = strrchr(name ? name : path, '.');
    if (suffix == NULL)
        return gn__fail_null(GN_E_UNSUPPORTED, op,
                             "%s: has no suffix that tells its format: use .safetensors", path);
    for (size_t i = 0; i < GN_LENGTH(formats); i++)
        if (strcasecmp(suffix, formats[i]->suffix) == 0)
            return formats[i];
    return gn__fail_null(GN_E_UNSUPPORTED, op,
                         "%s: %s files are not in this version: use .safetensors", path, suffix);
}

gn_status gn_save(gn_dict *dict, const char *path) {
    if (gn__failed())
        return gn_error_status();
    if (dict == NULL)
        return gn_fail(GN_E_ARGUMENT, "save", "the dictionary is NULL");
    const gn__format *format = format_of("save", path);
    return format ? format->save(dict, path) : gn_error_status();
}

gn_dict *gn_load(const char *path, const char *device) {
    if (gn__failed())
        return NULL;
    const gn__format *format = format_of("load", path);
    return format ? format->load(path, device) : NULL;
}
