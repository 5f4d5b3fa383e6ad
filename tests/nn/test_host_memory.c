/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sweeps of a training, of what else autograd does, of changes of modules and of files, over the
 * library's own requests for memory of the host: whichever finds none, the work ends in an error GN_E_MEMORY
 * or goes on without, and can be done the next time.
 *
 * The program is linked with --wrap (tests/local.mk), so that the library's calls of malloc and its
 * kin come here first; those of plugins go to libc. Leaks show at the end, with a sanitizer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/files.h"
#include "tests/nn/training.h"
#include "tests/suite.h"
#include "tests/temp_dir.h"

/* ---- Requests */

static long requests; /* since the last arm() */
static long refused;  /* the number of the one that finds nothing; 0: none */

static void arm(long n) {
    requests = 0;
    refused = n;
}

/* Whether the request was made. */
static bool disarm(void) {
    const bool reached = refused > 0 && requests >= refused;
    refused = 0;
    return reached;
}

static bool refuse(void) { return refused > 0 && ++requests == refused; }

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
int __real_posix_memalign(void **out, size_t alignment, size_t bytes);
char *__real_strdup(const char *text);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t bytes) { return refuse() ? NULL : __real_malloc(bytes); }
void *__wrap_calloc(size_t n, size_t bytes) { return refuse() ? NULL : __real_calloc(n, bytes); }
void *__wrap_realloc(void *memory, size_t bytes) {
    return refuse() ? NULL : __real_realloc(memory, bytes);
}
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes) {
    return refuse() ? 12 /* ENOMEM */ : __real_posix_memalign(out, alignment, bytes);
}
char *__wrap_strdup(const char *text) { return refuse() ? NULL : __real_strdup(text); }

/* ---- The sweep */

static double train_from_nothing(void) {
    const training t = training_new();
    return gn_error_status() == GN_OK ? training_step(&t) : -1;
}

/* The error that sticks says that memory is missing, and for what. Clears it. */
static void expect_no_memory(long n) {
    ck_assert_msg(gn_error_status() == GN_E_MEMORY, "request %ld: %s: %s", n,
                  gn_status_name(gn_error_status()), gn_error());
    ck_assert_msg(gn_error()[0] != '\0', "request %ld", n);
    gn_error_clear();
}

static void print_sweep(const char *what, long refusals, int errors) {
    printf("%s, %s: %ld requests for memory refused, one at a time: %d errors\n",
           gn_default_device(), what, refusals, errors);
}

/* From opening the device on. */
START_TEST(test_first_step) {
    training t = training_new();
    const training_result expected = training_expect(&t);
    int errors = 0;
    long n = 1;
    for (;; n++) {
        gn_shutdown();
        arm(n);
        const double loss = train_from_nothing();
        if (!disarm())
            break;
        errors += loss < 0;
        if (loss < 0)
            expect_no_memory(n);
        else
            ck_assert_msg(loss == expected.loss, "request %ld: the loss is %.9g, not %.9g", n, loss,
                          expected.loss);
        t = training_new();
        training_repeat(&t, &expected, true);
    }
    print_sweep("first step", n - 1, errors);
    ck_assert_int_gt(errors, 100);
}
END_TEST

static uint64_t in_use(const training *t) {
    gn_memory_stats stats;
    gn_zero_grad(t->adam);
    ck_assert_int_eq(gn_memory_stats_get(NULL, &stats), GN_OK);
    return stats.allocated;
}

/* When all that lasts is there: what a step asks for, it gives back. */
START_TEST(test_later_steps) {
    const training t = training_new();
    for (int i = 0; i < 2; i++)
        ck_assert_msg(training_step(&t) > 0, "%s", gn_error());
    const uint64_t used = in_use(&t);
    int errors = 0;
    long n = 1;
    for (;; n++) {
        arm(n);
        const double loss = training_step(&t);
        if (!disarm())
            break;
        errors += loss < 0;
        if (loss < 0)
            expect_no_memory(n);
        ck_assert_msg(in_use(&t) == used, "request %ld", n);
        ck_assert_msg(training_step(&t) > 0, "request %ld: %s", n, gn_error());
    }
    print_sweep("later steps", n - 1, errors);
    ck_assert_int_gt(errors, 50);
}
END_TEST

/* ---- Hooks, checkpoints, gradients of gradients */

static gn_tensor *look(gn_tensor *g, void *context) {
    (void)g, (void)context;
    return NULL;
}

static void note(gn_tensor *leaf, void *context) { (void)leaf, (void)context; }

