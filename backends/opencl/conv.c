/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv.c - convolution and its two gradients, each as one or a few products.
 *
 *   y[pixel, o]   = sum over (c, kernel) of x[pixel, window] w[o, window]
 *   dx[pixel, c]  = sum over (o, kernel) of dy[pixel, window] w[window, c]
 *   dw[o, window] = sum over pixels of dy[o, pixel] x[pixel, window]
 *
 * No image is unfolded in memory: the kernels look through the window. The gradient of the image
 * gathers, too: pixels of dx that have the same remainders by the stride see every so many'th
 * element of the kernel, and are one product. Convolutions 1 x 1 are products of plain matrices,
 * and those of few channels in a group, depthwise ones above all, go without tiles.
 */
#include "norm.h"
#include "product.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PRODUCTS = 256 };                  /* that make the gradient of an image */
enum { IMAGE, WEIGHT, RESULT, BIAS, N_ROLES }; /* whichever of them is computed */

static const int places[][N_ROLES] = {
    [GN_KERNEL_CONV_FORWARD] = {[IMAGE] = 1, [WEIGHT] = 2, [RESULT] = 0, [BIAS] = 3},
    [GN_KERNEL_CONV_BACKWARD_DATA] = {[IMAGE] = 0, [WEIGHT] = 2, [RESULT] = 1, [BIAS] = -1},
    [GN_KERNEL_CONV_BACKWARD_WEIGHT] = {[IMAGE] = 1, [WEIGHT] = 0, [RESULT] = 2, [BIAS] = 3},
};

/* A convolution as it was asked for. */
typedef struct conv_problem {
    const ocl_request *request;
    const gn_conv_attr *attr;
    const gn_tensor_desc *tensor[N_ROLES]; /* bias: NULL if absent */
    int n;                                 /* spatial dims */
    int64_t groups, c, o;                  /* channels in a group */
} conv_problem;

typedef struct conv_plan {
    gn_plan base;
    bool has_sums;
    ocl_norm sums; /* of dy, for dbias; their workspace is behind that of the products */
    uint64_t sums_workspace;
    int n_products;
    ocl_product products[];
} conv_plan;

static gn_status conv_run(const gn_plan *base, gn_stream *stream, const gn_run *run) {
    const conv_plan *plan = (const conv_plan *)base;
    gn_status status = GN_OK;
    for (int i = 0; i < plan->n_products && !status; i++)
        status = ocl_product_run(&plan->products[i], stream, run, 0);
    if (!status && plan->has_sums)
        status = ocl_norm_run(&plan->sums, stream, run, plan->sums_workspace);
    return status;
}

/* ---- The problem --------------------------------------------------------------------------- */

static conv_problem read_problem(const ocl_request *request) {
    const int *place = places[request->kernel];
    const gn_conv_attr *a = &request->attr.conv;
    conv_problem p = {.request = request, .attr = a, .n = (int)a->n_spatial};
    for (int r = 0; r < N_ROLES; r++)
        if (place[r] >= 0 && !ocl_is_absent(&request->tensors[place[r]]))
            p.tensor[r] = &request->tensors[place[r]];
    p.groups = a->groups < 1 ? 1 : a->groups;
    p.c = p.tensor[WEIGHT]->size[1];
    p.o = p.tensor[WEIGHT]->size[0] / p.groups;
    return p;
}

static bool geometry_is_good(const gn_conv_attr *a) {
    if (a->n_spatial < 1 || a->n_spatial > GN_MAX_SPATIAL || a->groups < 1)
        return false;
    for (int d = 0; d < a->n_spatial; d++)
        if (a->stride[d] < 1 || a->dilation[d] < 1 || a->padding[d] < 0)
            return false;
    return true;
}

static bool shapes_agree(const conv_problem *p) {
    const gn_tensor_desc *x = p->tensor[IMAGE], *w = p->tensor[WEIGHT], *y = p->tensor[RESULT],
                         *bias = p->tensor[BIAS];
    const int64_t groups = p->attr->groups;
    if (x->n_dims != p->n + 2 || w->n_dims != p->n + 2 || y->n_dims != p->n + 2)
        return false;
    if (bias && (bias->n_dims != 1 || bias->size[0] != y->size[1]))
        return false;
    return x->size[1] % groups == 0 && y->size[1] % groups == 0 && x->size[0] == y->size[0] &&
           w->size[0] == y->size[1] && w->size[1] == x->size[1] / groups;
}

