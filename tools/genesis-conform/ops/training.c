/* SPDX-License-Identifier: Apache-2.0 */
/*
 * training.c - small nets trained for some steps: like on the reference, twice alike, in several
 * threads at once, and again after gn_shutdown. memory.c takes their memory away.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "library.h"

enum { BATCH = 8, CLASSES = 4, STEPS = 6, THREADS = 4, CYCLES = 3, SEED = 5 };
static const double TOLERANCE = 1e-4; /* relative to 0.1 + |value|, after STEPS steps in float32 */

static gn_module *make_mlp(void) {
    return gn_nn_sequential(gn_nn_linear(12, 16), gn_nn_layer_norm(GN_SHAPE(16)), gn_nn_gelu(),
                            gn_nn_dropout(0.2), gn_nn_linear(16, CLASSES));
}

static gn_module *make_cnn(void) {
    return gn_nn_sequential(gn_nn_conv2d(1, 4, 3, .padding = 1), gn_nn_batch_norm2d(4),
                            gn_nn_relu(), gn_nn_max_pool2d(2), gn_nn_flatten(),
                            gn_nn_linear(4 * 4 * 4, CLASSES));
}

static gn_optimizer *make_adam(gn_dict *parameters) {
    return gn_optim_adamw(parameters, .lr = 1e-2, .eps = gn_some(1e-3));
}

static gn_optimizer *make_sgd(gn_dict *parameters) {
    return gn_optim_sgd(parameters, .lr = 0.05, .momentum = 0.9);
}

typedef struct net {
    const char *name;
    gn_module *(*make)(void);
    gn_optimizer *(*make_optimizer)(gn_dict *parameters);
    gn_shape input;
} net;

static const net nets[] = {
    {"training mlp", make_mlp, make_adam, {2, {BATCH, 12}}},
    {"training cnn", make_cnn, make_sgd, {4, {BATCH, 1, 8, 8}}},
};

/* ---- A run on the default device of the thread's process */

typedef struct run {
    const net *net;
    gn_module *model;
    gn_optimizer *optimizer;
    gn_tensor *x, *y;
    double losses[STEPS];
    gn_status status; /* of all of it */
    char error[256];
} run;

/* The same seed makes the same parameters and data. */
static run run_new(const net *of) {
    gn_manual_seed(SEED);
    run r = {.net = of,
             .model = of->make(),
             .x = gn_rand_with(of->input, NULL),
             .y = gn_randint(0, CLASSES, GN_SHAPE(BATCH), NULL)};
    r.optimizer = of->make_optimizer(gn_parameters(r.model));
    return r;
}

static void run_steps(run *r) {
    for (int i = 0; i < STEPS; i++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *loss = gn_cross_entropy(gn_forward(r->model, r->x), r->y);
        gn_zero_grad(r->optimizer);
        gn_backward(loss);
        gn_step(r->optimizer);
        r->losses[i] = gn_item(loss);
        gn_scope_end(scope);
    }
    r->status = gn_error_status();
    snprintf(r->error, sizeof r->error, "%s", gn_error());
}

static run trained(const char *device, const net *of) {
    gn_set_default_device(device);
    run r = run_new(of);
    run_steps(&r);
    EXPECT(r.status == GN_OK, "on %s: %s", device, r.error);
    gn_set_default_device(options.device);
    return r;
}

/* ---- Comparison */

/* The k-th parameter's elements; NULL beyond the last. */
static double *parameter(const run *r, int64_t k, int64_t *n) {
    gn_dict *parameters = gn_parameters(r->model);
    if (k >= gn_dict_size(parameters))
        return NULL;
    gn_tensor *t = gn_detach(gn_dict_tensor(parameters, k));
    *n = gn_numel(t);
    double *values = case_alloc((size_t)*n, sizeof *values);
    EXPECT(gn_copy_out(t, values, GN_F64, *n) == GN_OK, "parameter %lld: %s", (long long)k,
           gn_error());
    return values;
}

/* The largest error of the numbers in units of 0.1 + |expected|; infinite with a NaN. */
static double largest_error(const double *found, const double *expected, int64_t n) {
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs(found[i] - expected[i]) / (0.1 + fabs(expected[i]));
        largest = isnan(error) ? INFINITY : fmax(largest, error);
    }
    return largest;
}

