/* SPDX-License-Identifier: Apache-2.0 */
/* Containers without a forward of their own: layers by number and by name. */
#include <stdio.h>

#include <genesis/genesis.h>

static void show(const char *name, gn_module *module, void *context) {
    (void)context;
    printf("  \"%s\" is a %s\n", name, module->type->name);
}

int main(void) {
    gn_module *list = gn_nn_module_list(gn_nn_linear(10, 10));
    for (int i = 1; i < 5; i++)
        gn_append(list, gn_nn_linear(10, 10));
    gn_tensor *x = gn_randn(32, 10);
    for (int64_t i = 0; i < gn_length(list); i++)
        x = gn_forward(gn_at(list, i), x);
    printf("through the list: %s\n", gn_shape_text(x));

    gn_module *dict =
        gn_nn_module_dict({"fc1", gn_nn_linear(10, 20)}, {"fc2", gn_nn_linear(20, 10)});
    x = gn_forward(gn_key(dict, "fc1"), x);
    x = gn_forward(gn_key(dict, "fc2"), x);
    printf("through the dictionary: %s\n", gn_shape_text(x));

    gn_module *model = gn_nn_module_dict({"layers", list}, {"heads", dict});
    printf("modules:\n");
    gn_modules(model, show, NULL);
    gn_dict *parameters = gn_parameters(model);
    printf("%lld tensors of parameters, the last is %s\n", (long long)gn_dict_size(parameters),
           gn_dict_name(parameters, gn_dict_size(parameters) - 1));

    gn_key(dict, "fc3"); /* an error sticks to the thread until it is cleared */
    printf("error: %s\n", gn_error());
    gn_error_clear();
    gn_shutdown();
    return 0;
}
