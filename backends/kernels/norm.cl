/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.cl - sums over all pixels of each channel, and batch norm, which is made of them.
 *
 *   SUMS 0  b = sum x                                        gradient of a convolution's bias
 *   SUMS 1  mean and var of x;  y = (x - mean) r w + b       r = 1 / sqrt(var + eps)
 *   SUMS 2  db = sum dy, dw = sum dy (x - mean) r;  dx = w r (dy - db / n - (x - mean) r dw / n)
 *
 * channel_sums sums chunks of pixels, channel_join the chunks of each channel, and channel_apply
 * makes the images. A work-item adds up to 64 numbers one after the other, and what work-items and
 * chunks have is added pairwise, so that errors stay small.
 *
 * Defined before: DTYPE, ELEMENT, VALUE, INDEX, SUMS and ITEMS, a power of 2.
 */

#define LOAD(p, i) JOIN(LOAD_, DTYPE)(p, i)
#define STORE(p, i, value) JOIN(STORE_, DTYPE)(p, i, value)

enum { X, DY, TARGET, IMAGES, W = 0, B, MEAN, VAR, DW, DB, VECTORS, DIGITS = 4 };

/* As ocl_norm_args in norm.h. Strides count elements; a pixel has digits in its dims. */
typedef struct {
    i64 image_first[IMAGES], channel_stride[IMAGES];
    i64 pixel_size[DIGITS], pixel_stride[IMAGES][DIGITS];
    i64 vector_first[VECTORS], vector_stride[VECTORS];
    i64 channels, pixels, chunk; /* pixels of a chunk */
    i64 scratch_first;
    i32 n_digits, chunks;
    i32 lanes; /* channels of a group, a power of 2; 1 unless they are neighbours in memory */
    i32 unused;
} norm_args;

/* ---- Addresses ----------------------------------------------------------------------------- */

FN INDEX pixel_offset(const norm_args *p, int image, INDEX pixel) {
    INDEX offset = 0;
    for (int d = p->n_digits - 1; d > 0; d--) {
        const INDEX size = (INDEX)p->pixel_size[d];
        offset += pixel % size * (INDEX)p->pixel_stride[image][d];
        pixel /= size;
    }
    return offset + pixel * (INDEX)p->pixel_stride[image][0];
}

#define IMAGE_AT(image, channel)                                                                   \
    (p.image_first[image] + (channel) * p.channel_stride[image])
#define CHANNEL_AT(vector, channel)                                                                \
    (p.vector_first[vector] + (channel) * p.vector_stride[vector])

/* In the scratch memory: two sums of each chunk and channel, then the coefficients of channels. */
#define SUM_AT(number, chunk, channel)                                                             \
    (p.scratch_first + ((number) * (i64)p.chunks + (chunk)) * p.channels + (channel))
#define COEFFICIENT_AT(number, channel) SUM_AT(2, 0, (number) * p.channels + (channel))

/* ---- Sums ---------------------------------------------------------------------------------- */

/* Of n numbers: mean and the squares of what differs from it, or just two sums. */
typedef struct {
    VALUE n, a, b;
} sums;

#if SUMS == 1
FN sums add(sums x, sums y) {
    const VALUE n = x.n + y.n, difference = y.a - x.a, share = n > 0 ? y.n / n : 0;
    const sums both = {n, x.a + difference * share,
                       x.b + y.b + difference * difference * x.n * share};
    return both;
}
#else
FN sums add(sums x, sums y) {
    const sums both = {x.n + y.n, x.a + y.a, x.b + y.b};
    return both;
}
#endif

/* The sums of all work-items that are `lanes` apart; the first `lanes` items get them. */
FN sums add_items(sums own, LOCAL VALUE *n, LOCAL VALUE *a, LOCAL VALUE *b, int item, int lanes) {
    n[item] = own.n;
    a[item] = own.a;
    b[item] = own.b;
    for (int step = ITEMS / 2; step >= lanes; step /= 2) {
        BARRIER;
        if (item < step) {
            const sums other = {n[item + step], a[item + step], b[item + step]};
            own = add(own, other);
            n[item] = own.n;
            a[item] = own.a;
            b[item] = own.b;
        }
    }
    return own;
}

/* A group sums a chunk of pixels of `lanes` channels; its work-items are (pixel, channel). */
KERNEL(ITEMS, 1, 1)
channel_sums(const norm_args p, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
             GLOBAL const ELEMENT *mean, GLOBAL VALUE *scratch) {
    LOCAL VALUE n[ITEMS], a[ITEMS], b[ITEMS];
    const int item = LOCAL_ID(0), lanes = p.lanes;
    const i64 blocks = (p.channels + lanes - 1) / lanes;
    const i64 channel = GROUP_ID(0) % blocks * lanes + item % lanes, chunk = GROUP_ID(0) / blocks;
    const i64 rest = p.pixels - chunk * p.chunk;
    const INDEX first = (INDEX)(chunk * p.chunk);
    const INDEX end = first + (INDEX)(rest < p.chunk ? rest : p.chunk);
    sums own = {0, 0, 0};
    if (channel < p.channels) {
        x += IMAGE_AT(X, channel);
        dy += IMAGE_AT(DY, channel);
#if SUMS == 1
        const VALUE pivot = LOAD(x, pixel_offset(&p, X, first));
#elif SUMS == 2
        const VALUE middle = LOAD(mean, CHANNEL_AT(MEAN, channel));
#endif
        for (INDEX pixel = first + item / lanes; pixel < end; pixel += ITEMS / lanes) {
            const VALUE value = LOAD(x, pixel_offset(&p, X, pixel));
#if SUMS == 0
            own.a += value;
#elif SUMS == 1
            own.n += 1;
            own.a += value - pivot;
            own.b += (value - pivot) * (value - pivot);
#else
            const VALUE gradient = LOAD(dy, pixel_offset(&p, DY, pixel));
            own.a += gradient;
            own.b += gradient * (value - middle);
#endif
        }
#if SUMS == 1
        if (own.n > 0) {
            const VALUE shift = own.a / own.n;
            own.b = fmax(own.b - own.a * shift, (VALUE)0);
            own.a = pivot + shift;
        }
#endif
    }
    own = add_items(own, n, a, b, item, lanes);
    if (item < lanes && channel < p.channels) {
        scratch[SUM_AT(0, chunk, channel)] = own.a;
        scratch[SUM_AT(1, chunk, channel)] = own.b;
    }
}

