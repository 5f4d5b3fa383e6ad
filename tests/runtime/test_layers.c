/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of layers: their device strings (registry.c), the tables through them (loader.c), and the
 * host's service device_open (complete.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/genesis.h>

#include "program/program.h"
#include "support.h"
#include "tests/suite.h"

static void expect_no_device(const char *text, gn_status status, const char *part) {
    ck_assert_ptr_null(gn__device_get(text));
    ck_assert_str_eq(gn_status_name(gn_error_status()), gn_status_name(status));
    ck_assert(contains(take_error(), part));
}

START_TEST(test_strings) {
    gn__device *ref = gn__device_get("ref"), *one = gn__device_get("veil:ref"),
               *two = gn__device_get("veil:veil:ref");
    ck_assert_msg(one && two, "%s", gn_error());
    ck_assert_str_eq(one->name, "veil:ref");
    ck_assert_str_eq(two->name, "veil:veil:ref");
    ck_assert_ptr_eq(one->below, ref);
    ck_assert_ptr_eq(two->below, one);
    ck_assert_ptr_eq(two->bottom, ref);
    ck_assert_ptr_eq(gn__device_get("veil:veil:ref:0"), two);
    ck_assert_ptr_eq(gn__device_get("veil:ref:00"), one);
    ck_assert_ptr_ne(gn__device_get("veil:recorder:1"), gn__device_get("veil:recorder"));
    ck_assert_int_eq(gn__device_get("veil:recorder:1")->ordinal, 1);

    expect_no_device("veil", GN_E_ARGUMENT, "is a layer, which stands in front of a device, as in");
    expect_no_device("veil:1", GN_E_ARGUMENT, "it is a layer");
    expect_no_device("ref:ref", GN_E_ARGUMENT, "'ref' is no layer");
    expect_no_device("ref:veil:ref", GN_E_ARGUMENT, "'ref' is no layer");
    expect_no_device("veil:absent", GN_E_NOT_FOUND, "there is no plugin genesis_absent.so");
    expect_no_device("absent:ref", GN_E_NOT_FOUND, "there is no plugin genesis_absent.so");
    expect_no_device("veil:ref:1", GN_E_NOT_FOUND, "ref has one device");
    expect_no_device("veil::ref", GN_E_ARGUMENT, "it is no device string");
    expect_no_device("veil:ref:1:2", GN_E_ARGUMENT, "it is no device string");
    expect_no_device("veil:veil:veil:veil:veil:veil:veil:veil:veil:veil:veil:veil:veil:ref",
                     GN_E_ARGUMENT, "it is no device string");
    setenv("GENESIS_TEST_VEIL_REFUSES", "the veil is torn", 1);
    expect_no_device("veil:small_table", GN_E_STATE, "it can't be opened: the veil is torn");
    unsetenv("GENESIS_TEST_VEIL_REFUSES");
}
END_TEST

/* A layer has the optional functions that the device below has, too. */
START_TEST(test_tables) {
    const gn_backend *table = gn__device_get("veil:ref")->table;
    ck_assert_ptr_null(table->plan);
    ck_assert_ptr_null(table->row_map);
    ck_assert_ptr_null(table->synchronise);
    ck_assert_ptr_null(table->layer_open);
    ck_assert_ptr_nonnull(table->map);
    table = gn__device_get("veil:veil:recorder")->table;
    ck_assert_ptr_nonnull(table->plan);
    ck_assert_ptr_nonnull(table->row_map);
    ck_assert_ptr_nonnull(table->synchronise);
    ck_assert_ptr_null(table->event_create);
    ck_assert_ptr_nonnull(table->count);
    ck_assert_ptr_null(table->shutdown);
}
END_TEST

