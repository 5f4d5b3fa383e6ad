/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lbfgs.c - L-BFGS (Liu and Nocedal 1989), PyTorch's form: a step makes up to max_iter iterations,
 * each along the direction -H g, where H, the inverse Hessian, is known by the last changes of
 * parameters and gradients. All parameters are seen as one vector.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../ops/support.h"
#include "line_search.h"
#include "optimizer.h"

enum {
    LR,
    MAX_ITER,
    MAX_EVAL,
    TOLERANCE_GRAD,
    TOLERANCE_CHANGE,
    HISTORY_SIZE,
    WOLFE,
    MAXIMIZE,
    N_HYPERS
};

static const gn__hyper hypers[N_HYPERS] = {
    [LR] = {GN__NUMBER(gn_lbfgs_options, lr), .standard = 1, .high = INFINITY},
    [MAX_ITER] = {GN__COUNT(gn_lbfgs_options, max_iter), .standard = 20, .low = 1, .high = 0x1p31},
    [MAX_EVAL] = {GN__COUNT(gn_lbfgs_options, max_eval), .high = 0x1p31},
    [TOLERANCE_GRAD] = {GN__OPTIONAL(gn_lbfgs_options, tolerance_grad), .standard = 1e-7,
                        .high = INFINITY},
    [TOLERANCE_CHANGE] = {GN__OPTIONAL(gn_lbfgs_options, tolerance_change), .standard = 1e-9,
                          .high = INFINITY},
    [HISTORY_SIZE] = {GN__COUNT(gn_lbfgs_options, history_size), .standard = 100, .low = 1,
                      .high = 0x1p20},
    [WOLFE] = {.name = "line_search_fn",
               .type = GN__HYPER_FLAG,
               .offset = offsetof(gn_lbfgs_options, strong_wolfe),
               .high = 1,
               .choice = "strong_wolfe"},
    [MAXIMIZE] = {GN__FLAG(gn_lbfgs_options, maximize)},
};

/* ---- What is known from the iterations before */

typedef struct change {
    gn_tensor *gradient, *step; /* y and s; retained */
    double weight;              /* 1 / (y s) */
} change;

typedef struct memory {
    int64_t evaluations, iterations;
    gn_tensor *direction, *gradient; /* retained; NULL at first */
    double t, scale, loss;           /* the last step's length; H without changes; the last loss */
    change *changes;                 /* the oldest first */
    size_t n_changes, capacity;
} memory;

/* Both may be NULL. */
static void keep(gn_tensor **place, gn_tensor *t) {
    gn_tensor *old = *place;
    *place = gn_retain(t);
    gn_release(old);
}

static void drop_change(change *c) {
    gn_release(c->gradient);
    gn_release(c->step);
}

static void forget(void *object) {
    memory *m = object;
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n_changes; i++)
        drop_change(&m->changes[i]);
    gn_release(m->direction);
    gn_release(m->gradient);
    free(m->changes);
    free(m);
}

static memory *new_memory(void) {
    memory *m = gn__alloc(sizeof *m);
    if (m)
        m->scale = 1;
    return m;
}

/* Keeps the last `limit` of them. */
static gn_status add_change(memory *m, gn_tensor *y, gn_tensor *s, double weight, size_t limit) {
    while (m->n_changes > 0 && m->n_changes >= limit) {
        drop_change(&m->changes[0]);
        m->n_changes--;
        memmove(m->changes, m->changes + 1, m->n_changes * sizeof *m->changes);
    }
    if (gn__grow((void **)&m->changes, &m->capacity, m->n_changes, sizeof *m->changes) == GN_OK)
        m->changes[m->n_changes++] = (change){gn_retain(y), gn_retain(s), weight};
    return gn_error_status();
}

/* ---- All parameters as one vector */

/* One call of gn_step_with. */
typedef struct run {
    gn_optimizer *o;
    const double *value;
    memory *m;
    gn_closure *closure;
    void *context;
    double loss;
    gn_tensor *gradient; /* retained */
    gn_dict *origin;     /* parameters before a line search */
} run;

