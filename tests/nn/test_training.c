/* SPDX-License-Identifier: Apache-2.0 */
/* Whole training steps: what a lack of memory leaves behind, and two threads at a time. */
#include <pthread.h>

#include <genesis/genesis.h>

#include "tests/suite.h"

enum { BATCH = 64, INPUTS = 20, HIDDEN = 800, CLASSES = 5, HALF_MIB = 1 << 19 };

typedef struct training {
    gn_module *model;
    gn_optimizer *adam;
    gn_tensor *x, *y;
} training;

static training training_new(int64_t hidden) {
    training t = {.model = gn_nn_sequential(gn_nn_linear(INPUTS, hidden), gn_nn_relu(),
                                            gn_nn_linear(hidden, CLASSES)),
                  .x = gn_randn(BATCH, INPUTS),
                  .y = gn_randint(0, CLASSES, GN_SHAPE(BATCH), NULL)};
    t.adam = gn_optim_adam(gn_parameters(t.model), .lr = 1e-2);
    return t;
}

/* One step; its loss, or -1 with an error. */
static double step(const training *t) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *loss = gn_cross_entropy(gn_forward(t->model, t->x), t->y);
    gn_zero_grad(t->adam);
    gn_backward(loss);
    gn_step(t->adam);
    double value = gn_item(loss);
    return gn_scope_end(scope) == GN_OK ? value : -1;
}

static gn_memory_stats stats(void) {
    gn_memory_stats stats;
    ck_assert_int_eq(gn_memory_stats_get(gn_default_device(), &stats), GN_OK);
    return stats;
}

/* Whatever allocation of a step is the first that finds no room, the step fails, leaks nothing, and
 * training goes on when there is room again. */
START_TEST(test_out_of_memory) {
    const char *device = gn_default_device();
    training t = training_new(HIDDEN);
    double first = step(&t);
    ck_assert_double_gt(first, 0);
    const uint64_t used = stats().allocated;
    int failed = 0;
    for (;; failed++) {
        ck_assert_int_eq(gn_empty_cache(device), GN_OK);
        ck_assert_int_eq(
            gn_set_memory_limit(device, stats().reserved + (uint64_t)failed * HALF_MIB), GN_OK);
        if (step(&t) >= 0)
            break;
        ck_assert_msg(gn_error_status() == GN_E_MEMORY, "%s", gn_error());
        gn_error_clear();
        ck_assert_uint_le(stats().allocated, used); /* less, where gradients were dropped */
    }
    ck_assert_int_gt(failed, 0);
    ck_assert_int_eq(gn_set_memory_limit(device, 0), GN_OK);
    double last = 0;
    for (int i = 0; i < 5; i++)
        last = step(&t);
    ck_assert_msg(last > 0 && last < first, "%g after %g: %s", last, first, gn_error());
}
END_TEST

/* Trains a model of its own, with an error in between. */
static void *train(void *losses) {
    training t = training_new(30);
    double *out = losses;
    out[0] = step(&t);
    for (int i = 0; i < 20; i++) {
        out[1] = step(&t);
        gn_add(t.x, t.y);
        gn_error_clear();
    }
    return NULL;
}

START_TEST(test_two_threads) {
    pthread_t threads[2];
    double losses[2][2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, train, losses[i]), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_msg(losses[i][1] > 0 && losses[i][1] < losses[i][0], "%g to %g", losses[i][0],
                      losses[i][1]);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_out_of_memory, test_two_threads, NULL};
    return suite_run("training", tests);
}
