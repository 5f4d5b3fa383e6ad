/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.c - the step that all optimizers share: one map program, launched for all parameters.
 * The update rules themselves are in sgd.c and adam.c, the state dict in state.c.
 */
#include <math.h>
#include <stdlib.h>

#include "optimizer.h"

/* ---- Making an optimizer */

static void destroy_optimizer(void *object) {
    gn_optimizer *o = object;
    for (int i = 0; i < o->n_slots; i++) {
        gn_release(o->slots[i].parameter);
        for (int k = 0; k < GN__MAX_STATES; k++)
            gn_release(o->slots[i].state[k]);
    }
    free(o->slots);
    free(o->launches);
    free(o->operands);
    free(o->scalars);
    free(o);
}

static bool has_parameter(const gn_optimizer *o, const gn_tensor *t) {
    for (int i = 0; i < o->n_slots; i++)
        if (o->slots[i].parameter == t)
            return true;
    return false;
}

static gn_status add_parameters(gn_optimizer *o, gn_dict *parameters, int64_t n) {
    const char *op = o->rule->name;
    for (int64_t i = 0; i < n; i++) {
        gn_tensor *t = gn_dict_tensor(parameters, i);
        if (t == NULL)
            return gn_error_status();
        if (t->node)
            return gn_fail(GN_E_ARGUMENT, op,
                           "%s is the result of an operation: only leaves can be "
                           "optimized",
                           gn_dict_name(parameters, i));
        if (!gn_dtype_is_float(t->dtype))
            return gn_fail(GN_E_ARGUMENT, op, "%s is %s: parameters are of a floating-point dtype",
                           gn_dict_name(parameters, i), gn_dtype_name(t->dtype));
        if (!has_parameter(o, t))
            o->slots[o->n_slots++].parameter = gn_retain(t);
    }
    return GN_OK;
}

gn_optimizer *gn__optimizer_new(const gn__rule *rule, gn_dict *parameters) {
    static const gn__kind kind = {.name = "optimizer", .destroy = destroy_optimizer};
    if (gn__failed())
        return NULL;
    int64_t n = parameters ? gn_dict_size(parameters) : 0;
    if (n < 1 || n > INT32_MAX)
        return gn__fail_null(GN_E_ARGUMENT, rule->name, "there are no parameters to optimize");
    gn_optimizer *o = gn__object_new(&kind, sizeof *o);
    if (o == NULL)
        return NULL;
    o->rule = rule;
    o->slots = gn__alloc_array((size_t)n, sizeof *o->slots);
    if (o->slots == NULL || add_parameters(o, parameters, n) != GN_OK) {
        gn_release(o);
        return NULL;
    }
    return gn__own(o);
}

bool gn__in_range(const char *op, const char *name, double value, double low, double high) {
    if (value >= low && value <= high)
        return true;
    if (isinf(high))
        gn_fail(GN_E_ARGUMENT, op, "%s is %g: it must be at least %g", name, value, low);
    else
        gn_fail(GN_E_ARGUMENT, op, "%s is %g: it must be from %g to %g", name, value, low, high);
    return false;
}

/* ---- The program: parameter, states := rule(parameter, gradient, states) */

int gn__effective_gradient(const gn_optimizer *o, const gn__update *u, int weight_decay) {
    gn__builder *b = u->builder;
    int g = u->gradient;
    if (o->maximize)
        g = gn__emit(b, GN_OP_NEG, g, 0, 0);
    if (o->weight_decay != 0 && !o->decoupled)
        g = gn__emit(b, GN_OP_ADD, g, gn__emit(b, GN_OP_MUL, u->parameter, weight_decay, 0), 0);
    return g;
}

