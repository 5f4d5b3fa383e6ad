/* SPDX-License-Identifier: Apache-2.0 */
/* plans.c - the speed of planned kernels: products and convolutions in operations per second, the
 * others in bytes per second of what they have to read and write. */
#include <string.h>

#include "../plans/plan.h"
#include "speed.h"

/* Sizes of a kernel's tensors on the device, and on the reference. */
enum { MATMUL_SIDE = 1024, REFERENCE_SIDE = 96 };

typedef struct images {
    int64_t n, c, side;
} images;

static images images_on(const side *s, int64_t side_length) {
    return s->is_reference ? (images){1, 16, 14} : (images){16, 64, side_length};
}

/* Dense; images in the order that the device prefers. */
static gn_tensor_desc describe(int dtype, int n_dims, const int64_t *size) {
    gn_tensor_desc desc = {.dtype = dtype, .n_dims = n_dims, .alignment = 64};
    const bool last = n_dims == 4 && tested->flags & GN_DEVICE_CHANNELS_LAST;
    int64_t next = last ? size[1] : 1;
    for (int d = n_dims - 1; d >= 0; d--) {
        desc.size[d] = size[d];
        desc.stride[d] = last && d == 1 ? 1 : next;
        next *= last && d == 1 ? 1 : size[d];
    }
    return desc;
}

static gn_tensor_desc image(const images *i, int64_t side_length) {
    return describe(GN_F32, 4, (int64_t[]){i->n, i->c, side_length, side_length});
}

static gn_tensor_desc vector(int64_t n) { return describe(GN_F32, 1, &n); }

static uint64_t bytes_of(const gn_tensor_desc *desc) {
    uint64_t bytes = gn_dtype_bytes(desc->dtype);
    for (int d = 0; d < desc->n_dims; d++)
        bytes *= (uint64_t)desc->size[d];
    return desc->n_dims < 0 ? 0 : bytes;
}

static gn_status run_plan_once(side *s, void *argument) {
    return s->table->run(s->device, NULL, argument);
}

/* Seconds of one run; 0 if the plan is declined. `saved`: made by a forward pass, and left for the
 * backward one. */
static double time_plan(side *s, uint32_t kernel, uint32_t n, const gn_tensor_desc *descs,
                        const void *attributes, gn_mem **saved) {
    const gn_plan_desc desc = {.struct_size = sizeof desc,
                               .kernel = kernel,
                               .n_tensors = n,
                               .tensor_size = sizeof *descs,
                               .tensors = descs,
                               .attributes = attributes};
    gn_plan_info info = {.struct_size = sizeof info};
    gn_pointer pointers[8] = {{0}};
    gn_run run = {.struct_size = sizeof run, .tag = test_tag(), .n_tensors = n};
    gn_status status =
        s->table->plan ? s->table->plan(s->device, &desc, &info, &run.plan) : GN_E_UNSUPPORTED;
    if (status == GN_E_UNSUPPORTED)
        return 0;
    expect_status(status, GN_OK);
    for (uint32_t i = 0; i < n; i++)
        if (descs[i].n_dims >= 0)
            pointers[i].mem = speed_block(s, bytes_of(&descs[i]));
    if (info.saved_bytes && !*saved)
        *saved = speed_block(s, info.saved_bytes);
    if (info.workspace_bytes)
        run.workspace.mem = speed_block(s, info.workspace_bytes);
    run.saved.mem = info.saved_bytes ? *saved : NULL;
    run.tensors = pointers;
    const double seconds = seconds_per_call(s, run_plan_once, &run);
    s->table->plan_release(s->device, run.plan);
    return seconds;
}

static double rate(double work, double seconds) { return seconds > 0 ? work / seconds : 0; }

/* ---- Products */

static double measure_matmul(side *s, const void *argument) {
    const int dtype = *(const int *)argument;
    const int64_t n = s->is_reference ? REFERENCE_SIDE : MATMUL_SIDE, size[] = {n, n};
    const gn_tensor_desc matrix = describe(dtype, 2, size);
    const gn_tensor_desc descs[] = {matrix, matrix, matrix, {.dtype = dtype, .n_dims = -1}};
    const gn_matmul_attr attr = {.struct_size = sizeof attr};
    return rate(2 * (double)n * (double)n * (double)n,
                time_plan(s, GN_KERNEL_MATMUL, 4, descs, &attr, NULL));
}

static const int product_dtypes[] = {GN_F16, GN_BF16, GN_F32, GN_F64};

static void matmul_speed(int index) {
    if (subject("matmul", product_dtypes[index]))
        measure_both(SPEED_FLOPS, measure_matmul, &product_dtypes[index]);
}

