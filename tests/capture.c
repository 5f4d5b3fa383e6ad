/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/capture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *stderr_of(void (*print)(void)) {
    static char text[4096];
    char path[] = "/tmp/genesis-test-XXXXXX";
    int file = mkstemp(path), old = dup(STDERR_FILENO);
    ck_assert_int_ge(file, 0);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    print();
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    close(file);
    unlink(path);
    return text;
}
