/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - reads a text. */
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

alphabet alphabet_of(const char *bytes, size_t length) {
    alphabet letters = {.n = 0};
    bool seen[256] = {false};
    for (size_t i = 0; i < length; i++)
        seen[(uint8_t)bytes[i]] = true;
    for (int b = 0; b < 256; b++) {
        letters.number[b] = seen[b] ? (int)letters.n : -1;
        if (seen[b])
            letters.byte[letters.n++] = (uint8_t)b;
    }
    return letters;
}

/* The file's bytes, malloc'ed; NULL with an error. */
static char *read_bytes(FILE *file, const char *path, size_t *length) {
    struct stat about;
    if (fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size == 0) {
        gn_fail(GN_E_ARGUMENT, path, "is no file, or an empty one");
        return NULL;
    }
    char *bytes = malloc((size_t)about.st_size);
    if (bytes == NULL) {
        gn_fail(GN_E_MEMORY, path, "there is no memory for it");
        return NULL;
    }
    *length = fread(bytes, 1, (size_t)about.st_size, file);
    if (ferror(file))
        gn_fail(GN_E_IO, path, "can't be read: %s", strerror(errno));
    return bytes;
}

gn_tensor *text_read(const char *path, alphabet *letters) {
    FILE *file = fopen(path, "rb");
    size_t length = 0;
    if (file == NULL) {
        gn_fail(GN_E_NOT_FOUND, path, "can't be opened: %s", strerror(errno));
        return NULL;
    }
    char *bytes = read_bytes(file, path, &length);
    fclose(file);
    gn_tensor *text = NULL;
    if (gn_error_status() == GN_OK) {
        *letters = alphabet_of(bytes, length);
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)letters->number[(uint8_t)bytes[i]];
        text = gn_tensor_from(bytes, GN_U8, GN_SHAPE((int64_t)length), GN_AS(.dtype = GN_I64));
    }
    free(bytes);
    return text;
}

void text_batch(gn_tensor *text, int64_t n, int64_t length, gn_tensor **x, gn_tensor **y) {
    gn_tensor *first = gn_randint(0, gn_numel(text) - length, GN_SHAPE(n, 1), NULL);
    gn_tensor *places = gn_add(first, gn_arange(0, (double)length, 1, NULL));
    *x = gn_index(text, GN_BY(places));
    *y = gn_index(text, GN_BY(gn_add_scalar(places, 1)));
}
