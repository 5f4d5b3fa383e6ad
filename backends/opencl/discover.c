/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discover.c - the devices of all platforms, found at the first question and listed for good.
 *
 * GPUs and other accelerators come before CPUs, else in the order of the ICD loader. The variable
 * GENESIS_OPENCL_DEVICES selects: a list of words, separated by commas, each of which is a part of
 * the name of a platform, vendor or device (in any case), or a pair of numbers, platform:device as
 * in `clinfo -l`. Devices are then listed in the order of the words.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "opencl.h"

enum { MAX_PLATFORMS = 32, MAX_DEVICES = 64 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ocl_found found[MAX_DEVICES];
static int32_t n_found;
static gn_status fault;  /* of the search */
static char reason[512]; /* of a fault, or why there is no device */

/* A device as it is looked at. */
typedef struct candidate {
    ocl_found device;
    uint32_t platform, number; /* as in `clinfo -l` */
    char platform_name[128];
    bool taken;
} candidate;

/* ---- Texts */

/* Drivers put line ends and spaces into names. */
static void tidy(char *text) {
    size_t length = 0;
    for (const char *at = text; *at; at++) {
        const char c = (unsigned char)*at < ' ' || *at == 0x7f ? ' ' : *at;
        if (c != ' ' || (length > 0 && text[length - 1] != ' '))
            text[length++] = c;
    }
    while (length > 0 && text[length - 1] == ' ')
        length--;
    text[length] = '\0';
}

static void ask_text(cl_device_id id, cl_device_info what, char *out, size_t size) {
    char text[1024] = "";
    if (clGetDeviceInfo(id, what, sizeof text, text, NULL) != CL_SUCCESS)
        text[0] = '\0';
    tidy(text);
    snprintf(out, size, "%.*s", (int)size - 1, text);
}

static bool contains(const char *text, const char *part) {
    const size_t length = strlen(part);
    for (; *text; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return false;
}

/* ---- One device */

static bool ask_version(cl_device_id id, int *major, int *minor) {
    char text[128];
    ask_text(id, CL_DEVICE_VERSION, text, sizeof text);
    return sscanf(text, "OpenCL %d.%d", major, minor) == 2;
}

/* Why a device can't be used; NULL: it can. */
static const char *unusable(cl_device_id id) {
    cl_bool available = CL_FALSE, compiler = CL_FALSE, little = CL_FALSE;
    int major, minor;
    clGetDeviceInfo(id, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL);
    clGetDeviceInfo(id, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL);
    clGetDeviceInfo(id, CL_DEVICE_ENDIAN_LITTLE, sizeof little, &little, NULL);
    if (!available)
        return "it is not available now";
    if (!compiler)
        return "its driver has no compiler";
    if (!little)
        return "its numbers are big-endian";
    if (!ask_version(id, &major, &minor) || major * 10 + minor < 12)
        return "its OpenCL is older than 1.2";
    return NULL;
}

static gn_status describe(candidate *c, cl_platform_id platform, cl_device_id id) {
    ocl_found *d = &c->device;
    char driver[48];
    int major = 0, minor = 0;
    *d = (ocl_found){.platform = platform, .id = id};
    ask_text(id, CL_DEVICE_NAME, d->name, sizeof d->name);
    ask_text(id, CL_DEVICE_VENDOR, d->vendor, sizeof d->vendor);
    ask_text(id, CL_DRIVER_VERSION, driver, sizeof driver);
    ask_version(id, &major, &minor);
    snprintf(d->driver, sizeof d->driver, "%.40s %s, OpenCL %d.%d", c->platform_name, driver, major,
             minor);
    if (d->name[0] == '\0')
        snprintf(d->name, sizeof d->name, "a device without a name");
    return ocl_limits_get(id, &d->limits, reason);
}

/* ---- All devices */

typedef struct search {
    candidate *all;
    size_t n;
    char skipped[256]; /* about the last one that can't be used */
} search;

static void look_at(search *s, cl_platform_id platform, uint32_t number) {
    cl_device_id ids[MAX_DEVICES];
    cl_uint n = 0;
    char name[128] = "";
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name, name, NULL);
    name[sizeof name - 1] = '\0';
    tidy(name);
    const cl_int error = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids, &n);
    if (error != CL_SUCCESS || n == 0)
        snprintf(s->skipped, sizeof s->skipped, "the platform '%s' has no device (%s)", name,
                 ocl_error_name(error));
    for (cl_uint i = 0; error == CL_SUCCESS && i < n && i < MAX_DEVICES && s->n < MAX_DEVICES;
         i++) {
        candidate *c = &s->all[s->n];
        const char *why = unusable(ids[i]);
        *c = (candidate){.platform = number, .number = i};
        memcpy(c->platform_name, name, sizeof name);
        if (why == NULL && fault == GN_OK)
            fault = describe(c, platform, ids[i]);
        if (why == NULL)
            s->n++;
        else
            snprintf(s->skipped, sizeof s->skipped, "device %u of the platform '%s': %s", i, name,
                     why);
    }
}

