/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pickle.c - writes a dictionary as a pickle that torch.load(weights_only=True) reads: protocol 2,
 * without a memo, as nothing but the names of functions would come twice.
 */
#include <stdlib.h>
#include <string.h>

#include "pickle.h"

static const char op[] = "save";

typedef struct writer {
    gn__pickle *out;
    int64_t (*key)(void *context, gn_tensor *t);
    void *context;
} writer;

/* ---- Bytes */

static gn_status put(writer *w, const void *bytes, size_t n) {
    gn__pickle *out = w->out;
    if (gn__failed())
        return gn_error_status();
    if (n > out->capacity - out->n) {
        size_t capacity = 2 * out->capacity + n;
        char *grown = realloc(out->bytes, capacity);
        if (grown == NULL)
            return gn_fail(GN_E_MEMORY, op, "no memory for a pickle of %zu bytes", capacity);
        out->bytes = grown;
        out->capacity = capacity;
    }
    memcpy(out->bytes + out->n, bytes, n);
    out->n += n;
    return GN_OK;
}

static gn_status put_text(writer *w, const char *text) { return put(w, text, strlen(text)); }

/* An opcode, and a little-endian number of so many bytes. */
static gn_status put_code(writer *w, char code, uint64_t number, int width) {
    char bytes[9] = {code};
    for (int i = 0; i < width; i++)
        bytes[1 + i] = (char)(number >> (8 * i));
    return put(w, bytes, (size_t)width + 1);
}

/* ---- Values */

static gn_status put_int(writer *w, int64_t value) {
    if (value >= 0 && value < 256)
        return put_code(w, 'K', (uint64_t)value, 1);
    if (value >= INT32_MIN && value <= INT32_MAX)
        return put_code(w, 'J', (uint64_t)value, 4);
    put(w, "\x8a\x08", 2); /* LONG1 of 8 bytes */
    return put(w, &value, 8);
}

static gn_status put_float(writer *w, double value) {
    unsigned char bytes[9] = {'G'};
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (unsigned char)(bits >> (56 - 8 * i));
    return put(w, bytes, sizeof bytes);
}

static gn_status put_string(writer *w, const char *text) {
    size_t n = strlen(text);
    if (n > UINT32_MAX)
        return gn_fail(GN_E_UNSUPPORTED, op, "a string of %zu bytes is too long", n);
    if (gn__utf8(op, text) != GN_OK)
        return gn_error_status();
    put_code(w, 'X', n, 4);
    return put(w, text, n);
}

static gn_status put_tuple(writer *w, int n, const int64_t *values) {
    put_text(w, "(");
    for (int i = 0; i < n; i++)
        put_int(w, values[i]);
    return put_text(w, "t");
}

/* _rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks) */
static gn_status put_tensor(writer *w, const char *name, gn_tensor *t) {
    const char *class = gn__global_storage(t->dtype);
    if (class == NULL)
        return gn_fail(GN_E_UNSUPPORTED, op, "%.200s is %s, which PyTorch files do not have", name,
                       gn_dtype_name(t->dtype));
    char key[32];
    int64_t number = w->key(w->context, t), strides[GN_TENSOR_MAX_DIMS];
    if (number < 0)
        return gn_error_status();
    snprintf(key, sizeof key, "%lld", (long long)number);
    gn__row_major(t->n_dims, t->size, strides);
    put_text(w, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_string(w, "storage");
    put_text(w, "ctorch\n");
    put_text(w, class);
    put_text(w, "\n");
    put_string(w, key);
    put_string(w, "cpu");
    put_int(w, t->count);
    put_text(w, "tQK");
    put(w, "", 1); /* offset 0 */
    put_tuple(w, t->n_dims, t->size);
    put_tuple(w, t->n_dims, strides);
    return put_text(w, "\x89"
                       "ccollections\nOrderedDict\n)RtR"); /* False, OrderedDict() */
}

static gn_status put_dict(writer *w, const gn_dict *dict, int depth);

static gn_status put_value(writer *w, const char *name, const gn__value *value, int depth) {
    switch (value->kind) {
    case GN_VALUE_NONE: return put_text(w, "N");
    case GN_VALUE_BOOL: return put_text(w, value->integer ? "\x88" : "\x89");
    case GN_VALUE_INT: return put_int(w, value->integer);
    case GN_VALUE_FLOAT: return put_float(w, value->number);
    case GN_VALUE_STRING: return put_string(w, value->string);
    case GN_VALUE_TENSOR: return put_tensor(w, name, value->object);
    case GN_VALUE_DICT:
    case GN_VALUE_LIST: return put_dict(w, value->object, depth + 1);
    }
    return gn_fail(GN_E_INTERNAL, op, "%s: a value of kind %d", name, (int)value->kind);
}

static gn_status put_dict(writer *w, const gn_dict *dict, int depth) {
    const bool list = gn__dict_is_list(dict), numbered = gn__dict_is_numbered(dict);
    if (depth > GN__DICT_MAX_DEPTH)
        return gn_fail(GN_E_UNSUPPORTED, op, "%d dictionaries lie inside each other", depth);
    put_text(w, list ? "](" : "}(");
    for (int64_t i = 0; i < gn_dict_size(dict) && !gn__failed(); i++) {
        const char *name = gn_dict_name(dict, i);
        if (numbered)
            put_int(w, strtoll(name, NULL, 10));
        else if (!list)
            put_string(w, name);
        put_value(w, name, gn__dict_value(dict, i), depth);
    }
    return put_text(w, list ? "e" : "u");
}

gn_status gn__pickle_dict(gn__pickle *out, const gn_dict *dict,
                          int64_t (*key)(void *context, gn_tensor *t), void *context) {
    writer w = {.out = out, .key = key, .context = context};
    put_text(&w, "\x80\x02");
    put_dict(&w, dict, 1);
    return put_text(&w, ".");
}
