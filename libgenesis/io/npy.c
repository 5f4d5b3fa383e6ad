/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npy.c - NumPy's files of one array: "\x93NUMPY", version, length of the header, a header that is
 * a dictionary in Python's notation, the elements.
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 */
#include <ctype.h>
#include <stdlib.h>

#include "io.h"

enum { MAGIC_BYTES = 6, ALIGNMENT = 64, MAX_HEADER = 1 << 16, HEADER_ROOM = 512, WORD_BYTES = 64 };

static const char MAGIC[MAGIC_BYTES] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

static const char *const descriptions[GN_N_DTYPES] = {
    [GN_BOOL] = "|b1", [GN_U8] = "|u1",  [GN_I8] = "|i1",  [GN_I16] = "<i2", [GN_I32] = "<i4",
    [GN_I64] = "<i8",  [GN_F16] = "<f2", [GN_F32] = "<f4", [GN_F64] = "<f8",
};

typedef struct header {
    int dtype, n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS];
    bool columns_first; /* fortran_order: the first index varies fastest */
} header;

/* ---- Writing */

/* The file's beginning, up to the elements; returns its length. */
static int write_header(char text[HEADER_ROOM], const gn_tensor *t) {
    const int begin = MAGIC_BYTES + 4;
    memcpy(text, MAGIC, MAGIC_BYTES);
    text[MAGIC_BYTES] = 1; /* version 1.0 */
    text[MAGIC_BYTES + 1] = 0;
    int n = begin + snprintf(text + begin, (size_t)(HEADER_ROOM - begin),
                             "{'descr': '%s', 'fortran_order': False, 'shape': (",
                             descriptions[t->dtype]);
    for (int d = 0; d < t->n_dims; d++)
        n += snprintf(text + n, (size_t)(HEADER_ROOM - n), "%lld, ", (long long)t->size[d]);
    n += snprintf(text + n, (size_t)(HEADER_ROOM - n), "), }");
    const int end = (n + ALIGNMENT) / ALIGNMENT * ALIGNMENT; /* at least a newline */
    memset(text + n, ' ', (size_t)(end - n - 1));
    text[end - 1] = '\n';
    text[begin - 2] = (char)((end - begin) & 255);
    text[begin - 1] = (char)((end - begin) >> 8);
    return end;
}

static gn_status check_dtype(const char *name, const gn_tensor *t) {
    if (t->dtype > 0 && t->dtype < GN_N_DTYPES && descriptions[t->dtype])
        return GN_OK;
    return gn_fail(GN_E_UNSUPPORTED, "save",
                   "%.200s is %s, which NumPy does not have: cast it, or use .pth or .safetensors",
                   name, gn_dtype_name(t->dtype));
}

int64_t gn__npy_bytes(const char *name, const gn_tensor *t) {
    char text[HEADER_ROOM];
    if (check_dtype(name, t) != GN_OK)
        return -1;
    return write_header(text, t) + t->count * gn_dtype_bytes(t->dtype);
}

gn_status gn__npy_write(const char *name, gn_tensor *t, gn__take *take, void *context) {
    char text[HEADER_ROOM];
    if (check_dtype(name, t) != GN_OK ||
        take(context, text, (size_t)write_header(text, t)) != GN_OK)
        return gn_error_status();
    return gn__write_tensor(t, take, context);
}

static gn_status take_bytes(void *file, const void *bytes, size_t n) {
    return gn__atomic_write(file, bytes, n);
}

static gn_status save(gn_dict *dict, const char *path) {
    if (gn__little_endian("save", path) != GN_OK || gn__tensors_only(dict, path) != GN_OK)
        return gn_error_status();
    if (gn_dict_size(dict) != 1)
        return gn_fail(GN_E_UNSUPPORTED, "save",
                       "%s: %lld tensors: .npy files have exactly one; use .npz", path,
                       (long long)gn_dict_size(dict));
    gn__atomic file;
    if (gn__atomic_begin(&file, "save", path) == GN_OK)
        gn__npy_write(gn_dict_name(dict, 0), gn_dict_tensor(dict, 0), take_bytes, &file);
    return gn__atomic_end(&file);
}

/* ---- Parsing the header */

typedef struct parser {
    const char *where, *at; /* the text ends with 0 */
} parser;

static gn_status wrong(const parser *p, const char *why) {
    return gn_fail(GN_E_FORMAT, "load", "%s: its npy header: %s", p->where, why);
}

