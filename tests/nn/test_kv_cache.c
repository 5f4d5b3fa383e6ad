/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/kv_cache.c: decoding step by step gives what the whole sequence gives. */
#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

enum { N = 2, HEADS = 4, SHARED = 2, T = 7, D = 4, E = HEADS * D };

/* A block of a language model: causal attention with rotary positions, whose heads share keys in
 * pairs. */
typedef struct block {
    gn_module *q, *k, *v, *out, *rotary;
} block;

static block block_new(void) {
    return (block){.q = gn_nn_linear(E, E),
                   .k = gn_nn_linear(E, SHARED * D),
                   .v = gn_nn_linear(E, SHARED * D),
                   .out = gn_nn_linear(E, E),
                   .rotary = gn_nn_rotary_embedding(D, .max_position_embeddings = T)};
}

/* (N, T, H D) -> (N, H, T, D) */
static gn_tensor *heads(gn_tensor *x, int64_t n) {
    return gn_transpose(gn_view(x, gn_size(x, 0), gn_size(x, 1), n, D), 1, 2);
}

/* x (N, T, E) behind what the cache has; NULL: no cache. */
static gn_tensor *run(const block *b, gn_tensor *x, gn_kv_cache *cache) {
    const int64_t position = cache ? gn_kv_cache_length(cache) : 0;
    gn_tensor *q = heads(gn_forward(b->q, x), HEADS), *k = heads(gn_forward(b->k, x), SHARED),
              *v = heads(gn_forward(b->v, x), SHARED);
    q = gn_rotary_embedding_forward(b->rotary, q, position);
    k = gn_rotary_embedding_forward(b->rotary, k, position);
    if (cache)
        gn_kv_cache_append(cache, k, v, &k, &v);
    gn_tensor *y = gn_scaled_dot_product_attention(q, k, v, .causal = true, .position = position,
                                                   .enable_gqa = true);
    return gn_forward(b->out, gn_flatten(gn_transpose(y, 1, 2), 2));
}

START_TEST(test_steps) {
    static const int parts[][T + 1] = {{1, 1, 1, 1, 1, 1, 1}, {3, 1, 2, 1}, {T}};
    const block b = block_new();
    gn_tensor *x = gn_randn(N, T, E);
    const bool was = gn_set_grad_enabled(false);
    gn_tensor *whole = run(&b, x, NULL);
    for (int i = 0; i < 3; i++) {
        gn_kv_cache *cache = gn_kv_cache_new(T);
        gn_tensor *y[T];
        int n = 0;
        for (int64_t at = 0; parts[i][n]; at += parts[i][n], n++)
            y[n] = run(&b, gn_narrow(x, 1, at, parts[i][n]), cache);
        ck_assert_int_eq(gn_kv_cache_length(cache), T);
        expect_close("in parts", gn_cat(y, n, 1), whole);
    }
    gn_set_grad_enabled(was);
}
END_TEST

/* What is forgotten is written over, as when a guess is taken back. */
START_TEST(test_truncate) {
    gn_kv_cache *cache = gn_kv_cache_new(3);
    gn_tensor *k, *v, *x = gn_tensor_of(((float[]){1, 2}), 2, 1);
    ck_assert_int_eq(gn_kv_cache_append(cache, x, x, &k, &v), GN_OK);
    ck_assert_int_eq(gn_kv_cache_truncate(cache, 1), GN_OK);
    ck_assert_int_eq(gn_kv_cache_append(cache, x, gn_mul_scalar(x, 10), &k, &v), GN_OK);
    EXPECT_VALUES(k, 0, 1, 1, 2);
    EXPECT_VALUES(v, 0, 1, 10, 20);
    ck_assert_int_eq(gn_kv_cache_truncate(cache, 4), GN_E_ARGUMENT);
    expect_error_with(GN_E_ARGUMENT, "4 is not from 0 to 3");
}
END_TEST

static void refused(gn_kv_cache *cache, gn_tensor *k, gn_tensor *v, gn_status status,
                    const char *text) {
    gn_tensor *all_k, *all_v;
    ck_assert_int_eq(gn_kv_cache_append(cache, k, v, &all_k, &all_v), status);
    expect_error_with(status, text);
}

START_TEST(test_errors) {
    gn_tensor *k = gn_ones(2, 2, 4), *v = gn_ones(2, 2, 3), *all_k, *all_v;
    ck_assert_ptr_null(gn_kv_cache_new(0));
    expect_error_with(GN_E_ARGUMENT, "0 is no length");
    gn_kv_cache *cache = gn_kv_cache_new(3);
    refused(cache, gn_requires_grad_(gn_ones(2, 2, 4), true), v, GN_E_STATE,
            "decode with gn_set_grad_enabled(false)");
    refused(cache, gn_ones(4), v, GN_E_ARGUMENT, "must be (.., T, D) and (.., T, E)");
    refused(cache, gn_ones(2, 4, 4), gn_ones(2, 4, 3), GN_E_ARGUMENT, "there is room for 3");
    ck_assert_int_eq(gn_kv_cache_append(cache, k, v, &all_k, &all_v), GN_OK);
    refused(cache, k, v, GN_E_ARGUMENT, "2 positions behind 2: there is room for 3");
    refused(cache, gn_ones(2, 1, 5), gn_ones(2, 1, 3), GN_E_ARGUMENT, "do not fit what is there");
    refused(cache, NULL, v, GN_E_ARGUMENT, "kv_cache_append");
    refused(NULL, k, v, GN_E_ARGUMENT, "the cache is NULL");
    ck_assert_int_eq(gn_kv_cache_length(cache), 2);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_steps, test_truncate, test_errors, NULL};
    return suite_run("kv cache", tests);
}
