/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line of fashion_mnist. */
#ifndef FASHION_MNIST_OPTIONS_H
#define FASHION_MNIST_OPTIONS_H

#include <stdint.h>

typedef struct options {
    int model;           /* of models.h */
    const char *device;  /* NULL: GENESIS_DEVICE, else cpu */
    const char *data;    /* folder of the data set; NULL: where the system has it */
    const char *out;     /* folder of the results */
    const char *eval;    /* file of weights to test; NULL: train */
    const char *predict; /* image file to look at with those weights; NULL: none */
    const char *report;  /* NULL: report.html in out */
    int64_t epochs, batch, seed;
    int64_t limit, test_limit; /* images */
    double lr;
} options;

enum { OPTIONS_GO_ON = -1 };

/* Fills `o` from the command line. Returns OPTIONS_GO_ON, or the exit status with which to end: 0
 * after --help, 2 after a mistake, which it has explained. */
int options_parse(options *o, int argc, char **argv);

#endif
