/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/data/workers.c: loaders with threads, of sets of functions. */
#include <string.h>
#include <unistd.h>

#include <genesis/data.h>
#include <genesis/shape_ops.h>

#include "tests/expect.h"
#include "tests/suite.h"

enum { SAMPLES = 23 };

/* x: the index and a random number; y: the index; extra[0]: a scalar. */
static gn_status get(void *context, int64_t index, gn_generator *generator, gn_sample *out) {
    const int64_t *broken = context;
    if (index % 3 == 0)
        usleep(300); /* so that batches get ready out of order */
    if (broken && index == *broken)
        return gn_fail(GN_E_FORMAT, "get", "is damaged");
    const gn_tensor_options cpu = {.struct_size = sizeof cpu, .generator = generator};
    float random;
    if (gn_copy_out(gn_rand_with(GN_SHAPE(1), &cpu), &random, GN_F32, 1) != GN_OK)
        return gn_error_status();
    out->x = gn_tensor_of(((float[]){(float)index, random}), 2);
    out->y = gn_scalar_tensor((double)index, GN_AS(.dtype = GN_I64));
    out->extra[0] = gn_scalar_tensor(0.5, NULL);
    return GN_OK;
}

/* Two epochs of all samples' x. */
static void collect(float out[2][SAMPLES][2], int workers, int64_t batch) {
    memset(out, 0, 2 * SAMPLES * 2 * sizeof(float));
    gn_manual_seed(11);
    gn_loader *loader = gn_loader_new(gn_dataset_new(SAMPLES, get), .batch = batch, .shuffle = true,
                                      .workers = workers, .prefetch = 1 + workers % 3);
    for (int epoch = 0; epoch < 2; epoch++) {
        int64_t n = 0;
        for (gn_batch b; gn_next(loader, &b); n += b.size) {
            ck_assert_int_eq(b.index * batch, n);
            ck_assert_int_eq(gn_size(b.y, 0), b.size);
            ck_assert_int_eq(gn_size(b.extra[0], 0), b.size);
            ck_assert_int_eq(gn_copy_out(b.x, out[epoch][n], GN_F32, 2 * b.size), GN_OK);
        }
        ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
        ck_assert_int_eq(n, SAMPLES);
    }
    gn_release(gn_retain(loader));
}

/* Samples, order and random numbers depend on the seed alone. */
START_TEST(test_deterministic) {
    float alone[2][SAMPLES][2], many[2][SAMPLES][2];
    collect(alone, 0, 4);
    ck_assert_mem_ne(alone[0], alone[1], sizeof alone[0]);
    for (int workers = 1; workers <= 4; workers++) {
        collect(many, workers, 4);
        ck_assert_mem_eq(many, alone, sizeof alone);
    }
    collect(many, 3, 5); /* nor on the batches */
    ck_assert_mem_eq(many, alone, sizeof alone);
}
END_TEST

/* The error of a worker names the sample; batches before it come first; another epoch may follow. */
START_TEST(test_errors) {
    for (int workers = 0; workers <= 3; workers++) {
        int64_t broken = 9;
        int batches = 0;
        gn_loader *loader = gn_loader_new(gn_dataset_new(SAMPLES, get, .context = &broken),
                                          .batch = 4, .workers = workers);
        for (gn_batch b; gn_next(loader, &b);)
            batches++;
        expect_error(GN_E_FORMAT, "next: sample 9: get: is damaged");
        ck_assert_int_eq(batches, 2);
        broken = -1;
        batches = 0;
        for (gn_batch b; gn_next(loader, &b);)
            batches++;
        ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
        ck_assert_int_eq(batches, 6);
    }
}
END_TEST

/* Freed before, during and behind an epoch; several at once. */
START_TEST(test_early_end) {
    for (int taken = 0; taken < 4; taken++) {
        gn_scope scope = gn_scope_begin();
        gn_loader *a = gn_loader_new(gn_dataset_new(SAMPLES, get), .batch = 2, .workers = 2);
        gn_loader *b = gn_loader_new(gn_dataset_new(SAMPLES, get), .batch = 3, .workers = 3);
        gn_batch x, y;
        for (int i = 0; i < taken; i++) {
            ck_assert(gn_next(a, &x) && gn_next(b, &y));
            ck_assert_int_eq(gn_item_int(gn_select(y.y, 0, 1)), 3 * i + 1);
            ck_assert_int_eq(gn_item_int(gn_select(x.y, 0, 1)), 2 * i + 1);
        }
        ck_assert_int_eq(gn_scope_end(scope), GN_OK);
    }
}
END_TEST

