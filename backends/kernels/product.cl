/* SPDX-License-Identifier: Apache-2.0 */
/*
 * product.cl - products of matrices that are given by strides, many of them in one launch:
 *
 *   c[m, n] = act(sum_k a[m, k] b[k, n] + bias[m, n])
 *
 * and convolutions, which are such products with an image seen through a window as one operand:
 *
 *   IMAGE 0   none: plain matrices
 *   IMAGE 1   a[pixel, window] b[window, n] = c[pixel, n]    forward, gradient of the image
 *   IMAGE 2   a[m, pixel] b[pixel, window] = c[m, window]    gradient of the weight
 *
 * Kernels: product, by tiles in local memory; product_join, which adds up the parts of products
 * whose depth was cut; direct_pixels and direct_window, IMAGE 1 and 2 without tiles, for products
 * of few columns or rows. Sums are taken in an order that depends on shapes and device alone.
 *
 * All of them but the join have the same arguments, needed or not.
 *
 * Defined before: DTYPE, ELEMENT, VALUE; INDEX, i32 or i64; IMAGE, and its SPATIAL dims; ITEMS;
 * and either TILES, with ROWS_OF_ITEMS, COLUMNS_OF_ITEMS, ITEM_ROWS, ITEM_COLUMNS, DEPTH and
 * PADDING, or DIRECT, or neither.
 */

#define LOAD(p, i) JOIN(LOAD_, DTYPE)(p, i)
#define STORE(p, i, value) JOIN(STORE_, DTYPE)(p, i, value)

enum { A, B, C, BIAS, OPERANDS, BATCH_DIMS = 6, DIGITS = 4 };

/* As ocl_product_args in product.h. Strides count elements. */
typedef struct {
    i64 first[OPERANDS]; /* element of the buffer */
    i64 row[OPERANDS], column[OPERANDS];
    i64 batch_size[BATCH_DIMS], batch[OPERANDS][BATCH_DIMS];
    i64 m, n, k;
    i64 part; /* the depth of a part */
    i64 parts_first;
    i32 n_batch_dims, batches, parts;
    i32 a_by_depth, b_by_depth; /* which dim neighbouring work-items read along */
    i32 has_bias, relu;
    i32 channels_last, lanes; /* without tiles: neighbouring work-items make channels, or pixels */
    i32 unused;
} product_args;

/*
 * As ocl_image_args in product.h. A pixel has the digits (image, spatial..), a window's element
 * those of (channel, spatial..) in the order in which they lie in memory. `x` are strides of the
 * image, `other` those of the operand that has one of the two only: y pixels, w the window.
 */
typedef struct {
    i64 pixel_size[DIGITS], pixel_x[DIGITS], pixel_other[DIGITS];
    i64 window_size[DIGITS], window_x[DIGITS], window_other[DIGITS];
    i32 start[3], step[3], limit[3];    /* the coordinate of a pixel, and of the image's end */
    i32 window_step[DIGITS][3], unused; /* how far a digit of the window moves it */
} image_args;

/* ---- Addresses ----------------------------------------------------------------------------- */

FN i64 batch_offset(const product_args *p, int operand, i32 batch) {
    i64 offset = p->first[operand];
    for (int d = p->n_batch_dims - 1; d >= 0; d--) {
        const i32 size = (i32)p->batch_size[d];
        offset += batch % size * p->batch[operand][d];
        batch /= size;
    }
    return offset;
}

#if IMAGE

typedef struct {
    INDEX x, other;
    i32 at[SPATIAL];
} place;

FN place pixel_place(const image_args *g, INDEX pixel) {
    place p = {0, 0};
    for (int d = SPATIAL; d >= 0; d--) {
        const INDEX size = (INDEX)g->pixel_size[d], digit = d > 0 ? pixel % size : pixel;
        pixel /= size;
        p.x += digit * (INDEX)g->pixel_x[d];
        p.other += digit * (INDEX)g->pixel_other[d];
        if (d > 0)
            p.at[d - 1] = (i32)digit * g->step[d - 1] + g->start[d - 1];
    }
    return p;
}

