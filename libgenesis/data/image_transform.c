/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_transform.c - changes of images, as loops of the host: an image is small, and threads of
 * loaders do not wait for the device.
 */
#include <math.h>
#include <stdlib.h>

#include "image.h"

/* An image that is read, and the one that is made of it. */
typedef struct change {
    gn__host from, to;
    int64_t c, h, w; /* of the first one */
} change;

/* False with an error. */
static bool begin(const char *op, gn_tensor *image, change *out) {
    *out = (change){.c = 0};
    if (gn__failed() || !gn__given(op, image))
        return false;
    if (image->n_dims != 3) {
        gn_fail(GN_E_ARGUMENT, op, "an image (C, H, W) is needed, not %s", gn__shape_of(image));
        return false;
    }
    out->c = image->size[0], out->h = image->size[1], out->w = image->size[2];
    return gn__host_read(image, &out->from) == GN_OK;
}

/* Makes room for an image of c channels; false with an error. */
static bool make(change *self, int dtype, int64_t height, int64_t width) {
    gn__device *device = self->from.tensor->storage->device;
    return gn__host_new(device, dtype, GN_SHAPE(self->c, height, width), &self->to) == GN_OK;
}

static gn_tensor *finish(change *self) {
    gn__host_close(&self->from);
    if (self->to.tensor == NULL || gn__failed()) {
        gn__host_close(&self->to);
        return NULL;
    }
    return gn__host_finish(&self->to);
}

static bool positive(const char *op, int64_t height, int64_t width) {
    if (height > 0 && width > 0)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "to %lld x %lld: sizes must be at least 1", (long long)height,
            (long long)width);
    return false;
}

/* ---- Values */

/* y[c] = x[c] * scale[c] + shift[c] */
static gn_tensor *affine(const char *op, gn_tensor *image, const float *scale, const float *shift) {
    change self;
    if (!begin(op, image, &self) || !make(&self, GN_F32, self.h, self.w))
        return finish(&self);
    int64_t n = self.h * self.w;
    float *out = self.to.data;
    for (int64_t c = 0; c < self.c; c++, out += n) {
        const unsigned char *bytes = (const unsigned char *)self.from.data + c * n;
        const float *floats = (const float *)self.from.data + c * n;
        if (image->dtype == GN_U8)
            for (int64_t i = 0; i < n; i++)
                out[i] = (float)bytes[i] * scale[c] + shift[c];
        else
            for (int64_t i = 0; i < n; i++)
                out[i] = floats[i] * scale[c] + shift[c];
    }
    return finish(&self);
}

static bool known_dtype(const char *op, const gn_tensor *image) {
    if (gn__failed() || !gn__given(op, image))
        return false;
    if (image->dtype == GN_U8 || image->dtype == GN_F32)
        return true;
    gn_fail(GN_E_ARGUMENT, op, "an image of uint8 or float32 is needed, not %s",
            gn_dtype_name((gn_dtype)image->dtype));
    return false;
}

enum { MAX_CHANNELS = 64 };

gn_tensor *gn_image_normalize(gn_tensor *image, const double *mean, const double *std) {
    const char *op = "image_normalize";
    float scale[MAX_CHANNELS], shift[MAX_CHANNELS];
    if (!known_dtype(op, image))
        return NULL;
    int64_t channels = image->n_dims == 3 ? image->size[0] : 0;
    if (mean == NULL || std == NULL || channels > MAX_CHANNELS)
        return gn__fail_null(GN_E_ARGUMENT, op, "image %s: %s", gn__shape_of(image),
                             mean && std ? "at most 64 channels" : "mean or std is NULL");
    for (int64_t c = 0; c < channels; c++) {
        if (!(fabs(std[c]) > 0))
            return gn__fail_null(GN_E_ARGUMENT, op, "the std of channel %lld is %g", (long long)c,
                                 std[c]);
        scale[c] = (float)(1 / std[c] / (image->dtype == GN_U8 ? 255 : 1));
        shift[c] = (float)(-mean[c] / std[c]);
    }
    return affine(op, image, scale, shift);
}

