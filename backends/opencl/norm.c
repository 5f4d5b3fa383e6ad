/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.c - batch norm over (N, C, spatial..) in training, and its gradient; and sums over pixels
 * for others. Images may lie in memory in any way; channels or pixels that are neighbours there are
 * read together.
 */
#include "norm.h"

#include <stdio.h>
#include <string.h>

enum { ITEM_PIXELS = 64, COEFFICIENTS = 4 };

/* A group: its work-items, as many of them along channels that are neighbours, and the elements
 * side by side of each. */
static const struct {
    size_t items, lanes;
    int width;
} on_cpu = {.items = 16, .lanes = 1, .width = 16}, on_gpu = {.items = 128, .lanes = 32, .width = 1};

/* ---- What the kernels are told ------------------------------------------------------------- */

static void describe_images(const ocl_request *request, const int image[NORM_IMAGES],
                            ocl_norm_args *a) {
    const gn_tensor_desc *x = &request->tensors[image[NORM_X]];
    ocl_space pixels = {0};
    for (int d = 0; d < x->n_dims; d++) {
        int64_t stride[OCL_SPACE_OPERANDS] = {0};
        for (int i = 0; i < NORM_IMAGES; i++)
            if (image[i] >= 0)
                stride[i] = request->tensors[image[i]].stride[d];
        if (d != 1)
            ocl_space_add(&pixels, x->size[d], stride);
        else
            memcpy(a->channel_stride, stride, sizeof a->channel_stride);
    }
    const int last = pixels.n_dims - 1;
    a->channels = x->size[1];
    a->pixels = ocl_space_size(&pixels);
    a->length = last < 0 ? 1 : pixels.size[last];
    a->n_digits = last < 0 ? 0 : last;
    memcpy(a->run_size, pixels.size, sizeof a->run_size);
    for (int i = 0; i < NORM_IMAGES; i++) {
        memcpy(a->run_stride[i], pixels.stride[i], sizeof a->run_stride[i]);
        a->pixel_stride[i] = last < 0 ? 0 : pixels.stride[i][last];
        if (last == 0)
            a->run_stride[i][0] = 0; /* there is one run */
    }
}

/* Whether the elements along a dim are neighbours in all images. */
static bool are_neighbours(const ocl_norm *norm, const int64_t stride[NORM_IMAGES]) {
    for (int i = 0; i < NORM_IMAGES; i++)
        if (norm->image[i] >= 0 && stride[i] != 1)
            return false;
    return true;
}

/* What a work-item has side by side, and along what the items of a group lie. */
static void arrange_items(const gn_device *device, ocl_norm *norm) {
    ocl_norm_args *a = &norm->args;
    const bool is_cpu = device->limits->is_cpu;
    const int width = is_cpu ? on_cpu.width : on_gpu.width;
    norm->items = ocl_items(device, is_cpu ? on_cpu.items : on_gpu.items);
    norm->channels = norm->side_by_side = 1;
    a->lanes = a->inner = 1;
    if (a->channels > 1 && are_neighbours(norm, a->channel_stride)) {
        a->lanes = (int32_t)ocl_items(device, is_cpu ? on_cpu.lanes : on_gpu.lanes);
        norm->channels = a->channels % width == 0 ? width : 1;
    } else if (are_neighbours(norm, a->pixel_stride)) {
        norm->side_by_side = width;
    }
    while (!is_cpu && 2 * a->inner <= (int32_t)norm->items / a->lanes && 2 * a->inner <= a->length)
        a->inner *= 2;
}

static int64_t quotient_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* A piece and a chunk have so many pixels that a work-item sums ITEM_PIXELS, or a bit more. */
static void cut_pixels(ocl_norm *norm) {
    ocl_norm_args *a = &norm->args;
    const int64_t at_once = (int64_t)a->inner * norm->side_by_side;
    const int64_t least = quotient_up(a->length, at_once * ITEM_PIXELS);
    const int64_t rounds = quotient_up(quotient_up(a->length, least), at_once);
    const int64_t outer = (int64_t)norm->items / a->lanes / a->inner;
    a->piece = rounds * at_once;
    a->cuts = (int32_t)quotient_up(a->length, a->piece);
    a->pieces = a->pixels / a->length * a->cuts;
    a->chunk = (int32_t)(outer * (rounds < ITEM_PIXELS ? ITEM_PIXELS / rounds : 1));
    a->chunks = (int32_t)quotient_up(a->pieces, a->chunk);
    norm->workspace_bytes = (uint64_t)((2 * a->chunks + COEFFICIENTS) * a->channels) *
                            (norm->dtype == GN_F64 ? sizeof(double) : sizeof(float));
}

