/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conform.h - what every group of cases sees of genesis-conform: how a case is written, what it may
 * say about what it tests, and the device that it tests.
 *
 *     static void tails(int index) {
 *         if (!subject("map", dtypes[index]))
 *             return;
 *         context("%d elements", n);
 *         EXPECT(status == GN_OK, "status %d: %s", status, said());
 *     }
 *
 *     static const test_case cases[] = {
 *         {.name = "tails", .each = tails, .n = GN_LENGTH(dtypes)},
 *         {.name = "large", .run = large},
 *     };
 *     const test_group map_group = {.name = "map", CASES(cases)};
 *
 * The process that runs the cases is a child of the program: it may crash or hang, and is replaced.
 * Everything here belongs to the thread that runs the case; other threads only compute.
 */
#ifndef GENESIS_CONFORM_H
#define GENESIS_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <genesis/backend.h>

#include "libgenesis/runtime/runtime.h"

/* ---- Cases and groups ------------------------------------------------------------------------ */

typedef struct test_case {
    const char *name;
    void (*run)(void);       /* either it, once, */
    void (*each)(int index); /* or this for each index of 0 .. n - 1 */
    int n;
    int (*count)(void); /* instead of n, where it depends on options or files, never on a device */
} test_case;

typedef struct test_group {
    const char *name;
    const test_case *cases;
    size_t n_cases;
    const char *row;     /* of cases without a subject; NULL: they are in the table if they fail */
    void (*begin)(void); /* once in the process, when the device is open; may be NULL */
    void (*after)(void); /* after each case, failed or not; may be NULL */
} test_group;

#define CASES(array) .cases = (array), .n_cases = GN_LENGTH(array)

/* ---- In a case (case.c) ---------------------------------------------------------------------- */

/*
 * From here on the case is about this kernel and dtype: a row of the table, "map" x float32 or
 * "op sum" x float32; 0 is no dtype. False, and noted, if the device lacks the dtype: then the case
 * goes on to its next one, or returns.
 */
bool subject(const char *kernel, int dtype);

/* What precedes the message of a failure: which row of a table, which layout. Lasts until the next
 * one, or the end of the case. */
void context(const char *format, ...) GN_PRINTF(1, 2);

/* Ends the case as failed, unless the condition holds. */
#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_case(__VA_ARGS__);                                                                \
    } while (0)
_Noreturn void fail_case(const char *format, ...) GN_PRINTF(1, 2);

/* Runs body(argument), which a failing EXPECT ends instead of the case. Whether it came to its end;
 * if not, its message. */
bool attempt(void (*body)(void *argument), void *argument, char *message, size_t bytes);

/* Ends the case as skipped: it can't be run here. */
_Noreturn void skip_case(const char *format, ...) GN_PRINTF(1, 2);

/* The device declined what the subject asks for, as it may: the host composes it. */
void note_composed(void);

/* An error within the tolerance, in units in the last place; the row shows the largest. */
void note_error(double ulp);

/* Work per second, of the device and of the reference (0: not measured). */
enum speed_unit { SPEED_BYTES, SPEED_FLOPS };
void note_speed(enum speed_unit unit, double rate, double reference_rate);

/* How much a failing case handles: among the failures of one test the smallest is shown. */
void note_size(double size);

/* Zeroed memory, freed after the case; never NULL. */
void *case_alloc(size_t count, size_t bytes);

/* Numbers by chance: the same ones in every run of a case, unless it begins with another seed. */
void random_seed(uint64_t seed);
uint64_t random_bits(void);
double random_between(double low, double high);

/*
 * A search for the smallest of what fails: each trial runs something that may crash. `text` says
 * what is tried. Before it is run, trial_known asks whether it was already, by a process that
 * crashed in it or in a later trial; after it was run, trial_answer says how it ended. Trials are
 * known by their number, so the search has to go the same way each time.
 */
enum { TRIAL_UNKNOWN = -1, TRIAL_CRASHED = -2 };
int trial_known(const char *text);
void trial_answer(int answer);
/* How the trial that crashed did so: "SIGSEGV". */
const char *trial_crash(void);

/* ---- Devices (target.c) ---------------------------------------------------------------------- */

/* What the command line asks for. */
extern struct options {
    const char *device;    /* its string: "cpu", "check:cuda:1" */
    bool device_given;     /* it does not follow from the plugin */
    const char *plugin;    /* file to load first, or NULL */
    const char *reference; /* device string */
    uint64_t seed;
    int count;     /* random programs of each kind */
    bool no_speed; /* measure none */
} options;

extern gn__device *tested; /* the device under test */

/* Opens the device under test; the case fails if it can't be. Done before the first case; a case
 * that calls target_close, which closes all devices and shuts the library down, opens it again. */
void target_open(void);
void target_close(void);
/* The reference device, opened at the first use. */
gn__device *reference_device(void);
/* What the plugin said about this thread's last failed call, or the meaning of its status. */
const char *said(gn_status status);

#endif
