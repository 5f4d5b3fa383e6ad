/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.c - scaled dot-product attention: a planned kernel where the backend has one; else
 * products of matrices around a row program that scales, masks and normalises the scores. The public
 * function with its options is in attention_options.c.
 */
#include <math.h>

#include "attention.h"
#include "compose.h"
#include "product.h"

static const char op[] = "scaled_dot_product_attention";

enum { Q, K, V, MASK, N_INPUTS };
enum { Y = N_INPUTS, P }; /* what else backward may need */

typedef gn_status product_fn(const char *name, gn_tensor *c, gn_tensor *a, gn_tensor *b,
                             gn_tensor *bias);

/* ---- p (.., L, S) = softmax over S of x = scores scale + mask, or -inf where hidden */

typedef struct score_operands {
    int scores, rows, columns, mask, scale; /* rows and columns only if causal */
} score_operands;

/* x of a pair. */
static int emit_score(gn__builder *b, const score_operands *in, const int8_t *v) {
    const int type = gn__compute_type(v[0]), hidden = gn__const_f(b, type, -INFINITY);
    int x = gn__emit(b, GN_OP_MUL, gn__load(b, in->scores), gn__param(b, type, in->scale), 0);
    if (v[2] == GN_BOOL)
        x = gn__emit(b, GN_OP_SELECT, gn__load(b, in->mask), x, hidden);
    else if (v[2])
        x = gn__emit(b, GN_OP_ADD, x, gn__cast(b, type, gn__load(b, in->mask)), 0);
    if (v[1]) {
        int seen = gn__emit(b, GN_OP_LE, gn__load(b, in->columns), gn__load(b, in->rows), 0);
        x = gn__emit(b, GN_OP_SELECT, seen, x, hidden);
    }
    return x;
}

/* e = exp(x - max x), but 0 where all of a row is -inf */
static int emit_exponential(gn__builder *b, const score_operands *in, const int8_t *v, int shift) {
    return gn__emit(b, GN_OP_EXP, gn__emit(b, GN_OP_SUB, emit_score(b, in, v), shift, 0), 0, 0);
}

/* Operands scores, p, [mask], [rows, columns]; param scale. v: dtype, causal, the mask's dtype. */
static void build_weights(gn__builder *b, const int8_t *v) {
    const int type = gn__compute_type(v[0]);
    score_operands in = {.scores = gn__build_operand(b, GN_READ, v[0])};
    int p = gn__build_operand(b, GN_WRITE, v[0]);
    in.scale = gn__build_param(b);
    if (v[2])
        in.mask = gn__build_operand(b, GN_READ, v[2]);
    if (v[1]) {
        in.rows = gn__build_operand(b, GN_INDEX, GN_I64);
        in.columns = gn__build_operand(b, GN_INDEX, GN_I64);
    }
    int max = gn__reduce_value(b, GN_MAX, emit_score(b, &in, v), 0);
    int none = gn__emit(b, GN_OP_EQ, max, gn__const_f(b, type, -INFINITY), 0);
    int zero = gn__const_f(b, type, 0), shift = gn__emit(b, GN_OP_SELECT, none, zero, max);
    gn__elements(b);
    int sum = gn__reduce_value(b, GN_SUM, emit_exponential(b, &in, v, shift), 0);
    int inverse = gn__emit(b, GN_OP_DIV, gn__const_f(b, type, 1), sum, 0);
    inverse = gn__emit(b, GN_OP_SELECT, none, zero, inverse);
    gn__elements(b);
    gn__store(b, p, gn__emit(b, GN_OP_MUL, emit_exponential(b, &in, v, shift), inverse, 0));
}
static gn__kernel weights_kernel = {.name = "attention_weights", .build = build_weights};

static gn_status weigh(const gn_attention_attr *attr, gn_tensor *scores, gn_tensor *mask,
                       gn_tensor *p) {
    const int n = p->n_dims;
    gn__rows space = gn__rows_of(p, 1u << (n - 1));
    gn__operand operands[5] = {gn__rows_full(&space, scores), gn__rows_full(&space, p)};
    int used = 2;
    if (mask)
        operands[used++] = gn__rows_full(&space, mask);
    if (attr->causal) {
        gn__operand rows = gn__operand_index(0), columns = gn__operand_index(0);
        rows.stride[n - 2] = 1;
        columns.stride[n - 1] = 1;
        operands[used++] = rows;
        operands[used++] = columns;
    }
    return gn__kernel_run(op, p->storage->device, &weights_kernel,
                          GN__VARIANT(p->dtype, attr->causal != 0, mask ? mask->dtype : 0), &space,
                          operands, (const gn_scalar[]){{.f = attr->scale}});
}

