/* SPDX-License-Identifier: Apache-2.0 */
/*
 * norms.c - how far the results of batch norm may be off, to first order, from the moments of each
 * channel. Sums of n terms may be off by n units of their magnitudes; of more than 4096 terms
 * blocks are expected to be summed apart. A unit is eps here, because both sides may be off by half
 * of it.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>

enum { LONGEST_SUM = 4096 };

typedef struct channel {
    double n, size;           /* of x: how many, and sum |x|; of dy: sum |dy| */
    double mean, var, r;      /* r = 1 / sqrt(var + eps) */
    double mean_off, var_off; /* bounds */
    double db, dw, dw_size;   /* sums of dy and dy h, where h = (x - mean) r; of |dy h| */
    double db_off, dw_off;
} channel;

static double get(const struct job *job, const view *v, const int64_t *coordinate) {
    const walk w = walk_to(v, coordinate);
    return value_float(v->dtype, walk_element(&w, job, job->segments[v->segment].before));
}

static void set_bound(const struct job *job, const view *v, int64_t number,
                      const int64_t *coordinate, double bound) {
    const walk w = walk_to(v, coordinate);
    const char *expected = walk_element(&w, job, job->segments[v->segment].expected);
    v->bounds[number] = bound + value_tiny(v->dtype) +
                        value_storage_error(v->dtype, value_float(v->dtype, expected));
}

static double unit_of(const view *v) { return value_eps(v->dtype == GN_F64 ? GN_F64 : GN_F32); }

static double sum_error(const channel *c, double unit) {
    return unit * (c->n < LONGEST_SUM ? c->n : LONGEST_SUM);
}

/* ---- Forward --------------------------------------------------------------------------------- */

enum { Y, X, W, B, MEAN, VAR };

static void find_moments(const struct job *job, channel *channels, double eps) {
    const view *x = &job->views[X];
    walk w = walk_from_start(x);
    do {
        channel *c = &channels[w.coordinate[1]];
        const double value = get(job, x, w.coordinate);
        c->n++;
        c->mean += value;
        c->size += fabs(value);
    } while (walk_next(&w));
    for (int64_t i = 0; i < x->size[1]; i++)
        channels[i].mean /= channels[i].n;
    w = walk_from_start(x);
    do {
        channel *c = &channels[w.coordinate[1]];
        const double d = get(job, x, w.coordinate) - c->mean;
        c->var += d * d / c->n;
    } while (walk_next(&w));
    for (int64_t i = 0; i < x->size[1]; i++) {
        channel *c = &channels[i];
        const double unit = unit_of(x), off = sum_error(c, unit);
        c->r = 1 / sqrt(c->var + eps);
        c->mean_off = off * c->size / c->n;
        c->var_off = (off + 4 * unit) * c->var + 2 * c->mean_off * c->mean_off;
    }
}

bool norm_bounds_forward(struct job *job, double eps) {
    const view *x = &job->views[X];
    channel *channels = calloc((size_t)x->size[1], sizeof *channels);
    if (channels == NULL)
        return false;
    find_moments(job, channels, eps);
    for (int64_t i = 0; i < x->size[1]; i++) {
        set_bound(job, &job->views[MEAN], i, &i, channels[i].mean_off);
        set_bound(job, &job->views[VAR], i, &i, channels[i].var_off);
    }
    /* y = h w + b with h = (x - mean) r: the error of mean enters as r, of var as half of it */
    walk at = walk_from_start(x);
    int64_t number = 0;
    do {
        const int64_t i = at.coordinate[1];
        const channel *c = &channels[i];
        const double w = get(job, &job->views[W], &i), b = get(job, &job->views[B], &i);
        const double hw = fabs((get(job, x, at.coordinate) - c->mean) * c->r * w);
        set_bound(job, &job->views[Y], number++, at.coordinate,
                  fabs(w) * c->r * c->mean_off + hw * c->var_off * c->r * c->r +
                      4 * unit_of(x) * (hw + fabs(b)));
    } while (walk_next(&at));
    free(channels);
    return true;
}

/* ---- Backward -------------------------------------------------------------------------------- */

enum { DX, DW, DB, DY, X_, W_, MEAN_, VAR_ };

static void find_sums(const struct job *job, channel *channels, double eps) {
    const view *dy = &job->views[DY], *x = &job->views[X_];
    for (int64_t i = 0; i < x->size[1]; i++) {
        channels[i].mean = get(job, &job->views[MEAN_], &i);
        channels[i].r = 1 / sqrt(get(job, &job->views[VAR_], &i) + eps);
    }
    walk w = walk_from_start(x);
    do {
        channel *c = &channels[w.coordinate[1]];
        const double g = get(job, dy, w.coordinate);
        const double gh = g * (get(job, x, w.coordinate) - c->mean) * c->r;
        c->n++;
        c->db += g;
        c->dw += gh;
        c->size += fabs(g);
        c->dw_size += fabs(gh);
    } while (walk_next(&w));
    for (int64_t i = 0; i < x->size[1]; i++) {
        channel *c = &channels[i];
        const double unit = unit_of(x), off = sum_error(c, unit);
        c->db_off = (off + unit) * c->size;
        c->dw_off = (off + 4 * unit) * c->dw_size;
    }
}

bool norm_bounds_backward(struct job *job, double eps) {
    const view *x = &job->views[X_];
    channel *channels = calloc((size_t)x->size[1], sizeof *channels);
    if (channels == NULL)
        return false;
    find_sums(job, channels, eps);
    for (int64_t i = 0; i < x->size[1]; i++) {
        set_bound(job, &job->views[DW], i, &i, channels[i].dw_off);
        set_bound(job, &job->views[DB], i, &i, channels[i].db_off);
    }
    /* dx = w r (dy - db / n - h dw / n) */
    walk at = walk_from_start(x);
    int64_t number = 0;
    do {
        const int64_t i = at.coordinate[1];
        const channel *c = &channels[i];
        const double wr = get(job, &job->views[W_], &i) * c->r;
        const double h = fabs(get(job, x, at.coordinate) - c->mean) * c->r;
        const double g = fabs(get(job, &job->views[DY], at.coordinate));
        const double size = g + fabs(c->db / c->n) + h * fabs(c->dw / c->n);
        set_bound(job, &job->views[DX], number++, at.coordinate,
                  fabs(wr) * (6 * unit_of(x) * size + (c->db_off + h * c->dw_off) / c->n));
    } while (walk_next(&at));
    free(channels);
    return true;
}
