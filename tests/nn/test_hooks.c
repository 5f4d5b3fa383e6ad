/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the hooks of modules: libgenesis/nn/forward.c. */
#include <string.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* ---- Hooks that write down what they see */

typedef struct record {
    char calls[64];
    gn_tensor *value, *other; /* of the last call, retained */
    int64_t handle;           /* removed in the call, if set */
} record;

static void keep(record *r, char what, gn_tensor *value, gn_tensor *other) {
    const size_t n = strlen(r->calls);
    ck_assert_uint_lt(n + 1, sizeof r->calls);
    r->calls[n] = what;
    gn_retain(value);
    gn_retain(other);
    gn_release(r->value);
    gn_release(r->other);
    r->value = value;
    r->other = other;
}

static void forget(record *r) {
    gn_release(r->value);
    gn_release(r->other);
    *r = (record){.value = NULL};
}

static gn_tensor *see_pre(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    (void)m;
    keep(context, 'p', value, other);
    return NULL;
}

static gn_tensor *see(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    record *r = context;
    keep(r, 's', value, other);
    if (r->handle)
        gn_remove_module_hook(m, r->handle);
    return NULL;
}

static gn_tensor *twice(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    (void)m;
    (void)other;
    (void)context;
    return gn_mul_scalar(value, 2);
}

static gn_tensor *fails(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    (void)m;
    (void)other;
    (void)context;
    return gn_matmul(value, gn_zeros(7, 7));
}

static gn_tensor *misshapes(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    (void)m;
    (void)other;
    (void)context;
    return gn_sum(value);
}

/* y = x w^T, w = ((1, 2), (3, 4)) */
static gn_module *layer(void) {
    gn_module *m = gn_nn_linear(2, 2, .no_bias = true);
    gn_set_parameter(m, "weight", gn_tensor_of(((float[]){1, 2, 3, 4}), 2, 2));
    return m;
}

static gn_tensor *input(void) { return gn_tensor_of(((float[]){1, 10}), 1, 2); }

/* ---- Forward */

START_TEST(test_forward_hooks) {
    record r = {.value = NULL};
    gn_module *m = layer();
    gn_tensor *x = input();
    int64_t pre = gn_register_forward_pre_hook(m, see_pre, &r),
            after = gn_register_forward_hook(m, see, &r);
    ck_assert_int_gt(pre, 0);
    ck_assert_int_gt(after, pre);
    gn_tensor *y = gn_forward(m, x);
    ck_assert_str_eq(r.calls, "ps");
    ck_assert_ptr_eq(r.value, y);
    ck_assert_ptr_eq(r.other, x);
    ck_assert_int_eq(gn_remove_module_hook(m, pre), GN_OK);
    gn_forward(m, x);
    ck_assert_str_eq(r.calls, "pss");
    ck_assert_int_eq(gn_remove_module_hook(m, after), GN_OK);
    gn_forward(m, x);
    ck_assert_str_eq(r.calls, "pss");
    ck_assert_int_ne(gn_remove_module_hook(m, after), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "remove_module_hook: Linear has no hook 2");
    forget(&r);
}
END_TEST

START_TEST(test_replacing) {
    record r = {.value = NULL};
    gn_module *m = layer();
    gn_tensor *x = input();
    gn_register_forward_pre_hook(m, twice, NULL);
    gn_register_forward_pre_hook(m, see_pre, &r); /* sees what the one before made of it */
    EXPECT_VALUES(gn_detach(gn_forward(m, x)), 0, 42, 86);
    EXPECT_VALUES(r.value, 0, 2, 20);
    gn_register_forward_hook(m, twice, NULL);
    EXPECT_VALUES(gn_detach(gn_forward(gn_nn_sequential(m), x)), 0, 84, 172);
    forget(&r);
}
END_TEST

/* A hook that removes itself runs once, and the next one runs all the same. */
START_TEST(test_removing_itself) {
    record first = {.value = NULL}, second = {.value = NULL};
    gn_module *m = layer();
    first.handle = gn_register_forward_hook(m, see, &first);
    gn_register_forward_hook(m, see, &second);
    gn_forward(m, input());
    gn_forward(m, input());
    ck_assert_str_eq(first.calls, "s");
    ck_assert_str_eq(second.calls, "ss");
    forget(&first);
    forget(&second);
}
END_TEST

START_TEST(test_loss_hooks) {
    record r = {.value = NULL};
    gn_module *loss = gn_nn_mse_loss();
    gn_register_forward_hook(loss, see, &r);
    gn_tensor *x = input(), *y = gn_loss(loss, x, gn_zeros(1, 2));
    ck_assert_ptr_eq(r.value, y);
    ck_assert_ptr_eq(r.other, x);
    forget(&r);
}
END_TEST