/* The weights p of q and k; mask may be NULL. */
static gn_status find_weights(product_fn *product, const gn_attention_attr *attr, gn_tensor *q,
                              gn_tensor *k, gn_tensor *mask, gn_tensor *p) {
    gn_scope scope = gn_scope_begin();
    gn_tensor turned = gn__turned(k), *scores = gn__tensor_like(p, p->dtype);
    gn_status status = scores ? product(op, scores, q, &turned, NULL) : gn_error_status();
    if (status == GN_OK)
        status = weigh(attr, scores, mask, p);
    gn_scope_end(scope);
    return status;
}

/* t, or what dropout leaves of it. */
static gn_tensor *dropped(const gn__dropout *dropout, gn_tensor *t) {
    return dropout && dropout->p > 0 ? gn__dropout_replay(dropout, t) : t;
}

/* ---- Gradients, with dropout r of the weights, y = r(p) v: dv = r(p)^T g, dp = r(g v^T),
 * dmask = p (dp - sum_j dp p), ds = scale dmask, dq = ds k, dk = ds^T q */

/* Operands p, dp, ds; param scale. */
static void build_gradient(gn__builder *b, const int8_t *v) {
    int in = gn__build_operand(b, GN_READ, v[0]), g = gn__build_operand(b, GN_READ, v[0]);
    int out = gn__build_operand(b, GN_WRITE, v[0]), scale = gn__build_param(b);
    int sum =
        gn__reduce_value(b, GN_SUM, gn__emit(b, GN_OP_MUL, gn__load(b, in), gn__load(b, g), 0), 0);
    gn__elements(b);
    int scaled =
        gn__emit(b, GN_OP_MUL, gn__load(b, in), gn__param(b, gn__compute_type(v[0]), scale), 0);
    int centred = gn__emit(b, GN_OP_SUB, gn__load(b, g), sum, 0);
    gn__store(b, out, gn__emit(b, GN_OP_MUL, scaled, centred, 0));
}
static gn__kernel gradient_kernel = {.name = "attention_gradient", .build = build_gradient};

static gn_status score_gradient(gn_tensor *p, gn_tensor *dp, double scale, gn_tensor *ds) {
    gn__rows space = gn__rows_of(p, 1u << (p->n_dims - 1));
    gn__operand operands[] = {gn__rows_full(&space, p), gn__rows_full(&space, dp),
                              gn__rows_full(&space, ds)};
    return gn__kernel_run(op, p->storage->device, &gradient_kernel, GN__VARIANT(p->dtype), &space,
                          operands, (const gn_scalar[]){{.f = scale}});
}

/* The gradients of q, k, v and the mask, of full batch; those that are NULL are not wanted. */
static gn_status find_gradients(product_fn *product, const gn_attention_attr *attr,
                                const gn__dropout *dropout, gn_tensor *const *in, gn_tensor *p,
                                gn_tensor *g, gn_tensor *const *d) {
    gn_tensor turned_v = gn__turned(in[V]);
    if (d[V]) {
        gn_tensor *left = dropped(dropout, p);
        gn_tensor turned_p = left ? gn__turned(left) : (gn_tensor){0};
        if (left == NULL || product(op, d[V], &turned_p, g, NULL) != GN_OK)
            return gn_error_status();
    }
    if (!d[Q] && !d[K] && !d[MASK])
        return GN_OK;
    gn_tensor *dp = gn__tensor_like(p, p->dtype), *ds = gn__tensor_like(p, p->dtype);
    if (gn__failed() || product(op, dp, g, &turned_v, NULL) != GN_OK)
        return gn_error_status();
    dp = dropped(dropout, dp);
    if (dp == NULL || score_gradient(p, dp, attr->scale, ds) != GN_OK ||
        (d[MASK] && score_gradient(p, dp, 1, d[MASK]) != GN_OK))
        return gn_error_status();
    gn_tensor turned_ds = gn__turned(ds);
    if (d[Q] && product(op, d[Q], ds, in[K], NULL) != GN_OK)
        return gn_error_status();
    return d[K] ? product(op, d[K], &turned_ds, in[Q], NULL) : GN_OK;
}

