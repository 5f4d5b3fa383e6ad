/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - bytes from the host to the device and back.
 *
 * An upload copies its source into pinned memory of the stream and enqueues the rest of the way, so
 * that it returns at once. That memory is a ring of pieces; a piece is filled again when the copies
 * from it are done, and a large upload goes round the ring several times.
 */
#include <string.h>

#include "opencl.h"

/* ---- Staging memory */

static cl_int make_staging(gn_stream *stream) {
    ocl_staging *s = &stream->staging;
    const size_t bytes = (size_t)OCL_STAGING_PIECES * OCL_STAGING_BYTES;
    cl_int error;
    s->buffer = clCreateBuffer(stream->device->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR,
                               bytes, NULL, &error);
    if (error != CL_SUCCESS)
        return error;
    s->host = clEnqueueMapBuffer(stream->queue, s->buffer, CL_TRUE, CL_MAP_WRITE, 0, bytes, 0, NULL,
                                 NULL, &error);
    if (error != CL_SUCCESS) {
        clReleaseMemObject(s->buffer);
        s->buffer = NULL;
    }
    return error;
}

void ocl_staging_free(gn_stream *stream) {
    ocl_staging *s = &stream->staging;
    if (s->buffer == NULL)
        return;
    for (uint32_t i = 0; i < OCL_STAGING_PIECES; i++)
        if (s->read[i])
            clReleaseEvent(s->read[i]);
    if (!atomic_load(&stream->device->lost)) {
        clEnqueueUnmapMemObject(stream->queue, s->buffer, s->host, 0, NULL, NULL);
        clFinish(stream->queue);
    }
    clReleaseMemObject(s->buffer);
    s->buffer = NULL;
}

/* Goes on to the next piece, and waits until it may be filled. */
static cl_int turn(gn_stream *stream) {
    ocl_staging *s = &stream->staging;
    cl_int error = clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &s->read[s->piece]);
    if (error != CL_SUCCESS)
        return error;
    s->piece = (s->piece + 1) % OCL_STAGING_PIECES;
    s->used = 0;
    cl_event before = s->read[s->piece];
    if (before == NULL)
        return CL_SUCCESS;
    s->read[s->piece] = NULL;
    error = clWaitForEvents(1, &before);
    clReleaseEvent(before);
    return error;
}

/* ---- Copies */

gn_status ocl_upload(gn_device *device, gn_stream *given, gn_mem *target, uint64_t offset,
                     const void *source, uint64_t bytes) {
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    gn_stream *stream = ocl_stream(device, given);
    ocl_staging *s = &stream->staging;
    cl_int error = s->buffer ? CL_SUCCESS : make_staging(stream);
    for (uint64_t done = 0; done < bytes && error == CL_SUCCESS;) {
        if (s->used == OCL_STAGING_BYTES)
            error = turn(stream);
        if (error != CL_SUCCESS)
            break;
        const uint64_t left = bytes - done, room = OCL_STAGING_BYTES - s->used;
        const size_t part = (size_t)(left < room ? left : room);
        char *staged = s->host + (size_t)s->piece * OCL_STAGING_BYTES + s->used;
        memcpy(staged, (const char *)source + done, part);
        error = clEnqueueWriteBuffer(stream->queue, target->buffer, CL_FALSE,
                                     target->offset + offset + done, part, staged, 0, NULL, NULL);
        s->used += part;
        done += part;
    }
    if (error == CL_SUCCESS)
        error = clFlush(stream->queue);
    return error == CL_SUCCESS ? GN_OK : ocl_fail_cl(device, error, stream->last_tag, "an upload");
}

gn_status ocl_download(gn_device *device, gn_stream *given, void *target, const gn_mem *source,
                       uint64_t offset, uint64_t bytes) {
    gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    gn_stream *stream = ocl_stream(device, given);
    status = ocl_report_check(stream);
    if (status != GN_OK)
        return status;
    const cl_int error =
        bytes ? clEnqueueReadBuffer(stream->queue, source->buffer, CL_TRUE, source->offset + offset,
                                    bytes, target, 0, NULL, NULL)
              : clFinish(stream->queue);
    if (error != CL_SUCCESS)
        return ocl_fail_cl(device, error, stream->last_tag, "a download");
    stream->unflushed = 0;
    return GN_OK;
}
