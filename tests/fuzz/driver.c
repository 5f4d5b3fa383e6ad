/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - runs a fuzz target where there is no libFuzzer: on the files of the given folders,
 * then on changed ones for a time. Input number i is always the same.
 *
 *     fuzz_npy [-max_total_time=SECONDS] [-first=i] [-runs=N] FOLDER..
 */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum { MAX_BYTES = 1 << 16, MAX_SEEDS = 256, MAX_RSS_MIB = 2048 };

typedef struct input {
    uint8_t *bytes;
    size_t n;
} input;

static input seeds[MAX_SEEDS];
static size_t n_seeds;
static volatile uint64_t current;

/* Of the sanitizers, if the program has them. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void tell_input(void) {
    char text[128];
    int n = snprintf(text, sizeof text, "fuzz: that was input %llu: -first=%llu -runs=1\n",
                     (unsigned long long)current, (unsigned long long)current);
    if (write(STDERR_FILENO, text, (size_t)n) != n)
        _exit(1);
}

static void on_signal(int number) {
    tell_input();
    signal(number, SIG_DFL);
    raise(number);
}

/* ---- Seeds */

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_seed(const char *path) {
    uint8_t *bytes = malloc(MAX_BYTES);
    FILE *file = fopen(path, "rb");
    if (bytes == NULL || file == NULL || n_seeds == MAX_SEEDS) {
        perror(path);
        exit(1);
    }
    seeds[n_seeds++] = (input){bytes, fread(bytes, 1, MAX_BYTES, file)};
    fclose(file);
}

static void read_folder(const char *folder) {
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);
    if (n < 0) {
        perror(folder);
        exit(1);
    }
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            read_seed(path);
        free(entries[i]);
    }
    free(entries);
}

/* ---- Changes */

static uint64_t state;

/* A number below `end`, by xorshift. */
static size_t below(size_t end) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return end ? (size_t)(state % end) : 0;
}

/* Writes a number that is likely to be at a limit. */
static void put_limit(input *in) {
    static const uint64_t limits[] = {0,          1,          4,          127,       128,
                                      255,        256,        0x7fff,     0x8000,    0xffff,
                                      0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX};
    uint64_t value = limits[below(GN_LENGTH(limits))];
    size_t width = (size_t)1 << below(4), at = below(in->n);
    for (size_t i = 0; i < width && at + i < in->n; i++)
        in->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

/* Copies a piece of a seed over or into the input, or takes one out. */
static void splice(input *in, bool insert) {
    const input *from = &seeds[below(n_seeds)];
    size_t begin = below(from->n), n = below(from->n - begin) % 64 + 1, at = below(in->n);
    if (n > from->n - begin || in->n + n > MAX_BYTES)
        return;
    if (insert) {
        memmove(in->bytes + at + n, in->bytes + at, in->n - at);
        in->n += n;
    } else if (n > in->n - at) {
        n = in->n - at;
    }
    memcpy(in->bytes + at, from->bytes + begin, n);
}

static void cut(input *in) {
    size_t at = below(in->n), n = below(in->n - at) % 64 + 1;
    if (n > in->n - at)
        return;
    memmove(in->bytes + at, in->bytes + at + n, in->n - at - n);
    in->n -= n;
}

static void change(input *in) {
    switch (below(7)) {
    case 0: in->n ? in->bytes[below(in->n)] ^= 1 << below(8) : 0; break;
    case 1: in->n ? in->bytes[below(in->n)] = (uint8_t)below(256) : 0; break;
    case 2: put_limit(in); break;
    case 3: splice(in, true); break;
    case 4: splice(in, false); break;
    case 5: cut(in); break;
    case 6: in->n = below(8) ? in->n : below(in->n + 1); break;
    }
}

/* Input number i: the seeds themselves, then changed ones. Exactly as large as its memory, so that
 * AddressSanitizer sees what reads beyond. */
static void run_input(uint64_t i, uint8_t *room) {
    const input *seed =
        &seeds[i < n_seeds ? i : (state = i * 0x9e3779b97f4a7c15 | 1, below(n_seeds))];
    input in = {memcpy(room, seed->bytes, seed->n), seed->n};
    if (i >= n_seeds)
        for (size_t changes = below(6) + 1; changes > 0; changes--)
            change(&in);
    uint8_t *exact = malloc(in.n ? in.n : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, in.bytes, in.n);
    current = i;
    LLVMFuzzerTestOneInput(exact, in.n);
    free(exact);
}

int main(int argc, char **argv) {
    unsigned long long seconds = 1, first = 0, runs = ULLONG_MAX, i;
    for (int k = 1; k < argc; k++)
        if (sscanf(argv[k], "-max_total_time=%llu", &seconds) != 1 &&
            sscanf(argv[k], "-first=%llu", &first) != 1 &&
            sscanf(argv[k], "-runs=%llu", &runs) != 1 && argv[k][0] != '-')
            read_folder(argv[k]);
    uint8_t *room = malloc(MAX_BYTES);
    if (n_seeds == 0 || room == NULL)
        return fputs("fuzz: there are no seeds\n", stderr), 1;
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal); /* an input that takes too long */
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(tell_input);
    const time_t end = time(NULL) + (time_t)seconds;
    for (i = first; i - first < runs && (i - first < n_seeds || time(NULL) < end); i++) {
        alarm(60);
        run_input(i, room);
    }
    free(room);
    while (n_seeds > 0)
        free(seeds[--n_seeds].bytes);
    gn_shutdown();
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%llu inputs, at most %ld MiB\n", i - first, usage.ru_maxrss / 1024);
    return usage.ru_maxrss / 1024 > MAX_RSS_MIB;
}
