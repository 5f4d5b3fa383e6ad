/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner.c - the parent: has the cases of each group run by a child, gathers its records, and ends
 * it if it does not answer. What a child crashed in has failed; another child goes on behind it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sigabbrev_np */
#endif
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

enum { NO_ROW = -1 };

/* A child, and what it is doing. */
typedef struct child {
    results *r;
    pid_t pid;
    int fd;
    size_t current;      /* number of its run */
    double began, heard; /* seconds: when that run began; the run, or its latest trial */
    double timeout;
    ptrdiff_t row;              /* of the subject; NO_ROW: the run has none */
    bool composed, unsupported; /* the subject */
    bool trying;                /* a trial is under way */
    char *trial;                /* what is tried, or was last */
    bool broken;                /* no memory, no process */
    enum progress progress;
} child;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Progress */

static void show_run(const child *c) {
    char name[128];
    const results *r = c->r;
    if (c->progress != PROGRESS_LIVE || r->runs[c->current].implicit)
        return;
    run_name(&r->runs[c->current], name, sizeof name);
    fprintf(stderr, "\r[%zu/%zu] %.60s\033[K", c->current + 1, r->n_runs, name);
}

static void show_group(const results *r, size_t open, size_t close, enum progress progress) {
    int count[4] = {0};
    for (size_t i = open; i <= close; i++)
        if (!r->runs[i].implicit || r->runs[i].outcome == FAILED)
            count[r->runs[i].outcome]++;
    if (progress == PROGRESS_LIVE)
        fputs("\r\033[K", stderr);
    if (progress == PROGRESS_LINES || (progress == PROGRESS_LIVE && count[FAILED]))
        fprintf(stderr, "%s: %d passed, %d failed, %d skipped\n", r->runs[open].group->name,
                count[PASSED], count[FAILED], count[SKIPPED] + count[NOT_RUN]);
}

/* ---- Records */

static table_row *current_row(child *c) {
    const test_group *group = c->r->runs[c->current].group;
    if (c->row == NO_ROW) {
        table_row *row = results_row(c->r, group->row ? group->row : group->name, 0);
        c->broken = c->broken || row == NULL;
        return row;
    }
    return &c->r->rows[c->row];
}

/* Counts the subject that ends here. */
static void end_subject(child *c, enum outcome outcome) {
    const test_run *run = &c->r->runs[c->current];
    const bool counts = c->row != NO_ROW || (run->group->row && !run->implicit);
    if (outcome != FAILED && (!counts || outcome == SKIPPED))
        return;
    table_row *row = current_row(c);
    if (row == NULL)
        return;
    if (outcome == FAILED)
        row->failed++;
    else if (c->unsupported)
        row->unsupported++;
    else if (c->composed)
        row->composed++;
    else if (outcome == PASSED)
        row->passed++;
}

static void begin_subject(child *c, const char *kernel, int dtype) {
    if (c->row != NO_ROW)
        end_subject(c, PASSED);
    const table_row *row = results_row(c->r, kernel, dtype);
    c->broken = c->broken || row == NULL;
    c->row = row ? row - c->r->rows : NO_ROW;
    c->composed = c->unsupported = false;
}

/* The first outcome of a run counts: what follows is its end. */
static void end_run(child *c, enum outcome outcome, const char *message) {
    test_run *run = &c->r->runs[c->current];
    if (run->outcome == FAILED || (run->outcome == SKIPPED && outcome != FAILED))
        return;
    run->outcome = outcome;
    run->seconds = now() - c->began;
    if (message) {
        free(run->message);
        run->message = strdup(message);
        c->broken = c->broken || run->message == NULL;
    }
    end_subject(c, outcome);
    c->row = NO_ROW;
    c->composed = c->unsupported = false;
    if (!run->implicit) /* a child that goes on with a run opens the device before */
        trials.n = 0;
}

static void begin_run(child *c, size_t number) {
    c->current = number;
    c->began = c->heard = now();
    c->row = NO_ROW;
    c->composed = c->unsupported = c->trying = false;
    show_run(c);
}

