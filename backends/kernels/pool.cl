/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.cl - max and average pooling and their gradients. A work-item makes one element: of y from
 * the window of x that it sees, of dx from the elements of dy whose windows hold it, in their order.
 *
 * The number of a window's element is counted row by row. `winners` has that of the maximum for
 * each element of y, in the order of y's memory: channels last or not, which its first byte tells.
 *
 * Defined before: DTYPE, ELEMENT, VALUE; INDEX; ITEMS; and WINNER, the type of such a number.
 */

#define LOAD(p, i) JOIN(LOAD_, DTYPE)(p, i)
#define STORE(p, i, value) JOIN(STORE_, DTYPE)(p, i, value)

enum { X, Y, TENSORS, SPATIAL = 3, DIMS = 2 + SPATIAL, WINNERS = 64 /* bytes before them */ };

/* As pool_args in pool.c. Tensors are (N, C, D, H, W), dx as x and dy as y. */
typedef struct {
    i64 first[TENSORS], size[TENSORS][DIMS], stride[TENSORS][DIMS];
    i64 count, winners_first; /* elements that are made; bytes */
    i32 window[SPATIAL], step[SPATIAL], padding[SPATIAL], padding_after[SPATIAL];
    i32 dilation[SPATIAL];
    i32 channels_last[TENSORS]; /* the order of memory */
    i32 counts_padding, divisor;
    i32 unused;
} pool_args;

typedef struct {
    i32 at[DIMS];
} place;

/* Coordinates of the element of that number in the order of memory. */
FN place place_of(const pool_args *p, int tensor, INDEX i) {
    place to;
    if (p->channels_last[tensor]) {
        to.at[1] = (i32)(i % (INDEX)p->size[tensor][1]);
        i /= (INDEX)p->size[tensor][1];
    }
    for (int s = SPATIAL - 1; s >= 0; s--) {
        to.at[2 + s] = (i32)(i % (INDEX)p->size[tensor][2 + s]);
        i /= (INDEX)p->size[tensor][2 + s];
    }
    if (!p->channels_last[tensor]) {
        to.at[1] = (i32)(i % (INDEX)p->size[tensor][1]);
        i /= (INDEX)p->size[tensor][1];
    }
    to.at[0] = (i32)i;
    return to;
}

FN INDEX offset_of(const pool_args *p, int tensor, const place *at) {
    INDEX offset = 0;
    for (int d = 0; d < DIMS; d++)
        offset += at->at[d] * (INDEX)p->stride[tensor][d];
    return offset;
}

/* The number in y's memory, by which winners are found. */
FN INDEX number_of(const pool_args *p, const place *at, bool channels_last) {
    INDEX number = at->at[0];
    if (!channels_last)
        number = number * (INDEX)p->size[Y][1] + at->at[1];
    for (int s = 0; s < SPATIAL; s++)
        number = number * (INDEX)p->size[Y][2 + s] + at->at[2 + s];
    return channels_last ? number * (INDEX)p->size[Y][1] + at->at[1] : number;
}

/* ---- Windows ------------------------------------------------------------------------------- */

/* Inputs or outputs of one dim, `step` apart. number: of the first input in the window. */
typedef struct {
    i32 first, count, step, number;
} span;

/* The inputs that output `o` sees. */
FN span inputs_of(const pool_args *p, int s, i32 o) {
    const i32 dilation = p->dilation[s], size = (i32)p->size[X][2 + s];
    const i32 start = o * p->step[s] - p->padding[s];
    const i32 skipped = start < 0 ? (dilation - 1 - start) / dilation : 0;
    i32 end = start < size ? (size - start + dilation - 1) / dilation : 0;
    if (end > p->window[s])
        end = p->window[s];
    const span inputs = {start + skipped * dilation, end > skipped ? end - skipped : 0, dilation,
                         skipped};
    return inputs;
}

