/* SPDX-License-Identifier: Apache-2.0 */
/*
 * genesis-bench - times operations and training steps on a device.
 *
 * Each case prints one JSON object a line: {"case", "ms", ...}, ms being the minimum over repeats
 * for about two seconds. Names and shapes are those that are used to time other frameworks. The
 * machine's limits, copy bandwidth and the rate of a loop of fused multiply-adds, are measured in
 * the same run.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const char *only = "";
static double budget = 2;

/* ---- Timing: run(context) once per repeat, in a scope of its own */

typedef void run_fn(void *context);

static double time_once(run_fn *run, void *context, int inner) {
    double start = seconds();
    for (int i = 0; i < inner; i++) {
        gn_scope scope = gn_scope_begin();
        run(context);
        gn_scope_end(scope);
    }
    gn_synchronize(NULL);
    return (seconds() - start) / inner;
}

/* Minimum milliseconds; exits with the error if there is one. */
static double best_ms(run_fn *run, void *context) {
    for (int i = 0; i < 3; i++)
        time_once(run, context, 1);
    double once = time_once(run, context, 1), best = once;
    int inner = once < 200e-6 ? (int)(200e-6 / (once > 1e-9 ? once : 1e-9)) + 1 : 1;
    for (double end = seconds() + budget; seconds() < end;) {
        double t = time_once(run, context, inner);
        best = t < best ? t : best;
    }
    if (gn_error_status()) {
        gn_perror("genesis-bench");
        exit(1);
    }
    return best * 1e3;
}

/* bytes and flops that the case needs at least; 0: not given. */
static void report(const char *name, run_fn *run, void *context, double bytes, double flops) {
    if (!strstr(name, only))
        return;
    double ms = best_ms(run, context);
    printf("{\"case\": \"%s\", \"ms\": %.5f", name, ms);
    if (bytes > 0)
        printf(", \"gb_per_s\": %.1f", bytes / ms * 1e-6);
    if (flops > 0)
        printf(", \"gflop_per_s\": %.0f", flops / ms * 1e-6);
    printf("}\n");
    fflush(stdout);
}

/* ---- Limits of the machine */

static void copy_limit(void *context) {
    float **m = context;
    size_t n = (size_t)25 << 20;
#ifdef _OPENMP
#pragma omp parallel for schedule(static)
#endif
    for (size_t i = 0; i < n; i += 4096)
        memcpy(m[1] + i, m[0] + i, 4096 * sizeof(float));
}

/* Ten sums in registers, each a vector of 16 floats: enough to hide the latency of a multiply-add.
 */
typedef float vector __attribute__((vector_size(64)));
enum { FMA_SUMS = 10, FMA_STEPS = 1 << 18, FMA_LANES = 16 };

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
__attribute__((target_clones("arch=x86-64-v4", "avx2,fma", "default")))
#endif
static void
fma_loop(vector *result) {
    vector a = *result, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5, g = a + 6, h = a + 7,
           i = a + 8, j = a + 9;
    const vector x = a * 0 + 0.999f, y = a * 0 + 0.5f;
    for (int step = 0; step < FMA_STEPS; step++) {
        a = a * x + y, b = b * x + y, c = c * x + y, d = d * x + y, e = e * x + y;
        f = f * x + y, g = g * x + y, h = h * x + y, i = i * x + y, j = j * x + y;
    }
    *result = a + b + c + d + e + f + g + h + i + j;
}

static void fma_limit(void *context) {
    vector *results = context;
#ifdef _OPENMP
#pragma omp parallel for schedule(static)
#endif
    for (int t = 0; t < gn_num_threads(); t++)
        fma_loop(&results[t]);
}

static void limits(void) {
    size_t n = (size_t)25 << 20;
    float *m[2] = {malloc(n * sizeof(float)), malloc(n * sizeof(float))};
    size_t bytes = (size_t)gn_num_threads() * sizeof(vector);
    vector *results = aligned_alloc(sizeof(vector), bytes);
    if (m[0] && m[1] && results) {
        memset(results, 0, bytes);
        memset(m[0], 1, n * sizeof(float));
        memset(m[1], 1, n * sizeof(float));
        report("limit/copy_25M", copy_limit, m, 2.0 * (double)n * sizeof(float), 0);
        report("limit/fma", fma_limit, results, 0,
               2.0 * FMA_SUMS * FMA_LANES * FMA_STEPS * gn_num_threads());
    }
    free(m[0]);
    free(m[1]);
    free(results);
}

