/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/index_dim.c. */
#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(3, 2), *at = gn_tensor_of(((int64_t[]){0, 3}), 2);
    gn_index_add(x, 0, at, gn_ones(2, 2));
    expect_index_error("scatter_add");
    EXPECT_VALUES(x, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_ptr_null(gn_index_add(x, 0, at, gn_ones(3, 2)));
    expect_error(GN_E_ARGUMENT,
                 "index_add: index (2) must be a vector, and source (3, 2) differ from (3, 2) only "
                 "in dim 0, where it has one slice for each index");
    ck_assert_ptr_null(gn_index_copy(x, 1, at, gn_ones(2, 2)));
    expect_error(GN_E_ARGUMENT,
                 "index_copy: index (2) must be a vector, and source (2, 2) differ from (3, 2) "
                 "only in dim 1, where it has one slice for each index");
    ck_assert_ptr_null(gn_index_copy(x, 0, x, x));
    expect_error(GN_E_ARGUMENT, "index_copy: indices must be integers, not float32");
    ck_assert_ptr_null(gn_take_along_dim(x, at, 0));
    expect_error(GN_E_ARGUMENT, "take_along_dim: index (2) must have as many dims as (3, 2)");
    ck_assert_ptr_null(
        gn_take_along_dim(x, gn_zeros_with(GN_SHAPE(2, 3), GN_AS(.dtype = GN_I64)), 0));
    expect_error(GN_E_ARGUMENT,
                 "take_along_dim: shapes (1, 2) and (1, 3) do not broadcast: aligned at the right, "
                 "sizes must be equal or 1");
    ck_assert_ptr_null(gn_take_along_dim(x, NULL, 0));
    expect_error(GN_E_ARGUMENT, "take_along_dim: a tensor is NULL");
}
END_TEST

/* 0-dim tensors, as in PyTorch, are vectors of one. */
START_TEST(test_zero_dim) {
    gn_tensor *zero = gn_tensor_of(((int64_t[]){0}), 1);
    EXPECT_VALUES(gn_index_add(gn_ones(), 0, zero, gn_ones()), 0, 2);
    EXPECT_VALUES(gn_index_copy(gn_ones(), 0, zero, gn_zeros()), 0, 0);
    EXPECT_VALUES(gn_take_along_dim(gn_ones(), gn_select(zero, 0, 0), 0), 0, 1);
}
END_TEST

static gn_tensor *indexed(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *at = gn_tensor_of(((int64_t[]){1, 1}), 2), *x = gn_square(in[0]);
    gn_tensor *y = gn_index_copy(gn_index_add(x, 0, at, x), 0, at, gn_sin(x));
    return gn_square(gn_take_along_dim(y, gn_view(at, 1, 2), 1));
}

START_TEST(test_second_order) { expect_second_order(indexed); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_errors, test_zero_dim, test_second_order, NULL};
    return suite_run("index_dim", tests);
}
