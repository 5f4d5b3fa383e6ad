/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/io/: the suffix, safetensors files, hostile ones, writing that is atomic. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <genesis/genesis.h>

#include "tests/expect.h"
#include "tests/files.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

static void must_save(gn_dict *dict, const char *path) {
    ck_assert_msg(gn_save(dict, path) == GN_OK, "%s", gn_error());
}

/* ---- Round trips */

static const int dtypes[] = {GN_BOOL, GN_U8,  GN_I8,   GN_I16, GN_I32,
                             GN_I64,  GN_F16, GN_BF16, GN_F32, GN_F64};
enum { N_DTYPES = sizeof dtypes / sizeof dtypes[0] };

START_TEST(test_every_dtype) {
    gn_dict *dict = gn_dict_new();
    const float values[6] = {0, 1, 2, 3, 100, 127};
    for (int i = 0; i < N_DTYPES; i++)
        gn_dict_set(dict, gn_dtype_name(dtypes[i]),
                    gn_tensor_from(values, GN_F32, GN_SHAPE(3, 2), GN_AS(.dtype = dtypes[i])));
    gn_dict_set(dict, "scalar", gn_scalar_tensor(-7, NULL));
    gn_dict_set(dict, "empty", gn_zeros(0, 5));
    gn_dict_set(dict, "transposed", gn_t(gn_dict_get(dict, "float32")));
    gn_dict_set(dict, "part", gn_narrow(gn_dict_get(dict, "int64"), 0, 1, 2));
    const char *path = temp_dir_path("all.safetensors");
    must_save(dict, path);
    gn_dict *loaded = must_load(path);
    ck_assert_int_eq(gn_dict_size(loaded), gn_dict_size(dict));
    for (int64_t i = 0; i < gn_dict_size(dict); i++) {
        ck_assert_str_eq(gn_dict_name(loaded, i), gn_dict_name(dict, i));
        gn_tensor *a = gn_dict_tensor(dict, i), *b = gn_dict_tensor(loaded, i);
        ck_assert_int_eq(gn_dtype_of(a), gn_dtype_of(b));
        ck_assert_msg(gn_equal(a, b), "%s", gn_dict_name(dict, i));
    }
    ck_assert_msg(gn_error_status() == GN_OK, "%s", gn_error());
}
END_TEST

START_TEST(test_large) { /* more than a piece of reading and writing */
    gn_dict *dict = gn_dict_new();
    gn_dict_set(dict, "large", gn_arange(0, 1500000, 1, GN_AS(.dtype = GN_F32)));
    must_save(dict, temp_dir_path("large.safetensors"));
    gn_dict *loaded = must_load(temp_dir_path("large.safetensors"));
    ck_assert(gn_equal(gn_dict_tensor(dict, 0), gn_dict_tensor(loaded, 0)));
}
END_TEST

START_TEST(test_nothing) {
    must_save(gn_dict_new(), temp_dir_path("nothing.safetensors"));
    ck_assert_int_eq(gn_dict_size(must_load(temp_dir_path("nothing.safetensors"))), 0);
}
END_TEST

/* The header's length is a multiple of 8, and each offset one of its element's size. */
START_TEST(test_alignment) {
    gn_dict *dict = gn_dict_new();
    gn_dict_set(dict, "bytes", gn_zeros_with(GN_SHAPE(3), GN_AS(.dtype = GN_U8)));
    gn_dict_set(dict, "wide", gn_zeros_with(GN_SHAPE(1), GN_AS(.dtype = GN_I64)));
    const char *path = temp_dir_path("aligned.safetensors");
    must_save(dict, path);
    char text[512] = "";
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    ck_assert_uint_eq((unsigned char)text[0] % 8, 0);
    ck_assert_uint_eq(n, 8 + (size_t)(unsigned char)text[0] + 11);
    ck_assert_ptr_nonnull(
        strstr(text + 8, "\"bytes\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]}"));
    ck_assert_ptr_nonnull(
        strstr(text + 8, "\"wide\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}"));
}
END_TEST

