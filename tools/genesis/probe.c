/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - asks a plugin what it is, in a child process, as it may crash or hang. The child writes
 * a report to a pipe, then each device; the parent waits a while for each of them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2 */
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

enum { PATIENCE_S = 10 };

/* ---- The child */

static void write_all(int pipe, const void *bytes, size_t n) {
    const char *at = bytes;
    while (n > 0) {
        ssize_t written = write(pipe, at, n);
        if (written < 0 && errno != EINTR)
            _exit(EXIT_FAILURE);
        if (written > 0) {
            at += written;
            n -= (size_t)written;
        }
    }
}

/* What the plugin prints must not get into the list of devices. */
static void answer(int pipe, const char *path) {
    gn_plugin_report report;
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if (gn_plugin_probe(path, &report) != GN_OK)
        _exit(EXIT_FAILURE);
    write_all(pipe, &report, sizeof report);
    for (int32_t i = 0; i < report.n_devices && report.reason[0] == '\0'; i++) {
        probed_device device = {.error = ""};
        snprintf(device.string, sizeof device.string, i ? "%s:%d" : "%s", report.name, (int)i);
        if (gn_device_describe(device.string, &device.info) != GN_OK)
            snprintf(device.error, sizeof device.error, "%s", gn_error());
        gn_error_clear();
        write_all(pipe, &device, sizeof device);
    }
    _exit(EXIT_SUCCESS);
}

/* ---- The parent */

typedef struct child {
    pid_t id;
    int pipe;
    bool late; /* it did not answer in time */
} child;

static int64_t milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* False: the child did not write them in time, or ended before. */
static bool receive(child *c, void *bytes, size_t n) {
    const int64_t deadline = milliseconds() + PATIENCE_S * 1000;
    char *at = bytes;
    while (n > 0) {
        const int64_t left = deadline - milliseconds();
        struct pollfd wait = {.fd = c->pipe, .events = POLLIN};
        const int ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
        if (ready == 0) {
            c->late = true;
            return false;
        }
        const ssize_t got = ready > 0 ? read(c->pipe, at, n) : -1;
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
    return true;
}

static bool start(child *c, const char *path) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *c = (child){.id = fork(), .pipe = ends[0]};
    if (c->id == 0)
        answer(ends[1], path);
    close(ends[1]);
    if (c->id < 0)
        close(ends[0]);
    return c->id > 0;
}

/* Ends the child, if it has not ended yet. Returns the status that it ended with, or -1 if it was
 * killed: other processes of the plugin's may hold the pipe when it has long crashed. */
static int finish(const child *c) {
    int status;
    close(c->pipe);
    if (c->late && waitpid(c->id, &status, WNOHANG) == c->id)
        return status;
    kill(c->id, SIGKILL);
    return waitpid(c->id, &status, 0) == c->id && !c->late ? status : -1;
}

static const char *signal_name(int number) {
    static const struct {
        const char *name;
        int number;
    } names[] = {{"SIGABRT", SIGABRT}, {"SIGBUS", SIGBUS},   {"SIGFPE", SIGFPE},
                 {"SIGILL", SIGILL},   {"SIGKILL", SIGKILL}, {"SIGSEGV", SIGSEGV},
                 {"SIGSYS", SIGSYS},   {"SIGTERM", SIGTERM}, {"SIGTRAP", SIGTRAP}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == number)
            return names[i].name;
    return strsignal(number);
}

/* "it ended with SIGSEGV when it was loaded" */
static void explain(gn_plugin_report *report, int status, const char *when) {
    char what[128];
    if (status == -1)
        snprintf(what, sizeof what, "did not answer in %d s", PATIENCE_S);
    else if (WIFSIGNALED(status))
        snprintf(what, sizeof what, "ended with %s", signal_name(WTERMSIG(status)));
    else
        snprintf(what, sizeof what, "ended the process with exit status %d", WEXITSTATUS(status));
    snprintf(report->reason, sizeof report->reason, "it %s %s", what, when);
}

probed_device *probe_plugin(gn_plugin_report *report) {
    child c;
    gn_plugin_report answered;
    probed_device *devices = NULL;
    char when[64] = "when it was loaded and counted its devices";
    if (!start(&c, report->path)) {
        snprintf(report->reason, sizeof report->reason, "no process to ask it: %s",
                 strerror(errno));
        return NULL;
    }
    bool complete = receive(&c, &answered, sizeof answered);
    if (complete) {
        *report = answered;
        if (report->reason[0] == '\0')
            devices = calloc((size_t)report->n_devices, sizeof *devices);
        for (int32_t i = 0; devices && i < report->n_devices && complete; i++) {
            snprintf(when, sizeof when, "when it described device %d", (int)i);
            complete = receive(&c, &devices[i], sizeof devices[i]);
        }
    }
    const int status = finish(&c);
    if (complete && (devices || report->reason[0]))
        return devices;
    free(devices);
    if (complete)
        snprintf(report->reason, sizeof report->reason, "no memory for its devices");
    else
        explain(report, status, when);
    return NULL;
}
