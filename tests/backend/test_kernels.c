/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kernels.c - tests the kernels of one plugin, whose path is in GENESIS_TEST_PLUGIN.
 *
 * One process, one device, opened once: a device that takes a second to open is opened once, and a
 * driver need not survive fork().
 */
#include "kernel_test.h"

#include <stdlib.h>

/* AddressSanitizer, where it is built in, should answer a huge allocation as malloc does. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

int main(void) {
    TCase *(*const cases[])(void) = {
        contract_cases, op_cases,      cast_cases,   map_cases,      random_cases,   reduce_cases,
        scatter_cases,  network_cases, window_cases, sequence_cases, coverage_cases,
    };
    Suite *suite = suite_create("kernels");
    for (size_t i = 0; i < COUNT(cases); i++) {
        TCase *tcase = cases[i]();
        tcase_add_checked_fixture(tcase, NULL, buffers_free);
        tcase_set_timeout(tcase, 120);
        suite_add_tcase(suite, tcase);
    }
    plugin_load();
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    programs_free();
    plugin_unload();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
