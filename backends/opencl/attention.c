/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.c - scaled dot-product attention by the kernels of attention.cl, which says what they
 * compute: the size of the tiles, the strides, and the launches. Forward saves the logarithms of the
 * rows' sums; the gradients take two launches, of which the first leaves sums in the workspace for
 * the second.
 */
#include "plan.h"

#include <stdio.h>

enum { Q, K, V, MASK, Y, DY, DQ, DK, DV, OPERANDS, BATCH_DIMS = 6 };
enum { MASK_NONE, MASK_BOOL, MASK_ADDED };

/* Where the operands stand in the descriptor; -1: they do not. */
static const int forward_places[OPERANDS] = {
    [Q] = 1, [K] = 2, [V] = 3, [MASK] = 4, [Y] = 0, [DY] = -1, [DQ] = -1, [DK] = -1, [DV] = -1};
static const int backward_places[OPERANDS] = {
    [Q] = 5, [K] = 6, [V] = 7, [MASK] = 8, [Y] = 4, [DY] = 3, [DQ] = 0, [DK] = 1, [DV] = 2};

/* The first argument of the kernels, as in attention.cl. */
typedef struct attention_args {
    int64_t first[OPERANDS];
    int64_t row[OPERANDS], column[OPERANDS];
    int64_t batch_size[BATCH_DIMS], batch[OPERANDS][BATCH_DIMS];
    int64_t lse_first, delta_first;
    int32_t n_batch_dims, l, s, d, e, causal;
} attention_args;

typedef struct attention_plan {
    gn_plan base;
    const int *places;
    int dtype, mask;
    double scale;
    attention_args args;
    cl_kernel forward, queries, keys; /* forward or the other two */
    size_t items, query_groups, key_groups;
} attention_plan;

/* ---- Tiles --------------------------------------------------------------------------------- */

typedef struct tiling {
    int columns_of_items, rows_of_items; /* of a group */
    int item_rows, item_columns;         /* elements of a work-item */
    int depth, run, padding;             /* see attention.cl */
    bool for_cpu;
} tiling;

/* The first that fits is taken. */
static const tiling tilings[] = {
    {.columns_of_items = 4,
     .rows_of_items = 8,
     .item_rows = 8,
     .item_columns = 16,
     .depth = 64,
     .run = 16,
     .for_cpu = true},
    {.columns_of_items = 16,
     .rows_of_items = 16,
     .item_rows = 4,
     .item_columns = 4,
     .depth = 16,
     .run = 1,
     .padding = 1},
    {.columns_of_items = 8,
     .rows_of_items = 8,
     .item_rows = 4,
     .item_columns = 4,
     .depth = 16,
     .run = 1,
     .padding = 1},
    {.columns_of_items = 4,
     .rows_of_items = 4,
     .item_rows = 4,
     .item_columns = 4,
     .depth = 8,
     .run = 1},
    {.columns_of_items = 2,
     .rows_of_items = 2,
     .item_rows = 4,
     .item_columns = 4,
     .depth = 8,
     .run = 1},
};
enum {
    N_TILINGS = sizeof tilings / sizeof tilings[0],
    MOST_SPANS = 8 /* tiles of a line: each takes registers, and code */
};

static int rows_of(const tiling *t) { return t->rows_of_items * t->item_rows; }
static int columns_of(const tiling *t) { return t->columns_of_items * t->item_columns; }

/* TILES of attention.cl. */
static uint64_t local_bytes(const tiling *t, int dtype) {
    const uint64_t rows = (uint64_t)rows_of(t), columns = (uint64_t)columns_of(t),
                   depth = (uint64_t)t->depth, padding = (uint64_t)t->padding;
    const uint64_t values = rows * (depth + padding) + depth * (columns + padding) +
                            rows * (columns + padding) + (uint64_t)t->columns_of_items * rows;
    return values * (dtype == GN_F64 ? sizeof(double) : sizeof(float));
}

