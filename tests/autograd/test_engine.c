/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/autograd/engine.c and node.c: the walk, what it keeps, what it refuses. */
#include "tests/expect.h"
#include "tests/suite.h"

/* A leaf of n numbers 1, 2, .. */
static gn_tensor *leaf(int64_t n) {
    return gn_requires_grad_(gn_arange(1, (double)n + 1, 1, GN_AS(.dtype = GN_F32)), true);
}

/* Each gradient goes to its own input, whether or not the inputs before it need one. */
START_TEST(test_routing) {
    gn_tensor *plain = gn_full(GN_SHAPE(2), 5, NULL), *w = leaf(2);
    gn_backward(gn_sum(gn_mul(plain, w)));
    EXPECT_VALUES(gn_grad(w), 0, 5, 5);
    ck_assert_ptr_null(gn_grad(plain));
    gn_set_grad(w, NULL);
    gn_backward(gn_sum(gn_sub(plain, w)));
    EXPECT_VALUES(gn_grad(w), 0, -1, -1);
    gn_set_grad(w, NULL);
    gn_tensor *three[] = {plain, w, plain};
    gn_backward(gn_sum(gn_mul(gn_cat(three, 3, 0), gn_arange(0, 6, 1, NULL))));
    EXPECT_VALUES(gn_grad(w), 0, 2, 3);
    gn_set_grad(w, NULL);
    gn_backward(gn_sum(gn_matmul(gn_ones(3, 2), w)));
    EXPECT_VALUES(gn_grad(w), 0, 3, 3);
    gn_set_grad(w, NULL);
    gn_backward(gn_sum(gn_where(gn_gt_scalar(w, 1), plain, w)));
    EXPECT_VALUES(gn_grad(w), 0, 1, 0);
    ck_assert_str_eq(gn_error(), "");
}
END_TEST

/* Gradients add up over uses and over walks; a gradient is no alias of another. */
START_TEST(test_accumulation) {
    gn_tensor *x = leaf(2), *y = gn_add(x, x), *z = gn_add(gn_mul(y, x), y);
    gn_backward(gn_sum(z), .retain_graph = true);
    EXPECT_VALUES(gn_grad(x), 0, 6, 10);
    gn_backward(gn_sum(z));
    EXPECT_VALUES(gn_grad(x), 0, 12, 20);
    gn_tensor *a = leaf(2), *b = leaf(2), *g = gn_full(GN_SHAPE(2), 3, NULL);
    gn_backward(gn_add(a, b), .gradient = g);
    gn_fill_(gn_grad(a), 0);
    EXPECT_VALUES(gn_grad(b), 0, 3, 3);
    EXPECT_VALUES(g, 0, 3, 3);
    gn_backward(a, .gradient = g); /* a leaf itself */
    EXPECT_VALUES(gn_grad(a), 0, 3, 3);
    gn_tensor *expanded = leaf(1);
    gn_backward(gn_sum(gn_expand(expanded, 4)));
    EXPECT_VALUES(gn_grad(expanded), 0, 4);
    ck_assert(gn_is_contiguous(gn_grad(expanded)));
    gn_set_grad(a, gn_expand(gn_ones(1), 2)); /* elements that share memory are not added to */
    gn_backward(a, .gradient = gn_arange(0, 2, 1, GN_AS(.dtype = GN_F32)));
    EXPECT_VALUES(gn_grad(a), 0, 1, 2);
}
END_TEST

START_TEST(test_second_walk) {
    gn_tensor *x = leaf(2), *y = gn_sum(gn_exp(x));
    gn_backward(y);
    ck_assert_int_eq(gn_backward(y), GN_E_STATE);
    expect_error(GN_E_STATE,
                 "exp: backward through the graph a second time, but its saved tensors are freed: "
                 "set .retain_graph = true in the first");
    EXPECT_VALUES(gn_grad(x), 1e-5, 2.7182818, 7.3890561);
    gn_tensor *linear = gn_sum(gn_mul_scalar(x, 2)); /* saves nothing: may be walked again */
    gn_backward(linear);
    gn_backward(linear);
    EXPECT_VALUES(gn_grad(x), 1e-5, 6.7182818, 11.3890561);
}
END_TEST

