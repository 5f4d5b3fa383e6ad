/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting, top k, median, mode. */
#include "ops.h"

static gn_tensor *run_sort(const op_case *c) {
    return gn_sort(c->in[0], op_int(c, 0), op_int(c, 1), NULL);
}
static gn_tensor *run_sort_index(const op_case *c) {
    gn_tensor *index = NULL;
    gn_sort(c->in[0], op_int(c, 0), op_int(c, 1), &index);
    return index;
}
static gn_tensor *run_argsort(const op_case *c) {
    return gn_argsort(c->in[0], op_int(c, 0), op_int(c, 1));
}
static gn_tensor *run_topk(const op_case *c) {
    return gn_topk(c->in[0], op_int(c, 0), op_int(c, 1), op_int(c, 2), NULL);
}
static gn_tensor *run_topk_index(const op_case *c) {
    gn_tensor *index = NULL;
    gn_topk(c->in[0], op_int(c, 0), op_int(c, 1), op_int(c, 2), &index);
    return index;
}
static gn_tensor *run_median(const op_case *c) {
    return gn_median(c->in[0], op_int(c, 0), op_int(c, 1), NULL);
}
static gn_tensor *run_median_index(const op_case *c) {
    gn_tensor *index = NULL;
    gn_median(c->in[0], op_int(c, 0), op_int(c, 1), &index);
    return index;
}
static gn_tensor *run_median_all(const op_case *c) { return gn_median_all(c->in[0]); }
static gn_tensor *run_mode(const op_case *c) {
    return gn_mode(c->in[0], op_int(c, 0), op_int(c, 1), NULL);
}

static const op_row rows[] = {
    {.name = "sort", .run = run_sort},
    {.name = "sort_index", .run = run_sort_index},
    {.name = "argsort", .run = run_argsort},
    {.name = "topk", .run = run_topk},
    {.name = "topk_index", .run = run_topk_index},
    {.name = "median", .run = run_median},
    {.name = "median_index", .op = "median", .run = run_median_index},
    {.name = "median_all", .op = "median", .run = run_median_all},
    {.name = "mode", .run = run_mode},
};

const op_group op_sort = {.file = "ops_sort.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
