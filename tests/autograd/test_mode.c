/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/autograd/mode.c: recording and inference, on one thread and on several. */
#include <pthread.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *leaf(int64_t n) {
    return gn_requires_grad_(gn_arange(1, (double)n + 1, 1, GN_AS(.dtype = GN_F32)), true);
}

/* Modes nest, act at once, and leave no leaf behind that would require a gradient. */
START_TEST(test_grad_mode) {
    gn_tensor *x = leaf(2);
    bool outer = gn_set_grad_enabled(false), inner = gn_set_grad_enabled(true);
    ck_assert(outer && !inner && gn_requires_grad(gn_mul(x, x)));
    gn_set_grad_enabled(inner);
    gn_tensor *y = gn_mul(x, x), *view = gn_slice(x, 0, 0, 1, 1);
    ck_assert(!gn_requires_grad(y) && gn_is_leaf(y) && !gn_requires_grad(view));
    ck_assert_ptr_null(gn_grad_fn(y));
    gn_set_grad_enabled(outer);
    ck_assert(gn_is_grad_enabled() && gn_requires_grad(gn_mul(x, x)));
}
END_TEST

START_TEST(test_inference) {
    gn_tensor *x = leaf(2), *plain = gn_ones(2);
    ck_assert(!gn_set_inference_mode(true) && gn_is_inference_mode_enabled());
    ck_assert(!gn_is_grad_enabled());
    gn_tensor *y = gn_mul(x, x), *view = gn_slice(y, 0, 0, 1, 1);
    gn_tensor *of_normal = gn_slice(plain, 0, 0, 1, 1);
    bool was = gn_set_grad_enabled(true); /* does not get through */
    ck_assert(was && !gn_is_grad_enabled() && !gn_requires_grad(gn_mul(x, x)));
    gn_add_scalar_(y, 1);
    gn_add_scalar_(plain, 1);
    ck_assert(gn_set_inference_mode(false) && gn_is_grad_enabled());
    ck_assert(gn_is_inference(y) && gn_is_inference(view) && gn_is_inference(gn_detach(y)));
    ck_assert(!gn_is_inference(of_normal) && !gn_is_inference(x) && !gn_is_inference(gn_clone(y)));
    EXPECT_VALUES(y, 0, 2, 5);
    ck_assert_ptr_nonnull(gn_add_scalar_(plain, 1));
    ck_assert_ptr_null(gn_add_scalar_(view, 1));
    expect_error(GN_E_STATE, "add_scalar_: in place on a tensor made in inference mode, outside of "
                             "that mode: gn_clone it");
    ck_assert_ptr_null(gn_requires_grad_(y, true));
    expect_error(GN_E_STATE, "requires_grad_: the tensor was made in inference mode: gn_clone it "
                             "outside of it");
    gn_backward(gn_sum(gn_add(x, y))); /* needs no value of y */
    EXPECT_VALUES(gn_grad(x), 0, 1, 1);
    gn_mul(x, y);
    expect_error(GN_E_STATE,
                 "mul: a tensor of shape (2) that its gradient needs was made in inference mode: "
                 "gn_clone it outside of that mode");
    gn_backward(gn_sum(gn_mul(x, gn_clone(y))));
    EXPECT_VALUES(gn_grad(x), 0, 3, 6);
}
END_TEST

/* ---- Threads: modes are the thread's own, and each walks a graph of its own over shared leaves */

enum { THREADS = 4, ROUNDS = 50 };

typedef struct worker {
    gn_tensor *shared;
    bool enabled, right;
    double sum;
} worker;

static void *work(void *context) {
    worker *w = context;
    w->enabled =
        gn_is_grad_enabled() && !gn_is_inference_mode_enabled() && !gn_is_detect_anomaly_enabled();
    for (int i = 0; i < ROUNDS; i++) {
        gn_scope scope = gn_scope_begin();
        bool was = gn_set_grad_enabled(i % 2);
        gn_tensor *y = gn_sum(gn_square(w->shared)), *g = NULL;
        w->right = gn_requires_grad(y) == (i % 2 == 1);
        if (gn_requires_grad(y) && gn_gradients(y, 1, &w->shared, &g, NULL) == GN_OK)
            w->sum += gn_item(gn_sum(g));
        gn_set_grad_enabled(was);
        if (gn_scope_end(scope) || !w->right)
            break;
    }
    return NULL;
}

START_TEST(test_threads) {
    pthread_t threads[THREADS];
    worker workers[THREADS];
    gn_tensor *shared = leaf(3);
    gn_set_grad_enabled(false);
    gn_set_detect_anomaly(true);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.shared = shared};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(workers[i].enabled && workers[i].right);
        ck_assert_double_eq(workers[i].sum, 12.0 * ROUNDS / 2);
    }
    ck_assert(!gn_set_grad_enabled(true) && gn_set_detect_anomaly(false));
    ck_assert_ptr_null(gn_grad(shared));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_grad_mode, test_inference, test_threads, NULL};
    return suite_run("mode", tests);
}
