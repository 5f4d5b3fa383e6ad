/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - conversion, copies, moves between devices; filling in place.
 */
#include "ops.h"

static gn__op identity = {.name = "copy", .text = "x", .variables = "x", .gradient = {"g"}};

gn_tensor *gn_cast(gn_tensor *t, gn_dtype dtype) {
    static gn__op cast = {.name = "cast", .text = "x", .variables = "x", .gradient = {"g"}};
    if (gn__failed() || !gn__given("cast", t))
        return NULL;
    if (dtype < GN_BOOL || dtype >= GN_N_DTYPES || dtype == GN_U32)
        return gn__fail_null(GN_E_ARGUMENT, "cast", "%d is no dtype of tensors", (int)dtype);
    return t->dtype == (int)dtype ? t : gn__apply_as(&cast, 1, &t, NULL, dtype);
}

gn_tensor *gn_clone(gn_tensor *t) { return gn__apply(&identity, 1, &t, NULL); }

gn_tensor *gn_detach(gn_tensor *t) {
    return gn__failed() || !gn__given("detach", t) || gn__settle(t) ? NULL : gn__tensor_twin(t);
}

/* ---- contiguous, to_device: the gradient goes back as it came, to the device it came from */

static gn_status move_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    out[0] = gn_to_device(grads[0], node->inputs[0].device->name);
    return gn_error_status();
}

static const gn__node_class contiguous_node = {.name = "contiguous", .backward = move_backward};
static const gn__node_class to_device_node = {.name = "to_device", .backward = move_backward};

static gn_tensor *copied(const gn__node_class *type, gn_tensor *t, gn__device *device) {
    gn_tensor *copy = gn__tensor_new(device, t->dtype, t->n_dims, t->size);
    if (!copy || gn__copy_data(copy, t))
        return NULL;
    if (gn__recording(1, &t) && !gn__record(type, copy, 1, &t, 0))
        return NULL;
    return copy;
}

gn_tensor *gn_contiguous(gn_tensor *t) {
    if (gn__failed() || !gn__given("contiguous", t) || gn__settle(t))
        return NULL;
    return gn__is_row_major(t) ? t : copied(&contiguous_node, t, t->storage->device);
}

gn_tensor *gn_to_device(gn_tensor *t, const char *name) {
    if (gn__failed() || !gn__given("to_device", t))
        return NULL;
    gn__device *device = gn__device_get(name);
    if (!device || device == t->storage->device)
        return device ? t : NULL;
    return copied(&to_device_node, t, device);
}

/* ---- In place: all elements of t replaced, by those of source or by what has no gradient */

/* t, source -> t: the old t gets no gradient, source that of the new one. */
static gn_status overwrite_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    if (!gn__needs(node, 1))
        return GN_OK;
    gn_shape shape = gn__input_shape(node, 1);
    out[1] = gn_cast(gn_sum_to_shape(grads[0], shape), (gn_dtype)node->inputs[1].dtype);
    return gn_error_status();
}
static const gn__node_class overwrite_node = {.name = "overwrite", .backward = overwrite_backward};

/* Records that t, whose data is new already, was made from source (or from nothing: NULL). */
static gn_tensor *overwritten(const char *op, gn_tensor *t, gn_tensor *source) {
    gn_tensor *inputs[] = {t, source}, *result = NULL;
    gn_scope scope = gn_scope_begin();
    if (gn_dtype_is_float(t->dtype) && gn__recording(2, inputs) && (result = gn__tensor_twin(t)))
        gn__record_outputs(&overwrite_node, op, 1, &result, 2, inputs, 0);
    t = gn__inplace_end(t, result);
    gn_scope_end(scope);
    return t;
}

gn_tensor *gn_fill_(gn_tensor *t, double value) {
    return gn__inplace_begin("fill_", t) || gn__fill_data(t, value) ? NULL
                                                                    : overwritten("fill_", t, NULL);
}

gn_tensor *gn_zero_(gn_tensor *t) { return gn_fill_(t, 0); }

gn_tensor *gn_copy_(gn_tensor *t, gn_tensor *source) {
    if (gn__inplace_begin("copy_", t) || !gn__given("copy_", source))
        return NULL;
    int n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS];
    gn_tensor *both[] = {t, source};
    if (!gn__broadcast("copy_", 2, both, &n_dims, size))
        return NULL;
    if (n_dims != t->n_dims || memcmp(size, t->size, (size_t)n_dims * sizeof *size))
        return gn__fail_null(GN_E_ARGUMENT, "copy_", "source %s does not broadcast to %s",
                             gn__shape_of(source), gn__shape_of(t));
    gn_scope scope = gn_scope_begin();
    gn_tensor *here = gn_to_device(source, t->storage->device->name);
    if (here && here->storage == t->storage)
        here = gn_clone(here); /* it may overlap */
    gn_tensor *changed = gn__copy_data(t, here) ? NULL : overwritten("copy_", t, here);
    gn_scope_end(scope);
    return changed;
}

gn_status gn_copy_in(gn_tensor *t, const void *data, gn_dtype dtype, int64_t count) {
    if (gn__inplace_begin("copy_in", t) || gn__copy_in_data(t, data, dtype, count))
        return gn_error_status();
    return overwritten("copy_in", t, NULL) ? GN_OK : gn_error_status();
}

gn_tensor *gn_uniform_(gn_tensor *t, double low, double high, gn_generator *generator) {
    if (gn__inplace_begin("uniform_", t) || !gn__uniform_data(t, low, high, generator))
        return NULL;
    return overwritten("uniform_", t, NULL);
}

gn_tensor *gn_exponential_(gn_tensor *t, double rate, gn_generator *generator) {
    if (gn__inplace_begin("exponential_", t))
        return NULL;
    if (!(rate > 0))
        return gn__fail_null(GN_E_ARGUMENT, "exponential_", "rate %g: it must be positive", rate);
    return gn__exponential_data(t, rate, generator) ? overwritten("exponential_", t, NULL) : NULL;
}

gn_tensor *gn_normal_(gn_tensor *t, double mean, double std, gn_generator *generator) {
    if (gn__inplace_begin("normal_", t) || !gn__normal_data(t, mean, std, generator))
        return NULL;
    return overwritten("normal_", t, NULL);
}
