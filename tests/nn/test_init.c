/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/init.c and of the distributions that layers begin with. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *parameter(gn_module *m, const char *name) {
    return gn_detach(gn_dict_get(gn_parameters(m), name));
}

/* Uniform in [-bound, bound): the extremes and the variance, bound^2 / 3. */
static void expect_uniform(gn_tensor *t, double bound) {
    ck_assert_double_le(gn_item(gn_amax(gn_abs(t))), bound);
    ck_assert_double_ge(gn_item(gn_amax(t)), 0.9 * bound);
    ck_assert_double_le(gn_item(gn_amin(t)), -0.9 * bound);
    ck_assert_double_eq_tol(gn_item(gn_var(t)), bound * bound / 3, 0.1 * bound * bound);
}

static void expect_normal(gn_tensor *t, double std) {
    ck_assert_double_eq_tol(gn_item(gn_mean(t)), 0, 0.1 * std);
    ck_assert_double_eq_tol(gn_item(gn_std(t)), std, 0.1 * std);
}

START_TEST(test_defaults) {
    gn_manual_seed(1);
    gn_module *linear = gn_nn_linear(100, 80), *conv = gn_nn_conv2d(8, 32, 3, .groups = 2);
    expect_uniform(parameter(linear, "weight"), 0.1);
    expect_uniform(parameter(linear, "bias"), 0.1);
    expect_uniform(parameter(conv, "weight"), 1 / sqrt(4 * 9));
    expect_normal(parameter(gn_nn_embedding(50, 40), "weight"), 1);
    gn_module *norm = gn_nn_batch_norm2d(7);
    expect_close("weight", parameter(norm, "weight"), gn_ones(7));
    expect_close("bias", parameter(norm, "bias"), gn_zeros(7));
}
END_TEST

START_TEST(test_init_weights) {
    gn_manual_seed(2);
    gn_module *model =
        gn_nn_sequential(gn_nn_conv2d(5, 20, 3), gn_nn_batch_norm2d(20), gn_nn_linear(60, 40));
    const struct {
        const char *type;
        double conv, linear;
        void (*expect)(gn_tensor *t, double width);
    } types[] = {
        {"xavier", sqrt(6. / (45 + 180)), sqrt(6. / 100), expect_uniform},
        {"kaiming", sqrt(6. / 45), sqrt(6. / 60), expect_uniform},
        {"normal", 0.02, 0.02, expect_normal},
        {"uniform", 0.1, 0.1, expect_uniform},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        ck_assert_int_eq(gn_init_weights(model, types[i].type), GN_OK);
        types[i].expect(parameter(model, "0.weight"), types[i].conv);
        types[i].expect(parameter(model, "2.weight"), types[i].linear);
        expect_close("bias", parameter(model, "2.bias"), gn_zeros(40));
        expect_close("batch norm", parameter(model, "1.weight"), gn_ones(20));
    }
    ck_assert(gn_requires_grad(gn_dict_get(gn_parameters(model), "2.weight")));
    ck_assert_int_eq(gn_init_weights(model, "orthogonal"), GN_E_ARGUMENT);
    expect_error_with(GN_E_ARGUMENT, "init_weights: there is no type \"orthogonal\"");
}
END_TEST

START_TEST(test_seed) {
    gn_manual_seed(5);
    gn_module *a = gn_nn_linear(4, 4);
    gn_manual_seed(5);
    gn_module *b = gn_nn_linear(4, 4);
    ck_assert(gn_equal(parameter(a, "weight"), parameter(b, "weight")));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_defaults, test_init_weights, test_seed, NULL};
    return suite_run("init", tests);
}
