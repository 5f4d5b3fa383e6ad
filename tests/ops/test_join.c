/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/join.c. */
#include <genesis/device.h>

#include "tests/expect.h"
#include "tests/suite.h"

START_TEST(test_split_views) {
    gn_tensor *x = gn_mul_scalar(gn_ones_with(GN_SHAPE(5), GN_AS(.requires_grad = true)), 1),
              *parts[3];
    ck_assert_int_eq(gn_split(x, 2, 0, parts, 3), 3);
    ck_assert_int_eq(gn_size(parts[2], 0), 1);
    gn_mul_scalar_(parts[1], 3); /* a view: x changes, and so do the histories of the others */
    EXPECT_VALUES(x, 0, 1, 1, 3, 3, 1);
    gn_tensor *g = NULL;
    ck_assert_int_eq(gn_gradients(gn_sum(gn_mul(parts[1], parts[1])), 1, &x, &g, NULL), GN_OK);
    EXPECT_VALUES(g, 0, 0, 0, 6, 6, 0);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3), *y = gn_zeros(3, 2), *parts[2], *both[] = {x, y};
    ck_assert_ptr_null(gn_cat(both, 2, 0));
    expect_error(GN_E_ARGUMENT,
                 "cat: shapes (2, 3) and (3, 2) (number 1) differ in more than dim 0");
    ck_assert_ptr_null(gn_cat(both, 0, 0));
    expect_error(GN_E_ARGUMENT, "cat: 0 tensors: there must be at least one");
    both[0] = gn_zeros();
    ck_assert_ptr_null(gn_cat(both, 1, 0));
    expect_error(GN_E_ARGUMENT, "cat: a 0-dim tensor has no dim to join along: use gn_stack");
    both[0] = x;
    ck_assert_ptr_null(gn_stack(both, 2, 0));
    expect_error(GN_E_ARGUMENT, "stack: shapes (2, 3) and (3, 2) (number 1) must be equal");
    ck_assert_int_eq(gn_split(x, 1, 1, parts, 2), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "split: (2, 3) gives 3 parts, but there is room for 2");
    ck_assert_int_eq(gn_split(x, 0, 1, parts, 2), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "split: parts of size 0: it must be positive");
    ck_assert_int_eq(gn_split_sizes(x, (int64_t[]){1, 1}, 2, 1, parts), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "split: 2 sizes must be 0 or more and add up to 3, the size of dim "
                                "1 of (2, 3)");
    ck_assert_int_eq(gn_split_sizes(x, (int64_t[]){4, -1}, 2, 1, parts), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_ptr_null(gn_pad(x, GN_SHAPE(1), GN_SHAPE(1), 0));
    expect_error(GN_E_ARGUMENT,
                 "pad: (1) before and (1) after do not fit shape (2, 3): one number per dim, "
                 "and no size below 0");
    ck_assert_ptr_null(gn_triu(gn_zeros(3), 0));
    expect_error(GN_E_ARGUMENT, "triu: shape (3): needs at least 2 dims");
    ck_assert_ptr_null(gn_one_hot(x, 3));
    expect_error(GN_E_ARGUMENT, "one_hot: indices must be integers, not float32");
    gn_one_hot(gn_tensor_of(((int64_t[]){0, 3}), 2), 3);
    expect_index_error("one_hot");
    ck_assert_ptr_null(gn_one_hot(gn_tensor_of(((int64_t[]){-2}), 1), -1));
    expect_error(GN_E_INDEX, "one_hot: a label is negative");
}
END_TEST

static gn_tensor *joined(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *parts[3], *square = gn_square(in[0]);
    gn_split(square, 1, 1, parts, 3);
    gn_tensor *both[] = {gn_flip(square, GN_DIMS(1)), parts[1]};
    return gn_tril(gn_square(gn_pad(gn_cat(both, 2, 1), GN_SHAPE(1, -1), GN_SHAPE(0, 1), 0.5)), 1);
}

START_TEST(test_second_order) { expect_second_order(joined); }
END_TEST

/* Gradients that lie as parts of one tensor are it, without a copy. */
START_TEST(test_split_of_parts) {
    gn_tensor *x = gn_requires_grad_(gn_zeros(2, 3), true), *parts[3];
    gn_tensor *g = gn_reshape(gn_arange(0, 6, 1, GN_AS(.dtype = GN_F32)), 2, 3);
    gn_split_sizes(x, (int64_t[]){1, 2}, 2, 1, parts);
    gn_tensor *cat = gn_cat(parts, 2, 1), *swapped[] = {parts[1], parts[0]};
    gn_tensor *turned = gn_cat(swapped, 2, 1);
    gn_unbind(x, 1, parts, 3);
    gn_tensor *stack = gn_stack(parts, 3, 1), *some = gn_stack(parts + 1, 2, 1);
    gn_memory_stats before, after;
    gn_memory_stats_get(NULL, &before);
    gn_backward(cat, .gradient = g);
    EXPECT_VALUES(gn_grad(x), 0, 0, 1, 2, 3, 4, 5);
    gn_backward(stack, .gradient = g);
    gn_memory_stats_get(NULL, &after);
    EXPECT_VALUES(gn_grad(x), 0, 0, 2, 4, 6, 8, 10);
    EXPECT_VALUES(g, 0, 0, 1, 2, 3, 4, 5);
    ck_assert_uint_le(after.allocations - before.allocations, 1); /* x's gradient */
    gn_set_grad(x, NULL);
    gn_backward(turned, .gradient = g);
    EXPECT_VALUES(gn_grad(x), 0, 2, 0, 1, 5, 3, 4);
    gn_backward(some, .gradient = gn_narrow(g, 1, 0, 2));
    EXPECT_VALUES(gn_grad(x), 0, 2, 0, 2, 5, 6, 8);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_split_views, test_errors, test_second_order, test_split_of_parts,
                            NULL};
    return suite_run("join", tests);
}
