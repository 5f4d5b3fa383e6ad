/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset.c - what all data sets have in common, and those that are made of functions: sets of one's
 * own, and sets whose samples a function changes.
 */
#include <stdlib.h>

#include "data.h"

/* ---- Samples */

gn_tensor **gn__field(gn_sample *sample, int k) {
    return k == 0 ? &sample->x : k == 1 ? &sample->y : &sample->extra[k - 2];
}

void gn__sample_retain(const gn_sample *sample) {
    for (int k = 0; k < GN__SAMPLE_FIELDS; k++)
        gn_retain(*gn__field((gn_sample *)sample, k));
}

void gn__sample_release(gn_sample *sample) {
    for (int k = 0; k < GN__SAMPLE_FIELDS; k++)
        gn_release(*gn__field(sample, k));
    *sample = (gn_sample){.x = NULL};
}

/* ---- All sets */

static void destroy_dataset(void *object) {
    gn_dataset *dataset = object;
    dataset->type->destroy(dataset);
    free(dataset);
}

void *gn__dataset_new(const gn__dataset_class *type, size_t bytes, int64_t size) {
    static const gn__kind kind = {.name = "dataset", .destroy = destroy_dataset};
    gn_dataset *dataset = gn__object_new(&kind, bytes);
    if (dataset) {
        dataset->type = type;
        dataset->size = size;
    }
    return dataset;
}

bool gn__dataset_indexed(const char *op, const gn_dataset *dataset) {
    if (dataset && dataset->size >= 0)
        return true;
    gn_fail(GN_E_ARGUMENT, op,
            dataset ? "the data set is iterable: its samples have no indices"
                    : "the data set is NULL");
    return false;
}

int64_t gn_dataset_size(const gn_dataset *dataset) { return dataset ? dataset->size : 0; }

gn_status gn_dataset_get(gn_dataset *dataset, int64_t index, gn_generator *generator,
                         gn_sample *out) {
    const char *op = "dataset_get";
    if (gn__failed())
        return gn_error_status();
    if (!gn__dataset_indexed(op, dataset))
        return gn_error_status();
    if (out == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "there is no place for the sample: out is NULL");
    if (index < 0 || index >= dataset->size)
        return gn_fail(GN_E_INDEX, op, "sample %lld of %lld", (long long)index,
                       (long long)dataset->size);
    *out = (gn_sample){.x = NULL};
    return dataset->type->get(dataset, index, generator ? generator : gn_default_generator(), out);
}

/* ---- Sets of functions */

typedef struct function_dataset {
    gn_dataset base;
    gn_get_sample *get; /* or next */
    gn_map_sample *map; /* of `source` */
    gn_dataset *source;
    gn_dataset_options options;
} function_dataset;

static void destroy_function(gn_dataset *dataset) {
    function_dataset *self = (function_dataset *)dataset;
    gn_release(self->source);
    if (self->options.destroy)
        self->options.destroy(self->options.context);
}

static gn_status begin_function(gn_dataset *dataset) {
    function_dataset *self = (function_dataset *)dataset;
    gn_status status = self->options.begin ? self->options.begin(self->options.context) : GN_OK;
    return status == GN_OK ? gn_error_status()
                           : gn_fail(status, "begin", "the data set can't begin an epoch");
}

/* A function may say so without an error recorded. */
static gn_status answered(gn_status status, const char *what) {
    return status == GN_OK ? gn_error_status() : gn_fail(status, what, "the function has failed");
}

static gn_status get_function(gn_dataset *dataset, int64_t index, gn_generator *generator,
                              gn_sample *out) {
    function_dataset *self = (function_dataset *)dataset;
    gn_status status = self->get(self->options.context, index, generator, out);
    if (answered(status, "get") == GN_OK && out->x == NULL && dataset->size >= 0)
        return gn_fail(GN_E_STATE, "get", "the function has made no x");
    return gn_error_status();
}

static gn_status begin_map(gn_dataset *dataset) {
    gn_dataset *source = ((function_dataset *)dataset)->source;
    return source->type->begin ? source->type->begin(source) : GN_OK;
}

static gn_status get_map(gn_dataset *dataset, int64_t index, gn_generator *generator,
                         gn_sample *out) {
    function_dataset *self = (function_dataset *)dataset;
    if (self->source->type->get(self->source, index, generator, out) != GN_OK || out->x == NULL)
        return gn_error_status();
    gn_status status = self->map(self->options.context, out, generator);
    if (answered(status, "map") == GN_OK && out->x == NULL)
        return gn_fail(GN_E_STATE, "map", "the function has left no x");
    return gn_error_status();
}

static const gn__dataset_class function_class = {
    .name = "function", .get = get_function, .begin = begin_function, .destroy = destroy_function};
static const gn__dataset_class map_class = {
    .name = "map", .get = get_map, .begin = begin_map, .destroy = destroy_function};

static gn_dataset *make(const gn__dataset_class *type, int64_t size, const function_dataset *parts,
                        const gn_dataset_options *options) {
    function_dataset *self = gn__failed() ? NULL : gn__dataset_new(type, sizeof *self, size);
    if (self == NULL) {
        if (options && options->destroy)
            options->destroy(options->context);
        return NULL;
    }
    self->get = parts->get;
    self->map = parts->map;
    self->source = gn_retain(parts->source);
    if (options)
        self->options = *options;
    return gn__own(self);
}

gn_dataset *gn_dataset_new_with(int64_t size, gn_get_sample *get,
                                const gn_dataset_options *options) {
    if (!gn__failed() && (size < 0 || get == NULL))
        gn_fail(GN_E_ARGUMENT, "dataset_new",
                get ? "%lld samples" : "there is no function to get them", (long long)size);
    return make(&function_class, size, &(function_dataset){.get = get}, options);
}

gn_dataset *gn_iterable_dataset_new_with(gn_get_sample *next, const gn_dataset_options *options) {
    if (!gn__failed() && next == NULL)
        gn_fail(GN_E_ARGUMENT, "iterable_dataset_new", "there is no function to get samples");
    return make(&function_class, -1, &(function_dataset){.get = next}, options);
}

gn_dataset *gn_map_dataset_with(gn_dataset *dataset, gn_map_sample *map,
                                const gn_dataset_options *options) {
    if (!gn__failed() && (dataset == NULL || map == NULL))
        gn_fail(GN_E_ARGUMENT, "map_dataset", "the %s is NULL", dataset ? "function" : "data set");
    return make(&map_class, gn_dataset_size(dataset),
                &(function_dataset){.map = map, .source = dataset}, options);
}
