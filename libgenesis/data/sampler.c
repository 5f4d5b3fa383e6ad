/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampler.c - which samples an epoch has, in which order. A random sampler takes one step of the
 * generator for each order that it makes.
 */
#include <math.h>
#include <stdlib.h>

#include "data.h"

/* A batch sampler has the class and the parts of the sampler that it cuts. */
typedef struct gn__sampler_class {
    gn_status (*fill)(gn_sampler *self, gn_generator *generator, int64_t *out);
} gn__sampler_class;

typedef struct sampler {
    gn_sampler base;
    int64_t size;     /* of the data set */
    bool replacement; /* random, weighted */
    int64_t *indices; /* given ones */
    double *weights;  /* with replacement: their sums from the first one on */
    gn_fill_indices *function;
    gn_sampler_options options;
    gn_sampler *source; /* of a batch sampler */
} sampler;

static void destroy_sampler(void *object) {
    sampler *self = object;
    gn_release(self->source);
    if (self->options.destroy)
        self->options.destroy(self->options.context);
    free(self->base.batch_end);
    free(self->indices);
    free(self->weights);
    free(self);
}

static sampler *make(const gn__sampler_class *type, int64_t count, bool random) {
    static const gn__kind kind = {.name = "sampler", .destroy = destroy_sampler};
    sampler *self = gn__object_new(&kind, sizeof *self);
    if (self) {
        self->base.type = type;
        self->base.count = count;
        self->base.random = random;
    }
    return self;
}

/* A number in [0, 1) of draw i. */
static double uniform(int64_t i, int64_t key, int64_t offset) {
    uint32_t words[4];
    gn__philox((uint64_t)i, (uint64_t)offset, (uint64_t)key, words);
    return (double)(((uint64_t)words[0] << 32 | words[1]) >> 11) * 0x1p-53;
}

/* ---- In order */

static gn_status fill_in_order(gn_sampler *base, gn_generator *generator, int64_t *out) {
    (void)generator;
    for (int64_t i = 0; i < base->count; i++)
        out[i] = i;
    return GN_OK;
}

static const gn__sampler_class sequential = {fill_in_order};

gn_sampler *gn_sequential_sampler(int64_t size) {
    if (gn__failed())
        return NULL;
    if (size < 0)
        return gn__fail_null(GN_E_ARGUMENT, "sequential_sampler", "%lld samples", (long long)size);
    return gn__own(make(&sequential, size, false));
}

/* ---- Random */

static gn_status fill_random(gn_sampler *base, gn_generator *generator, int64_t *out) {
    sampler *self = (sampler *)base;
    int64_t key, offset, size = self->size, count = base->count, *order = NULL;
    if (self->replacement) {
        gn__random_step(generator, &key, &offset);
        for (int64_t i = 0; i < count; i++)
            out[i] = (int64_t)(uniform(i, key, offset) * (double)size);
        return GN_OK;
    }
    for (; count >= size && size > 0; count -= size, out += size)
        gn__permutation(out, size, generator);
    if (count > 0 && (order = gn__alloc_array((size_t)size, sizeof *order))) {
        gn__permutation(order, size, generator);
        memcpy(out, order, (size_t)count * sizeof *out);
    }
    free(order);
    return gn_error_status();
}

static const gn__sampler_class random_class = {fill_random};

gn_sampler *gn_random_sampler_with(int64_t size, const gn_random_sampler_options *options) {
    static const gn_random_sampler_options standard = {0};
    if (gn__failed())
        return NULL;
    if (options == NULL)
        options = &standard;
    int64_t count = options->num_samples ? options->num_samples : size;
    if (size < 0 || count < 0 || (size == 0 && count > 0))
        return gn__fail_null(GN_E_ARGUMENT, "random_sampler", "%lld draws from %lld samples",
                             (long long)count, (long long)size);
    sampler *self = make(&random_class, count, true);
    if (self) {
        self->size = size;
        self->replacement = options->replacement;
    }
    return gn__own(self);
}

