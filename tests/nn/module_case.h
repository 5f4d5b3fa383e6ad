/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module_case.h - modules against stored results of PyTorch: outputs, the gradients of inputs and
 * parameters, and what buffers are afterwards. Loading PyTorch's state into the module checks that
 * names and shapes are the same.
 *
 *     #define CASES(CASE) \
 *         CASE(linear, gn_nn_linear(4, 3)) \
 *         CASE(linear_plain, gn_nn_linear(4, 3, .no_bias = true))
 *     MODULE_CASES(linear_cases, CASES)
 *
 *     module_cases("linear", linear_cases, sizeof linear_cases / sizeof *linear_cases);
 *
 * compares them with tests/fixtures/modules_linear.safetensors, which make_modules_linear.py makes
 * with the help of modules.py. Each case there has its row here, and the other way round.
 */
#ifndef GENESIS_TESTS_MODULE_CASE_H
#define GENESIS_TESTS_MODULE_CASE_H

#include <genesis/nn.h>

enum { MODULE_INPUTS = 6, MODULE_OUTPUTS = 4 };

typedef struct module_row {
    const char *name;
    gn_module *(*make)(void);
    /* What the module is called with and gives; NULL: out[0] = gn_invoke(module, in[0], ..) */
    void (*run)(gn_module *module, gn_tensor *const *in, gn_tensor **out);
} module_row;

/* A row for each CASE(name, expression that makes the module, nothing or .run = function). */
#define MODULE_MAKE(name, module, ...)                                                             \
    static gn_module *make_##name(void) { return module; }
#define MODULE_ROW(row, module, ...) {.name = #row, .make = make_##row, __VA_ARGS__},
#define MODULE_CASES(rows, CASES)                                                                  \
    CASES(MODULE_MAKE) static const module_row rows[] = {CASES(MODULE_ROW)};

void module_cases(const char *topic, const module_row *rows, size_t n);

/* Modules, and their text: like PyTorch's repr. */
typedef struct module_text {
    gn_module *module;
    const char *text;
} module_text;
void module_texts(const module_text *cases, size_t n);

#endif
