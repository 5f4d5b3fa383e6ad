/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/nn/recurrent.c, recurrent_cell.c, and of libgenesis/ops/recurrent.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/nn/module_case.h"
#include "tests/suite.h"

enum { T = 4, N = 3, I = 2, H = 3 };

/* ---- Against PyTorch: inputs are x, [lengths,] [h, [c]]; outputs y, h, c */

static void run(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    gn_rnn_state state = {in[1], in[2]};
    out[0] = gn_rnn_forward(m, in[0], &state);
    out[1] = state.h;
    out[2] = state.c;
}

static void run_packed(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    const bool batch_first = gn_size(in[0], 0) == N;
    gn_rnn_state state = {in[2], in[3]};
    gn_packed_sequence x =
        gn_pack_padded_sequence(in[0], in[1], .batch_first = batch_first, .unsorted = true);
    gn_packed_sequence y = gn_rnn_forward_packed(m, &x, &state);
    out[0] = gn_pad_packed_sequence(&y, NULL, .batch_first = batch_first);
    out[1] = state.h;
    out[2] = state.c;
}

static void step(gn_module *m, gn_tensor *const *in, gn_tensor **out) {
    gn_rnn_state state = {in[1], in[2]};
    out[0] = gn_rnn_cell_forward(m, in[0], &state);
    out[1] = state.c;
}

#define CASES(CASE)                                                                                \
    CASE(rnn, gn_nn_rnn(I, H, .num_layers = 2), .run = run)                                        \
    CASE(rnn_relu,                                                                                 \
         gn_nn_rnn(I, H, .relu = true, .bidirectional = true, .batch_first = true,                 \
                   .no_bias = true),                                                               \
         .run = run)                                                                               \
    CASE(rnn_packed, gn_nn_rnn(I, H, .relu = true), .run = run_packed)                             \
    CASE(lstm, gn_nn_lstm(I, H), .run = run)                                                       \
    CASE(lstm_deep, gn_nn_lstm(I, H, .num_layers = 2, .bidirectional = true, .batch_first = true), \
         .run = run)                                                                               \
    CASE(lstm_forward, gn_nn_lstm(I, H))                                                           \
    CASE(lstm_no_batch, gn_nn_lstm(I, H, .bidirectional = true, .batch_first = true), .run = run)  \
    CASE(lstm_projected, gn_nn_lstm(I, H, .num_layers = 2, .bidirectional = true, .proj_size = 2), \
         .run = run)                                                                               \
    CASE(lstm_packed, gn_nn_lstm(I, H, .num_layers = 2, .bidirectional = true), .run = run_packed) \
    CASE(lstm_projected_packed, gn_nn_lstm(I, H, .proj_size = 2), .run = run_packed)               \
    CASE(gru, gn_nn_gru(I, H), .run = run)                                                         \
    CASE(gru_deep, gn_nn_gru(I, H, .num_layers = 2, .bidirectional = true, .no_bias = true),       \
         .run = run)                                                                               \
    CASE(gru_packed, gn_nn_gru(I, H, .bidirectional = true, .batch_first = true),                  \
         .run = run_packed)                                                                        \
    CASE(rnn_cell, gn_nn_rnn_cell(I, H, .no_bias = true), .run = step)                             \
    CASE(rnn_cell_relu, gn_nn_rnn_cell(I, H, .relu = true))                                        \
    CASE(lstm_cell, gn_nn_lstm_cell(I, H), .run = step)                                            \
    CASE(gru_cell, gn_nn_gru_cell(I, H), .run = step)
MODULE_CASES(cases, CASES)

START_TEST(test_like_pytorch) { module_cases("recurrent", cases, sizeof cases / sizeof *cases); }
END_TEST

/* ---- Gradients of gradients */

/* One number of all results. */
static gn_tensor *all_results(gn_tensor *const *in, void *module) {
    gn_rnn_state state = {.h = in[1]};
    gn_tensor *y = gn_rnn_forward(module, in[0], &state);
    return gn_add(gn_sum(gn_square(y)), gn_sum(gn_square(state.h)));
}

