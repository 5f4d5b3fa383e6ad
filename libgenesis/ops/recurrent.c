/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurrent.c - a recurrent layer as one node of the graph. Each step is a product of matrices and a
 * map program; the gradients of the weight and the bias are computed of all steps at once.
 *
 * The states of all steps, the first one included, lie in one tensor (T + 1, N, H). So those before
 * and those after all steps are two views of it, shifted by one: the latter is the result.
 */
#include "product.h"
#include "recurrent.h"

enum { X, H, C, WEIGHT, BIAS, N_INPUTS };
enum { LENGTHS = N_INPUTS, HS, CS, KEPT }; /* what else is saved */

typedef struct recurrent_data {
    const gn__cell *cell;
    gn__cell_kind kind;
    bool reverse;
} recurrent_data;

/* ---- Tensors of a run */

typedef struct frame {
    const gn__cell *cell;
    bool reverse;
    gn__device *device;
    int dtype;
    int64_t steps, n, hidden;
    gn_tensor *x, *weight, *bias, *lengths; /* the latter two may be NULL */
    gn_tensor *hs, *cs, *kept;              /* (T + 1, N, H) or, only to compute, (1, N, H) */
} frame;

static gn_tensor *tensor_new(const frame *f, int64_t steps, int64_t blocks) {
    return gn__tensor_new(f->device, f->dtype, 3,
                          (const int64_t[]){steps, f->n, blocks * f->hidden});
}

/* Step t of (T, N, columns), on the caller's stack; of one step, the only one. */
static gn_tensor step_of(const gn_tensor *t, int64_t step) {
    gn_tensor part = *t;
    part.offset += t->size[0] == 1 ? 0 : step * t->stride[0];
    part.n_dims = 2;
    for (int d = 0; d < 2; d++) {
        part.size[d] = t->size[d + 1];
        part.stride[d] = t->stride[d + 1];
    }
    part.count = part.size[0] * part.size[1];
    return part;
}

/* Steps first .. first + T of (T + 1, N, H) as (T N, H). */
static gn_tensor all_steps(const gn_tensor *t, int64_t first, int64_t steps) {
    gn_tensor rows = *t;
    rows.offset += first * t->stride[0];
    rows.n_dims = 2;
    rows.size[0] = steps * t->size[1];
    rows.size[1] = t->size[2];
    rows.stride[0] = t->stride[1];
    rows.stride[1] = 1;
    rows.count = rows.size[0] * rows.size[1];
    return rows;
}

static gn__operand operand_at(const gn_tensor *t, int64_t step) {
    if (t == NULL)
        return (gn__operand){0};
    const gn_tensor part = step_of(t, step);
    return (gn__operand){
        .storage = part.storage, .offset = part.offset, .stride = {part.stride[0], 1}};
}

/* The number of the state before step t, and of that behind it. */
static int64_t before(const frame *f, int64_t t) { return f->reverse ? t + 1 : t; }
static int64_t behind(const frame *f, int64_t t) { return f->reverse ? t : t + 1; }

static gn__step step_at(const frame *f, int64_t t) {
    gn__step s = {.device = f->device,
                  .dtype = f->dtype,
                  .t = t,
                  .n = f->n,
                  .hidden = f->hidden,
                  .ends = f->lengths != NULL,
                  .x = operand_at(f->x, t),
                  .kept = operand_at(f->kept, t),
                  .h_old = operand_at(f->hs, before(f, t)),
                  .h_new = operand_at(f->hs, behind(f, t)),
                  .c_old = operand_at(f->cs, before(f, t)),
                  .c_new = operand_at(f->cs, behind(f, t))};
    if (f->lengths)
        s.lengths = (gn__operand){.storage = f->lengths->storage,
                                  .offset = f->lengths->offset,
                                  .stride = {f->lengths->stride[0], 0}};
    return s;
}

/* ---- Forward */

static gn_status copy_state(const gn_tensor *states, int64_t i, gn_tensor *state) {
    gn_tensor place = step_of(states, i);
    return gn__copy_data(&place, state);
}

