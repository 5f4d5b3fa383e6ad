/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed.c - batches of sequences of different lengths, packed and padded. A packed batch is a gather
 * of rows of the padded one, and back a scatter; the places are found on the host.
 */
#include "packed.h"

#include <stdlib.h>

/* ---- The plan of a packed batch, on the host */

typedef struct plan {
    int64_t steps, n, rows;
    int64_t *sizes; /* (steps): sequences that reach each step */
    int64_t
        *order; /* (n): which sequence of the padded batch is the i-th longest; NULL: the i-th */
} plan;

static void plan_free(plan *p) {
    free(p->sizes);
    free(p->order);
}

/* The elements of an int64 vector; malloc'ed. */
static int64_t *host_values(gn_tensor *t) {
    int64_t *values = gn__alloc_array((size_t)t->count + 1, sizeof *values);
    if (values && gn_copy_out(t, values, GN_I64, t->count) != GN_OK) {
        free(values);
        values = NULL;
    }
    return values;
}

static gn_tensor *device_values(const int64_t *values, int64_t n, const gn_tensor *like) {
    return gn_tensor_from(values, GN_I64, GN_SHAPE(n),
                          GN_AS(.device = like->storage->device->name));
}

/* Where the rows are in a padded batch of so many steps. */
static gn_tensor *places_of(const plan *p, int64_t steps, bool batch_first, const gn_tensor *like) {
    int64_t *places = gn__alloc_array((size_t)p->rows + 1, sizeof *places), row = 0;
    if (places == NULL)
        return NULL;
    for (int64_t t = 0; t < p->steps; t++)
        for (int64_t i = 0; i < p->sizes[t]; i++) {
            const int64_t sequence = p->order ? p->order[i] : i;
            places[row++] = batch_first ? sequence * steps + t : t * p->n + sequence;
        }
    gn_tensor *result = device_values(places, p->rows, like);
    free(places);
    return result;
}

/* The lengths, in the order of the padded batch. */
static gn_tensor *lengths_of(const plan *p, const gn_tensor *like) {
    int64_t *lengths = gn__alloc_array((size_t)p->n + 1, sizeof *lengths);
    if (lengths == NULL)
        return NULL;
    for (int64_t t = 0; t < p->steps; t++)
        for (int64_t i = 0; i < p->sizes[t]; i++)
            lengths[p->order ? p->order[i] : i] = t + 1;
    gn_tensor *result = device_values(lengths, p->n, like);
    free(lengths);
    return result;
}

/* ---- Packing */

typedef struct place {
    int64_t length, index;
} place;

/* Longest first; of equal ones the first. */
static int compare(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->length != y->length)
        return x->length < y->length ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static gn_status check_lengths(const char *op, const place *sorted, int64_t n, int64_t steps,
                               bool unsorted) {
    if (sorted[0].length > steps || sorted[n - 1].length < 1)
        return gn_fail(GN_E_ARGUMENT, op, "lengths from %lld to %lld: they must be from 1 to %lld",
                       (long long)sorted[n - 1].length, (long long)sorted[0].length,
                       (long long)steps);
    for (int64_t i = 0; i < n && !unsorted; i++)
        if (sorted[i].index != i)
            return gn_fail(GN_E_ARGUMENT, op,
                           "lengths must descend; set .unsorted = true to have them sorted");
    return GN_OK;
}

/* Makes a plan of n > 0 lengths of sequences of up to `steps`. */
static gn_status plan_lengths(const char *op, gn_tensor *lengths, int64_t steps, bool unsorted,
                              plan *p) {
    const int64_t n = lengths->count;
    int64_t *values = host_values(lengths);
    place *sorted = gn__alloc_array((size_t)n, sizeof *sorted);
    for (int64_t i = 0; i < n && !gn__failed(); i++)
        sorted[i] = (place){values[i], i};
    free(values);
    if (!gn__failed()) {
        qsort(sorted, (size_t)n, sizeof *sorted, compare);
        check_lengths(op, sorted, n, steps, unsorted);
    }
    if (!gn__failed()) {
        *p = (plan){.steps = sorted[0].length, .n = n};
        p->sizes = gn__alloc_array((size_t)p->steps, sizeof *p->sizes);
        p->order = unsorted ? gn__alloc_array((size_t)n, sizeof *p->order) : NULL;
    }
    for (int64_t i = 0; i < n && !gn__failed(); i++) {
        if (p->order)
            p->order[i] = sorted[i].index;
        p->rows += sorted[i].length;
        for (int64_t t = 0; t < sorted[i].length; t++)
            p->sizes[t]++;
    }
    free(sorted);
    return gn_error_status();
}

