/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/clip.c, vector.c and fuse.c. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* Two parameters with the gradients (3, -4) and (12); a third has none. */
static gn_dict *parameters(void) {
    gn_dict *dict = gn_dict_new();
    gn_tensor *a = gn_requires_grad_(gn_zeros(2), true), *b = gn_requires_grad_(gn_zeros(1), true);
    gn_set_grad(a, gn_tensor_of(((float[]){3, -4}), 2));
    gn_set_grad(b, gn_tensor_of(((float[]){12}), 1));
    gn_dict_set(dict, "a", a);
    gn_dict_set(dict, "b", b);
    gn_dict_set(dict, "c", gn_requires_grad_(gn_zeros(3), true));
    return dict;
}

static void expect_gradients(gn_dict *dict, double factor) {
    gn_tensor *a = gn_tensor_of(((float[]){3, -4}), 2), *b = gn_tensor_of(((float[]){12}), 1);
    expect_close("a", gn_grad(gn_dict_get(dict, "a")), gn_mul_scalar(a, factor));
    expect_close("b", gn_grad(gn_dict_get(dict, "b")), gn_mul_scalar(b, factor));
    ck_assert_ptr_null(gn_grad(gn_dict_get(dict, "c")));
}

START_TEST(test_norms) {
    const struct {
        double p, norm;
    } norms[] = {{2, 13}, {1, 19}, {INFINITY, 12}, {3, cbrt(27 + 64 + 1728)}};
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++) {
        gn_dict *dict = parameters();
        gn_tensor *norm = gn_clip_grad_norm_(dict, 1, .norm_type = gn_some(norms[i].p));
        ck_assert_double_eq_tol(gn_item(norm), norms[i].norm, 1e-4);
        expect_gradients(dict, 1 / (norms[i].norm + 1e-6));
        dict = parameters();
        gn_clip_grad_norm_(dict, 100, .norm_type = gn_some(norms[i].p));
        expect_gradients(dict, 1);
    }
}
END_TEST

START_TEST(test_no_gradients) {
    ck_assert_double_eq(gn_item(gn_clip_grad_norm_(gn_dict_new(), 1)), 0);
}
END_TEST

/* The gradient of a sum is one number, expanded. */
START_TEST(test_expanded) {
    gn_dict *dict = gn_dict_new();
    gn_tensor *p = gn_requires_grad_(gn_zeros(4), true);
    gn_dict_set(dict, "p", p);
    gn_backward(gn_sum(p));
    ck_assert_double_eq_tol(gn_item(gn_clip_grad_norm_(dict, 1)), 2, 1e-6);
    EXPECT_VALUES(gn_grad(p), 1e-6, 0.5, 0.5, 0.5, 0.5);
}
END_TEST

START_TEST(test_value) {
    gn_dict *dict = parameters();
    ck_assert_int_eq(gn_clip_grad_value_(dict, 3.5), GN_OK);
    expect_close("a", gn_grad(gn_dict_get(dict, "a")), gn_tensor_of(((float[]){3, -3.5f}), 2));
    expect_close("b", gn_grad(gn_dict_get(dict, "b")), gn_tensor_of(((float[]){3.5f}), 1));
}
END_TEST

/* Gradients that are not finite: clipping makes all of them NaN or 0, or is refused. */
START_TEST(test_nonfinite) {
    gn_dict *dict = parameters();
    gn_fill_(gn_grad(gn_dict_get(dict, "b")), INFINITY);
    ck_assert_ptr_null(gn_clip_grad_norm_(dict, 1, .error_if_nonfinite = true));
    expect_error_with(GN_E_STATE, "clip_grad_norm_: the total norm of order 2 is not finite");
    expect_close("unchanged", gn_grad(gn_dict_get(dict, "a")), gn_tensor_of(((float[]){3, -4}), 2));
    ck_assert(isinf(gn_item(gn_clip_grad_norm_(dict, 1))));
    expect_close("times 0", gn_grad(gn_dict_get(dict, "a")), gn_zeros(2));
    ck_assert(isnan(gn_item(gn_grad(gn_dict_get(dict, "b")))));
}
END_TEST

/* The norm of one set of gradients, applied to another. */
START_TEST(test_total_norm) {
    gn_dict *dict = parameters(), *grads = gn_grads(dict);
    ck_assert_int_eq(gn_dict_size(grads), 2);
    gn_tensor *norm = gn_get_total_norm(grads);
    ck_assert_double_eq_tol(gn_item(norm), 13, 1e-5);
    ck_assert_double_eq_tol(gn_item(gn_get_total_norm(grads, .norm_type = gn_some(INFINITY))), 12,
                            1e-5);
    ck_assert_int_eq(gn_clip_grads_with_norm_(dict, 26, norm), GN_OK);
    expect_gradients(dict, 1);
    ck_assert_int_eq(gn_clip_grads_with_norm_(dict, 1, gn_scalar_tensor(4, NULL)), GN_OK);
    expect_gradients(dict, 0.25);
    gn_dict_set(grads, "integers", gn_arange(0, 3, 1, NULL));
    ck_assert_ptr_null(gn_get_total_norm(grads));
    ck_assert_int_ne(gn_error_status(), GN_OK);
    gn_error_clear();
}
END_TEST

