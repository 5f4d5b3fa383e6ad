/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norm.cl - sums over all pixels of each channel, and batch norm, which is made of them.
 *
 *   SUMS 0  b = sum x                                        gradient of a convolution's bias
 *   SUMS 1  mean and var of x;  y = (x - mean) r w + b       r = 1 / sqrt(var + eps)
 *   SUMS 2  db = sum dy, dw = sum dy (x - mean) r;  dx = w r (dy - db / n - (x - mean) r dw / n)
 *
 * A run is the pixels of one stride, such as those of an image. It is cut into pieces, and a chunk
 * is so many pieces. channel_sums sums chunks, channel_join the chunks of each channel, and
 * channel_apply makes the images, chunk by chunk. A work-item adds up to 64 numbers one after the
 * other, or a few more, and what work-items and chunks have is added pairwise, so that errors stay
 * small.
 *
 * A work-item takes WIDTH elements that are neighbours in memory at once. They are CHANNELS channels
 * of a pixel, or PIXELS pixels of a channel: one of the two is 1.
 *
 * Defined before: DTYPE, ELEMENT, VALUE, INDEX, SUMS; ITEMS, a power of 2; CHANNELS and PIXELS.
 */

#define LOAD(p, i) JOIN(LOAD_, DTYPE)(p, i)
#define STORE(p, i, value) JOIN(STORE_, DTYPE)(p, i, value)
#define WIDTH (CHANNELS * PIXELS)

enum { X, DY, TARGET, IMAGES, W = 0, B, MEAN, VAR, DW, DB, VECTORS, DIGITS = 4 };

/* As ocl_norm_args in norm.h. Strides count elements; a run has digits in its dims. */
typedef struct {
    i64 image_first[IMAGES], channel_stride[IMAGES];
    i64 run_size[DIGITS], run_stride[IMAGES][DIGITS], pixel_stride[IMAGES];
    i64 vector_first[VECTORS], vector_stride[VECTORS];
    i64 channels, pixels;
    i64 length, piece, pieces; /* pixels of a run and of a piece, pieces of all runs */
    i64 scratch_first;
    i32 n_digits, cuts; /* cuts: pieces of a run */
    i32 chunk, chunks;  /* pieces of a chunk, chunks of all */
    i32 lanes, inner; /* work-items of a group along channels and along a piece, powers of 2; the
                         rest is along pieces. PIXELS above 1: inner is 1 */
} norm_args;

/* ---- Addresses ----------------------------------------------------------------------------- */

/* The first pixel of a run. */
FN INDEX run_offset(const norm_args *p, int image, INDEX run) {
    INDEX offset = 0;
    for (int d = p->n_digits - 1; d > 0; d--) {
        const INDEX size = (INDEX)p->run_size[d], next = run / size;
        offset += (run - next * size) * (INDEX)p->run_stride[image][d];
        run = next;
    }
    return offset + run * (INDEX)p->run_stride[image][0];
}

/* The pixels first..end-1 of a run. */
typedef struct {
    INDEX run, first, end;
} span;

FN span span_of(const norm_args *p, INDEX piece) {
    const INDEX run = piece / p->cuts, first = (piece - run * p->cuts) * (INDEX)p->piece;
    const INDEX rest = (INDEX)p->length - first;
    const span pixels = {run, first, first + (rest < (INDEX)p->piece ? rest : (INDEX)p->piece)};
    return pixels;
}

/* How many pixels are before a piece; of one behind the last: all. */
FN i64 pixels_before(const norm_args *p, i64 piece) {
    const i64 run = piece / p->cuts;
    return run * p->length + (piece - run * p->cuts) * p->piece;
}

/* What a work-item does: the pieces first, first + step, .. of a chunk, of each the pixels from
 * `lane` on, and the channels from `channel` on. */
typedef struct {
    INDEX first, end, step, lane;
    i64 channel, chunk;
} task;

FN task task_of(const norm_args *p, i64 group, int item) {
    const int outer = item / p->lanes / p->inner;
    const i64 blocks = (p->channels / CHANNELS + p->lanes - 1) / p->lanes, chunk = group / blocks;
    const i64 begin = chunk * p->chunk, end = begin + p->chunk;
    const task own = {(INDEX)begin + outer,
                      (INDEX)(end < p->pieces ? end : p->pieces),
                      ITEMS / p->lanes / p->inner,
                      (item / p->lanes & (p->inner - 1)) * PIXELS,
                      (group - chunk * blocks) * p->lanes * CHANNELS +
                          (item & (p->lanes - 1)) * CHANNELS,
                      chunk};
    return own;
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
    VALUE n, a[CHANNELS], b[CHANNELS];
} sums;

