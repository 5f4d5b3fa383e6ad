/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/runtime/loader.c, search.c and registry.c: plugins and device strings. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"
#include "tests/suite.h"

static char *saved_path; /* GENESIS_PLUGIN_PATH as it was */

static void set_path(const char *path) {
    if (path)
        setenv("GENESIS_PLUGIN_PATH", path, 1);
    else
        unsetenv("GENESIS_PLUGIN_PATH");
}

/* A folder of its own with the given plugin file, or none. */
static const char *make_folder(char folder[64], const char *file, const char *content) {
    char path[128];
    strcpy(folder, "/tmp/genesis-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    if (file) {
        snprintf(path, sizeof path, "%s/%s", folder, file);
        FILE *f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
        fputs(content, f);
        fclose(f);
    }
    return folder;
}

static void remove_folder(const char *folder, const char *file) {
    char path[128];
    if (file) {
        snprintf(path, sizeof path, "%s/%s", folder, file);
        unlink(path);
    }
    rmdir(folder);
}

/* Opens a device that can't be opened. */
static void expect_error(const char *device, gn_status status, const char *part) {
    ck_assert(!gn_device_available(device));
    ck_assert_int_eq(gn_error_status(), GN_OK);
    ck_assert_ptr_null(gn__device_get(device));
    ck_assert_int_eq(gn_error_status(), status);
    const char *text = take_error();
    ck_assert(contains(text, part));
    ck_assert(contains(text, device));
}

START_TEST(test_unfit_plugins) {
    set_path(test_plugins());
    expect_error("bad_version", GN_E_VERSION,
                 "it needs ABI 7.3, and this library speaks 0.1 to 0.2");
    expect_error("bad_slot", GN_E_FORMAT, "lacks the required function 'scatter'");
    expect_error("bad_entry", GN_E_FORMAT, "does not export gn_backend_entry");
    expect_error("bad_start", GN_E_DEVICE, "its entry failed: the firmware is missing");
    expect_error("no_device", GN_E_NOT_FOUND, "it finds no device: the driver is not installed");
    expect_error("bad_count", GN_E_FORMAT, "it counts -3 devices: 0 to 10000 can be");
    expect_error("bad_status", GN_E_INTERNAL,
                 "its entry failed: it answered 1, which is no status");
    set_path(saved_path);
}
END_TEST

START_TEST(test_descriptions) {
    static const char no_text[] = "it can't be described: a name that its plugin gives is no text";
    set_path(test_plugins());
    expect_error("bad_info", GN_E_FORMAT, no_text);
    expect_error("bad_info:1", GN_E_FORMAT, no_text);
    expect_error("bad_info:2", GN_E_INTERNAL, "described: it answered 7, which is no status");
    expect_error("bad_info:3", GN_E_DEVICE, "described: caf? ?[2J \xc3\xa9t\xc3\xa9");
    set_path(saved_path);
}
END_TEST

/* What a terminal shows as it is, and what would be something else than it looks like. */
START_TEST(test_texts) {
    static const char *const texts[] = {"", "cpu\t1\n", "\xc3\xa9", "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80"};
    static const char *const others[] = {"\x07",
                                         "\x7f",
                                         "\x80",
                                         "\xc3",
                                         "\xc3(",
                                         "\xc0\xaf",
                                         "\xe0\x80\xaf",
                                         "\xed\xa0\x80",
                                         "\xf0\x80\x80\x80",
                                         "\xe2\x82",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < GN_LENGTH(texts); i++) {
        const size_t length = strlen(texts[i]);
        ck_assert_msg(gn__is_text(texts[i], length + 1), "%s", texts[i]);
        ck_assert_msg(!gn__is_text(texts[i], length), "%s", texts[i]); /* its end is not reached */
    }
    for (size_t i = 0; i < GN_LENGTH(others); i++)
        ck_assert_msg(!gn__is_text(others[i], strlen(others[i]) + 1), "number %d", (int)i);
}
END_TEST

