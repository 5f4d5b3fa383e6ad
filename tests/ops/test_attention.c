/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/ops/attention.c. */
#include <math.h>
#include <string.h>

#include <genesis/device.h>

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

/* Heads that share keys, keys that share values, and no batch at all for the values. */
START_TEST(test_broadcast_gradcheck) {
    const gn_shape grouped[] = {GN_SHAPE(2, 2, 3, 2), GN_SHAPE(2, 1, 4, 2), GN_SHAPE(2, 1, 4, 3)};
    const gn_shape mixed[] = {GN_SHAPE(3, 2), GN_SHAPE(2, 4, 2), GN_SHAPE(4, 1)};
    expect_gradcheck("attention of grouped heads", checked, NULL, 3, grouped, -1, 1);
    expect_gradcheck("attention over a mixed batch", checked, NULL, 3, mixed, -1, 1);
}
END_TEST

/* ---- Masks and dropout */

static gn_tensor *checked_mask(gn_tensor *const *in, void *options) {
    gn_attention_options o = *(const gn_attention_options *)options;
    o.attn_mask = in[3];
    gn_manual_seed(4); /* the same weights are dropped each time */
    return gn_scaled_dot_product_attention_with(in[0], in[1], in[2], &o);
}

START_TEST(test_mask_gradcheck) {
    const gn_shape shapes[] = {GN_SHAPE(2, 3, 2), GN_SHAPE(2, 3, 2), GN_SHAPE(2, 3, 2),
                               GN_SHAPE(3, 1)};
    gn_attention_options plain = {.struct_size = sizeof plain},
                         both = {.struct_size = sizeof both, .causal = true, .dropout_p = 0.3};
    expect_gradcheck("attention with a mask", checked_mask, &plain, 4, shapes, -1, 1);
    expect_gradcheck("masked causal attention with dropout", checked_mask, &both, 4, shapes, -1, 1);
}
END_TEST

/* A row of the mask hides everything: zeros, and no gradient, of either order. */
static gn_tensor *checked_hidden(gn_tensor *const *in, void *mask) {
    return gn_scaled_dot_product_attention(in[0], in[1], in[2], .attn_mask = mask);
}

START_TEST(test_hidden_rows) {
    const gn_shape shapes[] = {GN_SHAPE(2, 2), GN_SHAPE(3, 2), GN_SHAPE(3, 1)};
    gn_tensor *mask = gn_tensor_of(((bool[]){false, false, false, true, false, true}), 2, 3);
    expect_gradcheck("attention that sees nothing", checked_hidden, mask, 3, shapes, -1, 1);
    gn_tensor *y = gn_scaled_dot_product_attention(gn_ones(2, 2), gn_ones(3, 2), gn_ones(3, 1),
                                                   .attn_mask = mask);
    EXPECT_VALUES(y, 1e-6, 0, 1);
}
END_TEST

/* With scores of 0 and the identity for values, the result is the weights. */
START_TEST(test_dropout) {
    enum { L = 40, S = 50 };
    gn_tensor *q = gn_zeros(L, 1), *k = gn_zeros(S, 1);
    gn_tensor *v = gn_requires_grad_(gn_eye(S, -1, NULL), true);
    gn_tensor *y = gn_scaled_dot_product_attention(q, k, v, .dropout_p = 0.25);
    ck_assert_double_eq_tol(gn_item(gn_mean(gn_ne_scalar(y, 0), .dtype = GN_F32)), 0.75, 0.05);
    gn_tensor *kept = gn_where_scalars(gn_ne_scalar(y, 0), 1 / (0.75 * S), 0);
    expect_close("what is left", gn_detach(y), kept);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    expect_close("the same mask backwards", gn_select(gn_grad(v), 1, 0),
                 gn_sum(kept, .dims = GN_DIMS(0)));
    EXPECT_VALUES(gn_sum(gn_scaled_dot_product_attention(q, k, v, .dropout_p = 1)), 0, 0);
}
END_TEST

