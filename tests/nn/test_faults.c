/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sweeps of a training step over the calls of its device: whichever call fails, at once or late, the
 * step ends in an error that names an operation, nothing leaks, and the next step computes what it
 * would have without the failure. The device is the layer "fault" in front of the one under test.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/genesis.h>

#include "base/internal.h"
#include "tests/plugins/fault.h"
#include "tests/suite.h"

enum { BATCH = 3, SIZE = 6, CHANNELS = 2, CLASSES = 3, MOST_FLOATS = 256 };

static char device[80]; /* "fault:cpu" */
static fault *told;

static const char *const names[] = {
#define X(name, enqueues) [FAULT_##name] = #name,
    FAULT_FUNCTIONS(X)
#undef X
};

/* ---- The training */

typedef struct training {
    gn_module *model;
    gn_optimizer *adam;
    gn_tensor *x, *y;
} training;

/* Its members are NULL after an error. */
static training training_new(void) {
    gn_manual_seed(1);
    training t = {.model =
                      gn_nn_sequential(gn_nn_conv2d(1, CHANNELS, 3), gn_nn_batch_norm2d(CHANNELS),
                                       gn_nn_relu(), gn_nn_max_pool2d(2), gn_nn_flatten(),
                                       gn_nn_dropout(0.3), gn_nn_linear(4 * CHANNELS, CLASSES)),
                  .x = gn_randn(BATCH, 1, SIZE, SIZE),
                  .y = gn_randint(0, CLASSES, GN_SHAPE(BATCH), NULL)};
    t.adam = gn_optim_adam(gn_parameters(t.model), .lr = 1e-2);
    return t;
}

/* One step; its loss, or -1 with an error. */
static double step(const training *t) {
    gn_scope scope = gn_scope_begin();
    gn_manual_seed(2);
    gn_zero_grad(t->adam);
    gn_tensor *loss = gn_cross_entropy(gn_forward(t->model, t->x), t->y);
    gn_backward(loss);
    gn_step(t->adam);
    double value = gn_item(loss);
    return gn_scope_end(scope) == GN_OK ? value : -1;
}

/* All parameters and buffers, one after the other. */
typedef struct floats {
    int n;
    float value[MOST_FLOATS];
} floats;

static floats values_of(gn_dict *dict) {
    floats f = {.n = 0};
    for (int64_t i = 0; i < gn_dict_size(dict); i++) {
        gn_tensor *t = gn_dict_tensor(dict, i);
        const int64_t n = gn_numel(t);
        ck_assert_int_le(f.n + n, MOST_FLOATS);
        ck_assert_msg(gn_copy_out(t, f.value + f.n, GN_F32, n) == GN_OK, "%s", gn_error());
        f.n += (int)n;
    }
    return f;
}

static bool equal(const floats *a, const floats *b) {
    return a->n == b->n && memcmp(a->value, b->value, (size_t)a->n * sizeof a->value[0]) == 0;
}

static bool close_to(const floats *a, const floats *b) {
    for (int i = 0; i < a->n; i++)
        if (!(fabsf(a->value[i] - b->value[i]) < 1e-3f))
            return false;
    return true;
}

/* What a step does without failures. */
typedef struct expected {
    double loss;
    floats before, after; /* the parameters */
} expected;

static expected expect(const training *t) {
    expected e = {.before = values_of(gn_parameters(t->model))};
    e.loss = step(t);
    ck_assert_msg(e.loss > 0, "%s", gn_error());
    e.after = values_of(gn_parameters(t->model));
    ck_assert(!equal(&e.before, &e.after));
    return e;
}

static void expect_clean_step(const training *t, const expected *e) {
    const double loss = step(t);
    ck_assert_msg(loss == e->loss, "the loss is %.9g, not %.9g; %s", loss, e->loss, gn_error());
    const floats after = values_of(gn_parameters(t->model));
    ck_assert(equal(&after, &e->after));
}

/* ---- Failures */

typedef struct failure {
    gn_status status;
    bool late;
} failure;

static const failure failures[] = {
    {GN_E_MEMORY, false}, {GN_E_UNSUPPORTED, false}, {GN_E_LOST, false}, {GN_E_DEVICE, true}};

static void arm(int function, uint64_t n, const failure *f) {
    *told = (fault){.function = function,
                    .n = n,
                    .status = f->status,
                    .late = f->late,
                    .blocks = told->blocks,
                    .programs = told->programs,
                    .plans = told->plans,
                    .devices = told->devices};
}

/* Whether the n-th call was reached. */
static bool disarm(void) {
    const bool struck = told->struck > 0;
    told->n = 0;
    return struck;
}

/* The error that sticks is one of the failure's, and names an operation. Clears it. */
static void expect_error(const failure *f) {
    const char *text = gn_error();
    const size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
    ck_assert_msg(gn_error_status() == f->status, "%s", text);
    ck_assert_msg(name > 0 && text[name] == ':' && strstr(text, device), "%s", text);
    ck_assert_msg(strstr(text, "was told to fail"), "%s", text);
    if (f->late && told->last_struck != FAULT_upload && told->last_struck != FAULT_download)
        ck_assert_msg(strncmp(text, "download", name) != 0, "%s", text);
    ck_assert_ptr_null(gn_zeros(2)); /* it sticks */
    ck_assert_int_eq(gn_error_status(), f->status);
    gn_error_clear();
}

/* What a step answered in which a call failed: an error, or the result all the same, where the
 * library has another way, such as a composition. */
static void expect_outcome(double loss, const failure *f, const expected *e) {
    if (loss < 0)
        expect_error(f);
    else
        ck_assert_msg(fabs(loss - e->loss) < 1e-4 && gn_error_status() == GN_OK,
                      "%s: the loss is %g, not %g", names[told->last_struck], loss, e->loss);
}

