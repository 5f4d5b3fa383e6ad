/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.c - optimizers as objects: their making, groups of parameters, hyperparameters. The
 * rules are in sgd.c, adam.c and their neighbours, the step in step.c, the state dict in state.c
 * and load.c.
 */
#include <stdlib.h>

#include "optimizer.h"

/* ---- Hyperparameters */

bool gn__in_range(const char *op, const char *name, double value, double low, double high) {
    if (value >= low && value <= high)
        return true;
    if (isinf(high))
        gn_fail(GN_E_ARGUMENT, op, "%s is %g: it must be at least %g", name, value, low);
    else
        gn_fail(GN_E_ARGUMENT, op, "%s is %g: it must be from %g to %g", name, value, low, high);
    return false;
}

int gn__hyper_find(const gn__rule *rule, const char *name) {
    for (int k = 0; k < rule->n_hypers; k++)
        if (strcmp(rule->hypers[k].name, name) == 0)
            return k;
    return -1;
}

gn_status gn__hypers_check(const gn__rule *rule, const char *op, const double *value) {
    for (int k = 0; k < rule->n_hypers; k++) {
        const gn__hyper *h = &rule->hypers[k];
        const bool absent = isnan(h->standard) && isnan(value[k]); /* PyTorch's None */
        if (!absent && !gn__in_range(op, h->name, value[k], h->low, h->high))
            return gn_error_status();
    }
    return rule->check ? rule->check(op, value) : gn_error_status();
}

/* The value in a struct of options, of which so many bytes are known to the caller. */
static double read_option(const gn__hyper *h, const char *options, size_t bytes) {
    gn_optional optional = {0};
    double number = 0;
    int64_t count = 0;
    bool flag = false;
    switch (h->type) {
    case GN__HYPER_OPTIONAL:
        if (h->offset + sizeof optional <= bytes)
            memcpy(&optional, options + h->offset, sizeof optional);
        return gn_or(optional, h->standard);
    case GN__HYPER_FLAG:
        if (h->offset + sizeof flag <= bytes)
            memcpy(&flag, options + h->offset, sizeof flag);
        return flag;
    case GN__HYPER_COUNT:
        if (h->offset + sizeof count <= bytes)
            memcpy(&count, options + h->offset, sizeof count);
        return count != 0 ? (double)count : h->standard;
    case GN__HYPER_FIXED: return h->standard;
    default:
        if (h->offset + sizeof number <= bytes)
            memcpy(&number, options + h->offset, sizeof number);
        return number != 0 ? number : h->standard;
    }
}

static void read_options(const gn__rule *rule, const void *options, double *value) {
    size_t bytes = 0;
    if (options) {
        memcpy(&bytes, options, sizeof bytes);
        if (bytes == 0)
            bytes = SIZE_MAX; /* a struct that says nothing is one of this version */
    }
    for (int k = 0; k < rule->n_hypers; k++)
        value[k] = read_option(&rule->hypers[k], options, bytes);
}

void gn__group_changed(gn__group *group) {
    uint32_t flags = 0;
    for (int k = 0; k < group->rule->n_hypers; k++)
        flags |= (uint32_t)(group->value[k] != 0) << k;
    if (flags != group->flags)
        memset(group->programs, 0, sizeof group->programs);
    group->flags = flags;
}

/* ---- Objects */

static void destroy_optimizer(void *object) {
    gn_optimizer *o = object;
    for (int i = 0; i < o->n_slots; i++) {
        gn_release(o->slots[i].parameter);
        for (int k = 0; k < GN__MAX_STATES; k++)
            gn_release(o->slots[i].state[k]);
    }
    for (int i = 0; i < o->n_groups; i++)
        gn_release(o->groups[i].extra);
    if (o->memory)
        o->rule->forget(o->memory);
    free(o->groups);
    free(o->slots);
    free(o->launches);
    free(o->operands);
    free(o->scalars);
    free(o);
}