/* Scratch that the backend asks for with its own device goes back after the layer's call. */
START_TEST(test_scratch) {
    recorder *state;
    recorder_open("recorder", &state);
    gn__device *device = gn__device_get("veil:recorder");
    gn__storage *x = floats_new(device, 8, NULL);
    gn__builder *b = gn__builder_new("fill", 0);
    gn__store(b, gn__build_operand(b, GN_WRITE, GN_F32), gn__const_f(b, GN_F32, 1));
    const gn_program *program = gn__builder_finish(b);
    const int64_t size[] = {8};
    const gn__operand operand = dense(x, 1, size);
    const gn__launch l = {"fill", program, 1, 0, size, &operand, NULL};
    gn_memory_stats stats;
    state->scratch_bytes = 1000;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(gn__launch_run(device, &l), GN_OK);
        ck_assert_int_eq(state->call.tag, gn__tag("fill"));
        ck_assert_ptr_nonnull(state->scratch.mem);
        ck_assert_int_eq(gn_memory_stats_get("recorder", &stats), GN_OK);
        ck_assert_uint_eq(stats.allocated, 0);
    }
    state->scratch_bytes = 0;
    gn__storage_release(x);
}
END_TEST

START_TEST(test_describe) {
    gn_device_info info;
    ck_assert_int_eq(gn_device_describe("veil:veil:recorder:1", &info), GN_OK);
    ck_assert_str_eq(info.name, "Fake device, another one");
    ck_assert_int_eq(gn_device_describe("recorder:veil", &info), GN_E_ARGUMENT);
    gn_error_clear();
    ck_assert_int_eq(gn_device_count("veil"), 0);
    ck_assert(gn_device_available("veil:ref"));
    ck_assert(!gn_device_available("veil"));
}
END_TEST

/* The same numbers through layers, on the device of the run; again after a shutdown. */
START_TEST(test_training) {
    char text[64];
    snprintf(text, sizeof text, "veil:veil:%s", getenv("GENESIS_DEVICE"));
    double loss[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(gn_set_default_device(i ? text : getenv("GENESIS_DEVICE")), GN_OK);
        gn_manual_seed(3);
        gn_module *net = gn_nn_sequential(gn_nn_linear(6, 5), gn_nn_relu(), gn_nn_linear(5, 3));
        gn_optimizer *adam = gn_optim_adam(gn_parameters(net));
        gn_tensor *x = gn_randn(4, 6), *y = gn_zeros_with(GN_SHAPE(4), GN_AS(.dtype = GN_I64));
        for (int step = 0; step < 3; step++) {
            gn_tensor *l = gn_cross_entropy(gn_forward(net, x), y);
            gn_zero_grad(adam);
            gn_backward(l);
            gn_step(adam);
            loss[i] = gn_item(l);
        }
        ck_assert_str_eq(gn_error(), "");
        gn_shutdown();
    }
    ck_assert(loss[0] == loss[1] && loss[0] > 0);
}
END_TEST

/* ---- device_open */

/* A program of rows, which `ref` has to run in pieces, and a plan, which is composed, with the same
 * device open for the program itself. */
