/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - an optimizer's state as a dictionary: "state.0.exp_avg", "state.0.step", .. Tensors are
 * copied both ways. Hyperparameters such as the learning rate are not part of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "optimizer.h"

enum { NAME_BYTES = 64 };

/* ---- Saving */

static gn_status put(gn_dict *dict, int slot, const char *name, gn_tensor *tensor) {
    char key[NAME_BYTES];
    snprintf(key, sizeof key, "state.%d.%s", slot, name);
    return tensor ? gn_dict_set(dict, key, tensor) : gn_error_status();
}

gn_dict *gn_optimizer_state_dict(gn_optimizer *o) {
    if (gn__failed())
        return NULL;
    if (o == NULL)
        return gn__fail_null(GN_E_ARGUMENT, "optimizer_state_dict", "the optimizer is NULL");
    gn_scope scope = gn_scope_begin();
    gn_dict *dict = gn_dict_new();
    for (int i = 0; dict && i < o->n_slots; i++) {
        const gn__slot *slot = &o->slots[i];
        if (slot->step == 0)
            continue;
        if (o->rule->counts_steps) {
            gn_tensor_options options = {.struct_size = sizeof options,
                                         .device = slot->parameter->storage->device->name,
                                         .dtype = GN_I64};
            put(dict, i, "step", gn_scalar_tensor((double)slot->step, &options));
        }
        for (int k = 0; k < o->n_states; k++)
            put(dict, i, o->rule->state_names[k], gn_clone(slot->state[k]));
    }
    return gn_scope_end_with(scope, gn_error_status() == GN_OK ? dict : NULL);
}

/* ---- Loading: everything is checked and copied before anything is changed */

/* The number of the state that `name` names, n_states for "step", or -1; *slot is its parameter. */
static int find_state(const gn_optimizer *o, const char *name, int *slot) {
    int length = 0;
    if (sscanf(name, "state.%9d.%n", slot, &length) != 1 || length == 0)
        return -1;
    char exact[NAME_BYTES]; /* no sign, blank or leading zero */
    snprintf(exact, sizeof exact, "state.%d.", *slot);
    if (*slot < 0 || *slot >= o->n_slots || strncmp(name, exact, (size_t)length) != 0)
        return -1;
    if (o->rule->counts_steps && strcmp(name + length, "step") == 0)
        return o->n_states;
    for (int k = 0; k < o->n_states; k++)
        if (strcmp(name + length, o->rule->state_names[k]) == 0)
            return k;
    return -1;
}

/* A copy of a loaded tensor with the parameter's layout. Retained. */
static gn_tensor *copy_for(const gn_tensor *parameter, gn_tensor *loaded) {
    gn_tensor *copy = gn__tensor_like(parameter, parameter->dtype);
    gn_tensor *source = copy ? gn_to_device(loaded, parameter->storage->device->name) : NULL;
    if (source == NULL || gn__copy_data(copy, source) != GN_OK)
        return NULL;
    return gn_retain(copy);
}

static gn_status load_entry(const gn_optimizer *o, const char *name, gn_tensor *t,
                            gn__slot *loaded) {
    const char *op = "optimizer_load_state_dict";
    int i = 0, k = find_state(o, name, &i);
    if (k < 0)
        return gn_fail(GN_E_ARGUMENT, op, "%s is no state of this %s with %d parameters", name,
                       o->rule->name, o->n_slots);
    const gn_tensor *parameter = o->slots[i].parameter;
    if (k == o->n_states) {
        if (t->count != 1 || (loaded[i].step = gn_item_int(t)) < 1)
            return gn_fail(GN_E_ARGUMENT, op, "%s is no number of steps", name);
        return gn_error_status();
    }
    if (!gn__same_shape(t, parameter))
        return gn_fail(GN_E_ARGUMENT, op, "%s has shape %s, its parameter %s", name,
                       gn__shape_of(t), gn__shape_of(parameter));
    loaded[i].state[k] = copy_for(parameter, t);
    return gn_error_status();
}

/* A parameter has all of its state or none. */
static gn_status check_complete(const gn_optimizer *o, gn__slot *loaded) {
    for (int i = 0; i < o->n_slots; i++) {
        int found = loaded[i].step > 0, wanted = o->n_states + o->rule->counts_steps;
        for (int k = 0; k < o->n_states; k++)
            found += loaded[i].state[k] != NULL;
        if (found != 0 && found != wanted)
            return gn_fail(GN_E_ARGUMENT, "optimizer_load_state_dict",
                           "state.%d is not complete: %d of %d entries", i, found, wanted);
        if (found && !o->rule->counts_steps)
            loaded[i].step = 1; /* any but the first */
    }
    return GN_OK;
}

gn_status gn_optimizer_load_state_dict(gn_optimizer *o, gn_dict *state) {
    if (gn__failed())
        return gn_error_status();
    if (o == NULL || state == NULL)
        return gn_fail(GN_E_ARGUMENT, "optimizer_load_state_dict", "an argument is NULL");
    gn__slot *loaded = gn__alloc_array((size_t)o->n_slots, sizeof *loaded);
    if (loaded == NULL)
        return gn_error_status();
    gn_scope scope = gn_scope_begin();
    for (int64_t i = 0; i < gn_dict_size(state) && !gn__failed(); i++)
        load_entry(o, gn_dict_name(state, i), gn_dict_tensor(state, i), loaded);
    if (!gn__failed() && check_complete(o, loaded) == GN_OK)
        for (int i = 0; i < o->n_slots; i++) {
            gn__slot old = o->slots[i];
            o->slots[i] = loaded[i];
            o->slots[i].parameter = old.parameter;
            loaded[i] = old; /* to be released below */
        }
    gn_scope_end(scope);
    for (int i = 0; i < o->n_slots; i++)
        for (int k = 0; k < GN__MAX_STATES; k++)
            gn_release(loaded[i].state[k]);
    free(loaded);
    return gn_error_status();
}
