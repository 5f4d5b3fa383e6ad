/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/reduce.c and statistics.c. */
#include "tests/cases.h"
#include "tests/suite.h"

static gn_reduce_options options(const test_case *c, int at) {
    return (gn_reduce_options){.struct_size = sizeof(gn_reduce_options),
                               .keepdim = c->args[at] != 0,
                               .dims = case_dims(c, at + 1)};
}

#define WITH_OPTIONS(name)                                                                         \
    static gn_tensor *run_##name(test_case *c) {                                                   \
        gn_reduce_options o = options(c, 0);                                                       \
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

static gn_tensor *run_all(test_case *c) {
    gn_reduce_options o = options(c, 0);
    return gn_all_with(gn_gt_scalar(c->in[0], 0), &o);
}
static gn_tensor *run_any(test_case *c) {
    gn_reduce_options o = options(c, 0);
    return gn_any_with(gn_gt_scalar(c->in[0], 0), &o);
}
static gn_tensor *run_norm(test_case *c) {
    return gn_norm(c->in[0], c->args[0], case_dims(c, 2), c->args[1] != 0);
}
static gn_tensor *run_var_correction(test_case *c) {
    gn_reduce_options o = options(c, 1);
    o.correction = gn_some(c->args[0]);
    return gn_var_with(c->in[0], &o);
}
static gn_tensor *run_sum_f64(test_case *c) {
    gn_reduce_options o = options(c, 0);
    o.dtype = GN_F64;
    return gn_sum_with(c->in[0], &o);
}
static gn_tensor *run_mean_f32(test_case *c) {
    gn_reduce_options o = options(c, 0);
    o.dtype = GN_F32;
    return gn_mean_with(c->in[0], &o);
}

#define OVER_ONE_DIM(name)                                                                         \
    static gn_tensor *run_##name(test_case *c) {                                                   \
        return gn_##name(c->in[0], (int64_t)c->args[0], c->args[1] != 0, NULL);                    \
    }                                                                                              \
    static gn_tensor *run_##name##_index(test_case *c) {                                           \
        gn_tensor *index = NULL;                                                                   \
        gn_##name(c->in[0], (int64_t)c->args[0], c->args[1] != 0, &index);                         \
        return index;                                                                              \
    }                                                                                              \
    static gn_tensor *run_arg##name(test_case *c) {                                                \
        return gn_arg##name(c->in[0], (int64_t)c->args[0], c->args[1] != 0);                       \
    }                                                                                              \
    static gn_tensor *run_arg##name##_all(test_case *c) { return gn_arg##name##_all(c->in[0]); }
OVER_ONE_DIM(max)
OVER_ONE_DIM(min)
#undef OVER_ONE_DIM

static gn_tensor *run_sum_to_shape(test_case *c) {
    return gn_sum_to_shape(c->in[0], case_shape(c, 0));
}

static const case_op ops[] = {
    {"sum", run_sum},
    {"mean", run_mean},
    {"prod", run_prod},
    {"var", run_var},
    {"std", run_std},
    {"amax", run_amax},
    {"amin", run_amin},
    {"logsumexp", run_logsumexp},
    {"all", run_all},
    {"any", run_any},
    {"norm", run_norm},
    {"var_correction", run_var_correction},
    {"sum_f64", run_sum_f64},
    {"mean_f32", run_mean_f32},
    {"max", run_max},
    {"max_index", run_max_index},
    {"argmax", run_argmax},
    {"argmax_all", run_argmax_all},
    {"min", run_min},
    {"min_index", run_min_index},
    {"argmin", run_argmin},
    {"argmin_all", run_argmin_all},
    {"sum_to_shape", run_sum_to_shape},
};

START_TEST(test_cases) { cases_run("ops_reduce.txt", ops, sizeof ops / sizeof *ops); }
END_TEST

START_TEST(test_empty) {
    gn_tensor *x = gn_zeros(0, 2);
    EXPECT_VALUES(gn_sum(x), 0, 0);
    EXPECT_VALUES(gn_prod(x), 0, 1);
    ck_assert(gn_item_bool(gn_all(x)) && !gn_item_bool(gn_any(x)));
    ck_assert_ptr_null(gn_amax(x));
    expect_error(GN_E_ARGUMENT,
                 "amax: shape (0, 2) has no elements to reduce, and no result for that");
    ck_assert_ptr_null(gn_argmin(x, 0, false));
    expect_error(GN_E_ARGUMENT,
                 "argmin: shape (0, 2) has no elements to reduce, and no result for that");
    ck_assert_int_eq(gn_numel(gn_amax(gn_zeros(0, 2), .dims = GN_DIMS(1))), 0);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *ints = gn_zeros_with(GN_SHAPE(2), GN_AS(.dtype = GN_I64));
    ck_assert_ptr_null(gn_sum(x, .dims = GN_DIMS(2)));
    expect_error(GN_E_ARGUMENT, "sum: dim 2 does not exist: 2 dims allow -2 to 1");
    ck_assert_ptr_null(gn_sum(x, .dims = GN_DIMS(1, -1)));
    expect_error(GN_E_ARGUMENT, "sum: dim 1 is given twice");
    ck_assert_ptr_null(gn_mean(ints));
    expect_error(GN_E_ARGUMENT, "mean: needs a floating-point dtype, not int64: cast first");
    ck_assert_ptr_null(gn_var(ints));
    expect_error(GN_E_ARGUMENT, "var: needs a floating-point dtype, not int64");
    ck_assert_ptr_null(gn_sum_to_shape(x, GN_SHAPE(2)));
    expect_error(GN_E_ARGUMENT, "sum_to_shape: shape (2, 3) does not come from (2)");
    ck_assert_ptr_null(gn_logsumexp(NULL));
    expect_error(GN_E_ARGUMENT, "logsumexp: a tensor is NULL");
}
END_TEST

static gn_tensor *statistics(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *y =
        gn_add(gn_std(in[0], .dims = GN_DIMS(1)), gn_logsumexp(in[0], .dims = GN_DIMS(1)));
    return gn_mul(gn_prod(in[0]), gn_add(y, gn_max(in[0], 1, false, NULL)));
}

START_TEST(test_second_order) { expect_second_order(statistics); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_cases, test_empty, test_errors, test_second_order, NULL};
    return suite_run("reduce", tests);
}
