/* SPDX-License-Identifier: Apache-2.0 */
/* Views, and changes through them. */
#include "ops.h"

static gn_tensor *run_view(const op_case *c) { return gn_view_with(c->in[0], op_shape(c, 0)); }
static gn_tensor *run_reshape(const op_case *c) {
    return gn_reshape_with(c->in[0], op_shape(c, 0));
}
static gn_tensor *run_expand(const op_case *c) { return gn_expand_with(c->in[0], op_shape(c, 0)); }
static gn_tensor *run_permute(const op_case *c) {
    return gn_permute_with(c->in[0], op_shape(c, 0));
}
static gn_tensor *run_transpose(const op_case *c) {
    return gn_transpose(c->in[0], op_int(c, 0), op_int(c, 1));
}
static gn_tensor *run_t(const op_case *c) { return gn_t(c->in[0]); }
static gn_tensor *run_flatten(const op_case *c) {
    return gn_flatten_range(c->in[0], op_int(c, 0), op_int(c, 1));
}
static gn_tensor *run_squeeze(const op_case *c) { return gn_squeeze(c->in[0]); }
static gn_tensor *run_squeeze_dim(const op_case *c) {
    return gn_squeeze_dim(c->in[0], op_int(c, 0));
}
static gn_tensor *run_squeeze_dims(const op_case *c) {
    return gn_squeeze_dims(c->in[0], op_dims(c, 0));
}
static gn_tensor *run_unsqueeze(const op_case *c) { return gn_unsqueeze(c->in[0], op_int(c, 0)); }
static gn_tensor *run_select(const op_case *c) {
    return gn_select(c->in[0], op_int(c, 0), op_int(c, 1));
}
static gn_tensor *run_narrow(const op_case *c) {
    return gn_narrow(c->in[0], op_int(c, 0), op_int(c, 1), op_int(c, 2));
}
static gn_tensor *run_slice(const op_case *c) {
    return gn_slice(c->in[0], op_int(c, 0), op_int(c, 1), op_int(c, 2), op_int(c, 3));
}
static gn_tensor *run_diagonal(const op_case *c) {
    return gn_diagonal(c->in[0], op_int(c, 0), op_int(c, 1), op_int(c, 2));
}
static gn_tensor *run_as_strided(const op_case *c) {
    gn_shape size = op_shape(c, 0), stride = op_shape(c, (int)size.n + 1);
    return gn_as_strided(c->in[0], size, stride, op_int(c, (int)(2 * size.n + 2)));
}

static gn_tensor *run_unfold_dim(const op_case *c) {
    return gn_unfold_dim(c->in[0], op_int(c, 0), op_int(c, 1), op_int(c, 2));
}

/* y[0].t()[1:, 0] *= 3; y[:, -1] += x[:, 0]; y y */
static gn_tensor *run_chained(const op_case *c) {
    gn_tensor *x = c->in[0], *y = gn_mul_scalar(x, 1);
    gn_tensor *part = gn_select(gn_slice(gn_t(gn_select(y, 0, 0)), 0, 1, INT64_MAX, 1), 1, 0);
    gn_mul_scalar_(part, 3);
    gn_add_(gn_select(y, 1, -1), gn_select(x, 1, 0));
    return gn_mul(y, y);
}

static gn_tensor *run_base_changed(const op_case *c) {
    gn_tensor *y = gn_mul_scalar(c->in[0], 1), *v = gn_select(y, 0, 0);
    gn_mul_scalar_(y, 2);
    gn_add_scalar_(v, 1);
    return gn_mul(v, y);
}

static const op_row rows[] = {
    {.name = "view", .run = run_view},
    {.name = "reshape", .run = run_reshape},
    {.name = "expand", .run = run_expand},
    {.name = "permute", .run = run_permute},
    {.name = "transpose", .run = run_transpose},
    {.name = "t", .run = run_t},
    {.name = "flatten", .run = run_flatten},
    {.name = "squeeze", .run = run_squeeze},
    {.name = "squeeze_dim", .run = run_squeeze_dim},
    {.name = "squeeze_dims", .run = run_squeeze_dims},
    {.name = "unsqueeze", .run = run_unsqueeze},
    {.name = "select", .run = run_select},
    {.name = "narrow", .run = run_narrow},
    {.name = "slice", .run = run_slice},
    {.name = "diagonal", .run = run_diagonal},
    {.name = "as_strided", .run = run_as_strided},
    {.name = "unfold_dim", .run = run_unfold_dim},
    {.name = "chained", .run = run_chained},
    {.name = "base_changed", .run = run_base_changed},
};

const op_group op_view = {.file = "ops_view.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