/* The kernels keep coordinates in 32 bits. */
static bool is_in_range(const conv_problem *p) {
    for (int d = 0; d < p->n; d++) {
        const double reach = (double)p->tensor[RESULT]->size[2 + d] * (double)p->attr->stride[d] +
                             (double)p->tensor[WEIGHT]->size[2 + d] * (double)p->attr->dilation[d] +
                             (double)p->tensor[IMAGE]->size[2 + d] + (double)p->attr->padding[d];
        if (reach > INT32_MAX)
            return false;
    }
    return true;
}

/* ---- Images through windows ---------------------------------------------------------------- */

/* Along one spatial dim: the pixels that are computed, the image that is read through the window,
 * and the weight. Pixel i and window element k read the image at i step + start + k window_step,
 * and are pixel `first` + i `stride` and element window_first + k window_stride of the tensors. */
typedef struct dim_view {
    int64_t pixels, first, stride;
    int64_t window, window_first, window_stride;
    int64_t step, start, window_step;
} dim_view;

static dim_view view_forward(const conv_problem *p, int d) {
    return (dim_view){.pixels = p->tensor[RESULT]->size[2 + d],
                      .stride = 1,
                      .window = p->tensor[WEIGHT]->size[2 + d],
                      .window_stride = 1,
                      .step = p->attr->stride[d],
                      .start = -p->attr->padding[d],
                      .window_step = p->attr->dilation[d]};
}

/* How many remainders by the stride pixels of dx have. */
static int64_t phases_of(const conv_problem *p, int d) {
    const int64_t stride = p->attr->stride[d], size = p->tensor[IMAGE]->size[2 + d];
    return stride < size ? stride : size;
}

/* Pixels `phase` + i stride of dx, from dy. */
static dim_view view_phase(const conv_problem *p, int d, int64_t phase) {
    const int64_t stride = p->attr->stride[d], dilation = p->attr->dilation[d],
                  size = p->tensor[IMAGE]->size[2 + d], kernel = p->tensor[WEIGHT]->size[2 + d],
                  at = phase + p->attr->padding[d];
    int64_t first = 0, period = 1;
    while (period * dilation % stride)
        period++;
    while (first < period && (at - first * dilation) % stride)
        first++;
    const bool has_window = first < period && first < kernel;
    return (dim_view){.pixels = (size - phase + stride - 1) / stride,
                      .first = phase,
                      .stride = stride,
                      .window = has_window ? (kernel - first + period - 1) / period : 0,
                      .window_first = has_window ? first : 0,
                      .window_stride = period,
                      .step = 1,
                      .start = has_window ? (at - first * dilation) / stride : 0,
                      .window_step = -(period * dilation / stride)};
}

/*
 * Fills a product of a view: `image` is read through the window, of `channels` in a group;
 * `pixels` has the pixels that go with it, `weight` the window.
 */
static void describe_image(ocl_product *product, const dim_view *views, int n,
                           const gn_tensor_desc *image, const gn_tensor_desc *pixels,
                           const gn_tensor_desc *weight, int weight_channel, int64_t channels) {
    ocl_image_args *g = &product->image;
    /* the window's digits in the order of memory: channels-last has the channels last */
    const bool last = image->stride[1] == 1;
    const int channel = last ? n : 0;
    product->n_spatial = n;
    g->pixel_size[0] = image->size[0];
    g->pixel_x[0] = image->stride[0];
    g->pixel_other[0] = pixels->stride[0];
    g->window_size[channel] = channels;
    g->window_x[channel] = image->stride[1];
    g->window_other[channel] = weight->stride[weight_channel];
    for (int d = 0; d < n; d++) {
        const dim_view *v = &views[d];
        const int digit = last ? d : d + 1;
        g->pixel_size[1 + d] = v->pixels;
        g->pixel_x[1 + d] = v->step * image->stride[2 + d];
        g->pixel_other[1 + d] = v->stride * pixels->stride[2 + d];
        g->window_size[digit] = v->window;
        g->window_x[digit] = v->window_step * image->stride[2 + d];
        g->window_other[digit] = v->window_stride * weight->stride[2 + d];
        g->start[d] = (int32_t)v->start;
        g->step[d] = (int32_t)v->step;
        g->limit[d] = (int32_t)image->size[2 + d];
        g->window_step[digit][d] = (int32_t)v->window_step;
    }
}

