/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/nn/training.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { BATCH = 3, SIZE = 6, CHANNELS = 2, CLASSES = 3 };

/* The convolution has no bias: batch norm makes its gradient nothing but rounding errors, of which
 * Adam would make steps of full size. */
training training_new(void) {
    gn_manual_seed(1);
    training t = {.model = gn_nn_sequential(
                      gn_nn_conv2d(1, CHANNELS, 3, .no_bias = true), gn_nn_batch_norm2d(CHANNELS),
                      gn_nn_relu(), gn_nn_max_pool2d(2), gn_nn_flatten(), gn_nn_dropout(0.3),
                      gn_nn_linear(4 * CHANNELS, CLASSES)),
                  .x = gn_randn(BATCH, 1, SIZE, SIZE),
                  .y = gn_randint(0, CLASSES, GN_SHAPE(BATCH), NULL)};
    t.adam = gn_optim_adam(gn_parameters(t.model), .lr = 1e-2);
    return t;
}

double training_step(const training *t) {
    gn_scope scope = gn_scope_begin();
    gn_manual_seed(2);
    gn_zero_grad(t->adam);
    gn_tensor *loss = gn_cross_entropy(gn_forward(t->model, t->x), t->y);
    gn_backward(loss);
    gn_step(t->adam);
    double value = gn_item(loss);
    return gn_scope_end(scope) == GN_OK ? value : -1;
}

floats training_values(const training *t) {
    floats f = {.n = 0};
    gn_scope scope = gn_scope_begin();
    gn_dict *parameters = gn_parameters(t->model);
    for (int64_t i = 0; i < gn_dict_size(parameters); i++) {
        gn_tensor *parameter = gn_dict_tensor(parameters, i);
        const int64_t n = gn_numel(parameter);
        ck_assert_int_le(f.n + n, TRAINING_FLOATS);
        gn_copy_out(parameter, f.value + f.n, GN_F32, n);
        f.n += (int)n;
    }
    ck_assert_msg(gn_scope_end(scope) == GN_OK && f.n > 0, "%s", gn_error());
    return f;
}

bool floats_equal(const floats *a, const floats *b) {
    return a->n == b->n && memcmp(a->value, b->value, (size_t)a->n * sizeof a->value[0]) == 0;
}

bool floats_close(const floats *a, const floats *b) {
    bool close = a->n == b->n;
    for (int i = 0; i < a->n && close; i++)
        close = fabsf(a->value[i] - b->value[i]) < 1e-3f;
    return close;
}

training_result training_expect(const training *t) {
    training_result r = {.before = training_values(t)};
    r.loss = training_step(t);
    ck_assert_msg(r.loss > 0, "%s", gn_error());
    r.after = training_values(t);
    ck_assert(!floats_equal(&r.before, &r.after));
    return r;
}

void training_repeat(const training *t, const training_result *expected, bool exactly) {
    const double loss = training_step(t);
    ck_assert_msg(exactly ? loss == expected->loss : fabs(loss - expected->loss) < 1e-4,
                  "the loss is %.9g, not %.9g; %s", loss, expected->loss, gn_error());
    const floats after = training_values(t);
    ck_assert(exactly ? floats_equal(&after, &expected->after)
                      : floats_close(&after, &expected->after));
}
