/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.c - x[...], x[...] = v and x[...] += v.
 *
 * Items are taken in two steps. Integers, ranges, new dims and the rest are views. What is left are
 * k index tensors for k dims of that view (a mask over k dims gives k of them, the columns of
 * nonzero). They broadcast to one shape B; where they stand side by side, B takes their place, else
 * it comes first, as in PyTorch, where integers are views, too.
 *
 * One map turns the k indices of each place of B into a displacement within the view's memory,
 * negative ones counting from the end; then one map reads there, or one scatter writes.
 */
#include "ops.h"

/* ---- Index tensors of a view */

typedef struct places {
    int n;                            /* index tensors .. */
    int dim[GN_TENSOR_MAX_DIMS];      /* .. and the dims that they are for, ascending */
    int n_dims, at;                   /* of B, and how many dims of the result come before it */
    int64_t size[GN_TENSOR_MAX_DIMS]; /* of B */
} places;

typedef struct selection {
    gn_tensor *view; /* of x, by the basic items */
    places places;
    gn_tensor *index[GN_TENSOR_MAX_DIMS];
} selection;

/* The shape of the result; false with an error if it has too many dims. */
static bool result_shape(const char *op, const gn_tensor *view, const places *p, gn_shape *shape) {
    shape->n = 0;
    if (view->n_dims - p->n + p->n_dims > GN_TENSOR_MAX_DIMS) {
        gn_fail(GN_E_ARGUMENT, op, "the result would have %d dims: at most %d are possible",
                view->n_dims - p->n + p->n_dims, GN_TENSOR_MAX_DIMS);
        return false;
    }
    for (int d = 0, k = 0; d <= view->n_dims; d++) {
        if (shape->n == p->at && d - k == p->at)
            for (int b = 0; b < p->n_dims; b++)
                shape->size[shape->n++] = p->size[b];
        if (k < p->n && p->dim[k] == d)
            k++;
        else if (d < view->n_dims)
            shape->size[shape->n++] = view->size[d];
    }
    return true;
}

/* ---- Displacements: d[b] = sum_k i_k[b] stride_k, i_k wrapped into its dim */

/* Operands: the k index tensors, then d; parameters: size and stride of each. A LOADX with a stride
 * of 0 reads the index again and checks it against the size, its extent. */
static const gn_program *displacement_program(int n) {
    static _Atomic(const gn_program *) cache[GN_TENSOR_MAX_DIMS + 1];
    const gn_program *program = atomic_load_explicit(&cache[n], memory_order_acquire);
    gn__builder *b = program ? NULL : gn__builder_new("displacement", 0);
    if (!b)
        return program;
    int zero = gn__const_i(b, GN_I64, 0), sum = zero;
    for (int k = 0; k < n; k++) {
        int operand = gn__build_operand(b, GN_READ, GN_I64), raw = gn__load(b, operand);
        int size = gn__param(b, GN_I64, gn__build_param(b)),
            stride = gn__param(b, GN_I64, gn__build_param(b));
        int from_end = gn__emit(b, GN_OP_ADD, raw, size, 0);
        int wraps = gn__emit(b, GN_OP_AND, gn__emit(b, GN_OP_LT, raw, zero, 0),
                             gn__emit(b, GN_OP_LE, zero, from_end, 0), 0);
        int checked = gn__loadx(b, operand, gn__emit(b, GN_OP_SELECT, wraps, from_end, raw));
        int place = gn__emit(b, GN_OP_SELECT, gn__emit(b, GN_OP_LT, checked, zero, 0),
                             gn__emit(b, GN_OP_ADD, checked, size, 0), checked);
        sum = gn__emit(b, GN_OP_ADD, sum, gn__emit(b, GN_OP_MUL, place, stride, 0), 0);
    }
    gn__store(b, gn__build_operand(b, GN_WRITE, GN_I64), sum);
    program = gn__builder_finish(b);
    atomic_store_explicit(&cache[n], program, memory_order_release);
    return program;
}

