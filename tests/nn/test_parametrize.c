/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/parametrize.c, weight_norm.c and prune.c. */
#include <math.h>
#include <stdlib.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

/* ---- Against PyTorch. The cases load its weights, which checks the names. */

static gn_module *conv(void) { return gn_nn_conv2d(2, 3, 2); }

static gn_module *pruned_linear(void) {
    gn_module *m = gn_nn_linear(4, 3);
    gn_prune(m, "weight", .count = 1);
    return m;
}

#define CASES(CASE)                                                                                \
    CASE(weight_norm, gn_weight_norm(gn_nn_linear(4, 3)))                                          \
    CASE(weight_norm_conv, gn_weight_norm(conv(), .dim = gn_some(1)))                              \
    CASE(weight_norm_whole, gn_weight_norm(gn_nn_linear(4, 3), .dim = gn_some(-1)))                \
    CASE(weight_norm_bias, gn_weight_norm(gn_nn_linear(4, 3), .name = "bias"))                     \
    CASE(spectral_norm, gn_spectral_norm(gn_nn_linear(4, 3)))                                      \
    CASE(spectral_norm_eval, gn_spectral_norm(gn_nn_linear(4, 3)))                                 \
    CASE(spectral_norm_conv, gn_spectral_norm(conv(), .n_power_iterations = 2, .dim = gn_some(1))) \
    CASE(spectral_norm_bias, gn_spectral_norm(gn_nn_linear(4, 3), .name = "bias"))                 \
    CASE(both, gn_spectral_norm(gn_weight_norm(gn_nn_linear(4, 3))))                               \
    CASE(pruned, pruned_linear())
MODULE_CASES(cases, CASES)

START_TEST(test_like_pytorch) { module_cases("parametrize", cases, sizeof cases / sizeof *cases); }
END_TEST

/* ---- Parametrizations of one's own: what PyTorch's documentation calls Symmetric */

static gn_tensor *symmetric_forward(gn_module *m, gn_tensor *x) {
    (void)m;
    gn_tensor *upper = gn_triu(x, 0);
    return gn_add(upper, gn_t(gn_triu(x, 1)));
}
static const gn_module_class symmetric_class = {
    .name = "Symmetric", .size = sizeof(gn_module), .forward = symmetric_forward};

static gn_module *symmetric(void) { return gn_module_new(&symmetric_class); }

static gn_tensor *first_rows(gn_module *m, gn_tensor *x) {
    (void)m;
    return gn_narrow(x, 0, 0, 1);
}
static const gn_module_class first_rows_class = {
    .name = "FirstRows", .size = sizeof(gn_module), .forward = first_rows};

START_TEST(test_own) {
    gn_module *m = gn_nn_linear(3, 3);
    gn_tensor *original = gn_get_parameter(m, "weight"), *x = gn_randn(2, 3);
    ck_assert(!gn_is_parametrized(m, NULL));
    ck_assert_int_eq(gn_register_parametrization(m, "weight", symmetric()), GN_OK);
    ck_assert(gn_is_parametrized(m, NULL) && gn_is_parametrized(m, "weight"));
    ck_assert(!gn_is_parametrized(m, "bias"));
    ck_assert_ptr_eq(gn_get_parameter(m, "parametrizations.weight.original"), original);
    ck_assert_str_eq(gn_dict_name(gn_parameters(m), 0), "bias");
    ck_assert_str_eq(gn_dict_name(gn_parameters(m), 1), "parametrizations.weight.original");
    gn_tensor *w = gn_computed_parameter(m, "weight");
    expect_close("symmetric", w, gn_t(w));
    expect_close("forward", gn_forward(m, x), gn_linear(x, w, gn_get_parameter(m, "bias")));
    ck_assert_int_eq(gn_backward(gn_sum(gn_forward(m, x))), GN_OK);
    expect_close("no gradient below", gn_tril(gn_grad(original), -1), gn_zeros(3, 3));
    char *text = gn_module_text(m); /* reads the weight that rests */
    ck_assert_ptr_nonnull(text);
    free(text);
    /* the parameter, the same object, with the value of now; at the end of the list, as in PyTorch */
    w = gn_detach(w);
    ck_assert_int_eq(gn_remove_parametrizations(m, "weight", true), GN_OK);
    ck_assert_ptr_eq(gn_get_parameter(m, "weight"), original);
    ck_assert_int_eq(gn_dict_size(gn_state_dict(m)), 2);
    expect_close("value", gn_detach(original), w);
    expect_close("forward", gn_forward(m, x), gn_linear(x, w, gn_get_parameter(m, "bias")));
}
END_TEST

