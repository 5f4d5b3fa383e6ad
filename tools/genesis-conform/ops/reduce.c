/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions. */
#include "ops.h"

static gn_reduce_options reduce_options(const op_case *c, int at) {
    return (gn_reduce_options){.struct_size = sizeof(gn_reduce_options),
                               .keepdim = c->args[at] != 0,
                               .dims = op_dims(c, at + 1)};
}

#define WITH_OPTIONS(name)                                                                         \
    static gn_tensor *run_##name(const op_case *c) {                                               \
        gn_reduce_options o = reduce_options(c, 0);                                                \
        return gn_##name##_with(c->in[0], &o);                                                     \
    }
WITH_OPTIONS(sum)
WITH_OPTIONS(mean)
WITH_OPTIONS(prod)
WITH_OPTIONS(var)
WITH_OPTIONS(std)
WITH_OPTIONS(amax)
WITH_OPTIONS(amin)
WITH_OPTIONS(logsumexp)
#undef WITH_OPTIONS

static gn_tensor *run_all(const op_case *c) {
    gn_reduce_options o = reduce_options(c, 0);
    return gn_all_with(gn_gt_scalar(c->in[0], 0), &o);
}
static gn_tensor *run_any(const op_case *c) {
    gn_reduce_options o = reduce_options(c, 0);
    return gn_any_with(gn_gt_scalar(c->in[0], 0), &o);
}
static gn_tensor *run_norm(const op_case *c) {
    return gn_norm(c->in[0], c->args[0], op_dims(c, 2), c->args[1] != 0);
}
static gn_tensor *run_var_correction(const op_case *c) {
    gn_reduce_options o = reduce_options(c, 1);
    o.correction = gn_some(c->args[0]);
    return gn_var_with(c->in[0], &o);
}
static gn_tensor *run_sum_f64(const op_case *c) {
    gn_reduce_options o = reduce_options(c, 0);
    o.dtype = GN_F64;
    return gn_sum_with(c->in[0], &o);
}
static gn_tensor *run_mean_f32(const op_case *c) {
    gn_reduce_options o = reduce_options(c, 0);
    o.dtype = GN_F32;
    return gn_mean_with(c->in[0], &o);
}

#define OVER_ONE_DIM(name)                                                                         \
    static gn_tensor *run_##name(const op_case *c) {                                               \
        return gn_##name(c->in[0], (int64_t)c->args[0], c->args[1] != 0, NULL);                    \
    }                                                                                              \
    static gn_tensor *run_##name##_index(const op_case *c) {                                       \
        gn_tensor *index = NULL;                                                                   \
        gn_##name(c->in[0], (int64_t)c->args[0], c->args[1] != 0, &index);                         \
        return index;                                                                              \
    }                                                                                              \
    static gn_tensor *run_arg##name(const op_case *c) {                                            \
        return gn_arg##name(c->in[0], (int64_t)c->args[0], c->args[1] != 0);                       \
    }                                                                                              \
    static gn_tensor *run_arg##name##_all(const op_case *c) { return gn_arg##name##_all(c->in[0]); }
OVER_ONE_DIM(max)
OVER_ONE_DIM(min)
#undef OVER_ONE_DIM

static gn_tensor *run_sum_to_shape(const op_case *c) {
    return gn_sum_to_shape(c->in[0], op_shape(c, 0));
}

static const op_row rows[] = {
    {.name = "sum", .run = run_sum},
    {.name = "mean", .run = run_mean},
    {.name = "prod", .run = run_prod},
    {.name = "var", .run = run_var},
    {.name = "std", .run = run_std},
    {.name = "amax", .run = run_amax},
    {.name = "amin", .run = run_amin},
    {.name = "logsumexp", .run = run_logsumexp},
    {.name = "all", .run = run_all},
    {.name = "any", .run = run_any},
    {.name = "norm", .run = run_norm},
    {.name = "var_correction", .run = run_var_correction},
    {.name = "sum_f64", .run = run_sum_f64},
    {.name = "mean_f32", .run = run_mean_f32},
    {.name = "max", .run = run_max},
    {.name = "max_index", .run = run_max_index},
    {.name = "argmax", .run = run_argmax},
    {.name = "argmax_all", .run = run_argmax_all},
    {.name = "min", .run = run_min},
    {.name = "min_index", .run = run_min_index},
    {.name = "argmin", .run = run_argmin},
    {.name = "argmin_all", .run = run_argmin_all},
    {.name = "sum_to_shape", .run = run_sum_to_shape},
};

const op_group op_reduce = {.file = "ops_reduce.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
