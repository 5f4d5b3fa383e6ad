/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of libgenesis/autograd/history.c: in-place changes and the versions of data. Changes
 * through views are compared with PyTorch in genesis-conform and test_scenes.
 */
#include <genesis/device.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *leaf(int64_t n) {
    return gn_requires_grad_(gn_arange(1, (double)n + 1, 1, GN_AS(.dtype = GN_F32)), true);
}

/* Leaves are not changed while recording; without recording they are. */
START_TEST(test_leaves) {
    gn_tensor *x = leaf(2);
    ck_assert_ptr_null(gn_add_scalar_(x, 1));
    expect_error(GN_E_STATE,
                 "add_scalar_: in place on a leaf that requires a gradient: change it with "
                 "gn_set_grad_enabled(false), or use the form without _");
    ck_assert_ptr_null(gn_zero_(gn_select(x, 0, 0)));
    expect_error(GN_E_STATE, "fill_: in place on a view of a leaf that requires a gradient");
    EXPECT_VALUES(x, 0, 1, 2);
    bool was = gn_set_grad_enabled(false);
    ck_assert_ptr_eq(gn_add_scalar_(x, 1), x);
    gn_zero_(gn_select(x, 0, 0));
    gn_set_grad_enabled(was);
    EXPECT_VALUES(x, 0, 0, 3);
    ck_assert(gn_is_leaf(x) && gn_requires_grad(x));
    gn_tensor *y = gn_detach(x); /* shares the data, not the history */
    ck_assert_ptr_nonnull(gn_add_scalar_(y, 1));
    EXPECT_VALUES(x, 0, 1, 4);
}
END_TEST

/* A change whose gradient needs no values takes no memory; one whose gradient needs its result
 * keeps that, so that the next change does no harm. */
START_TEST(test_cost) {
    gn_tensor *x = leaf(3), *y = gn_add_scalar(x, -2), *b = leaf(3);
    gn_memory_stats before, after;
    gn_memory_stats_get(NULL, &before);
    gn_add_(gn_mul_scalar_(y, 2), b);
    gn_memory_stats_get(NULL, &after);
    ck_assert_uint_eq(after.allocations, before.allocations);
    gn_sub_(gn_select(y, 0, 1), gn_select(y, 0, 2));
    EXPECT_VALUES(y, 0, -1, -3, 5);
    gn_relu_(y);
    gn_mul_scalar_(y, 3);
    EXPECT_VALUES(y, 0, 0, 0, 15);
    gn_backward(gn_sum(y));
    EXPECT_VALUES(gn_grad(x), 0, 0, 0, 6);
    EXPECT_VALUES(gn_grad(b), 0, 0, 0, 3);
}
END_TEST

/* What a gradient needs must be what it was. */
START_TEST(test_versions) {
    gn_tensor *x = leaf(2), *a = gn_mul_scalar(x, 2), *y = gn_mul(a, a);
    gn_add_scalar_(a, 1);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_E_STATE);
    expect_error(GN_E_STATE,
                 "mul: a tensor of shape (2) that its gradient needs was changed in place 1 "
                 "time(s) since");
    gn_tensor *e = gn_exp(gn_mul_scalar(x, 1)); /* saves its own result */
    gn_zero_(gn_select(e, 0, 1));
    gn_relu_(e);
    ck_assert_int_eq(gn_backward(gn_sum(e)), GN_E_STATE);
    expect_error(GN_E_STATE,
                 "exp: a tensor of shape (2) that its gradient needs was changed in place 2 "
                 "time(s) since");
    gn_tensor *sum = gn_add_scalar(x, 1); /* needs no values: may be changed */
    gn_mul_scalar_(sum, 3);
    gn_backward(gn_sum(sum));
    EXPECT_VALUES(gn_grad(x), 0, 3, 3);
    gn_tensor *p = gn_mul_scalar(x, 1), *q = gn_mul(p, x), *alias = gn_detach(p);
    gn_fill_(alias, 0); /* through an alias */
    ck_assert_int_eq(gn_backward(gn_sum(q)), GN_E_STATE);
    gn_error_clear();
}
END_TEST

/* A tensor without history gets one from what is written into it, and so do its views. */
START_TEST(test_adoption) {
    gn_tensor *x = leaf(3), *buffer = gn_zeros(2, 3), *early = gn_select(buffer, 0, 1);
    ck_assert(!gn_requires_grad(buffer));
    gn_copy_(early, x);
    ck_assert(gn_requires_grad(buffer) && gn_requires_grad(early) && !gn_is_leaf(buffer));
    gn_tensor *late = gn_select(buffer, 0, 1), *first = gn_select(buffer, 0, 0);
    gn_copy_(first, gn_mul_scalar(x, 10));
    gn_backward(gn_sum(gn_mul(gn_mul(early, late), first)));
    EXPECT_VALUES(gn_grad(x), 1e-6, 30, 120, 270);
    /* views made before, and asked only after the base has changed */
    gn_tensor *base = gn_zeros(3), *view = gn_slice(base, 0, 1, 3, 1);
    gn_copy_(base, x);
    gn_set_grad(x, NULL);
    gn_backward(gn_sum(gn_mul(view, view)));
    EXPECT_VALUES(gn_grad(x), 0, 0, 4, 6);
    /* a view made without recording, changed while recording */
    gn_tensor *b = gn_mul_scalar(x, 1);
    bool was = gn_set_grad_enabled(false);
    gn_tensor *v = gn_slice(b, 0, 0, 2, 1);
    gn_set_grad_enabled(was);
    gn_mul_scalar_(v, 5);
    gn_set_grad(x, NULL);
    gn_backward(gn_sum(b));
    EXPECT_VALUES(gn_grad(x), 0, 5, 5, 1);
}
END_TEST