START_TEST(test_own_removed) {
    gn_module *m = gn_nn_linear(3, 3);
    gn_tensor *weight = gn_clone(gn_detach(gn_get_parameter(m, "weight")));
    gn_module_requires_grad_(m, false);
    gn_register_parametrization(m, "weight", symmetric());
    gn_register_parametrization(m, "weight", symmetric());
    ck_assert_ptr_nonnull(gn_get_submodule(m, "parametrizations.weight.1"));
    ck_assert(!gn_requires_grad(gn_get_parameter(m, "parametrizations.weight.original")));
    ck_assert_int_eq(gn_remove_parametrizations(m, "weight", false), GN_OK);
    expect_close("as it was", gn_get_parameter(m, "weight"), weight);
}
END_TEST

START_TEST(test_parametrization_errors) {
    gn_module *m = gn_nn_linear(3, 3), *normed = gn_weight_norm(gn_nn_linear(3, 3));
    gn_tensor *x = gn_ones(1, 3);
    ck_assert_int_ne(gn_register_parametrization(m, "weight", gn_module_new(&first_rows_class)),
                     GN_OK);
    expect_error_with(GN_E_ARGUMENT,
                      "it makes a float32 tensor (1, 3) of a float32 parameter (3, 3)");
    ck_assert_ptr_nonnull(gn_forward(m, x)); /* as before */
    ck_assert(!gn_is_parametrized(m, NULL));
    ck_assert_int_ne(
        gn_register_parametrization(normed, "weight", gn_module_new(&first_rows_class)), GN_OK);
    gn_error_clear();
    ck_assert_ptr_nonnull(gn_forward(normed, x));
    ck_assert_int_ne(gn_register_parametrization(m, "wait", symmetric()), GN_OK);
    expect_error_with(GN_E_NOT_FOUND, "Linear has no parameter \"wait\"");
    ck_assert_int_ne(gn_remove_parametrizations(m, "weight", true), GN_OK);
    expect_error_with(GN_E_NOT_FOUND, "Linear has no parametrized \"weight\"");
    ck_assert_int_ne(gn_remove_parametrizations(normed, "weight", false), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "of several originals none is the parameter");
    ck_assert_ptr_null(gn_weight_norm(m, .dim = gn_some(2)));
    expect_error_with(GN_E_ARGUMENT, "weight_norm: dim 2 is none of (3, 3)");
    ck_assert_ptr_null(gn_spectral_norm(m, .n_power_iterations = -1));
    expect_error_with(GN_E_ARGUMENT, "spectral_norm: there can't be -1 power iterations");
    ck_assert_ptr_null(gn_spectral_norm(m, .dim = gn_some(1e300)));
    expect_error_with(GN_E_ARGUMENT, "spectral_norm: dim 1e+300 is none of (3, 3)");
    ck_assert_ptr_null(gn_parameter(normed, "weight", gn_ones(3, 3)));
    expect_error_with(GN_E_ARGUMENT, "Linear has a \"weight\" already");
    ck_assert_ptr_null(gn_weight_norm(NULL));
    expect_error_with(GN_E_ARGUMENT, "weight_norm: the module is NULL");
}
END_TEST

/* Taking the children away by hand leaves an error, no crash. */
START_TEST(test_parametrization_taken_away) {
    gn_module *m = gn_weight_norm(gn_nn_linear(3, 3));
    gn_clear(gn_get_submodule(m, "parametrizations"));
    ck_assert_ptr_null(gn_forward(m, gn_ones(1, 3)));
    expect_error_with(GN_E_STATE, "parametrizations.weight was taken away");
}
END_TEST

