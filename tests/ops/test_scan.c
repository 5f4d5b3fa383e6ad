/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/scan.c. */
#include "tests/expect.h"
#include "tests/suite.h"

/* Lengths around the powers of 2, and a long one; integers do not overflow their small dtype. */
START_TEST(test_lengths) {
    static const int64_t lengths[] = {1, 2, 3, 31, 32, 33, 20000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        int64_t n = lengths[i];
        gn_tensor *ones = gn_ones(n),
                  *count = gn_arange(1, (double)n + 1, 1, GN_AS(.dtype = GN_F32));
        ck_assert(gn_equal(gn_cumsum(ones, 0), count));
        ck_assert(gn_equal(gn_cumprod(ones, 0), ones));
    }
    gn_tensor *grid = gn_cumsum(gn_ones(2, 300, 3), 1);
    gn_tensor *count = gn_reshape(gn_arange(1, 301, 1, GN_AS(.dtype = GN_F32)), 1, 300, 1);
    ck_assert(gn_equal(grid, gn_expand(count, 2, 300, 3)));
    gn_tensor *bytes = gn_full(GN_SHAPE(3), 200, GN_AS(.dtype = GN_U8));
    ck_assert_int_eq(gn_dtype_of(gn_cumsum(bytes, 0)), GN_I64);
    EXPECT_VALUES(gn_cumsum(bytes, 0), 0, 200, 400, 600);
    EXPECT_VALUES(gn_cumprod(bytes, 0), 0, 200, 40000, 8000000);
}
END_TEST

/* The gradient of a product of which two factors are 0. */
START_TEST(test_zeros) {
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(((float[]){2, 0, 3, 0, 5}), 5), true);
    gn_backward(gn_sum(gn_cumprod(x, 0)));
    EXPECT_VALUES(gn_grad(x), 0, 1, 8, 0, 0, 0);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_cumsum(NULL, 0));
    expect_error(GN_E_ARGUMENT, "cumsum: a tensor is NULL");
    ck_assert_ptr_null(gn_cumprod(gn_zeros(2), 1));
    expect_error(GN_E_ARGUMENT, "cumprod: dim 1 does not exist: 1 dims allow -1 to 0");
}
END_TEST

static gn_tensor *running(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_mul(gn_cumprod(in[0], 1), gn_cumsum(gn_square(in[0]), 0));
}

START_TEST(test_second_order) { expect_second_order(running); }
END_TEST

int main(void) {
    const TTest *tests[] = {test_lengths, test_zeros, test_errors, test_second_order, NULL};
    return suite_run("scan", tests);
}