/* 3x3, as many channels out as in. */
static double measure_conv(side *s, const void *argument) {
    const uint32_t kernel = *(const uint32_t *)argument;
    const images i = images_on(s, 28);
    const gn_tensor_desc x = image(&i, i.side),
                         w = describe(GN_F32, 4, (int64_t[]){i.c, i.c, 3, 3}),
                         none = {.dtype = GN_F32, .n_dims = -1};
    const bool is_weight = kernel == GN_KERNEL_CONV_BACKWARD_WEIGHT;
    const gn_tensor_desc descs[] = {is_weight ? w : x, x, is_weight ? x : w, none};
    const gn_conv_attr attr = {.struct_size = sizeof attr,
                               .n_spatial = 2,
                               .groups = 1,
                               .stride = {1, 1},
                               .padding = {1, 1},
                               .dilation = {1, 1}};
    const double products = (double)(i.n * i.c * i.c * i.side * i.side) * 9;
    return rate(2 * products, time_plan(s, kernel, kernel == GN_KERNEL_CONV_BACKWARD_DATA ? 3 : 4,
                                        descs, &attr, NULL));
}

static void conv_speed(int index) {
    static const uint32_t kernels[] = {GN_KERNEL_CONV_FORWARD, GN_KERNEL_CONV_BACKWARD_DATA,
                                       GN_KERNEL_CONV_BACKWARD_WEIGHT};
    subject(kernel_name(kernels[index]), GN_F32);
    measure_both(SPEED_FLOPS, measure_conv, &kernels[index]);
}

/* ---- Pooling and norms: the backward pass needs what the forward pass saves */

static double measure_pool(side *s, const void *argument) {
    const uint32_t kernel = *(const uint32_t *)argument;
    const bool is_max =
        kernel == GN_KERNEL_MAX_POOL_FORWARD || kernel == GN_KERNEL_MAX_POOL_BACKWARD;
    const bool is_backward =
        kernel == GN_KERNEL_MAX_POOL_BACKWARD || kernel == GN_KERNEL_AVG_POOL_BACKWARD;
    const images i = images_on(s, 56);
    const gn_tensor_desc x = image(&i, i.side), y = image(&i, i.side / 2);
    const gn_pool_attr attr = {.struct_size = sizeof attr,
                               .n_spatial = 2,
                               .kernel = {2, 2},
                               .stride = {2, 2},
                               .dilation = {1, 1}};
    const gn_tensor_desc forward[] = {y, x}, backward[] = {x, y};
    const double bytes = (double)(bytes_of(&x) + bytes_of(&y));
    gn_mem *saved = NULL;
    double seconds = 0;
    if (is_max || !is_backward)
        seconds = time_plan(s, is_max ? GN_KERNEL_MAX_POOL_FORWARD : GN_KERNEL_AVG_POOL_FORWARD, 2,
                            forward, &attr, &saved);
    if (is_backward && (seconds > 0 || !is_max))
        seconds = time_plan(s, kernel, 2, backward, &attr, &saved);
    return rate(bytes, seconds);
}

static void pool_speed(int index) {
    static const uint32_t kernels[] = {GN_KERNEL_MAX_POOL_FORWARD, GN_KERNEL_MAX_POOL_BACKWARD,
                                       GN_KERNEL_AVG_POOL_FORWARD, GN_KERNEL_AVG_POOL_BACKWARD};
    subject(kernel_name(kernels[index]), GN_F32);
    measure_both(SPEED_BYTES, measure_pool, &kernels[index]);
}

static double measure_norm(side *s, const void *argument) {
    const uint32_t kernel = *(const uint32_t *)argument;
    const images i = images_on(s, 56);
    const gn_tensor_desc x = image(&i, i.side), c = vector(i.c);
    const gn_norm_attr attr = {.struct_size = sizeof attr, .eps = 1e-5};
    const gn_tensor_desc forward[] = {x, x, c, c, c, c}, backward[] = {x, c, c, x, x, c, c, c};
    if (kernel == GN_KERNEL_BATCH_NORM_FORWARD)
        return rate(2 * (double)bytes_of(&x), time_plan(s, kernel, 6, forward, &attr, NULL));
    return rate(3 * (double)bytes_of(&x), time_plan(s, kernel, 8, backward, &attr, NULL));
}

static void norm_speed(int index) {
    static const uint32_t kernels[] = {GN_KERNEL_BATCH_NORM_FORWARD, GN_KERNEL_BATCH_NORM_BACKWARD};
    subject(kernel_name(kernels[index]), GN_F32);
    measure_both(SPEED_BYTES, measure_norm, &kernels[index]);
}

static int count_products(void) { return no_speed_or(GN_LENGTH(product_dtypes)); }
static int count_convs(void) { return no_speed_or(3); }
static int count_pools(void) { return no_speed_or(4); }
static int count_norms(void) { return no_speed_or(2); }

static const test_case cases[] = {
    {.name = "matmul", .each = matmul_speed, .count = count_products},
    {.name = "conv", .each = conv_speed, .count = count_convs},
    {.name = "pool", .each = pool_speed, .count = count_pools},
    {.name = "norm", .each = norm_speed, .count = count_norms},
};

const test_group plan_speed_group = {.name = "plan_speed", CASES(cases), .after = kernel_after};
