/* SPDX-License-Identifier: Apache-2.0 */
/* results.c - which cases are to be run, their names, and the rows of the table. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

/* ---- The plan */

const test_case open_case = {.name = "open"}, close_case = {.name = "close", .run = target_close};

/* A pattern matches a name, or all that lies below what it matches: "map" all of map/... */
static bool matches(const char *name, const char *const *patterns, size_t n_patterns) {
    char below[256];
    for (size_t i = 0; i < n_patterns; i++) {
        snprintf(below, sizeof below, "%s/*", patterns[i]);
        if (fnmatch(patterns[i], name, 0) == 0 || fnmatch(below, name, 0) == 0)
            return true;
    }
    return n_patterns == 0;
}

static bool add_run(results *r, const test_run *run) {
    void *runs = r->runs;
    if (gn__grow(&runs, &r->runs_capacity, r->n_runs, sizeof *r->runs) != GN_OK)
        return false;
    r->runs = runs;
    r->runs[r->n_runs++] = *run;
    return true;
}

static bool plan_case(results *r, const test_group *group, const test_case *test,
                      const char *const *patterns, size_t n_patterns) {
    const int n = test->count ? test->count() : test->each ? test->n : 1;
    for (int i = 0; i < n; i++) {
        const test_run run = {.group = group, .test = test, .index = i};
        char name[128];
        run_name(&run, name, sizeof name);
        if (matches(name, patterns, n_patterns) && !add_run(r, &run))
            return false;
    }
    return true;
}

/* A group in which nothing is to be run is left out. */
static bool plan_group(results *r, const test_group *group, const char *const *patterns,
                       size_t n_patterns) {
    const test_run open = {.group = group, .test = &open_case, .implicit = true},
                   close = {.group = group, .test = &close_case, .implicit = true};
    const size_t before = r->n_runs;
    if (!add_run(r, &open))
        return false;
    for (size_t i = 0; i < group->n_cases; i++)
        if (!plan_case(r, group, &group->cases[i], patterns, n_patterns))
            return false;
    if (r->n_runs == before + 1) {
        r->n_runs = before;
        return true;
    }
    return add_run(r, &close);
}

bool results_plan(results *r, const char *const *patterns, size_t n_patterns) {
    for (size_t i = 0; i < n_groups; i++)
        if (!plan_group(r, groups[i], patterns, n_patterns))
            return false;
    return true;
}

void results_free(results *r) {
    for (size_t i = 0; i < r->n_runs; i++)
        free(r->runs[i].message);
    free(r->runs);
    free(r->rows);
}

/* ---- Names */

void run_name(const test_run *run, char *name, size_t bytes) {
    if (run->test->each)
        snprintf(name, bytes, "%s/%s/%d", run->group->name, run->test->name, run->index);
    else
        snprintf(name, bytes, "%s/%s", run->group->name, run->test->name);
}

void run_command(const test_run *run, char *command, size_t bytes) {
    char name[128], seed[64] = "";
    if (run->implicit) /* it takes a case to open and close the device */
        snprintf(name, sizeof name, "%s", run->group->name);
    else
        run_name(run, name, sizeof name);
    if (options.seed != DEFAULT_SEED || options.count != DEFAULT_COUNT)
        snprintf(seed, sizeof seed, " --seed %llu --count %d", (unsigned long long)options.seed,
                 options.count);
    const bool both = options.plugin && options.device_given;
    snprintf(command, bytes, "genesis-conform %s%s%s%s%s --only %s",
             options.plugin ? "" : "--device ", options.plugin ? options.plugin : options.device,
             both ? " --device " : "", both ? options.device : "", seed, name);
}

/* ---- What came of it */

size_t results_count(const results *r, enum outcome outcome) {
    size_t n = 0;
    for (size_t i = 0; i < r->n_runs; i++)
        n += r->runs[i].outcome == outcome && (!r->runs[i].implicit || outcome == FAILED);
    return n;
}

table_row *results_row(results *r, const char *kernel, int dtype) {
    for (size_t i = 0; i < r->n_rows; i++)
        if (r->rows[i].dtype == dtype && strcmp(r->rows[i].kernel, kernel) == 0)
            return &r->rows[i];
    void *rows = r->rows;
    if (gn__grow(&rows, &r->rows_capacity, r->n_rows, sizeof *r->rows) != GN_OK)
        return NULL;
    r->rows = rows;
    table_row *row = &r->rows[r->n_rows++];
    *row = (table_row){.dtype = dtype, .worst = -1};
    snprintf(row->kernel, sizeof row->kernel, "%s", kernel);
    return row;
}

bool run_is_smallest(const results *r, const test_run *run) {
    for (const test_run *other = r->runs; other < r->runs + r->n_runs; other++)
        if (other->test == run->test && other->group == run->group && other->outcome == FAILED &&
            (other->size < run->size || (other->size == run->size && other < run)))
            return false;
    return true;
}
