/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.cl - max and average pooling and their gradients. A work-item makes WIDTH channels of one
 * pixel: of y from the window of x that it sees, of dx from those of dy whose windows hold it, in
 * their order. Above 1, channels are neighbours in memory.
 *
 * The number of a window's element is counted row by row. `winners` has that of the maximum for
 * each element of y, in the order of y's memory: channels last or not, which its first byte tells.
 *
 * Defined before: DTYPE, ELEMENT, VALUE; INDEX; ITEMS; WIDTH; and WINNER, the type of such
 * a number.
 */

#define LOAD(p, i) JOIN(LOAD_, DTYPE)(p, i)
#define STORE(p, i, value) JOIN(STORE_, DTYPE)(p, i, value)

enum { X, Y, TENSORS, SPATIAL = 3, DIMS = 2 + SPATIAL, WINNERS = 64 /* bytes before them */ };

/* As pool_args in pool.c. Tensors are (N, C, D, H, W), dx as x and dy as y. */
typedef struct {
    i64 first[TENSORS], size[TENSORS][DIMS], stride[TENSORS][DIMS];
    i64 count, winners_first; /* work-items that are needed; bytes */
    i32 window[SPATIAL], step[SPATIAL], padding[SPATIAL], padding_after[SPATIAL];
    i32 dilation[SPATIAL];
    i32 channels_last[TENSORS]; /* the order of memory */
    i32 counts_padding, divisor;
    i32 unused;
} pool_args;

typedef struct {
    i32 at[DIMS];
} place;

/* Divisions cost more than all else here, and many are by 1. */
FN INDEX quotient(INDEX a, INDEX b) { return b == 1 ? a : a / b; }

/* Coordinates of the first element that work-item i makes, in the order of memory. */
FN place place_of(const pool_args *p, int tensor, INDEX i) {
    const INDEX channels = (INDEX)p->size[tensor][1] / WIDTH;
    INDEX rest = i;
    place to;
    if (p->channels_last[tensor]) {
        rest = quotient(i, channels);
        to.at[1] = (i32)(i - rest * channels) * WIDTH;
    }
    for (int s = SPATIAL - 1; s >= 0; s--) {
        const INDEX size = (INDEX)p->size[tensor][2 + s], next = quotient(rest, size);
        to.at[2 + s] = (i32)(rest - next * size);
        rest = next;
    }
    to.at[0] = (i32)rest;
    if (!p->channels_last[tensor]) {
        to.at[0] = (i32)quotient(rest, channels);
        to.at[1] = (i32)(rest - to.at[0] * channels);
    }
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
    const i32 skipped = start < 0 ? (i32)quotient(dilation - 1 - start, dilation) : 0;
    i32 end = start < size ? (i32)quotient(size - start + dilation - 1, dilation) : 0;
    if (end > p->window[s])
        end = p->window[s];
    const span inputs = {start + skipped * dilation, end > skipped ? end - skipped : 0, dilation,
                         skipped};
    return inputs;
}

/* The outputs that may see input `i`: those do for which there is a window_number. */
FN span outputs_of(const pool_args *p, int s, i32 i) {
    const i32 reach = (p->window[s] - 1) * p->dilation[s], at = i + p->padding[s];
    const i32 step = p->step[s], size = (i32)p->size[Y][2 + s];
    const i32 first = at > reach ? (i32)quotient(at - reach + step - 1, step) : 0;
    const i32 last = (i32)quotient(at, step), end = last < size ? last + 1 : size;
    const span outputs = {first, end > first ? end - first : 0, 1, 0};
    return outputs;
}

/* The number that input `i` has in the window of output `o` along one dim; -1: it is not in it. */
FN i32 window_number(const pool_args *p, int s, i32 i, i32 o) {
    const i32 distance = i + p->padding[s] - o * p->step[s];
    const i32 number = (i32)quotient(distance, p->dilation[s]);
    return number * p->dilation[s] == distance ? number : -1;
}

