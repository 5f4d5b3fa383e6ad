/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sort.c - sorting and running sums along a dim, composed of maps.
 *
 * Sorting is bitonic, in place, on values and their places at once: a map compares two halves of
 * blocks and exchanges what is out of order. Equal values are ordered by their places, so the order
 * is total, and the sort stable. Any length will do: a block that the end cuts short is one whose
 * missing elements are larger than all others, and those stay where they are.
 */
#include "ops.h"

/* ---- Compare and exchange */

/* Operands, read and written: value and place of the first, of the second; first <= second
 * after. */
static const gn_program *exchange_program(int dtype, bool descending) {
    static _Atomic(const gn_program *) cache[GN_N_DTYPES][2];
    const gn_program *program =
        atomic_load_explicit(&cache[dtype][descending], memory_order_acquire);
    gn__builder *b = program ? NULL : gn__builder_new(descending ? "sort_descending" : "sort", 0);
    if (!b)
        return program;
    int in[4], out[4], x[4];
    for (int i = 0; i < 4; i++) {
        in[i] = gn__build_operand(b, GN_READ, i % 2 ? GN_I64 : dtype);
        x[i] = gn__load(b, in[i]);
    }
    for (int i = 0; i < 4; i++)
        out[i] = gn__build_operand(b, GN_WRITE, i % 2 ? GN_I64 : dtype);
    int first = x[0], second = x[2];
    if (dtype == GN_BOOL) { /* no order of their own */
        first = gn__cast(b, GN_U8, first);
        second = gn__cast(b, GN_U8, second);
    }
    int small = descending ? second : first, large = descending ? first : second;
    int before = gn__emit(b, GN_OP_LT, small, large, 0),
        equal = gn__emit(b, GN_OP_EQ, first, second, 0);
    if (gn_dtype_is_float(dtype)) { /* NaN is the largest, and equal to itself */
        int small_nan = gn__emit(b, GN_OP_ISNAN, small, 0, 0),
            large_nan = gn__emit(b, GN_OP_ISNAN, large, 0, 0);
        int only = gn__emit(b, GN_OP_AND, large_nan, gn__emit(b, GN_OP_NOT, small_nan, 0, 0), 0);
        before = gn__emit(b, GN_OP_OR, before, only, 0);
        equal = gn__emit(b, GN_OP_OR, equal, gn__emit(b, GN_OP_AND, small_nan, large_nan, 0), 0);
    }
    int tie = gn__emit(b, GN_OP_AND, equal, gn__emit(b, GN_OP_LT, x[1], x[3], 0), 0);
    int keep = gn__emit(b, GN_OP_OR, before, tie, 0);
    for (int i = 0; i < 4; i++)
        gn__store(b, out[i], gn__emit(b, GN_OP_SELECT, keep, x[i], x[(i + 2) % 4]));
    program = gn__builder_finish(b);
    atomic_store_explicit(&cache[dtype][descending], program, memory_order_release);
    return program;
}

typedef struct sorting {
    const char *op;
    const gn_program *program;
    gn_tensor *value, *place;
    int dim;
} sorting;

/* Elements low + j and high + direction j, j < count, of each of n_blocks blocks of a size. */
static gn_status exchange(const sorting *s, int64_t n_blocks, int64_t block, int64_t count,
                          int64_t low, int64_t high, int direction) {
    if (n_blocks < 1 || count < 1)
        return gn_error_status();
    const gn_tensor *t[2] = {s->value, s->place};
    int n = s->value->n_dims; /* the dim becomes two: block, j */
    int64_t size[GN_MAX_DIMS];
    memcpy(size, s->value->size, sizeof s->value->size);
    size[s->dim] = n_blocks;
    size[n] = count;
    gn__operand operands[8];
    for (int i = 0; i < 4; i++) {
        int64_t step = t[i % 2]->stride[s->dim];
        operands[i] = gn__operand_of(t[i % 2], n, t[i % 2]->size);
        operands[i].offset += (i < 2 ? low : high) * step;
        operands[i].stride[s->dim] = block * step;
        operands[i].stride[n] = i < 2 ? step : direction * step;
        operands[i + 4] = operands[i];
    }
    gn__launch launch = {
        .op = s->op, .program = s->program, .n_dims = n + 1, .size = size, .operands = operands};
    return gn__launch_run(s->value->storage->device, &launch);
}