gn_optimizer *gn__optimizer_new(const gn__rule *rule, gn_dict *parameters, const void *options) {
    static const gn__kind kind = {.name = "optimizer", .destroy = destroy_optimizer};
    double value[GN__MAX_HYPERS] = {0};
    if (gn__failed())
        return NULL;
    read_options(rule, options, value);
    if (gn__hypers_check(rule, rule->name, value) != GN_OK)
        return NULL;
    gn_optimizer *o = gn__object_new(&kind, sizeof *o);
    if (o == NULL)
        return NULL;
    o->rule = rule;
    memcpy(o->standard, value, sizeof value);
    if (gn_add_param_group(o, parameters) != GN_OK) {
        gn_release(o);
        return NULL;
    }
    return gn__own(o);
}

/* ---- Groups */

static bool has_parameter(const gn__slot *slots, int n, const gn_tensor *t) {
    for (int i = 0; i < n; i++)
        if (slots[i].parameter == t)
            return true;
    return false;
}

static gn_status check_parameter(const gn_optimizer *o, const char *name, const gn_tensor *t) {
    const char *op = o->rule->name;
    if (t->node)
        return gn_fail(GN_E_ARGUMENT, op,
                       "%s is the result of an operation: only leaves can be optimized", name);
    if (!gn_dtype_is_float(t->dtype))
        return gn_fail(GN_E_ARGUMENT, op, "%s is %s: parameters are of a floating-point dtype",
                       name, gn_dtype_name(t->dtype));
    if (has_parameter(o->slots, o->n_slots, t))
        return gn_fail(GN_E_ARGUMENT, op, "%s is in another group of parameters already", name);
    return GN_OK;
}

/* The hyperparameters of a group: those of the optimizer, but for the given ones. */
static gn_status read_group(const gn_optimizer *o, const gn_param_group_options *options,
                            double *value) {
    memcpy(value, o->standard, sizeof o->standard);
    const size_t n = options ? GN_LENGTH(options->options) : 0;
    for (size_t i = 0; i < n && options->options[i].name; i++) {
        int k = gn__hyper_find(o->rule, options->options[i].name);
        if (k < 0)
            return gn_fail(GN_E_ARGUMENT, o->rule->name, "it has no hyperparameter \"%.100s\"",
                           options->options[i].name);
        value[k] = options->options[i].value;
    }
    return gn__hypers_check(o->rule, o->rule->name, value);
}

/* Room for n more slots and one more group, where the step's arrays are made anew. */
static gn_status grow(gn_optimizer *o, size_t n) {
    gn__slot *slots = gn__alloc_array((size_t)o->n_slots + n, sizeof *slots);
    gn__group *groups = gn__alloc_array((size_t)o->n_groups + 1, sizeof *groups);
    if (slots == NULL || groups == NULL) {
        free(slots);
        free(groups);
        return gn_error_status();
    }
    if (o->n_groups) {
        memcpy(slots, o->slots, (size_t)o->n_slots * sizeof *slots);
        memcpy(groups, o->groups, (size_t)o->n_groups * sizeof *groups);
    }
    free(o->slots);
    free(o->groups);
    free(o->launches);
    free(o->operands);
    free(o->scalars);
    o->slots = slots;
    o->groups = groups;
    o->launches = NULL;
    o->operands = NULL;
    o->scalars = NULL;
    return GN_OK;
}

