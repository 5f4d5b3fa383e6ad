/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/runtime/plan.c; plans and launches of many threads. */
#include <pthread.h>
#include <string.h>

#include "program/program.h"
#include "support.h"
#include "tests/suite.h"

static const char op[] = "test_op";

static gn_plan_desc describe(gn_tensor_desc tensors[3], gn_matmul_attr *attr, int64_t m) {
    for (int i = 0; i < 3; i++)
        tensors[i] = (gn_tensor_desc){.dtype = GN_F32,
                                      .n_dims = 2,
                                      .size = {m, m, 99}, /* what is beyond n_dims does not count */
                                      .stride = {m, 1, m},
                                      .alignment = 256};
    *attr = (gn_matmul_attr){.struct_size = sizeof *attr};
    return (gn_plan_desc){.struct_size = sizeof(gn_plan_desc),
                          .kernel = GN_KERNEL_MATMUL,
                          .n_tensors = 3,
                          .tensor_size = sizeof *tensors,
                          .tensors = tensors,
                          .attributes = attr};
}

START_TEST(test_plans) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    gn_tensor_desc tensors[3];
    gn_matmul_attr attr;
    state->workspace_bytes = 3000;
    gn_plan_desc desc = describe(tensors, &attr, 16);
    const gn__plan *plan = gn__plan_get(device, op, &desc, sizeof attr);
    ck_assert_ptr_nonnull(plan);
    ck_assert_ptr_nonnull(plan->handle);
    ck_assert_uint_eq(plan->saved_bytes, 24);
    tensors[1].size[2] = 7;
    ck_assert_ptr_eq(gn__plan_get(device, op, &desc, sizeof attr), plan);
    ck_assert_int_eq(state->plans, 1);
    attr.activation = GN_ACTIVATION_RELU;
    ck_assert_ptr_ne(gn__plan_get(device, op, &desc, sizeof attr), plan);
    attr.activation = 0;
    tensors[0].stride[0] = 17;
    ck_assert_ptr_ne(gn__plan_get(device, op, &desc, sizeof attr), plan);
    ck_assert_int_eq(state->plans, 3);

    gn__storage *s = gn__storage_new(device, 4096), *saved = gn__storage_new(device, 24);
    const gn__pointer pointers[4] = {{s, 0}, {s, 16}, {s, 32}, {NULL, 0}};
    ck_assert_int_eq(gn__plan_run(device, op, plan, pointers, 4, saved), GN_OK);
    ck_assert_uint_eq(state->run.n_tensors, 4);
    ck_assert_uint_eq(state->run_tensors[1].offset, s->offset + 16);
    ck_assert_ptr_null(state->run_tensors[3].mem);
    ck_assert_ptr_eq(state->run.saved.mem, saved->mem);
    ck_assert_ptr_nonnull(state->run.workspace.mem);
    state->answer = GN_E_DEVICE;
    ck_assert_int_eq(gn__plan_run(device, op, plan, pointers, 4, NULL), GN_E_DEVICE);
    ck_assert(contains(take_error(), "test_op: device error"));
    gn__storage_release(s);
    gn__storage_release(saved);
    gn_shutdown();
    ck_assert_int_eq(state->plan_releases, 3);
}
END_TEST

START_TEST(test_declined_plans) {
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    gn_tensor_desc tensors[3];
    gn_matmul_attr attr;
    gn_plan_desc desc = describe(tensors, &attr, 16);
    state->plan_answer = GN_E_UNSUPPORTED;
    for (int i = 0; i < 3; i++) {
        const gn__plan *plan = gn__plan_get(device, "matmul", &desc, sizeof attr);
        ck_assert_ptr_nonnull(plan);
        ck_assert_ptr_null(plan->handle);
        if (i == 0)
            ck_assert_int_eq(gn__plan_run(device, op, plan, NULL, 0, NULL), GN_E_INTERNAL);
        gn_error_clear();
    }
    ck_assert_int_eq(state->plans, 1);
    const gn__plan *none = gn__plan_get(gn__device_get("small_table"), "conv", &desc, sizeof attr);
    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_null(none->handle);
    state->plan_answer = GN_E_LOST;
    desc = describe(tensors, &attr, 17);
    ck_assert_ptr_null(gn__plan_get(device, "matmul", &desc, sizeof attr));
    ck_assert_str_eq(take_error(), "matmul: device lost: these strides are too wild (on recorder)");
    state->plan_answer = GN_OK; /* a failure is not kept */
    ck_assert_ptr_nonnull(gn__plan_get(device, "matmul", &desc, sizeof attr)->handle);
}
END_TEST

/* ---- Threads */

typedef struct worker {
    gn__device *device;
    gn__storage *storage;
    bool failed;
} worker;

static void *launch_often(void *context) {
    worker *w = context;
    const int64_t size[] = {8};
    gn__operand operands[3];
    for (int k = 0; k < 3; k++)
        operands[k] = dense(w->storage, 1, size);
    gn_tensor_desc tensors[3];
    gn_matmul_attr attr;
    for (int i = 0; i < 300 && !w->failed; i++) {
        gn__builder *b = gn__builder_new("plus", 0);
        int x = gn__build_operand(b, GN_READ, GN_F32), y = gn__build_operand(b, GN_WRITE, GN_F32);
        gn__store(b, y, gn__emit(b, GN_OP_ADD, gn__load(b, x), gn__const_f(b, GN_F32, i + 1), 0));
        const gn__launch l = {op, gn__builder_finish(b), 1, 0, size, operands, NULL};
        gn_plan_desc desc = describe(tensors, &attr, i % 20 + 1);
        const gn__plan *plan = gn__plan_get(w->device, op, &desc, sizeof attr);
        const gn__pointer pointer = {w->storage, 0};
        w->failed = gn__launch_run(w->device, &l) != GN_OK || plan == NULL ||
                    gn__plan_run(w->device, op, plan, &pointer, 1, NULL) != GN_OK ||
                    gn__device_get("recorder") != w->device;
    }
    return NULL;
}

START_TEST(test_many_threads) {
    enum { THREADS = 4 };
    recorder *state;
    gn_shutdown();
    gn__device *device = recorder_open("recorder", &state);
    state->workspace_bytes = 100;
    pthread_t threads[THREADS];
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){device, gn__storage_new(device, 4096), false};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, launch_often, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(!workers[i].failed);
        gn__storage_release(workers[i].storage);
    }
    ck_assert_int_eq(state->creates, 300);
    ck_assert_int_eq(state->plans, 20);
    ck_assert_int_eq(state->maps, THREADS * 300);
    ck_assert_int_eq(state->most_inside, 1); /* never two calls at a time on a stream */
}
END_TEST

int main(void) {
    add_test_plugins();
    const TTest *tests[] = {test_plans, test_declined_plans, test_many_threads, NULL};
    return suite_run("plan", tests);
}
