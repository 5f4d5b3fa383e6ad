/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/runtime/allocator.c and storage.c. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tests/suite.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static gn_memory_stats stats_of(const char *device) {
    gn_memory_stats stats;
    ck_assert_int_eq(gn_memory_stats_get(device, &stats), GN_OK);
    return stats;
}

static gn__storage *take(gn__device *device, uint64_t bytes) {
    gn__storage *storage = gn__storage_new(device, bytes);
    ck_assert_msg(storage != NULL, "%s", gn_error());
    ck_assert_uint_eq(storage->offset % GN_MEM_ALIGNMENT, 0);
    ck_assert_uint_eq(storage->bytes, bytes);
    ck_assert_ptr_eq(storage->device, device);
    ck_assert_uint_eq(atomic_load(&storage->references), 1);
    return storage;
}

START_TEST(test_reuse) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn_empty_cache("recorder");
    gn__storage *a = take(device, 1000);
    gn_mem *mem = a->mem;
    const uint64_t offset = a->offset;
    ck_assert_ptr_eq(a->host, (char *)mem + 64 + offset);
    gn__storage_release(a);
    a = take(device, 900); /* the same class */
    ck_assert_ptr_eq(a->mem, mem);
    ck_assert_uint_eq(a->offset, offset);
    gn__storage *b = take(device, 900);
    ck_assert(b->mem != mem || b->offset != offset);
    gn__storage_retain(b);
    gn__storage_release(b);
    ck_assert_uint_eq(atomic_load(&b->references), 1);
    gn__storage_release(b);
    gn__storage_release(a);
    gn__storage_release(NULL);
    ck_assert_ptr_null(gn__storage_retain(NULL));
}
END_TEST

/* Blocks of every size hold what they say, without touching each other. */
START_TEST(test_sizes) {
    enum { N = 400 };
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    static gn__storage *blocks[N];
    for (int i = 0; i < N; i++) {
        uint64_t bytes = (uint64_t)i * i * 11;
        blocks[i] = take(device, bytes);
        memset(blocks[i]->host, i & 0xff, bytes);
    }
    for (int i = 0; i < N; i++) {
        const unsigned char *p = blocks[i]->host;
        for (uint64_t k = 0; k < blocks[i]->bytes; k++)
            if (p[k] != (i & 0xff))
                ck_abort_msg("byte %d of block %d is overwritten", (int)k, i);
        gn__storage_release(blocks[i]);
    }
    ck_assert_uint_eq(stats_of("recorder").allocated, 0);
    gn_shutdown();
    ck_assert_uint_eq(state->used, 0);
    ck_assert_int_eq(state->allocs, state->frees);
}
END_TEST

START_TEST(test_waste) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    for (uint64_t bytes = 300 * KIB; bytes < (uint64_t)64 * MIB; bytes += bytes / 3) {
        gn_empty_cache("recorder");
        gn__storage *storage = take(device, bytes);
        uint64_t reserved = stats_of("recorder").reserved;
        ck_assert_uint_ge(reserved, bytes);
        ck_assert_uint_le(reserved, bytes + bytes / 4);
        gn__storage_release(storage);
    }
    gn_empty_cache("recorder");
    ck_assert_uint_eq(stats_of("recorder").reserved, 0);
    gn__storage *storage = take(device, 1); /* many small ones share a slab */
    gn__storage *more[100];
    for (int i = 0; i < 100; i++)
        more[i] = take(device, 1 + (uint64_t)i * 100);
    ck_assert_uint_eq(stats_of("recorder").reserved, 2 * MIB);
    for (int i = 0; i < 100; i++)
        gn__storage_release(more[i]);
    gn__storage_release(storage);
}
END_TEST

