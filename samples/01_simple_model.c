/* SPDX-License-Identifier: Apache-2.0 */
/* A small classifier: built, printed, trained on made-up data, evaluated. */
#include <stdio.h>
#include <stdlib.h>

#include <genesis/genesis.h>

/* Points in a square; the class tells the quadrant. */
static void make_batch(gn_tensor **x, gn_tensor **y) {
    *x = gn_sub_scalar(gn_rand(64, 2), 0.5);
    gn_tensor *right = gn_gt_scalar(gn_select(*x, 1, 0), 0);
    gn_tensor *upper = gn_gt_scalar(gn_select(*x, 1, 1), 0);
    *y = gn_add(gn_cast(right, GN_I64), gn_mul_scalar(gn_cast(upper, GN_I64), 2));
}

int main(void) {
    gn_manual_seed(1);
    gn_module *model = gn_nn_sequential(gn_nn_linear(2, 32), gn_nn_relu(), gn_nn_dropout(0.1),
                                        gn_nn_linear(32, 4));
    gn_optimizer *adam = gn_optim_adam(gn_parameters(model), .lr = 1e-2);
    char *text = gn_module_text(model);
    printf("%s\n", text ? text : gn_error());
    free(text);
    printf("parameters: %lld\n", (long long)gn_num_parameters(model));

    double first = 0, last = 0;
    for (int step = 0; step < 300; step++) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *x, *y;
        make_batch(&x, &y);
        gn_tensor *loss = gn_cross_entropy(gn_forward(model, x), y);
        gn_zero_grad(adam);
        gn_backward(loss);
        gn_step(adam);
        if (step == 0)
            first = gn_item(loss);
        last = gn_item(loss);
        if (gn_scope_end(scope) != GN_OK) { /* one check for all of the step */
            gn_perror("training");
            return 1;
        }
    }
    printf("the loss fell to less than a third: %s\n", last < first / 3 ? "yes" : "no");

    gn_tensor *x, *y;
    make_batch(&x, &y);
    gn_tensor *right = gn_eq(gn_argmax(gn_forward(gn_eval(model), x), 1, false), y);
    printf("more than 9 of 10 are right: %s\n", gn_item(gn_sum(right)) > 57 ? "yes" : "no");
    gn_perror("01_simple_model");
    gn_shutdown(); /* frees what the root scope owns */
    return 0;
}
