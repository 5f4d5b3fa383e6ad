/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurrent.c - RNN, LSTM, GRU. A layer in one direction is a product of matrices for the input of
 * all steps, and gn__recur for the rest. Cells of one step are in recurrent_cell.c.
 */
#include <math.h>
#include <stdio.h>

#include "../ops/recurrent.h"
#include "packed.h"
#include "typed.h"

enum { MAX_LAYERS = 64 };

/* Of one layer in one direction. */
typedef struct weights {
    gn_tensor *ih, *hh, *bias_ih, *bias_hh, *projection; /* the latter three may be NULL */
} weights;

typedef struct recurrent {
    gn_module base;
    gn__cell_kind kind;
    int64_t input_size, hidden_size, proj_size, layers;
    int directions;
    bool batch_first, no_bias;
    double dropout;
    weights weights[2 * MAX_LAYERS]; /* [directions * layer + direction] */
} recurrent;

/* The size of h. */
static int64_t output_size(const recurrent *self) {
    return self->proj_size ? self->proj_size : self->hidden_size;
}

static const char *name_of(const recurrent *self) { return self->base.type->name; }

/* ---- Layers: x (T, N, I), h (D layers, N, H) */

typedef struct call {
    gn_tensor *x, *lengths; /* lengths (N) int64, or NULL */
    gn_tensor *h, *c;       /* c: of an LSTM only */
} call;

/* Layer k (counting directions): out as gn__recur's. */
static gn_status run_direction(const recurrent *self, int64_t k, const call *in, gn_tensor **out) {
    const weights *w = &self->weights[k];
    const gn__recurrence r = {.kind = self->kind,
                              .reverse = self->directions == 2 && k % 2 == 1,
                              .x = gn_linear(in->x, w->ih, w->bias_ih),
                              .h = gn_select(in->h, 0, k),
                              .c = in->c ? gn_select(in->c, 0, k) : NULL,
                              .weight = w->hh,
                              .bias = w->bias_hh,
                              .lengths = in->lengths};
    if (gn__failed())
        return gn_error_status();
    return w->projection ? gn__recur_by_steps(&r, w->projection, out) : gn__recur(&r, out);
}

/* Both directions of a layer: in->x becomes its result, h[d] and c[d] the last states. */
static void run_layer(const recurrent *self, int64_t layer, call *in, gn_tensor **h,
                      gn_tensor **c) {
    const int n = self->directions;
    gn_tensor *out[GN__RECURRENCE_OUTPUTS] = {NULL}, *y[2], *kept[5] = {NULL};
    gn_scope scope = gn_scope_begin();
    for (int d = 0; d < n; d++) {
        run_direction(self, n * layer + d, in, out);
        y[d] = out[GN__STATES];
        kept[1 + d] = out[GN__LAST_H];
        kept[3 + d] = out[GN__LAST_C];
    }
    if (!gn__failed())
        kept[0] = n == 1 ? y[0] : gn_cat(y, 2, -1);
    if (kept[0] && layer + 1 < self->layers)
        kept[0] = gn_dropout(kept[0], self->dropout, self->base.training);
    gn__scope_end_with_tensors(scope, 5, kept);
    in->x = kept[0];
    for (int d = 0; d < n; d++) {
        h[d] = kept[1 + d];
        c[d] = kept[3 + d];
    }
}

/* All layers: x becomes the result, h and c the last states. */
static void run_layers(const recurrent *self, call *in) {
    gn_tensor *h[2 * MAX_LAYERS], *c[2 * MAX_LAYERS];
    const int64_t states = self->directions * self->layers;
    for (int64_t layer = 0; layer < self->layers && !gn__failed(); layer++)
        run_layer(self, layer, in, &h[self->directions * layer], &c[self->directions * layer]);
    if (gn__failed()) {
        *in = (call){0};
        return;
    }
    in->h = gn_stack(h, states, 0);
    in->c = in->c ? gn_stack(c, states, 0) : NULL;
}

/* ---- States of a call */

static gn_tensor *zero_state(gn_shape shape, const gn_tensor *like) {
    return gn_zeros_with(
        shape, GN_AS(.dtype = (gn_dtype)like->dtype, .device = like->storage->device->name));
}

