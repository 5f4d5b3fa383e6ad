/* SPDX-License-Identifier: Apache-2.0 */
/* special.c - the gamma functions, one element at a time. */
#include "kernels.h"
#include <math.h>

/* lgamma itself writes the sign to a global variable. */
float cpu_lgamma_f32(float x) {
    int sign;
    return lgammaf_r(x, &sign);
}

double cpu_lgamma_f64(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

/*
 * digamma(x) for x > 0. The recurrence psi(x) = psi(x + 1) - 1 / x leads to x >= 10, where the
 * asymptotic series log x - 1 / 2x - sum_k B_2k / (2k x^2k) converges to 1e-19 (Abramowitz and
 * Stegun, 6.3.18). In long double, because of the cancellation near the root at 1.46.
 */
static long double digamma_positive(long double x) {
    static const long double coefficient[] = {
        1.0L / 12,       -1.0L / 120, 1.0L / 252,      -1.0L / 240,      1.0L / 132,
        -691.0L / 32760, 1.0L / 12,   -3617.0L / 8160, 43867.0L / 14364, -174611.0L / 6600,
    };
    long double below = 0;
    for (; x < 10; x += 1)
        below += 1 / x;
    const long double square = 1 / (x * x);
    long double series = 0;
    for (int k = (int)(sizeof coefficient / sizeof *coefficient); k-- > 0;)
        series = (series + coefficient[k]) * square;
    return logl(x) - 0.5L / x - series - below;
}

/* At 0 it is -inf or inf, against the sign of x; at negative integers and -inf NaN. */
double cpu_digamma_f64(double x) {
    if (x != x || x == INFINITY)
        return x;
    if (x == 0)
        return copysign(INFINITY, -x);
    if (x > 0)
        return (double)digamma_positive(x);
    if (x == floor(x))
        return NAN;
    /* psi(x) = psi(1 - x) - pi / tan(pi x) */
    const long double pi = 3.14159265358979323846264338327950288L;
    const long double fraction = (long double)x - rintl(x);
    return (double)(digamma_positive(1 - (long double)x) - pi / tanl(pi * fraction));
}

float cpu_digamma_f32(float x) { return (float)cpu_digamma_f64(x); }
