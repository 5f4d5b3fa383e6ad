/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.cl - scaled dot-product attention and its gradients, without a matrix of all scores:
 *
 *   x[i, j] = scale sum_d q[i, d] k[j, d] + mask[i, j], or -inf where query i does not see key j
 *   y[i, e] = sum_j p[i, j] v[j, e],   p[i, j] = exp(x[i, j] - lse[i]),   lse[i] = log sum_j exp x
 *
 * A group owns ROWS queries (or keys), walks over the keys (or queries) by tiles of COLUMNS, and
 * makes the scores of each tile anew. Of everything that is ROWS x COLUMNS a work-item holds
 * ITEM_ROWS x ITEM_COLUMNS elements. What is computed in which order depends on shapes alone.
 *
 *   attention_forward  y, and lse for the backward kernels      (own queries, tiles of keys)
 *   attention_queries  dq, and delta[i] = sum_e dy[i, e] y[i, e], which attention_keys reads
 *   attention_keys     dk, dv                                    (own keys, tiles of queries)
 *
 * with ds[i, j] = scale p[i, j] (sum_e dy[i, e] v[j, e] - delta[i]),
 *   dq[i, d] = sum_j ds[i, j] k[j, d],   dk[j, d] = sum_i ds[i, j] q[i, d],
 *   dv[j, e] = sum_i p[i, j] dy[i, e].
 *
 * Defined before: DTYPE, ELEMENT, VALUE; INDEX, i32 or i64; MASK (0: none, 1: of bool, 2: added);
 * COLUMNS_OF_ITEMS, ROWS_OF_ITEMS, ITEM_ROWS, ITEM_COLUMNS; DEPTH, by which sums are cut, which
 * divides COLUMNS; RUN, the neighbouring elements that a work-item copies at once, which divides
 * DEPTH; PADDING of the tiles' lines; D_SPAN and E_SPAN, the tiles that a line of q and of v takes;
 * FAST_EXP where exp is to be made of vectors; BACKWARD for the kernels of the gradients, which
 * alone need D_SPAN.
 *
 * Loops around barriers run at least once, and say so by their form: of code behind a loop that may
 * be passed by, PoCL makes one copy for either case, so five in a row would be 32.
 */

#define LOAD(p, i) JOIN(LOAD_, DTYPE)(p, i)
#define STORE(p, i, value) JOIN(STORE_, DTYPE)(p, i, value)

#define ITEMS (COLUMNS_OF_ITEMS * ROWS_OF_ITEMS)
#define ROWS (ROWS_OF_ITEMS * ITEM_ROWS)
#define COLUMNS (COLUMNS_OF_ITEMS * ITEM_COLUMNS)
#define ITEM_SIZE (ITEM_ROWS * ITEM_COLUMNS)
#define OWN_ROW ((int)LOCAL_ID(0) / COLUMNS_OF_ITEMS * ITEM_ROWS)
#define OWN_COLUMN ((int)LOCAL_ID(0) % COLUMNS_OF_ITEMS * ITEM_COLUMNS)

/* Tiles: own lines by depth; the others' lines by depth, turned, or as they are; weights. */
#define LEFT_WIDTH (DEPTH + PADDING)
#define RIGHT_WIDTH (COLUMNS + PADDING)
#define WEIGHTS_WIDTH (COLUMNS + PADDING)
#define TILES                                                                                      \
    LOCAL VALUE left[ROWS * LEFT_WIDTH], right[DEPTH * RIGHT_WIDTH],                               \
        weights[ROWS * WEIGHTS_WIDTH], lanes[COLUMNS_OF_ITEMS * ROWS]

enum { Q, K, V, MASK_, Y, DY, DQ, DK, DV, OPERANDS, BATCH_DIMS = 6 };

#if MASK == 1
#define MASK_ELEMENT u8
#else
#define MASK_ELEMENT ELEMENT
#endif

/* As attention_args in attention.c. Strides count elements. */
typedef struct {
    i64 first[OPERANDS]; /* element of the buffer */
    i64 row[OPERANDS], column[OPERANDS];
    i64 batch_size[BATCH_DIMS], batch[OPERANDS][BATCH_DIMS];
    i64 lse_first, delta_first; /* of (batches, l), in VALUEs */
    i32 n_batch_dims, l, s, d, e, causal;
} attention_args;

