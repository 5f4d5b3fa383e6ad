/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - planned kernels of OpenCL devices: checks the descriptor and finds the maker in a table.
 * What a kernel declines, and why, stands with the kernel.
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

/* ---- Spaces ------------------------------------------------------------------------------- */

static bool continues(const ocl_space *s, int d, int64_t size,
                      const int64_t stride[OCL_SPACE_OPERANDS]) {
    for (int o = 0; o < OCL_SPACE_OPERANDS; o++)
        if (s->stride[o][d] != size * stride[o])
            return false;
    return true;
}

void ocl_space_add(ocl_space *s, int64_t size, const int64_t stride[OCL_SPACE_OPERANDS]) {
    if (size == 1)
        return;
    int d = s->n_dims - 1;
    if (d >= 0 && continues(s, d, size, stride)) {
        s->size[d] *= size;
    } else {
        d = s->n_dims++;
        s->size[d] = size;
    }
    for (int o = 0; o < OCL_SPACE_OPERANDS; o++)
        s->stride[o][d] = stride[o];
}

int64_t ocl_space_size(const ocl_space *s) {
    int64_t size = 1;
    for (int d = 0; d < s->n_dims; d++)
        size *= s->size[d];
    return size;
}

/* ---- Dtypes and arguments ----------------------------------------------------------------- */

gn_status ocl_check_floats(const gn_device *device, const gn_tensor_desc *tensors, int n,
                           const char *what) {
    const int dtype = tensors[0].dtype;
    for (int i = 1; i < n; i++)
        if (!ocl_is_absent(&tensors[i]) && tensors[i].dtype != dtype)
            return ocl_fail(GN_E_UNSUPPORTED, 0, "%s is not planned for mixed dtypes", what);
    if (!gn_dtype_is_float(dtype) || (dtype == GN_F64 && !device->limits->fp64))
        return ocl_fail(GN_E_UNSUPPORTED, 0, "%s of dtype %d is not planned on %s", what, dtype,
                        device->found->name);
    return GN_OK;
}

