/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict.c - ordered dictionaries of tensors by name.
 */
#include <stdlib.h>
#include <string.h>

#include <genesis/nn.h>

#include "../base/internal.h"

typedef struct item {
    char *name;
    gn_tensor *tensor; /* retained */
} item;

struct gn_dict {
    gn__object object;
    item *items;
    size_t n, capacity;
    gn__table *numbers; /* name -> number of the item + 1 */
};

static void destroy(void *object) {
    gn_dict *dict = object;
    for (size_t i = 0; i < dict->n; i++) {
        free(dict->items[i].name);
        gn_release(dict->items[i].tensor);
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

int64_t gn_dict_size(const gn_dict *dict) { return dict ? (int64_t)dict->n : 0; }

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

gn_tensor *gn_dict_tensor(const gn_dict *dict, int64_t i) {
    const item *found = item_at("dict_tensor", dict, i);
    return found ? found->tensor : NULL;
}

static item *find(const gn_dict *dict, const char *name) {
    size_t number = (size_t)gn__table_get(dict->numbers, name, strlen(name));
    return number ? &dict->items[number - 1] : NULL;
}

gn_tensor *gn_dict_get(const gn_dict *dict, const char *name) {
    item *found = dict && name ? find(dict, name) : NULL;
    return found ? found->tensor : NULL;
}

gn_status gn_dict_set(gn_dict *dict, const char *name, gn_tensor *tensor) {
    if (gn__failed())
        return gn_error_status();
    if (dict == NULL || name == NULL || tensor == NULL)
        return gn_fail(GN_E_ARGUMENT, "dict_set", "%s is NULL",
                       dict == NULL   ? "the dict"
                       : name == NULL ? "the name"
                                      : "the tensor");
    item *found = find(dict, name);
    if (found) {
        gn_retain(tensor); /* first: it may be the one that is replaced */
        gn_release(found->tensor);
        found->tensor = tensor;
        return GN_OK;
    }
    if (gn__grow((void **)&dict->items, &dict->capacity, dict->n, sizeof *dict->items) != GN_OK)
        return GN_E_MEMORY;
    char *copy = gn__strdup(name);
    if (copy == NULL)
        return GN_E_MEMORY;
    if (gn__table_set(dict->numbers, name, strlen(name), (void *)(dict->n + 1)) != GN_OK) {
        free(copy);
        return GN_E_MEMORY;
    }
    dict->items[dict->n++] = (item){copy, gn_retain(tensor)};
    return GN_OK;
}