FN sums no_sums(void) {
    sums none = {0};
    for (int v = 0; v < CHANNELS; v++)
        none.a[v] = none.b[v] = 0;
    return none;
}

FN sums add(sums x, sums y) {
    sums both = {x.n + y.n};
#if SUMS == 1
    const VALUE share = both.n > 0 ? y.n / both.n : 0;
#endif
    for (int v = 0; v < CHANNELS; v++) {
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

/* Takes `count` elements side by side into a and b. */
FN void take(VALUE *a, VALUE *b, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
             const VALUE *middle, int count) {
    for (int v = 0; v < count; v++) {
#if SUMS == 0
        a[v] += LOAD(x, v);
#elif SUMS == 1
        const VALUE difference = LOAD(x, v) - middle[v];
        a[v] += difference;
        b[v] += difference * difference;
#else
        a[v] += LOAD(dy, v);
        b[v] += LOAD(dy, v) * (LOAD(x, v) - middle[v]);
#endif
    }
}

/* The sums of a work-item. x and dy: pixel 0 of the first channel. */
FN sums add_pixels(const norm_args *p, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
                   const VALUE *middle, const task *own) {
    sums all = no_sums();
    VALUE a[WIDTH], b[WIDTH];
    const INDEX hop = p->inner * PIXELS;
    const INDEX step_x = (INDEX)p->pixel_stride[X], step_dy = (INDEX)p->pixel_stride[DY];
    for (int v = 0; v < WIDTH; v++)
        a[v] = b[v] = 0;
    for (INDEX piece = own->first; piece < own->end; piece += own->step) {
        const span s = span_of(p, piece);
        GLOBAL const ELEMENT *from = x + run_offset(p, X, s.run);
        GLOBAL const ELEMENT *gradients = dy;
        INDEX i = s.first + own->lane;
#if SUMS == 2
        gradients += run_offset(p, DY, s.run);
#endif
        for (; i + PIXELS <= s.end; i += hop) {
            take(a, b, from + i * step_x, gradients + i * step_dy, middle, WIDTH);
            all.n += PIXELS;
        }
        for (; PIXELS > 1 && i < s.end; i++) {
            take(a, b, from + i, gradients + i, middle, 1);
            all.n += 1;
        }
    }
    for (int v = 0; v < WIDTH; v++) {
        all.a[v / PIXELS] += a[v];
        all.b[v / PIXELS] += b[v];
    }
#if SUMS == 1
    for (int v = 0; v < CHANNELS && all.n > 0; v++) { /* from the middle to the mean */
        const VALUE shift = all.a[v] / all.n;
        all.b[v] = fmax(all.b[v] - all.a[v] * shift, (VALUE)0);
        all.a[v] = middle[v * PIXELS] + shift;
    }
#endif
    return all;
}

/* A group sums a chunk of `lanes` times CHANNELS channels. */
KERNEL(ITEMS, 1, 1)
channel_sums(const norm_args p, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
             GLOBAL const ELEMENT *mean, GLOBAL VALUE *scratch) {
    LOCAL sums all[ITEMS];
    const int item = LOCAL_ID(0);
    const task own = task_of(&p, GROUP_ID(0), item);
    sums result = no_sums();
    if (own.channel < p.channels) {
        VALUE middle[WIDTH]; /* for SUMS 1 any number near the mean */
        x += IMAGE_AT(X, own.channel);
        dy += IMAGE_AT(DY, own.channel);
#if SUMS == 1
        const span s = span_of(&p, (INDEX)own.chunk * p.chunk);
        const INDEX first = run_offset(&p, X, s.run) + s.first * (INDEX)p.pixel_stride[X];
        for (int v = 0; v < WIDTH; v++)
            middle[v] = LOAD(x, first + v / PIXELS);
#elif SUMS == 2
        for (int v = 0; v < WIDTH; v++)
            middle[v] = LOAD(mean, CHANNEL_AT(MEAN, own.channel + v / PIXELS));
#endif
        result = add_pixels(&p, x, dy, middle, &own);
    }
    result = add_items(result, all, item, p.lanes);
    if (item >= p.lanes || own.channel >= p.channels)
        return;
    for (int v = 0; v < CHANNELS; v++) {
        scratch[SUM_AT(0, own.chunk, own.channel + v)] = result.a[v];
        scratch[SUM_AT(1, own.chunk, own.channel + v)] = result.b[v];
    }
}

/* A group makes of the sums of CHANNELS channels' chunks what the channels need. */
KERNEL(ITEMS, 1, 1)
channel_join(const norm_args p, const VALUE eps, GLOBAL const ELEMENT *w, GLOBAL const ELEMENT *b,
             GLOBAL ELEMENT *mean, GLOBAL ELEMENT *var, GLOBAL ELEMENT *dw, GLOBAL ELEMENT *db,
             GLOBAL VALUE *scratch) {
    LOCAL sums all[ITEMS];
    const int item = LOCAL_ID(0);
    const i64 first = (i64)GROUP_ID(0) * CHANNELS;
    const VALUE count = (VALUE)p.pixels;
    sums own = no_sums();
    for (i64 chunk = item; chunk < p.chunks; chunk += ITEMS) {
        const i64 begin = chunk * p.chunk, end = begin + p.chunk;
        sums next = {(VALUE)(pixels_before(&p, end < p.pieces ? end : p.pieces) -
                             pixels_before(&p, begin))};
        for (int v = 0; v < CHANNELS; v++) {
            next.a[v] = scratch[SUM_AT(0, chunk, first + v)];
            next.b[v] = scratch[SUM_AT(1, chunk, first + v)];
        }
        own = add(own, next);
    }
    own = add_items(own, all, item, 1);
    for (int v = 0; v < CHANNELS && item == 0; v++) {
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

/* Makes `count` elements side by side. */
FN void make(GLOBAL ELEMENT *target, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
             VALUE (*coefficient)[WIDTH], int count) {
    for (int v = 0; v < count; v++) {
        const VALUE value = LOAD(x, v) - coefficient[0][v];
#if SUMS == 1
        STORE(target, v, value * coefficient[1][v] + coefficient[2][v]);
#else
        STORE(target, v,
              coefficient[1][v] * LOAD(dy, v) - coefficient[2][v] * value - coefficient[3][v]);
#endif
    }
}

/* A group makes a chunk of `lanes` times CHANNELS channels. */
KERNEL(ITEMS, 1, 1)
channel_apply(const norm_args p, GLOBAL const ELEMENT *x, GLOBAL const ELEMENT *dy,
              GLOBAL ELEMENT *target, GLOBAL const VALUE *scratch) {
    const task own = task_of(&p, GROUP_ID(0), LOCAL_ID(0));
    const INDEX hop = p.inner * PIXELS, step_x = (INDEX)p.pixel_stride[X];
    const INDEX step_dy = (INDEX)p.pixel_stride[DY], step_target = (INDEX)p.pixel_stride[TARGET];
    VALUE coefficient[SUMS + 2][WIDTH];
    if (own.channel >= p.channels)
        return;
    for (int i = 0; i < SUMS + 2; i++)
        for (int v = 0; v < WIDTH; v++)
            coefficient[i][v] = scratch[COEFFICIENT_AT(i, own.channel + v / PIXELS)];
    x += IMAGE_AT(X, own.channel);
    dy += IMAGE_AT(DY, own.channel);
    target += IMAGE_AT(TARGET, own.channel);
    for (INDEX piece = own.first; piece < own.end; piece += own.step) {
        const span s = span_of(&p, piece);
        GLOBAL const ELEMENT *from = x + run_offset(&p, X, s.run);
        GLOBAL const ELEMENT *gradients = dy + run_offset(&p, DY, s.run);
        GLOBAL ELEMENT *to = target + run_offset(&p, TARGET, s.run);
        INDEX i = s.first + own.lane;
        for (; i + PIXELS <= s.end; i += hop)
            make(to + i * step_target, from + i * step_x, gradients + i * step_dy, coefficient,
                 WIDTH);
        for (; PIXELS > 1 && i < s.end; i++)
            make(to + i, from + i, gradients + i, coefficient, 1);
    }
}

#endif
