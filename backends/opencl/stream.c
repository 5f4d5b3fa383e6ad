/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - streams, which are in-order queues, and the waits for them.
 *
 * An error of work that was enqueued before comes out of a wait. Kernels report an index that is
 * out of range in a small buffer of their stream, which is only read if such a kernel was enqueued;
 * for a failure that the driver finds, the last launch is named.
 */
#include <stdlib.h>

#include "opencl.h"

/* As kernels write it: see ocl_report. */
typedef struct report {
    int64_t is_set, tag, index, extent;
} report;

static report no_report; /* zeros, to begin with and to begin again */

/* ---- Making and ending */

static void free_stream(gn_stream *stream) {
    ocl_staging_free(stream);
    if (stream->report)
        clReleaseMemObject(stream->report);
    if (stream->queue)
        clReleaseCommandQueue(stream->queue);
    free(stream);
}

/* A driver that lost its device may wait for ever. */
static void finish(const gn_stream *stream) {
    if (!atomic_load(&stream->device->lost))
        clFinish(stream->queue);
}

void ocl_stream_release(gn_stream *stream) {
    if (stream && atomic_fetch_sub(&stream->references, 1) == 1)
        free_stream(stream);
}

gn_status ocl_stream_create(gn_device *device, gn_stream **out) {
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    gn_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return ocl_fail(GN_E_MEMORY, 0, "no host memory for a stream");
    stream->device = device;
    atomic_init(&stream->references, 1);
    cl_int error;
    stream->queue =
        clCreateCommandQueue(device->context, device->found->id, CL_QUEUE_PROFILING_ENABLE, &error);
    if (error == CL_SUCCESS)
        stream->report = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                        sizeof no_report, &no_report, &error);
    if (error != CL_SUCCESS) {
        free_stream(stream);
        return ocl_fail_cl(device, error, 0, "clCreateCommandQueue");
    }
    pthread_mutex_lock(&device->streams_lock);
    stream->next = device->streams;
    device->streams = stream;
    pthread_mutex_unlock(&device->streams_lock);
    *out = stream;
    return GN_OK;
}

void ocl_stream_destroy(gn_device *device, gn_stream *stream) {
    if (stream == NULL || ocl_is_forked())
        return;
    finish(stream);
    pthread_mutex_lock(&device->streams_lock);
    gn_stream **link = &device->streams;
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
    pthread_mutex_unlock(&device->streams_lock);
    ocl_stream_release(stream);
}

/* ---- Waiting */

void ocl_finish_all(gn_device *device) {
    pthread_mutex_lock(&device->streams_lock);
    for (gn_stream *stream = device->streams; stream; stream = stream->next)
        finish(stream);
    pthread_mutex_unlock(&device->streams_lock);
}

gn_status ocl_report_check(gn_stream *stream) {
    report reported;
    if (!atomic_exchange(&stream->may_report, false))
        return GN_OK;
    cl_int error = clEnqueueReadBuffer(stream->queue, stream->report, CL_TRUE, 0, sizeof reported,
                                       &reported, 0, NULL, NULL);
    if (error == CL_SUCCESS && !reported.is_set)
        return GN_OK;
    if (error == CL_SUCCESS)
        error = clEnqueueWriteBuffer(stream->queue, stream->report, CL_FALSE, 0, sizeof no_report,
                                     &no_report, 0, NULL, NULL);
    if (error != CL_SUCCESS)
        return ocl_fail_cl(stream->device, error, stream->last_tag, "reading a stream's report");
    return ocl_fail(GN_E_INDEX, (uint64_t)reported.tag,
                    "index %lld is out of range for an extent of %lld", (long long)reported.index,
                    (long long)reported.extent);
}

gn_status ocl_synchronise(gn_device *device, gn_stream *given) {
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    gn_stream *stream = ocl_stream(device, given);
    const cl_int error = clFinish(stream->queue);
    if (error != CL_SUCCESS)
        return ocl_fail_cl(device, error, stream->last_tag, "clFinish");
    stream->unflushed = 0;
    return ocl_report_check(stream);
}
