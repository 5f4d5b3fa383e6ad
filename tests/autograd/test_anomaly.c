/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/autograd/anomaly.c, and of the paths that it shows, from nn/module.c. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *leaf2(float a, float b) {
    return gn_requires_grad_(gn_tensor_of(((float[]){a, b}), 2), true);
}

START_TEST(test_forward) {
    gn_tensor *x = leaf2(-1, 4), *nan = leaf2(1, NAN);
    ck_assert(gn_isnan(gn_log(x)) && gn_error_status() == GN_OK); /* off: nobody looks */
    ck_assert(!gn_set_detect_anomaly(true) && gn_is_detect_anomaly_enabled());
    ck_assert_ptr_null(gn_sum(gn_mul_scalar(gn_log(gn_mul_scalar(x, 2)), 3)));
    expect_error(GN_E_STATE, "log: its result (2) has a NaN, computed from (2)");
    gn_mul(x, nan);
    expect_error(GN_E_STATE, "mul: its result (2) has a NaN, computed from (2), (2) with NaN");
    gn_tensor *y = gn_mul_scalar(x, 1);
    gn_copy_(y, nan);
    expect_error(GN_E_STATE, "copy_: its result (2) has a NaN, computed from (2) with NaN");
    ck_assert(gn_set_detect_anomaly(false));
}
END_TEST

START_TEST(test_backward) {
    gn_tensor *x = leaf2(0, 4);
    gn_set_detect_anomaly(true);
    /* 0 sqrt(x): a gradient 0 * inf at 0 */
    ck_assert_int_eq(gn_backward(gn_sum(gn_mul_scalar(gn_sqrt(x), 0))), GN_E_STATE);
    expect_error(GN_E_STATE, "sqrt: its backward made a NaN in the gradient (2) of input 0, from "
                             "gradients (2)");
    ck_assert_ptr_null(gn_grad(x));
    ck_assert_int_eq(gn_backward(gn_sqrt(x), .gradient = gn_tensor_of(((float[]){1, NAN}), 2)),
                     GN_E_STATE);
    expect_error(GN_E_STATE, "sqrt: its backward made a NaN in the gradient (2) of input 0, from "
                             "gradients (2) with NaN");
    ck_assert_int_eq(gn_backward(gn_sum(gn_square(x))), GN_OK);
    EXPECT_VALUES(gn_grad(x), 0, 0, 8);
    gn_set_detect_anomaly(false);
}
END_TEST

/* A module whose forward is log(fc(x)), for a place in a tree. */
typedef struct logarithm {
    gn_module base;
    gn_module *fc;
} logarithm;
static gn_tensor *logarithm_forward(gn_module *m, gn_tensor *x) {
    return gn_log(gn_forward(((logarithm *)m)->fc, x));
}
static const gn_module_class logarithm_class = {
    .name = "Logarithm", .size = sizeof(logarithm), .forward = logarithm_forward};

static gn_tensor *zeroed(gn_tensor *t) {
    bool was = gn_set_grad_enabled(false);
    gn_zero_(t);
    gn_set_grad_enabled(was);
    return t;
}

START_TEST(test_modules) {
    logarithm *inner = gn_module_new(&logarithm_class);
    inner->fc = gn_child(inner, "fc", gn_nn_linear(2, 2));
    gn_module *model = gn_nn_sequential(gn_nn_relu(), gn_nn_sequential(&inner->base));
    gn_dict *parameters = gn_parameters(model);
    for (int64_t i = 0; i < gn_dict_size(parameters); i++)
        zeroed(gn_dict_tensor(parameters, i));
    gn_tensor *x = leaf2(1, 2), *bias = gn_dict_get(parameters, "1.0.fc.bias");
    gn_set_detect_anomaly(true);
    /* log 0 is -inf, and its gradient 0 / 0 */
    ck_assert_int_eq(gn_backward(gn_sum(gn_mul_scalar(gn_forward(model, gn_view(x, 1, 2)), 0))),
                     GN_E_STATE);
    expect_error(GN_E_STATE, "mul_scalar: its result (1, 2) has a NaN, computed from (1, 2)");
    bool was = gn_set_grad_enabled(false);
    gn_fill_(bias, -1);
    gn_set_grad_enabled(was);
    ck_assert_ptr_null(gn_forward(model, gn_view(x, 1, 2)));
    expect_error(GN_E_STATE, "log: its result (1, 2) has a NaN, computed from (1, 2); in 1.0 "
                             "(Logarithm)");
    was = gn_set_grad_enabled(false);
    gn_fill_(bias, NAN);
    gn_set_grad_enabled(was);
    ck_assert_ptr_null(gn_forward(model, gn_view(x, 1, 2)));
    expect_error_with(GN_E_STATE, "; in 1.0.fc (Linear)");
    was = gn_set_grad_enabled(false);
    gn_fill_(bias, INFINITY); /* no NaN in forward: the walk finds relu's module by itself */
    gn_set_grad_enabled(was);
    gn_tensor *y = gn_forward(model, gn_view(x, 1, 2));
    ck_assert_int_eq(gn_backward(y, .gradient = gn_full(GN_SHAPE(1, 2), INFINITY, NULL)),
                     GN_E_STATE);
    expect_error_with(GN_E_STATE, "log: its backward made a NaN in the gradient (1, 2) of input 0, "
                                  "from gradients (1, 2); in 1.0 (Logarithm)");
    ck_assert_ptr_null(gn_forward(inner->fc, gn_full(GN_SHAPE(1, 2), NAN, NULL)));
    expect_error_with(GN_E_STATE, "; in (Linear)");
    gn_set_detect_anomaly(false);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_forward, test_backward, test_modules, NULL};
    return suite_run("anomaly", tests);
}