START_TEST(test_stats) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *a = take(device, 1000), *b = take(device, 3 * MIB);
    gn_memory_stats stats = stats_of("recorder");
    ck_assert_uint_eq(stats.allocated, 1000 + 3 * MIB);
    ck_assert_uint_eq(stats.allocated_peak, stats.allocated);
    ck_assert_uint_eq(stats.reserved, 2 * MIB + 3 * MIB);
    ck_assert_uint_eq(stats.allocations, 2);
    ck_assert_uint_eq(stats.backend_allocations, 2);
    gn__storage_release(b);
    b = take(device, 3 * MIB - 5);
    stats = stats_of("recorder");
    ck_assert_uint_eq(stats.allocations, 3);
    ck_assert_uint_eq(stats.backend_allocations, 2);
    gn__storage_release(b);
    char *text = gn_memory_text("recorder");
    ck_assert_str_eq(text, "tensors use 1000 bytes (at most 3.00 MiB) of 5.00 MiB reserved (at "
                           "most 5.00 MiB); 3 allocations, 2 of them by the backend");
    free(text);
    gn__storage_release(a);
    ck_assert_int_eq(gn_memory_peak_reset("recorder"), GN_OK);
    stats = stats_of("recorder");
    ck_assert_uint_eq(stats.allocated, 0);
    ck_assert_uint_eq(stats.allocated_peak, 0);
    ck_assert_uint_eq(stats.reserved_peak, 5 * MIB);
    ck_assert_int_eq(gn_empty_cache("recorder"), GN_OK);
    ck_assert_uint_eq(stats_of("recorder").reserved, 0);
    ck_assert_uint_eq(state->used, 0);
    ck_assert_int_eq(gn_memory_stats_get("recorder", NULL), GN_E_ARGUMENT);
    ck_assert_ptr_null(gn_memory_text("recorder"));
    ck_assert_int_eq(gn_memory_peak_reset("recorder"), GN_E_ARGUMENT);
    ck_assert_int_eq(gn_empty_cache("recorder"), GN_E_ARGUMENT);
    ck_assert_int_eq(gn_set_memory_limit("recorder", 0), GN_E_ARGUMENT);
}
END_TEST

START_TEST(test_trim_keeps_what_is_used) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    gn__storage *used = take(device, 500), *small = take(device, 500), *big = take(device, MIB);
    gn__storage_release(small);
    gn__storage_release(big);
    gn_empty_cache("recorder");
    ck_assert_uint_eq(stats_of("recorder").reserved, 2 * MIB);
    small = take(device, 500);
    ck_assert_uint_eq(stats_of("recorder").backend_allocations, 2);
    gn__storage_release(small);
    gn__storage_release(used);
    gn_empty_cache("recorder");
    ck_assert_uint_eq(state->used, 0);
}
END_TEST

START_TEST(test_out_of_memory) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    state->memory = 17 * MIB;
    gn__storage *cached = take(device, 10 * MIB);
    gn__storage_release(cached);
    ck_assert_int_eq(state->synchronises, 0);
    gn__storage *a = take(device, 4 * MIB);  /* the cached block is too large for it */
    gn__storage *b = take(device, 12 * MIB); /* fits when the cache is trimmed */
    ck_assert_int_eq(state->synchronises, 1);
    ck_assert_ptr_null(gn__storage_new(device, 8 * MIB));
    ck_assert_int_eq(gn_error_status(), GN_E_MEMORY);
    const char *text = take_error();
    ck_assert(contains(text, "no room on recorder for 8.00 MiB: the recorder's memory is used up"));
    ck_assert(contains(text, "tensors use 16.00 MiB of 16.00 MiB reserved"));
    ck_assert(contains(text, "1.00 MiB of the device's 17.00 MiB are free"));
    gn__storage *small = take(device, 300 * KIB); /* the library still works */
    gn__storage_release(small);
    gn__storage_release(a);
    gn__storage_release(b);
    b = take(device, 16 * MIB);
    gn__storage_release(b);
    ck_assert_ptr_null(gn__storage_new(device, UINT64_MAX));
    ck_assert_int_eq(gn_error_status(), GN_E_MEMORY);
}
END_TEST