/* Uninitialised (.., L, S), with the batch dims and rows of y. */
static gn_tensor *weights_new(const gn_tensor *y, int dtype, const gn_tensor *k) {
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, y->size, sizeof size);
    size[y->n_dims - 1] = k->size[k->n_dims - 2];
    return gn__tensor_new(y->storage->device, dtype, y->n_dims, size);
}

/* ---- What the planned kernels compute, composed; 16-bit tensors by way of f32 */

/* t, or an uninitialised tensor in the type that its dtype is computed in. */
static gn_tensor *wide_result(gn_tensor *t) {
    const int type = gn__compute_type(t->dtype);
    return type == t->dtype ? t : gn__tensor_new(t->storage->device, type, t->n_dims, t->size);
}

/* t, or a copy in that type. */
static gn_tensor *widened(gn_tensor *t) {
    gn_tensor *wide = wide_result(t);
    return wide && (wide == t || gn__copy_data(wide, t) == GN_OK) ? wide : NULL;
}

static gn_status store_result(gn_tensor *t, gn_tensor *wide) {
    return wide == t ? GN_OK : gn__copy_data(t, wide);
}

gn_status gn__composed_attention(const gn_attention_attr *attr, gn_tensor *q, gn_tensor *k,
                                 gn_tensor *v, gn_tensor *mask, gn_tensor *y) {
    gn_tensor *wide = wide_result(y);
    q = widened(q);
    k = widened(k);
    v = widened(v);
    gn_tensor *p = gn__failed() ? NULL : weights_new(y, wide->dtype, k);
    if (p == NULL || find_weights(gn__composed_product, attr, q, k, mask, p) != GN_OK ||
        gn__composed_product(op, wide, p, v, NULL) != GN_OK)
        return gn_error_status();
    return store_result(y, wide);
}

gn_status gn__composed_attention_backward(const gn_attention_attr *attr, gn_tensor *const *inputs,
                                          gn_tensor *mask, gn_tensor *g, gn_tensor *const *d) {
    gn_tensor *in[N_INPUTS] = {[MASK] = mask}, *wide[N_INPUTS] = {NULL};
    for (int i = Q; i <= V; i++) {
        in[i] = widened(inputs[i]);
        wide[i] = wide_result(d[i]);
    }
    g = widened(g);
    gn_tensor *p = gn__failed() ? NULL : weights_new(g, g->dtype, in[K]);
    if (p == NULL || find_weights(gn__composed_product, attr, in[Q], in[K], mask, p) != GN_OK ||
        find_gradients(gn__composed_product, attr, NULL, in, p, g, wide) != GN_OK)
        return gn_error_status();
    for (int i = Q; i <= V; i++)
        if (store_result(d[i], wide[i]) != GN_OK)
            return gn_error_status();
    return GN_OK;
}

/* ---- Planned */

typedef struct attention_data {
    gn_attention_attr attr;
    gn__dropout dropout;
    bool planned;
    gn__storage *saved; /* what the planned forward run keeps for its backward */
} attention_data;

static int forward_planned(attention_data *data, gn_tensor *const *in, gn_tensor *y) {
    gn_tensor *const tensors[] = {y, in[Q], in[K], in[V], in[MASK]};
    gn_tensor_desc desc[GN_LENGTH(tensors)];
    for (size_t i = 0; i < GN_LENGTH(tensors); i++)
        desc[i] = gn__describe_matrices(tensors[i], y);
    int done =
        gn__run_described(y->storage->device, op, GN_KERNEL_ATTENTION_FORWARD, GN_LENGTH(tensors),
                          desc, tensors, &data->attr, sizeof data->attr, &data->saved);
    data->planned = done == 1;
    return done;
}