const char *ocl_dtype_defines(int dtype) {
#define ROW(name, element, value)                                                                  \
    [GN_##name] =                                                                                  \
        "#define DTYPE " #name "\n#define ELEMENT " #element "\n#define VALUE " #value "\n"
    static const char *const defines[GN_N_DTYPES] = {
        ROW(BOOL, u8, u8),  ROW(U8, u8, u8),    ROW(I8, i8, i8),    ROW(I16, i16, i16),
        ROW(I32, i32, i32), ROW(I64, i64, i64), ROW(F16, f16, f32), ROW(BF16, bf16, f32),
        ROW(F32, f32, f32), ROW(F64, f64, f64),
    };
#undef ROW
    return defines[dtype];
}

bool ocl_is_small(const gn_tensor_desc *tensors, int n) {
    for (int i = 0; i < n; i++) {
        int64_t last = 0;
        double count = 1;
        for (int d = 0; d < tensors[i].n_dims; d++) {
            last += (tensors[i].size[d] - 1) * llabs(tensors[i].stride[d]);
            count *= (double)tensors[i].size[d];
        }
        if (last > INT32_MAX || count > INT32_MAX)
            return false;
    }
    return true;
}

size_t ocl_items(const gn_device *device, size_t wanted) {
    size_t items = wanted;
    while (items > 1 && items > device->limits->work_group)
        items /= 2;
    return items;
}

void ocl_tensor(ocl_launch *launch, const gn_pointer *pointer) {
    static const cl_mem none;
    if (pointer->mem)
        ocl_buffer(launch, pointer->mem);
    else
        ocl_bytes(launch, &none, sizeof none);
}

/* ---- The kernels --------------------------------------------------------------------------- */

typedef struct kernel_row {
    ocl_maker *make;
    uint32_t n_tensors;
    bool last_optional; /* the last tensor may be absent */
    size_t attr_bytes;
} kernel_row;

static const kernel_row kernels[] = {
    [GN_KERNEL_MATMUL] = {.make = ocl_plan_matmul,
                          .n_tensors = 4,
                          .last_optional = true,
                          .attr_bytes = sizeof(gn_matmul_attr)},
    [GN_KERNEL_CONV_FORWARD] = {.make = ocl_plan_conv,
                                .n_tensors = 4,
                                .last_optional = true,
                                .attr_bytes = sizeof(gn_conv_attr)},
    [GN_KERNEL_CONV_BACKWARD_DATA] = {.make = ocl_plan_conv,
                                      .n_tensors = 3,
                                      .attr_bytes = sizeof(gn_conv_attr)},
    [GN_KERNEL_CONV_BACKWARD_WEIGHT] = {.make = ocl_plan_conv,
                                        .n_tensors = 4,
                                        .last_optional = true,
                                        .attr_bytes = sizeof(gn_conv_attr)},
    [GN_KERNEL_MAX_POOL_FORWARD] = {.make = ocl_plan_pool,
                                    .n_tensors = 2,
                                    .attr_bytes = sizeof(gn_pool_attr)},
    [GN_KERNEL_MAX_POOL_BACKWARD] = {.make = ocl_plan_pool,
                                     .n_tensors = 2,
                                     .attr_bytes = sizeof(gn_pool_attr)},
    [GN_KERNEL_AVG_POOL_FORWARD] = {.make = ocl_plan_pool,
                                    .n_tensors = 2,
                                    .attr_bytes = sizeof(gn_pool_attr)},
    [GN_KERNEL_AVG_POOL_BACKWARD] = {.make = ocl_plan_pool,
                                     .n_tensors = 2,
                                     .attr_bytes = sizeof(gn_pool_attr)},
    [GN_KERNEL_BATCH_NORM_FORWARD] = {.make = ocl_plan_norm,
                                      .n_tensors = 6,
                                      .attr_bytes = sizeof(gn_norm_attr)},
    [GN_KERNEL_BATCH_NORM_BACKWARD] = {.make = ocl_plan_norm,
                                       .n_tensors = 8,
                                       .attr_bytes = sizeof(gn_norm_attr)},
    [GN_KERNEL_ATTENTION_FORWARD] = {.make = ocl_plan_attention,
                                     .n_tensors = 5,
                                     .last_optional = true,
                                     .attr_bytes = sizeof(gn_attention_attr)},
    [GN_KERNEL_ATTENTION_BACKWARD] = {.make = ocl_plan_attention,
                                      .n_tensors = 9,
                                      .last_optional = true,
                                      .attr_bytes = sizeof(gn_attention_attr)},
};

static gn_status check_tensor(const gn_tensor_desc *t, bool optional) {
    if (optional && ocl_is_absent(t))
        return GN_OK;
    if (t->n_dims < 0 || t->n_dims > GN_MAX_DIMS)
        return ocl_fail(GN_E_ARGUMENT, 0, "a tensor of a plan has %d dims", (int)t->n_dims);
    for (int d = 0; d < t->n_dims; d++)
        if (t->size[d] < 1)
            return ocl_fail(GN_E_UNSUPPORTED, 0, "no plans for empty tensors");
    return GN_OK;
}

/* Copies what `desc` holds, stepping by the caller's sizes of structs. */
static gn_status read_request(const gn_plan_desc *desc, ocl_request *out) {
    const uint32_t kernel = desc->kernel;
    if (kernel >= sizeof kernels / sizeof kernels[0] || !kernels[kernel].make)
        return ocl_fail(GN_E_UNSUPPORTED, 0, "no kernel number %u", (unsigned)kernel);
    const kernel_row *row = &kernels[kernel];
    if (desc->n_tensors != row->n_tensors || desc->tensor_size < sizeof(gn_tensor_desc))
        return ocl_fail(GN_E_ARGUMENT, 0, "kernel %u takes %u tensors, not %u", (unsigned)kernel,
                        (unsigned)row->n_tensors, (unsigned)desc->n_tensors);
    out->kernel = kernel;
    for (uint32_t i = 0; i < desc->n_tensors; i++) {
        const char *tensor = (const char *)desc->tensors + (size_t)i * desc->tensor_size;
        memcpy(&out->tensors[i], tensor, sizeof out->tensors[i]);
        const bool optional = row->last_optional && i + 1 == row->n_tensors;
        const gn_status status = check_tensor(&out->tensors[i], optional);
        if (status)
            return status;
    }
    const size_t *attr_bytes = desc->attributes;
    if (*attr_bytes < row->attr_bytes)
        return ocl_fail(GN_E_ARGUMENT, 0, "the attributes of kernel %u are too short",
                        (unsigned)kernel);
    memcpy(&out->attr, desc->attributes, row->attr_bytes);
    return GN_OK;
}

/* ---- The table's functions ----------------------------------------------------------------- */

void *ocl_plan_new(gn_device *device, size_t bytes,
                   gn_status (*run)(const gn_plan *plan, gn_stream *stream, const gn_run *run)) {
    gn_plan *plan = calloc(1, bytes);
    if (!plan) {
        ocl_fail(GN_E_MEMORY, 0, "no memory for a plan of %zu bytes", bytes);
        return NULL;
    }
    plan->device = device;
    plan->run = run;
    return plan;
}

gn_status ocl_plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info, gn_plan **out) {
    ocl_request request = {0};
    gn_status status = ocl_ready(device);
    if (!status)
        status = read_request(desc, &request);
    return status ? status : kernels[request.kernel].make(device, &request, info, out);
}

void ocl_plan_release(gn_device *device, gn_plan *plan) {
    (void)device;
    free(plan);
}

gn_status ocl_run(gn_device *device, gn_stream *stream, const gn_run *run) {
    const gn_status status = ocl_ready(device);
    return status ? status : run->plan->run(run->plan, ocl_stream(device, stream), run);
}