/* A state that was given, or zeros; NULL with an error if it does not fit. */
static gn_tensor *begin_state(const recurrent *self, const char *what, gn_tensor *given,
                              gn_shape shape, const gn_tensor *x) {
    if (given == NULL)
        return zero_state(shape, x);
    if (given->n_dims == shape.n &&
        memcmp(given->size, shape.size, (size_t)shape.n * sizeof shape.size[0]) == 0)
        return gn__check_dtype(name_of(self), x, what, given) ? given : NULL;
    return gn__fail_null(GN_E_ARGUMENT, name_of(self), "%s %s does not fit: it must be %s", what,
                         gn__shape_of(given), gn__shape_text((int)shape.n, shape.size));
}

/* Sets h and c for n sequences; n < 0: for the one of an input without a batch. */
static gn_status begin_states(const recurrent *self, int64_t n, const gn_rnn_state *given,
                              call *c) {
    const int64_t states = self->directions * self->layers;
    const bool no_batch = n < 0;
    gn_shape shape = {.n = no_batch ? 2 : 3, .size = {states, n}};
    const int64_t last = shape.n - 1;
    shape.size[last] = output_size(self);
    c->h = begin_state(self, "h", given->h, shape, c->x);
    shape.size[last] = self->hidden_size;
    if (self->kind == GN__LSTM)
        c->c = begin_state(self, "c", given->c, shape, c->x);
    else if (given->c)
        gn_fail(GN_E_ARGUMENT, name_of(self), "only an LSTM has a state c");
    if (no_batch && !gn__failed()) {
        c->h = gn_unsqueeze(c->h, 1);
        c->c = c->c ? gn_unsqueeze(c->c, 1) : NULL;
    }
    return gn_error_status();
}

/* ---- Runs: gn__module_run's context */

typedef struct run_states {
    gn_rnn_state first;
    gn_rnn_state last;                /* retained: they outlive the scope of the run */
    const gn_packed_sequence *packed; /* NULL: the input is padded */
} run_states;

static void keep_states(run_states *r, gn_tensor *h, gn_tensor *c) {
    r->last = (gn_rnn_state){gn_retain(h), gn_retain(c)};
}

/* ---- Padded input */

static gn_status check_input(const recurrent *self, const gn_tensor *x) {
    const int n = x->n_dims;
    if ((n != 2 && n != 3) || x->size[n - 1] != self->input_size)
        return gn_fail(GN_E_ARGUMENT, name_of(self),
                       "input %s must be %s, or (T, I) without a batch, with I %lld",
                       gn__shape_of(x), self->batch_first ? "(N, T, I)" : "(T, N, I)",
                       (long long)self->input_size);
    if (x->size[n == 3 && self->batch_first] == 0)
        return gn_fail(GN_E_ARGUMENT, name_of(self), "input %s has no steps", gn__shape_of(x));
    return GN_OK;
}

static gn_tensor *run_padded(gn_module *module, gn_tensor *x, void *context) {
    const recurrent *self = (recurrent *)module;
    run_states *states = context;
    if (check_input(self, x) != GN_OK)
        return NULL;
    const bool no_batch = x->n_dims == 2;
    const bool turned = self->batch_first && !no_batch;
    call c = {.x = no_batch ? gn_unsqueeze(x, 1) : turned ? gn_transpose(x, 0, 1) : x};
    if (c.x == NULL ||
        begin_states(self, no_batch ? -1 : c.x->size[1], &states->first, &c) != GN_OK)
        return NULL;
    run_layers(self, &c);
    if (no_batch && !gn__failed()) {
        c.h = gn_squeeze_dim(c.h, 1);
        c.c = c.c ? gn_squeeze_dim(c.c, 1) : NULL;
        c.x = gn_squeeze_dim(c.x, 1);
    }
    keep_states(states, c.h, c.c);
    return turned ? gn_transpose(c.x, 0, 1) : c.x;
}

/* ---- Packed input: run as a padded one with lengths, longest first */

static gn_tensor *reordered(gn_tensor *state, gn_tensor *indices) {
    return state && indices ? gn_index_select(state, 1, indices) : state;
}

