/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/init.c, init_matrix.c and of the distributions that layers begin with. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *parameter(gn_module *m, const char *name) {
    return gn_detach(gn_dict_get(gn_parameters(m), name));
}

/* ---- Moments, computed on the host */

typedef struct moments {
    double n, mean, var, low, high;
} moments;

static moments moments_of(gn_tensor *t) {
    static double values[10000];
    const int64_t n = gn_numel(t);
    moments m = {.n = (double)n, .low = INFINITY, .high = -INFINITY};
    ck_assert_int_le(n, 10000);
    ck_assert_int_eq(gn_copy_out(t, values, GN_F64, n), GN_OK);
    for (int64_t i = 0; i < n; i++) {
        m.mean += values[i] / m.n;
        m.low = fmin(m.low, values[i]);
        m.high = fmax(m.high, values[i]);
    }
    for (int64_t i = 0; i < n; i++)
        m.var += (values[i] - m.mean) * (values[i] - m.mean) / (m.n - 1);
    return m;
}

/* The tolerances are five standard errors. */
static void expect_moments(gn_tensor *t, double mean, double std, double kurtosis) {
    const moments m = moments_of(t);
    ck_assert_double_eq_tol(m.mean, mean, 5 * std / sqrt(m.n));
    ck_assert_double_eq_tol(m.var, std * std, 5 * std * std * sqrt((kurtosis - 1) / m.n));
}

static void expect_range(gn_tensor *t, double low, double high) {
    const moments m = moments_of(t);
    ck_assert_double_ge(m.low, low);
    ck_assert_double_le(m.high, high);
}

#define UNIFORM_KURTOSIS 1.8
#define NORMAL_KURTOSIS 3

static void expect_uniform(gn_tensor *t, double bound) {
    expect_moments(t, 0, bound / sqrt(3), UNIFORM_KURTOSIS);
    expect_range(t, -bound, bound);
}

static void expect_normal(gn_tensor *t, double std) { expect_moments(t, 0, std, NORMAL_KURTOSIS); }

/* ---- Layers, whole modules */

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

/* ---- nn.init */

enum { OUT = 120, IN = 80 };

START_TEST(test_distributions) {
    gn_manual_seed(3);
    gn_tensor *t = gn_requires_grad_(gn_empty(OUT, IN), true), *x = gn_detach(t);
    ck_assert_ptr_eq(gn_init_uniform_(t, .low = gn_some(-1), .high = gn_some(3)), t);
    expect_moments(x, 1, 4 / sqrt(12), UNIFORM_KURTOSIS);
    expect_range(x, -1, 3);
    gn_init_uniform_(t);
    expect_moments(x, 0.5, 1 / sqrt(12), UNIFORM_KURTOSIS);
    gn_init_normal_(t, .mean = 2, .std = gn_some(0.5));
    expect_moments(x, 2, 0.5, NORMAL_KURTOSIS);
    gn_init_normal_(t, .std = gn_some(0));
    expect_close("std 0", x, gn_zeros(OUT, IN));
    gn_init_constant_(t, 4);
    expect_close("constant", x, gn_full(GN_SHAPE(OUT, IN), 4, NULL));
    ck_assert(gn_requires_grad(t) && gn_is_leaf(t));
}
END_TEST

/* Moments of N(0, 1) between a and b. */
static void expect_truncated(gn_tensor *x, double a, double b, double mean, double std) {
    const double root = sqrt(2 * acos(-1)), mass = (erf(b / sqrt(2)) - erf(a / sqrt(2))) / 2;
    const double at_a = exp(-a * a / 2) / root, at_b = exp(-b * b / 2) / root;
    const double shift = (at_a - at_b) / mass;
    const double var = 1 + (a * at_a - b * at_b) / mass - shift * shift;
    /* the fourth moments of these are at most those of an exponential distribution */
    expect_moments(x, mean + std * shift, std * sqrt(var), 9);
    expect_range(x, mean + std * a, mean + std * b);
}

START_TEST(test_trunc_normal) {
    gn_manual_seed(4);
    gn_tensor *t = gn_empty(OUT, IN);
    expect_truncated(gn_init_trunc_normal_(t), -2, 2, 0, 1);
    gn_init_trunc_normal_(t, .mean = 1, .std = gn_some(0.5), .low = gn_some(1.75),
                          .high = gn_some(3));
    expect_truncated(t, 1.5, 4, 1, 0.5);
    gn_init_trunc_normal_(t, .low = gn_some(3), .high = gn_some(INFINITY));
    expect_truncated(t, 3, 9, 0, 1); /* beyond 9 there is nothing */
}
END_TEST

