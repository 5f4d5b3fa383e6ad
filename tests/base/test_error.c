/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/base/error.c, log.c, memory.c and settings.c. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/internal.h"
#include "tests/capture.h"
#include "tests/suite.h"

START_TEST(test_names) {
    ck_assert_str_eq(gn_status_name(GN_OK), "GN_OK");
    ck_assert_str_eq(gn_status_name(GN_E_INDEX), "GN_E_INDEX");
    ck_assert_str_eq(gn_status_text(GN_E_INDEX), "index out of range");
    ck_assert_str_eq(gn_status_name(-99), "unknown status");
    ck_assert_str_eq(gn_status_text(7), "unknown status");
}
END_TEST

START_TEST(test_first_error_sticks) {
    ck_assert_int_eq(gn_error_status(), GN_OK);
    ck_assert_str_eq(gn_error(), "");
    ck_assert(!gn__failed());
    ck_assert_int_eq(gn_fail(GN_E_INDEX, "gather", "index %d of %d", 7, 5), GN_E_INDEX);
    ck_assert(gn__failed());
    ck_assert_str_eq(gn_error(), "gather: index 7 of 5");
    ck_assert_int_eq(gn_fail(GN_E_MEMORY, "add", "later"), GN_E_INDEX);
    ck_assert_str_eq(gn_error(), "gather: index 7 of 5");
    ck_assert_int_eq(gn_set_num_threads(2), GN_E_INDEX);
    gn_error_clear();
    ck_assert_int_eq(gn_error_status(), GN_OK);
    ck_assert_str_eq(gn_error(), "");
    ck_assert_ptr_null(gn__fail_null(GN_E_IO, NULL, "no op"));
    ck_assert_str_eq(gn_error(), "no op");
}
END_TEST

START_TEST(test_status_that_is_none) {
    ck_assert_int_eq(gn_fail(GN_OK, "op", "text"), GN_E_INTERNAL);
}
END_TEST

START_TEST(test_long_message_is_cut) {
    char op[3000];
    memset(op, 'o', sizeof op - 1);
    op[sizeof op - 1] = '\0';
    gn_fail(GN_E_IO, op, "text");
    ck_assert_uint_lt(strlen(gn_error()), sizeof gn__self()->message);
    gn_error_clear();
    gn_fail(GN_E_IO, "op", "%s", op);
    ck_assert_uint_lt(strlen(gn_error()), sizeof gn__self()->message);
    ck_assert_int_eq(strncmp(gn_error(), "op: ooo", 7), 0);
}
END_TEST

static void *fail_in_thread(void *seen) {
    *(gn_status *)seen = gn_error_status();
    gn_fail(GN_E_LOST, "other", "thread");
    return NULL;
}

START_TEST(test_errors_belong_to_threads) {
    pthread_t thread;
    gn_status seen = GN_E_INTERNAL;
    gn_fail(GN_E_FORMAT, "this", "thread");
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_in_thread, &seen), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(seen, GN_OK);
    ck_assert_int_eq(gn_error_status(), GN_E_FORMAT);
}
END_TEST

static void print_error(void) { gn_perror("prog"); }
static void print_error_bare(void) { gn_perror(NULL); }

START_TEST(test_perror) {
    ck_assert_str_eq(stderr_of(print_error), "");
    gn_fail(GN_E_IO, "load", "no such file");
    ck_assert_str_eq(stderr_of(print_error), "prog: load: no such file\n");
    ck_assert_str_eq(stderr_of(print_error_bare), "load: no such file\n");
}
END_TEST

static void log_all(void) {
    for (int level = GN_LOG_ERROR; level <= GN__LOG_FALLBACK; level++)
        gn__log(level, "%d", level);
    gn__log(77, "no level");
    gn__log(-1, "no level");
}

static const char *log_with(const char *variable) {
    if (variable)
        setenv("GENESIS_LOG", variable, 1);
    else
        unsetenv("GENESIS_LOG");
    gn__log_reset();
    const char *text = stderr_of(log_all);
    unsetenv("GENESIS_LOG");
    gn__log_reset();
    return text;
}