START_TEST(test_refusals) {
    gn_tensor *x = leaf(2), *plain = gn_ones(2);
    ck_assert_int_eq(gn_backward(gn_sum(plain)), GN_E_STATE);
    expect_error(GN_E_STATE,
                 "backward: the tensor does not require a gradient: nothing that it was computed "
                 "from does");
    ck_assert_int_eq(gn_backward(gn_mul(x, x)), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT,
                 "backward: a tensor of shape (2) needs .gradient, only one element does not");
    ck_assert_int_eq(gn_backward(gn_mul(x, x), .gradient = gn_ones(3)), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "backward: gradient (3) does not fit the tensor (2)");
    gn_tensor *out;
    ck_assert_int_eq(gn_gradients(gn_sum(x), 1, &plain, &out, NULL), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "gradients: input 0 does not require a gradient");
    gn_backward(NULL);
    expect_error(GN_E_ARGUMENT, "backward: a tensor is NULL");
    ck_assert_ptr_null(gn_grad(x));
}
END_TEST

START_TEST(test_bad_inputs) {
    gn_tensor *x = leaf(2), *y = gn_sum(gn_square(x)), *plain = gn_ones(2), *none = NULL, *out;
    ck_assert_int_eq(gn_gradients(y, 0, &x, &out, NULL), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "gradients: no input is given");
    gn_gradients(y, 1, &x, NULL, NULL);
    expect_error(GN_E_ARGUMENT, "gradients: out is NULL");
    gn_gradients(y, -1, &x, &out, NULL);
    expect_error(GN_E_ARGUMENT, "gradients: -1 inputs");
    gn_gradients(y, 1, &none, &out, NULL);
    expect_error(GN_E_ARGUMENT, "gradients: a tensor is NULL");
    gn_backward(y, .n_inputs = 1);
    expect_error(GN_E_ARGUMENT, "backward: 1 inputs, but the array is NULL");
    gn_backward(y, .n_inputs = 1, .inputs = &plain);
    expect_error(GN_E_ARGUMENT, "backward: input 0 does not require a gradient");
    ck_assert_ptr_null(gn_grad(x));
    ck_assert_int_eq(gn_backward(y), GN_OK); /* nothing was freed */
}
END_TEST

/* A walk for given inputs leaves the rest as it is: not freed, without gradient. */
START_TEST(test_given_inputs) {
    gn_tensor *x = leaf(2), *w = leaf(2), *e = gn_exp(w), *z = gn_sum(gn_mul(gn_square(x), e)), *g;
    ck_assert_int_eq(gn_gradients(z, 1, &w, &g, NULL), GN_OK);
    EXPECT_VALUES(g, 1e-5, 2.7182818, 4 * 7.3890561);
    ck_assert_int_eq(gn_backward(gn_sum(gn_square(x))), GN_OK);
    gn_set_grad(x, NULL);
    gn_tensor *y = gn_mul(x, w), *apart = gn_sum(gn_exp(y));
    gn_gradients(gn_add(gn_sum(gn_square(x)), gn_mul_scalar(apart, 0)), 1, &w, &g, NULL);
    EXPECT_VALUES(g, 0, 0, 0);
    ck_assert_int_eq(gn_backward(apart), GN_E_STATE); /* that one was on the way */
    gn_error_clear();
    gn_tensor *both[] = {x, w}, *q = gn_sum(gn_mul(x, w));
    gn_backward(q, .inputs = both, .n_inputs = 1, .retain_graph = true);
    EXPECT_VALUES(gn_grad(x), 0, 1, 2);
    ck_assert_ptr_null(gn_grad(w));
    gn_backward(q, .inputs = both, .n_inputs = 2);
    EXPECT_VALUES(gn_grad(x), 0, 2, 4);
    EXPECT_VALUES(gn_grad(w), 0, 1, 2);
}
END_TEST

/* Gradients of micro-batches add up to that of the batch. */
START_TEST(test_micro_batches) {
    gn_tensor *x = gn_rand(8, 3), *w = gn_requires_grad_(gn_rand(3, 2), true), *whole;
    gn_backward(gn_mean(gn_square(gn_matmul(x, w))));
    whole = gn_retain(gn_grad(w));
    gn_set_grad(w, NULL);
    for (int i = 0; i < 4; i++)
        gn_backward(gn_div_scalar(gn_mean(gn_square(gn_matmul(gn_narrow(x, 0, 2 * i, 2), w))), 4));
    expect_close("micro-batches", gn_grad(w), whole);
    gn_release(whole);
}
END_TEST

