/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data.h - data sets, and the loader that makes batches of them.
 */
#ifndef GENESIS_DATA_H
#define GENESIS_DATA_H

#include <genesis/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gn_dataset gn_dataset;
typedef struct gn_loader gn_loader;

/* Samples are the slices of x and y (NULL: none) along their first dim. Retained, on any device. */
GN_API gn_dataset *gn_tensor_dataset(gn_tensor *x, gn_tensor *y);
/* The first `count` samples. */
GN_API gn_dataset *gn_dataset_head(gn_dataset *dataset, int64_t count);
GN_API int64_t gn_dataset_size(const gn_dataset *dataset);
GN_API gn_tensor *gn_dataset_x(const gn_dataset *dataset); /* borrowed */
GN_API gn_tensor *gn_dataset_y(const gn_dataset *dataset); /* borrowed */

/* A file in the IDX format of MNIST, plain or gzip'd: a tensor of its dtype and shape on the
 * default device. Files that are absent (GN_E_NOT_FOUND), short, too long or damaged (GN_E_FORMAT)
 * are errors. */
GN_API gn_tensor *gn_read_idx(const char *path);

/* Fashion-MNIST: part "train" (60,000) or "test" (10,000): x (N, 1, 28, 28) float32 in [0, 1], y
 * (N) int64, on the default device. dir NULL: GENESIS_FASHION_MNIST, or where Debian's
 * dataset-fashion-mnist puts it. */
typedef struct gn_fashion_options {
    size_t struct_size;
    const char *dir;
} gn_fashion_options;
#define gn_fashion_mnist(...) GN_CALL1(gn_fashion_mnist_with, gn_fashion_options, __VA_ARGS__, )
GN_API gn_dataset *gn_fashion_mnist_with(const char *part, const gn_fashion_options *options);
/* The names of its ten classes. */
GN_API extern const char *const gn_fashion_mnist_classes[10];

typedef struct gn_loader_options {
    size_t struct_size;
    int64_t batch; /* 1 */
    bool shuffle, drop_last;
    gn_generator *generator; /* of the shuffle; NULL: the default one */
    const char *device;      /* where batches go; NULL: the default device */
} gn_loader_options;
#define gn_loader_new(...) GN_CALL1(gn_loader_new_with, gn_loader_options, __VA_ARGS__, )
GN_API gn_loader *gn_loader_new_with(gn_dataset *dataset, const gn_loader_options *options);
GN_API int64_t gn_loader_batches(const gn_loader *loader);

typedef struct gn_batch {
    gn_tensor *x, *y; /* owned by the loader until the next call */
    int64_t index;    /* of the batch in this epoch */
    int64_t size;     /* samples */
} gn_batch;

/* The next batch; false at the end of an epoch, and on an error. The call after the end begins the
 * next epoch, shuffled anew: that takes one step of the generator, so a seed fixes all batches. The
 * last batch is smaller if the samples do not divide evenly, unless drop_last. */
GN_API bool gn_next(gn_loader *loader, gn_batch *batch);

#ifdef __cplusplus
}
#endif
#endif
