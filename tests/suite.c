/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include <genesis/base.h>

#include "suite.h"

enum { SECONDS_PER_TEST = 300 };

static void print_names(const TTest *const *tests) {
    for (; *tests; tests++)
        puts((*tests)->name);
}

int suite_run(const char *name, const TTest *const *tests) {
    if (getenv("GENESIS_TEST_LIST")) {
        print_names(tests);
        gn_shutdown();
        return 0;
    }
    Suite *suite = suite_create(name);
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, SECONDS_PER_TEST);
    tcase_add_checked_fixture(all, gn_error_clear, NULL);
    for (; *tests; tests++)
        tcase_add_test(all, *tests);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    gn_shutdown();
    return failed != 0;
}