/* ---- Matrices ------------------------------------------------------------------------------ */

typedef struct {
    GLOBAL const ELEMENT *p;
    INDEX row, column;
} matrix;

FN i64 batch_offset(const attention_args *a, int operand, i32 batch) {
    i64 offset = a->first[operand];
    for (int d = a->n_batch_dims - 1; d >= 0; d--) {
        const i32 size = (i32)a->batch_size[d];
        offset += batch % size * a->batch[operand][d];
        batch /= size;
    }
    return offset;
}

FN matrix matrix_of(const attention_args *a, int operand, GLOBAL const ELEMENT *p, i32 batch) {
    matrix m;
    m.p = p + batch_offset(a, operand, batch);
    m.row = (INDEX)a->row[operand];
    m.column = (INDEX)a->column[operand];
    return m;
}

FN matrix part_of(matrix m, INDEX row, INDEX column) {
    m.p += row * m.row + column * m.column;
    return m;
}

/* ---- Tiles --------------------------------------------------------------------------------- */

/* tile[i, k] = m[i, k], 0 beyond its rows and columns. */
FN void fill(LOCAL VALUE *tile, int width, int tile_rows, int tile_columns, matrix m, int rows,
             int columns) {
    for (int n = (int)LOCAL_ID(0) * RUN; n < tile_rows * tile_columns; n += ITEMS * RUN) {
        const int i = n / tile_columns, k = n % tile_columns;
        GLOBAL const ELEMENT *from = m.p + (i * m.row + k * m.column);
        LOCAL VALUE *to = tile + i * width + k;
        if (i < rows && k + RUN <= columns && m.column == 1)
            for (int r = 0; r < RUN; r++)
                to[r] = LOAD(from, r);
        else
            for (int r = 0; r < RUN; r++)
                to[r] = i < rows && k + r < columns ? LOAD(from, r * m.column) : 0;
    }
}

/* right[k, j] = m[j, k], likewise. */
FN void fill_turned(LOCAL VALUE *right, matrix m, int rows, int columns) {
    for (int n = LOCAL_ID(0); n < COLUMNS * DEPTH; n += ITEMS) {
        const int j = n / DEPTH, k = n % DEPTH;
        right[k * RIGHT_WIDTH + j] =
            j < rows && k < columns ? LOAD(m.p, j * m.row + k * m.column) : 0;
    }
}

/* sum[i, j] += sum_k left[i, k] right[k, j], of this work-item's rows and columns. The depth is DEPTH,
 * which PoCL is not to see: it would exchange this loop with its own one over the work-items, and so
 * keep the sums in memory. */
FN void multiply(LOCAL const VALUE *left, int width, LOCAL const VALUE *right, VALUE *sum) {
    const int depth = DEPTH + (int)LOCAL_ID(0) / ITEMS;
    left += OWN_ROW * width;
    right += OWN_COLUMN;
    for (int k = 0; k < depth; k++) {
        VALUE factors[ITEM_COLUMNS];
#pragma unroll
        for (int j = 0; j < ITEM_COLUMNS; j++)
            factors[j] = right[k * RIGHT_WIDTH + j];
#pragma unroll
        for (int i = 0; i < ITEM_ROWS; i++) {
            const VALUE factor = left[i * width + k];
#pragma unroll
            for (int j = 0; j < ITEM_COLUMNS; j++)
                sum[i * ITEM_COLUMNS + j] += factor * factors[j];
        }
    }
}

/* sum[i, j] = sum_k own[i, k] other[j, k] */
FN void multiply_lines(LOCAL VALUE *left, LOCAL VALUE *right, matrix own, int rows, matrix other,
                       int columns, int depth, VALUE *sum) {
    int k = 0;
    for (int n = 0; n < ITEM_SIZE; n++)
        sum[n] = 0;
    do {
        fill(left, LEFT_WIDTH, ROWS, DEPTH, part_of(own, 0, k), rows, depth - k);
        fill_turned(right, part_of(other, 0, k), columns, depth - k);
        BARRIER;
        multiply(left, LEFT_WIDTH, right, sum);
        BARRIER;
        k += DEPTH;
    } while (k < depth);
}

