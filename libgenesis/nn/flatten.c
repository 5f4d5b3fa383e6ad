/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flatten.c - the tensors of nested dictionaries by dotted names.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/internal.h"
#include "dict.h"

/* "prefix.name", malloc'ed; NULL with an error. */
static char *join(const char *prefix, const char *name) {
    size_t first = strlen(prefix), second = strlen(name);
    char *joined = gn__alloc(first + second + 2);
    if (joined == NULL)
        return NULL;
    memcpy(joined, prefix, first);
    if (first > 0)
        joined[first++] = '.';
    memcpy(joined + first, name, second);
    return joined;
}

/* The value as a tensor; NULL: it is left out. */
static gn_tensor *as_tensor(const gn__value *value) {
    switch (value->kind) {
    case GN_VALUE_TENSOR: return value->object;
    case GN_VALUE_BOOL:
        return gn_tensor_from(&(bool){value->integer != 0}, GN_BOOL, (gn_shape){.n = 0}, NULL);
    case GN_VALUE_INT: return gn_tensor_from(&value->integer, GN_I64, (gn_shape){.n = 0}, NULL);
    case GN_VALUE_FLOAT:
        return gn_tensor_from(&value->number, GN_F64, (gn_shape){.n = 0}, NULL);
    default: return NULL;
    }
}

static gn_status flatten(gn_dict *out, const char *prefix, const gn_dict *dict, int depth) {
    static const char op[] = "dict_flatten";
    if (depth > GN__DICT_MAX_DEPTH)
        return gn_fail(GN_E_ARGUMENT, op, "%d dictionaries lie inside each other", depth);
    for (int64_t i = 0; i < gn_dict_size(dict) && !gn__failed(); i++) {
        const gn__value *value = gn__dict_value(dict, i);
        char *name = join(prefix, gn_dict_name(dict, i));
        gn_tensor *t = name ? as_tensor(value) : NULL;
        if (t && gn_dict_get(out, name))
            gn_fail(GN_E_ARGUMENT, op, "two tensors would be \"%.200s\"", name);
        else if (t)
            gn_dict_set_tensor(out, name, t);
        else if (name && value->kind >= GN_VALUE_DICT)
            flatten(out, name, value->object, depth + 1);
        free(name);
    }
    return gn_error_status();
}

gn_dict *gn_dict_flatten(const gn_dict *dict) {
    if (gn__failed())
        return NULL;
    if (dict == NULL)
        return gn__fail_null(GN_E_ARGUMENT, "dict_flatten", "the dict is NULL");
    gn_scope scope = gn_scope_begin();
    gn_dict *out = gn_dict_new();
    if (out)
        flatten(out, "", dict, 1);
    return gn_scope_end_with(scope, gn__failed() ? NULL : out);
}