static void take(candidate *c) {
    if (c->taken || n_found == MAX_DEVICES)
        return;
    c->taken = true;
    found[n_found++] = c->device;
}

static bool matches(const candidate *c, const char *word) {
    unsigned platform, number;
    int length = 0;
    if (sscanf(word, "%u:%u%n", &platform, &number, &length) == 2 && word[length] == '\0')
        return c->platform == platform && c->number == number;
    return contains(c->device.name, word) || contains(c->device.vendor, word) ||
           contains(c->platform_name, word);
}

/* Takes what the words select. */
static void select_by(search *s, const char *words) {
    char list[512], *rest = list, *word;
    snprintf(list, sizeof list, "%s", words);
    while ((word = strsep(&rest, ",")) != NULL) {
        tidy(word);
        for (size_t i = 0; *word && i < s->n; i++)
            if (matches(&s->all[i], word))
                take(&s->all[i]);
    }
}

static void select_all(search *s) {
    for (int cpus = 0; cpus <= 1; cpus++)
        for (size_t i = 0; i < s->n; i++)
            if (s->all[i].device.limits.is_cpu == (cpus == 1))
                take(&s->all[i]);
}

static void give_reason(const search *s, const char *words) {
    if (s->n == 0)
        snprintf(reason, sizeof reason, "%s", s->skipped);
    else
        snprintf(
            reason, sizeof reason,
            "GENESIS_OPENCL_DEVICES=%s selects none of them (%zu in all, the first of which is "
            "'%s' of the platform '%s')",
            words, s->n, s->all[0].device.name, s->all[0].platform_name);
}

static void discover(void) {
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0;
    const char *words = getenv("GENESIS_OPENCL_DEVICES");
    search s = {.all = calloc(MAX_DEVICES, sizeof *s.all)};
    if (s.all == NULL) {
        fault = GN_E_MEMORY;
        snprintf(reason, sizeof reason, "no host memory for a list of devices");
        return;
    }
    ocl_watch_forks();
    const cl_int error = clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms);
    if (error != CL_SUCCESS || n_platforms == 0)
        snprintf(s.skipped, sizeof s.skipped,
                 "the ICD loader finds no driver (%s); is one installed, with a file in "
                 "/etc/OpenCL/vendors?",
                 ocl_error_name(error));
    for (cl_uint i = 0; error == CL_SUCCESS && i < n_platforms && i < MAX_PLATFORMS; i++)
        look_at(&s, platforms[i], i);
    if (words && *words)
        select_by(&s, words);
    else
        select_all(&s);
    if (n_found == 0 && fault == GN_OK)
        give_reason(&s, words);
    free(s.all);
}

/* ---- Questions of the host */

gn_status ocl_count(int32_t *out) {
    *out = 0;
    pthread_once(&once, discover);
    if (fault == GN_OK)
        *out = n_found;
    return *out ? GN_OK : ocl_host->set_error(fault, 0, reason);
}

gn_status ocl_find(int32_t ordinal, const ocl_found **out) {
    int32_t n;
    const gn_status status = ocl_count(&n);
    if (status != GN_OK)
        return status;
    if (ordinal < 0 || ordinal >= n)
        return ocl_fail(GN_E_NOT_FOUND, 0, "there is no OpenCL device number %d; %s", (int)ordinal,
                        n ? "`genesis devices` lists them" : reason);
    *out = &found[ordinal];
    return GN_OK;
}

gn_status ocl_info(int32_t ordinal, gn_device_info *out) {
    const ocl_found *device;
    const gn_status status = ocl_find(ordinal, &device);
    if (status != GN_OK)
        return status;
    gn_device_info all = {
        .struct_size = out->struct_size,
        .memory_bytes = device->limits.memory_bytes,
        .units = device->limits.units,
        .flags = GN_DEVICE_CHANNELS_LAST, /* the kernels read and write neighbouring channels */
    };
    memcpy(all.name, device->name, sizeof all.name);
    memcpy(all.vendor, device->vendor, sizeof all.vendor);
    memcpy(all.driver, device->driver, sizeof all.driver);
#define X(name, value, text, bytes) all.dtypes |= 1u << name;
    GN_DTYPES(X)
#undef X
    if (!device->limits.fp64)
        all.dtypes &= ~(1u << GN_F64);
    memcpy(out, &all, out->struct_size < sizeof all ? out->struct_size : sizeof all);
    return GN_OK;
}