static gn_status bitonic(const sorting *s) {
    int64_t n = s->value->size[s->dim];
    for (int64_t k = 2; k / 2 < n && !gn__failed(); k *= 2) {
        int64_t whole = n / k, rest = n % k;
        exchange(s, whole, k, k / 2, 0, k - 1, -1);
        exchange(s, 1, 0, rest - k / 2, whole * k + k - rest, n - 1, -1);
        for (int64_t j = k / 4; j && !gn__failed(); j /= 2) {
            int64_t pairs = n / (2 * j), start = pairs * 2 * j;
            exchange(s, pairs, 2 * j, j, 0, j, 1);
            exchange(s, 1, 0, n - start - j, start, start + j, 1);
        }
    }
    return gn_error_status();
}

/* place[.., i, ..] = i along the dim */
static gn_status fill_places(gn_tensor *place, int dim) {
    static _Atomic(const gn_program *) cache;
    const gn_program *program = atomic_load_explicit(&cache, memory_order_acquire);
    if (!program) {
        gn__builder *b = gn__builder_new("places", 0);
        if (!b)
            return gn_error_status();
        int number = gn__load(b, gn__build_operand(b, GN_INDEX, GN_I64));
        gn__store(b, gn__build_operand(b, GN_WRITE, GN_I64), number);
        program = gn__builder_finish(b);
        atomic_store_explicit(&cache, program, memory_order_release);
    }
    gn__operand operands[2] = {gn__operand_index(0),
                               gn__operand_of(place, place->n_dims, place->size)};
    if (place->n_dims)
        operands[0].stride[dim] = 1;
    gn__launch launch = {.op = "sort",
                         .program = program,
                         .n_dims = place->n_dims,
                         .size = place->size,
                         .operands = operands};
    return program ? gn__launch_run(place->storage->device, &launch) : gn_error_status();
}

/* A sorted copy of x, and where its elements were; without history. */
static bool sorted(const char *op, gn_tensor *x, int dim, bool descending, gn_tensor **value,
                   gn_tensor **place) {
    gn__device *device = x->storage->device;
    *value = gn__tensor_new(device, x->dtype, x->n_dims, x->size);
    *place = gn__tensor_new(device, GN_I64, x->n_dims, x->size);
    if (gn__failed() || gn__copy_data(*value, x) || fill_places(*place, dim))
        return false;
    if (x->n_dims == 0 || x->count == 0)
        return true;
    sorting s = {op, exchange_program(x->dtype, descending), *value, *place, dim};
    return s.program && bitonic(&s) == GN_OK;
}

/* ---- Public: the gradients go back to the places */

typedef struct along {
    int dim;
} along;

static gn_status sort_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_shape shape = gn__input_shape(node, 0);
    out[0] = gn__spread(node->name, shape, ((const along *)node->data)->dim,
                        gn__saved_tensor(node, 0), grads[0]);
    return gn_error_status();
}
static const gn__node_class sort_node = {.name = "sort", .backward = sort_backward};

static gn_tensor *recorded(const char *op, gn_tensor *x, int dim, gn_tensor *value,
                           gn_tensor *place) {
    gn__node *node =
        gn__recording(1, &x) ? gn__record(&sort_node, value, 1, &x, sizeof(along)) : NULL;
    if (node) {
        node->name = op;
        *(along *)node->data = (along){dim};
        gn__save(node, 0, place);
    }
    return gn__failed() ? NULL : value;
}

gn_tensor *gn_sort(gn_tensor *x, int64_t dim, bool descending, gn_tensor **indices) {
    int d;
    gn_tensor *value, *place;
    if (gn__failed() || !gn__given("sort", x) || !gn__dim("sort", dim, x->n_dims, &d) ||
        !sorted("sort", x, d, descending, &value, &place))
        return NULL;
    if (indices)
        *indices = place;
    return recorded("sort", x, d, value, place);
}

gn_tensor *gn_argsort(gn_tensor *x, int64_t dim, bool descending) {
    int d;
    gn_tensor *value, *place;
    if (gn__failed() || !gn__given("argsort", x) || !gn__dim("argsort", dim, x->n_dims, &d) ||
        !sorted("argsort", x, d, descending, &value, &place))
        return NULL;
    return place;
}

/* A copy of the first k elements along the dim. */
static gn_tensor *first(gn_tensor *t, int dim, int64_t k) {
    gn_tensor head = *t; /* no object of its own */
    if (t->n_dims)
        head.size[dim] = k;
    gn_tensor *copy = gn__tensor_new(t->storage->device, t->dtype, head.n_dims, head.size);
    return gn__copy_data(copy, &head) ? NULL : copy;
}

