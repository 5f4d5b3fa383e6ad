/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fashion_mnist - trains a convolutional network on Fashion-MNIST, shows how it goes, saves the
 * weights after each epoch, and writes a report. With --eval FILE it loads weights and tests them.
 *
 * This file is the training itself. What serves it: models.c the networks, options.c the command
 * line, predict.c the look at an image of the user's, progress.c the progress bar, results.c what
 * is measured, report.c, chart.c and sheet.c the report.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <genesis/genesis.h>

#include "models.h"
#include "options.h"
#include "predict.h"
#include "progress.h"
#include "report.h"
#include "results.h"

enum { TEST_BATCH = 250, POINTS_PER_EPOCH = 50, EXIT_INTERRUPTED = 130 };

/* ---- Ctrl-C: the first one asks to stop, the second one kills. */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static void catch_interrupt(void) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigaction(SIGINT, &action, NULL);
}

/* ---- Testing */

/* What the model says of all images of a data set. */
static gn_status evaluate(gn_module *model, gn_dataset *dataset, answers *a) {
    gn_scope outer = gn_scope_begin();
    gn_loader *loader = gn_loader_new(dataset, .batch = TEST_BATCH);
    bool was = gn_set_grad_enabled(false);
    gn_eval(model);
    int64_t done = 0;
    double loss = 0;
    for (gn_batch b; gn_next(loader, &b); done += b.size) {
        gn_scope scope = gn_scope_begin();
        gn_tensor *logits = gn_forward(model, b.x), *said;
        gn_tensor *sure = gn_max(gn_softmax(logits, 1), 1, false, &said);
        loss += gn_item(gn_cross_entropy(logits, b.y, .reduction = GN_REDUCE_SUM));
        gn_copy_out(sure, a->sure + done, GN_F32, b.size);
        gn_copy_out(said, a->said + done, GN_I64, b.size);
        gn_copy_out(b.y, a->truth + done, GN_I64, b.size);
        gn_scope_end(scope);
    }
    gn_train(model, true);
    gn_set_grad_enabled(was);
    a->correct = 0;
    for (int64_t i = 0; i < a->n; i++)
        a->correct += a->said[i] == a->truth[i];
    a->loss = a->n > 0 ? loss / (double)a->n : 0;
    return gn_scope_end(outer);
}

static double accuracy(const answers *a) {
    return a->n > 0 ? (double)a->correct / (double)a->n : 0;
}

static gn_status test_file(gn_module *model, gn_dataset *test, const char *path, answers *a) {
    gn_load_state_dict(model, gn_load(path, NULL));
    return evaluate(model, test, a);
}

/* ---- Training */

typedef struct training {
    gn_module *model;
    gn_optimizer *adam;
    gn_scheduler *schedule;
    gn_loader *loader;
    meter meter;
    progress bar;
    curve train, tested;
    char model_path[PATH_MAX], report_path[PATH_MAX];
} training;

/* One step of gradient descent. Everything that it makes is freed at its end. */
static gn_status train_step(training *t, gn_tensor *x, gn_tensor *y) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *logits = gn_forward(t->model, x);
    gn_tensor *loss = gn_cross_entropy(logits, y);
    gn_zero_grad(t->adam);
    gn_backward(loss);
    gn_step(t->adam);
    gn_scheduler_step(t->schedule);
    meter_add(&t->meter, loss, logits, y);
    return gn_scope_end(scope); /* the first error of all these calls, if there was one */
}

/* An epoch, or less: after Ctrl-C. */
static gn_status train_epoch(training *t) {
    int64_t batches = gn_loader_batches(t->loader);
    int64_t stride = (batches + POINTS_PER_EPOCH - 1) / POINTS_PER_EPOCH;
    progress_epoch(&t->bar);
    for (gn_batch b; !interrupted && gn_next(t->loader, &b);) {
        if (train_step(t, b.x, b.y) != GN_OK)
            break;
        if ((b.index + 1) % stride == 0 || b.index + 1 == batches) {
            double epoch = (double)(t->bar.epoch - 1) + (double)(b.index + 1) / (double)batches;
            point p = meter_read(&t->meter, epoch);
            curve_add(&t->train, p.epoch, p.loss, p.accuracy);
            progress_values(&t->bar, p.loss, p.accuracy);
        }
        progress_images(&t->bar, b.size);
    }
    progress_epoch_end(&t->bar);
    return gn_error_status();
}

/* What comes after a whole epoch. */
static gn_status finish_epoch(training *t, gn_dataset *test, answers *a) {
    if (gn_save(gn_state_dict(t->model), t->model_path) != GN_OK ||
        evaluate(t->model, test, a) != GN_OK)
        return gn_error_status();
    curve_add(&t->tested, (double)t->bar.epoch, a->loss, accuracy(a));
    const point *last = &t->train.points[t->train.n - 1];
    printf("epoch %lld/%lld  training loss %.4f, accuracy %.4f; test loss %.4f, accuracy %.4f; "
           "saved %s\n",
           (long long)t->bar.epoch, (long long)t->bar.epochs, last->loss, last->accuracy, a->loss,
           accuracy(a), t->model_path);
    fflush(stdout);
    return gn_error_status();
}

