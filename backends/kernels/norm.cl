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
 * Defined before: DTYPE, ELEMENT, VALUE, INDEX, SUMS; ITEMS, a power of 2; and WIDTH, the channels
 * of a work-item.
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
    i32 lanes; /* work-items of a group along channels, a power of 2 */
    i32 channels_last; /* channels are neighbours in memory; else WIDTH and lanes are 1 */
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

/* Of n numbers of each channel: mean and the squares of what differs from it, or two sums. */
typedef struct {
    VALUE n, a[WIDTH], b[WIDTH];
} sums;

FN sums no_sums(void) {
    sums none = {0};
    for (int v = 0; v < WIDTH; v++)
        none.a[v] = none.b[v] = 0;
    return none;
}

FN sums add(sums x, sums y) {
    sums both = {x.n + y.n};
#if SUMS == 1
    const VALUE share = both.n > 0 ? y.n / both.n : 0;
#endif
    for (int v = 0; v < WIDTH; v++) {
#if SUMS == 1
        const VALUE difference = y.a[v] - x.a[v];
        both.a[v] = x.a[v] + difference * share;
        both.b[v] = x.b[v] + y.b[v] + difference * difference * x.n * share;
#else
        both.a[v] = x.a[v] + y.a[v];
        both.b[v] = x.b[v] + y.b[v];
#endif
    }
    return both;
}

/* The sums of all work-items that are `lanes` apart; the first `lanes` items get them. */
FN sums add_items(sums own, LOCAL sums *all, int item, int lanes) {
    all[item] = own;
    for (int step = ITEMS / 2; step >= lanes; step /= 2) {
        BARRIER;
        if (item < step) {
            own = add(own, all[item + step]);
            all[item] = own;
        }
    }
    return own;
}

/* The sums of some pixels, from `first` on, each `step`'th. x and dy: of the first channel. */
FN sums add_pixels(const norm_args *p, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
                   const VALUE *middle, INDEX first, INDEX end, INDEX step) {
    sums own = no_sums();
    for (INDEX pixel = first; pixel < end; pixel += step) {
        GLOBAL const ELEMENT *from = x + pixel_offset(p, X, pixel);
#if SUMS == 2
        GLOBAL const ELEMENT *gradients = dy + pixel_offset(p, DY, pixel);
#endif
        own.n += 1;
        for (int v = 0; v < WIDTH; v++) {
#if SUMS == 0
            own.a[v] += LOAD(from, v);
#elif SUMS == 1
            const VALUE difference = LOAD(from, v) - middle[v];
            own.a[v] += difference;
            own.b[v] += difference * difference;
#else
            own.a[v] += LOAD(gradients, v);
            own.b[v] += LOAD(gradients, v) * (LOAD(from, v) - middle[v]);
#endif
        }
    }
#if SUMS == 1
    for (int v = 0; v < WIDTH && own.n > 0; v++) { /* from around the middle to around the mean */
        const VALUE shift = own.a[v] / own.n;
        own.b[v] = fmax(own.b[v] - own.a[v] * shift, (VALUE)0);
        own.a[v] = middle[v] + shift;
    }
#endif
    return own;
}

/* A group sums a chunk of pixels of `lanes` times WIDTH channels; its work-items are (pixel,
 * channel). */
KERNEL(ITEMS, 1, 1)
channel_sums(const norm_args p, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
             GLOBAL const ELEMENT *mean, GLOBAL VALUE *scratch) {
    LOCAL sums all[ITEMS];
    const int item = LOCAL_ID(0), lanes = p.lanes;
    const i64 blocks = (p.channels / WIDTH + lanes - 1) / lanes, chunk = GROUP_ID(0) / blocks;
    const i64 channel = (GROUP_ID(0) % blocks * lanes + item % lanes) * WIDTH;
    const i64 rest = p.pixels - chunk * p.chunk;
    const INDEX first = (INDEX)(chunk * p.chunk);
    const INDEX end = first + (INDEX)(rest < p.chunk ? rest : p.chunk);
    sums own = no_sums();
    if (channel < p.channels) {
        VALUE middle[WIDTH]; /* for SUMS 1 any number near the mean */
        x += IMAGE_AT(X, channel);
        dy += IMAGE_AT(DY, channel);
#if SUMS > 0
        for (int v = 0; v < WIDTH; v++)
            middle[v] = SUMS == 1 ? LOAD(x, pixel_offset(&p, X, first) + v)
                                  : LOAD(mean, CHANNEL_AT(MEAN, channel + v));
#endif
        own = add_pixels(&p, x, dy, middle, first + item / lanes, end, ITEMS / lanes);
    }
    own = add_items(own, all, item, lanes);
    if (item >= lanes || channel >= p.channels)
        return;
    for (int v = 0; v < WIDTH; v++) {
        scratch[SUM_AT(0, chunk, channel + v)] = own.a[v];
        scratch[SUM_AT(1, chunk, channel + v)] = own.b[v];
    }
}