static int backward_planned(const attention_data *data, gn__node *node, gn_tensor *const *in,
                            gn_tensor *g, gn_tensor *const *d) {
    gn_tensor *y = gn__saved_tensor(node, Y);
    if (y == NULL)
        return gn_error_status();
    gn_tensor *const tensors[] = {d[Q], d[K], d[V], g, y, in[Q], in[K], in[V], in[MASK]};
    gn_tensor_desc desc[GN_LENGTH(tensors)];
    for (size_t i = 0; i < GN_LENGTH(tensors); i++)
        desc[i] = gn__describe_matrices(tensors[i], y);
    gn__storage *saved = data->saved;
    return gn__run_described(g->storage->device, op, GN_KERNEL_ATTENTION_BACKWARD,
                             GN_LENGTH(tensors), desc, tensors, &data->attr, sizeof data->attr,
                             &saved);
}

/* ---- History */

/* The weights in public operations. Rows that see nothing are computed as zeros, so that neither
 * they nor their gradients are NaN. */
static gn_tensor *recorded_weights(const gn_attention_attr *attr, gn_tensor *const *in) {
    gn_tensor *mask = in[MASK], *hidden = NULL;
    gn_tensor *x = gn_mul_scalar(gn_matmul(in[Q], gn_transpose(in[K], -2, -1)), attr->scale);
    if (mask)
        x = mask->dtype == GN_BOOL ? gn_where_scalar_b(mask, x, -INFINITY) : gn_add(x, mask);
    if (attr->causal && x) {
        gn_tensor *ones = gn_ones_with(gn__shape(2, x->size + x->n_dims - 2),
                                       GN_AS(.dtype = GN_BOOL, .device = x->storage->device->name));
        x = gn_masked_fill(x, gn_triu(ones, 1), -INFINITY);
    }
    if (mask) {
        hidden = gn_eq_scalar(gn_amax(x, .dims = GN_DIMS(-1), .keepdim = true), -INFINITY);
        x = gn_masked_fill(x, hidden, 0);
    }
    gn_tensor *p = gn_softmax(x, -1);
    return mask ? gn_masked_fill(p, hidden, 0) : p;
}

/* When the walk itself is recorded: in public operations. */
static void backward_recorded(const attention_data *data, gn_tensor *const *in, gn_tensor *g,
                              gn_tensor **d) {
    gn_tensor *p = recorded_weights(&data->attr, in);
    gn_tensor *dp = gn_matmul(g, gn_transpose(in[V], -2, -1));
    if (gn__failed())
        return;
    dp = dropped(&data->dropout, dp);
    gn_tensor *sum = gn_sum(gn_mul(dp, p), .dims = GN_DIMS(-1), .keepdim = true);
    d[MASK] = gn_mul(p, gn_sub(dp, sum));
    gn_tensor *ds = gn_mul_scalar(d[MASK], data->attr.scale);
    d[Q] = gn_matmul(ds, in[K]);
    d[K] = gn_matmul(gn_transpose(ds, -2, -1), in[Q]);
    d[V] = gn_matmul(gn_transpose(dropped(&data->dropout, p), -2, -1), g);
}

static gn_status backward_composed(const attention_data *data, gn__node *node, gn_tensor *const *in,
                                   gn_tensor *g, gn_tensor *const *d) {
    gn_tensor *p = gn__saved_tensor(node, P), *wanted[N_INPUTS];
    if (data->planned) {
        p = weights_new(g, g->dtype, in[K]);
        if (p == NULL || find_weights(gn__product, &data->attr, in[Q], in[K], in[MASK], p) != GN_OK)
            return gn_error_status();
    }
    for (int i = 0; i < N_INPUTS; i++)
        wanted[i] = gn__needs(node, i) ? d[i] : NULL;
    return p ? find_gradients(gn__product, &data->attr, &data->dropout, in, p, g, wanted)
             : gn_error_status();
}

/* Whether q, k and v are what unbinding a dense tensor gives, `*step` elements apart. */
static bool are_parts(gn_tensor *const *in, int64_t *step) {
    const gn_tensor *q = in[Q];
    int64_t size[GN_MAX_DIMS] = {3}, stride[GN_MAX_DIMS] = {in[K]->offset - q->offset};
    *step = stride[0];
    for (int i = Q; i <= V; i++)
        if (in[i]->storage != q->storage || !gn__same_shape(in[i], q) ||
            in[i]->offset != q->offset + i * *step ||
            memcmp(in[i]->stride, q->stride, (size_t)q->n_dims * sizeof q->stride[0]) != 0)
            return false;
    int64_t last = 2 * *step;
    for (int d = 0; d < q->n_dims; d++) {
        size[1 + d] = q->size[d];
        stride[1 + d] = q->stride[d];
        last += (q->size[d] - 1) * q->stride[d];
    }
    return *step > 0 && !gn__overlaps(1 + q->n_dims, size, stride) && last == 3 * q->count - 1;
}

