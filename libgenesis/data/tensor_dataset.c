/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_dataset.c - data sets of tensors, whose samples are slices.
 */
#include <stdlib.h>

#include "data.h"

typedef struct tensor_dataset {
    gn_dataset base;
    gn_tensor *x, *y; /* row-major; y may be NULL */
} tensor_dataset;

static void destroy_tensors(gn_dataset *dataset) {
    tensor_dataset *self = (tensor_dataset *)dataset;
    gn_release(self->x);
    gn_release(self->y);
}

static gn_status get_slice(gn_dataset *dataset, int64_t index, gn_generator *generator,
                           gn_sample *out) {
    (void)generator;
    tensor_dataset *self = (tensor_dataset *)dataset;
    out->x = gn_select(self->x, 0, index);
    out->y = self->y ? gn_select(self->y, 0, index) : NULL;
    return gn_error_status();
}

static gn_status get_slices(gn_dataset *dataset, const int64_t *indices, int64_t n,
                            gn_sample *out) {
    tensor_dataset *self = (tensor_dataset *)dataset;
    out->x = gn__gather(self->x, indices, n);
    out->y = self->y ? gn__gather(self->y, indices, n) : NULL;
    return gn_error_status();
}

static const gn__dataset_class tensor_class = {
    .name = "tensor", .get = get_slice, .get_batch = get_slices, .destroy = destroy_tensors};

static gn_dataset *make(gn_tensor *x, gn_tensor *y) {
    gn_scope scope = gn_scope_begin();
    x = gn_contiguous(gn_detach(x));
    y = y ? gn_contiguous(gn_detach(y)) : NULL;
    tensor_dataset *self =
        gn__failed() ? NULL : gn__dataset_new(&tensor_class, sizeof *self, x->size[0]);
    if (self) {
        self->base.batched = true;
        self->x = gn_retain(x);
        self->y = gn_retain(y);
    }
    return gn_scope_end_with(scope, gn__own(self));
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
    return make(x, y);
}

static const tensor_dataset *as_tensors(const gn_dataset *dataset) {
    return dataset && dataset->type == &tensor_class ? (const tensor_dataset *)dataset : NULL;
}

gn_tensor *gn_dataset_x(const gn_dataset *dataset) {
    const tensor_dataset *self = as_tensors(dataset);
    return self ? self->x : NULL;
}

gn_tensor *gn_dataset_y(const gn_dataset *dataset) {
    const tensor_dataset *self = as_tensors(dataset);
    return self ? self->y : NULL;
}

/* The indices 0 .. count-1 of any other set. */
static gn_dataset *head_of(gn_dataset *dataset, int64_t count) {
    int64_t *indices = gn__alloc_array((size_t)count + 1, sizeof *indices);
    for (int64_t i = 0; indices && i < count; i++)
        indices[i] = i;
    gn_dataset *head = indices ? gn_subset(dataset, indices, count) : NULL;
    free(indices);
    return head;
}

gn_dataset *gn_dataset_head(gn_dataset *dataset, int64_t count) {
    const char *op = "dataset_head";
    if (gn__failed() || !gn__dataset_indexed(op, dataset))
        return NULL;
    if (count < 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld samples", (long long)count);
    if (count > dataset->size)
        count = dataset->size;
    const tensor_dataset *self = as_tensors(dataset);
    if (self == NULL)
        return head_of(dataset, count);
    gn_scope scope = gn_scope_begin();
    gn_tensor *x = gn_narrow(self->x, 0, 0, count);
    gn_tensor *y = self->y ? gn_narrow(self->y, 0, 0, count) : NULL;
    return gn_scope_end_with(scope, gn__failed() ? NULL : make(x, y));
}