static gn_tensor *function(gn_tensor *const *in, void *context) {
    (void)context;
    gn_tensor *y = gn_sin(in[0]);
    gn_retain_grad(y);
    gn_register_hook(y, look, NULL);
    gn_mul_(gn_slice(y, 0, 0, 1, 1), gn_slice(in[0], 0, 1, 2, 1));
    gn_register_hook(y, look, NULL);
    return y;
}

static gn_status forward(gn_tensor *const *in, int n_in, gn_tensor **out, int n_out, void *model) {
    (void)n_in, (void)n_out;
    out[0] = gn_square(gn_checkpoint_module(model, in[0]));
    return gn_error_status();
}

static gn_status derive(gn_module *model) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *x = gn_requires_grad_(gn_ones(2, 3), true), *v = gn_ones(2, 3), *g, *y = NULL;
    const gn_checkpoint_options o = {
        .struct_size = sizeof o, .free_context = gn_release, .no_preserve_rng_state = true};
    gn_register_post_accumulate_grad_hook(x, note, NULL);
    gn_jvp(function, NULL, 1, &x, &v, &g);
    gn_checkpoint(forward, gn_retain(model), &x, 1, &y, 1, &o);
    gn_gradients(gn_sum(y), 1, &x, &g, GN_OPTIONS(gn_backward_options, .create_graph = true));
    gn_backward(gn_sum(gn_square(g)), .inputs = &x, .n_inputs = 1);
    return gn_scope_end(scope);
}

/* Refuses each request of some work with a model, one at a time. */
static void sweep(const char *what, gn_status (*work)(gn_module *model), gn_module *model) {
    for (int i = 0; i < 2; i++)
        ck_assert_msg(work(model) == GN_OK, "%s", gn_error());
    gn_memory_stats before, after;
    gn_memory_stats_get(NULL, &before);
    int errors = 0;
    long n = 1;
    for (;; n++) {
        arm(n);
        const gn_status status = work(model);
        if (!disarm())
            break;
        errors += status != GN_OK;
        if (status != GN_OK)
            expect_no_memory(n);
        gn_module_zero_grad(model); /* those of a walk that came so far */
        gn_memory_stats_get(NULL, &after);
        ck_assert_msg(before.allocated == after.allocated, "request %ld", n);
        ck_assert_msg(gn_is_grad_enabled() && work(model) == GN_OK, "request %ld: %s", n,
                      gn_error());
    }
    print_sweep(what, n - 1, errors);
    ck_assert_int_gt(errors, 50);
}

START_TEST(test_derivatives) {
    sweep("derivatives", derive, gn_nn_sequential(gn_nn_linear(3, 2), gn_nn_tanh()));
}
END_TEST

/* ---- Sequences: states, packed batches, several outputs, caches */

static gn_status read_sequences(gn_module *model) {
    static const int64_t lengths[] = {1, 2};
    gn_scope scope = gn_scope_begin();
    gn_tensor *x = gn_ones(2, 2, 4), *weights, *k, *v;
    gn_rnn_state state = {0};
    gn_packed_sequence packed = gn_pack_padded_sequence(
        x, gn_tensor_from(lengths, GN_I64, GN_SHAPE(2), NULL), .unsorted = true);
    packed = gn_rnn_forward_packed(model ? gn_at(model, 0) : NULL, &packed, &state);
    x = gn_pad_packed_sequence(&packed, NULL);
    gn_multihead_attention_forward(model ? gn_at(model, 1) : NULL, x, x, x, &weights);
    x = gn_transformer_encoder_forward(model ? gn_at(model, 2) : NULL, x, .src_causal = true);
    gn_tensor *total = gn_add(gn_add(gn_sum(x), gn_sum(weights)), gn_sum(state.h));
    gn_backward(gn_add(total, gn_sum(gn_square(state.c))));
    gn_module_zero_grad(model);
    gn_kv_cache_append(gn_kv_cache_new(4), gn_detach(x), gn_detach(x), &k, &v);
    return gn_scope_end(scope);
}

START_TEST(test_sequences) {
    gn_module *layer = gn_nn_transformer_encoder_layer(4, 2, .dim_feedforward = 4);
    sweep("sequences", read_sequences,
          gn_nn_module_list(gn_nn_lstm(4, 2, .bidirectional = true),
                            gn_nn_multihead_attention(4, 2),
                            gn_nn_transformer_encoder(layer, 1, NULL)));
}
END_TEST

/* ---- What changes modules */

static gn_tensor *keep_all(gn_module *m, gn_tensor *value, gn_tensor *other, void *context) {
    (void)m, (void)value, (void)other, (void)context;
    return NULL;
}

