/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed.h - how fast kernels are: on the device, at a size that fills it, and, as a yardstick, on
 * the reference at a small size. The reference has all kernels: the host composes what it lacks.
 */
#ifndef GENESIS_CONFORM_SPEED_H
#define GENESIS_CONFORM_SPEED_H

#include "../kernels/kernel.h"

/* One of the two devices, and the memory of the case on it. */
typedef struct side {
    const gn_backend *table;
    gn_device *device;
    bool is_reference;
    gn_mem *blocks[80];
    size_t n_blocks;
} side;

/* Measures a kernel on a side: work (bytes or operations) per second; 0 if the device declines. */
typedef double measure(side *s, const void *argument);

/* The subject, measured on both sides, is noted with its rates. */
void measure_both(enum speed_unit unit, measure *m, const void *argument);

/* Memory of one value in every element, which is small, normal and no whole number in each dtype;
 * freed when the side was measured. */
gn_mem *speed_block(side *s, uint64_t bytes);
/* Seconds that one call of `body` takes, when it is called as often as it takes to measure that. */
double seconds_per_call(side *s, gn_status (*body)(side *s, void *argument), void *argument);

int no_speed_or(int n); /* how many cases there are, but with --no-speed */

#endif
