/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict.c - ordered dictionaries of tensors and other values by name.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/internal.h"
#include "dict.h"

typedef struct item {
    char *name;
    gn__value value; /* its string is owned, its object retained */
} item;

struct gn_dict {
    gn__object object;
    item *items;
    size_t n, capacity;
    gn__table *numbers; /* name -> number of the item + 1 */
    bool list, numbered;
};

static bool is_object(const gn__value *value) { return value->kind >= GN_VALUE_TENSOR; }

static void drop(const gn__value *value) {
    if (is_object(value))
        gn_release(value->object);
    else if (value->kind == GN_VALUE_STRING)
        free(value->string);
}

static void destroy(void *object) {
    gn_dict *dict = object;
    for (size_t i = 0; i < dict->n; i++) {
        free(dict->items[i].name);
        drop(&dict->items[i].value);
    }
    free(dict->items);
    gn__table_free(dict->numbers, NULL);
    free(dict);
}

gn_dict *gn_dict_new(void) {
    static const gn__kind kind = {"dict", destroy};
    if (gn__failed())
        return NULL;
    gn_dict *dict = gn__object_new(&kind, sizeof *dict);
    if (dict == NULL)
        return NULL;
    dict->numbers = gn__table_new();
    if (dict->numbers == NULL) {
        gn_release(dict);
        return NULL;
    }
    return gn__own(dict);
}

gn_dict *gn_list_new(void) {
    gn_dict *list = gn_dict_new();
    if (list)
        list->list = true;
    return list;
}

bool gn__dict_is_list(const gn_dict *dict) { return dict->list; }
bool gn__dict_is_numbered(const gn_dict *dict) { return dict->numbered; }
void gn__dict_number(gn_dict *dict) { dict->numbered = true; }

/* ---- By position */

int64_t gn_dict_size(const gn_dict *dict) { return dict ? (int64_t)dict->n : 0; }

const gn__value *gn__dict_value(const gn_dict *dict, int64_t i) { return &dict->items[i].value; }

static const item *item_at(const char *op, const gn_dict *dict, int64_t i) {
    if (gn__failed())
        return NULL;
    if (dict == NULL || i < 0 || i >= (int64_t)dict->n)
        return gn__fail_null(GN_E_INDEX, op, "%lld is not in 0 .. %lld", (long long)i,
                             (long long)gn_dict_size(dict) - 1);
    return &dict->items[i];
}

const char *gn_dict_name(const gn_dict *dict, int64_t i) {
    const item *found = item_at("dict_name", dict, i);
    return found ? found->name : NULL;
}

gn_value_kind gn_dict_kind(const gn_dict *dict, int64_t i) {
    const item *found = item_at("dict_kind", dict, i);
    return found ? found->value.kind : GN_VALUE_NONE;
}

gn_tensor *gn_dict_tensor(const gn_dict *dict, int64_t i) {
    const item *found = item_at("dict_tensor", dict, i);
    if (found && found->value.kind != GN_VALUE_TENSOR)
        return gn__fail_null(GN_E_ARGUMENT, "dict_tensor", "\"%.200s\" is no tensor", found->name);
    return found ? found->value.object : NULL;
}

/* ---- By name */

static item *find(const gn_dict *dict, const char *name) {
    size_t number = dict && name ? (size_t)gn__table_get(dict->numbers, name, strlen(name)) : 0;
    return number ? &dict->items[number - 1] : NULL;
}

bool gn__dict_has(const gn_dict *dict, const char *name) { return find(dict, name) != NULL; }

gn_tensor *gn_dict_get(const gn_dict *dict, const char *name) {
    const item *found = find(dict, name);
    return found && found->value.kind == GN_VALUE_TENSOR ? found->value.object : NULL;
}

gn_dict *gn_dict_get_dict(const gn_dict *dict, const char *name) {
    const item *found = find(dict, name);
    return found && found->value.kind >= GN_VALUE_DICT ? found->value.object : NULL;
}

const char *gn_dict_get_string(const gn_dict *dict, const char *name) {
    const item *found = find(dict, name);
    return found && found->value.kind == GN_VALUE_STRING ? found->value.string : NULL;
}

static gn_tensor *one_element(const item *found) {
    bool one = found && found->value.kind == GN_VALUE_TENSOR && gn_numel(found->value.object) == 1;
    return one ? found->value.object : NULL;
}

int64_t gn_dict_get_int(const gn_dict *dict, const char *name, int64_t absent) {
    const item *found = find(dict, name);
    if (found && (found->value.kind == GN_VALUE_INT || found->value.kind == GN_VALUE_BOOL))
        return found->value.integer;
    if (one_element(found))
        return gn_item_int(found->value.object);
    double number = found && found->value.kind == GN_VALUE_FLOAT ? found->value.number : NAN;
    return number >= -0x1p63 && number < 0x1p63 ? (int64_t)number : absent;
}

double gn_dict_get_float(const gn_dict *dict, const char *name, double absent) {
    const item *found = find(dict, name);
    if (one_element(found))
        return gn_item(found->value.object);
    switch (found ? found->value.kind : GN_VALUE_NONE) {
    case GN_VALUE_BOOL:
    case GN_VALUE_INT: return (double)found->value.integer;
    case GN_VALUE_FLOAT: return found->value.number;
    default: return absent;
    }
}

