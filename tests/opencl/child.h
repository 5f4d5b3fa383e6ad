/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - runs a test in a process of its own. The environment tells the OpenCL backend at its
 * first use which devices it finds and what they can do, so each answer needs a new process; the
 * one that starts them never uses OpenCL.
 */
#ifndef GENESIS_TESTS_OPENCL_CHILD_H
#define GENESIS_TESTS_OPENCL_CHILD_H

#include <sys/types.h>

/* Starts one, with variables set: {"NAME=value", .., NULL}. The function says by EXPECT what is
 * wrong, and returns 0. */
pid_t child_start(const char *const *variables, int (*run)(void));

/* Waits for it; asserts that nothing was wrong. */
void child_join(pid_t child);

/* Both. */
void child_run(const char *const *variables, int (*run)(void));

/* "GENESIS_TEST_OPENCL_FAULT=.." and the loader's variable for tests/plugins/opencl_faults.c. */
void child_run_with_fault(const char *fault, int (*run)(void));

/* In a child: prints the condition and leaves the function, if it does not hold. */
#define EXPECT(condition)                                                                          \
    do                                                                                             \
        if (!(condition))                                                                          \
            return child_failed(__FILE__, __LINE__, #condition);                                   \
    while (0)
int child_failed(const char *file, int line, const char *condition);

#endif