START_TEST(test_from_python) {
    gn_dict *dict = must_load(fixture_path("python.safetensors"));
    ck_assert_int_eq(gn_dict_size(dict), 12);
    static const struct {
        const char *name;
        int dtype, n;
        double values[6];
    } wanted[] = {
        {"linear.weight", GN_F32, 6, {0, 0.25, 0.5, 0.75, 1, 1.25}},
        {"linear.bias", GN_F64, 2, {-1.5, 2.5}},
        {"half", GN_F16, 3, {0.5, -2, 65504}},
        {"brain", GN_BF16, 2, {0.5, -3}},
        {"count", GN_I64, 1, {1099511627777.0}},
        {"i32", GN_I32, 2, {-7, 7}},
        {"i16", GN_I16, 1, {-300}},
        {"i8", GN_I8, 3, {-8, 8, 127}},
        {"u8", GN_U8, 1, {200}},
        {"mask", GN_BOOL, 3, {1, 0, 1}},
        {"empty", GN_F32, 0, {0}},
        {"gr\303\266\303\237e", GN_F32, 1, {1}},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        gn_tensor *t = gn_dict_get(dict, wanted[i].name);
        ck_assert_msg(t != NULL, "%s is missing", wanted[i].name);
        ck_assert_int_eq(gn_dtype_of(t), wanted[i].dtype);
        ck_assert_int_eq(gn_numel(t), wanted[i].n);
        double values[6] = {0};
        ck_assert_int_eq(gn_copy_out(t, values, GN_F64, wanted[i].n), GN_OK);
        for (int k = 0; k < wanted[i].n; k++)
            ck_assert_double_eq(values[k], wanted[i].values[k]);
    }
    ck_assert_int_eq(gn_size(gn_dict_get(dict, "linear.weight"), 1), 3);
}
END_TEST

/* Tensors in the mapped file may be changed, and live on when the file is replaced or gone; one
 * that does not lie at a multiple of its element's size is copied. */
START_TEST(test_in_place) {
    static const char header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                                 "\"b\":{\"dtype\":\"I16\",\"shape\":[2],\"data_offsets\":[3,7]},"
                                 "\"c\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[7,16]}} ";
    char bytes[256] = {(char)(sizeof header - 1)};
    memcpy(bytes + 8, header, sizeof header - 1);
    memcpy(bytes + 7 + sizeof header, "\1\2\3\4\0\5\0.........", 16);
    size_t n = 7 + sizeof header + 16;
    const char *path = temp_dir_write("mapped.safetensors", bytes, n);
    gn_dict *dict = must_load(path);
    gn_add_(gn_dict_get(dict, "a"), gn_full(GN_SHAPE(1), 10, GN_AS(.dtype = GN_U8)));
    gn_add_(gn_dict_get(dict, "b"), gn_full(GN_SHAPE(1), 10, GN_AS(.dtype = GN_I16)));
    gn_dict *again = must_load(path); /* as it was */
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(gn_item_int(gn_sum(gn_dict_get(dict, "a"))), 36);
    ck_assert_int_eq(gn_item_int(gn_sum(gn_dict_get(dict, "b"))), 29);
    ck_assert_int_eq(gn_item_int(gn_sum(gn_dict_get(again, "a"))), 6);
    ck_assert_int_eq(gn_item_int(gn_sum(gn_dict_get(again, "b"))), 9);
}
END_TEST

/* On cpu the tensors lie in the file: one of 1 GiB, which is a hole, takes no memory. */
START_TEST(test_mapped) {
    enum { COUNT = 1 << 28 };
    char header[256];
    int n = snprintf(header, sizeof header,
                     "%8s{\"a\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[0,%lld]}} ", "",
                     COUNT, 4LL * COUNT);
    memset(header, 0, 8);
    header[0] = (char)(n - 8);
    const char *path = temp_dir_write("hole.safetensors", header, (size_t)n);
    ck_assert_int_eq(truncate(path, n + 4LL * COUNT), 0);
    if (strcmp(gn_default_device(), "cpu") == 0) {
        gn_memory_stats before, after;
        ck_assert_int_eq(gn_memory_stats_get(NULL, &before), GN_OK);
        gn_dict *dict = must_load(path);
        ck_assert_int_eq(gn_memory_stats_get(NULL, &after), GN_OK);
        ck_assert_uint_eq(before.allocated, after.allocated);
        ck_assert_double_eq(gn_item(gn_select(gn_dict_get(dict, "a"), 0, -1)), 0);
    }
    ck_assert_int_eq(remove(path), 0);
}
END_TEST