static gn_status run_forward(const frame *f, gn_tensor *h, gn_tensor *c) {
    const int64_t first = f->reverse ? f->steps : 0;
    gn_tensor *hw = tensor_new(f, 1, f->cell->gates), turned = gn__turned(f->weight);
    if (hw == NULL || copy_state(f->hs, first, h) != GN_OK ||
        (c && copy_state(f->cs, first, c) != GN_OK))
        return gn_error_status();
    for (int64_t i = 0; i < f->steps; i++) {
        const int64_t t = f->reverse ? f->steps - 1 - i : i;
        gn__step s = step_at(f, t);
        s.hw = operand_at(hw, 0);
        gn_tensor product = step_of(hw, 0), state = step_of(f->hs, before(f, t));
        if (gn__product(f->cell->name, &product, &state, &turned, f->bias) != GN_OK ||
            f->cell->forward(&s) != GN_OK)
            return gn_error_status();
    }
    return GN_OK;
}

/* States that stay when those of the other steps go. */
static gn_tensor *last_state(const frame *f, gn_tensor *states) {
    gn_tensor last = step_of(states, f->reverse ? 0 : f->steps);
    gn_tensor *own = gn__tensor_new(f->device, f->dtype, 2, last.size);
    return own && gn__copy_data(own, &last) == GN_OK ? own : NULL;
}

/* The states behind all steps, sharing the data of hs. */
static gn_tensor *result(const frame *f) {
    gn_tensor *y = gn__tensor_twin(f->hs);
    if (y == NULL)
        return NULL;
    y->size[0] = f->steps;
    y->count = f->steps * f->n * f->hidden;
    y->offset += f->reverse ? 0 : y->stride[0];
    return y;
}

/* ---- Backward */

typedef struct gradients {
    gn_tensor *dy;                  /* (T, N, H) or NULL */
    gn_tensor *carry, *direct, *dc; /* (1, N, H); direct and dc perhaps NULL */
    gn_tensor *dx, *dhw;            /* (T, N, G H), perhaps the same */
} gradients;

/* (1, N, H): a copy of the state's gradient, or zeros. */
static gn_tensor *state_gradient(const frame *f, gn_tensor *given) {
    gn_tensor *d = tensor_new(f, 1, 1);
    if (d == NULL)
        return NULL;
    return (given ? gn__copy_data(d, given) : gn__fill_data(d, 0)) == GN_OK ? d : NULL;
}

static bool make_gradients(const frame *f, gn_tensor *const *g, gradients *d) {
    d->dy = g[GN__STATES] ? gn__row_major_copy(g[GN__STATES]) : NULL;
    d->carry = state_gradient(f, g[GN__LAST_H]);
    if (f->cell->separate || f->lengths)
        d->direct = state_gradient(f, NULL);
    if (f->cell->has_c)
        d->dc = state_gradient(f, g[GN__LAST_C]);
    d->dx = tensor_new(f, f->steps, f->cell->gates);
    d->dhw = f->cell->separate ? tensor_new(f, f->steps, f->cell->gates) : d->dx;
    return !gn__failed();
}

static gn_status run_backward(const frame *f, gradients *d) {
    gn_tensor carry = step_of(d->carry, 0);
    for (int64_t i = 0; i < f->steps; i++) {
        const int64_t t = f->reverse ? i : f->steps - 1 - i;
        gn__step s = step_at(f, t);
        s.has_dy = d->dy != NULL;
        s.dy = operand_at(d->dy, t);
        s.carry = operand_at(d->carry, 0);
        s.direct = operand_at(d->direct, 0);
        s.dc = operand_at(d->dc, 0);
        s.dx = operand_at(d->dx, t);
        s.dhw = operand_at(d->dhw, t);
        gn_tensor dhw = step_of(d->dhw, t);
        if (f->cell->backward(&s) != GN_OK ||
            gn__product(f->cell->name, &carry, &dhw, f->weight, NULL) != GN_OK)
            return gn_error_status();
    }
    return GN_OK;
}

