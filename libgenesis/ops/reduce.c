/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reduce.c - sums, means, extremes and the like over dims.
 *
 * One table says what each reduction computes: an element expression, a reducer, and what becomes
 * of its result. One function makes the programs and runs them.
 */
#include <math.h>

#include "ops.h"
#include "support.h"

/* ---- Programs */

typedef enum {
    SUM,
    MEAN,
    PROD,
    AMAX,
    AMIN,
    ALL,
    ANY,
    ARGMAX,
    ARGMIN,
    MAX,
    MIN,
    N_REDUCTIONS
} reduction;

static const struct {
    const char *name;
    int kind;          /* of REDUCE */
    bool divides;      /* by the number of elements, a parameter */
    bool as_bool;      /* of x != 0 */
    bool value, index; /* what it stores */
    bool no_empty;     /* has no result over no elements */
} table[N_REDUCTIONS] = {
    [SUM] = {.name = "sum", .kind = GN_SUM, .value = true},
    [MEAN] = {.name = "mean", .kind = GN_SUM, .divides = true, .value = true},
    [PROD] = {.name = "prod", .kind = GN_PROD, .value = true},
    [AMAX] = {.name = "amax", .kind = GN_MAX, .value = true, .no_empty = true},
    [AMIN] = {.name = "amin", .kind = GN_MIN, .value = true, .no_empty = true},
    [ALL] = {.name = "all", .kind = GN_MIN, .as_bool = true, .value = true},
    [ANY] = {.name = "any", .kind = GN_MAX, .as_bool = true, .value = true},
    [ARGMAX] = {.name = "argmax", .kind = GN_ARGMAX, .index = true, .no_empty = true},
    [ARGMIN] = {.name = "argmin", .kind = GN_ARGMIN, .index = true, .no_empty = true},
    [MAX] = {.name = "max", .kind = GN_MAX, .value = true, .index = true, .no_empty = true},
    [MIN] = {.name = "min", .kind = GN_MIN, .value = true, .index = true, .no_empty = true},
};

/* Operands: x, [number of the element], [value], [index]. Variant: the dtypes of x and of the
 * value, and the reduction. */
static void build(gn__builder *b, const int8_t *v) {
    int from = v[0], to = v[1];
    reduction r = (reduction)v[2];
    int type = table[r].as_bool ? GN_BOOL : gn__compute_type(to);
    int x = gn__cast(b, type, gn__load(b, gn__build_operand(b, GN_READ, from)));
    int number = table[r].index ? gn__load(b, gn__build_operand(b, GN_INDEX, GN_I64)) : 0;
    int value_out = table[r].value ? gn__build_operand(b, GN_WRITE, to) : 0;
    int index_out = table[r].index ? gn__build_operand(b, GN_WRITE, GN_I64) : 0;
    int value = table[r].value ? gn__reduce_value(b, table[r].kind, x, 0) : 0;
    int kind = table[r].kind;
    int arg = kind == GN_MAX ? GN_ARGMAX : kind == GN_MIN ? GN_ARGMIN : kind;
    int index = table[r].index ? gn__reduce_value(b, arg, x, number) : 0;
    if (table[r].divides)
        value = gn__emit(b, GN_OP_DIV, value, gn__param(b, type, gn__build_param(b)), 0);
    if (table[r].value)
        gn__store(b, value_out, value);
    if (table[r].index)
        gn__store(b, index_out, index);
}

static gn__kernel kernel = {.name = "reduce", .build = build};

/* ---- Dims */

/* Bit d of *reduced: dim d is reduced (none given: all are); and the result's shape. False with an
 * error. */
static bool find_dims(const char *op, const gn_tensor *x, gn_dims dims, bool keepdim,
                      unsigned *reduced, gn_shape *result) {
    *reduced = dims.n == 0 ? ~0u : 0;
    if (dims.n < 0 || dims.n > GN_TENSOR_MAX_DIMS) {
        gn_fail(GN_E_ARGUMENT, op, "%lld dims given", (long long)dims.n);
        return false;
    }
    for (int i = 0; i < dims.n; i++) {
        int d;
        if (!gn__dim(op, dims.dim[i], x->n_dims, &d))
            return false;
        if (*reduced >> d & 1) {
            gn_fail(GN_E_ARGUMENT, op, "dim %d is given twice", d);
            return false;
        }
        *reduced |= 1u << d;
    }
    *result = (gn_shape){0};
    for (int d = 0; d < x->n_dims; d++) {
        bool gone = *reduced >> d & 1;
        if (!gone || keepdim)
            result->size[result->n++] = gone ? 1 : x->size[d];
    }
    return true;
}

