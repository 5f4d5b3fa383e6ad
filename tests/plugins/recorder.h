/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.h - what tests see of the plugin "recorder", and tell it. Its host_pointer of the block
 * NULL is the one struct of this type.
 */
#ifndef GENESIS_TESTS_RECORDER_H
#define GENESIS_TESTS_RECORDER_H

#include <genesis/backend.h>

typedef struct recorder {
    /* ---- told: what the next calls do */
    uint64_t memory;     /* bytes that `alloc` gives in all; 0: any number */
    gn_status answer;    /* of kernels, synchronise and download */
    uint64_t answer_tag; /* 0: that of the call */
    const char *answer_text;
    uint64_t scratch_bytes;  /* that kernels ask the host for */
    gn_status create_answer; /* of program_create */
    gn_status row_answer;    /* of row_map */
    int fork_in_open;        /* as one that runs a compiler */
    gn_status plan_answer;
    uint64_t workspace_bytes;

    /* ---- seen */
    int opened, closed, shut_down;
    int allocs, frees, maps, reduces, row_maps, scatters, many, many_calls;
    int wraps, unwraps;
    gn_mem *wrapped; /* the last one */
    uint64_t wrapped_bytes;
    int creates, releases, plans, plan_releases, runs, synchronises;
    uint64_t used; /* bytes of `alloc` that were not freed */
    gn_call call;  /* the last one; its pointers point to the copies below */
    int64_t size[GN_MAX_DIMS];
    gn_operand operands[GN_MAX_OPERANDS];
    gn_scatter_call scatter;
    gn_run run;
    gn_pointer run_tensors[4];
    gn_pointer scratch;
    int inside; /* calls that run now */
    int most_inside;
} recorder;

#endif
