/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_memory.c - tensors as arrays of the host, for what data sets do with samples.
 */
#include <stdlib.h>

#include "data.h"

/* A device without streams has done all its work when a call returns. */
bool gn__host_sees(const gn_tensor *t) {
    return t->storage->host && t->storage->device->table->stream_create == NULL;
}

static void *visible(const gn_tensor *t) {
    if (!gn__host_sees(t))
        return NULL;
    return (char *)t->storage->host + t->offset * gn_dtype_bytes(t->dtype);
}

static gn_status copy_for(gn__host *host) {
    host->copy = gn__alloc_array((size_t)host->tensor->count + 1,
                                 (size_t)gn_dtype_bytes(host->tensor->dtype));
    host->data = host->copy;
    return gn_error_status();
}

gn_status gn__host_read(gn_tensor *t, gn__host *out) {
    *out = (gn__host){.tensor = gn__row_major_copy(t)};
    if (out->tensor == NULL)
        return gn_error_status();
    out->data = visible(out->tensor);
    if (out->data == NULL && copy_for(out) == GN_OK &&
        gn_copy_out(out->tensor, out->copy, (gn_dtype)t->dtype, t->count) != GN_OK)
        gn__host_close(out);
    return gn_error_status();
}

gn_status gn__host_new(gn__device *device, int dtype, gn_shape shape, gn__host *out) {
    *out = (gn__host){.tensor = gn__tensor_new(device, dtype, (int)shape.n, shape.size)};
    if (out->tensor == NULL)
        return gn_error_status();
    out->data = visible(out->tensor);
    return out->data ? GN_OK : copy_for(out);
}

void gn__host_close(gn__host *host) {
    free(host->copy);
    host->copy = host->data = NULL;
}

gn_tensor *gn__host_finish(gn__host *host) {
    gn_tensor *t = host->tensor;
    if (host->copy)
        gn__copy_in_data(t, host->copy, t->dtype, t->count);
    gn__host_close(host);
    return gn__failed() ? NULL : t;
}