/* How the plugin's table is wrong, and what is said of it; NULL: it can be used. */
static const struct {
    const char *how, *text;
    gn_status status;
} tables[] = {
    {"none", "its entry gave no table", GN_E_FORMAT},
    {"size 0", "its table says that it has 0 bytes; a table of functions has 120 or somewhat more",
     GN_E_FORMAT},
    {"size 112", "its table says that it has 112 bytes;", GN_E_FORMAT},
    {"size 121", "its table says that it has 121 bytes;", GN_E_FORMAT},
    {"size 18446744073709551608", "its table says that it has 18446744073709551608 bytes;",
     GN_E_FORMAT},
    {"abi 0.0", "it was built for ABI 0.0, and this library speaks 0.1 to 0.2", GN_E_VERSION},
    {"abi 1.0", "it was built for ABI 1.0, and this library speaks 0.1 to 0.2", GN_E_VERSION},
    {"abi 4294967295.1", "it was built for ABI 4294967295.1,", GN_E_VERSION},
    {"name good", "it calls itself 'good', but its file says 'bad_table'", GN_E_FORMAT},
    {"empty count", "its table lacks the required function 'count'", GN_E_FORMAT},
    {"empty info", "its table lacks the required function 'info'", GN_E_FORMAT},
    {"empty open", "its table lacks the required function 'open'", GN_E_FORMAT},
    {"empty close", "its table lacks the required function 'close'", GN_E_FORMAT},
    {"empty alloc", "its table lacks the required function 'alloc'", GN_E_FORMAT},
    {"empty free", "its table lacks the required function 'free'", GN_E_FORMAT},
    {"empty upload", "its table lacks the required function 'upload'", GN_E_FORMAT},
    {"empty download", "its table lacks the required function 'download'", GN_E_FORMAT},
    {"empty map", "its table lacks the required function 'map'", GN_E_FORMAT},
    {"empty reduce", "its table lacks the required function 'reduce'", GN_E_FORMAT},
    {"empty scatter", "its table lacks the required function 'scatter'", GN_E_FORMAT},
    {"empty run", "its table has 'plan', but not 'run'", GN_E_FORMAT},
    {"size 120", NULL, GN_OK}, /* a plugin of a time when there was nothing optional */
    {"abi 0.9", NULL, GN_OK},  /* a later one that said it can do with this library */
};

START_TEST(test_tables) {
    for (size_t i = 0; i < GN_LENGTH(tables); i++) {
        gn_shutdown(); /* forgets a plugin that can be used */
        setenv("GENESIS_TEST_BAD_TABLE", tables[i].how, 1);
        if (tables[i].text)
            expect_error("bad_table", tables[i].status, tables[i].text);
        else
            ck_assert_msg(gn_device_available("bad_table"), "%s", tables[i].how);
    }
    unsetenv("GENESIS_TEST_BAD_TABLE");
    gn_shutdown();
    gn__device *device = gn__device_get("bad_table");
    ck_assert_msg(device != NULL, "%s", gn_error());
    ck_assert_uint_eq(device->table->struct_size, sizeof(gn_backend) + 4 * sizeof(void (*)(void)));
    ck_assert_ptr_nonnull(device->table->run);
    ck_assert_ptr_null(device->table->layer_open); /* not what lies behind the table */
}
END_TEST

START_TEST(test_short_table) {
    gn__device *device = gn__device_get("small_table");
    ck_assert_ptr_nonnull(device);
    ck_assert_ptr_null(device->table->program_create);
    ck_assert_ptr_null(device->table->row_map);
    ck_assert_ptr_null(device->table->shutdown);
    ck_assert_int_eq(gn_synchronize("small_table"), GN_OK);
    gn__storage *storage = gn__storage_new(device, 100);
    ck_assert_ptr_nonnull(storage);
    ck_assert_ptr_null(storage->host);
    gn__storage_release(storage);
}
END_TEST

START_TEST(test_missing_plugin) {
    char folder[64], path[256];
    make_folder(folder, NULL, NULL);
    snprintf(path, sizeof path, "%s::/no/such/folder", folder);
    set_path(path);
    expect_error("absent", GN_E_NOT_FOUND, "there is no plugin genesis_absent.so in /tmp/genesis-");
    expect_error("absent", GN_E_NOT_FOUND, "/no/such/folder (No such file or directory)");
    set_path(saved_path);
    remove_folder(folder, NULL);
}
END_TEST