/* Sizes of the product's two dims that an image has, and where its operands begin. */
typedef struct image_sizes {
    int64_t pixels, window, image_first, pixels_first, weight_first;
} image_sizes;

static image_sizes sizes_of(const dim_view *views, int n, const gn_tensor_desc *image,
                            const gn_tensor_desc *pixels, const gn_tensor_desc *weight,
                            int64_t channels) {
    image_sizes s = {.pixels = image->size[0], .window = channels};
    for (int d = 0; d < n; d++) {
        s.pixels *= views[d].pixels;
        s.window *= views[d].window;
        s.image_first += views[d].start * image->stride[2 + d];
        s.pixels_first += views[d].first * pixels->stride[2 + d];
        s.weight_first += views[d].window_first * weight->stride[2 + d];
    }
    return s;
}

static void set_groups(ocl_product_args *a, int64_t groups, int64_t stride_a, int64_t stride_b,
                       int64_t stride_c, int64_t stride_bias) {
    a->n_batch_dims = groups > 1;
    a->batch_size[0] = groups;
    a->batch[PRODUCT_A][0] = stride_a;
    a->batch[PRODUCT_B][0] = stride_b;
    a->batch[PRODUCT_C][0] = stride_c;
    a->batch[PRODUCT_BIAS][0] = stride_bias;
}

enum { DIRECT_CHANNELS = 2 }; /* up to so many channels in a group are made without tiles */

/*
 * y or dx: through the window, `from` to `to`, whose channels in a group are `in` and `out`;
 * dims in_dim and out_dim of the weight.
 */
static void describe_pixels(const conv_problem *p, ocl_product *product, const dim_view *views,
                            int from, int to) {
    const gn_tensor_desc *image = p->tensor[from], *pixels = p->tensor[to], *w = p->tensor[WEIGHT],
                         *bias = p->tensor[BIAS];
    const int in_dim = from == IMAGE ? 1 : 0, out_dim = 1 - in_dim;
    const int64_t in = from == IMAGE ? p->c : p->o, out = from == IMAGE ? p->o : p->c;
    const image_sizes s = sizes_of(views, p->n, image, pixels, w, in);
    const int *place = places[p->request->kernel];
    ocl_product_args *a = &product->args;
    product->kind = IMAGE_A;
    product->is_direct = out <= DIRECT_CHANNELS;
    product->place[PRODUCT_A] = place[from];
    product->place[PRODUCT_B] = place[WEIGHT];
    product->place[PRODUCT_C] = place[to];
    product->place[PRODUCT_BIAS] = bias ? place[BIAS] : -1;
    describe_image(product, views, p->n, image, pixels, w, in_dim, in);
    a->m = s.pixels;
    a->n = out;
    a->k = s.window;
    a->first[PRODUCT_A] = s.image_first;
    a->first[PRODUCT_B] = s.weight_first;
    a->first[PRODUCT_C] = s.pixels_first;
    a->column[PRODUCT_B] = w->stride[out_dim];
    a->column[PRODUCT_C] = pixels->stride[1];
    a->column[PRODUCT_BIAS] = bias ? bias->stride[0] : 0;
    a->has_bias = bias != NULL;
    a->a_by_depth = image->stride[1] == 1;
    a->b_by_depth = in_dim == 1;
    a->channels_last = pixels->stride[1] == 1;
    set_groups(a, p->groups, in * image->stride[1], p->o * w->stride[0], out * pixels->stride[1],
               bias ? out * bias->stride[0] : 0);
}

