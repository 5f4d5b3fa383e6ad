/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/io/npy.c, npz.c and zip_*.c: files of NumPy, damaged ones, archives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <genesis/genesis.h>

#include "io/zip.h"
#include "tests/expect.h"
#include "tests/files.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

/* ---- From NumPy, and back */

START_TEST(test_from_numpy) {
    gn_dict *dict = must_load(fixture_path("numpy.npz")); /* compressed */
    ck_assert_int_eq(gn_dict_size(dict), 4);
    gn_tensor *zeros = gn_dict_get(dict, "zeros");
    ck_assert_int_eq(gn_dtype_of(zeros), GN_F64);
    ck_assert_int_eq(gn_size(zeros, 0), 100);
    ck_assert_double_eq(gn_item(gn_sum(zeros)), 0);
    EXPECT_VALUES(gn_dict_get(dict, "half"), 0, 0.5, -2);
    EXPECT_VALUES(gn_dict_get(dict, "mask"), 0, 1, 0);
    ck_assert_int_eq(gn_dtype_of(gn_dict_get(dict, "mask")), GN_BOOL);
    ck_assert_int_eq(gn_item_int(gn_dict_get(dict, "scalar")), -(INT64_C(1) << 40));
    dict = must_load(fixture_path("numpy.npy")); /* in Fortran's order */
    ck_assert_int_eq(gn_size(gn_dict_get(dict, "tensor"), 1), 3);
    EXPECT_VALUES(gn_dict_get(dict, "tensor"), 0, 0, 1, 2, 3, 4, 5);
}
END_TEST

static const int dtypes[] = {GN_BOOL, GN_U8, GN_I8, GN_I16, GN_I32, GN_I64, GN_F16, GN_F32, GN_F64};
enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

START_TEST(test_round_trip) {
    gn_dict *dict = gn_dict_new();
    const float values[6] = {0, 1, 2, 3, 100, 127};
    for (int i = 0; i < N_DTYPES; i++)
        gn_dict_set(dict, gn_dtype_name(dtypes[i]),
                    gn_tensor_from(values, GN_F32, GN_SHAPE(3, 2), GN_AS(.dtype = dtypes[i])));
    gn_dict_set(dict, "scalar", gn_scalar_tensor(-7, NULL));
    gn_dict_set(dict, "empty", gn_zeros(0, 5));
    gn_dict_set(dict, "eight", gn_zeros(1, 2, 1, 1, 1, 1, 1, 1));
    gn_dict_set(dict, "transposed", gn_t(gn_dict_get(dict, "float32")));
    const char *path = temp_dir_path("all.npz");
    ck_assert_msg(gn_save(dict, path) == GN_OK, "%s", gn_error());
    gn_dict *loaded = must_load(path);
    ck_assert_int_eq(gn_dict_size(loaded), gn_dict_size(dict));
    for (int64_t i = 0; i < gn_dict_size(dict); i++) {
        gn_tensor *a = gn_dict_tensor(dict, i), *b = gn_dict_get(loaded, gn_dict_name(dict, i));
        ck_assert_int_eq(gn_dtype_of(a), gn_dtype_of(b));
        ck_assert_msg(gn_equal(a, b), "%s", gn_dict_name(dict, i));
    }
    gn_dict *one = gn_dict_new();
    gn_dict_set(one, "of any name", gn_dict_get(dict, "transposed"));
    ck_assert_int_eq(gn_save(one, temp_dir_path("one.npy")), GN_OK);
    ck_assert(gn_equal(gn_dict_get(must_load(temp_dir_path("one.npy")), "tensor"),
                       gn_dict_get(dict, "transposed")));
}
END_TEST

START_TEST(test_unfit_to_save) {
    gn_dict *dict = gn_dict_new();
    int files = temp_dir_count();
    gn_save(dict, temp_dir_path("none.npy"));
    expect_error_with(GN_E_UNSUPPORTED, "exactly one");
    gn_dict_set(dict, "brain", gn_zeros_with(GN_SHAPE(2), GN_AS(.dtype = GN_BF16)));
    gn_save(dict, temp_dir_path("brain.npz"));
    expect_error_with(GN_E_UNSUPPORTED, "brain is bfloat16");
    gn_save(dict, temp_dir_path("brain.npy"));
    expect_error_with(GN_E_UNSUPPORTED, "brain is bfloat16");
    gn_dict_set(dict, "epoch", 3);
    gn_save(dict, temp_dir_path("epoch.npz"));
    expect_error_with(GN_E_UNSUPPORTED, "\"epoch\" is no tensor");
    gn_save(dict, temp_dir_path("epoch.npy"));
    expect_error_with(GN_E_UNSUPPORTED, "\"epoch\" is no tensor");
    gn_save(dict, temp_dir_path("epoch.safetensors"));
    expect_error_with(GN_E_UNSUPPORTED, "\"epoch\" is no tensor");
    ck_assert_int_eq(temp_dir_count(), files);
}
END_TEST