/* ---- Operations: a function of up to three tensors, forward, and forward and backward */

typedef struct op_case {
    const char *name;
    gn_tensor *(*fn)(gn_tensor *const *x);
    gn_shape shape[3];
    int n;
    bool no_backward;
    double flops;
    gn_tensor *x[3], *gradient;
} op_case;

static gn_tensor *f_add(gn_tensor *const *x) { return gn_add(x[0], x[1]); }
static gn_tensor *f_exp(gn_tensor *const *x) { return gn_exp(x[0]); }
static gn_tensor *f_tanh(gn_tensor *const *x) { return gn_tanh(x[0]); }
static gn_tensor *f_gelu(gn_tensor *const *x) { return gn_gelu(x[0]); }
static gn_tensor *f_silu(gn_tensor *const *x) { return gn_silu(x[0]); }
static gn_tensor *f_sum0(gn_tensor *const *x) { return gn_sum(x[0], .dims = GN_DIMS(0)); }
static gn_tensor *f_sum1(gn_tensor *const *x) { return gn_sum(x[0], .dims = GN_DIMS(1)); }
static gn_tensor *f_turn(gn_tensor *const *x) { return gn_contiguous(gn_t(x[0])); }
static gn_tensor *f_softmax(gn_tensor *const *x) { return gn_softmax(x[0], -1); }
static gn_tensor *f_matmul(gn_tensor *const *x) { return gn_matmul(x[0], x[1]); }
static gn_tensor *f_linear(gn_tensor *const *x) { return gn_linear(x[0], x[1], x[2]); }
static gn_tensor *f_dropout(gn_tensor *const *x) { return gn_dropout(x[0], 0.1, true); }
static gn_tensor *f_norm(gn_tensor *const *x) {
    return gn_layer_norm(x[0], GN_SHAPE(gn_size(x[0], -1)), x[1], x[2]);
}
static gn_tensor *f_conv(gn_tensor *const *x) { return gn_conv2d(x[0], x[1], NULL, .padding = 1); }
static gn_tensor *f_conv1(gn_tensor *const *x) { return gn_conv2d(x[0], x[1], NULL); }
static gn_tensor *f_pool(gn_tensor *const *x) { return gn_max_pool2d(x[0], 2); }
static gn_tensor *f_batch_norm(gn_tensor *const *x) {
    return gn_batch_norm(x[0], NULL, NULL, x[1], x[2], .training = true);
}

#define S(...)                                                                                     \
    {                                                                                              \
        .n = sizeof((int64_t[]){__VA_ARGS__}) / 8, .size = { __VA_ARGS__ }                         \
    }

