/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.c - elements at indices along one dim: gather, scatter, scatter_add, scatter_reduce,
 * index_select, one_hot; and masked_fill.
 *
 * With c a coordinate of index, and c[dim := i] the same with its dim replaced:
 *     gather       y[c] = x[c[dim := index[c]]]
 *     scatter      y = x, but y[c[dim := index[c]]] = source[c]      (scatter_add: +=)
 * Each is the gradient of the other. An index outside the dim is an error GN_E_INDEX, which comes
 * out at once or, on an asynchronous device, when it is waited for.
 */
#include <math.h>

#include "ops.h"
#include "support.h"

/* ---- Checks */

gn_tensor *gn__index_tensor(const char *op, gn_tensor *t) {
    if (gn__failed() || !gn__given(op, t))
        return NULL;
    if (gn_dtype_is_float(t->dtype) || t->dtype == GN_BOOL)
        return gn__fail_null(GN_E_ARGUMENT, op, "indices must be integers, not %s",
                             gn_dtype_name((gn_dtype)t->dtype));
    return gn_cast(t, GN_I64);
}

bool gn__together(const char *op, int n, gn_tensor **t) {
    gn__device *device = gn__failed() ? NULL : gn__common_device(op, n, t);
    for (int i = 0; device && i < n; i++)
        t[i] = gn_to_device(t[i], device->name);
    return device && !gn__failed();
}

/* index has x's dims; its sizes are at most those of x but for dim, and those of source (or
 * NULL). */
static bool index_fits(const char *op, const gn_tensor *x, int dim, const gn_tensor *index,
                       const gn_tensor *source) {
    bool fits = index->n_dims == x->n_dims && (!source || source->n_dims == x->n_dims);
    for (int d = 0; fits && d < index->n_dims; d++)
        fits = (d == dim || index->size[d] <= x->size[d]) &&
               (!source || index->size[d] <= source->size[d]);
    if (!fits && source)
        gn_fail(
            GN_E_ARGUMENT, op,
            "index %s must have as many dims as %s and source %s, and be no larger than the first "
            "but in dim %d, and than the second",
            gn__shape_of(index), gn__shape_of(x), gn__shape_of(source), dim);
    else if (!fits)
        gn_fail(GN_E_ARGUMENT, op,
                "index %s must have as many dims as %s, and be no larger but in dim %d",
                gn__shape_of(index), gn__shape_of(x), dim);
    return fits;
}

/* ---- The data, without history */

/* y = x at a place that is an index away: operands x, index, y. */
static const gn_program *gather_program(int dtype) {
    static _Atomic(const gn_program *) cache[GN_N_DTYPES];
    const gn_program *program = atomic_load_explicit(&cache[dtype], memory_order_acquire);
    gn__builder *b = program ? NULL : gn__builder_new("gather", 0);
    if (!b)
        return program;
    int x = gn__build_operand(b, GN_READ, dtype);
    int index = gn__load(b, gn__build_operand(b, GN_READ, GN_I64));
    gn__store(b, gn__build_operand(b, GN_WRITE, dtype), gn__loadx(b, x, index));
    program = gn__builder_finish(b);
    atomic_store_explicit(&cache[dtype], program, memory_order_release);
    return program;
}

gn_status gn__launch_gather(gn__device *device, const char *op, int dtype, int n_dims,
                            const int64_t *size, const gn__operand operands[3]) {
    const gn_program *program = gn__failed() ? NULL : gather_program(dtype);
    gn__launch launch = {
        .op = op, .program = program, .n_dims = n_dims, .size = size, .operands = operands};
    return program ? gn__launch_run(device, &launch) : gn_error_status();
}

/* t seen through the space of index, displaced along dim by an index. */
static gn__operand displaced(const gn_tensor *t, int dim, const gn_tensor *index) {
    gn__operand o = gn__operand_of(t, index->n_dims, index->size);
    o.axis_stride = t->n_dims ? t->stride[dim] : 1;
    o.axis_extent = t->n_dims ? t->size[dim] : 1;
    if (t->n_dims)
        o.stride[dim] = 0;
    return o;
}

/* target[c[dim := index[c]]] = or += source[c]. The dim is made the last one: only along it may
 * places be equal. */
