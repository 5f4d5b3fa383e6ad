/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - what the program itself is made of, and no case sees: runs of cases, the records that a
 * child sends about them, and the results that the parent gathers.
 */
#ifndef GENESIS_CONFORM_RUN_H
#define GENESIS_CONFORM_RUN_H

#include <stdio.h>

#include "conform.h"

enum { DEFAULT_SEED = 1, DEFAULT_COUNT = 150 }; /* as --help says */

/* ---- Groups (groups.c) ----------------------------------------------------------------------- */

extern const test_group *const groups[];
extern const size_t n_groups;

/* ---- Records: from the child to the parent, each followed by its text ------------------------ */

enum record_kind {
    RECORD_BEGIN,       /* number: the run that begins */
    RECORD_DEVICE,      /* text: a device_report */
    RECORD_SUBJECT,     /* number: dtype; text: kernel */
    RECORD_UNSUPPORTED, /* the subject's dtype is not there */
    RECORD_COMPOSED,    /* the subject is declined */
    RECORD_ERROR,       /* a: ulp */
    RECORD_SPEED,       /* number: unit; a, b: rates */
    RECORD_SIZE,        /* a */
    RECORD_TRIAL,       /* text: what is tried */
    RECORD_ANSWER,      /* number: how that ended */
    RECORD_PASS,
    RECORD_SKIP, /* text: the reason */
    RECORD_FAIL, /* text: the message */
};

typedef struct record {
    uint32_t kind, text_bytes;
    int64_t number;
    double a, b;
} record;

typedef struct device_report {
    char path[512], version[64];
    uint32_t abi_major, abi_minor;
    gn_device_info info;
} device_report;

/* The answers of the trials of the run that is under way. The child that goes on with the run finds
 * them in the memory that it has from its parent. */
enum { MAX_TRIALS = 4000 };
extern struct trials {
    int n, answer[MAX_TRIALS];
    char crash[160];
} trials;

/* ---- Results --------------------------------------------------------------------------------- */

enum outcome { NOT_RUN, PASSED, FAILED, SKIPPED };

/* A case at an index. Every group has two more, which open and close the device: those are shown
 * only if they fail. */
typedef struct test_run {
    const test_group *group;
    const test_case *test;
    int index;
    bool implicit;
    enum outcome outcome;
    double seconds, size;
    char *message;
} test_run;

typedef struct table_row {
    char kernel[56];
    int dtype;
    int passed, failed, composed, unsupported;
    double worst; /* ulp; negative: none was measured */
    enum speed_unit unit;
    double rate, reference_rate; /* 0: not measured */
} table_row;

typedef struct results {
    test_run *runs;
    size_t n_runs, runs_capacity;
    table_row *rows;
    size_t n_rows, rows_capacity;
    device_report device, reference;
    double seconds;
} results;

/* The first and the last run of every group. */
extern const test_case open_case, close_case;

/* Runs the cases of the patterns (none: all), in the order of their groups. False: no memory. */
bool results_plan(results *r, const char *const *patterns, size_t n_patterns);
void results_free(results *r);
/* "map/strides/3"; "map/large" of a case that has no index. */
void run_name(const test_run *run, char *name, size_t bytes);
/* The command that runs it again. */
void run_command(const test_run *run, char *command, size_t bytes);
/* How many runs, but those that only open and close the device and did, have an outcome. */
size_t results_count(const results *r, enum outcome outcome);
/* The row of a kernel and dtype, added if it is not there yet. NULL: no memory. */
table_row *results_row(results *r, const char *kernel, int dtype);
/* Which failure of its case is to be shown: the first of the smallest ones. */
bool run_is_smallest(const results *r, const test_run *run);

/* ---- Running (runner.c in the parent, case.c in the child) ----------------------------------- */

enum progress { PROGRESS_NONE, PROGRESS_LINES, PROGRESS_LIVE };

/* Opens the device and the reference once, for what they say about themselves. False: they can't
 * be opened, and stderr says why. */
bool probe_devices(results *r, double timeout);
/* Runs all that is planned. */
bool run_all(results *r, double timeout, enum progress progress);

/* In the child: runs `open`, what is in first..last-1, and `close`, all of one group; does not
 * return. */
_Noreturn void child_main(int fd, const test_run *runs, size_t open, size_t first, size_t close);

/* The device's file, version and description (target.c). The case fails if it has none. */
device_report target_report(void);
/* "mine" of "/path/to/genesis_mine.so"; false if the file is no plugin's. */
bool plugin_file_name(const char *path, char *name, size_t bytes);

/* ---- Reports --------------------------------------------------------------------------------- */

void print_header(const results *r);
void print_report(const results *r);
/* "pass", "FAIL", "composed", or "-" where the device has not the dtype. */
const char *row_result(const table_row *row);
/* To a file that appears whole or not at all; "-" is standard output. False: stderr says why. */
bool write_json(const results *r, const char *path);
bool write_junit(const results *r, const char *path);

#endif
