/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.h - what tests tell the layer "fault", and see of it. Its shared object exports the one
 * struct of this type, fault_state; GENESIS_FAULT sets it when the layer is loaded:
 *
 *     GENESIS_FAULT=function=map,n=17,status=memory,late=1,mode=fail
 *
 * function: of the backend's table, or any (the default). n: which call of it, from 1, the default.
 * status: GN_E_* in lower case, device if not said. mode: see FAULT_MODES, the first if not said.
 * In any mode but the first, the n-th call and all that follow misbehave.
 */
#ifndef GENESIS_TESTS_FAULT_H
#define GENESIS_TESTS_FAULT_H

#include <genesis/backend.h>

/* The functions that can fail. Columns: name, whether it enqueues work and so may fail late. */
#define FAULT_FUNCTIONS(X)                                                                         \
    X(alloc, 0)                                                                                    \
    X(wrap, 0)                                                                                     \
    X(memory_info, 0)                                                                              \
    X(upload, 1)                                                                                   \
    X(download, 0)                                                                                 \
    X(map, 1)                                                                                      \
    X(reduce, 1)                                                                                   \
    X(scatter, 1)                                                                                  \
    X(row_map, 1)                                                                                  \
    X(map_many, 1)                                                                                 \
    X(program_create, 0)                                                                           \
    X(plan, 0)                                                                                     \
    X(run, 1)                                                                                      \
    X(stream_create, 0)                                                                            \
    X(synchronise, 0)                                                                              \
    X(event_create, 0)                                                                             \
    X(event_record, 1)                                                                             \
    X(event_wait, 1)                                                                               \
    X(event_synchronise, 0)                                                                        \
    X(event_elapsed, 0)

enum {
#define X(name, enqueues) FAULT_##name,
    FAULT_FUNCTIONS(X)
#undef X
        FAULT_any,
    N_FAULT_FUNCTIONS = FAULT_any
};

/* Columns: name, what the call does. */
#define FAULT_MODES(X)                                                                             \
    X(fail, "answers the status")                                                                  \
    X(crash, "SIGSEGV")                                                                            \
    X(hang, "never returns")                                                                       \
    X(leak, "loses 1000 bytes of the host and 4096 of the device")                                 \
    X(lie, "a kernel with a float64 in it: GN_E_UNSUPPORTED")                                      \
    X(wrong, "a kernel: changes a bit of the first element that it wrote")                         \
    X(overrun, "a kernel: changes the element behind the last one that it wrote")

enum {
#define X(name, does) FAULT_MODE_##name,
    FAULT_MODES(X)
#undef X
        N_FAULT_MODES
};

typedef struct fault {
    /* ---- told */
    int function; /* FAULT_* */
    uint64_t n;   /* 0: never */
    gn_status status;
    /* A call that enqueues works, and answers GN_OK; the next download or synchronise of its stream
     * fails, with its tag. */
    int late;
    int mode;

    /* ---- seen */
    uint64_t calls[N_FAULT_FUNCTIONS + 1]; /* the last one: of all functions */
    uint64_t struck;                       /* calls that were made to fail or misbehave */
    int last_struck;                       /* FAULT_* */
    int blocks, programs, plans, streams, events, devices; /* not given back yet */
} fault;

/* Tells it what to do, and begins to count calls. */
static inline void fault_tell(fault *told, fault how) {
    how.blocks = told->blocks;
    how.programs = told->programs;
    how.plans = told->plans;
    how.streams = told->streams;
    how.events = told->events;
    how.devices = told->devices;
    *told = how;
}

#endif
