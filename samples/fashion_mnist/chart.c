/* SPDX-License-Identifier: Apache-2.0 */
/* chart.c - curves as SVG. Colours come from the classes, which the page's style sheet gives
 * meaning. */
#include <math.h>

#include "report.h"

/* In the units of the picture; the plot lies inside the margins. */
enum { WIDTH = 460, HEIGHT = 270, LEFT = 46, RIGHT = 14, TOP = 12, BOTTOM = 40, STEPS = 5 };

typedef struct axis {
    double low, high, step;
} axis;

typedef struct chart {
    FILE *out;
    chart_value value;
    axis x, y;
} chart;

static double value_of(const chart *c, const point *p) {
    return c->value == CHART_LOSS ? p->loss : p->accuracy;
}

static double place_x(const chart *c, double x) {
    return LEFT + (x - c->x.low) / (c->x.high - c->x.low) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const chart *c, double y) {
    return HEIGHT - BOTTOM - (y - c->y.low) / (c->y.high - c->y.low) * (HEIGHT - TOP - BOTTOM);
}

/* An axis over low .. high that ticks at 1, 2 or 5 times a power of ten. */
static axis make_axis(double low, double high) {
    double rough = (high - low) / STEPS;
    if (!(rough > 0) || !isfinite(rough))
        return (axis){low, low + 1, 0.2};
    double power = pow(10, floor(log10(rough))), scale = rough / power;
    double step = power * (scale <= 1 ? 1 : scale <= 2 ? 2 : scale <= 5 ? 5 : 10);
    return (axis){floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step, step};
}

static void widen(const chart *c, const curve *points, double *low, double *high) {
    for (size_t i = 0; i < points->n; i++) {
        double y = value_of(c, &points->points[i]);
        if (!isfinite(y))
            continue;
        *low = fmin(*low, y);
        *high = fmax(*high, y);
    }
}

static void write_axes(const chart *c) {
    int digits = c->y.step < 0.1 ? 2 : 1;
    for (int i = 0; c->y.low + i * c->y.step <= c->y.high + c->y.step / 2; i++) {
        double y = c->y.low + i * c->y.step;
        fprintf(c->out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
                WIDTH - RIGHT, place_y(c, y), place_y(c, y));
        if (c->value == CHART_LOSS)
            fprintf(c->out, "<text class=\"end\" x=\"%d\" y=\"%.1f\">%.*f</text>\n", LEFT - 8,
                    place_y(c, y) + 4, digits, y);
        else
            fprintf(c->out, "<text class=\"end\" x=\"%d\" y=\"%.1f\">%.0f%%</text>\n", LEFT - 8,
                    place_y(c, y) + 4, 100 * y);
    }
    for (double x = 0; x <= c->x.high + 1e-9; x += fmax(1, c->x.step))
        fprintf(c->out, "<text class=\"middle\" x=\"%.1f\" y=\"%d\">%g</text>\n", place_x(c, x),
                HEIGHT - BOTTOM + 18, x);
    fprintf(c->out, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", LEFT,
            WIDTH - RIGHT, HEIGHT - BOTTOM, HEIGHT - BOTTOM);
    fprintf(c->out, "<text class=\"middle\" x=\"%d\" y=\"%d\">epoch</text>\n",
            (WIDTH + LEFT - RIGHT) / 2, HEIGHT - 6);
}

static void write_curve(const chart *c, const curve *points, const char *name) {
    fprintf(c->out, "<polyline class=\"%s\" points=\"", name);
    for (size_t i = 0; i < points->n; i++) {
        const point *p = &points->points[i];
        if (isfinite(value_of(c, p)))
            fprintf(c->out, "%.1f,%.1f ", place_x(c, p->epoch), place_y(c, value_of(c, p)));
    }
    fputs("\"/>\n", c->out);
}

/* Points that tell their value when pointed at. */
static void write_points(const chart *c, const curve *points) {
    for (size_t i = 0; i < points->n; i++) {
        const point *p = &points->points[i];
        if (isfinite(value_of(c, p)))
            fprintf(
                c->out,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>test, after epoch %g: %.4f</title>"
                "</circle>\n",
                place_x(c, p->epoch), place_y(c, value_of(c, p)), p->epoch, value_of(c, p));
    }
}

void chart_write(FILE *out, chart_value value, const curve *train, const curve *tested,
                 double epochs) {
    chart c = {.out = out, .value = value};
    double low = value == CHART_LOSS ? 0 : 1, high = value == CHART_LOSS ? 0 : 1;
    widen(&c, train, &low, &high);
    widen(&c, tested, &low, &high);
    c.y = make_axis(low, high);
    c.x = make_axis(0, epochs);
    c.x.high = epochs;
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s over the epochs\">\n",
            WIDTH, HEIGHT, value == CHART_LOSS ? "loss" : "accuracy");
    write_axes(&c);
    write_curve(&c, train, "train");
    write_curve(&c, tested, "test");
    write_points(&c, tested);
    fputs("</svg>\n", out);
}
