/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - how the space of a call is cut into boxes of one tile.
 *
 * The innermost position is the dim along which most of the memory lies contiguously. A box holds a
 * piece of it or, where it is short, several rows. Operands that are contiguous along another dim
 * make boxes square, so that the cache lines of both are used up.
 */
#include "engine.h"

enum {
    ROW = 256,   /* an innermost dim of this size needs no second one to fill a tile */
    SQUARE = 64, /* the side of a box with transposed operands */
    WIDE = 4096, /* columns that are reduced at once: pieces of memory long enough to stream */
    PICKS = 32,  /* an innermost dim of this size is a row of its own where LOADX reads */
    SHORT = 8,   /* a dim below this isn't worth a square */
};

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t magnitude(int64_t stride) { return stride < 0 ? -stride : stride; }

/* Elements of the space that the operand tells apart: 1 for a scalar. */
static double span_of(const gn_call *call, const gn_operand *operand) {
    double span = 1;
    for (uint32_t d = 0; d < call->n_dims; d++)
        if (operand->stride[d] != 0)
            span *= (double)call->size[d];
    return span;
}

/*
 * The dim along which most bytes lie contiguously, of the operands that `skip` does not lie
 * contiguously in (n_dims: of all); n_dims if there is none.
 */
static uint32_t contiguous_dim(const cpu_job *job, uint32_t skip) {
    const gn_call *call = job->call;
    const gn_program *source = job->program->source;
    double weight[GN_MAX_DIMS] = {0}, best = 0;
    uint32_t found = call->n_dims;
    for (uint32_t k = 0; k < call->n_operands; k++) {
        const gn_operand *operand = cpu_operand(call, k);
        if (!operand->mem || (skip < call->n_dims && magnitude(operand->stride[skip]) <= 1))
            continue;
        const double bytes = span_of(call, operand) * gn_dtype_bytes(source->operands[k].dtype) *
                             (source->operands[k].role == GN_WRITE ? 2 : 1);
        for (uint32_t d = 0; d < call->n_dims; d++)
            if (magnitude(operand->stride[d]) == 1)
                weight[d] += bytes;
    }
    for (uint32_t d = 0; d < call->n_dims; d++)
        if (weight[d] > 0 && weight[d] >= best) {
            best = weight[d];
            found = d;
        }
    return found;
}

static void add_position(cpu_job *job, cpu_grid *grid, uint32_t dim) {
    grid->position[grid->n++] = (uint8_t)job->n;
    job->dim[job->n] = (uint8_t)dim;
    job->size[job->n] = job->call->size[dim];
    job->block[job->n] = 1;
    job->n++;
}

/* Dims first .. last - 1 in their order, but `next` and `inner`, if among them, at the end. */
static void add_positions(cpu_job *job, cpu_grid *grid, uint32_t first, uint32_t last,
                          uint32_t next, uint32_t inner) {
    grid->n = 0;
    for (uint32_t d = first; d < last; d++)
        if (d != next && d != inner)
            add_position(job, grid, d);
    if (next >= first && next < last)
        add_position(job, grid, next);
    if (inner >= first && inner < last && inner != next)
        add_position(job, grid, inner);
}

/* Enlarges boxes along a grid's dims, the innermost first, to at most `room` times. Returns the
 * room that is left; 0 once a dim is cut. */
static int64_t fill(cpu_job *job, const cpu_grid *grid, int64_t room) {
    for (uint32_t k = grid->n; k-- > 0 && room > 1;) {
        const uint32_t i = grid->position[k];
        job->block[i] = smaller(job->size[i], room);
        if (job->block[i] < job->size[i])
            return 0;
        room /= job->size[i];
    }
    return room;
}

/* The size of equal pieces of at most `room`, in whole cache lines. */
static int64_t even_piece(int64_t size, int64_t room) {
    const int64_t pieces = (size + room - 1) / room;
    return smaller(smaller(room, size), ((size + pieces - 1) / pieces + 63) / 64 * 64);
}

static void count_boxes(cpu_job *job, cpu_grid *grid) {
    grid->boxes = 1;
    for (uint32_t k = 0; k < grid->n; k++) {
        const uint32_t i = grid->position[k];
        grid->count[k] = (job->size[i] + job->block[i] - 1) / job->block[i];
        grid->boxes *= grid->count[k];
    }
}

/* Elements of a box, where larger ones than a tile pay and the program leaves room for them. */
static int64_t large_tile(const cpu_program *p, int64_t bytes_per_element) {
    int64_t tile = p->tile;
    while (tile < WIDE && tile * bytes_per_element <= CPU_FRAME_BYTES)
        tile *= 2;
    return tile;
}