/* dw */
static void describe_weight(const conv_problem *p, ocl_product *product, const dim_view *views) {
    const gn_tensor_desc *x = p->tensor[IMAGE], *w = p->tensor[WEIGHT], *y = p->tensor[RESULT];
    const image_sizes s = sizes_of(views, p->n, x, y, w, p->c);
    const int *place = places[p->request->kernel];
    ocl_product_args *a = &product->args;
    product->kind = IMAGE_B;
    product->is_direct = p->o <= DIRECT_CHANNELS;
    product->place[PRODUCT_A] = place[RESULT];
    product->place[PRODUCT_B] = place[IMAGE];
    product->place[PRODUCT_C] = place[WEIGHT];
    product->place[PRODUCT_BIAS] = -1;
    describe_image(product, views, p->n, x, y, w, 1, p->c);
    a->m = p->o;
    a->n = s.window;
    a->k = s.pixels;
    a->first[PRODUCT_B] = s.image_first;
    a->row[PRODUCT_A] = y->stride[1];
    a->row[PRODUCT_C] = w->stride[0];
    a->a_by_depth = y->stride[1] != 1;
    a->b_by_depth = x->stride[1] != 1;
    a->channels_last = y->stride[1] == 1 && p->o * p->groups > 1;
    set_groups(a, p->groups, p->o * y->stride[1], p->c * x->stride[1], p->o * w->stride[0], 0);
}

/* ---- 1 x 1 --------------------------------------------------------------------------------- */

static bool is_plain(const conv_problem *p) {
    for (int d = 0; d < p->n; d++)
        if (p->tensor[WEIGHT]->size[2 + d] != 1 || p->attr->stride[d] != 1 ||
            p->attr->padding[d] != 0 ||
            p->tensor[IMAGE]->size[2 + d] != p->tensor[RESULT]->size[2 + d])
            return false;
    return true;
}

/* Pixels of both tensors as a space, those of all images or of one; true if it has one dim. */
static bool flatten(const gn_tensor_desc *image, const gn_tensor_desc *pixels, bool all,
                    ocl_space *out) {
    *out = (ocl_space){.n_dims = 0};
    for (int d = all ? 0 : 2; d < image->n_dims; d++)
        if (d != 1)
            ocl_space_add(out, image->size[d],
                          (int64_t[OCL_SPACE_OPERANDS]){image->stride[d], pixels->stride[d]});
    return out->n_dims <= 1;
}

/* Makes a product of plain matrices of a description that sees an image through a window of one
 * element, where pixels have one stride: those of all images, or else images are a batch. */
static void make_plain(const conv_problem *p, ocl_product *product, const gn_tensor_desc *image,
                       const gn_tensor_desc *pixels, int in_dim) {
    ocl_product_args *a = &product->args;
    const gn_tensor_desc *w = p->tensor[WEIGHT];
    const bool is_weight = product->kind == IMAGE_B;
    ocl_space s;
    if (product->is_direct || !is_plain(p))
        return;
    const bool all = flatten(image, pixels, true, &s);
    if (!all && (is_weight || !flatten(image, pixels, false, &s)))
        return;
    product->kind = IMAGE_NONE;
    if (is_weight) {
        a->column[PRODUCT_A] = s.stride[1][0];
        a->row[PRODUCT_B] = s.stride[0][0];
        a->column[PRODUCT_B] = image->stride[1];
        a->column[PRODUCT_C] = w->stride[1];
        return;
    }
    a->row[PRODUCT_A] = s.stride[0][0];
    a->column[PRODUCT_A] = image->stride[1];
    a->row[PRODUCT_B] = w->stride[in_dim];
    a->row[PRODUCT_C] = s.stride[1][0];
    if (!all) {
        const int d = a->n_batch_dims++;
        a->m = ocl_space_size(&s);
        a->batch_size[d] = image->size[0];
        a->batch[PRODUCT_A][d] = image->stride[0];
        a->batch[PRODUCT_B][d] = a->batch[PRODUCT_BIAS][d] = 0;
        a->batch[PRODUCT_C][d] = pixels->stride[0];
    }
}

/* ---- The plan ------------------------------------------------------------------------------ */

/* One product for each combination of remainders; `number` is that of the combination. */
static void describe_data(const conv_problem *p, ocl_product *product, int64_t number) {
    dim_view views[GN_MAX_SPATIAL];
    for (int d = p->n - 1; d >= 0; d--) {
        views[d] = view_phase(p, d, number % phases_of(p, d));
        number /= phases_of(p, d);
    }
    describe_pixels(p, product, views, RESULT, IMAGE);
    make_plain(p, product, p->tensor[RESULT], p->tensor[IMAGE], 0);
}

