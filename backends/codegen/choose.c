/* SPDX-License-Identifier: Apache-2.0 */
/*
 * choose.c - which variant of a program's kernel a call wants, and with how many work-items.
 *
 * The choice follows from the call's space and the device alone, so that a result does not depend on
 * what ran before.
 */
#include "codegen.h"

#include <string.h>

enum {
    SMALL = 1 << 14, /* coordinates: below, a variant of its own is not worth compiling */
    FEW_DIMS = 4,    /* of small calls; those with more share another variant */
    MAP_GROUP = 256, /* work-items of a group */
    MAP_GROUP_CPU = 16,
    ROWS_GROUP = 256,
    ROWS_GROUP_CPU = 16,
    COLUMNS_GROUP_CPU = 4,
    WIDTH = 4, /* elements side by side, at most */
    MAP_WIDTH_CPU = 64,
    ROWS_WIDTH_CPU = 64,
    COLUMNS_WIDTH_CPU = 256,
    VECTOR = 4,   /* up to so many are one access to memory, which has to be aligned */
    STEPS = 4,    /* a lane has as many elements at least, if it is not the only one */
    ITEMS = 1024, /* work-items that keep a unit busy */
    ITEMS_CPU = 32,
    CHUNK = 1 << 14, /* elements of a piece of a row; of one of many side by side: */
    COLUMN_CHUNK = 128,
    COLUMN_CHUNK_CPU = 128, /* so that the pages of a piece have entries in the first TLB */
    MAX_CHUNKS = 256,
    FEW_ROWS = 64, /* fewer than these are cut */
    FEW_COLUMNS = 4096,
};
#define NARROW_LIMIT                                                                               \
    ((INT64_C(1) << 31) - (INT64_C(1) << 26)) /* with room for a loop's last step */

static uint32_t smaller(uint64_t a, uint64_t b) { return (uint32_t)(a < b ? a : b); }

/* The largest power of two <= n, n > 0. */
static uint32_t power_below(uint64_t n) {
    uint32_t p = 1;
    while (2 * (uint64_t)p <= n && p < 1u << 30)
        p *= 2;
    return p;
}

static int64_t count(const gn_call *call, uint32_t first, uint32_t end) {
    int64_t n = 1;
    for (uint32_t d = first; d < end; d++)
        n *= call->size[d];
    return n;
}

static int64_t magnitude(int64_t a) { return a < 0 ? -a : a; }

/* Whether 32 bits do not hold every index. */
static bool is_wide(const cg_program *p, const gn_call *call) {
    bool wide = count(call, 0, call->n_dims) >= NARROW_LIMIT;
    for (uint32_t k = 0; k < p->source->n_operands; k++) {
        int64_t reach = 0;
        for (uint32_t d = 0; d < call->n_dims && p->source->operands[k].role != GN_INDEX; d++)
            reach += (call->size[d] - 1) * magnitude(cg_operand(call, k)->stride[d]);
        wide |= reach >= NARROW_LIMIT;
    }
    return wide;
}

/* ---- Elements side by side, along the dim `along` */

/* Whether the operand's runs of `width` elements begin at multiples of it. */
static bool is_aligned(const cg_program *p, const gn_call *call, uint32_t k, uint64_t offset,
                       uint32_t along, uint32_t width) {
    const gn_operand *operand = cg_operand(call, k);
    int64_t rest = operand->offset % width;
    if (p->source->operands[k].role != GN_INDEX)
        rest += (int64_t)(offset / gn_dtype_bytes(p->source->operands[k].dtype) % width);
    bool aligned = rest % width == 0;
    for (uint32_t d = 0; d < call->n_dims; d++)
        aligned &= d == along || operand->stride[d] % width == 0;
    return aligned;
}

/* Whether a work-item may have so many elements of the call. */
static bool width_fits(const cg_program *p, const gn_call *call, const uint64_t *offset,
                       uint32_t along, uint32_t width) {
    if (call->size[along] % width != 0)
        return false;
    for (uint32_t k = 0; k < p->source->n_operands; k++)
        if (p->in_elements[k] && width <= VECTOR && p->source->operands[k].role != GN_INDEX &&
            cg_operand(call, k)->stride[along] == 1 &&
            !is_aligned(p, call, k, offset[k], along, width))
            return false;
    return true;
}

static void set_class(const cg_program *p, const gn_call *call, const uint64_t *offset,
                      uint32_t along, uint32_t width, uint8_t *out) {
    for (uint32_t k = 0; k < p->source->n_operands; k++) {
        const int64_t stride = cg_operand(call, k)->stride[along];
        out[k] = stride == 0 ? CG_SAME : stride == 1 ? CG_UNIT : CG_STRIDED;
        /* Blocks of random numbers begin at multiples of 4. */
        if (p->source->operands[k].role == GN_INDEX && stride == 1 && width > 1 &&
            !is_aligned(p, call, k, offset[k], along, VECTOR))
            out[k] = CG_STRIDED;
    }
}

