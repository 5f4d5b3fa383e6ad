/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of libgenesis/tensor/random.c. The numbers expected are those of an implementation of
 * Philox 4x32-10 in Python, tests/fixtures/make_random.py, so they are the same on every device.
 */
#include <math.h>
#include <stdlib.h>

#include "tensor/tensor.h"
#include "tests/expect.h"
#include "tests/suite.h"

enum { N = 6 };
static const struct {
    const char *name;
    int dtype;
    double values[N];
} rows[] = {
#include "tests/fixtures/random.inc"
};

/* Six numbers of the kind that a row names, from a generator with seed 42 at offset 3. */
static gn_tensor *draw(const char *name, int dtype) {
    gn_generator *generator = gn_generator_new(42);
    gn_rng_state_set(generator, (gn_rng_state){.seed = 42, .offset = 3});
    const gn_tensor_options *o = GN_AS(.dtype = dtype, .generator = generator);
    gn_shape shape = {2, {2, 3}};
    switch (name[0]) {
    case 'r': return gn_rand_with(shape, o);
    case 'n': return gn_randn_with(shape, o);
    case 'i': return gn_randint(-5, 20, shape, o);
    case 'l': return gn_randint(0, INT64_C(1) << 40, shape, o);
    case 'd': /* from the default generator */
        gn_rng_state_set(NULL, (gn_rng_state){.seed = 42, .offset = 3});
        return gn_dropout(gn_ones_with(shape, GN_AS(.dtype = dtype)), 0.5, true);
    case 'b': return gn_bernoulli(shape, 0.3, o);
    default: return gn_randperm(N, o);
    }
}

START_TEST(test_numbers) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!has_dtype(rows[i].dtype))
            continue;
        gn_tensor *t = draw(rows[i].name, rows[i].dtype);
        double found[N], tolerance = rows[i].name[0] != 'n'    ? 0
                                     : rows[i].dtype == GN_F64 ? 1e-14
                                                               : 2e-6;
        tolerance = tolerance > 0 && rows[i].dtype < GN_F32 ? 1e-2 : tolerance;
        ck_assert_msg(t && gn_copy_out(t, found, GN_F64, N) == GN_OK, "%s: %s", rows[i].name,
                      gn_error());
        for (int k = 0; k < N; k++)
            ck_assert_msg(fabs(found[k] - rows[i].values[k]) <= tolerance * (1 + fabs(found[k])),
                          "%s, %s: number %d is %.17g, expected %.17g", rows[i].name,
                          gn_dtype_name((gn_dtype)rows[i].dtype), k, found[k], rows[i].values[k]);
    }
}
END_TEST

/* One step for each call; the same seed, the same numbers, whatever the layout. */
START_TEST(test_state) {
    gn_manual_seed(7);
    ck_assert_uint_eq(gn_initial_seed(), 7);
    gn_tensor *a = gn_rand(5), *b = gn_rand(5);
    ck_assert(!gn_equal(a, b));
    gn_rng_state state = gn_rng_state_get(NULL);
    ck_assert(state.seed == 7 && state.offset == 2);
    gn_manual_seed(7);
    ck_assert(gn_equal(gn_rand(5), a));
    gn_rng_state_set(NULL, state);
    gn_tensor *c = gn_randn(3, 4);
    gn_rng_state_set(NULL, state);
    gn_tensor *turned = gn_t(gn_zeros(4, 3));
    ck_assert(gn_equal(gn_normal_(turned, 0, 1, NULL), c));
    gn_rng_state_set(NULL, state);
    gn_tensor *d = gn_uniform_(gn_zeros(7), -2, 3, NULL);
    gn_rng_state_set(NULL, state);
    ck_assert(
        gn_allclose(d, gn_add_scalar(gn_mul_scalar(gn_rand(7), 5), -2), .atol = gn_some(1e-6)));
    ck_assert_uint_ne(gn_seed(), gn_seed());
    gn_manual_seed(0);
}
END_TEST

START_TEST(test_moments) {
    gn_manual_seed(1);
    gn_tensor *u = gn_rand(20000), *z = gn_randn(20000);
    ck_assert_double_eq_tol(gn_item(gn_mean(u)), 0.5, 0.01);
    ck_assert_double_eq_tol(gn_item(gn_var(u)), 1 / 12., 0.003);
    ck_assert(gn_item(gn_amin(u)) >= 0 && gn_item(gn_amax(u)) < 1);
    ck_assert_double_eq_tol(gn_item(gn_mean(z)), 0, 0.03);
    ck_assert_double_eq_tol(gn_item(gn_var(z)), 1, 0.04);
    gn_tensor *z2 = gn_square(z);
    ck_assert_double_eq_tol(gn_item(gn_mean(gn_mul(z2, z2))), 3, 0.25);
    ck_assert_double_eq_tol(
        gn_item(gn_mean(gn_cast(gn_bernoulli(GN_SHAPE(20000), 0.3, NULL), GN_F32))), 0.3, 0.015);
    gn_tensor *i = gn_randint(-2, 3, GN_SHAPE(20000), NULL);
    ck_assert(gn_item_int(gn_amin(i)) == -2 && gn_item_int(gn_amax(i)) == 2);
    ck_assert_double_eq_tol(gn_item(gn_mean(gn_cast(i, GN_F32))), 0, 0.05);
    /* neighbours, and the words of one block, have nothing to do with each other */
    gn_tensor *centred = gn_add_scalar(u, -0.5);
    for (int64_t lag = 1; lag < 5; lag++) {
        gn_tensor *product =
            gn_mul(gn_narrow(centred, 0, 0, 19990), gn_narrow(centred, 0, lag, 19990));
        ck_assert_double_eq_tol(gn_item(gn_mean(product)), 0, 0.003);
    }
    for (int dtype = GN_F16; dtype <= GN_F64; dtype++)
        if (has_dtype(dtype))
            ck_assert(gn_item(gn_amax(gn_rand_with(GN_SHAPE(5000), GN_AS(.dtype = dtype)))) < 1);
}
END_TEST