gn_tensor *gn_topk(gn_tensor *x, int64_t k, int64_t dim, bool largest, gn_tensor **indices) {
    int d;
    gn_tensor *all[2], *value = NULL, *place = NULL;
    if (gn__failed() || !gn__given("topk", x) || !gn__dim("topk", dim, x->n_dims, &d))
        return NULL;
    if (k < 0 || k > (x->n_dims ? x->size[d] : 1))
        return gn__fail_null(GN_E_ARGUMENT, "topk",
                             "k = %lld is not in 0 .. %lld, the size of dim %d of %s", (long long)k,
                             (long long)(x->n_dims ? x->size[d] : 1), d, gn__shape_of(x));
    gn_scope scope = gn_scope_begin();
    if (sorted("topk", x, d, largest, &all[0], &all[1])) {
        value = gn_retain(first(all[0], d, k));
        place = gn_retain(first(all[1], d, k));
    }
    gn_scope_end(scope);
    gn__own(value);
    gn__own(place);
    if (!value || !place)
        return NULL;
    if (indices)
        *indices = place;
    return recorded("topk", x, d, value, place);
}

/* ---- cumsum: y[i] = x[0] + .. + x[i]
 *
 * y_0 = x, and y_2d[i] = y_d[i] + y_d[i - d], doubling d: sums of 1, 2, 4, .. elements that end at
 * i. The gradient is the cumsum from the other end.
 */

static gn_status cumsum_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    gn_dims dim = {.n = 1, .dim = {((const along *)node->data)->dim}};
    out[0] = gn_flip(gn_cumsum(gn_flip(grads[0], dim), dim.dim[0]), dim);
    return gn_error_status();
}
static const gn__node_class cumsum_node = {.name = "cumsum", .backward = cumsum_backward};

static const gn_program *step_program(int dtype) {
    static _Atomic(const gn_program *) cache[GN_N_DTYPES];
    const gn_program *program = atomic_load_explicit(&cache[dtype], memory_order_acquire);
    gn__builder *b = program ? NULL : gn__builder_new("cumsum", 0);
    if (!b)
        return program;
    int here = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    int before = gn__load(b, gn__build_operand(b, GN_READ, dtype));
    gn__store(b, gn__build_operand(b, GN_WRITE, dtype), gn__emit(b, GN_OP_ADD, here, before, 0));
    program = gn__builder_finish(b);
    atomic_store_explicit(&cache[dtype], program, memory_order_release);
    return program;
}

/* to[i] = from[i] + from[i - d], from[i] where there is no such element */
static gn_status cumsum_step(gn_tensor *to, gn_tensor *from, int dim, int64_t d) {
    const gn_program *program = step_program(to->dtype);
    gn_tensor head_from = *from, head_to = *to; /* no objects of their own */
    head_from.size[dim] = head_to.size[dim] = d;
    if (!program || gn__copy_data(&head_to, &head_from))
        return gn_error_status();
    int64_t size[GN_TENSOR_MAX_DIMS], shift = d * to->stride[dim];
    memcpy(size, to->size, sizeof size);
    size[dim] -= d;
    gn__operand operands[3] = {gn__operand_of(from, to->n_dims, to->size),
                               gn__operand_of(from, to->n_dims, to->size),
                               gn__operand_of(to, to->n_dims, to->size)};
    operands[0].offset += shift;
    operands[2].offset += shift;
    gn__launch launch = {.op = "cumsum",
                         .program = program,
                         .n_dims = to->n_dims,
                         .size = size,
                         .operands = operands};
    return gn__launch_run(to->storage->device, &launch);
}

gn_tensor *gn_cumsum(gn_tensor *x, int64_t dim) {
    int d;
    if (gn__failed() || !gn__given("cumsum", x) || !gn__dim("cumsum", dim, x->n_dims, &d))
        return NULL;
    int dtype = gn_dtype_is_float(x->dtype) ? x->dtype : GN_I64;
    gn_scope scope = gn_scope_begin();
    gn_tensor *y[2];
    for (int i = 0; i < 2; i++) /* halves are added up as floats */
        y[i] = gn__tensor_new(x->storage->device, gn__compute_type(dtype), x->n_dims, x->size);
    gn__copy_data(y[0], x);
    for (int64_t step = 1; !gn__failed() && x->n_dims && step < x->size[d]; step *= 2) {
        cumsum_step(y[1], y[0], d, step);
        gn_tensor *done = y[1];
        y[1] = y[0];
        y[0] = done;
    }
    gn_tensor *result = y[0];
    if (!gn__failed() && result->dtype != dtype) {
        result = gn__tensor_new(x->storage->device, dtype, x->n_dims, x->size);
        gn__copy_data(result, y[0]);
    }
    gn__node *node = NULL;
    if (!gn__failed() && gn_dtype_is_float(dtype) && gn__recording(1, &x))
        node = gn__record(&cumsum_node, result, 1, &x, sizeof(along));
    if (node)
        *(along *)node->data = (along){d};
    return gn_scope_end_with(scope, gn__failed() ? NULL : result);
}
