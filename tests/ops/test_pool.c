/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/pool.c, max_pool.c and avg_pool.c. */
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

START_TEST(test_gradcheck) {
    const gn_shape shape = GN_SHAPE(1, 2, 4, 5);
    gn_pool_options options = {.struct_size = sizeof options, .stride = 2, .padding = 1};
    expect_gradcheck("max_pool2d", checked_max, &options, 1, &shape, -9, 9);
    expect_gradcheck("avg_pool2d", checked_avg, &options, 1, &shape, -1, 1);
    options.exclude_pad = true;
    expect_gradcheck("avg_pool2d without padding", checked_avg, &options, 1, &shape, -1, 1);
    expect_gradcheck("adaptive_avg_pool2d", checked_adaptive, NULL, 1, &shape, -1, 1);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(1, 2, 4, 4);
    ck_assert_ptr_null(gn_max_pool2d(x, 2, .padding = 2));
    expect_error_with(GN_E_ARGUMENT, "max_pool2d: padding 2 must be at most half of the kernel, 2");
    ck_assert_ptr_null(gn_max_pool2d(x, 5));
    expect_error_with(GN_E_ARGUMENT, "a window of 5 does not fit input (1, 2, 4, 4)");
    ck_assert_ptr_null(gn_avg_pool2d(gn_zeros(4, 4), 2));
    expect_error_with(GN_E_ARGUMENT, "avg_pool2d: input (4, 4) must be (N, C, H, W) or (C, H, W)");
    ck_assert_ptr_null(gn_avg_pool2d(x, 0));
    expect_error_with(GN_E_ARGUMENT, "must be from 1");
    ck_assert_ptr_null(gn_adaptive_avg_pool2d(x, 0, 2));
    expect_error_with(GN_E_ARGUMENT, "adaptive_avg_pool2d");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_errors, NULL};
    return suite_run("pool", tests);
}
