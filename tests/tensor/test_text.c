/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/tensor/text.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* The text of t, "DEV" standing for the device. */
static void expect_text(gn_tensor *t, const char *expected) {
    char *text = gn_tensor_text(t), full[2048];
    ck_assert_msg(text, "%s", gn_error());
    snprintf(full, sizeof full, "%s, %s)", expected, gn_default_device());
    ck_assert_str_eq(text, full);
    free(text);
}

START_TEST(test_texts) {
    expect_text(gn_tensor_of(((float[]){1, 2.5f, 0, NAN}), 2, 2),
                "tensor([[1.0000, 2.5000],\n        [0.0000,    nan]], float32, (2, 2)");
    expect_text(gn_tensor_of(((float[]){1, -2}), 2), "tensor([ 1., -2.], float32, (2)");
    expect_text(gn_tensor_of(((int64_t[]){1, -20}), 2, 1),
                "tensor([[  1],\n        [-20]], int64, (2, 1)");
    expect_text(gn_tensor_of(((bool[]){true, false}), 2), "tensor([ true, false], bool, (2)");
    expect_text(gn_tensor_of(((float[]){1e-7f, INFINITY}), 2),
                "tensor([1.0000e-07,        inf], float32, (2)");
    expect_text(gn_scalar_tensor(3, NULL), "tensor(3., float32, ()");
    expect_text(gn_zeros(0, 2), "tensor([], float32, (0, 2)");
    expect_text(gn_zeros(2, 0), "tensor([], float32, (2, 0)");
    expect_text(gn_t(gn_view(gn_arange(0, 4, 1, NULL), 2, 2)),
                "tensor([[0, 2],\n        [1, 3]], int64, (2, 2)");
    expect_text(gn_zeros(1, 1, 2), "tensor([[[0., 0.]]], float32, (1, 1, 2)");
}
END_TEST

START_TEST(test_abridged) {
    expect_text(gn_arange(0, 2000, 1, NULL),
                "tensor([   0,    1,    2, ..., 1997, 1998, 1999], int64, (2000)");
    char *text = gn_tensor_text(gn_zeros(1000, 3));
    ck_assert_ptr_nonnull(strstr(text, "[0., 0., 0.],\n        ...,\n        [0., 0., 0.]"));
    free(text);
    text = gn_tensor_text(
        gn_expand_with(gn_zeros(), (gn_shape){8,
                                              {1000000000, 1000000000, 0, 1000000000, 1000000000,
                                               1000000000, 1000000000, 1000000000}}));
    ck_assert_ptr_nonnull(strstr(text, "(1000000000, 1000000000, 0, 1000000000"));
    free(text);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_tensor_text(NULL));
    expect_error(GN_E_ARGUMENT, "tensor_text: a tensor is NULL");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_texts, test_abridged, test_errors, NULL};
    return suite_run("text", tests);
}
