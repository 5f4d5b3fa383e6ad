/* SPDX-License-Identifier: Apache-2.0 */
/* results.h - what a run measures: curves over its course, and the answers on the test images. */
#ifndef FASHION_MNIST_RESULTS_H
#define FASHION_MNIST_RESULTS_H

#include <genesis/genesis.h>

enum { CLASSES = 10, SIDE = 28, PIXELS = SIDE * SIDE };

/* Loss and accuracy after so many epochs, which may be a fraction. */
typedef struct point {
    double epoch, loss, accuracy;
} point;

typedef struct curve {
    point *points;
    size_t n, capacity;
} curve;

gn_status curve_add(curve *c, double epoch, double loss, double accuracy);
void curve_free(curve *c);

/* Loss and accuracy since the last reading, summed up on the device, so that a step never waits. */
typedef struct meter {
    gn_tensor *loss, *correct; /* sums */
    int64_t images;
} meter;

meter meter_new(void);
/* Adds a batch: its mean loss, its logits (N, 10) and its labels (N). */
void meter_add(meter *m, gn_tensor *loss, gn_tensor *logits, gn_tensor *labels);
/* The means since the last reading; begins anew. */
point meter_read(meter *m, double epoch);

/* What the network says of each test image. */
typedef struct answers {
    int64_t n, correct;
    double loss;    /* mean */
    int64_t *truth; /* labels */
    int64_t *said;  /* the most probable labels */
    float *sure;    /* their probabilities */
} answers;

gn_status answers_make(answers *a, int64_t n);
void answers_free(answers *a);

#endif
