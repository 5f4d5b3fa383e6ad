/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minilm - embeds sentences with all-MiniLM-L6-v2, and tells how close they are in meaning.
 * download.sh fetches the model.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "model.h"
#include "tokenizer.h"

static const char usage[] =
    "usage: minilm [OPTION..] SENTENCE..\n"
    "\n"
    "Prints how similar the sentences are to each other: 1 is the same, about 0 is unrelated.\n"
    "\n"
    "  --model DIR     folder with model.safetensors and vocab.txt (default: $GENESIS_MINILM, "
    "else\n"
    "                  all-MiniLM-L6-v2); samples/minilm/download.sh fetches it\n"
    "  --device NAME   cpu, cuda, ..: where to run (default: $GENESIS_DEVICE, else cpu)\n"
    "  --embeddings    print the embeddings instead, a line of 384 numbers for each sentence\n"
    "  --tokens        print the sentences as the model sees them, word pieces and their numbers;\n"
    "                  needs no more than vocab.txt\n"
    "  --help          show this text\n";

typedef enum output { SIMILARITY, EMBEDDINGS, TOKENS } output;

typedef struct options {
    const char *folder;
    output output;
    char **sentences;
    int n;
} options;

/* A sentence as numbers. */
typedef struct tokens {
    int64_t ids[MINILM_TOKENS], n;
} tokens;

static gn_status path_of(const options *o, const char *name, char path[PATH_MAX]) {
    if (snprintf(path, PATH_MAX, "%s/%s", o->folder, name) < PATH_MAX)
        return GN_OK;
    return gn_fail(GN_E_ARGUMENT, "--model", "the name of the folder is too long");
}

/* ---- Output */

static void print_tokens(const tokenizer *t, const tokens *sentence) {
    for (int64_t i = 0; i < sentence->n; i++)
        printf("%s%s/%lld", i ? " " : "", tokenizer_piece(t, sentence->ids[i]),
               (long long)sentence->ids[i]);
    printf("\n");
}

static void print_rows(gn_tensor *matrix, const char *format, char **names) {
    const int64_t rows = gn_size(matrix, 0), columns = gn_size(matrix, 1);
    float *values = calloc((size_t)rows * (size_t)columns, sizeof *values);
    if (values == NULL)
        gn_fail(GN_E_MEMORY, "print", "there is no memory for %s", gn_shape_text(matrix));
    else if (gn_copy_out(matrix, values, GN_F32, rows * columns) == GN_OK)
        for (int64_t i = 0; i < rows; i++) {
            for (int64_t j = 0; j < columns; j++)
                printf(format, (double)values[i * columns + j]);
            printf("%s\n", names ? names[i] : "");
        }
    free(values);
}

/* ---- Work */

/* The sentences as one batch: the shorter ones are filled up with 0, and not seen there. */
static gn_tensor *embed(const options *o, const tokens *sentences) {
    char path[PATH_MAX];
    if (path_of(o, "model.safetensors", path) != GN_OK)
        return NULL;
    gn_module *model = minilm_load(path);
    if (model == NULL)
        return NULL;
    int64_t longest = 0;
    for (int i = 0; i < o->n; i++)
        longest = sentences[i].n > longest ? sentences[i].n : longest;
    gn_tensor *ids = gn_zeros_with(GN_SHAPE(o->n, longest), GN_AS(.dtype = GN_I64));
    gn_tensor *seen = gn_zeros_with(GN_SHAPE(o->n, longest), GN_AS(.dtype = GN_BOOL));
    for (int i = 0; i < o->n; i++) {
        const int64_t n = sentences[i].n;
        gn_tensor *of_sentence = gn_tensor_of(sentences[i].ids, n);
        gn_index_put(ids, of_sentence, GN_AT(i), GN_FROM_TO(0, n));
        gn_index_put_scalar(seen, true, GN_AT(i), GN_FROM_TO(0, n));
    }
    return minilm_embed(model, ids, seen);
}

static gn_status run(const options *o) {
    char path[PATH_MAX];
    tokens *sentences = calloc((size_t)o->n, sizeof *sentences);
    tokenizer *t = path_of(o, "vocab.txt", path) == GN_OK ? tokenizer_load(path) : NULL;
    gn_set_grad_enabled(false);
    if (sentences == NULL)
        gn_fail(GN_E_MEMORY, "minilm", "there is no memory for %d sentences", o->n);
    for (int i = 0; i < o->n && t && sentences; i++)
        sentences[i].n = tokenizer_encode(t, o->sentences[i], sentences[i].ids, MINILM_TOKENS);
    if (gn_error_status() == GN_OK && o->output == TOKENS) {
        for (int i = 0; i < o->n; i++)
            print_tokens(t, &sentences[i]);
    } else if (gn_error_status() == GN_OK) {
        gn_tensor *embeddings = embed(o, sentences);
        if (o->output == EMBEDDINGS)
            print_rows(embeddings, "%.9g ", NULL);
        else
            print_rows(gn_matmul(embeddings, gn_t(embeddings)), "%6.3f ", o->sentences);
    }
    tokenizer_free(t);
    free(sentences);
    return gn_error_status();
}

/* Fills `o`. Returns -1 to go on, or the exit status with which to end. */
static int parse(options *o, int argc, char **argv) {
    static const struct option table[] = {
        {"model", required_argument, NULL, 'm'}, {"device", required_argument, NULL, 'd'},
        {"embeddings", no_argument, NULL, 'e'},  {"tokens", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    const char *folder = getenv("GENESIS_MINILM");
    *o = (options){.folder = folder && *folder ? folder : "all-MiniLM-L6-v2"};
    for (int letter; (letter = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        switch (letter) {
        case 'm': o->folder = optarg; break;
        case 'd': gn_set_default_device(optarg); break;
        case 'e': o->output = EMBEDDINGS; break;
        case 't': o->output = TOKENS; break;
        case 'h': fputs(usage, stdout); return 0;
        default: fputs("Try minilm --help.\n", stderr); return 2;
        }
    }
    o->sentences = argv + optind;
    o->n = argc - optind;
    if (o->n > 0)
        return -1;
    fputs("minilm: what are the sentences? Try minilm --help.\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    options o;
    int status = parse(&o, argc, argv);
    if (status >= 0)
        return status;
    status = run(&o) == GN_OK ? 0 : 1;
    gn_perror("minilm");
    gn_shutdown();
    return status;
}