/* The outputs that may see input `i`; with dilation, only those do for which window_number is one. */
FN span outputs_of(const pool_args *p, int s, i32 i) {
    const i32 reach = (p->window[s] - 1) * p->dilation[s], at = i + p->padding[s];
    const i32 first = at > reach ? (at - reach + p->step[s] - 1) / p->step[s] : 0;
    const i32 size = (i32)p->size[Y][2 + s];
    const i32 end = at / p->step[s] < size ? at / p->step[s] + 1 : size;
    const span outputs = {first, end > first ? end - first : 0, 1, 0};
    return outputs;
}

/* The number that input `i` has in the window of output `o` along one dim; -1: it is not in it. */
FN i32 window_number(const pool_args *p, int s, i32 i, i32 o) {
    const i32 distance = i + p->padding[s] - o * p->step[s];
    return distance % p->dilation[s] == 0 ? distance / p->dilation[s] : -1;
}

/* How many elements the average over output `o` counts along one dim. */
FN i32 counted(const pool_args *p, int s, i32 o) {
    const i32 dilation = p->dilation[s], start = o * p->step[s] - p->padding[s];
    const i32 low = p->counts_padding ? -p->padding[s] : 0;
    const i32 high = (i32)p->size[X][2 + s] + (p->counts_padding ? p->padding_after[s] : 0);
    const i32 skipped = start < low ? (low - start + dilation - 1) / dilation : 0;
    i32 end = start < high ? (high - start + dilation - 1) / dilation : 0;
    if (end > p->window[s])
        end = p->window[s];
    return end > skipped ? end - skipped : 0;
}

/* ---- Forward ------------------------------------------------------------------------------- */

#define IS_BETTER(value, best) ((value) > (best) || (isnan(value) && !isnan(best)))

KERNEL(ITEMS, 1, 1)
max_forward(const pool_args p, GLOBAL const ELEMENT *x, GLOBAL ELEMENT *y, GLOBAL u8 *saved) {
    const i64 i = GLOBAL_ID(0);
    GLOBAL WINNER *winners = (GLOBAL WINNER *)(saved + p.winners_first + WINNERS);
    if (i >= p.count)
        return;
    if (i == 0)
        saved[p.winners_first] = (u8)p.channels_last[Y];
    place at = place_of(&p, Y, (INDEX)i);
    y += p.first[Y] + offset_of(&p, Y, &at);
    span in[SPATIAL];
    for (int s = 0; s < SPATIAL; s++) {
        in[s] = inputs_of(&p, s, at.at[2 + s]);
        at.at[2 + s] = in[s].first;
    }
    x += p.first[X] + offset_of(&p, X, &at);
    VALUE best = -INFINITY;
    i32 winner = -1;
    for (i32 d = 0; d < in[0].count; d++)
        for (i32 h = 0; h < in[1].count; h++)
            for (i32 w = 0; w < in[2].count; w++) {
                const VALUE value = LOAD(x, d * in[0].step * (INDEX)p.stride[X][2] +
                                                h * in[1].step * (INDEX)p.stride[X][3] +
                                                w * in[2].step * (INDEX)p.stride[X][4]);
                if (winner >= 0 && !IS_BETTER(value, best))
                    continue;
                best = value;
                winner = ((in[0].number + d) * p.window[1] + in[1].number + h) * p.window[2] +
                         in[2].number + w;
            }
    STORE(y, 0, best);
    winners[i] = (WINNER)winner;
}

