/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line of char_gpt. */
#ifndef CHAR_GPT_OPTIONS_H
#define CHAR_GPT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct options {
    const char *text; /* file to learn; NULL: a licence of the system */
    const char *out;  /* file of the model */
    const char *load; /* file of a model; NULL: train one */
    const char *prompt;
    const char *device; /* NULL: GENESIS_DEVICE, else cpu */
    int64_t steps, batch, layers, width, heads, context, seed, length;
    double lr, dropout, temperature;
    bool no_cache;
} options;

enum { OPTIONS_GO_ON = -1 };

/* Fills `o` from the command line. Returns OPTIONS_GO_ON, or the exit status with which to end: 0
 * after --help, 2 after a mistake, which it has explained. */
int options_parse(options *o, int argc, char **argv);

#endif
