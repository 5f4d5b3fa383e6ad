/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone.c - copies of modules with all that is below them.
 *
 * A first walk makes the copies of all tensors and modules, still apart from each other; a second
 * one fills them. The table from an original to its copy keeps what is shared shared, and is what
 * pointers inside the structs are translated by.
 */
#include "module.h"

/* copies: the address of an original -> its copy, owned by the scope. */
static void *copy_of(const gn__table *copies, const void *original) {
    return original ? gn__table_get(copies, &original, sizeof original) : NULL;
}

static void remember(gn__table *copies, const void *original, void *copy) {
    if (copy)
        gn__table_set(copies, &original, sizeof original, copy);
}

/* ---- First walk: tensors and empty modules */

static void clone_tensor(gn__table *copies, gn_tensor *t) {
    if (t == NULL || gn__failed() || copy_of(copies, t))
        return;
    gn_tensor *copy = gn_clone(gn_detach(t));
    if (copy && t->requires_grad)
        copy = gn_requires_grad_(copy, true);
    remember(copies, t, copy);
}

static void clone_parts(const char *name, gn_module *module, void *context) {
    (void)name;
    const struct gn_module_state *s = module->state;
    if (module->type->destroy && module->type->clone == NULL)
        gn_fail(GN_E_UNSUPPORTED, "module_clone", "%s has a destroy function, but no clone",
                module->type->name);
    for (size_t i = 0; i < s->parameters.n; i++)
        clone_tensor(context, s->parameters.entry[i].object);
    for (size_t i = 0; i < s->buffers.n; i++)
        clone_tensor(context, s->buffers.entry[i].object);
    for (size_t i = 0; i < s->n_derived; i++)
        clone_tensor(context, s->derived[i].rest);
    remember(context, module, gn_module_new(module->type));
}

/* ---- Second walk: what the copies contain */

static void fill_entries(const gn__table *copies, gn__entries *copy, const gn__entries *from) {
    for (size_t i = 0; i < from->n && !gn__failed(); i++) {
        const gn__entry *e = &from->entry[i];
        if (gn__entry_set(copy, e->name, copy_of(copies, e->object), e->transient) == GN_OK)
            copy->entry[i].member = e->member;
    }
}

static void fill_hooks(struct gn_module_state *copy, const struct gn_module_state *from) {
    for (size_t i = 0; i < from->n_hooks; i++) {
        if (gn__grow((void **)&copy->hooks, &copy->hooks_capacity, copy->n_hooks,
                     sizeof *copy->hooks) != GN_OK)
            return;
        copy->hooks[copy->n_hooks++] = from->hooks[i];
    }
    copy->last_hook = from->last_hook;
}

/* The struct's own members, with pointers to what was copied translated. */
static void fill_members(const gn__table *copies, gn_module *copy, const gn_module *from) {
    const size_t size = from->type->size;
    for (size_t at = sizeof *from; at < size; at += sizeof(void *)) {
        const size_t n = size - at < sizeof(void *) ? size - at : sizeof(void *);
        void *member = NULL;
        memcpy(&member, (const char *)from + at, n);
        void *translated = n == sizeof member ? copy_of(copies, member) : NULL;
        memcpy((char *)copy + at, translated ? (void *)&translated : (void *)&member, n);
    }
}

static void fill(const char *name, gn_module *module, void *context) {
    (void)name;
    const gn__table *copies = context;
    const struct gn_module_state *from = module->state;
    gn_module *copy = copy_of(copies, module);
    copy->training = module->training;
    fill_entries(copies, &copy->state->parameters, &from->parameters);
    fill_entries(copies, &copy->state->buffers, &from->buffers);
    fill_entries(copies, &copy->state->children, &from->children);
    for (size_t i = 0; i < from->n_derived; i++)
        gn__derived_add(copy, from->derived[i].name, copy_of(copies, from->derived[i].rest),
                        from->derived[i].compute);
    fill_hooks(copy->state, from);
    if (gn__failed())
        return;
    fill_members(copies, copy, module);
    if (module->type->clone && module->type->clone(copy, module) != GN_OK)
        gn_fail(GN_E_STATE, module->type->name, "its clone function failed");
}

gn_module *gn_module_clone(const gn_module *module) {
    if (!gn__is_module("module_clone", module))
        return NULL;
    gn__table *copies = gn__table_new();
    if (copies == NULL)
        return NULL;
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    gn_module *copy = NULL;
    if (gn__modules_walk(module, clone_parts, copies) == GN_OK &&
        gn__modules_walk(module, fill, copies) == GN_OK)
        copy = copy_of(copies, module);
    gn_set_grad_enabled(was);
    gn__table_free(copies, NULL);
    return gn_scope_end_with(scope, copy);
}