/* How many elements the average over output `o` counts along one dim. */
FN i32 counted(const pool_args *p, int s, i32 o) {
    const i32 dilation = p->dilation[s], start = o * p->step[s] - p->padding[s];
    const i32 low = p->counts_padding ? -p->padding[s] : 0;
    const i32 high = (i32)p->size[X][2 + s] + (p->counts_padding ? p->padding_after[s] : 0);
    const i32 skipped = start < low ? (i32)quotient(low - start + dilation - 1, dilation) : 0;
    i32 end = start < high ? (i32)quotient(high - start + dilation - 1, dilation) : 0;
    if (end > p->window[s])
        end = p->window[s];
    return end > skipped ? end - skipped : 0;
}

/* Goes through the inputs of the window from the first on: `at` is the offset of each of them. */
#define FOR_INPUTS(at)                                                                             \
    for (i32 d = 0; d < in[0].count; d++)                                                          \
        for (i32 h = 0; h < in[1].count; h++)                                                      \
            for (INDEX w = 0, at = d * in[0].step * (INDEX)p.stride[X][2] +                        \
                                   h * in[1].step * (INDEX)p.stride[X][3];                         \
                 w < in[2].count; w++, at += in[2].step * (INDEX)p.stride[X][4])

/* ---- Forward ------------------------------------------------------------------------------- */

KERNEL(ITEMS, 1, 1)
max_forward(const pool_args p, GLOBAL const ELEMENT *x, GLOBAL ELEMENT *y, GLOBAL u8 *saved) {
    const i64 i = GLOBAL_ID(0);
    GLOBAL WINNER *winners = (GLOBAL WINNER *)(saved + p.winners_first + WINNERS) + i * WIDTH;
    span in[SPATIAL];
    VALUE best[WIDTH];
    i32 winner[WIDTH];
    if (i >= p.count)
        return;
    if (i == 0)
        saved[p.winners_first] = (u8)p.channels_last[Y];
    place own = place_of(&p, Y, (INDEX)i);
    y += p.first[Y] + offset_of(&p, Y, &own);
    for (int s = 0; s < SPATIAL; s++) {
        in[s] = inputs_of(&p, s, own.at[2 + s]);
        own.at[2 + s] = in[s].first;
    }
    x += p.first[X] + offset_of(&p, X, &own);
    const i32 first = (in[0].number * p.window[1] + in[1].number) * p.window[2] + in[2].number;
    for (int v = 0; v < WIDTH; v++) {
        best[v] = -INFINITY;
        winner[v] = first; /* even if all are -INFINITY */
    }
    FOR_INPUTS(at) {
        const i32 number = first + (d * p.window[1] + h) * p.window[2] + (i32)w;
        for (int v = 0; v < WIDTH; v++) {
            const VALUE value = LOAD(x, at + v);
            const bool is_better = !(value <= best[v]) && best[v] == best[v]; /* NaN wins */
            best[v] = is_better ? value : best[v];
            winner[v] = is_better ? number : winner[v];
        }
    }
    for (int v = 0; v < WIDTH; v++) {
        STORE(y, v, best[v]);
        winners[v] = (WINNER)winner[v];
    }
}

KERNEL(ITEMS, 1, 1)
average_forward(const pool_args p, GLOBAL const ELEMENT *x, GLOBAL ELEMENT *y) {
    const i64 i = GLOBAL_ID(0);
    span in[SPATIAL];
    VALUE divisor = 1, sum[WIDTH];
    if (i >= p.count)
        return;
    place own = place_of(&p, Y, (INDEX)i);
    y += p.first[Y] + offset_of(&p, Y, &own);
    for (int s = 0; s < SPATIAL; s++) {
        in[s] = inputs_of(&p, s, own.at[2 + s]);
        divisor *= counted(&p, s, own.at[2 + s]);
        own.at[2 + s] = in[s].first;
    }
    x += p.first[X] + offset_of(&p, X, &own);
    for (int v = 0; v < WIDTH; v++)
        sum[v] = 0;
    FOR_INPUTS(at)
        for (int v = 0; v < WIDTH; v++)
            sum[v] += LOAD(x, at + v);
    for (int v = 0; v < WIDTH; v++)
        STORE(y, v, sum[v] / (p.divisor ? (VALUE)p.divisor : divisor));
}