gn_status ocl_norm_prepare(gn_device *device, const ocl_request *request, int kind,
                           const int image[NORM_IMAGES], const int vector[NORM_VECTORS],
                           ocl_norm *out) {
    char defines[512];
    memcpy(out->image, image, sizeof out->image);
    memcpy(out->vector, vector, sizeof out->vector);
    out->dtype = request->tensors[image[NORM_X]].dtype;
    describe_images(request, image, &out->args);
    for (int v = 0; v < NORM_VECTORS; v++)
        if (vector[v] >= 0)
            out->args.vector_stride[v] = request->tensors[vector[v]].stride[0];
    arrange_items(device, out);
    cut_pixels(out);
    snprintf(defines, sizeof defines,
             "%s#define INDEX %s\n#define SUMS %d\n#define ITEMS %zu\n"
             "#define CHANNELS %d\n#define PIXELS %d\n",
             ocl_dtype_defines(out->dtype),
             ocl_is_small(request->tensors, OCL_PLAN_TENSORS) ? "i32" : "i64", kind, out->items,
             out->channels, out->side_by_side);
    gn_status status =
        ocl_kernel(device, "sums", defines, ocl_source_norm, "channel_sums", &out->sums);
    if (!status)
        status = ocl_kernel(device, "sums", defines, ocl_source_norm, "channel_join", &out->join);
    if (!status && kind != SUMS_BIAS)
        status = ocl_kernel(device, "batch_norm", defines, ocl_source_norm, "channel_apply",
                            &out->apply);
    return status;
}

/* ---- Launches ------------------------------------------------------------------------------ */

/* The tensors of a run by what they are. */
typedef struct norm_tensors {
    gn_pointer image[NORM_IMAGES], vector[NORM_VECTORS], scratch;
} norm_tensors;

/* A group for each chunk, of `lanes` times `channels` channels. */
static size_t chunk_items(const ocl_norm *norm) {
    const ocl_norm_args *a = &norm->args;
    const int64_t blocks = quotient_up(a->channels / norm->channels, a->lanes);
    return (size_t)(blocks * a->chunks) * norm->items;
}

static gn_status run_sums(const ocl_norm *norm, const ocl_norm_args *args, gn_stream *stream,
                          uint64_t tag, const norm_tensors *t) {
    const size_t global = chunk_items(norm);
    ocl_launch l = ocl_begin(stream, norm->sums, tag);
    ocl_bytes(&l, args, sizeof *args);
    ocl_tensor(&l, &t->image[NORM_X]);
    ocl_tensor(&l, &t->image[NORM_DY]);
    ocl_tensor(&l, &t->vector[NORM_MEAN]);
    ocl_tensor(&l, &t->scratch);
    return ocl_end(&l, 1, &global, &norm->items);
}

static gn_status run_join(const ocl_norm *norm, const ocl_norm_args *args, gn_stream *stream,
                          uint64_t tag, const norm_tensors *t) {
    const size_t global = (size_t)(args->channels / norm->channels) * norm->items;
    const float eps = (float)norm->eps;
    ocl_launch l = ocl_begin(stream, norm->join, tag);
    ocl_bytes(&l, args, sizeof *args);
    if (norm->dtype == GN_F64)
        ocl_bytes(&l, &norm->eps, sizeof norm->eps);
    else
        ocl_bytes(&l, &eps, sizeof eps);
    for (int v = 0; v < NORM_VECTORS; v++)
        ocl_tensor(&l, &t->vector[v]);
    ocl_tensor(&l, &t->scratch);
    return ocl_end(&l, 1, &global, &norm->items);
}

static gn_status run_apply(const ocl_norm *norm, const ocl_norm_args *args, gn_stream *stream,
                           uint64_t tag, const norm_tensors *t) {
    const size_t global = chunk_items(norm);
    ocl_launch l = ocl_begin(stream, norm->apply, tag);
    ocl_bytes(&l, args, sizeof *args);
    ocl_tensor(&l, &t->image[NORM_X]);
    ocl_tensor(&l, &t->image[NORM_DY]);
    ocl_tensor(&l, &t->image[NORM_TARGET]);
    ocl_tensor(&l, &t->scratch);
    return ocl_end(&l, 1, &global, &norm->items);
}

