/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurrent.h - RNN, LSTM, GRU, their cells of one step, and batches of sequences of different
 * lengths.
 *
 * Sequences are (T, N, I): steps, batch, features; (N, T, I) with batch_first; (T, I) without a
 * batch. D is 2 for a bidirectional module, else 1; H the size of the state.
 */
#ifndef GENESIS_RECURRENT_H
#define GENESIS_RECURRENT_H

#include <genesis/module.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Modules */

typedef struct gn_rnn_options {
    size_t struct_size;
    int64_t num_layers; /* 1; at most 64 */
    bool relu;          /* gn_nn_rnn: nonlinearity='relu' instead of 'tanh' */
    bool no_bias, batch_first, bidirectional;
    double dropout;    /* in training, of what goes from a layer to the next one; 0 */
    int64_t proj_size; /* gn_nn_lstm: states h are projected to this size; 0: they are not */
} gn_rnn_options;

/* For each layer k, and again with _reverse: weight_ih_lk (G H, I or D H), weight_hh_lk (G H, H),
 * bias_ih_lk, bias_hh_lk (G H), all U(+-1 / sqrt(H)); G is 1 for RNN, 4 for LSTM (i, f, g, o), 3 for
 * GRU (r, z, n). With proj_size P: weight_hh_lk (4 H, P) and weight_hr_lk (P, H). */
#define gn_nn_rnn(...) GN_CALL2(gn_nn_rnn_with, gn_rnn_options, __VA_ARGS__, )
#define gn_nn_lstm(...) GN_CALL2(gn_nn_lstm_with, gn_rnn_options, __VA_ARGS__, )
#define gn_nn_gru(...) GN_CALL2(gn_nn_gru_with, gn_rnn_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_rnn_with(int64_t input_size, int64_t hidden_size,
                                 const gn_rnn_options *options);
GN_API gn_module *gn_nn_lstm_with(int64_t input_size, int64_t hidden_size,
                                  const gn_rnn_options *options);
GN_API gn_module *gn_nn_gru_with(int64_t input_size, int64_t hidden_size,
                                 const gn_rnn_options *options);

/* States between calls: h (D layers, N, H or P), and for an LSTM c (D layers, N, H); without N for
 * an input without a batch. NULL members stand for zeros. */
typedef struct gn_rnn_state {
    gn_tensor *h, *c;
} gn_rnn_state;

/* (T, N, I) -> (T, N, D H). `state` holds the states to begin with and gets those at the end, owned
 * by the scope; NULL: zeros, and the end is not wanted. After an error it is as it was.
 *
 *     gn_rnn_state state = {0};
 *     y = gn_rnn_forward(lstm, x, &state);     state.h, state.c: (h_n, c_n)
 *     z = gn_rnn_forward(lstm, more, &state);  goes on from there
 */
GN_API gn_tensor *gn_rnn_forward(gn_module *module, gn_tensor *x, gn_rnn_state *state);

/* ---- Cells: one step, x (N, I) or (I) -> h (N, H) or (H). States as above, without layers. */

typedef struct gn_rnn_cell_options {
    size_t struct_size;
    bool no_bias;
    bool relu; /* gn_nn_rnn_cell */
} gn_rnn_cell_options;

/* weight_ih (G H, I), weight_hh (G H, H), bias_ih, bias_hh (G H) */
#define gn_nn_rnn_cell(...) GN_CALL2(gn_nn_rnn_cell_with, gn_rnn_cell_options, __VA_ARGS__, )
#define gn_nn_lstm_cell(...) GN_CALL2(gn_nn_lstm_cell_with, gn_rnn_cell_options, __VA_ARGS__, )
#define gn_nn_gru_cell(...) GN_CALL2(gn_nn_gru_cell_with, gn_rnn_cell_options, __VA_ARGS__, )
GN_API gn_module *gn_nn_rnn_cell_with(int64_t input_size, int64_t hidden_size,
                                      const gn_rnn_cell_options *options);
GN_API gn_module *gn_nn_lstm_cell_with(int64_t input_size, int64_t hidden_size,
                                       const gn_rnn_cell_options *options);
GN_API gn_module *gn_nn_gru_cell_with(int64_t input_size, int64_t hidden_size,
                                      const gn_rnn_cell_options *options);
/* The new h, which is also in the state (NULL: it begins with zeros). */
GN_API gn_tensor *gn_rnn_cell_forward(gn_module *module, gn_tensor *x, gn_rnn_state *state);

/* ---- Sequences of different lengths */

/* All steps of n sequences without padding: those of the first steps, of the second ones, and so on,
 * each time the longest sequence first. Tensors are owned by the scope; data is NULL on an error. */
typedef struct gn_packed_sequence {
    gn_tensor *data;                              /* (sum of lengths, *) */
    gn_tensor *batch_sizes;                       /* (T) int64: sequences that reach each step */
    gn_tensor *sorted_indices, *unsorted_indices; /* (N) int64; NULL: they came in that order */
} gn_packed_sequence;

typedef struct gn_pack_options {
    size_t struct_size;
    bool batch_first;
    bool unsorted; /* enforce_sorted=False: lengths come in any order */
} gn_pack_options;
/* x (T, N, *), lengths (N) integers from 1 to T, descending unless `unsorted`. Differentiable; waits
 * for the device. */
#define gn_pack_padded_sequence(...)                                                               \
    GN_CALL2(gn_pack_padded_sequence_with, gn_pack_options, __VA_ARGS__, )
GN_API gn_packed_sequence gn_pack_padded_sequence_with(gn_tensor *x, gn_tensor *lengths,
                                                       const gn_pack_options *options);

typedef struct gn_pad_options {
    size_t struct_size;
    bool batch_first;
    double padding_value;
    int64_t total_length; /* gn_pad_packed_sequence: T, at least the longest length; 0: that */
    bool padding_left;    /* gn_pad_sequence: padding_side='left' */
} gn_pad_options;
/* The way back, in the order from before: (T, N, *), and in `lengths` (NULL: not wanted) (N). */
#define gn_pad_packed_sequence(...)                                                                \
    GN_CALL2(gn_pad_packed_sequence_with, gn_pad_options, __VA_ARGS__, )
GN_API gn_tensor *gn_pad_packed_sequence_with(const gn_packed_sequence *packed, gn_tensor **lengths,
                                              const gn_pad_options *options);
/* n tensors (L_i, *) -> (max L, n, *), or (n, max L, *) with batch_first. */
#define gn_pad_sequence(...) GN_CALL2(gn_pad_sequence_with, gn_pad_options, __VA_ARGS__, )
GN_API gn_tensor *gn_pad_sequence_with(gn_tensor *const *tensors, int64_t n,
                                       const gn_pad_options *options);

/* gn_rnn_forward of packed sequences; data is NULL on an error. The states at the end are those of
 * each sequence's own last step, in the order from before. */
GN_API gn_packed_sequence gn_rnn_forward_packed(gn_module *module, const gn_packed_sequence *x,
                                                gn_rnn_state *state);

#ifdef __cplusplus
}
#endif
#endif