static gn_tensor *displacements(const char *op, const gn_tensor *view, const places *p,
                                gn_tensor *const *index) {
    gn_tensor *out = gn__tensor_new(view->storage->device, GN_I64, p->n_dims, p->size);
    const gn_program *program = out ? displacement_program(p->n) : NULL;
    if (!program)
        return NULL;
    gn__operand operands[GN_TENSOR_MAX_DIMS + 1];
    gn_scalar params[2 * GN_TENSOR_MAX_DIMS];
    for (int k = 0; k < p->n; k++) {
        operands[k] = gn__operand_of(index[k], p->n_dims, p->size);
        params[2 * k].i = operands[k].axis_extent = view->size[p->dim[k]];
        params[2 * k + 1].i = view->stride[p->dim[k]];
    }
    operands[p->n] = gn__operand_of(out, p->n_dims, p->size);
    gn__launch launch = {.op = op,
                         .program = program,
                         .n_dims = p->n_dims,
                         .size = p->size,
                         .operands = operands,
                         .params = params};
    return gn__launch_run(view->storage->device, &launch) == GN_OK ? out : NULL;
}

/* ---- Launches: the space is the dims of the view that have no index, then those of B */

typedef struct space {
    int n_dims;
    int64_t size[GN_MAX_DIMS];
    gn__operand view, displacement, value;
} space;

static space space_of(const gn_tensor *view, const places *p, const gn_tensor *displacement,
                      const gn_tensor *value) {
    space s = {.view = {.storage = view->storage, .offset = view->offset, .axis_stride = 1},
               .displacement = {.storage = displacement->storage, .offset = displacement->offset},
               .value = {.storage = value->storage, .offset = value->offset}};
    int64_t last = 0;
    bool empty = false;
    for (int d = 0, k = 0; d < view->n_dims; d++) {
        if (k < p->n && p->dim[k] == d) {
            k++;
            last += (view->size[d] - 1) * view->stride[d];
            empty |= view->size[d] == 0;
            continue;
        }
        s.size[s.n_dims] = view->size[d];
        s.view.stride[s.n_dims] = view->stride[d];
        s.value.stride[s.n_dims] =
            value->stride[s.n_dims < p->at ? s.n_dims : s.n_dims + p->n_dims];
        s.n_dims++;
    }
    s.view.axis_extent = empty ? 0 : last + 1;
    for (int b = 0; b < p->n_dims; b++) {
        s.size[s.n_dims] = p->size[b];
        s.displacement.stride[s.n_dims] = displacement->stride[b];
        s.value.stride[s.n_dims++] = value->stride[p->at + b];
    }
    return s;
}

/* view[places] = or += value, of the result's shape; without history. */
static gn_status write_data(const char *op, int combine, const gn_tensor *view, const places *p,
                            gn_tensor *const *index, const gn_tensor *value) {
    gn_tensor *displacement = value ? displacements(op, view, p, index) : NULL;
    if (!displacement)
        return gn_error_status();
    space s = space_of(view, p, displacement, value);
    return gn__launch_scatter(view->storage->device, op, s.n_dims, p->n_dims, s.size, view->dtype,
                              combine, combine == GN_SCATTER_ADD,
                              (gn__operand[]){s.value, s.displacement, s.view});
}

/* ---- Reading, and its gradient: adding into zeros */

static void save_indices(gn__node *node, const places *p, gn_tensor *const *index) {
    *(places *)node->data = *p;
    for (int k = 0; k < p->n; k++)
        gn__save(node, k, index[k]);
}

static bool saved_indices(gn__node *node, gn_tensor **index) {
    for (int k = 0; k < ((const places *)node->data)->n; k++)
        if (!(index[k] = gn__saved_tensor(node, k)))
            return false;
    return true;
}

static gn_tensor *read_at(gn_tensor *view, const places *p, gn_tensor *const *index);

static gn_status add_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *index[GN_TENSOR_MAX_DIMS];
    if (saved_indices(node, index))
        out[0] = read_at(grads[0], node->data, index);
    return gn_error_status();
}
static const gn__node_class index_backward_node = {.name = "index_backward",
                                                   .backward = add_backward};

