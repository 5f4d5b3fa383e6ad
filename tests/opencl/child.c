/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/opencl/child.h"

#include <genesis/genesis.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int child_failed(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: %s does not hold; the error that sticks: %s\n", file, line, condition,
            gn_error());
    return 1;
}

pid_t child_start(const char *const *variables, int (*run)(void)) {
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child > 0)
        return child;
    for (; *variables; variables++)
        putenv((char *)*variables);
    const int failed = run();
    gn_error_clear();
    gn_shutdown();
    _exit(failed);
}

void child_join(pid_t child) {
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(!WIFSIGNALED(status), "the child ended with signal %d", WTERMSIG(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

void child_run(const char *const *variables, int (*run)(void)) {
    child_join(child_start(variables, run));
}

void child_run_with_fault(const char *fault, int (*run)(void)) {
    char layer[4096], variable[128];
    const char *folder = getenv("GENESIS_TEST_PLUGINS");
    ck_assert_ptr_nonnull(folder);
    snprintf(layer, sizeof layer, "OPENCL_LAYERS=%s/genesis_opencl_faults.so", folder);
    snprintf(variable, sizeof variable, "GENESIS_TEST_OPENCL_FAULT=%s", fault);
    const char *const variables[] = {layer, variable, NULL};
    child_run(variables, run);
}