/* An uninitialised gradient of t, with the batch dims of g, in memory like t. */
static gn_tensor *gradient_new(const gn_tensor *t, const gn_tensor *g) {
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, g->size, sizeof size);
    for (int i = 1; i <= 2; i++)
        size[g->n_dims - i] = t->size[t->n_dims - i];
    return gn__tensor_ordered(g->storage->device, g->dtype, g->n_dims, size, t);
}

/* Those of q, k and v. Where these are parts of one tensor, so are they: the backward of splitting
 * has nothing to copy then. */
static void gradients_new(gn_tensor *const *in, const gn_tensor *g, gn_tensor **d) {
    int64_t step;
    if (are_parts(in, &step) && in[Q]->n_dims == g->n_dims) {
        gn_tensor *whole =
            gn__tensor_new(g->storage->device, g->dtype, 1, (int64_t[]){3 * in[Q]->count});
        for (int i = Q; i <= V && whole; i++)
            d[i] = gn__tensor_alias(whole, in[i]->n_dims, in[i]->size, in[i]->stride, i * step);
        return;
    }
    for (int i = Q; i <= V; i++)
        d[i] = gradient_new(in[i], g);
}

/* Planned kernels give no gradient of a mask. */
static gn_status backward_data(const attention_data *data, gn__node *node, gn_tensor *const *in,
                               gn_tensor *g, gn_tensor **d) {
    gradients_new(in, g, d);
    if (gn__needs(node, MASK))
        d[MASK] = weights_new(g, g->dtype, in[K]);
    if (gn__failed())
        return gn_error_status();
    if (data->planned && !d[MASK]) {
        int done = backward_planned(data, node, in, g, d);
        if (done != 0)
            return done < 0 ? done : GN_OK;
    } else if (g->count > 0) {
        gn__fallback(g->storage->device, op,
                     data->planned ? "the gradient of a mask is composed"
                                   : "its forward run was composed");
    }
    const gn__composition composition = gn__composition_begin();
    gn_status status = backward_composed(data, node, in, g, d);
    gn__composition_end(&composition);
    return status;
}

static gn_status attention_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const attention_data *data = node->data;
    gn_tensor *in[N_INPUTS], *d[N_INPUTS] = {NULL};
    for (int i = 0; i < N_INPUTS; i++)
        in[i] = gn__saved_tensor(node, i);
    if (gn__failed())
        return gn_error_status();
    if (gn_is_grad_enabled())
        backward_recorded(data, in, grads[0], d);
    else
        backward_data(data, node, in, grads[0], d);
    for (int i = 0; i < N_INPUTS && !gn__failed(); i++)
        if (gn__needs(node, i))
            out[i] = gn_sum_to_shape(d[i], gn__input_shape(node, i));
    return gn_error_status();
}

static void attention_destroy(void *data) {
    gn__storage *saved = ((attention_data *)data)->saved;
    if (saved)
        gn__storage_release(saved);
}

static const gn__node_class attention_node = {
    .name = op, .backward = attention_backward, .destroy = attention_destroy};

/* ---- softmax(q k^T scale + mask) v */

static bool shapes_fit(const gn_tensor *q, const gn_tensor *k, const gn_tensor *v) {
    const int nq = q->n_dims, nk = k->n_dims, nv = v->n_dims;
    if (nq < 2 || nk < 2 || nv < 2 || q->size[nq - 1] != k->size[nk - 1] ||
        k->size[nk - 2] != v->size[nv - 2]) {
        gn_fail(GN_E_ARGUMENT, op,
                "q %s, k %s and v %s do not fit: they must be (.., L, D), (.., S, D), (.., S, E)",
                gn__shape_of(q), gn__shape_of(k), gn__shape_of(v));
        return false;
    }
    return gn__check_float(op, "q", q) && gn__check_dtype(op, q, "k", k) &&
           gn__check_dtype(op, q, "v", v);
}

/* Uninitialised (.., L, E), in memory like q: heads that are parts of a longer vector make results
 * that are. */