/* sums[i, c] += sum_j weights[i, j] other[j, c], of `span` tiles of columns. */
FN void accumulate(LOCAL const VALUE *weights, LOCAL VALUE *right, matrix other, int rows,
                   int columns, int span, VALUE *sums) {
#pragma unroll
    for (int s = 0; s < span; s++) {
        int j = 0;
        do {
            fill(right, RIGHT_WIDTH, DEPTH, COLUMNS, part_of(other, j, s * COLUMNS), rows - j,
                 columns - s * COLUMNS);
            BARRIER;
            multiply(weights + j, WEIGHTS_WIDTH, right, sums + s * ITEM_SIZE);
            BARRIER;
            j += DEPTH;
        } while (j < COLUMNS && j < rows);
    }
}

/* Puts this work-item's weights where all can read them. */
FN void share(LOCAL VALUE *weights, const VALUE *own) {
    weights += OWN_ROW * WEIGHTS_WIDTH + OWN_COLUMN;
    for (int i = 0; i < ITEM_ROWS; i++)
        for (int j = 0; j < ITEM_COLUMNS; j++)
            weights[i * WEIGHTS_WIDTH + j] = own[i * ITEM_COLUMNS + j];
}

/* p[i, c] = sums[i, c] factor[i] */
FN void store(GLOBAL ELEMENT *p, INDEX row, INDEX column, int rows, int columns, int span,
              const VALUE *sums, const VALUE *factor) {
#pragma unroll
    for (int s = 0; s < span; s++)
        for (int i = 0; i < ITEM_ROWS; i++)
            for (int j = 0; j < ITEM_COLUMNS; j++) {
                const int c = s * COLUMNS + OWN_COLUMN + j;
                if (OWN_ROW + i < rows && c < columns)
                    STORE(p, (OWN_ROW + i) * row + c * column,
                          sums[s * ITEM_SIZE + i * ITEM_COLUMNS + j] * factor[i]);
            }
}

/* ---- Rows, which COLUMNS_OF_ITEMS work-items share ----------------------------------------- */

FN void share_rows(LOCAL VALUE *lanes, const VALUE *value) {
    lanes += (int)LOCAL_ID(0) % COLUMNS_OF_ITEMS * ROWS + OWN_ROW;
    for (int i = 0; i < ITEM_ROWS; i++)
        lanes[i] = value[i];
    BARRIER;
}

FN void max_of_rows(LOCAL VALUE *lanes, VALUE *value) {
    share_rows(lanes, value);
    for (int i = 0; i < ITEM_ROWS; i++)
        for (int x = 0; x < COLUMNS_OF_ITEMS; x++)
            value[i] = fmax(value[i], lanes[x * ROWS + OWN_ROW + i]);
    BARRIER;
}

FN void sum_of_rows(LOCAL VALUE *lanes, VALUE *value) {
    share_rows(lanes, value);
    for (int i = 0; i < ITEM_ROWS; i++) {
        value[i] = 0;
        for (int x = 0; x < COLUMNS_OF_ITEMS; x++)
            value[i] += lanes[x * ROWS + OWN_ROW + i];
    }
    BARRIER;
}

/* ---- Scores and weights -------------------------------------------------------------------- */

/* e^x for x of at most a little above 0. A CPU's compiler makes vectors of what has neither calls
 * nor branches. */
#ifdef FAST_EXP
FN f32 exponential(f32 x) {
    const f32 n = rint(x * 1.44269504f);
    const f32 r = fma(n, -1.42860677e-6f, fma(n, -0.693145752f, x));
    f32 p = fma(r, 1.98412698e-4f, 1.38888889e-3f);
    p = fma(p, r, 8.33333333e-3f);
    p = fma(p, r, 4.16666667e-2f);
    p = fma(p, r, 1.66666667e-1f);
    p = fma(p, r, 0.5f);
    p = fma(p * r, r, r) + 1;
    const f32 scaled = p * AS_F32(((i32)fmax(n, -126.0f) + 127) << 23);
    return x < -87.0f ? 0 : scaled;
}
#else
#define exponential(x) exp(x)
#endif

