/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/attention.c. */
#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *checked(gn_tensor *const *in, void *options) {
    return gn_scaled_dot_product_attention_with(in[0], in[1], in[2], options);
}

START_TEST(test_gradcheck) {
    const gn_shape shapes[] = {GN_SHAPE(3, 2), GN_SHAPE(3, 2), GN_SHAPE(3, 2)};
    gn_attention_options causal = {.struct_size = sizeof causal, .causal = true};
    expect_gradcheck("attention", checked, NULL, 3, shapes, -1, 1);
    expect_gradcheck("causal attention", checked, &causal, 3, shapes, -1, 1);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(
        gn_scaled_dot_product_attention(gn_zeros(3, 4), gn_zeros(5, 3), gn_zeros(5, 2)));
    expect_error_with(GN_E_ARGUMENT, "q (3, 4), k (5, 3) and v (5, 2) do not fit");
    ck_assert_ptr_null(gn_scaled_dot_product_attention(gn_zeros(4), gn_zeros(4), gn_zeros(4)));
    expect_error_with(GN_E_ARGUMENT, "scaled_dot_product_attention");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck, test_errors, NULL};
    return suite_run("attention", tests);
}
