/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - an optimizer's state from a dictionary, of Genesis or of PyTorch. Everything is checked
 * and copied before anything is changed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "optimizer.h"

static const char op[] = "optimizer_load_state_dict";

/* What is to replace the optimizer's own. */
typedef struct loading {
    gn_optimizer *o;
    gn__group *groups;
    gn__slot *slots;
    int *ids; /* of the slots, in the state that is loaded */
} loading;

/* ---- "param_groups" */

/* What is not named stays, as in PyTorch. */
static void read_hypers(gn__group *group, const gn_dict *from) {
    for (int k = 0; k < group->rule->n_hypers; k++) {
        const gn__hyper *h = &group->rule->hypers[k];
        const gn_dict *holder = h->tuple ? gn_dict_get_dict(from, h->tuple) : from;
        char place[16];
        snprintf(place, sizeof place, "%d", h->place);
        const char *name = h->tuple ? place : h->name;
        if (h->choice)
            group->value[k] = gn_dict_get_string(from, name) != NULL;
        else if (h->type != GN__HYPER_FIXED)
            group->value[k] = gn_dict_get_float(holder, name, group->value[k]);
    }
}

/* Numbers that are no hyperparameters: what schedules have noted. */
static gn_status read_extra(const gn__group *group, gn_dict *extra, const gn_dict *from) {
    for (int64_t i = 0; i < gn_dict_size(from) && !gn__failed(); i++) {
        const char *name = gn_dict_name(from, i);
        const gn_value_kind kind = gn_dict_kind(from, i);
        if ((kind == GN_VALUE_FLOAT || kind == GN_VALUE_INT) &&
            gn__hyper_find(group->rule, name) < 0)
            gn_dict_set(extra, name, gn_dict_get_float(from, name, 0));
    }
    return gn_error_status();
}

static gn_status read_group(loading *l, int i, const gn_dict *from) {
    gn__group *group = &l->groups[i];
    const gn_dict *params = gn_dict_get_dict(from, "params");
    if (params == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "param_groups.%d has no list \"params\"", i);
    if (gn_dict_size(params) != group->end - group->begin)
        return gn_fail(GN_E_ARGUMENT, op, "param_groups.%d has %lld parameters, not %d", i,
                       (long long)gn_dict_size(params), group->end - group->begin);
    for (int64_t k = 0; k < gn_dict_size(params); k++) {
        int64_t id = gn_dict_get_int(params, gn_dict_name(params, k), -1);
        if (id < 0 || id > INT32_MAX)
            return gn_fail(GN_E_ARGUMENT, op, "param_groups.%d.params.%lld is no number", i,
                           (long long)k);
        l->ids[group->begin + k] = (int)id;
    }
    read_hypers(group, from);
    gn_dict *old = group->extra;
    group->extra = gn_dict_new();
    read_extra(group, group->extra, old);
    read_extra(group, group->extra, from);
    if (gn__failed() || gn__hypers_check(group->rule, op, group->value) != GN_OK)
        return gn_error_status();
    gn__group_changed(group);
    return GN_OK;
}

static gn_status read_groups(loading *l, const gn_dict *state) {
    const gn_dict *list = gn_dict_get_dict(state, "param_groups");
    if (list == NULL || gn_dict_size(list) != l->o->n_groups)
        return gn_fail(GN_E_ARGUMENT, op,
                       "the state has %lld groups of parameters, the optimizer %d",
                       (long long)gn_dict_size(list), l->o->n_groups);
    for (int i = 0; i < l->o->n_groups && !gn__failed(); i++)
        read_group(l, i, gn_dict_get_dict(list, gn_dict_name(list, i)));
    return gn_error_status();
}

/* ---- "state" */

/* A copy of a loaded tensor in the parameter's dtype, device and, if it has its shape, layout.
 * Retained. */
static gn_tensor *copy_for(const gn_tensor *parameter, gn_tensor *loaded) {
    gn__device *device = parameter->storage->device;
    gn_tensor *copy = gn__same_shape(parameter, loaded)
                          ? gn__tensor_like(parameter, parameter->dtype)
                          : gn__tensor_new(device, parameter->dtype, loaded->n_dims, loaded->size);
    gn_tensor *source = copy ? gn_to_device(loaded, device->name) : NULL;
    if (source == NULL || gn__copy_data(copy, source) != GN_OK)
        return NULL;
    return gn_retain(copy);
}

static gn_status read_tensor(const gn__group *group, gn__slot *slot, int k, const gn_dict *entry,
                             const char *number) {
    const char *name = group->rule->states[k].name;
    gn_tensor *t = gn_dict_get(entry, name);
    gn_shape shape;
    if (!gn__has_state(group, slot->parameter, k, &shape))
        return GN_OK;
    if (t == NULL && group->rule->silent_steps) /* SGD that has not stepped yet */
        return GN_OK;
    if (t == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "state.%s has no %s", number, name);
    if (t->n_dims != shape.n || memcmp(t->size, shape.size, (size_t)shape.n * 8) != 0)
        return gn_fail(GN_E_ARGUMENT, op, "state.%s.%s has shape %s, not %s", number, name,
                       gn__shape_of(t), gn__shape_text((int)shape.n, shape.size));
    slot->state[k] = copy_for(slot->parameter, t);
    return gn_error_status();
}