START_TEST(test_damaged_file) {
    char folder[64];
    make_folder(folder, "genesis_bad.so", "This is no shared object.\n");
    set_path(folder);
    expect_error("bad", GN_E_FORMAT, "it can't be loaded: ");
    expect_error("bad", GN_E_FORMAT, "genesis_bad.so");
    set_path(saved_path);
    remove_folder(folder, "genesis_bad.so");
}
END_TEST

/* A whole plugin, the first bytes of which are all that was copied. */
START_TEST(test_cut_off) {
    char folder[64], path[128];
    static char bytes[1 << 21];
    FILE *whole = fopen(getenv("GENESIS_TEST_PLUGIN"), "rb");
    ck_assert_ptr_nonnull(whole);
    size_t n = fread(bytes, 1, sizeof bytes, whole);
    fclose(whole);
    for (size_t part = 1; part < 5; part++) {
        make_folder(folder, "genesis_bad.so", "");
        snprintf(path, sizeof path, "%s/genesis_bad.so", folder);
        FILE *f = fopen(path, "wb");
        ck_assert_ptr_nonnull(f);
        fwrite(bytes, 1, part < 4 ? n * part / 4 : 1000, f);
        fclose(f);
        set_path(folder);
        expect_error("bad", GN_E_FORMAT, "it is damaged: its end is missing");
        set_path(saved_path);
        remove_folder(folder, "genesis_bad.so");
    }
}
END_TEST

START_TEST(test_unreadable_folder) {
    char folder[64];
    make_folder(folder, NULL, NULL);
    set_path(folder);
    chmod(folder, 0);
    if (access(folder, R_OK) != 0) /* root may read everything */
        expect_error("absent", GN_E_NOT_FOUND, "(Permission denied)");
    chmod(folder, 0700);
    set_path(saved_path);
    remove_folder(folder, NULL);
}
END_TEST

START_TEST(test_device_strings) {
    ck_assert_ptr_null(gn__device_get("recorder:2"));
    ck_assert_int_eq(gn_error_status(), GN_E_NOT_FOUND);
    ck_assert(contains(take_error(), "recorder has 2 devices, 'recorder' to 'recorder:1'"));
    ck_assert_ptr_null(gn__device_get("small_table:1"));
    ck_assert(contains(take_error(), "small_table has one device, 'small_table'"));
    const char *const wrong[] = {"",     ":",      ":1",        "a b",    "../cpu",
                                 "cpu:", "cpu:1x", "cpu:99999", "cpu:1:2"};
    for (size_t i = 0; i < GN_LENGTH(wrong); i++) {
        ck_assert_ptr_null(gn__device_get(wrong[i]));
        ck_assert_int_eq(gn_error_status(), GN_E_ARGUMENT);
        ck_assert(contains(take_error(), "it is no device string"));
    }
    gn__device *first = gn__device_get("recorder"), *second = gn__device_get("recorder:1");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_ne(first, second);
    ck_assert_ptr_eq(gn__device_get("recorder:0"), first);
    ck_assert_ptr_eq(gn__device_get("recorder:01"), second);
    ck_assert_str_eq(first->name, "recorder");
    ck_assert_str_eq(second->name, "recorder:1");
    ck_assert_int_eq(second->ordinal, 1);
    ck_assert(gn__device_has_dtype(first, GN_F64));
}
END_TEST

START_TEST(test_questions) {
    gn_device_info info;
    ck_assert_int_eq(gn_device_count("recorder"), 2);
    ck_assert_int_eq(gn_device_count("no_device"), 0);
    ck_assert_int_eq(gn_device_count("absent"), 0);
    ck_assert_int_eq(gn_device_count("re/corder"), 0);
    ck_assert_int_eq(gn_device_count(NULL), 0);
    ck_assert(gn_device_available("recorder:1"));
    ck_assert(!gn_device_available("recorder:9"));
    ck_assert_int_eq(gn_error_status(), GN_OK);
    ck_assert_int_eq(gn_device_describe("recorder:1", &info), GN_OK);
    ck_assert_str_eq(info.name, "Fake device, another one");
    ck_assert_str_eq(info.vendor, "Fakes & Sons");
    ck_assert_int_eq(gn_device_describe("recorder:3", &info), GN_E_NOT_FOUND);
    gn_error_clear();
    ck_assert_int_eq(gn_device_describe("recorder", NULL), GN_E_ARGUMENT);
    ck_assert_int_eq(gn_synchronize("recorder"), GN_E_ARGUMENT); /* the error sticks */
}
END_TEST

