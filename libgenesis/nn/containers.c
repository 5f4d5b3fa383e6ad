/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers.c - Sequential, ModuleList, ModuleDict.
 */
#include <stdio.h>

#include "module.h"

/* Whether child i, a ReLU, may run after child i + 1, a max pooling. The largest element of a window
 * stays the largest, so results and gradients are the same, and there are fewer to rectify. */
static bool pools_first(const gn__entries *children, size_t i) {
    return i + 1 < children->n && gn__is_relu(children->entry[i].object) &&
           gn__is_max_pool(children->entry[i + 1].object);
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

/* ---- Lists: children "0", "1", .. */

gn_module *gn_append(gn_module *container, gn_module *child) {
    static const char op[] = "append";
    if (!gn__is_module(op, container) || !gn__is_module(op, child))
        return NULL;
    if (container->type != &sequential && container->type != &module_list)
        return gn__fail_null(GN_E_ARGUMENT, op, "%s is neither a Sequential nor a ModuleList",
                             container->type->name);
    char name[24];
    snprintf(name, sizeof name, "%zu", container->state->children.n);
    return gn_child(container, name, child) ? container : NULL;
}

gn_module *gn_extend_n(gn_module *container, gn_module_array modules) {
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

int64_t gn_length(const gn_module *container) {
    return gn__is_module("length", container) ? (int64_t)container->state->children.n : 0;
}

gn_module *gn_at(const gn_module *container, int64_t i) {
    int64_t n = gn_length(container);
    if (gn__failed())
        return NULL;
    if (i < -n || i >= n)
        return gn__fail_null(GN_E_INDEX, "at", "%s has no child %lld: its length is %lld",
                             container->type->name, (long long)i, (long long)n);
    return container->state->children.entry[i < 0 ? i + n : i].object;
}

/* ---- Dictionaries */

gn_module *gn_nn_module_dict(void) { return gn_module_new(&module_dict); }

gn_module *gn_key(const gn_module *dict, const char *name) {
    if (!gn__is_module("key", dict))
        return NULL;
    const gn__entry *e = name ? gn__entry_find(&dict->state->children, name) : NULL;
    if (e == NULL)
        return gn__fail_null(GN_E_NOT_FOUND, "key", "%s has no \"%s\"", dict->type->name,
                             name ? name : "NULL");
    return e->object;
}
