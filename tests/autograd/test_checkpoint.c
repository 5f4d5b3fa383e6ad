/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of libgenesis/autograd/checkpoint.c and nn/checkpoint.c. */
#include <genesis/nn.h>

#include "tests/expect.h"
#include "tests/suite.h"

static gn_tensor *leaf(int64_t n) {
    return gn_requires_grad_(gn_arange(1, (double)n + 1, 1, GN_AS(.dtype = GN_F32)), true);
}

/* A function that counts its runs, and does as it is told. */
typedef struct call {
    gn_tensor *w; /* a parameter, or NULL */
    int runs, freed;
    bool in_place, changing, failing, forgetting;
} call;

static void note_freed(void *context) { ((call *)context)->freed++; }
static const gn_checkpoint_options owning = {.struct_size = sizeof owning,
                                             .free_context = note_freed};

/* (a, b) -> tanh(dropout(a) b w), a + b, the places of a's largest */
static gn_status mixed(gn_tensor *const *in, int n_in, gn_tensor **out, int n_out, void *context) {
    call *c = context;
    c->runs++;
    if (c->failing)
        return GN_E_UNSUPPORTED;
    if (c->in_place)
        gn_relu_(in[0]);
    gn_tensor *b = n_in > 1 ? in[1] : in[0];
    gn_tensor *y = gn_mul(gn_dropout(in[0], 0.5, true), b);
    out[0] = gn_tanh(c->w ? gn_mul(y, c->w) : y);
    if (c->changing && c->runs > 1)
        out[0] = gn_sum(out[0]);
    if (n_out > 1)
        out[1] = gn_add(in[0], b);
    if (n_out > 2 && !c->forgetting)
        out[2] = gn_argmax(in[0], 0, false);
    return gn_error_status();
}

/* Gradients of a, b, w from sum(out0^2 + 2 out1), with or without a checkpoint. */
static void gradients_of(bool checkpointed, gn_tensor **g, int *runs) {
    call c = {.w = leaf(4)};
    gn_tensor *in[] = {gn_mul_scalar(leaf(4), 0.5), leaf(4), c.w}, *out[3];
    gn_manual_seed(5);
    if (checkpointed)
        gn_checkpoint(mixed, &c, in, 2, out, 3, NULL);
    else
        mixed(in, 2, out, 3, &c);
    gn_tensor *other = gn_rand(4); /* the second run must not disturb who comes after */
    ck_assert(!gn_requires_grad(out[2]) && gn_item_int(out[2]) == 3);
    gn_tensor *sum = gn_sum(gn_add(gn_square(out[0]), gn_mul_scalar(out[1], 2)));
    ck_assert_int_eq(gn_gradients(sum, 3, in, g, NULL), GN_OK);
    g[3] = other;
    g[4] = gn_rand(4);
    *runs = c.runs;
}

START_TEST(test_same_gradients) {
    gn_tensor *found[5], *expected[5];
    int runs;
    gradients_of(false, expected, &runs);
    ck_assert_int_eq(runs, 1);
    gradients_of(true, found, &runs);
    ck_assert_int_eq(runs, 2);
    for (int i = 0; i < 5; i++)
        expect_close("gradient", found[i], expected[i]);
}
END_TEST

/* Only a parameter needs a gradient; hooks run once, on the sum of all uses. */
static gn_tensor *count(gn_tensor *g, void *context) {
    (void)g;
    ++*(int *)context;
    return NULL;
}

START_TEST(test_parameters) {
    call c = {.w = leaf(2)};
    gn_tensor *x = gn_ones(2), *y;
    int seen = 0;
    gn_register_hook(c.w, count, &seen);
    gn_manual_seed(1);
    gn_checkpoint(mixed, &c, &x, 1, &y, 1, NULL);
    ck_assert(gn_requires_grad(y) && c.runs == 1);
    ck_assert_str_eq(gn_grad_fn(y), "checkpoint");
    ck_assert_int_eq(gn_backward(gn_sum(gn_add(gn_add(y, c.w), y))), GN_OK);
    ck_assert(seen == 1 && c.runs == 2 && gn_grad(c.w));
    /* nothing needs one: it just runs */
    c.w = NULL;
    gn_checkpoint(mixed, &c, &x, 1, &y, 1, &owning);
    ck_assert(!gn_requires_grad(y) && c.freed == 1);
    bool was = gn_set_grad_enabled(false);
    x = leaf(2);
    gn_checkpoint(mixed, &c, &x, 1, &y, 1, &owning);
    gn_set_grad_enabled(was);
    ck_assert(!gn_requires_grad(y) && c.freed == 2);
}
END_TEST

