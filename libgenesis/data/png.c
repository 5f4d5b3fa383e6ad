/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png.c - PNG files, by libpng's simplified interface, which neither prints nor jumps.
 */
#include "image.h"

#ifdef GN_WITH_PNG
#include <png.h>

/* A byte of deflated data stands for at most 1032, of at most 8 pixels each. */
enum { MAX_PIXELS_PER_BYTE = 1032 * 8 };

gn_status gn__png_read(const gn__image_file *source, gn__picture *out) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_stdio(&image, source->file))
        return gn_fail(GN_E_FORMAT, "read_image", "%s: %s", source->path, image.message);
    image.format &= PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA; /* 8 bits, no palette */
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    *out = (gn__picture){.height = image.height,
                         .width = image.width,
                         .channels = PNG_IMAGE_SAMPLE_CHANNELS(image.format)};
    if (out->height * out->width / MAX_PIXELS_PER_BYTE > source->bytes)
        gn_fail(GN_E_FORMAT, "read_image", "%s: its %lld bytes can't hold %lld x %lld pixels",
                source->path, (long long)source->bytes, (long long)out->height,
                (long long)out->width);
    else if (gn__picture_make(source, out) == GN_OK &&
             !png_image_finish_read(&image, NULL, out->pixels, 0, NULL))
        gn_fail(GN_E_FORMAT, "read_image", "%s: %s", source->path, image.message);
    png_image_free(&image);
    return gn_error_status();
}
#else
gn_status gn__png_read(const gn__image_file *source, gn__picture *out) {
    (void)out;
    return gn_fail(GN_E_UNSUPPORTED, "read_image",
                   "%s: Genesis was built without libpng (Debian, Ubuntu: apt install libpng-dev, "
                   "then configure and make again)",
                   source->path);
}
#endif