/* ---- Hostile headers of .npy */

static const char *write_npy(const char *header, size_t data_bytes) {
    char bytes[1024] = "\x93NUMPY\1";
    size_t n = strlen(header);
    bytes[8] = (char)n;
    memcpy(bytes + 10, header, n);
    return temp_dir_write("hostile.npy", bytes, 10 + n + data_bytes);
}

#define HEADER(descr, order, shape)                                                                \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

START_TEST(test_hostile_headers) {
    static const struct {
        const char *header;
        gn_status status;
        const char *words;
    } cases[] = {
        {"", GN_E_FORMAT, "no dictionary"},
        {"{", GN_E_FORMAT, "no string"},
        {"{}", GN_E_FORMAT, "must have descr"},
        {"{'descr': '<f4'}", GN_E_FORMAT, "must have descr"},
        {"{'descr': '<f4', 'descr': '<f4'}", GN_E_FORMAT, "each once"},
        {"{'other': 1}", GN_E_FORMAT, "must have descr"},
        {HEADER("'<f4'", "False", "(1,)") "x", GN_E_FORMAT, "more than a dictionary"},
        {"{'descr': '<f4", GN_E_FORMAT, "too long"},
        {HEADER("4", "False", "(1,)"), GN_E_FORMAT, "no string"},
        {HEADER("'<f4'", "Maybe", "(1,)"), GN_E_FORMAT, "neither True nor False"},
        {HEADER("'<f4'", "False", "1"), GN_E_FORMAT, "no tuple"},
        {HEADER("'<f4'", "False", "(1"), GN_E_FORMAT, "no whole number"},
        {HEADER("'<f4'", "False", "(-1,)"), GN_E_FORMAT, "no whole number"},
        {HEADER("'<f4'", "False", "(1.0,)"), GN_E_FORMAT, "no tuple of numbers"},
        {HEADER("'<f4'", "False", "(99999999999999999999,)"), GN_E_FORMAT, "no whole number"},
        {HEADER("'<f4'", "False", "(4294967296, 4294967296)"), GN_E_FORMAT, "do not fit"},
        {HEADER("'<f4'", "False", "(9223372036854775807,)"), GN_E_FORMAT, "do not fit"},
        {HEADER("'<f4'", "False", "(2,)"), GN_E_FORMAT, "do not fit"},
        {HEADER("'<f4'", "False", "(0,)"), GN_E_FORMAT, "do not fit"},
        {HEADER("'|O'", "False", "(1,)"), GN_E_UNSUPPORTED, "no dtype '|O'"},
        {HEADER("'>f4'", "False", "(1,)"), GN_E_UNSUPPORTED, "big-endian"},
        {HEADER("[('a', '<f4')]", "False", "(1,)"), GN_E_UNSUPPORTED, "several fields"},
        {HEADER("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), GN_E_UNSUPPORTED, "8 dims"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(gn_load(write_npy(cases[i].header, 4), NULL) == NULL, "%s", cases[i].header);
        expect_error_with(cases[i].status, cases[i].words);
    }
    ck_assert_ptr_nonnull(must_load(write_npy(HEADER("'<f4'", "True", "(1,)"), 4)));
    ck_assert_ptr_nonnull(must_load(write_npy(HEADER("\"=i2\"", "False", "( 2 ,1 )"), 4)));
    ck_assert_ptr_nonnull(must_load(write_npy(HEADER("'<u1'", "False", "()") "  \n", 1)));
}
END_TEST

START_TEST(test_damaged_npy) {
    size_t n;
    char *bytes = read_file(fixture_path("numpy.npy"), &n);
    for (size_t length = 0; length < n; length++) {
        gn_load(temp_dir_write("cut.npy", bytes, length), NULL);
        expect_error_with(GN_E_FORMAT, "");
    }
    bytes[6] = 2; /* version 2 has two more bytes of length: here the header's first two */
    gn_load(temp_dir_write("version.npy", bytes, n), NULL);
    expect_error_with(GN_E_FORMAT, "longer than the file");
    bytes[6] = 9;
    gn_load(temp_dir_write("version.npy", bytes, n), NULL);
    expect_error_with(GN_E_UNSUPPORTED, "version 9");
    gn_load(temp_dir_write("magic.npy", "0123456789", 10), NULL);
    expect_error_with(GN_E_FORMAT, "does not begin");
}
END_TEST

/* ---- Archives */

static void put16(char *at, unsigned value) {
    at[0] = (char)value;
    at[1] = (char)(value >> 8);
}

static void put32(char *at, uint32_t value) {
    put16(at, value & 0xffff);
    put16(at + 2, value >> 16);
}

/* The only place of four bytes from `from` on. */
static size_t find(const char *bytes, size_t n, size_t from, const char mark[4]) {
    for (size_t at = from; at + 4 <= n; at++)
        if (memcmp(bytes + at, mark, 4) == 0)
            return at;
    ck_abort_msg("not found");
    return 0;
}

/* One field of an archive of two entries, changed. */
START_TEST(test_hostile_archives) {
    enum { END, FIRST, SECOND, LOCAL };
    static const struct {
        int record;
        size_t offset;
        int width;
        uint32_t value;
        const char *words;
    } cases[] = {
        {END, 4, 2, 1, "several files"},
        {END, 10, 2, 1, "more than its entries"},
        {END, 10, 2, 3, "directory"},
        {END, 10, 2, 0xfffe, "shorter than its number"},
        {END, 12, 4, 0xfffffffe, "outside of the file"},
        {END, 12, 4, 1, "shorter than its number"},
        {END, 16, 4, 0xfffffffe, "outside of the file"},
        {END, 16, 4, 0, "directory is damaged"},
        {END, 20, 2, 1, "no zip archive"},
        {FIRST, 8, 2, 1, "encrypted"},
        {FIRST, 10, 2, 12, "another method"},
        {FIRST, 10, 2, 8, "not what the directory says"},
        {FIRST, 16, 4, 1, "do not have the sum"},
        {FIRST, 20, 4, 1, "as many as it claims"},
        {FIRST, 20, 4, 0xfffffff0, "outside of the file"},
        {FIRST, 24, 4, 0xfffffff0, "as many as it claims"},
        {FIRST, 28, 2, 0xffff, "directory is damaged"},
        {FIRST, 42, 4, 1, "not what the directory says"},
        {FIRST, 42, 4, 0x7fffffff, "outside of the file"},
        {SECOND, 42, 4, 0, "overlaps"},
        {LOCAL, 0, 4, 0, "not what the directory says"},
        {LOCAL, 26, 2, 0xfff0, "overlaps"},
        {LOCAL, 28, 2, 0xfff0, "overlaps"},
    };
    gn_dict *dict = gn_dict_new();
    gn_dict_set(dict, "a", gn_ones(3));
    gn_dict_set(dict, "b", gn_ones(3));
    ck_assert_int_eq(gn_save(dict, temp_dir_path("two.npz")), GN_OK);
    size_t n;
    char *bytes = read_file(temp_dir_path("two.npz"), &n);
    const size_t first = find(bytes, n, 0, "PK\1\2"), second = find(bytes, n, first + 1, "PK\1\2");
    const size_t records[] = {find(bytes, n, 0, "PK\5\6"), first, second, 0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *at = bytes + records[cases[i].record] + cases[i].offset, old[4];
        memcpy(old, at, 4);
        if (cases[i].width == 2)
            put16(at, cases[i].value);
        else
            put32(at, cases[i].value);
        ck_assert_msg(gn_load(temp_dir_write("changed.npz", bytes, n), NULL) == NULL, "case %zu",
                      i);
        expect_error_with(GN_E_FORMAT, cases[i].words);
        memcpy(at, old, 4);
    }
    bytes[second + 46] = 'a'; /* both have one name now */
    gn_load(temp_dir_write("changed.npz", bytes, n), NULL);
    expect_error_with(GN_E_FORMAT, "two of that name");
    bytes[second + 46] = 0;
    gn_load(temp_dir_write("changed.npz", bytes, n), NULL);
    expect_error_with(GN_E_FORMAT, "byte 0");
}
END_TEST

/* Each byte of a compressed archive changed, and each length. */
START_TEST(test_damaged_archives) {
    size_t n;
    char *bytes = read_file(fixture_path("numpy.npz"), &n);
    for (size_t at = 0; at < n; at++) {
        gn_scope scope = gn_scope_begin();
        bytes[at] ^= 1 << at % 8;
        gn_load(temp_dir_write("changed.npz", bytes, n), NULL);
        bytes[at] ^= 1 << at % 8;
        ck_assert(gn_error_status() == GN_OK || gn_error_status() == GN_E_FORMAT ||
                  gn_error_status() == GN_E_UNSUPPORTED);
        gn_error_clear();
        gn_scope_end(scope);
    }
    for (size_t length = 0; length < n; length++) {
        gn_load(temp_dir_write("changed.npz", bytes, length), NULL);
        expect_error_with(GN_E_FORMAT, "");
    }
}
END_TEST

/* An entry that claims as much as deflate can make of its bytes, but does not hold it: the header
 * of the array says what is to come, and it is not there. */
START_TEST(test_bomb) {
    enum { CLAIM = 1 << 30, PACKED = CLAIM / 1032 + 1 };
    char header[] = "\x93NUMPY\1\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': "
                    "(1073741824,), }";
    char *bytes = calloc(1, PACKED + 256);
    z_stream deflater = {.next_in = (Bytef *)header,
                         .avail_in = sizeof header - 1,
                         .next_out = (Bytef *)bytes + 35,
                         .avail_out = PACKED};
    ck_assert_ptr_nonnull(bytes);
    ck_assert_int_eq(deflateInit2(&deflater, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&deflater, Z_FINISH), Z_STREAM_END);
    deflateEnd(&deflater);
    memcpy(bytes, "PK\3\4", 4);
    put16(bytes + 8, 8);
    put16(bytes + 26, 5);
    memcpy(bytes + 30, "a.npy", 5);
    char *record = bytes + 35 + PACKED, *end = record + 51;
    memcpy(record, "PK\1\2", 4);
    put16(record + 10, 8);
    put32(record + 20, PACKED);
    put32(record + 24, CLAIM);
    put16(record + 28, 5);
    memcpy(record + 46, "a.npy", 5);
    memcpy(end, "PK\5\6", 4);
    put16(end + 8, 1);
    put16(end + 10, 1);
    put32(end + 12, 51);
    put32(end + 16, 35 + PACKED);
    gn_load(temp_dir_write("bomb.npz", bytes, (size_t)(end + 22 - bytes)), NULL);
    ck_assert_int_eq(gn_error_status(), GN_E_FORMAT);
    gn_error_clear();
    free(bytes);
}
END_TEST

/* More entries than 16 bits count: the 64-bit records. */
START_TEST(test_many_entries) {
    enum { N = 66000 };
    gn__zip_writer writer;
    gn__zip zip;
    const char *path = temp_dir_path("many.zip");
    gn__zip_writer_begin(&writer, "test", path);
    for (int i = 0; i < N; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        gn__zip_writer_entry(&writer, name, 1);
        gn__zip_writer_put(&writer, name, 1);
    }
    ck_assert_msg(gn__zip_writer_end(&writer) == GN_OK, "%s", gn_error());
    ck_assert_msg(gn__zip_open(&zip, "test", path) == GN_OK, "%s", gn_error());
    ck_assert_uint_eq(zip.n, N);
    const gn__zip_entry *entry = gn__zip_find(&zip, "65999");
    ck_assert_ptr_nonnull(entry);
    ck_assert_int_eq(entry->data % 64, 0);
    gn__zip_stream stream;
    char byte;
    ck_assert_int_eq(gn__zip_stream_open(&stream, &zip, entry), GN_OK);
    ck_assert_int_eq(gn__zip_stream_read(&stream, &byte, 1), GN_OK);
    ck_assert_int_eq(gn__zip_stream_close(&stream), GN_OK);
    ck_assert_int_eq(byte, '6');
    gn__zip_close(&zip);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_from_numpy,       test_round_trip,
                            test_unfit_to_save,    test_hostile_headers,
                            test_damaged_npy,      test_hostile_archives,
                            test_damaged_archives, test_bomb,
                            test_many_entries,     NULL};
    temp_dir_make();
    int status = suite_run("npz", tests);
    temp_dir_remove();
    return status;
}