/* Saved inputs are freed like other saved tensors, and the context with the graph. */
START_TEST(test_walks) {
    call c = {0};
    gn_tensor *x = leaf(2), *in = gn_mul_scalar(x, 0.1), *y;
    gn_scope scope = gn_scope_begin();
    gn_checkpoint(mixed, &c, &in, 1, &y, 1, &owning);
    ck_assert_int_eq(gn_backward(gn_sum(y), .retain_graph = true), GN_OK);
    gn_tensor *once = gn_clone(gn_grad(x));
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_OK);
    expect_close("twice", gn_grad(x), gn_mul_scalar(once, 2));
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_E_STATE);
    expect_error(GN_E_STATE,
                 "checkpoint: backward through the graph a second time, but its saved tensors are "
                 "freed: set .retain_graph = true in the first");
    ck_assert(c.runs == 3 && c.freed == 0);
    gn_scope_end(scope);
    ck_assert_int_eq(c.freed, 1);
    gn_checkpoint(mixed, &c, &in, 1, &y, 1, NULL);
    gn_fill_(in, 1);
    ck_assert_int_eq(gn_backward(gn_sum(y)), GN_E_STATE);
    expect_error(GN_E_STATE, "checkpoint: a tensor of shape (2) that its gradient needs was "
                             "changed in place 1 time(s) since");
}
END_TEST

/* Checkpoints inside a checkpoint: each level runs once more. */
static gn_status outer(gn_tensor *const *in, int n_in, gn_tensor **out, int n_out, void *context) {
    call *c = context;
    gn_tensor *y;
    (void)n_in, (void)n_out;
    gn_checkpoint(mixed, c, in, 1, &y, 1, NULL);
    gn_checkpoint(mixed, c, &y, 1, out, 1, NULL);
    return gn_error_status();
}

START_TEST(test_nested) {
    gn_tensor *g[2];
    for (int nested = 0; nested < 2; nested++) {
        call c = {.w = leaf(3)};
        gn_tensor *x = leaf(3), *y, *z;
        gn_manual_seed(9);
        if (nested) {
            gn_checkpoint(outer, &c, &x, 1, &z, 1, NULL);
        } else {
            mixed(&x, 1, &y, 1, &c);
            mixed(&y, 1, &z, 1, &c);
        }
        gn_backward(gn_sum(gn_add(z, x)));
        ck_assert_int_eq(c.runs, nested ? 6 : 2);
        g[nested] = gn_grad(c.w);
    }
    expect_close("nested", g[1], g[0]);
}
END_TEST

/* Results that are inputs, or views of them, are results of their own. */
static gn_status itself(gn_tensor *const *in, int n_in, gn_tensor **out, int n_out, void *context) {
    (void)n_in, (void)n_out, (void)context;
    out[0] = in[0];
    out[1] = gn_slice(in[0], 0, 1, 2, 1);
    return gn_error_status();
}

START_TEST(test_aliases) {
    gn_tensor *x = leaf(2), *out[2];
    gn_checkpoint(itself, NULL, &x, 1, out, 2, NULL);
    ck_assert(gn_is_leaf(x) && out[0] != x);
    gn_mul_scalar_(out[1], 3);
    EXPECT_VALUES(x, 0, 1, 2);
    gn_backward(gn_sum(gn_add(gn_mul_scalar(out[0], 5), out[1])));
    EXPECT_VALUES(gn_grad(x), 0, 5, 5 + 2 * 3);
}
END_TEST

