/* SPDX-License-Identifier: Apache-2.0 */
/* A layer of one's own: parameters and submodules are tracked by registering them. */
#include <stdio.h>

#include <genesis/genesis.h>

typedef struct {
    gn_module base;
    gn_tensor *weight, *bias;
    gn_module *activation;
} custom_layer;

static gn_tensor *custom_forward(gn_module *module, gn_tensor *x) {
    custom_layer *self = (custom_layer *)module;
    x = gn_add(gn_matmul(x, gn_t(self->weight)), self->bias);
    return gn_forward(self->activation, x);
}

static const gn_module_class custom = {
    .name = "CustomLayer", .size = sizeof(custom_layer), .forward = custom_forward};

static gn_module *custom_layer_new(int64_t in, int64_t out) {
    custom_layer *self = (custom_layer *)gn_module_new(&custom);
    if (!self)
        return NULL;
    self->weight = gn_parameter(self, "weight", gn_randn(out, in));
    self->bias = gn_parameter(self, "bias", gn_zeros(out));
    self->activation = gn_child(self, "activation", gn_nn_relu());
    return &self->base;
}

int main(void) {
    gn_module *layer = custom_layer_new(10, 5);
    gn_tensor *output = gn_forward(layer, gn_randn(32, 10));
    printf("output: %s\n", gn_shape_text(output));

    gn_backward(gn_sum(output));
    gn_dict *parameters = gn_parameters(layer);
    for (int64_t i = 0; i < gn_dict_size(parameters); i++) {
        gn_tensor *p = gn_dict_tensor(parameters, i);
        printf("%s: %s, gradient: %s\n", gn_dict_name(parameters, i), gn_shape_text(p),
               gn_grad(p) ? "yes" : "no");
    }
    gn_perror("02_custom_layer");
    gn_shutdown();
    return 0;
}
