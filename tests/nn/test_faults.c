/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sweeps of a training step over the calls of its device: whichever fails, at once or late, the
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
#include "tests/nn/training.h"
#include "tests/plugins/fault.h"
#include "tests/suite.h"

static char device[80]; /* "fault:cpu" */
static fault *told;

static const char *const names[] = {
#define X(name, enqueues) [FAULT_##name] = #name,
    FAULT_FUNCTIONS(X)
#undef X
};

/* ---- Failures */

typedef struct failure {
    gn_status status;
    bool late;
} failure;

static const failure failures[] = {
    {GN_E_MEMORY, false}, {GN_E_UNSUPPORTED, false}, {GN_E_LOST, false}, {GN_E_DEVICE, true}};

static void arm(uint64_t n, const failure *f) {
    fault_tell(told, (fault){.function = FAULT_any, .n = n, .status = f->status, .late = f->late});
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
 * library has another way: less memory, a composition. */
static void expect_outcome(double loss, const failure *f, const training_result *e) {
    if (loss < 0)
        expect_error(f);
    else
        ck_assert_msg((f->status == GN_E_MEMORY || f->status == GN_E_UNSUPPORTED) &&
                          fabs(loss - e->loss) < 1e-4 && gn_error_status() == GN_OK,
                      "%s: the loss is %g, not %g", names[told->last_struck], loss, e->loss);
}

/* What became of the steps of a sweep. */
typedef struct tally {
    int struck, errors;
    int functions[N_FAULT_FUNCTIONS];
} tally;

static void count(tally *t, double loss) {
    t->struck++;
    t->functions[told->last_struck]++;
    t->errors += loss < 0;
}

static void print_tally(const char *what, const failure *f, const tally *t) {
    printf("%s, %s, %s %s: %d steps with a call that fails (", device, what,
           gn_status_name(f->status), f->late ? "late" : "at once", t->struck);
    const char *comma = "";
    for (int i = 0; i < N_FAULT_FUNCTIONS; i++)
        if (t->functions[i]) {
            printf("%s%d %s", comma, t->functions[i], names[i]);
            comma = ", ";
        }
    printf("): %d errors\n", t->errors);
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

/* The parameters are those before or after the step, unless the update itself failed. */
static void expect_whole(const training *t, const training_result *e, bool updating) {
    const floats now = training_values(t);
    ck_assert_msg(updating || floats_equal(&now, &e->before) || floats_close(&now, &e->after),
                  "%s failed, and some parameters are changed", names[told->last_struck]);
}

static bool fail_warm(const training *t, const state *s, const training_result *e, uint64_t n,
                      const failure *f, tally *counts) {
    restore(t, s);
    const uint64_t used = in_use();
    arm(n, f);
    const double loss = training_step(t);
    if (!disarm())
        return false;
    count(counts, loss);
    const bool updating = strncmp(gn_error(), "adam:", 5) == 0;
    expect_outcome(loss, f, e);
    expect_whole(t, e, updating);
    gn_zero_grad(t->adam);
    ck_assert_uint_eq(in_use(), used);
    ck_assert_msg(training_step(t) >= 0, "%s", gn_error()); /* from what the failure left behind */
    restore(t, s);
    training_repeat(t, e, true);
    return true;
}

START_TEST(test_warm_steps) {
    training t = training_new();
    for (int i = 0; i < 2; i++)
        ck_assert_msg(training_step(&t) > 0, "%s", gn_error());
    const state s = save(&t);
    restore(&t, &s);
    const training_result e = training_expect(&t);
    for (size_t i = 0; i < GN_LENGTH(failures); i++) {
        tally counts = {.struck = 0};
        gn_scope scope = gn_scope_begin();
        for (uint64_t n = 1; fail_warm(&t, &s, &e, n, &failures[i], &counts); n++)
            continue;
        gn_scope_end(scope);
        print_tally("warm", &failures[i], &counts);
        ck_assert_int_gt(counts.struck, 15);
        ck_assert_int_gt(counts.errors, 10);
    }
}
END_TEST

/* ---- The first step of all, from opening the device on: memory, programs and plans, too */

static bool fail_cold(const training_result *e, uint64_t n, const failure *f, tally *counts) {
    gn_shutdown();
    ck_assert_msg(gn_set_default_device(device) == GN_OK, "%s", gn_error());
    arm(n, f);
    training t = training_new();
    const double loss = gn_error_status() == GN_OK ? training_step(&t) : -1;
    const bool struck = disarm();
    if (struck) {
        count(counts, loss);
        expect_outcome(loss, f, e);
        t = training_new();
        training_repeat(&t, e, f->status != GN_E_UNSUPPORTED);
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
    const training_result e = training_expect(&t);
    for (size_t i = 0; i < GN_LENGTH(failures); i++) {
        tally counts = {.struck = 0};
        for (uint64_t n = 1; fail_cold(&e, n, &failures[i], &counts); n++)
            continue;
        print_tally("cold", &failures[i], &counts);
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