static gn_status choose_tiling(const gn_device *device, const attention_plan *p,
                               const tiling **out) {
    const ocl_limits *limits = device->limits;
    const int longest = p->args.d > p->args.e ? p->args.d : p->args.e;
    for (int i = 0; i < N_TILINGS; i++) {
        const tiling *t = &tilings[i];
        const size_t items = (size_t)(t->columns_of_items * t->rows_of_items);
        *out = t;
        if ((!t->for_cpu || limits->is_cpu) && items <= limits->work_group &&
            local_bytes(t, p->dtype) <= limits->local_bytes &&
            longest <= MOST_SPANS * columns_of(t))
            return GN_OK;
    }
    return ocl_fail(GN_E_UNSUPPORTED, 0,
                    "attention over vectors of %d elements needs larger groups or more local "
                    "memory than %zu work-items and %llu bytes, which %s has",
                    longest, limits->work_group, (unsigned long long)limits->local_bytes,
                    device->found->name);
}

/* ---- Kernels ------------------------------------------------------------------------------- */

enum { DEFINES = 1024 };

static int div_up(int64_t a, int b) { return (int)((a + b - 1) / b); }

static gn_status make_kernel(gn_device *device, const char *defines, const char *name,
                             cl_kernel *out) {
    return ocl_kernel(device, name, defines, ocl_source_attention, name, out);
}

static gn_status make_kernels(gn_device *device, attention_plan *p, const tiling *t,
                              bool is_small) {
    const bool is_forward = p->places == forward_places;
    char defines[DEFINES];
    snprintf(defines, sizeof defines,
             "%s#define INDEX %s\n#define MASK %d\n#define COLUMNS_OF_ITEMS %d\n"
             "#define ROWS_OF_ITEMS %d\n#define ITEM_ROWS %d\n#define ITEM_COLUMNS %d\n"
             "#define DEPTH %d\n#define RUN %d\n#define PADDING %d\n#define D_SPAN %d\n"
             "#define E_SPAN %d\n%s%s",
             ocl_dtype_defines(p->dtype), is_small ? "i32" : "i64", p->mask, t->columns_of_items,
             t->rows_of_items, t->item_rows, t->item_columns, t->depth, t->run, t->padding,
             is_forward ? 0 : div_up(p->args.d, columns_of(t)), div_up(p->args.e, columns_of(t)),
             t->for_cpu && p->dtype != GN_F64 ? "#define FAST_EXP\n" : "",
             is_forward ? "" : "#define BACKWARD\n");
    if (is_forward)
        return make_kernel(device, defines, "attention_forward", &p->forward);
    const gn_status status = make_kernel(device, defines, "attention_queries", &p->queries);
    return status ? status : make_kernel(device, defines, "attention_keys", &p->keys);
}

/* ---- Planning ------------------------------------------------------------------------------ */

enum {
    WIDEST = 256,        /* d and e: work-items keep their part of a line of sums in registers */
    LONGEST = 1 << 30,   /* l, s and the batch: the kernels count in 32 bits */
    OTHER_ARGUMENTS = 96 /* bytes besides attention_args */
};

static const gn_tensor_desc *tensor_of(const attention_plan *p, const ocl_request *request,
                                       int operand) {
    const int place = p->places[operand];
    const gn_tensor_desc *t = place < 0 ? NULL : &request->tensors[place];
    return t && !ocl_is_absent(t) ? t : NULL;
}

static gn_status check(const gn_device *device, const attention_plan *p,
                       const ocl_request *request) {
    const gn_tensor_desc *q = tensor_of(p, request, Q), *v = tensor_of(p, request, V);
    const gn_tensor_desc *mask = tensor_of(p, request, MASK);
    const gn_status status =
        ocl_check_floats(device, request->tensors, p->places[MASK], "attention");
    if (status)
        return status;
    if (mask && mask->dtype != GN_BOOL && mask->dtype != q->dtype)
        return ocl_fail(GN_E_UNSUPPORTED, 0, "attention is planned for masks of bool or q's dtype");
    for (int o = 0; o < OPERANDS; o++) {
        const gn_tensor_desc *t = tensor_of(p, request, o);
        if (t && (t->n_dims != q->n_dims || t->n_dims < 2))
            return ocl_fail(GN_E_ARGUMENT, 0, "a tensor of attention has %d dims", (int)t->n_dims);
    }
    const int64_t l = q->size[q->n_dims - 2], d = q->size[q->n_dims - 1],
                  s = v->size[v->n_dims - 2], e = v->size[v->n_dims - 1];
    if (d > WIDEST || e > WIDEST || l > LONGEST || s > LONGEST)
        return ocl_fail(GN_E_UNSUPPORTED, 0,
                        "attention is planned for up to %d vectors of up to %d elements, here are "
                        "%lld queries of %lld, %lld values of %lld",
                        LONGEST, WIDEST, (long long)l, (long long)d, (long long)s, (long long)e);
    if (sizeof(attention_args) + OTHER_ARGUMENTS > device->limits->parameter_bytes)
        return ocl_fail(GN_E_UNSUPPORTED, 0, "attention needs %zu bytes of arguments, %s has %zu",
                        sizeof(attention_args) + OTHER_ARGUMENTS, device->found->name,
                        device->limits->parameter_bytes);
    return GN_OK;
}