static void set_order(const plan *p, gn_packed_sequence *packed) {
    int64_t *inverse = gn__alloc_array((size_t)p->n, sizeof *inverse);
    if (inverse == NULL)
        return;
    for (int64_t i = 0; i < p->n; i++)
        inverse[p->order[i]] = i;
    packed->sorted_indices = device_values(p->order, p->n, packed->data);
    packed->unsorted_indices = device_values(inverse, p->n, packed->data);
    free(inverse);
}

gn_packed_sequence gn_pack_padded_sequence_with(gn_tensor *x, gn_tensor *lengths,
                                                const gn_pack_options *options) {
    static const char op[] = "pack_padded_sequence";
    const gn_packed_sequence none = {0};
    gn_pack_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || !gn__given(op, x) || !gn__given(op, lengths))
        return none;
    const int batch = !o.batch_first, time = o.batch_first;
    if (x->n_dims < 2 || lengths->n_dims != 1 || gn_dtype_is_float(lengths->dtype) ||
        lengths->count != x->size[batch] || lengths->count == 0) {
        gn_fail(GN_E_ARGUMENT, op,
                "input %s does not fit lengths %s: they must be %s and (N) integers",
                gn__shape_of(x), gn__shape_of(lengths), o.batch_first ? "(N, T, *)" : "(T, N, *)");
        return none;
    }
    plan p = {0};
    gn_packed_sequence packed = none;
    if (plan_lengths(op, lengths, x->size[time], o.unsorted, &p) == GN_OK) {
        gn_tensor *places = places_of(&p, x->size[time], o.batch_first, x);
        packed.data = gn_index_select(gn_flatten_range(x, 0, 1), 0, places);
        packed.batch_sizes = device_values(p.sizes, p.steps, x);
        if (p.order && packed.data)
            set_order(&p, &packed);
    }
    plan_free(&p);
    return gn__failed() ? none : packed;
}

/* ---- Padding again */

static gn_status bad_packed(const char *op, const char *what) {
    return gn_fail(GN_E_ARGUMENT, op, "this is no packed sequence: %s", what);
}

static gn_status check_sizes(const char *op, const plan *p, int64_t rows) {
    int64_t sum = 0;
    for (int64_t t = 0; t < p->steps; t++) {
        if (p->sizes[t] < 1 || p->sizes[t] > rows || (t && p->sizes[t] > p->sizes[t - 1]))
            return bad_packed(op, "batch_sizes must be positive and not grow");
        sum += p->sizes[t];
    }
    return sum == rows ? GN_OK : bad_packed(op, "batch_sizes must add up to the rows of data");
}

static gn_status check_order(const char *op, const plan *p) {
    int64_t *seen = gn__alloc_array((size_t)p->n, sizeof *seen);
    for (int64_t i = 0; i < p->n && !gn__failed(); i++) {
        const int64_t at = p->order[i];
        if (at < 0 || at >= p->n || seen[at]++)
            bad_packed(op, "sorted_indices must be a permutation");
    }
    free(seen);
    return gn_error_status();
}

static bool is_index_vector(const gn_tensor *t) { return t->n_dims == 1 && t->dtype == GN_I64; }

/* The plan of a packed batch; `ordered`: in the order of the padded batch. */
static gn_status plan_packed(const char *op, const gn_packed_sequence *packed, bool ordered,
                             plan *p) {
    *p = (plan){0};
    if (packed == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "the packed sequence is NULL");
    if (!gn__given(op, packed->data) || !gn__given(op, packed->batch_sizes))
        return gn_error_status();
    const gn_tensor *sizes = packed->batch_sizes, *order = packed->sorted_indices;
    if (packed->data->n_dims < 1 || !is_index_vector(sizes) || sizes->count == 0 ||
        sizes->count > packed->data->size[0])
        return bad_packed(op, "batch_sizes must be int64, with a number for each step");
    p->steps = sizes->count;
    p->sizes = host_values(packed->batch_sizes);
    if (p->sizes == NULL || check_sizes(op, p, packed->data->size[0]) != GN_OK)
        return gn_error_status();
    p->n = p->sizes[0];
    p->rows = packed->data->size[0];
    if (order && (!is_index_vector(order) || order->count != p->n))
        return bad_packed(op, "sorted_indices must be int64, with a number for each sequence");
    if (order && ordered && (p->order = host_values(packed->sorted_indices)))
        check_order(op, p);
    return gn_error_status();
}

