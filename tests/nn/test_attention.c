/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/attention.c. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

enum { E = 8 };

/* ---- Calls of the cases: with weights, and without; the masks are inputs 3 and 4 */

static void itself(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_multihead_attention_forward(m, in[0], in[0], in[0], &out[1]);
}

static void shared_keys(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_multihead_attention_forward(m, in[0], in[1], in[1], &out[1]);
}

static void weighted(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_multihead_attention_forward(m, in[0], in[1], in[2], &out[1], .attn_mask = in[3],
                                            .key_padding_mask = in[4]);
}

static void fused(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_multihead_attention_forward(m, in[0], in[1], in[2], NULL, .attn_mask = in[3],
                                            .key_padding_mask = in[4]);
}

static void per_head(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] =
        gn_multihead_attention_forward(m, in[0], in[1], in[2], &out[1], .per_head_weights = true);
}

static void causal(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_multihead_attention_forward(m, in[0], in[0], in[0], NULL, .causal = true);
}

static void causal_weights(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_multihead_attention_forward(m, in[0], in[0], in[0], &out[1], .causal = true);
}

static void padded(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] =
        gn_multihead_attention_forward(m, in[0], in[1], in[2], &out[1], .key_padding_mask = in[3]);
}

static void padded_fused(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] =
        gn_multihead_attention_forward(m, in[0], in[1], in[2], NULL, .key_padding_mask = in[3]);
}

#define MHA(...) gn_nn_multihead_attention(E, __VA_ARGS__)
#define CASES(CASE)                                                                                \
    CASE(self, MHA(2), .run = itself)                                                              \
    CASE(self_forward, MHA(2))                                                                     \
    CASE(shared_keys, MHA(2), .run = shared_keys)                                                  \
    CASE(cross_batch_first, MHA(2, .batch_first = true), .run = per_head)                          \
    CASE(sizes_no_bias, gn_nn_multihead_attention(E, 4, .no_bias = true, .kdim = 6, .vdim = 7),    \
         .run = weighted)                                                                          \
    CASE(bool_masks, MHA(2), .run = fused)                                                         \
    CASE(bool_masks_weights, MHA(2), .run = weighted)                                              \
    CASE(float_masks, MHA(2), .run = fused)                                                        \
    CASE(mixed_masks, MHA(2), .run = weighted)                                                     \
    CASE(causal, MHA(2), .run = causal)                                                            \
    CASE(causal_weights, MHA(2), .run = causal_weights)                                            \
    CASE(own_keys, MHA(2, .add_bias_kv = true, .add_zero_attn = true), .run = weighted)            \
    CASE(own_keys_causal, MHA(2, .add_bias_kv = true, .add_zero_attn = true, .batch_first = true), \
         .run = causal)                                                                            \
    CASE(no_batch, MHA(2), .run = padded)                                                          \
    CASE(nothing_seen, MHA(2), .run = padded_fused)                                                \
    CASE(nothing_seen_weights, MHA(2), .run = padded)
MODULE_CASES(cases, CASES)

START_TEST(test_like_pytorch) { module_cases("attention", cases, sizeof cases / sizeof *cases); }
END_TEST

/* ---- What no fixture can tell */

static gn_tensor *parameter(gn_module *m, const char *name) {
    return gn_dict_get(gn_parameters(m), name);
}

START_TEST(test_initial_values) {
    gn_module *m = MHA(2, .add_bias_kv = true);
    const double bound = sqrt(6.0 / (4 * E));
    const double most = gn_item(gn_amax(gn_abs(parameter(m, "in_proj_weight"))));
    ck_assert_msg(most <= bound && most > 0.8 * bound, "%g, %g", most, bound);
    expect_close("in_proj_bias", gn_detach(parameter(m, "in_proj_bias")), gn_zeros(3 * E));
    expect_close("out_proj.bias", gn_detach(parameter(m, "out_proj.bias")), gn_zeros(E));
    ck_assert(gn_item(gn_amax(gn_abs(parameter(m, "bias_k")))) > 0);
}
END_TEST

