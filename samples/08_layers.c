/* SPDX-License-Identifier: Apache-2.0 */
/* An example of each kind of layer, with the shape that comes out. */
#include <stdio.h>

#include <genesis/genesis.h>

static gn_tensor *show(const char *name, gn_tensor *output) {
    printf("%-18s -> %s\n", name, gn_shape_text(output));
    return output;
}

static const char *yes_no(bool condition) { return condition ? "yes" : "no"; }

int main(void) {
    gn_manual_seed(1);
    show("Linear", gn_forward(gn_nn_linear(20, 30), gn_randn(128, 20)));
    gn_module *conv = gn_nn_conv2d(3, 64, 3, .padding = 1);
    show("Conv2d", gn_forward(conv, gn_randn(2, 3, 32, 32)));

    /* Activations keep the shape. */
    gn_tensor *x = gn_randn(10);
    show("ReLU", gn_forward(gn_nn_relu(), x));
    gn_tensor *y = show("Sigmoid", gn_forward(gn_nn_sigmoid(), x));
    printf("  in (0, 1): %s\n", yes_no(gn_item(gn_amin(y)) > 0 && gn_item(gn_amax(y)) < 1));
    y = show("Tanh", gn_forward(gn_nn_tanh(), x));
    printf("  in (-1, 1): %s\n", yes_no(gn_item(gn_amax(gn_abs(y))) < 1));
    show("SiLU", gn_forward(gn_nn_silu(), x));
    show("GELU", gn_forward(gn_nn_gelu(), x));
    y = show("Softmax", gn_forward(gn_nn_softmax(-1), gn_randn(10, 5)));
    printf("  each row sums to 1: %s\n",
           yes_no(gn_allclose(gn_sum(y, .dims = GN_DIMS(1)), gn_ones(10))));

    y = show("BatchNorm1d", gn_forward(gn_nn_batch_norm1d(100), gn_randn(20, 100)));
    printf(
        "  each feature has mean 0: %s\n",
        yes_no(gn_allclose(gn_mean(y, .dims = GN_DIMS(0)), gn_zeros(100), .atol = gn_some(1e-5))));
    show("LayerNorm", gn_forward(gn_nn_layer_norm(GN_SHAPE(768)), gn_randn(2, 10, 768)));

    gn_module *dropout = gn_nn_dropout(0.2);
    y = show("Dropout", gn_forward(dropout, gn_ones(20, 16)));
    printf("  in training something is 0: %s\n", yes_no(gn_item(gn_amin(y)) == 0));
    y = gn_forward(gn_eval(dropout), gn_ones(20, 16));
    printf("  in evaluation nothing is: %s\n", yes_no(gn_item(gn_amin(y)) == 1));

    gn_tensor *image = gn_randn(1, 16, 32, 32);
    show("MaxPool2d", gn_forward(gn_nn_max_pool2d(2, .stride = 2), image));
    show("AvgPool2d", gn_forward(gn_nn_avg_pool2d(2, .stride = 2), image));

    gn_module *embed = gn_nn_embedding(1000, 300); /* 1,000 words, 300 dims each */
    show("Embedding", gn_forward(embed, gn_tensor_of(((int64_t[]){1, 2, 3, 4}), 4)));

    gn_module *attention = gn_nn_multihead_attention(512, 8);
    gn_tensor *words = gn_randn(10, 2, 512), *weights; /* (sequence, batch, embedding) */
    y = gn_multihead_attention_forward(attention, words, words, words, &weights);
    show("MultiheadAttention", y);
    show("  its weights", weights);

    gn_module *model =
        gn_nn_sequential(gn_nn_linear(784, 256), gn_nn_relu(), gn_nn_linear(256, 10));
    show("Sequential", gn_forward(model, gn_randn(32, 784)));

    int failed = gn_error_status() != GN_OK;
    gn_perror("08_layers");
    gn_shutdown();
    return failed;
}
