/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fashion_mnist.c - Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 70,000 grey images of 28 x 28.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, CHUNK = 512 };

static const char op[] = "fashion_mnist";
static const char debian_folder[] = "/usr/share/datasets/fashion-mnist";
static const char hint[] =
    "install Debian's dataset-fashion-mnist or give --data DIR (or GENESIS_FASHION_MNIST)";

const char *const gn_fashion_mnist_classes[10] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                                  "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                                  "Bag",         "Ankle boot"};

/* The file, gzip'd or not; a name that is too long is not there. */
static gn_status read_part(const char *folder, const char *part, const char *what, gn__idx *out) {
    char path[PATH_MAX];
    const char *prefix = strcmp(part, "test") == 0 ? "t10k" : part;
    int n = snprintf(path, sizeof path - 3, "%s/%s-%s-ubyte", folder, prefix, what);
    if (n < 0 || (size_t)n >= sizeof path - 3)
        return gn_fail(GN_E_NOT_FOUND, op, "the name of the folder is too long");
    if (access(path, F_OK) != 0)
        strcpy(path + n, ".gz");
    return gn__idx_read(path, hint, out);
}

/* x = byte / 255 */
static gn_tensor *make_images(const gn__idx *images) {
    int64_t n = images->shape.size[0];
    const unsigned char *pixel = images->data;
    gn_tensor *x = gn_empty(n, 1, SIDE, SIDE);
    float *buffer = gn__alloc_array(CHUNK * PIXELS, sizeof *buffer);
    for (int64_t i = 0; x && buffer && i < n; i += CHUNK) {
        int64_t count = (n - i < CHUNK ? n - i : CHUNK) * PIXELS;
        for (int64_t k = 0; k < count; k++)
            buffer[k] = (float)*pixel++ / 255;
        if (gn__upload(x->storage, (uint64_t)(i * PIXELS) * sizeof *buffer, buffer,
                       (uint64_t)count * sizeof *buffer) != GN_OK)
            break;
    }
    free(buffer);
    return gn__failed() ? NULL : x;
}

static gn_tensor *make_labels(const gn__idx *labels) {
    const gn_tensor_options options = {.struct_size = sizeof options, .dtype = GN_I64};
    const unsigned char *label = labels->data;
    for (int64_t i = 0; i < labels->count; i++)
        if (label[i] >= CLASSES)
            return gn__fail_null(GN_E_FORMAT, op,
                                 "label %d of image %lld: there are %d classes; %s", label[i],
                                 (long long)i, CLASSES, hint);
    return gn_tensor_from(labels->data, GN_U8, labels->shape, &options);
}

static gn_dataset *make_dataset(const gn__idx *images, const gn__idx *labels) {
    const int64_t *size = images->shape.size;
    if (images->dtype != GN_U8 || images->shape.n != 3 || size[1] != SIDE || size[2] != SIDE)
        return gn__fail_null(GN_E_FORMAT, op, "the images are %s %s, not uint8 (N, 28, 28); %s",
                             gn_dtype_name(images->dtype),
                             gn__shape_text((int)images->shape.n, size), hint);
    if (labels->dtype != GN_U8 || labels->shape.n != 1 || labels->count != size[0])
        return gn__fail_null(GN_E_FORMAT, op, "the labels are %s %s, not uint8 (%lld); %s",
                             gn_dtype_name(labels->dtype),
                             gn__shape_text((int)labels->shape.n, labels->shape.size),
                             (long long)size[0], hint);
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = make_labels(labels), *x = y ? make_images(images) : NULL;
    return gn_scope_end_with(scope, x ? gn_tensor_dataset(x, y) : NULL);
}

gn_dataset *gn_fashion_mnist_with(const char *part, const gn_fashion_options *options) {
    if (gn__failed())
        return NULL;
    if (part == NULL || (strcmp(part, "train") != 0 && strcmp(part, "test") != 0))
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "there is no part \"%s\": \"train\" and \"test\" are",
                             part ? part : "(null)");
    const char *folder = options ? options->dir : NULL;
    if (folder == NULL)
        folder = getenv("GENESIS_FASHION_MNIST");
    if (folder == NULL || *folder == '\0')
        folder = debian_folder;
    gn__idx images = {.data = NULL}, labels = {.data = NULL};
    gn_dataset *dataset = NULL;
    if (read_part(folder, part, "images-idx3", &images) == GN_OK &&
        read_part(folder, part, "labels-idx1", &labels) == GN_OK)
        dataset = make_dataset(&images, &labels);
    free(images.data);
    free(labels.data);
    return dataset;
}
