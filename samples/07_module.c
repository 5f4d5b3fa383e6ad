/* SPDX-License-Identifier: Apache-2.0 */
/* What every module can do: forward, parameters, children, modes, gradients. */
#include <stdio.h>

#include <genesis/genesis.h>

static gn_tensor *twice(gn_module *module, gn_tensor *x) {
    (void)module;
    return gn_mul_scalar(x, 2);
}

/* A module needs a class with a forward function. Without members, its struct is gn_module. */
static const gn_module_class twice_class = {
    .name = "MyModule", .size = sizeof(gn_module), .forward = twice};

static void show(const char *name, gn_module *module, void *heading) {
    printf("%s \"%s\": %s, %s\n", (const char *)heading, name, module->type->name,
           module->training ? "in training" : "in evaluation");
}

int main(void) {
    gn_tensor *y = gn_forward(gn_module_new(&twice_class), gn_ones(3));
    printf("forward: %g\n", gn_item(gn_sum(y)));

    /* Parameters, and those with names: one dictionary has both. */
    gn_module *model = gn_nn_linear(10, 5);
    gn_dict *parameters = gn_parameters(model);
    printf("parameters: %lld\n", (long long)gn_dict_size(parameters)); /* weight and bias */
    for (int64_t i = 0; i < gn_dict_size(parameters); i++)
        printf("%s: %s\n", gn_dict_name(parameters, i),
               gn_shape_text(gn_dict_tensor(parameters, i)));

    /* A module of modules; two levels. */
    gn_module *net = gn_nn_sequential(gn_nn_linear(10, 5), gn_nn_relu());
    gn_add_module(net, "block", gn_nn_sequential(gn_nn_dropout(0.1), gn_nn_linear(5, 2)));
    gn_modules(net, show, "module");
    gn_eval(net);
    gn_children(net, show, "child");
    gn_train(net, true);
    gn_train(gn_get_submodule(net, "block"), false); /* the same as gn_eval */
    printf("net is %s, its block is %s\n", net->training ? "in training" : "in evaluation",
           gn_at(net, 2)->training ? "in training" : "in evaluation");

    /* Gradients come with gn_backward, add up, and go with gn_zero_grad. */
    gn_backward(gn_sum(gn_forward(net, gn_ones(4, 10))));
    gn_tensor *bias = gn_get_parameter(net, "block.1.bias");
    printf("gradient of block.1.bias: %g\n", gn_item(gn_select(gn_grad(bias), 0, 0)));
    gn_zero_grad(net);
    printf("after zero_grad: %s\n", gn_grad(bias) ? "there" : "none");

    int failed = gn_error_status() != GN_OK;
    gn_perror("07_module");
    gn_shutdown();
    return failed;
}
