/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/base/scope.c and object.c. */
#include <pthread.h>
#include <stdlib.h>

#include "base/internal.h"
#include "tests/suite.h"

/* An object that writes its number down when it is destroyed, and may hold another one. */
typedef struct probe {
    gn__object object;
    int number;
    struct probe *next;
} probe;

enum { MAX_GONE = 64, CHAIN = 1000000 };
static int gone[MAX_GONE];
static atomic_int n_gone;
static bool scope_inside; /* whether destroying opens a scope and owns an object there */

static void destroy_probe(void *object) {
    probe *p = object;
    int n = atomic_fetch_add(&n_gone, 1);
    if (n < MAX_GONE)
        gone[n] = p->number;
    if (scope_inside) {
        scope_inside = false;
        gn_scope scope = gn_scope_begin();
        static const gn__kind kind = {"inner", free};
        gn__own(gn__object_new(&kind, sizeof(gn__object)));
        gn_scope_end(scope);
    }
    gn_release(p->next);
    free(p);
}

static probe *make(int number, probe *next) {
    static const gn__kind kind = {"probe", destroy_probe};
    probe *p = gn__object_new(&kind, sizeof *p);
    ck_assert_ptr_nonnull(p);
    p->number = number;
    p->next = next;
    return p;
}

static void expect_gone(int n, const int *numbers) {
    ck_assert_int_eq(n_gone, n);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(gone[i], numbers[i]);
    n_gone = 0;
}

START_TEST(test_references) {
    probe *p = make(1, NULL);
    ck_assert_ptr_eq(gn_retain(p), p);
    gn_release(p);
    ck_assert_int_eq(n_gone, 0);
    gn_release(p);
    expect_gone(1, (int[]){1});
    ck_assert_ptr_null(gn_retain(NULL));
    gn_release(NULL);
}
END_TEST

START_TEST(test_reverse_order) {
    gn_scope scope = gn_scope_begin();
    for (int i = 0; i < 5; i++)
        gn__own(make(i, NULL));
    ck_assert_int_eq(gn_scope_end(scope), GN_OK);
    expect_gone(5, (int[]){4, 3, 2, 1, 0});
    ck_assert_ptr_null(gn__own(NULL));
}
END_TEST

START_TEST(test_nested) {
    gn_scope outer = gn_scope_begin();
    gn__own(make(1, NULL));
    gn_scope inner = gn_scope_begin();
    probe *kept = gn_retain(gn__own(make(2, NULL)));
    gn__own(make(3, NULL));
    ck_assert_int_eq(gn_scope_end(inner), GN_OK);
    expect_gone(1, (int[]){3});
    gn_scope_begin(); /* never ended: the outer scope ends it */
    gn__own(make(4, NULL));
    ck_assert_int_eq(gn_scope_end(outer), GN_OK);
    expect_gone(2, (int[]){4, 1});
    gn_release(kept);
    expect_gone(1, (int[]){2});
}
END_TEST

START_TEST(test_end_with) {
    gn_scope outer = gn_scope_begin(), inner = gn_scope_begin();
    gn__own(make(1, NULL));
    probe *result = gn__own(make(2, NULL));
    gn__own(make(3, NULL));
    ck_assert_ptr_eq(gn_scope_end_with(inner, result), result);
    expect_gone(2, (int[]){3, 1});
    inner = gn_scope_begin();
    ck_assert_ptr_null(gn_scope_end_with(inner, NULL));
    gn_scope_end(outer);
    expect_gone(1, (int[]){2});
}
END_TEST

START_TEST(test_ended_twice) {
    gn_scope outer = gn_scope_begin(), inner = gn_scope_begin();
    gn__own(make(1, NULL));
    gn_scope_end(inner);
    expect_gone(1, (int[]){1});
    gn__own(make(2, NULL));
    ck_assert_int_eq(gn_scope_end(inner), GN_E_STATE);
    ck_assert_int_eq(n_gone, 0);
    ck_assert_int_eq(gn_scope_end(outer), GN_E_STATE); /* the error sticks, the scope ends */
    expect_gone(1, (int[]){2});
    gn_error_clear();
    ck_assert_int_eq(gn_scope_end((gn_scope){0, 0}), GN_E_STATE);
}
END_TEST

START_TEST(test_works_while_an_error_sticks) {
    gn_scope scope = gn_scope_begin();
    gn_fail(GN_E_IO, "test", "sticks");
    gn_scope inner = gn_scope_begin();
    gn__own(make(1, NULL));
    probe *p = gn_retain(gn__own(make(2, NULL)));
    gn_release(p);
    ck_assert_int_eq(gn_scope_end(inner), GN_E_IO);
    ck_assert_int_eq(gn_scope_end(scope), GN_E_IO);
    expect_gone(2, (int[]){2, 1});
}
END_TEST

START_TEST(test_long_chain_needs_no_stack) {
    probe *head = NULL;
    for (int i = 0; i < CHAIN; i++)
        head = make(i, head);
    gn_release(head);
    ck_assert_int_eq(n_gone, CHAIN);
    n_gone = 0;
}
END_TEST

START_TEST(test_scope_while_destroying) {
    scope_inside = true;
    gn_scope scope = gn_scope_begin();
    gn__own(make(1, NULL));
    gn__own(make(2, make(3, NULL)));
    gn_scope_end(scope);
    expect_gone(3, (int[]){2, 3, 1});
}
END_TEST

static void *own_in_root(void *object) {
    gn__own(make(5, NULL));
    gn__own(gn_retain(object));
    gn_scope_begin();
    gn__own(make(6, NULL));
    return NULL;
}

START_TEST(test_root_scope_ends_with_the_thread) {
    pthread_t thread;
    probe *shared = make(7, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, own_in_root, shared), 0);
    pthread_join(thread, NULL);
    expect_gone(2, (int[]){6, 5});
    gn_release(shared);
    expect_gone(1, (int[]){7});
}
END_TEST

static void *retain_and_release(void *object) {
    for (int i = 0; i < 20000; i++) {
        gn_retain(object);
        gn_release(object);
    }
    gn_release(object);
    return NULL;
}

START_TEST(test_references_of_many_threads) {
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    probe *shared = make(1, NULL);
    for (int i = 0; i < THREADS; i++) {
        gn_retain(shared);
        ck_assert_int_eq(pthread_create(&thread[i], NULL, retain_and_release, shared), 0);
    }
    gn_release(shared);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    expect_gone(1, (int[]){1});
}
END_TEST

START_TEST(test_thread_free_can_be_repeated) {
    gn__own(make(1, NULL));
    gn__thread_free();
    expect_gone(1, (int[]){1});
    gn__thread_free();
    ck_assert_int_eq(gn_error_status(), GN_OK);
    gn__own(make(2, NULL));
    gn__thread_free();
    expect_gone(1, (int[]){2});
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_references,
                            test_reverse_order,
                            test_nested,
                            test_end_with,
                            test_ended_twice,
                            test_works_while_an_error_sticks,
                            test_long_chain_needs_no_stack,
                            test_scope_while_destroying,
                            test_root_scope_ends_with_the_thread,
                            test_references_of_many_threads,
                            test_thread_free_can_be_repeated,
                            NULL};
    return suite_run("scope", tests);
}
