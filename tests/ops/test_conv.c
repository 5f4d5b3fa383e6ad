/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/conv.c. */
#include "tests/expect.h"
#include "tests/suite.h"

/* What the user sees of the result is row-major, whatever the device prefers. */
START_TEST(test_layout) {
    gn_tensor *x = gn_randn(2, 3, 5, 6), *w = gn_randn(4, 3, 3, 3);
    gn_tensor *y = gn_conv2d(x, w, NULL, .padding = 1);
    ck_assert(gn_is_contiguous(y));
    ck_assert_int_eq(gn_stride(y, 1), 30);
    gn_tensor *permuted = gn_permute(gn_contiguous(gn_permute(x, 2, 0, 3, 1)), 1, 3, 0, 2);
    expect_close("strided", gn_conv2d(permuted, w, NULL, .padding = 1), y);
    expect_close("chain", gn_conv2d(gn_relu(gn_conv2d(x, w, NULL)), gn_ones(2, 4, 1, 1), NULL),
                 gn_conv2d(gn_contiguous(gn_relu(gn_clone(gn_conv2d(x, w, NULL)))),
                           gn_ones(2, 4, 1, 1), NULL));
}
END_TEST

/* Only the gradients that are wanted are there. */
START_TEST(test_partial_gradients) {
    gn_tensor *x = gn_randn(1, 2, 4, 4), *w = gn_randn(3, 2, 3, 3);
    gn_tensor *b = gn_requires_grad_(gn_zeros(3), true);
    ck_assert_int_eq(gn_backward(gn_sum(gn_conv2d(x, w, b))), GN_OK);
    ck_assert_ptr_null(gn_grad(w));
    expect_close("bias", gn_grad(b), gn_full(GN_SHAPE(3), 4, NULL));
    gn_requires_grad_(w, true);
    ck_assert_int_eq(gn_backward(gn_sum(gn_conv2d(x, w, NULL))), GN_OK);
    ck_assert_ptr_null(gn_grad(x));
    ck_assert_ptr_nonnull(gn_grad(w));
}
END_TEST

START_TEST(test_empty_batch) {
    gn_tensor *w = gn_requires_grad_(gn_randn(3, 2, 3, 3), true);
    gn_tensor *y = gn_conv2d(gn_zeros(0, 2, 5, 5), w, gn_zeros(3));
    ck_assert_int_eq(gn_size(y, 3), 3);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    expect_close("weight", gn_grad(w), gn_zeros(3, 2, 3, 3));
}
END_TEST

static gn_tensor *checked(gn_tensor *const *in, void *context) {
    return gn_conv2d_with(in[0], in[1], in[2], context);
}

START_TEST(test_gradcheck) {
    const gn_shape shapes[] = {GN_SHAPE(1, 2, 4, 3), GN_SHAPE(2, 1, 2, 2), GN_SHAPE(2)};
    gn_conv_options options = {
        .struct_size = sizeof options, .groups = 2, .padding = 1, .stride = 2};
    expect_gradcheck("conv2d", checked, &options, 3, shapes, -1, 1);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_conv2d(gn_zeros(2, 3, 5, 5), gn_zeros(4, 2, 3, 3), NULL));
    expect_error_with(GN_E_ARGUMENT,
                      "conv2d: input (2, 3, 5, 5) does not fit weight (4, 2, 3, 3) with "
                      "groups 1: it must have 2 channels");
    ck_assert_ptr_null(gn_conv2d(gn_zeros(3, 5, 5), gn_zeros(4, 3, 3, 3), NULL));
    expect_error_with(GN_E_ARGUMENT, "(N, C, H, W)");
    ck_assert_ptr_null(gn_conv2d(gn_zeros(1, 3, 2, 2), gn_zeros(4, 3, 3, 3), NULL));
    expect_error_with(GN_E_ARGUMENT, "does not fit input (1, 3, 2, 2) with padding 0");
    ck_assert_ptr_null(gn_conv2d(gn_zeros(1, 4, 5, 5), gn_zeros(3, 2, 3, 3), NULL, .groups = 2));
    expect_error_with(GN_E_ARGUMENT, "which 2 groups do not divide");
    ck_assert_ptr_null(gn_conv2d(gn_zeros(1, 3, 5, 5), gn_zeros(4, 3, 3, 3), gn_zeros(3)));
    expect_error_with(GN_E_ARGUMENT, "bias (3) does not fit weight (4, 3, 3, 3): it must be (4)");
    ck_assert_ptr_null(gn_conv2d(gn_zeros(1, 3, 5, 5), gn_zeros(4, 3, 3, 3), NULL, .stride = -1));
    expect_error_with(GN_E_ARGUMENT, "must be from 1");
}
END_TEST

int main(void) {
    const TTest *tests[] = {
        test_layout, test_partial_gradients, test_empty_batch, test_gradcheck, test_errors, NULL};
    return suite_run("conv", tests);
}
