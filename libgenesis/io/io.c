/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.c - the format of a file follows from its suffix.
 */
#include <string.h>
#include <strings.h>

#include "io.h"

static const struct {
    const char *suffix;
    const gn__format *format;
} formats[] = {
    {".safetensors", &gn__safetensors},
    {".pth", &gn__pth},
    {".pt", &gn__pth},
    {".npy", &gn__npy},
    {".npz", &gn__npz},
};

/* The format of a path, or NULL with an error. */
static const gn__format *format_of(const char *op, const char *path) {
    static const char known[] = ".safetensors, .pth, .pt, .npy or .npz";
    if (path == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op, "the path is NULL");
    const char *name = strrchr(path, '/'), *suffix = strrchr(name ? name : path, '.');
    if (suffix == NULL)
        return gn__fail_null(GN_E_UNSUPPORTED, op,
                             "%s: has no suffix that tells its format: use %s", path, known);
    for (size_t i = 0; i < GN_LENGTH(formats); i++)
        if (strcasecmp(suffix, formats[i].suffix) == 0)
            return formats[i].format;
    return gn__fail_null(GN_E_UNSUPPORTED, op, "%s: %s is no known format: use %s", path, suffix,
                         known);
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
    gn__device *target = format ? gn__device_get(device) : NULL;
    return target ? format->load(path, target) : NULL;
}

gn_status gn__tensors_only(const gn_dict *dict, const char *path) {
    for (int64_t i = 0; i < gn_dict_size(dict); i++)
        if (gn_dict_kind(dict, i) != GN_VALUE_TENSOR)
            return gn_fail(
                GN_E_UNSUPPORTED, "save",
                "%s: \"%.200s\" is no tensor: this format has nothing else; use .pth, or "
                "gn_dict_flatten",
                path, gn_dict_name(dict, i));
    return gn_error_status();
}

gn_status gn__little_endian(const char *op, const char *path) {
    const uint16_t one = 1;
    if (*(const char *)&one == 1)
        return GN_OK;
    return gn_fail(GN_E_UNSUPPORTED, op, "%s: files are little-endian here, this machine is not",
                   path);
}