static void finish(cpu_job *job) {
    count_boxes(job, &job->kept);
    count_boxes(job, &job->reduced);
    job->row_tile = 1;
    for (uint32_t k = 0; k < job->kept.n; k++)
        job->row_tile *= job->block[job->kept.position[k]];
    job->tile = job->row_tile;
    for (uint32_t k = 0; k < job->reduced.n; k++)
        job->tile *= job->block[job->reduced.position[k]];
    job->whole_rows = job->reduced.boxes == 1;
    job->runs = job->columns && job->tile == job->row_tile;
    job->row_tile = (job->row_tile + 15) / 16 * 16;
    job->tile = (job->tile + 15) / 16 * 16;
}

bool cpu_layout_small(cpu_job *job) {
    const gn_call *call = job->call;
    const int64_t n = call->n_dims == 0 ? 1 : call->size[0];
    if (call->n_dims > 1 || n > job->program->tile)
        return false;
    job->n = job->kept.n = call->n_dims;
    job->reduced.n = 0;
    job->columns = job->runs = job->whole_rows = false;
    job->dim[0] = job->kept.position[0] = 0;
    job->size[0] = job->block[0] = n;
    job->kept.count[0] = job->kept.boxes = job->reduced.boxes = 1;
    job->tile = job->row_tile = (n + 15) / 16 * 16;
    return true;
}

void cpu_layout_map(cpu_job *job) {
    const gn_call *call = job->call;
    const int64_t room = job->program->tile;
    job->n = 0;
    job->columns = false;
    job->reduced.n = 0;
    uint32_t inner = call->n_dims > 0 ? call->n_dims - 1 : 0, next = call->n_dims;
    if (call->n_dims > 1) {
        const uint32_t contiguous = contiguous_dim(job, call->n_dims);
        inner = contiguous < call->n_dims ? contiguous : inner;
        next = contiguous_dim(job, inner);
        if (next < call->n_dims && (call->size[next] < SHORT || call->size[inner] < SHORT))
            next = call->n_dims;
    }
    add_positions(job, &job->kept, 0, call->n_dims, next, inner);
    if (next < call->n_dims) {
        const int64_t square = large_tile(job->program, job->program->scratch);
        int64_t *across = &job->block[job->n - 2], *along = &job->block[job->n - 1];
        *along = smaller(call->size[inner], SQUARE);
        *across = smaller(call->size[next], square / *along);
        *along = smaller(call->size[inner], square / *across);
    } else if (job->n > 0) {
        /* An index that is the same along the row makes LOADX a plain load: don't span rows. */
        const bool one_row = job->size[job->n - 1] >= (job->program->picks ? PICKS : ROW);
        if (one_row)
            job->block[job->n - 1] = smaller(job->size[job->n - 1], room);
        else
            fill(job, &job->kept, room);
    }
    finish(job);
}

/*
 * Rows: if the reduced dims lie inside, a box is a piece of one row, or several whole rows.
 * Columns: if a kept dim is contiguous, a box is a piece of it, over several of the reduced dims'
 * elements where it is short.
 */
void cpu_layout_reduce(cpu_job *job) {
    const gn_call *call = job->call;
    const uint32_t n_kept = call->n_dims - call->n_reduced;
    const int64_t room = job->program->tile;
    const uint32_t inner = contiguous_dim(job, call->n_dims);
    job->n = 0;
    job->columns = call->n_reduced == 0 || inner < n_kept;
    if (job->columns) {
        add_positions(job, &job->reduced, n_kept, call->n_dims, call->n_dims, inner);
        add_positions(job, &job->kept, 0, n_kept, call->n_dims, inner);
        if (job->n > 0) {
            int64_t *columns = &job->block[job->n - 1];
            const int64_t wide = large_tile(job->program, cpu_bytes_per_element(job->program));
            *columns = even_piece(job->size[job->n - 1], wide);
            int64_t left = *columns < WIDE / 4 ? wide / *columns : 0;
            left = fill(job, &job->reduced, left);
            cpu_grid outer = job->kept;
            if (outer.n > 0)
                outer.n--;
            fill(job, &outer, left);
        }
    } else {
        add_positions(job, &job->kept, 0, n_kept, call->n_dims, inner);
        add_positions(job, &job->reduced, n_kept, call->n_dims, call->n_dims, inner);
        int64_t row = 1;
        for (uint32_t k = 0; k < job->reduced.n; k++)
            row *= job->size[job->reduced.position[k]];
        if (row <= (job->program->keeps ? large_tile(job->program, job->program->scratch) : room)) {
            fill(job, &job->reduced, row);
            fill(job, &job->kept, room / row);
        } else if (job->size[job->n - 1] >= room) {
            job->block[job->n - 1] = room;
        } else {
            fill(job, &job->reduced, room);
        }
    }
    finish(job);
}
