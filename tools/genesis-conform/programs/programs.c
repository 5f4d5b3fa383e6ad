/* SPDX-License-Identifier: Apache-2.0 */
/* programs.c - random programs, shapes, strides and dtypes, compared with the reference device. */
#include "sample.h"

static void run_sample(enum sample_kind kind, const char *row, int index) {
    static char message[512], text[6000];
    static sample s;
    subject(row, 0);
    sample_generate(&s, kind, options.seed + (uint64_t)index);
    const int failure = sample_check(&s, message, sizeof message);
    if (failure == 0)
        return;
    sample_shrink(&s, failure);
    sample_check(&s, message, sizeof message); /* for its message */
    note_size((double)s.n_insns);
    sample_text(&s, text, sizeof text);
    fail_case("%s\n  the smallest program that fails like that of seed %llu:\n%s", message,
              (unsigned long long)options.seed + (unsigned long long)index, text);
}

static void map_program(int index) { run_sample(SAMPLE_MAP, "random map", index); }
static void reduce_program(int index) { run_sample(SAMPLE_REDUCE, "random reduce", index); }
static void row_program(int index) { run_sample(SAMPLE_ROW, "random row_map", index); }

static int count(void) { return options.count; }

static const test_case cases[] = {
    {.name = "map", .each = map_program, .count = count},
    {.name = "reduce", .each = reduce_program, .count = count},
    {.name = "row", .each = row_program, .count = count},
};

const test_group programs_group = {.name = "programs", CASES(cases), .after = kernel_after};
