/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line_search.c - the line search of Nocedal and Wright (Numerical Optimization, 3.5) with cubic
 * interpolation, in the form that PyTorch has: a bracket is widened until it must hold a good
 * point, then narrowed down to one.
 */
#include <math.h>

#include "line_search.h"

/* The loss must fall by so much of the slope, and the slope to so much of itself. */
static const double DECREASE = 1e-4, CURVATURE = 0.9;

void gn__point_copy(gn__point *to, const gn__point *from) {
    gn_tensor *old = to->gradient;
    gn_retain(from->gradient);
    *to = *from;
    gn_release(old);
}

/* The minimum of the cubic through two points with their slopes, within bounds. */
static double interpolate(const gn__point *a, const gn__point *b, double low, double high) {
    const gn__point *x = a->t <= b->t ? a : b, *y = a->t <= b->t ? b : a;
    const double d1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->t - b->t);
    const double square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0))
        return (low + high) / 2;
    const double d2 = sqrt(square);
    const double t = y->t - (y->t - x->t) * ((y->slope + d2 - d1) / (y->slope - x->slope + 2 * d2));
    return fmin(fmax(t, low), high);
}

typedef struct search {
    const gn__line *line;
    const gn__point *start;
    int64_t evaluations, rounds;
    gn__point now, bracket[2];
    bool done, stuck; /* stuck: the last round made little progress */
} search;

static bool look(search *s, double t) {
    s->evaluations++;
    return s->line->at(s->line->context, t, &s->now);
}

static bool falls_enough(const search *s) {
    return s->now.loss <= s->start->loss + DECREASE * s->now.t * s->start->slope;
}

static bool is_flat(const search *s) { return fabs(s->now.slope) <= -CURVATURE * s->start->slope; }

/* Steps get longer until the bracket holds a good point, or one is found. */
static bool widen(search *s, double t) {
    gn__point before = {0};
    gn__point_copy(&before, s->start);
    bool bracketed = false;
    if (!look(s, t))
        goto out;
    for (; s->rounds < s->line->max_evaluations; s->rounds++) {
        bracketed = !falls_enough(s) || (s->rounds > 1 && s->now.loss >= before.loss);
        s->done = !bracketed && is_flat(s);
        bracketed |= s->done || s->now.slope >= 0;
        if (bracketed)
            break;
        t = interpolate(&before, &s->now, s->now.t + 0.01 * (s->now.t - before.t), 10 * s->now.t);
        gn__point_copy(&before, &s->now);
        if (!look(s, t))
            goto out;
    }
    gn__point_copy(&s->bracket[0], s->done ? &s->now : bracketed ? &before : s->start);
    gn__point_copy(&s->bracket[1], &s->now);
out:
    gn_release(before.gradient);
    return !gn__failed();
}

/* Where to look next: at the cubic's minimum, but, so that there is progress, not twice close to an
 * end. */
static double choose(search *s) {
    const double low = fmin(s->bracket[0].t, s->bracket[1].t);
    const double high = fmax(s->bracket[0].t, s->bracket[1].t), margin = 0.1 * (high - low);
    double t = interpolate(&s->bracket[0], &s->bracket[1], low, high);
    const bool close = fmin(high - t, t - low) < margin;
    if (close && (s->stuck || t >= high || t <= low)) {
        s->stuck = false;
        return fabs(t - high) < fabs(t - low) ? high - margin : low + margin;
    }
    s->stuck = close;
    return t;
}

/* Narrows the bracket; its first point is the lower one. */
static bool narrow(search *s) {
    gn__point *low = &s->bracket[s->bracket[0].loss <= s->bracket[1].loss ? 0 : 1];
    gn__point *high = low == s->bracket ? s->bracket + 1 : s->bracket;
    while (!s->done && s->rounds < s->line->max_evaluations &&
           fabs(high->t - low->t) * s->line->length >= s->line->tolerance_change) {
        if (!look(s, choose(s)))
            return false;
        s->rounds++;
        if (!falls_enough(s) || s->now.loss >= low->loss) {
            gn__point_copy(high, &s->now);
            if (high->loss < low->loss || (high->loss == low->loss && high == s->bracket)) {
                gn__point *swap = low;
                low = high;
                high = swap;
            }
            continue;
        }
        s->done = is_flat(s);
        if (!s->done && s->now.slope * (high->t - low->t) >= 0)
            gn__point_copy(high, low);
        gn__point_copy(low, &s->now);
    }
    gn__point_copy(&s->now, low);
    return true;
}

int64_t gn__strong_wolfe(const gn__line *line, const gn__point *start, double t, gn__point *out) {
    search s = {.line = line, .start = start};
    bool found = widen(&s, t) && narrow(&s);
    if (found)
        gn__point_copy(out, &s.now);
    gn_release(s.now.gradient);
    gn_release(s.bracket[0].gradient);
    gn_release(s.bracket[1].gradient);
    return found ? s.evaluations : -1;
}
