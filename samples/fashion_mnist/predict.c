/* SPDX-License-Identifier: Apache-2.0 */
/* predict.c - what a trained network says of an image file. */
#include "predict.h"

#include <stdio.h>

#include "results.h"

enum { SHOWN = 3 };

/* The file as (1, 1, 28, 28) in [0, 1]. Fashion-MNIST has light things on black; a picture whose
 * border is light is taken as the negative. */
static gn_tensor *read_picture(const char *path) {
    gn_tensor *image = gn_image_to_float(gn_read_image(path, .channels = 1));
    gn_tensor *small = gn_image_resize(image, SIDE, SIDE);
    gn_tensor *inside = gn_image_center_crop(small, SIDE - 2, SIDE - 2);
    double border = gn_item(gn_sum(small)) - gn_item(gn_sum(inside));
    if (border > 0.5 * 4 * (SIDE - 1))
        small = gn_rsub_scalar(small, 1);
    return gn_unsqueeze(small, 0);
}

gn_status predict(gn_module *model, const char *path) {
    float sure[SHOWN];
    int64_t class[SHOWN];
    gn_scope scope = gn_scope_begin();
    bool was = gn_set_grad_enabled(false);
    gn_eval(model);
    gn_tensor *indices, *likely = gn_softmax(gn_forward(model, read_picture(path)), 1);
    gn_copy_out(gn_topk(likely, SHOWN, 1, true, &indices), sure, GN_F32, SHOWN);
    gn_copy_out(indices, class, GN_I64, SHOWN);
    gn_set_grad_enabled(was);
    if (gn_scope_end(scope) != GN_OK)
        return gn_error_status();
    printf("%s:\n", path);
    for (int i = 0; i < SHOWN; i++)
        printf("  %5.1f%%  %s\n", 100 * sure[i], gn_fashion_mnist_classes[class[i]]);
    return GN_OK;
}