/* Where a slab does not fit any more, a small block still may. */
START_TEST(test_less_than_a_slab) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    state->memory = 64 * KIB;
    gn__storage *a = take(device, 10 * KIB), *b = take(device, 40 * KIB);
    ck_assert_ptr_null(gn__storage_new(device, 40 * KIB));
    gn_error_clear();
    gn__storage_release(a);
    gn__storage_release(b);
}
END_TEST

START_TEST(test_limit) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    ck_assert_int_eq(gn_set_memory_limit("recorder", 8 * MIB), GN_OK);
    gn__storage *a = take(device, 6 * MIB);
    ck_assert_ptr_null(gn__storage_new(device, 3 * MIB));
    ck_assert_int_eq(gn_error_status(), GN_E_MEMORY);
    const char *text = take_error();
    ck_assert(contains(text, "the limit that was set is reached"));
    ck_assert(contains(text, "; the limit is 8.00 MiB"));
    gn__storage_release(a);
    a = take(device, 3 * MIB); /* the cached 6 MiB give way */
    gn__storage_release(a);
    ck_assert_int_eq(gn_set_memory_limit("recorder", 0), GN_OK);
    a = take(device, 64 * MIB);
    gn__storage_release(a);
}
END_TEST

/* An error of earlier work comes out when the cache must be trimmed. */
START_TEST(test_error_of_earlier_work) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    state->memory = MIB;
    state->answer = GN_E_LOST;
    state->answer_tag = gn__tag("conv2d");
    state->answer_text = "the cable was pulled";
    ck_assert_ptr_null(gn__storage_new(device, 2 * MIB));
    ck_assert_int_eq(gn_error_status(), GN_E_LOST);
    ck_assert_str_eq(take_error(), "conv2d: device lost: the cable was pulled (on recorder)");
}
END_TEST

START_TEST(test_transfers) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    const float values[4] = {1, 2, 3, 4};
    float back[4] = {0};
    gn__storage *storage = floats_new(device, 4, values);
    floats_get(storage, 4, back);
    ck_assert_mem_eq(back, values, sizeof values);
    ck_assert_int_eq(gn__upload(storage, 8, values, 8), GN_OK);
    ck_assert_int_eq(gn__download(back, storage, 8, 8), GN_OK);
    ck_assert(back[0] == 1 && back[1] == 2);
    ck_assert_int_eq(gn__upload(storage, 16, values, 0), GN_OK);
    ck_assert_int_eq(gn__upload(storage, 12, values, 8), GN_E_INTERNAL);
    gn_error_clear();
    ck_assert_int_eq(gn__download(back, storage, UINT64_MAX, 8), GN_E_INTERNAL);
    ck_assert_int_eq(gn__upload(storage, 0, values, 8), GN_E_INTERNAL); /* the error sticks */
    gn_error_clear();
    state->answer = GN_E_INDEX;
    state->answer_tag = gn__tag("embedding");
    state->answer_text = "index 9 of 5";
    ck_assert_int_eq(gn__download(back, storage, 0, 8), GN_E_INDEX);
    ck_assert_str_eq(take_error(), "embedding: index out of range: index 9 of 5 (on recorder)");
    gn__storage_release(storage);
}
END_TEST

static int given_back;

static void give_back(void *context) {
    free(context);
    given_back++;
}

