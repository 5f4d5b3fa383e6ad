/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.c - MultiheadAttention. Heads are views (N, H, *, D) of what the projections give; the
 * attention itself is gn_scaled_dot_product_attention, or, where its weights are wanted, the same in
 * smaller operations.
 */
#include <math.h>
#include <stdio.h>

#include <genesis/transformer.h>

#include "typed.h"

static const char op[] = "MultiheadAttention"; /* in errors, and the class's name */

typedef struct attention {
    gn_module base;
    int64_t embed_dim, heads, kdim, vdim;
    double dropout;
    bool batch_first, add_zero_attn;
    gn_tensor *in_proj_weight;                 /* of q, k and v, or: */
    gn_tensor *q_weight, *k_weight, *v_weight; /* if kdim or vdim is not embed_dim */
    gn_tensor *in_proj_bias, *bias_k, *bias_v; /* or NULL */
    gn_module *out_proj;
} attention;

/* Arguments of a call; once begun, q, k, v have three dims. */
typedef struct call {
    gn_tensor *q, *k, *v, *attn_mask, *key_padding_mask;
    bool causal, per_head_weights, no_batch;
    bool wants_weights;
    gn_tensor *weights; /* result, retained: it outlives the scope of the run */
    int64_t n, l, s;    /* batch, queries, keys */
    int own_keys;       /* keys that the module adds */
} call;

/* ---- Arguments */

static gn_status check_inputs(const attention *self, const call *c) {
    const int n = c->q->n_dims;
    const bool same_dims = (n == 2 || n == 3) && c->k->n_dims == n && c->v->n_dims == n;
    bool fits = same_dims && c->q->size[n - 1] == self->embed_dim &&
                c->k->size[n - 1] == self->kdim && c->v->size[n - 1] == self->vdim;
    const int sequence = n == 3 && self->batch_first, batch = !sequence;
    if (fits)
        fits = c->k->size[sequence] == c->v->size[sequence];
    if (fits && n == 3)
        fits = c->q->size[batch] == c->k->size[batch] && c->k->size[batch] == c->v->size[batch];
    if (fits)
        return GN_OK;
    return gn_fail(
        GN_E_ARGUMENT, op,
        "query %s, key %s and value %s do not fit: they must be %s, with embed_dim %lld, "
        "kdim %lld, vdim %lld",
        gn__shape_of(c->q), gn__shape_of(c->k), gn__shape_of(c->v),
        self->batch_first ? "(N, L, embed_dim), (N, S, kdim), (N, S, vdim)"
                          : "(L, N, embed_dim), (S, N, kdim), (S, N, vdim)",
        (long long)self->embed_dim, (long long)self->kdim, (long long)self->vdim);
}

static gn_tensor *with_batch(const attention *self, gn_tensor *t) {
    return gn_unsqueeze(t, self->batch_first ? 0 : 1);
}

/* Checks the inputs; those that are one tensor stay one tensor. */
static gn_status begin(const attention *self, call *c) {
    if (check_inputs(self, c) != GN_OK)
        return gn_error_status();
    c->no_batch = c->q->n_dims == 2;
    if (c->no_batch) {
        gn_tensor *q = c->q, *k = c->k, *v = c->v;
        c->q = with_batch(self, q);
        c->k = k == q ? c->q : with_batch(self, k);
        c->v = v == k ? c->k : with_batch(self, v);
    }
    if (gn__failed())
        return gn_error_status();
    c->n = c->q->size[!self->batch_first];
    c->l = c->q->size[self->batch_first];
    c->s = c->k->size[self->batch_first];
    return GN_OK;
}

/* ---- Projections */

static gn_tensor *rows(gn_tensor *t, int64_t first, int64_t n) {
    return t ? gn_narrow(t, 0, first, n) : NULL;
}

/* (L, N, parts E) or (N, L, parts E) as that many (N, H, L, D) */
static void split_heads(const attention *self, gn_tensor *t, int parts, gn_tensor **out) {
    const int64_t depth = self->embed_dim / self->heads;
    for (int i = 0; i < parts; i++)
        out[i] = NULL;
    if (t == NULL)
        return;
    t = gn_view(t, t->size[0], t->size[1], parts, self->heads, depth);
    t = self->batch_first ? gn_permute(t, 2, 0, 3, 1, 4) : gn_permute(t, 2, 1, 3, 0, 4);
    gn_unbind(t, 0, out, parts);
}

