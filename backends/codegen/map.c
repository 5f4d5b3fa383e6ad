/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c - kernels of map programs. A work-item runs the program at WIDTH neighbouring coordinates of
 * the last dim. A kernel with a table of calls runs them all: a group finds its call by the number
 * of its first group.
 */
#include "element.h"

/* Which element is the work-item's first. */
static void write_place(const cg_writer *w) {
    if (!w->variant->table) {
        cg_print(w->out, "    const index_t i = (index_t)GLOBAL_ID(0) * WIDTH;\n");
        return;
    }
    cg_print(w->out, "    i32 found = 0;\n"
                     "    while (n_calls - found > 1) { /* it is one of found..n_calls-1 */\n"
                     "        const i32 middle = (found + n_calls) / 2;\n"
                     "        if (a[middle].first_group <= (i64)GROUP_ID(0))\n"
                     "            found = middle;\n"
                     "        else\n"
                     "            n_calls = middle;\n"
                     "    }\n"
                     "    a += found;\n"
                     "    const index_t group = (index_t)((i64)GROUP_ID(0) - a->first_group);\n"
                     "    const index_t i = (group * GROUP + (index_t)LOCAL_ID(0)) * WIDTH;\n");
}

void cg_map_text(const cg_program *p, const cg_variant *variant, const char *library,
                 cg_text *out) {
    const cg_writer w = {.program = p,
                         .variant = variant,
                         .out = out,
                         .vector_dim = variant->n_dims - 1,
                         .indent = "    "};
    cg_write_head(&w, library);
    cg_write_call(&w);
    cg_write_arguments(&w);
    write_place(&w);
    cg_print(out, "    if (i >= (index_t)ARG(n))\n        return;\n");
    cg_write_pointers(&w);
    cg_write_uniforms(&w);
    cg_write_walk(&w, "i", false, NULL, "at", true);
    cg_write_body(&w);
    cg_write_body_end(&w);
    cg_print(out, "}\n");
}