START_TEST(test_wrap) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    gn_memory_stats before = stats_of("recorder");
    char *memory = malloc(4096), text[6];
    ck_assert_ptr_nonnull(memory);
    char *data = memory + 1000 / 8 * 8;
    strcpy(data, "hello");
    given_back = 0;
    gn__storage *storage = gn__storage_wrap(device, data, 6, give_back, memory);
    ck_assert_ptr_nonnull(storage);
    ck_assert_uint_eq(storage->offset, (uintptr_t)data % GN_MEM_ALIGNMENT);
    ck_assert_ptr_eq(storage->host, data);
    ck_assert_uint_eq(state->wrapped_bytes, storage->offset + 6);
    ck_assert_int_eq(gn__download(text, storage, 0, sizeof text), GN_OK);
    ck_assert_str_eq(text, "hello");
    ck_assert_uint_eq(stats_of("recorder").reserved, before.reserved);
    gn_empty_cache("recorder");
    ck_assert_int_eq(state->unwraps, 0);
    gn__storage_release(storage);
    ck_assert_int_eq(state->unwraps, 1);
    ck_assert_int_eq(given_back, 1);

    /* released after the end; of nobody; refused; not possible */
    memory = malloc(64);
    storage = gn__storage_wrap(device, memory, 64, give_back, memory);
    gn_shutdown();
    ck_assert_int_eq(state->unwraps, 2);
    ck_assert_int_eq(given_back, 1);
    gn__storage_release(storage);
    ck_assert_int_eq(given_back, 2);
    device = recorder_open("recorder", &state);
    storage = gn__storage_wrap(device, text, sizeof text, NULL, NULL);
    ck_assert_ptr_nonnull(storage);
    gn__storage_release(storage);
    state->answer = GN_E_ARGUMENT;
    ck_assert_ptr_null(gn__storage_wrap(device, text, sizeof text, give_back, text));
    ck_assert_str_eq(take_error(), "wrap: this memory is read-only (on recorder)");
    device = gn__device_get("small_table");
    ck_assert_ptr_null(gn__storage_wrap(device, text, sizeof text, give_back, text));
    ck_assert_int_eq(gn_error_status(), GN_E_UNSUPPORTED);
    ck_assert_int_eq(given_back, 2);
}
END_TEST

typedef struct worker {
    gn__device *device;
    unsigned seed;
    bool wrong;
} worker;

/* Takes and gives back at random; what it wrote must still be there. */
static void *work(void *context) {
    enum { HELD = 64, STEPS = 20000 };
    worker *w = context;
    gn__storage *held[HELD] = {NULL};
    for (int step = 0; step < STEPS; step++) {
        w->seed = w->seed * 1664525 + 1013904223;
        int i = w->seed >> 16 & (HELD - 1);
        if (held[i]) {
            const uint64_t *stamp = held[i]->host;
            if (*stamp != (uint64_t)(uintptr_t)(w + i))
                w->wrong = true;
            gn__storage_release(held[i]);
            held[i] = NULL;
        } else {
            uint64_t bytes = 8 + ((w->seed >> 8) & 0x3ff) * ((w->seed >> 20) & 0x1ff);
            held[i] = gn__storage_new(w->device, bytes);
            if (held[i] == NULL) {
                w->wrong = true;
                break;
            }
            *(uint64_t *)held[i]->host = (uint64_t)(uintptr_t)(w + i);
        }
    }
    for (int i = 0; i < HELD; i++)
        gn__storage_release(held[i]);
    return NULL;
}

START_TEST(test_many_threads) {
    enum { THREADS = 4 };
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    pthread_t threads[THREADS];
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){device, (unsigned)i + 1, false};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 50; i++)
        gn_empty_cache("recorder");
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(!workers[i].wrong);
    }
    ck_assert_uint_eq(stats_of("recorder").allocated, 0);
    gn_empty_cache("recorder");
    ck_assert_uint_eq(stats_of("recorder").reserved, 0);
    ck_assert_uint_eq(state->used, 0);
}
END_TEST

int main(void) {
    add_test_plugins();
    const TTest *tests[] = {test_reuse,
                            test_sizes,
                            test_waste,
                            test_stats,
                            test_trim_keeps_what_is_used,
                            test_out_of_memory,
                            test_less_than_a_slab,
                            test_limit,
                            test_error_of_earlier_work,
                            test_transfers,
                            test_wrap,
                            test_many_threads,
                            NULL};
    return suite_run("allocator", tests);
}
