/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - what a lack of device memory leaves behind: a clean error that names the operation,
 * nothing lost, and a library that goes on when there is room again.
 */
#include <string.h>

#include "library.h"

enum { BATCH = 64, INPUTS = 20, HIDDEN = 800, CLASSES = 5, HALF_MIB = 1 << 19 };

typedef struct training {
    gn_module *model;
    gn_tensor *x, *y;
    gn_optimizer *adam;
} training;

static training training_new(void) {
    training t = {.model = gn_nn_sequential(gn_nn_linear(INPUTS, HIDDEN), gn_nn_relu(),
                                            gn_nn_linear(HIDDEN, CLASSES)),
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
    const double value = gn_item(loss);
    return gn_scope_end(scope) == GN_OK ? value : -1;
}

static gn_memory_stats stats(void) {
    gn_memory_stats stats;
    EXPECT(gn_memory_stats_get(options.device, &stats) == GN_OK, "%s", gn_error());
    return stats;
}

static void set_limit(uint64_t bytes) {
    EXPECT(gn_set_memory_limit(options.device, bytes) == GN_OK, "%s", gn_error());
}

/* "linear: ..." */
static void expect_memory_error(void) {
    EXPECT(gn_error_status() == GN_E_MEMORY, "%s (%s), instead of a lack of memory", gn_error(),
           gn_status_name(gn_error_status()));
    const size_t name = strspn(gn_error(), "abcdefghijklmnopqrstuvwxyz0123456789_");
    EXPECT(name > 0 && gn_error()[name] == ':', "no operation is named by \"%s\"", gn_error());
    gn_error_clear();
}

/* Whatever allocation of a step is the first that finds no room, the step fails, leaks nothing, and
 * training goes on when there is room again. */
static void limit(void) {
    if (!subject("training mlp", GN_F32))
        return;
    const training t = training_new();
    const double first = step(&t);
    EXPECT(first > 0, "a step without a limit: loss %g, %s", first, gn_error());
    const uint64_t used = stats().allocated;
    uint64_t room = 0;
    for (;; room += HALF_MIB) {
        context("room for %llu bytes more", (unsigned long long)room);
        EXPECT(gn_empty_cache(options.device) == GN_OK, "%s", gn_error());
        set_limit(stats().reserved + room);
        if (step(&t) >= 0)
            break;
        expect_memory_error();
        /* less is in use where gradients were dropped */
        EXPECT(stats().allocated <= used, "%llu bytes are in use, before the step %llu",
               (unsigned long long)stats().allocated, (unsigned long long)used);
    }
    EXPECT(room > 0, "a step needs no memory");
    set_limit(0);
    double last = 0;
    for (int i = 0; i < 5; i++)
        last = step(&t);
    context("without a limit again");
    EXPECT(last > 0 && last < first, "the loss goes from %g to %g: %s", first, last, gn_error());
}

/* More than an address can tell, and more than the device has. */
static void more_than_there_is(void) {
    static const int64_t sizes[] = {(int64_t)1 << 61, (int64_t)1 << 55, (int64_t)1 << 46};
    for (size_t i = 0; i < GN_LENGTH(sizes); i++) {
        context("%lld float32 elements", (long long)sizes[i]);
        EXPECT(!gn_empty(sizes[i]), "they are allocated");
        expect_memory_error();
        EXPECT(gn_item(gn_sum(gn_ones(10))) == 10, "afterwards: %s", gn_error());
    }
}

/* The limit belongs to the device: no later case may have it. */
static void after(void) {
    gn_error_clear();
    gn_set_memory_limit(options.device, 0);
    library_after();
}

static const test_case cases[] = {
    {.name = "limit", .run = limit},
    {.name = "huge", .run = more_than_there_is},
};

const test_group library_memory_group = {
    .name = "library-memory", CASES(cases), .begin = library_begin, .after = after};