/* A group makes of the sums of WIDTH channels' chunks what the channels need. */
KERNEL(ITEMS, 1, 1)
channel_join(const norm_args p, const VALUE eps, GLOBAL const ELEMENT *w, GLOBAL const ELEMENT *b,
             GLOBAL ELEMENT *mean, GLOBAL ELEMENT *var, GLOBAL ELEMENT *dw, GLOBAL ELEMENT *db,
             GLOBAL VALUE *scratch) {
    LOCAL sums all[ITEMS];
    const int item = LOCAL_ID(0);
    const i64 first = (i64)GROUP_ID(0) * WIDTH;
    const VALUE count = (VALUE)p.pixels;
    sums own = no_sums();
    for (i64 chunk = item; chunk < p.chunks; chunk += ITEMS) {
        const i64 rest = p.pixels - chunk * p.chunk;
        sums next = {(VALUE)(rest < p.chunk ? rest : p.chunk)};
        for (int v = 0; v < WIDTH; v++) {
            next.a[v] = scratch[SUM_AT(0, chunk, first + v)];
            next.b[v] = scratch[SUM_AT(1, chunk, first + v)];
        }
        own = add(own, next);
    }
    own = add_items(own, all, item, 1);
    for (int v = 0; v < WIDTH && item == 0; v++) {
        const i64 channel = first + v;
        const VALUE sum = own.a[v], second = own.b[v];
#if SUMS == 0
        STORE(db, CHANNEL_AT(DB, channel), sum);
#elif SUMS == 1
        const VALUE variance = second / count;
        STORE(mean, CHANNEL_AT(MEAN, channel), sum);
        STORE(var, CHANNEL_AT(VAR, channel), variance);
        scratch[COEFFICIENT_AT(0, channel)] = sum;
        scratch[COEFFICIENT_AT(1, channel)] =
            LOAD(w, CHANNEL_AT(W, channel)) / sqrt(variance + eps);
        scratch[COEFFICIENT_AT(2, channel)] = LOAD(b, CHANNEL_AT(B, channel));
#else
        const VALUE r = 1 / sqrt(LOAD(var, CHANNEL_AT(VAR, channel)) + eps);
        const VALUE factor = LOAD(w, CHANNEL_AT(W, channel)) * r;
        STORE(db, CHANNEL_AT(DB, channel), sum);
        STORE(dw, CHANNEL_AT(DW, channel), second * r);
        scratch[COEFFICIENT_AT(0, channel)] = LOAD(mean, CHANNEL_AT(MEAN, channel));
        scratch[COEFFICIENT_AT(1, channel)] = factor;
        scratch[COEFFICIENT_AT(2, channel)] = factor * (r * (second * r)) / count;
        scratch[COEFFICIENT_AT(3, channel)] = factor * sum / count;
#endif
    }
}

/* ---- Images -------------------------------------------------------------------------------- */

#if SUMS > 0

/* A work-item makes WIDTH channels of a pixel: its neighbours the next channels, or pixels. */
KERNEL(ITEMS, 1, 1)
channel_apply(const norm_args p, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
              GLOBAL ELEMENT *target, GLOBAL const VALUE *scratch) {
    const INDEX blocks = (INDEX)(p.channels / WIDTH), pixels = (INDEX)p.pixels;
    const INDEX i = (INDEX)GLOBAL_ID(0), count = p.channels_last ? blocks : pixels;
    const INDEX outer = i / count, inner = i - outer * count;
    const INDEX block = p.channels_last ? inner : outer, pixel = p.channels_last ? outer : inner;
    const i64 channel = (i64)block * WIDTH;
    if (block >= blocks || pixel >= pixels)
        return;
    x += IMAGE_AT(X, channel) + pixel_offset(&p, X, pixel);
    target += IMAGE_AT(TARGET, channel) + pixel_offset(&p, TARGET, pixel);
#if SUMS == 2
    dy += IMAGE_AT(DY, channel) + pixel_offset(&p, DY, pixel);
#endif
    scratch += COEFFICIENT_AT(0, channel);
    for (int v = 0; v < WIDTH; v++) {
        const VALUE value = LOAD(x, v) - scratch[v], factor = scratch[p.channels + v];
#if SUMS == 1
        STORE(target, v, value * factor + scratch[2 * p.channels + v]);
#else
        STORE(target, v,
              factor * LOAD(dy, v) - scratch[2 * p.channels + v] * value -
                  scratch[3 * p.channels + v]);
#endif
    }
}

#endif
