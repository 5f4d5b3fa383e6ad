/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/copy.c. */
#include <string.h>

#include "tests/expect.h"
#include "tests/suite.h"

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
    const TTest *tests[] = {test_same, test_devices, test_errors, NULL};
    return suite_run("copy", tests);
}
