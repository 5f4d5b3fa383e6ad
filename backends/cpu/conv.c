/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - convolution and its two gradients, by oneDNN.
 *
 * The weight comes as (O, C / groups, kernel..) in plain strides and is reordered, in the
 * workspace, to the layout that the primitive prefers. Channels-last images are taken as they lie,
 * others are reordered, too: that costs less than oneDNN's convolution of (N, C, H, W).
 */
#include <stdlib.h>

#include "chain.h"
#include "plan.h"

typedef struct conv_plan {
    plan_kernel base;
    dnn_chain chain;
} conv_plan;

static gn_status conv_run(plan_kernel *plan, const gn_run *run) {
    return dnn_chain_run(&((conv_plan *)plan)->chain, run);
}

static void conv_release(plan_kernel *plan) {
    dnn_chain_destroy(&((conv_plan *)plan)->chain);
    free(plan);
}

/* ---- The tensors of a convolution, whichever of them is computed --------------------------- */

enum { IMAGE, WEIGHT, RESULT, BIAS, N_ROLES };

typedef struct conv_role {
    int place; /* number of the tensor in the run, -1: absent */
    int arg;   /* DNNL_ARG_* */
    bool output;
    dnn_md given;   /* as it lies in memory */
    bool moved;     /* through the workspace, */
    uint64_t bytes; /* here */
} conv_role;

static const struct {
    uint32_t kernel;
    dnnl_prop_kind_t prop;
    conv_role roles[N_ROLES];
} kinds[] = {
    {.kernel = GN_KERNEL_CONV_FORWARD,
     .prop = dnnl_forward_training,
     .roles = {[IMAGE] = {.place = 1, .arg = DNNL_ARG_SRC},
               [WEIGHT] = {.place = 2, .arg = DNNL_ARG_WEIGHTS},
               [RESULT] = {.place = 0, .arg = DNNL_ARG_DST, .output = true},
               [BIAS] = {.place = 3, .arg = DNNL_ARG_BIAS}}},
    {.kernel = GN_KERNEL_CONV_BACKWARD_DATA,
     .prop = dnnl_backward_data,
     .roles = {[IMAGE] = {.place = 0, .arg = DNNL_ARG_DIFF_SRC, .output = true},
               [WEIGHT] = {.place = 2, .arg = DNNL_ARG_WEIGHTS},
               [RESULT] = {.place = 1, .arg = DNNL_ARG_DIFF_DST},
               [BIAS] = {.place = -1}}},
    {.kernel = GN_KERNEL_CONV_BACKWARD_WEIGHT,
     .prop = dnnl_backward_weights,
     .roles = {[IMAGE] = {.place = 1, .arg = DNNL_ARG_SRC},
               [WEIGHT] = {.place = 0, .arg = DNNL_ARG_DIFF_WEIGHTS, .output = true},
               [RESULT] = {.place = 2, .arg = DNNL_ARG_DIFF_DST},
               [BIAS] = {.place = 3, .arg = DNNL_ARG_DIFF_BIAS, .output = true}}},
};

/* The same weight as oneDNN wants it: (G, O / G, C / G, kernel..) if there are groups. */
typedef struct weight_view {
    int n_dims;
    int64_t size[GN_MAX_DIMS], stride[GN_MAX_DIMS];
} weight_view;

static weight_view view_weight(const gn_tensor_desc *w, int64_t groups) {
    weight_view v = {.n_dims = 0};
    if (groups > 1) {
        v.size[0] = groups;
        v.stride[0] = w->size[0] / groups * w->stride[0];
        v.n_dims = 1;
    }
    for (int d = 0; d < w->n_dims; d++, v.n_dims++) {
        v.size[v.n_dims] = d == 0 ? w->size[0] / groups : w->size[d];
        v.stride[v.n_dims] = w->stride[d];
    }
    return v;
}

typedef struct conv_maker {
    const plan_request *request;
    conv_role roles[N_ROLES];
    dnn_convolution op; /* without descriptors */
} conv_maker;

static const gn_tensor_desc *tensor_of(const conv_maker *m, int role) {
    return &m->request->tensors[m->roles[role].place];
}

/* ---- Checks and geometry ------------------------------------------------------------------- */

