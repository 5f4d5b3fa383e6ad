/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onednn.c - the one file that knows oneDNN's versions apart: 2.6 describes an operation in a
 * struct from which it makes a primitive descriptor, 3.x makes the descriptor at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include "onednn.h"

/* ---- The engine: one for the process, made at first use, never destroyed ------------------- */

static pthread_once_t engine_once = PTHREAD_ONCE_INIT, version_once = PTHREAD_ONCE_INIT;
static char version_text[32];
static dnnl_engine_t engine;
static dnnl_stream_t stream; /* without state on the CPU: all threads share it */

static void engine_make(void) {
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success)
        return;
    dnnl_engine_destroy(engine);
    engine = NULL;
}

static dnnl_status_t engine_get(void) {
    pthread_once(&engine_once, engine_make);
    return engine ? dnnl_success : dnnl_out_of_memory;
}

static void version_make(void) {
    const dnnl_version_t *version = dnnl_version();
    snprintf(version_text, sizeof version_text, "oneDNN %d.%d.%d", version->major, version->minor,
             version->patch);
}

const char *cpu_onednn_version(void) {
    pthread_once(&version_once, version_make);
    return version_text;
}

gn_status dnn_fail(dnnl_status_t status, const char *what) {
    if (status == dnnl_out_of_memory)
        return cpu_fail(GN_E_MEMORY, 0, "oneDNN has no memory for %s", what);
    if (status == dnnl_unimplemented || status == dnnl_invalid_arguments)
        return cpu_fail(GN_E_UNSUPPORTED, 0, "oneDNN has no %s for these shapes and strides", what);
    return cpu_fail(GN_E_DEVICE, 0, "oneDNN failed on %s with status %d", what, (int)status);
}

/* ---- Memory descriptors -------------------------------------------------------------------- */

static dnnl_data_type_t data_type(int dtype) {
    switch (dtype) {
    case GN_F16: return dnnl_f16;
    case GN_BF16: return dnnl_bf16;
    case GN_F32: return dnnl_f32;
    default: return dnnl_data_type_undef;
    }
}

#if DNNL_VERSION_MAJOR < 3

dnnl_status_t dnn_md_create(dnn_md *out, int n_dims, const int64_t *size, int dtype,
                            const int64_t *stride) {
    dnnl_status_t status;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return dnnl_out_of_memory;
    if (stride)
        status = dnnl_memory_desc_init_by_strides(*out, n_dims, size, data_type(dtype), stride);
    else
        status =
            dnnl_memory_desc_init_by_tag(*out, n_dims, size, data_type(dtype), dnnl_format_tag_any);
    return status;
}

void dnn_md_destroy(dnn_md md) { free(md); }

#else

dnnl_status_t dnn_md_create(dnn_md *out, int n_dims, const int64_t *size, int dtype,
                            const int64_t *stride) {
    *out = NULL;
    if (stride)
        return dnnl_memory_desc_create_with_strides(out, n_dims, size, data_type(dtype), stride);
    return dnnl_memory_desc_create_with_tag(out, n_dims, size, data_type(dtype),
                                            dnnl_format_tag_any);
}

void dnn_md_destroy(dnn_md md) {
    if (md)
        dnnl_memory_desc_destroy(md);
}

#endif

/* ---- Primitive descriptors, made in the version's own way ---------------------------------- */

#if DNNL_VERSION_MAJOR < 3

static dnnl_status_t matmul_pd(dnnl_primitive_desc_t *out, const dnn_matmul *m,
                               const_dnnl_primitive_attr_t attr) {
    dnnl_matmul_desc_t desc;
    dnnl_status_t status = dnnl_matmul_desc_init(&desc, m->a, m->b, m->bias, m->c);
    return status ? status : dnnl_primitive_desc_create(out, &desc, attr, engine, NULL);
}

static dnnl_status_t convolution_pd(dnnl_primitive_desc_t *out, const dnn_convolution *c,
                                    const_dnnl_primitive_desc_t hint,
                                    const_dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t desc;
    dnnl_status_t status;
    if (c->prop == dnnl_backward_data)
        status = dnnl_dilated_convolution_backward_data_desc_init(
            &desc, dnnl_convolution_direct, c->image, c->weight, c->result, c->stride, c->dilation,
            c->before, c->after);
    else if (c->prop == dnnl_backward_weights)
        status = dnnl_dilated_convolution_backward_weights_desc_init(
            &desc, dnnl_convolution_direct, c->image, c->weight, c->bias, c->result, c->stride,
            c->dilation, c->before, c->after);
    else
        status = dnnl_dilated_convolution_forward_desc_init(
            &desc, c->prop, dnnl_convolution_direct, c->image, c->weight, c->bias, c->result,
            c->stride, c->dilation, c->before, c->after);
    return status ? status : dnnl_primitive_desc_create(out, &desc, attr, engine, hint);
}