/* Queries that begin at a position are the last ones of a sequence. */
START_TEST(test_position) {
    gn_tensor *q = gn_randn(2, 5, 4), *k = gn_randn(2, 5, 4), *v = gn_randn(2, 5, 4);
    gn_tensor *all = gn_scaled_dot_product_attention(q, k, v, .causal = true);
    for (int64_t at = 2; at <= 4; at += 2)
        expect_close("the last ones",
                     gn_scaled_dot_product_attention(gn_slice(q, 1, at, 5, 1), k, v, .causal = true,
                                                     .position = at),
                     gn_slice(all, 1, at, 5, 1));
    gn_tensor *hidden = gn_full(GN_SHAPE(2, 1, 5), -INFINITY, NULL);
    gn_fill_(gn_slice(hidden, 2, 0, 4, 1), 0);
    expect_close("with a mask, too",
                 gn_scaled_dot_product_attention(gn_slice(q, 1, 3, 5, 1), k, v, .causal = true,
                                                 .position = 3, .attn_mask = hidden),
                 gn_scaled_dot_product_attention(gn_slice(q, 1, 3, 5, 1), gn_slice(k, 1, 0, 4, 1),
                                                 gn_slice(v, 1, 0, 4, 1)));
}
END_TEST

/* q, k and v as parts of one tensor (N, T, 3, H, D), made by one operation or by three. */
static gn_tensor *packed(gn_tensor *const *in, void *together) {
    gn_tensor *parts = gn_permute(in[0], 2, 0, 3, 1, 4), *part[3] = {NULL};
    if (together)
        gn_unbind(parts, 0, part, 3);
    for (int i = 0; i < 3 && !together; i++)
        part[i] = gn_select(parts, 0, i);
    gn_tensor *y = gn_scaled_dot_product_attention(part[0], part[1], part[2]);
    return gn_reshape(gn_transpose(y, 1, 2), gn_size(in[0], 0), gn_size(in[0], 1), -1);
}

START_TEST(test_packed) {
    const gn_shape shape = GN_SHAPE(2, 3, 3, 2, 2);
    bool together = true;
    expect_gradcheck("packed attention", packed, &together, 1, &shape, -1, 1);
    expect_gradcheck("packed attention by three parts", packed, NULL, 1, &shape, -1, 1);
    gn_tensor *x = gn_requires_grad_(gn_randn_with(shape, NULL), true);
    gn_tensor *same = gn_requires_grad_(gn_clone(gn_detach(x)), true);
    gn_tensor *g = gn_randn(2, 3, 4);
    gn_backward(gn_mul(packed(&x, &together), g), .gradient = g);
    gn_backward(gn_mul(packed(&same, NULL), g), .gradient = g);
    expect_close("its gradient", gn_grad(x), gn_grad(same));
    ck_assert(gn_is_contiguous(gn_grad(x)));
}
END_TEST

/* The heads of a longer vector make a longer vector again. */
START_TEST(test_layout) {
    gn_tensor *q = gn_transpose(gn_randn(2, 5, 3, 4), 1, 2), *v = gn_randn(2, 3, 5, 4);
    ck_assert(gn_is_contiguous(gn_transpose(gn_scaled_dot_product_attention(q, q, v), 1, 2)));
    ck_assert(gn_is_contiguous(gn_scaled_dot_product_attention(v, q, q)));
    gn_tensor *spread = gn_expand(gn_randn(1, 3, 5, 4), 2, 3, 5, 4);
    ck_assert(gn_is_contiguous(gn_scaled_dot_product_attention(spread, q, q)));
}
END_TEST

/* ---- Against the same in public operations */

/* Heads as they come out of a projection: (N, T, H, D) seen as (N, H, T, D). */
static gn_tensor *heads(int64_t t, int64_t d) {
    return gn_requires_grad_(gn_transpose(gn_randn(2, t, 3, d), 1, 2), true);
}

static gn_tensor *plain(gn_tensor *const *in, double scale, bool causal) {
    gn_tensor *x = gn_mul_scalar(gn_matmul(in[0], gn_transpose(in[1], -2, -1)), scale);
    if (causal)
        x = gn_masked_fill(
            x,
            gn_triu(gn_ones_with(GN_SHAPE(gn_size(x, -2), gn_size(x, -1)), GN_AS(.dtype = GN_BOOL)),
                    1),
            -INFINITY);
    return gn_matmul(gn_softmax(x, -1), in[2]);
}

static void compare(int64_t l, int64_t s, int64_t d, int64_t e, bool causal) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *in[] = {heads(l, d), heads(s, d), heads(s, e)}, *grads[3];
    gn_tensor *g = gn_randn(2, 3, l, e);
    gn_tensor *y = gn_scaled_dot_product_attention(in[0], in[1], in[2], .scale = gn_some(0.3),
                                                   .causal = causal);
    expect_close("attention", y, plain(in, 0.3, causal));
    ck_assert_int_eq(gn_backward(gn_sum(gn_mul(y, g))), GN_OK);
    for (int i = 0; i < 3; i++) {
        grads[i] = gn_clone(gn_grad(in[i]));
        gn_set_grad(in[i], NULL);
    }
    ck_assert_int_eq(gn_backward(gn_sum(gn_mul(plain(in, 0.3, causal), g))), GN_OK);
    for (int i = 0; i < 3; i++)
        expect_close("its gradient", grads[i], gn_grad(in[i]));
    ck_assert_int_eq(gn_scope_end(scope), GN_OK);
}

