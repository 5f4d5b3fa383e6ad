/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c - making modules, registering what they own, and replacing it. Walks over the tree are in
 * walk.c, forward and hooks in forward.c, state dicts, devices and dtypes in state.c, copies in
 * clone.c, the text of a module in print.c.
 */
#include <stdlib.h>
#include <string.h>

#include "module.h"

/* ---- Life */

static void free_entries(gn__entries *entries) {
    for (size_t i = 0; i < entries->n; i++) {
        free(entries->entry[i].name);
        gn_release(entries->entry[i].object);
    }
    free(entries->entry);
}

static void destroy(void *object) {
    gn_module *module = object;
    if (module->type && module->type->destroy)
        module->type->destroy(module);
    if (module->state) {
        free_entries(&module->state->children);
        free_entries(&module->state->buffers);
        free_entries(&module->state->parameters);
        gn__derived_free(module->state);
        free(module->state->hooks);
        free(module->state);
    }
    free(module);
}

static const gn__kind kind = {"module", destroy};

_Static_assert(sizeof(((gn_module *)0)->object) == sizeof(gn__object),
               "the public twin of gn__object");

void *gn_module_new(const gn_module_class *type) {
    if (gn__failed())
        return NULL;
    if (type == NULL || type->name == NULL || type->size < sizeof(gn_module))
        return gn__fail_null(
            GN_E_ARGUMENT, "module_new",
            "a class has a name, and the size of a struct that begins with gn_module");
    gn_module *module = gn__object_new(&kind, type->size);
    if (module == NULL)
        return NULL;
    module->type = type;
    module->training = true;
    module->state = gn__alloc(sizeof *module->state);
    if (module->state == NULL) {
        module->type = NULL; /* what destroy would free was never made */
        gn_release(module);
        return NULL;
    }
    return gn__own(module);
}

bool gn__is_module(const char *op, const gn_module *module) {
    if (gn__failed())
        return false;
    if (module && module->object.kind == &kind)
        return true;
    gn_fail(GN_E_ARGUMENT, op, module ? "this is no module" : "the module is NULL");
    return false;
}

/* ---- Registration */

gn__entry *gn__entry_find(const gn__entries *entries, const char *name) {
    for (size_t i = 0; i < entries->n; i++)
        if (strcmp(entries->entry[i].name, name) == 0)
            return &entries->entry[i];
    return NULL;
}

/* Whether the name may be given to an entry of this table: an empty place there is filled. */
static bool check_name(const char *op, const gn_module *module, const gn__entries *entries,
                       const char *name) {
    const struct gn_module_state *s = module->state;
    if (name == NULL || *name == '\0' || strchr(name, '.') || strlen(name) > GN__NAME_BYTES / 8) {
        gn_fail(GN_E_ARGUMENT, op, "\"%s\" is no name: it must not be empty or long, nor have dots",
                name ? name : "NULL");
        return false;
    }
    const gn__entries *const all[] = {&s->parameters, &s->buffers, &s->children};
    bool taken = gn__derived_find(module, name) != NULL;
    for (size_t i = 0; i < GN_LENGTH(all); i++) {
        const gn__entry *e = gn__entry_find(all[i], name);
        taken |= e && (all[i] != entries || e->object);
    }
    if (taken)
        gn_fail(GN_E_ARGUMENT, op, "%s has a \"%s\" already", module->type->name, name);
    return !taken;
}

gn_status gn__entry_set(gn__entries *entries, const char *name, void *object, bool transient) {
    gn__entry *empty = gn__entry_find(entries, name);
    if (empty) {
        empty->object = gn_retain(object);
        return GN_OK;
    }
    char *copy = gn__strdup(name);
    if (copy == NULL || gn__grow((void **)&entries->entry, &entries->capacity, entries->n,
                                 sizeof *entries->entry) != GN_OK) {
        free(copy);
        return GN_E_MEMORY;
    }
    entries->entry[entries->n++] =
        (gn__entry){.name = copy, .object = gn_retain(object), .transient = transient};
    return GN_OK;
}

void gn__entry_remove(gn__entries *entries, const char *name) {
    gn__entry *e = gn__entry_find(entries, name);
    if (e == NULL)
        return;
    free(e->name);
    gn_release(e->object);
    const size_t i = (size_t)(e - entries->entry);
    memmove(e, e + 1, (--entries->n - i) * sizeof *e);
}

/* What may be registered as a parameter: a leaf that requires a gradient. */
static gn_tensor *as_parameter(gn_tensor *tensor) {
    if (tensor && !gn_is_leaf(tensor))
        tensor = gn_detach(tensor);
    return gn_requires_grad_(tensor, true);
}

gn_tensor *gn_parameter(void *module, const char *name, gn_tensor *tensor) {
    static const char op[] = "parameter";
    gn_module *self = module;
    if (!gn__is_module(op, self) || !check_name(op, self, &self->state->parameters, name))
        return NULL;
    if (tensor && (tensor = as_parameter(tensor)) == NULL)
        return NULL;
    return gn__entry_set(&self->state->parameters, name, tensor, false) == GN_OK ? tensor : NULL;
}

void gn__parameter_none(void *module, const char *name, gn_tensor **member) {
    gn_parameter(module, name, NULL);
    if (!gn__failed())
        gn__entry_find(&((gn_module *)module)->state->parameters, name)->member =
            (size_t)((char *)member - (char *)module);
}

gn_tensor *gn_buffer(void *module, const char *name, gn_tensor *tensor, bool persistent) {
    static const char op[] = "buffer";
    gn_module *self = module;
    if (!gn__is_module(op, self) || !check_name(op, self, &self->state->buffers, name))
        return NULL;
    return gn__entry_set(&self->state->buffers, name, tensor, !persistent) == GN_OK ? tensor : NULL;
}

