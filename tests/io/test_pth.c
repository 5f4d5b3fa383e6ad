/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/io/pth.c and what is below it: files of PyTorch, and harmful ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/genesis.h>

#include "io/pickle.h"
#include "io/zip.h"
#include "tests/expect.h"
#include "tests/files.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

/* ---- From PyTorch */

static void expect_torch(gn_dict *dict) {
    gn_dict *by_dtype = gn_dict_get_dict(dict, "dtypes");
    ck_assert_int_eq(gn_dict_size(by_dtype), 10);
    for (int64_t i = 0; i < 10; i++) {
        gn_tensor *t = gn_dict_tensor(by_dtype, i);
        ck_assert_str_eq(gn_dtype_name(gn_dtype_of(t)), gn_dict_name(by_dtype, i));
        EXPECT_VALUES(t, 0, 0, 1, 1);
    }
    EXPECT_VALUES(gn_dict_get(dict, "matrix"), 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    EXPECT_VALUES(gn_dict_get(dict, "transposed"), 0, 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11);
    EXPECT_VALUES(gn_dict_get(dict, "part"), 0, 4, 6, 8, 10);
    EXPECT_VALUES(gn_dict_get(dict, "expanded"), 0, 5, 5, 5, 6, 6, 6);
    ck_assert_int_eq(gn_item_int(gn_dict_get(dict, "scalar")), -7);
    ck_assert_int_eq(gn_size(gn_dict_get(dict, "empty"), 1), 5);
    EXPECT_VALUES(gn_dict_get(dict, "parameter"), 0, 0.5, -0.5);
    ck_assert_str_eq(gn_dict_name(gn_dict_get_dict(dict, "ordered"), 1), "a");
    ck_assert_str_eq(gn_dict_get_string(gn_dict_get_dict(dict, "numbered"), "10"), "ten");
    gn_dict *list = gn_dict_get_dict(dict, "list");
    ck_assert_int_eq(gn_dict_size(list), 4);
    ck_assert_str_eq(gn_dict_get_string(gn_dict_get_dict(list, "1"), "1"), "three");
    ck_assert_int_eq(gn_dict_kind(list, 2), GN_VALUE_LIST);
    ck_assert_int_eq(gn_dict_kind(list, 3), GN_VALUE_DICT);
    ck_assert_double_eq(gn_dict_get_float(gn_dict_get_dict(dict, "tuple"), "1", 0), 0.999);
    ck_assert_int_eq(gn_dict_get_int(gn_dict_get_dict(dict, "size"), "1", 0), 4);
    ck_assert_int_eq(gn_dict_get_int(dict, "small", 0), -1);
    ck_assert_int_eq(gn_dict_get_int(dict, "int", 0), 123456789);
    ck_assert_int_eq(gn_dict_get_int(dict, "wide", 0), -(INT64_C(1) << 62) - 1);
    ck_assert_double_eq(gn_dict_get_float(dict, "huge", 0), 0x1p70);
    ck_assert_double_eq(gn_dict_get_float(dict, "float", 0), 0.1);
    ck_assert_int_eq(gn_dict_get_int(dict, "true", 0), 1);
    ck_assert_int_eq(gn_dict_get_int(dict, "false", 1), 0);
    ck_assert_str_eq(gn_dict_get_string(dict, "text"), "gr\303\266\303\237e");
    ck_assert_int_eq(gn_dict_size(dict), 22);
}

START_TEST(test_from_torch) {
    gn_dict *dict = must_load(fixture_path("torch.pth"));
    expect_torch(dict);
    gn_dict *again;
    const char *path = temp_dir_path("again.pt");
    ck_assert_msg(gn_save(dict, path) == GN_OK, "%s", gn_error());
    again = must_load(path);
    expect_torch(again);
    ck_assert_int_eq(gn_dict_kind(again, 20), gn_dict_kind(dict, 20));
}
END_TEST

/* Views of one storage are views of one storage; and a weight that is tied is stored once. */
START_TEST(test_shared) {
    gn_dict *dict = must_load(fixture_path("torch.pth"));
    gn_fill_(gn_select(gn_dict_get(dict, "matrix"), 0, 1), 50);
    EXPECT_VALUES(gn_select(gn_dict_get(dict, "transposed"), 1, 1), 0, 50, 50, 50, 50);
    gn_dict *tied = gn_dict_new();
    gn_tensor *weight = gn_arange(0, 1000, 1, GN_AS(.dtype = GN_F32));
    gn_dict_set(tied, "embedding", weight);
    gn_dict_set(tied, "head", gn_detach(weight));
    const char *path = temp_dir_path("tied.pth");
    ck_assert_int_eq(gn_save(tied, path), GN_OK);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    ck_assert_int_lt(ftell(file), 4000 + 1500);
    fclose(file);
    gn_dict *loaded = must_load(path);
    gn_fill_(gn_dict_get(loaded, "head"), 3);
    ck_assert_double_eq(gn_item(gn_mean(gn_dict_get(loaded, "embedding"))), 3);
}
END_TEST

START_TEST(test_training_of_torch) {
    gn_dict *dict = must_load(fixture_path("training.pth"));
    gn_module *model = gn_nn_module_dict();
    gn_add_module(model, "fc", gn_nn_linear(3, 2));
    gn_add_module(model, "out", gn_nn_linear(2, 1));
    ck_assert_msg(gn_load_state_dict(model, gn_dict_get_dict(dict, "model_state_dict")) == GN_OK,
                  "%s", gn_error());
    gn_dict *state = gn_dict_get_dict(dict, "optimizer_state_dict");
    gn_dict *groups = gn_dict_get_dict(state, "param_groups");
    ck_assert_double_eq(gn_dict_get_float(gn_dict_get_dict(groups, "0"), "lr", 0), 0.0025);
    gn_dict *flat = gn_dict_flatten(state);
    ck_assert_int_eq(gn_dict_get_int(flat, "state.3.step", 0), 2);
    ck_assert_int_eq(gn_dict_get_int(flat, "param_groups.0.params.3", 0), 3);
}
END_TEST

/* ---- Round trips */

START_TEST(test_round_trip) {
    gn_dict *dict = gn_dict_new(), *list = gn_list_new();
    gn_tensor *m = gn_arange(0, 12, 1, GN_AS(.dtype = GN_I32));
    gn_dict_set(dict, "transposed", gn_t(gn_view(m, 3, 4)));
    gn_dict_set(dict, "large", gn_arange(0, 1500000, 1, GN_AS(.dtype = GN_F32)));
    gn_dict_set(dict, "empty", gn_zeros(0, 3));
    gn_dict_set(dict, "scalar", gn_scalar_tensor(4, NULL));
    gn_dict_set(list, NULL, 255);
    gn_dict_set(list, NULL, 256);
    gn_dict_set(list, NULL, -1);
    gn_dict_set(list, NULL, INT64_MIN);
    gn_dict_set(list, NULL, INT64_MAX);
    gn_dict_set(list, NULL, -0.1);
    gn_dict_set(list, NULL, "");
    gn_dict_set(dict, "list", list);
    const char *path = temp_dir_path("trip.pth");
    ck_assert_msg(gn_save(dict, path) == GN_OK, "%s", gn_error());
    gn_dict *back = must_load(path), *numbers = gn_dict_get_dict(back, "list");
    for (int64_t i = 0; i < 4; i++)
        ck_assert_msg(gn_equal(gn_dict_tensor(dict, i), gn_dict_tensor(back, i)), "%s",
                      gn_dict_name(dict, i));
    static const int64_t wanted[] = {255, 256, -1, INT64_MIN, INT64_MAX};
    for (int i = 0; i < 5; i++) {
        char name[2] = {(char)('0' + i), 0};
        ck_assert_int_eq(gn_dict_get_int(numbers, name, 0), wanted[i]);
    }
    ck_assert_double_eq(gn_dict_get_float(numbers, "5", 0), -0.1);
    ck_assert_str_eq(gn_dict_get_string(numbers, "6"), "");
}
END_TEST

START_TEST(test_unfit_to_save) {
    gn_dict *dict = gn_dict_new();
    gn_dict_set(dict, "caf\xe9", 1);
    int files = temp_dir_count();
    gn_save(dict, temp_dir_path("names.pth"));
    expect_error_with(GN_E_ARGUMENT, "UTF-8");
    ck_assert_int_eq(temp_dir_count(), files);
}
END_TEST

/* ---- Hostile pickles */

static gn_tensor *make_zeros(void *context, const gn__tensor_spec *spec) {
    (void)context;
    return gn_zeros_with(gn__shape(spec->n_dims, spec->size), GN_AS(.dtype = spec->dtype));
}

/* Without a file, which would be synced each time. */
static gn_dict *unpickle(const void *pickle, size_t n) {
    return gn__unpickle("test", pickle, n, make_zeros, NULL);
}

/* A file with this pickle, and a storage data/0 of 16 bytes. */
static const char *write_pickle(const void *pickle, size_t n) {
    gn__zip_writer zip;
    const char *path = temp_dir_path("hostile.pth");
    gn__zip_writer_begin(&zip, "test", path);
    gn__zip_writer_entry(&zip, "x/data.pkl", (int64_t)n);
    gn__zip_writer_put(&zip, pickle, n);
    gn__zip_writer_entry(&zip, "x/data/0", 16);
    gn__zip_writer_put(&zip, "0123456789abcdef", 16);
    ck_assert_msg(gn__zip_writer_end(&zip) == GN_OK, "%s", gn_error());
    return path;
}

/* Literals with zeros in them. */
#define P(text) text, sizeof text - 1

/* A float storage of `count` elements (one opcode), and a tensor of it with these arguments. */
#define STORAGE(key, count)                                                                        \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" key "X\3\0\0\0cpu" count "tQ"
#define TENSOR(storage, rest) "ctorch._utils\n_rebuild_tensor_v2\n(" storage rest "tR"

START_TEST(test_hostile_pickles) {
    static const struct {
        const char *pickle;
        size_t n;
        const char *words;
    } cases[] = {
        /* code that would be run */
        {P("\x80\2cos\nsystem\n(X\4\0\0\0exittR."), "Python's os.system"},
        {P("cbuiltins\neval\n."), "Python's builtins.eval"},
        {P("X\5\0\0\0posixX\6\0\0\0system\x93."), "Python's posix.system"},
        {P("ctorch\nload\n."), "Python's torch.load"},
        {P("ctorch._utils\n_rebuild_tensor_v3\n."), "_rebuild_tensor_v3"},
        {P("(cos\nsystem\no."), "os.system"},
        {P("(ios\nsystem\n."), "opcode 0x69"},
        {P("}(X\1\0\0\0acos\nsystem\nu."), "os.system"},
        {P("\x82\1."), "opcode 0x82"},
        {P("ccollections\nOrderedDict\n(K\1tR."), "has arguments"},
        {P("ctorch\nFloatStorage\n)R."), "calls a class"},
        {P("}X\1\0\0\0aR."), "calls what is no function"},
        {P("}ccollections\nOrderedDict\n}b."), "attributes of no dictionary"},
        /* what ends too early */
        {P(""), "ends too early"},
        {P("}"), "ends too early"},
        {P("X\xff\xff\xff\xff"
           "abc."),
         "goes beyond the end"},
        {P("\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "goes beyond the end"},
        {P("cos"), "goes beyond the end"},
        {P("\x8a\x20."), "ends too early"},
        {P("G1."), "ends too early"},
        /* a stack that does not fit */
        {P("."), "takes a value where there is none"},
        {P("(."), "takes a value where there is none"},
        {P("0."), "takes a value where there is none"},
        {P("t."), "there is no mark"},
        {P("}u."), "there is no mark"},
        {P("(u."), "sets items of no dictionary"},
        {P("}(K\1u."), "a key has no value"},
        {P("(K\1d."), "a key has no value"},
        {P("K\1(K\1e."), "appends to no list"},
        {P("}K\1a."), "appends to no list"},
        {P("]K\1K\2s."), "no dictionary"},
        {P("(\x86."), "takes a value where there is none"},
        {P("h\5."), "not kept"},
        {P("j\5\0\0\0."), "not kept"},
        {P("}r\xff\xff\xff\x7f."), "too large"},
        {P("q\0."), "keeps a value"},
        {P("\x80\x09}."), "later protocol"},
        /* values that are none of ours */
        {P("K\1."), "neither a dictionary"},
        {P("}(K\1K\2G\0\0\0\0\0\0\0\0K\3u."), "neither a string nor an integer"},
        {P("}(NK\1u."), "neither a string nor an integer"},
        {P("}(X\1\0\0\0aK\1X\1\0\0\0aK\2u."), "\"a\" twice"},
        {P("}(X\1\0\0\0"
           "1K\1K\1K\2u."),
         "\"1\" twice"},
        {P("}(X\3\0\0\0a\0bK\1u."), "byte 0"},
        {P("}(X\1\0\0\0\xffK\1u."), "UTF-8"},
        {P("}(X\2\0\0\0\xc0\x80K\1u."), "UTF-8"},
        {P("](ccollections\nOrderedDict\ne."), "a class, a function"},
        /* cycles */
        {P("]q\0(h\0e."), "contains itself"},
        {P("}q\0(X\1\0\0\0ah\0u."), "contains itself"},
        {P("]q\0h\0\x85q\1a."), "contains itself"},
        /* tensors */
        {P(TENSOR("K\1", "K\0K\1\x85K\1\x85\x89)") "."), "not made of a storage"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0K\5\x85K\1\x85\x89)") "."), "beyond its storage"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\1K\4\x85K\1\x85\x89)") "."), "beyond its storage"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0K\2K\3\x86K\3K\1\x86\x89)") "."), "beyond its storage"},
        {P(TENSOR(STORAGE("0", "K\4"), "J\xff\xff\xff\xffK\1\x85K\1\x85\x89)") "."),
         "beyond its storage"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\5K\0\x85K\1\x85\x89)") "."), "beyond its storage"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0K\4\x85J\xff\xff\xff\xff\x85\x89)") "."), "number >= 0"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0J\0\0\0\x80\x85K\1\x85\x89)") "."), "number >= 0"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0X\1\0\0\0"
                                       "4\x85K\1\x85\x89)") "."),
         "number >= 0"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0K\4\x85)\x89)") "."), "as many strides"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0K\4K\1\x85\x89)") "."), "no tuple"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0\x8a\x08\0\0\0\0\0\0\0\x40\x85"
                                       "\x8a\x08\0\0\0\0\0\0\0\x40\x85\x89)") "."),
         "beyond its storage"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0\x8a\x08\0\0\0\0\0\0\0\x40K\4\x86)))") "."),
         "as many strides"},
        {P(TENSOR(STORAGE("0", "K\4"), "K\0\x8a\x08\0\0\0\0\0\0\0\x40K\4\x86K\0K\0\x86\x89)") "."),
         "beyond its storage"}, /* 2^64 elements of one */
        {P(TENSOR(STORAGE("0", "J\xff\xff\xff\xff"), "K\0K\4\x85K\1\x85\x89)") "."),
         "something else than a storage"},
        {P("K\1Q."), "something else than a storage"},
        {P("(X\7\0\0\0storageK\1K\1K\1K\1tQ."), "something else than a storage"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gn_dict *dict = unpickle(cases[i].pickle, cases[i].n);
        ck_assert_msg(dict == NULL, "case %zu (%s) is accepted", i, cases[i].words);
        ck_assert_msg(gn_error_status() == GN_E_FORMAT, "case %zu (%s): %s", i, cases[i].words,
                      gn_error());
        expect_error_with(GN_E_FORMAT, cases[i].words);
    }
    unpickle(P(TENSOR(STORAGE("0", "K\4"), "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1tK\1\x85\x89)") "."));
    expect_error_with(GN_E_UNSUPPORTED, "9 dims");
}
END_TEST