START_TEST(test_fans) {
    gn_manual_seed(5);
    gn_tensor *w = gn_empty(OUT, IN), *k = gn_empty(32, 16, 3, 3);
    expect_uniform(gn_init_xavier_uniform_(w, .gain = gn_some(2)), 2 * sqrt(6. / (OUT + IN)));
    expect_normal(gn_init_xavier_normal_(k), sqrt(2. / (144 + 288)));
    expect_uniform(gn_init_kaiming_uniform_(w), sqrt(6. / IN));
    expect_normal(gn_init_kaiming_normal_(k, .nonlinearity = "relu", .fan_out = true),
                  sqrt(2. / 288));
    expect_normal(gn_init_kaiming_normal_(w, .a = sqrt(5)), sqrt(1. / 3 / IN));
    ck_assert_ptr_null(gn_init_xavier_normal_(gn_empty(3)));
    expect_error_with(GN_E_ARGUMENT, "init_xavier_normal_: the tensor (3) must have 2 to 8 dims");
}
END_TEST

/* The values are PyTorch's. */
START_TEST(test_gains) {
    const struct {
        const char *name;
        double gain;
    } gains[] = {{"linear", 1},    {"conv_transpose2d", 1},   {"sigmoid", 1},
                 {"tanh", 5. / 3}, {"relu", 1.4142135623731}, {"leaky_relu", 1.4141428569978},
                 {"selu", 0.75}};
    for (size_t i = 0; i < sizeof gains / sizeof *gains; i++)
        ck_assert_double_eq_tol(gn_init_calculate_gain(gains[i].name, (gn_optional){0}),
                                gains[i].gain, 1e-12);
    ck_assert_double_eq_tol(gn_init_calculate_gain("leaky_relu", gn_some(0.2)), 1.3867504905631,
                            1e-12);
    ck_assert_double_eq(gn_init_calculate_gain("swish", gn_some(1)), 0);
    expect_error_with(GN_E_ARGUMENT, "\"swish\" is no nonlinearity that it knows");
    ck_assert_ptr_null(gn_init_kaiming_normal_(gn_empty(2, 2), .nonlinearity = "relv"));
    expect_error_with(GN_E_ARGUMENT, "\"relv\" is no nonlinearity");
}
END_TEST

/* ---- Matrices with a structure */

static void expect_ones_at(gn_tensor *t, int n, const int64_t *places) {
    gn_tensor *expected = gn_zeros(gn_numel(t));
    for (int i = 0; i < n; i++)
        gn_index_put(expected, gn_scalar_tensor(1, NULL), GN_AT(places[i]));
    expect_close("ones", gn_reshape(t, -1), expected);
}

/* The places are PyTorch's. */
START_TEST(test_eye_and_dirac) {
    gn_tensor *t = gn_init_eye_(gn_ones(2, 3));
    expect_ones_at(t, 2, (int64_t[]){0, 4});
    expect_ones_at(gn_init_dirac_(gn_ones(3, 2, 3)), 2, (int64_t[]){1, 10});
    expect_ones_at(gn_init_dirac_(gn_ones(4, 2, 2, 3), .groups = 2), 4, (int64_t[]){4, 22, 28, 46});
    expect_ones_at(gn_init_dirac_(gn_ones(2, 3, 1, 2, 2)), 2, (int64_t[]){3, 19});
    gn_module *conv = gn_nn_conv2d(3, 3, 3, .padding = 1, .no_bias = true);
    gn_init_dirac_(gn_get_parameter(conv, "weight"));
    gn_tensor *x = gn_randn(1, 3, 5, 5);
    expect_close("hands on", gn_forward(conv, x), x);
    ck_assert_ptr_null(gn_init_eye_(gn_ones(3)));
    expect_error_with(GN_E_ARGUMENT, "init_eye_: the tensor (3) must have 2 to 2 dims");
    ck_assert_ptr_null(gn_init_dirac_(gn_ones(3, 2, 3), .groups = 2));
    expect_error_with(GN_E_ARGUMENT, "2 groups must divide the 3 output channels");
}
END_TEST