/* q, k and v as heads: by one product if they are the same, by two if k and v are. */
static void project(const attention *self, call *c) {
    const int64_t e = self->embed_dim;
    gn_tensor *w = self->in_proj_weight, *b = self->in_proj_bias, *heads[3];
    gn_tensor *q = c->q, *k = c->k, *v = c->v;
    if (w && q == k && k == v) {
        split_heads(self, gn_linear(q, w, b), 3, heads);
    } else {
        split_heads(self, gn_linear(q, w ? rows(w, 0, e) : self->q_weight, rows(b, 0, e)), 1,
                    &heads[0]);
        if (w && k == v) {
            gn_tensor *both = gn_linear(k, rows(w, e, 2 * e), rows(b, e, 2 * e));
            split_heads(self, both, 2, &heads[1]);
        } else {
            k = gn_linear(k, w ? rows(w, e, e) : self->k_weight, rows(b, e, e));
            v = gn_linear(v, w ? rows(w, 2 * e, e) : self->v_weight, rows(b, 2 * e, e));
            split_heads(self, k, 1, &heads[1]);
            split_heads(self, v, 1, &heads[2]);
        }
    }
    c->q = heads[0];
    c->k = heads[1];
    c->v = heads[2];
}

/* The way back. */
static gn_tensor *join_heads(const attention *self, gn_tensor *t) {
    if (t == NULL)
        return NULL;
    t = self->batch_first ? gn_permute(t, 0, 2, 1, 3) : gn_permute(t, 2, 0, 1, 3);
    return gn_flatten(t, 2);
}

/* Heads with one more key: `own` (1, 1, E) for all of the batch, NULL: zeros. */
static gn_tensor *with_key(const attention *self, gn_tensor *heads, gn_tensor *own) {
    if (heads == NULL)
        return NULL;
    const gn_shape shape = GN_SHAPE(heads->size[0], heads->size[1], 1, heads->size[3]);
    if (own) {
        split_heads(self, own, 1, &own);
        own = gn_expand_with(own, shape);
    } else {
        own = gn_zeros_with(
            shape, GN_AS(.dtype = (gn_dtype)heads->dtype, .device = heads->storage->device->name));
    }
    return gn_cat((gn_tensor *[]){heads, own}, 2, 2);
}

static void split_inputs(const attention *self, call *c) {
    project(self, c);
    if (self->bias_k) {
        c->k = with_key(self, c->k, self->bias_k);
        c->v = with_key(self, c->v, self->bias_v);
        c->own_keys++;
    }
    if (self->add_zero_attn) {
        c->k = with_key(self, c->k, NULL);
        c->v = with_key(self, c->v, NULL);
        c->own_keys++;
    }
}

/* ---- Masks: PyTorch's bools, true to ignore, become bools that are true to keep */

static gn_tensor *kept(gn_tensor *mask) {
    return mask && mask->dtype == GN_BOOL ? gn_logical_not(mask) : mask;
}

/* A mask of bools as numbers to add. */
static gn_tensor *added(gn_tensor *mask, const gn_tensor *q) {
    if (mask && mask->dtype == GN_BOOL)
        mask = gn_where_scalars(mask, 0, -INFINITY);
    return mask ? gn_cast(mask, (gn_dtype)q->dtype) : NULL;
}

/* What both of them leave; either may be NULL. */
static gn_tensor *both(gn_tensor *a, gn_tensor *b, const gn_tensor *q) {
    if (a == NULL || b == NULL)
        return a ? a : b;
    if (a->dtype == GN_BOOL && b->dtype == GN_BOOL)
        return gn_logical_and(a, b);
    return gn_add(added(a, q), added(b, q));
}

static bool has_shape(const gn_tensor *t, gn_shape shape) {
    return t->n_dims == shape.n &&
           memcmp(t->size, shape.size, (size_t)shape.n * sizeof shape.size[0]) == 0;
}

static bool check_mask(const char *what, const gn_tensor *mask, const char *shapes) {
    gn_fail(GN_E_ARGUMENT, op, "%s %s must be %s", what, gn__shape_of(mask), shapes);
    return false;
}