FN place window_place(const image_args *g, INDEX element) {
    place p = {0, 0};
    for (int s = 0; s < SPATIAL; s++)
        p.at[s] = 0;
    for (int d = SPATIAL; d >= 0; d--) {
        const INDEX size = (INDEX)g->window_size[d], digit = d > 0 ? element % size : element;
        element /= size;
        p.x += digit * (INDEX)g->window_x[d];
        p.other += digit * (INDEX)g->window_other[d];
        for (int s = 0; s < SPATIAL; s++)
            p.at[s] += (i32)digit * g->window_step[d][s];
    }
    return p;
}

/* A group's table of the places of some pixels, or of a part of the window. */
#define TABLE(name, size)                                                                          \
    LOCAL INDEX name##_x[size], name##_other[size];                                                \
    LOCAL i32 name##_at[SPATIAL][size]
#define FILL_TABLE(name, size, place_of, first)                                                    \
    for (int i = item; i < size; i += ITEMS) {                                                     \
        const place at = place_of(&g, (INDEX)((first) + i));                                       \
        name##_x[i] = at.x;                                                                        \
        name##_other[i] = at.other;                                                                \
        for (int s = 0; s < SPATIAL; s++)                                                          \
            name##_at[s][i] = at.at[s];                                                            \
    }

#endif

#if IMAGE == 1
#define C_OFFSET(p, g, m, n) (pixel_place(g, m).other + (n) * (INDEX)(p)->column[C])
#elif IMAGE == 2
#define C_OFFSET(p, g, m, n) ((m) * (INDEX)(p)->row[C] + window_place(g, n).other)
#else
#define C_OFFSET(p, g, m, n) ((m) * (INDEX)(p)->row[C] + (n) * (INDEX)(p)->column[C])
#endif

/* What becomes of a sum: bias and activation. NaN passes. */
FN VALUE finish(const product_args *p, i32 batch, i64 m, i64 n, VALUE sum,
                GLOBAL const ELEMENT *bias) {
    if (p->has_bias)
        sum += LOAD(bias, batch_offset(p, BIAS, batch) + m * p->row[BIAS] + n * p->column[BIAS]);
    return p->relu && sum < 0 ? 0 : sum;
}

/* ---- Tiles --------------------------------------------------------------------------------- */

#ifdef TILES

#define ROWS (ROWS_OF_ITEMS * ITEM_ROWS)
#define COLUMNS (COLUMNS_OF_ITEMS * ITEM_COLUMNS)

#if IMAGE
#define PIXELS (IMAGE == 1 ? ROWS : DEPTH)
#define WINDOW (IMAGE == 1 ? DEPTH : COLUMNS)

/* The image at a pixel moved by an element of the window: 0 outside. */
FN VALUE image_value(const image_args *g, GLOBAL const ELEMENT *x, INDEX offset, int pixel,
                     int element, LOCAL const i32 pixel_at[SPATIAL][PIXELS],
                     LOCAL const i32 window_at[SPATIAL][WINDOW]) {
    bool inside = true;
    for (int s = 0; s < SPATIAL; s++)
        inside = inside && (u32)(pixel_at[s][pixel] + window_at[s][element]) < (u32)g->limit[s];
    return inside ? LOAD(x, offset) : 0;
}
#endif

/* A tile of so many lines: VALUE_AT(line, depth) of them, 0 beyond `lines`. Work-items of a GPU
 * read neighbours at the same time, those of a CPU one after the other. */
#if IS_CPU
#define FILL_TILE(tile, SIZE, lines, by_depth, VALUE_AT)                                           \
    if (by_depth)                                                                                  \
        for (int line = item; line < SIZE; line += ITEMS)                                          \
            for (int k = 0; k < depth; k++)                                                        \
                tile[k][line] = line < lines ? VALUE_AT(line, k) : 0;                              \
    else                                                                                           \
        for (int k = item; k < depth; k += ITEMS)                                                  \
            for (int line = 0; line < SIZE; line++)                                                \
                tile[k][line] = line < lines ? VALUE_AT(line, k) : 0;
