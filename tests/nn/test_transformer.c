/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/transformer.c. */
#include <math.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

enum { E = 4, HEADS = 2 };

/* ---- The layers of the cases */

#define SMALL .dim_feedforward = 6, .dropout = {0, true}
#define OTHER                                                                                      \
    SMALL, .activation = gn_gelu, .norm_first = true, .batch_first = true, .no_bias = true,        \
           .layer_norm_eps = {0.01, true}
#define ENCODER_LAYER(...) gn_nn_transformer_encoder_layer(E, HEADS, __VA_ARGS__)
#define DECODER_LAYER(...) gn_nn_transformer_decoder_layer(E, HEADS, __VA_ARGS__)

static gn_module *encoder(void) {
    return gn_nn_transformer_encoder(ENCODER_LAYER(SMALL), 2, gn_nn_layer_norm(GN_SHAPE(E)));
}

static gn_module *decoder(void) { return gn_nn_transformer_decoder(DECODER_LAYER(SMALL), 2, NULL); }

static gn_module *whole(void) {
    return gn_nn_transformer(E, HEADS, .num_encoder_layers = gn_some(1),
                             .num_decoder_layers = gn_some(2), .layer = {SMALL});
}

static gn_module *other(void) {
    return gn_nn_transformer(E, HEADS, .num_encoder_layers = gn_some(1),
                             .num_decoder_layers = gn_some(1), .layer = {OTHER});
}

/* ---- Their calls */

static void masked(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_transformer_encoder_forward(m, in[0],
                                            .src_mask = gn_generate_square_subsequent_mask(4, NULL),
                                            .src_key_padding_mask = in[1]);
}

static void masked_encoder(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] =
        gn_transformer_encoder_forward(m, in[0], .src_causal = true, .src_key_padding_mask = in[1]);
}

static void decode(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_transformer_decoder_forward(m, in[0], in[1]);
}

static void decode_causal(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_transformer_decoder_forward(m, in[0], in[1], .tgt_causal = true);
}

static void decode_masked(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    gn_tensor *padding = gn_mul_scalar(gn_cast(in[3], GN_F32), -9);
    out[0] = gn_transformer_decoder_forward(
        m, in[0], in[1], .tgt_mask = gn_generate_square_subsequent_mask(3, NULL),
        .memory_mask = in[2], .tgt_key_padding_mask = padding, .memory_key_padding_mask = in[4]);
}

static void transform(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_transformer_forward(
        m, in[0], in[1], .src_causal = true,
        .tgt_mask = gn_generate_square_subsequent_mask(3, NULL), .src_key_padding_mask = in[2],
        .tgt_key_padding_mask = gn_cast(in[3], GN_F32), .memory_key_padding_mask = in[2]);
}

static void transform_plain(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    out[0] = gn_transformer_forward(m, in[0], in[1]);
}

#define CASES(CASE)                                                                                \
    CASE(encoder_layer, ENCODER_LAYER(SMALL))                                                      \
    CASE(encoder_layer_other, ENCODER_LAYER(OTHER), .run = masked)                                 \
    CASE(encoder_layer_no_batch, ENCODER_LAYER(SMALL))                                             \
    CASE(decoder_layer, DECODER_LAYER(SMALL), .run = decode)                                       \
    CASE(decoder_layer_other, DECODER_LAYER(OTHER), .run = decode_masked)                          \
    CASE(encoder, encoder(), .run = masked_encoder)                                                \
    CASE(decoder, decoder(), .run = decode_causal)                                                 \
    CASE(transformer, whole(), .run = transform)                                                   \
    CASE(transformer_other, other(), .run = transform_plain)
MODULE_CASES(cases, CASES)

START_TEST(test_like_pytorch) { module_cases("transformer", cases, sizeof cases / sizeof *cases); }
END_TEST

/* ---- What no fixture can tell */

START_TEST(test_defaults) {
    gn_module *layer = gn_nn_transformer_encoder_layer(16, 4);
    ck_assert_int_eq(gn_size(gn_get_parameter(layer, "linear1.weight"), 0), 2048);
    gn_tensor *x = gn_randn(3, 2, 16);
    ck_assert(!gn_equal(gn_forward(layer, x), gn_forward(layer, x))); /* dropout */
    gn_eval(layer);
    ck_assert(gn_equal(gn_forward(layer, x), gn_forward(layer, x)));
}
END_TEST