START_TEST(test_errors) {
    gn_tensor *x = leaf(2), *y = gn_mul_scalar(x, 1), *out[3], *many[11];
    call c = {.failing = true};
    ck_assert_int_eq(gn_checkpoint(mixed, &c, &x, 1, out, 1, &owning), GN_E_UNSUPPORTED);
    expect_error(GN_E_UNSUPPORTED, "checkpoint: its function failed");
    ck_assert(c.freed == 1 && gn_is_grad_enabled());
    c = (call){.forgetting = true};
    gn_checkpoint(mixed, &c, &x, 1, out, 3, NULL);
    expect_error(GN_E_ARGUMENT, "checkpoint: a tensor is NULL");
    c = (call){.in_place = true};
    gn_checkpoint(mixed, &c, &y, 1, out, 1, NULL);
    expect_error(GN_E_STATE,
                 "checkpoint: its function changes input 0 (2) in place: gn_clone it first");
    gn_checkpoint(mixed, &c, &x, 1, out, 1, NULL); /* a leaf, as without the checkpoint */
    expect_error_with(GN_E_STATE, "relu_: in place on a leaf that requires a gradient");
    c = (call){.changing = true};
    gn_checkpoint(mixed, &c, &x, 1, out, 1, NULL);
    gn_backward(gn_sum(out[0]));
    expect_error(GN_E_STATE, "checkpoint: its function made a float32 output 0 (2) at first, and a "
                             "float32 one () when it ran again");
    for (int i = 0; i < 11; i++)
        many[i] = x;
    gn_checkpoint(mixed, &c, many, 11, out, 1, NULL);
    expect_error(GN_E_ARGUMENT, "checkpoint: takes a function, 1 to 10 inputs and at least one "
                                "output, not 11 and 1");
    gn_checkpoint(NULL, &c, &x, 1, out, 1, NULL);
    gn_error_clear();
    gn_checkpoint(mixed, &c, many, 0, out, 1, NULL);
    gn_error_clear();
}
END_TEST

/* ---- Modules */

static gn_module *tower(int n) {
    gn_module *model = gn_nn_sequential();
    gn_manual_seed(2);
    for (int i = 0; i < n; i++) {
        gn_append(model, gn_nn_linear(64, 64));
        gn_append(model, gn_nn_tanh());
    }
    gn_append(model, gn_nn_dropout(0.5));
    return model;
}

/* How a tower of 8 layers runs: as it is, as one checkpoint, in 3 segments. Bytes in use between
 * forward and backward come back, the first layer's gradient in *g. */
static uint64_t run_tower(int segments, gn_tensor **g) {
    gn_module *model = tower(8);
    gn_tensor *x = gn_rand(256, 64), *y;
    gn_memory_stats before, after;
    gn_memory_stats_get(gn_default_device(), &before);
    y = segments == 0   ? gn_forward(model, x)
        : segments == 1 ? gn_checkpoint_module(model, x)
                        : gn_checkpoint_sequential(model, segments, x);
    gn_memory_stats_get(gn_default_device(), &after);
    gn_backward(gn_mean(gn_square(y)));
    *g = gn_grad(gn_dict_get(gn_parameters(model), "0.weight"));
    return after.allocated - before.allocated;
}

START_TEST(test_modules) {
    gn_tensor *plain, *one, *three;
    uint64_t bytes = run_tower(0, &plain), with_one = run_tower(1, &one);
    uint64_t with_three = run_tower(3, &three);
    expect_close("module", one, plain);
    expect_close("segments", three, plain);
    /* 8 results of tanh, 64 KiB each, are needed in backward, against x, and against what three
     * segments of 5, 5 and 7 modules are given, and the 3 results of the last one. */
    ck_assert_uint_ge(bytes, 8 * 65536);
    ck_assert_uint_le(with_one, 2 * 65536);
    ck_assert_uint_le(with_three, 6 * 65536);
    gn_checkpoint_sequential(tower(1), 4, gn_rand(1, 64));
    expect_error(GN_E_ARGUMENT, "checkpoint_sequential: 3 modules in 4 segments");
    gn_checkpoint_module(NULL, gn_rand(1, 64));
    expect_error(GN_E_ARGUMENT, "checkpoint: the module is NULL");
    gn_checkpoint_module(tower(1), gn_rand(1, 3));
    expect_error_with(GN_E_ARGUMENT, "linear: input (1, 3)");
}
END_TEST

int main(void) {
    const TTest *tests[] = {test_same_gradients, test_parameters, test_walks,   test_nested,
                            test_aliases,        test_errors,     test_modules, NULL};
    return suite_run("checkpoint", tests);
}
