/* SPDX-License-Identifier: Apache-2.0 */
/* Indexing, reading and writing. */
#include "ops.h"

/* The items of a case: how many, then kind, start, end, step of each. Tensors are inputs from
 * `first` on. */
static gn_index_list items_of(const op_case *c, int first) {
    gn_index_list list = {.n = (int64_t)c->args[0]};
    for (int64_t i = 0; i < list.n; i++) {
        const double *a = &c->args[1 + 4 * i];
        gn_index_item *item = &list.item[i];
        item->kind =
            (gn_index_kind)((const int[]){GN_INDEX_ALL, GN_INDEX_AT, GN_INDEX_RANGE, GN_INDEX_NEW,
                                          GN_INDEX_REST, GN_INDEX_TENSOR}[(int)a[0]]);
        item->start = (int64_t)a[1];
        item->end = (int64_t)a[2];
        item->step = a[3] != 0 ? (int64_t)a[3] : 1;
        if (item->kind == GN_INDEX_TENSOR)
            item->tensor = c->in[first++];
    }
    return list;
}

static gn_tensor *run_index(const op_case *c) { return gn_index_items(c->in[0], items_of(c, 1)); }
static gn_tensor *run_index_put(const op_case *c) {
    gn_tensor *y = gn_mul_scalar(c->in[0], 1);
    return gn_mul(gn_index_put_items(y, items_of(c, 2), c->in[1]), c->in[0]);
}
static gn_tensor *run_index_accumulate(const op_case *c) {
    gn_tensor *y = gn_mul_scalar(c->in[0], 1);
    return gn_mul(gn_index_accumulate_items(y, items_of(c, 2), c->in[1]), c->in[0]);
}

static const op_row rows[] = {
    {.name = "index", .run = run_index},
    {.name = "index_put", .run = run_index_put},
    {.name = "index_accumulate", .run = run_index_accumulate},
};

const op_group op_index = {.file = "ops_index.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
