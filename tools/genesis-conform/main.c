/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the program genesis-conform: reads the command line, has the cases run, and reports.
 * It never loads a plugin itself: see runner.c.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

/* Exit statuses. */
enum { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options options = {.reference = "ref", .seed = DEFAULT_SEED, .count = DEFAULT_COUNT};

/* What of the command line only this file uses. */
typedef struct command {
    const char *json, *junit;
    const char **only;
    size_t n_only;
    double timeout;
    bool list, quiet;
    char plugin_name[64];
} command;

/* AddressSanitizer, where it is built in, should answer a huge allocation as malloc does. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

static void help(void) {
    puts("Usage: genesis-conform [OPTION..] [--device NAME | PLUGIN.so]\n"
         "\n"
         "Checks a backend against the plugin ABI and against the reference device, kernel by\n"
         "kernel and operation by operation. Without a device it checks the default one.\n"
         "\n"
         "Options:\n"
         "  --device NAME     device string: cpu, cuda:1, check:opencl\n"
         "  --reference NAME  device that random programs are compared with [ref]\n"
         "  --only GLOB       run the cases that match, such as 'map/*'; may be repeated\n"
         "  --list            print the names of the cases, and run none\n"
         "  --seed N          seed of the first random program [1]\n"
         "  --count N         random programs of each kind [150]\n"
         "  --no-speed        measure no speed\n"
         "  --timeout SECONDS how long a case may take [60]\n"
         "  --json FILE       write the results as JSON; - is standard output\n"
         "  --junit FILE      write the results as JUnit XML\n"
         "  --quiet           print no progress\n"
         "  -h, --help        print this\n"
         "  --version         print the version\n"
         "\n"
         "Exit status: 0 if all passed, 1 if a case failed, 2 if the command line was not\n"
         "understood or the device can't be opened.");
}

static int usage_error(const char *format, ...) GN_PRINTF(1, 2);
static int usage_error(const char *format, ...) {
    va_list arguments;
    fputs("genesis-conform: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\nTry `genesis-conform --help`.\n", stderr);
    return EXIT_USAGE;
}

/* ---- The command line */

enum {
    OPTION_DEVICE = 256,
    OPTION_REFERENCE,
    OPTION_ONLY,
    OPTION_LIST,
    OPTION_SEED,
    OPTION_COUNT,
    OPTION_NO_SPEED,
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_JUNIT,
    OPTION_QUIET,
    OPTION_VERSION
};

static const struct option long_options[] = {
    {"device", required_argument, NULL, OPTION_DEVICE},
    {"reference", required_argument, NULL, OPTION_REFERENCE},
    {"only", required_argument, NULL, OPTION_ONLY},
    {"list", no_argument, NULL, OPTION_LIST},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"no-speed", no_argument, NULL, OPTION_NO_SPEED},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"json", required_argument, NULL, OPTION_JSON},
    {"junit", required_argument, NULL, OPTION_JUNIT},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

/* A whole number from low to high; -1 is none. */
static int64_t whole(const char *text, int64_t low, int64_t high) {
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    return errno || *end || end == text || value < low || value > high ? -1 : value;
}

/* Takes one option. Returns EXIT_USAGE for a value that can't be, else EXIT_PASSED. */
static int take_option(command *c, int option) {
    int64_t number = 0;
    switch (option) {
    case OPTION_DEVICE: options.device = optarg; break;
    case OPTION_REFERENCE: options.reference = optarg; break;
    case OPTION_ONLY: c->only[c->n_only++] = optarg; break;
    case OPTION_LIST: c->list = true; break;
    case OPTION_SEED: number = whole(optarg, 0, INT64_MAX), options.seed = (uint64_t)number; break;
    case OPTION_COUNT: number = whole(optarg, 0, 1000000), options.count = (int)number; break;
    case OPTION_NO_SPEED: options.no_speed = true; break;
    case OPTION_TIMEOUT: number = whole(optarg, 1, 86400), c->timeout = (double)number; break;
    case OPTION_JSON: c->json = optarg; break;
    case OPTION_JUNIT: c->junit = optarg; break;
    case OPTION_QUIET: c->quiet = true; break;
    default: fputs("Try `genesis-conform --help`.\n", stderr); return EXIT_USAGE;
    }
    return number < 0 ? usage_error("'%s' is not a number that the option takes", optarg)
                      : EXIT_PASSED;
}

/* The device is the one that is named, the plugin's, or the default one. */
static int choose_device(command *c, int argc, char **argv) {
    options.device_given = options.device != NULL;
    if (argc - optind > 1)
        return usage_error("one plugin at a time: '%s' is too many", argv[optind + 1]);
    if (argc > optind) {
        options.plugin = argv[optind];
        if (!plugin_file_name(options.plugin, c->plugin_name, sizeof c->plugin_name))
            return usage_error("'%s' is not the file of a plugin, genesis_NAME.so", options.plugin);
        if (!options.device)
            options.device = c->plugin_name;
    }
    if (!options.device)
        options.device = gn_default_device();
    if (c->json && c->junit && strcmp(c->json, "-") == 0 && strcmp(c->junit, "-") == 0)
        return usage_error("--json - and --junit - both want standard output");
    return EXIT_PASSED;
}

/* ---- The work */

static int list(const results *r) {
    char name[128];
    for (size_t i = 0; i < r->n_runs; i++) {
        run_name(&r->runs[i], name, sizeof name);
        if (!r->runs[i].implicit)
            puts(name);
    }
    return EXIT_PASSED;
}

static int check(results *r, const command *c) {
    const bool to_stdout =
        (c->json && strcmp(c->json, "-") == 0) || (c->junit && strcmp(c->junit, "-") == 0);
    const enum progress progress = c->quiet                ? PROGRESS_NONE
                                   : isatty(STDERR_FILENO) ? PROGRESS_LIVE
                                                           : PROGRESS_LINES;
    if (!probe_devices(r, c->timeout))
        return EXIT_USAGE;
    if (!to_stdout)
        print_header(r);
    if (!run_all(r, c->timeout, progress))
        return EXIT_FAILED;
    if (!to_stdout)
        print_report(r);
    bool written = true;
    if (c->json)
        written = write_json(r, c->json) && written;
    if (c->junit)
        written = write_junit(r, c->junit) && written;
    return written && results_count(r, FAILED) == 0 ? EXIT_PASSED : EXIT_FAILED;
}

static int run(command *c, int argc, char **argv) {
    for (int option; (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (option == 'h') {
            help();
            return EXIT_PASSED;
        }
        if (option == OPTION_VERSION) {
            printf("genesis-conform %s\n", gn_version());
            return EXIT_PASSED;
        }
        const int status = take_option(c, option);
        if (status != EXIT_PASSED)
            return status;
    }
    int status = choose_device(c, argc, argv);
    if (status != EXIT_PASSED)
        return status;
    results r = {0};
    if (!results_plan(&r, c->only, c->n_only)) {
        fputs("genesis-conform: no memory\n", stderr);
        status = EXIT_FAILED;
    } else if (r.n_runs == 0) {
        status = usage_error("no case matches --only %s", c->n_only ? c->only[0] : "");
    } else {
        status = c->list ? list(&r) : check(&r, c);
    }
    results_free(&r);
    return status;
}

int main(int argc, char **argv) {
    command c = {.timeout = 60, .only = calloc((size_t)argc, sizeof *c.only)};
    int status = c.only ? run(&c, argc, argv) : EXIT_FAILED;
    free(c.only);
    gn_shutdown();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, a closed pipe */
        perror("genesis-conform: standard output");
        return EXIT_FAILED;
    }
    return status;
}