static void skip_blanks(parser *p) {
    while (isspace((unsigned char)*p->at))
        p->at++;
}

/* Whether this character comes next; moves over it then. */
static bool accept(parser *p, char wanted) {
    skip_blanks(p);
    if (*p->at != wanted)
        return false;
    p->at++;
    return true;
}

/* 'text', without escapes. */
static gn_status parse_string(parser *p, char out[WORD_BYTES]) {
    skip_blanks(p);
    const char quote = *p->at;
    if (quote != '\'' && quote != '"')
        return wrong(p, "has no string where one must be");
    const char *end = strchr(p->at + 1, quote);
    size_t n = end ? (size_t)(end - p->at - 1) : WORD_BYTES;
    if (n >= WORD_BYTES)
        return wrong(p, "has a string that is too long");
    memcpy(out, p->at + 1, n);
    out[n] = '\0';
    p->at = end + 1;
    return GN_OK;
}

static gn_status parse_descr(parser *p, header *out) {
    char text[WORD_BYTES];
    skip_blanks(p);
    if (*p->at == '[')
        return gn_fail(GN_E_UNSUPPORTED, "load", "%s: has elements of several fields", p->where);
    if (parse_string(p, text) != GN_OK)
        return gn_error_status();
    if (text[0] == '=')
        text[0] = '<';
    if (strlen(text) == 3 && text[2] == '1')
        text[0] = '|'; /* single bytes have no order */
    for (int dtype = 1; dtype < GN_N_DTYPES; dtype++)
        if (descriptions[dtype] && strcmp(text, descriptions[dtype]) == 0)
            out->dtype = dtype;
    if (out->dtype == 0)
        return gn_fail(GN_E_UNSUPPORTED, "load", "%s: there is no dtype '%s' here%s", p->where,
                       text, text[0] == '>' ? ": it is big-endian" : "");
    return GN_OK;
}

static gn_status parse_order(parser *p, header *out) {
    skip_blanks(p);
    out->columns_first = strncmp(p->at, "True", 4) == 0;
    if (!out->columns_first && strncmp(p->at, "False", 5) != 0)
        return wrong(p, "fortran_order is neither True nor False");
    p->at += out->columns_first ? 4 : 5;
    return GN_OK;
}

static gn_status parse_shape(parser *p, header *out) {
    if (!accept(p, '('))
        return wrong(p, "its shape is no tuple");
    while (!accept(p, ')')) {
        int64_t size = 0;
        if (!isdigit((unsigned char)*p->at))
            return wrong(p, "a size is no whole number from 0 to 2^63 - 1");
        for (; isdigit((unsigned char)*p->at); p->at++)
            if (!gn__mul(size, 10, &size) || !gn__add(size, *p->at - '0', &size))
                return wrong(p, "a size is no whole number from 0 to 2^63 - 1");
        if (out->n_dims == GN_TENSOR_MAX_DIMS)
            return gn_fail(GN_E_UNSUPPORTED, "load", "%s: has more than %d dims", p->where,
                           GN_TENSOR_MAX_DIMS);
        out->size[out->n_dims++] = size;
        if (!accept(p, ',') && *p->at != ')')
            return wrong(p, "its shape is no tuple of numbers");
    }
    return GN_OK;
}

static gn_status parse_header(parser *p, header *out) {
    static const struct {
        const char *key;
        gn_status (*parse)(parser *p, header *out);
    } keys[] = {{"descr", parse_descr}, {"fortran_order", parse_order}, {"shape", parse_shape}};
    unsigned seen = 0;
    if (!accept(p, '{'))
        return wrong(p, "is no dictionary");
    while (!accept(p, '}')) {
        char key[WORD_BYTES];
        size_t k = 0;
        if (parse_string(p, key) != GN_OK)
            return gn_error_status();
        while (k < GN_LENGTH(keys) && strcmp(keys[k].key, key) != 0)
            k++;
        if (k == GN_LENGTH(keys) || seen >> k & 1 || !accept(p, ':'))
            return wrong(p, "must have descr, fortran_order and shape, each once");
        seen |= 1u << k;
        if (keys[k].parse(p, out) != GN_OK)
            return gn_error_status();
        skip_blanks(p);
        if (!accept(p, ',') && *p->at != '}')
            return wrong(p, "is no dictionary");
    }
    skip_blanks(p);
    if (*p->at != '\0')
        return wrong(p, "has more than a dictionary");
    return seen == 7 ? GN_OK : wrong(p, "must have descr, fortran_order and shape, each once");
}

