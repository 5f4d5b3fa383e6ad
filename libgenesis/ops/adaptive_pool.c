/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adaptive_pool.c - pooling to a given size, in terms of other operations. Window i of `out` over
 * `in` elements is floor(i in / out) .. ceil((i + 1) in / out) - 1. Where out divides in, these are
 * the windows of ordinary pooling; else averages are products with a matrix per dim, and maxima are
 * those of ordinary pooling over windows that are first laid side by side.
 */
#include <stdlib.h>

#include "support.h"

typedef struct adaptive {
    const char *op;
    int n; /* spatial dims, the last ones */
    int64_t in[GN_MAX_SPATIAL], out[GN_MAX_SPATIAL];
} adaptive;

static bool adaptive_make(const char *op, int n, gn_tensor *x, const int64_t *size, adaptive *a) {
    static const char *const spatial[] = {"L", "H, W", "D, H, W"};
    if (gn__failed() || !gn__given(op, x) || !gn__check_float(op, "input", x))
        return false;
    *a = (adaptive){.op = op, .n = n};
    bool fits = x->n_dims == n + 1 || x->n_dims == n + 2;
    for (int d = 0; fits && d < n; d++) {
        a->in[d] = x->size[x->n_dims - n + d];
        a->out[d] = size[d] == -1 ? a->in[d] : size[d];
        fits = a->in[d] >= 1 && a->in[d] <= GN__MAX_STEP;
        if (fits && (a->out[d] < 1 || a->out[d] > GN__MAX_STEP)) {
            gn_fail(GN_E_ARGUMENT, op,
                    "size %lld must be positive, or -1 to keep that of the input",
                    (long long)size[d]);
            return false;
        }
    }
    if (!fits)
        gn_fail(GN_E_ARGUMENT, op, "input %s must be (N, C, %s) or (C, %s), sizes from 1 to %d",
                gn__shape_of(x), spatial[n - 1], spatial[n - 1], GN__MAX_STEP);
    return fits;
}

static int64_t window_first(const adaptive *a, int d, int64_t i) {
    return i * a->in[d] / a->out[d];
}

static int64_t window_end(const adaptive *a, int d, int64_t i) {
    return ((i + 1) * a->in[d] + a->out[d] - 1) / a->out[d];
}

static bool is_even(const adaptive *a) {
    for (int d = 0; d < a->n; d++)
        if (a->in[d] % a->out[d])
            return false;
    return true;
}

/* ---- Averages */

/* (out, in): element (i, j) is 1 / n where window i has n elements, j among them; else 0. */
static gn_tensor *window_means(const adaptive *a, int d, const gn_tensor *like) {
    const int64_t size[] = {a->out[d], a->in[d]}, count = gn__count(2, size);
    double *values = count < 0 ? NULL : gn__alloc_array((size_t)count, sizeof *values);
    if (values == NULL)
        return NULL;
    for (int64_t i = 0; i < a->out[d]; i++) {
        int64_t first = window_first(a, d, i), end = window_end(a, d, i);
        for (int64_t j = first; j < end; j++)
            values[i * a->in[d] + j] = 1.0 / (double)(end - first);
    }
    gn_tensor *matrix = gn__tensor_new(like->storage->device, like->dtype, 2, size);
    if (matrix && gn__copy_in_data(matrix, values, GN_F64, count) != GN_OK)
        matrix = NULL;
    free(values);
    return matrix;
}

/* y[.., i, ..] = sum_j means[i, j] x[.., j, ..] along spatial dim d */
static gn_tensor *averaged(const adaptive *a, int d, gn_tensor *x) {
    const int dim = x->n_dims - a->n + d;
    gn_tensor *means = window_means(a, d, x);
    if (means == NULL || d == a->n - 1)
        return means ? gn_matmul(x, gn_t(means)) : NULL;
    gn_shape shape = gn__shape(x->n_dims, x->size);
    shape.size[dim] = a->out[d];
    return gn_reshape_with(gn_matmul(means, gn_flatten(x, dim + 1)), shape);
}

static gn_tensor *even_average(const adaptive *a, gn_tensor *x) {
    gn_pool_options o = {.struct_size = sizeof o};
    gn_dims dims = {.n = a->n};
    bool whole = true;
    for (int d = 0; d < a->n; d++) {
        whole = whole && a->out[d] == 1;
        dims.dim[d] = d - a->n;
        o.kernel_sizes[d] = a->in[d] / a->out[d];
    }
    if (whole)
        return gn_mean(x, .dims = dims, .keepdim = true);
    return a->n == 1   ? gn_avg_pool1d_with(x, 0, &o)
           : a->n == 2 ? gn_avg_pool2d_with(x, 0, &o)
                       : gn_avg_pool3d_with(x, 0, &o);
}