static op_case ops[] = {
    {.name = "add_4", .fn = f_add, .n = 2, .shape = {S(4), S(4)}},
    {.name = "add_16M",
     .fn = f_add,
     .n = 2,
     .shape = {S(16 << 20), S(16 << 20)},
     .no_backward = true},
    {.name = "add_bcast_4096x4096", .fn = f_add, .n = 2, .shape = {S(4096, 4096), S(4096)}},
    {.name = "exp_8192x3072", .fn = f_exp, .n = 1, .shape = {S(8192, 3072)}},
    {.name = "gelu_8192x3072", .fn = f_gelu, .n = 1, .shape = {S(8192, 3072)}},
    {.name = "silu_8192x3072", .fn = f_silu, .n = 1, .shape = {S(8192, 3072)}},
    {.name = "tanh_8192x3072", .fn = f_tanh, .n = 1, .shape = {S(8192, 3072)}},
    {.name = "sum_dim0_8192x3072", .fn = f_sum0, .n = 1, .shape = {S(8192, 3072)}},
    {.name = "sum_dim1_8192x3072", .fn = f_sum1, .n = 1, .shape = {S(8192, 3072)}},
    {.name = "transpose_copy_4096",
     .fn = f_turn,
     .n = 1,
     .shape = {S(4096, 4096)},
     .no_backward = true},
    {.name = "softmax_8192x1024", .fn = f_softmax, .n = 1, .shape = {S(8192, 1024)}},
    {.name = "layernorm_8192x768", .fn = f_norm, .n = 3, .shape = {S(8192, 768), S(768), S(768)}},
    {.name = "matmul_64",
     .fn = f_matmul,
     .n = 2,
     .shape = {S(64, 64), S(64, 64)},
     .flops = 2.0 * 64 * 64 * 64},
    {.name = "matmul_1024",
     .fn = f_matmul,
     .n = 2,
     .shape = {S(1024, 1024), S(1024, 1024)},
     .flops = 2.0 * 1024 * 1024 * 1024},
    {.name = "bmm_96x256x64",
     .fn = f_matmul,
     .n = 2,
     .shape = {S(96, 256, 64), S(96, 64, 256)},
     .flops = 2.0 * 96 * 256 * 256 * 64},
    {.name = "linear_2048x768x3072",
     .fn = f_linear,
     .n = 3,
     .shape = {S(2048, 768), S(3072, 768), S(3072)},
     .flops = 2.0 * 2048 * 768 * 3072},
    {.name = "conv3x3_32x64x56x64",
     .fn = f_conv,
     .n = 2,
     .shape = {S(32, 64, 56, 56), S(64, 64, 3, 3)},
     .flops = 2.0 * 32 * 56 * 56 * 64 * 64 * 9},
    {.name = "conv1x1_32x64x56x256",
     .fn = f_conv1,
     .n = 2,
     .shape = {S(32, 64, 56, 56), S(256, 64, 1, 1)},
     .flops = 2.0 * 32 * 56 * 56 * 64 * 256},
    {.name = "batchnorm2d_32x64x56",
     .fn = f_batch_norm,
     .n = 3,
     .shape = {S(32, 64, 56, 56), S(64), S(64)}},
    {.name = "maxpool_32x64x56", .fn = f_pool, .n = 1, .shape = {S(32, 64, 56, 56)}},
    {.name = "dropout_8192x3072", .fn = f_dropout, .n = 1, .shape = {S(8192, 3072)}},
};

static void run_forward(void *context) {
    op_case *c = context;
    c->fn(c->x);
}

static void run_both(void *context) {
    op_case *c = context;
    for (int i = 0; i < c->n; i++)
        gn_set_grad(c->x[i], NULL);
    gn_backward(c->fn(c->x), .gradient = c->gradient);
}

static void run_ops(void) {
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        op_case *c = &ops[i];
        char name[128];
        if (!strstr(c->name, only) && !strstr(only, c->name))
            continue;
        gn_scope scope = gn_scope_begin();
        double bytes = 0;
        for (int k = 0; k < c->n; k++) {
            c->x[k] = gn_randn_with(c->shape[k], NULL);
            bytes += 4.0 * (double)gn_numel(c->x[k]);
        }
        gn_tensor *y = c->fn(c->x);
        bytes += y ? 4.0 * (double)gn_numel(y) : 0;
        snprintf(name, sizeof name, "%s/fwd", c->name);
        report(name, run_forward, c, bytes, c->flops);
        if (!c->no_backward && y) {
            c->gradient = gn_randn_like(y);
            for (int k = 0; k < c->n; k++)
                gn_requires_grad_(c->x[k], true);
            snprintf(name, sizeof name, "%s/fwdbwd", c->name);
            report(name, run_both, c, 0, 3 * c->flops);
        }
        gn_scope_end(scope);
    }
}

/* ---- Models: a training step and an inference */

typedef struct model_case {
    gn_module *model;
    gn_tensor *x, *y;
    gn_module *criterion;
    gn_optimizer *optimizer;
} model_case;

static void run_train(void *context) {
    model_case *c = context;
    gn_tensor *loss = gn_loss(c->criterion, gn_forward(c->model, c->x), c->y);
    gn_zero_grad(c->optimizer);
    gn_backward(loss);
    gn_step(c->optimizer);
}

static void run_infer(void *context) {
    model_case *c = context;
    gn_forward(c->model, c->x);
}

static void run_model(const char *name, model_case c) {
    if (!strstr(name, only) && !strstr(only, name))
        return;
    char text[128];
    snprintf(text, sizeof text, "%s/train", name);
    report(text, run_train, &c, 0, 0);
    gn_eval(c.model);
    bool was = gn_set_grad_enabled(false);
    snprintf(text, sizeof text, "%s/infer", name);
    report(text, run_infer, &c, 0, 0);
    gn_set_grad_enabled(was);
}

static model_case classifier(gn_module *model, gn_shape input) {
    return (model_case){.model = model,
                        .x = gn_randn_with(input, NULL),
                        .y = gn_randint(0, 10, GN_SHAPE(input.size[0]), NULL),
                        .criterion = gn_nn_cross_entropy_loss(),
                        .optimizer = gn_optim_adam(gn_parameters(model), .lr = 1e-3)};
}