/* ---- Backward */

START_TEST(test_backward_hook) {
    record r = {.value = NULL};
    gn_module *m = layer();
    gn_tensor *x = gn_requires_grad_(input(), true);
    gn_register_full_backward_hook(m, see, &r);
    gn_tensor *y = gn_forward(m, gn_mul_scalar(x, 1)), *up = gn_tensor_of(((float[]){1, -1}), 1, 2);
    ck_assert_str_eq(r.calls, "");
    gn_backward(gn_sum(gn_mul(y, up)));
    ck_assert_str_eq(r.calls, "s"); /* once */
    EXPECT_VALUES(r.other, 0, 1, -1);
    EXPECT_VALUES(r.value, 0, -2, -2);
    EXPECT_VALUES(gn_grad(x), 0, -2, -2);
    EXPECT_VALUES(gn_grad(gn_get_parameter(m, "weight")), 0, 1, 10, -1, -10);
    gn_set_grad(x, NULL);
    gn_register_full_backward_hook(m, twice, NULL);
    gn_backward(gn_sum(gn_forward(m, x)));
    EXPECT_VALUES(gn_grad(x), 0, 8, 12);
    forget(&r);
}
END_TEST

/* A module whose input needs no gradient still sees that of its output. */
START_TEST(test_backward_without_input) {
    record r = {.value = NULL};
    gn_module *m = layer();
    gn_register_full_backward_hook(m, see, &r);
    gn_backward(gn_sum(gn_forward(m, input())));
    ck_assert_str_eq(r.calls, "s");
    ck_assert_ptr_null(r.value);
    EXPECT_VALUES(r.other, 0, 1, 1);
    EXPECT_VALUES(gn_grad(gn_get_parameter(m, "weight")), 0, 1, 10, 1, 10);
    bool was = gn_set_grad_enabled(false);
    ck_assert_ptr_nonnull(gn_forward(m, input()));
    gn_set_grad_enabled(was);
    forget(&r);
}
END_TEST

/* The graph keeps the module that its hooks are of; second derivatives pass through. */
START_TEST(test_backward_outlives) {
    gn_tensor *x = gn_requires_grad_(input(), true);
    gn_scope scope = gn_scope_begin();
    gn_module *m = gn_nn_sequential(layer(), gn_nn_tanh());
    gn_register_full_backward_hook(m, twice, NULL);
    gn_tensor *loss = gn_scope_end_with(scope, gn_sum(gn_forward(m, x)));
    gn_tensor *first, *second;
    ck_assert_int_eq(gn_gradients(loss, 1, &x, &first,
                                  &(gn_backward_options){.struct_size = sizeof(gn_backward_options),
                                                         .create_graph = true}),
                     GN_OK);
    ck_assert_int_eq(gn_gradients(gn_sum(first), 1, &x, &second, NULL), GN_OK);
    ck_assert_ptr_nonnull(second);
}
END_TEST

START_TEST(test_hook_errors) {
    gn_module *m = layer(), *n = layer();
    ck_assert_int_lt(gn_register_forward_hook(m, NULL, NULL), 0);
    expect_error_with(GN_E_ARGUMENT, "register_forward_hook: the function is NULL");
    ck_assert_int_lt(gn_register_full_backward_hook(NULL, see, NULL), 0);
    expect_error_with(GN_E_ARGUMENT, "register_full_backward_hook: the module is NULL");
    gn_register_forward_pre_hook(m, fails, NULL);
    ck_assert_ptr_null(gn_forward(m, input()));
    expect_error_with(GN_E_ARGUMENT, "matmul");
    gn_module *in_place = gn_nn_relu(.inplace = true);
    gn_register_full_backward_hook(in_place, see, NULL);
    gn_tensor *v = gn_requires_grad_(input(), true);
    ck_assert_ptr_null(gn_forward(in_place, gn_mul_scalar(v, 1)));
    expect_error_with(GN_E_STATE, "ReLU: it has full backward hooks, and changes its input");
    gn_register_full_backward_hook(n, misshapes, NULL);
    gn_tensor *x = gn_requires_grad_(input(), true);
    ck_assert_int_ne(gn_backward(gn_sum(gn_forward(n, x))), GN_OK);
    expect_error_with(GN_E_ARGUMENT, "it turned a float32 gradient (1, 2) into a float32 one ()");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_forward_hooks,     test_replacing,     test_removing_itself,
                            test_loss_hooks,        test_backward_hook, test_backward_without_input,
                            test_backward_outlives, test_hook_errors,   NULL};
    return suite_run("hooks", tests);
}