static void expect_close(const char *what, const double *found, const double *expected, int64_t n,
                         double tolerance) {
    const double error = largest_error(found, expected, n);
    EXPECT(error <= tolerance, "%s differ by up to %.3g, relative to 0.1 + |expected|", what,
           error);
}

static void expect_same(const run *found, const run *expected, double tolerance) {
    const double *a, *b;
    int64_t n;
    expect_close("losses", found->losses, expected->losses, STEPS, tolerance);
    for (int64_t k = 0; (a = parameter(found, k, &n)) && (b = parameter(expected, k, &n)); k++)
        expect_close(gn_dict_name(gn_parameters(found->model), k), a, b, n, tolerance);
}

/* ---- Cases */

static void like_reference(int index) {
    if (!subject(nets[index].name, GN_F32))
        return;
    reference_device();
    const run expected = trained(options.reference, &nets[index]);
    const run found = trained(options.device, &nets[index]);
    expect_same(&found, &expected, TOLERANCE);
}

static void repeatable(int index) {
    if (!subject(nets[index].name, GN_F32))
        return;
    const run first = trained(options.device, &nets[index]);
    const run second = trained(options.device, &nets[index]);
    context("two runs from the same seed");
    expect_same(&second, &first, 0);
}

static void learns(int index) {
    if (!subject(nets[index].name, GN_F32))
        return;
    const run r = trained(options.device, &nets[index]);
    EXPECT(r.losses[STEPS - 1] < r.losses[0], "the loss goes from %g to %g", r.losses[0],
           r.losses[STEPS - 1]);
}

typedef struct worker {
    pthread_t thread;
    run r;
    gn_dict *start; /* parameters to begin with */
} worker;

/* Draws and loads what the others have, as nobody knows whose turn it is to draw. */
static void *work(void *argument) {
    worker *w = argument;
    w->r.model = w->r.net->make();
    gn_load_state_dict(w->r.model, w->start);
    w->r.optimizer = w->r.net->make_optimizer(gn_parameters(w->r.model));
    run_steps(&w->r);
    gn_error_clear();
    return NULL;
}

static void threads(void) {
    const net *cnn = &nets[1]; /* without dropout, which would draw, too */
    if (!subject(cnn->name, GN_F32))
        return;
    worker workers[THREADS];
    run alone = run_new(cnn);
    gn_dict *start = gn_state_dict(alone.model);
    int n = 0, failed = 0;
    gn_synchronize(options.device);
    for (; n < THREADS && !failed; n += !failed) {
        workers[n] = (worker){.r = {.net = cnn, .x = alone.x, .y = alone.y}, .start = start};
        failed = pthread_create(&workers[n].thread, NULL, work, &workers[n]);
    }
    for (int i = 0; i < n; i++)
        pthread_join(workers[i].thread, NULL);
    EXPECT(!failed, "no thread number %d", n);
    run_steps(&alone);
    for (int i = 0; i < THREADS; i++) {
        context("thread %d of %d", i, THREADS);
        EXPECT(workers[i].r.status == GN_OK, "%s", workers[i].r.error);
        expect_close("losses", workers[i].r.losses, alone.losses, STEPS, TOLERANCE);
    }
}

static void shutdown_and_again(void) {
    const net *mlp = &nets[0];
    double first = 0;
    if (!subject(mlp->name, GN_F32))
        return;
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        context("use %d of the library", cycle + 1);
        const run r = trained(options.device, mlp);
        if (cycle == 0)
            first = r.losses[STEPS - 1];
        EXPECT(r.losses[STEPS - 1] == first, "the loss is %.17g, it was %.17g", r.losses[STEPS - 1],
               first);
        target_close();
        target_open();
        library_begin();
    }
}

static const test_case cases[] = {
    {.name = "learns", .each = learns, .n = GN_LENGTH(nets)},
    {.name = "reference", .each = like_reference, .n = GN_LENGTH(nets)},
    {.name = "repeatable", .each = repeatable, .n = GN_LENGTH(nets)},
    {.name = "threads", .run = threads},
    {.name = "shutdown", .run = shutdown_and_again},
};

const test_group training_group = {
    .name = "training", CASES(cases), .begin = library_begin, .after = library_after};