#else
#define FILL_TILE(tile, SIZE, lines, by_depth, VALUE_AT)                                           \
    for (int e = item; e < SIZE * DEPTH; e += ITEMS) {                                             \
        const int line = by_depth ? e / DEPTH : e % SIZE, k = by_depth ? e % DEPTH : e / SIZE;     \
        if (k < depth)                                                                             \
            tile[k][line] = line < lines ? VALUE_AT(line, k) : 0;                                  \
    }
#endif

#if IMAGE == 1
#define A_AT(line, k)                                                                              \
    image_value(&g, a, pixel_x[line] + window_x[k], line, k, pixel_at, window_at)
#define B_AT(line, k) LOAD(b, window_other[k] + (line) * b_column)
#elif IMAGE == 2
#define A_AT(line, k) LOAD(a, (line) * a_row + pixel_other[k])
#define B_AT(line, k)                                                                              \
    image_value(&g, b, pixel_x[k] + window_x[line], k, line, pixel_at, window_at)
#else
#define A_AT(line, k) LOAD(a, (line) * a_row + (k) * a_column)
#define B_AT(line, k) LOAD(b, (k) * b_row + (line) * b_column)
#endif

/* A group makes ROWS x COLUMNS elements of a part of a product; parts are VALUEs, as (part, batch,
 * m, n). */
KERNEL(ITEMS, 1, 1)
product(const product_args p,
#if IMAGE
        const image_args g,
#endif
        GLOBAL const ELEMENT *a, GLOBAL const ELEMENT *b, GLOBAL ELEMENT *c,
        GLOBAL const ELEMENT *bias, GLOBAL VALUE *parts) {
    LOCAL VALUE a_tile[DEPTH][ROWS + PADDING], b_tile[DEPTH][COLUMNS + PADDING];
    const int item = LOCAL_ID(0), x = item % COLUMNS_OF_ITEMS, y = item / COLUMNS_OF_ITEMS;
    const i64 column_tiles = (p.n + COLUMNS - 1) / COLUMNS, row_tiles = (p.m + ROWS - 1) / ROWS;
    const i64 tile = GROUP_ID(0) / column_tiles;
    const i64 n0 = GROUP_ID(0) % column_tiles * COLUMNS, m0 = tile % row_tiles * ROWS;
    const i32 batch = (i32)(tile / row_tiles % p.batches);
    const i32 part = (i32)(tile / row_tiles / p.batches);
    const int rows = (int)(p.m - m0 < ROWS ? p.m - m0 : ROWS);
    const int columns = (int)(p.n - n0 < COLUMNS ? p.n - n0 : COLUMNS);
    const i64 end = p.k < (part + 1) * p.part ? p.k : (part + 1) * p.part;
    const INDEX a_row = (INDEX)p.row[A], b_column = (INDEX)p.column[B];
    VALUE sum[ITEM_ROWS][ITEM_COLUMNS];
    for (int i = 0; i < ITEM_ROWS; i++)
        for (int j = 0; j < ITEM_COLUMNS; j++)
            sum[i][j] = 0;
    a += batch_offset(&p, A, batch);
    b += batch_offset(&p, B, batch);
#if IMAGE != 1
    a += m0 * p.row[A];
#endif
#if IMAGE != 2
    b += n0 * p.column[B];
#endif
#if IMAGE
    TABLE(pixel, PIXELS);
    TABLE(window, WINDOW);
    if (IMAGE == 1)
        FILL_TABLE(pixel, PIXELS, pixel_place, m0)
    else
        FILL_TABLE(window, WINDOW, window_place, n0)
#else
    const INDEX a_column = (INDEX)p.column[A], b_row = (INDEX)p.row[B];
    a += part * p.part * p.column[A];
    b += part * p.part * p.row[B];
#endif
    for (i64 k0 = part * p.part; k0 < end; k0 += DEPTH) {
        const int depth = (int)(end - k0 < DEPTH ? end - k0 : DEPTH);
#if IMAGE
        if (IMAGE == 1)
            FILL_TABLE(window, WINDOW, window_place, k0)
        else
            FILL_TABLE(pixel, PIXELS, pixel_place, k0)
        BARRIER;
#endif
        FILL_TILE(a_tile, ROWS, rows, p.a_by_depth, A_AT)
        FILL_TILE(b_tile, COLUMNS, columns, p.b_by_depth, B_AT)
        BARRIER;
        for (int k = 0; k < depth; k++) {
            VALUE left[ITEM_ROWS], right[ITEM_COLUMNS];
            for (int i = 0; i < ITEM_ROWS; i++)
                left[i] = a_tile[k][y * ITEM_ROWS + i];
            for (int j = 0; j < ITEM_COLUMNS; j++)
                right[j] = b_tile[k][x * ITEM_COLUMNS + j];
            for (int i = 0; i < ITEM_ROWS; i++)
                for (int j = 0; j < ITEM_COLUMNS; j++)
                    sum[i][j] += left[i] * right[j];
        }
        BARRIER;
#if !IMAGE
        a += DEPTH * p.column[A];
        b += DEPTH * p.row[B];
#endif
    }
    c += batch_offset(&p, C, batch);
    parts += p.parts_first + (part * (i64)p.batches + batch) * p.m * p.n;
    for (int i = 0; i < ITEM_ROWS; i++)
        for (int j = 0; j < ITEM_COLUMNS; j++) {
            const i64 m = m0 + y * ITEM_ROWS + i, n = n0 + x * ITEM_COLUMNS + j;
            if (m >= p.m || n >= p.n)
                continue;
            if (p.parts > 1)
                parts[m * p.n + n] = sum[i][j];
            else
                STORE(c, C_OFFSET(&p, &g, (INDEX)m, (INDEX)n),
                      finish(&p, batch, m, n, sum[i][j], bias));
        }
}

