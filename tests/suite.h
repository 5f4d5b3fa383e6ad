/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite.h - runs the tests of a program: one suite, one case, the library shut down at the end.
 *
 *     int main(void) {
 *         const TTest *tests[] = {test_name, test_status, NULL};
 *         return suite_run("error", tests);
 *     }
 */
#ifndef GENESIS_TESTS_SUITE_H
#define GENESIS_TESTS_SUITE_H

#include <check.h>

/* Runs `tests`, which ends with NULL. Every test begins without an error. Returns main's value. With
 * GENESIS_TEST_LIST in the environment it only prints their names. */
int suite_run(const char *name, const TTest *const *tests);

#endif