gn_tensor *gn_image_to_float(gn_tensor *image) {
    change self;
    const char *op = "image_to_float";
    if (!known_dtype(op, image) || image->dtype == GN_F32)
        return gn__failed() ? NULL : image;
    if (!begin(op, image, &self) || !make(&self, GN_F32, self.h, self.w))
        return finish(&self);
    const unsigned char *in = self.from.data;
    float *out = self.to.data;
    for (int64_t i = 0; i < image->count; i++)
        out[i] = (float)in[i] / 255; /* as the data sets do: exact for 0 and 255 */
    return finish(&self);
}

/* ---- Places */

/* The part that begins at (top, left), which may lie outside, where there are zeros. */
static gn_tensor *window(change *self, int64_t top, int64_t left, int64_t height, int64_t width) {
    int dtype = self->from.tensor->dtype;
    if (!make(self, dtype, height, width))
        return finish(self);
    size_t bytes = (size_t)gn_dtype_bytes(dtype);
    int64_t first = left < 0 ? -left : 0; /* columns of the result that have a source */
    int64_t last = self->w - left < width ? self->w - left : width;
    memset(self->to.data, 0, (size_t)self->to.tensor->count * bytes);
    for (int64_t c = 0; c < self->c; c++)
        for (int64_t y = 0; y < height; y++) {
            int64_t row = top + y;
            if (row < 0 || row >= self->h || last <= first)
                continue;
            memcpy((char *)self->to.data + (size_t)((c * height + y) * width + first) * bytes,
                   (char *)self->from.data +
                       (size_t)((c * self->h + row) * self->w + left + first) * bytes,
                   (size_t)(last - first) * bytes);
        }
    return finish(self);
}

gn_tensor *gn_image_center_crop(gn_tensor *image, int64_t height, int64_t width) {
    const char *op = "image_center_crop";
    change self;
    if (!begin(op, image, &self) || !positive(op, height, width))
        return finish(&self);
    int64_t top = (int64_t)floor((double)(self.h - height) / 2);
    int64_t left = (int64_t)floor((double)(self.w - width) / 2);
    return window(&self, top, left, height, width);
}

/* The four words of one step. */
static void draw(gn_generator *generator, uint32_t words[4]) {
    int64_t key, offset;
    gn__random_step(generator, &key, &offset);
    gn__philox(0, (uint64_t)offset, (uint64_t)key, words);
}

gn_tensor *gn_image_random_crop(gn_tensor *image, int64_t height, int64_t width, int64_t padding,
                                gn_generator *generator) {
    const char *op = "image_random_crop";
    change self;
    uint32_t words[4];
    if (!begin(op, image, &self) || !positive(op, height, width))
        return finish(&self);
    if (padding < 0 || padding > INT32_MAX || height > self.h + 2 * padding ||
        width > self.w + 2 * padding) {
        gn_fail(GN_E_ARGUMENT, op, "%lld x %lld of an image %s with padding %lld: that is less",
                (long long)height, (long long)width, gn__shape_of(image), (long long)padding);
        return finish(&self);
    }
    draw(generator, words);
    uint64_t tops = (uint64_t)(self.h + 2 * padding - height + 1);
    uint64_t lefts = (uint64_t)(self.w + 2 * padding - width + 1);
    return window(&self, (int64_t)(words[0] % tops) - padding,
                  (int64_t)(words[1] % lefts) - padding, height, width);
}

gn_tensor *gn_image_random_horizontal_flip(gn_tensor *image, double p, gn_generator *generator) {
    change self;
    uint32_t words[4];
    if (!begin("image_random_horizontal_flip", image, &self))
        return finish(&self);
    draw(generator, words);
    if (!((double)words[0] * 0x1p-32 < p)) {
        gn__host_close(&self.from);
        return image;
    }
    if (!make(&self, image->dtype, self.h, self.w))
        return finish(&self);
    size_t bytes = (size_t)gn_dtype_bytes(image->dtype);
    for (int64_t row = 0; row < self.c * self.h; row++)
        for (int64_t x = 0; x < self.w; x++)
            memcpy((char *)self.to.data + (size_t)(row * self.w + x) * bytes,
                   (char *)self.from.data + (size_t)(row * self.w + self.w - 1 - x) * bytes, bytes);
    return finish(&self);
}

