/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor.c - the tensor object: making, freeing, hidden layouts, properties.
 */
#include <stdlib.h>

#include "../program/program.h"
#include "tensor.h"

/* Defined by autograd: drops the history, gradient and hooks of a tensor that is freed. */
void gn__history_free(gn_tensor *t);

static void tensor_destroy(void *object) {
    gn_tensor *t = object;
    if (t->node || t->grad || t->hooks)
        gn__history_free(t);
    gn_release(t->base);
    gn__storage_release(t->storage);
    free(t);
}

static const gn__kind tensor_kind = {.name = "tensor", .destroy = tensor_destroy};

/* ---- Making */

static bool shape_fits(const char *op, int n_dims, const int64_t *size, int dtype, int64_t *count) {
    if (n_dims < 0 || n_dims > GN_TENSOR_MAX_DIMS) {
        gn_fail(GN_E_ARGUMENT, op, "%d dims: at most %d are possible", n_dims, GN_TENSOR_MAX_DIMS);
        return false;
    }
    for (int d = 0; d < n_dims; d++)
        if (size[d] < 0) {
            gn_fail(GN_E_ARGUMENT, op, "shape %s has a negative size",
                    gn__shape_text(n_dims, size));
            return false;
        }
    *count = gn__count(n_dims, size);
    int64_t bytes;
    if (*count < 0 || !gn__mul(*count, gn_dtype_bytes(dtype), &bytes)) {
        gn_fail(GN_E_MEMORY, op, "shape %s has more elements than can be addressed",
                gn__shape_text(n_dims, size));
        return false;
    }
    return true;
}

/* A tensor object that owns `storage`, which it takes over even on failure; no sizes yet. */
static gn_tensor *tensor_over(gn__storage *storage, int dtype, int n_dims, const int64_t *size) {
    gn_tensor *t = gn__object_new(&tensor_kind, sizeof *t);
    if (!t) {
        gn__storage_release(storage);
        return NULL;
    }
    t->storage = storage;
    t->dtype = (int8_t)dtype;
    t->n_dims = (int8_t)n_dims;
    t->inference = gn__self()->no_grad & GN__OFF_INFERENCE;
    if (n_dims) /* size may be NULL otherwise */
        memcpy(t->size, size, (size_t)n_dims * sizeof *size);
    return gn__own(t);
}

gn_tensor *gn__tensor_new(gn__device *device, int dtype, int n_dims, const int64_t *size) {
    int64_t count;
    if (gn__failed() || !device || !shape_fits("tensor", n_dims, size, dtype, &count))
        return NULL;
    if (!gn__device_has_dtype(device, dtype))
        return gn__fail_null(GN_E_UNSUPPORTED, "tensor", "device %s has no %s", device->name,
                             gn_dtype_name((gn_dtype)dtype));
    gn__storage *storage = gn__storage_new(device, (uint64_t)count * gn_dtype_bytes(dtype));
    gn_tensor *t = storage ? tensor_over(storage, dtype, n_dims, size) : NULL;
    if (t) {
        t->count = count;
        gn__row_major(n_dims, size, t->stride);
    }
    return t;
}

gn_tensor *gn__tensor_like(const gn_tensor *like, int dtype) {
    gn_tensor *t = gn__tensor_new(like->storage->device, dtype, like->n_dims, like->size);
    if (t && gn__is_dense(like) && !gn__is_row_major(like)) {
        memcpy(t->stride, like->stride, sizeof t->stride);
        t->hidden_layout = like->hidden_layout;
    }
    return t;
}

gn_tensor *gn__tensor_over(gn__storage *storage, int dtype, int n_dims, const int64_t *size,
                           const int64_t *stride, int64_t offset) {
    int64_t count = 0;
    if (!gn__failed() && !gn__device_has_dtype(storage->device, dtype))
        gn_fail(GN_E_UNSUPPORTED, "tensor", "device %s has no %s", storage->device->name,
                gn_dtype_name((gn_dtype)dtype));
    if (gn__failed() || !shape_fits("tensor", n_dims, size, dtype, &count)) {
        gn__storage_release(storage);
        return NULL;
    }
    gn_tensor *t = tensor_over(storage, dtype, n_dims, size);
    if (t == NULL)
        return NULL;
    t->count = count;
    t->offset = offset;
    if (stride && n_dims)
        memcpy(t->stride, stride, (size_t)n_dims * sizeof *stride);
    else
        gn__row_major(n_dims, size, t->stride);
    return t;
}

gn_tensor *gn__tensor_ordered(gn__device *device, int dtype, int n_dims, const int64_t *size,
                              const gn_tensor *like) {
    gn_tensor *t = gn__tensor_new(device, dtype, n_dims, size);
    if (!t || t->count == 0 || n_dims != like->n_dims ||
        gn__overlaps(n_dims, like->size, like->stride))
        return t;
    const gn_shape order = gn__memory_order(like);
    int64_t stride = 1;
    for (int i = n_dims; i-- > 0; stride *= size[order.size[i]])
        t->stride[order.size[i]] = stride;
    t->hidden_layout = like->hidden_layout && !gn__is_row_major(t);
    return t;
}

