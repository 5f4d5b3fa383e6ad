/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenes in which the rules of autograd decide what comes out: hooks and retained gradients around
 * changes in place, walks for given inputs, views. The numbers are PyTorch's, and the statements
 * those of tests/fixtures/make_autograd.py.
 */
#include <math.h>

#include "tests/expect.h"
#include "tests/suite.h"

#include "tests/fixtures/autograd.inc"

enum { MAX_NUMBERS = 32 };

/* Tensors and numbers, one after the other, against an array of autograd.inc. */
typedef struct scene {
    double found[MAX_NUMBERS];
    int64_t n;
} scene;

static void put(scene *s, gn_tensor *t) {
    ck_assert_msg(t != NULL, "%s", gn_error());
    ck_assert_int_le(s->n + gn_numel(t), MAX_NUMBERS);
    gn_copy_out(t, s->found + s->n, GN_F64, gn_numel(t));
    s->n += gn_numel(t);
}

static void put_number(scene *s, double number) { s->found[s->n++] = number; }

/* All operations are a few roundings of float32 away from PyTorch's. */
static void compare(const scene *s, const double *expected, size_t bytes) {
    ck_assert_str_eq(gn_error(), "");
    ck_assert_int_eq(s->n, (int64_t)(bytes / sizeof *expected));
    for (int64_t i = 0; i < s->n; i++)
        ck_assert_msg(fabs(s->found[i] - expected[i]) <= 1e-5 * (1 + fabs(expected[i])),
                      "number %lld is %.9g, expected %.9g", (long long)i, s->found[i], expected[i]);
}
#define COMPARE(scene, array) compare(scene, array, sizeof(array))

static gn_tensor *leaf(const float *values, gn_shape shape) {
    return gn_tensor_from(values, GN_F32, shape, GN_AS(.requires_grad = true));
}
#define LEAF(n, ...) leaf((float[]){__VA_ARGS__}, GN_SHAPE(n))

static gn_tensor *keep(gn_tensor *g, void *context) {
    *(gn_tensor **)context = gn_retain(g);
    return NULL;
}

START_TEST(test_hooks_in_place) {
    gn_tensor *x = LEAF(2, 1, 2), *y = gn_mul_scalar(x, 3), *before = NULL, *after = NULL;
    gn_register_hook(y, keep, &before);
    gn_retain_grad(y);
    gn_mul_scalar_(y, 2);
    gn_register_hook(y, keep, &after);
    gn_backward(gn_sum(gn_mul(y, x)));
    scene s = {.n = 0};
    put(&s, before), put(&s, after), put(&s, gn_grad(y)), put(&s, gn_grad(x));
    COMPARE(&s, hooks_in_place);
    gn_release(before);
    gn_release(after);
}
END_TEST

static gn_tensor *tenfold(gn_tensor *g, void *context) {
    (void)context;
    return gn_mul_scalar(g, 10);
}
static gn_tensor *increased(gn_tensor *g, void *context) {
    (void)context;
    return gn_add_scalar(g, 1);
}

START_TEST(test_hooks_replace) {
    gn_tensor *x = LEAF(2, 1, 2), *y = gn_mul_scalar(x, 3);
    gn_retain_grad(y);
    gn_register_hook(y, tenfold, NULL);
    gn_register_hook(y, increased, NULL);
    gn_backward(gn_sum(gn_mul(y, y)));
    scene s = {.n = 0};
    put(&s, gn_grad(y)), put(&s, gn_grad(x));
    COMPARE(&s, hooks_replace);
}
END_TEST

typedef struct noted {
    int ran;
    double factor;
} noted;
static gn_tensor *note(gn_tensor *g, void *context) {
    noted *n = context;
    n->ran++;
    return gn_mul_scalar(g, n->factor);
}
static void note_post(gn_tensor *t, void *context) {
    (void)t;
    ((noted *)context)->ran++;
}

START_TEST(test_walks) {
    gn_tensor *x = LEAF(2, 1, 2), *w = LEAF(2, 5, 6);
    noted of_x = {0, 2}, of_w = {0, 7}, of_y = {0, 3}, post = {0, 0};
    gn_register_hook(x, note, &of_x);
    gn_register_hook(w, note, &of_w);
    gn_register_post_accumulate_grad_hook(x, note_post, &post);
    gn_tensor *y = gn_mul(x, w), *both[] = {x, y}, *g[2];
    gn_register_hook(y, note, &of_y);
    gn_tensor *z = gn_sum(gn_mul(y, y));
    for (int i = 0; i < 2; i++)
        gn_gradients(z, 1, both + i, g + i, GN_OPTIONS(gn_backward_options, .retain_graph = true));
    scene s = {.n = 0};
    put(&s, g[0]), put(&s, g[1]);
    put_number(&s, of_x.ran), put_number(&s, of_w.ran), put_number(&s, of_y.ran);
    put_number(&s, post.ran), put_number(&s, gn_grad(x) == NULL);
    COMPARE(&s, walk_grad);
    gn_backward(z, .inputs = both, .n_inputs = 1, .retain_graph = true);
    s.n = 0;
    put(&s, gn_grad(x));
    put_number(&s, of_x.ran), put_number(&s, of_w.ran), put_number(&s, of_y.ran);
    put_number(&s, post.ran), put_number(&s, gn_grad(w) == NULL);
    COMPARE(&s, walk_inputs);
    gn_backward(z, .inputs = both + 1, .n_inputs = 1);
    s.n = 0;
    put(&s, gn_grad(x)), put(&s, gn_grad(y));
    put_number(&s, of_x.ran), put_number(&s, of_w.ran), put_number(&s, of_y.ran);
    put_number(&s, post.ran);
    COMPARE(&s, walk_inner);
}
END_TEST

