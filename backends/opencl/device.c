/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.c - opens and closes devices. Each opening has a context of its own, so a device that is
 * opened twice is two devices that share nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "opencl.h"

static void log_extensions(const ocl_found *found) {
    char extensions[4096], line[4352];
    if (clGetDeviceInfo(found->id, CL_DEVICE_EXTENSIONS, sizeof extensions, extensions, NULL) !=
        CL_SUCCESS)
        return;
    snprintf(line, sizeof line, "opencl: %s has the extensions %s", found->name, extensions);
    ocl_host->log(GN_LOG_DEBUG, line);
}

/* What may be made without the context. */
static gn_device *new_device(const ocl_found *found) {
    gn_device *device = calloc(1, sizeof *device);
    if (device == NULL)
        return NULL;
    device->found = found;
    device->limits = &found->limits;
    pthread_mutex_init(&device->lock, NULL);
    pthread_mutex_init(&device->streams_lock, NULL);
    device->kernels = ocl_kernels_new();
    device->arenas = ocl_arenas_new();
    if (device->kernels && device->arenas)
        return device;
    ocl_close(device);
    return NULL;
}

gn_status ocl_open(int32_t ordinal, gn_device **out) {
    const ocl_found *found;
    *out = NULL;
    gn_status status = ocl_find(ordinal, &found);
    if (status != GN_OK)
        return status;
    if (ocl_is_forked())
        return ocl_fail(GN_E_FORKED, 0,
                        "OpenCL was used before fork(): the driver's threads are not in the child");
    gn_device *device = new_device(found);
    if (device == NULL)
        return ocl_fail(GN_E_MEMORY, 0, "no host memory for a device");
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)found->platform, 0};
    cl_int error;
    device->context = clCreateContext(properties, 1, &found->id, NULL, NULL, &error);
    if (error == CL_SUCCESS)
        status = ocl_stream_create(device, &device->standard);
    else
        status = ocl_fail_cl(NULL, error, 0, "clCreateContext");
    if (status != GN_OK) {
        ocl_close(device);
        return status;
    }
    log_extensions(found);
    *out = device;
    return GN_OK;
}

/* In a forked child everything is left as it is. */
void ocl_close(gn_device *device) {
    if (device == NULL || ocl_is_forked())
        return;
    ocl_stream_destroy(device, device->standard);
    ocl_arenas_free(device->arenas);
    ocl_kernels_free(device->kernels);
    if (device->context)
        clReleaseContext(device->context);
    pthread_mutex_destroy(&device->streams_lock);
    pthread_mutex_destroy(&device->lock);
    free(device);
}
