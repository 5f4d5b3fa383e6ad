/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu.c - the CPU backend: its device, its table and the plugin's entry.
 *
 * The work is done elsewhere: programs by engine.c and the loops of kernels.inc, planned kernels by
 * oneDNN (plan.c). Every call returns when its work is done, so there are no streams or events.
 */
#include "cpu.h"
#include "kernels.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const gn_host *cpu_host;
volatile bool cpu_forked;

gn_status cpu_fail(gn_status status, uint64_t tag, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return cpu_host->set_error(status, tag, message);
}

gn_status cpu_fail_forked(void) {
    return cpu_fail(GN_E_FORKED, 0,
                    "the cpu device was opened before fork(): its threads are not in the child");
}

int cpu_threads(void) {
#if defined(_OPENMP)
    const int threads = cpu_host->threads();
    return threads > 1 ? threads : 1;
#else
    return 1;
#endif
}

/* ---- Devices ---- */

static gn_status count(int32_t *out) {
    *out = 1;
    return GN_OK;
}

/* The value of a line "key : value" of /proc/cpuinfo; `fallback` if there is none. */
static void read_cpuinfo(const char *key, const char *fallback, char *out, size_t size) {
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512];
    snprintf(out, size, "%s", fallback);
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        if (colon[1] == ' ' && colon[2] != '\0')
            snprintf(out, size, "%s", colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

static gn_status info(int32_t ordinal, gn_device_info *out) {
    if (ordinal != 0)
        return cpu_fail(GN_E_NOT_FOUND, 0, "there is one cpu device, not number %d", ordinal);
    gn_device_info all = {.struct_size = out->struct_size};
    read_cpuinfo("model name", "CPU", all.name, sizeof all.name);
    read_cpuinfo("vendor_id", "", all.vendor, sizeof all.vendor);
    snprintf(all.driver, sizeof all.driver, "%s, %s loops", cpu_onednn_version(),
             cpu_kernels_best()->name);
    all.memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    all.units = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
#define X(name, value, text, bytes) all.dtypes |= 1u << name;
    GN_DTYPES(X)
#undef X
    all.flags = GN_DEVICE_HOST_VISIBLE | GN_DEVICE_CHANNELS_LAST;
    memcpy(out, &all, out->struct_size < sizeof all ? out->struct_size : sizeof all);
    return GN_OK;
}

static void mark_forked(void) { cpu_forked = true; }
static void watch_forks(void) { pthread_atfork(NULL, NULL, mark_forked); }

static gn_status open_device(int32_t ordinal, gn_device **out) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *out = NULL;
    if (cpu_is_forked())
        return cpu_fail_forked();
    if (ordinal != 0)
        return cpu_fail(GN_E_NOT_FOUND, 0, "there is one cpu device, not number %d", ordinal);
    pthread_once(&once, watch_forks);
    gn_device *device = malloc(sizeof *device);
    if (!device)
        return cpu_fail(GN_E_MEMORY, 0, "no memory for a device");
    device->kernels = cpu_kernels_best();
    *out = device;
    return GN_OK;
}

static void close_device(gn_device *device) { free(device); }

/* ---- The table ---- */

static const gn_backend backend = {
    .struct_size = sizeof(gn_backend),
    .abi_major = GN_ABI_MAJOR,
    .abi_minor = GN_ABI_MINOR,
    .name = "cpu",
    .version = "0.1",
    .count = count,
    .info = info,
    .open = open_device,
    .close = close_device,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .upload = cpu_upload,
    .download = cpu_download,
    .map = cpu_map,
    .reduce = cpu_reduce,
    .scatter = cpu_scatter,
    .program_create = cpu_program_create,
    .program_release = cpu_program_release,
    .host_pointer = cpu_host_pointer,
    .wrap = cpu_wrap,
    .memory_info = cpu_memory_info,
    .row_map = cpu_row_map,
    .map_many = cpu_map_many,
    .plan = cpu_plan,
    .plan_release = cpu_plan_release,
    .run = cpu_run,
};

gn_status gn_backend_entry(const gn_host *host, gn_abi_request *request, const gn_backend **out) {
    if (request->major != GN_ABI_MAJOR || request->minor_max < GN_ABI_MINOR ||
        request->minor_min > GN_ABI_MINOR) {
        request->needed_major = GN_ABI_MAJOR;
        request->needed_minor = GN_ABI_MINOR;
        return GN_E_VERSION;
    }
    cpu_host = host;
    *out = &backend;
    return GN_OK;
}
