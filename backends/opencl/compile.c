/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile.c - kernels from source text. A program is found by a hash of its text: in the device's
 * table, in the cache on disk (cache.c), or else it is compiled.
 *
 * Several threads may ask at once: they wait for each other, so that nothing is compiled twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "opencl.h"

enum { N_CHAINS = 256, MAX_OPTIONS = 256, LOG_SHOWN = 400 };

typedef struct kernel {
    struct kernel *next;
    cl_kernel object;
    char name[];
} kernel;

typedef struct program {
    struct program *next;
    ocl_key key;
    cl_program object;
    kernel *kernels;
} program;

struct ocl_kernels {
    pthread_mutex_t lock;
    double seconds; /* spent on compiling */
    bool told;      /* that this takes long */
    program *chains[N_CHAINS];
};

/* The text of a program, and what it is compiled for. */
typedef struct text {
    gn_device *device;
    const char *what;
    const char *parts[3]; /* prelude, defines, source */
    char options[MAX_OPTIONS];
} text;

struct ocl_kernels *ocl_kernels_new(void) {
    struct ocl_kernels *kernels = calloc(1, sizeof *kernels);
    if (kernels)
        pthread_mutex_init(&kernels->lock, NULL);
    return kernels;
}

static void free_program(program *p) {
    while (p->kernels) {
        kernel *next = p->kernels->next;
        clReleaseKernel(p->kernels->object);
        free(p->kernels);
        p->kernels = next;
    }
    if (p->object)
        clReleaseProgram(p->object);
    free(p);
}

void ocl_kernels_free(struct ocl_kernels *kernels) {
    if (kernels == NULL)
        return;
    for (size_t i = 0; i < N_CHAINS; i++)
        while (kernels->chains[i]) {
            program *next = kernels->chains[i]->next;
            free_program(kernels->chains[i]);
            kernels->chains[i] = next;
        }
    pthread_mutex_destroy(&kernels->lock);
    free(kernels);
}

/* ---- What a program is compiled for */

static void set_options(text *t) {
    const ocl_limits *l = t->device->limits;
    snprintf(t->options, sizeof t->options, "-cl-std=CL1.2 -w%s%s%s%s",
             l->exact_divide ? " -cl-fp32-correctly-rounded-divide-sqrt -DEXACT_DIVIDE=1" : "",
             l->fp64 ? " -DFP64=1" : "", l->fp16 ? " -DFP16=1" : "",
             l->is_cpu ? " -DIS_CPU=1" : "");
}

/* On disk a program is known by its text, the options, the device and its driver. */
static ocl_key disk_key(const text *t) {
    const ocl_found *found = t->device->found;
    ocl_key key = {0};
    for (int i = 0; i < 3; i++)
        ocl_hash_text(&key, t->parts[i]);
    ocl_hash_text(&key, t->options);
    ocl_hash_text(&key, found->name);
    ocl_hash_text(&key, found->driver);
    ocl_hash_text(&key, OCL_VERSION);
    return key;
}

/* ---- Failures */

/* A file for a report, with everything that the compiler had. path: "" if none can be written. */
static void write_report(const text *t, const ocl_key *key, const char *log, char path[512]) {
    const char *folder = ocl_cache_folder(), *temporary = getenv("TMPDIR");
    const ocl_found *found = t->device->found;
    if (folder == NULL)
        folder = temporary && *temporary ? temporary : "/tmp";
    snprintf(path, 512, "%s/failed-%016llx.txt", folder, (unsigned long long)key->half[0]);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        path[0] = '\0';
        return;
    }
    fprintf(file, "The compiler of an OpenCL driver refused a kernel of Genesis.\n\nkernel   %s\n",
            t->what);
    fprintf(file, "device   %s\nvendor   %s\ndriver   %s\nplugin   %s\noptions  %s\n\n",
            found->name, found->vendor, found->driver, OCL_VERSION, t->options);
    fprintf(file, "---- log\n%s\n---- source\n%s%s%s", log, t->parts[0], t->parts[1], t->parts[2]);
    fclose(file);
}