static void note_rates(child *c, const record *rec) {
    table_row *row = current_row(c);
    if (row == NULL)
        return;
    row->unit = rec->number;
    row->rate = rec->a;
    row->reference_rate = rec->b;
}

static void note_worst(const child *c, double ulp) {
    table_row *row = c->row == NO_ROW ? NULL : &c->r->rows[c->row];
    if (row && ulp > row->worst)
        row->worst = ulp;
}

static void keep_trial(child *c, char *text) {
    free(c->trial);
    c->trial = strdup(text);
    c->broken = c->broken || c->trial == NULL;
    c->trying = true;
    c->heard = now();
}

static void keep_answer(child *c, int answer) {
    if (trials.n < MAX_TRIALS)
        trials.answer[trials.n++] = answer;
    c->trying = false;
}

static void take_record(child *c, const record *rec, char *text) {
    switch (rec->kind) {
    case RECORD_BEGIN: begin_run(c, (size_t)rec->number); break;
    case RECORD_DEVICE: memcpy(&c->r->device, text, sizeof c->r->device); break;
    case RECORD_SUBJECT: begin_subject(c, text, (int)rec->number); break;
    case RECORD_UNSUPPORTED: c->unsupported = true; break;
    case RECORD_COMPOSED: c->composed = true; break;
    case RECORD_ERROR: note_worst(c, rec->a); break;
    case RECORD_SPEED: note_rates(c, rec); break;
    case RECORD_SIZE: c->r->runs[c->current].size = rec->a; break;
    case RECORD_TRIAL: keep_trial(c, text); break;
    case RECORD_ANSWER: keep_answer(c, (int)rec->number); break;
    case RECORD_PASS: end_run(c, PASSED, NULL); break;
    case RECORD_SKIP: end_run(c, SKIPPED, text); break;
    case RECORD_FAIL: end_run(c, FAILED, text); break;
    }
}

/* ---- Reading */

enum answer { ANSWER, ANSWER_END, ANSWER_LATE };