/* The weights that are returned have been through dropout; the output is made of them. */
START_TEST(test_dropout) {
    gn_module *m = gn_nn_multihead_attention(E, 1, .dropout = 0.5);
    gn_tensor *x = gn_randn(12, 2, E), *weights;
    gn_tensor *y = gn_multihead_attention_forward(m, x, x, x, &weights);
    const double dropped = gn_item(gn_mean(gn_eq_scalar(weights, 0), .dtype = GN_F32));
    ck_assert_msg(dropped > 0.35 && dropped < 0.65, "%g", dropped);
    ck_assert(!gn_equal(gn_forward(m, x), y));
    gn_eval(m);
    y = gn_multihead_attention_forward(m, x, x, x, &weights);
    expect_close("evaluation", gn_forward(m, x), y);
    expect_close("sums", gn_detach(gn_sum(weights, .dims = GN_DIMS(-1))), gn_ones(2, 12));
}
END_TEST

static gn_tensor *doubled(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    return (void)m, (void)other, (void)context, gn_mul_scalar(value, 2);
}

START_TEST(test_clone_and_hooks) {
    gn_module *m = MHA(2), *copy = gn_module_clone(m);
    gn_tensor *x = gn_randn(3, 2, E), *weights;
    gn_tensor *y = gn_multihead_attention_forward(copy, x, x, x, NULL);
    expect_close("copy", y, gn_forward(m, x));
    gn_register_forward_pre_hook(copy, doubled, NULL);
    expect_close("hook", gn_multihead_attention_forward(copy, x, x, x, &weights),
                 gn_forward(m, gn_mul_scalar(x, 2)));
}
END_TEST

static void refused(gn_module *m, gn_tensor *q, gn_tensor *k, gn_multihead_attention_call call,
                    const char *text) {
    gn_tensor *weights = q;
    call.struct_size = sizeof call;
    ck_assert_ptr_null(gn_multihead_attention_forward_with(m, q, k, k, &weights, &call));
    ck_assert_ptr_null(weights);
    expect_error_with(GN_E_ARGUMENT, text);
}

START_TEST(test_errors) {
    gn_module *m = MHA(2);
    gn_tensor *q = gn_zeros(3, 2, E), *k = gn_zeros(5, 2, E);
    const gn_multihead_attention_call none = {0};
    ck_assert_ptr_null(gn_nn_multihead_attention(E, 3));
    expect_error_with(GN_E_ARGUMENT, "embed_dim 8 is no multiple of num_heads 3");
    ck_assert_ptr_null(MHA(2, .dropout = 2));
    expect_error_with(GN_E_ARGUMENT, "2 is not between 0 and 1");
    refused(gn_nn_linear(2, 2), q, k, none, "Linear is no MultiheadAttention");
    refused(m, gn_zeros(3, E), k, none, "query (3, 8), key (5, 2, 8)");
    refused(m, gn_zeros(3, 2, 4), k, none, "must be (L, N, embed_dim)");
    refused(m, gn_zeros(3, 1, E), k, none, "do not fit");
    refused(m, q, k, (gn_multihead_attention_call){.attn_mask = gn_zeros(5, 3)},
            "attn_mask (5, 3) must be (3, 5) or (4, 3, 5)");
    refused(m, q, k, (gn_multihead_attention_call){.key_padding_mask = gn_zeros(5)},
            "key_padding_mask (5) must be (2, 5)");
    gn_tensor *whole = gn_zeros_with(GN_SHAPE(3, 5), GN_AS(.dtype = GN_I32));
    refused(m, q, k, (gn_multihead_attention_call){.attn_mask = whole}, "attn_mask");
    ck_assert_ptr_null(gn_multihead_attention_forward(m, q, NULL, k, NULL));
    expect_error_with(GN_E_ARGUMENT, "MultiheadAttention");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch,    test_initial_values, test_dropout,
                            test_clone_and_hooks, test_errors,         NULL};
    return suite_run("attention modules", tests);
}
