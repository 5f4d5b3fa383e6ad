/* SPDX-License-Identifier: Apache-2.0 */
/* The same elements in other places, or more often. */
#include "ops.h"

static gn_tensor *run_repeat(const op_case *c) { return gn_repeat_with(c->in[0], op_shape(c, 0)); }
static gn_tensor *run_tile(const op_case *c) { return gn_tile_with(c->in[0], op_shape(c, 0)); }
static gn_tensor *run_diag(const op_case *c) { return gn_diag(c->in[0], op_int(c, 0)); }
static gn_tensor *run_hstack(const op_case *c) { return gn_hstack(c->in, c->n_inputs); }
static gn_tensor *run_vstack(const op_case *c) { return gn_vstack(c->in, c->n_inputs); }

static gn_tensor *run_roll(const op_case *c) {
    gn_dims shifts = op_dims(c, 0);
    return gn_roll(c->in[0], shifts, op_dims(c, 1 + (int)shifts.n));
}
static gn_tensor *run_movedim(const op_case *c) {
    gn_dims source = op_dims(c, 0);
    return gn_movedim(c->in[0], source, op_dims(c, 1 + (int)source.n));
}

/* The sum of the grids times 1, 2, .. */
static gn_tensor *run_meshgrid(const op_case *c) {
    gn_tensor *out[OP_INPUTS], *sum = NULL;
    if (gn_meshgrid(c->in, c->n_inputs, op_int(c, 0), out))
        return NULL;
    for (int i = 0; i < c->n_inputs; i++)
        sum = i ? gn_add(sum, gn_mul_scalar(out[i], i + 1)) : gn_mul_scalar(out[i], 1);
    return sum;
}

static const op_row rows[] = {
    {.name = "repeat", .run = run_repeat}, {.name = "tile", .run = run_tile},
    {.name = "roll", .run = run_roll},     {.name = "movedim", .run = run_movedim},
    {.name = "diag", .run = run_diag},     {.name = "meshgrid", .run = run_meshgrid},
    {.name = "hstack", .run = run_hstack}, {.name = "vstack", .run = run_vstack},
};

const op_group op_arrange = {.file = "ops_arrange.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