START_TEST(test_device_open) {
    const gn_backend *table;
    gn_device *device;
    ck_assert_int_eq(gn__host.device_open("ref", &table, &device), GN_OK);
    const size_t bytes = 6 * sizeof(float);
    const float values[6] = {1, 2, 5, 3, 3, 6};
    float back[6];
    gn_mem *x = NULL, *y = NULL;
    ck_assert_int_eq(table->alloc(device, bytes, &x), GN_OK);
    ck_assert_int_eq(table->alloc(device, bytes, &y), GN_OK);
    ck_assert_int_eq(table->upload(device, NULL, x, 0, values, bytes), GN_OK);

    gn__builder *b = gn__builder_new("normalise", 0);
    int in = gn__build_operand(b, GN_READ, GN_F32), out = gn__build_operand(b, GN_WRITE, GN_F32);
    int sum = gn__reduce_value(b, GN_SUM, gn__load(b, in), 0);
    gn__elements(b);
    gn__store(b, out, gn__emit(b, GN_OP_DIV, gn__load(b, in), sum, 0));
    const int64_t size[] = {2, 3};
    const gn_operand operands[] = {{.mem = x, .stride = {3, 1}}, {.mem = y, .stride = {3, 1}}};
    const gn_call call = {.struct_size = sizeof call,
                          .tag = 77, /* none of the host's */
                          .program = gn__builder_finish(b),
                          .n_dims = 2,
                          .n_reduced = 1,
                          .n_operands = 2,
                          .operand_size = sizeof *operands,
                          .size = size,
                          .operands = operands};
    ck_assert_int_eq(table->row_map(device, NULL, &call), GN_OK);
    ck_assert_int_eq(table->download(device, NULL, back, y, 0, bytes), GN_OK);
    for (int i = 0; i < 6; i++)
        ck_assert(back[i] == values[i] / (i < 3 ? 8 : 12));

    const gn_tensor_desc tensors[] = {
        {.dtype = GN_F32, .n_dims = 2, .size = {2, 1}, .stride = {1, 1}, .alignment = 4},
        {.dtype = GN_F32, .n_dims = 2, .size = {2, 3}, .stride = {3, 1}, .alignment = 4},
        {.dtype = GN_F32, .n_dims = 2, .size = {3, 1}, .stride = {1, 1}, .alignment = 4},
        {.n_dims = -1}};
    const gn_matmul_attr attr = {.struct_size = sizeof attr};
    const gn_plan_desc desc = {.struct_size = sizeof desc,
                               .kernel = GN_KERNEL_MATMUL,
                               .n_tensors = 4,
                               .tensor_size = sizeof *tensors,
                               .tensors = tensors,
                               .attributes = &attr};
    gn_plan_info info = {.struct_size = sizeof info};
    gn_plan *plan;
    ck_assert_int_eq(table->plan(device, &desc, &info, &plan), GN_OK);
    const gn_pointer pointers[] = {{y, 0}, {x, 0}, {x, 2 * sizeof(float)}, {NULL, 0}};
    const gn_run run = {
        .struct_size = sizeof run, .plan = plan, .n_tensors = 4, .tensors = pointers};
    ck_assert_int_eq(table->run(device, NULL, &run), GN_OK);
    table->plan_release(device, plan);
    ck_assert_int_eq(table->download(device, NULL, back, y, 0, 2 * sizeof(float)), GN_OK);
    ck_assert(back[0] == 1 * 5 + 2 * 3 + 5 * 3 && back[1] == 3 * 5 + 3 * 3 + 6 * 3);

    char report[256];
    gn_fallback_report(report, sizeof report);
    ck_assert_str_eq(report, ""); /* what plugins compose is none of the program's */
    table->free(device, x);
    table->free(device, y);
    table->close(device);
}
END_TEST

/* Errors are answered and stick to nothing. */
START_TEST(test_device_open_fails) {
    const gn_backend *table;
    gn_device *device;
    gn_mem *mem;
    ck_assert_int_eq(gn__host.device_open("absent", &table, &device), GN_E_NOT_FOUND);
    ck_assert(contains(gn__late_text(GN_E_NOT_FOUND), "genesis_absent.so"));
    ck_assert_int_eq(gn__host.device_open("veil:ref", &table, &device), GN_OK);
    ck_assert_int_eq(table->alloc(device, UINT64_MAX, &mem), GN_E_MEMORY);
    ck_assert_int_eq(gn_error_status(), GN_OK);
    ck_assert_int_eq(table->alloc(device, 16, &mem), GN_OK);
    char byte;
    ck_assert_int_lt(table->download(device, NULL, &byte, mem, 16, 1), GN_OK);
    ck_assert_int_eq(gn_error_status(), GN_OK);
    table->free(device, mem);
    table->close(device);
    ck_assert_ptr_null(table->stream_create);
}
END_TEST

START_TEST(test_tags) {
    static const char name[] = "an operation";
    ck_assert_str_eq(gn__host.tag_text(gn__tag(name)), name);
    ck_assert_str_eq(gn__host.tag_text(0), "");
    ck_assert_str_eq(gn__host.tag_text(4711), "");
    ck_assert_str_eq(gn__host.tag_text(UINT64_MAX), "");
    ck_assert_str_eq(gn__host.tag_text(gn__tag(name) ^ 64), "");
}
END_TEST

int main(void) {
    add_test_plugins();
    const TTest *tests[] = {test_strings,           test_tables,   test_scratch,
                            test_describe,          test_training, test_device_open,
                            test_device_open_fails, test_tags,     NULL};
    return suite_run("layers", tests);
}
