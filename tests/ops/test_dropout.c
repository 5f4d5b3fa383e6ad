/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/dropout.c. */
#include "ops/support.h"
#include "tests/expect.h"
#include "tests/suite.h"

enum { N = 4000 };

/* The mask of a run from the seed, as zeros and scales. */
static gn_tensor *mask(uint64_t seed, double p) {
    gn_manual_seed(seed);
    return gn_dropout(gn_ones(40, 100), p, true);
}

START_TEST(test_share) {
    const double shares[] = {0.1, 0.5, 0.8};
    for (int i = 0; i < 3; i++) {
        const double p = shares[i];
        gn_tensor *m = mask(1, p);
        double kept = gn_item(gn_sum(gn_ne_scalar(m, 0))) / N;
        ck_assert_double_eq_tol(kept, 1 - p, 0.03);
        ck_assert_double_eq_tol(gn_item(gn_amax(m)), 1 / (1 - p), 1e-5);
    }
    ck_assert(gn_equal(mask(1, 0.5), mask(1, 0.5)));
    ck_assert(!gn_equal(mask(1, 0.5), mask(2, 0.5)));
}
END_TEST

/* The values that the definition gives: u = (word >> 8) 2^-24 >= p. */
START_TEST(test_definition) {
    gn_manual_seed(42);
    gn_rng_state state = gn_rng_state_get(NULL);
    float values[40];
    gn_tensor *y = gn_dropout(gn_ones(5, 8), 0.3, true);
    ck_assert_int_eq(gn_copy_out(y, values, GN_F32, 40), GN_OK);
    for (uint64_t i = 0; i < 40; i++) {
        uint32_t words[4];
        gn__philox(i / 4, state.offset, state.seed, words);
        float u = (float)(words[i % 4] >> 8) * 0x1p-24f;
        ck_assert_float_eq_tol(values[i], u < 0.3f ? 0 : 1 / 0.7f, 1e-6);
    }
}
END_TEST

START_TEST(test_mask_does_not_depend_on_the_layout) {
    gn_tensor *x = gn_ones(4, 5, 6), *other = gn_permute(gn_ones(6, 4, 5), 1, 2, 0);
    gn_manual_seed(3);
    gn_tensor *a = gn_dropout(x, 0.5, true);
    gn_manual_seed(3);
    expect_close("permuted", gn_dropout(other, 0.5, true), a);
}
END_TEST

START_TEST(test_gradient_has_the_same_mask) {
    gn_tensor *x = gn_requires_grad_(gn_ones(10, 10), true);
    gn_tensor *y = gn_dropout(x, 0.4, true);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    expect_close("gradient", gn_grad(x), gn_detach(y));
}
END_TEST

START_TEST(test_bounds) {
    gn_tensor *x = gn_randn(3, 4);
    ck_assert_ptr_eq(gn_dropout(x, 0, true), x);
    ck_assert_ptr_eq(gn_dropout(x, 0.5, false), x);
    expect_close("p = 1", gn_dropout(x, 1, true), gn_zeros(3, 4));
    ck_assert_ptr_null(gn_dropout(x, 1.5, true));
    expect_error_with(GN_E_ARGUMENT, "dropout: the probability 1.5 is not between 0 and 1");
    ck_assert_ptr_null(gn_dropout(x, -0.1, true));
    expect_error_with(GN_E_ARGUMENT, "dropout: the probability -0.1 is not between 0 and 1");
}
END_TEST

START_TEST(test_in_place) {
    gn_tensor *x = gn_requires_grad_(gn_ones(10, 10), true), *y = gn_mul_scalar(x, 2);
    gn_manual_seed(5);
    ck_assert_ptr_eq(gn__dropout_(GN__DROPOUT, y, 0.5), y);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    expect_close("gradient", gn_grad(x), gn_detach(y));
    gn_manual_seed(5);
    expect_close("out of place", gn_dropout(gn_full(GN_SHAPE(10, 10), 2, NULL), 0.5, true),
                 gn_detach(y));
    ck_assert_ptr_null(gn__dropout_(GN__DROPOUT, x, 0.5));
    ck_assert_int_ne(gn_error_status(), GN_OK);
    gn_error_clear();
}
END_TEST

static gn_tensor *checked(gn_tensor *const *in, void *context) {
    (void)context;
    gn_manual_seed(9);
    return gn_square(
        gn_dropout(in[0], 0.5, true)); /* a linear function has no second derivatives */
}

START_TEST(test_gradcheck) {
    const gn_shape shape = GN_SHAPE(3, 4);
    expect_gradcheck("dropout", checked, NULL, 1, &shape, -1, 1);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_share,
                            test_definition,
                            test_mask_does_not_depend_on_the_layout,
                            test_gradient_has_the_same_mask,
                            test_bounds,
                            test_in_place,
                            test_gradcheck,
                            NULL};
    return suite_run("dropout", tests);
}