static gn_status read_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const places *p = node->data;
    gn_tensor *index[GN_TENSOR_MAX_DIMS], *g = grads[0];
    if (!saved_indices(node, index))
        return gn_error_status();
    gn_tensor *sum =
        gn__tensor_new(g->storage->device, g->dtype, node->inputs[0].n_dims, node->inputs[0].size);
    if (!sum || gn__fill_data(sum, 0) || write_data("index", GN_SCATTER_ADD, sum, p, index, g))
        return gn_error_status();
    if (gn__recording(1, grads)) {
        gn__node *again = gn__record(&index_backward_node, sum, 1, grads, sizeof *p);
        if (again)
            save_indices(again, p, index);
    }
    out[0] = sum;
    return gn_error_status();
}
static const gn__node_class index_node = {.name = "index", .backward = read_backward};

static gn_tensor *read_at(gn_tensor *view, const places *p, gn_tensor *const *index) {
    gn_shape shape;
    if (gn__failed() || !view || !result_shape("index", view, p, &shape))
        return NULL;
    gn_tensor *y = gn__tensor_new(view->storage->device, view->dtype, (int)shape.n, shape.size);
    gn_tensor *displacement = y ? displacements("index", view, p, index) : NULL;
    if (!displacement)
        return NULL;
    space s = space_of(view, p, displacement, y);
    if (gn__launch_gather(y->storage->device, "index", y->dtype, s.n_dims, s.size,
                          (gn__operand[]){s.view, s.displacement, s.value}))
        return NULL;
    if (gn__recording(1, &view)) {
        gn__node *node = gn__record(&index_node, y, 1, &view, sizeof *p);
        if (!node)
            return NULL;
        save_indices(node, p, index);
    }
    return y;
}

/* ---- Items */

/* How many dims of x an item stands for. */
static int dims_of(const gn_index_item *item) {
    if (item->kind == GN_INDEX_TENSOR)
        return item->tensor->dtype == GN_BOOL ? item->tensor->n_dims : 1;
    return item->kind != GN_INDEX_NEW && item->kind != GN_INDEX_REST;
}

/* The number of dims that "..." stands for, all that are left; -1 with an error. */
static int count_rest(const char *op, const gn_tensor *x, const gn_index_list *items) {
    int taken = 0, rests = 0;
    if (items->n < 0 || items->n > (int64_t)GN_LENGTH(items->item))
        return gn_fail(GN_E_ARGUMENT, op, "%lld items", (long long)items->n), -1;
    for (int i = 0; i < items->n; i++) {
        const gn_index_item *item = &items->item[i];
        if (item->kind == GN_INDEX_TENSOR && !gn__given(op, item->tensor))
            return -1;
        taken += dims_of(item);
        rests += item->kind == GN_INDEX_REST;
    }
    if (rests > 1)
        return gn_fail(GN_E_ARGUMENT, op, "GN_REST is given %d times: once is possible", rests), -1;
    if (taken > x->n_dims)
        return gn_fail(GN_E_INDEX, op, "indices for %d dims, but shape %s has %d", taken,
                       gn__shape_of(x), x->n_dims),
               -1;
    return x->n_dims - taken;
}

static void add_index(selection *s, int dim, gn_tensor *index) {
    s->places.dim[s->places.n] = dim;
    s->index[s->places.n++] = index;
}

/* A mask over dims d, d + 1, .. of the view: the columns of its nonzero. */
static void take_mask(const char *op, selection *s, int d, gn_tensor *mask) {
    for (int i = 0; i < mask->n_dims; i++)
        if (mask->size[i] != s->view->size[d + i]) {
            gn_fail(GN_E_INDEX, op, "mask %s does not fit dims %d to %d of shape %s",
                    gn__shape_of(mask), d, d + mask->n_dims - 1, gn__shape_of(s->view));
            return;
        }
    gn_tensor *rows = gn_nonzero(mask);
    if (rows && mask->n_dims == 0) /* a new dim, of size 1 or 0 */
        add_index(s, d,
                  gn_zeros_with((gn_shape){.n = 1, .size = {rows->size[0]}},
                                GN_AS(.dtype = GN_I64, .device = rows->storage->device->name)));
    for (int i = 0; rows && i < mask->n_dims; i++)
        add_index(s, d + i, gn_select(rows, 1, i));
}