static gn_status scatter_data(const char *op, int combine, gn_tensor *target, int dim,
                              const gn_tensor *index, const gn_tensor *source) {
    int n = index->n_dims;
    int64_t size[GN_MAX_DIMS];
    gn__operand seen[3] = {gn__operand_of(source, n, index->size),
                           gn__operand_of(index, n, index->size), displaced(target, dim, index)};
    gn__operand operands[3] = {seen[0], seen[1], seen[2]};
    for (int i = 0; i < n; i++) {
        int d = i == n - 1 ? dim : i < dim ? i : i + 1;
        size[i] = index->size[d];
        for (int k = 0; k < 3; k++)
            operands[k].stride[i] = seen[k].stride[d];
    }
    if (gn__failed())
        return gn_error_status();
    return gn__launch_scatter(target->storage->device, op, n, n ? 1 : 0, size, target->dtype,
                              combine, combine == GN_SCATTER_ADD, operands);
}

/* ---- gather, and its gradient: spread */

typedef struct along {
    int dim;
} along;

static gn_tensor *gather(const char *op, gn_tensor *x, int dim, gn_tensor *index);

static gn_status spread_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] =
        gather(node->name, grads[0], ((const along *)node->data)->dim, gn__saved_tensor(node, 0));
    return gn_error_status();
}
static const gn__node_class spread_node = {.name = "spread", .backward = spread_backward};

gn_tensor *gn__spread(const char *op, gn_shape shape, int dim, gn_tensor *index,
                      gn_tensor *source) {
    if (gn__failed() || !index || !source)
        return NULL;
    gn_tensor *y = gn__tensor_new(source->storage->device, source->dtype, (int)shape.n, shape.size);
    if (!y || gn__fill_data(y, 0) || scatter_data(op, GN_SCATTER_ADD, y, dim, index, source))
        return NULL;
    if (gn__recording(1, &source) && gn_dtype_is_float(y->dtype)) {
        gn__node *node = gn__record(&spread_node, y, 1, &source, sizeof(along));
        if (!node)
            return NULL;
        node->name = op;
        *(along *)node->data = (along){dim};
        gn__save(node, 0, index);
    }
    return y;
}

static gn_status gather_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_shape shape = gn__input_shape(node, 0);
    out[0] = gn__spread(node->name, shape, ((const along *)node->data)->dim,
                        gn__saved_tensor(node, 0), grads[0]);
    return gn_error_status();
}
static const gn__node_class gather_node = {.name = "gather", .backward = gather_backward};

static gn_tensor *gather(const char *op, gn_tensor *x, int dim, gn_tensor *index) {
    if (gn__failed() || !index)
        return NULL;
    gn_tensor *y = gn__tensor_new(x->storage->device, x->dtype, index->n_dims, index->size);
    if (!y)
        return NULL;
    gn__operand operands[3] = {displaced(x, dim, index), gn__operand_of(index, y->n_dims, y->size),
                               gn__operand_of(y, y->n_dims, y->size)};
    if (gn__launch_gather(y->storage->device, op, y->dtype, y->n_dims, y->size, operands))
        return NULL;
    if (gn__recording(1, &x)) {
        gn__node *node = gn__record(&gather_node, y, 1, &x, sizeof(along));
        if (!node)
            return NULL;
        node->name = op;
        *(along *)node->data = (along){dim};
        gn__save(node, 0, index);
    }
    return y;
}

gn_tensor *gn_gather(gn_tensor *x, int64_t dim, gn_tensor *index) {
    int d;
    gn_tensor *t[] = {x, gn__index_tensor("gather", index)};
    if (gn__failed() || !gn__given("gather", x) || !gn__dim("gather", dim, x->n_dims, &d) ||
        !index_fits("gather", x, d, index, NULL) || !gn__together("gather", 2, t))
        return NULL;
    return gather("gather", t[0], d, t[1]);
}