static void describe(const conv_problem *p, ocl_product *product, int64_t number) {
    dim_view views[GN_MAX_SPATIAL];
    product->dtype = p->tensor[IMAGE]->dtype;
    product->is_small = ocl_is_small(p->request->tensors, OCL_PLAN_TENSORS);
    if (p->request->kernel == GN_KERNEL_CONV_BACKWARD_DATA) {
        describe_data(p, product, number);
        return;
    }
    for (int d = 0; d < p->n; d++)
        views[d] = view_forward(p, d);
    if (p->request->kernel == GN_KERNEL_CONV_FORWARD)
        describe_pixels(p, product, views, IMAGE, RESULT);
    else
        describe_weight(p, product, views);
    make_plain(p, product, p->tensor[IMAGE], p->tensor[RESULT], 1);
}

/* dbias = sum over pixels of dy */
static gn_status prepare_sums(gn_device *device, const conv_problem *p, conv_plan *plan) {
    static const int image[NORM_IMAGES] = {[NORM_X] = 2, [NORM_DY] = -1, [NORM_TARGET] = -1};
    static const int vector[NORM_VECTORS] = {[NORM_W] = -1,   [NORM_B] = -1,  [NORM_MEAN] = -1,
                                             [NORM_VAR] = -1, [NORM_DW] = -1, [NORM_DB] = 3};
    plan->has_sums = p->request->kernel == GN_KERNEL_CONV_BACKWARD_WEIGHT && p->tensor[BIAS];
    if (!plan->has_sums)
        return GN_OK;
    return ocl_norm_prepare(device, p->request, SUMS_BIAS, image, vector, &plan->sums);
}

static gn_status check(const gn_device *device, const ocl_request *request, const conv_problem *p) {
    if (!geometry_is_good(p->attr) || !shapes_agree(p))
        return ocl_fail(GN_E_ARGUMENT, 0, "the sizes of this convolution do not agree");
    if (!is_in_range(p))
        return ocl_fail(GN_E_UNSUPPORTED, 0, "a convolution over more than 2^31 pixels in a row");
    return ocl_check_floats(device, request->tensors,
                            request->kernel == GN_KERNEL_CONV_BACKWARD_DATA ? 3 : 4, "convolution");
}

static gn_status prepare_products(gn_device *device, const conv_problem *p, conv_plan *plan,
                                  uint64_t *workspace) {
    gn_status status = GN_OK;
    for (int i = 0; i < plan->n_products && !status; i++) {
        ocl_product *product = &plan->products[i];
        describe(p, product, i);
        status = ocl_product_prepare(device, product);
        if (product->workspace_bytes > *workspace)
            *workspace = product->workspace_bytes;
    }
    return status;
}

gn_status ocl_plan_conv(gn_device *device, const ocl_request *request, gn_plan_info *info,
                        gn_plan **out) {
    conv_problem p = read_problem(request);
    gn_status status = check(device, request, &p);
    if (status)
        return status;
    int64_t n_products = 1;
    if (request->kernel == GN_KERNEL_CONV_BACKWARD_DATA)
        for (int d = 0; d < p.n && n_products <= MOST_PRODUCTS; d++)
            n_products *= phases_of(&p, d);
    if (n_products > MOST_PRODUCTS)
        return ocl_fail(GN_E_UNSUPPORTED, 0,
                        "the gradient of a convolution whose strides have a product above %d",
                        MOST_PRODUCTS);
    conv_plan *plan = ocl_plan_new(
        device, sizeof *plan + (size_t)n_products * sizeof plan->products[0], conv_run);
    if (!plan)
        return GN_E_MEMORY;
    plan->n_products = (int)n_products;
    status = prepare_products(device, &p, plan, &plan->sums_workspace);
    if (!status)
        status = prepare_sums(device, &p, plan);
    if (status) {
        ocl_plan_release(device, &plan->base);
        return status;
    }
    info->workspace_bytes = plan->sums_workspace + plan->sums.workspace_bytes;
    *out = &plan->base;
    return GN_OK;
}
