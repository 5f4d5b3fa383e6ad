/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/view.c. */
#include <genesis/device.h>

#include "tensor/tensor.h"
#include "tests/expect.h"
#include "tests/suite.h"

/* Views share the data; the layout that core chose is not to be seen. */
START_TEST(test_sharing) {
    gn_tensor *x = gn_view(gn_arange(0, 24, 1, GN_AS(.dtype = GN_F32)), 2, 3, 2, 2);
    gn_tensor *v = gn_select(gn_permute(x, 1, 0, 3, 2), 0, 2);
    ck_assert(gn_is_view(v) && !gn_is_contiguous(v));
    gn_fill_(v, -1);
    EXPECT_VALUES(gn_select(x, 1, 2), 0, -1, -1, -1, -1, -1, -1, -1, -1);
    ck_assert_ptr_eq(gn_reshape(x, 2, 3, 2, 2)->storage, x->storage);
    gn_tensor *hidden = gn__channels_last_copy(gn_clone(x));
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
    ck_assert_ptr_null(gn_view_with(x, (gn_shape){.n = 99}));
    expect_error(GN_E_ARGUMENT, "view: shape (2, 3) with 6 elements can't become (99 dims)");
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
    gn_tensor *more = gn_as_strided(y, GN_SHAPE(2, 3), GN_SHAPE(1, 1), 1);
    return gn_add(gn_add(gn_sum(gn_square(windows)), gn_sum(gn_mul(more, gn_select(y, 0, 1)))),
                  gn_mul(gn_diagonal(y, 1, 0, 1), gn_slice(in[0], 1, 0, 3, 2)));
}

START_TEST(test_second_order) { expect_second_order(parts); }
END_TEST

/* One tensor takes the gradients of all parts. */
START_TEST(test_parts_add_up) {
    enum { PARTS = 4 };
    gn_tensor *x = gn_requires_grad_(gn_ones(PARTS, 2), true), *y = gn_mul_scalar(x, 2),
              *g = gn_tensor_of(((float[]){1, 3}), 2), *total = gn_select(y, 0, 0);
    for (int i = 1; i < PARTS; i++)
        total = gn_add(total, gn_select(y, 0, i));
    total = gn_add(total, gn_select(y, 0, 1));
    gn_memory_stats before, after;
    gn_memory_stats_get(NULL, &before);
    gn_backward(total, .gradient = g);
    gn_memory_stats_get(NULL, &after);
    EXPECT_VALUES(gn_grad(x), 0, 2, 6, 4, 12, 2, 6, 2, 6);
    ck_assert_uint_le(after.allocations - before.allocations, 2); /* that one, and x's gradient */
}
END_TEST

/* What a part's gradient is added to is not what somebody else holds. */
START_TEST(test_parts_leave_others) {
    gn_tensor *x = gn_requires_grad_(gn_ones(2, 2), true), *y = gn_mul_scalar(x, 1), *found[3];
    gn_tensor *z = gn_mul_scalar(y, 3), *row = gn_select(y, 0, 0),
              *loss = gn_add(gn_sum(z), gn_sum(row));
    gn_retain_grad(z);
    ck_assert_int_eq(gn_gradients(loss, 3, (gn_tensor *[]){x, z, row}, found, NULL), GN_OK);
    EXPECT_VALUES(found[0], 0, 4, 4, 3, 3);
    EXPECT_VALUES(found[1], 0, 1, 1, 1, 1);
    EXPECT_VALUES(found[2], 0, 1, 1);
}
END_TEST

/* The gradient is summed over what was broadcast, dims in front included. */
START_TEST(test_broadcast_to) {
    gn_tensor *x = gn_requires_grad_(gn_ones(2, 1), true);
    gn_tensor *y = gn_broadcast_to(x, GN_SHAPE(3, 2, 2));
    ck_assert(gn_is_view(y) && gn_stride(y, 0) == 0 && gn_stride(y, 2) == 0);
    gn_backward(gn_sum(gn_mul(y, gn_view(gn_arange(0, 12, 1, NULL), 3, 2, 2))));
    EXPECT_VALUES(gn_grad(x), 0, 0 + 1 + 4 + 5 + 8 + 9, 2 + 3 + 6 + 7 + 10 + 11);
    ck_assert_ptr_null(gn_broadcast_to(x, GN_SHAPE(2)));
    expect_error(GN_E_ARGUMENT, "expand: shape (2, 1) can't expand to (2)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_sharing,
                            test_errors,
                            test_second_order,
                            test_parts_add_up,
                            test_parts_leave_others,
                            test_broadcast_to,
                            NULL};
    return suite_run("view", tests);
}