START_TEST(test_plain) {
    gn_manual_seed(3);
    compare(5, 7, 4, 3, false);
    compare(40, 70, 16, 16, false);
    compare(70, 70, 16, 16, true);
    compare(20, 66, 33, 80, true);
}
END_TEST

START_TEST(test_empty) {
    gn_tensor *none =
        gn_scaled_dot_product_attention(gn_ones(2, 0, 4), gn_ones(2, 3, 4), gn_ones(2, 3, 5));
    ck_assert_int_eq(gn_numel(none), 0);
    ck_assert_int_eq(gn_size(none, -1), 5);
    EXPECT_VALUES(gn_scaled_dot_product_attention(gn_ones(2, 4), gn_ones(0, 4), gn_ones(0, 2)),
                  1e-6, 0, 0, 0, 0);
}
END_TEST

/* ---- What it costs */

static uint64_t fallbacks(void) {
    gn_fallback list[64];
    size_t n = gn_fallback_list(list, 64);
    uint64_t count = 0;
    for (size_t i = 0; i < n && i < 64; i++)
        count += strcmp(list[i].op, "scaled_dot_product_attention") == 0 ? list[i].count : 0;
    return count;
}

/* The devices of this project that plan it compose nothing, and make no L x S matrix. */
START_TEST(test_planned) {
    enum { L = 1024, D = 8 };
    const bool is_planned = strstr(gn_default_device(), "opencl") != NULL;
    gn_memory_stats before, after;
    gn_tensor *in[3];
    for (int i = 0; i < 3; i++)
        in[i] = gn_requires_grad_(gn_ones(L, D), true);
    gn_fallback_reset();
    gn_memory_peak_reset(NULL);
    gn_memory_stats_get(NULL, &before);
    ck_assert_int_eq(
        gn_backward(gn_sum(gn_scaled_dot_product_attention(in[0], in[1], in[2], .causal = true))),
        GN_OK);
    gn_memory_stats_get(NULL, &after);
    ck_assert_int_eq(fallbacks() == 0, is_planned);
    ck_assert_int_eq(after.allocated_peak - before.allocated < sizeof(float) * L * L, is_planned);
}
END_TEST

static void refused(gn_tensor *q, gn_tensor *k, gn_attention_options o, const char *text) {
    o.struct_size = sizeof o;
    ck_assert_ptr_null(gn_scaled_dot_product_attention_with(q, k, k, &o));
    expect_error_with(GN_E_ARGUMENT, text);
}

START_TEST(test_errors) {
    gn_tensor *q = gn_zeros(2, 3, 4), *k = gn_zeros(2, 5, 4);
    ck_assert_ptr_null(
        gn_scaled_dot_product_attention(gn_zeros(3, 4), gn_zeros(5, 3), gn_zeros(5, 2)));
    expect_error_with(GN_E_ARGUMENT, "q (3, 4), k (5, 3) and v (5, 2) do not fit");
    refused(gn_zeros(4), k, (gn_attention_options){0}, "q (4) and k (2, 5, 4) must be");
    refused(q, k, (gn_attention_options){.attn_mask = gn_zeros(5, 3)},
            "attn_mask (5, 3) does not fit the scores (2, 3, 5)");
    refused(q, k, (gn_attention_options){.attn_mask = gn_zeros(4, 2, 3, 5)}, "does not fit");
    refused(
        q, k,
        (gn_attention_options){.attn_mask = gn_zeros_with(GN_SHAPE(3, 5), GN_AS(.dtype = GN_I64))},
        "attn_mask");
    refused(q, k, (gn_attention_options){.dropout_p = 1.5}, "1.5 is not between 0 and 1");
    refused(q, k, (gn_attention_options){.causal = true, .position = -1}, "-1 is negative");
    refused(gn_zeros(3, 3, 4), k, (gn_attention_options){.enable_gqa = true},
            "the heads of q (3, 3, 4) are no multiple");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_gradcheck,
                            test_broadcast_gradcheck,
                            test_mask_gradcheck,
                            test_hidden_rows,
                            test_dropout,
                            test_position,
                            test_packed,
                            test_layout,
                            test_plain,
                            test_empty,
                            test_planned,
                            test_errors,
                            NULL};
    return suite_run("attention", tests);
}
