/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.c - how far the results of attention may be off, to first order, from plain loops over
 * queries and keys: nothing shorter has both a weight p_ij and the terms that it multiplies.
 *
 * An absolute error of a score is a relative one of its weight, and the mean of those errors, weighted
 * by p, is one of the sum that weights are divided by. From there on all results are sums of
 * products, which may be off by a unit for each of their terms, of the sum of the terms' magnitudes.
 * A unit is eps, because both sides may be off by half of it. Of 16-bit tensors a kernel may keep
 * weights and the gradients of scores in the same dtype.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { Y, Q, K, V, MASK };                             /* views of a forward run */
enum { DQ, DK, DV, DY, Y_, Q_, K_, V_, MASK_ };        /* and of a backward one */
enum { M_Q, M_K, M_V, M_DY, M_Y, M_MASK, N_MATRICES }; /* what is read, as doubles */

/* An element of the batch: q (l, d), k (s, d), v (s, e), dy and y (l, e), mask (l, s). */
typedef struct attention {
    int64_t l, s, d, e;
    double scale, unit, stored; /* stored: of one rounding to a 16-bit dtype, else 0 */
    double tiny;                /* weights below are flushed to 0 or not */
    bool causal;
    double *matrix[N_MATRICES]; /* mask: what is added, -inf where it hides */
    /* Of one query, by key: scores, weights and their relative errors. */
    double *x, *p, *off;
} attention;

/* ---- An element of the batch on the host ----------------------------------------------------- */

static void read_matrix(const struct job *job, const view *v, const int64_t *batch, int64_t rows,
                        int64_t columns, double *out) {
    int64_t at[VIEW_DIMS];
    const uint32_t n = v->n_dims;
    memcpy(at, batch, (n - 2) * sizeof *at);
    for (at[n - 2] = 0; at[n - 2] < rows; at[n - 2]++)
        for (at[n - 1] = 0; at[n - 1] < columns; at[n - 1]++) {
            const walk w = walk_to(v, at);
            const char *element = walk_element(&w, job, job->segments[v->segment].before);
            const double value = value_number(v->dtype, element);
            *out++ = v->dtype != GN_BOOL ? value : value != 0 ? 0 : -(double)INFINITY;
        }
}

static bool has_memory(attention *a, bool backward) {
    const int64_t elements[N_MATRICES] = {
        [M_Q] = a->l * a->d,
        [M_K] = a->s * a->d,
        [M_V] = a->s * a->e,
        [M_DY] = backward ? a->l * a->e : 0,
        [M_Y] = backward ? a->l * a->e : 0,
        [M_MASK] = a->l * a->s,
    };
    bool enough = true;
    for (int i = 0; i < N_MATRICES; i++) {
        a->matrix[i] = calloc((size_t)elements[i] + 1, sizeof(double));
        enough = enough && a->matrix[i];
    }
    a->x = calloc((size_t)a->s * 3, sizeof *a->x);
    if (a->x) {
        a->p = a->x + a->s;
        a->off = a->p + a->s;
    }
    return enough && a->x;
}

