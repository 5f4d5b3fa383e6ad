/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/autograd/function.c. */
#include "tests/expect.h"
#include "tests/suite.h"

/* (a, b) -> a b scale, a + b */
typedef struct scaled {
    double scale;
} scaled;

static gn_status forward(gn_function_context *context, gn_tensor *const *in, int n_in,
                         gn_tensor **out, int n_out) {
    const scaled *s = gn_function_state(context);
    ck_assert(n_in == 2 && n_out == 2 && !gn_is_grad_enabled());
    out[0] = gn_mul_scalar(gn_mul(in[0], in[1]), s->scale);
    out[1] = gn_add(in[0], in[1]);
    gn_function_save(context, in[0]);
    return gn_function_save(context, in[1]);
}

static gn_status backward(gn_function_context *context, gn_tensor *const *grads, int n_out,
                          gn_tensor **out, int n_in) {
    const scaled *s = gn_function_state(context);
    ck_assert(n_in == 2 && n_out == 2);
    for (int k = 0; k < 2; k++) {
        if (!gn_function_needs_grad(context, k))
            continue;
        gn_tensor *other = gn_function_saved(context, 1 - k);
        gn_tensor *g = grads[0] ? gn_mul_scalar(gn_mul(grads[0], other), s->scale) : NULL;
        out[k] = g && grads[1] ? gn_add(g, grads[1]) : g ? g : grads[1];
    }
    return gn_error_status();
}

static const gn_function product = {
    .name = "product", .forward = forward, .backward = backward, .state_bytes = sizeof(scaled)};

START_TEST(test_two_outputs) {
    gn_tensor *a = gn_requires_grad_(gn_full(GN_SHAPE(2), 2, NULL), true),
              *b = gn_full(GN_SHAPE(2), 3, NULL);
    gn_tensor *in[] = {a, b}, *out[2];
    ck_assert_int_eq(gn_function_apply(&product, &(scaled){10}, in, 2, out, 2), GN_OK);
    EXPECT_VALUES(out[0], 0, 60, 60);
    ck_assert_str_eq(gn_grad_fn(out[1]), "product");
    gn_backward(gn_sum(gn_add(out[0], out[1])), .retain_graph = true);
    EXPECT_VALUES(gn_grad(a), 0, 31, 31);
    ck_assert_ptr_null(gn_grad(b));
    gn_set_grad(a, NULL);
    gn_backward(gn_sum(out[1])); /* the other output's gradient is NULL */
    EXPECT_VALUES(gn_grad(a), 0, 1, 1);
    bool was = gn_set_grad_enabled(false);
    ck_assert_int_eq(gn_function_apply(&product, &(scaled){1}, in, 2, out, 2), GN_OK);
    gn_set_grad_enabled(was);
    ck_assert(!gn_requires_grad(out[0]));
}
END_TEST

static gn_tensor *applied(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *out[2];
    gn_function_apply(&product, &(scaled){1.5}, in, 2, out, 2);
    return gn_mul(out[0], out[1]);
}

START_TEST(test_second_order) {
    if (!has_dtype(GN_F64))
        return;
    double values[] = {0.3, -0.7, 1.1};
    gn_tensor *in[] = {
        gn_tensor_from(values, GN_F64, GN_SHAPE(2), GN_AS(.requires_grad = true)),
        gn_tensor_from(values + 1, GN_F64, GN_SHAPE(2), GN_AS(.requires_grad = true))};
    gn_gradcheck_options o = {.struct_size = sizeof o, .second_order = true};
    gn_gradcheck(applied, NULL, 2, in, &o);
    ck_assert_str_eq(gn_error(), "");
}
END_TEST

