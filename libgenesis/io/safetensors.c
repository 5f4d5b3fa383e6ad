/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors.c - files of tensors in the safetensors format: 8 bytes length of the header, the
 * header (see safetensors_header.c), the data. All little-endian.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <jansson.h>

#include "io.h"

/* The format's own limit for headers. */
enum { LENGTH_BYTES = 8, MAX_HEADER = 100000000, ALIGNMENT = 8 };

/* ---- Saving
 *
 * The header lists tensors in the dictionary's order; the data has those of wide elements first, so
 * that each starts at a multiple of its element's size.
 */

/* Calls `visit` for the tensors in the order of the data. */
static gn_status each_by_width(gn_dict *dict,
                               gn_status (*visit)(void *context, const char *name, gn_tensor *t),
                               void *context) {
    for (uint32_t width = 8; width > 0; width /= 2)
        for (int64_t i = 0; i < gn_dict_size(dict); i++) {
            gn_tensor *t = gn_dict_tensor(dict, i);
            if (t && gn_dtype_bytes(t->dtype) == width &&
                visit(context, gn_dict_name(dict, i), t) != GN_OK)
                return gn_error_status();
        }
    return gn_error_status();
}

typedef struct layout {
    json_t *header;
    int64_t at; /* bytes of data so far */
} layout;

/* Fills the entry that add_entry made. */
static gn_status place(void *context, const char *name, gn_tensor *t) {
    layout *l = context;
    int64_t begin = l->at;
    l->at += t->count * gn_dtype_bytes(t->dtype);
    json_t *shape = json_array();
    for (int d = 0; d < t->n_dims; d++)
        json_array_append_new(shape, json_integer(t->size[d]));
    json_t *entry = json_object_get(l->header, name);
    json_t *offsets = json_pack("[I, I]", (json_int_t)begin, (json_int_t)l->at);
    if (json_array_size(shape) != (size_t)t->n_dims ||
        json_object_set(entry, "shape", shape) != 0 ||
        json_object_set(entry, "data_offsets", offsets) != 0)
        gn_fail(GN_E_MEMORY, "save", "no memory for the header");
    json_decref(shape);
    json_decref(offsets);
    return gn_error_status();
}

static gn_status add_entry(json_t *header, const char *name, const gn_tensor *t) {
    const char *dtype = gn__safetensors_dtype(t->dtype);
    if (strcmp(name, "__metadata__") == 0)
        return gn_fail(GN_E_ARGUMENT, "save", "no tensor can be named __metadata__");
    if (dtype == NULL)
        return gn_fail(GN_E_UNSUPPORTED, "save", "%s is %s, which safetensors files do not have",
                       name, gn_dtype_name(t->dtype));
    if (json_object_set_new(header, name, json_pack("{s:s}", "dtype", dtype)) != 0)
        return gn_fail(GN_E_ARGUMENT, "save", "the name \"%.200s\" is not UTF-8", name);
    return GN_OK;
}