/* dweight = dhw^T h over all steps. */
static gn_tensor *weight_gradient(const frame *f, const gradients *d) {
    gn_tensor *dw = gn__tensor_new(f->device, f->dtype, 2, f->weight->size);
    gn_tensor dhw = all_steps(d->dhw, 0, f->steps), turned = gn__turned(&dhw);
    gn_tensor states = all_steps(f->hs, f->reverse, f->steps);
    return dw && gn__product(f->cell->name, dw, &turned, &states, NULL) == GN_OK ? dw : NULL;
}

static gn_status backward_data(gn__node *node, const frame *f, gn_tensor *const *g,
                               gn_tensor **out) {
    gradients d = {0};
    if (!make_gradients(f, g, &d) || run_backward(f, &d) != GN_OK)
        return gn_error_status();
    out[X] = d.dx;
    if (gn__needs(node, H)) {
        gn_tensor *dh = d.direct ? gn_add(d.carry, d.direct) : d.carry;
        out[H] = gn_select(dh, 0, 0);
    }
    if (d.dc && gn__needs(node, C))
        out[C] = gn_select(d.dc, 0, 0);
    if (gn__needs(node, WEIGHT))
        out[WEIGHT] = weight_gradient(f, &d);
    if (gn__needs(node, BIAS))
        out[BIAS] = gn__sum_but(f->cell->name, d.dhw, 2);
    return gn_error_status();
}

/* When the walk itself is recorded: the layer is computed again in public operations, and those are
 * walked back. The results are one vector there, so that the gradients, which may depend on the same
 * inputs, are given to the walk and not part of what is differentiated. */
static gn_status backward_recorded(gn__node *node, const gn__recurrence *r, gn_tensor *const *g,
                                   gn_tensor **out) {
    gn_tensor *const inputs[] = {r->x, r->h, r->c, r->weight, r->bias};
    gn_tensor *wanted[N_INPUTS], *d[N_INPUTS];
    gn_tensor *y[GN__RECURRENCE_OUTPUTS], *results[GN__RECURRENCE_OUTPUTS],
        *ups[GN__RECURRENCE_OUTPUTS];
    int n = 0, given = 0;
    gn__recur_by_steps(r, NULL, y);
    for (int i = 0; i < GN__RECURRENCE_OUTPUTS; i++)
        if (g[i]) {
            results[given] = gn_reshape(y[i], -1);
            ups[given++] = gn_reshape(g[i], -1);
        }
    for (int i = 0; i < N_INPUTS; i++)
        if (gn__needs(node, i))
            wanted[n++] = inputs[i];
    const gn_backward_options o = {
        .struct_size = sizeof o, .create_graph = true, .gradient = gn_cat(ups, given, 0)};
    gn_tensor *all = gn_cat(results, given, 0);
    if (gn__failed() || gn_gradients(all, n, wanted, d, &o) != GN_OK)
        return gn_error_status();
    for (int i = N_INPUTS - 1; i >= 0; i--)
        if (gn__needs(node, i))
            out[i] = d[--n];
    return GN_OK;
}

static gn_status recurrent_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const recurrent_data *data = node->data;
    gn_tensor *saved[KEPT + 1];
    for (int i = 0; i <= KEPT; i++)
        saved[i] = gn__saved_tensor(node, i);
    if (gn__failed())
        return gn_error_status();
    if (gn_is_grad_enabled()) {
        const gn__recurrence r = {.kind = data->kind,
                                  .reverse = data->reverse,
                                  .x = saved[X],
                                  .h = saved[H],
                                  .c = saved[C],
                                  .weight = saved[WEIGHT],
                                  .bias = saved[BIAS],
                                  .lengths = saved[LENGTHS]};
        return backward_recorded(node, &r, grads, out);
    }
    const frame f = {.cell = data->cell,
                     .reverse = data->reverse,
                     .device = saved[X]->storage->device,
                     .dtype = saved[X]->dtype,
                     .steps = saved[X]->size[0],
                     .n = saved[X]->size[1],
                     .hidden = saved[WEIGHT]->size[1],
                     .weight = saved[WEIGHT],
                     .lengths = saved[LENGTHS],
                     .hs = saved[HS],
                     .cs = saved[CS],
                     .kept = saved[KEPT]};
    return backward_data(node, &f, grads, out);
}