/* The score of a product; hidden beyond the last query and key, too. */
FN VALUE score(const attention_args *a, VALUE scale, VALUE product, GLOBAL const MASK_ELEMENT *mask,
               int i, int j) {
    const bool seen = i < a->l && j < a->s && (!a->causal || j <= i);
#if MASK
    if (!seen)
        return -INFINITY;
    const i64 at = i * a->row[MASK_] + j * a->column[MASK_];
#endif
#if MASK == 1
    return mask[at] ? product * scale : -INFINITY;
#elif MASK == 2
    return product * scale + LOAD(mask, at);
#else
    return seen ? product * scale : -INFINITY;
#endif
}

/* ---- Kernels ------------------------------------------------------------------------------- */

#define OWN(size, tile) ((size) - (tile) < ROWS ? (size) - (tile) : ROWS)

#ifndef BACKWARD

KERNEL(ITEMS, 1, 1)
attention_forward(const attention_args a, const VALUE scale, GLOBAL const ELEMENT *q,
                  GLOBAL const ELEMENT *k, GLOBAL const ELEMENT *v, GLOBAL const MASK_ELEMENT *mask,
                  GLOBAL ELEMENT *y, GLOBAL VALUE *lse) {
    TILES;
    const int tiles = (a.l + ROWS - 1) / ROWS, first = (int)(GROUP_ID(0) % tiles) * ROWS;
    const i32 batch = (i32)(GROUP_ID(0) / tiles);
    const int rows = OWN(a.l, first);
    const int i0 = first + OWN_ROW;
    const int keys = a.causal && first + rows < a.s ? first + rows : a.s;
    const matrix queries = part_of(matrix_of(&a, Q, q, batch), first, 0);
    const matrix all_keys = matrix_of(&a, K, k, batch), values = matrix_of(&a, V, v, batch);
    VALUE sums[E_SPAN * ITEM_SIZE], max[ITEM_ROWS], total[ITEM_ROWS];
    mask += batch_offset(&a, MASK_, batch);
    for (int n = 0; n < E_SPAN * ITEM_SIZE; n++)
        sums[n] = 0;
    for (int i = 0; i < ITEM_ROWS; i++) {
        max[i] = -INFINITY;
        total[i] = 0;
    }
    int j0 = 0;
    do {
        VALUE p[ITEM_SIZE], higher[ITEM_ROWS];
        multiply_lines(left, right, queries, rows, part_of(all_keys, j0, 0), a.s - j0, a.d, p);
        for (int i = 0; i < ITEM_ROWS; i++) {
            VALUE *of_row = p + i * ITEM_COLUMNS;
            for (int j = 0; j < ITEM_COLUMNS; j++)
                of_row[j] = score(&a, scale, of_row[j], mask, i0 + i, j0 + OWN_COLUMN + j);
            higher[i] = max[i];
            for (int j = 0; j < ITEM_COLUMNS; j++)
                higher[i] = fmax(higher[i], of_row[j]);
        }
        max_of_rows(lanes, higher);
        for (int i = 0; i < ITEM_ROWS; i++) {
            /* before a key is seen, e^-inf is meant to be 0 */
            const VALUE shift = higher[i] == -INFINITY ? 0 : higher[i];
            const VALUE shrink = exponential(max[i] - shift);
            max[i] = higher[i];
            total[i] *= shrink;
            for (int n = i * ITEM_COLUMNS; n < (i + 1) * ITEM_COLUMNS; n++)
                p[n] = exponential(p[n] - shift);
            for (int n = i * ITEM_COLUMNS; n < (i + 1) * ITEM_COLUMNS; n++)
                total[i] += p[n];
            for (int s = 0; s < E_SPAN; s++)
                for (int j = 0; j < ITEM_COLUMNS; j++)
                    sums[s * ITEM_SIZE + i * ITEM_COLUMNS + j] *= shrink;
        }
        share(weights, p);
        accumulate(weights, right, part_of(values, j0, 0), a.s - j0, a.e, E_SPAN, sums);
        j0 += COLUMNS;
    } while (j0 < keys);
    sum_of_rows(lanes, total);
    VALUE factor[ITEM_ROWS];
    for (int i = 0; i < ITEM_ROWS; i++) {
        factor[i] = total[i] == 0 ? 0 : 1 / total[i];
        if (OWN_COLUMN == 0 && i0 + i < a.l)
            lse[a.lse_first + (i64)batch * a.l + i0 + i] =
                total[i] == 0 ? INFINITY : max[i] + log(total[i]);
    }
    store(y + batch_offset(&a, Y, batch) + first * a.row[Y], (INDEX)a.row[Y], (INDEX)a.column[Y],
          rows, a.e, E_SPAN, sums, factor);
}

