/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - shows how a training goes: one line that is redrawn on a terminal, a few plain lines
 * per epoch elsewhere.
 */
#ifndef FASHION_MNIST_PROGRESS_H
#define FASHION_MNIST_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool terminal, utf8;
    int64_t epoch, epochs; /* epoch counts from 1 */
    int64_t epoch_images;  /* images in an epoch */
    int64_t images;        /* done in this epoch */
    int64_t images_before; /* done in the epochs before */
    double seconds_before; /* of training in the epochs before */
    double started;        /* when this epoch began */
    double drawn;          /* when the line was drawn last */
    int quarters;          /* plain lines printed in this epoch */
    double loss, accuracy; /* latest */
} progress;

/* Seconds of a clock that never jumps. */
double progress_clock(void);

/* Looks at stdout. */
progress progress_start(int64_t epochs, int64_t epoch_images);
void progress_epoch(progress *p); /* begins the next epoch */
void progress_values(progress *p, double loss, double accuracy);
void progress_images(progress *p, int64_t more); /* so many more images are done */
void progress_epoch_end(progress *p);            /* clears the line */

/* Training only, over all epochs so far. */
double progress_seconds(const progress *p);
double progress_images_per_second(const progress *p);

/* "1,234,567" in a ring of buffers, good for the next few calls. */
const char *progress_grouped(int64_t number);
/* "1:02:03", "2:03". The same. */
const char *progress_duration(double seconds);

#endif