#endif

/* ---- Sums of parts ------------------------------------------------------------------------- */

/* A work-item makes an element of (batch, m, n). */
KERNEL(ITEMS, 1, 1)
product_join(const product_args p,
#if IMAGE
             const image_args g,
#endif
             GLOBAL ELEMENT *c, GLOBAL const ELEMENT *bias, GLOBAL const VALUE *parts) {
    const i64 i = GLOBAL_ID(0), count = p.batches * p.m * p.n;
    if (i >= count)
        return;
    const i32 batch = (i32)(i / (p.m * p.n));
    const i64 m = i / p.n % p.m, n = i % p.n;
    VALUE sum = 0;
    for (int part = 0; part < p.parts; part++)
        sum += parts[p.parts_first + part * count + i];
    c += batch_offset(&p, C, batch);
    STORE(c, C_OFFSET(&p, &g, (INDEX)m, (INDEX)n), finish(&p, batch, m, n, sum, bias));
}

/* ---- Without tiles ------------------------------------------------------------------------- */

#ifdef DIRECT

/* Whether a place moved by an entry of a table is inside the image. */
#define IS_INSIDE(inside, place, name, entry)                                                      \
    bool inside = true;                                                                            \
    for (int s = 0; s < SPATIAL; s++)                                                              \
        inside = inside && (u32)((place).at[s] + name##_at[s][entry]) < (u32)g.limit[s]

/* A work-item makes one element of c, by walking over the window. */
KERNEL(ITEMS, 1, 1)
direct_pixels(const product_args p, const image_args g, GLOBAL const ELEMENT *x,
              GLOBAL const ELEMENT *w, GLOBAL ELEMENT *c, GLOBAL const ELEMENT *bias,
              GLOBAL VALUE *parts) {
    TABLE(window, ITEMS);
    const int item = LOCAL_ID(0);
    const i64 channels = p.batches * p.n, i = GLOBAL_ID(0);
    const i64 m = p.channels_last ? i / channels : i % p.m;
    const i64 channel = p.channels_last ? i % channels : i / p.m;
    const bool is_used = m < p.m && channel < channels;
    const i32 batch = is_used ? (i32)(channel / p.n) : 0;
    const i64 n = is_used ? channel % p.n : 0;
    const place pixel = pixel_place(&g, is_used ? (INDEX)m : 0);
    VALUE sum = 0;
    x += batch_offset(&p, A, batch) + pixel.x;
    w += batch_offset(&p, B, batch) + n * p.column[B];
    for (i64 first = 0; first < p.k; first += ITEMS) {
        const int count = (int)(p.k - first < ITEMS ? p.k - first : ITEMS);
        FILL_TABLE(window, ITEMS, window_place, first)
        BARRIER;
        for (int k = 0; k < count; k++) {
            IS_INSIDE(inside, pixel, window, k);
            if (inside)
                sum += LOAD(x, window_x[k]) * LOAD(w, window_other[k]);
        }
        BARRIER;
    }
    if (!is_used)
        return;
    c += batch_offset(&p, C, batch) + pixel.other + n * p.column[C];
    STORE(c, 0, finish(&p, batch, m, n, sum, bias));
}

/*
 * A group makes the element n of the window for `lanes` neighbouring channels (batch, m): its
 * work-items are (pixel, channel), each of them sums over every ITEMS / lanes'th pixel of a part.
 */
KERNEL(ITEMS, 1, 1)
direct_window(const product_args p, const image_args g, GLOBAL const ELEMENT *y,
              GLOBAL const ELEMENT *x, GLOBAL ELEMENT *c, GLOBAL const ELEMENT *bias,
              GLOBAL VALUE *parts) {
    TABLE(pixel, ITEMS);
    LOCAL VALUE sums[ITEMS];
    const int item = LOCAL_ID(0), lanes = p.lanes, row = item / lanes;
    const i64 channels = p.batches * p.m, blocks = (channels + lanes - 1) / lanes;
    const i64 n = GROUP_ID(0) % p.n, channel = GROUP_ID(0) / p.n % blocks * lanes + item % lanes;
    const i32 part = (i32)(GROUP_ID(0) / p.n / blocks);
    const bool is_used = channel < channels;
    const i32 batch = is_used ? (i32)(channel / p.m) : 0;
    const i64 m = is_used ? channel % p.m : 0;
    const i64 end = p.k < (part + 1) * p.part ? p.k : (part + 1) * p.part;
    const place element = window_place(&g, (INDEX)n);
    VALUE sum = 0;
    y += batch_offset(&p, A, batch) + m * p.row[A];
    x += batch_offset(&p, B, batch) + element.x;
    for (i64 first = part * p.part; first < end; first += ITEMS) {
        const int count = (int)(end - first < ITEMS ? end - first : ITEMS);
        FILL_TABLE(pixel, ITEMS, pixel_place, first)
        BARRIER;
        for (int k = row; k < count; k += ITEMS / lanes) {
            IS_INSIDE(inside, element, pixel, k);
            if (inside)
                sum += LOAD(y, pixel_other[k]) * LOAD(x, pixel_x[k]);
        }
        BARRIER;
    }
    sums[item] = sum;
    for (int step = ITEMS / 2; step >= lanes; step /= 2) {
        BARRIER;
        if (item < step)
            sums[item] += sums[item + step];
    }
    if (row > 0 || !is_used)
        return;
    c += batch_offset(&p, C, batch) + m * p.row[C] + element.other;
    if (p.parts > 1)
        parts[p.parts_first + ((part * (i64)p.batches + batch) * p.m + m) * p.n + n] = sums[item];
    else
        STORE(c, 0, sums[item]);
}

#endif
