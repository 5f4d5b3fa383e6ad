/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sort.c - sorting along a dim, and what follows from it: topk, median, mode.
 *
 * Where the host sees the device's memory, it sorts (sort_host.c); elsewhere sorting is composed of
 * maps. It is bitonic, in place, on values and their places at once: a map compares two halves of
 * blocks and exchanges what is out of order. Equal values are ordered by their places, so the order
 * is total, and the sort stable. Any length will do: a block that the end cuts short is one whose
 * missing elements are larger than all others, and those stay where they are.
 */
#include "sort.h"

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
    if (gn__failed() || gn__copy_data(*value, x))
        return false;
    if (x->n_dims && x->count && (*value)->storage->host)
        return gn__sort_on_host(*value, *place, dim, descending) == GN_OK;
    if (fill_places(*place, dim))
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

/* ---- median, mode: elements of the sorted dim, found by their places there */

typedef struct ranking {
    const char *op;
    gn_tensor *x, *value, *place; /* x sorted, and where its elements were */
    int dim;
} ranking;

/* Sorts x along the dim; false with an error, also if nothing is there. */
static bool rank(const char *op, gn_tensor *x, int64_t dim, ranking *r) {
    *r = (ranking){.op = op, .x = x};
    if (gn__failed() || !gn__given(op, x) || !gn__dim(op, dim, x->n_dims, &r->dim))
        return false;
    if (x->n_dims && x->size[r->dim] == 0) {
        gn_fail(GN_E_ARGUMENT, op, "dim %d of shape %s has no elements", r->dim, gn__shape_of(x));
        return false;
    }
    return sorted(op, x, r->dim, false, &r->value, &r->place);
}

/* The place of the median: the lower middle, but the first NaN where there is one. */
static gn_tensor *middle(const ranking *r) {
    if (r->x->n_dims == 0)
        return r->place;
    int64_t last = r->value->size[r->dim] - 1;
    gn_tensor *nan = gn_isnan(gn_narrow(r->value, r->dim, last, 1));
    return gn_where_scalar_b(nan, gn_argmax(r->value, r->dim, true), (double)(last / 2));
}

/* The place of the end of the longest run of equal values, the first one of equal lengths:
 * start[i] is where the run of i began. */
static gn_tensor *longest_run(const ranking *r) {
    if (r->x->n_dims == 0)
        return r->place;
    int64_t n = r->value->size[r->dim];
    gn_shape before = {.n = r->value->n_dims}, after = before;
    before.size[r->dim] = 1;
    gn_tensor *same =
        gn_eq(gn_narrow(r->value, r->dim, 1, n - 1), gn_narrow(r->value, r->dim, 0, n - 1));
    gn_tensor *number = gn__tensor_new(r->x->storage->device, GN_I64, r->x->n_dims, r->x->size);
    if (!number || fill_places(number, r->dim))
        return NULL;
    gn_tensor *start = gn_where_scalar_a(gn_pad(same, before, after, 0), 0, number);
    start = start ? gn__scan(r->op, GN_OP_MAX, start, r->dim, GN_I64) : NULL;
    return gn_argmax(gn_sub(number, start), r->dim, true);
}

/* Ends the scope with the elements of x whose places in the sorted dim are `at`. */
static gn_tensor *ranked(const ranking *r, gn_scope scope, gn_tensor *at, bool keepdim,
                         gn_tensor **indices) {
    gn_tensor *index = at ? gn_gather(r->place, r->dim, at) : NULL;
    gn_tensor *value = index ? gn_gather(r->x, r->dim, index) : NULL;
    if (!keepdim) {
        index = gn_squeeze_dim(index, r->dim);
        value = gn_squeeze_dim(value, r->dim);
    }
    gn_retain(index);
    value = gn_scope_end_with(scope, value);
    gn__own(index);
    if (indices)
        *indices = index;
    return value;
}

gn_tensor *gn_median(gn_tensor *x, int64_t dim, bool keepdim, gn_tensor **indices) {
    ranking r;
    gn_scope scope = gn_scope_begin();
    gn_tensor *at = rank("median", x, dim, &r) ? middle(&r) : NULL;
    return ranked(&r, scope, at, keepdim, indices);
}

gn_tensor *gn_mode(gn_tensor *x, int64_t dim, bool keepdim, gn_tensor **indices) {
    ranking r;
    gn_scope scope = gn_scope_begin();
    gn_tensor *at = rank("mode", x, dim, &r) ? longest_run(&r) : NULL;
    return ranked(&r, scope, at, keepdim, indices);
}

/* dx = g shared evenly among the elements that equal y */
static gn_status median_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    static gn__op equal = {
        .name = "median_backward", .text = "x == y || isnan(x) && isnan(y)", .variables = "x, y"};
    gn_tensor *x = gn__saved_tensor(node, 0), *y = gn__saved_tensor(node, 1);
    gn_tensor *is = x && y ? gn__apply(&equal, 2, (gn_tensor *[]){x, y}, NULL) : NULL;
    if (is)
        is = gn_cast(is, (gn_dtype)x->dtype);
    out[0] = gn_mul(is, gn_div(grads[0], gn_sum(is)));
    return gn_error_status();
}
static const gn__node_class median_node = {.name = "median", .backward = median_backward};

gn_tensor *gn_median_all(gn_tensor *x) {
    if (gn__failed() || !gn__given("median", x))
        return NULL;
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    gn_tensor *y = gn_median(gn_reshape(x, -1), 0, false, NULL);
    gn_set_grad_enabled(was);
    y = gn_scope_end_with(scope, y);
    if (!y || !gn_dtype_is_float(y->dtype) || !gn__recording(1, &x))
        return y;
    gn__node *node = gn__record(&median_node, y, 1, &x, 0);
    if (!node)
        return NULL;
    gn__save(node, 0, x);
    gn__save_output(node, 1, y, 0);
    return y;
}
