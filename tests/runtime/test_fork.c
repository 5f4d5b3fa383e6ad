/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of fork(): a device that was opened before is dead in the child, and nothing else. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"
#include "tests/suite.h"

static gn__device *device;
static gn__storage *storage;

/* Everything that touches the device says so. The child answers by its exit status: 0, or the
 * number of the line that failed. */
#define EXPECT(condition)                                                                          \
    if (!(condition))                                                                              \
        return __LINE__ % 250 + 1;

static int use_in_child(void) {
    float value = 0;
    gn_memory_stats stats;
    EXPECT(gn__device_get(device->name) == NULL);
    EXPECT(gn_error_status() == GN_E_FORKED);
    EXPECT(contains(gn_error(), "before fork()"));
    gn_error_clear();
    EXPECT(gn__storage_new(device, 10) == NULL && gn_error_status() == GN_E_FORKED);
    gn_error_clear();
    EXPECT(gn__upload(storage, 0, &value, sizeof value) == GN_E_FORKED);
    gn_error_clear();
    EXPECT(gn__download(&value, storage, 0, sizeof value) == GN_E_FORKED);
    gn_error_clear();
    EXPECT(gn_synchronize(device->name) == GN_E_FORKED);
    gn_error_clear();
    EXPECT(gn_memory_stats_get(device->name, &stats) == GN_E_FORKED);
    gn_error_clear();
    EXPECT(gn_set_default_device(device->name) == GN_E_FORKED);
    gn_error_clear();
    gn_program program = {.n_parts = 1};
    const gn__launch launch = {.op = "op", .program = &program};
    EXPECT(gn__launch_run(device, &launch) == GN_E_FORKED);
    gn_error_clear();
    EXPECT(gn__launch_many(device, &launch, 1) == GN_E_FORKED);
    gn_error_clear();
    EXPECT(gn__launch_scatter(device, "op", 0, 0, NULL, GN_F32, 0, false, NULL) == GN_E_FORKED);
    gn_error_clear();
    gn_plan_desc desc = {.n_tensors = 0};
    EXPECT(gn__plan_get(device, "op", &desc, 0) == NULL && gn_error_status() == GN_E_FORKED);
    gn_error_clear();
    EXPECT(!gn_device_available(device->name));
    EXPECT(gn_error_status() == GN_OK);
    EXPECT(gn_device_available("small_table")); /* not used before: all right */
    gn__storage_release(storage);
    gn_shutdown();
    return 0;
}

static int run_in_child(int (*run)(void)) {
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(run());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(test_child) {
    const char *const names[] = {"recorder:1", NULL};
    for (size_t i = 0; i < GN_LENGTH(names); i++) {
        device = gn__device_get(names[i]);
        ck_assert_msg(device != NULL, "%s", gn_error());
        storage = gn__storage_new(device, 1000);
        ck_assert_ptr_nonnull(storage);
        ck_assert_int_eq(run_in_child(use_in_child), 0);
        /* the parent goes on */
        float value = 3, back = 0;
        ck_assert_int_eq(gn__upload(storage, 0, &value, sizeof value), GN_OK);
        ck_assert_int_eq(gn__download(&back, storage, 0, sizeof value), GN_OK);
        ck_assert(back == 3);
        gn__storage_release(storage);
        gn_shutdown();
    }
}
END_TEST

static int other_ordinal_in_child(void) {
    EXPECT(gn__device_get("recorder:1") == NULL);
    EXPECT(gn_error_status() == GN_E_FORKED);
    gn_error_clear();
    EXPECT(gn_device_count("recorder") == 2); /* counting is no use */
    return 0;
}

START_TEST(test_other_device_of_the_plugin) {
    ck_assert_ptr_nonnull(gn__device_get("recorder"));
    ck_assert_int_eq(run_in_child(other_ordinal_in_child), 0);
}
END_TEST

static int open_in_child(void) {
    EXPECT(gn__device_get("recorder") != NULL);
    gn_shutdown();
    return 0;
}

START_TEST(test_fork_before_use) {
    gn_shutdown();
    ck_assert_int_eq(gn_device_count("recorder"), 2);
    ck_assert_int_eq(run_in_child(open_in_child), 0);
    ck_assert_ptr_nonnull(gn__device_get("recorder"));
}
END_TEST

START_TEST(test_plugin_forks_while_it_opens) {
    recorder *state;
    gn_shutdown();
    recorder_open("recorder", &state);
    state->fork_in_open = 1;
    ck_assert_ptr_nonnull(gn__device_get("recorder:1"));
    ck_assert_ptr_nonnull(gn__device_get("recorder"));
    state->fork_in_open = 0;
}
END_TEST

int main(void) {
    add_test_plugins();
    const TTest *tests[] = {test_plugin_forks_while_it_opens, test_child,
                            test_other_device_of_the_plugin, test_fork_before_use, NULL};
    return suite_run("fork", tests);
}
