/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a model goes to a file and comes back into another model. */
#include <stdio.h>
#include <stdlib.h>

#include <genesis/genesis.h>

static gn_module *model_new(int64_t classes) {
    return gn_nn_sequential(gn_nn_linear(8, 16), gn_nn_batch_norm1d(16), gn_nn_relu(),
                            gn_nn_linear(16, classes));
}

int main(void) {
    char folder[] = "/tmp/genesis-sample-XXXXXX", path[64];
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/model.pth", folder);

    gn_module *model = model_new(4), *other = model_new(4);
    gn_tensor *x = gn_randn(32, 8);
    gn_forward(model, x); /* changes the running statistics */
    gn_eval(model);
    gn_eval(other);
    bool same = gn_allclose(gn_forward(model, x), gn_forward(other, x));
    printf("before: %s output\n", same ? "same" : "different");

    gn_save(gn_state_dict(model), path);
    gn_dict *state = gn_load(path, gn_default_device());
    for (int64_t i = 0; i < gn_dict_size(state); i++)
        printf("  %s: %s\n", gn_dict_name(state, i), gn_shape_text(gn_dict_tensor(state, i)));
    gn_load_state_dict(other, state);
    same = gn_allclose(gn_forward(model, x), gn_forward(other, x));
    printf("after: %s output\n", same ? "same" : "different");

    gn_load_state_dict(model_new(5), state); /* nothing is changed: */
    printf("error: %s\n", gn_error());
    gn_error_clear();
    remove(path);
    remove(folder);
    gn_shutdown();
    return 0;
}