/* The result seen through the space: kept dims have its strides in order, reduced ones 0. */
static gn__operand result_operand(const gn__rows *space, const gn_tensor *out, bool keepdim) {
    return keepdim ? gn__rows_full(space, out) : gn__rows_kept(space, out);
}

/* ---- One reduction, without history */

typedef struct reduce_call {
    reduction r;
    gn_tensor *x;
    gn_dims dims;
    bool keepdim;
    int dtype;                /* of the value */
    gn_tensor *value, *index; /* results */
} reduce_call;

static gn_status run(reduce_call *c) {
    const gn_tensor *x = c->x;
    unsigned reduced;
    gn_shape shape;
    const char *op = table[c->r].name;
    if (gn__failed() || !gn__given(op, x) ||
        !find_dims(op, x, c->dims, c->keepdim, &reduced, &shape))
        return gn_error_status();
    gn__rows space = gn__rows_of(x, reduced);
    int kept = space.n_dims - space.n_reduced;
    int64_t n = gn__count(space.n_reduced, space.size + kept);
    if (n == 0 && table[c->r].no_empty)
        return gn_fail(GN_E_ARGUMENT, op,
                       "shape %s has no elements to reduce, and no result for that",
                       gn__shape_of(x));
    gn__device *device = x->storage->device;
    if (table[c->r].value)
        c->value = gn__tensor_new(device, c->dtype, (int)shape.n, shape.size);
    if (table[c->r].index)
        c->index = gn__tensor_new(device, GN_I64, (int)shape.n, shape.size);
    if (gn__failed())
        return gn_error_status();
    gn__operand operands[4] = {gn__rows_full(&space, x)};
    int k = 1;
    if (table[c->r].index) {
        operands[k] = gn__operand_index(0);
        gn__row_major(space.n_reduced, space.size + kept, operands[k].stride + kept);
        for (int i = 0; i < kept; i++)
            operands[k].stride[i] = 0;
        k++;
    }
    if (c->value)
        operands[k++] = result_operand(&space, c->value, c->keepdim);
    if (c->index)
        operands[k++] = result_operand(&space, c->index, c->keepdim);
    gn_scalar param = {.f = (double)n};
    return gn__kernel_run(op, device, &kernel, GN__VARIANT(x->dtype, c->dtype, c->r), &space,
                          operands, &param);
}

/* ---- History: what the gradients need of the call */

typedef struct reduced_dims {
    gn_dims dims;
    bool keepdim;
    double scale;
} reduced_dims;

/* A result's gradient (or the result) with the reduced dims put back as size 1. */
static gn_tensor *with_dims(gn_tensor *t, const gn__node *node) {
    const reduced_dims *d = node->data;
    if (!t || d->keepdim)
        return t;
    bool reduced[GN_TENSOR_MAX_DIMS];
    gn_shape shape = {.n = node->inputs[0].n_dims};
    for (int i = 0; i < GN_TENSOR_MAX_DIMS; i++)
        reduced[i] = d->dims.n == 0;
    for (int i = 0; i < d->dims.n; i++)
        reduced[d->dims.dim[i] < 0 ? d->dims.dim[i] + shape.n : d->dims.dim[i]] = true;
    for (int i = 0; i < shape.n; i++)
        shape.size[i] = reduced[i] ? 1 : node->inputs[0].size[i];
    return gn_reshape_with(t, shape);
}

/* dx = g, everywhere in what was summed; times 1 / n for the mean */
static gn_status sum_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const reduced_dims *d = node->data;
    gn_tensor *g = gn_cast(with_dims(grads[0], node), (gn_dtype)node->inputs[0].dtype);
    if (d->scale != 1)
        g = gn_mul_scalar(g, d->scale);
    out[0] = gn_expand_with(g, gn__input_shape(node, 0));
    return gn_error_status();
}
static const gn__node_class sum_node = {.name = "sum", .backward = sum_backward};
static const gn__node_class mean_node = {.name = "mean", .backward = sum_backward};

