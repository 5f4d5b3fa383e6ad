/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/pool.c, max_pool.c, avg_pool.c and adaptive_pool.c. */
#include "tests/expect.h"
#include "tests/suite.h"

/* Squared: a linear function has no second derivatives. */
static gn_tensor *checked_max(gn_tensor *const *in, void *options) {
    return gn_square(gn_max_pool2d_with(in[0], 3, options));
}

static gn_tensor *checked_avg(gn_tensor *const *in, void *options) {
    return gn_square(gn_avg_pool2d_with(in[0], 3, options));
}

static gn_tensor *checked_adaptive(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_square(gn_adaptive_avg_pool2d(in[0], 3, 2));
}

static gn_tensor *checked_adaptive_max(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_square(gn_adaptive_max_pool2d(in[0], 3, 2, NULL));
}

START_TEST(test_gradcheck) {
    const gn_shape shape = GN_SHAPE(1, 2, 4, 5);
    gn_pool_options options = {.struct_size = sizeof options, .stride = 2, .padding = 1};
    expect_gradcheck("max_pool2d", checked_max, &options, 1, &shape, -9, 9);
    expect_gradcheck("avg_pool2d", checked_avg, &options, 1, &shape, -1, 1);
    options.exclude_pad = true;
    expect_gradcheck("avg_pool2d without padding", checked_avg, &options, 1, &shape, -1, 1);
    expect_gradcheck("adaptive_avg_pool2d", checked_adaptive, NULL, 1, &shape, -1, 1);
    expect_gradcheck("adaptive_max_pool2d", checked_adaptive_max, NULL, 1, &shape, -9, 9);
}
END_TEST

/* With and without the indices, the same maxima and gradients. */
START_TEST(test_indices) {
    gn_tensor *x = gn_requires_grad_(gn_randn(2, 3, 6, 7), true), *indices;
    gn_tensor *y = gn_max_pool2d(x, 3, .stride = 2, .padding = 1);
    gn_tensor *z = gn_max_pool2d(x, 3, .stride = 2, .padding = 1, .indices = &indices);
    expect_close("maxima", z, y);
    ck_assert_int_eq(gn_dtype_of(indices), GN_I64);
    expect_close("places", gn_gather(gn_flatten(x, 2), 2, gn_flatten(indices, 2)),
                 gn_flatten(y, 2));
    gn_tensor *g = gn_randn(2, 3, 3, 4), *dy, *dz;
    gn_tensor *const sums[] = {gn_sum(gn_mul(y, g)), gn_sum(gn_mul(z, g))};
    ck_assert_int_eq(gn_gradients(sums[0], 1, &x, &dy, NULL), GN_OK);
    ck_assert_int_eq(gn_gradients(sums[1], 1, &x, &dz, NULL), GN_OK);
    expect_close("gradient", dz, dy);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(1, 2, 4, 4), *indices = x;
    ck_assert_ptr_null(gn_max_pool2d(x, 2, .padding = 2, .indices = &indices));
    expect_error_with(GN_E_ARGUMENT, "max_pool2d: padding 2 must be at most half of the kernel, 2");
    ck_assert_ptr_null(indices);
    ck_assert_ptr_null(gn_max_pool2d(x, 5));
    expect_error_with(GN_E_ARGUMENT, "a window of 5 does not fit input (1, 2, 4, 4)");
    ck_assert_ptr_null(
        gn_max_pool1d(gn_zeros(2, 1), 3, .padding = 1, .dilation = 2, .ceil_mode = true));
    expect_error_with(GN_E_ARGUMENT, "max_pool1d: with padding 1 and dilation 2 a window has no "
                                     "element of input (1, 2, 1)");
    ck_assert_ptr_null(gn_max_pool3d(x, 2, .padding = -1));
    expect_error_with(GN_E_ARGUMENT, "max_pool3d: padding -1");
    ck_assert_ptr_null(gn_max_pool2d(x, 2, .exclude_pad = true));
    expect_error_with(GN_E_ARGUMENT, "exclude_pad and divisor_override are for averages");
    ck_assert_ptr_null(gn_avg_pool2d(gn_zeros(4, 4), 2));
    expect_error_with(GN_E_ARGUMENT, "avg_pool2d: input (4, 4) must be (N, C, H, W) or (C, H, W)");
    ck_assert_ptr_null(gn_avg_pool2d(x, 0));
    expect_error_with(GN_E_ARGUMENT, "must be from 1");
    ck_assert_ptr_null(gn_avg_pool1d(gn_zeros(2, 4), 2, .dilation = 2));
    expect_error_with(GN_E_ARGUMENT, "avg_pool1d: averages have no dilation");
    ck_assert_ptr_null(gn_adaptive_avg_pool2d(x, 0, 2));
    expect_error_with(GN_E_ARGUMENT, "adaptive_avg_pool2d: size 0 must be positive, or -1");
    ck_assert_ptr_null(gn_adaptive_max_pool1d(x, 2, &indices));
    expect_error_with(GN_E_ARGUMENT, "adaptive_max_pool1d: input (1, 2, 4, 4) must be (N, C, L) or "
                                     "(C, L)");
    ck_assert_ptr_null(gn_adaptive_max_pool2d(gn_zeros(1, 2, 0, 4), 2, 2, NULL));
    expect_error_with(GN_E_ARGUMENT, "sizes from 1");
}
END_TEST

START_TEST(test_empty_batch) {
    gn_tensor *x = gn_requires_grad_(gn_zeros(0, 2, 5, 5), true), *indices;
    gn_tensor *y = gn_adaptive_max_pool2d(gn_max_pool2d(x, 2, .indices = &indices), 1, 3, &indices);
    ck_assert_int_eq(gn_size(indices, 3), 3);
    ck_assert_int_eq(gn_backward(gn_sum(gn_avg_pool2d(y, 1))), GN_OK);
    expect_close("gradient", gn_grad(x), gn_zeros(0, 2, 5, 5));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_indices, test_errors, test_empty_batch, NULL};
    return suite_run("pool", tests);
}
