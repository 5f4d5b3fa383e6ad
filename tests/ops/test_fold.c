/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/fold.c. */
#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *checked_unfold(gn_tensor *const *in, void *options) {
    return gn_square(gn_unfold_with(in[0], 2, options));
}

static gn_tensor *checked_fold(gn_tensor *const *in, void *options) {
    return gn_square(gn_fold_with(in[0], GN_SHAPE(4, 3), 2, options));
}

START_TEST(test_gradcheck) {
    const gn_shape image = GN_SHAPE(1, 2, 4, 3), columns = GN_SHAPE(1, 8, 6);
    gn_fold_options options = {.struct_size = sizeof options, .stride = 2, .padding = 1};
    expect_gradcheck("unfold", checked_unfold, &options, 1, &image, -1, 1);
    expect_gradcheck("fold", checked_fold, &options, 1, &columns, -1, 1);
}
END_TEST

/* Convolution is a product with the columns. */
START_TEST(test_is_convolution) {
    gn_tensor *x = gn_randn(2, 3, 5, 6), *w = gn_randn(4, 3, 3, 3);
    gn_tensor *columns = gn_unfold(gn_contiguous(x), 3, .padding = 1);
    gn_tensor *y = gn_matmul(gn_view(w, 4, 27), columns);
    expect_close("product", gn_view(y, 2, 4, 5, 6), gn_conv2d(x, w, NULL, .padding = 1));
    gn_tensor *strided = gn_permute(gn_contiguous(gn_permute(x, 3, 1, 0, 2)), 2, 1, 3, 0);
    expect_close("strided", gn_unfold(strided, 3, .padding = 1), columns);
}
END_TEST

/* Where each element is in one window, fold undoes unfold; where in none, it leaves 0. */
START_TEST(test_inverse) {
    gn_tensor *x = gn_randn(2, 3, 4, 5);
    gn_tensor *y = gn_fold(gn_unfold(x, 2, .stride = 2), GN_SHAPE(4, 5), 2, .stride = 2);
    expect_close("inside", gn_narrow(y, 3, 0, 4), gn_contiguous(gn_narrow(x, 3, 0, 4)));
    expect_close("rest", gn_narrow(y, 3, 4, 1), gn_zeros(2, 3, 4, 1));
    gn_tensor *empty = gn_fold(gn_unfold(gn_zeros(0, 3, 4, 5), 2), GN_SHAPE(4, 5), 2);
    ck_assert_int_eq(gn_size(empty, 0), 0);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(1, 2, 4, 4);
    ck_assert_ptr_null(gn_unfold(x, 5));
    expect_error_with(GN_E_ARGUMENT, "unfold: a window of 5 with dilation 1 does not fit an image "
                                     "of 4 x 4 with padding 0");
    ck_assert_ptr_null(gn_unfold(x, 2, .padding = -1));
    expect_error_with(GN_E_ARGUMENT, "unfold: kernel, stride, dilation");
    ck_assert_ptr_null(gn_unfold(gn_zeros(4, 4), 2));
    expect_error_with(GN_E_ARGUMENT, "input (4, 4) must be (N, C, H, W) or (C, H, W)");
    ck_assert_ptr_null(gn_fold(gn_zeros(1, 8, 4), GN_SHAPE(4, 4), 2));
    expect_error_with(GN_E_ARGUMENT, "fold: input (1, 8, 4) must be (N, C 4, 9) or without N");
    ck_assert_ptr_null(gn_fold(gn_zeros(1, 7, 9), GN_SHAPE(4, 4), 2));
    expect_error_with(GN_E_ARGUMENT, "fold: input (1, 7, 9)");
    ck_assert_ptr_null(gn_fold(x, GN_SHAPE(4, 4, 4), 2));
    expect_error_with(GN_E_ARGUMENT, "must be (H, W)");
    ck_assert_ptr_null(gn_unfold(gn_zeros(1, 2, 4, 4), 1 << 30, .padding = 1 << 30));
    ck_assert_int_ne(gn_error_status(), GN_OK);
    gn_error_clear();
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_is_convolution, test_inverse, test_errors, NULL};
    return suite_run("fold", tests);
}
