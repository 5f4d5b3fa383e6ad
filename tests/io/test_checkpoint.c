/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/io/checkpoint.c: a training that is interrupted goes on as if it were not. */
#include <string.h>

#include <genesis/genesis.h>

#include "tests/expect.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

enum { STEPS = 6, BREAK = 3, BATCH = 4 };

/* Everything that a training has. */
typedef struct training {
    gn_module *model;
    gn_optimizer *optimizer;
    gn_scheduler *schedule;
} training;

static training begin(uint64_t seed) {
    gn_manual_seed(seed);
    training t;
    t.model = gn_nn_sequential(gn_nn_linear(5, 8), gn_nn_batch_norm1d(8), gn_nn_relu(),
                               gn_nn_dropout(0.5), gn_nn_linear(8, 2));
    t.optimizer = gn_optim_adamw(gn_parameters(t.model), .lr = 1e-2, .amsgrad = true);
    t.schedule = gn_lr_one_cycle(t.optimizer, 1e-2, STEPS);
    return t;
}

/* Steps `from` .. `to` - 1, on random data; the losses. */
static void train(training *t, int from, int to, double *losses) {
    for (int step = from; step < to; step++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *y = gn_forward(t->model, gn_randn(BATCH, 5));
        gn_tensor *loss = gn_mean(gn_square(gn_sub(y, gn_rand(BATCH, 2))));
        gn_zero_grad(t->optimizer);
        gn_backward(loss);
        gn_step(t->optimizer);
        gn_scheduler_step(t->schedule);
        losses[step] = gn_item(loss);
        ck_assert_msg(gn_scope_end(scope) == GN_OK, "%s", gn_error());
    }
}

START_TEST(test_resume) {
    double whole[STEPS], parts[STEPS];
    training a = begin(3), b = begin(3), c;
    gn_manual_seed(11);
    train(&a, 0, STEPS, whole);
    gn_manual_seed(11);
    train(&b, 0, BREAK, parts);
    gn_dict *extra = gn_dict_new();
    gn_dict_set(extra, "best", 0.75);
    gn_dict_set(extra, "note", "half way");
    gn_dict_set(extra, "history", gn_ones(3));
    const char *path = temp_dir_path("run.pth");
    ck_assert_msg(gn_save_checkpoint(path, b.model, b.optimizer, .scheduler = b.schedule,
                                     .epoch = BREAK, .extra = extra) == GN_OK,
                  "%s", gn_error());
    c = begin(4); /* other weights, other random numbers */
    gn_dict *run = gn_load_checkpoint(path, c.model, c.optimizer, .scheduler = c.schedule);
    ck_assert_msg(run != NULL, "%s", gn_error());
    ck_assert_int_eq(gn_dict_get_int(run, "epoch", 0), BREAK);
    ck_assert_double_eq(gn_dict_get_float(run, "best", 0), 0.75);
    ck_assert_str_eq(gn_dict_get_string(run, "note"), "half way");
    ck_assert_int_eq(gn_numel(gn_dict_get(run, "history")), 3);
    ck_assert_double_eq(gn_get_lr(c.optimizer), gn_get_lr(b.optimizer));
    train(&c, BREAK, STEPS, parts);
    ck_assert_mem_eq(whole, parts, sizeof whole); /* bit by bit */
    gn_dict *left = gn_state_dict(a.model), *right = gn_state_dict(c.model);
    for (int64_t i = 0; i < gn_dict_size(left); i++)
        ck_assert_msg(gn_equal(gn_dict_tensor(left, i), gn_dict_tensor(right, i)), "%s",
                      gn_dict_name(left, i));
}
END_TEST

/* Parts by the names that PyTorch's tutorials give them. */
START_TEST(test_layout) {
    double losses[STEPS];
    training t = begin(1);
    train(&t, 0, 1, losses);
    const char *path = temp_dir_path("layout.pth");
    ck_assert_int_eq(gn_save_checkpoint(path, t.model, t.optimizer), GN_OK);
    gn_dict *run = gn_load(path, NULL);
    gn_dict *optimizer = gn_dict_flatten(gn_dict_get_dict(run, "optimizer_state_dict"));
    ck_assert_int_eq(gn_size(gn_dict_get(optimizer, "state.0.exp_avg"), 1), 5);
    ck_assert_int_eq(gn_dict_get_int(optimizer, "state.0.step", 0), 1);
    ck_assert_ptr_nonnull(gn_dict_get(gn_dict_get_dict(run, "model_state_dict"), "4.weight"));
    ck_assert_ptr_null(gn_dict_get_dict(run, "scheduler_state_dict"));
}
END_TEST

START_TEST(test_misfits) {
    training t = begin(1);
    const char *path = temp_dir_path("misfit.pth");
    gn_dict *extra = gn_dict_new();
    gn_dict_set(extra, "epoch", 1);
    gn_save_checkpoint(path, t.model, t.optimizer, .extra = extra);
    expect_error_with(GN_E_ARGUMENT, "extra has \"epoch\"");
    gn_save_checkpoint(temp_dir_path("run.safetensors"), t.model, t.optimizer);
    expect_error_with(GN_E_UNSUPPORTED, "use .pth");
    gn_save_checkpoint(path, NULL, t.optimizer);
    expect_error_with(GN_E_ARGUMENT, "NULL");
    ck_assert_int_eq(gn_save_checkpoint(path, t.model, t.optimizer), GN_OK);
    gn_load_checkpoint(path, t.model, t.optimizer, .scheduler = t.schedule);
    expect_error_with(GN_E_FORMAT, "has no scheduler_state_dict");
    gn_load_checkpoint(path, gn_nn_linear(2, 2), t.optimizer);
    expect_error_with(GN_E_ARGUMENT, "missing");
    gn_load_checkpoint(temp_dir_path("absent.pth"), t.model, t.optimizer);
    expect_error_with(GN_E_NOT_FOUND, "absent");
    gn_dict *weights = gn_state_dict(t.model);
    ck_assert_int_eq(gn_save(weights, temp_dir_path("weights.pth")), GN_OK);
    gn_load_checkpoint(temp_dir_path("weights.pth"), t.model, t.optimizer);
    expect_error_with(GN_E_FORMAT, "has no model_state_dict");
    gn_dict *state = gn_dict_new();
    gn_scheduler_load_state_dict(t.schedule, state);
    expect_error_with(GN_E_ARGUMENT, "last_epoch");
    gn_dict_set(state, "last_epoch", STEPS + 1);
    gn_scheduler_load_state_dict(t.schedule, state);
    expect_error_with(GN_E_ARGUMENT, "beyond the 6 steps");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_resume, test_layout, test_misfits, NULL};
    temp_dir_make();
    int status = suite_run("checkpoint", tests);
    temp_dir_remove();
    return status;
}