/* Storages that are not what the pickle says. */
START_TEST(test_hostile_storages) {
    static const struct {
        const char *pickle;
        size_t n;
        const char *words;
    } cases[] = {
        {P(TENSOR(STORAGE("0", "K\5"), "K\0K\4\x85K\1\x85\x89)") "."), "shorter than the storage"},
        {P(TENSOR(STORAGE("1", "K\4"), "K\0K\4\x85K\1\x85\x89)") "."), "missing"},
        {P(TENSOR(STORAGE("0", "\x8a\x08\0\0\0\0\0\0\0\x40"), "K\0K\4\x85K\1\x85\x89)") "."),
         "shorter than the storage"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_ptr_null(gn_load(write_pickle(cases[i].pickle, cases[i].n), NULL));
        expect_error_with(GN_E_FORMAT, cases[i].words);
    }
}
END_TEST

START_TEST(test_accepted_pickles) {
    gn_dict *dict =
        must_load(write_pickle(P(TENSOR(STORAGE("0", "K\4"), "K\1K\2\x85K\2\x85\x89)") ".")));
    char bytes[8];
    memcpy(bytes, "4567cdef", 8);
    float wanted[2], values[2];
    memcpy(wanted, bytes, 8);
    ck_assert_int_eq(gn_copy_out(gn_dict_get(dict, "tensor"), values, GN_F32, 2), GN_OK);
    ck_assert_mem_eq(values, wanted, 8);
    /* protocol 4: frames, short strings, a memo by position */
    dict = unpickle(P("\x80\4\x95\7\0\0\0\0\0\0\0}\x94\x8c\1b\x94K\5s\x8c\1ch\1s."));
    ck_assert_int_eq(gn_dict_get_int(dict, "b", 0), 5);
    ck_assert_str_eq(gn_dict_get_string(dict, "c"), "b");
}
END_TEST

/* Lists of lists, each twice the one before: 2^40 values in 300 bytes. */
START_TEST(test_expansion) {
    char pickle[1024] = "]q\0";
    size_t n = 3;
    for (char i = 0; i < 40; i++) {
        const char level[] = {']', '(', 'h', i, 'h', i, 'e', 'q', (char)(i + 1)};
        memcpy(pickle + n, level, sizeof level);
        n += sizeof level;
    }
    pickle[n++] = '.';
    ck_assert_ptr_null(unpickle(pickle, n));
    expect_error_with(GN_E_FORMAT, "refers to its parts");
}
END_TEST

START_TEST(test_depth) {
    enum { N = 100000 };
    char *pickle = malloc(2 * N + 1);
    ck_assert_ptr_nonnull(pickle);
    memset(pickle, ']', N);
    memset(pickle + N, 'a', N - 1);
    pickle[2 * N - 1] = '.';
    ck_assert_ptr_null(unpickle(pickle, 2 * N));
    expect_error_with(GN_E_FORMAT, "nested too deeply");
    free(pickle);
}
END_TEST

/* ---- Files that are damaged */

static gn_status load_bytes(const void *bytes, size_t n) {
    gn_scope scope = gn_scope_begin();
    gn_load(temp_dir_write("mutated.pth", bytes, n), NULL);
    gn_status status = gn_scope_end(scope);
    gn_error_clear();
    return status;
}

START_TEST(test_old) {
    gn_load(fixture_path("old.pth"), NULL);
    expect_error_with(GN_E_FORMAT, "old format");
    gn_load(temp_dir_write("empty.pth", "", 0), NULL);
    expect_error_with(GN_E_FORMAT, "no zip archive");
    gn_load(temp_dir_path("absent.pth"), NULL);
    expect_error_with(GN_E_NOT_FOUND, "absent.pth");
}
END_TEST

START_TEST(test_truncated) {
    size_t n;
    char *bytes = read_file(fixture_path("torch.pth"), &n);
    for (size_t length = 0; length < n; length++)
        ck_assert_int_eq(load_bytes(bytes, length), GN_E_FORMAT);
    ck_assert_int_eq(load_bytes(bytes, n), GN_OK);
}
END_TEST

/* Each byte changed in turn. Data that is changed is noticed by its sum. */
START_TEST(test_mutations) {
    size_t n;
    char *bytes = read_file(fixture_path("torch.pth"), &n);
    int accepted = 0;
    for (size_t at = 0; at < n; at++) {
        bytes[at] ^= 1 << at % 8;
        gn_status status = load_bytes(bytes, n);
        accepted += status == GN_OK;
        ck_assert_msg(status == GN_OK || status == GN_E_FORMAT || status == GN_E_UNSUPPORTED,
                      "byte %zu: %s", at, gn_status_name(status));
        bytes[at] ^= 1 << at % 8;
    }
    /* Padding, dates and the like: as long as nothing depends on them. */
    ck_assert_int_lt(accepted, (int)n * 3 / 4);
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_hostile_storages,
                            test_from_torch,
                            test_shared,
                            test_training_of_torch,
                            test_round_trip,
                            test_unfit_to_save,
                            test_hostile_pickles,
                            test_accepted_pickles,
                            test_expansion,
                            test_depth,
                            test_old,
                            test_truncated,
                            test_mutations,
                            NULL};
    temp_dir_make();
    int status = suite_run("pth", tests);
    temp_dir_remove();
    return status;
}