/* dx = g shared evenly among the elements that equal y */
static gn_status extreme_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const reduced_dims *d = node->data;
    gn_tensor *x = gn__saved_tensor(node, 0), *y = gn__saved_tensor(node, 1);
    gn_tensor *is = gn_cast(gn_eq(x, with_dims(y, node)), (gn_dtype)node->inputs[0].dtype);
    gn_tensor *many = gn_sum(is, .dims = d->dims, .keepdim = true);
    out[0] = gn_mul(is, gn_div(with_dims(grads[0], node), many));
    return gn_error_status();
}
static const gn__node_class amax_node = {.name = "amax", .backward = extreme_backward};
static const gn__node_class amin_node = {.name = "amin", .backward = extreme_backward};

/* dx = g times the product of the others: y / x where nothing is 0; with one 0 in the group only
 * that element has a gradient, with more none has. p: product of what is not 0, z: number of
 * zeros. */
static gn_status prod_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    static gn__op op = {.name = "prod_backward",
                        .text = "z == 0 ? g * p / x : z == 1 && x == 0 ? g * p : 0",
                        .variables = "x, p, z, g"};
    const reduced_dims *d = node->data;
    gn_tensor *x = gn__saved_tensor(node, 0);
    if (!x)
        return gn_error_status();
    gn_tensor *zero = gn_eq_scalar(x, 0);
    gn_tensor *p = gn_prod(gn_where_scalar_a(zero, 1, x), .dims = d->dims, .keepdim = true);
    gn_tensor *z =
        gn_cast(gn_sum(zero, .dims = d->dims, .keepdim = true), (gn_dtype)node->inputs[0].dtype);
    out[0] = gn__apply(&op, 4, (gn_tensor *[]){x, p, z, with_dims(grads[0], node)}, NULL);
    return gn_error_status();
}
static const gn__node_class prod_node = {.name = "prod", .backward = prod_backward};

static gn__node *record(const gn__node_class *type, reduce_call *c, double scale) {
    gn__node *node = gn__record(type, c->value, 1, &c->x, sizeof(reduced_dims));
    if (node)
        *(reduced_dims *)node->data = (reduced_dims){c->dims, c->keepdim, scale};
    return node;
}

/* ---- Public: with options */

static const gn_reduce_options none = {.struct_size = sizeof none};

static gn_tensor *sum_or_prod(reduction r, const gn__node_class *type, gn_tensor *x,
                              const gn_reduce_options *o) {
    if (gn__failed() || !gn__given(table[r].name, x))
        return NULL;
    o = o ? o : &none;
    int dtype = o->dtype ? o->dtype : gn_dtype_is_float(x->dtype) ? x->dtype : GN_I64;
    reduce_call c = {.r = r, .x = x, .dims = o->dims, .keepdim = o->keepdim, .dtype = dtype};
    if (run(&c))
        return NULL;
    if (gn_dtype_is_float(dtype) && gn__recording(1, &x)) {
        gn__node *node = record(type, &c, 1);
        if (node && r == PROD)
            gn__save(node, 0, x);
    }
    return gn__failed() ? NULL : c.value;
}

gn_tensor *gn_sum_with(gn_tensor *x, const gn_reduce_options *o) {
    return sum_or_prod(SUM, &sum_node, x, o);
}
gn_tensor *gn_prod_with(gn_tensor *x, const gn_reduce_options *o) {
    return sum_or_prod(PROD, &prod_node, x, o);
}

gn_tensor *gn_mean_with(gn_tensor *x, const gn_reduce_options *o) {
    if (gn__failed() || !gn__given("mean", x))
        return NULL;
    o = o ? o : &none;
    int dtype = o->dtype ? o->dtype : x->dtype;
    if (!gn_dtype_is_float(dtype))
        return gn__fail_null(GN_E_ARGUMENT, "mean",
                             "needs a floating-point dtype, not %s: cast first",
                             gn_dtype_name((gn_dtype)dtype));
    reduce_call c = {.r = MEAN, .x = x, .dims = o->dims, .keepdim = o->keepdim, .dtype = dtype};
    if (run(&c))
        return NULL;
    if (gn__recording(1, &x))
        record(&mean_node, &c, x->count ? (double)c.value->count / (double)x->count : NAN);
    return gn__failed() ? NULL : c.value;
}