START_TEST(test_log) {
    ck_assert_str_eq(log_with(NULL), "");
    ck_assert_str_eq(log_with(""), "");
    ck_assert_str_eq(log_with("nonsense,,warn"), "");
    ck_assert_str_eq(log_with("error"), "genesis: error: 0\n");
    ck_assert_str_eq(log_with("fallback"), "genesis: fallback: 4\n");
    ck_assert_str_eq(log_with("info,fallback"), "genesis: error: 0\ngenesis: warning: 1\n"
                                                "genesis: info: 2\ngenesis: fallback: 4\n");
    ck_assert_str_eq(log_with("debug"), "genesis: error: 0\ngenesis: warning: 1\n"
                                        "genesis: info: 2\ngenesis: debug: 3\n");
}
END_TEST

START_TEST(test_shape_text) {
    int64_t size[GN_TENSOR_MAX_DIMS] = {32, 3, 224, 224};
    ck_assert_str_eq(gn__shape_text(4, size), "(32, 3, 224, 224)");
    ck_assert_str_eq(gn__shape_text(1, size), "(32)");
    ck_assert_str_eq(gn__shape_text(0, NULL), "()");
    const char *first = gn__shape_text(2, size);
    for (int i = 0; i < GN__SHAPE_TEXTS - 1; i++)
        gn__shape_text(1, size);
    ck_assert_str_eq(first, "(32, 3)");
    for (int d = 0; d < GN_TENSOR_MAX_DIMS; d++)
        size[d] = INT64_MIN;
    ck_assert_uint_eq(strlen(gn__shape_text(GN_TENSOR_MAX_DIMS, size)),
                      GN_TENSOR_MAX_DIMS * 20 + (GN_TENSOR_MAX_DIMS - 1) * 2 + 2);
    ck_assert_str_eq(gn__shape_text(99, size), "(99 dims)");
}
END_TEST

START_TEST(test_memory) {
    const size_t sizes[] = {0, 1, 100, 4096, 1 << 20};
    for (size_t i = 0; i < GN_LENGTH(sizes); i++) {
        char *zeros = gn__alloc(sizes[i]);
        ck_assert_ptr_nonnull(zeros);
        for (size_t k = 0; k < sizes[i]; k++)
            ck_assert_int_eq(zeros[k], 0);
        free(zeros);
    }
    ck_assert_ptr_null(gn__alloc_array(SIZE_MAX / 2, 3));
    ck_assert_int_eq(gn_error_status(), GN_E_MEMORY);
    gn_error_clear();
    int64_t out;
    ck_assert(!gn__mul(INT64_MAX, 2, &out));
    ck_assert(gn__mul(1 << 20, 1 << 20, &out) && out == INT64_C(1) << 40);
    ck_assert(!gn__add(INT64_MAX, 1, &out));
    int *array = NULL;
    size_t capacity = 0;
    for (size_t n = 0; n < 1000; n++) {
        ck_assert_int_eq(gn__grow((void **)&array, &capacity, n, sizeof *array), GN_OK);
        ck_assert_uint_gt(capacity, n);
        array[n] = (int)n;
    }
    ck_assert_int_eq(array[0], 0);
    ck_assert_int_eq(array[999], 999);
    ck_assert_int_eq(gn__grow((void **)&array, &capacity, SIZE_MAX / 2, sizeof *array),
                     GN_E_MEMORY);
    free(array);
    gn_error_clear();
    char *copy = gn__strdup("text");
    ck_assert_str_eq(copy, "text");
    free(copy);
}
END_TEST

START_TEST(test_settings) {
    ck_assert_str_eq(gn_version(), "0.1.0");
    int standard = gn_num_threads();
    ck_assert_int_ge(standard, 1);
    ck_assert_int_eq(gn_set_num_threads(3), GN_OK);
    ck_assert_int_eq(gn_num_threads(), 3);
    ck_assert_int_eq(gn_set_num_threads(0), GN_E_ARGUMENT);
    ck_assert_int_eq(gn_num_threads(), 3);
    gn_error_clear();
    gn_set_num_threads(standard);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_names,
                            test_first_error_sticks,
                            test_status_that_is_none,
                            test_long_message_is_cut,
                            test_errors_belong_to_threads,
                            test_perror,
                            test_log,
                            test_shape_text,
                            test_memory,
                            test_settings,
                            NULL};
    return suite_run("error", tests);
}
