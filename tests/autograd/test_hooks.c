/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/autograd/hooks.c. What PyTorch's hooks see is compared in test_scenes.c. */
#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *leaf(int64_t n) {
    return gn_requires_grad_(gn_arange(1, (double)n + 1, 1, GN_AS(.dtype = GN_F32)), true);
}

static gn_tensor *twice(gn_tensor *g, void *context) {
    ++*(int *)context;
    return gn_mul_scalar(g, 2);
}
static gn_tensor *look(gn_tensor *g, void *context) {
    (void)g;
    ++*(int *)context;
    return NULL;
}
static gn_tensor *wrong_shape(gn_tensor *g, void *context) {
    (void)context;
    return gn_sum(g);
}

START_TEST(test_hooks) {
    gn_tensor *x = leaf(2), *y = gn_mul_scalar(x, 3);
    int seen = 0, looked = 0;
    int64_t first = gn_register_hook(x, twice, &seen), second = gn_register_hook(y, twice, &seen);
    ck_assert(first > 0 && second > 0 && gn_register_hook(y, look, &looked) > second);
    gn_tensor *z = gn_sum(gn_add(y, y));
    gn_backward(z, .retain_graph = true);
    EXPECT_VALUES(gn_grad(x), 0, 24, 24); /* once each, after adding up */
    ck_assert(seen == 2 && looked == 1);
    ck_assert_int_eq(gn_remove_hook(y, second), GN_OK);
    gn_set_grad(x, NULL);
    gn_backward(z);
    EXPECT_VALUES(gn_grad(x), 0, 12, 12);
    ck_assert_int_eq(gn_remove_hook(y, second), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "remove_hook: the tensor has no hook 1");
    ck_assert_int_lt(gn_register_hook(gn_ones(1), look, NULL), 0);
    expect_error(GN_E_ARGUMENT, "register_hook: the tensor does not require a gradient");
    ck_assert_int_lt(gn_register_hook(x, NULL, NULL), 0);
    expect_error(GN_E_ARGUMENT, "register_hook: the function is NULL");
    gn_tensor *w = leaf(2);
    gn_register_hook(w, wrong_shape, NULL);
    gn_backward(gn_sum(w));
    expect_error_with(GN_E_ARGUMENT, "hook: it turned a float32 gradient (2) on ");
    ck_assert_ptr_null(gn_grad(w));
}
END_TEST

START_TEST(test_retain_grad) {
    gn_tensor *x = leaf(2), *y = gn_mul_scalar(x, 3), *z = gn_mul(y, y);
    ck_assert_int_eq(gn_retain_grad(y), GN_OK);
    gn_backward(gn_sum(z), .retain_graph = true);
    EXPECT_VALUES(gn_grad(y), 0, 6, 12);
    gn_backward(gn_sum(z));
    EXPECT_VALUES(gn_grad(y), 0, 12, 24);
    EXPECT_VALUES(gn_grad(x), 0, 36, 72);
    ck_assert_ptr_null(gn_grad(z));
    ck_assert_int_eq(gn_retain_grad(x), GN_OK);
    ck_assert_int_eq(gn_retain_grad(gn_ones(1)), GN_E_STATE);
    expect_error(GN_E_STATE, "retain_grad: the tensor does not require a gradient");
}
END_TEST

/* A hook that removes itself, one that registers another, one that walks a graph of its own. */
typedef struct busy {
    gn_tensor *t;
    int64_t handle;
    int ran, inner;
} busy;

static gn_tensor *leaving(gn_tensor *g, void *context) {
    busy *b = context;
    (void)g;
    b->ran++;
    ck_assert_int_eq(gn_remove_hook(b->t, b->handle), GN_OK);
    return NULL;
}
static gn_tensor *inviting(gn_tensor *g, void *context) {
    busy *b = context;
    (void)g;
    ck_assert_int_gt(gn_register_hook(b->t, look, &b->inner), 0);
    return NULL;
}
static gn_tensor *walking(gn_tensor *g, void *context) {
    gn_tensor *w = leaf(2);
    bool was = gn_set_grad_enabled(true);
    gn_backward(gn_sum(gn_square(w)));
    gn_set_grad_enabled(was);
    ++*(int *)context;
    return gn_mul(g, gn_grad(w));
}

