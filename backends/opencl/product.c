/* SPDX-License-Identifier: Apache-2.0 */
/*
 * product.c - makes the kernels of product.cl ready for a problem: the size of the tiles, the parts
 * that the depth is cut into so that all units have something to do, and the launch.
 */
#include "product.h"

#include <stdio.h>
#include <string.h>

/* ---- Tiles --------------------------------------------------------------------------------- */

enum { ROWS, COLUMNS };

typedef struct tiling {
    enum { ANY, CPU, GPU } on; /* work-items of a CPU keep as much in vector registers */
    int items[2];              /* of a group, along rows and columns */
    int each[2];               /* elements of a work-item */
    int depth;
    int padding; /* of a tile's lines, against conflicts of banks */
} tiling;

/* The first that fits is taken: to the device, and, if it is narrow, to a product of few columns.
 * The last one fits everything. */
static const tiling tilings[] = {
    {.on = CPU, .items = {8, 1}, .each = {8, 16}, .depth = 64},
    {.on = CPU, .items = {8, 2}, .each = {8, 32}, .depth = 64},
    {.on = GPU, .items = {32, 4}, .each = {4, 4}, .depth = 16, .padding = 4},
    {.on = GPU, .items = {16, 16}, .each = {4, 4}, .depth = 16, .padding = 4},
    {.on = GPU, .items = {8, 8}, .each = {4, 4}, .depth = 16, .padding = 4},
    {.on = ANY, .items = {4, 4}, .each = {4, 4}, .depth = 8},
    {.on = ANY, .items = {1, 1}, .each = {4, 4}, .depth = 8},
};
enum { N_TILINGS = sizeof tilings / sizeof tilings[0] };

static int size_of(const tiling *t, int dim) { return t->items[dim] * t->each[dim]; }

/* Two tiles, and the tables of places beside them. */
static uint64_t local_bytes(const tiling *t, const ocl_product *p) {
    const uint64_t value = p->dtype == GN_F64 ? 8 : 4, index = p->is_small ? 4 : 8;
    const uint64_t lines = (uint64_t)(size_of(t, ROWS) + size_of(t, COLUMNS));
    const uint64_t entry = p->kind == IMAGE_NONE ? 0 : 2 * index + 4 * (uint64_t)p->n_spatial;
    return value * (uint64_t)t->depth * (lines + 2 * (uint64_t)t->padding) +
           entry * (lines + (uint64_t)t->depth);
}

static bool fits(const tiling *t, const ocl_limits *limits, const ocl_product *p) {
    return (t->on == ANY || (t->on == CPU) == limits->is_cpu) &&
           (size_of(t, COLUMNS) > PRODUCT_NARROW || p->args.n <= PRODUCT_NARROW) &&
           (size_t)(t->items[ROWS] * t->items[COLUMNS]) <= limits->work_group &&
           local_bytes(t, p) <= limits->local_bytes;
}

static const tiling *choose_tiling(const gn_device *device, const ocl_product *p) {
    int i = 0;
    while (i < N_TILINGS - 1 && !fits(&tilings[i], device->limits, p))
        i++;
    return &tilings[i];
}

/* ---- Parts --------------------------------------------------------------------------------- */

enum {
    GROUPS_PER_UNIT = 2,
    PART_DEPTH = 256, /* a part is at least so deep */
    MOST_PARTS = 64,
    MOST_PART_BYTES = 32 << 20
};

/* Cuts the depth if the device has units to spare. `groups`: without cuts. */
static void cut_depth(const gn_device *device, ocl_product *p, int64_t groups, int64_t multiple) {
    ocl_product_args *a = &p->args;
    const int64_t bytes = a->batches * a->m * a->n * (p->dtype == GN_F64 ? 8 : 4);
    int64_t parts = device->limits->units * GROUPS_PER_UNIT / groups;
    const int64_t limits[] = {a->k / PART_DEPTH, MOST_PARTS, MOST_PART_BYTES / bytes};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (parts > limits[i])
            parts = limits[i];
    a->part = a->k;
    if (parts > 1)
        a->part = ((a->k + parts - 1) / parts + multiple - 1) / multiple * multiple;
    a->parts = a->k > a->part ? (int32_t)((a->k + a->part - 1) / a->part) : 1;
    p->workspace_bytes = a->parts > 1 ? (uint64_t)(bytes * a->parts) : 0;
}

/* ---- Kernels ------------------------------------------------------------------------------- */

enum { DEFINES = 1024, ITEMS = 64, CHANNEL_LANES = 16 };

static int define_common(const ocl_product *p, char defines[DEFINES]) {
    return snprintf(defines, DEFINES,
                    "%s#define INDEX %s\n#define IMAGE %d\n#define SPATIAL %d\n#define ITEMS %zu\n",
                    ocl_dtype_defines(p->dtype), p->is_small ? "i32" : "i64", p->kind, p->n_spatial,
                    p->items);
}

static gn_status prepare_tiles(gn_device *device, ocl_product *p, char defines[DEFINES]) {
    const tiling *t = choose_tiling(device, p);
    const ocl_product_args *a = &p->args;
    const int rows = size_of(t, ROWS), columns = size_of(t, COLUMNS);
    p->items = (size_t)(t->items[ROWS] * t->items[COLUMNS]);
    const int length = define_common(p, defines);
    snprintf(
        defines + length, (size_t)(DEFINES - length),
        "#define TILES\n#define ROWS_OF_ITEMS %d\n#define COLUMNS_OF_ITEMS %d\n"
        "#define ITEM_ROWS %d\n#define ITEM_COLUMNS %d\n#define DEPTH %d\n#define PADDING %d\n",
        t->items[ROWS], t->items[COLUMNS], t->each[ROWS], t->each[COLUMNS], t->depth, t->padding);
    const int64_t tiles = (a->m + rows - 1) / rows * ((a->n + columns - 1) / columns) * a->batches;
    cut_depth(device, p, tiles, t->depth);
    p->groups = (size_t)(tiles * a->parts);
    return ocl_kernel(device, "product", defines, ocl_source_product, "product", &p->kernel);
}

