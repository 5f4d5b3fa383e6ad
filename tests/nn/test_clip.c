/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/clip.c. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

/* Two parameters with the gradients (3, -4) and (12); a third has none. */
static gn_dict *parameters(void) {
    gn_dict *dict = gn_dict_new();
    gn_tensor *a = gn_requires_grad_(gn_zeros(2), true), *b = gn_requires_grad_(gn_zeros(1), true);
    gn_set_grad(a, gn_tensor_of(((float[]){3, -4}), 2));
    gn_set_grad(b, gn_tensor_of(((float[]){12}), 1));
    gn_dict_set(dict, "a", a);
    gn_dict_set(dict, "b", b);
    gn_dict_set(dict, "c", gn_requires_grad_(gn_zeros(3), true));
    return dict;
}

static void expect_gradients(gn_dict *dict, double factor) {
    gn_tensor *a = gn_tensor_of(((float[]){3, -4}), 2), *b = gn_tensor_of(((float[]){12}), 1);
    expect_close("a", gn_grad(gn_dict_get(dict, "a")), gn_mul_scalar(a, factor));
    expect_close("b", gn_grad(gn_dict_get(dict, "b")), gn_mul_scalar(b, factor));
    ck_assert_ptr_null(gn_grad(gn_dict_get(dict, "c")));
}

START_TEST(test_norms) {
    const struct {
        double p, norm;
    } norms[] = {{2, 13}, {1, 19}, {INFINITY, 12}, {3, cbrt(27 + 64 + 1728)}};
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++) {
        gn_dict *dict = parameters();
        gn_tensor *norm = gn_clip_grad_norm_(dict, 1, norms[i].p);
        ck_assert_double_eq_tol(gn_item(norm), norms[i].norm, 1e-4);
        expect_gradients(dict, 1 / (norms[i].norm + 1e-6));
        dict = parameters();
        gn_clip_grad_norm_(dict, 100, norms[i].p);
        expect_gradients(dict, 1);
    }
}
END_TEST

START_TEST(test_no_gradients) {
    ck_assert_double_eq(gn_item(gn_clip_grad_norm_(gn_dict_new(), 1, 2)), 0);
}
END_TEST

START_TEST(test_value) {
    gn_dict *dict = parameters();
    ck_assert_int_eq(gn_clip_grad_value_(dict, 3.5), GN_OK);
    expect_close("a", gn_grad(gn_dict_get(dict, "a")), gn_tensor_of(((float[]){3, -3.5f}), 2));
    expect_close("b", gn_grad(gn_dict_get(dict, "b")), gn_tensor_of(((float[]){3.5f}), 1));
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(gn_clip_grad_norm_(NULL, 1, 2));
    expect_error_with(GN_E_ARGUMENT, "clip_grad_norm_");
    ck_assert_ptr_null(gn_clip_grad_norm_(parameters(), 1, 0));
    expect_error_with(GN_E_ARGUMENT, "clip_grad_norm_");
    ck_assert_int_eq(gn_clip_grad_value_(parameters(), -1), GN_E_ARGUMENT);
    expect_error_with(GN_E_ARGUMENT, "clip_grad_value_");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_norms, test_no_gradients, test_value, test_errors, NULL};
    return suite_run("clip", tests);
}
