/* SPDX-License-Identifier: Apache-2.0 */
/* Products made of others; a row of einsum is one equation, with _ for a space. */
#include "ops.h"

static gn_tensor *run_tensordot(const op_case *c) {
    gn_dims a = op_dims(c, 0);
    return gn_tensordot(c->in[0], c->in[1], a, op_dims(c, 1 + (int)a.n));
}
static gn_tensor *run_kron(const op_case *c) { return gn_kron(c->in[0], c->in[1]); }
static gn_tensor *run_trace(const op_case *c) { return gn_trace(c->in[0]); }

static gn_tensor *run_einsum(const op_case *c) {
    char equation[64] = "";
    const char *text = c->options;
    for (int i = 0; text[i] && i < (int)sizeof equation - 1; i++)
        equation[i] = text[i] == '_' ? ' ' : text[i];
    return gn_einsum(equation, c->n_inputs, c->in);
}

#define EQUATION(text)                                                                             \
    { .name = "einsum:" text, .op = "einsum", .run = run_einsum, .options = text }
static const op_row rows[] = {
    {.name = "tensordot", .run = run_tensordot},
    {.name = "kron", .run = run_kron},
    {.name = "trace", .run = run_trace},
    EQUATION("ij,jk->ik"),
    EQUATION("bij,bjk->bki"),
    EQUATION("ij,jk"),
    EQUATION("i,j->ij"),
    EQUATION("i,i->"),
    EQUATION("ij->ji"),
    EQUATION("ba"),
    EQUATION("ij->i"),
    EQUATION("ii->i"),
    EQUATION("ii"),
    EQUATION("iji->j"),
    EQUATION("ij,ij->ij"),
    EQUATION("...ij,...jk->...ik"),
    EQUATION("...,...->..."),
    EQUATION("i...->..."),
    EQUATION("bn,anm,bm->ba"),
    EQUATION("ij,j->ij"),
    EQUATION("ik,jk,kl->ijl"),
    EQUATION("bqhd,bkhd->bhqk"),
    EQUATION("ij,kl->"),
    EQUATION("aB,Bc"),
    EQUATION("_i_j_,_j_->_i_"),
    EQUATION("->"),
    EQUATION(",i->i"),
};
#undef EQUATION

const op_group op_linalg = {.file = "ops_linalg.txt", .rows = rows, .n_rows = GN_LENGTH(rows)};
