/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin.c - the table of the OpenCL backend, and the plugin's entry.
 */
#include "opencl.h"

const gn_host *ocl_host;

static const gn_backend backend = {
    .struct_size = sizeof(gn_backend),
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "opencl",
    .version = OCL_VERSION,
    .count = ocl_count,
    .info = ocl_info,
    .open = ocl_open,
    .close = ocl_close,
    .alloc = ocl_alloc,
    .free = ocl_free,
    .upload = ocl_upload,
    .download = ocl_download,
    .map = ocl_map,
    .reduce = ocl_reduce,
    .scatter = ocl_scatter,
    .program_create = ocl_program_create,
    .program_release = ocl_program_release,
    .memory_info = ocl_memory_info,
    .stream_create = ocl_stream_create,
    .stream_destroy = ocl_stream_destroy,
    .synchronise = ocl_synchronise,
    .event_create = ocl_event_create,
    .event_destroy = ocl_event_destroy,
    .event_record = ocl_event_record,
    .event_wait = ocl_event_wait,
    .event_synchronise = ocl_event_synchronise,
    .event_elapsed = ocl_event_elapsed,
    .row_map = ocl_row_map,
    .map_many = ocl_map_many,
    .plan = ocl_plan,
    .plan_release = ocl_plan_release,
    .run = ocl_run,
};

gn_status gn_backend_entry(const gn_host *host, gn_abi_request *request, const gn_backend **out) {
    if (request->major != GN_ABI_MAJOR || request->minor_max < GN_ABI_MINOR ||
        request->minor_min > GN_ABI_MINOR) {
        request->needed_major = GN_ABI_MAJOR;
        request->needed_minor = GN_ABI_MINOR;
        return GN_E_VERSION;
    }
    ocl_host = host;
    *out = &backend;
    return GN_OK;
}
