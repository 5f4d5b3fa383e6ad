/* SPDX-License-Identifier: Apache-2.0 */
/* A training is interrupted and goes on as if it were not. An argument names the file to keep. */
#include <stdio.h>
#include <stdlib.h>

#include <genesis/genesis.h>

enum { EPOCHS = 6 };

static gn_module *model;
static gn_optimizer *adam;
static gn_scheduler *schedule;

static void begin(void) {
    model =
        gn_nn_sequential(gn_nn_linear(3, 8), gn_nn_relu(), gn_nn_dropout(0.2), gn_nn_linear(8, 1));
    adam = gn_optim_adam(gn_parameters(model), .lr = 0.01);
    schedule = gn_lr_one_cycle(adam, 0.01, EPOCHS);
}

static double train(int64_t first, int64_t last) {
    double value = 0;
    for (int64_t epoch = first; epoch < last; epoch++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *x = gn_rand(16, 3);
        gn_tensor *loss =
            gn_mse_loss(gn_forward(model, x), gn_sum(x, .dims = GN_DIMS(1), .keepdim = true));
        gn_zero_grad(adam);
        gn_backward(loss);
        gn_step(adam);
        gn_scheduler_step(schedule);
        value = gn_item(loss);
        gn_scope_end(scope);
    }
    return value;
}

int main(int argc, char **argv) {
    char temporary[] = "/tmp/genesis-sample-XXXXXX.pth";
    const char *path = argc > 1 ? argv[1] : temporary;
    if (path == temporary && mkstemps(temporary, 4) < 0)
        return 1;
    gn_manual_seed(1);
    begin();
    train(0, 3);
    gn_save_checkpoint(path, model, adam, .scheduler = schedule, .epoch = 3);
    double uninterrupted = train(3, EPOCHS);

    begin(); /* another day: the weights are random again */
    gn_dict *run = gn_load_checkpoint(path, model, adam, .scheduler = schedule);
    int64_t epoch = gn_dict_get_int(run, "epoch", 0);
    printf("resumed after epoch %lld: ", (long long)epoch);
    printf("%s loss\n", train(epoch, EPOCHS) == uninterrupted ? "the same" : "another");
    if (path == temporary)
        remove(path);
    int failed = gn_error_status() != GN_OK;
    gn_perror("06_checkpoint");
    gn_shutdown();
    return failed;
}
