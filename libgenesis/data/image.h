/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h (internal) - what the decoders of image files give.
 */
#ifndef GENESIS_IMAGE_INTERNAL_H
#define GENESIS_IMAGE_INTERNAL_H

#include <stdio.h>

#include <genesis/image.h>

#include "data.h"

/* Rows from the top, the channels of a pixel side by side. */
typedef struct gn__picture {
    int64_t height, width, channels;
    unsigned char *pixels; /* free() it */
} gn__picture;

/* An open image file. */
typedef struct gn__image_file {
    FILE *file;
    const char *path;
    int64_t bytes, max_pixels;
} gn__image_file;

/* Makes room for a picture whose sizes are known; an error if there are more pixels than allowed. */
gn_status gn__picture_make(const gn__image_file *source, gn__picture *picture);

/* Each leaves pixels NULL, or to be freed, with an error. */
gn_status gn__png_read(const gn__image_file *source, gn__picture *out);
gn_status gn__jpeg_read(const gn__image_file *source, gn__picture *out);

#endif