/* Takes one item at dim d of the view; returns the dim after it. */
static int take_item(const char *op, selection *s, const gn_index_item *item, int d, int rest) {
    gn_tensor *t = item->tensor;
    switch (item->kind) {
    case GN_INDEX_ALL: return d + 1;
    case GN_INDEX_AT: s->view = gn_select(s->view, d, item->start); return d;
    case GN_INDEX_RANGE:
        s->view = gn_slice(s->view, d, item->start, item->end, item->step);
        return d + 1;
    case GN_INDEX_NEW: s->view = gn_unsqueeze(s->view, d); return d + 1;
    case GN_INDEX_REST: return d + rest;
    case GN_INDEX_TENSOR:
        if (t->dtype != GN_BOOL) {
            add_index(s, d, gn__index_tensor(op, t));
            return d + 1;
        }
        if (t->n_dims == 0)
            s->view = gn_unsqueeze(s->view, d);
        if (s->view)
            take_mask(op, s, d, t);
        return d + (t->n_dims ? t->n_dims : 1);
    }
    gn_fail(GN_E_ARGUMENT, op, "%d is no kind of item", (int)item->kind);
    return d;
}

/* Sorts the items into a view and index tensors on its device; false with an error. */
static bool take_items(const char *op, gn_tensor *x, const gn_index_list *items, selection *s) {
    *s = (selection){.view = x};
    int rest = gn__failed() || !gn__given(op, x) ? -1 : count_rest(op, x, items);
    for (int i = 0, d = 0; rest >= 0 && i < items->n && !gn__failed(); i++)
        d = take_item(op, s, &items->item[i], d, rest);
    if (rest < 0 || gn__failed())
        return false;
    places *p = &s->places;
    if (p->n == 0)
        return true;
    for (int k = 0; k < p->n; k++)
        if (s->index[k]->storage->device != s->view->storage->device && s->index[k]->n_dims == 0)
            s->index[k] = gn__joined(s->index[k], s->view->storage->device);
    gn_tensor *all[GN_TENSOR_MAX_DIMS + 1] = {s->view};
    memcpy(all + 1, s->index, sizeof s->index);
    if (gn__failed() || !gn__common_device(op, p->n + 1, all) ||
        !gn__broadcast(op, p->n, s->index, &p->n_dims, p->size))
        return false;
    bool side_by_side = p->dim[p->n - 1] - p->dim[0] == p->n - 1;
    p->at = side_by_side ? p->dim[0] : 0;
    return true;
}

gn_tensor *gn_index_items(gn_tensor *x, gn_index_list items) {
    selection s;
    if (!take_items("index", x, &items, &s))
        return NULL;
    return s.places.n ? read_at(s.view, &s.places, s.index) : s.view;
}

/* ---- Writing: y = view with value at the places; dview = g, 0 at the places; dvalue = g there,
 * but 0 for elements that others replaced */

static gn_tensor *write_at(const char *op, int combine, gn_tensor *view, const places *p,
                           gn_tensor *const *index, gn_tensor *value);

/* Where the value's element is the one that stayed: its number, put too, is read again. */
static gn_tensor *stayed(const gn__node *node, gn_tensor *const *index, const gn_tensor *g) {
    gn__device *device = g->storage->device;
    gn_tensor *number = gn_reshape_with(
        gn_arange(0, (double)g->count, 1, GN_AS(.device = device->name)), gn_shape_of(g));
    gn_tensor *seen = gn__tensor_new(device, GN_I64, node->inputs[0].n_dims, node->inputs[0].size);
    if (!number || !seen || gn__fill_data(seen, 0) ||
        write_data(node->name, GN_SCATTER_SET, seen, node->data, index, number))
        return NULL;
    return gn_eq(read_at(seen, node->data, index), number);
}

static gn_status put_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *index[GN_TENSOR_MAX_DIMS], *g = grads[0];
    if (!saved_indices(node, index))
        return gn_error_status();
    if (gn__needs(node, 0)) {
        gn_tensor *zero = gn__tensor_new(g->storage->device, g->dtype, 0, NULL);
        if (zero && gn__fill_data(zero, 0) == GN_OK)
            out[0] = write_at("index_put", GN_SCATTER_SET, gn_clone(g), node->data, index, zero);
    }
    if (gn__needs(node, 1)) {
        gn_tensor *read = read_at(g, node->data, index);
        out[1] = read ? gn_where_scalar_b(stayed(node, index, read), read, 0) : NULL;
    }
    return gn_error_status();
}
static const gn__node_class put_node = {.name = "index_put", .backward = put_backward};

