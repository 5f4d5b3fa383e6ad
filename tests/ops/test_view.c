/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/view.c. */
#include "tensor/tensor.h"
#include "tests/cases.h"
#include "tests/suite.h"

static int64_t arg(const test_case *c, int i) { return (int64_t)c->args[i]; }

static gn_tensor *run_view(test_case *c) { return gn_view_with(c->in[0], case_shape(c, 0)); }
static gn_tensor *run_reshape(test_case *c) { return gn_reshape_with(c->in[0], case_shape(c, 0)); }
static gn_tensor *run_expand(test_case *c) { return gn_expand_with(c->in[0], case_shape(c, 0)); }
static gn_tensor *run_permute(test_case *c) { return gn_permute_with(c->in[0], case_shape(c, 0)); }
static gn_tensor *run_transpose(test_case *c) {
    return gn_transpose(c->in[0], arg(c, 0), arg(c, 1));
}
static gn_tensor *run_t(test_case *c) { return gn_t(c->in[0]); }
static gn_tensor *run_flatten(test_case *c) {
    return gn_flatten_range(c->in[0], arg(c, 0), arg(c, 1));
}
static gn_tensor *run_squeeze(test_case *c) { return gn_squeeze(c->in[0]); }
static gn_tensor *run_squeeze_dim(test_case *c) { return gn_squeeze_dim(c->in[0], arg(c, 0)); }
static gn_tensor *run_squeeze_dims(test_case *c) {
    return gn_squeeze_dims(c->in[0], case_dims(c, 0));
}
static gn_tensor *run_unsqueeze(test_case *c) { return gn_unsqueeze(c->in[0], arg(c, 0)); }
static gn_tensor *run_select(test_case *c) { return gn_select(c->in[0], arg(c, 0), arg(c, 1)); }
static gn_tensor *run_narrow(test_case *c) {
    return gn_narrow(c->in[0], arg(c, 0), arg(c, 1), arg(c, 2));
}
static gn_tensor *run_slice(test_case *c) {
    return gn_slice(c->in[0], arg(c, 0), arg(c, 1), arg(c, 2), arg(c, 3));
}
static gn_tensor *run_diagonal(test_case *c) {
    return gn_diagonal(c->in[0], arg(c, 0), arg(c, 1), arg(c, 2));
}
static gn_tensor *run_as_strided(test_case *c) {
    gn_shape size = case_shape(c, 0), stride = case_shape(c, (int)size.n + 1);
    return gn_as_strided(c->in[0], size, stride, arg(c, (int)(2 * size.n + 2)));
}

/* y[0].t()[1:, 0] *= 3; y[:, -1] += x[:, 0]; y y */
static gn_tensor *run_chained(test_case *c) {
    gn_tensor *x = c->in[0], *y = gn_mul_scalar(x, 1);
    gn_tensor *part = gn_select(gn_slice(gn_t(gn_select(y, 0, 0)), 0, 1, INT64_MAX, 1), 1, 0);
    gn_mul_scalar_(part, 3);
    gn_add_(gn_select(y, 1, -1), gn_select(x, 1, 0));
    return gn_mul(y, y);
}

static gn_tensor *run_base_changed(test_case *c) {
    gn_tensor *y = gn_mul_scalar(c->in[0], 1), *v = gn_select(y, 0, 0);
    gn_mul_scalar_(y, 2);
    gn_add_scalar_(v, 1);
    return gn_mul(v, y);
}

static const case_op ops[] = {
    {"view", run_view},
    {"reshape", run_reshape},
    {"expand", run_expand},
    {"permute", run_permute},
    {"transpose", run_transpose},
    {"t", run_t},
    {"flatten", run_flatten},
    {"squeeze", run_squeeze},
    {"squeeze_dim", run_squeeze_dim},
    {"squeeze_dims", run_squeeze_dims},
    {"unsqueeze", run_unsqueeze},
    {"select", run_select},
    {"narrow", run_narrow},
    {"slice", run_slice},
    {"diagonal", run_diagonal},
    {"as_strided", run_as_strided},
    {"chained", run_chained},
    {"base_changed", run_base_changed},
};

START_TEST(test_cases) { cases_run("ops_view.txt", ops, sizeof ops / sizeof *ops); }
END_TEST

