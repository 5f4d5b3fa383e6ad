/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/base/table.c. */
#include <stdlib.h>
#include <string.h>

#include "base/internal.h"
#include "tests/suite.h"

START_TEST(test_empty) {
    gn__table *table = gn__table_new();
    ck_assert_ptr_nonnull(table);
    ck_assert_ptr_null(gn__table_get(table, "key", 3));
    gn__table_free(table, free);
    gn__table_free(NULL, free);
}
END_TEST

START_TEST(test_set_and_get) {
    gn__table *table = gn__table_new();
    int a = 1, b = 2;
    ck_assert_int_eq(gn__table_set(table, "one", 3, &a), GN_OK);
    ck_assert_int_eq(gn__table_set(table, "one", 4, &b), GN_OK); /* with its zero: another key */
    ck_assert_ptr_eq(gn__table_get(table, "one", 3), &a);
    ck_assert_ptr_eq(gn__table_get(table, "one", 4), &b);
    ck_assert_int_eq(gn__table_set(table, "one", 3, &b), GN_OK);
    ck_assert_ptr_eq(gn__table_get(table, "one", 3), &b);
    ck_assert_ptr_null(gn__table_get(table, "on", 2));
    ck_assert_int_eq(gn__table_set(table, "", 0, &a), GN_OK);
    ck_assert_ptr_eq(gn__table_get(table, "", 0), &a);
    gn__table_free(table, NULL);
}
END_TEST

START_TEST(test_keys_are_copied) {
    gn__table *table = gn__table_new();
    char key[] = "abc";
    int value;
    gn__table_set(table, key, 3, &value);
    key[0] = 'x';
    ck_assert_ptr_eq(gn__table_get(table, "abc", 3), &value);
    ck_assert_ptr_null(gn__table_get(table, key, 3));
    gn__table_free(table, NULL);
}
END_TEST

typedef struct order {
    int next;
    bool right;
} order;

static void check_order(void *value, void *context) {
    order *o = context;
    o->right = o->right && *(int *)value == o->next;
    o->next++;
}

START_TEST(test_many) {
    enum { N = 20000 };
    gn__table *table = gn__table_new();
    int *values = malloc(N * sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int i = 0; i < N; i++) {
        int64_t key[3] = {i, -i, i % 7};
        values[i] = i;
        ck_assert_int_eq(gn__table_set(table, key, sizeof key, &values[i]), GN_OK);
    }
    for (int i = 0; i < N; i++) {
        int64_t key[3] = {i, -i, i % 7};
        ck_assert_ptr_eq(gn__table_get(table, key, sizeof key), &values[i]);
    }
    order o = {0, true};
    gn__table_each(table, check_order, &o);
    ck_assert(o.right);
    ck_assert_int_eq(o.next, N);
    gn__table_free(table, NULL);
    free(values);
}
END_TEST

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Hashes of all lengths, and of all single bits set, differ. */
START_TEST(test_hash) {
    enum { BYTES = 70, N = BYTES + BYTES * 8 };
    static uint64_t hashes[N];
    unsigned char bytes[BYTES] = {0};
    int n = 0;
    for (size_t length = 0; length < BYTES; length++)
        hashes[n++] = gn__hash(bytes, length, 0);
    for (int bit = 0; bit < BYTES * 8; bit++) {
        memset(bytes, 0, sizeof bytes);
        bytes[bit / 8] = (unsigned char)(1 << bit % 8);
        hashes[n++] = gn__hash(bytes, sizeof bytes, 0);
    }
    ck_assert_int_eq(n, N);
    qsort(hashes, N, sizeof *hashes, compare);
    for (int i = 1; i < N; i++)
        ck_assert(hashes[i] != hashes[i - 1]);
    uint64_t words[12], exchanged[12]; /* all exchanges of two words, too */
    for (size_t i = 0; i < GN_LENGTH(words); i++)
        words[i] = i * i + 1;
    const uint64_t hash = gn__hash(words, sizeof words, 0);
    for (size_t i = 0; i < GN_LENGTH(words); i++)
        for (size_t j = 0; j < i; j++) {
            memcpy(exchanged, words, sizeof words);
            exchanged[i] = words[j];
            exchanged[j] = words[i];
            ck_assert(gn__hash(exchanged, sizeof exchanged, 0) != hash);
        }
    ck_assert(gn__hash("a", 1, 0) != gn__hash("a", 1, 1));
    ck_assert(gn__hash("a", 1, 5) == gn__hash("a", 1, 5));
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_empty, test_set_and_get, test_keys_are_copied,
                            test_many,  test_hash,        NULL};
    return suite_run("table", tests);
}