START_TEST(test_orthogonal) {
    gn_manual_seed(6);
    gn_tensor *wide = gn_init_orthogonal_(gn_empty(5, 2, 4)), *flat = gn_flatten(wide, 1);
    expect_close("rows", gn_matmul(flat, gn_t(flat)), gn_eye(5, -1, NULL));
    gn_tensor *tall = gn_init_orthogonal_(gn_empty(7, 3), .gain = gn_some(2));
    expect_close("columns", gn_matmul(gn_t(tall), tall), gn_mul_scalar(gn_eye(3, -1, NULL), 4));
    gn_tensor *one = gn_init_orthogonal_(gn_empty(1, 1));
    ck_assert_double_eq_tol(fabs(gn_item(one)), 1, 1e-6);
    /* each entry of a random orthogonal (n, n) matrix has mean 0 and variance 1 / n */
    gn_tensor *square = gn_init_orthogonal_(gn_empty(50, 50));
    ck_assert_double_eq_tol(moments_of(gn_diagonal(square, 0, 0, 1)).mean, 0,
                            5 * sqrt(1. / 50 / 50));
    ck_assert_double_eq_tol(moments_of(square).mean, 0, 5 * sqrt(1. / 50 / 2500));
}
END_TEST

START_TEST(test_sparse) {
    gn_manual_seed(7);
    gn_tensor *t = gn_init_sparse_(gn_empty(15, 20), .sparsity = 0.3);
    float values[15][20], rest[200];
    ck_assert_int_eq(gn_copy_out(t, values, GN_F32, 300), GN_OK);
    int n = 0, uneven = 0;
    for (int column = 0; column < 20; column++) {
        int zeros = 0;
        for (int row = 0; row < 15; row++) {
            uneven += column && (values[row][column] == 0) != (values[row][0] == 0);
            zeros += values[row][column] == 0;
            if (values[row][column] != 0 && n < 200)
                rest[n++] = values[row][column];
        }
        ck_assert_int_eq(zeros, 5); /* of 15 */
    }
    ck_assert_int_gt(uneven, 0); /* in other places in each column */
    expect_normal(gn_tensor_of(rest, 200), 0.01);
    ck_assert_ptr_null(gn_init_sparse_(gn_empty(2, 2), .sparsity = 2));
    expect_error_with(GN_E_ARGUMENT, "init_sparse_: the sparsity 2 is not between 0 and 1");
}
END_TEST

START_TEST(test_init_errors) {
    ck_assert_ptr_null(gn_init_normal_(NULL));
    ck_assert_int_ne(gn_error_status(), GN_OK);
    gn_error_clear();
    ck_assert_ptr_null(gn_init_normal_(gn_arange(0, 3, 1, NULL)));
    ck_assert_int_ne(gn_error_status(), GN_OK);
    gn_error_clear();
    ck_assert_ptr_null(gn_init_uniform_(gn_empty(3), .low = gn_some(2)));
    expect_error_with(GN_E_ARGUMENT, "init_uniform_: there is no range from 2 to 1");
    ck_assert_ptr_null(gn_init_normal_(gn_empty(3), .std = gn_some(-1)));
    expect_error_with(GN_E_ARGUMENT, "init_normal_: -1 is no standard deviation");
    ck_assert_ptr_null(gn_init_trunc_normal_(gn_empty(3), .std = gn_some(0)));
    expect_error_with(GN_E_ARGUMENT, "a standard deviation of 0");
    gn_tensor *empty = gn_empty(0, 3);
    ck_assert_ptr_eq(gn_init_kaiming_uniform_(empty), empty);
    ck_assert_ptr_eq(gn_init_orthogonal_(empty), empty);
}
END_TEST

START_TEST(test_generator) {
    gn_tensor *a = gn_init_normal_(gn_empty(3), .generator = gn_generator_new(8));
    gn_tensor *b = gn_init_normal_(gn_empty(3), .generator = gn_generator_new(8));
    ck_assert(gn_equal(a, b));
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
    const TTest *tests[] = {test_defaults, test_init_weights, test_distributions, test_trunc_normal,
                            test_fans,     test_gains,        test_eye_and_dirac, test_orthogonal,
                            test_sparse,   test_init_errors,  test_generator,     test_seed,
                            NULL};
    return suite_run("init", tests);
}