/* Views share the data; the layout that core chose is not to be seen. */
START_TEST(test_sharing) {
    gn_tensor *x = gn_view(gn_arange(0, 24, 1, GN_AS(.dtype = GN_F32)), 2, 3, 2, 2);
    gn_tensor *v = gn_select(gn_permute(x, 1, 0, 3, 2), 0, 2);
    ck_assert(gn_is_view(v) && !gn_is_contiguous(v));
    gn_fill_(v, -1);
    EXPECT_VALUES(gn_select(x, 1, 2), 0, -1, -1, -1, -1, -1, -1, -1, -1);
    ck_assert_ptr_eq(gn_reshape(x, 2, 3, 2, 2)->storage, x->storage);
    gn_tensor *hidden = case_layout(gn_clone(x), 'h');
    ck_assert(gn_is_contiguous(hidden));
    gn_tensor *detached = gn_detach(hidden), *flat = gn_view(hidden, -1);
    ck_assert_int_eq(gn_stride(flat, 0), 1);
    gn_fill_(flat, 5);
    ck_assert_double_eq(gn_item(gn_amin(hidden)), 5);
    ck_assert_double_eq(gn_item(gn_amin(detached)), 5);
    ck_assert_int_eq(gn_stride(hidden, 1), 4);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *t = gn_t(x);
    ck_assert_ptr_null(gn_view(x, 4, -1));
    expect_error(GN_E_ARGUMENT, "view: shape (2, 3) with 6 elements can't become (4, -1)");
    ck_assert_ptr_null(gn_view(t, 6));
    expect_error(GN_E_ARGUMENT, "view: shape (3, 2) with strides (1, 3) can't be seen as (6): use "
                                "gn_reshape, which copies");
    ck_assert_ptr_null(gn_expand(x, 3, 3));
    expect_error(GN_E_ARGUMENT, "expand: shape (2, 3) can't expand to (3, 3)");
    ck_assert_ptr_null(gn_expand(x, (int64_t)1 << 61, 2, 3));
    expect_error(GN_E_MEMORY, "view: shape (2305843009213693952, 2, 3) has more elements than can "
                              "be addressed");
    ck_assert_ptr_null(gn_squeeze_dims(x, GN_DIMS(0, -2)));
    expect_error(GN_E_ARGUMENT, "squeeze: dim 0 is given twice");
    ck_assert_ptr_null(gn_permute(x, 0, 0));
    expect_error(GN_E_ARGUMENT, "permute: dim 0 is given twice");
    ck_assert_ptr_null(gn_t(gn_zeros(1, 1, 1)));
    expect_error(GN_E_ARGUMENT, "t: shape (1, 1, 1) has more than 2 dims: use gn_transpose");
    ck_assert_ptr_null(gn_select(x, 1, 3));
    expect_error(GN_E_INDEX, "select: index 3 is out of range for dim 1 of shape (2, 3)");
    ck_assert_ptr_null(gn_slice(x, 0, 0, 2, 0));
    expect_error(GN_E_ARGUMENT, "slice: step 0: it must be positive");
    ck_assert_ptr_null(gn_narrow(x, 1, 2, 2));
    expect_error(GN_E_INDEX, "narrow: 2 elements from 2 on do not lie in dim 1 of shape (2, 3)");
    ck_assert_ptr_null(gn_as_strided(x, GN_SHAPE(3, 3), GN_SHAPE(3, 1), 0));
    expect_error(GN_E_ARGUMENT,
                 "as_strided: sizes (3, 3) with strides (3, 1) from 0 do not lie in elements "
                 "0 to 5");
    ck_assert_ptr_null(gn_unsqueeze(gn_zeros(1, 1, 1, 1, 1, 1, 1, 1), 0));
    expect_error(GN_E_ARGUMENT, "unsqueeze: shape (1, 1, 1, 1, 1, 1, 1, 1) has all 8 dims already");
}
END_TEST

static gn_tensor *parts(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *y = gn_mul(in[0], in[0]);
    gn_tensor *windows = gn_as_strided(gn_reshape(y, -1), GN_SHAPE(3, 2), GN_SHAPE(1, 2), 0);
    return gn_add(gn_sum(gn_square(windows)),
                  gn_mul(gn_diagonal(y, 1, 0, 1), gn_slice(in[0], 1, 0, 3, 2)));
}

START_TEST(test_second_order) { expect_second_order(parts); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_cases, test_sharing, test_errors, test_second_order, NULL};
    return suite_run("view", tests);
}
