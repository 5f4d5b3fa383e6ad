/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset.c - data sets of tensors.
 */
#include <stdlib.h>

#include "data.h"

static void destroy_dataset(void *object) {
    gn_dataset *dataset = object;
    gn_release(dataset->x);
    gn_release(dataset->y);
    free(dataset);
}

static gn_dataset *make(gn_tensor *x, gn_tensor *y, int64_t size) {
    static const gn__kind kind = {.name = "dataset", .destroy = destroy_dataset};
    gn_dataset *dataset = gn__object_new(&kind, sizeof *dataset);
    if (dataset == NULL)
        return NULL;
    dataset->x = gn_retain(x);
    dataset->y = gn_retain(y);
    dataset->size = size;
    return gn__own(dataset);
}

gn_dataset *gn_tensor_dataset(gn_tensor *x, gn_tensor *y) {
    const char *op = "tensor_dataset";
    if (gn__failed() || !gn__given(op, x))
        return NULL;
    if (x->n_dims == 0 || (y && y->n_dims == 0))
        return gn__fail_null(GN_E_ARGUMENT, op, "a tensor without dims has no samples");
    if (y && y->size[0] != x->size[0])
        return gn__fail_null(GN_E_ARGUMENT, op, "x %s has %lld samples and y %s has %lld",
                             gn__shape_of(x), (long long)x->size[0], gn__shape_of(y),
                             (long long)y->size[0]);
    return make(x, y, x->size[0]);
}

gn_dataset *gn_dataset_head(gn_dataset *dataset, int64_t count) {
    if (gn__failed())
        return NULL;
    if (dataset == NULL || count < 0)
        return gn__fail_null(GN_E_ARGUMENT, "dataset_head", "%lld samples of %s", (long long)count,
                             dataset ? "a data set" : "NULL");
    gn_scope scope = gn_scope_begin();
    if (count > dataset->size)
        count = dataset->size;
    gn_tensor *x = gn_narrow(dataset->x, 0, 0, count);
    gn_tensor *y = dataset->y ? gn_narrow(dataset->y, 0, 0, count) : NULL;
    return gn_scope_end_with(scope, gn__failed() ? NULL : make(x, y, count));
}

int64_t gn_dataset_size(const gn_dataset *dataset) { return dataset ? dataset->size : 0; }
gn_tensor *gn_dataset_x(const gn_dataset *dataset) { return dataset ? dataset->x : NULL; }
gn_tensor *gn_dataset_y(const gn_dataset *dataset) { return dataset ? dataset->y : NULL; }