/* ---- Weighted */

/* The first index whose sum of weights is above `point`. */
static int64_t find(const double *sums, int64_t size, double point) {
    int64_t low = 0, high = size - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sums[middle] > point)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

typedef struct ranked {
    double rank;
    int64_t index;
} ranked;

static int by_rank(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Without replacement: those whose exponential numbers, with their weights for rates, come first
 * (Efraimidis and Spirakis 2006). */
static gn_status fill_ranked(const sampler *self, int64_t key, int64_t offset, int64_t *out) {
    ranked *all = gn__alloc_array((size_t)self->size, sizeof *all);
    for (int64_t i = 0; all && i < self->size; i++)
        all[i] = (ranked){-log1p(-uniform(i, key, offset)) / self->weights[i], i};
    for (int64_t i = 0; all && i < self->size; i++)
        if (self->weights[i] == 0)
            all[i].rank = INFINITY;
    if (all)
        qsort(all, (size_t)self->size, sizeof *all, by_rank);
    for (int64_t i = 0; all && i < self->base.count; i++)
        out[i] = all[i].index;
    free(all);
    return gn_error_status();
}

static gn_status fill_weighted(gn_sampler *base, gn_generator *generator, int64_t *out) {
    sampler *self = (sampler *)base;
    int64_t key, offset;
    gn__random_step(generator, &key, &offset);
    if (!self->replacement)
        return fill_ranked(self, key, offset, out);
    for (int64_t i = 0; i < base->count; i++)
        out[i] = find(self->weights, self->size,
                      uniform(i, key, offset) * self->weights[self->size - 1]);
    return GN_OK;
}

static const gn__sampler_class weighted = {fill_weighted};

/* The sum of the weights; negative if one is no weight. */
static double sum_of(const double *weights, int64_t size, int64_t *positive) {
    double sum = 0;
    *positive = 0;
    for (int64_t i = 0; i < size; i++) {
        if (!(weights[i] >= 0))
            return -1;
        *positive += weights[i] > 0;
        sum += weights[i];
    }
    return sum;
}

gn_sampler *gn_weighted_random_sampler(const double *weights, int64_t size, int64_t num_samples,
                                       bool replacement) {
    const char *op = "weighted_random_sampler";
    int64_t positive;
    if (gn__failed())
        return NULL;
    if (weights == NULL || size < 1 || num_samples < 1)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld draws by %lld weights%s",
                             (long long)num_samples, (long long)size, weights ? "" : ", NULL");
    double sum = sum_of(weights, size, &positive);
    if (!(sum > 0) || isinf(sum))
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "the weights must be finite, not negative, and not all 0");
    if (!replacement && num_samples > positive)
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "%lld draws without replacement, but only %lld weights are not 0",
                             (long long)num_samples, (long long)positive);
    sampler *self = make(&weighted, num_samples, true);
    if (self == NULL)
        return NULL;
    self->size = size;
    self->replacement = replacement;
    self->weights = gn__alloc_array((size_t)size, sizeof *weights);
    if (self->weights == NULL) {
        gn_release(self);
        return NULL;
    }
    for (int64_t i = 0; i < size; i++)
        self->weights[i] = weights[i] + (replacement && i > 0 ? self->weights[i - 1] : 0);
    return gn__own(self);
}

/* ---- Given indices */

static gn_status fill_given(gn_sampler *base, gn_generator *generator, int64_t *out) {
    const int64_t *indices = ((sampler *)base)->indices;
    if (!base->random) {
        if (base->count > 0)
            memcpy(out, indices, (size_t)base->count * sizeof *out);
        return GN_OK;
    }
    if (gn__permutation(out, base->count, generator) == GN_OK)
        for (int64_t i = 0; i < base->count; i++)
            out[i] = indices[out[i]];
    return gn_error_status();
}

