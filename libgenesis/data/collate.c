/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collate.c - batches: slices of one tensor gathered, and samples stacked. By memcpy where the host
 * sees the memory, else on the device.
 */
#include <stdlib.h>

#include "data.h"

/* ---- Gathering */

/* Whether the indices count up by ones. */
static bool in_a_row(const int64_t *indices, int64_t n) {
    for (int64_t i = 1; i < n; i++)
        if (indices[i] != indices[0] + i)
            return false;
    return true;
}

static gn_tensor *gather_on_device(gn_tensor *source, const int64_t *indices, int64_t n) {
    if (in_a_row(indices, n))
        return gn_clone(gn_narrow(source, 0, n ? indices[0] : 0, n));
    const gn_tensor_options there = {.struct_size = sizeof there,
                                     .device = source->storage->device->name};
    return gn_index_select(source, 0, gn_tensor_from(indices, GN_I64, GN_SHAPE(n), &there));
}

gn_tensor *gn__gather(gn_tensor *source, const int64_t *indices, int64_t n) {
    gn__host from, to;
    if (!gn__host_sees(source))
        return gather_on_device(source, indices, n);
    gn_shape shape = gn__shape(source->n_dims, source->size);
    shape.size[0] = n;
    if (gn__host_read(source, &from) != GN_OK ||
        gn__host_new(source->storage->device, source->dtype, shape, &to) != GN_OK)
        return NULL;
    size_t bytes = n ? (size_t)(to.tensor->count / n) * gn_dtype_bytes(source->dtype) : 0;
    if (in_a_row(indices, n) && bytes > 0)
        memcpy(to.data, (char *)from.data + (size_t)indices[0] * bytes, (size_t)n * bytes);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy((char *)to.data + (size_t)i * bytes,
                   (char *)from.data + (size_t)indices[i] * bytes, bytes);
    gn__host_close(&from);
    return gn__host_finish(&to);
}

/* ---- Stacking */

/* Tensors whose memory the host sees, alike in shape, dtype and device. */
static gn_tensor *stack_on_host(gn_tensor *const *tensors, int64_t n) {
    gn_tensor *first = tensors[0];
    gn_shape shape = {.n = first->n_dims + 1, .size = {n}};
    for (int d = 0; d < first->n_dims; d++)
        shape.size[d + 1] = first->size[d];
    size_t bytes = (size_t)first->count * gn_dtype_bytes(first->dtype);
    gn__host to, from;
    if (gn__host_new(first->storage->device, first->dtype, shape, &to) != GN_OK)
        return NULL;
    for (int64_t i = 0; i < n && gn__host_read(tensors[i], &from) == GN_OK; i++) {
        if (bytes > 0)
            memcpy((char *)to.data + (size_t)i * bytes, from.data, bytes);
        gn__host_close(&from);
    }
    return gn__host_finish(&to);
}

static gn_tensor *stack(gn_tensor *const *tensors, int64_t n, const char *member) {
    gn_tensor *first = tensors[0];
    bool on_host = first && gn__host_sees(first) && first->n_dims < GN_TENSOR_MAX_DIMS;
    for (int64_t i = 1; i < n; i++) {
        gn_tensor *t = tensors[i];
        if ((t == NULL) != (first == NULL))
            return gn__fail_null(GN_E_ARGUMENT, "collate",
                                 "some samples of the batch have %s and some have not", member);
        if (t == NULL)
            continue;
        if (!gn__same_shape(t, first) || t->dtype != first->dtype)
            return gn__fail_null(GN_E_ARGUMENT, "collate",
                                 "%s of the batch's samples 0 and %lld are %s %s and %s %s: make "
                                 "them alike, or give the loader a collate function",
                                 member, (long long)i, gn_dtype_name((gn_dtype)first->dtype),
                                 gn__shape_of(first), gn_dtype_name((gn_dtype)t->dtype),
                                 gn__shape_of(t));
        on_host = on_host && t->storage->device == first->storage->device;
    }
    if (first == NULL)
        return NULL;
    return on_host ? stack_on_host(tensors, n) : gn_stack(tensors, n, 0);
}

gn_status gn__collate(void *context, const gn_sample *samples, int64_t n, gn_sample *batch) {
    static const char *const members[] = {"x", "y", "extra"};
    (void)context;
    gn_tensor **column = gn__alloc_array((size_t)n, sizeof *column);
    for (int k = 0; column && k < GN__SAMPLE_FIELDS && !gn__failed(); k++) {
        for (int64_t i = 0; i < n; i++)
            column[i] = *gn__field((gn_sample *)&samples[i], k);
        *gn__field(batch, k) = stack(column, n, members[k < 2 ? k : 2]);
    }
    free(column);
    return gn_error_status();
}