START_TEST(test_gradients) {
    gn_tensor *x = leaf(2), *other = leaf(1), *y = gn_mul(x, x), *z = gn_sum(gn_mul(y, x));
    gn_tensor *in[] = {x, y, other, x}, *out[4];
    ck_assert_int_eq(gn_gradients(z, 4, in, out, NULL), GN_OK);
    EXPECT_VALUES(out[0], 0, 3, 12);
    EXPECT_VALUES(out[1], 0, 1, 2);
    ck_assert_ptr_null(out[2]);
    EXPECT_VALUES(out[3], 0, 3, 12);
    ck_assert_ptr_null(gn_grad(x));
    /* d/dx of (d/dx x^3)^2 = 36 x^3 */
    gn_tensor *cube = gn_sum(gn_pow_scalar(x, 3)), *g;
    ck_assert_int_eq(
        gn_gradients(cube, 1, &x, &g, GN_OPTIONS(gn_backward_options, .create_graph = true)),
        GN_OK);
    ck_assert(gn_requires_grad(g));
    gn_backward(gn_sum(gn_square(g)));
    EXPECT_VALUES(gn_grad(x), 1e-5, 36, 288);
}
END_TEST

START_TEST(test_modes) {
    gn_tensor *x = leaf(2);
    ck_assert(gn_is_grad_enabled());
    bool was = gn_set_grad_enabled(false);
    gn_tensor *y = gn_mul(x, x);
    ck_assert(was && !gn_requires_grad(y) && gn_is_leaf(y) && !gn_is_grad_enabled());
    ck_assert(!gn_set_grad_enabled(true));
    ck_assert(!gn_requires_grad(gn_detach(gn_mul(x, x))));
    ck_assert(!gn_requires_grad(gn_eq(x, x)) && !gn_requires_grad(gn_argmax_all(x)));
    ck_assert_str_eq(gn_grad_fn(gn_mul(x, x)), "mul");
    ck_assert_ptr_null(gn_grad_fn(x));
}
END_TEST

/* A chain and a fan of 100,000 operations: neither the walk nor freeing recurses. */
START_TEST(test_long) {
    enum { LENGTH = 100000 };
    gn_tensor *x = gn_requires_grad_(gn_ones(1), true);
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = gn_retain(gn_mul_scalar(x, 1));
    for (int i = 0; i < LENGTH; i++) {
        gn_scope inner = gn_scope_begin();
        gn_tensor *next = gn_retain(i % 2 ? gn_neg(y) : gn_mul(y, y));
        gn_scope_end(inner);
        gn_release(y);
        y = next;
        if (i % 1000 == 0) { /* keeps the value at 1: x^2 and -x */
            gn_tensor *back = gn_retain(gn_abs(y));
            gn_release(y);
            y = back;
        }
    }
    ck_assert_str_eq(gn_error(), "");
    gn_tensor *sum = gn_sum(y), *g;
    gn_gradients(sum, 1, &y, &g, GN_OPTIONS(gn_backward_options, .retain_graph = true));
    EXPECT_VALUES(g, 0, 1); /* looks through the whole graph, walks a step of it */
    ck_assert_int_eq(gn_backward(sum), GN_OK);
    ck_assert_ptr_nonnull(gn_grad(x));
    gn_release(y);
    gn_scope_end(scope);
}
END_TEST

START_TEST(test_fan) {
    gn_tensor *x = gn_requires_grad_(gn_ones(1), true), *sum = gn_zeros(1);
    gn_scope scope = gn_scope_begin();
    for (int i = 0; i < 2000; i++)
        sum = gn_add(sum, gn_mul_scalar(x, 2));
    gn_backward(sum);
    EXPECT_VALUES(gn_grad(x), 0, 4000);
    gn_scope_end(scope);
}
END_TEST

/* Mixed dtypes: each gradient has the dtype of its input. */
START_TEST(test_dtypes) {
    gn_tensor *h = gn_requires_grad_(gn_ones_with(GN_SHAPE(3), GN_AS(.dtype = GN_BF16)), true),
              *f = leaf(3);
    if (!has_dtype(GN_BF16))
        return;
    gn_backward(gn_sum(gn_matmul(gn_mul(h, f), gn_add(f, h))));
    ck_assert_int_eq(gn_dtype_of(gn_grad(h)), GN_BF16);
    ck_assert_int_eq(gn_dtype_of(gn_grad(f)), GN_F32);
    EXPECT_VALUES(gn_grad(f), 1e-6, 3, 5, 7);
    EXPECT_VALUES(gn_grad(h), 1e-2, 3, 8, 15);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_routing,
                            test_accumulation,
                            test_second_walk,
                            test_refusals,
                            test_bad_inputs,
                            test_given_inputs,
                            test_micro_batches,
                            test_gradients,
                            test_modes,
                            test_long,
                            test_fan,
                            test_dtypes,
                            NULL};
    return suite_run("engine", tests);
}
