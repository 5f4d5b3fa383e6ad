/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/attention.c. */
#include "tests/ops/nn_case.h"

static const char *const names[] = {"q", "k", "v", NULL};

static gn_tensor *attention(gn_tensor *const *in, const void *options) {
    return gn_scaled_dot_product_attention_with(in[0], in[1], in[2], options);
}

static const gn_attention_options causal = {.struct_size = sizeof causal, .causal = true},
                                  scaled = {.struct_size = sizeof scaled, .scale = {0.3, true}};

START_TEST(test_values_and_gradients) {
    static const nn_case cases[] = {{"plain", attention, NULL},
                                    {"causal", attention, &causal},
                                    {"scaled", attention, &scaled},
                                    {NULL, NULL, NULL}};
    nn_check_all(nn_fixture("attention"), cases, names);
}
END_TEST

static gn_tensor *checked(gn_tensor *const *in, void *context) { return attention(in, context); }

START_TEST(test_gradcheck) {
    const gn_shape shapes[] = {GN_SHAPE(3, 2), GN_SHAPE(3, 2), GN_SHAPE(3, 2)};
    nn_gradcheck("attention", checked, NULL, 3, shapes, -1, 1);
    nn_gradcheck("causal attention", checked, (void *)&causal, 3, shapes, -1, 1);
}
END_TEST

START_TEST(test_errors) {
    ck_assert_ptr_null(
        gn_scaled_dot_product_attention(gn_zeros(3, 4), gn_zeros(5, 3), gn_zeros(5, 2)));
    nn_expect_error(GN_E_ARGUMENT, "q (3, 4), k (5, 3) and v (5, 2) do not fit");
    ck_assert_ptr_null(gn_scaled_dot_product_attention(gn_zeros(4), gn_zeros(4), gn_zeros(4)));
    nn_expect_error(GN_E_ARGUMENT, "scaled_dot_product_attention");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_values_and_gradients, test_gradcheck, test_errors, NULL};
    return suite_run("attention", tests);
}