gn_status gn_add_param_group_with(gn_optimizer *o, gn_dict *parameters,
                                  const gn_param_group_options *options) {
    double value[GN__MAX_HYPERS];
    if (gn__failed())
        return gn_error_status();
    if (o == NULL)
        return gn_fail(GN_E_ARGUMENT, "add_param_group", "the optimizer is NULL");
    if (o->rule->step && o->n_groups)
        return gn_fail(GN_E_UNSUPPORTED, o->rule->name, "it has one group of parameters only");
    int64_t n = gn_dict_size(parameters);
    if (n < 1 || n > INT32_MAX - o->n_slots)
        return gn_fail(GN_E_ARGUMENT, o->rule->name, "there are no parameters to optimize");
    if (read_group(o, options, value) != GN_OK)
        return gn_error_status();
    for (int64_t i = 0; i < n; i++) {
        const gn_tensor *t = gn_dict_tensor(parameters, i);
        if (t == NULL || check_parameter(o, gn_dict_name(parameters, i), t) != GN_OK)
            return gn_error_status();
    }
    gn_dict *extra = grow(o, (size_t)n) == GN_OK ? gn_dict_new() : NULL;
    if (extra == NULL)
        return gn_error_status();
    gn__group *group = &o->groups[o->n_groups++];
    *group = (gn__group){.rule = o->rule, .extra = gn_retain(extra), .begin = o->n_slots};
    memcpy(group->value, value, sizeof value);
    gn__group_changed(group);
    for (int64_t i = 0; i < n; i++) {
        gn_tensor *t = gn_dict_tensor(parameters, i);
        if (!has_parameter(o->slots + group->begin, o->n_slots - group->begin, t))
            o->slots[o->n_slots++].parameter = gn_retain(t);
    }
    group->end = o->n_slots;
    return GN_OK;
}

int64_t gn_num_param_groups(const gn_optimizer *o) { return o ? o->n_groups : 0; }

static gn__group *find_group(const char *op, const gn_optimizer *o, int64_t group,
                             const char *name) {
    if (gn__failed())
        return NULL;
    if (o == NULL || name == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op, "the %s is NULL", o ? "name" : "optimizer");
    if (group < 0 || group >= o->n_groups)
        return gn__fail_null(GN_E_INDEX, op, "there is no group %lld of %d", (long long)group,
                             o->n_groups);
    return &o->groups[group];
}

double gn_param_group_get(const gn_optimizer *o, int64_t i, const char *name) {
    const gn__group *group = find_group("param_group_get", o, i, name);
    if (group == NULL)
        return 0;
    int k = gn__hyper_find(o->rule, name);
    double value = k < 0 ? gn_dict_get_float(group->extra, name, (double)NAN) : group->value[k];
    if (k < 0 && isnan(value))
        gn_fail(GN_E_ARGUMENT, "param_group_get", "%s has no hyperparameter \"%.100s\"",
                o->rule->name, name);
    return value;
}

gn_status gn_param_group_set(gn_optimizer *o, int64_t i, const char *name, double value) {
    double values[GN__MAX_HYPERS];
    gn__group *group = find_group("param_group_set", o, i, name);
    if (group == NULL)
        return gn_error_status();
    int k = gn__hyper_find(o->rule, name);
    if (k < 0)
        return gn_fail(GN_E_ARGUMENT, "param_group_set", "%s has no hyperparameter \"%.100s\"",
                       o->rule->name, name);
    memcpy(values, group->value, sizeof values);
    values[k] = value;
    if (gn__hypers_check(o->rule, "param_group_set", values) != GN_OK)
        return gn_error_status();
    group->value[k] = value;
    gn__group_changed(group);
    return GN_OK;
}

/* ---- What else an optimizer can do */

double gn_get_lr(const gn_optimizer *o) { return o ? o->groups[0].value[0] : 0; }

gn_status gn_set_lr(gn_optimizer *o, double lr) {
    if (gn__failed())
        return gn_error_status();
    if (o == NULL)
        return gn_fail(GN_E_ARGUMENT, "set_lr", "the optimizer is NULL");
    if (!gn__in_range("set_lr", "lr", lr, 0, INFINITY))
        return gn_error_status();
    for (int i = 0; i < o->n_groups; i++) {
        o->groups[i].value[0] = lr;
        gn__group_changed(&o->groups[i]);
    }
    return GN_OK;
}

gn_status gn_optimizer_zero_grad(gn_optimizer *o) {
    if (gn__failed())
        return gn_error_status();
    if (o == NULL)
        return gn_fail(GN_E_ARGUMENT, "zero_grad", "the optimizer is NULL");
    for (int i = 0; i < o->n_slots; i++)
        if (gn_set_grad(o->slots[i].parameter, NULL) != GN_OK)
            break;
    return gn_error_status();
}
