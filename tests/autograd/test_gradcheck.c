/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/autograd/gradcheck.c: it accepts what is right, and sees what is wrong. */
#include <string.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *right(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_mul(gn_sin(in[0]), gn_exp(in[1]));
}

static gn_status square(gn_function_context *context, gn_tensor *const *in, int n_in,
                        gn_tensor **out, int n_out) {
    (void)n_in, (void)n_out;
    out[0] = gn_square(in[0]);
    return gn_function_save(context, in[0]);
}

/* d x^2 = 2 x, times 1.01 at element 1 if the state says so */
static gn_status almost(gn_function_context *context, gn_tensor *const *grads, int n_out,
                        gn_tensor **out, int n_in) {
    (void)n_in, (void)n_out;
    gn_tensor *factor = gn_tensor_from(
        (double[]){2, *(bool *)gn_function_state(context) ? 2.02 : 2}, GN_F64, GN_SHAPE(2), NULL);
    out[0] = gn_mul(gn_mul(grads[0], gn_function_saved(context, 0)), factor);
    return gn_error_status();
}

static gn_tensor *wrong(gn_tensor *const *in, void *context) {
    static const gn_function function = {
        .name = "almost", .forward = square, .backward = almost, .state_bytes = sizeof(bool)};
    gn_tensor *y = NULL;
    gn_function_apply(&function, context, in, 1, &y, 1);
    return y;
}

static gn_tensor *constant(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_detach(in[0]);
}

START_TEST(test_gradcheck) {
    if (!has_dtype(GN_F64))
        return;
    double values[] = {0.5, 1.5, -0.25};
    gn_tensor *in[] = {
        gn_tensor_from(values, GN_F64, GN_SHAPE(2), GN_AS(.requires_grad = true)),
        gn_tensor_from(values + 1, GN_F64, GN_SHAPE(2), GN_AS(.requires_grad = true))};
    gn_gradcheck_options o = {.struct_size = sizeof o, .second_order = true};
    ck_assert_int_eq(gn_gradcheck(right, NULL, 2, in, &o), GN_OK);
    ck_assert_int_eq(gn_gradcheck(wrong, &(bool){false}, 1, in, &o), GN_OK);
    ck_assert_int_eq(gn_gradcheck(wrong, &(bool){true}, 1, in, NULL), GN_E_ARGUMENT);
    const char *begin = "gradcheck: input 0 (2), element 1: the gradient is ";
    ck_assert_msg(!strncmp(gn_error(), begin, strlen(begin)), "%s", gn_error());
    gn_error_clear();
    EXPECT_VALUES(in[0], 0, 0.5, 1.5); /* as before */
    ck_assert_ptr_null(gn_grad(in[0]));
    gn_gradcheck(constant, NULL, 1, in, NULL);
    expect_error(GN_E_ARGUMENT, "gradcheck: the result does not depend on any input");
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_requires_grad_(gn_ones(1), true);
    gn_gradcheck(right, NULL, 1, &x, NULL);
    expect_error(GN_E_ARGUMENT, "gradcheck: input 0 must be float64 and require a gradient");
    gn_gradcheck(right, NULL, 11, &x, NULL);
    expect_error(GN_E_ARGUMENT, "gradcheck: takes 1 to 10 inputs, not 11");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_errors, NULL};
    return suite_run("gradcheck", tests);
}
