/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - tensors and runs of planned kernels, which are compared with plain loops in double
 * precision. A backend may decline any of them.
 */
#include "plan.h"

#include <ctype.h>

const char *const layout_names[N_LAYOUTS] = {"nchw", "nhwc", "scattered"};

/* ---- Tensors ------------------------------------------------------------------------------- */

static struct tensor tensor_new(int dtype, int n_dims, const int64_t *size, const int64_t *stride) {
    struct tensor t = {.desc = {.dtype = dtype, .n_dims = n_dims}};
    int64_t n = 1;
    for (int d = 0; d < n_dims; d++) {
        t.desc.size[d] = size[d];
        t.desc.stride[d] = stride[d];
        n += (size[d] - 1) * stride[d];
    }
    /* One element further than the alignment of every block: kernels may not rely on that. */
    t.first = 1;
    t.desc.alignment = gn_dtype_bytes(dtype);
    t.buffer = buffer_random(dtype, n + 1);
    return t;
}

struct tensor input(int dtype, int n_dims, const int64_t *size, const int64_t *stride) {
    return tensor_new(dtype, n_dims, size, stride);
}

struct tensor output(int dtype, int n_dims, const int64_t *size, const int64_t *stride) {
    struct tensor t = tensor_new(dtype, n_dims, size, stride);
    t.tolerance = case_alloc((size_t)t.buffer->n, sizeof *t.tolerance);
    for (int64_t i = 0; i < t.buffer->n; i++)
        put_f(t.buffer, i, (double)NAN);
    return t;
}

struct tensor absent(void) {
    return (struct tensor){.desc = {.dtype = GN_F32, .n_dims = -1}};
}

static void layout_strides(int n_dims, const int64_t *size, int layout, int64_t *stride) {
    int64_t next = layout == SCATTERED ? 2 : 1;
    if (layout == NHWC) {
        stride[1] = 1;
        next = size[1];
    }
    for (int d = n_dims - 1; d >= 0; d--) {
        if (layout == NHWC && d == 1)
            continue;
        stride[d] = next;
        next *= size[d] + (layout == SCATTERED);
    }
}

struct tensor input_of(int dtype, int n_dims, const int64_t *size, int layout) {
    int64_t stride[GN_MAX_DIMS];
    layout_strides(n_dims, size, layout, stride);
    return input(dtype, n_dims, size, stride);
}

struct tensor output_of(int dtype, int n_dims, const int64_t *size, int layout) {
    int64_t stride[GN_MAX_DIMS];
    layout_strides(n_dims, size, layout, stride);
    return output(dtype, n_dims, size, stride);
}

static int64_t element(const struct tensor *t, const int64_t *at) {
    return t->first + element_of(at, (size_t)t->desc.n_dims, t->desc.stride);
}

double tensor_get(const struct tensor *t, const int64_t *at) {
    return get_f(t->buffer, element(t, at));
}

void tensor_set(struct tensor *t, const int64_t *at, double value) {
    put_f(t->buffer, element(t, at), value);
}

void tensor_expect(struct tensor *t, const int64_t *at, double value, double tolerance) {
    const int64_t i = element(t, at);
    put_f(t->buffer, i, value);
    t->tolerance[i] = tolerance;
}

void check_tensor(struct tensor *t) {
    if (!t->buffer)
        return;
    struct buffer got = *t->buffer;
    got.data = download_all(t->buffer);
    double worst = 0, floor_at = buffer_largest(t->buffer);
    for (int64_t i = 0; i < t->buffer->n; i++) {
        const double value = get_f(&got, i), expected = get_f(t->buffer, i);
        const bool same = value == expected || (isnan(value) && isnan(expected));
        EXPECT(same || fabs(value - expected) <= t->tolerance[i],
               "element %lld is %.9g, not %.9g within %.2g", (long long)i, value, expected,
               t->tolerance[i]);
        if (!same)
            worst = fmax(worst, ulp_error(t->desc.dtype, value, expected, floor_at));
    }
    note_error(worst);
}

/* ---- Plans --------------------------------------------------------------------------------- */

static gn_pointer pointer_to(struct buffer *b, int64_t element) {
    if (!b)
        return (gn_pointer){0};
    const gn_operand operand = AT(b, element, 0);
    return (gn_pointer){operand.mem, (uint64_t)operand.offset * gn_dtype_bytes(b->dtype)};
}

const char *kernel_name(uint32_t kernel) {
    static const char *const names[] = {
#define X(name, value, tensors, attributes) [value] = #name,
        GN_KERNELS(X)
#undef X
    };
    static char name[32];
    size_t i = 0;
    for (; names[kernel][i] && i < sizeof name - 1; i++)
        name[i] = (char)tolower((unsigned char)names[kernel][i]);
    name[i] = '\0';
    return name;
}

static bool declined(gn_status status) {
    if (status == GN_E_UNSUPPORTED)
        note_composed();
    else
        expect_status(status, GN_OK);
    return status != GN_OK;
}

bool run_plan(uint32_t kernel, int n_tensors, struct tensor *tensors, const void *attributes,
              struct buffer **saved) {
    if (!subject(kernel_name(kernel), tensors[0].desc.dtype))
        return false;
    gn_tensor_desc descs[GN__MAX_PLAN_TENSORS];
    gn_pointer pointers[GN__MAX_PLAN_TENSORS];
    for (int i = 0; i < n_tensors; i++) {
        descs[i] = tensors[i].desc;
        pointers[i] = pointer_to(tensors[i].buffer, tensors[i].first);
    }
    const gn_plan_desc desc = {.struct_size = sizeof desc,
                               .kernel = kernel,
                               .n_tensors = (uint32_t)n_tensors,
                               .tensor_size = sizeof descs[0],
                               .tensors = descs,
                               .attributes = attributes};
    gn_plan_info info = {.struct_size = sizeof info};
    gn_plan *plan = NULL;
    if (declined(backend->plan ? CALL(plan, device, &desc, &info, &plan) : GN_E_UNSUPPORTED))
        return false;
    if (info.saved_bytes && saved && !*saved)
        *saved = buffer_new(GN_U8, (int64_t)info.saved_bytes);
    EXPECT(!info.saved_bytes || (saved && (uint64_t)(*saved)->n == info.saved_bytes),
           "the passes do not agree on saved_bytes");
    struct buffer *workspace =
        info.workspace_bytes ? buffer_new(GN_U8, (int64_t)info.workspace_bytes) : NULL;
    const gn_run run = {.struct_size = sizeof run,
                        .tag = test_tag(),
                        .plan = plan,
                        .n_tensors = (uint32_t)n_tensors,
                        .tensors = pointers,
                        .saved = pointer_to(saved && info.saved_bytes ? *saved : NULL, 0),
                        .workspace = pointer_to(workspace, 0)};
    for (int i = 0; i < 2; i++) {
        expect_status(CALL(run, device, NULL, &run), GN_OK);
        expect_status(settle(), GN_OK);
    }
    backend->plan_release(device, plan);
    return true;
}