/* An output that is an input is an output all the same. */
static gn_status same(gn_function_context *context, gn_tensor *const *in, int n_in, gn_tensor **out,
                      int n_out) {
    (void)n_in, (void)n_out;
    out[0] = in[0];
    return gn_function_save(context, out[0]);
}
static gn_status reversed(gn_function_context *context, gn_tensor *const *grads, int n_out,
                          gn_tensor **out, int n_in) {
    (void)context, (void)n_in, (void)n_out;
    out[0] = gn_neg(grads[0]);
    return gn_error_status();
}
static gn_status broken(gn_function_context *context, gn_tensor *const *in, int n_in,
                        gn_tensor **out, int n_out) {
    (void)context, (void)in, (void)n_in, (void)out, (void)n_out;
    return GN_E_UNSUPPORTED;
}
static gn_status missing(gn_function_context *context, gn_tensor *const *in, int n_in,
                         gn_tensor **out, int n_out) {
    (void)context, (void)in, (void)n_in, (void)n_out;
    out[0] = NULL;
    return GN_OK;
}
static gn_status misshapen(gn_function_context *context, gn_tensor *const *grads, int n_out,
                           gn_tensor **out, int n_in) {
    (void)context, (void)n_in, (void)n_out;
    out[0] = gn_sum(grads[0]);
    return gn_error_status();
}

START_TEST(test_identity) {
    static const gn_function reverse = {.name = "reverse", .forward = same, .backward = reversed};
    gn_tensor *x = gn_requires_grad_(gn_ones(2), true), *y;
    ck_assert_int_eq(gn_function_apply(&reverse, NULL, &x, 1, &y, 1), GN_OK);
    ck_assert(y != x && gn_is_leaf(x) && !gn_is_leaf(y));
    gn_backward(gn_sum(y));
    EXPECT_VALUES(gn_grad(x), 0, -1, -1);
}
END_TEST

START_TEST(test_errors) {
    static const gn_function fails = {.name = "fails", .forward = broken, .backward = reversed},
                             forgets = {
                                 .name = "forgets", .forward = missing, .backward = reversed};
    static const gn_function bends = {.name = "bends", .forward = same, .backward = misshapen};
    gn_tensor *x = gn_requires_grad_(gn_ones(2), true), *y = NULL;
    ck_assert_int_eq(gn_function_apply(&fails, NULL, &x, 1, &y, 1), GN_E_UNSUPPORTED);
    expect_error(GN_E_UNSUPPORTED, "fails: its forward failed");
    gn_function_apply(&forgets, NULL, &x, 1, &y, 1);
    expect_error(GN_E_ARGUMENT, "forgets: a tensor is NULL");
    gn_function_apply(&bends, NULL, &x, 1, &y, 1);
    gn_backward(gn_sum(y));
    expect_error(
        GN_E_INTERNAL,
        "bends: its backward gave a float32 gradient () for input 0, which is float32 (2)");
}
END_TEST

/* What can't be recorded can't be differentiated twice: an error, not a gradient without a part. */
static gn_status cube(gn_function_context *context, gn_tensor *const *in, int n_in, gn_tensor **out,
                      int n_out) {
    (void)n_in, (void)n_out;
    out[0] = gn_pow_scalar(in[0], 3);
    return gn_function_save(context, in[0]);
}
static gn_status cube_backward(gn_function_context *context, gn_tensor *const *grads, int n_out,
                               gn_tensor **out, int n_in) {
    (void)n_in, (void)n_out;
    ck_assert(!gn_is_grad_enabled());
    out[0] = gn_mul(grads[0], gn_mul_scalar(gn_square(gn_function_saved(context, 0)), 3));
    return gn_error_status();
}

START_TEST(test_once_differentiable) {
    static const gn_function function = {
        .name = "cube", .forward = cube, .backward = cube_backward, .once_differentiable = true};
    gn_tensor *x = gn_requires_grad_(gn_full(GN_SHAPE(2), 2, NULL), true), *y, *g, *second;
    gn_function_apply(&function, NULL, &x, 1, &y, 1);
    gn_gradients(gn_sum(y), 1, &x, &g, GN_OPTIONS(gn_backward_options, .create_graph = true));
    EXPECT_VALUES(g, 0, 12, 12);
    ck_assert_int_eq(gn_gradients(gn_sum(g), 1, &x, &second, NULL), GN_E_UNSUPPORTED);
    expect_error(GN_E_UNSUPPORTED, "cube: its gradient can't be differentiated again");
    gn_function_apply(&function, NULL, &x, 1, &y, 1);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    EXPECT_VALUES(gn_grad(x), 0, 12, 12);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_two_outputs, test_second_order,        test_identity,
                            test_errors,      test_once_differentiable, NULL};
    return suite_run("function", tests);
}