static gn_status prepare(training *t, const options *o, gn_module *model, gn_dataset *data) {
    *t = (training){.model = model, .meter = meter_new()};
    t->loader = gn_loader_new(data, .batch = o->batch, .shuffle = true, .workers = 1);
    t->adam = gn_optim_adam(gn_parameters(model));
    t->schedule = gn_lr_one_cycle(t->adam, o->lr, o->epochs * gn_loader_batches(t->loader),
                                  .no_cycle_momentum = true);
    t->bar = progress_start(o->epochs, gn_dataset_size(data));
    if (mkdir(o->out, 0777) != 0 && errno != EEXIST)
        return gn_fail(GN_E_IO, o->out, "can't make this folder: %s", strerror(errno));
    int n = snprintf(t->model_path, PATH_MAX, "%s/model.safetensors", o->out);
    int m = o->report ? snprintf(t->report_path, PATH_MAX, "%s", o->report)
                      : snprintf(t->report_path, PATH_MAX, "%s/report.html", o->out);
    if (n >= PATH_MAX || m >= PATH_MAX)
        return gn_fail(GN_E_ARGUMENT, NULL, "the name of a file to write is too long");
    return gn_error_status();
}

/* Returns the program's exit status; with an error of the library: any. */
static int train(const options *o, gn_module *model, gn_dataset *data, gn_dataset *test,
                 answers *a) {
    training t;
    int64_t finished = 0;
    if (prepare(&t, o, model, data) == GN_OK) {
        catch_interrupt();
        while (finished < o->epochs && train_epoch(&t) == GN_OK && !interrupted &&
               finish_epoch(&t, test, a) == GN_OK)
            finished++;
    }
    report r = {.settings = o,
                .model = model,
                .test = test,
                .train_images = gn_dataset_size(data),
                .train = &t.train,
                .tested = &t.tested,
                .answers = a,
                .epochs = finished,
                .seconds = progress_seconds(&t.bar),
                .images_per_second = progress_images_per_second(&t.bar)};
    if (finished > 0 && gn_error_status() == GN_OK && report_write(&r, t.report_path) == GN_OK)
        printf("trained for %s at %s images/s; report: %s\n", progress_duration(r.seconds),
               progress_grouped((int64_t)r.images_per_second), t.report_path);
    if (interrupted && finished > 0)
        printf("interrupted: %s has the weights after epoch %lld\n", t.model_path,
               (long long)finished);
    else if (interrupted)
        printf("interrupted: no epoch was finished, so nothing was saved\n");
    curve_free(&t.train);
    curve_free(&t.tested);
    return interrupted ? EXIT_INTERRUPTED : 0;
}

/* ---- The program */

static void print_setting(const options *o, gn_module *model, gn_dataset *data, gn_dataset *test) {
    gn_device_info info = {.struct_size = sizeof info};
    if (gn_device_describe(gn_default_device(), &info) != GN_OK)
        return;
    printf("Fashion-MNIST on %s (%s)\n", gn_default_device(), info.name);
    printf(
        "%s training and %s test images, %s parameters, batches of %lld, %lld epoch%s, seed %lld\n",
        progress_grouped(gn_dataset_size(data)), progress_grouped(gn_dataset_size(test)),
        progress_grouped(gn_num_parameters(model)), (long long)o->batch, (long long)o->epochs,
        o->epochs > 1 ? "s" : "", (long long)o->seed);
    fflush(stdout);
}

/* One image of the user's: no data set is needed. */
static int look(const options *o, gn_module *model) {
    gn_load_state_dict(model, gn_load(o->eval, NULL));
    predict(model, o->predict);
    if (gn_error_status() != GN_OK)
        gn_perror("fashion_mnist");
    return gn_error_status() != GN_OK;
}

static int run(const options *o) {
    answers a = {.n = 0};
    int status = 0;
    if (o->device)
        gn_set_default_device(o->device);
    gn_manual_seed((uint64_t)o->seed);
    gn_module *model = model_make(o->model);
    if (o->predict)
        return look(o, model);
    gn_dataset *test = gn_dataset_head(gn_fashion_mnist("test", .dir = o->data), o->test_limit);
    if (answers_make(&a, gn_dataset_size(test)) == GN_OK) {
        if (o->eval) {
            test_file(model, test, o->eval, &a);
        } else {
            gn_dataset *data = gn_fashion_mnist("train", .dir = o->data);
            data = gn_dataset_head(data, o->limit);
            print_setting(o, model, data, test);
            status = train(o, model, data, test, &a);
        }
    }
    if (gn_error_status() != GN_OK) {
        gn_perror("fashion_mnist");
        status = 1;
    } else if (status == 0) {
        printf("test accuracy %.4f: %lld of %lld, loss %.4f\n", accuracy(&a), (long long)a.correct,
               (long long)a.n, a.loss);
    }
    answers_free(&a);
    return status;
}

int main(int argc, char **argv) {
    options o;
    int status = options_parse(&o, argc, argv);
    if (status != OPTIONS_GO_ON)
        return status;
    status = run(&o);
    gn_shutdown();
    return status;
}
