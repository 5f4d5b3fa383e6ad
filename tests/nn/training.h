/* SPDX-License-Identifier: Apache-2.0 */
/*
 * training.h - a tiny training on the default device, with convolution, batch norm, pooling,
 * dropout, cross-entropy and Adam, for tests in which something fails on the way.
 */
#ifndef GENESIS_TESTS_TRAINING_H
#define GENESIS_TESTS_TRAINING_H

#include <genesis/genesis.h>

typedef struct training {
    gn_module *model;
    gn_optimizer *adam;
    gn_tensor *x, *y;
} training;

/* Always the same one. Its members are NULL after an error. */
training training_new(void);

/* One step; its loss, or -1 with an error. */
double training_step(const training *t);

/* All parameters, one after the other. */
enum { TRAINING_FLOATS = 64 };
typedef struct floats {
    int n;
    float value[TRAINING_FLOATS];
} floats;

floats training_values(const training *t);
bool floats_equal(const floats *a, const floats *b);
bool floats_close(const floats *a, const floats *b); /* within 1e-3 */

/* What a step does in which nothing fails. */
typedef struct training_result {
    double loss;
    floats before, after; /* the parameters */
} training_result;

training_result training_expect(const training *t);

/* A step has the same result, to the bit if `exactly`. */
void training_repeat(const training *t, const training_result *expected, bool exactly);

#endif