gn_tensor *gn_index_select(gn_tensor *x, int64_t dim, gn_tensor *index) {
    int d;
    gn_tensor *t[] = {x, gn__index_tensor("index_select", index)};
    if (gn__failed() || !gn__given("index_select", x) ||
        !gn__dim("index_select", dim, x->n_dims, &d))
        return NULL;
    if (index->n_dims > 1)
        return gn__fail_null(GN_E_ARGUMENT, "index_select", "index %s must be a vector",
                             gn__shape_of(index));
    if (!gn__together("index_select", 2, t))
        return NULL;
    /* the vector along dim, the same everywhere else */
    gn_shape line = {.n = x->n_dims}, all = {.n = x->n_dims};
    for (int i = 0; i < x->n_dims; i++) {
        line.size[i] = i == d ? index->count : 1;
        all.size[i] = i == d ? index->count : x->size[i];
    }
    return gather("index_select", t[0], d, gn_expand_with(gn_reshape_with(t[1], line), all));
}

/* ---- scatter, scatter_add */

/* Where the source's element is the one that stayed: its number, scattered too, is read again. */
static gn_tensor *stayed(const gn__node *node, int dim, gn_tensor *index) {
    gn__device *device = index->storage->device;
    gn_tensor *number = gn_reshape_with(
        gn_arange(0, (double)index->count, 1, GN_AS(.device = device->name)), gn_shape_of(index));
    gn_tensor *seen = gn__tensor_new(device, GN_I64, node->inputs[0].n_dims, node->inputs[0].size);
    if (!number || !seen || gn__fill_data(seen, 0) ||
        scatter_data(node->name, GN_SCATTER_SET, seen, dim, index, number))
        return NULL;
    return gn_eq(gather(node->name, seen, dim, index), number);
}

/* g at the places written (and where the element stayed, if `stays`); zeros where source is larger
 * than index. */
static gn_tensor *source_gradient(const gn__node *node, gn_tensor *g, int dim, gn_tensor *index,
                                  bool stays) {
    gn_tensor *read = gather(node->name, g, dim, index);
    if (stays)
        read = gn_where_scalar_b(stayed(node, dim, index), read, 0);
    if (!read)
        return NULL;
    gn_shape before = {.n = read->n_dims}, after = {.n = read->n_dims};
    bool larger = false;
    for (int d = 0; d < read->n_dims; d++) {
        after.size[d] = node->inputs[1].size[d] - read->size[d];
        larger |= after.size[d] != 0;
    }
    return larger ? gn_pad(read, before, after, 0) : read;
}

/* dx = g, 0 at the places written; dsource = g there, 0 for those that others replaced */
static gn_status scatter_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    int dim = ((const along *)node->data)->dim;
    gn_tensor *index = gn__saved_tensor(node, 0), *g = grads[0];
    if (!index)
        return gn_error_status();
    if (gn__needs(node, 0)) {
        gn_tensor *zero = gn__tensor_new(g->storage->device, g->dtype, 0, NULL);
        if (!zero || gn__fill_data(zero, 0))
            return gn_error_status();
        out[0] = gn_scatter(g, dim, index, gn_expand_with(zero, gn_shape_of(index)));
    }
    if (gn__needs(node, 1))
        out[1] = source_gradient(node, g, dim, index, true);
    return gn_error_status();
}
static const gn__node_class scatter_node = {.name = "scatter", .backward = scatter_backward};

/* dx = g; dsource = g at the places added to */
static gn_status scatter_add_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_tensor *index = gn__saved_tensor(node, 0);
    out[0] = grads[0];
    if (index && gn__needs(node, 1))
        out[1] = source_gradient(node, grads[0], ((const along *)node->data)->dim, index, false);
    return gn_error_status();
}
static const gn__node_class scatter_add_node = {.name = "scatter_add",
                                                .backward = scatter_add_backward};

