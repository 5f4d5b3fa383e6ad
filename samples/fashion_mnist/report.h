/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - the page about a run: curves, confusion matrix, images. Needs nothing but itself. */
#ifndef FASHION_MNIST_REPORT_H
#define FASHION_MNIST_REPORT_H

#include <stdio.h>

#include "options.h"
#include "results.h"

typedef struct report {
    const options *settings;
    gn_module *model;
    gn_dataset *test;
    int64_t train_images;
    const curve *train, *tested;       /* one point in a while; one per epoch */
    const answers *answers;            /* after the last epoch */
    double seconds, images_per_second; /* of training */
    int64_t epochs;                    /* finished */
} report;

gn_status report_write(const report *r, const char *path);

/* ---- Its parts */

typedef enum chart_value { CHART_LOSS, CHART_ACCURACY } chart_value;

/* Both curves of one value as an SVG image (chart.c). */
void chart_write(FILE *out, chart_value value, const curve *train, const curve *tested,
                 double epochs);

/* Images of the data set as one picture, one below the other, for a CSS url() (sheet.c). */
gn_status sheet_write(FILE *out, gn_dataset *dataset, const int64_t *images, int n);

#endif
