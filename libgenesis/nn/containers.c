/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers.c - Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict.
 */
#include <stdio.h>
#include <string.h>

#include "module.h"

static bool has_hooks(const gn_module *m) { return m->state->n_hooks > 0; }

/* Whether child i, a ReLU, may run after child i + 1, a max pooling. The largest element of a window
 * stays the largest, so results and gradients are the same, and there are fewer to rectify. Hooks
 * would see the difference. */
static bool pools_first(const gn__entries *children, size_t i) {
    if (i + 1 >= children->n)
        return false;
    const gn_module *relu = children->entry[i].object, *pool = children->entry[i + 1].object;
    return gn__is_relu(relu) && gn__is_max_pool(pool) && !has_hooks(relu) && !has_hooks(pool);
}

/* The child that runs as number i. */
static gn_module *in_turn(const gn__entries *children, size_t i) {
    size_t which = pools_first(children, i)                ? i + 1
                   : i > 0 && pools_first(children, i - 1) ? i - 1
                                                           : i;
    return children->entry[which].object;
}

/* Each step has a scope of its own, and only the newest tensor outlives it: without gradients, the
 * activations are freed on the way. */
static gn_tensor *sequential_forward(gn_module *self, gn_tensor *x) {
    const gn__entries *children = &self->state->children;
    gn_tensor *y = gn_retain(x);
    for (size_t i = 0; i < children->n && y; i++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *next = gn_retain(gn_forward(in_turn(children, i), y));
        gn_scope_end(scope);
        gn_release(y);
        y = next;
    }
    return gn__own(y);
}

static const gn_module_class sequential = {
    .name = "Sequential", .size = sizeof(gn_module), .forward = sequential_forward};
static const gn_module_class module_list = {.name = "ModuleList", .size = sizeof(gn_module)};
static const gn_module_class module_dict = {.name = "ModuleDict", .size = sizeof(gn_module)};
static const gn_module_class parameter_list = {.name = "ParameterList", .size = sizeof(gn_module)};
static const gn_module_class parameter_dict = {.name = "ParameterDict", .size = sizeof(gn_module)};

/* ---- What is in a container */

static gn__entries *entries_of(const gn_module *m) {
    const bool holds_parameters = m->type == &parameter_list || m->type == &parameter_dict;
    return holds_parameters ? &m->state->parameters : &m->state->children;
}

/* Entry i, negative: from the end; NULL with an error. */
static gn__entry *entry_at(const char *op, const gn__entries *entries, const gn_module *m,
                           int64_t i) {
    const int64_t n = (int64_t)entries->n;
    if (i >= -n && i < n)
        return &entries->entry[i < 0 ? i + n : i];
    return gn__fail_null(GN_E_INDEX, op, "%s has no %s %lld: its length is %lld", m->type->name,
                         entries == &m->state->children ? "child" : "parameter", (long long)i,
                         (long long)n);
}

int64_t gn_length(const gn_module *container) {
    return gn__is_module("length", container) ? (int64_t)entries_of(container)->n : 0;
}

gn_module *gn_at(const gn_module *container, int64_t i) {
    if (!gn__is_module("at", container))
        return NULL;
    const gn__entry *e = entry_at("at", &container->state->children, container, i);
    return e ? e->object : NULL;
}

const char *gn_name_at(const gn_module *container, int64_t i) {
    if (!gn__is_module("name_at", container))
        return NULL;
    const gn__entry *e = entry_at("name_at", entries_of(container), container, i);
    return e ? e->name : NULL;
}

/* Whether the module is of one of two classes. */
static bool is_one_of(const char *op, const gn_module *m, const gn_module_class *a,
                      const gn_module_class *b) {
    if (!gn__is_module(op, m))
        return false;
    if (m->type != a && m->type != b)
        gn_fail(GN_E_ARGUMENT, op, "%s is no %s%s%s", m->type->name, a->name, b ? " or " : "",
                b ? b->name : "");
    return !gn__failed();
}

gn_module *gn_clear(gn_module *container) {
    static const char op[] = "clear";
    if (!gn__is_module(op, container))
        return NULL;
    gn__entries *entries = entries_of(container);
    if (entries == &container->state->children && container->type != &module_dict &&
        !is_one_of(op, container, &sequential, &module_list))
        return NULL;
    while (entries->n)
        gn__entry_remove(entries, entries->entry[entries->n - 1].name);
    return container;
}

/* ---- Lists: children "0", "1", .. A Sequential may have other names. */

enum { NUMBER_BYTES = 24 };

