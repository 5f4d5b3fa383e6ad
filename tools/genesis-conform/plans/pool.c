/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - max and average pooling and their gradients, NaN and ties among them. */
#include "plan.h"

#include <stdlib.h>

struct pool_case {
    const char *name;
    int n_spatial;
    int64_t n, c, in[3], kernel[3], stride[3], padding[3], dilation[3];
    int64_t extra[3]; /* ceil_mode: outputs more than fit into input and padding */
    int64_t divisor;
    bool include_padding;
};

/* A stride of 0 stands for the kernel's size, a dilation of 0 for 1. */
static const struct pool_case pools[] = {
    {"2x2", .n_spatial = 2, .n = 2, .c = 16, .in = {8, 8}, .kernel = {2, 2}},
    {"2x2, odd sizes", .n_spatial = 2, .n = 3, .c = 21, .in = {7, 9}, .kernel = {2, 2}},
    {"2x2, one channel", .n_spatial = 2, .n = 3, .c = 1, .in = {6, 6}, .kernel = {2, 2}},
    {"2x2, 70 channels", .n_spatial = 2, .n = 1, .c = 70, .in = {4, 4}, .kernel = {2, 2}},
    {"3x3, stride 2, padded", .n_spatial = 2, .n = 2, .c = 8, .in = {9, 8}, .kernel = {3, 3},
     .stride = {2, 2}, .padding = {1, 1}},
    {"3x3, stride 2, padding counts", .n_spatial = 2, .n = 2, .c = 8, .in = {9, 8},
     .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .include_padding = true},
    {"3x3, stride 1", .n_spatial = 2, .n = 2, .c = 5, .in = {6, 7}, .kernel = {3, 3},
     .stride = {1, 1}, .padding = {1, 1}, .include_padding = true},
    {"3x2, stride 1 by 3", .n_spatial = 2, .n = 2, .c = 17, .in = {8, 9}, .kernel = {3, 2},
     .stride = {1, 3}, .padding = {1, 0}},
    {"dilation 2", .n_spatial = 2, .n = 2, .c = 6, .in = {9, 9}, .kernel = {3, 3}, .stride = {1, 1},
     .padding = {1, 1}, .dilation = {2, 2}},
    {"dilation 3 by 2, stride 2", .n_spatial = 2, .n = 2, .c = 6, .in = {11, 12}, .kernel = {2, 3},
     .stride = {2, 2}, .padding = {0, 2}, .dilation = {3, 2}},
    {"stride above the kernel", .n_spatial = 2, .n = 2, .c = 6, .in = {9, 9}, .kernel = {2, 2},
     .stride = {3, 3}},
    {"whole image", .n_spatial = 2, .n = 2, .c = 19, .in = {5, 6}, .kernel = {5, 6}},
    {"whole image of more than 255", .n_spatial = 2, .n = 2, .c = 5, .in = {17, 18},
     .kernel = {17, 18}},
    {"one pixel", .n_spatial = 2, .n = 2, .c = 19, .in = {1, 1}, .kernel = {1, 1}},
    {"beyond the padding", .n_spatial = 2, .n = 2, .c = 4, .in = {6, 6}, .kernel = {3, 3},
     .stride = {2, 2}, .padding = {0, 0}, .extra = {1, 1}},
    {"beyond the padding, padding counts", .n_spatial = 2, .n = 2, .c = 4, .in = {7, 6},
     .kernel = {3, 3}, .stride = {3, 2}, .padding = {1, 1}, .extra = {0, 1},
     .include_padding = true},
    {"divisor 5", .n_spatial = 2, .n = 2, .c = 4, .in = {6, 6}, .kernel = {3, 3}, .stride = {2, 2},
     .padding = {1, 1}, .divisor = 5},
    {"1d", .n_spatial = 1, .n = 3, .c = 9, .in = {15}, .kernel = {3}, .stride = {2},
     .padding = {1}},
    {"3d", .n_spatial = 3, .n = 2, .c = 18, .in = {4, 5, 6}, .kernel = {2, 2, 2}},
    {"3d, overlapping, padded", .n_spatial = 3, .n = 1, .c = 4, .in = {5, 5, 5},
     .kernel = {3, 2, 3}, .stride = {2, 1, 1}, .padding = {1, 1, 1}},
};