/* ---- Sizes */

/* What an element of a resized line is made of: `n` elements from `first`. */
typedef struct taps {
    int64_t first, n;
    float *weight;
} taps;

/* A triangle around the place in the source, as wide as an element of the result, at least 2. */
static taps *make_taps(int64_t from, int64_t to) {
    double scale = (double)from / (double)to, reach = scale > 1 ? scale : 1;
    size_t most = (size_t)(2 * ceil(reach) + 1);
    taps *all = gn__alloc_array((size_t)to, sizeof *all + most * sizeof(float));
    float *weight = all ? (float *)(all + to) : NULL;
    for (int64_t i = 0; all && i < to; i++, weight += most) {
        double center = ((double)i + 0.5) * scale, sum = 0;
        int64_t first = (int64_t)fmax(0, center - reach + 0.5);
        int64_t last = (int64_t)fmin((double)from, center + reach + 0.5);
        for (int64_t k = first; k < last; k++)
            sum += fmax(0, 1 - fabs((double)k + 0.5 - center) / reach);
        for (int64_t k = first; k < last; k++)
            weight[k - first] = (float)(fmax(0, 1 - fabs((double)k + 0.5 - center) / reach) / sum);
        all[i] = (taps){first, last - first, weight};
    }
    return all;
}

/* One line of the source, floats, as `width` elements. */
static void resize_line(const float *in, const taps *across, float *out, int64_t width) {
    for (int64_t x = 0; x < width; x++) {
        float sum = 0;
        for (int64_t k = 0; k < across[x].n; k++)
            sum += across[x].weight[k] * in[across[x].first + k];
        out[x] = sum;
    }
}

/* One channel: lines first, then columns. `lines`: h x width floats, and one of the source. */
static void resize_channel(const change *self, int64_t c, const taps *across, const taps *down,
                           int64_t height, int64_t width, float *lines) {
    float *line = lines + self->h * width;
    for (int64_t y = 0; y < self->h; y++) {
        int64_t start = (c * self->h + y) * self->w;
        gn__convert(line, GN_F32,
                    (const char *)self->from.data +
                        start * (int64_t)gn_dtype_bytes(self->from.tensor->dtype),
                    self->from.tensor->dtype, self->w);
        resize_line(line, across, lines + y * width, width);
    }
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            float sum = 0;
            int64_t place = (c * height + y) * width + x;
            for (int64_t k = 0; k < down[y].n; k++)
                sum += down[y].weight[k] * lines[(down[y].first + k) * width + x];
            if (self->to.tensor->dtype == GN_U8)
                ((unsigned char *)self->to.data)[place] = (unsigned char)(sum + 0.5F);
            else
                ((float *)self->to.data)[place] = sum;
        }
}

gn_tensor *gn_image_resize(gn_tensor *image, int64_t height, int64_t width) {
    const char *op = "image_resize";
    change self = {.c = 0};
    int64_t room = 0;
    if (!known_dtype(op, image) || !begin(op, image, &self) || !positive(op, height, width))
        return finish(&self);
    if (self.h < 1 || self.w < 1 || !gn__mul(self.h, width, &room) || !gn__add(room, self.w, &room))
        gn_fail(GN_E_ARGUMENT, op, "an image %s to %lld x %lld", gn__shape_of(image),
                (long long)height, (long long)width);
    if (gn__failed() || !make(&self, image->dtype, height, width))
        return finish(&self);
    taps *across = make_taps(self.w, width), *down = make_taps(self.h, height);
    float *lines = gn__alloc_array((size_t)room, sizeof *lines);
    for (int64_t c = 0; across && down && lines && c < self.c; c++)
        resize_channel(&self, c, across, down, height, width, lines);
    free(across);
    free(down);
    free(lines);
    return finish(&self);
}