/* A group makes of the sums of a channel's chunks what the channel needs. */
KERNEL(ITEMS, 1, 1)
channel_join(const norm_args p, const VALUE eps, GLOBAL const ELEMENT *w, GLOBAL const ELEMENT *b,
             GLOBAL ELEMENT *mean, GLOBAL ELEMENT *var, GLOBAL ELEMENT *dw, GLOBAL ELEMENT *db,
             GLOBAL VALUE *scratch) {
    LOCAL VALUE n_of[ITEMS], a_of[ITEMS], b_of[ITEMS];
    const int item = LOCAL_ID(0);
    const i64 channel = GROUP_ID(0);
    const VALUE count = (VALUE)p.pixels;
    sums own = {0, 0, 0};
    for (i64 chunk = item; chunk < p.chunks; chunk += ITEMS) {
        const i64 rest = p.pixels - chunk * p.chunk;
        const sums next = {(VALUE)(rest < p.chunk ? rest : p.chunk),
                           scratch[SUM_AT(0, chunk, channel)], scratch[SUM_AT(1, chunk, channel)]};
        own = add(own, next);
    }
    own = add_items(own, n_of, a_of, b_of, item, 1);
    if (item > 0)
        return;
#if SUMS == 0
    STORE(db, CHANNEL_AT(DB, channel), own.a);
#elif SUMS == 1
    const VALUE variance = own.b / count;
    STORE(mean, CHANNEL_AT(MEAN, channel), own.a);
    STORE(var, CHANNEL_AT(VAR, channel), variance);
    scratch[COEFFICIENT_AT(0, channel)] = own.a;
    scratch[COEFFICIENT_AT(1, channel)] =
        LOAD(w, CHANNEL_AT(W, channel)) / sqrt(variance + eps);
    scratch[COEFFICIENT_AT(2, channel)] = LOAD(b, CHANNEL_AT(B, channel));
#else
    const VALUE r = 1 / sqrt(LOAD(var, CHANNEL_AT(VAR, channel)) + eps);
    const VALUE factor = LOAD(w, CHANNEL_AT(W, channel)) * r;
    STORE(db, CHANNEL_AT(DB, channel), own.a);
    STORE(dw, CHANNEL_AT(DW, channel), own.b * r);
    scratch[COEFFICIENT_AT(0, channel)] = LOAD(mean, CHANNEL_AT(MEAN, channel));
    scratch[COEFFICIENT_AT(1, channel)] = factor;
    scratch[COEFFICIENT_AT(2, channel)] = factor * (r * (own.b * r)) / count;
    scratch[COEFFICIENT_AT(3, channel)] = factor * own.a / count;
#endif
}

/* ---- Images -------------------------------------------------------------------------------- */

#if SUMS > 0

/* A work-item makes one element: its neighbours those of the next channels, or pixels. */
KERNEL(ITEMS, 1, 1)
channel_apply(const norm_args p, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
              GLOBAL ELEMENT *target, GLOBAL const VALUE *scratch) {
    const INDEX i = (INDEX)GLOBAL_ID(0), count = (INDEX)(p.lanes > 1 ? p.channels : p.pixels);
    const INDEX quotient = i / count, rest = i - quotient * count;
    const INDEX channel = p.lanes > 1 ? rest : quotient, pixel = p.lanes > 1 ? quotient : rest;
    if (channel >= p.channels || pixel >= p.pixels)
        return;
    const VALUE mean = scratch[COEFFICIENT_AT(0, channel)];
    const VALUE value = LOAD(x, IMAGE_AT(X, channel) + pixel_offset(&p, X, pixel)) - mean;
    const i64 to = IMAGE_AT(TARGET, channel) + pixel_offset(&p, TARGET, pixel);
#if SUMS == 1
    const VALUE scale = scratch[COEFFICIENT_AT(1, channel)];
    STORE(target, to, value * scale + scratch[COEFFICIENT_AT(2, channel)]);
#else
    const VALUE gradient = LOAD(dy, IMAGE_AT(DY, channel) + pixel_offset(&p, DY, pixel));
    STORE(target, to,
          scratch[COEFFICIENT_AT(1, channel)] * gradient -
              scratch[COEFFICIENT_AT(2, channel)] * value - scratch[COEFFICIENT_AT(3, channel)]);
#endif
}

#endif