/* Numbers of one call are not those of the one before, moved on; a state that is put back forks the
 * generator. */
START_TEST(test_streams) {
    gn_manual_seed(11);
    gn_tensor *a = gn_rand(50), *b = gn_rand(50);
    for (int64_t shift = 0; shift < 3; shift++)
        ck_assert(gn_item_int(gn_sum(gn_eq(gn_narrow(a, 0, shift, 40), gn_narrow(b, 0, 0, 40)))) <
                  2);
    gn_rng_state state = gn_rng_state_get(NULL);
    gn_tensor *inside = gn_randn(5);
    gn_rng_state_set(NULL, state);
    ck_assert(gn_equal(gn_randn(5), inside));
    gn_rng_state_set(gn_default_generator(), state);
    gn_tensor *uniform = gn_rand_like(inside);
    gn_rng_state_set(NULL, state);
    ck_assert(gn_equal(gn_rand(5), uniform));
    gn_tensor *like = gn_randint_like(gn_zeros_with(GN_SHAPE(100), GN_AS(.dtype = GN_I32)), 3, 5);
    ck_assert(gn_dtype_of(like) == GN_I32 && gn_item_int(gn_amin(like)) == 3 &&
              gn_item_int(gn_amax(like)) == 4);
    ck_assert_ptr_null(gn_randint_like(like, 5, 5));
    expect_error(GN_E_ARGUMENT, "randint: no integer is in [5, 5)");
}
END_TEST

/* -log(1 - u) / rate of the uniform numbers of the same step; never 0, whatever the dtype. */
START_TEST(test_exponential) {
    gn_rng_state state = gn_rng_state_get(NULL);
    gn_tensor *u = gn_rand(20000);
    gn_rng_state_set(NULL, state);
    gn_tensor *e = gn_exponential_(gn_empty(20000), 4, NULL);
    gn_tensor *expected = gn_div_scalar(gn_neg(gn_log(gn_rsub_scalar(u, 1))), 4);
    ck_assert(gn_allclose(e, expected, .atol = gn_some(1e-7)));
    ck_assert_double_eq_tol(gn_item(gn_mean(e)), 0.25, 0.0075); /* 4 / (4 sqrt(20000)) = 0.0071 */
    for (int dtype = GN_F16; dtype <= GN_F64; dtype++)
        if (has_dtype(dtype)) {
            gn_tensor *t = gn_empty_with(GN_SHAPE(20000), GN_AS(.dtype = dtype));
            ck_assert(gn_item(gn_amin(gn_exponential_(t, 1, NULL))) > 0);
            ck_assert(isfinite(gn_item(gn_amax(t))));
        }
    ck_assert_ptr_null(gn_exponential_(e, 0, NULL));
    expect_error(GN_E_ARGUMENT, "exponential_: rate 0: it must be positive");
    ck_assert_ptr_null(gn_exponential_(gn_arange(0, 3, 1, NULL), 1, NULL));
    expect_error(GN_E_ARGUMENT, "exponential: needs a floating-point dtype, not int64");
}
END_TEST

START_TEST(test_permutation) {
    gn_tensor *p = gn_randperm(100, NULL), *sorted = gn_sort(p, 0, false, NULL);
    ck_assert(gn_equal(sorted, gn_arange(0, 100, 1, NULL)) && !gn_equal(p, sorted));
    ck_assert_int_eq(gn_numel(gn_randperm(0, NULL)), 0);
    ck_assert_int_eq(gn_dtype_of(gn_randperm(5, GN_AS(.dtype = GN_I32))), GN_I32);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_rand_with(GN_SHAPE(2), GN_AS(.dtype = GN_I64)));
    expect_error(GN_E_ARGUMENT, "uniform: needs a floating-point dtype, not int64");
    ck_assert_ptr_null(gn_randint(3, 3, GN_SHAPE(2), NULL));
    expect_error(GN_E_ARGUMENT, "randint: no integer is in [3, 3)");
    ck_assert_ptr_null(gn_randint(INT64_MIN, INT64_MAX, GN_SHAPE(2), NULL));
    expect_error(GN_E_ARGUMENT,
                 "randint: [-9223372036854775808, 9223372036854775807) has more than 2^63 "
                 "integers");
    ck_assert_ptr_null(gn_bernoulli(GN_SHAPE(2), 1.5, NULL));
    expect_error(GN_E_ARGUMENT, "bernoulli: probability 1.5 is outside [0, 1]");
    ck_assert_ptr_null(gn_randperm(-1, NULL));
    expect_error(GN_E_ARGUMENT, "tensor: shape (-1) has a negative size");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_numbers,     test_state,       test_moments, test_streams,
                            test_exponential, test_permutation, test_errors,  NULL};
    return suite_run("random", tests);
}
