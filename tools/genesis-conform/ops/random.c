/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random.c - random numbers of the library: the same seed gives the reference's bits, but for
 * normal numbers, which come from a square root.
 */
#include <math.h>
#include <stdio.h>

#include "library.h"

enum {
    OFFSET = 3,
    SEED = 42,
    NORMAL_ULP = 4 /* SQRT may be off by 1 ulp on either side; all else is rounded alike */
};

static const gn_shape shapes[] = {
    {.n = 0},
    {.n = 1, .size = {1}},
    {.n = 3, .size = {3, 0, 2}},
    {.n = 3, .size = {5, 2, 3}},
    {.n = 2, .size = {67, 1031}},
};

typedef gn_tensor *draw_function(gn_shape shape, const gn_tensor_options *options);

static gn_tensor *draw_integers(gn_shape shape, const gn_tensor_options *o) {
    return gn_randint(-5, 20, shape, o);
}
static gn_tensor *draw_bernoulli(gn_shape shape, const gn_tensor_options *o) {
    return gn_bernoulli(shape, 0.3, o);
}
static gn_tensor *draw_permutation(gn_shape shape, const gn_tensor_options *o) {
    (void)shape;
    return gn_randperm(1000, o);
}
static gn_tensor *draw_dropout(gn_shape shape, const gn_tensor_options *o) {
    return gn_dropout(gn_ones_with(shape, o), 0.4, true);
}
/* Numbers belong to elements, whatever their order in memory. */
static gn_tensor *draw_transposed(gn_shape shape, const gn_tensor_options *o) {
    gn_tensor *t = gn_empty_with(shape, o);
    if (shape.n > 1)
        t = gn_transpose(gn_contiguous(gn_transpose(t, 0, 1)), 0, 1);
    return gn_uniform_(t, -2, 3, NULL);
}

static const struct {
    const char *name;
    draw_function *draw;
    int dtype;
    int ulp; /* that the numbers may be off */
} draws[] = {
    {.name = "uniform", .draw = gn_rand_with, .dtype = GN_F32},
    {.name = "uniform", .draw = gn_rand_with, .dtype = GN_F64},
    {.name = "uniform", .draw = gn_rand_with, .dtype = GN_F16},
    {.name = "uniform", .draw = gn_rand_with, .dtype = GN_BF16},
    {.name = "uniform in place", .draw = draw_transposed, .dtype = GN_F32},
    {.name = "normal", .draw = gn_randn_with, .dtype = GN_F32, .ulp = NORMAL_ULP},
    {.name = "normal", .draw = gn_randn_with, .dtype = GN_F64, .ulp = NORMAL_ULP},
    {.name = "normal", .draw = gn_randn_with, .dtype = GN_F16, .ulp = NORMAL_ULP},
    {.name = "normal", .draw = gn_randn_with, .dtype = GN_BF16, .ulp = NORMAL_ULP},
    {.name = "integers", .draw = draw_integers, .dtype = GN_I64},
    {.name = "integers", .draw = draw_integers, .dtype = GN_I32},
    {.name = "integers", .draw = draw_integers, .dtype = GN_I8},
    {.name = "bernoulli", .draw = draw_bernoulli, .dtype = GN_BOOL},
    {.name = "bernoulli", .draw = draw_bernoulli, .dtype = GN_F32},
    {.name = "permutation", .draw = draw_permutation, .dtype = GN_I64},
    {.name = "dropout", .draw = draw_dropout, .dtype = GN_F32},
    {.name = "dropout", .draw = draw_dropout, .dtype = GN_BF16},
};

/* The numbers that a device draws, as doubles. */
static double *numbers(const char *device, draw_function *draw, int dtype, gn_shape shape,
                       int64_t *n) {
    gn_rng_state_set(NULL, (gn_rng_state){.seed = SEED, .offset = OFFSET});
    gn_tensor *t = draw(shape, GN_AS(.device = device, .dtype = dtype));
    *n = gn_numel(t);
    double *x = case_alloc((size_t)*n + 1, sizeof *x);
    EXPECT(gn_copy_out(t, x, GN_F64, *n) == GN_OK, "on %s: %s", device, gn_error());
    return x;
}

/* The distance to the next number of the dtype, at |x|, but not below 2^-10. */
static double ulp_at(int dtype, double x) {
    static const int mantissa[GN_N_DTYPES] = {
        [GN_F16] = 10, [GN_BF16] = 7, [GN_F32] = 23, [GN_F64] = 52};
    return ldexp(1, ilogb(fmax(fabs(x), 0x1p-10)) - mantissa[dtype]);
}

static void numbers_like_reference(int index) {
    const int k = index / (int)GN_LENGTH(shapes), dtype = draws[k].dtype;
    const gn_shape shape = shapes[index % (int)GN_LENGTH(shapes)];
    char row[64];
    int64_t n, n_expected;
    snprintf(row, sizeof row, "random %s", draws[k].name);
    if (!subject(row, dtype))
        return;
    reference_device();
    const double *found = numbers(options.device, draws[k].draw, dtype, shape, &n);
    const double *expected = numbers(options.reference, draws[k].draw, dtype, shape, &n_expected);
    note_size((double)n);
    EXPECT(n == n_expected, "%lld numbers, not %lld", (long long)n, (long long)n_expected);
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs(found[i] - expected[i]);
        const double ulp = error > 0 && draws[k].ulp ? error / ulp_at(dtype, expected[i]) : error;
        EXPECT(ulp <= draws[k].ulp, "number %lld of %lld is %.17g, the reference's is %.17g",
               (long long)i, (long long)n, found[i], expected[i]);
        most = fmax(most, ulp);
    }
    note_error(most);
}

static const test_case cases[] = {
    {.name = "reference",
     .each = numbers_like_reference,
     .n = GN_LENGTH(draws) * GN_LENGTH(shapes)},
};

const test_group random_numbers_group = {
    .name = "random-numbers", CASES(cases), .begin = library_begin, .after = library_after};