static const char *number(char text[NUMBER_BYTES], size_t i) {
    snprintf(text, NUMBER_BYTES, "%zu", i);
    return text;
}

static bool is_numbered(const gn__entries *entries) {
    char text[NUMBER_BYTES];
    for (size_t i = 0; i < entries->n; i++)
        if (strcmp(entries->entry[i].name, number(text, i)) != 0)
            return false;
    return true;
}

gn_module *gn_append(gn_module *container, gn_module *child) {
    static const char op[] = "append";
    char text[NUMBER_BYTES];
    if (!is_one_of(op, container, &sequential, &module_list) || !gn__is_module(op, child))
        return NULL;
    const char *name = number(text, container->state->children.n);
    return gn_child(container, name, child) ? container : NULL;
}

static bool check_count(const char *op, int64_t n) {
    if (n < 0 || n > 64)
        gn_fail(GN_E_ARGUMENT, op, "it takes up to 64 at once, not %lld", (long long)n);
    return !gn__failed();
}

gn_module *gn_extend_n(gn_module *container, gn_module_array modules) {
    if (!check_count("extend", modules.n))
        return NULL;
    for (int64_t i = 0; i < modules.n && container; i++)
        container = gn_append(container, modules.module[i]);
    return container;
}

gn_module *gn_nn_sequential_n(gn_module_array modules) {
    return gn_extend_n(gn_module_new(&sequential), modules);
}

gn_module *gn_nn_module_list_n(gn_module_array modules) {
    return gn_extend_n(gn_module_new(&module_list), modules);
}

/* Adds the items, which are modules, not empty places. */
static gn_module *add_named(const char *op, gn_module *container, const gn_named_modules *modules) {
    if (!check_count(op, modules->n))
        return NULL;
    for (int64_t i = 0; i < modules->n; i++) {
        const gn_named_module *item = &modules->item[i];
        if (!gn__is_module(op, item->module))
            return NULL;
        if (item->name && gn__entry_find(&container->state->children, item->name))
            gn_set_submodule(container, item->name, item->module);
        else
            gn_child(container, item->name, item->module);
    }
    return gn__failed() ? NULL : container;
}

gn_module *gn_nn_sequential_named_n(gn_named_modules modules) {
    gn_module *self = gn_module_new(&sequential);
    return self ? add_named("sequential_named", self, &modules) : NULL;
}

/* Objects move among entries; the names stay, so that a numbered list is numbered afterwards. */
gn_module *gn_insert(gn_module *container, int64_t i, gn_module *child) {
    static const char op[] = "insert";
    if (!is_one_of(op, container, &sequential, &module_list))
        return NULL;
    gn__entries *children = &container->state->children;
    const int64_t n = (int64_t)children->n;
    if (i < -n || i > n)
        return gn__fail_null(GN_E_INDEX, op, "%s has no place %lld: its length is %lld",
                             container->type->name, (long long)i, (long long)n);
    if (!is_numbered(children))
        return gn__fail_null(GN_E_UNSUPPORTED, op, "the children have names: \"%s\", ..",
                             children->entry[0].name);
    if (gn_append(container, child) == NULL)
        return NULL;
    int64_t at = n;
    for (; at > (i < 0 ? i + n : i); at--)
        children->entry[at].object = children->entry[at - 1].object;
    children->entry[at].object = child;
    return container;
}

gn_module *gn_set_at(gn_module *container, int64_t i, gn_module *child) {
    static const char op[] = "set_at";
    if (!is_one_of(op, container, &sequential, &module_list) || !gn__is_module(op, child))
        return NULL;
    const gn__entry *e = entry_at(op, &container->state->children, container, i);
    return e && gn_set_submodule(container, e->name, child) == GN_OK ? container : NULL;
}

/* The child of an entry (NULL: an error sticks), which its container is about to lose. */
static gn_module *taken_out(const char *op, const gn_module *container, const gn__entry *e) {
    if (e && e->object == NULL)
        return gn__fail_null(GN_E_STATE, op, "the place \"%s\" of %s is empty", e->name,
                             container->type->name);
    return e ? gn__own(gn_retain(e->object)) : NULL;
}

gn_module *gn_pop(gn_module *container, int64_t i) {
    static const char op[] = "pop";
    if (!is_one_of(op, container, &sequential, &module_list))
        return NULL;
    gn__entries *children = &container->state->children;
    gn__entry *e = entry_at(op, children, container, i), *end = children->entry + children->n;
    gn_module *child = taken_out(op, container, e);
    if (child == NULL)
        return NULL;
    if (is_numbered(children)) {
        for (; e + 1 < end; e++)
            e->object = e[1].object;
        e->object = gn_retain(child); /* the last entry goes, with a reference */
        gn_release(child);
    }
    gn__entry_remove(children, e->name);
    return child;
}

