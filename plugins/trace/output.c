/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.c - the files of a trace, which all devices of the process share: the events, in the trace
 * event format of Chrome and Perfetto, and the summary.
 *
 * The events are an array, of which the format lets the end be missing: so they are written as they
 * come, through a buffer, to a file beside the one named by GENESIS_TRACE, which takes its place
 * when the last device leaves. A program that ends before that leaves a readable NAME.PID.part.
 *
 * In the trace, process 1 is the program, with a track per thread; each device is a process, too,
 * with a track per stream and one for its memory.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* secure_getenv, gettid, pthread_getname_np */
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "trace.h"

enum { HOST = 1, BUFFER_BYTES = 1 << 16, EVENT_BYTES = 2048 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */

static unsigned n_devices;    /* that joined and did not leave */
static unsigned session;      /* number of the trace: a process may make several, in turn */
static uint32_t last_process; /* number of a process in the trace */
static uint64_t n_events;

static char path[4096], temporary[4096 + 32];
static int file = -1;
static char trouble[256]; /* why there is no file; "": there is */
static char *buffer;
static size_t used;
static FILE *summary; /* or NULL */

static uint64_t epoch; /* when the trace began; set before its first device is there */

static _Thread_local uint64_t thread_id;
static _Thread_local unsigned known_in; /* the session that has a name for this thread's track */

static uint64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t trace_now(void) { return clock_ns() - epoch; }

/* ---- The file of events */

/* Gives the file up. */
static void give_up(const char *what, int cause) {
    char message[sizeof path + sizeof trouble];
    trace_text text = trace_text_in(message, sizeof message);
    snprintf(trouble, sizeof trouble, "%s: %s", what, strerror(cause));
    trace_add(&text, "trace: no trace is written to ");
    trace_add(&text, path);
    trace_add(&text, ": ");
    trace_add(&text, trouble);
    trace_host->log(GN_LOG_ERROR, message);
    if (file >= 0)
        close(file);
    file = -1;
    unlink(temporary);
}

static void flush(void) {
    for (size_t done = 0; file >= 0 && done < used;) {
        const ssize_t n = write(file, buffer + done, used - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            give_up("it can't be written", n < 0 ? errno : ENOSPC);
    }
    used = 0;
}

static void put(const char *bytes, size_t n) {
    if (used + n > BUFFER_BYTES)
        flush();
    memcpy(buffer + used, bytes, n);
    used += n;
}

/* The path, with the process id for each %p. */
static void set_path(const char *pattern) {
    size_t length = 0;
    while (*pattern && length < sizeof path - 16)
        if (pattern[0] == '%' && pattern[1] == 'p') {
            length += (size_t)snprintf(path + length, 16, "%ld", (long)getpid());
            pattern += 2;
        } else {
            path[length++] = *pattern++;
        }
    path[length] = '\0';
}

static const char *variable(const char *name, const char *standard) {
    const char *text = secure_getenv(name);
    return text && *text ? text : standard;
}

static void open_file(void) {
    struct stat info;
    trouble[0] = '\0';
    used = 0;
    set_path(variable("GENESIS_TRACE", "genesis-trace.json"));
    snprintf(temporary, sizeof temporary, "%s.%ld.part", path, (long)getpid());
    buffer = malloc(BUFFER_BYTES);
    if (buffer == NULL)
        give_up("there is no memory for a buffer", ENOMEM);
    else if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        give_up("it is there already, and no regular file", EEXIST);
    else if ((file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666)) <
             0)
        give_up("a file beside it can't be created", errno);
    if (file >= 0)
        put("[", 1);
}

static void close_file(void) {
    if (file >= 0)
        put("\n]\n", 3);
    flush();
    const int written = file;
    file = -1;
    if (written >= 0 && (close(written) != 0 || rename(temporary, path) != 0))
        give_up("the written file can't be put in place", errno);
    free(buffer);
    buffer = NULL;
}

/* ---- Events */

/* Appends one event, without the braces. Under the lock. */
static void put_event(const trace_text *event) {
    if (file < 0)
        return;
    put(n_events ? ",\n{" : "\n{", n_events ? 3 : 2);
    put(event->bytes, event->length);
    put("}", 1);
    n_events++;
}

static void add_place(trace_text *event, uint32_t process, uint64_t track) {
    trace_add(event, ",\"pid\":");
    trace_add_number(event, process);
    trace_add(event, ",\"tid\":");
    trace_add_number(event, track);
}

/* Says what a process or a track of it is. Under the lock. */
static void put_name(const char *what, uint32_t process, uint64_t track, const char *name) {
    char bytes[512];
    trace_text event = trace_text_in(bytes, sizeof bytes);
    trace_add(&event, "\"ph\":\"M\",\"name\":");
    trace_add_quoted(&event, what, 32);
    add_place(&event, process, track);
    trace_add(&event, ",\"args\":{\"name\":");
    trace_add_quoted(&event, name, 128);
    trace_add(&event, "}");
    put_event(&event);
}

static uint64_t own_thread(void) {
    if (thread_id == 0)
        thread_id = (uint64_t)gettid();
    return thread_id;
}

/* Names the track of the calling thread, at its first event. Under the lock. */
static void know_thread(void) {
    char name[16] = "";
    if (known_in == session)
        return;
    known_in = session;
    pthread_getname_np(pthread_self(), name, sizeof name);
    put_name("thread_name", HOST, own_thread(), name);
}

static const char *status_name(gn_status status) {
    switch (status) {
#define X(name, value, text)                                                                       \
    case name: return #name;
        GN_STATUSES(X)
#undef X
    }
    return "?";
}

static void put_span(const trace_span *span, const char *category, uint32_t process, uint64_t track,
                     gn_status status) {
    char bytes[EVENT_BYTES];
    trace_text event = trace_text_in(bytes, sizeof bytes);
    trace_add(&event, "\"ph\":\"X\",\"cat\":");
    trace_add_quoted(&event, category, 16);
    trace_add(&event, ",\"name\":");
    trace_add_quoted(&event, span->name, sizeof span->name);
    add_place(&event, process, track);
    trace_add(&event, ",\"ts\":");
    trace_add_time(&event, span->begin);
    trace_add(&event, ",\"dur\":");
    trace_add_time(&event, span->end - span->begin);
    trace_add(&event, ",\"args\":{");
    trace_add(&event, span->args);
    if (status != GN_OK) {
        trace_add(&event, ",\"status\":");
        trace_add_quoted(&event, status_name(status), 32);
    }
    trace_add(&event, "}");
    pthread_mutex_lock(&lock);
    if (process == HOST)
        know_thread();
    put_event(&event);
    pthread_mutex_unlock(&lock);
}

void trace_output_host(const trace_span *span, gn_status status) {
    put_span(span, "host", HOST, own_thread(), status);
}

void trace_output_device(const trace_span *span, uint32_t device, uint32_t track) {
    put_span(span, "device", device, track, GN_OK);
}

void trace_output_track(uint32_t device, uint32_t track, const char *name) {
    pthread_mutex_lock(&lock);
    put_name("thread_name", device, track, name);
    pthread_mutex_unlock(&lock);
}

void trace_output_memory(uint32_t device, uint64_t in_use) {
    char bytes[256];
    trace_text event = trace_text_in(bytes, sizeof bytes);
    trace_add(&event, "\"ph\":\"C\",\"name\":\"memory\"");
    add_place(&event, device, 0);
    trace_add(&event, ",\"ts\":");
    trace_add_time(&event, trace_now());
    trace_add(&event, ",\"args\":{\"bytes\":");
    trace_add_number(&event, in_use);
    trace_add(&event, "}");
    pthread_mutex_lock(&lock);
    put_event(&event);
    pthread_mutex_unlock(&lock);
}

/* ---- The summary: GENESIS_TRACE_SUMMARY is stderr, none, or the name of a file */

static void open_summary(void) {
    const char *name = variable("GENESIS_TRACE_SUMMARY", "stderr");
    char message[512];
    summary = NULL;
    if (strcmp(name, "none") == 0)
        return;
    summary = strcmp(name, "stderr") == 0 ? stderr : fopen(name, "we");
    if (summary)
        return;
    snprintf(message, sizeof message, "trace: no summary is written to %s: %s", name,
             strerror(errno));
    trace_host->log(GN_LOG_ERROR, message);
}

static void close_summary(void) {
    if (summary && trouble[0] == '\0')
        fprintf(summary, "trace: %llu events in %s\n", (unsigned long long)n_events, path);
    else if (summary)
        fprintf(summary, "trace: none is written to %s: %s\n", path, trouble);
    if (summary && summary != stderr && fclose(summary) != 0)
        trace_host->log(GN_LOG_ERROR, "trace: the summary can't be written");
    summary = NULL;
}

void trace_output_summary(const char *line) {
    pthread_mutex_lock(&lock);
    if (summary)
        fputs(line, summary);
    pthread_mutex_unlock(&lock);
}

/* ---- Devices join and leave */

/* A child process writes nothing: the files are its parent's. */
static void after_fork_in_child(void) {
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    if (file >= 0)
        close(file);
    file = -1;
    summary = NULL;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, after_fork_in_child); }

static void begin(void) {
    char name[128];
    session++;
    epoch = clock_ns();
    n_events = 0;
    last_process = HOST;
    open_file();
    open_summary();
    snprintf(name, sizeof name, "%s (process %ld)", program_invocation_short_name, (long)getpid());
    put_name("process_name", HOST, 0, name);
}

uint32_t trace_output_join(const char *device_name) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
    if (n_devices++ == 0)
        begin();
    const uint32_t number = ++last_process;
    put_name("process_name", number, 0, device_name);
    pthread_mutex_unlock(&lock);
    return number;
}

void trace_output_leave(void) {
    pthread_mutex_lock(&lock);
    if (--n_devices == 0) {
        close_file();
        close_summary();
    }
    pthread_mutex_unlock(&lock);
}
