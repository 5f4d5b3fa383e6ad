/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.c - the vocabulary, words, and their pieces. */
#include "tokenizer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <genesis/base.h>

#include "unicode.h"

enum { WORD_CHARACTERS = 100 }; /* a longer word is unknown */

typedef struct entry {
    const char *piece;
    int64_t id;
} entry;

struct tokenizer {
    char *text;     /* of the file, each line ended by 0 */
    char **pieces;  /* by number */
    entry *entries; /* by piece, sorted */
    int64_t n;
    int64_t cls, sep, unknown;
};

/* ---- The vocabulary */

static int by_piece(const void *a, const void *b) {
    return strcmp(((const entry *)a)->piece, ((const entry *)b)->piece);
}

/* The number of a piece; -1: there is none. */
static int64_t find(const tokenizer *t, const char *piece) {
    const entry key = {.piece = piece};
    const entry *found = bsearch(&key, t->entries, (size_t)t->n, sizeof key, by_piece);
    return found ? found->id : -1;
}

/* The whole file, malloc'ed; NULL with an error. */
static char *read_text(FILE *file, const char *path, size_t *length) {
    struct stat about;
    if (fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode)) {
        gn_fail(GN_E_ARGUMENT, path, "is no file");
        return NULL;
    }
    char *text = malloc((size_t)about.st_size + 1);
    if (text == NULL) {
        gn_fail(GN_E_MEMORY, path, "there is no memory for it");
        return NULL;
    }
    *length = fread(text, 1, (size_t)about.st_size, file);
    if (ferror(file))
        gn_fail(GN_E_IO, path, "can't be read: %s", strerror(errno));
    return text;
}

/* Cuts the text into lines, sorts them, and finds the pieces that have a meaning. */
static gn_status index_lines(tokenizer *t, const char *path, size_t length) {
    for (size_t i = 0; i < length; i++)
        t->n += t->text[i] == '\n';
    t->pieces = calloc((size_t)t->n + 1, sizeof *t->pieces);
    t->entries = calloc((size_t)t->n + 1, sizeof *t->entries);
    if (t->pieces == NULL || t->entries == NULL)
        return gn_fail(GN_E_MEMORY, path, "there is no memory for %lld lines", (long long)t->n);
    char *line = t->text;
    for (int64_t i = 0; i < t->n; i++) {
        char *end = memchr(line, '\n', length - (size_t)(line - t->text));
        *end = '\0';
        if (end > line && end[-1] == '\r')
            end[-1] = '\0';
        t->pieces[i] = line;
        t->entries[i] = (entry){.piece = line, .id = i};
        line = end + 1;
    }
    qsort(t->entries, (size_t)t->n, sizeof *t->entries, by_piece);
    t->cls = find(t, "[CLS]");
    t->sep = find(t, "[SEP]");
    t->unknown = find(t, "[UNK]");
    if (t->cls < 0 || t->sep < 0 || t->unknown < 0)
        return gn_fail(GN_E_FORMAT, path, "is no vocabulary: it lacks [CLS], [SEP] or [UNK]");
    return GN_OK;
}

tokenizer *tokenizer_load(const char *path) {
    FILE *file = fopen(path, "rb");
    size_t length = 0;
    if (file == NULL) {
        gn_fail(GN_E_NOT_FOUND, path, "can't be opened: %s", strerror(errno));
        return NULL;
    }
    tokenizer *t = calloc(1, sizeof *t);
    if (t == NULL)
        gn_fail(GN_E_MEMORY, path, "there is no memory");
    else
        t->text = read_text(file, path, &length);
    fclose(file);
    if (gn_error_status() == GN_OK && index_lines(t, path, length) == GN_OK)
        return t;
    tokenizer_free(t);
    return NULL;
}

void tokenizer_free(tokenizer *t) {
    if (t == NULL)
        return;
    free(t->text);
    free(t->pieces);
    free(t->entries);
    free(t);
}

const char *tokenizer_piece(const tokenizer *t, int64_t id) { return t->pieces[id]; }

/* ---- Words to pieces */

typedef struct output {
    int64_t *ids, n, room;
} output;

static void put(output *out, int64_t id) {
    if (out->n < out->room)
        out->ids[out->n++] = id;
}

/* A word under construction, or what is left of it, behind room for "##". */
typedef struct word {
    char bytes[2 + WORD_CHARACTERS * UTF8_BYTES + 1];
    int length; /* in bytes, without that room */
    int characters;
} word;

/* The longest piece of w that begins at byte `at`: returns its bytes, 0 if there is none. Pieces
 * inside of a word are looked up with "##" in front. The word is the same again afterwards. */
static int longest(const tokenizer *t, word *w, int at, int64_t *id) {
    char *start = w->bytes + 2 + at, saved[2] = {start[-2], start[-1]};
    int length = w->length - at;
    if (at > 0)
        memcpy(start - 2, "##", 2);
    for (*id = -1; length > 0; length--) {
        const char next = start[length];
        if ((next & 0xc0) == 0x80)
            continue; /* within a character */
        start[length] = '\0';
        *id = find(t, at > 0 ? start - 2 : start);
        start[length] = next;
        if (*id >= 0)
            break;
    }
    memcpy(start - 2, saved, 2);
    return length;
}

/* Ends the word: its pieces, or [UNK] if one of them is missing. */
static void finish(const tokenizer *t, word *w, output *out) {
    int64_t pieces[WORD_CHARACTERS];
    int n = 0, at = 0;
    w->bytes[2 + w->length] = '\0';
    while (at < w->length && w->characters <= WORD_CHARACTERS) {
        const int length = longest(t, w, at, &pieces[n]);
        if (length == 0)
            break;
        at += length;
        n++;
    }
    if (at < w->length)
        put(out, t->unknown);
    for (int i = 0; i < n && at == w->length; i++)
        put(out, pieces[i]);
    w->length = w->characters = 0;
}

static void append(word *w, uint32_t c) {
    if (w->characters++ < WORD_CHARACTERS)
        w->length += utf8_put(w->bytes + 2 + w->length, c);
}

/* ---- Text to words */

int64_t tokenizer_encode(const tokenizer *t, const char *text, int64_t *ids, int64_t room) {
    output out = {.ids = ids, .room = room - 1}; /* the last place is that of [SEP] */
    word w = {.length = 0};
    put(&out, t->cls);
    for (uint32_t c; (c = utf8_next(&text)) != 0;) {
        if (c == UNICODE_REPLACEMENT || unicode_is_control(c))
            continue;
        if (unicode_is_space(c)) {
            finish(t, &w, &out);
            continue;
        }
        const bool alone = unicode_is_ideograph(c) || unicode_is_punctuation(c);
        if (alone)
            finish(t, &w, &out);
        uint32_t folded[UNICODE_FOLDED];
        const int n = unicode_fold(c, folded);
        for (int i = 0; i < n; i++)
            append(&w, folded[i]);
        if (alone)
            finish(t, &w, &out);
    }
    finish(t, &w, &out);
    out.room = room;
    put(&out, t->sep);
    return out.n;
}