static gn_tensor *run_packed(gn_module *module, gn_tensor *data, void *context) {
    const recurrent *self = (recurrent *)module;
    run_states *states = context;
    const gn_packed_sequence *packed = states->packed;
    gn__unpacked unpacked = {0};
    if (data->n_dims != 2 || data->size[1] != self->input_size)
        return gn__fail_null(GN_E_ARGUMENT, name_of(self), "packed data %s must be (rows, %lld)",
                             gn__shape_of(data), (long long)self->input_size);
    if (!gn__unpack(name_of(self), packed, data, &unpacked))
        return NULL;
    call c = {.x = unpacked.x, .lengths = unpacked.lengths};
    if (begin_states(self, c.x->size[1], &states->first, &c) != GN_OK)
        return NULL;
    if (states->first.h)
        c.h = reordered(c.h, packed->sorted_indices);
    if (states->first.c)
        c.c = reordered(c.c, packed->sorted_indices);
    run_layers(self, &c);
    if (gn__failed())
        return NULL;
    keep_states(states, reordered(c.h, packed->unsorted_indices),
                reordered(c.c, packed->unsorted_indices));
    return gn__pack_again(&unpacked, c.x);
}

/* ---- Public */

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    run_states states = {0};
    gn_tensor *y = run_padded(module, x, &states);
    gn_release(states.last.h);
    gn_release(states.last.c);
    return y;
}

static void describe(const gn_module *module, char *text, size_t bytes) {
    const recurrent *self = (const recurrent *)module;
    char layers[48] = "", dropout[48] = "", projection[48] = "";
    if (self->layers != 1)
        snprintf(layers, sizeof layers, ", num_layers=%lld", (long long)self->layers);
    if (self->dropout > 0)
        snprintf(dropout, sizeof dropout, ", dropout=%g", self->dropout);
    if (self->proj_size)
        snprintf(projection, sizeof projection, ", proj_size=%lld", (long long)self->proj_size);
    snprintf(text, bytes, "%lld, %lld%s%s%s%s%s%s", (long long)self->input_size,
             (long long)self->hidden_size, projection, layers, self->no_bias ? ", bias=False" : "",
             self->batch_first ? ", batch_first=True" : "", dropout,
             self->directions == 2 ? ", bidirectional=True" : "");
}

#define CLASS(title)                                                                               \
    { .name = title, .size = sizeof(recurrent), .forward = forward, .describe = describe }
static const gn_module_class rnn_class = CLASS("RNN"), lstm_class = CLASS("LSTM"),
                             gru_class = CLASS("GRU");

static bool is_recurrent(const char *op, const gn_module *module) {
    if (!gn__is_module(op, module))
        return false;
    if (module->type->forward == forward)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "%s is no RNN, LSTM or GRU", module->type->name);
    return false;
}

/* The state is left as it is unless all goes well. */
static gn_tensor *run(gn_module *module, gn_tensor *x, const gn_packed_sequence *packed,
                      gn_rnn_state *state) {
    run_states states = {.packed = packed};
    if (state)
        states.first = *state;
    gn_tensor *y = gn__module_run(module, x, packed ? run_packed : run_padded, &states);
    gn__own(states.last.h);
    gn__own(states.last.c);
    if (gn__failed())
        return NULL;
    if (state)
        *state = states.last;
    return y;
}

gn_tensor *gn_rnn_forward(gn_module *module, gn_tensor *x, gn_rnn_state *state) {
    static const char op[] = "rnn_forward";
    return is_recurrent(op, module) && gn__given(op, x) ? run(module, x, NULL, state) : NULL;
}

gn_packed_sequence gn_rnn_forward_packed(gn_module *module, const gn_packed_sequence *x,
                                         gn_rnn_state *state) {
    static const char op[] = "rnn_forward_packed";
    gn_packed_sequence y = {0};
    if (!is_recurrent(op, module))
        return y;
    if (x == NULL || x->data == NULL) {
        gn_fail(GN_E_ARGUMENT, op, "the packed sequence is NULL");
        return y;
    }
    gn_tensor *data = run(module, x->data, x, state);
    if (data) {
        y = *x;
        y.data = data;
    }
    return y;
}

/* ---- Making them */