/* ---- Maps */

static void choose_small_map(const gn_call *const *calls, uint32_t n, cg_variant *v) {
    v->any_dims = 1;
    v->width = 1;
    v->n_dims = FEW_DIMS;
    for (uint32_t i = 0; i < n; i++)
        if (calls[i]->n_dims > FEW_DIMS)
            v->n_dims = GN_MAX_DIMS;
    v->n_kept = v->n_dims;
}

/* The width and classes that suit all calls. A call without dims suits any. */
static void choose_large_map(const cg_program *p, const cg_device *device,
                             const gn_call *const *calls, uint32_t n, const uint64_t *offsets,
                             cg_variant *v) {
    uint32_t width = device->is_cpu ? MAP_WIDTH_CPU : WIDTH;
    for (uint32_t i = 0; i < n; i++) {
        const gn_call *call = calls[i];
        if (call->n_dims > v->n_dims)
            v->n_dims = (uint8_t)call->n_dims;
        while (width > 1 && (call->n_dims == 0 ||
                             !width_fits(p, call, offsets + (size_t)i * p->source->n_operands,
                                         call->n_dims - 1, width)))
            width /= 2;
    }
    v->width = (uint16_t)width;
    v->n_kept = v->n_dims;
    bool first = true;
    for (uint32_t i = 0; i < n; i++) {
        const gn_call *call = calls[i];
        uint8_t class[GN_MAX_OPERANDS] = {0};
        if (call->n_dims == 0)
            continue;
        set_class(p, call, offsets + (size_t)i * p->source->n_operands, call->n_dims - 1, width,
                  class);
        for (uint32_t k = 0; k < p->source->n_operands; k++)
            v->class[k] = first || v->class[k] == class[k] ? class[k] : CG_STRIDED;
        first = false;
    }
}

int64_t cg_map_groups(const cg_launch *launch, const gn_call *call) {
    const int64_t at_once = (int64_t)launch->variant.group * launch->variant.width;
    return (count(call, 0, call->n_dims) + at_once - 1) / at_once;
}

void cg_choose_map(const cg_program *p, const cg_device *device, const gn_call *const *calls,
                   uint32_t n, const uint64_t *offsets, cg_launch *out) {
    cg_variant *v = &out->variant;
    *out = (cg_launch){.n_chunks = 1};
    for (uint32_t i = 0; i < n; i++) {
        const gn_call *call = calls[i];
        out->n_elements += count(call, 0, call->n_dims);
        v->wide |= is_wide(p, call);
    }
    if (out->n_elements < SMALL)
        choose_small_map(calls, n, v);
    else
        choose_large_map(p, device, calls, n, offsets, v);
    v->table = n > 1;
    v->group = (uint16_t)power_below(
        smaller(device->work_group, device->is_cpu ? MAP_GROUP_CPU : MAP_GROUP));
    for (uint32_t i = 0; i < n; i++)
        out->n_groups += cg_map_groups(out, calls[i]);
}

/* ---- Rows */

/* Whether more memory lies dense along the last kept dim than along the last reduced one. Operands
 * that move along one of them only are small beside the others. */
static bool prefers_columns(const cg_program *p, const gn_call *call) {
    const uint32_t n_kept = call->n_dims - call->n_reduced;
    int64_t kept = 0, reduced = 0;
    if (call->n_reduced == 0 || n_kept == 0)
        return n_kept > 0;
    for (uint32_t k = 0; k < p->source->n_operands; k++) {
        if (!p->in_elements[k] || p->source->operands[k].role == GN_INDEX)
            continue;
        const int64_t bytes = gn_dtype_bytes(p->source->operands[k].dtype);
        const int64_t *stride = cg_operand(call, k)->stride;
        if (stride[n_kept - 1] == 0 || stride[call->n_dims - 1] == 0)
            continue;
        if (stride[call->n_dims - 1] == 1)
            reduced += bytes;
        else if (stride[n_kept - 1] == 1)
            kept += bytes;
    }
    return kept > reduced;
}

/* Bytes of local memory for a work-item, if it shares its row. */
static uint64_t local_bytes(const cg_program *p) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < p->source->n_insns; i++) {
        const gn_insn *insn = cg_insn(p->source, i);
        if (insn->op == GN_OP_REDUCE && p->values[i].live)
            bytes += gn_dtype_bytes(cg_insn(p->source, insn->a)->type) +
                     (insn->c >= GN_ARGMAX ? sizeof(int64_t) : 0);
    }
    return bytes;
}