/* ---- Suffixes and arguments */

START_TEST(test_suffixes) {
    gn_dict *dict = gn_dict_new();
    gn_save(dict, temp_dir_path("model.h5"));
    expect_error_with(GN_E_UNSUPPORTED, ".h5 is no known format");
    gn_save(dict, temp_dir_path("model"));
    expect_error_with(GN_E_UNSUPPORTED, "no suffix");
    gn_load("folder.safetensors/model", NULL);
    expect_error_with(GN_E_UNSUPPORTED, "no suffix");
    must_save(dict, temp_dir_path("LOUD.SAFETENSORS"));
    gn_save(NULL, temp_dir_path("a.safetensors"));
    expect_error_with(GN_E_ARGUMENT, "NULL");
    gn_save(dict, NULL);
    expect_error_with(GN_E_ARGUMENT, "NULL");
    gn_load(NULL, NULL);
    expect_error_with(GN_E_ARGUMENT, "NULL");
    gn_load(temp_dir_path("absent.safetensors"), NULL);
    expect_error_with(GN_E_NOT_FOUND, "No such file");
    gn_load(temp_dir_path("LOUD.SAFETENSORS"), "nonesuch");
    ck_assert_int_ne(gn_error_status(), GN_OK);
    gn_error_clear();
}
END_TEST

/* ---- Hostile files */

/* A file with this header and so many bytes of data. */
static const char *write_file(const char *header, size_t data_bytes) {
    static char bytes[4096];
    uint64_t length = strlen(header);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    memset(bytes + 8 + length, 1, data_bytes);
    return temp_dir_write("hostile.safetensors", bytes, 8 + (size_t)length + data_bytes);
}

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

