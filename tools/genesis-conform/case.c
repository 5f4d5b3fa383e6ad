/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case.c - the process that runs cases: it ends a case at its first failure, and tells the parent
 * of everything at once, so that nothing is lost when a plugin crashes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

struct trials trials;

static int pipe_fd;
/* Where a failure goes, and whether its message is an attempt's, not to be sent. */
static jmp_buf *stop;
static char *attempt_message;
static size_t attempt_bytes;
static char context_line[512];
static int next_trial;

/* Memory of the case; the header keeps the alignment of malloc. */
static struct owned { _Alignas(max_align_t) struct owned *next; } * owned;

/* ---- Records */

static void write_all(const void *bytes, size_t n) {
    for (const char *at = bytes; n > 0;) {
        ssize_t written = write(pipe_fd, at, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            _exit(EXIT_FAILURE); /* nobody listens any more */
        at += written;
        n -= (size_t)written;
    }
}

static void send(record r, const void *text, size_t bytes) {
    r.text_bytes = (uint32_t)bytes;
    write_all(&r, sizeof r);
    write_all(text, bytes);
}

static void send_text(enum record_kind kind, int64_t number, const char *text) {
    send((record){.kind = kind, .number = number}, text, strlen(text) + 1);
}

void context(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context_line, sizeof context_line, format, arguments);
    va_end(arguments);
}

/* ---- What a case says */

bool subject(const char *kernel, int dtype) {
    send_text(RECORD_SUBJECT, dtype, kernel);
    if (dtype == 0 || gn__device_has_dtype(tested, dtype))
        return true;
    send((record){.kind = RECORD_UNSUPPORTED}, "", 0);
    return false;
}

void note_composed(void) { send((record){.kind = RECORD_COMPOSED}, "", 0); }

void note_error(double ulp) { send((record){.kind = RECORD_ERROR, .a = ulp}, "", 0); }

void note_size(double size) { send((record){.kind = RECORD_SIZE, .a = size}, "", 0); }

void note_speed(enum speed_unit unit, double rate, double reference_rate) {
    send((record){.kind = RECORD_SPEED, .number = unit, .a = rate, .b = reference_rate}, "", 0);
}

/* Sends "context: message" and goes back to run_guarded. */
static _Noreturn void stop_case(enum record_kind kind, const char *format, va_list arguments) {
    char text[8192];
    int used = snprintf(text, sizeof text, *context_line ? "%s: " : "%s", context_line);
    vsnprintf(text + used, sizeof text - (size_t)used, format, arguments);
    if (attempt_message && kind == RECORD_FAIL)
        snprintf(attempt_message, attempt_bytes, "%s", text);
    else
        send_text(kind, 0, text);
    longjmp(*stop, 1);
}

void fail_case(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    stop_case(RECORD_FAIL, format, arguments);
    va_end(arguments);
}

void skip_case(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    stop_case(RECORD_SKIP, format, arguments);
    va_end(arguments);
}

bool attempt(void (*body)(void *argument), void *argument, char *message, size_t bytes) {
    jmp_buf here, *const outer = stop;
    attempt_message = message;
    attempt_bytes = bytes;
    stop = &here;
    const bool stopped = setjmp(here) != 0;
    if (!stopped)
        body(argument);
    stop = outer;
    attempt_message = NULL;
    return !stopped;
}

void *case_alloc(size_t count, size_t bytes) {
    size_t total;
    struct owned *block = NULL;
    if (!__builtin_mul_overflow(count, bytes, &total) &&
        !__builtin_add_overflow(total, sizeof *block, &total))
        block = calloc(1, total);
    EXPECT(block, "no host memory for %zu times %zu bytes", count, bytes);
    block->next = owned;
    owned = block;
    return block + 1;
}

static void free_owned(void) {
    while (owned) {
        struct owned *block = owned;
        owned = block->next;
        free(block);
    }
}

/* ---- Trials */

int trial_known(const char *text) {
    if (next_trial < trials.n)
        return trials.answer[next_trial++];
    EXPECT(next_trial < MAX_TRIALS, "the search takes more than %d trials", MAX_TRIALS);
    next_trial++;
    send_text(RECORD_TRIAL, 0, text);
    return TRIAL_UNKNOWN;
}

void trial_answer(int answer) { send((record){.kind = RECORD_ANSWER, .number = answer}, "", 0); }

const char *trial_crash(void) { return trials.crash; }

/* ---- Chance: splitmix64, Steele, Lea and Flood 2014 */

static uint64_t random_state;

void random_seed(uint64_t seed) { random_state = seed; }

uint64_t random_bits(void) {
    uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

double random_between(double low, double high) {
    return low + (high - low) * ((double)(random_bits() >> 11) * 0x1p-53);
}

/* ---- Runs */

static void open_target(const test_run *run) {
    target_open();
    const device_report report = target_report();
    send((record){.kind = RECORD_DEVICE}, &report, sizeof report);
    if (run->group->begin)
        run->group->begin();
}

static void run_body(const test_run *run) {
    if (run->test->run)
        run->test->run();
    else
        run->test->each(run->index);
}

static void run_after(const test_run *run) {
    if (run->group->after)
        run->group->after();
}

/* Whether it came to its end. */
static bool run_guarded(void (*body)(const test_run *run), const test_run *run) {
    jmp_buf here;
    stop = &here;
    if (setjmp(here) != 0)
        return false;
    body(run);
    return true;
}

static bool run_one(const test_run *runs, size_t number, void (*body)(const test_run *run)) {
    send((record){.kind = RECORD_BEGIN, .number = (int64_t)number}, "", 0);
    context("%s", "");
    random_seed(1);
    next_trial = 0;
    bool passed = run_guarded(body, &runs[number]);
    passed = run_guarded(run_after, &runs[number]) && passed;
    free_owned();
    gn_error_clear();
    if (passed)
        send((record){.kind = RECORD_PASS}, "", 0);
    return passed;
}

/* Standard output goes to a file, because a plugin never prints. */
static FILE *capture_output(void) {
    fflush(stdout);
    FILE *captured = tmpfile();
    if (captured)
        dup2(fileno(captured), STDOUT_FILENO);
    return captured;
}

static FILE *captured;

static void close_target(const test_run *run) {
    char text[80] = "";
    run_body(run);
    fflush(stdout);
    if (captured && lseek(STDOUT_FILENO, 0, SEEK_SET) == 0)
        EXPECT(!fgets(text, sizeof text, captured), "the plugin prints: %.*s",
               (int)strcspn(text, "\n"), text);
}

void child_main(int fd, const test_run *runs, size_t open, size_t first, size_t close) {
    pipe_fd = fd;
    captured = capture_output();
    if (run_one(runs, open, open_target)) {
        for (size_t i = first; i < close; i++) {
            run_one(runs, i, run_body);
            trials.n = 0;
        }
        context("%s", "");
        send((record){.kind = RECORD_BEGIN, .number = (int64_t)close}, "", 0);
        run_guarded(close_target, &runs[close]);
    }
    exit(EXIT_SUCCESS); /* where a sanitizer looks for leaks; the parent takes it for a pass */
}
