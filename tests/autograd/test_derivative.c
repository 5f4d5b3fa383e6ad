/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/autograd/derivative.c: what it refuses and leaves alone. The values are
 * compared in test_scenes.c, once_differentiable in test_function.c. */
#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *first_only(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_mul_scalar(in[0], 3);
}
static gn_tensor *constant(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_detach(in[0]);
}
static gn_tensor *nothing(gn_tensor *const *in, void *context) {
    (void)in, (void)context;
    return NULL;
}

/* What does not depend on an input has a derivative of zeros; the inputs get no gradient. */
START_TEST(test_independent) {
    gn_tensor *x = gn_requires_grad_(gn_ones(2), true), *in[] = {x, gn_ones(3)}, *out[2], *product;
    gn_tensor *v[] = {gn_ones(2), gn_ones(3)};
    bool was = gn_set_grad_enabled(false); /* does not matter */
    EXPECT_VALUES(gn_vjp(first_only, NULL, 2, in, gn_ones(2), out), 0, 3, 3);
    EXPECT_VALUES(out[0], 0, 3, 3);
    EXPECT_VALUES(out[1], 0, 0, 0, 0);
    EXPECT_VALUES(gn_jvp(first_only, NULL, 2, in, v, &product), 0, 3, 3);
    EXPECT_VALUES(product, 0, 3, 3);
    gn_vjp(constant, NULL, 1, in, gn_ones(2), out);
    EXPECT_VALUES(out[0], 0, 0, 0);
    gn_jvp(constant, NULL, 1, in, v, &product);
    EXPECT_VALUES(product, 0, 0, 0);
    ck_assert(!gn_set_grad_enabled(was) && !gn_grad(x) && gn_requires_grad(x));
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_ones(2), *out, *wrong = gn_ones(3), *ints = gn_arange(0, 2, 1, NULL);
    ck_assert_ptr_null(gn_vjp(first_only, NULL, 1, &x, wrong, &out));
    expect_error(GN_E_ARGUMENT, "vjp: v (3) must have the shape of the result, (2)");
    ck_assert_ptr_null(gn_vjp(first_only, NULL, 1, &x, NULL, &out));
    expect_error_with(GN_E_ARGUMENT, "a tensor of shape (2) needs .gradient");
    ck_assert_ptr_null(gn_jvp(first_only, NULL, 1, &x, &wrong, &out));
    expect_error(GN_E_ARGUMENT, "jvp: v (3) must have the shape of its input, (2)");
    gn_vjp(first_only, NULL, 99, &x, x, &out);
    expect_error_with(GN_E_ARGUMENT, "vjp: takes a function and 1 to ");
    gn_vjp(nothing, NULL, 1, &x, x, &out);
    expect_error(GN_E_ARGUMENT, "vjp: a tensor is NULL");
    gn_vjp(first_only, NULL, 1, &ints, x, &out);
    expect_error(GN_E_ARGUMENT, "requires_grad_: a int64 tensor can't require a gradient");
    gn_jvp(first_only, NULL, 1, &x, NULL, &out);
    expect_error(GN_E_ARGUMENT, "jvp: v is NULL");
    gn_vjp(first_only, NULL, 1, &x, x, NULL);
    expect_error(GN_E_ARGUMENT, "vjp: there is no place for the result: vjp is NULL");
    gn_set_inference_mode(true);
    gn_jvp(first_only, NULL, 1, &x, &x, &out);
    expect_error(GN_E_STATE, "jvp: nothing is recorded in inference mode");
    gn_set_inference_mode(false);
    ck_assert(gn_is_grad_enabled());
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_independent, test_errors, NULL};
    return suite_run("derivative", tests);
}
