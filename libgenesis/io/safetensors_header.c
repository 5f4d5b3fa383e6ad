/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors_header.c - parses the JSON header of a safetensors file and checks all that it
 * claims. Format: https://github.com/huggingface/safetensors#format
 *
 *     {"__metadata__": {"name": "text", ..},
 *      "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..}
 *
 * The tensors' bytes fill the data from its start to its end, without holes or overlaps.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "io.h"

static const char op[] = "load";

static const char *const dtype_names[GN_N_DTYPES] = {
    [GN_BOOL] = "BOOL", [GN_U8] = "U8",   [GN_I8] = "I8",     [GN_I16] = "I16", [GN_I32] = "I32",
    [GN_I64] = "I64",   [GN_F16] = "F16", [GN_BF16] = "BF16", [GN_F32] = "F32", [GN_F64] = "F64",
};

const char *gn__safetensors_dtype(int dtype) {
    return dtype > 0 && dtype < GN_N_DTYPES ? dtype_names[dtype] : NULL;
}

/* The dtype of the name, or 0. */
static int find_dtype(const char *name) {
    for (int dtype = 1; dtype < GN_N_DTYPES; dtype++)
        if (dtype_names[dtype] && strcmp(name, dtype_names[dtype]) == 0)
            return dtype;
    return 0;
}

/* ---- One tensor */

static gn_status wrong(const char *path, const char *name, const char *why) {
    return gn_fail(GN_E_FORMAT, op, "%s: tensor \"%.200s\": %s", path, name, why);
}

/* A number that is not negative. */
static bool get_size(const json_t *value, int64_t *out) {
    *out = json_is_integer(value) ? json_integer_value(value) : -1;
    return *out >= 0;
}

static gn_status parse_dtype(gn__entry *e, const char *path, const json_t *value) {
    const char *text = json_string_value(value);
    if (text == NULL)
        return wrong(path, e->name, "dtype is missing, or is no string");
    e->dtype = find_dtype(text);
    if (e->dtype == 0)
        return gn_fail(GN_E_UNSUPPORTED, op, "%s: tensor \"%.200s\": there is no dtype %.20s here",
                       path, e->name, text);
    return GN_OK;
}

/* Sets the sizes, and *bytes. */
static gn_status parse_shape(gn__entry *e, const char *path, const json_t *value, int64_t *bytes) {
    if (!json_is_array(value))
        return wrong(path, e->name, "shape is missing, or is no array");
    size_t n = json_array_size(value);
    if (n > GN_TENSOR_MAX_DIMS)
        return gn_fail(GN_E_UNSUPPORTED, op, "%s: tensor \"%.200s\": has %zu dims, more than %d",
                       path, e->name, n, GN_TENSOR_MAX_DIMS);
    e->n_dims = (int)n;
    *bytes = gn_dtype_bytes(e->dtype);
    bool fits = true;
    for (size_t d = 0; d < n; d++) {
        if (!get_size(json_array_get(value, d), &e->size[d]))
            return wrong(path, e->name, "a size is no whole number from 0 to 2^63 - 1");
        fits = fits && gn__mul(*bytes, e->size[d], bytes);
    }
    return fits ? GN_OK : wrong(path, e->name, "the product of its sizes is too large");
}

static gn_status parse_entry(gn__entry *e, const char *path, const json_t *value,
                             int64_t data_bytes) {
    int64_t bytes = 0;
    if (!json_is_object(value))
        return wrong(path, e->name, "is described by no object");
    if (parse_dtype(e, path, json_object_get(value, "dtype")) != GN_OK ||
        parse_shape(e, path, json_object_get(value, "shape"), &bytes) != GN_OK)
        return gn_error_status();
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (json_array_size(offsets) != 2 || !get_size(json_array_get(offsets, 0), &e->begin) ||
        !get_size(json_array_get(offsets, 1), &e->end))
        return wrong(path, e->name, "data_offsets are missing, or are not two numbers >= 0");
    if (e->begin > e->end || e->end > data_bytes)
        return wrong(path, e->name, "its data_offsets leave the file");
    if (e->end - e->begin != bytes)
        return wrong(path, e->name, "its data_offsets do not fit its shape and dtype");
    return GN_OK;
}

/* ---- All of them */

static gn_status check_metadata(const char *path, json_t *metadata) {
    const char *key;
    json_t *value;
    bool fits = json_is_object(metadata);
    json_object_foreach(metadata, key, value) fits = fits && json_is_string(value);
    return fits ? GN_OK : gn_fail(GN_E_FORMAT, op, "%s: __metadata__ has more than strings", path);
}

static int by_offset(const void *a, const void *b) {
    const gn__entry *x = *(gn__entry *const *)a, *y = *(gn__entry *const *)b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Whether the tensors cover the data exactly. */
static gn_status check_cover(const gn__header *header, const char *path, int64_t data_bytes) {
    const gn__entry **order = gn__alloc_array(header->n, sizeof *order);
    if (order == NULL)
        return gn_error_status();
    for (size_t i = 0; i < header->n; i++)
        order[i] = &header->entries[i];
    qsort(order, header->n, sizeof *order, by_offset);
    int64_t at = 0;
    for (size_t i = 0; i < header->n && !gn__failed(); i++) {
        if (order[i]->begin != at)
            wrong(path, order[i]->name,
                  order[i]->begin < at ? "its data overlaps that of another one"
                                       : "there is a hole before its data");
        at = order[i]->end;
    }
    if (!gn__failed() && at != data_bytes)
        gn_fail(GN_E_FORMAT, op, "%s: %lld bytes at its end belong to no tensor", path,
                (long long)(data_bytes - at));
    free(order);
    return gn_error_status();
}

gn_status gn__header_parse(gn__header *out, const char *path, const char *text, size_t length,
                           int64_t data_bytes) {
    *out = (gn__header){.json = NULL};
    json_error_t error;
    json_t *json = length > 0 && text[0] == '{'
                       ? json_loadb(text, length, JSON_REJECT_DUPLICATES, &error)
                       : NULL;
    if (json == NULL)
        return gn_fail(GN_E_FORMAT, op, "%s: its header is no JSON object: %s", path,
                       length > 0 && text[0] == '{' ? error.text : "it does not start with {");
    out->json = json;
    out->entries = gn__alloc_array(json_object_size(json), sizeof *out->entries);
    if (out->entries == NULL)
        return gn_error_status();
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        if (strcmp(key, "__metadata__") == 0) {
            if (check_metadata(path, value) != GN_OK)
                return gn_error_status();
            continue;
        }
        gn__entry *e = &out->entries[out->n++];
        e->name = key;
        if (parse_entry(e, path, value, data_bytes) != GN_OK)
            return gn_error_status();
    }
    return check_cover(out, path, data_bytes);
}

void gn__header_free(gn__header *header) {
    json_decref(header->json);
    free(header->entries);
    *header = (gn__header){.json = NULL};
}