static bool shapes_agree(const conv_maker *m) {
    const gn_conv_attr *a = &m->request->attr.conv;
    const gn_tensor_desc *x = tensor_of(m, IMAGE), *w = tensor_of(m, WEIGHT),
                         *y = tensor_of(m, RESULT);
    const int n_dims = (int)a->n_spatial + 2;
    if (a->n_spatial < 1 || a->n_spatial > GN_MAX_SPATIAL || x->n_dims != n_dims ||
        w->n_dims != n_dims || y->n_dims != n_dims)
        return false;
    if (a->groups < 1 || x->size[1] % a->groups || y->size[1] % a->groups)
        return false;
    if (x->size[0] != y->size[0] || w->size[0] != y->size[1] ||
        w->size[1] != x->size[1] / a->groups)
        return false;
    if (m->roles[BIAS].place < 0)
        return true;
    const gn_tensor_desc *bias = tensor_of(m, BIAS);
    return bias->n_dims == 1 && bias->size[0] == y->size[1];
}

/* The padding after the last element is what the size of the result asks for. */
static bool set_geometry(conv_maker *m) {
    const gn_conv_attr *a = &m->request->attr.conv;
    for (int d = 0; d < a->n_spatial; d++) {
        const int64_t kernel = (tensor_of(m, WEIGHT)->size[2 + d] - 1) * a->dilation[d] + 1;
        const int64_t last = (tensor_of(m, RESULT)->size[2 + d] - 1) * a->stride[d] + kernel;
        const int64_t after = last - tensor_of(m, IMAGE)->size[2 + d] - a->padding[d];
        if (a->stride[d] < 1 || a->dilation[d] < 1 || a->padding[d] < 0)
            return false;
        m->op.stride[d] = a->stride[d];
        m->op.dilation[d] = a->dilation[d] - 1;
        m->op.before[d] = a->padding[d];
        m->op.after[d] = after > 0 ? after : 0;
    }
    return true;
}

/* ---- Descriptors and the primitive --------------------------------------------------------- */

static dnnl_status_t describe_given(conv_maker *m) {
    dnnl_status_t status = dnnl_success;
    for (int r = 0; r < N_ROLES && !status; r++) {
        if (m->roles[r].place < 0)
            continue;
        const gn_tensor_desc *t = tensor_of(m, r);
        const unsigned layouts = r == IMAGE || r == RESULT ? tensor_layouts(t) : 0;
        const weight_view w = view_weight(t, r == WEIGHT ? m->request->attr.conv.groups : 1);
        int64_t stride[GN_MAX_DIMS];
        if (layouts)
            layout_strides(layouts & LAYOUT_NHWC ? LAYOUT_NHWC : LAYOUT_NCHW, t->n_dims, t->size,
                           stride);
        status = dnn_md_create(&m->roles[r].given, w.n_dims, w.size, t->dtype,
                               layouts ? stride : w.stride);
    }
    return status;
}

/* The primitive for image and result in this layout. */
static dnnl_status_t try_layout(conv_maker *m, unsigned layout, dnnl_primitive_t *out) {
    const gn_tensor_desc *image = tensor_of(m, IMAGE), *weight = tensor_of(m, WEIGHT),
                         *result = tensor_of(m, RESULT);
    const weight_view w = view_weight(weight, m->request->attr.conv.groups);
    int64_t stride[GN_MAX_DIMS];
    dnn_convolution op = m->op;
    op.bias = m->roles[BIAS].given;
    *out = NULL;
    layout_strides(layout, image->n_dims, image->size, stride);
    dnnl_status_t status =
        dnn_md_create(&op.image, image->n_dims, image->size, image->dtype, stride);
    layout_strides(layout, result->n_dims, result->size, stride);
    if (!status)
        status = dnn_md_create(&op.result, result->n_dims, result->size, result->dtype, stride);
    if (!status)
        status = dnn_md_create(&op.weight, w.n_dims, w.size, weight->dtype, NULL);
    if (!status)
        status = dnn_convolution_create(out, &op);
    dnn_md_destroy(op.image);
    dnn_md_destroy(op.result);
    dnn_md_destroy(op.weight);
    return status;
}

/*
 * Channels-last if oneDNN has it as more than a plain loop, even when images must be reordered for
 * that: 33 against 61 ms for 32x256x14x14, 3x3, to 256 channels, from and to (N, C, H, W).
 */