/* ---- Setting */

static bool is_integer(const char *name) {
    char canonical[32];
    snprintf(canonical, sizeof canonical, "%lld", strtoll(name, NULL, 10));
    return strcmp(name, canonical) == 0;
}

/* The place of a name, made if there is none; NULL with an error. */
static item *place(gn_dict *dict, const char *name) {
    char next[32];
    snprintf(next, sizeof next, "%zu", dict->n);
    if (dict->list && name == NULL)
        name = next;
    item *found = find(dict, name);
    if (found)
        return found;
    if (dict->list && strcmp(name, next) != 0)
        return gn__fail_null(GN_E_INDEX, "dict_set", "\"%.200s\" is not the next of a list of %s",
                             name, next);
    if (gn__grow((void **)&dict->items, &dict->capacity, dict->n, sizeof *dict->items) != GN_OK)
        return NULL;
    char *copy = gn__strdup(name);
    if (copy == NULL)
        return NULL;
    if (gn__table_set(dict->numbers, name, strlen(name), (void *)(dict->n + 1)) != GN_OK) {
        free(copy);
        return NULL;
    }
    dict->numbered = dict->numbered && is_integer(name);
    dict->items[dict->n] = (item){.name = copy};
    return &dict->items[dict->n++];
}

/* Takes over a string; retains an object. */
static gn_status set(gn_dict *dict, const char *name, gn__value value) {
    item *at = NULL;
    if (gn__failed())
        ;
    else if (dict == NULL || (name == NULL && !dict->list))
        gn_fail(GN_E_ARGUMENT, "dict_set", "%s is NULL", dict == NULL ? "the dict" : "the name");
    else
        at = place(dict, name);
    if (at) {
        if (is_object(&value))
            gn_retain(value.object); /* first: it may be the one that is replaced */
        drop(&at->value);
        at->value = value;
    } else if (value.kind == GN_VALUE_STRING) {
        free(value.string);
    }
    return gn_error_status();
}

gn_status gn_dict_set_tensor(gn_dict *dict, const char *name, gn_tensor *tensor) {
    if (!gn__failed() && tensor == NULL)
        return gn_fail(GN_E_ARGUMENT, "dict_set", "the tensor is NULL");
    return set(dict, name, (gn__value){.kind = GN_VALUE_TENSOR, .object = tensor});
}

/* Whether `inner` is `dict` or holds it; true, too, where it is nested too deeply to tell. */
static bool holds(const gn_dict *inner, const gn_dict *dict, int depth) {
    if (inner == dict || depth == GN__DICT_MAX_DEPTH)
        return true;
    for (size_t i = 0; i < inner->n; i++)
        if (inner->items[i].value.kind >= GN_VALUE_DICT &&
            holds(inner->items[i].value.object, dict, depth + 1))
            return true;
    return false;
}

gn_status gn_dict_set_dict(gn_dict *dict, const char *name, gn_dict *value) {
    if (!gn__failed() && value == NULL)
        return gn_fail(GN_E_ARGUMENT, "dict_set", "the dictionary is NULL");
    if (!gn__failed() && holds(value, dict, 1))
        return gn_fail(GN_E_ARGUMENT, "dict_set",
                       "the dictionary contains the one that it is to be put into, or %d levels",
                       GN__DICT_MAX_DEPTH);
    gn_value_kind kind = value && value->list ? GN_VALUE_LIST : GN_VALUE_DICT;
    return set(dict, name, (gn__value){.kind = kind, .object = value});
}

gn_status gn_dict_set_string(gn_dict *dict, const char *name, const char *value) {
    if (!gn__failed() && value == NULL)
        return gn_fail(GN_E_ARGUMENT, "dict_set", "the string is NULL");
    char *copy = gn__failed() ? NULL : gn__strdup(value);
    return set(dict, name, (gn__value){.kind = GN_VALUE_STRING, .string = copy});
}

gn_status gn_dict_set_int(gn_dict *dict, const char *name, int64_t value) {
    return set(dict, name, (gn__value){.kind = GN_VALUE_INT, .integer = value});
}

gn_status gn_dict_set_float(gn_dict *dict, const char *name, double value) {
    return set(dict, name, (gn__value){.kind = GN_VALUE_FLOAT, .number = value});
}

gn_status gn_dict_set_bool(gn_dict *dict, const char *name, bool value) {
    return set(dict, name, (gn__value){.kind = GN_VALUE_BOOL, .integer = value});
}

gn_status gn_dict_set_none(gn_dict *dict, const char *name) {
    return set(dict, name, (gn__value){.kind = GN_VALUE_NONE});
}

gn_status gn__dict_copy_entry(gn_dict *dict, const gn_dict *from, int64_t i) {
    const item *entry = &from->items[i];
    switch (entry->value.kind) {
    case GN_VALUE_STRING: return gn_dict_set_string(dict, entry->name, entry->value.string);
    case GN_VALUE_DICT:
    case GN_VALUE_LIST: return gn_dict_set_dict(dict, entry->name, entry->value.object);
    default: return set(dict, entry->name, entry->value);
    }
}