gn_tensor *gn__tensor_alias(gn_tensor *t, int n_dims, const int64_t *size, const int64_t *stride,
                            int64_t offset) {
    int64_t count;
    if (gn__settle(t) || !shape_fits("view", n_dims, size, t->dtype, &count))
        return NULL;
    gn_tensor *view = tensor_over(gn__storage_retain(t->storage), t->dtype, n_dims, size);
    if (!view)
        return NULL;
    view->count = count;
    memcpy(view->stride, stride, (size_t)n_dims * sizeof *stride);
    view->offset = offset;
    view->inference = t->inference;
    view->base = gn_retain(t->base ? t->base : t);
    return view;
}

gn_tensor *gn__tensor_twin(const gn_tensor *t) {
    gn_tensor *twin = tensor_over(gn__storage_retain(t->storage), t->dtype, t->n_dims, t->size);
    if (!twin)
        return NULL;
    twin->count = t->count;
    twin->offset = t->offset;
    twin->hidden_layout = t->hidden_layout;
    twin->inference = t->inference;
    memcpy(twin->stride, t->stride, sizeof twin->stride);
    return twin;
}

gn_tensor *gn_tensor_wrap(void *data, gn_dtype dtype, gn_shape shape, void (*free_data)(void *),
                          void *context) {
    int64_t count;
    if (gn__failed() || !shape_fits("tensor_wrap", (int)shape.n, shape.size, dtype, &count))
        return NULL;
    uint64_t bytes = (uint64_t)count * gn_dtype_bytes(dtype);
    gn__device *device = gn__device_get("cpu");
    gn__storage *storage =
        device ? gn__storage_wrap(device, data, bytes, free_data, context) : NULL;
    return storage ? gn__tensor_over(storage, dtype, (int)shape.n, shape.size, NULL, 0) : NULL;
}

gn_status gn__settle(gn_tensor *t) {
    if (!t->hidden_layout)
        return gn_error_status();
    gn_scope scope = gn_scope_begin();
    gn_tensor *row = gn__tensor_new(t->storage->device, t->dtype, t->n_dims, t->size);
    if (row && gn__copy_data(row, t) == GN_OK) {
        /* Who saved the version of the old storage must find it unchanged. */
        atomic_store(&row->storage->version, atomic_load(&t->storage->version));
        gn__storage *old = t->storage;
        t->storage = row->storage;
        row->storage = old;
        memcpy(t->stride, row->stride, sizeof t->stride);
        t->offset = 0;
        t->hidden_layout = false;
    }
    return gn_scope_end(scope);
}

/* ---- Properties */

#define PROPERTY(type, name, parameter, value)                                                     \
    type name(parameter) { return t ? (value) : (gn_fail(GN_E_ARGUMENT, #name, "NULL"), (type)0); }

PROPERTY(int64_t, gn_dim, const gn_tensor *t, t->n_dims)
PROPERTY(int64_t, gn_numel, const gn_tensor *t, t->count)
PROPERTY(gn_dtype, gn_dtype_of, const gn_tensor *t, (gn_dtype)t->dtype)
PROPERTY(const char *, gn_device_of, const gn_tensor *t, t->storage->device->name)
PROPERTY(int64_t, gn_element_size, const gn_tensor *t, gn_dtype_bytes(t->dtype))
PROPERTY(bool, gn_is_view, const gn_tensor *t, t->base != NULL)
PROPERTY(bool, gn_is_floating_point, const gn_tensor *t, gn_dtype_is_float(t->dtype))
PROPERTY(bool, gn_is_contiguous, gn_tensor *t, t->hidden_layout || gn__is_row_major(t))
#undef PROPERTY

int64_t gn_size(const gn_tensor *t, int64_t dim) {
    int d;
    if (!gn__given("size", t) || !gn__dim("size", dim, t->n_dims, &d))
        return 0;
    return t->n_dims ? t->size[d] : 1;
}

int64_t gn_stride(gn_tensor *t, int64_t dim) {
    int d;
    if (!gn__given("stride", t) || !gn__dim("stride", dim, t->n_dims, &d) || gn__settle(t))
        return 0;
    return t->n_dims ? t->stride[d] : 1;
}

int64_t gn_storage_offset(gn_tensor *t) {
    return gn__given("storage_offset", t) && !gn__settle(t) ? t->offset : 0;
}

gn_shape gn_shape_of(const gn_tensor *t) {
    return gn__given("shape_of", t) ? gn__shape(t->n_dims, t->size) : (gn_shape){0};
}

const char *gn_shape_text(const gn_tensor *t) {
    return gn__given("shape_text", t) ? gn__shape_of(t) : "";
}

bool gn_same_shape(const gn_tensor *a, const gn_tensor *b) {
    return gn__given("same_shape", a) && gn__given("same_shape", b) && gn__same_shape(a, b);
}

const char *gn_dtype_name(gn_dtype dtype) {
    switch (dtype) {
#define X(name, value, text, bytes)                                                                \
    case name: return text;
        GN_DTYPES(X)
#undef X
    case GN_N_DTYPES: break;
    }
    return "no dtype";
}

gn_dtype gn_promote_types(gn_dtype a, gn_dtype b) {
    if (gn_dtype_bytes(a) && gn_dtype_bytes(b))
        return (gn_dtype)gn__promote(a, b);
    gn_fail(GN_E_ARGUMENT, "promote_types", "%d and %d: not both are dtypes", (int)a, (int)b);
    return (gn_dtype)0;
}

int gn_dtype_from_name(const char *name) {
#define X(constant, value, text, bytes)                                                            \
    if (constant != GN_U32 && name && !strcmp(name, text))                                         \
        return constant;
    GN_DTYPES(X)
#undef X
    return -1;
}