/* Threads of a loader that is still retained end in gn_shutdown. */
START_TEST(test_shutdown) {
    gn_batch b;
    gn_loader *loader = gn_loader_new(gn_dataset_new(SAMPLES, get), .batch = 2, .workers = 2);
    ck_assert(gn_next(loader, &b));
    gn_shutdown();
    ck_assert_int_eq(gn_numel(gn_zeros(2)), 2);
}
END_TEST

/* ---- Iterable sets */

typedef struct stream {
    int64_t next, size;
} stream;

static gn_status rewind_stream(void *context) {
    ((stream *)context)->next = 0;
    return GN_OK;
}

static gn_status next(void *context, int64_t index, gn_generator *generator, gn_sample *out) {
    stream *self = context;
    (void)generator;
    ck_assert_int_eq(index, self->next);
    if (self->next < self->size)
        out->x = gn_scalar_tensor((double)self->next++, NULL);
    return GN_OK;
}

START_TEST(test_iterable) {
    for (int workers = 0; workers <= 2; workers++)
        for (int drop = 0; drop < 2; drop++) {
            stream s = {.size = 7};
            gn_scope scope = gn_scope_begin();
            gn_dataset *set = gn_iterable_dataset_new(next, .context = &s, .begin = rewind_stream);
            gn_loader *loader =
                gn_loader_new(set, .batch = 3, .workers = workers, .drop_last = drop);
            ck_assert_int_eq(gn_loader_batches(loader), -1);
            for (int epoch = 0; epoch < 2; epoch++) {
                int64_t seen = 0;
                for (gn_batch b; gn_next(loader, &b); seen += b.size)
                    ck_assert_int_eq(gn_item_int(gn_select(b.x, 0, 0)), seen);
                ck_assert_int_eq(seen, drop ? 6 : 7);
            }
            ck_assert_msg(gn_scope_end(scope) == GN_OK, "%s", gn_error());
        }
    stream s = {.size = 7};
    gn_dataset *set = gn_iterable_dataset_new(next, .context = &s);
    ck_assert_ptr_null(gn_loader_new(set, .shuffle = true));
    expect_error_with(GN_E_ARGUMENT, "iterable");
    ck_assert_ptr_null(gn_subset(set, (int64_t[]){0}, 1));
    expect_error_with(GN_E_ARGUMENT, "iterable");
}
END_TEST

/* ---- Collate functions */

static gn_status ragged(void *context, int64_t index, gn_generator *generator, gn_sample *out) {
    (void)context, (void)generator;
    out->x = gn_zeros(index + 1);
    return GN_OK;
}

static gn_status longest(void *context, const gn_sample *samples, int64_t n, gn_sample *batch) {
    int64_t most = 0;
    for (int64_t i = 0; i < n; i++)
        if (gn_size(samples[i].x, 0) > most)
            most = gn_size(samples[i].x, 0);
    batch->x = gn_zeros(n, most + *(int64_t *)context);
    return GN_OK;
}

START_TEST(test_collate) {
    gn_batch b;
    int64_t more = 10;
    gn_loader *loader = gn_loader_new(gn_dataset_new(5, ragged), .batch = 5, .workers = 1,
                                      .collate = longest, .collate_context = &more);
    ck_assert(gn_next(loader, &b));
    ck_assert_int_eq(gn_size(b.x, 1), 15);
    loader = gn_loader_new(gn_dataset_new(5, ragged), .batch = 5);
    ck_assert(!gn_next(loader, &b));
    expect_error_with(GN_E_ARGUMENT, "samples 0 and 1 are float32 (1) and float32 (2)");
    ck_assert_ptr_null(gn_loader_new(gn_dataset_new(5, ragged), .workers = -1));
    expect_error_with(GN_E_ARGUMENT, "-1 workers");
}
END_TEST

int main(void) {
    const TTest *tests[] = {
        test_deterministic, test_errors, test_early_end, test_iterable, test_collate,
        test_shutdown,      NULL};
    return suite_run("workers", tests);
}
