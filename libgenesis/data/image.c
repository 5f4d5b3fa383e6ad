/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.c - image files as tensors. The formats are in png.c and jpeg.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "image.h"

enum { MAX_PIXELS = 1 << 26 };

static const char op[] = "read_image";

gn_status gn__picture_make(const gn__image_file *source, gn__picture *picture) {
    int64_t pixels;
    if (picture->height < 1 || picture->width < 1)
        return gn_fail(GN_E_FORMAT, op, "%s: has no pixels", source->path);
    if (!gn__mul(picture->height, picture->width, &pixels) || pixels > source->max_pixels)
        return gn_fail(GN_E_FORMAT, op,
                       "%s: %lld x %lld pixels are more than the %lld allowed (.max_pixels)",
                       source->path, (long long)picture->height, (long long)picture->width,
                       (long long)source->max_pixels);
    picture->pixels = gn__alloc_array((size_t)pixels, (size_t)picture->channels);
    return gn_error_status();
}

/* ---- From pixels to planes */

/* Channel c of C that are asked for, of a pixel of n channels. */
static unsigned char channel(const unsigned char *pixel, int64_t n, int64_t c, int64_t C) {
    if (C == 1 && n >= 3) /* rounded to the nearest */
        return (unsigned char)((299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2] + 500) / 1000);
    return C == 3 && n < 3 ? pixel[0] : pixel[c];
}

static gn_tensor *to_tensor(const gn__picture *p, int64_t channels, gn__device *device) {
    int64_t n = p->channels, count = p->height * p->width;
    gn__host to;
    if (channels == 0)
        channels = n;
    if (gn__host_new(device, GN_U8, GN_SHAPE(channels, p->height, p->width), &to) != GN_OK)
        return NULL;
    unsigned char *out = to.data;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < count; i++)
            *out++ = channel(p->pixels + i * n, n, c, channels);
    return gn__host_finish(&to);
}

/* ---- Files */

static gn_status open_file(gn__image_file *source) {
    struct stat info;
    source->file = fopen(source->path, "rbe");
    if (source->file == NULL)
        return gn_fail(errno == ENOENT ? GN_E_NOT_FOUND : GN_E_IO, op, "%s: %s", source->path,
                       strerror(errno));
    if (fstat(fileno(source->file), &info) != 0 || !S_ISREG(info.st_mode)) {
        fclose(source->file);
        return gn_fail(GN_E_IO, op, "%s: is not a regular file", source->path);
    }
    source->bytes = info.st_size;
    return GN_OK;
}

static gn_status decode(const gn__image_file *source, gn__picture *out) {
    unsigned char magic[4] = {0};
    size_t n = fread(magic, 1, sizeof magic, source->file);
    rewind(source->file);
    if (n == sizeof magic && memcmp(magic, "\x89PNG", 4) == 0)
        return gn__png_read(source, out);
    if (n == sizeof magic && memcmp(magic, "\xff\xd8\xff", 3) == 0)
        return gn__jpeg_read(source, out);
    return gn_fail(GN_E_FORMAT, op, "%s: is neither a PNG nor a JPEG file", source->path);
}

gn_tensor *gn_read_image_with(const char *path, const gn_image_options *options) {
    static const gn_image_options standard = {0};
    if (gn__failed())
        return NULL;
    if (options == NULL)
        options = &standard;
    int64_t channels = options->channels;
    if (path == NULL || options->max_pixels < 0 ||
        (channels != 0 && channels != 1 && channels != 3))
        return gn__fail_null(GN_E_ARGUMENT, op, "%s, %lld channels, at most %lld pixels",
                             path ? path : "path NULL", (long long)channels,
                             (long long)options->max_pixels);
    gn__device *device = gn__device_get(options->device);
    gn__image_file source = {.path = path,
                             .max_pixels = options->max_pixels ? options->max_pixels : MAX_PIXELS};
    gn__picture picture = {.pixels = NULL};
    gn_tensor *image = NULL;
    if (device == NULL || open_file(&source) != GN_OK)
        return NULL;
    if (decode(&source, &picture) == GN_OK)
        image = to_tensor(&picture, channels, device);
    fclose(source.file);
    free(picture.pixels);
    return image;
}