static dnnl_status_t choose(conv_maker *m, dnnl_primitive_t *out) {
    dnnl_status_t status = try_layout(m, LAYOUT_NHWC, out);
    if (!status && !dnn_is_reference(*out))
        return dnnl_success;
    dnnl_primitive_destroy(*out);
    status = try_layout(m, LAYOUT_NCHW, out);
    if (status || !dnn_is_reference(*out))
        return status;
    dnnl_primitive_destroy(*out);
    *out = NULL;
    return dnnl_unimplemented;
}

/* ---- The chain ----------------------------------------------------------------------------- */

static dnnl_status_t add_reorder(dnn_chain *chain, const conv_role *role, dnn_const_md inner) {
    dnnl_primitive_t reorder;
    const dnnl_status_t status = role->output ? dnn_reorder_create(&reorder, inner, role->given)
                                              : dnn_reorder_create(&reorder, role->given, inner);
    if (status)
        return status;
    dnn_step *step = dnn_chain_add(chain, reorder);
    dnn_step_bind(step, role->output ? DNNL_ARG_TO : DNNL_ARG_FROM, role->place);
    dnn_step_bind_workspace(step, role->output ? DNNL_ARG_FROM : DNNL_ARG_TO, role->bytes);
    return dnnl_success;
}

static dnnl_status_t add_reorders(conv_maker *m, dnn_chain *chain, const_dnnl_primitive_t conv,
                                  bool output) {
    dnnl_status_t status = dnnl_success;
    for (int r = 0; r < N_ROLES && !status; r++)
        if (m->roles[r].moved && m->roles[r].output == output)
            status = add_reorder(chain, &m->roles[r], dnn_primitive_md(conv, m->roles[r].arg));
    return status;
}

/* Reorders the inputs that lie otherwise than `conv` wants them, convolves, reorders the outputs.
 * Owns conv. */
static dnnl_status_t build_chain(conv_maker *m, dnn_chain *chain, dnnl_primitive_t conv) {
    for (int r = 0; r < N_ROLES; r++) {
        conv_role *role = &m->roles[r];
        if (role->place < 0)
            continue;
        dnn_const_md inner = dnn_primitive_md(conv, role->arg);
        role->moved = !dnnl_memory_desc_equal(inner, role->given);
        if (role->moved)
            role->bytes = dnn_chain_reserve(chain, inner);
    }
    dnnl_status_t status = add_reorders(m, chain, conv, false);
    if (status) {
        dnnl_primitive_destroy(conv);
        return status;
    }
    dnn_step *step = dnn_chain_add(chain, conv);
    for (int r = 0; r < N_ROLES; r++) {
        const conv_role *role = &m->roles[r];
        if (role->place >= 0 && role->moved)
            dnn_step_bind_workspace(step, role->arg, role->bytes);
        else if (role->place >= 0)
            dnn_step_bind(step, role->arg, role->place);
    }
    return add_reorders(m, chain, conv, true);
}

gn_status plan_convolution(const plan_request *request, gn_plan_info *info, plan_kernel **out) {
    conv_maker m = {.request = request};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].kernel != request->kernel)
            continue;
        m.op.prop = kinds[i].prop;
        for (int r = 0; r < N_ROLES; r++)
            m.roles[r] = kinds[i].roles[r];
    }
    if (m.roles[BIAS].place >= 0 && tensor_is_absent(tensor_of(&m, BIAS)))
        m.roles[BIAS].place = -1;
    if (!shapes_agree(&m) || !set_geometry(&m))
        return cpu_fail(GN_E_ARGUMENT, 0, "the sizes of this convolution do not agree");
    conv_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return cpu_fail(GN_E_MEMORY, 0, "no memory for the plan of a convolution");
    plan->base.run = conv_run;
    plan->base.release = conv_release;
    dnnl_primitive_t conv = NULL;
    dnnl_status_t status = describe_given(&m);
    if (!status)
        status = choose(&m, &conv);
    if (!status)
        status = build_chain(&m, &plan->chain, conv);
    for (int r = 0; r < N_ROLES; r++)
        dnn_md_destroy(m.roles[r].given);
    if (status) {
        conv_release(&plan->base);
        return dnn_fail(status, "convolution");
    }
    info->workspace_bytes = plan->chain.workspace_bytes;
    *out = &plan->base;
    return GN_OK;
}
