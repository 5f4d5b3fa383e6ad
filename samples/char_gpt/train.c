/* SPDX-License-Identifier: Apache-2.0 */
/* train.c - AdamW under a cosine schedule, on random pieces of the text but for its end, which is
 * kept for testing. */
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "saved.h"

enum { REPORTS = 10, TEST_BATCHES = 4, TEST_SHARE = 10 }; /* a tenth of the text */

static const double pi = 3.14159265358979323846;

static const char *const licences[] = {"/usr/share/common-licenses/GPL-3", "LICENSE"};

typedef struct training {
    const options *o;
    saved s;
    gn_tensor *text, *test;
    gn_optimizer *adam;
    gn_scheduler *schedule;
    gn_tensor *sum; /* of the losses since the last report, on the device */
    int64_t summed;
    double started;
} training;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Up to the full learning rate in a tenth of the steps, then down to a tenth of it. */
static double cosine(int64_t step, void *context) {
    const training *t = context;
    const double warm = (double)t->o->steps / 10, at = (double)(step + 1);
    if (at < warm)
        return at / warm;
    return 0.55 + 0.45 * cos(pi * (at - warm) / ((double)t->o->steps - warm));
}

/* How unlikely the model finds a batch of the text: the mean of -log p of each character. */
static gn_tensor *loss_of(const training *t, gn_tensor *text) {
    gn_tensor *x, *y;
    text_batch(text, t->o->batch, t->o->context, &x, &y);
    gn_tensor *logits = gpt_forward(t->s.model, x, NULL);
    return gn_cross_entropy(gn_flatten_range(logits, 0, 1), gn_flatten(y, 0));
}

static gn_status step(training *t) {
    gn_scope scope = gn_scope_begin();
    gn_tensor *loss = loss_of(t, t->text);
    gn_zero_grad(t->adam);
    gn_backward(loss);
    gn_clip_grad_norm_(gn_parameters(t->s.model), 1.0);
    gn_step(t->adam);
    gn_scheduler_step(t->schedule);
    gn_add_(t->sum, gn_detach(loss));
    t->summed++;
    return gn_scope_end(scope);
}

static double test_loss(training *t) {
    gn_scope scope = gn_scope_begin();
    const bool was = gn_set_grad_enabled(false);
    double sum = 0;
    gn_eval(t->s.model);
    for (int i = 0; i < TEST_BATCHES; i++)
        sum += gn_item(loss_of(t, t->test));
    gn_train(t->s.model, true);
    gn_set_grad_enabled(was);
    gn_scope_end(scope);
    return sum / TEST_BATCHES;
}

static gn_status report(training *t, int64_t done) {
    const double mean = gn_item(t->sum) / (double)t->summed, tested = test_loss(t);
    const double passed = seconds() - t->started, each = passed / (double)done;
    gn_zero_(t->sum);
    t->summed = 0;
    if (saved_write(&t->s, t->o->out) != GN_OK)
        return gn_error_status();
    printf("step %lld/%lld  training loss %.4f, test loss %.4f; %.0f characters/s, %.0f s left\n",
           (long long)done, (long long)t->o->steps, mean, tested,
           (double)(t->o->batch * t->o->context) / each, each * (double)(t->o->steps - done));
    fflush(stdout);
    return gn_error_status();
}

/* The text in its two parts. */
static gn_status read_text(training *t, const char *path) {
    gn_tensor *text = text_read(path, &t->s.letters);
    const int64_t all = text ? gn_numel(text) : 0, kept = all / TEST_SHARE;
    if (text && kept <= t->o->context)
        gn_fail(GN_E_ARGUMENT, path,
                "is too short: a %dth of its %lld characters is kept for tests, and must be more "
                "than --context %lld",
                TEST_SHARE, (long long)all, (long long)t->o->context);
    t->text = gn_narrow(text, 0, 0, all - kept);
    t->test = gn_narrow(text, 0, all - kept, kept);
    return gn_error_status();
}

static gn_status prepare(training *t) {
    const options *o = t->o;
    const char *path = o->text                          ? o->text
                       : access(licences[0], R_OK) == 0 ? licences[0]
                                                        : licences[1];
    if (read_text(t, path) != GN_OK)
        return gn_error_status();
    t->s.sizes = (gpt_sizes){.characters = t->s.letters.n,
                             .layers = o->layers,
                             .width = o->width,
                             .heads = o->heads,
                             .context = o->context};
    t->s.model = gpt_new(&t->s.sizes, o->dropout);
    t->adam = gn_optim_adamw(gn_parameters(t->s.model), .lr = o->lr, .weight_decay = gn_some(0.1));
    t->schedule = gn_lr_lambda(t->adam, cosine, t);
    t->sum = gn_scalar_tensor(0, NULL);
    saved_write(&t->s, o->out); /* if it can't be, that shows before the training */
    if (gn_error_status() == GN_OK)
        printf("%s: %lld characters, %lld different ones; %lld parameters, on %s\n", path,
               (long long)(gn_numel(t->text) + gn_numel(t->test)), (long long)t->s.letters.n,
               (long long)gn_num_parameters(t->s.model), gn_default_device());
    fflush(stdout);
    t->started = seconds();
    return gn_error_status();
}

gn_status train(const options *o) {
    gn_scope scope = gn_scope_begin();
    training t = {.o = o};
    const int64_t stride = (o->steps + REPORTS - 1) / REPORTS;
    if (prepare(&t) == GN_OK)
        for (int64_t i = 1; i <= o->steps && step(&t) == GN_OK; i++)
            if ((i % stride == 0 || i == o->steps) && report(&t, i) != GN_OK)
                break;
    return gn_scope_end(scope);
}