struct pool_run {
    gn_pool_attr attr;
    int n_dims;
    int64_t x_size[5], y_size[5];
};

static struct pool_run prepare(const struct pool_case *c) {
    struct pool_run r = {.n_dims = c->n_spatial + 2};
    r.attr = (gn_pool_attr){.struct_size = sizeof r.attr,
                            .n_spatial = c->n_spatial,
                            .count_include_pad = c->include_padding,
                            .divisor = c->divisor};
    r.x_size[0] = r.y_size[0] = c->n;
    r.x_size[1] = r.y_size[1] = c->c;
    for (int d = 0; d < c->n_spatial; d++) {
        r.attr.kernel[d] = c->kernel[d];
        r.attr.stride[d] = c->stride[d] ? c->stride[d] : c->kernel[d];
        r.attr.dilation[d] = c->dilation[d] ? c->dilation[d] : 1;
        r.attr.padding[d] = r.attr.padding_after[d] = c->padding[d];
        r.x_size[2 + d] = c->in[d];
        const int64_t reach = (c->kernel[d] - 1) * r.attr.dilation[d] + 1;
        r.y_size[2 + d] =
            (c->in[d] + 2 * c->padding[d] - reach) / r.attr.stride[d] + 1 + c->extra[d];
    }
    return r;
}

/* The elements of x in the window of y's element, in row-major order; and how many it counts. */
struct window {
    int n;
    int64_t counted;
    int64_t at[512][5];
};

static void window_of(const struct pool_run *r, const int64_t *y_at, struct window *w) {
    int64_t k[5] = {0};
    w->n = 0;
    w->counted = 0;
    do {
        bool inside = true, in_padding = true;
        int64_t *at = w->at[w->n];
        at[0] = y_at[0];
        at[1] = y_at[1];
        for (int d = 0; d < r->n_dims - 2; d++) {
            const int64_t i =
                y_at[2 + d] * r->attr.stride[d] - r->attr.padding[d] + k[d] * r->attr.dilation[d];
            at[2 + d] = i;
            inside = inside && i >= 0 && i < r->x_size[2 + d];
            in_padding = in_padding && i < r->x_size[2 + d] + r->attr.padding_after[d];
        }
        w->n += inside;
        w->counted += r->attr.count_include_pad ? in_padding : inside;
    } while (next_coordinate(k, (size_t)r->n_dims - 2, r->attr.kernel));
    if (r->attr.divisor)
        w->counted = r->attr.divisor;
}

static int winner_of(const struct window *w, const struct tensor *x) {
    int best = 0;
    for (int i = 1; i < w->n; i++) {
        const double value = tensor_get(x, w->at[i]), so_far = tensor_get(x, w->at[best]);
        if (value > so_far || (isnan(value) && !isnan(so_far)))
            best = i;
    }
    return best;
}

/* ---- Maximum ------------------------------------------------------------------------------- */

/* Few different values, so that there are ties; and some that are no numbers. */
static void make_ties(const struct pool_run *r, struct tensor *x) {
    int64_t at[5] = {0};
    do {
        static const double values[] = {0, 1, 2, -1, -0.0, -INFINITY, INFINITY, (double)NAN};
        const uint64_t draw = random_bits() % 40;
        tensor_set(x, at, values[draw < 3 ? 5 + draw : draw % 5]);
    } while (next_coordinate(at, (size_t)r->n_dims, r->x_size));
}

