/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - an optimizer's state as a dictionary of PyTorch's structure; load.c reads it. Tensors
 * are copied.
 */
#include <stdio.h>

#include "../nn/dict.h"
#include "optimizer.h"

/* ---- "state": parameters by number */

static gn_tensor *number_tensor(const gn__slot *slot, double value) {
    return gn_scalar_tensor(
        value, GN_AS(.device = slot->parameter->storage->device->name, .dtype = GN_F32));
}

static gn_dict *slot_state(gn_optimizer *o, const gn__group *group, const gn__slot *slot) {
    gn_dict *entry = gn_dict_new();
    const gn__rule *rule = o->rule;
    if (rule->save && slot == o->slots)
        rule->save(o, entry);
    if (slot->step == 0)
        return entry;
    if (!rule->silent_steps)
        gn_dict_set(entry, "step", number_tensor(slot, (double)slot->step));
    for (int k = 0; k < GN__MAX_NUMBERS && rule->numbers[k]; k++)
        gn_dict_set(entry, rule->numbers[k], number_tensor(slot, slot->number[k]));
    for (int k = 0; k < GN__MAX_STATES; k++)
        if (gn__uses_state(group, k) && slot->state[k])
            gn_dict_set(entry, rule->states[k].name, gn_clone(slot->state[k]));
    return entry;
}

static gn_dict *all_states(gn_optimizer *o) {
    gn_dict *states = gn_dict_new();
    if (states)
        gn__dict_number(states);
    for (int i = 0; i < o->n_groups; i++)
        for (int k = o->groups[i].begin; k < o->groups[i].end && !gn__failed(); k++) {
            char name[16];
            snprintf(name, sizeof name, "%d", k);
            gn_dict *entry = slot_state(o, &o->groups[i], &o->slots[k]);
            if (gn_dict_size(entry) > 0)
                gn_dict_set(states, name, entry);
        }
    return states;
}

/* ---- "param_groups": a list */

static gn_status put_value(gn_dict *to, const char *name, const gn__hyper *h, double value) {
    if (h->choice)
        return value != 0 ? gn_dict_set(to, name, h->choice) : gn_dict_set_none(to, name);
    switch (h->type) {
    case GN__HYPER_FLAG:
    case GN__HYPER_FIXED: return gn_dict_set_bool(to, name, value != 0);
    case GN__HYPER_COUNT: return gn_dict_set_int(to, name, (int64_t)value);
    default: return isnan(value) ? gn_dict_set_none(to, name) : gn_dict_set(to, name, value);
    }
}

static gn_dict *group_options(const gn__group *group) {
    gn_dict *dict = gn_dict_new();
    for (int k = 0; k < group->rule->n_hypers && !gn__failed(); k++) {
        const gn__hyper *h = &group->rule->hypers[k];
        if (h->tuple == NULL) {
            put_value(dict, h->name, h, group->value[k]);
            continue;
        }
        if (h->place == 0)
            gn_dict_set(dict, h->tuple, gn_list_new());
        put_value(gn_dict_get_dict(dict, h->tuple), NULL, h, group->value[k]);
    }
    for (int64_t i = 0; i < gn_dict_size(group->extra) && !gn__failed(); i++)
        gn__dict_copy_entry(dict, group->extra, i);
    gn_dict *numbers = gn_list_new();
    for (int i = group->begin; i < group->end && !gn__failed(); i++)
        gn_dict_set(numbers, NULL, i);
    gn_dict_set(dict, "params", numbers);
    return dict;
}

gn_dict *gn_optimizer_state_dict(gn_optimizer *o) {
    if (gn__failed())
        return NULL;
    if (o == NULL)
        return gn__fail_null(GN_E_ARGUMENT, "optimizer_state_dict", "the optimizer is NULL");
    gn_scope scope = gn_scope_begin();
    gn_dict *dict = gn_dict_new(), *groups = gn_list_new();
    gn_dict_set(dict, "state", all_states(o));
    for (int i = 0; i < o->n_groups && !gn__failed(); i++)
        gn_dict_set(groups, NULL, group_options(&o->groups[i]));
    gn_dict_set(dict, "param_groups", groups);
    return gn_scope_end_with(scope, gn__failed() ? NULL : dict);
}