static bool check_masks(const attention *self, const call *c) {
    const gn_tensor *mask = c->attn_mask, *padding = c->key_padding_mask;
    const int64_t per_head = c->n * self->heads;
    char text[128];
    if (mask && !has_shape(mask, GN_SHAPE(c->l, c->s)) &&
        !has_shape(mask, GN_SHAPE(per_head, c->l, c->s))) {
        snprintf(text, sizeof text, "(%lld, %lld) or (%lld, %lld, %lld)", (long long)c->l,
                 (long long)c->s, (long long)per_head, (long long)c->l, (long long)c->s);
        return check_mask("attn_mask", mask, text);
    }
    if (padding && !has_shape(padding, GN_SHAPE(c->n, c->s)) &&
        !(c->no_batch && has_shape(padding, GN_SHAPE(c->s)))) {
        snprintf(text, sizeof text, "(%lld, %lld)", (long long)c->n, (long long)c->s);
        return check_mask("key_padding_mask", padding, text);
    }
    return (!mask || mask->dtype == GN_BOOL || gn__check_float(op, "attn_mask", mask)) &&
           (!padding || padding->dtype == GN_BOOL ||
            gn__check_float(op, "key_padding_mask", padding));
}

/* All masks as one that broadcasts to (N, H, L, S), or NULL. `causal`: that one, too. */
static gn_tensor *whole_mask(const attention *self, const call *c, bool causal) {
    gn_tensor *mask = kept(c->attn_mask), *padding = kept(c->key_padding_mask);
    if (mask && mask->n_dims == 3)
        mask = gn_view(mask, c->n, self->heads, c->l, c->s);
    if (padding)
        padding = gn_view(padding, c->n, 1, 1, c->s);
    mask = both(mask, padding, c->q);
    if (causal) {
        const gn_tensor_options *as =
            GN_AS(.dtype = GN_BOOL, .device = c->q->storage->device->name);
        mask = both(mask, gn_tril(gn_ones_with(GN_SHAPE(c->l, c->s), as), 0), c->q);
    }
    if (mask == NULL || c->own_keys == 0)
        return mask;
    gn_shape none = {.n = mask->n_dims}, more = none;
    more.size[more.n - 1] = c->own_keys;
    return gn_pad(mask, none, more, mask->dtype == GN_BOOL);
}

/* ---- Attention of heads (N, H, L, D), (N, H, S, D) */

static gn_tensor *attend(const attention *self, const call *c, double dropout) {
    const bool spelled = c->causal && c->own_keys > 0; /* the module's own keys are always seen */
    gn_tensor *mask = whole_mask(self, c, spelled);
    return gn_scaled_dot_product_attention(c->q, c->k, c->v, .attn_mask = mask,
                                           .causal = c->causal && !spelled, .dropout_p = dropout);
}

static gn_tensor *attend_with_weights(const attention *self, call *c, double dropout) {
    const double scale = 1 / sqrt((double)(self->embed_dim / self->heads));
    gn_tensor *mask = added(whole_mask(self, c, c->causal), c->q);
    gn_tensor *x = gn_matmul(gn_mul_scalar(c->q, scale), gn_transpose(c->k, -2, -1));
    gn_tensor *p = gn_dropout(gn_softmax(mask ? gn_add(x, mask) : x, -1), dropout, true);
    gn_tensor *weights = c->per_head_weights ? p : gn_mean(p, .dims = GN_DIMS(1));
    c->weights = gn_retain(c->no_batch ? gn_squeeze_dim(weights, 0) : weights);
    return gn_matmul(p, c->v);
}

static gn_tensor *run(const attention *self, call *c) {
    const double dropout = self->base.training ? self->dropout : 0;
    if (begin(self, c) != GN_OK || !check_masks(self, c))
        return NULL;
    split_inputs(self, c);
    if (gn__failed())
        return NULL;
    gn_tensor *y =
        c->wants_weights ? attend_with_weights(self, c, dropout) : attend(self, c, dropout);
    y = gn_forward(self->out_proj, join_heads(self, y));
    return c->no_batch ? gn_squeeze_dim(y, self->batch_first ? 0 : 1) : y;
}

/* ---- The module */

static gn_tensor *forward(gn_module *module, gn_tensor *x) {
    return run((attention *)module, &(call){.q = x, .k = x, .v = x});
}

static const gn_module_class attention_class = {
    .name = op, .size = sizeof(attention), .forward = forward};