/* ---- vector.c */

START_TEST(test_vector) {
    gn_module *m = gn_nn_linear(2, 3), *other = gn_nn_linear(2, 3);
    gn_dict *p = gn_parameters(m), *q = gn_parameters(other);
    gn_tensor *vector = gn_parameters_to_vector(p), *weight = gn_dict_get(q, "weight");
    ck_assert_int_eq(gn_numel(vector), 9);
    expect_close("bias last", gn_detach(gn_narrow(vector, 0, 6, 3)),
                 gn_detach(gn_dict_get(p, "bias")));
    ck_assert_int_eq(gn_vector_to_parameters(vector, q), GN_OK);
    ck_assert_ptr_eq(gn_dict_get(gn_parameters(other), "weight"), weight);
    expect_close("weight", gn_detach(weight), gn_detach(gn_dict_get(p, "weight")));
    ck_assert(gn_is_leaf(weight) && gn_requires_grad(weight));
    gn_backward(gn_sum(vector));
    expect_close("gradient", gn_grad(gn_dict_get(p, "weight")), gn_ones(3, 2));
    ck_assert_int_ne(gn_vector_to_parameters(gn_ones(8), q), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "the vector (8) must be one of 9 elements");
    ck_assert_ptr_null(gn_parameters_to_vector(gn_dict_new()));
    expect_error_with(GN_E_ARGUMENT, "parameters_to_vector: there are no parameters");
}
END_TEST

/* ---- fuse.c */

/* A batch norm with statistics and weights of its own. */
static gn_module *used_norm(gn_module *norm) {
    gn_init_uniform_(gn_get_buffer(norm, "running_mean"));
    gn_init_uniform_(gn_get_buffer(norm, "running_var"), .low = gn_some(0.5));
    gn_init_uniform_(gn_get_parameter(norm, "weight"));
    gn_init_uniform_(gn_get_parameter(norm, "bias"));
    return gn_eval(norm);
}

START_TEST(test_fuse) {
    gn_module *norm = used_norm(gn_nn_batch_norm2d(3));
    gn_tensor *x = gn_randn(2, 2, 4, 4);
    for (int bias = 0; bias < 2; bias++) {
        gn_module *conv = gn_eval(gn_nn_conv2d(2, 3, 3, .padding = 1, .no_bias = !bias));
        gn_tensor *y = gn_forward(norm, gn_forward(conv, x)), *before = gn_forward(conv, x);
        gn_module *fused = gn_fuse_bn_eval(conv, norm);
        expect_close("fused", gn_forward(fused, x), y);
        expect_close("the layer stays", gn_forward(conv, x), before);
        ck_assert_int_eq(gn_dict_size(gn_parameters(fused)), 2);
    }
    gn_module *linear = gn_eval(gn_nn_linear(4, 3));
    gn_module *plain = gn_eval(gn_nn_batch_norm1d(3, .no_affine = true));
    gn_init_uniform_(gn_get_buffer(plain, "running_mean"));
    gn_tensor *z = gn_randn(5, 4);
    expect_close("linear", gn_forward(gn_fuse_bn_eval(linear, plain), z),
                 gn_forward(plain, gn_forward(linear, z)));
}
END_TEST

START_TEST(test_fuse_errors) {
    gn_module *norm = gn_eval(gn_nn_batch_norm2d(3)), *conv = gn_nn_conv2d(2, 3, 3);
    ck_assert_ptr_null(gn_fuse_bn_eval(conv, norm));
    expect_error_with(GN_E_STATE, "both must be in evaluation mode");
    gn_eval(conv);
    ck_assert_ptr_null(gn_fuse_bn_eval(conv, gn_eval(gn_nn_relu())));
    expect_error_with(GN_E_ARGUMENT, "Conv2d and ReLU are no Linear or convolution");
    ck_assert_ptr_null(gn_fuse_bn_eval(conv, gn_eval(gn_nn_batch_norm2d(4))));
    expect_error_with(GN_E_ARGUMENT, "(3)");
    ck_assert_ptr_null(
        gn_fuse_bn_eval(conv, gn_eval(gn_nn_batch_norm2d(3, .no_running_stats = true))));
    expect_error_with(GN_E_NOT_FOUND, "BatchNorm2d has no buffer \"running_mean\"");
    gn_weight_norm(conv);
    ck_assert_ptr_null(gn_fuse_bn_eval(conv, norm));
    expect_error_with(GN_E_ARGUMENT, "with its own weight");
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_clip_grad_norm_(NULL, 1));
    expect_error_with(GN_E_ARGUMENT, "clip_grad_norm_");
    ck_assert_ptr_null(gn_clip_grad_norm_(parameters(), 1, .norm_type = gn_some(0)));
    expect_error_with(GN_E_ARGUMENT, "clip_grad_norm_");
    ck_assert_int_eq(gn_clip_grad_value_(parameters(), -1), GN_E_ARGUMENT);
    expect_error_with(GN_E_ARGUMENT, "clip_grad_value_");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_norms,       test_no_gradients, test_expanded, test_value,
                            test_nonfinite,   test_total_norm,   test_vector,   test_fuse,
                            test_fuse_errors, test_errors,       NULL};
    return suite_run("utils", tests);
}