START_TEST(test_default_device) {
    gn_shutdown();
    setenv("GENESIS_DEVICE", "recorder:1", 1);
    ck_assert_str_eq(gn_default_device(), "recorder:1");
    ck_assert_str_eq(gn__device_get(NULL)->name, "recorder:1");
    ck_assert_int_eq(gn_set_default_device("recorder:0"), GN_OK);
    ck_assert_str_eq(gn_default_device(), "recorder");
    ck_assert_str_eq(gn__device_get(NULL)->name, "recorder");
    ck_assert_int_eq(gn_set_default_device("recorder:7"), GN_E_NOT_FOUND);
    gn_error_clear();
    ck_assert_str_eq(gn_default_device(), "recorder");
    ck_assert_int_eq(gn_set_default_device(NULL), GN_E_ARGUMENT);
    gn_error_clear();
    gn_shutdown();
    setenv("GENESIS_DEVICE", "absent", 1);
    ck_assert_ptr_null(gn__device_get(NULL));
    ck_assert(contains(take_error(), "absent"));
    unsetenv("GENESIS_DEVICE");
    ck_assert_str_eq(gn_default_device(), "cpu");
}
END_TEST

START_TEST(test_shutdown_and_again) {
    recorder *state;
    gn__device *device = recorder_open("recorder", &state);
    const int opened = state->opened, closed = state->closed, shut_down = state->shut_down;
    gn__storage *kept = gn__storage_new(device, 1000);
    ck_assert_ptr_nonnull(kept);
    gn_shutdown();
    ck_assert_int_ge(state->closed, closed + 1);
    ck_assert_int_eq(state->opened, state->closed);
    ck_assert_int_eq(state->shut_down, shut_down + 1);
    ck_assert_uint_eq(state->used, 0);
    gn__storage_release(kept); /* its device is gone, but its record is not */
    gn_shutdown();
    ck_assert_int_eq(state->shut_down, shut_down + 1);
    device = recorder_open("recorder", &state);
    ck_assert_int_eq(state->opened, opened + 1);
    kept = gn__storage_new(device, 1000);
    ck_assert_ptr_nonnull(kept);
    gn__storage_release(kept);
}
END_TEST

static void *open_one(void *context) {
    (void)context;
    return gn__device_get("recorder:1");
}

START_TEST(test_opened_once) {
    enum { THREADS = 4 };
    recorder *state;
    gn_shutdown();
    recorder_open("recorder", &state);
    const int opened = state->opened;
    pthread_t threads[THREADS];
    void *device[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, open_one, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], &device[i]);
    ck_assert_int_eq(state->opened, opened + 1);
    for (int i = 0; i < THREADS; i++)
        ck_assert_ptr_eq(device[i], gn__device_get("recorder:1"));
}
END_TEST

/* ---- Visiting and probing */

typedef struct seen {
    int n;
    char order[64][64];
    gn_plugin_report recorder, others, folder, twin;
    const char *first_folder, *last_folder; /* before the installed one */
} seen;

static void look(const gn_plugin_report *report, void *context) {
    seen *s = context;
    const bool first = strncmp(report->path, s->first_folder, strlen(s->first_folder)) == 0;
    if (report->name[0] == '\0' && (first || strcmp(report->path, s->last_folder) == 0))
        *(first ? &s->others : &s->folder) = *report;
    else if (strcmp(report->name, "recorder") == 0)
        *(first ? &s->recorder : &s->twin) = *report;
    if (report->name[0] && s->n < 64)
        strcpy(s->order[s->n++], report->name);
    ck_assert_int_ge(gn_device_count("recorder"), 0); /* no lock is held here */
}

