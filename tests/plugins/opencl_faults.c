/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer of the OpenCL loader, not of Genesis: with its path in OPENCL_LAYERS a driver fails as the
 * variable GENESIS_TEST_OPENCL_FAULT says. Calls are counted without a lock: one thread at a time.
 *
 *   devices     asking for devices fails
 *   buffer:N    there are no buffers of more than N bytes
 *   source      no source text can be compiled
 *   launch:N    launch number N fails
 *   finish:N    wait number N for a queue fails, as it does when a kernel has crashed
 *   lost:N      from launch number N on the device is lost
 *
 * It exports opencl_alive, the number of objects that were made and not released.
 */
#if defined(__has_include)
#if __has_include(<CL/cl_layer.h>)
#define HAVE_LAYERS
#endif
#endif

#ifdef HAVE_LAYERS
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl_layer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static const cl_icd_dispatch *driver;
static cl_icd_dispatch layer;
static struct {
    char name[32];
    long n;
    long launches, waits;
} fault;

EXPORT long opencl_alive;

static int is(const char *name) { return strcmp(fault.name, name) == 0; }

static int is_lost(void) { return is("lost") && fault.launches >= fault.n; }

/* ---- Objects that are made and released. OpenCL's handles are pointers to incomplete structs. */

static void *counted(void *object) {
    opencl_alive += object != NULL;
    return object;
}

static cl_context CL_API_CALL create_context(const cl_context_properties *properties, cl_uint n,
                                             const cl_device_id *devices,
                                             void(CL_CALLBACK *told)(const char *, const void *,
                                                                     size_t, void *),
                                             void *user, cl_int *error) {
    return counted(driver->clCreateContext(properties, n, devices, told, user, error));
}

static cl_command_queue CL_API_CALL create_queue(cl_context context, cl_device_id device,
                                                 cl_command_queue_properties how, cl_int *error) {
    return counted(driver->clCreateCommandQueue(context, device, how, error));
}

static cl_program CL_API_CALL create_from_binary(cl_context context, cl_uint n,
                                                 const cl_device_id *devices, const size_t *bytes,
                                                 const unsigned char **binaries, cl_int *states,
                                                 cl_int *error) {
    return counted(
        driver->clCreateProgramWithBinary(context, n, devices, bytes, binaries, states, error));
}

static cl_kernel CL_API_CALL create_kernel(cl_program program, const char *name, cl_int *error) {
    return counted(driver->clCreateKernel(program, name, error));
}

static cl_int CL_API_CALL mark(cl_command_queue queue, cl_uint n, const cl_event *events,
                               cl_event *out) {
    const cl_int error = driver->clEnqueueMarkerWithWaitList(queue, n, events, out);
    if (error == CL_SUCCESS && out)
        counted(*out);
    return error;
}

static cl_int CL_API_CALL migrate(cl_command_queue queue, cl_uint n, const cl_mem *buffers,
                                  cl_mem_migration_flags flags, cl_uint n_events,
                                  const cl_event *events, cl_event *out) {
    const cl_int error =
        driver->clEnqueueMigrateMemObjects(queue, n, buffers, flags, n_events, events, out);
    if (error == CL_SUCCESS && out)
        counted(*out);
    return error;
}

#define RELEASE(function, type)                                                                    \
    static cl_int CL_API_CALL layer_##function(type object) {                                      \
        opencl_alive--;                                                                            \
        return driver->function(object);                                                           \
    }
RELEASE(clReleaseContext, cl_context)
RELEASE(clReleaseCommandQueue, cl_command_queue)
RELEASE(clReleaseMemObject, cl_mem)
RELEASE(clReleaseProgram, cl_program)
RELEASE(clReleaseKernel, cl_kernel)
RELEASE(clReleaseEvent, cl_event)
#undef RELEASE

/* ---- Faults of single calls */

