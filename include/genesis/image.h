/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - image files, folders of them, and what is done to images before training.
 *
 * An image is a tensor (C, H, W); C is 1 (grey), 3 (red, green, blue), and one more with alpha. Files
 * have uint8. The functions below give images on the device of theirs, without history; on cpu they
 * run on the thread that calls them, so that the workers of a loader share the work.
 */
#ifndef GENESIS_IMAGE_H
#define GENESIS_IMAGE_H

#include <genesis/data.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Files */

typedef struct gn_image_options {
    size_t struct_size;
    int64_t channels;   /* 1 or 3: what is not so becomes so; 0: those of the file */
    int64_t max_pixels; /* H * W of what is accepted; 0: 2^26 */
    const char *device; /* NULL: the default device */
} gn_image_options;

/* A PNG or JPEG file (by its first bytes, whatever its name) as (C, H, W) uint8. 16 bits become 8,
 * palettes colours; grey of colours is 0.299 R + 0.587 G + 0.114 B; alpha is left out where channels
 * are asked for. JPEG of four channels (CMYK) is an error GN_E_UNSUPPORTED, as are formats that the
 * library was built without. Damaged and cut off files: GN_E_FORMAT. An orientation in EXIF is not
 * looked at. */
#define gn_read_image(...) GN_CALL1(gn_read_image_with, gn_image_options, __VA_ARGS__, )
GN_API gn_tensor *gn_read_image_with(const char *path, const gn_image_options *options);

/* A folder with a folder for each class: samples are x, the image, and y, the 0-dim int64 number of
 * the class; classes and files are sorted by name. Files are those that end in .png, .jpg or .jpeg;
 * names that begin with a dot are left out, and a class without files is an error. Images of
 * different sizes need gn_map_dataset and gn_image_resize. */
#define gn_image_folder(...) GN_CALL1(gn_image_folder_with, gn_image_options, __VA_ARGS__, )
GN_API gn_dataset *gn_image_folder_with(const char *path, const gn_image_options *options);
/* The number of its classes, and the name of one; borrowed, NULL if there is no such class. */
GN_API int64_t gn_image_folder_classes(const gn_dataset *dataset);
GN_API const char *gn_image_folder_class(const gn_dataset *dataset, int64_t i);

/* ---- Changes. Random ones take one step of the generator (NULL: the default one). */

/* uint8 as float32 in [0, 1]. */
GN_API gn_tensor *gn_image_to_float(gn_tensor *image);
/* (value - mean[c]) / std[c] of channel c, of C: float32; uint8 is taken as value / 255. */
GN_API gn_tensor *gn_image_normalize(gn_tensor *image, const double *mean, const double *std);
/* height x width, float32 or uint8: bilinear, averaging over what becomes smaller, as PyTorch's
 * interpolate(mode="bilinear", antialias=True) does. */
GN_API gn_tensor *gn_image_resize(gn_tensor *image, int64_t height, int64_t width);
/* The middle; zeros around a smaller image. */
GN_API gn_tensor *gn_image_center_crop(gn_tensor *image, int64_t height, int64_t width);
/* A part anywhere in the image, to which `padding` zeros are added on each side before. */
GN_API gn_tensor *gn_image_random_crop(gn_tensor *image, int64_t height, int64_t width,
                                       int64_t padding, gn_generator *generator);
/* Left and right exchanged with probability p. */
GN_API gn_tensor *gn_image_random_horizontal_flip(gn_tensor *image, double p,
                                                  gn_generator *generator);

#ifdef __cplusplus
}
#endif
#endif
