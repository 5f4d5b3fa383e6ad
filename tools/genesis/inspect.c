/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect.c - the command `genesis inspect`: what is in a file of tensors.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/io.h>

#include "genesis.h"
#include "json.h"

enum { PIECE = 1 << 16, PATH_BYTES = 1024, SHAPE_BYTES = 200 };

/* ---- Statistics of a tensor, over its finite elements */

typedef struct statistics {
    int64_t finite, nan, infinite;
    double minimum, maximum, mean, squares; /* squares: sum of squared differences from the mean */
} statistics;

/* By Welford's recurrence, which does not lose the small differences of large numbers. */
static void count_in(statistics *s, double value) {
    if (!isfinite(value)) {
        s->nan += isnan(value);
        s->infinite += isinf(value);
        return;
    }
    s->finite++;
    s->minimum = s->finite == 1 || value < s->minimum ? value : s->minimum;
    s->maximum = s->finite == 1 || value > s->maximum ? value : s->maximum;
    double difference = value - s->mean;
    s->mean += difference / (double)s->finite;
    s->squares += difference * (value - s->mean);
}

static double deviation(const statistics *s) {
    return s->finite > 1 ? sqrt(s->squares / (double)(s->finite - 1)) : NAN; /* unbiased */
}

/* Piece by piece, so that a large tensor needs no second copy. */
static gn_status measure(gn_tensor *t, statistics *out) {
    *out = (statistics){.finite = 0};
    double *values = malloc(PIECE * sizeof *values);
    gn_scope scope = gn_scope_begin();
    gn_tensor *flat = gn_reshape(t, -1);
    if (values == NULL)
        gn_fail(GN_E_MEMORY, "inspect", "no memory");
    for (int64_t at = 0; at < gn_numel(t) && gn_error_status() == GN_OK; at += PIECE) {
        int64_t n = gn_numel(t) - at < PIECE ? gn_numel(t) - at : PIECE;
        gn_scope inner = gn_scope_begin();
        if (gn_copy_out(gn_narrow(flat, 0, at, n), values, GN_F64, n) == GN_OK)
            for (int64_t i = 0; i < n; i++)
                count_in(out, values[i]);
        gn_scope_end(inner);
    }
    free(values);
    return gn_scope_end(scope);
}

static void shape_text(char text[SHAPE_BYTES], const gn_tensor *t) {
    gn_shape shape = gn_shape_of(t);
    size_t n = (size_t)snprintf(text, SHAPE_BYTES, "(");
    for (int64_t d = 0; d < shape.n; d++)
        n += (size_t)snprintf(text + n, SHAPE_BYTES - n, "%s%lld", d ? ", " : "",
                              (long long)shape.size[d]);
    snprintf(text + n, SHAPE_BYTES - n, shape.n == 1 ? ",)" : ")");
}

/* ---- For people */

typedef struct totals {
    int64_t tensors, elements, bytes;
    int width; /* of the longest name */
} totals;

static void add_up(const char *prefix, const gn_dict *dict, totals *out) {
    for (int64_t i = 0; i < gn_dict_size(dict); i++) {
        const char *name = gn_dict_name(dict, i);
        char path[PATH_BYTES];
        int length = snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", name);
        gn_value_kind kind = gn_dict_kind(dict, i);
        if (kind == GN_VALUE_DICT || kind == GN_VALUE_LIST) {
            add_up(path, gn_dict_get_dict(dict, name), out);
            continue;
        }
        out->width = length > out->width ? length : out->width;
        if (kind == GN_VALUE_TENSOR) {
            const gn_tensor *t = gn_dict_tensor(dict, i);
            out->tensors++;
            out->elements += gn_numel(t);
            out->bytes += gn_numel(t) * gn_element_size(t);
        }
    }
}

static gn_status print_tensor(const char *path, gn_tensor *t, int width) {
    statistics s;
    char shape[SHAPE_BYTES];
    if (measure(t, &s) != GN_OK)
        return gn_error_status();
    shape_text(shape, t);
    print_plain(path, width);
    printf("  %-8s  %-18s", gn_dtype_name(gn_dtype_of(t)), shape);
    if (s.finite > 0)
        printf("  min %.6g  max %.6g  mean %.6g", s.minimum, s.maximum, s.mean);
    if (s.finite > 1)
        printf("  std %.6g", deviation(&s));
    if (s.nan > 0)
        printf("  NaN: %lld", (long long)s.nan);
    if (s.infinite > 0)
        printf("  infinite: %lld", (long long)s.infinite);
    putchar('\n');
    return GN_OK;
}

/* With as few digits as tell the number from all others. */
static void shortest(char *text, size_t bytes, double value) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, bytes, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

