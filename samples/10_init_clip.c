/* SPDX-License-Identifier: Apache-2.0 */
/* Initial values of weights, and gradients kept small: by their common norm, and one by one. */
#include <math.h>
#include <stdio.h>

#include <genesis/genesis.h>

static double largest(gn_tensor *t) { return gn_item(gn_amax(gn_abs(t))); }

/* Gradients that are far too large. */
static void backward(gn_module *model) {
    gn_zero_grad(model);
    gn_backward(gn_sum(gn_mul_scalar(gn_forward(model, gn_ones(32, 10)), 1000)));
}

int main(void) {
    gn_manual_seed(1);
    gn_module *model = gn_nn_linear(10, 5);
    gn_tensor *weight = gn_get_parameter(model, "weight"), *bias = gn_get_parameter(model, "bias");

    gn_init_weights(model, "xavier"); /* or "kaiming", "normal", "uniform": all of a model */
    const double bound = sqrt(6.0 / (10 + 5));
    printf("xavier: weights within +-%.4f: %s, biases are %g\n", bound,
           largest(weight) <= bound ? "yes" : "no", largest(bias));
    gn_init_kaiming_normal_(weight, .nonlinearity = "relu"); /* one tensor, as torch.nn.init */
    gn_init_constant_(bias, 0.5);
    printf("kaiming: weights have changed: %s, biases are %g\n",
           largest(weight) > bound ? "yes" : "no", largest(bias));

    backward(model);
    gn_tensor *norm = gn_clip_grad_norm_(gn_parameters(model), 1.0);
    printf("norm of all gradients before: %.0f\n", gn_item(norm)); /* sqrt(5 * 11) * 32,000 */
    printf("and after: %.4f\n", gn_item(gn_get_total_norm(gn_grads(gn_parameters(model)))));

    backward(model);
    gn_clip_grad_value_(gn_parameters(model), 0.5);
    printf("largest gradient after clipping by value: %g\n", largest(gn_grad(weight)));

    int failed = gn_error_status() != GN_OK;
    gn_perror("10_init_clip");
    gn_shutdown();
    return failed;
}
