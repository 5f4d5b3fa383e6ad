/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - the report for people: the device, the table of kernels and dtypes, the failures. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <genesis/tensor.h>

#include "run.h"

const char *row_result(const table_row *row) {
    return row->failed ? "FAIL" : row->passed ? "pass" : row->composed ? "composed" : "-";
}

/* ---- The device */

void print_header(const results *r) {
    const device_report *d = &r->device;
    printf("%s: %s\n", options.device, d->info.name);
    if (d->info.vendor[0] || d->info.driver[0])
        printf("  vendor %s, driver %s\n", d->info.vendor, d->info.driver);
    printf("  plugin %s, version %s, ABI %u.%u\n  dtypes", d->path, d->version, d->abi_major,
           d->abi_minor);
    for (int dtype = GN_BOOL; dtype < GN_N_DTYPES; dtype++)
        if (d->info.dtypes >> dtype & 1 && dtype != GN_U32) /* inside programs only */
            printf(" %s", gn_dtype_name((gn_dtype)dtype));
    printf("\n  reference %s, seed %llu\n\n", options.reference, (unsigned long long)options.seed);
    fflush(stdout);
}

/* ---- The table */

/* "1.85 GB/s", or "" where it was not measured. */
static void rate_text(char text[32], const table_row *row, double rate) {
    static const char *const units[] = {[SPEED_BYTES] = "GB/s", [SPEED_FLOPS] = "GFLOP/s"};
    text[0] = '\0';
    if (rate > 0)
        snprintf(text, 32, "%.3g %s", rate * 1e-9, units[row->unit]);
}

static void print_row(const table_row *row) {
    char worst[32] = "", composed[16] = "", rate[32], reference[32], line[256];
    if (row->worst >= 0)
        snprintf(worst, sizeof worst, "%.3g", row->worst);
    if (row->composed)
        snprintf(composed, sizeof composed, "%d", row->composed);
    rate_text(rate, row, row->rate);
    rate_text(reference, row, row->reference_rate);
    int n = snprintf(line, sizeof line, "%-24s %-9s %-9s %6d %9s %10s %14s %14s", row->kernel,
                     row->dtype ? gn_dtype_name((gn_dtype)row->dtype) : "", row_result(row),
                     row->passed + row->failed, composed, worst, rate, reference);
    while (n > 0 && line[n - 1] == ' ')
        line[--n] = '\0';
    puts(line);
}

/* Rows of one kernel together, in the order in which the kernels came, by dtype. */
static void print_table(const results *r) {
    printf("%-24s %-9s %-9s %6s %9s %10s %14s %14s\n", "kernel", "dtype", "result", "cases",
           "composed", "worst ulp", "speed", "reference");
    for (size_t i = 0; i < r->n_rows; i++) {
        bool is_first = true;
        for (size_t j = 0; j < i && is_first; j++)
            is_first = strcmp(r->rows[i].kernel, r->rows[j].kernel) != 0;
        for (int dtype = 0; dtype < GN_N_DTYPES && is_first; dtype++)
            for (size_t j = i; j < r->n_rows; j++)
                if (r->rows[j].dtype == dtype && strcmp(r->rows[i].kernel, r->rows[j].kernel) == 0)
                    print_row(&r->rows[j]);
    }
}

/* ---- What is wrong */

static size_t count_like(const results *r, const test_run *run) {
    size_t n = 0;
    for (const test_run *other = r->runs; other < r->runs + r->n_runs; other++)
        n += other->group == run->group && other->test == run->test && other->outcome == FAILED;
    return n;
}

static void print_failures(const results *r) {
    char name[128], command[768];
    for (const test_run *run = r->runs; run < r->runs + r->n_runs; run++) {
        if (run->outcome != FAILED || !run_is_smallest(r, run))
            continue;
        const size_t n = count_like(r, run);
        run_name(run, name, sizeof name);
        run_command(run, command, sizeof command);
        printf("\nFAIL %s", name);
        if (n > 1)
            printf(", and %zu more of %s/%s", n - 1, run->group->name, run->test->name);
        printf("\n  %s\n  replay: %s\n", run->message ? run->message : "", command);
    }
}

/* Each reason once. */
static void print_skips(const results *r) {
    for (const test_run *run = r->runs; run < r->runs + r->n_runs; run++) {
        bool is_first = run->outcome == SKIPPED && run->message;
        for (const test_run *other = r->runs; other < run && is_first; other++)
            is_first = !other->message || other->outcome != SKIPPED ||
                       strcmp(other->message, run->message) != 0;
        char name[128];
        run_name(run, name, sizeof name);
        if (is_first)
            printf("skipped: %s: %s\n", name, run->message);
    }
}

void print_report(const results *r) {
    print_table(r);
    print_failures(r);
    putchar('\n');
    print_skips(r);
    printf("%zu passed, %zu failed, %zu skipped in %.1f s\n", results_count(r, PASSED),
           results_count(r, FAILED), results_count(r, SKIPPED), r->seconds);
}
