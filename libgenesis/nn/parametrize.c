/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parametrize.c - parameters that are computed from others before each run of their module, by
 * modules under parametrizations.NAME, with the names of PyTorch. Weight norm and spectral norm are
 * in weight_norm.c.
 */
#include <stdio.h>

#include "parametrize.h"

/* parametrizations.NAME: the originals as parameters, the parametrizations as children "0", .. */
typedef struct parametrization_list {
    gn_module base;
    gn_tensor *original;  /* the parameter as it was */
    gn_tensor *original0; /* combined with it; NULL: nothing is */
    gn__combine *combine;
} parametrization_list;

static const gn_module_class list_class = {.name = "ParametrizationList",
                                           .size = sizeof(parametrization_list)};

static const char holder_name[] = "parametrizations";

gn_tensor *gn__own_parameter(const char *op, const gn_module *module, const char *name) {
    if (!gn__is_module(op, module))
        return NULL;
    const gn__entry *e = name ? gn__entry_find(&module->state->parameters, name) : NULL;
    if (e && e->object)
        return e->object;
    return gn__fail_null(GN_E_NOT_FOUND, op, "%s has no parameter \"%s\"", module->type->name,
                         name ? name : "NULL");
}

/* ---- Computing */

static gn_tensor *list_value(parametrization_list *list) {
    const gn__entries *steps = &list->base.state->children;
    gn_tensor *value = list->original;
    for (size_t i = 0; i < steps->n && value; i++) {
        if (i == 0 && list->combine)
            value = list->combine(steps->entry[i].object, list->original0, value);
        else
            value = gn_forward(steps->entry[i].object, value);
    }
    return value;
}

/* The list of a parametrized name, or NULL. */
static parametrization_list *list_of(const gn_module *module, const char *name) {
    const gn__entry *holder = gn__entry_find(&module->state->children, holder_name);
    const gn__entry *e = holder && holder->object && name
                             ? gn__entry_find(&((gn_module *)holder->object)->state->children, name)
                             : NULL;
    gn_module *list = e ? e->object : NULL;
    return list && list->type == &list_class ? (parametrization_list *)list : NULL;
}

static gn_tensor *compute(gn_module *module, const char *name) {
    parametrization_list *list = list_of(module, name);
    if (list == NULL)
        return gn__fail_null(GN_E_STATE, module->type->name, "%s.%s was taken away", holder_name,
                             name);
    return list_value(list);
}

gn_tensor *gn_computed_parameter(gn_module *module, const char *name) {
    static const char op[] = "computed_parameter";
    if (!gn__is_module(op, module))
        return NULL;
    const gn__derived *d = gn__derived_find(module, name);
    return d ? d->compute(module, d->name) : gn__own_parameter(op, module, name);
}

bool gn_is_parametrized(const gn_module *module, const char *name) {
    if (!gn__is_module("is_parametrized", module))
        return false;
    const gn__entry *holder = gn__entry_find(&module->state->children, holder_name);
    return name ? list_of(module, name) != NULL : holder && holder->object;
}

/* ---- Registration */

/* The value must be able to stand where the parameter stood. */
static gn_status check_value(const char *op, parametrization_list *list) {
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    const gn_tensor *value = list_value(list), *t = list->original;
    if (value && (!gn__same_shape(value, t) || value->dtype != t->dtype))
        gn_fail(GN_E_ARGUMENT, op, "it makes a %s tensor %s of a %s parameter %s",
                gn_dtype_name(value->dtype), gn__shape_of(value), gn_dtype_name(t->dtype),
                gn__shape_of(t));
    gn_set_grad_enabled(was);
    return gn_scope_end(scope);
}

/* Adds a parametrization to the end of a list that may already be in use. */
static gn_status add_step(const char *op, parametrization_list *list, gn_module *step) {
    char name[24];
    snprintf(name, sizeof name, "%zu", list->base.state->children.n);
    if (gn_child(list, name, gn_train(step, list->base.training)) && check_value(op, list) != GN_OK)
        gn__entry_remove(&list->base.state->children, name);
    return gn_error_status();
}

