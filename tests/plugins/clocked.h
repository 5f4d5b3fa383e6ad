/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clocked.h - what tests see of the plugin "clocked", and tell it. Its host_pointer of the block NULL
 * is the one struct of this type.
 */
#ifndef GENESIS_TESTS_CLOCKED_H
#define GENESIS_TESTS_CLOCKED_H

#include <genesis/backend.h>

/* How long work takes on each of the device's streams, whose clocks stand still otherwise. */
enum { CLOCKED_KERNEL_NS = 1000, CLOCKED_COPY_NS = 100 };

typedef struct clocked {
    gn_status answer; /* told: of event_synchronise */
    uint64_t pause;   /* told: nanoseconds that a stream stands still before each event */
    int events;       /* seen: created and not destroyed */
    int waits;        /* seen: calls of event_synchronise */
} clocked;

#endif