static gn_tensor *scatter(const gn__node_class *type, int combine, gn_tensor *x, int64_t dim,
                          gn_tensor *index, gn_tensor *source) {
    int d;
    gn_tensor *t[] = {x, source, gn__index_tensor(type->name, index)};
    if (gn__failed() || !gn__given(type->name, x) || !gn__given(type->name, source) ||
        !gn__dim(type->name, dim, x->n_dims, &d) || !index_fits(type->name, x, d, index, source))
        return NULL;
    if (x->dtype != source->dtype)
        return gn__fail_null(
            GN_E_ARGUMENT, type->name, "%s source for a %s tensor: gn_cast it first",
            gn_dtype_name((gn_dtype)source->dtype), gn_dtype_name((gn_dtype)x->dtype));
    if (!gn__together(type->name, 3, t))
        return NULL;
    gn_tensor *y = gn__tensor_new(t[0]->storage->device, x->dtype, x->n_dims, x->size);
    if (gn__copy_data(y, t[0]) || scatter_data(type->name, combine, y, d, t[2], t[1]))
        return NULL;
    if (gn__recording(2, t) && gn_dtype_is_float(y->dtype)) {
        gn__node *node = gn__record(type, y, 2, t, sizeof(along));
        if (!node)
            return NULL;
        *(along *)node->data = (along){d};
        gn__save(node, 0, t[2]);
    }
    return y;
}

gn_tensor *gn_scatter(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source) {
    return scatter(&scatter_node, GN_SCATTER_SET, x, dim, index, source);
}

gn_tensor *gn_scatter_add(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source) {
    return scatter(&scatter_add_node, GN_SCATTER_ADD, x, dim, index, source);
}

/* ---- scatter_reduce: the sum, mean or extremes of all sources of one place */

/* What is the extreme, of x and source, shares g evenly. */
static gn_status extreme_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    int dim = ((const along *)node->data)->dim;
    gn_tensor *index = gn__saved_tensor(node, 0), *x = gn__saved_tensor(node, 1),
              *source = gn__saved_tensor(node, 2), *y = gn__saved_tensor(node, 3);
    if (gn__failed())
        return gn_error_status();
    for (int d = 0; d < source->n_dims; d++)
        source = gn_narrow(source, d, 0, index->size[d]);
    gn_dtype dtype = (gn_dtype)node->inputs[0].dtype;
    gn_tensor *x_is = gn_cast(gn_eq(x, y), dtype);
    gn_tensor *source_is = gn_cast(gn_eq(source, gn_gather(y, dim, index)), dtype);
    gn_tensor *share = gn_div(grads[0], gn_scatter_add(x_is, dim, index, source_is));
    out[0] = gn_mul(x_is, share);
    gn_tensor *read = gn_mul(source_is, gn_gather(share, dim, index));
    gn_shape before = {.n = read ? read->n_dims : 0}, after = before;
    for (int d = 0; d < before.n; d++)
        after.size[d] = node->inputs[1].size[d] - read->size[d];
    out[1] = gn_pad(read, before, after, 0);
    return gn_error_status();
}
static const gn__node_class extreme_node = {.name = "scatter_reduce", .backward = extreme_backward};

static gn_tensor *scatter_extreme(int combine, gn_tensor *x, int64_t dim, gn_tensor *index,
                                  gn_tensor *source) {
    gn_tensor *y = scatter(&extreme_node, combine, x, dim, index, source);
    if (y && y->node) {
        gn__save(y->node, 1, x);
        gn__save(y->node, 2, source);
        gn__save_output(y->node, 3, y, 0);
    }
    return gn__failed() ? NULL : y;
}

/* x with what will not count at the places of index: `value`, but one of the sources where integers
 * have no value for that. */
static gn_tensor *without_self(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source,
                               double value) {
    if (gn__failed() || !gn__given("scatter_reduce", x) || !gn__given("scatter_reduce", index))
        return NULL;
    if (isinf(value) && !gn_dtype_is_float(x->dtype))
        return gn_scatter(x, dim, index, source);
    gn_tensor *one = gn__tensor_new(x->storage->device, x->dtype, 0, NULL);
    return one && gn__fill_data(one, value) == GN_OK
               ? gn_scatter(x, dim, index, gn_expand_with(one, gn_shape_of(index)))
               : NULL;
}

/* How many elements make up each of the results. */
static gn_tensor *source_counts(gn_tensor *x, int64_t dim, gn_tensor *index, bool exclude_self) {
    gn_tensor *base = gn_ones_like(x);
    gn_tensor *ones = base ? gn__tensor_new(base->storage->device, base->dtype, 0, NULL) : NULL;
    if (!ones || gn__fill_data(ones, 1))
        return NULL;
    if (exclude_self)
        base = without_self(base, dim, index, NULL, 0);
    gn_tensor *n = gn_scatter_add(base, dim, index, gn_expand_with(ones, gn_shape_of(index)));
    return gn_maximum_scalar(n, 1);
}

