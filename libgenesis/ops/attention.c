/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention.c - scaled dot-product attention: a planned kernel where the backend has one; else
 * products of matrices around a row program that scales, masks and normalises the scores.
 */
#include <math.h>

#include "compose.h"
#include "product.h"

static const char op[] = "scaled_dot_product_attention";

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

/* ---- Gradients: dv = p^T g, dp = g v^T, ds = scale p (dp - sum_j dp p), dq = ds k, dk = ds^T q */

enum { Q, K, V, Y, P }; /* inputs, and what backward needs of the results */

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

/* The gradients of q, k and v, of full batch; those that are NULL are not wanted. */
static gn_status find_gradients(product_fn *product, const gn_attention_attr *attr,
                                gn_tensor *const *in, gn_tensor *p, gn_tensor *g,
                                gn_tensor *const *d) {
    gn_tensor turned_p = gn__turned(p), turned_v = gn__turned(in[V]);
    if (d[V] && product(op, d[V], &turned_p, g, NULL) != GN_OK)
        return gn_error_status();
    if (!d[Q] && !d[K])
        return GN_OK;
    gn_tensor *dp = gn__tensor_like(p, p->dtype), *ds = gn__tensor_like(p, p->dtype);
    if (gn__failed() || product(op, dp, g, &turned_v, NULL) != GN_OK)
        return gn_error_status();
    gn__rows space = gn__rows_of(p, 1u << (p->n_dims - 1));
    gn__operand operands[] = {gn__rows_full(&space, p), gn__rows_full(&space, dp),
                              gn__rows_full(&space, ds)};
    if (gn__kernel_run(op, p->storage->device, &gradient_kernel, GN__VARIANT(p->dtype), &space,
                       operands, (const gn_scalar[]){{.f = attr->scale}}) != GN_OK)
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
    gn_tensor *in[3], *wide[3];
    for (int i = Q; i <= V; i++) {
        in[i] = widened(inputs[i]);
        wide[i] = wide_result(d[i]);
    }
    g = widened(g);
    gn_tensor *p = gn__failed() ? NULL : weights_new(g, g->dtype, in[K]);
    if (p == NULL || find_weights(gn__composed_product, attr, in[Q], in[K], mask, p) != GN_OK ||
        find_gradients(gn__composed_product, attr, in, p, g, wide) != GN_OK)
        return gn_error_status();
    for (int i = Q; i <= V; i++)
        if (store_result(d[i], wide[i]) != GN_OK)
            return gn_error_status();
    return GN_OK;
}

/* ---- Planned */

typedef struct attention_data {
    gn_attention_attr attr;
    bool planned;
    gn__storage *saved; /* what the planned forward run keeps for its backward */
} attention_data;

static int forward_planned(attention_data *data, gn_tensor *const *in, gn_tensor *y) {
    gn_tensor *const tensors[] = {y, in[Q], in[K], in[V], NULL};
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
    gn_tensor *const tensors[] = {d[Q], d[K], d[V], g, y, in[Q], in[K], in[V], NULL};
    gn_tensor_desc desc[GN_LENGTH(tensors)];
    for (size_t i = 0; i < GN_LENGTH(tensors); i++)
        desc[i] = gn__describe_matrices(tensors[i], y);
    gn__storage *saved = data->saved;
    return gn__run_described(g->storage->device, op, GN_KERNEL_ATTENTION_BACKWARD,
                             GN_LENGTH(tensors), desc, tensors, &data->attr, sizeof data->attr,
                             &saved);
}

/* ---- History */

/* When the walk itself is recorded: in public operations. */
static void backward_recorded(const attention_data *data, gn_tensor *const *in, gn_tensor *g,
                              gn_tensor **d) {
    const double scale = data->attr.scale;
    gn_tensor *x = gn_mul_scalar(gn_matmul(in[Q], gn_transpose(in[K], -2, -1)), scale);
    if (data->attr.causal && x) {
        gn_tensor *ones = gn_ones_with(gn__shape(2, x->size + x->n_dims - 2),
                                       GN_AS(.dtype = GN_BOOL, .device = x->storage->device->name));
        x = gn_masked_fill(x, gn_triu(ones, 1), -INFINITY);
    }
    gn_tensor *p = gn_softmax(x, -1), *dp = gn_matmul(g, gn_transpose(in[V], -2, -1));
    gn_tensor *sum = gn_sum(gn_mul(dp, p), .dims = GN_DIMS(-1), .keepdim = true);
    gn_tensor *ds = gn_mul_scalar(gn_mul(p, gn_sub(dp, sum)), scale);
    d[Q] = gn_matmul(ds, in[K]);
    d[K] = gn_matmul(gn_transpose(ds, -2, -1), in[Q]);
    d[V] = gn_matmul(gn_transpose(p, -2, -1), g);
}