static void free_memory(attention *a) {
    for (int i = 0; i < N_MATRICES; i++)
        free(a->matrix[i]);
    free(a->x);
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* A score, and in *off its absolute error. */
static double score(const attention *a, int64_t i, int64_t j, double *off) {
    const double *q = a->matrix[M_Q] + i * a->d, *k = a->matrix[M_K] + j * a->d;
    const double mask = a->matrix[M_MASK][i * a->s + j];
    double sum = 0, size = 0;
    *off = 0;
    if (mask == -(double)INFINITY || (a->causal && j > i))
        return -(double)INFINITY;
    for (int64_t c = 0; c < a->d; c++) {
        sum += q[c] * k[c];
        size += fabs(q[c] * k[c]);
    }
    *off = a->unit * ((double)(a->d + 2) * fabs(a->scale) * size + fabs(mask));
    return a->scale * sum + mask;
}

/* The weights p of query i, and their relative errors. */
static void find_weights(attention *a, int64_t i) {
    double max = -(double)INFINITY, sum = 0, mean = 0;
    for (int64_t j = 0; j < a->s; j++) {
        a->x[j] = score(a, i, j, &a->off[j]);
        max = a->x[j] > max || isnan(a->x[j]) ? a->x[j] : max;
    }
    for (int64_t j = 0; j < a->s; j++) {
        a->p[j] = a->x[j] == -(double)INFINITY ? 0 : exp(a->x[j] - max);
        sum += a->p[j];
    }
    for (int64_t j = 0; j < a->s; j++) {
        if (a->p[j] == 0) /* hidden, or too small for a relative error to matter */
            continue;
        a->p[j] /= sum;
        a->off[j] += a->unit * (fabs(a->x[j]) + fabs(max) + 8);
        mean += a->p[j] * a->off[j];
    }
    for (int64_t j = 0; j < a->s; j++)
        a->off[j] += mean + a->unit * ((double)a->s + log((double)a->s) + 4) + a->stored;
}

/* ---- Bounds of the results, added up --------------------------------------------------------- */

/* y_e = sum_j p_j v_je */
static void add_forward(const attention *a, int64_t i, double *y) {
    for (int64_t j = 0; j < a->s; j++) {
        const double p = a->p[j];
        const double weight = p == 0 ? 0 : p * (a->off[j] + a->unit * (double)(a->s + 2)) + a->tiny;
        for (int64_t c = 0; c < a->e; c++)
            y[i * a->e + c] += weight * fabs(a->matrix[M_V][j * a->e + c]);
    }
}

/* dp_j = sum_e dy_e v_je, and in *size that of magnitudes */
static double product(const attention *a, int64_t i, int64_t j, double *size) {
    const double *dy = a->matrix[M_DY] + i * a->e, *v = a->matrix[M_V] + j * a->e;
    double sum = 0;
    *size = 0;
    for (int64_t c = 0; c < a->e; c++) {
        sum += dy[c] * v[c];
        *size += fabs(dy[c] * v[c]);
    }
    return sum;
}

/* delta = sum_j p_j dp_j, which is sum_e dy_e y_e as well, and in *off its error either way */
static double find_delta(const attention *a, int64_t i, double *off) {
    double sum = 0;
    *off = 0;
    for (int64_t j = 0; j < a->s; j++) {
        double size;
        sum += a->p[j] * product(a, i, j, &size);
        *off += a->p[j] * size * (a->off[j] + a->unit * (double)(a->s + a->e + 4));
    }
    for (int64_t c = i * a->e; c < (i + 1) * a->e; c++)
        *off += a->stored * fabs(a->matrix[M_DY][c] * a->matrix[M_Y][c]);
    return sum;
}

/* dv_je = sum_i p_ij dy_ie; ds_ij = p (dp - delta); dq_id = scale sum_j ds k_jd; dk_jd likewise */
static void add_backward(const attention *a, int64_t i, double *dq, double *dk, double *dv) {
    const double *q = a->matrix[M_Q] + i * a->d, *dy = a->matrix[M_DY] + i * a->e;
    double delta_off;
    const double delta = find_delta(a, i, &delta_off), unit = a->unit;
    for (int64_t j = 0; j < a->s; j++) {
        const double *k = a->matrix[M_K] + j * a->d, p = a->p[j];
        double size;
        if (p == 0)
            continue;
        const double dp = product(a, i, j, &size), ds = fabs(dp - delta);
        const double off = (a->off[j] + a->stored) * ds + delta_off +
                           unit * (double)(a->e + 2) * size + 2 * unit * (fabs(dp) + fabs(delta));
        const double flushed = a->tiny * (ds + delta_off), scale = fabs(a->scale);
        const double by_keys = scale * (p * (off + unit * (double)(a->s + 3) * ds) + flushed);
        const double by_queries = scale * (p * (off + unit * (double)(a->l + 3) * ds) + flushed);
        const double by_weight = p * (a->off[j] + unit * (double)(a->l + 2)) + a->tiny;
        for (int64_t c = 0; c < a->d; c++) {
            dq[i * a->d + c] += by_keys * fabs(k[c]);
            dk[j * a->d + c] += by_queries * fabs(q[c]);
        }
        for (int64_t c = 0; c < a->e; c++)
            dv[j * a->e + c] += by_weight * fabs(dy[c]);
    }
}

/* ---- A job ----------------------------------------------------------------------------------- */

/* What the host reads for an element of the batch. */
static void read_batch(const struct job *job, attention *a, bool backward, const int64_t *batch) {
    const view *v = job->views, *mask = &v[backward ? MASK_ : MASK];
    read_matrix(job, &v[backward ? Q_ : Q], batch, a->l, a->d, a->matrix[M_Q]);
    read_matrix(job, &v[backward ? K_ : K], batch, a->s, a->d, a->matrix[M_K]);
    read_matrix(job, &v[backward ? V_ : V], batch, a->s, a->e, a->matrix[M_V]);
    if (mask->mem)
        read_matrix(job, mask, batch, a->l, a->s, a->matrix[M_MASK]);
    if (!backward)
        return;
    read_matrix(job, &v[DY], batch, a->l, a->e, a->matrix[M_DY]);
    read_matrix(job, &v[Y_], batch, a->l, a->e, a->matrix[M_Y]);
}

/* Adds to the bounds of a view what storing its results may cost. */
static void finish(const struct job *job, const view *v) {
    walk w = walk_from_start(v);
    int64_t i = 0;
    do {
        const char *expected = walk_element(&w, job, job->segments[v->segment].expected);
        v->bounds[i++] +=
            value_tiny(v->dtype) + value_storage_error(v->dtype, value_float(v->dtype, expected));
    } while (walk_next(&w));
}

bool attention_bounds(struct job *job, const gn_attention_attr *attr, const gn_tensor_desc *tensors,
                      bool backward) {
    const gn_tensor_desc *q = &tensors[backward ? Q_ : Q], *v = &tensors[backward ? V_ : V];
    const int n = q->n_dims;
    const int dtype = q->dtype;
    const bool small = dtype == GN_F16 || dtype == GN_BF16;
    view *const out = job->views;
    attention a = {.l = q->size[n - 2],
                   .s = v->size[n - 2],
                   .d = q->size[n - 1],
                   .e = v->size[n - 1],
                   .scale = attr->scale,
                   .unit = value_eps(small ? GN_F32 : dtype),
                   .stored = small ? value_eps(dtype) : 0,
                   .tiny = value_tiny(small ? GN_F32 : dtype),
                   .causal = attr->causal};
    const bool enough = has_memory(&a, backward);
    int64_t batch[GN_MAX_DIMS] = {0}, number = 0;
    int d = n - 3;
    do {
        if (!enough)
            break;
        read_batch(job, &a, backward, batch);
        for (int64_t i = 0; i < a.l; i++) {
            find_weights(&a, i);
            if (backward)
                add_backward(&a, i, out[DQ].bounds + number * a.l * a.d,
                             out[DK].bounds + number * a.s * a.d,
                             out[DV].bounds + number * a.s * a.e);
            else
                add_forward(&a, i, out[Y].bounds + number * a.l * a.e);
        }
        number++;
        for (d = n - 3; d >= 0 && ++batch[d] == q->size[d]; d--)
            batch[d] = 0;
    } while (d >= 0);
    for (int i = 0; enough && i < (backward ? 3 : 1); i++)
        finish(job, &out[i]);
    free_memory(&a);
    return enough;
}