KERNEL(ITEMS, 1, 1)
average_forward(const pool_args p, GLOBAL const ELEMENT *x, GLOBAL ELEMENT *y) {
    const i64 i = GLOBAL_ID(0);
    if (i >= p.count)
        return;
    place at = place_of(&p, Y, (INDEX)i);
    y += p.first[Y] + offset_of(&p, Y, &at);
    span in[SPATIAL];
    VALUE divisor = 1, sum = 0;
    for (int s = 0; s < SPATIAL; s++) {
        in[s] = inputs_of(&p, s, at.at[2 + s]);
        divisor *= counted(&p, s, at.at[2 + s]);
        at.at[2 + s] = in[s].first;
    }
    x += p.first[X] + offset_of(&p, X, &at);
    for (i32 d = 0; d < in[0].count; d++)
        for (i32 h = 0; h < in[1].count; h++)
            for (i32 w = 0; w < in[2].count; w++)
                sum += LOAD(x, d * in[0].step * (INDEX)p.stride[X][2] +
                                   h * in[1].step * (INDEX)p.stride[X][3] +
                                   w * in[2].step * (INDEX)p.stride[X][4]);
    STORE(y, 0, sum / (p.divisor ? (VALUE)p.divisor : divisor));
}

/* ---- Backward ------------------------------------------------------------------------------ */

KERNEL(ITEMS, 1, 1)
max_backward(const pool_args p, GLOBAL ELEMENT *dx, GLOBAL const ELEMENT *dy,
             GLOBAL const u8 *saved) {
    const i64 i = GLOBAL_ID(0);
    GLOBAL const WINNER *winners = (GLOBAL const WINNER *)(saved + p.winners_first + WINNERS);
    if (i >= p.count)
        return;
    const bool channels_last = saved[p.winners_first];
    const place at = place_of(&p, X, (INDEX)i);
    span out[SPATIAL];
    VALUE sum = 0;
    for (int s = 0; s < SPATIAL; s++)
        out[s] = outputs_of(&p, s, at.at[2 + s]);
    dy += p.first[Y];
    for (i32 d = 0; d < out[0].count; d++)
        for (i32 h = 0; h < out[1].count; h++)
            for (i32 w = 0; w < out[2].count; w++) {
                const place to = {{at.at[0], at.at[1], out[0].first + d, out[1].first + h,
                                   out[2].first + w}};
                const i32 n0 = window_number(&p, 0, at.at[2], to.at[2]);
                const i32 n1 = window_number(&p, 1, at.at[3], to.at[3]);
                const i32 n2 = window_number(&p, 2, at.at[4], to.at[4]);
                const i32 number = (n0 * p.window[1] + n1) * p.window[2] + n2;
                if (n0 >= 0 && n1 >= 0 && n2 >= 0 &&
                    winners[number_of(&p, &to, channels_last)] == (WINNER)number)
                    sum += LOAD(dy, offset_of(&p, Y, &to));
            }
    STORE(dx, p.first[X] + offset_of(&p, X, &at), sum);
}

KERNEL(ITEMS, 1, 1)
average_backward(const pool_args p, GLOBAL ELEMENT *dx, GLOBAL const ELEMENT *dy) {
    const i64 i = GLOBAL_ID(0);
    if (i >= p.count)
        return;
    const place at = place_of(&p, X, (INDEX)i);
    span out[SPATIAL];
    VALUE sum = 0;
    for (int s = 0; s < SPATIAL; s++)
        out[s] = outputs_of(&p, s, at.at[2 + s]);
    dy += p.first[Y];
    for (i32 d = 0; d < out[0].count; d++)
        for (i32 h = 0; h < out[1].count; h++)
            for (i32 w = 0; w < out[2].count; w++) {
                const place to = {{at.at[0], at.at[1], out[0].first + d, out[1].first + h,
                                   out[2].first + w}};
                bool is_seen = true;
                VALUE divisor = 1;
                for (int s = 0; s < SPATIAL; s++) {
                    is_seen = is_seen && window_number(&p, s, at.at[2 + s], to.at[2 + s]) >= 0;
                    divisor *= counted(&p, s, to.at[2 + s]);
                }
                if (is_seen)
                    sum += LOAD(dy, offset_of(&p, Y, &to)) /
                           (p.divisor ? (VALUE)p.divisor : divisor);
            }
    STORE(dx, p.first[X] + offset_of(&p, X, &at), sum);
}
