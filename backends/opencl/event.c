/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.c - points in streams: markers in their queues, whose times the driver keeps.
 */
#include <stdlib.h>

#include "opencl.h"

struct gn_event {
    cl_event marker;   /* NULL: not recorded yet */
    gn_stream *stream; /* retained */
};

gn_status ocl_event_create(gn_device *device, gn_event **out) {
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    *out = calloc(1, sizeof **out);
    return *out ? GN_OK : ocl_fail(GN_E_MEMORY, 0, "no host memory for an event");
}

static void forget(gn_event *event) {
    if (event->marker)
        clReleaseEvent(event->marker);
    ocl_stream_release(event->stream);
    *event = (gn_event){0};
}

void ocl_event_destroy(gn_device *device, gn_event *event) {
    (void)device;
    if (event == NULL || ocl_is_forked())
        return;
    forget(event);
    free(event);
}

/* Flushes, because another queue that waits for the marker does not. */
gn_status ocl_event_record(gn_device *device, gn_stream *given, gn_event *event) {
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    gn_stream *stream = ocl_stream(device, given);
    forget(event);
    cl_int error = clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &event->marker);
    if (error == CL_SUCCESS) {
        atomic_fetch_add(&stream->references, 1);
        event->stream = stream;
        error = clFlush(stream->queue);
        stream->unflushed = 0;
    }
    return error == CL_SUCCESS
               ? GN_OK
               : ocl_fail_cl(device, error, stream->last_tag, "clEnqueueMarkerWithWaitList");
}

static gn_status not_recorded(void) {
    return ocl_fail(GN_E_STATE, 0, "the event was not recorded in a stream");
}

gn_status ocl_event_wait(gn_device *device, gn_stream *given, gn_event *event) {
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    if (event->marker == NULL)
        return not_recorded();
    gn_stream *stream = ocl_stream(device, given);
    const cl_int error = clEnqueueBarrierWithWaitList(stream->queue, 1, &event->marker, NULL);
    return error == CL_SUCCESS
               ? GN_OK
               : ocl_fail_cl(device, error, stream->last_tag, "clEnqueueBarrierWithWaitList");
}

/* Looks at the stream's report, which is behind the event: the wait may last longer, but only where
 * a kernel could have reported something. */
gn_status ocl_event_synchronise(gn_device *device, gn_event *event) {
    const gn_status status = ocl_ready(device);
    if (status != GN_OK)
        return status;
    if (event->marker == NULL)
        return not_recorded();
    const cl_int error = clWaitForEvents(1, &event->marker);
    if (error != CL_SUCCESS)
        return ocl_fail_cl(device, error, event->stream->last_tag, "clWaitForEvents");
    return ocl_report_check(event->stream);
}

gn_status ocl_event_elapsed(gn_device *device, gn_event *from, gn_event *to, uint64_t *out) {
    const gn_status status = ocl_ready(device);
    cl_ulong begin = 0, end = 0;
    if (status != GN_OK)
        return status;
    if (from->marker == NULL || to->marker == NULL)
        return not_recorded();
    cl_int error =
        clGetEventProfilingInfo(from->marker, CL_PROFILING_COMMAND_END, sizeof begin, &begin, NULL);
    if (error == CL_SUCCESS)
        error =
            clGetEventProfilingInfo(to->marker, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    if (error != CL_SUCCESS)
        return ocl_fail_cl(device, error, 0, "clGetEventProfilingInfo");
    *out = end > begin ? end - begin : 0;
    return GN_OK;
}