typedef struct search {
    const gn_module *wanted;
    bool found;
} search;

static void look_for(const char *name, gn_module *module, void *context) {
    (void)name;
    search *s = context;
    s->found |= module == s->wanted;
}

/* Whether the child may come below the module. */
static bool check_child(const char *op, const gn_module *module, const gn_module *child) {
    search s = {.wanted = module};
    if (child && (!gn__is_module(op, child) || gn__modules_walk(child, look_for, &s) != GN_OK))
        return false;
    if (s.found)
        gn_fail(GN_E_ARGUMENT, op, "%s can't be below itself", module->type->name);
    return !s.found;
}

gn_module *gn_child(void *module, const char *name, gn_module *child) {
    static const char op[] = "child";
    gn_module *self = module;
    if (!gn__is_module(op, self) || !check_name(op, self, &self->state->children, name) ||
        !check_child(op, self, child))
        return NULL;
    return gn__entry_set(&self->state->children, name, child, false) == GN_OK ? child : NULL;
}

gn_status gn_add_module(gn_module *module, const char *name, gn_module *child) {
    gn_child(module, name, child);
    return gn_error_status();
}

/* ---- Lookup and replacement by dotted names */

/* The module that the name's last part belongs to; *last is that part. */
static gn_module *find_owner(const char *op, gn_module *module, const char *name,
                             const char **last) {
    if (!gn__is_module(op, module))
        return NULL;
    if (name == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op, "the name is NULL");
    *last = name;
    for (const char *dot; (dot = strchr(*last, '.')) != NULL; *last = dot + 1) {
        const gn__entries *children = &module->state->children;
        const size_t length = (size_t)(dot - *last);
        size_t i = 0;
        while (i < children->n && (strncmp(children->entry[i].name, *last, length) != 0 ||
                                   children->entry[i].name[length] != '\0'))
            i++;
        if (i == children->n || children->entry[i].object == NULL)
            return gn__fail_null(GN_E_NOT_FOUND, op,
                                 "%s has no child \"%.*s\" (looking for \"%s\")",
                                 module->type->name, (int)length, *last, name);
        module = children->entry[i].object;
    }
    return module;
}

/* The entry that a dotted name stands for, in the table at `offset` of a module's state. *owner is
 * its module. An empty place counts if it can be filled. */
static gn__entry *find_entry(const char *op, const char *what, gn_module *module, const char *name,
                             size_t offset, gn_module **owner, bool fill) {
    const char *last;
    *owner = find_owner(op, module, name, &last);
    if (*owner == NULL)
        return NULL;
    gn__entries *entries = (void *)((char *)(*owner)->state + offset);
    gn__entry *e = gn__entry_find(entries, last);
    if (e == NULL || (e->object == NULL && !(fill && e->member)))
        return gn__fail_null(GN_E_NOT_FOUND, op, "%s has no %s \"%s\" (looking for \"%s\")",
                             (*owner)->type->name, what, last, name);
    return e;
}

#define FIND(op, what, table, fill)                                                                \
    find_entry(op, what, module, name, offsetof(struct gn_module_state, table), &owner, fill)

gn_module *gn_get_submodule(gn_module *module, const char *name) {
    gn_module *owner;
    if (name && *name == '\0') /* the module itself */
        return gn__is_module("get_submodule", module) ? module : NULL;
    const gn__entry *e = FIND("get_submodule", "child", children, false);
    return e ? e->object : NULL;
}

gn_tensor *gn_get_parameter(gn_module *module, const char *name) {
    gn_module *owner;
    const gn__entry *e = FIND("get_parameter", "parameter", parameters, false);
    return e ? e->object : NULL;
}

gn_tensor *gn_get_buffer(gn_module *module, const char *name) {
    gn_module *owner;
    const gn__entry *e = FIND("get_buffer", "buffer", buffers, false);
    return e ? e->object : NULL;
}

/* The offset, from `at` on, of a member that points to the object; 0: there is none. */
static size_t find_member(const gn_module *module, const void *object, size_t at) {
    for (; at + sizeof object <= module->type->size; at += sizeof object)
        if (memcmp((const char *)module + at, &object, sizeof object) == 0)
            return at;
    return 0;
}

void gn__repoint(gn_module *module, const void *from, const void *to) {
    for (size_t at = sizeof *module; (at = find_member(module, from, at)) != 0; at += sizeof to)
        memcpy((char *)module + at, &to, sizeof to);
}

/* Another object, which may be NULL, in the place of the entry's. */
static gn_status replace(gn_module *owner, gn__entry *e, const void *object) {
    void *old = e->object;
    e->object = gn_retain(object);
    if (old == NULL) {
        memcpy((char *)owner + e->member, &object, sizeof object);
        return GN_OK;
    }
    e->member = find_member(owner, old, sizeof *owner);
    gn__repoint(owner, old, object);
    gn__derived_follow(owner, old, object);
    gn_release(old);
    return GN_OK;
}

gn_status gn_set_submodule(gn_module *module, const char *name, gn_module *child) {
    static const char op[] = "set_submodule";
    gn_module *owner;
    gn__entry *e = FIND(op, "child", children, true);
    return e && check_child(op, owner, child) ? replace(owner, e, child) : gn_error_status();
}

gn_status gn_set_parameter(gn_module *module, const char *name, gn_tensor *tensor) {
    gn_module *owner;
    gn__entry *e = FIND("set_parameter", "parameter", parameters, true);
    if (e && tensor)
        tensor = as_parameter(tensor);
    return gn__failed() ? gn_error_status() : replace(owner, e, tensor);
}