static void choose_space(const cg_program *p, const cg_device *device, const gn_call *call,
                         const uint64_t *offset, cg_launch *out) {
    cg_variant *v = &out->variant;
    v->width = 1;
    v->wide = is_wide(p, call);
    if (count(call, 0, call->n_dims) < SMALL) {
        /* One more than the call has, for no reduced dims are read as one. */
        v->any_dims = 1;
        v->n_dims = call->n_dims < FEW_DIMS ? FEW_DIMS : GN_MAX_DIMS + 1;
        return;
    }
    v->n_dims = (uint8_t)call->n_dims;
    v->n_kept = (uint8_t)(call->n_dims - call->n_reduced);
    const uint32_t along = (out->columns ? v->n_kept : v->n_dims) - 1u;
    uint32_t width = !device->is_cpu ? WIDTH : out->columns ? COLUMNS_WIDTH_CPU : ROWS_WIDTH_CPU;
    while (width > 1 && !width_fits(p, call, offset, along, width))
        width /= 2;
    v->width = (uint16_t)width;
    v->columns = out->columns && width > 1;
    if (width > 1)
        set_class(p, call, offset, along, width, v->class);
}

/* Into how many pieces a row is cut: few rows, so that all units have work; columns on a CPU, so that
 * the memory of a piece is still at hand for the neighbouring ones. */
static int64_t choose_chunks(const cg_program *p, const cg_device *device,
                             const cg_launch *launch) {
    const bool few = launch->n_elements < (launch->columns ? FEW_COLUMNS : FEW_ROWS);
    const int64_t least = !launch->columns ? CHUNK
                          : device->is_cpu ? COLUMN_CHUNK_CPU
                                           : COLUMN_CHUNK;
    const int64_t pieces = launch->n_reduced / least;
    if (p->n_parts > 2 || launch->variant.any_dims || !(few || (launch->columns && device->is_cpu)))
        return 1;
    return pieces > MAX_CHUNKS ? MAX_CHUNKS : pieces > 1 ? pieces : 1;
}

/* How many work-items share a row, of a group: so many that each has some elements left; where rows
 * are side by side, only as many as are needed to occupy the device. */
static uint32_t choose_lanes(const cg_device *device, const cg_launch *launch) {
    const cg_variant *v = &launch->variant;
    const int64_t n = launch->n_reduced / launch->n_chunks;
    const int64_t items = launch->n_elements * launch->n_chunks / (v->columns ? v->width : 1);
    const int64_t enough = (int64_t)device->units * (device->is_cpu ? ITEMS_CPU : ITEMS);
    const int64_t at_once = STEPS * (v->columns ? 1 : v->width);
    uint32_t lanes = 1;
    while (2 * lanes <= v->group && n >= 2 * lanes * at_once &&
           (items * lanes < enough || !(launch->columns || device->is_cpu)))
        lanes *= 2;
    return lanes;
}

static void choose_items(const cg_program *p, const cg_device *device, cg_launch *out) {
    cg_variant *v = &out->variant;
    const uint64_t bytes = local_bytes(p);
    const uint32_t wanted = !device->is_cpu ? ROWS_GROUP
                            : v->columns    ? COLUMNS_GROUP_CPU
                                            : ROWS_GROUP_CPU;
    uint32_t group = power_below(smaller(device->work_group, wanted));
    while (group > 1 && bytes * group > device->local_bytes)
        group /= 2;
    v->group = (uint16_t)group;
    /* Small calls have one variant. The work-items of a CPU run in turn: they do not share it. */
    const bool is_small = v->any_dims || v->stage == CG_FINISH;
    out->lanes = is_small && device->is_cpu ? 1 : choose_lanes(device, out);
    v->shared = is_small ? !device->is_cpu : out->lanes > 1;
    const int64_t at_once = (int64_t)(group / out->lanes) * (v->columns ? v->width : 1);
    out->n_groups = (out->n_elements + at_once - 1) / at_once;
}

void cg_choose_rows(const cg_program *p, const cg_device *device, const gn_call *call,
                    const uint64_t *offset, cg_launch *out) {
    const uint32_t n_kept = call->n_dims - call->n_reduced;
    *out = (cg_launch){.n_elements = count(call, 0, n_kept),
                       .n_reduced = count(call, n_kept, call->n_dims),
                       .columns = prefers_columns(p, call)};
    choose_space(p, device, call, offset, out);
    out->n_chunks = choose_chunks(p, device, out);
    out->variant.stage = out->n_chunks > 1 ? CG_PIECES : CG_WHOLE;
    choose_items(p, device, out);
}

void cg_choose_finish(const cg_program *p, const cg_device *device, const cg_launch *pieces,
                      cg_launch *out) {
    *out = *pieces;
    out->n_reduced = pieces->n_chunks;
    out->n_chunks = 1;
    out->variant.stage = CG_FINISH;
    if (!pieces->variant.columns) {
        out->variant.width = 1;
        memset(out->variant.class, 0, sizeof out->variant.class);
    }
    choose_items(p, device, out);
}
