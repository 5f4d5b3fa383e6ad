/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threads.c - several threads at the same time, other numbers of threads in the backend, and the
 * same call twice.
 */
#include <pthread.h>
#include <string.h>

#include "../kernels/kernel.h"

/* ---- Threads of the host --------------------------------------------------------------------- */

enum { THREADS = 4, CALLS = 50, N = 5000 };

/* A thread only computes: what is wrong is said by the one that runs the case. */
struct job {
    const gn_program *program;
    gn_stream *stream;
    struct buffer *x;
    struct space space;
    gn_call call;
    gn_status status;
};

/* Held around calls on the stream that the threads of a device without streams share. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static gn_status call_once(const struct job *job) {
    char bytes[64] = {0};
    gn_mem *mem = NULL;
    gn_status status = backend->alloc(device, sizeof bytes, &mem);
    if (!job->stream)
        pthread_mutex_lock(&turn);
    if (status == GN_OK)
        status = backend->upload(device, job->stream, mem, 0, bytes, sizeof bytes);
    if (status == GN_OK)
        status = backend->map(device, job->stream, &job->call);
    if (status == GN_OK)
        status = backend->download(device, job->stream, bytes, mem, 0, sizeof bytes);
    if (!job->stream)
        pthread_mutex_unlock(&turn);
    backend->free(device, mem);
    return status;
}

static void *call_often(void *argument) {
    struct job *job = argument;
    for (int i = 0; i < CALLS && job->status == GN_OK; i++)
        job->status = call_once(job);
    return NULL;
}

/* x += 1 in each thread, on a stream of its own where there are streams. */
static void at_the_same_time(void) {
    subject("map", GN_I32);
    struct job *jobs = case_alloc(THREADS, sizeof *jobs);
    pthread_t threads[THREADS];
    program_begin("count");
    store(1, GN_I32, add(load(0, GN_I32), const_i(GN_I32, 1)));
    const gn_program *program = program_end();
    for (int i = 0; i < THREADS; i++) {
        struct job *job = &jobs[i];
        job->x = buffer_whole(GN_I32, N);
        job->call = prepare_call(&job->space, program, 0, SIZES(N),
                                 OPERANDS(AT(job->x, 0, 1), AT(job->x, 0, 1)), NULL);
        if (backend->stream_create)
            expect_status(CALL(stream_create, device, &job->stream), GN_OK);
    }
    expect_status(settle(), GN_OK);
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, call_often, &jobs[i]) == 0, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    raw_end(GN_OK); /* the scratch memory of all calls */
    for (int i = 0; i < THREADS; i++) {
        context("thread %d of %d", i, THREADS);
        if (jobs[i].stream)
            backend->stream_destroy(device, jobs[i].stream);
        EXPECT(jobs[i].status == GN_OK, "%s", gn_status_name(jobs[i].status));
        for (int k = 0; k < N; k++)
            put(jobs[i].x, k, (gn_scalar){.i = get(jobs[i].x, k).i + CALLS});
        check_exact(jobs[i].x);
    }
}

/* ---- Threads of the backend ------------------------------------------------------------------ */

/* What is exact stays exact with any number of threads: words of RANDOM, whole sums, scatter in
 * order. */
static void with_threads(int index) {
    enum { ROWS = 300, COLUMNS = 401, CELLS = ROWS * COLUMNS };
    static const int threads[] = {1, 2, 3, 7};
    const int before = gn_num_threads();
    gn_set_num_threads(threads[index]);
    subject("map", GN_I64);
    context("%d threads", threads[index]);
    struct buffer *words = buffer_new(GN_I64, CELLS), *sums = buffer_new(GN_I64, ROWS);
    program_begin("words");
    int word = op3(GN_OP_RANDOM, GN_U32, load_index(0), const_i(GN_I64, 3), const_i(GN_I64, 4));
    store(1, GN_I64, cast_to(GN_I64, word));
    map(program_end(), SIZES(CELLS), OPERANDS(INDEX(0, 1), AT(words, 0, 1)), NULL);
    program_begin("sum");
    store(1, GN_I64, reduced(GN_SUM, load(0, GN_I64)));
    reduce(program_end(), 1, SIZES(ROWS, COLUMNS),
           OPERANDS(AT(words, 0, COLUMNS, 1), AT(sums, 0, 1, 0)), NULL);
    const gn_status status = settle();
    gn_set_num_threads(before);
    expect_status(status, GN_OK);
    memset(sums->data, 0, ROWS * sizeof(int64_t));
    for (int i = 0; i < CELLS; i++) {
        I64(words)[i] = random_word(i, 3, 4);
        I64(sums)[i / COLUMNS] += I64(words)[i];
    }
    check_exact(words);
    check_exact(sums);
}

/* ---- The same call twice --------------------------------------------------------------------- */

static void *copy_of(struct buffer *b) {
    const size_t bytes = gn_dtype_bytes(b->dtype);
    return memcpy(case_alloc((size_t)b->n, bytes), download_all(b), (size_t)b->n * bytes);
}

static void expect_same(const struct buffer *a, const void *first, const void *second) {
    const size_t bytes = gn_dtype_bytes(a->dtype);
    for (int64_t i = 0; i < a->n; i++)
        EXPECT(memcmp((const char *)first + (size_t)i * bytes,
                      (const char *)second + (size_t)i * bytes, bytes) == 0,
               "element %lld has other bits the second time", (long long)i);
}

/* A sum over everything, which threads may add in many orders. */
static void sum_twice(void) {
    enum { CELLS = 1000003 };
    subject("reduce", GN_F32);
    struct buffer *x = buffer_random(GN_F32, CELLS), *y = buffer_new(GN_F32, 1);
    program_begin("sum");
    store(1, GN_F32, reduced(GN_SUM, load(0, GN_F32)));
    const gn_program *program = program_end();
    void *result[2];
    for (int i = 0; i < 2; i++) {
        reduce(program, 1, SIZES(CELLS), OPERANDS(AT(x, 0, 1), AT(y, 0, 0)), NULL);
        result[i] = copy_of(y);
    }
    expect_same(y, result[0], result[1]);
}

static void map_twice(void) {
    enum { CELLS = 100003 };
    subject("map", GN_F32);
    struct buffer *x = buffer_random(GN_F32, CELLS), *y = buffer_new(GN_F32, CELLS);
    program_begin("curve");
    int v = load(0, GN_F32);
    store(1, GN_F32, mul(op1(GN_OP_TANH, v), op1(GN_OP_EXP, op1(GN_OP_NEG, mul(v, v)))));
    const gn_program *program = program_end();
    void *result[2];
    for (int i = 0; i < 2; i++) {
        map(program, SIZES(CELLS), OPERANDS(AT(x, 0, 1), AT(y, 0, 1)), NULL);
        result[i] = copy_of(y);
    }
    expect_same(y, result[0], result[1]);
}

static const test_case cases[] = {
    {.name = "at_the_same_time", .run = at_the_same_time},
    {.name = "with_threads", .each = with_threads, .n = 4},
    {.name = "sum_twice", .run = sum_twice},
    {.name = "map_twice", .run = map_twice},
};

const test_group threads_group = {.name = "threads", CASES(cases), .after = kernel_after};