/* ---- Backward ------------------------------------------------------------------------------ */

/* Goes through the outputs that may see the input: `to` is the place of each of them. */
#define FOR_OUTPUTS(to)                                                                            \
    for (to.at[2] = out[0].first; to.at[2] < out[0].first + out[0].count; to.at[2]++)              \
        for (to.at[3] = out[1].first; to.at[3] < out[1].first + out[1].count; to.at[3]++)          \
            for (to.at[4] = out[2].first; to.at[4] < out[2].first + out[2].count; to.at[4]++)

/* Adds the channels of an output that the input has won; their winners are `step` apart. */
#define ADD_WON(step)                                                                              \
    for (int v = 0; v < WIDTH; v++)                                                                \
    sum[v] += winners[winner + v * (step)] == (WINNER)number ? LOAD(dy, from + v) : 0

KERNEL(ITEMS, 1, 1)
max_backward(const pool_args p, GLOBAL ELEMENT *dx, GLOBAL const ELEMENT *dy,
             GLOBAL const u8 *saved) {
    const i64 i = GLOBAL_ID(0);
    GLOBAL const WINNER *winners = (GLOBAL const WINNER *)(saved + p.winners_first + WINNERS);
    span out[SPATIAL];
    VALUE sum[WIDTH];
    if (i >= p.count)
        return;
    const bool channels_last = saved[p.winners_first];
    const place own = place_of(&p, X, (INDEX)i);
    for (int s = 0; s < SPATIAL; s++)
        out[s] = outputs_of(&p, s, own.at[2 + s]);
    for (int v = 0; v < WIDTH; v++)
        sum[v] = 0;
    dy += p.first[Y];
    place to = own;
    FOR_OUTPUTS(to) {
        i32 number = 0;
        bool is_seen = true;
        for (int s = 0; s < SPATIAL; s++) {
            const i32 digit = window_number(&p, s, own.at[2 + s], to.at[2 + s]);
            is_seen = is_seen && digit >= 0;
            number = number * p.window[s] + digit;
        }
        if (!is_seen)
            continue;
        const INDEX from = offset_of(&p, Y, &to), winner = number_of(&p, &to, channels_last);
        if (channels_last)
            ADD_WON(1);
        else
            ADD_WON((INDEX)(p.size[Y][2] * p.size[Y][3] * p.size[Y][4]));
    }
    dx += p.first[X] + offset_of(&p, X, &own);
    for (int v = 0; v < WIDTH; v++)
        STORE(dx, v, sum[v]);
}

KERNEL(ITEMS, 1, 1)
average_backward(const pool_args p, GLOBAL ELEMENT *dx, GLOBAL const ELEMENT *dy) {
    const i64 i = GLOBAL_ID(0);
    span out[SPATIAL];
    VALUE sum[WIDTH];
    if (i >= p.count)
        return;
    const place own = place_of(&p, X, (INDEX)i);
    for (int s = 0; s < SPATIAL; s++)
        out[s] = outputs_of(&p, s, own.at[2 + s]);
    for (int v = 0; v < WIDTH; v++)
        sum[v] = 0;
    dy += p.first[Y];
    place to = own;
    FOR_OUTPUTS(to) {
        bool is_seen = true;
        VALUE divisor = 1;
        for (int s = 0; s < SPATIAL; s++) {
            is_seen = is_seen && window_number(&p, s, own.at[2 + s], to.at[2 + s]) >= 0;
            divisor *= counted(&p, s, to.at[2 + s]);
        }
        if (!is_seen)
            continue;
        const INDEX from = offset_of(&p, Y, &to);
        for (int v = 0; v < WIDTH; v++)
            sum[v] += LOAD(dy, from + v) / (p.divisor ? (VALUE)p.divisor : divisor);
    }
    dx += p.first[X] + offset_of(&p, X, &own);
    for (int v = 0; v < WIDTH; v++)
        STORE(dx, v, sum[v]);
}
