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
typedef struct gn_sampler gn_sampler;
typedef struct gn_loader gn_loader;

/* ---- Data sets */

/* One sample, or a batch of them: x alone, x and y, or more (masks, lengths, ..). Members that are
 * not used are NULL; all samples of a set use the same ones. */
enum { GN_SAMPLE_EXTRAS = 4 };
typedef struct gn_sample {
    gn_tensor *x, *y, *extra[GN_SAMPLE_EXTRAS];
} gn_sample;

/* Samples are the slices of x and y (NULL: none) along their first dim. Kept without their history,
 * on any device; copied if not row-major. */
GN_API gn_dataset *gn_tensor_dataset(gn_tensor *x, gn_tensor *y);

/* A set of one's own: `get` makes sample `index`, 0 .. size-1, of tensors that the scope owns, and
 * records what fails by gn_fail. It runs on the loader's threads, several at once, so it must not
 * change what they share. Random numbers come from `generator`, which is the sample's own: see
 * gn_loader_options. */
typedef gn_status gn_get_sample(void *context, int64_t index, gn_generator *generator,
                                gn_sample *out);
typedef struct gn_dataset_options {
    size_t struct_size;
    void *context; /* passed to the functions */
    void (*destroy)(
        void *context); /* called at the end, also of a call that fails; NULL: nothing */
    gn_status (*begin)(
        void *context); /* iterable sets: called when an epoch begins; NULL: nothing */
} gn_dataset_options;
#define gn_dataset_new(...) GN_CALL2(gn_dataset_new_with, gn_dataset_options, __VA_ARGS__, )
GN_API gn_dataset *gn_dataset_new_with(int64_t size, gn_get_sample *get,
                                       const gn_dataset_options *options);

/* A set that only gives one sample after the other, until `next` makes none: leaves out->x NULL.
 * It can't be shuffled, split or joined, and a loader reads it by one thread. */
#define gn_iterable_dataset_new(...)                                                               \
    GN_CALL1(gn_iterable_dataset_new_with, gn_dataset_options, __VA_ARGS__, )
GN_API gn_dataset *gn_iterable_dataset_new_with(gn_get_sample *next,
                                                const gn_dataset_options *options);

/* Each sample changed by a function, in place: sample->x = .. . Otherwise as gn_get_sample. */
typedef gn_status gn_map_sample(void *context, gn_sample *sample, gn_generator *generator);
#define gn_map_dataset(...) GN_CALL2(gn_map_dataset_with, gn_dataset_options, __VA_ARGS__, )
GN_API gn_dataset *gn_map_dataset_with(gn_dataset *dataset, gn_map_sample *map,
                                       const gn_dataset_options *options);

/* The samples of these indices, in this order. */
GN_API gn_dataset *gn_subset(gn_dataset *dataset, const int64_t *indices, int64_t count);
/* The first `count` samples, or all if there are fewer. */
GN_API gn_dataset *gn_dataset_head(gn_dataset *dataset, int64_t count);
/* One set after the other. */
GN_API gn_dataset *gn_concat_dataset(gn_dataset *const *datasets, int64_t n);
/* Splits at random into n sets. The parts are numbers of samples that add up to the size; or
 * fractions that add up to 1, of which each set gets the whole part, and the first ones one sample
 * more, in turn. generator NULL: the default one, of which it takes one step. */
GN_API gn_status gn_random_split(gn_dataset *dataset, const double *parts, int64_t n,
                                 gn_generator *generator, gn_dataset **out);

/* The number of samples; -1 of an iterable set. */
GN_API int64_t gn_dataset_size(const gn_dataset *dataset);
/* Sample `index` as the loader would get it; generator NULL: the default one. */
GN_API gn_status gn_dataset_get(gn_dataset *dataset, int64_t index, gn_generator *generator,
                                gn_sample *out);
/* The tensors of a tensor data set, borrowed; of others NULL. */
GN_API gn_tensor *gn_dataset_x(const gn_dataset *dataset);
GN_API gn_tensor *gn_dataset_y(const gn_dataset *dataset);

/* ---- Files */

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

/* ---- Samplers: the indices of an epoch, made anew for each */

/* 0 .. size-1, in order. */
GN_API gn_sampler *gn_sequential_sampler(int64_t size);

