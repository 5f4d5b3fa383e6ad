/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recurrent_steps.c - recurrent cells and layers in public operations, step by step: for modules of
 * one step, for states that are projected, and for gradients of gradients.
 */
#include <stdlib.h>

#include "recurrent.h"

/* ---- One step */

static gn_tensor *block(gn_tensor *t, gn_tensor *h, int g) {
    const int64_t hidden = h ? h->size[h->n_dims - 1] : 0;
    return gn_narrow(t, -1, g * hidden, hidden);
}

static gn_tensor *map2(const char *expression, gn_tensor *a, gn_tensor *b) {
    return gn_map_n(expression, 2, (gn_tensor *[]){a, b}, NULL);
}

static void lstm_step(gn_tensor *a, gn_tensor *b, gn_tensor **h, gn_tensor **c) {
    gn_tensor *sum = gn_add(a, b);
    gn_tensor *in[] = {block(sum, *c, 0), block(sum, *c, 1), block(sum, *c, 2), *c};
    gn_tensor *o = block(sum, *c, 3);
    *c = gn_map_n("(i, f, g, c) -> sigmoid(f) * c + sigmoid(i) * tanh(g)", 4, in, NULL);
    *h = map2("(o, c) -> sigmoid(o) * tanh(c)", o, *c);
}

static void gru_step(gn_tensor *a, gn_tensor *b, gn_tensor **h) {
    static const char gate[] = "(a, b) -> sigmoid(a + b)";
    gn_tensor *r = map2(gate, block(a, *h, 0), block(b, *h, 0));
    gn_tensor *z = map2(gate, block(a, *h, 1), block(b, *h, 1));
    gn_tensor *in[] = {block(a, *h, 2), r, block(b, *h, 2)};
    gn_tensor *n = gn_map_n("(a, r, b) -> tanh(a + r * b)", 3, in, NULL);
    *h = gn_map_n("(z, n, h) -> (1 - z) * n + z * h", 3, (gn_tensor *[]){z, n, *h}, NULL);
}

void gn__cell_step(gn__cell_kind kind, gn_tensor *a, gn_tensor *b, gn_tensor **h, gn_tensor **c) {
    if (kind == GN__LSTM)
        lstm_step(a, b, h, c);
    else if (kind == GN__GRU)
        gru_step(a, b, h);
    else
        *h = kind == GN__RNN_RELU ? gn_relu(gn_add(a, b)) : gn_tanh(gn_add(a, b));
}

/* ---- All of them */

/* The new state, but the old one where a sequence has ended before step t. */
static gn_tensor *kept_after_end(const gn__recurrence *r, int64_t t, gn_tensor *state,
                                 gn_tensor *old) {
    if (r->lengths == NULL || state == NULL)
        return state;
    gn_tensor *live = gn_gt_scalar(gn_unsqueeze(r->lengths, 1), (double)t);
    return gn_where(live, state, old);
}

gn_status gn__recur_by_steps(const gn__recurrence *r, gn_tensor *projection, gn_tensor **out) {
    const int64_t steps = r->x->size[0];
    gn_tensor **states = gn__alloc_array((size_t)steps, sizeof *states);
    gn_tensor *h = r->h, *c = r->c;
    for (int64_t i = 0; i < steps && !gn__failed(); i++) {
        const int64_t t = r->reverse ? steps - 1 - i : i;
        gn_tensor *old_h = h, *old_c = c;
        gn_tensor *b = gn_linear(h, r->weight, r->bias);
        gn__cell_step(r->kind, gn_select(r->x, 0, t), b, &h, &c);
        if (projection)
            h = gn_linear(h, projection, NULL);
        h = kept_after_end(r, t, h, old_h);
        c = kept_after_end(r, t, c, old_c);
        states[t] = h;
    }
    out[GN__STATES] = gn__failed() ? NULL : gn_stack(states, steps, 0);
    out[GN__LAST_H] = h;
    out[GN__LAST_C] = c;
    free(states);
    return gn_error_status();
}