/* ---- Reading */

/* Reads the file's beginning; *bytes, those of the file, becomes those that follow. */
static gn_status read_header(const char *where, int64_t *bytes, gn__give *give, void *context,
                             header *out) {
    unsigned char start[MAGIC_BYTES + 6];
    parser p = {.where = where};
    if (*bytes < MAGIC_BYTES + 4)
        return gn_fail(GN_E_FORMAT, "load", "%s: %lld bytes are no npy file", where,
                       (long long)*bytes);
    if (give(context, start, MAGIC_BYTES + 4) != GN_OK)
        return gn_error_status();
    if (memcmp(start, MAGIC, MAGIC_BYTES) != 0)
        return gn_fail(GN_E_FORMAT, "load", "%s: is no npy file: it does not begin with \\x93NUMPY",
                       where);
    const int version = start[MAGIC_BYTES];
    uint32_t length = start[8] | (uint32_t)start[9] << 8;
    int64_t left = *bytes - (MAGIC_BYTES + 4);
    if (version < 1 || version > 3)
        return gn_fail(GN_E_UNSUPPORTED, "load", "%s: is of version %d of the npy format", where,
                       version);
    if (version > 1) { /* two more bytes of length */
        if (left < 2)
            return wrong(&p, "is cut off");
        if (give(context, start + 10, 2) != GN_OK)
            return gn_error_status();
        length |= (uint32_t)start[10] << 16 | (uint32_t)start[11] << 24;
        left -= 2;
    }
    if (length > left || length > MAX_HEADER)
        return wrong(&p, "is longer than the file, or than any header");
    char *text = gn__alloc(length + 1);
    if (text == NULL)
        return gn_error_status();
    p.at = text;
    if (give(context, text, length) == GN_OK && memchr(text, 0, length))
        wrong(&p, "has a byte 0");
    if (!gn__failed())
        parse_header(&p, out);
    free(text);
    *bytes = left - length;
    return gn_error_status();
}

gn_tensor *gn__npy_read(const char *where, int64_t bytes, gn__device *device, gn__give *give,
                        void *context) {
    header h = {.dtype = 0};
    int64_t wanted, reversed[GN_TENSOR_MAX_DIMS];
    if (read_header(where, &bytes, give, context, &h) != GN_OK)
        return NULL;
    if (!gn__tensor_bytes(h.dtype, h.n_dims, h.size, &wanted) || wanted != bytes)
        return gn__fail_null(GN_E_FORMAT, "load", "%s: %s of %s do not fit its %lld bytes of data",
                             where, gn__shape_text(h.n_dims, h.size),
                             gn_dtype_name((gn_dtype)h.dtype), (long long)bytes);
    if (!h.columns_first)
        return gn__read_tensor(device, h.dtype, h.n_dims, h.size, give, context);
    for (int d = 0; d < h.n_dims; d++)
        reversed[d] = h.size[h.n_dims - 1 - d];
    gn_tensor *t = gn__read_tensor(device, h.dtype, h.n_dims, reversed, give, context);
    if (t == NULL)
        return NULL;
    for (int d = 0; d < h.n_dims; d++)
        reversed[d] = t->stride[h.n_dims - 1 - d];
    return gn__tensor_over(gn__storage_retain(t->storage), h.dtype, h.n_dims, h.size, reversed, 0);
}

typedef struct file {
    gn__source source;
    int64_t at;
} file;

static gn_status read_next(void *context, void *bytes, size_t n) {
    file *f = context;
    int64_t at = f->at;
    f->at += (int64_t)n;
    return gn__source_read(&f->source, at, bytes, n);
}

static gn_dict *load(const char *path, gn__device *device) {
    file f = {.at = 0};
    if (gn__little_endian("load", path) != GN_OK ||
        gn__source_open(&f.source, "load", path) != GN_OK)
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn_tensor *t = gn__npy_read(path, f.source.bytes, device, read_next, &f);
    gn_dict *dict = t ? gn_dict_new() : NULL;
    if (dict)
        gn_dict_set(dict, "tensor", t);
    gn__source_close(&f.source);
    return gn_scope_end_with(scope, gn__failed() ? NULL : dict);
}

const gn__format gn__npy = {.save = save, .load = load};
