/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data.c - moving elements: copies within a device, to and from the host. No history.
 */
#include <stdlib.h>

#include "tensor.h"

#include "../program/program.h"

/* ---- Within a device */

/* target := cast(source). Variant: the dtypes of target and source. */
static void build_copy(gn__builder *b, const int8_t *v) {
    int source = gn__build_operand(b, GN_READ, v[1]), target = gn__build_operand(b, GN_WRITE, v[0]);
    gn__store(b, target, gn__load(b, source));
}

static gn__kernel copy_kernel = {.name = "copy", .build = build_copy};

static gn_status copy_across(gn_tensor *target, gn_tensor *source);

gn_status gn__copy_data(gn_tensor *target, gn_tensor *source) {
    if (gn__failed() || !target || !source)
        return gn_error_status();
    if (target->storage->device != source->storage->device)
        return copy_across(target, source);
    const gn_program *program =
        gn__kernel_program(&copy_kernel, GN__VARIANT(target->dtype, source->dtype));
    if (!program)
        return gn_error_status();
    gn__operand operands[2] = {gn__operand_of(source, target->n_dims, target->size),
                               gn__operand_of(target, target->n_dims, target->size)};
    gn__launch launch = {.op = "copy",
                         .program = program,
                         .n_dims = target->n_dims,
                         .size = target->size,
                         .operands = operands};
    return gn__launch_run(target->storage->device, &launch);
}

/* target := parameter. Variant: the dtype. */
static void build_fill(gn__builder *b, const int8_t *v) {
    int param = gn__build_param(b), target = gn__build_operand(b, GN_WRITE, v[0]);
    gn__store(b, target, gn__param(b, gn__compute_type(v[0]), param));
}

static gn__kernel fill_kernel = {.name = "fill", .build = build_fill};

/* A double as a scalar of the dtype; false with an error if an integer dtype can't hold it. */
static bool scalar_of(const char *op, double value, int dtype, gn_scalar *out) {
    if (gn_dtype_is_float(dtype)) {
        out->f = value;
        return true;
    }
    if (dtype == GN_BOOL) {
        out->i = value != 0;
        return true;
    }
    if (!(value >= -0x1p63 && value < 0x1p63) || value != (double)(int64_t)value) {
        gn_fail(GN_E_ARGUMENT, op, "%g is no value of %s", value, gn_dtype_name((gn_dtype)dtype));
        return false;
    }
    out->i = (int64_t)value;
    return true;
}

gn_status gn__fill_data(gn_tensor *target, double value) {
    gn_scalar scalar;
    if (gn__failed() || !target || !scalar_of("fill", value, target->dtype, &scalar))
        return gn_error_status();
    const gn_program *program = gn__kernel_program(&fill_kernel, GN__VARIANT(target->dtype));
    if (!program)
        return gn_error_status();
    gn__operand operand = gn__operand_of(target, target->n_dims, target->size);
    gn__launch launch = {.op = "fill",
                         .program = program,
                         .n_dims = target->n_dims,
                         .size = target->size,
                         .operands = &operand,
                         .params = &scalar};
    return gn__launch_run(target->storage->device, &launch);
}

gn_tensor *gn__row_major_copy(gn_tensor *t) {
    if (gn__failed() || !t || gn__is_row_major(t))
        return gn__failed() ? NULL : t;
    gn_tensor *copy = gn__tensor_new(t->storage->device, t->dtype, t->n_dims, t->size);
    return gn__copy_data(copy, t) ? NULL : copy;
}

gn_tensor *gn__channels_last_copy(gn_tensor *t) {
    if (gn__failed() || !t || gn__is_channels_last(t))
        return gn__failed() ? NULL : t;
    gn_tensor *copy = gn__tensor_channels_last(t->storage->device, t->dtype, t->n_dims, t->size);
    return gn__copy_data(copy, t) ? NULL : copy;
}

/* ---- Between devices: through the host, in the source's dtype */

static gn_status copy_across(gn_tensor *target, gn_tensor *source) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *row = gn__row_major_copy(source);
    uint64_t bytes = row ? (uint64_t)row->count * gn_dtype_bytes(row->dtype) : 0;
    void *host = bytes ? gn__alloc(bytes) : NULL;
    if (host) {
        gn_tensor *there =
            gn__tensor_new(target->storage->device, row->dtype, row->n_dims, row->size);
        uint64_t start = (uint64_t)row->offset * gn_dtype_bytes(row->dtype);
        if (there && !gn__download(host, row->storage, start, bytes) &&
            !gn__upload(there->storage, 0, host, bytes))
            gn__copy_data(target, there);
        free(host);
    }
    return gn_scope_end(scope);
}

