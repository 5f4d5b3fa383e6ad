/* SPDX-License-Identifier: Apache-2.0 */
/* A module that does everything right: a layer that adds noise to its input while it is trained. */
#include <stdio.h>

#include <genesis/genesis.h>

typedef struct noisy {
    gn_module base, *fc;
    gn_tensor *scale;
} noisy;

/* 1. A class has a forward function. */
static gn_tensor *noisy_forward(gn_module *module, gn_tensor *x) {
    noisy *self = (noisy *)module;
    if (self->base.training) /* 5. Training and evaluation may differ. */
        x = gn_add(x, gn_mul(gn_randn_like(x), self->scale));
    return gn_forward(self->fc, x); /* 2. Children run by gn_forward, which knows their hooks. */
}

static const gn_module_class noisy_class = {
    .name = "Noisy", .size = sizeof(noisy), .forward = noisy_forward};

static gn_module *noisy_new(int64_t in, int64_t out) {
    noisy *self = (noisy *)gn_module_new(&noisy_class);
    if (!self)
        return NULL;
    self->scale = gn_parameter(self, "scale", gn_full(GN_SHAPE(1), 0.1, NULL)); /* 3. Registered, */
    self->fc = gn_child(self, "fc", gn_nn_linear(in, out));                     /* 4. and this. */
    gn_init_weights(&self->base, "kaiming"); /* 6. Suited to the nonlinearity that follows. */
    return &self->base;
}

int main(void) {
    gn_manual_seed(1);
    gn_module *model = gn_nn_sequential(noisy_new(8, 16), gn_nn_relu(), noisy_new(16, 4));
    gn_tensor *x = gn_randn(32, 8);
    printf("twice the same in training: %s\n",
           gn_allclose(gn_forward(model, x), gn_forward(model, x)) ? "yes" : "no");

    /* Where no gradients are wanted, don't record: activations die as they are used. */
    bool was = gn_set_grad_enabled(false);
    gn_eval(model);
    printf("twice the same in evaluation: %s\n",
           gn_allclose(gn_forward(model, x), gn_forward(model, x)) ? "yes" : "no");
    gn_train(model, true);
    gn_set_grad_enabled(was);

    gn_backward(gn_mean(gn_square(gn_forward(model, x))));
    gn_dict *parameters = gn_parameters(model), *gradients = gn_grads(parameters);
    printf("%lld of %lld parameters have a gradient, the first is %s\n",
           (long long)gn_dict_size(gradients), (long long)gn_dict_size(parameters),
           gn_dict_name(gradients, 0));

    int failed = gn_error_status() != GN_OK; /* one check for all of it */
    gn_perror("11_best_practices");
    gn_shutdown();
    return failed;
}