START_TEST(test_weight_norm) {
    gn_module *m = gn_nn_linear(4, 3);
    gn_tensor *before = gn_clone(gn_detach(gn_get_parameter(m, "weight")));
    ck_assert_ptr_eq(gn_weight_norm(m), m);
    expect_close("unchanged", gn_detach(gn_computed_parameter(m, "weight")), before);
    gn_tensor *g = gn_get_parameter(m, "parametrizations.weight.original0");
    ck_assert_int_eq(gn_dim(g), 2);
    ck_assert_int_eq(gn_size(g, 0), 3);
    gn_module *copy = gn_module_clone(m);
    gn_init_constant_(g, 2);
    gn_tensor *rows = gn_norm(gn_computed_parameter(m, "weight"), 2, GN_DIMS(1), false);
    expect_close("norms of the rows", gn_detach(rows), gn_full(GN_SHAPE(3), 2, NULL));
    expect_close("the copy's", gn_detach(gn_computed_parameter(copy, "weight")), before);
    gn_init_constant_(gn_get_parameter(copy, "parametrizations.weight.original0"), 0);
    expect_close("the copy runs its own", gn_forward(copy, gn_zeros(1, 4)),
                 gn_unsqueeze(gn_get_parameter(copy, "bias"), 0));
    ck_assert_int_eq(gn_remove_parametrizations(m, "weight", true), GN_OK);
    expect_close("norms stay",
                 gn_detach(gn_norm(gn_get_parameter(m, "weight"), 2, GN_DIMS(1), false)),
                 gn_full(GN_SHAPE(3), 2, NULL));
}
END_TEST

/* The vectors change in each run in training, and two runs can still be walked back. */
START_TEST(test_spectral_norm) {
    gn_manual_seed(3);
    gn_module *m = gn_spectral_norm(gn_nn_linear(6, 5));
    gn_tensor *x = gn_randn(2, 6), *u = gn_get_buffer(m, "parametrizations.weight.0._u");
    gn_tensor *before = gn_clone(u);
    gn_tensor *real = gn_forward(m, x), *fake = gn_forward(m, gn_neg(x));
    ck_assert(!gn_equal(u, before));
    ck_assert_int_eq(gn_backward(gn_sum(gn_sub(real, fake))), GN_OK);
    for (int i = 0; i < 50; i++)
        gn_forward(m, x);
    /* |W|_2 = 1: u^T W v with the vectors found */
    gn_eval(m);
    gn_tensor *v = gn_get_buffer(m, "parametrizations.weight.0._v");
    gn_tensor *s = gn_dot(u, gn_matmul(gn_computed_parameter(m, "weight"), v));
    ck_assert_double_eq_tol(gn_item(gn_detach(s)), 1, 1e-5);
    gn_tensor *kept = gn_clone(u);
    gn_forward(m, x);
    ck_assert(gn_equal(u, kept)); /* not in evaluation */
}
END_TEST

/* ---- Pruning */

static gn_module *counting(void) {
    gn_module *m = gn_nn_linear(4, 2);
    gn_tensor *w = gn_tensor_of(((float[]){1, -8, 2, 7, -3, 6, 4, -5}), 2, 4);
    gn_copy_(gn_detach(gn_get_parameter(m, "weight")), w);
    return m;
}