START_TEST(test_busy_hooks) {
    gn_tensor *x = leaf(2), *y = gn_mul_scalar(x, 3), *z = gn_sum(y);
    busy b = {.t = y};
    int last = 0;
    b.handle = gn_register_hook(y, leaving, &b);
    gn_register_hook(y, inviting, &b);
    gn_register_hook(y, walking, &last);
    gn_backward(z, .retain_graph = true);
    ck_assert(b.ran == 1 && b.inner == 0 && last == 1); /* the next one was not skipped */
    EXPECT_VALUES(gn_grad(x), 0, 6, 12);
    gn_backward(z, .retain_graph = true);
    ck_assert(b.ran == 1 && b.inner == 1 && last == 2);
}
END_TEST

/* Hooks of the value before a change in place are removed by their handles all the same. */
START_TEST(test_handles_in_place) {
    gn_tensor *x = leaf(2), *y = gn_mul_scalar(x, 3);
    int before = 0, after = 0;
    int64_t first = gn_register_hook(y, look, &before);
    gn_mul_scalar_(y, 2);
    int64_t second = gn_register_hook(y, look, &after);
    ck_assert(second != first);
    ck_assert_int_eq(gn_remove_hook(y, first), GN_OK);
    gn_backward(gn_sum(y));
    ck_assert(before == 0 && after == 1);
    ck_assert_int_eq(gn_remove_hook(y, second), GN_OK);
    ck_assert_int_eq(gn_remove_hook(y, second), GN_E_ARGUMENT);
    gn_error_clear();
}
END_TEST

/* A step of SGD as soon as a leaf's gradient is there, and the gradient forgotten. */
static void step(gn_tensor *t, void *context) {
    ++*(int *)context;
    bool was = gn_set_grad_enabled(false);
    gn_sub_(t, gn_mul_scalar(gn_grad(t), 0.5));
    gn_set_grad_enabled(was);
    gn_set_grad(t, NULL);
}

START_TEST(test_post_accumulate) {
    gn_tensor *x = leaf(2), *w = leaf(2);
    int steps = 0, looked = 0;
    int64_t handle = gn_register_post_accumulate_grad_hook(x, step, &steps);
    ck_assert_int_gt(handle, 0);
    gn_register_hook(x, look, &looked); /* comes first, although it was registered later */
    gn_backward(gn_sum(gn_mul(gn_add(x, x), w)));
    ck_assert(steps == 1 && looked == 1);
    EXPECT_VALUES(x, 0, 0, 0);
    ck_assert_ptr_null(gn_grad(x));
    gn_tensor *g;
    gn_gradients(gn_sum(gn_mul(x, w)), 1, &x, &g, NULL); /* accumulates nothing */
    ck_assert(steps == 1 && looked == 2);
    ck_assert_int_eq(gn_remove_hook(x, handle), GN_OK);
    gn_backward(gn_sum(x));
    ck_assert_int_eq(steps, 1);
    ck_assert_int_lt(gn_register_post_accumulate_grad_hook(gn_exp(w), step, NULL), 0);
    expect_error(GN_E_ARGUMENT, "register_post_accumulate_grad_hook: the tensor is the result of "
                                "exp: gradients accumulate in leaves only");
    ck_assert_int_lt(gn_register_post_accumulate_grad_hook(gn_ones(1), step, NULL), 0);
    expect_error(GN_E_ARGUMENT,
                 "register_post_accumulate_grad_hook: the tensor does not require a gradient");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_hooks,           test_retain_grad,
                            test_busy_hooks,      test_handles_in_place,
                            test_post_accumulate, NULL};
    return suite_run("hooks", tests);
}
