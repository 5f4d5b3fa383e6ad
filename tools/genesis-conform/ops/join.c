/* SPDX-License-Identifier: Apache-2.0 */
/* Joining, splitting, padding, triangles. */
#include "ops.h"

static gn_tensor *run_cat(const op_case *c) { return gn_cat(c->in, c->n_inputs, op_int(c, 0)); }
static gn_tensor *run_stack(const op_case *c) { return gn_stack(c->in, c->n_inputs, op_int(c, 0)); }

enum { MAX_PARTS = 16 };

/* sum over the elements of part^2, times 1, 2, .. by part */
static gn_tensor *weighted(gn_tensor **parts, int64_t n) {
    gn_tensor *sums[MAX_PARTS];
    if (n < 0)
        return NULL;
    for (int64_t i = 0; i < n; i++)
        sums[i] = gn_mul_scalar(gn_sum(gn_square(parts[i])), (double)(i + 1));
    return gn_stack(sums, n, 0);
}
static gn_tensor *run_split(const op_case *c) {
    gn_tensor *parts[MAX_PARTS];
    return weighted(parts, gn_split(c->in[0], op_int(c, 0), op_int(c, 1), parts, MAX_PARTS));
}
static gn_tensor *run_split_sizes(const op_case *c) {
    gn_tensor *parts[MAX_PARTS];
    gn_shape sizes = op_shape(c, 1);
    return weighted(parts, gn_split_sizes(c->in[0], sizes.size, sizes.n, op_int(c, 0), parts));
}
static gn_tensor *run_second_size(const op_case *c) {
    gn_tensor *parts[MAX_PARTS];
    gn_shape sizes = op_shape(c, 1);
    int64_t n = gn_split_sizes(c->in[0], sizes.size, sizes.n, op_int(c, 0), parts);
    return n > 1 ? gn_mul_scalar(parts[1], 2) : NULL;
}
static gn_tensor *run_chunk(const op_case *c) {
    gn_tensor *parts[MAX_PARTS];
    return weighted(parts, gn_chunk(c->in[0], op_int(c, 0), op_int(c, 1), parts, MAX_PARTS));
}
static gn_tensor *run_unbind(const op_case *c) {
    gn_tensor *parts[MAX_PARTS];
    return weighted(parts, gn_unbind(c->in[0], op_int(c, 0), parts, MAX_PARTS));
}
static gn_tensor *run_last_chunk(const op_case *c) {
    gn_tensor *parts[MAX_PARTS];
    int64_t n = gn_chunk(c->in[0], op_int(c, 0), op_int(c, 1), parts, MAX_PARTS);
    return n > 0 ? gn_mul_scalar(parts[n - 1], 2) : NULL;
}
static gn_tensor *run_last_unbind(const op_case *c) {
    gn_tensor *parts[MAX_PARTS];
    int64_t n = gn_unbind(c->in[0], op_int(c, 0), parts, MAX_PARTS);
    return n > 0 ? gn_mul_scalar(parts[n - 1], 2) : NULL;
}
static gn_tensor *run_repeat_interleave(const op_case *c) {
    return gn_repeat_interleave(c->in[0], op_int(c, 0), op_int(c, 1));
}
static gn_tensor *run_flip(const op_case *c) { return gn_flip(c->in[0], op_dims(c, 0)); }
static gn_tensor *run_pad(const op_case *c) {
    gn_shape before = op_shape(c, 1);
    return gn_pad(c->in[0], before, op_shape(c, 2 + (int)before.n), c->args[0]);
}
static gn_tensor *run_triu(const op_case *c) { return gn_triu(c->in[0], op_int(c, 0)); }
static gn_tensor *run_tril(const op_case *c) { return gn_tril(c->in[0], op_int(c, 0)); }
static gn_tensor *run_one_hot(const op_case *c) { return gn_one_hot(c->in[0], op_int(c, 0)); }

static const op_row rows[] = {
    {.name = "cat", .run = run_cat},
    {.name = "stack", .run = run_stack},
    {.name = "split", .run = run_split},
    {.name = "split_sizes", .run = run_split_sizes},
    {.name = "second_size", .run = run_second_size},
    {.name = "chunk", .run = run_chunk},
    {.name = "unbind", .run = run_unbind},
    {.name = "last_chunk", .run = run_last_chunk},
    {.name = "last_unbind", .run = run_last_unbind},
    {.name = "repeat_interleave", .run = run_repeat_interleave},
    {.name = "flip", .run = run_flip},
    {.name = "pad", .run = run_pad},
    {.name = "triu", .run = run_triu},
    {.name = "tril", .run = run_tril},
    {.name = "one_hot", .run = run_one_hot},
};

const op_group op_join = {.file = "ops_join.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