START_TEST(test_prune) {
    gn_module *m = counting();
    gn_tensor *weight = gn_get_parameter(m, "weight");
    ck_assert_int_eq(gn_prune(m, "weight", .amount = 0.25), GN_OK);
    EXPECT_VALUES(gn_get_buffer(m, "weight_mask"), 0, 0, 1, 0, 1, 1, 1, 1, 1);
    ck_assert_ptr_eq(gn_get_parameter(m, "weight_orig"), weight);
    EXPECT_VALUES(gn_detach(gn_computed_parameter(m, "weight")), 0, 0, -8, 0, 7, -3, 6, 4, -5);
    ck_assert_str_eq(gn_dict_name(gn_state_dict(m), 1), "weight_orig");
    ck_assert_str_eq(gn_dict_name(gn_state_dict(m), 2), "weight_mask");
    gn_tensor *x = gn_ones(1, 4), *bias = gn_get_parameter(m, "bias");
    gn_init_constant_(bias, 0);
    gn_tensor *y = gn_forward(m, x);
    EXPECT_VALUES(gn_detach(y), 1e-6, -1, 2);
    gn_backward(gn_sum(y));
    EXPECT_VALUES(gn_grad(weight), 0, 0, 1, 0, 1, 1, 1, 1, 1);
    /* a half of the six that are left */
    ck_assert_int_eq(gn_prune(m, "weight", .amount = 0.5), GN_OK);
    EXPECT_VALUES(gn_get_buffer(m, "weight_mask"), 0, 0, 1, 0, 1, 0, 1, 0, 0);
    gn_module *copy = gn_module_clone(m);
    ck_assert_int_eq(gn_prune_remove(m, "weight"), GN_OK);
    ck_assert_ptr_eq(gn_get_parameter(m, "weight"), weight);
    EXPECT_VALUES(gn_detach(weight), 0, 0, -8, 0, 7, 0, 6, 0, 0);
    ck_assert_int_eq(gn_dict_size(gn_state_dict(m)), 2);
    EXPECT_VALUES(gn_detach(gn_forward(m, x)), 1e-6, -1, 6);
    EXPECT_VALUES(gn_detach(gn_forward(copy, x)), 1e-6, -1, 6);
}
END_TEST

START_TEST(test_prune_otherwise) {
    gn_module *m = counting();
    gn_manual_seed(4);
    ck_assert_int_eq(gn_prune(m, "weight", .random = true, .count = 3), GN_OK);
    ck_assert_double_eq(gn_item(gn_sum(gn_get_buffer(m, "weight_mask"))), 5);
    gn_tensor *mask = gn_tensor_of(((float[]){1, 1, 1, 1, 0, 0, 0, 0}), 2, 4);
    ck_assert_int_eq(gn_prune(m, "weight", .mask = mask), GN_OK);
    gn_tensor *row = gn_select(gn_computed_parameter(m, "weight"), 0, 1);
    expect_close("second row", gn_detach(row), gn_zeros(4));
    /* another original goes through the mask, too */
    ck_assert_int_eq(gn_set_parameter(m, "weight_orig", gn_ones(2, 4)), GN_OK);
    gn_tensor *y = gn_sub(gn_forward(m, gn_ones(1, 4)), gn_get_parameter(m, "bias"));
    expect_close("after", gn_detach(gn_select(gn_select(y, 0, 0), 0, 1)),
                 gn_scalar_tensor(0, NULL));
}
END_TEST

START_TEST(test_prune_errors) {
    gn_module *m = counting();
    ck_assert_int_ne(gn_prune(m, "weight", .amount = 1.5), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "prune: an amount of 1.5");
    ck_assert_int_ne(gn_prune(m, "weight", .count = 9), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "9 of 8 elements, can't be pruned");
    ck_assert_int_ne(gn_prune(m, "weight", .mask = gn_ones(4)), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "the mask (4) is not of the parameter's shape (2, 4)");
    ck_assert_int_ne(gn_prune(m, NULL, .count = 1), GN_OK);
    expect_error_with(GN_E_NOT_FOUND, "Linear has no parameter \"NULL\"");
    ck_assert_int_ne(gn_prune_remove(m, "weight"), GN_OK);
    expect_error_with(GN_E_NOT_FOUND, "Linear has no pruned \"weight\"");
    ck_assert_int_eq(gn_dict_size(gn_state_dict(m)), 2);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch,
                            test_own,
                            test_own_removed,
                            test_parametrization_errors,
                            test_parametrization_taken_away,
                            test_weight_norm,
                            test_spectral_norm,
                            test_prune,
                            test_prune_otherwise,
                            test_prune_errors,
                            NULL};
    return suite_run("parametrize", tests);
}
