/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/dropout.c: by statistics, since no other library has the same mask. */
#include <math.h>
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

enum { N = 20, C = 50, L = 4 };

static const struct {
    gn_module *(*make)(double p, const gn_dropout_options *options);
    const char *name;
    bool channels, alpha;
} kinds[] = {
    {gn_nn_dropout_with, "Dropout", false, false},
    {gn_nn_dropout1d_with, "Dropout1d", true, false},
    {gn_nn_dropout2d_with, "Dropout2d", true, false},
    {gn_nn_dropout3d_with, "Dropout3d", true, false},
    {gn_nn_alpha_dropout_with, "AlphaDropout", false, true},
    {gn_nn_feature_alpha_dropout_with, "FeatureAlphaDropout", true, true},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* (N, C, ..) of as many dims as the kind wants, N C L elements. */
static gn_tensor *input(int kind, double value) {
    const gn_shape three = GN_SHAPE(N, C, L), five = GN_SHAPE(N, C, L, 1, 1);
    return gn_full(kinds[kind].make == gn_nn_dropout3d_with ? five : three, value, NULL);
}

/* What dropped elements become, and ones that stay. */
static void values_of(int kind, double p, double *dropped, double *kept) {
    const double alpha = -1.7580993408473766;
    const double a = 1 / sqrt((1 - p) * (1 + p * alpha * alpha)), b = -a * alpha * p;
    *dropped = kinds[kind].alpha ? a * alpha + b : 0;
    *kept = kinds[kind].alpha ? a + b : 1 / (1 - p);
}

/* Each element of what ones become is dropped or kept, in whole channels where the kind says so.
 * The fraction dropped of n independent ones has a deviation of sqrt(p (1 - p) / n) = 0.015 for
 * n = 1000: 0.075 are five of them. */
START_TEST(test_masks) {
    static float y[N * C * L];
    const double p = 0.3;
    for (int k = 0; k < KINDS; k++) {
        double dropped, kept;
        values_of(k, p, &dropped, &kept);
        gn_tensor *t = gn_forward(kinds[k].make(p, NULL), input(k, 1));
        ck_assert_msg(t && gn_copy_out(t, y, GN_F32, N * C * L) == GN_OK, "%s", gn_error());
        int gone = 0, mixed = 0;
        for (int i = 0; i < N * C * L; i++) {
            const bool is_gone = fabs(y[i] - dropped) < 1e-5;
            ck_assert_msg(is_gone || fabs(y[i] - kept) < 1e-5, "%s: %g", kinds[k].name, y[i]);
            gone += is_gone;
            mixed += y[i] != y[i / L * L];
        }
        ck_assert_double_eq_tol(gone / (double)(N * C * L), p, 0.075);
        ck_assert_msg((mixed == 0) == kinds[k].channels, "%s: %d elements", kinds[k].name, mixed);
    }
}
END_TEST

/* The gradient of what was dropped is 0, that of the rest the factor of the element: a for alpha
 * dropout, whose shift has none. */
START_TEST(test_gradient_has_the_same_mask) {
    for (int k = 0; k < KINDS; k++) {
        double dropped, kept, at_zero, factor;
        values_of(k, 0.3, &dropped, &kept);
        at_zero = kinds[k].alpha ? -dropped * 0.3 / (1 - 0.3) : 0; /* the mean stays 0 */
        factor = kept - at_zero;
        gn_tensor *x = gn_requires_grad_(input(k, 1), true);
        gn_tensor *y = gn_forward(kinds[k].make(0.3, NULL), x);
        ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
        gn_tensor *stayed = gn_cast(gn_gt_scalar(gn_detach(y), 0.5 * (dropped + kept)), GN_F32);
        expect_close(kinds[k].name, gn_grad(x), gn_mul_scalar(stayed, factor));
    }
}
END_TEST

START_TEST(test_alpha_keeps_moments) {
    gn_tensor *y = gn_alpha_dropout(gn_randn(100, 200), 0.4, true);
    /* 20,000 values: deviations of 0.007 and about 0.01. */
    ck_assert_double_eq_tol(gn_item(gn_mean(y)), 0, 0.04);
    ck_assert_double_eq_tol(gn_item(gn_var(y)), 1, 0.06);
}
END_TEST

START_TEST(test_seed_and_modes) {
    for (int k = 0; k < KINDS; k++) {
        gn_module *m = kinds[k].make(0.5, NULL);
        gn_tensor *x = input(k, 1), *y[3];
        for (int i = 0; i < 3; i++) {
            gn_manual_seed(i == 2 ? 2 : 1);
            y[i] = gn_forward(m, x);
        }
        ck_assert(gn_equal(y[0], y[1]) && !gn_equal(y[0], y[2]));
        ck_assert_ptr_eq(gn_forward(gn_eval(m), x), x);
        ck_assert_ptr_eq(gn_forward(kinds[k].make(0, NULL), x), x);
        expect_close("p = 1", gn_forward(kinds[k].make(1, NULL), x), input(k, 0));
    }
}
END_TEST

START_TEST(test_inplace) {
    const gn_dropout_options inplace = {.struct_size = sizeof inplace, .inplace = true};
    for (int k = 0; k < KINDS; k++) {
        gn_tensor *leaf = gn_requires_grad_(input(k, 1), true), *x = gn_mul_scalar(leaf, 1);
        gn_manual_seed(3);
        gn_tensor *y = gn_forward(kinds[k].make(0.5, &inplace), x);
        ck_assert_ptr_eq(y, x);
        gn_manual_seed(3);
        expect_close(kinds[k].name, gn_detach(y),
                     gn_forward(kinds[k].make(0.5, NULL), input(k, 1)));
        ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    }
}
END_TEST

START_TEST(test_unbatched) {
    gn_tensor *y[] = {gn_dropout1d(gn_ones(40, 3), 0.5, true),
                      gn_dropout3d(gn_ones(40, 3, 1, 1), 0.5, true)};
    for (int i = 0; i < 2; i++) {
        gn_tensor *rows = gn_reshape(y[i], 40, 3);
        expect_close("whole channels", gn_amax(rows, .dims = GN_DIMS(1)),
                     gn_amin(rows, .dims = GN_DIMS(1)));
        const double mean = gn_item(gn_mean(rows)); /* of 40 coins: none in a million is outside */
        ck_assert(mean > 0.2 && mean < 1.8);
    }
}
END_TEST

START_TEST(test_errors) {
    for (int k = 0; k < KINDS; k++) {
        ck_assert_ptr_null(kinds[k].make(1.5, NULL));
        expect_error_with(GN_E_ARGUMENT, kinds[k].name);
        ck_assert_ptr_null(kinds[k].make(NAN, NULL));
        expect_error_with(GN_E_ARGUMENT, "the probability nan is not between 0 and 1");
    }
    ck_assert_ptr_null(gn_dropout1d(gn_zeros(3), 0.5, true));
    expect_error_with(GN_E_ARGUMENT, "dropout1d: input (3) must be (N, C, L) or (C, L)");
    ck_assert_ptr_null(gn_dropout2d(gn_zeros(2, 2, 2, 2, 2), 0.5, false));
    expect_error_with(GN_E_ARGUMENT, "dropout2d: input (2, 2, 2, 2, 2) must be (N, C, H, W)");
    ck_assert_ptr_null(gn_feature_alpha_dropout(gn_zeros(2), 0.5, true));
    expect_error_with(GN_E_ARGUMENT, "feature_alpha_dropout: input (2) must be (N, C, ..)");
}
END_TEST

START_TEST(test_text) {
    char *text = gn_module_text(gn_nn_dropout2d(0.3, .inplace = true));
    ck_assert_str_eq(text, "Dropout2d(p=0.3, inplace=True)");
    free(text);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_masks,
                            test_gradient_has_the_same_mask,
                            test_alpha_keeps_moments,
                            test_seed_and_modes,
                            test_inplace,
                            test_unbatched,
                            test_errors,
                            test_text,
                            NULL};
    return suite_run("modules of dropout", tests);
}