/* Whether dim d of the batch goes on where the last one of args ends, in all operands. */
static bool continues(const attention_plan *p, const ocl_request *request, int d, int64_t size) {
    const attention_args *a = &p->args;
    for (int o = 0; o < OPERANDS; o++) {
        const gn_tensor_desc *t = tensor_of(p, request, o);
        if (t && a->batch[o][a->n_batch_dims - 1] != size * t->stride[d])
            return false;
    }
    return true;
}

/* The dims of the batch, merged where that is possible, and the product of their sizes. */
static gn_status set_batch(attention_plan *p, const ocl_request *request, int64_t *batches) {
    const gn_tensor_desc *y = tensor_of(p, request, Y);
    attention_args *a = &p->args;
    for (int d = 0; d < y->n_dims - 2; d++) {
        const int64_t size = y->size[d];
        if (size == 1)
            continue;
        if (size > LONGEST / *batches)
            return ocl_fail(GN_E_UNSUPPORTED, 0, "attention is planned for a batch of up to %d",
                            LONGEST);
        *batches *= size;
        if (a->n_batch_dims > 0 && continues(p, request, d, size)) {
            a->batch_size[a->n_batch_dims - 1] *= size;
        } else if (a->n_batch_dims == BATCH_DIMS) {
            return ocl_fail(GN_E_UNSUPPORTED, 0,
                            "attention is planned for %d dims before the last two", BATCH_DIMS);
        } else {
            a->batch_size[a->n_batch_dims++] = size;
        }
        for (int o = 0; o < OPERANDS; o++) {
            const gn_tensor_desc *t = tensor_of(p, request, o);
            a->batch[o][a->n_batch_dims - 1] = t ? t->stride[d] : 0;
        }
    }
    return GN_OK;
}

static void set_matrices(attention_plan *p, const ocl_request *request) {
    const gn_tensor_desc *q = tensor_of(p, request, Q), *v = tensor_of(p, request, V);
    const int n = q->n_dims;
    p->dtype = q->dtype;
    p->scale = request->attr.attention.scale;
    p->args.l = (int32_t)q->size[n - 2];
    p->args.s = (int32_t)v->size[n - 2];
    p->args.d = (int32_t)q->size[n - 1];
    p->args.e = (int32_t)v->size[n - 1];
    p->args.causal = request->attr.attention.causal != 0;
    for (int o = 0; o < OPERANDS; o++) {
        const gn_tensor_desc *t = tensor_of(p, request, o);
        p->args.row[o] = t ? t->stride[n - 2] : 0;
        p->args.column[o] = t ? t->stride[n - 1] : 0;
        if (o == MASK && t)
            p->mask = t->dtype == GN_BOOL ? MASK_BOOL : MASK_ADDED;
    }
}

/* ---- Runs ---------------------------------------------------------------------------------- */

static void give_scale(ocl_launch *l, const attention_plan *p) {
    const float single = (float)p->scale;
    if (p->dtype == GN_F64)
        ocl_bytes(l, &p->scale, sizeof p->scale);
    else
        ocl_bytes(l, &single, sizeof single);
}