gn_tensor *gn_scatter_reduce_with(gn_tensor *x, int64_t dim, gn_tensor *index, gn_tensor *source,
                                  const gn_scatter_options *options) {
    static const double neutral[] = {[GN_COMBINE_SUM] = 0,
                                     [GN_COMBINE_MEAN] = 0,
                                     [GN_COMBINE_AMAX] = -INFINITY,
                                     [GN_COMBINE_AMIN] = INFINITY};
    gn_scatter_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !gn__given("scatter_reduce", x) || !gn__given("scatter_reduce", index))
        return NULL;
    if ((unsigned)o.reduce >= GN_LENGTH(neutral))
        return gn__fail_null(GN_E_ARGUMENT, "scatter_reduce", "there is no reduction %d",
                             (int)o.reduce);
    gn_tensor *base = o.exclude_self ? without_self(x, dim, index, source, neutral[o.reduce]) : x;
    if (o.reduce == GN_COMBINE_AMAX || o.reduce == GN_COMBINE_AMIN)
        return scatter_extreme(o.reduce == GN_COMBINE_AMAX ? GN_SCATTER_MAX : GN_SCATTER_MIN, base,
                               dim, index, source);
    gn_tensor *sum = gn_scatter_add(base, dim, index, source);
    if (!sum || o.reduce == GN_COMBINE_SUM)
        return sum;
    gn_tensor *n = source_counts(x, dim, index, o.exclude_self);
    return gn_dtype_is_float(x->dtype) ? gn_div(sum, n) : gn_floor_divide(sum, n);
}

/* ---- y[.., j] = (indices[..] == j): a one scattered into zeros */

gn_tensor *gn_one_hot(gn_tensor *indices, int64_t classes) {
    gn_tensor *labels = gn__index_tensor("one_hot", indices);
    if (!labels)
        return NULL;
    if (classes < -1 || (classes == -1 && labels->count == 0))
        return gn__fail_null(GN_E_ARGUMENT, "one_hot",
                             classes < -1 ? "%lld classes"
                                          : "no labels to find the classes from (%lld)",
                             (long long)classes);
    if (labels->n_dims == GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_ARGUMENT, "one_hot", "shape %s has all %d dims already",
                             gn__shape_of(labels), GN_TENSOR_MAX_DIMS);
    if (classes == -1 && (classes = gn_item_int(gn_amax(labels)) + 1) < 1)
        return gn__fail_null(GN_E_INDEX, "one_hot", "a label is negative");
    gn_shape shape = gn_shape_of(labels);
    shape.size[shape.n++] = classes;
    gn_shape column = shape;
    column.size[shape.n - 1] = 1;
    gn_tensor *one = gn__tensor_new(labels->storage->device, GN_I64, 0, NULL);
    gn_tensor *y = gn__tensor_new(labels->storage->device, GN_I64, (int)shape.n, shape.size);
    gn_tensor *index = gn_reshape_with(labels, column);
    if (gn__failed() || gn__fill_data(one, 1) || gn__fill_data(y, 0) ||
        scatter_data("one_hot", GN_SCATTER_SET, y, (int)shape.n - 1, index, one))
        return NULL;
    return y;
}

/* ---- y = mask ? value : x */

gn_tensor *gn_masked_fill(gn_tensor *x, gn_tensor *mask, double value) {
    static gn__op op = {
        .name = "masked_fill", .text = "m ? v : x", .variables = "m, x", .params = "v"};
    if (gn__failed() || !gn__given("masked_fill", x) || !gn__given("masked_fill", mask))
        return NULL;
    if (mask->dtype != GN_BOOL)
        return gn__fail_null(GN_E_ARGUMENT, "masked_fill", "the mask must be bool, not %s",
                             gn_dtype_name((gn_dtype)mask->dtype));
    if (!gn_dtype_is_float(x->dtype) && value != floor(value))
        return gn__fail_null(GN_E_ARGUMENT, "masked_fill", "%g is no value of %s", value,
                             gn_dtype_name((gn_dtype)x->dtype));
    return gn__apply_as(&op, 2, (gn_tensor *[]){mask, x}, &value, x->dtype);
}
