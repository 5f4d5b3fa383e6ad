/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.h - a loader and how its batches are made. Every batch of an epoch has a number; batch t
 * goes through slot t % n_slots. Threads take the numbers in order, gn_next hands out in order.
 */
#ifndef GENESIS_LOADER_H
#define GENESIS_LOADER_H

#include "data.h"

/* A batch on its way to gn_next; of size 0 without an error: the epoch's end. */
typedef struct gn__slot {
    gn_sample batch; /* retained */
    int64_t size;    /* samples */
    bool ready;
    gn_status status; /* with a message, if it could not be made */
    char message[1024];
} gn__slot;

struct gn_loader {
    gn__object object;
    gn_dataset *dataset;
    gn_sampler *sampler; /* NULL: the data set is iterable */
    gn_generator *generator;
    gn_collate *collate;
    void *collate_context;
    char *device; /* where batches go; NULL: the default device */
    int64_t batch;
    bool drop_last;
    gn_sample given; /* the batch that the user has */

    /* The epoch: set while no thread works. */
    bool begun;
    bool drained;        /* an iterable set has come to its end; its one thread's */
    int64_t *order;      /* indices of the samples */
    int64_t key, offset; /* what the generators of the samples are made from */

    /* Under `lock`, once there are threads. */
    pthread_mutex_t lock;
    pthread_cond_t work, news; /* for threads: a slot is free; for gn_next: one is ready */
    int64_t n_slots, taken, handed;
    int busy;         /* threads that make a batch */
    bool ended, stop; /* no more numbers are to be taken; threads are to end */
    gn__slot *slots;
    pthread_t *threads;             /* NULL: not started */
    int n_threads;                  /* that are to be, or that run */
    struct gn_loader *next_running; /* workers.c */
};

/* Makes batch t into a slot; never fails but through the slot. Leaves the thread's error as it was:
 * none. */
void gn__loader_make(gn_loader *self, int64_t t, gn__slot *slot);

/* Starts the threads. */
gn_status gn__workers_start(gn_loader *self);
/* Ends them, if they run. */
void gn__workers_stop(gn_loader *self);
/* Waits until none makes a batch, and lets none begin. */
void gn__workers_pause(gn_loader *self);
/* Lets them begin with batch 0. */
void gn__workers_resume(gn_loader *self);
/* Waits for the next slot. */
gn__slot *gn__workers_wait(gn_loader *self);
/* Says that the slot was emptied. */
void gn__workers_next(gn_loader *self);

#endif