static parametrization_list *list_new(gn_tensor *t, gn_tensor *extra, gn__combine *combine) {
    parametrization_list *list = gn_module_new(&list_class);
    if (list == NULL)
        return NULL;
    const bool wanted = t->requires_grad;
    list->combine = combine;
    if (extra)
        list->original0 = gn_parameter(list, "original0", extra);
    list->original = gn_parameter(list, extra ? "original1" : "original", t);
    gn_module_requires_grad_(&list->base, wanted);
    return list;
}

/* The child that lists of the module are in, made if need be. */
static gn_module *holder_of(gn_module *module) {
    const gn__entry *e = gn__entry_find(&module->state->children, holder_name);
    gn_module *holder = e ? e->object : gn_child(module, holder_name, gn_nn_module_dict());
    return holder ? gn_train(holder, module->training) : NULL;
}

gn_status gn__parametrize(const char *op, gn_module *module, const char *name,
                          gn_module *parametrization, gn_tensor *extra, gn__combine *combine) {
    gn_tensor *t = gn__own_parameter(op, module, name);
    gn_scope scope = gn_scope_begin();
    parametrization_list *list = t ? list_new(t, extra, combine) : NULL;
    if (list) {
        gn_train(&list->base, module->training);
        add_step(op, list, parametrization);
    }
    gn_module *holder = gn__failed() ? NULL : holder_of(module);
    if (holder && gn_child(holder, name, &list->base)) {
        if (gn__derived_add(module, name, t, compute) == GN_OK)
            gn__entry_remove(&module->state->parameters, name);
        else
            gn__entry_remove(&holder->state->children, name);
    }
    return gn_scope_end(scope);
}

gn_status gn_register_parametrization(gn_module *module, const char *name,
                                      gn_module *parametrization) {
    static const char op[] = "register_parametrization";
    if (!gn__is_module(op, module) || !gn__is_module(op, parametrization))
        return gn_error_status();
    parametrization_list *list = list_of(module, name);
    return list ? add_step(op, list, parametrization)
                : gn__parametrize(op, module, name, parametrization, NULL, NULL);
}

/* ---- Removal */

/* The parameter that stays: the original, which takes over the value if that is to stay. */
static gn_tensor *remaining(const char *op, parametrization_list *list, bool leave_parametrized) {
    if (!leave_parametrized && list->original0)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "of several originals none is the parameter: only its value can stay");
    bool was = gn_set_grad_enabled(false);
    gn_tensor *value = leave_parametrized ? list_value(list) : NULL;
    value = value ? gn_detach(value) : NULL;
    gn_set_grad_enabled(was);
    if (gn__failed())
        return NULL;
    if (value && value != list->original) {
        gn__take_over(list->original, value);
        gn_set_grad(list->original, NULL);
    }
    return list->original;
}

gn_status gn_remove_parametrizations(gn_module *module, const char *name, bool leave_parametrized) {
    static const char op[] = "remove_parametrizations";
    if (!gn__is_module(op, module))
        return gn_error_status();
    parametrization_list *list = list_of(module, name);
    if (list == NULL)
        return gn_fail(GN_E_NOT_FOUND, op, "%s has no parametrized \"%s\"", module->type->name,
                       name ? name : "NULL");
    gn_scope scope = gn_scope_begin();
    gn_tensor *t = remaining(op, list, leave_parametrized);
    if (t && gn__entry_set(&module->state->parameters, name, t, false) == GN_OK) {
        gn_module *holder = gn_key(module, holder_name);
        gn__derived_remove(module, name, t);
        gn__entry_remove(&holder->state->children, name);
        if (holder->state->children.n == 0)
            gn__entry_remove(&module->state->children, holder_name);
    }
    return gn_scope_end(scope);
}
