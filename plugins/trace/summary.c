/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary.c - the time of all calls of a device, by operation and kernel, and the table of it.
 *
 *     operation   kernel          calls        total   share         mean        MB   GB/s  GFLOP/s
 *     conv2d      conv_forward      120   812.400 ms   61.2%     6.770 ms    9180.1  11.30   201.52
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

struct trace_row {
    trace_row *next;
    char name[TRACE_NAME_BYTES];
    const char *kernel;
    uint64_t calls, ns, bytes, flops;
};

void trace_summary_open(trace_summary *summary) {
    *summary = (trace_summary){.n_lost = 0};
    pthread_mutex_init(&summary->lock, NULL);
}

static trace_row **list_of(trace_summary *summary, const trace_span *span) {
    uint32_t hash = (uint32_t)(uintptr_t)span->kernel;
    for (const char *c = span->name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &summary->rows[(hash ^ hash >> 16) % TRACE_ROW_LISTS];
}

/* The row of a call, made at the first one; NULL without memory. */
static trace_row *row_of(trace_summary *summary, const trace_span *span) {
    trace_row **list = list_of(summary, span);
    for (trace_row *row = *list; row; row = row->next)
        if (row->kernel == span->kernel && strcmp(row->name, span->name) == 0)
            return row;
    trace_row *row = calloc(1, sizeof *row);
    if (row == NULL)
        return NULL;
    memcpy(row->name, span->name, sizeof row->name);
    row->kernel = span->kernel;
    row->next = *list;
    *list = row;
    return row;
}

void trace_summary_add(trace_summary *summary, const trace_span *span, uint64_t ns) {
    pthread_mutex_lock(&summary->lock);
    trace_row *row = row_of(summary, span);
    if (row) {
        row->calls++;
        row->ns += ns;
        row->bytes += span->bytes_read + span->bytes_written;
        row->flops += span->flops;
    } else {
        summary->n_lost++;
    }
    pthread_mutex_unlock(&summary->lock);
}

void trace_summary_lose(trace_summary *summary) {
    pthread_mutex_lock(&summary->lock);
    summary->n_lost++;
    pthread_mutex_unlock(&summary->lock);
}

/* ---- The table */

static int by_time(const void *a, const void *b) {
    const trace_row *one = *(trace_row *const *)a, *other = *(trace_row *const *)b;
    if (one->ns != other->ns)
        return one->ns < other->ns ? 1 : -1;
    const int names = strcmp(one->name, other->name);
    return names ? names : strcmp(one->kernel, other->kernel);
}

/* Takes the rows out of the lists: an array, sorted, to be freed. NULL without memory. */
static trace_row **sort_rows(trace_summary *summary, size_t *n_out) {
    size_t n = 0, i = 0;
    for (int l = 0; l < TRACE_ROW_LISTS; l++)
        for (trace_row *row = summary->rows[l]; row; row = row->next)
            n++;
    trace_row **rows = malloc((n + 1) * sizeof *rows);
    for (int l = 0; rows && l < TRACE_ROW_LISTS; l++)
        for (trace_row *row = summary->rows[l]; row; row = row->next)
            rows[i++] = row;
    if (rows)
        qsort(rows, n, sizeof *rows, by_time);
    *n_out = n;
    return rows;
}

/* "12.3 ms" */
static const char *duration(char out[24], double ns) {
    if (ns < 1e6)
        snprintf(out, 24, "%.3f us", ns / 1e3);
    else if (ns < 1e9)
        snprintf(out, 24, "%.3f ms", ns / 1e6);
    else
        snprintf(out, 24, "%.3f s", ns / 1e9);
    return out;
}

/* A number per nanosecond, "-" where there is none. */
static const char *rate(char out[24], uint64_t count, uint64_t ns) {
    if (count == 0 || ns == 0)
        return "-";
    snprintf(out, 24, "%.2f", (double)count / (double)ns);
    return out;
}

static void write_head(const gn_device *device, uint64_t calls, uint64_t ns, uint64_t n_lost) {
    static const char *const clocks[] = {
        [TRACE_CLOCK_CALL] = "on the device",
        [TRACE_CLOCK_EVENTS] = "on the device",
        [TRACE_CLOCK_NONE] = "in calls (the device has no events to tell its own time)",
    };
    char line[512], time[24], lost[64] = "";
    if (n_lost > 0)
        snprintf(lost, sizeof lost, ", %llu calls were not timed", (unsigned long long)n_lost);
    snprintf(line, sizeof line, "\ntrace of %s: %llu calls, %s %s, at most %.1f MiB allocated%s\n",
             device->name, (unsigned long long)calls, duration(time, (double)ns),
             clocks[device->clock], (double)device->most_bytes / (1 << 20), lost);
    trace_output_summary(line);
    snprintf(line, sizeof line, "%-24s %-20s %9s %12s %7s %12s %9s %9s %9s\n", "operation",
             "kernel", "calls", "total", "share", "mean", "MB", "GB/s", "GFLOP/s");
    trace_output_summary(line);
}

static void write_row(const trace_row *row, uint64_t all_ns) {
    char line[256], total[24], mean[24], bytes[24], flops[24];
    snprintf(line, sizeof line, "%-24s %-20s %9llu %12s %6.1f%% %12s %9.1f %9s %9s\n", row->name,
             row->kernel, (unsigned long long)row->calls, duration(total, (double)row->ns),
             all_ns ? 100.0 * (double)row->ns / (double)all_ns : 0.0,
             duration(mean, (double)row->ns / (double)row->calls), (double)row->bytes / 1e6,
             rate(bytes, row->bytes, row->ns), rate(flops, row->flops, row->ns));
    trace_output_summary(line);
}

static void write_table(trace_summary *summary, const gn_device *device) {
    size_t n;
    uint64_t calls = 0, ns = 0;
    trace_row **rows = sort_rows(summary, &n);
    if (rows == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        calls += rows[i]->calls;
        ns += rows[i]->ns;
    }
    write_head(device, calls, ns, summary->n_lost);
    for (size_t i = 0; i < n; i++)
        write_row(rows[i], ns);
    free(rows);
}

void trace_summary_close(trace_summary *summary, const gn_device *device) {
    write_table(summary, device);
    for (int l = 0; l < TRACE_ROW_LISTS; l++)
        while (summary->rows[l]) {
            trace_row *row = summary->rows[l];
            summary->rows[l] = row->next;
            free(row);
        }
    pthread_mutex_destroy(&summary->lock);
}