/* 0 .. size-1 in random order; with replacement each draw is from all of them. */
typedef struct gn_random_sampler_options {
    size_t struct_size;
    bool replacement;
    int64_t num_samples; /* 0: size. Without replacement more than that begin another order */
} gn_random_sampler_options;
#define gn_random_sampler(...)                                                                     \
    GN_CALL1(gn_random_sampler_with, gn_random_sampler_options, __VA_ARGS__, )
GN_API gn_sampler *gn_random_sampler_with(int64_t size, const gn_random_sampler_options *options);

/* Indices with probabilities in proportion to `size` weights, finite and not negative. Without
 * replacement, num_samples of the weights must not be 0. The weights are copied. */
GN_API gn_sampler *gn_weighted_random_sampler(const double *weights, int64_t size,
                                              int64_t num_samples, bool replacement);

/* Given indices, copied: in this order, or in random order. */
GN_API gn_sampler *gn_index_sampler(const int64_t *indices, int64_t count);
GN_API gn_sampler *gn_subset_random_sampler(const int64_t *indices, int64_t count);

/* A sampler of one's own: `fill` writes the `count` indices of an epoch. */
typedef gn_status gn_fill_indices(void *context, gn_generator *generator, int64_t *out,
                                  int64_t count);
typedef struct gn_sampler_options {
    size_t struct_size;
    void *context;
    void (*destroy)(void *context); /* NULL: nothing */
} gn_sampler_options;
#define gn_sampler_new(...) GN_CALL2(gn_sampler_new_with, gn_sampler_options, __VA_ARGS__, )
GN_API gn_sampler *gn_sampler_new_with(int64_t count, gn_fill_indices *fill,
                                       const gn_sampler_options *options);

/* A sampler cut into n batches of these sizes, each at least 1, that add up to its count. */
GN_API gn_sampler *gn_batch_sampler(gn_sampler *sampler, const int64_t *sizes, int64_t n);

GN_API int64_t gn_sampler_count(const gn_sampler *sampler);
/* The indices of one epoch into `out`, with room for gn_sampler_count; NULL: the default one. */
GN_API gn_status gn_sampler_indices(gn_sampler *sampler, gn_generator *generator, int64_t *out);

/* ---- Loaders */

/* Makes a batch of n samples; by default each member is stacked along a first dim of size n. */
typedef gn_status gn_collate(void *context, const gn_sample *samples, int64_t n, gn_sample *batch);

typedef struct gn_loader_options {
    size_t struct_size;
    int64_t batch; /* 1 */
    bool shuffle, drop_last;
    gn_sampler *sampler;     /* instead of shuffle; a batch sampler instead of batch, too */
    gn_generator *generator; /* of the order and of the samples; NULL: the default one */
    const char *device;      /* where batches go; NULL: the default device */
    gn_collate *collate;     /* NULL: the default */
    void *collate_context;
    int64_t workers;  /* threads that make batches ahead; 0: gn_next makes them */
    int64_t prefetch; /* batches ahead for each thread; 0: 2 */
} gn_loader_options;

/* Batches depend on the seed of the generator alone, not on the number of workers. An epoch takes
 * one step of it, unless the data set is of tensors only and the order not random. From that step
 * and its place in the epoch each sample gets a generator of its own.
 *
 * Workers end when the loader is freed, at any time, or in gn_shutdown. Work that they do on a
 * device waits in the device's one queue with that of the training; what the host does (gathering
 * tensors in its memory, reading and changing images there) runs beside it. */
#define gn_loader_new(...) GN_CALL1(gn_loader_new_with, gn_loader_options, __VA_ARGS__, )
GN_API gn_loader *gn_loader_new_with(gn_dataset *dataset, const gn_loader_options *options);
/* Batches of an epoch; -1 if the data set is iterable. */
GN_API int64_t gn_loader_batches(const gn_loader *loader);

typedef struct gn_batch {
    gn_tensor *x, *y; /* owned by the loader until the next call */
    int64_t index;    /* of the batch in this epoch */
    int64_t size;     /* samples */
    gn_tensor *extra[GN_SAMPLE_EXTRAS];
} gn_batch;

/* The next batch; false at the end of an epoch, and on an error, which names the sample and ends
 * the epoch, too. The call after the end begins the next epoch. The last batch is smaller if the
 * samples do not divide evenly, unless drop_last. */
GN_API bool gn_next(gn_loader *loader, gn_batch *batch);

#ifdef __cplusplus
}
#endif
#endif