START_TEST(test_hostile_headers) {
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *words;
    } cases[] = {
        {"", 0, "no JSON object"},
        {"[]", 0, "no JSON object"},
        {" {}", 0, "no JSON object"},
        {"{", 0, "no JSON object"},
        {"{}x", 0, "no JSON object"},
        {"{\"a\":}", 0, "no JSON object"},
        {"{\"a\\u0000b\":{}}", 0, "no JSON object"},
        {"{\"\xff\xfe\":{}}", 0, "no JSON object"},
        {"{}", 1, "belong to no tensor"},
        {"{\"a\":1}", 0, "no object"},
        {"{\"a\":[]}", 0, "no object"},
        {"{\"a\":{}}", 0, "dtype is missing"},
        {"{\"a\":" T("4", "[1]", "[0,4]") "}", 4, "dtype is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets are missing"},
        {"{\"a\":" T("\"F32\"", "1", "[0,4]") "}", 4, "shape is missing"},
        {"{\"a\":" T("\"F32\"", "[-1]", "[0,4]") "}", 4, "a size is no whole number"},
        {"{\"a\":" T("\"F32\"", "[1.0]", "[0,4]") "}", 4, "a size is no whole number"},
        {"{\"a\":" T("\"F32\"", "[\"1\"]", "[0,4]") "}", 4, "a size is no whole number"},
        {"{\"a\":" T("\"F32\"", "[null]", "[0,4]") "}", 4, "a size is no whole number"},
        {"{\"a\":" T("\"F32\"", "[99999999999999999999]", "[0,4]") "}", 4, "no JSON object"},
        {"{\"a\":" T("\"F32\"", "[4294967296,4294967296]", "[0,4]") "}", 4, "too large"},
        {"{\"a\":" T("\"F32\"", "[4611686018427387904]", "[0,0]") "}", 0, "too large"},
        {"{\"a\":" T("\"F32\"", "[2]", "[0,4]") "}", 4, "do not fit"},
        {"{\"a\":" T("\"F32\"", "[0]", "[0,4]") "}", 4, "do not fit"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0]") "}", 4, "data_offsets are missing"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4,8]") "}", 4, "data_offsets are missing"},
        {"{\"a\":" T("\"F32\"", "[1]", "[-4,0]") "}", 4, "data_offsets are missing"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0.0,4]") "}", 4, "data_offsets are missing"},
        {"{\"a\":" T("\"F32\"", "[1]", "[4,0]") "}", 4, "leave the file"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,8]") "}", 4, "leave the file"},
        {"{\"a\":" T("\"F32\"", "[1]", "[9223372036854775803,9223372036854775807]") "}", 4,
         "leave the file"},
        {"{\"a\":" T("\"F32\"", "[1]", "[4,8]") "}", 8, "a hole"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") "}", 8, "belong to no tensor"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"b\":" T("\"F32\"", "[1]", "[0,4]") "}", 4,
         "overlaps"},
        {"{\"a\":" T("\"F32\"", "[2]", "[0,8]") ",\"b\":" T("\"F32\"", "[1]", "[4,8]") "}", 8,
         "overlaps"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"b\":" T("\"F32\"", "[1]", "[8,12]") "}", 12,
         "a hole"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"a\":" T("\"F32\"", "[1]", "[4,8]") "}", 8,
         "duplicate"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__"},
        {"{\"__metadata__\":\"text\"}", 0, "__metadata__"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(gn_load(write_file(cases[i].header, cases[i].data_bytes), NULL) == NULL, "%s",
                      cases[i].header);
        expect_error_with(GN_E_FORMAT, cases[i].words);
    }
    gn_load(write_file("{\"a\":" T("\"F8_E4M3\"", "[1]", "[0,1]") "}", 1), NULL);
    expect_error_with(GN_E_UNSUPPORTED, "F8_E4M3");
    gn_load(write_file("{\"a\":" T("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1), NULL);
    expect_error_with(GN_E_UNSUPPORTED, "9 dims");
}
END_TEST

START_TEST(test_accepted_headers) {
    static const char *const headers[] = {
        "{\"a\":" T("\"F32\"", "[1]", "[0,4]") "}   ",
        "{\"b\":" T("\"I16\"", "[1]", "[2,4]") ",\n\"a\":" T("\"I16\"", "[]", "[0,2]") "}",
        "{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"z\":" T("\"F32\"", "[0,9223372036854775807]",
                                                           "[4,4]") "}",
        "{\"__metadata__\":{\"format\":\"pt\"},\"a\":" T("\"I32\"", "[1,1,1,1,1,1,1,1]",
                                                         "[0,4]") "}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        ck_assert_ptr_nonnull(gn_dict_get(must_load(write_file(headers[i], 4)), "a"));
}
END_TEST

START_TEST(test_deep_nesting) {
    char *bytes = malloc(100008);
    uint64_t length = 100000;
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, &length, 8);
    memset(bytes + 8, '[', length);
    memcpy(bytes + 8, "{\"a\":", 5);
    gn_load(temp_dir_write("deep.safetensors", bytes, 100008), NULL);
    expect_error_with(GN_E_FORMAT, "depth");
    free(bytes);
}
END_TEST

START_TEST(test_lengths) {
    static const unsigned char lengths[][8] = {{3},
                                               {255, 255, 255, 255, 255, 255, 255, 255},
                                               {0, 0, 0, 0, 0, 0, 0, 128},
                                               {1, 225, 245, 5}};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char bytes[10] = "........{}";
        memcpy(bytes, lengths[i], 8);
        gn_load(temp_dir_write("length.safetensors", bytes, sizeof bytes), NULL);
        expect_error_with(GN_E_FORMAT, "more than the file");
    }
    for (size_t n = 0; n < 8; n++) {
        gn_load(temp_dir_write("short.safetensors", "\2\0\0\0\0\0\0\0", n), NULL);
        expect_error_with(GN_E_FORMAT, "no safetensors file");
    }
    gn_load(temp_dir_path(""), NULL);
    gn_error_clear();
}
END_TEST

/* Any byte changed, and any length: an error, or a dictionary. */
START_TEST(test_mutations) {
    const char *header =
        "{\"a\":" T("\"U8\"", "[2]", "[0,2]") ",\"b\":" T("\"U8\"", "[1,1]", "[2,3]") "}";
    char bytes[256];
    size_t n = 8 + strlen(header) + 3;
    write_file(header, 3);
    FILE *file = fopen(temp_dir_path("hostile.safetensors"), "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(bytes, 1, sizeof bytes, file), n);
    fclose(file);
    static const char values[] = {0, 1, -1, '"', '{', '}', '[', ',', '-', '9', ' ', 127};
    for (size_t at = 0; at < n; at++)
        for (size_t k = 0; k < sizeof values; k++) {
            char old = bytes[at];
            bytes[at] = values[k];
            gn_scope scope = gn_scope_begin();
            gn_load(temp_dir_write("mutated.safetensors", bytes, n), NULL);
            gn_error_clear();
            gn_scope_end(scope);
            bytes[at] = old;
        }
    for (size_t length = 0; length < n; length++) {
        ck_assert_ptr_null(gn_load(temp_dir_write("mutated.safetensors", bytes, length), NULL));
        gn_error_clear();
    }
}
END_TEST

/* ---- Writing is atomic */

static gn_dict *one(double value) {
    gn_dict *dict = gn_dict_new();
    gn_dict_set(dict, "value", gn_full(GN_SHAPE(100000), value, NULL));
    return dict;
}

static void expect_value(const char *path, double value) {
    ck_assert_double_eq(gn_item(gn_select(gn_dict_get(must_load(path), "value"), 0, 99999)), value);
}

START_TEST(test_replaces) {
    const char *path = temp_dir_path("model.safetensors"),
               *link = temp_dir_path("link.safetensors");
    must_save(one(1), path);
    ck_assert_int_eq(chmod(path, 0640), 0);
    int files = temp_dir_count();
    must_save(one(2), path);
    expect_value(path, 2);
    ck_assert_int_eq(temp_dir_count(), files); /* nothing else is left */
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0640);
    ck_assert_int_eq(symlink("model.safetensors", link), 0);
    must_save(one(3), link); /* goes to where the link points */
    expect_value(path, 3);
    ck_assert_int_eq(lstat(link, &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
}
END_TEST

/* A file system that is full, as the process sees it. */
START_TEST(test_failed_write) {
    const char *path = temp_dir_path("full.safetensors");
    must_save(one(1), path);
    int files = temp_dir_count();
    struct rlimit old, small = {.rlim_cur = 100000};
    gn_dict *dict = one(2);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    gn_status status = gn_save(dict, path);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_eq(status, GN_E_IO);
    expect_error_with(GN_E_IO, "can't be written");
    ck_assert_int_eq(temp_dir_count(), files);
    expect_value(path, 1);
}
END_TEST

START_TEST(test_bad_places) {
    gn_dict *dict = one(1);
    gn_save(dict, temp_dir_path("absent/model.safetensors"));
    expect_error_with(GN_E_NOT_FOUND, "absent");
    const char *folder = temp_dir_path("folder.safetensors");
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    int files = temp_dir_count();
    gn_save(dict, folder);
    expect_error_with(GN_E_IO, "no regular file");
    ck_assert_int_eq(temp_dir_count(), files);
    if (geteuid() != 0) { /* root may write anywhere */
        ck_assert_int_eq(chmod(folder, 0555), 0);
        char path[4096];
        snprintf(path, sizeof path, "%s/model.safetensors", folder);
        gn_save(dict, path);
        expect_error_with(GN_E_IO, "created");
    }
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(test_bad_names) {
    gn_dict *dict = gn_dict_new();
    gn_dict_set(dict, "__metadata__", gn_ones(1));
    int files = temp_dir_count();
    gn_save(dict, temp_dir_path("names.safetensors"));
    expect_error_with(GN_E_ARGUMENT, "__metadata__");
    dict = gn_dict_new();
    gn_dict_set(dict, "caf\xe9", gn_ones(1));
    gn_save(dict, temp_dir_path("names.safetensors"));
    expect_error_with(GN_E_ARGUMENT, "UTF-8");
    ck_assert_int_eq(temp_dir_count(), files);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_every_dtype,      test_large,        test_nothing,
                            test_alignment,        test_from_python,  test_in_place,
                            test_mapped,           test_suffixes,     test_hostile_headers,
                            test_accepted_headers, test_deep_nesting, test_lengths,
                            test_mutations,        test_replaces,     test_failed_write,
                            test_bad_places,       test_bad_names,    NULL};
    temp_dir_make();
    int status = suite_run("safetensors", tests);
    temp_dir_remove();
    return status;
}