static model_case transformer(gn_module *model, gn_shape input) {
    return (model_case){.model = model,
                        .x = gn_randn_with(input, NULL),
                        .y = gn_randn_with(input, NULL),
                        .criterion = gn_nn_mse_loss(),
                        .optimizer = gn_optim_adamw(gn_parameters(model), .lr = 1e-3)};
}

static gn_module *mlp(void) {
    return gn_nn_sequential(gn_nn_linear(784, 256), gn_nn_relu(), gn_nn_linear(256, 10));
}

static gn_module *cnn(void) {
    return gn_nn_sequential(gn_nn_conv2d(1, 32, 3, .padding = 1), gn_nn_relu(), gn_nn_max_pool2d(2),
                            gn_nn_conv2d(32, 64, 3, .padding = 1), gn_nn_relu(),
                            gn_nn_max_pool2d(2), gn_nn_flatten(), gn_nn_linear(64 * 49, 128),
                            gn_nn_relu(), gn_nn_linear(128, 10));
}

static void run_step(void *context) { gn_step(context); }

static void run_optimizers(void) {
    if (!strstr("adamw_10M/step", only) && !strstr("sgdm_10M/step", only))
        return;
    gn_scope scope = gn_scope_begin();
    gn_dict *parameters = gn_dict_new();
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        gn_tensor *p = gn_requires_grad_(gn_randn(1024, 1024), true);
        gn_set_grad(p, gn_randn(1024, 1024));
        gn_dict_set(parameters, name, p);
    }
    double n = 10.0 * 1024 * 1024 * 4;
    report("adamw_10M/step", run_step, gn_optim_adamw(parameters, .lr = 1e-3), 7 * n, 0);
    report("sgdm_10M/step", run_step, gn_optim_sgd(parameters, .lr = 1e-3, .momentum = 0.9), 5 * n,
           0);
    gn_scope_end(scope);
}

/* ---- The program */

static void usage(FILE *to) {
    fputs(
        "usage: genesis-bench [option]..\n"
        "Times operations and training steps; prints a JSON object for each case.\n\n"
        "  --device NAME   device to use (default: GENESIS_DEVICE, else cpu)\n"
        "  --threads N     threads of the cpu device\n"
        "  --only TEXT     cases whose name contains TEXT\n"
        "  --seconds S     time spent on each case (default 2)\n"
        "  --first-step    instead: time from the start to the first training step of a small MLP\n"
        "  --help          this text\n",
        to);
}

static int first_step(double start) {
    model_case c = classifier(mlp(), GN_SHAPE(64, 784));
    run_train(&c);
    gn_synchronize(NULL);
    double ms = (seconds() - start) * 1e3;
    if (gn_error_status())
        return gn_perror("genesis-bench"), 1;
    char line[256], *resident = NULL;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if ((resident = !strncmp(line, "VmHWM:", 6) ? line : NULL))
            break;
    printf("{\"case\": \"mlp_first_step\", \"ms\": %.1f, \"resident_mb\": %.1f}\n", ms,
           resident ? atof(resident + 6) / 1024 : 0);
    if (status)
        fclose(status);
    return 0;
}

int main(int argc, char **argv) {
    double start = seconds();
    static const struct option options[] = {{"device", required_argument, NULL, 'd'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"first-step", no_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    bool first = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'd': gn_set_default_device(optarg); break;
        case 't': gn_set_num_threads(atoi(optarg)); break;
        case 'o': only = optarg; break;
        case 's': budget = atof(optarg); break;
        case 'f': first = true; break;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return 2;
        }
    }
    int status = 0;
    if (first) {
        status = first_step(start);
    } else {
        limits();
        run_ops();
        run_model("mlp_784_256_10_b64", classifier(mlp(), GN_SHAPE(64, 784)));
        run_model("cnn_fashion_b128", classifier(cnn(), GN_SHAPE(128, 1, 28, 28)));
        run_model("transformer_block_b4x128x256",
                  transformer(bench_transformer_block(256, 4), GN_SHAPE(4, 128, 256)));
        run_optimizers();
    }
    if (gn_error_status()) {
        gn_perror("genesis-bench");
        status = 1;
    }
    gn_shutdown();
    return status;
}
