/* SPDX-License-Identifier: Apache-2.0 */
/* recurrent_cell.c - RNNCell, LSTMCell, GRUCell: one step, for loops of the user's own. */
#include <math.h>
#include <stdio.h>

#include <genesis/recurrent.h>

#include "../ops/recurrent.h"
#include "typed.h"

typedef struct cell {
    gn_module base;
    gn__cell_kind kind;
    int64_t input_size, hidden_size;
    gn_tensor *weight_ih, *weight_hh, *bias_ih, *bias_hh; /* biases may be NULL */
} cell;

/* A state (N, H) or (H), or zeros; NULL with an error if it does not fit x. */
static gn_tensor *begin_state(const cell *self, const char *what, gn_tensor *given,
                              const gn_tensor *x) {
    gn_shape shape = gn__shape(x->n_dims, x->size);
    shape.size[shape.n - 1] = self->hidden_size;
    if (given == NULL)
        return gn_zeros_with(
            shape, GN_AS(.dtype = (gn_dtype)x->dtype, .device = x->storage->device->name));
    if (given->n_dims == shape.n &&
        memcmp(given->size, shape.size, (size_t)shape.n * sizeof shape.size[0]) == 0)
        return given;
    return gn__fail_null(GN_E_ARGUMENT, self->base.type->name,
                         "%s %s does not fit input %s: it must be %s", what, gn__shape_of(given),
                         gn__shape_of(x), gn__shape_text((int)shape.n, shape.size));
}

/* gn__module_run's context. */
typedef struct run_state {
    gn_rnn_state first;
    gn_tensor *last_c; /* retained: it outlives the scope of the run */
} run_state;

static gn_tensor *run(gn_module *module, gn_tensor *x, void *context) {
    const cell *self = (cell *)module;
    run_state *state = context;
    gn_rnn_state next = state->first;
    if ((x->n_dims != 1 && x->n_dims != 2) || x->size[x->n_dims - 1] != self->input_size)
        return gn__fail_null(GN_E_ARGUMENT, module->type->name,
                             "input %s must be (N, %lld) or (%lld)", gn__shape_of(x),
                             (long long)self->input_size, (long long)self->input_size);
    if (next.c && self->kind != GN__LSTM)
        return gn__fail_null(GN_E_ARGUMENT, module->type->name, "only an LSTM has a state c");
    next.h = begin_state(self, "h", next.h, x);
    if (self->kind == GN__LSTM)
        next.c = begin_state(self, "c", next.c, x);
    gn_tensor *a = gn_linear(x, self->weight_ih, self->bias_ih);
    gn_tensor *b = gn_linear(next.h, self->weight_hh, self->bias_hh);
    gn__cell_step(self->kind, a, b, &next.h, &next.c);
    state->last_c = gn_retain(next.c);
    return next.h;
}

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    run_state state = {0};
    gn_tensor *h = run(module, x, &state);
    gn_release(state.last_c);
    return h;
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    const cell *self = (const cell *)module;
    snprintf(text, bytes, "%lld, %lld%s", (long long)self->input_size, (long long)self->hidden_size,
             self->bias_ih ? "" : ", bias=False");
}

#define CLASS(title)                                                                               \
    { .name = title, .size = sizeof(cell), .forward = forward, .describe = describe }
static const gn_module_class rnn_cell_class = CLASS("RNNCell"), lstm_cell_class = CLASS("LSTMCell"),
                             gru_cell_class = CLASS("GRUCell");

gn_tensor *gn_rnn_cell_forward(gn_module *module, gn_tensor *x, gn_rnn_state *state) {
    static const char op[] = "rnn_cell_forward";
    if (!gn__is_module(op, module) || !gn__given(op, x))
        return NULL;
    if (module->type->forward != forward)
        return gn__fail_null(GN_E_ARGUMENT, op, "%s is no RNNCell, LSTMCell or GRUCell",
                             module->type->name);
    run_state inside = {0};
    if (state)
        inside.first = *state;
    gn_tensor *h = gn__module_run(module, x, run, &inside);
    gn__own(inside.last_c);
    if (gn__failed())
        return NULL;
    if (state)
        *state = (gn_rnn_state){h, inside.last_c};
    return h;
}

static gn_module *cell_new(const gn_module_class *type, gn__cell_kind kind, int64_t input,
                           int64_t hidden, const gn_rnn_cell_options *options) {
    gn_rnn_cell_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (input < 1 || hidden < 1 || hidden > INT32_MAX)
        return gn__fail_null(GN_E_ARGUMENT, type->name,
                             "sizes %lld and %lld: they must be at least 1", (long long)input,
                             (long long)hidden);
    if (o.relu && kind != GN__RNN_TANH)
        return gn__fail_null(GN_E_ARGUMENT, type->name, "relu is for an RNNCell");
    cell *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    const int64_t rows = gn__cell_gates(kind) * hidden;
    const double bound = 1 / sqrt((double)hidden);
    self->kind = o.relu ? GN__RNN_RELU : kind;
    self->input_size = input;
    self->hidden_size = hidden;
    self->weight_ih = gn__parameter_uniform(self, "weight_ih", GN_SHAPE(rows, input), bound);
    self->weight_hh = gn__parameter_uniform(self, "weight_hh", GN_SHAPE(rows, hidden), bound);
    if (!o.no_bias) {
        self->bias_ih = gn__parameter_uniform(self, "bias_ih", GN_SHAPE(rows), bound);
        self->bias_hh = gn__parameter_uniform(self, "bias_hh", GN_SHAPE(rows), bound);
    }
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_nn_rnn_cell_with(int64_t input_size, int64_t hidden_size,
                               const gn_rnn_cell_options *options) {
    return cell_new(&rnn_cell_class, GN__RNN_TANH, input_size, hidden_size, options);
}

gn_module *gn_nn_lstm_cell_with(int64_t input_size, int64_t hidden_size,
                                const gn_rnn_cell_options *options) {
    return cell_new(&lstm_cell_class, GN__LSTM, input_size, hidden_size, options);
}

gn_module *gn_nn_gru_cell_with(int64_t input_size, int64_t hidden_size,
                               const gn_rnn_cell_options *options) {
    return cell_new(&gru_cell_class, GN__GRU, input_size, hidden_size, options);
}