START_TEST(test_second_order) {
    const gn_shape shapes[] = {GN_SHAPE(2, 2, 1), GN_SHAPE(1, 2, 2)};
    if (!has_dtype(GN_F64))
        return;
    expect_gradcheck("RNN", all_results, gn_module_cast(gn_nn_rnn(1, 2), GN_F64), 2, shapes, -1, 1);
}
END_TEST

enum { WALKED = 7 };

/* A walk that is recorded goes through public operations: its gradients are those of a plain one. */
static void compare_walks(gn_module *m, gn_rnn_state state) {
    gn_tensor *x = gn_requires_grad_(gn_randn(T, N, I), true), *plain[WALKED], *recorded[WALKED];
    gn_tensor *in[WALKED] = {x, state.h};
    int n = 2;
    gn_dict *parameters = gn_parameters(m);
    for (int64_t i = 0; i < gn_dict_size(parameters); i++)
        in[n++] = gn_dict_tensor(parameters, i);
    if (state.c)
        in[n++] = state.c;
    gn_tensor *y = gn_rnn_forward(m, x, &state);
    gn_tensor *total = gn_add(gn_sum(gn_mul(y, gn_randn(T, N, H))), gn_sum(gn_square(state.h)));
    if (state.c)
        total = gn_add(total, gn_sum(gn_square(state.c)));
    gn_backward_options o = {.struct_size = sizeof o, .retain_graph = true};
    ck_assert_int_eq(gn_gradients(total, n, in, plain, &o), GN_OK);
    o.create_graph = true;
    ck_assert_int_eq(gn_gradients(total, n, in, recorded, &o), GN_OK);
    for (int i = 0; i < n; i++)
        expect_close(m->type->name, recorded[i], plain[i]);
}

static gn_tensor *state_new(void) { return gn_requires_grad_(gn_randn(1, N, H), true); }

START_TEST(test_recorded_walk) {
    compare_walks(gn_nn_lstm(I, H), (gn_rnn_state){state_new(), state_new()});
    compare_walks(gn_nn_gru(I, H), (gn_rnn_state){.h = state_new()});
}
END_TEST

/* ---- What no fixture can tell */

START_TEST(test_initial_values) {
    gn_module *m = gn_nn_gru(4, 16, .num_layers = 2);
    const double most = gn_item(gn_amax(gn_abs(gn_get_parameter(m, "weight_hh_l1"))));
    ck_assert_msg(most <= 0.25 && most > 0.2, "%g", most);
    char *text = gn_module_text(gn_nn_lstm(4, 16, .num_layers = 2, .bidirectional = true,
                                           .batch_first = true, .dropout = 0.5, .proj_size = 3));
    ck_assert_msg(strstr(text, "LSTM(4, 16, proj_size=3, num_layers=2, batch_first=True, "
                               "dropout=0.5, bidirectional=True)"),
                  "%s", text);
    free(text);
}
END_TEST

/* A sequence in two parts is the whole one, and states are left alone by an error. */
START_TEST(test_states) {
    gn_module *m = gn_nn_lstm(I, H, .num_layers = 2);
    gn_tensor *x = gn_randn(T, N, I);
    gn_rnn_state whole = {0}, parts = {0};
    gn_tensor *y = gn_rnn_forward(m, x, &whole);
    gn_tensor *halves[] = {gn_rnn_forward(m, gn_slice(x, 0, 0, 2, 1), &parts),
                           gn_rnn_forward(m, gn_slice(x, 0, 2, T, 1), &parts)};
    expect_close("y", gn_cat(halves, 2, 0), y);
    expect_close("h", parts.h, whole.h);
    expect_close("c", parts.c, whole.c);
    gn_rnn_state bad = {.h = gn_zeros(2, N, H + 1)};
    gn_tensor *before = bad.h;
    ck_assert_ptr_null(gn_rnn_forward(m, x, &bad));
    expect_error_with(GN_E_ARGUMENT, "LSTM: h (2, 3, 4) does not fit: it must be (2, 3, 3)");
    ck_assert(bad.h == before && bad.c == NULL);
    bool was = gn_set_grad_enabled(false);
    expect_close("without history", gn_forward(m, x), gn_detach(y));
    gn_set_grad_enabled(was);
}
END_TEST

