/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subset.c - data sets made of others: parts of one, and several joined.
 */
#include <math.h>
#include <stdlib.h>

#include "data.h"

/* ---- Subsets */

typedef struct subset {
    gn_dataset base, *source;
    int64_t *indices;
} subset;

static void destroy_subset(gn_dataset *dataset) {
    subset *self = (subset *)dataset;
    gn_release(self->source);
    free(self->indices);
}

static gn_status get_of_subset(gn_dataset *dataset, int64_t index, gn_generator *generator,
                               gn_sample *out) {
    subset *self = (subset *)dataset;
    return self->source->type->get(self->source, self->indices[index], generator, out);
}

static gn_status get_batch_of_subset(gn_dataset *dataset, const int64_t *indices, int64_t n,
                                     gn_sample *out) {
    subset *self = (subset *)dataset;
    int64_t *mapped = gn__alloc_array((size_t)n, sizeof *mapped);
    for (int64_t i = 0; mapped && i < n; i++)
        mapped[i] = self->indices[indices[i]];
    if (mapped)
        self->source->type->get_batch(self->source, mapped, n, out);
    free(mapped);
    return gn_error_status();
}

static const gn__dataset_class subset_class = {.name = "subset",
                                               .get = get_of_subset,
                                               .get_batch = get_batch_of_subset,
                                               .destroy = destroy_subset};

int64_t *gn__indices_copy(const int64_t *indices, int64_t count) {
    int64_t *copy = gn__alloc_array((size_t)count + 1, sizeof *indices);
    if (copy && count > 0)
        memcpy(copy, indices, (size_t)count * sizeof *indices);
    return copy;
}

gn_dataset *gn_subset(gn_dataset *dataset, const int64_t *indices, int64_t count) {
    const char *op = "subset";
    if (gn__failed() || !gn__dataset_indexed(op, dataset))
        return NULL;
    if (count < 0 || (indices == NULL && count > 0))
        return gn__fail_null(GN_E_ARGUMENT, op, indices ? "%lld indices" : "the indices are NULL",
                             (long long)count);
    for (int64_t i = 0; i < count; i++)
        if (indices[i] < 0 || indices[i] >= dataset->size)
            return gn__fail_null(GN_E_INDEX, op, "index %lld of a data set of %lld samples",
                                 (long long)indices[i], (long long)dataset->size);
    subset *self = gn__dataset_new(&subset_class, sizeof *self, count);
    if (self == NULL)
        return NULL;
    self->base.batched = dataset->batched;
    self->source = gn_retain(dataset);
    self->indices = gn__indices_copy(indices, count);
    if (self->indices == NULL) {
        gn_release(self);
        return NULL;
    }
    return gn__own(self);
}

/* ---- Random splits */

/* Numbers of samples from what the user gave, which may be fractions. */
static gn_status split_sizes(const double *parts, int64_t n, int64_t size, int64_t *sizes) {
    double sum = 0;
    bool whole = true, valid = true;
    for (int64_t i = 0; i < n; i++) {
        sum += parts[i];
        whole = whole && parts[i] == floor(parts[i]);
        valid = valid && parts[i] >= 0;
    }
    bool counts = whole && sum == (double)size;
    if (!valid || (!counts && !(fabs(sum - 1) < 1e-6)))
        return gn_fail(GN_E_ARGUMENT, "random_split",
                       "parts that add up to %g: they must add up to the %lld samples or to 1", sum,
                       (long long)size);
    int64_t left = size;
    for (int64_t i = 0; i < n; i++) {
        sizes[i] = (int64_t)floor(counts ? parts[i] : parts[i] * (double)size);
        left -= sizes[i];
    }
    for (int64_t i = 0; left > 0; i = (i + 1) % n, left--)
        sizes[i]++;
    for (int64_t i = n - 1; left < 0; i--) /* the sum was rounded up */
        for (; left < 0 && sizes[i] > 0; left++)
            sizes[i]--;
    return GN_OK;
}

gn_status gn_random_split(gn_dataset *dataset, const double *parts, int64_t n,
                          gn_generator *generator, gn_dataset **out) {
    const char *op = "random_split";
    if (gn__failed() || !gn__dataset_indexed(op, dataset))
        return gn_error_status();
    if (parts == NULL || out == NULL || n < 1)
        return gn_fail(GN_E_ARGUMENT, op, "%lld parts%s", (long long)n,
                       parts && out ? "" : ", and an array is NULL");
    gn_scope scope = gn_scope_begin();
    int64_t *sizes = gn__alloc_array((size_t)n, sizeof *sizes), at = 0;
    int64_t *order = gn__alloc_array((size_t)dataset->size + 1, sizeof *order);
    if (sizes && order && split_sizes(parts, n, dataset->size, sizes) == GN_OK) {
        gn__permutation(order, dataset->size, generator);
        for (int64_t i = 0; i < n; at += sizes[i++])
            out[i] = gn_retain(gn_subset(dataset, order + at, sizes[i]));
    }
    bool failed = gn__failed();
    free(sizes);
    free(order);
    gn_scope_end(scope);
    for (int64_t i = 0; i < n; i++)
        if (failed)
            out[i] = NULL;
        else
            gn__own(out[i]);
    return gn_error_status();
}

/* ---- Concatenation */

typedef struct concat {
    gn_dataset base;
    int64_t n, *end; /* end[k]: samples of the parts 0 .. k */
    gn_dataset **part;
} concat;

static void destroy_concat(gn_dataset *dataset) {
    concat *self = (concat *)dataset;
    for (int64_t k = 0; self->part && k < self->n; k++)
        gn_release(self->part[k]);
    free(self->part);
    free(self->end);
}

static gn_status get_of_concat(gn_dataset *dataset, int64_t index, gn_generator *generator,
                               gn_sample *out) {
    concat *self = (concat *)dataset;
    int64_t low = 0, high = self->n - 1; /* the first part whose end is above the index */
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (self->end[middle] > index)
            high = middle;
        else
            low = middle + 1;
    }
    gn_dataset *part = self->part[low];
    int64_t start = low > 0 ? self->end[low - 1] : 0;
    return part->type->get(part, index - start, generator, out);
}

static const gn__dataset_class concat_class = {
    .name = "concat", .get = get_of_concat, .destroy = destroy_concat};

gn_dataset *gn_concat_dataset(gn_dataset *const *datasets, int64_t n) {
    const char *op = "concat_dataset";
    if (gn__failed())
        return NULL;
    if (datasets == NULL || n < 1)
        return gn__fail_null(GN_E_ARGUMENT, op, "there is no data set");
    int64_t size = 0;
    for (int64_t k = 0; k < n; k++)
        if (!gn__dataset_indexed(op, datasets[k]))
            return NULL;
        else if (!gn__add(size, datasets[k]->size, &size))
            return gn__fail_null(GN_E_ARGUMENT, op, "more samples than can be counted");
    concat *self = gn__dataset_new(&concat_class, sizeof *self, size);
    if (self == NULL)
        return NULL;
    self->n = n;
    self->end = gn__alloc_array((size_t)n, sizeof *self->end);
    self->part = gn__alloc_array((size_t)n, sizeof *self->part);
    if (self->end == NULL || self->part == NULL) {
        gn_release(self);
        return NULL;
    }
    for (int64_t k = 0, end = 0; k < n; k++) {
        self->part[k] = gn_retain(datasets[k]);
        self->end[k] = end += datasets[k]->size;
    }
    return gn__own(self);
}