START_TEST(test_visit) {
    static seen s;
    char folder[64], path[2048], target[1024];
    make_folder(folder, "genesis_a b.so", "no plugin's name");
    snprintf(target, sizeof target, "%s/genesis_recorder.so", folder);
    snprintf(path, sizeof path, "%s/genesis_recorder.so", test_plugins());
    ck_assert_int_eq(symlink(path, target), 0);
    snprintf(path, sizeof path, "%s:/no/such/folder:%s:%s/.", test_plugins(), folder,
             test_plugins());
    set_path(path);
    memset(&s, 0, sizeof s);
    s.first_folder = test_plugins();
    s.last_folder = folder;
    ck_assert_int_eq(gn_plugins_visit(look, &s), GN_OK);
    ck_assert_int_eq(gn_error_status(), GN_OK);
    ck_assert_int_gt(s.n, 10);
    for (int i = 1; i < s.n - 1; i++) /* the last one is the twin */
        ck_assert_int_lt(strcmp(s.order[i - 1], s.order[i]), 0);
    ck_assert_str_eq(s.recorder.reason, "");
    ck_assert_str_eq(s.recorder.version, ""); /* it is not loaded */
    ck_assert(contains(s.others.reason, " other files, such as "));
    ck_assert(contains(s.others.reason, ": a plugin is named genesis_NAME.so"));
    ck_assert(contains(s.twin.reason, "not used: "));
    ck_assert(contains(s.twin.reason, s.recorder.path));
    ck_assert(contains(s.folder.reason, "another file, genesis_a b.so: a plugin is named"));
    ck_assert_int_eq(gn_plugins_visit(NULL, NULL), GN_E_ARGUMENT);
    gn_error_clear();
    s.last_folder = "/no/such/folder";
    set_path(s.last_folder);
    ck_assert_int_eq(gn_plugins_visit(look, &s), GN_OK);
    ck_assert(contains(s.folder.reason, "the folder can't be read: No such file or directory"));
    set_path(saved_path);
    unlink(target);
    remove_folder(folder, "genesis_a b.so");
}
END_TEST

/* Probes a plugin for tests. */
static gn_plugin_report probe(const char *name) {
    char path[1024];
    gn_plugin_report report;
    snprintf(path, sizeof path, "%s/genesis_%s.so", test_plugins(), name);
    ck_assert_int_eq(gn_plugin_probe(path, &report), GN_OK);
    ck_assert_int_eq(gn_error_status(), GN_OK);
    ck_assert_str_eq(report.path, path);
    ck_assert_str_eq(report.name, name);
    return report;
}

START_TEST(test_probe) {
    gn_plugin_report report = probe("recorder");
    ck_assert_str_eq(report.reason, "");
    ck_assert_str_eq(report.version, "1.2.3");
    ck_assert_int_eq(report.n_devices, 2);
    ck_assert_uint_eq(report.abi_major, GN_ABI_MAJOR);
    ck_assert_uint_eq(report.abi_minor, GN_ABI_MINOR);
    ck_assert(!report.layer);
    report = probe("veil");
    ck_assert_str_eq(report.reason, "");
    ck_assert_int_eq(report.n_devices, 0);
    ck_assert(report.layer);
    report = probe("bad_slot");
    ck_assert(contains(report.reason, "scatter"));
    ck_assert_str_eq(report.version, "");
    report = probe("absent");
    ck_assert(contains(report.reason, "genesis_absent.so: No such file or directory"));
    ck_assert_int_eq(gn_plugin_probe("/tmp/libm.so", &report), GN_E_ARGUMENT);
    ck_assert(contains(take_error(), "/tmp/libm.so: a plugin is named genesis_NAME.so"));
    ck_assert_int_eq(gn_plugin_probe(NULL, &report), GN_E_ARGUMENT);
    gn_error_clear();
}
END_TEST

int main(void) {
    add_test_plugins();
    const char *path = getenv("GENESIS_PLUGIN_PATH");
    saved_path = path ? strdup(path) : NULL;
    const TTest *tests[] = {test_unfit_plugins,
                            test_descriptions,
                            test_texts,
                            test_tables,
                            test_short_table,
                            test_missing_plugin,
                            test_damaged_file,
                            test_cut_off,
                            test_unreadable_folder,
                            test_device_strings,
                            test_questions,
                            test_default_device,
                            test_shutdown_and_again,
                            test_opened_once,
                            test_visit,
                            test_probe,
                            NULL};
    int failed = suite_run("loader", tests);
    free(saved_path);
    return failed;
}