static gn_tensor *weight_new(recurrent *self, const char *what, int64_t layer, int direction,
                             gn_shape shape) {
    char name[48];
    snprintf(name, sizeof name, "%s_l%lld%s", what, (long long)layer, direction ? "_reverse" : "");
    return gn__parameter_uniform(self, name, shape, 1 / sqrt((double)self->hidden_size));
}

static void make_weights(recurrent *self, int64_t layer, int direction) {
    weights *w = &self->weights[self->directions * layer + direction];
    const int64_t rows = gn__cell_gates(self->kind) * self->hidden_size, out = output_size(self);
    const int64_t in = layer ? out * self->directions : self->input_size;
    w->ih = weight_new(self, "weight_ih", layer, direction, GN_SHAPE(rows, in));
    w->hh = weight_new(self, "weight_hh", layer, direction, GN_SHAPE(rows, out));
    if (!self->no_bias) {
        w->bias_ih = weight_new(self, "bias_ih", layer, direction, GN_SHAPE(rows));
        w->bias_hh = weight_new(self, "bias_hh", layer, direction, GN_SHAPE(rows));
    }
    if (self->proj_size)
        w->projection = weight_new(self, "weight_hr", layer, direction,
                                   GN_SHAPE(self->proj_size, self->hidden_size));
}

static gn_status check_options(const char *op, gn__cell_kind kind, int64_t input, int64_t hidden,
                               const gn_rnn_options *o) {
    if (input < 1 || hidden < 1 || hidden > INT32_MAX)
        return gn_fail(GN_E_ARGUMENT, op, "sizes %lld and %lld: they must be at least 1",
                       (long long)input, (long long)hidden);
    if (o->num_layers < 0 || o->num_layers > MAX_LAYERS)
        return gn_fail(GN_E_ARGUMENT, op, "%lld layers: there may be 1 to %d",
                       (long long)o->num_layers, MAX_LAYERS);
    if (!(o->dropout >= 0 && o->dropout <= 1))
        return gn_fail(GN_E_ARGUMENT, op, "the probability %g is not between 0 and 1", o->dropout);
    if (o->proj_size && (kind != GN__LSTM || o->proj_size < 0 || o->proj_size >= hidden))
        return gn_fail(GN_E_ARGUMENT, op,
                       "proj_size %lld: it is for an LSTM, positive and less than hidden_size",
                       (long long)o->proj_size);
    if (o->relu && kind != GN__RNN_TANH)
        return gn_fail(GN_E_ARGUMENT, op, "relu is for an RNN");
    return GN_OK;
}

static gn_module *recurrent_new(const gn_module_class *type, gn__cell_kind kind, int64_t input,
                                int64_t hidden, const gn_rnn_options *options) {
    gn_rnn_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed() || check_options(type->name, kind, input, hidden, &o) != GN_OK)
        return NULL;
    recurrent *self = gn_module_new(type);
    if (self == NULL)
        return NULL;
    self->kind = o.relu ? GN__RNN_RELU : kind;
    self->input_size = input;
    self->hidden_size = hidden;
    self->proj_size = o.proj_size;
    self->layers = o.num_layers ? o.num_layers : 1;
    self->directions = o.bidirectional ? 2 : 1;
    self->batch_first = o.batch_first;
    self->no_bias = o.no_bias;
    self->dropout = o.dropout;
    for (int64_t layer = 0; layer < self->layers; layer++)
        for (int d = 0; d < self->directions; d++)
            make_weights(self, layer, d);
    return gn__failed() ? NULL : &self->base;
}

gn_module *gn_nn_rnn_with(int64_t input_size, int64_t hidden_size, const gn_rnn_options *options) {
    return recurrent_new(&rnn_class, GN__RNN_TANH, input_size, hidden_size, options);
}

gn_module *gn_nn_lstm_with(int64_t input_size, int64_t hidden_size, const gn_rnn_options *options) {
    return recurrent_new(&lstm_class, GN__LSTM, input_size, hidden_size, options);
}

gn_module *gn_nn_gru_with(int64_t input_size, int64_t hidden_size, const gn_rnn_options *options) {
    return recurrent_new(&gru_class, GN__GRU, input_size, hidden_size, options);
}