static gn_tensor *flat_gradient(const run *r) {
    const int n = r->o->n_slots;
    gn_tensor **parts = gn__alloc_array((size_t)n, sizeof(gn_tensor *));
    for (int i = 0; parts && i < n; i++) {
        gn_tensor *p = r->o->slots[i].parameter;
        parts[i] = gn_flatten(p->grad ? gn_detach(p->grad) : gn_zeros_like(p), 0);
    }
    gn_tensor *all = parts ? gn_cat(parts, n, 0) : NULL;
    free(parts);
    return all && r->value[MAXIMIZE] != 0 ? gn_neg(all) : all;
}

static gn_tensor *call(const run *r) {
    bool was = gn_set_grad_enabled(true);
    gn_tensor *loss = r->closure(r->context);
    gn_set_grad_enabled(was);
    if (loss == NULL && !gn__failed())
        gn_fail(GN_E_ARGUMENT, "lbfgs", "the closure returned no loss");
    return loss;
}

static double value_of(const run *r, const gn_tensor *loss) {
    double value = loss ? gn_item(loss) : 0;
    return r->value[MAXIMIZE] != 0 ? -value : value;
}

/* p += t times its part of the direction */
static void move(const run *r, double t) {
    int64_t start = 0;
    gn_scope scope = gn_scope_begin();
    for (int i = 0; i < r->o->n_slots && !gn__failed(); i++) {
        gn_tensor *p = gn_detach(r->o->slots[i].parameter);
        gn_tensor *part = gn_narrow(r->m->direction, 0, start, p ? p->count : 0);
        gn_tensor *scaled = gn_mul_scalar(part, t);
        if (p && scaled)
            gn_add_(p, gn_reshape_with(scaled, gn_shape_of(p)));
        start += p ? p->count : 0;
    }
    gn_scope_end(scope);
}

static void return_to_origin(const run *r) {
    gn_scope scope = gn_scope_begin();
    for (int i = 0; i < r->o->n_slots && !gn__failed(); i++)
        gn_copy_(gn_detach(r->o->slots[i].parameter), gn_dict_tensor(r->origin, i));
    gn_scope_end(scope);
}

static bool evaluate_at(void *context, double t, gn__point *out) {
    run *r = context;
    gn_scope scope = gn_scope_begin();
    move(r, t);
    gn__point point = {.t = t, .loss = value_of(r, call(r)), .gradient = flat_gradient(r)};
    return_to_origin(r);
    gn_tensor *slope = gn_dot(point.gradient, r->m->direction);
    if (slope) {
        point.slope = gn_item(slope);
        gn__point_copy(out, &point);
    }
    return gn_scope_end(scope) == GN_OK;
}

/* ---- One iteration */

static double item(gn_tensor *t) { return t ? gn_item(t) : 0; }
static double largest(gn_tensor *x) { return item(gn_amax(gn_abs(x))); }

/* x += factor y */
static void add_scaled(gn_tensor *x, gn_tensor *y, double factor) {
    gn_scope scope = gn_scope_begin();
    gn_add_(x, gn_mul_scalar(y, factor));
    gn_scope_end(scope);
}

/* Learns from the last step. */
static void learn(memory *m, gn_tensor *g, double history_size) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = gn_sub(g, m->gradient), *s = gn_mul_scalar(m->direction, m->t);
    const double ys = item(gn_dot(y, s));
    if (ys > 1e-10) {
        const double yy = item(gn_dot(y, y));
        if (!gn__failed())
            add_change(m, y, s, 1 / ys, (size_t)history_size);
        m->scale = ys / yy;
    }
    gn_scope_end(scope);
}

/* -H g by the two loops over the changes. */
static void find_direction(memory *m, gn_tensor *g) {
    gn_scope scope = gn_scope_begin();
    double *along = gn__alloc_array(m->n_changes + 1, sizeof *along);
    gn_tensor *q = along ? gn_neg(g) : NULL;
    for (size_t i = m->n_changes; q && i-- > 0;) {
        along[i] = item(gn_dot(m->changes[i].step, q)) * m->changes[i].weight;
        add_scaled(q, m->changes[i].gradient, -along[i]);
    }
    if (q && m->iterations > 1)
        gn_mul_scalar_(q, m->scale);
    for (size_t i = 0; q && i < m->n_changes; i++) {
        double back = item(gn_dot(m->changes[i].gradient, q)) * m->changes[i].weight;
        add_scaled(q, m->changes[i].step, along[i] - back);
    }
    if (!gn__failed())
        keep(&m->direction, q);
    free(along);
    gn_scope_end(scope);
}