static gn_tensor *result_new(gn__device *device, gn_tensor *const *in) {
    gn_tensor batch[3], *batches[3]; /* only sizes are looked at */
    int n;
    int64_t size[GN_MAX_DIMS];
    for (int i = Q; i <= V; i++) {
        batch[i] = *in[i];
        batch[i].n_dims -= 2;
        batches[i] = &batch[i];
    }
    if (!gn__broadcast(op, 3, batches, &n, size))
        return NULL;
    size[n++] = in[Q]->size[in[Q]->n_dims - 2];
    size[n++] = in[V]->size[in[V]->n_dims - 1];
    return gn__tensor_ordered(device, in[Q]->dtype, n, size, in[Q]);
}

/* Whether the mask is (.., L, S), its leading dims those of y or 1. */
static bool mask_fits(const gn_tensor *mask, const gn_tensor *y, const gn_tensor *k) {
    if (mask == NULL)
        return true;
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, y->size, sizeof size);
    size[y->n_dims - 1] = k->size[k->n_dims - 2];
    bool fits = mask->n_dims >= 2 && mask->n_dims <= y->n_dims;
    for (int i = 1; i <= mask->n_dims && fits; i++) {
        const int64_t own = mask->size[mask->n_dims - i];
        fits = own == size[y->n_dims - i] || (own == 1 && i > 2);
    }
    if (!fits)
        gn_fail(GN_E_ARGUMENT, op, "attn_mask %s does not fit the scores %s: it must broadcast",
                gn__shape_of(mask), gn__shape_text(y->n_dims, size));
    return fits;
}

/* Fills y, planned or composed; *p: the weights, of a composed run. */
static gn_status forward(attention_data *data, gn_tensor *const *in, gn_tensor *y, gn_tensor **p) {
    const int64_t depth = in[Q]->size[in[Q]->n_dims - 1], keys = in[K]->size[in[K]->n_dims - 2];
    const bool empty = y->count == 0 || depth == 0 || keys == 0, drops = data->dropout.p > 0;
    if (!empty && drops)
        gn__fallback(y->storage->device, op, "with dropout it is composed");
    int done = empty || drops ? 0 : forward_planned(data, in, y);
    if (done != 0)
        return done < 0 ? done : GN_OK;
    const gn__composition composition = gn__composition_begin();
    *p = weights_new(y, y->dtype, in[K]);
    if (*p && find_weights(gn__product, &data->attr, in[Q], in[K], in[MASK], *p) == GN_OK) {
        gn_tensor *left = dropped(&data->dropout, *p);
        if (left)
            gn__product(op, y, left, in[V], NULL);
    }
    gn__composition_end(&composition);
    return gn_error_status();
}

/* Records y, which takes over data->saved. False with an error. */
static bool record(const attention_data *data, gn_tensor **in, gn_tensor *y, gn_tensor *p) {
    gn__node *node = gn__record(&attention_node, y, N_INPUTS, in, sizeof *data);
    if (node == NULL)
        return false;
    *(attention_data *)node->data = *data;
    for (int i = 0; i < N_INPUTS; i++)
        if (in[i])
            gn__save(node, i, in[i]);
    if (data->planned)
        gn__save_output(node, Y, y, 0);
    else
        gn__save(node, P, p);
    return true;
}

gn_tensor *gn__attend(const gn__attention *a) {
    if (!shapes_fit(a->q, a->k, a->v))
        return NULL;
    gn_tensor *in[] = {[Q] = a->q, [K] = a->k, [V] = a->v, [MASK] = a->mask}, *p = NULL;
    gn__device *device = gn__common_device(op, N_INPUTS, in);
    gn_tensor *y = device ? result_new(device, in) : NULL;
    if (y == NULL || !mask_fits(a->mask, y, a->k))
        return NULL;
    attention_data data = {
        .attr = {.struct_size = sizeof data.attr, .scale = a->scale, .causal = a->causal}};
    if (a->dropout > 0)
        data.dropout = gn__dropout_next(a->dropout);
    const bool recording = gn__recording(N_INPUTS, in);
    const bool recorded =
        forward(&data, in, y, &p) == GN_OK && recording && record(&data, in, y, p);
    if (!recorded && data.saved)
        gn__storage_release(data.saved);
    return gn__failed() ? NULL : y;
}
