/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step.c - the step that pointwise optimizers share: one map program, launched for all parameters
 * of a group at once.
 */
#include <stdlib.h>

#include "optimizer.h"

/* ---- The program: parameter, states := lines(parameter, gradient, states) */

bool gn__has_state(const gn__group *group, const gn_tensor *parameter, int k, gn_shape *shape) {
    if (!gn__uses_state(group, k))
        return false;
    if (group->rule->state_shape)
        return group->rule->state_shape(parameter, k, shape);
    *shape = gn__shape(parameter->n_dims, parameter->size);
    return true;
}

/* Names of hyperparameters that choose between lines. */
static int make_flags(const gn__group *group, gn__flag *flags) {
    int n = 0;
    for (int k = 0; k < group->rule->n_hypers; k++) {
        const gn__hyper *h = &group->rule->hypers[k];
        const bool is_flag = h->type == GN__HYPER_FLAG || h->type == GN__HYPER_FIXED;
        if (is_flag || h->flag)
            flags[n++] = (gn__flag){is_flag ? h->name : h->flag, group->flags >> k & 1};
    }
    return n;
}

static const gn_program *make_program(const gn__group *group, int dtype,
                                      const gn__scalars *scalars) {
    const gn__rule *rule = group->rule;
    const char *variables[2 + GN__MAX_STATES] = {"p", "g"};
    gn__flag flags[GN__MAX_HYPERS + GN__MAX_STATES];
    int n_variables = 2, n_flags = make_flags(group, flags);
    for (int k = 0; k < GN__MAX_STATES && rule->states[k].name; k++)
        if (gn__uses_state(group, k))
            variables[n_variables++] = rule->states[k].alias;
        else /* named in a branch that is not taken */
            flags[n_flags++] = (gn__flag){rule->states[k].alias, false};
    return gn__assignments_program(&(gn__assignments){.name = rule->name,
                                                      .dtype = dtype,
                                                      .lines = rule->lines,
                                                      .n_variables = n_variables,
                                                      .variables = variables,
                                                      .n_scalars = scalars->n,
                                                      .scalars = scalars->name,
                                                      .n_flags = n_flags,
                                                      .flags = flags,
                                                      .constant = 1});
}

/* ---- A parameter made ready */

static gn_tensor *first_state(const gn__group *group, const gn_tensor *p, int k, gn_shape shape) {
    const int starts_at = group->rule->states[k].starts_at;
    gn_tensor *t = group->rule->state_shape
                       ? gn__tensor_new(p->storage->device, p->dtype, (int)shape.n, shape.size)
                       : gn__tensor_like(p, p->dtype);
    return t && gn__fill_data(t, starts_at ? group->value[starts_at - 1] : 0) == GN_OK ? t : NULL;
}

/* The state there is, where the parameter is now, or a first one. */
static gn_status fit_state(const gn__group *group, gn__slot *slot, int k) {
    const gn_tensor *p = slot->parameter;
    gn_tensor *old = slot->state[k], *t;
    gn_shape shape;
    if ((old && old->dtype == p->dtype && old->storage->device == p->storage->device) ||
        !gn__has_state(group, p, k, &shape))
        return GN_OK;
    gn_scope scope = gn_scope_begin();
    t = old ? gn_cast(gn_to_device(old, p->storage->device->name), p->dtype)
            : first_state(group, p, k, shape);
    if (t) {
        slot->state[k] = gn_retain(t);
        gn_release(old);
    }
    return gn_scope_end(scope);
}

/* Makes sure of the states of a slot, and that its gradient fits. */
static gn_status make_ready(const gn__group *group, gn__slot *slot, const gn_tensor *g) {
    const gn_tensor *p = slot->parameter;
    if (g->dtype != p->dtype || !gn__same_shape(g, p) || g->storage->device != p->storage->device)
        return gn_fail(GN_E_STATE, group->rule->name,
                       "a parameter %s %s on %s has a gradient %s %s on %s: "
                       "was it changed since backward?",
                       gn_dtype_name(p->dtype), gn__shape_of(p), p->storage->device->name,
                       gn_dtype_name(g->dtype), gn__shape_of(g), g->storage->device->name);
    for (int k = 0; k < GN__MAX_STATES && group->rule->states[k].name; k++)
        if (fit_state(group, slot, k) != GN_OK)
            break;
    return gn_error_status();
}

/* ---- Its launch */

/* Whether both walk memory alike, so that one stride serves for both. */
static bool same_layout(const gn_tensor *a, const gn_tensor *b) {
    for (int d = 0; d < a->n_dims; d++)
        if (a->stride[d] != b->stride[d] && a->size[d] > 1)
            return false;
    return true;
}

static gn__operand flat_operand(const gn_tensor *t) {
    return (gn__operand){.storage = t->storage, .offset = t->offset, .stride = {1}};
}

/* Fills in the launch that updates a slot by gradient g. */
static void prepare(const gn__group *group, const gn__slot *slot, const gn_tensor *g,
                    gn__launch *launch, gn__operand *operands) {
    const gn_tensor *p = slot->parameter, *read[2 + GN__MAX_STATES] = {p, g};
    int n_read = 2;
    for (int k = 0; k < GN__MAX_STATES; k++)
        if (gn__uses_state(group, k))
            read[n_read++] = slot->state[k];
    bool flat = gn__is_dense(p);
    for (int k = 1; flat && k < n_read; k++)
        flat = same_layout(p, read[k]);
    for (int k = 0; k < n_read; k++)
        operands[k] = flat ? flat_operand(read[k]) : gn__operand_of(read[k], p->n_dims, p->size);
    operands[n_read] = operands[0];
    for (int k = 2; k < n_read; k++)
        operands[n_read + k - 1] = operands[k];
    *launch = (gn__launch){.op = group->rule->name,
                           .program = group->programs[p->dtype],
                           .n_dims = flat ? 1 : p->n_dims,
                           .size = flat ? &p->count : p->size,
                           .operands = operands};
}