/* Steps along the direction. Returns the number of evaluations. */
static int64_t walk(run *r, double slope, bool last, int64_t evaluations) {
    memory *m = r->m;
    if (r->value[WOLFE] == 0) {
        move(r, m->t);
        if (last) /* where the next step will evaluate anyway */
            return 0;
        r->loss = value_of(r, call(r));
        keep(&r->gradient, flat_gradient(r));
        return 1;
    }
    r->origin = gn_dict_new();
    for (int i = 0; i < r->o->n_slots && !gn__failed(); i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        gn_dict_set(r->origin, name, gn_clone(gn_detach(r->o->slots[i].parameter)));
    }
    const gn__line line = {.at = evaluate_at,
                           .context = r,
                           .length = largest(m->direction),
                           .tolerance_change = r->value[TOLERANCE_CHANGE],
                           .max_evaluations = (int64_t)r->value[MAX_EVAL] - evaluations};
    const gn__point start = {.loss = r->loss, .slope = slope, .gradient = r->gradient};
    gn__point end = {0};
    const int64_t n = gn__failed() ? -1 : gn__strong_wolfe(&line, &start, m->t, &end);
    if (n >= 0) {
        m->t = end.t;
        r->loss = end.loss;
        keep(&r->gradient, end.gradient);
        move(r, m->t);
    }
    gn_release(end.gradient);
    return n;
}

/* False when it is over: converged, or no progress. */
static bool iterate(run *r, bool last, int64_t *evaluations) {
    memory *m = r->m;
    const double *value = r->value;
    if (m->iterations++ > 0)
        learn(m, r->gradient, value[HISTORY_SIZE]);
    find_direction(m, r->gradient);
    if (gn__failed())
        return false;
    keep(&m->gradient, r->gradient);
    m->loss = r->loss;
    m->t = value[LR];
    if (m->iterations == 1)
        m->t *= fmin(1, 1 / item(gn_sum(gn_abs(r->gradient))));
    const double slope = item(gn_dot(r->gradient, m->direction));
    if (gn__failed() || slope > -value[TOLERANCE_CHANGE])
        return false;
    const int64_t n = walk(r, slope, last, *evaluations);
    if (gn__failed())
        return false;
    *evaluations += n;
    m->evaluations += n;
    return !last && (double)*evaluations < value[MAX_EVAL] &&
           !(largest(r->gradient) <= value[TOLERANCE_GRAD]) &&
           !(largest(m->direction) * fabs(m->t) <= value[TOLERANCE_CHANGE]) &&
           !(fabs(r->loss - m->loss) < value[TOLERANCE_CHANGE]);
}

static gn_tensor *step(gn_optimizer *o, gn_closure *closure, void *context) {
    if (o->memory == NULL && (o->memory = new_memory()) == NULL)
        return NULL;
    run r = {.o = o,
             .value = o->groups[0].value,
             .m = o->memory,
             .closure = closure,
             .context = context};
    gn_tensor *first = call(&r);
    const bool was = gn_set_grad_enabled(false);
    gn_scope scope = gn_scope_begin();
    r.loss = value_of(&r, first);
    if (!gn__failed())
        keep(&r.gradient, flat_gradient(&r));
    int64_t evaluations = 1;
    bool more = !gn__failed() && !(largest(r.gradient) <= r.value[TOLERANCE_GRAD]);
    r.m->evaluations++;
    gn_scope_end(scope);
    for (int64_t i = 1; more && !gn__failed(); i++) {
        scope = gn_scope_begin();
        more = iterate(&r, (double)i >= r.value[MAX_ITER], &evaluations);
        gn_scope_end(scope);
    }
    gn_release(r.gradient);
    gn_set_grad_enabled(was);
    return gn__failed() ? NULL : first;
}

/* ---- State: PyTorch's names, in the entry of the first parameter */