START_TEST(test_views_in_place) {
    gn_tensor *x = leaf((float[]){1, 2, 3, 4, 5, 6}, GN_SHAPE(2, 3));
    gn_tensor *base = gn_t(gn_mul_scalar(x, 2)), *part = gn_slice(base, 0, 1, 3, 1);
    gn_mul_(part, gn_index(x, GN_AT(0), GN_FROM_TO(0, 2)));
    gn_add_(base, gn_t(x));
    gn_backward(gn_sum(gn_mul(part, part)));
    scene s = {.n = 0};
    put(&s, base), put(&s, gn_grad(x));
    COMPARE(&s, views_in_place);
}
END_TEST

START_TEST(test_strided_inputs) {
    gn_tensor *x = leaf((float[]){1, 2}, GN_SHAPE(2, 1));
    gn_tensor *y = leaf((float[]){1, 2, 3, 4, 5, 6}, GN_SHAPE(2, 3));
    gn_tensor *turned = gn_view(gn_contiguous(gn_t(y)), 2, 3);
    gn_tensor *overlapping = gn_as_strided(y, GN_SHAPE(2, 3), GN_SHAPE(1, 1), 1);
    gn_tensor *z = gn_add(gn_mul(gn_expand(x, 2, 3), turned), gn_mul(overlapping, x));
    gn_backward(gn_sum(gn_mul(z, z)));
    scene s = {.n = 0};
    put(&s, gn_grad(x)), put(&s, gn_grad(y));
    COMPARE(&s, strided_inputs);
}
END_TEST

static gn_status wave(gn_tensor *const *in, int n_in, gn_tensor **out, int n_out, void *w) {
    (void)n_in, (void)n_out;
    out[0] = gn_mul(gn_sin(gn_mul(in[0], w)), in[0]);
    return gn_error_status();
}

START_TEST(test_checkpoint_orders) {
    gn_tensor *x = LEAF(2, 0.5, -1), *w = LEAF(2, 2, 3), *y, *both[] = {x, w}, *g[2];
    gn_checkpoint(wave, w, &x, 1, &y, 1, NULL);
    gn_gradients(gn_sum(gn_mul(y, y)), 2, both, g,
                 GN_OPTIONS(gn_backward_options, .create_graph = true));
    gn_backward(gn_sum(gn_mul(g[0], g[0])));
    scene s = {.n = 0};
    put(&s, g[0]), put(&s, g[1]), put(&s, gn_grad(x)), put(&s, gn_grad(w));
    COMPARE(&s, checkpoint_orders);
}
END_TEST

static gn_tensor *scaled_exp(gn_tensor *const *in, void *context) {
    (void)context;
    return gn_mul(gn_exp(in[0]), in[1]);
}

START_TEST(test_products) {
    gn_tensor *in[] = {gn_tensor_of(((float[]){0.5, 1.5}), 2), gn_tensor_of(((float[]){2}), 1)};
    gn_tensor *v = gn_tensor_of(((float[]){1, -2}), 2), *products[2];
    gn_tensor *tangents[] = {v, gn_tensor_of(((float[]){3}), 1)}, *product;
    EXPECT_VALUES(gn_vjp(scaled_exp, NULL, 2, in, v, products), 1e-5, 3.29744254, 8.96337814);
    scene s = {.n = 0};
    put(&s, products[0]), put(&s, products[1]);
    COMPARE(&s, vjp);
    EXPECT_VALUES(gn_jvp(scaled_exp, NULL, 2, in, tangents, &product), 1e-5, 3.29744254,
                  8.96337814);
    s.n = 0;
    put(&s, product);
    COMPARE(&s, jvp);
    ck_assert(!gn_requires_grad(product) && !gn_requires_grad(in[0]));
}
END_TEST

int main(void) {
    const TTest *tests[] = {
        test_hooks_in_place, test_hooks_replace,     test_walks,    test_views_in_place,
        test_strided_inputs, test_checkpoint_orders, test_products, NULL};
    return suite_run("scenes", tests);
}