static gn_tensor *average(const char *op, int n, gn_tensor *x, const int64_t *size) {
    adaptive a;
    if (!adaptive_make(op, n, x, size, &a))
        return NULL;
    if (is_even(&a))
        return even_average(&a, x);
    for (int d = n - 1; x && d >= 0; d--)
        if (a.out[d] != a.in[d])
            x = averaged(&a, d, x);
    return x;
}

gn_tensor *gn_adaptive_avg_pool1d(gn_tensor *x, int64_t length) {
    return average("adaptive_avg_pool1d", 1, x, (const int64_t[]){length});
}

gn_tensor *gn_adaptive_avg_pool2d(gn_tensor *x, int64_t height, int64_t width) {
    return average("adaptive_avg_pool2d", 2, x, (const int64_t[]){height, width});
}

gn_tensor *gn_adaptive_avg_pool3d(gn_tensor *x, int64_t depth, int64_t height, int64_t width) {
    return average("adaptive_avg_pool3d", 3, x, (const int64_t[]){depth, height, width});
}

/* ---- Maxima */

/* The elements of all windows along spatial dim d, one window after the other, each as long as the
 * longest: its last element repeats, which changes neither maximum nor place. */
static gn_tensor *window_elements(const adaptive *a, int d, gn__device *device, int64_t *longest) {
    *longest = 0;
    for (int64_t i = 0; i < a->out[d]; i++)
        if (*longest < window_end(a, d, i) - window_first(a, d, i))
            *longest = window_end(a, d, i) - window_first(a, d, i);
    const int64_t count = gn__count(2, (const int64_t[]){a->out[d], *longest});
    int64_t *values = count < 0 ? NULL : gn__alloc_array((size_t)count, sizeof *values);
    if (values == NULL)
        return NULL;
    for (int64_t i = 0; i < count; i++) {
        int64_t window = i / *longest, last = window_end(a, d, window) - 1,
                at = window_first(a, d, window) + i % *longest;
        values[i] = at < last ? at : last;
    }
    gn_tensor *index = gn__tensor_new(device, GN_I64, 1, &count);
    if (index && gn__copy_in_data(index, values, GN_I64, count) != GN_OK)
        index = NULL;
    free(values);
    return index;
}

/* The places in the input's spatial dims as one, of that shape. */
static gn_tensor *places_of(const adaptive *a, gn__device *device) {
    const int64_t count = gn__count(a->n, a->in);
    gn_tensor *flat =
        count < 0 ? NULL
                  : gn_arange(0, (double)count, 1, GN_AS(.dtype = GN_I64, .device = device->name));
    return gn_reshape_with(flat, gn__shape(a->n, a->in));
}

static gn_tensor *pooled(const adaptive *a, gn_tensor *x, const gn_pool_options *o) {
    return a->n == 1   ? gn_max_pool1d_with(x, 0, o)
           : a->n == 2 ? gn_max_pool2d_with(x, 0, o)
                       : gn_max_pool3d_with(x, 0, o);
}

static gn_tensor *maximum(const char *op, int n, gn_tensor *x, const int64_t *size,
                          gn_tensor **indices) {
    if (indices)
        *indices = NULL;
    adaptive a;
    if (!adaptive_make(op, n, x, size, &a))
        return NULL;
    gn__device *device = x->storage->device;
    gn_pool_options o = {.struct_size = sizeof o, .indices = indices};
    gn_tensor *places = indices && !is_even(&a) ? places_of(&a, device) : NULL;
    for (int d = 0; d < n; d++) {
        o.kernel_sizes[d] = a.in[d] / a.out[d];
        if (a.in[d] % a.out[d] == 0)
            continue;
        gn_tensor *elements = window_elements(&a, d, device, &o.kernel_sizes[d]);
        x = gn_index_select(x, d - n, elements);
        if (places)
            places = gn_index_select(places, d, elements);
    }
    gn_tensor *y = pooled(&a, x, &o);
    if (y && places) /* from places among the elements to those of the input */
        *indices = gn_reshape_with(
            gn_index_select(gn_flatten(places, 0), 0, gn_flatten(*indices, 0)), gn_shape_of(y));
    return y;
}

gn_tensor *gn_adaptive_max_pool1d(gn_tensor *x, int64_t length, gn_tensor **indices) {
    return maximum("adaptive_max_pool1d", 1, x, (const int64_t[]){length}, indices);
}

gn_tensor *gn_adaptive_max_pool2d(gn_tensor *x, int64_t height, int64_t width,
                                  gn_tensor **indices) {
    return maximum("adaptive_max_pool2d", 2, x, (const int64_t[]){height, width}, indices);
}

gn_tensor *gn_adaptive_max_pool3d(gn_tensor *x, int64_t depth, int64_t height, int64_t width,
                                  gn_tensor **indices) {
    return maximum("adaptive_max_pool3d", 3, x, (const int64_t[]){depth, height, width}, indices);
}