#else

static dnnl_status_t matmul_pd(dnnl_primitive_desc_t *out, const dnn_matmul *m,
                               const_dnnl_primitive_attr_t attr) {
    return dnnl_matmul_primitive_desc_create(out, engine, m->a, m->b, m->bias, m->c, attr);
}

static dnnl_status_t convolution_pd(dnnl_primitive_desc_t *out, const dnn_convolution *c,
                                    const_dnnl_primitive_desc_t hint,
                                    const_dnnl_primitive_attr_t attr) {
    if (c->prop == dnnl_backward_data)
        return dnnl_convolution_backward_data_primitive_desc_create(
            out, engine, dnnl_convolution_direct, c->image, c->weight, c->result, c->stride,
            c->dilation, c->before, c->after, hint, attr);
    if (c->prop == dnnl_backward_weights)
        return dnnl_convolution_backward_weights_primitive_desc_create(
            out, engine, dnnl_convolution_direct, c->image, c->weight, c->bias, c->result,
            c->stride, c->dilation, c->before, c->after, hint, attr);
    return dnnl_convolution_forward_primitive_desc_create(
        out, engine, c->prop, dnnl_convolution_direct, c->image, c->weight, c->bias, c->result,
        c->stride, c->dilation, c->before, c->after, attr);
}

#endif

/* ---- Primitives ---------------------------------------------------------------------------- */

/* Scratchpads are arguments: then one primitive may run on several threads at once. */
static dnnl_status_t attr_create(dnnl_primitive_attr_t *out) {
    dnnl_status_t status = dnnl_primitive_attr_create(out);
    return status ? status
                  : dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
}

static dnnl_status_t attr_set_addend(dnnl_primitive_attr_t attr, dnn_const_md addend) {
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (!status)
        status = dnnl_post_ops_append_binary(ops, dnnl_binary_add, addend);
    if (!status)
        status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

/* Makes the primitive of *pd, unless there is an error, and lets go of pd, hint and attr. */
static dnnl_status_t finish(dnnl_primitive_t *out, dnnl_status_t status, dnnl_primitive_desc_t pd,
                            dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr) {
    *out = NULL;
    if (!status)
        status = dnnl_primitive_create(out, pd);
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_desc_destroy(hint);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

dnnl_status_t dnn_matmul_create(dnnl_primitive_t *out, const dnn_matmul *m) {
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = engine_get();
    if (!status)
        status = attr_create(&attr);
    if (!status && m->addend)
        status = attr_set_addend(attr, m->addend);
    if (!status)
        status = matmul_pd(&pd, m, attr);
    return finish(out, status, pd, NULL, attr);
}

dnnl_status_t dnn_convolution_create(dnnl_primitive_t *out, const dnn_convolution *c) {
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL, hint = NULL;
    dnnl_status_t status = engine_get();
    if (!status)
        status = attr_create(&attr);
    if (!status && c->prop != dnnl_forward_training) {
        dnn_convolution forward = *c;
        forward.prop = dnnl_forward_training;
        status = convolution_pd(&hint, &forward, NULL, attr);
    }
    if (!status)
        status = convolution_pd(&pd, c, hint, attr);
    return finish(out, status, pd, hint, attr);
}

dnnl_status_t dnn_reorder_create(dnnl_primitive_t *out, dnn_const_md from, dnn_const_md to) {
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = engine_get();
    if (!status)
        status = attr_create(&attr);
    if (!status)
        status = dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, attr);
    return finish(out, status, pd, NULL, attr);
}

dnn_const_md dnn_primitive_md(const_dnnl_primitive_t primitive, int arg) {
    const_dnnl_primitive_desc_t pd;
    dnnl_primitive_get_primitive_desc(primitive, &pd);
    return dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, arg);
}

const char *dnn_primitive_name(const_dnnl_primitive_t primitive) {
    const_dnnl_primitive_desc_t pd;
    const char *name = "";
    dnnl_primitive_get_primitive_desc(primitive, &pd);
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    return name;
}

bool dnn_is_reference(const_dnnl_primitive_t primitive) {
    return strncmp(dnn_primitive_name(primitive), "ref", 3) == 0;
}

/* ---- Running ------------------------------------------------------------------------------- */

dnnl_status_t dnn_memory_create(dnnl_memory_t *out, dnn_const_md md) {
    return dnnl_memory_create(out, md, engine, DNNL_MEMORY_NONE);
}

dnnl_status_t dnn_execute(const_dnnl_primitive_t primitive, int n_args,
                          const dnnl_exec_arg_t *args) {
    return dnnl_primitive_execute(primitive, stream, n_args, args);
}
