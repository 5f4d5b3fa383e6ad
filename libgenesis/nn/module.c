/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module.c - what every module can do: registration, forward, walks over the tree, training mode.
 * State dicts, devices and dtypes are in state.c, the text of a module in print.c.
 */
#include <stdio.h>
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
    for (size_t i = 0; i < GN_LENGTH(all); i++) {
        const gn__entry *taken = gn__entry_find(all[i], name);
        if (taken && (all[i] != entries || taken->object)) {
            gn_fail(GN_E_ARGUMENT, op, "%s has a \"%s\" already", module->type->name, name);
            return false;
        }
    }
    return true;
}

/* Retains the object, which may be NULL. */
static gn_status set_entry(gn__entries *entries, const char *name, void *object, bool transient) {
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
    entries->entry[entries->n++] = (gn__entry){copy, gn_retain(object), transient};
    return GN_OK;
}

gn_tensor *gn_parameter(void *module, const char *name, gn_tensor *tensor) {
    static const char op[] = "parameter";
    gn_module *self = module;
    if (!gn__is_module(op, self) || !check_name(op, self, &self->state->parameters, name))
        return NULL;
    if (tensor) {
        if (!gn_is_leaf(tensor))
            tensor = gn_detach(tensor);
        if (gn_requires_grad_(tensor, true) == NULL)
            return NULL;
    }
    return set_entry(&self->state->parameters, name, tensor, false) == GN_OK ? tensor : NULL;
}

