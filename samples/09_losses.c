/* SPDX-License-Identifier: Apache-2.0 */
/* Losses: as modules and as functions, with their reductions, and for classes that are rare. */
#include <stdio.h>

#include <genesis/genesis.h>

static void show(const char *name, gn_tensor *loss) {
    printf("%-24s %s", name, gn_shape_text(loss));
    if (gn_dim(loss) == 0)
        printf(" %.4f", gn_item(loss));
    printf("\n");
}

int main(void) {
    /* A loss is a module of two inputs. */
    gn_module *mse = gn_nn_mse_loss();
    gn_tensor *prediction = gn_tensor_of(((float[]){1, 2, 3, 4}), 2, 2);
    gn_tensor *target = gn_tensor_of(((float[]){1, 2, 3, 8}), 2, 2);
    show("MSELoss", gn_loss(mse, prediction, target));
    show("MSELoss, sum", gn_loss(gn_nn_mse_loss(.reduction = GN_REDUCE_SUM), prediction, target));
    show("MSELoss, none", gn_loss(gn_nn_mse_loss(.reduction = GN_REDUCE_NONE), prediction, target));

    /* Cross entropy wants logits, not probabilities, and the numbers of the right classes. Of equal
     * logits it is log 10, whatever the targets. */
    gn_tensor *logits = gn_requires_grad_(gn_zeros(32, 10), true);
    gn_tensor *classes = gn_randint(0, 10, GN_SHAPE(32), NULL);
    gn_tensor *loss = gn_loss(gn_nn_cross_entropy_loss(), logits, classes);
    show("CrossEntropyLoss", loss);
    gn_backward(loss);
    show("  its gradient", gn_grad(logits));

    /* A weight for each class: class 1 counts three times as much. */
    gn_tensor *weight = gn_tensor_of(((float[]){1, 3}), 2);
    gn_tensor *two = gn_tensor_of(((float[]){0, 0, 20, 0}), 2, 2);
    gn_tensor *right = gn_tensor_of(((int64_t[]){1, 0}), 2); /* unsure of the first one alone */
    show("  weighted", gn_cross_entropy(two, right, .weight = weight)); /* 3 log 2 / (3 + 1) */

    /* Binary cross entropy takes probabilities; with logits it is stable for any number. */
    gn_tensor *probability = gn_sigmoid(gn_zeros(32, 1));
    gn_tensor *truth = gn_cast(gn_randint(0, 2, GN_SHAPE(32, 1), NULL), GN_F32);
    show("BCELoss", gn_loss(gn_nn_bce_loss(), probability, truth)); /* log 2 */
    show("BCEWithLogitsLoss", gn_bce_with_logits(gn_zeros(32, 1), truth));

    gn_loss(mse, prediction, gn_zeros(2, 3));
    printf("error: %s\n", gn_error());
    gn_error_clear();
    gn_shutdown();
    return 0;
}