static gn_status print_dict(const char *prefix, const gn_dict *dict, int width) {
    for (int64_t i = 0; i < gn_dict_size(dict) && gn_error_status() == GN_OK; i++) {
        const char *name = gn_dict_name(dict, i);
        char path[PATH_BYTES], number[40];
        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", name);
        const char *text = number;
        switch (gn_dict_kind(dict, i)) {
        case GN_VALUE_TENSOR: print_tensor(path, gn_dict_tensor(dict, i), width); continue;
        case GN_VALUE_DICT:
        case GN_VALUE_LIST: print_dict(path, gn_dict_get_dict(dict, name), width); continue;
        case GN_VALUE_STRING: text = gn_dict_get_string(dict, name); break;
        case GN_VALUE_NONE: text = "None"; break;
        case GN_VALUE_BOOL: text = gn_dict_get_int(dict, name, 0) ? "True" : "False"; break;
        case GN_VALUE_INT:
            snprintf(number, sizeof number, "%lld", (long long)gn_dict_get_int(dict, name, 0));
            break;
        case GN_VALUE_FLOAT:
            shortest(number, sizeof number, gn_dict_get_float(dict, name, 0));
            break;
        }
        print_plain(path, width);
        fputs("  ", stdout);
        print_plain(text, 0);
        putchar('\n');
    }
    return gn_error_status();
}

static gn_status print_file(const char *path, const gn_dict *dict) {
    totals sum = {.width = 0};
    add_up("", dict, &sum);
    print_plain(path, 0);
    printf(": %lld tensors, %lld elements, %lld bytes\n", (long long)sum.tensors,
           (long long)sum.elements, (long long)sum.bytes);
    return print_dict("", dict, sum.width < 60 ? sum.width : 60);
}

/* ---- For programs */

/* What is not finite is null in JSON. */
static json_t *number_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *tensor_json(gn_tensor *t) {
    statistics s;
    if (measure(t, &s) != GN_OK)
        return NULL;
    gn_shape shape = gn_shape_of(t);
    json_t *sizes = json_array();
    for (int64_t d = 0; d < shape.n; d++)
        json_array_append_new(sizes, json_integer(shape.size[d]));
    double none = s.finite > 0 ? 0 : NAN;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "dtype",
                     gn_dtype_name(gn_dtype_of(t)), "shape", sizes, "min",
                     number_json(s.minimum + none), "max", number_json(s.maximum + none), "mean",
                     number_json(s.mean + none), "std", number_json(deviation(&s)), "nan",
                     (json_int_t)s.nan, "infinite", (json_int_t)s.infinite);
}

static json_t *dict_json(const gn_dict *dict, bool list);

static json_t *value_json(const gn_dict *dict, int64_t i) {
    const char *name = gn_dict_name(dict, i);
    gn_value_kind kind = gn_dict_kind(dict, i);
    switch (kind) {
    case GN_VALUE_TENSOR: return tensor_json(gn_dict_tensor(dict, i));
    case GN_VALUE_DICT:
    case GN_VALUE_LIST: return dict_json(gn_dict_get_dict(dict, name), kind == GN_VALUE_LIST);
    case GN_VALUE_STRING: return json_text(gn_dict_get_string(dict, name));
    case GN_VALUE_BOOL: return json_boolean(gn_dict_get_int(dict, name, 0));
    case GN_VALUE_INT: return json_integer(gn_dict_get_int(dict, name, 0));
    case GN_VALUE_FLOAT: return number_json(gn_dict_get_float(dict, name, 0));
    case GN_VALUE_NONE: break;
    }
    return json_null();
}

/* NULL without memory, or after an error of the library. */
static json_t *dict_json(const gn_dict *dict, bool list) {
    json_t *out = list ? json_array() : json_object();
    for (int64_t i = 0; out && i < gn_dict_size(dict); i++) {
        json_t *value = value_json(dict, i), *name = json_text(gn_dict_name(dict, i));
        int failed = list ? json_array_append_new(out, value)
                          : json_object_set_new(out, json_string_value(name), value);
        json_decref(name);
        if (failed) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static gn_status print_json(const char *path, const gn_dict *dict) {
    json_t *contents = dict_json(dict, false);
    if (contents == NULL)
        return gn_fail(GN_E_MEMORY, "inspect", "no memory");
    json_t *root = json_pack("{s:o, s:o}", "file", json_text(path), "contents", contents);
    if (root == NULL || json_dumpf(root, stdout, JSON_INDENT(2)) != 0)
        gn_fail(GN_E_MEMORY, "inspect", "no memory");
    putchar('\n');
    json_decref(root);
    return gn_error_status();
}

/* ---- The command */

static int help(void) {
    puts(
        "Usage: genesis inspect [--json] FILE\n"
        "\n"
        "Lists what is in a file of tensors (.pth, .pt, .safetensors, .npz, .npy): names, dtypes,\n"
        "shapes, and smallest, largest and mean value and standard deviation of the finite\n"
        "elements. Numbers and texts of a checkpoint are shown, too. Names of dictionaries in\n"
        "dictionaries are joined with dots. Nothing in the file is executed.\n"
        "\n"
        "Options:\n"
        "  --json      write JSON\n"
        "  -h, --help  print this");
    return EXIT_DONE;
}

int command_inspect(int argc, char **argv) {
    bool json = false;
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (argv[i][0] == '-')
            return usage_error("inspect", "there is no option '%s'", argv[i]);
        else if (path)
            return usage_error("inspect", "'%s' is one file too many", argv[i]);
        else
            path = argv[i];
    }
    if (path == NULL)
        return usage_error("inspect", "no file is given");
    gn_dict *dict = gn_load(path, NULL);
    if (dict == NULL || (json ? print_json(path, dict) : print_file(path, dict)) != GN_OK) {
        gn_perror("genesis");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}