/* Adds entries [start, end) of the other container. */
static gn_module *append_range(gn_module *container, const gn_module *from, int64_t start,
                               int64_t end, bool keep_names) {
    for (int64_t i = start; i < end && container; i++) {
        const gn__entry *e = &from->state->children.entry[i];
        if (!keep_names)
            container = gn_append(container, e->object);
        else if (gn_add_module(container, e->name, e->object) != GN_OK)
            container = NULL;
    }
    return container;
}

/* A bound of a slice: negative ones count from the end, those beyond are cut. */
static int64_t bound(int64_t i, int64_t n) {
    if (i < 0)
        i += n;
    return i < 0 ? 0 : i > n ? n : i;
}

gn_module *gn_modules_slice(const gn_module *container, int64_t start, int64_t end) {
    if (!is_one_of("modules_slice", container, &sequential, &module_list))
        return NULL;
    const int64_t n = (int64_t)container->state->children.n;
    return append_range(gn_module_new(container->type), container, bound(start, n), bound(end, n),
                        container->type == &sequential);
}

gn_module *gn_modules_concat(const gn_module *a, const gn_module *b) {
    static const char op[] = "modules_concat";
    if (!is_one_of(op, a, &sequential, &module_list) ||
        !is_one_of(op, b, &sequential, &module_list))
        return NULL;
    gn_module *both = append_range(gn_module_new(a->type), a, 0, gn_length(a), false);
    return append_range(both, b, 0, gn_length(b), false);
}

/* ---- Dictionaries */

gn_module *gn_nn_module_dict_n(gn_named_modules modules) {
    gn_module *self = gn_module_new(&module_dict);
    return self ? add_named("module_dict", self, &modules) : NULL;
}

bool gn_has_key(const gn_module *dict, const char *name) {
    return gn__is_module("has_key", dict) && name && gn__entry_find(entries_of(dict), name);
}

static const gn__entry *entry_named(const char *op, const gn_module *dict, const char *name) {
    const gn__entry *e = name ? gn__entry_find(&dict->state->children, name) : NULL;
    if (e == NULL)
        gn_fail(GN_E_NOT_FOUND, op, "%s has no \"%s\"", dict->type->name, name ? name : "NULL");
    return e;
}

gn_module *gn_key(const gn_module *dict, const char *name) {
    const gn__entry *e = gn__is_module("key", dict) ? entry_named("key", dict, name) : NULL;
    return e ? e->object : NULL;
}

gn_module *gn_update_n(gn_module *dict, gn_named_modules modules) {
    static const char op[] = "update";
    return is_one_of(op, dict, &module_dict, NULL) ? add_named(op, dict, &modules) : NULL;
}

gn_module *gn_pop_key(gn_module *dict, const char *name) {
    static const char op[] = "pop_key";
    if (!is_one_of(op, dict, &module_dict, NULL))
        return NULL;
    gn_module *child = taken_out(op, dict, entry_named(op, dict, name));
    if (child)
        gn__entry_remove(&dict->state->children, name);
    return child;
}

/* ---- Parameters */

gn_module *gn_append_parameter(gn_module *list, gn_tensor *tensor) {
    static const char op[] = "append_parameter";
    char text[NUMBER_BYTES];
    if (!is_one_of(op, list, &parameter_list, NULL) || !gn__given(op, tensor))
        return NULL;
    const char *name = number(text, list->state->parameters.n);
    return gn_parameter(list, name, tensor) ? list : NULL;
}

gn_module *gn_nn_parameter_list_n(gn_tensor_array tensors) {
    gn_module *self = gn_module_new(&parameter_list);
    if (!check_count("parameter_list", tensors.n))
        return NULL;
    for (int64_t i = 0; i < tensors.n && self; i++)
        self = gn_append_parameter(self, tensors.tensor[i]);
    return self;
}

gn_module *gn_nn_parameter_dict(void) { return gn_module_new(&parameter_dict); }

gn_tensor *gn_parameter_at(const gn_module *list, int64_t i) {
    static const char op[] = "parameter_at";
    if (!is_one_of(op, list, &parameter_list, &parameter_dict))
        return NULL;
    const gn__entry *e = entry_at(op, &list->state->parameters, list, i);
    return e ? e->object : NULL;
}
