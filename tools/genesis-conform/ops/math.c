/* SPDX-License-Identifier: Apache-2.0 */
/* where, clamp, operations in place, combinations of three, closeness, what is no number. */
#include "ops.h"

static gn_tensor *run_where(const op_case *c) { return gn_where(c->in[0], c->in[1], c->in[2]); }
static gn_tensor *run_where_a(const op_case *c) {
    return gn_where_scalar_a(c->in[0], c->args[0], c->in[1]);
}
static gn_tensor *run_where_b(const op_case *c) {
    return gn_where_scalar_b(c->in[0], c->in[1], c->args[0]);
}

static gn_tensor *run_where_scalars(const op_case *c) {
    return gn_where_scalars(c->in[0], c->args[0], c->args[1]);
}

static gn_optional bound(const op_case *c, int i) {
    return (gn_optional){.value = c->args[i], .given = c->args[i + 1] != 0};
}

static gn_tensor *run_clamp(const op_case *c) {
    return gn_clamp(c->in[0], bound(c, 0), bound(c, 2));
}
static gn_tensor *run_clamp_(const op_case *c) {
    return gn_clamp_(gn_clone(c->in[0]), bound(c, 0), bound(c, 2));
}

/* y = x, changed in place; and y = 2 x, whose row 1 is changed, times x */
#define IN_PLACE(name)                                                                             \
    static gn_tensor *run_##name(const op_case *c) {                                               \
        return gn_##name(gn_clone(c->in[0]), c->in[1]);                                            \
    }                                                                                              \
    static gn_tensor *run_view_##name(const op_case *c) {                                          \
        gn_tensor *base = gn_mul_scalar(c->in[0], 2);                                              \
        gn_##name(gn_select(base, 0, 1), c->in[1]);                                                \
        return gn_mul(base, c->in[0]);                                                             \
    }
IN_PLACE(add_)
IN_PLACE(sub_)
IN_PLACE(mul_)
IN_PLACE(div_)
#undef IN_PLACE

static gn_tensor *run_add_scalar_(const op_case *c) {
    return gn_add_scalar_(gn_clone(c->in[0]), c->args[0]);
}
static gn_tensor *run_sub_scalar_(const op_case *c) {
    return gn_sub_scalar_(gn_clone(c->in[0]), c->args[0]);
}
static gn_tensor *run_div_scalar_(const op_case *c) {
    return gn_div_scalar_(gn_clone(c->in[0]), c->args[0]);
}
static gn_tensor *run_mul_scalar_(const op_case *c) {
    return gn_mul_scalar_(gn_clone(c->in[0]), c->args[0]);
}
static gn_tensor *run_relu_(const op_case *c) { return gn_relu_(gn_clone(c->in[0])); }
static gn_tensor *run_self_mul_(const op_case *c) {
    gn_tensor *y = gn_clone(c->in[0]);
    return gn_mul_(y, y);
}

static gn_tensor *run_lerp(const op_case *c) { return gn_lerp(c->in[0], c->in[1], c->in[2]); }
static gn_tensor *run_lerp_scalar(const op_case *c) {
    return gn_lerp_scalar(c->in[0], c->in[1], c->args[0]);
}
static gn_tensor *run_addcmul(const op_case *c) {
    return gn_addcmul(c->in[0], c->in[1], c->in[2], c->args[0]);
}
static gn_tensor *run_addcdiv(const op_case *c) {
    return gn_addcdiv(c->in[0], c->in[1], c->in[2], c->args[0]);
}
static gn_tensor *run_isclose(const op_case *c) {
    return gn_isclose(c->in[0], c->in[1], .rtol = gn_some(c->args[0]), .atol = gn_some(c->args[1]),
                      .equal_nan = c->args[2] != 0);
}
static gn_tensor *run_nan_to_num(const op_case *c) { return gn_nan_to_num(c->in[0]); }
static gn_tensor *run_nan_to_num_by(const op_case *c) {
    return gn_nan_to_num(c->in[0], .nan = gn_some(c->args[0]), .posinf = gn_some(c->args[1]),
                         .neginf = gn_some(c->args[2]));
}

static const op_row rows[] = {
    {.name = "where", .run = run_where},
    {.name = "where_a", .run = run_where_a},
    {.name = "where_b", .run = run_where_b},
    {.name = "where_scalars", .run = run_where_scalars},
    {.name = "clamp", .run = run_clamp},
    {.name = "clamp_", .run = run_clamp_},
    {.name = "add_", .run = run_add_},
    {.name = "view_add_", .run = run_view_add_},
    {.name = "sub_", .run = run_sub_},
    {.name = "view_sub_", .run = run_view_sub_},
    {.name = "mul_", .run = run_mul_},
    {.name = "view_mul_", .run = run_view_mul_},
    {.name = "div_", .run = run_div_},
    {.name = "view_div_", .run = run_view_div_},
    {.name = "add_scalar_", .run = run_add_scalar_},
    {.name = "mul_scalar_", .run = run_mul_scalar_},
    {.name = "sub_scalar_", .run = run_sub_scalar_},
    {.name = "div_scalar_", .run = run_div_scalar_},
    {.name = "relu_", .run = run_relu_},
    {.name = "self_mul_", .run = run_self_mul_},
    {.name = "lerp", .run = run_lerp},
    {.name = "lerp_scalar", .run = run_lerp_scalar},
    {.name = "addcmul", .run = run_addcmul},
    {.name = "addcdiv", .run = run_addcdiv},
    {.name = "isclose", .run = run_isclose},
    {.name = "nan_to_num", .run = run_nan_to_num},
    {.name = "nan_to_num_by", .op = "nan_to_num", .run = run_nan_to_num_by},
};

const op_group op_math = {.file = "ops_math.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