static const gn__sampler_class given = {fill_given};

static gn_sampler *make_given(const char *op, const int64_t *indices, int64_t count, bool random) {
    if (gn__failed())
        return NULL;
    if (count < 0 || (indices == NULL && count > 0))
        return gn__fail_null(GN_E_ARGUMENT, op, indices ? "%lld indices" : "the indices are NULL",
                             (long long)count);
    sampler *self = make(&given, count, random);
    if (self == NULL)
        return NULL;
    self->indices = gn__indices_copy(indices, count);
    if (self->indices == NULL) {
        gn_release(self);
        return NULL;
    }
    return gn__own(self);
}

gn_sampler *gn_index_sampler(const int64_t *indices, int64_t count) {
    return make_given("index_sampler", indices, count, false);
}

gn_sampler *gn_subset_random_sampler(const int64_t *indices, int64_t count) {
    return make_given("subset_random_sampler", indices, count, true);
}

/* ---- Functions */

static gn_status fill_by_function(gn_sampler *base, gn_generator *generator, int64_t *out) {
    sampler *self = (sampler *)base;
    gn_status status = self->function(self->options.context, generator, out, base->count);
    return status == GN_OK ? gn_error_status()
                           : gn_fail(status, "sampler", "the function has failed");
}

static const gn__sampler_class by_function = {fill_by_function};

gn_sampler *gn_sampler_new_with(int64_t count, gn_fill_indices *fill,
                                const gn_sampler_options *options) {
    if (!gn__failed() && (count < 0 || fill == NULL))
        gn_fail(GN_E_ARGUMENT, "sampler_new", fill ? "%lld indices" : "there is no function",
                (long long)count);
    sampler *self = gn__failed() ? NULL : make(&by_function, count, true);
    if (self) {
        self->function = fill;
        if (options)
            self->options = *options;
    } else if (options && options->destroy) {
        options->destroy(options->context);
    }
    return gn__own(self);
}

/* ---- Batches */

static gn_status fill_source(gn_sampler *base, gn_generator *generator, int64_t *out) {
    gn_sampler *source = ((sampler *)base)->source;
    return source->type->fill(source, generator, out);
}

static const gn__sampler_class batches = {fill_source};

gn_sampler *gn_batch_sampler(gn_sampler *source, const int64_t *sizes, int64_t n) {
    const char *op = "batch_sampler";
    if (gn__failed())
        return NULL;
    if (source == NULL || sizes == NULL || n < 1)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld batches%s", (long long)n,
                             source && sizes ? "" : ", and an argument is NULL");
    sampler *self = make(&batches, source->count, source->random);
    int64_t *end = self ? gn__alloc_array((size_t)n, sizeof *end) : NULL, sum = 0;
    bool fits = true;
    for (int64_t i = 0; end && i < n; i++) {
        fits = fits && sizes[i] > 0 && gn__add(sum, sizes[i], &sum);
        end[i] = sum;
    }
    if (self == NULL)
        return NULL;
    self->source = gn_retain(source);
    self->base.batch_end = end;
    self->base.n_batches = n;
    if (end && (!fits || sum != source->count))
        gn_fail(GN_E_ARGUMENT, op,
                "the sizes must be at least 1 and add up to the sampler's %lld indices",
                (long long)source->count);
    if (gn__failed()) {
        gn_release(self);
        return NULL;
    }
    return gn__own(self);
}

/* ---- Their use */

int64_t gn_sampler_count(const gn_sampler *self) { return self ? self->count : 0; }

gn_status gn_sampler_indices(gn_sampler *self, gn_generator *generator, int64_t *out) {
    if (gn__failed())
        return gn_error_status();
    if (self == NULL || out == NULL)
        return gn_fail(GN_E_ARGUMENT, "sampler_indices", "the %s is NULL",
                       self ? "array" : "sampler");
    return self->type->fill(self, generator ? generator : gn_default_generator(), out);
}
