/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - the state of a module as a dictionary, and moving it to other devices and dtypes. All
 * of it works in place: the tensors of a module stay the same objects, so that optimizers keep
 * theirs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"

/* ---- A growing text. After a failure nothing is added, and the error sticks. */

void gn__text_add(gn__text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    size_t needed = text->n + (size_t)(length < 0 ? 0 : length) + 1;
    if (needed > text->capacity) {
        char *bytes = realloc(text->bytes, 2 * needed);
        if (bytes == NULL) {
            gn_fail(GN_E_MEMORY, "text", "out of memory");
            needed = 0;
        } else {
            text->bytes = bytes;
            text->capacity = 2 * needed;
        }
    }
    if (needed) {
        vsnprintf(text->bytes + text->n, text->capacity - text->n, format, again);
        text->n = needed - 1;
    }
    va_end(again);
    va_end(arguments);
}

/* ---- State dicts */

static void add_state(const gn__state_place *place, void *context) {
    if (!place->transient)
        gn_dict_set(context, place->name, gn_detach(place->tensor));
}

gn_dict *gn_state_dict_with(const gn_module *module, const gn_walk_options *options) {
    gn_walk_options o;
    gn__options(&o, sizeof o, options);
    o.duplicates = true;
    if (!gn__is_module("state_dict", module))
        return NULL;
    gn_dict *dict = gn_dict_new();
    gn_scope scope = gn_scope_begin();
    if (dict)
        gn__state_walk(module, &o, add_state, dict);
    return gn_scope_end(scope) == GN_OK ? dict : NULL;
}

/* What load_state_dict compares: the module's own state with the given one. */
typedef struct comparison {
    const gn_dict *given;
    bool assign;
    gn_dict *own;                  /* the tensors themselves */
    gn_dict *missing, *unexpected; /* parts of own and given */
    gn__text misshaped;
} comparison;

static void list_misshaped(comparison *c, const char *name, const gn_tensor *given,
                           const gn_tensor *own) {
    const char *comma = c->misshaped.n ? ", " : "";
    if (!gn__same_shape(given, own))
        gn__text_add(&c->misshaped, "%s%s %s instead of %s", comma, name, gn__shape_of(given),
                     gn__shape_of(own));
    else if (c->assign && own->requires_grad && !gn_dtype_is_float(given->dtype))
        gn__text_add(&c->misshaped, "%s%s %s, which can't require a gradient", comma, name,
                     gn_dtype_name(given->dtype));
}

static void compare_place(const gn__state_place *place, void *context) {
    comparison *c = context;
    if (place->transient)
        return;
    const gn_tensor *given = gn_dict_get(c->given, place->name);
    gn_dict_set(c->own, place->name, place->tensor);
    if (given == NULL)
        gn_dict_set(c->missing, place->name, place->tensor);
    else
        list_misshaped(c, place->name, given, place->tensor);
}

/* Whether a name of the given state is the module's business. */
static bool has_prefix(const char *name, const char *prefix) {
    const size_t n = prefix ? strlen(prefix) : 0;
    return n == 0 || (strncmp(name, prefix, n) == 0 && name[n] == '.');
}

static void compare(comparison *c, const gn_module *module, const char *prefix) {
    gn__state_walk(module, &(gn_walk_options){.prefix = prefix, .duplicates = true}, compare_place,
                   c);
    for (int64_t i = 0; i < gn_dict_size(c->given) && !gn__failed(); i++) {
        const char *name = gn_dict_name(c->given, i);
        if (has_prefix(name, prefix) && gn_dict_get(c->own, name) == NULL)
            gn_dict_set(c->unexpected, name, gn_dict_tensor(c->given, i));
    }
}

static void add_names(gn__text *message, const char *title, const gn_dict *dict) {
    for (int64_t i = 0; i < gn_dict_size(dict); i++)
        gn__text_add(message, "%s%s", i ? ", " : title, gn_dict_name(dict, i));
    if (gn_dict_size(dict))
        gn__text_add(message, "; ");
}

static gn_status report(const comparison *c, bool strict) {
    if (gn__failed())
        return gn_error_status();
    gn__text message = {0};
    if (strict) {
        add_names(&message, "missing: ", c->missing);
        add_names(&message, "unexpected: ", c->unexpected);
    }
    if (c->misshaped.n)
        gn__text_add(&message, "misshaped: %s; ", c->misshaped.bytes);
    if (message.n)
        gn_fail(GN_E_ARGUMENT, "load_state_dict", "%.*s", (int)message.n - 2, message.bytes);
    free(message.bytes);
    return gn_error_status();
}