static gn_tensor *extreme(reduction r, const gn__node_class *type, gn_tensor *x,
                          const gn_reduce_options *o) {
    if (gn__failed() || !gn__given(table[r].name, x))
        return NULL;
    o = o ? o : &none;
    reduce_call c = {.r = r, .x = x, .dims = o->dims, .keepdim = o->keepdim, .dtype = x->dtype};
    if (run(&c))
        return NULL;
    if (gn_dtype_is_float(x->dtype) && gn__recording(1, &x)) {
        gn__node *node = record(type, &c, 1);
        if (!node)
            return NULL;
        gn__save(node, 0, x);
        gn__save_output(node, 1, c.value, 0);
    }
    return c.value;
}

gn_tensor *gn_amax_with(gn_tensor *x, const gn_reduce_options *o) {
    return extreme(AMAX, &amax_node, x, o);
}
gn_tensor *gn_amin_with(gn_tensor *x, const gn_reduce_options *o) {
    return extreme(AMIN, &amin_node, x, o);
}

static gn_tensor *truth(reduction r, gn_tensor *x, const gn_reduce_options *o) {
    o = o ? o : &none;
    reduce_call c = {.r = r, .x = x, .dims = o->dims, .keepdim = o->keepdim, .dtype = GN_BOOL};
    return run(&c) ? NULL : c.value;
}

gn_tensor *gn_all_with(gn_tensor *x, const gn_reduce_options *o) { return truth(ALL, x, o); }
gn_tensor *gn_any_with(gn_tensor *x, const gn_reduce_options *o) { return truth(ANY, x, o); }

/* ---- Over one dim, with indices */

static gn_status pick_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const reduced_dims *d = node->data;
    gn_tensor *index = with_dims(gn__saved_tensor(node, 0), node);
    gn_tensor *g = with_dims(grads[0], node);
    gn_tensor *zeros = g ? gn__tensor_new(g->storage->device, g->dtype, node->inputs[0].n_dims,
                                          node->inputs[0].size)
                         : NULL;
    if (zeros && gn__fill_data(zeros, 0) == GN_OK)
        out[0] = zeros->n_dims ? gn_scatter(zeros, d->dims.dim[0], index, g) : g;
    return gn_error_status();
}
static const gn__node_class max_node = {.name = "max", .backward = pick_backward};
static const gn__node_class min_node = {.name = "min", .backward = pick_backward};

static gn_tensor *pick(reduction r, const gn__node_class *type, gn_tensor *x, int64_t dim,
                       bool keepdim, gn_tensor **indices) {
    if (gn__failed() || !gn__given(table[r].name, x))
        return NULL;
    reduce_call c = {
        .r = r, .x = x, .dims = {.n = 1, .dim = {dim}}, .keepdim = keepdim, .dtype = x->dtype};
    if (run(&c))
        return NULL;
    if (indices)
        *indices = c.index;
    if (gn_dtype_is_float(x->dtype) && gn__recording(1, &x)) {
        gn__node *node = record(type, &c, 1);
        if (!node)
            return NULL;
        gn__save(node, 0, c.index);
    }
    return c.value;
}

gn_tensor *gn_max(gn_tensor *x, int64_t dim, bool keepdim, gn_tensor **indices) {
    return pick(MAX, &max_node, x, dim, keepdim, indices);
}
gn_tensor *gn_min(gn_tensor *x, int64_t dim, bool keepdim, gn_tensor **indices) {
    return pick(MIN, &min_node, x, dim, keepdim, indices);
}

static gn_tensor *place(reduction r, gn_tensor *x, gn_dims dims, bool keepdim) {
    if (gn__failed() || !gn__given(table[r].name, x))
        return NULL;
    reduce_call c = {.r = r, .x = x, .dims = dims, .keepdim = keepdim, .dtype = x->dtype};
    return run(&c) ? NULL : c.index;
}

gn_tensor *gn_argmax(gn_tensor *x, int64_t dim, bool keepdim) {
    return place(ARGMAX, x, (gn_dims){.n = 1, .dim = {dim}}, keepdim);
}
gn_tensor *gn_argmin(gn_tensor *x, int64_t dim, bool keepdim) {
    return place(ARGMIN, x, (gn_dims){.n = 1, .dim = {dim}}, keepdim);
}
gn_tensor *gn_argmax_all(gn_tensor *x) { return place(ARGMAX, x, (gn_dims){0}, false); }
gn_tensor *gn_argmin_all(gn_tensor *x) { return place(ARGMIN, x, (gn_dims){0}, false); }
