/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support.c - spaces of reductions, planned kernels on tensors, checks.
 */
#include "support.h"

/* ---- Spaces */

gn__rows gn__rows_over(int n_dims, const int64_t *size, unsigned reduced) {
    gn__rows space = {.n_dims = n_dims};
    int n = 0;
    for (unsigned last = 0; last < 2; last++)
        for (int d = 0; d < n_dims; d++)
            if ((reduced >> d & 1) == last) {
                space.order[n] = d;
                space.size[n++] = size[d];
                space.n_reduced += (int)last;
            }
    return space;
}

static gn__operand operand_of(const gn_tensor *t) {
    return (gn__operand){.storage = t->storage, .offset = t->offset};
}

gn__operand gn__rows_full(const gn__rows *space, const gn_tensor *t) {
    gn__operand operand = operand_of(t);
    int lead = space->n_dims - t->n_dims;
    for (int i = 0; i < space->n_dims; i++) {
        int d = space->order[i] - lead;
        bool spread = d < 0 || (t->size[d] == 1 && space->size[i] != 1);
        operand.stride[i] = spread ? 0 : t->stride[d];
    }
    return operand;
}

gn__operand gn__rows_kept(const gn__rows *space, const gn_tensor *t) {
    gn__operand operand = operand_of(t);
    for (int i = 0; i < space->n_dims - space->n_reduced; i++)
        operand.stride[i] = t->stride[i];
    return operand;
}

gn_tensor *gn__rows_new_kept(const gn__rows *space, gn__device *device, int dtype) {
    return gn__tensor_new(device, dtype, space->n_dims - space->n_reduced, space->size);
}

gn_status gn__kernel_run(const char *op, gn__device *device, gn__kernel *kernel,
                         gn__variant variant, const gn__rows *space, const gn__operand *operands,
                         const gn_scalar *params) {
    const gn_program *program = gn__kernel_program(kernel, variant);
    if (program == NULL)
        return gn_error_status();
    gn__launch launch = {
        .op = op,
        .program = program,
        .n_dims = space->n_dims,
        .n_reduced = space->n_reduced,
        .size = space->size,
        .operands = operands,
        .params = params,
    };
    return gn__launch_run(device, &launch);
}

static void build_product(gn__builder *b, const int8_t *v) {
    int left = gn__build_operand(b, GN_READ, v[0]), right = gn__build_operand(b, GN_READ, v[0]);
    int bias = v[1] ? gn__build_operand(b, GN_READ, v[0]) : -1;
    int result = gn__build_operand(b, GN_WRITE, v[0]);
    int product = gn__emit(b, GN_OP_MUL, gn__load(b, left), gn__load(b, right), 0);
    int sum = gn__reduce_value(b, GN_SUM, product, 0);
    gn__store(b, result, v[1] ? gn__emit(b, GN_OP_ADD, sum, gn__load(b, bias), 0) : sum);
}
gn__kernel gn__product_kernel = {.name = "product", .build = build_product};

static void build_sum(gn__builder *b, const int8_t *v) {
    int x = gn__build_operand(b, GN_READ, v[0]), y = gn__build_operand(b, GN_WRITE, v[0]);
    gn__store(b, y, gn__reduce_value(b, GN_SUM, gn__load(b, x), 0));
}
static gn__kernel sum_kernel = {.name = "sum", .build = build_sum};

gn_tensor *gn__sum_but(const char *op, gn_tensor *t, int dim) {
    gn__rows space = gn__rows_of(t, ~(1u << dim));
    gn_tensor *sum = gn__rows_new_kept(&space, t->storage->device, t->dtype);
    if (sum == NULL)
        return NULL;
    gn__operand operands[] = {gn__rows_full(&space, t), gn__rows_kept(&space, sum)};
    if (gn__kernel_run(op, t->storage->device, &sum_kernel, GN__VARIANT(t->dtype), &space, operands,
                       NULL) != GN_OK)
        return NULL;
    return sum;
}

gn_tensor *gn__framed(gn_tensor *t, int n_spatial, const int64_t *size, const int64_t *before,
                      const int64_t *step, double value) {
    int first = t->n_dims - n_spatial;
    int64_t frame_size[GN_TENSOR_MAX_DIMS], stride[GN_TENSOR_MAX_DIMS], offset = 0;
    for (int d = 0; d < t->n_dims; d++)
        frame_size[d] = d < first ? t->size[d] : size[d - first];
    gn_tensor *frame = gn__tensor_new(t->storage->device, t->dtype, t->n_dims, frame_size);
    if (frame == NULL || gn__fill_data(frame, value) != GN_OK)
        return NULL;
    for (int d = 0; d < t->n_dims; d++) {
        stride[d] = frame->stride[d] * (d < first ? 1 : step[d - first]);
        offset += d < first ? 0 : before[d - first] * frame->stride[d];
    }
    if (t->count == 0)
        return frame;
    gn_tensor *inside = gn__tensor_alias(frame, t->n_dims, t->size, stride, frame->offset + offset);
    if (inside == NULL || gn__copy_data(inside, t) != GN_OK)
        return NULL;
    return frame;
}

/* ---- Planned kernels */