gn_tensor *gn__joined(gn_tensor *t, gn__device *device) {
    if (!t || t->storage->device == device)
        return t;
    gn_tensor *copy = gn__tensor_new(device, t->dtype, t->n_dims, t->size);
    return gn__copy_data(copy, t) ? NULL : copy;
}

/* ---- To and from the host: conversion happens there, so a device needs no dtype for it */

gn_status gn_copy_out(const gn_tensor *t, void *data, gn_dtype dtype, int64_t count) {
    if (gn__failed() || !gn__given("copy_out", t))
        return gn_error_status();
    if (count != t->count)
        return gn_fail(GN_E_ARGUMENT, "copy_out", "room for %lld elements, but shape %s has %lld",
                       (long long)count, gn__shape_of(t), (long long)t->count);
    if (!count)
        return GN_OK;
    gn_scope scope = gn_scope_begin();
    gn_tensor *row = gn__row_major_copy((gn_tensor *)t); /* reads t only */
    uint64_t bytes = gn_dtype_bytes(t->dtype);
    if (row && t->dtype == (int)dtype) {
        gn__download(data, row->storage, (uint64_t)row->offset * bytes, (uint64_t)count * bytes);
    } else if (row) {
        void *raw = gn__alloc_array((size_t)count, bytes);
        if (raw && !gn__download(raw, row->storage, (uint64_t)row->offset * bytes,
                                 (uint64_t)count * bytes))
            gn__convert(data, dtype, raw, t->dtype, count);
        free(raw);
    }
    return gn_scope_end(scope);
}

gn_status gn__copy_in_data(gn_tensor *t, const void *data, int dtype, int64_t count) {
    if (gn__failed() || !t)
        return gn_error_status();
    if (count != t->count)
        return gn_fail(GN_E_ARGUMENT, "copy_in", "%lld elements given, but shape %s has %lld",
                       (long long)count, gn__shape_of(t), (long long)t->count);
    if (!count)
        return GN_OK;
    gn_scope scope = gn_scope_begin();
    uint64_t bytes = gn_dtype_bytes(t->dtype);
    void *converted = NULL;
    if (t->dtype != dtype && (converted = gn__alloc_array((size_t)count, bytes)))
        gn__convert(converted, t->dtype, data, dtype, count);
    gn_tensor *row =
        gn__is_row_major(t) ? t : gn__tensor_new(t->storage->device, t->dtype, t->n_dims, t->size);
    if (row && !gn__failed() &&
        !gn__upload(row->storage, (uint64_t)row->offset * bytes, converted ? converted : data,
                    (uint64_t)count * bytes) &&
        row != t)
        gn__copy_data(t, row);
    free(converted);
    return gn_scope_end(scope);
}

/* Downloads the only element; false with an error. */
static bool one_element(const char *op, const gn_tensor *t, gn_scalar *out) {
    if (gn__failed() || !gn__given(op, t))
        return false;
    if (t->count != 1) {
        gn_fail(GN_E_ARGUMENT, op, "shape %s has %lld elements, not one", gn__shape_of(t),
                (long long)t->count);
        return false;
    }
    char raw[8];
    uint64_t bytes = gn_dtype_bytes(t->dtype);
    if (gn__download(raw, t->storage, (uint64_t)t->offset * bytes, bytes))
        return false;
    *out = gn__host_load(raw, t->dtype);
    return true;
}

double gn_item(const gn_tensor *t) {
    gn_scalar value;
    if (!one_element("item", t, &value))
        return 0;
    return gn_dtype_is_float(t->dtype) ? value.f : (double)value.i;
}

int64_t gn_item_int(const gn_tensor *t) {
    gn_scalar value;
    if (!one_element("item_int", t, &value))
        return 0;
    return gn_dtype_is_float(t->dtype) ? gn__to_int(value.f) : value.i;
}

bool gn_item_bool(const gn_tensor *t) {
    gn_scalar value;
    if (!one_element("item_bool", t, &value))
        return false;
    return gn_dtype_is_float(t->dtype) ? value.f != 0 : value.i != 0;
}

void *gn_data(gn_tensor *t) {
    if (gn__failed() || !gn__given("data", t) || gn__settle(t))
        return NULL;
    if (!t->storage->host)
        return gn__fail_null(GN_E_UNSUPPORTED, "data",
                             "memory of %s is not visible to the host: use gn_copy_out",
                             t->storage->device->name);
    if (gn_synchronize(t->storage->device->name))
        return NULL;
    return (char *)t->storage->host + t->offset * gn_dtype_bytes(t->dtype);
}
