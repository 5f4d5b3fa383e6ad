/* SPDX-License-Identifier: Apache-2.0 */
/* conv.c - convolutions and their gradients: layouts, groups, strides, padding, dilation. */
#include "plan.h"

#include <stdio.h>

struct conv_case {
    const char *name;
    int n_spatial;
    int64_t n, c, o, in[3], kernel[3], stride[3], padding[3], dilation[3];
    int64_t groups;   /* 0: one */
    int64_t after[3]; /* so much more padding after the input than before it */
    bool no_bias;
};

/* A stride or dilation of 0 stands for 1. */
static const struct conv_case convs[] = {
    {"3x3", .n_spatial = 2, .n = 2, .c = 5, .o = 7, .in = {9, 8}, .kernel = {3, 3},
     .padding = {1, 1}},
    {"3x3, 16 to 32 channels", .n_spatial = 2, .n = 3, .c = 16, .o = 32, .in = {10, 10},
     .kernel = {3, 3}, .padding = {1, 1}},
    {"3x3, 13 to 19 channels, no bias", .n_spatial = 2, .n = 2, .c = 13, .o = 19, .in = {7, 9},
     .kernel = {3, 3}, .padding = {1, 1}, .no_bias = true},
    {"3x3, no padding", .n_spatial = 2, .n = 2, .c = 8, .o = 8, .in = {7, 7}, .kernel = {3, 3}},
    {"first layer, one channel", .n_spatial = 2, .n = 4, .c = 1, .o = 32, .in = {14, 14},
     .kernel = {3, 3}, .padding = {1, 1}},
    {"first layer, one to three", .n_spatial = 2, .n = 2, .c = 1, .o = 3, .in = {9, 9},
     .kernel = {5, 5}, .padding = {2, 2}},
    {"first layer, 7x7 of three", .n_spatial = 2, .n = 2, .c = 3, .o = 64, .in = {20, 22},
     .kernel = {7, 7}, .stride = {2, 2}, .padding = {3, 3}},
    {"1x1", .n_spatial = 2, .n = 2, .c = 16, .o = 24, .in = {6, 7}, .kernel = {1, 1}},
    {"1x1, stride 2", .n_spatial = 2, .n = 2, .c = 16, .o = 32, .in = {8, 8}, .kernel = {1, 1},
     .stride = {2, 2}},
    {"1x1 of one pixel", .n_spatial = 2, .n = 5, .c = 12, .o = 9, .in = {1, 1}, .kernel = {1, 1}},
    {"stride 2", .n_spatial = 2, .n = 2, .c = 8, .o = 16, .in = {9, 11}, .kernel = {3, 3},
     .stride = {2, 2}, .padding = {1, 1}},
    {"stride 2, even input", .n_spatial = 2, .n = 2, .c = 8, .o = 16, .in = {8, 8},
     .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
    {"stride 3 by 2, kernel 2 by 4", .n_spatial = 2, .n = 2, .c = 6, .o = 4, .in = {11, 12},
     .kernel = {2, 4}, .stride = {3, 2}, .padding = {1, 0}},
    {"stride above the kernel", .n_spatial = 2, .n = 1, .c = 4, .o = 4, .in = {10, 10},
     .kernel = {2, 2}, .stride = {4, 4}},
    {"dilation 2", .n_spatial = 2, .n = 2, .c = 8, .o = 8, .in = {9, 9}, .kernel = {3, 3},
     .stride = {1, 1}, .padding = {2, 2}, .dilation = {2, 2}},
    {"dilation 3 by 1, odd channels", .n_spatial = 2, .n = 2, .c = 3, .o = 5, .in = {12, 8},
     .kernel = {3, 2}, .stride = {1, 1}, .padding = {2, 0}, .dilation = {3, 1}},
    {"two groups", .n_spatial = 2, .n = 2, .c = 8, .o = 12, .in = {7, 7}, .kernel = {3, 3},
     .padding = {1, 1}, .groups = 2},
    {"four groups of 16", .n_spatial = 2, .n = 2, .c = 64, .o = 64, .in = {6, 6}, .kernel = {3, 3},
     .padding = {1, 1}, .groups = 4},
    {"three groups, odd channels", .n_spatial = 2, .n = 2, .c = 9, .o = 15, .in = {5, 6},
     .kernel = {3, 3}, .padding = {1, 1}, .groups = 3},
    {"depthwise", .n_spatial = 2, .n = 2, .c = 16, .o = 16, .in = {9, 9}, .kernel = {3, 3},
     .padding = {1, 1}, .groups = 16},
    {"depthwise, 7 channels, stride 2", .n_spatial = 2, .n = 2, .c = 7, .o = 7, .in = {9, 9},
     .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .groups = 7},
    {"depthwise, two outputs each", .n_spatial = 2, .n = 2, .c = 6, .o = 12, .in = {7, 7},
     .kernel = {3, 3}, .padding = {1, 1}, .groups = 6},
    {"one image of one pixel, padded", .n_spatial = 2, .n = 1, .c = 3, .o = 4, .in = {1, 1},
     .kernel = {3, 3}, .padding = {1, 1}},
    {"2x4, more padding after than before", .n_spatial = 2, .n = 2, .c = 6, .o = 8, .in = {7, 9},
     .kernel = {2, 4}, .padding = {0, 1}, .after = {1, 1}},
    {"1d", .n_spatial = 1, .n = 2, .c = 6, .o = 10, .in = {25}, .kernel = {5}, .padding = {2}},
    {"1d, stride, dilation, groups", .n_spatial = 1, .n = 2, .c = 8, .o = 4, .in = {31},
     .kernel = {3}, .stride = {2}, .padding = {1}, .dilation = {2}, .groups = 2},
    {"1d, one channel", .n_spatial = 1, .n = 3, .c = 1, .o = 8, .in = {40}, .kernel = {9},
     .padding = {4}},
    {"3d", .n_spatial = 3, .n = 2, .c = 4, .o = 6, .in = {5, 6, 7}, .kernel = {3, 3, 3},
     .padding = {1, 1, 1}},
    {"3d, strides, odd kernel sizes", .n_spatial = 3, .n = 1, .c = 3, .o = 5, .in = {6, 7, 8},
     .kernel = {1, 2, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}},
    {"3d, depthwise", .n_spatial = 3, .n = 1, .c = 8, .o = 8, .in = {4, 5, 6}, .kernel = {3, 3, 3},
     .padding = {1, 1, 1}, .groups = 8},
    {"3d, dilation", .n_spatial = 3, .n = 1, .c = 3, .o = 4, .in = {7, 7, 7}, .kernel = {2, 2, 2},
     .stride = {1, 1, 1}, .padding = {1, 0, 1}, .dilation = {2, 3, 1}},
};

struct conv_run {
    const struct conv_case *c;
    gn_conv_attr attr;
    int dtype, n_dims;
    int64_t x_size[5], w_size[5], y_size[5];
};

static struct conv_run prepare(const struct conv_case *c, int dtype) {
    struct conv_run r = {.c = c, .dtype = dtype, .n_dims = c->n_spatial + 2};
    r.attr = (gn_conv_attr){.struct_size = sizeof r.attr,
                            .n_spatial = c->n_spatial,
                            .groups = c->groups ? c->groups : 1};
    r.x_size[0] = r.y_size[0] = c->n;
    r.x_size[1] = c->c;
    r.y_size[1] = r.w_size[0] = c->o;
    r.w_size[1] = c->c / r.attr.groups;
    for (int d = 0; d < c->n_spatial; d++) {
        r.attr.stride[d] = c->stride[d] ? c->stride[d] : 1;
        r.attr.dilation[d] = c->dilation[d] ? c->dilation[d] : 1;
        r.attr.padding[d] = c->padding[d];
        r.x_size[2 + d] = c->in[d];
        r.w_size[2 + d] = c->kernel[d];
        const int64_t reach = (c->kernel[d] - 1) * r.attr.dilation[d] + 1;
        r.y_size[2 + d] =
            (c->in[d] + 2 * c->padding[d] + c->after[d] - reach) / r.attr.stride[d] + 1;
    }
    return r;
}

/* Calls `visit` for every product w[w_at] x[x_at] that is a term of y[y_at]. */
static void for_products(const struct conv_run *r,
                         void visit(void *context, const int64_t *x_at, const int64_t *w_at,
                                    const int64_t *y_at),
                         void *visitor) {
    const int n = r->n_dims;
    const int64_t out_group = r->y_size[1] / r->attr.groups;
    int64_t y_at[5] = {0};
    do {
        int64_t w_at[5] = {0}, w_size[5], x_at[5];
        for (int d = 0; d < n; d++)
            w_size[d] = d == 0 ? 1 : r->w_size[d];
        do {
            bool inside = true;
            x_at[0] = y_at[0];
            x_at[1] = y_at[1] / out_group * r->w_size[1] + w_at[1];
            for (int d = 0; d < n - 2; d++) {
                x_at[2 + d] = y_at[2 + d] * r->attr.stride[d] - r->attr.padding[d] +
                              w_at[2 + d] * r->attr.dilation[d];
                inside = inside && x_at[2 + d] >= 0 && x_at[2 + d] < r->x_size[2 + d];
            }
            w_at[0] = y_at[1];
            if (inside)
                visit(visitor, x_at, w_at, y_at);
            w_at[0] = 0;
        } while (next_coordinate(w_at, (size_t)n, w_size));
    } while (next_coordinate(y_at, (size_t)n, r->y_size));
}

/* Sums by element of one of the three: the exact value, the sum of magnitudes, the terms. */
struct sums {
    const struct tensor *x, *w, *y; /* of the two that are read */
    double *value, *magnitude, *terms;
    int target; /* 0: y, 1: x, 2: w */
    int n_dims;
    const int64_t *size; /* of the target */
};

static void visit_product(void *visitor, const int64_t *x_at, const int64_t *w_at,
                          const int64_t *y_at) {
    const struct sums *s = visitor;
    const double product = (s->target == 0 ? 1 : tensor_get(s->y, y_at)) *
                           (s->target == 1 ? 1 : tensor_get(s->x, x_at)) *
                           (s->target == 2 ? 1 : tensor_get(s->w, w_at));
    const int64_t *at = s->target == 0 ? y_at : s->target == 1 ? x_at : w_at;
    int64_t i = 0;
    for (int d = 0; d < s->n_dims; d++)
        i = i * s->size[d] + at[d];
    s->value[i] += product;
    s->magnitude[i] += fabs(product);
    s->terms[i] += 1;
}

enum { MOST = 1 << 16 };
static double values[MOST], magnitudes[MOST], terms[MOST];

/* bf16 has 8 bits; the device's sum and the expected one are both rounded to them. */
static double stored_error(const struct conv_run *r) {
    return r->dtype == GN_BF16 ? 2 * ldexp(1, -8) : 0;
}

static void expect_sums(const struct conv_run *r, struct sums *s, struct tensor *target,
                        const struct tensor *bias) {
    int64_t at[5] = {0}, i = 0, n = 1;
    for (int d = 0; d < r->n_dims; d++)
        n *= s->size[d];
    EXPECT(n <= MOST, "the case is too large");
    for (int64_t j = 0; j < n; j++)
        values[j] = magnitudes[j] = terms[j] = 0;
    s->value = values;
    s->magnitude = magnitudes;
    s->terms = terms;
    s->n_dims = r->n_dims;
    for_products(r, visit_product, s);
    do {
        const double b = bias && bias->buffer ? tensor_get(bias, &at[1]) : 0;
        tensor_expect(target, at, values[i] + b,
                      (terms[i] + 1) * UNIT * (magnitudes[i] + fabs(b)) +
                          stored_error(r) * fabs(values[i] + b));
        i++;
    } while (next_coordinate(at, (size_t)r->n_dims, s->size));
}

static void expect_bias_gradient(const struct conv_run *r, const struct tensor *dy,
                                 struct tensor *dbias) {
    int64_t at[5] = {0}, count = 1;
    for (int64_t o = 0; o < r->y_size[1]; o++)
        values[o] = magnitudes[o] = 0;
    do {
        values[at[1]] += tensor_get(dy, at);
        magnitudes[at[1]] += fabs(tensor_get(dy, at));
        count++;
    } while (next_coordinate(at, (size_t)r->n_dims, r->y_size));
    for (int64_t o = 0; o < r->y_size[1]; o++)
        tensor_expect(dbias, &o, values[o],
                      (double)count * UNIT * magnitudes[o] + stored_error(r) * fabs(values[o]));
}

/* ---- The cases ----------------------------------------------------------------------------- */

static struct tensor bias_of(const struct conv_run *r, bool is_output) {
    if (r->c->no_bias)
        return absent();
    return is_output ? output_of(r->dtype, 1, &r->y_size[1], NCHW)
                     : input_of(r->dtype, 1, &r->y_size[1], NCHW);
}

static void run_conv(uint32_t kernel, const struct conv_case *c, int dtype, int x_layout,
                     int y_layout) {
    const struct conv_run r = prepare(c, dtype);
    const int n = r.n_dims;
    struct sums s;
    context("%s, %s, %s, x %s, y %s",
            kernel == GN_KERNEL_CONV_FORWARD         ? "conv"
            : kernel == GN_KERNEL_CONV_BACKWARD_DATA ? "conv dx"
                                                     : "conv dw",
            c->name, dtype == GN_F32 ? "f32" : "bf16", layout_names[x_layout],
            layout_names[y_layout]);
    if (kernel == GN_KERNEL_CONV_FORWARD) {
        struct tensor t[] = {output_of(r.dtype, n, r.y_size, y_layout),
                             input_of(r.dtype, n, r.x_size, x_layout),
                             input_of(r.dtype, n, r.w_size, NCHW), bias_of(&r, false)};
        if (!run_plan(kernel, 4, t, &r.attr, NULL))
            return;
        s = (struct sums){.target = 0, .x = &t[1], .w = &t[2], .size = r.y_size};
        expect_sums(&r, &s, &t[0], &t[3]);
        check_tensor(&t[0]);
    } else if (kernel == GN_KERNEL_CONV_BACKWARD_DATA) {
        struct tensor t[] = {output_of(r.dtype, n, r.x_size, x_layout),
                             input_of(r.dtype, n, r.y_size, y_layout),
                             input_of(r.dtype, n, r.w_size, NCHW)};
        if (!run_plan(kernel, 3, t, &r.attr, NULL))
            return;
        s = (struct sums){.target = 1, .y = &t[1], .w = &t[2], .size = r.x_size};
        expect_sums(&r, &s, &t[0], NULL);
        check_tensor(&t[0]);
    } else {
        struct tensor t[] = {output_of(r.dtype, n, r.w_size, NCHW),
                             input_of(r.dtype, n, r.x_size, x_layout),
                             input_of(r.dtype, n, r.y_size, y_layout), bias_of(&r, true)};
        if (!run_plan(kernel, 4, t, &r.attr, NULL))
            return;
        s = (struct sums){.target = 2, .x = &t[1], .y = &t[2], .size = r.w_size};
        expect_sums(&r, &s, &t[0], NULL);
        check_tensor(&t[0]);
        if (t[3].buffer)
            expect_bias_gradient(&r, &t[2], &t[3]);
        check_tensor(&t[3]);
    }
}

static void run_layouts(uint32_t kernel, const struct conv_case *c) {
    run_conv(kernel, c, GN_F32, NHWC, NHWC);
    run_conv(kernel, c, GN_F32, NCHW, NCHW);
    run_conv(kernel, c, GN_F32, NHWC, NCHW);
    run_conv(kernel, c, GN_F32, NCHW, NHWC);
    run_conv(kernel, c, GN_BF16, NHWC, NHWC);
}

static void test_forward(int index) { run_layouts(GN_KERNEL_CONV_FORWARD, &convs[index]); }
static void test_backward_data(int index) {
    run_layouts(GN_KERNEL_CONV_BACKWARD_DATA, &convs[index]);
}
static void test_backward_weight(int index) {
    run_layouts(GN_KERNEL_CONV_BACKWARD_WEIGHT, &convs[index]);
}

static const test_case cases[] = {
    {.name = "forward", .each = test_forward, .n = GN_LENGTH(convs)},
    {.name = "backward_data", .each = test_backward_data, .n = GN_LENGTH(convs)},
    {.name = "backward_weight", .each = test_backward_weight, .n = GN_LENGTH(convs)},
};

const test_group conv_group = {.name = "conv", CASES(cases), .after = kernel_after};