gn_tensor *gn_buffer(void *module, const char *name, gn_tensor *tensor, bool persistent) {
    static const char op[] = "buffer";
    gn_module *self = module;
    if (!gn__is_module(op, self) || !check_name(op, self, &self->state->buffers, name))
        return NULL;
    return set_entry(&self->state->buffers, name, tensor, !persistent) == GN_OK ? tensor : NULL;
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

gn_module *gn_child(void *module, const char *name, gn_module *child) {
    static const char op[] = "child";
    gn_module *self = module;
    if (!gn__is_module(op, self) || !check_name(op, self, &self->state->children, name))
        return NULL;
    if (child) {
        search s = {.wanted = self};
        if (!gn__is_module(op, child) || gn__modules_walk(child, true, look_for, &s) != GN_OK)
            return NULL;
        if (s.found)
            return gn__fail_null(GN_E_ARGUMENT, op, "%s can't be below itself", self->type->name);
    }
    return set_entry(&self->state->children, name, child, false) == GN_OK ? child : NULL;
}

gn_status gn_add_module(gn_module *module, const char *name, gn_module *child) {
    gn_child(module, name, child);
    return gn_error_status();
}

/* ---- Forward */

typedef struct lookup {
    const gn_module *module;
    char *name;
    size_t bytes;
} lookup;

static void note_name(const char *name, gn_module *module, void *context) {
    lookup *l = context;
    if (module == l->module)
        snprintf(l->name, l->bytes, "%s", name);
}

/* "layers.0.fc (Linear)": each module that runs is found below the one that runs it. */
static void describe(const gn__running *r, char *text, size_t bytes) {
    const gn_module *module = r->module;
    char name[GN__NAME_BYTES] = "";
    size_t used = 0;
    text[0] = '\0';
    if (r->outer) {
        describe(r->outer, text, bytes);
        used = strcspn(text, " ("); /* the path, without its class */
        gn__modules_walk(r->outer->module, true, note_name, &(lookup){module, name, sizeof name});
    }
    snprintf(text + used, bytes - used, "%s%s%s(%s)", used && *name ? "." : "", name,
             used || *name ? " " : "", module->type->name);
}

/* Says for the time of a forward which module it is of. */
static const gn__running *enter_forward(gn__running *r, gn_module *module) {
    gn__thread *self = gn__self();
    *r = (gn__running){self->running, module, describe};
    self->running = r;
    return r->outer;
}

gn_tensor *gn_forward(gn_module *module, gn_tensor *x) {
    if (!gn__is_module("forward", module) || !gn__given(module->type->name, x))
        return NULL;
    if (module->type->forward == NULL)
        return gn__fail_null(GN_E_UNSUPPORTED, module->type->name, "this module has no forward");
    gn__running running;
    const gn__running *outer = enter_forward(&running, module);
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = gn_scope_end_with(scope, module->type->forward(module, x));
    gn__self()->running = outer;
    return y;
}

gn_tensor *gn_loss(gn_module *criterion, gn_tensor *input, gn_tensor *target) {
    if (!gn__is_module("loss", criterion) || !gn__given(criterion->type->name, input) ||
        !gn__given(criterion->type->name, target))
        return NULL;
    if (criterion->type->loss == NULL)
        return gn__fail_null(GN_E_UNSUPPORTED, criterion->type->name, "this module is no loss");
    gn__running running;
    const gn__running *outer = enter_forward(&running, criterion);
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = gn_scope_end_with(scope, criterion->type->loss(criterion, input, target));
    gn__self()->running = outer;
    return y;
}

/* ---- Walks */

typedef struct walk {
    gn__table *seen; /* pointers of what was visited; NULL: everything is visited */
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
    if (w->visit)
        w->visit(w->name, module, w->context);
    if (w->visit_state) {
        walk_tensors(w, &module->state->parameters, false);
        walk_tensors(w, &module->state->buffers, true);
    }
    const gn__entries *children = &module->state->children;
    for (size_t i = 0; i < children->n; i++) {
        if (children->entry[i].object == NULL || !enter(w, length, children->entry[i].name))
            continue;
        walk_module(w, children->entry[i].object);
        w->name[length] = '\0';
    }
}

static gn_status run_walk(walk *w, const gn_module *module, bool once) {
    if (once && (w->seen = gn__table_new()) == NULL)
        return gn_error_status();
    walk_module(w, (gn_module *)module);
    gn__table_free(w->seen, NULL);
    return gn_error_status();
}

gn_status gn__modules_walk(const gn_module *module, bool once, gn__module_visit *visit,
                           void *context) {
    walk w = {.visit = visit, .context = context};
    return run_walk(&w, module, once);
}

gn_status gn__state_walk(const gn_module *module, bool once, gn__state_visit *visit,
                         void *context) {
    walk w = {.visit_state = visit, .context = context};
    return run_walk(&w, module, once);
}

void gn_modules(gn_module *module, gn_module_visitor *visit, void *context) {
    if (gn__is_module("modules", module))
        gn__modules_walk(module, true, visit, context);
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

gn_module *gn_get_submodule(gn_module *module, const char *name) {
    static const char op[] = "get_submodule";
    if (!gn__is_module(op, module))
        return NULL;
    const char *rest = name ? name : "";
    while (*rest) {
        char part[GN__NAME_BYTES];
        size_t length = strcspn(rest, ".");
        snprintf(part, sizeof part, "%.*s", (int)(length < sizeof part ? length : 0), rest);
        const gn__entry *e = gn__entry_find(&module->state->children, part);
        if (e == NULL || e->object == NULL)
            return gn__fail_null(GN_E_NOT_FOUND, op, "%s has no child \"%s\" (looking for \"%s\")",
                                 module->type->name, part, name);
        module = e->object;
        rest += length + (rest[length] == '.');
    }
    return module;
}

/* ---- Parameters, buffers, modes */

typedef struct collection {
    gn_dict *dict;
    bool buffers;
} collection;

static void collect(const gn__state_place *place, void *context) {
    const collection *c = context;
    if (place->buffer == c->buffers)
        gn_dict_set(c->dict, place->name, place->tensor);
}

static gn_dict *collected(const char *op, const gn_module *module, bool buffers) {
    if (!gn__is_module(op, module))
        return NULL;
    collection c = {gn_dict_new(), buffers};
    return gn__state_walk(module, true, collect, &c) == GN_OK ? c.dict : NULL;
}

gn_dict *gn_parameters(const gn_module *module) { return collected("parameters", module, false); }
gn_dict *gn_buffers(const gn_module *module) { return collected("buffers", module, true); }

static void count(const gn__state_place *place, void *context) {
    if (!place->buffer)
        *(int64_t *)context += place->tensor->count;
}

int64_t gn_num_parameters(const gn_module *module) {
    int64_t n = 0;
    if (gn__is_module("num_parameters", module))
        gn__state_walk(module, true, count, &n);
    return n;
}

static void set_training(const char *name, gn_module *module, void *context) {
    (void)name;
    module->training = *(const bool *)context;
}

gn_module *gn_train(gn_module *module, bool training) {
    if (!gn__is_module("train", module))
        return NULL;
    return gn__modules_walk(module, true, set_training, &training) == GN_OK ? module : NULL;
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
    return gn__state_walk(module, true, forget_gradient, NULL);
}