#else

KERNEL(ITEMS, 1, 1)
attention_queries(const attention_args a, const VALUE scale, GLOBAL const ELEMENT *q,
                  GLOBAL const ELEMENT *k, GLOBAL const ELEMENT *v, GLOBAL const MASK_ELEMENT *mask,
                  GLOBAL const ELEMENT *y, GLOBAL const ELEMENT *dy, GLOBAL const VALUE *lse,
                  GLOBAL VALUE *delta, GLOBAL ELEMENT *dq) {
    TILES;
    const int tiles = (a.l + ROWS - 1) / ROWS, first = (int)(GROUP_ID(0) % tiles) * ROWS;
    const i32 batch = (i32)(GROUP_ID(0) / tiles);
    const int rows = OWN(a.l, first);
    const int i0 = first + OWN_ROW;
    const int keys = a.causal && first + rows < a.s ? first + rows : a.s;
    const matrix queries = part_of(matrix_of(&a, Q, q, batch), first, 0);
    const matrix grads = part_of(matrix_of(&a, DY, dy, batch), first, 0);
    const matrix results = part_of(matrix_of(&a, Y, y, batch), first, 0);
    const matrix all_keys = matrix_of(&a, K, k, batch), values = matrix_of(&a, V, v, batch);
    VALUE sums[D_SPAN * ITEM_SIZE], of_row[ITEM_ROWS], own_lse[ITEM_ROWS], one[ITEM_ROWS];
    mask += batch_offset(&a, MASK_, batch);
    lse += a.lse_first + (i64)batch * a.l;
    delta += a.delta_first + (i64)batch * a.l;
    for (int n = 0; n < D_SPAN * ITEM_SIZE; n++)
        sums[n] = 0;
    for (int i = 0; i < ITEM_ROWS; i++) {
        const int row = OWN_ROW + i;
        one[i] = 1;
        own_lse[i] = row < rows ? lse[i0 + i] : 0;
        of_row[i] = 0;
        for (int e = OWN_COLUMN / ITEM_COLUMNS; row < rows && e < a.e; e += COLUMNS_OF_ITEMS)
            of_row[i] += LOAD(grads.p, row * grads.row + e * grads.column) *
                         LOAD(results.p, row * results.row + e * results.column);
    }
    sum_of_rows(lanes, of_row);
    for (int i = 0; i < ITEM_ROWS; i++)
        if (OWN_COLUMN == 0 && i0 + i < a.l)
            delta[i0 + i] = of_row[i];
    int j0 = 0;
    do {
        VALUE p[ITEM_SIZE], ds[ITEM_SIZE];
        multiply_lines(left, right, queries, rows, part_of(all_keys, j0, 0), a.s - j0, a.d, p);
        multiply_lines(left, right, grads, rows, part_of(values, j0, 0), a.s - j0, a.e, ds);
        for (int i = 0; i < ITEM_ROWS; i++)
            for (int j = 0; j < ITEM_COLUMNS; j++) {
                const int n = i * ITEM_COLUMNS + j;
                p[n] = score(&a, scale, p[n], mask, i0 + i, j0 + OWN_COLUMN + j);
                ds[n] = exponential(p[n] - own_lse[i]) * (ds[n] - of_row[i]) * scale;
            }
        share(weights, ds);
        accumulate(weights, right, part_of(all_keys, j0, 0), a.s - j0, a.d, D_SPAN, sums);
        j0 += COLUMNS;
    } while (j0 < keys);
    store(dq + batch_offset(&a, DQ, batch) + first * a.row[DQ], (INDEX)a.row[DQ],
          (INDEX)a.column[DQ], rows, a.d, D_SPAN, sums, one);
}