static gn_status prepare_direct(gn_device *device, ocl_product *p, char defines[DEFINES]) {
    ocl_product_args *a = &p->args;
    const int64_t items = (int64_t)(p->items = ocl_items(device, ITEMS));
    const int length = define_common(p, defines);
    const char *name = p->kind == IMAGE_A ? "direct_pixels" : "direct_window";
    snprintf(defines + length, (size_t)(DEFINES - length), "#define DIRECT\n");
    if (p->kind == IMAGE_A) {
        p->groups = (size_t)((a->batches * a->m * a->n + items - 1) / items);
    } else {
        a->lanes = a->channels_last ? (int32_t)ocl_items(device, CHANNEL_LANES) : 1;
        const int64_t groups = (a->batches * a->m + a->lanes - 1) / a->lanes * a->n;
        cut_depth(device, p, groups, items);
        p->groups = (size_t)(groups * a->parts);
    }
    return ocl_kernel(device, name, defines, ocl_source_product, name, &p->kernel);
}

/* CLBlast writes c, or, if there is more to do, the one part that is joined. */
static void prepare_blast(const gn_device *device, ocl_product *p, char defines[DEFINES]) {
    const ocl_product_args *a = &p->args;
    p->is_blast = true;
    p->items = ocl_items(device, ITEMS);
    define_common(p, defines);
    if (a->has_bias || a->relu)
        p->workspace_bytes = (uint64_t)(a->batches * a->m * a->n) * gn_dtype_bytes(p->dtype);
}

gn_status ocl_product_prepare(gn_device *device, ocl_product *p) {
    char defines[DEFINES];
    gn_status status = GN_OK;
    double batches = 1;
    for (int d = 0; d < p->args.n_batch_dims; d++)
        batches *= (double)p->args.batch_size[d];
    if (batches > INT32_MAX)
        return ocl_fail(GN_E_UNSUPPORTED, 0, "a batch of %.0f products", batches);
    p->args.batches = (int32_t)batches;
    p->args.parts = 1;
    if (ocl_blast_fits(device, p))
        prepare_blast(device, p, defines);
    else if (p->is_direct)
        status = prepare_direct(device, p, defines);
    else
        status = prepare_tiles(device, p, defines);
    if (!status && p->workspace_bytes)
        status = ocl_kernel(device, "product_join", defines, ocl_source_product, "product_join",
                            &p->join);
    return status;
}

/* ---- Launches ------------------------------------------------------------------------------ */

static void give_structs(ocl_launch *l, const ocl_product *p, const ocl_product_args *args) {
    ocl_bytes(l, args, sizeof *args);
    if (p->kind != IMAGE_NONE)
        ocl_bytes(l, &p->image, sizeof p->image);
}

static gn_status run_kernel(const ocl_product *p, const ocl_product_args *args, gn_stream *stream,
                            uint64_t tag, const gn_pointer operands[PRODUCT_OPERANDS],
                            const gn_pointer *parts) {
    const size_t global = p->groups * p->items;
    ocl_launch l = ocl_begin(stream, p->kernel, tag);
    give_structs(&l, p, args);
    ocl_tensor(&l, &operands[PRODUCT_A]);
    ocl_tensor(&l, &operands[PRODUCT_B]);
    ocl_tensor(&l, &operands[PRODUCT_C]);
    ocl_tensor(&l, &operands[PRODUCT_BIAS]);
    ocl_tensor(&l, parts);
    return ocl_end(&l, 1, &global, &p->items);
}

static gn_status run_join(const ocl_product *p, const ocl_product_args *args, gn_stream *stream,
                          uint64_t tag, const gn_pointer operands[PRODUCT_OPERANDS],
                          const gn_pointer *parts) {
    const size_t global = (size_t)(args->batches * args->m * args->n);
    ocl_launch l = ocl_begin(stream, p->join, tag);
    give_structs(&l, p, args);
    ocl_tensor(&l, &operands[PRODUCT_C]);
    ocl_tensor(&l, &operands[PRODUCT_BIAS]);
    ocl_tensor(&l, parts);
    return ocl_end(&l, 1, &global, &p->items);
}

gn_status ocl_product_run(const ocl_product *p, gn_stream *stream, const gn_run *run,
                          uint64_t workspace) {
    gn_pointer operands[PRODUCT_OPERANDS] = {{0}}, parts = run->workspace;
    ocl_product_args args = p->args;
    gn_status status;
    parts.offset += workspace;
    for (int o = 0; o < PRODUCT_OPERANDS; o++) {
        if (p->place[o] < 0)
            continue;
        operands[o] = run->tensors[p->place[o]];
        args.first[o] += ocl_first(&operands[o], p->dtype);
    }
    args.parts_first = ocl_first(&parts, p->dtype == GN_F64 ? GN_F64 : GN_F32);
    if (p->is_blast) {
        gn_pointer written[PRODUCT_OPERANDS];
        memcpy(written, operands, sizeof written);
        if (p->join)
            written[PRODUCT_C] = parts;
        status = ocl_blast_run(p, stream, run->tag, written);
    } else {
        status = run_kernel(p, &args, stream, run->tag, operands, &parts);
    }
    return status || !p->join ? status : run_join(p, &args, stream, run->tag, operands, &parts);
}
