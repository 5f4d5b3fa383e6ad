/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the command line of char_gpt. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: char_gpt [OPTION..] [TEXT]\n"
    "\n"
    "Learns a text file (default: a licence of the system), character by character, and writes "
    "more\n"
    "like it. The model is saved whenever progress is shown.\n"
    "\n"
    "  --steps N         of training (default: 1000)\n"
    "  --batch N         pieces of the text in a step (default: 16)\n"
    "  --lr RATE         the highest learning rate (default: 0.002)\n"
    "  --dropout P       share of values that are dropped in training (default: 0.1)\n"
    "  --layers N        blocks of the model (default: 4)\n"
    "  --width N         numbers for each character (default: 128)\n"
    "  --heads N         of attention; divides the width (default: 4)\n"
    "  --context N       characters that it sees at once (default: 128)\n"
    "  --out FILE        where the model is saved, a .pth file (default: char_gpt.pth)\n"
    "  --load FILE       do not train: write with a saved model\n"
    "\n"
    "  --prompt TEXT     what the written text begins with\n"
    "  --length N        characters to write (default: 500)\n"
    "  --temperature T   0 always writes the likeliest character; 1 draws as the model has "
    "learned,\n"
    "                    which is more varied (default: 0.8)\n"
    "  --no-cache        look at the whole text again for each character: the same, but slower\n"
    "\n"
    "  --device NAME     cpu, cuda, ..: where to run (default: $GENESIS_DEVICE, else cpu)\n"
    "  --seed N          of weights, training and writing (default: 1)\n"
    "  --help            show this text\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong use.\n";

/* An option's value: one of the three, a whole number or one with a fraction within limits. */
typedef struct rule {
    const char *name;
    const char **text;
    int64_t *whole;
    double *real;
    double low, high;
} rule;

static bool store(const rule *r, const char *text) {
    if (r->text) {
        *r->text = text;
        return true;
    }
    char *end;
    errno = 0;
    const long long whole = r->whole ? strtoll(text, &end, 10) : 0;
    const double value = r->whole ? (double)whole : strtod(text, &end);
    if (end == text || *end || errno || !(value >= r->low && value <= r->high)) {
        fprintf(stderr, "char_gpt: --%s %s: a%s number from %g to %g is needed\n", r->name, text,
                r->whole ? " whole" : "", r->low, r->high);
        return false;
    }
    if (r->whole)
        *r->whole = whole;
    else
        *r->real = value;
    return true;
}

/* What no option can see by itself. */
static bool fit_together(options *o, int argc, char **argv) {
    if (o->width % o->heads) {
        fprintf(stderr, "char_gpt: --heads %lld does not divide --width %lld\n",
                (long long)o->heads, (long long)o->width);
        return false;
    }
    if (argc - optind > 1) {
        fprintf(stderr, "char_gpt: what is \"%s\"? One text is enough\n", argv[optind + 1]);
        return false;
    }
    if (optind < argc)
        o->text = argv[optind];
    return true;
}

int options_parse(options *o, int argc, char **argv) {
    const rule rules[] = {
        {"steps", .whole = &o->steps, .low = 1, .high = 1e9},
        {"batch", .whole = &o->batch, .low = 1, .high = 1e6},
        {"lr", .real = &o->lr, .low = 0, .high = 100},
        {"dropout", .real = &o->dropout, .low = 0, .high = 0.99},
        {"layers", .whole = &o->layers, .low = 1, .high = 1000},
        {"width", .whole = &o->width, .low = 1, .high = 1e5},
        {"heads", .whole = &o->heads, .low = 1, .high = 1e5},
        {"context", .whole = &o->context, .low = 2, .high = 1e6},
        {"out", .text = &o->out},
        {"load", .text = &o->load},
        {"prompt", .text = &o->prompt},
        {"length", .whole = &o->length, .low = 0, .high = 1e9},
        {"temperature", .real = &o->temperature, .low = 0, .high = 100},
        {"device", .text = &o->device},
        {"seed", .whole = &o->seed, .low = 0, .high = 1e15},
    };
    enum { RULES = sizeof rules / sizeof rules[0] };
    struct option table[RULES + 3] = {{"no-cache", no_argument, NULL, 'n'},
                                      {"help", no_argument, NULL, 'h'}};
    for (int i = 0; i < RULES; i++)
        table[2 + i] = (struct option){rules[i].name, required_argument, NULL, 'r'};
    *o = (options){.out = "char_gpt.pth",
                   .prompt = "",
                   .steps = 1000,
                   .batch = 16,
                   .layers = 4,
                   .width = 128,
                   .heads = 4,
                   .context = 128,
                   .seed = 1,
                   .length = 500,
                   .lr = 2e-3,
                   .dropout = 0.1,
                   .temperature = 0.8};
    int letter, i;
    bool fits = true;
    while (fits && (letter = getopt_long(argc, argv, "", table, &i)) != -1) {
        switch (letter) {
        case 'h': fputs(usage, stdout); return 0;
        case 'n': o->no_cache = true; break;
        case 'r': fits = store(&rules[i - 2], optarg); break;
        default: fits = false;
        }
    }
    if (fits && fit_together(o, argc, argv))
        return OPTIONS_GO_ON;
    fputs("Try char_gpt --help.\n", stderr);
    return 2;
}
