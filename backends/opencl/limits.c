/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.c - what a device can do, by its own words, and lowered by GENESIS_OPENCL_LIMITS.
 *
 * That variable is for tests: on a device with much of everything it shows how kernels get along
 * on one with less, as in GENESIS_OPENCL_LIMITS=work_group=64,local=4096,fp64=0. cpu=0 has kernels
 * laid out as on a GPU. A value above the device's own is an error, as nothing can be raised.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opencl.h"

/* ---- Questions. What a driver does not answer is 0. */

#define ASK(id, what, out) clGetDeviceInfo(id, what, sizeof *(out), out, NULL)

static bool has_extension(cl_device_id id, const char *name) {
    char text[8192];
    const size_t length = strlen(name);
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof text, text, NULL) != CL_SUCCESS)
        return false;
    for (const char *at = text; (at = strstr(at, name)) != NULL; at += length)
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static void ask(cl_device_id id, ocl_limits *out) {
    cl_ulong local = 0, block = 0, memory = 0;
    cl_uint units = 0, bits = 0;
    size_t group = 0, parameters = 0;
    cl_device_fp_config single = 0, fp64 = 0;
    cl_device_type type = 0;
    ASK(id, CL_DEVICE_LOCAL_MEM_SIZE, &local);
    ASK(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &block);
    ASK(id, CL_DEVICE_GLOBAL_MEM_SIZE, &memory);
    ASK(id, CL_DEVICE_MAX_COMPUTE_UNITS, &units);
    ASK(id, CL_DEVICE_ADDRESS_BITS, &bits);
    ASK(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group);
    ASK(id, CL_DEVICE_MAX_PARAMETER_SIZE, &parameters);
    ASK(id, CL_DEVICE_SINGLE_FP_CONFIG, &single);
    ASK(id, CL_DEVICE_DOUBLE_FP_CONFIG, &fp64);
    ASK(id, CL_DEVICE_TYPE, &type);
    *out = (ocl_limits){
        .work_group = group,
        .local_bytes = local,
        .block_bytes = block,
        .memory_bytes = memory,
        .parameter_bytes = parameters,
        .units = units,
        .address_bits = bits,
        .fp64 = fp64 != 0,
        .fp16 = has_extension(id, "cl_khr_fp16"),
        .exact_divide = (single & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0,
        .is_cpu = (type & CL_DEVICE_TYPE_CPU) != 0,
    };
}

/* What follows from others: offsets of 32 bits, and blocks of whole units. */
static void settle(ocl_limits *l) {
    if (l->address_bits <= 32) {
        l->memory_bytes = l->memory_bytes < UINT32_MAX ? l->memory_bytes : UINT32_MAX;
        l->block_bytes = l->block_bytes < INT32_MAX ? l->block_bytes : INT32_MAX;
    }
    l->block_bytes -= l->block_bytes % GN_MEM_ALIGNMENT;
}

/* ---- Lowering */

static const struct {
    const char *name;
    size_t offset, bytes;
} members[] = {
#define ROW(name, member)                                                                          \
    { name, offsetof(ocl_limits, member), sizeof((ocl_limits *)0)->member }
    ROW("work_group", work_group),
    ROW("local", local_bytes),
    ROW("block", block_bytes),
    ROW("memory", memory_bytes),
    ROW("units", units),
    ROW("parameter", parameter_bytes),
    ROW("address", address_bits),
    ROW("exact_divide", exact_divide),
    ROW("fp64", fp64),
    ROW("fp16", fp16),
    ROW("cpu", is_cpu),
#undef ROW
};

enum { N_MEMBERS = sizeof members / sizeof *members, WHY = 256 };

static uint64_t get(const void *member, size_t bytes) {
    if (bytes == sizeof(bool))
        return *(const bool *)member;
    return bytes == sizeof(uint32_t) ? *(const uint32_t *)member : *(const uint64_t *)member;
}

static void set(void *member, size_t bytes, uint64_t value) {
    if (bytes == sizeof(bool))
        *(bool *)member = value != 0;
    else if (bytes == sizeof(uint32_t))
        *(uint32_t *)member = (uint32_t)value;
    else
        *(uint64_t *)member = value;
}

static gn_status refuse(char why[WHY], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static gn_status refuse(char why[WHY], const char *format, ...) {
    va_list arguments;
    const int length = snprintf(why, WHY, "GENESIS_OPENCL_LIMITS: ");
    va_start(arguments, format);
    vsnprintf(why + length, WHY - (size_t)length, format, arguments);
    va_end(arguments);
    return GN_E_ARGUMENT;
}

/* One entry, as "work_group=64". */
static gn_status lower(ocl_limits *limits, char *entry, char why[WHY]) {
    char *value = strchr(entry, '='), *end;
    if (value == NULL || value[1] < '0' || value[1] > '9')
        return refuse(why, "'%s' is not like 'work_group=64'", entry);
    const uint64_t wanted = strtoull(value + 1, &end, 10);
    if (*end != '\0')
        return refuse(why, "'%s' is not a whole number", value + 1);
    *value = '\0';
    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (strcmp(members[i].name, entry) != 0)
            continue;
        void *member = (char *)limits + members[i].offset;
        const uint64_t own = get(member, members[i].bytes);
        if (wanted > own)
            return refuse(why, "%s is %llu on this device, and can't be raised", entry,
                          (unsigned long long)own);
        set(member, members[i].bytes, wanted);
        return GN_OK;
    }
    return refuse(why,
                  "'%s' is none of work_group, local, block, memory, parameter, units, address, "
                  "exact_divide, fp64, fp16 and cpu",
                  entry);
}

gn_status ocl_limits_get(cl_device_id id, ocl_limits *out, char why[WHY]) {
    const char *given = getenv("GENESIS_OPENCL_LIMITS");
    char list[512], *rest = list, *entry;
    gn_status status = GN_OK;
    ask(id, out);
    if (given == NULL)
        given = "";
    if (strlen(given) >= sizeof list)
        return refuse(why, "it is too long");
    memcpy(list, given, strlen(given) + 1);
    while (status == GN_OK && (entry = strsep(&rest, ",")) != NULL)
        if (*entry)
            status = lower(out, entry, why);
    settle(out);
    return status;
}