/* Views that one operation made may be changed like others (PyTorch refuses that). */
START_TEST(test_parts) {
    gn_tensor *x = leaf(4), *y = gn_mul_scalar(x, 2), *part[2];
    ck_assert_int_eq(gn_chunk(y, 2, 0, part, 2), 2);
    gn_mul_(part[1], gn_slice(x, 0, 0, 2, 1)); /* y = 2, 4, 6 x0, 8 x1 */
    gn_backward(gn_sum(y), .retain_graph = true);
    EXPECT_VALUES(gn_grad(x), 0, 8, 10, 2, 4);
    gn_set_grad(x, NULL);
    gn_backward(gn_sum(part[1]));
    EXPECT_VALUES(gn_grad(x), 0, 6, 8, 2, 4);
    /* a leaf stays refused through a view of a view, and through parts */
    gn_tensor *w = leaf(4);
    gn_chunk(w, 2, 0, part, 2);
    ck_assert_ptr_null(gn_zero_(part[0]));
    expect_error(GN_E_STATE, "fill_: in place on a view of a leaf that requires a gradient");
    ck_assert_ptr_null(gn_add_scalar_(gn_view(gn_slice(w, 0, 1, 3, 1), 2, 1), 1));
    expect_error(GN_E_STATE, "add_scalar_: in place on a view of a leaf that requires a gradient");
    EXPECT_VALUES(w, 0, 1, 2, 3, 4);
    ck_assert_ptr_null(gn_mul_scalar_(gn_expand(gn_mul_scalar(w, 1), 2, 4), 2));
    expect_error(GN_E_ARGUMENT,
                 "mul_scalar_: elements of an expanded tensor share memory: gn_clone "
                 "it before changing it in place");
}
END_TEST

/* What is overwritten by numbers has no gradient. */
START_TEST(test_overwriting) {
    gn_tensor *x = leaf(2), *y[4];
    for (int i = 0; i < 4; i++)
        y[i] = gn_mul_scalar(x, 2);
    gn_fill_(y[0], 1);
    gn_uniform_(y[1], 0, 1, NULL);
    gn_normal_(y[2], 0, 1, NULL);
    gn_copy_in(y[3], (float[]){5, 6}, GN_F32, 2);
    EXPECT_VALUES(y[3], 0, 5, 6);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(gn_backward(gn_sum(gn_add(y[i], gn_mul_scalar(x, 0)))), GN_OK);
        EXPECT_VALUES(gn_grad(x), 0, 0, 0);
    }
}
END_TEST

/* Under create_graph, in-place changes of views have second derivatives. */
static gn_tensor *changed(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *y = gn_square(in[0]), *turned = gn_clone(gn_transpose(y, 0, 1));
    gn_mul_(gn_select(turned, 0, 1), gn_select(in[0], 1, 0));
    gn_add_(gn_slice(turned, 1, 0, 1, 1), gn_sin(gn_clone(gn_slice(turned, 1, 1, 2, 1))));
    return gn_mul(turned, turned);
}

START_TEST(test_second_order) {
    if (!has_dtype(GN_F64))
        return;
    gn_tensor *in[] = {gn_tensor_from((double[]){0.3, -0.7, 1.1, 0.9}, GN_F64, GN_SHAPE(2, 2),
                                      GN_AS(.requires_grad = true))};
    gn_gradcheck_options o = {.struct_size = sizeof o, .second_order = true};
    gn_gradcheck(changed, NULL, 1, in, &o);
    ck_assert_str_eq(gn_error(), "");
}
END_TEST

START_TEST(test_properties) {
    gn_tensor *x = leaf(2), *y = gn_neg(x), *ints = gn_arange(0, 2, 1, NULL);
    ck_assert_ptr_null(gn_requires_grad_(ints, true));
    expect_error(GN_E_ARGUMENT, "requires_grad_: a int64 tensor can't require a gradient");
    ck_assert_ptr_null(gn_requires_grad_(y, false));
    expect_error(GN_E_STATE, "requires_grad_: the tensor is the result of neg: use gn_detach");
    ck_assert_int_eq(gn_set_grad(x, gn_ones(3)), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert(gn_is_leaf(x) && !gn_is_leaf(y) && gn_requires_grad(y));
    ck_assert(!gn_requires_grad(gn_requires_grad_(x, false)));
    ck_assert(!gn_requires_grad(gn_neg(x)));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_leaves,       test_cost,       test_versions,
                            test_adoption,     test_parts,      test_overwriting,
                            test_second_order, test_properties, NULL};
    return suite_run("history", tests);
}
