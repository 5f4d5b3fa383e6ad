/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert.c - the command `genesis convert`: writes a file of tensors in another format.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <genesis/io.h>

#include "genesis.h"

static int help(void) {
    puts("Usage: genesis convert [--part NAME] FROM TO\n"
         "\n"
         "Reads a file of tensors and writes another one, each in the format of its suffix:\n"
         ".pth and .pt (PyTorch), .safetensors, .npz and .npy (NumPy). No byte of a tensor is\n"
         "changed, and nothing in the file is executed.\n"
         "\n"
         "Checkpoints hold dictionaries in dictionaries, which only .pth files can. For the other\n"
         "formats the names are joined with dots, numbers become tensors, and texts are left out.\n"
         "\n"
         "Options:\n"
         "  --part NAME  convert only the dictionary of that name, as in --part model_state_dict\n"
         "  -h, --help   print this");
    return EXIT_DONE;
}

static bool is_pth(const char *path) {
    const char *suffix = strrchr(path, '.');
    return suffix && (strcasecmp(suffix, ".pth") == 0 || strcasecmp(suffix, ".pt") == 0);
}

/* Says what will be missing in a format that has tensors only. */
static void tell_left_out(const char *prefix, const gn_dict *dict) {
    for (int64_t i = 0; i < gn_dict_size(dict); i++) {
        const char *name = gn_dict_name(dict, i);
        char path[1024];
        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", name);
        switch (gn_dict_kind(dict, i)) {
        case GN_VALUE_NONE:
        case GN_VALUE_STRING: fprintf(stderr, "genesis convert: left out: %s\n", path); break;
        case GN_VALUE_DICT:
        case GN_VALUE_LIST: tell_left_out(path, gn_dict_get_dict(dict, name)); break;
        default: break;
        }
    }
}

static int convert(const char *from, const char *to, const char *part) {
    gn_dict *dict = gn_load(from, NULL);
    if (dict && part) {
        dict = gn_dict_get_dict(dict, part);
        if (dict == NULL)
            gn_fail(GN_E_NOT_FOUND, "convert", "%s: has no dictionary \"%s\"", from, part);
    }
    if (dict && !is_pth(to)) {
        gn_dict *flat = gn_dict_flatten(dict);
        if (flat)
            tell_left_out("", dict);
        dict = flat;
    }
    if (dict == NULL || gn_save(dict, to) != GN_OK) {
        gn_perror("genesis");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

int command_convert(int argc, char **argv) {
    const char *paths[2] = {NULL, NULL}, *part = NULL;
    int n = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
        if (strcmp(argv[i], "--part") == 0) {
            if (i + 1 == argc)
                return usage_error("convert", "--part needs a name");
            part = argv[++i];
        } else if (argv[i][0] == '-') {
            return usage_error("convert", "there is no option '%s'", argv[i]);
        } else if (n == 2) {
            return usage_error("convert", "'%s' is one file too many", argv[i]);
        } else {
            paths[n++] = argv[i];
        }
    }
    if (n < 2)
        return usage_error("convert", "two files are needed, FROM and TO");
    return convert(paths[0], paths[1], part);
}