static gn_status backward_composed(const attention_data *data, gn__node *node, gn_tensor *const *in,
                                   gn_tensor *g, gn_tensor *const *d) {
    gn_tensor *p = gn__saved_tensor(node, P), *wanted[3];
    if (data->planned) {
        p = weights_new(g, g->dtype, in[K]);
        if (p == NULL || find_weights(gn__product, &data->attr, in[Q], in[K], NULL, p) != GN_OK)
            return gn_error_status();
    }
    for (int i = Q; i <= V; i++)
        wanted[i] = gn__needs(node, i) ? d[i] : NULL;
    return p ? find_gradients(gn__product, &data->attr, in, p, g, wanted) : gn_error_status();
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
static gn_status gradients_new(gn_tensor *const *in, const gn_tensor *g, gn_tensor **d) {
    int64_t step;
    if (are_parts(in, &step) && in[Q]->n_dims == g->n_dims) {
        gn_tensor *whole =
            gn__tensor_new(g->storage->device, g->dtype, 1, (int64_t[]){3 * in[Q]->count});
        for (int i = Q; i <= V && whole; i++)
            d[i] = gn__tensor_alias(whole, in[i]->n_dims, in[i]->size, in[i]->stride, i * step);
        return gn_error_status();
    }
    for (int i = Q; i <= V; i++)
        d[i] = gradient_new(in[i], g);
    return gn_error_status();
}

static gn_status backward_data(const attention_data *data, gn__node *node, gn_tensor *const *in,
                               gn_tensor *g, gn_tensor **d) {
    if (gradients_new(in, g, d) != GN_OK)
        return gn_error_status();
    if (data->planned) {
        int done = backward_planned(data, node, in, g, d);
        if (done != 0)
            return done < 0 ? done : GN_OK;
    } else if (g->count > 0) {
        gn__fallback(g->storage->device, op, "its forward run was composed");
    }
    const gn__composition composition = gn__composition_begin();
    gn_status status = backward_composed(data, node, in, g, d);
    gn__composition_end(&composition);
    return status;
}

static gn_status attention_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    const attention_data *data = node->data;
    gn_tensor *in[3], *d[3] = {NULL};
    for (int i = Q; i <= V; i++)
        in[i] = gn__saved_tensor(node, i);
    if (gn__failed())
        return gn_error_status();
    if (gn_is_grad_enabled())
        backward_recorded(data, in, grads[0], d);
    else
        backward_data(data, node, in, grads[0], d);
    for (int i = Q; i <= V && !gn__failed(); i++)
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

/* ---- softmax(q k^T scale) v */

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

/* Fills y, planned or composed; *p: the weights, of a composed run. */
static gn_status forward(attention_data *data, gn_tensor *const *in, gn_tensor *y, gn_tensor **p) {
    const int64_t depth = in[Q]->size[in[Q]->n_dims - 1], keys = in[K]->size[in[K]->n_dims - 2];
    int done = y->count == 0 || depth == 0 || keys == 0 ? 0 : forward_planned(data, in, y);
    if (done != 0)
        return done < 0 ? done : GN_OK;
    const gn__composition composition = gn__composition_begin();
    *p = weights_new(y, y->dtype, in[K]);
    if (*p && find_weights(gn__product, &data->attr, in[Q], in[K], NULL, *p) == GN_OK)
        gn__product(op, y, *p, in[V], NULL);
    gn__composition_end(&composition);
    return gn_error_status();
}

/* Records y, which takes over data->saved. False with an error. */
static bool record(const attention_data *data, gn_tensor **in, gn_tensor *y, gn_tensor *p) {
    gn__node *node = gn__record(&attention_node, y, 3, in, sizeof *data);
    if (node == NULL)
        return false;
    *(attention_data *)node->data = *data;
    for (int i = Q; i <= V; i++)
        gn__save(node, i, in[i]);
    if (data->planned)
        gn__save_output(node, Y, y, 0);
    else
        gn__save(node, P, p);
    return true;
}

gn_tensor *gn_scaled_dot_product_attention_with(gn_tensor *q, gn_tensor *k, gn_tensor *v,
                                                const gn_attention_options *options) {
    if (gn__failed() || !gn__given(op, q) || !gn__given(op, k) || !gn__given(op, v) ||
        !shapes_fit(q, k, v))
        return NULL;
    gn_attention_options o;
    gn__options(&o, sizeof o, options);
    gn_tensor *in[] = {[Q] = q, [K] = k, [V] = v}, *p = NULL;
    gn__device *device = gn__common_device(op, 3, in);
    gn_tensor *y = device ? result_new(device, in) : NULL;
    if (y == NULL)
        return NULL;
    attention_data data = {
        .attr = {.struct_size = sizeof data.attr,
                 .scale = gn_or(o.scale, 1 / sqrt((double)q->size[q->n_dims - 1])),
                 .causal = o.causal}};
    const bool recording = gn__recording(3, in);
    const bool recorded =
        forward(&data, in, y, &p) == GN_OK && recording && record(&data, in, y, p);
    if (!recorded && data.saved)
        gn__storage_release(data.saved);
    return gn__failed() ? NULL : y;
}