static ocl_launch begin(const attention_plan *p, cl_kernel kernel, const attention_args *args,
                        gn_stream *stream, const gn_run *run) {
    ocl_launch l = ocl_begin(stream, kernel, run->tag);
    ocl_bytes(&l, args, sizeof *args);
    give_scale(&l, p);
    for (int o = Q; o <= MASK; o++)
        ocl_tensor(&l, &run->tensors[p->places[o]]);
    return l;
}

static attention_args args_of(const attention_plan *p, const gn_run *run) {
    const int sums = p->dtype == GN_F64 ? GN_F64 : GN_F32;
    attention_args args = p->args;
    for (int o = 0; o < OPERANDS; o++)
        if (p->places[o] >= 0)
            args.first[o] = ocl_first(&run->tensors[p->places[o]],
                                      o == MASK && p->mask == MASK_BOOL ? GN_BOOL : p->dtype);
    args.lse_first = ocl_first(&run->saved, sums);
    args.delta_first = ocl_first(&run->workspace, sums);
    return args;
}

static gn_status run_forward(const gn_plan *plan, gn_stream *stream, const gn_run *run) {
    const attention_plan *p = (const attention_plan *)plan;
    const size_t global = p->query_groups * p->items;
    const attention_args args = args_of(p, run);
    ocl_launch l = begin(p, p->forward, &args, stream, run);
    ocl_tensor(&l, &run->tensors[p->places[Y]]);
    ocl_tensor(&l, &run->saved);
    return ocl_end(&l, 1, &global, &p->items);
}

static gn_status run_backward(const gn_plan *plan, gn_stream *stream, const gn_run *run) {
    const attention_plan *p = (const attention_plan *)plan;
    const size_t queries = p->query_groups * p->items, keys = p->key_groups * p->items;
    const attention_args args = args_of(p, run);
    ocl_launch l = begin(p, p->queries, &args, stream, run);
    ocl_tensor(&l, &run->tensors[p->places[Y]]);
    ocl_tensor(&l, &run->tensors[p->places[DY]]);
    ocl_tensor(&l, &run->saved);
    ocl_tensor(&l, &run->workspace);
    ocl_tensor(&l, &run->tensors[p->places[DQ]]);
    const gn_status status = ocl_end(&l, 1, &queries, &p->items);
    if (status)
        return status;
    l = begin(p, p->keys, &args, stream, run);
    ocl_tensor(&l, &run->tensors[p->places[DY]]);
    ocl_tensor(&l, &run->saved);
    ocl_tensor(&l, &run->workspace);
    ocl_tensor(&l, &run->tensors[p->places[DK]]);
    ocl_tensor(&l, &run->tensors[p->places[DV]]);
    return ocl_end(&l, 1, &keys, &p->items);
}

/* ---- The maker ----------------------------------------------------------------------------- */

gn_status ocl_plan_attention(gn_device *device, const ocl_request *request, gn_plan_info *info,
                             gn_plan **out) {
    const bool is_forward = request->kernel == GN_KERNEL_ATTENTION_FORWARD;
    attention_plan *p = ocl_plan_new(device, sizeof *p, is_forward ? run_forward : run_backward);
    if (!p)
        return GN_E_MEMORY;
    const tiling *t = NULL;
    int64_t batches = 1;
    p->places = is_forward ? forward_places : backward_places;
    gn_status status = check(device, p, request);
    if (!status) {
        set_matrices(p, request);
        status = set_batch(p, request, &batches);
    }
    if (!status)
        status = choose_tiling(device, p, &t);
    if (!status)
        status = make_kernels(device, p, t, ocl_is_small(request->tensors, is_forward ? 5 : 9));
    if (status) {
        ocl_plan_release(device, &p->base);
        return status;
    }
    const uint64_t sums =
        (uint64_t)(batches * p->args.l) * (p->dtype == GN_F64 ? sizeof(double) : sizeof(float));
    p->items = (size_t)(t->columns_of_items * t->rows_of_items);
    p->query_groups = (size_t)batches * (size_t)div_up(p->args.l, rows_of(t));
    p->key_groups = (size_t)batches * (size_t)div_up(p->args.s, rows_of(t));
    info->saved_bytes = sums;
    info->workspace_bytes = is_forward ? 0 : sums;
    *out = &p->base;
    return GN_OK;
}
