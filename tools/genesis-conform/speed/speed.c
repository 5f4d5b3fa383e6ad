/* SPDX-License-Identifier: Apache-2.0 */
/* speed.c - time and memory on the device and on the reference. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libgenesis/runtime/internal.h"

#include "speed.h"

enum { FILL = 0x3c, MILLISECONDS = 30, REFERENCE_MILLISECONDS = 3 };

int no_speed_or(int n) { return options.no_speed ? 0 : n; }

gn_mem *speed_block(side *s, uint64_t bytes) {
    gn_mem *mem = NULL;
    char *data = malloc(bytes);
    EXPECT(data && s->n_blocks < GN_LENGTH(s->blocks), "no host memory for %llu bytes",
           (unsigned long long)bytes);
    memset(data, FILL, bytes);
    gn_status status = s->table->alloc(s->device, bytes, &mem);
    if (status == GN_OK) {
        s->blocks[s->n_blocks++] = mem;
        status = s->table->upload(s->device, NULL, mem, 0, data, bytes);
    }
    free(data);
    expect_status(status, GN_OK);
    return mem;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void wait(const side *s) {
    if (s->table->synchronise)
        expect_status(s->table->synchronise(s->device, NULL), GN_OK);
    if (!s->is_reference)
        raw_end(GN_OK);
}

double seconds_per_call(side *s, gn_status (*body)(side *s, void *argument), void *argument) {
    const double enough = 1e-3 * (s->is_reference ? REFERENCE_MILLISECONDS : MILLISECONDS);
    double took = 0;
    int n = 1;
    for (;; n *= 2) {
        const double began = now();
        for (int i = 0; i < n; i++)
            expect_status(body(s, argument), GN_OK);
        wait(s);
        took = now() - began;
        if (n > 1 || s->is_reference) /* the first call of a device may compile */
            if (took >= enough)
                return took / n;
    }
}

static void free_blocks(side *s) {
    for (size_t i = 0; i < s->n_blocks; i++)
        s->table->free(s->device, s->blocks[i]);
    s->n_blocks = 0;
}

void measure_both(enum speed_unit unit, measure *m, const void *argument) {
    side tested_side = {.table = backend, .device = device};
    const double rate = m(&tested_side, argument);
    free_blocks(&tested_side);
    if (rate == 0)
        note_composed();
    side reference = {.is_reference = true};
    expect_status(gn__host.device_open(options.reference, &reference.table, &reference.device),
                  GN_OK);
    const double reference_rate = m(&reference, argument);
    free_blocks(&reference);
    reference.table->close(reference.device);
    note_speed(unit, rate, reference_rate);
}