START_TEST(test_dropout) {
    gn_module *m = gn_nn_rnn(I, 8, .num_layers = 2, .dropout = 0.5);
    gn_tensor *x = gn_randn(T, N, I);
    ck_assert(!gn_equal(gn_forward(m, x), gn_forward(m, x)));
    gn_eval(m);
    expect_close("evaluation", gn_forward(m, x), gn_forward(m, x));
    gn_module *single = gn_nn_rnn(I, 8, .dropout = 0.5); /* there is no layer behind */
    expect_close("one layer", gn_forward(single, x), gn_forward(single, x));
}
END_TEST

/* A module of T steps is T cells. */
START_TEST(test_cells) {
    gn_module *m = gn_nn_gru(I, H), *cell = gn_nn_gru_cell(I, H);
    gn_dict *weights = gn_dict_new();
    static const char *const names[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    char name[32];
    for (int i = 0; i < 4; i++)
        gn_dict_set(weights, names[i], gn_get_parameter(m, strcat(strcpy(name, names[i]), "_l0")));
    ck_assert_int_eq(gn_load_state_dict(cell, weights), GN_OK);
    gn_tensor *x = gn_randn(T, N, I), *y[T];
    gn_rnn_state state = {0};
    for (int t = 0; t < T; t++)
        y[t] = gn_rnn_cell_forward(cell, gn_select(x, 0, t), &state);
    expect_close("cells", gn_stack(y, T, 0), gn_forward(m, x));
}
END_TEST

static void refused(gn_module *m, gn_tensor *x, gn_rnn_state state, const char *text) {
    ck_assert_ptr_null(gn_rnn_forward(m, x, &state));
    expect_error_with(GN_E_ARGUMENT, text);
}

START_TEST(test_errors) {
    gn_module *m = gn_nn_gru(I, H);
    gn_tensor *x = gn_zeros(T, N, I);
    const gn_rnn_state none = {0};
    refused(m, gn_zeros(T, N, I + 1), none, "input (4, 3, 3) must be (T, N, I)");
    refused(m, gn_zeros(I), none, "or (T, I) without a batch, with I 2");
    refused(m, gn_zeros(0, N, I), none, "has no steps");
    refused(m, x, (gn_rnn_state){.c = x}, "only an LSTM has a state c");
    refused(gn_nn_relu(), x, none, "ReLU is no RNN, LSTM or GRU");
    refused(m, NULL, none, "rnn_forward");
    gn_module *changed = gn_nn_lstm(I, H);
    gn_set_parameter(changed, "weight_hh_l0", gn_zeros(H, H));
    refused(changed, x, none, "lstm: weight_hh (3, 3) does not fit: it must be (12, 3)");
    ck_assert_ptr_null(gn_nn_lstm(I, 0));
    expect_error_with(GN_E_ARGUMENT, "LSTM: sizes 2 and 0");
    ck_assert_ptr_null(gn_nn_lstm(I, H, .proj_size = H));
    expect_error_with(GN_E_ARGUMENT, "proj_size 3");
    ck_assert_ptr_null(gn_nn_gru(I, H, .proj_size = 1));
    expect_error_with(GN_E_ARGUMENT, "proj_size 1: it is for an LSTM");
    ck_assert_ptr_null(gn_nn_gru(I, H, .num_layers = 65));
    expect_error_with(GN_E_ARGUMENT, "65 layers");
    ck_assert_ptr_null(gn_nn_gru(I, H, .dropout = -1));
    expect_error_with(GN_E_ARGUMENT, "-1 is not between 0 and 1");
    ck_assert_ptr_null(gn_rnn_cell_forward(m, x, NULL));
    expect_error_with(GN_E_ARGUMENT, "GRU is no RNNCell");
    ck_assert_ptr_null(gn_forward(gn_nn_lstm_cell(I, H), x));
    expect_error_with(GN_E_ARGUMENT, "LSTMCell: input (4, 3, 2) must be (N, 2) or (2)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_like_pytorch,   test_second_order, test_recorded_walk,
                            test_initial_values, test_states,       test_dropout,
                            test_cells,          test_errors,       NULL};
    return suite_run("recurrent", tests);
}
