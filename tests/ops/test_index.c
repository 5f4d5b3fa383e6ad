/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/index.c. */
#include "tests/expect.h"
#include "tests/suite.h"

/* The macros; duplicates: the last one stays, whatever the backend. */
START_TEST(test_macros) {
    gn_tensor *x = gn_view(gn_arange(0, 6, 1, GN_AS(.dtype = GN_F32)), 2, 3);
    EXPECT_VALUES(gn_index(x, GN_AT(0), GN_FROM_TO(1, -1)), 0, 1);
    EXPECT_VALUES(gn_index(x, GN_ALL, GN_FROM(1)), 0, 1, 2, 4, 5);
    EXPECT_VALUES(gn_index(x, GN_REST, GN_RANGE(0, 3, 2)), 0, 0, 2, 3, 5);
    ck_assert_int_eq(gn_dim(gn_index(x, GN_NEW, GN_REST)), 3);
    ck_assert(gn_is_view(gn_index(x, GN_AT(1))) && !gn_requires_grad(x));
    gn_tensor *rows = gn_tensor_of(((int64_t[]){1, 1, -1}), 3);
    gn_tensor *values = gn_view(gn_arange(10, 19, 1, GN_AS(.dtype = GN_I32)), 3, 3);
    ck_assert_ptr_eq(gn_index_put(x, values, GN_BY(rows)), x);
    EXPECT_VALUES(x, 0, 0, 1, 2, 16, 17, 18);
    ck_assert_ptr_eq(gn_index_accumulate(x, gn_ones(1), GN_BY(rows), GN_AT(0)), x);
    EXPECT_VALUES(x, 0, 0, 1, 2, 19, 17, 18);
    gn_index_put(x, gn_index(x, GN_AT(1)), GN_AT(0)); /* from its own memory */
    EXPECT_VALUES(x, 0, 19, 17, 18, 19, 17, 18);
    gn_index_put_scalar(x, 0, GN_BY(gn_gt_scalar(x, 17)));
    EXPECT_VALUES(x, 0, 0, 17, 0, 0, 17, 0);
}
END_TEST

/* A 0-dim index or value on the cpu joins any device. */
START_TEST(test_zero_dim_cpu) {
    if (!gn_device_available("cpu"))
        return;
    gn_tensor *x = gn_view(gn_arange(0, 6, 1, GN_AS(.dtype = GN_F32)), 2, 3);
    gn_tensor *one = gn_scalar_tensor(1, GN_AS(.dtype = GN_I64, .device = "cpu"));
    gn_tensor *nine = gn_scalar_tensor(9, GN_AS(.device = "cpu", .requires_grad = true));
    EXPECT_VALUES(gn_index(x, GN_BY(one)), 0, 3, 4, 5);
    gn_index_put(x, nine, GN_BY(one), GN_FROM(1));
    EXPECT_VALUES(x, 0, 0, 1, 2, 3, 9, 9);
    gn_backward(gn_sum(gn_mul(x, x)));
    EXPECT_VALUES(gn_grad(nine), 0, 36);
    ck_assert_str_eq(gn_device_of(gn_grad(nine)), "cpu");
    if (gn_device_available("ref")) {
        gn_tensor *far = gn_zeros_with(GN_SHAPE(2, 3), GN_AS(.device = "ref"));
        ck_assert_ptr_null(gn_index(
            far, GN_BY(gn_zeros_with(GN_SHAPE(1), GN_AS(.dtype = GN_I64, .device = "cpu")))));
        expect_error(GN_E_ARGUMENT,
                     "index: tensors are on ref and on cpu: move one with gn_to_device");
    }
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *bad = gn_tensor_of(((int64_t[]){0, 5}), 2);
    ck_assert_ptr_null(gn_index(x, GN_AT(2)));
    expect_error(GN_E_INDEX, "select: index 2 is out of range for dim 0 of shape (2, 3)");
    ck_assert_ptr_null(gn_index(x, GN_AT(0), GN_AT(0), GN_ALL));
    expect_error(GN_E_INDEX, "index: indices for 3 dims, but shape (2, 3) has 2");
    ck_assert_ptr_null(gn_index(x, GN_REST, GN_REST));
    expect_error(GN_E_ARGUMENT, "index: GN_REST is given 2 times: once is possible");
    ck_assert_ptr_null(gn_index(x, GN_BY(x)));
    expect_error(GN_E_ARGUMENT, "index: indices must be integers, not float32");
    ck_assert_ptr_null(
        gn_index(x, GN_BY(gn_eq(bad, bad)), GN_BY(gn_tensor_of(((int64_t[]){0, 1, 2}), 3))));
    expect_error(GN_E_ARGUMENT,
                 "index: shapes (2) and (3) do not broadcast: aligned at the right, sizes must "
                 "be equal or 1");
    ck_assert_ptr_null(gn_index(x, GN_ALL, GN_BY(gn_eq(bad, bad))));
    expect_error(GN_E_INDEX, "index: mask (2) does not fit dims 1 to 1 of shape (2, 3)");
    gn_index(x, GN_BY(bad));
    expect_index_error("index");
    gn_index_put(x, x, GN_BY(gn_add_scalar(gn_neg(bad), 1)), GN_BY(bad));
    gn_synchronize(gn_default_device());
    ck_assert_int_eq(gn_error_status(),
                     GN_E_ARGUMENT); /* the value does not fit, whatever the index */
    gn_error_clear();
    gn_index_put(x, gn_ones(1), GN_ALL, GN_BY(gn_neg(bad)));
    expect_index_error("index_put");
    ck_assert_ptr_null(gn_index_put(x, gn_ones(4), GN_AT(0)));
    expect_error(GN_E_ARGUMENT,
                 "copy_: shapes (3) and (4) do not broadcast: aligned at the right, sizes must "
                 "be equal or 1");
    ck_assert_ptr_null(gn_index_put_scalar(bad, 0.5, GN_AT(0)));
    expect_error(GN_E_ARGUMENT, "fill: 0.5 is no value of int64");
    gn_requires_grad_(x, true);
    ck_assert_ptr_null(gn_index_put(x, gn_ones(3), GN_AT(0)));
    expect_error(GN_E_STATE, "copy_: in place on a view of a leaf that requires a gradient");
}
END_TEST

static gn_tensor *indexed(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *rows = gn_tensor_of(((int64_t[]){1, 0, 1}), 3),
              *columns = gn_tensor_of(((int64_t[]){2}), 1);
    gn_tensor *y = gn_square(in[0]);
    gn_index_put(y, gn_index(in[0], GN_AT(1), GN_FROM(2)), GN_BY(rows), GN_BY(columns));
    gn_index_accumulate(y, gn_index(in[0], GN_AT(0)), GN_BY(rows));
    return gn_mul(gn_index(y, GN_BY(rows)), gn_index(y, GN_BY(rows), GN_BY(columns), GN_NEW));
}

START_TEST(test_second_order) { expect_second_order(indexed); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_macros, test_zero_dim_cpu, test_errors, test_second_order, NULL};
    return suite_run("index", tests);
}
