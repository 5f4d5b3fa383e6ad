/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of plugins/trace: the files that it leaves, on the device under test and on fake ones. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_setname_np */
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <genesis/genesis.h>
#include <jansson.h>

#include "runtime/internal.h"
#include "tests/plugins/clocked.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

enum { HOST = 1 }; /* the program's process in a trace; the first device is the next one */

static char traced[64]; /* "trace:cpu" */
static json_t *trace;   /* the events */
static char *summary;   /* the text */

/* ---- Traces as a whole */

static char *read_text(const char *path) {
    static char text[1 << 16];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void begin(const char *trace_name) {
    temp_dir_make();
    setenv("GENESIS_TRACE", temp_dir_path(trace_name), 1);
    setenv("GENESIS_TRACE_SUMMARY", temp_dir_path("summary"), 1);
}

/* Closes all devices and reads what they left: one trace and its summary. */
static void end(const char *trace_name) {
    json_error_t why;
    gn_shutdown();
    ck_assert_int_eq(temp_dir_count(), 2);
    trace = json_load_file(temp_dir_path(trace_name), 0, &why);
    ck_assert_msg(trace != NULL, "line %d: %s", why.line, why.text);
    ck_assert(json_is_array(trace));
    summary = read_text(temp_dir_path("summary"));
    ck_assert_ptr_nonnull(summary);
    temp_dir_remove();
}

static void forget(void) {
    json_decref(trace);
    trace = NULL;
}

/* ---- Single events */

static const char *text_of(const json_t *event, const char *member) {
    const char *text = json_string_value(json_object_get(event, member));
    return text ? text : "";
}

static double number_of(const json_t *event, const char *member) {
    const json_t *number = json_object_get(event, member);
    ck_assert_msg(json_is_number(number), "an event has no %s", member);
    return json_number_value(number);
}

static const json_t *args_of(const json_t *event) { return json_object_get(event, "args"); }

static bool is_span(const json_t *event, const char *category) {
    return strcmp(text_of(event, "ph"), "X") == 0 && strcmp(text_of(event, "cat"), category) == 0;
}

/* The n-th span of an operation, in the order of the file; NULL: there are fewer. */
static const json_t *find_span(const char *category, const char *name, size_t n) {
    size_t i;
    const json_t *event;
    json_array_foreach(trace, i, event) {
        if (is_span(event, category) && strcmp(text_of(event, "name"), name) == 0 && n-- == 0)
            return event;
    }
    return NULL;
}

static size_t count_spans(const char *category) {
    size_t i, n = 0;
    const json_t *event;
    json_array_foreach(trace, i, event) n += is_span(event, category);
    return n;
}

/* Whether the trace names this process, or this track of it. */
static bool is_named(const char *what, int process, int64_t track) {
    size_t i;
    const json_t *event;
    json_array_foreach(trace, i, event) {
        if (strcmp(text_of(event, "name"), what) == 0 && number_of(event, "pid") == process &&
            (track < 0 || number_of(event, "tid") == (double)track))
            return *text_of(args_of(event), "name") != '\0';
    }
    return false;
}

/* The last value of a device's memory counter; *most is the highest one. */
static double memory_of(int device, double *most) {
    size_t i;
    const json_t *event;
    double bytes = -1, then = 0;
    *most = 0;
    json_array_foreach(trace, i, event) {
        if (strcmp(text_of(event, "ph"), "C") != 0 || number_of(event, "pid") != device)
            continue;
        ck_assert_str_eq(text_of(event, "name"), "memory");
        ck_assert_double_ge(number_of(event, "ts"), then);
        then = number_of(event, "ts");
        bytes = number_of(args_of(event), "bytes");
        *most = bytes > *most ? bytes : *most;
    }
    return bytes;
}

/* ---- What holds in every trace */

/* The spans of a track do not overlap, and those of a file stand in order. */
static void check_track(int process, int64_t track) {
    size_t i;
    const json_t *event;
    double free_from = 0;
    ck_assert(is_named("process_name", process, -1));
    ck_assert(is_named("thread_name", process, track));
    json_array_foreach(trace, i, event) {
        if (strcmp(text_of(event, "ph"), "X") != 0 || number_of(event, "pid") != process ||
            number_of(event, "tid") != (double)track)
            continue;
        const double ts = number_of(event, "ts"), duration = number_of(event, "dur");
        ck_assert_double_ge(duration, 0);
        ck_assert_double_ge(ts, free_from - 1e-3); /* rounding of the sum */
        free_from = ts + duration;
    }
}

static void check_tracks(void) {
    size_t i;
    const json_t *event;
    json_array_foreach(trace, i, event) {
        if (strcmp(text_of(event, "ph"), "X") != 0)
            continue;
        ck_assert_str_ne(text_of(args_of(event), "kernel"), "");
        check_track((int)number_of(event, "pid"), (int64_t)number_of(event, "tid"));
    }
}

/* ---- Work to be traced */

static void train(int steps) {
    gn_module *model = gn_nn_sequential(gn_nn_linear(8, 16), gn_nn_relu(), gn_nn_linear(16, 3));
    gn_optimizer *adam = gn_optim_adam(gn_parameters(model), .lr = 1e-2);
    gn_tensor *x = gn_randn(5, 8), *y = gn_randint(0, 3, GN_SHAPE(5), NULL);
    for (int i = 0; i < steps; i++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *loss = gn_cross_entropy(gn_forward(model, x), y);
        gn_zero_grad(adam);
        gn_backward(loss);
        gn_step(adam);
        ck_assert_double_gt(gn_item(loss), 0);
        ck_assert_int_eq(gn_scope_end(scope), GN_OK);
    }
    ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
}

/* Whether work of the traced device is done when the call returns. */
static bool is_synchronous(void) { return gn__device_get(traced)->table->synchronise == NULL; }

/* ---- Tests */

/* On a synchronous device the time of a call is that of its work. */
START_TEST(test_training) {
    double most, sum = 0;
    size_t i, calls = 0;
    const json_t *event;
    begin("trace.json");
    ck_assert_int_eq(gn_set_default_device(traced), GN_OK);
    train(2);
    const bool synchronous = is_synchronous();
    end("trace.json");
    check_tracks();
    json_array_foreach(trace, i, event) {
        if (!is_span(event, "device"))
            continue;
        const json_t *call = json_array_get(trace, i - 1); /* the same, of the thread */
        if (synchronous) {
            ck_assert(is_span(call, "host"));
            ck_assert(json_equal(json_object_get(call, "ts"), json_object_get(event, "ts")));
            ck_assert(json_equal(args_of(call), args_of(event)));
        }
        sum += number_of(event, "dur");
        calls++;
    }
    char head[128];
    double told, total;
    char unit[8];
    snprintf(head, sizeof head, "\ntrace of %s: %zu calls, %%lf %%7s on the device", traced + 6,
             calls);
    ck_assert_msg(sscanf(summary, head, &told, unit) == 2, "%s", summary);
    total = told * (strcmp(unit, "s") == 0 ? 1e6 : strcmp(unit, "ms") == 0 ? 1e3 : 1);
    ck_assert_double_eq_tol(total, sum, total * 1e-2);
    ck_assert_ptr_nonnull(find_span("device", "linear", 0));
    ck_assert_ptr_nonnull(find_span("device", "adam", 0));
    ck_assert_ptr_nonnull(strstr(summary, "\ncross_entropy "));
    ck_assert_double_eq(memory_of(HOST + 1, &most), 0);
    ck_assert_double_gt(most, 0);
    forget();
}
END_TEST

/* What the arguments of an event say. */
START_TEST(test_arguments) {
    begin("trace.json");
    ck_assert_int_eq(gn_set_default_device(traced), GN_OK);
    gn_tensor *a = gn_ones(4, 6), *row = gn_ones(6);
    ck_assert_ptr_nonnull(gn_add(a, row));
    gn_tensor *index = gn_full(GN_SHAPE(4, 2), 77, GN_AS(.dtype = GN_I64));
    gn_gather(a, 1, index);
    gn_synchronize(NULL);
    ck_assert_int_eq(gn_error_status(), GN_E_INDEX);
    gn_error_clear();
    const bool synchronous = is_synchronous();
    end("trace.json");
    const json_t *add = args_of(find_span("device", "add", 0));
    ck_assert_str_eq(text_of(add, "kernel"), "map");
    ck_assert_str_eq(text_of(add, "shape"), "(4, 6)");
    ck_assert_str_eq(text_of(add, "dtypes"), "float32, float32 -> float32");
    ck_assert_double_eq(number_of(add, "bytes read"), (24 + 6) * 4);
    ck_assert_double_eq(number_of(add, "bytes written"), 24 * 4);
    if (synchronous) { /* another one says so when it is waited for, and has run the kernel */
        ck_assert_str_eq(text_of(args_of(find_span("host", "gather", 0)), "status"), "GN_E_INDEX");
        ck_assert_ptr_null(find_span("device", "gather", 0));
    } else {
        ck_assert_ptr_nonnull(find_span("device", "gather", 0));
    }
    forget();
}
END_TEST

/* FLOPs of planned kernels, where the device has them; elsewhere they are composed. */
START_TEST(test_flops) {
    static const struct {
        const char *name, *kernel;
        double flops;
    } expected[] = {{"matmul", "matmul", 2 * 4 * 5 * 6},
                    {"conv2d", "conv_forward", 2 * (2 * 4 * 3 * 3) * (3 * 3 * 3)},
                    {"conv2d", "conv_backward_data", 2 * (2 * 4 * 3 * 3) * (3 * 3 * 3)},
                    {"conv2d", "conv_backward_weight", 2 * (2 * 4 * 3 * 3) * (3 * 3 * 3)}};
    size_t i, found = 0;
    const json_t *event;
    begin("trace.json");
    ck_assert_int_eq(gn_set_default_device(traced), GN_OK);
    gn_matmul(gn_ones(4, 6), gn_ones(6, 5));
    gn_tensor *x = gn_requires_grad_(gn_ones(2, 3, 5, 5), true);
    gn_tensor *w = gn_requires_grad_(gn_ones(4, 3, 3, 3), true);
    ck_assert_int_eq(gn_backward(gn_sum(gn_conv2d(x, w, NULL))), GN_OK);
    end("trace.json");
    json_array_foreach(trace, i, event) {
        for (size_t k = 0; k < GN_LENGTH(expected); k++) {
            if (!is_span(event, "device") ||
                strcmp(text_of(args_of(event), "kernel"), expected[k].kernel) != 0)
                continue;
            found++;
            ck_assert_str_eq(text_of(event, "name"), expected[k].name);
            ck_assert_double_eq(number_of(args_of(event), "flops"), expected[k].flops);
        }
    }
    ck_assert_uint_eq(found, strcmp(traced, "trace:ref") == 0 ? 0 : GN_LENGTH(expected));
    ck_assert_ptr_nonnull(find_span("device", "conv2d", 0));
    forget();
}
END_TEST

/* The same of causal attention, whose three queries see 1, 2 and 3 of the four keys. */
START_TEST(test_flops_of_attention) {
    enum { PAIRS = 1 + 2 + 3, D = 2, E = 5 };
    const char *op = "scaled_dot_product_attention";
    begin("trace.json");
    ck_assert_int_eq(gn_set_default_device(traced), GN_OK);
    gn_tensor *q = gn_requires_grad_(gn_ones(3, D), true);
    gn_tensor *y = gn_scaled_dot_product_attention(q, gn_ones(4, D), gn_ones(4, E), .causal = true);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    end("trace.json");
    const json_t *forward = args_of(find_span("device", op, 0)),
                 *backward = args_of(find_span("device", op, 1));
    if (strcmp(traced, "trace:opencl") == 0) {
        ck_assert_str_eq(text_of(forward, "kernel"), "attention_forward");
        ck_assert_double_eq(number_of(forward, "flops"), 2 * PAIRS * (D + E));
        ck_assert_str_eq(text_of(backward, "kernel"), "attention_backward");
        ck_assert_double_eq(number_of(backward, "flops"), 2 * PAIRS * (3 * D + 2 * E));
    }
    forget();
}
END_TEST

/* ---- Asynchronous devices */

static clocked *clocked_open(gn__device **device) {
    *device = gn__device_get("trace:clocked");
    ck_assert_msg(*device != NULL, "%s", gn_error());
    clocked *state = (*device)->table->host_pointer((*device)->handle, NULL);
    *state = (clocked){.events = state->events};
    return state;
}

/* The device's own times, on each of its streams. */
START_TEST(test_device_time) {
    enum { PAUSE = 7 };
    gn__device *device;
    gn_stream *stream;
    gn_mem *mem;
    const char byte = 0;
    begin("trace.json");
    clocked *state = clocked_open(&device);
    const gn_backend *table = device->table;
    const int waits = state->waits;
    state->pause = PAUSE;
    ck_assert_int_eq(table->stream_create(device->handle, &stream), GN_OK);
    ck_assert_int_eq(table->alloc(device->handle, 1, &mem), GN_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(table->upload(device->handle, stream, mem, 0, &byte, 1), GN_OK);
        ck_assert_int_eq(table->upload(device->handle, NULL, mem, 0, &byte, 1), GN_OK);
    }
    ck_assert_int_eq(state->waits, waits + 1); /* for the beginning of the stream */
    ck_assert_int_eq(table->synchronise(device->handle, stream), GN_OK);
    ck_assert_int_eq(state->waits, waits + 4); /* for events that have passed */
    table->free(device->handle, mem);
    table->stream_destroy(device->handle, stream);
    ck_assert_int_gt(state->events, 0);
    end("trace.json");
    ck_assert_int_eq(state->events, 0);
    check_tracks();
    ck_assert_uint_eq(count_spans("device"), 6);
    for (size_t i = 0; i < 6; i++) {
        const json_t *span = find_span("device", "upload", i);
        ck_assert_int_eq((int)number_of(span, "tid"), i < 3); /* stream 1 was waited for first */
        ck_assert_double_eq_tol(number_of(span, "dur"), (CLOCKED_COPY_NS + PAUSE) / 1e3, 1e-9);
        if (i % 3 > 0)
            ck_assert_double_eq_tol(number_of(span, "ts") -
                                        number_of(find_span("device", "upload", i - 1), "ts"),
                                    (CLOCKED_COPY_NS + 2 * PAUSE) / 1e3, 1e-6);
    }
    ck_assert_ptr_nonnull(strstr(summary, "trace of clocked: 6 calls, 0.642 us on the device"));
    forget();
}
END_TEST

/* More calls than can wait for their times, and an error of earlier work that comes out then. */
START_TEST(test_many_in_flight) {
    gn__device *device;
    gn_mem *mem;
    const char byte = 0;
    int calls = 0;
    begin("trace.json");
    clocked *state = clocked_open(&device);
    const gn_backend *table = device->table;
    ck_assert_int_eq(table->alloc(device->handle, 1, &mem), GN_OK);
    const int waits = state->waits;
    while (state->waits == waits && ++calls < 10000)
        ck_assert_int_eq(table->upload(device->handle, NULL, mem, 0, &byte, 1), GN_OK);
    ck_assert_int_gt(calls, 100);
    ck_assert_int_lt(calls, 10000);
    state->answer = GN_E_DEVICE;
    ck_assert_int_eq(table->upload(device->handle, NULL, mem, 0, &byte, 1), GN_E_DEVICE);
    state->answer = GN_OK;
    ck_assert_int_eq(table->upload(device->handle, NULL, mem, 0, &byte, 1), GN_OK);
    table->free(device->handle, mem);
    end("trace.json");
    /* Two more uploads, alloc, free, and synchronise at the end. The upload that told the error was
     * not made; the one that had it has no time. */
    ck_assert_uint_eq(count_spans("host"), (size_t)calls + 5);
    ck_assert_uint_eq(count_spans("device"), (size_t)calls);
    ck_assert_ptr_nonnull(strstr(summary, ", 1 calls were not timed"));
    check_tracks();
    forget();
}
END_TEST

/* ---- Several devices, threads, processes */

START_TEST(test_two_devices) {
    double most;
    begin("trace-%p.json");
    ck_assert_ptr_nonnull(gn_ones_with(GN_SHAPE(3), GN_AS(.device = "trace:ref")));
    ck_assert_ptr_nonnull(gn_ones_with(GN_SHAPE(3), GN_AS(.device = "trace:trace:clocked")));
    char name[64];
    snprintf(name, sizeof name, "trace-%ld.json", (long)getpid());
    end(name);
    /* ref, clocked, and the trace of clocked; kernels of the last one stand in both its traces. */
    for (int device = HOST + 1; device <= HOST + 3; device++) {
        ck_assert(is_named("process_name", device, -1));
        ck_assert_double_eq(memory_of(device, &most), 0);
        ck_assert_double_gt(most, 0);
        ck_assert_int_eq((int)number_of(find_span("device", "fill", (size_t)device - 2), "pid"),
                         device);
    }
    ck_assert_ptr_null(find_span("device", "fill", 3));
    ck_assert_ptr_nonnull(strstr(summary, "trace of ref: "));
    ck_assert_ptr_nonnull(strstr(summary, "trace of trace:clocked: "));
    forget();
}
END_TEST

static void *thread(void *name) {
    pthread_setname_np(pthread_self(), name);
    for (int i = 0; i < 200; i++) {
        gn_scope scope = gn_scope_begin();
        gn_relu(gn_ones_with(GN_SHAPE(100), GN_AS(.device = traced)));
        gn_scope_end(scope);
    }
    return gn_error_status() == GN_OK ? name : NULL;
}

START_TEST(test_threads) {
    pthread_t threads[3];
    char *names[3] = {"one", "a \"quoted\\", "caf\xc3\xa9"};
    const char *shown[3] = {"one", "a \"quoted\\", "caf??"};
    size_t i, known = 0;
    const json_t *event;
    begin("trace.json");
    for (int t = 0; t < 3; t++)
        ck_assert_int_eq(pthread_create(&threads[t], NULL, thread, names[t]), 0);
    for (int t = 0; t < 3; t++) {
        void *result;
        ck_assert_int_eq(pthread_join(threads[t], &result), 0);
        ck_assert_ptr_eq(result, names[t]);
    }
    end("trace.json");
    ck_assert_uint_eq(count_spans("device"), 3 * 200 * 2);
    json_array_foreach(trace, i, event) for (int t = 0; t < 3; t++) known +=
        strcmp(text_of(event, "name"), "thread_name") == 0 &&
        strcmp(text_of(args_of(event), "name"), shown[t]) == 0;
    ck_assert_uint_eq(known, 3);
    ck_assert_ptr_nonnull(
        strstr(summary, "\nrelu                     map                        600 "));
    forget();
}
END_TEST

/* A child process leaves its parent's files alone. */
START_TEST(test_fork) {
    int status;
    begin("trace.json");
    ck_assert_ptr_nonnull(gn_ones_with(GN_SHAPE(3), GN_AS(.device = "trace:ref")));
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        gn_ones_with(GN_SHAPE(3), GN_AS(.device = "trace:ref"));
        status = gn_error_status() != GN_E_FORKED;
        gn_shutdown();
        _exit(status);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(gn_ones_with(GN_SHAPE(3), GN_AS(.device = "trace:ref")));
    end("trace.json");
    ck_assert_uint_eq(count_spans("device"), 2);
    forget();
}
END_TEST

/* ---- Files that can't be written */

/* The program does not notice; the summary tells. */
static void expect_no_trace(const char *path, const char *why) {
    setenv("GENESIS_TRACE", path, 1);
    ck_assert_ptr_nonnull(gn_ones_with(GN_SHAPE(3), GN_AS(.device = "trace:ref")));
    ck_assert_int_eq(gn_error_status(), GN_OK);
    gn_shutdown();
    const char *text = read_text(temp_dir_path("summary"));
    ck_assert_msg(text && strstr(text, "none is written to") && strstr(text, why), "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "trace of ref: 1 calls"));
    ck_assert_int_eq(temp_dir_count(), 1);
}

START_TEST(test_unwritable) {
    begin("");
    expect_no_trace("/no/such/folder/trace.json", "No such file or directory");
    expect_no_trace(temp_dir_path(""), "no regular file");
    expect_no_trace("/dev/full", "no regular file");
    setenv("GENESIS_TRACE", temp_dir_path("trace.json"), 1);
    for (int i = 0; i < 2; i++) { /* no summary wanted; none possible */
        setenv("GENESIS_TRACE_SUMMARY", i ? temp_dir_path("absent/summary") : "none", 1);
        remove(temp_dir_path("summary"));
        ck_assert_ptr_nonnull(gn_ones_with(GN_SHAPE(3), GN_AS(.device = "trace:ref")));
        gn_shutdown();
        ck_assert_int_eq(temp_dir_count(), 1); /* the trace */
    }
    temp_dir_remove();
}
END_TEST

int main(void) {
    const char *device = getenv("GENESIS_DEVICE");
    const TTest *tests[] = {test_training,
                            test_arguments,
                            test_flops,
                            test_flops_of_attention,
                            test_device_time,
                            test_many_in_flight,
                            test_two_devices,
                            test_threads,
                            test_fork,
                            test_unwritable,
                            NULL};
    snprintf(traced, sizeof traced, "trace:%s", device ? device : "cpu");
    return suite_run("trace", tests);
}