static gn_status save(gn_optimizer *o, gn_dict *entry) {
    const memory *m = o->memory;
    if (m == NULL)
        return GN_OK;
    gn_dict_set(entry, "func_evals", m->evaluations);
    gn_dict_set(entry, "n_iter", m->iterations);
    if (m->iterations == 0)
        return gn_error_status();
    gn_dict *changes = gn_list_new(), *steps = gn_list_new(), *weights = gn_list_new();
    for (size_t i = 0; i < m->n_changes && !gn__failed(); i++) {
        gn_dict_set(changes, NULL, gn_clone(m->changes[i].gradient));
        gn_dict_set(steps, NULL, gn_clone(m->changes[i].step));
        gn_dict_set(weights, NULL, m->changes[i].weight);
    }
    gn_dict_set(entry, "old_dirs", changes);
    gn_dict_set(entry, "old_stps", steps);
    gn_dict_set(entry, "ro", weights);
    gn_dict_set(entry, "d", gn_clone(m->direction));
    gn_dict_set(entry, "t", m->t);
    gn_dict_set(entry, "H_diag", m->scale);
    gn_dict_set(entry, "prev_flat_grad", gn_clone(m->gradient));
    return gn_dict_set(entry, "prev_loss", m->loss);
}

/* A copy of a vector over all parameters. */
static gn_tensor *read_vector(const gn_optimizer *o, const gn_dict *from, const char *name) {
    const gn_tensor *p = o->slots[0].parameter;
    gn_tensor *t = gn__failed() ? NULL : gn_dict_get(from, name);
    int64_t count = 0;
    for (int i = 0; i < o->n_slots; i++)
        count += o->slots[i].parameter->count;
    if (!gn__failed() && (t == NULL || t->n_dims != 1 || t->count != count))
        return gn__fail_null(GN_E_ARGUMENT, "optimizer_load_state_dict",
                             "state.0 has no vector %s of %lld elements", name, (long long)count);
    t = gn_cast(gn_to_device(t, p->storage->device->name), p->dtype);
    return t ? gn_clone(t) : NULL;
}

static gn_status read_memory(const gn_optimizer *o, memory *m, const gn_dict *entry) {
    m->evaluations = gn_dict_get_int(entry, "func_evals", -1);
    m->iterations = gn_dict_get_int(entry, "n_iter", -1);
    if (m->evaluations < 0 || m->iterations < 0)
        return gn_fail(GN_E_ARGUMENT, "optimizer_load_state_dict",
                       "state.0 has no numbers func_evals, n_iter");
    if (m->iterations == 0)
        return GN_OK;
    const gn_dict *changes = gn_dict_get_dict(entry, "old_dirs"),
                  *steps = gn_dict_get_dict(entry, "old_stps"),
                  *weights = gn_dict_get_dict(entry, "ro");
    if (gn_dict_size(changes) != gn_dict_size(steps) ||
        gn_dict_size(changes) != gn_dict_size(weights))
        return gn_fail(GN_E_ARGUMENT, "optimizer_load_state_dict",
                       "state.0: old_dirs, old_stps and ro differ in length");
    for (int64_t i = 0; i < gn_dict_size(changes) && !gn__failed(); i++) {
        const char *name = gn_dict_name(changes, i);
        gn_tensor *y = read_vector(o, changes, name), *s = read_vector(o, steps, name);
        if (s)
            add_change(m, y, s, gn_dict_get_float(weights, name, 0), SIZE_MAX);
    }
    keep(&m->direction, read_vector(o, entry, "d"));
    keep(&m->gradient, read_vector(o, entry, "prev_flat_grad"));
    m->t = gn_dict_get_float(entry, "t", 1);
    m->scale = gn_dict_get_float(entry, "H_diag", 1);
    m->loss = gn_dict_get_float(entry, "prev_loss", 0);
    return gn_error_status();
}

static gn_status load(gn_optimizer *o, const gn_dict *entry) {
    memory *m = new_memory();
    if (m && entry && read_memory(o, m, entry) != GN_OK) {
        forget(m);
        m = NULL;
    }
    if (m) {
        forget(o->memory);
        o->memory = m;
    }
    return gn_error_status();
}

static const gn__rule lbfgs = {
    .name = "lbfgs",
    .hypers = hypers,
    .n_hypers = N_HYPERS,
    .step = step,
    .save = save,
    .load = load,
    .forget = forget,
};

gn_optimizer *gn_optim_lbfgs_with(gn_dict *parameters, const gn_lbfgs_options *options) {
    gn_lbfgs_options o;
    gn__options(&o, sizeof o, options);
    o.struct_size = sizeof o;
    if (o.max_eval == 0)
        o.max_eval = (int64_t)fmin(0x1p31, 1.25 * (o.max_iter != 0 ? (double)o.max_iter : 20));
    return gn__optimizer_new(&lbfgs, parameters, &o);
}
