/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c - walks over trees of modules, and what needs no more than a walk: collections of
 * parameters, training mode, frozen parameters.
 */
#include <string.h>

#include "module.h"

/* ---- Walks */

typedef struct walk {
    gn__table *seen; /* pointers of what was visited; NULL: everything is visited */
    bool no_recurse; /* only the first module */
    bool up;         /* a module comes after its descendants */
    gn__module_visit *visit;
    gn__state_visit *visit_state;
    void *context;
    char name[GN__NAME_BYTES];
} walk;

/* Whether the object is to be visited now. */
static bool first_visit(walk *w, const void *object) {
    static char mark;
    if (w->seen == NULL)
        return true;
    if (gn__table_get(w->seen, &object, sizeof object))
        return false;
    return gn__table_set(w->seen, &object, sizeof object, &mark) == GN_OK;
}

/* Appends ".name"; false with an error if there is no room. */
static bool enter(walk *w, size_t length, const char *name) {
    size_t n = strlen(name) + (length > 0);
    if (length + n >= sizeof w->name) {
        gn_fail(GN_E_UNSUPPORTED, "module", "the tree is too deep below \"%.64s..\"", w->name);
        return false;
    }
    if (length)
        w->name[length++] = '.';
    memcpy(w->name + length, name, strlen(name) + 1);
    return true;
}

static void walk_tensors(walk *w, const gn__entries *entries, bool buffer) {
    size_t length = strlen(w->name);
    for (size_t i = 0; i < entries->n && !gn__failed(); i++) {
        const gn__entry *e = &entries->entry[i];
        if (e->object == NULL || !first_visit(w, e->object) || !enter(w, length, e->name))
            continue;
        w->visit_state(&(gn__state_place){w->name, e->object, buffer, e->transient}, w->context);
        w->name[length] = '\0';
    }
}

static void walk_module(walk *w, gn_module *module) {
    size_t length = strlen(w->name);
    if (gn__failed() || !first_visit(w, module))
        return;
    if (w->visit && !w->up)
        w->visit(w->name, module, w->context);
    if (w->visit_state) {
        walk_tensors(w, &module->state->parameters, false);
        walk_tensors(w, &module->state->buffers, true);
    }
    const gn__entries *children = &module->state->children;
    for (size_t i = 0; i < children->n && !w->no_recurse; i++) {
        if (children->entry[i].object == NULL || !enter(w, length, children->entry[i].name))
            continue;
        walk_module(w, children->entry[i].object);
        w->name[length] = '\0';
    }
    if (w->visit && w->up && !gn__failed())
        w->visit(w->name, module, w->context);
}

/* `once` skips what was seen before. */
static gn_status run_walk(walk *w, const gn_module *module, bool once) {
    if (once && (w->seen = gn__table_new()) == NULL)
        return gn_error_status();
    walk_module(w, (gn_module *)module);
    gn__table_free(w->seen, NULL);
    return gn_error_status();
}

gn_status gn__modules_walk(const gn_module *module, gn__module_visit *visit, void *context) {
    walk w = {.visit = visit, .context = context};
    return run_walk(&w, module, true);
}

gn_status gn__state_walk(const gn_module *module, const gn_walk_options *options,
                         gn__state_visit *visit, void *context) {
    walk w = {.no_recurse = options->no_recurse, .visit_state = visit, .context = context};
    if (options->prefix && *options->prefix && !enter(&w, 0, options->prefix))
        return gn_error_status();
    return run_walk(&w, module, !options->duplicates);
}

void gn_modules(gn_module *module, gn_module_visitor *visit, void *context) {
    if (gn__is_module("modules", module))
        gn__modules_walk(module, visit, context);
}

gn_module *gn_apply(gn_module *module, gn_module_visitor *visit, void *context) {
    if (!gn__is_module("apply", module))
        return NULL;
    walk w = {.up = true, .visit = visit, .context = context};
    return run_walk(&w, module, true) == GN_OK ? module : NULL;
}

void gn_children(gn_module *module, gn_module_visitor *visit, void *context) {
    if (!gn__is_module("children", module))
        return;
    const gn__entries *children = &module->state->children;
    for (size_t i = 0; i < children->n; i++) {
        bool seen = children->entry[i].object == NULL;
        for (size_t j = 0; j < i && !seen; j++)
            seen = children->entry[j].object == children->entry[i].object;
        if (!seen)
            visit(children->entry[i].name, children->entry[i].object, context);
    }
}

/* ---- Parameters, buffers, modes */

const gn_walk_options gn__all_once = {.struct_size = sizeof gn__all_once};

typedef struct collection {
    gn_dict *dict;
    bool buffers;
} collection;

static void collect(const gn__state_place *place, void *context) {
    const collection *c = context;
    if (place->buffer == c->buffers)
        gn_dict_set(c->dict, place->name, place->tensor);
}

static gn_dict *collected(const char *op, const gn_module *module, bool buffers,
                          const gn_walk_options *options) {
    gn_walk_options o;
    gn__options(&o, sizeof o, options);
    if (!gn__is_module(op, module))
        return NULL;
    collection c = {gn_dict_new(), buffers};
    return gn__state_walk(module, &o, collect, &c) == GN_OK ? c.dict : NULL;
}

gn_dict *gn_parameters_with(const gn_module *module, const gn_walk_options *options) {
    return collected("parameters", module, false, options);
}

gn_dict *gn_buffers_with(const gn_module *module, const gn_walk_options *options) {
    return collected("buffers", module, true, options);
}

static void count(const gn__state_place *place, void *context) {
    if (!place->buffer)
        *(int64_t *)context += place->tensor->count;
}

int64_t gn_num_parameters(const gn_module *module) {
    int64_t n = 0;
    if (gn__is_module("num_parameters", module))
        gn__state_walk(module, &gn__all_once, count, &n);
    return n;
}

static void set_training(const char *name, gn_module *module, void *context) {
    (void)name;
    module->training = *(const bool *)context;
}

gn_module *gn_train(gn_module *module, bool training) {
    if (!gn__is_module("train", module))
        return NULL;
    return gn__modules_walk(module, set_training, &training) == GN_OK ? module : NULL;
}

gn_module *gn_eval(gn_module *module) { return gn_train(module, false); }

static void forget_gradient(const gn__state_place *place, void *context) {
    (void)context;
    if (!place->buffer)
        gn_set_grad(place->tensor, NULL);
}

gn_status gn_module_zero_grad(gn_module *module) {
    if (!gn__is_module("zero_grad", module))
        return gn_error_status();
    return gn__state_walk(module, &gn__all_once, forget_gradient, NULL);
}

static void set_requires_grad(const gn__state_place *place, void *context) {
    if (!place->buffer)
        gn_requires_grad_(place->tensor, *(const bool *)context);
}

gn_module *gn_module_requires_grad_(gn_module *module, bool requires_grad) {
    if (!gn__is_module("module_requires_grad_", module))
        return NULL;
    return gn__state_walk(module, &gn__all_once, set_requires_grad, &requires_grad) == GN_OK
               ? module
               : NULL;
}