/* Reads n bytes, unless the child ends or takes too long. */
static enum answer read_all(const child *c, void *target, size_t n) {
    for (char *at = target; n > 0;) {
        const double left = c->heard + c->timeout - now();
        struct pollfd wanted = {.fd = c->fd, .events = POLLIN};
        const int ready = poll(&wanted, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ANSWER_LATE;
        const ssize_t got = read(c->fd, at, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ANSWER_END;
        at += got;
        n -= (size_t)got;
    }
    return ANSWER;
}

static enum answer read_records(child *c) {
    record rec;
    char text[16384];
    for (;;) {
        enum answer answer = read_all(c, &rec, sizeof rec);
        if (answer != ANSWER)
            return answer;
        if (rec.text_bytes >= sizeof text || rec.kind > RECORD_FAIL ||
            (rec.kind == RECORD_BEGIN && (size_t)rec.number >= c->r->n_runs))
            return ANSWER_END; /* the child's memory was written over */
        answer = read_all(c, text, rec.text_bytes);
        if (answer != ANSWER)
            return answer;
        text[rec.text_bytes] = '\0';
        take_record(c, &rec, text);
    }
}

/* ---- Children */

static bool start_child(child *c, size_t open, size_t first, size_t close_run) {
    int ends[2];
    fflush(NULL);
    if (pipe(ends) != 0) {
        perror("genesis-conform: pipe");
        return false;
    }
    const pid_t parent = getpid();
    c->pid = fork();
    if (c->pid == 0) {
        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
        child_main(ends[1], c->r->runs, open, first, close_run);
    }
    close(ends[1]);
    c->fd = ends[0];
    if (c->pid < 0) {
        perror("genesis-conform: fork");
        close(c->fd);
    }
    return c->pid > 0;
}

/* How the child ended, as text; "" if it was well. Ends it if it is late. */
static void end_child(child *c, enum answer answer, char *text, size_t bytes) {
    int status = 0;
    if (answer == ANSWER_LATE)
        kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(c->fd);
    text[0] = '\0';
    if (answer == ANSWER_LATE)
        snprintf(text, bytes, "no answer in %g s", c->timeout);
    else if (WIFSIGNALED(status))
        snprintf(text, bytes, "the process crashed: SIG%s (%s)", sigabbrev_np(WTERMSIG(status)),
                 strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != EXIT_SUCCESS)
        snprintf(text, bytes, "the process ended with status %d", WEXITSTATUS(status));
}

/* After a crash in a trial the same run goes on behind it. Not after a hang, which takes long. */
static bool goes_on(child *c, enum answer answer, const char *how) {
    if (!c->trying || answer == ANSWER_LATE || trials.n == MAX_TRIALS)
        return false;
    snprintf(trials.crash, sizeof trials.crash, "%s", how);
    keep_answer(c, TRIAL_CRASHED);
    return true;
}

static void fail_with_trial(child *c, const char *how) {
    char message[8192];
    snprintf(message, sizeof message, "%s\n%s", how, c->trial);
    end_run(c, FAILED, c->trying && c->trial ? message : how);
}

/* The rest of a group whose device can't be opened. Returns where the next group begins. */
static size_t leave_out(results *r, size_t first, size_t close_run) {
    for (size_t i = first; i < close_run; i++)
        r->runs[i].outcome = SKIPPED;
    return close_run + 1;
}

/* Runs what it can of one group from `first` on; returns where the next child has to begin. */
static size_t run_some(child *c, size_t open, size_t first, size_t close_run) {
    char how[160];
    begin_run(c, open);
    if (!start_child(c, open, first, close_run)) {
        c->broken = true;
        return close_run + 1;
    }
    const enum answer answer = read_records(c);
    end_child(c, answer, how, sizeof how);
    const bool is_open = c->r->runs[open].outcome == PASSED;
    if (how[0] && goes_on(c, answer, how))
        return c->current;
    if (how[0])
        fail_with_trial(c, how);
    else if (c->current == close_run)
        end_run(c, PASSED, NULL);
    else if (is_open || c->r->runs[open].outcome == NOT_RUN)
        end_run(c, FAILED, "the process ended by itself; a plugin never exits");
    return is_open ? c->current + 1 : leave_out(c->r, first, close_run);
}

bool run_all(results *r, double timeout, enum progress progress) {
    child c = {.r = r, .timeout = timeout, .progress = progress};
    const double began = now();
    for (size_t open = 0, end; open < r->n_runs && !c.broken; open = end) {
        for (end = open + 1; end < r->n_runs && r->runs[end].group == r->runs[open].group;)
            end++;
        for (size_t next = open + 1; next < end && !c.broken;)
            next = run_some(&c, open, next, end - 1);
        show_group(r, open, end - 1, progress);
    }
    free(c.trial);
    r->seconds = now() - began;
    if (c.broken)
        fputs("genesis-conform: no memory, or no process to run the cases\n", stderr);
    return !c.broken;
}

/* ---- The probe */

static void probe_reference(void) { reference_device(); }

bool probe_devices(results *r, double timeout) {
    static const test_case reference_case = {.name = "reference", .run = probe_reference};
    static const test_group probe = {.name = "devices"};
    test_run runs[] = {{.group = &probe, .test = &open_case, .implicit = true},
                       {.group = &probe, .test = &reference_case},
                       {.group = &probe, .test = &close_case, .implicit = true}};
    results probed = {.runs = runs, .n_runs = GN_LENGTH(runs)};
    run_all(&probed, timeout, PROGRESS_NONE);
    r->device = probed.device;
    bool usable = true;
    for (size_t i = 0; i < GN_LENGTH(runs); i++) {
        if (runs[i].outcome == FAILED && i < 2) {
            fprintf(stderr, "genesis-conform: %s can't be opened: %s\n",
                    i ? options.reference : options.device, runs[i].message);
            usable = false;
        }
        free(runs[i].message);
    }
    free(probed.rows);
    return usable && runs[0].outcome == PASSED;
}