/* What the address of every run is a multiple of: that of this tensor, up to a cache line. */
static uint32_t alignment_of(const gn_tensor *t) {
    uint64_t offset = (uint64_t)t->offset * gn_dtype_bytes(t->dtype);
    offset += t->storage->host ? (uint64_t)(uintptr_t)t->storage->host : t->storage->offset;
    uint64_t lowest = offset & -offset;
    return lowest == 0 || lowest > 64 ? 64 : (uint32_t)lowest;
}

gn_tensor_desc gn__describe(const gn_tensor *t) {
    if (t == NULL)
        return (gn_tensor_desc){.n_dims = -1};
    gn_tensor_desc desc = {.dtype = t->dtype, .n_dims = t->n_dims, .alignment = alignment_of(t)};
    memcpy(desc.size, t->size, (size_t)t->n_dims * sizeof t->size[0]);
    memcpy(desc.stride, t->stride, (size_t)t->n_dims * sizeof t->stride[0]);
    return desc;
}

int gn__run_described(gn__device *device, const char *op, uint32_t kernel, int n,
                      const gn_tensor_desc *desc, gn_tensor *const *tensors, const void *attributes,
                      size_t attributes_bytes, gn__storage **saved) {
    gn_plan_desc request = {
        .struct_size = sizeof request,
        .kernel = kernel,
        .n_tensors = (uint32_t)n,
        .tensor_size = sizeof desc[0],
        .tensors = desc,
        .attributes = attributes,
    };
    const gn__plan *plan = gn__plan_get(device, op, &request, attributes_bytes);
    if (plan == NULL)
        return gn_error_status();
    if (plan->handle == NULL)
        return 0;
    if (plan->saved_bytes && saved && *saved == NULL) {
        *saved = gn__storage_new(device, plan->saved_bytes);
        if (*saved == NULL)
            return gn_error_status();
    }
    gn__pointer pointers[GN__MAX_PLAN_TENSORS];
    for (int i = 0; i < n; i++)
        pointers[i] = tensors[i]
                          ? (gn__pointer){tensors[i]->storage,
                                          tensors[i]->offset * gn_dtype_bytes(tensors[i]->dtype)}
                          : (gn__pointer){NULL, 0};
    gn_status status = gn__plan_run(device, op, plan, pointers, n, saved ? *saved : NULL);
    return status == GN_OK ? 1 : status;
}

int gn__run_planned(gn__device *device, const char *op, uint32_t kernel, int n,
                    gn_tensor *const *tensors, const void *attributes, size_t attributes_bytes,
                    gn__storage **saved) {
    gn_tensor_desc desc[GN__MAX_PLAN_TENSORS];
    for (int i = 0; i < n; i++)
        desc[i] = gn__describe(tensors[i]);
    return gn__run_described(device, op, kernel, n, desc, tensors, attributes, attributes_bytes,
                             saved);
}

gn_tensor *gn__image(gn__device *device, gn_tensor *t) {
    return device->flags & GN_DEVICE_CHANNELS_LAST ? gn__channels_last_copy(t)
                                                   : gn__row_major_copy(t);
}

gn_tensor *gn__image_new(gn__device *device, int dtype, int n_dims, const int64_t *size) {
    return device->flags & GN_DEVICE_CHANNELS_LAST
               ? gn__tensor_channels_last(device, dtype, n_dims, size)
               : gn__tensor_new(device, dtype, n_dims, size);
}

/* ---- Checks */

bool gn__check_float(const char *op, const char *what, const gn_tensor *t) {
    if (gn_dtype_is_float(t->dtype))
        return true;
    gn_fail(GN_E_ARGUMENT, op, "%s must be of a floating-point dtype, not %s", what,
            gn_dtype_name(t->dtype));
    return false;
}

bool gn__check_dtype(const char *op, const gn_tensor *t, const char *what, const gn_tensor *other) {
    if (other == NULL || other->dtype == t->dtype)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "input is %s but %s is %s: convert one of them with gn_cast",
            gn_dtype_name(t->dtype), what, gn_dtype_name(other->dtype));
    return false;
}

bool gn__check_reduction(const char *op, gn_reduction reduction) {
    if (reduction >= GN_REDUCE_MEAN && reduction <= GN_REDUCE_BATCH_MEAN)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "there is no reduction %d", (int)reduction);
    return false;
}

void gn__options(void *out, size_t bytes, const void *options) {
    memset(out, 0, bytes);
    if (options == NULL)
        return;
    size_t known;
    memcpy(&known, options, sizeof known);
    memcpy(out, options, known == 0 || known > bytes ? bytes : known);
}

/* ---- Windows */

void gn__per_dim(int n, const int64_t *each, int64_t all, int64_t standard, int64_t *out) {
    for (int d = 0; d < n; d++)
        out[d] = each[d] ? each[d] : all ? all : standard;
}

int64_t gn__window_count(int64_t in, int64_t padding, int64_t kernel, int64_t dilation,
                         int64_t stride) {
    int64_t reach, room;
    if (kernel < 1 || __builtin_mul_overflow(kernel - 1, dilation, &reach) ||
        __builtin_add_overflow(in, padding, &room) || room <= reach)
        return 0;
    return (room - reach - 1) / stride + 1;
}
