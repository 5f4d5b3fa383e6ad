/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - sets the arguments of a kernel and starts it. Arguments belong to the kernel object,
 * so the device's lock is held from begin to end.
 */
#include <stdio.h>

#include "opencl.h"

enum { FLUSH_EVERY = 8 }; /* launches: some drivers begin nothing before a flush */

ocl_launch ocl_begin(gn_stream *stream, cl_kernel kernel, uint64_t tag) {
    pthread_mutex_lock(&stream->device->lock);
    return (ocl_launch){.stream = stream, .kernel = kernel, .tag = tag};
}

void ocl_bytes(ocl_launch *launch, const void *value, size_t bytes) {
    if (launch->error == CL_SUCCESS)
        launch->error = clSetKernelArg(launch->kernel, launch->n_arguments, bytes, value);
    launch->n_arguments++;
}

void ocl_int(ocl_launch *launch, int32_t value) { ocl_bytes(launch, &value, sizeof value); }

void ocl_long(ocl_launch *launch, int64_t value) { ocl_bytes(launch, &value, sizeof value); }

void ocl_buffer(ocl_launch *launch, const gn_mem *mem) {
    ocl_bytes(launch, &mem->buffer, sizeof mem->buffer);
}

void ocl_local(ocl_launch *launch, size_t bytes) { ocl_bytes(launch, NULL, bytes); }

void ocl_report(ocl_launch *launch) {
    ocl_bytes(launch, &launch->stream->report, sizeof launch->stream->report);
    ocl_long(launch, (int64_t)launch->tag);
    atomic_store(&launch->stream->may_report, true);
}

static gn_status launch_failed(const ocl_launch *launch, uint32_t n_dims, const size_t *global,
                               const size_t *local) {
    char name[64] = "?", what[256];
    int length;
    clGetKernelInfo(launch->kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    length = snprintf(what, sizeof what, "the launch of kernel %s (%u arguments) over", name,
                      launch->n_arguments);
    for (uint32_t d = 0; d < n_dims; d++)
        length += snprintf(what + length, sizeof what - (size_t)length, " %zu/%zu", global[d],
                           local ? local[d] : 0);
    return ocl_fail_cl(launch->stream->device, launch->error, launch->tag, what);
}

gn_status ocl_end(ocl_launch *launch, uint32_t n_dims, const size_t *global, const size_t *local) {
    gn_stream *stream = launch->stream;
    size_t rounded[3];
    for (uint32_t d = 0; d < n_dims; d++)
        rounded[d] = local ? (global[d] + local[d] - 1) / local[d] * local[d] : global[d];
    if (launch->error == CL_SUCCESS)
        launch->error = clEnqueueNDRangeKernel(stream->queue, launch->kernel, n_dims, NULL, rounded,
                                               local, 0, NULL, NULL);
    if (launch->error == CL_SUCCESS && ++stream->unflushed == FLUSH_EVERY) {
        stream->unflushed = 0;
        launch->error = clFlush(stream->queue);
    }
    stream->last_tag = launch->tag;
    pthread_mutex_unlock(&stream->device->lock);
    return launch->error == CL_SUCCESS ? GN_OK : launch_failed(launch, n_dims, rounded, local);
}
