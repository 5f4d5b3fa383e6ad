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

static gn_tensor *checked_transpose(gn_tensor *const *in, void *context) {
    return gn_conv_transpose2d_with(in[0], in[1], in[2], context);
}

/* The transposed convolution leads back to the first one's shape, and so has the same kernels. */
START_TEST(test_gradcheck) {
    const gn_shape shapes[] = {GN_SHAPE(1, 2, 4, 3), GN_SHAPE(2, 1, 2, 2), GN_SHAPE(2)};
    const gn_shape transposed[] = {GN_SHAPE(1, 2, 3, 2), GN_SHAPE(2, 1, 2, 2), GN_SHAPE(2)};
    gn_conv_options options = {
        .struct_size = sizeof options, .groups = 2, .padding = 1, .stride = 2};
    expect_gradcheck("conv2d", checked, &options, 3, shapes, -1, 1);
    options.output_paddings[1] = 1;
    expect_gradcheck("conv_transpose2d", checked_transpose, &options, 3, transposed, -1, 1);
}
END_TEST

START_TEST(test_shape_errors) {
    ck_assert_ptr_null(gn_conv2d(gn_zeros(2, 3, 5, 5), gn_zeros(4, 2, 3, 3), NULL));
    expect_error_with(GN_E_ARGUMENT,
                      "conv2d: input (2, 3, 5, 5) does not fit weight (4, 2, 3, 3) with "
                      "groups 1: it must have 2 channels");
    ck_assert_ptr_null(gn_conv2d(gn_zeros(5, 5), gn_zeros(4, 3, 3, 3), NULL));
    expect_error_with(GN_E_ARGUMENT, "(N, C, H, W) or (C, H, W), and (O, C / groups, kh, kw)");
    ck_assert_ptr_null(gn_conv1d(gn_zeros(1, 3, 2), gn_zeros(4, 3, 3), NULL));
    expect_error_with(GN_E_ARGUMENT, "conv1d: the kernel of weight (4, 3, 3) with dilation 1 does "
                                     "not fit input (1, 3, 2) with padding 0");
    ck_assert_ptr_null(gn_conv2d(gn_zeros(1, 4, 5, 5), gn_zeros(3, 2, 3, 3), NULL, .groups = 2));
    expect_error_with(GN_E_ARGUMENT, "which 2 groups do not divide");
    ck_assert_ptr_null(gn_conv2d(gn_zeros(1, 3, 5, 5), gn_zeros(4, 3, 3, 3), gn_zeros(3)));
    expect_error_with(GN_E_ARGUMENT, "bias (3) does not fit weight (4, 3, 3, 3): it must be (4)");
    ck_assert_ptr_null(gn_conv_transpose1d(gn_zeros(3, 4), gn_zeros(2, 4, 3), NULL));
    expect_error_with(GN_E_ARGUMENT, "conv_transpose1d: input (3, 4) does not fit weight "
                                     "(2, 4, 3) with groups 1: it must have 2 channels");
    ck_assert_ptr_null(gn_conv_transpose1d(gn_zeros(2, 1), gn_zeros(2, 4, 3), NULL, .padding = 2));
    expect_error_with(GN_E_ARGUMENT, "with padding 2 leave nothing: pad less");
    gn_tensor *vast = gn_expand(gn_zeros(1, 1, 1), 1, 1, INT64_MAX / 16); /* 4 bytes */
    ck_assert_ptr_null(gn_conv_transpose1d(vast, gn_zeros(1, 1, 3), NULL, .stride = 1 << 30));
    expect_error_with(GN_E_ARGUMENT, "leave nothing");
    ck_assert_ptr_null(gn_conv1d(gn_zeros(1, 1, 3), vast, NULL, .dilation = 1 << 30));
    expect_error_with(GN_E_ARGUMENT, "does not fit input (1, 1, 3)");
}
END_TEST

START_TEST(test_option_errors) {
    gn_tensor *x = gn_zeros(1, 3, 5), *w = gn_zeros(3, 3, 3);
    ck_assert_ptr_null(gn_conv1d(x, w, NULL, .stride = -1));
    expect_error_with(GN_E_ARGUMENT, "must be from 1");
    ck_assert_ptr_null(gn_conv1d(x, w, NULL, .padding = -1));
    expect_error_with(GN_E_ARGUMENT, "conv1d: padding must be from 0");
    ck_assert_ptr_null(gn_conv1d(x, w, NULL, .stride = 2, .same_padding = true));
    expect_error_with(GN_E_ARGUMENT,
                      "same_padding needs stride 1 and no padding of its own, not 2");
    ck_assert_ptr_null(gn_conv1d(x, w, NULL, .output_padding = 1));
    expect_error_with(GN_E_ARGUMENT, "output_padding is for transposed convolutions only");
    ck_assert_ptr_null(gn_conv_transpose1d(x, w, NULL, .stride = 2, .output_padding = 2));
    expect_error_with(GN_E_ARGUMENT, "conv_transpose1d: output_padding 2 must be at least 0, and "
                                     "smaller than stride 2 or dilation 1");
    ck_assert_ptr_null(gn_conv_transpose1d(x, w, NULL, .same_padding = true));
    expect_error_with(GN_E_ARGUMENT, "no same_padding");
    ck_assert_ptr_null(gn_conv1d(x, w, NULL, .padding = 5, .padding_mode = GN_PAD_REFLECT));
    expect_error_with(GN_E_ARGUMENT, "padding 5 of dim 2 of input (1, 3, 5) is too large: this "
                                     "padding mode takes at most 4");
    ck_assert_ptr_null(gn_conv1d(x, w, NULL, .padding = 6, .padding_mode = GN_PAD_CIRCULAR));
    expect_error_with(GN_E_ARGUMENT, "takes at most 5");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_layout,
                            test_partial_gradients,
                            test_empty_batch,
                            test_gradcheck,
                            test_shape_errors,
                            test_option_errors,
                            NULL};
    return suite_run("conv", tests);
}