/* Copies what both have. First everything that can fail but for the copies: changed devices. */
static gn_status copy_state(const comparison *c) {
    const int64_t n = gn_dict_size(c->own);
    gn_dict *sources = gn_dict_new();
    for (int64_t i = 0; i < n && sources; i++) {
        const char *name = gn_dict_name(c->own, i);
        gn_tensor *given = gn_dict_get(c->given, name);
        if (given && !c->assign)
            given = gn_to_device(given, gn_device_of(gn_dict_tensor(c->own, i)));
        if (given)
            gn_dict_set(sources, name, given);
    }
    for (int64_t i = 0; i < gn_dict_size(sources) && !gn__failed(); i++) {
        gn_tensor *own = gn_dict_get(c->own, gn_dict_name(sources, i)),
                  *source = gn_dict_tensor(sources, i);
        if (!c->assign) {
            gn_copy_(own, source);
        } else if ((source = gn_detach(source)) != NULL) {
            gn__take_over(own, source);
            gn_set_grad(own, NULL);
        }
    }
    return gn_error_status();
}

gn_status gn_load_state_dict_with(gn_module *module, gn_dict *state,
                                  const gn_load_options *options) {
    static const char op[] = "load_state_dict";
    gn_load_options o;
    gn__options(&o, sizeof o, options);
    if (!gn__is_module(op, module))
        return gn_error_status();
    if (state == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "the state is NULL");
    comparison c = {
        .given = state, .assign = o.assign, .missing = gn_dict_new(), .unexpected = gn_dict_new()};
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    c.own = gn_dict_new();
    if (!gn__failed())
        compare(&c, module, o.prefix);
    if (report(&c, !o.not_strict) == GN_OK)
        copy_state(&c);
    free(c.misshaped.bytes);
    gn_set_grad_enabled(was);
    if (o.missing)
        *o.missing = c.missing;
    if (o.unexpected)
        *o.unexpected = c.unexpected;
    return gn_scope_end(scope);
}

/* ---- Devices and dtypes: a tensor takes over the data of its converted copy */

typedef struct conversion {
    const char *device; /* NULL: stays */
    int dtype;          /* 0: stays; floating-point tensors only */
    gn_dict *converted; /* by the names of a walk; gradients under the name with ".grad" */
} conversion;

static gn_tensor *convert(const conversion *c, gn_tensor *t) {
    t = gn_detach(t);
    if (c->device)
        t = gn_to_device(t, c->device);
    if (c->dtype && t && gn_dtype_is_float(t->dtype))
        t = gn_cast(t, c->dtype);
    return t;
}

static void convert_place(const gn__state_place *place, void *context) {
    conversion *c = context;
    char name[GN__NAME_BYTES + 8];
    snprintf(name, sizeof name, "%s.grad", place->name);
    gn_dict_set(c->converted, place->name, convert(c, place->tensor));
    if (place->tensor->grad)
        gn_dict_set(c->converted, name, convert(c, place->tensor->grad));
}

void gn__take_over(gn_tensor *t, const gn_tensor *from) {
    gn__storage *old = t->storage;
    t->storage = gn__storage_retain(from->storage);
    gn__storage_release(old);
    memcpy(t->stride, from->stride, sizeof t->stride);
    t->offset = from->offset;
    t->dtype = from->dtype;
    t->hidden_layout = from->hidden_layout;
    gn_release(t->base);
    t->base = NULL;
}

static void replace_place(const gn__state_place *place, void *context) {
    const conversion *c = context;
    char name[GN__NAME_BYTES + 8];
    snprintf(name, sizeof name, "%s.grad", place->name);
    const gn_tensor *data = gn_dict_get(c->converted, place->name);
    gn_tensor *gradient = gn_dict_get(c->converted, name);
    if (data->storage == place->tensor->storage) /* was as it should be */
        return;
    gn__take_over(place->tensor, data);
    if (gradient)
        gn_set_grad(place->tensor, gradient);
}

/* All copies are made before the first tensor changes. */
static gn_module *converted(gn_module *module, conversion c) {
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    c.converted = gn_dict_new();
    if (c.converted && gn__state_walk(module, &gn__all_once, convert_place, &c) == GN_OK)
        gn__state_walk(module, &gn__all_once, replace_place, &c);
    gn_set_grad_enabled(was);
    return gn_scope_end(scope) == GN_OK ? module : NULL;
}

gn_module *gn_module_to(gn_module *module, const char *device) {
    if (!gn__is_module("module_to", module))
        return NULL;
    if (device == NULL)
        return gn__fail_null(GN_E_ARGUMENT, "module_to", "the device is NULL");
    return converted(module, (conversion){.device = device});
}

gn_module *gn_module_cast(gn_module *module, gn_dtype dtype) {
    if (!gn__is_module("module_cast", module))
        return NULL;
    if (!gn_dtype_is_float(dtype))
        return gn__fail_null(GN_E_ARGUMENT, "module_cast", "%s is no floating-point dtype",
                             gn_dtype_name(dtype));
    return converted(module, (conversion){.dtype = dtype});
}
