/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpickle_dict.c - a dictionary of the values that a pickle built. They may refer to each other at
 * will: what contains itself is refused, and so is what would be larger, written out, than the
 * pickle itself (ten lists of ten times the same list, and so on).
 */
#include "unpickle.h"

static const char op[] = "load";

/* What a pickle may expand to: a value for each byte; a dictionary, which takes more memory, for
 * each 64, beyond a number that is small anyway. Values count as often as they are referred to. */
enum { DICT_COST = 64, FREE_ROOM = 1 << 20 };

typedef struct builder {
    const char *path;
    int64_t room; /* for values still to come */
    gn_tensor *(*make)(void *context, const gn__tensor_spec *spec);
    void *context;
} builder;

static gn_dict *build(builder *b, gn__node *node, int depth);

static gn_status wrong(const builder *b, const char *why) {
    return gn_fail(GN_E_FORMAT, op, "%s: its pickle %s", b->path, why);
}

static gn_tensor *tensor_of(builder *b, gn__node *node) {
    if (node->made == NULL)
        node->made = b->make(b->context, node->tensor);
    return node->made;
}

static gn_status set(builder *b, gn_dict *dict, const char *name, gn__node *value, int depth) {
    b->room -= value->kind >= GN__NODE_TUPLE && value->kind <= GN__NODE_DICT ? DICT_COST : 1;
    if (b->room < 0)
        return wrong(b, "refers to its parts so often that it would be larger than itself");
    switch ((gn__node_kind)value->kind) {
    case GN__NODE_NONE: return gn_dict_set_none(dict, name);
    case GN__NODE_BOOL: return gn_dict_set_bool(dict, name, value->integer != 0);
    case GN__NODE_INT: return gn_dict_set_int(dict, name, value->integer);
    case GN__NODE_FLOAT: return gn_dict_set_float(dict, name, value->number);
    case GN__NODE_STRING: return gn_dict_set_string(dict, name, value->text);
    case GN__NODE_TENSOR: return gn_dict_set_tensor(dict, name, tensor_of(b, value));
    case GN__NODE_TUPLE:
    case GN__NODE_LIST:
    case GN__NODE_DICT: return gn_dict_set_dict(dict, name, build(b, value, depth + 1));
    default: return wrong(b, "has a class, a function or a storage for a value");
    }
}

static gn_status fill_list(builder *b, gn_dict *list, const gn__node *node, int depth) {
    for (uint32_t i = 0; i < node->n && !gn__failed(); i++)
        set(b, list, NULL, node->items[i], depth);
    return gn_error_status();
}

/* Keys are strings or integers; a later item of the same key replaces, as in Python. */
static gn_status fill_dict(builder *b, gn_dict *dict, const gn__node *node, int depth) {
    uint32_t numbers = 0;
    for (uint32_t i = 0; i + 1 < node->n && !gn__failed(); i += 2) {
        const gn__node *key = node->items[i];
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)key->integer);
        numbers += key->kind == GN__NODE_INT;
        if (key->kind != GN__NODE_INT && key->kind != GN__NODE_STRING)
            return wrong(b, "has a key that is neither a string nor an integer");
        const char *name = key->kind == GN__NODE_INT ? number : key->text;
        if (gn__dict_has(dict, name))
            return gn_fail(GN_E_FORMAT, op, "%s: its pickle has the key \"%.200s\" twice", b->path,
                           name);
        set(b, dict, name, node->items[i + 1], depth);
    }
    if (numbers > 0 && numbers == node->n / 2)
        gn__dict_number(dict);
    return gn_error_status();
}

/* The dictionary or list of a node, in the scope; NULL with an error. */
static gn_dict *build(builder *b, gn__node *node, int depth) {
    if (node->n == 0) /* the empty tuple is one for all threads: nothing is written to it */
        return node->kind == GN__NODE_DICT ? gn_dict_new() : gn_list_new();
    if (node->open)
        return wrong(b, "has a value that contains itself"), NULL;
    if (depth > GN__DICT_MAX_DEPTH)
        return wrong(b, "is nested too deeply"), NULL;
    node->open = true;
    gn_dict *dict = node->kind == GN__NODE_DICT ? gn_dict_new() : gn_list_new();
    if (dict && node->kind == GN__NODE_DICT)
        fill_dict(b, dict, node, depth);
    else if (dict)
        fill_list(b, dict, node, depth);
    node->open = false;
    return gn__failed() ? NULL : dict;
}

gn_dict *gn__unpickle(const char *path, const void *bytes, size_t n,
                      gn_tensor *(*make)(void *context, const gn__tensor_spec *spec),
                      void *context) {
    gn__arena arena = {.chunks = NULL};
    builder b = {.path = path, .room = FREE_ROOM + (int64_t)n, .make = make, .context = context};
    gn_scope scope = gn_scope_begin();
    gn_dict *dict = NULL;
    gn__node *root = gn__unpickle_run(&arena, path, bytes, n);
    if (root && root->kind >= GN__NODE_TUPLE && root->kind <= GN__NODE_DICT) {
        dict = build(&b, root, 1);
    } else if (root && root->kind == GN__NODE_TENSOR) {
        dict = gn_dict_new();
        gn_dict_set_tensor(dict, "tensor", tensor_of(&b, root));
    } else if (root) {
        wrong(&b, "is neither a dictionary, a list nor a tensor");
    }
    gn__arena_free(&arena);
    return gn_scope_end_with(scope, gn__failed() ? NULL : dict);
}