/* How often a call was struck, and how often the step then ended in an error. */
typedef struct tally {
    int struck, errors;
} tally;

static void print_tally(const char *what, const tally *t) {
    printf("%s: %s: %d calls failed, %d steps ended in an error\n", device, what, t->struck,
           t->errors);
}

/* ---- A step of a training that runs already: kernels and copies */

typedef struct state {
    gn_dict *model, *adam;
} state;

/* Copies, as the dictionary of a model has its tensors themselves. */
static state save(const training *t) {
    gn_dict *own = gn_state_dict(t->model), *copies = gn_dict_new();
    for (int64_t i = 0; i < gn_dict_size(own); i++)
        gn_dict_set(copies, gn_dict_name(own, i), gn_clone(gn_dict_tensor(own, i)));
    return (state){copies, gn_optimizer_state_dict(t->adam)};
}

static void restore(const training *t, const state *s) {
    gn_scope scope = gn_scope_begin();
    gn_load_state_dict(t->model, s->model);
    gn_optimizer_load_state_dict(t->adam, s->adam);
    gn_zero_grad(t->adam);
    ck_assert_msg(gn_scope_end(scope) == GN_OK, "%s", gn_error());
}

static uint64_t in_use(void) {
    gn_memory_stats stats;
    ck_assert_int_eq(gn_memory_stats_get(device, &stats), GN_OK);
    return stats.allocated;
}

/* The parameters are those before or after the step, unless it was the update itself that failed. */
static void expect_whole(const training *t, const expected *e, bool updating) {
    const floats now = values_of(gn_parameters(t->model));
    ck_assert_msg(updating || equal(&now, &e->before) || close_to(&now, &e->after),
                  "%s failed, and some parameters are changed", names[told->last_struck]);
}

static bool fail_warm(const training *t, const state *s, const expected *e, int function,
                      uint64_t n, const failure *f, tally *counts) {
    restore(t, s);
    const uint64_t used = in_use();
    arm(function, n, f);
    const double loss = step(t);
    if (!disarm())
        return false;
    counts->struck++;
    counts->errors += loss < 0;
    const bool updating = strncmp(gn_error(), "adam:", 5) == 0;
    expect_outcome(loss, f, e);
    gn_scope scope = gn_scope_begin();
    expect_whole(t, e, updating);
    gn_scope_end(scope);
    gn_zero_grad(t->adam);
    ck_assert_uint_eq(in_use(), used);
    ck_assert_msg(step(t) >= 0, "%s", gn_error()); /* from what the failure left behind */
    restore(t, s);
    expect_clean_step(t, e);
    return true;
}

START_TEST(test_warm_steps) {
    training t = training_new();
    for (int i = 0; i < 2; i++)
        ck_assert_msg(step(&t) > 0, "%s", gn_error());
    const state s = save(&t);
    restore(&t, &s);
    const expected e = expect(&t);
    for (size_t i = 0; i < GN_LENGTH(failures); i++) {
        tally counts = {0, 0};
        gn_scope scope = gn_scope_begin();
        for (uint64_t n = 1; fail_warm(&t, &s, &e, FAULT_any, n, &failures[i], &counts); n++)
            continue;
        gn_scope_end(scope);
        print_tally(failures[i].late ? "warm, late" : "warm", &counts);
        ck_assert_int_gt(counts.struck, 15);
        ck_assert_int_gt(counts.errors, 10);
    }
}
END_TEST

/* ---- The first step of all, from opening the device on: memory, programs and plans, too */

static bool fail_cold(const expected *e, int function, uint64_t n, const failure *f,
                      tally *counts) {
    gn_shutdown();
    ck_assert_msg(gn_set_default_device(device) == GN_OK, "%s", gn_error());
    arm(function, n, f);
    training t = training_new();
    const double loss = gn_error_status() == GN_OK ? step(&t) : -1;
    const bool struck = disarm();
    if (struck) {
        counts->struck++;
        counts->errors += loss < 0;
        expect_outcome(loss, f, e);
        t = training_new();
        expect_clean_step(&t, e);
    }
    gn_shutdown();
    ck_assert_msg(
        told->blocks == 0 && told->programs == 0 && told->plans == 0 && told->devices == 0,
        "%s failed; not given back: %d blocks, %d programs, %d plans, %d devices",
        names[told->last_struck], told->blocks, told->programs, told->plans, told->devices);
    return struck;
}

START_TEST(test_cold_steps) {
    training t = training_new();
    const expected e = expect(&t);
    for (size_t i = 0; i < GN_LENGTH(failures); i++) {
        tally counts = {0, 0};
        for (uint64_t n = 1; fail_cold(&e, FAULT_any, n, &failures[i], &counts); n++)
            continue;
        print_tally(failures[i].late ? "cold, late" : "cold", &counts);
        ck_assert_int_gt(counts.struck, 30);
        ck_assert_int_gt(counts.errors, 20);
    }
    ck_assert_int_eq(gn_set_default_device(device), GN_OK);
}
END_TEST

/* The layer's struct, in its shared object. */
static fault *find_state(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s/genesis_fault.so", getenv("GENESIS_TEST_PLUGINS"));
    void *object = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    return object ? dlsym(object, "fault_state") : NULL;
}

int main(void) {
    const char *below = getenv("GENESIS_DEVICE");
    snprintf(device, sizeof device, "fault:%.60s", below ? below : "cpu");
    unsetenv("GENESIS_FAULT");
    if (gn_set_default_device(device) != GN_OK || (told = find_state()) == NULL) {
        fprintf(stderr, "%s: %s\n", device, gn_error());
        return 99;
    }
    const TTest *tests[] = {test_warm_steps, test_cold_steps, NULL};
    return suite_run("faults", tests);
}
