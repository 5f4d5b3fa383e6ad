/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matmul.c - matrix products: brings a request into its simplest form, with as few batch dims and
 * as many rows as can be. product.c does the rest.
 */
#include "product.h"

#include <stdlib.h>
#include <string.h>

/* ---- The simplest form --------------------------------------------------------------------- */

static bool shapes_agree(const ocl_request *request) {
    const gn_tensor_desc *c = &request->tensors[0], *a = &request->tensors[1],
                         *b = &request->tensors[2], *bias = &request->tensors[3];
    const int n = c->n_dims;
    if (n < 2 || a->n_dims != n || b->n_dims != n || (!ocl_is_absent(bias) && bias->n_dims != n))
        return false;
    for (int d = 0; d < n - 2; d++)
        if (a->size[d] != c->size[d] || b->size[d] != c->size[d])
            return false;
    if (!ocl_is_absent(bias))
        for (int d = 0; d < n; d++)
            if (bias->size[d] != c->size[d])
                return false;
    return a->size[n - 2] == c->size[n - 2] && b->size[n - 1] == c->size[n - 1] &&
           a->size[n - 1] == b->size[n - 2];
}

static ocl_space batch_of(const ocl_request *request, const int *place) {
    ocl_space batch = {0};
    const gn_tensor_desc *t = request->tensors;
    for (int d = 0; d < t[0].n_dims - 2; d++) {
        int64_t stride[OCL_SPACE_OPERANDS];
        for (int o = 0; o < PRODUCT_OPERANDS; o++)
            stride[o] = ocl_is_absent(&t[place[o]]) ? 0 : t[place[o]].stride[d];
        ocl_space_add(&batch, t[0].size[d], stride);
    }
    return batch;
}

static void read_matrices(const ocl_request *request, ocl_product *product) {
    ocl_product_args *a = &product->args;
    const int n = request->tensors[0].n_dims;
    for (int o = 0; o < PRODUCT_OPERANDS; o++) {
        const gn_tensor_desc *t = &request->tensors[product->place[o]];
        if (ocl_is_absent(t))
            continue;
        a->row[o] = t->stride[n - 2];
        a->column[o] = t->stride[n - 1];
    }
    a->m = request->tensors[0].size[n - 2];
    a->n = request->tensors[0].size[n - 1];
    a->k = request->tensors[1].size[n - 1];
    a->has_bias = !ocl_is_absent(&request->tensors[3]);
    a->relu = request->attr.matmul.activation == GN_ACTIVATION_RELU;
}

/* Rows of further matrices with the same b are further rows of one matrix. */
static void join_rows(ocl_product_args *a, ocl_space *batch) {
    while (batch->n_dims) {
        const int d = batch->n_dims - 1;
        if (batch->stride[PRODUCT_B][d])
            return;
        for (int o = 0; o < PRODUCT_OPERANDS; o++)
            if (o != PRODUCT_B && a->m > 1 && batch->stride[o][d] != a->m * a->row[o])
                return;
        for (int o = 0; o < PRODUCT_OPERANDS; o++)
            if (o != PRODUCT_B && a->m == 1)
                a->row[o] = batch->stride[o][d];
        a->m *= batch->size[d];
        batch->n_dims--;
    }
}

static void swap(int64_t *a, int64_t *b) {
    const int64_t kept = *a;
    *a = *b;
    *b = kept;
}

/* c^T = b^T a^T */
static void transpose(ocl_product *product, ocl_space *batch) {
    ocl_product_args *a = &product->args;
    const int place = product->place[PRODUCT_A];
    product->place[PRODUCT_A] = product->place[PRODUCT_B];
    product->place[PRODUCT_B] = place;
    swap(&a->m, &a->n);
    swap(&a->row[PRODUCT_A], &a->column[PRODUCT_B]);
    swap(&a->column[PRODUCT_A], &a->row[PRODUCT_B]);
    swap(&a->row[PRODUCT_C], &a->column[PRODUCT_C]);
    swap(&a->row[PRODUCT_BIAS], &a->column[PRODUCT_BIAS]);
    for (int d = 0; d < batch->n_dims; d++)
        swap(&batch->stride[PRODUCT_A][d], &batch->stride[PRODUCT_B][d]);
}

/* A product of few rows becomes one of few columns, for which there are tiles; and a result by
 * columns one by rows. */
static bool is_better_transposed(const ocl_product_args *a) {
    if (a->m <= PRODUCT_NARROW || a->n <= PRODUCT_NARROW)
        return a->m < a->n;
    return a->column[PRODUCT_C] != 1 && a->row[PRODUCT_C] == 1;
}

gn_status ocl_product_of_matmul(const ocl_request *request, ocl_product *product) {
    static const int place[PRODUCT_OPERANDS] = {
        [PRODUCT_C] = 0, [PRODUCT_A] = 1, [PRODUCT_B] = 2, [PRODUCT_BIAS] = 3};
    ocl_product_args *a = &product->args;
    ocl_space batch = batch_of(request, place);
    memcpy(product->place, place, sizeof place);
    product->kind = IMAGE_NONE;
    product->dtype = request->tensors[0].dtype;
    product->is_small = ocl_is_small(request->tensors, 4);
    read_matrices(request, product);
    join_rows(a, &batch);
    if (is_better_transposed(a))
        transpose(product, &batch);
    if (!a->has_bias)
        product->place[PRODUCT_BIAS] = -1;
    if (batch.n_dims > PRODUCT_BATCH_DIMS)
        return ocl_fail(GN_E_UNSUPPORTED, 0, "a matmul with %d batch dims that can't be merged",
                        batch.n_dims);
    a->n_batch_dims = batch.n_dims;
    memcpy(a->batch_size, batch.size, sizeof a->batch_size);
    for (int o = 0; o < PRODUCT_OPERANDS; o++)
        memcpy(a->batch[o], batch.stride[o], sizeof a->batch[o]);
    a->a_by_depth = llabs(a->column[PRODUCT_A]) <= llabs(a->row[PRODUCT_A]);
    a->b_by_depth = llabs(a->row[PRODUCT_B]) < llabs(a->column[PRODUCT_B]);
    return GN_OK;
}

/* ---- The plan ------------------------------------------------------------------------------ */

typedef struct matmul_plan {
    gn_plan base;
    ocl_product product;
} matmul_plan;

static gn_status matmul_run(const gn_plan *base, gn_stream *stream, const gn_run *run) {
    return ocl_product_run(&((const matmul_plan *)base)->product, stream, run, 0);
}

gn_status ocl_plan_matmul(gn_device *device, const ocl_request *request, gn_plan_info *info,
                          gn_plan **out) {
    if (!shapes_agree(request))
        return ocl_fail(GN_E_ARGUMENT, 0, "the sizes of this matmul do not agree");
    gn_status status = ocl_check_floats(device, request->tensors, 4, "matmul");
    if (status)
        return status;
    matmul_plan *plan = ocl_plan_new(device, sizeof *plan, matmul_run);
    if (!plan)
        return GN_E_MEMORY;
    status = ocl_product_of_matmul(request, &plan->product);
    if (!status)
        status = ocl_product_prepare(device, &plan->product);
    if (status) {
        ocl_plan_release(device, &plan->base);
        return status;
    }
    info->workspace_bytes = plan->product.workspace_bytes;
    *out = &plan->base;
    return GN_OK;
}
