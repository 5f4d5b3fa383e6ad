/* SPDX-License-Identifier: Apache-2.0 */
#include "module_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genesis/io.h>

#include "tests/expect.h"
#include "tests/files.h"

/* ---- The file: NAME/in.0, NAME/state.weight, NAME/out.0, .. */

enum { KEY_BYTES = 256 };

static gn_tensor *part(gn_dict *file, const char *name, const char *what, int i) {
    char key[KEY_BYTES];
    snprintf(key, sizeof key, "%s/%s.%d", name, what, i);
    return gn_dict_get(file, key);
}

/* The entries NAME/what.* under the rest of their names. */
static gn_dict *part_of(gn_dict *file, const char *name, const char *what) {
    char prefix[KEY_BYTES];
    const size_t length = (size_t)snprintf(prefix, sizeof prefix, "%s/%s.", name, what);
    gn_dict *part = gn_dict_new();
    for (int64_t i = 0; i < gn_dict_size(file); i++)
        if (strncmp(gn_dict_name(file, i), prefix, length) == 0)
            gn_dict_set(part, gn_dict_name(file, i) + length, gn_dict_tensor(file, i));
    return part;
}

static void every_case_has_a_row(gn_dict *file, const module_row *rows, size_t n) {
    for (int64_t i = 0; i < gn_dict_size(file); i++) {
        const char *key = gn_dict_name(file, i);
        const size_t length = strcspn(key, "/");
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= strlen(rows[k].name) == length && !strncmp(rows[k].name, key, length);
        ck_assert_msg(found, "there is no row for the case %.*s", (int)length, key);
    }
}

/* ---- One case */

static void compare_dict(const char *name, const char *what, gn_dict *found, gn_dict *expected,
                         bool gradients) {
    char text[KEY_BYTES];
    for (int64_t i = 0; i < gn_dict_size(expected); i++) {
        const char *key = gn_dict_name(expected, i);
        snprintf(text, sizeof text, "%s: %s of %s", name, what, key);
        gn_tensor *t = gn_dict_get(found, key);
        ck_assert_msg(t != NULL, "%s: there is none", text);
        expect_close(text, gradients ? gn_grad(t) : t, gn_dict_tensor(expected, i));
    }
}

/* Walks back from all outputs at once: from sum_i sum(out[i] * up[i]). */
static void backward(gn_dict *file, const char *name, gn_tensor *const *out) {
    gn_tensor *total = NULL;
    for (int i = 0; i < MODULE_OUTPUTS && part(file, name, "up", i); i++) {
        gn_tensor *term = gn_sum(gn_mul(out[i], part(file, name, "up", i)));
        total = total ? gn_add(total, term) : term;
    }
    if (total)
        ck_assert_msg(gn_backward(total) == GN_OK, "%s: %s", name, gn_error());
}

/* The module on all inputs that there are. */
static gn_tensor *invoke(gn_module *module, gn_tensor *const *in) {
    gn_tensor_array inputs = {0};
    while (inputs.n < MODULE_INPUTS && in[inputs.n]) {
        inputs.tensor[inputs.n] = in[inputs.n];
        inputs.n++;
    }
    return gn_invoke_n(module, inputs);
}

static void check_case(gn_dict *file, const module_row *row) {
    const char *name = row->name;
    char text[KEY_BYTES];
    gn_module *module = row->make();
    ck_assert_msg(module != NULL, "%s: %s", name, gn_error());
    ck_assert_msg(gn_load_state_dict(module, part_of(file, name, "state")) == GN_OK, "%s: %s", name,
                  gn_error());
    gn_train(module, part(file, name, "eval", 0) == NULL);
    gn_tensor *in[MODULE_INPUTS] = {NULL}, *out[MODULE_OUTPUTS] = {NULL};
    for (int i = 0; i < MODULE_INPUTS && (in[i] = part(file, name, "in", i)); i++)
        if (part(file, name, "grad_in", i))
            gn_requires_grad_(in[i], true);
    ck_assert_msg(in[0] != NULL, "%s: there is no such case in the file", name);
    if (row->run)
        row->run(module, in, out);
    else
        out[0] = invoke(module, in);
    for (int i = 0; i < MODULE_OUTPUTS && part(file, name, "out", i); i++) {
        snprintf(text, sizeof text, "%s: output %d", name, i);
        expect_close(text, out[i], part(file, name, "out", i));
    }
    backward(file, name, out);
    for (int i = 0; i < MODULE_INPUTS && in[i]; i++) {
        snprintf(text, sizeof text, "%s: gradient of input %d", name, i);
        if (part(file, name, "grad_in", i))
            expect_close(text, gn_grad(in[i]), part(file, name, "grad_in", i));
    }
    compare_dict(name, "gradient", gn_parameters(module), part_of(file, name, "grad"), true);
    compare_dict(name, "value afterwards", gn_state_dict(module), part_of(file, name, "after"),
                 false);
}

void module_cases(const char *topic, const module_row *rows, size_t n) {
    char name[KEY_BYTES];
    snprintf(name, sizeof name, "modules_%s.safetensors", topic);
    gn_dict *file = must_load(fixture_path(name));
    every_case_has_a_row(file, rows, n);
    for (size_t i = 0; i < n; i++) {
        gn_scope scope = gn_scope_begin();
        check_case(file, &rows[i]);
        ck_assert_msg(gn_scope_end(scope) == GN_OK, "%s: %s", rows[i].name, gn_error());
    }
}

void module_texts(const module_text *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char *text = gn_module_text(cases[i].module);
        ck_assert_str_eq(text, cases[i].text);
        free(text);
    }
}
