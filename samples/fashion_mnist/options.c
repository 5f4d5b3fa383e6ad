/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the command line of fashion_mnist. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models.h"

static const char usage[] =
    "usage: fashion_mnist [OPTION..]\n"
    "\n"
    "Trains a convolutional network on Fashion-MNIST. Writes its weights, model.safetensors, "
    "after\n"
    "each epoch, and a report, report.html, at the end. Ctrl-C stops between two steps, and\n"
    "keeps the weights of the last finished epoch.\n"
    "\n"
    "  --model NAME      what to train: cnn, the default, or resnet\n"
    "  --device NAME     cpu, cuda, cuda:1, ..: where to run (default: $GENESIS_DEVICE, else cpu)\n"
    "  --epochs N        passes over the training images (default: 3)\n"
    "  --batch N         images in a step (default: 128)\n"
    "  --lr RATE         the highest learning rate of the one-cycle schedule (default: 0.003)\n"
    "  --seed N          of weights, shuffling and dropout (default: 1)\n"
    "  --data DIR        folder with the files of the data set\n"
    "  --limit N         use only the first N training images\n"
    "  --test-limit N    use only the first N test images\n"
    "  --out DIR         folder for the results, made if it is absent (default: .)\n"
    "  --report FILE     where the report goes (default: report.html in the folder for results)\n"
    "  --eval FILE       do not train: load the weights in FILE and measure the test accuracy\n"
    "  --predict IMAGE   with --eval: say what this PNG or JPEG file shows, instead\n"
    "  --help            show this text\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong use, 130 stopped by Ctrl-C.\n";

/* Each complains and returns false unless `text` is such a number, and nothing else. */
static int whole(const char *name, const char *text, int64_t low, int64_t high, int64_t *out) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0 && value >= low && value <= high) {
        *out = value;
        return 1;
    }
    fprintf(stderr, "fashion_mnist: --%s %s: a whole number from %lld to %lld is needed\n", name,
            text, (long long)low, (long long)high);
    return 0;
}

static int positive(const char *name, const char *text, double *out) {
    char *end;
    double value = strtod(text, &end);
    if (end != text && *end == '\0' && isfinite(value) && value > 0) {
        *out = value;
        return 1;
    }
    fprintf(stderr, "fashion_mnist: --%s %s: a number above 0 is needed\n", name, text);
    return 0;
}

static int given(const char *name, const char *text, const char **out) {
    *out = text;
    if (*text)
        return 1;
    fprintf(stderr, "fashion_mnist: --%s: its value is empty\n", name);
    return 0;
}

static int known_model(const char *text, int *out) {
    *out = model_find(text);
    if (*out >= 0)
        return 1;
    fprintf(stderr, "fashion_mnist: --model %s: there are cnn and resnet\n", text);
    return 0;
}

int options_parse(options *o, int argc, char **argv) {
    static const struct option table[] = {
        {"model", required_argument, NULL, 'm'},
        {"device", required_argument, NULL, 'd'},
        {"epochs", required_argument, NULL, 'e'},
        {"batch", required_argument, NULL, 'b'},
        {"lr", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},
        {"data", required_argument, NULL, 'D'},
        {"limit", required_argument, NULL, 'l'},
        {"test-limit", required_argument, NULL, 't'},
        {"out", required_argument, NULL, 'o'},
        {"report", required_argument, NULL, 'R'},
        {"eval", required_argument, NULL, 'E'},
        {"predict", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *o = (options){.out = ".",
                   .epochs = 3,
                   .batch = 128,
                   .seed = 1,
                   .lr = 3e-3,
                   .limit = INT64_MAX,
                   .test_limit = INT64_MAX};
    int letter, index = 0, fits = 1;
    while (fits && (letter = getopt_long(argc, argv, "", table, &index)) != -1) {
        const char *name = table[index].name;
        switch (letter) {
        case 'm': fits = known_model(optarg, &o->model); break;
        case 'd': fits = given(name, optarg, &o->device); break;
        case 'e': fits = whole(name, optarg, 1, 10000, &o->epochs); break;
        case 'b': fits = whole(name, optarg, 1, 60000, &o->batch); break;
        case 'r': fits = positive(name, optarg, &o->lr); break;
        case 's': fits = whole(name, optarg, 0, INT64_MAX, &o->seed); break;
        case 'D': fits = given(name, optarg, &o->data); break;
        case 'l': fits = whole(name, optarg, 1, INT64_MAX, &o->limit); break;
        case 't': fits = whole(name, optarg, 1, INT64_MAX, &o->test_limit); break;
        case 'o': fits = given(name, optarg, &o->out); break;
        case 'R': fits = given(name, optarg, &o->report); break;
        case 'E': fits = given(name, optarg, &o->eval); break;
        case 'p': fits = given(name, optarg, &o->predict); break;
        case 'h': fputs(usage, stdout); return 0;
        default: fits = 0;
        }
    }
    if (fits && optind < argc) {
        fprintf(stderr, "fashion_mnist: what is \"%s\"?\n", argv[optind]);
        fits = 0;
    }
    if (fits && o->predict && o->eval == NULL) {
        fputs("fashion_mnist: --predict needs the weights: --eval FILE\n", stderr);
        fits = 0;
    }
    if (fits)
        return OPTIONS_GO_ON;
    fputs("Try fashion_mnist --help.\n", stderr);
    return 2;
}