static void run_max(const struct pool_case *c, int layout, bool ties) {
    const struct pool_run r = prepare(c);
    const int n = r.n_dims;
    static struct window w;
    struct buffer *saved = NULL;
    int64_t at[5] = {0};
    context("max pool, %s, %s%s", c->name, layout_names[layout], ties ? ", ties and NaN" : "");
    struct tensor forward[] = {output_of(GN_F32, n, r.y_size, layout),
                               input_of(GN_F32, n, r.x_size, layout)};
    struct tensor backward[] = {output_of(GN_F32, n, r.x_size, layout),
                                input_of(GN_F32, n, r.y_size, layout)};
    if (ties)
        make_ties(&r, &forward[1]);
    if (!run_plan(GN_KERNEL_MAX_POOL_FORWARD, 2, forward, &r.attr, &saved))
        return;
    do {
        window_of(&r, at, &w);
        tensor_expect(&forward[0], at, tensor_get(&forward[1], w.at[winner_of(&w, &forward[1])]),
                      0);
    } while (next_coordinate(at, (size_t)n, r.y_size));
    check_tensor(&forward[0]);

    context("max pool dx, %s, %s%s", c->name, layout_names[layout], ties ? ", ties and NaN" : "");
    if (!run_plan(GN_KERNEL_MAX_POOL_BACKWARD, 2, backward, &r.attr, &saved))
        return;
    do
        tensor_expect(&backward[0], at, 0, 0);
    while (next_coordinate(at, (size_t)n, r.x_size));
    do {
        window_of(&r, at, &w);
        const int64_t *won = w.at[winner_of(&w, &forward[1])];
        const double sum = tensor_get(&backward[0], won) + tensor_get(&backward[1], at);
        /* at most 9 windows, of values up to 2, meet in an element */
        tensor_expect(&backward[0], won, sum, 9 * UNIT * 18);
    } while (next_coordinate(at, (size_t)n, r.y_size));
    check_tensor(&backward[0]);
}

static void test_max(int index) {
    for (int layout = 0; layout < N_LAYOUTS; layout++) {
        run_max(&pools[index], layout, false);
        run_max(&pools[index], layout, true);
    }
}

/* ---- Average ------------------------------------------------------------------------------- */

static void run_average(const struct pool_case *c, int layout) {
    const struct pool_run r = prepare(c);
    const int n = r.n_dims;
    static struct window w;
    int64_t at[5] = {0};
    context("average pool, %s, %s", c->name, layout_names[layout]);
    struct tensor forward[] = {output_of(GN_F32, n, r.y_size, layout),
                               input_of(GN_F32, n, r.x_size, layout)};
    struct tensor backward[] = {output_of(GN_F32, n, r.x_size, layout),
                                input_of(GN_F32, n, r.y_size, layout)};
    if (!run_plan(GN_KERNEL_AVG_POOL_FORWARD, 2, forward, &r.attr, NULL))
        return;
    do {
        double sum = 0;
        window_of(&r, at, &w);
        for (int i = 0; i < w.n; i++)
            sum += tensor_get(&forward[1], w.at[i]);
        tensor_expect(&forward[0], at, sum / (double)w.counted,
                      (w.n + 1) * UNIT * 2 * w.n / (double)w.counted);
    } while (next_coordinate(at, (size_t)n, r.y_size));
    check_tensor(&forward[0]);

    context("average pool dx, %s, %s", c->name, layout_names[layout]);
    if (!run_plan(GN_KERNEL_AVG_POOL_BACKWARD, 2, backward, &r.attr, NULL))
        return;
    do
        tensor_expect(&backward[0], at, 0, 0);
    while (next_coordinate(at, (size_t)n, r.x_size));
    do {
        window_of(&r, at, &w);
        const double part = tensor_get(&backward[1], at) / (double)w.counted;
        for (int i = 0; i < w.n; i++)
            tensor_expect(&backward[0], w.at[i], tensor_get(&backward[0], w.at[i]) + part,
                          27 * UNIT * 27 * 2);
    } while (next_coordinate(at, (size_t)n, r.y_size));
    check_tensor(&backward[0]);
}

static void test_average(int index) {
    for (int layout = 0; layout < N_LAYOUTS; layout++)
        run_average(&pools[index], layout);
}

static const test_case cases[] = {
    {.name = "max", .each = test_max, .n = GN_LENGTH(pools)},
    {.name = "average", .each = test_average, .n = GN_LENGTH(pools)},
};

const test_group pool_group = {.name = "pool", CASES(cases), .after = kernel_after};