/* All on a model that the caller gets, retained, as far as it came. */
static gn_status rework(gn_module **model) {
    gn_scope scope = gn_scope_begin();
    gn_module *m = *model =
        gn_retain(gn_nn_sequential_named({"fc", gn_nn_linear(3, 3)}, {"list", gn_nn_sequential()}));
    gn_module *fc = m ? gn_key(m, "fc") : NULL, *list = m ? gn_key(m, "list") : NULL;
    gn_tensor *x = gn_requires_grad_(gn_ones(2, 3), true);
    gn_extend(list, gn_nn_relu(), gn_nn_linear(3, 3), gn_nn_tanh());
    gn_insert(list, 0, gn_nn_identity());
    gn_pop(list, 1);
    gn_register_full_backward_hook(list, keep_all, NULL);
    gn_weight_norm(fc);
    gn_spectral_norm(fc);
    gn_prune(fc, "bias", .count = 1);
    gn_backward(gn_sum(gn_forward(m, x)));
    gn_module *copy = gn_module_clone(m);
    gn_load_state_dict(copy, gn_state_dict(m, .prefix = "a"), .prefix = "a");
    gn_set_submodule(copy, "fc", gn_nn_identity());
    gn_prune_remove(fc, "bias");
    gn_remove_parametrizations(fc, "weight", true);
    gn_init_orthogonal_(m ? gn_get_parameter(m, "fc.weight") : NULL);
    free(gn_module_text(m));
    return gn_scope_end(scope);
}

/* Whatever failed, the model runs. */
START_TEST(test_modules) {
    gn_module *model;
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(rework(&model) == GN_OK, "%s", gn_error());
        gn_release(model);
    }
    int errors = 0;
    long n = 1;
    for (;; n++) {
        arm(n);
        const gn_status status = rework(&model);
        const bool reached = disarm();
        errors += status != GN_OK;
        if (status != GN_OK)
            expect_no_memory(n);
        gn_scope scope = gn_scope_begin();
        if (model)
            gn_forward(model, gn_ones(2, 3));
        ck_assert_msg(gn_scope_end(scope) == GN_OK, "request %ld: %s", n, gn_error());
        gn_release(model);
        if (!reached)
            break;
    }
    print_sweep("modules", n - 1, errors);
    ck_assert_int_gt(errors, 100);
}
END_TEST

/* ---- Files */

static gn_status load_files(void) {
    static const char *const names[] = {"torch.pth", "numpy.npz", "numpy.npy",
                                        "python.safetensors"};
    gn_scope scope = gn_scope_begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        gn_dict_flatten(gn_load(fixture_path(names[i]), NULL));
    return gn_scope_end(scope);
}

static gn_status save_file(void) {
    gn_scope scope = gn_scope_begin();
    gn_dict *dict = gn_dict_new(), *inner = gn_dict_new();
    gn_dict_set(inner, "weight", gn_ones(2));
    gn_dict_set(inner, "note", "text");
    gn_dict_set(dict, "model", inner);
    gn_save(dict, temp_dir_path("model.pth"));
    return gn_scope_end(scope);
}

static void sweep_files(const char *what, gn_status (*run)(void)) {
    ck_assert_msg(run() == GN_OK, "%s", gn_error());
    gn_memory_stats before, after;
    gn_memory_stats_get(NULL, &before);
    const int files = temp_dir_count();
    int errors = 0;
    long n = 1;
    for (;; n++) {
        arm(n);
        const gn_status status = run();
        if (!disarm())
            break;
        errors += status != GN_OK;
        if (status != GN_OK)
            expect_no_memory(n);
        gn_memory_stats_get(NULL, &after);
        ck_assert_msg(before.allocated == after.allocated, "request %ld", n);
        ck_assert_int_eq(temp_dir_count(), files);
    }
    print_sweep(what, n - 1, errors);
    ck_assert_int_gt(errors, 10);
}

START_TEST(test_files) {
    sweep_files("reading files", load_files);
    sweep_files("writing a file", save_file);
}
END_TEST

int main(void) {
    /* A device that compiles its kernels takes minutes for what the others show as well. */
    const TTest *const steps[] = {test_later_steps, NULL};
    const TTest *const all[] = {test_first_step,
                                test_later_steps,
                                test_derivatives,
                                test_sequences,
                                test_modules,
                                test_files,
                                NULL};
    const bool compiles = strcmp(gn_default_device(), "opencl") == 0;
    temp_dir_make();
    int status = suite_run("host_memory", compiles ? steps : all);
    temp_dir_remove();
    return status;
}