/* data with its rows at `places` of (first, second, *), and `value` elsewhere. The product of the two
 * is known to fit. */
static gn_tensor *scattered(gn_tensor *data, gn_tensor *places, int64_t first, int64_t second,
                            double value) {
    gn_shape shape = gn__shape(data->n_dims, data->size);
    if (shape.n == GN_TENSOR_MAX_DIMS)
        return gn__fail_null(GN_E_UNSUPPORTED, "pad_packed_sequence", "%s has too many dims",
                             gn__shape_of(data));
    shape.size[0] = first * second;
    gn_tensor *all = gn_full(
        shape, value, GN_AS(.dtype = (gn_dtype)data->dtype, .device = data->storage->device->name));
    gn_index_put(all, data, GN_BY(places));
    memmove(&shape.size[2], &shape.size[1], (size_t)(shape.n - 1) * sizeof shape.size[0]);
    shape.size[0] = first;
    shape.size[1] = second;
    shape.n++;
    return gn_view_with(all, shape);
}

gn_tensor *gn_pad_packed_sequence_with(const gn_packed_sequence *packed, gn_tensor **lengths,
                                       const gn_pad_options *options) {
    static const char op[] = "pad_packed_sequence";
    gn_pad_options o;
    gn__options(&o, sizeof o, options);
    if (lengths)
        *lengths = NULL;
    plan p = {0};
    gn_tensor *padded = NULL;
    if (!gn__failed() && plan_packed(op, packed, true, &p) == GN_OK) {
        const int64_t steps = o.total_length ? o.total_length : p.steps;
        int64_t all;
        if (steps < p.steps || !gn__mul(steps, p.n, &all)) {
            gn_fail(GN_E_ARGUMENT, op, "total_length %lld does not fit: the longest length is %lld",
                    (long long)steps, (long long)p.steps);
        } else {
            gn_tensor *places = places_of(&p, steps, o.batch_first, packed->data);
            padded = scattered(packed->data, places, o.batch_first ? p.n : steps,
                               o.batch_first ? steps : p.n, o.padding_value);
            if (lengths)
                *lengths = lengths_of(&p, packed->data);
        }
    }
    plan_free(&p);
    return gn__failed() ? NULL : padded;
}

/* ---- For recurrent modules */

bool gn__unpack(const char *op, const gn_packed_sequence *packed, gn_tensor *data,
                gn__unpacked *out) {
    plan p = {0};
    if (!gn__failed() && plan_packed(op, packed, false, &p) == GN_OK) {
        out->places = places_of(&p, p.steps, false, data);
        out->lengths = lengths_of(&p, data);
        out->x = scattered(data, out->places, p.steps, p.n, 0);
    }
    plan_free(&p);
    return !gn__failed();
}

gn_tensor *gn__pack_again(const gn__unpacked *unpacked, gn_tensor *y) {
    return gn_index_select(gn_flatten_range(y, 0, 1), 0, unpacked->places);
}

/* ---- Padding alone */

/* t (L, *) with as much more as makes it (steps, *). */
static gn_tensor *padded_to(gn_tensor *t, int64_t steps, const gn_pad_options *o) {
    gn_shape none = {.n = t->n_dims}, more = none;
    more.size[0] = steps - t->size[0];
    return o->padding_left ? gn_pad(t, more, none, o->padding_value)
                           : gn_pad(t, none, more, o->padding_value);
}

gn_tensor *gn_pad_sequence_with(gn_tensor *const *tensors, int64_t n,
                                const gn_pad_options *options) {
    static const char op[] = "pad_sequence";
    gn_pad_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (tensors == NULL || n < 1)
        return gn__fail_null(GN_E_ARGUMENT, op, "there must be one tensor or more");
    int64_t steps = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!gn__given(op, tensors[i]))
            return NULL;
        if (tensors[i]->n_dims == 0)
            return gn__fail_null(GN_E_ARGUMENT, op, "tensor %lld is 0-dim: it must be (L, *)",
                                 (long long)i);
        steps = tensors[i]->size[0] > steps ? tensors[i]->size[0] : steps;
    }
    gn_scope scope = gn_scope_begin();
    gn_tensor **padded = gn__alloc_array((size_t)n, sizeof(gn_tensor *));
    for (int64_t i = 0; i < n && padded; i++)
        padded[i] = padded_to(tensors[i], steps, &o);
    gn_tensor *result = gn__failed() ? NULL : gn_stack(padded, n, !o.batch_first);
    free(padded);
    return gn_scope_end_with(scope, result);
}