/* The query, as hooks have left it. */
static gn_tensor *forward_call(gn_module *module, gn_tensor *x, void *context) {
    call *c = context;
    c->v = c->v == c->q ? x : c->v;
    c->k = c->k == c->q ? x : c->k;
    c->q = x;
    return run((attention *)module, c);
}

gn_tensor *gn_multihead_attention_forward_with(gn_module *module, gn_tensor *query, gn_tensor *key,
                                               gn_tensor *value, gn_tensor **weights,
                                               const gn_multihead_attention_call *options) {
    gn_multihead_attention_call o;
    gn__options(&o, sizeof o, options);
    if (weights)
        *weights = NULL;
    if (!gn__is_a("multihead_attention_forward", module, &attention_class))
        return NULL;
    call c = {.q = query,
              .k = key,
              .v = value,
              .attn_mask = o.attn_mask,
              .key_padding_mask = o.key_padding_mask,
              .causal = o.causal,
              .wants_weights = weights != NULL,
              .per_head_weights = o.per_head_weights};
    if (!gn__given(op, query) || !gn__given(op, key) || !gn__given(op, value))
        return NULL;
    gn_tensor *y = gn__module_run(module, query, forward_call, &c);
    gn__own(c.weights);
    if (weights && y)
        *weights = c.weights;
    return y;
}

static gn_tensor *weight_new(attention *self, const char *name, int64_t out, int64_t in) {
    return gn_parameter(self, name, gn_init_xavier_uniform_(gn_empty(out, in)));
}

static gn_tensor *key_new(attention *self, const char *name) {
    return gn_parameter(self, name, gn_init_xavier_normal_(gn_empty(1, 1, self->embed_dim)));
}

static void make_parameters(attention *self, const gn_multihead_attention_options *o) {
    const int64_t e = self->embed_dim;
    if (self->kdim == e && self->vdim == e) {
        self->in_proj_weight = weight_new(self, "in_proj_weight", 3 * e, e);
    } else {
        self->q_weight = weight_new(self, "q_proj_weight", e, e);
        self->k_weight = weight_new(self, "k_proj_weight", e, self->kdim);
        self->v_weight = weight_new(self, "v_proj_weight", e, self->vdim);
    }
    if (!o->no_bias)
        self->in_proj_bias = gn__parameter_full(self, "in_proj_bias", GN_SHAPE(3 * e), 0);
    if (o->add_bias_kv) {
        self->bias_k = key_new(self, "bias_k");
        self->bias_v = key_new(self, "bias_v");
    }
    self->out_proj = gn_child(self, "out_proj", gn_nn_linear(e, e, .no_bias = o->no_bias));
    if (self->out_proj && !o->no_bias)
        gn_init_constant_(gn_get_parameter(self->out_proj, "bias"), 0);
}

gn_module *gn_nn_multihead_attention_with(int64_t embed_dim, int64_t num_heads,
                                          const gn_multihead_attention_options *options) {
    gn_multihead_attention_options o;
    gn__options(&o, sizeof o, options);
    if (gn__failed())
        return NULL;
    if (embed_dim < 1 || num_heads < 1 || embed_dim % num_heads != 0 || embed_dim > INT32_MAX)
        return gn__fail_null(GN_E_ARGUMENT, op, "embed_dim %lld is no multiple of num_heads %lld",
                             (long long)embed_dim, (long long)num_heads);
    if (o.kdim < 0 || o.vdim < 0)
        return gn__fail_null(GN_E_ARGUMENT, op, "kdim %lld and vdim %lld must not be negative",
                             (long long)o.kdim, (long long)o.vdim);
    if (!(o.dropout >= 0 && o.dropout <= 1))
        return gn__fail_null(GN_E_ARGUMENT, op, "the probability %g is not between 0 and 1",
                             o.dropout);
    attention *self = gn_module_new(&attention_class);
    if (self == NULL)
        return NULL;
    self->embed_dim = embed_dim;
    self->heads = num_heads;
    self->kdim = o.kdim ? o.kdim : embed_dim;
    self->vdim = o.vdim ? o.vdim : embed_dim;
    self->dropout = o.dropout;
    self->batch_first = o.batch_first;
    self->add_zero_attn = o.add_zero_attn;
    make_parameters(self, &o);
    return gn__failed() ? NULL : &self->base;
}