static gn_status add_at_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *index[GN_TENSOR_MAX_DIMS];
    out[0] = grads[0];
    if (gn__needs(node, 1) && saved_indices(node, index))
        out[1] = read_at(grads[0], node->data, index);
    return gn_error_status();
}
static const gn__node_class add_node = {.name = "index_accumulate", .backward = add_at_backward};

/* The value in the view's dtype, broadcast to what is written, in memory of its own. */
static gn_tensor *fitting_value(const char *op, gn_tensor *view, const places *p,
                                gn_tensor *value) {
    gn_tensor *both[] = {view, value};
    gn_shape shape;
    if (!result_shape(op, view, p, &shape) ||
        gn__common_device(op, 2, both) != view->storage->device)
        return gn__failed()
                   ? NULL
                   : gn__fail_null(GN_E_ARGUMENT, op, "the value is on %s, not on %s",
                                   value->storage->device->name, view->storage->device->name);
    bool fits = value->n_dims <= shape.n;
    for (int d = 0; fits && d < value->n_dims; d++) {
        int64_t size = shape.size[shape.n - value->n_dims + d];
        fits = value->size[d] == size || value->size[d] == 1;
    }
    if (!fits)
        return gn__fail_null(GN_E_ARGUMENT, op, "value %s does not broadcast to the places, %s",
                             gn__shape_of(value), gn__shape_text((int)shape.n, shape.size));
    value = gn_cast(gn_to_device(value, view->storage->device->name), (gn_dtype)view->dtype);
    value = value && value->storage == view->storage ? gn_clone(value) : value;
    return gn_expand_with(value, shape);
}

static gn_tensor *write_at(const char *op, int combine, gn_tensor *view, const places *p,
                           gn_tensor *const *index, gn_tensor *value) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *result = NULL;
    if (gn__inplace_begin(op, view) == GN_OK)
        value = fitting_value(op, view, p, value);
    gn_tensor *inputs[] = {view, value};
    if (!gn__failed() && write_data(op, combine, view, p, index, value) == GN_OK &&
        gn_dtype_is_float(view->dtype) && gn__recording(2, inputs) &&
        (result = gn__tensor_twin(view))) {
        gn__node *node = gn__record(combine == GN_SCATTER_SET ? &put_node : &add_node, result, 2,
                                    inputs, sizeof *p);
        if (node)
            save_indices(node, p, index);
    }
    view = gn__inplace_end(view, result);
    gn_scope_end(scope);
    return view;
}

gn_tensor *gn_index_put_items(gn_tensor *x, gn_index_list items, gn_tensor *value) {
    selection s;
    gn_scope scope = gn_scope_begin();
    bool done =
        take_items("index_put", x, &items, &s) && gn__given("index_put", value) &&
        (s.places.n ? write_at("index_put", GN_SCATTER_SET, s.view, &s.places, s.index, value)
                    : gn_copy_(s.view, value));
    gn_scope_end(scope);
    return done ? x : NULL;
}

gn_tensor *gn_index_accumulate_items(gn_tensor *x, gn_index_list items, gn_tensor *value) {
    selection s;
    gn_scope scope = gn_scope_begin();
    bool done =
        take_items("index_accumulate", x, &items, &s) && gn__given("index_accumulate", value) &&
        (s.places.n
             ? write_at("index_accumulate", GN_SCATTER_ADD, s.view, &s.places, s.index, value)
             : gn_add_(s.view, value));
    gn_scope_end(scope);
    return done ? x : NULL;
}

gn_tensor *gn_index_put_scalar_items(gn_tensor *x, gn_index_list items, double value) {
    if (gn__failed() || !gn__given("index_put", x))
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn_tensor *number = gn__tensor_new(x->storage->device, x->dtype, 0, NULL);
    if (number && gn__fill_data(number, value) == GN_OK)
        gn_index_put_items(x, items, number);
    gn_scope_end(scope);
    return gn__failed() ? NULL : x;
}