/* Launches them, neighbours with the same program and device at once. */
static gn_status launch_all(const gn_optimizer *o, size_t n) {
    for (size_t i = 0, j; i < n; i = j) {
        gn__device *device = o->launches[i].operands[0].storage->device;
        for (j = i + 1; j < n; j++)
            if (o->launches[j].program != o->launches[i].program ||
                o->launches[j].operands[0].storage->device != device)
                break;
        if (gn__launch_many(device, o->launches + i, j - i) != GN_OK)
            break;
    }
    return gn_error_status();
}

/* ---- One step */

static gn_status make_arrays(gn_optimizer *o) {
    size_t n = (size_t)o->n_slots;
    if (o->launches == NULL)
        o->launches = gn__alloc_array(n, sizeof *o->launches);
    if (o->operands == NULL)
        o->operands = gn__alloc_array(n, GN__MAX_STEP_OPERANDS * sizeof *o->operands);
    if (o->scalars == NULL)
        o->scalars = gn__alloc_array(n, GN__MAX_SCALARS * sizeof *o->scalars);
    return gn_error_status();
}

/* Whether the scalars made for one slot are those of another one of its group: as a rule, they are.
 */
static bool same_scalars(const gn__slot *a, const gn__slot *b) {
    return a && a->step == b->step && memcmp(a->number, b->number, sizeof a->number) == 0;
}

/* Adds the launches of a group. */
static gn_status prepare_group(gn_optimizer *o, gn__group *group, size_t *n) {
    const gn__slot *last = NULL;
    gn__scalars scalars;
    gn_scalar *values = NULL;
    for (int i = group->begin; i < group->end; i++) {
        gn__slot *slot = &o->slots[i];
        const gn_tensor *p = slot->parameter, *g = p->grad;
        if (g == NULL)
            continue;
        if (make_ready(group, slot, g) != GN_OK)
            break;
        memcpy(slot->next_number, same_scalars(last, slot) ? last->next_number : slot->number,
               sizeof slot->next_number);
        if (!same_scalars(last, slot)) {
            scalars.n = 0;
            group->rule->scalars(group, slot->step + 1, slot->next_number, &scalars);
            values = &o->scalars[*n * GN__MAX_SCALARS];
            memcpy(values, scalars.value, sizeof scalars.value);
            last = slot;
        }
        if (group->programs[p->dtype] == NULL)
            group->programs[p->dtype] = make_program(group, p->dtype, &scalars);
        prepare(group, slot, g, &o->launches[*n], &o->operands[*n * GN__MAX_STEP_OPERANDS]);
        o->launches[(*n)++].params = values;
    }
    return gn_error_status();
}

static gn_status step_pointwise(gn_optimizer *o) {
    size_t n = 0;
    if (make_arrays(o) != GN_OK)
        return gn_error_status();
    for (int i = 0; i < o->n_groups; i++)
        if (prepare_group(o, &o->groups[i], &n) != GN_OK)
            return gn_error_status();
    if (launch_all(o, n) != GN_OK)
        return gn_error_status();
    for (int i = 0; i < o->n_slots; i++) {
        gn__slot *slot = &o->slots[i];
        if (slot->parameter->grad == NULL)
            continue;
        slot->step++;
        memcpy(slot->number, slot->next_number, sizeof slot->number);
        atomic_fetch_add_explicit(&slot->parameter->storage->version, 1, memory_order_relaxed);
    }
    return GN_OK;
}

/* By operations of the rule's, one parameter after the other. */
static gn_status step_each(gn_optimizer *o) {
    bool was = gn_set_grad_enabled(false);
    for (int i = 0; i < o->n_groups && !gn__failed(); i++)
        for (int k = o->groups[i].begin; k < o->groups[i].end && !gn__failed(); k++) {
            gn__slot *slot = &o->slots[k];
            gn_tensor *g = slot->parameter->grad;
            gn_scope scope = gn_scope_begin();
            if (g && make_ready(&o->groups[i], slot, g) == GN_OK &&
                o->rule->update(&o->groups[i], slot, g) == GN_OK)
                slot->step++;
            gn_scope_end(scope);
        }
    gn_set_grad_enabled(was);
    return gn_error_status();
}

gn_status gn_step(gn_optimizer *o) {
    if (gn__failed())
        return gn_error_status();
    if (o == NULL)
        return gn_fail(GN_E_ARGUMENT, "step", "the optimizer is NULL");
    if (o->rule->step)
        return gn_fail(GN_E_ARGUMENT, o->rule->name,
                       "it computes the loss several times: use gn_step_with and a closure");
    return o->rule->update ? step_each(o) : step_pointwise(o);
}

gn_tensor *gn_step_with(gn_optimizer *o, gn_closure *closure, void *context) {
    if (gn__failed())
        return NULL;
    if (o == NULL || closure == NULL)
        return gn__fail_null(GN_E_ARGUMENT, "step", "the %s is NULL", o ? "closure" : "optimizer");
    if (o->rule->step)
        return o->rule->step(o, closure, context);
    bool was = gn_set_grad_enabled(true);
    gn_tensor *loss = closure(context);
    gn_set_grad_enabled(was);
    if (loss == NULL && !gn__failed())
        return gn__fail_null(GN_E_ARGUMENT, "step", "the closure returned no loss");
    return gn_step(o) == GN_OK ? loss : NULL;
}