/* Layers begin as copies of the one that was given, and are apart from it. */
START_TEST(test_copies) {
    gn_module *layer = ENCODER_LAYER(SMALL), *stack = gn_nn_transformer_encoder(layer, 2, NULL);
    gn_tensor *x = gn_randn(3, 2, E), *given = gn_get_parameter(layer, "linear1.weight"),
              *first = gn_get_parameter(stack, "layers.0.linear1.weight");
    expect_close("stack", gn_forward(stack, x), gn_forward(layer, gn_forward(layer, x)));
    gn_set_grad_enabled(false);
    gn_zero_(first);
    gn_set_grad_enabled(true);
    ck_assert(!gn_equal(first, given));
    ck_assert(gn_equal(gn_get_parameter(stack, "layers.1.linear1.weight"), given));
    ck_assert_int_eq(gn_dict_size(gn_parameters(stack)), 2 * gn_dict_size(gn_parameters(layer)));
}
END_TEST

START_TEST(test_initial_values) {
    gn_module *m = whole();
    gn_tensor *w = gn_get_parameter(m, "decoder.layers.1.linear2.weight");
    const double bound = sqrt(6.0 / (6 + E)), most = gn_item(gn_amax(gn_abs(w)));
    ck_assert_msg(most <= bound && most > 0.7 * bound, "%g, %g", most, bound);
    ck_assert(!gn_equal(gn_get_parameter(m, "decoder.layers.0.linear2.weight"), w));
    gn_module *six = gn_nn_transformer(E, HEADS, .layer = {.dim_feedforward = 2});
    ck_assert_int_eq(gn_length(gn_get_submodule(six, "decoder.layers")), 6);
}
END_TEST

START_TEST(test_custom) {
    gn_module *mine = encoder();
    gn_module *m = gn_nn_transformer(E, HEADS, .custom_encoder = mine, .custom_decoder = decoder());
    ck_assert_ptr_eq(gn_get_submodule(m, "encoder"), mine);
    ck_assert_ptr_null(gn_nn_transformer(E, HEADS, .custom_encoder = decoder()));
    expect_error_with(GN_E_ARGUMENT, "TransformerDecoder is no TransformerEncoder");
}
END_TEST

START_TEST(test_square_mask) {
    EXPECT_VALUES(gn_generate_square_subsequent_mask(3, NULL), 0, 0, -INFINITY, -INFINITY, 0, 0,
                  -INFINITY, 0, 0, 0);
    ck_assert_ptr_null(gn_generate_square_subsequent_mask(-1, NULL));
    gn_error_clear();
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = gn_randn(3, 2, E);
    ck_assert_ptr_null(gn_nn_transformer_encoder(DECODER_LAYER(SMALL), 2, NULL));
    expect_error_with(GN_E_ARGUMENT, "TransformerDecoderLayer is no TransformerEncoderLayer");
    ck_assert_ptr_null(gn_nn_transformer_encoder(ENCODER_LAYER(SMALL), -2, NULL));
    expect_error_with(GN_E_ARGUMENT, "-2 is no number of layers");
    ck_assert_ptr_null(gn_forward(decoder(), x));
    expect_error_with(GN_E_UNSUPPORTED, "TransformerDecoder: this module has no forward");
    ck_assert_ptr_null(gn_transformer_forward(encoder(), x, x));
    expect_error_with(GN_E_ARGUMENT, "TransformerEncoder is no Transformer");
    ck_assert_ptr_null(gn_transformer_decoder_forward(decoder(), x, NULL));
    expect_error_with(GN_E_ARGUMENT, "transformer_decoder_forward");
    ck_assert_ptr_null(gn_transformer_encoder_forward(encoder(), gn_zeros(3, 2, E + 1)));
    expect_error_with(GN_E_ARGUMENT, "MultiheadAttention: query (3, 2, 5)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch, test_defaults,    test_copies, test_initial_values,
                            test_custom,       test_square_mask, test_errors, NULL};
    return suite_run("transformer", tests);
}
