/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/copy.c. */
#include <string.h>

#include "tests/cases.h"
#include "tests/suite.h"

static gn_tensor *run_cast(test_case *c) { return gn_cast(c->in[0], (gn_dtype)c->args[0]); }
static gn_tensor *run_clone(test_case *c) { return gn_clone(c->in[0]); }
static gn_tensor *run_contiguous(test_case *c) { return gn_contiguous(c->in[0]); }
static gn_tensor *run_copy_(test_case *c) { return gn_copy_(gn_clone(c->in[0]), c->in[1]); }
static gn_tensor *run_detach(test_case *c) { return gn_mul(gn_detach(c->in[0]), c->in[0]); }
static gn_tensor *run_fill_(test_case *c) { return gn_fill_(gn_clone(c->in[0]), c->args[0]); }

static gn_tensor *run_fill_view(test_case *c) {
    gn_tensor *y = gn_mul_scalar(c->in[0], 1);
    gn_fill_(gn_select(y, 1, 1), 3);
    return gn_mul(y, c->in[0]);
}

static gn_tensor *run_copy_view(test_case *c) {
    gn_tensor *z = gn_mul_scalar(gn_clone(gn_transpose(c->in[0], 0, 1)), 1);
    gn_copy_(gn_slice(z, 0, 1, 3, 1), c->in[1]);
    return gn_mul(z, z);
}

static const case_op ops[] = {
    {"cast", run_cast},           {"clone", run_clone},         {"contiguous", run_contiguous},
    {"copy_", run_copy_},         {"detach", run_detach},       {"fill_", run_fill_},
    {"fill_view", run_fill_view}, {"copy_view", run_copy_view},
};

START_TEST(test_cases) { cases_run("ops_copy.txt", ops, sizeof ops / sizeof *ops); }
END_TEST

START_TEST(test_same) {
    gn_tensor *x = gn_zeros(2, 3);
    ck_assert_ptr_eq(gn_cast(x, GN_F32), x);
    ck_assert_ptr_eq(gn_contiguous(x), x);
    ck_assert_ptr_eq(gn_to_device(x, gn_default_device()), x);
    gn_tensor *alias = gn_detach(x);
    gn_fill_(alias, 7);
    EXPECT_VALUES(x, 0, 7, 7, 7, 7, 7, 7);
}
END_TEST

/* Every device that the tests know, there and back, with the gradient. */
START_TEST(test_devices) {
    static const char *const names[] = {"cpu", "ref"};
    gn_tensor *x = gn_requires_grad_(gn_tensor_of(((float[]){1, 2, 3, 4, 5, 6}), 2, 3), true);
    for (int i = 0; i < 2; i++) {
        if (!gn_device_available(names[i]))
            continue;
        gn_tensor *there = gn_to_device(gn_transpose(x, 0, 1), names[i]);
        ck_assert_str_eq(gn_device_of(there), names[i]);
        EXPECT_VALUES(there, 0, 1, 4, 2, 5, 3, 6);
        gn_tensor *back = gn_to_device(gn_mul(there, there), gn_default_device());
        gn_set_grad(x, NULL);
        gn_backward(gn_sum(back));
        EXPECT_VALUES(gn_grad(x), 0, 2, 4, 6, 8, 10, 12);
    }
    if (gn_device_available("cpu") && gn_device_available("ref")) {
        gn_tensor *a = gn_zeros_with(GN_SHAPE(2), GN_AS(.device = "cpu"));
        gn_tensor *b = gn_zeros_with(GN_SHAPE(2), GN_AS(.device = "ref"));
        ck_assert_ptr_null(gn_add(a, b));
        expect_error(GN_E_ARGUMENT,
                     "add: tensors are on cpu and on ref: move one with gn_to_device");
        ck_assert_ptr_nonnull(gn_copy_(a, b));
    }
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_zeros(2, 3);
    ck_assert_ptr_null(gn_cast(x, GN_U32));
    expect_error(GN_E_ARGUMENT, "cast: 7 is no dtype of tensors");
    ck_assert_ptr_null(gn_copy_(x, gn_zeros(2, 2, 3)));
    expect_error(GN_E_ARGUMENT, "copy_: source (2, 2, 3) does not broadcast to (2, 3)");
    ck_assert_ptr_null(gn_copy_(gn_expand(gn_zeros(1, 3), 2, 3), x));
    expect_error(GN_E_ARGUMENT,
                 "copy_: elements of an expanded tensor share memory: gn_clone it before "
                 "changing it in place");
    ck_assert_int_eq(gn_copy_in(x, (float[]){1}, GN_F32, 1), GN_E_ARGUMENT);
    expect_error(GN_E_ARGUMENT, "copy_in: 1 elements given, but shape (2, 3) has 6");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_cases, test_same, test_devices, test_errors, NULL};
    return suite_run("copy", tests);
}
