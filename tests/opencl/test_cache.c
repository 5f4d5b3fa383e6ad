/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of backends/opencl/cache.c and compile.c: kernels on disk, and what becomes of a kernel that
 * no driver compiles. Whether a kernel comes from the cache shows when the driver refuses every
 * source (tests/plugins/opencl_faults.c). */
#include <genesis/genesis.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

enum { AT_ONCE = 4 };

static char folder[4096]; /* the cache of the test */

/* 2 x + 1 by one kernel. */
static int computes(void) {
    double y[3] = {0};
    EXPECT(gn_set_default_device("opencl") == GN_OK);
    gn_scope scope = gn_scope_begin();
    const float values[] = {1, 2, 3};
    gn_tensor *x = gn_tensor_of(values, 3);
    EXPECT(gn_copy_out(gn_map("2 * x + 1", x), y, GN_F64, 3) == GN_OK);
    EXPECT(y[0] == 3 && y[1] == 5 && y[2] == 7);
    EXPECT(gn_scope_end(scope) == GN_OK);
    return 0;
}

static void compute(void) { child_run((const char *const[]){NULL}, computes); }
static void compute_from_cache(void) { child_run_with_fault("source", computes); }

/* ---- Files of the cache */

static int n_files;

static void each_file(void (*visit)(const char *path)) {
    char path[8192];
    DIR *opened = opendir(folder);
    ck_assert_msg(opened != NULL, "there is no folder %s", folder);
    n_files = 0;
    for (struct dirent *entry; (entry = readdir(opened)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        n_files++;
        if (visit)
            visit(path);
    }
    closedir(opened);
}

static void remove_file(const char *path) { ck_assert_int_eq(unlink(path), 0); }

static void cut_file(const char *path) {
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(truncate(path, status.st_size / 2), 0);
}

static void empty_file(const char *path) { ck_assert_int_eq(truncate(path, 0), 0); }

static void write_at(const char *path, off_t offset, const char *bytes) {
    const int file = open(path, O_WRONLY);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pwrite(file, bytes, strlen(bytes), offset), (ssize_t)strlen(bytes));
    ck_assert_int_eq(close(file), 0);
}

static void spoil_magic(const char *path) { write_at(path, 0, "ELF"); }
static void spoil_key(const char *path) { write_at(path, 9, "key"); }
static void spoil_sum(const char *path) { write_at(path, 34, "sum"); }
static void spoil_bytes(const char *path) { write_at(path, 2000, "spoilt"); }

static void begin(void) {
    temp_dir_make();
    snprintf(folder, sizeof folder, "%s", temp_dir_path(""));
    setenv("GENESIS_CACHE_DIR", folder, 1);
    strcat(folder, "/opencl");
}

static void end(void) {
    if (access(folder, F_OK) == 0) {
        each_file(remove_file);
        ck_assert_int_eq(rmdir(folder), 0);
    }
    temp_dir_remove();
}

/* ---- Tests */

START_TEST(test_kept) {
    begin();
    compute();
    each_file(NULL);
    ck_assert_int_gt(n_files, 0);
    compute_from_cache();
    end();
}
END_TEST

START_TEST(test_damage) {
    void (*const damages[])(const char *) = {cut_file,  empty_file, spoil_magic,
                                             spoil_key, spoil_sum,  spoil_bytes};
    begin();
    compute();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        each_file(damages[i]);
        compute(); /* and writes the file again */
        compute_from_cache();
    }
    end();
}
END_TEST

/* Processes that compile the same and write the same files. */
START_TEST(test_processes) {
    pid_t children[AT_ONCE];
    begin();
    for (int i = 0; i < AT_ONCE; i++)
        children[i] = child_start((const char *const[]){NULL}, computes);
    for (int i = 0; i < AT_ONCE; i++)
        child_join(children[i]);
    compute_from_cache();
    end();
}
END_TEST

START_TEST(test_no_folder) {
    setenv("GENESIS_CACHE_DIR", "", 1);
    compute();
    setenv("GENESIS_CACHE_DIR", "/dev/null", 1);
    compute();
    setenv("GENESIS_CACHE_DIR", "/proc/none", 1);
    compute();
}
END_TEST

/* The file that was not used for the longest time goes when there is too much. */
START_TEST(test_bound) {
    char old[8192];
    begin();
    compute();
    snprintf(old, sizeof old, "%s/0.bin", folder);
    const int file = open(old, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(ftruncate(file, 300 << 20), 0); /* takes no room on the disk */
    ck_assert_int_eq(futimens(file, (struct timespec[2]){{.tv_sec = 1}, {.tv_sec = 1}}), 0);
    ck_assert_int_eq(close(file), 0);
    compute_from_cache();
    ck_assert_int_eq(access(old, F_OK), 0); /* nothing was written */
    each_file(spoil_magic);
    compute();
    ck_assert_int_ne(access(old, F_OK), 0);
    compute_from_cache();
    end();
}
END_TEST

/* ---- A driver that compiles nothing */

static int reports(void) {
    char path[4096] = "", text[65536];
    EXPECT(gn_set_default_device("opencl") == GN_OK);
    gn_scope scope = gn_scope_begin();
    EXPECT(gn_sigmoid(gn_zeros(3)) == NULL);
    EXPECT(strstr(gn_error(), "the driver does not compile the kernel of") != NULL);
    EXPECT(strstr(gn_error(), "this driver refuses") != NULL);
    const char *named = strstr(gn_error(), folder);
    EXPECT(named != NULL && sscanf(named, "%4095[^:]", path) == 1);
    FILE *file = fopen(path, "r");
    EXPECT(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    EXPECT(strstr(text, "\ndevice   ") != NULL && strstr(text, "this driver refuses") != NULL);
    EXPECT(strstr(text, "KERNEL") != NULL);
    gn_error_clear();
    gn_scope_end(scope);
    return 0;
}

START_TEST(test_refused) {
    begin();
    child_run_with_fault("source", reports);
    end();
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_kept,    test_damage, test_processes, test_no_folder, test_bound,
                            test_refused, NULL};
    return suite_run("opencl: cache", tests);
}
