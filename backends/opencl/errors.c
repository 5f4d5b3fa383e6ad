/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errors.c - what fails, and how it is told: messages, OpenCL's codes as statuses, devices that are
 * lost, processes that were forked.
 */
#include <stdarg.h>
#include <stdio.h>

#include "opencl.h"

static volatile bool forked;

gn_status ocl_fail(gn_status status, uint64_t tag, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return ocl_host->set_error(status, tag, message);
}

/* ---- Codes of OpenCL */

static const struct {
    const char *name;
    cl_int code;
    gn_status status;
} errors[] = {
#define ROW(name, status)                                                                          \
    { #name, name, status }
    ROW(CL_DEVICE_NOT_AVAILABLE, GN_E_LOST),
    ROW(CL_INVALID_COMMAND_QUEUE, GN_E_LOST),
    ROW(CL_INVALID_CONTEXT, GN_E_LOST),
    ROW(CL_MEM_OBJECT_ALLOCATION_FAILURE, GN_E_MEMORY),
    ROW(CL_OUT_OF_HOST_MEMORY, GN_E_MEMORY),
    ROW(CL_INVALID_BUFFER_SIZE, GN_E_MEMORY),
    ROW(CL_OUT_OF_RESOURCES, GN_E_DEVICE),
    ROW(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, GN_E_DEVICE),
    ROW(CL_DEVICE_NOT_FOUND, GN_E_DEVICE),
    ROW(CL_COMPILER_NOT_AVAILABLE, GN_E_DEVICE),
    ROW(CL_BUILD_PROGRAM_FAILURE, GN_E_INTERNAL),
    ROW(CL_MAP_FAILURE, GN_E_DEVICE),
    ROW(CL_PROFILING_INFO_NOT_AVAILABLE, GN_E_STATE),
    ROW(CL_INVALID_VALUE, GN_E_INTERNAL),
    ROW(CL_INVALID_DEVICE, GN_E_INTERNAL),
    ROW(CL_INVALID_MEM_OBJECT, GN_E_INTERNAL),
    ROW(CL_INVALID_BINARY, GN_E_INTERNAL),
    ROW(CL_INVALID_BUILD_OPTIONS, GN_E_INTERNAL),
    ROW(CL_INVALID_PROGRAM, GN_E_INTERNAL),
    ROW(CL_INVALID_PROGRAM_EXECUTABLE, GN_E_INTERNAL),
    ROW(CL_INVALID_KERNEL_NAME, GN_E_INTERNAL),
    ROW(CL_INVALID_KERNEL, GN_E_INTERNAL),
    ROW(CL_INVALID_ARG_INDEX, GN_E_INTERNAL),
    ROW(CL_INVALID_ARG_VALUE, GN_E_INTERNAL),
    ROW(CL_INVALID_ARG_SIZE, GN_E_INTERNAL),
    ROW(CL_INVALID_KERNEL_ARGS, GN_E_INTERNAL),
    ROW(CL_INVALID_WORK_DIMENSION, GN_E_INTERNAL),
    ROW(CL_INVALID_WORK_GROUP_SIZE, GN_E_INTERNAL),
    ROW(CL_INVALID_WORK_ITEM_SIZE, GN_E_INTERNAL),
    ROW(CL_INVALID_GLOBAL_WORK_SIZE, GN_E_INTERNAL),
    ROW(CL_INVALID_EVENT, GN_E_INTERNAL),
    ROW(CL_INVALID_EVENT_WAIT_LIST, GN_E_INTERNAL),
    ROW(CL_INVALID_OPERATION, GN_E_INTERNAL),
#undef ROW
    {"CL_PLATFORM_NOT_FOUND_KHR", -1001, GN_E_NOT_FOUND},
};

enum { N_ERRORS = sizeof errors / sizeof *errors };

const char *ocl_error_name(cl_int error) {
    for (size_t i = 0; i < N_ERRORS; i++)
        if (errors[i].code == error)
            return errors[i].name;
    return "an OpenCL error";
}

static gn_status status_of(cl_int error) {
    for (size_t i = 0; i < N_ERRORS; i++)
        if (errors[i].code == error)
            return errors[i].status;
    return GN_E_DEVICE;
}

gn_status ocl_fail_cl(gn_device *device, cl_int error, uint64_t tag, const char *what) {
    const gn_status status = status_of(error);
    if (device && status == GN_E_LOST)
        atomic_store(&device->lost, true);
    return ocl_fail(status, tag, "%s answered %s (%d)", what, ocl_error_name(error), (int)error);
}

/* ---- Whether calls may be made at all */

static void mark_forked(void) { forked = true; }

void ocl_watch_forks(void) { pthread_atfork(NULL, NULL, mark_forked); }

bool ocl_is_forked(void) { return forked; }

gn_status ocl_ready(const gn_device *device) {
    if (__builtin_expect(forked, 0))
        return ocl_fail(GN_E_FORKED, 0,
                        "OpenCL was used before fork(): the driver's threads are not in the child");
    if (__builtin_expect(atomic_load_explicit(&device->lost, memory_order_relaxed), 0))
        return ocl_fail(GN_E_LOST, 0,
                        "the driver has lost the device; end the program and start it again");
    return GN_OK;
}