static cl_int CL_API_CALL get_devices(cl_platform_id platform, cl_device_type type, cl_uint n,
                                      cl_device_id *out, cl_uint *found) {
    return is("devices") ? CL_OUT_OF_HOST_MEMORY
                         : driver->clGetDeviceIDs(platform, type, n, out, found);
}

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t bytes,
                                        void *host, cl_int *error) {
    if (is("buffer") && bytes > (size_t)fault.n) {
        *error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
        return NULL;
    }
    return counted(driver->clCreateBuffer(context, flags, bytes, host, error));
}

static cl_program CL_API_CALL create_program(cl_context context, cl_uint n, const char **parts,
                                             const size_t *lengths, cl_int *error) {
    const char *refused[] = {"#error this driver refuses\n"};
    return counted(is("source")
                       ? driver->clCreateProgramWithSource(context, 1, refused, NULL, error)
                       : driver->clCreateProgramWithSource(context, n, parts, lengths, error));
}

static cl_int CL_API_CALL launch(cl_command_queue queue, cl_kernel kernel, cl_uint n_dims,
                                 const size_t *offset, const size_t *global, const size_t *local,
                                 cl_uint n_events, const cl_event *events, cl_event *out) {
    fault.launches++;
    if (is_lost())
        return CL_DEVICE_NOT_AVAILABLE;
    if (is("launch") && fault.launches == fault.n)
        return CL_OUT_OF_RESOURCES;
    return driver->clEnqueueNDRangeKernel(queue, kernel, n_dims, offset, global, local, n_events,
                                          events, out);
}

/* A lost device keeps those waiting who ask it to finish. */
static cl_int CL_API_CALL finish(cl_command_queue queue) {
    if (is_lost())
        abort();
    if (is("finish") && ++fault.waits == fault.n) {
        driver->clFinish(queue);
        return CL_OUT_OF_RESOURCES;
    }
    return driver->clFinish(queue);
}

/* ---- The layer */

EXPORT cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *out,
                                         size_t *needed) {
    static const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    static const char name[] = "faults for tests of Genesis";
    const void *value = what == CL_LAYER_API_VERSION ? (const void *)&version : name;
    const size_t bytes = what == CL_LAYER_API_VERSION ? sizeof version : sizeof name;
    if (what != CL_LAYER_API_VERSION && what != CL_LAYER_NAME)
        return CL_INVALID_VALUE;
    if (needed)
        *needed = bytes;
    if (out && size >= bytes)
        memcpy(out, value, bytes);
    return CL_SUCCESS;
}

EXPORT cl_int CL_API_CALL clInitLayer(cl_uint n_entries, const cl_icd_dispatch *target,
                                      cl_uint *n_out, const cl_icd_dispatch **out) {
    const char *given = getenv("GENESIS_TEST_OPENCL_FAULT");
    if (n_entries < sizeof layer / sizeof(void (*)(void)))
        return CL_INVALID_VALUE;
    if (given)
        sscanf(given, "%31[a-z]:%ld", fault.name, &fault.n);
    driver = target;
    layer = *target;
    layer.clGetDeviceIDs = get_devices;
    layer.clCreateContext = create_context;
    layer.clCreateCommandQueue = create_queue;
    layer.clCreateProgramWithBinary = create_from_binary;
    layer.clCreateKernel = create_kernel;
    layer.clEnqueueMarkerWithWaitList = mark;
    layer.clEnqueueMigrateMemObjects = migrate;
    layer.clReleaseContext = layer_clReleaseContext;
    layer.clReleaseCommandQueue = layer_clReleaseCommandQueue;
    layer.clReleaseMemObject = layer_clReleaseMemObject;
    layer.clReleaseProgram = layer_clReleaseProgram;
    layer.clReleaseKernel = layer_clReleaseKernel;
    layer.clReleaseEvent = layer_clReleaseEvent;
    layer.clCreateBuffer = create_buffer;
    layer.clCreateProgramWithSource = create_program;
    layer.clEnqueueNDRangeKernel = launch;
    layer.clFinish = finish;
    *n_out = sizeof layer / sizeof(void (*)(void));
    *out = &layer;
    return CL_SUCCESS;
}
#else
typedef int no_layers; /* the headers of OpenCL are missing, or older */
#endif
