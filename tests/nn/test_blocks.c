/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/blocks.c, rotary.c, of RMSNorm, and of libgenesis/ops/rotary.c. */
#include <stdlib.h>
#include <string.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

static void later(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_rotary_embedding_forward(m, in[0], 4);
}

#define CASES(CASE)                                                                                \
    CASE(swiglu, gn_nn_feed_forward_swiglu(4, 6, .dropout = gn_some(0)))                           \
    CASE(residual, gn_nn_residual(gn_nn_linear(4, 4)))                                             \
    CASE(rms_norm, gn_nn_rms_norm(GN_SHAPE(4)))                                                    \
    CASE(rms_norm_options, gn_nn_rms_norm(GN_SHAPE(3, 4), .eps = gn_some(0.1), .no_affine = true)) \
    CASE(rotary, gn_nn_rotary_embedding(6, .max_position_embeddings = 5))                          \
    CASE(rotary_later,                                                                             \
         gn_nn_rotary_embedding(4, .max_position_embeddings = 9, .base = gn_some(100)),            \
         .run = later)
MODULE_CASES(cases, CASES)

START_TEST(test_like_pytorch) { module_cases("blocks", cases, sizeof cases / sizeof *cases); }
END_TEST

START_TEST(test_text) {
    static const struct {
        gn_module *(*make)(void);
        const char *text;
    } rows[] = {{make_rms_norm, "RMSNorm((4,), eps=None, elementwise_affine=True)"},
                {make_rms_norm_options, "RMSNorm((3, 4), eps=0.1, elementwise_affine=False)"},
                {make_rotary, "RotaryEmbedding(6, max_position_embeddings=5)"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = gn_module_text(rows[i].make());
        ck_assert_msg(text && strstr(text, rows[i].text), "%s", text);
        free(text);
    }
}
END_TEST

START_TEST(test_swiglu_dropout) {
    gn_module *m = gn_nn_feed_forward_swiglu(4, 6);
    gn_tensor *x = gn_randn(40, 4);
    gn_tensor *dropped = gn_eq_scalar(gn_forward(m, x), 0);
    const double share = gn_item(gn_mean(dropped, .dtype = GN_F32));
    ck_assert_msg(share > 0.02 && share < 0.25, "%g", share);
    gn_eval(m);
    ck_assert(gn_equal(gn_forward(m, x), gn_forward(m, x)));
}
END_TEST

/* ---- Rotary positions */

/* The tables are those that the module begins with, before a state is loaded. */
START_TEST(test_tables) {
    gn_module *m = gn_nn_rotary_embedding(4, .max_position_embeddings = 8);
    gn_tensor *cos, *sin;
    EXPECT_VALUES(gn_get_buffer(m, "inv_freq"), 1e-6, 1, 0.01);
    ck_assert_int_eq(gn_rotary_embedding_tables(m, 2, 2, &cos, &sin), GN_OK);
    EXPECT_VALUES(cos, 1e-6, -0.4161468365, 0.9998000067, -0.4161468365, 0.9998000067,
                  -0.9899924966, 0.9995500337, -0.9899924966, 0.9995500337);
    EXPECT_VALUES(sin, 1e-6, 0.9092974268, 0.0199986667, 0.9092974268, 0.0199986667, 0.1411200081,
                  0.0299955002, 0.1411200081, 0.0299955002);
    gn_tensor *x = gn_randn(3, 2, 4);
    expect_close("by tables", gn_apply_rotary(x, gn_view(cos, 2, 4), gn_view(sin, 2, 4)),
                 gn_rotary_embedding_forward(m, x, 2));
}
END_TEST

static gn_tensor *turned(gn_tensor *const *in, void *module) {
    return gn_square(gn_forward(module, in[0]));
}

START_TEST(test_gradcheck) {
    const gn_shape shape = GN_SHAPE(2, 3, 4);
    gn_module *m = gn_nn_rotary_embedding(4, .max_position_embeddings = 3);
    expect_gradcheck("rotary", turned, m, 1, &shape, -1, 1);
}
END_TEST

START_TEST(test_half) {
    if (!has_dtype(GN_BF16))
        return;
    gn_module *m = gn_nn_rotary_embedding(4, .max_position_embeddings = 3);
    gn_tensor *x = gn_cast(gn_randn(2, 3, 4), GN_BF16);
    expect_close("tables of float32", gn_forward(m, x),
                 gn_cast(gn_forward(m, gn_cast(x, GN_F32)), GN_BF16));
}
END_TEST

START_TEST(test_errors) {
    gn_module *m = gn_nn_rotary_embedding(4, .max_position_embeddings = 3);
    gn_tensor *x = gn_zeros(2, 4, 4), *table = gn_requires_grad_(gn_ones(4, 4), true);
    ck_assert_ptr_null(gn_forward(m, x));
    expect_error_with(GN_E_INDEX, "RotaryEmbedding: 4 positions from 0: the tables have 3");
    ck_assert_ptr_null(gn_rotary_embedding_forward(m, gn_zeros(1, 4), INT64_MAX));
    expect_error_with(GN_E_INDEX, "the tables have 3");
    ck_assert_ptr_null(gn_forward(m, gn_zeros(2, 6)));
    expect_error_with(GN_E_ARGUMENT, "input (2, 6) must be (.., T, 4)");
    ck_assert_ptr_null(gn_apply_rotary(x, table, gn_ones(4, 4)));
    expect_error_with(GN_E_UNSUPPORTED, "cos requires a gradient");
    ck_assert_ptr_null(gn_apply_rotary(x, gn_ones(4, 2), gn_ones(4, 4)));
    expect_error_with(GN_E_ARGUMENT, "cos (4, 2) does not fit input (2, 4, 4)");
    ck_assert_ptr_null(gn_apply_rotary(gn_zeros(2, 3), gn_ones(3), gn_ones(3)));
    expect_error_with(GN_E_ARGUMENT, "the last dim of input (2, 3) must be even");
    ck_assert_ptr_null(gn_nn_rotary_embedding(5));
    expect_error_with(GN_E_ARGUMENT, "dim 5 must be even");
    ck_assert_ptr_null(gn_nn_rotary_embedding(4, .max_position_embeddings = INT64_MAX / 2));
    ck_assert_int_ne(gn_error_status(), GN_OK);
    gn_error_clear();
    ck_assert_ptr_null(gn_nn_residual(NULL));
    expect_error_with(GN_E_ARGUMENT, "Residual");
    ck_assert_ptr_null(gn_forward(gn_nn_rms_norm(GN_SHAPE(3)), gn_zeros(2, 4)));
    expect_error_with(GN_E_ARGUMENT, "rms_norm: input (2, 4) must end with the dims (3)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_text, test_swiglu_dropout, test_tables,
                            test_gradcheck,    test_half, test_errors,         NULL};
    return suite_run("blocks", tests);
}