/* The header's text, padded with blanks. Malloc'ed; NULL with an error. */
static char *make_header(gn_dict *dict, size_t *length) {
    /* Some readers want to know that the tensors are laid out as PyTorch's. */
    layout l = {.header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt")};
    char *text = NULL, *padded = NULL;
    for (int64_t i = 0; i < gn_dict_size(dict); i++)
        if (add_entry(l.header, gn_dict_name(dict, i), gn_dict_tensor(dict, i)) != GN_OK)
            goto out;
    if (each_by_width(dict, place, &l) != GN_OK)
        goto out;
    text = json_dumps(l.header, JSON_COMPACT);
    if (text == NULL) {
        gn_fail(GN_E_MEMORY, "save", "no memory for the header");
        goto out;
    }
    size_t used = strlen(text);
    *length = (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (*length > MAX_HEADER) {
        gn_fail(GN_E_UNSUPPORTED, "save", "names take more than the %d bytes of a header",
                MAX_HEADER);
        goto out;
    }
    padded = gn__alloc(*length);
    if (padded)
        memset(memcpy(padded, text, used) + used, ' ', *length - used);
out:
    free(text);
    json_decref(l.header);
    return padded;
}

static gn_status take_bytes(void *file, const void *bytes, size_t n) {
    return gn__atomic_write(file, bytes, n);
}

static gn_status write_data(void *file, const char *name, gn_tensor *t) {
    (void)name;
    return gn__write_tensor(t, take_bytes, file);
}

static gn_status save(gn_dict *dict, const char *path) {
    size_t length = 0;
    if (gn__little_endian("save", path) != GN_OK || gn__tensors_only(dict, path) != GN_OK)
        return gn_error_status();
    char *header = make_header(dict, &length);
    if (header == NULL)
        return gn_error_status();
    gn__atomic file;
    uint64_t length_field = length;
    if (gn__atomic_begin(&file, "save", path) == GN_OK &&
        gn__atomic_write(&file, &length_field, sizeof length_field) == GN_OK &&
        gn__atomic_write(&file, header, length) == GN_OK)
        each_by_width(dict, write_data, &file);
    free(header);
    return gn__atomic_end(&file);
}

/* ---- Loading
 *
 * Where the device takes memory of the host, tensors lie in the mapped file: what is not looked at
 * is never read, and what is changed is copied, page by page, and not written back. Others, and
 * those that do not lie at multiples of their element's size, are copied.
 */

typedef struct mapping {
    void *memory;
    size_t bytes;
    atomic_uint users; /* tensors, and `load` itself */
} mapping;

static void leave(void *context) {
    mapping *m = context;
    if (atomic_fetch_sub(&m->users, 1) > 1)
        return;
    munmap(m->memory, m->bytes);
    free(m);
}

/* NULL, without an error, where files can't be mapped. */
static mapping *map(const gn__source *source) {
    mapping *m = gn__alloc(sizeof *m);
    if (m == NULL)
        return NULL;
    m->bytes = (size_t)source->bytes;
    m->memory = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, source->fd, 0);
    atomic_init(&m->users, 1);
    if (m->memory != MAP_FAILED)
        return m;
    free(m);
    return NULL;
}

/* Reads and checks the header; *data is where the data begins. */
static gn_status read_header(const gn__source *source, gn__header *out, int64_t *data) {
    uint64_t length = 0;
    const char *path = source->path;
    if (source->bytes < LENGTH_BYTES)
        return gn_fail(GN_E_FORMAT, "load", "%s: %lld bytes are no safetensors file", path,
                       (long long)source->bytes);
    if (gn__source_read(source, 0, &length, sizeof length) != GN_OK)
        return gn_error_status();
    if (length > MAX_HEADER || length > (uint64_t)(source->bytes - LENGTH_BYTES))
        return gn_fail(GN_E_FORMAT, "load",
                       "%s: a header of %llu bytes is more than the file or the "
                       "format allows: is it a safetensors file?",
                       path, (unsigned long long)length);
    char *text = gn__alloc((size_t)length);
    if (text == NULL)
        return gn_error_status();
    *data = LENGTH_BYTES + (int64_t)length;
    if (gn__source_read(source, LENGTH_BYTES, text, (size_t)length) == GN_OK)
        gn__header_parse(out, path, text, (size_t)length, source->bytes - *data);
    free(text);
    return gn_error_status();
}

typedef struct reader {
    gn__source source;
    gn__device *device;
    mapping *mapping; /* NULL: tensors are copied */
    int64_t data, at; /* offsets: where the data begins, what is read next */
} reader;

static gn_status read_next(void *context, void *bytes, size_t n) {
    reader *r = context;
    int64_t at = r->at;
    r->at += (int64_t)n;
    return gn__source_read(&r->source, at, bytes, n);
}

static gn_tensor *read_tensor(reader *r, const gn__entry *e) {
    r->at = r->data + e->begin;
    char *bytes = r->mapping ? (char *)r->mapping->memory + r->at : NULL;
    if (bytes == NULL || e->begin == e->end || r->at % gn_dtype_bytes(e->dtype) != 0)
        return gn__read_tensor(r->device, e->dtype, e->n_dims, e->size, read_next, r);
    gn__storage *storage =
        gn__storage_wrap(r->device, bytes, (uint64_t)(e->end - e->begin), leave, r->mapping);
    if (storage == NULL)
        return NULL;
    atomic_fetch_add(&r->mapping->users, 1);
    return gn__tensor_over(storage, e->dtype, e->n_dims, e->size, NULL, 0);
}

static gn_dict *load(const char *path, gn__device *device) {
    reader r = {.device = device};
    if (gn__little_endian("load", path) != GN_OK ||
        gn__source_open(&r.source, "load", path) != GN_OK)
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn__header header = {.json = NULL};
    gn_dict *dict = NULL;
    if (read_header(&r.source, &header, &r.data) == GN_OK) {
        r.mapping = device->table->wrap ? map(&r.source) : NULL;
        dict = gn_dict_new();
    }
    for (size_t i = 0; dict && i < header.n && !gn__failed(); i++) {
        gn_tensor *t = read_tensor(&r, &header.entries[i]);
        if (t)
            gn_dict_set(dict, header.entries[i].name, t);
    }
    if (r.mapping)
        leave(r.mapping);
    gn__header_free(&header);
    gn__source_close(&r.source);
    return gn_scope_end_with(scope, gn__failed() ? NULL : dict);
}

const gn__format gn__safetensors = {.save = save, .load = load};