/* Tensors of other names belong to another optimizer. */
static gn_status check_names(const gn__rule *rule, const gn_dict *entry, const char *number) {
    for (int64_t i = 0; i < gn_dict_size(entry); i++) {
        const char *name = gn_dict_name(entry, i);
        bool known = gn_dict_kind(entry, i) == GN_VALUE_NONE || strcmp(name, "step") == 0;
        for (int k = 0; k < GN__MAX_STATES && rule->states[k].name; k++)
            known |= strcmp(name, rule->states[k].name) == 0;
        for (int k = 0; k < GN__MAX_NUMBERS && rule->numbers[k]; k++)
            known |= strcmp(name, rule->numbers[k]) == 0;
        if (!known)
            return gn_fail(GN_E_ARGUMENT, op, "state.%s.%.100s is no state of this %s", number,
                           name, rule->name);
    }
    return GN_OK;
}

static gn_status read_slot(const gn__group *group, gn__slot *slot, const gn_dict *entry,
                           const char *number) {
    const gn__rule *rule = group->rule;
    if (check_names(rule, entry, number) != GN_OK)
        return gn_error_status();
    double step = gn_dict_get_float(entry, "step", -1);
    if (!rule->silent_steps && !(step >= 0 && step < 0x1p53))
        return gn_fail(GN_E_ARGUMENT, op, "state.%s.step is no number of steps", number);
    for (int k = 0; k < GN__MAX_NUMBERS && rule->numbers[k]; k++) {
        slot->number[k] = gn_dict_get_float(entry, rule->numbers[k], (double)NAN);
        if (!isfinite(slot->number[k]))
            return gn_fail(GN_E_ARGUMENT, op, "state.%s.%s is no number", number, rule->numbers[k]);
    }
    for (int k = 0; k < GN__MAX_STATES && rule->states[k].name; k++)
        if (read_tensor(group, slot, k, entry, number) != GN_OK)
            return gn_error_status();
    /* Without a count: any step but the first, if there is a state. */
    slot->step = rule->silent_steps ? slot->state[0] != NULL : (int64_t)step;
    return gn_error_status();
}

/* The slot of a number in the loaded state, -1: none. */
static int find_slot(const loading *l, const char *number) {
    char exact[16]; /* no sign, blank or leading zero */
    int id = atoi(number);
    snprintf(exact, sizeof exact, "%d", id);
    for (int i = 0; i < l->o->n_slots && strcmp(number, exact) == 0; i++)
        if (l->ids[i] == id)
            return i;
    return -1;
}

static const gn__group *group_of(const loading *l, int slot) {
    const gn__group *group = l->groups;
    while (slot >= group->end)
        group++;
    return group;
}

static gn_status read_states(loading *l, const gn_dict *state) {
    const gn__rule *rule = l->o->rule;
    const gn_dict *states = gn_dict_get_dict(state, "state"), *memory = NULL;
    if (states == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "there is no dictionary \"state\"");
    for (int64_t i = 0; i < gn_dict_size(states) && !gn__failed(); i++) {
        const char *number = gn_dict_name(states, i);
        const gn_dict *entry = gn_dict_get_dict(states, number);
        int slot = find_slot(l, number);
        if (slot < 0 || entry == NULL)
            return gn_fail(GN_E_ARGUMENT, op, "state.%.100s is no state of one of %d parameters",
                           number, l->o->n_slots);
        if (rule->load == NULL)
            read_slot(group_of(l, slot), &l->slots[slot], entry, number);
        else if (slot == 0)
            memory = entry;
    }
    return gn__failed() || rule->load == NULL ? gn_error_status() : rule->load(l->o, memory);
}

/* ---- All of it */

static gn_status begin(loading *l) {
    const gn_optimizer *o = l->o;
    l->groups = gn__alloc_array((size_t)o->n_groups, sizeof *l->groups);
    l->slots = gn__alloc_array((size_t)o->n_slots, sizeof *l->slots);
    l->ids = gn__alloc_array((size_t)o->n_slots, sizeof *l->ids);
    if (l->groups == NULL || l->slots == NULL || l->ids == NULL)
        return gn_error_status();
    memcpy(l->groups, o->groups, (size_t)o->n_groups * sizeof *l->groups);
    for (int i = 0; i < o->n_slots; i++)
        l->slots[i].parameter = o->slots[i].parameter;
    return GN_OK;
}

/* Changes places with the optimizer's own. */
static void commit(loading *l) {
    gn_optimizer *o = l->o;
    for (int i = 0; i < o->n_groups; i++) {
        gn_release(o->groups[i].extra);
        o->groups[i] = l->groups[i];
        gn_retain(o->groups[i].extra); /* the loaded one is the scope's */
    }
    gn__slot *old = o->slots;
    o->slots = l->slots;
    l->slots = old;
}

static void drop(const loading *l) {
    for (int i = 0; l->slots && i < l->o->n_slots; i++)
        for (int k = 0; k < GN__MAX_STATES; k++)
            gn_release(l->slots[i].state[k]);
    free(l->groups);
    free(l->slots);
    free(l->ids);
}

gn_status gn_optimizer_load_state_dict(gn_optimizer *o, gn_dict *state) {
    if (gn__failed())
        return gn_error_status();
    if (o == NULL || state == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "an argument is NULL");
    loading l = {.o = o};
    gn_scope scope = gn_scope_begin();
    if (begin(&l) == GN_OK && read_groups(&l, state) == GN_OK && read_states(&l, state) == GN_OK)
        commit(&l);
    drop(&l);
    return gn_scope_end(scope);
}