static const gn__node_class recurrent_node = {.name = "recurrent", .backward = recurrent_backward};

/* ---- The layer */

static gn_status record(const gn__recurrence *r, const frame *f, gn_tensor *const *out) {
    gn_tensor *const saved[] = {r->x,       r->h,  r->c,  r->weight, r->bias,
                                r->lengths, f->hs, f->cs, f->kept};
    gn__node *node = gn__record_outputs(&recurrent_node, f->cell->name, GN__RECURRENCE_OUTPUTS, out,
                                        N_INPUTS, saved, sizeof(recurrent_data));
    if (node == NULL)
        return gn_error_status();
    *(recurrent_data *)node->data = (recurrent_data){f->cell, r->kind, r->reverse};
    for (int i = 0; i <= KEPT; i++)
        if (saved[i])
            gn__save(node, i, saved[i]);
    return GN_OK;
}

static bool check_part(const char *op, const char *what, const gn_tensor *x, const gn_tensor *t,
                       gn_shape shape) {
    if (t && (t->n_dims != shape.n ||
              memcmp(t->size, shape.size, (size_t)shape.n * sizeof shape.size[0]) != 0)) {
        gn_fail(GN_E_ARGUMENT, op, "%s %s does not fit: it must be %s", what, gn__shape_of(t),
                gn__shape_text((int)shape.n, shape.size));
        return false;
    }
    return gn__check_dtype(op, x, what, t);
}

/* Parameters may have been replaced, so all parts are looked at. */
static bool check(const gn__recurrence *r) {
    const char *op = gn__cells[r->kind].name;
    gn_tensor *const all[] = {r->x, r->h, r->c, r->weight, r->bias, r->lengths};
    const int64_t gates = gn__cells[r->kind].gates, n = r->x->size[1], columns = r->x->size[2];
    if (columns % gates) {
        gn_fail(GN_E_ARGUMENT, op, "%lld columns are no %lld gates", (long long)columns,
                (long long)gates);
        return false;
    }
    const gn_shape state = GN_SHAPE(n, columns / gates);
    return check_part(op, "h", r->x, r->h, state) && check_part(op, "c", r->x, r->c, state) &&
           check_part(op, "weight_hh", r->x, r->weight, GN_SHAPE(columns, columns / gates)) &&
           check_part(op, "bias_hh", r->x, r->bias, GN_SHAPE(columns)) &&
           gn__common_device(op, (int)GN_LENGTH(all), all) != NULL;
}

gn_status gn__recur(const gn__recurrence *r, gn_tensor **out) {
    gn_tensor *const inputs[] = {r->x, r->h, r->c, r->weight, r->bias};
    memset(out, 0, GN__RECURRENCE_OUTPUTS * sizeof *out);
    if (!check(r))
        return gn_error_status();
    const bool recording = gn__recording(N_INPUTS, inputs);
    frame f = {.cell = &gn__cells[r->kind],
               .reverse = r->reverse,
               .device = r->x->storage->device,
               .dtype = r->x->dtype,
               .steps = r->x->size[0],
               .n = r->x->size[1],
               .hidden = r->weight->size[1],
               .x = gn__row_major_copy(r->x),
               .weight = r->weight,
               .bias = r->bias,
               .lengths = r->lengths};
    f.hs = tensor_new(&f, f.steps + 1, 1);
    if (f.cell->has_c)
        f.cs = tensor_new(&f, recording ? f.steps + 1 : 1, 1);
    if (f.cell->kept)
        f.kept = tensor_new(&f, recording ? f.steps : 1, f.cell->kept);
    if (gn__failed() || run_forward(&f, r->h, r->c) != GN_OK)
        return gn_error_status();
    out[GN__STATES] = result(&f);
    out[GN__LAST_H] = last_state(&f, f.hs);
    out[GN__LAST_C] = f.cs ? last_state(&f, f.cs) : NULL;
    return gn__failed() || !recording ? gn_error_status() : record(r, &f, out);
}
