/* SPDX-License-Identifier: Apache-2.0 */
/* results.c - what a run measures. */
#include "results.h"

#include <stdlib.h>

/* ---- Curves */

gn_status curve_add(curve *c, double epoch, double loss, double accuracy) {
    if (c->n == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 64;
        point *points = realloc(c->points, capacity * sizeof *points);
        if (points == NULL)
            return gn_fail(GN_E_MEMORY, "curve", "no memory for %zu points", capacity);
        c->points = points;
        c->capacity = capacity;
    }
    c->points[c->n++] = (point){epoch, loss, accuracy};
    return GN_OK;
}

void curve_free(curve *c) { free(c->points); }

/* ---- Sums on the device */

meter meter_new(void) {
    return (meter){.loss = gn_scalar_tensor(0, NULL),
                   .correct = gn_scalar_tensor(0, GN_AS(.dtype = GN_I64))};
}

void meter_add(meter *m, gn_tensor *loss, gn_tensor *logits, gn_tensor *labels) {
    bool was = gn_set_grad_enabled(false);
    int64_t n = gn_size(labels, 0);
    gn_add_(m->loss, gn_mul_scalar(loss, (double)n));
    gn_add_(m->correct, gn_sum(gn_eq(gn_argmax(logits, 1, false), labels)));
    m->images += n;
    gn_set_grad_enabled(was);
}

point meter_read(meter *m, double epoch) {
    double n = m->images > 0 ? (double)m->images : 1;
    point p = {.epoch = epoch,
               .loss = gn_item(m->loss) / n,
               .accuracy = (double)gn_item_int(m->correct) / n};
    gn_zero_(m->loss);
    gn_zero_(m->correct);
    m->images = 0;
    return p;
}

/* ---- Answers */

gn_status answers_make(answers *a, int64_t n) {
    size_t count = n > 0 ? (size_t)n : 1;
    *a = (answers){.n = n,
                   .truth = calloc(count, sizeof *a->truth),
                   .said = calloc(count, sizeof *a->said),
                   .sure = calloc(count, sizeof *a->sure)};
    if (a->truth && a->said && a->sure)
        return GN_OK;
    return gn_fail(GN_E_MEMORY, "answers", "no memory for %lld images", (long long)n);
}

void answers_free(answers *a) {
    free(a->truth);
    free(a->said);
    free(a->sure);
}
