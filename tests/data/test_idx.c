/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/data/idx.c. */
#include <stdio.h>
#include <string.h>

#include <genesis/data.h>

#include "tests/suite.h"
#include "tests/temp_dir.h"

static gn_tensor *read_bytes(const char *name, const void *bytes, size_t n) {
    return gn_read_idx(temp_dir_write(name, bytes, n));
}

static const unsigned char matrix[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};

static void expect_matrix(gn_tensor *t) {
    ck_assert_msg(t != NULL, "%s", gn_error());
    ck_assert_int_eq(gn_dtype_of(t), GN_U8);
    ck_assert_int_eq(gn_dim(t), 2);
    ck_assert_int_eq(gn_size(t, 0), 2);
    ck_assert_int_eq(gn_size(t, 1), 3);
    unsigned char values[6];
    ck_assert_int_eq(gn_copy_out(t, values, GN_U8, 6), GN_OK);
    ck_assert_mem_eq(values, matrix + 12, 6);
}

START_TEST(test_plain_and_compressed) {
    expect_matrix(read_bytes("plain", matrix, sizeof matrix));
    expect_matrix(read_bytes("packed.gz", matrix, sizeof matrix));
    rename(temp_dir_path("packed.gz"), temp_dir_path("packed")); /* the suffix does not matter */
    expect_matrix(gn_read_idx(temp_dir_path("packed")));
}
END_TEST

START_TEST(test_dtypes) {
    static const struct {
        unsigned char bytes[24];
        size_t n;
        int dtype;
        double value;
    } cases[] = {
        {{0, 0, 0x08, 1, 0, 0, 0, 1, 200}, 9, GN_U8, 200},
        {{0, 0, 0x09, 1, 0, 0, 0, 1, 200}, 9, GN_I8, -56},
        {{0, 0, 0x0b, 1, 0, 0, 0, 1, 0xff, 0xfe}, 10, GN_I16, -2},
        {{0, 0, 0x0c, 1, 0, 0, 0, 1, 0, 1, 0, 2}, 12, GN_I32, 65538},
        {{0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0}, 12, GN_F32, 1.5},
        {{0, 0, 0x0e, 1, 0, 0, 0, 1, 0xc0, 0x04}, 16, GN_F64, -2.5},
        {{0, 0, 0x08, 0, 7}, 5, GN_U8, 7}, /* without dims: one element */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gn_tensor *t = read_bytes("dtype", cases[i].bytes, cases[i].n);
        ck_assert_msg(t != NULL, "%s", gn_error());
        ck_assert_int_eq(gn_dtype_of(t), cases[i].dtype);
        ck_assert_double_eq(gn_item(t), cases[i].value);
    }
}
END_TEST

START_TEST(test_empty) {
    static const unsigned char bytes[] = {0,   0,   8,   3,   0,   0,   0,   0,
                                          255, 255, 255, 255, 255, 255, 255, 255};
    gn_tensor *t = read_bytes("empty", bytes, sizeof bytes);
    ck_assert_msg(t != NULL, "%s", gn_error());
    ck_assert_int_eq(gn_numel(t), 0);
    ck_assert_int_eq(gn_size(t, 1), 4294967295);
}
END_TEST

static void expect(gn_tensor *t, gn_status status, const char *words) {
    ck_assert_ptr_null(t);
    ck_assert_int_eq(gn_error_status(), status);
    ck_assert_msg(strstr(gn_error(), words) != NULL, "%s", gn_error());
    gn_error_clear();
}

START_TEST(test_damaged) {
    static const struct {
        const char *bytes;
        size_t n;
        const char *words;
    } cases[] = {
        {"", 0, "too early"},
        {"\0\0\x08", 3, "too early"},
        {"\0\0\x08\x02\0\0\0\x02\0\0", 10, "too early"},
        {"\0\0\x08\x01\0\0\0\x04"
         "abc",
         11, "bytes missing: 1"},
        {"\0\0\x08\x01\0\0\0\x02"
         "abc",
         11, "after the last element"},
        {"\0\x01\x08\x01\0\0\0\x01"
         "a",
         9, "no IDX file"},
        {"\0\0\x0a\x01\0\0\0\x01"
         "a",
         9, "no IDX file"},
        {"PK\x03\x04", 4, "no IDX file"},
        {"\0\0\x08\x09", 4, "9 dims"},
        {"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", 12, "can't hold"},
        {"\0\0\x0e\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 20,
         "can't hold"},
        {"\0\0\x08\x01\x7f\xff\xff\xff", 8, "can't hold"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int packed = 0; packed < 2; packed++)
            expect(read_bytes(packed ? "damaged.gz" : "damaged", cases[i].bytes, cases[i].n),
                   GN_E_FORMAT, cases[i].words);
}
END_TEST

/* A gzip'd file that was cut off, or changed, at any place. */
START_TEST(test_damaged_compression) {
    unsigned char bytes[256];
    FILE *file = fopen(temp_dir_write("whole.gz", matrix, sizeof matrix), "rb");
    ck_assert_ptr_nonnull(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t length = 0; length < n; length++)
        ck_assert_ptr_null((gn_error_clear(), read_bytes("cut", bytes, length)));
    gn_error_clear();
    bytes[n - 8] ^= 1; /* its checksum */
    expect(read_bytes("changed", bytes, n), GN_E_FORMAT, "");
}
END_TEST

START_TEST(test_absent) {
    expect(gn_read_idx(temp_dir_path("absent")), GN_E_NOT_FOUND, "No such file");
    expect(gn_read_idx(temp_dir_path("")), GN_E_IO, "not a regular file");
    expect(gn_read_idx(NULL), GN_E_ARGUMENT, "NULL");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_plain_and_compressed, test_dtypes, test_empty, test_damaged,
                            test_damaged_compression,  test_absent, NULL};
    temp_dir_make();
    int status = suite_run("idx", tests);
    temp_dir_remove();
    return status;
}