static const gn_program *build_program(const gn_optimizer *o, int dtype) {
    gn__update u = {.builder = gn__builder_new(o->rule->name, 0), .type = gn__compute_type(dtype)};
    gn__builder *b = u.builder;
    if (b == NULL)
        return NULL;
    u.parameter = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    u.gradient = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    for (int k = 0; k < o->n_states; k++)
        u.state[k] = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    for (int k = 0; k < o->rule->n_scalars; k++)
        u.scalar[k] = gn__param(b, u.type, gn__build_param(b));
    o->rule->build(o, &u);
    gn__store(b, gn__build_operand(b, GN_WRITE, dtype), u.parameter);
    for (int k = 0; k < o->n_states; k++)
        gn__store(b, gn__build_operand(b, GN_WRITE, dtype), u.state[k]);
    return gn__builder_finish(b);
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

/* Zeroed state with the parameter's layout; or the one there is, where the parameter is now. */
static gn_status fit_state(gn_tensor **state, const gn_tensor *p) {
    gn_tensor *old = *state, *t;
    if (old && old->dtype == p->dtype && old->storage->device == p->storage->device)
        return GN_OK;
    gn_scope scope = gn_scope_begin();
    if (old) {
        t = gn_cast(gn_to_device(old, p->storage->device->name), p->dtype);
    } else {
        t = gn__tensor_like(p, p->dtype);
        if (t && gn__fill_data(t, 0) != GN_OK)
            t = NULL;
    }
    if (t) {
        *state = gn_retain(t);
        gn_release(old);
    }
    return gn_scope_end(scope);
}

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
static void prepare(const gn_optimizer *o, const gn__slot *slot, const gn_tensor *g,
                    gn__launch *launch, gn__operand *operands) {
    const gn_tensor *p = slot->parameter, *read[2 + GN__MAX_STATES] = {p, g};
    int n_read = 2 + o->n_states;
    for (int k = 0; k < o->n_states; k++)
        read[2 + k] = slot->state[k];
    bool flat = gn__is_dense(p);
    for (int k = 1; flat && k < n_read; k++)
        flat = same_layout(p, read[k]);
    for (int k = 0; k < n_read; k++)
        operands[k] = flat ? flat_operand(read[k]) : gn__operand_of(read[k], p->n_dims, p->size);
    operands[n_read] = operands[0];
    for (int k = 0; k < o->n_states; k++)
        operands[n_read + 1 + k] = operands[2 + k];
    *launch = (gn__launch){.op = o->rule->name,
                           .program = o->programs[p->dtype],
                           .n_dims = flat ? 1 : p->n_dims,
                           .size = flat ? &p->count : p->size,
                           .operands = operands};
}

/* Makes sure of state and program of a slot, and that its gradient fits. */
static gn_status make_ready(gn_optimizer *o, gn__slot *slot, const gn_tensor *g) {
    const gn_tensor *p = slot->parameter;
    if (g->dtype != p->dtype || !gn__same_shape(g, p) || g->storage->device != p->storage->device)
        return gn_fail(GN_E_STATE, o->rule->name,
                       "a parameter %s %s on %s has a gradient %s %s on %s: "
                       "was it changed since backward?",
                       gn_dtype_name(p->dtype), gn__shape_of(p), p->storage->device->name,
                       gn_dtype_name(g->dtype), gn__shape_of(g), g->storage->device->name);
    for (int k = 0; k < o->n_states; k++)
        if (fit_state(&slot->state[k], p) != GN_OK)
            return gn_error_status();
    if (o->programs[p->dtype] == NULL)
        o->programs[p->dtype] = build_program(o, p->dtype);
    return gn_error_status();
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

gn_status gn_step(gn_optimizer *o) {
    if (gn__failed())
        return gn_error_status();
    if (o == NULL)
        return gn_fail(GN_E_ARGUMENT, "step", "the optimizer is NULL");
    if (make_arrays(o) != GN_OK)
        return gn_error_status();
    size_t n = 0;
    int64_t step = -1; /* of the scalars made last: parameters share them, as a rule */
    gn_scalar *scalars = NULL;
    for (int i = 0; i < o->n_slots; i++) {
        gn__slot *slot = &o->slots[i];
        const gn_tensor *g = slot->parameter->grad;
        if (g == NULL)
            continue;
        if (make_ready(o, slot, g) != GN_OK)
            return gn_error_status();
        prepare(o, slot, g, &o->launches[n], &o->operands[n * GN__MAX_STEP_OPERANDS]);
        if (slot->step + 1 != step) {
            step = slot->step + 1;
            scalars = &o->scalars[n * GN__MAX_SCALARS];
            o->rule->scalars(o, step, scalars);
        }
        o->launches[n++].params = scalars;
    }
    if (launch_all(o, n) != GN_OK)
        return gn_error_status();
    for (int i = 0; i < o->n_slots; i++) {
        gn__slot *slot = &o->slots[i];
        if (slot->parameter->grad == NULL)
            continue;
        slot->step++;
        atomic_fetch_add_explicit(&slot->parameter->storage->version, 1, memory_order_relaxed);
    }
    return GN_OK;
}

/* ---- What else an optimizer can do */

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

double gn_get_lr(const gn_optimizer *o) { return o ? o->lr : 0; }

gn_status gn_set_lr(gn_optimizer *o, double lr) {
    if (gn__failed())
        return gn_error_status();
    if (o == NULL)
        return gn_fail(GN_E_ARGUMENT, "set_lr", "the optimizer is NULL");
    if (!gn__in_range("set_lr", "lr", lr, 0, INFINITY))
        return gn_error_status();
    o->lr = lr;
    return GN_OK;
}
