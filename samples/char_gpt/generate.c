/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - one character after the other, each drawn from what the model expects behind those
 * before it. With caches only the latest character runs through the model: what the others have
 * computed is kept.
 */
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
    const saved *s;
    const options *o;
    gn_kv_cache **caches; /* one for each layer; NULL: none */
    int64_t *ids, n;      /* the text so far */
    int64_t first;        /* where the part begins that the model sees */
} writer;

/* Once the model sees as much as it can, it forgets the first half. */
static void make_room(writer *w) {
    const int64_t context = w->s->sizes.context;
    if (w->n - w->first <= context)
        return;
    w->first = w->n - (context + 1) / 2;
    for (int64_t i = 0; w->caches && i < w->s->sizes.layers; i++)
        gn_kv_cache_truncate(w->caches[i], 0);
}

/* (1, characters): what may come next. */
static gn_tensor *next_logits(const writer *w) {
    const int64_t from = w->first + (w->caches ? gn_kv_cache_length(w->caches[0]) : 0);
    gn_tensor *ids = gn_tensor_of(w->ids + from, 1, w->n - from);
    return gn_select(gpt_forward(w->s->model, ids, w->caches), 1, -1);
}

static int64_t draw(gn_tensor *logits, double temperature) {
    if (temperature == 0)
        return gn_item_int(gn_argmax(logits, 1, false));
    gn_tensor *shares = gn_softmax(gn_div_scalar(logits, temperature), 1);
    return gn_item_int(gn_multinomial(shares, 1, true, NULL));
}

static gn_status write_one(writer *w) {
    gn_scope scope = gn_scope_begin();
    make_room(w);
    const int64_t id = draw(next_logits(w), w->o->temperature);
    if (gn_scope_end(scope) != GN_OK)
        return gn_error_status();
    w->ids[w->n++] = id;
    putchar(w->s->letters.byte[id]);
    fflush(stdout);
    return GN_OK;
}

/* The prompt as numbers; if it is empty, the end of a line, or the first character there is. */
static gn_status begin(writer *w, const char *prompt) {
    const alphabet *letters = &w->s->letters;
    for (const char *c = prompt; *c; c++) {
        const int number = letters->number[(uint8_t)*c];
        if (number < 0)
            return gn_fail(GN_E_ARGUMENT, "--prompt", "the text that was learned has no \"%c\"",
                           *c);
        w->ids[w->n++] = number;
    }
    if (w->n == 0)
        w->ids[w->n++] = letters->number['\n'] < 0 ? 0 : letters->number['\n'];
    printf("%s", prompt);
    return GN_OK;
}

gn_status generate(const saved *s, const options *o) {
    gn_scope scope = gn_scope_begin();
    writer w = {.s = s, .o = o};
    const bool was = gn_set_grad_enabled(false);
    w.ids = calloc(strlen(o->prompt) + 1 + (size_t)o->length, sizeof *w.ids);
    w.caches = o->no_cache ? NULL : calloc((size_t)s->sizes.layers, sizeof *w.caches);
    if (w.ids == NULL || (w.caches == NULL && !o->no_cache))
        gn_fail(GN_E_MEMORY, "generate", "there is no memory");
    for (int64_t i = 0; w.caches && i < s->sizes.layers; i++)
        w.caches[i] = gn_kv_cache_new(s->sizes.context);
    if (gn_error_status() == GN_OK && begin(&w, o->prompt) == GN_OK)
        for (int64_t i = 0; i < o->length && write_one(&w) == GN_OK; i++)
            continue;
    printf("\n");
    gn_set_grad_enabled(was);
    free(w.ids);
    free(w.caches);
    return gn_scope_end(scope);
}