static gn_status compile_failed(const text *t, const ocl_key *key, cl_program object,
                                cl_int error) {
    const ocl_found *found = t->device->found;
    size_t bytes = 0;
    char *log = NULL, path[512];
    if (error != CL_BUILD_PROGRAM_FAILURE)
        return ocl_fail_cl(t->device, error, 0, "clBuildProgram");
    clGetProgramBuildInfo(object, found->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    if (bytes > 0)
        log = calloc(1, bytes + 1);
    if (log)
        clGetProgramBuildInfo(object, found->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL);
    write_report(t, key, log ? log : "", path);
    const gn_status status = ocl_fail(
        GN_E_INTERNAL, 0, "the driver does not compile the kernel of %s%s%s: %.*s", t->what,
        *path ? "; please report it with the file " : "", path, LOG_SHOWN, log ? log : "no log");
    free(log);
    return status;
}

/* ---- Compiling */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static cl_int build(const text *t, cl_program object) {
    return clBuildProgram(object, 1, &t->device->found->id, t->options, NULL, NULL);
}

/* From the cache on disk; NULL: it is not there, or of no use. */
static cl_program load(const text *t, const ocl_key *key) {
    size_t n;
    cl_int error, status;
    unsigned char *bytes = ocl_cache_load(key, &n);
    if (bytes == NULL)
        return NULL;
    const unsigned char *binary = bytes;
    cl_program object = clCreateProgramWithBinary(t->device->context, 1, &t->device->found->id, &n,
                                                  &binary, &status, &error);
    free(bytes);
    if (error == CL_SUCCESS && build(t, object) == CL_SUCCESS)
        return object;
    if (error == CL_SUCCESS)
        clReleaseProgram(object);
    return NULL;
}

static void store(const ocl_key *key, cl_program object) {
    size_t n = 0;
    if (clGetProgramInfo(object, CL_PROGRAM_BINARY_SIZES, sizeof n, &n, NULL) != CL_SUCCESS ||
        n == 0)
        return;
    unsigned char *bytes = malloc(n);
    if (bytes &&
        clGetProgramInfo(object, CL_PROGRAM_BINARIES, sizeof bytes, &bytes, NULL) == CL_SUCCESS)
        ocl_cache_store(key, bytes, n);
    free(bytes);
}

/* Says once that the time goes into compiling. */
static void count_time(struct ocl_kernels *kernels, double seconds) {
    enum { LONG = 2 };
    char line[768];
    const char *folder = ocl_cache_folder();
    kernels->seconds += seconds;
    if (kernels->told || kernels->seconds < LONG)
        return;
    kernels->told = true;
    snprintf(line, sizeof line,
             "opencl: compiling kernels has taken %.1f s so far; they are kept in %s, so the next "
             "run starts faster",
             kernels->seconds, folder ? folder : "memory only (no cache folder can be written)");
    ocl_host->log(GN_LOG_WARNING, line);
}

static gn_status compile(const text *t, cl_program *out) {
    const ocl_key key = disk_key(t);
    const double start = now();
    cl_int error;
    *out = load(t, &key);
    if (*out)
        return GN_OK;
    const char *parts[3] = {t->parts[0], t->parts[1], t->parts[2]};
    cl_program object = clCreateProgramWithSource(t->device->context, 3, parts, NULL, &error);
    if (error != CL_SUCCESS)
        return ocl_fail_cl(t->device, error, 0, "clCreateProgramWithSource");
    error = build(t, object);
    if (error != CL_SUCCESS) {
        const gn_status status = compile_failed(t, &key, object, error);
        clReleaseProgram(object);
        return status;
    }
    store(&key, object);
    count_time(t->device->kernels, now() - start);
    *out = object;
    return GN_OK;
}

/* ---- The table. Under its lock */

static gn_status get_program(const text *t, program **out) {
    ocl_key key = {0};
    ocl_hash_text(&key, t->parts[1]);
    ocl_hash_text(&key, t->parts[2]);
    program **chain = &t->device->kernels->chains[key.half[0] % N_CHAINS];
    program *p = *chain;
    while (p && (p->key.half[0] != key.half[0] || p->key.half[1] != key.half[1]))
        p = p->next;
    *out = p;
    if (p)
        return GN_OK;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return ocl_fail(GN_E_MEMORY, 0, "no host memory for a kernel");
    p->key = key;
    const gn_status status = compile(t, &p->object);
    if (status != GN_OK) {
        free_program(p);
        return status;
    }
    p->next = *chain;
    *chain = p;
    *out = p;
    return GN_OK;
}

static gn_status get_kernel(gn_device *device, program *p, const char *name, cl_kernel *out) {
    kernel *k = p->kernels;
    cl_int error;
    while (k && strcmp(k->name, name) != 0)
        k = k->next;
    if (k == NULL) {
        const size_t length = strlen(name) + 1;
        k = malloc(sizeof *k + length);
        if (k == NULL)
            return ocl_fail(GN_E_MEMORY, 0, "no host memory for a kernel");
        memcpy(k->name, name, length);
        k->object = clCreateKernel(p->object, name, &error);
        if (error != CL_SUCCESS) {
            free(k);
            return ocl_fail_cl(device, error, 0, "clCreateKernel");
        }
        k->next = p->kernels;
        p->kernels = k;
    }
    *out = k->object;
    return GN_OK;
}

gn_status ocl_kernel(gn_device *device, const char *what, const char *defines, const char *source,
                     const char *name, cl_kernel *out) {
    text t = {.device = device, .what = what, .parts = {ocl_prelude, defines, source}};
    program *p;
    set_options(&t);
    pthread_mutex_lock(&device->kernels->lock);
    gn_status status = get_program(&t, &p);
    if (status == GN_OK)
        status = get_kernel(device, p, name, out);
    pthread_mutex_unlock(&device->kernels->lock);
    return status;
}