KERNEL(ITEMS, 1, 1)
attention_keys(const attention_args a, const VALUE scale, GLOBAL const ELEMENT *q,
               GLOBAL const ELEMENT *k, GLOBAL const ELEMENT *v, GLOBAL const MASK_ELEMENT *mask,
               GLOBAL const ELEMENT *dy, GLOBAL const VALUE *lse, GLOBAL const VALUE *delta,
               GLOBAL ELEMENT *dk, GLOBAL ELEMENT *dv) {
    TILES;
    const int tiles = (a.s + ROWS - 1) / ROWS, first = (int)(GROUP_ID(0) % tiles) * ROWS;
    const i32 batch = (i32)(GROUP_ID(0) / tiles);
    const int rows = OWN(a.s, first);
    const int j0 = first + OWN_ROW;
    const matrix keys = part_of(matrix_of(&a, K, k, batch), first, 0);
    const matrix values = part_of(matrix_of(&a, V, v, batch), first, 0);
    const matrix queries = matrix_of(&a, Q, q, batch), grads = matrix_of(&a, DY, dy, batch);
    VALUE key_sums[D_SPAN * ITEM_SIZE], value_sums[E_SPAN * ITEM_SIZE], one[ITEM_ROWS];
    mask += batch_offset(&a, MASK_, batch);
    lse += a.lse_first + (i64)batch * a.l;
    delta += a.delta_first + (i64)batch * a.l;
    for (int n = 0; n < D_SPAN * ITEM_SIZE; n++)
        key_sums[n] = 0;
    for (int n = 0; n < E_SPAN * ITEM_SIZE; n++)
        value_sums[n] = 0;
    for (int i = 0; i < ITEM_ROWS; i++)
        one[i] = 1;
    int i0 = a.causal ? first / COLUMNS * COLUMNS : 0;
    do {
        VALUE p[ITEM_SIZE], ds[ITEM_SIZE], of_lse[ITEM_COLUMNS], of_delta[ITEM_COLUMNS];
        for (int i = 0; i < ITEM_COLUMNS; i++) {
            const int query = i0 + OWN_COLUMN + i;
            of_lse[i] = query < a.l ? lse[query] : 0;
            of_delta[i] = query < a.l ? delta[query] : 0;
        }
        multiply_lines(left, right, keys, rows, part_of(queries, i0, 0), a.l - i0, a.d, p);
        multiply_lines(left, right, values, rows, part_of(grads, i0, 0), a.l - i0, a.e, ds);
        for (int j = 0; j < ITEM_ROWS; j++)
            for (int i = 0; i < ITEM_COLUMNS; i++) {
                const int n = j * ITEM_COLUMNS + i;
                p[n] = score(&a, scale, p[n], mask, i0 + OWN_COLUMN + i, j0 + j);
                p[n] = exponential(p[n] - of_lse[i]);
                ds[n] = p[n] * (ds[n] - of_delta[i]) * scale;
            }
        share(weights, p);
        accumulate(weights, right, part_of(grads, i0, 0), a.l - i0, a.e, E_SPAN, value_sums);
        share(weights, ds);
        accumulate(weights, right, part_of(queries, i0, 0), a.l - i0, a.d, D_SPAN, key_sums);
        i0 += COLUMNS;
    } while (i0 < a.l);
    store(dk + batch_offset(&a, DK, batch) + first * a.row[DK], (INDEX)a.row[DK],
          (INDEX)a.column[DK], rows, a.d, D_SPAN, key_sums, one);
    store(dv + batch_offset(&a, DV, batch) + first * a.row[DV], (INDEX)a.row[DV],
          (INDEX)a.column[DV], rows, a.e, E_SPAN, value_sums, one);
}

#endif