gn_status ocl_norm_run(const ocl_norm *norm, gn_stream *stream, const gn_run *run,
                       uint64_t workspace) {
    ocl_norm_args args = norm->args;
    norm_tensors t = {.scratch = run->workspace};
    t.scratch.offset += workspace;
    for (int i = 0; i < NORM_IMAGES; i++)
        if (norm->image[i] >= 0) {
            t.image[i] = run->tensors[norm->image[i]];
            args.image_first[i] = ocl_first(&t.image[i], norm->dtype);
        }
    for (int v = 0; v < NORM_VECTORS; v++)
        if (norm->vector[v] >= 0) {
            t.vector[v] = run->tensors[norm->vector[v]];
            args.vector_first[v] = ocl_first(&t.vector[v], norm->dtype);
        }
    args.scratch_first = ocl_first(&t.scratch, norm->dtype == GN_F64 ? GN_F64 : GN_F32);
    gn_status status = run_sums(norm, &args, stream, run->tag, &t);
    if (!status)
        status = run_join(norm, &args, stream, run->tag, &t);
    return status || !norm->apply ? status : run_apply(norm, &args, stream, run->tag, &t);
}

/* ---- The plan ------------------------------------------------------------------------------ */

typedef struct norm_plan {
    gn_plan base;
    ocl_norm norm;
} norm_plan;

static gn_status norm_run(const gn_plan *plan, gn_stream *stream, const gn_run *run) {
    return ocl_norm_run(&((const norm_plan *)plan)->norm, stream, run, 0);
}

/* Tensors by number: y, x, w, b, mean, var; and dx, dw, db, dy, x, w, mean, var. */
static const struct {
    int n_tensors, image[NORM_IMAGES], vector[NORM_VECTORS];
} kinds[] = {
    [SUMS_FORWARD] = {.n_tensors = 6,
                      .image = {[NORM_X] = 1, [NORM_DY] = -1, [NORM_TARGET] = 0},
                      .vector = {[NORM_W] = 2,
                                 [NORM_B] = 3,
                                 [NORM_MEAN] = 4,
                                 [NORM_VAR] = 5,
                                 [NORM_DW] = -1,
                                 [NORM_DB] = -1}},
    [SUMS_BACKWARD] = {.n_tensors = 8,
                       .image = {[NORM_X] = 4, [NORM_DY] = 3, [NORM_TARGET] = 0},
                       .vector = {[NORM_W] = 5,
                                  [NORM_B] = -1,
                                  [NORM_MEAN] = 6,
                                  [NORM_VAR] = 7,
                                  [NORM_DW] = 1,
                                  [NORM_DB] = 2}},
};

static bool shapes_agree(const ocl_request *request, int kind) {
    const gn_tensor_desc *x = &request->tensors[kinds[kind].image[NORM_X]];
    for (int i = 0; i < NORM_IMAGES; i++) {
        const int place = kinds[kind].image[i];
        const gn_tensor_desc *t = &request->tensors[place < 0 ? 0 : place];
        if (place >= 0 && (t->n_dims != x->n_dims ||
                           memcmp(t->size, x->size, (size_t)x->n_dims * sizeof x->size[0]) != 0))
            return false;
    }
    for (int v = 0; v < NORM_VECTORS; v++) {
        const int place = kinds[kind].vector[v];
        const gn_tensor_desc *t = &request->tensors[place < 0 ? 0 : place];
        if (place >= 0 && (t->n_dims != 1 || t->size[0] != x->size[1]))
            return false;
    }
    return true;
}

gn_status ocl_plan_norm(gn_device *device, const ocl_request *request, gn_plan_info *info,
                        gn_plan **out) {
    const int kind = request->kernel == GN_KERNEL_BATCH_NORM_FORWARD ? SUMS_FORWARD : SUMS_BACKWARD;
    const gn_tensor_desc *x = &request->tensors[kinds[kind].image[NORM_X]];
    if (x->n_dims < 2 || x->n_dims > NORM_DIGITS + 1 || !shapes_agree(request, kind))
        return ocl_fail(GN_E_ARGUMENT, 0, "the sizes of this batch norm do not agree");
    gn_status status =
        ocl_check_floats(device, request->tensors, kinds[kind].n_tensors, "batch norm");
    if (status)
        return status;
    norm_plan *plan = ocl_plan_new(device, sizeof *plan, norm_run);
    if (!plan)
        return GN_E_MEMORY;
    plan->norm.eps = request->attr.norm.eps;
    status =
        ocl_norm_prepare(device, request, kind, kinds[kind].image, kinds[kind].vector, &plan->norm);
    if (status) {
        ocl_plan_release(device, &plan->base);
        return status;
    }
    info->workspace_bytes = plan->norm.workspace_bytes;
    *out = &plan->base;
    return GN_OK;
}
